// What the verbs that ask a node share: one client, and one way to say why it failed.
//
// An error on a terminal has three parts: what happened, in the node's own words; what it means for
// the data, where that is not plain; and what to do now.
#include "bin/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int gr_complain(int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fflush(stdout);
    fputs("gramme: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return code;
}

struct gramme *gr_ask_open(const struct gr_options *options)
{
    return gramme_open(options->at, (unsigned)options->timeout_ms);
}

static bool is_word(const struct gramme *client, const char *word)
{
    return strcmp(gramme_error_word(client), word) == 0;
}

int gr_ask_failed(
    const struct gr_options *options, const struct gramme *client, enum gramme_outcome outcome)
{
    const char *error = gramme_error(client);
    if (is_word(client, "UNREACHABLE"))
        return gr_complain(GR_EXIT_UNREACHABLE,
            "%s\n  No node answers there. `gramme demo` starts a cluster on this machine; --at "
            "HOST:PORT names another node.",
            error);
    if (is_word(client, "LOST"))
        return gr_complain(GR_EXIT_UNREACHABLE, "%s%s", error,
            outcome == GRAMME_INDETERMINATE
                ? "\n  A write may have happened: `gramme get` through another node (--at) tells."
                : "\n  Ask another node with --at HOST:PORT.");
    if (outcome == GRAMME_INDETERMINATE || is_word(client, "NOREPLICAS"))
        return gr_complain(GR_EXIT_QUORUM,
            "%s\n  Some replicas may have it: it can become visible later. `gramme status --at %s` "
            "shows which nodes are down.",
            error, options->at);
    if (is_word(client, "TRYAGAIN"))
        return gr_complain(GR_EXIT_QUORUM,
            "%s\n  Nothing was changed. `gramme status --at %s` shows which nodes are down.", error,
            options->at);
    if (is_word(client, "LOADING") || is_word(client, "BUSY"))
        return gr_complain(GR_EXIT_ERROR, "%s\n  Nothing was changed; try again.", error);
    if (is_word(client, "BADCONTEXT"))
        return gr_complain(GR_EXIT_ERROR,
            "%s\n  Nothing was changed. `gramme get -o json` gives a key's present context.", error);
    return gr_complain(GR_EXIT_ERROR, "%s", error);
}
