// Engine `rocksdb`: the contract kept by Debian's librocksdb (7.8).
//
// One column family. The write-ahead log is flushed by hand: apply only copies a batch into the
// log's buffer and the memtable, and sync writes and syncs the log for all batches so far. Both may
// run at once, on two threads. RocksDB tells errors as text; class_of is the one place that reads
// it.
//
//   I1  `applied` is raised after the batch is in RocksDB, and sync reads it before the flush
//       begins, so the number that sync returns is covered by that flush (S2).
//   I2  Recovery is point-in-time: the log is replayed up to its first damage, never past it (S3).
//   I3  `broken` is set once and never cleared: a log that failed is not trusted again, because a
//       kernel reports a lost write to one fsync only (S5).
//   I4  A write is refused with Incomplete before it touches the log, so STALLED left no trace.
//   I5  RocksDB never opens a directory that holds the remains of a store; see dir.h.
//   I6  RocksDB never sees a range delete: it gets one delete for each key there is. Until 8.5.2 a
//       scan or a compaction that passes a range delete can lose a checksum error and go on as if
//       the damaged keys were not there (facebook/rocksdb#11782, #11786). So apply reads the keys
//       of a range, and costs what it removes.
//   I7  The log's buffer is written to its file under `log_lock`, and whoever fails there sets
//       `broken` before it lets go. Debian's library has its assertions on: a thread that appends
//       to a log in which another has just failed ends the process (facebook/rocksdb#12448), and a
//       node whose disk is full is to be read from. The sync stands apart, and flushes once more
//       what was applied since: there the race is small, not gone.
//
// Bounds: cache_bytes (64 MiB) for blocks, indexes and filters; buffer_bytes (64 MiB) of recent
// writes; a log of twice that; 512 open tables; 2 background threads; 64 MiB of deletes that the
// ranges of one batch stand for.
#include <pthread.h>
#include <rocksdb/c.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "store/dir.h"
#include "store/rescue.h"
#include "store/store.h"

enum {
    CACHE_BYTES_DEFAULT = 64 << 20,
    BUFFER_BYTES_DEFAULT = 64 << 20,
    BUFFER_BYTES_MIN = 256 << 10,
    BUFFER_PARTS = 4, // memtables: one is filled while others are written out
    BLOCK_BYTES = 16 << 10,
    OPEN_FILES_MAX = 512,
    TABLE_SYNC_BYTES = 1 << 20,
    LOG_FILE_BYTES_MAX = 1 << 20,
    MANIFEST_BYTES_MAX = 16 << 20,
    SCRATCH_BYTES_MAX = 1 << 20, // of the batch that is kept from one apply to the next
    RANGE_BYTES_MAX = 64 << 20,  // of a batch with the deletes that its ranges stand for
    TROUBLE_BYTES = 512,
    LOG_LEVEL_WARN = 2,
    READ_TIER_CACHE = 1,
};

static const double buffer_filter_share = 0.05; // of a memtable, in addition

struct rocks {
    struct gr_store base;
    rocksdb_t *db;
    rocksdb_options_t *options;
    rocksdb_block_based_table_options_t *table;
    rocksdb_cache_t *cache;
    rocksdb_readoptions_t *read_any, *read_cached;
    rocksdb_writeoptions_t *write;
    rocksdb_writebatch_t *scratch; // of the thread that applies
    _Atomic uint64_t applied;
    _Atomic int broken; // enum gr_err of S5, GR_OK while whole
    pthread_mutex_t sync_lock;
    uint64_t synced;          // under sync_lock
    pthread_mutex_t log_lock; // taken after sync_lock
    pthread_mutex_t trouble_lock;
    char trouble[TROUBLE_BYTES];
};

struct rocks_snapshot {
    const rocksdb_snapshot_t *snapshot;
    rocksdb_readoptions_t *read;
};

struct rocks_scan {
    struct gr_store_scan base;
    struct rocks *rocks;
    rocksdb_readoptions_t *read;
    rocksdb_iterator_t *iterator; // NULL before the first step
    enum { SCAN_NEW, SCAN_UNDER_WAY, SCAN_OVER } state;
    enum gr_err end; // what every call answers once over
    size_t from_size, to_size;
    char bounds[]; // from, then to
};

