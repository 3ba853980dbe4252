// What a client may ask of any node, and what it is answered (§5: get(key), put(key, context,
// object)). Faces translate their protocol into these; core knows no other requests.
#ifndef GR_CORE_REQUEST_H
#define GR_CORE_REQUEST_H

#include "base/error.h"
#include "core/record.h"
#include "core/ring.h"

enum gr_op {
    GR_OP_GET,     // all siblings and a context
    GR_OP_PUT,     // value or delete with the client's context: replaces exactly what it saw
    GR_OP_UPDATE,  // the plain face: see enum gr_verb
    GR_OP_SCAN,    // one page of keys
    GR_OP_COUNT,   // how many keys, as one holder of each partition counts them
    GR_OP_EXPLAIN, // what each replica of a key holds; answered as soon as all have answered
};

// The plain face: what Redis commands do to the one value that they see (the winner). SET without
// XX, KEEPTTL and GET is written over whatever the coordinator holds; everything else reads at R
// first, computes here, and writes with the context of what it read.
enum gr_verb {
    GR_VERB_SET,     // value, expires; options xx, keep_ttl, want_old
    GR_VERB_DELETE,  // integer = 1 if there was a value
    GR_VERB_APPEND,  // value; integer = new length; keeps the expiry
    GR_VERB_EXPIRE,  // expires; `condition`; integer = 1 if it was set (0: no key, or condition)
    GR_VERB_PERSIST, // integer = 1 if an expiry was removed
    GR_VERB_GETEX,   // answers the value and sets expires, or removes it with `persist`
    GR_VERB_GETDEL,  // answers the value and deletes it
};

enum gr_expire_condition {
    GR_EXPIRE_ALWAYS,
    GR_EXPIRE_NX, // only if there is no expiry
    GR_EXPIRE_XX, // only if there is one
    GR_EXPIRE_GT, // only if later than the one there is (none counts as infinitely late)
    GR_EXPIRE_LT, // only if sooner than the one there is
};

// All bytes are borrowed for the duration of the step that takes the request in.
struct gr_request {
    uint64_t ticket; // the host's own word; comes back in the result
    enum gr_op op;
    struct gr_request_id id; // of a write; {0, 0}: the node gives it one
    struct gr_key key;       // GET PUT UPDATE EXPLAIN; SCAN and COUNT: only bucket
    uint8_t r, pr;           // 0 = the cluster's R; 0 = none
    uint8_t w, pw, dw;       // 0 = the cluster's W; 0 = none; 0 = none
                             // r and w may be GR_QUORUM_LOCAL or GR_QUORUM_EACH
    struct gr_span timeout;  // 0 = the default

    // PUT and UPDATE
    struct gr_bytes value;
    struct gr_wall expires;    // 0 = never
    struct gr_context context; // PUT: what the client saw; nothing = a blind write
    bool remove;               // PUT: a delete
    enum gr_verb verb;         // UPDATE
    enum gr_expire_condition condition;
    bool xx, keep_ttl, want_old, persist;

    // SCAN
    gr_cursor cursor; // where to go on; 0 = the beginning
    uint32_t limit;   // about how many keys a page has: it may have more, or none
};

enum gr_outcome {
    GR_DONE,          // it happened (or was read)
    GR_REJECTED,      // it did not happen and left no trace
    GR_INDETERMINATE, // some replicas have it; it may still become visible
};

// What one replica holds of a key, for EXPLAIN.
struct gr_replica_view {
    uint16_t member;
    enum gr_err err;         // not GR_OK: it did not answer, or could not read
    struct gr_record record; // filled, without values
};

// Borrowed for the duration of the emission. `err` is GR_OK exactly when outcome is GR_DONE.
struct gr_result {
    uint64_t ticket;
    enum gr_op op;
    enum gr_outcome outcome;
    enum gr_err err;
    uint8_t acks, needed;   // answers or acknowledgements counted, and how many were asked for
    uint8_t quorum;         // R or W as it was asked for; GR_QUORUM_LOCAL, GR_QUORUM_EACH: then
    uint8_t reached;        // of `needed`, how many there are at the sites where they count
    uint8_t primaries;      // of `acks`: those of the key's owners, not of nodes that stand in
    uint8_t durable;        // writes: of those acknowledgements, how many were durable
    uint8_t durable_needed; // writes: how many had to be (DW)
    uint32_t limit;         // LIMIT_VALUE, LIMIT_SIBLINGS: what the cluster allows; 0: not known
    struct gr_span timeout; // of a read: the one that is over; 0: none is, nobody else can be asked

    // GET: the merged siblings with values, and the context to hand back. PUT: the new context.
    struct gr_record record;
    struct gr_wall now;      // the time at which expiry was looked at
    gr_hybrid hybrid_needed; // between nodes only: GR_ERR_TIME_BEHIND, what to exceed

    // UPDATE
    bool existed;              // there was a value that was not due
    bool written;              // something was written
    int64_t integer;           // see enum gr_verb
    struct gr_bytes old_value; // want_old, GETEX, GETDEL: the value before, if `existed`
    struct gr_wall expires;    // after the command

    // SCAN: keys of this page, and where to go on; GR_CURSOR_END when all were shown.
    const struct gr_key *key;
    uint32_t key_count;
    gr_cursor cursor;

    int64_t count; // COUNT

    const struct gr_replica_view *view; // EXPLAIN, in preference-list order
    uint32_t view_count;
};

#endif
