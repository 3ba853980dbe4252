// The store's rows: what a node's changes look like on disk (docs/PROTOCOL.md, "Disk format").
//
// Knows bytes, not stores: changes go out through a sink, rows come in as key and value. Every key
// sorts by memcmp; every key and range returned here lives in the caller's arena. Records stand in
// the order of their slots, so the number of partitions can double without moving one; rows that
// belong to a partition carry its number.
#ifndef GR_WIRE_DISK_H
#define GR_WIRE_DISK_H

#include "base/arena.h"
#include "base/error.h"
#include "core/node.h"

enum {
    GR_DISK_FORMAT = 1, // first byte of every value
    GR_DISK_KEY_BYTES_MAX = 1 + 8 + 2 + 8 + 1 + GR_BUCKET_BYTES_MAX + GR_KEY_BYTES_MAX + 24,
};

// The first byte of a row's key.
enum gr_disk_kind {
    GR_DISK_RECORD = 'r',    // slot, hash, bucket, key -> siblings and context
    GR_DISK_CLOCK = 'c',     // partition, actor -> base and intervals
    GR_DISK_PARTITION = 'h', // partition -> keys with siblings, sum of leaf hashes, last dot
    GR_DISK_DUE = 'x',       // minute, slot, hash, bucket, key -> nothing
    GR_DISK_LEFTOVER = 'o',  // partition, slot, hash, bucket, key -> nothing
    GR_DISK_OWED = 'd',      // partition -> the clock that it owes since it was damaged
    GR_DISK_HINT = 'i',      // owner, slot, hash, bucket, key, dot, stood in -> since, the delta
    GR_DISK_HOLDS = 'w',     // (one row) -> of each partition: is it held, is it being dropped
    GR_DISK_META = 'm',      // a name -> whatever the shell keeps there
};

// ---- writing -------------------------------------------------------------------------------

// Where changes go: all those of one gr_disk_write belong into one atomic batch, in this order.
// Key and value are borrowed until the callback returns.
struct gr_disk_sink {
    void (*put)(void *host, struct gr_bytes key, struct gr_bytes value);
    void (*remove)(void *host, struct gr_bytes key);
    void *host;
};

// The rows of one write. `self` is the actor of this run, whose counter w->counter is. A record
// that is NULL or empty becomes a removal; with an empty w->key (a write of clocks alone) no row of
// a key is touched. Due rows are removed before others are added, so a minute may be in both lists.
// No sibling may be bare. The partition's row is written with every record, because the sum changes
// with each; a write of clocks alone leaves it as it is. A clock row that says nothing goes.
void gr_disk_write(
    const struct gr_store_write *w, struct gr_actor self, const struct gr_disk_sink *sink);

// ---- keys and ranges -----------------------------------------------------------------------

struct gr_bytes gr_disk_record_key(struct gr_arena *arena, const struct gr_key *key);
struct gr_bytes gr_disk_clock_key(
    struct gr_arena *arena, uint32_t partition, struct gr_actor actor);
struct gr_bytes gr_disk_partition_key(struct gr_arena *arena, uint32_t partition);
struct gr_bytes gr_disk_meta_key(struct gr_arena *arena, const char *name);
// The row of the expiry index for a sibling of `key` that expires then.
struct gr_bytes gr_disk_due_key(
    struct gr_arena *arena, struct gr_wall expires, const struct gr_key *key);
struct gr_bytes gr_disk_leftover_key(
    struct gr_arena *arena, uint32_t partition, const struct gr_key *key);

// All keys k with from <= k < to.
struct gr_disk_range {
    struct gr_bytes from, to;
};

// All rows of a kind: every record, every clock row ...
struct gr_disk_range gr_disk_range_kind(struct gr_arena *arena, enum gr_disk_kind kind);
// The records of one of `partitions` (the ring's Q) partitions, from a cursor on: 0, or any cursor
// at or before the partition's first slot, means all of it; one behind its end gives an empty
// range.
struct gr_disk_range gr_disk_range_records(
    struct gr_arena *arena, uint32_t partitions, uint32_t partition, gr_cursor cursor);
