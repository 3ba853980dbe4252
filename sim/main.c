// gramme-sim: runs seeds, and shows that the oracle would notice a broken rule.
//
//   gramme-sim --first N --seeds N      runs seeds, each twice (equal digests), and reports
//   gramme-sim --file F                 the seeds that a file lists
//   gramme-sim --seed N --verbose       replays one and prints what happens
//   gramme-sim --canary NAME            leaves one rule out until it is noticed
//   gramme-sim --canaries               all of them, one after the other
//   gramme-sim --overload [--seed N]    more load than a cluster can carry (overload.c)
//
// Every mode ends with a line "N passed, N failed"; --tap prints TAP instead.
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/overload.h"
#include "sim/sim.h"

enum {
    CANARY_SEEDS_MAX = 1000,
    PROBE_SEEDS_MIN = 1000, // a run of so many seeds must have reached every probe
};

static jmp_buf panicked;
static char panic_text[400];

void gr_hook_panic(const char *file, int line, const char *what)
{
    snprintf(panic_text, sizeof panic_text, "assertion failed: %s:%d: %s", file, line, what);
    longjmp(panicked, 1);
}

void *gr_hook_memory(void *block, size_t bytes)
{
    if (bytes == 0) {
        free(block);
        return NULL;
    }
    void *grown = realloc(block, bytes);
    if (grown == NULL) {
        fprintf(stderr, "gramme-sim: out of memory\n");
        exit(1);
    }
    return grown;
}

struct total {
    uint64_t runs, failed, events, writes, messages, crashes, cuts, gets, puts, ok, rejected,
        indeterminate, virtual_ms;
    struct gr_probes probes;
};

static struct total total;

static void add(const struct sim_report *r)
{
    total.runs++;
    total.failed += r->failed;
    total.events += r->events;
    total.writes += r->writes;
    total.messages += r->messages;
    total.crashes += r->crashes;
    total.cuts += r->cuts;
    total.gets += r->gets;
    total.puts += r->puts;
    total.ok += r->ok;
    total.rejected += r->rejected;
    total.indeterminate += r->indeterminate;
    total.virtual_ms += (uint64_t)r->virtual_ms;
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        total.probes.reached[p] += r->probes.reached[p];
}

// One run; an assertion that fails is a failure of that seed, told like any other.
static void run(const struct sim_options *options, struct sim_report *report)
{
    if (setjmp(panicked) != 0) {
        report->failed = true;
        memcpy(report->story, panic_text, sizeof panic_text);
        return;
    }
    if (sim_overload_shows(options->canary))
        sim_overload_run(options, report);
    else
        sim_run(options, report);
}

static bool run_seed(uint64_t seed, bool verbose)
{
    struct sim_options options = {.seed = seed, .canary = GR_CANARY_NONE, .verbose = verbose};
    static struct sim_report first, second;
    run(&options, &first);
    if (!first.failed && !verbose) {
        run(&options, &second);
        if (first.digest != second.digest) {
            first.failed = true;
            snprintf(first.story, sizeof first.story, "two runs differ: digests %016llx, %016llx",
                (unsigned long long)first.digest, (unsigned long long)second.digest);
        }
    }
    add(&first);
    return !first.failed ||
           (fprintf(stderr, "seed %llu: %s\n  replay: gramme-sim --seed %llu --verbose\n",
                (unsigned long long)seed, first.story, (unsigned long long)seed),
               false);
}

// True if the rule's absence is noticed within CANARY_SEEDS_MAX seeds.
static bool run_canary(enum gr_canary canary, bool tap)
{
    static struct sim_report report;
    const char *name = gr_canary_name(canary);
    for (uint64_t seed = 1; seed <= CANARY_SEEDS_MAX; seed++) {
        struct sim_options options = {.seed = seed, .canary = canary};
        run(&options, &report);
        if (report.failed) {
            printf(tap ? "ok - %s noticed at seed %llu of %d: %s\n"
                       : "%-16s noticed at seed %llu of %d: %s\n",
                name, (unsigned long long)seed, CANARY_SEEDS_MAX, report.story);
            fflush(stdout);
            return true;
        }
    }
    printf(tap ? "not ok - %s not noticed within %d seeds: %s\n"
               : "%-16s NOT noticed within %d seeds: %s\n",
        name, CANARY_SEEDS_MAX, gr_canary_text(canary));
    return false;
}