// ---- errors ----------------------------------------------------------------------------------

// What a status text of RocksDB means. `incomplete` is what the call at hand means by Incomplete: a
// write that would have had to wait, or a read whose answer is on disk.
static enum gr_err class_of(const char *status, enum gr_err incomplete)
{
    static const struct {
        const char *begins;
        enum gr_err err;
    } classes[] = {
        {"Corruption: ", GR_ERR_CORRUPT},
        {"IO error: No space left on device", GR_ERR_NO_SPACE},
        {"IO error: Space limit reached", GR_ERR_NO_SPACE},
        {"IO error: lock hold by current process", GR_ERR_LOCKED},
        {"IO error: While lock file", GR_ERR_LOCKED},
        {"IO error: ", GR_ERR_IO},
        {"Resource busy: ", GR_ERR_BUSY},
        {"Operation failed. Try again.: ", GR_ERR_BUSY},
        {"Invalid argument: ", GR_ERR_INVALID},
        {"Not implemented: ", GR_ERR_FORMAT},
    };
    // "Result incomplete: " always, and "Result incomplete" alone when there is no more to say.
    if (strncmp(status, "Result incomplete", strlen("Result incomplete")) == 0)
        return incomplete;
    for (size_t i = 0; i < GR_COUNT(classes); i++)
        if (strncmp(status, classes[i].begins, strlen(classes[i].begins)) == 0)
            return classes[i].err;
    return GR_ERR_IO;
}

static void set_trouble(struct rocks *rocks, const char *words)
{
    pthread_mutex_lock(&rocks->trouble_lock);
    snprintf(rocks->trouble, sizeof(rocks->trouble), "%s", words);
    pthread_mutex_unlock(&rocks->trouble_lock);
}

// Classes a status, keeps its words for `trouble`, and frees it.
static enum gr_err failed(struct rocks *rocks, char *status, enum gr_err incomplete)
{
    enum gr_err err = class_of(status, incomplete);
    if (err != GR_ERR_WOULD_BLOCK)
        set_trouble(rocks, status);
    rocksdb_free(status);
    return err;
}

// The same for what reads: a table that the store's own list names and that is gone is damage.
static enum gr_err read_failed(struct rocks *rocks, char *status, enum gr_err incomplete)
{
    static const char gone[] = "IO error: No such file or directory: ";
    bool is_gone = strncmp(status, gone, strlen(gone)) == 0;
    enum gr_err err = failed(rocks, status, incomplete);
    return is_gone ? GR_ERR_CORRUPT : err;
}

// S5: only the first failure counts, and anything that is not known to be harmless breaks.
static enum gr_err breaks(struct rocks *rocks, enum gr_err err)
{
    if (err != GR_ERR_NO_SPACE && err != GR_ERR_CORRUPT)
        err = GR_ERR_IO;
    int whole = GR_OK;
    atomic_compare_exchange_strong(&rocks->broken, &whole, (int)err);
    return (enum gr_err)atomic_load(&rocks->broken);
}

// Valid on this thread until its next call, whatever others do meanwhile.
static const char *rocks_trouble(struct gr_store *store)
{
    static _Thread_local char shown[TROUBLE_BYTES];
    struct rocks *rocks = (struct rocks *)store;
    pthread_mutex_lock(&rocks->trouble_lock);
    memcpy(shown, rocks->trouble, sizeof(shown));
    pthread_mutex_unlock(&rocks->trouble_lock);
    return shown;
}

// ---- opening ---------------------------------------------------------------------------------

