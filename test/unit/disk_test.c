// wire/disk.h: rows come back as they were written, sort as they should, and tell when they lie.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "test/unit/disk_rows.h"

// ---- random changes --------------------------------------------------------------------------

static struct gr_clock_row some_row(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_clock_row row = {.actor = some_actor(random), .base = some_u64(random) >> 2};
    row.interval_count = (uint32_t)gr_random_below(random, 5);
    row.interval = gr_arena_array(arena, struct gr_interval, row.interval_count);
    uint64_t last = row.base;
    for (uint32_t i = 0; i < row.interval_count; i++) {
        row.interval[i].first = last + 2 + (some_u64(random) >> 8);
        row.interval[i].last = last = row.interval[i].first + (some_u64(random) >> 8);
    }
    return row;
}

static bool same_row(const struct gr_clock_row *a, const struct gr_clock_row *b)
{
    bool same = gr_actor_compare(a->actor, b->actor) == 0 && a->base == b->base &&
                a->interval_count == b->interval_count;
    for (uint32_t i = 0; same && i < a->interval_count; i++)
        same = a->interval[i].first == b->interval[i].first &&
               a->interval[i].last == b->interval[i].last;
    return same;
}

static struct gr_record some_stored(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_record record;
    do
        record = some_record(random, arena, SOME_ALL);
    while (gr_record_empty(&record));
    return record;
}

static void check_record(struct gr_arena *arena, const struct row *row, const struct gr_key *key,
    const struct gr_record *want)
{
    struct gr_key back_key;
    struct gr_record back;
    assert_int_equal(gr_disk_read_record_key(row->key, &back_key), GR_OK);
    assert_true(same_key(key, &back_key));
    assert_int_equal(gr_disk_read_record(row->key, row->value, false, arena, &back), GR_OK);
    assert_true(same_record(want, &back));
    struct gr_record bare = gr_record_copy(arena, want, true);
    assert_int_equal(gr_disk_read_record(row->key, row->value, true, arena, &back), GR_OK);
    assert_true(same_record(&bare, &back));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    struct gr_arena arena = {0};
    struct rows rows = {0};
    for (int round = 0; round < 2000; round++) {
        struct gr_clock_row a = some_row(&random, &arena), b = some_row(&random, &arena);
        for (int i = 0; i < 2; i++) { // one that says nothing goes
            struct gr_clock_row *row = i == 0 ? &a : &b;
            row->base += row->base == 0 && row->interval_count == 0;
        }
        const struct gr_clock_row *changed[] = {&a, &b};
        struct gr_record record = some_stored(&random, &arena);
        struct gr_actor self = some_actor(&random);
        struct gr_wall add = {(int64_t)(gr_random_next(&random) >> 24)};
        struct gr_store_write w = {
            .partition = (uint32_t)gr_random_below(&random, GR_PARTITIONS_MAX),
            .key = some_key(&random, &arena),
            .record = &record,
            .row = changed,
            .row_count = (uint32_t)gr_random_below(&random, 3),
            .counter = gr_random_below(&random, 2) * some_counter(&random),
            .count = (int64_t)gr_random_next(&random),
            .sum = {gr_random_next(&random), gr_random_next(&random)},
            .due_add = &add,
            .due_add_count = 1,
            .leftover = 1,
        };
        write_rows(&rows, &w, self);
        check_record(&arena, find(&rows, GR_DISK_RECORD, 0), &w.key, &record);
        uint32_t partition;
        for (uint32_t i = 0; i < w.row_count; i++) {
            const struct row *row = find(&rows, GR_DISK_CLOCK, i);
            struct gr_clock_row back;
            assert_int_equal(
                gr_disk_read_clock(row->key, row->value, &arena, &partition, &back), GR_OK);
            assert_int_equal(partition, w.partition);
            assert_true(same_row(changed[i], &back));
        }
        const struct row *row = find(&rows, GR_DISK_PARTITION, 0);
        struct gr_disk_partition whole;
        assert_int_equal(gr_disk_read_partition(row->key, row->value, &partition, &whole), GR_OK);
        assert_int_equal(partition, w.partition);
        assert_int_equal(whole.count, w.count);
        assert_true(gr_sum_equal(whole.sum, w.sum));
        assert_true(gr_dot_equal(&whole.last, &(struct gr_dot){self, w.counter}));
        struct gr_key key;
        struct gr_wall minute;
        row = find(&rows, GR_DISK_DUE, 0);
        assert_int_equal(gr_disk_read_due(row->key, &minute, &key), GR_OK);
        assert_true(same_key(&key, &w.key));
        assert_true(minute.ms >= add.ms && minute.ms < add.ms + 60000);
        row = find(&rows, GR_DISK_LEFTOVER, 0);
        assert_int_equal(gr_disk_read_leftover(row->key, &partition, &key), GR_OK);
        assert_true(same_key(&key, &w.key) && partition == w.partition);
        assert_int_equal(rows.count, 4 + w.row_count);
        gr_arena_clear(&arena);
        gr_arena_clear(&rows.arena);
    }
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
    assert_int_equal(gr_test_blocks(), 0);
}

