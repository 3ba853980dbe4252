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
    uint64_t id; // the same at every node: gr_member_id of the name
    char name[GR_NAME_BYTES_MAX + 1];
    char host[GR_NAME_BYTES_MAX + 1]; // the machine; a key's replicas avoid sharing one
    char site[GR_NAME_BYTES_MAX + 1]; // the place where it stands; empty is one like any other
    char peer[GR_NAME_BYTES_MAX + 1]; // address for peers
    char resp[GR_NAME_BYTES_MAX + 1]; // address for Redis clients
    bool out;                         // it owns nothing and stands in for nobody: it has left, or
                                      // has not come yet
    bool gone;                        // it was removed: nobody talks to it any more
    uint16_t site_head;               // the first member at the same site: the ring finds it
};

// A member's number, the same at every node: a hash of its name, from 1 to GR_MEMBER_ID_MAX.
#define GR_MEMBER_ID_MAX ((uint64_t)INT64_MAX)
uint64_t gr_member_id(struct gr_bytes name);

// A member's place in `member` is this node's own business: what is stored or sent names it by id.
// Owns both arrays.
struct gr_ring {
    uint64_t version;
    uint32_t partitions; // Q, a power of two
    uint8_t n;           // replicas of each key
    uint16_t member_count;
    struct gr_member *member;
    uint16_t *owner; // partitions * n: the preference lists
    uint8_t before_n;
    uint16_t *before; // partitions * before_n: those of the ring before; NULL: it is the first
};

// The first ring of a cluster: an even spread. `n` is at most member_count and GR_REPLICAS_MAX. A
// member whose id is 0 gets that of its name, or if it has none, one more than its place.
void gr_ring_init(struct gr_ring *ring, uint32_t partitions, uint8_t n,
    const struct gr_member *member, uint16_t member_count);
void gr_ring_deinit(struct gr_ring *ring);
// The labels of sites have changed since the ring was made.
void gr_ring_find_sites(struct gr_ring *ring);
static inline bool gr_ring_same_site(const struct gr_ring *ring, uint16_t a, uint16_t b)
{
    return ring->member[a].site_head == ring->member[b].site_head;
}
// Two nodes that go by the same lists have the same, wherever members have their places.
uint64_t gr_ring_digest(const struct gr_ring *ring);
// The ring that follows `before`, with those lists (partitions * n places). `member` begins with
// the members of `before`, in the same places. Copies all three.
void gr_ring_follow(struct gr_ring *ring, const struct gr_ring *before,
    const struct gr_member *member, uint16_t member_count, uint8_t n, const uint16_t *owner);
// The places of all members in the order in which people are shown them: short names first, and
// those alike by their letters (n2 before n10). ret has room for member_count.
void gr_ring_by_name(const struct gr_ring *ring, uint16_t *ret);
// The place of the member with that id, or -1.
int gr_ring_find(const struct gr_ring *ring, uint64_t id);
uint32_t gr_ring_partition(const struct gr_ring *ring, uint16_t slot);
// First slot of a partition; gr_ring_first_slot(ring, partition + 1) is the end.
uint32_t gr_ring_first_slot(const struct gr_ring *ring, uint32_t partition);
// The preference list of a partition: ring->n members, in order.
const uint16_t *gr_ring_owners(const struct gr_ring *ring, uint32_t partition);
// The same as a value, for whoever needs it for longer than a step: a request sees one list from
// its start to its end. Each position has its owner, and one who votes for it: the owner, or as
// long as that does not hold the partition, one who held it before (core/holder.c).
struct gr_preference {
    uint8_t n;
    uint8_t held; // positions whose voter holds the partition, a bit each
    uint16_t member[GR_REPLICAS_MAX];
    uint16_t voter[GR_REPLICAS_MAX];
};
// Each owner votes for itself and holds.
struct gr_preference gr_ring_preference(const struct gr_ring *ring, uint32_t partition);
// The position that a member owns or votes for, or -1; the one that it votes for, or -1.
int gr_preference_position(const struct gr_preference *list, uint16_t member);
int gr_preference_voted(const struct gr_preference *list, uint16_t member);
// The place of a member in the preference list, or -1.
int gr_ring_position(const struct gr_ring *ring, uint32_t partition, uint16_t member);
// The next member after `after` (-1: the first) that may stand in for owners of this partition
// (§4.6), or -1: hosts that own nothing of it before those that do, then in an order that every
// node computes alike. Only members with usable[member] count, and no owner ever does.
int gr_ring_next_fallback(
    const struct gr_ring *ring, uint32_t partition, int after, const bool *usable);

// R or W of a request: how many replicas, or most of those at some sites (core/site.c).
enum {
    GR_QUORUM_LOCAL = 254, // at the site of the node that was asked; if there are none, of all
    GR_QUORUM_EACH = 255,  // at each site that has any
};
static inline bool gr_quorum_by_site(uint8_t asked)
{
    return asked == GR_QUORUM_LOCAL || asked == GR_QUORUM_EACH;
}
static inline bool gr_quorum_fits(uint8_t asked, uint8_t n)
{
    return gr_quorum_by_site(asked) || (asked >= 1 && asked <= n);
}
// What fits, of more than there are all.
static inline uint8_t gr_quorum_cut(uint8_t asked, uint8_t n)
{
    return gr_quorum_fits(asked, n) || asked == 0 ? asked : n;
}

// When a replica acknowledges a write, as the cluster has agreed (§6.1). Whatever the mode, an
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
