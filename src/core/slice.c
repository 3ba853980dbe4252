// Slices: background work asks before it begins, and is paid for key by key (§6.5).
//
// Exchanges, passes, sweeps and hints share one allowance (throttle.c). Who reads a page asks for
// slices; who gives, takes or mends single keys takes them from a slice that was admitted, like
// eggs from a box: the next box is opened when the last is empty, and only if there is one. A box
// does not end with an exchange or a page, or few keys in each of many places would cost as much as
// many.
//
//   L1  Keys that a peer offers are this node's background work too: they wait for their slice
//       here (serve.c), whatever the peer's throttle says of the peer.
//
// Source: §6.5. Owns: node->slice.
#include "core/inside.h"

bool gr_node_background(struct gr_node *node, uint32_t slices)
{
    if (node->config.canary == GR_CANARY_BACKGROUND_FREE)
        return true;
    bool admitted = gr_throttle_admit(&node->throttle, node->now, slices);
    if (!admitted)
        gr_probe(&node->probes, GR_PROBE_BACKGROUND_WAITED);
    return admitted;
}

struct gr_instant gr_node_background_at(const struct gr_node *node, uint32_t slices)
{
    return gr_throttle_next(&node->throttle, node->now, slices);
}

bool gr_slice_key(struct gr_node *node)
{
    struct gr_slice *slice = &node->slice;
    if (slice->keys == 0) {
        if (!gr_node_background(node, 1))
            return false;
        *slice = (struct gr_slice){.keys = GR_SLICE_RECORDS};
    }
    slice->keys--;
    return true;
}

void gr_slice_keys(struct gr_node *node, uint32_t keys)
{
    struct gr_slice *slice = &node->slice;
    if (keys <= slice->keys) {
        slice->keys -= keys;
        return;
    }
    uint32_t more = keys - slice->keys;
    uint32_t slices = gr_throttle_slices(more, 0);
    gr_throttle_owe(&node->throttle, slices);
    *slice = (struct gr_slice){.keys = slices * GR_SLICE_RECORDS - more};
}

void gr_slice_bytes(struct gr_node *node, size_t bytes)
{
    struct gr_slice *slice = &node->slice;
    slice->bytes += bytes;
    if (slice->bytes < GR_SLICE_BYTES)
        return;
    gr_throttle_owe(&node->throttle, gr_throttle_slices(1, slice->bytes) - 1); // one was admitted
    *slice = (struct gr_slice){.keys = 0};
}
