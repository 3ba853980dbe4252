// A thousand nodes that only gossip: see crowd.h.
//
// Only core/members.h is here, no data and no disks; what nodes say is encoded and decoded as on a
// real link, and one message in a hundred is lost.
//
//   CR1 A ring that one node commits is known to all within RING_MS_MAX.
//   CR2 Without news a node sends and is sent at most IDLE_BYTES_MAX bytes a second.
//   CR3 A node that dies is known to be down to all others within DEATH_MS_MAX.
//   CR4 After a cut between two halves all know the same again, and nobody is taken for down who is
//       not, within HEAL_MS_MAX.
//   CR5 Fewer than one node a month is wrongly taken for down.
//   CR6 What a node knows takes less than NODE_BYTES_MAX bytes.
//   CR7 Same seed, same everything.
//   CR8 One that is removed while it is dead, and comes back as it was after all others have been
//       restarted, is heard by none of them, and stops within TOLD_MS_MAX.
#include "sim/crowd.h"

#include <stdio.h>
#include <string.h>

#include "core/members.h"
#include "wire/frame.h"
#include "wire/talk.h"

enum {
    LOSS_PER_MILLE = 10,
    DELAY_US_MAX = 2000,
    RING_MS_MAX = 10000,
    RING_BYTES = 1024 * 3 * 2,
    IDLE_BYTES_MAX = 1000,
    DEATH_MS_MAX = 20000,
    HEAL_MS_MAX = 60000,
    TOLD_MS_MAX = 10000,
    NODE_BYTES_MAX = 256 << 10,
    MONTH_S = 30 * 86400,
    // A keep-alive of a quiet link is no part of gossip; head, version and type of a frame are.
    FRAME_BYTES = GR_FRAME_HEAD_BYTES + 2,
    SETTLE_MS = 30000,
    IDLE_MS = 60000,
    CUT_MS = 60000,
};

struct letter {
    int64_t at;
    uint64_t order;
    uint16_t to, from;
    uint8_t *data; // NULL: a tick
    size_t size;
};

struct crowd;

struct person {
    struct crowd *crowd;
    uint16_t number;
    bool dead, told; // that it was removed
    struct gr_members members;
    int64_t tick_at; // of the tick that counts
    uint64_t bytes;  // sent and received
    struct gr_random random;
};

struct crowd {
    uint16_t count;
    int64_t now;
    uint64_t order, letters;
    struct person *person;
    struct letter *heap; // from 1
    size_t heap_count, heap_capacity;
    bool cut;                // between the halves
    uint64_t wrong;          // times that somebody alive was called down
    uint64_t *wrong_version; // by person: the last that was counted
    int removed;             // a person, or -1
    uint64_t heard;          // messages of the one that was removed, taken
    uint64_t digest;
    struct gr_arena arena;
};

// ---- letters -----------------------------------------------------------------------------------

