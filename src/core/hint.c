// Standing in for an owner: keep what it has not got, and hand it over when it is back (§4.6).
//
// A neighbour takes a parcel in for someone who is not at home. He does not open it or add to it;
// each parcel stays a parcel of its own until the one it is for has signed for it. A hint is one
// write, as it travelled: the new sibling, its dot, and what its writer had seen. It never changes,
// so nothing needs to be read before one is kept, and whoever signs signs for exactly that write.
//
//   H1  A hint goes only when its owner's disk has that write (a durable ACK to the delivery), or
//       when it is kept for all current owners because its own is none any more (H7). Age never
//       removes one.
//   H2  What a hint says of the past is the writer's context and single dots, never a range: this
//       node has no clock for the partition. The owner learns each dot with the record it names.
//   H3  Over hint_bytes_max the node refuses to stand in; it drops nothing.
//   H4  A node votes in a get for the owner it stands in for only if it keeps a hint for the key.
//   H5  One page of hints per owner is on its way at a time, and each begins only when the throttle
//       admits it (§6.5); what fails stays and is tried again.
//   H6  What this node wrote standing in, and what an owner that ran the same put after all asks it
//       to keep, have one dot and two contexts: two hints, and neither replaces the other.
//   H7  When the ring has changed every hint is looked at once: one for a member that does not own
//       the partition any more is kept for all who do, first, and then no longer for that member.
//   H8  One of a partition that this node owns and does not hold yet is kept for this node too, and
//       applied here like any write: once it holds, nobody asks it for hints.
//
//   per owner:  rest --link up, hint kept--> timer, admitted -> page -> deltas out -> acks -> page
//   ...
//                ^                                                \-- all failed: RETRY_MS --/
//                +-- nothing is owed
//
// Owns: node->debt, the reads of hints under way, and one call for each hint on its way. Bounds:
// PAGE hints per owner and page, hint_bytes_max bytes kept, calls_max reads.
#include "core/inside.h"

enum { PAGE = 32, READ_PAGE = 1024, RETRY_MS = 1000, SPREAD_MS = 200, ROW_BYTES = 64 };

// One hint on its way to its owner.
struct delivery {
    struct gr_call call;
    struct gr_hint hint; // without its record
    size_t bytes;
};

// A read of what is kept of a key for an owner: for a get here, or for a peer's.
struct hint_read {
    struct gr_map_link by_ticket;
    bool bare;
    uint64_t call;      // of the get here, or 0:
    uint16_t peer;      // the node that asks,
    uint64_t peer_call; // and its call
    struct gr_instant since, deadline;
};

size_t gr_hint_bytes(const struct gr_hint *hint)
{
    size_t dots = hint->record.context.vv_count + hint->record.context.cloud_count;
    return ROW_BYTES + hint->key.key.size + hint->key.bucket.size +
           gr_record_value_bytes(&hint->record) + dots * sizeof(struct gr_dot);
}

struct gr_debt *gr_hint_debt(struct gr_node *node, uint64_t owner)
{
    for (uint32_t i = 0; i < node->debt_count; i++)
        if (node->debt[i]->owner == owner)
            return node->debt[i];
    node->debt = gr_hook_memory(node->debt, (node->debt_count + 1) * sizeof *node->debt);
    struct gr_debt *debt = gr_hook_memory(NULL, sizeof *debt);
    *debt = (struct gr_debt){
        .owner = owner, .place = gr_ring_find(node->ring, owner), .timer.kind = GR_TIMER_DEBT};
    node->debt[node->debt_count++] = debt;
    return debt;
}

// ---- keeping -------------------------------------------------------------------------------

static bool is_up(const struct gr_node *node, const struct gr_debt *debt)
{
    return debt->place >= 0 && gr_node_peer_up(node, (uint16_t)debt->place);
}

// There is something to do for it: it is there, or what it is owed may be owed to others now.
static bool is_due(const struct gr_node *node, const struct gr_debt *debt)
{
    return debt->count > 0 && (is_up(node, debt) || debt->astray);
}

