// One run: a cluster is built from its plan, and goes through four phases.
//
//   safety    clients ask, everything goes wrong that the plan says
//   liveness  a random core of the nodes is healed and must serve; the rest stays broken and goes
//             on failing
//   quiet     everything heals, nobody asks, what is under way ends
//   audit     nothing may be missing, nothing may be back
#include "sim/world.h"
#include "wire/frame.h"

#include <stdio.h>
#include <string.h>

enum {
    SETTLE_MS = 3000, // after which a healed core must serve: links are made, old calls are over
    QUIET_MS = 8000,
    QUIET_SLOW_MS = 40000, // four slices of background work a second
    DRAIN_MS = 60000,      // at most: into a small queue hints go one by one, a retry apart
    FIRST_MS = 30,         // the nodes' first links
    SMALL_HINT_BYTES = 2000,
};

static void build_nodes(struct sim *sim)
{
    struct gr_random random;
    sim_stream_init(&random, sim->plan.seed, SIM_STREAM_NODE, 0);
    static const size_t caches[] = {0, 1000, 1 << 20}; // none, one or two keys, all
    int64_t skew = sim->plan.skew_ms_max;
    sim->skew_ms_max = GR_MAX(skew, sim->plan.jump_max);
    for (int i = 0; i < sim->node_count; i++) {
        struct sim_node *host = &sim->node[i];
        sim_stream_init(&host->random, sim->plan.seed, SIM_STREAM_DISK, (uint64_t)i);
        host->config = gr_node_config_default();
        host->config.self = (uint16_t)i;
        host->config.ring = &sim->rings[0].ring;
        host->config.newcomer = true;
        host->config.r = host->config.w = (uint8_t)(sim->ring.n / 2 + 1);
        host->config.canary = sim->options->canary;
        host->config.header_bytes_max = caches[gr_random_below(&random, 3)];
        host->config.durability = sim->plan.durability;
        host->config.background.target = gr_span_ms(400); // the network's delays are no load
        if (sim->plan.slow && i % 2 == 0)
            host->config.background.slice_rate_min = host->config.background.slice_rate_max = 64;
        host->config.exchange_interval = gr_span_ms(sim->plan.hasty ? 40 : 300);
        host->config.exchange_grace = gr_span_ms(sim->plan.hasty ? 1 : 100);
        host->config.scrub_interval = gr_span_ms(4000);
        bool small = gr_random_chance(&random, 500) && sim->plan.small_queues;
        host->config.latch_queue_max = small ? 1 : 1024;
        if (gr_random_chance(&random, 500) && sim->plan.small_queues)
            host->config.hint_bytes_max = SMALL_HINT_BYTES;
        host->skew_ms = (int64_t)gr_random_below(&random, 2 * (uint64_t)skew + 1) - skew;
        host->crash_after = -1;
        host->version = sim->plan.old >> i & 1 ? GR_FRAME_VERSION_MIN : GR_FRAME_VERSION;
    }
}

static void build(struct sim *sim)
{
    const struct sim_plan *plan = &sim->plan;
    sim->node_count = plan->nodes;
    struct gr_member member[SIM_NODES_MAX] = {{.id = 0}};
    for (int i = 0; i < sim->node_count; i++) {
        snprintf(member[i].name, sizeof member[i].name, "n%d", i);
        if (plan->sites > 1)
            snprintf(member[i].site, sizeof member[i].site, "site%d", plan->site[i]);
    }
    sim_rings_init(sim, member);
    sim_clients_init(&sim->clients, sim, &sim->oracle);
    build_nodes(sim);
    for (int i = 0; i < sim->node_count; i++)
        sim_start(sim, i);
    for (int c = 0; c < sim->clients.count; c++)
        sim_push(
            sim, CLIENT, -1, FIRST_MS * MS + sim_within(&sim->clients.client[c].random, 0, 20000))
            ->node = c;
    sim_push(sim, RELINK, -1, FIRST_MS * MS);
    sim_faults_schedule(sim);
}

// At least a majority, and not all of them.
static unsigned draw_core(const struct sim *sim)
{
    struct gr_random random;
    sim_stream_init(&random, sim->plan.seed, SIM_STREAM_LIVENESS, 0);
    int count = sim->node_count, least = count / 2 + 1;
    int size = least + (int)gr_random_below(&random, (uint64_t)GR_MAX(count - least, 1));
    unsigned core = 0;
    while (__builtin_popcount(core) < size)
        core |= 1u << gr_random_below(&random, (uint64_t)count);
    return core;
}

