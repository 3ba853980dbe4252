// One put, from the node where it landed to the last acknowledgement (§4.5, §4.6, §5).
//
// An owner of the key should coordinate: only an owner knows what a plain write replaces. So the
// node where a put lands either is an owner, or fixes what must not change (dot, request id, origin
// time, value, context) and hands it to one. The coordinator writes its own copy and sends the
// delta to the others in the same step, not waiting for its own disk; it answers when W have
// acknowledged. When no owner answers, the node stands in: it draws the dot itself, keeps the write
// as a hint for every owner, and says of its past only what the client saw.
//
//   U1  REJECTED is said only while nothing was written here and no node was asked that may have
//       written. From the first write or send on it is OK or INDETERMINATE.
//   U2  A forwarding node asks the next owner only if the one before certainly did not start. What
//       may have started is never run at another owner: it is written as a hint.
//   U3  The origin (time, request id) and the dot are fixed before the put is sent anywhere, so
//       however often it is run it is one write: whoever sees one run has seen them all. At an
//       owner its time exceeds that of everything the put replaces.
//   U4  A dot has one context, wherever it is shown. A plain put has two when its owner and a node
//       that stands in both run it: nothing, and whatever the owner held. So what the owner's run
//       replaces gets a dot of its own there, the seal: the put's dot says that its value came, the
//       seal that what it replaced is gone. A replica that got only the other run has not seen the
//       seal, and nobody takes what it still shows for something that he has lost.
//   U5  The client is told exactly once; acknowledgements that come later are reported apart.
//   U6  Limits are judged by the node where a put lands and by the one that coordinates it, before
//       anything is written; a replica takes whatever another has coordinated, and a touch keeps
//       the value that is there, whatever they are by now.
//
//            +-- FORWARDING --------- FORWARDED: done / next owner / time behind: again
//   start ---+      |         \------ deadline: INDETERMINATE
//            |      | hedge delay, link down, no owner to ask: stands in
//            +-- WAITING ------------ on_failed: next owner, or REJECTED; deadline: REJECTED
//                   | on_written (the delta leaves)
//                REPLICATING -------- W votes: OK; lost or deadline: INDETERMINATE
//                   |                 (then late: until all have voted, the deadline, or eviction)
//                 freed
//
// Owns: the call's arena holds copies of key, value and context. Bounds: calls_max, memory_max.
#include "core/inside.h"

enum { TIME_FIXES_MAX = 8 };

static void try_next_owner(struct gr_node *node, struct gr_put *put, enum gr_err why);

static struct gr_put *find(struct gr_node *node, uint64_t id)
{
    return gr_call_find(node, GR_CALL_PUT, id);
}

// ---- answering -----------------------------------------------------------------------------

// Acknowledgements as they count toward W.
static uint8_t reached(const struct gr_put *put, uint8_t acks)
{
    uint8_t counted = gr_need_reached(&put->need, gr_quorum_counted(&put->quorum));
    return gr_quorum_by_site(put->write.w) ? GR_MAX(put->reached, counted) : acks;
}

// Nodes that must be up for a write to be possible.
static uint8_t needed(const struct gr_write *write, const struct gr_need *need)
{
    return GR_MAX(GR_MAX(gr_need_total(need), write->pw), write->dw);
}

static void answer(struct gr_node *node, struct gr_put *put, enum gr_outcome outcome,
    enum gr_err err, uint8_t acks, bool settled)
{
    gr_assert(!put->answered && (outcome == GR_DONE) == (err == GR_OK));
    put->answered = true;
    put->acks_told = acks;
    put->durable_told = GR_MAX(put->durable, put->quorum.durable);
    if (outcome == GR_INDETERMINATE) {
        gr_probe(&node->probes, GR_PROBE_PUT_INDETERMINATE);
        node->stats.indeterminate++;
        if (node->config.canary == GR_CANARY_REJECT_LATE)
            outcome = GR_REJECTED;
    }
    if (outcome == GR_REJECTED) {
        gr_probe(&node->probes, GR_PROBE_PUT_REJECTED);
        node->stats.rejected++;
    }
    struct gr_result result = {
        .outcome = outcome,
        .err = err,
        .acks = acks,
        .primaries = GR_MAX(put->primaries, put->quorum.primary),
        .needed = gr_need_total(&put->need),
        .quorum = put->write.w,
        .reached = reached(put, acks),
        .durable = put->durable_told,
        .durable_needed = put->write.dw,
        .timeout = put->timeout,
        .written = outcome == GR_DONE,
        .record = {.context = put->context},
        .now = node->wall,
        .expires = put->write.expires,
        .hybrid_needed = put->time_needed,
    };
    gr_done_tell(node, &put->call.done, &result, settled);
}

