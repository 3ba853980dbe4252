// Adopting a ring: what a node does when who owns what has changed (§4.8.1, §6.2).
//
// A new timetable hangs at the station. Trains that are under way arrive as they left; the next
// ones go by the new one. So a request keeps the list that it began with, and everything that
// outlives a request is looked at here: whatever was kept by position of a list is carried over to
// the new positions, or forgotten where it can be learned again.
//
//   AD1 Members keep their places: a new ring's table begins with the one before.
//   AD2 What comparing with a peer showed is kept as long as both own the partition.
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
    gr_assert(ring->partitions == before->partitions);
    gr_assert(ring->member_count >= before->member_count); // AD1
    gr_assert(gr_quorum_fits(node->config.r, ring->n) && gr_quorum_fits(node->config.w, ring->n));
    gr_probe(&node->probes, GR_PROBE_RING_ADOPTED);
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
