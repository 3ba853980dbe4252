// map.h: a map holds what a plain list holds, finds every member of a hash, and keeps an order that
// depends on nothing but what was done to it.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/map.h"
#include "base/random.h"
#include "test/hooks.h"

enum { MEMBERS = 400, HASHES = 150 };

struct member {
    struct gr_map_link link;
    uint64_t hash;
    bool in;
};

static struct gr_map_link *forgetful(const struct gr_map_link *link)
{
    (void)link;
    return NULL;
}

// Every member of every hash is found once, and nothing else.
static bool is_right(const struct gr_map *map, const struct member *member,
    struct gr_map_link *(*again)(const struct gr_map_link *))
{
    uint32_t sum = 0;
    for (uint64_t hash = 0; hash < HASHES; hash++) {
        uint32_t want = 0, have = 0;
        for (size_t i = 0; i < MEMBERS; i++)
            want += member[i].in && member[i].hash == hash;
        struct gr_map_link *link = gr_map_first(map, hash);
        for (; link != NULL && have <= want; link = again(link)) {
            const struct member *found = GR_CONTAINER(link, struct member, link);
            if (!found->in || found->hash != hash)
                return false;
            have++;
        }
        if (have != want)
            return false;
        sum += have;
    }
    return sum == map->count;
}

static void test_like_a_list(void **state)
{
    (void)state;
    static struct member member[MEMBERS];
    struct gr_random random;
    gr_random_init(&random, 1);
    struct gr_map map = {0};
    bool told_apart = false;
    for (int round = 0; round < 20000; round++) {
        struct member *one = &member[gr_random_below(&random, MEMBERS)];
        if (one->in) {
            gr_map_remove(&map, &one->link);
        } else {
            one->hash = gr_random_below(&random, HASHES);
            gr_map_insert(&map, &one->link, one->hash);
        }
        one->in = !one->in;
        if (round % 100 == 0) {
            assert_true(is_right(&map, member, gr_map_again));
            told_apart = told_apart || !is_right(&map, member, forgetful);
        }
    }
    assert_true(told_apart);
    for (size_t i = 0; i < MEMBERS; i++)
        if (member[i].in)
            gr_map_remove(&map, &member[i].link);
    assert_int_equal(map.count, 0);
    gr_map_deinit(&map);
}

// Two maps with members at other addresses, treated alike, answer in the same order.
static void test_order_is_of_events(void **state)
{
    (void)state;
    static struct member first[MEMBERS], second[MEMBERS];
    struct gr_random random;
    gr_random_init(&random, 2);
    struct gr_map a = {0}, b = {0};
    for (int round = 0; round < 3000; round++) {
        size_t at = gr_random_below(&random, MEMBERS);
        uint64_t hash = gr_random_below(&random, 20);
        struct member *x = &first[at], *y = &second[MEMBERS - 1 - at];
        if (x->in) {
            gr_map_remove(&a, &x->link);
            gr_map_remove(&b, &y->link);
        } else {
            gr_map_insert(&a, &x->link, hash);
            gr_map_insert(&b, &y->link, hash);
        }
        x->in = !x->in;
    }
    for (uint64_t hash = 0; hash < 20; hash++) {
        struct gr_map_link *x = gr_map_first(&a, hash), *y = gr_map_first(&b, hash);
        for (; x != NULL && y != NULL; x = gr_map_again(x), y = gr_map_again(y))
            assert_int_equal(GR_CONTAINER(x, struct member, link) - first,
                MEMBERS - 1 - (GR_CONTAINER(y, struct member, link) - second));
        assert_null(x);
        assert_null(y);
    }
    gr_map_deinit(&a);
    gr_map_deinit(&b);
}

static void test_empty(void **state)
{
    (void)state;
    struct gr_map map = {0};
    assert_null(gr_map_first(&map, 0));
    struct member one = {0};
    gr_map_insert(&map, &one.link, UINT64_MAX);
    assert_ptr_equal(gr_map_first(&map, UINT64_MAX), &one.link);
    assert_null(gr_map_first(&map, UINT64_MAX - 16)); // the same bucket, another hash
    assert_null(gr_map_again(&one.link));
    gr_map_remove(&map, &one.link);
    assert_null(gr_map_first(&map, UINT64_MAX));
    gr_map_deinit(&map);
    gr_map_deinit(&map);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_a_list),
        cmocka_unit_test(test_order_is_of_events),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, nothing_is_left);
}
