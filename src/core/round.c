// Rounds: which peer is looked at next, and which partitions need more than a look (§4.7).
//
// Most of the time replicas are equal, and the cheapest proof of it is one number: a hash over the
// clocks of all partitions that two nodes share. Where it differs, writes are usually on their way,
// so the difference is given time; then the peer is asked whether its clock has seen what ours had
// seen when we looked. Only where it has not, an exchange begins. Each node asks in its own
// direction: what the peer has and we have not is the peer's to ask.
//
//   O1  A probe that finds equal clocks costs a few dozen bytes each way, and nothing else.
//   O2  A partition that was not passed over in this run, or is damaged, covers nothing (A1, B1).
//   O3  One round at a time, one exchange at a time in it; any number of peers' are answered.
//   O4  What is wanted before its turn (transfers, what an operator asks for) and what is found
//       behind take turns: neither may wait for the other to end.
//
//   rest -timer-> PROBE -PROBED-> grace -timer-> COVER -COVERED-> ... -> work: exchanges -> rest
//     ^------- equal ------'                        '-- all covered --> rest
//     '-timer, scrub due-> work: one exchange whatever the clocks say -> rest
//
// Source: §4.7; DESIGN.md §6. Owns: clock copies of PARTITIONS_MAX partitions. Bounds: those,
// COPIES_BYTES_MAX bytes of them, COVER_MAX in one message.
#include "core/entropy.h"

#include "base/hash.h"

enum { PARTITIONS_MAX = 1024, COPIES_BYTES_MAX = 8 << 20, COVER_MAX = 64 };

static void next(struct gr_node *node);

bool gr_entropy_ready(const struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    return p->leaf != NULL && gr_holder_has(node, partition);
}

// ---- hashes --------------------------------------------------------------------------------

// Equal only if the clocks are; a damaged partition's is equal to nobody's.
uint64_t gr_round_hash(struct gr_node *node, uint32_t partition)
{
    struct gr_partition *p = &node->partition[partition];
    if (!p->hashed) {
        p->clock_hash = gr_clock_hash(&p->clock);
        if (p->damage != NULL)
            p->clock_hash += node->ring->member[node->config.self].id;
        p->hashed = true;
    }
    return p->clock_hash;
}

// The hashes of all partitions that both have, in order, in scratch memory.
static uint32_t shared_hashes(
    struct gr_node *node, uint16_t peer, uint64_t **ret_hash, uint16_t **ret_partition)
{
    uint64_t *hash = gr_arena_array(&node->scratch, uint64_t, node->ring->partitions);
    uint16_t *partition = gr_arena_array(&node->scratch, uint16_t, node->ring->partitions);
    uint32_t count = 0;
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        if (!gr_holder_shares(node, peer, p))
            continue;
        partition[count] = (uint16_t)p;
        hash[count++] = gr_round_hash(node, p);
    }
    *ret_hash = hash;
    *ret_partition = partition;
    return count;
}

// ---- the round -----------------------------------------------------------------------------

static void forget(struct gr_round *round)
{
    for (uint32_t i = 0; i < round->count; i++)
        gr_clock_deinit(&round->clock[i]);
    gr_hook_memory(round->clock, 0);
    gr_hook_memory(round->partition, 0);
    round->clock = NULL;
    round->partition = NULL;
    round->count = round->at = round->kept = round->asked = 0;
}

// Peers that share a partition with this node are looked at in turn, each once an interval.
static uint32_t peers_up(const struct gr_node *node)
{
    uint32_t up = 0;
    for (uint16_t m = 0; m < node->ring->member_count; m++)
        up += m != node->config.self && node->peer[m].up;
    return up;
}

static void rest(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    forget(round);
    round->state = GR_ROUND_REST;
    round->scrub = false;
    struct gr_instant at = round->probe_at;
    if (round->scrub_at.ns < at.ns && node->store == GR_OK)
        at = round->scrub_at;
    at.ns = GR_MAX(at.ns, node->now.ns);
    gr_timer_set(&node->timers, &round->timer, at);
}

