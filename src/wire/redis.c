// The Redis face: one connection's commands, from bytes to bytes.
//
// A client may send many commands before it reads the first reply, and expects replies in order, as
// if each command had waited for the one before. Here they run side by side, like parcels on a
// belt: each is put on the belt in order, is worked on where it stands, and leaves at the end in
// order. A command that touches a key which one on the belt writes waits before the belt (it is
// "parked"), and with it all that come after; so does a command that must see everything before it
// done (a barrier), and any command while the belt or the output is full.
//
//        input --parse--> [parked] --may_start--> queue: [done][      ][done][   ]
//                                                          |--> output, in order
//
// Source: redis.io/docs (commands, pipelining); Dynamo §5 for what a request is.
//
// I1. At most one command is parked; nothing behind it is looked at.
// I2. A barrier is alone in the queue. Of two commands in the queue that touch one key, none
// writes. I3. Replies leave in the order of the commands, each whole. I4. Every request that was
// submitted has one entry in `calls` until its command leaves the queue. I5. A command's words are
// borrowed from the input while it starts, and copied if it outlives that. I6. No command starts
// while output + held + what readers will likely bring is over output_max;
//     no answer is kept that would take output + held over twice that, except what a command has
//     removed from the store, of which at most TAKING_MAX are under way.
//
// Owns: input, output, commands. Bounds: GR_REDIS_WINDOW commands, GR_REDIS_CALLS_MAX calls of
// each, the parser's limits, I6.
#include <stdio.h>
#include <string.h>

#include "wire/redis_inside.h"

enum {
    COMMAND_BYTES_MAX = 32 << 20,
    OUTPUT_BYTES_MAX = 64 << 20,
    BULK_BYTES_MAX = GR_VALUE_BYTES_MAX + (64 << 10),
    TAKING_MAX = 8,
    REPLY_SLACK = TAKING_MAX * GR_VALUE_BYTES_MAX + (64 << 20), // replies of no kept answer
    BUFFER_IDLE_BYTES = 256 << 10, // larger buffers are given back when empty
};

// ---- prepare -------------------------------------------------------------------------------

static void fail_unknown(struct gr_redis_command *cmd)
{
    char args[200];
    size_t size = 0;
    for (uint32_t i = 1; i < cmd->arg_count && size < 128; i++) {
        int more = snprintf(args + size, sizeof args - size, "'%.*s' ",
            (int)GR_MIN(cmd->arg[i].size, 128 - size), (const char *)cmd->arg[i].data);
        size = GR_MIN(size + (size_t)more, sizeof args - 1);
    }
    args[size] = 0;
    gr_redis_fail(cmd, "ERR unknown command '%.*s', with args beginning with: %s",
        (int)GR_MIN(cmd->arg[0].size, 128), (const char *)cmd->arg[0].data, args);
}

// Finds the line of the table for the words, or fails.
static void look_up(struct gr_redis_command *cmd)
{
    cmd->spec = gr_redis_find(cmd->arg[0]);
    if (cmd->spec == NULL) {
        const char *reason = gr_redis_refusal(cmd->arg[0]);
        if (reason == NULL) {
            fail_unknown(cmd);
            return;
        }
        char name[32] = {0};
        for (size_t i = 0; i < GR_MIN(cmd->arg[0].size, sizeof name - 1); i++) {
            char byte = (char)cmd->arg[0].data[i];
            name[i] = byte >= 'a' && byte <= 'z' ? (char)(byte - 'a' + 'A') : byte;
        }
        gr_redis_fail(cmd, "ERR %s is not offered: %s", name, reason);
        return;
    }
    if (cmd->spec->sub_count > 0 && cmd->arg_count > 1) {
        const struct gr_redis_spec *container = cmd->spec;
        cmd->spec = gr_redis_find_sub(container, cmd->arg[1]);
        if (cmd->spec == NULL) {
            char upper[32] = {0};
            for (size_t i = 0; i < sizeof upper - 1 && container->name[i] != 0; i++)
                upper[i] = (char)(container->name[i] - 'a' + 'A');
            gr_redis_fail(cmd, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                (int)GR_MIN(cmd->arg[1].size, 128), (const char *)cmd->arg[1].data, upper);
            return;
        }
    }
    int arity = cmd->spec->arity;
    if (arity > 0 ? cmd->arg_total != (uint32_t)arity : cmd->arg_total < (uint32_t)-arity)
        gr_redis_fail_arity(cmd);
    else if (cmd->arg_total > cmd->arg_count)
        gr_redis_fail(cmd, "ERR a command has at most %d words and names at most %d keys",
            GR_RESP_ARGS_KEPT, GR_REDIS_KEYS_MAX);
}

