// shell/storage.h over the memory engine, and over an engine that stalls, fails and waits when
// told.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shell/log.h"
#include "shell/storage.h"
#include "test/hooks.h"
#include "test/unit/storage_parts.h"
#include "wire/disk.h"

enum { PARTITIONS = 16 };
static const struct gr_actor self = {7, (uint64_t)1 << 32 | 99};

// ---- a node's part, played by hand -------------------------------------------------------------

static uv_loop_t loop;
static struct gr_storage *storage;
static struct gr_arena arena;
static uint64_t writes;
static uint64_t counters[PARTITIONS];
static size_t blocks;

static void open_storage(struct gr_span sync_interval)
{
    char why[512];
    struct gr_storage_config config = {.engine = &engine,
        .dir = "",
        .partitions = PARTITIONS,
        .loop = &loop,
        .sync_interval = sync_interval};
    assert_int_equal(gr_storage_open(&config, &storage, why, sizeof(why)), GR_OK);
    gr_storage_begin(storage, self);
    writes = 0;
}

static int set_up(void **state)
{
    (void)state;
    cold = slow = sync_held = disk_stays = false;
    apply_fault = sync_fault = GR_OK;
    writes = 0;
    memset(counters, 0, sizeof(counters));
    blocks = gr_test_blocks();
    assert_int_equal(uv_loop_init(&loop), 0);
    open_storage((struct gr_span){0});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sync_held = disk_stays = false;
    gr_storage_close(storage);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), blocks);
    return 0;
}

static struct gr_key key_of(const char *name)
{
    return gr_key_make(gr_bytes_text("default"), gr_bytes_text(name));
}

static uint32_t partition_of(const char *name)
{
    return key_of(name).slot / (GR_SLOTS / PARTITIONS);
}

// One sibling, its dot the partition's next, the clock without a gap.
static bool put_urgent;
static void put_due(const char *name, const char *value, int64_t due_ms)
{
    struct gr_key key = key_of(name);
    uint32_t partition = partition_of(name);
    uint64_t counter = ++counters[partition];
    struct gr_sibling sibling = {
        .dot = {self, counter},
        .origin = {counter << 16, {1, counter}},
        .expires = {due_ms},
        .value = gr_bytes_text(value),
    };
    struct gr_record record = {.sibling = &sibling, .count = 1};
    struct gr_clock_row row = {.actor = self, .base = counter};
    const struct gr_clock_row *rows[] = {&row};
    struct gr_wall due = {due_ms};
    struct gr_store_write write = {
        .number = ++writes,
        .partition = partition,
        .key = key,
        .record = &record,
        .row = rows,
        .row_count = 1,
        .counter = counter,
        .count = (int64_t)counter,
        .due_add = &due,
        .due_add_count = due_ms != 0,
        .leftover = strcmp(value, "leftover") == 0,
        .sync = put_urgent,
    };
    gr_storage_write(storage, &write);
}

static void put(const char *name, const char *value)
{
    put_due(name, value, 0);
}

static void read_key(uint64_t ticket, const char *name)
{
    struct gr_key key = key_of(name);
    gr_storage_read(storage, ticket, &key, false);
}