static void wait(struct gr_node *node, enum gr_round_state state, struct gr_span span)
{
    struct gr_round *round = &node->entropy->round;
    round->state = state;
    gr_timer_set(&node->timers, &round->timer, gr_instant_after(node->now, span));
}

static void plan_probe(struct gr_node *node)
{
    int64_t ns = node->config.exchange_interval.ns / GR_MAX((int64_t)peers_up(node), 1);
    // Nodes that start together do not ask together.
    ns = ns / 2 + (int64_t)gr_random_below(&node->random, (uint64_t)ns + 1);
    node->entropy->round.probe_at = gr_instant_after(node->now, (struct gr_span){ns});
}

static void probe(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    plan_probe(node);
    for (uint16_t i = 0; i < node->ring->member_count; i++) {
        round->probed = (uint16_t)((round->probed + 1) % node->ring->member_count);
        round->peer = round->probed; // whomever the slow round looks at in between
        if (round->peer == node->config.self || !node->peer[round->peer].up)
            continue;
        uint64_t *hash;
        uint16_t *partition;
        uint32_t count = shared_hashes(node, round->peer, &hash, &partition);
        if (count == 0)
            continue;
        struct gr_message message = {
            .type = GR_MSG_PROBE,
            .id = round->id = gr_node_id(node),
            .hash = gr_hash64(gr_bytes(hash, count * sizeof *hash), 0),
        };
        (void)gr_node_send(node, round->peer, &message);
        wait(node, GR_ROUND_PROBE, node->config.write_timeout);
        return;
    }
    rest(node);
}

// The slow round: the next partition held here with the next of its owners.
static void scrub(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    uint32_t all = node->ring->partitions * node->ring->n;
    int64_t pairs = GR_MAX((int64_t)node->stats.partitions * (node->ring->n - 1), 1);
    round->scrub_at = gr_instant_after(
        node->now, (struct gr_span){GR_MAX(node->config.scrub_interval.ns / pairs, 1000000)});
    for (uint32_t i = 0; i < all; i++) {
        uint32_t at = round->scrubbed++ % all;
        uint32_t partition = at / node->ring->n;
        uint16_t peer = gr_ring_owners(node->ring, partition)[at % node->ring->n];
        if (peer == node->config.self || !node->peer[peer].up || !gr_entropy_ready(node, partition))
            continue;
        round->peer = peer;
        round->scrub = true;
        round->state = GR_ROUND_WORK;
        gr_exchange_start(node, peer, partition);
        return;
    }
    rest(node);
}

// Asks about the next partitions, or goes on to those that are behind.
static void cover(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    round->asked = GR_MIN(round->count - round->at, (uint32_t)COVER_MAX);
    if (round->asked == 0) {
        if (round->kept == 0 && round->count > 0)
            gr_probe(&node->probes, GR_PROBE_COVER_ALL);
        node->stats.behind = round->kept;
        round->state = GR_ROUND_WORK;
        round->at = 0;
        next(node);
        return;
    }
    struct gr_message message = {
        .type = GR_MSG_COVER,
        .id = round->id,
        .partition_list = round->partition + round->at,
        .partition_count = round->asked,
        .clock_list = round->clock + round->at,
        .clock_count = round->asked,
    };
    (void)gr_node_send(node, round->peer, &message);
    wait(node, GR_ROUND_COVER, node->config.write_timeout);
}

// WORK: an exchange that an operator asked for, or a wait until there may be one. False: none can
// begin now.
static bool begin_asked(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    uint16_t peer;
    uint32_t partition;
    if (!gr_leave_next(node, &peer, &partition) && !gr_transfer_next(node, &peer, &partition) &&
        !gr_repair_next(node, &peer, &partition))
        return false;
    round->state = GR_ROUND_WORK;
    if (!gr_node_background(node, 1)) {
        gr_timer_set(&node->timers, &round->timer, gr_node_background_at(node, 1));
        return true;
    }
    gr_timer_stop(&node->timers, &round->timer);
    round->asked_for = round->asked_last = true;
    gr_exchange_start(node, peer, partition);
    return true;
}

