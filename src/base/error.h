// The one table of errors: what can go wrong, whose fault it is, and how each face says so.
#ifndef GR_BASE_ERROR_H
#define GR_BASE_ERROR_H

#include "base/base.h"

// Zero is success. Values travel between nodes: append only, never renumber.
enum gr_err {
    GR_OK = 0,
    GR_ERR_NOT_FOUND = 1,      // no such thing; often an ordinary answer
    GR_ERR_INVALID = 2,        // the request is not well formed
    GR_ERR_LIMIT_BUCKET = 3,   // bucket name empty or over 255 B
    GR_ERR_LIMIT_KEY = 4,      // key empty or over 4 KiB
    GR_ERR_LIMIT_VALUE = 5,    // value over 8 MiB
    GR_ERR_LIMIT_SIBLINGS = 6, // the put would leave more than 100 siblings
    GR_ERR_LIMIT_CONTEXT = 7,  // context over 64 KiB
    GR_ERR_BAD_CONTEXT = 8,    // forged, cut, or of another key or cluster
    GR_ERR_BUSY = 9,           // a bounded queue or budget is full; nothing was done
    GR_ERR_QUORUM = 10,        // too few nodes are up to try; nothing was done
    GR_ERR_READ_QUORUM = 11,   // fewer than R replicas answered in time
    GR_ERR_WRITE_QUORUM = 12,  // fewer than W acknowledged in time; may still take effect
    GR_ERR_NOT_OWNER = 13,     // the node asked does not hold this partition
    GR_ERR_TIME_BEHIND = 14, // the write's origin time is not above what it replaces; fix it again
    GR_ERR_UNREACHABLE = 15, // no link to the node; the message certainly did not leave
    GR_ERR_TIMEOUT = 16,     // the deadline passed
    GR_ERR_LOADING = 17,     // the node is not ready to serve yet
    GR_ERR_WOULD_BLOCK = 18, // only the disk knows; ask again off the loop
    GR_ERR_IO = 19,          // the operating system refused a read, write or sync
    GR_ERR_NO_SPACE = 20,    // the disk is full
    GR_ERR_CORRUPT = 21,     // bytes on disk are not what was written
    GR_ERR_LOCKED = 22,      // another process has the data directory
    GR_ERR_FORMAT = 23,      // written by a newer program, or for another cluster
    GR_ERR_STALLED = 24,     // the storage engine asks for a pause; nothing was written
    GR_ERR_MALFORMED = 25,   // bytes from a peer, a client or a disk do not parse
    GR_ERR_REFUSED = 26,     // the handshake failed
    GR_ERR_HINTS_FULL = 27,  // this node keeps as many hints for others as it may
    GR_ERR_COUNT
};

enum gr_err_class {
    GR_CLASS_NONE,       // success, or an ordinary answer
    GR_CLASS_RETRY,      // try again: nothing was done
    GR_CLASS_CALLER,     // the caller's fault: retrying will not help
    GR_CLASS_UNKNOWN,    // may have happened
    GR_CLASS_OURS,       // this node's trouble
    GR_CLASS_CORRUPTION, // bytes are not what they were
};

struct gr_err_info {
    enum gr_err_class class;
    const char *name; // "BUSY": stable, for programs and logs
    const char *resp; // first word of the RESP error
    int http;         // status of the HTTP answer
    const char *text; // one sentence for people: what is wrong and what to do
};

// Never NULL; an unknown number is described as such.
const struct gr_err_info *gr_err_info(enum gr_err err);

#endif
