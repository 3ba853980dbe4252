// The store as a node sees it: effects in, events out, and the disk waits on other threads.
//
//     emit:   gr_storage_write, gr_storage_read, gr_storage_scan     collect
//     then:   gr_storage_commit                                     one batch, one apply
//     then:   gr_storage_next until it has no more                  APPLIED, SYNCED, READ_DONE,
//                                                                   SCAN_DONE, STORE
//
// All calls are made on the loop's thread. When something becomes ready elsewhere the loop is woken
// (a uv_async without a callback that matters): the caller looks with gr_storage_next whenever its
// loop turns.
#ifndef GR_SHELL_STORAGE_H
#define GR_SHELL_STORAGE_H

#include <uv.h>

#include "core/node.h"
#include "store/store.h"

struct gr_storage;

struct gr_storage_config {
    const struct gr_store_engine *engine;
    const char *dir; // of the engine's files; made when it is not there
    uint64_t cache_bytes;
    uint32_t partitions; // of the ring
    // 0: every commit is synced at once, and APPLIED is not told. Else a sync begins when so much
    // time has passed since the last one, or when a write says that it does not wait.
    struct gr_span sync_interval;
    uv_loop_t *loop;
};

// Opens the store and starts the threads. On failure ret_why holds one sentence and nothing is
// held.
GR_MUST_USE enum gr_err gr_storage_open(const struct gr_storage_config *config,
    struct gr_storage **ret_storage, char *ret_why, size_t why_size);
// Waits for what is under way on the threads, drops what was not delivered, closes the store
// without a sync. The memory goes when the loop has run once more.
void gr_storage_close(struct gr_storage *storage);
// Another sync_interval, not 0, from now on; what waits for a sync goes by it too.
void gr_storage_set_interval(struct gr_storage *storage, struct gr_span interval);
// For gr_datadir_begin_run, before anything is written here.
struct gr_store *gr_storage_store(struct gr_storage *storage);

// Begins a run: `self` is the actor that the node writes as; its writes are numbered from 1.
void gr_storage_begin(struct gr_storage *storage, struct gr_actor self);
// Feeds clock rows, counts and left-over rows to a node that was not stepped yet. On failure
// ret_why holds one sentence: GR_ERR_CORRUPT, GR_ERR_FORMAT, GR_ERR_IO.
GR_MUST_USE enum gr_err gr_storage_load(
    struct gr_storage *storage, struct gr_node *node, char *ret_why, size_t why_size);

// The three effects; everything is copied.
void gr_storage_write(struct gr_storage *storage, const struct gr_store_write *write);
void gr_storage_read(
    struct gr_storage *storage, uint64_t ticket, const struct gr_key *key, bool bare);
void gr_storage_scan(struct gr_storage *storage, const struct gr_effect *effect);

// Applies all writes since the last commit as one batch, hands them to the sync thread, and lets
// the reads and scans that were emitted so far begin. False: the engine asks for a pause, nothing
// was applied, the batch is kept. Then step nothing, send nothing, and call again when the loop
// turns next (a timer turns it within 5 ms).
GR_MUST_USE bool gr_storage_commit(struct gr_storage *storage);

// The next event for the node, if there is one; `now` and `wall` are the caller's to fill in. What
// it borrows is valid until the next call.
bool gr_storage_next(struct gr_storage *storage, struct gr_event *ret_event);

// Why this run takes no more writes (GR_ERR_IO, GR_ERR_NO_SPACE, GR_ERR_CORRUPT), or GR_OK. It
// never goes back to GR_OK: close, open again, begin a new run.
enum gr_err gr_storage_failed(const struct gr_storage *storage);
// Nothing is collected, under way or unsynced, or the store has failed.
bool gr_storage_quiet(const struct gr_storage *storage);

struct gr_storage_stats {
    uint64_t commits, syncs;
    uint64_t reads_cached; // answered on the loop
    uint64_t reads_waited; // answered by a thread
    uint64_t scans;
    uint64_t stalls;
};
struct gr_storage_stats gr_storage_stats(const struct gr_storage *storage);

#endif