static void deliver_soon(struct gr_node *node, struct gr_debt *debt, int64_t ms)
{
    bool under_way = debt->ticket != 0 || debt->sent > 0 || debt->timer.place != 0;
    if (is_due(node, debt) && !under_way)
        gr_timer_set(&node->timers, &debt->timer, gr_instant_after(node->now, gr_span_ms(ms)));
}

static bool has_room(struct gr_node *node, size_t bytes)
{
    bool fits = node->hint_bytes + bytes <= node->config.hint_bytes_max;
    if (!fits) {
        gr_probe(&node->probes, GR_PROBE_HINT_FULL);
        node->stats.hints_refused++;
    }
    return fits;
}

// 0 is none.
static struct gr_wall earlier(struct gr_wall a, struct gr_wall b)
{
    return a.ms == 0 || b.ms < a.ms ? b : a;
}

// Whom it is owed to owns the partition.
static bool is_owed(const struct gr_node *node, const struct gr_debt *debt, uint32_t partition)
{
    return debt->place >= 0 && gr_ring_position(node->ring, partition, (uint16_t)debt->place) >= 0;
}

// H8.
static bool is_own_too(const struct gr_node *node, const struct gr_debt *debt, uint32_t partition)
{
    return debt->place != node->config.self && gr_holder_owns(node, partition) &&
           !node->partition[partition].held;
}

// What is kept now was sent by one who goes by another ring, or is of a partition that is to be
// held here: all that is owed there is looked at once more.
static void note_astray(struct gr_node *node, struct gr_debt *debt, const struct gr_hint *hint)
{
    uint32_t partition = gr_ring_partition(node->ring, hint->key.slot);
    if (is_owed(node, debt, partition) && !is_own_too(node, debt, partition))
        return;
    debt->astray = true;
    debt->whole = false;
}

static void count_kept(struct gr_node *node, const struct gr_hint *hint)
{
    struct gr_debt *debt = gr_hint_debt(node, hint->owner);
    size_t bytes = gr_hint_bytes(hint);
    debt->count++;
    note_astray(node, debt, hint);
    debt->oldest = earlier(debt->oldest, hint->since);
    debt->walked = earlier(debt->walked, hint->since); // the walk may have passed its place
    debt->bytes += bytes;
    debt->fresh = true;
    node->hint_bytes += bytes;
    node->stats.hints_kept++;
    deliver_soon(node, debt, RETRY_MS); // it may only have been slow
}

static void emit(struct gr_node *node, struct gr_store_write *write)
{
    write->number = ++node->writes;
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_WRITE, .write = write});
}

// Keeps hints, and acknowledges that as the cluster's mode says (durability.c).
static void emit_kept(struct gr_node *node, struct gr_keyop *op, struct gr_store_write *write)
{
    write->sync = gr_keyop_wants_sync(node, op);
    emit(node, write);
}

static void wait_for_store(struct gr_node *node, struct gr_keyop *op)
{
    node->memory += op->arena.bytes;
    op->write_number = node->writes;
    gr_keyop_wait(node, op);
}

static uint64_t owner_id(const struct gr_node *node, uint32_t partition, uint8_t position)
{
    return node->ring->member[gr_ring_owners(node->ring, partition)[position]].id;
}

// Canary fold: calls all dots of this actor up to its own seen.
static struct gr_context own_dot(struct gr_node *node, const struct gr_dot *dot)
{
    return node->config.canary == GR_CANARY_HINT_FOLD
               ? gr_context_make(&node->scratch, dot, 1, NULL, 0)
               : gr_context_make(&node->scratch, NULL, 0, dot, 1);
}

