// The Redis face: the store as it is, with contexts, siblings, quorums and places.
//
// The plain commands show one value of a key. These show all that are true at once, hand out the
// context that tells the store what a writer has seen (§4.4), and let one request ask for more or
// fewer replicas than the cluster's default (§4.5).
//
// Source: Dynamo §4.4, §4.5, §5 (get returns objects and a context; put takes the context).
//
// I1. A context is decoded for the key of its command only, before anything is submitted.
// I2. A write that was done is never answered with an error: if its new context cannot be printed
//     the reply is nil, and the key has to be read.
//
// Owns nothing: see redis.c. Bounds: a token's 64 KiB; TIMEOUT_MS_MAX.
#include <inttypes.h>
#include <stdio.h>

#include "wire/redis_time.h"

enum { TIMEOUT_MS_MAX = 600000 };

// ---- options -------------------------------------------------------------------------------

enum { OPT_READ = 1, OPT_WRITE = 2, OPT_VALUE = 4, OPT_TIMEOUT = 8 };

// One of R W PR PW DW, the number of replicas; R and W may ask by site. False: failed.
static bool read_replicas(const struct gr_redis *session, struct gr_redis_command *cmd,
    struct gr_bytes word, struct gr_bytes number, uint8_t *ret)
{
    const struct gr_ring *ring = session->host.ring(session->host.host);
    bool by_site = word.size == 1;
    int64_t least = by_site ? 1 : 0;
    int64_t value;
    if (by_site && (gr_redis_is(number, "local") || gr_redis_is(number, "each"))) {
        *ret = gr_redis_is(number, "local") ? GR_QUORUM_LOCAL : GR_QUORUM_EACH;
        return true;
    }
    if (!gr_decimal_read(number, &value) || value < least || value > ring->n) {
        gr_redis_fail(cmd, "ERR %.*s is a number of replicas from %" PRId64 " to N=%u%s",
            (int)word.size, (const char *)word.data, least, ring->n,
            by_site ? ", LOCAL or EACH" : "");
        return false;
    }
    *ret = (uint8_t)value;
    return true;
}

static bool read_timeout(struct gr_redis_command *cmd, struct gr_bytes number)
{
    int64_t ms;
    if (!gr_decimal_read(number, &ms) || ms < 1 || ms > TIMEOUT_MS_MAX) {
        gr_redis_fail(cmd, "ERR TIMEOUT is a number of milliseconds from 1 to %d", TIMEOUT_MS_MAX);
        return false;
    }
    cmd->ask.timeout = gr_span_ms(ms);
    return true;
}

// The place in cmd->ask of the option R PR W PW DW, or NULL.
static uint8_t *replicas_option(struct gr_redis_command *cmd, struct gr_bytes word, uint32_t may)
{
    if ((may & OPT_READ) && gr_redis_is(word, "r"))
        return &cmd->ask.r;
    if ((may & OPT_READ) && gr_redis_is(word, "pr"))
        return &cmd->ask.pr;
    if ((may & OPT_WRITE) && gr_redis_is(word, "w"))
        return &cmd->ask.w;
    if ((may & OPT_WRITE) && gr_redis_is(word, "pw"))
        return &cmd->ask.pw;
    if ((may & OPT_WRITE) && gr_redis_is(word, "dw"))
        return &cmd->ask.dw;
    return NULL;
}

