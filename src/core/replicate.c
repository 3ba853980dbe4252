// Getting a write to W nodes: its owners, or whoever stands in for one that does not answer (§4.6).
//
// Picture N seats, one per position of the preference list. Each seat's owner is asked at once; an
// owner that cannot be reached, says no, or is slower than its own p99 gets a substitute: the next
// healthy node of the walk around the ring, which keeps the write as a hint. Whoever of a seat's
// people answers first casts its vote. Nobody waits for a dead node's timeout.
//
//   S1  A seat has one vote, and each node votes for at most one seat (Q1).
//   S2  A substitute's vote is never an owner's: it counts toward W and DW, never toward PW.
//   S3  A seat says NO only when everyone who was asked for it certainly stored nothing.
//   S4  This node's own seat gets no substitute: its vote is certain to come, or the store has
//       failed.
//   S5  Substitutes are asked in the order of the walk, which is the same on every node, so that
//       gets look for hints where puts leave them.
//
//   seat: owner asked --ack--> voted
//           | refused, unreachable, link down, hedge delay over
//         substitute asked --ack--> voted        (the owner's late ack still adds "primary")
//           | the same                 \--nobody left--> waits for those asked, then NO or MUTE
//
// Owns: nothing; the put's arena holds key, value and context until no seat is open. Bounds:
// GR_ASKED_MAX nodes are asked for one put.
#include "core/inside.h"

// The owners and this node itself count as asked; the rest are substitutes.
static struct gr_asked *find_asked(struct gr_put *put, uint16_t member)
{
    for (int i = 0; i < put->asked_count; i++)
        if (put->asked[i].member == member)
            return &put->asked[i];
    return NULL;
}

static bool is_voted(const struct gr_put *put, uint8_t position)
{
    return put->quorum.vote[position] != GR_VOTE_NONE;
}

static bool is_waiting(const struct gr_put *put, uint8_t position)
{
    for (int i = 0; i < put->asked_count; i++)
        if (put->asked[i].position == position && !put->asked[i].answered)
            return true;
    return false;
}

// Sends the write to one node for one seat; false if it certainly did not leave.
static bool ask(struct gr_node *node, struct gr_put *put, uint16_t member, uint8_t position)
{
    uint16_t owner = put->list.member[position];
    bool buffered = node->config.durability == GR_DURABILITY_BUFFERED;
    struct gr_message message = {
        .type = GR_MSG_DELTA,
        .id = put->call.id,
        .deadline_ms = gr_node_remaining_ms(node, put->call.deadline),
        .key = put->key,
        .record = put->delta,
        .dot = put->dot,
        // The seat of the coordinator is the one of the N that is synced first, whoever answers.
        .durable = put->write.dw > 0 || (buffered && position == put->own),
        .owed_to = owner == member ? 0 : (uint32_t)owner + 1,
    };
    if (put->asked_count == GR_ASKED_MAX || !gr_node_send(node, member, &message))
        return false;
    put->seat[position].asked = put->asked_count;
    put->seat[position].asked_at = node->now;
    put->asked[put->asked_count++] = (struct gr_asked){.member = member, .position = position};
    return true;
}

// Asks the next healthy node of the walk to stand in. When nobody is left, and nobody who was asked
// may still answer, the seat says so (S3).
static void stand_in(struct gr_node *node, struct gr_put *put, uint8_t position)
{
    gr_assert(position != put->own);
    struct gr_seat *seat = &put->seat[position];
    while (!seat->closed && !put->released) {
        int next = gr_node_next_fallback(node, put->partition, put->fallback, false);
        if (next < 0 || put->asked_count == GR_ASKED_MAX) {
            seat->closed = true;
            break;
        }
        put->fallback = next;
        if (ask(node, put, (uint16_t)next, position)) {
            gr_probe(&node->probes, GR_PROBE_PUT_SUBSTITUTE);
            return;
        }
    }
    if (is_voted(put, position) || is_waiting(put, position))
        return;
    (void)gr_quorum_vote(
        &put->quorum, position, seat->doubtful ? GR_VOTE_MUTE : GR_VOTE_NO, !seat->doubtful, false);
}

