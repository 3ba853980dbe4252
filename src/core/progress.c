// Progress: the board of repair.c read out to people (§4.7).
//
// Nothing here changes anything. An age is how long ago something was seen; an estimate is what is
// left at the pace of the last minute, and "unknown" where there was no pace. An estimate counts
// partitions, not keys: how many keys a peer has in a partition that is behind, nobody has said.
//
//   R1  Looking never changes the node: two looks between two steps show the same, but for ages.
//
// Bounds: O(partitions * N) a look.
#include "core/entropy.h"

static const struct gr_repair *repair_of(const struct gr_node *node)
{
    return &node->entropy->repair;
}

static bool is_held(const struct gr_node *node, uint32_t partition)
{
    return gr_ring_position(node->ring, partition, node->config.self) >= 0;
}

static struct gr_span since(struct gr_instant now, struct gr_instant at)
{
    return (struct gr_span){GR_MAX(now.ns - at.ns, 0)};
}

// ---- the node --------------------------------------------------------------------------------

static void look_at_pace(
    const struct gr_node *node, struct gr_instant now, struct gr_repair_view *ret)
{
    const struct gr_repair *repair = repair_of(node);
    const struct gr_pace *pace = &repair->pace;
    uint64_t done[GR_PACE_KINDS];
    for (uint32_t i = 0; i < GR_PACE_KINDS; i++) {
        uint64_t minute = gr_pace_minute(pace, now, i);
        if (i != GR_PACE_MENDED) {
            ret->total[i] = pace->total[i];
            ret->minute[i] = minute;
        }
        // Of the minute only what was done since some are behind.
        done[i] = GR_MIN(minute, pace->total[i] - repair->behind_total[i]);
    }
    if (repair->behind == 0)
        return;
    struct gr_span span = gr_pace_span(now, repair->behind_since);
    ret->behind_for = since(now, repair->behind_since);
    ret->keys_per_second = gr_pace_rate(done[GR_REPAIR_KEYS_IN], span);
    // What was never compared may be behind too.
    ret->left_s = GR_PACE_UNKNOWN;
    if (ret->unknown == 0)
        ret->left_s = gr_pace_left_s(repair->behind, done[GR_PACE_MENDED], span);
}

static struct gr_repair_job look_at_job(const struct gr_repair *repair, struct gr_instant now)
{
    bool busy = repair->waiting > 0 || repair->reading > 0;
    uint64_t keys = repair->pace.total[GR_REPAIR_KEYS_IN] + repair->pace.total[GR_REPAIR_KEYS_OUT];
    return (struct gr_repair_job){
        .number = repair->asks,
        .rounds = repair->job_rounds,
        .joined = repair->job_joined,
        .failed = repair->job_failed,
        .reads = repair->job_reads,
        .read = repair->job_read,
        .found = repair->job_found,
        .keys = busy ? keys - repair->job_keys : repair->job_keys,
        .took = since(busy ? now : repair->job_ended, repair->job_since),
        .busy = busy,
    };
}

static void look_at_exchanges(
    const struct gr_node *node, struct gr_instant now, struct gr_repair_view *ret)
{
    static const char *const step[] = {
        [GR_EXCHANGE_BEGIN] = "begins",
        [GR_EXCHANGE_LEAVES] = "compares",
        [GR_EXCHANGE_WALK] = "walks",
        [GR_EXCHANGE_OFFER] = "gives",
        [GR_EXCHANGE_JOIN] = "joins",
    };
    const struct gr_exchange *x = &node->entropy->exchange;
    if (x->state != GR_EXCHANGE_IDLE)
        ret->exchange[ret->exchange_count++] = (struct gr_repair_exchange){
            .peer = x->peer,
            .partition = x->partition,
            .begun_here = true,
            .step = step[x->state],
            .keys = x->item_count,
            .done = x->item_next - x->item_active,
        };
    for (uint16_t m = 0; m < node->ring->member_count; m++) {
        const struct gr_served *served = node->entropy->served[m];
        // Nobody says that an exchange of his has ended when there was nothing to join.
        bool silent = since(now, served->heard).ns > node->config.write_timeout.ns;
        if (!served->open || silent || ret->exchange_count == GR_REPAIR_EXCHANGES_MAX)
            continue;
        ret->exchange[ret->exchange_count++] = (struct gr_repair_exchange){
            .peer = m, .partition = served->partition, .step = "serves"};
    }
}

