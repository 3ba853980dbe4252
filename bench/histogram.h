// A histogram of latencies: whole microseconds, counted in buckets that grow with the value.
//
// Values under 256 have a bucket each; above, every power of two is cut into 128 buckets, so that a
// bucket is never wider than 1/128 of its values. What is read out is a bucket's greatest value:
// at most 0.8 % too much, and never too little.
#ifndef GR_BENCH_HISTOGRAM_H
#define GR_BENCH_HISTOGRAM_H

#include "base/base.h"

enum {
    GR_HISTOGRAM_SPLIT = 128,
    GR_HISTOGRAM_BITS_MAX = 32, // values from 2^32 us (71 minutes) on are counted as 2^32 - 1
    GR_HISTOGRAM_BUCKETS = GR_HISTOGRAM_SPLIT * (GR_HISTOGRAM_BITS_MAX - 8 + 2),
};

// All zero is empty.
struct gr_histogram {
    uint64_t bucket[GR_HISTOGRAM_BUCKETS];
    uint64_t count;
    uint64_t max_us; // exact
};

// The greatest value that a bucket counts.
uint64_t gr_histogram_value(uint32_t bucket);
void gr_histogram_add(struct gr_histogram *histogram, uint64_t us);

// The value that `per_mille` of a thousand counted values do not exceed; 0 if nothing was counted.
uint64_t gr_histogram_at(const struct gr_histogram *histogram, uint32_t per_mille);

#endif
