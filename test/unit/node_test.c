// node.h: one node among peers, clients and a disk that do as they please.
//
// Not what is answered is looked at here (test/script and sim do that) but what must hold whatever
// happens: one REPLY for each request (N1), no assertion, a bounded number of effects in a step,
// and when all is quiet no call, no memory and no timer but housekeeping's is left. Bounds are
// drawn small, so that full queues, evicted late calls and forgotten headers are the ordinary case.
#include "test/unit/node_world.h"

// ---- answers ---------------------------------------------------------------------------------

static struct gr_clock some_clock(struct world *world)
{
    struct gr_clock clock = {
        .row = gr_arena_array(&world->arena, struct gr_clock_row, 1), .count = below(world, 2)};
    clock.row[0] = (struct gr_clock_row){.actor = {100, 1}, .base = 1 + below(world, 60)};
    return clock;
}

// This node's own sums, or something else.
static const struct gr_sum *some_sums(
    struct world *world, uint32_t partition, uint32_t branches, bool equal, uint32_t *ret_count)
{
    struct gr_sum *sum = gr_arena_array(&world->arena, struct gr_sum, GR_MERKLE_LEAVES_MAX);
    const struct gr_sum *tree = gr_node_tree(world->node, partition);
    uint32_t leaves = gr_merkle_leaves(&world->ring), width = leaves / GR_MERKLE_BRANCHES;
    *ret_count = 0;
    for (uint32_t i = 0; i < GR_MERKLE_BRANCHES; i++)
        for (uint32_t k = 0; k < (branches != 0 ? width : 1); k++) {
            uint32_t from = i * width + k, to = branches != 0 ? from + 1 : from + width;
            if (branches != 0 && !(branches >> i & 1))
                continue;
            sum[*ret_count] = tree == NULL ? (struct gr_sum){0} : gr_merkle_sum(tree, from, to);
            sum[(*ret_count)++].low += !equal && chance(world, 300);
        }
    return sum;
}

// What a replica says that has seen all that this node has: and holds what it holds, or more.
static struct gr_record knowing(struct world *world, uint32_t partition, int key, bool shows)
{
    struct gr_record record = some_record(world, true);
    struct gr_context fill = gr_clock_fill(&world->arena, gr_node_clock(world->node, partition));
    fill = gr_context_join(&world->arena, &fill, &world->stored[key].context);
    record.context = shows ? gr_context_join(&world->arena, &record.context, &fill) : fill;
    record.count = shows ? record.count : 0;
    return record;
}

static bool answer_entropy(struct world *world, struct pending *p, struct gr_message *m)
{
    struct gr_message answer = {.id = m->id, .status = m->status, .index = p->index};
    static uint64_t hash[PARTITIONS];
    static uint16_t list[PARTITIONS];
    struct gr_entry *entry = gr_arena_array(&world->arena, struct gr_entry, KEYS);
    struct gr_clock *clock = gr_arena_array(&world->arena, struct gr_clock, 1);
    switch (p->message) {
    case GR_MSG_PROBE:
        answer.type = GR_MSG_PROBED;
        for (uint32_t i = 0; i < PARTITIONS; i++)
            if (gr_ring_position(&world->ring, i, 0) >= 0 &&
                gr_ring_position(&world->ring, i, p->peer) >= 0) {
                list[answer.hash_count] = (uint16_t)i;
                hash[answer.hash_count++] = below(world, 9);
            }
        answer.hash_count *= !chance(world, 200);
        answer.partition_count = answer.hash_count;
        answer.partition_list = list;
        answer.hash_list = hash;
        break;
    case GR_MSG_COVER:
        answer.type = GR_MSG_COVERED;
        for (uint16_t i = 0; i < PARTITIONS && chance(world, 800); i++)
            list[answer.partition_count++] = i;
        answer.partition_list = list;
        break;
    case GR_MSG_BEGIN:
        answer.type = GR_MSG_BEGUN;
        *clock = some_clock(world);
        answer.clock_list = clock;
        answer.clock_count = 1;
        answer.sum_list = some_sums(world, p->partition, 0, chance(world, 300), &answer.sum_count);
        break;
    case GR_MSG_BRANCH:
        answer.type = GR_MSG_LEAVES;
        answer.sum_list = some_sums(world, p->partition, p->branches, false, &answer.sum_count);
        break;
    case GR_MSG_WALK:
        answer.type = GR_MSG_PAGE;
        answer.cursor = p->cursor_end;
        answer.entry = entry;
        answer.entry_count = some_page(world, p, false, entry);
        break;
    case GR_MSG_OFFER:
        answer.type = GR_MSG_TAKEN;
        answer.record = chance(world, 300) ? some_record(world, false)
                                           : knowing(world, p->partition, p->key, true);
        break;
    case GR_MSG_JOIN:
        answer.type = GR_MSG_JOINED;
        break;
    default:
        return false;
    }
    *m = answer;
    return true;
}

