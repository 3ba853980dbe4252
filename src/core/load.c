// Loading: what the store held when the node started, told before its first step (§4.4).
//
// Owns: nothing; a partition's clock, count, sum and debts are the node's.
#include "core/entropy.h"

void gr_node_load_clock(
    struct gr_node *node, uint32_t partition, struct gr_actor actor, struct gr_interval interval)
{
    gr_assert(partition < node->ring->partitions);
    struct gr_partition *p = &node->partition[partition];
    gr_clock_add_interval(&p->clock, actor, interval);
    // Only the canary same-actor loads dots of the actor that this run goes on with.
    if (gr_actor_compare(actor, node->config.actor) == 0)
        p->counter = GR_MAX(p->counter, interval.last);
}

void gr_node_load_partition(
    struct gr_node *node, uint32_t partition, int64_t count, struct gr_sum sum)
{
    gr_assert(partition < node->ring->partitions);
    node->partition[partition].count = count;
    node->partition[partition].sum = sum;
}

void gr_node_load_owed(struct gr_node *node, uint32_t partition, const struct gr_clock *owed)
{
    gr_assert(partition < node->ring->partitions);
    gr_damage_load(node, partition, owed);
}

void gr_node_load_leftover(struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    node->partition[partition].ripe = true;
}

void gr_node_load_holds(struct gr_node *node, const struct gr_holds *holds)
{
    for (uint32_t p = 0; p < node->ring->partitions && p / 64 < holds->words; p++) {
        node->partition[p].held = holds->held[p / 64] >> (p % 64) & 1;
        node->partition[p].dropping = holds->dropping[p / 64] >> (p % 64) & 1;
    }
}

void gr_node_load_hint(struct gr_node *node, const struct gr_hint *hint)
{
    struct gr_debt *debt = gr_hint_debt(node, hint->owner);
    size_t bytes = gr_hint_bytes(hint);
    if (debt->count++ == 0 || hint->since.ms < debt->oldest.ms)
        debt->oldest = hint->since;
    debt->bytes += bytes;
    debt->astray = debt->whole = true; // who owns what may have changed meanwhile
    node->hint_bytes += bytes;
}
