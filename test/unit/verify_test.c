// wire/verify.h: a store as a node writes it is sound, and each kind of damage is found and named.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "store/store.h"
#include "test/hooks.h"
#include "wire/salvage.h"
#include "wire/verify.h"

enum { PARTITIONS = 16, MINUTE_MS = 60000 };

static const struct gr_actor self = {7, 1}, other = {9, 1};

struct world {
    struct gr_store *store;
    struct gr_store_batch *batch;
    struct gr_store_snapshot *snapshot;
    struct gr_clock clock[PARTITIONS];
    int64_t count[PARTITIONS];
    struct gr_sum sum[PARTITIONS];
    uint64_t counter[PARTITIONS];
    struct gr_arena arena;
    uint32_t found[GR_VERIFY_COUNT];
    struct gr_verify_finding last;
    struct gr_verify_summary summary;
};

static void put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    gr_store_batch_put(host, key, value);
}

static void take(void *host, struct gr_bytes key)
{
    gr_store_batch_delete(host, key);
}

static void apply(struct world *world)
{
    uint64_t number;
    assert_int_equal(gr_store_apply(world->store, world->batch, &number), GR_OK);
    gr_store_batch_clear(world->batch);
}

static struct gr_key key_of(const char *name)
{
    return gr_key_make(gr_bytes_text("default"), gr_bytes_text(name));
}

// As a node that draws a dot would: a value that may expire, or none; with left-over context or
// not.
static void write_key(
    struct world *world, const char *name, bool value, int64_t expires_ms, bool with_context)
{
    struct gr_key key = key_of(name);
    uint32_t p = key.slot / (GR_SLOTS / PARTITIONS);
    struct gr_dot dot = {self, ++world->counter[p]}, seen = {other, 1000};
    assert_true(gr_clock_add(&world->clock[p], &dot));
    struct gr_sibling sibling = {
        .dot = dot, .value = gr_bytes_text("milk"), .expires = {expires_ms}};
    struct gr_record record = {.sibling = &sibling, .count = value};
    if (with_context)
        record.context = gr_context_make(&world->arena, NULL, 0, &seen, 1);
    struct gr_sum hash = gr_merkle_hash(&world->arena, &key, &record);
    world->sum[p] = gr_sum_add(world->sum[p], hash);
    world->count[p] += value;
    const struct gr_clock_row *row = gr_clock_row(&world->clock[p], self);
    struct gr_wall due = {expires_ms};
    struct gr_store_write write = {
        .partition = p,
        .key = key,
        .record = &record,
        .row = &row,
        .row_count = 1,
        .counter = dot.counter,
        .count = world->count[p],
        .sum = world->sum[p],
        .due_add = &due,
        .due_add_count = expires_ms != 0,
        .leftover = with_context,
    };
    struct gr_disk_sink sink = {put, take, world->batch};
    gr_disk_write(&write, self, &sink);
    apply(world);
}

static int set_up(void **state)
{
    struct world *world = gr_hook_memory(NULL, sizeof(*world));
    memset(world, 0, sizeof(*world));
    struct gr_store_options options = {.create = true};
    world->batch = gr_store_batch_new();
    *state = world;
    if (gr_store_open(&gr_store_memory, "", &options, &world->store, NULL, 0) != GR_OK)
        return -1;
    write_key(world, "plain", true, 0, false);
    write_key(world, "{plain}twin", true, 0, false);
    write_key(world, "expires", true, 5 * MINUTE_MS, false);
    write_key(world, "context", true, 0, true);
    write_key(world, "marker", false, 0, true);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;
    for (uint32_t p = 0; p < PARTITIONS; p++)
        gr_clock_deinit(&world->clock[p]);
    gr_store_batch_free(world->batch);
    gr_store_close(world->store);
    gr_arena_deinit(&world->arena);
    gr_hook_memory(world, 0);
    return 0;
}

// ---- looking ---------------------------------------------------------------------------------

static enum gr_err get(
    void *host, struct gr_bytes row_key, struct gr_arena *arena, struct gr_bytes *ret_value)
{
    struct world *world = host;
    struct gr_store_value value;
    enum gr_err err = gr_store_snapshot_get(world->store, world->snapshot, row_key, &value);
    if (err != GR_OK)
        return err;
    *ret_value = gr_arena_copy(arena, value.bytes);
    gr_store_value_done(world->store, &value);
    return GR_OK;
}