// WORK: the next partition that is behind.
static void next(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    bool behind = round->at < round->kept && node->peer[round->peer].up;
    if ((!behind || !round->asked_last) && begin_asked(node))
        return;
    round->asked_last = false;
    if (round->at == round->kept || !node->peer[round->peer].up) {
        rest(node);
        return;
    }
    gr_timer_stop(&node->timers, &round->timer);
    gr_exchange_start(node, round->peer, round->partition[round->at++]);
}

void gr_round_on_exchange(struct gr_node *node, bool joined)
{
    struct gr_round *round = &node->entropy->round;
    gr_assert(round->state == GR_ROUND_WORK);
    if (joined && !round->scrub && !round->asked_for && node->stats.behind > 0)
        node->stats.behind--;
    round->asked_for = false;
    // The timer goes on, not this call: an exchange that is refused ends within the call that
    // began it.
    if (round->scrub)
        rest(node);
    else
        wait(node, GR_ROUND_WORK, (struct gr_span){0});
}

void gr_round_timer(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    switch (round->state) {
    case GR_ROUND_REST:
        if (round->asked_last && gr_instant_reached(node->now, round->probe_at)) {
            round->asked_last = false;
            probe(node);
            break;
        }
        if (begin_asked(node))
            break;
        if (gr_instant_reached(node->now, round->scrub_at) && node->store == GR_OK)
            scrub(node);
        else if (gr_instant_reached(node->now, round->probe_at))
            probe(node);
        else
            rest(node);
        break;
    case GR_ROUND_GRACE:
        cover(node);
        break;
    case GR_ROUND_WORK:
        next(node);
        break;
    case GR_ROUND_PROBE:
    case GR_ROUND_COVER:
        rest(node); // no answer: the next round asks again
        break;
    }
}

void gr_round_soon(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    if (node->config.exchange_interval.ns == 0)
        return;
    round->probe_at = node->now;
    if (round->state == GR_ROUND_REST)
        gr_timer_set(&node->timers, &round->timer, node->now);
}

void gr_round_wake(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    if (round->state == GR_ROUND_REST)
        gr_timer_set(&node->timers, &round->timer, node->now);
}

void gr_round_asked(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    // What waits for an answer or for the grace makes room: the next round finds it again.
    if (round->state != GR_ROUND_REST && round->state != GR_ROUND_WORK) {
        round->probe_at = node->now;
        rest(node);
    }
    gr_round_wake(node);
}

void gr_round_on_link_down(struct gr_node *node, uint16_t peer)
{
    const struct gr_round *round = &node->entropy->round;
    // In WORK the exchange ends by itself.
    if (round->peer == peer && round->state != GR_ROUND_REST && round->state != GR_ROUND_WORK)
        rest(node);
}

void gr_round_on_ring(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    gr_leave_on_ring(node);
    if (round->state != GR_ROUND_REST && round->state != GR_ROUND_WORK)
        rest(node);
}

static size_t bytes_of(const struct gr_clock *clock)
{
    size_t bytes = clock->count * sizeof *clock->row;
    for (uint32_t i = 0; i < clock->count; i++)
        bytes += clock->row[i].interval_count * sizeof *clock->row[i].interval;
    return bytes;
}

// Of the partitions shared here, those that the peer named with another hash move to the front.
// What it did not name it does not share: it goes by another ring, or by what others told it.
static uint32_t take_hashes(struct gr_node *node, const struct gr_message *message, uint64_t *hash,
    uint16_t *partition, uint32_t count)
{
    uint32_t kept = 0, at = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (at < message->partition_count && message->partition_list[at] < partition[i])
            at++;
        if (at == message->partition_count || message->partition_list[at] != partition[i])
            continue;
        uint64_t theirs = message->hash_list[at];
        if (theirs == hash[i]) {
            gr_repair_equal(node, partition[i], node->entropy->round.peer);
            continue;
        }
        gr_repair_differs(node, partition[i], node->entropy->round.peer, theirs);
        partition[kept++] = partition[i];
    }
    return kept;
}