static void answer_peer(struct world *world, struct pending *p)
{
    struct gr_message m = {.id = p->ticket, .status = some_err(world)};
    if (answer_entropy(world, p, &m)) {
        say(world, p->peer, &m);
        return;
    }
    switch (p->message) {
    case GR_MSG_FORWARD:
        m.type = GR_MSG_FORWARDED;
        if (m.status == GR_OK && chance(world, 100))
            m.status = GR_ERR_TIME_BEHIND;
        m.outcome = m.status == GR_OK    ? GR_DONE
                    : chance(world, 500) ? GR_REJECTED
                                         : GR_INDETERMINATE;
        m.hybrid_needed = gr_hybrid_from((struct gr_wall){world->wall_ms + 100000});
        m.settled = chance(world, 500);
        m.acks = (uint8_t)below(world, 4);
        m.durable_acks = (uint8_t)below(world, m.acks + 1u);
        break;
    case GR_MSG_DELTA:
        m.type = GR_MSG_ACK;
        m.durable = world->calm || chance(world, 800);
        break;
    case GR_MSG_READ:
        m.type = GR_MSG_STATE;
        m.record = some_record(world, false);
        break;
    case GR_MSG_SCAN:
        m.type = GR_MSG_PAGE;
        m.cursor = (gr_cursor)gr_ring_first_slot(&world->ring, p->partition + 1) << 38;
        break;
    case GR_MSG_COUNT:
        m.type = GR_MSG_COUNTED;
        m.count = below(world, 9);
        break;
    default:
        return; // an answer, or a repair
    }
    struct kept *kept = find_hint(world, p->owner, p->key, &p->dot);
    if (p->message == GR_MSG_DELTA && kept != NULL && m.status == GR_OK && m.durable)
        kept->acked = true;
    say(world, p->peer, &m);
}

// Some of the hints that were asked for, in the order of keys; what was kept since may be missing.
static void answer_hints(struct world *world, const struct pending *p, struct gr_event *event)
{
    struct gr_hint *hint = gr_arena_array(&world->arena, struct gr_hint, HINTS_MAX);
    event->cursor = GR_CURSOR_END;
    for (uint32_t i = 0; i < world->hint_count; i++) {
        const struct kept *kept = &world->hint[i];
        bool shown = kept->hint.owner == p->owner && (!p->one_key || kept->key == p->key) &&
                     !(p->early && kept->number > p->kept);
        if (shown && event->hint_count < 64)
            hint[event->hint_count++] = kept->hint;
        else if (shown)
            event->cursor = 0;
    }
    event->hint = hint;
}

static void answer_disk(struct world *world, struct pending *p)
{
    struct gr_event event = {.ticket = p->ticket};
    struct gr_entry entry[KEYS];
    if (p->type == GR_EFFECT_READ) {
        event.type = GR_EVENT_READ_DONE;
        bool fails = !world->calm && chance(world, 50);
        event.record = p->early ? p->record : world->stored[p->key];
        event.status = fails ? GR_ERR_CORRUPT : GR_OK;
        if (!fails && gr_record_empty(&event.record))
            event.status = GR_ERR_NOT_FOUND;
        step(world, event);
        return;
    }
    event.type = GR_EVENT_SCAN_DONE;
    event.status = !world->calm && chance(world, 100) ? GR_ERR_IO : GR_OK;
    event.cursor = (gr_cursor)gr_ring_first_slot(&world->ring, p->partition + 1) << 38;
    if (p->cursor_end != 0)
        event.cursor = p->cursor_end;
    p->cursor_end = event.cursor;
    event.number = p->early ? p->number : world->written;
    if (p->scan == GR_SCAN_RECORDS && p->early)
        memcpy(entry, p->entry, sizeof entry);
    if (p->scan == GR_SCAN_RECORDS)
        event.entry_count = p->early ? p->entry_count : some_page(world, p, true, entry);
    if (p->scan == GR_SCAN_HINTS && event.status == GR_OK)
        answer_hints(world, p, &event);
    bool index = p->scan == GR_SCAN_DUE || p->scan == GR_SCAN_LEFTOVER;
    for (int k = 0; k < KEYS && index; k++)
        if (p->scan == GR_SCAN_DUE ||
            gr_ring_partition(&world->ring, world->key[k].slot) == p->partition)
            entry[event.entry_count++] = (struct gr_entry){.key = world->key[k]};
    event.entry = entry;
    step(world, event);
}

