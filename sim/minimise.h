// Shrinks a failing run: the smallest edit of its plan under which it still fails.
#ifndef GR_SIM_MINIMISE_H
#define GR_SIM_MINIMISE_H

#include "sim/plan.h"

// What a run was made of: of the failing one, or of one of its smaller forms.
struct sim_shape {
    uint32_t on;                      // bits of its classes of fault
    uint32_t action[SIM_FAULT_COUNT]; // bits of its actions
    int nodes, clients, keys, ops;
    int64_t until_ms;
    bool liveness;   // there was a liveness phase
    uint64_t events; // until it failed
};

struct sim_minimiser {
    // Plays the run so edited. True if it fails; then *ret_shape says what it was made of.
    bool (*fails)(void *host, const struct sim_edit *edit, struct sim_shape *ret_shape);
    void *host;
    int tries_max;
    // Results.
    int tries;
    struct sim_shape shape;
    uint64_t events_least; // of all that were kept
};

// Makes *edit smaller as long as the run still fails. False, with *edit as it was, if it does not
// fail to begin with. Ends with an edit of which no single part can be taken away, or after
// tries_max runs.
bool sim_minimise(struct sim_minimiser *minimiser, struct sim_edit *edit);

#endif