// The peer's hashes: copies the clocks of the partitions that differ, as they are now.
static void on_probed(struct gr_node *node, const struct gr_message *message)
{
    struct gr_round *round = &node->entropy->round;
    uint64_t *hash;
    uint16_t *partition;
    uint32_t count = shared_hashes(node, round->peer, &hash, &partition);
    if (message->hash_count == 0)
        gr_probe(&node->probes, GR_PROBE_PROBE_EQUAL);
    for (uint32_t i = 0; i < count && message->hash_count == 0; i++)
        gr_repair_equal(node, partition[i], round->peer);
    if (message->hash_count == 0) {
        node->stats.behind = 0;
        rest(node);
        return;
    }
    count = take_hashes(node, message, hash, partition, count);
    uint32_t max = GR_MIN(count, (uint32_t)PARTITIONS_MAX);
    round->partition = gr_hook_memory(NULL, max * sizeof *round->partition);
    round->clock = gr_hook_memory(NULL, max * sizeof *round->clock);
    size_t bytes = 0;
    // Not always from the first on: with more differences than fit, all get their turn.
    uint32_t from = count > 0 ? (uint32_t)gr_random_below(&node->random, count) : 0;
    for (uint32_t i = 0; i < count && round->count < max && bytes < COPIES_BYTES_MAX; i++) {
        uint32_t at = (from + i) % count;
        if (!gr_entropy_ready(node, partition[at]))
            continue;
        round->partition[round->count] = partition[at];
        round->clock[round->count] = gr_clock_copy(&node->partition[partition[at]].clock);
        bytes += bytes_of(&round->clock[round->count++]);
    }
    if (round->count == 0)
        rest(node);
    else
        wait(node, GR_ROUND_GRACE, node->config.exchange_grace);
}

// Of the partitions asked about, those that the peer names are behind: they move to the front.
static void on_covered(struct gr_node *node, const struct gr_message *message)
{
    struct gr_round *round = &node->entropy->round;
    for (uint32_t i = 0; i < round->asked; i++, round->at++) {
        bool behind = false;
        for (uint32_t k = 0; k < message->partition_count && !behind; k++)
            behind = message->partition_list[k] == round->partition[round->at];
        gr_repair_there(node, round->partition[round->at], round->peer, !behind);
        // What is owed is asked of everyone who has not given it, whoever is behind.
        if (behind || gr_damage_wants(node, round->partition[round->at], round->peer))
            round->partition[round->kept++] = round->partition[round->at];
    }
    cover(node);
}

// ---- the side that is asked ------------------------------------------------------------------

static void answer_probe(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    uint64_t *hash;
    uint16_t *partition;
    uint32_t count = shared_hashes(node, peer, &hash, &partition);
    bool equal = gr_hash64(gr_bytes(hash, count * sizeof *hash), 0) == message->hash;
    for (uint32_t i = 0; i < count && equal; i++)
        gr_repair_equal(node, partition[i], peer);
    struct gr_message probed = {
        .type = GR_MSG_PROBED,
        .id = message->id,
        .partition_list = partition,
        .partition_count = equal ? 0 : count,
        .hash_list = hash,
        .hash_count = equal ? 0 : count,
    };
    (void)gr_node_send(node, peer, &probed);
}

// What this node has seen of it, it has for good, and it answers for it (leave.c, LV3).
static bool answers_for(const struct gr_node *node, uint32_t partition)
{
    return gr_holder_owns(node, partition) && node->partition[partition].held &&
           node->partition[partition].damage == NULL && node->store == GR_OK;
}

void gr_round_covered(struct gr_node *node, const struct gr_keyop *op)
{
    uint16_t partition = (uint16_t)op->index;
    struct gr_message covered = {.type = GR_MSG_COVERED,
        .id = op->peer_call,
        .partition_list = &partition,
        .partition_count = answers_for(node, partition) ? 0 : 1};
    (void)gr_node_send(node, op->peer, &covered);
}