static void answer_one(struct world *world)
{
    if (world->pending_count == 0)
        return;
    uint32_t at = below(world, world->pending_count);
    struct pending p = world->pending[at];
    world->pending[at] = world->pending[--world->pending_count];
    if (p.type != GR_EFFECT_SEND)
        answer_disk(world, &p);
    else if (world->calm || !chance(world, 300))
        answer_peer(world, &p);
    gr_arena_deinit(&p.arena);
}

// ---- questions -------------------------------------------------------------------------------

static uint8_t some_quorum(struct world *world)
{
    return (uint8_t)(chance(world, 300) ? GR_QUORUM_LOCAL + below(world, 2) : below(world, 5));
}

static void ask(struct world *world)
{
    if (world->requests == REQUESTS)
        return;
    struct gr_request request = {
        .ticket = world->requests++,
        .op = (enum gr_op)below(world, GR_OP_EXPLAIN + 1),
        .key = world->key[below(world, KEYS)],
        .r = some_quorum(world),
        .pr = (uint8_t)below(world, 3),
        .w = some_quorum(world),
        .pw = (uint8_t)below(world, 3),
        .dw = (uint8_t)below(world, 3),
        .timeout = gr_span_ms(below(world, 200)),
        .value = gr_bytes("a value of a client", below(world, 20)),
        .verb = (enum gr_verb)below(world, GR_VERB_GETDEL + 1),
        .condition = (enum gr_expire_condition)below(world, GR_EXPIRE_LT + 1),
        .remove = chance(world, 200),
        .xx = chance(world, 300),
        .keep_ttl = chance(world, 300),
        .want_old = chance(world, 300),
        .persist = chance(world, 300),
        .limit = below(world, 5),
    };
    request.expires.ms = chance(world, 500) ? world->wall_ms + below(world, 9000) : 0;
    if (chance(world, 200))
        request.context = some_record(world, true).context;
    step(world, (struct gr_event){.type = GR_EVENT_REQUEST, .request = &request});
}

static void peer_asks(struct world *world)
{
    static const enum gr_message_type type[] = {
        GR_MSG_FORWARD, GR_MSG_DELTA, GR_MSG_READ, GR_MSG_REPAIR, GR_MSG_SCAN, GR_MSG_COUNT};
    struct gr_message m = {.type = type[below(world, GR_COUNT(type))],
        .id = 1 + below(world, 1000),
        .key = world->key[below(world, KEYS)],
        .bare = chance(world, 500),
        .durable = chance(world, 200),
        .limit = 3,
        .partition = below(world, PARTITIONS)};
    if (chance(world, 400))
        m.record = some_record(world, true);
    // 2, 1, 4, 3 ...: each second one closes the gap that the one before it left.
    uint64_t *counter = &world->counter[gr_ring_partition(&world->ring, m.key.slot)];
    m.dot = (struct gr_dot){{101, 1}, (*counter ^ 1) + 1};
    bool stands_in = (m.type == GR_MSG_DELTA || m.type == GR_MSG_READ) && chance(world, 300);
    *counter += m.type == GR_MSG_DELTA && !stands_in;
    if (stands_in) {
        m.owed_to = 1 + below(world, MEMBERS + 1);
        m.dot = (struct gr_dot){{102, 1}, ++world->hint_counter};
    }
    uint64_t passed[] = {1 + below(world, MEMBERS + 1), 1 + below(world, MEMBERS)};
    if (m.type == GR_MSG_DELTA && !stands_in && chance(world, 300)) {
        m.relay_list = passed;
        m.relay_count = below(world, 3);
        m.asked_by = m.relay_count > 0 ? 0 : below(world, MEMBERS + 2);
    }
    struct gr_context own = gr_context_make(&world->arena, NULL, 0, &m.dot, 1);
    m.record.context = gr_context_join(&world->arena, &m.record.context, &own);
    gr_hybrid time = gr_hybrid_from((struct gr_wall){world->wall_ms + below(world, 5000)});
    m.write = (struct gr_write){.id = {1, time},
        .origin = {time, {1, time}},
        .remove = chance(world, 200),
        .plain = chance(world, 500),
        .value = gr_bytes("forwarded", 9),
        .w = (uint8_t)(1 + below(world, 3))};
    uint16_t list[] = {1, 2};
    m.partition_list = list;
    m.partition_count = 2;
    say(world, (uint16_t)(1 + below(world, MEMBERS - 1)), &m);
}

