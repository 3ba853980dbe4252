// The ring: where a key lives (§4.2, §4.3; strategy 3 of §6.2).
//
// A key hashes to one of 16384 slots, exactly as Redis Cluster hashes it, so that every
// cluster-aware Redis client is already the paper's partition-aware client (§6.4). Adjacent slots
// form Q partitions, and a table gives each partition its N owners in order of preference.
//
//   G1  The N members of a preference list are distinct.
//   G2  The ring of a node never changes under it: a new ring is a new table.
//   G3  Every node computes the same fallback order from the same ring.
//   G4  Members with the same label, the empty one too, are at one site, and no others.
//
// Owns: a ring owns its member and owner arrays. Bounds: 1024 members, 16384 partitions, N <= 7.
#include "core/ring.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

// The place of the first such byte from `at` on, or the size.
static size_t find_byte(struct gr_bytes bytes, size_t at, uint8_t byte)
{
    while (at < bytes.size && bytes.data[at] != byte)
        at++;
    return at;
}

struct gr_key gr_key_make(struct gr_bytes bucket, struct gr_bytes key)
{
    // Redis Cluster's hash tag: if the key holds a non-empty {tag}, only the tag is hashed.
    struct gr_bytes tag = key;
    size_t open = find_byte(key, 0, '{');
    size_t close = find_byte(key, open + 1, '}');
    if (close < key.size && close > open + 1)
        tag = gr_bytes(key.data + open + 1, close - (open + 1));
    // The bucket's hash seeds the key's, so bucket "ab" key "c" and bucket "a" key "bc" differ.
    uint64_t seed = gr_hash64(bucket, bucket.size);
    return (struct gr_key){
        .bucket = bucket,
        .key = key,
        .hash = gr_hash64(key, seed),
        .slot = gr_crc16(tag) % GR_SLOTS,
    };
}

struct gr_key gr_key_copy(struct gr_arena *arena, const struct gr_key *key)
{
    struct gr_key copy = *key;
    copy.bucket = gr_arena_copy(arena, key->bucket);
    copy.key = gr_arena_copy(arena, key->key);
    return copy;
}

bool gr_key_equal(const struct gr_key *a, const struct gr_key *b)
{
    return a->hash == b->hash && gr_bytes_equal(a->key, b->key) &&
           gr_bytes_equal(a->bucket, b->bucket);
}

int gr_key_compare(const struct gr_key *a, const struct gr_key *b)
{
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->bucket.size != b->bucket.size)
        return a->bucket.size < b->bucket.size ? -1 : 1;
    int order = gr_bytes_compare(a->bucket, b->bucket);
    return order != 0 ? order : gr_bytes_compare(a->key, b->key);
}

uint64_t gr_member_id(struct gr_bytes name)
{
    return gr_hash64(name, 0) >> 1 | 1;
}

void gr_ring_find_sites(struct gr_ring *ring)
{
    for (uint16_t m = 0; m < ring->member_count; m++) {
        struct gr_bytes site = gr_bytes_text(ring->member[m].site);
        uint16_t head = 0;
        while (head < m && !gr_bytes_equal(gr_bytes_text(ring->member[head].site), site))
            head++;
        ring->member[m].site_head = head;
    }
}

void gr_ring_init(struct gr_ring *ring, uint32_t partitions, uint8_t n,
    const struct gr_member *member, uint16_t member_count)
{
    gr_assert(partitions > 0 && partitions <= GR_PARTITIONS_MAX);
    gr_assert((partitions & (partitions - 1)) == 0);
    gr_assert(n > 0 && n <= GR_REPLICAS_MAX && n <= member_count);
    gr_assert(member_count <= GR_MEMBERS_MAX);
    *ring = (struct gr_ring){
        .version = 1,
        .partitions = partitions,
        .n = n,
        .member_count = member_count,
        .member = gr_hook_memory(NULL, member_count * sizeof *member),
        .owner = gr_hook_memory(NULL, (size_t)partitions * n * sizeof(uint16_t)),
    };
    memcpy(ring->member, member, member_count * sizeof *member);
    for (uint16_t m = 0; m < member_count; m++)
        if (member[m].id == 0)
            ring->member[m].id =
                member[m].name[0] == 0 ? m + 1u : gr_member_id(gr_bytes_text(member[m].name));
    gr_ring_find_sites(ring);
    // Round and round: each member is first, second, third ... of as many partitions as any other.
    for (uint32_t p = 0; p < partitions; p++)
        for (uint8_t i = 0; i < n; i++)
            ring->owner[(size_t)p * n + i] = (uint16_t)((p + i) % member_count);
}

void gr_ring_follow(struct gr_ring *ring, const struct gr_ring *before,
    const struct gr_member *member, uint16_t member_count, uint8_t n, const uint16_t *owner)
{
    gr_assert(member_count >= before->member_count);
    struct gr_ring first;
    gr_ring_init(&first, before->partitions, n, member, member_count);
    memcpy(first.owner, owner, (size_t)first.partitions * n * sizeof *owner);
    first.version = before->version + 1;
    first.before_n = before->n;
    size_t bytes = (size_t)before->partitions * before->n * sizeof *before->owner;
    first.before = gr_hook_memory(NULL, bytes);
    memcpy(first.before, before->owner, bytes);
    *ring = first;
}

