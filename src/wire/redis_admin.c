// The Redis face: commands about the connection and the settings.
//
// Client libraries say HELLO, name themselves and ask for settings before the first key; they must
// find what they know, or the error that they know.
//
// Source: redis.io/commands, groups "connection" and "server"; texts as redis-server 7.0 (CLIENT
// SETINFO: 7.2).
//
// I1. What changes how later commands are read or answered is a barrier (see redis_table.c), but
// for
//     CLIENT REPLY, which takes effect where it starts.
// I2. Names that are shown to others have printable ASCII without spaces only.
//
// Owns nothing: see redis.c.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/redis_inside.h"

GR_REDIS_RUN(ok)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_simple(&resp, "OK");
}

GR_REDIS_RUN(ping)
{
    if (cmd->arg_count > 2) {
        gr_redis_fail_arity(cmd);
        return;
    }
    struct gr_resp resp = gr_redis_reply(session, cmd);
    if (cmd->arg_count == 2)
        gr_resp_bulk(&resp, cmd->arg[1]);
    else
        gr_resp_simple(&resp, "PONG");
}

GR_REDIS_RUN(echo)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_bulk(&resp, cmd->arg[1]);
}

// ---- HELLO AUTH SELECT QUIT RESET ----------------------------------------------------------

// There is one user, "default", who needs no password.
static bool check_user(struct gr_redis_command *cmd, struct gr_bytes user)
{
    if (gr_bytes_equal(user, gr_bytes_text("default")))
        return true;
    gr_redis_fail(cmd, "WRONGPASS invalid username-password pair or user is disabled.");
    return false;
}

static bool is_printable(struct gr_bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '!' || text.data[i] > '~')
            return false;
    }
    return true;
}

// Copies a name of at most GR_REDIS_NAME_BYTES_MAX bytes. False: failed.
static bool set_name(struct gr_redis_command *cmd, const char *what, struct gr_bytes name, char *to)
{
    if (!is_printable(name)) {
        gr_redis_fail(cmd, "ERR %s cannot contain spaces, newlines or special characters.", what);
        return false;
    }
    if (name.size > GR_REDIS_NAME_BYTES_MAX) {
        gr_redis_fail(cmd, "ERR %s cannot be longer than %d bytes", what, GR_REDIS_NAME_BYTES_MAX);
        return false;
    }
    if (name.size > 0)
        memcpy(to, name.data, name.size);
    to[name.size] = 0;
    return true;
}

static bool read_hello_options(struct gr_redis *session, struct gr_redis_command *cmd)
{
    for (uint32_t i = 2; i < cmd->arg_count; i++) {
        uint32_t more = cmd->arg_count - 1 - i;
        if (gr_redis_is(cmd->arg[i], "auth") && more >= 2) {
            if (!check_user(cmd, cmd->arg[i + 1]))
                return false;
            i += 2;
        } else if (gr_redis_is(cmd->arg[i], "setname") && more >= 1) {
            if (!set_name(cmd, "Client names", cmd->arg[++i], session->name))
                return false;
        } else {
            gr_redis_fail(cmd, "ERR Syntax error in HELLO option '%.*s'",
                (int)GR_MIN(cmd->arg[i].size, 128), (const char *)cmd->arg[i].data);
            return false;
        }
    }
    return true;
}

GR_REDIS_RUN(hello)
{
    int64_t version = session->resp3 ? 3 : 2;
    if (cmd->arg_count > 1) {
        if (!gr_decimal_read(cmd->arg[1], &version)) {
            gr_redis_fail(cmd, "ERR Protocol version is not an integer or out of range");
            return;
        }
        if (version < 2 || version > 3) {
            gr_redis_fail(cmd, "NOPROTO unsupported protocol version");
            return;
        }
    }
    if (!read_hello_options(session, cmd))
        return;
    session->resp3 = version == 3;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, 7);
    gr_resp_text(&resp, "server");
    gr_resp_text(&resp, "redis");
    gr_resp_text(&resp, "version");
    gr_resp_text(&resp, GR_REDIS_VERSION);
    gr_resp_text(&resp, "proto");
    gr_resp_integer(&resp, version);
    gr_resp_text(&resp, "id");
    gr_resp_integer(&resp, (int64_t)session->id);
    gr_resp_text(&resp, "mode");
    gr_resp_text(&resp, "standalone");
    gr_resp_text(&resp, "role");
    gr_resp_text(&resp, "master");
    gr_resp_text(&resp, "modules");
    gr_resp_array(&resp, 0);
}

