// gramme repair status, run, scrub: how a node mends itself, and have it done now.
//
// A node says in numbers how far it is (GR.REPAIR STATUS); here they become sentences. `run` and
// `scrub` ask, and then look until it is done, as anybody else could: who stops looking stops
// nothing. Ends with 0 if all is well then, and 1 if something is not, which stderr names.
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bin/ask.h"
#include "bin/output.h"

enum { LOOK_MS = 200, TELL_S = 5, SILENT_S_MAX = 60 };

// The node that is asked.
struct asked {
    struct gr_options options; // with its address as --at
    struct gramme *client;
    const char *partition; // NULL: all
    bool said_hello;
};

static enum gramme_outcome ask(
    struct asked *asked, const char *verb, const struct gramme_reply **ret_reply)
{
    enum gramme_outcome outcome = GRAMME_OK;
    if (!asked->said_hello)
        outcome = gr_ask(asked->client, ret_reply, "HELLO", "3", NULL);
    asked->said_hello = outcome == GRAMME_OK;
    if (outcome == GRAMME_OK)
        outcome = gr_ask(asked->client, ret_reply, "GR.REPAIR", verb, asked->partition, NULL);
    // A connection that is made anew speaks RESP2 again.
    asked->said_hello = outcome == GRAMME_OK;
    return outcome;
}

static bool is_true(const struct gramme_reply *map, const char *name)
{
    return gr_ask_number(map, name) != 0;
}

static bool is_known(const struct gramme_reply *map, const char *name)
{
    const struct gramme_reply *value = gr_ask_field(map, name);
    return value != NULL && value->kind != GRAMME_NIL;
}

static const char *count_of(
    struct gr_table *table, const struct gramme_reply *map, const char *name)
{
    return gr_table_number(table, gr_ask_number(map, name));
}

static const char *age_of(struct gr_table *table, const struct gramme_reply *map, const char *name)
{
    return is_known(map, name) ? gr_table_seconds(table, gr_ask_number(map, name)) : "-";
}

// ---- which node --------------------------------------------------------------------------------

// A name is looked up in what the node of --at knows; HOST:PORT is taken as it is. 0, or an exit
// code after it was said why not.
static int find_node(const struct gr_options *options, const char *name, char *ret, size_t size)
{
    static struct gr_ask_member member[GR_MEMBERS_MAX];
    int count = 0;
    snprintf(ret, size, "%s", name);
    if (strchr(name, ':') != NULL)
        return GR_EXIT_OK;
    int code = gr_ask_cluster(options, member, GR_MEMBERS_MAX, &count);
    if (code != GR_EXIT_OK)
        return code;
    for (int i = 0; i < count; i++) {
        if (strcmp(member[i].name, name) != 0)
            continue;
        snprintf(ret, size, "%s", member[i].address);
        return GR_EXIT_OK;
    }
    return gr_complain(GR_EXIT_ERROR,
        "there is no node '%s'; `gramme status` lists them, HOST:PORT will do too", name);
}

// ---- sentences ---------------------------------------------------------------------------------

// What an exchange's error means for who asked for it.
static const char *why_not(const char *name)
{
    static const struct {
        const char *name, *text;
    } texts[] = {
        {"UNREACHABLE", "there is no link to it. Start it, or look at the network between them"},
        {"LOADING", "it has not yet read its own store since it was started. Try again later"},
        {"BUSY", "it was at work on the same partitions, or they were written to. Try again"},
        {"TIMEOUT", "it did not answer in time. Look at how it is with `gramme status`"},
        {"CORRUPT", "a store is not what was written there. `gramme repair status` of both nodes "
                    "shows which"},
        {"NO_SPACE", "a disk is full. Free some space; `gramme status` shows where"},
        {"IO", "a disk failed. `gramme status` shows where"},
        {"NOT_OWNER", "it does not own them: the nodes do not have the same cluster file"},
    };
    for (size_t i = 0; i < GR_COUNT(texts); i++)
        if (strcmp(texts[i].name, name) == 0)
            return texts[i].text;
    return name;
}

