// clock.h against the plainest thing it could be: a set of dots, one bit for each.
//
// Four actors with counters 1..40 make four words of bits. Every operation is done to both, and the
// C state must be the one that these bits have: I1, I2. Each check is also shown a wrong variant,
// which it must refuse, so that no property here holds for want of cases.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/clock.h"
#include "test/hooks.h"

enum { ACTORS = 4, COUNTERS = 40 };

// A set of dots: bit n - 1 of actor a is the dot (a, n).
struct dots {
    uint64_t of[ACTORS];
};

// Not in order of their index, alike in one half or the other.
static const struct gr_actor actor[ACTORS] = {
    {7, (uint64_t)1 << 32}, {7, 3}, {UINT64_MAX, 0}, {7, UINT64_MAX}};
// The same, sorted.
static const int sorted[ACTORS] = {1, 0, 3, 2};

static struct gr_random rng;
static struct gr_arena arena;

static struct gr_dot dot_of(int a, uint64_t counter)
{
    return (struct gr_dot){actor[a], counter};
}

static bool has(const struct dots *dots, int a, uint64_t counter)
{
    return counter > 0 && counter <= COUNTERS && (dots->of[a] >> (counter - 1) & 1) != 0;
}

static uint64_t base_of(const struct dots *dots, int a)
{
    uint64_t base = 0;
    while (has(dots, a, base + 1))
        base++;
    return base;
}

static uint64_t bits(uint64_t first, uint64_t last)
{
    return (((uint64_t)1 << last) - 1) & ~(((uint64_t)1 << (first - 1)) - 1);
}

static struct dots either(struct dots a, struct dots b)
{
    for (int i = 0; i < ACTORS; i++)
        a.of[i] |= b.of[i];
    return a;
}

static bool is_within(struct dots a, struct dots b)
{
    bool within = true;
    for (int i = 0; i < ACTORS; i++)
        within = within && (a.of[i] & ~b.of[i]) == 0;
    return within;
}

// Some dots: often a run from 1, and some more of any density, or none.
static struct dots random_dots(void)
{
    struct dots dots = {0};
    for (int a = 0; a < ACTORS; a++) {
        if (gr_random_chance(&rng, 300))
            continue;
        if (gr_random_chance(&rng, 600))
            dots.of[a] = bits(1, 1 + gr_random_below(&rng, 20));
        uint32_t density = (uint32_t)gr_random_below(&rng, 1000);
        for (uint64_t n = 1; n <= COUNTERS; n++)
            if (gr_random_chance(&rng, density))
                dots.of[a] |= bits(n, n);
    }
    return dots;
}

// ---- dots ----------------------------------------------------------------------------------

static void test_order(void **state)
{
    (void)state;
    for (int i = 0; i < ACTORS; i++)
        for (int k = 0; k < ACTORS; k++) {
            int order = gr_actor_compare(actor[sorted[i]], actor[sorted[k]]);
            assert_int_equal(order < 0, i < k);
            assert_int_equal(order > 0, i > k);
            struct gr_dot a = dot_of(sorted[i], 5), b = dot_of(sorted[k], 6);
            assert_int_equal(gr_dot_compare(&a, &b) < 0, i <= k);
            assert_int_equal(gr_dot_compare(&b, &a) > 0, i <= k);
            b.counter = 5;
            assert_int_equal(gr_dot_equal(&a, &b), i == k);
        }
}

// ---- contexts ------------------------------------------------------------------------------

// The one normal form of these dots (I1), into static room that the next call but three reuses.
static struct gr_context normal_form(const struct dots *dots)
{
    static struct gr_dot room[4][ACTORS + ACTORS * COUNTERS];
    static unsigned next;
    struct gr_dot *vv = room[next++ % 4], *cloud = vv + ACTORS;
    struct gr_context context = {.vv = vv, .cloud = cloud};
    for (int i = 0; i < ACTORS; i++) {
        uint64_t base = base_of(dots, sorted[i]);
        if (base > 0)
            vv[context.vv_count++] = dot_of(sorted[i], base);
        for (uint64_t n = base + 1; n <= COUNTERS; n++)
            if (has(dots, sorted[i], n))
                cloud[context.cloud_count++] = dot_of(sorted[i], n);
    }
    return context;
}

static void shuffle(struct gr_dot *dot, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint64_t with = gr_random_below(&rng, i);
        struct gr_dot swap = dot[i - 1];
        dot[i - 1] = dot[with];
        dot[with] = swap;
    }
}

