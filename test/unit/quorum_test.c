// quorum.h: Q1..Q4 against a count that remembers every vote and asks what could still come.
//
// For n <= 3 every sequence of votes up to a length; for n <= 7 random ones. "Lost" is compared
// with its meaning: no way in which those that have not voted could vote would meet it.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/quorum.h"
#include "test/hooks.h"

struct ballot {
    uint8_t position;
    enum gr_vote vote;
    enum gr_voter by;
    bool durable;
};

// What a position has said, and what its later votes added.
struct naive {
    enum gr_vote vote[GR_POSITIONS_MAX];
    bool durable[GR_POSITIONS_MAX];
    enum gr_voter by[GR_POSITIONS_MAX];
};

static bool naive_vote(struct naive *naive, const struct ballot *b)
{
    enum gr_vote before = naive->vote[b->position];
    bool counts = before == GR_VOTE_NONE || (before == GR_VOTE_MUTE && b->vote == GR_VOTE_YES);
    if (counts) {
        naive->vote[b->position] = b->vote;
        naive->durable[b->position] = b->vote == GR_VOTE_YES && b->durable;
        naive->by[b->position] = b->by;
        return true;
    }
    if (before != GR_VOTE_YES || b->vote != GR_VOTE_YES)
        return false;
    bool durable = naive->durable[b->position];
    enum gr_voter by = naive->by[b->position];
    naive->durable[b->position] = durable || b->durable;
    naive->by[b->position] = GR_MAX(by, b->by);
    return naive->durable[b->position] != durable || naive->by[b->position] != by;
}

struct counts {
    int yes, no, mute, primary, durable;
};

static struct counts count_of(const struct naive *naive, uint8_t n)
{
    struct counts c = {0};
    for (uint8_t i = 0; i < n; i++) {
        c.yes += naive->vote[i] == GR_VOTE_YES;
        c.no += naive->vote[i] == GR_VOTE_NO;
        c.mute += naive->vote[i] == GR_VOTE_MUTE;
        c.primary += naive->vote[i] == GR_VOTE_YES && naive->by[i] == GR_VOTER_OWNER;
        c.durable += naive->durable[i];
    }
    return c;
}

static bool naive_met(const struct naive *naive, const struct gr_quorum *q)
{
    struct counts c = count_of(naive, q->n);
    for (uint8_t g = 0; g < q->need.count; g++) {
        int yes = 0;
        for (uint8_t i = 0; i < q->n; i++)
            yes += (q->need.group[g].positions >> i & 1) && naive->vote[i] == GR_VOTE_YES &&
                   (!q->need.by_site || naive->by[i] != GR_VOTER_AWAY);
        if (yes < q->need.group[g].least)
            return false;
    }
    return c.primary >= q->need_primary && c.durable >= q->need_durable;
}

// The best that can come: all who have not voted say yes, as durable primaries, and every yes
// becomes durable and its owner's.
static bool naive_lost(const struct naive *naive, const struct gr_quorum *q)
{
    struct naive best = *naive;
    for (uint8_t i = 0; i < q->n; i++) {
        struct ballot yes = {i, GR_VOTE_YES, GR_VOTER_OWNER, true};
        if (best.vote[i] != GR_VOTE_MUTE)
            (void)naive_vote(&best, &yes);
    }
    return !naive_met(&best, q);
}

// Canary: one vote more for each message, whoever brings it.
static bool vote_each(
    struct gr_quorum *q, uint8_t position, enum gr_vote vote, enum gr_voter by, bool durable)
{
    uint8_t free = 0;
    while (free + 1 < q->n && q->vote[free] != GR_VOTE_NONE)
        free++;
    return gr_quorum_vote(q, q->vote[position] == GR_VOTE_YES ? free : position, vote, by, durable);
}

// Canary: whoever stands in is where the position is.
static bool vote_near(
    struct gr_quorum *q, uint8_t position, enum gr_vote vote, enum gr_voter by, bool durable)
{
    return gr_quorum_vote(q, position, vote, GR_MAX(by, GR_VOTER_NEAR), durable);
}

