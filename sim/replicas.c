// The audit of replicas: once all is quiet, those of a partition are equal, byte for byte of what
// is compared between them, and each tree is what its store adds up to.
#include <stdio.h>
#include <string.h>

#include "sim/world.h"

enum { LOOK_EVERY_MS = 500, LOOKS_MAX = 120 };

static bool is_source(const struct sim *sim, int n, uint32_t partition)
{
    return gr_ring_position(&sim->ring, partition, (uint16_t)n) >= 0;
}

// Each tree, sum and count is that of the store, write by write.
static void audit_tree(struct sim *sim, int n, uint32_t partition)
{
    struct gr_sum leaf[GR_MERKLE_LEAVES_MAX];
    struct sim_node *host = &sim->node[n];
    struct sim_sums sums = {.leaf = leaf};
    sim_disk_sums(&host->disk, &sim->ring, partition, &sums);
    const struct gr_sum *tree = gr_node_tree(host->node, partition);
    uint32_t leaves = gr_merkle_leaves(&sim->ring);
    if (tree == NULL)
        sim_oracle_fail(
            &sim->oracle, "node %d has never read its partition %u whole", n, partition);
    else if (memcmp(tree, leaf, leaves * sizeof *tree) != 0)
        sim_oracle_fail(
            &sim->oracle, "node %d: the tree of partition %u is not its store's", n, partition);
    if (sums.count != gr_node_count(host->node, partition) ||
        !gr_sum_equal(gr_merkle_sum(leaf, 0, leaves), gr_node_sum(host->node, partition)))
        sim_oracle_fail(&sim->oracle, "node %d: partition %u holds %lld keys and counts %lld", n,
            partition, (long long)sums.count, (long long)gr_node_count(host->node, partition));
    if (!sim->lost_any && sums.leftover > 0)
        sim_oracle_fail(&sim->oracle,
            "node %d: no write was lost, and %u keys of partition %u keep context", n,
            sums.leftover, partition);
}

// What differs between two owners, or NULL.
static const char *difference(struct sim *sim, int a, int b, uint32_t partition)
{
    if (gr_node_damaged(sim->node[a].node, partition) ||
        gr_node_damaged(sim->node[b].node, partition))
        return "are not both sound in";
    const struct gr_sum *x = gr_node_tree(sim->node[a].node, partition);
    const struct gr_sum *y = gr_node_tree(sim->node[b].node, partition);
    if (x == NULL || y == NULL)
        return "have not both read";
    if (!gr_clock_equal(gr_node_clock(sim->node[a].node, partition),
            gr_node_clock(sim->node[b].node, partition)))
        return "have unequal clocks of";
    if (memcmp(x, y, gr_merkle_leaves(&sim->ring) * sizeof *x) != 0)
        return "have unequal trees of";
    return NULL;
}

static const char *first_difference(
    struct sim *sim, int *ret_a, int *ret_b, uint32_t *ret_partition)
{
    for (uint32_t p = 0; p < sim->ring.partitions; p++)
        for (int b = 1; b < sim->node_count; b++)
            for (int a = 0; a < b; a++) {
                if (!is_source(sim, a, p) || !is_source(sim, b, p))
                    continue;
                const char *what = difference(sim, a, b, p);
                *ret_a = a, *ret_b = b, *ret_partition = p;
                if (what != NULL)
                    return what;
            }
    return NULL;
}

static bool keeps_context(struct sim *sim)
{
    struct gr_sum leaf[GR_MERKLE_LEAVES_MAX];
    for (int n = 0; n < sim->node_count && !sim->lost_any; n++)
        for (uint32_t p = 0; p < sim->ring.partitions; p++) {
            struct sim_sums sums = {.leaf = leaf};
            if (is_source(sim, n, p))
                sim_disk_sums(&sim->node[n].disk, &sim->ring, p, &sums);
            if (sums.leftover > 0)
                return true;
        }
    return false;
}

void sim_audit_replicas(struct sim *sim)
{
    int a = 0, b = 0;
    uint32_t partition = 0;
    const char *what = first_difference(sim, &a, &b, &partition);
    for (int look = 0; look < LOOKS_MAX && (what != NULL || keeps_context(sim)); look++) {
        sim_run_until(sim, sim->now + LOOK_EVERY_MS * (int64_t)MS);
        what = first_difference(sim, &a, &b, &partition);
    }
    if (what != NULL)
        sim_oracle_fail(&sim->oracle, "all is quiet, and nodes %d and %d %s partition %u", a, b,
            what, partition);
    for (int n = 0; n < sim->node_count; n++)
        for (uint32_t p = 0; p < sim->ring.partitions && !sim->oracle.failed; p++)
            if (is_source(sim, n, p))
                audit_tree(sim, n, p);
}

// The oracle is not asked any more: this is about what one replica does to the others.
void sim_audit_silent_loss(struct sim *sim)
{
    int key = (int)gr_random_below(&sim->random, (uint64_t)sim->clients.keys);
    uint32_t partition = sim_key_partition(sim, key);
    uint16_t n = gr_ring_owners(&sim->ring, partition)[0];
    struct sim_node *host = &sim->node[n];
    struct gr_arena arena = {0};
    struct gr_record stored;
    bool fits = sim->ring.n > 1 &&
                sim_disk_read(&host->disk, &sim->clients.key[key], &arena, &stored) == GR_OK &&
                stored.count > 0;
    for (uint32_t i = 0; fits && i < stored.count; i++)
        fits = stored.sibling[i].expires.ms == 0;
    if (fits) {
        // All owners start again: a run that had known damage would believe what it is told.
        for (uint8_t i = 0; i < sim->ring.n; i++) {
            uint16_t m = gr_ring_owners(&sim->ring, partition)[i];
            sim->node[m].down_ms = 300; // the links go down meanwhile
            sim_crash(sim, m);
        }
        (void)sim_disk_lose(&host->disk, &sim->clients.key[key]);
        sim_disk_forge(&host->disk, &sim->ring, partition);
        sim->ruined = true;
        sim->lost_node = n;
        sim->lost_partition = partition;
        sim->lost_found = false;
        host->suspect[key] = true;
        sim_run_until(sim, sim->now + 20000 * (int64_t)MS);
    }
    for (uint8_t i = 0; fits && i < sim->ring.n; i++) {
        uint16_t m = gr_ring_owners(&sim->ring, partition)[i];
        struct gr_record now = GR_RECORD_NOTHING;
        (void)sim_disk_read(&sim->node[m].disk, &sim->clients.key[key], &arena, &now);
        if (now.count != stored.count)
            sim_oracle_fail(&sim->oracle,
                m == n ? "node %u lost key %d, and nobody told it"
                       : "node %u gave up key %d to one that had lost it",
                m, key);
    }
    gr_arena_deinit(&arena);
}