// Answers and forgets the put: nothing more can come of it.
static void finish(struct gr_node *node, struct gr_put *put, enum gr_outcome outcome,
    enum gr_err err, uint8_t acks)
{
    if (outcome == GR_REJECTED && put->write.dot.counter != 0 && !put->forwarded)
        gr_spare_give_back(node, &put->key, &put->write.dot);
    answer(node, put, outcome, err, acks, true);
    gr_call_free(node, &put->call);
}

// Once it is answered and nobody else will be asked, only counts are still of interest: key, value
// and context are given back.
static void release(struct gr_node *node, struct gr_put *put)
{
    if (!put->answered || put->released || gr_replicate_open(put))
        return;
    gr_arena_deinit(&put->call.arena);
    gr_call_account(node, &put->call);
    put->released = true;
    put->key = (struct gr_key){.slot = 0};
    put->write.value = gr_bytes(NULL, 0);
    put->write.context = put->context = GR_CONTEXT_NOTHING;
    put->delta = GR_RECORD_NOTHING;
}

static void wait_late(struct gr_node *node, struct gr_put *put)
{
    release(node, put);
    gr_call_late(node, &put->call);
}

void gr_put_count_votes(struct gr_node *node, struct gr_put *put)
{
    const struct gr_quorum *quorum = &put->quorum;
    bool settled = gr_quorum_settled(quorum);
    bool met = gr_quorum_met(quorum);
    if (put->answered) {
        if (quorum->yes > put->acks_told || quorum->durable > put->durable_told) {
            gr_probe(&node->probes, GR_PROBE_PUT_LATE_ACK);
            put->acks_told = GR_MAX(put->acks_told, quorum->yes);
            put->durable_told = GR_MAX(put->durable_told, quorum->durable);
            gr_done_acked(node, &put->call.done, put->acks_told, put->durable_told, settled);
        }
        release(node, put);
    } else if (met || (gr_quorum_lost(quorum) && !put->forward_open)) {
        answer(node, put, met ? GR_DONE : GR_INDETERMINATE, met ? GR_OK : GR_ERR_WRITE_QUORUM,
            quorum->yes, settled);
        if (!settled)
            wait_late(node, put);
    }
    if (settled && put->answered)
        gr_call_free(node, &put->call);
}

// ---- coordinating --------------------------------------------------------------------------

static void coordinate(struct gr_node *node, struct gr_put *put)
{
    put->state = GR_PUT_WAITING;
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_PUT, &put->key, 0);
    enum gr_err err = GR_ERR_BUSY;
    if (op != NULL) {
        op->call = put->call.id;
        op->durable = put->write.dw > 0;
        err = gr_replica_submit(node, op); // may already have answered and freed the put
    }
    if (err != GR_OK)
        try_next_owner(node, put, err);
}

// The largest time among what the put replaces: all siblings that its context covers.
static gr_hybrid replaced_time(const struct gr_record *filled, const struct gr_context *context)
{
    gr_hybrid max = 0;
    for (uint32_t i = 0; i < filled->count; i++) {
        const struct gr_sibling *sibling = &filled->sibling[i];
        if (gr_context_covers(context, &sibling->dot))
            max = GR_MAX(max, GR_MAX(sibling->origin.time, sibling->touch));
    }
    return max;
}

