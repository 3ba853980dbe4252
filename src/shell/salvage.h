// A damaged store is set aside, and what can be read of it fed into a new one (DESIGN.md §4, D9).
//
//     SALVAGE             it is wanted, or under way: why, and the name for the old store
//     SALVAGED            the last one that was done: what came of it
//     store.damaged-TIME  the old store, as it was; nobody removes it
//     store.new           the new one while it is being made
//     store.rescue        links to the files of an old store that cannot be opened as it is
//
// An operator may ask for it by hand, with an empty file SALVAGE in the directory of a stopped
// node.
#ifndef GR_SHELL_SALVAGE_H
#define GR_SHELL_SALVAGE_H

#include <stdatomic.h>

#include "shell/datadir.h"

enum { GR_SALVAGE_TEXT_BYTES = 400 };

struct gr_salvage_config {
    const struct gr_store_engine *engine;
    const struct gr_cluster *cluster;
    const char *name;        // of the member
    const atomic_bool *stop; // may become true meanwhile
};

// What came of it. `records` and `hints` are in the new store; `unsound` rows were read and are not
// what was written; `gaps` are ranges that could not be read.
struct gr_salvage_done {
    char aside[GR_DATADIR_PATH_BYTES]; // directory of the old store
    char why[GR_SALVAGE_TEXT_BYTES];
    uint64_t records, hints, unsound, gaps;
};

// Asks for it, durably, unless it was asked for already: nobody opens the store again before it is
// done. `why` is one line.
GR_MUST_USE enum gr_err gr_salvage_want(
    const struct gr_datadir *datadir, const char *why, char *ret_why, size_t why_size);
bool gr_salvage_wanted(const struct gr_datadir *datadir);

// Does it; the store is closed. May take as long as reading and writing all of it. When it returns
// GR_OK there is a store under a new store id (datadir->store_id), and nothing is wanted any more.
// On failure ret_why holds one sentence, and the next call begins anew: GR_ERR_BUSY (`stop`),
// GR_ERR_NO_SPACE, GR_ERR_IO, GR_ERR_NOT_FOUND.
GR_MUST_USE enum gr_err gr_salvage_run(const struct gr_salvage_config *config,
    struct gr_datadir *datadir, struct gr_salvage_done *ret, char *ret_why, size_t why_size);
// The last one that was done, if the old store is still there.
bool gr_salvage_last(const struct gr_datadir *datadir, struct gr_salvage_done *ret);

#endif
