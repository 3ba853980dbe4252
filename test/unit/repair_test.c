// core/repair.c, core/progress.c: what a node knows of its peers, and what an operator asks for.
//
// One node of three, all partitions on each; its disk is empty and answers at once. Its peers are
// played here: what they show of their clocks, and how far exchanges go.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/node.h"
#include "test/hooks.h"

enum { MEMBERS = 3, PARTITIONS = 4, SELF = 0, RUN = 7, PENDING_MAX = 64, MS = 1000000 };

#define SECOND INT64_C(1000000000)

struct world {
    struct gr_ring ring;
    struct gr_node *node;
    struct gr_instant now;
    uint64_t sequence[MEMBERS];
    // What the node has asked for and what is not answered yet.
    struct {
        enum gr_effect_type type;
        enum gr_message_type message;
        uint16_t peer;
        uint64_t id; // or ticket
        uint32_t partition;
        gr_cursor cursor_end;
    } asked[PENDING_MAX];
    uint32_t asked_count;
    uint32_t begins, scans;
    uint64_t written;
    enum gr_err disk; // how the next page is answered
};
static struct world world;

static void emit(void *host, const struct gr_effect *effect)
{
    (void)host;
    bool scan = effect->type == GR_EFFECT_SCAN;
    if (effect->type == GR_EFFECT_WRITE)
        world.written = effect->write->number;
    if (!scan && effect->type != GR_EFFECT_SEND)
        return;
    assert_true(world.asked_count < PENDING_MAX);
    uint32_t at = world.asked_count++;
    world.asked[at].type = effect->type;
    world.asked[at].partition = scan ? effect->partition : effect->message->partition;
    world.asked[at].id = scan ? effect->ticket : effect->message->id;
    world.asked[at].cursor_end = effect->cursor_end;
    if (scan) {
        // Housekeeping's scans have no end.
        world.scans += effect->scan == GR_SCAN_RECORDS;
        return;
    }
    world.asked[at].message = effect->message->type;
    world.asked[at].peer = effect->peer;
    world.begins += effect->message->type == GR_MSG_BEGIN;
}

static void step(struct gr_event event)
{
    struct gr_sink sink = {emit, NULL};
    event.now = world.now;
    event.wall.ms = 1700000000000 + world.now.ns / MS;
    gr_node_step(world.node, &event, &sink);
}

static void say(uint16_t peer, struct gr_message message)
{
    message.run = 1000u + peer;
    message.to = RUN;
    message.sequence = ++world.sequence[peer];
    step((struct gr_event){.type = GR_EVENT_MESSAGE, .peer = peer, .message = &message});
}

// Takes the oldest question of a kind out; false if there is none.
static bool take(enum gr_effect_type type, enum gr_message_type message, uint32_t *ret_at)
{
    for (uint32_t i = 0; i < world.asked_count; i++) {
        if (world.asked[i].type != type ||
            (type == GR_EFFECT_SEND && world.asked[i].message != message))
            continue;
        *ret_at = PENDING_MAX - 1;
        world.asked[PENDING_MAX - 1] = world.asked[i];
        memmove(&world.asked[i], &world.asked[i + 1],
            (--world.asked_count - i) * sizeof world.asked[0]);
        return true;
    }
    return false;
}

// The disk answers everything, and time passes until then.
static void pass_time(int64_t ms)
{
    int64_t until = world.now.ns + ms * MS;
    for (;;) {
        uint32_t at;
        while (take(GR_EFFECT_SCAN, 0, &at)) {
            struct gr_event page = {.type = GR_EVENT_SCAN_DONE,
                .ticket = world.asked[at].id,
                .cursor = world.asked[at].cursor_end,
                .status = world.asked[at].cursor_end > 0 ? world.disk : GR_OK,
                .number = world.written};
            if (world.asked[at].cursor_end > 0)
                world.disk = GR_OK;
            step(page);
        }
        struct gr_instant deadline = gr_node_deadline(world.node);
        if (deadline.ns > until)
            break;
        world.now.ns = GR_MAX(world.now.ns, deadline.ns);
        step((struct gr_event){.type = GR_EVENT_TICK});
    }
    world.now.ns = until;
}

static void link_to(uint16_t peer, bool up)
{
    step((struct gr_event){.type = GR_EVENT_LINK, .peer = peer, .up = up, .run = 1000u + peer});
}

static void forget_questions(void)
{
    world.asked_count = 0;
}

