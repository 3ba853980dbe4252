// placement.h: shares by weight, replicas spread over sites, racks and hosts, few moves; over
// random clusters that grow, shrink and change their weights.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/placement.h"
#include "test/hooks.h"

enum { PARTITIONS = 64, MEMBERS = 24 };

struct world {
    struct gr_place place[MEMBERS];
    uint16_t owner[2][PARTITIONS * GR_REPLICAS_MAX]; // before and after
    struct gr_ring before;
    uint16_t count;
    uint8_t n;
    struct gr_placement placement;
};

// The next plan: what was planned last is what is before it.
static enum gr_err plan(struct world *world, uint8_t n)
{
    bool first = world->n == 0;
    memcpy(world->owner[0], world->owner[1], sizeof world->owner[0]);
    world->before = (struct gr_ring){.partitions = PARTITIONS,
        .n = world->n,
        .member_count = world->count,
        .owner = world->owner[0]};
    world->n = n;
    return gr_placement_plan(PARTITIONS, n, world->place, world->count,
        first ? NULL : &world->before, world->owner[1], &world->placement);
}

static uint32_t held(const struct world *world, uint16_t member, uint8_t places)
{
    uint32_t sum = 0;
    for (uint32_t p = 0; p < PARTITIONS; p++)
        for (uint8_t i = 0; i < places; i++)
            sum += world->owner[1][p * world->n + i] == member;
    return sum;
}

static uint32_t weight_of(const struct world *world)
{
    uint32_t sum = 0;
    for (uint16_t m = 0; m < world->count; m++)
        sum += world->place[m].weight;
    return sum;
}

// Rule 4, where nothing but weight decides; first places likewise, which may be one further off.
static void check_shares(const struct world *world)
{
    uint32_t weight = weight_of(world);
    for (uint16_t m = 0; m < world->count; m++) {
        uint64_t want = (uint64_t)PARTITIONS * world->n * world->place[m].weight;
        if (want > (uint64_t)PARTITIONS * weight)
            continue; // more than all partitions
        uint32_t has = held(world, m, world->n);
        assert_true(has * (uint64_t)weight < want + weight);
        assert_true((has + 1) * (uint64_t)weight > want);
    }
}

static bool together(const struct gr_place *a, const struct gr_place *b, int level)
{
    return (level < 1 || a->site == b->site) && (level < 2 || a->rack == b->rack) &&
           (level < 3 || a->host == b->host);
}

// The places of one level, each named by the first member that stands there.
struct level {
    uint16_t at[MEMBERS];     // of each member
    uint16_t parent[MEMBERS]; // the place of the level before
    uint32_t room[MEMBERS];   // copies of a partition that there can be
};

static void find_level(const struct world *world, int number, bool by_hosts, struct level *ret)
{
    memset(ret, 0, sizeof *ret);
    for (uint16_t m = 0; m < world->count; m++) {
        bool new_host = true;
        for (int o = m; o >= 0; o--) {
            if (world->place[o].weight == 0)
                continue;
            if (together(&world->place[o], &world->place[m], number))
                ret->at[m] = (uint16_t)o;
            if (together(&world->place[o], &world->place[m], number - 1))
                ret->parent[m] = (uint16_t)o;
            new_host = new_host && (o == m || !together(&world->place[o], &world->place[m], 3));
        }
        if (world->place[m].weight > 0)
            ret->room[ret->at[m]] += new_host || !by_hosts;
    }
}

// Rules 2 and 3: of two places beside each other none has two copies more, if the other has room.
static bool is_level_even(const struct world *world, const struct level *level, uint32_t p)
{
    uint32_t copies[MEMBERS] = {0};
    for (uint8_t i = 0; i < world->n; i++)
        copies[level->at[world->owner[1][p * world->n + i]]]++;
    for (uint16_t a = 0; a < world->count; a++)
        for (uint16_t b = 0; b < world->count; b++) {
            bool beside = world->place[a].weight > 0 && world->place[b].weight > 0 &&
                          level->at[a] == a && level->at[b] == b && a != b &&
                          level->parent[a] == level->parent[b];
            if (copies[a] > level->room[a] ||
                (beside && copies[a] + 1 < copies[b] && copies[a] < level->room[a]))
                return false;
        }
    return true;
}

