// record.h: merge, strip and fill against plain sets of dots (R1..R3), and the views against their
// words in DESIGN §4 (R4).
//
// A filled record is any set of siblings within what its context covers: legal histories make
// no other, and test/model replays those. Three actors with counters 1..16 are three words of bits.
// Wrong variants of each rule stand beside it and must be refused by the same check.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/record.h"
#include "test/hooks.h"

enum { ACTORS = 3, COUNTERS = 16, SIBLINGS_MAX = ACTORS * COUNTERS };

struct dots {
    uint32_t of[ACTORS]; // bit n - 1 is counter n
};

struct sets {
    struct dots siblings, context;
};

static struct gr_random rng;
static struct gr_arena arena;

static struct gr_dot dot_of(int a, uint64_t counter)
{
    return (struct gr_dot){{1, (uint64_t)a << 32}, counter};
}

static bool has(const struct dots *dots, int a, uint64_t counter)
{
    return (dots->of[a] >> (counter - 1) & 1) != 0;
}

static bool same_dots(const struct dots *a, const struct dots *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static uint64_t base_of(const struct dots *dots, int a)
{
    uint64_t base = 0;
    while (base < COUNTERS && has(dots, a, base + 1))
        base++;
    return base;
}

static struct dots random_dots(void)
{
    struct dots dots = {0};
    for (int a = 0; a < ACTORS; a++) {
        uint32_t density = (uint32_t)gr_random_below(&rng, 1200);
        for (uint64_t n = 1; n <= COUNTERS; n++)
            if (gr_random_chance(&rng, density))
                dots.of[a] |= 1u << (n - 1);
    }
    return dots;
}

static struct sets random_sets(void)
{
    struct sets sets = {random_dots(), random_dots()};
    for (int a = 0; a < ACTORS; a++) {
        sets.siblings.of[a] &= (uint32_t)gr_random_next(&rng) & (uint32_t)gr_random_next(&rng);
        if (gr_random_chance(&rng, 500))
            sets.siblings.of[a] &= sets.context.of[a]; // already replaced, or never seen
        sets.context.of[a] |= sets.siblings.of[a];
    }
    return sets;
}

static struct gr_context context_of(const struct dots *dots)
{
    struct gr_dot cloud[SIBLINGS_MAX];
    uint32_t count = 0;
    for (int a = 0; a < ACTORS; a++)
        for (uint64_t n = 1; n <= COUNTERS; n++)
            if (has(dots, a, n))
                cloud[count++] = dot_of(a, n);
    return gr_context_make(&arena, NULL, 0, cloud, count);
}

// The value of a dot is always the same: one dot is one write.
static struct gr_bytes value_of(const struct gr_dot *dot)
{
    char text[64];
    int size = snprintf(
        text, sizeof text, "%u of %u", (unsigned)dot->counter, (unsigned)(dot->actor.run >> 32));
    return gr_arena_copy(&arena, gr_bytes(text, (size_t)size));
}

static struct gr_record record_of(const struct sets *sets)
{
    struct gr_sibling *sibling = gr_arena_array(&arena, struct gr_sibling, SIBLINGS_MAX);
    struct gr_record record = {.sibling = sibling, .context = context_of(&sets->context)};
    for (int a = 0; a < ACTORS; a++)
        for (uint64_t n = 1; n <= COUNTERS; n++)
            if (has(&sets->siblings, a, n)) {
                struct gr_dot dot = dot_of(a, n);
                sibling[record.count++] = (struct gr_sibling){.dot = dot, .value = value_of(&dot)};
            }
    return record;
}

static struct dots covered_by(const struct gr_context *context)
{
    struct dots dots = {0};
    for (int a = 0; a < ACTORS; a++)
        for (uint64_t n = 1; n <= COUNTERS; n++) {
            struct gr_dot dot = dot_of(a, n);
            if (gr_context_covers(context, &dot))
                dots.of[a] |= 1u << (n - 1);
        }
    return dots;
}

// R1, each sibling with its own value, and the same siblings and context as the sets.
static bool is_record(const struct gr_record *record, const struct sets *sets)
{
    for (uint32_t i = 1; i < record->count; i++)
        if (gr_dot_compare(&record->sibling[i - 1].dot, &record->sibling[i].dot) >= 0)
            return false;
    for (uint32_t i = 0; i < record->count; i++)
        if (!gr_bytes_equal(record->sibling[i].value, value_of(&record->sibling[i].dot)))
            return false;
    struct gr_record want = record_of(sets);
    return gr_record_equal(record, &want);
}

// ---- merge ---------------------------------------------------------------------------------

static struct sets merge_sets(const struct sets *x, const struct sets *y)
{
    struct sets both;
    for (int a = 0; a < ACTORS; a++) {
        uint32_t sx = x->siblings.of[a], sy = y->siblings.of[a];
        uint32_t cx = x->context.of[a], cy = y->context.of[a];
        both.siblings.of[a] = (sx & sy) | (sx & ~cy) | (sy & ~cx);
        both.context.of[a] = cx | cy;
    }
    return both;
}

typedef struct gr_record merge_function(
    struct gr_arena *arena, const struct gr_record *a, const struct gr_record *b);

// Which of the laws hold in many random cases.
struct laws {
    bool as_sets, commutative, associative, idempotent;
};

static struct laws laws_of(merge_function *merge)
{
    struct laws laws = {true, true, true, true};
    for (int round = 0; round < 1000; round++) {
        struct sets x = random_sets(), y = random_sets(), z = random_sets();
        struct gr_record a = record_of(&x), b = record_of(&y), c = record_of(&z);
        struct gr_record ab = merge(&arena, &a, &b), ba = merge(&arena, &b, &a);
        struct gr_record bc = merge(&arena, &b, &c), aa = merge(&arena, &a, &a);
        struct gr_record ab_c = merge(&arena, &ab, &c), a_bc = merge(&arena, &a, &bc);
        struct gr_record ab_b = merge(&arena, &ab, &b);
        struct sets both = merge_sets(&x, &y);
        laws.as_sets = laws.as_sets && is_record(&ab, &both);
        laws.commutative = laws.commutative && gr_record_equal(&ab, &ba);
        laws.associative = laws.associative && gr_record_equal(&ab_c, &a_bc);
        laws.idempotent =
            laws.idempotent && gr_record_equal(&aa, &a) && gr_record_equal(&ab_b, &ab);
        gr_arena_deinit(&arena);
    }
    return laws;
}

// Canaries: one that does not look at the contexts, one that looks only at the second, one that
// drops what both have because both cover it, one that does not look at single dots.
static struct gr_record merge_any(
    struct gr_arena *to, const struct gr_record *a, const struct gr_record *b)
{
    struct gr_record x = *a, y = *b;
    x.context = y.context = GR_CONTEXT_NOTHING;
    struct gr_record all = gr_record_merge(to, &x, &y);
    all.context = gr_context_join(to, &a->context, &b->context);
    return all;
}

static struct gr_record merge_one_way(
    struct gr_arena *to, const struct gr_record *a, const struct gr_record *b)
{
    struct gr_record x = *a;
    x.context = GR_CONTEXT_NOTHING;
    struct gr_record merged = gr_record_merge(to, &x, b);
    merged.context = gr_context_join(to, &a->context, &b->context);
    return merged;
}

static struct gr_record merge_covered(
    struct gr_arena *to, const struct gr_record *a, const struct gr_record *b)
{
    struct gr_record x = {.context = a->context}, y = {.context = b->context};
    struct gr_record from_a = gr_record_merge(to, a, &y), from_b = gr_record_merge(to, &x, b);
    from_a.context = from_b.context = GR_CONTEXT_NOTHING;
    struct gr_record merged = gr_record_merge(to, &from_a, &from_b);
    merged.context = gr_context_join(to, &a->context, &b->context);
    return merged;
}

static struct gr_record merge_runs(
    struct gr_arena *to, const struct gr_record *a, const struct gr_record *b)
{
    struct gr_record x = *a, y = *b;
    x.context.cloud_count = y.context.cloud_count = 0;
    struct gr_record merged = gr_record_merge(to, &x, &y);
    merged.context = gr_context_join(to, &a->context, &b->context);
    return merged;
}

static void test_merge(void **state)
{
    (void)state;
    struct laws laws = laws_of(gr_record_merge);
    assert_true(laws.as_sets);
    assert_true(laws.commutative);
    assert_true(laws.associative);
    assert_true(laws.idempotent);
}

static void test_merge_canaries(void **state)
{
    (void)state;
    assert_false(laws_of(merge_any).as_sets);
    struct laws one_way = laws_of(merge_one_way);
    assert_false(one_way.as_sets);
    assert_false(one_way.commutative);
    struct laws covered = laws_of(merge_covered);
    assert_false(covered.as_sets);
    assert_false(covered.idempotent);
    assert_false(laws_of(merge_runs).associative);
}

static void test_merge_bare(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct sets x = random_sets();
        struct gr_record whole = record_of(&x);
        struct gr_record bare = gr_record_copy(&arena, &whole, true);
        for (uint32_t i = 0; i < bare.count; i++) {
            assert_true(bare.sibling[i].bare);
            assert_int_equal(bare.sibling[i].value.size, 0);
        }
        assert_true(gr_record_equal(&bare, &whole));
        // Whichever side has the value brings it.
        struct gr_record one = gr_record_merge(&arena, &bare, &whole);
        struct gr_record other = gr_record_merge(&arena, &whole, &bare);
        assert_true(is_record(&one, &x));
        assert_true(is_record(&other, &x));
        for (uint32_t i = 0; i < one.count; i++)
            assert_false(one.sibling[i].bare || other.sibling[i].bare);
        gr_arena_deinit(&arena);
    }
}