static int canaries(const char *only, bool tap)
{
    int passed = 0, failed = 0;
    for (int c = GR_CANARY_NONE + 1; c < GR_CANARY_COUNT; c++) {
        if (only != NULL && strcmp(only, gr_canary_name((enum gr_canary)c)) != 0)
            continue;
        if (run_canary((enum gr_canary)c, tap))
            passed++;
        else
            failed++;
    }
    if (passed + failed == 0) {
        fprintf(stderr, "gramme-sim: there is no canary %s; --canaries lists them all\n", only);
        return 2;
    }
    if (tap)
        printf("1..%d\n", passed + failed);
    else
        printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

static void print_total(void)
{
    printf("# %llu runs, %.1f simulated minutes, %llu events, %llu messages, %llu writes\n",
        (unsigned long long)total.runs, (double)total.virtual_ms / 60000,
        (unsigned long long)total.events, (unsigned long long)total.messages,
        (unsigned long long)total.writes);
    printf("# %llu gets, %llu puts: %llu ok, %llu rejected, %llu indeterminate; %llu crashes, "
           "%llu cuts\n",
        (unsigned long long)total.gets, (unsigned long long)total.puts,
        (unsigned long long)total.ok, (unsigned long long)total.rejected,
        (unsigned long long)total.indeterminate, (unsigned long long)total.crashes,
        (unsigned long long)total.cuts);
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        printf("# %10llu  %s\n", (unsigned long long)total.probes.reached[p],
            gr_probe_text((enum gr_probe)p));
}

// A rare branch that so many runs never took is a branch that nothing tests.
static void check_probes(void)
{
    for (int p = 0; p < GR_PROBE_COUNT; p++) {
        total.runs++;
        if (total.probes.reached[p] > 0)
            continue;
        total.failed++;
        fprintf(stderr, "never reached: %s\n", gr_probe_text((enum gr_probe)p));
    }
}

static int seeds(uint64_t first, uint64_t count, bool tap)
{
    for (uint64_t i = 0; i < count; i++) {
        bool ok = run_seed(first + i, false);
        if (tap)
            printf("%s %llu - seed %llu\n", ok ? "ok" : "not ok", (unsigned long long)i + 1,
                (unsigned long long)(first + i));
        else if (count >= 100 && (i + 1) % (count / 10) == 0)
            fprintf(stderr, "%llu of %llu seeds\n", (unsigned long long)i + 1,
                (unsigned long long)count);
    }
    if (tap) {
        printf("1..%llu\n", (unsigned long long)count);
    } else {
        print_total();
        if (count >= PROBE_SEEDS_MIN)
            check_probes();
        printf("%llu passed, %llu failed\n", (unsigned long long)(total.runs - total.failed),
            (unsigned long long)total.failed);
    }
    return total.failed != 0;
}

// A number at the start of each line; the rest of the line is its story.
static int seeds_of(const char *path, bool tap)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "gramme-sim: cannot read %s\n", path);
        return 2;
    }
    char line[512];
    int count = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end == line)
            continue;
        bool ok = run_seed(seed, false);
        count++;
        if (tap)
            printf("%s - seed %llu\n", ok ? "ok" : "not ok", (unsigned long long)seed);
    }
    fclose(file);
    if (tap)
        printf("1..%d\n", count);
    else
        printf("%llu passed, %llu failed\n", (unsigned long long)(total.runs - total.failed),
            (unsigned long long)total.failed);
    return total.failed != 0 || count == 0;
}

static int usage(const char *wrong)
{
    fprintf(stderr,
        "gramme-sim: %s is not understood\n"
        "usage: gramme-sim [--first N] [--seeds N] [--tap]\n"
        "       gramme-sim --file FILE [--tap]\n"
        "       gramme-sim --seed N [--verbose]\n"
        "       gramme-sim --canary NAME | --canaries\n"
        "       gramme-sim --overload [--seed N] [--tap]\n",
        wrong);
    return 2;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, count = 200;
    bool tap = false, verbose = false;
    const char *canary = NULL, *file = NULL;
    bool all_canaries = false, overload = false;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--tap") == 0)
            tap = true;
        else if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--canaries") == 0)
            all_canaries = true;
        else if (strcmp(argv[i], "--overload") == 0)
            overload = true;
        else if (strcmp(argv[i], "--canary") == 0 && more)
            canary = argv[++i];
        else if (strcmp(argv[i], "--file") == 0 && more)
            file = argv[++i];
        else if (strcmp(argv[i], "--first") == 0 && more)
            first = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0 && more)
            count = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && more)
            first = strtoull(argv[++i], NULL, 10), count = 1;
        else
            return usage(argv[i]);
    }
    if (all_canaries || canary != NULL)
        return canaries(canary, tap);
    if (overload)
        return sim_overload(first, tap);
    if (file != NULL)
        return seeds_of(file, tap);
    if (verbose)
        return run_seed(first, true) ? 0 : 1;
    return seeds(first, count, tap);
}
