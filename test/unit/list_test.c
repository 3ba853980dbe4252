// list.h: first in, first out, with anything removed from the middle; compared with a plain array.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/random.h"

enum { MEMBERS = 50 };

struct member {
    int number;
    struct gr_link link;
};

static int number_of(const struct gr_link *link)
{
    return GR_CONTAINER(link, struct member, link)->number;
}

// The same numbers forwards and backwards, and as many as the list says.
static void check(const struct gr_list *list, const int *number, uint32_t count)
{
    assert_int_equal(list->count, count);
    const struct gr_link *link = list->first;
    for (uint32_t i = 0; i < count; i++, link = link->after) {
        assert_non_null(link);
        assert_true(link->in);
        assert_int_equal(number_of(link), number[i]);
    }
    assert_null(link);
    link = list->last;
    for (uint32_t i = count; i > 0; i--, link = link->before)
        assert_int_equal(number_of(link), number[i - 1]);
    assert_null(link);
}

static void test_like_an_array(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    struct member member[MEMBERS] = {0};
    for (int i = 0; i < MEMBERS; i++)
        member[i].number = i;
    struct gr_list list = {0};
    int number[MEMBERS];
    uint32_t count = 0;
    for (int round = 0; round < 20000; round++) {
        struct member *one = &member[gr_random_below(&random, MEMBERS)];
        uint32_t at = 0;
        if (gr_random_chance(&random, 200)) {
            struct gr_link *taken = gr_list_take(&list);
            assert_int_equal(taken == NULL, count == 0);
            if (taken == NULL)
                continue;
            assert_int_equal(number_of(taken), number[0]);
            assert_false(taken->in);
        } else if (!one->link.in) {
            gr_list_append(&list, &one->link);
            number[count++] = one->number;
            check(&list, number, count);
            continue;
        } else {
            gr_list_remove(&list, &one->link);
            while (number[at] != one->number)
                at++;
        }
        memmove(&number[at], &number[at + 1], (--count - at) * sizeof *number);
        check(&list, number, count);
    }
}

static void test_empty(void **state)
{
    (void)state;
    struct gr_list list = {0};
    assert_null(gr_list_take(&list));
    struct member one = {0};
    gr_list_append(&list, &one.link);
    assert_ptr_equal(gr_list_take(&list), &one.link);
    assert_null(gr_list_take(&list));
    assert_null(list.last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_like_an_array),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
