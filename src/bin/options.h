// The options of all verbs: one table, so that --at means the same everywhere and help cannot
// forget one.
#ifndef GR_BIN_OPTIONS_H
#define GR_BIN_OPTIONS_H

#include "base/base.h"

enum gr_output {
    GR_OUTPUT_TABLE, // for people
    GR_OUTPUT_JSON,  // for programs: one JSON value
    GR_OUTPUT_RAW,   // the value's bytes and nothing else
};

// Texts are borrowed from argv. A number that was not given is 0.
struct gr_options {
    const char *verb; // its last word
    const char *at;   // host:port of the node to ask
    enum gr_output output;
    int64_t timeout_ms;
    int64_t r, pr, w, pw, dw;
    int64_t ttl_ms;
    const char *context; // NULL = not given
    bool blind;
    bool no_wait;
    bool watch;
    const char *match; // NULL = not given
    int64_t nodes, port_base;
    const char *dir;    // NULL = not given
    const char *engine; // NULL = not given
};

enum gr_option {
    GR_OPTION_AT,
    GR_OPTION_OUTPUT,
    GR_OPTION_TIMEOUT,
    GR_OPTION_R,
    GR_OPTION_PR,
    GR_OPTION_W,
    GR_OPTION_PW,
    GR_OPTION_DW,
    GR_OPTION_TTL,
    GR_OPTION_CONTEXT,
    GR_OPTION_BLIND,
    GR_OPTION_MATCH,
    GR_OPTION_NODES,
    GR_OPTION_DIR,
    GR_OPTION_PORT_BASE,
    GR_OPTION_ENGINE,
    GR_OPTION_NO_WAIT,
    GR_OPTION_WATCH,
    GR_OPTION_COUNT
};

#define GR_TAKES(option) (UINT32_C(1) << GR_OPTION_##option)

// Sorts argv[0..*argc) into options, which fill *ret_options, and words, which stay in argv in
// their order while *argc becomes their number. `--key value`, `--key=value` and, where there is
// one, `-k value`; after `--` everything is a word. Only the options of the set `allowed` are
// known. False when something is wrong; ret_why (why_size bytes) then holds one sentence.
bool gr_options_parse(uint32_t allowed, int *argc, char **argv, struct gr_options *ret_options,
    char *ret_why, size_t why_size);

// For verbs whose other words are settings: takes "-o json" and its kin out of argv. False if the
// form is unknown.
bool gr_options_take_output(int *argc, char **argv, bool *ret_json);

// Prints one line per option of the set, for help.
void gr_options_print(uint32_t allowed);

#endif
