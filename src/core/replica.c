// What a holder does with one key: read it, merge into it, write it, acknowledge it (§4.5, §5).
//
// Picture a ledger with one page per key and one pen per page. Whoever wants to write a page takes
// its pen (the latch), looks at the page, writes, and hands the pen on; a reader looks without the
// pen, and looks again if the page was written meanwhile. What the ledger's index (the partition
// clock) says is true of the pages at every moment, because both change in one batch.
//
//   P1  One moment: between a writer's read and its write no other writer touches the key, and a
//       record is filled only while it is what the store holds.
//   P2  The clock learns a dot, and a counter is drawn, in the step that emits the record's write.
//   P3  A dot is acknowledged to others only after the write that holds it is durable, or, where
//       the cluster's mode lets clients have it sooner, applied; and then it says that it is not
//       durable yet. What lets another node forget always waits for the disk (`durable`).
//   P4  The cached header of a latch is the stored record without values, or unknown (latch.c).
//   P5  A record that cannot be read is an error, never an absence.
//   P6  A state that shows a value which would be refused here, as seen and gone, waits with the
//       pen until the leaf of its key was summed after the read (witness.c).
//
//   submit --busy--> freed
//     | reader:  answered from the header, or READ -> gr_replica_on_read -> answered (again if P1)
//     | writer:  waits in latch->queue -> run_writer -> (READ -> gr_replica_on_read) -> apply
//                (-> gr_replica_on_witness -> apply)
//                -> node->unsynced -> gr_replica_on_synced -> acknowledged, freed
//                   modes but COMMIT: node->unapplied -> gr_replica_on_applied -> acknowledged,
//                   then node->unsynced as above, and acknowledged again
//
// Owns: every keyop from submit to its end, and the latches. Bounds: latch_queue_max writers wait
// for one key; calls_max keyops of peers; header_bytes_max of idle latches.
#include "core/entropy.h"

#include <string.h>

static void run_queue(struct gr_node *node, struct gr_latch *latch);

// ---- keyops --------------------------------------------------------------------------------

struct gr_keyop *gr_keyop_new(
    struct gr_node *node, enum gr_keyop_kind kind, const struct gr_key *key, size_t bytes)
{
    if (node->keyop_count >= 2 * node->config.calls_max ||
        node->memory + bytes > node->config.memory_max)
        return NULL;
    struct gr_keyop *op = gr_hook_memory(NULL, sizeof *op);
    *op = (struct gr_keyop){.kind = kind, .since = node->arrived, .deadline = GR_NEVER};
    gr_arena_reserve(&op->arena, bytes + key->key.size + key->bucket.size + 64);
    op->key = gr_key_copy(&op->arena, key);
    op->partition = gr_ring_partition(node->ring, key->slot);
    node->keyop_count++;
    return op;
}

void gr_keyop_free(struct gr_node *node, struct gr_keyop *op)
{
    gr_assert(op->ticket == 0 && !op->link.in && node->keyop_count > 0);
    node->keyop_count--;
    node->memory -= op->arena.bytes;
    gr_arena_deinit(&op->arena);
    gr_hook_memory(op, 0);
}

static void emit_read(struct gr_node *node, struct gr_keyop *op)
{
    op->ticket = gr_node_id(node);
    op->version = op->latch->version;
    gr_map_insert(&node->keyops, &op->by_ticket, op->ticket);
    node->stats.replica_reads++;
    gr_node_emit(
        node, &(struct gr_effect){
                  .type = GR_EFFECT_READ, .ticket = op->ticket, .key = op->key, .bare = op->bare});
}

// ---- reading -------------------------------------------------------------------------------

