// The Redis face: COMMAND, the table of commands as clients read it.
//
// redis-cli completes and explains commands from it; cluster clients learn from it where in a
// command its keys are. So our own commands are in it like any other.
//
// Source: redis.io/commands/command, command-info, command-docs; the shapes are those of
// redis-server 7.0.
//
// I1. Each command is an array of ten: name, arity, flags, first key, last key, step, ACL
//     categories, tips, key specifications, subcommands.
//
// Owns nothing: see redis.c.
#include <string.h>

#include "wire/redis_inside.h"

struct words {
    const char *word[8];
    uint32_t count;
};

static void add(struct words *words, bool wanted, const char *word)
{
    gr_assert(words->count < GR_COUNT(words->word));
    if (wanted)
        words->word[words->count++] = word;
}

static void reply_words(const struct gr_resp *resp, const struct words *words)
{
    gr_resp_set(resp, words->count);
    for (uint32_t i = 0; i < words->count; i++)
        gr_resp_simple(resp, words->word[i]);
}

static void reply_flags(const struct gr_resp *resp, const struct gr_redis_spec *spec)
{
    struct words words = {.count = 0};
    add(&words, spec->flags & GR_REDIS_WRITE, "write");
    add(&words, spec->flags & GR_REDIS_READ, "readonly");
    add(&words, spec->flags & GR_REDIS_ADMIN, "admin");
    add(&words, spec->flags & GR_REDIS_LOADING, "loading");
    add(&words, spec->flags & GR_REDIS_LOADING, "stale");
    add(&words, spec->flags & GR_REDIS_FAST, "fast");
    reply_words(resp, &words);
}

static void reply_categories(const struct gr_resp *resp, const struct gr_redis_spec *spec)
{
    struct words words = {.count = 0};
    bool keys = spec->flags & (GR_REDIS_READ | GR_REDIS_WRITE);
    add(&words, spec->flags & GR_REDIS_KEYSPACE, "@keyspace");
    add(&words, spec->flags & GR_REDIS_READ, "@read");
    add(&words, spec->flags & GR_REDIS_WRITE, "@write");
    add(&words, keys && !(spec->flags & GR_REDIS_KEYSPACE), "@string");
    add(&words, spec->flags & GR_REDIS_ADMIN, "@admin");
    add(&words, true, spec->flags & GR_REDIS_FAST ? "@fast" : "@slow");
    add(&words, spec->flags & GR_REDIS_ADMIN, "@dangerous");
    add(&words, spec->flags & GR_REDIS_CONNECTION, "@connection");
    reply_words(resp, &words);
}

static void reply_key_use(const struct gr_resp *resp, char use)
{
    struct words words = {.count = 0};
    add(&words, use == 'r', "RO");
    add(&words, use == 'o', "OW");
    add(&words, use == 'w', "RW");
    add(&words, use == 'd', "RM");
    add(&words, use == 'r' || use == 'w', "access");
    add(&words, use == 'o' || use == 'w', "update");
    add(&words, use == 'd', "delete");
    reply_words(resp, &words);
}

static void reply_key_specs(const struct gr_resp *resp, const struct gr_redis_spec *spec)
{
    gr_resp_set(resp, spec->first > 0);
    if (spec->first == 0)
        return;
    gr_resp_map(resp, 3);
    gr_resp_text(resp, "flags");
    reply_key_use(resp, spec->key_use);
    gr_resp_text(resp, "begin_search");
    gr_resp_map(resp, 2);
    gr_resp_text(resp, "type");
    gr_resp_text(resp, "index");
    gr_resp_text(resp, "spec");
    gr_resp_map(resp, 1);
    gr_resp_text(resp, "index");
    gr_resp_integer(resp, spec->first);
    gr_resp_text(resp, "find_keys");
    gr_resp_map(resp, 2);
    gr_resp_text(resp, "type");
    gr_resp_text(resp, "range");
    gr_resp_text(resp, "spec");
    gr_resp_map(resp, 3);
    gr_resp_text(resp, "lastkey"); // counted from the first key when not negative
    gr_resp_integer(resp, spec->last > 0 ? spec->last - spec->first : spec->last);
    gr_resp_text(resp, "keystep");
    gr_resp_integer(resp, spec->step);
    gr_resp_text(resp, "limit");
    gr_resp_integer(resp, 0);
}

// The one recursion: a command's subcommands have none.
static void reply_spec(const struct gr_resp *resp, const struct gr_redis_spec *spec)
{
    gr_resp_array(resp, 10);
    gr_resp_text(resp, spec->name);
    gr_resp_integer(resp, spec->arity);
    reply_flags(resp, spec);
    gr_resp_integer(resp, spec->first);
    gr_resp_integer(resp, spec->last);
    gr_resp_integer(resp, spec->step);
    reply_categories(resp, spec);
    gr_resp_set(resp, 0); // tips
    reply_key_specs(resp, spec);
    if (spec->sub_count == 0) {
        gr_resp_set(resp, 0);
        return;
    }
    gr_resp_array(resp, spec->sub_count);
    for (uint32_t i = 0; i < spec->sub_count; i++)
        reply_spec(resp, &spec->sub[i]);
}

