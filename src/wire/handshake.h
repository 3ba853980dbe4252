// The handshake of two peers: before the first frame each proves to the other that it knows the
// cluster secret, and both find out whether they can live together (DESIGN.md §7;
// docs/PROTOCOL.md, "Handshake").
//
//      dialler                      acceptor
//      HELLO           ---->                          who I am, a nonce
//                      <----        HELLO, PROOF      who I am, a nonce, what I have seen of you,
//                                                     MAC over both HELLOs and that
//      PROOF           ---->                          likewise, with another label
//                      <----        WELCOME           frames may follow at once, both ways
//
// Either side says REFUSED with a reason instead, and closes after it has sent that.
//
// Both sides speak the highest version of the handshake, and afterwards of frames (wire/frame.h),
// that both know; each says in its HELLO from which to which it knows. So the HELLO is the one
// message that an older program must read: it begins with those numbers for ever, and a later
// version only appends to it; what is behind the fields that this program knows is a later one's,
// and passed over. The proofs cover it whole all the same. What else a later version says, it says
// once it knows that the other side is as late. Where no version is common the handshake refuses,
// and says who is to be upgraded.
//
// A pure state machine: the caller owns the socket, makes the nonce (16 unpredictable bytes, new
// for every connection) and a deadline, and ends the connection when it passes.
#ifndef GR_WIRE_HANDSHAKE_H
#define GR_WIRE_HANDSHAKE_H

#include "base/bytes.h"
#include "core/ring.h"

enum {
    GR_HANDSHAKE_VERSION = 5,        // the newest that this program speaks
    GR_HANDSHAKE_VERSION_MIN = 5,    // the oldest
    GR_HANDSHAKE_BYTES_MAX = 512,    // of one message: what a caller must be able to keep
    GR_HANDSHAKE_REASON_BYTES = 240, // with its end
    GR_HANDSHAKE_NONCE_BYTES = 16,
    GR_HANDSHAKE_AGREED = 255, // durability: the cluster has set it, and whoever links will hear
};

// What a node says of itself, and the secret that it does not say.
struct gr_handshake_identity {
    uint8_t cluster[16];
    uint8_t secret[32];
    uint32_t partitions; // Q
    uint8_t durability;  // enum gr_durability of the own cluster file, or GR_HANDSHAKE_AGREED
    uint64_t origin;     // of the cluster's layouts (core/layout.h); 0: not known yet
    char name[GR_NAME_BYTES_MAX + 1]; // its id follows from it: gr_member_id
    uint64_t store, run;              // of this node's actor; 0: it has none yet, and only talks
    // The highest run of that store of which this node has seen a write, 0 = none. NULL: none ever.
    uint64_t (*seen)(void *host, uint64_t store);
    void *host;
    uint8_t frame_version_min, frame_version_max;
    uint64_t expected; // id of the member that is dialled, 0: anyone
};

enum gr_handshake_state {
    GR_HANDSHAKE_IN_PROGRESS,
    GR_HANDSHAKE_DONE,
    GR_HANDSHAKE_REFUSED,
};

// Numbers travel: append only.
enum gr_handshake_refusal {
    GR_REFUSAL_NONE = 0,
    GR_REFUSAL_NOT_A_PEER = 1, // what came is no handshake
    GR_REFUSAL_VERSION = 2,    // no handshake or frame version in common
    GR_REFUSAL_CLUSTER = 3,    // another cluster's id
    GR_REFUSAL_PARTITIONS = 4, // another Q
    // 5 was another N: that belongs to the ring, which may change
    GR_REFUSAL_ITSELF = 6,       // a node that dialled its own address, or its own bytes sent back
    GR_REFUSAL_SAME_MEMBER = 7,  // two runs that have the same name
    GR_REFUSAL_WRONG_MEMBER = 8, // not the member that was expected
    GR_REFUSAL_SECRET = 9,       // the other does not know the cluster secret
    GR_REFUSAL_DURABILITY = 10,  // files with other modes of acknowledging, and none was set
    GR_REFUSAL_FOUNDERS = 11,    // founded with another list of members
    GR_REFUSAL_COUNT
};

// What was proven of the other side; valid once the state is GR_HANDSHAKE_DONE.
struct gr_handshake_peer {
    uint64_t member; // its id
    uint64_t store, run;
    uint64_t seen; // the highest run of our store of which it has seen a write; 0: none
    char name[GR_NAME_BYTES_MAX + 1];
    uint8_t frame_version; // the highest that both know
};

// Fields below the line are private.
struct gr_handshake {
    enum gr_handshake_state state;
    struct gr_handshake_peer peer;
    enum gr_handshake_refusal refusal;
    bool refused_by_peer;                   // the reason came from the other side
    char reason[GR_HANDSHAKE_REASON_BYTES]; // one printable sentence when refused, else ""
    // ------------------------------------------------------------------------------------
    struct gr_handshake_identity self;
    uint8_t nonce[GR_HANDSHAKE_NONCE_BYTES];
    bool dialled;
    uint8_t step;
    uint8_t hello[2][GR_HANDSHAKE_BYTES_MAX]; // bodies: the dialler's, the acceptor's
    uint16_t hello_bytes[2];
};

// *self is copied. self->name is 1..63 printable bytes without spaces.
void gr_handshake_init(struct gr_handshake *h, const struct gr_handshake_identity *self,
    bool dialled, const uint8_t nonce[GR_HANDSHAKE_NONCE_BYTES]);

// Takes in what was received and not yet consumed; appends what is to be sent to `out` (in every
// state: after a refusal send it, then close). *ret_consumed of the input's bytes are used up: keep
// the rest, at most GR_HANDSHAKE_BYTES_MAX bytes while in progress, and give it again with what
// comes behind it; once done, it is the beginning of the first frame. The dialler calls once with
// empty input to get its HELLO. In states other than GR_HANDSHAKE_IN_PROGRESS nothing is consumed.
// This struct's copy of the secret is wiped when the handshake ends.
enum gr_handshake_state gr_handshake_feed(
    struct gr_handshake *h, struct gr_bytes input, size_t *ret_consumed, struct gr_writer *out);

#endif