static void tell_state(
    struct gr_node *node, struct gr_keyop *op, enum gr_err status, const struct gr_record *stored)
{
    struct gr_record filled = GR_RECORD_NOTHING;
    if (status == GR_OK && op->kind == GR_KEYOP_READ &&
        node->partition[op->partition].damage != NULL &&
        node->config.canary != GR_CANARY_DAMAGE_VOTES)
        status = GR_ERR_CORRUPT; // unknown, never absent (damage.c, B2)
    if (status == GR_OK && node->config.canary == GR_CANARY_NO_FILL)
        filled = *stored;
    else if (status == GR_OK)
        filled = gr_record_fill(&node->scratch, stored, &node->partition[op->partition].clock);
    if (op->kind == GR_KEYOP_SHOW) {
        gr_offer_on_shown(node, op->call, op->index, status, &filled);
        return;
    }
    if (op->call != 0) {
        struct gr_call *call = gr_call_find(node, GR_CALL_GET, op->call);
        if (call != NULL)
            gr_get_on_state(node, call, node->config.self, status, &filled);
        return;
    }
    if (gr_instant_reached(node->now, op->deadline) || (op->repairs && status != GR_OK))
        return; // the asker has given up: its work is dropped
    struct gr_message state = {.type = op->repairs ? GR_MSG_REPAIR : GR_MSG_STATE,
        .id = op->peer_call,
        .status = status,
        .key = op->key,
        .bare = op->bare,
        .record = filled};
    if (!op->repairs)
        (void)gr_node_send(node, op->peer, &state);
    else if (!gr_witness_say(node, op->peer, &state))
        return; // an exchange finds it
}

static void end_reader(
    struct gr_node *node, struct gr_keyop *op, enum gr_err status, const struct gr_record *stored)
{
    // Telling may start other work on the key: the reader keeps the latch until it is told.
    struct gr_latch *latch = op->latch;
    if (op->kind == GR_KEYOP_READ && !op->repairs)
        gr_node_foreground(node, op->since);
    tell_state(node, op, status, stored);
    gr_keyop_free(node, op);
    gr_assert(latch->readers > 0);
    latch->readers--;
    gr_latch_rest(node, latch);
}

// ---- writing -------------------------------------------------------------------------------

// What one write changes of the expiry index: the due minutes of siblings that came and went.
static uint32_t due_of(struct gr_arena *arena, const struct gr_record *record,
    const struct gr_record *other, const struct gr_wall **ret)
{
    struct gr_wall *due = gr_arena_array(arena, struct gr_wall, record->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->count; i++)
        if (record->sibling[i].expires.ms != 0 &&
            gr_record_find(other, &record->sibling[i].dot) == NULL)
            due[count++] = record->sibling[i].expires;
    *ret = due;
    return count;
}

// A removed sibling may share its minute with one that stays: the row must stay with it.
static uint32_t due_gone(struct gr_arena *arena, const struct gr_record *before,
    const struct gr_record *after, const struct gr_wall **ret)
{
    uint32_t count = due_of(arena, before, after, ret), kept = 0;
    struct gr_wall *due = (struct gr_wall *)*ret;
    for (uint32_t i = 0; i < count; i++) {
        bool shared = false;
        for (uint32_t k = 0; k < after->count && !shared; k++)
            shared = after->sibling[k].expires.ms != 0 &&
                     gr_wall_minute(after->sibling[k].expires) == gr_wall_minute(due[i]);
        if (!shared)
            due[kept++] = due[i];
    }
    return kept;
}

// The rows of the actors whose dots a write made seen; a few may stand twice, which does no harm.
static uint32_t changed_rows(struct gr_node *node, const struct gr_clock *clock,
    const struct gr_record *incoming, const struct gr_dot *dot,
    const struct gr_clock_row *const **ret)
{
    uint32_t max = incoming->count + incoming->context.cloud_count + 1, count = 0;
    const struct gr_clock_row **row =
        gr_arena_array(&node->scratch, const struct gr_clock_row *, max);
    for (uint32_t i = 0; i < max; i++) {
        const struct gr_dot *seen = i < incoming->count ? &incoming->sibling[i].dot
                                    : i + 1 < max ? &incoming->context.cloud[i - incoming->count]
                                                  : dot;
        const struct gr_clock_row *changed =
            seen->counter == 0 ? NULL : gr_clock_row(clock, seen->actor);
        if (changed != NULL && (count == 0 || row[count - 1] != changed))
            row[count++] = changed;
    }
    *ret = row;
    return count;
}