enum gr_err gr_hint_stand_in(struct gr_node *node, struct gr_put *put, uint8_t own)
{
    const struct gr_write *w = &put->write;
    uint8_t n = node->ring->n;
    if (node->store != GR_OK)
        return node->store;
    struct gr_sibling *sibling = gr_arena_new(&node->scratch, struct gr_sibling);
    *sibling = (struct gr_sibling){
        .origin = w->origin, .touch = w->touch, .expires = w->expires, .value = w->value};
    struct gr_record delta = {.sibling = w->remove ? NULL : sibling,
        .count = w->remove ? 0 : 1,
        .context = w->plain ? GR_CONTEXT_NOTHING : w->context};
    struct gr_hint hint = {.key = put->key, .stood_in = true, .since = node->wall, .record = delta};
    struct gr_keyop *op = NULL;
    if (!has_room(node, n * (gr_hint_bytes(&hint) + sizeof(struct gr_dot))))
        return GR_ERR_HINTS_FULL;
    op = gr_keyop_new(node, GR_KEYOP_STAND_IN, &put->key, 0);
    if (op == NULL)
        return GR_ERR_BUSY;
    struct gr_partition *p = &node->partition[put->partition];
    struct gr_dot dot = w->dot.counter != 0 ? w->dot : gr_spare_draw(node, put->partition);
    struct gr_context single = own_dot(node, &dot);
    sibling->dot = hint.dot = dot;
    struct gr_context seen = delta.context;
    delta.context = gr_context_join(&node->scratch, &seen, &single);
    hint.record = delta;
    struct gr_hint *kept = gr_arena_array(&node->scratch, struct gr_hint, n);
    for (uint8_t i = 0; i < n; i++) {
        kept[i] = hint;
        kept[i].owner = owner_id(node, put->partition, i);
        count_kept(node, &kept[i]);
    }
    op->call = put->call.id;
    op->durable = w->dw > 0;
    emit_kept(node, op,
        &(struct gr_store_write){
            .partition = put->partition,
            .counter = p->counter,
            .hint = kept,
            .hint_count = n,
            .drawn = &dot,
            .drawn_by = w->id,
            .drawn_context = seen,
        });
    gr_replicate_start(node, put, own, &dot, &delta);
    wait_for_store(node, op);
    return GR_OK;
}

bool gr_hint_void(struct gr_node *node, const struct gr_key *key, const struct gr_dot *dot)
{
    uint8_t n = node->ring->n;
    uint32_t partition = gr_ring_partition(node->ring, key->slot);
    struct gr_context single = own_dot(node, dot);
    struct gr_hint hint = {
        .key = *key, .dot = *dot, .since = node->wall, .record = {.context = single}};
    if (node->store != GR_OK || gr_holder_shows(node, partition) ||
        !has_room(node, n * gr_hint_bytes(&hint)))
        return false;
    struct gr_hint *kept = gr_arena_array(&node->scratch, struct gr_hint, n);
    for (uint8_t i = 0; i < n; i++) {
        kept[i] = hint;
        kept[i].owner = owner_id(node, partition, i);
        count_kept(node, &kept[i]);
    }
    emit(node, &(struct gr_store_write){.partition = partition, .hint = kept, .hint_count = n});
    return true;
}

// A peer asks this node to stand in for an owner of the key.
static enum gr_err keep(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_hint hint = {
        .owner = message->owed_to,
        .key = message->key,
        .dot = message->dot,
        .since = node->wall,
        .record = message->record,
    };
    if (node->store != GR_OK)
        return node->store;
    if (!gr_replica_is_sound(message))
        return GR_ERR_INVALID;
    if (!has_room(node, gr_hint_bytes(&hint)))
        return GR_ERR_HINTS_FULL;
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_HINT, &message->key, 0);
    if (op == NULL)
        return GR_ERR_BUSY;
    op->peer = peer;
    op->peer_call = message->id;
    op->durable = message->durable;
    count_kept(node, &hint);
    emit_kept(node, op,
        &(struct gr_store_write){.partition = op->partition, .hint = &hint, .hint_count = 1});
    wait_for_store(node, op);
    return GR_OK;
}

// ---- delivering ----------------------------------------------------------------------------

static void scan_page(struct gr_node *node, struct gr_debt *debt)
{
    debt->fresh = false;
    debt->from = debt->cursor;
    debt->ticket = gr_node_id(node);
    gr_node_emit(node, &(struct gr_effect){
                           .type = GR_EFFECT_SCAN,
                           .scan = GR_SCAN_HINTS,
                           .ticket = debt->ticket,
                           .owner = debt->owner,
                           .cursor = debt->cursor,
                           .limit = PAGE,
                       });
}

