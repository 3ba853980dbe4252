// One put, from the node where it landed to the last acknowledgement (§4.5, §5).
//
// A put needs a dot, and only an owner of the key may draw one. So the node where it lands either
// is an owner and coordinates, or fixes what must not change (request id, origin time, value,
// context) and hands it to one. The coordinator writes its own copy and sends the delta to the
// other owners in the same step, not waiting for its own disk; it answers when W have acknowledged.
//
//   U1  REJECTED is said only while nothing was written here and no node was asked that may have
//       written. From the first write or send on it is OK or INDETERMINATE.
//   U2  A forwarding node asks the next owner only if the one before certainly did not start.
//   U3  The origin (time, request id) is fixed before the put is sent anywhere, and its time
//   exceeds
//       that of everything the put replaces.
//   U4  The client is told exactly once; acknowledgements that come later are reported apart.
//
//            +-- FORWARDING --------- FORWARDED: done / next owner / time behind: again
//   start ---+                \------ deadline: INDETERMINATE
//            +-- WAITING ------------ on_failed: next owner, or REJECTED; deadline: REJECTED
//                  | on_written (the delta leaves)
//                REPLICATING -------- W votes: OK; lost or deadline: INDETERMINATE
//                  |                  (then late: until all have voted, the deadline, or eviction)
//                freed
//
// Owns: the call's arena holds copies of key, value and context. Bounds: calls_max, memory_max.
#include "core/inside.h"

enum { TIME_FIXES_MAX = 8 };

enum put_state { WAITING, FORWARDING, REPLICATING };

struct gr_put {
    struct gr_call call;
    struct gr_key key;
    struct gr_write write;
    uint32_t partition;
    enum put_state state;
    bool forwarded; // by another node: this one must coordinate or refuse
    bool answered;
    bool elsewhere;  // canary rerun-elsewhere: was run again
    uint16_t tried;  // positions of the preference list that were asked to coordinate
    uint16_t target; // FORWARDING: the member asked
    uint8_t durable; // FORWARDING: durable acknowledgements that the target has counted
    struct gr_instant sent_at;
    struct gr_quorum quorum;
    struct gr_span timeout;
    struct gr_context context; // what the client gets back: what it saw, and the new dot
    uint32_t fixed_again;      // how often the origin's time was behind at the owner
    gr_hybrid time_needed;     // TIME_BEHIND: what the origin's time must exceed
};

static void try_next_owner(struct gr_node *node, struct gr_put *put, enum gr_err why);

static struct gr_put *find(struct gr_node *node, uint64_t id)
{
    return gr_call_find(node, GR_CALL_PUT, id);
}

// ---- answering -----------------------------------------------------------------------------

static void answer(struct gr_node *node, struct gr_put *put, enum gr_outcome outcome,
    enum gr_err err, uint8_t acks, bool settled)
{
    gr_assert(!put->answered && (outcome == GR_DONE) == (err == GR_OK));
    put->answered = true;
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
        .needed = put->write.w,
        .durable = GR_MAX(put->durable, put->quorum.durable),
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
    answer(node, put, outcome, err, acks, true);
    gr_call_free(node, &put->call);
}

// Answered: only counts are still of interest, so key, value and context are given back.
static void wait_late(struct gr_node *node, struct gr_put *put)
{
    gr_arena_deinit(&put->call.arena);
    gr_call_account(node, &put->call);
    put->key = (struct gr_key){.slot = 0};
    put->write.value = gr_bytes(NULL, 0);
    put->write.context = put->context = GR_CONTEXT_NOTHING;
    gr_call_late(node, &put->call);
}

