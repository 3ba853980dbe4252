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
//   S6  An owner that does not hold the partition yet is sent every write, beside the one who votes
//       in its place; its answer counts only where that one does not answer, as a substitute's.
//   S7  Of what is sent at first, another site gets one copy: the first of its voters that is up
//       passes it on to the others, who acknowledge to this node. Whoever has not after its hedge
//       delay is sent it from here, and only then may somebody stand in. A newcomer (S6), and the
//       voter of this node's own seat, are sent it from here at first; so is each whose link cannot
//       say that (L3 of peer.c), or that of the one who would pass it on to him.
//   S8  A seat that nobody is left to stand in for has no vote (S1), and its owner is remembered:
//       one who stands in for another seat is asked to keep a hint for it too. Nobody waits for the
//       answer; if it is not kept, an exchange brings the write. A site that is cut off from all
//       others has more owners to remember than nodes to spare.
//
//   seat: owner asked --ack--> voted
//           | passed on by another (S7), hedge delay over: asked from here
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

// The owner of the seat, who does not hold yet: another votes.
static bool is_newcomer(const struct gr_put *put, const struct gr_asked *asked)
{
    const struct gr_preference *list = &put->list;
    return asked->member == list->member[asked->position] &&
           asked->member != list->voter[asked->position];
}

// Sends the write to one node for one seat, who is to pass it on to those of the list; false if it
// certainly did not leave.
static bool send_delta(struct gr_node *node, struct gr_put *put, uint16_t member, uint8_t position,
    const uint64_t *relay, uint32_t relay_count)
{
    uint16_t owner = put->list.member[position];
    bool of_list = member == owner || member == put->list.voter[position];
    bool commit = node->config.durability == GR_DURABILITY_COMMIT; // A4 of durability.c
    bool buffered = node->config.durability == GR_DURABILITY_BUFFERED;
    struct gr_message message = {
        .type = GR_MSG_DELTA,
        .id = put->call.id,
        .deadline_ms = gr_node_remaining_ms(node, put->call.deadline),
        .key = put->key,
        .record = put->delta,
        .dot = put->dot,
        // The seat of the coordinator is the one of the N that is synced first, whoever answers.
        .durable = put->write.dw > 0 || commit || (buffered && position == put->own),
        .owed_to = of_list ? 0 : node->ring->member[owner].id,
        .relay_list = relay,
        .relay_count = relay_count,
    };
    return gr_node_send(node, member, &message);
}

static void note_asked(
    struct gr_node *node, struct gr_put *put, uint16_t member, uint8_t position, uint16_t via)
{
    put->seat[position].asked = put->asked_count;
    put->seat[position].asked_at = node->now;
    put->asked[put->asked_count++] =
        (struct gr_asked){.member = member, .via = via, .position = position};
}

static bool ask(struct gr_node *node, struct gr_put *put, uint16_t member, uint8_t position)
{
    if (put->asked_count == GR_ASKED_MAX || find_asked(put, member) != NULL ||
        !send_delta(node, put, member, position, NULL, 0))
        return false;
    note_asked(node, put, member, position, member);
    return true;
}

// ---- other sites ---------------------------------------------------------------------------

// The voter of the seat may be given the write by that one of its own, other, site (S7).
static bool may_relay(struct gr_node *node, struct gr_put *put, uint16_t relay, uint8_t position)
{
    uint16_t voter = put->list.voter[position];
    if (position == put->own || voter != put->list.member[position] || voter == node->config.self ||
        !gr_node_peer_up(node, voter) || find_asked(put, voter) != NULL ||
        !gr_ring_same_site(node->ring, voter, relay) ||
        gr_ring_same_site(node->ring, voter, node->config.self))
        return false;
    // Of the relay itself it was asked first; what both understand here they do between them.
    bool heard = gr_peer_hears(&node->peer[voter], GR_SAYS_RELAY);
    if (!heard && relay != voter)
        gr_probe(&node->probes, GR_PROBE_PUT_NOT_RELAYED);
    return heard;
}

// Asks the voter of the seat, and through it those of later seats that are at its site. False: it
// certainly did not leave.
static bool ask_voters(struct gr_node *node, struct gr_put *put, uint8_t first)
{
    uint16_t relay = put->list.voter[first];
    uint64_t *passed = gr_arena_array(&node->scratch, uint64_t, put->list.n);
    uint32_t count = 0;
    uint8_t seat[GR_REPLICAS_MAX];
    for (uint8_t i = first + 1; i < put->list.n && may_relay(node, put, relay, first); i++) {
        if (!may_relay(node, put, relay, i))
            continue;
        seat[count] = i;
        passed[count++] = node->ring->member[put->list.voter[i]].id;
    }
    if (!send_delta(node, put, relay, first, passed, count))
        return false;
    note_asked(node, put, relay, first, relay);
    for (uint32_t i = 0; i < count; i++)
        note_asked(node, put, put->list.voter[seat[i]], seat[i], relay);
    if (count > 0)
        gr_probe(&node->probes, GR_PROBE_PUT_RELAYED);
    return true;
}

