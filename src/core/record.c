// Records: the siblings of one key, merged exactly, and the views taken of them (§4.4).
//
// A record is a set of siblings, each named by its dot, and a context that says which dots this key
// has seen. Merging two records asks of each sibling one question: does the other side have it, or
// has it never seen it? If it saw it and no longer has it, it was replaced.
//
// Strip on write, fill on read: what the partition clock's base covers need not be stored with
// every record. In the steady state a record stores only its siblings' dots, and a deleted key
// stores nothing at all.
//
//   R1  Siblings are sorted by dot and none stands twice.
//   R2  merge is associative, commutative and idempotent on filled records.
//   R3  fill(strip(x, clock), clock) covers exactly what x and the clock's base cover.
//   R4  Views never change a record; only gr_record_drop_due removes, and only what is due.
//
// Owns nothing: results live in the caller's arena, values are borrowed from the inputs.
#include "core/record.h"

int gr_origin_compare(const struct gr_origin *a, const struct gr_origin *b)
{
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->id.run != b->id.run)
        return a->id.run < b->id.run ? -1 : 1;
    return a->id.number < b->id.number ? -1 : a->id.number > b->id.number;
}

bool gr_record_empty(const struct gr_record *record)
{
    return record->count == 0 && gr_context_empty(&record->context);
}

bool gr_record_lacks(const struct gr_record *record, const struct gr_record *other)
{
    for (uint32_t i = 0; i < other->count; i++)
        if (gr_record_find(record, &other->sibling[i].dot) == NULL)
            return true;
    return false;
}

bool gr_record_complete(const struct gr_record *record)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (record->sibling[i].bare)
            return false;
    return true;
}

size_t gr_record_value_bytes(const struct gr_record *record)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < record->count; i++)
        bytes += record->sibling[i].value.size;
    return bytes;
}

struct gr_record gr_record_merge(
    struct gr_arena *arena, const struct gr_record *a, const struct gr_record *b)
{
    struct gr_sibling *out = gr_arena_array(arena, struct gr_sibling, a->count + b->count);
    uint32_t count = 0, i = 0, k = 0;
    while (i < a->count || k < b->count) {
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : gr_dot_compare(&a->sibling[i].dot, &b->sibling[k].dot);
        if (order == 0) {
            // One dot is one write: both sides show the same, but one may be without the value.
            out[count++] = a->sibling[i].bare ? b->sibling[k] : a->sibling[i];
            i++, k++;
        } else if (order < 0) {
            if (!gr_context_covers(&b->context, &a->sibling[i].dot))
                out[count++] = a->sibling[i];
            i++;
        } else {
            if (!gr_context_covers(&a->context, &b->sibling[k].dot))
                out[count++] = b->sibling[k];
            k++;
        }
    }
    return (struct gr_record){
        .sibling = count > 0 ? out : NULL,
        .count = count,
        .context = gr_context_join(arena, &a->context, &b->context),
    };
}

struct gr_record gr_record_fill(
    struct gr_arena *arena, const struct gr_record *stored, const struct gr_clock *clock)
{
    struct gr_context base = gr_clock_fill(arena, clock);
    struct gr_record filled = *stored;
    filled.context = gr_context_join(arena, &stored->context, &base);
    // A clock that began anew (core/damage.c) may not know the siblings' own dots.
    for (uint32_t i = 0; i < stored->count; i++) {
        if (gr_context_covers(&filled.context, &stored->sibling[i].dot))
            continue;
        struct gr_context own = gr_context_make(arena, NULL, 0, &stored->sibling[i].dot, 1);
        filled.context = gr_context_join(arena, &filled.context, &own);
    }
    return filled;
}

struct gr_record gr_record_strip(
    struct gr_arena *arena, const struct gr_record *filled, const struct gr_clock *clock)
{
    const struct gr_context *from = &filled->context;
    struct gr_dot *vv = gr_arena_array(arena, struct gr_dot, from->vv_count);
    struct gr_dot *cloud = gr_arena_array(arena, struct gr_dot, from->cloud_count);
    uint32_t vv_count = 0, cloud_count = 0;
    for (uint32_t i = 0; i < from->vv_count; i++)
        if (from->vv[i].counter > gr_clock_base(clock, from->vv[i].actor))
            vv[vv_count++] = from->vv[i];
    for (uint32_t i = 0; i < from->cloud_count; i++)
        if (from->cloud[i].counter > gr_clock_base(clock, from->cloud[i].actor))
            cloud[cloud_count++] = from->cloud[i];
    struct gr_record stripped = *filled;
    stripped.context = (struct gr_context){
        .vv = vv_count > 0 ? vv : NULL,
        .vv_count = vv_count,
        .cloud = cloud_count > 0 ? cloud : NULL,
        .cloud_count = cloud_count,
    };
    return stripped;
}

