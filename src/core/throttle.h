// How much background work may run beside the foreground (§6.5, admission control).
//
// Hints, exchanges, scrubs and sweeps are cut into slices. The controller watches how long the
// foreground's work takes and says how many slices a second may begin: few at first, fewer while
// its p99 is above a target, more while it is below, all of them when there is no foreground.
#ifndef GR_CORE_THROTTLE_H
#define GR_CORE_THROTTLE_H

#include "base/base.h"

enum {
    GR_THROTTLE_SECONDS = 60,     // that a look at the foreground may last
    GR_THROTTLE_BUCKETS = 192,    // of latency: eight for each doubling, 1 us to 67 s
    GR_SLICE_RECORDS = 8,         // one slice of background work: so many records or
    GR_SLICE_BYTES = 8 << 10,     // so many bytes, whichever is reached first
    GR_THROTTLE_RATE_MAX = 65536, // largest slice_rate_max
};

struct gr_throttle_config {
    struct gr_span target;   // of the foreground's p99, at most; more than 0
    uint32_t slice_rate_min; // slices per second, whatever the foreground suffers; at least 1
    uint32_t slice_rate_max; // slices per second when nothing speaks against it
};

// 50 ms (the paper's preset), 128 and 8192 slices per second.
struct gr_throttle_config gr_throttle_config_default(void);

// What the foreground took since the last judgement.
struct gr_look {
    uint32_t count[GR_THROTTLE_BUCKETS];
    uint32_t samples; // of all buckets
    uint32_t seconds;
    bool busy; // a second of it had more than hardly any background work
};

// About 1 KB; owns no other memory.
struct gr_throttle {
    struct gr_throttle_config config;
    uint32_t slice_rate;       // slices per second, now
    uint32_t floor_seconds;    // in a row at slice_rate_min
    int64_t allowance;         // slices that may begin now, in billionths; below 0: a debt
    struct gr_instant paid_at; // up to when `allowance` is reckoned
    int64_t second;            // the one that is being filled, in seconds of the monotonic clock
    int64_t sampled;           // the second of the last sample, or of the first call; -1: none
    struct gr_look look;
    bool slow;           // the last look was above the target
    struct gr_span p99;  // of the last look, or 0
    struct gr_span calm; // what it is with hardly any background work, or 0
    uint64_t spent;      // slices in this second
    uint64_t slices;     // admitted since init
};

void gr_throttle_init(struct gr_throttle *throttle, const struct gr_throttle_config *config);
// A piece of foreground work took this long. `now` never goes back, here and below.
void gr_throttle_sample(
    struct gr_throttle *throttle, struct gr_instant now, struct gr_span latency);
// Foreground work was refused for want of room: background work is at its floor at once.
void gr_throttle_refused(struct gr_throttle *throttle, struct gr_instant now);
// True: `slices` of background work may begin, and are counted. A 128th of a second's worth may
// begin at once, at least one slice; a larger piece is admitted as if it were that much, and the
// rest is then owed.
bool gr_throttle_admit(struct gr_throttle *throttle, struct gr_instant now, uint32_t slices);
// A piece that was admitted as fewer slices turned out to be so many more.
void gr_throttle_owe(struct gr_throttle *throttle, uint32_t slices);
// When `slices` may begin, if nothing changes: `now` or later. Ask again then.
struct gr_instant gr_throttle_next(
    const struct gr_throttle *throttle, struct gr_instant now, uint32_t slices);
// The foreground's p99 in the last look (a second or more, T1): the upper end of its bucket, at
// most 13 % above it; 0 when there was none, or no sample for some seconds.
struct gr_span gr_throttle_p99(const struct gr_throttle *throttle);
// What the p99 is held against: one and a half times what it is without background work, within a
// 32nd of the configured target and that; the 32nd as long as that is not known.
struct gr_span gr_throttle_target(const struct gr_throttle *throttle);
// How many slices this much work is; at least 1.
uint32_t gr_throttle_slices(uint64_t records, uint64_t bytes);

#endif
