// gramme-sim: the command line of the simulator.
//
//   gramme-sim --first N --seeds N      runs seeds on all cores, each twice, and reports
//   gramme-sim --file F                 the seeds that a file lists
//   gramme-sim --seed N                 one seed; --verbose prints what happens
//   gramme-sim --seed N --minimise      shrinks one that fails
//   gramme-sim --canary NAME            leaves one rule out until it is noticed; with --seed, in
//                                       that run
//   gramme-sim --canaries               all of them; with --file FILE, lines of a name and a seed,
//                                       those seeds are tried before the others
//   gramme-sim --overload [--seed N]    more load than a cluster can carry (overload.c)
//   gramme-sim --crowd [--seed N] [--members N] [--minutes N]   1,000 members that gossip (crowd.c)
//
// Every mode that counts ends with a line "N passed, N failed"; --tap prints TAP instead. What a
// run is made of can be edited: --without and --with classes of fault, --nodes, --clients, --keys,
// --ops, --until-ms, --no-liveness, --actions.
#include <stdlib.h>
#include <string.h>

#include "sim/crowd.h"
#include "sim/overload.h"
#include "sim/pool.h"
#include "sim/seeds.h"

enum {
    FILE_SEEDS_MAX = 10000,
    CHECKED_SEEDS_MIN = 1000, // a run of so many seeds must have reached every probe
};

struct command {
    struct sim_options run;
    uint64_t first, count;
    int jobs;
    bool tap, one, minimise, canaries, overload, crowd;
    int members, minutes; // of the crowd
    const char *canary, *file;
};

static int usage(const char *wrong)
{
    fprintf(stderr,
        "gramme-sim: %s is not understood\n"
        "usage: gramme-sim [--first N] [--seeds N] [EDIT] [--jobs N] [--tap]\n"
        "       gramme-sim --file FILE [EDIT] [--jobs N] [--tap]\n"
        "       gramme-sim --seed N [--canary NAME] [EDIT] [--verbose | --minimise]\n"
        "       gramme-sim --canary NAME | --canaries [--file FILE] [--jobs N] [--tap]\n"
        "       gramme-sim --overload [--seed N] [--tap]\n"
        "       gramme-sim --crowd [--seed N] [--members N] [--minutes N] [--tap]\n"
        "EDIT:  --without CLASS,... --with CLASS,... --nodes N --clients N --keys N --ops N\n"
        "       --until-ms N --no-liveness --actions CLASS.N,...\n"
        "CLASS:",
        wrong);
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        fprintf(stderr, " %s", sim_fault_name((enum sim_fault)fault));
    fprintf(stderr, "\n");
    return 2;
}

// A whole number from least to most; false if the word is none.
static bool number(const char *word, uint64_t least, uint64_t most, uint64_t *ret)
{
    char *end;
    uint64_t value = strtoull(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end != 0 || value < least || value > most)
        return false;
    *ret = value;
    return true;
}

static bool small_number(const char *word, int least, int most, int *ret)
{
    uint64_t value;
    if (!number(word, (uint64_t)least, (uint64_t)most, &value))
        return false;
    *ret = (int)value;
    return true;
}

static bool flag(struct command *command, const char *name)
{
    const struct {
        const char *name;
        bool *value;
    } flags[] = {
        {"--tap", &command->tap},
        {"--verbose", &command->run.verbose},
        {"--minimise", &command->minimise},
        {"--canaries", &command->canaries},
        {"--overload", &command->overload},
        {"--crowd", &command->crowd},
        {"--no-liveness", &command->run.edit.no_liveness},
    };
    for (size_t i = 0; i < GR_COUNT(flags); i++)
        if (strcmp(name, flags[i].name) == 0)
            return *flags[i].value = true;
    return false;
}

