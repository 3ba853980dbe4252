// One thread applies, one syncs, two take snapshots and read: S1, S2 and S4 under fire.
//
// A failure here panics: cmocka can only fail a test from its own thread.
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test/store/support.h"

static struct gr_store *store;

static struct gr_bytes text(const char *chars)
{
    return gr_bytes_text(chars);
}

enum { KEYS_TOGETHER = 20, THREAD_BATCHES = 4000 };

static atomic_bool writing;
static _Atomic uint64_t applied;

// Every batch writes its number under all keys, every third one after a delete of the range.
static void *write_together(void *unused)
{
    struct gr_store_batch *batch = gr_store_batch_new();
    for (uint64_t i = 1; i <= THREAD_BATCHES; i++) {
        gr_store_batch_clear(batch);
        if (i % 3 == 0)
            gr_store_batch_delete_range(batch, text("k"), text("l"));
        for (int k = 0; k < KEYS_TOGETHER; k++) {
            char key[8];
            snprintf(key, sizeof(key), "k%02d", k);
            gr_store_batch_put(batch, text(key), gr_bytes(&i, sizeof(i)));
        }
        uint64_t number = 0;
        enum gr_err err = gr_store_apply(store, batch, &number);
        while (err == GR_ERR_STALLED) {
            usleep(200);
            err = gr_store_apply(store, batch, &number);
        }
        gr_assert(err == GR_OK && number == i);
        atomic_store(&applied, number);
    }
    gr_store_batch_free(batch);
    atomic_store(&writing, false);
    return unused;
}

static void *sync_together(void *unused)
{
    uint64_t before = 0;
    while (atomic_load(&writing)) {
        uint64_t least = atomic_load(&applied), number = 0;
        enum gr_err err = gr_store_sync(store, &number);
        gr_assert(err == GR_OK && number >= least && number >= before);
        before = number;
        (void)gr_store_stalled(store);
    }
    return unused;
}

// S1 and S4 under fire: a snapshot shows one batch and nothing of another, by scan and by get, as
// often as it is asked; and batches applied before it was taken are in it.
static void *read_together(void *unused)
{
    while (atomic_load(&writing)) {
        uint64_t least = atomic_load(&applied), seen = 0;
        struct gr_store_snapshot *snapshot = gr_store_snapshot_open(store);
        for (int round = 0; round < 2; round++) {
            struct gr_store_scan *scan = gr_store_scan_open(store, snapshot, text("k"), text("l"));
            struct gr_bytes key, value;
            size_t count = 0;
            while (gr_store_scan_next(scan, &key, &value) == GR_OK) {
                uint64_t number;
                gr_assert(value.size == sizeof(number));
                memcpy(&number, value.data, sizeof(number));
                gr_assert(seen == 0 || number == seen);
                seen = number;
                count++;
            }
            gr_store_scan_close(scan);
            gr_assert(count == (seen == 0 ? 0 : KEYS_TOGETHER));
        }
        gr_assert(seen >= least);
        struct gr_store_value value;
        if (gr_store_snapshot_get(store, snapshot, text("k07"), &value) == GR_OK) {
            gr_assert(memcmp(value.bytes.data, &seen, sizeof(seen)) == 0);
            gr_store_value_done(store, &value);
        } else {
            gr_assert(seen == 0);
        }
        gr_store_snapshot_close(store, snapshot);
    }
    return unused;
}

void test_from_threads(struct gr_store *shared)
{
    store = shared;
    atomic_store(&writing, true);
    atomic_store(&applied, 0);
    void *(*const jobs[])(void *) = {write_together, sync_together, read_together, read_together};
    pthread_t threads[GR_COUNT(jobs)];
    for (size_t i = 0; i < GR_COUNT(jobs); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], NULL), 0);
    for (size_t i = 0; i < GR_COUNT(jobs); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(test_sync(store), THREAD_BATCHES);
}