static void set_table_options(struct rocks *rocks, uint64_t cache_bytes)
{
    rocks->cache = rocksdb_cache_create_lru(cache_bytes);
    rocks->table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(rocks->table, rocks->cache);
    rocksdb_block_based_options_set_block_size(rocks->table, BLOCK_BYTES);
    rocksdb_block_based_options_set_filter_policy(
        rocks->table, rocksdb_filterpolicy_create_bloom_full(10));
    rocksdb_block_based_options_set_whole_key_filtering(rocks->table, 1);
    rocksdb_block_based_options_set_format_version(rocks->table, 5);
    // Indexes and filters count against the cache: else memory grows with the data.
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(rocks->table, 1);
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(
        rocks->table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(rocks->table, 1);
    rocksdb_options_set_block_based_table_factory(rocks->options, rocks->table);
}

static void set_options(struct rocks *rocks, const struct gr_store_options *options)
{
    uint64_t cache_bytes = options->cache_bytes != 0 ? options->cache_bytes : CACHE_BYTES_DEFAULT;
    uint64_t buffer_bytes = options->buffer_bytes;
    if (buffer_bytes == 0)
        buffer_bytes = BUFFER_BYTES_DEFAULT;
    buffer_bytes = GR_MAX(buffer_bytes, BUFFER_BYTES_MIN);

    rocksdb_options_t *fresh = rocksdb_options_create();
    rocks->options = rocksdb_options_create();
    // Has no setter of its own: a reader that lets go last leaves the deleting to another thread.
    char *status = NULL;
    rocksdb_get_options_from_string(
        fresh, "avoid_unnecessary_blocking_io=true", rocks->options, &status);
    gr_assert(status == NULL);
    rocksdb_options_destroy(fresh);

    set_table_options(rocks, cache_bytes);
    rocksdb_options_set_create_if_missing(rocks->options, options->create);
    rocksdb_options_set_manual_wal_flush(rocks->options, 1);
    rocksdb_options_set_wal_recovery_mode(rocks->options, rocksdb_point_in_time_recovery);
    rocksdb_options_set_paranoid_checks(rocks->options, !options->damaged);
    rocksdb_options_set_compression(rocks->options, rocksdb_lz4_compression);
    rocksdb_options_set_write_buffer_size(rocks->options, buffer_bytes / BUFFER_PARTS);
    rocksdb_options_set_max_write_buffer_number(rocks->options, BUFFER_PARTS);
    // Most keys that are read were not written just now: a filter says so sooner than a search.
    rocksdb_options_set_memtable_prefix_bloom_size_ratio(rocks->options, buffer_filter_share);
    rocksdb_options_set_memtable_whole_key_filtering(rocks->options, 1);
    rocksdb_options_set_max_total_wal_size(rocks->options, 2 * buffer_bytes);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(rocks->options, 1);
    rocksdb_options_set_max_background_jobs(rocks->options, 2);
    rocksdb_options_set_max_open_files(rocks->options, OPEN_FILES_MAX);
    // Else a table of many MiB reaches the disk at once, and a sync of the log waits behind it.
    rocksdb_options_set_bytes_per_sync(rocks->options, TABLE_SYNC_BYTES);
    rocksdb_options_set_max_manifest_file_size(rocks->options, MANIFEST_BYTES_MAX);
    rocksdb_options_set_info_log_level(rocks->options, LOG_LEVEL_WARN);
    rocksdb_options_set_max_log_file_size(rocks->options, LOG_FILE_BYTES_MAX);
    rocksdb_options_set_keep_log_file_num(rocks->options, 2);
    rocksdb_options_set_stats_dump_period_sec(rocks->options, 0);
    rocksdb_options_set_stats_persist_period_sec(rocks->options, 0);

    rocks->read_any = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(rocks->read_any, 1);
    rocks->read_cached = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(rocks->read_cached, 1);
    rocksdb_readoptions_set_read_tier(rocks->read_cached, READ_TIER_CACHE);
    rocks->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_no_slowdown(rocks->write, 1);
    rocks->scratch = rocksdb_writebatch_create();
}

static void rocks_free(struct rocks *rocks)
{
    if (rocks->db != NULL)
        rocksdb_close(rocks->db);
    rocksdb_writebatch_destroy(rocks->scratch);
    rocksdb_writeoptions_destroy(rocks->write);
    rocksdb_readoptions_destroy(rocks->read_cached);
    rocksdb_readoptions_destroy(rocks->read_any);
    rocksdb_options_destroy(rocks->options);
    rocksdb_block_based_options_destroy(rocks->table);
    rocksdb_cache_destroy(rocks->cache);
    pthread_mutex_destroy(&rocks->trouble_lock);
    pthread_mutex_destroy(&rocks->sync_lock);
    pthread_mutex_destroy(&rocks->log_lock);
    gr_hook_memory(rocks, 0);
}

static enum gr_err open_failed(
    struct rocks *rocks, char *status, const char *dir, char *ret_why, size_t why_size)
{
    enum gr_err err = read_failed(rocks, status, GR_ERR_IO);
    const char *advice = "see the words of RocksDB";
    if (err == GR_ERR_LOCKED)
        advice = "another program has it open; stop that one or name another directory";
    else if (err == GR_ERR_NO_SPACE)
        advice = "free some space on its disk";
    else if (err == GR_ERR_CORRUPT)
        advice = "its files are damaged";
    snprintf(
        ret_why, why_size, "Cannot open the store in %s: %s (%s).", dir, advice, rocks->trouble);
    rocks_free(rocks);
    return err;
}

static rocksdb_t *open_files(
    const struct rocks *rocks, const char *dir, bool read_only, char **ret_status)
{
    return read_only ? rocksdb_open_for_read_only(rocks->options, dir, 0, ret_status)
                     : rocksdb_open(rocks->options, dir, ret_status);
}

static enum gr_err rocks_open(const char *dir, const struct gr_store_options *options,
    struct gr_store **ret_store, char *ret_why, size_t why_size)
{
    gr_assert(!options->read_only || !options->create);
    enum gr_err err = options->create ? gr_store_dir_make(dir, ret_why, why_size) : GR_OK;
    if (err != GR_OK)
        return err;
    err = gr_store_dir_look(dir, ret_why, why_size);
    if (err == GR_OK || (err == GR_ERR_NOT_FOUND && options->create))
        err = gr_store_dir_room(dir, ret_why, why_size);
    if (err != GR_OK)
        return err;
    ret_why[0] = '\0';
    struct rocks *rocks = gr_hook_memory(NULL, sizeof(*rocks));
    *rocks = (struct rocks){.base.engine = &gr_store_rocksdb};
    gr_assert(pthread_mutex_init(&rocks->sync_lock, NULL) == 0);
    gr_assert(pthread_mutex_init(&rocks->log_lock, NULL) == 0);
    gr_assert(pthread_mutex_init(&rocks->trouble_lock, NULL) == 0);
    set_options(rocks, options);
    if (options->read_only)
        atomic_store(&rocks->broken, GR_ERR_INVALID);

    char *status = NULL;
    rocks->db = open_files(rocks, dir, options->read_only, &status);
    static const char no_lz4[] = "Invalid argument: Compression type";
    if (status != NULL && strncmp(status, no_lz4, strlen(no_lz4)) == 0) {
        rocksdb_free(status);
        status = NULL;
        rocksdb_options_set_compression(rocks->options, rocksdb_no_compression);
        rocks->db = open_files(rocks, dir, options->read_only, &status);
    }
    if (status != NULL)
        return open_failed(rocks, status, dir, ret_why, why_size);
    *ret_store = &rocks->base;
    return GR_OK;
}

static void rocks_close(struct gr_store *store)
{
    rocks_free((struct rocks *)store);
}

// ---- reads -----------------------------------------------------------------------------------

static enum gr_err read_with(struct rocks *rocks, const rocksdb_readoptions_t *options,
    struct gr_bytes key, struct gr_store_value *ret_value)
{
    char *status = NULL;
    rocksdb_pinnableslice_t *slice =
        rocksdb_get_pinned(rocks->db, options, (const char *)key.data, key.size, &status);
    if (status != NULL)
        return read_failed(rocks, status, GR_ERR_WOULD_BLOCK);
    if (slice == NULL)
        return GR_ERR_NOT_FOUND;
    size_t size = 0;
    const char *data = rocksdb_pinnableslice_value(slice, &size);
    ret_value->bytes = gr_bytes(data, size);
    ret_value->owner = slice;
    return GR_OK;
}

static void rocks_value_done(struct gr_store *store, struct gr_store_value *value)
{
    (void)store;
    rocksdb_pinnableslice_destroy(value->owner);
}

static enum gr_err rocks_get(struct gr_store *store, struct gr_bytes key, enum gr_store_read mode,
    struct gr_store_value *ret_value)
{
    struct rocks *rocks = (struct rocks *)store;
    if (mode == GR_STORE_READ_ANY)
        return read_with(rocks, rocks->read_any, key, ret_value);
    struct gr_store_value value;
    enum gr_err err = read_with(rocks, rocks->read_cached, key, &value);
    if (err != GR_OK)
        return err;
    // Until 9.1 RocksDB answers "found, empty" when the table's file is not open
    // (facebook/rocksdb#12443), so an empty answer is believed only when the disk was allowed.
    if (value.bytes.size == 0) {
        rocks_value_done(store, &value);
        return GR_ERR_WOULD_BLOCK;
    }
    *ret_value = value;
    return GR_OK;
}

static enum gr_err rocks_snapshot_get(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_bytes key, struct gr_store_value *ret_value)
{
    struct rocks_snapshot *mine = (struct rocks_snapshot *)snapshot;
    return read_with((struct rocks *)store, mine->read, key, ret_value);
}

// ---- writes ----------------------------------------------------------------------------------

static enum gr_err add_delete(struct rocks *rocks, struct gr_bytes key)
{
    rocksdb_writebatch_delete(rocks->scratch, (const char *)key.data, key.size);
    size_t bytes = 0;
    rocksdb_writebatch_data(rocks->scratch, &bytes);
    if (bytes <= RANGE_BYTES_MAX)
        return GR_OK;
    set_trouble(rocks, "A range to delete holds too many keys for one batch: delete it in parts.");
    return GR_ERR_INVALID;
}

// Adds a delete for every key in the range of `range`, a change of `batch`: keys in the store, and
// keys that the batch itself has put so far (I6).
static enum gr_err add_delete_range(
    struct rocks *rocks, const struct gr_store_batch *batch, const struct gr_store_change *range)
{
    enum gr_err err = GR_OK;
    struct gr_store_change earlier;
    for (size_t offset = 0; err == GR_OK && gr_store_batch_next(batch, &offset, &earlier);) {
        if (earlier.key.data == range->key.data)
            break;
        if (earlier.kind == GR_STORE_PUT && gr_bytes_compare(range->key, earlier.key) <= 0 &&
            gr_bytes_compare(earlier.key, range->value) < 0)
            err = add_delete(rocks, earlier.key);
    }
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(read, 1);
    rocksdb_readoptions_set_fill_cache(read, 0);
    rocksdb_readoptions_set_iterate_upper_bound(
        read, (const char *)range->value.data, range->value.size);
    rocksdb_iterator_t *iterator = rocksdb_create_iterator(rocks->db, read);
    rocksdb_iter_seek(iterator, (const char *)range->key.data, range->key.size);
    for (; err == GR_OK && rocksdb_iter_valid(iterator); rocksdb_iter_next(iterator)) {
        size_t size = 0;
        const char *key = rocksdb_iter_key(iterator, &size);
        err = add_delete(rocks, gr_bytes(key, size));
    }
    char *status = NULL;
    rocksdb_iter_get_error(iterator, &status);
    if (status != NULL)
        err = breaks(rocks, failed(rocks, status, GR_ERR_IO));
    rocksdb_iter_destroy(iterator);
    rocksdb_readoptions_destroy(read);
    return err;
}

static enum gr_err fill_scratch(struct rocks *rocks, const struct gr_store_batch *batch)
{
    size_t before = 0;
    rocksdb_writebatch_data(rocks->scratch, &before);
    rocksdb_writebatch_clear(rocks->scratch);
    if (before > SCRATCH_BYTES_MAX) { // one rare big batch does not keep its memory for ever
        rocksdb_writebatch_destroy(rocks->scratch);
        rocks->scratch = rocksdb_writebatch_create();
    }
    enum gr_err err = GR_OK;
    struct gr_store_change change;
    for (size_t offset = 0; err == GR_OK && gr_store_batch_next(batch, &offset, &change);) {
        const char *key = (const char *)change.key.data, *value = (const char *)change.value.data;
        switch (change.kind) {
        case GR_STORE_PUT:
            rocksdb_writebatch_put(rocks->scratch, key, change.key.size, value, change.value.size);
            break;
        case GR_STORE_DELETE:
            rocksdb_writebatch_delete(rocks->scratch, key, change.key.size);
            break;
        case GR_STORE_DELETE_RANGE:
            err = add_delete_range(rocks, batch, &change);
            break;
        default:
            gr_unreachable("kind of change");
        }
    }
    return err;
}

// I7: the log's buffer may overflow into its file here.
static enum gr_err write_scratch(struct rocks *rocks)
{
    char *status = NULL;
    pthread_mutex_lock(&rocks->log_lock);
    enum gr_err err = (enum gr_err)atomic_load(&rocks->broken);
    if (err == GR_OK)
        rocksdb_write(rocks->db, rocks->write, rocks->scratch, &status);
    if (status != NULL) {
        err = failed(rocks, status, GR_ERR_STALLED);
        if (err != GR_ERR_STALLED)
            err = breaks(rocks, err);
    }
    pthread_mutex_unlock(&rocks->log_lock);
    return err;
}

static enum gr_err rocks_apply(
    struct gr_store *store, const struct gr_store_batch *batch, uint64_t *ret_number)
{
    struct rocks *rocks = (struct rocks *)store;
    enum gr_err err = (enum gr_err)atomic_load(&rocks->broken);
    if (err == GR_OK)
        err = fill_scratch(rocks, batch);
    if (err == GR_OK && gr_store_batch_count(batch) > 0)
        err = write_scratch(rocks);
    if (err == GR_OK)
        *ret_number = atomic_fetch_add(&rocks->applied, 1) + 1;
    return err;
}

static enum gr_err flush_log(struct rocks *rocks, bool and_sync)
{
    char *status = NULL;
    rocksdb_flush_wal(rocks->db, and_sync, &status);
    return status == NULL ? GR_OK : breaks(rocks, failed(rocks, status, GR_ERR_IO));
}

static enum gr_err rocks_sync(struct gr_store *store, uint64_t *ret_number)
{
    struct rocks *rocks = (struct rocks *)store;
    // One at a time: after a failure the next fsync of the same file may well succeed (I3). Whoever
    // waited here usually finds its batches synced.
    pthread_mutex_lock(&rocks->sync_lock);
    uint64_t number = atomic_load(&rocks->applied);
    bool wanted = number > rocks->synced;
    pthread_mutex_lock(&rocks->log_lock);
    enum gr_err err = (enum gr_err)atomic_load(&rocks->broken);
    if (err == GR_OK && wanted)
        err = flush_log(rocks, false);
    pthread_mutex_unlock(&rocks->log_lock);
    // The C API has no sync without a flush; the buffer is as good as empty now.
    if (err == GR_OK && wanted)
        err = flush_log(rocks, true);
    if (err == GR_OK)
        rocks->synced = number;
    pthread_mutex_unlock(&rocks->sync_lock);
    if (err == GR_OK)
        *ret_number = number;
    return err;
}

static bool rocks_stalled(struct gr_store *store)
{
    struct rocks *rocks = (struct rocks *)store;
    uint64_t stopped = 0, rate = 0;
    rocksdb_property_int(rocks->db, "rocksdb.is-write-stopped", &stopped);
    rocksdb_property_int(rocks->db, "rocksdb.actual-delayed-write-rate", &rate);
    return stopped != 0 || rate != 0;
}

// ---- snapshots and scans ---------------------------------------------------------------------

static struct gr_store_snapshot *rocks_snapshot_open(struct gr_store *store)
{
    struct rocks *rocks = (struct rocks *)store;
    struct rocks_snapshot *snapshot = gr_hook_memory(NULL, sizeof(*snapshot));
    snapshot->snapshot = rocksdb_create_snapshot(rocks->db);
    snapshot->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(snapshot->read, 1);
    rocksdb_readoptions_set_snapshot(snapshot->read, snapshot->snapshot);
    return (struct gr_store_snapshot *)snapshot;
}

static void rocks_snapshot_close(struct gr_store *store, struct gr_store_snapshot *opaque)
{
    struct rocks_snapshot *snapshot = (struct rocks_snapshot *)opaque;
    rocksdb_readoptions_destroy(snapshot->read);
    rocksdb_release_snapshot(((struct rocks *)store)->db, snapshot->snapshot);
    gr_hook_memory(snapshot, 0);
}

static struct gr_store_scan *rocks_scan_open(struct gr_store *store,
    struct gr_store_snapshot *snapshot, struct gr_bytes from, struct gr_bytes to)
{
    struct rocks_scan *scan = gr_hook_memory(NULL, sizeof(*scan) + from.size + to.size);
    *scan = (struct rocks_scan){
        .rocks = (struct rocks *)store,
        .end = GR_ERR_NOT_FOUND,
        .from_size = from.size,
        .to_size = to.size,
    };
    if (from.size > 0)
        memcpy(scan->bounds, from.data, from.size);
    if (to.size > 0)
        memcpy(scan->bounds + from.size, to.data, to.size);
    if (to.size > 0 && gr_bytes_compare(from, to) >= 0)
        scan->state = SCAN_OVER;
    scan->read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_verify_checksums(scan->read, 1);
    // A scan passes over much and comes back to nothing: the cache is for single keys.
    rocksdb_readoptions_set_fill_cache(scan->read, 0);
    rocksdb_readoptions_set_snapshot(scan->read, ((struct rocks_snapshot *)snapshot)->snapshot);
    if (to.size > 0)
        rocksdb_readoptions_set_iterate_upper_bound(scan->read, scan->bounds + from.size, to.size);
    return &scan->base;
}

static enum gr_err rocks_scan_next(
    struct gr_store_scan *base, struct gr_bytes *ret_key, struct gr_bytes *ret_value)
{
    struct rocks_scan *scan = (struct rocks_scan *)base;
    if (scan->state == SCAN_OVER)
        return scan->end;
    // Even making an iterator can open files, so it is not done in scan_open, which may be called
    // where nobody may wait.
    if (scan->state == SCAN_NEW) {
        scan->iterator = rocksdb_create_iterator(scan->rocks->db, scan->read);
        rocksdb_iter_seek(scan->iterator, scan->bounds, scan->from_size);
    } else {
        rocksdb_iter_next(scan->iterator);
    }
    scan->state = SCAN_UNDER_WAY;
    if (rocksdb_iter_valid(scan->iterator)) {
        size_t key_size = 0, value_size = 0;
        const char *key = rocksdb_iter_key(scan->iterator, &key_size);
        const char *value = rocksdb_iter_value(scan->iterator, &value_size);
        *ret_key = gr_bytes(key, key_size);
        *ret_value = gr_bytes(value, value_size);
        return GR_OK;
    }
    scan->state = SCAN_OVER;
    char *status = NULL;
    rocksdb_iter_get_error(scan->iterator, &status);
    if (status != NULL)
        scan->end = read_failed(scan->rocks, status, GR_ERR_IO);
    return scan->end;
}

static void rocks_scan_close(struct gr_store_scan *base)
{
    struct rocks_scan *scan = (struct rocks_scan *)base;
    if (scan->iterator != NULL)
        rocksdb_iter_destroy(scan->iterator);
    rocksdb_readoptions_destroy(scan->read);
    gr_hook_memory(scan, 0);
}

static enum gr_err rocks_checkpoint(struct gr_store *store, const char *dir)
{
    struct rocks *rocks = (struct rocks *)store;
    char *status = NULL;
    rocksdb_checkpoint_t *checkpoint = rocksdb_checkpoint_object_create(rocks->db, &status);
    // Size 0: memtables are written out first, so that no log has to be copied.
    if (status == NULL)
        rocksdb_checkpoint_create(checkpoint, dir, 0, &status);
    rocksdb_checkpoint_object_destroy(checkpoint);
    return status == NULL ? GR_OK : failed(rocks, status, GR_ERR_IO);
}

const struct gr_store_engine gr_store_rocksdb = {
    .name = "rocksdb",
    .open = rocks_open,
    .close = rocks_close,
    .get = rocks_get,
    .value_done = rocks_value_done,
    .apply = rocks_apply,
    .sync = rocks_sync,
    .stalled = rocks_stalled,
    .snapshot_open = rocks_snapshot_open,
    .snapshot_close = rocks_snapshot_close,
    .snapshot_get = rocks_snapshot_get,
    .scan_open = rocks_scan_open,
    .scan_next = rocks_scan_next,
    .scan_close = rocks_scan_close,
    .checkpoint = rocks_checkpoint,
    .rescue = gr_rescue_rocksdb,
    .trouble = rocks_trouble,
};
