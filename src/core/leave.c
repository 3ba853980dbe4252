// Leaving: how one who does not own a partition any more lets it go (§4.9).
//
// Nobody burns his copy of a ledger because he was told that others have one. He waits until each
// of those who are to have it says so, writes nothing more into his own, reads out to each of them
// all that he has ever ticked off, and only when every one has answered "all of that is in my
// ledger, and in the safe", he takes his name off the door, and then burns it.
//
//   LV1 (1) Each of the N owners says that it holds the partition.
//   LV2 (2) From then on this node refuses writes of it; who sends them goes to the owners.
//   LV3 (3) Each of the N, asked in one go and over links that did not break since, says that its
//       clock covers the whole clock of this node, durably, and that it holds it and owes nothing.
//       An owner who cannot be asked that, because the link does not know the question (L3 of
//       peer.c), has not said it, whatever it says to any other: this node keeps all until it can.
//   LV4 (4) The flag goes in one batch with the clock, and is told once that is durable; (5) only
//       then do the records go (drop.c). The counter of dots stays.
//   LV5 Whoever does not cover is given what it lacks, by an exchange, and all are asked again.
//
//   former holder -LV1-> asks all N -all cover-> drop.c
//                          ^  '- one lacks -> exchange -'
//
// Source: §4.9; DESIGN.md §7. Owns: one clock copy. Bounds: one partition at a time.
#include "core/entropy.h"

enum { LOOK_MS = 200 };

static struct gr_leave *leave_of(struct gr_node *node)
{
    return &node->entropy->leave;
}

static void look_in(struct gr_node *node, int64_t ms)
{
    gr_timer_set(
        &node->timers, &leave_of(node)->timer, gr_instant_after(node->now, gr_span_ms(ms)));
}

void gr_leave_soon(struct gr_node *node)
{
    if (!leave_of(node)->asking)
        look_in(node, 0);
}

// It is here, and is not this node's any more.
static bool is_former(const struct gr_node *node, uint32_t partition)
{
    return gr_holder_has(node, partition) && !gr_holder_owns(node, partition);
}

// LV1.
static bool all_hold(const struct gr_node *node, uint32_t partition)
{
    for (uint8_t i = 0; i < node->ring->n; i++)
        if (!gr_holder_says(node, gr_ring_owners(node->ring, partition)[i], partition))
            return false;
    return true;
}

// LV3.
static bool all_hear(struct gr_node *node, uint32_t partition)
{
    for (uint8_t i = 0; i < node->ring->n; i++) {
        const struct gr_peer *peer = &node->peer[gr_ring_owners(node->ring, partition)[i]];
        if (!gr_peer_hears(peer, GR_SAYS_HOLDS)) {
            if (peer->up)
                gr_probe(&node->probes, GR_PROBE_LEAVE_UNSPOKEN);
            return false;
        }
    }
    return true;
}

static void forget(struct gr_leave *leave)
{
    gr_clock_deinit(&leave->clock);
    leave->asking = false;
}

// LV3.
static void ask(struct gr_node *node, uint32_t partition)
{
    struct gr_leave *leave = leave_of(node);
    leave->asking = true;
    leave->at = leave->partition = partition;
    leave->id = gr_node_id(node);
    leave->said = 0;
    leave->clock = gr_clock_copy(&node->partition[partition].clock);
    uint16_t list = (uint16_t)partition;
    for (uint8_t i = 0; i < node->ring->n; i++) {
        struct gr_message message = {
            .type = GR_MSG_COVER,
            .id = leave->id,
            .durable = true,
            .partition_list = &list,
            .partition_count = 1,
            .clock_list = &leave->clock,
            .clock_count = 1,
        };
        (void)gr_node_send(node, gr_ring_owners(node->ring, partition)[i], &message);
    }
    gr_timer_set(
        &node->timers, &leave->timer, gr_instant_after(node->now, node->config.write_timeout));
}

// LV2, and what may leave next; -1 if nothing may. *ret_some: something is to leave sooner or
// later.
static int choose(struct gr_node *node, bool *ret_some)
{
    uint32_t partitions = node->ring->partitions;
    const struct gr_exchange *x = &node->entropy->exchange;
    int next = -1;
    *ret_some = false;
    for (uint32_t i = 1; i <= partitions; i++) {
        uint32_t at = (leave_of(node)->at + i) % partitions;
        struct gr_partition *p = &node->partition[at];
        if (!is_former(node, at))
            continue;
        *ret_some = true;
        p->leaving = all_hold(node, at);
        bool gives = x->state != GR_EXCHANGE_IDLE && x->partition == at; // LV5
        if (next < 0 && p->leaving && p->leaf != NULL && p->damage == NULL && !gives &&
            all_hear(node, at))
            next = (int)at;
    }
    return next;
}

void gr_leave_timer(struct gr_node *node)
{
    struct gr_leave *leave = leave_of(node);
    bool some;
    if (leave->asking) // somebody has not answered
        forget(leave);
    int next = choose(node, &some);
    if (!some)
        return;
    look_in(node, LOOK_MS);
    if (next < 0 || node->store != GR_OK || leave->wishes)
        return;
    if (node->config.canary == GR_CANARY_DROP_UNCOVERED)
        gr_drop_begin(node, (uint32_t)next);
    else
        ask(node, (uint32_t)next);
}

// All have answered.
static void finish(struct gr_node *node)
{
    struct gr_leave *leave = leave_of(node);
    uint32_t partition = leave->partition;
    const struct gr_partition *p = &node->partition[partition];
    bool same = gr_clock_equal(&p->clock, &leave->clock);
    bool may = is_former(node, partition) && p->leaving && p->damage == NULL && same;
    forget(leave);
    if (may && node->store == GR_OK)
        gr_drop_begin(node, partition);
    look_in(node, 0);
}

bool gr_leave_on_covered(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_leave *leave = leave_of(node);
    if (!leave->asking || message->id != leave->id)
        return false;
    int position = gr_ring_position(node->ring, leave->partition, peer);
    if (position < 0)
        return true;
    if (message->partition_count > 0) { // LV5
        gr_probe(&node->probes, GR_PROBE_LEAVE_UNCOVERED);
        leave->wishes = true;
        leave->wish = peer;
        forget(leave);
        look_in(node, LOOK_MS);
        gr_round_wake(node);
        return true;
    }
    leave->said |= (uint8_t)(1u << position);
    if (leave->said == (1u << node->ring->n) - 1)
        finish(node);
    return true;
}

void gr_leave_on_link_down(struct gr_node *node, uint16_t peer)
{
    struct gr_leave *leave = leave_of(node);
    if (leave->wishes && leave->wish == peer)
        leave->wishes = false;
    if (!leave->asking || gr_ring_position(node->ring, leave->partition, peer) < 0)
        return;
    forget(leave);
    look_in(node, LOOK_MS);
}

void gr_leave_on_ring(struct gr_node *node)
{
    forget(leave_of(node));
    leave_of(node)->wishes = false;
}

bool gr_leave_next(struct gr_node *node, uint16_t *ret_peer, uint32_t *ret_partition)
{
    struct gr_leave *leave = leave_of(node);
    if (!leave->wishes || node->store != GR_OK)
        return false;
    leave->wishes = false;
    if (!node->peer[leave->wish].up || !gr_entropy_ready(node, leave->partition))
        return false;
    *ret_peer = leave->wish;
    *ret_partition = leave->partition;
    return true;
}

void gr_leave_deinit(struct gr_node *node)
{
    gr_timer_stop(&node->timers, &leave_of(node)->timer);
    forget(leave_of(node));
}
