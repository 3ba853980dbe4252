// core/layout.h: the first layout, chains of layouts planned one from another, and the ring over
// any table; over random clusters whose members come, leave, come back, move and weigh more or
// less. Each layout goes through its bytes before the next one is planned from it, as it does
// between nodes, because only that tells its own hash.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "test/hooks.h"
#include "wire/layout.h"

enum { PEOPLE_MAX = 320, PLANS = 24, PARTITIONS_MAX = 256 };

// What chains came upon, so that none of it can be left out without anybody's noticing.
static struct {
    uint32_t plans, refused, moves, gone, dropped, back, reshaped;
} seen;

struct world {
    struct gr_random random;
    // Everybody there can be, by ascending id. Out: not a member, no longer or not yet.
    struct gr_layout_member person[PEOPLE_MAX];
    uint16_t people;
    struct gr_card founder[PEOPLE_MAX];
    uint16_t founders;
    uint32_t partitions;
    uint8_t n;
    struct gr_arena arena; // of `now`
    struct gr_layout now;
    uint64_t hash[PLANS + 2]; // by version
};

static uint32_t below(struct world *world, uint32_t limit)
{
    return (uint32_t)gr_random_below(&world->random, limit);
}

static bool chance(struct world *world, uint32_t per_mille)
{
    return gr_random_chance(&world->random, per_mille);
}

// ---- random clusters -------------------------------------------------------------------------

// One of a few names, or none.
static void draw_name(struct world *world, char letter, uint32_t count, char *ret, size_t capacity)
{
    memset(ret, 0, capacity);
    uint32_t number = below(world, count + 1);
    if (number > 0)
        snprintf(ret, capacity, "%c%u", letter, number);
}

#define DRAW_NAME(world, letter, count, text)                                                      \
    draw_name((world), (letter), (count), (text), sizeof(text))

// The same names of racks and hosts stand for others elsewhere (LY3).
static void draw_where(struct world *world, struct gr_layout_member *member)
{
    DRAW_NAME(world, 's', 2, member->site);
    DRAW_NAME(world, 'r', 2, member->rack);
    DRAW_NAME(world, 'h', chance(world, 500) ? 3 : PEOPLE_MAX, member->host);
}

static uint32_t draw_weight(struct world *world)
{
    return 1 + (chance(world, 800) ? below(world, 4) : below(world, GR_WEIGHT_MAX));
}

static void draw_people(struct world *world)
{
    for (uint16_t i = 0; i < world->people; i++) {
        struct gr_layout_member next = {.weight = draw_weight(world), .out = true};
        snprintf(next.name, sizeof next.name, "n%u", i);
        next.id = gr_member_id(gr_bytes_text(next.name));
        draw_where(world, &next);
        uint16_t at = i;
        for (; at > 0 && world->person[at - 1].id > next.id; at--)
            world->person[at] = world->person[at - 1];
        world->person[at] = next;
    }
}

// The first people in a random order; their addresses are of no concern to a layout.
static void draw_founders(struct world *world)
{
    for (uint16_t i = 0; i < world->founders; i++) {
        uint16_t who;
        do
            who = (uint16_t)below(world, world->people);
        while (!world->person[who].out);
        struct gr_layout_member *person = &world->person[who];
        struct gr_card *card = &world->founder[i];
        person->out = false;
        *card = (struct gr_card){.weight = person->weight, .peer = "a:1", .resp = "a:2"};
        memcpy(card->name, person->name, sizeof card->name);
        memcpy(card->host, person->host, sizeof card->host);
        memcpy(card->rack, person->rack, sizeof card->rack);
        memcpy(card->site, person->site, sizeof card->site);
    }
}

static void world_init(struct world *world, uint64_t seed, uint16_t people_max)
{
    *world = (struct world){0};
    gr_random_init(&world->random, seed);
    world->people = (uint16_t)(2 + below(world, people_max - 1u));
    world->founders = (uint16_t)(1 + below(world, world->people));
    world->partitions = 1u << below(world, 7);
    world->n = (uint8_t)(1 + below(world, GR_MIN(world->founders, GR_REPLICAS_MAX)));
    draw_people(world);
    draw_founders(world);
}

static struct gr_layout first_of(struct world *world, struct gr_arena *arena)
{
    return gr_layout_first(arena, world->partitions, world->n, world->founder, world->founders);
}

