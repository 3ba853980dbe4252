// When a holder acknowledges a write: once its disk has it, or sooner where the cluster's mode lets
// it (§6.1).
//
// Like a clerk who takes in letters: in the mode `commit` he signs once the letter is in the safe.
// In `interval` he signs when it lies on his desk, and the desk is emptied into the safe every so
// often; then he sends word once more, because only now can a fire in the office not take it. In
// `buffered` one of the N clerks who get a copy, the one who coordinates, goes to the safe first.
//
//   A1  An acknowledgement that says durable is told only after the write is durable; one that does
//       not, only after it is applied, and a durable one follows.
//   A2  The mode matters to clients only: an op that has `durable` set waits for the disk whatever
//       the mode. That is what DW asks for, and what every acknowledgement must set that lets
//       another node forget something: a hint that was delivered, a partition that was handed over.
//   A3  node->unapplied and node->unsynced are in the order of their writes, and all of the first
//       come after all of the second, whatever the mode was when they were written.
//   A4  In `commit` whoever coordinates asks every replica for what is durable, as DW does: who has
//       not heard yet that this is the mode waits for its disk all the same.
//
// Source: Dynamo §6.1. Owns: an op from gr_keyop_wait (replica.c) to its end there. Bounds: ops
// that wait for the interval hold no values; calls_max of them ask for a sync
// (gr_keyop_wants_sync), and with 2 * calls_max the node is BUSY.
#include "core/inside.h"

const char *gr_durability_name(enum gr_durability durability)
{
    static const char *const name[GR_DURABILITY_COUNT] = {"commit", "interval", "buffered"};
    gr_assert((unsigned)durability < GR_DURABILITY_COUNT);
    return name[durability];
}

static bool coordinates(const struct gr_keyop *op)
{
    return op->kind == GR_KEYOP_PUT || op->kind == GR_KEYOP_STAND_IN;
}

bool gr_keyop_waits(const struct gr_keyop *op)
{
    return coordinates(op) || op->kind == GR_KEYOP_DELTA || op->kind == GR_KEYOP_HINT ||
           op->kind == GR_KEYOP_COVERED;
}

bool gr_keyop_waits_for_sync(const struct gr_node *node, const struct gr_keyop *op)
{
    switch (node->config.durability) {
    case GR_DURABILITY_COMMIT:
        return true;
    case GR_DURABILITY_BUFFERED:
        return op->durable || (coordinates(op) && node->config.canary != GR_CANARY_NOBODY_SYNCS);
    case GR_DURABILITY_INTERVAL:
    case GR_DURABILITY_COUNT:
        break;
    }
    return op->durable;
}

// Those that wait for the interval are bounded: so many ask for a sync now. What nobody waits for
// goes with the next one.
bool gr_keyop_wants_sync(const struct gr_node *node, const struct gr_keyop *op)
{
    return (gr_keyop_waits(op) && gr_keyop_waits_for_sync(node, op)) ||
           node->unsynced.count >= node->config.calls_max;
}

void gr_keyop_tell_ack(
    struct gr_node *node, const struct gr_keyop *op, enum gr_err status, bool durable)
{
    struct gr_message ack = {
        .type = GR_MSG_ACK, .id = op->peer_call, .status = status, .durable = durable};
    (void)gr_node_send(node, op->peer, &ack);
}

void gr_keyop_applied(struct gr_node *node, struct gr_keyop *op)
{
    gr_assert(op->write_number <= node->applied && !op->told);
    gr_list_append(&node->unsynced, &op->link);
    if (gr_keyop_waits_for_sync(node, op))
        return;
    op->told = true;
    gr_node_foreground(node, op->since);
    node->memory -= op->arena.bytes;
    gr_arena_deinit(&op->arena);
    op->key = (struct gr_key){.slot = 0};
    op->incoming = GR_RECORD_NOTHING;
    bool durable = node->config.canary == GR_CANARY_EARLY_DURABLE;
    if (coordinates(op))
        gr_put_on_stored(node, op->call, durable);
    else
        gr_keyop_tell_ack(node, op, GR_OK, durable);
}

void gr_replica_on_applied(struct gr_node *node, uint64_t number)
{
    gr_assert(number <= node->writes);
    node->applied = GR_MAX(node->applied, number);
    while (node->unapplied.first != NULL) {
        struct gr_keyop *op = GR_CONTAINER(node->unapplied.first, struct gr_keyop, link);
        if (op->write_number > number)
            return;
        gr_list_remove(&node->unapplied, &op->link);
        gr_keyop_applied(node, op);
    }
}
