// throttle.h: fewer slices while the foreground suffers, more when it does not, never none (§6.5).
//
// Time is invented: a run is a list of seconds in which requests of a given latency end, and a
// background that takes every slice that it is given.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/throttle.h"
#include "test/hooks.h"

enum { MS = 1000000, PER_SECOND = 256, BURSTS = 128, SAMPLES_MAX = 400 };

#define SECOND INT64_C(1000000000)

static struct gr_throttle throttle;

// The default, and a start that is no round number of seconds.
static struct gr_instant begin(void)
{
    struct gr_throttle_config config = gr_throttle_config_default();
    gr_throttle_init(&throttle, &config);
    return (struct gr_instant){1234567890123};
}

// A second in which PER_SECOND requests take `ms` each and the background takes all it may, asking
// each time. Returns how many slices began.
static uint32_t pass_second(struct gr_instant *now, int64_t ms)
{
    uint32_t slices = 0;
    for (int i = 0; i < PER_SECOND; i++) {
        now->ns += SECOND / PER_SECOND;
        if (ms > 0)
            gr_throttle_sample(&throttle, *now, gr_span_ms(ms));
        while (gr_throttle_admit(&throttle, *now, 1))
            slices++;
    }
    return slices;
}

// Seconds of requests of `ms` each, and no background work.
static void pass_calm(struct gr_instant *now, int64_t ms, int seconds)
{
    for (int i = 0; i < seconds * PER_SECOND; i++) {
        now->ns += SECOND / PER_SECOND;
        gr_throttle_sample(&throttle, *now, gr_span_ms(ms));
    }
}

// Seconds until the background may begin as much as there is, by an eighth at most in each.
static int climb(struct gr_instant *now, int64_t ms)
{
    int seconds = 0;
    for (; throttle.slice_rate < throttle.config.slice_rate_max; seconds++) {
        uint32_t rate = throttle.slice_rate;
        (void)pass_second(now, ms);
        assert_true(throttle.slice_rate <= rate + rate / 8 + 1);
        assert_true(seconds < 60);
    }
    return seconds;
}

// T1, T3 and T4: it begins at the floor; from there it rises step by step; while requests are slow
// it falls to the floor and stays there; what is far too slow brings it there at once; without a
// foreground it is at full speed soon.
static void test_yields_and_recovers(void **state)
{
    (void)state;
    struct gr_instant now = begin();
    const struct gr_throttle_config *config = &throttle.config;
    assert_true(pass_second(&now, 0) <= config->slice_rate_min + 1);
    pass_calm(&now, 5, 3);
    assert_true(climb(&now, 5) > 30);
    uint32_t before = UINT32_MAX - 1;
    for (int s = 0; s < 12; s++) {
        uint32_t slices = pass_second(&now, 80);
        assert_true(slices <= before + 1);
        before = slices;
    }
    for (int s = 0; s < 200; s++) // the floor is kept however long it lasts
        assert_in_range(
            pass_second(&now, 80), config->slice_rate_min - 1, config->slice_rate_min + 1);
    assert_in_range(gr_throttle_p99(&throttle).ns, 80 * MS, 91 * MS);
    assert_true(climb(&now, 5) > 30);
    (void)pass_second(&now, 300);
    (void)pass_second(&now, 300);
    assert_int_equal(throttle.slice_rate, config->slice_rate_min);
    for (int s = 0; s < 6; s++)
        (void)pass_second(&now, 0);
    assert_int_equal(throttle.slice_rate, config->slice_rate_max);
    assert_int_equal(gr_throttle_p99(&throttle).ns, 0);
}

