// The parts that frames, rows and tokens are made of; see field.h for the one idea (actors by
// number) and docs/PROTOCOL.md, "Fields", for the bytes.
//
//   I1  A writer and a reader that are given the same fields in the same order number actors alike.
//   I2  Memory taken while reading is bounded by items_max and by the bytes of the input: a count
//       is believed only after gr_field_read_count has compared it with both.
//   I3  What is returned is valid or empty: a bad reader gives empty results, and the caller looks
//       once, at the end.
//
// Owns: gr_field_out owns its actor table (gr_hook_memory); everything read is in the arena or
// borrowed from the input.
#include "wire/field.h"

#include <string.h>

enum {
    DOT_BYTES_MIN = 2,                                    // a number, a counter
    ROW_BYTES_MIN = 3,                                    // a number, a base, a count
    INTERVAL_BYTES_MIN = 2,                               // two distances
    ORIGIN_BYTES = 17,                                    // time, run, number
    SIBLING_BYTES_MIN = DOT_BYTES_MIN + ORIGIN_BYTES + 3, // touch, expires, value
    ACTORS_FIRST = 16,
};

// ---- writing -------------------------------------------------------------------------------

void gr_field_out_init(struct gr_field_out *out, struct gr_writer *writer, uint32_t items_max)
{
    *out = (struct gr_field_out){.writer = writer, .items_left = items_max};
}

void gr_field_out_deinit(struct gr_field_out *out)
{
    gr_hook_memory(out->actor, 0);
    gr_hook_memory(out->place, 0);
    *out = (struct gr_field_out){0};
}

void gr_field_spend(struct gr_field_out *out, uint32_t count)
{
    if (count > out->items_left) {
        out->items_left = 0;
        out->writer->bad = true;
        return;
    }
    out->items_left -= count;
}

