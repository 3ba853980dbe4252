// Damage: what is done when the store of a partition is not what was written there (DESIGN.md §4,
// D5 and D6).
//
// A replica that has lost a record answers "seen, and gone" and would make every other replica
// delete it. So as soon as sums disagree, the partition is no party to anything that could spread
// the loss: nobody joins its clock, and it answers no exchange.
//
//   B1  A damaged partition is not exchanged, is no source, and covers nothing.
//
// Owns: nothing. A flag per partition, found again by the first pass after a start.
#include "core/entropy.h"

void gr_damage_partition(struct gr_node *node, uint32_t partition, const char *how)
{
    struct gr_partition *p = &node->partition[partition];
    if (p->damaged)
        return;
    p->damaged = true;
    node->stats.damaged++;
    p->hashed = false;
    node->stats.unread -= p->leaf == NULL; // it was read, or need not be
    gr_probe(&node->probes, GR_PROBE_PASS_DAMAGED);
    gr_node_emit(
        node, &(struct gr_effect){.type = GR_EFFECT_LOG, .text = how, .partition = partition});
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