static void found(void *host, const struct gr_verify_finding *finding)
{
    struct world *world = host;
    world->found[finding->kind]++;
    world->last = *finding;
}

static void look(struct world *world)
{
    memset(world->found, 0, sizeof(world->found));
    struct gr_verify_host host = {get, found, world};
    struct gr_verify *verify = gr_verify_new(PARTITIONS, &host);
    world->snapshot = gr_store_snapshot_open(world->store);
    struct gr_store_scan *scan =
        gr_store_scan_open(world->store, world->snapshot, gr_bytes("", 0), gr_bytes("", 0));
    struct gr_bytes key, value;
    while (gr_store_scan_next(scan, &key, &value) == GR_OK)
        gr_verify_row(verify, key, value);
    gr_store_scan_close(scan);
    world->summary = gr_verify_end(verify);
    gr_store_snapshot_close(world->store, world->snapshot);
}

// These kinds and no others, each as often as said.
static void expect(struct world *world, enum gr_verify_kind a, uint32_t a_count,
    enum gr_verify_kind b, uint32_t b_count)
{
    look(world);
    for (int kind = 0; kind < GR_VERIFY_COUNT; kind++) {
        uint32_t wanted = (int)a == kind ? a_count : (int)b == kind ? b_count : 0;
        if (world->found[kind] != wanted)
            fail_msg("%s was found %u times, not %u",
                gr_verify_text((enum gr_verify_kind)kind)->name, world->found[kind], wanted);
    }
    assert_int_equal(world->summary.findings, a_count + b_count);
}

static void expect_sound(struct world *world)
{
    expect(world, GR_VERIFY_RECORD, 0, GR_VERIFY_SUM, 0);
}

static void remove_row(struct world *world, struct gr_bytes row_key)
{
    gr_store_batch_delete(world->batch, row_key);
    apply(world);
}

// Flips one bit of a row's value.
static void damage_row(struct world *world, struct gr_bytes row_key)
{
    struct gr_store_value value;
    assert_int_equal(gr_store_get(world->store, row_key, GR_STORE_READ_ANY, &value), GR_OK);
    struct gr_bytes copy = gr_arena_copy(&world->arena, value.bytes);
    gr_store_value_done(world->store, &value);
    ((uint8_t *)copy.data)[copy.size - 1] ^= 4;
    gr_store_batch_put(world->batch, row_key, copy);
    apply(world);
}

static struct gr_bytes record_row(struct world *world, const char *name)
{
    struct gr_key key = key_of(name);
    return gr_disk_record_key(&world->arena, &key);
}

static uint32_t partition_of(const char *name)
{
    return key_of(name).slot / (GR_SLOTS / PARTITIONS);
}

// ---- tests -----------------------------------------------------------------------------------

static void test_sound(void **state)
{
    struct world *world = *state;
    expect_sound(world);
    assert_int_equal(world->summary.records, 5);
    assert_int_equal(world->summary.keys, 4);
    assert_int_equal(world->summary.due, 1);
    assert_int_equal(world->summary.leftover, 2);
}

static void test_record(void **state)
{
    struct world *world = *state;
    damage_row(world, record_row(world, "plain"));
    // Nothing is said of the sum: what cannot be read cannot be added up.
    expect(world, GR_VERIFY_RECORD, 1, GR_VERIFY_SUM, 0);
    assert_int_equal(world->last.partition, partition_of("plain"));
}

static void test_record_gone(void **state)
{
    struct world *world = *state;
    remove_row(world, record_row(world, "plain"));
    expect(world, GR_VERIFY_KEYS, 1, GR_VERIFY_SUM, 0);
    assert_int_equal(world->last.partition, partition_of("plain"));
}

static void test_marker_gone(void **state)
{
    struct world *world = *state;
    remove_row(world, record_row(world, "marker"));
    // The number of keys is right: the sum tells, and the index names it.
    expect(world, GR_VERIFY_SUM, 1, GR_VERIFY_LEFTOVER_EXTRA, 1);
}

