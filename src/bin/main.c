// gramme: one program, server and tool.
//
// The first word, or the first two, name a verb; the table below has them all and is also what the
// help is printed from. A verb takes the options that its row says, and returns an exit code:
//     0 ok   1 error   2 usage   3 not found   4 unreachable   5 quorum missed
// What a program wants goes to stdout; what is said to a person about it goes to stderr.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bin/verb.h"

#define ASKING (GR_TAKES(AT) | GR_TAKES(OUTPUT) | GR_TAKES(TIMEOUT))
#define WRITING                                                                                    \
    (ASKING | GR_TAKES(W) | GR_TAKES(PW) | GR_TAKES(DW) | GR_TAKES(CONTEXT) | GR_TAKES(BLIND))

const struct gr_verb gr_verbs[] = {
    {"demo", "run a whole cluster on this machine", "[ACTION]",
        "Starts a cluster of nodes on loopback, says how to use it, and stays until Ctrl-C, which\n"
        "stops every node cleanly. What was written is there again the next time.\n"
        "\n"
        "From another terminal, to see what the cluster makes of it:\n"
        "    gramme demo kill 2       end node 2 at once, as `kill -9` does\n"
        "    gramme demo stop 2       end it cleanly\n"
        "    gramme demo start 2      start it again\n"
        "    gramme demo add          start one node more; `gramme cluster join` lets it own data\n"
        "    gramme demo split 1|2,3  cut every link between node 1 and the nodes 2 and 3\n"
        "                             (the shell wants quotes: '1|2,3')\n"
        "    gramme demo heal         mend all links\n"
        "    gramme demo status       the nodes, their addresses and processes\n"
        "    gramme demo end          stop the demo, as Ctrl-C does\n"
        "Each returns once it has happened.",
        GR_TAKES(NODES) | GR_TAKES(DIR) | GR_TAKES(PORT_BASE) | GR_TAKES(ENGINE), 0, 2,
        gr_verb_demo},
    {"server", "run one node", "[--config FILE] [--KEY VALUE]...",
        "Runs one node until SIGTERM. Its settings come from the file that --config names\n"
        "(lines `key = value`), from variables GRAMME_KEY, and from flags --key, the later "
        "winning.\n"
        "It needs three: --name (its name in the cluster file), --data (its directory) and\n"
        "--cluster (the cluster file, the same for every node; `gramme demo` makes one).\n"
        "A node that is new to a cluster which runs needs --join too: the peer address of\n"
        "any node there, or several with commas between. `gramme config show` lists all\n"
        "settings.",
        0, 0, -1, gr_verb_server},
    {"get", "print a key's value", "KEY",
        "Prints the value and a newline. A key that was written by people who did not know of "
        "each\n"
        "other has several values, siblings: each is printed, numbered, and stderr says how to "
        "make\n"
        "them one. Ends with 3 if there is no value.",
        ASKING | GR_TAKES(R) | GR_TAKES(PR), 1, 1, gr_verb_get},
    {"put", "write a key's value", "KEY VALUE",
        "Replaces what a get would show now: it reads the key's context first. VALUE may be - for\n"
        "standard input.\n"
        "    --context C   replaces what the get that gave C had seen, and nothing newer\n"
        "    --blind       replaces nothing: concurrent values stay beside this one",
        WRITING | GR_TAKES(TTL), 2, 2, gr_verb_put},
    {"del", "delete a key", "KEY",
        "Deletes what a get would show now. A value that somebody writes at the same time stays.\n"
        "Ends with 3 if there was no value. --context C deletes what the get that gave C had seen.",
        WRITING & ~GR_TAKES(BLIND), 1, 1, gr_verb_del},
    {"keys", "list keys", "",
        "Prints every key of the cluster on a line of its own, in no particular order. A key that\n"
        "comes or goes meanwhile may or may not be shown.",
        ASKING | GR_TAKES(MATCH), 0, 0, gr_verb_keys},
    {"status", "show the nodes and how they are", "",
        "Asks one node for the members of its cluster and what it believes of each (SEEN), then\n"
        "asks each member itself (ASKED). Where they differ a link is cut or the news is young.",
        ASKING, 0, 0, gr_verb_status},
    {"cluster show", "show the members and what each owns", "",
        "Prints the ring that the node goes by: each member, its share, and what is staged. A "
        "node\n"
        "that was started with --join is a member too, and owns nothing until it is let in:\n"
        "\n"
        "    gramme cluster join n4        stage a change, or several\n"
        "    gramme cluster plan           see what would come of it\n"
        "    gramme cluster commit         make it so; gramme transfers shows how far it is\n"
        "\n"
        "Any node can be asked; what is staged at one is staged at all.",
        ASKING, 0, 0, gr_verb_cluster_show},
    {"cluster join", "stage: a node gets its share of the data", "NODE [WEIGHT]",
        "NODE was started with --join. Its share grows with its weight, beside those of the "
        "others.",
        ASKING, 1, 2, gr_verb_cluster_stage},
    {"cluster leave", "stage: a node hands over all that it holds", "NODE",
        "Once the others hold everything NODE is empty, and can be stopped. It must be up for "
        "that;\n"
        "one that is gone for ever is removed.",
        ASKING, 1, 1, gr_verb_cluster_stage},
    {"cluster remove", "stage: a node is gone for ever", "NODE",
        "The others share what it owned, as far as they have it: what only NODE had is lost, and\n"
        "`gramme cluster plan` says what that may be. Its store is refused from then on; with an\n"
        "empty data directory it may join again.",
        ASKING, 1, 1, gr_verb_cluster_stage},
    {"cluster weight", "stage: a node gets another share", "NODE WEIGHT",
        "A node of weight 2 owns twice as much as one of weight 1.", ASKING, 2, 2,
        gr_verb_cluster_stage},
    {"cluster move-site", "stage: a node stands elsewhere", "NODE SITE [RACK]",
        "Replicas of a key are spread over as many sites, then racks, then hosts as there are.",
        ASKING, 2, 3, gr_verb_cluster_stage},
    {"cluster plan", "show what a commit would do", "",
        "Prints for each node what it owns now and then, what comes and goes, about how many keys\n"
        "and bytes that is, and what you should know before.",
        ASKING, 0, 0, gr_verb_cluster_plan},
    {"cluster commit", "make what is staged the next ring", "[PLAN]",
        "PLAN, as `gramme cluster plan` names it: that one or nothing, whatever others stage.\n"
        "Requests go on meanwhile: who held a partition answers for it until the new owner has\n"
        "all of it. If two plans are committed at the same time in halves of a split cluster, one\n"
        "of them stays, the same everywhere, and `gramme cluster history` says which was lost.",
        ASKING, 0, 1, gr_verb_cluster_commit},
    {"cluster cancel", "forget what is staged", "", "Nothing was changed by it.", ASKING, 0, 0,
        gr_verb_cluster_cancel},
    {"cluster history", "show the last rings", "",
        "Prints how the ring came about, the newest last, and plans that were lost against others.",
        ASKING, 0, 0, gr_verb_cluster_history},
    {"cluster settings", "show what the whole cluster goes by", "",
        "N, R, W, durability and limits: each with where it comes from (the cluster file, the\n"
        "program, or who has set it where and when) and its version.",
        ASKING, 0, 0, gr_verb_cluster_settings},
    {"cluster set", "set what the whole cluster goes by", "NAME VALUE",
        "In force at every node as soon as it has heard, without a restart, and kept, whatever "
        "the\n"
        "cluster file says:\n"
        "    r, w            1 to N, local (most of the owners at the site that was asked) or "
        "each\n"
        "                    (most at every site): of requests that do not say otherwise\n"
        "    durability      commit, interval or buffered: when a write is acknowledged\n"
        "    sync_interval   1ms to 1s: of the last two\n"
        "    value_max       1b to 8mb: of a value that is put\n"
        "    siblings_max    1 to 100: of values that a put may leave beside each other\n"
        "    n               1 to 7: how many replicas. Data move, so it is staged, as members "
        "are:\n"
        "                    gramme cluster plan, commit",
        ASKING, 2, 2, gr_verb_cluster_set},
    {"transfers", "show what changes hands", "",
        "Asks each node which partitions it has yet to take over, and which to hand over. With\n"
        "--watch again every second until all is done.",
        ASKING | GR_TAKES(WATCH), 0, 0, gr_verb_transfers},
    {"hints", "show what nodes keep for those that are away", "[NODE]",
        "A write whose owner is away is kept by a node that stands in for it, as a hint, until "
        "the\n"
        "owner is back and has it on its disk. Asks every node, or NODE, and prints for whom it\n"
        "keeps hints: how many, how many bytes, and how old the oldest is. A node that cannot be\n"
        "asked may keep some too.",
        ASKING, 0, 1, gr_verb_hints},
    {"repair status", "show how far self-repair is", "[NODE [PARTITION]]",
        "Replicas compare what they have seen all the time, and mend what differs. Prints one row\n"
        "for each node; with NODE, a name or HOST:PORT, all that it knows: how many of its\n"
        "partitions are whole, with whom it is behind, how fast it is refilled and how long that\n"
        "still takes, what is damaged and what it still owes; with PARTITION that one alone.\n"
        "\n"
        "    whole     read since the start, and has all that every other owner had when they "
        "were\n"
        "              compared last\n"
        "    behind    another owner has writes that are not here, or it is damaged\n"
        "    unknown   not compared with every other owner since the start\n"
        "\n"
        "`gramme key where KEY` names a key's partition.",
        ASKING, 0, 2, gr_verb_repair_status},
    {"repair run", "compare a node's replicas and mend them now", "NODE [PARTITION]",
        "Has NODE compare its partitions, or one, with every other owner now instead of in the "
        "next\n"
        "round, whatever their clocks say: keys that differ go both ways. Requests of clients "
        "come\n"
        "first: it goes on only as fast as they allow. Shows how far it is until it is done; what\n"
        "was asked for goes on if it is interrupted.\n"
        "\n"
        "Ends with 0 if every round was held: the replicas have what the others had. Ends with 1 "
        "if\n"
        "one was not, and says with whom and why.",
        ASKING | GR_TAKES(NO_WAIT), 1, 2, gr_verb_repair_run},
    {"repair scrub", "read a node's store again and mend it now", "NODE [PARTITION]",
        "Has NODE read its store again, all of it or one partition, instead of once in\n"
        "`scrub_interval`: checksums, counts, sums and trees, against what its writes said. Then\n"
        "each partition that was read is compared with every other owner, as in `gramme repair "
        "run`.\n"
        "What was lost or rotted is named, and comes back from the others. `gramme verify` looks\n"
        "deeper, into the store of a node that does not run.\n"
        "\n"
        "Ends with 0 if all was as written and every round was held, with 1 if something was "
        "found\n"
        "(even if it is whole again) or a round was not held.",
        ASKING | GR_TAKES(NO_WAIT), 1, 2, gr_verb_repair_scrub},
    {"key where", "show which nodes hold a key", "KEY",
        "Prints the key's slot, its partition, and its preference list: the nodes that own it, in\n"
        "the order in which they are asked.",
        ASKING, 1, 1, gr_verb_key_where},
    {"key explain", "show what each replica holds of a key", "KEY",
        "Asks every owner of the key and prints what it has: the values' dots (which write made\n"
        "it), sizes and times. Replicas that differ are behind, or could not be asked.",
        ASKING, 1, 1, gr_verb_key_explain},
    {"verify", "check the store of a stopped node", "[--data DIR] [-o json]",
        "Reads every row of the store in DIR, the data directory of a node that does not run, and\n"
        "says what is not as the node wrote it: rows, counts and sums of partitions, clocks, and\n"
        "indexes. Changes nothing. DIR may also come from the settings, as for `gramme server`.\n"
        "\n"
        "Ends with 0 if the store is sound, 1 if it is damaged, 2 if it could not be looked at.",
        0, 0, -1, gr_verb_verify},
    {"config show", "print every setting and where it came from",
        "[--config FILE] [--KEY VALUE]...",
        "Prints the settings that `gramme server` would have with the same file, variables and\n"
        "flags, and where each came from. -o json for programs.",
        0, 0, -1, gr_verb_config_show},
    {"help", "explain a verb", "[VERB]", "Without a verb, lists them all.", 0, 0, 2, gr_verb_help},
};
const size_t gr_verb_count = GR_COUNT(gr_verbs);