// What the next page will take, if its hints are like the others (§6.5).
static uint32_t page_slices(const struct gr_debt *debt)
{
    uint64_t records = GR_MIN(debt->count, PAGE);
    uint64_t bytes = debt->bytes / debt->count * records;
    return gr_throttle_slices(records, GR_MIN(bytes, GR_HINT_PAGE_BYTES));
}

void gr_hint_timer(struct gr_node *node, struct gr_timer *timer)
{
    struct gr_debt *debt = GR_CONTAINER(timer, struct gr_debt, timer);
    gr_assert(debt->ticket == 0 && debt->sent == 0);
    if (!is_due(node, debt))
        return;
    if (node->store != GR_OK)
        deliver_soon(node, debt, RETRY_MS);
    else if (!gr_node_background(node, page_slices(debt)))
        gr_timer_set(&node->timers, timer, gr_node_background_at(node, page_slices(debt)));
    else
        scan_page(node, debt);
}

// All of a page have been answered.
static void page_done(struct gr_node *node, struct gr_debt *debt)
{
    bool stuck = (debt->failed > 0 || !is_up(node, debt)) && !debt->stored;
    bool failed = debt->failed > 0;
    debt->failed = 0;
    debt->stored = false;
    if (stuck && debt->cursor == debt->from) {
        // One cursor value fills pages that fail: what is behind it must not wait for ever.
        debt->cursor++;
        debt->walked = earlier(debt->walked, debt->oldest);
    }
    if (debt->cursor >= GR_CURSOR_END) { // the walk has met all that were there when it began
        debt->cursor = 0;
        debt->oldest = debt->count == 0 ? (struct gr_wall){0} : debt->walked;
        debt->walked = (struct gr_wall){0};
        debt->astray &= !debt->whole;
        debt->whole = debt->astray; // the next walk is one over all of them
    }
    deliver_soon(node, debt, stuck && (failed || !debt->astray) ? RETRY_MS : 0);
}

static void end_delivery(struct gr_node *node, struct delivery *delivery, bool failed)
{
    struct gr_debt *debt = gr_hint_debt(node, delivery->hint.owner);
    gr_assert(debt->sent > 0);
    debt->sent--;
    debt->failed += failed;
    debt->stored |= !failed;
    if (failed) {
        gr_probe(&node->probes, GR_PROBE_HINT_FAILED);
        debt->walked = earlier(debt->walked, delivery->hint.since);
    }
    gr_call_free(node, &delivery->call);
    if (debt->sent == 0)
        page_done(node, debt);
}

// H1: the owner has it.
static void forget(struct gr_node *node, const struct delivery *delivery)
{
    struct gr_debt *debt = gr_hint_debt(node, delivery->hint.owner);
    debt->count -= debt->count > 0;
    if (debt->count == 0)
        debt->oldest = (struct gr_wall){0};
    debt->bytes -= GR_MIN(debt->bytes, delivery->bytes);
    node->hint_bytes -= GR_MIN(node->hint_bytes, delivery->bytes);
    node->stats.hints_delivered++;
    emit(node, &(struct gr_store_write){
                   .partition = gr_ring_partition(node->ring, delivery->hint.key.slot),
                   .hint = &delivery->hint,
                   .hint_count = 1,
                   .hint_remove = true,
                   .sync = node->config.durability == GR_DURABILITY_COMMIT,
               });
}

void gr_hint_on_ack(struct gr_node *node, struct gr_call *call, const struct gr_message *message)
{
    struct delivery *delivery = (struct delivery *)call;
    bool stored = message->status == GR_OK;
    if (stored && !message->durable)
        return; // another one follows when it is
    bool keeps = !stored || node->store != GR_OK;
    if (!keeps) {
        gr_probe(&node->probes, GR_PROBE_HINT_DELIVERED);
        if (node->config.canary != GR_CANARY_HINT_EARLY)
            forget(node, delivery);
    }
    end_delivery(node, delivery, keeps);
}

void gr_hint_failed(struct gr_node *node, struct gr_call *call)
{
    end_delivery(node, (struct delivery *)call, true);
}

void gr_hint_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    if (((struct delivery *)call)->hint.owner == node->ring->member[peer].id)
        gr_hint_failed(node, call);
}

