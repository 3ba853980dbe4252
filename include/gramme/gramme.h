// libgramme: the C client of Gramme, an always-writable key-value store.
//
// SYNOPSIS
//     struct gramme *client = gramme_open("127.0.0.1:7379", 2000);
//     struct gramme_value cart;
//     if (gramme_get(client, gramme_text("cart"), NULL, &cart) == GRAMME_OK)
//         gramme_put(client, gramme_text("cart"), cart.context, gramme_text("milk"), NULL, NULL);
//     else
//         fprintf(stderr, "%s\n", gramme_error(client));
//     gramme_close(client);
//
// DESCRIPTION
// A client is one connection to one node; any node answers for every key. Calls block until the
// answer came or the time-out passed. The connection is made by the first call, and made again by
// the first call after it was lost. A client is not shared between threads without a lock; any
// number of clients may exist.
//
// A key may have several values at once: those of writes that did not know of each other. A get
// returns all of them together with a context, an opaque text that stands for "I have seen these".
// A put or delete that hands the context back replaces exactly what was seen; with no context it
// replaces nothing and its value stands beside the others.
//
// WHO OWNS WHAT
// Everything passed in is borrowed until the call returns. Everything handed out (values, contexts,
// replies, error texts) belongs to the client and lives until the next call on the same client,
// except that what one call handed out may be passed in to the next. Copy what should live longer.
// Bytes are any bytes; every text that is handed out has a zero byte after its last.
//
// MEMORY
// A client holds at most one request and one reply, each at most 64 MiB. When memory runs out the
// process is aborted with a message.
#ifndef GRAMME_GRAMME_H
#define GRAMME_GRAMME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GRAMME_API __attribute__((visibility("default")))
#else
#define GRAMME_API
#endif

// How a call ended. There is no "failed": a write that may have happened is not called failed.
enum gramme_outcome {
    // It happened, or was read.
    GRAMME_OK = 0,
    // It did not happen and left no trace. Trying again is safe.
    GRAMME_REJECTED = 1,
    // A write reached some replicas, or the connection was lost before the answer came: it may
    // still become visible. Trying again with the same context is safe, but may leave two values.
    GRAMME_INDETERMINATE = 2,
};

// One connection to one node.
struct gramme;

// Any bytes, borrowed.
struct gramme_bytes {
    const void *data;
    size_t size;
};

// The bytes of a C string without its end.
GRAMME_API struct gramme_bytes gramme_text(const char *text);

// ---- a client ------------------------------------------------------------------------------

// A client of the node at `address`, "host:port", "[v6]:port" or "host" (port 7379). Connects to
// nothing yet. `timeout_ms` bounds the connecting, and the waiting for each answer, of every call;
// 0 means 5000. Never NULL.
GRAMME_API struct gramme *gramme_open(const char *address, unsigned timeout_ms);

// Closes the connection and frees everything the client owns. NULL is allowed.
GRAMME_API void gramme_close(struct gramme *client);

// What went wrong in the last call: one sentence, "" if nothing did. Never NULL.
GRAMME_API const char *gramme_error(const struct gramme *client);

// The first word of that error, for programs. The node's own words are RESP's (TRYAGAIN,
// NOREPLICAS, BUSY, LOADING, BADCONTEXT, ERR ...); words that the client adds:
//     UNREACHABLE  nothing was sent: the address is wrong or nobody listens there
//     LOST         the connection ended, or the time-out passed, after the request was sent
//     PROTOCOL     the answer was no RESP, or not the answer that the command has
//     LIMIT        the request or the reply is larger than a client holds
// "" if nothing went wrong. Never NULL.
GRAMME_API const char *gramme_error_word(const struct gramme *client);

// ---- keys and values -----------------------------------------------------------------------

// In place of a number of replicas: most of those at the site of the node that is asked, or most of
// those at each site.
enum gramme_quorum { GRAMME_LOCAL = 254, GRAMME_EACH = 255 };