static void print_overview(void)
{
    printf("gramme: an always-writable key-value store that Redis clients can talk to.\n\n");
    for (size_t i = 0; i < gr_verb_count; i++)
        printf("    gramme %-17s %s\n", gr_verbs[i].name, gr_verbs[i].summary);
    printf("\nThe first minute:\n"
           "    gramme demo                    a cluster of three nodes; leave it running\n"
           "    redis-cli -p 7379 SET a b      write through the first node\n"
           "    redis-cli -p 7479 GET a        read through the second\n"
           "    gramme demo kill 3             lose a node; go on reading and writing\n"
           "\n`gramme help VERB` says more. Exit codes: 0 ok, 1 error, 2 usage, 3 not found,\n"
           "4 unreachable, 5 quorum missed.\n");
}

static void print_page(const struct gr_verb *verb)
{
    printf("gramme %s: %s\n\n", verb->name, verb->summary);
    printf("    gramme %s%s%s%s\n\n%s\n", verb->name, verb->options != 0 ? " [OPTION]..." : "",
        verb->usage[0] != 0 ? " " : "", verb->usage, verb->story);
    if (verb->options != 0) {
        printf("\nOptions:\n");
        gr_options_print(verb->options);
    }
}

// How many words of argv name this verb; 0 = another verb is meant.
static int words_matched(const struct gr_verb *verb, int argc, char **argv)
{
    const char *space = strchr(verb->name, ' ');
    if (space == NULL)
        return argc >= 1 && strcmp(argv[0], verb->name) == 0;
    size_t first = (size_t)(space - verb->name);
    bool same = argc >= 2 && strlen(argv[0]) == first && strncmp(argv[0], verb->name, first) == 0 &&
                strcmp(argv[1], space + 1) == 0;
    return same ? 2 : 0;
}