// An exchange that a peer began: its messages in any order.
static void peer_exchanges(struct world *world)
{
    static const enum gr_message_type type[] = {GR_MSG_PROBE, GR_MSG_COVER, GR_MSG_BEGIN,
        GR_MSG_BRANCH, GR_MSG_WALK, GR_MSG_WALK, GR_MSG_OFFER, GR_MSG_OFFER, GR_MSG_JOIN};
    int k = (int)below(world, KEYS);
    uint16_t list[] = {(uint16_t)below(world, PARTITIONS)};
    struct gr_clock clock = some_clock(world);
    struct gr_message m = {.type = type[below(world, GR_COUNT(type))],
        .id = 7,
        .partition = gr_ring_partition(&world->ring, world->key[k].slot),
        .partition_list = list,
        .partition_count = 1,
        .clock_list = &clock,
        .clock_count = 1,
        .branches = below(world, 1 << GR_MERKLE_BRANCHES),
        .limit = 1 + below(world, 2000),
        .key = world->key[k],
        .hash = below(world, 9)};
    m.cursor = gr_merkle_first(&world->ring, m.partition, below(world, 2) * 100);
    m.cursor_end = gr_merkle_first(&world->ring, m.partition, 200);
    m.record = knowing(world, m.partition, k, chance(world, 500));
    say(world, (uint16_t)(1 + below(world, 2)), &m);
}

static void pass_time(struct world *world, int64_t us)
{
    world->now.ns += us * 1000;
    if (gr_instant_reached(world->now, gr_node_deadline(world->node)))
        step(world, (struct gr_event){.type = GR_EVENT_TICK});
}

static void change_link(struct world *world, uint16_t peer, bool up)
{
    uint8_t unspoken = chance(world, 300) ? (uint8_t)below(world, 8) : 0;
    step(world, (struct gr_event){.type = GR_EVENT_LINK,
                    .peer = peer,
                    .up = up,
                    .run = 1000u + peer,
                    .unspoken = unspoken});
}

static void set_links(struct world *world, bool up)
{
    for (uint16_t m = 1; m < MEMBERS; m++)
        change_link(world, m, up);
}

static void any_event(struct world *world)
{
    uint32_t dice = below(world, 1000);
    if (dice < 200)
        ask(world);
    else if (dice < 650)
        answer_one(world);
    else if (dice < 770)
        peer_asks(world);
    else if (dice < 800)
        peer_exchanges(world);
    else if (dice < 880)
        step(world,
            (struct gr_event){.type = chance(world, 500) ? GR_EVENT_SYNCED : GR_EVENT_APPLIED,
                .number = world->written});
    else if (dice < 890)
        change_link(world, (uint16_t)(1 + below(world, MEMBERS - 1)), chance(world, 600));
    else if (dice < 893)
        step(world, (struct gr_event){.type = GR_EVENT_STORE, .status = some_err(world)});
    else if (dice < 895)
        world->wall_ms += (int64_t)below(world, 20000) - 10000;
    else
        pass_time(world, below(world, 10000));
}

// ---- a run -----------------------------------------------------------------------------------

static void begin(struct world *world, uint64_t seed)
{
    static const char *const name[KEYS] = {"foo", "{foo}2", "{foo}3", "bar", "{bar}2", "baz"};
    static struct gr_member member[MEMBERS];
    *world = (struct world){.wall_ms = 1200000000000};
    gr_random_init(&world->random, seed);
    for (int k = 0; k < KEYS; k++)
        world->key[k] = gr_key_make(gr_bytes_text("b"), gr_bytes_text(name[k]));
    uint32_t sites = 1 + below(world, 3);
    for (int m = 0; m < MEMBERS; m++)
        member[m].site[0] = (char)('a' + below(world, sites));
    gr_ring_init(&world->ring, PARTITIONS, 3, member, MEMBERS);
    struct gr_node_config config = gr_node_config_default();
    config.actor = (struct gr_actor){1, 1};
    config.run = RUN;
    config.seed = seed;
    config.ring = &world->ring;
    config.durability = (enum gr_durability)below(world, GR_DURABILITY_COUNT);
    config.calls_max = 1 + below(world, 60);
    config.memory_max = 2000 + below(world, 100000);
    config.latch_queue_max = 1 + below(world, 5);
    config.header_bytes_max = below(world, 2000);
    config.hint_bytes_max = below(world, 20000);
    config.exchange_interval = gr_span_ms(1 + below(world, 40));
    config.exchange_grace = gr_span_ms(1 + below(world, 10));
    config.scrub_interval = gr_span_ms(1 + below(world, 1000));
    config.background.slice_rate_min = 64;
    config.background.slice_rate_max = chance(world, 300) ? 64 : 8000;
    if (config.background.slice_rate_max == 64) // a scrub without end would take them all
        config.scrub_interval = gr_span_ms(100000);
    world->node = gr_node_new(&config);
    set_links(world, true);
}

