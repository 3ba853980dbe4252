// The Redis face: when keys expire.
//
// Redis spells a time in four ways; inside there is one, milliseconds since 1970. A time that has
// passed is not stored: the key is deleted, unless a condition must be looked at first, which only
// the core can do.
//
// Source: redis.io/commands (EXPIRE, TTL, SET); texts and order of checks as redis-server 7.0.
//
// I1. A time that is handed to the core is at least 1: 0 means never there.
//
// Owns nothing: see redis.c.
#include "wire/redis_time.h"

#include <string.h>

enum gr_redis_time_word gr_redis_time_word(struct gr_bytes word)
{
    if (gr_redis_is(word, "ex"))
        return GR_REDIS_TIME_EX;
    if (gr_redis_is(word, "px"))
        return GR_REDIS_TIME_PX;
    if (gr_redis_is(word, "exat"))
        return GR_REDIS_TIME_EXAT;
    if (gr_redis_is(word, "pxat"))
        return GR_REDIS_TIME_PXAT;
    return GR_REDIS_TIME_NONE;
}

static bool in_seconds(enum gr_redis_time_word what)
{
    return what == GR_REDIS_TIME_EX || what == GR_REDIS_TIME_EXAT;
}

static bool from_now(enum gr_redis_time_word what)
{
    return what == GR_REDIS_TIME_EX || what == GR_REDIS_TIME_PX;
}

static struct gr_wall now(const struct gr_redis *session)
{
    return session->host.wall(session->host.host);
}

// False if the time does not fit.
static bool to_wall(const struct gr_redis *session, enum gr_redis_time_word what, int64_t number,
    struct gr_wall *ret)
{
    if (in_seconds(what) && __builtin_mul_overflow(number, (int64_t)1000, &number))
        return false;
    if (from_now(what) && __builtin_add_overflow(number, now(session).ms, &number))
        return false;
    ret->ms = number;
    return true;
}

static void fail_time(struct gr_redis_command *cmd)
{
    gr_redis_fail(cmd, "ERR invalid expire time in '%s' command", cmd->spec->name);
}

bool gr_redis_time_read(const struct gr_redis *session, struct gr_redis_command *cmd,
    const struct gr_redis_time *time, struct gr_wall *ret)
{
    int64_t number;
    if (!gr_redis_integer(cmd, time->number, &number))
        return false;
    if (number <= 0 || !to_wall(session, time->what, number, ret)) {
        fail_time(cmd);
        return false;
    }
    return true;
}

bool gr_redis_time_past(const struct gr_redis *session, struct gr_wall time)
{
    return time.ms <= now(session).ms;
}

// ---- EXPIRE and its three sisters ----------------------------------------------------------

enum { COND_NX = 1, COND_XX = 2, COND_GT = 4, COND_LT = 8 };

static bool read_conditions(struct gr_redis_command *cmd, uint32_t *ret)
{
    *ret = 0;
    for (uint32_t i = 3; i < cmd->arg_count; i++) {
        if (gr_redis_is(cmd->arg[i], "nx"))
            *ret |= COND_NX;
        else if (gr_redis_is(cmd->arg[i], "xx"))
            *ret |= COND_XX;
        else if (gr_redis_is(cmd->arg[i], "gt"))
            *ret |= COND_GT;
        else if (gr_redis_is(cmd->arg[i], "lt"))
            *ret |= COND_LT;
        else {
            gr_redis_fail(cmd, "ERR Unsupported option %.*s", (int)GR_MIN(cmd->arg[i].size, 128),
                (const char *)cmd->arg[i].data);
            return false;
        }
    }
    if ((*ret & COND_NX) && *ret != COND_NX)
        gr_redis_fail(cmd, "ERR NX and XX, GT or LT options at the same time are not compatible");
    else if ((*ret & COND_GT) && (*ret & COND_LT))
        gr_redis_fail(cmd, "ERR GT and LT options at the same time are not compatible");
    return !cmd->failed;
}

// XX with GT is GT: a key without expiry counts as infinitely late, so GT never sets one there. XX
// with LT needs both, which the core has no word for.
static bool to_condition(struct gr_redis_command *cmd, uint32_t set)
{
    static const struct {
        uint32_t set;
        enum gr_expire_condition condition;
    } known[] = {
        {0, GR_EXPIRE_ALWAYS},
        {COND_NX, GR_EXPIRE_NX},
        {COND_XX, GR_EXPIRE_XX},
        {COND_GT, GR_EXPIRE_GT},
        {COND_LT, GR_EXPIRE_LT},
        {COND_XX | COND_GT, GR_EXPIRE_GT},
    };
    for (size_t i = 0; i < GR_COUNT(known); i++) {
        if (known[i].set == set) {
            cmd->ask.condition = known[i].condition;
            return true;
        }
    }
    gr_redis_fail(cmd, "ERR XX and LT options at the same time are not offered: name one");
    return false;
}

GR_REDIS_PREPARE(expire)
{
    const char *name = cmd->spec->name;
    bool ms = name[0] == 'p';
    bool at = strcmp(name + strlen(name) - 2, "at") == 0;
    enum gr_redis_time_word what = at ? (ms ? GR_REDIS_TIME_PXAT : GR_REDIS_TIME_EXAT)
                                      : (ms ? GR_REDIS_TIME_PX : GR_REDIS_TIME_EX);
    uint32_t conditions;
    if (!read_conditions(cmd, &conditions))
        return;
    int64_t number;
    if (!gr_redis_integer(cmd, cmd->arg[2], &number))
        return;
    if (!to_wall(session, what, number, &cmd->ask.expires)) {
        fail_time(cmd);
        return;
    }
    if (!to_condition(cmd, conditions))
        return;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_EXPIRE;
    if (conditions == 0 && gr_redis_time_past(session, cmd->ask.expires)) {
        cmd->ask.verb = GR_VERB_DELETE;
        cmd->ask.expires.ms = 0;
    } else {
        cmd->ask.expires.ms = GR_MAX(cmd->ask.expires.ms, 1);
    }
    (void)gr_redis_key(cmd);
}

GR_REDIS_PREPARE(persist)
{
    (void)session;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_PERSIST;
    (void)gr_redis_key(cmd);
}

// TTL PTTL EXPIRETIME PEXPIRETIME: -2 no key, -1 no expiry. Seconds are rounded, not cut.
GR_REDIS_TAKE(ttl)
{
    (void)index;
    const char *name = cmd->spec->name;
    bool ms = name[0] == 'p';
    bool absolute = strcmp(name + ms, "expiretime") == 0;
    const struct gr_sibling *seen = gr_redis_visible(result);
    int64_t answer = -2;
    if (seen != NULL && seen->expires.ms == 0) {
        answer = -1;
    } else if (seen != NULL) {
        answer = seen->expires.ms - (absolute ? 0 : result->now.ms);
        answer = ms ? answer : answer / 1000 + (answer % 1000 >= 500);
    }
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, answer);
}
