// members.h: one node's side of gossip and of failure detection, message by message. What comes of
// it in a crowd is sim/crowd.c's to show.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "core/members.h"
#include "test/hooks.h"

enum { SENT_MAX = 64, SELF = 100, PERIOD_MS = 1000, TIMEOUT_MS = 400 };

// What the node said, oldest first; of facts only what they are about.
struct sent {
    uint16_t to;
    enum gr_talk_type type;
    uint64_t id, member, mask;
    uint32_t buckets, facts, wants;
    struct gr_fact fact; // the first
};

struct desk {
    struct gr_members members;
    struct sent sent[SENT_MAX];
    uint32_t count;
    uint32_t learned;
    int64_t ms;
};

static bool send(void *host, uint16_t to, struct gr_talk *talk)
{
    struct desk *desk = host;
    assert_true(desk->count < SENT_MAX);
    struct sent *sent = &desk->sent[desk->count++];
    *sent = (struct sent){to, talk->type, talk->id, talk->member, talk->mask, talk->bucket_count,
        talk->fact_count, talk->want_count, {0}};
    if (talk->fact_count > 0)
        sent->fact = talk->fact_list[0];
    return true;
}

static void learned(void *host, const struct gr_fact *fact)
{
    (void)fact;
    ((struct desk *)host)->learned++;
}

static struct gr_fact member(uint64_t id)
{
    return gr_fact_make(GR_FACT_MEMBER, id, 1, gr_bytes("some node", 9));
}

static void begin(struct desk *desk, uint16_t others)
{
    *desk = (struct desk){.ms = 0};
    struct gr_members_config config = {.self = SELF,
        .seed = 1,
        .period = gr_span_ms(PERIOD_MS),
        .timeout = gr_span_ms(TIMEOUT_MS)};
    struct gr_members_host host = {desk, send, learned};
    gr_members_init(&desk->members, &config, &host, (struct gr_instant){0});
    for (uint16_t i = 0; i <= others; i++) {
        struct gr_fact fact = member(SELF + (uint64_t)i);
        gr_members_load(&desk->members, &fact);
    }
    assert_int_equal(desk->members.count, others + 1);
}

// On to the next deadline; only what is said then is kept.
static void tick(struct desk *desk)
{
    struct gr_instant at = gr_members_deadline(&desk->members);
    assert_true(at.ns != GR_NEVER.ns);
    desk->ms = at.ns / 1000000;
    desk->count = 0;
    gr_members_tick(&desk->members, at);
}

static void hear(struct desk *desk, uint16_t from, const struct gr_talk *talk)
{
    desk->count = 0;
    gr_members_on_message(&desk->members, from, talk, (struct gr_instant){desk->ms * 1000000});
}

static void hear_fact(struct desk *desk, uint16_t from, const struct gr_fact *fact)
{
    hear(desk, from, &(struct gr_talk){.type = GR_TALK_FACTS, .fact_list = fact, .fact_count = 1});
}

static struct gr_fact status(uint64_t id, uint64_t incarnation, enum gr_status is)
{
    return gr_fact_make(GR_FACT_STATUS, id, incarnation << 2 | is, gr_bytes(NULL, 0));
}

static void pong(struct desk *desk, uint16_t from, uint64_t id)
{
    hear(desk, from, &(struct gr_talk){.type = GR_TALK_PONG, .id = id});
}