// Options of a read; zero means the cluster's default.
struct gramme_read {
    unsigned r;          // how many replicas must answer, GRAMME_LOCAL or GRAMME_EACH
    unsigned pr;         // how many of them must be owners of the key
    unsigned timeout_ms; // how long the node tries
};

// Options of a write; zero means the cluster's default.
struct gramme_write {
    unsigned w;          // how many replicas must acknowledge, GRAMME_LOCAL or GRAMME_EACH
    unsigned pw;         // how many of them must be owners of the key
    unsigned dw;         // how many must have it on disk
    unsigned timeout_ms; // how long the node tries
    uint64_t ttl_ms;     // the value expires after so many milliseconds; 0 = never
};

// What a get found.
struct gramme_value {
    size_t count;                     // 0: no value; more than one: siblings
    const struct gramme_bytes *value; // [count]
    // Hand it back in the next put or delete. Empty when the key was never written.
    struct gramme_bytes context;
};

// Reads all values of `key`. `options` may be NULL. No value is GRAMME_OK with count 0. *ret_value
// is untouched unless the outcome is GRAMME_OK.
GRAMME_API enum gramme_outcome gramme_get(struct gramme *client, struct gramme_bytes key,
    const struct gramme_read *options, struct gramme_value *ret_value);

// Writes `value`, replacing what `context` stands for: one that gramme_get handed out for this
// key, or {NULL, 0} for a blind write. `options` and `ret_context` may be NULL; *ret_context is the
// context of the key after this write as this client knows it, and untouched unless GRAMME_OK.
GRAMME_API enum gramme_outcome gramme_put(struct gramme *client, struct gramme_bytes key,
    struct gramme_bytes context, struct gramme_bytes value, const struct gramme_write *options,
    struct gramme_bytes *ret_context);

// Removes what `context` stands for; values written by others meanwhile stay. As gramme_put.
GRAMME_API enum gramme_outcome gramme_delete(struct gramme *client, struct gramme_bytes key,
    struct gramme_bytes context, const struct gramme_write *options,
    struct gramme_bytes *ret_context);

// Called for each key; false ends the walk. It must not use the client.
typedef bool gramme_key_fn(void *user, struct gramme_bytes key);

// Walks over the keys of the cluster that match `pattern`, a glob as in Redis, or NULL for all.
// Every key that is there throughout the walk is shown; one that comes or goes meanwhile may be,
// and one may be shown twice.
GRAMME_API enum gramme_outcome gramme_keys(
    struct gramme *client, const char *pattern, gramme_key_fn *each, void *user);

// ---- any command ---------------------------------------------------------------------------

enum gramme_kind {
    GRAMME_NIL,
    GRAMME_TEXT, // bulk and simple strings, verbatim strings, big numbers
    GRAMME_INTEGER,
    GRAMME_DOUBLE,
    GRAMME_BOOLEAN,
    GRAMME_ARRAY, // and sets
    GRAMME_MAP,   // key, value, key, value ...
    GRAMME_ERROR, // inside an array; an error alone makes the call fail instead
};

// A reply is a tree.
struct gramme_reply {
    enum gramme_kind kind;
    struct gramme_bytes text;        // TEXT, ERROR
    int64_t integer;                 // INTEGER, BOOLEAN
    double real;                     // DOUBLE
    size_t count;                    // ARRAY: its items; MAP: twice its pairs
    const struct gramme_reply *item; // [count]
};

// Sends a command of `argc` (at least 1) words and returns its reply in *ret_reply, which may be
// NULL and is untouched unless GRAMME_OK. The outcome is that of a write: a connection lost after
// sending is GRAMME_INDETERMINATE also where the command only reads. Of a command with many keys
// GRAMME_REJECTED speaks about the key that the error names; keys before it were done.
GRAMME_API enum gramme_outcome gramme_command(struct gramme *client, int argc,
    const struct gramme_bytes *argv, const struct gramme_reply **ret_reply);

#ifdef __cplusplus
}
#endif

#endif
