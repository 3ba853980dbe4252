// ring.h: slots as Redis Cluster computes them, preference lists (G1, G2), the fallback order (G3),
// sites (G4).
//
// The known slots are from the specification of Redis Cluster and from redis-cli CLUSTER KEYSLOT.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/layout.h"
#include "core/ring.h"
#include "test/hooks.h"

static struct gr_key key_of(const char *bucket, const char *key)
{
    return gr_key_make(gr_bytes_text(bucket), gr_bytes_text(key));
}

static uint16_t slot_of(const char *key)
{
    return key_of("default", key).slot;
}

static void test_slots(void **state)
{
    (void)state;
    assert_int_equal(slot_of("123456789"), 0x31c3);
    assert_int_equal(slot_of("foo"), 12182);
    assert_int_equal(slot_of("bar"), 5061);
    assert_int_equal(slot_of(""), 0);
    assert_int_equal(slot_of("somekey"), 11058);
    // The bucket does not move a key: a bucket's keys spread as any other's.
    assert_int_equal(key_of("a", "foo").slot, key_of("b", "foo").slot);
    assert_int_not_equal(key_of("a", "foo").hash, key_of("b", "foo").hash);
    assert_int_not_equal(key_of("a", "bc").hash, key_of("ab", "c").hash);
}

