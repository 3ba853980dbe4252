// sim/minimise.h and sim/plan.h: invented failures are shrunk to what they need, and no further; a
// plan that was edited is otherwise the same; what is printed is understood again.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/minimise.h"
#include "test/hooks.h"

// A run that fails if its plan still has everything that `needs` says.
struct needs {
    uint64_t seed;
    uint32_t on;
    uint32_t action[SIM_FAULT_COUNT];
    int nodes, clients, keys, ops;
    int64_t until_ms;
    bool liveness;
    int runs;
};

static struct sim_shape shape_of(const struct sim_plan *plan)
{
    struct sim_shape shape = {.on = plan->on,
        .nodes = plan->nodes,
        .clients = plan->clients,
        .keys = plan->keys,
        .ops = plan->ops,
        .until_ms = plan->until_ms,
        .liveness = plan->live_ms > 0};
    for (int i = 0; i < plan->action_count; i++)
        shape.action[plan->action[i].fault] |= 1u << plan->action[i].number;
    return shape;
}

static bool needs_all(void *host, const struct sim_edit *edit, struct sim_shape *ret_shape)
{
    struct needs *needs = host;
    struct sim_plan plan;
    needs->runs++;
    sim_plan_draw(needs->seed, edit, &plan);
    *ret_shape = shape_of(&plan);
    bool fails = (plan.on & needs->on) == needs->on && plan.nodes >= needs->nodes &&
                 plan.clients >= needs->clients && plan.keys >= needs->keys &&
                 plan.ops >= needs->ops && plan.until_ms >= needs->until_ms &&
                 (plan.live_ms > 0 || !needs->liveness);
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        fails = fails && (ret_shape->action[fault] & needs->action[fault]) == needs->action[fault];
    return fails;
}

static void minimise(struct needs *needs, struct sim_edit *edit, struct sim_shape *ret_shape)
{
    struct sim_minimiser minimiser = {.fails = needs_all, .host = needs, .tries_max = 5000};
    assert_true(sim_minimise(&minimiser, edit));
    assert_int_equal(minimiser.tries, needs->runs);
    *ret_shape = minimiser.shape;
    // MI1: what it says is what the edit gives.
    struct sim_shape again;
    assert_true(needs_all(needs, edit, &again));
    assert_memory_equal(&again, ret_shape, sizeof again);
}

static const struct sim_action *find(const struct sim_plan *plan, enum sim_fault fault, int number)
{
    for (int i = 0; i < plan->action_count; i++)
        if (plan->action[i].fault == fault && plan->action[i].number == number)
            return &plan->action[i];
    return NULL;
}

static void everything_goes_that_is_not_needed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct needs needs = {.seed = seed, .nodes = 3, .clients = 2, .ops = 7, .until_ms = 1234};
        struct sim_edit edit = {.with = 1u << SIM_CRASH | 1u << SIM_SPLIT | 1u << SIM_LOSS};
        needs.on = 1u << SIM_SPLIT | 1u << SIM_LOSS;
        needs.action[SIM_SPLIT] = 1u << 0;
        struct sim_plan plan;
        sim_plan_draw(seed, &edit, &plan);
        const struct sim_action *split = find(&plan, SIM_SPLIT, 0);
        if (split == NULL || split->at_ms >= plan.until_ms)
            continue; // its first split comes after the end, or needs the liveness phase
        struct sim_shape shape;
        minimise(&needs, &edit, &shape);
        assert_int_equal(shape.on, needs.on);
        for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
            assert_int_equal(shape.action[fault], needs.action[fault]);
        assert_int_equal(shape.nodes, 3);
        assert_int_equal(shape.clients, 2);
        assert_int_equal(shape.keys, 1);
        assert_int_equal(shape.ops, 7);
        assert_false(shape.liveness);
        assert_true(shape.until_ms >= 1234);
    }
}

static void two_actions_far_apart_stay_together(void **state)
{
    (void)state;
    struct needs needs = {.seed = 4, .liveness = true, .until_ms = 2000};
    struct sim_edit edit = {.with = 1u << SIM_CRASH | 1u << SIM_PAIRS};
    struct sim_plan plan;
    sim_plan_draw(needs.seed, &edit, &plan);
    struct sim_shape whole = shape_of(&plan), shape;
    needs.on = 1u << SIM_CRASH | 1u << SIM_PAIRS;
    needs.action[SIM_CRASH] = 1u << 0;
    needs.action[SIM_PAIRS] = 1u << (31 - __builtin_clz(whole.action[SIM_PAIRS])); // the last
    minimise(&needs, &edit, &shape);
    assert_int_equal(shape.action[SIM_CRASH], needs.action[SIM_CRASH]);
    assert_int_equal(shape.action[SIM_PAIRS], needs.action[SIM_PAIRS]);
    assert_true(shape.liveness);
}