GR_REDIS_RUN(auth)
{
    if (cmd->arg_count > 3)
        gr_redis_fail_syntax(cmd);
    else if (cmd->arg_count == 2)
        gr_redis_fail(cmd, "ERR AUTH <password> called without any password configured for the "
                           "default user. Are you sure your configuration is correct?");
    else if (check_user(cmd, cmd->arg[1]))
        gr_redis_run_ok(session, cmd);
}

GR_REDIS_RUN(select)
{
    int64_t number;
    if (!gr_redis_integer(cmd, cmd->arg[1], &number))
        return;
    if (number != 0)
        gr_redis_fail(cmd, "ERR DB index is out of range");
    else
        gr_redis_run_ok(session, cmd);
}

GR_REDIS_RUN(quit)
{
    gr_redis_run_ok(session, cmd);
    session->ending = true;
}

GR_REDIS_RUN(reset)
{
    session->resp3 = session->replies_off = cmd->mute = false;
    session->name[0] = 0;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_simple(&resp, "RESET");
}

// ---- CLIENT --------------------------------------------------------------------------------

GR_REDIS_RUN(client_id)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, (int64_t)session->id);
}

GR_REDIS_RUN(client_setname)
{
    if (set_name(cmd, "Client names", cmd->arg[2], session->name))
        gr_redis_run_ok(session, cmd);
}

GR_REDIS_RUN(client_getname)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    if (session->name[0] == 0)
        gr_resp_null(&resp);
    else
        gr_resp_text(&resp, session->name);
}

GR_REDIS_RUN(client_setinfo)
{
    bool done = false;
    if (gr_redis_is(cmd->arg[2], "lib-name"))
        done = set_name(cmd, "lib-name", cmd->arg[3], session->lib_name);
    else if (gr_redis_is(cmd->arg[2], "lib-ver"))
        done = set_name(cmd, "lib-ver", cmd->arg[3], session->lib_version);
    else
        gr_redis_fail(cmd, "ERR Unrecognized option '%.*s'", (int)GR_MIN(cmd->arg[2].size, 128),
            (const char *)cmd->arg[2].data);
    if (done)
        gr_redis_run_ok(session, cmd);
}

// The line of one client, in the fields and order that Redis has.
static void print_client(struct gr_writer *to, const struct gr_redis *client, struct gr_wall now)
{
    gr_redis_print(to,
        "id=%" PRIu64 " addr=%s laddr=%s fd=-1 name=%s age=%" PRId64 " idle=%" PRId64, client->id,
        client->address, client->local, client->name, (now.ms - client->born.ms) / 1000,
        (now.ms - client->active.ms) / 1000);
    gr_redis_print(to,
        " flags=%s db=0 sub=0 psub=0 ssub=0 multi=-1 qbuf=%zu qbuf-free=%zu argv-mem=0"
        " multi-mem=0 rbs=0 rbp=0 obl=%zu oll=0 omem=0 tot-mem=%zu events=%s cmd=%s",
        client->waiting != NULL ? "b" : "N", client->input.size,
        client->input.capacity - client->input.size, client->output.size, gr_redis_memory(client),
        gr_redis_wants_input(client) ? "r" : "w",
        client->last == NULL ? "NULL" : client->last->name);
    gr_redis_print(to, " user=default redir=-1 resp=%d lib-name=%s lib-ver=%s\n",
        client->resp3 ? 3 : 2, client->lib_name, client->lib_version);
}

struct client_list {
    struct gr_writer text;
    struct gr_wall now;
    const struct gr_redis_command *cmd; // arg[3] and on are ids
    bool by_id;
};

static void list_client(void *arg, struct gr_redis *client)
{
    struct client_list *list = arg;
    bool wanted = !list->by_id;
    for (uint32_t i = 3; list->by_id && i < list->cmd->arg_count; i++) {
        int64_t id;
        wanted |= gr_decimal_read(list->cmd->arg[i], &id) && (uint64_t)id == client->id;
    }
    if (wanted)
        print_client(&list->text, client, list->now);
}

