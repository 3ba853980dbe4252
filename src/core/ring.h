// The ring: keys, slots, partitions and who holds them (§4.2, §4.3, §6.2 strategy 3).
//
// A key's slot is the Redis Cluster hash slot; 16384/Q adjacent slots are a partition; the ring is
// a table from partition to an ordered list of N distinct nodes, its preference list. It is data,
// made once and replaced whole, never changed in place.
#ifndef GR_CORE_RING_H
#define GR_CORE_RING_H

#include "base/arena.h"
#include "base/base.h"

enum {
    GR_SLOTS = 16384,
    GR_PARTITIONS_MAX = 16384,
    GR_MEMBERS_MAX = 1024,
    GR_REPLICAS_MAX = 7,
    GR_NAME_BYTES_MAX = 63,
};

// A key with what follows from it. Bytes are borrowed.
struct gr_key {
    struct gr_bytes bucket, key;
    uint64_t hash; // XXH3-64 of the key, seeded by that of the bucket: orders records in a slot
    uint16_t slot;
};

struct gr_key gr_key_make(struct gr_bytes bucket, struct gr_bytes key);
struct gr_key gr_key_copy(struct gr_arena *arena, const struct gr_key *key);
bool gr_key_equal(const struct gr_key *a, const struct gr_key *b);
// The order in which records are stored: <0, 0, >0.
int gr_key_compare(const struct gr_key *a, const struct gr_key *b);

// The place of a key in a walk over all keys: slot and the top 38 bits of the hash, below 2^53.
typedef uint64_t gr_cursor;
static inline gr_cursor gr_cursor_of(uint16_t slot, uint64_t hash)
{
    return (gr_cursor)slot << 38 | hash >> 26;
}
#define GR_CURSOR_END ((gr_cursor)GR_SLOTS << 38)

// One node of the cluster. Addresses are "host:port" as other nodes and clients reach it.
struct gr_member {
    char name[GR_NAME_BYTES_MAX + 1];
    char host[GR_NAME_BYTES_MAX + 1]; // the machine; a key's replicas avoid sharing one
    char peer[GR_NAME_BYTES_MAX + 1]; // address for peers
    char resp[GR_NAME_BYTES_MAX + 1]; // address for Redis clients
};

// Nodes are named by their place in `member`. Owns both arrays.
struct gr_ring {
    uint64_t version;
    uint32_t partitions; // Q, a power of two
    uint8_t n;           // replicas of each key
    uint16_t member_count;
    struct gr_member *member;
    uint16_t *owner; // partitions * n: the preference lists
};

// The first ring of a cluster: an even spread. `n` is at most member_count and GR_REPLICAS_MAX.
void gr_ring_init(struct gr_ring *ring, uint32_t partitions, uint8_t n,
    const struct gr_member *member, uint16_t member_count);
void gr_ring_deinit(struct gr_ring *ring);
uint32_t gr_ring_partition(const struct gr_ring *ring, uint16_t slot);
// First slot of a partition; gr_ring_first_slot(ring, partition + 1) is the end.
uint32_t gr_ring_first_slot(const struct gr_ring *ring, uint32_t partition);
// The preference list of a partition: ring->n members, in order.
const uint16_t *gr_ring_owners(const struct gr_ring *ring, uint32_t partition);
// The same as a value, for whoever needs it for longer than a step: a request sees one list from
// its start to its end.
struct gr_preference {
    uint8_t n;
    uint16_t member[GR_REPLICAS_MAX];
};
struct gr_preference gr_ring_preference(const struct gr_ring *ring, uint32_t partition);
// The place of a member in the list, or -1.
int gr_preference_position(const struct gr_preference *list, uint16_t member);
// The place of a member in the preference list, or -1.
int gr_ring_position(const struct gr_ring *ring, uint32_t partition, uint16_t member);
// The next member after `after` (-1: the first) that may stand in for owners of this partition
// (§4.6), or -1: hosts that own nothing of it before those that do, then in an order that every
// node computes alike. Only members with usable[member] count, and no owner ever does.
int gr_ring_next_fallback(
    const struct gr_ring *ring, uint32_t partition, int after, const bool *usable);

// When a replica acknowledges a write, the same in the whole cluster (§6.1). Whatever the mode, an
// acknowledgement says whether it is durable, and one that was not is followed by one that is.
enum gr_durability {
    GR_DURABILITY_COMMIT,   // once its disk has it
    GR_DURABILITY_INTERVAL, // once it is applied; the host syncs every now and then
    GR_DURABILITY_BUFFERED, // likewise, but one of the N, the coordinator, syncs first
    GR_DURABILITY_COUNT
};

// "commit", "interval", "buffered".
const char *gr_durability_name(enum gr_durability durability);

#endif