static int open_world(void **state)
{
    (void)state;
    static struct gr_member member[MEMBERS];
    for (int m = 0; m < MEMBERS; m++)
        snprintf(member[m].host, sizeof member[m].host, "host%d", m);
    world = (struct world){.now = {100 * SECOND}};
    gr_ring_init(&world.ring, PARTITIONS, MEMBERS, member, MEMBERS);
    struct gr_node_config config = gr_node_config_default();
    config.self = SELF;
    config.actor = (struct gr_actor){1, (uint64_t)5 << 32};
    config.run = RUN;
    config.seed = 1;
    config.ring = &world.ring;
    world.node = gr_node_new(&config);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    gr_node_free(world.node);
    gr_ring_deinit(&world.ring);
    return gr_test_blocks() == 0 ? 0 : -1;
}

static void begin(void)
{
    link_to(1, true);
    link_to(2, true);
    pass_time(100);
}

static struct gr_repair_view look(void)
{
    struct gr_repair_view view, again;
    gr_repair_look(world.node, world.now, &view);
    gr_repair_look(world.node, world.now, &again);
    assert_memory_equal(&view, &again, sizeof view); // R1
    assert_int_equal(view.whole + view.behind + view.unknown, view.partitions);
    return view;
}

static struct gr_repair_partition look_at(uint32_t partition)
{
    struct gr_repair_partition view;
    gr_repair_look_partition(world.node, partition, world.now, &view);
    return view;
}

static struct gr_repair_peer look_at_peer(uint16_t peer)
{
    struct gr_repair_peer view;
    gr_repair_look_peer(world.node, peer, world.now, &view);
    assert_int_equal(view.shared, PARTITIONS);
    return view;
}

// The clock of an actor who made `count` writes.
static struct gr_clock clock_of(struct gr_clock_row *row, uint64_t count)
{
    *row = (struct gr_clock_row){.actor = {99, 1}, .base = count};
    return (struct gr_clock){.row = row, .count = count > 0};
}

// A peer asks whether its clock of a partition, `count` writes, has been seen.
static void cover(uint16_t peer, uint32_t partition, uint64_t count)
{
    struct gr_clock_row row;
    struct gr_clock clock = clock_of(&row, count);
    uint16_t list = (uint16_t)partition;
    say(peer, (struct gr_message){.type = GR_MSG_COVER,
                  .id = 70,
                  .partition_list = &list,
                  .partition_count = 1,
                  .clock_list = &clock,
                  .clock_count = 1});
}

// A peer's exchange: it begins, offers one key of three bytes, and joins a clock of `count` writes.
static void be_given(uint16_t peer, uint32_t partition, uint64_t count)
{
    struct gr_clock_row row;
    struct gr_clock clock = clock_of(&row, count);
    say(peer, (struct gr_message){.type = GR_MSG_BEGIN, .id = 71, .partition = partition});
    struct gr_key key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("foo"));
    if (gr_ring_partition(&world.ring, key.slot) == partition) {
        struct gr_dot dot = {{99, 1}, 1};
        struct gr_sibling sibling = {.dot = dot, .value = gr_bytes_text("seven b")};
        struct gr_record record = {
            .sibling = &sibling, .count = 1, .context = {.vv = &dot, .vv_count = 1}};
        say(peer,
            (struct gr_message){.type = GR_MSG_OFFER, .id = 71, .key = key, .record = record});
    }
    say(peer, (struct gr_message){.type = GR_MSG_JOIN,
                  .id = 71,
                  .partition = partition,
                  .clock_list = &clock,
                  .clock_count = 1});
}

// Answers a BEGIN: the peer has the same tree and clock, or refuses.
static void answer_begin(uint32_t at, enum gr_err status)
{
    struct gr_sum none[GR_MERKLE_BRANCHES] = {0};
    const struct gr_clock *clock = gr_node_clock(world.node, world.asked[at].partition);
    say(world.asked[at].peer, (struct gr_message){.type = GR_MSG_BEGUN,
                                  .id = world.asked[at].id,
                                  .status = status,
                                  .clock_list = clock,
                                  .clock_count = 1,
                                  .sum_list = none,
                                  .sum_count = GR_MERKLE_BRANCHES});
}

// Answers what the node begins for so long, and how.
static uint32_t answer_begins(int64_t ms, enum gr_err status)
{
    uint32_t answered = 0, at;
    for (int64_t i = 0; i < ms; i++) {
        pass_time(1);
        while (take(GR_EFFECT_SEND, GR_MSG_BEGIN, &at)) {
            answer_begin(at, status);
            answered++;
        }
    }
    return answered;
}