// T1: what the background does not use it does not keep, for the foreground has not borne it: not
// what it climbed to, and not what a silence gave it.
static void test_unused(void **state)
{
    (void)state;
    struct gr_instant now = begin();
    const struct gr_throttle_config *config = &throttle.config;
    pass_calm(&now, 5, 3);
    (void)climb(&now, 5);
    pass_calm(&now, 5, 60);
    assert_int_equal(throttle.slice_rate, config->slice_rate_min);
    for (int s = 0; s < 6; s++)
        (void)pass_second(&now, 0);
    assert_int_equal(throttle.slice_rate, config->slice_rate_max);
    for (int s = 0; s < 20; s++) // 1,000 a second is all that there is to do
        for (int i = 0; i < 1000; i++) {
            now.ns += SECOND / 1000;
            gr_throttle_sample(&throttle, now, gr_span_ms(5));
            (void)gr_throttle_admit(&throttle, now, 1);
        }
    assert_in_range(throttle.slice_rate, 1700, 2300);
}

// The p99, not the mean and not the worst: one slow request in a hundred is borne, two are not.
static void test_percentile(void **state)
{
    (void)state;
    for (int slow = 0; slow <= 2; slow++) {
        struct gr_instant now = begin();
        for (int i = 0; i < 4000; i++) {
            now.ns += SECOND / 100;
            gr_throttle_sample(&throttle, now, gr_span_ms(i % 100 >= 100 - slow ? 1000 : 1));
        }
        assert_int_equal(throttle.slow, slow == 2);
        assert_int_equal(gr_throttle_p99(&throttle).ns >= 1000 * (int64_t)MS, slow == 2);
    }
    (void)begin();
    assert_int_equal(gr_throttle_p99(&throttle).ns, 0);
}

// T1: where there are few requests a look lasts a minute, and no single one of them stops anything.
static void test_sparse(void **state)
{
    (void)state;
    struct gr_instant now = {1000 * SECOND};
    struct gr_throttle_config config = gr_throttle_config_default();
    gr_throttle_init(&throttle, &config);
    for (int s = 0; s < 50; s++) {
        (void)pass_second(&now, 0);
        gr_throttle_sample(&throttle, now, gr_span_ms(s == 5 ? 1000 : 5));
    }
    assert_int_equal(throttle.slice_rate, config.slice_rate_max);
    for (int s = 0; s < 12; s++) {
        (void)pass_second(&now, 0);
        gr_throttle_sample(&throttle, now, gr_span_ms(5));
    }
    assert_in_range(throttle.slice_rate, config.slice_rate_max / 2, config.slice_rate_max / 2 + 1);
    assert_true(throttle.slow && gr_throttle_p99(&throttle).ns >= 1000 * (int64_t)MS);
}

// T2: after any silence a burst is at most a 128th of a second's worth; a larger piece waits for as
// much and is then owed.
static void test_burst(void **state)
{
    (void)state;
    struct gr_instant now = begin();
    (void)gr_throttle_admit(&throttle, now, 1); // the first call begins the time
    static const int64_t silence[] = {10, 59, 60, 61, 64, 65, 66, 67, 1000, 100000};
    for (size_t i = 0; i < GR_COUNT(silence); i++) {
        now.ns += silence[i] * SECOND;
        uint32_t burst = 0;
        while (gr_throttle_admit(&throttle, now, 1))
            burst++;
        assert_int_equal(burst, throttle.config.slice_rate_max / BURSTS);
    }
    uint32_t large = 3 * throttle.config.slice_rate_max;
    assert_false(gr_throttle_admit(&throttle, now, large));
    struct gr_instant whole = gr_throttle_next(&throttle, now, large);
    assert_true(whole.ns > now.ns && whole.ns <= now.ns + SECOND / BURSTS);
    now = whole;
    assert_true(gr_throttle_admit(&throttle, now, large));
    assert_false(gr_throttle_admit(&throttle, now, 1));
    now.ns += 2 * SECOND + SECOND * (BURSTS - 1) / BURSTS;
    assert_false(gr_throttle_admit(&throttle, now, 1));
    struct gr_instant next = gr_throttle_next(&throttle, now, 1);
    assert_true(next.ns > now.ns && next.ns <= now.ns + SECOND / 100);
    assert_true(gr_throttle_admit(&throttle, next, 1));
}

// The plainest throttle: every sample of a look in a list, sorted when it ends.
struct plain {
    struct gr_throttle_config config;
    int64_t us[SAMPLES_MAX];
    int count;
    uint32_t rate;
    bool slow;
};

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return left < right ? -1 : left > right;
}

