// Transfer: how an owner comes to hold what the ring gives it (§4.9).
//
// Like taking over an office: the successor goes through everything with the predecessor, from the
// first page to the last, and only then puts up his name. What comes in meanwhile goes to both. If
// the predecessor is gone, all colleagues are asked what they know of the office; and if nobody
// ever held it, everybody must have said so.
//
// There is no machinery of its own: a transfer is a complete exchange (exchange.c), begun here, and
// so it has one source and one clock copy, resumes where trees are equal by now, and yields to
// requests. This file says with whom, and when that is enough.
//
//   T1  The flag is set only after a complete exchange with the one who votes for this position;
//       where nobody does, with every other one who holds the partition; where nobody held it,
//       after every member of the ring has said so in its present run (T5).
//   T2  It counts only if the other side said, when the exchange began, that it holds the partition
//       and lacks nothing itself (damage.c, B3).
//   T3  A hint that is kept here of a partition that this node owns is in its own store first: no
//       get asks an owner for hints.
//   T4  The flag is written after everything that it stands for, and told once it is durable.
//   T5  Of those who make a cluster together, one is the first to have heard all others, and holds
//       before a third has heard what it said before: news overtakes news. So with what it holds
//       each says in which ring it last held nothing. Who holds goes on holding until all owners do
//       (leave.c, LV3): whoever held nothing in this ring may since have come to hold only what was
//       nobody's, and this node has as good a right to it.
//
//   owner, not held -> exchange with its source -joined-> (T3) -> held -> told
//                        ^-- failed: again in AGAIN_MS --'
//
// Source: §4.9; DESIGN.md §7. Owns: p->given. Bounds: one exchange at a time, each admitted by the
// throttle.
#include "core/entropy.h"

enum { LOOK_MS = 200, AGAIN_MS = 1000 };

void gr_transfer_soon(struct gr_node *node)
{
    struct gr_transfer *transfer = &node->entropy->transfer;
    if (node->config.exchange_interval.ns == 0)
        return;
    gr_timer_set(&node->timers, &transfer->timer, node->now);
    gr_leave_soon(node);
}

// It is to be held here, and is not.
static bool is_wanted(const struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    return !p->held && !p->dropping && gr_holder_owns(node, partition);
}

static bool was_given(const struct gr_partition *p, uint16_t member)
{
    for (uint8_t i = 0; i < p->given_count; i++)
        if (p->given[i] == member)
            return true;
    return false;
}

// T1: a member that has yet to give, from `after` on (-1: from the first); -1 if there is none.
static int next_source(const struct gr_node *node, uint32_t partition, int after)
{
    const struct gr_partition *p = &node->partition[partition];
    struct gr_preference list = gr_holder_list(node, partition);
    int own = gr_preference_position(&list, node->config.self);
    bool any = node->config.canary == GR_CANARY_ANY_SOURCE;
    if ((list.held >> own & 1) && !any)
        return after < 0 && !was_given(p, list.voter[own]) ? list.voter[own] : -1;
    for (int m = after + 1; m < node->ring->member_count; m++) {
        if (m == node->config.self || !gr_holder_says(node, (uint16_t)m, partition))
            continue;
        if (any && p->given_count > 0)
            return -1;
        if (!was_given(p, (uint16_t)m))
            return m;
    }
    return -1;
}

bool gr_transfer_lacks(const struct gr_node *node, uint32_t partition)
{
    return is_wanted(node, partition) && next_source(node, partition, -1) >= 0;
}

bool gr_transfer_is_anothers(const struct gr_node *node, uint32_t partition, uint16_t peer)
{
    bool up = false;
    if (!is_wanted(node, partition))
        return false;
    for (int m = next_source(node, partition, -1); m >= 0; m = next_source(node, partition, m)) {
        if (m == peer)
            return false;
        up |= node->peer[m].up;
    }
    return up;
}

