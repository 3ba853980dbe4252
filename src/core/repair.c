// Repair: what is known of each replica, and what an operator asked for (§4.7).
//
// A foreman keeps a board with one row for each wall and one column for each gang that builds it
// too. Whoever has compared two walls chalks up what was seen, and when. The board decides nothing:
// rounds and exchanges go on as they do. But an operator may put a mark on it, "look at this one
// now", and the next free hand takes the mark first.
//
//   G1  A pair is WHOLE only if clocks were compared and showed it, or a complete exchange joined
//       them; a loss makes it BEHIND at once. What was never compared is UNKNOWN, not whole.
//   G2  A partition is WHOLE if it was read in this run, is not damaged, and has what every other
//       owner had; BEHIND if it is damaged or lacks something of somebody's.
//   G3  What was asked for is done with the same exchanges and passes as everything else, one at a
//       time and each admitted by the throttle.
//   G4  An exchange that was asked for ends: it joins, or fails after TRIES tries, or at once when
//       there is no link or the store takes no writes.
//   G5  A partition counts as read again only by a walk that began after it was asked for.
//
//   asked, scrub -> wanted --read--> waits --an exchange joined--> done
//   asked, run --------------------> waits --TRIES, or no link---> failed
//
// Owns: a row per partition and owner. Bounds: those.
#include "core/repair.h"

#include "core/entropy.h"

enum { TRIES = 5, AGAIN_MS = 1000, LOOK_MS = 100 };

static const char *const state_name[] = {
    [GR_REPAIR_UNKNOWN] = "unknown", [GR_REPAIR_BEHIND] = "behind", [GR_REPAIR_WHOLE] = "whole"};

const char *gr_repair_state_name(enum gr_repair_state state)
{
    gr_assert((unsigned)state < GR_COUNT(state_name));
    return state_name[state];
}

static struct gr_repair *repair_of(struct gr_node *node)
{
    return &node->entropy->repair;
}

// The pair of a partition held here and one of its other owners, or NULL.
static struct gr_pair *pair_of(struct gr_node *node, uint32_t partition, uint16_t peer)
{
    int at = gr_ring_position(node->ring, partition, peer);
    bool held = gr_ring_position(node->ring, partition, node->config.self) >= 0;
    if (!held || at < 0 || peer == node->config.self)
        return NULL;
    return &repair_of(node)->pair[partition * node->ring->n + (uint32_t)at];
}

// ---- what is known ---------------------------------------------------------------------------

// G2.
static enum gr_repair_state state_of(struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    const struct gr_pair *pair = &repair_of(node)->pair[partition * node->ring->n];
    if (!gr_holder_has(node, partition))
        return GR_REPAIR_UNKNOWN;
    bool lacks = !p->held && gr_holder_owns(node, partition); // it is still being brought (§4.9)
    bool whole = p->leaf != NULL, behind = p->damage != NULL || lacks;
    for (uint32_t i = 0; i < node->ring->n; i++) {
        if (gr_ring_owners(node->ring, partition)[i] == node->config.self)
            continue;
        whole &= pair[i].here == GR_REPAIR_WHOLE;
        behind |= pair[i].here == GR_REPAIR_BEHIND;
    }
    return behind ? GR_REPAIR_BEHIND : whole ? GR_REPAIR_WHOLE : GR_REPAIR_UNKNOWN;
}

void gr_repair_judge(struct gr_node *node, uint32_t partition)
{
    struct gr_repair *repair = repair_of(node);
    struct gr_repair_note *note = &repair->note[partition];
    enum gr_repair_state was = note->state, is = state_of(node, partition);
    if (is == was)
        return;
    note->state = (uint8_t)is;
    repair->whole += (is == GR_REPAIR_WHOLE);
    repair->whole -= (was == GR_REPAIR_WHOLE);
    if (is == GR_REPAIR_BEHIND && repair->behind++ == 0) {
        repair->behind_since = node->now;
        for (uint32_t i = 0; i < GR_PACE_KINDS; i++)
            repair->behind_total[i] = repair->pace.total[i];
    }
    repair->behind -= (was == GR_REPAIR_BEHIND);
    if (was == GR_REPAIR_BEHIND)
        gr_pace_add(&repair->pace, node->now, GR_PACE_MENDED, 1);
}

// WHOLE is as old as the last look, BEHIND as old as the first.
static void chalk(uint8_t *state, struct gr_instant *at, bool whole, struct gr_instant now)
{
    enum gr_repair_state is = whole ? GR_REPAIR_WHOLE : GR_REPAIR_BEHIND;
    if (whole || *state != is)
        *at = now;
    *state = (uint8_t)is;
}