// The look is over, with this target. What is too near to it to tell in buckets of an eighth is
// taken from the other.
static void plain_judge(struct plain *plain, int64_t target_us)
{
    qsort(plain->us, (size_t)plain->count, sizeof *plain->us, compare);
    int64_t p99 = plain->us[plain->count - 1 - plain->count / 100];
    plain->count = 0;
    bool near = p99 * 8 > target_us * 7 && p99 * 8 < target_us * 9 + 8;
    plain->slow = near ? throttle.slow : p99 > target_us;
    int64_t far = 2 * plain->config.target.ns / 1000;
    if (p99 > far)
        plain->rate = plain->config.slice_rate_min;
    else if (p99 * 9 > far * 8 && throttle.slice_rate == plain->config.slice_rate_min)
        plain->rate = throttle.slice_rate; // too near to tell
    else if (plain->slow)
        plain->rate /= 2;
}

static void plain_second(struct plain *plain, uint32_t slices, int64_t target_us)
{
    if (plain->count >= 200)
        plain_judge(plain, target_us);
    uint32_t step = GR_MAX(plain->rate / 8, 1);
    plain->rate = GR_MAX(plain->rate, plain->config.slice_rate_min);
    if (slices * 2 < plain->rate)
        plain->rate -= step;
    else if (!plain->slow)
        plain->rate += step;
    plain->rate = GR_MAX(plain->rate, plain->config.slice_rate_min);
    plain->rate = GR_MIN(plain->rate, plain->config.slice_rate_max);
}

// T1, T2, T4, T6 over random foregrounds: the rate moves as the plain one says, stays in its
// bounds, no second has more than it may, `next` is when the next slice is admitted, and twice is
// the same.
static void random_run(uint64_t seed, uint64_t *ret_slices, uint64_t *ret_turns)
{
    static struct plain plain;
    struct gr_random random;
    gr_random_init(&random, seed);
    struct gr_throttle_config config = {
        .target = gr_span_ms(1 + (int64_t)gr_random_below(&random, 80)),
        .slice_rate_min = 1 + (uint32_t)gr_random_below(&random, 20),
    };
    config.slice_rate_max = config.slice_rate_min + (uint32_t)gr_random_below(&random, 300);
    gr_throttle_init(&throttle, &config);
    plain = (struct plain){.config = config, .rate = config.slice_rate_min};
    struct gr_instant now = {100 * SECOND};
    int64_t center_us = 1000;
    bool demand = true;
    for (int s = 0; s < 200; s++) {
        if (gr_random_chance(&random, 100))
            center_us = 1 + (int64_t)gr_random_below(&random, 200000);
        if (gr_random_chance(&random, 100))
            demand = !demand;
        uint32_t rate = throttle.slice_rate, slices = 0;
        int64_t second = now.ns / SECOND;
        for (int i = 0, samples = 80 + (int)gr_random_below(&random, 60); i < samples; i++) {
            now.ns += 1 + (int64_t)gr_random_below(&random, SECOND / 100);
            if (now.ns / SECOND != second)
                now.ns = (second + 1) * SECOND - 1;
            int64_t us = center_us / 2 + (int64_t)gr_random_below(&random, (uint64_t)center_us);
            gr_throttle_sample(&throttle, now, (struct gr_span){us * 1000});
            plain.us[plain.count++] = us;
            assert_int_equal(throttle.slice_rate, rate);
            struct gr_instant next = gr_throttle_next(&throttle, now, 1);
            bool due = gr_instant_reached(now, next);
            if (!demand)
                continue;
            bool admitted = gr_throttle_admit(&throttle, now, 1);
            assert_int_equal(admitted, due);
            slices += admitted;
            while (gr_random_chance(&random, 500) && gr_throttle_admit(&throttle, now, 1))
                slices++;
        }
        assert_in_range(rate, config.slice_rate_min, config.slice_rate_max);
        assert_true(slices <= rate + GR_MAX(rate / BURSTS, 1) + 1);
        *ret_slices += slices;
        now.ns = (second + 1) * SECOND;
        gr_throttle_sample(&throttle, now, (struct gr_span){0}); // the next second has begun
        // What the target is, is another test's.
        plain_second(&plain, slices, gr_throttle_target(&throttle).ns / 1000);
        plain.us[plain.count++] = 0;
        assert_int_equal(throttle.slice_rate, plain.rate);
        *ret_turns = *ret_turns * 31 + throttle.slice_rate;
    }
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t slices[2] = {0}, turns[2] = {0};
        for (int i = 0; i < 2; i++)
            random_run(seed, &slices[i], &turns[i]);
        assert_true(slices[0] > 0);
        assert_true(slices[0] == slices[1] && turns[0] == turns[1]); // T6
    }
}