static void test_removals(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct gr_record nothing = GR_RECORD_NOTHING;
    struct gr_wall due[] = {{1}, {60001}};
    struct gr_store_write w = {
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .due_remove = due,
        .due_remove_count = 2,
        .due_add = due,
        .due_add_count = 1,
        .leftover = -1,
    };
    const struct gr_record *gone[] = {NULL, &nothing};
    for (int i = 0; i < 2; i++) {
        w.record = gone[i];
        write_rows(&rows, &w, (struct gr_actor){1, 1});
        assert_true(find(&rows, GR_DISK_RECORD, 0)->removed);
        // The removals come first, so that a minute in both lists is there afterwards.
        assert_true(find(&rows, GR_DISK_DUE, 0)->removed);
        assert_true(find(&rows, GR_DISK_DUE, 1)->removed);
        assert_false(find(&rows, GR_DISK_DUE, 2)->removed);
        assert_true(find(&rows, GR_DISK_LEFTOVER, 0)->removed);
        assert_int_equal(rows.count, 6); // and the partition's
    }
    // Without a key only clock rows are written.
    struct gr_clock_row clock = {.actor = {1, 1}, .base = 4};
    const struct gr_clock_row *changed[] = {&clock};
    w.key = (struct gr_key){0};
    w.row = changed;
    w.row_count = 1;
    write_rows(&rows, &w, (struct gr_actor){1, 1});
    assert_int_equal(rows.count, 1);
    assert_non_null(find(&rows, GR_DISK_CLOCK, 0));
    gr_arena_deinit(&rows.arena);
}

// ---- damage ----------------------------------------------------------------------------------

static enum gr_err read_any(struct gr_bytes key, struct gr_bytes value, struct gr_arena *arena)
{
    uint32_t partition;
    struct gr_record record;
    struct gr_clock_row row;
    struct gr_disk_partition whole;
    struct gr_wall minute;
    struct gr_key name;
    struct gr_hint hint;
    if (key.size == 0)
        return gr_disk_read_record(key, value, false, arena, &record);
    switch (key.data[0]) {
    case GR_DISK_CLOCK:
        return gr_disk_read_clock(key, value, arena, &partition, &row);
    case GR_DISK_PARTITION:
        return gr_disk_read_partition(key, value, &partition, &whole);
    case GR_DISK_DUE:
        return gr_disk_read_due(key, &minute, &name);
    case GR_DISK_LEFTOVER:
        return gr_disk_read_leftover(key, &partition, &name);
    case GR_DISK_HINT:
        return gr_disk_read_hint(key, value, arena, &hint);
    default:
        return gr_disk_read_record(key, value, false, arena, &record);
    }
}

