// core/stage.h: what is staged, change by change, and through its bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "wire/layout.h"

enum { FOUNDERS = 4 };

static struct gr_arena arena;
static struct gr_card card[FOUNDERS + 3];
static struct gr_layout layout;

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < FOUNDERS + 3; i++) {
        card[i] = (struct gr_card){.weight = 1, .peer = "a:1", .resp = "a:2"};
        snprintf(card[i].name, sizeof card[i].name, "n%d", i + 1);
        snprintf(card[i].host, sizeof card[i].host, "h%d", i + 1);
    }
    layout = gr_layout_first(&arena, 64, 3, card, FOUNDERS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gr_arena_deinit(&arena);
    arena = (struct gr_arena){0};
    return gr_test_blocks() == 0 ? 0 : -1;
}

// Through bytes, as it goes from one node to another.
static struct gr_staged told(const struct gr_staged *staged)
{
    struct gr_writer out;
    struct gr_staged ret = {0};
    gr_writer_init(&out, GR_FACT_BYTES_MAX);
    gr_staged_encode(&out, staged);
    assert_false(out.bad);
    assert_int_equal(gr_staged_decode(gr_writer_bytes(&out), &arena, &ret), GR_OK);
    assert_true(ret.parent == staged->parent && ret.n == staged->n);
    assert_string_equal(ret.what, staged->what);
    assert_int_equal(ret.member_count, staged->member_count);
    for (size_t cut = 0; cut < out.size; cut++) {
        struct gr_staged none;
        assert_int_equal(
            gr_staged_decode(gr_bytes(out.data, cut), &arena, &none), GR_ERR_MALFORMED);
    }
    gr_writer_deinit(&out);
    return ret;
}

static enum gr_stage_fault change(struct gr_staged *staged, enum gr_change_op op, int who)
{
    struct gr_staged next = {0};
    enum gr_stage_fault fault = gr_stage_change(
        &arena, staged, &(struct gr_change){.op = op, .card = &card[who - 1]}, &next);
    if (fault == GR_STAGE_OK)
        *staged = told(&next);
    return fault;
}

static enum gr_stage_fault set_n(struct gr_staged *staged, uint8_t n)
{
    struct gr_staged next = {0};
    enum gr_stage_fault fault = gr_stage_n(staged, n, &next);
    if (fault == GR_STAGE_OK)
        *staged = told(&next);
    return fault;
}

// ST3: others may join in the same plan, before.
static void test_n(void **state)
{
    (void)state;
    struct gr_staged staged = gr_stage_begin(&arena, &layout);
    assert_int_equal(staged.n, 3);
    assert_int_equal(gr_stage_owners(&staged), FOUNDERS);
    assert_int_equal(set_n(&staged, 3), GR_STAGE_UNCHANGED); // ST2
    assert_int_equal(set_n(&staged, 5), GR_STAGE_TOO_FEW);
    assert_string_equal(staged.what, "");
    assert_int_equal(change(&staged, GR_CHANGE_JOIN, 5), GR_STAGE_OK);
    assert_int_equal(set_n(&staged, 5), GR_STAGE_OK);
    assert_int_equal(set_n(&staged, 5), GR_STAGE_UNCHANGED);
    assert_int_equal(set_n(&staged, 6), GR_STAGE_TOO_FEW);
    assert_string_equal(staged.what, "join n5, N to 5");
    assert_int_equal(set_n(&staged, 1), GR_STAGE_OK);
    assert_string_equal(staged.what, "join n5, N to 5, N to 1");
}

// Who is staged to leave, or is to own nothing, does not count.
static void test_owners(void **state)
{
    (void)state;
    struct gr_staged staged = gr_stage_begin(&arena, &layout);
    assert_int_equal(change(&staged, GR_CHANGE_LEAVE, 2), GR_STAGE_OK);
    assert_int_equal(gr_stage_owners(&staged), FOUNDERS - 1);
    assert_int_equal(set_n(&staged, 4), GR_STAGE_TOO_FEW);
    assert_int_equal(change(&staged, GR_CHANGE_JOIN, 2), GR_STAGE_OK);
    assert_int_equal(set_n(&staged, 4), GR_STAGE_OK);
    assert_int_equal(change(&staged, GR_CHANGE_REMOVE, 3), GR_STAGE_OK);
    struct gr_layout next;
    struct gr_placement placement;
    assert_int_equal(gr_layout_plan(&arena, &layout, staged.member, staged.member_count, staged.n,
                         &next, &placement),
        GR_ERR_INVALID);
    assert_int_equal(set_n(&staged, 2), GR_STAGE_OK);
    assert_int_equal(gr_layout_plan(&arena, &layout, staged.member, staged.member_count, staged.n,
                         &next, &placement),
        GR_OK);
    assert_int_equal(next.n, 2);
    assert_int_equal(next.before_n, 3);
    assert_int_equal(placement.moves, placement.ideal); // fewer replicas: others only for who left
}

// One replica more of each partition, and nobody gives one away.
static void test_more_replicas(void **state)
{
    (void)state;
    struct gr_staged staged = gr_stage_begin(&arena, &layout);
    struct gr_layout next;
    struct gr_placement placement;
    assert_int_equal(set_n(&staged, 4), GR_STAGE_OK);
    assert_int_equal(gr_layout_plan(&arena, &layout, staged.member, staged.member_count, staged.n,
                         &next, &placement),
        GR_OK);
    assert_int_equal(placement.moves, layout.partitions);
    assert_int_equal(placement.ideal, layout.partitions);
}

static void test_words(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool says;
    } table[] = {{"", false}, {"founded", false}, {"N to 5", true}, {"join n5, N to 5", true},
        {"N to 4, leave n1", true}, {"weight N to 5", false}, {"join N,, N to 5", true},
        {"join N", false}, {"weight nN to 5", false}, {"join N, leave to", false}, {"N to", false}};
    for (size_t i = 0; i < GR_COUNT(table); i++)
        assert_int_equal(gr_stage_says_n(table[i].what), table[i].says);
}

// Words have an end: what is staged then is committed first.
static void test_too_long(void **state)
{
    (void)state;
    struct gr_staged staged = gr_stage_begin(&arena, &layout);
    enum gr_stage_fault fault = GR_STAGE_OK;
    for (int i = 0; i < 100 && fault == GR_STAGE_OK; i++)
        fault = set_n(&staged, (uint8_t)(1 + i % 2));
    assert_int_equal(fault, GR_STAGE_TOO_LONG);
    assert_true(strlen(staged.what) < GR_LAYOUT_WHAT_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_n, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owners, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_replicas, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_long, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
