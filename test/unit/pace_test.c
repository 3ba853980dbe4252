// What is known of a pace: buckets of a second against a plain list, and estimates.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/pace.h"

#define SECOND INT64_C(1000000000)

static void test_minute(void **state)
{
    (void)state;
    struct gr_pace pace = {0};
    struct gr_instant now = {0};
    assert_true(gr_pace_minute(&pace, now, 0) == 0);
    gr_pace_add(&pace, now, 0, 5);
    gr_pace_add(&pace, now, 1, 7);
    assert_true(gr_pace_minute(&pace, now, 0) == 5);
    now.ns = 59 * SECOND;
    assert_true(gr_pace_minute(&pace, now, 0) == 5);
    now.ns = 60 * SECOND;
    assert_true(gr_pace_minute(&pace, now, 0) == 0);
    gr_pace_add(&pace, now, 0, 3);
    assert_true(gr_pace_minute(&pace, now, 0) == 3);
    assert_true(gr_pace_minute(&pace, now, 1) == 0);
    assert_true(pace.total[0] == 8 && pace.total[1] == 7);
}

// Against a list of everything that was added.
static void test_random(void **state)
{
    (void)state;
    enum { ADDED = 400 };
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct gr_random random;
        gr_random_init(&random, seed);
        struct gr_pace pace = {0};
        struct gr_instant now = {(int64_t)gr_random_below(&random, 1000) * SECOND};
        struct {
            int64_t second;
            uint32_t kind;
            uint64_t amount;
        } added[ADDED];
        for (int i = 0; i < ADDED; i++) {
            bool far = gr_random_chance(&random, 20);
            now.ns += (int64_t)gr_random_below(&random, (uint64_t)(far ? 200 : 2) * SECOND);
            added[i].second = now.ns / SECOND;
            added[i].kind = (uint32_t)gr_random_below(&random, GR_PACE_KINDS);
            added[i].amount = gr_random_below(&random, 1000);
            gr_pace_add(&pace, now, added[i].kind, added[i].amount);
            uint64_t minute[GR_PACE_KINDS] = {0};
            for (int k = 0; k <= i; k++)
                if (added[k].second > now.ns / SECOND - GR_PACE_SECONDS)
                    minute[added[k].kind] += added[k].amount;
            for (uint32_t kind = 0; kind < GR_PACE_KINDS; kind++)
                assert_true(gr_pace_minute(&pace, now, kind) == minute[kind]);
        }
    }
}

static void test_estimate(void **state)
{
    (void)state;
    struct gr_span ten = {10 * SECOND};
    assert_true(gr_pace_left_s(0, 0, (struct gr_span){0}) == 0);
    assert_true(gr_pace_left_s(5, 0, ten) == GR_PACE_UNKNOWN); // E1
    assert_true(gr_pace_left_s(5, 5, (struct gr_span){SECOND - 1}) == GR_PACE_UNKNOWN);
    assert_true(gr_pace_left_s(271, 103, ten) == 27);
    assert_true(gr_pace_left_s(1, 1000, ten) == 1); // rounded up
    assert_true(gr_pace_left_s(UINT64_MAX, 1, ten) > 0);
    assert_true(gr_pace_rate(230000, ten) == 23000);
    assert_true(gr_pace_rate(0, (struct gr_span){0}) == 0);
    assert_true(gr_pace_rate(UINT64_MAX, ten) > UINT64_MAX / 20);
    struct gr_instant since = {5 * SECOND};
    assert_true(gr_pace_span((struct gr_instant){7 * SECOND}, since).ns == 2 * SECOND);
    assert_true(gr_pace_span((struct gr_instant){700 * SECOND}, since).ns == 60 * SECOND);
    assert_true(gr_pace_span((struct gr_instant){0}, since).ns == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_minute),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_estimate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