static uint32_t siblings_kept(const struct gr_record *filled, const struct gr_context *context)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < filled->count; i++)
        kept += !gr_context_covers(context, &filled->sibling[i].dot);
    return kept;
}

enum gr_err gr_put_prepare(struct gr_node *node, uint64_t call, const struct gr_record *filled,
    struct gr_put_intent *ret_intent)
{
    struct gr_put *put = find(node, call);
    if (put == NULL)
        return GR_ERR_TIMEOUT; // it gave up while it waited for its turn: nothing was done
    struct gr_write *write = &put->write;
    // Run before by a node that stood in, and come here, or seen by a write that came here: what
    // came since must not look replaced by it.
    bool again = write->dot.counter != 0 &&
                 (gr_clock_has(&node->partition[put->partition].clock, &write->dot) ||
                     gr_context_covers(&filled->context, &write->dot));
    struct gr_context context = !write->plain ? write->context
                                : again       ? GR_CONTEXT_NOTHING
                                              : filled->context;
    if (!write->remove && siblings_kept(filled, &context) >= node->config.siblings_max) // U6
        return GR_ERR_LIMIT_SIBLINGS;
    gr_hybrid floor = replaced_time(filled, &context);
    gr_hybrid *time = write->touch != 0 ? &write->touch : &write->origin.time;
    if (*time <= floor) {
        gr_probe(&node->probes, GR_PROBE_PUT_TIME_BEHIND);
        if (put->forwarded) {
            put->time_needed = floor; // told to the forwarding node, which fixes it anew
            return GR_ERR_TIME_BEHIND;
        }
        *time = gr_node_hybrid(node, floor);
    }
    *ret_intent = (struct gr_put_intent){
        .sibling = {.origin = write->origin,
            .touch = write->touch,
            .expires = write->expires,
            .value = write->value},
        .context = context,
        .dot = write->dot,
        .sealed = write->plain && !write->remove && put->forwarded && !gr_context_empty(&context) &&
                  node->config.canary != GR_CANARY_UNSEALED,
        .id = write->id,
        .remove = write->remove,
    };
    return GR_OK;
}

void gr_put_on_written(
    struct gr_node *node, uint64_t call, const struct gr_dot *dot, const struct gr_record *delta)
{
    struct gr_put *put = find(node, call);
    gr_assert(put != NULL && put->state == GR_PUT_WAITING);
    int own = gr_preference_position(&put->list, node->config.self);
    gr_replicate_start(node, put, (uint8_t)own, dot, delta);
}

void gr_put_on_stored(struct gr_node *node, uint64_t call, bool durable)
{
    struct gr_put *put = find(node, call);
    if (put == NULL)
        return;
    enum gr_voter by = gr_site_voter(node, &put->list, put->own, node->config.self);
    (void)gr_quorum_vote(&put->quorum, put->own, GR_VOTE_YES, by, durable);
    gr_put_count_votes(node, put);
}

void gr_put_on_failed(struct gr_node *node, uint64_t call, enum gr_err err)
{
    struct gr_put *put = find(node, call);
    if (put != NULL)
        try_next_owner(node, put, err);
}

// ---- who is there ---------------------------------------------------------------------------

static uint8_t owners_up(struct gr_node *node, const struct gr_preference *list)
{
    uint8_t up = 0;
    for (uint8_t i = 0; i < list->n; i++)
        up += gr_node_peer_up(node, list->voter[i]);
    return up;
}

// This node owns the key, and may coordinate: it holds the partition. One that does not yet knows
// too little of what a put replaces: it hands it on, or stands in like any other.
static bool may_coordinate(const struct gr_node *node, const struct gr_preference *list)
{
    int position = gr_preference_position(list, node->config.self);
    return position >= 0 && (list->held >> position & 1) &&
           list->voter[position] == node->config.self;
}

// How many positions someone could vote for: with those who could stand in for the owners.
static uint8_t seats_up(
    struct gr_node *node, uint32_t partition, const struct gr_preference *list, uint8_t owners)
{
    uint8_t up = owners;
    int at = -1;
    for (uint8_t i = 0; i < list->n; i++) // an owner that does not hold yet votes for its voter
        up += !gr_node_peer_up(node, list->voter[i]) && gr_node_peer_up(node, list->member[i]);
    while (up < list->n && (at = gr_node_next_fallback(node, partition, at, true)) >= 0)
        up++;
    return up;
}

