// A pool of forked workers. Task n is done by worker n mod jobs, which writes its result down a
// pipe; the parent hands the results on in order.
//
// A worker that dies takes only its task with it: another one is started behind it. So a crash of
// the simulated program, or a task that never ends, is told like any other failure.
//
//   PO1 What is handed on, and its order, do not depend on the number of workers or their speed.
#include "sim/pool.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { JOBS_MAX = 64 };

struct worker {
    pid_t pid;
    int pipe;      // -1: it has nothing left to do
    uint64_t next; // the task under way
    uint8_t *part; // of a result, as far as it has come
    size_t have;
};

struct run {
    const struct sim_pool *pool;
    struct worker worker[JOBS_MAX];
    void **result; // by task; NULL: not yet
    char **died;
    uint64_t finished, handed_on;
};

int sim_pool_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return (int)GR_MIN(GR_MAX(cores, 1), JOBS_MAX);
}

void sim_pool_limit(int seconds)
{
    struct itimerval limit = {.it_value = {.tv_sec = seconds}};
    (void)setitimer(ITIMER_VIRTUAL, &limit, NULL);
}

static void fail(const char *what)
{
    fprintf(stderr, "gramme-sim: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void work(const struct sim_pool *pool, uint64_t first, int out)
{
    uint8_t *result = gr_hook_memory(NULL, pool->bytes);
    for (uint64_t i = first; i < pool->count; i += (uint64_t)pool->jobs) {
        memset(result, 0, pool->bytes);
        sim_pool_limit(pool->seconds_max);
        pool->work(pool->host, i, result);
        sim_pool_limit(0);
        for (size_t at = 0; at < pool->bytes;) {
            ssize_t n = write(out, result + at, pool->bytes - at);
            if (n < 0 && errno != EINTR)
                _exit(1);
            at += n > 0 ? (size_t)n : 0;
        }
    }
    fflush(stdout);
    _exit(0);
}

static void start(struct run *run, struct worker *worker, uint64_t first)
{
    worker->pipe = -1;
    worker->next = first;
    worker->have = 0;
    if (first >= run->pool->count)
        return;
    int ends[2];
    if (pipe(ends) != 0)
        fail("pipe");
    fflush(stdout);
    fflush(stderr);
    worker->pid = fork();
    if (worker->pid < 0)
        fail("fork");
    if (worker->pid == 0) {
        close(ends[0]);
        work(run->pool, first, ends[1]);
    }
    close(ends[1]);
    worker->pipe = ends[0];
}

static void finish(struct run *run, uint64_t task, const void *result, const char *died)
{
    const struct sim_pool *pool = run->pool;
    run->result[task] = gr_hook_memory(NULL, pool->bytes);
    memcpy(run->result[task], result, pool->bytes);
    if (died != NULL) {
        run->died[task] = gr_hook_memory(NULL, strlen(died) + 1);
        memcpy(run->died[task], died, strlen(died) + 1);
    }
    run->finished++;
    if (pool->progress != NULL)
        pool->progress(pool->host, run->finished);
    while (run->handed_on < pool->count && run->result[run->handed_on] != NULL) {
        uint64_t i = run->handed_on++;
        pool->done(pool->host, i, run->result[i], run->died[i]);
        gr_hook_memory(run->result[i], 0);
        gr_hook_memory(run->died[i], 0);
    }
}

static void on_end(struct run *run, struct worker *worker)
{
    int status = 0;
    close(worker->pipe);
    worker->pipe = -1;
    while (waitpid(worker->pid, &status, 0) < 0)
        if (errno != EINTR)
            fail("waitpid");
    if (worker->next >= run->pool->count)
        return;
    char died[128];
    if (WIFSIGNALED(status))
        snprintf(died, sizeof died, "the run died of signal %d (%s)%s", WTERMSIG(status),
            strsignal(WTERMSIG(status)), WTERMSIG(status) == SIGVTALRM ? ": it did not end" : "");
    else
        snprintf(died, sizeof died, "the run ended with exit code %d", WEXITSTATUS(status));
    memset(worker->part, 0, run->pool->bytes);
    finish(run, worker->next, worker->part, died);
    start(run, worker, worker->next + (uint64_t)run->pool->jobs);
}

static void on_bytes(struct run *run, struct worker *worker)
{
    ssize_t n = read(worker->pipe, worker->part + worker->have, run->pool->bytes - worker->have);
    if (n < 0 && errno == EINTR)
        return;
    if (n <= 0) {
        on_end(run, worker);
        return;
    }
    worker->have += (size_t)n;
    if (worker->have < run->pool->bytes)
        return;
    worker->have = 0;
    uint64_t task = worker->next;
    worker->next += (uint64_t)run->pool->jobs;
    finish(run, task, worker->part, NULL);
}

void sim_pool_run(const struct sim_pool *pool)
{
    gr_assert(pool->jobs >= 1 && pool->jobs <= JOBS_MAX);
    struct run run = {.pool = pool};
    size_t pointers = (size_t)(pool->count + 1) * sizeof(void *);
    run.result = gr_hook_memory(NULL, pointers);
    run.died = gr_hook_memory(NULL, pointers);
    memset(run.result, 0, pointers);
    memset(run.died, 0, pointers);
    for (int j = 0; j < pool->jobs; j++) {
        run.worker[j].part = gr_hook_memory(NULL, pool->bytes);
        start(&run, &run.worker[j], (uint64_t)j);
    }
    for (;;) {
        struct pollfd wait[JOBS_MAX];
        bool any = false;
        for (int j = 0; j < pool->jobs; j++) {
            wait[j] = (struct pollfd){.fd = run.worker[j].pipe, .events = POLLIN};
            any |= run.worker[j].pipe >= 0;
        }
        if (!any)
            break;
        if (poll(wait, (nfds_t)pool->jobs, -1) < 0 && errno != EINTR)
            fail("poll");
        for (int j = 0; j < pool->jobs; j++)
            if (wait[j].revents != 0)
                on_bytes(&run, &run.worker[j]);
    }
    gr_assert(run.handed_on == pool->count);
    for (int j = 0; j < pool->jobs; j++)
        gr_hook_memory(run.worker[j].part, 0);
    gr_hook_memory(run.result, 0);
    gr_hook_memory(run.died, 0);
}
