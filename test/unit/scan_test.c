// shell/scan.h: pages of hints from a store, and what a node is fed of them at the start. Pages of
// records and indices are in storage_test.c.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shell/scan.h"
#include "test/hooks.h"
#include "wire/disk.h"

enum { PARTITIONS = 16 };

static struct gr_store *store;
static struct gr_arena arena;

static int set_up(void **state)
{
    (void)state;
    char why[200];
    struct gr_store_options options = {.create = true};
    return gr_store_open(&gr_store_memory, "", &options, &store, why, sizeof why) == GR_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    gr_store_close(store);
    gr_arena_deinit(&arena);
    return gr_test_blocks() == 0 ? 0 : -1;
}

static void take_put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    gr_store_batch_put(host, key, value);
}

static void take_remove(void *host, struct gr_bytes key)
{
    gr_store_batch_delete(host, key);
}

static struct gr_key key_of(const char *name)
{
    return gr_key_make(gr_bytes_text("b"), gr_bytes_text(name));
}

static void write_hint(uint64_t owner, const char *name, uint64_t counter, size_t value_bytes)
{
    struct gr_dot dot = {{9, 1}, counter};
    uint8_t *value = gr_arena_take_zero(&arena, value_bytes);
    struct gr_sibling sibling = {.dot = dot, .value = gr_bytes(value, value_bytes)};
    struct gr_hint hint = {.owner = owner,
        .key = key_of(name),
        .dot = dot,
        .since = {1000 + (int64_t)counter},
        .record = {.sibling = &sibling, .count = 1}};
    hint.record.context = gr_context_make(&arena, NULL, 0, &dot, 1);
    struct gr_store_write write = {.hint = &hint, .hint_count = 1};
    struct gr_store_batch *batch = gr_store_batch_new();
    struct gr_disk_sink sink = {take_put, take_remove, batch};
    uint64_t number;
    gr_disk_write(&write, (struct gr_actor){1, 1}, &sink);
    assert_int_equal(gr_store_apply(store, batch, &number), GR_OK);
    gr_store_batch_free(batch);
}

static enum gr_err run(struct gr_scan_page *page)
{
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(store);
    enum gr_err err = gr_scan_run(store, snapshot, PARTITIONS, &arena, page);
    gr_store_snapshot_close(store, snapshot);
    return err;
}

static struct gr_scan_page hints_of(uint64_t owner, gr_cursor cursor, uint32_t limit)
{
    struct gr_scan_page page = {
        .kind = GR_SCAN_HINTS, .owner = owner, .cursor = cursor, .limit = limit};
    assert_int_equal(run(&page), GR_OK);
    return page;
}

// Page after page, each hint once and no other member's.
static void test_pages(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g"};
    for (size_t i = 0; i < GR_COUNT(names); i++)
        for (uint64_t owner = 1; owner <= 3; owner++)
            for (uint64_t n = 0; n < i; n++)
                write_hint(owner, names[i], 10 * i + n + 1, i);
    uint32_t seen = 0, pages = 0;
    gr_cursor cursor = 0;
    while (cursor < GR_CURSOR_END) {
        // More than any key has: no page ends inside one.
        struct gr_scan_page page = hints_of(2, cursor, 7);
        for (uint32_t i = 0; i < page.hint_count; i++) {
            const struct gr_hint *hint = &page.hint[i];
            gr_cursor at = gr_cursor_of(hint->key.slot, hint->key.hash);
            assert_int_equal(hint->owner, 2);
            assert_true(at >= cursor && at <= page.end);
            assert_true(hint->since.ms == 1000 + (int64_t)hint->dot.counter);
            assert_int_equal(gr_record_value_bytes(&hint->record), hint->dot.counter / 10);
        }
        // Those of the next page's first key may have been on this one: they come again.
        for (uint32_t i = 0; i < page.hint_count; i++)
            seen += gr_cursor_of(page.hint[i].key.slot, page.hint[i].key.hash) < page.end;
        assert_true(page.end > cursor);
        cursor = page.end;
        pages++;
    }
    assert_int_equal(seen, 0 + 1 + 2 + 3 + 4 + 5 + 6);
    assert_in_range(pages, 3, 8);
    assert_int_equal(hints_of(4, 0, 7).hint_count, 0);
}

