// facts.h: what is known does not depend on the order or the number of times it was heard (F1), and
// two who know the same have the same buckets (F2).
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/facts.h"
#include "test/hooks.h"

enum { SAID = 60, HEARERS = 4 };

// Few keys and versions, so that facts meet: also two values of one version. Some kinds are those
// of a later program.
static struct gr_fact draw(struct gr_random *random, char *text, size_t size)
{
    int length = snprintf(text, size, "value %llu", (unsigned long long)gr_random_below(random, 4));
    return gr_fact_make((enum gr_fact_kind)(1 + gr_random_below(random, GR_FACT_KINDS + 3)),
        gr_random_below(random, 5), 1 + gr_random_below(random, 6), gr_bytes(text, (size_t)length));
}

static uint32_t count_of(const struct gr_facts *facts)
{
    uint32_t count = 0;
    for (int kind = 1; kind <= GR_FACT_KINDS; kind++)
        for (const struct gr_known *known = NULL;
             (known = gr_facts_next(facts, (enum gr_fact_kind)kind, known)) != NULL;)
            count++;
    return count;
}

static void test_any_order(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int round = 0; round < 200; round++) {
        char text[SAID][20];
        struct gr_fact said[SAID];
        for (int i = 0; i < SAID; i++)
            said[i] = draw(&random, text[i], sizeof text[i]);
        struct gr_facts hearer[HEARERS] = {0};
        for (int h = 0; h < HEARERS; h++) {
            uint64_t before = 0;
            for (int i = 0; i < 8 * SAID; i++) { // some often, in an order of his own
                const struct gr_fact *fact = &said[gr_random_below(&random, SAID)];
                bool news = gr_facts_take(&hearer[h], fact, true);
                assert_true(news == (gr_facts_digest(&hearer[h]) != before));
                before = gr_facts_digest(&hearer[h]);
            }
            for (int i = 0; i < SAID; i++)
                (void)gr_facts_take(&hearer[h], &said[i], true);
            for (int i = 0; i < SAID; i++) {
                const struct gr_known *known = gr_facts_find(&hearer[h], said[i].kind, said[i].key);
                assert_non_null(known);
                struct gr_fact fact = gr_known_fact(known);
                assert_true(gr_fact_compare(&fact, &said[i]) >= 0);
            }
            assert_int_equal(count_of(&hearer[h]), hearer[h].map.count);
            assert_true(gr_facts_digest(&hearer[h]) == gr_facts_digest(&hearer[0]));
            assert_memory_equal(hearer[h].bucket, hearer[0].bucket, sizeof hearer[0].bucket);
        }
        // One who missed the latest knows something else.
        struct gr_facts late = {0};
        struct gr_fact latest = gr_known_fact(gr_facts_find(hearer, said[0].kind, said[0].key));
        for (int i = 0; i < SAID; i++)
            if (gr_fact_compare(&said[i], &latest) != 0 || said[i].kind != latest.kind ||
                said[i].key != latest.key)
                (void)gr_facts_take(&late, &said[i], false);
        assert_true(gr_facts_digest(&late) != gr_facts_digest(hearer));
        gr_facts_deinit(&late);
        for (int h = 0; h < HEARERS; h++)
            gr_facts_deinit(&hearer[h]);
    }
}

// What is fresh is told once, in the order in which it came; what was loaded is not.
static void test_fresh(void **state)
{
    (void)state;
    struct gr_facts facts = {0};
    const struct gr_known *fresh[10];
    for (uint64_t key = 0; key < 8; key++) {
        struct gr_fact fact = gr_fact_make(GR_FACT_MEMBER, key, 1, gr_bytes("12345678", 8));
        assert_true(gr_facts_take(&facts, &fact, key != 3));
        assert_false(gr_facts_take(&facts, &fact, true)); // and it is still as fresh as it was
    }
    struct gr_fact later = gr_fact_make(GR_FACT_MEMBER, 1, 2, gr_bytes("later", 5));
    assert_true(gr_facts_take(&facts, &later, true)); // in its old place
    assert_int_equal(gr_facts_fresh(&facts, fresh, 2, 1000), 2);
    assert_int_equal(fresh[0]->key, 0);
    assert_int_equal(fresh[1]->version, 2);
    assert_int_equal(gr_facts_fresh(&facts, fresh, 10, 10), 2); // the second passes ten bytes
    assert_int_equal(fresh[0]->key, 2);
    assert_int_equal(fresh[1]->key, 4);
    assert_int_equal(gr_facts_fresh(&facts, fresh, 10, 1000), 3);
    assert_int_equal(gr_facts_fresh(&facts, fresh, 10, 1000), 0);
    gr_facts_deinit(&facts);
}

static void test_bounds(void **state)
{
    (void)state;
    struct gr_facts facts = {0};
    for (uint64_t key = 0; key < GR_FACTS_MAX + 10; key++) {
        struct gr_fact fact = gr_fact_make(GR_FACT_HOLDS, key, 1, gr_bytes(NULL, 0));
        assert_true(gr_facts_take(&facts, &fact, false) == (key < GR_FACTS_MAX));
    }
    assert_int_equal(facts.refused, 10);
    struct gr_fact known = gr_fact_make(GR_FACT_HOLDS, 5, 2, gr_bytes("x", 1));
    assert_true(gr_facts_take(&facts, &known, false)); // a later one of what is known always fits
    static uint8_t long_value[GR_FACT_BYTES_MAX + 1];
    struct gr_fact big = gr_fact_make(GR_FACT_HOLDS, 5, 3, gr_bytes(long_value, sizeof long_value));
    assert_false(gr_facts_take(&facts, &big, false));
    assert_int_equal(gr_facts_find(&facts, GR_FACT_HOLDS, 5)->version, 2);
    gr_facts_deinit(&facts);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_fresh),
        cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests_name("facts", tests, NULL, nothing_is_left);
}
