// The data directory: whose it is, and that only one process uses it.
//
//     IDENTITY   flat text: format, cluster, name, store, engine
//     LOCK       held with flock while the process lives
//     store/     the engine's files
#ifndef GR_SHELL_DATADIR_H
#define GR_SHELL_DATADIR_H

#include "core/clock.h"
#include "shell/cluster.h"
#include "store/store.h"

enum { GR_DATADIR_FORMAT = 2, GR_DATADIR_PATH_BYTES = 1200 };

struct gr_datadir {
    int lock;          // file descriptor
    uint64_t store_id; // random, made with the store; never 0
    bool created;      // this start made it
    char store_path[GR_DATADIR_PATH_BYTES];
};

// Opens the directory for the member `name` of the cluster, or makes it (one level) when it is not
// there or empty. A store that forgets everything (engine "memory") gets a new store id each time.
// On failure nothing is held and ret_why holds one sentence that says what to do: GR_ERR_LOCKED
// (another process), GR_ERR_FORMAT (a newer format, another cluster, member or engine),
// GR_ERR_INVALID (not a data directory, or its IDENTITY is damaged), GR_ERR_NOT_FOUND, GR_ERR_IO,
// GR_ERR_NO_SPACE.
GR_MUST_USE enum gr_err gr_datadir_open(const char *path, const struct gr_cluster *cluster,
    const char *name, const char *engine, struct gr_datadir *ret, char *ret_why, size_t why_size);
// Lets the directory go; the store must be closed.
void gr_datadir_close(struct gr_datadir *datadir);

// Begins a run of an open store: the next run number and 32 random bits, durable in the store when
// this returns (DESIGN.md §4: new at every start). On failure ret_why holds one sentence.
GR_MUST_USE enum gr_err gr_datadir_begin_run(struct gr_store *store, uint64_t store_id,
    struct gr_actor *ret_actor, char *ret_why, size_t why_size);

#endif
