// Dots, contexts and partition clocks: the causality of §4.4, made exact.
//
// Every write in a partition gets a dot. A replica remembers which dots of the partition it has
// seen in one small clock, so a record need not carry its own past: it carries its siblings' dots,
// and whatever of its past the clock does not cover yet.
//
// Think of a class register. The clock is the teacher's list of who has been present: a run of
// ticks without a gap, and some later ticks alone. A context is one pupil's own note of what he
// has heard. A note may say "everything up to lesson 7" only if the register has no gap before 8.
//
//   I1  A context in normal form has one representation: equal sets of dots compare equal.
//   I2  A row's intervals are sorted, disjoint and do not touch each other or the base.
//   I3  Nothing here removes a dot from a clock or a context: both only grow.
//
// Owns: a clock owns its rows and intervals (gr_hook_memory). Contexts live in the caller's arena.
// Bounds: rows are bounded by the runs that wrote to the partition; intervals by the gaps in them.
#include "core/clock.h"

#include <string.h>

#include "base/hash.h"

// ---- dots ----------------------------------------------------------------------------------

int gr_actor_compare(struct gr_actor a, struct gr_actor b)
{
    if (a.store != b.store)
        return a.store < b.store ? -1 : 1;
    return a.run < b.run ? -1 : a.run > b.run;
}

int gr_dot_compare(const struct gr_dot *a, const struct gr_dot *b)
{
    int order = gr_actor_compare(a->actor, b->actor);
    if (order != 0)
        return order;
    return a->counter < b->counter ? -1 : a->counter > b->counter;
}

bool gr_dot_equal(const struct gr_dot *a, const struct gr_dot *b)
{
    return gr_dot_compare(a, b) == 0;
}

static bool is_sorted(const struct gr_dot *dot, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (gr_dot_compare(&dot[i - 1], &dot[i]) > 0)
            return false;
    return true;
}

// Bottom-up merge sort: stable, no recursion, no comparator pointers.
static void sort_dots(struct gr_arena *arena, struct gr_dot *dot, uint32_t count)
{
    if (is_sorted(dot, count))
        return;
    struct gr_dot *from = dot, *to = gr_arena_array(arena, struct gr_dot, count);
    for (uint32_t width = 1; width < count; width *= 2) {
        for (uint32_t start = 0; start < count; start += 2 * width) {
            uint32_t middle = GR_MIN(start + width, count);
            uint32_t end = GR_MIN(start + 2 * width, count);
            uint32_t a = start, b = middle;
            for (uint32_t k = start; k < end; k++) {
                bool left = a < middle && (b >= end || gr_dot_compare(&from[a], &from[b]) <= 0);
                to[k] = left ? from[a++] : from[b++];
            }
        }
        struct gr_dot *swap = from;
        from = to;
        to = swap;
    }
    if (from != dot)
        memcpy(dot, from, count * sizeof *dot);
}

// ---- contexts ------------------------------------------------------------------------------

bool gr_context_empty(const struct gr_context *context)
{
    return context->vv_count == 0 && context->cloud_count == 0;
}