// A hint that is owed to this node, of a partition that it owns by now: it is an ordinary write.
static void apply_here(struct gr_node *node, struct delivery *delivery, const struct gr_hint *hint)
{
    struct gr_keyop *op =
        gr_keyop_new(node, GR_KEYOP_DELTA, &hint->key, gr_record_value_bytes(&hint->record));
    uint64_t id = delivery->call.id;
    if (op == NULL) {
        gr_hint_failed(node, &delivery->call);
        return;
    }
    gr_probe(&node->probes, GR_PROBE_HINT_OWN);
    op->call = id;
    op->durable = true;
    op->dot = hint->dot;
    op->incoming = gr_record_copy(&op->arena, &hint->record, false);
    if (gr_replica_submit(node, op) != GR_OK)
        gr_hint_on_own(node, id, GR_ERR_BUSY);
}

void gr_hint_on_own(struct gr_node *node, uint64_t call, enum gr_err err)
{
    struct gr_call *delivery = gr_call_find(node, GR_CALL_HINT, call);
    struct gr_message ack = {.type = GR_MSG_ACK, .status = err, .durable = true};
    if (delivery != NULL)
        gr_hint_on_ack(node, delivery, &ack);
}

// H7. In two writes, in this order: a crash between the two leaves one hint too many.
static void reroute(struct gr_node *node, struct gr_debt *debt, const struct gr_hint *hint)
{
    uint32_t partition = gr_ring_partition(node->ring, hint->key.slot);
    uint8_t n = node->ring->n;
    struct gr_hint *kept = gr_arena_array(&node->scratch, struct gr_hint, n);
    gr_probe(&node->probes, GR_PROBE_HINT_REROUTED);
    for (uint8_t i = 0; i < n; i++) {
        kept[i] = *hint;
        kept[i].owner = owner_id(node, partition, i);
        count_kept(node, &kept[i]);
    }
    bool sync = node->config.durability == GR_DURABILITY_COMMIT;
    emit(node, &(struct gr_store_write){
                   .partition = partition, .hint = kept, .hint_count = n, .sync = sync});
    size_t bytes = gr_hint_bytes(hint);
    debt->count -= debt->count > 0;
    debt->bytes -= GR_MIN(debt->bytes, bytes);
    node->hint_bytes -= GR_MIN(node->hint_bytes, bytes);
    emit(node, &(struct gr_store_write){.partition = partition,
                   .hint = hint,
                   .hint_count = 1,
                   .hint_remove = true,
                   .sync = sync});
}

// H8.
static void keep_own(struct gr_node *node, const struct gr_hint *hint)
{
    struct gr_hint own = *hint;
    own.owner = node->ring->member[node->config.self].id;
    count_kept(node, &own);
    emit(node, &(struct gr_store_write){.partition = gr_ring_partition(node->ring, hint->key.slot),
                   .hint = &own,
                   .hint_count = 1});
}

static void send(struct gr_node *node, const struct gr_hint *hint)
{
    struct gr_debt *debt = gr_hint_debt(node, hint->owner);
    struct gr_done nobody = {.kind = GR_DONE_CLIENT};
    struct delivery *delivery =
        gr_call_new(node, GR_CALL_HINT, sizeof *delivery, &nobody, node->config.write_timeout);
    delivery->hint = *hint;
    delivery->hint.key = gr_key_copy(&delivery->call.arena, &hint->key);
    delivery->hint.record = GR_RECORD_NOTHING;
    delivery->bytes = gr_hint_bytes(hint);
    gr_call_account(node, &delivery->call);
    gr_timer_set(&node->timers, &delivery->call.timer, delivery->call.deadline);
    struct gr_message message = {
        .type = GR_MSG_DELTA,
        .id = delivery->call.id,
        .deadline_ms = gr_node_remaining_ms(node, delivery->call.deadline),
        .key = hint->key,
        .record = hint->record,
        .dot = hint->dot,
        .durable = true, // A2: the hint is forgotten for it
    };
    debt->sent++;
    if (debt->place == node->config.self)
        apply_here(node, delivery, hint);
    else if (!gr_node_send(node, (uint16_t)debt->place, &message))
        gr_hint_failed(node, &delivery->call);
    else if (node->config.canary == GR_CANARY_HINT_EARLY && node->store == GR_OK)
        forget(node, delivery);
}