typedef bool vote_function(
    struct gr_quorum *q, uint8_t position, enum gr_vote vote, enum gr_voter by, bool durable);

static bool agrees(
    vote_function *vote, struct gr_quorum quorum, const struct ballot *ballot, int count)
{
    struct naive naive = {0};
    for (int i = 0;; i++) {
        struct counts c = count_of(&naive, quorum.n);
        bool same =
            quorum.yes == c.yes && quorum.no == c.no && quorum.mute == c.mute &&
            quorum.primary == c.primary && quorum.durable == c.durable &&
            gr_quorum_met(&quorum) == naive_met(&naive, &quorum) &&
            gr_quorum_lost(&quorum) == naive_lost(&naive, &quorum) &&
            gr_quorum_settled(&quorum) == (c.yes + c.no + c.mute == quorum.n && c.durable == c.yes);
        bool sound = c.yes + c.no + c.mute <= quorum.n && quorum.durable <= quorum.yes && // Q2
                     quorum.primary <= quorum.yes &&
                     !(gr_quorum_met(&quorum) && gr_quorum_lost(&quorum)); // Q3
        if (!same || !sound)
            return false;
        if (i == count)
            return true;
        const struct ballot *b = &ballot[i];
        if (vote(&quorum, b->position, b->vote, b->by, b->durable) != naive_vote(&naive, b))
            return false;
    }
}

// Every vote that a position can cast: yes (six ways), no, mute.
enum { VOTES = 8 };
static struct ballot ballot_of(unsigned number, uint8_t n)
{
    struct ballot b = {.position = (uint8_t)(number % n)};
    unsigned kind = number / n;
    b.vote = kind < 6 ? GR_VOTE_YES : kind == 6 ? GR_VOTE_NO : GR_VOTE_MUTE;
    b.by = kind < 6 ? (enum gr_voter)(kind % 3) : GR_VOTER_AWAY;
    b.durable = kind < 3;
    return b;
}

// Any `least`; or by site, when `sites` is not zero: position i is at site sites / 3^i % 3, and
// most of each are needed, or with `local` of the first alone.
static struct gr_need need_of(uint8_t n, uint8_t least, unsigned sites, bool local)
{
    struct gr_need need = {.by_site = true, .count = 3};
    if (sites == 0)
        return gr_need_any(n, least);
    for (uint8_t i = 0; i < n; i++, sites /= 3)
        need.group[sites % 3].positions |= (uint8_t)(1u << i);
    for (uint8_t g = 0; g < 3; g++)
        if (need.group[g].positions != 0 && (g == 0 || !local))
            need.group[g].least = (uint8_t)(gr_need_bits(need.group[g].positions) / 2 + 1);
    return need;
}

static bool every_sequence(vote_function *vote, uint8_t n, int length)
{
    unsigned votes = (unsigned)VOTES * n, sequences = 1;
    for (int i = 0; i < length; i++)
        sequences *= votes;
    for (unsigned s = 0; s < sequences; s++) {
        struct ballot ballot[4];
        unsigned rest = s;
        for (int i = 0; i < length; i++, rest /= votes)
            ballot[i] = ballot_of(rest % votes, n);
        for (uint8_t need = 1; need <= n; need++) {
            struct gr_quorum quorum;
            struct gr_need of = need_of(n, need, s / 3 % 28, s % 2 == 0);
            gr_quorum_init(&quorum, n, &of, (uint8_t)(s % (n + 1u)), (uint8_t)(s / 7 % (n + 1u)));
            if (!agrees(vote, quorum, ballot, length))
                return false;
        }
    }
    return true;
}

static bool random_sequences(vote_function *vote)
{
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int round = 0; round < 30000; round++) {
        uint8_t n = (uint8_t)(1 + gr_random_below(&random, GR_POSITIONS_MAX));
        struct ballot ballot[20];
        for (size_t i = 0; i < GR_COUNT(ballot); i++)
            ballot[i] = ballot_of((unsigned)gr_random_below(&random, (uint64_t)VOTES * n), n);
        struct gr_quorum quorum;
        struct gr_need need = need_of(n, (uint8_t)gr_random_below(&random, n + 1u),
            (unsigned)gr_random_below(&random, 2 * 2187), gr_random_chance(&random, 500));
        gr_quorum_init(&quorum, n, &need, (uint8_t)gr_random_below(&random, n + 1u),
            (uint8_t)gr_random_below(&random, n + 1u));
        if (!agrees(vote, quorum, ballot, GR_COUNT(ballot)))
            return false;
    }
    return true;
}

