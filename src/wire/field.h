// The parts that frames, rows and tokens are made of: actors, dots, contexts, records, keys.
//
// One codec for all three, so that a context is validated in one place. An actor is 16 bytes when
// it is first met and a small number afterwards: within one frame, row or token the n-th new actor
// is number n-1, and the number equal to how many there are so far means that a new one follows.
#ifndef GR_WIRE_FIELD_H
#define GR_WIRE_FIELD_H

#include "base/arena.h"
#include "base/bytes.h"
#include "core/record.h"
#include "core/ring.h"

#define GR_COUNTER_MAX ((uint64_t)INT64_MAX)

// ---- writing -------------------------------------------------------------------------------

struct gr_field_out {
    struct gr_writer *writer;
    struct gr_actor *actor; // met so far, in order
    uint32_t *place;        // open addressing: number + 1 of an actor, 0 = free; twice the capacity
    uint32_t actor_count, actor_capacity;
    uint32_t items_left; // see gr_field_spend
};

// At most items_max actors, dots, siblings and whatever the caller spends may be written: one more
// turns the writer bad.
void gr_field_out_init(struct gr_field_out *out, struct gr_writer *writer, uint32_t items_max);
void gr_field_out_deinit(struct gr_field_out *out);
// Takes `count` from what may be written.
void gr_field_spend(struct gr_field_out *out, uint32_t count);
void gr_field_write_dot(struct gr_field_out *out, const struct gr_dot *dot);
void gr_field_write_context(struct gr_field_out *out, const struct gr_context *context);
// Rows by actor: base, and intervals as distances, as on disk.
void gr_field_write_clock(struct gr_field_out *out, const struct gr_clock *clock);
void gr_field_write_origin(struct gr_field_out *out, const struct gr_origin *origin);
void gr_field_write_key(struct gr_field_out *out, const struct gr_key *key);
// With `bare` no value is written, whatever the siblings have.
void gr_field_write_record(struct gr_field_out *out, const struct gr_record *record, bool bare);

// ---- reading: everything is checked; what is not as it should be turns the reader bad ---------

struct gr_field_in {
    struct gr_reader reader;
    struct gr_arena *arena;
    struct gr_actor *actor;
    uint32_t actor_count, actor_capacity;
    uint32_t items_left;
};

// `bytes` must not be empty.
void gr_field_in_init(
    struct gr_field_in *in, struct gr_bytes bytes, struct gr_arena *arena, uint32_t items_max);
// A count of things that take at least bytes_min bytes each: bad when there are not so many bytes
// left, or not so many items. Looked at before memory is taken.
uint32_t gr_field_read_count(struct gr_field_in *in, size_t bytes_min);
// A varint of at most `max`.
uint64_t gr_field_read_varint(struct gr_field_in *in, uint64_t max);
// A byte of at most `max`.
uint8_t gr_field_read_u8(struct gr_field_in *in, uint8_t max);
// Counter from 1 to GR_COUNTER_MAX.
struct gr_dot gr_field_read_dot(struct gr_field_in *in);
// In normal form, whatever form came in.
struct gr_context gr_field_read_context(struct gr_field_in *in);
// Actors sorted and unique, every row with a base or an interval, intervals sorted, disjoint and
// not touching. In the arena: for looking and copying, never to be changed or freed.
struct gr_clock gr_field_read_clock(struct gr_field_in *in);
struct gr_origin gr_field_read_origin(struct gr_field_in *in);
// Bucket and key not empty and within their limits; slot and hash computed.
struct gr_key gr_field_read_key(struct gr_field_in *in);

enum gr_field_values {
    GR_FIELD_VALUES_ANY,  // each sibling may be bare or not
    GR_FIELD_VALUES_ALL,  // none may be bare
    GR_FIELD_VALUES_NONE, // all must be bare
    GR_FIELD_VALUES_SKIP, // none may be bare; all are made so
};
// Siblings sorted by dot, none twice. Values are borrowed from the input.
struct gr_record gr_field_read_record(struct gr_field_in *in, enum gr_field_values values);

#endif
