// Staging: what an operator wants of the ring, until it is committed (§4.8.1: explicit).
//
// What is staged is the members and N as they are to be, and words for it. A fact (GR_FACT_STAGED),
// so that it may be staged at one node and committed at another.
#ifndef GR_CORE_STAGE_H
#define GR_CORE_STAGE_H

#include "core/layout.h"

// GR_FACT_STAGED, key 0. An empty value: nothing is staged.
struct gr_staged {
    uint64_t parent; // hash of the layout that it changes; of another one it means nothing
    char what[GR_LAYOUT_WHAT_BYTES];       // "join n4, weight n2 to 2, N to 5"
    uint8_t n;                             // 1 to GR_REPLICAS_MAX
    uint16_t member_count;                 // up to GR_MEMBERS_MAX
    const struct gr_layout_member *member; // by ascending id, none twice
};

enum gr_change_op {
    GR_CHANGE_JOIN,   // it gets its share
    GR_CHANGE_LEAVE,  // it hands over what it holds
    GR_CHANGE_REMOVE, // it is gone for ever: its store is refused from then on
    GR_CHANGE_WEIGHT,
    GR_CHANGE_MOVE, // to another site, and rack
};

struct gr_change {
    enum gr_change_op op;
    const struct gr_card *card; // of whom
    uint32_t weight;            // WEIGHT; JOIN: 0 is that of the card. From 1 to GR_WEIGHT_MAX
    const char *site, *rack;    // MOVE: up to GR_NAME_BYTES_MAX bytes
};

// Why a change cannot be staged.
enum gr_stage_fault {
    GR_STAGE_OK,
    GR_STAGE_IN,        // JOIN: it is in the ring already
    GR_STAGE_OUT,       // else: it is not
    GR_STAGE_TOO_MANY,  // members
    GR_STAGE_TOO_LONG,  // words: commit what is staged first
    GR_STAGE_UNCHANGED, // that is how it is
    GR_STAGE_TOO_FEW,   // members that own anything, for so large an N
};

// The members and N of a layout, without change.
struct gr_staged gr_stage_begin(struct gr_arena *arena, const struct gr_layout *layout);
// With one change more. Members are in `arena`, even if nothing changed.
enum gr_stage_fault gr_stage_change(struct gr_arena *arena, const struct gr_staged *staged,
    const struct gr_change *change, struct gr_staged *ret);
// With another N. Members are those of *staged, which must live on.
enum gr_stage_fault gr_stage_n(const struct gr_staged *staged, uint8_t n, struct gr_staged *ret);
// How many members are to own anything: N is at most that.
uint16_t gr_stage_owners(const struct gr_staged *staged);
// These words are of a change of N, whatever else they are of.
bool gr_stage_says_n(const char *what);

#endif
