// Many runs: seeds on all cores, canaries on all cores, and one failing seed made small.
//
// Every seed is run twice, and both must give the same digest. Runs are done by a pool of workers;
// what is printed depends neither on their number nor on their speed.
#include "sim/seeds.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sim/crowd.h"
#include "sim/minimise.h"
#include "sim/overload.h"
#include "sim/pool.h"

// A seed takes less than two seconds of processor time; with sanitizers ten times that. What is
// tried while a failure is shrunk must not wait long for a run that never ends.
enum { CANARY_SEEDS_MAX = 1000, TRIES_MAX = 2000, SEED_S_MAX = 60, TRY_S_MAX = 5 };

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

void sim_play(const struct sim_options *options, struct sim_report *report)
{
    if (setjmp(panicked) != 0) {
        report->failed = true;
        memcpy(report->story, panic_text, sizeof panic_text);
        if (options->verbose)
            printf("FAILED %s\n", report->story);
        return;
    }
    if (sim_overload_shows(options->canary))
        sim_overload_run(options, report);
    else if (sim_crowd_shows(options->canary))
        sim_crowd_run(options, report);
    else
        sim_run(options, report);
}

// ---- seeds -------------------------------------------------------------------------------------

struct batch {
    const struct sim_batch *asked;
    struct sim_total total;
    bool terminal;
};

struct played {
    struct sim_report report;
    int runs;
};

static uint64_t seed_of(const struct sim_batch *batch, uint64_t index)
{
    return batch->seed != NULL ? batch->seed[index] : batch->first + index;
}

static void play_seed(void *host, uint64_t index, void *ret_result)
{
    struct batch *batch = host;
    struct played *played = ret_result;
    static struct sim_report second;
    struct sim_options options = {.seed = seed_of(batch->asked, index), .edit = batch->asked->edit};
    sim_play(&options, &played->report);
    played->runs = 1;
    if (played->report.failed)
        return;
    sim_play(&options, &second);
    played->runs = 2;
    if (played->report.digest == second.digest)
        return;
    played->report.failed = true;
    snprintf(played->report.story, sizeof played->report.story,
        "two runs differ: digests %016llx, %016llx", (unsigned long long)played->report.digest,
        (unsigned long long)second.digest);
}

static void seed_done(void *host, uint64_t index, const void *result, const char *died)
{
    struct batch *batch = host;
    struct played played;
    memcpy(&played, result, sizeof played);
    uint64_t seed = seed_of(batch->asked, index);
    if (died != NULL) {
        played.report.failed = true;
        snprintf(played.report.story, sizeof played.report.story, "%s", died);
    }
    sim_total_add(&batch->total, &played.report, played.runs);
    if (batch->asked->tap)
        printf("%s %llu - seed %llu\n", played.report.failed ? "not ok" : "ok",
            (unsigned long long)index + 1, (unsigned long long)seed);
    if (!played.report.failed)
        return;
    struct sim_options options = {.seed = seed, .edit = batch->asked->edit};
    fprintf(stderr, "%sseed %llu: %s\n  replay: ", batch->terminal ? "\r\033[K" : "",
        (unsigned long long)seed, played.report.story);
    sim_print_replay(stderr, &options);
}

static void progress(void *host, uint64_t finished)
{
    struct batch *batch = host;
    uint64_t count = batch->asked->count;
    unsigned long long done = finished, all = count;
    if (batch->terminal)
        fprintf(stderr, "\r%llu of %llu seeds%s", done, all, finished == count ? "\r\033[K" : "");
    else if (!batch->asked->tap && count >= 100 && finished % (count / 10) == 0)
        fprintf(stderr, "%llu of %llu seeds\n", done, all);
}

static int64_t cpu_us(void)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    int64_t s = self.ru_utime.tv_sec + self.ru_stime.tv_sec + children.ru_utime.tv_sec +
                children.ru_stime.tv_sec;
    return s * 1000000 + self.ru_utime.tv_usec + self.ru_stime.tv_usec + children.ru_utime.tv_usec +
           children.ru_stime.tv_usec;
}

int sim_play_batch(const struct sim_batch *asked)
{
    struct batch batch = {.asked = asked, .terminal = !asked->tap && isatty(2)};
    struct sim_pool pool = {.jobs = asked->jobs,
        .count = asked->count,
        .bytes = sizeof(struct played),
        .seconds_max = SEED_S_MAX,
        .work = play_seed,
        .done = seed_done,
        .progress = progress,
        .host = &batch};
    int64_t before = cpu_us();
    sim_pool_run(&pool);
    struct sim_total *total = &batch.total;
    if (asked->probes)
        sim_total_check(total);
    if (asked->tap) {
        printf("1..%llu\n", (unsigned long long)asked->count);
    } else {
        sim_total_print(total, cpu_us() - before);
        uint64_t failed = total->failed + total->checks_failed;
        printf("%llu passed, %llu failed\n",
            (unsigned long long)(total->seeds + total->checks - failed),
            (unsigned long long)failed);
    }
    return total->failed + total->checks_failed > 0 || asked->count == 0;
}