// After each vote: answers when the result is certain, frees when nobody is left to hear.
static void count_votes(struct gr_node *node, struct gr_put *put, bool was_yes)
{
    const struct gr_quorum *quorum = &put->quorum;
    bool settled = gr_quorum_settled(quorum);
    if (put->answered) {
        if (was_yes) {
            gr_probe(&node->probes, GR_PROBE_PUT_LATE_ACK);
            gr_done_acked(node, &put->call.done, quorum->yes, quorum->durable, settled);
        }
    } else if (gr_quorum_met(quorum)) {
        answer(node, put, GR_DONE, GR_OK, quorum->yes, settled);
        if (!settled)
            wait_late(node, put);
    } else if (gr_quorum_lost(quorum)) {
        answer(node, put, GR_INDETERMINATE, GR_ERR_WRITE_QUORUM, quorum->yes, settled);
        if (!settled)
            wait_late(node, put);
    }
    if (settled && put->answered)
        gr_call_free(node, &put->call);
}

// ---- coordinating --------------------------------------------------------------------------

static void coordinate(struct gr_node *node, struct gr_put *put)
{
    put->state = WAITING;
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
    struct gr_context context = write->plain ? filled->context : write->context;
    if (!write->remove && siblings_kept(filled, &context) >= GR_SIBLINGS_MAX)
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
        .id = write->id,
        .remove = write->remove,
    };
    return GR_OK;
}

void gr_put_on_written(
    struct gr_node *node, uint64_t call, const struct gr_dot *dot, const struct gr_record *delta)
{
    struct gr_put *put = find(node, call);
    gr_assert(put != NULL && put->state == WAITING);
    put->state = REPLICATING;
    put->context = gr_context_copy(&put->call.arena, &delta->context);
    put->sent_at = node->now;
    const uint16_t *owner = gr_ring_owners(node->ring, put->partition);
    struct gr_message message = {
        .type = GR_MSG_DELTA,
        .id = put->call.id,
        .deadline_ms = gr_node_remaining_ms(node, put->call.deadline),
        .key = put->key,
        .record = *delta,
        .dot = *dot,
        .durable = put->write.dw > 0,
    };
    for (uint8_t i = 0; i < node->ring->n; i++)
        if (owner[i] != node->config.self && !gr_node_send(node, owner[i], &message))
            (void)gr_quorum_vote(&put->quorum, i, GR_VOTE_NO, true, false);
    gr_call_account(node, &put->call);
}

void gr_put_on_stored(struct gr_node *node, uint64_t call, bool durable)
{
    struct gr_put *put = find(node, call);
    if (put == NULL)
        return;
    int position = gr_ring_position(node->ring, put->partition, node->config.self);
    bool yes = gr_quorum_vote(&put->quorum, (uint8_t)position, GR_VOTE_YES, true, durable);
    count_votes(node, put, yes);
}

void gr_put_on_failed(struct gr_node *node, uint64_t call, enum gr_err err)
{
    struct gr_put *put = find(node, call);
    if (put != NULL)
        try_next_owner(node, put, err);
}

static void on_ack(
    struct gr_node *node, struct gr_put *put, uint16_t peer, const struct gr_message *message)
{
    int position = gr_ring_position(node->ring, put->partition, peer);
    if (position < 0 || put->state != REPLICATING)
        return;
    if (put->quorum.vote[position] != GR_VOTE_YES) // else only its disk has caught up
        gr_peer_sample(&node->peer[peer], (struct gr_span){node->now.ns - put->sent_at.ns});
    bool ok = message->status == GR_OK;
    bool yes = gr_quorum_vote(&put->quorum, (uint8_t)position, ok ? GR_VOTE_YES : GR_VOTE_NO, true,
        ok && message->durable);
    count_votes(node, put, ok && yes);
}

// ---- forwarding ----------------------------------------------------------------------------