// The next event, waiting for it; fails the test after 5 s.
static struct gr_event wait_event(void)
{
    struct gr_event event;
    for (int i = 0; i < 5000; i++) {
        if (gr_storage_next(storage, &event))
            return event;
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    fail_msg("no event within 5 s");
    return event;
}

static struct gr_event wait_type(enum gr_event_type type)
{
    struct gr_event event = wait_event();
    assert_int_equal(event.type, type);
    return event;
}

static void expect_nothing(void)
{
    struct gr_event event;
    for (int i = 0; i < 20; i++) {
        assert_false(gr_storage_next(storage, &event));
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
}

static void expect_read(uint64_t ticket, const char *value)
{
    struct gr_event event = wait_type(GR_EVENT_READ_DONE);
    assert_true(event.ticket == ticket);
    assert_int_equal(event.status, GR_OK);
    assert_int_equal(event.record.count, 1);
    assert_true(gr_bytes_equal(event.record.sibling[0].value, gr_bytes_text(value)));
}

static void expect_no_read(uint64_t ticket, enum gr_err status)
{
    struct gr_event event = wait_type(GR_EVENT_READ_DONE);
    assert_true(event.ticket == ticket);
    assert_int_equal(event.status, status);
    assert_int_equal(event.record.count, 0);
}

// ---- the tests ---------------------------------------------------------------------------------

static void test_reads_see_what_was_written_before(void **state)
{
    (void)state;
    put("a", "1");
    read_key(10, "a");
    read_key(11, "nothing");
    sync_held = true;
    expect_nothing(); // Nothing begins before the commit.
    assert_true(gr_storage_commit(storage));
    expect_read(10, "1");
    expect_no_read(11, GR_ERR_NOT_FOUND);
    put("a", "2");
    read_key(12, "a");
    assert_true(gr_storage_commit(storage));
    expect_read(12, "2");
}

static void test_cold_reads_take_a_thread(void **state)
{
    (void)state;
    cold = sync_held = true;
    put("a", "1");
    for (uint64_t i = 0; i < 100; i++)
        read_key(i, "a");
    assert_true(gr_storage_commit(storage));
    bool seen[100] = {false};
    for (int i = 0; i < 100; i++) {
        struct gr_event event = wait_type(GR_EVENT_READ_DONE);
        assert_true(event.ticket < 100 && !seen[event.ticket]);
        assert_int_equal(event.status, GR_OK);
        seen[event.ticket] = true;
    }
    assert_true(gr_storage_stats(storage).reads_waited == 100);
    // What nobody waits for any more is dropped by close.
    for (uint64_t i = 0; i < 100; i++)
        read_key(i, "a");
    assert_true(gr_storage_commit(storage));
    read_key(0, "a");
}

static void test_synced_says_what_is_durable(void **state)
{
    (void)state;
    put("a", "1");
    put("b", "1");
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_SYNCED).number == 2);
    sync_held = true;
    put("c", "1");
    assert_true(gr_storage_commit(storage));
    while (syncs_waiting == 0)
        uv_sleep(1);
    // Applied while a sync is under way: the next sync's business, however many commits.
    put("d", "1");
    assert_true(gr_storage_commit(storage));
    put("e", "1");
    assert_true(gr_storage_commit(storage));
    expect_nothing();
    assert_false(gr_storage_quiet(storage));
    sync_held = false;
    uint64_t number = wait_type(GR_EVENT_SYNCED).number;
    if (number == 3)
        number = wait_type(GR_EVENT_SYNCED).number;
    assert_true(number == 5);
    expect_nothing();
    assert_true(gr_storage_quiet(storage));
}

// More commits than groups are kept: the last group is told late, never early.
static void test_many_commits_in_one_sync(void **state)
{
    (void)state;
    sync_held = true;
    for (int i = 0; i < 3000; i++) {
        put("a", "1");
        assert_true(gr_storage_commit(storage));
    }
    sync_held = false;
    uint64_t number = 0;
    while (number < 3000) {
        uint64_t next = wait_type(GR_EVENT_SYNCED).number;
        assert_true(next > number);
        number = next;
    }
    assert_true(number == 3000);
}

static void test_a_stall_holds_everything(void **state)
{
    (void)state;
    apply_fault = GR_ERR_STALLED;
    slow = true;
    put("a", "1");
    read_key(1, "a");
    assert_false(gr_storage_commit(storage));
    assert_false(gr_storage_commit(storage));
    assert_true(gr_storage_stats(storage).stalls == 1);
    apply_fault = GR_OK;
    assert_true(gr_storage_commit(storage));
    // Still slow: the node is told, and told again when it is over.
    struct gr_event event = wait_event();
    while (event.type == GR_EVENT_SYNCED)
        event = wait_event();
    assert_int_equal(event.type, GR_EVENT_STORE);
    assert_int_equal(event.status, GR_ERR_STALLED);
    slow = false;
    bool over = false, answered = false;
    for (int i = 0; i < 1000 && !(over && answered); i++) {
        assert_true(gr_storage_commit(storage));
        uv_run(&loop, UV_RUN_NOWAIT);
        uv_sleep(1);
        while (gr_storage_next(storage, &event)) {
            over |= event.type == GR_EVENT_STORE && event.status == GR_OK;
            answered |= event.type == GR_EVENT_READ_DONE && event.status == GR_OK;
        }
    }
    assert_true(over && answered);
    assert_int_equal(gr_storage_failed(storage), GR_OK);
}

