// Detector: which members are taken for alive (§4.8.3).
//
// A roll call: once a period each node calls one name. Who does not answer may only not have heard,
// or not have been heard; so three others are asked to call that name too. Still no answer, and the
// name is whispered round as suspect; who hears his own name among the suspects says "here" at
// once, and that is repeated louder than the whisper. Only if nobody says so for a while is he
// taken for gone. And who finds that nobody answers him, or that he is suspected himself, looks for
// the fault at home first, and gives the others more time. (SWIM, with the local health of
// Lifeguard.)
//
//   DT1 Suspect and down are opinions that end: only the member says that it is alive, with a new
//       incarnation, and that is later than all that was said of the one before.
//   DT2 Everyone is called in turn, in an order of its own that changes from round to round: nobody
//       waits longer than two rounds. Who is down is called now and then too, or two halves of a
//       cluster would never find together again.
//   DT3 A node that slept itself (its process was stopped, its machine stood still) has not
//   listened
//       meanwhile: it concludes nothing from that, and everyone's time begins anew.
//   DT4 It routes requests, and decides nothing else: a wrong "down" costs hints, never data.
//
//   alive --no answer, none through others--> suspect --nobody refutes it in time--> down
//     ^------------- a new incarnation ---------'-----------------------------------'
//
// Source: §4.8.3. Owns: nothing. Bounds: GR_RELAYS_MAX probes for others; one suspicion a member.
#include "core/members.h"

enum {
    HELPERS = 3,
    STRAIN_MAX = 8,
    DOWN_EACH = 8,       // of so many probes one goes to somebody who is down
    SUSPECT_PERIODS = 3, // so many times the decimal digits of the number of members
    STATUS_BITS = 2,
};

static struct gr_span strained(const struct gr_members *members, struct gr_span span)
{
    return (struct gr_span){span.ns * (1 + members->strain)};
}

static void ease(struct gr_members *members)
{
    members->strain -= members->strain > 0;
}

static void strain(struct gr_members *members)
{
    members->strain += members->strain < STRAIN_MAX;
}

void gr_detector_init(struct gr_members *members)
{
    // Nodes that start together do not call together.
    int64_t ns = (int64_t)gr_random_below(&members->random, (uint64_t)members->config.period.ns);
    members->probe_at = gr_instant_after(members->now, (struct gr_span){ns});
    members->relay_at = GR_NEVER;
    members->probed = GR_MEMBERS_MAX;
}

static uint64_t version_of(const struct gr_members *members, uint16_t member)
{
    const struct gr_known *known =
        gr_facts_find(&members->facts, GR_FACT_STATUS, members->member[member]);
    return known != NULL ? known->version : 0;
}

static void say(
    struct gr_members *members, uint16_t member, uint64_t incarnation, enum gr_status status)
{
    struct gr_fact fact = gr_fact_make(GR_FACT_STATUS, members->member[member],
        incarnation << STATUS_BITS | (uint64_t)status, gr_bytes(NULL, 0));
    (void)gr_members_say(members, &fact);
}

// ---- suspicions ---------------------------------------------------------------------------------

static struct gr_span patience(const struct gr_members *members)
{
    int64_t digits = 0;
    for (uint32_t n = members->count; n > 0; n /= 10)
        digits++;
    return (struct gr_span){members->config.period.ns * SUSPECT_PERIODS * GR_MAX(digits - 1, 1)};
}

static void suspect(struct gr_members *members, uint16_t member, uint64_t version)
{
    if (members->suspicions == members->suspicions_capacity) {
        members->suspicions_capacity = GR_MAX(2 * members->suspicions_capacity, 8u);
        members->suspicion = gr_hook_memory(
            members->suspicion, members->suspicions_capacity * sizeof *members->suspicion);
    }
    members->suspicion[members->suspicions++] = (struct gr_suspicion){
        member, version, gr_instant_after(members->now, strained(members, patience(members)))};
}

// Those that nobody refuted in time. A suspicion that is out of date goes.
static void conclude(struct gr_members *members)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < members->suspicions; i++) {
        struct gr_suspicion it = members->suspicion[i];
        if (version_of(members, it.member) != it.version)
            continue;
        if (gr_instant_reached(members->now, it.until))
            say(members, it.member, it.version >> STATUS_BITS, GR_STATUS_DOWN);
        else
            members->suspicion[kept++] = it;
    }
    members->suspicions = kept;
    if (kept == 0) { // after a split there were as many as members
        gr_hook_memory(members->suspicion, 0);
        members->suspicion = NULL;
        members->suspicions_capacity = 0;
    }
}

void gr_detector_learned(struct gr_members *members, const struct gr_fact *fact)
{
    if (fact->kind != GR_FACT_STATUS)
        return;
    int member = gr_members_find(members, fact->key);
    enum gr_status status = (enum gr_status)(fact->version & 3);
    if (member == 0 && status != GR_STATUS_ALIVE) { // DT1
        members->refuted++;
        strain(members);
        uint64_t next = (fact->version >> STATUS_BITS) + 1;
        bool left = next <= GR_FACT_VERSION_MAX >> STATUS_BITS; // a peer may have said anything
        if (left && members->config.canary != GR_CANARY_UNREFUTED)
            say(members, 0, next, GR_STATUS_ALIVE);
    } else if (member > 0 && status == GR_STATUS_SUSPECT) {
        suspect(members, (uint16_t)member, fact->version);
    }
}

// ---- probes -------------------------------------------------------------------------------------

