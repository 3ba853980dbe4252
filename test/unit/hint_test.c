// core/hint.c: a node that stands in, its peers and its disk at random, against a list of what it
// has promised.
//
// A promise is an acknowledgement: a hint that a peer was told is kept. Until its owner has said
// that its disk has the write, a promised hint is on this node's disk, whatever is lost, late,
// refused or restarted; and what the node says it keeps is what the disk has, count and bytes.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/inside.h"
#include "test/hooks.h"

enum {
    MEMBERS = 6,
    SELF = 3,
    KEYS = 4,
    HINTS_MAX = 600,
    PENDING_MAX = 2048,
    PAGE_MAX = 4,
    STEPS = 1500,
};

struct kept {
    struct gr_hint hint;
    uint64_t number; // of the write that added it
    bool removed;    // by write `gone`
    uint64_t gone;
    bool promised; // someone counts on it
    bool landed;   // its owner's disk has it
};

struct pending {
    enum gr_effect_type type;
    uint64_t ticket; // of a scan; of a delta: the call
    uint16_t peer;
    uint64_t owner; // of hints: the id of a member
    gr_cursor cursor;
    struct gr_key key; // empty: all of them
    struct gr_dot dot;
};

struct world {
    struct gr_random random;
    struct gr_ring ring;
    struct gr_node *node;
    uint64_t run;
    struct gr_instant now;
    struct gr_key key[KEYS];
    struct kept hint[HINTS_MAX];
    uint32_t hint_count;
    struct pending pending[PENDING_MAX];
    uint32_t pending_count;
    uint64_t written, synced, sequence[MEMBERS], counter;
    struct gr_dot asked[HINTS_MAX]; // by number of the question: the dot that a peer wants kept
    uint64_t tickets;
    bool calm, up[MEMBERS];
    struct gr_arena arena; // of the run
};

static bool chance(struct world *world, uint32_t per_mille)
{
    return gr_random_chance(&world->random, per_mille);
}

static uint32_t below(struct world *world, uint32_t limit)
{
    return (uint32_t)gr_random_below(&world->random, limit);
}

static uint64_t id_of(const struct world *world, uint16_t member)
{
    return world->ring.member[member].id;
}

// ---- the disk --------------------------------------------------------------------------------

static struct kept *find(
    struct world *world, uint64_t owner, const struct gr_key *key, const struct gr_dot *dot)
{
    for (uint32_t i = 0; i < world->hint_count; i++) {
        struct kept *kept = &world->hint[i];
        if (!kept->removed && kept->hint.owner == owner && gr_key_equal(&kept->hint.key, key) &&
            gr_dot_equal(&kept->hint.dot, dot))
            return kept;
    }
    return NULL;
}

static void on_write(struct world *world, const struct gr_store_write *write)
{
    assert_true(write->number == ++world->written);
    for (uint32_t i = 0; i < write->hint_count; i++) {
        const struct gr_hint *hint = &write->hint[i];
        struct kept *kept = find(world, hint->owner, &hint->key, &hint->dot);
        if (write->hint_remove) {
            assert_true(kept != NULL && kept->landed);
            kept->removed = true;
            kept->gone = write->number;
            continue;
        }
        assert_true(kept == NULL && world->hint_count < HINTS_MAX);
        kept = &world->hint[world->hint_count++];
        *kept = (struct kept){.hint = *hint, .number = write->number};
        kept->hint.key = gr_key_copy(&world->arena, &hint->key);
        kept->hint.record = gr_record_copy(&world->arena, &hint->record, false);
    }
}

// What a crash leaves: a prefix of the writes, and at least what was synced.
static void crash(struct world *world)
{
    uint64_t last = world->synced + below(world, (uint32_t)(world->written - world->synced) + 1);
    uint32_t left = 0;
    for (uint32_t i = 0; i < world->hint_count; i++) {
        struct kept *kept = &world->hint[i];
        if (kept->number > last) {
            assert_false(kept->promised);
            continue;
        }
        kept->removed = kept->removed && kept->gone <= last;
        kept->number = kept->gone = 0;
        world->hint[left++] = *kept;
    }
    world->hint_count = left;
}

// ---- effects ---------------------------------------------------------------------------------