bool gr_replicate_open(const struct gr_put *put)
{
    if (put->state != GR_PUT_REPLICATING || put->released)
        return false;
    for (uint8_t i = 0; i < put->quorum.n; i++)
        if (!is_voted(put, i) && !put->seat[i].closed && i != put->own)
            return true;
    return false;
}

static void set_timer(struct gr_node *node, struct gr_put *put)
{
    struct gr_instant at = put->call.deadline;
    for (uint8_t i = 0; i < put->quorum.n; i++) {
        const struct gr_seat *seat = &put->seat[i];
        if (is_voted(put, i) || i == put->own || seat->closed || put->released || seat->asked < 0)
            continue;
        struct gr_span hedge = node->peer[put->asked[seat->asked].member].hedge;
        struct gr_instant due = gr_instant_after(seat->asked_at, hedge);
        if (due.ns < at.ns)
            at = due;
    }
    gr_timer_set(&node->timers, &put->call.timer, at);
}

void gr_replicate_start(struct gr_node *node, struct gr_put *put, uint8_t own,
    const struct gr_dot *dot, const struct gr_record *delta)
{
    put->state = GR_PUT_REPLICATING;
    put->own = own;
    put->dot = *dot;
    put->delta = gr_record_borrow(&put->call.arena, delta);
    put->context = put->delta.context;
    put->fallback = -1;
    put->sent_at = node->now;
    const uint16_t *owner = put->list.member;
    for (uint8_t i = 0; i < put->list.n; i++)
        put->seat[i] = (struct gr_seat){.asked = -1};
    for (uint8_t i = 0; i < put->list.n; i++)
        if (owner[i] != node->config.self && !ask(node, put, owner[i], i) && i != own)
            stand_in(node, put, i);
    gr_call_account(node, &put->call);
    set_timer(node, put);
}

void gr_replicate_on_ack(
    struct gr_node *node, struct gr_put *put, uint16_t peer, const struct gr_message *message)
{
    struct gr_asked *asked = find_asked(put, peer);
    if (asked == NULL || put->state != GR_PUT_REPLICATING)
        return;
    uint8_t position = asked->position;
    bool primary = put->list.member[position] == peer;
    if (!asked->answered)
        gr_peer_sample(&node->peer[peer], (struct gr_span){node->now.ns - put->sent_at.ns});
    asked->answered = true;
    if (message->status == GR_OK) {
        bool stood_in = put->quorum.vote[position] == GR_VOTE_YES;
        if (gr_quorum_vote(&put->quorum, position, GR_VOTE_YES, primary, message->durable) &&
            stood_in && primary)
            gr_probe(&node->probes, GR_PROBE_PUT_OWNER_AFTER_ALL);
    } else if (!is_voted(put, position) && position != put->own) {
        stand_in(node, put, position);
    }
    gr_put_count_votes(node, put);
}

void gr_replicate_on_link_down(struct gr_node *node, struct gr_put *put, uint16_t peer)
{
    struct gr_asked *asked = find_asked(put, peer);
    if (asked != NULL && !asked->answered) {
        // What was sent may have arrived, and its acknowledgement may not come.
        asked->answered = true;
        put->seat[asked->position].doubtful = true;
        if (!is_voted(put, asked->position) && asked->position != put->own)
            stand_in(node, put, asked->position);
    }
    gr_put_count_votes(node, put);
}

void gr_replicate_timer(struct gr_node *node, struct gr_put *put)
{
    for (uint8_t i = 0; i < put->quorum.n; i++) {
        struct gr_seat *seat = &put->seat[i];
        if (is_voted(put, i) || i == put->own || seat->closed || seat->asked < 0)
            continue;
        struct gr_span hedge = node->peer[put->asked[seat->asked].member].hedge;
        if (gr_instant_reached(node->now, gr_instant_after(seat->asked_at, hedge)))
            stand_in(node, put, i);
    }
    set_timer(node, put);
    // When the walk has ended everywhere, nobody needs the value of an answered put any more.
    gr_put_count_votes(node, put);
}
