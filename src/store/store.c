// The contract's functions: each finds the engine and asks it.
//
// What is the same for all engines is said here once: arguments that only a bug of ours can get
// wrong are asserted, and a scan learns its engine. Everything else is the engine's.
#include <stdio.h>
#include <string.h>

#include "store/store.h"

const struct gr_store_engine *gr_store_engine_named(const char *name)
{
    static const struct gr_store_engine *const engines[] = {&gr_store_memory, &gr_store_rocksdb};
    for (size_t i = 0; i < GR_COUNT(engines); i++)
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    return NULL;
}

enum gr_err gr_store_open(const struct gr_store_engine *engine, const char *dir,
    const struct gr_store_options *options, struct gr_store **ret_store, char *ret_why,
    size_t why_size)
{
    char ignored[1];
    if (ret_why == NULL || why_size == 0) {
        ret_why = ignored;
        why_size = sizeof(ignored);
    }
    ret_why[0] = '\0';
    enum gr_err err = engine->open(dir, options, ret_store, ret_why, why_size);
    gr_assert(err != GR_OK || (*ret_store)->engine == engine);
    return err;
}

void gr_store_close(struct gr_store *store)
{
    if (store != NULL)
        store->engine->close(store);
}

enum gr_err gr_store_get(struct gr_store *store, struct gr_bytes key, enum gr_store_read mode,
    struct gr_store_value *ret_value)
{
    return store->engine->get(store, key, mode, ret_value);
}

void gr_store_value_done(struct gr_store *store, struct gr_store_value *value)
{
    store->engine->value_done(store, value);
    *value = (struct gr_store_value){0};
}

enum gr_err gr_store_apply(
    struct gr_store *store, const struct gr_store_batch *batch, uint64_t *ret_number)
{
    return store->engine->apply(store, batch, ret_number);
}

enum gr_err gr_store_sync(struct gr_store *store, uint64_t *ret_number)
{
    return store->engine->sync(store, ret_number);
}

bool gr_store_stalled(struct gr_store *store)
{
    return store->engine->stalled(store);
}

struct gr_store_snapshot *gr_store_snapshot_open(struct gr_store *store)
{
    return store->engine->snapshot_open(store);
}

void gr_store_snapshot_close(struct gr_store *store, struct gr_store_snapshot *snapshot)
{
    if (snapshot != NULL)
        store->engine->snapshot_close(store, snapshot);
}

enum gr_err gr_store_snapshot_get(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_bytes key, struct gr_store_value *ret_value)
{
    gr_assert(snapshot != NULL);
    return store->engine->snapshot_get(store, snapshot, key, ret_value);
}

struct gr_store_scan *gr_store_scan_open(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_bytes from, struct gr_bytes to)
{
    gr_assert(snapshot != NULL);
    struct gr_store_scan *scan = store->engine->scan_open(store, snapshot, from, to);
    scan->engine = store->engine;
    return scan;
}

enum gr_err gr_store_scan_next(
    struct gr_store_scan *scan, struct gr_bytes *ret_key, struct gr_bytes *ret_value)
{
    return scan->engine->scan_next(scan, ret_key, ret_value);
}

void gr_store_scan_close(struct gr_store_scan *scan)
{
    if (scan != NULL)
        scan->engine->scan_close(scan);
}

enum gr_err gr_store_checkpoint(struct gr_store *store, const char *dir)
{
    return store->engine->checkpoint(store, dir);
}

enum gr_err gr_store_rescue(const struct gr_store_engine *engine, const char *dir, const char *copy,
    char *ret_why, size_t why_size)
{
    if (engine->rescue != NULL)
        return engine->rescue(dir, copy, ret_why, why_size);
    snprintf(ret_why, why_size, "The engine %s keeps nothing: there is nothing to rescue.",
        engine->name);
    return GR_ERR_NOT_FOUND;
}

const char *gr_store_trouble(struct gr_store *store)
{
    return store->engine->trouble(store);
}
