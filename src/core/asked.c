// What peers ask of a replica: a READ, a DELTA or a REPAIR becomes a keyop, or is refused (§4.5).
//
// Owns: nothing; a keyop is the replica's once it is submitted. Bounds: calls_max keyops of peers.
#include "core/entropy.h"

static void refuse(
    struct gr_node *node, uint16_t peer, const struct gr_message *message, enum gr_err err)
{
    struct gr_message answer = {
        .type = message->type == GR_MSG_READ ? GR_MSG_STATE : GR_MSG_ACK,
        .id = message->id,
        .status = err,
    };
    if (message->type != GR_MSG_REPAIR)
        (void)gr_node_send(node, peer, &answer);
}

bool gr_replica_is_sound(const struct gr_message *message)
{
    return gr_state_is_sound(&message->record) &&
           (message->type != GR_MSG_DELTA ||
               gr_context_covers(&message->record.context, &message->dot));
}

void gr_replica_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    uint32_t partition = gr_ring_partition(node->ring, message->key.slot);
    if (gr_ring_position(node->ring, partition, node->config.self) < 0) {
        refuse(node, peer, message, GR_ERR_NOT_OWNER);
        return;
    }
    bool reads = message->type == GR_MSG_READ;
    if (!reads && !gr_replica_is_sound(message)) {
        refuse(node, peer, message, GR_ERR_INVALID);
        return;
    }
    if (!reads && node->store != GR_OK) {
        refuse(node, peer, message, node->store);
        return;
    }
    struct gr_instant deadline = gr_instant_after(node->arrived, gr_span_ms(message->deadline_ms));
    // A write is taken however late it comes: its coordinator has it, and what is not taken now
    // would have to be repaired.
    if (reads && gr_instant_reached(node->now, deadline)) {
        gr_probe(&node->probes, GR_PROBE_MESSAGE_LATE);
        return;
    }
    enum gr_keyop_kind kind = reads                           ? GR_KEYOP_READ
                              : message->type == GR_MSG_DELTA ? GR_KEYOP_DELTA
                                                              : GR_KEYOP_REPAIR;
    size_t bytes = gr_record_value_bytes(&message->record);
    struct gr_keyop *op = gr_keyop_new(node, kind, &message->key, bytes);
    if (op == NULL) {
        node->stats.busy++;
        refuse(node, peer, message, GR_ERR_BUSY);
        return;
    }
    op->peer = peer;
    op->peer_call = message->id;
    op->bare = message->bare;
    op->durable = message->durable;
    op->deadline = deadline;
    if (!reads) {
        op->incoming = gr_record_copy(&op->arena, &message->record, false);
        op->dot = message->type == GR_MSG_DELTA ? message->dot : (struct gr_dot){0};
    }
    if (gr_replica_submit(node, op) != GR_OK) {
        node->stats.busy++;
        refuse(node, peer, message, GR_ERR_BUSY);
    }
}