static bool is_spread(const struct world *world)
{
    uint32_t hosts = 0;
    struct level level;
    find_level(world, 3, true, &level);
    for (uint16_t m = 0; m < world->count; m++)
        hosts += level.room[m];
    for (int number = 1; number <= 3; number++) {
        find_level(world, number, hosts >= world->n, &level);
        for (uint32_t p = 0; p < PARTITIONS; p++)
            if (!is_level_even(world, &level, p))
                return false;
    }
    return true;
}

// Rule 1, and who holds nothing has a weight of none.
static void check_lists(const struct world *world)
{
    for (uint32_t p = 0; p < PARTITIONS; p++)
        for (uint8_t i = 0; i < world->n; i++) {
            uint16_t owner = world->owner[1][p * world->n + i];
            assert_true(owner < world->count && world->place[owner].weight > 0);
            for (uint8_t k = 0; k < i; k++)
                assert_int_not_equal(world->owner[1][p * world->n + k], owner);
        }
}

// Nobody who was there gets anything because another came.
static void test_only_the_newcomer_gains(void **state)
{
    (void)state;
    static struct world world;
    world = (struct world){.count = MEMBERS};
    for (uint16_t m = 0; m < MEMBERS; m++)
        world.place[m] = (struct gr_place){.host = m, .weight = m < 3};
    assert_int_equal(plan(&world, 3), GR_OK);
    for (uint16_t newcomer = MEMBERS - 1; newcomer >= 3; newcomer--) {
        uint32_t had[MEMBERS];
        for (uint16_t m = 0; m < MEMBERS; m++)
            had[m] = held(&world, m, world.n);
        world.place[newcomer].weight = 1;
        assert_int_equal(plan(&world, 3), GR_OK);
        for (uint16_t m = 0; m < MEMBERS; m++)
            assert_true(m == newcomer || held(&world, m, world.n) <= had[m]);
    }
}

// Whoever has one more than others of the same weight keeps it, whatever his number.
static void test_odd_ones_stay(void **state)
{
    (void)state;
    static struct world world;
    world = (struct world){.count = 5};
    for (uint16_t m = 0; m < 5; m++)
        world.place[m] = (struct gr_place){.host = m, .weight = 1};
    assert_int_equal(plan(&world, 3), GR_OK);
    for (uint32_t i = 0; i < PARTITIONS * 3; i++)
        world.owner[1][i] = (uint16_t)(4 - world.owner[1][i]);
    assert_int_equal(plan(&world, 3), GR_OK);
    assert_int_equal(world.placement.moves, 0);
}

// A host for each: three nodes, then six, then four.
static void test_grows_and_shrinks(void **state)
{
    (void)state;
    static struct world world;
    world = (struct world){.count = 6};
    for (uint16_t m = 0; m < 6; m++)
        world.place[m] = (struct gr_place){.host = m, .weight = m < 3 ? 1 : 0};
    static const struct {
        uint16_t member, weight;
    } steps[] = {{0, 1}, {3, 1}, {4, 1}, {5, 1}, {1, 0}, {4, 0}, {1, 2}};
    for (size_t i = 0; i < GR_COUNT(steps); i++) {
        world.place[steps[i].member].weight = steps[i].weight;
        assert_int_equal(plan(&world, 3), GR_OK);
        check_lists(&world);
        check_shares(&world);
        assert_true(is_spread(&world));
        if (i > 0)
            assert_true(world.placement.moves * 10 <= world.placement.ideal * 11);
        uint32_t least = UINT32_MAX, most = 0;
        for (uint16_t m = 0; m < 6; m++) {
            uint32_t weight = world.place[m].weight;
            if (weight == 0)
                continue;
            least = GR_MIN(least, held(&world, m, 1) / weight);
            most = GR_MAX(most, held(&world, m, 1) / weight);
        }
        assert_true(most - least <= 1); // rule 6
    }
}

