// What a new store keeps of the rows of a damaged one (DESIGN.md §4, D8 and D9).
//
// The store of a newcomer has an empty clock, so a record that is fed into it cannot rely on a
// clock for what it has seen: it says so itself. Whoever calls this reads the rows of the old
// store, in whatever order it can get at them, each at most once, and writes what comes out to the
// new one.
#ifndef GR_WIRE_SALVAGE_H
#define GR_WIRE_SALVAGE_H

#include "wire/disk.h"

struct gr_salvage {
    uint32_t partitions; // of the ring
    struct gr_salvage_partition {
        int64_t count;        // keys with siblings
        struct gr_sum sum;    // of leaf hashes
        struct gr_clock owed; // what the old clock had seen, as far as it can be read, and more
    } * partition;
    uint64_t records, hints; // rows kept
    uint64_t unsound;        // rows of records and hints that are not what was written
};

void gr_salvage_init(struct gr_salvage *salvage, uint32_t partitions);
void gr_salvage_deinit(struct gr_salvage *salvage);

// What becomes of one row. A record: the same with its left-over context joined with its siblings'
// own dots, its index rows, and the partition's row so far. A clock row, or what was owed already:
// what the partition owes so far (core/damage.c). A hint: itself. Everything else: nothing,
// because it is made anew. What goes to the sink belongs into one batch. Returns false,
// with nothing given to the sink, for a record or hint that cannot be read.
bool gr_salvage_row(struct gr_salvage *salvage, struct gr_bytes row_key, struct gr_bytes value,
    const struct gr_disk_sink *sink);

// After the last row: every partition owes, those too of which no row could be read.
void gr_salvage_end(const struct gr_salvage *salvage, const struct gr_disk_sink *sink);

#endif