// ---- strip and fill ------------------------------------------------------------------------

static struct gr_clock clock_of(const struct dots *dots)
{
    struct gr_clock clock = {0};
    for (int a = 0; a < ACTORS; a++)
        for (uint64_t n = 1; n <= COUNTERS; n++)
            if (has(dots, a, n))
                gr_clock_add(&clock, &(struct gr_dot){dot_of(a, n).actor, n});
    return clock;
}

typedef struct gr_record strip_function(
    struct gr_arena *arena, const struct gr_record *filled, const struct gr_clock *clock);

// R3; and that what is stored has nothing of what the base covers, so that it is not kept twice.
// Where the clock has seen the context's single dots, as that of a replica always has, equal states
// are stored alike, whatever way they came: the Merkle leaves hash what is left of the context.
static bool strips(strip_function *strip)
{
    bool right = true;
    for (int round = 0; round < 2000; round++) {
        struct sets x = random_sets();
        struct dots seen = random_dots(), want = x.context;
        struct gr_record filled = record_of(&x);
        bool legal = round % 2 == 0;
        for (uint32_t i = 0; legal && i < filled.context.cloud_count; i++) {
            const struct gr_dot *dot = &filled.context.cloud[i];
            seen.of[dot->actor.run >> 32] |= 1u << (dot->counter - 1);
        }
        struct gr_clock clock = clock_of(&seen);
        for (int a = 0; a < ACTORS; a++)
            want.of[a] |= (1u << base_of(&seen, a)) - 1;
        struct gr_record stripped = strip(&arena, &filled, &clock);
        struct gr_record again = gr_record_fill(&arena, &stripped, &clock);
        struct dots have = covered_by(&again.context);
        right = right && same_dots(&have, &want);
        struct sets back = {x.siblings, want};
        right = right && is_record(&again, &back) && is_record(&filled, &x);
        struct gr_record twice = strip(&arena, &again, &clock);
        struct gr_record refilled = gr_record_fill(&arena, &twice, &clock);
        right = right && gr_record_equal(&refilled, &again);
        right = right && (!legal || gr_record_equal(&twice, &stripped));
        for (uint32_t i = 0; i < stripped.context.vv_count; i++)
            right = right && stripped.context.vv[i].counter >
                                 gr_clock_base(&clock, stripped.context.vv[i].actor);
        for (uint32_t i = 0; i < stripped.context.cloud_count; i++)
            right = right && stripped.context.cloud[i].counter >
                                 gr_clock_base(&clock, stripped.context.cloud[i].actor);
        gr_clock_deinit(&clock);
        gr_arena_deinit(&arena);
    }
    return right;
}