static const char *join_names(struct gr_table *table, const struct gramme_reply *names)
{
    const char *all = "";
    for (size_t i = 0; names != NULL && i < names->count; i++)
        all = gr_table_format(table, "%s%s%.*s", all, i == 0 ? "" : ", ",
            (int)names->item[i].text.size, (const char *)names->item[i].text.data);
    return all;
}

// How long a refill still takes, as far as anybody can tell.
static const char *time_left(struct gr_table *table, const struct gramme_reply *status)
{
    if (gr_ask_number(status, "behind") == 0)
        return "-";
    if (!is_known(status, "seconds-left"))
        return "unknown";
    return gr_table_format(
        table, "about %s", gr_table_seconds(table, gr_ask_number(status, "seconds-left")));
}

static void print_damages(const struct gramme_reply *damages, int64_t all)
{
    if (damages == NULL || damages->count == 0)
        return;
    struct gr_table table;
    gr_table_init(&table, 4);
    gr_table_row(
        &table, (const char *const[]){"PARTITION", "WAS NOT WHAT WAS WRITTEN", "AGO", "NOW"});
    for (size_t i = 0; i < damages->count; i++) {
        const struct gramme_reply *at = &damages->item[i];
        const char *now = "whole again";
        if (is_true(at, "damaged"))
            now = gr_table_format(&table, "owes %s writes, waits for %s",
                count_of(&table, at, "owes"), join_names(&table, gr_ask_field(at, "waits-for")));
        gr_table_row(&table, (const char *const[]){count_of(&table, at, "partition"),
                                 gr_ask_text(at, "found"), age_of(&table, at, "seconds"), now});
    }
    printf("\n");
    gr_table_print(&table);
    if (all > (int64_t)damages->count)
        printf("... of %s that are damaged\n", gr_table_number(&table, all));
    gr_table_deinit(&table);
}

static void print_moved(const struct gramme_reply *status, struct gr_table *t)
{
    printf("    last minute: %s keys taken (%s bytes), %s given (%s bytes)\n",
        count_of(t, status, "keys-received-minute"), count_of(t, status, "bytes-received-minute"),
        count_of(t, status, "keys-sent-minute"), count_of(t, status, "bytes-sent-minute"));
    printf("    since the start: %s keys taken (%s bytes), %s given (%s bytes)\n",
        count_of(t, status, "keys-received"), count_of(t, status, "bytes-received"),
        count_of(t, status, "keys-sent"), count_of(t, status, "bytes-sent"));
}

static void print_exchanges(const struct gramme_reply *exchanges, struct gr_table *t)
{
    for (size_t i = 0; exchanges != NULL && i < exchanges->count; i++) {
        const struct gramme_reply *x = &exchanges->item[i];
        bool here = strcmp(gr_ask_text(x, "begun"), "here") == 0;
        printf(
            "    now: partition %s with %s, ", count_of(t, x, "partition"), gr_ask_text(x, "node"));
        if (!here)
            printf("begun there\n");
        else if (gr_ask_number(x, "keys") > 0)
            printf("%s, %s of %s keys\n", gr_ask_text(x, "step"), count_of(t, x, "done"),
                count_of(t, x, "keys"));
        else
            printf("%s\n", gr_ask_text(x, "step"));
    }
}

static void print_peers(const struct gramme_reply *peers)
{
    struct gr_table table;
    gr_table_init(&table, 8);
    gr_table_row(&table, (const char *const[]){"PEER", "STATE", "SHARED", "IN SYNC", "COMPARED",
                             "BEHIND HERE", "BEHIND THERE", "UNKNOWN"});
    for (size_t i = 0; peers != NULL && i < peers->count; i++) {
        const struct gramme_reply *peer = &peers->item[i];
        gr_table_row(
            &table, (const char *const[]){gr_ask_text(peer, "node"), gr_ask_text(peer, "state"),
                        count_of(&table, peer, "shared"), count_of(&table, peer, "whole"),
                        age_of(&table, peer, "oldest-seconds"), count_of(&table, peer, "behind"),
                        count_of(&table, peer, "peer-behind"), count_of(&table, peer, "unknown")});
    }
    printf("\n");
    gr_table_print(&table);
    gr_table_deinit(&table);
}

