// Telling whoever asked: a client, a node that forwarded, or an update here.
//
// Who asked is written on the call when it begins, like the address on an envelope; whoever ends
// the call need not know what kind of asker that is. The envelope also says when the question
// arrived: what a client waited is what the throttle goes by (§6.5).
//
//   F1  The throttle hears of every read and write of a key that was tried, and of every BUSY; a
//       request that was refused for another reason says nothing of how the foreground fares.
//   F2  stats.busy counts the clients' requests that were answered BUSY, and nothing else.
//   F3  Replicas tell it too what others asked of them; not of a write that waits for the disk when
//       the mode does not make it wait. That has DW, and its client is heard (F1), or it is a hint:
//       that background work is slow is no reason to slow background work.
//
// Owns: nothing; a result is borrowed while it is told.
#include "core/inside.h"

struct gr_done gr_node_done(const struct gr_node *node, const struct gr_request *request)
{
    return (struct gr_done){.kind = GR_DONE_CLIENT,
        .op = request->op,
        .ticket = request->ticket,
        .since = node->arrived};
}

void gr_node_foreground(struct gr_node *node, struct gr_instant since)
{
    gr_throttle_sample(&node->throttle, node->now, (struct gr_span){node->now.ns - since.ns});
}

// What says how the foreground fares: reads and writes of keys that were tried, and BUSY.
static void sample_client(
    struct gr_node *node, const struct gr_done *done, const struct gr_result *result)
{
    bool timed = done->op == GR_OP_GET || done->op == GR_OP_PUT || done->op == GR_OP_UPDATE;
    enum gr_err_class class = gr_err_info(result->err)->class;
    node->stats.busy += result->err == GR_ERR_BUSY; // F2
    if (result->err == GR_ERR_BUSY)
        gr_throttle_refused(&node->throttle, node->now);
    else if (timed && (class == GR_CLASS_NONE || class == GR_CLASS_UNKNOWN ||
                          result->err == GR_ERR_READ_QUORUM))
        gr_node_foreground(node, done->since);
}

void gr_done_tell(
    struct gr_node *node, const struct gr_done *done, struct gr_result *result, bool settled)
{
    switch (done->kind) {
    case GR_DONE_CLIENT:
        result->ticket = done->ticket;
        result->op = done->op;
        result->limit = result->err == GR_ERR_LIMIT_VALUE      ? node->config.value_max
                        : result->err == GR_ERR_LIMIT_SIBLINGS ? node->config.siblings_max
                                                               : 0;
        sample_client(node, done, result);
        gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_REPLY, .result = result});
        break;
    case GR_DONE_PEER: {
        struct gr_message message = {
            .type = GR_MSG_FORWARDED,
            .id = done->call,
            .status = result->err,
            .outcome = result->outcome,
            .acks = result->acks,
            .reached = result->reached,
            .primaries = result->primaries,
            .durable_acks = result->durable,
            .settled = settled,
            .record = {.context = result->record.context},
            .hybrid_needed = result->hybrid_needed,
        };
        (void)gr_node_send(node, done->peer, &message);
        break;
    }
    case GR_DONE_UPDATE:
        gr_update_on_result(node, done->call, result);
        break;
    }
}

void gr_done_acked(
    struct gr_node *node, const struct gr_done *done, uint8_t acks, uint8_t durable, bool settled)
{
    if (done->kind == GR_DONE_PEER) {
        struct gr_message message = {.type = GR_MSG_ACKED,
            .id = done->call,
            .acks = acks,
            .durable_acks = durable,
            .settled = settled};
        (void)gr_node_send(node, done->peer, &message);
        return;
    }
    // An update is gone by now, but its client may still wait for the replicas of its put.
    gr_node_emit(node,
        &(struct gr_effect){
            .type = GR_EFFECT_ACKED, .ticket = done->ticket, .acks = acks, .durable = durable});
}
