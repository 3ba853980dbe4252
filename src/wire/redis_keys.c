// The Redis face: commands of one key.
//
// A read is a GET at R and a look at its winner; everything that changes is an update, which the
// core computes from what it reads (core/request.h). So this chapter only turns words into a
// request and a result into a reply.
//
// Source: redis.io/commands, group "string"; texts and order of checks as redis-server 7.0 has
// them.
//
// I1. Words are checked from left to right, the expiry last; nothing is submitted for a command
// that
//     is wrong anywhere.
//
// Owns nothing: see redis.c.
#include "wire/redis_inside.h"
#include "wire/redis_time.h"

// ---- reading -------------------------------------------------------------------------------

GR_REDIS_PREPARE(get)
{
    (void)session;
    cmd->ask.op = GR_OP_GET;
    (void)gr_redis_key(cmd);
}

static void reply_value(
    struct gr_redis *session, struct gr_redis_command *cmd, bool present, struct gr_bytes value)
{
    if (present && !gr_redis_room(session, cmd, value.size))
        return;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    if (present)
        gr_resp_bulk(&resp, value);
    else
        gr_resp_null(&resp);
}

GR_REDIS_TAKE(get)
{
    (void)index;
    const struct gr_sibling *seen = gr_redis_visible(result);
    reply_value(session, cmd, seen != NULL, seen == NULL ? gr_bytes(NULL, 0) : seen->value);
}

GR_REDIS_TAKE(strlen)
{
    (void)index;
    const struct gr_sibling *seen = gr_redis_visible(result);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, seen == NULL ? 0 : (int64_t)seen->value.size);
}

GR_REDIS_TAKE(type)
{
    (void)index;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_simple(&resp, gr_redis_visible(result) == NULL ? "none" : "string");
}

// ---- SET -----------------------------------------------------------------------------------

enum { OPT_NX = 1, OPT_XX = 2, OPT_GET = 4, OPT_KEEPTTL = 8, OPT_PERSIST = 16 };

struct options {
    uint32_t set;
    struct gr_redis_time time; // what = GR_REDIS_TIME_NONE: none was named
};

// The options that SET (`set`) and GETEX share, from arg[at] on. False: failed.
static bool read_options(struct gr_redis_command *cmd, uint32_t at, bool set, struct options *ret)
{
    *ret = (struct options){0};
    for (; at < cmd->arg_count; at++) {
        struct gr_bytes word = cmd->arg[at];
        enum gr_redis_time_word what = gr_redis_time_word(word);
        bool timed = ret->time.what != GR_REDIS_TIME_NONE;
        if (set && gr_redis_is(word, "nx") && !(ret->set & OPT_XX)) {
            ret->set |= OPT_NX;
        } else if (set && gr_redis_is(word, "xx") && !(ret->set & OPT_NX)) {
            ret->set |= OPT_XX;
        } else if (set && gr_redis_is(word, "get")) {
            ret->set |= OPT_GET;
        } else if (set && gr_redis_is(word, "keepttl") && !timed) {
            ret->set |= OPT_KEEPTTL;
        } else if (!set && gr_redis_is(word, "persist") && !timed) {
            ret->set |= OPT_PERSIST;
        } else if (what != GR_REDIS_TIME_NONE && at + 1 < cmd->arg_count &&
                   !(ret->set & (OPT_KEEPTTL | OPT_PERSIST)) &&
                   (!timed || ret->time.what == what)) {
            ret->time = (struct gr_redis_time){what, cmd->arg[++at]};
        } else {
            gr_redis_fail_syntax(cmd);
            return false;
        }
    }
    return true;
}

GR_REDIS_PREPARE(set)
{
    struct options options;
    if (!read_options(cmd, 3, true, &options))
        return;
    if (options.time.what != GR_REDIS_TIME_NONE &&
        !gr_redis_time_read(session, cmd, &options.time, &cmd->ask.expires))
        return;
    if (options.set & OPT_NX) {
        gr_redis_fail(cmd, "ERR SET NX is not offered: two sides of a split network could both "
                           "succeed; use GR.PUT with a context");
        return;
    }
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_SET;
    cmd->ask.value = cmd->arg[2];
    cmd->ask.xx = options.set & OPT_XX;
    cmd->ask.keep_ttl = options.set & OPT_KEEPTTL;
    cmd->ask.want_old = options.set & OPT_GET;
    cmd->takes = cmd->ask.want_old;
    (void)(gr_redis_value_fits(cmd, cmd->arg[2]) && gr_redis_key(cmd));
}

// SETEX key seconds value, PSETEX key milliseconds value
GR_REDIS_PREPARE(setex)
{
    bool ms = cmd->spec->name[0] == 'p';
    struct gr_redis_time time = {ms ? GR_REDIS_TIME_PX : GR_REDIS_TIME_EX, cmd->arg[2]};
    if (!gr_redis_time_read(session, cmd, &time, &cmd->ask.expires))
        return;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_SET;
    cmd->ask.value = cmd->arg[3];
    (void)(gr_redis_value_fits(cmd, cmd->arg[3]) && gr_redis_key(cmd));
}

GR_REDIS_TAKE(set)
{
    (void)index;
    if (cmd->ask.want_old) {
        reply_value(session, cmd, result->existed, result->old_value);
        return;
    }
    struct gr_resp resp = gr_redis_reply(session, cmd);
    if (cmd->ask.xx && !result->written)
        gr_resp_null(&resp);
    else
        gr_resp_simple(&resp, "OK");
}

// ---- the others ----------------------------------------------------------------------------

GR_REDIS_PREPARE(append)
{
    (void)session;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_APPEND;
    cmd->ask.value = cmd->arg[2];
    (void)(gr_redis_value_fits(cmd, cmd->arg[2]) && gr_redis_key(cmd));
}

GR_REDIS_TAKE(integer)
{
    (void)index;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, result->integer);
}

GR_REDIS_PREPARE(getdel)
{
    (void)session;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_GETDEL;
    (void)gr_redis_key(cmd);
}

GR_REDIS_PREPARE(getex)
{
    struct options options;
    if (!read_options(cmd, 2, false, &options))
        return;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_GETEX;
    cmd->ask.persist = options.set & OPT_PERSIST;
    if (options.time.what != GR_REDIS_TIME_NONE) {
        if (!gr_redis_time_read(session, cmd, &options.time, &cmd->ask.expires))
            return;
        if (gr_redis_time_past(session, cmd->ask.expires))
            cmd->ask.verb = GR_VERB_GETDEL;
    } else if (!cmd->ask.persist) {
        cmd->ask.op = GR_OP_GET;
    }
    (void)gr_redis_key(cmd);
}

GR_REDIS_TAKE(getex)
{
    if (result->op == GR_OP_GET)
        gr_redis_take_get(session, cmd, index, result);
    else
        reply_value(session, cmd, result->existed, result->old_value);
}