// ---- by id -----------------------------------------------------------------------------------

// The id in a list, whether it is one of `owner` or of `before`.
static uint64_t id_at(const struct gr_layout *layout, const uint16_t *list, size_t at)
{
    assert_true(list[at] < layout->member_count);
    return layout->member[list[at]].id;
}

static bool is_owner_of(const struct gr_layout *layout, uint32_t partition, uint64_t id)
{
    for (uint8_t i = 0; i < layout->n; i++)
        if (id_at(layout, layout->owner, (size_t)partition * layout->n + i) == id)
            return true;
    return false;
}

static bool is_owner(const struct gr_layout *layout, uint64_t id)
{
    for (uint32_t p = 0; p < layout->partitions; p++)
        if (is_owner_of(layout, p, id))
            return true;
    return false;
}

static const struct gr_layout_member *find_plainly(const struct gr_layout *layout, uint64_t id)
{
    for (uint16_t i = 0; i < layout->member_count; i++)
        if (layout->member[i].id == id)
            return &layout->member[i];
    return NULL;
}

static void check_find_one(const struct gr_layout *layout, uint64_t id)
{
    const struct gr_layout_member *member = find_plainly(layout, id);
    assert_int_equal(gr_layout_find(layout, id), member == NULL ? -1 : member - layout->member);
}

static void check_find(const struct world *world)
{
    const struct gr_layout *layout = &world->now;
    for (uint16_t i = 0; i < world->people; i++)
        for (uint64_t off = 0; off < 3; off++)
            check_find_one(layout, world->person[i].id + off - 1);
    check_find_one(layout, 0);
    check_find_one(layout, UINT64_MAX);
}

// ---- through bytes ---------------------------------------------------------------------------

static void check_member(const struct gr_layout_member *a, const struct gr_layout_member *b)
{
    assert_true(a->id == b->id && a->weight == b->weight && a->out == b->out);
    assert_string_equal(a->name, b->name);
    assert_string_equal(a->host, b->host);
    assert_string_equal(a->rack, b->rack);
    assert_string_equal(a->site, b->site);
}

static void check_step(const struct gr_layout_step *a, const struct gr_layout_step *b)
{
    assert_true(a->version == b->version && a->at.ms == b->at.ms);
    assert_string_equal(a->by, b->by);
    assert_string_equal(a->what, b->what);
}

// All but the hash of the last step, which only decoding knows.
static void check_same(const struct gr_layout *a, const struct gr_layout *b)
{
    assert_true(a->version == b->version && a->origin == b->origin);
    assert_true(a->partitions == b->partitions && a->n == b->n && a->before_n == b->before_n);
    assert_int_equal(a->member_count, b->member_count);
    for (uint16_t i = 0; i < a->member_count; i++)
        check_member(&a->member[i], &b->member[i]);
    size_t q = a->partitions;
    assert_memory_equal(a->owner, b->owner, q * a->n * sizeof *a->owner);
    assert_true((a->before == NULL) == (a->before_n == 0));
    assert_true((b->before == NULL) == (a->before_n == 0));
    if (a->before_n > 0)
        assert_memory_equal(a->before, b->before, q * a->before_n * sizeof *a->before);
    assert_int_equal(a->step_count, b->step_count);
    for (uint32_t i = 0; i < a->step_count; i++) {
        check_step(&a->step[i], &b->step[i]);
        assert_true(i + 1 == a->step_count || a->step[i].hash == b->step[i].hash);
    }
}

static void encode(struct gr_writer *out, const struct gr_layout *layout)
{
    gr_writer_init(out, GR_FACT_BYTES_MAX);
    gr_layout_encode(out, layout);
    assert_false(out->bad);
}

static void check_same_bytes(const struct gr_layout *a, const struct gr_layout *b)
{
    struct gr_writer left, right;
    encode(&left, a);
    encode(&right, b);
    assert_true(gr_bytes_equal(gr_writer_bytes(&left), gr_writer_bytes(&right)));
    gr_writer_deinit(&left);
    gr_writer_deinit(&right);
}