void gr_repair_look(const struct gr_node *node, struct gr_instant now, struct gr_repair_view *ret)
{
    const struct gr_repair *repair = repair_of(node);
    const struct gr_walk *walk = &node->entropy->pass.walk;
    *ret = (struct gr_repair_view){
        .run = node->config.actor.run >> 32,
        .store = node->store,
        .partitions = node->stats.partitions,
        .read = node->stats.partitions - node->stats.unread,
        .whole = repair->whole,
        .behind = repair->behind,
        .unknown = node->stats.partitions - repair->whole - repair->behind,
        .damaged = node->stats.damaged,
        .reading = walk->link.in ? walk->partition : GR_REPAIR_ALL,
        .job = look_at_job(repair, now),
    };
    look_at_pace(node, now, ret);
    look_at_exchanges(node, now, ret);
}

uint32_t gr_repair_percent(const struct gr_repair_view *view)
{
    return view->partitions == 0 ? 100 : (uint32_t)(view->whole * UINT64_C(100) / view->partitions);
}

// ---- another member --------------------------------------------------------------------------

void gr_repair_look_peer(
    const struct gr_node *node, uint16_t member, struct gr_instant now, struct gr_repair_peer *ret)
{
    *ret = (struct gr_repair_peer){.shared = 0};
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        int at = gr_ring_position(node->ring, p, member);
        if (member == node->config.self || at < 0 || !is_held(node, p))
            continue;
        const struct gr_pair *pair = &repair_of(node)->pair[p * node->ring->n + (uint32_t)at];
        bool whole = pair->here == GR_REPAIR_WHOLE && pair->there == GR_REPAIR_WHOLE;
        bool behind = pair->here == GR_REPAIR_BEHIND, there = pair->there == GR_REPAIR_BEHIND;
        ret->shared++;
        ret->whole += whole;
        ret->behind += behind;
        ret->there += there;
        ret->unknown += !whole && !behind && !there;
        if (whole) {
            struct gr_instant seen = {GR_MIN(pair->here_at.ns, pair->there_at.ns)};
            ret->oldest.ns = GR_MAX(ret->oldest.ns, since(now, seen).ns);
        }
        if (pair->wish == GR_WISH_FAILED) {
            ret->failed++;
            ret->why = pair->err;
        }
    }
}

// ---- one partition ---------------------------------------------------------------------------

struct gr_repair_damage gr_repair_look_damage(const struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    const struct gr_repair_note *note = &repair_of(node)->note[partition];
    struct gr_repair_damage damage = {
        .how = note->how,
        .at = note->at,
        .of_job = note->how != NULL && note->job == repair_of(node)->job,
        .damaged = p->damage != NULL,
        .before = note->before,
    };
    if (p->damage != NULL) {
        damage.owed = gr_clock_lacks(&p->clock, &p->damage->owed);
        for (uint8_t i = 0; i < node->ring->n; i++) {
            uint16_t m = gr_ring_owners(node->ring, partition)[i];
            damage.given |= (uint8_t)((p->damage->given[m / 64] >> (m % 64) & 1) << i);
        }
    }
    return damage;
}

static struct gr_repair_pair look_at_pair(
    const struct gr_pair *pair, uint16_t peer, struct gr_instant now)
{
    return (struct gr_repair_pair){
        .peer = peer,
        .here = pair->here,
        .there = pair->there,
        .here_age = since(now, pair->here_at),
        .there_age = since(now, pair->there_at),
        .tried = pair->tried,
        .tried_age = since(now, pair->tried_at),
        .err = pair->err,
        .waits = pair->wish == GR_WISH_WAITS,
    };
}

void gr_repair_look_partition(const struct gr_node *node, uint32_t partition, struct gr_instant now,
    struct gr_repair_partition *ret)
{
    gr_assert(partition < node->ring->partitions && is_held(node, partition));
    const struct gr_partition *p = &node->partition[partition];
    const struct gr_repair_note *note = &repair_of(node)->note[partition];
    *ret = (struct gr_repair_partition){
        .state = note->state,
        .read = p->leaf != NULL,
        .waits = note->wanted,
        .count = p->count,
        .sum = p->sum,
        .clock_hash = gr_clock_hash(&p->clock),
        .clock_rows = p->clock.count,
        .damage = gr_repair_look_damage(node, partition),
    };
    for (uint32_t i = 0; i < node->ring->n; i++) {
        uint16_t peer = gr_ring_owners(node->ring, partition)[i];
        if (peer != node->config.self)
            ret->pair[ret->pair_count++] =
                look_at_pair(&repair_of(node)->pair[partition * node->ring->n + i], peer, now);
    }
}