// A block of exactly that size, so that the sanitizer sees a read past its end.
static uint8_t *exact(struct gr_bytes bytes)
{
    uint8_t *copy = gr_hook_memory(NULL, GR_MAX(bytes.size, 1));
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

// The first bytes of an index row's key are the index's own, and nothing else says them.
static size_t unchecked_bytes(const struct row *row)
{
    return row->key.data[0] == GR_DISK_DUE ? 5 : row->key.data[0] == GR_DISK_LEFTOVER ? 3 : 0;
}

static void damage_row(const struct row *row, struct gr_arena *arena)
{
    uint8_t *key = exact(row->key), *value = exact(row->value);
    struct gr_bytes k = gr_bytes(key, row->key.size), v = gr_bytes(value, row->value.size);
    assert_int_equal(read_any(k, v, arena), GR_OK);
    for (size_t bit = 8 * unchecked_bytes(row); bit < 8 * GR_MIN(k.size, 300); bit++) {
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(read_any(k, v, arena), GR_ERR_CORRUPT);
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * GR_MIN(v.size, 1000); bit++) {
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(read_any(k, v, arena), GR_ERR_CORRUPT);
        value[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < GR_MIN(k.size, 300); size++) {
        uint8_t *cut = exact(gr_bytes(key, size));
        assert_int_equal(read_any(gr_bytes(cut, size), v, arena), GR_ERR_CORRUPT);
        gr_hook_memory(cut, 0);
    }
    for (size_t size = 0; size < GR_MIN(v.size, 1000); size++) {
        uint8_t *cut = exact(gr_bytes(value, size));
        assert_int_equal(read_any(k, gr_bytes(cut, size), arena), GR_ERR_CORRUPT);
        gr_hook_memory(cut, 0);
    }
    gr_hook_memory(key, 0);
    gr_hook_memory(value, 0);
}

static void test_damage(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    struct gr_arena arena = {0};
    struct rows rows = {0};
    for (int round = 0; round < 10; round++) {
        struct gr_record record = some_stored(&random, &arena);
        struct gr_clock_row a = some_row(&random, &arena);
        const struct gr_clock_row *changed[] = {&a};
        struct gr_wall due = {100000000};
        struct gr_hint hint = some_hint(&random, &arena);
        struct gr_store_write w = {
            .hint = &hint,
            .hint_count = 1,
            .partition = 5,
            .key = some_key(&random, &arena),
            .record = &record,
            .row = changed,
            .row_count = 1,
            .counter = 7,
            .count = 1,
            .due_add = &due,
            .due_add_count = 1,
            .leftover = 1,
        };
        write_rows(&rows, &w, some_actor(&random));
        for (size_t i = 0; i < rows.count; i++)
            damage_row(&rows.row[i], &arena);
        gr_arena_clear(&arena);
        gr_arena_clear(&rows.arena);
    }
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
    assert_int_equal(gr_test_blocks(), 0);
}

// A whole row, but another key's.
static void test_wrong_key(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct rows rows = {0};
    struct gr_dot dot = {{1, 1}, 1};
    struct gr_record record = {.context = {.cloud = &dot, .cloud_count = 1}};
    struct gr_clock_row row = {.actor = {1, 1}, .base = 4};
    const struct gr_clock_row *changed[] = {&row};
    struct gr_store_write w = {
        .partition = 3,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .record = &record,
        .row = changed,
        .row_count = 1,
    };
    write_rows(&rows, &w, (struct gr_actor){1, 1});
    struct gr_key other = gr_key_make(gr_bytes_text("b"), gr_bytes_text("l"));
    assert_int_equal(
        read_any(gr_disk_record_key(&arena, &other), rows.row[0].value, &arena), GR_ERR_CORRUPT);
    assert_int_equal(read_any(gr_disk_clock_key(&arena, 4, row.actor), rows.row[1].value, &arena),
        GR_ERR_CORRUPT);
    assert_int_equal(
        read_any(gr_disk_clock_key(&arena, 3, (struct gr_actor){1, 2}), rows.row[1].value, &arena),
        GR_ERR_CORRUPT);
    assert_int_equal(
        read_any(gr_disk_partition_key(&arena, 4), rows.row[2].value, &arena), GR_ERR_CORRUPT);
    // Each decoder takes rows of its own kind only.
    struct gr_key key;
    struct gr_wall minute;
    uint32_t partition;
    assert_int_equal(gr_disk_read_due(rows.row[0].key, &minute, &key), GR_ERR_CORRUPT);
    assert_int_equal(gr_disk_read_leftover(rows.row[0].key, &partition, &key), GR_ERR_CORRUPT);
    assert_int_equal(gr_disk_read_record_key(rows.row[1].key, &key), GR_ERR_CORRUPT);
    // A hint is owed to the one under whose number it stands, and no other dot is in it.
    struct gr_hint hint = {.owner = 1, .key = w.key, .dot = dot, .record = record};
    w = (struct gr_store_write){.hint = &hint, .hint_count = 1};
    write_rows(&rows, &w, (struct gr_actor){1, 1});
    struct gr_bytes value = rows.row[0].value;
    for (size_t at = 1; at < rows.row[0].key.size; at++) {
        uint8_t *damaged = (uint8_t *)gr_arena_copy(&arena, rows.row[0].key).data;
        damaged[at] ^= 1;
        struct gr_bytes damaged_key = gr_bytes(damaged, rows.row[0].key.size);
        assert_int_equal(gr_disk_read_hint(damaged_key, value, &arena, &hint), GR_ERR_CORRUPT);
    }
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
}

// ---- order and ranges ------------------------------------------------------------------------

static int key_order(const struct gr_key *a, const struct gr_key *b)
{
    if (a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

static void test_records_in_order(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 3);
    struct gr_arena arena = {0};
    for (int round = 0; round < 2000; round++) {
        struct gr_key a = some_key(&random, &arena), b = some_key(&random, &arena);
        struct gr_bytes row_a = gr_disk_record_key(&arena, &a);
        struct gr_bytes row_b = gr_disk_record_key(&arena, &b);
        assert_true(row_a.size <= GR_DISK_KEY_BYTES_MAX);
        int order = gr_bytes_compare(row_a, row_b);
        assert_true((order < 0) == (key_order(&a, &b) < 0));
        uint32_t partitions = 1u << gr_random_below(&random, 15);
        uint32_t partition = a.slot / (GR_SLOTS / partitions);
        gr_cursor cursor = gr_cursor_of(a.slot, a.hash);
        assert_true(within(gr_disk_range_records(&arena, partitions, partition, 0), row_a));
        assert_true(within(gr_disk_range_records(&arena, partitions, partition, cursor), row_a));
        assert_false(
            within(gr_disk_range_records(&arena, partitions, partition, cursor + 1), row_a));
        assert_false(within(
            gr_disk_range_records(&arena, partitions, partition ^ (partitions > 1), cursor + 1),
            row_a));
        assert_true(within(gr_disk_range_kind(&arena, GR_DISK_RECORD), row_a));
        gr_arena_clear(&arena);
    }
    gr_arena_deinit(&arena);
}

// The records of a partition are those of its two halves when Q doubles, and nothing is between.
static void test_partitions_double(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    for (uint32_t partitions = 1; partitions < GR_PARTITIONS_MAX; partitions *= 2)
        for (uint32_t p = 0; p < partitions; p += 1 + partitions / 7) {
            struct gr_disk_range whole = gr_disk_range_records(&arena, partitions, p, 0);
            struct gr_disk_range low = gr_disk_range_records(&arena, 2 * partitions, 2 * p, 0);
            struct gr_disk_range high = gr_disk_range_records(&arena, 2 * partitions, 2 * p + 1, 0);
            assert_true(gr_bytes_equal(whole.from, low.from));
            assert_true(gr_bytes_equal(low.to, high.from));
            assert_true(gr_bytes_equal(high.to, whole.to));
            struct gr_disk_range none = gr_disk_range_records(&arena, partitions, p, GR_CURSOR_END);
            assert_true(gr_bytes_equal(none.from, none.to));
        }
    gr_arena_deinit(&arena);
}

static void test_partition_ranges(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    static const uint32_t partitions[] = {0, 1, 255, 256, 1000, GR_PARTITIONS_MAX - 1};
    struct gr_actor ends[] = {{0, 0}, {UINT64_MAX, UINT64_MAX}};
    struct rows rows = {0};
    for (size_t i = 0; i < GR_COUNT(partitions); i++)
        for (size_t k = 0; k < GR_COUNT(partitions); k++)
            for (size_t e = 0; e < 2; e++) {
                struct gr_bytes row = gr_disk_clock_key(&arena, partitions[i], ends[e]);
                assert_true(within(gr_disk_range_clock(&arena, partitions[k]), row) == (i == k));
                assert_true(within(gr_disk_range_kind(&arena, GR_DISK_CLOCK), row));
                assert_false(within(gr_disk_range_kind(&arena, GR_DISK_PARTITION), row));
                struct gr_store_write w = {
                    .partition = partitions[i],
                    .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
                    .leftover = -1,
                };
                write_rows(&rows, &w, ends[0]);
                row = find(&rows, GR_DISK_LEFTOVER, 0)->key;
                assert_true(within(gr_disk_range_leftover(&arena, partitions[k]), row) == (i == k));
            }
    assert_true(within(gr_disk_range_kind(&arena, GR_DISK_META), gr_disk_meta_key(&arena, "a")));
    assert_true(within(gr_disk_range_kind(&arena, GR_DISK_PARTITION),
        gr_disk_partition_key(&arena, GR_PARTITIONS_MAX - 1)));
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
}

// A due row is shown when everything of its minute is due, and not before.
static void test_due_minutes(void **state)
{
    (void)state;
    static const struct {
        int64_t expires, wall;
        bool shown;
    } table[] = {
        {1, 0, false},
        {1, 59999, false},
        {1, 60000, true},
        {60000, 59999, false},
        {60000, 60000, true},
        {60001, 60001, false},
        {60001, 119999, false},
        {60001, 120000, true},
        {-5, 0, true},
        {-5, -5, false},
        {INT64_MAX, (int64_t)1 << 62, false}, // later than any minute that has a number
        {INT64_MAX, INT64_MAX, false},
    };
    struct rows rows = {0};
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        struct gr_wall expires = {table[i].expires};
        struct gr_store_write w = {
            .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
            .due_add = &expires,
            .due_add_count = 1,
        };
        write_rows(&rows, &w, (struct gr_actor){1, 1});
        struct gr_disk_range range =
            gr_disk_range_due(&rows.arena, (struct gr_wall){table[i].wall});
        assert_int_equal(within(range, find(&rows, GR_DISK_DUE, 0)->key), table[i].shown);
    }
    gr_arena_deinit(&rows.arena);
}

static void hex(struct gr_bytes bytes, char *text)
{
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
    text[2 * bytes.size] = 0;
}

// The bytes themselves: a change here is a new format, and a migration.
static void test_known_bytes(void **state)
{
    (void)state;
    struct rows rows = {0};
    struct gr_dot own = {{1, 2}, 3}, seen = {{1, 2}, 2};
    struct gr_sibling sibling = {
        .dot = own,
        .origin = {.time = 5, .id = {6, 7}},
        .expires = {60001},
        .value = gr_bytes_text("v"),
    };
    struct gr_record record = {
        .sibling = &sibling,
        .count = 1,
        .context = {.cloud = &seen, .cloud_count = 1},
    };
    struct gr_hint hint = {.owner = 258,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .dot = own,
        .since = {300},
        .record = {.context = {.cloud = &own, .cloud_count = 1}}};
    struct gr_interval interval = {10, 12};
    struct gr_clock_row row = {
        .actor = {1, 2}, .base = 3, .interval = &interval, .interval_count = 1};
    const struct gr_clock_row *changed[] = {&row};
    struct gr_store_write w = {
        .partition = 258,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .record = &record,
        .row = changed,
        .row_count = 1,
        .counter = 300,
        .count = 2,
        .sum = {0x1122334455667788, 0x99aabbccddeeff00},
        .due_add = &sibling.expires,
        .due_add_count = 1,
        .leftover = 1,
        .hint = &hint,
        .hint_count = 1,
    };
    static const char *const want[][2] = {
        // r, slot, hash, bucket, key -> format, sum, sibling (see frame_test.c), cloud
        {"721dcd6e16d65c94b7044901626b",
            "01e16ca1be010001000000000000000200000000000000030500000000000000060000000000000007"
            "00e1d403027600010002"},
        // x, minute 2
        {"78000000021dcd6e16d65c94b7044901626b", ""},
        // o, partition 258
        {"6f01021dcd6e16d65c94b7044901626b", ""},
        // i, owner 258, slot, hash, bucket, key, dot, asked to -> since 300, no sibling, cloud
        {"6900000000000001021dcd6e16d65c94b7044901626b000000000000000100000000000000020000000000000"
         "00300",
            "012b74fbebac02000001000100000000000000020000000000000003"},
        // c, partition, actor -> base 3, one interval: 7 further, 2 long
        {"63010200000000000000010000000000000002", "0114500bbd03010702"},
        // h -> 2 keys, sum, actor, counter 300
        {"680102", "01a70953740200000000000000887766554433221100ffeeddccbbaa99"
                   "01000000000000000200000000000000ac02"},
    };
    write_rows(&rows, &w, (struct gr_actor){1, 2});
    assert_int_equal(rows.count, GR_COUNT(want));
    for (size_t i = 0; i < rows.count; i++) {
        char key[200], value[400];
        hex(rows.row[i].key, key);
        hex(rows.row[i].value, value);
        assert_string_equal(key, want[i][0]);
        assert_string_equal(value, want[i][1]);
    }
    gr_arena_deinit(&rows.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_removals),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_wrong_key),
        cmocka_unit_test(test_records_in_order),
        cmocka_unit_test(test_partitions_double),
        cmocka_unit_test(test_partition_ranges),
        cmocka_unit_test(test_due_minutes),
        cmocka_unit_test(test_known_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