// The place of that actor, or the free place where it belongs. There always is one: the table has
// twice as many places as actors.
static uint32_t *find_place(const struct gr_field_out *out, struct gr_actor actor)
{
    uint32_t mask = 2 * out->actor_capacity - 1;
    uint64_t hash = (actor.store ^ actor.run * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
    for (uint32_t i = (uint32_t)(hash >> 32);; i++) {
        uint32_t *place = &out->place[i & mask];
        if (*place == 0 || gr_actor_compare(out->actor[*place - 1], actor) == 0)
            return place;
    }
}

static void grow(struct gr_field_out *out)
{
    out->actor_capacity = GR_MAX(2 * out->actor_capacity, ACTORS_FIRST);
    out->actor = gr_hook_memory(out->actor, out->actor_capacity * sizeof *out->actor);
    size_t bytes = 2 * (size_t)out->actor_capacity * sizeof *out->place;
    out->place = gr_hook_memory(out->place, bytes);
    memset(out->place, 0, bytes);
    for (uint32_t i = 0; i < out->actor_count; i++)
        *find_place(out, out->actor[i]) = i + 1;
}

static void write_actor(struct gr_field_out *out, struct gr_actor actor)
{
    if (out->writer->bad) // over its maximum already: do not let the table grow for nothing
        return;
    if (out->actor_count == out->actor_capacity)
        grow(out);
    uint32_t *place = find_place(out, actor);
    if (*place != 0) {
        gr_write_varint(out->writer, *place - 1);
        return;
    }
    gr_field_spend(out, 1);
    gr_write_varint(out->writer, out->actor_count);
    gr_write_u64(out->writer, actor.store);
    gr_write_u64(out->writer, actor.run);
    out->actor[out->actor_count] = actor;
    *place = ++out->actor_count;
}

static void write_dot(struct gr_field_out *out, const struct gr_dot *dot)
{
    gr_assert(dot->counter > 0 && dot->counter <= GR_COUNTER_MAX);
    write_actor(out, dot->actor);
    gr_write_varint(out->writer, dot->counter);
}

void gr_field_write_dot(struct gr_field_out *out, const struct gr_dot *dot)
{
    gr_field_spend(out, 1);
    write_dot(out, dot);
}

static void write_dots(struct gr_field_out *out, const struct gr_dot *dot, uint32_t count)
{
    gr_field_spend(out, count);
    gr_write_varint(out->writer, count);
    for (uint32_t i = 0; i < count && !out->writer->bad; i++)
        write_dot(out, &dot[i]);
}

void gr_field_write_context(struct gr_field_out *out, const struct gr_context *context)
{
    write_dots(out, context->vv, context->vv_count);
    write_dots(out, context->cloud, context->cloud_count);
}

void gr_field_write_clock(struct gr_field_out *out, const struct gr_clock *clock)
{
    gr_field_spend(out, clock->count);
    gr_write_varint(out->writer, clock->count);
    for (uint32_t i = 0; i < clock->count && !out->writer->bad; i++) {
        const struct gr_clock_row *row = &clock->row[i];
        write_actor(out, row->actor);
        gr_write_varint(out->writer, row->base);
        gr_field_spend(out, row->interval_count);
        gr_write_varint(out->writer, row->interval_count);
        uint64_t last = row->base;
        for (uint32_t k = 0; k < row->interval_count && !out->writer->bad; k++) {
            gr_write_varint(out->writer, row->interval[k].first - last);
            gr_write_varint(out->writer, row->interval[k].last - row->interval[k].first);
            last = row->interval[k].last;
        }
        gr_assert(last > 0 && last <= GR_COUNTER_MAX);
    }
}

void gr_field_write_origin(struct gr_field_out *out, const struct gr_origin *origin)
{
    gr_write_u64(out->writer, origin->time);
    gr_write_u64(out->writer, origin->id.run);
    gr_write_varint(out->writer, origin->id.number);
}

void gr_field_write_key(struct gr_field_out *out, const struct gr_key *key)
{
    gr_assert(key->bucket.size > 0 && key->bucket.size <= GR_BUCKET_BYTES_MAX);
    gr_assert(key->key.size > 0 && key->key.size <= GR_KEY_BYTES_MAX);
    gr_write_block(out->writer, key->bucket);
    gr_write_block(out->writer, key->key);
}

void gr_field_write_record(struct gr_field_out *out, const struct gr_record *record, bool bare)
{
    gr_field_spend(out, record->count);
    gr_write_varint(out->writer, record->count);
    for (uint32_t i = 0; i < record->count && !out->writer->bad; i++) {
        const struct gr_sibling *sibling = &record->sibling[i];
        write_dot(out, &sibling->dot);
        gr_field_write_origin(out, &sibling->origin);
        gr_write_varint(out->writer, sibling->touch);
        gr_write_varint(out->writer, (uint64_t)sibling->expires.ms);
        // 0 says "bare"; a value of n bytes says n + 1.
        if (bare || sibling->bare) {
            gr_write_varint(out->writer, 0);
        } else {
            gr_assert(sibling->value.size <= GR_VALUE_BYTES_MAX);
            gr_write_varint(out->writer, sibling->value.size + 1);
            gr_write_bytes(out->writer, sibling->value);
        }
    }
    gr_field_write_context(out, &record->context);
}

// ---- reading -------------------------------------------------------------------------------

void gr_field_in_init(
    struct gr_field_in *in, struct gr_bytes bytes, struct gr_arena *arena, uint32_t items_max)
{
    gr_assert(bytes.size > 0);
    *in = (struct gr_field_in){
        .reader = gr_reader_of(bytes),
        .arena = arena,
        .items_left = items_max,
    };
}

static bool spend(struct gr_field_in *in, uint64_t count)
{
    if (in->reader.bad || count > in->items_left) {
        gr_reader_fail(&in->reader);
        return false;
    }
    in->items_left -= (uint32_t)count;
    return true;
}

uint32_t gr_field_read_count(struct gr_field_in *in, size_t bytes_min)
{
    uint64_t count = gr_field_read_varint(in, gr_reader_left(&in->reader) / bytes_min);
    return spend(in, count) ? (uint32_t)count : 0;
}

uint64_t gr_field_read_varint(struct gr_field_in *in, uint64_t max)
{
    uint64_t value = gr_read_varint(&in->reader);
    if (value > max)
        gr_reader_fail(&in->reader);
    return in->reader.bad ? 0 : value;
}

uint8_t gr_field_read_u8(struct gr_field_in *in, uint8_t max)
{
    uint8_t value = gr_read_u8(&in->reader);
    if (value > max)
        gr_reader_fail(&in->reader);
    return in->reader.bad ? 0 : value;
}

static struct gr_actor read_actor(struct gr_field_in *in)
{
    uint64_t number = gr_field_read_varint(in, in->actor_count);
    if (in->reader.bad)
        return (struct gr_actor){0};
    if (number < in->actor_count)
        return in->actor[number];
    struct gr_actor actor = {
        .store = gr_read_u64(&in->reader),
        .run = gr_read_u64(&in->reader),
    };
    if (!spend(in, 1))
        return (struct gr_actor){0};
    if (in->actor_count == in->actor_capacity) {
        in->actor_capacity = GR_MAX(2 * in->actor_capacity, ACTORS_FIRST);
        struct gr_actor *more = gr_arena_array(in->arena, struct gr_actor, in->actor_capacity);
        if (in->actor_count > 0)
            memcpy(more, in->actor, in->actor_count * sizeof *more);
        in->actor = more;
    }
    in->actor[in->actor_count++] = actor;
    return actor;
}

static struct gr_dot read_dot(struct gr_field_in *in)
{
    struct gr_actor actor = read_actor(in);
    uint64_t counter = gr_field_read_varint(in, GR_COUNTER_MAX);
    if (counter == 0) {
        gr_reader_fail(&in->reader);
        return (struct gr_dot){0};
    }
    return (struct gr_dot){actor, counter};
}

struct gr_dot gr_field_read_dot(struct gr_field_in *in)
{
    return spend(in, 1) ? read_dot(in) : (struct gr_dot){0};
}

static const struct gr_dot *read_dots(struct gr_field_in *in, uint32_t *ret_count)
{
    uint32_t count = gr_field_read_count(in, DOT_BYTES_MIN);
    struct gr_dot *dot = count > 0 ? gr_arena_array(in->arena, struct gr_dot, count) : NULL;
    for (uint32_t i = 0; i < count && !in->reader.bad; i++)
        dot[i] = read_dot(in);
    *ret_count = count;
    return dot;
}

struct gr_context gr_field_read_context(struct gr_field_in *in)
{
    uint32_t vv_count, cloud_count;
    const struct gr_dot *vv = read_dots(in, &vv_count);
    const struct gr_dot *cloud = read_dots(in, &cloud_count);
    if (in->reader.bad)
        return GR_CONTEXT_NOTHING;
    return gr_context_make(in->arena, vv, vv_count, cloud, cloud_count);
}

// The distance from `last` to what follows: bad when that passes the largest counter.
static uint64_t read_step(struct gr_field_in *in, uint64_t last, uint64_t min)
{
    uint64_t step = gr_field_read_varint(in, GR_COUNTER_MAX - last);
    if (step < min)
        gr_reader_fail(&in->reader);
    return last + step;
}

static struct gr_clock_row read_row(struct gr_field_in *in)
{
    struct gr_clock_row row = {.actor = read_actor(in)};
    uint64_t last = row.base = gr_field_read_varint(in, GR_COUNTER_MAX);
    row.interval_count = row.interval_capacity = gr_field_read_count(in, INTERVAL_BYTES_MIN);
    if (row.interval_count > 0)
        row.interval = gr_arena_array(in->arena, struct gr_interval, row.interval_count);
    for (uint32_t i = 0; i < row.interval_count && !in->reader.bad; i++) {
        row.interval[i].first = read_step(in, last, 2); // 1 would touch what went before
        row.interval[i].last = last = read_step(in, row.interval[i].first, 0);
    }
    if (last == 0)
        gr_reader_fail(&in->reader);
    return row;
}

struct gr_clock gr_field_read_clock(struct gr_field_in *in)
{
    struct gr_clock clock = {.count = gr_field_read_count(in, ROW_BYTES_MIN)};
    clock.capacity = clock.count;
    if (clock.count > 0)
        clock.row = gr_arena_array(in->arena, struct gr_clock_row, clock.count);
    for (uint32_t i = 0; i < clock.count && !in->reader.bad; i++) {
        clock.row[i] = read_row(in);
        if (i > 0 && gr_actor_compare(clock.row[i - 1].actor, clock.row[i].actor) >= 0)
            gr_reader_fail(&in->reader);
    }
    return in->reader.bad ? (struct gr_clock){0} : clock;
}

struct gr_origin gr_field_read_origin(struct gr_field_in *in)
{
    struct gr_origin origin = {.time = gr_read_u64(&in->reader)};
    origin.id.run = gr_read_u64(&in->reader);
    origin.id.number = gr_read_varint(&in->reader);
    return origin;
}

struct gr_key gr_field_read_key(struct gr_field_in *in)
{
    struct gr_bytes bucket = gr_read_block(&in->reader, GR_BUCKET_BYTES_MAX);
    struct gr_bytes key = gr_read_block(&in->reader, GR_KEY_BYTES_MAX);
    if (bucket.size == 0 || key.size == 0)
        gr_reader_fail(&in->reader);
    return in->reader.bad ? (struct gr_key){0} : gr_key_make(bucket, key);
}

static struct gr_sibling read_sibling(struct gr_field_in *in, enum gr_field_values values)
{
    struct gr_sibling sibling = {.dot = read_dot(in)};
    sibling.origin = gr_field_read_origin(in);
    sibling.touch = gr_read_varint(&in->reader);
    sibling.expires.ms = (int64_t)gr_read_varint(&in->reader);
    uint64_t size = gr_field_read_varint(in, GR_VALUE_BYTES_MAX + 1);
    sibling.bare = size == 0;
    if (size > 0)
        sibling.value = gr_read_bytes(&in->reader, (size_t)size - 1);
    if (values == GR_FIELD_VALUES_NONE ? !sibling.bare
                                       : sibling.bare && values != GR_FIELD_VALUES_ANY)
        gr_reader_fail(&in->reader);
    if (values == GR_FIELD_VALUES_SKIP) {
        sibling.bare = true;
        sibling.value = gr_bytes(NULL, 0);
    }
    return sibling;
}

struct gr_record gr_field_read_record(struct gr_field_in *in, enum gr_field_values values)
{
    uint32_t count = gr_field_read_count(in, SIBLING_BYTES_MIN);
    struct gr_sibling *sibling =
        count > 0 ? gr_arena_array(in->arena, struct gr_sibling, count) : NULL;
    for (uint32_t i = 0; i < count && !in->reader.bad; i++) {
        sibling[i] = read_sibling(in, values);
        if (i > 0 && gr_dot_compare(&sibling[i - 1].dot, &sibling[i].dot) >= 0)
            gr_reader_fail(&in->reader);
    }
    struct gr_context context = gr_field_read_context(in);
    if (in->reader.bad)
        return GR_RECORD_NOTHING;
    return (struct gr_record){.sibling = sibling, .count = count, .context = context};
}
