// Damage: what a replica does when its store is not what it wrote there (DESIGN.md §4, D1 to D8).
//
// A witness who finds pages missing from his notebook may still be heard on the pages that are
// left, but he must not say any more "I have seen everything up to Tuesday". A replica that lost a
// record and kept its clock would answer "seen, and gone", and make every other replica delete that
// record. So the clock is what goes: from the moment that anything is found wrong in a partition,
// the partition is a newcomer. It has seen what its records show, and nothing else; exchanges then
// bring it what the others hold, as they would to an empty disk, and tell it what they have seen.
// Until it has again seen all that it had, or everyone who could give has given, it casts no vote
// for a get.
//
//   B1  A damaged partition claims no dot that no record of it shows or replaces: its clock begins
//       anew, in the batch that enters the damage, before anything else is said.
//   B2  What its clock was is kept durably, as owed. While anything is owed the partition's keys
//       are unknown to gets, never absent.
//   B3  The debt is paid when the clock covers it, or when every other owner, and everyone else who
//       still holds the partition, has completed an exchange since that it began whole, or with all
//       given to it that others had. (One that is itself behind may be given later what it could
//       not give now. Were it waited for until it is whole, two that owe would wait for each other
//       for ever: so what counts is that all were heard, whatever they owed. One that has yet to be
//       given what it is to hold is behind as well.) A restart forgets who has given, never the
//       debt.
//   B4  A row that cannot be read is removed once the damage is entered: the others' state of that
//       key takes its place.
//   B5  Count, sum and tree are made those of what is there by a pass, before any exchange; from
//       then on a difference is a new damage, also while the old one is still owed for.
//
//   sound --row unreadable, sums differ, a peer shows what was lost here--> owed, clock empty
//     ^                                                                 | pass, exchanges
//     '----------- the clock covers what is owed, or all have given ----'
//
// Owns: p->damage. Bounds: one clock per damaged partition.
#include "core/entropy.h"

#include <string.h>

// Writes what is owed, or that nothing is; and `gone` clock rows, which are empty from now on.
static void emit(struct gr_node *node, uint32_t partition, const struct gr_clock_row *const *gone,
    uint32_t gone_count)
{
    struct gr_partition *p = &node->partition[partition];
    struct gr_store_write write = {
        .number = ++node->writes,
        .partition = partition,
        .row = gone,
        .row_count = gone_count,
        .counter = gr_replica_counter(node, p),
        .count = p->count,
        .sum = p->sum,
        .owed = p->damage != NULL ? &p->damage->owed : NULL,
        .owed_changed = true,
    };
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_WRITE, .write = &write});
}

// B1.
static void begin_clock_anew(struct gr_node *node, uint32_t partition)
{
    struct gr_clock *clock = &node->partition[partition].clock;
    const struct gr_clock_row *const *gone = NULL;
    uint32_t count = 0;
    if (node->config.canary != GR_CANARY_DAMAGE_CLOCK_KEPT)
        count = gr_clock_blank(&node->scratch, clock, &gone);
    if (count > 0)
        gr_clock_deinit(clock);
    emit(node, partition, gone, count);
}

static void log_line(struct gr_node *node, uint32_t partition, const char *text)
{
    gr_node_emit(
        node, &(struct gr_effect){.type = GR_EFFECT_LOG, .text = text, .partition = partition});
}

static struct gr_damage *damage_of(struct gr_node *node, struct gr_partition *p)
{
    p->doubtful = true;
    if (p->damage == NULL) {
        p->damage = gr_hook_memory(NULL, sizeof *p->damage);
        *p->damage = (struct gr_damage){.given = {0}};
        node->stats.damaged++;
    }
    return p->damage;
}

static void free_damage(struct gr_node *node, struct gr_partition *p)
{
    if (p->damage == NULL)
        return;
    gr_clock_deinit(&p->damage->owed);
    gr_hook_memory(p->damage, 0);
    p->damage = NULL;
    node->stats.damaged--;
}

void gr_damage_partition(struct gr_node *node, uint32_t partition, const char *how)
{
    struct gr_partition *p = &node->partition[partition];
    if (node->store != GR_OK || !gr_holder_has(node, partition))
        return; // it cannot be entered now, and the next pass finds it again
    if (p->damage == NULL) {
        gr_probe(&node->probes, GR_PROBE_DAMAGE_FOUND);
        log_line(node, partition, how);
    }
    struct gr_damage *damage = damage_of(node, p);
    gr_clock_join(&damage->owed, &p->clock);
    memset(damage->heard, 0, sizeof damage->heard);
    memset(damage->given, 0, sizeof damage->given);
    damage->unsummed = true;
    p->damages++;
    p->hashed = false;
    gr_repair_damaged(node, partition, how);
    begin_clock_anew(node, partition);
    if (p->leaf != NULL) {
        gr_hook_memory(p->leaf, 0);
        p->leaf = NULL; // B5
        gr_holder_count(node);
    }
    gr_pass_soon(node);
    gr_round_soon(node);
}