static void test_bytes_end_a_page(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 8; n++)
        write_hint(1, "a", n, 1 << 20);
    struct gr_scan_page page = hints_of(1, 0, 64);
    struct gr_key key = key_of("a");
    assert_int_equal(page.hint_count, GR_HINT_PAGE_BYTES >> 20);
    assert_true(page.end == gr_cursor_of(key.slot, key.hash)); // the rest of the key is there
}

static void test_one_key(void **state)
{
    (void)state;
    write_hint(1, "{t}a", 1, 1);
    write_hint(1, "{t}a", 2, 1);
    write_hint(1, "{t}b", 3, 1);
    write_hint(2, "{t}a", 4, 1);
    struct gr_scan_page page = {
        .kind = GR_SCAN_HINTS, .owner = 1, .key = key_of("{t}a"), .limit = 10};
    assert_int_equal(run(&page), GR_OK);
    assert_int_equal(page.hint_count, 2);
    assert_true(page.hint[0].dot.counter == 1 && page.hint[1].dot.counter == 2);
    assert_true(page.end == GR_CURSOR_END);
    page =
        (struct gr_scan_page){.kind = GR_SCAN_HINTS, .owner = 1, .key = key_of("{t}a"), .limit = 1};
    assert_int_equal(run(&page), GR_OK);
    assert_int_equal(page.hint_count, 1);
    assert_true(page.end != GR_CURSOR_END); // and says that there is more
    page = (struct gr_scan_page){
        .kind = GR_SCAN_HINTS, .owner = 1, .key = key_of("{t}c"), .limit = 10};
    assert_int_equal(run(&page), GR_OK);
    assert_int_equal(page.hint_count, 0);
}

static void damage(struct gr_bytes row_key)
{
    struct gr_store_batch *batch = gr_store_batch_new();
    uint64_t number;
    gr_store_batch_put(batch, row_key, gr_bytes_text("damaged"));
    assert_int_equal(gr_store_apply(store, batch, &number), GR_OK);
    gr_store_batch_free(batch);
}

// A node is told of every hint at the start; a row that cannot be read is not passed over.
static void test_load(void **state)
{
    (void)state;
    char why[512] = "";
    static struct gr_member member[4];
    struct gr_ring ring;
    gr_ring_init(&ring, PARTITIONS, 3, member, 4);
    struct gr_node_config config = gr_node_config_default();
    config.ring = &ring;
    write_hint(ring.member[1].id, "a", 5, 100);
    write_hint(ring.member[1].id, "b", 3, 100);
    write_hint(ring.member[3].id, "a", 5, 100);
    struct gr_node *node = gr_node_new(&config);
    assert_int_equal(gr_scan_load(store, PARTITIONS, node, why, sizeof why), GR_OK);
    struct gr_debt_view debt = gr_node_debt(node, 1);
    assert_true(debt.count == 2 && debt.bytes > 200 && debt.oldest.ms == 1003);
    assert_true(gr_node_debt(node, 2).count == 0 && gr_node_debt(node, 3).count == 1);
    gr_node_free(node);

    write_hint(77, "c", 1, 1); // one that is no member any more, or not yet
    node = gr_node_new(&config);
    assert_int_equal(gr_scan_load(store, PARTITIONS, node, why, sizeof why), GR_OK);
    gr_node_free(node);

    damage(gr_disk_range_hints(&arena, 77, 0).from);
    node = gr_node_new(&config);
    assert_int_equal(gr_scan_load(store, PARTITIONS, node, why, sizeof why), GR_ERR_CORRUPT);
    assert_non_null(strstr(why, "A hint row of the store cannot be read"));
    gr_node_free(node);

    damage(gr_disk_range_hints(&arena, 2, 0).from);
    struct gr_scan_page page = {.kind = GR_SCAN_HINTS, .owner = 2, .limit = 10};
    assert_int_equal(run(&page), GR_ERR_CORRUPT);
    assert_int_equal(page.hint_count, 0);
    gr_ring_deinit(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_end_a_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_load, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
