// What is known of another node: how fast it answers, and which of its messages have been taken.
//
// Latency decides only when one more replica is asked (§5's hedge) and which owner coordinates. A
// wrong guess costs a message, never data.
//
//   L1  A message is taken at most once, however often it arrives, and only from the run of the
//       peer that the last link was made with: what an older run sent is too late.
//   L2  hedge is the p99 of the last 128 answers, clamped to 5..100 ms, or to another site, where
//       the way alone may take longer than that, to 5..250 ms; 20 ms until there are 100. Reads,
//       writes and puts that are forwarded have one each: most answers are to reads, and next to
//       those every fifth forwarded put seems late and is run twice.
//   L3  What the version of the link cannot say is not sent over it (gr_node_send): half of it
//       would be taken for something else, and be answered. Whoever has another way asks first
//       whether it can be said (gr_peer_hears):
//         a write that is to be passed on   is sent to each from here                (replicate.c)
//         a put whose W is by site          goes to another owner, or is run here    (put.c)
//         whether a new owner holds         is not asked: who is to let go keeps all (leave.c)
//       So a cluster in which nodes are replaced one by one by those of a later version, or of an
//       earlier one, loses what the later one does better, and no data.
//   L4  Another way is tried as soon as hedge is over only if the peer is silent, which is: it has
//       answered nothing since it was asked. One that does answer is only slow: for whoever waits
//       another way is tried once for every HEDGE_ANSWERS answers that came from anybody, at most
//       HEDGES_SAVED times in a row; else when half of the time that was left is over. When
//       everybody is late nodes are full, and whatever is done twice makes them fuller: they would
//       never recover.
#include "core/inside.h"

#include <string.h>

enum {
    SAMPLES_MIN = 100,
    RECOMPUTE_EVERY = 16,
    HEDGE_US_MIN = 5000,
    HEDGE_US_MAX = 100000,
    FAR_US_MAX = 250000,
    HEDGE_ANSWERS = 50,
    HEDGES_SAVED = 50
};

void gr_peer_init(struct gr_peer *peer)
{
    *peer = (struct gr_peer){0};
    for (int i = 0; i < GR_ASKS; i++)
        peer->latency[i].hedge = gr_span_ms(20);
}

void gr_peer_sample(struct gr_peer *peer, enum gr_ask ask, struct gr_span took)
{
    struct gr_latency *latency = &peer->latency[ask];
    int64_t us = GR_MIN(GR_MAX(took.ns / 1000, 0), 10 * HEDGE_US_MAX);
    latency->sample_us[latency->sample_count++ % GR_PEER_SAMPLES] = (uint32_t)us;
    if (latency->sample_count < SAMPLES_MIN ||
        (latency->sample_count > SAMPLES_MIN && latency->sample_count % RECOMPUTE_EVERY != 0))
        return;
    // The p99 of at most 128 samples is the second largest (128 - 128/100 rounds to the 127th).
    uint32_t count = GR_MIN(latency->sample_count, GR_PEER_SAMPLES), first = 0, second = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sample = latency->sample_us[i];
        if (sample >= first) {
            second = first;
            first = sample;
        } else if (sample > second) {
            second = sample;
        }
    }
    int64_t most = peer->far ? FAR_US_MAX : HEDGE_US_MAX;
    int64_t clamped = GR_MIN(GR_MAX((int64_t)second, HEDGE_US_MIN), most);
    latency->hedge = (struct gr_span){clamped * 1000};
}

void gr_peer_answered(
    struct gr_node *node, uint16_t member, enum gr_ask ask, struct gr_instant since)
{
    struct gr_peer *peer = &node->peer[member];
    gr_peer_sample(peer, ask, (struct gr_span){node->now.ns - since.ns});
    peer->answered = node->now;
    node->hedge_credit = GR_MIN(node->hedge_credit + 1, HEDGES_SAVED * HEDGE_ANSWERS);
}

struct gr_instant gr_hedge_at(const struct gr_node *node, uint16_t member, enum gr_ask ask,
    struct gr_instant asked, struct gr_instant deadline, bool awaited)
{
    const struct gr_peer *peer = &node->peer[member];
    bool slow = peer->answered.ns > asked.ns && (!awaited || node->hedge_credit < HEDGE_ANSWERS) &&
                node->config.canary != GR_CANARY_HEDGE_UNBOUNDED;
    int64_t hedge = peer->latency[ask].hedge.ns, half = (deadline.ns - asked.ns) / 2;
    return gr_instant_after(asked, (struct gr_span){slow ? GR_MAX(hedge, half) : hedge});
}

void gr_hedge_spend(struct gr_node *node)
{
    node->hedge_credit -= GR_MIN(node->hedge_credit, HEDGE_ANSWERS);
}

void gr_peer_link(struct gr_peer *peer, uint64_t run, uint8_t unspoken)
{
    peer->unspoken = unspoken;
    if (run == peer->run)
        return; // the same run over a new link: it goes on counting
    peer->run = run;
    peer->top = 0;
    memset(peer->window, 0, sizeof peer->window);
}

uint8_t gr_message_says(const struct gr_message *m)
{
    bool passed = m->type == GR_MSG_DELTA && (m->relay_count > 0 || m->asked_by != 0);
    bool by_site = m->type == GR_MSG_FORWARD && gr_quorum_by_site(m->write.w);
    bool holds = m->type == GR_MSG_COVER && m->durable;
    return (uint8_t)((passed ? GR_SAYS_RELAY : 0) | (by_site ? GR_SAYS_SITES : 0) |
                     (holds ? GR_SAYS_HOLDS : 0));
}

bool gr_peer_hears(const struct gr_peer *peer, uint8_t says)
{
    return peer->up && (says & peer->unspoken) == 0;
}

bool gr_peer_accept(struct gr_peer *peer, uint64_t run, uint64_t sequence)
{
    if (run != peer->run)
        return false;
    if (sequence == 0 || sequence + GR_PEER_WINDOW <= peer->top)
        return false;
    if (sequence > peer->top) {
        if (sequence - peer->top >= GR_PEER_WINDOW)
            memset(peer->window, 0, sizeof peer->window);
        else
            for (uint64_t s = peer->top + 1; s < sequence; s++)
                peer->window[s % GR_PEER_WINDOW / 64] &= ~(1ull << (s % 64));
        peer->top = sequence;
    } else if (peer->window[sequence % GR_PEER_WINDOW / 64] >> (sequence % 64) & 1) {
        return false;
    }
    peer->window[sequence % GR_PEER_WINDOW / 64] |= 1ull << (sequence % 64);
    return true;
}
