// Latencies second by second, in a file: what a machine that others use did in each can be told
// apart.
//
// One line for each second of the monotonic clock in which something was counted: that second, and
// `US:COUNT` for each latency of the histogram, ascending.
#ifndef GR_BENCH_SECONDS_H
#define GR_BENCH_SECONDS_H

#include <stdio.h>

#include "bench/histogram.h"

// All zero counts nothing, and writes nothing.
struct gr_seconds {
    FILE *file; // owned
    int64_t second;
    struct gr_histogram latency; // of that second
};

// False, with errno, if the file cannot be made.
bool gr_seconds_open(struct gr_seconds *seconds, const char *path);
// Something took `us` and ended at `at_ns`, which never goes back.
void gr_seconds_add(struct gr_seconds *seconds, int64_t at_ns, uint64_t us);
// Writes what is left. False, with errno, if some line was not written.
bool gr_seconds_close(struct gr_seconds *seconds);

#endif