static void test_every_sequence(void **state)
{
    (void)state;
    for (uint8_t n = 1; n <= 3; n++)
        assert_true(every_sequence(gr_quorum_vote, n, n < 3 ? 4 : 3));
}

static void test_random_sequences(void **state)
{
    (void)state;
    assert_true(random_sequences(gr_quorum_vote));
}

static void test_canary(void **state)
{
    (void)state;
    assert_false(every_sequence(vote_each, 2, 3));
    assert_false(random_sequences(vote_each));
    assert_false(every_sequence(vote_near, 2, 3));
    assert_false(random_sequences(vote_near));
}

// What the paper's N=3, R=W=2 comes to.
static void test_two_of_three(void **state)
{
    (void)state;
    struct gr_quorum q;
    struct gr_need two = gr_need_any(3, 2);
    gr_quorum_init(&q, 3, &two, 0, 0);
    assert_true(gr_quorum_vote(&q, 0, GR_VOTE_YES, GR_VOTER_OWNER, true));
    assert_false(gr_quorum_vote(&q, 0, GR_VOTE_YES, GR_VOTER_OWNER, true)); // Q1
    assert_false(gr_quorum_met(&q));
    assert_true(gr_quorum_vote(&q, 1, GR_VOTE_MUTE, GR_VOTER_AWAY, false));
    assert_true(gr_quorum_vote(&q, 2, GR_VOTE_NO, GR_VOTER_AWAY, false));
    assert_true(gr_quorum_lost(&q));
    assert_true(gr_quorum_settled(&q));
    assert_true(gr_quorum_vote(&q, 1, GR_VOTE_YES, GR_VOTER_OWNER, false)); // it spoke after all
    assert_true(gr_quorum_met(&q));
    assert_false(gr_quorum_lost(&q));
    assert_false(gr_quorum_settled(&q)); // its disk may still speak
    assert_true(gr_quorum_vote(&q, 1, GR_VOTE_YES, GR_VOTER_OWNER, true));
    assert_true(gr_quorum_settled(&q));
}

// Five positions, two at site 0 and three at site 1: most of each is two and two.
static void test_each_site(void **state)
{
    (void)state;
    struct gr_need each = need_of(5, 0, 1u * 9 + 1u * 27 + 1u * 81, false);
    assert_int_equal(gr_need_total(&each), 4);
    assert_int_equal(gr_need_positions(&each), 0x1f);
    assert_int_equal(gr_need_reached(&each, 0x1c), 2); // a third of site 1 adds nothing
    assert_false(gr_need_met(&each, 0x1d));
    assert_true(gr_need_met(&each, 0x0f));
    struct gr_quorum q;
    gr_quorum_init(&q, 5, &each, 0, 0);
    for (uint8_t i = 0; i < 4; i++)
        (void)gr_quorum_vote(&q, i, GR_VOTE_YES, i == 3 ? GR_VOTER_AWAY : GR_VOTER_OWNER, true);
    assert_false(gr_quorum_met(&q)); // Q4: the fourth was cast at site 0
    assert_int_equal(q.yes, 4);
    (void)gr_quorum_vote(&q, 4, GR_VOTE_NO, GR_VOTER_AWAY, false);
    assert_false(gr_quorum_lost(&q)); // its owner may say so yet
    assert_true(gr_quorum_vote(&q, 3, GR_VOTE_YES, GR_VOTER_NEAR, true));
    assert_true(gr_quorum_met(&q));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_sequence),
        cmocka_unit_test(test_random_sequences),
        cmocka_unit_test(test_canary),
        cmocka_unit_test(test_two_of_three),
        cmocka_unit_test(test_each_site),
    };
    return cmocka_run_group_tests_name("quorum", tests, NULL, NULL);
}