// Canaries: one that strips every dot that the clock has seen, beyond its gaps too; one that does
// not strip.
static struct gr_record strip_seen(
    struct gr_arena *to, const struct gr_record *filled, const struct gr_clock *clock)
{
    struct gr_record stripped = gr_record_strip(to, filled, clock);
    struct gr_dot *cloud = gr_arena_array(to, struct gr_dot, stripped.context.cloud_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < stripped.context.cloud_count; i++)
        if (!gr_clock_has(clock, &stripped.context.cloud[i]))
            cloud[count++] = stripped.context.cloud[i];
    stripped.context.cloud = cloud;
    stripped.context.cloud_count = count;
    return stripped;
}

static struct gr_record strip_nothing(
    struct gr_arena *to, const struct gr_record *filled, const struct gr_clock *clock)
{
    (void)to, (void)clock;
    return *filled;
}

static void test_strip_and_fill(void **state)
{
    (void)state;
    assert_true(strips(gr_record_strip));
    assert_false(strips(strip_seen));
    assert_false(strips(strip_nothing));
}

// A delete leaves nothing once its whole past is in the clock, and a marker until then.
static void test_delete(void **state)
{
    (void)state;
    struct gr_dot put = dot_of(0, 1), delete = dot_of(1, 2), other = dot_of(1, 1);
    struct gr_clock clock = {0};
    gr_clock_add(&clock, &put);
    gr_clock_add(&clock, &delete);
    struct gr_dot past[] = {put, delete};
    struct gr_record deleted = {.context = gr_context_make(&arena, NULL, 0, past, 2)};
    struct gr_record stored = gr_record_strip(&arena, &deleted, &clock);
    assert_false(gr_record_empty(&stored));
    assert_int_equal(stored.context.vv_count, 0);
    assert_int_equal(stored.context.cloud_count, 1);
    gr_clock_add(&clock, &other); // the gap closes
    stored = gr_record_strip(&arena, &stored, &clock);
    assert_true(gr_record_empty(&stored));
    gr_clock_deinit(&clock);
    gr_arena_deinit(&arena);
}