// Whoever was to pass the write on has not, or not in time: it is sent from here. False: it was
// before, or cannot be.
static bool bypass(struct gr_node *node, struct gr_put *put, uint8_t position)
{
    struct gr_seat *seat = &put->seat[position];
    struct gr_asked *asked = &put->asked[seat->asked];
    bool relayed = asked->via != asked->member && !asked->answered && !put->released;
    asked->via = asked->member;
    seat->doubtful |= relayed; // what was passed on may still come, whatever it says to this one
    if (!relayed || node->config.canary == GR_CANARY_RELAY_NOT_BYPASSED ||
        !send_delta(node, put, asked->member, position, NULL, 0))
        return false;
    gr_probe(&node->probes, GR_PROBE_PUT_RELAY_BYPASSED);
    seat->asked_at = node->now;
    return true;
}

// Canary relay-acks-for-all: one of a site speaks for those that it passed the write on to.
static void ack_for_all(struct gr_node *node, struct gr_put *put, uint16_t relay, bool durable)
{
    for (int i = 0; i < put->asked_count; i++)
        if (put->asked[i].via == relay && put->asked[i].member != relay &&
            node->config.canary == GR_CANARY_RELAY_ACKS_FOR_ALL)
            (void)gr_quorum_vote(
                &put->quorum, put->asked[i].position, GR_VOTE_YES, GR_VOTER_OWNER, durable);
}

// ---- standing in ---------------------------------------------------------------------------

// S6: the seat's owner, who was sent the write from the beginning, is the first that may stand in.
// False: it has not been asked, or said no.
static bool on_newcomer(struct gr_node *node, struct gr_put *put, uint8_t position)
{
    struct gr_seat *seat = &put->seat[position];
    for (int i = 0; i < put->asked_count; i++) {
        const struct gr_asked *asked = &put->asked[i];
        if (asked->position != position || !is_newcomer(put, asked) ||
            (asked->answered && !seat->newcomer))
            continue;
        gr_probe(&node->probes, GR_PROBE_PUT_NEWCOMER);
        if (seat->newcomer)
            (void)gr_quorum_vote(&put->quorum, position, GR_VOTE_YES,
                gr_site_voter(node, &put->list, position, asked->member), seat->newcomer_durable);
        else
            seat->asked = i; // it is given as long as anybody
        return true;
    }
    return false;
}

static void on_newcomer_ack(struct gr_node *node, struct gr_put *put, const struct gr_asked *asked,
    const struct gr_message *ack)
{
    uint8_t position = asked->position;
    struct gr_seat *seat = &put->seat[position];
    if (ack->status != GR_OK)
        return;
    seat->newcomer = true;
    seat->newcomer_durable |= ack->durable;
    if (seat->late)
        (void)gr_quorum_vote(&put->quorum, position, GR_VOTE_YES,
            gr_site_voter(node, &put->list, position, asked->member), ack->durable);
}

// S8. The first that stands in for another seat: of this node's site if there is one, for who is
// cut off may not be known yet.
static void keep_too(struct gr_node *node, struct gr_put *put, uint8_t position)
{
    const struct gr_asked *keeper = NULL;
    uint16_t own = put->list.member[put->own];
    if (own != node->config.self && put->list.voter[put->own] != node->config.self)
        return; // this node stands in itself, and keeps a hint for every owner (hint.c)
    if (node->config.canary == GR_CANARY_UNKEPT)
        return;
    for (int i = 0; i < put->asked_count; i++) {
        const struct gr_asked *asked = &put->asked[i];
        uint8_t seat = asked->position;
        bool stands_in = seat != position && asked->member != put->list.member[seat] &&
                         asked->member != put->list.voter[seat];
        bool near = gr_ring_same_site(node->ring, asked->member, node->config.self);
        if (stands_in && gr_node_peer_up(node, asked->member) && (keeper == NULL || near))
            keeper = asked;
        if (keeper == asked && near)
            break;
    }
    if (keeper == NULL)
        return;
    struct gr_message message = {
        .type = GR_MSG_DELTA,
        .id = gr_node_id(node), // no call's: the acknowledgement is not waited for
        .deadline_ms = gr_node_remaining_ms(node, put->call.deadline),
        .key = put->key,
        .record = put->delta,
        .dot = put->dot,
        .owed_to = node->ring->member[put->list.member[position]].id,
    };
    if (gr_node_send(node, keeper->member, &message))
        gr_probe(&node->probes, GR_PROBE_PUT_KEPT_TOO);
}