// Answers the node's next probe with `equal`, or with hashes that differ from all but partition
// 0's.
static uint16_t answer_probe(bool equal)
{
    uint32_t at;
    forget_questions();
    for (int i = 0; i < 100; i++) {
        pass_time(500);
        if (!take(GR_EFFECT_SEND, GR_MSG_PROBE, &at))
            continue;
        uint64_t hash[PARTITIONS] = {gr_clock_hash(gr_node_clock(world.node, 0)), 1, 2, 3};
        uint16_t list[PARTITIONS];
        for (uint16_t p = 0; p < PARTITIONS; p++)
            list[p] = p;
        say(world.asked[at].peer, (struct gr_message){.type = GR_MSG_PROBED,
                                      .id = world.asked[at].id,
                                      .partition_list = list,
                                      .partition_count = equal ? 0 : PARTITIONS,
                                      .hash_list = hash,
                                      .hash_count = equal ? 0 : PARTITIONS});
        return world.asked[at].peer;
    }
    fail();
    return 0;
}

// ---- what is known -----------------------------------------------------------------------------

static void test_unknown_until_compared(void **state)
{
    (void)state;
    struct gr_repair_view view = look();
    assert_int_equal(view.partitions, PARTITIONS);
    assert_int_equal(view.read, 0);
    assert_int_equal(view.run, 5);
    begin();
    view = look();
    assert_int_equal(view.read, PARTITIONS);
    assert_int_equal(view.whole, 0); // G1
    assert_int_equal(view.unknown, PARTITIONS);
    assert_int_equal(view.left_s, 0);
    uint16_t first = answer_probe(true);
    view = look();
    assert_int_equal(view.whole, 0); // G2: the other has not been asked
    assert_int_equal(look_at_peer(first).whole, PARTITIONS);
    assert_int_equal(look_at_peer(3 - first).unknown, PARTITIONS);
    assert_int_equal(answer_probe(false), 3 - first);
    view = look();
    assert_int_equal(view.whole, 1);
    assert_int_equal(look_at_peer(3 - first).whole, 1);
    assert_int_equal(look_at(0).state, GR_REPAIR_WHOLE);
    // It has seen nothing, and the other has: no need to be told.
    assert_int_equal(look_at(1).state, GR_REPAIR_BEHIND);
    pass_time(2500);
    assert_true(look_at_peer(3 - first).oldest.ns == 2500 * (int64_t)MS);
}

static void test_refill(void **state)
{
    (void)state;
    begin();
    forget_questions();
    for (uint32_t p = 0; p < PARTITIONS; p++) {
        cover(1, p, 10);
        cover(2, p, 10);
    }
    struct gr_repair_view view = look();
    assert_int_equal(view.behind, PARTITIONS);
    assert_int_equal(view.left_s, GR_PACE_UNKNOWN);
    assert_int_equal(look_at_peer(2).behind, PARTITIONS);
    pass_time(2000);
    forget_questions();
    assert_true(look().behind_for.ns == 2 * SECOND);
    assert_true(look_at(1).pair[0].here_age.ns == 2 * SECOND);
    // The one shows the clock that the other showed: both are caught up with.
    be_given(1, 0, 10);
    view = look();
    assert_int_equal(view.behind, PARTITIONS - 1);
    assert_int_equal(view.whole, 1);
    assert_int_equal(view.left_s, 6); // one in two seconds
    be_given(2, 1, 12);               // this one had more by then
    assert_int_equal(look_at(1).pair[1].here, GR_REPAIR_WHOLE);
    assert_int_equal(look_at(1).pair[0].here, GR_REPAIR_BEHIND);
    cover(1, 1, 11);
    assert_int_equal(look_at(1).state, GR_REPAIR_WHOLE);
    for (uint32_t p = 2; p < PARTITIONS; p++)
        be_given(1, p, 10);
    view = look();
    assert_int_equal(view.whole, PARTITIONS);
    assert_int_equal(view.left_s, 0);
    assert_true(view.behind_for.ns == 0);
    assert_true(view.total[GR_REPAIR_KEYS_IN] == 1 && view.minute[GR_REPAIR_KEYS_IN] == 1);
    assert_true(view.total[GR_REPAIR_BYTES_IN] == 10);
    assert_true(view.total[GR_REPAIR_KEYS_OUT] == 0);
    pass_time(61000);
    assert_true(look().minute[GR_REPAIR_KEYS_IN] == 0);
}