// Who of those a write asks for is there. How many: where W is by site, of as many as that asks
// for.
struct attendance {
    uint8_t up;
    bool enough; // for the write to be begun
};

static struct attendance look_round(struct gr_node *node, uint32_t partition,
    const struct gr_preference *list, const struct gr_write *write, const struct gr_need *need)
{
    uint8_t owners = owners_up(node, list), up = seats_up(node, partition, list, owners);
    bool enough = up >= needed(write, need) && owners >= write->pw;
    if (!gr_quorum_by_site(write->w))
        return (struct attendance){up, enough};
    uint8_t there = gr_site_up(node, partition, list, need);
    return (struct attendance){there, enough && there == gr_need_total(need)};
}

// ---- standing in ---------------------------------------------------------------------------

// The owner can be asked to run it: the link is up, and can say what W is (L3 of peer.c).
static bool may_run(const struct gr_node *node, const struct gr_put *put, uint16_t owner)
{
    uint8_t says = gr_quorum_by_site(put->write.w) ? GR_SAYS_SITES : 0;
    return gr_peer_hears(&node->peer[owner], says);
}

// The position that this node votes for when it stands in: of an owner that cannot be asked, one of
// its own site rather than another, or of the one that did not answer.
static uint8_t own_position(struct gr_node *node, const struct gr_put *put)
{
    int position = gr_preference_position(&put->list, node->config.self), down = -1;
    if (position >= 0) // an owner that does not hold yet
        return (uint8_t)position;
    for (uint8_t i = 0; i < put->list.n; i++) {
        uint16_t voter = put->list.voter[i];
        if (may_run(node, put, voter))
            continue;
        if (gr_ring_same_site(node->ring, voter, node->config.self))
            return i;
        down = down < 0 ? i : down;
    }
    if (down >= 0)
        return (uint8_t)down;
    int target = gr_preference_position(&put->list, put->target);
    return target >= 0 ? (uint8_t)target : 0;
}

// No owner coordinates: the write becomes a hint for each of them. `open`: an owner was asked and
// may still answer. Not GR_OK: nothing was written. The put may be gone afterwards.
static enum gr_err stand_in(struct gr_node *node, struct gr_put *put, bool open)
{
    if (put->forwarded || may_coordinate(node, &put->list))
        return GR_ERR_UNREACHABLE;
    put->forward_open = open;
    enum gr_err err = gr_hint_stand_in(node, put, own_position(node, put));
    if (err == GR_OK)
        gr_probe(&node->probes, GR_PROBE_PUT_STOOD_IN);
    else
        put->forward_open = false;
    return err;
}

// ---- forwarding ----------------------------------------------------------------------------

// When this node stands in for the owner that was handed the put, or the put ends.
static struct gr_instant late_at(const struct gr_node *node, const struct gr_put *put)
{
    struct gr_instant hedge =
        gr_hedge_at(node, put->target, GR_ASK_FORWARD, put->sent_at, put->call.deadline, true);
    return hedge.ns < put->call.deadline.ns ? hedge : put->call.deadline;
}

static void forward(struct gr_node *node, struct gr_put *put, uint16_t target)
{
    if (put->write.dot.counter == 0)
        put->write.dot = gr_spare_draw(node, put->partition); // U3
    struct gr_message message = {
        .type = GR_MSG_FORWARD,
        .id = put->call.id,
        .deadline_ms = gr_node_remaining_ms(node, put->call.deadline),
        .key = put->key,
        .write = put->write,
    };
    if (node->config.durability == GR_DURABILITY_COMMIT) // A4 of durability.c
        message.write.dw = GR_MAX(put->write.dw, gr_need_total(&put->need));
    put->state = GR_PUT_FORWARDING;
    put->target = target;
    put->sent_at = node->now;
    if (!gr_node_send(node, target, &message)) {
        try_next_owner(node, put, GR_ERR_UNREACHABLE);
        return;
    }
    gr_probe(&node->probes, GR_PROBE_PUT_FORWARDED);
    gr_timer_set(&node->timers, &put->call.timer, late_at(node, put));
}

