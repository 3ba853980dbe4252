// Carries out the plan: crashes, pauses, cuts, clocks and disks that refuse; then heals.
//
// Each action begins at its moment, and most end a while later. Whom it strikes was drawn with it;
// once a core of nodes is healed it strikes only the rest, so that the plan goes on unchanged while
// the core must serve. A class is counted when it really changed something.
//
//   FA1 Nothing here draws from a generator: an action's numbers are the plan's.
//   FA2 A healed core is all up, all connected and never struck again.
#include "sim/world.h"
#include "wire/frame.h"

bool sim_strikes(struct sim *sim, enum sim_fault fault, uint64_t place, uint64_t n)
{
    if (sim->quiet || !sim_plan_has(&sim->plan, fault))
        return false;
    bool hit = sim_draw(sim->plan.seed, (int)fault, place, n) % 1000 < sim->plan.rate[fault];
    sim->report->fault[fault] += hit;
    return hit;
}

void sim_faults_schedule(struct sim *sim)
{
    for (int i = 0; i < sim->plan.action_count; i++) {
        const struct sim_action *action = &sim->plan.action[i];
        sim->report->action[action->fault] |= 1u << action->number;
        sim_push(sim, FAULT, -1, action->at_ms * MS)->ticket = (uint64_t)i;
    }
}

// The node that a number means: any of those that may be struck; -1 if there is none.
static int victim(const struct sim *sim, uint64_t draw)
{
    int rest[SIM_NODES_MAX], count = 0;
    for (int n = 0; n < sim->node_count; n++)
        if (!(sim->core >> n & 1))
            rest[count++] = n;
    return count == 0 ? -1 : rest[draw % (uint64_t)count];
}

// ---- cuts --------------------------------------------------------------------------------------

static void cut(struct sim_going *going, int from, int to)
{
    going->cut[from] |= (uint16_t)(1u << to);
}

static void spare_core(const struct sim *sim, struct sim_going *going)
{
    for (int a = 0; a < sim->node_count; a++)
        if (sim->core >> a & 1)
            going->cut[a] &= (uint16_t)~sim->core;
}

static void split(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    bool one_way = action->fault == SIM_ONE_WAY;
    unsigned all = (1u << sim->node_count) - 1;
    unsigned side = 1 + (unsigned)(action->draw[0] % (all - 1));
    side &= ~sim->core; // it stays together
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < sim->node_count; b++)
            if ((side >> a & 1) && !(side >> b & 1)) {
                cut(going, a, b);
                if (!one_way)
                    cut(going, b, a);
            }
    sim_tell(sim, "split off %x%s", side, one_way ? " one way" : "");
}

static void cut_pairs(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    uint64_t bits = action->draw[0] & action->draw[1]; // a quarter of the pairs
    for (int a = 0, pair = 0; a < sim->node_count; a++)
        for (int b = 0; b < a; b++, pair++)
            if (bits >> pair & 1) {
                cut(going, a, b);
                cut(going, b, a);
                sim_tell(sim, "cut between %d and %d", a, b);
            }
}

// All of a site from all others.
static void cut_site(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    int site = (int)(action->draw[0] % (uint64_t)sim->plan.sites);
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < sim->node_count; b++)
            if ((sim->plan.site[a] == site) != (sim->plan.site[b] == site))
                cut(going, a, b);
    sim_tell(sim, "site %d is cut off", site);
}

static bool half_open(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    int a = victim(sim, action->draw[0]);
    int b = (int)(action->draw[1] % (uint64_t)sim->node_count);
    if (a < 0 || a == b || sim->node[a].node == NULL || sim->node[b].node == NULL)
        return false;
    int up = action->draw[2] & 1 ? a : b, down = up == a ? b : a;
    cut(going, up, down);
    going->node = up;
    sim_tell(sim, "half-open: %d believes in its link to %d", up, down);
    sim_link_noticed(sim, down, up, false, 1000);
    return true;
}