static bool learn(struct gr_partition *p, const struct gr_dot *dot)
{
    bool learned = gr_clock_add(&p->clock, dot);
    if (learned)
        gr_sweep_moved(p, dot->actor);
    return learned;
}

static bool clock_learns(struct gr_node *node, uint32_t partition, const struct gr_record *incoming,
    const struct gr_dot *dot)
{
    struct gr_partition *p = &node->partition[partition];
    bool learned = false;
    for (uint32_t i = 0; i < incoming->count; i++)
        learned |= learn(p, &incoming->sibling[i].dot);
    for (uint32_t i = 0; i < incoming->context.cloud_count; i++)
        learned |= learn(p, &incoming->context.cloud[i]);
    if (dot->counter != 0)
        learned |= learn(p, dot);
    const struct gr_clock_row *row = gr_clock_row(&p->clock, dot->actor);
    if (row != NULL && row->interval_count > 0)
        gr_probe(&node->probes, GR_PROBE_CLOCK_GAP);
    p->hashed &= !learned;
    return learned;
}

uint64_t gr_replica_counter(const struct gr_node *node, const struct gr_partition *p)
{
    struct gr_dot last = {node->config.actor, p->counter};
    return p->counter > 0 && gr_clock_has(&p->clock, &last) ? p->counter : 0;
}

// The index row that led here names a value that is not there: its record was lost.
static bool is_stale(const struct gr_keyop *op, const struct gr_record *record)
{
    if (op->kind != GR_KEYOP_EXPIRE || op->due.ms == 0)
        return false;
    for (uint32_t i = 0; i < record->count; i++)
        if (record->sibling[i].expires.ms != 0 &&
            gr_wall_minute(record->sibling[i].expires) == gr_wall_minute(op->due))
            return false;
    return true;
}

static void emit_write(struct gr_node *node, struct gr_keyop *op, const struct gr_record *before,
    const struct gr_record *after, const struct gr_record *incoming,
    const struct gr_put_intent *intent)
{
    struct gr_partition *p = &node->partition[op->partition];
    bool gone = after->count == 0 &&
                (gr_context_empty(&after->context) || node->config.canary == GR_CANARY_BARE_DELETE);
    // What is restripped stands in the index, whatever its row says: that may have been lost.
    bool left_before = !gr_context_empty(&before->context) || op->kind == GR_KEYOP_RESTRIP;
    bool left_after = !gone && !gr_context_empty(&after->context);
    ++node->writes;
    gr_walk_written(node, op, after, gr_walk_hash(node, &op->key, before),
        gone ? (struct gr_sum){0} : gr_walk_hash(node, &op->key, after),
        (after->count > 0) - (before->count > 0));
    struct gr_store_write write = {
        .number = node->writes,
        .partition = op->partition,
        .key = op->key,
        .record = gone ? NULL : after,
        .counter = gr_replica_counter(node, p),
        .count = p->count,
        .sum = p->sum,
        .leftover = (int)left_after - (int)left_before,
        .sync = gr_keyop_wants_sync(node, op),
        .drawn = op->kind != GR_KEYOP_PUT ? NULL
                 : incoming->count > 0    ? &incoming->sibling[0].dot
                                          : &op->dot,
        .seal = intent->sealed ? &op->dot : NULL,
        .drawn_by = intent->id,
        .drawn_context = intent->context,
    };
    write.row_count = changed_rows(node, &p->clock, incoming, &op->dot, &write.row);
    write.due_add_count = due_of(&node->scratch, after, before, &write.due_add);
    write.due_remove_count = due_gone(&node->scratch, before, after, &write.due_remove);
    if (is_stale(op, before) && is_stale(op, after)) {
        write.due_remove = &op->due;
        write.due_remove_count = 1;
    }
    if (gone && before->count > 0)
        gr_probe(&node->probes, GR_PROBE_RECORD_GONE);
    if (after->count == 0 && left_after)
        gr_probe(&node->probes, GR_PROBE_RECORD_MARKER);
    node->stats.replica_writes++;
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_WRITE, .write = &write});
    op->latch->version++;
    if (gone)
        gr_latch_remember(op->latch, &GR_RECORD_NOTHING);
    else if (node->config.canary != GR_CANARY_OLD_CACHE)
        gr_latch_remember(op->latch, after);
}