static void test_copy_and_find(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct sets x = random_sets();
        struct gr_arena first = {0};
        struct gr_record record = record_of(&x);
        size_t bytes = 0;
        for (uint32_t i = 0; i < record.count; i++) {
            assert_ptr_equal(gr_record_find(&record, &record.sibling[i].dot), &record.sibling[i]);
            bytes += record.sibling[i].value.size;
        }
        for (int a = 0; a < ACTORS; a++)
            for (uint64_t n = 1; n <= COUNTERS; n++) {
                struct gr_dot dot = dot_of(a, n);
                assert_int_equal(gr_record_find(&record, &dot) != NULL, has(&x.siblings, a, n));
            }
        assert_int_equal(gr_record_value_bytes(&record), bytes);
        struct gr_record copy = gr_record_copy(&first, &record, false);
        gr_arena_deinit(&arena); // the copy stands alone
        assert_true(is_record(&copy, &x));
        gr_arena_deinit(&first);
        gr_arena_deinit(&arena);
    }
}

// ---- views ---------------------------------------------------------------------------------

enum { VIEWED_MAX = 6, TIMES = 12 };

// A few siblings of fewer origins, some touched, some due at one of the times 1..11.
static struct gr_record random_viewed(struct gr_sibling *sibling)
{
    struct gr_record record = {
        .sibling = sibling, .count = (uint32_t)gr_random_below(&rng, VIEWED_MAX + 1)};
    for (uint32_t i = 0; i < record.count; i++) {
        sibling[i] = (struct gr_sibling){
            .dot = dot_of((int)i % ACTORS, 1 + gr_random_below(&rng, 9)),
            .origin = {.time = 1 + gr_random_below(&rng, 2),
                .id = {gr_random_below(&rng, 2), gr_random_below(&rng, 2)}},
            .touch = gr_random_chance(&rng, 500) ? 0 : 1 + gr_random_below(&rng, 3),
            .expires = {(int64_t)gr_random_below(&rng, TIMES)},
        };
        sibling[i].dot.actor.store = i; // sorted, and no two alike
    }
    return record;
}

// The order of the view, written out: time, run, number, touch; of equals the larger dot, which
// stands later.
static bool is_above(const struct gr_sibling *a, const struct gr_sibling *b)
{
    const uint64_t x[] = {a->origin.time, a->origin.id.run, a->origin.id.number, a->touch};
    const uint64_t y[] = {b->origin.time, b->origin.id.run, b->origin.id.number, b->touch};
    for (size_t i = 0; i < GR_COUNT(x); i++)
        if (x[i] != y[i])
            return x[i] > y[i];
    return a > b;
}

static bool is_one_value(const struct gr_sibling *a, const struct gr_sibling *b)
{
    return a->origin.time == b->origin.time && a->origin.id.run == b->origin.id.run &&
           a->origin.id.number == b->origin.id.number;
}

