// The context token that clients are handed and hand back (DESIGN.md §4; docs/PROTOCOL.md, "Context
// tokens"): opaque, printable, of one key of one cluster, and proof against invention.
//
// A context with a forged counter could erase writes to come, so nothing is believed that does not
// carry a MAC made with a secret of the cluster.
#ifndef GR_WIRE_TOKEN_H
#define GR_WIRE_TOKEN_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/clock.h"
#include "core/ring.h"

enum {
    GR_TOKEN_VERSION = 1,
    GR_TOKEN_BYTES_MAX = 64 << 10, // of the printed text
};

// One secret of the cluster. The number is in each token, so that a secret can be replaced.
struct gr_token_key {
    uint8_t number;
    uint8_t secret[32];
    uint8_t cluster[16]; // the cluster's id
};

// Appends the token of a context of this key: A-Z a-z 0-9 - _ only. An empty context has a token
// too. Errors: GR_ERR_LIMIT_CONTEXT when the text would be over GR_TOKEN_BYTES_MAX; `out` is
// untouched then. A full `out` turns bad, as always.
GR_MUST_USE enum gr_err gr_token_encode(const struct gr_token_key *token_key,
    const struct gr_key *key, const struct gr_context *context, struct gr_writer *out);

// Empty text is the empty context: a blind write. Arrays are in `arena`; nothing is borrowed from
// `text`. Errors: GR_ERR_BAD_CONTEXT when the text is not a token that gr_token_encode made for
// this key, cluster and key number; *ret is untouched then. The comparison takes the same time
// wherever the difference is.
GR_MUST_USE enum gr_err gr_token_decode(const struct gr_token_key *token_key,
    const struct gr_key *key, struct gr_bytes text, struct gr_arena *arena, struct gr_context *ret);

#endif
