// The Redis face: GR.REPAIR, the operator's view of self-repair (§4.7).
//
//   GR.REPAIR STATUS             how far the node's repair is, and with whom
//   GR.REPAIR STATUS partition   what is known of one partition
//   GR.REPAIR RUN [partition]    exchanges with all other owners begin now
//   GR.REPAIR SCRUB [partition]  the disk is read again first
//
// RUN and SCRUB are answered at once with a number; what was asked for is done when STATUS shows
// that number, or a later one, and is not busy. Names and numbers in the reply are for programs:
// the command `gramme repair` makes sentences of them.
//
// I1. What is not known is nil, never a number.
//
// Owns nothing: see redis.c. Bounds: DAMAGES_MAX damaged partitions are listed, all are counted.
#include <inttypes.h>
#include <stdio.h>

#include "wire/redis_inside.h"

enum { DAMAGES_MAX = 100, NAMES_BYTES = 512 };

static const struct gr_ring *ring_of(const struct gr_redis *session)
{
    return session->host.ring(session->host.host);
}

// ---- parts of replies --------------------------------------------------------------------------

static void text(const struct gr_resp *resp, const char *name, const char *value)
{
    gr_resp_text(resp, name);
    gr_resp_text(resp, value);
}

static void number(const struct gr_resp *resp, const char *name, uint64_t value)
{
    gr_resp_text(resp, name);
    gr_resp_integer(resp, (int64_t)value);
}

static void number_if(const struct gr_resp *resp, const char *name, bool known, int64_t value)
{
    gr_resp_text(resp, name);
    if (known)
        gr_resp_integer(resp, value);
    else
        gr_resp_null(resp);
}

static void flag(const struct gr_resp *resp, const char *name, bool value)
{
    gr_resp_text(resp, name);
    gr_resp_bool(resp, value);
}

static int64_t seconds(struct gr_span span)
{
    return span.ns / 1000000000;
}

static void node(const struct gr_redis *session, const struct gr_resp *resp, uint16_t member)
{
    const struct gr_member *node = &ring_of(session)->member[member];
    text(resp, "node", node->name);
    text(resp, "address", node->resp);
    text(resp, "state", session->host.peer_up(session->host.host, member) ? "up" : "down");
}

// The names of the other owners, of those that have given or of those that have not.
static void owners(const struct gr_redis *session, const struct gr_resp *resp, const char *name,
    uint32_t partition, uint8_t given, bool have)
{
    const struct gr_ring *ring = ring_of(session);
    const uint16_t *owner = gr_ring_owners(ring, partition);
    uint16_t self = session->host.self(session->host.host);
    uint32_t count = 0;
    for (uint32_t i = 0; i < ring->n; i++)
        count += owner[i] != self && (given >> i & 1) == have;
    gr_resp_text(resp, name);
    gr_resp_array(resp, count);
    for (uint32_t i = 0; i < ring->n; i++)
        if (owner[i] != self && (given >> i & 1) == have)
            gr_resp_text(resp, ring->member[owner[i]].name);
}

static void damage(const struct gr_redis *session, const struct gr_resp *resp, uint32_t partition,
    const struct gr_repair_damage *is)
{
    int64_t now = session->host.wall(session->host.host).ms;
    gr_resp_map(resp, is->damaged ? 6 : 4);
    number(resp, "partition", partition);
    text(resp, "found", is->how != NULL ? is->how : "damaged since an earlier run");
    number_if(resp, "seconds", is->how != NULL, GR_MAX(now - is->at.ms, 0) / 1000);
    flag(resp, "damaged", is->damaged);
    if (!is->damaged)
        return;
    number(resp, "owes", is->owed);
    owners(session, resp, "waits-for", partition, is->given, false);
}

// ---- STATUS ------------------------------------------------------------------------------------