// DT1: no answer, none through others, suspect, told so; and down when nobody says otherwise.
static void test_no_answer(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 5);
    tick(&desk);
    assert_int_equal(desk.count, 1);
    assert_int_equal(desk.sent[0].type, GR_TALK_PING);
    uint16_t silent = desk.sent[0].to;
    uint64_t id = desk.sent[0].id;
    tick(&desk); // others are asked to ask
    assert_int_equal(desk.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(desk.sent[i].type, GR_TALK_PING_FOR);
        assert_true(desk.sent[i].member == desk.members.member[silent]);
        assert_true(desk.sent[i].id == id && desk.sent[i].to != silent);
    }
    assert_int_equal(gr_members_status(&desk.members, silent), GR_STATUS_ALIVE);
    tick(&desk);
    assert_int_equal(gr_members_status(&desk.members, silent), GR_STATUS_SUSPECT);
    assert_int_equal(desk.members.strain, 1);
    assert_int_equal(desk.sent[0].type, GR_TALK_FACTS);
    assert_int_equal(desk.sent[0].to, silent);
    int64_t since = desk.ms;
    while (gr_members_status(&desk.members, silent) == GR_STATUS_SUSPECT) {
        tick(&desk);
        for (uint32_t i = 0; i < desk.count; i++)
            if (desk.sent[i].type == GR_TALK_PING)
                pong(&desk, desk.sent[i].to, desk.sent[i].id);
    }
    assert_int_equal(gr_members_status(&desk.members, silent), GR_STATUS_DOWN);
    assert_true(desk.ms - since >= 3 * PERIOD_MS && desk.ms - since <= 8 * PERIOD_MS);
    // It is back, and says so itself.
    struct gr_fact back = status(desk.members.member[silent], 1, GR_STATUS_ALIVE);
    hear_fact(&desk, 1, &back);
    assert_int_equal(gr_members_status(&desk.members, silent), GR_STATUS_ALIVE);
    gr_members_deinit(&desk.members);
}

// Who answers late, or through another, is not suspected; and a suspicion that was refuted is over.
static void test_answers(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 4);
    tick(&desk);
    uint64_t id = desk.sent[0].id;
    uint16_t probed = desk.sent[0].to;
    tick(&desk);
    pong(&desk, (uint16_t)(probed % 4 + 1), id); // through another
    tick(&desk);
    assert_int_equal(gr_members_status(&desk.members, probed), GR_STATUS_ALIVE);
    assert_int_equal(desk.members.strain, 0);
    struct gr_fact rumour = status(SELF + 2, 0, GR_STATUS_SUSPECT);
    hear_fact(&desk, 1, &rumour);
    assert_int_equal(gr_members_status(&desk.members, 2), GR_STATUS_SUSPECT);
    struct gr_fact refuted = status(SELF + 2, 1, GR_STATUS_ALIVE);
    hear_fact(&desk, 2, &refuted);
    hear_fact(&desk, 1, &rumour); // the rumour comes round once more
    for (int i = 0; i < 40; i++) {
        tick(&desk);
        for (uint32_t k = 0; k < desk.count; k++)
            if (desk.sent[k].type == GR_TALK_PING)
                pong(&desk, desk.sent[k].to, desk.sent[k].id);
    }
    assert_int_equal(gr_members_status(&desk.members, 2), GR_STATUS_ALIVE);
    assert_int_equal(desk.members.suspicions, 0);
    gr_members_deinit(&desk.members);
}

// DT1: a node that hears itself called suspect, or down, says that it is there, louder.
static void test_refutes(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 4);
    struct gr_fact rumour = status(SELF, 6, GR_STATUS_DOWN);
    hear_fact(&desk, 1, &rumour);
    const struct gr_known *is = gr_facts_find(&desk.members.facts, GR_FACT_STATUS, SELF);
    assert_true(is->version == 7 << 2);
    assert_int_equal(desk.members.strain, 1); // the fault may be here
    assert_int_equal(desk.members.refuted, 1);
    tick(&desk); // and passes that on at once
    assert_int_equal(desk.count, 4);
    for (uint32_t i = 0; i < desk.count; i++)
        assert_true(
            desk.sent[i].fact.kind == GR_FACT_STATUS && desk.sent[i].fact.version == 7 << 2);
    gr_members_deinit(&desk.members);
}

// What a peer says cannot be trusted to leave a later incarnation: there is none, and nothing
// breaks.
static void test_no_incarnation_left(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 4);
    struct gr_fact rumour = status(SELF, GR_FACT_VERSION_MAX >> 2, GR_STATUS_DOWN);
    hear_fact(&desk, 1, &rumour);
    assert_int_equal(gr_members_status(&desk.members, 0), GR_STATUS_DOWN);
    gr_members_deinit(&desk.members);
}

