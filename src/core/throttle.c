// How much background work may run beside the foreground (§6.5).
//
// Picture a waiter who lays new tables only while the guests are served quickly. Now and then he
// looks at those who came since he last looked: was one in a hundred kept waiting longer than the
// target? Then he lays half as many tables from now on; if not, a few more every second; and if
// there has been no guest for a while, as many as he can. He always lays a few, or the room would
// never be ready.
//
//   T1  The rate is between slice_rate_min and slice_rate_max. It begins at slice_rate_min: what
//       the foreground bears is not known yet. A look lasts whole seconds, until it has had
//       LOOK_SAMPLES samples but at most GR_THROTTLE_SECONDS. One whose p99 is above the target
//       halves the rate, and there it stays until the next; after any other it grows by an eighth
//       each second. (The p99 of always the last minute, as in the paper, notices late and forgets
//       later: some seconds at full rate, then a minute at the lowest.)
//   T2  No more begins at once than BURSTS a second would be a second's worth of (at least one
//       slice): what was not used is not saved up, for a burst is what the foreground would feel.
//   T3  Without a sample for IDLE_S seconds the rate is slice_rate_max. IDLE_S is longer than a
//       request may take, so that silence is not a foreground that hangs.
//   T4  Foreground work that is refused for want of room counts as the slowest there is, and sets
//       the rate to slice_rate_min at once: background work is the first to stop. So does a look
//       of LOOK_SAMPLES whose p99 is above FAR times the configured target: what begins at full
//       rate after a quiet hour would else be at it for seconds, and what waits meanwhile for
//       longer.
//   T5  A foreground that is fast need not become slow before anything gives way: the target is
//       one and a half times the p99 of such looks with hardly any background work (no second of
//       them above slice_rate_min / CALM_SHARES), but within target / TARGET_SHARES and target:
//       what is stopped there stays below twice. It follows them by an eighth at a time, for one
//       bad second says little. As long as there was none it is the least of these. What is above
//       it at slice_rate_min for a whole minute is slow by itself, and is followed too.
//   T6  Integers only, and nothing but the arguments: the same calls give the same answers.
//
// Source: §6.5 ("the 99th percentile database read latency over the last 60 seconds ... a preset
// threshold, say 50ms"). The paper hands out time slices; a slice here is a bounded piece of work.
//
// Bounds: one row of counters; a sample costs O(1), a second O(buckets).
#include "core/throttle.h"

#include <string.h>

enum {
    LOOK_SAMPLES = 200, // the p99 is the third slowest
    STEP_SHARES = 8,    // an eighth at a time: the rate (T1), and what is calm (T5)
    BURSTS = 128,       // see T2
    IDLE_S = 5,
    CALM_SHARES = 8,
    TARGET_SHARES = 32,
    FAR = 2,
    SUB_BITS = 3, // eight buckets for each doubling
    LATENCY_US_MAX = (1 << 26) - 1,
};

#define SECOND_NS INT64_C(1000000000)

struct gr_throttle_config gr_throttle_config_default(void)
{
    return (struct gr_throttle_config){
        .target = gr_span_ms(50), .slice_rate_min = 128, .slice_rate_max = 8192};
}

void gr_throttle_init(struct gr_throttle *throttle, const struct gr_throttle_config *config)
{
    gr_assert(config->target.ns > 0 && config->slice_rate_min >= 1);
    gr_assert(config->slice_rate_min <= config->slice_rate_max);
    gr_assert(config->slice_rate_max <= GR_THROTTLE_RATE_MAX);
    memset(throttle, 0, sizeof *throttle);
    throttle->config = *config;
    throttle->slice_rate = config->slice_rate_min;
    throttle->allowance = SECOND_NS; // one slice: the rest is earned
    throttle->sampled = -1;
}

// ---- latencies -------------------------------------------------------------------------------

