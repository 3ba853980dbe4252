// Peer frames: struct gr_message as bytes and back (docs/PROTOCOL.md, "Peer frames").
//
// A connection carries, after the handshake, one frame after the other. The reader keeps what it
// has received in one buffer, asks gr_frame_split for the next whole frame, decodes its body, and
// drops what was consumed. A malformed frame ends the connection: nothing after it can be trusted.
//
// A cluster is upgraded node by node, so for a while its nodes are of two versions. A link speaks
// the highest version that both sides know (wire/handshake.h), and every frame of it is of that
// version. A program knows its own, n, and the one before, n - 1: nodes of a cluster are never more
// than one apart. What n - 1 differs in is decided here, field by field:
//
//   4 says, 3 cannot                  over a link of version 3
//   DELTA: relay list, asked_by       is not said: neither half of a relay means anything alone.
//                                     Coordinators send to each replica themselves
//   FORWARD: W by site                is not said: as a number it would be another promise. The put
//                                     goes to another owner, or is run where it landed
//   COVER: durable                    is not said: a plain COVER is answered by one who holds
//                                     nothing, and has it in memory only. Who asked would let go
//                                     what nobody has. He keeps it until he can ask
//   OFFER, TAKEN: witnessed           is left out: they are believed as those of version 3 always
//                                     were
//   FORWARDED: reached                is left out: it counts only where W is by site
//
// "Not said" is core's business (gr_frame_unspoken, and L3 of core/peer.c); that the encoder
// refuses such a message is the second lock on that door. Talk of members is the same in both.
//
// A new version: GR_FRAME_VERSION goes up by one and GR_FRAME_VERSION_MIN with it; what only the
// version below the old minimum needed goes; for each field that the new one adds, and each new
// status or type, a line in the table above says what becomes of it on the way to n - 1. A type of
// message that came with n needs a bit of enum gr_says if its sender counts on it; one that may be
// lost like any other needs none, since a receiver drops a type that he does not know.
#ifndef GR_WIRE_FRAME_H
#define GR_WIRE_FRAME_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/members.h"
#include "core/message.h"

enum {
    GR_FRAME_VERSION = 4,           // the newest that this program speaks
    GR_FRAME_VERSION_MIN = 3,       // the oldest
    GR_FRAME_HEAD_BYTES = 8,        // length and checksum, before the body
    GR_FRAME_BYTES_MAX = 128 << 20, // of one frame with its head
    GR_FRAME_ITEMS_MAX = 1 << 20,   // actors, dots, siblings, entries and partitions of one frame
};

// What a version cannot say: bits of enum gr_says (core/message.h).
uint8_t gr_frame_unspoken(uint8_t version);

// All of these take the version of the link, from GR_FRAME_VERSION_MIN to GR_FRAME_VERSION.

// Appends one frame. Only the fields that message.h names at the type are looked at. When the frame
// does not fit into `out`, would pass GR_FRAME_BYTES_MAX or GR_FRAME_ITEMS_MAX, or says what the
// version cannot, `out` keeps only what it held before and is bad: the caller answers the call that
// wanted it, clears out->bad and goes on. The record's siblings in DELTA, REPAIR and OFFER must not
// be bare; those in PAGE are sent bare.
void gr_frame_encode(struct gr_writer *out, uint8_t version, const struct gr_message *m);

// Appends a frame without a message, which says only that the sender lives; split gives it an empty
// body, which is not for gr_frame_decode. `out` is bad, and holds what it held, when it is full.
void gr_frame_keepalive(struct gr_writer *out);

// A frame with talk of members (wire/talk.h) in place of a message; `out` as above. For a body:
// whether it is one; gr_frame_decode does not take those, gr_talk_decode takes what is in them.
void gr_frame_talk(struct gr_writer *out, uint8_t version, const struct gr_talk *talk);
bool gr_frame_is_talk(struct gr_bytes frame_body, uint8_t version, struct gr_bytes *ret_talk);

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
// GR_ERR_FORMAT: of that version, and a type that this program does not know; whoever was sent it
// drops it, as if it had been lost on the way, and the link goes on. GR_ERR_MALFORMED: anything
// else, another version too. *ret is untouched by both.
GR_MUST_USE enum gr_err gr_frame_decode(
    struct gr_bytes frame_body, uint8_t version, struct gr_arena *arena, struct gr_message *ret);

#endif
