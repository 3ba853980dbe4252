// The store as a node sees it: effects in, events out, and the disk waits on other threads.
//
// Everything that a turn of the loop writes becomes one batch (commit), so a hundred puts that came
// in together cost one apply. A thread syncs whatever is applied and not yet durable, again and
// again while there is any: while one sync is under way the next group gathers (group commit, §4.1
// of DeWitt et al. 1984). Reads are tried on the loop from memory; what only the disk knows goes to
// three threads; scans go to one of their own with a snapshot, so they never hold up a read.
//
//   I1  A read or scan begins after every write that was emitted before it is applied.
//   I2  SYNCED says n only when a sync that began after the batch with write n has returned.
//   I3  After a failed apply or sync, or a read whose damage the engine itself reports, nothing is
//       applied or called durable any more in this run.
//   I4  A partition that missed a batch is mute: its reads end with GR_ERR_IO. The node's clock
//       already counts that batch's dots as seen, and a record without them would look like one
//       that had replaced them. (Scans speak: they are filled from rows of their own snapshot.)
//   I5  A write that has `sync` set is synced without delay; any other within the interval and one
//       sync, if there is an interval.
//   I6  While a batch waits for a stalled engine nothing is delivered: what the node has emitted
//       cannot become visible before it is applied.
//
// Ownership: a job owns its arena, its snapshot and its value; it belongs to one list at a time
// (waiting, ready, a thread's queue, finished) and to `delivered` while its event is being stepped.
//
// Bounds: jobs are as many as the node has reads and scans under way, which its calls_max bounds;
// at most GROUPS_MAX commits wait for a sync with a number of their own, later ones share the last.
#include "shell/storage.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/list.h"
#include "shell/log.h"
#include "shell/scan.h"
#include "wire/disk.h"

enum {
    GROUPS_MAX = 1024,
    READERS = 3,
    SPARE_JOBS_MAX = 1024,
    STALL_RETRY_MS = 5,
    STALL_LOOK_NS = 10 * 1000000,
};

struct job {
    struct gr_link link;
    struct gr_arena arena;
    uint64_t ticket;
    bool is_scan;
    bool engine_corrupt; // the engine said so, not the sum of a row
    enum gr_err status;
    // A read.
    bool bare;
    uint32_t partition;
    struct gr_bytes row_key;
    struct gr_store_value value;
    bool has_value;
    struct gr_record record;
    // A scan.
    struct gr_scan_page page;
    struct gr_store_snapshot *snapshot;
};

// Threads that take jobs from one queue, and the lock of that queue.
struct crew {
    struct gr_storage *storage;
    uv_thread_t thread[READERS];
    uint32_t threads;
    uv_mutex_t lock;
    uv_cond_t ready;
    struct gr_list queue;
    bool stop;
};

// All of a run's writes up to node_number are durable once batch store_number is.
struct group {
    uint64_t store_number, node_number;
};

struct gr_storage {
    struct gr_store *store;
    uint32_t partitions;
    uint64_t interval_ns; // of syncs; 0: at once. Written by the loop alone, under sync_lock
    struct gr_actor self;
    uv_async_t async;
    uv_timer_t timer;
    int open_handles;

    struct gr_store_batch *batch;
    uint64_t write_last;    // node's number of the last write collected
    uint64_t write_applied; // of the last one that is in the store
    bool batch_any, batch_urgent;
    bool applied_news;                      // APPLIED is to be told
    uint8_t touched[GR_PARTITIONS_MAX / 8]; // partitions in the batch
    uint8_t mute[GR_PARTITIONS_MAX / 8];    // I4
    bool any_mute;
    enum gr_err failed;
    bool failed_told;
    bool stalled, stalled_told; // the engine is slow; what the node was told of it
    uint64_t stall_looked;      // uv_hrtime of the last look

    struct gr_list waiting, ready, spare;
    uint32_t out; // jobs with a crew, or finished and not delivered
    struct job *delivered;

    struct group group[GROUPS_MAX]; // a ring: group_first, group_count
    uint32_t group_first, group_count;

    uv_thread_t syncer;
    uv_mutex_t sync_lock;
    uv_cond_t sync_wanted;
    uint64_t applied, synced; // under sync_lock
    uint64_t urgent;          // under sync_lock: the last batch that does not wait
    uint64_t sync_began;      // uv_hrtime; 0: never yet
    enum gr_err sync_failed;  // under sync_lock
    bool sync_stop;
    atomic_bool sync_news;

