// The audit: what must be true of the nodes once everything is healed and quiet.
//
// Nothing acknowledged is missing from the replicas together; every node can read every key and
// reads what they hold; a walk over the keys meets those that are there and none that is not; what
// is due is gone from the disks; and a node that is idle holds no memory for requests.
#include <string.h>

#include "sim/world.h"

void sim_audit_key(struct sim *sim, int n, int key)
{
    struct sim_node *host = &sim->node[n];
    const struct gr_key *at = &sim->clients.key[key];
    uint32_t partition = gr_ring_partition(&sim->ring, at->slot);
    // What is being dropped claims nothing.
    if (!gr_node_has(host->node, partition) || (gr_node_clock(host->node, partition)->count == 0 &&
                                                   !gr_node_damaged(host->node, partition)))
        return;
    struct gr_arena arena = {0};
    struct gr_record stored = GR_RECORD_NOTHING;
    enum gr_err err = sim_disk_read(&host->disk, at, &arena, &stored);
    bool damaged = err == GR_ERR_CORRUPT || host->suspect[key];
    gr_assert(damaged || err == GR_OK || err == GR_ERR_NOT_FOUND);
    struct gr_record filled = gr_record_fill(&arena, &stored, gr_node_clock(host->node, partition));
    if (damaged)
        sim_oracle_damaged_state(&sim->oracle, n, key, &filled);
    else
        sim_oracle_state(&sim->oracle, n, key, &filled);
    gr_arena_deinit(&arena);
}

void sim_audit_reply(struct sim *sim, const struct gr_result *result)
{
    sim->audit_done = true;
    sim->audit_err = result->err;
    sim->audit_record = gr_record_copy(&sim->audit_arena, &result->record, true);
    sim->audit_cursor = result->cursor;
    sim->audit_key_count = result->key_count;
    sim->audit_key = gr_arena_array(&sim->audit_arena, struct gr_key, result->key_count);
    for (uint32_t i = 0; i < result->key_count; i++)
        sim->audit_key[i] = gr_key_copy(&sim->audit_arena, &result->key[i]);
}

static bool ask(struct sim *sim, int n, struct gr_request *request)
{
    request->ticket = AUDIT_TICKET;
    sim->audit_done = false;
    gr_arena_clear(&sim->audit_arena);
    (void)sim_submit(sim, n, request);
    for (int ms = 0; ms < 4000 && !sim->audit_done && !sim->oracle.failed; ms++)
        sim_run_until(sim, sim->now + MS);
    return sim->audit_done && !sim->oracle.failed;
}

// What those replicas of a key whose bit is set in `which` hold together.
static struct gr_record merged_state(
    struct sim *sim, int key, unsigned which, struct gr_arena *arena)
{
    const struct gr_key *at = &sim->clients.key[key];
    uint32_t partition = gr_ring_partition(&sim->ring, at->slot);
    const uint16_t *owner = gr_ring_owners(&sim->ring, partition);
    struct gr_record merged = GR_RECORD_NOTHING;
    for (int i = 0; i < sim->ring.n; i++) {
        if (!(which >> i & 1))
            continue;
        struct sim_node *host = &sim->node[owner[i]];
        struct gr_record stored = GR_RECORD_NOTHING;
        (void)sim_disk_read(&host->disk, at, arena, &stored);
        struct gr_record filled =
            gr_record_fill(arena, &stored, gr_node_clock(host->node, partition));
        merged = gr_record_merge(arena, &merged, &filled);
    }
    return merged;
}

static bool same_dots(const struct gr_record *a, const struct gr_record *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++)
        same = gr_dot_equal(&a->sibling[i].dot, &b->sibling[i].dot);
    return same;
}

// What is due may be swept while the get is under way: it shows what the replicas held before it,
// or hold after it.
static void audit_get(struct sim *sim, int key, int n)
{
    struct gr_request request = {.op = GR_OP_GET, .key = sim->clients.key[key], .r = sim->ring.n};
    struct gr_arena arena = {0};
    unsigned all = (1u << sim->ring.n) - 1;
    struct gr_record before = merged_state(sim, key, all, &arena);
    if (!ask(sim, n, &request) || sim->audit_err != GR_OK) {
        sim_oracle_fail(&sim->oracle, "all is healed, and node %d cannot read key %d: %s", n, key,
            sim->audit_done ? gr_err_info(sim->audit_err)->name : "no answer");
    } else {
        struct gr_record after = merged_state(sim, key, all, &arena);
        if (!same_dots(&sim->audit_record, &before) && !same_dots(&sim->audit_record, &after))
            sim_oracle_fail(
                &sim->oracle, "node %d reads key %d otherwise than its replicas hold it", n, key);
    }
    gr_arena_deinit(&arena);
}

// A scan merges some R replicas: how many choices of R hold the key alive together, how many do
// not, and whether anything there can expire.
static void count_choices(struct sim *sim, int key, int *ret_alive, int *ret_dead, bool *ret_mortal)
{
    struct gr_arena arena = {0};
    int r = sim->ring.n / 2 + 1;
    *ret_alive = *ret_dead = 0;
    *ret_mortal = false;
    for (unsigned which = 1; which < 1u << sim->ring.n; which++) {
        if (__builtin_popcount(which) != r)
            continue;
        struct gr_record merged = merged_state(sim, key, which, &arena);
        *(merged.count > 0 ? ret_alive : ret_dead) += 1;
        for (uint32_t i = 0; i < merged.count; i++)
            *ret_mortal |= merged.sibling[i].expires.ms != 0;
    }
    gr_arena_deinit(&arena);
}