static void print_status(const struct gramme_reply *status)
{
    struct gr_table t; // of texts
    gr_table_init(&t, 1);
    int64_t partitions = gr_ask_number(status, "partitions");
    printf("%s: %s of %s partitions whole, %s %%", gr_ask_text(status, "node"),
        count_of(&t, status, "whole"), gr_table_number(&t, partitions),
        count_of(&t, status, "percent"));
    if (gr_ask_number(status, "behind") > 0)
        printf(", %s keys/s, %s%s", count_of(&t, status, "keys-per-second"),
            is_known(status, "seconds-left") ? "" : "time left ", time_left(&t, status));
    if (gr_ask_number(status, "behind") > 0 && is_known(status, "seconds-left"))
        printf(" left");
    printf("\n    %s behind, %s damaged, %s not compared yet\n", count_of(&t, status, "behind"),
        count_of(&t, status, "damaged"), count_of(&t, status, "unknown"));
    printf("    read since the start: %s of %s\n", count_of(&t, status, "read"),
        gr_table_number(&t, partitions));
    if (strcmp(gr_ask_text(status, "store"), "ok") != 0)
        printf("    its store takes no writes (%s), so nothing is mended: `gramme status`\n",
            gr_ask_text(status, "store"));
    print_moved(status, &t);
    print_exchanges(gr_ask_field(status, "exchanges"), &t);
    print_peers(gr_ask_field(status, "peers"));
    print_damages(gr_ask_field(status, "damage"), gr_ask_number(status, "damaged"));
    gr_table_deinit(&t);
}

static void print_partition(const struct gramme_reply *at)
{
    const struct gramme_reply *peers = gr_ask_field(at, "peers");
    const struct gramme_reply *damage = gr_ask_field(at, "damage");
    struct gr_table t;
    gr_table_init(&t, 5);
    printf("%s, partition %s: %s, %s\n", gr_ask_text(at, "node"), count_of(&t, at, "partition"),
        gr_ask_text(at, "state"),
        is_true(at, "to-be-read") ? "to be read again"
        : is_true(at, "read")     ? "read since the start"
                                  : "not yet read since the start");
    printf("    %s keys, sum %s\n    clock %s, of %s runs\n", count_of(&t, at, "keys"),
        gr_ask_text(at, "sum"), gr_ask_text(at, "clock"), count_of(&t, at, "clock-rows"));
    if (damage != NULL && damage->kind != GRAMME_NIL)
        print_damages(&(struct gramme_reply){.count = 1, .item = damage}, 0);
    gr_table_row(
        &t, (const char *const[]){"PEER", "STATE", "HERE", "THERE", "LAST EXCHANGE FROM HERE"});
    for (size_t i = 0; peers != NULL && i < peers->count; i++) {
        const struct gramme_reply *peer = &peers->item[i];
        const char *how = gr_ask_text(peer, "exchange");
        const char *last = "none";
        if (is_known(peer, "exchange"))
            last = gr_table_format(&t, "%s %s ago", strcmp(how, "OK") == 0 ? "joined" : how,
                age_of(&t, peer, "exchange-seconds"));
        gr_table_row(
            &t, (const char *const[]){gr_ask_text(peer, "node"), gr_ask_text(peer, "state"),
                    gr_table_format(
                        &t, "%s %s", gr_ask_text(peer, "here"), age_of(&t, peer, "here-seconds")),
                    gr_table_format(
                        &t, "%s %s", gr_ask_text(peer, "there"), age_of(&t, peer, "there-seconds")),
                    is_true(peer, "asked") ? "asked for" : last});
    }
    printf("\n");
    gr_table_print(&t);
    gr_table_deinit(&t);
}

// ---- status ------------------------------------------------------------------------------------

static int show_node(struct asked *asked)
{
    const struct gramme_reply *reply = NULL;
    enum gramme_outcome outcome = ask(asked, "STATUS", &reply);
    if (outcome != GRAMME_OK)
        return gr_ask_failed(&asked->options, asked->client, outcome);
    if (asked->options.output == GR_OUTPUT_JSON) {
        gr_ask_print_json(reply);
        printf("\n");
    } else if (asked->partition != NULL) {
        print_partition(reply);
    } else {
        print_status(reply);
    }
    return GR_EXIT_OK;
}