// No other sibling of that one's origin (or with `any`, of any) is above it.
static bool is_top(const struct gr_record *record, const struct gr_sibling *one, bool any)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (is_above(&record->sibling[i], one) && (any || is_one_value(&record->sibling[i], one)))
            return false;
    return true;
}

static struct gr_wall at(int64_t ms)
{
    return (struct gr_wall){ms};
}

static void test_winner_and_values(void **state)
{
    (void)state;
    uint32_t hidden = 0, several = 0;
    for (int round = 0; round < 5000; round++) {
        struct gr_sibling sibling[VIEWED_MAX], before[VIEWED_MAX];
        struct gr_record record = random_viewed(sibling);
        memcpy(before, sibling, sizeof before);
        struct gr_wall now = at(1 + (int64_t)gr_random_below(&rng, TIMES));
        const struct gr_sibling *winner = gr_record_winner(&record);
        assert_int_equal(winner == NULL, record.count == 0);
        if (winner != NULL)
            assert_true(is_top(&record, winner, true));

        const struct gr_sibling *value[VIEWED_MAX];
        uint32_t count = gr_record_values(&record, now, value), want = 0;
        for (uint32_t i = 0; i < record.count; i++)
            want += is_top(&record, &sibling[i], false) && !gr_sibling_due(&sibling[i], now);
        assert_int_equal(count, want);
        for (uint32_t i = 0; i < count; i++) {
            assert_true(is_top(&record, value[i], false));
            assert_false(gr_sibling_due(value[i], now));
            if (i > 0)
                assert_true(gr_origin_compare(&value[i - 1]->origin, &value[i]->origin) < 0);
        }
        hidden += winner != NULL && gr_sibling_due(winner, now) && count > 0;
        several += count > 1;
        assert_memory_equal(sibling, before, record.count * sizeof *sibling); // R4
    }
    assert_true(hidden > 50 && several > 500);
}

static void test_due(void **state)
{
    (void)state;
    struct gr_sibling never = {0}, ten = {.expires = {10}};
    assert_false(gr_sibling_due(&never, at(INT64_MAX)));
    assert_false(gr_sibling_due(&ten, at(9)));
    assert_true(gr_sibling_due(&ten, at(10)));
}

// A due winner hides the key: the older value must not come back into sight.
static void test_due_winner_hides(void **state)
{
    (void)state;
    struct gr_sibling sibling[] = {
        {.dot = dot_of(0, 1), .origin = {.time = 1}},
        {.dot = dot_of(1, 1), .origin = {.time = 2}, .expires = {10}},
    };
    struct gr_record record = {.sibling = sibling, .count = 2};
    assert_ptr_equal(gr_record_winner(&record), &sibling[1]);
    assert_true(gr_sibling_due(gr_record_winner(&record), at(10)));
    struct gr_record kept = gr_record_drop_due(&arena, &record, at(10));
    assert_int_equal(kept.count, 2);
    // Without the older one it may go.
    record = (struct gr_record){.sibling = &sibling[1], .count = 1};
    kept = gr_record_drop_due(&arena, &record, at(10));
    assert_int_equal(kept.count, 0);
    gr_arena_deinit(&arena);
}

// A touch is a later state of the same value: it decides when that is due, and revives no other.
static void test_touch(void **state)
{
    (void)state;
    struct gr_sibling sibling[] = {
        {.dot = dot_of(0, 1), .origin = {.time = 5}, .expires = {10}},
        {.dot = dot_of(1, 1), .origin = {.time = 5}, .touch = 6}, // PERSIST
        {.dot = dot_of(2, 1), .origin = {.time = 4}, .touch = 9}, // of an older put
    };
    struct gr_record record = {.sibling = sibling, .count = 3};
    assert_ptr_equal(gr_record_winner(&record), &sibling[1]);
    const struct gr_sibling *value[3];
    assert_int_equal(gr_record_values(&record, at(100), value), 2);
    assert_ptr_equal(value[0], &sibling[2]);
    assert_ptr_equal(value[1], &sibling[1]);
    assert_true(gr_record_time_max(&record) == 9);
    assert_true(gr_record_time_max(&GR_RECORD_NOTHING) == 0);
    // An expiry that came later hides the value although the put has none.
    sibling[0].expires = at(0);
    sibling[1].expires = at(10);
    assert_int_equal(gr_record_values(&record, at(10), value), 1);
    assert_ptr_equal(value[0], &sibling[2]);
    assert_int_equal(gr_record_drop_due(&arena, &record, at(10)).count, 3);
    gr_arena_deinit(&arena);
}

