// Latches: one pen per page (replica.c, P1), and what was last written there (§4.5).
//
// A latch exists while something is under way on its key, and lives on for a while as a cache
// entry: its header is the stored record without values, so that most writes need not read before.
//
//   P4  The cached header of a latch is the stored record without values, or unknown.
//
//   made by the first op -> (writer, queue, readers) -> idle, header known -> freed, oldest first
//
// Owns: latches, their keys and headers. Bounds: header_bytes_max of idle latches; a header of at
// most HEADER_SIBLINGS_MAX siblings and HEADER_DOTS_MAX dots.
#include "core/inside.h"

#include <string.h>

enum {
    HEADER_SIBLINGS_MAX = 4, // a header larger than this is not worth remembering
    HEADER_DOTS_MAX = 16,
};

// What it takes, without what the allocator adds.
static size_t bytes_of(const struct gr_latch *latch)
{
    return sizeof *latch + latch->key.key.size + latch->key.bucket.size + latch->arena.bytes;
}

static void stop_resting(struct gr_node *node, struct gr_latch *latch)
{
    if (!latch->idle.in)
        return;
    gr_list_remove(&node->idle, &latch->idle);
    node->header_bytes -= bytes_of(latch);
}

void gr_latch_free(struct gr_node *node, struct gr_latch *latch)
{
    stop_resting(node, latch);
    gr_map_remove(&node->latches, &latch->link);
    gr_arena_deinit(&latch->arena);
    gr_hook_memory(latch, 0);
}

struct gr_latch *gr_latch_of(struct gr_node *node, const struct gr_key *key)
{
    for (struct gr_map_link *link = gr_map_first(&node->latches, key->hash); link != NULL;
         link = gr_map_again(link)) {
        struct gr_latch *latch = GR_CONTAINER(link, struct gr_latch, link);
        if (gr_key_equal(&latch->key, key)) {
            stop_resting(node, latch);
            return latch;
        }
    }
    struct gr_latch *latch = gr_hook_memory(NULL, sizeof *latch + key->key.size + key->bucket.size);
    *latch = (struct gr_latch){.key = *key};
    uint8_t *bytes = latch->bytes;
    memcpy(bytes, key->key.data, key->key.size);
    memcpy(bytes + key->key.size, key->bucket.data, key->bucket.size);
    latch->key.key = gr_bytes(bytes, key->key.size);
    latch->key.bucket = gr_bytes(bytes + key->key.size, key->bucket.size);
    gr_map_insert(&node->latches, &latch->link, key->hash);
    return latch;
}

// Nothing under way: the latch becomes a cache entry, or goes.
void gr_latch_rest(struct gr_node *node, struct gr_latch *latch)
{
    if (latch->holder != NULL || latch->queue.count > 0 || latch->readers > 0 || latch->idle.in)
        return;
    if (!latch->known) {
        gr_latch_free(node, latch);
        return;
    }
    gr_list_append(&node->idle, &latch->idle);
    node->header_bytes += bytes_of(latch);
    while (node->header_bytes > node->config.header_bytes_max)
        gr_latch_free(node, GR_CONTAINER(node->idle.first, struct gr_latch, idle));
}

void gr_latch_forget(struct gr_latch *latch)
{
    latch->known = false;
    gr_arena_deinit(&latch->arena);
    latch->header = GR_RECORD_NOTHING;
}

void gr_latch_remember(struct gr_latch *latch, const struct gr_record *stored)
{
    gr_latch_forget(latch);
    if (stored->count > HEADER_SIBLINGS_MAX ||
        stored->context.vv_count + stored->context.cloud_count > HEADER_DOTS_MAX)
        return;
    size_t dots = stored->context.vv_count + stored->context.cloud_count;
    gr_arena_reserve(&latch->arena,
        stored->count * sizeof(struct gr_sibling) + dots * sizeof(struct gr_dot) + 64);
    latch->header = gr_record_copy(&latch->arena, stored, true);
    latch->known = true;
}

void gr_latches_forget(struct gr_node *node)
{
    while (node->idle.first != NULL)
        gr_latch_free(node, GR_CONTAINER(node->idle.first, struct gr_latch, idle));
    for (uint32_t i = 0; i < node->latches.bucket_count; i++)
        for (struct gr_map_link *at = node->latches.bucket[i]; at != NULL; at = at->next)
            gr_latch_forget(GR_CONTAINER(at, struct gr_latch, link));
}
