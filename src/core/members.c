// Members: the table, and the way of messages to gossip.c and detector.c; see members.h.
//
//   M1  Whoever was heard of has one place in the table, for as long as this node runs.
//   M2  Whatever is said of this node that it did not say, and that is later than what it said, is
//       answered by itself: nobody else begins an incarnation of it (detector.c).
//   M3  A store that was removed is refused for ever: no later version takes that back, and no
//       restart forgets it.
//
// Source: §4.8.1. Owns: the table and the facts. Bounds: GR_MEMBERS_MAX members, GR_FACTS_MAX
// facts.
#include "core/members.h"

#include <string.h>

const char *gr_status_name(enum gr_status status)
{
    static const char *const name[GR_STATUS_COUNT] = {"alive", "suspect", "down"};
    gr_assert(status < GR_STATUS_COUNT);
    return name[status];
}

int gr_members_find(const struct gr_members *members, uint64_t id)
{
    for (uint16_t m = 0; m < members->count; m++)
        if (members->member[m] == id)
            return m;
    return -1;
}

// M1.
void gr_members_meet(struct gr_members *members, uint64_t id)
{
    if (gr_members_find(members, id) >= 0 || members->count == GR_MEMBERS_MAX)
        return;
    if (members->count == members->capacity) {
        members->capacity = (uint16_t)GR_MAX(2 * members->capacity, 8);
        members->member =
            gr_hook_memory(members->member, members->capacity * sizeof *members->member);
        members->order = gr_hook_memory(members->order, members->capacity * sizeof *members->order);
    }
    members->member[members->count++] = id;
}

bool gr_members_say(struct gr_members *members, const struct gr_fact *fact)
{
    if (!gr_facts_take(&members->facts, fact, true))
        return false;
    if (fact->kind == GR_FACT_MEMBER)
        gr_members_meet(members, fact->key);
    gr_gossip_fresh(members);
    members->host.learned(members->host.host, fact);
    gr_detector_learned(members, fact);
    return true;
}

void gr_members_load(struct gr_members *members, const struct gr_fact *fact)
{
    if (fact->kind == GR_FACT_BAN && members->config.canary == GR_CANARY_FORGET_A_BAN)
        return;
    if (gr_facts_take(&members->facts, fact, false) && fact->kind == GR_FACT_MEMBER)
        gr_members_meet(members, fact->key);
}

enum gr_status gr_members_status(const struct gr_members *members, uint16_t member)
{
    const struct gr_known *known =
        gr_facts_find(&members->facts, GR_FACT_STATUS, members->member[member]);
    return known != NULL ? (enum gr_status)(known->version & 3) : GR_STATUS_ALIVE;
}

bool gr_members_bans(const struct gr_members *members, uint64_t store)
{
    return gr_facts_find(&members->facts, GR_FACT_BAN, store) != NULL; // M3
}

uint32_t gr_members_draw(
    struct gr_members *members, uint16_t but, uint16_t *ret_member, uint32_t max)
{
    uint32_t count = 0;
    if (members->count < 2)
        return 0;
    // At random, and a few times more often than is needed: where nearly all are down, or there are
    // few, it may find fewer than there are.
    uint32_t others = members->count - 1u;
    for (uint32_t i = 0; i < 4 * max && count < max; i++) {
        uint16_t m = (uint16_t)(1 + gr_random_below(&members->random, others));
        bool taken = m == but || gr_members_status(members, m) == GR_STATUS_DOWN;
        for (uint32_t k = 0; k < count; k++)
            taken = taken || ret_member[k] == m;
        if (!taken)
            ret_member[count++] = m;
    }
    return count;
}

void gr_members_init(struct gr_members *members, const struct gr_members_config *config,
    const struct gr_members_host *host, struct gr_instant now)
{
    *members = (struct gr_members){.config = *config, .host = *host, .now = now};
    gr_random_init(&members->random, config->seed);
    members->flush_at = GR_NEVER;
    gr_members_meet(members, config->self);
    gr_detector_init(members);
}

void gr_members_deinit(struct gr_members *members)
{
    gr_facts_deinit(&members->facts);
    gr_hook_memory(members->member, 0);
    gr_hook_memory(members->order, 0);
    gr_hook_memory(members->suspicion, 0);
    *members = (struct gr_members){0};
}

void gr_members_on_message(
    struct gr_members *members, uint16_t from, const struct gr_talk *message, struct gr_instant now)
{
    members->now = now;
    if (message->type == GR_TALK_HEADS || message->type == GR_TALK_FACTS)
        gr_gossip_on_message(members, from, message);
    else
        gr_detector_on_message(members, from, message);
}

void gr_members_tick(struct gr_members *members, struct gr_instant now)
{
    members->now = now;
    gr_gossip_tick(members);
    gr_detector_tick(members);
}

struct gr_instant gr_members_deadline(const struct gr_members *members)
{
    struct gr_instant at = members->flush_at;
    at.ns = GR_MIN(at.ns, members->probe_at.ns);
    at.ns = GR_MIN(at.ns, members->relay_at.ns);
    return at;
}