// Makes `layout` the one that the world goes by, as it comes out of its bytes.
static void settle(struct world *world, const struct gr_layout *layout)
{
    struct gr_writer out;
    encode(&out, layout);
    gr_arena_clear(&world->arena);
    assert_int_equal(gr_layout_decode(gr_writer_bytes(&out), &world->arena, &world->now), GR_OK);
    check_same(&world->now, layout);
    world->hash[layout->version] = gr_hash64(gr_writer_bytes(&out), 0);
    gr_writer_deinit(&out);
    // Whatever became of the steps between, origin and history are told by hashes of real bytes.
    assert_true(gr_layout_origin(&world->now) == world->hash[1]);
    for (uint32_t i = 0; i < world->now.step_count; i++)
        assert_true(world->now.step[i].hash == world->hash[world->now.step[i].version]);
    check_find(world);
}

// ---- rings -----------------------------------------------------------------------------------

// Everybody who must be in a table and some who need not, in a random order. What a table says of
// hosts and of who is out is not what counts.
static uint16_t draw_table(struct world *world, struct gr_member *ret)
{
    uint16_t count = 0;
    for (uint16_t i = 0; i < world->people; i++) {
        const struct gr_layout_member *person = &world->person[i];
        if (find_plainly(&world->now, person->id) == NULL && chance(world, 500))
            continue;
        uint16_t at = (uint16_t)below(world, count + 1u);
        ret[count++] = ret[at];
        ret[at] = (struct gr_member){.id = chance(world, 500) ? person->id : 0,
            .host = "elsewhere",
            .out = chance(world, 500)};
        memcpy(ret[at].name, person->name, sizeof ret[at].name);
        snprintf(ret[at].peer, sizeof ret[at].peer, "%s:1", person->name);
        snprintf(ret[at].resp, sizeof ret[at].resp, "%s:2", person->name);
    }
    return count;
}

static void check_table(
    const struct gr_layout *layout, const struct gr_ring *ring, const struct gr_member *table)
{
    for (uint16_t m = 0; m < ring->member_count; m++) {
        const struct gr_member *member = &ring->member[m];
        const struct gr_layout_member *named = find_plainly(layout, member->id);
        assert_true(member->id == gr_member_id(gr_bytes_text(table[m].name)));
        assert_string_equal(member->name, table[m].name);
        assert_string_equal(member->peer, table[m].peer);
        assert_string_equal(member->resp, table[m].resp);
        assert_string_equal(member->host, named == NULL ? "elsewhere" : named->host);
        assert_int_equal(member->out, named == NULL || named->out);
    }
}

static void check_lists(const struct gr_layout *layout, const struct gr_ring *ring)
{
    assert_true(ring->version == layout->version);
    assert_true(ring->partitions == layout->partitions && ring->n == layout->n);
    for (size_t i = 0; i < (size_t)layout->partitions * layout->n; i++)
        assert_true(ring->member[ring->owner[i]].id == id_at(layout, layout->owner, i));
    assert_int_equal(ring->before_n, layout->before_n);
    assert_true((ring->before == NULL) == (layout->before == NULL));
    for (size_t i = 0; i < (size_t)layout->partitions * layout->before_n; i++)
        assert_true(ring->member[ring->before[i]].id == id_at(layout, layout->before, i));
}

// Two nodes go by the same lists, wherever either has its members.
static void check_rings(struct world *world)
{
    static struct gr_member table[PEOPLE_MAX];
    uint64_t digest[2];
    for (int i = 0; i < 2; i++) {
        struct gr_ring ring;
        uint16_t count = draw_table(world, table);
        gr_layout_ring(&world->now, table, count, &ring);
        assert_int_equal(ring.member_count, count);
        check_table(&world->now, &ring, table);
        check_lists(&world->now, &ring);
        digest[i] = gr_ring_digest(&ring);
        gr_ring_deinit(&ring);
    }
    assert_true(digest[0] == digest[1]);
}

// ---- the first -------------------------------------------------------------------------------

// What is behind the end of a text, and where a founder is found, make no other layout.
static void disturb(struct gr_card *card)
{
    char *text[] = {card->name, card->host, card->rack, card->site};
    for (size_t i = 0; i < GR_COUNT(text); i++)
        memset(text[i] + strlen(text[i]) + 1, '?', GR_NAME_BYTES_MAX - strlen(text[i]));
    memcpy(card->peer, "b:3", 4);
    memcpy(card->resp, "b:4", 4);
}

