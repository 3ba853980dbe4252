// Settings of the cluster (core/agreed.h) as bytes of a fact, and as words of people.
#ifndef GR_WIRE_AGREED_H
#define GR_WIRE_AGREED_H

#include "base/bytes.h"
#include "base/error.h"
#include "core/agreed.h"

enum { GR_AGREED_TEXT = 16 };

// Appends the value of the fact: what does not fit the key is asserted. `version` is not in it.
void gr_agreed_encode(
    struct gr_writer *out, enum gr_agreed_key key, const struct gr_agreed *agreed);
// Parses all of `bytes`, which is exactly what encoding makes of some value that fits the key; the
// version of *ret is 0. GR_ERR_MALFORMED: *ret is untouched.
GR_MUST_USE enum gr_err gr_agreed_decode(
    enum gr_agreed_key key, struct gr_bytes bytes, struct gr_agreed *ret);

// "2", "local", "buffered", "100ms", whatever the case of the letters. False: it cannot be that.
bool gr_agreed_read(enum gr_agreed_key key, struct gr_bytes text, uint32_t *ret_value);
// The same words, which can be read again.
void gr_agreed_print(enum gr_agreed_key key, uint32_t value, char ret[GR_AGREED_TEXT]);
// "commit, interval or buffered": what it may be, in words behind "is ".
const char *gr_agreed_possible(enum gr_agreed_key key);

#endif
