// Work for all cores: numbered tasks, done by forked workers, gathered in order.
#ifndef GR_SIM_POOL_H
#define GR_SIM_POOL_H

#include "base/base.h"

struct sim_pool {
    int jobs;        // workers; at least 1
    uint64_t count;  // of tasks, numbered from 0
    size_t bytes;    // of one result
    int seconds_max; // of processor time for one task: over it the worker is killed; 0: no limit
    // In a worker: does task `index` and writes `bytes` bytes of result.
    void (*work)(void *host, uint64_t index, void *ret_result);
    // Here, in the order of the numbers. If the worker died of it, `died` says how, and `result`
    // is all zero.
    void (*done)(void *host, uint64_t index, const void *result, const char *died);
    // Here, whenever one more is finished, in any order. May be NULL.
    void (*progress)(void *host, uint64_t finished);
    void *host;
};

// Returns when all tasks are done. The same results in the same order whatever `jobs` is.
void sim_pool_run(const struct sim_pool *pool);
// In a worker: the time of the task under way begins anew.
void sim_pool_limit(int seconds);
// Cores that this process may use.
int sim_pool_cores(void);

#endif
