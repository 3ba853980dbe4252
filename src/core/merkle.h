// Merkle trees over a partition (§4.7): what tells two replicas which few keys differ, and one
// replica that its store is not what it wrote.
//
// A record has a leaf hash, a leaf is the sum of the hashes of its records, a branch the sum of its
// leaves, the root the sum of all. Sums instead of hashes of hashes: a write changes a leaf by
// subtracting what was and adding what is, and two halves of a leaf add up to the leaf.
#ifndef GR_CORE_MERKLE_H
#define GR_CORE_MERKLE_H

#include "core/record.h"
#include "core/ring.h"

// A number modulo 2^128.
struct gr_sum {
    uint64_t low, high;
};

static inline struct gr_sum gr_sum_add(struct gr_sum a, struct gr_sum b)
{
    struct gr_sum sum = {a.low + b.low, a.high + b.high};
    sum.high += sum.low < a.low;
    return sum;
}

static inline struct gr_sum gr_sum_subtract(struct gr_sum a, struct gr_sum b)
{
    return (struct gr_sum){a.low - b.low, a.high - b.high - (a.low < b.low)};
}

static inline bool gr_sum_equal(struct gr_sum a, struct gr_sum b)
{
    return a.low == b.low && a.high == b.high;
}

enum {
    GR_MERKLE_BRANCHES = 16,   // of each tree
    GR_MERKLE_LEAVES_MAX = 256 // of each tree, fewer when there are more than 1,024 partitions
};

// The leaf hash of a record as stored: XXH3-128 over bucket, key, the siblings' dots and the
// context left after stripping; without the context it would hide a delete that one side has not
// seen. Values need not be there: a dot names its value. An empty record adds nothing.
struct gr_sum gr_merkle_hash(
    struct gr_arena *arena, const struct gr_key *key, const struct gr_record *stored);

// Leaves of each tree, a power of two from 16 to 256: the same on every node of the ring, and at
// most 2^18 leaves (4 MiB) for all partitions together.
uint32_t gr_merkle_leaves(const struct gr_ring *ring);
// The leaf of a cursor of that partition.
uint32_t gr_merkle_leaf(const struct gr_ring *ring, uint32_t partition, gr_cursor cursor);
// The first cursor of a leaf; that of leaf gr_merkle_leaves is the partition's end. No cursor value
// is in two leaves.
gr_cursor gr_merkle_first(const struct gr_ring *ring, uint32_t partition, uint32_t leaf);
// The sum of the leaves from..to-1.
struct gr_sum gr_merkle_sum(const struct gr_sum *leaf, uint32_t from, uint32_t to);

#endif