// True if a sibling that would stay under this context has no value here.
static bool lacks_values(const struct gr_record *record, const struct gr_context *context)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (record->sibling[i].bare && !gr_context_covers(context, &record->sibling[i].dot))
            return true;
    return false;
}

// Bytes of all values that the key would have: its state must fit into one frame to peers.
static size_t bytes_kept(const struct gr_record *filled, const struct gr_put_intent *intent)
{
    size_t bytes = intent->sibling.value.size;
    for (uint32_t i = 0; i < filled->count; i++)
        if (!gr_context_covers(&intent->context, &filled->sibling[i].dot))
            bytes += filled->sibling[i].value.size;
    return bytes;
}

// Gives a put whose turn has come its dot, and its seal if it is to have one (put.c, U4). The delta
// is what is merged here and what travels: the new sibling and the client's context, not what else
// this store holds or has seen.
static struct gr_record draw(struct gr_node *node, struct gr_keyop *op,
    const struct gr_record *filled, const struct gr_put_intent *intent)
{
    struct gr_dot dot[2] = {op->dot_drawn ? op->dot : intent->dot};
    if (dot[0].counter == 0)
        dot[0] = gr_spare_draw(node, op->partition);
    if (intent->sealed)
        dot[1] = gr_spare_draw(node, op->partition);
    op->dot = dot[intent->sealed];
    struct gr_sibling *sibling = gr_arena_new(&node->scratch, struct gr_sibling);
    *sibling = intent->sibling;
    sibling->dot = dot[0];
    struct gr_context own = gr_context_make(&node->scratch, NULL, 0, dot, intent->sealed ? 2 : 1);
    const struct gr_context *seen = &intent->context;
    if (node->config.canary == GR_CANARY_FILLED_DELTA)
        seen = &filled->context;
    return (struct gr_record){
        .sibling = intent->remove ? NULL : sibling,
        .count = intent->remove ? 0 : 1,
        .context = gr_context_join(&node->scratch, seen, &own),
    };
}

// P6. False: it need not wait, or *ret_err says why it cannot.
static bool waits_for_witness(struct gr_node *node, struct gr_keyop *op,
    const struct gr_record *stored, const struct gr_record *filled, enum gr_err *ret_err)
{
    bool state =
        op->kind == GR_KEYOP_REPAIR || op->kind == GR_KEYOP_OFFER || op->kind == GR_KEYOP_TAKEN;
    if (!state || op->witnessed || !gr_witness_takes(&op->incoming, filled) ||
        node->config.exchange_interval.ns == 0 || node->config.canary == GR_CANARY_UNWITNESSED)
        return false;
    uint64_t ticket = gr_node_id(node);
    if (!gr_witness_wait(node, &op->key, ticket)) {
        *ret_err = GR_ERR_BUSY;
        return false;
    }
    size_t before = op->arena.bytes;
    op->stored = gr_record_copy(&op->arena, stored, false);
    node->memory += op->arena.bytes - before;
    op->version = op->latch->version;
    op->ticket = ticket;
    gr_map_insert(&node->keyops, &op->by_ticket, ticket);
    return true;
}

enum applied {
    APPLIED,      // or *ret_err says why not
    NEEDS_VALUES, // a sibling that stays has no value here: the record must be read first
    WAITS,        // for its witness
};

