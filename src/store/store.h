// The storage contract (§4.1, "local persistence engine"): ordered bytes, atomic batches, a sync
// that says how far it reached. Engines are plugged in behind it; none of them knows what a record
// is, and nobody above it knows which engine is used.
//
// The rules every engine keeps, in the order in which callers rely on them:
//
//   S1  A batch is applied whole or not at all, and is visible to every read that starts
//   afterwards. S2  Batches are numbered 1, 2, 3 ... since open. Batch n is durable once a sync has
//   returned a
//       number >= n; until then a crash may lose it.
//   S3  After a crash the store holds a prefix of its batches: if batch n is there, so are all
//       before it.
//   S4  A snapshot shows exactly the batches applied before it was taken, however long it is held.
//   S5  After apply or sync failed with GR_ERR_IO, GR_ERR_NO_SPACE or GR_ERR_CORRUPT, every later
//       apply and sync fails the same way until the store is closed and opened again; reads go on
//       as far as they can. GR_ERR_STALLED is the exception: nothing was applied, try again later.
//
// Threads: get, sync, snapshots, scans and checkpoint may be called from any thread at any time;
// apply from one thread at a time; close only when nothing else is under way.
#ifndef GR_STORE_STORE_H
#define GR_STORE_STORE_H

#include "base/base.h"
#include "base/error.h"

struct gr_store;
struct gr_store_batch;
struct gr_store_snapshot;
struct gr_store_scan;

struct gr_store_options {
    uint64_t cache_bytes;  // block cache and the like; 0 = the engine's default (64 MiB)
    uint64_t buffer_bytes; // unsorted recent writes kept in memory; 0 = the engine's default
    bool create;           // make the store when the directory holds none; else GR_ERR_NOT_FOUND
    bool read_only;        // nothing in the directory changes; apply and sync fail (GR_ERR_INVALID)
    bool damaged;          // with read_only: opened although not all of it can be
};

// A value read from a store. `bytes` is valid until gr_store_value_done; every successful get is
// followed by exactly one done. `owner` belongs to the engine.
struct gr_store_value {
    struct gr_bytes bytes;
    void *owner;
};

enum gr_store_read {
    GR_STORE_READ_ANY,    // may wait for the disk
    GR_STORE_READ_CACHED, // GR_ERR_WOULD_BLOCK instead of waiting for the disk
};

// An engine is this table. The functions below the table call through it.
struct gr_store_engine {
    const char *name; // "memory", "rocksdb"
    enum gr_err (*open)(const char *dir, const struct gr_store_options *options,
        struct gr_store **ret_store, char *ret_why, size_t why_size);
    void (*close)(struct gr_store *store);
    enum gr_err (*get)(struct gr_store *store, struct gr_bytes key, enum gr_store_read mode,
        struct gr_store_value *ret_value);
    void (*value_done)(struct gr_store *store, struct gr_store_value *value);
    enum gr_err (*apply)(
        struct gr_store *store, const struct gr_store_batch *batch, uint64_t *ret_number);
    enum gr_err (*sync)(struct gr_store *store, uint64_t *ret_number);
    bool (*stalled)(struct gr_store *store);
    struct gr_store_snapshot *(*snapshot_open)(struct gr_store *store);
    void (*snapshot_close)(struct gr_store *store, struct gr_store_snapshot *snapshot);
    enum gr_err (*snapshot_get)(struct gr_store *store, struct gr_store_snapshot *snapshot,
        struct gr_bytes key, struct gr_store_value *ret_value);
    struct gr_store_scan *(*scan_open)(struct gr_store *store, struct gr_store_snapshot *snapshot,
        struct gr_bytes from, struct gr_bytes to);
    enum gr_err (*scan_next)(
        struct gr_store_scan *scan, struct gr_bytes *ret_key, struct gr_bytes *ret_value);
    void (*scan_close)(struct gr_store_scan *scan);
    enum gr_err (*checkpoint)(struct gr_store *store, const char *dir);
    // NULL: an engine without files.
    enum gr_err (*rescue)(const char *dir, const char *copy, char *ret_why, size_t why_size);
    // Why the last failure happened, in the engine's words; "" when none did. Valid until the next
    // call on the store.
    const char *(*trouble)(struct gr_store *store);
};

// Every store begins with this; engines put it first in their own struct.
struct gr_store {
    const struct gr_store_engine *engine;
};

// Every scan begins with this, likewise; gr_store_scan_open fills it in.
struct gr_store_scan {
    const struct gr_store_engine *engine;
};

extern const struct gr_store_engine gr_store_memory;  // forgets everything at close; dir unused
extern const struct gr_store_engine gr_store_rocksdb; // Debian's librocksdb

// The engine of that name, or NULL.
const struct gr_store_engine *gr_store_engine_named(const char *name);

// Opens the store in directory `dir` (made, one level, when options->create). On failure *ret_store
// is untouched and ret_why (why_size bytes, may be NULL) holds one sentence that says what to do.
// Errors: GR_ERR_NOT_FOUND, GR_ERR_LOCKED, GR_ERR_IO, GR_ERR_NO_SPACE, GR_ERR_CORRUPT.
GR_MUST_USE enum gr_err gr_store_open(const struct gr_store_engine *engine, const char *dir,
    const struct gr_store_options *options, struct gr_store **ret_store, char *ret_why,
    size_t why_size);
