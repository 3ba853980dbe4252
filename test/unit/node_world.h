// The world of node_test.c: a disk and peers that have been asked, and random things to say.
#ifndef GR_TEST_UNIT_NODE_WORLD_H
#define GR_TEST_UNIT_NODE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/node.h"
#include "test/hooks.h"

enum {
    KEYS = 6,
    MEMBERS = 5,
    PARTITIONS = 8,
    RUN = 77,
    PENDING_MAX = 4096,
    REQUESTS = 1500,
    HINTS_MAX = 512,
    EFFECTS_MAX = 2000
};

// A question that the node has asked the disk or a peer.
struct pending {
    enum gr_effect_type type;
    uint64_t ticket; // of the disk; of a peer: the call
    enum gr_scan_kind scan;
    enum gr_message_type message;
    uint16_t peer;
    uint64_t owner; // of hints: the id of a member
    int key;
    struct gr_dot dot; // of a delta
    bool one_key;      // a scan of hints: of this key alone
    uint64_t kept;     // hints kept when it was asked for
    uint32_t partition, index, branches, asked;
    gr_cursor cursor, cursor_end;
    uint64_t number; // written when it was asked
    struct gr_entry entry[KEYS];
    uint32_t entry_count;
    bool early; // a read that saw what was there when it was asked for
    struct gr_arena arena;
    struct gr_record record;
};

// A hint in the store.
struct kept {
    struct gr_hint hint;
    int key;
    uint64_t number; // 1, 2, 3 ...
    bool acked;      // its owner has said that its disk has it
    struct gr_arena arena;
};

struct world {
    struct gr_random random;
    struct gr_ring ring;
    struct gr_node *node;
    struct gr_instant now;
    int64_t wall_ms;
    struct gr_arena arena; // of one step
    struct gr_key key[KEYS];
    struct gr_arena stored_arena[KEYS];
    struct gr_record stored[KEYS];
    struct pending pending[PENDING_MAX];
    uint32_t pending_count;
    uint64_t written, sequence[MEMBERS], counter[PARTITIONS];
    uint8_t replies[REQUESTS];
    struct kept hint[HINTS_MAX];
    uint32_t hint_count;
    uint64_t hints_kept, hint_counter;
    uint32_t requests, effects;
    bool calm; // nothing fails any more
};

static inline bool chance(struct world *world, uint32_t per_mille)
{
    return gr_random_chance(&world->random, per_mille);
}

static inline uint32_t below(struct world *world, uint32_t limit)
{
    return (uint32_t)gr_random_below(&world->random, limit);
}

// ---- effects ---------------------------------------------------------------------------------

static inline int find_key(struct world *world, const struct gr_key *key)
{
    for (int k = 0; k < KEYS; k++)
        if (gr_key_equal(&world->key[k], key))
            return k;
    return 0; // scans and counts name none
}

static inline struct kept *find_hint(
    struct world *world, uint64_t owner, int key, const struct gr_dot *dot)
{
    for (uint32_t i = 0; i < world->hint_count; i++) {
        struct kept *kept = &world->hint[i];
        if (kept->hint.owner == owner && kept->key == key && gr_dot_equal(&kept->hint.dot, dot))
            return kept;
    }
    return NULL;
}

static inline void on_hint(struct world *world, const struct gr_hint *hint, bool remove)
{
    int key = find_key(world, &hint->key);
    struct kept *kept = find_hint(world, hint->owner, key, &hint->dot);
    if (remove) {
        assert_true(kept != NULL && kept->acked); // H1
        gr_arena_deinit(&kept->arena);
        *kept = world->hint[--world->hint_count];
        return;
    }
    assert_true(kept == NULL && world->hint_count < HINTS_MAX);
    int owner = gr_ring_find(&world->ring, hint->owner);
    assert_true(
        owner >= 0 && gr_ring_position(&world->ring,
                          gr_ring_partition(&world->ring, hint->key.slot), (uint16_t)owner) >= 0);
    kept = &world->hint[world->hint_count++];
    *kept = (struct kept){.hint = *hint, .key = key, .number = ++world->hints_kept};
    kept->hint.key = world->key[key];
    kept->hint.record = gr_record_copy(&kept->arena, &hint->record, false);
}