static bool is_before(const struct letter *a, const struct letter *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static void push(struct crowd *crowd, struct letter letter)
{
    if (crowd->heap_count + 1 >= crowd->heap_capacity) {
        crowd->heap_capacity = GR_MAX(2 * crowd->heap_capacity, 1024);
        crowd->heap = gr_hook_memory(crowd->heap, crowd->heap_capacity * sizeof *crowd->heap);
    }
    letter.order = ++crowd->order;
    size_t at = ++crowd->heap_count;
    for (; at > 1 && is_before(&letter, &crowd->heap[at / 2]); at /= 2)
        crowd->heap[at] = crowd->heap[at / 2];
    crowd->heap[at] = letter;
}

static struct letter pop(struct crowd *crowd)
{
    struct letter first = crowd->heap[1], last = crowd->heap[crowd->heap_count--];
    size_t at = 1;
    for (size_t child; (child = 2 * at) <= crowd->heap_count; at = child) {
        if (child < crowd->heap_count && is_before(&crowd->heap[child + 1], &crowd->heap[child]))
            child++;
        if (!is_before(&crowd->heap[child], &last))
            break;
        crowd->heap[at] = crowd->heap[child];
    }
    crowd->heap[at] = last;
    return first;
}

static void want_tick(struct person *person)
{
    int64_t at = gr_members_deadline(&person->members).ns;
    if (at >= person->tick_at && person->tick_at > person->crowd->now)
        return;
    person->tick_at = GR_MAX(at, person->crowd->now + 1);
    push(person->crowd, (struct letter){.at = person->tick_at, .to = person->number});
}

static bool is_cut(const struct crowd *crowd, uint16_t a, uint16_t b)
{
    return crowd->cut && (a < crowd->count / 2) != (b < crowd->count / 2);
}

// Places in a table are its owner's; names are everyone's.
static uint16_t number_of(uint64_t member)
{
    return (uint16_t)(member - 1);
}

static bool send(void *host, uint16_t to, struct gr_talk *talk)
{
    struct person *person = host;
    struct crowd *crowd = person->crowd;
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_talk_encode(&out, talk);
    gr_assert(!out.bad);
    uint16_t number = number_of(person->members.member[to]);
    person->bytes += out.size + FRAME_BYTES;
    crowd->letters++;
    bool lost =
        gr_random_chance(&person->random, LOSS_PER_MILLE) || is_cut(crowd, person->number, number);
    int64_t us = 1 + (int64_t)gr_random_below(&person->random, DELAY_US_MAX);
    if (!lost)
        push(crowd, (struct letter){.at = crowd->now + us * 1000,
                        .to = number,
                        .from = person->number,
                        .data = out.data,
                        .size = out.size});
    else
        gr_writer_deinit(&out);
    return true;
}

static uint64_t store_of(uint16_t number)
{
    return 1000000u + number;
}

static void learned(void *host, const struct gr_fact *fact)
{
    struct person *person = host;
    struct crowd *crowd = person->crowd;
    person->told |= fact->kind == GR_FACT_BAN && fact->key == store_of(person->number);
    if (fact->kind != GR_FACT_STATUS || (fact->version & 3) != GR_STATUS_DOWN)
        return;
    uint16_t about = number_of(fact->key);
    bool fault = crowd->person[about].dead || crowd->cut;
    if (fault || crowd->wrong_version[about] >= fact->version)
        return;
    crowd->wrong_version[about] = fact->version;
    crowd->wrong++;
}

// What a link's handshake does: who was removed is refused, and told so.
static bool refuse(struct crowd *crowd, struct person *person, uint16_t from)
{
    const struct gr_facts *facts = &person->members.facts;
    if (!gr_members_bans(&person->members, store_of(from))) {
        crowd->heard += from == crowd->removed;
        return false;
    }
    struct gr_fact ban = gr_known_fact(gr_facts_find(facts, GR_FACT_BAN, store_of(from)));
    struct gr_talk talk = {.type = GR_TALK_FACTS, .id = 1, .fact_list = &ban, .fact_count = 1};
    int to = gr_members_find(&person->members, from + 1u);
    return to < 0 || send(person, (uint16_t)to, &talk);
}

static void take(struct crowd *crowd, struct person *person, const struct letter *letter)
{
    struct gr_talk talk;
    if (refuse(crowd, person, letter->from))
        return;
    enum gr_err err = gr_talk_decode(gr_bytes(letter->data, letter->size), &crowd->arena, &talk);
    gr_assert(err == GR_OK);
    person->bytes += letter->size + FRAME_BYTES;
    int from = gr_members_find(&person->members, letter->from + 1u);
    gr_assert(from > 0);
    gr_members_on_message(&person->members, (uint16_t)from, &talk, (struct gr_instant){crowd->now});
    gr_arena_clear(&crowd->arena);
}

static void deliver(struct crowd *crowd, const struct letter *letter)
{
    struct person *person = &crowd->person[letter->to];
    struct gr_instant now = {crowd->now};
    if (person->dead || (letter->data == NULL && letter->at != person->tick_at)) {
        gr_hook_memory(letter->data, 0);
        return;
    }
    if (letter->data == NULL) {
        person->tick_at = 0;
        gr_members_tick(&person->members, now);
    } else {
        take(crowd, person, letter);
        gr_hook_memory(letter->data, 0);
    }
    person->dead |= person->told;
    crowd->digest = crowd->digest * 0x100000001b3 + (uint64_t)letter->at + letter->to;
    want_tick(person);
}

static void run_until(struct crowd *crowd, int64_t ns)
{
    while (crowd->heap_count > 0 && crowd->heap[1].at <= ns) {
        struct letter letter = pop(crowd);
        crowd->now = letter.at;
        deliver(crowd, &letter);
    }
    crowd->now = ns;
}

static void run_for(struct crowd *crowd, int64_t ms)
{
    run_until(crowd, crowd->now + ms * 1000000);
}

// ---- people -------------------------------------------------------------------------------------

static struct gr_fact fact_about(uint16_t number, char *text, size_t size)
{
    // Name, host, site, rack, addresses and weight of an ordinary member take about so much.
    int length = snprintf(text, size,
        "node%u machine%u site%u rack%u 10.1.%u.%u:7390 10.1.%u.%u:7379 100", number, number,
        number % 3, number % 9, number / 256, number % 256, number / 256, number % 256);
    return gr_fact_make(GR_FACT_MEMBER, number + 1u, 1, gr_bytes(text, (size_t)length));
}

static void meet_all(struct crowd *crowd, struct person *person)
{
    char text[160];
    for (uint16_t i = 0; i < crowd->count; i++) {
        struct gr_fact fact =
            fact_about((uint16_t)((person->number + i) % crowd->count), text, sizeof text);
        gr_members_load(&person->members, &fact);
    }
}

static void wake(struct person *person, uint64_t seed, enum gr_canary canary)
{
    struct gr_members_config config = {.self = person->number + 1u,
        .seed = seed,
        .canary = canary,
        .period = gr_span_ms(1000),
        .timeout = gr_span_ms(400)};
    struct gr_members_host host = {person, send, learned};
    struct gr_instant now = {person->crowd->now};
    gr_members_init(&person->members, &config, &host, now);
}

// It knows afterwards what it has saved before.
static void restart(struct person *person)
{
    struct gr_members before = person->members;
    wake(person, before.config.seed + 1, before.config.canary);
    for (int kind = 1; kind < GR_FACT_KINDS; kind++) {
        const struct gr_known *known = NULL;
        while ((known = gr_facts_next(&before.facts, (enum gr_fact_kind)kind, known)) != NULL) {
            struct gr_fact fact = gr_known_fact(known);
            gr_members_load(&person->members, &fact);
        }
    }
    gr_members_deinit(&before);
    person->tick_at = 0;
    want_tick(person);
}

static void begin(struct crowd *crowd, uint64_t seed, uint16_t count, enum gr_canary canary)
{
    *crowd = (struct crowd){.count = count, .removed = -1};
    crowd->person = gr_hook_memory(NULL, count * sizeof *crowd->person);
    crowd->wrong_version = gr_hook_memory(NULL, count * sizeof *crowd->wrong_version);
    memset(crowd->wrong_version, 0, count * sizeof *crowd->wrong_version);
    for (uint16_t i = 0; i < count; i++) {
        struct person *person = &crowd->person[i];
        *person = (struct person){.crowd = crowd, .number = i};
        gr_random_init(&person->random, seed * 1000003 + i);
        wake(person, seed * 7919 + i, canary);
        meet_all(crowd, person);
        want_tick(person);
    }
}

static void end(struct crowd *crowd)
{
    while (crowd->heap_count > 0)
        gr_hook_memory(pop(crowd).data, 0);
    for (uint16_t i = 0; i < crowd->count; i++)
        gr_members_deinit(&crowd->person[i].members);
    gr_hook_memory(crowd->heap, 0);
    gr_hook_memory(crowd->person, 0);
    gr_hook_memory(crowd->wrong_version, 0);
    gr_arena_deinit(&crowd->arena);
}

// Runs until `holds` is true of all who live; the milliseconds that it took, or -1 after `ms_max`.
static int64_t wait_for(
    struct crowd *crowd, bool (*holds)(struct crowd *, struct person *), int64_t ms_max)
{
    for (int64_t ms = 0; ms <= ms_max; ms += 100) {
        bool all = true;
        for (uint16_t i = 0; i < crowd->count && all; i++)
            all = crowd->person[i].dead || holds(crowd, &crowd->person[i]);
        if (all)
            return ms;
        run_for(crowd, 100);
    }
    return -1;
}

static bool has_ring(struct crowd *crowd, struct person *person)
{
    (void)crowd;
    const struct gr_known *ring = gr_facts_find(&person->members.facts, GR_FACT_RING, 0);
    return ring != NULL && ring->version == 2;
}

static bool has_ban(struct crowd *crowd, struct person *person)
{
    return gr_members_bans(&person->members, store_of((uint16_t)crowd->removed));
}

static bool knows_who_lives(struct crowd *crowd, struct person *person)
{
    for (uint16_t m = 1; m < person->members.count; m++) {
        bool down = gr_members_status(&person->members, m) == GR_STATUS_DOWN;
        if (down != crowd->person[number_of(person->members.member[m])].dead)
            return false;
    }
    return true;
}

static bool agrees(struct crowd *crowd, struct person *person)
{
    return knows_who_lives(crowd, person) && gr_facts_digest(&person->members.facts) ==
                                                 gr_facts_digest(&crowd->person[0].members.facts);
}

// ---- what is measured ---------------------------------------------------------------------------

struct measured {
    int64_t ring_ms, death_ms, heal_ms;
    int64_t told_ms;     // -1: the one that was removed was heard, or not told
    uint64_t idle_bytes; // a second, of the busiest
    uint64_t wrong;
    double months;
    size_t node_bytes;
    uint64_t digest;
};

static size_t bytes_of(const struct gr_members *members)
{
    return sizeof *members + members->facts.bytes +
           members->facts.map.count * sizeof(struct gr_known) +
           members->facts.map.bucket_count * sizeof(struct gr_map_link *) +
           members->capacity * (sizeof *members->member + sizeof *members->order) +
           members->suspicions_capacity * sizeof *members->suspicion;
}

// CR8. The dead one is removed, and comes back.
static int64_t remove_one(struct crowd *crowd, uint16_t number)
{
    struct person *removed = &crowd->person[number];
    struct gr_fact ban = gr_fact_make(GR_FACT_BAN, store_of(number), 1, gr_bytes("removed", 7));
    crowd->removed = number;
    gr_assert(gr_members_say(&crowd->person[0].members, &ban));
    want_tick(&crowd->person[0]);
    if (wait_for(crowd, has_ban, RING_MS_MAX) < 0)
        return -1;
    for (uint16_t i = 0; i < crowd->count; i++)
        if (i != number)
            restart(&crowd->person[i]);
    int64_t began = crowd->now;
    removed->dead = false;
    removed->tick_at = 0;
    want_tick(removed);
    while (!removed->dead && crowd->now < began + TOLD_MS_MAX * (int64_t)1000000)
        run_for(crowd, 10);
    int64_t ms = removed->dead && crowd->heard == 0 ? (crowd->now - began) / 1000000 : -1;
    removed->dead = true;
    return ms;
}

static void measure(struct crowd *crowd, uint64_t seed, uint16_t count, uint32_t minutes,
    enum gr_canary canary, struct measured *ret)
{
    static uint8_t ring[RING_BYTES];
    begin(crowd, seed, count, canary);
    run_for(crowd, SETTLE_MS);
    for (uint16_t i = 0; i < count; i++)
        crowd->person[i].bytes = 0;
    run_for(crowd, IDLE_MS);
    uint64_t most = 0;
    for (uint16_t i = 0; i < count; i++)
        most = GR_MAX(most, crowd->person[i].bytes);
    ret->idle_bytes = most / (IDLE_MS / 1000);
    struct gr_fact fact = gr_fact_make(GR_FACT_RING, 0, 2, gr_bytes(ring, sizeof ring));
    gr_assert(gr_members_say(&crowd->person[0].members, &fact));
    want_tick(&crowd->person[0]);
    ret->ring_ms = wait_for(crowd, has_ring, RING_MS_MAX);
    run_for(crowd, SETTLE_MS);
    crowd->person[count / 3].dead = true;
    ret->death_ms = wait_for(crowd, knows_who_lives, DEATH_MS_MAX);
    ret->told_ms = remove_one(crowd, count / 3);
    crowd->cut = true;
    run_for(crowd, CUT_MS);
    crowd->cut = false;
    uint64_t before = crowd->wrong;
    ret->heal_ms = wait_for(crowd, agrees, HEAL_MS_MAX);
    crowd->wrong = before; // the end of a cut is still the cut
    run_for(crowd, (int64_t)minutes * 60000);
    ret->wrong = crowd->wrong;
    ret->months = (double)crowd->now / 1e9 * count / MONTH_S;
    ret->node_bytes = 0;
    for (uint16_t i = 0; i < count; i++)
        ret->node_bytes = GR_MAX(ret->node_bytes, bytes_of(&crowd->person[i].members));
    ret->digest = crowd->digest;
    end(crowd);
}

enum { CLAIMS = 7, FEW = 50 };

static const char *const claim_text[CLAIMS] = {
    "a committed ring is known to all within 10 s",
    "without news a node sends and is sent at most 1,000 bytes a second",
    "one that dies is known to be down to all within 20 s",
    "one that was removed is heard by none, also after all were restarted, and stops",
    "after a cut all agree again within a minute",
    "less than one a month is wrongly taken for down",
    "what a node knows takes less than 256 KB",
};

// Whether the claim holds, and what was measured.
static bool judge(int claim, const struct measured *is, char *text, size_t size)
{
    switch (claim) {
    case 0:
        snprintf(text, size, "%lld ms", (long long)is->ring_ms);
        return is->ring_ms >= 0;
    case 1:
        snprintf(text, size, "%llu bytes a second", (unsigned long long)is->idle_bytes);
        return is->idle_bytes <= IDLE_BYTES_MAX;
    case 2:
        snprintf(text, size, "%lld ms", (long long)is->death_ms);
        return is->death_ms >= 0;
    case 3:
        snprintf(text, size, "%lld ms", (long long)is->told_ms);
        return is->told_ms >= 0;
    case 4:
        snprintf(text, size, "%lld ms", (long long)is->heal_ms);
        return is->heal_ms >= 0;
    case 5:
        snprintf(text, size, "%llu in %.2f node-months", (unsigned long long)is->wrong, is->months);
        return (double)is->wrong < GR_MAX(is->months, 1.0);
    default:
        snprintf(text, size, "%zu bytes", is->node_bytes);
        return is->node_bytes < NODE_BYTES_MAX;
    }
}

int sim_crowd(uint64_t seed, uint16_t nodes, uint32_t minutes, bool tap)
{
    static struct crowd crowd;
    struct measured is = {0}, few[2] = {0};
    measure(&crowd, seed, nodes, minutes, GR_CANARY_NONE, &is);
    for (int i = 0; i < 2; i++)
        measure(&crowd, seed, GR_MIN(nodes, FEW), 1, GR_CANARY_NONE, &few[i]);
    int passed = 0;
    for (int c = 0; c < CLAIMS; c++) {
        char text[100];
        bool holds = judge(c, &is, text, sizeof text);
        printf("%s - %s: %s\n", holds ? "ok" : "not ok", claim_text[c], text);
        passed += holds;
    }
    bool same = few[0].digest == few[1].digest; // CR7
    printf("%s - the same seed gives the same: %016llx, %016llx\n", same ? "ok" : "not ok",
        (unsigned long long)few[0].digest, (unsigned long long)few[1].digest);
    passed += same;
    if (tap)
        printf("1..%d\n", CLAIMS + 1);
    else
        printf("%d passed, %d failed\n", passed, CLAIMS + 1 - passed);
    return passed == CLAIMS + 1 ? 0 : 1;
}

bool sim_crowd_shows(enum gr_canary canary)
{
    return canary == GR_CANARY_UNCOMPARED || canary == GR_CANARY_UNREFUTED ||
           canary == GR_CANARY_DOWN_UNCALLED || canary == GR_CANARY_FORGET_A_BAN;
}

void sim_crowd_run(const struct sim_options *options, struct sim_report *ret_report)
{
    static struct crowd crowd;
    struct measured is = {0};
    measure(&crowd, options->seed, FEW, 1, options->canary, &is);
    *ret_report = (struct sim_report){.digest = is.digest};
    for (int c = 0; c < CLAIMS && !ret_report->failed; c++) {
        char text[100];
        ret_report->failed = !judge(c, &is, text, sizeof text);
        if (ret_report->failed)
            snprintf(
                ret_report->story, sizeof ret_report->story, "not so: %s; %s", claim_text[c], text);
    }
}
