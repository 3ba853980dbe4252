// A thousand nodes that only gossip: how fast news travels, what it costs, and who is wrongly taken
// for dead (§4.8).
#ifndef GR_SIM_CROWD_H
#define GR_SIM_CROWD_H

#include "sim/sim.h"

enum { CROWD_NODES_MAX = 1000 };

// Prints what was measured, and a line "N passed, N failed" or TAP. `minutes` of simulated time are
// spent on false alarms. Returns the exit code.
int sim_crowd(uint64_t seed, uint16_t nodes, uint32_t minutes, bool tap);
// Whether it is here that the absence of this rule shows; and one seed for it, as sim_run.
bool sim_crowd_shows(enum gr_canary canary);
void sim_crowd_run(const struct sim_options *options, struct sim_report *ret_report);

#endif