// Options from arg[at] on; cmd->flag = WITHMETA. False: failed.
static bool read_options(
    const struct gr_redis *session, struct gr_redis_command *cmd, uint32_t at, uint32_t may)
{
    struct gr_redis_time time = {GR_REDIS_TIME_NONE, gr_bytes(NULL, 0)};
    cmd->flag = false;
    for (; at < cmd->arg_count; at++) {
        struct gr_bytes word = cmd->arg[at];
        if ((may & (OPT_READ | OPT_WRITE)) && gr_redis_is(word, "withmeta")) {
            cmd->flag = true;
            continue;
        }
        if (++at == cmd->arg_count) {
            gr_redis_fail_syntax(cmd);
            return false;
        }
        uint8_t *replicas = replicas_option(cmd, word, may);
        enum gr_redis_time_word what = gr_redis_time_word(word);
        if (replicas != NULL) {
            if (!read_replicas(session, cmd, word, cmd->arg[at], replicas))
                return false;
        } else if (gr_redis_is(word, "timeout")) {
            if (!read_timeout(cmd, cmd->arg[at]))
                return false;
        } else if ((may & OPT_VALUE) && what != GR_REDIS_TIME_NONE &&
                   (time.what == GR_REDIS_TIME_NONE || time.what == what)) {
            time = (struct gr_redis_time){what, cmd->arg[at]};
        } else {
            gr_redis_fail_syntax(cmd);
            return false;
        }
    }
    return time.what == GR_REDIS_TIME_NONE ||
           gr_redis_time_read(session, cmd, &time, &cmd->ask.expires);
}

// arg[1] is the key; it is needed again when the result comes. False: failed.
static bool read_key(struct gr_redis_command *cmd)
{
    if (!gr_redis_key(cmd))
        return false;
    cmd->key[0] = gr_key_copy(&cmd->arena, &cmd->key[0]);
    return true;
}

// arg[2] is the context. False: failed.
static bool read_context(const struct gr_redis *session, struct gr_redis_command *cmd)
{
    enum gr_err err = gr_token_decode(session->host.token_key(session->host.host), &cmd->key[0],
        cmd->arg[2], &cmd->arena, &cmd->ask.context);
    if (err == GR_OK)
        return true;
    const struct gr_err_info *info = gr_err_info(err);
    gr_redis_fail(cmd, "%s %s", info->resp, info->text);
    return false;
}

// ---- printing ------------------------------------------------------------------------------

enum { DOT_BYTES = 64 };

// "store.run.random:counter", the store and the random part in hexadecimal.
static void reply_dot(const struct gr_resp *resp, const struct gr_dot *dot)
{
    char text[DOT_BYTES];
    int size = snprintf(text, sizeof text, "%016" PRIx64 ".%" PRIu64 ".%08" PRIx64 ":%" PRIu64,
        dot->actor.store, dot->actor.run >> 32, dot->actor.run & UINT32_MAX, dot->counter);
    gr_assert(size > 0 && (size_t)size < sizeof text);
    gr_resp_bulk(resp, gr_bytes(text, (size_t)size));
}

static void reply_expiry(const struct gr_resp *resp, struct gr_wall expires)
{
    gr_resp_integer(resp, expires.ms == 0 ? -1 : expires.ms);
}

// Appends the token of a context of this command's key, as a bulk. False: it is too long, and
// nothing is written.
static bool reply_token(struct gr_redis *session, struct gr_redis_command *cmd,
    const struct gr_resp *resp, const struct gr_context *context)
{
    struct gr_writer token;
    gr_writer_init(&token, GR_TOKEN_BYTES_MAX);
    enum gr_err err =
        gr_token_encode(session->host.token_key(session->host.host), &cmd->key[0], context, &token);
    bool fits = err == GR_OK && !token.bad;
    if (fits)
        gr_resp_bulk(resp, gr_writer_bytes(&token));
    gr_writer_deinit(&token);
    return fits;
}

// ---- GR.GET GR.PUT GR.DEL ------------------------------------------------------------------

// GR.GET key [R n] [PR n] [TIMEOUT ms] [WITHMETA]
GR_REDIS_PREPARE(gr_get)
{
    cmd->ask.op = GR_OP_GET;
    (void)(read_options(session, cmd, 2, OPT_READ) && read_key(cmd));
}