// What covers one partition is said once it is durable.
static void answer_durably(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_COVERED, &(struct gr_key){.slot = 0}, 0);
    if (op == NULL)
        return; // it is asked again
    node->memory += op->arena.bytes;
    op->peer = peer;
    op->peer_call = message->id;
    op->index = message->partition_list[0];
    op->durable = true;
    op->write_number = node->writes;
    gr_keyop_wait(node, op);
}

static void answer_cover(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    uint16_t *behind = gr_arena_array(&node->scratch, uint16_t, message->partition_count);
    uint32_t count = 0;
    bool one = message->partition_count == 1; // for good only one at a time is answered
    for (uint32_t i = 0; i < message->partition_count; i++) {
        uint16_t p = message->partition_list[i];
        bool covers = p < node->ring->partitions && i < message->clock_count &&
                      gr_entropy_ready(node, p) &&
                      (!message->durable || (one && answers_for(node, p))) &&
                      gr_clock_includes(&node->partition[p].clock, &message->clock_list[i]);
        if (!covers)
            behind[count++] = p;
        if (p < node->ring->partitions && i < message->clock_count && gr_entropy_ready(node, p))
            gr_repair_here(node, p, peer, covers, gr_clock_hash(&message->clock_list[i]));
    }
    if (message->durable && one && count == 0) {
        answer_durably(node, peer, message);
        return;
    }
    struct gr_message covered = {
        .type = GR_MSG_COVERED,
        .id = message->id,
        .partition_list = behind,
        .partition_count = count,
    };
    (void)gr_node_send(node, peer, &covered);
}

void gr_round_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    const struct gr_round *round = &node->entropy->round;
    bool mine = peer == round->peer && message->id == round->id;
    if (message->type == GR_MSG_PROBE)
        answer_probe(node, peer, message);
    else if (message->type == GR_MSG_COVER)
        answer_cover(node, peer, message);
    else if (message->type == GR_MSG_PROBED && mine && round->state == GR_ROUND_PROBE)
        on_probed(node, message);
    else if (message->type == GR_MSG_COVERED && gr_leave_on_covered(node, peer, message))
        return;
    else if (message->type == GR_MSG_COVERED && mine && round->state == GR_ROUND_COVER)
        on_covered(node, message);
}

// ---- beginning and end ---------------------------------------------------------------------

void gr_round_init(struct gr_node *node)
{
    struct gr_round *round = &node->entropy->round;
    round->timer.kind = GR_TIMER_ROUND;
    if (node->config.exchange_interval.ns == 0)
        return;
    // `now` is not known yet: the first step fires the timer, which sets itself.
    plan_probe(node);
    round->scrub_at = gr_instant_after(node->now, node->config.scrub_interval);
    round->scrubbed =
        (uint32_t)gr_random_below(&node->random, node->ring->partitions * node->ring->n);
    rest(node);
}

void gr_entropy_init(struct gr_node *node)
{
    struct gr_entropy *entropy = node->entropy = gr_hook_memory(NULL, sizeof *entropy);
    *entropy = (struct gr_entropy){
        .exchange = {.timer.kind = GR_TIMER_EXCHANGE}, .offers_timer.kind = GR_TIMER_OFFERS};
    entropy->transfer.timer.kind = GR_TIMER_TRANSFER;
    entropy->leave.timer.kind = GR_TIMER_LEAVE;
    entropy->drop.timer.kind = GR_TIMER_DROP;
    gr_serve_members(node, 0, node->member_capacity);
    gr_repair_init(node);
    gr_pass_init(node);
    gr_round_init(node);
    bool skipped = node->config.canary == GR_CANARY_PASS_SKIPPED;
    for (uint32_t p = 0; (skipped || node->config.blank) && p < node->ring->partitions; p++) {
        if (!skipped && !gr_holder_owns(node, p))
            continue;
        size_t size = gr_merkle_leaves(node->ring) * sizeof(struct gr_sum);
        node->partition[p].leaf = gr_hook_memory(NULL, size);
        for (uint32_t i = 0; i < gr_merkle_leaves(node->ring); i++)
            node->partition[p].leaf[i] = (struct gr_sum){0};
    }
    gr_holder_count(node);
}