static struct client_list client_list_of(
    const struct gr_redis *session, const struct gr_redis_command *cmd)
{
    struct client_list list = {.cmd = cmd, .now = session->host.wall(session->host.host)};
    gr_writer_init(&list.text, session->output_max);
    return list;
}

static void reply_client_list(
    struct gr_redis *session, struct gr_redis_command *cmd, struct client_list *list)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_verbatim(&resp, gr_writer_bytes(&list->text));
    gr_writer_deinit(&list->text);
}

GR_REDIS_RUN(client_info)
{
    struct client_list list = client_list_of(session, cmd);
    list_client(&list, session);
    reply_client_list(session, cmd, &list);
}

// CLIENT LIST [TYPE type] | [ID id ...]. All clients are of type "normal".
GR_REDIS_RUN(client_list)
{
    bool none = false, by_id = false;
    if (cmd->arg_count == 4 && gr_redis_is(cmd->arg[2], "type")) {
        struct gr_bytes type = cmd->arg[3];
        none = gr_redis_is(type, "master") || gr_redis_is(type, "replica") ||
               gr_redis_is(type, "slave") || gr_redis_is(type, "pubsub");
        if (!none && !gr_redis_is(type, "normal"))
            gr_redis_fail(cmd, "ERR Unknown client type '%.*s'", (int)GR_MIN(type.size, 128),
                (const char *)type.data);
    } else if (cmd->arg_count > 3 && gr_redis_is(cmd->arg[2], "id")) {
        by_id = true;
        for (uint32_t i = 3; i < cmd->arg_count && !cmd->failed; i++) {
            int64_t id;
            if (!gr_decimal_read(cmd->arg[i], &id))
                gr_redis_fail(cmd, "ERR Invalid client ID");
        }
    } else if (cmd->arg_count > 2) {
        gr_redis_fail_syntax(cmd);
    }
    if (cmd->failed)
        return;
    struct client_list list = client_list_of(session, cmd);
    list.by_id = by_id;
    if (!none)
        session->host.sessions(session->host.host, list_client, &list);
    reply_client_list(session, cmd, &list);
}

GR_REDIS_RUN(client_reply)
{
    struct gr_bytes mode = cmd->arg[2];
    if (gr_redis_is(mode, "on")) {
        session->replies_off = cmd->mute = false;
        gr_redis_run_ok(session, cmd);
    } else if (gr_redis_is(mode, "off")) {
        session->replies_off = cmd->mute = true;
    } else if (gr_redis_is(mode, "skip")) {
        session->skip_next = !session->replies_off;
        cmd->mute = true;
    } else {
        gr_redis_fail_syntax(cmd);
    }
}

// ---- CONFIG --------------------------------------------------------------------------------

// Settings of Redis that clients and benchmarks ask for, and that are true here.
static const struct {
    const char *name, *value;
} redis_settings[] = {
    {"appendonly", "yes"},
    {"databases", "1"},
    {"save", ""},
};

struct config_get {
    const struct gr_redis_command *cmd;
    const struct gr_resp *resp; // NULL: only count
    size_t count;
};

static void visit_setting(void *arg, const char *name, const char *value)
{
    struct config_get *get = arg;
    for (uint32_t i = 2; i < get->cmd->arg_count; i++) {
        if (!gr_redis_glob(get->cmd->arg[i], gr_bytes_text(name), true))
            continue;
        get->count++;
        if (get->resp != NULL) {
            gr_resp_text(get->resp, name);
            gr_resp_text(get->resp, value);
        }
        return;
    }
}

static void visit_settings(struct gr_redis *session, struct config_get *get)
{
    session->host.settings(session->host.host, visit_setting, get);
    for (size_t i = 0; i < GR_COUNT(redis_settings); i++)
        visit_setting(get, redis_settings[i].name, redis_settings[i].value);
}

GR_REDIS_RUN(config_get)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    struct config_get count = {.cmd = cmd}, write = {.cmd = cmd, .resp = &resp};
    visit_settings(session, &count);
    gr_resp_map(&resp, count.count);
    visit_settings(session, &write);
}
