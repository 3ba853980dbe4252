// Dots, contexts and partition clocks (§4.4, as dotted version vectors: Preguica et al. 2012; the
// node-wide clock: Goncalves et al., DottedDB, 2017). The lattice is stated, executable, in
// test/model/partition_clock.py; the names are the same.
//
// The one sentence to remember: a clock that claims a dot whose effect is not in the record deletes
// that value everywhere else.
#ifndef GR_CORE_CLOCK_H
#define GR_CORE_CLOCK_H

#include "base/arena.h"
#include "base/base.h"

// One run of one node's store. New at every start, so that no dot is ever issued twice.
struct gr_actor {
    uint64_t store; // the store's id
    uint64_t run;   // run number in the high 32 bits, random in the low 32
};

// Names one write: the counter-th of that actor in one partition. Counters start at 1.
struct gr_dot {
    struct gr_actor actor;
    uint64_t counter;
};

int gr_actor_compare(struct gr_actor a, struct gr_actor b);
// By actor, then counter.
int gr_dot_compare(const struct gr_dot *a, const struct gr_dot *b);
bool gr_dot_equal(const struct gr_dot *a, const struct gr_dot *b);

// ---- contexts ------------------------------------------------------------------------------

// What a record's history covers, exactly: `vv` covers every dot of this key of an actor up to a
// counter; `cloud` is single dots. Normal form, which every function here returns: both sorted, one
// vv entry per actor, no zero entry, no cloud dot that vv covers or continues, none twice.
// The arrays are borrowed and never changed; NULL when empty.
struct gr_context {
    const struct gr_dot *vv;
    const struct gr_dot *cloud;
    uint32_t vv_count, cloud_count;
};

#define GR_CONTEXT_NOTHING ((struct gr_context){0})

bool gr_context_empty(const struct gr_context *context);
bool gr_context_covers(const struct gr_context *context, const struct gr_dot *dot);
// Sorted and normalised copy of any dots. `vv` may name an actor more than once.
struct gr_context gr_context_make(struct gr_arena *arena, const struct gr_dot *vv,
    uint32_t vv_count, const struct gr_dot *cloud, uint32_t cloud_count);
struct gr_context gr_context_join(
    struct gr_arena *arena, const struct gr_context *a, const struct gr_context *b);
struct gr_context gr_context_copy(struct gr_arena *arena, const struct gr_context *context);
bool gr_context_equal(const struct gr_context *a, const struct gr_context *b);
// True if a covers every dot that b covers.
bool gr_context_includes(const struct gr_context *a, const struct gr_context *b);

// ---- partition clocks ----------------------------------------------------------------------

// The dots first..last, both included.
struct gr_interval {
    uint64_t first, last;
};

// What a replica has seen of one actor: 1..base without a gap, and intervals beyond it: sorted,
// disjoint, not touching each other or the base.
struct gr_clock_row {
    struct gr_actor actor;
    uint64_t base;
    struct gr_interval *interval;
    uint32_t interval_count, interval_capacity;
};

// What a replica has seen of one partition: here, or replaced by something that is here. Rows are
// sorted by actor. Owns its rows. A zeroed clock has seen nothing.
struct gr_clock {
    struct gr_clock_row *row;
    uint32_t count, capacity;
};

void gr_clock_deinit(struct gr_clock *clock);
bool gr_clock_has(const struct gr_clock *clock, const struct gr_dot *dot);
// Returns true if the dot was new.
bool gr_clock_add(struct gr_clock *clock, const struct gr_dot *dot);
// The row of that actor, or NULL.
const struct gr_clock_row *gr_clock_row(const struct gr_clock *clock, struct gr_actor actor);
// The highest run of that store of which it has seen a dot; 0 if none.
uint64_t gr_clock_last_run(const struct gr_clock *clock, uint64_t store);
// Adds first..last, as when a stored row is read back.
void gr_clock_add_interval(
    struct gr_clock *clock, struct gr_actor actor, struct gr_interval interval);
// Largest n such that 1..n of this actor were all seen; 0 if none.
uint64_t gr_clock_base(const struct gr_clock *clock, struct gr_actor actor);
// The bases of all actors as a context: what a record of this partition is filled with. Borrows
// nothing from the clock.
struct gr_context gr_clock_fill(struct gr_arena *arena, const struct gr_clock *clock);
// Adds all that `other` has seen. Only for complete exchanges: see DESIGN.md §4.
void gr_clock_join(struct gr_clock *clock, const struct gr_clock *other);
bool gr_clock_equal(const struct gr_clock *a, const struct gr_clock *b);
// True if a has seen every dot that b has seen.
bool gr_clock_includes(const struct gr_clock *a, const struct gr_clock *b);
// How many dots b has seen that a has not.
uint64_t gr_clock_lacks(const struct gr_clock *a, const struct gr_clock *b);
// A copy that owns its rows.
struct gr_clock gr_clock_copy(const struct gr_clock *clock);
// Equal clocks have equal hashes, on every node.
uint64_t gr_clock_hash(const struct gr_clock *clock);

// Rows of the same actors that say nothing, for a clock that begins anew; in `arena`. How many.
uint32_t gr_clock_blank(
    struct gr_arena *arena, const struct gr_clock *clock, const struct gr_clock_row *const **ret);

#endif