typedef struct gr_record drop_function(
    struct gr_arena *arena, const struct gr_record *record, struct gr_wall now);

// The dot of what the plain face shows, or no dot.
static struct gr_dot shown(const struct gr_record *record, struct gr_wall now)
{
    const struct gr_sibling *winner = gr_record_winner(record);
    return winner == NULL || gr_sibling_due(winner, now) ? (struct gr_dot){0} : winner->dot;
}

static bool same_values(const struct gr_record *a, const struct gr_record *b, struct gr_wall now)
{
    const struct gr_sibling *x[VIEWED_MAX], *y[VIEWED_MAX];
    uint32_t count = gr_record_values(a, now, x);
    if (gr_record_values(b, now, y) != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!gr_dot_equal(&x[i]->dot, &y[i]->dot))
            return false;
    return true;
}

// What is dropped was due, goes as soon as nothing older would come into sight, and is missed by
// no view from then on.
static bool drops(drop_function *drop, uint32_t *ret_dropped)
{
    bool right = true;
    for (int round = 0; round < 3000; round++) {
        struct gr_sibling sibling[VIEWED_MAX];
        struct gr_record record = random_viewed(sibling);
        struct gr_wall now = at(1 + (int64_t)gr_random_below(&rng, TIMES));
        struct gr_record kept = drop(&arena, &record, now);
        *ret_dropped += record.count - kept.count;
        bool all_due = true;
        for (uint32_t i = 0; i < record.count; i++) {
            bool due = gr_sibling_due(&sibling[i], now);
            all_due = all_due && due;
            right = right && (due || gr_record_find(&kept, &sibling[i].dot) != NULL);
        }
        right = right && (!all_due || kept.count == 0);
        right = right && gr_context_equal(&kept.context, &record.context);
        for (int64_t later = now.ms; later <= TIMES + 1; later++) {
            struct gr_dot a = shown(&record, at(later)), b = shown(&kept, at(later));
            right = right && gr_dot_equal(&a, &b) && same_values(&record, &kept, at(later));
        }
        gr_arena_deinit(&arena);
    }
    return right;
}

// Canaries: all that is due; nothing.
static struct gr_record drop_all(
    struct gr_arena *to, const struct gr_record *record, struct gr_wall now)
{
    struct gr_sibling *out = gr_arena_array(to, struct gr_sibling, record->count);
    struct gr_record kept = {.sibling = out, .context = record->context};
    for (uint32_t i = 0; i < record->count; i++)
        if (!gr_sibling_due(&record->sibling[i], now))
            out[kept.count++] = record->sibling[i];
    return kept;
}

static struct gr_record drop_none(
    struct gr_arena *to, const struct gr_record *record, struct gr_wall now)
{
    (void)to, (void)now;
    return *record;
}

static void test_drop_due(void **state)
{
    (void)state;
    uint32_t dropped = 0, more = 0, none = 0;
    assert_true(drops(gr_record_drop_due, &dropped));
    assert_true(dropped > 1000);
    assert_false(drops(drop_all, &more));
    assert_false(drops(drop_none, &none));
}

static void test_hybrid(void **state)
{
    (void)state;
    gr_hybrid hybrid = gr_hybrid_from(at(1700000000123));
    assert_true(gr_hybrid_ms(hybrid) == 1700000000123);
    assert_true(gr_hybrid_ms(hybrid + UINT16_MAX) == 1700000000123);
    assert_true(hybrid + UINT16_MAX < gr_hybrid_from(at(1700000000124)));
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

static int seed(void **state)
{
    (void)state;
    gr_random_init(&rng, 2007);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_merge, seed),
        cmocka_unit_test_setup(test_merge_canaries, seed),
        cmocka_unit_test_setup(test_merge_bare, seed),
        cmocka_unit_test_setup(test_strip_and_fill, seed),
        cmocka_unit_test_setup(test_delete, seed),
        cmocka_unit_test_setup(test_copy_and_find, seed),
        cmocka_unit_test_setup(test_winner_and_values, seed),
        cmocka_unit_test_setup(test_due, seed),
        cmocka_unit_test_setup(test_due_winner_hides, seed),
        cmocka_unit_test_setup(test_touch, seed),
        cmocka_unit_test_setup(test_drop_due, seed),
        cmocka_unit_test_setup(test_hybrid, seed),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, nothing_is_left);
}