static uint32_t bucket_of(struct gr_span latency)
{
    uint32_t us = (uint32_t)GR_MIN(GR_MAX(latency.ns / 1000, 0), LATENCY_US_MAX);
    if (us < 1u << SUB_BITS)
        return us;
    uint32_t octave = 31u - (uint32_t)__builtin_clz(us);
    uint32_t sub = us >> (octave - SUB_BITS) & ((1u << SUB_BITS) - 1);
    return (octave - SUB_BITS + 1) << SUB_BITS | sub;
}

// The first microsecond that is above the bucket.
static int64_t bucket_end_us(uint32_t bucket)
{
    if (bucket < 1u << SUB_BITS)
        return (int64_t)bucket + 1;
    uint32_t shift = (bucket >> SUB_BITS) - 1;
    return (int64_t)((1u << SUB_BITS) + (bucket & ((1u << SUB_BITS) - 1)) + 1) << shift;
}

// The p99 of a look: the upper end of the bucket above which at most one sample in a hundred lies.
static struct gr_span look_p99(const struct gr_look *look)
{
    gr_assert(look->samples > 0);
    uint64_t above = 0;
    uint32_t bucket = GR_THROTTLE_BUCKETS - 1;
    for (; bucket > 0; bucket--) {
        above += look->count[bucket];
        if (above * 100 > look->samples)
            break;
    }
    return (struct gr_span){bucket_end_us(bucket) * 1000};
}

struct gr_span gr_throttle_p99(const struct gr_throttle *throttle)
{
    return throttle->p99;
}

// ---- looks -----------------------------------------------------------------------------------

struct gr_span gr_throttle_target(const struct gr_throttle *throttle)
{
    int64_t most = throttle->config.target.ns;
    int64_t ns = GR_MAX(throttle->calm.ns + throttle->calm.ns / 2, most / TARGET_SHARES);
    return (struct gr_span){GR_MIN(ns, most)};
}

static void set_rate(struct gr_throttle *throttle, uint32_t rate)
{
    const struct gr_throttle_config *config = &throttle->config;
    throttle->slice_rate = GR_MIN(GR_MAX(rate, config->slice_rate_min), config->slice_rate_max);
}

// T5.
static void learn_calm(struct gr_throttle *throttle)
{
    int64_t calm = throttle->calm.ns;
    if (calm == 0)
        throttle->calm = throttle->p99;
    else
        throttle->calm.ns += (throttle->p99.ns > calm ? calm : -calm) / STEP_SHARES;
}

// A look is over: is the foreground slower than it should be?
static void judge(struct gr_throttle *throttle)
{
    struct gr_look *look = &throttle->look;
    bool is_full = look->samples >= LOOK_SAMPLES;
    throttle->p99 = look_p99(look);
    if (is_full && (!look->busy || throttle->floor_seconds >= GR_THROTTLE_SECONDS))
        learn_calm(throttle);
    throttle->slow = throttle->p99.ns > gr_throttle_target(throttle).ns;
    if (is_full && throttle->p99.ns > FAR * throttle->config.target.ns) // T4
        set_rate(throttle, 0);
    else if (throttle->slow)
        set_rate(throttle, throttle->slice_rate / 2);
    *look = (struct gr_look){0};
}

// A second is over: the rate of the next.
static void decide(struct gr_throttle *throttle)
{
    struct gr_look *look = &throttle->look;
    uint32_t min = throttle->config.slice_rate_min;
    uint64_t spent = throttle->spent;
    throttle->spent = 0;
    look->seconds++;
    look->busy |= spent > min / CALM_SHARES;
    throttle->floor_seconds = throttle->slice_rate == min ? throttle->floor_seconds + 1 : 0;
    if (throttle->second - throttle->sampled >= IDLE_S) { // T3
        *look = (struct gr_look){0};
        throttle->slow = false;
        throttle->p99.ns = 0;
        throttle->slice_rate = throttle->config.slice_rate_max;
        return;
    }
    if (look->samples >= LOOK_SAMPLES ||
        (look->samples > 0 && look->seconds >= GR_THROTTLE_SECONDS))
        judge(throttle);
    uint32_t step = GR_MAX(throttle->slice_rate / STEP_SHARES, 1);
    if (spent * 2 < throttle->slice_rate)
        set_rate(throttle, throttle->slice_rate - step);
    else if (!throttle->slow)
        set_rate(throttle, throttle->slice_rate + step);
}