// The write itself: merge into what is stored, and let the clock learn in the same step (P2).
static enum applied apply(
    struct gr_node *node, struct gr_keyop *op, const struct gr_record *stored, enum gr_err *ret_err)
{
    if (node->store != GR_OK || !gr_holder_admits(node, op)) {
        // A clock must not learn what the store will not hold.
        *ret_err = node->store != GR_OK ? node->store : GR_ERR_NOT_OWNER;
        return APPLIED;
    }
    struct gr_partition *p = &node->partition[op->partition];
    struct gr_record filled = gr_record_fill(&node->scratch, stored, &p->clock);
    struct gr_record incoming = op->incoming;
    struct gr_put_intent intent = {.remove = false};
    if (op->kind == GR_KEYOP_PUT) {
        *ret_err = gr_put_prepare(node, op->call, &filled, &intent);
        if (*ret_err != GR_OK)
            return APPLIED;
        if (lacks_values(&filled, &intent.context))
            return NEEDS_VALUES;
        if (!intent.remove && bytes_kept(&filled, &intent) > GR_SIBLINGS_BYTES_MAX) {
            *ret_err = GR_ERR_LIMIT_SIBLINGS;
            return APPLIED;
        }
        incoming = draw(node, op, &filled, &intent);
    }
    *ret_err = gr_state_admit(node, op, &filled, &incoming);
    if (*ret_err != GR_OK)
        return APPLIED;
    struct gr_record merged =
        op->kind == GR_KEYOP_EXPIRE ? gr_record_drop_due(&node->scratch, &filled, node->sweep_to)
        : op->kind == GR_KEYOP_DROP ? GR_RECORD_NOTHING
                                    : gr_record_merge(&node->scratch, &filled, &incoming);
    if (op->kind == GR_KEYOP_TAKEN && gr_state_is_known(node, op, stored, &merged))
        return APPLIED;
    if (lacks_values(&merged, &GR_CONTEXT_NOTHING)) {
        gr_assert(op->kind != GR_KEYOP_PUT);
        return NEEDS_VALUES;
    }
    if (waits_for_witness(node, op, stored, &filled, ret_err))
        return WAITS;
    if (*ret_err != GR_OK)
        return APPLIED;
    bool learned = clock_learns(node, op->partition, &incoming, &op->dot);
    struct gr_record after = gr_record_strip(&node->scratch, &merged, &p->clock);
    bool changed = !gr_record_equal(&after, stored); // of a header, emit_write changes what it says
    if (!gr_context_empty(&after.context))
        gr_sweep_await(&node->partition[op->partition], &after.context);
    bool stale = is_stale(op, stored) ||
                 (op->kind == GR_KEYOP_RESTRIP && gr_context_empty(&stored->context));
    if (learned || changed || op->unreadable || stale)
        emit_write(node, op, stored, &after, &incoming, &intent);
    op->write_number = node->writes;
    if (op->kind == GR_KEYOP_PUT) {
        if (merged.count > 1)
            gr_probe(&node->probes, GR_PROBE_PUT_SIBLING);
        gr_put_on_written(node, op->call, &op->dot, &incoming);
    } else if (op->kind == GR_KEYOP_OFFER) {
        gr_state_tell(node, op, GR_OK, &merged);
    } else if (op->kind == GR_KEYOP_EXPIRE) {
        if (merged.count < filled.count)
            gr_probe(&node->probes, GR_PROBE_RECORD_EXPIRED);
        op->stuck = merged.count == filled.count; // its row stands where it stood
        for (uint32_t i = 0; i < merged.count; i++)
            op->stuck |= gr_sibling_due(&merged.sibling[i], node->sweep_to);
    } else if (op->kind == GR_KEYOP_RESTRIP) {
        op->stuck = !gr_context_empty(&after.context);
        if (changed)
            gr_probe(&node->probes, GR_PROBE_RECORD_RESTRIPPED);
    }
    return APPLIED;
}