    struct crew readers, scanner;
    uv_mutex_t finished_lock;
    struct gr_list finished;
    atomic_bool finished_news;
    struct gr_storage_stats stats;
    atomic_uint_fast64_t syncs;
};

static bool bit_of(const uint8_t *bits, uint32_t at)
{
    return (bits[at / 8] >> (at % 8) & 1) != 0;
}

// ---- jobs ------------------------------------------------------------------------------------

static struct job *job_new(struct gr_storage *storage, uint64_t ticket)
{
    struct gr_link *link = gr_list_take(&storage->spare);
    struct job *job = NULL;
    struct gr_arena arena = {0};
    if (link != NULL) {
        job = GR_CONTAINER(link, struct job, link);
        arena = job->arena;
    } else {
        job = gr_hook_memory(NULL, sizeof(*job));
    }
    *job = (struct job){.arena = arena, .ticket = ticket};
    return job;
}

static void job_end(struct gr_storage *storage, struct job *job)
{
    if (job->has_value)
        gr_store_value_done(storage->store, &job->value);
    if (job->snapshot != NULL)
        gr_store_snapshot_close(storage->store, job->snapshot);
    job->has_value = false;
    job->snapshot = NULL;
    if (storage->spare.count < SPARE_JOBS_MAX) {
        gr_arena_clear(&job->arena);
        gr_list_append(&storage->spare, &job->link);
        return;
    }
    gr_arena_deinit(&job->arena);
    gr_hook_memory(job, 0);
}

// GR_ERR_WOULD_BLOCK only in cached mode.
static enum gr_err job_read(struct gr_store *store, struct job *job, enum gr_store_read mode)
{
    enum gr_err err = gr_store_get(store, job->row_key, mode, &job->value);
    job->engine_corrupt = err == GR_ERR_CORRUPT;
    if (err != GR_OK)
        return err;
    job->has_value = true;
    err = gr_disk_read_record(job->row_key, job->value.bytes, job->bare, &job->arena, &job->record);
    // A row of a later format is as unreadable as a damaged one; neither is "not found".
    return err == GR_OK ? GR_OK : GR_ERR_CORRUPT;
}

static void job_run(struct gr_storage *storage, struct job *job)
{
    if (job->is_scan)
        job->status = gr_scan_run(
            storage->store, job->snapshot, storage->partitions, &job->arena, &job->page);
    else
        job->status = job_read(storage->store, job, GR_STORE_READ_ANY);
}

// ---- the crews -------------------------------------------------------------------------------

static void crew_main(void *arg)
{
    struct crew *crew = arg;
    struct gr_storage *storage = crew->storage;
    uv_mutex_lock(&crew->lock);
    for (;;) {
        struct gr_link *link = gr_list_take(&crew->queue);
        if (link == NULL) {
            if (crew->stop)
                break;
            uv_cond_wait(&crew->ready, &crew->lock);
            continue;
        }
        uv_mutex_unlock(&crew->lock);
        job_run(storage, GR_CONTAINER(link, struct job, link));
        uv_mutex_lock(&storage->finished_lock);
        gr_list_append(&storage->finished, link);
        uv_mutex_unlock(&storage->finished_lock);
        atomic_store(&storage->finished_news, true);
        uv_async_send(&storage->async);
        uv_mutex_lock(&crew->lock);
    }
    uv_mutex_unlock(&crew->lock);
}

static void crew_start(struct crew *crew, struct gr_storage *storage, uint32_t threads)
{
    crew->storage = storage;
    gr_assert(uv_mutex_init(&crew->lock) == 0 && uv_cond_init(&crew->ready) == 0);
    for (; crew->threads < threads; crew->threads++)
        gr_assert(uv_thread_create(&crew->thread[crew->threads], crew_main, crew) == 0);
}

static void crew_stop(struct crew *crew)
{
    uv_mutex_lock(&crew->lock);
    crew->stop = true;
    uv_cond_broadcast(&crew->ready);
    uv_mutex_unlock(&crew->lock);
    for (uint32_t i = 0; i < crew->threads; i++)
        uv_thread_join(&crew->thread[i]);
    uv_cond_destroy(&crew->ready);
    uv_mutex_destroy(&crew->lock);
}

