// Timers: a binary heap of instants. Equal instants fire in the order in which they were set, so
// that a run can be repeated.
#ifndef GR_BASE_TIMERS_H
#define GR_BASE_TIMERS_H

#include "base/base.h"

// Lives in whatever it wakes. A zeroed timer is not set.
struct gr_timer {
    struct gr_instant at;
    uint64_t order;
    uint32_t place; // in the heap, from 1; 0 = not set
    uint32_t kind;  // the owner's own word for what this timer is for
};

struct gr_timers {
    struct gr_timer **heap; // heap[1..count]
    uint32_t count, capacity;
    uint64_t order;
};

// A zeroed struct gr_timers is empty.
void gr_timers_deinit(struct gr_timers *timers);
// Sets the timer, or moves it if it was set.
void gr_timer_set(struct gr_timers *timers, struct gr_timer *timer, struct gr_instant at);
// Nothing happens if it was not set.
void gr_timer_stop(struct gr_timers *timers, struct gr_timer *timer);
// The instant of the next timer, or GR_NEVER.
struct gr_instant gr_timers_next(const struct gr_timers *timers);
// Takes out and returns a timer that is due at `now`, or NULL.
struct gr_timer *gr_timers_take(struct gr_timers *timers, struct gr_instant now);

#endif