// The place of the first entry whose actor is not below `actor`.
static uint32_t find_actor(const struct gr_dot *vv, uint32_t count, struct gr_actor actor)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (gr_actor_compare(vv[middle].actor, actor) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool gr_context_covers(const struct gr_context *context, const struct gr_dot *dot)
{
    uint32_t at = find_actor(context->vv, context->vv_count, dot->actor);
    if (at < context->vv_count && gr_actor_compare(context->vv[at].actor, dot->actor) == 0 &&
        dot->counter <= context->vv[at].counter)
        return true;
    uint32_t low = 0, high = context->cloud_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = gr_dot_compare(&context->cloud[middle], dot);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

// From sorted vv and cloud, both owned by the caller, to normal form, in place.
static struct gr_context normalise(
    struct gr_dot *vv, uint32_t vv_count, struct gr_dot *cloud, uint32_t cloud_count)
{
    // Per actor: the largest vv entry, then the cloud dots that continue it, then the rest. The
    // vv array has room for one entry per cloud dot beyond its own.
    struct gr_dot *rest = cloud;
    uint32_t out = 0, rest_count = 0, v = 0, c = 0;
    struct gr_dot *joined = vv + vv_count; // scratch: the result, moved down at the end
    while (v < vv_count || c < cloud_count) {
        struct gr_actor actor;
        if (c >= cloud_count ||
            (v < vv_count && gr_actor_compare(vv[v].actor, cloud[c].actor) <= 0))
            actor = vv[v].actor;
        else
            actor = cloud[c].actor;
        uint64_t top = 0;
        for (; v < vv_count && gr_actor_compare(vv[v].actor, actor) == 0; v++)
            top = GR_MAX(top, vv[v].counter);
        for (; c < cloud_count && gr_actor_compare(cloud[c].actor, actor) == 0; c++) {
            struct gr_dot dot = cloud[c];
            if (dot.counter > top && dot.counter - top == 1)
                top++;
            else if (dot.counter > top &&
                     (rest_count == 0 || !gr_dot_equal(&rest[rest_count - 1], &dot)))
                rest[rest_count++] = dot;
        }
        if (top > 0)
            joined[out++] = (struct gr_dot){actor, top};
    }
    return (struct gr_context){
        .vv = out > 0 ? joined : NULL,
        .vv_count = out,
        .cloud = rest_count > 0 ? rest : NULL,
        .cloud_count = rest_count,
    };
}

struct gr_context gr_context_make(struct gr_arena *arena, const struct gr_dot *vv,
    uint32_t vv_count, const struct gr_dot *cloud, uint32_t cloud_count)
{
    if (vv_count == 0 && cloud_count == 0)
        return GR_CONTEXT_NOTHING;
    // Normalising needs the input and, behind it, room for one result per input dot.
    struct gr_dot *v = gr_arena_array(arena, struct gr_dot, 2 * (size_t)vv_count + cloud_count);
    struct gr_dot *c = gr_arena_array(arena, struct gr_dot, cloud_count);
    if (vv_count > 0)
        memcpy(v, vv, vv_count * sizeof *v);
    if (cloud_count > 0)
        memcpy(c, cloud, cloud_count * sizeof *c);
    sort_dots(arena, v, vv_count);
    sort_dots(arena, c, cloud_count);
    return normalise(v, vv_count, c, cloud_count);
}

struct gr_context gr_context_join(
    struct gr_arena *arena, const struct gr_context *a, const struct gr_context *b)
{
    if (gr_context_empty(a))
        return *b;
    if (gr_context_empty(b))
        return *a;
    uint32_t vv_count = a->vv_count + b->vv_count;
    uint32_t cloud_count = a->cloud_count + b->cloud_count;
    struct gr_dot *v = gr_arena_array(arena, struct gr_dot, 2 * (size_t)vv_count + cloud_count);
    struct gr_dot *c = gr_arena_array(arena, struct gr_dot, cloud_count);
    if (a->vv_count > 0)
        memcpy(v, a->vv, a->vv_count * sizeof *v);
    if (b->vv_count > 0)
        memcpy(v + a->vv_count, b->vv, b->vv_count * sizeof *v);
    if (a->cloud_count > 0)
        memcpy(c, a->cloud, a->cloud_count * sizeof *c);
    if (b->cloud_count > 0)
        memcpy(c + a->cloud_count, b->cloud, b->cloud_count * sizeof *c);
    sort_dots(arena, v, vv_count);
    sort_dots(arena, c, cloud_count);
    return normalise(v, vv_count, c, cloud_count);
}

struct gr_context gr_context_copy(struct gr_arena *arena, const struct gr_context *context)
{
    struct gr_context copy = *context;
    if (copy.vv_count > 0)
        copy.vv = (const void *)gr_arena_copy(
            arena, gr_bytes(context->vv, copy.vv_count * sizeof *copy.vv))
                      .data;
    if (copy.cloud_count > 0)
        copy.cloud = (const void *)gr_arena_copy(
            arena, gr_bytes(context->cloud, copy.cloud_count * sizeof *copy.cloud))
                         .data;
    return copy;
}

bool gr_context_equal(const struct gr_context *a, const struct gr_context *b)
{
    if (a->vv_count != b->vv_count || a->cloud_count != b->cloud_count)
        return false;
    for (uint32_t i = 0; i < a->vv_count; i++)
        if (!gr_dot_equal(&a->vv[i], &b->vv[i]))
            return false;
    for (uint32_t i = 0; i < a->cloud_count; i++)
        if (!gr_dot_equal(&a->cloud[i], &b->cloud[i]))
            return false;
    return true;
}

bool gr_context_includes(const struct gr_context *a, const struct gr_context *b)
{
    // A vv entry stands for a range from 1, which in normal form only a vv entry can cover.
    for (uint32_t i = 0; i < b->vv_count; i++) {
        uint32_t at = find_actor(a->vv, a->vv_count, b->vv[i].actor);
        if (at == a->vv_count || gr_actor_compare(a->vv[at].actor, b->vv[i].actor) != 0 ||
            a->vv[at].counter < b->vv[i].counter)
            return false;
    }
    for (uint32_t i = 0; i < b->cloud_count; i++)
        if (!gr_context_covers(a, &b->cloud[i]))
            return false;
    return true;
}

// ---- partition clocks ----------------------------------------------------------------------

void gr_clock_deinit(struct gr_clock *clock)
{
    for (uint32_t i = 0; i < clock->count; i++)
        gr_hook_memory(clock->row[i].interval, 0);
    gr_hook_memory(clock->row, 0);
    *clock = (struct gr_clock){0};
}

// The place of the first row whose actor is not below `actor`.
static uint32_t find_row(const struct gr_clock *clock, struct gr_actor actor)
{
    uint32_t low = 0, high = clock->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (gr_actor_compare(clock->row[middle].actor, actor) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct gr_clock_row *gr_clock_row(const struct gr_clock *clock, struct gr_actor actor)
{
    uint32_t at = find_row(clock, actor);
    if (at == clock->count || gr_actor_compare(clock->row[at].actor, actor) != 0)
        return NULL;
    return &clock->row[at];
}

uint64_t gr_clock_last_run(const struct gr_clock *clock, uint64_t store)
{
    uint32_t at = find_row(clock, (struct gr_actor){store, UINT64_MAX});
    if (at < clock->count && clock->row[at].actor.store == store)
        return UINT64_MAX;
    return at > 0 && clock->row[at - 1].actor.store == store ? clock->row[at - 1].actor.run : 0;
}

static struct gr_clock_row *make_row(struct gr_clock *clock, struct gr_actor actor)
{
    uint32_t at = find_row(clock, actor);
    if (at < clock->count && gr_actor_compare(clock->row[at].actor, actor) == 0)
        return &clock->row[at];
    if (clock->count == clock->capacity) {
        clock->capacity = GR_MAX(clock->capacity * 2, 4);
        clock->row = gr_hook_memory(clock->row, clock->capacity * sizeof *clock->row);
    }
    memmove(&clock->row[at + 1], &clock->row[at], (clock->count - at) * sizeof *clock->row);
    clock->row[at] = (struct gr_clock_row){.actor = actor};
    clock->count++;
    return &clock->row[at];
}

bool gr_clock_has(const struct gr_clock *clock, const struct gr_dot *dot)
{
    const struct gr_clock_row *row = gr_clock_row(clock, dot->actor);
    if (row == NULL)
        return false;
    if (dot->counter <= row->base)
        return true;
    for (uint32_t i = 0; i < row->interval_count; i++)
        if (dot->counter >= row->interval[i].first && dot->counter <= row->interval[i].last)
            return true;
    return false;
}

static void remove_intervals(struct gr_clock_row *row, uint32_t at, uint32_t count)
{
    if (count == 0)
        return;
    memmove(&row->interval[at], &row->interval[at + count],
        (row->interval_count - at - count) * sizeof *row->interval);
    row->interval_count -= count;
}

static void row_add(struct gr_clock_row *row, struct gr_interval add)
{
    if (add.last <= row->base)
        return;
    // Swallow every interval that overlaps or touches the new one.
    uint32_t at = 0;
    while (at < row->interval_count && row->interval[at].last + 1 < add.first)
        at++;
    uint32_t end = at;
    for (; end < row->interval_count && row->interval[end].first <= add.last + 1; end++) {
        add.first = GR_MIN(add.first, row->interval[end].first);
        add.last = GR_MAX(add.last, row->interval[end].last);
    }
    if (add.first <= row->base + 1) {
        // Nothing can stand before an interval that reaches down to the base (I2).
        gr_assert(at == 0);
        row->base = add.last;
        remove_intervals(row, 0, end);
        return;
    }
    if (end > at) {
        row->interval[at] = add;
        remove_intervals(row, at + 1, end - at - 1);
        return;
    }
    if (row->interval_count == row->interval_capacity) {
        row->interval_capacity = GR_MAX(row->interval_capacity * 2, 4);
        row->interval =
            gr_hook_memory(row->interval, row->interval_capacity * sizeof *row->interval);
    }
    memmove(&row->interval[at + 1], &row->interval[at],
        (row->interval_count - at) * sizeof *row->interval);
    row->interval[at] = add;
    row->interval_count++;
}

bool gr_clock_add(struct gr_clock *clock, const struct gr_dot *dot)
{
    gr_assert(dot->counter > 0);
    if (gr_clock_has(clock, dot))
        return false;
    gr_clock_add_interval(clock, dot->actor, (struct gr_interval){dot->counter, dot->counter});
    return true;
}

void gr_clock_add_interval(
    struct gr_clock *clock, struct gr_actor actor, struct gr_interval interval)
{
    gr_assert(interval.first > 0 && interval.first <= interval.last);
    gr_assert(interval.last < UINT64_MAX);
    row_add(make_row(clock, actor), interval);
}

uint64_t gr_clock_base(const struct gr_clock *clock, struct gr_actor actor)
{
    const struct gr_clock_row *row = gr_clock_row(clock, actor);
    return row == NULL ? 0 : row->base;
}

struct gr_context gr_clock_fill(struct gr_arena *arena, const struct gr_clock *clock)
{
    if (clock->count == 0)
        return GR_CONTEXT_NOTHING;
    struct gr_dot *vv = gr_arena_array(arena, struct gr_dot, clock->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < clock->count; i++)
        if (clock->row[i].base > 0)
            vv[count++] = (struct gr_dot){clock->row[i].actor, clock->row[i].base};
    return (struct gr_context){.vv = count > 0 ? vv : NULL, .vv_count = count};
}

void gr_clock_join(struct gr_clock *clock, const struct gr_clock *other)
{
    for (uint32_t i = 0; i < other->count; i++) {
        const struct gr_clock_row *row = &other->row[i];
        if (row->base > 0)
            gr_clock_add_interval(clock, row->actor, (struct gr_interval){1, row->base});
        for (uint32_t k = 0; k < row->interval_count; k++)
            gr_clock_add_interval(clock, row->actor, row->interval[k]);
    }
}

bool gr_clock_equal(const struct gr_clock *a, const struct gr_clock *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct gr_clock_row *x = &a->row[i], *y = &b->row[i];
        if (gr_actor_compare(x->actor, y->actor) != 0 || x->base != y->base ||
            x->interval_count != y->interval_count)
            return false;
        for (uint32_t k = 0; k < x->interval_count; k++)
            if (x->interval[k].first != y->interval[k].first ||
                x->interval[k].last != y->interval[k].last)
                return false;
    }
    return true;
}

// True if the row has seen all of first..last: no gap of its own may lie between.
static bool row_has(const struct gr_clock_row *row, struct gr_interval want)
{
    if (want.last <= row->base)
        return true;
    uint64_t first = GR_MAX(want.first, row->base + 1);
    for (uint32_t i = 0; i < row->interval_count; i++)
        if (first >= row->interval[i].first && want.last <= row->interval[i].last)
            return true;
    return false;
}

bool gr_clock_includes(const struct gr_clock *a, const struct gr_clock *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        const struct gr_clock_row *want = &b->row[i];
        const struct gr_clock_row *row = gr_clock_row(a, want->actor);
        if (row == NULL || want->base > row->base)
            return false;
        for (uint32_t k = 0; k < want->interval_count; k++)
            if (!row_has(row, want->interval[k]))
                return false;
    }
    return true;
}

// How many of the dots a and b have in common.
static uint64_t overlap(struct gr_interval a, struct gr_interval b)
{
    uint64_t first = GR_MAX(a.first, b.first), last = GR_MIN(a.last, b.last);
    return first <= last ? last - first + 1 : 0;
}

static uint64_t row_lacks(const struct gr_clock_row *row, struct gr_interval want)
{
    uint64_t lacks = want.last - want.first + 1;
    if (row == NULL)
        return lacks;
    lacks -= overlap(want, (struct gr_interval){1, row->base});
    for (uint32_t i = 0; i < row->interval_count; i++)
        lacks -= overlap(want, row->interval[i]);
    return lacks;
}

uint64_t gr_clock_lacks(const struct gr_clock *a, const struct gr_clock *b)
{
    uint64_t lacks = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct gr_clock_row *want = &b->row[i];
        const struct gr_clock_row *row = gr_clock_row(a, want->actor);
        if (want->base > 0)
            lacks += row_lacks(row, (struct gr_interval){1, want->base});
        for (uint32_t k = 0; k < want->interval_count; k++)
            lacks += row_lacks(row, want->interval[k]);
    }
    return lacks;
}

struct gr_clock gr_clock_copy(const struct gr_clock *clock)
{
    struct gr_clock copy = {0};
    if (clock->count == 0)
        return copy;
    copy.row = gr_hook_memory(NULL, clock->count * sizeof *copy.row);
    copy.count = copy.capacity = clock->count;
    for (uint32_t i = 0; i < clock->count; i++) {
        copy.row[i] = clock->row[i];
        uint32_t count = copy.row[i].interval_capacity = clock->row[i].interval_count;
        copy.row[i].interval = NULL;
        if (count > 0) {
            copy.row[i].interval = gr_hook_memory(NULL, count * sizeof *copy.row[i].interval);
            memcpy(
                copy.row[i].interval, clock->row[i].interval, count * sizeof *copy.row[i].interval);
        }
    }
    return copy;
}

uint64_t gr_clock_hash(const struct gr_clock *clock)
{
    uint64_t hash = clock->count;
    for (uint32_t i = 0; i < clock->count; i++) {
        const struct gr_clock_row *row = &clock->row[i];
        uint64_t head[] = {row->actor.store, row->actor.run, row->base, row->interval_count};
        hash = gr_hash64(gr_bytes(head, sizeof head), hash);
        if (row->interval_count > 0)
            hash = gr_hash64(
                gr_bytes(row->interval, row->interval_count * sizeof *row->interval), hash);
    }
    return hash;
}

uint32_t gr_clock_blank(
    struct gr_arena *arena, const struct gr_clock *clock, const struct gr_clock_row *const **ret)
{
    struct gr_clock_row *none = gr_arena_array(arena, struct gr_clock_row, clock->count);
    const struct gr_clock_row **row =
        gr_arena_array(arena, const struct gr_clock_row *, clock->count);
    for (uint32_t i = 0; i < clock->count; i++) {
        none[i] = (struct gr_clock_row){.actor = clock->row[i].actor};
        row[i] = &none[i];
    }
    *ret = row;
    return clock->count;
}