// Closes and frees. Does not sync: what was not synced may be lost.
void gr_store_close(struct gr_store *store);

// GR_OK and a value; GR_ERR_NOT_FOUND; GR_ERR_WOULD_BLOCK (cached mode only); GR_ERR_CORRUPT (the
// bytes are there and wrong: never reported as not found); GR_ERR_IO. *ret_value is untouched on
// failure.
GR_MUST_USE enum gr_err gr_store_get(struct gr_store *store, struct gr_bytes key,
    enum gr_store_read mode, struct gr_store_value *ret_value);
void gr_store_value_done(struct gr_store *store, struct gr_store_value *value);

// ---- batches: a list of changes, in order; keys and values are copied in ---------------------
//
// A batch is engine-neutral bytes, so it can be built, cleared and reused without a store.

struct gr_store_batch *gr_store_batch_new(void);
void gr_store_batch_free(struct gr_store_batch *batch);
void gr_store_batch_clear(struct gr_store_batch *batch);
void gr_store_batch_put(struct gr_store_batch *batch, struct gr_bytes key, struct gr_bytes value);
void gr_store_batch_delete(struct gr_store_batch *batch, struct gr_bytes key);
// All keys k with from <= k < to; none when from >= to. Costs what it removes: apply reads the keys
// of the range, and refuses a range of more keys than one batch may hold (GR_ERR_INVALID, nothing
// applied, try again in parts).
void gr_store_batch_delete_range(
    struct gr_store_batch *batch, struct gr_bytes from, struct gr_bytes to);
size_t gr_store_batch_count(const struct gr_store_batch *batch); // changes
size_t gr_store_batch_bytes(const struct gr_store_batch *batch); // memory taken

enum gr_store_change_kind { GR_STORE_PUT = 1, GR_STORE_DELETE = 2, GR_STORE_DELETE_RANGE = 3 };
struct gr_store_change {
    enum gr_store_change_kind kind;
    struct gr_bytes key;   // or `from`
    struct gr_bytes value; // or `to`; empty for a delete
};
// Walks the changes in order: *offset starts at 0; false at the end.
bool gr_store_batch_next(
    const struct gr_store_batch *batch, size_t *offset, struct gr_store_change *ret_change);

// Applies the batch and gives its number (S1, S2). Never waits for the disk to be synced; never
// waits for compaction (GR_ERR_STALLED instead, nothing applied). An empty batch is applied too.
GR_MUST_USE enum gr_err gr_store_apply(
    struct gr_store *store, const struct gr_store_batch *batch, uint64_t *ret_number);

// Makes every batch applied before the call durable and gives the number of the last of them. Waits
// for the disk; one call covers all batches before it (group commit).
GR_MUST_USE enum gr_err gr_store_sync(struct gr_store *store, uint64_t *ret_number);

// True while the engine would answer an apply with GR_ERR_STALLED, or soon would. Cheap.
bool gr_store_stalled(struct gr_store *store);

// ---- snapshots and scans -------------------------------------------------------------------

struct gr_store_snapshot *gr_store_snapshot_open(struct gr_store *store);
void gr_store_snapshot_close(struct gr_store *store, struct gr_store_snapshot *snapshot);
// As gr_store_get with GR_STORE_READ_ANY, in the snapshot; the value is given back with
// gr_store_value_done.
GR_MUST_USE enum gr_err gr_store_snapshot_get(struct gr_store *store,
    struct gr_store_snapshot *snapshot, struct gr_bytes key, struct gr_store_value *ret_value);

// Keys k with from <= k < to in byte order (memcmp, the shorter first). The snapshot must outlive
// the scan. An empty `to` means to the end.
struct gr_store_scan *gr_store_scan_open(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_bytes from, struct gr_bytes to);
// GR_OK and the next pair, valid until the next call; GR_ERR_NOT_FOUND at the end; GR_ERR_CORRUPT
// or GR_ERR_IO: the scan is over and what was not shown is unknown.
GR_MUST_USE enum gr_err gr_store_scan_next(
    struct gr_store_scan *scan, struct gr_bytes *ret_key, struct gr_bytes *ret_value);
void gr_store_scan_close(struct gr_store_scan *scan);

// Writes a consistent copy of the store, as it is now and durable, into directory `dir`, which must
// not exist. GR_ERR_INVALID if it does.
GR_MUST_USE enum gr_err gr_store_checkpoint(struct gr_store *store, const char *dir);

// Makes a store in the directory `copy`, which must not exist, of every file of the damaged store
// in `dir` that is whole: what to do when that one cannot be opened at all. `dir` is not changed,
// and its files may be shared. Keys may come back to what they were, or be missing. On failure
// ret_why holds one sentence: GR_ERR_NOT_FOUND (nothing to rescue), GR_ERR_CORRUPT, GR_ERR_IO,
// GR_ERR_NO_SPACE.
GR_MUST_USE enum gr_err gr_store_rescue(const struct gr_store_engine *engine, const char *dir,
    const char *copy, char *ret_why, size_t why_size);

const char *gr_store_trouble(struct gr_store *store);

#endif