// Founders own equal parts in the order of their list: what a ring begins with over a table in that
// order.
static void check_even(const struct world *world)
{
    static struct gr_member table[PEOPLE_MAX];
    struct gr_ring ring, even;
    for (uint16_t i = 0; i < world->founders; i++) {
        table[i] = (struct gr_member){0};
        memcpy(table[i].name, world->founder[i].name, sizeof table[i].name);
    }
    gr_layout_ring(&world->now, table, world->founders, &ring);
    gr_ring_init(&even, world->partitions, world->n, table, world->founders);
    assert_memory_equal(
        ring.owner, even.owner, (size_t)world->partitions * world->n * sizeof *ring.owner);
    assert_true(gr_ring_digest(&ring) == gr_ring_digest(&even));
    gr_ring_deinit(&ring);
    gr_ring_deinit(&even);
}

static void check_founded(const struct world *world)
{
    const struct gr_layout *now = &world->now;
    assert_true(now->version == 1 && now->origin == 0 && now->before_n == 0);
    assert_true(now->partitions == world->partitions && now->n == world->n);
    assert_int_equal(now->member_count, world->founders);
    uint16_t at = 0;
    for (uint16_t i = 0; i < world->people; i++)
        if (!world->person[i].out)
            check_member(&now->member[at++], &world->person[i]);
    assert_int_equal(at, world->founders);
    assert_int_equal(now->step_count, 1);
}

static void found(struct world *world)
{
    struct gr_arena draft = {0};
    struct gr_layout layout = first_of(world, &draft);
    settle(world, &layout);
    gr_arena_deinit(&draft);
}

// LY1, and the same however it is put in a table.
static void test_first(void **state)
{
    (void)state;
    static struct world world;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct gr_arena draft = {0};
        world_init(&world, seed, seed % 10 == 0 ? PEOPLE_MAX : 12);
        found(&world);
        check_founded(&world);
        check_even(&world);
        for (int i = 0; i < 3; i++)
            check_rings(&world);
        for (uint16_t i = 0; i < world.founders; i++)
            disturb(&world.founder[i]);
        struct gr_layout again = first_of(&world, &draft);
        check_same_bytes(&again, &world.now);
        gr_arena_deinit(&draft);
        gr_arena_deinit(&world.arena);
    }
}

// ---- the next --------------------------------------------------------------------------------

static void change(struct world *world)
{
    struct gr_layout_member *person = &world->person[below(world, world->people)];
    switch (below(world, 6)) {
    case 0:
    case 1:
        person->out = !person->out;
        break;
    case 2:
        person->weight = chance(world, 300) ? 0 : draw_weight(world);
        break;
    case 3:
        draw_where(world, person);
        break;
    case 4:
        world->n = (uint8_t)(1 + below(world, GR_REPLICAS_MAX));
        break;
    default:
        break; // a plan that changes nothing
    }
}

// What a node asks for: its members, those who are to leave, and at times others who are long gone
// or never were, and need not be said.
static uint16_t draw_wish(struct world *world, struct gr_layout_member *ret)
{
    uint16_t count = 0;
    for (uint16_t i = 0; i < world->people; i++) {
        const struct gr_layout_member *person = &world->person[i];
        const struct gr_layout_member *now = find_plainly(&world->now, person->id);
        bool must = !person->out || (now != NULL && !now->out);
        if (must || chance(world, 300))
            ret[count++] = *person;
    }
    return count;
}

// LY2: members and who owned something are named, just as they were asked for, and nobody else.
static void check_members(struct world *world, const struct gr_layout *next)
{
    uint16_t at = 0;
    for (uint16_t i = 0; i < world->people; i++) {
        const struct gr_layout_member *person = &world->person[i];
        const struct gr_layout_member *now = find_plainly(&world->now, person->id);
        bool owned = is_owner(&world->now, person->id);
        seen.gone += person->out && owned;
        seen.dropped += person->out && !owned && now != NULL;
        seen.back += !person->out && now != NULL && now->out;
        if (person->out && !owned)
            continue;
        assert_true(at < next->member_count);
        check_member(&next->member[at++], person);
    }
    assert_int_equal(at, next->member_count);
}