// The line of "get" or "client|id", or NULL.
static const struct gr_redis_spec *find_full(struct gr_bytes name)
{
    const uint8_t *bar = name.size == 0 ? NULL : memchr(name.data, '|', name.size);
    if (bar == NULL)
        return gr_redis_find(name);
    size_t before = (size_t)(bar - name.data);
    const struct gr_redis_spec *spec = gr_redis_find(gr_bytes(name.data, before));
    return spec == NULL ? NULL : gr_redis_find_sub(spec, gr_bytes(bar + 1, name.size - before - 1));
}

GR_REDIS_RUN(command)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, gr_redis_table_count);
    for (uint32_t i = 0; i < gr_redis_table_count; i++)
        reply_spec(&resp, &gr_redis_table[i]);
}

GR_REDIS_RUN(command_count)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, gr_redis_table_count);
}

GR_REDIS_RUN(command_info)
{
    if (cmd->arg_count == 2) {
        gr_redis_run_command(session, cmd);
        return;
    }
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, cmd->arg_count - 2);
    for (uint32_t i = 2; i < cmd->arg_count; i++) {
        const struct gr_redis_spec *spec = find_full(cmd->arg[i]);
        if (spec == NULL)
            gr_resp_null(&resp);
        else
            reply_spec(&resp, spec);
    }
}

// ---- COMMAND DOCS --------------------------------------------------------------------------

static const char *group_of(const struct gr_redis_spec *spec)
{
    if (strncmp(spec->name, "gr.", 3) == 0)
        return "gramme";
    if (spec->flags & GR_REDIS_CONNECTION)
        return "connection";
    if (spec->flags & GR_REDIS_KEYSPACE)
        return "generic";
    return spec->flags & (GR_REDIS_READ | GR_REDIS_WRITE) ? "string" : "server";
}

static void reply_docs(const struct gr_resp *resp, const struct gr_redis_spec *spec)
{
    gr_resp_text(resp, spec->name);
    gr_resp_map(resp, spec->sub_count > 0 ? 4 : 3);
    gr_resp_text(resp, "summary");
    gr_resp_text(resp, spec->summary);
    gr_resp_text(resp, "since");
    gr_resp_text(resp, spec->since);
    gr_resp_text(resp, "group");
    gr_resp_text(resp, group_of(spec));
    if (spec->sub_count == 0)
        return;
    gr_resp_text(resp, "subcommands");
    gr_resp_map(resp, spec->sub_count);
    for (uint32_t i = 0; i < spec->sub_count; i++)
        reply_docs(resp, &spec->sub[i]);
}

GR_REDIS_RUN(command_docs)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    if (cmd->arg_count == 2) {
        gr_resp_map(&resp, gr_redis_table_count);
        for (uint32_t i = 0; i < gr_redis_table_count; i++)
            reply_docs(&resp, &gr_redis_table[i]);
        return;
    }
    uint32_t known = 0;
    for (uint32_t i = 2; i < cmd->arg_count; i++)
        known += find_full(cmd->arg[i]) != NULL;
    gr_resp_map(&resp, known);
    for (uint32_t i = 2; i < cmd->arg_count; i++) {
        const struct gr_redis_spec *spec = find_full(cmd->arg[i]);
        if (spec != NULL)
            reply_docs(&resp, spec);
    }
}

// ---- COMMAND LIST, COMMAND GETKEYS ---------------------------------------------------------

// COMMAND LIST [FILTERBY PATTERN pattern]
GR_REDIS_RUN(command_list)
{
    bool filter = cmd->arg_count == 5 && gr_redis_is(cmd->arg[2], "filterby") &&
                  gr_redis_is(cmd->arg[3], "pattern");
    if (!filter && cmd->arg_count > 2) {
        gr_redis_fail_syntax(cmd);
        return;
    }
    struct gr_bytes pattern = filter ? cmd->arg[4] : gr_bytes_text("*");
    uint32_t count = 0;
    for (uint32_t i = 0; i < gr_redis_table_count; i++)
        count += gr_redis_glob(pattern, gr_bytes_text(gr_redis_table[i].name), true);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, count);
    for (uint32_t i = 0; i < gr_redis_table_count; i++) {
        if (gr_redis_glob(pattern, gr_bytes_text(gr_redis_table[i].name), true))
            gr_resp_text(&resp, gr_redis_table[i].name);
    }
}

GR_REDIS_RUN(command_getkeys)
{
    uint32_t words = cmd->arg_count - 2;
    const struct gr_redis_spec *spec = gr_redis_find(cmd->arg[2]);
    if (spec == NULL) {
        gr_redis_fail(cmd, "ERR Invalid command specified");
        return;
    }
    if (spec->first == 0) {
        gr_redis_fail(cmd, "ERR The command has no key arguments");
        return;
    }
    if (spec->arity > 0 ? words != (uint32_t)spec->arity : words < (uint32_t)-spec->arity) {
        gr_redis_fail(cmd, "ERR Invalid number of arguments specified for command");
        return;
    }
    uint32_t last = spec->last > 0 ? (uint32_t)spec->last : words - 1;
    uint32_t count = (last - (uint32_t)spec->first) / (uint32_t)spec->step + 1;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, count);
    for (uint32_t i = 0; i < count; i++)
        gr_resp_bulk(&resp, cmd->arg[2 + (uint32_t)spec->first + i * (uint32_t)spec->step]);
}
