// Counting replies, nothing else (§4.5). A pure value: who asks whom, and when, is elsewhere.
#ifndef GR_CORE_QUORUM_H
#define GR_CORE_QUORUM_H

#include "base/base.h"

enum gr_vote {
    GR_VOTE_NONE, // not heard of yet
    GR_VOTE_YES,  // answered, or stored
    GR_VOTE_NO,   // said no, or certainly never got the question
    GR_VOTE_MUTE, // may have stored it, but will not say: the link broke, or time is up
};

enum { GR_POSITIONS_MAX = 7 };

// Each position of the preference list has one vote, cast by the node that serves it.
struct gr_quorum {
    uint8_t n, need, need_primary, need_durable;
    uint8_t yes, primary, durable, no, mute;
    uint8_t vote[GR_POSITIONS_MAX];
    bool is_durable[GR_POSITIONS_MAX], is_primary[GR_POSITIONS_MAX];
};

void gr_quorum_init(
    struct gr_quorum *quorum, uint8_t n, uint8_t need, uint8_t need_primary, uint8_t need_durable);
// Casts the vote of a position; `primary`: its owner cast it, not a node that stands in (§4.6). A
// position votes once: a later vote changes nothing, except that a YES follows a MUTE, and that a
// YES adds to an earlier YES what that lacked: durability, or that the owner has it too. Returns
// true if anything changed.
bool gr_quorum_vote(
    struct gr_quorum *quorum, uint8_t position, enum gr_vote vote, bool primary, bool durable);
// Enough YES, of primaries and durable ones too.
bool gr_quorum_met(const struct gr_quorum *quorum);
// It cannot be met any more unless a MUTE speaks after all.
bool gr_quorum_lost(const struct gr_quorum *quorum);
// Nobody is left to vote, and every YES is durable.
bool gr_quorum_settled(const struct gr_quorum *quorum);

#endif
