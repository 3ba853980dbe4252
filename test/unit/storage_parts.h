// An engine with faults on command, around the memory engine. Include after cmocka.h.
#ifndef GR_TEST_STORAGE_PARTS_H
#define GR_TEST_STORAGE_PARTS_H

#include <stdatomic.h>
#include <uv.h>

#include "store/store.h"
#include "test/hooks.h"

struct faulty {
    struct gr_store base;
    struct gr_store *inner;
};

static atomic_bool cold; // a cached read says WOULD_BLOCK
static _Atomic(enum gr_err) apply_fault, sync_fault;
static atomic_bool slow;      // gr_store_stalled says so
static atomic_bool sync_held; // a sync does not return
static atomic_int syncs_waiting;
static bool disk_stays;       // what was applied outlives a close
static struct gr_store *disk; // meanwhile

static struct gr_store *inner_of(struct gr_store *store)
{
    return ((struct faulty *)store)->inner;
}

static const struct gr_store_engine engine;

static enum gr_err faulty_open(const char *dir, const struct gr_store_options *options,
    struct gr_store **ret_store, char *ret_why, size_t why_size)
{
    struct faulty *faulty = gr_hook_memory(NULL, sizeof(*faulty));
    faulty->base.engine = &engine;
    faulty->inner = disk;
    disk = NULL;
    if (faulty->inner == NULL)
        assert_int_equal(
            gr_store_open(&gr_store_memory, dir, options, &faulty->inner, ret_why, why_size),
            GR_OK);
    *ret_store = &faulty->base;
    return GR_OK;
}

static void faulty_close(struct gr_store *store)
{
    if (disk_stays)
        disk = inner_of(store);
    else
        gr_store_close(inner_of(store));
    gr_hook_memory(store, 0);
}

static enum gr_err faulty_get(struct gr_store *store, struct gr_bytes key, enum gr_store_read mode,
    struct gr_store_value *ret_value)
{
    if (mode == GR_STORE_READ_CACHED && cold)
        return GR_ERR_WOULD_BLOCK;
    return gr_store_get(inner_of(store), key, mode, ret_value);
}

static void faulty_value_done(struct gr_store *store, struct gr_store_value *value)
{
    gr_store_value_done(inner_of(store), value);
}

static enum gr_err faulty_apply(
    struct gr_store *store, const struct gr_store_batch *batch, uint64_t *ret_number)
{
    enum gr_err fault = apply_fault;
    return fault != GR_OK ? fault : gr_store_apply(inner_of(store), batch, ret_number);
}

static enum gr_err faulty_sync(struct gr_store *store, uint64_t *ret_number)
{
    enum gr_err err = gr_store_sync(inner_of(store), ret_number);
    syncs_waiting++;
    while (sync_held)
        uv_sleep(1);
    syncs_waiting--;
    enum gr_err fault = sync_fault;
    return fault != GR_OK ? fault : err;
}

static bool faulty_stalled(struct gr_store *store)
{
    (void)store;
    return slow;
}

static struct gr_store_snapshot *faulty_snapshot_open(struct gr_store *store)
{
    return gr_store_snapshot_open(inner_of(store));
}

static void faulty_snapshot_close(struct gr_store *store, struct gr_store_snapshot *snapshot)
{
    gr_store_snapshot_close(inner_of(store), snapshot);
}

static enum gr_err faulty_snapshot_get(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_bytes key, struct gr_store_value *ret_value)
{
    return gr_store_snapshot_get(inner_of(store), snapshot, key, ret_value);
}

static struct gr_store_scan *faulty_scan_open(struct gr_store *store,
    struct gr_store_snapshot *snapshot, struct gr_bytes from, struct gr_bytes to)
{
    return gr_store_memory.scan_open(inner_of(store), snapshot, from, to);
}

static enum gr_err faulty_scan_next(
    struct gr_store_scan *scan, struct gr_bytes *ret_key, struct gr_bytes *ret_value)
{
    return gr_store_memory.scan_next(scan, ret_key, ret_value);
}

static void faulty_scan_close(struct gr_store_scan *scan)
{
    gr_store_memory.scan_close(scan);
}

static const char *faulty_trouble(struct gr_store *store)
{
    (void)store;
    return "made up";
}

static const struct gr_store_engine engine = {
    .name = "faulty",
    .open = faulty_open,
    .close = faulty_close,
    .get = faulty_get,
    .value_done = faulty_value_done,
    .apply = faulty_apply,
    .sync = faulty_sync,
    .stalled = faulty_stalled,
    .snapshot_open = faulty_snapshot_open,
    .snapshot_close = faulty_snapshot_close,
    .snapshot_get = faulty_snapshot_get,
    .scan_open = faulty_scan_open,
    .scan_next = faulty_scan_next,
    .scan_close = faulty_scan_close,
    .trouble = faulty_trouble,
};

#endif