static void prepare(struct gr_redis *session, struct gr_redis_command *cmd)
{
    cmd->error = gr_bytes(NULL, 0);
    cmd->failed = cmd->barrier = cmd->writes = cmd->takes = false;
    cmd->ask = (struct gr_request){0};
    cmd->key = NULL;
    cmd->value = NULL;
    cmd->key_count = cmd->total = 0;
    cmd->sum = 0;
    cmd->option = 0;
    cmd->answer = NULL;
    look_up(cmd);
    if (!cmd->failed && cmd->spec->prepare != NULL)
        cmd->spec->prepare(session, cmd);
    if (cmd->failed) {
        cmd->total = cmd->key_count = 0;
        return;
    }
    cmd->barrier = cmd->spec->flags & GR_REDIS_BARRIER;
    cmd->writes = cmd->spec->flags & GR_REDIS_WRITE;
    cmd->takes = cmd->takes || (cmd->spec->flags & GR_REDIS_TAKES);
}

// Makes the command independent of the input.
static void keep_words(struct gr_redis *session, struct gr_redis_command *cmd)
{
    if (cmd->kept)
        return;
    for (uint32_t i = 0; i < cmd->arg_count; i++)
        cmd->arg[i] = gr_arena_copy(&cmd->arena, cmd->arg[i]);
    cmd->kept = true;
    if (cmd->arg_count > 0)
        prepare(session, cmd);
}

// ---- starting ------------------------------------------------------------------------------

static bool in_conflict(const struct gr_redis *session, const struct gr_redis_command *cmd)
{
    for (uint32_t i = 0; i < cmd->key_count; i++) {
        struct gr_map_link *link = gr_map_first(&session->holds, cmd->key[i].hash);
        for (; link != NULL; link = gr_map_again(link)) {
            if (cmd->writes || GR_CONTAINER(link, struct gr_redis_hold, link)->cmd->writes)
                return true;
        }
    }
    return false;
}

static bool may_start(const struct gr_redis *session, const struct gr_redis_command *cmd)
{
    if (session->queue.count >= GR_REDIS_WINDOW)
        return false;
    if (session->queue.count > 0 && (cmd->barrier || gr_redis_first(session)->barrier))
        return false;
    size_t expected = session->guess * session->reading;
    if (session->output.size + session->held + expected >= session->output_max)
        return false;
    if (cmd->takes && session->taking >= TAKING_MAX)
        return false;
    return !in_conflict(session, cmd);
}

static void start(struct gr_redis *session, struct gr_redis_command *cmd)
{
    cmd->mute = session->replies_off || session->skip_next;
    session->skip_next = false;
    gr_list_append(&session->queue, &cmd->link);
    session->last = cmd->spec;
    if (!cmd->failed && !(cmd->spec->flags & GR_REDIS_LOADING) &&
        !session->host.ready(session->host.host)) {
        const struct gr_err_info *info = gr_err_info(GR_ERR_LOADING);
        gr_redis_fail(cmd, "%s %s", info->resp, info->text);
    }
    if (cmd->failed) {
        cmd->total = cmd->key_count = 0;
        cmd->takes = false;
        gr_redis_finish_with_error(session, cmd);
        return;
    }
    session->taking += cmd->takes;
    if (cmd->total == 0) {
        cmd->spec->run(session, cmd);
        if (cmd->failed)
            gr_redis_finish_with_error(session, cmd);
        else if (!cmd->waiting)
            gr_redis_finish(session, cmd);
        return;
    }
    session->reading += !cmd->writes || cmd->takes;
    cmd->call = gr_arena_array(&cmd->arena, struct gr_redis_call, cmd->total);
    cmd->hold = gr_arena_array(&cmd->arena, struct gr_redis_hold, cmd->key_count);
    for (uint32_t i = 0; i < cmd->key_count; i++) {
        cmd->hold[i].cmd = cmd;
        gr_map_insert(&session->holds, &cmd->hold[i].link, cmd->key[i].hash);
    }
    gr_redis_go_on(session, cmd);
}

