// All rows of a store that may be damaged: those that can be read, and where the others would be.
#ifndef GR_SHELL_ROWS_H
#define GR_SHELL_ROWS_H

#include "store/store.h"

struct gr_rows_visitor {
    // In rising order of keys; borrowed until it returns. False: enough.
    bool (*row)(void *host, struct gr_bytes key, struct gr_bytes value);
    // Rows after `last` (nothing: from the beginning) and before `next` (nothing: to the end), if
    // there are any, cannot be read.
    void (*gap)(void *host, struct gr_bytes last, struct gr_bytes next);
    void *host;
};

// Visits every row of the snapshot. Where the engine reports damage it looks for the next place
// from which it can read. Returns GR_OK at the end, or when the visitor has had enough;
// GR_ERR_CORRUPT when there was no such place (the last gap says from where on); GR_ERR_IO at once.
GR_MUST_USE enum gr_err gr_rows_walk(struct gr_store *store, struct gr_store_snapshot *snapshot,
    const struct gr_rows_visitor *visitor);

#endif
