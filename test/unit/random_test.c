// random.h: the published generators, to the bit, so that a seed means the same run for ever.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"

static void test_known_seed(void **state)
{
    (void)state;
    // The first four outputs of splitmix64 from 0.
    static const uint64_t known[4] = {
        0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f, 0xf88bb8a8724c81ec};
    struct gr_random random;
    gr_random_init(&random, 0);
    for (int i = 0; i < 4; i++)
        assert_true(random.state[i] == known[i]);
}

static void test_known_outputs(void **state)
{
    (void)state;
    // xoshiro256** from the state 1, 2, 3, 4.
    static const uint64_t known[] = {11520, 0, 1509978240, 1215971899390074240, 1216172134540287360,
        607988272756665600, 16172922978634559625u, 8476171486693032832, 10595114339597558777u,
        2904607092377533576};
    struct gr_random random = {.state = {1, 2, 3, 4}};
    for (size_t i = 0; i < GR_COUNT(known); i++)
        assert_true(gr_random_next(&random) == known[i]);
}

static void test_below(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    static const uint64_t limits[] = {1, 2, 3, 1000, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < GR_COUNT(limits); i++)
        for (int round = 0; round < 1000; round++)
            assert_true(gr_random_below(&random, limits[i]) < limits[i]);
    uint32_t count[7] = {0};
    for (int round = 0; round < 70000; round++)
        count[gr_random_below(&random, 7)]++;
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], 9500, 10500);
}

static void test_chance(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    uint32_t count = 0;
    for (int round = 0; round < 10000; round++) {
        assert_false(gr_random_chance(&random, 0));
        assert_true(gr_random_chance(&random, 1000));
        count += gr_random_chance(&random, 100);
    }
    assert_in_range(count, 850, 1150);
}

static void test_seeds_differ(void **state)
{
    (void)state;
    struct gr_random a, b, c;
    gr_random_init(&a, 7);
    gr_random_init(&b, 7);
    gr_random_init(&c, 8);
    uint32_t same = 0;
    for (int round = 0; round < 1000; round++) {
        uint64_t one = gr_random_next(&a);
        assert_true(one == gr_random_next(&b));
        same += one == gr_random_next(&c);
    }
    assert_int_equal(same, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_seed),
        cmocka_unit_test(test_known_outputs),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_seeds_differ),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