// ---- reading -------------------------------------------------------------------------------

static struct gr_bytes unread(const struct gr_redis *session)
{
    if (session->direct.size > 0)
        return session->direct;
    if (session->input.size == 0)
        return gr_bytes(NULL, 0);
    return gr_bytes(
        session->input.data + session->input_at, session->input.size - session->input_at);
}

// Forgets the command that was read last.
static void consume(struct gr_redis *session, size_t size)
{
    gr_resp_parser_next(&session->parser);
    if (session->direct.size > 0) {
        session->direct.data += size;
        session->direct.size -= size;
        return;
    }
    session->input_at += size;
    if (session->input_at == session->input.size) {
        gr_writer_clear(&session->input);
        if (session->input.capacity > BUFFER_IDLE_BYTES)
            gr_writer_deinit(&session->input);
        session->input_at = 0;
    } else if (session->input_at >= GR_REDIS_INPUT_SLACK &&
               session->input_at > session->input.size / 2) {
        gr_writer_consume(&session->input, session->input_at);
        session->input_at = 0;
    }
}

// A web page can make a browser send bytes to any port: a line of HTTP ends the connection before
// the body of the request is taken for commands.
static bool is_http(const struct gr_redis_command *cmd)
{
    return gr_redis_is(cmd->arg[0], "post") || gr_redis_is(cmd->arg[0], "host:");
}

// The next command, prepared, or NULL if there is none yet. Its words are still in the input.
static struct gr_redis_command *read_command(struct gr_redis *session)
{
    for (;;) {
        struct gr_bytes input = unread(session);
        enum gr_resp_parsed parsed = gr_resp_parse(&session->parser, input);
        if (parsed == GR_RESP_MORE)
            return NULL;
        if (parsed == GR_RESP_COMMAND && session->parser.total == 0) {
            consume(session, session->parser.at);
            continue;
        }
        struct gr_redis_command *cmd = gr_redis_command_new(session);
        if (parsed == GR_RESP_BROKEN) {
            cmd->ends = true;
            gr_redis_fail(cmd, "%s", session->parser.error);
            return cmd;
        }
        cmd->arg_total = session->parser.total;
        cmd->arg_count = session->parser.count;
        cmd->arg = gr_arena_array(&cmd->arena, struct gr_bytes, cmd->arg_count);
        for (uint32_t i = 0; i < cmd->arg_count; i++)
            cmd->arg[i] = gr_resp_argument(&session->parser, input, i);
        if (is_http(cmd)) {
            gr_redis_command_free(session, cmd);
            session->ending = true;
            return NULL;
        }
        session->commands++;
        prepare(session, cmd);
        if (cmd->total > GR_REDIS_CALLS_MAX)
            keep_words(session, cmd);
        return cmd;
    }
}

// Starts all that may start. Nothing in here is entered twice: a result that arrives within a
// submit only marks its command.
void gr_redis_pump(struct gr_redis *session)
{
    if (session->pumping)
        return;
    session->pumping = true;
    while (!session->ending) {
        struct gr_redis_command *cmd = session->parked;
        bool fresh = cmd == NULL;
        if (fresh) {
            cmd = read_command(session);
            if (cmd == NULL)
                break;
        }
        bool starts = may_start(session, cmd);
        if (starts) {
            if (!fresh && !cmd->ends)
                prepare(session, cmd); // again: time has passed, and times are counted from now
            session->parked = NULL;
            session->ending = cmd->ends;
            start(session, cmd);
        } else if (fresh) {
            keep_words(session, cmd);
            session->parked = cmd;
        }
        if (fresh)
            consume(session, session->parser.at);
        if (!starts)
            break;
    }
    session->pumping = false;
}

