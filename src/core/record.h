// Records: the siblings of one key and what they have replaced (§4.4), and the views taken of them.
#ifndef GR_CORE_RECORD_H
#define GR_CORE_RECORD_H

#include "core/clock.h"

// Hybrid logical time: milliseconds since 1970 in the high 48 bits, a counter in the low 16.
typedef uint64_t gr_hybrid;

static inline gr_hybrid gr_hybrid_from(struct gr_wall wall)
{
    return (gr_hybrid)wall.ms << 16;
}

static inline int64_t gr_hybrid_ms(gr_hybrid hybrid)
{
    return (int64_t)(hybrid >> 16);
}

// Names one client request: a random number of the node's run, and a count in that run.
struct gr_request_id {
    uint64_t run, number;
};

// The put that made a value. Siblings of one origin are one value.
struct gr_origin {
    gr_hybrid time;
    struct gr_request_id id;
};

int gr_origin_compare(const struct gr_origin *a, const struct gr_origin *b);

struct gr_sibling {
    struct gr_dot dot;
    struct gr_origin origin;
    gr_hybrid touch;        // of the last EXPIRE or PERSIST; 0 = the put itself
    struct gr_wall expires; // 0 = never
    bool bare;              // the value was not asked for: only the dot and the rest are here
    struct gr_bytes value;  // borrowed
};

// One key's state. Stored, `context` is what the partition clock's base does not cover; filled, it
// is everything that the siblings have replaced, and their own dots. Siblings are sorted by dot.
// No sibling and an empty context: there is no such key. Arrays and values are borrowed.
struct gr_record {
    const struct gr_sibling *sibling;
    uint32_t count;
    struct gr_context context;
};

#define GR_RECORD_NOTHING ((struct gr_record){0})

enum {
    GR_BUCKET_BYTES_MAX = 255,
    GR_KEY_BYTES_MAX = 4096,
    GR_VALUE_BYTES_MAX = 8 << 20,
    GR_SIBLINGS_MAX = 100,            // refused to client puts; merges never truncate
    GR_SIBLINGS_BYTES_MAX = 32 << 20, // of all values of a key, likewise
    GR_CONTEXT_BYTES_MAX = 64 << 10,
};

bool gr_record_empty(const struct gr_record *record);
// Bytes of all values.
size_t gr_record_value_bytes(const struct gr_record *record);
// Some sibling of `other` is not in `record`; every sibling has its value.
bool gr_record_lacks(const struct gr_record *record, const struct gr_record *other);
bool gr_record_complete(const struct gr_record *record);

// Joins two filled states: associative, commutative, idempotent. A sibling stays if both have it,
// or if the other's context does not cover it. Result in `arena`; values are borrowed from a and b.
struct gr_record gr_record_merge(
    struct gr_arena *arena, const struct gr_record *a, const struct gr_record *b);
// A stored record as its replica answers it: with the clock's base joined to its context. The clock
// must be the clock of the very state that the record was read from.
struct gr_record gr_record_fill(
    struct gr_arena *arena, const struct gr_record *stored, const struct gr_clock *clock);
// What is stored of a filled record: its context less what the clock's base covers.
struct gr_record gr_record_strip(
    struct gr_arena *arena, const struct gr_record *filled, const struct gr_clock *clock);
// A deep copy that shares nothing with `record`; with `bare`, values are left out.
struct gr_record gr_record_copy(struct gr_arena *arena, const struct gr_record *record, bool bare);
// The same, but values stay borrowed from `record`.
struct gr_record gr_record_borrow(struct gr_arena *arena, const struct gr_record *record);
const struct gr_sibling *gr_record_find(const struct gr_record *record, const struct gr_dot *dot);
// Same dots in the same order and equal contexts.
bool gr_record_equal(const struct gr_record *a, const struct gr_record *b);

// ---- views: taken at the coordinator, they remove nothing ------------------------------------

bool gr_sibling_due(const struct gr_sibling *sibling, struct gr_wall now);
// The sibling that the plain face shows: the largest origin, and of that origin the latest touch;
// NULL if there is none. Chosen before expiry is looked at: a due winner hides the key.
const struct gr_sibling *gr_record_winner(const struct gr_record *record);
// The distinct values that are not due, one sibling per origin (its latest touch), in order of
// origin; writes up to record->count pointers to ret and returns how many.
uint32_t gr_record_values(
    const struct gr_record *record, struct gr_wall now, const struct gr_sibling **ret);
// The largest origin time or touch among the siblings, 0 if none: what a new write must exceed.
gr_hybrid gr_record_time_max(const struct gr_record *record);
// The record less its due siblings that may go now: a due one stays while one of an older origin
// that is not due stands beside it, because the older one would come back into sight.
struct gr_record gr_record_drop_due(
    struct gr_arena *arena, const struct gr_record *record, struct gr_wall now);

#endif