static void liveness(struct sim *sim)
{
    sim->live = true;
    sim_heal_core(sim, draw_core(sim));
    sim->must_after = sim->now + (int64_t)SETTLE_MS * MS;
    sim_run_until(sim, sim->must_after + sim->plan.live_ms * MS);
}

static bool hints_left(const struct sim *sim)
{
    uint64_t count = 0;
    for (int n = 0; n < sim->node_count; n++)
        for (int owner = 0; owner < sim->node_count; owner++)
            count += gr_node_debt(sim->node[n].node, (uint16_t)owner).count;
    return count > 0;
}

static void quiet(struct sim *sim)
{
    sim_tell(sim, "all heals");
    sim_heal(sim);
    if (sim_plan_has(&sim->plan, SIM_VERSIONS)) { // once the last request is over
        sim_run_until(sim, sim->now + (int64_t)SETTLE_MS * MS);
        sim_network_upgrade(sim); // what the older version cannot say has waited for that
    }
    sim_run_until(sim, sim->now + (int64_t)(sim->plan.slow ? QUIET_SLOW_MS : QUIET_MS) * MS);
    bool slow = sim->plan.small_queues || sim->plan.slow;
    for (int ms = 0; ms < DRAIN_MS && slow && hints_left(sim); ms += 1000)
        sim_run_until(sim, sim->now + 1000 * (int64_t)MS);
}

static void tear_down(struct sim *sim)
{
    struct sim_event *event;
    while ((event = sim_pop(sim)) != NULL)
        sim_event_free(event);
    gr_hook_memory(sim->heap, 0);
    for (int i = 0; i < sim->plan.action_count; i++)
        sim_image_deinit(&sim->going[i].image);
    for (int i = 0; i < sim->node_count; i++) {
        if (sim->node[i].node != NULL) {
            for (int p = 0; p < GR_PROBE_COUNT; p++)
                sim->report->probes.reached[p] += gr_node_probes(sim->node[i].node)->reached[p];
            gr_node_free(sim->node[i].node);
        }
        if (sim->node[i].store != 0)
            sim_disk_deinit(&sim->node[i].disk);
    }
    sim_clients_deinit(&sim->clients);
    gr_arena_deinit(&sim->audit_arena);
    sim_rings_deinit(sim);
}

// What the plan was. Told before anything happens, so that it is known whatever happens.
static void tell_plan(const struct sim *sim, struct sim_report *ret)
{
    ret->on = sim->plan.on;
    ret->nodes = sim->plan.nodes;
    ret->clients = sim->plan.clients;
    ret->keys = sim->plan.keys;
    ret->ops = sim->plan.ops;
    ret->until_ms = sim->plan.until_ms;
    ret->live_ms = sim->plan.live_ms;
}

void sim_run(const struct sim_options *options, struct sim_report *ret_report)
{
    *ret_report = (struct sim_report){.digest = options->seed};
    struct sim *sim = gr_hook_memory(NULL, sizeof *sim);
    memset(sim, 0, sizeof *sim);
    sim->options = options;
    sim->report = ret_report;
    sim->oracle.sim = sim;
    sim->lost_node = -1;
    sim_plan_draw(options->seed, &options->edit, &sim->plan);
    sim_stream_init(&sim->random, options->seed, SIM_STREAM_AUDIT, 0);
    tell_plan(sim, ret_report);
    build(sim);
    sim_run_until(sim, sim->plan.until_ms * MS);
    if (!sim->oracle.failed && sim->plan.live_ms > 0)
        liveness(sim);
    if (!sim->oracle.failed)
        quiet(sim);
    if (!sim->oracle.failed)
        sim_audit(sim);
    ret_report->failed = sim->oracle.failed;
    memcpy(ret_report->story, sim->oracle.story, sizeof ret_report->story);
    ret_report->virtual_ms = sim->now / MS;
    sim_note(sim, gr_random_next(&sim->random)); // one more random number proves determinism
    tear_down(sim);
    gr_hook_memory(sim, 0);
}