static void promise(struct world *world, const struct gr_dot *dot)
{
    bool found = false;
    for (uint32_t i = 0; i < world->hint_count; i++) {
        struct kept *kept = &world->hint[i];
        if (!gr_dot_equal(&kept->hint.dot, dot))
            continue;
        assert_true(kept->number <= world->synced); // told after the sync
        kept->promised = found = true;
    }
    assert_true(found);
}

static void emit(void *host, const struct gr_effect *effect)
{
    struct world *world = host;
    const struct gr_message *m = effect->message;
    if (effect->type == GR_EFFECT_WRITE)
        on_write(world, effect->write);
    if (effect->type == GR_EFFECT_SEND && m->type == GR_MSG_ACK && m->status == GR_OK)
        promise(world, &world->asked[m->id]);
    bool asks = effect->type == GR_EFFECT_SCAN && effect->scan == GR_SCAN_HINTS;
    bool sends = effect->type == GR_EFFECT_SEND && m->type == GR_MSG_DELTA;
    if (!asks && !sends)
        return;
    assert_true(world->pending_count < PENDING_MAX);
    struct pending *p = &world->pending[world->pending_count++];
    *p = (struct pending){.type = effect->type,
        .ticket = effect->ticket,
        .peer = effect->peer,
        .owner = asks ? effect->owner : id_of(world, effect->peer)};
    p->cursor = effect->cursor;
    p->key = gr_key_copy(&world->arena, asks ? &effect->key : &m->key);
    if (sends) {
        p->ticket = m->id;
        p->dot = m->dot;
        // Each write travels with a record that names it, and says of this node's past single dots.
        assert_true(gr_context_covers(&m->record.context, &m->dot));
    }
}

// What the node says that it keeps is what the disk has.
static void check_debts(struct world *world)
{
    for (uint16_t m = 0; m < MEMBERS; m++) {
        uint64_t count = 0, bytes = 0;
        int64_t oldest = 0;
        for (uint32_t i = 0; i < world->hint_count; i++) {
            const struct kept *kept = &world->hint[i];
            if (kept->removed || kept->hint.owner != id_of(world, m))
                continue;
            count++;
            bytes += gr_hint_bytes(&kept->hint);
            oldest = oldest == 0 ? kept->hint.since.ms : GR_MIN(oldest, kept->hint.since.ms);
        }
        struct gr_debt_view debt = gr_node_debt(world->node, m);
        assert_true(debt.count == count && debt.bytes == bytes);
        // It may lag behind: exact after each walk.
        assert_true(count == 0 || (debt.oldest.ms > 0 && debt.oldest.ms <= oldest));
        assert_true(count > 0 || debt.oldest.ms == 0);
    }
}

static void step(struct world *world, struct gr_event event)
{
    struct gr_sink sink = {emit, world};
    event.now = world->now;
    event.wall.ms = 1200000000000 + world->now.ns / 1000000;
    gr_node_step(world->node, &event, &sink);
    check_debts(world);
}

// ---- answers ---------------------------------------------------------------------------------

static void say(struct world *world, uint16_t peer, struct gr_message *m)
{
    m->run = 1000u + peer;
    m->to = world->run;
    m->sequence = ++world->sequence[peer];
    m->deadline_ms = 500;
    step(world, (struct gr_event){.type = GR_EVENT_MESSAGE, .peer = peer, .message = m});
}

static int by_place(const struct gr_hint *a, const struct gr_hint *b)
{
    gr_cursor x = gr_cursor_of(a->key.slot, a->key.hash),
              y = gr_cursor_of(b->key.slot, b->key.hash);
    return x != y ? (x < y ? -1 : 1) : gr_dot_compare(&a->dot, &b->dot);
}

