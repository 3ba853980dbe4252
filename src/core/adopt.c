// Adopting a ring, or what else the cluster has agreed on: what a node does when that has changed
// (§4.8.1, §6.2).
//
// A new timetable hangs at the station. Trains that are under way arrive as they left; the next
// ones go by the new one. So a request keeps the list that it began with, and everything that
// outlives a request is looked at here: whatever was kept by position of a list is carried over to
// the new positions, or forgotten where it can be learned again.
//
//   AD1 Members keep their places: a new ring's table begins with the one before.
//   AD2 What comparing with a peer showed is kept as long as both own the partition.
//   AD3 R and W of requests that do not say otherwise fit the ring: of more than N all are asked.
//   AD4 Durability that was raised is that of whatever this node answers from then on, puts that
//       are under way too. What was answered before keeps what was promised then.
//
// Source: §4.8.1. Owns: nothing. Bounds: GR_MEMBERS_MAX members.
#include "core/entropy.h"

void gr_adopt_members(struct gr_node *node, uint16_t count)
{
    uint16_t had = node->member_capacity;
    if (count <= had)
        return;
    node->peer = gr_hook_memory(node->peer, count * sizeof *node->peer);
    node->holding = gr_hook_memory(node->holding, count * sizeof *node->holding);
    for (uint16_t m = had; m < count; m++) {
        gr_peer_init(&node->peer[m]);
        node->holding[m] = (struct gr_holding){.bits = NULL};
    }
    node->member_capacity = count;
    if (node->entropy != NULL)
        gr_serve_members(node, had, count);
}

void gr_adopt_ring(struct gr_node *node, const struct gr_ring *ring)
{
    const struct gr_ring *before = node->ring;
    gr_assert(ring != before && ring->partitions == before->partitions);
    gr_assert(ring->member_count >= before->member_count);   // AD1
    node->config.r = gr_quorum_cut(node->config.r, ring->n); // AD3
    node->config.w = gr_quorum_cut(node->config.w, ring->n);
    gr_probe(&node->probes, GR_PROBE_RING_ADOPTED);
    if (ring->n != before->n)
        gr_probe(&node->probes, GR_PROBE_RING_OF_OTHER_N);
    gr_adopt_members(node, ring->member_count);
    node->ring = node->config.ring = ring;
    for (uint32_t p = 0; p < ring->partitions; p++) {
        struct gr_partition *partition = &node->partition[p];
        partition->leaving = partition->leaving && !gr_holder_owns(node, p);
    }
    gr_site_on_ring(node);
    gr_holder_count(node);
    gr_repair_on_ring(node, before);
    gr_round_on_ring(node);
    gr_hint_on_ring(node);
    gr_pass_soon(node);
    gr_transfer_soon(node);
}

// AD4. What others have acknowledged and not synced counts once it is: they say so again.
static void raise_puts(struct gr_node *node)
{
    for (uint32_t i = 0; i < node->calls.bucket_count; i++)
        for (struct gr_map_link *link = node->calls.bucket[i]; link != NULL; link = link->next) {
            struct gr_call *call = GR_CONTAINER(link, struct gr_call, by_id);
            struct gr_put *put = (struct gr_put *)call;
            if (call->kind == GR_CALL_PUT && !put->answered)
                put->quorum.need_durable =
                    GR_MAX(put->quorum.need_durable, gr_need_total(&put->need));
        }
}

void gr_adopt_agreed(struct gr_node *node, const struct gr_event *event)
{
    gr_assert(gr_quorum_fits(event->r, node->ring->n) && gr_quorum_fits(event->w, node->ring->n));
    gr_assert((unsigned)event->durability < GR_DURABILITY_COUNT);
    gr_assert(event->value_max > 0 && event->value_max <= GR_VALUE_BYTES_MAX);
    gr_assert(event->siblings_max > 0 && event->siblings_max <= GR_SIBLINGS_MAX);
    bool raised = event->durability == GR_DURABILITY_COMMIT &&
                  node->config.durability != GR_DURABILITY_COMMIT;
    node->config.r = event->r;
    node->config.w = event->w;
    node->config.durability = event->durability;
    node->config.value_max = event->value_max;
    node->config.siblings_max = event->siblings_max;
    if (raised)
        raise_puts(node);
}