// The owner that can be asked, was not asked yet, and answers fastest, of this node's site if there
// is one; -1 if there is none.
static int best_owner(struct gr_node *node, const struct gr_put *put)
{
    const uint16_t *owner = put->list.voter;
    int best = -1;
    for (int i = 0; i < put->list.n; i++) {
        if ((put->tried >> i & 1) || !(put->list.held >> i & 1) || owner[i] == node->config.self ||
            !may_run(node, put, owner[i]))
            continue;
        if (best < 0 || gr_site_nearer(node, GR_ASK_FORWARD, owner[i], owner[best]))
            best = i;
    }
    return best;
}

// Nobody coordinates, and nothing was written. This node stands in if enough others are up. An
// owner that is busy is there, so nobody stands in for it; one that cannot see W nodes is not where
// this node is, which can.
static void stand_in_or_reject(struct gr_node *node, struct gr_put *put, enum gr_err why)
{
    enum gr_err_class class = gr_err_info(why)->class;
    bool absent = why == GR_ERR_UNREACHABLE || why == GR_ERR_QUORUM || why == GR_ERR_NOT_OWNER ||
                  class == GR_CLASS_OURS || class == GR_CLASS_CORRUPTION;
    if (absent && !look_round(node, put->partition, &put->list, &put->write, &put->need).enough) {
        absent = false;
        why = GR_ERR_QUORUM;
    }
    enum gr_err err = absent ? stand_in(node, put, false) : why;
    if (err != GR_OK)
        finish(node, put, GR_REJECTED, err == GR_ERR_UNREACHABLE ? why : err, 0);
}

// U2: the one before certainly did nothing. What would only be refused again elsewhere ends here.
static void try_next_owner(struct gr_node *node, struct gr_put *put, enum gr_err why)
{
    gr_assert(put->state != GR_PUT_REPLICATING && !put->answered);
    bool hopeless = gr_err_info(why)->class == GR_CLASS_CALLER || why == GR_ERR_TIMEOUT;
    if (put->forwarded || hopeless) {
        finish(node, put, GR_REJECTED, why, 0);
        return;
    }
    int next = best_owner(node, put);
    if (next < 0) {
        stand_in_or_reject(node, put, why);
        return;
    }
    if (put->tried != 0)
        gr_probe(&node->probes, GR_PROBE_PUT_NEXT_OWNER);
    put->tried |= (uint16_t)(1u << next);
    forward(node, put, put->list.voter[next]);
}

static void on_forwarded(struct gr_node *node, struct gr_put *put, const struct gr_message *message)
{
    if (put->answered)
        return;
    if (put->state == GR_PUT_REPLICATING) { // both runs are under way: the first to be done answers
        put->forward_open = false;
        if (message->outcome == GR_DONE && message->status == GR_OK) {
            put->primaries = message->primaries;
            put->durable = message->durable_acks;
            put->reached = message->reached;
            put->context =
                gr_context_join(&put->call.arena, &put->context, &message->record.context);
            gr_call_account(node, &put->call);
            answer(node, put, GR_DONE, GR_OK, GR_MAX(message->acks, put->quorum.yes),
                gr_quorum_settled(&put->quorum));
            if (gr_quorum_settled(&put->quorum))
                gr_call_free(node, &put->call);
            else
                wait_late(node, put);
        } else {
            gr_put_count_votes(node, put);
        }
        return;
    }
    gr_peer_answered(node, put->target, GR_ASK_FORWARD, put->sent_at);
    if (message->status == GR_ERR_TIME_BEHIND && put->fixed_again++ < TIME_FIXES_MAX) {
        gr_hybrid *time = put->write.touch != 0 ? &put->write.touch : &put->write.origin.time;
        *time = gr_node_hybrid(node, GR_MAX(*time, message->hybrid_needed));
        forward(node, put, put->target);
        return;
    }
    if (message->outcome == GR_REJECTED) {
        try_next_owner(node, put, message->status == GR_OK ? GR_ERR_MALFORMED : message->status);
        return;
    }
    if ((message->outcome == GR_DONE) != (message->status == GR_OK))
        return; // not an answer that this program gives
    put->primaries = message->primaries;
    put->context = gr_context_copy(&put->call.arena, &message->record.context);
    put->durable = message->durable_acks;
    put->reached = message->reached;
    gr_call_account(node, &put->call);
    answer(node, put, message->outcome, message->status, message->acks, message->settled);
    if (message->settled)
        gr_call_free(node, &put->call);
    else
        wait_late(node, put);
}