// Whether `word` is the first of the two words of some verb.
static bool begins_verb(const struct gr_verb *verb, const char *word)
{
    size_t size = strlen(word);
    return strncmp(verb->name, word, size) == 0 && verb->name[size] == ' ';
}

int gr_verb_help(const struct gr_options *options, int argc, char **argv)
{
    (void)options;
    if (argc == 0) {
        print_overview();
        return GR_EXIT_OK;
    }
    bool found = false;
    for (size_t i = 0; i < gr_verb_count; i++) {
        if (words_matched(&gr_verbs[i], argc, argv) == argc ||
            (argc == 1 && begins_verb(&gr_verbs[i], argv[0]))) {
            if (found)
                printf("\n");
            print_page(&gr_verbs[i]);
            found = true;
        }
    }
    if (!found)
        return gr_complain(
            GR_EXIT_USAGE, "there is no verb '%s'; `gramme help` lists them", argv[0]);
    return GR_EXIT_OK;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static int run_verb(const struct gr_verb *verb, int argc, char **argv)
{
    struct gr_options options = {0};
    char why[512];
    if (asks_for_help(argc, argv)) {
        print_page(verb);
        return GR_EXIT_OK;
    }
    if (verb->words_max < 0)
        return verb->run(&options, argc, argv);
    if (!gr_options_parse(verb->options, &argc, argv, &options, why, sizeof(why)))
        return gr_complain(GR_EXIT_USAGE, "%s\n  `gramme help %s` says more.", why, verb->name);
    if (argc < verb->words_min || argc > verb->words_max)
        return gr_complain(GR_EXIT_USAGE,
            "too %s words: gramme %s%s%s\n  `gramme help %s` says more.",
            argc < verb->words_min ? "few" : "many", verb->name, verb->usage[0] != 0 ? " " : "",
            verb->usage, verb->name);
    options.verb = strchr(verb->name, ' ') != NULL ? strchr(verb->name, ' ') + 1 : verb->name;
    return verb->run(&options, argc, argv);
}

static int run(int argc, char **argv)
{
    if (argc < 1) {
        print_overview();
        return GR_EXIT_OK;
    }
    if (strcmp(argv[0], "--version") == 0) {
        printf("gramme %s\n", GRAMME_VERSION);
        return GR_EXIT_OK;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0)
        return gr_verb_help(NULL, 0, NULL);
    for (size_t i = 0; i < gr_verb_count; i++) {
        int words = words_matched(&gr_verbs[i], argc, argv);
        if (words > 0)
            return run_verb(&gr_verbs[i], argc - words, argv + words);
    }
    for (size_t i = 0; i < gr_verb_count; i++) {
        if (!begins_verb(&gr_verbs[i], argv[0]))
            continue;
        if (argc == 1)
            return gr_complain(
                GR_EXIT_USAGE, "'%s' wants a second word; `gramme help %s`", argv[0], argv[0]);
        return gr_complain(GR_EXIT_USAGE, "there is no verb '%s %s'; `gramme help %s` lists them",
            argv[0], argv[1], argv[0]);
    }
    return gr_complain(GR_EXIT_USAGE, "there is no verb '%s'; `gramme help` lists them", argv[0]);
}

int main(int argc, char **argv)
{
    int code = run(argc - 1, argv + 1);
    // A full disk or a closed pipe must not look like success.
    if (fflush(stdout) != 0 && code == GR_EXIT_OK)
        return GR_EXIT_ERROR;
    return code;
}
