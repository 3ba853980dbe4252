// What members tell each other of the cluster, as structs: the values of facts (core/facts.h).
//
// Everything here names members by id, or by a place in a list that stands beside: never by a place
// in a node's own table. wire/layout turns them into bytes and back, and holds to what is said here
// of each field. Texts are printable ASCII without spaces, and may be empty, unless said otherwise.
#ifndef GR_CORE_LAYOUT_H
#define GR_CORE_LAYOUT_H

#include "base/arena.h"
#include "core/facts.h"
#include "core/placement.h"
#include "core/ring.h"

enum {
    GR_WEIGHT_MAX = GR_PLACE_WEIGHT_MAX,
    GR_LAYOUT_STEPS_MAX = 16,
    GR_LAYOUT_WHAT_BYTES = 160, // with the zero at its end
};

// GR_FACT_MEMBER, key: its id. Who it is and where it is found, as it says itself. Name, peer and
// resp are not empty.
struct gr_card {
    char name[GR_NAME_BYTES_MAX + 1];
    char host[GR_NAME_BYTES_MAX + 1];
    char rack[GR_NAME_BYTES_MAX + 1];
    char site[GR_NAME_BYTES_MAX + 1];
    char peer[GR_NAME_BYTES_MAX + 1]; // address for peers
    char resp[GR_NAME_BYTES_MAX + 1]; // address for Redis clients
    uint32_t weight;                  // that it asks for: 1 to GR_WEIGHT_MAX
};

// GR_FACT_HOLDS, key: the member's id. What its store holds completely, as it says itself (§4.9).
struct gr_holdings {
    uint64_t store, run;  // of the actor that says so
    uint64_t bare_in;     // the last ring in which it held nothing in that run; 0: none
    uint32_t partitions;  // Q, a power of two up to GR_PARTITIONS_MAX
    const uint64_t *bits; // (Q + 63) / 64 words: bit p % 64 of word p / 64; beyond Q they are zero
};

// One member of a layout. Weight 0: it owns nothing, and may stand in for others.
struct gr_layout_member {
    uint64_t id; // from 1 to GR_MEMBER_ID_MAX
    char name[GR_NAME_BYTES_MAX + 1];
    char host[GR_NAME_BYTES_MAX + 1];
    char rack[GR_NAME_BYTES_MAX + 1];
    char site[GR_NAME_BYTES_MAX + 1];
    uint32_t weight; // up to GR_WEIGHT_MAX
    bool out;        // no member any more: named only because lists of `before` do
    bool gone;       // its store is to be refused for ever; only where it is staged (stage.h)
};

// How a layout came about, for people.
struct gr_layout_step {
    uint64_t version; // of the layout that it made
    uint64_t hash; // of the same. A layout cannot hold its own: decoding says what the last one is
    struct gr_wall at;
    char by[GR_NAME_BYTES_MAX + 1];  // the node where it was committed
    char what[GR_LAYOUT_WHAT_BYTES]; // "join n4, weight n2 2": spaces too
};

// GR_FACT_LOST, key: the hash of a layout that some went by before they heard of another one of the
// same version, or of a later one that does not follow it. How it had come about.
struct gr_lost {
    struct gr_layout_step step;   // hash: its own
    uint64_t to_version, to_hash; // the layout that took its place
};

// GR_FACT_RING, key 0, version: its own. Who owns what, and who did before (§6.2, strategy 3).
struct gr_layout {
    uint64_t version;      // from 1; one more than that of the layout it was planned from
    uint64_t origin;       // hash of the first layout of this cluster; 0: this is it
    uint32_t partitions;   // Q, a power of two up to GR_PARTITIONS_MAX
    uint8_t n;             // N of each list: 1 to GR_REPLICAS_MAX
    uint16_t member_count; // 1 to GR_MEMBERS_MAX
    const struct gr_layout_member *member; // by ascending id, none twice
    // Q * N places in `member`: of none that is out or has no weight, none twice in a list.
    const uint16_t *owner;
    uint8_t before_n; // N of the lists before, up to GR_REPLICAS_MAX; 0: there were none
    // Q * before_n places in `member`, none twice in a list; NULL: there were none.
    const uint16_t *before;
    uint32_t step_count; // 1 to GR_LAYOUT_STEPS_MAX
    // By ascending version, and the last is the step to this layout.
    const struct gr_layout_step *step;
};

// ---- making one --------------------------------------------------------------------------------

// The first layout of a cluster: founders in the order of their list, each of whom owns an equal
// part whatever its weight, until the first plan. The same at every founder. `n` is at most count.
// All arrays are in `arena`.
struct gr_layout gr_layout_first(struct gr_arena *arena, uint32_t partitions, uint8_t n,
    const struct gr_card *card, uint16_t count);
// The layout that follows `now` when its members are to be `member` (by ascending id; all that
// `now` has and that are not out already must be among them, and may be out from now on). The
// arrays of *ret are in `arena`; the caller fills in the last step. GR_ERR_INVALID: fewer than n
// members have a weight.
GR_MUST_USE enum gr_err gr_layout_plan(struct gr_arena *arena, const struct gr_layout *now,
    const struct gr_layout_member *member, uint16_t count, uint8_t n, struct gr_layout *ret,
    struct gr_placement *ret_placement);
// The ring that a node goes by, whose table of members is `member`: all of the layout's must be in
// it. Who is not in the layout, or out in it, is out. Hosts and sites are those of the layout.
void gr_layout_ring(const struct gr_layout *layout, const struct gr_member *member, uint16_t count,
    struct gr_ring *ret);
// The hash of the first layout of its cluster: two that differ in it are two clusters.
uint64_t gr_layout_origin(const struct gr_layout *layout);
// The place in layout->member of that id, or -1.
int gr_layout_find(const struct gr_layout *layout, uint64_t id);

#endif