static void crew_give(struct crew *crew, struct job *job)
{
    uv_mutex_lock(&crew->lock);
    gr_list_append(&crew->queue, &job->link);
    uv_cond_signal(&crew->ready);
    uv_mutex_unlock(&crew->lock);
    crew->storage->out++;
}

// ---- the sync thread -------------------------------------------------------------------------

// Under sync_lock. How long the next sync may still wait, in nanoseconds.
static uint64_t sync_wait(const struct gr_storage *storage)
{
    uint64_t passed = uv_hrtime() - storage->sync_began;
    bool due = storage->urgent > storage->synced || storage->sync_began == 0 ||
               passed >= storage->interval_ns;
    return due ? 0 : storage->interval_ns - passed;
}

static void sync_main(void *arg)
{
    struct gr_storage *storage = arg;
    uv_mutex_lock(&storage->sync_lock);
    while (!storage->sync_stop) {
        if (storage->applied == storage->synced || storage->sync_failed != GR_OK) {
            uv_cond_wait(&storage->sync_wanted, &storage->sync_lock);
            continue;
        }
        uint64_t wait = sync_wait(storage);
        if (wait > 0) {
            (void)uv_cond_timedwait(&storage->sync_wanted, &storage->sync_lock, wait);
            continue;
        }
        storage->sync_began = uv_hrtime();
        uv_mutex_unlock(&storage->sync_lock);
        uint64_t number = 0;
        enum gr_err err = gr_store_sync(storage->store, &number);
        atomic_fetch_add(&storage->syncs, 1);
        uv_mutex_lock(&storage->sync_lock);
        if (err == GR_OK)
            storage->synced = number;
        else
            storage->sync_failed = err;
        atomic_store(&storage->sync_news, true);
        uv_async_send(&storage->async);
    }
    uv_mutex_unlock(&storage->sync_lock);
}

// While the thread waits for the interval to end it is left alone, unless a batch does not wait: to
// wake it for every batch costs as much as some of them.
static void sync_want(struct gr_storage *storage, uint64_t store_number, bool urgent)
{
    uv_mutex_lock(&storage->sync_lock);
    bool idle = storage->applied == storage->synced;
    storage->applied = store_number;
    if (urgent)
        storage->urgent = store_number;
    uv_mutex_unlock(&storage->sync_lock);
    if (idle || urgent)
        uv_cond_signal(&storage->sync_wanted);
}

// ---- opening and closing ---------------------------------------------------------------------

static void on_wake(uv_async_t *async)
{
    (void)async; // That the loop turns is all that is wanted.
}

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

enum gr_err gr_storage_open(const struct gr_storage_config *config, struct gr_storage **ret_storage,
    char *ret_why, size_t why_size)
{
    struct gr_store_options options = {.cache_bytes = config->cache_bytes, .create = true};
    struct gr_store *store = NULL;
    enum gr_err err =
        gr_store_open(config->engine, config->dir, &options, &store, ret_why, why_size);
    if (err != GR_OK)
        return err;
    struct gr_storage *storage = gr_hook_memory(NULL, sizeof(*storage));
    memset(storage, 0, sizeof(*storage));
    storage->store = store;
    storage->partitions = config->partitions;
    storage->interval_ns = (uint64_t)config->sync_interval.ns;
    storage->batch = gr_store_batch_new();
    gr_assert(uv_async_init(config->loop, &storage->async, on_wake) == 0);
    gr_assert(uv_timer_init(config->loop, &storage->timer) == 0);
    storage->open_handles = 2;
    gr_assert(uv_mutex_init(&storage->sync_lock) == 0);
    gr_assert(uv_cond_init(&storage->sync_wanted) == 0);
    gr_assert(uv_mutex_init(&storage->finished_lock) == 0);
    crew_start(&storage->readers, storage, READERS);
    crew_start(&storage->scanner, storage, 1);
    *ret_storage = storage;
    return GR_OK;
}

void gr_storage_set_interval(struct gr_storage *storage, struct gr_span interval)
{
    gr_assert(interval.ns > 0 && storage->interval_ns > 0);
    uv_mutex_lock(&storage->sync_lock);
    storage->interval_ns = (uint64_t)interval.ns;
    uv_cond_signal(&storage->sync_wanted);
    uv_mutex_unlock(&storage->sync_lock);
}

