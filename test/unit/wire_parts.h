// Random parts of messages and rows for the tests of wire, and comparisons that look at every
// field.
#ifndef GR_TEST_UNIT_WIRE_PARTS_H
#define GR_TEST_UNIT_WIRE_PARTS_H

#include <string.h>

#include "base/arena.h"
#include "base/random.h"
#include "core/record.h"
#include "core/ring.h"

// Small numbers mostly, and every size of number sometimes.
static inline uint64_t some_u64(struct gr_random *random)
{
    if (gr_random_chance(random, 700))
        return gr_random_below(random, 10);
    return gr_random_next(random) >> gr_random_below(random, 64);
}

static inline uint64_t some_counter(struct gr_random *random)
{
    uint64_t counter = some_u64(random) & (uint64_t)INT64_MAX;
    return GR_MAX(counter, 1);
}

// Few actors, so that they repeat; sometimes many.
static inline struct gr_actor some_actor(struct gr_random *random)
{
    uint64_t kinds = gr_random_chance(random, 900) ? 4 : 200;
    return (struct gr_actor){
        .store = gr_random_below(random, kinds) * 0x0123456789abcdef,
        .run = gr_random_below(random, 2) << 63 | 7,
    };
}

static inline struct gr_dot some_dot(struct gr_random *random)
{
    struct gr_actor actor = some_actor(random);
    return (struct gr_dot){actor, some_counter(random)};
}

static inline struct gr_bytes some_bytes(
    struct gr_random *random, struct gr_arena *arena, size_t size_min, size_t size_max)
{
    size_t limit = gr_random_chance(random, 950) ? GR_MIN(size_max, size_min + 20) : size_max;
    size_t size = size_min + gr_random_below(random, limit - size_min + 1);
    uint8_t *data = gr_arena_take(arena, size);
    for (size_t i = 0; i < size; i++)
        data[i] = (uint8_t)gr_random_next(random);
    return gr_bytes(data, size);
}

static inline struct gr_key some_key(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_bytes bucket = some_bytes(random, arena, 1, GR_BUCKET_BYTES_MAX);
    return gr_key_make(bucket, some_bytes(random, arena, 1, GR_KEY_BYTES_MAX));
}

static inline struct gr_context some_context(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_dot dot[2][60];
    uint32_t count[2];
    for (int k = 0; k < 2; k++) {
        count[k] = (uint32_t)gr_random_below(random, gr_random_chance(random, 900) ? 5 : 61);
        for (uint32_t i = 0; i < count[k]; i++)
            dot[k][i] = some_dot(random);
    }
    return gr_context_make(arena, dot[0], count[0], dot[1], count[1]);
}

static inline struct gr_origin some_origin(struct gr_random *random)
{
    struct gr_origin origin = {.time = gr_random_next(random)};
    origin.id.run = gr_random_next(random);
    origin.id.number = some_u64(random);
    return origin;
}

enum some_values { SOME_ALL, SOME_BARE, SOME_ANY };

static inline struct gr_record some_record(
    struct gr_random *random, struct gr_arena *arena, enum some_values values)
{
    uint32_t limit = gr_random_chance(random, 950) ? 4 : 101, kept = 0;
    uint32_t count = (uint32_t)gr_random_below(random, limit);
    struct gr_sibling *sibling = gr_arena_array(arena, struct gr_sibling, count);
    for (uint32_t i = 0; i < count; i++) {
        struct gr_dot dot = some_dot(random);
        uint32_t at = kept;
        while (at > 0 && gr_dot_compare(&dot, &sibling[at - 1].dot) < 0)
            at--;
        if (at > 0 && gr_dot_equal(&dot, &sibling[at - 1].dot))
            continue;
        memmove(&sibling[at + 1], &sibling[at], (kept - at) * sizeof *sibling);
        sibling[at] = (struct gr_sibling){.dot = dot, .origin = some_origin(random)};
        sibling[at].touch = gr_random_chance(random, 500) ? 0 : gr_random_next(random);
        sibling[at].expires.ms = (int64_t)some_u64(random);
        sibling[at].bare =
            values == SOME_BARE || (values == SOME_ANY && gr_random_chance(random, 500));
        if (!sibling[at].bare)
            sibling[at].value = some_bytes(random, arena, 0, 5000);
        kept++;
    }
    return (struct gr_record){
        .sibling = kept > 0 ? sibling : NULL,
        .count = kept,
        .context = some_context(random, arena),
    };
}

static inline bool same_origin(const struct gr_origin *a, const struct gr_origin *b)
{
    return a->time == b->time && a->id.run == b->id.run && a->id.number == b->id.number;
}

static inline bool same_record(const struct gr_record *a, const struct gr_record *b)
{
    if (!gr_record_equal(a, b))
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct gr_sibling *x = &a->sibling[i], *y = &b->sibling[i];
        if (!same_origin(&x->origin, &y->origin) || x->touch != y->touch ||
            x->expires.ms != y->expires.ms || x->bare != y->bare ||
            !gr_bytes_equal(x->value, y->value))
            return false;
    }
    return true;
}

static inline bool same_key(const struct gr_key *a, const struct gr_key *b)
{
    return gr_bytes_equal(a->bucket, b->bucket) && gr_bytes_equal(a->key, b->key) &&
           a->hash == b->hash && a->slot == b->slot;
}

#endif