static inline uint32_t some_page(
    struct world *world, struct pending *p, bool own, struct gr_entry *entry);

static inline void on_write(struct world *world, const struct gr_store_write *write)
{
    assert_true(write->number == world->written + 1);
    assert_true(write->count >= 0 && write->count <= KEYS);
    world->written = write->number;
    for (uint32_t i = 0; i < write->hint_count; i++)
        on_hint(world, &write->hint[i], write->hint_remove);
    if (write->key.key.size == 0)
        return; // hints, or clock rows alone
    int k = find_key(world, &write->key);
    struct gr_arena arena = {0};
    struct gr_record copy = GR_RECORD_NOTHING;
    if (write->record != NULL)
        copy = gr_record_copy(&arena, write->record, false);
    for (uint32_t i = 0; i < copy.count; i++)
        assert_false(copy.sibling[i].bare);
    gr_arena_deinit(&world->stored_arena[k]);
    world->stored_arena[k] = arena;
    world->stored[k] = copy;
}

static inline void emit(void *host, const struct gr_effect *effect)
{
    struct world *world = host;
    assert_true(++world->effects < EFFECTS_MAX);
    if (effect->type == GR_EFFECT_WRITE)
        on_write(world, effect->write);
    if (effect->type == GR_EFFECT_REPLY) {
        assert_true((effect->result->outcome == GR_DONE) == (effect->result->err == GR_OK));
        assert_int_equal(world->replies[effect->result->ticket]++, 0); // N1
    }
    bool asks = effect->type == GR_EFFECT_READ || effect->type == GR_EFFECT_SCAN ||
                effect->type == GR_EFFECT_SEND;
    if (!asks)
        return;
    assert_true(world->pending_count < PENDING_MAX);
    struct pending *p = &world->pending[world->pending_count++];
    *p = (struct pending){.type = effect->type,
        .ticket = effect->ticket,
        .scan = effect->scan,
        .partition = effect->partition,
        .kept = world->hints_kept,
        .cursor = effect->cursor,
        .cursor_end = effect->cursor_end,
        .early = chance(world, 500)};
    p->number = world->written;
    if (effect->type == GR_EFFECT_SCAN && effect->scan == GR_SCAN_RECORDS) {
        struct pending whole = *p;
        if (whole.cursor_end == 0)
            whole.cursor_end = (gr_cursor)gr_ring_first_slot(&world->ring, p->partition + 1) << 38;
        p->entry_count = some_page(world, &whole, true, p->entry);
        p->arena = whole.arena;
    }
    if (effect->type == GR_EFFECT_READ) {
        p->key = find_key(world, &effect->key);
        p->record = gr_record_copy(&p->arena, &world->stored[p->key], false);
    } else if (effect->type == GR_EFFECT_SCAN && effect->scan == GR_SCAN_HINTS) {
        p->owner = effect->owner;
        p->one_key = effect->key.key.size > 0;
        p->key = find_key(world, &effect->key);
    } else if (effect->type == GR_EFFECT_SEND) {
        p->dot = effect->message->dot;
        assert_true(effect->message->run == RUN);
        assert_true(effect->message->to == 1000u + effect->peer);
        p->ticket = effect->message->id;
        p->message = effect->message->type;
        p->peer = effect->peer;
        p->owner = world->ring.member[effect->peer].id;
        p->key = find_key(world, &effect->message->key);
        p->partition = effect->message->partition;
        p->index = effect->message->index;
        p->branches = effect->message->branches;
        p->asked = effect->message->partition_count;
        p->cursor = effect->message->cursor;
        p->cursor_end = effect->message->cursor_end;
    }
}