static bool begin_cut(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    switch (action->fault) {
    case SIM_PAIRS:
        cut_pairs(sim, action, going);
        break;
    case SIM_SITE_CUT:
        if (sim->plan.sites == 1)
            return false;
        cut_site(sim, action, going);
        break;
    case SIM_HALF_OPEN:
        if (!half_open(sim, action, going))
            return false;
        break;
    default:
        split(sim, action, going);
    }
    spare_core(sim, going);
    bool any = false;
    for (int n = 0; n < sim->node_count; n++)
        any |= going->cut[n] != 0;
    going->on = true;
    sim_network_cut(sim, sim->plan.link_events && action->fault != SIM_HALF_OPEN);
    return any;
}

static void end_cut(struct sim *sim, const struct sim_action *action, const struct sim_going *going)
{
    sim_tell(sim, "%s.%d ends", sim_fault_name(action->fault), action->number);
    int up = going->node;
    // Whoever believed in a half-open link learns now.
    for (int b = 0; b < sim->node_count && action->fault == SIM_HALF_OPEN; b++)
        if (going->cut[up] >> b & 1)
            sim_link_noticed(sim, up, b, false, 1000);
    sim_network_cut(sim, false);
}

// ---- nodes -------------------------------------------------------------------------------------

static bool begin_node(struct sim *sim, const struct sim_action *action, struct sim_going *going)
{
    int n = victim(sim, action->draw[0]);
    if (n < 0 || sim->node[n].node == NULL)
        return false;
    struct sim_node *host = &sim->node[n];
    bool of_store = action->fault == SIM_FULL_DISK || action->fault == SIM_FAILED_SYNC;
    if (of_store && (host->full || host->sync_failed))
        return false;
    int64_t until = sim->now + action->lasts_ms * MS;
    uint64_t how = action->draw[1], much = action->draw[2];
    *going = (struct sim_going){.on = true, .node = n, .life = host->life};
    host->bad_at = GR_MAX(host->bad_at, sim->now);
    sim_tell(sim, "%s.%d strikes node %d for %lld ms", sim_fault_name(action->fault),
        action->number, n, (long long)action->lasts_ms);
    switch (action->fault) {
    case SIM_CRASH:
        host->down_ms = action->lasts_ms;
        if (how % 1000 < 700) // between two effects of some step to come
            host->crash_after = (int)(much % 6);
        else
            sim_crash(sim, n);
        break;
    case SIM_PAUSE:
        host->paused_until = until;
        host->bad_at = GR_MAX(host->bad_at, until);
        break;
    case SIM_SLOW_NODE:
        host->slow_until = until;
        host->slow_ns = (int64_t)(1 + much % 80) * MS;
        // What was delayed may arrive after the spell is over.
        host->bad_at = GR_MAX(host->bad_at, until + host->slow_ns);
        break;
    case SIM_CLOCK_JUMP:
        host->skew_ms =
            (int64_t)(much % (2 * (uint64_t)sim->plan.jump_max + 1)) - sim->plan.jump_max;
        break;
    case SIM_FULL_DISK:
        host->full = true;
        host->bad_at = GR_MAX(host->bad_at, until);
        sim_tell_store(sim, n, GR_ERR_NO_SPACE);
        break;
    case SIM_FAILED_SYNC:
        host->sync_failed = true;
        host->syncing = true; // for ever: nothing is durable any more
        sim_tell_store(sim, n, GR_ERR_IO);
        break;
    default:
        gr_unreachable("not a fault of a node");
    }
    return true;
}

static void end_node(
    struct sim *sim, const struct sim_action *action, const struct sim_going *going)
{
    struct sim_node *host = &sim->node[going->node];
    if (action->fault == SIM_FULL_DISK && host->full) {
        host->full = false;
        sim_tell_store(sim, going->node, GR_OK);
    }
    // The operator, or the program itself, starts it again: with a new actor.
    if (action->fault == SIM_FAILED_SYNC && host->sync_failed && host->life == going->life)
        sim_crash(sim, going->node);
}

