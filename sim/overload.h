// More load than a cluster can carry: what it still does (DESIGN.md §5, "Overload is an answer").
#ifndef GR_SIM_OVERLOAD_H
#define GR_SIM_OVERLOAD_H

#include "sim/sim.h"

// Loads of half to three times the capacity: prints a table, and a line "N passed, N failed" or
// TAP. Returns the exit code.
int sim_overload(uint64_t seed, bool tap);
// Whether it is here, and not under faults, that the absence of this rule shows.
bool sim_overload_shows(enum gr_canary canary);
// One seed for a canary, as sim_run: fails if what must hold under overload does not.
void sim_overload_run(const struct sim_options *options, struct sim_report *ret_report);

#endif
