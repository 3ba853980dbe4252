// Promise 1: what had to succeed did.
//
// Two checks, both conservative. *Always writable*: a put whose coordinator owns the key, and could
// reach W owners all the time of the call, must succeed; any trouble on the way, however small,
// exempts it. *A healed core serves*: in the liveness phase, some time after a core of the nodes
// is well again, whatever is asked of the core and can be served by it must succeed, while the rest
// stays broken and goes on failing.
//
//   PR1 Where the run made queues small, BUSY is an answer, of a replica too: neither check holds.
//   PR2 The counters say how often the premise held; a run of many seeds in which it never did
//       tests nothing.
#include "sim/world.h"

enum {
    // Any W nodes of the core will do (§4.6), also when one of them was asked to stand in for an
    // owner that was only slow, and is then needed for another. False as long as a substitute's
    // vote stays with the seat that it was asked for.
    SUBSTITUTES_MOVE = false,
    // A get that heard of a sibling from an owner outside, which then falls silent before it has
    // sent the value, answers without that owner if R others have answered. False as long as it
    // waits for the value until its deadline.
    GET_LEAVES_OUT_THE_SILENT = false,
};

// A replica that has lost something casts no vote until it was told everything again.
static bool votes(const struct sim *sim, int n, const struct sim_op *op)
{
    const struct sim_node *host = &sim->node[n];
    return !host->suspect[op->key] &&
           (host->node == NULL || (!gr_node_damaged(host->node, op->partition) &&
                                      gr_node_held(host->node, op->partition)));
}

static bool owns(const struct sim *sim, const struct sim_op *op, int node)
{
    return gr_ring_position(&sim->ring, op->partition, (uint16_t)node) >= 0;
}

static bool reads(const struct sim_op *op)
{
    return op->kind == SIM_GET || op->kind == SIM_SET_OLD || op->kind == SIM_EXPIRE ||
           op->kind == SIM_DEL;
}

// Acknowledgements needed: of so many nodes, some of them after a sync.
static int needed(const struct sim_op *op)
{
    return GR_MAX(op->by_site != 0 ? 0 : op->w, op->dw);
}

static bool core_can(const struct sim *sim, const struct sim_op *op)
{
    const uint16_t *owner = gr_ring_owners(&sim->ring, op->partition);
    int inside = 0, voters = 0;
    for (int i = 0; i < sim->ring.n; i++) {
        bool in = sim->core >> owner[i] & 1;
        inside += in;
        voters += in && votes(sim, owner[i], op);
    }
    bool writes = op->kind != SIM_GET;
    // By site: owners of the core, without any help; and of a write the first of them is this node.
    if (op->by_site != 0 &&
        (!sim_site_met(sim, op, sim->core) || (writes && !owns(sim, op, op->node))))
        return false;
    if (reads(op) && (voters < op->r || (!GET_LEAVES_OUT_THE_SILENT && voters < sim->ring.n)))
        return false;
    if (!writes)
        return true;
    int others = 0;
    for (int n = 0; n < sim->node_count; n++)
        others += (sim->core >> n & 1) && !sim->ring.member[n].out;
    others -= inside;
    if (!SUBSTITUTES_MOVE) // each slow owner may have used up one, and a coordinator its own
        others = GR_MAX(others - inside - !owns(sim, op, op->node), 0);
    return inside + GR_MIN(others, sim->ring.n - inside) >= needed(op);
}

void sim_progress_begin(struct sim *sim, struct sim_op *op)
{
    op->must = sim->live && !sim->quiet && sim->now >= sim->must_after && !sim->plan.small_queues &&
               (sim->core >> op->node & 1) && core_can(sim, op);
    op->settled = sim_settled(sim, op->partition);
    op->moves = sim->moves;
    op->must &= op->settled;
}

// Who owns and holds what it is about did not change while it was under way.
bool sim_was_calm(const struct sim *sim, const struct sim_op *op)
{
    return op->settled && op->moves == sim->moves;
}

static bool well_since(const struct sim *sim, int node, int64_t since)
{
    const struct sim_node *host = &sim->node[node];
    return host->node != NULL && host->bad_at < since && !host->full && !host->sync_failed;
}

// W owners and the way to them were without any trouble from the beginning of the call to now.
static bool reachable(const struct sim *sim, const struct sim_op *op)
{
    const uint16_t *owner = gr_ring_owners(&sim->ring, op->partition);
    int64_t since = op->issued_ns;
    int good = 0;
    unsigned well = 0;
    if (!owns(sim, op, op->node) || !well_since(sim, op->node, since))
        return false;
    for (int i = 0; i < sim->ring.n; i++) {
        bool is_good = well_since(sim, owner[i], since) &&
                       sim_network_good(sim, op->node, owner[i], since) && votes(sim, owner[i], op);
        good += is_good;
        well |= (unsigned)is_good << owner[i];
    }
    return good >= needed(op) && (op->by_site == 0 || sim_site_met(sim, op, well));
}

void sim_progress_end(struct sim *sim, int number, const struct gr_result *result)
{
    const struct sim_op *op = &sim->oracle.op[number];
    bool calm = sim_was_calm(sim, op), must = op->must && calm;
    bool writable = calm && !reads(op) && !sim->plan.small_queues && reachable(sim, op);
    sim->report->writable += writable;
    sim->report->served += must;
    if (result->outcome == GR_DONE)
        return;
    if (writable)
        sim_oracle_fail(&sim->oracle,
            "put %d of key %d by node %d: %s, although W=%d owners were reachable all the time",
            number, op->key, op->node, gr_err_info(result->err)->name, needed(op));
    if (must)
        sim_oracle_fail(&sim->oracle,
            "request %d of key %d (R=%d, W=%d): %s, although node %d and the healed core %x could "
            "serve it",
            number, op->key, op->r, op->w, gr_err_info(result->err)->name, op->node, sim->core);
}
