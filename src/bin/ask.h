// What the verbs that ask a node share: one client, and one way to say why it failed.
#ifndef GR_BIN_ASK_H
#define GR_BIN_ASK_H

#include "bin/verb.h"
#include "gramme/gramme.h"

// A client of the node that --at names. Close it with gramme_close.
struct gramme *gr_ask_open(const struct gr_options *options);

// Says on stderr why the last call of `client` did not end well and what to do about it, and
// returns the exit code for it.
int gr_ask_failed(
    const struct gr_options *options, const struct gramme *client, enum gramme_outcome outcome);

static inline struct gr_bytes gr_ask_bytes(struct gramme_bytes bytes)
{
    return gr_bytes(bytes.data, bytes.size);
}

#endif
