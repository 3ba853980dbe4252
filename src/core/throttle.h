// How much background work may run beside the foreground (§6.5, admission control).
//
// Hints, exchanges, scrubs and sweeps are cut into slices. The controller watches how long the
// foreground's work takes and says how many slices a second may begin: few at first, fewer while
// the p99 of the last minute is above a target or that of the last second far above it, more while
// it is below, all of them when there is no foreground.
#ifndef GR_CORE_THROTTLE_H
#define GR_CORE_THROTTLE_H

#include "base/base.h"

enum {
    GR_THROTTLE_SECONDS = 60,     // the window
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

// About 48 KB; owns no other memory.
struct gr_throttle {
    struct gr_throttle_config config;
    uint32_t slice_rate;       // slices per second, now
    int64_t allowance;         // slices that may begin now, in billionths; below 0: a debt
    struct gr_instant paid_at; // up to when `allowance` is reckoned
    int64_t second;            // the one that is being filled, in seconds of the monotonic clock
    int64_t sampled;           // the second of the last sample, or of the first call; -1: none
    uint32_t row[GR_THROTTLE_SECONDS][GR_THROTTLE_BUCKETS];
    uint64_t sum[GR_THROTTLE_BUCKETS]; // of all rows
    uint64_t samples;                  // in the window
    uint64_t second_samples;           // in this second,
    uint64_t second_far;               // and of them, far above the target
    uint64_t spent;                    // slices in this second
    int64_t busy;                      // the last second with more than a few
    struct gr_span calm;               // the p99 of a minute with no such second, or 0
    uint64_t slices;                   // admitted since init
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
// The foreground's p99 over the window: the upper end of its bucket, at most 13 % above it; 0 when
// there was no sample.
struct gr_span gr_throttle_p99(const struct gr_throttle *throttle);
// What the p99 is held against: one and a half times what it was without background work, within an
// eighth of the configured target and that; the eighth as long as that is not known.
struct gr_span gr_throttle_target(const struct gr_throttle *throttle);
// How many slices this much work is; at least 1.
uint32_t gr_throttle_slices(uint64_t records, uint64_t bytes);

#endif