void gr_repair_here(
    struct gr_node *node, uint32_t partition, uint16_t peer, bool whole, uint64_t hash_of_peer)
{
    struct gr_pair *pair = pair_of(node, partition, peer);
    if (pair == NULL)
        return;
    chalk(&pair->here, &pair->here_at, whole, node->now);
    pair->met = node->now;
    pair->lacked = hash_of_peer;
    gr_repair_judge(node, partition);
}

void gr_repair_there(struct gr_node *node, uint32_t partition, uint16_t peer, bool whole)
{
    struct gr_pair *pair = pair_of(node, partition, peer);
    if (pair != NULL)
        chalk(&pair->there, &pair->there_at, whole, node->now);
}

void gr_repair_equal(struct gr_node *node, uint32_t partition, uint16_t peer)
{
    gr_repair_there(node, partition, peer, true);
    gr_repair_here(node, partition, peer, true, 0);
}

void gr_repair_differs(
    struct gr_node *node, uint32_t partition, uint16_t peer, uint64_t hash_of_peer)
{
    const struct gr_pair *pair = pair_of(node, partition, peer);
    // Who has seen nothing, as a new disk, need not be told who lacks what. Else writes may be on
    // their way, either way.
    if (pair != NULL && pair->here == GR_REPAIR_UNKNOWN &&
        node->partition[partition].clock.count == 0)
        gr_repair_here(node, partition, peer, false, hash_of_peer);
}

void gr_repair_joined(
    struct gr_node *node, uint32_t partition, uint16_t peer, struct gr_instant since)
{
    gr_repair_here(node, partition, peer, true, 0);
    struct gr_pair *joined = pair_of(node, partition, peer);
    if (joined != NULL)
        joined->met = since;
    // A third one that showed the very clock that this is now was caught up with too: if it begins
    // an exchange of its own, there is nothing to say in it.
    for (uint32_t i = 0; i < node->ring->n; i++) {
        uint16_t other = gr_ring_owners(node->ring, partition)[i];
        const struct gr_pair *pair = pair_of(node, partition, other);
        if (pair != NULL && pair->here == GR_REPAIR_BEHIND &&
            pair->lacked == gr_round_hash(node, partition))
            gr_repair_equal(node, partition, other);
    }
}

struct gr_wall gr_repair_met(struct gr_node *node)
{
    int64_t oldest = node->now.ns;
    for (uint32_t p = 0; p < node->ring->partitions && oldest >= 0; p++)
        for (uint32_t i = 0; i < node->ring->n; i++) {
            const struct gr_pair *pair = pair_of(node, p, gr_ring_owners(node->ring, p)[i]);
            if (pair != NULL)
                oldest = pair->here == GR_REPAIR_WHOLE ? GR_MIN(oldest, pair->met.ns) : -1;
        }
    int64_t ago_ms = (node->now.ns - oldest) / 1000000;
    return (struct gr_wall){oldest < 0 ? 0 : GR_MAX(node->wall.ms - ago_ms, 0)};
}

void gr_repair_damaged(struct gr_node *node, uint32_t partition, const char *how)
{
    struct gr_repair *repair = repair_of(node);
    struct gr_repair_note *note = &repair->note[partition];
    for (uint32_t i = 0; i < node->ring->n; i++) {
        struct gr_pair *pair = pair_of(node, partition, gr_ring_owners(node->ring, partition)[i]);
        if (pair == NULL)
            continue;
        chalk(&pair->here, &pair->here_at, false, node->now);
        pair->lacked = 0;
    }
    note->before |= how == NULL;
    if (how != NULL) {
        bool again = note->how != NULL && note->job == repair->job;
        repair->job_found += !again;
        *note = (struct gr_repair_note){.how = how,
            .at = node->wall,
            .job = repair->job,
            .state = note->state,
            .wanted = note->wanted,
            .before = note->before};
    }
    gr_repair_judge(node, partition);
}

void gr_repair_count(struct gr_node *node, const struct gr_message *message, bool out)
{
    if (message->type != GR_MSG_OFFER && message->type != GR_MSG_TAKEN)
        return;
    uint64_t bytes = gr_record_value_bytes(&message->record), siblings = 0;
    for (uint32_t i = 0; i < message->record.count; i++)
        siblings += !message->record.sibling[i].bare;
    // An answer counts if it brings something.
    if (message->type == GR_MSG_TAKEN && siblings == 0)
        return;
    if (message->type == GR_MSG_OFFER)
        bytes += message->key.key.size;
    struct gr_pace *pace = &repair_of(node)->pace;
    gr_pace_add(pace, node->now, out ? GR_REPAIR_KEYS_OUT : GR_REPAIR_KEYS_IN, 1);
    gr_pace_add(pace, node->now, out ? GR_REPAIR_BYTES_OUT : GR_REPAIR_BYTES_IN, bytes);
}