// The number of places whose node did not own the partition before.
static uint32_t check_owners(const struct gr_layout *now, const struct gr_layout *next)
{
    uint32_t moves = 0;
    for (uint32_t p = 0; p < next->partitions; p++)
        for (uint8_t i = 0; i < next->n; i++) {
            const uint16_t *list = next->owner + (size_t)p * next->n;
            const struct gr_layout_member *owner = find_plainly(next, id_at(next, list, i));
            assert_true(!owner->out && owner->weight > 0);
            for (uint8_t k = 0; k < i; k++)
                assert_int_not_equal(list[k], list[i]);
            moves += !is_owner_of(now, p, owner->id);
        }
    return moves;
}

static void check_before(const struct gr_layout *now, const struct gr_layout *next)
{
    assert_int_equal(next->partitions, now->partitions);
    assert_int_equal(next->before_n, now->n);
    assert_non_null(next->before);
    for (size_t i = 0; i < (size_t)now->partitions * now->n; i++)
        assert_true(id_at(next, next->before, i) == id_at(now, now->owner, i));
}

// What stands together: each by the first member with a weight of its site, rack or host, and how
// many places of the next level there are in it. Level 0 is the whole cluster.
struct spots {
    uint16_t of[4][PEOPLE_MAX];
    uint16_t inside[3][PEOPLE_MAX];
};

static bool is_together(
    const struct gr_layout_member *a, const struct gr_layout_member *b, int level)
{
    return (level < 1 || strcmp(a->site, b->site) == 0) &&
           (level < 2 || strcmp(a->rack, b->rack) == 0) &&
           (level < 3 || strcmp(a->host, b->host) == 0);
}

static void find_spots(const struct gr_layout *layout, struct spots *ret)
{
    const struct gr_layout_member *member = layout->member;
    memset(ret, 0, sizeof *ret);
    for (uint16_t m = 0; m < layout->member_count; m++)
        for (int level = 0; level < 4; level++) {
            uint16_t k = 0;
            while (k < m && (member[k].out || member[k].weight == 0 ||
                                !is_together(&member[k], &member[m], level)))
                k++;
            ret->of[level][m] = k;
            if (level > 0 && k == m && !member[m].out && member[m].weight > 0)
                ret->inside[level - 1][ret->of[level - 1][m]]++;
        }
}

// LY3: copies are in as many sites as there are, in as many racks of each, on as many hosts.
static void check_spread(const struct gr_layout *layout)
{
    static struct spots spots;
    find_spots(layout, &spots);
    for (uint32_t at = 0; at < layout->partitions * layout->n; at++)
        for (int level = 0; level < 3; level++) {
            const uint16_t *list = layout->owner + at - at % layout->n;
            uint16_t spot = spots.of[level][layout->owner[at]];
            uint16_t copies = 0, places = 0;
            for (uint8_t i = 0; i < layout->n; i++) {
                bool is_new = spots.of[level][list[i]] == spot;
                copies += is_new;
                for (uint8_t k = 0; k < i; k++)
                    is_new &= spots.of[level + 1][list[k]] != spots.of[level + 1][list[i]];
                places += is_new;
            }
            assert_int_equal(places, GR_MIN(copies, spots.inside[level][spot]));
        }
}

// The last step has its version, and the rest is for the caller to say.
static void check_steps(const struct gr_layout *now, const struct gr_layout *next)
{
    assert_int_equal(next->step_count, GR_MIN(now->step_count + 1, (uint32_t)GR_LAYOUT_STEPS_MAX));
    const struct gr_layout_step blank = {.version = now->version + 1};
    check_step(&next->step[next->step_count - 1], &blank);
    for (uint32_t back = 1; back < next->step_count; back++) {
        const struct gr_layout_step *was = &now->step[now->step_count - back];
        const struct gr_layout_step *is = &next->step[next->step_count - 1 - back];
        check_step(is, was);
        assert_true(is->version == next->version - back && is->hash == was->hash);
    }
}

static void fill_step(struct world *world, const struct gr_layout *next)
{
    struct gr_layout_step *step = (struct gr_layout_step *)&next->step[next->step_count - 1];
    step->at.ms = (int64_t)gr_random_next(&world->random);
    snprintf(step->by, sizeof step->by, "n%u", below(world, PEOPLE_MAX));
    snprintf(step->what, sizeof step->what, "step %u, weight n2 2", below(world, 1000));
}

