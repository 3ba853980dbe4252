// The values of facts (core/layout.h) as bytes and back.
//
// Equal values have equal bytes, so that a hash of the bytes is one of the value.
#ifndef GR_WIRE_LAYOUT_H
#define GR_WIRE_LAYOUT_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/stage.h"

// Each appends one value, which must be as core/layout.h says (asserted). When it does not fit, or
// has more than GR_FACT_BYTES_MAX bytes, `out` is bad and keeps only what it held before.
void gr_card_encode(struct gr_writer *out, const struct gr_card *card);
void gr_holdings_encode(struct gr_writer *out, const struct gr_holdings *holdings);
// The hash of the last step is not looked at. Q = 16384, N = 3 and 100 members always fit, whatever
// their names and the lists before.
void gr_layout_encode(struct gr_writer *out, const struct gr_layout *layout);
// What is staged has words.
void gr_staged_encode(struct gr_writer *out, const struct gr_staged *staged);
void gr_lost_encode(struct gr_writer *out, const struct gr_lost *lost);

// Each parses all of `bytes`: at most GR_FACT_BYTES_MAX, and exactly what encoding makes of some
// value that is as core/layout.h says. Texts are copied and filled up with zeros; arrays are in
// `arena`. GR_ERR_MALFORMED: *ret is untouched.
GR_MUST_USE enum gr_err gr_card_decode(struct gr_bytes bytes, struct gr_card *ret);
GR_MUST_USE enum gr_err gr_holdings_decode(
    struct gr_bytes bytes, struct gr_arena *arena, struct gr_holdings *ret);
GR_MUST_USE enum gr_err gr_staged_decode(
    struct gr_bytes bytes, struct gr_arena *arena, struct gr_staged *ret);
GR_MUST_USE enum gr_err gr_lost_decode(struct gr_bytes bytes, struct gr_lost *ret);
// The hash of the last step is that of `bytes`, as in the fact that they are the value of.
GR_MUST_USE enum gr_err gr_layout_decode(
    struct gr_bytes bytes, struct gr_arena *arena, struct gr_layout *ret);

#endif
