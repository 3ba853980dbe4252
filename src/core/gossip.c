// Gossip: how what one node knows comes to all (§4.8.1).
//
// News is told at once to a few, each of whom tells it to a few once: that reaches nearly all in as
// many steps as the number of nodes has digits. Nearly is not all; so with each probe two nodes
// also compare one number that stands for everything they know, and where it differs they find out
// what, bucket by bucket, and tell each other.
//
//   GS1 What a node learns it passes on once, and never again: without news nothing is sent but
//       probes.
//   GS2 Two that compare end with the same, but for what does not fit one message: that waits for
//       the next time.
//
//   news: learned -flush-> FACTS to FANOUT others
//   compare: PING (digest) -> PONG (equal, or buckets) -> HEADS (of the buckets that differ)
//            -> FACTS (what is later here; wants) -> FACTS (what was wanted)
//
// Source: §4.8.1. Owns: nothing. Bounds: BATCH_MAX facts and about BATCH_BYTES a message.
#include "core/members.h"

enum { FANOUT = 4, FLUSH_MS = 50, BATCH_MAX = 256, BATCH_BYTES = 64 << 10, HEADS_MAX = 4096 };

static bool send(struct gr_members *members, uint16_t to, struct gr_talk *message)
{
    return members->host.send(members->host.host, to, message);
}

void gr_gossip_fresh(struct gr_members *members)
{
    if (members->flush_at.ns == GR_NEVER.ns)
        members->flush_at = gr_instant_after(members->now, gr_span_ms(FLUSH_MS));
}

static void tell_all(struct gr_members *members, const uint16_t *to, uint32_t count,
    const struct gr_known *const *known, uint32_t facts)
{
    struct gr_fact list[BATCH_MAX];
    for (uint32_t i = 0; i < facts; i++)
        list[i] = gr_known_fact(known[i]);
    for (uint32_t i = 0; i < count; i++) {
        struct gr_talk message = {
            .type = GR_TALK_FACTS, .id = ++members->ids, .fact_list = list, .fact_count = facts};
        (void)send(members, to[i], &message);
    }
}

void gr_gossip_tell(struct gr_members *members, uint16_t to, const struct gr_known *known)
{
    tell_all(members, &to, 1, &known, 1);
}

// GS1.
void gr_gossip_tick(struct gr_members *members)
{
    if (!gr_instant_reached(members->now, members->flush_at))
        return;
    members->flush_at = GR_NEVER;
    const struct gr_known *fresh[BATCH_MAX];
    uint16_t to[FANOUT];
    uint32_t facts;
    while ((facts = gr_facts_fresh(&members->facts, fresh, BATCH_MAX, BATCH_BYTES)) > 0)
        tell_all(members, to, gr_members_draw(members, 0, to, FANOUT), fresh, facts);
}

// ---- comparing ---------------------------------------------------------------------------------

// The facts of the buckets in `mask`, at most `max`.
static uint32_t facts_in(
    const struct gr_members *members, uint64_t mask, struct gr_fact *ret, uint32_t max)
{
    uint32_t count = 0;
    for (int kind = 1; kind <= GR_FACT_KINDS; kind++)
        for (const struct gr_known *known = NULL;
             count < max && (known = gr_facts_next(&members->facts, kind, known)) != NULL;)
            if (mask >> gr_fact_bucket(known->kind, known->key) & 1)
                ret[count++] = gr_known_fact(known);
    return count;
}

void gr_gossip_compare(struct gr_members *members, uint16_t with, const struct gr_talk *pong)
{
    if (pong->bucket_count != GR_FACT_BUCKETS || members->config.canary == GR_CANARY_UNCOMPARED)
        return; // equal
    struct gr_talk heads = {.type = GR_TALK_HEADS, .id = ++members->ids};
    for (uint32_t i = 0; i < GR_FACT_BUCKETS; i++)
        if (pong->bucket_list[i] != members->facts.bucket[i])
            heads.mask |= 1ull << i;
    if (heads.mask == 0)
        return; // it was learned meanwhile
    struct gr_fact *list = gr_hook_memory(NULL, HEADS_MAX * sizeof *list);
    heads.fact_list = list;
    heads.fact_count = facts_in(members, heads.mask, list, HEADS_MAX);
    (void)send(members, with, &heads);
    gr_hook_memory(list, 0);
}

static const struct gr_fact *head_of(const struct gr_talk *message, const struct gr_fact *fact)
{
    for (uint32_t i = 0; i < message->fact_count; i++)
        if (message->fact_list[i].kind == fact->kind && message->fact_list[i].key == fact->key)
            return &message->fact_list[i];
    return NULL;
}

// GS2.
static void on_heads(struct gr_members *members, uint16_t from, const struct gr_talk *message)
{
    struct gr_fact *here = gr_hook_memory(NULL, (HEADS_MAX + 2 * BATCH_MAX) * sizeof *here);
    struct gr_fact *later = here + HEADS_MAX, *wanted = later + BATCH_MAX;
    uint32_t count = facts_in(members, message->mask, here, HEADS_MAX);
    struct gr_talk facts = {
        .type = GR_TALK_FACTS, .id = message->id, .fact_list = later, .want_list = wanted};
    size_t bytes = 0;
    for (uint32_t i = 0; i < count && facts.fact_count < BATCH_MAX && bytes < BATCH_BYTES; i++) {
        const struct gr_fact *there = head_of(message, &here[i]);
        if (there != NULL && gr_fact_compare(&here[i], there) <= 0)
            continue;
        bytes += here[i].value.size;
        later[facts.fact_count++] = here[i];
    }
    for (uint32_t i = 0; i < message->fact_count && facts.want_count < BATCH_MAX; i++) {
        const struct gr_fact *there = &message->fact_list[i];
        const struct gr_known *known = gr_facts_find(&members->facts, there->kind, there->key);
        struct gr_fact mine = {.version = 0};
        if (known != NULL)
            mine = gr_known_fact(known);
        if (gr_fact_compare(&mine, there) < 0)
            wanted[facts.want_count++] = *there;
    }
    if (facts.fact_count > 0 || facts.want_count > 0)
        (void)send(members, from, &facts);
    gr_hook_memory(here, 0);
}

static void on_facts(struct gr_members *members, uint16_t from, const struct gr_talk *message)
{
    for (uint32_t i = 0; i < message->fact_count; i++)
        (void)gr_members_say(members, &message->fact_list[i]);
    const struct gr_known *wanted[BATCH_MAX];
    uint32_t count = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < message->want_count && count < BATCH_MAX && bytes < BATCH_BYTES; i++) {
        const struct gr_fact *head = &message->want_list[i];
        const struct gr_known *known = gr_facts_find(&members->facts, head->kind, head->key);
        if (known == NULL)
            continue;
        bytes += known->size;
        wanted[count++] = known;
    }
    if (count > 0)
        tell_all(members, &from, 1, wanted, count);
}

void gr_gossip_on_message(struct gr_members *members, uint16_t from, const struct gr_talk *message)
{
    if (message->type == GR_TALK_HEADS)
        on_heads(members, from, message);
    else
        on_facts(members, from, message);
}
