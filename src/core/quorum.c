// Counting replies, nothing else (§4.5).
//
// Like the tellers of an election: one slip per seat, whoever brings it. The tellers do not know
// who was invited, who is late or why; they know when the result is certain.
//
//   Q1  Each position counts at most once.
//   Q2  yes + no + mute <= n; durable <= yes; primary <= yes.
//   Q3  met and lost exclude each other.
#include "core/quorum.h"

void gr_quorum_init(
    struct gr_quorum *quorum, uint8_t n, uint8_t need, uint8_t need_primary, uint8_t need_durable)
{
    gr_assert(n > 0 && n <= GR_POSITIONS_MAX);
    *quorum = (struct gr_quorum){
        .n = n, .need = need, .need_primary = need_primary, .need_durable = need_durable};
}

static void count_yes(struct gr_quorum *quorum, uint8_t position, bool primary, bool durable)
{
    quorum->yes++;
    quorum->primary += primary;
    quorum->durable += durable;
    quorum->is_durable[position] = durable;
    quorum->is_primary[position] = primary;
}

// A second YES of a position: what it adds to the first.
static bool add_to_yes(struct gr_quorum *quorum, uint8_t position, bool primary, bool durable)
{
    bool more_primary = primary && !quorum->is_primary[position];
    bool more_durable = durable && !quorum->is_durable[position];
    quorum->primary += more_primary;
    quorum->durable += more_durable;
    quorum->is_primary[position] |= more_primary;
    quorum->is_durable[position] |= more_durable;
    return more_primary || more_durable;
}

bool gr_quorum_vote(
    struct gr_quorum *quorum, uint8_t position, enum gr_vote vote, bool primary, bool durable)
{
    gr_assert(position < quorum->n && vote != GR_VOTE_NONE);
    uint8_t *cast = &quorum->vote[position];
    if (*cast == GR_VOTE_YES && vote == GR_VOTE_YES)
        return add_to_yes(quorum, position, primary, durable);
    bool first = *cast == GR_VOTE_NONE;
    bool after_all = *cast == GR_VOTE_MUTE && vote == GR_VOTE_YES;
    if (!first && !after_all)
        return false;
    quorum->mute -= after_all;
    *cast = (uint8_t)vote;
    if (vote == GR_VOTE_YES)
        count_yes(quorum, position, primary, durable);
    else if (vote == GR_VOTE_NO)
        quorum->no++;
    else
        quorum->mute++;
    gr_assert(quorum->yes + quorum->no + quorum->mute <= quorum->n);
    return true;
}

bool gr_quorum_met(const struct gr_quorum *quorum)
{
    return quorum->yes >= quorum->need && quorum->primary >= quorum->need_primary &&
           quorum->durable >= quorum->need_durable;
}

bool gr_quorum_lost(const struct gr_quorum *quorum)
{
    int waiting = quorum->n - quorum->yes - quorum->no - quorum->mute;
    int undurable = quorum->yes - quorum->durable;
    int unowned = quorum->yes - quorum->primary; // a substitute said yes; the owner still may
    return quorum->yes + waiting < quorum->need ||
           quorum->primary + unowned + waiting < quorum->need_primary ||
           quorum->durable + undurable + waiting < quorum->need_durable;
}

bool gr_quorum_settled(const struct gr_quorum *quorum)
{
    return quorum->yes + quorum->no + quorum->mute >= quorum->n && quorum->durable == quorum->yes;
}