// These dots in some way that is not the normal form: any order, some twice, some of the run as
// single dots, several tops of one actor, and numbers that say nothing.
static struct gr_context made_of(const struct dots *dots)
{
    struct gr_dot vv[4 * ACTORS], cloud[3 * ACTORS * COUNTERS];
    uint32_t vv_count = 0, cloud_count = 0;
    for (int a = 0; a < ACTORS; a++) {
        uint64_t base = base_of(dots, a);
        uint64_t top = gr_random_below(&rng, base + 1);
        vv[vv_count++] = dot_of(a, top);
        for (uint64_t i = gr_random_below(&rng, 3); i > 0; i--)
            vv[vv_count++] = dot_of(a, gr_random_below(&rng, top + 1));
        if (gr_random_chance(&rng, 100))
            cloud[cloud_count++] = dot_of(a, 0);
        for (uint64_t n = 1; n <= COUNTERS; n++)
            if (has(dots, a, n) && (n > top || gr_random_chance(&rng, 200)))
                for (uint64_t i = 1 + gr_random_below(&rng, 2); i > 0; i--)
                    cloud[cloud_count++] = dot_of(a, n);
    }
    shuffle(vv, vv_count);
    shuffle(cloud, cloud_count);
    return gr_context_make(&arena, vv, vv_count, cloud, cloud_count);
}

static bool is_context(const struct gr_context *context, const struct dots *dots)
{
    struct gr_context want = normal_form(dots);
    bool right = gr_context_equal(context, &want);
    right = right && (context->vv_count > 0 || context->vv == NULL);
    right = right && (context->cloud_count > 0 || context->cloud == NULL);
    for (int a = 0; a < ACTORS; a++)
        for (uint64_t n = 1; n <= COUNTERS + 1; n++) {
            struct gr_dot dot = dot_of(a, n);
            right = right && gr_context_covers(context, &dot) == has(dots, a, n);
        }
    return right;
}

static void test_context_has_one_form(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct dots dots = random_dots();
        struct gr_context context = made_of(&dots), again = made_of(&dots);
        assert_true(is_context(&context, &dots));
        assert_true(gr_context_equal(&context, &again));
        // Another set is another context.
        struct dots more = dots;
        more.of[round % ACTORS] ^=
            bits(1 + (uint64_t)round % COUNTERS, 1 + (uint64_t)round % COUNTERS);
        again = made_of(&more);
        assert_false(gr_context_equal(&context, &again));
        assert_false(is_context(&again, &dots));
        gr_arena_deinit(&arena);
    }
}

typedef struct gr_context join_function(
    struct gr_arena *arena, const struct gr_context *a, const struct gr_context *b);

static bool joins(join_function *join)
{
    bool right = true;
    for (int round = 0; round < 1000; round++) {
        struct dots x = random_dots(), y = random_dots();
        if (round % 4 == 0)
            y = either(x, y);
        struct gr_context a = made_of(&x), b = made_of(&y);
        struct gr_context ab = join(&arena, &a, &b), ba = join(&arena, &b, &a);
        struct gr_context aa = join(&arena, &a, &a), aab = join(&arena, &a, &ab);
        struct dots both = either(x, y);
        right = right && is_context(&ab, &both) && gr_context_equal(&ab, &ba) &&
                gr_context_equal(&aa, &a) && gr_context_equal(&aab, &ab) && is_context(&a, &x) &&
                is_context(&b, &y);
        gr_arena_deinit(&arena);
    }
    return right;
}

// Canary: takes the larger tops and all single dots, and does not look what continues what.
static struct gr_context join_side_by_side(
    struct gr_arena *to, const struct gr_context *a, const struct gr_context *b)
{
    struct gr_context tops = {.vv = a->vv, .vv_count = a->vv_count}, other = *b;
    other.cloud_count = 0;
    tops = gr_context_join(to, &tops, &other);
    struct gr_context clouds = {.cloud = a->cloud, .cloud_count = a->cloud_count};
    other = (struct gr_context){.cloud = b->cloud, .cloud_count = b->cloud_count};
    clouds = gr_context_join(to, &clouds, &other);
    tops.cloud = clouds.cloud;
    tops.cloud_count = clouds.cloud_count;
    return tops;
}

// Canary: forgets the single dots of the second.
static struct gr_context join_tops(
    struct gr_arena *to, const struct gr_context *a, const struct gr_context *b)
{
    struct gr_context tops = {.vv = b->vv, .vv_count = b->vv_count};
    return gr_context_join(to, a, &tops);
}

