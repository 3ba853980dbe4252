// shell/storage.h over an engine that reports damage: the run ends with it; a row whose own sum is
// wrong is an answer like any other.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shell/log.h"
#include "shell/storage.h"
#include "test/hooks.h"
#include "wire/disk.h"

enum { PARTITIONS = 16 };
static const struct gr_actor self = {7, (uint64_t)1 << 32 | 99};
static struct gr_store_engine engine;
static atomic_bool get_damaged, scan_damaged;
static uv_loop_t loop;
static struct gr_storage *storage;
static struct gr_key key;

static enum gr_err memory_open(const char *dir, const struct gr_store_options *options,
    struct gr_store **ret_store, char *ret_why, size_t why_size)
{
    enum gr_err err = gr_store_memory.open(dir, options, ret_store, ret_why, why_size);
    (*ret_store)->engine = &engine;
    return err;
}

static enum gr_err get(struct gr_store *store, struct gr_bytes row, enum gr_store_read mode,
    struct gr_store_value *ret_value)
{
    return get_damaged ? GR_ERR_CORRUPT : gr_store_memory.get(store, row, mode, ret_value);
}

static enum gr_err scan_next(
    struct gr_store_scan *scan, struct gr_bytes *ret_key, struct gr_bytes *ret_value)
{
    return scan_damaged ? GR_ERR_CORRUPT : gr_store_memory.scan_next(scan, ret_key, ret_value);
}

static int set_up(void **state)
{
    (void)state;
    char why[256];
    gr_log_level(GR_LOG_ERROR);
    engine = gr_store_memory;
    engine.open = memory_open;
    engine.get = get;
    engine.scan_next = scan_next;
    get_damaged = scan_damaged = false;
    key = gr_key_make(gr_bytes_text("default"), gr_bytes_text("cart"));
    struct gr_storage_config config = {
        .engine = &engine, .dir = "", .partitions = PARTITIONS, .loop = &loop};
    if (uv_loop_init(&loop) != 0 || gr_storage_open(&config, &storage, why, sizeof(why)) != GR_OK)
        return -1;
    gr_storage_begin(storage, self);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gr_storage_close(storage);
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop);
}

// The next event of that type.
static struct gr_event wait_for(enum gr_event_type type)
{
    struct gr_event event;
    for (;;) {
        assert_true(gr_storage_commit(storage));
        while (gr_storage_next(storage, &event))
            if (event.type == type)
                return event;
        uv_run(&loop, UV_RUN_ONCE);
    }
}

static void test_sound(void **state)
{
    (void)state;
    gr_storage_read(storage, 1, &key, false);
    assert_int_equal(wait_for(GR_EVENT_READ_DONE).status, GR_ERR_NOT_FOUND);
    assert_int_equal(gr_storage_failed(storage), GR_OK);
}

static void test_a_row_is_damaged(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_store_batch *batch = gr_store_batch_new();
    gr_store_batch_put(batch, gr_disk_record_key(&arena, &key), gr_bytes("nonsense", 8));
    uint64_t number;
    assert_int_equal(gr_store_apply(gr_storage_store(storage), batch, &number), GR_OK);
    gr_storage_read(storage, 1, &key, false);
    assert_int_equal(wait_for(GR_EVENT_READ_DONE).status, GR_ERR_CORRUPT);
    struct gr_effect scan = {.ticket = 2,
        .scan = GR_SCAN_RECORDS,
        .partition = key.slot / (GR_SLOTS / PARTITIONS),
        .limit = 10};
    gr_storage_scan(storage, &scan);
    assert_int_equal(wait_for(GR_EVENT_SCAN_DONE).status, GR_ERR_CORRUPT);
    assert_int_equal(gr_storage_failed(storage), GR_OK);
    gr_store_batch_free(batch);
    gr_arena_deinit(&arena);
}

static void test_a_read_is_damaged(void **state)
{
    (void)state;
    get_damaged = true;
    gr_storage_read(storage, 1, &key, false);
    assert_int_equal(wait_for(GR_EVENT_READ_DONE).status, GR_ERR_CORRUPT);
    assert_int_equal(gr_storage_failed(storage), GR_ERR_CORRUPT);
    // The node is told, so that it takes no more writes.
    assert_int_equal(wait_for(GR_EVENT_STORE).status, GR_ERR_CORRUPT);
}

static void test_a_scan_is_damaged(void **state)
{
    (void)state;
    scan_damaged = true;
    struct gr_effect scan = {.ticket = 2, .scan = GR_SCAN_RECORDS, .limit = 10};
    gr_storage_scan(storage, &scan);
    assert_int_equal(wait_for(GR_EVENT_SCAN_DONE).status, GR_ERR_CORRUPT);
    assert_int_equal(gr_storage_failed(storage), GR_ERR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_read_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_scan_is_damaged, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
