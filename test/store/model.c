// The same random changes to an engine and to a plain array, and everything both say compared:
// gets, scans from any key, and snapshots that are held while thousands of batches go by.
//
// GR_TEST_SEED picks another run.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/store/support.h"

static struct gr_store *store;

static struct gr_bytes text(const char *chars)
{
    return gr_bytes_text(chars);
}

enum { MODEL_KEYS = 64, MODEL_STEPS = 6000, MODEL_SNAPSHOTS = 5 };

// values[k] is the value of key k, 0 when it is not there.
struct model {
    uint32_t values[MODEL_KEYS];
};

static void model_key(char *to, int k)
{
    // Prefixes of one another, so that order and bounds are put to the test.
    snprintf(to, 16, "%.*s%02x", k % 3, "kk", k * 4);
}

static int by_key(const void *a, const void *b)
{
    char x[16], y[16];
    model_key(x, *(const int *)a);
    model_key(y, *(const int *)b);
    return strcmp(x, y);
}

static void model_change(struct model *model, struct gr_store_batch *batch, uint64_t *random)
{
    char key[16], to[16];
    int k = (int)(test_random(random) % MODEL_KEYS);
    model_key(key, k);
    uint64_t kind = test_random(random) % 20;
    if (kind < 12) {
        uint32_t value = (uint32_t)test_random(random) | 1;
        model->values[k] = value;
        gr_store_batch_put(batch, text(key), gr_bytes(&value, sizeof(value)));
    } else if (kind < 19) {
        model->values[k] = 0;
        gr_store_batch_delete(batch, text(key));
    } else {
        model_key(to, (int)(test_random(random) % MODEL_KEYS));
        for (int i = 0; i < MODEL_KEYS; i++) {
            char other[16];
            model_key(other, i);
            if (strcmp(key, other) <= 0 && strcmp(other, to) < 0)
                model->values[i] = 0;
        }
        gr_store_batch_delete_range(batch, text(key), text(to));
    }
}

static void model_compare(const struct model *model, struct gr_store_snapshot *snapshot, int from)
{
    int order[MODEL_KEYS];
    for (int i = 0; i < MODEL_KEYS; i++)
        order[i] = i;
    qsort(order, MODEL_KEYS, sizeof(order[0]), by_key);
    char key[16];
    model_key(key, order[from]);
    struct gr_store_scan *scan = gr_store_scan_open(store, snapshot, text(key), text(""));
    struct gr_bytes got, value;
    for (int i = from; i < MODEL_KEYS; i++) {
        if (model->values[order[i]] == 0)
            continue;
        model_key(key, order[i]);
        assert_int_equal(gr_store_scan_next(scan, &got, &value), GR_OK);
        assert_true(gr_bytes_equal(got, text(key)));
        assert_true(gr_bytes_equal(value, gr_bytes(&model->values[order[i]], 4)));
    }
    assert_int_equal(gr_store_scan_next(scan, &got, &value), GR_ERR_NOT_FOUND);
    gr_store_scan_close(scan);
}

static void model_get(const struct model *model, struct gr_store_snapshot *snapshot, int k)
{
    char key[16];
    model_key(key, k);
    struct gr_store_value value;
    enum gr_err err = snapshot == NULL ? gr_store_get(store, text(key), GR_STORE_READ_ANY, &value)
                                       : gr_store_snapshot_get(store, snapshot, text(key), &value);
    assert_int_equal(err, model->values[k] == 0 ? GR_ERR_NOT_FOUND : GR_OK);
    if (err == GR_OK) {
        assert_true(gr_bytes_equal(value.bytes, gr_bytes(&model->values[k], 4)));
        gr_store_value_done(store, &value);
    }
}

void test_against_model(struct gr_store **store_in_out, const char *dir, bool on_disk)
{
    store = *store_in_out;
    struct model now = {0}, then[MODEL_SNAPSHOTS];
    struct gr_store_snapshot *snapshots[MODEL_SNAPSHOTS] = {NULL};
    struct gr_store_batch *batch = gr_store_batch_new();
    const char *seed_text = getenv("GR_TEST_SEED");
    uint64_t random = seed_text != NULL ? strtoull(seed_text, NULL, 0) : 2007;
    for (int step = 0; step < MODEL_STEPS; step++) {
        gr_store_batch_clear(batch);
        for (uint64_t changes = test_random(&random) % 6; changes > 0; changes--)
            model_change(&now, batch, &random);
        test_apply(store, batch);
        int slot = (int)(test_random(&random) % MODEL_SNAPSHOTS);
        int k = (int)(test_random(&random) % MODEL_KEYS);
        model_get(&now, NULL, k);
        if (snapshots[slot] == NULL) {
            snapshots[slot] = gr_store_snapshot_open(store);
            then[slot] = now;
        }
        model_get(&then[slot], snapshots[slot], k);
        if (step % 8 == 0)
            model_compare(&then[slot], snapshots[slot], k);
        if (test_random(&random) % 7 == 0) {
            gr_store_snapshot_close(store, snapshots[slot]);
            snapshots[slot] = NULL;
        }
        bool reopen = on_disk && step % 1000 == 999;
        for (int i = 0; i < MODEL_SNAPSHOTS && (reopen || step == MODEL_STEPS - 1); i++) {
            if (snapshots[i] != NULL)
                model_compare(&then[i], snapshots[i], 0);
            gr_store_snapshot_close(store, snapshots[i]);
            snapshots[i] = NULL;
        }
        if (reopen) {
            test_sync(store);
            gr_store_close(store);
            store = test_open(&gr_store_rocksdb, dir, 1 << 18);
        }
    }
    struct gr_store_snapshot *last = gr_store_snapshot_open(store);
    model_compare(&now, last, 0);
    gr_store_snapshot_close(store, last);
    gr_store_batch_free(batch);
    *store_in_out = store;
}