// ---- canaries ----------------------------------------------------------------------------------

struct hunt {
    enum gr_canary canary[GR_CANARY_COUNT];
    uint64_t first[GR_CANARY_COUNT]; // the seed that is tried before all others; 0: none
    bool tap;
    int passed, failed;
};

struct noticed {
    uint64_t seed; // 0: it was not
    char story[512];
};

// The faults without which nobody would notice: every seed of the hunt has them.
static uint32_t stirred_by(enum gr_canary canary)
{
    bool of_rings = canary >= GR_CANARY_SERVE_EARLY && canary <= GR_CANARY_HINT_ASTRAY;
    bool of_sites = canary >= GR_CANARY_RELAY_ACKS_FOR_ALL && canary <= GR_CANARY_AWAY_COUNTS;
    return canary == GR_CANARY_UNWITNESSED ? 1u << SIM_LOST_RECORD
           : of_sites                      ? 1u << SIM_SITE_CUT
           : of_rings                      ? 1u << SIM_MEMBERS
                                           : 0;
}

// Chance needs thousands of seeds for these, and a golden script notices them at once: damage-once
// takes a second loss that a pass meets before any exchange does (damage_again.script),
// late-compare a delete in the moment of an exchange, which is then lost itself
// (exchange_delete_spreads.script), late-unoffered a value that comes between two moments of an
// exchange, deleted on the other side (exchange_late.script), doubt-ignored a write that a damaged
// replica was given again and gives on before it was given what that write replaced
// (exchange_doubtful.script), damage-lacking losses at all owners of a partition, one after
// another, and exchanges in the one order that passes by what the last of them had
// (damage_lacking.script), any-source a write that only the leaver and one other have, and a get
// that asks just the others after the newcomer holds and before the leaver has made sure of it
// (transfer.script). With unkept an exchange brings the write, only later (put_kept_too.script).
static bool is_hunted(enum gr_canary canary)
{
    return canary != GR_CANARY_DAMAGE_ONCE && canary != GR_CANARY_DAMAGE_LACKING &&
           canary != GR_CANARY_LATE_COMPARE && canary != GR_CANARY_DOUBT_IGNORED &&
           canary != GR_CANARY_LATE_UNOFFERED && canary != GR_CANARY_ANY_SOURCE &&
           canary != GR_CANARY_UNKEPT;
}

static void hunt(void *host, uint64_t index, void *ret_result)
{
    struct hunt *all = host;
    struct noticed *noticed = ret_result;
    static struct sim_report report;
    uint64_t first = all->first[all->canary[index]];
    for (uint64_t seed = first > 0 ? 0 : 1; seed <= CANARY_SEEDS_MAX && noticed->seed == 0;
         seed++) {
        struct sim_options options = {
            .seed = seed > 0 ? seed : first, .canary = all->canary[index]};
        options.edit.with = stirred_by(options.canary);
        sim_pool_limit(SEED_S_MAX); // for each run, not for the hunt
        sim_play(&options, &report);
        if (!report.failed)
            continue;
        memcpy(noticed->story, report.story, sizeof noticed->story);
        // A seed that fails with every rule in place says nothing of this one.
        options.canary = GR_CANARY_NONE;
        sim_play(&options, &report);
        noticed->seed = report.failed ? 0 : options.seed;
    }
}

static void hunted(void *host, uint64_t index, const void *result, const char *died)
{
    struct hunt *all = host;
    const struct noticed *noticed = result;
    enum gr_canary canary = all->canary[index];
    const char *name = gr_canary_name(canary);
    const char *ok = !all->tap ? "" : noticed->seed > 0 ? "ok - " : "not ok - ";
    if (noticed->seed > 0)
        printf("%s%-16s noticed at seed %llu of %d%s: %s\n", ok, name,
            (unsigned long long)noticed->seed, CANARY_SEEDS_MAX,
            stirred_by(canary) == 0                    ? ""
            : stirred_by(canary) == 1u << SIM_MEMBERS  ? " --with members"
            : stirred_by(canary) == 1u << SIM_SITE_CUT ? " --with site-cut"
                                                       : " --with lost-record",
            noticed->story);
    else
        printf("%s%-16s NOT noticed within %d seeds: %s\n", ok, name, CANARY_SEEDS_MAX,
            died != NULL ? died : gr_canary_text(canary));
    fflush(stdout);
    *(noticed->seed > 0 ? &all->passed : &all->failed) += 1;
}