static inline void step(struct world *world, struct gr_event event)
{
    struct gr_sink sink = {emit, world};
    world->effects = 0;
    event.now = world->now;
    event.wall.ms = world->wall_ms + world->now.ns / 1000000;
    bool waits = event.type == GR_EVENT_REQUEST || event.type == GR_EVENT_MESSAGE;
    if (waits && chance(world, 100)) // it cannot have come before the world began
        event.waited.ns = GR_MIN((int64_t)below(world, 300) * 1000000, world->now.ns);
    gr_node_step(world->node, &event, &sink);
    gr_arena_clear(&world->arena);
    for (uint16_t m = 0; m < MEMBERS; m++) {
        uint64_t count = 0;
        for (uint32_t i = 0; i < world->hint_count; i++)
            count += world->hint[i].hint.owner == world->ring.member[m].id;
        assert_true(gr_node_debt(world->node, m).count == count);
    }
}

// ---- what is said ---------------------------------------------------------------------------

// One or two siblings of peers' dots, and a context that covers them.
static inline struct gr_record some_record(struct world *world, bool values)
{
    struct gr_sibling *sibling = gr_arena_array(&world->arena, struct gr_sibling, 2);
    struct gr_dot dot[3];
    uint32_t count = below(world, 3);
    for (uint32_t i = 0; i < 3; i++)
        dot[i] = (struct gr_dot){{100, 1}, 1 + below(world, 40) * 3 + i};
    if (count == 2 && gr_dot_compare(&dot[0], &dot[1]) > 0) {
        struct gr_dot swap = dot[0];
        dot[0] = dot[1];
        dot[1] = swap;
    }
    for (uint32_t i = 0; i < count; i++) {
        gr_hybrid time = gr_hybrid_from((struct gr_wall){world->wall_ms}) + below(world, 9 << 26);
        sibling[i] = (struct gr_sibling){.dot = dot[i],
            .origin = {time, {1, time}},
            .bare = !values && chance(world, 500),
            .expires = {chance(world, 300) ? world->wall_ms + below(world, 5000) : 0}};
        sibling[i].value = gr_bytes("value", sibling[i].bare ? 0 : 5);
    }
    struct gr_dot base = {{100, 1}, below(world, 60) + 1};
    return (struct gr_record){.sibling = sibling,
        .count = count,
        .context = gr_context_make(&world->arena, &base, below(world, 2), dot, 3)};
}

static inline enum gr_err some_err(struct world *world)
{
    static const enum gr_err err[] = {GR_ERR_BUSY, GR_ERR_NOT_OWNER, GR_ERR_NO_SPACE, GR_ERR_IO,
        GR_ERR_CORRUPT, GR_ERR_LIMIT_SIBLINGS, GR_ERR_QUORUM, GR_ERR_TIMEOUT};
    return chance(world, world->calm ? 0 : 200) ? err[below(world, GR_COUNT(err))] : GR_OK;
}

static inline void say(struct world *world, uint16_t peer, struct gr_message *message)
{
    message->run = 1000u + peer;
    // Of deltas none may be lost: their gaps would never close.
    bool late = !world->calm && message->type != GR_MSG_DELTA && chance(world, 20);
    message->to = late ? RUN - 1 : RUN;
    message->sequence = ++world->sequence[peer];
    message->deadline_ms = below(world, 300);
    message->hybrid = gr_hybrid_from((struct gr_wall){world->wall_ms + below(world, 100000)});
    struct gr_event event = {.type = GR_EVENT_MESSAGE, .peer = peer, .message = message};
    step(world, event);
}

// The keys of a range in the order of records, as stored or as somebody else may have them.
static inline uint32_t some_page(
    struct world *world, struct pending *p, bool own, struct gr_entry *entry)
{
    uint32_t count = 0;
    for (int k = 0; k < KEYS; k++) {
        gr_cursor cursor = gr_cursor_of(world->key[k].slot, world->key[k].hash);
        struct gr_record record = world->stored[k];
        if (!own && chance(world, 500))
            record = some_record(world, false);
        if (cursor < p->cursor || cursor >= p->cursor_end || (own && gr_record_empty(&record)) ||
            gr_ring_partition(&world->ring, world->key[k].slot) != p->partition)
            continue;
        uint32_t at = count++;
        for (; at > 0 && gr_key_compare(&world->key[k], &entry[at - 1].key) < 0; at--)
            entry[at] = entry[at - 1];
        entry[at] = (struct gr_entry){
            .key = world->key[k], .record = gr_record_copy(&p->arena, &record, true)};
    }
    return count;
}

#endif