static void test_slices(void **state)
{
    (void)state;
    assert_int_equal(gr_throttle_slices(0, 0), 1);
    assert_int_equal(gr_throttle_slices(GR_SLICE_RECORDS, GR_SLICE_BYTES), 1);
    assert_int_equal(gr_throttle_slices(GR_SLICE_RECORDS + 1, 0), 2);
    assert_int_equal(gr_throttle_slices(1, 10 * GR_SLICE_BYTES), 10);
    assert_int_equal(gr_throttle_slices(UINT64_MAX, UINT64_MAX), UINT32_MAX);
}

// T5: what was fast by itself may become half as slow again, not as slow as the target.
static void test_calm(void **state)
{
    (void)state;
    struct gr_instant now = begin();
    const struct gr_throttle_config *config = &throttle.config;
    // Nothing is known yet: little is allowed.
    assert_int_equal(gr_throttle_target(&throttle).ns, config->target.ns / 32);
    pass_calm(&now, 8, 15);
    assert_in_range(gr_throttle_target(&throttle).ns, 10 * MS, 16 * MS);
    pass_calm(&now, 8, 1);
    struct gr_span target = gr_throttle_target(&throttle);
    (void)climb(&now, target.ns / MS - 2);
    for (int s = 0; s < 10; s++)
        (void)pass_second(&now, 25);
    assert_int_equal(throttle.slice_rate, config->slice_rate_min);
    // While the background is at work nothing is learned of a foreground without it.
    assert_int_equal(gr_throttle_target(&throttle).ns, target.ns);
    // One bad second teaches little, many teach: at most the configured target, at least a share.
    pass_calm(&now, 200, 1);
    assert_true(gr_throttle_target(&throttle).ns <= target.ns + target.ns / 8 + 1);
    pass_calm(&now, 200, 30);
    assert_int_equal(gr_throttle_target(&throttle).ns, config->target.ns);
    pass_calm(&now, 1, 75);
    assert_int_equal(gr_throttle_target(&throttle).ns, config->target.ns / 32);
}

// T5: what is slow for a minute although there is as little background work as can be is slow by
// itself, and the background goes on.
static void test_slow_by_itself(void **state)
{
    (void)state;
    struct gr_instant now = begin();
    const struct gr_throttle_config *config = &throttle.config;
    int seconds = 0;
    for (; throttle.slice_rate == config->slice_rate_min; seconds++) {
        (void)pass_second(&now, 20);
        assert_true(seconds < GR_THROTTLE_SECONDS + 5);
    }
    assert_true(seconds >= GR_THROTTLE_SECONDS);
    assert_in_range(gr_throttle_target(&throttle).ns, 30 * MS, 35 * MS);
    (void)climb(&now, 20);
    for (int s = 0; s < 40; s++) // a day later it is slower: what was learned is given up as well
        (void)pass_second(&now, 45);
    assert_int_equal(throttle.slice_rate, config->slice_rate_min);
    for (int s = 0; s < GR_THROTTLE_SECONDS; s++)
        (void)pass_second(&now, 45);
    assert_true(throttle.slice_rate > config->slice_rate_min);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yields_and_recovers),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_percentile),
        cmocka_unit_test(test_calm),
        cmocka_unit_test(test_slow_by_itself),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
