// peer.c (core/inside.h): frames are taken once (L1), and the hedge delay is the p99 (L2).
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/inside.h"
#include "test/hooks.h"

enum { FRAMES = 20000 };

typedef bool accept_function(struct gr_peer *peer, uint64_t run, uint64_t sequence);

// Frames of one run, out of order by up to `reorder` places and often twice: each is taken exactly
// once while it is within the window, and never twice however late it comes.
static bool takes_once(accept_function *accept, uint64_t seed, uint64_t reorder)
{
    static bool taken[2 * FRAMES + 2 * GR_PEER_WINDOW];
    memset(taken, 0, sizeof taken);
    struct gr_random random;
    struct gr_peer peer;
    gr_random_init(&random, seed);
    gr_peer_init(&peer);
    gr_peer_link(&peer, 7, 0);
    uint64_t top = 0;
    for (uint64_t i = 1; i <= FRAMES; i++) {
        uint64_t sequence = i + gr_random_below(&random, reorder + 1);
        if (gr_random_chance(&random, 5))
            i += gr_random_below(&random, 200); // a few are lost
        if (gr_random_chance(&random, 300) && top > 0)
            sequence = 1 + gr_random_below(&random, top); // an old one
        bool within = sequence + GR_PEER_WINDOW > top;
        bool want = within && !taken[sequence];
        if (accept(&peer, 7, sequence) != want)
            return false;
        taken[sequence] = taken[sequence] || want;
        top = GR_MAX(top, sequence);
    }
    return true;
}

// Canaries: one that takes all, one that takes only what is newer, one with half a window.
static bool accept_all(struct gr_peer *peer, uint64_t run, uint64_t sequence)
{
    (void)gr_peer_accept(peer, run, sequence);
    return true;
}

static bool accept_newer(struct gr_peer *peer, uint64_t run, uint64_t sequence)
{
    bool newer = sequence > peer->top;
    return gr_peer_accept(peer, run, sequence) && newer;
}

static bool accept_half(struct gr_peer *peer, uint64_t run, uint64_t sequence)
{
    bool near = sequence + GR_PEER_WINDOW / 2 > peer->top;
    return near && gr_peer_accept(peer, run, sequence);
}

static void test_taken_once(void **state)
{
    (void)state;
    static const uint64_t reorder[] = {0, 1, 50, GR_PEER_WINDOW - 1, 2 * GR_PEER_WINDOW};
    for (size_t i = 0; i < GR_COUNT(reorder); i++)
        for (uint64_t seed = 0; seed < 5; seed++)
            assert_true(takes_once(gr_peer_accept, seed, reorder[i]));
    assert_false(takes_once(accept_all, 0, 50));
    assert_false(takes_once(accept_newer, 0, 50));
    assert_false(takes_once(accept_half, 0, GR_PEER_WINDOW - 1));
}

// Great steps forward clear the window; nothing has a sequence of 0.
static void test_window(void **state)
{
    (void)state;
    struct gr_peer peer;
    gr_peer_init(&peer);
    gr_peer_link(&peer, 7, 0);
    assert_false(gr_peer_accept(&peer, 7, 0));
    assert_true(gr_peer_accept(&peer, 7, 1));
    static const uint64_t step[] = {
        GR_PEER_WINDOW - 1, GR_PEER_WINDOW, GR_PEER_WINDOW + 1, 3 * GR_PEER_WINDOW, 1ull << 40};
    uint64_t top = 1;
    for (size_t i = 0; i < GR_COUNT(step); i++) {
        uint64_t before = top;
        top += step[i];
        assert_true(gr_peer_accept(&peer, 7, top));
        assert_false(gr_peer_accept(&peer, 7, top));
        assert_false(gr_peer_accept(&peer, 7, before)); // taken, or out of the window
        assert_false(gr_peer_accept(&peer, 7, top - GR_PEER_WINDOW));
        for (uint64_t back = 1; back < GR_PEER_WINDOW; back += 13)
            assert_int_equal(gr_peer_accept(&peer, 7, top - back), top - back != before);
        top++;
        assert_true(gr_peer_accept(&peer, 7, top));
    }
}