static void add_node_row(
    struct gr_table *table, const char *name, const struct gramme_reply *status, const char *error)
{
    if (status == NULL) {
        gr_table_row(table, (const char *const[]){name, "-", "-", "-", "-", "-", "-", error});
        return;
    }
    gr_table_row(table, (const char *const[]){name, count_of(table, status, "partitions"),
                            count_of(table, status, "whole"), count_of(table, status, "behind"),
                            count_of(table, status, "unknown"), count_of(table, status, "damaged"),
                            count_of(table, status, "read"), time_left(table, status)});
}

// A row for each node.
static int show_all(const struct gr_options *options)
{
    static struct gr_ask_member member[GR_MEMBERS_MAX];
    int count = 0, silent = 0;
    int code = gr_ask_cluster(options, member, GR_MEMBERS_MAX, &count);
    if (code != GR_EXIT_OK)
        return code;
    bool json = options->output == GR_OUTPUT_JSON;
    struct gr_table table;
    gr_table_init(&table, 8);
    gr_table_row(&table, (const char *const[]){"NODE", "PARTITIONS", "WHOLE", "BEHIND", "UNKNOWN",
                             "DAMAGED", "READ", "LEFT"});
    for (int i = 0; i < count; i++) {
        struct asked asked = {.options = *options,
            .client = gramme_open(member[i].address, (unsigned)options->timeout_ms)};
        const struct gramme_reply *reply = NULL;
        if (ask(&asked, "STATUS", &reply) != GRAMME_OK)
            reply = NULL;
        silent += reply == NULL;
        const char *error = gramme_error(asked.client);
        if (json && reply != NULL) {
            printf(i == 0 ? "[" : ",\n ");
            gr_ask_print_json(reply);
        } else if (json) {
            printf("%s{\"node\": ", i == 0 ? "[" : ",\n ");
            gr_json_text(member[i].name);
            printf(", \"error\": ");
            gr_json_text(error);
            printf("}");
        }
        add_node_row(&table, member[i].name, reply, "no answer");
        gramme_close(asked.client);
    }
    if (json)
        printf("]\n");
    else
        gr_table_print(&table);
    gr_table_deinit(&table);
    return silent == count ? GR_EXIT_UNREACHABLE : GR_EXIT_OK;
}

// Finds the node, and runs `act` with a client of it.
static int with_node(
    const struct gr_options *options, int argc, char **argv, int (*act)(struct asked *asked))
{
    char address[GR_NAME_BYTES_MAX + 1];
    struct asked asked = {.options = *options, .partition = argc > 1 ? argv[1] : NULL};
    int code = find_node(options, argv[0], address, sizeof(address));
    if (code != GR_EXIT_OK)
        return code;
    asked.options.at = address;
    asked.client = gr_ask_open(&asked.options);
    code = act(&asked);
    gramme_close(asked.client);
    return code;
}

int gr_verb_repair_status(const struct gr_options *options, int argc, char **argv)
{
    return argc == 0 ? show_all(options) : with_node(options, argc, argv, show_node);
}

// ---- run, scrub --------------------------------------------------------------------------------

// What is looked at until it is done.
struct watch {
    struct asked *asked;
    bool scrub, tty, told;
    int64_t number, run; // of the ask, and of the store's run in which it was made
    struct timespec began, last;
};

static double seconds_since(const struct timespec *at)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - at->tv_sec) + (double)(now.tv_nsec - at->tv_nsec) / 1e9;
}

static void look_later(void)
{
    struct timespec span = {LOOK_MS / 1000, LOOK_MS % 1000 * 1000000L};
    nanosleep(&span, NULL);
}

