// The look at a stopped node's store that `gramme verify` takes.
#ifndef GR_SHELL_VERIFY_H
#define GR_SHELL_VERIFY_H

#include "base/base.h"
#include "base/error.h"

// One finding, for people and programs; borrowed until the callback returns.
struct gr_verify_line {
    const char *name;  // stable
    const char *what;  // is wrong
    const char *then;  // what follows from it, and what to do
    const char *where; // printable; "" if nowhere in particular
    bool in_partition;
    uint32_t partition;
    struct gr_bytes bucket, key; // empty when no key is named
};

struct gr_verify_counts {
    uint64_t keys, records, clocks, partitions, due, leftover, hints, meta, bytes;
    uint64_t findings;
};

// Looks at the store of a data directory, of which nothing is changed; takes its lock meanwhile.
// GR_OK when all of it was looked at, whatever was found. Else ret_why holds one sentence:
// GR_ERR_LOCKED (a node runs), GR_ERR_NOT_FOUND, GR_ERR_FORMAT, GR_ERR_INVALID, GR_ERR_IO.
GR_MUST_USE enum gr_err gr_verify_directory(const char *path,
    void (*found)(void *host, const struct gr_verify_line *line), void *host,
    struct gr_verify_counts *ret_counts, char *ret_why, size_t why_size);

#endif