static void on_acked(struct gr_node *node, struct gr_put *put, const struct gr_message *message)
{
    gr_done_acked(node, &put->call.done, message->acks, message->durable_acks, message->settled);
    if (message->settled)
        gr_call_free(node, &put->call);
}

void gr_put_on_message(
    struct gr_node *node, struct gr_call *call, uint16_t peer, const struct gr_message *message)
{
    struct gr_put *put = (struct gr_put *)call;
    bool asked = put->state == GR_PUT_FORWARDING || put->forward_open;
    if (message->type == GR_MSG_ACK)
        gr_replicate_on_ack(node, put, peer, message);
    else if (!asked || peer != put->target)
        return;
    else if (message->type == GR_MSG_FORWARDED)
        on_forwarded(node, put, message);
    else if (put->answered && put->state == GR_PUT_FORWARDING)
        on_acked(node, put, message);
}

// A put that was handed to that node is written as a hint; if it cannot be, it is honestly unknown.
void gr_put_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    struct gr_put *put = (struct gr_put *)call;
    if (put->state == GR_PUT_FORWARDING && put->target == peer) {
        if (put->answered)
            gr_call_free(node, call);
        else if (stand_in(node, put, false) != GR_OK)
            finish(node, put, GR_INDETERMINATE, GR_ERR_WRITE_QUORUM, 0);
        return;
    }
    if (put->state != GR_PUT_REPLICATING)
        return;
    put->forward_open = put->forward_open && peer != put->target;
    gr_replicate_on_link_down(node, put, peer);
}

// ---- beginning and end ---------------------------------------------------------------------

// The owner has not answered in time: from now on both it and this node may carry the write.
static void forward_is_late(struct gr_node *node, struct gr_put *put)
{
    struct gr_instant at = late_at(node, put);
    bool due = !put->answered && gr_instant_reached(node->now, at);
    gr_timer_set(&node->timers, &put->call.timer, due || put->answered ? put->call.deadline : at);
    if (!due)
        return;
    gr_hedge_spend(node);
    if (node->config.canary == GR_CANARY_RERUN_ELSEWHERE) {
        int next = put->elsewhere ? -1 : best_owner(node, put);
        put->elsewhere = true;
        if (next >= 0)
            forward(node, put, put->list.voter[next]);
    } else if (stand_in(node, put, true) == GR_OK) {
        gr_probe(&node->probes, GR_PROBE_PUT_RUN_TWICE);
    }
}

void gr_put_timer(struct gr_node *node, struct gr_call *call)
{
    struct gr_put *put = (struct gr_put *)call;
    if (!gr_instant_reached(node->now, call->deadline)) {
        if (put->state == GR_PUT_FORWARDING)
            forward_is_late(node, put);
        else
            gr_replicate_timer(node, put);
        return;
    }
    if (put->answered) {
        gr_call_free(node, call);
        return;
    }
    switch (put->state) {
    case GR_PUT_WAITING:
        finish(node, put, GR_REJECTED, GR_ERR_TIMEOUT, 0);
        break;
    case GR_PUT_FORWARDING:
        gr_peer_sample(&node->peer[put->target], GR_ASK_FORWARD,
            (struct gr_span){node->now.ns - put->sent_at.ns});
        finish(node, put, GR_INDETERMINATE, GR_ERR_WRITE_QUORUM, 0);
        break;
    case GR_PUT_REPLICATING:
        finish(node, put, GR_INDETERMINATE, GR_ERR_WRITE_QUORUM, put->quorum.yes);
        break;
    }
}

