// A cluster whose nodes need time for what they do: the world of sim/overload.c.
#ifndef GR_SIM_LOADED_H
#define GR_SIM_LOADED_H

#include "sim/sim.h"

enum {
    LOADED_NODES = 5,
    LOADED_WAITING_MAX = 4096, // requests taken off the sockets and not begun, as in the shell
    LOADED_MEMORY_MAX = 16 << 20,
    LOADED_PATIENCE_MS = 1000, // of a client
    LOADED_WARM_MS = 1500,     // before it is measured
    LOADED_MEASURED_MS = 2500,
    LOADED_SLICES_MIN = 1, // of background work per second and node
};

// What came of a load, within LOADED_MEASURED_MS.
struct loaded_level {
    int percent;         // of the capacity; 0: clients that ask again when they are answered
    uint64_t offered;    // requests
    uint64_t goodput;    // answered OK within the client's patience
    uint64_t p99_us;     // of those
    uint64_t busy, late; // refused; answered OK, but later than that
    uint64_t other;      // any other error
    uint64_t pages;      // slices of background work
    uint64_t again;      // in the whole run: asked of somebody else too, since the answer was late
    uint64_t unanswered; // at the end of all, of all requests of the run
    uint64_t twice;      // answered more than once
    size_t memory_peak;  // of the requests under way on a node
    uint32_t waiting_peak;
    uint64_t digest; // of everything that happened
};

// A run with `percent` of `capacity` requests a second, or 0: the measure of the capacity.
struct loaded_level loaded_run(
    uint64_t seed, enum gr_canary canary, int percent, uint64_t capacity);

#endif