// Asks the next healthy node of the walk to stand in. When nobody is left, and nobody who was asked
// may still answer, the seat says so (S3).
static void stand_in(struct gr_node *node, struct gr_put *put, uint8_t position)
{
    gr_assert(position != put->own);
    struct gr_seat *seat = &put->seat[position];
    bool first = !seat->late;
    seat->late = true;
    if (first && on_newcomer(node, put, position))
        return;
    while (!seat->closed && !put->released) {
        int next = gr_site_next_fallback(
            node, put->partition, put->list.voter[position], &seat->walk, false);
        if (next < 0 || put->asked_count == GR_ASKED_MAX) {
            seat->closed = true;
            keep_too(node, put, position);
            break;
        }
        if (ask(node, put, (uint16_t)next, position)) {
            gr_probe(&node->probes, GR_PROBE_PUT_SUBSTITUTE);
            return;
        }
    }
    if (is_voted(put, position) || is_waiting(put, position))
        return;
    (void)gr_quorum_vote(
        &put->quorum, position, seat->doubtful ? GR_VOTE_MUTE : GR_VOTE_NO, GR_VOTER_AWAY, false);
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

// When another way is tried for the seat.
static struct gr_instant due_at(
    const struct gr_node *node, const struct gr_put *put, const struct gr_seat *seat)
{
    uint16_t member = put->asked[seat->asked].member;
    return gr_hedge_at(
        node, member, GR_ASK_WRITE, seat->asked_at, put->call.deadline, !put->answered);
}

static void set_timer(struct gr_node *node, struct gr_put *put)
{
    struct gr_instant at = put->call.deadline;
    for (uint8_t i = 0; i < put->quorum.n; i++) {
        const struct gr_seat *seat = &put->seat[i];
        if (is_voted(put, i) || i == put->own || seat->closed || put->released || seat->asked < 0)
            continue;
        struct gr_instant due = due_at(node, put, seat);
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
    put->sent_at = node->now;
    const uint16_t *owner = put->list.member, *voter = put->list.voter;
    bool both = node->config.canary != GR_CANARY_WRITE_NEW_ONLY;
    for (uint8_t i = 0; i < put->list.n; i++)
        put->seat[i] = (struct gr_seat){.asked = -1};
    for (uint8_t i = 0; i < put->list.n; i++) {
        if (owner[i] != voter[i] && owner[i] != node->config.self)
            (void)ask(node, put, owner[i], i);
        if (!both && owner[i] != voter[i])
            put->list.voter[i] = owner[i];
        if (voter[i] != node->config.self && find_asked(put, voter[i]) == NULL &&
            !ask_voters(node, put, i) && i != own)
            stand_in(node, put, i);
    }
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
    enum gr_voter by = gr_site_voter(node, &put->list, position, peer);
    bool first = !asked->answered; // of what was passed on to it and of what was sent to it
    if (first)
        gr_peer_answered(node, peer, GR_ASK_WRITE, put->sent_at);
    asked->answered = true;
    if (is_newcomer(put, asked)) {
        on_newcomer_ack(node, put, asked, message);
    } else if (message->status == GR_OK) {
        bool stood_in = put->quorum.vote[position] == GR_VOTE_YES;
        if (gr_quorum_vote(&put->quorum, position, GR_VOTE_YES, by, message->durable) && stood_in &&
            by == GR_VOTER_OWNER)
            gr_probe(&node->probes, GR_PROBE_PUT_OWNER_AFTER_ALL);
        ack_for_all(node, put, peer, message->durable);
    } else if (first && !is_voted(put, position) && position != put->own) {
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
        bool waits = is_newcomer(put, asked) && !put->seat[asked->position].late;
        if (!is_voted(put, asked->position) && asked->position != put->own && !waits)
            stand_in(node, put, asked->position);
    }
    for (int i = 0; i < put->asked_count; i++) {
        const struct gr_asked *behind = &put->asked[i];
        if (behind->via == peer && behind->member != peer && !behind->answered &&
            !is_voted(put, behind->position) && !bypass(node, put, behind->position))
            stand_in(node, put, behind->position);
    }
    gr_put_count_votes(node, put);
}

void gr_replicate_timer(struct gr_node *node, struct gr_put *put)
{
    for (uint8_t i = 0; i < put->quorum.n; i++) {
        struct gr_seat *seat = &put->seat[i];
        if (is_voted(put, i) || i == put->own || seat->closed || seat->asked < 0)
            continue;
        if (!gr_instant_reached(node->now, due_at(node, put, seat)))
            continue;
        if (!put->answered)
            gr_hedge_spend(node);
        if (!bypass(node, put, i))
            stand_in(node, put, i);
    }
    set_timer(node, put);
    // When the walk has ended everywhere, nobody needs the value of an answered put any more.
    gr_put_count_votes(node, put);
}
