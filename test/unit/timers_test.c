// timers.h: timers come due in the order of their instants, and equal ones in the order of setting;
// compared with a plain list that is searched from end to end.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "base/timers.h"
#include "test/hooks.h"

enum { TIMERS = 300 };

struct reference {
    bool set;
    int64_t at;
    uint64_t order;
};

// Which timer is next: the soonest, of equal ones the first set, or with `last` the last (a
// canary).
static int next_of(const struct reference *reference, bool last)
{
    int next = -1;
    for (int i = 0; i < TIMERS; i++) {
        const struct reference *one = &reference[i], *best = &reference[GR_MAX(next, 0)];
        if (!one->set)
            continue;
        bool earlier = last ? one->order > best->order : one->order < best->order;
        if (next < 0 || one->at < best->at || (one->at == best->at && earlier))
            next = i;
    }
    return next;
}

// Random setting, moving, stopping and taking; true if both agree throughout.
static bool agrees(uint64_t seed, bool last)
{
    static struct gr_timer timer[TIMERS];
    static struct reference reference[TIMERS];
    struct gr_timers timers = {0};
    struct gr_random random;
    gr_random_init(&random, seed);
    for (int i = 0; i < TIMERS; i++) {
        timer[i] = (struct gr_timer){0};
        reference[i] = (struct reference){0};
    }
    bool same = true;
    uint64_t order = 0;
    int64_t now = 0;
    for (int round = 0; round < 10000 && same; round++) {
        uint64_t kind = gr_random_below(&random, 100);
        int i = (int)gr_random_below(&random, TIMERS);
        if (kind < 50) {
            int64_t at = now + (int64_t)gr_random_below(&random, 100) - 10;
            gr_timer_set(&timers, &timer[i], (struct gr_instant){at});
            reference[i] = (struct reference){true, at, ++order};
        } else if (kind < 60) {
            gr_timer_stop(&timers, &timer[i]);
            reference[i].set = false;
        } else {
            now += (int64_t)gr_random_below(&random, 4);
            struct gr_timer *taken;
            while (same && (taken = gr_timers_take(&timers, (struct gr_instant){now})) != NULL) {
                int next = next_of(reference, last);
                same = next >= 0 && taken == &timer[next] && reference[next].at <= now;
                if (same)
                    reference[next].set = false;
            }
            int next = next_of(reference, last);
            same = same && (next < 0 || reference[next].at > now);
            same =
                same && gr_timers_next(&timers).ns == (next < 0 ? INT64_MAX : reference[next].at);
        }
    }
    gr_timers_deinit(&timers);
    return same;
}

static void test_like_a_sorted_list(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++)
        assert_true(agrees(seed, false));
    assert_false(agrees(0, true));
}

static void test_equal_instants(void **state)
{
    (void)state;
    struct gr_timers timers = {0};
    struct gr_timer timer[100] = {0};
    for (uint32_t i = 0; i < GR_COUNT(timer); i++)
        gr_timer_set(&timers, &timer[i], (struct gr_instant){5});
    gr_timer_set(&timers, &timer[0], (struct gr_instant){5}); // set again: behind the others
    assert_null(gr_timers_take(&timers, (struct gr_instant){4}));
    for (uint32_t i = 1; i < GR_COUNT(timer); i++)
        assert_ptr_equal(gr_timers_take(&timers, (struct gr_instant){5}), &timer[i]);
    assert_ptr_equal(gr_timers_take(&timers, (struct gr_instant){5}), &timer[0]);
    assert_int_equal(timers.count, 0);
    gr_timers_deinit(&timers);
}

static void test_not_set(void **state)
{
    (void)state;
    struct gr_timers timers = {0};
    struct gr_timer timer = {0};
    assert_true(gr_timers_next(&timers).ns == GR_NEVER.ns);
    assert_null(gr_timers_take(&timers, GR_NEVER));
    gr_timer_stop(&timers, &timer);
    gr_timer_set(&timers, &timer, (struct gr_instant){1});
    assert_int_equal(timer.place, 1);
    gr_timer_stop(&timers, &timer);
    gr_timer_stop(&timers, &timer);
    assert_int_equal(timer.place, 0);
    assert_null(gr_timers_take(&timers, GR_NEVER));
    gr_timers_deinit(&timers);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_sorted_list),
        cmocka_unit_test(test_equal_instants),
        cmocka_unit_test(test_not_set),
    };
    return cmocka_run_group_tests_name("timers", tests, NULL, nothing_is_left);
}