static void deal_with(struct gr_node *node, struct gr_debt *debt, const struct gr_hint *hint)
{
    uint32_t partition = gr_ring_partition(node->ring, hint->key.slot);
    bool owed = is_owed(node, debt, partition);
    debt->whole = debt->whole && node->store == GR_OK;
    if (!owed && node->store == GR_OK && node->config.canary != GR_CANARY_HINT_ASTRAY) {
        reroute(node, debt, hint);
        return;
    }
    if (debt->astray && is_own_too(node, debt, partition) && node->store == GR_OK)
        keep_own(node, hint);
    if (owed && is_up(node, debt))
        send(node, hint);
    else
        debt->walked = earlier(debt->walked, hint->since);
}

static void on_page(struct gr_node *node, struct gr_debt *debt, const struct gr_event *event)
{
    debt->ticket = 0;
    if (event->status != GR_OK) {
        if (!debt->unreadable)
            gr_node_log(node, "hints cannot be read from the store; they are kept and tried again");
        debt->unreadable = true;
        deliver_soon(node, debt, RETRY_MS);
        return;
    }
    bool from_start = debt->cursor == 0;
    debt->unreadable = false;
    debt->cursor = event->cursor;
    if (from_start && event->hint_count == 0 && !debt->fresh) { // there is nothing, surely
        node->hint_bytes -= GR_MIN(node->hint_bytes, debt->bytes);
        *debt = (struct gr_debt){
            .owner = debt->owner, .place = debt->place, .timer.kind = GR_TIMER_DEBT}; // none astray
        return;
    }
    debt->sent = 1; // this page itself, so that its end is noticed once
    for (uint32_t i = 0; i < event->hint_count; i++)
        deal_with(node, debt, &event->hint[i]);
    if (--debt->sent == 0)
        page_done(node, debt);
}

void gr_hint_on_ring(struct gr_node *node)
{
    for (uint32_t i = 0; i < node->debt_count; i++) {
        struct gr_debt *debt = node->debt[i];
        debt->place = gr_ring_find(node->ring, debt->owner);
        debt->astray = true;
        debt->whole = debt->cursor == 0 && debt->ticket == 0 && debt->sent == 0;
        deliver_soon(node, debt, 0);
    }
}

bool gr_hint_own_pending(const struct gr_node *node)
{
    uint64_t own = node->ring->member[node->config.self].id;
    for (uint32_t i = 0; i < node->debt_count; i++) {
        const struct gr_debt *debt = node->debt[i];
        if (debt->count > 0 && (debt->astray || debt->owner == own))
            return true;
    }
    return false;
}

void gr_hint_on_link(struct gr_node *node, uint16_t peer)
{
    // Those who stood in for a node that is back do not all begin at once.
    struct gr_debt *debt = gr_hint_debt(node, node->ring->member[peer].id);
    deliver_soon(node, debt, (int64_t)gr_random_below(&node->random, SPREAD_MS));
}

// ---- reading -------------------------------------------------------------------------------

static bool start_read(
    struct gr_node *node, uint64_t owner, const struct gr_key *key, struct hint_read read)
{
    if (node->hint_reads.count >= node->config.calls_max)
        return false;
    struct hint_read *kept = gr_hook_memory(NULL, sizeof *kept);
    *kept = read;
    kept->since = node->arrived;
    uint64_t ticket = gr_node_id(node);
    gr_map_insert(&node->hint_reads, &kept->by_ticket, ticket);
    gr_node_emit(node, &(struct gr_effect){
                           .type = GR_EFFECT_SCAN,
                           .scan = GR_SCAN_HINTS,
                           .ticket = ticket,
                           .owner = owner,
                           .key = *key,
                           .limit = READ_PAGE,
                       });
    return true;
}

bool gr_hint_read(
    struct gr_node *node, uint64_t owner, const struct gr_key *key, uint64_t call, bool bare)
{
    return start_read(node, owner, key, (struct hint_read){.call = call, .bare = bare});
}

