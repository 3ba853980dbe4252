// Counting replies, nothing else (§4.5).
//
// Like the tellers of an election: one slip per seat, whoever brings it. The tellers do not know
// who was invited, who is late or why; they know when the result is certain. Where the country has
// districts, each must give enough of its own, and a slip that was written elsewhere is kept with
// the others but not counted in its district.
//
//   Q1  Each position counts at most once.
//   Q2  yes + no + mute <= n; durable <= yes; primary <= yes.
//   Q3  met and lost exclude each other.
//   Q4  Of a need by site, a YES counts only if it was cast at the site of its position.
#include "core/quorum.h"

// ---- what is needed ------------------------------------------------------------------------

uint8_t gr_need_bits(uint8_t positions)
{
    uint8_t count = 0;
    for (; positions != 0; positions &= (uint8_t)(positions - 1))
        count++;
    return count;
}

struct gr_need gr_need_any(uint8_t n, uint8_t least)
{
    return (struct gr_need){.count = 1, .group[0] = {(uint8_t)((1u << n) - 1), least}};
}

bool gr_need_met(const struct gr_need *need, uint8_t positions)
{
    for (uint8_t g = 0; g < need->count; g++)
        if (gr_need_bits(positions & need->group[g].positions) < need->group[g].least)
            return false;
    return true;
}

uint8_t gr_need_total(const struct gr_need *need)
{
    uint8_t total = 0;
    for (uint8_t g = 0; g < need->count; g++)
        total += need->group[g].least;
    return total;
}

uint8_t gr_need_reached(const struct gr_need *need, uint8_t positions)
{
    uint8_t reached = 0;
    for (uint8_t g = 0; g < need->count; g++)
        reached += GR_MIN(gr_need_bits(positions & need->group[g].positions), need->group[g].least);
    return reached;
}

uint8_t gr_need_positions(const struct gr_need *need)
{
    uint8_t positions = 0;
    for (uint8_t g = 0; g < need->count; g++)
        positions |= need->group[g].positions;
    return positions;
}

// ---- votes ---------------------------------------------------------------------------------

void gr_quorum_init(struct gr_quorum *quorum, uint8_t n, const struct gr_need *need,
    uint8_t need_primary, uint8_t need_durable)
{
    gr_assert(n > 0 && n <= GR_POSITIONS_MAX && need->count > 0);
    *quorum = (struct gr_quorum){
        .n = n, .need = *need, .need_primary = need_primary, .need_durable = need_durable};
}

static void count_yes(struct gr_quorum *quorum, uint8_t position, enum gr_voter by, bool durable)
{
    quorum->yes++;
    quorum->primary += by == GR_VOTER_OWNER;
    quorum->durable += durable;
    quorum->is_durable[position] = durable;
    quorum->by[position] = (uint8_t)by;
}

// A second YES of a position: what it adds to the first.
static bool add_to_yes(struct gr_quorum *quorum, uint8_t position, enum gr_voter by, bool durable)
{
    bool nearer = by > quorum->by[position];
    bool more_durable = durable && !quorum->is_durable[position];
    quorum->primary += nearer && by == GR_VOTER_OWNER;
    quorum->durable += more_durable;
    if (nearer)
        quorum->by[position] = (uint8_t)by;
    quorum->is_durable[position] |= more_durable;
    return nearer || more_durable;
}

bool gr_quorum_vote(
    struct gr_quorum *quorum, uint8_t position, enum gr_vote vote, enum gr_voter by, bool durable)
{
    gr_assert(position < quorum->n && vote != GR_VOTE_NONE);
    uint8_t *cast = &quorum->vote[position];
    if (*cast == GR_VOTE_YES && vote == GR_VOTE_YES)
        return add_to_yes(quorum, position, by, durable);
    bool first = *cast == GR_VOTE_NONE;
    bool after_all = *cast == GR_VOTE_MUTE && vote == GR_VOTE_YES;
    if (!first && !after_all)
        return false;
    quorum->mute -= after_all;
    *cast = (uint8_t)vote;
    if (vote == GR_VOTE_YES)
        count_yes(quorum, position, by, durable);
    else if (vote == GR_VOTE_NO)
        quorum->no++;
    else
        quorum->mute++;
    gr_assert(quorum->yes + quorum->no + quorum->mute <= quorum->n);
    return true;
}

// ---- the result ----------------------------------------------------------------------------

uint8_t gr_quorum_counted(const struct gr_quorum *quorum)
{
    unsigned counted = 0;
    for (uint8_t i = 0; i < quorum->n; i++)
        if (quorum->vote[i] == GR_VOTE_YES &&
            (!quorum->need.by_site || quorum->by[i] != GR_VOTER_AWAY)) // Q4
            counted |= 1u << i;
    return (uint8_t)counted;
}

// Positions whose YES counts, or may still come to count.
static uint8_t may_count(const struct gr_quorum *quorum)
{
    unsigned may = 0;
    for (uint8_t i = 0; i < quorum->n; i++)
        if (quorum->vote[i] == GR_VOTE_YES || quorum->vote[i] == GR_VOTE_NONE)
            may |= 1u << i;
    return (uint8_t)may;
}

bool gr_quorum_met(const struct gr_quorum *quorum)
{
    return gr_need_met(&quorum->need, gr_quorum_counted(quorum)) &&
           quorum->primary >= quorum->need_primary && quorum->durable >= quorum->need_durable;
}

bool gr_quorum_lost(const struct gr_quorum *quorum)
{
    int waiting = quorum->n - quorum->yes - quorum->no - quorum->mute;
    int undurable = quorum->yes - quorum->durable;
    int unowned = quorum->yes - quorum->primary; // a substitute said yes; the owner still may
    return !gr_need_met(&quorum->need, may_count(quorum)) ||
           quorum->primary + unowned + waiting < quorum->need_primary ||
           quorum->durable + undurable + waiting < quorum->need_durable;
}

bool gr_quorum_settled(const struct gr_quorum *quorum)
{
    return quorum->yes + quorum->no + quorum->mute >= quorum->n && quorum->durable == quorum->yes;
}