// DT3: whoever slept for a minute has no reason to suspect anybody, and does not call a suspect
// down.
static void test_slept(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 4);
    struct gr_fact rumour = status(SELF + 2, 0, GR_STATUS_SUSPECT);
    hear_fact(&desk, 1, &rumour);
    tick(&desk);
    while (desk.count == 0 || desk.sent[desk.count - 1].type != GR_TALK_PING)
        tick(&desk);
    desk.ms += 60000;
    gr_members_tick(&desk.members, (struct gr_instant){desk.ms * 1000000});
    for (uint16_t m = 1; m <= 4; m++)
        assert_int_equal(
            gr_members_status(&desk.members, m), m == 2 ? GR_STATUS_SUSPECT : GR_STATUS_ALIVE);
    assert_int_equal(desk.members.strain, 1);
    gr_members_deinit(&desk.members);
}

// Asked to ask: the question goes on, and the answer comes back under the asker's id.
static void test_helps(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 3);
    hear(&desk, 1, &(struct gr_talk){.type = GR_TALK_PING_FOR, .id = 55, .member = SELF + 3});
    assert_int_equal(desk.count, 1);
    assert_true(desk.sent[0].type == GR_TALK_PING && desk.sent[0].to == 3);
    uint64_t id = desk.sent[0].id;
    pong(&desk, 3, id);
    assert_int_equal(desk.count, 1);
    assert_true(desk.sent[0].type == GR_TALK_PONG && desk.sent[0].to == 1 && desk.sent[0].id == 55);
    pong(&desk, 3, id); // once
    assert_int_equal(desk.count, 0);
    gr_members_greet(&desk.members, 2, (struct gr_instant){desk.ms * 1000000});
    assert_int_equal(desk.count, 1);
    assert_true(desk.sent[0].type == GR_TALK_PING && desk.sent[0].to == 2);
    hear(&desk, 1, &(struct gr_talk){.type = GR_TALK_PING_FOR, .id = 56, .member = 4711});
    assert_int_equal(desk.count, 0); // about somebody that nobody here has heard of
    gr_members_deinit(&desk.members);
}

// GS1, GS2: news once, to a few; and two that differ find out what.
static void test_gossip(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 9);
    struct gr_fact ring = gr_fact_make(GR_FACT_RING, 0, 2, gr_bytes("ring two", 8));
    hear_fact(&desk, 3, &ring);
    assert_int_equal(desk.learned, 1);
    hear_fact(&desk, 4, &ring);
    assert_int_equal(desk.learned, 1);
    tick(&desk);
    assert_int_equal(desk.count, 4);
    for (uint32_t i = 0; i < desk.count; i++)
        assert_true(desk.sent[i].type == GR_TALK_FACTS && desk.sent[i].fact.version == 2);
    // Whoever knows the same is told so in a word.
    hear(&desk, 2,
        &(struct gr_talk){
            .type = GR_TALK_PING, .id = 9, .digest = gr_facts_digest(&desk.members.facts)});
    assert_true(desk.sent[0].type == GR_TALK_PONG && desk.sent[0].buckets == 0);
    hear(&desk, 2, &(struct gr_talk){.type = GR_TALK_PING, .id = 9, .digest = 1});
    assert_int_equal(desk.sent[0].buckets, GR_FACT_BUCKETS);
    // A peer with an older ring, and a member that is not known here.
    struct gr_fact heads[] = {
        gr_fact_make(GR_FACT_RING, 0, 1, gr_bytes("ring one", 8)), member(777)};
    heads[0].value = heads[1].value = gr_bytes(NULL, 0);
    uint64_t mask =
        1ull << gr_fact_bucket(GR_FACT_RING, 0) | 1ull << gr_fact_bucket(GR_FACT_MEMBER, 777);
    hear(&desk, 2,
        &(struct gr_talk){
            .type = GR_TALK_HEADS, .mask = mask, .fact_list = heads, .fact_count = 2});
    assert_int_equal(desk.count, 1);
    assert_int_equal(desk.sent[0].type, GR_TALK_FACTS);
    assert_true(desk.sent[0].facts >= 1 && desk.sent[0].wants == 1);
    // What is asked for is told.
    hear(&desk, 2, &(struct gr_talk){.type = GR_TALK_FACTS, .want_list = &ring, .want_count = 1});
    assert_int_equal(desk.count, 1);
    assert_true(desk.sent[0].facts == 1 && desk.sent[0].fact.version == 2);
    // Buckets that differ: their heads.
    uint64_t buckets[GR_FACT_BUCKETS];
    memcpy(buckets, desk.members.facts.bucket, sizeof buckets);
    buckets[gr_fact_bucket(GR_FACT_RING, 0)]++;
    hear(&desk, 5,
        &(struct gr_talk){.type = GR_TALK_PONG,
            .id = 1,
            .bucket_list = buckets,
            .bucket_count = GR_FACT_BUCKETS});
    assert_true(desk.sent[0].type == GR_TALK_HEADS &&
                desk.sent[0].mask == 1ull << gr_fact_bucket(GR_FACT_RING, 0));
    gr_members_deinit(&desk.members);
}

