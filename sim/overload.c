// More load than a cluster can carry, and what must hold then (DESIGN.md §5).
//
// First the capacity is measured: clients that ask again as soon as they are answered. Then loads
// from half of it to three times as much, by clients that do not wait (sim/loaded.c).
//
//   OV1 At every load from the capacity on, goodput (answers OK within the client's patience) is at
//       least GOODPUT_PERCENT of its peak.
//   OV2 What requests take stays within memory_max, and what waits within its bound.
//   OV3 Every request is answered exactly once.
//   OV4 Background work is the first to stop: above the capacity it keeps its floor, and no more.
//   OV5 Same seed, same everything.
//   OV6 Late answers do not make more work: what is asked of somebody else too, for an answer is
//       late, is at most AGAIN_PERCENT of what is answered in time.
#include "sim/overload.h"

#include <stdio.h>

#include "sim/loaded.h"

enum { GOODPUT_PERCENT = 80, AGAIN_PERCENT = 10 };

static uint64_t per_second(uint64_t count)
{
    return count * 1000 / LOADED_MEASURED_MS;
}

// What was answered in time in a whole run, as far as what is measured shows.
static uint64_t in_all(const struct loaded_level *level)
{
    return level->goodput * (LOADED_WARM_MS + LOADED_MEASURED_MS) / LOADED_MEASURED_MS;
}

enum { CLAIMS = 6 };

static const char *const claim_text[CLAIMS] = {
    "goodput stays at 80 % of its peak at every load from the capacity on",
    "memory and queues stay within their bounds",
    "every request is answered exactly once",
    "background work keeps its floor above the capacity, and no more",
    "late answers do not make more work",
    "the same seed gives the same answers at the same times",
};

// Writes why a claim does not hold; nothing if it does.
static void judge(int claim, const struct loaded_level *level, int count,
    const struct loaded_level *again, char *why, size_t size)
{
    uint64_t peak = 0, floor = LOADED_SLICES_MIN * LOADED_NODES * LOADED_MEASURED_MS / 1000;
    for (int i = 0; i < count; i++)
        peak = GR_MAX(peak, level[i].goodput);
    why[0] = 0;
    for (int i = 0; i < count && why[0] == 0; i++) {
        const struct loaded_level *at = &level[i];
        if (claim == 0 && at->percent >= 100 && at->goodput * 100 < peak * GOODPUT_PERCENT)
            snprintf(why, size, "at %d %%: %llu of %llu a second", at->percent,
                (unsigned long long)per_second(at->goodput), (unsigned long long)per_second(peak));
        else if (claim == 1 &&
                 (at->memory_peak > LOADED_MEMORY_MAX || at->waiting_peak > LOADED_WAITING_MAX))
            snprintf(why, size, "at %d %%: %zu bytes, %u waiting", at->percent, at->memory_peak,
                at->waiting_peak);
        else if (claim == 2 && (at->unanswered > 0 || at->twice > 0))
            snprintf(why, size, "at %d %%: %llu never, %llu twice", at->percent,
                (unsigned long long)at->unanswered, (unsigned long long)at->twice);
        else if (claim == 3 && at->percent >= 150 &&
                 (at->pages > 2 * floor + LOADED_NODES || at->pages == 0))
            snprintf(why, size, "at %d %%: %llu slices, the floor is %llu", at->percent,
                (unsigned long long)at->pages, (unsigned long long)floor);
        else if (claim == 4 && at->percent >= 100 && at->again * 100 > in_all(at) * AGAIN_PERCENT)
            snprintf(why, size, "at %d %%: %llu asked again, %llu answered", at->percent,
                (unsigned long long)at->again, (unsigned long long)in_all(at));
    }
    if (claim == 5 && again->digest != level[0].digest)
        snprintf(why, size, "digests %016llx, %016llx", (unsigned long long)level[0].digest,
            (unsigned long long)again->digest);
}

static void print_level(const struct loaded_level *level, const char *name, bool tap)
{
    printf("%s%8s %9llu %9llu %8.1f %9llu %7llu %7llu %8zu %8u %8llu %8llu\n", tap ? "# " : "",
        name, (unsigned long long)per_second(level->offered),
        (unsigned long long)per_second(level->goodput), (double)level->p99_us / 1000,
        (unsigned long long)per_second(level->busy), (unsigned long long)per_second(level->late),
        (unsigned long long)per_second(level->other), level->memory_peak >> 10, level->waiting_peak,
        (unsigned long long)level->pages, (unsigned long long)level->again);
    fflush(stdout);
}

int sim_overload(uint64_t seed, bool tap)
{
    static const int percent[] = {50, 100, 150, 200, 300};
    struct loaded_level level[GR_COUNT(percent)];
    printf("%s%8s %9s %9s %8s %9s %7s %7s %8s %8s %8s %8s\n", tap ? "# " : "", "load", "asked/s",
        "good/s", "p99 ms", "busy/s", "late/s", "other/s", "peak KiB", "waiting", "slices",
        "again");
    struct loaded_level closed = loaded_run(seed, GR_CANARY_NONE, 0, 0);
    print_level(&closed, "closed", tap);
    for (size_t i = 0; i < GR_COUNT(percent); i++) {
        char name[16];
        snprintf(name, sizeof name, "%d.%d x", percent[i] / 100, percent[i] % 100 / 10);
        level[i] = loaded_run(seed, GR_CANARY_NONE, percent[i], per_second(closed.goodput));
        print_level(&level[i], name, tap);
    }
    struct loaded_level again =
        loaded_run(seed, GR_CANARY_NONE, percent[0], per_second(closed.goodput));
    int failed = 0;
    for (int c = 0; c < CLAIMS; c++) {
        char why[200];
        judge(c, level, GR_COUNT(percent), &again, why, sizeof why);
        failed += why[0] != 0;
        if (tap)
            printf("%s %d - %s%s%s\n", why[0] == 0 ? "ok" : "not ok", c + 1, claim_text[c],
                why[0] == 0 ? "" : "; ", why);
        else if (why[0] != 0)
            fprintf(stderr, "broken: %s; %s\n", claim_text[c], why);
    }
    if (tap)
        printf("1..%d\n", CLAIMS);
    else
        printf("%d passed, %d failed\n", CLAIMS - failed, failed);
    return failed != 0;
}

bool sim_overload_shows(enum gr_canary canary)
{
    return canary == GR_CANARY_LATE_REQUEST || canary == GR_CANARY_BACKGROUND_FREE ||
           canary == GR_CANARY_HEDGE_UNBOUNDED;
}

void sim_overload_run(const struct sim_options *options, struct sim_report *ret_report)
{
    *ret_report = (struct sim_report){.digest = options->seed};
    struct loaded_level level[2];
    struct loaded_level closed = loaded_run(options->seed, GR_CANARY_NONE, 0, 0);
    static const int percent[] = {100, 300};
    for (int i = 0; i < 2; i++)
        level[i] =
            loaded_run(options->seed, options->canary, percent[i], per_second(closed.goodput));
    for (int c = 0; c < CLAIMS - 1 && !ret_report->failed; c++) {
        char why[200];
        judge(c, level, 2, NULL, why, sizeof why);
        if (why[0] == 0)
            continue;
        ret_report->failed = true;
        snprintf(ret_report->story, sizeof ret_report->story, "%s; %s", claim_text[c], why);
    }
}
