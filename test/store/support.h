// What the tests of the store share: a directory of their own, and stores driven with C strings.
#ifndef GR_TEST_STORE_SUPPORT_H
#define GR_TEST_STORE_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/types.h>

#include "store/store.h"

// A new directory under $TMPDIR or /tmp, and a path below it that does not exist yet. `test_dir`
// answers a static buffer per `name` slot: at most 4 at a time.
void test_dir_make(void);
const char *test_dir(const char *name);
void test_dir_remove(void);
// Copies the regular files of one directory into another, which is made or emptied first.
void test_dir_copy(const char *from, const char *to);
// The nth file, from 0 in the order of names, whose name ends so; false when there are not so many.
bool test_file_find(const char *dir, const char *end, int nth, char *ret_path, size_t path_size);
void test_flip_bit(const char *path, off_t at, int bit);

// Opens or fails the test with the engine's words.
struct gr_store *test_open(
    const struct gr_store_engine *engine, const char *dir, uint64_t buffer_bytes);
void test_put(struct gr_store *store, const char *key, const char *value);
// Applies, waiting while the engine is stalled, and answers the batch's number.
uint64_t test_apply(struct gr_store *store, const struct gr_store_batch *batch);
uint64_t test_sync(struct gr_store *store);
// The store says `value` for the key; NULL: not found.
void test_expect(struct gr_store *store, struct gr_bytes key, const char *value);
void test_expect_at(struct gr_store *store, struct gr_store_snapshot *snapshot, struct gr_bytes key,
    const char *value);
// Everything from <= key < to as "key=value key=value ..."; static buffer of 1 KiB.
const char *test_scan(
    struct gr_store *store, struct gr_store_snapshot *snapshot, const char *from, const char *to);

// A generator for test data: splitmix64.
uint64_t test_random(uint64_t *state);

// The model test (model.c); reopens *store, which is in `dir`, now and then when `on_disk`.
void test_against_model(struct gr_store **store, const char *dir, bool on_disk);

// The test with threads (threads.c), on an empty store.
void test_from_threads(struct gr_store *shared);

#endif
