// A store that is a list, random hints, and ranges, for the tests of wire/disk.h.
#ifndef GR_TEST_UNIT_DISK_ROWS_H
#define GR_TEST_UNIT_DISK_ROWS_H

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "test/unit/wire_parts.h"
#include "wire/disk.h"

struct row {
    struct gr_bytes key, value;
    bool removed;
};

struct rows {
    struct gr_arena arena;
    struct row row[64];
    size_t count;
};

static inline void take_put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct rows *rows = host;
    assert_true(rows->count < GR_COUNT(rows->row));
    rows->row[rows->count++] = (struct row){
        .key = gr_arena_copy(&rows->arena, key),
        .value = gr_arena_copy(&rows->arena, value),
    };
}

static inline void take_remove(void *host, struct gr_bytes key)
{
    struct rows *rows = host;
    assert_true(rows->count < GR_COUNT(rows->row));
    rows->row[rows->count++] = (struct row){
        .key = gr_arena_copy(&rows->arena, key),
        .removed = true,
    };
}

static inline void write_rows(
    struct rows *rows, const struct gr_store_write *w, struct gr_actor self)
{
    rows->count = 0;
    struct gr_disk_sink sink = {.put = take_put, .remove = take_remove, .host = rows};
    gr_disk_write(w, self, &sink);
}

// The n-th row of that kind, or NULL.
static inline const struct row *find(const struct rows *rows, enum gr_disk_kind kind, size_t n)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->row[i].key.data[0] == (uint8_t)kind && n-- == 0)
            return &rows->row[i];
    return NULL;
}

static inline struct gr_hint some_hint(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_hint hint = {
        .owner = 1 + gr_random_below(random, GR_MEMBER_ID_MAX),
        .key = some_key(random, arena),
        .dot = some_dot(random),
        .stood_in = gr_random_chance(random, 500),
        .since = {(int64_t)(some_u64(random) >> 1)},
        .record = some_record(random, arena, SOME_ALL),
    };
    struct gr_context own = gr_context_make(arena, NULL, 0, &hint.dot, 1);
    hint.record.context = gr_context_join(arena, &hint.record.context, &own);
    return hint;
}

static inline bool within(struct gr_disk_range range, struct gr_bytes key)
{
    return gr_bytes_compare(range.from, key) <= 0 && gr_bytes_compare(key, range.to) < 0;
}

#endif
