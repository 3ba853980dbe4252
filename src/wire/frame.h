// Peer frames: struct gr_message as bytes and back (docs/PROTOCOL.md, "Peer frames").
//
// A connection carries, after the handshake, one frame after the other. The reader keeps what it
// has received in one buffer, asks gr_frame_split for the next whole frame, decodes its body, and
// drops what was consumed. A malformed frame ends the connection: nothing after it can be trusted.
#ifndef GR_WIRE_FRAME_H
#define GR_WIRE_FRAME_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/members.h"
#include "core/message.h"

enum {
    GR_FRAME_VERSION = 3,
    GR_FRAME_HEAD_BYTES = 8,        // length and checksum, before the body
    GR_FRAME_BYTES_MAX = 128 << 20, // of one frame with its head
    GR_FRAME_ITEMS_MAX = 1 << 20,   // actors, dots, siblings, entries and partitions of one frame
};

// Appends one frame. Only the fields that message.h names at the type are looked at. When the frame
// does not fit into `out`, or would pass GR_FRAME_BYTES_MAX or GR_FRAME_ITEMS_MAX, `out` keeps only
// what it held before and is bad: the caller answers the call that wanted it, clears out->bad and
// goes on. The record's siblings in DELTA, REPAIR and OFFER must not be bare; those in PAGE are
// sent bare.
void gr_frame_encode(struct gr_writer *out, const struct gr_message *m);

// Appends a frame without a message, which says only that the sender lives; split gives it an empty
// body, which is not for gr_frame_decode. `out` is bad, and holds what it held, when it is full.
void gr_frame_keepalive(struct gr_writer *out);

// A frame with talk of members (wire/talk.h) in place of a message; `out` as above. For a body:
// whether it is one; gr_frame_decode does not take those, gr_talk_decode takes what is in them.
void gr_frame_talk(struct gr_writer *out, const struct gr_talk *talk);
bool gr_frame_is_talk(struct gr_bytes frame_body, struct gr_bytes *ret_talk);

// Finds the first frame in `input`. GR_OK: *ret_body is its body (borrowed from input), and
// *ret_consumed the bytes that it took with its head. GR_ERR_NOT_FOUND: it is not all there yet;
// for progress, *ret_consumed is the size that the whole frame will have, or 0 if that is not known
// yet. GR_ERR_MALFORMED: the length is impossible or above frame_bytes_max (head included), or the
// checksum is wrong.
GR_MUST_USE enum gr_err gr_frame_split(
    struct gr_bytes input, size_t frame_bytes_max, struct gr_bytes *ret_body, size_t *ret_consumed);

// Parses a body. On success every field of *ret that the type does not use is zero; bytes are
// borrowed from the body, arrays are in `arena`. Checked here, whatever a peer sends: siblings
// sorted and unique; counters from 1 to 2^63 - 1; contexts brought into normal form; slot and hash
// computed anew; bucket, key and value limits; partition below GR_PARTITIONS_MAX (not the cluster's
// Q: that is the node's to check); cursor at most GR_CURSOR_END; w, pw and dw at most
// GR_REPLICAS_MAX; count between -2^53 and 2^53, so that sums cannot overflow; clocks
// sorted and sound, as many as partitions in COVER; at most GR_MERKLE_LEAVES_MAX sums; no value in
// a delete; no bare sibling in DELTA, REPAIR and OFFER, only bare ones in PAGE; nothing left over.
// Memory taken is at most a few hundred bytes for each of GR_FRAME_ITEMS_MAX items. Errors:
// GR_ERR_MALFORMED; *ret is untouched then.
GR_MUST_USE enum gr_err gr_frame_decode(
    struct gr_bytes frame_body, struct gr_arena *arena, struct gr_message *ret);

#endif
