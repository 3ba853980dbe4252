// wire/disk.h: the rows of hints come back as they were written, and tell when they lie.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "test/unit/disk_rows.h"

static void test_hints(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 4);
    struct gr_arena arena = {0};
    struct rows rows = {0};
    for (int round = 0; round < 1000; round++) {
        struct gr_hint hint[3];
        for (int i = 0; i < 3; i++)
            hint[i] = some_hint(&random, &arena);
        struct gr_store_write w = {
            .partition = 5, .hint = hint, .hint_count = 3, .counter = (uint64_t)round};
        write_rows(&rows, &w, (struct gr_actor){1, 1});
        assert_int_equal(rows.count, 3); // no row of a key or of the partition besides
        struct gr_bytes key[3];
        for (int i = 0; i < 3; i++) {
            const struct row *row = find(&rows, GR_DISK_HINT, (size_t)i);
            struct gr_hint back;
            assert_int_equal(gr_disk_read_hint(row->key, row->value, &arena, &back), GR_OK);
            assert_int_equal(back.owner, hint[i].owner);
            assert_true(same_key(&back.key, &hint[i].key));
            assert_true(gr_dot_equal(&back.dot, &hint[i].dot));
            assert_true(back.stood_in == hint[i].stood_in);
            assert_true(back.since.ms == hint[i].since.ms);
            assert_true(same_record(&back.record, &hint[i].record));
            assert_true(row->key.size <= GR_DISK_KEY_BYTES_MAX);
            key[i] = gr_arena_copy(&arena, row->key);
        }
        // The same rows are removed.
        w.hint_remove = true;
        write_rows(&rows, &w, (struct gr_actor){1, 1});
        for (int i = 0; i < 3; i++) {
            const struct row *row = find(&rows, GR_DISK_HINT, (size_t)i);
            assert_true(row->removed && gr_bytes_equal(row->key, key[i]));
        }
        gr_arena_clear(&arena);
        gr_arena_clear(&rows.arena);
    }
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
    assert_int_equal(gr_test_blocks(), 0);
}

// What a node kept on its own and what an owner asked it to keep have one dot: two rows (H6).
static void test_two_runs(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 5);
    struct gr_arena arena = {0};
    struct rows rows = {0};
    struct gr_hint hint[2] = {some_hint(&random, &arena)};
    hint[1] = hint[0];
    hint[1].stood_in = !hint[0].stood_in;
    struct gr_store_write w = {.partition = 5, .hint = hint, .hint_count = 2};
    write_rows(&rows, &w, (struct gr_actor){1, 1});
    assert_false(
        gr_bytes_equal(find(&rows, GR_DISK_HINT, 0)->key, find(&rows, GR_DISK_HINT, 1)->key));
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
    assert_int_equal(gr_test_blocks(), 0);
}

// A hint whose record says nothing of its dot would never be acknowledged by an owner's clock.
static void test_hints_that_lie(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct rows rows = {0};
    struct gr_dot dot = {{1, 1}, 2}, other = {{1, 1}, 1};
    struct gr_hint hint = {
        .owner = 1,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .dot = dot,
    };
    struct gr_store_write w = {.hint = &hint, .hint_count = 1};
    struct gr_hint back;
    static const struct {
        uint64_t counter;
        bool covers;
        enum gr_err err;
    } table[] = {
        {2, true, GR_OK},
        {2, false, GR_ERR_CORRUPT},
        {0, true, GR_ERR_CORRUPT},
        {(uint64_t)1 << 63, true, GR_ERR_CORRUPT},
    };
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        hint.dot.counter = table[i].counter;
        hint.record.context = gr_context_make(&arena, NULL, 0, table[i].covers ? &dot : &other, 1);
        write_rows(&rows, &w, (struct gr_actor){1, 1});
        assert_int_equal(
            gr_disk_read_hint(rows.row[0].key, rows.row[0].value, &arena, &back), table[i].err);
    }
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
}

// The hints owed to a member: all of them, or those from a cursor on.
static void test_hint_ranges(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 6);
    struct gr_arena arena = {0};
    struct rows rows = {0};
    static const uint64_t owners[] = {1, 2, 255, 256, GR_MEMBER_ID_MAX};
    for (int round = 0; round < 500; round++) {
        struct gr_hint hint = some_hint(&random, &arena);
        gr_cursor cursor = gr_cursor_of(hint.key.slot, hint.key.hash);
        struct gr_store_write w = {.hint = &hint, .hint_count = 1};
        hint.owner = owners[round % (int)GR_COUNT(owners)];
        write_rows(&rows, &w, (struct gr_actor){1, 1});
        struct gr_bytes row = rows.row[0].key;
        for (size_t k = 0; k < GR_COUNT(owners); k++) {
            bool own = owners[k] == hint.owner;
            assert_true(within(gr_disk_range_hints(&arena, owners[k], 0), row) == own);
            assert_true(within(gr_disk_range_hints(&arena, owners[k], cursor), row) == own);
            assert_false(within(gr_disk_range_hints(&arena, owners[k], cursor + 1), row));
        }
        assert_true(within(gr_disk_range_kind(&arena, GR_DISK_HINT), row));
        assert_false(within(gr_disk_range_kind(&arena, GR_DISK_PARTITION), row));
        gr_arena_clear(&arena);
        gr_arena_clear(&rows.arena);
    }
    gr_arena_deinit(&arena);
    gr_arena_deinit(&rows.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_two_runs),
        cmocka_unit_test(test_hints_that_lie),
        cmocka_unit_test(test_hint_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
