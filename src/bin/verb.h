// The verbs of `gramme`: one table, which main.c runs and help is printed from.
#ifndef GR_BIN_VERB_H
#define GR_BIN_VERB_H

#include "bin/options.h"

// What the program's exit code says.
enum gr_exit {
    GR_EXIT_OK = 0,
    GR_EXIT_ERROR = 1,       // it could not be done; stderr says why
    GR_EXIT_USAGE = 2,       // the command line is wrong
    GR_EXIT_NOT_FOUND = 3,   // there is no such key
    GR_EXIT_UNREACHABLE = 4, // no node answered at that address
    GR_EXIT_QUORUM = 5,      // too few replicas answered
};

struct gr_verb {
    const char *name;         // one word, or two: "key where"
    const char *summary;      // half a line for the list of verbs
    const char *usage;        // what follows the name on the command line
    const char *story;        // the page of `gramme help VERB`, without usage and options
    uint32_t options;         // GR_TAKES(...) of the options that it takes, joined by |
    int words_min, words_max; // how many arguments that are no options; -1 = it parses argv itself
    int (*run)(const struct gr_options *options, int argc, char **argv);
};

// The table and its length.
extern const struct gr_verb gr_verbs[];
extern const size_t gr_verb_count;

// Each runs one verb and returns an exit code. argv[0..argc) are the words after the verb; of
// server and config show, the flags too.
int gr_verb_help(const struct gr_options *options, int argc, char **argv);
int gr_verb_server(const struct gr_options *options, int argc, char **argv);
int gr_verb_config_show(const struct gr_options *options, int argc, char **argv);
int gr_verb_demo(const struct gr_options *options, int argc, char **argv);
int gr_verb_get(const struct gr_options *options, int argc, char **argv);
int gr_verb_put(const struct gr_options *options, int argc, char **argv);
int gr_verb_del(const struct gr_options *options, int argc, char **argv);
int gr_verb_keys(const struct gr_options *options, int argc, char **argv);
int gr_verb_verify(const struct gr_options *options, int argc, char **argv);
int gr_verb_status(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_show(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_stage(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_plan(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_commit(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_cancel(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_history(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_set(const struct gr_options *options, int argc, char **argv);
int gr_verb_cluster_settings(const struct gr_options *options, int argc, char **argv);
int gr_verb_transfers(const struct gr_options *options, int argc, char **argv);
int gr_verb_hints(const struct gr_options *options, int argc, char **argv);
int gr_verb_repair_status(const struct gr_options *options, int argc, char **argv);
int gr_verb_repair_run(const struct gr_options *options, int argc, char **argv);
int gr_verb_repair_scrub(const struct gr_options *options, int argc, char **argv);
int gr_verb_key_where(const struct gr_options *options, int argc, char **argv);
int gr_verb_key_explain(const struct gr_options *options, int argc, char **argv);

// Prints "gramme: " and one sentence to stderr, and returns `code`.
__attribute__((format(printf, 2, 3))) int gr_complain(int code, const char *format, ...);

#endif