struct gr_record gr_record_copy(struct gr_arena *arena, const struct gr_record *record, bool bare)
{
    struct gr_record copy = {.count = record->count};
    if (record->count > 0) {
        struct gr_sibling *out = gr_arena_array(arena, struct gr_sibling, record->count);
        for (uint32_t i = 0; i < record->count; i++) {
            out[i] = record->sibling[i];
            out[i].bare = out[i].bare || bare;
            out[i].value =
                out[i].bare ? gr_bytes(NULL, 0) : gr_arena_copy(arena, record->sibling[i].value);
        }
        copy.sibling = out;
    }
    copy.context = gr_context_copy(arena, &record->context);
    return copy;
}

struct gr_record gr_record_borrow(struct gr_arena *arena, const struct gr_record *record)
{
    struct gr_record copy = {.count = record->count};
    if (record->count > 0) {
        struct gr_sibling *out = gr_arena_array(arena, struct gr_sibling, record->count);
        for (uint32_t i = 0; i < record->count; i++)
            out[i] = record->sibling[i];
        copy.sibling = out;
    }
    copy.context = gr_context_copy(arena, &record->context);
    return copy;
}

const struct gr_sibling *gr_record_find(const struct gr_record *record, const struct gr_dot *dot)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (gr_dot_equal(&record->sibling[i].dot, dot))
            return &record->sibling[i];
    return NULL;
}

bool gr_record_equal(const struct gr_record *a, const struct gr_record *b)
{
    if (a->count != b->count || !gr_context_equal(&a->context, &b->context))
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!gr_dot_equal(&a->sibling[i].dot, &b->sibling[i].dot))
            return false;
    return true;
}

// ---- views ---------------------------------------------------------------------------------

bool gr_sibling_due(const struct gr_sibling *sibling, struct gr_wall now)
{
    return sibling->expires.ms != 0 && sibling->expires.ms <= now.ms;
}

// By origin, then touch, then dot: a total order, the same on every node.
static int view_compare(const struct gr_sibling *a, const struct gr_sibling *b)
{
    int order = gr_origin_compare(&a->origin, &b->origin);
    if (order != 0)
        return order;
    if (a->touch != b->touch)
        return a->touch < b->touch ? -1 : 1;
    return gr_dot_compare(&a->dot, &b->dot);
}

const struct gr_sibling *gr_record_winner(const struct gr_record *record)
{
    const struct gr_sibling *winner = NULL;
    for (uint32_t i = 0; i < record->count; i++)
        if (winner == NULL || view_compare(&record->sibling[i], winner) > 0)
            winner = &record->sibling[i];
    return winner;
}

uint32_t gr_record_values(
    const struct gr_record *record, struct gr_wall now, const struct gr_sibling **ret)
{
    // Insertion sort by view order: there are at most a hundred siblings, and mostly one.
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        uint32_t at = count++;
        for (; at > 0 && view_compare(&record->sibling[i], ret[at - 1]) < 0; at--)
            ret[at] = ret[at - 1];
        ret[at] = &record->sibling[i];
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool last_of_origin =
            i + 1 == count || gr_origin_compare(&ret[i]->origin, &ret[i + 1]->origin) != 0;
        if (last_of_origin && !gr_sibling_due(ret[i], now))
            ret[kept++] = ret[i];
    }
    return kept;
}

gr_hybrid gr_record_time_max(const struct gr_record *record)
{
    gr_hybrid max = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        max = GR_MAX(max, record->sibling[i].origin.time);
        max = GR_MAX(max, record->sibling[i].touch);
    }
    return max;
}

struct gr_record gr_record_drop_due(
    struct gr_arena *arena, const struct gr_record *record, struct gr_wall now)
{
    struct gr_sibling *out = gr_arena_array(arena, struct gr_sibling, record->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->count; i++) {
        const struct gr_sibling *sibling = &record->sibling[i];
        bool shields = false;
        for (uint32_t k = 0; k < record->count && !shields; k++)
            shields = k != i && !gr_sibling_due(&record->sibling[k], now) &&
                      view_compare(&record->sibling[k], sibling) < 0;
        if (!gr_sibling_due(sibling, now) || shields)
            out[count++] = *sibling;
    }
    struct gr_record kept = *record;
    kept.sibling = count > 0 ? out : NULL;
    kept.count = count;
    return kept;
}
