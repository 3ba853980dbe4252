// sim/pool.h: results come in order whatever the number of workers, and a worker that dies takes
// only its task with it.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/pool.h"
#include "test/hooks.h"

enum { BIG = 70000 }; // bytes of a result: more than a pipe takes at once

struct result {
    uint64_t number;
    uint8_t bytes[BIG];
};

struct host {
    uint64_t next, finished, died, dies_every, exits_at;
};

static void work(void *host, uint64_t index, void *ret_result)
{
    const struct host *h = host;
    if (h->dies_every > 0 && index % h->dies_every == 3)
        (void)kill(getpid(), SIGKILL);
    if (h->exits_at > 0 && index == h->exits_at)
        _exit(7);
    struct result *result = ret_result;
    result->number = index * index;
    memset(result->bytes, (int)index, sizeof result->bytes);
}

static void done(void *host, uint64_t index, const void *bytes, const char *died)
{
    struct host *h = host;
    const struct result *result = bytes;
    assert_int_equal(index, h->next++);
    bool kill_it = h->dies_every > 0 && index % h->dies_every == 3;
    bool exits = h->exits_at > 0 && index == h->exits_at;
    if (died != NULL) {
        assert_true(kill_it || exits);
        assert_non_null(strstr(died, exits ? "exit code 7" : "signal 9"));
        assert_int_equal(result->number, 0);
        h->died++;
        return;
    }
    assert_false(kill_it || exits);
    assert_int_equal(result->number, index * index);
    assert_int_equal(result->bytes[0], (uint8_t)index);
    assert_int_equal(result->bytes[BIG - 1], (uint8_t)index);
}

static void progress(void *host, uint64_t finished)
{
    struct host *h = host;
    assert_int_equal(finished, ++h->finished);
}

static void run(struct host *host, int jobs, uint64_t count)
{
    struct sim_pool pool = {.jobs = jobs,
        .count = count,
        .bytes = sizeof(struct result),
        .work = work,
        .done = done,
        .progress = progress,
        .host = host};
    sim_pool_run(&pool);
    assert_int_equal(host->next, count);
    assert_int_equal(host->finished, count);
}

static void in_order_with_any_number_of_workers(void **state)
{
    (void)state;
    for (int jobs = 1; jobs <= 5; jobs++) {
        run(&(struct host){0}, jobs, 40);
        run(&(struct host){0}, jobs, 1);
        run(&(struct host){0}, jobs, 0);
    }
}

static void a_death_is_one_result(void **state)
{
    (void)state;
    for (int jobs = 1; jobs <= 3; jobs++) {
        struct host host = {.dies_every = 5, .exits_at = 10};
        run(&host, jobs, 20);
        assert_int_equal(host.died, 5); // 3, 8, 13, 18 and 10
    }
}

static void work_for_ever(void *host, uint64_t index, void *ret_result)
{
    (void)host;
    *(uint64_t *)ret_result = index;
    for (volatile int turn = 1; index == 1 && turn != 0;)
        turn ^= 2;
}

static void ended(void *host, uint64_t index, const void *result, const char *died)
{
    assert_true((died != NULL) == (index == 1));
    if (died != NULL)
        assert_non_null(strstr(died, "it did not end"));
    else
        assert_int_equal(*(const uint64_t *)result, index);
    ++*(int *)host;
}

static void a_task_that_never_ends_is_killed(void **state)
{
    (void)state;
    int count = 0;
    struct sim_pool pool = {.jobs = 2,
        .count = 4,
        .bytes = sizeof(uint64_t),
        .seconds_max = 1,
        .work = work_for_ever,
        .done = ended,
        .host = &count};
    sim_pool_run(&pool);
    assert_int_equal(count, 4);
}

static void there_is_a_core(void **state)
{
    (void)state;
    assert_in_range(sim_pool_cores(), 1, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_with_any_number_of_workers),
        cmocka_unit_test(a_death_is_one_result),
        cmocka_unit_test(a_task_that_never_ends_is_killed),
        cmocka_unit_test(there_is_a_core),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