static void test_peer_behind(void **state)
{
    (void)state;
    begin();
    uint16_t peer = answer_probe(false);
    uint32_t at;
    for (int i = 0; i < 40 && !take(GR_EFFECT_SEND, GR_MSG_COVER, &at); i++)
        pass_time(500);
    uint16_t behind = 2;
    assert_int_equal(world.asked[at].peer, peer);
    say(peer, (struct gr_message){.type = GR_MSG_COVERED,
                  .id = world.asked[at].id,
                  .partition_list = &behind,
                  .partition_count = 1});
    struct gr_repair_peer view = look_at_peer(peer);
    assert_int_equal(view.there, 1);
    assert_int_equal(view.whole, 1); // of the others nobody said what is lacking here
    struct gr_repair_view all = look();
    assert_int_equal(all.exchange_count, 1);
    assert_int_equal(all.exchange[0].partition, 2);
    assert_string_equal(all.exchange[0].step, "begins");
    assert_true(take(GR_EFFECT_SEND, GR_MSG_BEGIN, &at));
    answer_begin(at, GR_OK);
    assert_int_equal(look_at_peer(peer).whole, 2);
    assert_int_equal(look().exchange_count, 0);
}

// ---- what is asked for -------------------------------------------------------------------------

static void ask(enum gr_repair_verb verb, uint32_t partition)
{
    step((struct gr_event){.type = GR_EVENT_REPAIR, .repair = {verb, partition}});
}

static void test_run(void **state)
{
    (void)state;
    begin();
    forget_questions();
    ask(GR_REPAIR_RUN, GR_REPAIR_ALL);
    assert_true(look().job.busy);
    assert_int_equal(look().job.rounds, 2 * PARTITIONS);
    assert_int_equal(world.begins, 1); // G3: one at a time
    assert_int_equal(answer_begins(100, GR_OK), 2 * PARTITIONS);
    struct gr_repair_view view = look();
    assert_false(view.job.busy);
    assert_int_equal(view.job.joined, 2 * PARTITIONS);
    assert_int_equal(view.job.failed, 0);
    assert_true(view.job.number == 1);
    assert_true(view.job.took.ns < SECOND);
    assert_int_equal(view.whole, PARTITIONS);
    ask(GR_REPAIR_RUN, 3);
    assert_int_equal(look().job.rounds, 2);
    assert_int_equal(answer_begins(100, GR_OK), 2);
    assert_int_equal(look().job.joined, 2);
}

// A difference is given its grace, but who asks need not wait for its end.
static void test_run_in_the_grace(void **state)
{
    (void)state;
    begin();
    (void)answer_probe(false);
    forget_questions();
    ask(GR_REPAIR_RUN, GR_REPAIR_ALL);
    assert_int_equal(answer_begins(200, GR_OK), 2 * PARTITIONS);
    (void)answer_probe(true);
}

static void test_run_fails(void **state)
{
    (void)state;
    begin();
    forget_questions();
    link_to(2, false);
    ask(GR_REPAIR_RUN, GR_REPAIR_ALL);
    assert_int_equal(answer_begins(100, GR_OK), PARTITIONS);
    struct gr_repair_view view = look();
    assert_false(view.job.busy); // G4
    assert_int_equal(view.job.failed, PARTITIONS);
    assert_int_equal(look_at_peer(2).failed, PARTITIONS);
    assert_int_equal(look_at_peer(2).why, GR_ERR_UNREACHABLE);
    assert_int_equal(look_at_peer(1).failed, 0);
    link_to(2, true);
    // One that refuses is asked again, and again after a second, and then no more.
    ask(GR_REPAIR_RUN, 1);
    assert_int_equal(answer_begins(900, GR_ERR_LOADING), 2);
    assert_true(look().job.busy);
    assert_int_equal(answer_begins(8000, GR_ERR_LOADING), 8);
    assert_false(look().job.busy);
    assert_int_equal(look().job.failed, 2);
    assert_int_equal(look_at(1).pair[0].err, GR_ERR_LOADING);
    ask(GR_REPAIR_RUN, 1);
    assert_int_equal(answer_begins(100, GR_ERR_BUSY), 2);
    assert_int_equal(answer_begins(2000, GR_OK), 2);
    assert_int_equal(look().job.joined, 2);
    // A store that takes no writes ends what was asked for.
    ask(GR_REPAIR_RUN, GR_REPAIR_ALL);
    step((struct gr_event){.type = GR_EVENT_STORE, .status = GR_ERR_NO_SPACE});
    (void)answer_begins(500, GR_OK);
    assert_false(look().job.busy);
    assert_int_equal(look().store, GR_ERR_NO_SPACE);
    assert_int_equal(look_at_peer(2).why, GR_ERR_NO_SPACE);
}