// Whoever planned the same again would move nothing.
static void check_still(struct world *world)
{
    assert_int_equal(plan(world, world->n), GR_OK);
    assert_int_equal(world->placement.moves, 0);
    assert_memory_equal(world->owner[0], world->owner[1], PARTITIONS * world->n * sizeof(uint16_t));
}

static void draw_world(struct gr_random *random, struct world *world)
{
    *world = (struct world){.count = (uint16_t)(3 + gr_random_below(random, MEMBERS - 2))};
    uint64_t sites = 1 + gr_random_below(random, 4), racks = 1 + gr_random_below(random, 3);
    uint64_t hosts = 1 + gr_random_below(random, 4);
    for (uint16_t m = 0; m < world->count; m++)
        world->place[m] = (struct gr_place){
            .site = (uint16_t)gr_random_below(random, sites),
            .rack = (uint16_t)gr_random_below(random, racks),
            .host = (uint16_t)(gr_random_chance(random, 500) ? 100u + m
                                                             : gr_random_below(random, hosts)),
            .weight = 1,
        };
}

static void change(struct gr_random *random, struct world *world)
{
    struct gr_place *place = &world->place[gr_random_below(random, world->count)];
    place->weight = gr_random_chance(random, 300) ? 0 : (uint16_t)(1 + gr_random_below(random, 3));
}

static uint16_t nodes_of(const struct world *world)
{
    uint16_t nodes = 0;
    for (uint16_t m = 0; m < world->count; m++)
        nodes += world->place[m].weight > 0;
    return nodes;
}

// Sites, racks and hosts of any shape. Where the ring before was as well spread as this one can be,
// moves are few; where a place came or went they may be more, and still not many.
static void test_random_worlds(void **state)
{
    (void)state;
    static struct world world;
    struct gr_random random;
    gr_random_init(&random, 2);
    uint64_t moves = 0, ideal = 0;
    for (int i = 0; i < 60; i++) {
        draw_world(&random, &world);
        uint8_t n = (uint8_t)(1 + gr_random_below(&random, GR_MIN(world.count, 5)));
        for (int k = 0; k < 6; k++) {
            enum gr_err err = plan(&world, n);
            assert_int_equal(err, nodes_of(&world) >= n ? GR_OK : GR_ERR_INVALID);
            if (err != GR_OK)
                break;
            check_lists(&world);
            assert_true(is_spread(&world));
            moves += k > 0 ? world.placement.moves : 0;
            ideal += k > 0 ? world.placement.ideal : 0;
            check_still(&world);
            change(&random, &world);
        }
    }
    printf("# %llu moves, ideal %llu\n", (unsigned long long)moves, (unsigned long long)ideal);
    assert_true(moves * 10 <= ideal * 11);
}

// The number of replicas changes: nobody gives anything up for one more.
static void test_replicas(void **state)
{
    (void)state;
    static struct world world;
    world = (struct world){.count = 7};
    for (uint16_t m = 0; m < 7; m++)
        world.place[m] = (struct gr_place){.host = m, .weight = 1};
    assert_int_equal(plan(&world, 3), GR_OK);
    assert_int_equal(plan(&world, 4), GR_OK);
    check_lists(&world);
    check_shares(&world);
    assert_int_equal(world.placement.moves, PARTITIONS);
    assert_int_equal(plan(&world, 2), GR_OK);
    check_lists(&world);
    check_shares(&world);
    assert_int_equal(world.placement.moves, 0);
    world.place[3].weight = 0;
    assert_int_equal(plan(&world, 7), GR_ERR_INVALID);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_newcomer_gains),
        cmocka_unit_test(test_odd_ones_stay),
        cmocka_unit_test(test_grows_and_shrinks),
        cmocka_unit_test(test_random_worlds),
        cmocka_unit_test(test_replicas),
    };
    return cmocka_run_group_tests_name("placement", tests, NULL, nothing_is_left);
}