static void test_context_join(void **state)
{
    (void)state;
    assert_true(joins(gr_context_join));
    assert_false(joins(join_side_by_side));
    assert_false(joins(join_tops));
}

static bool includes_tops(const struct gr_context *a, const struct gr_context *b)
{
    struct gr_context tops = {.vv = b->vv, .vv_count = b->vv_count};
    return gr_context_includes(a, &tops);
}

static void test_context_includes(void **state)
{
    (void)state;
    uint32_t yes = 0, no = 0, told_apart = 0;
    for (int round = 0; round < 3000; round++) {
        struct dots x = random_dots(), y = random_dots();
        if (round % 2 == 0) { // half of them included, or nearly
            y = either(x, y);
            if (round % 4 == 0)
                y.of[round / 4 % ACTORS] &= ~bits(1 + gr_random_below(&rng, 8), COUNTERS);
        }
        struct gr_context a = made_of(&x), b = made_of(&y);
        bool want = is_within(x, y);
        assert_int_equal(gr_context_includes(&b, &a), want);
        told_apart += includes_tops(&b, &a) != want;
        yes += want;
        no += !want;
        gr_arena_deinit(&arena);
    }
    assert_true(yes > 300 && no > 300 && told_apart > 0);
}

static void test_context_copy(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct dots dots = random_dots();
        struct gr_arena first = {0};
        struct gr_context context = made_of(&dots);
        struct gr_context copy = gr_context_copy(&first, &context);
        gr_arena_deinit(&arena); // the copy stands alone
        assert_true(is_context(&copy, &dots));
        gr_arena_deinit(&first);
    }
}

static void test_context_of_nothing(void **state)
{
    (void)state;
    struct gr_context nothing = GR_CONTEXT_NOTHING;
    struct gr_dot zero = dot_of(0, 0), one = dot_of(0, 1);
    assert_true(gr_context_empty(&nothing));
    assert_false(gr_context_covers(&nothing, &one));
    struct gr_context made = gr_context_make(&arena, &zero, 1, &zero, 1);
    assert_true(gr_context_empty(&made));
    made = gr_context_make(&arena, NULL, 0, NULL, 0);
    assert_true(gr_context_empty(&made));
    made = gr_context_join(&arena, &nothing, &nothing);
    assert_true(gr_context_empty(&made));
    assert_true(gr_context_includes(&nothing, &nothing));
    assert_true(gr_context_equal(&nothing, &made));
    gr_arena_deinit(&arena);
}

// A peer can say any number: the largest must not wrap around to none.
static void test_context_at_the_end(void **state)
{
    (void)state;
    struct gr_dot top = dot_of(0, UINT64_MAX), zero = dot_of(0, 0), below = dot_of(0, 77);
    struct gr_context context = gr_context_make(&arena, &top, 1, &zero, 1);
    assert_true(gr_context_covers(&context, &top));
    assert_true(gr_context_covers(&context, &below));
    struct gr_dot last[2] = {top, dot_of(0, UINT64_MAX - 1)};
    context = gr_context_make(&arena, NULL, 0, last, 2);
    assert_int_equal(context.cloud_count, 2);
    assert_true(gr_context_covers(&context, &top));
    assert_false(gr_context_covers(&context, &below));
    gr_arena_deinit(&arena);
}

// Enough actors and dots that sorting and searching have something to do.
static void test_context_large(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    static struct gr_dot vv[COUNT], cloud[COUNT];
    for (int round = 0; round < 20; round++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            vv[i] = (struct gr_dot){{i * 0x9e3779b97f4a7c15, i % 3}, 1 + i % 5};
            cloud[i] = (struct gr_dot){vv[i].actor, 8 + i % 7};
        }
        shuffle(vv, COUNT);
        shuffle(cloud, COUNT);
        struct gr_context context = gr_context_make(&arena, vv, COUNT, cloud, COUNT);
        assert_int_equal(context.vv_count, COUNT);
        assert_int_equal(context.cloud_count, COUNT);
        for (uint32_t i = 0; i < COUNT; i++) {
            assert_true(gr_context_covers(&context, &vv[i]));
            assert_true(gr_context_covers(&context, &cloud[i]));
            struct gr_dot above = vv[i];
            above.counter++;
            assert_false(gr_context_covers(&context, &above));
            if (i > 0) {
                assert_true(gr_dot_compare(&context.vv[i - 1], &context.vv[i]) < 0);
                assert_true(gr_dot_compare(&context.cloud[i - 1], &context.cloud[i]) < 0);
            }
        }
        gr_arena_deinit(&arena);
    }
}