void gr_repair_on_ring(struct gr_node *node, const struct gr_ring *before)
{
    struct gr_repair *repair = repair_of(node);
    const struct gr_ring *ring = node->ring;
    uint32_t pairs = ring->partitions * ring->n;
    struct gr_pair *old = repair->pair;
    repair->pair = gr_hook_memory(NULL, pairs * sizeof *repair->pair);
    for (uint32_t i = 0; i < pairs; i++) {
        uint16_t member = ring->owner[i];
        int at = gr_ring_position(before, i / ring->n, member);
        bool owned = gr_holder_owns(node, i / ring->n);
        repair->pair[i] = (struct gr_pair){.here = GR_REPAIR_UNKNOWN};
        if (at < 0 || !owned)
            continue;
        struct gr_pair *was = &old[i / ring->n * before->n + (uint32_t)at];
        repair->pair[i] = *was;
        was->wish = GR_WISH_NONE;
    }
    // What was asked for with one that is no owner any more has failed.
    for (uint32_t i = 0; i < ring->partitions * before->n; i++) {
        repair->waiting -= old[i].wish == GR_WISH_WAITS;
        repair->job_failed += old[i].wish == GR_WISH_WAITS;
    }
    gr_hook_memory(old, 0);
    repair->at = 0;
    for (uint32_t p = 0; p < ring->partitions; p++)
        gr_repair_judge(node, p);
}

// ---- what was asked for ----------------------------------------------------------------------

enum gr_err gr_repair_refusal(const struct gr_node *node, uint32_t partition)
{
    if (node->config.exchange_interval.ns == 0)
        return GR_ERR_INVALID;
    if (partition != GR_REPAIR_ALL && partition >= node->ring->partitions)
        return GR_ERR_NOT_FOUND;
    if (partition != GR_REPAIR_ALL &&
        gr_ring_position(node->ring, partition, node->config.self) < 0)
        return GR_ERR_NOT_OWNER;
    return node->store;
}

bool gr_repair_wants_read(const struct gr_node *node, uint32_t partition)
{
    return node->entropy->repair.note[partition].wanted;
}

static void begin_job(struct gr_node *node)
{
    struct gr_repair *repair = repair_of(node);
    for (uint32_t i = 0; i < node->ring->partitions * node->ring->n; i++)
        repair->pair[i].wish = GR_WISH_NONE;
    repair->job++;
    repair->job_since = node->now;
    repair->job_keys =
        repair->pace.total[GR_REPAIR_KEYS_IN] + repair->pace.total[GR_REPAIR_KEYS_OUT];
    repair->job_rounds = repair->job_joined = repair->job_failed = 0;
    repair->job_reads = repair->job_read = repair->job_found = 0;
}

static void end_job(struct gr_node *node)
{
    struct gr_repair *repair = repair_of(node);
    if (repair->waiting > 0 || repair->reading > 0)
        return;
    repair->job_ended = node->now;
    repair->job_keys = repair->pace.total[GR_REPAIR_KEYS_IN] +
                       repair->pace.total[GR_REPAIR_KEYS_OUT] - repair->job_keys;
}

static void wish_for_rounds(struct gr_node *node, uint32_t partition)
{
    struct gr_repair *repair = repair_of(node);
    for (uint32_t i = 0; i < node->ring->n; i++) {
        struct gr_pair *pair = pair_of(node, partition, gr_ring_owners(node->ring, partition)[i]);
        if (pair == NULL)
            continue;
        repair->job_rounds += pair->wish != GR_WISH_WAITS;
        repair->waiting += pair->wish != GR_WISH_WAITS;
        pair->wish = GR_WISH_WAITS;
        pair->tries = TRIES;
    }
}

// The next free hand looks at what waits, and a round that only waits makes room.
static void call_for_rounds(struct gr_node *node)
{
    struct gr_timer *timer = &repair_of(node)->timer;
    gr_timer_set(&node->timers, timer, gr_instant_after(node->now, gr_span_ms(LOOK_MS)));
    gr_round_asked(node);
}

void gr_repair_on_ask(struct gr_node *node, const struct gr_repair_ask *ask)
{
    struct gr_repair *repair = repair_of(node);
    if (gr_repair_refusal(node, ask->partition) != GR_OK)
        return;
    repair->asks++;
    if (repair->waiting == 0 && repair->reading == 0)
        begin_job(node);
    bool all = ask->partition == GR_REPAIR_ALL;
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        struct gr_repair_note *note = &repair->note[p];
        if ((!all && p != ask->partition) || gr_ring_position(node->ring, p, node->config.self) < 0)
            continue;
        if (ask->verb == GR_REPAIR_RUN) {
            wish_for_rounds(node, p);
            continue;
        }
        repair->job_reads += !note->wanted;
        repair->reading += !note->wanted;
        note->wanted = true;
    }
    if (ask->verb == GR_REPAIR_SCRUB)
        gr_pass_asked(node);
    else
        call_for_rounds(node);
    end_job(node); // with one replica there is nobody to compare with
}