// The write is durable, or failed: tells whoever waits and frees the op.
void gr_keyop_end(struct gr_node *node, struct gr_keyop *op, enum gr_err err)
{
    bool own = op->kind == GR_KEYOP_DELTA && op->call != 0; // a hint kept here for this node
    bool acked = !own && (op->kind == GR_KEYOP_DELTA || op->kind == GR_KEYOP_HINT);
    bool put = op->kind == GR_KEYOP_PUT || op->kind == GR_KEYOP_STAND_IN;
    // F3: what was told when it was applied has been sampled.
    bool waited = put || (acked && node->config.durability == GR_DURABILITY_COMMIT);
    if (waited && !op->told)
        gr_node_foreground(node, op->since);
    if (acked)
        gr_keyop_tell_ack(node, op, err, err == GR_OK);
    else if (own)
        gr_hint_on_own(node, op->call, err);
    else if (put && err == GR_OK)
        gr_put_on_stored(node, op->call, true);
    else if (op->kind == GR_KEYOP_PUT)
        gr_put_on_failed(node, op->call, err);
    else if (op->kind == GR_KEYOP_EXPIRE || op->kind == GR_KEYOP_RESTRIP) {
        node->partition[op->partition].ripe |= op->kind == GR_KEYOP_RESTRIP && err != GR_OK;
        gr_sweep_on_keyop(node, op->stuck || err != GR_OK);
    } else if (op->kind == GR_KEYOP_OFFER && err != GR_OK)
        gr_state_tell(node, op, err, NULL);
    else if (op->kind == GR_KEYOP_TAKEN)
        gr_offer_on_merged(node, op->call, op->index, err);
    else if (op->kind == GR_KEYOP_DROP)
        gr_drop_on_keyop(node, err);
    else if (op->kind == GR_KEYOP_COVERED)
        gr_round_covered(node, op);
    gr_keyop_free(node, op);
}

// P3: what others may count on waits for the store; housekeeping waits for nothing.
void gr_keyop_wait(struct gr_node *node, struct gr_keyop *op)
{
    if (!gr_keyop_waits(op) || op->write_number <= node->synced ||
        node->config.canary == GR_CANARY_ACK_BEFORE_SYNC)
        gr_keyop_end(node, op, GR_OK);
    else if (node->config.durability == GR_DURABILITY_COMMIT && node->unapplied.first == NULL)
        gr_list_append(&node->unsynced, &op->link); // A3 of durability.c
    else if (op->write_number > node->applied || node->unapplied.first != NULL)
        gr_list_append(&node->unapplied, &op->link);
    else
        gr_keyop_applied(node, op);
}

// Lets `op` write from the header if it is known and enough. False: a READ is under way, or it
// waits for its witness.
static bool run_writer(struct gr_node *node, struct gr_keyop *op)
{
    struct gr_latch *latch = op->latch;
    enum gr_err err = GR_OK;
    enum applied done = latch->known ? apply(node, op, &latch->header, &err) : NEEDS_VALUES;
    if (done == WAITS)
        return false;
    if (done == APPLIED) {
        if (op->kind == GR_KEYOP_PUT)
            gr_probe(&node->probes, GR_PROBE_PUT_CACHED);
        if (err == GR_OK)
            gr_keyop_wait(node, op);
        else
            gr_keyop_end(node, op, err);
        return true;
    }
    emit_read(node, op);
    return false;
}

// P1: one writer after the other.
static void run_queue(struct gr_node *node, struct gr_latch *latch)
{
    while (latch->holder == NULL && latch->queue.count > 0) {
        struct gr_keyop *op = GR_CONTAINER(gr_list_take(&latch->queue), struct gr_keyop, link);
        latch->holder = op;
        if (!run_writer(node, op))
            return;
        latch->holder = NULL;
    }
    gr_latch_rest(node, latch);
}