static void test_a_failed_apply(void **state)
{
    (void)state;
    put("a", "1");
    put("b", "1");
    assert_true(partition_of("a") != partition_of("b"));
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_SYNCED).number == 2);
    apply_fault = GR_ERR_IO;
    put("a", "2");
    read_key(1, "a");
    read_key(2, "b");
    gr_log_level(GR_LOG_NOTHING);
    assert_true(gr_storage_commit(storage));
    gr_log_level(GR_LOG_INFO);
    assert_int_equal(wait_type(GR_EVENT_STORE).status, GR_ERR_IO);
    // I4: the partition that missed a batch is mute, the other speaks.
    expect_no_read(1, GR_ERR_IO);
    expect_read(2, "1");
    // I3: nothing is applied later, even when the engine would.
    apply_fault = GR_OK;
    put("b", "2");
    read_key(3, "b");
    assert_true(gr_storage_commit(storage));
    expect_no_read(3, GR_ERR_IO);
    expect_nothing();
    assert_int_equal(gr_storage_failed(storage), GR_ERR_IO);
    assert_true(gr_storage_quiet(storage));
}

static void test_a_failed_sync(void **state)
{
    (void)state;
    sync_fault = GR_ERR_NO_SPACE;
    gr_log_level(GR_LOG_NOTHING);
    put("a", "1");
    assert_true(gr_storage_commit(storage));
    assert_int_equal(wait_type(GR_EVENT_STORE).status, GR_ERR_NO_SPACE);
    gr_log_level(GR_LOG_INFO);
    sync_fault = GR_OK;
    expect_nothing();
    // What was applied can be read; what comes later is not applied.
    read_key(1, "a");
    assert_true(gr_storage_commit(storage));
    expect_read(1, "1");
    put("a", "2");
    read_key(2, "a");
    assert_true(gr_storage_commit(storage));
    expect_no_read(2, GR_ERR_IO);
}

// Closes and opens again, as the server does after a failure.
static void open_again(struct gr_span sync_interval)
{
    disk_stays = true;
    gr_storage_close(storage);
    uv_run(&loop, UV_RUN_NOWAIT);
    disk_stays = false;
    open_storage(sync_interval);
}

// A full disk: writes are refused, reads go on; once there is room and the store is opened again,
// what was durable is there, what was refused is not, and writes are taken.
static void test_space_comes_back(void **state)
{
    (void)state;
    put("a", "1");
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_SYNCED).number == 1);
    apply_fault = GR_ERR_NO_SPACE;
    put("b", "1");
    read_key(1, "a");
    gr_log_level(GR_LOG_NOTHING);
    assert_true(gr_storage_commit(storage));
    gr_log_level(GR_LOG_INFO);
    assert_int_equal(wait_type(GR_EVENT_STORE).status, GR_ERR_NO_SPACE);
    assert_int_equal(gr_storage_failed(storage), GR_ERR_NO_SPACE);
    expect_read(1, "1");
    apply_fault = GR_OK;
    open_again((struct gr_span){0});
    assert_int_equal(gr_storage_failed(storage), GR_OK);
    read_key(2, "a");
    read_key(3, "b");
    assert_true(gr_storage_commit(storage));
    expect_read(2, "1");
    expect_no_read(3, GR_ERR_NOT_FOUND);
    put("b", "2");
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_SYNCED).number == 1);
    read_key(4, "b");
    assert_true(gr_storage_commit(storage));
    expect_read(4, "2");
}

// I5: a write that waits for the interval is applied and told so; one that does not wait takes it
// along. An interval that is over needs nobody.
static void test_the_interval(void **state)
{
    (void)state;
    open_again(gr_span_ms(3600000));
    put("a", "1");
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_APPLIED).number == 1);
    assert_true(wait_type(GR_EVENT_SYNCED).number == 1); // there was none before it
    put("b", "1");
    put("c", "1");
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_APPLIED).number == 3);
    expect_nothing();
    assert_false(gr_storage_quiet(storage));
    put_urgent = true;
    put("d", "1");
    put_urgent = false;
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_APPLIED).number == 4);
    assert_true(wait_type(GR_EVENT_SYNCED).number == 4);
    assert_int_equal(gr_storage_stats(storage).syncs, 2);
    assert_true(gr_storage_quiet(storage));
    open_again(gr_span_ms(30));
    for (uint64_t i = 1; i <= 3; i++) {
        put("a", "2");
        assert_true(gr_storage_commit(storage));
        assert_true(wait_type(GR_EVENT_APPLIED).number == i);
        assert_true(wait_type(GR_EVENT_SYNCED).number == i);
    }
}

