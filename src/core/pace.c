// The pace of a repair: sixty buckets, one a second, and a rule of three.
//
// A walker who is asked how far it is looks at what he has walked in the last minute and says that
// the rest will go as fast. If he has stood still he says that he does not know.
//
//   E1  Nothing is estimated from less than a second, or from nothing done.
//   E2  Integers only, and nothing but the arguments: the same calls give the same answers.
//
// Bounds: GR_PACE_SECONDS rows; adding costs O(1), asking O(rows).
#include "core/pace.h"

#define SECOND_NS INT64_C(1000000000)

static int64_t second_of(struct gr_instant now)
{
    return now.ns / SECOND_NS + 1;
}

void gr_pace_add(struct gr_pace *pace, struct gr_instant now, uint32_t kind, uint64_t amount)
{
    gr_assert(kind < GR_PACE_KINDS);
    int64_t second = second_of(now);
    uint32_t at = (uint32_t)(second % GR_PACE_SECONDS);
    if (pace->row[at].second != second) {
        pace->row[at].second = second;
        for (uint32_t i = 0; i < GR_PACE_KINDS; i++)
            pace->row[at].done[i] = 0;
    }
    pace->row[at].done[kind] += amount;
    pace->total[kind] += amount;
}

uint64_t gr_pace_minute(const struct gr_pace *pace, struct gr_instant now, uint32_t kind)
{
    gr_assert(kind < GR_PACE_KINDS);
    int64_t second = second_of(now);
    uint64_t done = 0;
    for (uint32_t i = 0; i < GR_PACE_SECONDS; i++)
        if (pace->row[i].second > GR_MAX(second - GR_PACE_SECONDS, 0))
            done += pace->row[i].done[kind];
    return done;
}

struct gr_span gr_pace_span(struct gr_instant now, struct gr_instant since)
{
    int64_t ns = GR_MAX(now.ns - since.ns, 0);
    return (struct gr_span){GR_MIN(ns, GR_PACE_SECONDS * SECOND_NS)};
}

uint64_t gr_pace_rate(uint64_t done, struct gr_span span)
{
    uint64_t ms = (uint64_t)GR_MAX(span.ns / 1000000, 1);
    return done > UINT64_MAX / 1000 ? done / ms * 1000 : done * 1000 / ms;
}

int64_t gr_pace_left_s(uint64_t left, uint64_t done, struct gr_span span)
{
    if (left == 0)
        return 0;
    if (done == 0 || span.ns < SECOND_NS) // E1
        return GR_PACE_UNKNOWN;
    uint64_t ms = (uint64_t)(span.ns / 1000000);
    if (left > UINT64_MAX / 2 / ms)
        return INT64_MAX / 1000;
    return (int64_t)((left * ms / done + 999) / 1000);
}