// Its program is replaced by the one a version later, or before, and started again.
static bool replace(struct sim *sim, const struct sim_action *action)
{
    int n = victim(sim, action->draw[0]);
    if (n < 0)
        return false;
    struct sim_node *host = &sim->node[n];
    host->version = GR_FRAME_VERSION + GR_FRAME_VERSION_MIN - host->version;
    sim_tell(sim, "node %d: its next program speaks version %u", n, host->version);
    sim_crash(sim, n);
    return true;
}

void sim_fault_begin(struct sim *sim, int index)
{
    const struct sim_action *action = &sim->plan.action[index];
    struct sim_going *going = &sim->going[index];
    bool done = false;
    switch (action->fault) {
    case SIM_CRASH:
    case SIM_PAUSE:
    case SIM_SLOW_NODE:
    case SIM_CLOCK_JUMP:
    case SIM_FULL_DISK:
    case SIM_FAILED_SYNC:
        done = begin_node(sim, action, going);
        break;
    case SIM_SPLIT:
    case SIM_ONE_WAY:
    case SIM_PAIRS:
    case SIM_HALF_OPEN:
    case SIM_SITE_CUT:
        done = begin_cut(sim, action, going);
        break;
    case SIM_MEMBERS:
        done = sim_rings_change(sim, action);
        break;
    case SIM_VERSIONS:
        done = replace(sim, action);
        break;
    default:
        going->node = victim(sim, action->draw[0]);
        going->on = done = going->node >= 0 && sim_ruin_begin(sim, action, going);
    }
    sim->report->fault[action->fault] += done && action->fault != SIM_ROLLBACK; // that one later
    if (going->on)
        sim_push(sim, FAULT_END, -1, action->lasts_ms * MS)->ticket = (uint64_t)index;
}

void sim_fault_end(struct sim *sim, int index)
{
    const struct sim_action *action = &sim->plan.action[index];
    struct sim_going *going = &sim->going[index];
    if (!going->on)
        return;
    going->on = false;
    switch (action->fault) {
    case SIM_SPLIT:
    case SIM_ONE_WAY:
    case SIM_PAIRS:
    case SIM_HALF_OPEN:
    case SIM_SITE_CUT:
        end_cut(sim, action, going);
        break;
    case SIM_FULL_DISK:
    case SIM_FAILED_SYNC:
        end_node(sim, action, going);
        break;
    case SIM_CRASH:
    case SIM_PAUSE:
    case SIM_SLOW_NODE:
    case SIM_CLOCK_JUMP:
    case SIM_MEMBERS:
    case SIM_VERSIONS:
        break; // ends by itself, or never
    default:
        sim_ruin_end(sim, action, going);
    }
}

// ---- healing -----------------------------------------------------------------------------------

static void heal_node(struct sim *sim, int n)
{
    struct sim_node *host = &sim->node[n];
    host->paused_until = GR_MIN(host->paused_until, sim->now);
    host->slow_until = GR_MIN(host->slow_until, sim->now);
    host->crash_after = -1;
    host->bad_at = sim->now;
    if (host->sync_failed)
        sim_crash(sim, n);
    if (host->full) {
        host->full = false;
        sim_tell_store(sim, n, GR_OK);
    }
    sim_start(sim, n);
}

void sim_heal_core(struct sim *sim, unsigned core)
{
    sim->core = core;
    for (int n = 0; n < sim->node_count; n++)
        if (core >> n & 1)
            heal_node(sim, n);
    for (int i = 0; i < sim->plan.action_count; i++)
        spare_core(sim, &sim->going[i]);
    sim_network_cut(sim, false);
    sim_tell(sim, "nodes %x are well and must serve", core);
}

void sim_heal(struct sim *sim)
{
    sim->quiet = true;
    for (int i = 0; i < sim->plan.action_count; i++)
        sim_fault_end(sim, i);
    sim_heal_core(sim, (1u << sim->node_count) - 1);
    sim->live = false;
}