// False if there is no such option, or not with that word.
static bool option(struct command *command, const char *name, const char *word)
{
    struct sim_edit *edit = &command->run.edit;
    uint64_t value = 0;
    if (strcmp(name, "--canary") == 0)
        command->canary = word;
    else if (strcmp(name, "--file") == 0)
        command->file = word;
    else if (strcmp(name, "--first") == 0)
        return number(word, 0, UINT64_MAX, &command->first);
    else if (strcmp(name, "--seeds") == 0)
        return number(word, 1, 100000000, &command->count);
    else if (strcmp(name, "--seed") == 0)
        return (command->one = number(word, 0, UINT64_MAX, &command->first));
    else if (strcmp(name, "--jobs") == 0)
        return small_number(word, 1, 64, &command->jobs);
    else if (strcmp(name, "--members") == 0)
        return small_number(word, 10, CROWD_NODES_MAX, &command->members);
    else if (strcmp(name, "--minutes") == 0)
        return small_number(word, 0, 100000, &command->minutes);
    else if (strcmp(name, "--without") == 0)
        return sim_faults_parse(word, &edit->without);
    else if (strcmp(name, "--with") == 0)
        return sim_faults_parse(word, &edit->with);
    else if (strcmp(name, "--nodes") == 0)
        return small_number(word, 1, SIM_NODES_MAX, &edit->nodes);
    else if (strcmp(name, "--clients") == 0)
        return small_number(word, 1, SIM_CLIENTS_MAX, &edit->clients);
    else if (strcmp(name, "--keys") == 0)
        return small_number(word, 1, SIM_KEYS_MAX, &edit->keys);
    else if (strcmp(name, "--ops") == 0)
        return small_number(word, 1, SIM_OPS_MAX - SIM_OPS_LIVE, &edit->ops);
    else if (strcmp(name, "--until-ms") == 0) {
        bool understood = number(word, 1, 3600000, &value);
        edit->until_ms = (int64_t)value;
        return understood;
    } else if (strcmp(name, "--actions") == 0)
        return (edit->some = sim_actions_parse(word, edit->only));
    else
        return false;
    return true;
}

// A number at the start of each line; the rest of the line is its story.
static int play_file(const struct command *command)
{
    FILE *file = fopen(command->file, "r");
    if (file == NULL) {
        fprintf(stderr, "gramme-sim: cannot read %s\n", command->file);
        return 2;
    }
    static uint64_t seeds[FILE_SEEDS_MAX];
    char line[512];
    uint64_t count = 0;
    while (fgets(line, sizeof line, file) != NULL && count < FILE_SEEDS_MAX) {
        char *end;
        uint64_t seed = strtoull(line, &end, 10);
        if (end != line)
            seeds[count++] = seed;
    }
    fclose(file);
    struct sim_batch batch = {.count = count,
        .seed = seeds,
        .jobs = command->jobs,
        .tap = command->tap,
        .edit = command->run.edit};
    return sim_play_batch(&batch);
}

static int play_one(struct command *command)
{
    static struct sim_report report;
    command->run.seed = command->first;
    if (command->minimise)
        return sim_play_minimised(&command->run);
    sim_play(&command->run, &report);
    if (!report.failed) {
        printf("seed %llu: no promise broken in %llu events, %lld simulated ms\n",
            (unsigned long long)command->run.seed, (unsigned long long)report.events,
            (long long)report.virtual_ms);
        return 0;
    }
    printf("seed %llu: %s\n", (unsigned long long)command->run.seed, report.story);
    return 1;
}

int main(int argc, char **argv)
{
    struct command command = {.first = 1,
        .count = 200,
        .jobs = sim_pool_cores(),
        .members = CROWD_NODES_MAX,
        .minutes = 10};
    for (int i = 1; i < argc; i++) {
        if (flag(&command, argv[i]))
            continue;
        if (i + 1 == argc || !option(&command, argv[i], argv[i + 1]))
            return usage(argv[i]);
        i++;
    }
    if (command.overload)
        return sim_overload(command.first, command.tap);
    if (command.crowd)
        return sim_crowd(
            command.first, (uint16_t)command.members, (uint32_t)command.minutes, command.tap);
    if (command.canaries || (command.canary != NULL && !command.one))
        return sim_play_canaries(command.canary, command.file, command.jobs, command.tap);
    for (int c = GR_CANARY_NONE; c < GR_CANARY_COUNT && command.canary != NULL; c++)
        if (strcmp(command.canary, gr_canary_name((enum gr_canary)c)) == 0)
            command.run.canary = (enum gr_canary)c;
    if (command.canary != NULL && command.run.canary == GR_CANARY_NONE)
        return usage(command.canary);
    if (command.file != NULL)
        return play_file(&command);
    if (command.one && (command.run.verbose || command.minimise || command.canary != NULL))
        return play_one(&command);
    struct sim_batch batch = {.count = command.one ? 1 : command.count,
        .first = command.first,
        .jobs = command.jobs,
        .tap = command.tap,
        .probes = !command.one && !command.tap && command.count >= CHECKED_SEEDS_MIN,
        .edit = command.run.edit};
    return sim_play_batch(&batch);
}