// A new run counts from the beginning; what any other run sent is refused, whenever it comes, and a
// new link to the same run goes on counting.
static void test_runs(void **state)
{
    (void)state;
    struct gr_peer peer;
    gr_peer_init(&peer);
    for (uint64_t run = 1; run <= 20; run++) {
        assert_false(gr_peer_accept(&peer, 100 + run, 1)); // before its link
        gr_peer_link(&peer, 100 + run, 0);
        for (uint64_t sequence = 1; sequence <= 3; sequence++)
            assert_true(gr_peer_accept(&peer, 100 + run, sequence));
        gr_peer_link(&peer, 100 + run, 0);
        assert_false(gr_peer_accept(&peer, 100 + run, 2));
        for (uint64_t old = 1; old < run; old++)
            assert_false(gr_peer_accept(&peer, 100 + old, 4));
        assert_true(gr_peer_accept(&peer, 100 + run, 5));
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

// L2 by sorting: the nearest rank of 99 in a hundred.
static int64_t p99_us(const uint32_t *sample, uint32_t count)
{
    uint32_t latest = GR_MIN(count, GR_PEER_SAMPLES), sorted[GR_PEER_SAMPLES];
    memcpy(sorted, sample + count - latest, latest * sizeof *sorted);
    qsort(sorted, latest, sizeof *sorted, by_size);
    return sorted[(latest * 99 + 99) / 100 - 1];
}

static void test_hedge(void **state)
{
    (void)state;
    enum { SAMPLES = 3000 };
    static uint32_t sample[SAMPLES];
    struct gr_random random;
    gr_random_init(&random, 3);
    for (uint64_t scale = 10; scale <= 10000000; scale *= 10) {
        struct gr_peer peer;
        gr_peer_init(&peer);
        uint32_t fresh = 0;
        for (uint32_t i = 0; i < SAMPLES; i++) {
            sample[i] = (uint32_t)gr_random_below(&random, scale);
            gr_peer_sample(&peer, GR_ASK_READ, (struct gr_span){sample[i] * 1000ll});
            uint32_t count = i + 1;
            if (count < 100) {
                assert_true(peer.latency[GR_ASK_READ].hedge.ns == 20000000);
                continue;
            }
            int64_t want = GR_MIN(GR_MAX(p99_us(sample, count), 5000), 100000) * 1000;
            fresh = peer.latency[GR_ASK_READ].hedge.ns == want ? 0 : fresh + 1;
            assert_true(count != 100 || fresh == 0);
            assert_true(fresh < 16); // it is computed anew at least every 16 answers
        }
        for (int ask = 0; ask < GR_ASKS; ask++) // what else it is asked tells nothing of reads
            assert_true((peer.latency[ask].hedge.ns == 20000000) == (ask != GR_ASK_READ));
    }
}

// Nonsense times do no harm.
static void test_clamped(void **state)
{
    (void)state;
    static const int64_t ns[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    for (size_t i = 0; i < GR_COUNT(ns); i++) {
        struct gr_peer peer;
        gr_peer_init(&peer);
        for (int k = 0; k < 200; k++)
            gr_peer_sample(&peer, GR_ASK_READ, (struct gr_span){ns[i]});
        assert_true(peer.latency[GR_ASK_READ].hedge.ns == (ns[i] > 1 ? 100000000 : 5000000));
        peer.far = true; // at another site: more
        for (int k = 0; k < 200; k++)
            gr_peer_sample(&peer, GR_ASK_READ, (struct gr_span){ns[i]});
        assert_true(peer.latency[GR_ASK_READ].hedge.ns == (ns[i] > 1 ? 250000000 : 5000000));
    }
}

// L4 counted otherwise: hedges of slow peers against answers, over a long mixed run.
static void test_hedges_few(void **state)
{
    (void)state;
    enum { STEPS = 200000, EACH = 50, SAVED = 50 };
    struct gr_random random;
    gr_random_init(&random, 5);
    struct gr_peer peer[2];
    gr_peer_init(&peer[0]);
    gr_peer_init(&peer[1]);
    struct gr_node node = {.peer = peer};
    const struct gr_span timeout = gr_span_ms(500);
    uint64_t answers = 0, hedges = 0;
    for (int i = 0; i < STEPS; i++) {
        struct gr_instant asked = node.now;
        node.now = gr_instant_after(node.now, (struct gr_span){1 + (int64_t)(i % 7) * 1000000});
        // Peer 1 never answers; how long it has is never more than its hedge delay.
        struct gr_instant deadline = gr_instant_after(asked, timeout);
        assert_true(
            gr_hedge_at(&node, 1, GR_ASK_READ, asked, deadline, true).ns == asked.ns + 20000000);
        // Often nearly everything is late, and sometimes nothing for long.
        if (gr_random_below(&random, 100) < (i / 5000 % 2 == 0 ? 80 : 2)) {
            gr_peer_answered(&node, 0, GR_ASK_READ, asked);
            answers++;
        }
        int64_t due = gr_hedge_at(&node, 0, GR_ASK_READ, asked, deadline, true).ns - asked.ns;
        if (peer[0].answered.ns <= asked.ns) {
            assert_true(due == peer[0].latency[GR_ASK_READ].hedge.ns); // silent
        } else if (due == peer[0].latency[GR_ASK_READ].hedge.ns) {
            gr_hedge_spend(&node);
            hedges++;
            assert_true(hedges * EACH <= answers);
        } else {
            assert_true(due == timeout.ns / 2);
            assert_true(answers < (hedges + 1) * EACH); // nothing is held back without need
        }
    }
    assert_true(hedges > STEPS / EACH / 4);
    for (int i = 0; i < EACH * SAVED * 2; i++)
        gr_peer_answered(&node, 0, GR_ASK_READ, node.now);
    struct gr_instant asked = node.now;
    node.now = gr_instant_after(node.now, gr_span_ms(1));
    gr_peer_answered(&node, 0, GR_ASK_READ, asked);
    for (int i = 0; i <= SAVED; i++) {
        int64_t due =
            gr_hedge_at(&node, 0, GR_ASK_READ, asked, gr_instant_after(asked, timeout), true).ns -
            asked.ns;
        assert_true((due == timeout.ns / 2) == (i == SAVED));
        gr_hedge_spend(&node);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken_once),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_hedge),
        cmocka_unit_test(test_clamped),
        cmocka_unit_test(test_hedges_few),
    };
    return cmocka_run_group_tests_name("peer", tests, NULL, NULL);
}
