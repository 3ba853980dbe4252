// Runs of the simulator as a whole: one, many, canaries, the smallest that fails.
#ifndef GR_SIM_SEEDS_H
#define GR_SIM_SEEDS_H

#include <stdio.h>

#include "sim/sim.h"

// One run in this process; an assertion that fails is a failure of that run, told like any other.
void sim_play(const struct sim_options *options, struct sim_report *ret_report);

struct sim_batch {
    uint64_t count;
    const uint64_t *seed; // NULL: first, first + 1 ...
    uint64_t first;
    int jobs;
    bool tap;
    bool probes; // a probe, class or check that was never reached is a failure
    struct sim_edit edit;
};

// These seeds, each twice (equal digests). Prints failures in the order of the seeds, the report,
// and "N passed, N failed". Returns an exit code.
int sim_play_batch(const struct sim_batch *batch);
// Leaves out one rule (all: NULL) until it is noticed; with a file (canaries.txt) its seeds are
// tried first. Returns an exit code.
int sim_play_canaries(const char *only, const char *file, int jobs, bool tap);
// Shrinks a failing run and tells how to replay it. Returns an exit code: 0 if it was shrunk.
int sim_play_minimised(const struct sim_options *options);

// ---- report.c ----------------------------------------------------------------------------------

struct sim_total {
    uint64_t seeds, failed;
    uint64_t checks, checks_failed; // of what must have been reached
    uint64_t runs, events, writes, messages, gets, puts, ok, rejected, indeterminate;
    uint64_t writable, served, virtual_ms;
    uint64_t fault[SIM_FAULT_COUNT], fault_runs[SIM_FAULT_COUNT];
    uint64_t nodes[SIM_NODES_MAX + 1]; // runs with so many
    struct gr_probes probes;
};

void sim_total_add(struct sim_total *total, const struct sim_report *report, int runs);
// A rare branch, a class of fault or a promise that so many runs never met is one that nothing
// tests: counted as a failure, and said on stderr.
void sim_total_check(struct sim_total *total);
// `cpu_us`: microseconds of processor time that the runs took.
void sim_total_print(const struct sim_total *total, int64_t cpu_us);
// The options that replay this run, behind the program's name.
void sim_print_replay(FILE *out, const struct sim_options *options);

#endif