void gr_redis_input(struct gr_redis *session, struct gr_bytes bytes)
{
    if (session->ending || session->input_ended || bytes.size == 0)
        return;
    session->active = session->host.wall(session->host.host);
    if (session->input.size > 0) {
        gr_write_bytes(&session->input, bytes);
        session->ending = session->input.bad; // a gap would make words of values
        gr_redis_pump(session);
        return;
    }
    session->direct = bytes;
    gr_redis_pump(session);
    if (!session->ending && session->direct.size > 0) {
        gr_write_bytes(&session->input, session->direct);
        session->ending = session->input.bad;
    }
    session->direct = gr_bytes(NULL, 0);
}

// Who waits without end for replicas, and has hung up, is answered now.
void gr_redis_input_end(struct gr_redis *session)
{
    session->input_ended = true;
    gr_redis_timer(session);
}

struct gr_writer *gr_redis_output(struct gr_redis *session)
{
    return &session->output;
}

void gr_redis_flushed(struct gr_redis *session)
{
    if (session->output.size == 0 && session->output.capacity > BUFFER_IDLE_BYTES)
        gr_writer_deinit(&session->output);
    gr_redis_pump(session);
}

bool gr_redis_wants_input(const struct gr_redis *session)
{
    if (session->ending || session->input_ended)
        return false;
    return session->parked == NULL || unread(session).size < GR_REDIS_INPUT_SLACK;
}

bool gr_redis_closing(const struct gr_redis *session)
{
    if (session->output.bad)
        return true;
    if (session->queue.count > 0)
        return false;
    return session->ending || (session->input_ended && session->parked == NULL);
}

// ---- the session ---------------------------------------------------------------------------

struct gr_redis *gr_redis_new(
    const struct gr_redis_host *host, const struct gr_redis_config *config)
{
    struct gr_redis *session = gr_hook_memory(NULL, sizeof *session);
    *session = (struct gr_redis){.host = *host, .id = config->id};
    snprintf(session->address, sizeof session->address, "%s", config->address);
    snprintf(session->local, sizeof session->local, "%s", config->local);
    session->born = session->active = host->wall(host->host);
    session->output_max = config->output_max > 0 ? config->output_max : OUTPUT_BYTES_MAX;
    size_t command_max = config->command_max > 0 ? config->command_max : COMMAND_BYTES_MAX;
    gr_resp_parser_init(&session->parser, command_max, GR_MIN(command_max, (size_t)BULK_BYTES_MAX));
    gr_writer_init(&session->input, command_max + COMMAND_BYTES_MAX);
    gr_writer_init(&session->output, 2 * session->output_max + REPLY_SLACK);
    return session;
}

void gr_redis_free(struct gr_redis *session)
{
    struct gr_link *link;
    while ((link = gr_list_take(&session->queue)) != NULL)
        gr_redis_command_destroy(GR_CONTAINER(link, struct gr_redis_command, link));
    if (session->parked != NULL)
        gr_redis_command_destroy(session->parked);
    while (session->spare != NULL) {
        struct gr_redis_command *cmd = session->spare;
        session->spare = (struct gr_redis_command *)cmd->link.after;
        gr_redis_command_destroy(cmd);
    }
    gr_map_deinit(&session->calls);
    gr_map_deinit(&session->holds);
    gr_resp_parser_deinit(&session->parser);
    gr_writer_deinit(&session->input);
    gr_writer_deinit(&session->output);
    gr_hook_memory(session->write, 0);
    gr_hook_memory(session, 0);
}

uint64_t gr_redis_id(const struct gr_redis *session)
{
    return session->id;
}

uint64_t gr_redis_commands(const struct gr_redis *session)
{
    return session->commands;
}

size_t gr_redis_unread(const struct gr_redis *session)
{
    return unread(session).size;
}

size_t gr_redis_held(const struct gr_redis *session)
{
    return unread(session).size + session->output.size;
}

size_t gr_redis_memory(const struct gr_redis *session)
{
    size_t bytes = sizeof *session + session->input.capacity + session->output.capacity;
    bytes += session->parser.capacity * sizeof(struct gr_resp_place);
    for (const struct gr_link *link = session->queue.first; link != NULL; link = link->after) {
        const struct gr_redis_command *cmd = GR_CONTAINER(link, struct gr_redis_command, link);
        bytes += sizeof *cmd + cmd->arena.bytes + cmd->page.bytes + cmd->reply.capacity;
    }
    if (session->parked != NULL)
        bytes += sizeof *session->parked + session->parked->arena.bytes;
    return bytes;
}
