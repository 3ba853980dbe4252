// What goes wrong, drawn per run (swarm): some runs have no fault at all, some have every kind, so
// that each kind is also met alone.
#include <stdio.h>

#include "sim/world.h"

void sim_draw_faults(struct sim *sim)
{
    struct gr_random *random = &sim->random;
    struct sim_faults *f = &sim->faults;
    static const uint32_t delays[] = {300, 2000, 15000, 60000};
    static const uint32_t syncs[] = {300, 3000, 20000, 120000};
    *f = (struct sim_faults){
        .delay_us_max = delays[gr_random_below(random, 4)],
        .sync_us_max = syncs[gr_random_below(random, 4)],
    };
    if (gr_random_chance(random, 500))
        f->loss = (uint32_t)gr_random_below(random, 80);
    if (gr_random_chance(random, 500))
        f->duplicate = (uint32_t)gr_random_below(random, 100);
    if (gr_random_chance(random, 500))
        f->slow = (uint32_t)gr_random_below(random, 100);
    if (gr_random_chance(random, 600))
        f->crash = (uint32_t)gr_random_below(random, 150);
    f->crash_in_step = 700;
    if (gr_random_chance(random, 500))
        f->cut = (uint32_t)gr_random_below(random, 150);
    if (gr_random_chance(random, 300))
        f->pause = (uint32_t)gr_random_below(random, 100);
    if (gr_random_chance(random, 600))
        f->read_late = (uint32_t)gr_random_below(random, 500);
    if (gr_random_chance(random, 200))
        f->read_error = (uint32_t)gr_random_below(random, 30);
    if (gr_random_chance(random, 400))
        f->skew_ms_max = gr_random_chance(random, 800) ? 2000 : 150000;
    f->minutes = gr_random_chance(random, 200);
    f->one_way = gr_random_chance(random, 300);
    f->link_events = gr_random_chance(random, 700);
}

void sim_draw_durability(struct sim *sim)
{
    struct gr_random random;
    gr_random_init(&random, sim->options->seed ^ 0x64697363);
    uint64_t dice = gr_random_below(&random, 100);
    sim->durability = dice < 60   ? GR_DURABILITY_COMMIT
                      : dice < 80 ? GR_DURABILITY_INTERVAL
                                  : GR_DURABILITY_BUFFERED;
}

static void cut_links(struct sim *sim)
{
    sim->report->cuts++;
    int side = 1 + (int)gr_random_below(&sim->random, (1u << sim->node_count) - 2);
    bool one_way = sim->faults.one_way && gr_random_chance(&sim->random, 500);
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < sim->node_count; b++)
            if ((side >> a & 1) && !(side >> b & 1)) {
                sim->cut[a][b] = true;
                sim->cut[b][a] = sim->cut[b][a] || !one_way;
                if (sim->faults.link_events)
                    sim_link_changes(sim, a, b, false, 100000);
            }
    if (sim_verbose(sim))
        printf("cut %x%s\n", (unsigned)side, one_way ? " one way" : "");
}

void sim_heal_links(struct sim *sim)
{
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < a; b++) {
            sim->cut[a][b] = sim->cut[b][a] = false;
            if (sim->node[a].node != NULL && sim->node[b].node != NULL)
                sim_link_changes(sim, a, b, true, 20000);
        }
    if (sim_verbose(sim))
        printf("heal\n");
}

void sim_fault_tick(struct sim *sim)
{
    struct gr_random *random = &sim->random;
    struct sim_faults *f = &sim->faults;
    int n = (int)gr_random_below(random, (uint64_t)sim->node_count);
    struct sim_node *host = &sim->node[n];
    if (gr_random_chance(random, f->crash) && host->node != NULL) {
        if (gr_random_chance(random, f->crash_in_step))
            host->crash_after = (int)gr_random_below(random, 6);
        else
            sim_crash(sim, n);
    }
    for (int m = 0; m < sim->node_count; m++) {
        struct sim_node *down = &sim->node[m];
        if (down->node == NULL && !down->starting && gr_random_chance(random, 300)) {
            down->starting = true;
            sim_push(sim, START, m, sim_within(sim, 1000, 500000));
        }
    }
    if (gr_random_chance(random, f->cut))
        cut_links(sim);
    else if (gr_random_chance(random, 150))
        sim_heal_links(sim);
    if (gr_random_chance(random, f->pause) && host->node != NULL)
        host->paused_until = sim->now + sim_within(sim, 1000, 900000);
    sim_push(sim, FAULT, -1, (int64_t)FAULT_EVERY_MS * MS);
}

void sim_heal(struct sim *sim)
{
    sim->quiet = true;
    uint32_t sync_us_max = sim->faults.sync_us_max;
    bool minutes = sim->faults.minutes;
    sim->faults =
        (struct sim_faults){.delay_us_max = 2000, .sync_us_max = sync_us_max, .minutes = minutes};
    for (int i = 0; i < sim->node_count; i++) {
        sim->node[i].paused_until = 0;
        sim->node[i].crash_after = -1;
        sim_start(sim, i);
    }
    sim_heal_links(sim);
}