static void test_scrub(void **state)
{
    (void)state;
    begin();
    forget_questions();
    (void)answer_probe(true);
    (void)answer_probe(true);
    forget_questions();
    uint32_t scans = world.scans;
    ask(GR_REPAIR_SCRUB, GR_REPAIR_ALL);
    assert_int_equal(look().job.reads, PARTITIONS);
    (void)answer_begins(200, GR_OK);
    struct gr_repair_view view = look();
    assert_int_equal(world.scans - scans, PARTITIONS);
    assert_int_equal(view.job.read, PARTITIONS);
    assert_int_equal(view.job.joined, 2 * PARTITIONS);
    assert_int_equal(view.job.found, 0);
    assert_false(view.job.busy);
    // What was asked for while a walk was under way is read by another.
    scans = world.scans;
    ask(GR_REPAIR_SCRUB, 2);
    assert_int_equal(look().reading, 2);
    assert_int_equal(world.scans - scans, 1);
    ask(GR_REPAIR_SCRUB, 2); // G5
    (void)answer_begins(100, GR_OK);
    assert_int_equal(world.scans - scans, 2);
    assert_int_equal(look().job.read, 1);
    assert_false(look().job.busy);
    // One that cannot be read.
    ask(GR_REPAIR_SCRUB, 1);
    world.disk = GR_ERR_CORRUPT;
    pass_time(50);
    view = look();
    assert_int_equal(view.job.found, 1);
    assert_int_equal(view.damaged, 1);
    assert_int_equal(view.behind, 1);
    struct gr_repair_damage damage = gr_repair_look_damage(world.node, 1);
    assert_string_equal(damage.how, "the store cannot read a partition");
    assert_true(damage.damaged && damage.of_job && !damage.before);
    assert_true(gr_repair_look_damage(world.node, 0).how == NULL);
    (void)answer_begins(3000, GR_OK);
    view = look();
    assert_false(view.job.busy);
    assert_int_equal(view.damaged, 0);
    assert_int_equal(view.whole, PARTITIONS);
    assert_false(gr_repair_look_damage(world.node, 1).damaged);
    assert_int_equal(look_at(1).state, GR_REPAIR_WHOLE);
}

static void test_owed(void **state)
{
    (void)state;
    struct gr_clock_row row;
    struct gr_clock owed = clock_of(&row, 12);
    gr_node_load_owed(world.node, 3, &owed);
    begin();
    struct gr_repair_damage damage = gr_repair_look_damage(world.node, 3);
    assert_true(damage.damaged && damage.before && damage.how == NULL);
    assert_true(damage.owed == 12);
    assert_int_equal(look().behind, 1);
    assert_true(look().behind_for.ns == 100 * (int64_t)MS);
    forget_questions();
    be_given(1, 3, 12); // the clock covers what is owed
    assert_int_equal(look().damaged, 0);
    assert_true(gr_repair_look_damage(world.node, 3).before);
}

static void test_refusals(void **state)
{
    (void)state;
    begin();
    assert_int_equal(gr_repair_refusal(world.node, GR_REPAIR_ALL), GR_OK);
    assert_int_equal(gr_repair_refusal(world.node, PARTITIONS), GR_ERR_NOT_FOUND);
    forget_questions();
    ask(GR_REPAIR_RUN, PARTITIONS);
    assert_false(look().job.busy);
    step((struct gr_event){.type = GR_EVENT_STORE, .status = GR_ERR_IO});
    assert_int_equal(gr_repair_refusal(world.node, 0), GR_ERR_IO);
    assert_string_equal(gr_repair_state_name(GR_REPAIR_BEHIND), "behind");
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_unknown_until_compared),
        IN_WORLD(test_refill),
        IN_WORLD(test_peer_behind),
        IN_WORLD(test_run),
        IN_WORLD(test_run_in_the_grace),
        IN_WORLD(test_run_fails),
        IN_WORLD(test_scrub),
        IN_WORLD(test_owed),
        IN_WORLD(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