// The slices that may begin at once.
static uint32_t burst(const struct gr_throttle *throttle)
{
    return GR_MAX(throttle->slice_rate / BURSTS, 1);
}

// Adds what was earned up to `at` at the present rate (T2).
static void earn(struct gr_throttle *throttle, struct gr_instant at)
{
    int64_t ns = GR_MIN(at.ns - throttle->paid_at.ns, 2 * SECOND_NS);
    int64_t most = burst(throttle) * SECOND_NS;
    throttle->allowance = GR_MIN(throttle->allowance + ns * throttle->slice_rate, most);
    throttle->paid_at = at;
}

// Brings rate and allowance up to `now`.
static void advance(struct gr_throttle *throttle, struct gr_instant now)
{
    gr_assert(now.ns >= throttle->paid_at.ns);
    int64_t second = now.ns / SECOND_NS;
    if (throttle->sampled < 0) { // the first call
        throttle->sampled = throttle->second = second;
        throttle->paid_at = now;
    }
    // After a long silence only the last seconds count: all that is left of it is T3.
    if (second - throttle->second > GR_THROTTLE_SECONDS) {
        throttle->second = second - GR_THROTTLE_SECONDS;
        throttle->paid_at.ns = GR_MAX(throttle->paid_at.ns, throttle->second * SECOND_NS);
    }
    while (throttle->second < second) {
        struct gr_instant end = {(throttle->second + 1) * SECOND_NS};
        earn(throttle, end);
        decide(throttle);
        throttle->second++;
    }
    earn(throttle, now);
}

void gr_throttle_sample(struct gr_throttle *throttle, struct gr_instant now, struct gr_span latency)
{
    advance(throttle, now);
    throttle->look.count[bucket_of(latency)]++;
    throttle->look.samples++;
    throttle->sampled = throttle->second;
}

void gr_throttle_refused(struct gr_throttle *throttle, struct gr_instant now)
{
    gr_throttle_sample(throttle, now, (struct gr_span){INT64_MAX});
    throttle->slice_rate = throttle->config.slice_rate_min;
}

// ---- slices ----------------------------------------------------------------------------------

// More than a burst may begin with a burst, and is paid for afterwards (T2).
static int64_t needed(const struct gr_throttle *throttle, uint32_t slices)
{
    return GR_MIN(slices, burst(throttle)) * SECOND_NS;
}

bool gr_throttle_admit(struct gr_throttle *throttle, struct gr_instant now, uint32_t slices)
{
    gr_assert(slices >= 1);
    advance(throttle, now);
    if (throttle->allowance < needed(throttle, slices))
        return false;
    gr_throttle_owe(throttle, slices);
    return true;
}

void gr_throttle_owe(struct gr_throttle *throttle, uint32_t slices)
{
    throttle->allowance -= (int64_t)slices * SECOND_NS;
    throttle->slices += slices;
    throttle->spent += slices;
}

struct gr_instant gr_throttle_next(
    const struct gr_throttle *throttle, struct gr_instant now, uint32_t slices)
{
    int64_t missing = needed(throttle, slices) - throttle->allowance, rate = throttle->slice_rate;
    if (missing <= 0)
        return now;
    int64_t at = throttle->paid_at.ns + (missing + rate - 1) / rate;
    return (struct gr_instant){GR_MAX(at, now.ns)};
}

uint32_t gr_throttle_slices(uint64_t records, uint64_t bytes)
{
    uint64_t by_records = records / GR_SLICE_RECORDS + (records % GR_SLICE_RECORDS > 0);
    uint64_t by_bytes = bytes / GR_SLICE_BYTES + (bytes % GR_SLICE_BYTES > 0);
    return (uint32_t)GR_MIN(GR_MAX(GR_MAX(by_records, by_bytes), 1), UINT32_MAX);
}