static void forward(struct gr_node *node, struct gr_put *put, uint16_t target)
{
    struct gr_message message = {
        .type = GR_MSG_FORWARD,
        .id = put->call.id,
        .deadline_ms = gr_node_remaining_ms(node, put->call.deadline),
        .key = put->key,
        .write = put->write,
    };
    put->state = FORWARDING;
    put->target = target;
    put->sent_at = node->now;
    if (!gr_node_send(node, target, &message)) {
        try_next_owner(node, put, GR_ERR_UNREACHABLE);
        return;
    }
    gr_probe(&node->probes, GR_PROBE_PUT_FORWARDED);
    if (node->config.canary == GR_CANARY_RERUN_ELSEWHERE)
        gr_timer_set(
            &node->timers, &put->call.timer, gr_instant_after(node->now, node->peer[target].hedge));
}

// The owner that is up, was not asked yet and answers fastest; -1 if there is none.
static int best_owner(struct gr_node *node, const struct gr_put *put)
{
    const uint16_t *owner = gr_ring_owners(node->ring, put->partition);
    int best = -1;
    for (int i = 0; i < node->ring->n; i++) {
        if ((put->tried >> i & 1) || owner[i] == node->config.self || !node->peer[owner[i]].up)
            continue;
        if (best < 0 || node->peer[owner[i]].hedge.ns < node->peer[owner[best]].hedge.ns)
            best = i;
    }
    return best;
}

// U2: the one before certainly did nothing. What only repeats elsewhere ends here.
static void try_next_owner(struct gr_node *node, struct gr_put *put, enum gr_err why)
{
    gr_assert(put->state != REPLICATING && !put->answered);
    enum gr_err_class class = gr_err_info(why)->class;
    bool hopeless = class == GR_CLASS_CALLER || why == GR_ERR_TIMEOUT;
    int next = put->forwarded || hopeless ? -1 : best_owner(node, put);
    if (next < 0) {
        finish(node, put, GR_REJECTED, why, 0);
        return;
    }
    if (put->tried != 0)
        gr_probe(&node->probes, GR_PROBE_PUT_NEXT_OWNER);
    put->tried |= (uint16_t)(1u << next);
    forward(node, put, gr_ring_owners(node->ring, put->partition)[next]);
}

static void on_forwarded(struct gr_node *node, struct gr_put *put, const struct gr_message *message)
{
    if (put->answered)
        return;
    gr_peer_sample(&node->peer[put->target], (struct gr_span){node->now.ns - put->sent_at.ns});
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
    put->context = gr_context_copy(&put->call.arena, &message->record.context);
    put->durable = message->durable_acks;
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
    if (message->type == GR_MSG_ACK)
        on_ack(node, put, peer, message);
    else if (put->state != FORWARDING || peer != put->target)
        return;
    else if (message->type == GR_MSG_FORWARDED)
        on_forwarded(node, put, message);
    else if (put->answered)
        on_acked(node, put, message);
}

// What was sent may have arrived, and its acknowledgement may not come: the vote is mute. A put
// that was handed to that node ends here, honestly unknown.
void gr_put_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    struct gr_put *put = (struct gr_put *)call;
    if (put->state == FORWARDING && put->target == peer) {
        if (put->answered)
            gr_call_free(node, call);
        else
            finish(node, put, GR_INDETERMINATE, GR_ERR_WRITE_QUORUM, 0);
        return;
    }
    int position = gr_ring_position(node->ring, put->partition, peer);
    if (put->state != REPLICATING || position < 0)
        return;
    if (gr_quorum_vote(&put->quorum, (uint8_t)position, GR_VOTE_MUTE, true, false))
        count_votes(node, put, false);
}

// ---- beginning and end ---------------------------------------------------------------------