static bool is_listed(const struct gr_redis *session, const struct gr_node *of, uint32_t partition,
    struct gr_repair_damage *ret)
{
    uint16_t self = session->host.self(session->host.host);
    if (gr_ring_position(ring_of(session), partition, self) < 0)
        return false;
    *ret = gr_repair_look_damage(of, partition);
    return ret->damaged || ret->of_job;
}

// What is damaged, and what was found since the last RUN or SCRUB even if it is whole again.
static void reply_damages(
    const struct gr_redis *session, const struct gr_node *of, const struct gr_resp *resp)
{
    struct gr_repair_damage is;
    size_t count = 0, shown = 0;
    for (uint32_t p = 0; p < ring_of(session)->partitions; p++)
        count += is_listed(session, of, p, &is);
    gr_resp_text(resp, "damage");
    gr_resp_array(resp, GR_MIN(count, DAMAGES_MAX));
    for (uint32_t p = 0; p < ring_of(session)->partitions && shown < DAMAGES_MAX; p++) {
        if (!is_listed(session, of, p, &is))
            continue;
        damage(session, resp, p, &is);
        shown++;
    }
}

static void reply_peers(
    const struct gr_redis *session, const struct gr_node *of, const struct gr_resp *resp)
{
    struct gr_instant now = session->host.now(session->host.host);
    uint16_t members = ring_of(session)->member_count;
    struct gr_repair_peer peer;
    size_t count = 0;
    for (uint16_t m = 0; m < members; m++) {
        gr_repair_look_peer(of, m, now, &peer);
        count += peer.shared > 0;
    }
    gr_resp_text(resp, "peers");
    gr_resp_array(resp, count);
    uint16_t order[GR_MEMBERS_MAX];
    gr_ring_by_name(ring_of(session), order);
    for (uint16_t m = 0; m < members; m++) {
        gr_repair_look_peer(of, order[m], now, &peer);
        if (peer.shared == 0)
            continue;
        gr_resp_map(resp, 11);
        node(session, resp, order[m]);
        number(resp, "shared", peer.shared);
        number(resp, "whole", peer.whole);
        number(resp, "behind", peer.behind);
        number(resp, "peer-behind", peer.there);
        number(resp, "unknown", peer.unknown);
        number_if(resp, "oldest-seconds", peer.whole > 0, seconds(peer.oldest));
        number(resp, "failed", peer.failed);
        gr_resp_text(resp, "why");
        if (peer.failed > 0)
            gr_resp_text(resp, gr_err_info(peer.why)->name);
        else
            gr_resp_null(resp);
    }
}

static void reply_exchanges(
    const struct gr_redis *session, const struct gr_repair_view *view, const struct gr_resp *resp)
{
    gr_resp_text(resp, "exchanges");
    gr_resp_array(resp, view->exchange_count);
    for (uint32_t i = 0; i < view->exchange_count; i++) {
        const struct gr_repair_exchange *x = &view->exchange[i];
        gr_resp_map(resp, 6);
        text(resp, "node", ring_of(session)->member[x->peer].name);
        number(resp, "partition", x->partition);
        text(resp, "begun", x->begun_here ? "here" : "there");
        text(resp, "step", x->step);
        number(resp, "keys", x->keys);
        number(resp, "done", x->done);
    }
}

static void reply_job(const struct gr_repair_job *job, const struct gr_resp *resp)
{
    gr_resp_text(resp, "asked");
    gr_resp_map(resp, 10);
    number(resp, "number", job->number);
    flag(resp, "busy", job->busy);
    number(resp, "rounds", job->rounds);
    number(resp, "joined", job->joined);
    number(resp, "failed", job->failed);
    number(resp, "reads", job->reads);
    number(resp, "read", job->read);
    number(resp, "found", job->found);
    number(resp, "keys", job->keys);
    number(resp, "seconds", (uint64_t)seconds(job->took));
}