enum gr_err gr_replica_submit(struct gr_node *node, struct gr_keyop *op)
{
    node->memory += op->arena.bytes;
    struct gr_latch *latch = op->latch = gr_latch_of(node, &op->key);
    if (op->kind == GR_KEYOP_READ || op->kind == GR_KEYOP_SHOW) {
        latch->readers++;
        if (latch->known && (op->bare || latch->header.count == 0))
            end_reader(node, op, GR_OK, &latch->header);
        else
            emit_read(node, op);
        return GR_OK;
    }
    if (node->config.canary == GR_CANARY_EARLY_DOT && op->kind == GR_KEYOP_PUT) {
        op->dot = (struct gr_dot){node->config.actor, ++node->partition[op->partition].counter};
        op->dot_drawn = true;
        (void)gr_clock_add(&node->partition[op->partition].clock, &op->dot);
    }
    if (node->config.canary == GR_CANARY_NO_LATCH && latch->holder != NULL) {
        latch->readers++; // keeps the latch alive: this writer has no turn to wait for
        emit_read(node, op);
        return GR_OK;
    }
    if (latch->queue.count >= node->config.latch_queue_max) {
        gr_probe(&node->probes, GR_PROBE_LATCH_FULL);
        gr_keyop_free(node, op);
        return GR_ERR_BUSY;
    }
    if (latch->holder != NULL)
        gr_probe(&node->probes, GR_PROBE_LATCH_WAITED);
    gr_list_append(&latch->queue, &op->link);
    run_queue(node, latch);
    return GR_OK;
}

// ---- events --------------------------------------------------------------------------------

// Whoever asked still waits. A key that is written all the time must not keep a reader for ever.
static bool is_wanted(struct gr_node *node, const struct gr_keyop *op)
{
    if (op->kind == GR_KEYOP_SHOW)
        return gr_exchange_wants(node, op->call);
    return op->call != 0 ? gr_call_find(node, GR_CALL_GET, op->call) != NULL
                         : !gr_instant_reached(node->now, op->deadline);
}

static void reader_done(
    struct gr_node *node, struct gr_keyop *op, enum gr_err status, const struct gr_record *stored)
{
    struct gr_latch *latch = op->latch;
    bool changed = latch->version != op->version && node->config.canary != GR_CANARY_FILL_NOW;
    if (status == GR_OK && changed && is_wanted(node, op)) {
        gr_probe(&node->probes, GR_PROBE_GET_READ_AGAIN);
        emit_read(node, op);
        return;
    }
    if (status == GR_OK && changed)
        status = GR_ERR_TIMEOUT;
    else if (status != GR_OK)
        gr_latch_forget(latch);
    else if (latch->version == op->version && !latch->known)
        gr_latch_remember(latch, stored);
    end_reader(node, op, status, stored);
}

static void writer_done(
    struct gr_node *node, struct gr_keyop *op, enum gr_err status, const struct gr_record *stored)
{
    struct gr_latch *latch = op->latch;
    bool holds = latch->holder == op;
    gr_assert(holds ? latch->version == op->version || node->config.canary == GR_CANARY_NO_LATCH
                    : node->config.canary == GR_CANARY_NO_LATCH);
    enum gr_err err = status;
    enum applied done = err == GR_OK ? apply(node, op, stored, &err) : APPLIED;
    if (done == NEEDS_VALUES)
        gr_unreachable("a record that was read with its values has them");
    if (done == WAITS)
        return;
    if (status != GR_OK)
        gr_latch_forget(latch);
    else if (err != GR_OK)
        gr_latch_remember(latch, stored);
    if (err == GR_OK)
        gr_keyop_wait(node, op);
    else
        gr_keyop_end(node, op, err);
    // Only now: what was told may have started other work on the key, and must find the pen taken.
    if (holds)
        latch->holder = NULL;
    else
        latch->readers--;
    run_queue(node, latch);
}

