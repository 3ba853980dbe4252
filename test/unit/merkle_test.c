// merkle.h: leaves cut the key space in cursor order (M1), equal records add equal hashes (M2), and
// a tree that is changed write by write is the tree that is added up anew.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/merkle.h"
#include "test/hooks.h"

static struct gr_ring ring_of(uint32_t partitions)
{
    struct gr_ring ring;
    struct gr_member member[3] = {{.name = "a"}, {.name = "b"}, {.name = "c"}};
    gr_ring_init(&ring, partitions, 3, member, 3);
    return ring;
}

static void test_sums(void **state)
{
    (void)state;
    struct gr_sum one = {1, 0}, top = {UINT64_MAX, 0}, all = {UINT64_MAX, UINT64_MAX};
    assert_true(gr_sum_equal(gr_sum_add(top, one), (struct gr_sum){0, 1}));
    assert_true(gr_sum_equal(gr_sum_subtract((struct gr_sum){0, 1}, one), top));
    assert_true(gr_sum_equal(gr_sum_add(all, one), (struct gr_sum){0, 0}));
    assert_true(gr_sum_equal(gr_sum_subtract((struct gr_sum){0, 0}, one), all));
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int round = 0; round < 1000; round++) {
        struct gr_sum a = {gr_random_next(&random), gr_random_next(&random)};
        struct gr_sum b = {gr_random_next(&random), gr_random_next(&random)};
        assert_true(gr_sum_equal(gr_sum_subtract(gr_sum_add(a, b), b), a));
        assert_true(gr_sum_equal(gr_sum_add(a, b), gr_sum_add(b, a)));
    }
}

// M1, for every number of partitions.
static void test_leaves(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    for (uint32_t partitions = 1; partitions <= GR_PARTITIONS_MAX; partitions *= 2) {
        struct gr_ring ring = ring_of(partitions);
        uint32_t leaves = gr_merkle_leaves(&ring);
        assert_true(leaves >= GR_MERKLE_BRANCHES && leaves <= GR_MERKLE_LEAVES_MAX);
        assert_int_equal(leaves & (leaves - 1), 0);
        assert_true((uint64_t)leaves * partitions <= 1u << 18);
        gr_cursor before = 0;
        for (uint32_t i = 0; i < 20; i++) {
            uint32_t p = i == 0 ? 0 : (uint32_t)gr_random_below(&random, partitions);
            assert_int_equal(
                gr_merkle_first(&ring, p, 0), (gr_cursor)gr_ring_first_slot(&ring, p) << 38);
            assert_int_equal(gr_merkle_first(&ring, p, leaves),
                (gr_cursor)gr_ring_first_slot(&ring, p + 1) << 38);
            for (uint32_t leaf = 0; leaf < leaves; leaf++) {
                gr_cursor first = gr_merkle_first(&ring, p, leaf);
                gr_cursor end = gr_merkle_first(&ring, p, leaf + 1);
                assert_true(leaf == 0 || first == before);
                assert_true(end > first);
                assert_int_equal(gr_merkle_leaf(&ring, p, first), leaf);
                assert_int_equal(gr_merkle_leaf(&ring, p, end - 1), leaf);
                before = end;
            }
        }
        for (int round = 0; round < 100; round++) {
            char text[32];
            snprintf(text, sizeof text, "key%d", round);
            struct gr_key key = gr_key_make(gr_bytes_text("b"), gr_bytes_text(text));
            uint32_t p = gr_ring_partition(&ring, key.slot);
            gr_cursor cursor = gr_cursor_of(key.slot, key.hash);
            uint32_t leaf = gr_merkle_leaf(&ring, p, cursor);
            assert_true(cursor >= gr_merkle_first(&ring, p, leaf));
            assert_true(cursor < gr_merkle_first(&ring, p, leaf + 1));
        }
        gr_ring_deinit(&ring);
    }
}

static struct gr_record some_record(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_sibling *sibling = gr_arena_array(arena, struct gr_sibling, 2);
    uint32_t count = (uint32_t)gr_random_below(random, 3);
    for (uint32_t i = 0; i < count; i++)
        sibling[i] = (struct gr_sibling){.dot = {{i, 1}, 1 + gr_random_below(random, 50)}};
    struct gr_dot vv = {{7, 1}, 1 + gr_random_below(random, 50)};
    struct gr_dot cloud = {{8, 1}, 2 + gr_random_below(random, 50)};
    return (struct gr_record){
        .sibling = sibling,
        .count = count,
        .context = gr_context_make(
            arena, &vv, gr_random_chance(random, 300), &cloud, gr_random_chance(random, 300)),
    };
}

