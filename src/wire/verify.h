// Is a store what its node wrote? Fed with every row, in the order of keys, it says what is not.
//
// Pure: rows come in, findings go out, and where one row speaks of another the host is asked for
// it. `gramme verify` feeds it from a stopped node's store, the simulator from the disks of its
// nodes.
#ifndef GR_WIRE_VERIFY_H
#define GR_WIRE_VERIFY_H

#include "wire/disk.h"

// symbol, name (stable, for programs), what is wrong, what follows from it and what to do
#define GR_VERIFY_FINDINGS(X)                                                                      \
    X(ENGINE, "unreadable-range", "the storage engine cannot read these rows",                     \
        "start the node: it makes a new store of what can be read, and the others bring the rest") \
    X(STRANGE, "strange-row", "a row of a kind that this program does not know",                   \
        "it is ignored; a newer program may have written it")                                      \
    X(RECORD, "record", "a record is not what was written",                                        \
        "this replica does not answer for the key, the others do")                                 \
    X(CLOCK, "clock", "a clock row is not what was written",                                       \
        "start the node: it makes a new store of the records, and the others bring the rest")      \
    X(PARTITION, "partition", "a partition's row is not what was written",                         \
        "start the node: it makes a new store of the records, and the others bring the rest")      \
    X(META, "meta", "a row of the node itself is not what was written",                            \
        "start the node: it makes a new store of the records, and the others bring the rest")      \
    X(HINT, "hint", "a hint is not what was written",                                              \
        "what was kept there for another node reaches it from the other replicas")                 \
    X(INDEX, "index", "an index row cannot be read",                                               \
        "start the node: it makes a new store of the records, and the others bring the rest")      \
    X(KEYS, "count", "the partition has not as many keys as were counted",                         \
        "a record was lost: the node leaves the partition out of anti-entropy as soon as it has "  \
        "read it, so that the others do not lose it too")                                          \
    X(SUM, "sum", "the records of the partition do not add up to what was written",                \
        "a record was lost or changed: the node leaves the partition out of anti-entropy as soon " \
        "as it has read it, so that the others do not lose it too")                                \
    X(UNSEEN, "clock-lacks", "a write is here, and neither clock nor context has seen it",         \
        "clock rows were lost: make an empty file SALVAGE in the data directory and start the "    \
        "node, it makes a new store of the records, and the others bring the rest")                \
    X(DUE_MISSING, "expiry-missing", "a value that expires is not in the expiry index",            \
        "it is hidden when its time has come, but stays on the disk until the key is written")     \
    X(DUE_EXTRA, "expiry-extra", "the expiry index names a value that is not there",               \
        "it costs a look when its time has come; if the record was lost, count and sum say so")    \
    X(LEFTOVER_MISSING, "context-missing", "a record with context is not in its index",            \
        "the context stays until the key is written")                                              \
    X(LEFTOVER_EXTRA, "context-extra", "the index of contexts names a record that has none",       \
        "it costs a look; if the record was lost, count and sum say so")

enum gr_verify_kind {
#define X(symbol, name, what, then) GR_VERIFY_##symbol,
    GR_VERIFY_FINDINGS(X)
#undef X
        GR_VERIFY_COUNT
};

struct gr_verify_text {
    const char *name, *what, *then;
};
const struct gr_verify_text *gr_verify_text(enum gr_verify_kind kind);

enum { GR_VERIFY_NOWHERE = UINT32_MAX };

// Borrowed until the callback returns.
struct gr_verify_finding {
    enum gr_verify_kind kind;
    uint32_t partition;      // or GR_VERIFY_NOWHERE
    struct gr_key key;       // of the record; empty when none is named
    struct gr_bytes row_key; // of the row at fault; ENGINE: what was read last, or nothing
    struct gr_bytes row_end; // ENGINE: where reading goes on, or nothing
};

struct gr_verify_host {
    // GR_OK and the value of a row of the same snapshot, in the arena; GR_ERR_NOT_FOUND; or
    // GR_ERR_CORRUPT: nothing is said about it then.
    enum gr_err (*get)(
        void *host, struct gr_bytes row_key, struct gr_arena *arena, struct gr_bytes *ret_value);
    void (*found)(void *host, const struct gr_verify_finding *finding);
    void *host;
};

// Rows looked at, and findings.
struct gr_verify_summary {
    uint64_t records, keys; // rows of records, and those among them that have a value
    uint64_t clocks, partitions, hints, due, leftover, meta;
    uint64_t bytes; // of keys and values
    uint64_t findings;
};

struct gr_verify;

// `partitions` is the ring's Q. *host is copied. Never NULL.
struct gr_verify *gr_verify_new(uint32_t partitions, const struct gr_verify_host *host);
// Rows of the whole store, in rising order of keys.
void gr_verify_row(struct gr_verify *verify, struct gr_bytes row_key, struct gr_bytes value);
// The rows after `last` (nothing: from the beginning) and before `next` (nothing: to the end) could
// not be read. Counts and sums of the partitions concerned are not looked at.
void gr_verify_gap(struct gr_verify *verify, struct gr_bytes last, struct gr_bytes next);
// Compares counts and sums; the rows are all there. Frees.
struct gr_verify_summary gr_verify_end(struct gr_verify *verify);

#endif