// Fewer clients: the run still fails, and takes longer to.
static bool slower(void *host, const struct sim_edit *edit, struct sim_shape *ret_shape)
{
    bool fails = needs_all(host, edit, ret_shape);
    ret_shape->events = 600 - 100 * (uint64_t)ret_shape->clients;
    return fails;
}

static void what_fails_later_is_not_smaller(void **state)
{
    (void)state;
    struct needs needs = {.seed = 1, .keys = 1};
    struct sim_edit edit = {.clients = 5};
    struct sim_minimiser minimiser = {.fails = slower, .host = &needs, .tries_max = 5000};
    assert_true(sim_minimise(&minimiser, &edit));
    assert_int_equal(minimiser.shape.clients, 5);
    assert_int_equal(minimiser.shape.keys, 1);
}

static bool never(void *host, const struct sim_edit *edit, struct sim_shape *ret_shape)
{
    (void)edit;
    (void)ret_shape;
    ++*(int *)host;
    return false;
}

static void what_does_not_fail_stays_as_it_was(void **state)
{
    (void)state;
    int runs = 0;
    struct sim_minimiser minimiser = {.fails = never, .host = &runs, .tries_max = 100};
    struct sim_edit edit = {.without = 1u << SIM_LOSS, .clients = 3}, before = edit;
    assert_false(sim_minimise(&minimiser, &edit));
    assert_memory_equal(&edit, &before, sizeof edit);
    assert_int_equal(runs, 1);
}

static void tries_are_bounded(void **state)
{
    (void)state;
    struct needs needs = {.seed = 9, .ops = 300};
    struct sim_edit edit = {0};
    struct sim_minimiser minimiser = {.fails = needs_all, .host = &needs, .tries_max = 12};
    assert_true(sim_minimise(&minimiser, &edit));
    assert_int_equal(needs.runs, 12);
}

// PL1, PL2: each action of the smaller plan is the very one of the whole.
static void an_edit_leaves_the_rest_as_it_was(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim_edit none = {0};
        struct sim_edit edit = {.without = 1u << SIM_CRASH | 1u << SIM_SLOW, .clients = 1};
        struct sim_plan whole, part;
        sim_plan_draw(seed, &none, &whole);
        sim_plan_draw(seed, &edit, &part);
        assert_int_equal(part.on, whole.on & ~edit.without);
        assert_int_equal(part.nodes, whole.nodes);
        assert_int_equal(part.rate[SIM_LOSS], whole.rate[SIM_LOSS]);
        int others = 0;
        for (int i = 0; i < whole.action_count; i++)
            others += whole.action[i].fault != SIM_CRASH;
        assert_int_equal(part.action_count, others);
        for (int i = 0; i < part.action_count; i++) {
            const struct sim_action *as = find(&whole, part.action[i].fault, part.action[i].number);
            assert_non_null(as);
            assert_memory_equal(as, &part.action[i], sizeof *as);
        }
    }
}

static void an_edit_is_printed_as_options(void **state)
{
    (void)state;
    char text[400];
    struct sim_edit edit = {.without = 1u << SIM_LOSS | 1u << SIM_CRASH,
        .with = 1u << SIM_LOSS | 1u << SIM_BIT_ROT,
        .clients = 2,
        .ops = 40,
        .until_ms = 2300,
        .no_liveness = true,
        .some = true};
    edit.only[SIM_SPLIT] = 1u << 0 | 1u << 31;
    edit.only[SIM_PAUSE] = 1u << 4;
    sim_edit_print(&edit, text, sizeof text);
    assert_string_equal(text, " --with bit-rot --without loss,crash --clients 2 --ops 40 "
                              "--until-ms 2300 --no-liveness --actions pause.4,split.0,split.31");
    uint32_t bits, only[SIM_FAULT_COUNT];
    assert_true(sim_faults_parse("loss,crash", &bits));
    assert_int_equal(bits, edit.without);
    assert_true(sim_actions_parse("pause.4,split.0,split.31", only));
    assert_memory_equal(only, edit.only, sizeof only);
    assert_true(sim_actions_parse("none", only));
    assert_int_equal(only[SIM_SPLIT], 0);
    assert_false(sim_faults_parse("los", &bits));
    assert_false(sim_actions_parse("split", only));
    assert_false(sim_actions_parse("split.32", only));
    assert_false(sim_actions_parse("split.x", only));
    char small[12];
    sim_edit_print(&edit, small, sizeof small);
    assert_string_equal(small, " --with bit");
    struct sim_edit nothing = {0};
    sim_edit_print(&nothing, text, sizeof text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_goes_that_is_not_needed),
        cmocka_unit_test(two_actions_far_apart_stay_together),
        cmocka_unit_test(what_fails_later_is_not_smaller),
        cmocka_unit_test(what_does_not_fail_stays_as_it_was),
        cmocka_unit_test(tries_are_bounded),
        cmocka_unit_test(an_edit_leaves_the_rest_as_it_was),
        cmocka_unit_test(an_edit_is_printed_as_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