// The rounds that there will be: of a scrub those that follow the reads to come, too.
static int64_t rounds_in_all(const struct gramme_reply *status, const struct gramme_reply *job)
{
    const struct gramme_reply *peers = gr_ask_field(status, "peers");
    int64_t shared = 0, partitions = GR_MAX(gr_ask_number(status, "partitions"), 1);
    for (size_t i = 0; peers != NULL && i < peers->count; i++)
        shared += gr_ask_number(&peers->item[i], "shared");
    int64_t unread = gr_ask_number(job, "reads") - gr_ask_number(job, "read");
    return gr_ask_number(job, "rounds") + unread * shared / partitions;
}

// One line on stderr: written over on a terminal, else every few seconds.
static void tell_progress(struct watch *watch, const struct gramme_reply *status)
{
    const struct gramme_reply *job = gr_ask_field(status, "asked");
    if (job == NULL || (!watch->tty && seconds_since(&watch->last) < TELL_S))
        return;
    clock_gettime(CLOCK_MONOTONIC, &watch->last);
    int64_t rounds = rounds_in_all(status, job), reads = gr_ask_number(job, "reads");
    int64_t held = gr_ask_number(job, "joined") + gr_ask_number(job, "failed");
    int64_t read = gr_ask_number(job, "read"), done = held + read, all = rounds + reads;
    struct gr_table t;
    gr_table_init(&t, 1);
    const char *left = "unknown";
    double passed = seconds_since(&watch->began);
    if (done > 0 && passed >= 1)
        left = gr_table_seconds(&t, (int64_t)(passed * (double)(all - done) / (double)done + 1));
    fprintf(stderr, "%srounds: %s of %s", watch->tty ? "\r\033[K" : "", gr_table_number(&t, held),
        gr_table_number(&t, rounds));
    if (reads > 0)
        fprintf(stderr, ", partitions read: %s of %s", gr_table_number(&t, read),
            gr_table_number(&t, reads));
    fprintf(stderr, ", keys moved: %s, time left: %s%s", count_of(&t, job, "keys"), left,
        watch->tty ? "" : "\n");
    fflush(stderr);
    watch->told = true;
    gr_table_deinit(&t);
}

static void end_line(const struct watch *watch)
{
    if (watch->tty && watch->told)
        fprintf(stderr, "\r\033[K");
}

// Looks until it is done: GRAMME_OK and the last status, or why it cannot be looked at any more. A
// node that finds its store damaged is silent for a while.
static enum gramme_outcome wait_for_end(struct watch *watch, const struct gramme_reply **ret_status)
{
    struct timespec answered;
    clock_gettime(CLOCK_MONOTONIC, &answered);
    struct asked all = *watch->asked;
    for (;; look_later()) {
        all.partition = NULL;
        enum gramme_outcome outcome = ask(&all, "STATUS", ret_status);
        bool late = seconds_since(&answered) > SILENT_S_MAX;
        if (outcome != GRAMME_OK && late)
            return outcome;
        if (outcome != GRAMME_OK)
            continue;
        const struct gramme_reply *job = gr_ask_field(*ret_status, "asked");
        const char *store = gr_ask_text(*ret_status, "store");
        bool other_run = gr_ask_number(*ret_status, "run") != watch->run;
        bool known = job != NULL && gr_ask_number(job, "number") >= watch->number;
        // What failed is opened again by itself, but for a full disk.
        bool writes = strcmp(store, "ok") == 0, full = strcmp(store, "NO_SPACE") == 0;
        if (other_run || full || (!writes && late) || (writes && known && !is_true(job, "busy")))
            return GRAMME_OK;
        if (!writes)
            continue;
        clock_gettime(CLOCK_MONOTONIC, &answered);
        tell_progress(watch, *ret_status);
    }
}

// The rounds that failed, one line for each peer.
static int complain_of_rounds(const struct gramme_reply *status)
{
    const struct gramme_reply *peers = gr_ask_field(status, "peers");
    for (size_t i = 0; peers != NULL && i < peers->count; i++) {
        const struct gramme_reply *peer = &peers->item[i];
        if (gr_ask_number(peer, "failed") > 0)
            gr_complain(GR_EXIT_ERROR, "rounds with %s that failed: %lld: %s.",
                gr_ask_text(peer, "node"), (long long)gr_ask_number(peer, "failed"),
                why_not(gr_ask_text(peer, "why")));
    }
    return GR_EXIT_ERROR;
}