GR_REDIS_TAKE(gr_get)
{
    (void)index;
    const struct gr_record *record = &result->record;
    const struct gr_sibling **seen =
        gr_arena_array(&cmd->arena, const struct gr_sibling *, record->count);
    uint32_t count = gr_record_values(record, result->now, seen);
    if (!gr_redis_room(session, cmd, gr_record_value_bytes(record)))
        return;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    size_t start = resp.to->size;
    gr_resp_array(&resp, 2);
    if (record->count == 0 && gr_context_empty(&record->context)) {
        gr_resp_null(&resp);
    } else if (!reply_token(session, cmd, &resp, &record->context)) {
        resp.to->size = start;
        const struct gr_err_info *info = gr_err_info(GR_ERR_LIMIT_CONTEXT);
        gr_redis_fail(cmd, "%s %s", info->resp, info->text);
        return;
    }
    gr_resp_array(&resp, count);
    for (uint32_t i = 0; i < count; i++) {
        if (cmd->flag)
            gr_resp_array(&resp, 4);
        gr_resp_bulk(&resp, seen[i]->value);
        if (cmd->flag) {
            gr_resp_integer(&resp, gr_hybrid_ms(seen[i]->origin.time));
            reply_expiry(&resp, seen[i]->expires);
            reply_dot(&resp, &seen[i]->dot);
        }
    }
}

// GR.PUT key context value [W n] [PW n] [DW n] [EX s|PX ms|EXAT s|PXAT ms] [TIMEOUT ms] [WITHMETA]
GR_REDIS_PREPARE(gr_put)
{
    cmd->ask.op = GR_OP_PUT;
    cmd->ask.value = cmd->arg[3];
    (void)(read_options(session, cmd, 4, OPT_WRITE | OPT_VALUE) &&
           gr_redis_value_fits(cmd, cmd->arg[3]) && read_key(cmd) && read_context(session, cmd));
}

// GR.DEL key context [W n] [PW n] [DW n] [TIMEOUT ms] [WITHMETA]
GR_REDIS_PREPARE(gr_del)
{
    cmd->ask.op = GR_OP_PUT;
    cmd->ask.remove = true;
    (void)(read_options(session, cmd, 3, OPT_WRITE) && read_key(cmd) && read_context(session, cmd));
}

GR_REDIS_TAKE(gr_put)
{
    (void)index;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    if (cmd->flag)
        gr_resp_array(&resp, 3);
    if (!reply_token(session, cmd, &resp, &result->record.context))
        gr_resp_null(&resp);
    if (cmd->flag) {
        gr_resp_integer(&resp, result->acks);
        gr_resp_integer(&resp, result->primaries);
    }
}

// ---- GR.WHERE GR.EXPLAIN -------------------------------------------------------------------

static void reply_node(const struct gr_redis *session, const struct gr_resp *resp, uint16_t member)
{
    const struct gr_member *node = &session->host.ring(session->host.host)->member[member];
    gr_resp_text(resp, "node");
    gr_resp_text(resp, node->name);
    gr_resp_text(resp, "address");
    gr_resp_text(resp, node->resp);
    gr_resp_text(resp, "state");
    gr_resp_text(resp, session->host.peer_up(session->host.host, member) ? "up" : "down");
}

// GR.WHERE key
GR_REDIS_RUN(gr_where)
{
    if (!gr_redis_key(cmd))
        return;
    cmd->total = cmd->key_count = 0; // nothing is asked of the key
    const struct gr_ring *ring = session->host.ring(session->host.host);
    uint16_t self = session->host.self(session->host.host);
    uint16_t slot = cmd->key[0].slot;
    uint32_t partition = gr_ring_partition(ring, slot);
    const uint16_t *owner = gr_ring_owners(ring, partition);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, 3);
    gr_resp_text(&resp, "slot");
    gr_resp_integer(&resp, slot);
    gr_resp_text(&resp, "partition");
    gr_resp_integer(&resp, partition);
    gr_resp_text(&resp, "nodes");
    gr_resp_array(&resp, ring->n);
    for (uint32_t i = 0; i < ring->n; i++) {
        gr_resp_map(&resp, 4);
        reply_node(session, &resp, owner[i]);
        gr_resp_text(&resp, "role");
        gr_resp_text(&resp, owner[i] == self ? "coordinator" : "owner");
    }
}