void gr_ring_deinit(struct gr_ring *ring)
{
    gr_hook_memory(ring->before, 0);
    gr_hook_memory(ring->member, 0);
    gr_hook_memory(ring->owner, 0);
    *ring = (struct gr_ring){0};
}

uint64_t gr_ring_digest(const struct gr_ring *ring)
{
    uint64_t digest = ring->version;
    for (uint32_t i = 0; i < ring->partitions * ring->n; i++) {
        uint64_t id = ring->member[ring->owner[i]].id;
        uint8_t bytes[8];
        for (int k = 0; k < 8; k++)
            bytes[k] = (uint8_t)(id >> 8 * k);
        digest = gr_hash64(gr_bytes(bytes, sizeof bytes), digest);
    }
    return digest;
}

static bool is_shown_before(const char *a, const char *b)
{
    struct gr_bytes left = gr_bytes_text(a), right = gr_bytes_text(b);
    return left.size != right.size ? left.size < right.size : gr_bytes_compare(left, right) < 0;
}

void gr_ring_by_name(const struct gr_ring *ring, uint16_t *ret)
{
    for (uint16_t m = 0; m < ring->member_count; m++) {
        uint16_t at = m;
        for (; at > 0 && is_shown_before(ring->member[m].name, ring->member[ret[at - 1]].name);
             at--)
            ret[at] = ret[at - 1];
        ret[at] = m;
    }
}

int gr_ring_find(const struct gr_ring *ring, uint64_t id)
{
    for (uint16_t m = 0; m < ring->member_count; m++)
        if (ring->member[m].id == id)
            return m;
    return -1;
}

uint32_t gr_ring_partition(const struct gr_ring *ring, uint16_t slot)
{
    gr_assert(slot < GR_SLOTS);
    return slot / (GR_SLOTS / ring->partitions);
}

uint32_t gr_ring_first_slot(const struct gr_ring *ring, uint32_t partition)
{
    gr_assert(partition <= ring->partitions);
    return partition * (GR_SLOTS / ring->partitions);
}

const uint16_t *gr_ring_owners(const struct gr_ring *ring, uint32_t partition)
{
    gr_assert(partition < ring->partitions);
    return &ring->owner[(size_t)partition * ring->n];
}

struct gr_preference gr_ring_preference(const struct gr_ring *ring, uint32_t partition)
{
    struct gr_preference list = {.n = ring->n, .held = (uint8_t)((1u << ring->n) - 1)};
    memcpy(list.member, gr_ring_owners(ring, partition), ring->n * sizeof *list.member);
    memcpy(list.voter, list.member, sizeof list.voter);
    return list;
}

int gr_preference_position(const struct gr_preference *list, uint16_t member)
{
    for (int i = 0; i < list->n; i++)
        if (list->member[i] == member || list->voter[i] == member)
            return i;
    return -1;
}

int gr_preference_voted(const struct gr_preference *list, uint16_t member)
{
    int position = gr_preference_position(list, member);
    return position >= 0 && list->voter[position] == member ? position : -1;
}

int gr_ring_position(const struct gr_ring *ring, uint32_t partition, uint16_t member)
{
    const uint16_t *owner = gr_ring_owners(ring, partition);
    for (int i = 0; i < ring->n; i++)
        if (owner[i] == member)
            return i;
    return -1;
}

static bool shares_host(const struct gr_ring *ring, uint32_t partition, uint16_t member)
{
    const uint16_t *owner = gr_ring_owners(ring, partition);
    for (int i = 0; i < ring->n; i++)
        if (gr_bytes_equal(gr_bytes_text(ring->member[owner[i]].host),
                gr_bytes_text(ring->member[member].host)))
            return true;
    return false;
}

// By id: places are not the same everywhere.
static uint64_t fallback_rank(uint32_t partition, uint64_t id)
{
    uint8_t bytes[4] = {(uint8_t)(partition >> 24), (uint8_t)(partition >> 16),
        (uint8_t)(partition >> 8), (uint8_t)partition};
    return gr_hash64(gr_bytes(bytes, sizeof bytes), id);
}

// The order of those that stand in: hosts that own nothing of the partition first.
struct place {
    bool shared;
    uint64_t rank, id;
};

static struct place place_of(const struct gr_ring *ring, uint32_t partition, uint16_t member)
{
    uint64_t id = ring->member[member].id;
    return (struct place){shares_host(ring, partition, member), fallback_rank(partition, id), id};
}

static bool is_before(const struct place *a, const struct place *b)
{
    if (a->shared != b->shared)
        return !a->shared;
    return a->rank != b->rank ? a->rank < b->rank : a->id < b->id;
}

int gr_ring_next_fallback(
    const struct gr_ring *ring, uint32_t partition, int after, const bool *usable)
{
    struct place last = {0}, best = {0};
    int next = -1;
    if (after >= 0)
        last = place_of(ring, partition, (uint16_t)after);
    for (uint16_t m = 0; m < ring->member_count; m++) {
        if (!usable[m] || ring->member[m].out || gr_ring_position(ring, partition, m) >= 0)
            continue;
        struct place place = place_of(ring, partition, m);
        if ((after >= 0 && !is_before(&last, &place)) || (next >= 0 && !is_before(&place, &best)))
            continue;
        best = place;
        next = m;
    }
    return next;
}
