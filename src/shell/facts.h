// The file FACTS of the data directory: what this node knew of the cluster when it last ran, so
// that members find each other again when all of them were off.
#ifndef GR_SHELL_FACTS_H
#define GR_SHELL_FACTS_H

#include "base/arena.h"
#include "base/error.h"
#include "core/facts.h"

enum { GR_FACTS_FILE_FORMAT = 1, GR_FACTS_FILE_BYTES_MAX = 64 << 20 };

// Writes all facts but those of kind STATUS, which are over when their nodes stop. Written beside,
// synced and moved into place: after a power cut there is the old file or the new one, whole. On
// failure the file is as it was and ret_why holds one sentence that says what to do: GR_ERR_IO,
// GR_ERR_NO_SPACE, GR_ERR_NOT_FOUND (the directory), GR_ERR_INVALID (over GR_FACTS_FILE_BYTES_MAX).
GR_MUST_USE enum gr_err gr_facts_write(
    const char *path, const struct gr_facts *facts, char *ret_why, size_t why_size);
// The facts that were written, values included, are in `arena`. Values are not looked into. On
// failure nothing is returned and ret_why holds one sentence: GR_ERR_NOT_FOUND (there is no file),
// GR_ERR_CORRUPT (these are not the bytes that were written), GR_ERR_FORMAT (written by a newer
// program), GR_ERR_IO.
GR_MUST_USE enum gr_err gr_facts_read(const char *path, struct gr_arena *arena,
    struct gr_fact **ret, uint32_t *ret_count, char *ret_why, size_t why_size);

#endif
