// Walks over the store's rows for a node: pages, indexes, and what it is fed at the start.
#ifndef GR_SHELL_SCAN_H
#define GR_SHELL_SCAN_H

#include "core/node.h"
#include "store/store.h"

// One SCAN effect and its answer.
struct gr_scan_page {
    enum gr_scan_kind kind;
    uint32_t partition, limit;
    bool lenient; // RECORDS: rows that are not what was written are shown as unreadable
    gr_cursor cursor, cursor_end; // RECORDS: cursor_end 0 means the partition's
    struct gr_wall wall;
    uint64_t number;   // of the node's last write that the snapshot contains; the caller's
    uint64_t owner;    // HINTS
    struct gr_key key; // HINTS: only of this one, unless it is empty; in the arena
    // The answer, in the arena.
    struct gr_context context; // RECORDS: the bases of the snapshot's clock rows
    struct gr_entry *entry;
    uint32_t entry_count;
    gr_cursor end; // RECORDS, HINTS: everything below it was shown
    struct gr_hint *hint;
    uint32_t hint_count;
    bool engine_corrupt; // on failure: the engine said so, not the sum of a row
};

// Answers the page from the snapshot; may wait for the disk, from any thread. On failure
// (GR_ERR_CORRUPT, GR_ERR_IO) the page has no entries.
GR_MUST_USE enum gr_err gr_scan_run(struct gr_store *store, struct gr_store_snapshot *snapshot,
    uint32_t partitions, struct gr_arena *arena, struct gr_scan_page *page);

// Feeds what the store holds to a node that was not stepped yet: clock rows, counts, left-over
// rows, hints. On failure ret_why holds one sentence.
GR_MUST_USE enum gr_err gr_scan_load(struct gr_store *store, uint32_t partitions,
    struct gr_node *node, char *ret_why, size_t why_size);

#endif