void gr_repair_read(struct gr_node *node, uint32_t partition)
{
    struct gr_repair *repair = repair_of(node);
    if (!repair->note[partition].wanted)
        return;
    repair->note[partition].wanted = false;
    repair->reading--;
    repair->job_read++;
    wish_for_rounds(node, partition);
    call_for_rounds(node);
    end_job(node);
}

static void end_wish(struct gr_node *node, struct gr_pair *pair, bool joined)
{
    struct gr_repair *repair = repair_of(node);
    gr_assert(repair->waiting > 0);
    pair->wish = joined ? GR_WISH_DONE : GR_WISH_FAILED;
    repair->waiting--;
    repair->job_joined += joined;
    repair->job_failed += !joined;
    end_job(node);
}

// G4. What may still be had has a try less.
static void fail(struct gr_node *node, struct gr_pair *pair, enum gr_err err)
{
    pair->err = err;
    pair->tried = true;
    pair->tried_at = node->now;
    bool last = --pair->tries == 0 || err == GR_ERR_UNREACHABLE || node->store != GR_OK;
    if (last)
        end_wish(node, pair, false);
}

void gr_repair_ended(struct gr_node *node, uint16_t peer, uint32_t partition, enum gr_err err)
{
    struct gr_pair *pair = pair_of(node, partition, peer);
    if (pair == NULL)
        return;
    if (err == GR_OK)
        gr_repair_there(node, partition, peer, true);
    if (err != GR_OK && pair->wish == GR_WISH_WAITS) {
        fail(node, pair, err);
        return;
    }
    pair->err = err;
    pair->tried = true;
    pair->tried_at = node->now;
    if (pair->wish == GR_WISH_WAITS)
        end_wish(node, pair, true);
}

bool gr_repair_next(struct gr_node *node, uint16_t *ret_peer, uint32_t *ret_partition)
{
    struct gr_repair *repair = repair_of(node);
    uint32_t all = node->ring->partitions * node->ring->n;
    for (uint32_t i = 0; i < all && repair->waiting > 0; i++) {
        repair->at = (repair->at + 1) % all;
        struct gr_pair *pair = &repair->pair[repair->at];
        uint32_t partition = repair->at / node->ring->n;
        uint16_t peer = gr_ring_owners(node->ring, partition)[repair->at % node->ring->n];
        if (pair->wish != GR_WISH_WAITS)
            continue;
        if (!node->peer[peer].up || node->store != GR_OK) {
            fail(node, pair, node->store != GR_OK ? node->store : GR_ERR_UNREACHABLE);
            continue;
        }
        struct gr_instant again = gr_instant_after(pair->tried_at, gr_span_ms(AGAIN_MS));
        bool rests = pair->tries < TRIES && !gr_instant_reached(node->now, again);
        if (rests || !gr_entropy_ready(node, partition))
            continue;
        *ret_peer = peer;
        *ret_partition = partition;
        return true;
    }
    return false;
}

void gr_repair_timer(struct gr_node *node)
{
    struct gr_repair *repair = repair_of(node);
    uint16_t peer;
    uint32_t partition, at = repair->at;
    if (gr_repair_next(node, &peer, &partition)) {
        repair->at = at;
        call_for_rounds(node);
    } else if (repair->waiting > 0) {
        gr_timer_set(
            &node->timers, &repair->timer, gr_instant_after(node->now, gr_span_ms(LOOK_MS)));
    }
}

// ---- beginning and end -----------------------------------------------------------------------

void gr_repair_init(struct gr_node *node)
{
    struct gr_repair *repair = repair_of(node);
    uint32_t pairs = node->ring->partitions * node->ring->n;
    *repair = (struct gr_repair){.timer.kind = GR_TIMER_REPAIR};
    repair->pair = gr_hook_memory(NULL, pairs * sizeof *repair->pair);
    repair->note = gr_hook_memory(NULL, node->ring->partitions * sizeof *repair->note);
    for (uint32_t i = 0; i < pairs; i++)
        repair->pair[i] = (struct gr_pair){.here = GR_REPAIR_UNKNOWN};
    for (uint32_t p = 0; p < node->ring->partitions; p++)
        repair->note[p] = (struct gr_repair_note){.how = NULL};
}

void gr_repair_deinit(struct gr_node *node)
{
    gr_timer_stop(&node->timers, &repair_of(node)->timer);
    gr_hook_memory(repair_of(node)->pair, 0);
    gr_hook_memory(repair_of(node)->note, 0);
}