// H4. What is kept, merged; a page that is full may not be all of it.
static enum gr_err merge_hints(struct gr_node *node, const struct hint_read *read,
    const struct gr_event *event, struct gr_record *ret)
{
    struct gr_record merged = GR_RECORD_NOTHING;
    if (event->status != GR_OK)
        return event->status;
    if (event->hint_count == 0 && node->config.canary != GR_CANARY_HINT_SILENT)
        return GR_ERR_NOT_FOUND;
    if (event->cursor != GR_CURSOR_END)
        return GR_ERR_BUSY;
    for (uint32_t i = 0; i < event->hint_count; i++)
        merged = gr_record_merge(&node->scratch, &merged, &event->hint[i].record);
    *ret = read->bare ? gr_record_copy(&node->scratch, &merged, true) : merged;
    return GR_OK;
}

static void on_read(struct gr_node *node, struct hint_read *read, const struct gr_event *event)
{
    struct gr_message state = {.type = GR_MSG_STATE, .id = read->peer_call, .bare = read->bare};
    state.status = merge_hints(node, read, event, &state.record);
    gr_node_foreground(node, read->since);
    if (read->call != 0) {
        struct gr_call *call = gr_call_find(node, GR_CALL_GET, read->call);
        if (call != NULL)
            gr_get_on_state(node, call, node->config.self, state.status, &state.record);
    } else if (!gr_instant_reached(node->now, read->deadline)) {
        (void)gr_node_send(node, read->peer, &state);
    }
    gr_hook_memory(read, 0);
}

// ---- events --------------------------------------------------------------------------------

bool gr_hint_on_done(struct gr_node *node, const struct gr_event *event)
{
    struct gr_map_link *link = gr_map_first(&node->hint_reads, event->ticket);
    if (link != NULL) {
        gr_map_remove(&node->hint_reads, link);
        on_read(node, GR_CONTAINER(link, struct hint_read, by_ticket), event);
        return true;
    }
    for (uint32_t i = 0; i < node->debt_count; i++) {
        if (node->debt[i]->ticket != event->ticket)
            continue;
        on_page(node, node->debt[i], event);
        return true;
    }
    return false;
}

void gr_hint_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    uint32_t partition = gr_ring_partition(node->ring, message->key.slot);
    int owner = gr_ring_find(node->ring, message->owed_to);
    bool owes = owner >= 0 && owner != node->config.self &&
                gr_ring_position(node->ring, partition, (uint16_t)owner) >= 0 &&
                !gr_holder_owns(node, partition);
    enum gr_err err = owes ? GR_OK : GR_ERR_NOT_OWNER;
    bool reads = message->type == GR_MSG_READ;
    if (owes && reads) {
        struct hint_read read = {
            .bare = message->bare,
            .peer = peer,
            .peer_call = message->id,
            .deadline = gr_instant_after(node->arrived, gr_span_ms(message->deadline_ms)),
        };
        if (gr_instant_reached(node->now, read.deadline)) {
            gr_probe(&node->probes, GR_PROBE_MESSAGE_LATE);
            return;
        }
        err = start_read(node, message->owed_to, &message->key, read) ? GR_OK : GR_ERR_BUSY;
    } else if (owes) {
        err = keep(node, peer, message);
    }
    if (err == GR_OK)
        return;
    struct gr_message refusal = {
        .type = reads ? GR_MSG_STATE : GR_MSG_ACK, .id = message->id, .status = err};
    (void)gr_node_send(node, peer, &refusal);
}

// ---- beginning and end ---------------------------------------------------------------------

void gr_hint_deinit(struct gr_node *node)
{
    for (uint32_t i = 0; i < node->hint_reads.bucket_count; i++) {
        while (node->hint_reads.bucket[i] != NULL) {
            struct gr_map_link *link = node->hint_reads.bucket[i];
            struct hint_read *read = GR_CONTAINER(link, struct hint_read, by_ticket);
            gr_map_remove(&node->hint_reads, link);
            gr_hook_memory(read, 0);
        }
    }
    gr_map_deinit(&node->hint_reads);
    for (uint32_t i = 0; i < node->debt_count; i++) {
        gr_timer_stop(&node->timers, &node->debt[i]->timer);
        gr_hook_memory(node->debt[i], 0);
    }
    gr_hook_memory(node->debt, 0);
}