// ---- clocks --------------------------------------------------------------------------------

// I2, and the same dots as the bits.
static bool is_clock(const struct gr_clock *clock, const struct dots *dots)
{
    uint32_t rows = 0;
    for (int a = 0; a < ACTORS; a++) {
        rows += dots->of[a] != 0;
        if (gr_clock_base(clock, actor[a]) != base_of(dots, a))
            return false;
        for (uint64_t n = 1; n <= COUNTERS + 1; n++) {
            struct gr_dot dot = dot_of(a, n);
            if (gr_clock_has(clock, &dot) != has(dots, a, n))
                return false;
        }
    }
    if (clock->count != rows)
        return false;
    for (uint32_t i = 0; i < clock->count; i++) {
        const struct gr_clock_row *row = &clock->row[i];
        if (gr_clock_row(clock, row->actor) != row)
            return false;
        if (i > 0 && gr_actor_compare(clock->row[i - 1].actor, row->actor) >= 0)
            return false;
        uint64_t before = row->base;
        for (uint32_t k = 0; k < row->interval_count; k++) {
            if (row->interval[k].first <= before + 1 ||
                row->interval[k].last < row->interval[k].first)
                return false;
            before = row->interval[k].last;
        }
    }
    struct dots bases = {0};
    for (int a = 0; a < ACTORS; a++)
        if (base_of(dots, a) > 0)
            bases.of[a] = bits(1, base_of(dots, a));
    struct gr_context fill = gr_clock_fill(&arena, clock);
    bool right = is_context(&fill, &bases);
    gr_arena_deinit(&arena);
    return right;
}

// These dots in a clock, by dots or by intervals, in any order.
static struct gr_clock clock_of(const struct dots *dots)
{
    struct gr_clock clock = {0};
    struct gr_dot dot[ACTORS * COUNTERS];
    uint32_t count = 0;
    for (int a = 0; a < ACTORS; a++)
        for (uint64_t n = 1; n <= COUNTERS; n++)
            if (has(dots, a, n))
                dot[count++] = dot_of(a, n);
    shuffle(dot, count);
    for (uint32_t i = 0; i < count; i++)
        gr_clock_add(&clock, &dot[i]);
    return clock;
}

static void test_clock_add(void **state)
{
    (void)state;
    for (int round = 0; round < 100; round++) {
        struct gr_clock clock = {0};
        struct dots dots = {0};
        assert_true(is_clock(&clock, &dots));
        for (int i = 0; i < 100; i++) {
            int a = (int)gr_random_below(&rng, ACTORS);
            uint64_t first = 1 + gr_random_below(&rng, COUNTERS);
            if (gr_random_chance(&rng, 150)) {
                uint64_t last = first + gr_random_below(&rng, GR_MIN(8, COUNTERS - first) + 1);
                last = GR_MIN(last, COUNTERS);
                gr_clock_add_interval(&clock, actor[a], (struct gr_interval){first, last});
                dots.of[a] |= bits(first, last);
            } else {
                struct gr_dot dot = dot_of(a, first);
                assert_int_equal(gr_clock_add(&clock, &dot), !has(&dots, a, first));
                dots.of[a] |= bits(first, first);
            }
            assert_true(is_clock(&clock, &dots));
        }
        gr_clock_deinit(&clock);
    }
}

typedef void clock_join_function(struct gr_clock *clock, const struct gr_clock *other);

static bool clocks_join(clock_join_function *join)
{
    bool right = true;
    for (int round = 0; round < 400; round++) {
        struct dots x = random_dots(), y = random_dots(), z = either(x, y);
        struct gr_clock a = clock_of(&x), b = clock_of(&y), ab = clock_of(&x), ba = clock_of(&y);
        join(&ab, &b);
        join(&ba, &a);
        right = right && is_clock(&ab, &z) && gr_clock_equal(&ab, &ba) && is_clock(&b, &y);
        join(&ab, &a);
        right = right && is_clock(&ab, &z);
        right = right && gr_clock_equal(&a, &ab) == is_within(y, x);
        gr_clock_deinit(&a);
        gr_clock_deinit(&b);
        gr_clock_deinit(&ab);
        gr_clock_deinit(&ba);
    }
    return right;
}