static void test_record_of_another_time(void **state)
{
    struct world *world = *state;
    struct gr_store_value value;
    struct gr_bytes row = record_row(world, "plain");
    assert_int_equal(gr_store_get(world->store, row, GR_STORE_READ_ANY, &value), GR_OK);
    struct gr_bytes old = gr_arena_copy(&world->arena, value.bytes);
    gr_store_value_done(world->store, &value);
    struct gr_key key = key_of("plain");
    uint32_t p = partition_of("plain");
    struct gr_dot before = {self, 1};
    struct gr_sibling sibling = {.dot = before, .value = gr_bytes_text("milk")};
    struct gr_record record = {.sibling = &sibling, .count = 1};
    world->sum[p] = gr_sum_subtract(world->sum[p], gr_merkle_hash(&world->arena, &key, &record));
    world->count[p]--;
    write_key(world, "plain", true, 0, false); // replaces it
    expect_sound(world);
    gr_store_batch_put(world->batch, row, old);
    apply(world);
    expect(world, GR_VERIFY_SUM, 1, GR_VERIFY_KEYS, 0);
}

static void test_clock(void **state)
{
    struct world *world = *state;
    uint32_t p = partition_of("plain");
    struct gr_bytes row = gr_disk_clock_key(&world->arena, p, self);
    damage_row(world, row);
    expect(world, GR_VERIFY_CLOCK, 1, GR_VERIFY_UNSEEN, 0);
    remove_row(world, row);
    // The partition's own last dot, and those of its two records.
    expect(world, GR_VERIFY_UNSEEN, 3, GR_VERIFY_CLOCK, 0);
}

static void test_partition(void **state)
{
    struct world *world = *state;
    uint32_t p = partition_of("plain");
    struct gr_bytes row = gr_disk_partition_key(&world->arena, p);
    damage_row(world, row);
    expect(world, GR_VERIFY_PARTITION, 1, GR_VERIFY_KEYS, 0);
    remove_row(world, row);
    expect(world, GR_VERIFY_KEYS, 1, GR_VERIFY_PARTITION, 0);
    // A row of a partition that the ring has not.
    gr_store_batch_put(
        world->batch, gr_disk_partition_key(&world->arena, PARTITIONS), gr_bytes("x", 1));
    apply(world);
    expect(world, GR_VERIFY_KEYS, 1, GR_VERIFY_PARTITION, 1);
}

static void test_expiry_index(void **state)
{
    struct world *world = *state;
    struct gr_key key = key_of("expires"), plain = key_of("plain");
    struct gr_bytes row = gr_disk_due_key(&world->arena, (struct gr_wall){5 * MINUTE_MS}, &key);
    remove_row(world, row);
    expect(world, GR_VERIFY_DUE_MISSING, 1, GR_VERIFY_DUE_EXTRA, 0);
    gr_store_batch_put(world->batch, row, gr_bytes("", 0));
    gr_store_batch_put(world->batch,
        gr_disk_due_key(&world->arena, (struct gr_wall){9 * MINUTE_MS}, &plain), gr_bytes("", 0));
    gr_store_batch_put(world->batch,
        gr_disk_due_key(&world->arena, (struct gr_wall){6 * MINUTE_MS}, &key), gr_bytes("", 0));
    gr_store_batch_put(world->batch, gr_bytes("x123", 4), gr_bytes("", 0));
    apply(world);
    expect(world, GR_VERIFY_DUE_EXTRA, 2, GR_VERIFY_INDEX, 1);
}

static void test_context_index(void **state)
{
    struct world *world = *state;
    struct gr_key key = key_of("context"), plain = key_of("plain");
    struct gr_bytes row = gr_disk_leftover_key(&world->arena, partition_of("context"), &key);
    remove_row(world, row);
    gr_store_batch_put(world->batch,
        gr_disk_leftover_key(&world->arena, partition_of("plain"), &plain), gr_bytes("", 0));
    apply(world);
    expect(world, GR_VERIFY_LEFTOVER_MISSING, 1, GR_VERIFY_LEFTOVER_EXTRA, 1);
}

static void test_strange_rows(void **state)
{
    struct world *world = *state;
    gr_store_batch_put(world->batch, gr_bytes("iwhat", 5), gr_bytes("ever", 4));
    gr_store_batch_put(world->batch, gr_bytes("zebra", 5), gr_bytes("", 0));
    apply(world);
    expect(world, GR_VERIFY_HINT, 1, GR_VERIFY_STRANGE, 1);
}