// The records of the cursors from..to-1, across partitions.
struct gr_disk_range gr_disk_range_cursors(struct gr_arena *arena, gr_cursor from, gr_cursor to);
struct gr_disk_range gr_disk_range_clock(struct gr_arena *arena, uint32_t partition);
struct gr_disk_range gr_disk_range_leftover(struct gr_arena *arena, uint32_t partition);
// The hints owed to a member, from a cursor on: 0 means all of them.
struct gr_disk_range gr_disk_range_hints(struct gr_arena *arena, uint64_t owner, gr_cursor cursor);
// The due rows of every minute that is over at `wall`: all that they name is due then.
struct gr_disk_range gr_disk_range_due(struct gr_arena *arena, struct gr_wall wall);

// ---- reading -------------------------------------------------------------------------------
//
// Each returns GR_OK, or GR_ERR_CORRUPT when the row is not one that gr_disk_write could have
// written under that key; results are untouched then. Never a part of a row. A row of a later
// format is corrupt too: the store's own format is a meta row, to be looked at before any other is
// read.

// True if the row's format is known and its sum covers it: what can be said of a row with a value
// without knowing what it holds.
bool gr_disk_is_sound(struct gr_bytes row_key, struct gr_bytes value);
// A record, as stored. Values are borrowed from `value`, arrays are in `arena`; with `bare` the
// values are left out (the row is still checked whole). row_key may be borrowed from anywhere.
GR_MUST_USE enum gr_err gr_disk_read_record(struct gr_bytes row_key, struct gr_bytes value,
    bool bare, struct gr_arena *arena, struct gr_record *ret);
// The key of a record's row; bucket and key are borrowed from row_key.
GR_MUST_USE enum gr_err gr_disk_read_record_key(struct gr_bytes row_key, struct gr_key *ret);
// A clock row; intervals are in `arena`. Feed it to gr_node_load_clock as 1..base (if base > 0) and
// its intervals.
GR_MUST_USE enum gr_err gr_disk_read_clock(struct gr_bytes row_key, struct gr_bytes value,
    struct gr_arena *arena, uint32_t *ret_partition, struct gr_clock_row *ret_row);
// What a partition's records are when counted and added up (D5), and the last dot that a run of
// this store drew there: counter 0 means that the run that wrote the row last had drawn none.
struct gr_disk_partition {
    int64_t count;
    struct gr_sum sum;
    struct gr_dot last;
};
GR_MUST_USE enum gr_err gr_disk_read_partition(struct gr_bytes row_key, struct gr_bytes value,
    uint32_t *ret_partition, struct gr_disk_partition *ret);
// *ret_minute: the instant, a whole minute, at which the key's sibling is surely due.
GR_MUST_USE enum gr_err gr_disk_read_due(
    struct gr_bytes row_key, struct gr_wall *ret_minute, struct gr_key *ret_key);
GR_MUST_USE enum gr_err gr_disk_read_leftover(
    struct gr_bytes row_key, uint32_t *ret_partition, struct gr_key *ret_key);
// Bucket, key and value are borrowed; arrays are in `arena`.
GR_MUST_USE enum gr_err gr_disk_read_hint(
    struct gr_bytes row_key, struct gr_bytes value, struct gr_arena *arena, struct gr_hint *ret);

GR_MUST_USE enum gr_err gr_disk_read_holds(
    struct gr_bytes row_key, struct gr_bytes value, struct gr_arena *arena, struct gr_holds *ret);
// The clock's rows are in `arena`.
GR_MUST_USE enum gr_err gr_disk_read_owed(struct gr_bytes row_key, struct gr_bytes value,
    struct gr_arena *arena, uint32_t *ret_partition, struct gr_clock *ret_owed);

#endif
