// How much was done in each of the last seconds, and how long the rest takes at that pace.
//
// For people who watch a repair: an estimate comes from what was done, never from a hope.
#ifndef GR_CORE_PACE_H
#define GR_CORE_PACE_H

#include "base/base.h"

enum { GR_PACE_SECONDS = 60, GR_PACE_KINDS = 5 };
enum { GR_PACE_UNKNOWN = -1 };

// A zeroed one has done nothing. Owns no other memory.
struct gr_pace {
    struct {
        int64_t second; // of the monotonic clock, plus one; 0: never filled
        uint64_t done[GR_PACE_KINDS];
    } row[GR_PACE_SECONDS];
    uint64_t total[GR_PACE_KINDS];
};

// So much more of that kind was done. `now` never goes back, here and below.
void gr_pace_add(struct gr_pace *pace, struct gr_instant now, uint32_t kind, uint64_t amount);
// What was done in the second of `now` and the GR_PACE_SECONDS - 1 before it.
uint64_t gr_pace_minute(const struct gr_pace *pace, struct gr_instant now, uint32_t kind);
// The span that a pace is taken over: from `since` on, but not longer than the window.
struct gr_span gr_pace_span(struct gr_instant now, struct gr_instant since);
// So much a second, if so much was done in that span; rounded down.
uint64_t gr_pace_rate(uint64_t done, struct gr_span span);
// In how many seconds `left` more are done if `done` took that long, rounded up; 0 if nothing is
// left; GR_PACE_UNKNOWN if nothing was done, or the span is shorter than a second.
int64_t gr_pace_left_s(uint64_t left, uint64_t done, struct gr_span span);

#endif