static void ping(struct gr_members *members, uint16_t to, uint64_t id)
{
    struct gr_talk message = {
        .type = GR_TALK_PING, .id = id, .digest = gr_facts_digest(&members->facts)};
    (void)members->host.send(members->host.host, to, &message);
}

void gr_members_greet(struct gr_members *members, uint16_t member, struct gr_instant now)
{
    members->now = now;
    ping(members, member, ++members->ids);
}

// DT2.
static void shuffle(struct gr_members *members)
{
    members->ordered = members->next = 0;
    for (uint16_t m = 1; m < members->count; m++) {
        uint16_t at = (uint16_t)gr_random_below(&members->random, members->ordered + 1u);
        members->order[members->ordered] = m;
        members->order[members->ordered++] = members->order[at];
        members->order[at] = m;
    }
}

static uint16_t choose(struct gr_members *members)
{
    bool any = gr_random_below(&members->random, DOWN_EACH) == 0 &&
               members->config.canary != GR_CANARY_DOWN_UNCALLED;
    for (uint32_t i = 0; i < 2u * members->count; i++) {
        if (members->next >= members->ordered)
            shuffle(members);
        if (members->ordered == 0)
            break;
        uint16_t member = members->order[members->next++];
        if (any || gr_members_status(members, member) != GR_STATUS_DOWN)
            return member;
    }
    return GR_MEMBERS_MAX;
}

static void end_probe(struct gr_members *members)
{
    uint16_t member = members->probed;
    members->probed = GR_MEMBERS_MAX;
    members->relay_at = GR_NEVER;
    if (member == GR_MEMBERS_MAX || gr_members_status(members, member) != GR_STATUS_ALIVE)
        return;
    strain(members);
    say(members, member, version_of(members, member) >> STATUS_BITS, GR_STATUS_SUSPECT);
    const struct gr_known *known =
        gr_facts_find(&members->facts, GR_FACT_STATUS, members->member[member]);
    if (known != NULL)
        gr_gossip_tell(members, member, known); // it is the one who can refute it
}

static void begin_probe(struct gr_members *members)
{
    members->probe_at = gr_instant_after(members->now, strained(members, members->config.period));
    members->probed = choose(members);
    if (members->probed == GR_MEMBERS_MAX)
        return;
    members->probe = ++members->ids;
    members->relay_at = gr_instant_after(members->now, strained(members, members->config.timeout));
    ping(members, members->probed, members->probe);
}

static void ask_helpers(struct gr_members *members)
{
    members->relay_at = GR_NEVER;
    if (members->probed == GR_MEMBERS_MAX)
        return;
    uint16_t helper[HELPERS];
    uint32_t count = gr_members_draw(members, members->probed, helper, HELPERS);
    for (uint32_t i = 0; i < count; i++) {
        struct gr_talk message = {.type = GR_TALK_PING_FOR,
            .id = members->probe,
            .member = members->member[members->probed]};
        (void)members->host.send(members->host.host, helper[i], &message);
    }
}

// DT3.
static void wake_up(struct gr_members *members)
{
    strain(members);
    members->probed = GR_MEMBERS_MAX;
    members->relay_at = GR_NEVER;
    for (uint32_t i = 0; i < members->suspicions; i++)
        members->suspicion[i].until =
            gr_instant_after(members->now, strained(members, patience(members)));
}

void gr_detector_tick(struct gr_members *members)
{
    if (members->now.ns - members->probe_at.ns > members->config.period.ns)
        wake_up(members);
    if (gr_instant_reached(members->now, members->relay_at))
        ask_helpers(members);
    if (!gr_instant_reached(members->now, members->probe_at))
        return;
    end_probe(members);
    conclude(members);
    begin_probe(members);
}

static void on_ping(struct gr_members *members, uint16_t from, const struct gr_talk *message)
{
    bool equal = message->digest == gr_facts_digest(&members->facts);
    struct gr_talk pong = {.type = GR_TALK_PONG,
        .id = message->id,
        .bucket_list = members->facts.bucket,
        .bucket_count = equal ? 0 : GR_FACT_BUCKETS};
    (void)members->host.send(members->host.host, from, &pong);
}

static void on_ping_for(struct gr_members *members, uint16_t from, const struct gr_talk *message)
{
    int member = gr_members_find(members, message->member);
    if (member <= 0)
        return;
    struct gr_relay *relay = &members->relay[members->relays++ % GR_RELAYS_MAX];
    *relay = (struct gr_relay){++members->ids, message->id, from};
    ping(members, (uint16_t)member, relay->id);
}

static void on_pong(struct gr_members *members, uint16_t from, const struct gr_talk *message)
{
    if (message->id == members->probe && members->probed != GR_MEMBERS_MAX) {
        members->probed = GR_MEMBERS_MAX;
        members->relay_at = GR_NEVER;
        ease(members);
    }
    for (uint32_t i = 0; i < GR_RELAYS_MAX; i++) {
        struct gr_relay *relay = &members->relay[i];
        if (relay->id == 0 || relay->id != message->id)
            continue;
        struct gr_talk pong = {.type = GR_TALK_PONG, .id = relay->asker_id};
        (void)members->host.send(members->host.host, relay->asker, &pong);
        relay->id = 0;
    }
    gr_gossip_compare(members, from, message);
}

void gr_detector_on_message(
    struct gr_members *members, uint16_t from, const struct gr_talk *message)
{
    if (message->type == GR_TALK_PING)
        on_ping(members, from, message);
    else if (message->type == GR_TALK_PING_FOR)
        on_ping_for(members, from, message);
    else
        on_pong(members, from, message);
}