static void test_gap(void **state)
{
    struct world *world = *state;
    memset(world->found, 0, sizeof(world->found));
    struct gr_verify_host host = {get, found, world};
    struct gr_verify *verify = gr_verify_new(PARTITIONS, &host);
    world->snapshot = gr_store_snapshot_open(world->store);
    struct gr_store_scan *scan =
        gr_store_scan_open(world->store, world->snapshot, gr_bytes("", 0), gr_bytes("", 0));
    struct gr_bytes key, value, skipped = gr_bytes("", 0), last = gr_bytes("", 0);
    // A clock row and a record are in ranges that cannot be read.
    uint32_t gaps = 0;
    for (char before = 0; gr_store_scan_next(scan, &key, &value) == GR_OK;
         before = (char)key.data[0]) {
        bool first = (char)key.data[0] != before;
        if (first && (key.data[0] == GR_DISK_CLOCK || key.data[0] == GR_DISK_RECORD)) {
            skipped = gr_arena_copy(&world->arena, key);
            continue;
        }
        if (skipped.size > 0) {
            gr_verify_gap(verify, last, key);
            gaps++;
        }
        skipped = gr_bytes("", 0);
        gr_verify_row(verify, key, value);
        last = gr_arena_copy(&world->arena, key);
    }
    gr_store_scan_close(scan);
    assert_int_equal(gr_verify_end(verify).findings, gaps);
    assert_int_equal(world->found[GR_VERIFY_ENGINE], 2);
    gr_store_snapshot_close(world->store, world->snapshot);
}

// Of every partition, as it cannot be known which of them lost a clock row (rule L3 of salvage.c).
static void expect_all_owe(struct world *world)
{
    const struct gr_dot nobodys = {{0, 0}, 1};
    bool owes[PARTITIONS] = {0};
    struct gr_disk_range range = gr_disk_range_kind(&world->arena, GR_DISK_OWED);
    struct gr_store_scan *scan =
        gr_store_scan_open(world->store, world->snapshot, range.from, range.to);
    struct gr_bytes key, value;
    while (gr_store_scan_next(scan, &key, &value) == GR_OK) {
        uint32_t number;
        struct gr_clock owed;
        assert_int_equal(gr_disk_read_owed(key, value, &world->arena, &number, &owed), GR_OK);
        assert_true(number < PARTITIONS);
        owes[number] = gr_clock_has(&owed, &nobodys);
    }
    gr_store_scan_close(scan);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        assert_true(owes[p]);
}

// What a salvage makes of a store is sound, and each record says itself what it has seen.
static void test_salvaged(void **state)
{
    struct world *world = *state;
    damage_row(world, record_row(world, "context"));
    struct gr_salvage salvage;
    gr_salvage_init(&salvage, PARTITIONS);
    struct gr_store *new = NULL, *old = world->store;
    struct gr_store_options options = {.create = true};
    assert_int_equal(gr_store_open(&gr_store_memory, "", &options, &new, NULL, 0), GR_OK);
    struct gr_disk_sink sink = {put, take, world->batch};
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(old);
    struct gr_store_scan *scan =
        gr_store_scan_open(old, snapshot, gr_bytes("", 0), gr_bytes("", 0));
    struct gr_bytes key, value;
    uint32_t bad = 0;
    while (gr_store_scan_next(scan, &key, &value) == GR_OK)
        bad += !gr_salvage_row(&salvage, key, value, &sink);
    gr_salvage_end(&salvage, &sink);
    gr_store_scan_close(scan);
    gr_store_snapshot_close(old, snapshot);
    assert_int_equal(bad, 1);
    assert_int_equal(salvage.unsound, 1);
    assert_int_equal(salvage.records, 4);
    world->store = new;
    apply(world);
    expect_sound(world);
    assert_int_equal(world->summary.clocks, 0);
    assert_int_equal(world->summary.keys, 3);
    assert_int_equal(world->summary.leftover, 4);
    assert_int_equal(world->summary.due, 1);
    struct gr_record record;
    struct gr_bytes bytes;
    world->snapshot = gr_store_snapshot_open(new);
    expect_all_owe(world);
    assert_int_equal(get(world, record_row(world, "plain"), &world->arena, &bytes), GR_OK);
    assert_int_equal(
        gr_disk_read_record(record_row(world, "plain"), bytes, true, &world->arena, &record),
        GR_OK);
    assert_int_equal(record.count, 1);
    assert_true(gr_context_covers(&record.context, &record.sibling[0].dot));
    gr_store_snapshot_close(new, world->snapshot);
    gr_salvage_deinit(&salvage);
    gr_store_close(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_marker_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_record_of_another_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_clock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_partition, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expiry_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_context_index, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strange_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_salvaged, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