// U6.
static enum gr_err check_limits(
    const struct gr_node *node, const struct gr_key *key, const struct gr_write *write)
{
    if (key->bucket.size == 0 || key->bucket.size > GR_BUCKET_BYTES_MAX)
        return GR_ERR_LIMIT_BUCKET;
    if (key->key.size == 0 || key->key.size > GR_KEY_BYTES_MAX)
        return GR_ERR_LIMIT_KEY;
    size_t value_max = write->touch != 0 ? GR_VALUE_BYTES_MAX : node->config.value_max;
    if (write->value.size > value_max)
        return GR_ERR_LIMIT_VALUE;
    return GR_OK;
}

static void reject(struct gr_node *node, const struct gr_done *done, enum gr_err err, uint8_t need,
    uint8_t up, struct gr_span timeout)
{
    gr_probe(&node->probes, GR_PROBE_PUT_REJECTED);
    node->stats.rejected++;
    struct gr_result result = {.outcome = GR_REJECTED,
        .err = err,
        .acks = up,
        .needed = need,
        .timeout = timeout,
        .now = node->wall};
    gr_done_tell(node, done, &result, true);
}

void gr_put_start(struct gr_node *node, const struct gr_done *done, const struct gr_key *key,
    const struct gr_write *write, struct gr_span timeout, bool forwarded)
{
    uint32_t partition = gr_ring_partition(node->ring, key->slot);
    struct gr_preference list = gr_holder_list(node, partition);
    bool coordinates = may_coordinate(node, &list);
    uint16_t client = done->kind == GR_DONE_PEER ? done->peer : node->config.self;
    struct gr_need need = gr_site_need(node->ring, &list, write->w, client);
    struct attendance there = look_round(node, partition, &list, write, &need);
    enum gr_err err = check_limits(node, key, write);
    if (err == GR_OK && forwarded && !coordinates)
        err = GR_ERR_NOT_OWNER;
    // What is forwarded may be by a ring with a larger N: this one knows too few of the owners.
    if (err == GR_OK && needed(write, &need) > list.n)
        err = forwarded ? GR_ERR_NOT_OWNER : GR_ERR_INVALID;
    if (err == GR_OK && !there.enough)
        err = GR_ERR_QUORUM;
    if (err == GR_OK && !gr_node_has_room(node, write->value.size))
        err = GR_ERR_BUSY;
    if (err != GR_OK) {
        reject(node, done, err, needed(write, &need), there.up, timeout);
        return;
    }
    node->stats.puts++;
    struct gr_put *put = gr_call_new(node, GR_CALL_PUT, sizeof *put, done, timeout);
    gr_arena_reserve(&put->call.arena, write->value.size + key->key.size + key->bucket.size + 512);
    put->key = gr_key_copy(&put->call.arena, key);
    put->write = *write;
    put->write.value = gr_arena_copy(&put->call.arena, write->value);
    put->write.context = gr_context_copy(&put->call.arena, &write->context);
    put->partition = partition;
    put->list = list;
    put->forwarded = forwarded;
    put->timeout = timeout;
    put->need = need;
    if (node->config.canary == GR_CANARY_EARLY_OK && need.group[0].least > 1)
        need.group[0].least--;
    need.by_site &= node->config.canary != GR_CANARY_AWAY_COUNTS;
    gr_quorum_init(&put->quorum, list.n, &need, write->pw, write->dw);
    gr_call_account(node, &put->call);
    gr_timer_set(&node->timers, &put->call.timer, put->call.deadline);
    if (coordinates && node->store == GR_OK) {
        put->tried |= (uint16_t)(1u << gr_preference_position(&list, node->config.self));
        coordinate(node, put);
    } else {
        try_next_owner(node, put, coordinates ? node->store : GR_ERR_UNREACHABLE);
    }
}
