// Who votes while a partition changes hands (core/holder.c): over random rings that follow each
// other and random flags, the same at every node.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/inside.h"
#include "test/hooks.h"

enum { MEMBERS = 7, PARTITIONS = 8, N = 3, RINGS = 4, ROUNDS = 300 };

static void emit(void *host, const struct gr_effect *effect)
{
    (void)host;
    (void)effect;
}

static void step(struct gr_node *node, struct gr_event event)
{
    struct gr_sink sink = {emit, NULL};
    event.now.ns = 1;
    gr_node_step(node, &event, &sink);
}

// A node, and the rings that it was given. Place m of this node is member (m + turn) % MEMBERS.
struct side {
    struct gr_ring ring[RINGS];
    struct gr_node *node;
    int turn;
};

static int place_of(const struct side *side, int member)
{
    return (member + MEMBERS - side->turn) % MEMBERS;
}

static int member_of(const struct side *side, int place)
{
    return (place + side->turn) % MEMBERS;
}

static void draw_lists(struct gr_random *random, uint16_t *owner, const uint16_t *before)
{
    for (int p = 0; p < PARTITIONS; p++)
        for (int i = 0; i < N; i++) {
            uint16_t *at = &owner[p * N + i];
            bool stays = before != NULL && gr_random_chance(random, 700), taken;
            do {
                *at = stays ? before[p * N + i] : (uint16_t)gr_random_below(random, MEMBERS);
                stays = taken = false;
                for (int k = 0; k < i; k++)
                    taken |= owner[p * N + k] == *at;
            } while (taken);
        }
}

static void open_side(struct side *side, int turn, uint16_t owner[RINGS][PARTITIONS * N],
    const uint64_t held[MEMBERS])
{
    struct gr_member member[MEMBERS] = {{.id = 0}};
    uint16_t list[PARTITIONS * N];
    side->turn = turn;
    for (int m = 0; m < MEMBERS; m++)
        member[m].id = (uint64_t)member_of(side, m) + 1;
    gr_ring_init(&side->ring[0], PARTITIONS, N, member, MEMBERS);
    for (int i = 0; i < PARTITIONS * N; i++)
        side->ring[0].owner[i] = (uint16_t)place_of(side, owner[0][i]);
    struct gr_node_config config = gr_node_config_default();
    config.self = 0;
    config.actor = (struct gr_actor){1, 1};
    config.ring = &side->ring[0];
    config.newcomer = true;
    config.exchange_interval = gr_span_ms(0);
    side->node = gr_node_new(&config);
    uint64_t none = 0;
    gr_node_load_holds(side->node,
        &(struct gr_holds){.words = 1, .held = &held[member_of(side, 0)], .dropping = &none});
    for (int r = 1; r < RINGS; r++) {
        for (int i = 0; i < PARTITIONS * N; i++)
            list[i] = (uint16_t)place_of(side, owner[r][i]);
        gr_ring_follow(&side->ring[r], &side->ring[r - 1], member, MEMBERS, N, list);
        step(side->node, (struct gr_event){.type = GR_EVENT_RING, .ring = &side->ring[r]});
    }
    for (uint16_t m = 1; m < MEMBERS; m++)
        step(side->node,
            (struct gr_event){.type = GR_EVENT_HOLDS,
                .peer = m,
                .run = 5,
                .holds = &(struct gr_holds){.words = 1, .held = &held[member_of(side, m)]}});
}

static void close_side(struct side *side)
{
    gr_node_free(side->node);
    for (int r = 0; r < RINGS; r++)
        gr_ring_deinit(&side->ring[r]);
}

static void check_list(const struct side *side, uint32_t p, const uint64_t held[MEMBERS])
{
    struct gr_preference list = gr_holder_list(side->node, p);
    unsigned voters = 0, holders = 0;
    for (int m = 0; m < MEMBERS; m++)
        holders |= (unsigned)(held[m] >> p & 1) << m;
    for (int i = 0; i < N; i++) {
        unsigned voter = 1u << member_of(side, list.voter[i]);
        unsigned owner = 1u << member_of(side, list.member[i]);
        assert_int_equal(list.member[i], gr_ring_owners(&side->ring[RINGS - 1], p)[i]);
        assert_false(voters & voter); // HO1: one vote each
        voters |= voter;
        assert_int_equal(list.held >> i & 1, (holders & voter) != 0);
        assert_true(voter == owner || !(holders & owner)); // who owns and holds votes itself
    }
    // As many of them as hold it, and there is room for, vote: all, if they are N.
    int many = __builtin_popcount(holders);
    assert_int_equal(__builtin_popcount(voters & holders), GR_MIN(many, N));
}

static void test_voters(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int round = 0; round < ROUNDS; round++) {
        uint16_t owner[RINGS][PARTITIONS * N];
        uint64_t held[MEMBERS] = {0};
        for (int r = 0; r < RINGS; r++)
            draw_lists(&random, owner[r], r > 0 ? owner[r - 1] : NULL);
        for (int m = 0; m < MEMBERS; m++)
            held[m] = gr_random_next(&random) & gr_random_next(&random) & ((1 << PARTITIONS) - 1);
        struct side a, b;
        open_side(&a, 0, owner, held);
        open_side(&b, 1 + (int)gr_random_below(&random, MEMBERS - 1), owner, held);
        assert_int_equal(gr_ring_digest(&a.ring[RINGS - 1]), gr_ring_digest(&b.ring[RINGS - 1]));
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            check_list(&a, p, held);
            struct gr_preference x = gr_holder_list(a.node, p), y = gr_holder_list(b.node, p);
            for (int i = 0; i < N; i++)
                assert_int_equal(member_of(&a, x.voter[i]), member_of(&b, y.voter[i]));
        }
        close_side(&a);
        close_side(&b);
    }
    assert_int_equal(gr_test_blocks(), 0);
}

// HO4: the first who joins takes the place of the first who leaves.
static void test_places(void **state)
{
    (void)state;
    uint16_t owner[RINGS][PARTITIONS * N];
    uint64_t held[MEMBERS] = {255, 255, 255};
    for (int r = 0; r < RINGS; r++)
        for (int p = 0; p < PARTITIONS; p++) {
            const uint16_t list[2][N] = {{0, 1, 2}, {3, 0, 4}};
            memcpy(&owner[r][p * N], list[r == RINGS - 1], sizeof list[0]);
        }
    struct side side;
    open_side(&side, 0, owner, held);
    struct gr_preference list = gr_holder_list(side.node, 0);
    assert_int_equal(list.voter[0], 1);
    assert_int_equal(list.voter[1], 0);
    assert_int_equal(list.voter[2], 2);
    assert_int_equal(gr_preference_position(&list, 4), 2);
    assert_int_equal(gr_preference_voted(&list, 4), -1);
    assert_int_equal(gr_preference_voted(&list, 2), 2);
    close_side(&side);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_voters),
        cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