// What only later programs know of is passed on, compared and told like everything else (facts.h).
static void test_kinds_of_later_programs(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 11);
    enum { LATER = 200, LATEST = GR_FACT_KIND_MAX };
    struct gr_fact said[] = {
        gr_fact_make((enum gr_fact_kind)LATER, 5, 3, gr_bytes("new", 3)),
        gr_fact_make((enum gr_fact_kind)LATEST, 5, 4, gr_bytes("newer", 5)),
    };
    for (size_t i = 0; i < GR_COUNT(said); i++) {
        hear_fact(&desk, 3, &said[i]);
        tick(&desk);
        assert_int_equal(desk.count, 4);
        assert_int_equal(desk.sent[0].fact.kind, said[i].kind);
    }
    // Somebody who knows none of it is told both; the kinds stay apart.
    uint64_t mask =
        1ull << gr_fact_bucket(said[0].kind, 5) | 1ull << gr_fact_bucket(said[1].kind, 5);
    hear(&desk, 2, &(struct gr_talk){.type = GR_TALK_HEADS, .mask = mask});
    assert_int_equal(desk.count, 1);
    assert_true(desk.sent[0].type == GR_TALK_FACTS && desk.sent[0].facts >= 2);
    // And what is later there is asked for.
    struct gr_fact later = gr_fact_make(said[0].kind, 5, 9, gr_bytes(NULL, 0));
    hear(&desk, 2,
        &(struct gr_talk){
            .type = GR_TALK_HEADS, .mask = mask, .fact_list = &later, .fact_count = 1});
    assert_int_equal(desk.sent[0].wants, 1);
    assert_int_equal(gr_facts_find(&desk.members.facts, said[0].kind, 5)->version, 3);
    assert_int_equal(gr_facts_find(&desk.members.facts, said[1].kind, 5)->version, 4);
    gr_members_deinit(&desk.members);
}

// Everyone is probed, once a round (DT2).
static void test_turns(void **state)
{
    (void)state;
    static struct desk desk;
    begin(&desk, 10);
    uint32_t asked[11] = {0};
    for (uint32_t probes = 0; probes < 30;) {
        tick(&desk);
        if (desk.count == 0 || desk.sent[desk.count - 1].type != GR_TALK_PING)
            continue;
        asked[desk.sent[desk.count - 1].to]++;
        probes++;
        pong(&desk, desk.sent[desk.count - 1].to, desk.sent[desk.count - 1].id);
    }
    for (int m = 1; m <= 10; m++)
        assert_int_equal(asked[m], 3);
    gr_members_deinit(&desk.members);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_refutes),
        cmocka_unit_test(test_no_incarnation_left),
        cmocka_unit_test(test_slept),
        cmocka_unit_test(test_helps),
        cmocka_unit_test(test_gossip),
        cmocka_unit_test(test_kinds_of_later_programs),
        cmocka_unit_test(test_turns),
    };
    return cmocka_run_group_tests_name("members", tests, NULL, nothing_is_left);
}