static void answer_scan(struct world *world, const struct pending *p)
{
    struct gr_hint sorted[HINTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < world->hint_count; i++) {
        const struct gr_hint *hint = &world->hint[i].hint;
        if (world->hint[i].removed || hint->owner != p->owner ||
            gr_cursor_of(hint->key.slot, hint->key.hash) < p->cursor ||
            (p->key.key.size > 0 && !gr_key_equal(&p->key, &hint->key)))
            continue;
        uint32_t at = count++;
        for (; at > 0 && by_place(hint, &sorted[at - 1]) < 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = *hint;
    }
    uint32_t page = 1 + below(world, PAGE_MAX);
    uint32_t shown = p->key.key.size > 0 ? count : GR_MIN(count, page);
    struct gr_event event = {.type = GR_EVENT_SCAN_DONE,
        .ticket = p->ticket,
        .hint = sorted,
        .hint_count = shown,
        .cursor = shown < count ? gr_cursor_of(sorted[shown].key.slot, sorted[shown].key.hash)
                                : GR_CURSOR_END};
    if (!world->calm && chance(world, 100)) {
        event.status = GR_ERR_IO;
        event.hint_count = 0;
    }
    step(world, event);
}

static void answer_delta(struct world *world, const struct pending *p)
{
    struct gr_message ack = {.type = GR_MSG_ACK, .id = p->ticket, .durable = true};
    if (!world->calm && chance(world, 150))
        return; // it got lost
    if (!world->calm && chance(world, 200))
        ack.status = chance(world, 500) ? GR_ERR_NO_SPACE : GR_ERR_CORRUPT;
    else if (!world->calm && chance(world, 100))
        ack.durable = false;
    struct kept *kept = find(world, p->owner, &p->key, &p->dot);
    if (kept != NULL && ack.status == GR_OK && ack.durable)
        kept->landed = true;
    say(world, p->peer, &ack);
}

static void answer_one(struct world *world)
{
    if (world->pending_count == 0)
        return;
    uint32_t at = below(world, world->pending_count);
    struct pending p = world->pending[at];
    world->pending[at] = world->pending[--world->pending_count];
    if (p.type == GR_EFFECT_SCAN)
        answer_scan(world, &p);
    else
        answer_delta(world, &p);
}

// ---- events ----------------------------------------------------------------------------------

static void set_link(struct world *world, uint16_t peer, bool up)
{
    world->up[peer] = up;
    step(world,
        (struct gr_event){.type = GR_EVENT_LINK, .peer = peer, .up = up, .run = 1000u + peer});
}

static void peer_asks(struct world *world)
{
    uint16_t peer = (uint16_t)(SELF + 1 + below(world, MEMBERS - 1)) % MEMBERS;
    if (!world->up[peer] || world->counter + 1 >= HINTS_MAX / 2)
        return;
    struct gr_dot dot = {{peer, 1}, ++world->counter};
    struct gr_sibling sibling = {.dot = dot, .value = gr_bytes("value", below(world, 6))};
    struct gr_message m = {.type = GR_MSG_DELTA,
        .id = world->counter,
        .key = world->key[below(world, KEYS)],
        .dot = dot,
        .owed_to = 1 + below(world, MEMBERS),
        .record = {.sibling = &sibling, .count = below(world, 2)}};
    m.record.context = gr_context_make(&world->arena, NULL, 0, &dot, 1);
    world->asked[m.id] = dot;
    say(world, peer, &m);
}

static void client_asks(struct world *world)
{
    if (world->hint_count + 20 > HINTS_MAX)
        return;
    struct gr_request request = {.ticket = ++world->tickets,
        .op = GR_OP_PUT,
        .key = world->key[below(world, KEYS)],
        .value = gr_bytes("from a client", below(world, 13)),
        .remove = chance(world, 200),
        .w = (uint8_t)(1 + below(world, 2)),
        .timeout = gr_span_ms(100)};
    step(world, (struct gr_event){.type = GR_EVENT_REQUEST, .request = &request});
}

static void pass_time(struct world *world, int64_t ms)
{
    world->now.ns += ms * 1000000;
    step(world, (struct gr_event){.type = GR_EVENT_TICK});
}

static void sync(struct world *world)
{
    world->synced += below(world, (uint32_t)(world->written - world->synced) + 1);
    if (world->calm)
        world->synced = world->written;
    step(world, (struct gr_event){.type = GR_EVENT_SYNCED, .number = world->synced});
}

// ---- runs ------------------------------------------------------------------------------------

static void start(struct world *world, uint64_t seed)
{
    struct gr_node_config config = gr_node_config_default();
    config.self = SELF;
    config.actor = (struct gr_actor){SELF, ++world->run};
    config.run = world->run;
    config.seed = seed;
    config.ring = &world->ring;
    config.hint_bytes_max = 3000 + 100 * below(world, 300);
    world->node = gr_node_new(&config);
    world->written = world->synced = 0;
    world->pending_count = 0;
    for (uint32_t i = 0; i < world->hint_count; i++)
        if (!world->hint[i].removed)
            gr_node_load_hint(world->node, &world->hint[i].hint);
    check_debts(world);
    for (uint16_t m = 0; m < MEMBERS; m++) {
        world->sequence[m] = world->run * 100000;
        world->up[m] = false;
        if (m != SELF && (world->calm || chance(world, 500)))
            set_link(world, m, true);
    }
}

static void any_event(struct world *world)
{
    uint32_t dice = below(world, 1000);
    uint16_t peer = (uint16_t)(SELF + 1 + below(world, MEMBERS - 1)) % MEMBERS;
    if (dice < 150)
        peer_asks(world);
    else if (dice < 250)
        client_asks(world);
    else if (dice < 650)
        answer_one(world);
    else if (dice < 750)
        sync(world);
    else if (dice < 790)
        set_link(world, peer, !world->up[peer]);
    else if (dice < 800)
        step(world, (struct gr_event){
                        .type = GR_EVENT_STORE, .status = chance(world, 300) ? GR_ERR_IO : GR_OK});
    else
        pass_time(world, below(world, 300));
}

static void begin(struct world *world, uint64_t seed)
{
    static const char *const name[] = {
        "foo", "{foo}2", "bar", "baz", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    static struct gr_member member[MEMBERS];
    *world = (struct world){.run = 0};
    gr_random_init(&world->random, seed);
    gr_ring_init(&world->ring, 8, 3, member, MEMBERS);
    int count = 0;
    for (size_t i = 0; i < GR_COUNT(name) && count < KEYS;
         i++) { // keys that this node does not own
        struct gr_key key = gr_key_make(gr_bytes_text("b"), gr_bytes_text(name[i]));
        uint32_t partition = gr_ring_partition(&world->ring, key.slot);
        if (gr_ring_position(&world->ring, partition, SELF) < 0)
            world->key[count++] = key;
    }
    assert_int_equal(count, KEYS);
    start(world, seed);
}

static void end(struct world *world)
{
    gr_node_free(world->node);
    gr_ring_deinit(&world->ring);
    gr_arena_deinit(&world->arena);
    assert_int_equal(gr_test_blocks(), 0);
}

static bool owes(struct world *world)
{
    for (uint32_t i = 0; i < world->hint_count; i++)
        if (!world->hint[i].removed)
            return true;
    return false;
}

static struct world world;

static void test_nothing_is_lost(void **state)
{
    (void)state;
    uint64_t promised = 0, delivered = 0, refused = 0;
    for (uint64_t seed = 1; seed <= 150; seed++) {
        begin(&world, seed);
        for (int i = 0; i < STEPS; i++) {
            any_event(&world);
            if (chance(&world, 4)) {
                refused += gr_node_stats(world.node).hints_refused;
                gr_node_free(world.node);
                crash(&world);
                start(&world, seed);
            }
        }
        world.calm = true;
        step(&world, (struct gr_event){.type = GR_EVENT_STORE, .status = GR_OK});
        for (uint16_t m = 0; m < MEMBERS; m++)
            if (m != SELF)
                set_link(&world, m, true);
        for (int i = 0; i < 10000 && (owes(&world) || world.pending_count > 0); i++) {
            sync(&world);
            pass_time(&world, world.pending_count > 0 ? 1 : 1200);
            answer_one(&world);
        }
        pass_time(&world, 10000);
        sync(&world);
        for (uint32_t i = 0; i < world.hint_count; i++) {
            assert_true(world.hint[i].removed && world.hint[i].landed);
            promised += world.hint[i].promised;
            delivered++;
        }
        assert_int_equal(gr_node_stats(world.node).memory, 0);
        end(&world);
    }
    assert_true(promised > 1000 && delivered > promised && refused > 100); // else it shows little
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing_is_lost)};
    return cmocka_run_group_tests_name("hint", tests, NULL, NULL);
}
