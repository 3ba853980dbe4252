// Merkle trees: which leaf a key is in, and what a record adds to it (§4.7).
//
// A partition's records stand in the order of (slot, hash). A tree cuts that order into pieces of
// equal width, its leaves, so a leaf is one contiguous range of the store and a scan can read it.
// Nothing else is clever here: a leaf is a sum, and whoever changes a record changes its leaf.
//
//   M1  Every cursor of a partition is in exactly one leaf, and leaves follow cursor order.
//   M2  Equal records add equal hashes on every node, whatever wrote them.
//
// Source: §4.7; DESIGN.md §6 (leaf hash), D5 (the sum). Owns: nothing. Bounds: 2^18 leaves.
#include "core/merkle.h"

#include <string.h>

#include "base/hash.h"

enum { LEAVES_ALL = 1 << 18, DOT_BYTES = 24 };

static uint8_t *put_number(uint8_t *at, uint64_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *at++ = (uint8_t)(number >> (8 * i));
    return at;
}

static uint8_t *put_dots(uint8_t *at, const struct gr_dot *dot, uint32_t count)
{
    at = put_number(at, count, 4);
    for (uint32_t i = 0; i < count; i++) {
        at = put_number(at, dot[i].actor.store, 8);
        at = put_number(at, dot[i].actor.run, 8);
        at = put_number(at, dot[i].counter, 8);
    }
    return at;
}

struct gr_sum gr_merkle_hash(
    struct gr_arena *arena, const struct gr_key *key, const struct gr_record *stored)
{
    if (gr_record_empty(stored))
        return (struct gr_sum){0};
    const struct gr_context *context = &stored->context;
    size_t dots = (size_t)stored->count + context->vv_count + context->cloud_count;
    uint8_t *bytes =
        gr_arena_take(arena, 1 + key->bucket.size + 2 + key->key.size + 12 + dots * DOT_BYTES);
    uint8_t *at = put_number(bytes, key->bucket.size, 1);
    memcpy(at, key->bucket.data, key->bucket.size);
    at = put_number(at + key->bucket.size, key->key.size, 2);
    memcpy(at, key->key.data, key->key.size);
    at = put_number(at + key->key.size, stored->count, 4);
    for (uint32_t i = 0; i < stored->count; i++) {
        at = put_number(at, stored->sibling[i].dot.actor.store, 8);
        at = put_number(at, stored->sibling[i].dot.actor.run, 8);
        at = put_number(at, stored->sibling[i].dot.counter, 8);
    }
    at = put_dots(at, context->vv, context->vv_count);
    at = put_dots(at, context->cloud, context->cloud_count);
    struct gr_hash128 hash = gr_hash128(gr_bytes(bytes, (size_t)(at - bytes)));
    return (struct gr_sum){hash.low, hash.high};
}

// How many bits of a cursor count within a leaf.
static unsigned leaf_bits(const struct gr_ring *ring)
{
    gr_cursor width = (gr_cursor)(GR_SLOTS / ring->partitions) << 38;
    return (unsigned)__builtin_ctzll(width / gr_merkle_leaves(ring));
}

uint32_t gr_merkle_leaves(const struct gr_ring *ring)
{
    return GR_MIN(LEAVES_ALL / ring->partitions, (uint32_t)GR_MERKLE_LEAVES_MAX);
}

uint32_t gr_merkle_leaf(const struct gr_ring *ring, uint32_t partition, gr_cursor cursor)
{
    gr_cursor first = (gr_cursor)gr_ring_first_slot(ring, partition) << 38;
    gr_assert(cursor >= first);
    gr_cursor leaf = (cursor - first) >> leaf_bits(ring);
    gr_assert(leaf < gr_merkle_leaves(ring));
    return (uint32_t)leaf;
}

gr_cursor gr_merkle_first(const struct gr_ring *ring, uint32_t partition, uint32_t leaf)
{
    gr_assert(leaf <= gr_merkle_leaves(ring));
    gr_cursor first = (gr_cursor)gr_ring_first_slot(ring, partition) << 38;
    return first + ((gr_cursor)leaf << leaf_bits(ring));
}

struct gr_sum gr_merkle_sum(const struct gr_sum *leaf, uint32_t from, uint32_t to)
{
    struct gr_sum sum = {0};
    for (uint32_t i = from; i < to; i++)
        sum = gr_sum_add(sum, leaf[i]);
    return sum;
}