// Another interval is that of what waits already.
static void test_another_interval(void **state)
{
    (void)state;
    open_again(gr_span_ms(3600000));
    for (uint64_t i = 1; i <= 2; i++) {
        put("a", "1");
        assert_true(gr_storage_commit(storage));
        assert_true(wait_type(GR_EVENT_APPLIED).number == i);
        if (i == 1)
            assert_true(wait_type(GR_EVENT_SYNCED).number == 1);
    }
    expect_nothing();
    gr_storage_set_interval(storage, gr_span_ms(1));
    assert_true(wait_type(GR_EVENT_SYNCED).number == 2);
    gr_storage_set_interval(storage, gr_span_ms(3600000));
    put("a", "2");
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_APPLIED).number == 3);
    expect_nothing();
}

// What the engine refused is never told as applied, nor what came after it.
static void test_refused_is_not_applied(void **state)
{
    (void)state;
    open_again(gr_span_ms(3600000));
    put("a", "1");
    assert_true(gr_storage_commit(storage));
    assert_true(wait_type(GR_EVENT_APPLIED).number == 1);
    assert_true(wait_type(GR_EVENT_SYNCED).number == 1);
    apply_fault = GR_ERR_IO;
    put("a", "2");
    gr_log_level(GR_LOG_NOTHING);
    assert_true(gr_storage_commit(storage));
    gr_log_level(GR_LOG_INFO);
    assert_int_equal(wait_type(GR_EVENT_STORE).status, GR_ERR_IO);
    apply_fault = GR_OK;
    put("b", "1");
    assert_true(gr_storage_commit(storage));
    expect_nothing();
}

static void test_a_damaged_row(void **state)
{
    (void)state;
    struct gr_key key = key_of("a");
    struct gr_store_batch *batch = gr_store_batch_new();
    gr_store_batch_put(batch, gr_disk_record_key(&arena, &key), gr_bytes_text("\1no record"));
    uint64_t number;
    assert_int_equal(gr_store_apply(gr_storage_store(storage), batch, &number), GR_OK);
    gr_store_batch_free(batch);
    read_key(1, "a");
    assert_true(gr_storage_commit(storage));
    expect_no_read(1, GR_ERR_CORRUPT);
}

// Keys of partition 0 are found by trying names.
static uint32_t fill_partition(uint32_t partition, uint32_t count)
{
    static char names[256][8];
    uint32_t made = 0;
    for (int i = 0; made < count && i < 100000; i++) {
        snprintf(names[made], sizeof(names[0]), "k%d", i);
        if (partition_of(names[made]) == partition)
            put(names[made++], "v");
    }
    return made;
}

static struct gr_event scan(struct gr_effect effect)
{
    effect.type = GR_EFFECT_SCAN;
    effect.ticket = 99;
    gr_storage_scan(storage, &effect);
    assert_true(gr_storage_commit(storage));
    struct gr_event event = wait_event();
    while (event.type == GR_EVENT_SYNCED)
        event = wait_event();
    assert_int_equal(event.type, GR_EVENT_SCAN_DONE);
    assert_int_equal(event.status, GR_OK);
    assert_true(event.ticket == 99);
    return event;
}

static void test_pages_of_records(void **state)
{
    (void)state;
    uint32_t count = fill_partition(3, 100);
    fill_partition(2, 5);
    fill_partition(4, 5);
    gr_cursor cursor = 0, end = (gr_cursor)4 * (GR_SLOTS / PARTITIONS) << 38;
    uint32_t seen = 0, pages = 0;
    while (cursor < end) {
        struct gr_event page = scan((struct gr_effect){
            .scan = GR_SCAN_RECORDS, .partition = 3, .cursor = cursor, .limit = 7});
        assert_true(page.entry_count >= 7 || page.cursor == end);
        assert_true(page.cursor > cursor && page.cursor <= end);
        // The fill is the whole base of the clock, however short the page is.
        assert_int_equal(page.context.vv_count, 1);
        assert_true(page.context.vv[0].counter == count);
        for (uint32_t i = 0; i < page.entry_count; i++) {
            const struct gr_entry *entry = &page.entry[i];
            gr_cursor at = gr_cursor_of(entry->key.slot, entry->key.hash);
            assert_true(at >= cursor && at < page.cursor);
            assert_int_equal(entry->record.count, 1);
            assert_true(entry->record.sibling[0].bare);
        }
        seen += page.entry_count;
        cursor = page.cursor;
        pages++;
    }
    assert_int_equal(seen, count);
    assert_in_range(pages, 10, 16);
    struct gr_event empty =
        scan((struct gr_effect){.scan = GR_SCAN_RECORDS, .partition = 9, .limit = 7});
    assert_int_equal(empty.entry_count, 0);
    assert_true(empty.cursor == (gr_cursor)10 * (GR_SLOTS / PARTITIONS) << 38);
}

