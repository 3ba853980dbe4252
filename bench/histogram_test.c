// The buckets of bench/histogram.h against the values themselves.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"
#include "bench/histogram.h"

enum { VALUES = 2000 };

static struct gr_histogram histogram;

static int empty(void **state)
{
    (void)state;
    histogram = (struct gr_histogram){0};
    return 0;
}

static void test_an_empty_one_says_zero(void **state)
{
    (void)state;
    assert_int_equal(gr_histogram_at(&histogram, 500), 0);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t us = 1; us <= 200; us++)
        gr_histogram_add(&histogram, us);
    assert_int_equal(gr_histogram_at(&histogram, 0), 1);
    assert_int_equal(gr_histogram_at(&histogram, 500), 100);
    assert_int_equal(gr_histogram_at(&histogram, 990), 198);
    // 999 of a thousand of 200 values is 199.8 of them, hence all.
    assert_int_equal(gr_histogram_at(&histogram, 999), 200);
}

// One value alone, on and beside every power of two.
static void test_no_bucket_is_wider_than_one_percent(void **state)
{
    for (uint32_t bits = 0; bits < GR_HISTOGRAM_BITS_MAX; bits++) {
        for (uint64_t near = 0; near < 3; near++) {
            uint64_t us = (UINT64_C(1) << bits) + near - 1;
            empty(state);
            gr_histogram_add(&histogram, us);
            // Not to be cut to the greatest value seen, which would hide the bucket's width.
            gr_histogram_add(&histogram, UINT64_C(1) << 40);
            uint64_t said = gr_histogram_at(&histogram, 500);
            assert_true(said >= us);
            assert_true((said - us) * 100 <= us);
        }
    }
    assert_int_equal(histogram.max_us, UINT64_C(1) << 40);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void test_ranks_agree_with_sorting(void **state)
{
    (void)state;
    static uint64_t value[VALUES];
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int i = 0; i < VALUES; i++) {
        // Spread over the octaves, as latencies are.
        value[i] = gr_random_below(&random, UINT64_C(1) << gr_random_below(&random, 31));
        gr_histogram_add(&histogram, value[i]);
    }
    qsort(value, VALUES, sizeof(value[0]), compare);
    static const uint32_t ranks[] = {1, 10, 500, 900, 990, 999, 1000};
    for (size_t i = 0; i < GR_COUNT(ranks); i++) {
        uint64_t exact = value[(VALUES * ranks[i] + 999) / 1000 - 1];
        uint64_t said = gr_histogram_at(&histogram, ranks[i]);
        assert_true(said >= exact);
        assert_true((said - exact) * 100 <= exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_an_empty_one_says_zero, empty),
        cmocka_unit_test_setup(test_small_values_are_exact, empty),
        cmocka_unit_test_setup(test_no_bucket_is_wider_than_one_percent, empty),
        cmocka_unit_test_setup(test_ranks_agree_with_sorting, empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