// T1, T5: every member has said, in the run that this node is linked to, that it does not hold it.
// Who stands outside the ring is only waited for if it holds.
static bool is_nobodys(const struct gr_node *node, uint32_t partition)
{
    bool given = node->config.canary == GR_CANARY_FOUND_GIVEN;
    for (uint16_t m = 0; m < node->ring->member_count; m++) {
        const struct gr_holding *holding = &node->holding[m];
        bool holds = gr_holder_says(node, m, partition);
        if (m == node->config.self || (node->ring->member[m].out && !holds))
            continue;
        if (!node->peer[m].up || holding->bits == NULL || holding->run != node->peer[m].run ||
            (holds && holding->bare_in != node->ring->version && !given))
            return false;
    }
    return true;
}

static bool may_hold(const struct gr_node *node, uint32_t partition)
{
    if (!gr_entropy_ready(node, partition) || node->partition[partition].damage != NULL ||
        node->store != GR_OK || gr_hint_own_pending(node)) // T3
        return false;
    bool given = gr_holder_any(node, partition) && next_source(node, partition, -1) < 0;
    return given || is_nobodys(node, partition);
}

// T4.
static void hold(struct gr_node *node, uint32_t partition)
{
    struct gr_partition *p = &node->partition[partition];
    gr_holder_hold(node, partition);
    p->given_count = 0;
    gr_probe(&node->probes, GR_PROBE_TRANSFER_HELD);
    gr_holder_write(node, partition, NULL, 0);
    gr_repair_judge(node, partition);
}

void gr_transfer_joined(struct gr_node *node, uint32_t partition, uint16_t peer, bool lacking)
{
    struct gr_partition *p = &node->partition[partition];
    if (!is_wanted(node, partition) || lacking || was_given(p, peer) ||
        p->given_count == GR_COUNT(p->given))
        return;
    p->given[p->given_count++] = peer; // T2
    gr_transfer_soon(node);
}

// The next exchange that can begin now.
static bool find_next(const struct gr_node *node, uint16_t *ret_peer, uint32_t *ret_partition)
{
    const struct gr_transfer *transfer = &node->entropy->transfer;
    uint32_t partitions = node->ring->partitions;
    if (node->store != GR_OK)
        return false;
    for (uint32_t i = 0; i < partitions; i++) {
        uint32_t at = (transfer->at + 1 + i) % partitions;
        const struct gr_partition *p = &node->partition[at];
        struct gr_instant again = gr_instant_after(p->tried_at, gr_span_ms(AGAIN_MS));
        if (!is_wanted(node, at) || !gr_entropy_ready(node, at) ||
            (p->tried_at.ns != 0 && !gr_instant_reached(node->now, again)))
            continue;
        int source = next_source(node, at, -1);
        while (source >= 0 && !node->peer[source].up)
            source = next_source(node, at, source);
        if (source < 0)
            continue;
        *ret_peer = (uint16_t)source;
        *ret_partition = at;
        return true;
    }
    return false;
}

bool gr_transfer_next(struct gr_node *node, uint16_t *ret_peer, uint32_t *ret_partition)
{
    if (!find_next(node, ret_peer, ret_partition))
        return false;
    node->entropy->transfer.at = *ret_partition;
    node->partition[*ret_partition].tried_at = node->now;
    return true;
}

struct gr_transfer_view gr_node_transfers(const struct gr_node *node)
{
    struct gr_transfer_view view = {0};
    const struct gr_ring *ring = node->ring;
    for (uint32_t p = 0; p < ring->partitions; p++) {
        bool owns = gr_holder_owns(node, p), had = false;
        for (uint8_t i = 0; ring->before != NULL && i < ring->before_n; i++)
            had |= ring->before[(size_t)p * ring->before_n + i] == node->config.self;
        view.wanted += is_wanted(node, p);
        view.gained += owns && !had && ring->before != NULL;
        view.leaving += !owns && gr_holder_has(node, p);
    }
    return view;
}

void gr_transfer_timer(struct gr_node *node)
{
    struct gr_transfer *transfer = &node->entropy->transfer;
    bool waits = false;
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        if (is_wanted(node, p) && may_hold(node, p))
            hold(node, p);
        waits |= is_wanted(node, p);
    }
    if (!waits)
        return;
    gr_timer_set(&node->timers, &transfer->timer, gr_instant_after(node->now, gr_span_ms(LOOK_MS)));
    uint16_t peer;
    uint32_t partition;
    if (find_next(node, &peer, &partition))
        gr_round_wake(node);
}