// A key that every choice of R holds alive must be met on a walk; one that none does must not.
static void audit_scan(struct sim *sim, int n)
{
    bool met[SIM_KEYS_MAX] = {false};
    struct gr_request request = {
        .op = GR_OP_SCAN, .key = {.bucket = gr_bytes_text("default")}, .limit = 2};
    for (request.cursor = 0; request.cursor < GR_CURSOR_END; request.cursor = sim->audit_cursor) {
        if (!ask(sim, n, &request) || sim->audit_err != GR_OK) {
            sim_oracle_fail(&sim->oracle, "all is healed, and node %d cannot scan", n);
            return;
        }
        for (uint32_t i = 0; i < sim->audit_key_count; i++)
            for (int key = 0; key < sim->clients.keys; key++)
                met[key] |= gr_key_equal(&sim->audit_key[i], &sim->clients.key[key]);
    }
    for (int key = 0; key < sim->clients.keys; key++) {
        int alive, dead;
        bool mortal;
        count_choices(sim, key, &alive, &dead, &mortal);
        if (!mortal && (met[key] ? alive == 0 : dead == 0))
            sim_oracle_fail(
                &sim->oracle, "a scan by node %d %s key %d", n, met[key] ? "shows" : "misses", key);
    }
}

// Once every minute that an expiry fell into is over, nothing that is due takes room on any disk.
static void audit_expiry(struct sim *sim)
{
    sim_run_until(sim, sim->now + (2 * sim->skew_ms_max + 75000) * (int64_t)MS);
    struct gr_arena arena = {0};
    for (int n = 0; n < sim->node_count; n++)
        for (int key = 0; key < sim->clients.keys; key++) {
            struct gr_record stored = GR_RECORD_NOTHING;
            (void)sim_disk_read(&sim->node[n].disk, &sim->clients.key[key], &arena, &stored);
            bool shield = false;
            for (uint32_t i = 0; i < stored.count; i++)
                shield |= stored.sibling[i].expires.ms == 0;
            if (stored.count > 0 && !shield)
                sim_oracle_fail(&sim->oracle, "node %d still stores key %d, which is due", n, key);
        }
    gr_arena_deinit(&arena);
}

// Every owner is back: what others kept for it has been delivered.
static void audit_hints(struct sim *sim)
{
    for (int n = 0; n < sim->node_count; n++)
        for (int owner = 0; owner < sim->node_count; owner++) {
            struct gr_debt_view debt = gr_node_debt(sim->node[n].node, (uint16_t)owner);
            if (debt.count != 0 || debt.bytes != 0)
                sim_oracle_fail(&sim->oracle, "node %d still keeps %llu hints for node %d", n,
                    (unsigned long long)debt.count, owner);
            uint64_t rows = sim_disk_hints(&sim->node[n].disk, sim->ring.member[owner].id);
            if (rows != 0)
                sim_oracle_fail(&sim->oracle, "node %d stores %llu hints for node %d", n,
                    (unsigned long long)rows, owner);
        }
}

void sim_audit(struct sim *sim)
{
    sim_audit_rings(sim);
    audit_hints(sim);
    if (sim->plan.minutes)
        audit_expiry(sim);
    for (int c = 0; c < sim->clients.count; c++)
        if (sim->clients.client[c].waits_for >= 0)
            sim_oracle_fail(
                &sim->oracle, "request %d was never answered", sim->clients.client[c].waits_for);
    sim_audit_replicas(sim);
    for (int n = 0; n < sim->node_count && !sim->oracle.failed; n++)
        sim_audit_store(sim, n);
    for (int key = 0; key < sim->clients.keys && !sim->oracle.failed; key++) {
        struct gr_arena arena = {0};
        struct gr_record merged = merged_state(sim, key, (1u << sim->ring.n) - 1, &arena);
        sim_oracle_final(&sim->oracle, key, &merged);
        for (int n = 0; n < sim->node_count && !sim->oracle.failed; n++)
            audit_get(sim, key, n);
        gr_arena_deinit(&arena);
    }
    if (!sim->oracle.failed)
        audit_scan(sim, (int)gr_random_below(&sim->random, (uint64_t)sim->node_count));
    if (!sim->oracle.failed && sim->plan.silent_loss)
        sim_audit_silent_loss(sim);
    for (int n = 0; n < sim->node_count && !sim->oracle.failed; n++) {
        sim_run_until(sim, sim->now + 3000 * (int64_t)MS); // late calls end
        struct gr_node_stats stats = gr_node_stats(sim->node[n].node);
        // Housekeeping may be reading a key at this very moment; not at every moment.
        for (int ms = 0; ms < 100 && (stats.calls != 0 || stats.memory != 0); ms++) {
            sim_run_until(sim, sim->now + MS);
            stats = gr_node_stats(sim->node[n].node);
        }
        if (stats.calls != 0 || stats.memory != 0)
            sim_oracle_fail(&sim->oracle, "node %d is idle and keeps %u calls, %zu bytes", n,
                stats.calls, stats.memory);
    }
}
