// What the verbs that ask a node share: one client, one way to say why it failed, and the answers
// that more than one verb reads.
#ifndef GR_BIN_ASK_H
#define GR_BIN_ASK_H

#include "bin/verb.h"
#include "core/ring.h"
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

// Sends a command of up to 8 words, the last one NULL.
enum gramme_outcome gr_ask(struct gramme *client, const struct gramme_reply **ret_reply,
    const char *word, ...) __attribute__((sentinel));

// The value behind a name in a map, also in RESP2's flat list of one; NULL if there is none.
const struct gramme_reply *gr_ask_field(const struct gramme_reply *map, const char *name);
// The same as text; "" if there is none, or it is no text.
const char *gr_ask_text(const struct gramme_reply *map, const char *name);

// The same as a number; 0 if there is none.
int64_t gr_ask_number(const struct gramme_reply *map, const char *name);
// The reply to stdout.
void gr_ask_print_json(const struct gramme_reply *reply);

// ---- INFO ------------------------------------------------------------------------------------

// A member, as one node knows it.
struct gr_ask_member {
    char name[GR_NAME_BYTES_MAX + 1];
    char address[GR_NAME_BYTES_MAX + 1];
    bool up;         // as the node that was asked believes
    char status[12]; // as the cluster says
};

// The members of the cluster, as the node of --at knows them: at least one. 0, or an exit code
// after it was said why not.
int gr_ask_cluster(
    const struct gr_options *options, struct gr_ask_member *ret_member, int max, int *ret_count);
// The members of the cluster, in the order of the ring; at most `max` of them.
enum gramme_outcome gr_ask_members(
    struct gramme *client, struct gr_ask_member *ret_member, int max, int *ret_count);

// The value of a line "name:value" of INFO, up to the end of the line; empty if there is none.
struct gr_bytes gr_ask_info(struct gramme_bytes info, const char *name);

#endif
