// Sites: what R and W by site ask for, and whether that was kept (O10 and O11 of oracle.c).
//
// Everything goes by the latest ring, so only what was calm is looked at: where a partition changes
// hands a coordinator may go by other lists.
#include "sim/world.h"

static bool same_site(const struct sim *sim, int a, int b)
{
    return sim->plan.site[a] == sim->plan.site[b];
}

static unsigned nodes_at(const struct sim *sim, int node)
{
    unsigned nodes = 0;
    for (int n = 0; n < sim->node_count; n++)
        nodes |= (unsigned)same_site(sim, n, node) << n;
    return nodes;
}

struct sim_need sim_site_need(const struct sim *sim, const struct sim_op *op)
{
    const uint16_t *owner = gr_ring_owners(&sim->ring, op->partition);
    struct sim_need need = {.count = 0};
    unsigned all = 0;
    for (int i = 0; i < sim->ring.n; i++) {
        unsigned nodes = nodes_at(sim, owner[i]);
        int g = 0;
        all |= 1u << owner[i];
        if (op->by_site == GR_QUORUM_LOCAL && !same_site(sim, owner[i], op->node))
            continue;
        while (g < need.count && need.group[g].nodes != nodes)
            g++;
        need.count = GR_MAX(need.count, g + 1);
        need.group[g].nodes = nodes;
        need.group[g].owners |= 1u << owner[i];
    }
    if (need.count == 0)
        need = (struct sim_need){1, {{.owners = all, .nodes = (1u << sim->node_count) - 1}}};
    for (int g = 0; g < need.count; g++)
        need.group[g].least = __builtin_popcount(need.group[g].owners) / 2 + 1;
    return need;
}

bool sim_site_met(const struct sim *sim, const struct sim_op *op, unsigned nodes)
{
    struct sim_need need = sim_site_need(sim, op);
    bool met = true;
    for (int g = 0; g < need.count; g++)
        met &= __builtin_popcount(nodes & need.group[g].owners) >= need.group[g].least;
    return met;
}

void sim_sites_written(struct sim_oracle *oracle, int number)
{
    const struct sim_op *op = &oracle->op[number];
    struct sim_need need = sim_site_need(oracle->sim, op);
    bool commit = sim_durability(oracle->sim) == GR_DURABILITY_COMMIT;
    if (!sim_was_calm(oracle->sim, op))
        return;
    for (int g = 0; g < need.count; g++) {
        int held = __builtin_popcount((commit ? op->was_safe : op->held) & need.group[g].nodes);
        if (held < need.group[g].least)
            sim_oracle_fail(oracle,
                "write %d (W=%s, asked of node %d) is done, and %d of %d nodes %x have it", number,
                op->by_site == GR_QUORUM_LOCAL ? "LOCAL" : "EACH", op->node, held,
                need.group[g].least, need.group[g].nodes);
    }
}

// So many owners of a group had the write when it was acknowledged, and have not lost it since,
// that a get to which enough of the group have answered has heard one of them.
static bool is_heard(const struct sim_group *group, const struct sim_op *write)
{
    int owners = __builtin_popcount(group->owners);
    return __builtin_popcount(write->keeps & group->owners) + group->least > owners;
}

void sim_sites_read(
    struct sim_oracle *oracle, int number, const struct gr_result *result, bool strict)
{
    const struct sim_op *get = &oracle->op[number];
    struct sim_need need = sim_site_need(oracle->sim, get);
    if ((!strict && result->primaries < result->acks) || !sim_was_calm(oracle->sim, get) ||
        (need.count == 1 && __builtin_popcount(need.group[0].owners) == 1 && oracle->damage))
        return;
    for (int i = 0; i < oracle->count; i++) {
        const struct sim_op *op = &oracle->op[i];
        bool acknowledged = op->key == get->key && op->dot.counter != 0 && op->replied &&
                            op->outcome == GR_DONE && op->ended < get->issued &&
                            op->issued >= oracle->lossy && !op->excused && !op->unmet &&
                            sim_was_calm(oracle->sim, op); // who kept a hint then is no owner now
        for (int g = 0; g < need.count && acknowledged; g++)
            if (is_heard(&need.group[g], op) &&
                !gr_context_covers(&result->record.context, &op->dot))
                sim_oracle_fail(oracle,
                    "get %d (R=%s, asked of node %d) of key %d does not cover write %d, which so "
                    "many of nodes %x had",
                    number, get->by_site == GR_QUORUM_LOCAL ? "LOCAL" : "EACH", get->node, get->key,
                    i, need.group[g].nodes);
    }
}