struct gr_store *gr_storage_store(struct gr_storage *storage)
{
    return storage->store;
}

void gr_storage_begin(struct gr_storage *storage, struct gr_actor self)
{
    gr_assert(storage->self.store == 0 && !storage->batch_any);
    storage->self = self;
    // Whatever was applied before this run's first write is durable: the run row itself.
    gr_assert(uv_thread_create(&storage->syncer, sync_main, storage) == 0);
}

static void end_all(struct gr_storage *storage, struct gr_list *list)
{
    for (struct gr_link *link; (link = gr_list_take(list)) != NULL;)
        job_end(storage, GR_CONTAINER(link, struct job, link));
}

static void on_closed(uv_handle_t *handle)
{
    struct gr_storage *storage = handle->data;
    if (--storage->open_handles == 0)
        gr_hook_memory(storage, 0);
}

void gr_storage_close(struct gr_storage *storage)
{
    crew_stop(&storage->readers);
    crew_stop(&storage->scanner);
    if (storage->self.store != 0) {
        uv_mutex_lock(&storage->sync_lock);
        storage->sync_stop = true;
        uv_cond_signal(&storage->sync_wanted);
        uv_mutex_unlock(&storage->sync_lock);
        uv_thread_join(&storage->syncer);
    }
    if (storage->delivered != NULL)
        job_end(storage, storage->delivered);
    end_all(storage, &storage->waiting);
    end_all(storage, &storage->ready);
    end_all(storage, &storage->finished);
    for (struct gr_link *link; (link = gr_list_take(&storage->spare)) != NULL;) {
        struct job *job = GR_CONTAINER(link, struct job, link);
        gr_arena_deinit(&job->arena);
        gr_hook_memory(job, 0);
    }
    gr_store_batch_free(storage->batch);
    gr_store_close(storage->store);
    uv_mutex_destroy(&storage->finished_lock);
    uv_cond_destroy(&storage->sync_wanted);
    uv_mutex_destroy(&storage->sync_lock);
    storage->async.data = storage->timer.data = storage;
    uv_close((uv_handle_t *)&storage->async, on_closed);
    uv_close((uv_handle_t *)&storage->timer, on_closed);
}

enum gr_err gr_storage_load(
    struct gr_storage *storage, struct gr_node *node, char *ret_why, size_t why_size)
{
    return gr_scan_load(storage->store, storage->partitions, node, ret_why, why_size);
}

// ---- collecting ------------------------------------------------------------------------------

static void batch_put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    gr_store_batch_put(host, key, value);
}

static void batch_remove(void *host, struct gr_bytes key)
{
    gr_store_batch_delete(host, key);
}

void gr_storage_write(struct gr_storage *storage, const struct gr_store_write *write)
{
    gr_assert(write->number == storage->write_last + 1);
    gr_assert(write->partition < storage->partitions);
    struct gr_disk_sink sink = {batch_put, batch_remove, storage->batch};
    gr_disk_write(write, storage->self, &sink);
    storage->write_last = write->number;
    storage->batch_any = true;
    storage->batch_urgent |= write->sync;
    storage->touched[write->partition / 8] |= (uint8_t)(1u << (write->partition % 8));
}

void gr_storage_read(
    struct gr_storage *storage, uint64_t ticket, const struct gr_key *key, bool bare)
{
    struct job *job = job_new(storage, ticket);
    job->bare = bare;
    job->partition = (uint32_t)(key->slot / (GR_SLOTS / storage->partitions));
    job->row_key = gr_disk_record_key(&job->arena, key);
    gr_list_append(&storage->waiting, &job->link);
}

void gr_storage_scan(struct gr_storage *storage, const struct gr_effect *effect)
{
    struct job *job = job_new(storage, effect->ticket);
    job->is_scan = true;
    job->page = (struct gr_scan_page){
        .kind = effect->scan,
        .partition = effect->partition,
        .cursor = effect->cursor,
        .cursor_end = effect->cursor_end,
        .lenient = effect->lenient,
        .limit = effect->limit,
        .wall = effect->wall,
        .owner = effect->owner,
    };
    if (effect->key.key.size > 0)
        job->page.key = gr_key_copy(&job->arena, &effect->key);
    gr_list_append(&storage->waiting, &job->link);
}

