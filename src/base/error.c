// The table behind error.h: one row per error, in the order of the enum.
#include "base/error.h"

static const struct gr_err_info table[GR_ERR_COUNT] = {
    [GR_OK] = {GR_CLASS_NONE, "OK", "OK", 200, "done"},
    [GR_ERR_NOT_FOUND] = {GR_CLASS_NONE, "NOT_FOUND", "ERR", 404, "no such key"},
    [GR_ERR_INVALID] = {GR_CLASS_CALLER, "INVALID", "ERR", 400, "the request is not well formed"},
    [GR_ERR_LIMIT_BUCKET] = {GR_CLASS_CALLER, "LIMIT_BUCKET", "ERR", 400,
        "a bucket name has 1 to 255 bytes"},
    [GR_ERR_LIMIT_KEY] = {GR_CLASS_CALLER, "LIMIT_KEY", "ERR", 400, "a key has 1 to 4096 bytes"},
    [GR_ERR_LIMIT_VALUE] = {GR_CLASS_CALLER, "LIMIT_VALUE", "ERR", 413,
        "a value has at most 8 MiB"},
    [GR_ERR_LIMIT_SIBLINGS] = {GR_CLASS_CALLER, "LIMIT_SIBLINGS", "ERR", 409,
        "the key has 100 siblings or 32 MiB of them; read it and write with its context"},
    [GR_ERR_LIMIT_CONTEXT] = {GR_CLASS_CALLER, "LIMIT_CONTEXT", "BADCONTEXT", 400,
        "a context has at most 64 KiB"},
    [GR_ERR_BAD_CONTEXT] = {GR_CLASS_CALLER, "BAD_CONTEXT", "BADCONTEXT", 400,
        "the context was not made by this cluster for this key; read the key again"},
    [GR_ERR_BUSY] = {GR_CLASS_RETRY, "BUSY", "BUSY", 503,
        "the node is overloaded and did nothing; try again"},
    [GR_ERR_QUORUM] = {GR_CLASS_RETRY, "QUORUM", "TRYAGAIN", 503,
        "too few nodes are up; nothing was done"},
    [GR_ERR_READ_QUORUM] = {GR_CLASS_RETRY, "READ_QUORUM", "TRYAGAIN", 503,
        "too few replicas answered in time"},
    [GR_ERR_WRITE_QUORUM] = {GR_CLASS_UNKNOWN, "WRITE_QUORUM", "NOREPLICAS", 503,
        "too few replicas acknowledged in time; the write may still take effect"},
    [GR_ERR_NOT_OWNER] = {GR_CLASS_RETRY, "NOT_OWNER", "TRYAGAIN", 503,
        "the node does not hold this partition"},
    [GR_ERR_TIME_BEHIND] = {GR_CLASS_RETRY, "TIME_BEHIND", "TRYAGAIN", 503,
        "the write's time is not above what it replaces"},
    [GR_ERR_UNREACHABLE] = {GR_CLASS_RETRY, "UNREACHABLE", "TRYAGAIN", 503,
        "the node cannot be reached"},
    [GR_ERR_TIMEOUT] = {GR_CLASS_UNKNOWN, "TIMEOUT", "TRYAGAIN", 504,
        "the deadline passed before an answer came"},
    [GR_ERR_LOADING] = {GR_CLASS_RETRY, "LOADING", "LOADING", 503,
        "the node is not ready to serve yet"},
    [GR_ERR_WOULD_BLOCK] = {GR_CLASS_RETRY, "WOULD_BLOCK", "ERR", 503, "the answer is on disk"},
    [GR_ERR_IO] = {GR_CLASS_OURS, "IO", "ERR", 500,
        "the operating system refused a read, write or sync; see the node's log"},
    [GR_ERR_NO_SPACE] = {GR_CLASS_OURS, "NO_SPACE", "ERR", 507,
        "the disk is full; free some space, reads go on"},
    [GR_ERR_CORRUPT] = {GR_CLASS_CORRUPTION, "CORRUPT", "ERR", 500,
        "bytes on disk are not what was written"},
    [GR_ERR_LOCKED] = {GR_CLASS_OURS, "LOCKED", "ERR", 500,
        "another process uses this data directory; stop it, or name another directory"},
    [GR_ERR_FORMAT] = {GR_CLASS_OURS, "FORMAT", "ERR", 500,
        "the data directory was written by a newer program or for another cluster"},
    [GR_ERR_STALLED] = {GR_CLASS_RETRY, "STALLED", "BUSY", 503,
        "the storage engine is catching up and wrote nothing; try again"},
    [GR_ERR_MALFORMED] = {GR_CLASS_CALLER, "MALFORMED", "ERR", 400, "the bytes do not parse"},
    [GR_ERR_HINTS_FULL] = {GR_CLASS_RETRY, "HINTS_FULL", "BUSY", 503,
        "the node keeps as many hints for others as it may (hint_bytes_max)"},
    [GR_ERR_REFUSED] = {GR_CLASS_CALLER, "REFUSED", "ERR", 403, "the peer was refused"},
};

const struct gr_err_info *gr_err_info(enum gr_err err)
{
    static const struct gr_err_info unknown = {
        GR_CLASS_OURS, "UNKNOWN", "ERR", 500, "an error that this program does not know"};
    if ((unsigned)err >= GR_ERR_COUNT)
        return &unknown;
    gr_assert(table[err].name != NULL);
    return &table[err];
}