// What came of it, for people.
static void print_end(const struct watch *watch, const struct gramme_reply *status)
{
    const struct gramme_reply *job = gr_ask_field(status, "asked");
    struct gr_table t;
    gr_table_init(&t, 1);
    printf("%s: ", gr_ask_text(status, "node"));
    if (watch->scrub)
        printf("partitions read: %s, not what was written: %s; ", count_of(&t, job, "read"),
            count_of(&t, job, "found"));
    printf("rounds held: %s of %s, keys moved: %s, in %s\n", count_of(&t, job, "joined"),
        count_of(&t, job, "rounds"), count_of(&t, job, "keys"), age_of(&t, job, "seconds"));
    if (gr_ask_number(job, "found") > 0)
        print_damages(gr_ask_field(status, "damage"), 0);
    gr_table_deinit(&t);
}

static int judge_end(const struct watch *watch, const struct gramme_reply *status)
{
    const struct gramme_reply *job = gr_ask_field(status, "asked");
    const char *name = gr_ask_text(status, "node");
    bool other_run = gr_ask_number(status, "run") != watch->run;
    bool writes = strcmp(gr_ask_text(status, "store"), "ok") == 0;
    bool well = !other_run && writes && gr_ask_number(job, "failed") == 0 &&
                gr_ask_number(job, "found") == 0;
    if (watch->asked->options.output == GR_OUTPUT_JSON) {
        printf("{\"ok\": %s, \"status\": ", well ? "true" : "false");
        gr_ask_print_json(status);
        printf("}\n");
    } else if (!other_run && writes) {
        print_end(watch, status);
    }
    if (other_run)
        return gr_complain(GR_EXIT_ERROR,
            "%s has opened its store anew meanwhile, because it could not be read or written, or "
            "was started again.\n  `gramme status` says what became of the store, `gramme repair "
            "status %s` how far the refill is.",
            name, name);
    if (!writes)
        return gr_complain(GR_EXIT_ERROR,
            "the store of %s takes no writes (%s), so nothing can be repaired.\n  `gramme status` "
            "shows why; run this again when it does.",
            name, gr_ask_text(status, "store"));
    if (gr_ask_number(job, "failed") > 0)
        return complain_of_rounds(status);
    return well ? GR_EXIT_OK : GR_EXIT_ERROR;
}

static int have_done(struct asked *asked, bool scrub)
{
    const struct gramme_reply *reply = NULL;
    enum gramme_outcome outcome = ask(asked, scrub ? "SCRUB" : "RUN", &reply);
    if (outcome != GRAMME_OK)
        return gr_ask_failed(&asked->options, asked->client, outcome);
    if (asked->options.no_wait) {
        if (asked->options.output == GR_OUTPUT_JSON)
            gr_ask_print_json(reply);
        else
            printf("asked for; `gramme repair status` shows how far it is");
        printf("\n");
        return GR_EXIT_OK;
    }
    struct watch watch = {.asked = asked,
        .scrub = scrub,
        .tty = isatty(STDERR_FILENO) != 0,
        .number = gr_ask_number(reply, "number"),
        .run = gr_ask_number(reply, "run")};
    clock_gettime(CLOCK_MONOTONIC, &watch.began);
    watch.last = watch.began;
    const struct gramme_reply *status = NULL;
    outcome = wait_for_end(&watch, &status);
    end_line(&watch);
    if (outcome != GRAMME_OK)
        return gr_ask_failed(&asked->options, asked->client, outcome);
    return judge_end(&watch, status);
}

static int do_run(struct asked *asked)
{
    return have_done(asked, false);
}

static int do_scrub(struct asked *asked)
{
    return have_done(asked, true);
}

int gr_verb_repair_run(const struct gr_options *options, int argc, char **argv)
{
    return with_node(options, argc, argv, do_run);
}

int gr_verb_repair_scrub(const struct gr_options *options, int argc, char **argv)
{
    return with_node(options, argc, argv, do_scrub);
}