// GR.EXPLAIN key [TIMEOUT ms]
GR_REDIS_PREPARE(gr_explain)
{
    cmd->ask.op = GR_OP_EXPLAIN;
    (void)(read_options(session, cmd, 2, OPT_TIMEOUT) && read_key(cmd));
}

static void reply_dots(
    const struct gr_resp *resp, const char *name, const struct gr_dot *dot, uint32_t count)
{
    gr_resp_text(resp, name);
    gr_resp_array(resp, count);
    for (uint32_t i = 0; i < count; i++)
        reply_dot(resp, &dot[i]);
}

GR_REDIS_TAKE(gr_explain)
{
    (void)index;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, result->view_count);
    for (uint32_t i = 0; i < result->view_count; i++) {
        const struct gr_replica_view *view = &result->view[i];
        gr_resp_map(&resp, 7);
        reply_node(session, &resp, view->member);
        gr_resp_text(&resp, "answer");
        gr_resp_text(&resp, gr_err_info(view->err)->name);
        gr_resp_text(&resp, "siblings");
        gr_resp_array(&resp, view->record.count);
        for (uint32_t j = 0; j < view->record.count; j++) {
            const struct gr_sibling *sibling = &view->record.sibling[j];
            gr_resp_map(&resp, 4);
            gr_resp_text(&resp, "dot");
            reply_dot(&resp, &sibling->dot);
            gr_resp_text(&resp, "origin");
            gr_resp_integer(&resp, gr_hybrid_ms(sibling->origin.time));
            gr_resp_text(&resp, "touch");
            gr_resp_integer(&resp, gr_hybrid_ms(sibling->touch));
            gr_resp_text(&resp, "expires");
            reply_expiry(&resp, sibling->expires);
        }
        const struct gr_context *context = &view->record.context;
        reply_dots(&resp, "seen-up-to", context->vv, context->vv_count);
        reply_dots(&resp, "seen-also", context->cloud, context->cloud_count);
    }
}

// GR.HINTS: what this node keeps for each member that it owes something
GR_REDIS_RUN(gr_hints)
{
    const struct gr_redis_host *host = &session->host;
    const struct gr_ring *ring = host->ring(host->host);
    int64_t now = host->wall(host->host).ms;
    size_t owed = 0;
    for (uint16_t i = 0; i < ring->member_count; i++)
        owed += host->debt(host->host, i).count > 0;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, owed);
    uint16_t order[GR_MEMBERS_MAX];
    gr_ring_by_name(ring, order);
    for (uint16_t i = 0; i < ring->member_count; i++) {
        struct gr_debt_view debt = host->debt(host->host, order[i]);
        if (debt.count == 0)
            continue;
        gr_resp_map(&resp, 6);
        reply_node(session, &resp, order[i]);
        gr_resp_text(&resp, "hints");
        gr_resp_integer(&resp, (int64_t)debt.count);
        gr_resp_text(&resp, "bytes");
        gr_resp_integer(&resp, (int64_t)debt.bytes);
        gr_resp_text(&resp, "oldest-seconds");
        gr_resp_integer(&resp, GR_MAX(now - debt.oldest.ms, 0) / 1000);
    }
}

// GR.LINK CUT name ... | HEAL
GR_REDIS_RUN(gr_link)
{
    bool cut = gr_redis_is(cmd->arg[1], "cut");
    bool heal = gr_redis_is(cmd->arg[1], "heal");
    if ((!cut && !heal) || (cut ? cmd->arg_count < 3 : cmd->arg_count != 2)) {
        gr_redis_fail_syntax(cmd);
        return;
    }
    if (session->host.link == NULL) {
        gr_redis_fail(cmd, "ERR GR.LINK needs the setting demo = yes");
        return;
    }
    const char *why = session->host.link(
        session->host.host, cut ? "CUT" : "HEAL", cmd->arg + 2, cmd->arg_count - 2);
    if (why != NULL)
        gr_redis_fail(cmd, "ERR %s", why);
    else
        gr_redis_run_ok(session, cmd);
}
