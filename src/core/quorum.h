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

// Who casts it: the one whose vote the position's is, or one who stands in (§4.6).
enum gr_voter {
    GR_VOTER_AWAY, // stands in, at another site than that of the position
    GR_VOTER_NEAR, // stands in, at the same site
    GR_VOTER_OWNER,
};

enum { GR_POSITIONS_MAX = 7 };

// Positions, a bit each, of which so many must say yes.
struct gr_group {
    uint8_t positions, least;
};

// What is asked of the positions: of each group enough. A plain number is one group of all.
struct gr_need {
    uint8_t count;
    bool by_site; // a vote that is cast away from its position's site is none (core/site.c)
    struct gr_group group[GR_POSITIONS_MAX];
};

// Any `least` of n positions.
struct gr_need gr_need_any(uint8_t n, uint8_t least);
// Enough of each group are among these positions.
bool gr_need_met(const struct gr_need *need, uint8_t positions);
// How many are asked for; and how many of those these positions are: no more of a group than it
// needs, so that it is all of them when the need is met, and less when it is not.
uint8_t gr_need_total(const struct gr_need *need);
uint8_t gr_need_reached(const struct gr_need *need, uint8_t positions);
// Positions of any group, a bit each.
uint8_t gr_need_positions(const struct gr_need *need);
uint8_t gr_need_bits(uint8_t positions); // how many

// Each position of the preference list has one vote, cast by the node that serves it.
struct gr_quorum {
    uint8_t n, need_primary, need_durable;
    struct gr_need need;
    uint8_t yes, primary, durable, no, mute;
    uint8_t vote[GR_POSITIONS_MAX];
    bool is_durable[GR_POSITIONS_MAX];
    uint8_t by[GR_POSITIONS_MAX]; // of a YES: enum gr_voter
};

void gr_quorum_init(struct gr_quorum *quorum, uint8_t n, const struct gr_need *need,
    uint8_t need_primary, uint8_t need_durable);
// Casts the vote of a position. A position votes once: a later vote changes nothing, except that a
// YES follows a MUTE, and that a YES adds to an earlier YES what that lacked: durability, or that
// one who is nearer to the position has it too. Returns true if anything changed.
bool gr_quorum_vote(
    struct gr_quorum *quorum, uint8_t position, enum gr_vote vote, enum gr_voter by, bool durable);
// Positions whose YES counts toward the need.
uint8_t gr_quorum_counted(const struct gr_quorum *quorum);
// Enough YES, of primaries and durable ones too.
bool gr_quorum_met(const struct gr_quorum *quorum);
// It cannot be met any more unless a MUTE speaks after all.
bool gr_quorum_lost(const struct gr_quorum *quorum);
// Nobody is left to vote, and every YES is durable.
bool gr_quorum_settled(const struct gr_quorum *quorum);

#endif