static void reply_moved(const struct gr_repair_view *view, const struct gr_resp *resp)
{
    static const char *const name[] = {
        "keys-received", "keys-sent", "bytes-received", "bytes-sent"};
    for (size_t i = 0; i < GR_COUNT(name); i++) {
        char minute[32];
        snprintf(minute, sizeof minute, "%s-minute", name[i]);
        number(resp, name[i], view->total[i]);
        number(resp, minute, view->minute[i]);
    }
}

static void reply_status(
    struct gr_redis *session, struct gr_redis_command *cmd, const struct gr_node *of)
{
    const struct gr_redis_host *host = &session->host;
    struct gr_repair_view view;
    gr_repair_look(of, host->now(host->host), &view);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, 26);
    text(&resp, "node", ring_of(session)->member[host->self(host->host)].name);
    number(&resp, "run", view.run);
    text(&resp, "store", view.store == GR_OK ? "ok" : gr_err_info(view.store)->name);
    number(&resp, "partitions", view.partitions);
    number(&resp, "read", view.read);
    number(&resp, "whole", view.whole);
    number(&resp, "behind", view.behind);
    number(&resp, "unknown", view.unknown);
    number(&resp, "damaged", view.damaged);
    number(&resp, "percent", gr_repair_percent(&view));
    number_if(&resp, "behind-seconds", view.behind > 0, seconds(view.behind_for));
    number_if(&resp, "keys-per-second", view.behind > 0, (int64_t)view.keys_per_second);
    number_if(&resp, "seconds-left", view.left_s != GR_PACE_UNKNOWN, view.left_s);
    number_if(&resp, "reading", view.reading != GR_REPAIR_ALL, view.reading);
    reply_moved(&view, &resp);
    reply_peers(session, of, &resp);
    reply_exchanges(session, &view, &resp);
    reply_damages(session, of, &resp);
    reply_job(&view.job, &resp);
}

// ---- STATUS partition --------------------------------------------------------------------------

static void reply_pair(
    const struct gr_redis *session, const struct gr_repair_pair *pair, const struct gr_resp *resp)
{
    gr_resp_map(resp, 10);
    node(session, resp, pair->peer);
    text(resp, "here", gr_repair_state_name(pair->here));
    number_if(resp, "here-seconds", pair->here != GR_REPAIR_UNKNOWN, seconds(pair->here_age));
    text(resp, "there", gr_repair_state_name(pair->there));
    number_if(resp, "there-seconds", pair->there != GR_REPAIR_UNKNOWN, seconds(pair->there_age));
    gr_resp_text(resp, "exchange");
    if (pair->tried)
        gr_resp_text(resp, gr_err_info(pair->err)->name);
    else
        gr_resp_null(resp);
    number_if(resp, "exchange-seconds", pair->tried, seconds(pair->tried_age));
    flag(resp, "asked", pair->waits);
}

static void reply_partition(struct gr_redis *session, struct gr_redis_command *cmd,
    const struct gr_node *of, uint32_t partition)
{
    const struct gr_redis_host *host = &session->host;
    struct gr_repair_partition view;
    char sum[33], clock[17];
    gr_repair_look_partition(of, partition, host->now(host->host), &view);
    snprintf(sum, sizeof sum, "%016" PRIx64 "%016" PRIx64, view.sum.high, view.sum.low);
    snprintf(clock, sizeof clock, "%016" PRIx64, view.clock_hash);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, 11);
    text(&resp, "node", ring_of(session)->member[host->self(host->host)].name);
    number(&resp, "partition", partition);
    text(&resp, "state", gr_repair_state_name(view.state));
    flag(&resp, "read", view.read);
    flag(&resp, "to-be-read", view.waits);
    number(&resp, "keys", (uint64_t)view.count);
    text(&resp, "sum", sum);
    text(&resp, "clock", clock);
    number(&resp, "clock-rows", view.clock_rows);
    gr_resp_text(&resp, "damage");
    if (view.damage.damaged || view.damage.how != NULL)
        damage(session, &resp, partition, &view.damage);
    else
        gr_resp_null(&resp);
    gr_resp_text(&resp, "peers");
    gr_resp_array(&resp, view.pair_count);
    for (uint32_t i = 0; i < view.pair_count; i++)
        reply_pair(session, &view.pair[i], &resp);
}

