// A histogram of latencies; see histogram.h.
//
//     value    0 .. 255   256 .. 511   512 .. 1023   1024 .. 2047  ...
//     shift       0           1            2              3
//     bucket   0 .. 255   256 .. 383   384 .. 511     512 .. 639
#include "bench/histogram.h"

static uint32_t shift_of(uint64_t us)
{
    uint32_t bits = us == 0 ? 0 : 64 - (uint32_t)__builtin_clzll(us);
    return bits > 8 ? bits - 8 : 0;
}

void gr_histogram_add(struct gr_histogram *histogram, uint64_t us)
{
    uint64_t counted = GR_MIN(us, (UINT64_C(1) << GR_HISTOGRAM_BITS_MAX) - 1);
    uint32_t shift = shift_of(counted);
    uint64_t bucket = (uint64_t)shift * GR_HISTOGRAM_SPLIT + (counted >> shift);
    gr_assert(bucket < GR_HISTOGRAM_BUCKETS);
    histogram->bucket[bucket]++;
    histogram->count++;
    histogram->max_us = GR_MAX(histogram->max_us, us);
}

uint64_t gr_histogram_value(uint32_t bucket)
{
    if (bucket < 2 * GR_HISTOGRAM_SPLIT)
        return bucket;
    uint32_t shift = bucket / GR_HISTOGRAM_SPLIT - 1;
    return (((uint64_t)bucket - shift * GR_HISTOGRAM_SPLIT + 1) << shift) - 1;
}

uint64_t gr_histogram_at(const struct gr_histogram *histogram, uint32_t per_mille)
{
    gr_assert(per_mille <= 1000);
    if (histogram->count == 0)
        return 0;
    // Rounded up: the p99 of ten values is the greatest of them.
    uint64_t rank = (histogram->count * per_mille + 999) / 1000;
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < GR_HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->bucket[bucket];
        if (seen >= rank && seen > 0)
            return GR_MIN(gr_histogram_value(bucket), histogram->max_us);
    }
    gr_unreachable("fewer values in the buckets than were counted");
}