void gr_damage_unsummed(struct gr_node *node, uint32_t partition, const char *how)
{
    // The cache of headers knows what was written, not what is there: what is written next must be
    // counted against the store, or count and sum are wrong again at once.
    if (node->store == GR_OK)
        gr_latches_forget(node);
    gr_damage_partition(node, partition, how);
}

void gr_damage_unreadable(struct gr_node *node, const struct gr_key *key)
{
    uint32_t partition = gr_ring_partition(node->ring, key->slot);
    if (!gr_holder_has(node, partition) || node->store != GR_OK)
        return;
    gr_damage_partition(node, partition, "a record cannot be read");
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_REPAIR, key, 0);
    if (op == NULL)
        return;            // the next pass meets it again
    op->unreadable = true; // B4: nothing is merged into it, and it goes
    if (gr_replica_submit(node, op) != GR_OK)
        return;
}

static bool has(const uint64_t *members, uint16_t member)
{
    return members[member / 64] >> (member % 64) & 1;
}

// B3: another one has the partition, or is to have it.
static bool is_needed(const struct gr_node *node, uint32_t partition, uint16_t member)
{
    return member != node->config.self && (gr_ring_position(node->ring, partition, member) >= 0 ||
                                              gr_holder_says(node, member, partition));
}

// Everybody who is needed is among those.
static bool are_all(const struct gr_node *node, uint32_t partition, const uint64_t *members)
{
    for (uint16_t m = 0; m < node->ring->member_count; m++)
        if (is_needed(node, partition, m) && !has(members, m))
            return false;
    return true;
}

static bool are_any(const struct gr_node *node, uint32_t partition, const uint64_t *members)
{
    bool needed = false;
    for (uint16_t m = 0; m < node->ring->member_count; m++) {
        if (!is_needed(node, partition, m))
            continue;
        needed = true;
        if (has(members, m))
            return true;
    }
    return !needed;
}

// B3.
static void try_to_pay(struct gr_node *node, uint32_t partition)
{
    struct gr_partition *p = &node->partition[partition];
    struct gr_damage *damage = p->damage;
    bool enough =
        are_all(node, partition, damage->given) || node->config.canary == GR_CANARY_DAMAGE_ONE_PEER;
    if (node->store != GR_OK || p->leaf == NULL || !are_any(node, partition, damage->heard) ||
        !(enough || gr_clock_includes(&p->clock, &damage->owed)))
        return;
    free_damage(node, p);
    p->hashed = false;
    emit(node, partition, NULL, 0);
    gr_repair_judge(node, partition);
    gr_probe(&node->probes, GR_PROBE_DAMAGE_HEALED);
    log_line(node, partition, "what was damaged is whole again");
}

bool gr_damage_lacks(const struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    return gr_transfer_lacks(node, partition) ||
           (p->damage != NULL && !are_all(node, partition, p->damage->heard));
}

bool gr_damage_wants(const struct gr_node *node, uint32_t partition, uint16_t peer)
{
    const struct gr_damage *damage = node->partition[partition].damage;
    return damage != NULL && !has(damage->given, peer);
}

void gr_damage_gave(struct gr_node *node, uint32_t partition, uint16_t peer, bool lacking)
{
    struct gr_damage *damage = node->partition[partition].damage;
    if (damage == NULL)
        return;
    damage->heard[peer / 64] |= 1ull << (peer % 64);
    if (!lacking || node->config.canary == GR_CANARY_DAMAGE_LACKING)
        damage->given[peer / 64] |= 1ull << (peer % 64);
    try_to_pay(node, partition);
}

void gr_damage_summed(struct gr_node *node, uint32_t partition)
{
    struct gr_damage *damage = node->partition[partition].damage;
    if (damage == NULL || node->store != GR_OK)
        return;
    damage->unsummed = false;
    emit(node, partition, NULL, 0); // the partition's row says from now on what is there
    try_to_pay(node, partition);
}

bool gr_damage_agrees(const struct gr_node *node, struct gr_sum a, struct gr_sum b)
{
    return gr_sum_equal(a, b) || node->config.canary == GR_CANARY_SUM_IGNORED;
}

bool gr_damage_shows(const struct gr_record *held, const struct gr_record *shown)
{
    // What expires is left out: a replica whose clock runs ahead drops it before others find it
    // due, and whoever merged with that one has lost nothing.
    for (uint32_t i = 0; i < shown->count; i++) {
        const struct gr_sibling *sibling = &shown->sibling[i];
        if (sibling->expires.ms == 0 && gr_context_covers(&held->context, &sibling->dot) &&
            gr_record_find(held, &sibling->dot) == NULL)
            return gr_context_includes(&shown->context, &held->context);
    }
    return false;
}

void gr_damage_load(struct gr_node *node, uint32_t partition, const struct gr_clock *owed)
{
    if (!gr_holder_has(node, partition))
        return; // what it was of went elsewhere, or never came
    gr_clock_join(&damage_of(node, &node->partition[partition])->owed, owed);
    gr_repair_damaged(node, partition, NULL);
}

void gr_damage_deinit(struct gr_node *node)
{
    for (uint32_t p = 0; p < node->ring->partitions; p++)
        free_damage(node, &node->partition[p]);
}