// ---- the command -------------------------------------------------------------------------------

// "n1, n2, n3": who owns it.
static void list_owners(const struct gr_redis *session, uint32_t partition, char *ret, size_t size)
{
    const struct gr_ring *ring = ring_of(session);
    size_t used = 0;
    for (uint32_t i = 0; i < ring->n && used < size; i++)
        used += (size_t)snprintf(ret + used, size - used, "%s%s", i == 0 ? "" : ", ",
            ring->member[gr_ring_owners(ring, partition)[i]].name);
}

// False: failed.
static bool may(struct gr_redis *session, struct gr_redis_command *cmd, const struct gr_node *of,
    uint32_t partition, bool changes)
{
    enum gr_err err = gr_repair_refusal(of, partition);
    char names[NAMES_BYTES] = "";
    switch (err) {
    case GR_OK:
        return true;
    case GR_ERR_NOT_FOUND:
        gr_redis_fail(cmd,
            "ERR there is no such partition: they are 0 to %u; GR.WHERE names a key's",
            ring_of(session)->partitions - 1);
        return false;
    case GR_ERR_NOT_OWNER:
        list_owners(session, partition, names, sizeof names);
        gr_redis_fail(cmd, "ERR partition %u is not held by this node but by %s: ask one of them",
            partition, names);
        return false;
    case GR_ERR_INVALID:
        gr_redis_fail(cmd, "ERR anti-entropy is switched off on this node");
        return false;
    default:
        if (!changes)
            return true;
        gr_redis_fail(cmd, "%s the store takes no writes, so nothing can be repaired: %s",
            gr_err_info(err)->resp, gr_err_info(err)->text);
        return false;
    }
}

static void ask(struct gr_redis *session, struct gr_redis_command *cmd, const struct gr_node *of,
    struct gr_repair_ask what)
{
    const struct gr_redis_host *host = &session->host;
    uint64_t asked = host->repair(host->host, &what);
    if (asked == 0) {
        gr_redis_fail(
            cmd, "%s too much was asked for at once; try again", gr_err_info(GR_ERR_BUSY)->resp);
        return;
    }
    struct gr_repair_view view;
    gr_repair_look(of, host->now(host->host), &view);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, 3);
    number(&resp, "number", asked);
    number(&resp, "run", view.run);
    number(&resp, "partitions", what.partition == GR_REPAIR_ALL ? view.partitions : 1);
}

GR_REDIS_RUN(gr_repair)
{
    const struct gr_node *of = session->host.node(session->host.host);
    bool status = gr_redis_is(cmd->arg[1], "status");
    bool run = gr_redis_is(cmd->arg[1], "run"), scrub = gr_redis_is(cmd->arg[1], "scrub");
    int64_t given = 0;
    if ((!status && !run && !scrub) || cmd->arg_count > 3) {
        gr_redis_fail_syntax(cmd);
        return;
    }
    if (of == NULL) {
        const struct gr_err_info *info = gr_err_info(GR_ERR_LOADING);
        gr_redis_fail(cmd, "%s %s", info->resp, info->text);
        return;
    }
    uint32_t partition = GR_REPAIR_ALL;
    if (cmd->arg_count == 3) {
        bool good = gr_decimal_read(cmd->arg[2], &given) && given >= 0 &&
                    given < ring_of(session)->partitions;
        partition = good ? (uint32_t)given : ring_of(session)->partitions;
    }
    if (!may(session, cmd, of, partition, !status))
        return;
    if (!status)
        ask(session, cmd, of,
            (struct gr_repair_ask){run ? GR_REPAIR_RUN : GR_REPAIR_SCRUB, partition});
    else if (partition != GR_REPAIR_ALL)
        reply_partition(session, cmd, of, partition);
    else
        reply_status(session, cmd, of);
}