static void check_plan(struct world *world, const struct gr_layout *next, uint32_t moves)
{
    const struct gr_layout *now = &world->now;
    assert_true(next->version == now->version + 1 && next->origin == world->hash[1]);
    assert_int_equal(next->n, world->n);
    check_members(world, next);
    check_before(now, next);
    check_steps(now, next);
    check_spread(next);
    assert_int_equal(moves, check_owners(now, next));
    seen.moves += moves;
    seen.reshaped += next->n != now->n;
    seen.plans++;
}

static bool is_enough(const struct world *world)
{
    uint32_t nodes = 0;
    for (uint16_t i = 0; i < world->people; i++)
        nodes += !world->person[i].out && world->person[i].weight > 0;
    return nodes >= world->n;
}

// Plans the next layout and settles it, unless it must be refused. Whoever else planned the same of
// the same would have the same, whatever he said besides of those who are gone.
static bool plan(struct world *world, uint32_t *ret_moves)
{
    static struct gr_layout_member wish[PEOPLE_MAX];
    struct gr_arena draft = {0};
    struct gr_placement placement, other;
    struct gr_layout next, again, blank;
    memset(&next, 0x5a, sizeof next);
    memcpy(&blank, &next, sizeof blank);
    uint16_t count = draw_wish(world, wish);
    enum gr_err err = gr_layout_plan(&draft, &world->now, wish, count, world->n, &next, &placement);
    assert_int_equal(err, is_enough(world) ? GR_OK : GR_ERR_INVALID);
    if (err == GR_OK) {
        check_plan(world, &next, placement.moves);
        count = draw_wish(world, wish);
        err = gr_layout_plan(&draft, &world->now, wish, count, world->n, &again, &other);
        assert_int_equal(err, GR_OK);
        check_same_bytes(&again, &next);
        assert_int_equal(other.moves, placement.moves);
        fill_step(world, &next);
        settle(world, &next);
        *ret_moves = placement.moves;
    } else {
        assert_memory_equal(&next, &blank, sizeof next);
        seen.refused++;
    }
    gr_arena_deinit(&draft);
    return err == GR_OK;
}

// Some changes and a plan; if it is refused, all is as it was.
static void turn(struct world *world)
{
    static struct gr_layout_member person[PEOPLE_MAX];
    uint8_t n = world->n;
    uint32_t moves;
    memcpy(person, world->person, sizeof person);
    for (uint32_t i = 1 + below(world, 3); i > 0; i--)
        change(world);
    if (!plan(world, &moves)) {
        world->n = n;
        memcpy(world->person, person, sizeof person);
    }
}

static void test_chains(void **state)
{
    (void)state;
    static struct world world;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        world_init(&world, seed, 16);
        found(&world);
        for (int i = 0; i < PLANS; i++) {
            turn(&world);
            check_rings(&world);
        }
        gr_arena_deinit(&world.arena);
    }
    printf("# %u plans, %u refused, %u with another N; %u moves; %u members out and named, %u no "
           "longer, %u back\n",
        seen.plans, seen.refused, seen.reshaped, seen.moves, seen.gone, seen.dropped, seen.back);
    assert_true(seen.plans > 2000 && seen.refused > 100 && seen.reshaped > 100 && seen.moves > 0);
    assert_true(seen.gone > 100 && seen.dropped > 100 && seen.back > 0);
}

// Who plans the same members again moves nothing, though those who had left are named no more and
// the others have other places by now.
static void test_still(void **state)
{
    (void)state;
    static struct world world;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint32_t moves;
        world_init(&world, seed, 16);
        found(&world);
        for (int i = 0; i < 4; i++) {
            turn(&world);
            if (world.now.version == 1)
                continue; // founders own equal parts whatever their weights
            assert_true(plan(&world, &moves));
            assert_int_equal(moves, 0);
        }
        gr_arena_deinit(&world.arena);
    }
}

// More members than a byte can number, and many partitions.
static void test_many(void **state)
{
    (void)state;
    static struct world world;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        world_init(&world, seed, 16);
        world.people = PEOPLE_MAX;
        world.founders = 280;
        world.partitions = PARTITIONS_MAX;
        world.n = 3;
        draw_people(&world);
        draw_founders(&world);
        found(&world);
        for (int i = 0; i < 4; i++) {
            turn(&world);
            check_rings(&world);
        }
        assert_true(world.now.version > 1 && world.now.member_count > 256);
        gr_arena_deinit(&world.arena);
    }
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_chains),
        cmocka_unit_test(test_still),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, nothing_is_left);
}