static void settle(struct world *world)
{
    world->calm = true;
    set_links(world, true);
    step(world, (struct gr_event){.type = GR_EVENT_STORE, .status = GR_OK});
    for (int i = 0; i < 200; i++) {
        pass_time(world, 100000);
        for (int k = 0; k < PENDING_MAX && world->pending_count > 0; k++)
            answer_one(world);
        step(world, (struct gr_event){.type = GR_EVENT_SYNCED, .number = world->written});
    }
    assert_int_equal(world->pending_count, 0);
    assert_int_equal(world->hint_count, 0); // all were handed over
}

static void end(struct world *world)
{
    gr_node_free(world->node);
    gr_ring_deinit(&world->ring);
    for (uint32_t i = 0; i < world->pending_count; i++)
        gr_arena_deinit(&world->pending[i].arena);
    for (int k = 0; k < KEYS; k++)
        gr_arena_deinit(&world->stored_arena[k]);
    for (uint32_t i = 0; i < world->hint_count; i++)
        gr_arena_deinit(&world->hint[i].arena);
    gr_arena_deinit(&world->arena);
    assert_int_equal(gr_test_blocks(), 0);
}

static struct world world;

static void test_whatever_happens(void **state)
{
    (void)state;
    struct gr_probes reached = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        begin(&world, seed);
        for (int i = 0; i < 6000; i++)
            any_event(&world);
        settle(&world);
        for (uint32_t i = 0; i < world.requests; i++)
            assert_int_equal(world.replies[i], 1); // N1
        struct gr_node_stats stats = gr_node_stats(world.node);
        assert_int_equal(stats.calls, 0);
        assert_int_equal(stats.memory, 0);
        assert_true(stats.header_bytes <= gr_node_config(world.node)->header_bytes_max);
        assert_int_equal(stats.latches > 0, stats.header_bytes > 0);
        assert_true(gr_node_deadline(world.node).ns <= world.now.ns + 1000000000);
        for (int p = 0; p < GR_PROBE_COUNT; p++)
            reached.reached[p] += gr_node_probes(world.node)->reached[p];
        end(&world);
    }
    for (int p = 0; p < GR_PROBE_COUNT; p++) // else this test would show little
        if (reached.reached[p] == 0 && (p < GR_PROBE_RING_ADOPTED || p > GR_PROBE_HINT_OWN))
            fail_msg("never reached: %s", gr_probe_text((enum gr_probe)p));
}

// A node may be freed in the middle of everything.
static void test_freed_at_any_time(void **state)
{
    (void)state;
    for (uint64_t seed = 100; seed <= 140; seed++) {
        begin(&world, seed);
        for (uint64_t i = 0; i < (seed - 99) * 20; i++)
            any_event(&world);
        end(&world);
    }
}

// Over all partitions: what a peer is told of the runs of its store.
static void test_run_seen(void **state)
{
    (void)state;
    begin(&world, 7);
    gr_node_load_clock(world.node, 0, (struct gr_actor){50, 3}, (struct gr_interval){4, 5});
    gr_node_load_clock(world.node, 5, (struct gr_actor){50, 8}, (struct gr_interval){1, 1});
    gr_node_load_clock(world.node, 7, (struct gr_actor){50, 6}, (struct gr_interval){1, 9});
    assert_true(gr_node_run_seen(world.node, 50) == 8);
    assert_true(gr_node_run_seen(world.node, 51) == 0);
    end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whatever_happens),
        cmocka_unit_test(test_freed_at_any_time),
        cmocka_unit_test(test_run_seen),
    };
    return cmocka_run_group_tests_name("node", tests, NULL, NULL);
}