// Only the first {tag} counts, and only if it is not empty.
static void test_tags(void **state)
{
    (void)state;
    assert_int_equal(slot_of("{user1000}.following"), slot_of("{user1000}.followers"));
    assert_int_equal(slot_of("{user1000}.following"), slot_of("user1000"));
    assert_int_equal(slot_of("foo{bar}zap"), slot_of("bar"));
    assert_int_equal(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    assert_int_equal(slot_of("foo{bar}{zap}"), slot_of("bar"));
    // An empty tag, and one without an end, are no tags: the whole key is hashed.
    assert_int_equal(slot_of("foo{}{bar}"), 8363);
    assert_int_not_equal(slot_of("{foo"), slot_of("foo"));
    assert_int_not_equal(slot_of("foo{"), slot_of("foo"));
    assert_int_not_equal(slot_of("}foo{bar"), slot_of("bar"));
}

static void test_keys(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    char name[] = "key";
    struct gr_key key = key_of("bucket", name), copy = gr_key_copy(&arena, &key);
    assert_true(gr_key_equal(&key, &copy));
    name[0] = 'K'; // the copy stands alone
    assert_false(gr_key_equal(&key, &copy));
    struct gr_key other = key_of("bucket2", "key");
    other.hash = copy.hash; // equal hashes are not equal keys
    assert_false(gr_key_equal(&copy, &other));
    gr_arena_deinit(&arena);
}

// A cursor grows with slot and hash and stays below 2^53.
static void test_cursor(void **state)
{
    (void)state;
    assert_true(gr_cursor_of(0, 0) == 0);
    assert_true(gr_cursor_of(GR_SLOTS - 1, UINT64_MAX) == GR_CURSOR_END - 1);
    assert_true(GR_CURSOR_END <= 1ull << 52);
    assert_true(gr_cursor_of(1, 0) > gr_cursor_of(0, UINT64_MAX));
    assert_true(gr_cursor_of(7, 1ull << 26) == gr_cursor_of(7, (1ull << 26) - 1) + 1);
}

static void name_members(struct gr_member *member, uint16_t count, uint16_t hosts)
{
    memset(member, 0, count * sizeof *member);
    for (uint16_t m = 0; m < count; m++) {
        snprintf(member[m].name, sizeof member[m].name, "node%d", m);
        snprintf(member[m].host, sizeof member[m].host, "host%d", m % hosts);
    }
}

static void check_partitions(const struct gr_ring *ring)
{
    assert_int_equal(gr_ring_first_slot(ring, 0), 0);
    assert_int_equal(gr_ring_first_slot(ring, ring->partitions), GR_SLOTS);
    for (uint32_t p = 0; p < ring->partitions; p++) {
        uint32_t first = gr_ring_first_slot(ring, p), end = gr_ring_first_slot(ring, p + 1);
        assert_int_equal(end - first, GR_SLOTS / ring->partitions);
        assert_int_equal(gr_ring_partition(ring, (uint16_t)first), p);
        assert_int_equal(gr_ring_partition(ring, (uint16_t)(end - 1)), p);
    }
}

// G1; and every place of the lists is spread evenly to within one partition.
static void check_owners(const struct gr_ring *ring)
{
    static uint32_t held[GR_REPLICAS_MAX][GR_MEMBERS_MAX];
    memset(held, 0, sizeof held);
    for (uint32_t p = 0; p < ring->partitions; p++) {
        const uint16_t *owner = gr_ring_owners(ring, p);
        for (int i = 0; i < ring->n; i++) {
            assert_true(owner[i] < ring->member_count);
            assert_int_equal(gr_ring_position(ring, p, owner[i]), i); // so none stands twice
            held[i][owner[i]]++;
        }
    }
    for (int i = 0; i < ring->n; i++) {
        uint32_t least = UINT32_MAX, most = 0;
        for (uint16_t m = 0; m < ring->member_count; m++) {
            least = GR_MIN(least, held[i][m]);
            most = GR_MAX(most, held[i][m]);
        }
        assert_true(most - least <= 1);
    }
}

static void test_owners(void **state)
{
    (void)state;
    static const uint32_t partitions[] = {1, 2, 8, 64, 1024, GR_SLOTS};
    struct gr_member member[40];
    name_members(member, GR_COUNT(member), GR_COUNT(member));
    for (size_t q = 0; q < GR_COUNT(partitions); q++) {
        for (uint16_t count = 1; count <= GR_COUNT(member); count += 1 + count / 8) {
            for (uint8_t n = 1; n <= GR_REPLICAS_MAX && n <= count; n++) {
                struct gr_ring ring;
                gr_ring_init(&ring, partitions[q], n, member, count);
                if (n == 1)
                    check_partitions(&ring);
                check_owners(&ring);
                gr_ring_deinit(&ring);
            }
        }
    }
}

// All who are no owners, each once; hosts that own nothing of the partition first.
static bool fallbacks_hold(
    const struct gr_ring *ring, uint32_t p, const uint16_t *order, uint16_t count)
{
    bool seen[GR_MEMBERS_MAX] = {false}, own_host_before = false;
    bool right = count == ring->member_count - ring->n;
    for (uint16_t i = 0; i < count; i++) {
        right = right && !seen[order[i]] && gr_ring_position(ring, p, order[i]) < 0;
        seen[order[i]] = true;
        bool own_host = false;
        for (int k = 0; k < ring->n; k++)
            own_host = own_host || strcmp(ring->member[gr_ring_owners(ring, p)[k]].host,
                                       ring->member[order[i]].host) == 0;
        right = right && (own_host || !own_host_before);
        own_host_before = own_host;
    }
    return right;
}

// G3: two tables made alike give one order; it is not the order of the members, which would make
// the same few stand in for everything.
static uint16_t fallbacks_of(const struct gr_ring *ring, uint32_t partition, uint16_t *ret)
{
    bool usable[GR_MEMBERS_MAX];
    for (uint16_t m = 0; m < ring->member_count; m++)
        usable[m] = true;
    uint16_t count = 0;
    int at = -1;
    while ((at = gr_ring_next_fallback(ring, partition, at, usable)) >= 0)
        ret[count++] = (uint16_t)at;
    // One that cannot be used is passed over, and changes nothing else.
    if (count > 2) {
        usable[ret[1]] = false;
        assert_int_equal(gr_ring_next_fallback(ring, partition, ret[0], usable), ret[2]);
    }
    return count;
}

static void test_fallbacks(void **state)
{
    (void)state;
    struct gr_member member[24];
    bool by_number_everywhere = true, canary_noticed = false;
    for (uint16_t hosts = 3; hosts <= 24; hosts += 7) {
        struct gr_ring mine, yours;
        name_members(member, GR_COUNT(member), hosts);
        gr_ring_init(&mine, 64, 3, member, GR_COUNT(member));
        gr_ring_init(&yours, 64, 3, member, GR_COUNT(member));
        uint32_t first[GR_COUNT(member)] = {0};
        for (uint32_t p = 0; p < 64; p++) {
            uint16_t a[GR_COUNT(member)], b[GR_COUNT(member)];
            uint16_t count = fallbacks_of(&mine, p, a);
            assert_int_equal(fallbacks_of(&yours, p, b), count);
            assert_memory_equal(a, b, count * sizeof *a);
            assert_true(fallbacks_hold(&mine, p, a, count));
            for (uint16_t i = 1; i < count; i++)
                by_number_everywhere = by_number_everywhere && a[i - 1] < a[i];
            first[a[0]]++;
            b[0] = b[1];
            canary_noticed = canary_noticed || !fallbacks_hold(&mine, p, b, count);
        }
        for (size_t m = 0; m < GR_COUNT(member); m++)
            assert_true(first[m] < 64 / 3); // a node that fails does not fall onto one other
        gr_ring_deinit(&mine);
        gr_ring_deinit(&yours);
    }
    assert_false(by_number_everywhere);
    assert_true(canary_noticed);
}

// Labels make sites; a layout's label goes before what the caller says of its members.
static void test_sites(void **state)
{
    (void)state;
    static const char *label[] = {"a", "", "b", "a", "", "b"};
    static const uint16_t head[] = {0, 1, 2, 0, 1, 2};
    static struct gr_member member[GR_COUNT(label)];
    static struct gr_card card[4];
    for (size_t m = 0; m < GR_COUNT(label); m++) {
        snprintf(member[m].name, sizeof member[m].name, "n%zu", m);
        member[m].id = gr_member_id(gr_bytes_text(member[m].name));
        snprintf(member[m].site, sizeof member[m].site, "%s", label[m]);
        if (m < GR_COUNT(card)) {
            memcpy(card[m].name, member[m].name, sizeof card[m].name);
            snprintf(card[m].site, sizeof card[m].site, "%s", m == 0 ? "b" : label[m]);
            card[m].weight = 1;
        }
    }
    struct gr_ring ring, next;
    gr_ring_init(&ring, 8, 3, member, GR_COUNT(member));
    for (uint16_t m = 0; m < GR_COUNT(label); m++)
        assert_int_equal(ring.member[m].site_head, head[m]);
    assert_true(gr_ring_same_site(&ring, 1, 4));
    assert_false(gr_ring_same_site(&ring, 1, 3));
    memcpy(member[3].site, "b", 2);
    gr_ring_follow(&next, &ring, member, GR_COUNT(member), 3, ring.owner);
    assert_int_equal(next.member[3].site_head, 2);
    gr_ring_deinit(&next);
    gr_ring_deinit(&ring);
    struct gr_arena arena = {0};
    struct gr_layout layout = gr_layout_first(&arena, 8, 3, card, GR_COUNT(card));
    gr_layout_ring(&layout, member, GR_COUNT(member), &ring);
    static const uint16_t of_layout[] = {0, 1, 0, 3, 1, 0}; // b, none, b, a; as said: none, b
    for (uint16_t m = 0; m < GR_COUNT(label); m++)
        assert_int_equal(ring.member[m].site_head, of_layout[m]);
    gr_ring_deinit(&ring);
    gr_arena_deinit(&arena);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_fallbacks),
        cmocka_unit_test(test_sites),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, nothing_is_left);
}
