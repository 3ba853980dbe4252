// What members say to each other (core/members.h) as bytes and back.
#ifndef GR_WIRE_TALK_H
#define GR_WIRE_TALK_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/members.h"

enum { GR_TALK_FACTS_MAX = GR_FACTS_MAX }; // of either list

// Appends one talk. Only the fields that members.h names at the type are looked at. When it does
// not fit, `out` is bad and keeps only what it held before.
void gr_talk_encode(struct gr_writer *out, const struct gr_talk *talk);

// Parses all of `bytes`. Values are borrowed from them, lists are in `arena`; every field that the
// type does not use is zero. Checked: versions from 1 to GR_FACT_VERSION_MAX, of a status one that
// there is; values of at most GR_FACT_BYTES_MAX, lists of at most GR_TALK_FACTS_MAX; nothing left
// over. A kind may be any but 0 (core/facts.h). GR_ERR_FORMAT: a type of talk that this program
// does not know; whoever was sent it does as if it had not come. GR_ERR_MALFORMED: it is none. *ret
// is untouched by both.
GR_MUST_USE enum gr_err gr_talk_decode(
    struct gr_bytes bytes, struct gr_arena *arena, struct gr_talk *ret);

#endif