// ---- committing ------------------------------------------------------------------------------

static void remember_group(struct gr_storage *storage, uint64_t store_number)
{
    if (storage->group_count < GROUPS_MAX)
        storage->group_count++;
    // Else the last group grows: its earlier writes are told with its later ones, never sooner.
    uint32_t last = (storage->group_first + storage->group_count - 1) % GROUPS_MAX;
    storage->group[last] = (struct group){store_number, storage->write_last};
}

static void fail(struct gr_storage *storage, enum gr_err err, const char *what)
{
    if (storage->failed != GR_OK)
        return;
    storage->failed = err;
    gr_log(GR_LOG_ERROR, "store: %s failed: %s (%s)", what, gr_err_info(err)->text,
        gr_store_trouble(storage->store));
}

// I4: the batch will never be applied.
static void drop_batch(struct gr_storage *storage)
{
    for (size_t i = 0; i < sizeof(storage->mute); i++)
        storage->mute[i] |= storage->touched[i];
    storage->any_mute = true;
}

static void look_for_stall(struct gr_storage *storage)
{
    uint64_t now = uv_hrtime();
    if (now - storage->stall_looked < STALL_LOOK_NS)
        return;
    storage->stall_looked = now;
    storage->stalled = gr_store_stalled(storage->store);
    if (storage->stalled)
        uv_timer_start(&storage->timer, on_timer, STALL_RETRY_MS, STALL_RETRY_MS);
    else
        uv_timer_stop(&storage->timer);
}

// True unless the engine stalls: the batch is applied, or dropped because the store has failed.
static bool apply_batch(struct gr_storage *storage)
{
    uint64_t number = 0;
    enum gr_err err = storage->failed;
    if (err == GR_OK)
        err = gr_store_apply(storage->store, storage->batch, &number);
    if (err == GR_ERR_STALLED) {
        if (!storage->stalled)
            storage->stats.stalls++;
        storage->stalled = true;
        uv_timer_start(&storage->timer, on_timer, STALL_RETRY_MS, STALL_RETRY_MS);
        return false;
    }
    if (err == GR_OK) {
        storage->stats.commits++;
        remember_group(storage, number);
        storage->write_applied = storage->write_last;
        sync_want(storage, number, storage->batch_urgent);
        storage->applied_news = storage->interval_ns > 0;
    } else {
        fail(storage, err, "a write");
        drop_batch(storage);
    }
    gr_store_batch_clear(storage->batch);
    memset(storage->touched, 0, sizeof(storage->touched));
    storage->batch_any = storage->batch_urgent = false;
    return true;
}

bool gr_storage_commit(struct gr_storage *storage)
{
    bool wrote = storage->batch_any;
    if (wrote && !apply_batch(storage))
        return false;
    if (storage->failed == GR_OK && (wrote || storage->stalled))
        look_for_stall(storage);
    for (struct gr_link *link; (link = gr_list_take(&storage->waiting)) != NULL;) {
        struct job *job = GR_CONTAINER(link, struct job, link);
        if (!job->is_scan) {
            gr_list_append(&storage->ready, link);
            continue;
        }
        job->snapshot = gr_store_snapshot_open(storage->store);
        job->page.number = storage->write_last; // all of them are applied
        storage->stats.scans++;
        crew_give(&storage->scanner, job);
    }
    return true;
}

// ---- delivering ------------------------------------------------------------------------------

static void deliver(struct gr_storage *storage, struct job *job, struct gr_event *ret_event)
{
    storage->delivered = job;
    // The store is to be replaced (D9): nothing more goes into it. The answer is what it is.
    if (job->engine_corrupt || (job->is_scan && job->page.engine_corrupt))
        fail(storage, GR_ERR_CORRUPT, job->is_scan ? "a scan" : "a read");
    ret_event->ticket = job->ticket;
    ret_event->status = job->status;
    if (job->is_scan) {
        ret_event->type = GR_EVENT_SCAN_DONE;
        ret_event->context = job->page.context;
        ret_event->entry = job->page.entry;
        ret_event->entry_count = job->page.entry_count;
        ret_event->cursor = job->page.end;
        ret_event->number = job->page.number;
        ret_event->hint = job->page.hint;
        ret_event->hint_count = job->page.hint_count;
        return;
    }
    ret_event->type = GR_EVENT_READ_DONE;
    if (storage->any_mute && bit_of(storage->mute, job->partition))
        ret_event->status = GR_ERR_IO;
    if (ret_event->status == GR_OK)
        ret_event->record = job->record;
}

