// What peers ask of a replica: a READ, a DELTA or a REPAIR becomes a keyop, or is refused (§4.5).
//
// A DELTA from another site may name others of this one. It is passed on to them before anything
// else, whether it is taken here or not; each of them answers the one whose call it is, as if that
// had asked it, and what comes twice is one write, because its dot is one (replicate.c, S7).
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

// Passes the write on to those that it names, and finds whom to answer: the place of that member,
// -1 if it is unknown.
static int relay(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_message passed = *message;
    passed.relay_count = 0;
    passed.asked_by = node->ring->member[peer].id;
    for (uint32_t i = 0; i < message->relay_count; i++) {
        int to = gr_ring_find(node->ring, message->relay_list[i]);
        if (to >= 0 && to != peer && to != node->config.self &&
            gr_node_send(node, (uint16_t)to, &passed))
            gr_probe(&node->probes, GR_PROBE_RELAY_PASSED);
    }
    int asker = message->asked_by == 0 ? peer : gr_ring_find(node->ring, message->asked_by);
    return asker == node->config.self ? -1 : asker;
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
    bool reads = message->type == GR_MSG_READ;
    if (message->type == GR_MSG_DELTA) {
        int asker = relay(node, peer, message);
        if (asker < 0)
            return;
        peer = (uint16_t)asker;
    }
    if (reads ? !gr_holder_shows(node, partition) : !gr_holder_takes(node, partition)) {
        bool fills = gr_holder_owns(node, partition); // one day it will hold what it owns
        refuse(node, peer, message, fills ? GR_ERR_LOADING : GR_ERR_NOT_OWNER);
        return;
    }
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
        refuse(node, peer, message, GR_ERR_BUSY);
        return;
    }
    op->peer = peer;
    op->peer_call = message->id;
    op->hearsay = message->type == GR_MSG_REPAIR && message->id != 0;
    op->bare = message->bare;
    op->durable = message->durable;
    op->deadline = deadline;
    if (!reads) {
        op->incoming = gr_record_copy(&op->arena, &message->record, false);
        op->dot = message->type == GR_MSG_DELTA ? message->dot : (struct gr_dot){0};
    }
    if (gr_replica_submit(node, op) != GR_OK)
        refuse(node, peer, message, GR_ERR_BUSY);
}