// Lines of a name and a seed; # begins what is for people. False: there is no such file.
static bool read_first(const char *path, struct hunt *all)
{
    char line[256], name[64];
    unsigned long long seed;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL)
        for (int c = GR_CANARY_NONE + 1; c < GR_CANARY_COUNT; c++)
            if (sscanf(line, "%63s %llu", name, &seed) == 2 &&
                strcmp(name, gr_canary_name((enum gr_canary)c)) == 0)
                all->first[c] = seed;
    fclose(file);
    return true;
}

int sim_play_canaries(const char *only, const char *file, int jobs, bool tap)
{
    struct hunt all = {.tap = tap};
    uint64_t count = 0;
    if (file != NULL && !read_first(file, &all)) {
        fprintf(stderr, "gramme-sim: there is no file %s\n", file);
        return 2;
    }
    for (int c = GR_CANARY_NONE + 1; c < GR_CANARY_COUNT; c++)
        if (only == NULL ? is_hunted((enum gr_canary)c)
                         : strcmp(only, gr_canary_name((enum gr_canary)c)) == 0)
            all.canary[count++] = (enum gr_canary)c;
    if (count == 0) {
        fprintf(stderr, "gramme-sim: there is no canary %s; --canaries lists them all\n", only);
        return 2;
    }
    struct sim_pool pool = {.jobs = jobs,
        .count = count,
        .bytes = sizeof(struct noticed),
        .work = hunt,
        .done = hunted,
        .host = &all};
    sim_pool_run(&pool);
    if (tap)
        printf("1..%llu\n", (unsigned long long)count);
    else
        printf("%d passed, %d failed\n", all.passed, all.failed);
    return all.failed != 0;
}

// ---- the smallest that fails -------------------------------------------------------------------

struct shrink {
    struct sim_options options;
    struct sim_report report, last; // of the try under way; of the smallest that failed
    int played;
    bool died, dies; // the try under way did; the first one did
};

static void try_work(void *host, uint64_t index, void *ret_result)
{
    struct shrink *shrink = host;
    (void)index;
    sim_play(&shrink->options, ret_result);
}

static void try_done(void *host, uint64_t index, const void *result, const char *died)
{
    struct shrink *shrink = host;
    (void)index;
    memcpy(&shrink->report, result, sizeof shrink->report);
    shrink->died = died != NULL;
    if (died != NULL) { // nobody told what it was made of: as it was before
        shrink->report = shrink->last;
        shrink->report.failed = true;
        snprintf(shrink->report.story, sizeof shrink->report.story, "%s", died);
    }
}

static bool try(void *host, const struct sim_edit *edit, struct sim_shape *ret_shape)
{
    struct shrink *shrink = host;
    shrink->options.edit = *edit;
    struct sim_pool pool = {.jobs = 1,
        .count = 1,
        .bytes = sizeof(struct sim_report),
        .seconds_max = TRY_S_MAX,
        .work = try_work,
        .done = try_done,
        .host = shrink};
    sim_pool_run(&pool);
    const struct sim_report *report = &shrink->report;
    if (shrink->played++ == 0)
        shrink->dies = shrink->died;
    // A death tells nothing of itself, so it is a failure only if that is what is being shrunk.
    if (!report->failed || shrink->died != shrink->dies)
        return false;
    if (isatty(2))
        fprintf(stderr, "\r%llu events, still fails\033[K", (unsigned long long)report->events);
    shrink->last = *report;
    *ret_shape = (struct sim_shape){.on = report->on & ~edit->without,
        .nodes = report->nodes,
        .clients = report->clients,
        .keys = report->keys,
        .ops = report->ops,
        .until_ms = report->until_ms,
        .liveness = report->live_ms > 0,
        .events = report->events};
    memcpy(ret_shape->action, report->action, sizeof ret_shape->action);
    return true;
}

int sim_play_minimised(const struct sim_options *options)
{
    static struct shrink shrink;
    shrink.options = *options;
    struct sim_minimiser minimiser = {.fails = try, .host = &shrink, .tries_max = TRIES_MAX};
    struct sim_edit edit = options->edit;
    if (!sim_minimise(&minimiser, &edit)) {
        printf("seed %llu does not fail: nothing to make smaller\n",
            (unsigned long long)options->seed);
        return 1;
    }
    if (isatty(2))
        fprintf(stderr, "\r\033[K");
    int actions = 0;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        actions += __builtin_popcount(minimiser.shape.action[fault]);
    struct sim_options smallest = *options;
    smallest.edit = edit;
    struct sim_shape shape; // the last try was another one, and may have failed too late to be kept
    bool again = try(&shrink, &edit, &shape);
    gr_assert(again);
    printf("smallest after %d runs: %llu events, %d actions, %d nodes, %d clients, %d keys, "
           "%lld ms of faults\n",
        minimiser.tries, (unsigned long long)shrink.last.events, actions, minimiser.shape.nodes,
        minimiser.shape.clients, minimiser.shape.keys, (long long)minimiser.shape.until_ms);
    printf("story: %s\nreplay: ", shrink.last.story);
    sim_print_replay(stdout, &smallest);
    return 0;
}