// The highest write that has become durable since the last call, or 0.
static uint64_t take_synced(struct gr_storage *storage)
{
    if (!atomic_exchange(&storage->sync_news, false))
        return 0;
    uv_mutex_lock(&storage->sync_lock);
    uint64_t synced = storage->synced;
    enum gr_err err = storage->sync_failed;
    uv_mutex_unlock(&storage->sync_lock);
    if (err != GR_OK)
        fail(storage, err, "a sync");
    uint64_t number = 0;
    while (
        storage->group_count > 0 && storage->group[storage->group_first].store_number <= synced) {
        number = storage->group[storage->group_first].node_number;
        storage->group_first = (storage->group_first + 1) % GROUPS_MAX;
        storage->group_count--;
    }
    return number;
}

static bool next_trouble(struct gr_storage *storage, struct gr_event *ret_event)
{
    ret_event->type = GR_EVENT_STORE;
    if (storage->failed != GR_OK) {
        ret_event->status = storage->failed;
        bool news = !storage->failed_told;
        storage->failed_told = true;
        return news;
    }
    ret_event->status = storage->stalled ? GR_ERR_STALLED : GR_OK;
    bool news = storage->stalled != storage->stalled_told;
    storage->stalled_told = storage->stalled;
    return news;
}

static struct job *next_finished(struct gr_storage *storage)
{
    if (!atomic_load(&storage->finished_news))
        return NULL;
    uv_mutex_lock(&storage->finished_lock);
    struct gr_link *link = gr_list_take(&storage->finished);
    if (storage->finished.count == 0)
        atomic_store(&storage->finished_news, false);
    uv_mutex_unlock(&storage->finished_lock);
    if (link == NULL)
        return NULL;
    storage->out--;
    return GR_CONTAINER(link, struct job, link);
}

// The next read that memory can answer; those that it cannot are handed on.
static struct job *next_cached(struct gr_storage *storage)
{
    for (struct gr_link *link; (link = gr_list_take(&storage->ready)) != NULL;) {
        struct job *job = GR_CONTAINER(link, struct job, link);
        job->status = job_read(storage->store, job, GR_STORE_READ_CACHED);
        if (job->status != GR_ERR_WOULD_BLOCK) {
            storage->stats.reads_cached++;
            return job;
        }
        storage->stats.reads_waited++;
        crew_give(&storage->readers, job);
    }
    return NULL;
}

bool gr_storage_next(struct gr_storage *storage, struct gr_event *ret_event)
{
    if (storage->delivered != NULL)
        job_end(storage, storage->delivered);
    storage->delivered = NULL;
    *ret_event = (struct gr_event){0};
    if (storage->applied_news) {
        storage->applied_news = false;
        ret_event->type = GR_EVENT_APPLIED;
        ret_event->number = storage->write_applied;
        return true;
    }
    uint64_t number = take_synced(storage);
    if (number > 0) {
        ret_event->type = GR_EVENT_SYNCED;
        ret_event->number = number;
        return true;
    }
    if (next_trouble(storage, ret_event))
        return true;
    *ret_event = (struct gr_event){0};
    struct job *job = next_finished(storage);
    if (job == NULL)
        job = next_cached(storage);
    if (job == NULL)
        return false;
    deliver(storage, job, ret_event);
    return true;
}

enum gr_err gr_storage_failed(const struct gr_storage *storage)
{
    return storage->failed;
}

bool gr_storage_quiet(const struct gr_storage *storage)
{
    if (storage->failed != GR_OK)
        return true;
    return !storage->batch_any && storage->waiting.count == 0 && storage->ready.count == 0 &&
           storage->out == 0 && storage->group_count == 0 && !storage->applied_news;
}

struct gr_storage_stats gr_storage_stats(const struct gr_storage *storage)
{
    struct gr_storage_stats stats = storage->stats;
    stats.syncs = atomic_load(&storage->syncs);
    return stats;
}