// Canary: forgets the dots beyond the gap.
static void join_bases(struct gr_clock *clock, const struct gr_clock *other)
{
    for (uint32_t i = 0; i < other->count; i++)
        if (other->row[i].base > 0)
            gr_clock_add_interval(
                clock, other->row[i].actor, (struct gr_interval){1, other->row[i].base});
}

// Canary: takes for seen all up to the last dot.
static void join_tops_of_rows(struct gr_clock *clock, const struct gr_clock *other)
{
    join_bases(clock, other);
    for (uint32_t i = 0; i < other->count; i++) {
        const struct gr_clock_row *row = &other->row[i];
        if (row->interval_count > 0)
            gr_clock_add_interval(clock, row->actor,
                (struct gr_interval){1, row->interval[row->interval_count - 1].last});
    }
}

static void test_clock_join(void **state)
{
    (void)state;
    assert_true(clocks_join(gr_clock_join));
    assert_false(clocks_join(join_bases));
    assert_false(clocks_join(join_tops_of_rows));
}

static void test_clock_lacks(void **state)
{
    (void)state;
    for (int round = 0; round < 400; round++) {
        struct dots x = random_dots(), y = random_dots();
        struct gr_clock a = clock_of(&x), b = clock_of(&y);
        int want = 0;
        for (int i = 0; i < ACTORS; i++)
            want += __builtin_popcountll(y.of[i] & ~x.of[i]);
        assert_true(gr_clock_lacks(&a, &b) == (uint64_t)want);
        assert_int_equal(gr_clock_includes(&a, &b), want == 0);
        gr_clock_deinit(&a);
        gr_clock_deinit(&b);
    }
}

static void test_clock_last_run(void **state)
{
    (void)state;
    for (unsigned some = 0; some < 1u << ACTORS; some++) {
        struct gr_clock clock = {0};
        uint64_t want[2] = {0, 0};
        for (int a = 0; a < ACTORS; a++) {
            if (!(some >> a & 1))
                continue;
            struct gr_dot dot = {actor[a], 9};
            assert_true(gr_clock_add(&clock, &dot));
            uint64_t *of = &want[actor[a].store == 7 ? 0 : 1];
            *of = GR_MAX(*of, actor[a].run);
        }
        assert_true(gr_clock_last_run(&clock, 7) == want[0]);
        assert_true(gr_clock_last_run(&clock, UINT64_MAX) == want[1]);
        assert_true(gr_clock_last_run(&clock, 6) == 0);
        assert_true(gr_clock_last_run(&clock, 8) == 0);
        gr_clock_deinit(&clock);
    }
}

static void test_clock_of_nothing(void **state)
{
    (void)state;
    struct gr_clock nothing = {0}, other = {0};
    struct gr_dot dot = dot_of(0, 3);
    assert_false(gr_clock_has(&nothing, &dot));
    assert_null(gr_clock_row(&nothing, actor[0]));
    gr_clock_join(&nothing, &other);
    assert_true(gr_clock_equal(&nothing, &other));
    gr_clock_add(&other, &dot);
    assert_false(gr_clock_equal(&nothing, &other));
    assert_non_null(gr_clock_row(&other, actor[0]));
    struct gr_context fill = gr_clock_fill(&arena, &other); // a gap: nothing to fill with
    assert_true(gr_context_empty(&fill));
    gr_arena_deinit(&arena);
    gr_clock_deinit(&other);
    gr_clock_deinit(&other);
    gr_clock_deinit(&nothing);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

static int seed(void **state)
{
    (void)state;
    gr_random_init(&rng, 1978);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_order, seed),
        cmocka_unit_test_setup(test_context_has_one_form, seed),
        cmocka_unit_test_setup(test_context_join, seed),
        cmocka_unit_test_setup(test_context_includes, seed),
        cmocka_unit_test_setup(test_context_copy, seed),
        cmocka_unit_test_setup(test_context_of_nothing, seed),
        cmocka_unit_test_setup(test_context_at_the_end, seed),
        cmocka_unit_test_setup(test_context_large, seed),
        cmocka_unit_test_setup(test_clock_add, seed),
        cmocka_unit_test_setup(test_clock_join, seed),
        cmocka_unit_test_setup(test_clock_lacks, seed),
        cmocka_unit_test_setup(test_clock_last_run, seed),
        cmocka_unit_test_setup(test_clock_of_nothing, seed),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, nothing_is_left);
}
