// Spare dots: drawn for a put that certainly did not start anywhere.
//
// A dot is drawn where a put lands, before it is handed to an owner. When every owner has said no,
// nobody will ever show that dot, and the clocks of the owners would keep a gap before the next
// one: contexts behind a gap are not stripped, and deleted keys behind it stay as markers. So the
// next put takes the dot; and if none comes, the owners are told of it as of a write of nothing.
//
//   X1  A dot is given back only when no node can have written it.
//   X2  It is taken by one put, or told to the owners, never both.
//
// Owns: node->spare. Bounds: SPARE_MAX dots; more than that leave gaps, which is safe.
#include "core/inside.h"

#include <string.h>

enum { SPARE_MAX = 1024, REST_MS = 2000, VOIDS_MAX = 16 };

static void spare_free(struct gr_node *node, struct gr_spare *spare)
{
    gr_list_remove(&node->spare, &spare->link);
    gr_hook_memory((void *)spare->key.key.data, 0);
    gr_hook_memory(spare, 0);
}

struct gr_dot gr_spare_draw(struct gr_node *node, uint32_t partition)
{
    for (struct gr_link *link = node->spare.first; link != NULL; link = link->after) {
        struct gr_spare *spare = GR_CONTAINER(link, struct gr_spare, link);
        if (gr_ring_partition(node->ring, spare->key.slot) != partition)
            continue;
        struct gr_dot dot = spare->dot;
        spare_free(node, spare);
        return dot;
    }
    return (struct gr_dot){node->config.actor, ++node->partition[partition].counter};
}

void gr_spare_give_back(struct gr_node *node, const struct gr_key *key, const struct gr_dot *dot)
{
    struct gr_partition *p = &node->partition[gr_ring_partition(node->ring, key->slot)];
    gr_assert(gr_actor_compare(dot->actor, node->config.actor) == 0);
    gr_probe(&node->probes, GR_PROBE_DOT_SPARE);
    if (dot->counter == p->counter) {
        p->counter--;
        return;
    }
    if (node->spare.count == SPARE_MAX)
        return;
    struct gr_spare *spare = gr_hook_memory(NULL, sizeof *spare);
    *spare = (struct gr_spare){.key = *key, .dot = *dot, .since = node->now};
    uint8_t *bytes = gr_hook_memory(NULL, key->key.size + key->bucket.size);
    memcpy(bytes, key->key.data, key->key.size);
    memcpy(bytes + key->key.size, key->bucket.data, key->bucket.size);
    spare->key.key = gr_bytes(bytes, key->key.size);
    spare->key.bucket = gr_bytes(bytes + key->key.size, key->bucket.size);
    gr_list_append(&node->spare, &spare->link);
}

void gr_spare_sweep(struct gr_node *node)
{
    for (int i = 0; i < VOIDS_MAX && node->spare.first != NULL; i++) {
        struct gr_spare *spare = GR_CONTAINER(node->spare.first, struct gr_spare, link);
        struct gr_instant at = gr_instant_after(spare->since, gr_span_ms(REST_MS));
        if (!gr_instant_reached(node->now, at) || !gr_hint_void(node, &spare->key, &spare->dot))
            return;
        spare_free(node, spare);
    }
}

void gr_spare_deinit(struct gr_node *node)
{
    while (node->spare.first != NULL)
        spare_free(node, GR_CONTAINER(node->spare.first, struct gr_spare, link));
}
