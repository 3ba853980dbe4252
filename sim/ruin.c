// Ruin: what is on a disk is destroyed or altered behind the node's back.
//
// A lost disk comes back empty under a new store id, and so does the machine of a member that was
// removed (rings.c); a rolled-back one is what it was at an earlier
// durable moment; a record row vanishes, or reads as corrupt from then on. Before each, the oracle
// asks which writes are still held for certain by another disk: those must survive, and only those.
#include <string.h>

#include "sim/world.h"

// The ruin is discovered by a node that starts on it.
static void restart_over(struct sim *sim, int n, int64_t down_ms)
{
    sim->node[n].down_ms = down_ms;
    sim_crash(sim, n);
}

// False: the disk has no such record.
static bool ruin_key(struct sim *sim, const struct sim_action *action, int n, int key)
{
    struct sim_node *host = &sim->node[n];
    const struct gr_key *at = &sim->clients.key[key];
    struct gr_arena arena = {0};
    struct gr_record stored;
    bool there = sim_disk_read(&host->disk, at, &arena, &stored) == GR_OK;
    gr_arena_deinit(&arena);
    if (!there)
        return false;
    if (action->draw[2] & 1) // while the node is down, else under its eyes
        restart_over(sim, n, action->lasts_ms);
    sim_oracle_loses(&sim->oracle, n, key, action->fault == SIM_LOST_RECORD);
    host->suspect[key] = true;
    host->bad_at = GR_MAX(host->bad_at, sim->now);
    sim_tell(sim, "node %d: the record of key %d is %s", n, key,
        action->fault == SIM_BIT_ROT ? "corrupt" : "gone");
    return action->fault == SIM_BIT_ROT ? sim_disk_rot(&host->disk, at, action->draw[2])
                                        : sim_disk_lose(&host->disk, at);
}

static bool ruin_record(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    int keys = sim->clients.keys;
    for (int i = 0; i < keys; i++) {
        going->key = (int)((action->draw[1] + (uint64_t)i) % (uint64_t)keys);
        if (ruin_key(sim, action, going->node, going->key))
            return true;
    }
    return false;
}

bool sim_ruin_begin(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    int n = going->node;
    struct sim_node *host = &sim->node[n];
    if (action->fault == SIM_REMOVAL && !sim_rings_remove(sim, n, action))
        return false;
    host->bad_at = GR_MAX(host->bad_at, sim->now);
    sim->lost_any = sim->ruined = true;
    switch (action->fault) {
    case SIM_DISK_LOSS:
    case SIM_REMOVAL:
        sim_rings_unsettle(sim);
        restart_over(sim, n, action->lasts_ms);
        sim_oracle_loses(&sim->oracle, n, -1, false); // an empty disk casts no vote
        sim_disk_replace(&host->disk, NULL);
        host->store += 1000;
        for (int key = 0; key < SIM_KEYS_MAX; key++)
            host->suspect[key] = false;
        sim_tell(sim, "node %d %s", n,
            action->fault == SIM_REMOVAL ? "is removed" : "has lost its disk");
        return true;
    case SIM_SALVAGE: {
        static const uint32_t shares[] = {0, 20, 200, 800};
        sim_rings_unsettle(sim);
        restart_over(sim, n, action->lasts_ms);
        for (int key = 0; key < sim->clients.keys; key++)
            sim_oracle_loses(&sim->oracle, n, key, false);
        sim->oracle.damage = true;
        sim_disk_salvage(&host->disk, sim->ring.partitions, &host->random,
            shares[action->draw[1] % GR_COUNT(shares)],
            sim->options->canary == GR_CANARY_CLOCK_SALVAGED);
        host->store += 1000;
        for (int key = 0; key < SIM_KEYS_MAX; key++)
            host->suspect[key] = false;
        sim_tell(sim, "node %d has salvaged its store", n);
        return true;
    }
    case SIM_ROLLBACK:
        sim_disk_image(&host->disk, &going->image);
        for (int key = 0; key < SIM_KEYS_MAX; key++)
            going->image.suspect[key] = host->suspect[key] || host->finding[key] != 0;
        return true;
    case SIM_LOST_RECORD:
    case SIM_BIT_ROT:
        return ruin_record(sim, action, going);
    default:
        gr_unreachable("not a fault of a disk");
    }
}

void sim_ruin_end(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    int n = going->node;
    struct sim_node *host = &sim->node[n];
    // Not in a healed core; and not over a disk that is another one by now.
    bool may = !(sim->core >> n & 1) && !sim->quiet && host->store < 1000;
    // What was brought back may be lost again, perhaps before all that was lost is back.
    if (may && action->fault == SIM_LOST_RECORD && action->draw[2] & 2)
        sim->report->fault[SIM_LOST_RECORD] += ruin_key(sim, action, n, going->key);
    if (action->fault != SIM_ROLLBACK)
        return;
    if (may) {
        restart_over(sim, n, action->lasts_ms);
        sim_oracle_loses(&sim->oracle, n, -1, true);
        sim_disk_replace(&host->disk, &going->image);
        memcpy(host->suspect, going->image.suspect, sizeof host->suspect);
        sim->report->fault[SIM_ROLLBACK]++;
        sim_tell(
            sim, "node %d: the disk is rolled back by %lld ms", n, (long long)action->lasts_ms);
    }
    sim_image_deinit(&going->image);
}