void gr_replica_on_read(struct gr_node *node, const struct gr_event *event)
{
    struct gr_map_link *link = gr_map_first(&node->keyops, event->ticket);
    gr_assert(link != NULL);
    struct gr_keyop *op = GR_CONTAINER(link, struct gr_keyop, by_ticket);
    gr_map_remove(&node->keyops, link);
    op->ticket = 0;
    enum gr_err status = event->status;
    struct gr_record stored = event->record;
    if (status == GR_ERR_NOT_FOUND ||
        (status != GR_OK && node->config.canary == GR_CANARY_ABSENT_ON_ERROR)) {
        status = GR_OK;
        stored = GR_RECORD_NOTHING;
    }
    if (status != GR_OK)
        gr_probe(&node->probes, GR_PROBE_READ_DAMAGED);
    if (status == GR_ERR_CORRUPT && !op->again) {
        op->again = true; // an error that passes is no damage
        emit_read(node, op);
        return;
    }
    if (status == GR_ERR_CORRUPT && !op->unreadable)
        gr_damage_unreadable(node, &op->key);
    if (status == GR_ERR_CORRUPT && op->kind != GR_KEYOP_READ) { // what is there says nothing
        status = GR_OK;
        stored = GR_RECORD_NOTHING;
        op->unreadable = true;
    }
    if (op->kind == GR_KEYOP_READ || op->kind == GR_KEYOP_SHOW)
        reader_done(node, op, status, &stored);
    else
        writer_done(node, op, status, &stored);
}

void gr_replica_on_witness(struct gr_node *node, uint64_t ticket, bool sound)
{
    struct gr_map_link *link = gr_map_first(&node->keyops, ticket);
    gr_assert(link != NULL);
    struct gr_keyop *op = GR_CONTAINER(link, struct gr_keyop, by_ticket);
    gr_map_remove(&node->keyops, link);
    op->ticket = 0;
    op->witnessed = true;
    writer_done(node, op, sound ? GR_OK : GR_ERR_BUSY, &op->stored);
}

void gr_replica_on_synced(struct gr_node *node, uint64_t number)
{
    gr_replica_on_applied(node, number);
    node->synced = GR_MAX(node->synced, number);
    gr_holder_on_synced(node);
    while (node->unsynced.first != NULL) {
        struct gr_keyop *op = GR_CONTAINER(node->unsynced.first, struct gr_keyop, link);
        if (op->write_number > number)
            return;
        gr_list_remove(&node->unsynced, &op->link);
        if (op->told)
            gr_probe(&node->probes, GR_PROBE_ACK_DURABLE_LATER);
        gr_keyop_end(node, op, GR_OK);
    }
}

void gr_replica_deinit(struct gr_node *node)
{
    struct gr_link *link;
    while ((link = gr_list_take(&node->unapplied)) != NULL)
        gr_keyop_free(node, GR_CONTAINER(link, struct gr_keyop, link));
    while ((link = gr_list_take(&node->unsynced)) != NULL)
        gr_keyop_free(node, GR_CONTAINER(link, struct gr_keyop, link));
    for (uint32_t i = 0; i < node->keyops.bucket_count; i++) {
        while (node->keyops.bucket[i] != NULL) {
            struct gr_keyop *op = GR_CONTAINER(node->keyops.bucket[i], struct gr_keyop, by_ticket);
            gr_map_remove(&node->keyops, &op->by_ticket);
            op->ticket = 0;
            gr_keyop_free(node, op);
        }
    }
    for (uint32_t i = 0; i < node->latches.bucket_count; i++) {
        while (node->latches.bucket[i] != NULL) {
            struct gr_latch *latch = GR_CONTAINER(node->latches.bucket[i], struct gr_latch, link);
            while ((link = gr_list_take(&latch->queue)) != NULL)
                gr_keyop_free(node, GR_CONTAINER(link, struct gr_keyop, link));
            gr_latch_free(node, latch);
        }
    }
    gr_map_deinit(&node->keyops);
    gr_map_deinit(&node->latches);
}