void gr_put_timer(struct gr_node *node, struct gr_call *call)
{
    struct gr_put *put = (struct gr_put *)call;
    bool over = gr_instant_reached(node->now, call->deadline);
    if (!over) {
        gr_assert(node->config.canary == GR_CANARY_RERUN_ELSEWHERE);
        bool again = !put->answered && !put->elsewhere && put->state == FORWARDING;
        put->elsewhere = true;
        gr_timer_set(&node->timers, &call->timer, call->deadline);
        int next = again ? best_owner(node, put) : -1;
        if (next >= 0)
            forward(node, put, gr_ring_owners(node->ring, put->partition)[next]);
        return;
    }
    if (put->answered) {
        gr_call_free(node, call);
        return;
    }
    switch (put->state) {
    case WAITING:
        finish(node, put, GR_REJECTED, GR_ERR_TIMEOUT, 0);
        break;
    case FORWARDING:
        gr_peer_sample(&node->peer[put->target], (struct gr_span){node->now.ns - put->sent_at.ns});
        finish(node, put, GR_INDETERMINATE, GR_ERR_WRITE_QUORUM, 0);
        break;
    case REPLICATING:
        finish(node, put, GR_INDETERMINATE, GR_ERR_WRITE_QUORUM, put->quorum.yes);
        break;
    }
}

static enum gr_err check_limits(const struct gr_key *key, const struct gr_write *write)
{
    if (key->bucket.size == 0 || key->bucket.size > GR_BUCKET_BYTES_MAX)
        return GR_ERR_LIMIT_BUCKET;
    if (key->key.size == 0 || key->key.size > GR_KEY_BYTES_MAX)
        return GR_ERR_LIMIT_KEY;
    if (write->value.size > GR_VALUE_BYTES_MAX)
        return GR_ERR_LIMIT_VALUE;
    return GR_OK;
}

static uint8_t owners_up(struct gr_node *node, uint32_t partition)
{
    const uint16_t *owner = gr_ring_owners(node->ring, partition);
    uint8_t up = 0;
    for (uint8_t i = 0; i < node->ring->n; i++)
        up += gr_node_peer_up(node, owner[i]);
    return up;
}

static void reject(struct gr_node *node, const struct gr_done *done, enum gr_err err,
    const struct gr_write *write, uint8_t up, struct gr_span timeout)
{
    gr_probe(&node->probes, GR_PROBE_PUT_REJECTED);
    node->stats.rejected++;
    node->stats.busy += err == GR_ERR_BUSY;
    struct gr_result result = {.outcome = GR_REJECTED,
        .err = err,
        .acks = up,
        .needed = GR_MAX(GR_MAX(write->w, write->pw), write->dw),
        .timeout = timeout,
        .now = node->wall};
    gr_done_tell(node, done, &result, true);
}

void gr_put_start(struct gr_node *node, const struct gr_done *done, const struct gr_key *key,
    const struct gr_write *write, struct gr_span timeout, bool forwarded)
{
    uint32_t partition = gr_ring_partition(node->ring, key->slot);
    int position = gr_ring_position(node->ring, partition, node->config.self);
    uint8_t up = owners_up(node, partition);
    uint8_t need = GR_MAX(GR_MAX(write->w, write->pw), write->dw);
    enum gr_err err = check_limits(key, write);
    if (err == GR_OK && forwarded && position < 0)
        err = GR_ERR_NOT_OWNER;
    if (err == GR_OK && need > node->ring->n)
        err = GR_ERR_INVALID;
    if (err == GR_OK && up < need)
        err = GR_ERR_QUORUM;
    if (err == GR_OK && !gr_node_has_room(node, write->value.size))
        err = GR_ERR_BUSY;
    if (err != GR_OK) {
        reject(node, done, err, write, up, timeout);
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
    put->forwarded = forwarded;
    put->timeout = timeout;
    uint8_t w = write->w;
    if (node->config.canary == GR_CANARY_EARLY_OK && w > 1)
        w--;
    gr_quorum_init(&put->quorum, node->ring->n, w, write->pw, write->dw);
    gr_call_account(node, &put->call);
    gr_timer_set(&node->timers, &put->call.timer, put->call.deadline);
    if (position >= 0 && node->store == GR_OK) {
        put->tried |= (uint16_t)(1u << position);
        coordinate(node, put);
    } else {
        try_next_owner(node, put, position >= 0 ? node->store : GR_ERR_UNREACHABLE);
    }
}