// A snapshot is taken at the commit: what comes later is not on the page.
static void test_a_page_is_one_moment(void **state)
{
    (void)state;
    uint32_t count = fill_partition(3, 20);
    struct gr_effect effect = {.type = GR_EFFECT_SCAN,
        .ticket = 99,
        .scan = GR_SCAN_RECORDS,
        .partition = 3,
        .limit = 1000};
    gr_storage_scan(storage, &effect);
    assert_true(gr_storage_commit(storage));
    fill_partition(3, 40);
    assert_true(gr_storage_commit(storage));
    struct gr_event event = wait_event();
    while (event.type == GR_EVENT_SYNCED)
        event = wait_event();
    assert_int_equal(event.entry_count, count);
    assert_true(event.context.vv[0].counter == count);
}

static void test_pages_of_indexes(void **state)
{
    (void)state;
    put_due("a", "1", 60000);
    put_due("b", "1", 120000);
    put_due("c", "1", 600000);
    struct gr_effect effect = {.scan = GR_SCAN_DUE, .wall = {180000}, .limit = 10};
    struct gr_event event = scan(effect);
    assert_int_equal(event.entry_count, 2);
    struct gr_key first = key_of("a"), second = key_of("b");
    assert_true(gr_key_equal(&event.entry[0].key, &first));
    assert_true(gr_key_equal(&event.entry[1].key, &second));
    effect.cursor = 1; // After the first row.
    event = scan(effect);
    assert_int_equal(event.entry_count, 1);
    assert_true(gr_key_equal(&event.entry[0].key, &second));
    effect.cursor = 0;
    effect.limit = 1;
    assert_int_equal(scan(effect).entry_count, 1);

    put("d", "leftover");
    event = scan(
        (struct gr_effect){.scan = GR_SCAN_LEFTOVER, .partition = partition_of("d"), .limit = 10});
    assert_int_equal(event.entry_count, 1);
    struct gr_key left = key_of("d");
    assert_true(gr_key_equal(&event.entry[0].key, &left));
}

// What a node is fed at the start is what was written.
static void test_load(void **state)
{
    (void)state;
    char why[512];
    fill_partition(3, 5);
    fill_partition(8, 2);
    assert_true(gr_storage_commit(storage));
    struct gr_member member = {
        .name = "n1", .host = "h", .peer = "127.0.0.1:1", .resp = "127.0.0.1:2"};
    struct gr_ring ring;
    gr_ring_init(&ring, PARTITIONS, 1, &member, 1);
    struct gr_node_config config = gr_node_config_default();
    config.actor = (struct gr_actor){7, (uint64_t)2 << 32};
    config.ring = &ring;
    config.r = config.w = 1;
    struct gr_node *node = gr_node_new(&config);
    assert_int_equal(gr_storage_load(storage, node, why, sizeof(why)), GR_OK);
    assert_true(gr_clock_base(gr_node_clock(node, 3), self) == 5);
    assert_true(gr_clock_base(gr_node_clock(node, 8), self) == 2);
    assert_true(gr_clock_base(gr_node_clock(node, 4), self) == 0);
    assert_int_equal(gr_node_count(node, 3), 5);
    assert_int_equal(gr_node_count(node, 8), 2);
    gr_node_free(node);

    struct gr_store_batch *batch = gr_store_batch_new();
    gr_store_batch_put(batch, gr_disk_clock_key(&arena, 3, self), gr_bytes_text("damaged"));
    uint64_t number;
    assert_int_equal(gr_store_apply(gr_storage_store(storage), batch, &number), GR_OK);
    gr_store_batch_free(batch);
    node = gr_node_new(&config);
    assert_int_not_equal(gr_storage_load(storage, node, why, sizeof(why)), GR_OK);
    assert_non_null(strstr(why, "A clock row of the store cannot be read"));
    gr_node_free(node);
    gr_ring_deinit(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_see_what_was_written_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cold_reads_take_a_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_synced_says_what_is_durable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_commits_in_one_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_stall_holds_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_apply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_failed_sync, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_space_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_interval, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_another_interval, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_is_not_applied, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_damaged_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages_of_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_page_is_one_moment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pages_of_indexes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_load, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
