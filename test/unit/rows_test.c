// shell/rows.h: every row that can be read is visited once, in order, whatever lies between.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "shell/rows.h"
#include "test/hooks.h"

enum { ROWS = 1000, BAD_MAX = 4 };

// The memory engine, with ranges of keys that it cannot read.
static struct gr_store_engine engine;
static struct {
    uint32_t from, to; // row numbers; from <= n < to
} bad[BAD_MAX];
static uint32_t bad_count;
static enum gr_err bad_err;
static bool all_bad;

static uint32_t number_of(struct gr_bytes key)
{
    struct gr_reader reader = gr_reader_of(key);
    (void)gr_read_bytes(&reader, 1);
    return (uint32_t)gr_read_u16_big(&reader);
}

static enum gr_err next(
    struct gr_store_scan *scan, struct gr_bytes *ret_key, struct gr_bytes *ret_value)
{
    enum gr_err err = gr_store_memory.scan_next(scan, ret_key, ret_value);
    if (all_bad)
        return bad_err;
    for (uint32_t i = 0; err == GR_OK && i < bad_count; i++)
        if (number_of(*ret_key) >= bad[i].from && number_of(*ret_key) < bad[i].to)
            err = bad_err;
    return err;
}

static struct gr_store *store;
static bool seen[ROWS];
static uint32_t seen_count, gap_count, enough_at;
static bool to_the_end;

static bool on_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    (void)host;
    (void)value;
    uint32_t number = number_of(key);
    assert_true(number < ROWS);
    assert_false(seen[number]);
    seen[number] = true;
    seen_count++;
    return seen_count != enough_at;
}

static void on_gap(void *host, struct gr_bytes last, struct gr_bytes end)
{
    (void)host;
    assert_true(end.size == 0 || gr_bytes_compare(last, end) < 0);
    to_the_end = end.size == 0;
    gap_count++;
}

static int set_up(void **state)
{
    (void)state;
    struct gr_store_options options = {.create = true};
    if (gr_store_open(&gr_store_memory, "", &options, &store, NULL, 0) != GR_OK)
        return -1;
    engine = gr_store_memory;
    engine.scan_next = next;
    store->engine = &engine;
    struct gr_store_batch *batch = gr_store_batch_new();
    for (uint32_t i = 0; i < ROWS; i++) {
        uint8_t key[] = {'r', (uint8_t)(i >> 8), (uint8_t)i, 1, 2, 3, 4, 5, 6, 7};
        gr_store_batch_put(batch, gr_bytes(key, sizeof(key)), gr_bytes("", 0));
    }
    uint64_t number;
    enum gr_err err = gr_store_apply(store, batch, &number);
    gr_store_batch_free(batch);
    bad_count = seen_count = gap_count = enough_at = 0;
    all_bad = to_the_end = false;
    bad_err = GR_ERR_CORRUPT;
    memset(seen, 0, sizeof(seen));
    return err == GR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gr_store_close(store);
    return 0;
}

static void damage(uint32_t from, uint32_t to)
{
    bad[bad_count].from = from;
    bad[bad_count++].to = to;
}

static enum gr_err walk(void)
{
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(store);
    struct gr_rows_visitor visitor = {on_row, on_gap, NULL};
    enum gr_err err = gr_rows_walk(store, snapshot, &visitor);
    gr_store_snapshot_close(store, snapshot);
    return err;
}

static void test_whole(void **state)
{
    (void)state;
    assert_int_equal(walk(), GR_OK);
    assert_int_equal(seen_count, ROWS);
    assert_int_equal(gap_count, 0);
}

static void test_gaps(void **state)
{
    (void)state;
    damage(0, 3);
    damage(100, 101);
    damage(500, 700);
    damage(760, 768);
    assert_int_equal(walk(), GR_OK);
    assert_int_equal(seen_count, ROWS - 3 - 1 - 200 - 8);
    assert_int_equal(gap_count, 4);
}

static void test_gap_at_the_end(void **state)
{
    (void)state;
    damage(990, ROWS);
    assert_int_equal(walk(), GR_OK);
    assert_int_equal(seen_count, 990);
    assert_int_equal(gap_count, 1);
}

// Every other row: as many gaps, and nothing else is lost.
static void test_one_after_the_other(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < BAD_MAX; i++)
        damage(10 + 2 * i, 11 + 2 * i);
    assert_int_equal(walk(), GR_OK);
    assert_int_equal(seen_count, ROWS - BAD_MAX);
    assert_int_equal(gap_count, BAD_MAX);
}

static void test_nothing_can_be_read(void **state)
{
    (void)state;
    all_bad = true;
    assert_int_equal(walk(), GR_ERR_CORRUPT);
    assert_int_equal(seen_count, 0);
    assert_int_equal(gap_count, 1);
    assert_true(to_the_end);
}

static void test_other_errors(void **state)
{
    (void)state;
    damage(10, 20);
    bad_err = GR_ERR_IO;
    assert_int_equal(walk(), GR_ERR_IO);
    assert_int_equal(seen_count, 10);
    assert_int_equal(gap_count, 0);
}

static void test_enough(void **state)
{
    (void)state;
    enough_at = 7;
    assert_int_equal(walk(), GR_OK);
    assert_int_equal(seen_count, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gaps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gap_at_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_after_the_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_can_be_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_enough, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