// A tree changed write by write, and the same added up from what is there in the end.
static void test_incremental(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 3);
    struct gr_arena arena = {0};
    struct gr_ring ring = ring_of(4);
    enum { KEYS = 200 };
    static char name[KEYS][16];
    struct gr_key key[KEYS];
    struct gr_record record[KEYS] = {GR_RECORD_NOTHING};
    static struct gr_sum leaf[4][GR_MERKLE_LEAVES_MAX], again[4][GR_MERKLE_LEAVES_MAX];
    for (int k = 0; k < KEYS; k++) {
        snprintf(name[k], sizeof name[k], "key%d", k);
        key[k] = gr_key_make(gr_bytes_text("b"), gr_bytes_text(name[k]));
    }
    for (int round = 0; round < 5000; round++) {
        uint64_t k = gr_random_below(&random, KEYS);
        uint32_t p = gr_ring_partition(&ring, key[k].slot);
        struct gr_sum *at =
            &leaf[p][gr_merkle_leaf(&ring, p, gr_cursor_of(key[k].slot, key[k].hash))];
        *at = gr_sum_subtract(*at, gr_merkle_hash(&arena, &key[k], &record[k]));
        record[k] = some_record(&random, &arena);
        *at = gr_sum_add(*at, gr_merkle_hash(&arena, &key[k], &record[k]));
    }
    for (int k = 0; k < KEYS; k++) {
        uint32_t p = gr_ring_partition(&ring, key[k].slot);
        struct gr_sum *at =
            &again[p][gr_merkle_leaf(&ring, p, gr_cursor_of(key[k].slot, key[k].hash))];
        *at = gr_sum_add(*at, gr_merkle_hash(&arena, &key[k], &record[k]));
    }
    for (int p = 0; p < 4; p++)
        for (int i = 0; i < GR_MERKLE_LEAVES_MAX; i++)
            assert_true(gr_sum_equal(leaf[p][i], again[p][i]));
    assert_true(gr_sum_equal(gr_merkle_sum(leaf[1], 0, 256),
        gr_sum_add(gr_merkle_sum(leaf[1], 0, 100), gr_merkle_sum(leaf[1], 100, 256))));
    gr_ring_deinit(&ring);
    gr_arena_deinit(&arena);
}

// What a leaf hash must tell apart, and what it must not.
static void test_hash(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_dot a = {{1, 1}, 5}, b = {{1, 1}, 7};
    struct gr_sibling with = {.dot = a, .value = gr_bytes_text("x")},
                      bare = {.dot = a, .bare = true};
    struct gr_key key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k"));
    struct gr_key other[] = {gr_key_make(gr_bytes_text("b"), gr_bytes_text("l")),
        gr_key_make(gr_bytes_text("bk"), gr_bytes_text("k"))};
    struct gr_record full = {.sibling = &with, .count = 1};
    struct gr_record header = {.sibling = &bare, .count = 1};
    struct gr_record vv = {.sibling = &with, .count = 1, .context = {.vv = &b, .vv_count = 1}};
    struct gr_record cloud = {
        .sibling = &with, .count = 1, .context = {.cloud = &b, .cloud_count = 1}};
    struct gr_record marker = {.context = {.vv = &b, .vv_count = 1}};
    struct gr_record nothing = GR_RECORD_NOTHING;
    struct gr_sum sum = gr_merkle_hash(&arena, &key, &full);
    assert_true(gr_sum_equal(sum, gr_merkle_hash(&arena, &key, &header)));
    assert_true(gr_sum_equal(gr_merkle_hash(&arena, &key, &nothing), (struct gr_sum){0}));
    for (size_t i = 0; i < GR_COUNT(other); i++)
        assert_false(gr_sum_equal(sum, gr_merkle_hash(&arena, &other[i], &full)));
    const struct gr_record *differ[] = {&full, &vv, &cloud, &marker, &nothing};
    for (size_t i = 0; i < GR_COUNT(differ); i++)
        for (size_t k = 0; k < i; k++)
            assert_false(gr_sum_equal(
                gr_merkle_hash(&arena, &key, differ[i]), gr_merkle_hash(&arena, &key, differ[k])));
    // Known: it is compared between machines and written to disks.
    assert_true(gr_sum_equal(sum, (struct gr_sum){0x10010c4d74471b3a, 0x614dd3676a5ecd99}));
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_leaves),
        cmocka_unit_test(test_incremental),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests_name("merkle", tests, NULL, NULL);
}
