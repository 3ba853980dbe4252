// The data directory: whose it is, and that only one process uses it.
//
//     IDENTITY   flat text: format, cluster, name, store, engine, partitions
//     LOCK       held with flock while the process lives
//     store/     the engine's files
//     FACTS      what this node knew of the cluster when it last ran; see facts.h
//     SALVAGE, SALVAGED, store.new, store.rescue, store.damaged-*    see salvage.h
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
    char path[GR_DATADIR_PATH_BYTES];
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
// The store is another one from now on: writes a new store id into IDENTITY. Arguments as above.
GR_MUST_USE enum gr_err gr_datadir_new_store(struct gr_datadir *datadir,
    const struct gr_cluster *cluster, const char *name, const char *engine, char *ret_why,
    size_t why_size);
// What a directory says that it is.
struct gr_datadir_about {
    char cluster[2 * GR_CLUSTER_ID_BYTES + 1];
    char name[GR_NAME_BYTES_MAX + 1];
    char store[17];
    char engine[32];
    uint64_t partitions;
};
// Takes the lock of a data directory without changing anything in it, and reads what it is. Errors
// as of gr_datadir_open.
GR_MUST_USE enum gr_err gr_datadir_inspect(const char *path, struct gr_datadir *ret,
    struct gr_datadir_about *ret_about, char *ret_why, size_t why_size);
// Lets the directory go; the store must be closed.
void gr_datadir_close(struct gr_datadir *datadir);

// The number of the last run, 0 if there was none. GR_ERR_CORRUPT, or what reading gave; ret_why
// holds one sentence then.
GR_MUST_USE enum gr_err gr_datadir_last_run(
    struct gr_store *store, uint32_t *ret_number, char *ret_why, size_t why_size);
// Begins a run of an open store: the next run number and 32 random bits, durable in the store when
// this returns (DESIGN.md §4: new at every start). On failure ret_why holds one sentence.
GR_MUST_USE enum gr_err gr_datadir_begin_run(struct gr_store *store, uint64_t store_id,
    struct gr_actor *ret_actor, char *ret_why, size_t why_size);

#endif
