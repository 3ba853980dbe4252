// Rings: who owns what changes while everything goes on, and news of it comes to each node when it
// comes.
//
// How news travels is the crowd's to show (crowd.c); here it is enough that it arrives late, in any
// order, and that of two rings that were made at once the same one wins everywhere. A node
// remembers durably what it has heard.
//
//   RG1 A ring is made from the one that some node knows, which may not be the latest: so there are
//       concurrent ones. The higher version wins, then the higher draw.
//   RG2 What a node says that it holds is known elsewhere as it was when the news left, or later,
//       never earlier than what is known there.
//   RG3 A change is settled for a partition when every node that runs knows the latest ring, and
//       that all its owners hold it and nobody else does.
//   RG4 Some rings have another N than the one before. R + W > N is asked with the largest N that
//       anybody may have gone by since the write began.
#include <stdio.h>
#include <string.h>

#include "core/placement.h"
#include "sim/world.h"

enum { NEWS_US_MAX = 1500000, QUIET_NEWS_US_MAX = 20000, REPLICAS_MAX = 6 };

static struct sim_ring *latest(struct sim *sim)
{
    return &sim->rings[sim->latest];
}

static int64_t news_delay(struct sim *sim, int to)
{
    int64_t us = sim->quiet || (sim->core >> to & 1) ? QUIET_NEWS_US_MAX : NEWS_US_MAX;
    // Mostly soon: late news is the exception.
    if (gr_random_chance(&sim->news, 700))
        us = GR_MIN(us, QUIET_NEWS_US_MAX);
    return sim_within(&sim->news, 100, us);
}

static void spread(struct sim *sim, int from, int ring)
{
    for (int to = 0; to < sim->node_count; to++) {
        if (to == from)
            continue;
        struct sim_event *event = sim_push(sim, NEWS, -1, news_delay(sim, to));
        event->peer = to;
        event->ticket = ring >= 0 ? (uint64_t)ring << 8 | 0xff : (uint64_t)from;
    }
}

// ---- what nodes hold -------------------------------------------------------------------------

static uint32_t words_of(const struct sim *sim)
{
    return (sim->ring.partitions + 63) / 64;
}

static void note_changes(struct sim *sim, const uint64_t *was, const uint64_t *is)
{
    for (uint32_t p = 0; p < sim->ring.partitions; p++)
        if ((was[p / 64] ^ is[p / 64]) >> (p % 64) & 1)
            sim->held_at[p] = sim_order(sim);
}

static void tell_holds(struct sim *sim, int from, int to)
{
    const struct sim_said *said = &sim->said[from];
    struct sim_node *host = &sim->node[to];
    note_changes(sim, host->heard[from].held, said->held);
    host->heard[from] = *said;
    if (host->node == NULL)
        return;
    struct gr_holds holds = {.bare_in = said->bare_in, .words = words_of(sim), .held = said->held};
    sim_step(sim, to,
        &(struct gr_event){
            .type = GR_EVENT_HOLDS, .peer = (uint16_t)from, .run = said->run, .holds = &holds});
}

static void say(struct sim *sim, int n, uint64_t bare_in, const uint64_t *held)
{
    struct sim_said *said = &sim->said[n];
    note_changes(sim, said->held, held);
    memcpy(said->held, held, words_of(sim) * sizeof *held);
    said->run = sim->node[n].config.run;
    said->bare_in = bare_in;
    said->version++;
    sim->moves++;
    spread(sim, n, -1);
}

void sim_rings_say(struct sim *sim, int n, const struct gr_holds *holds)
{
    say(sim, n, holds->bare_in, holds->held);
}

// ---- rings -----------------------------------------------------------------------------------

static bool is_later(const struct sim_ring *a, const struct sim_ring *b)
{
    return a->ring.version != b->ring.version ? a->ring.version > b->ring.version
                                              : a->draw > b->draw;
}

static void tell_ring(struct sim *sim, int to, int index)
{
    struct sim_node *host = &sim->node[to];
    if (!is_later(&sim->rings[index], &sim->rings[host->ring]))
        return;
    host->ring = index;
    host->config.ring = &sim->rings[index].ring;
    host->config.r = gr_quorum_cut(host->config.r, host->config.ring->n);
    host->config.w = gr_quorum_cut(host->config.w, host->config.ring->n);
    sim->moves++;
    if (host->node == NULL)
        return;
    sim_tell(sim, "node %d adopts ring %d", to, index);
    sim_step(sim, to, &(struct gr_event){.type = GR_EVENT_RING, .ring = &sim->rings[index].ring});
}

void sim_rings_news(struct sim *sim, struct sim_event *event)
{
    int to = event->peer;
    if (sim->node[to].paused_until > sim->now) { // it hears of it later
        struct sim_event *later =
            sim_push(sim, NEWS, -1, sim->node[to].paused_until - sim->now + MS);
        later->peer = to;
        later->ticket = event->ticket;
        return;
    }
    if ((event->ticket & 0xff) == 0xff) {
        tell_ring(sim, to, (int)(event->ticket >> 8));
        return;
    }
    int from = (int)event->ticket;
    if (sim->said[from].version > sim->node[to].heard[from].version) // RG2
        tell_holds(sim, from, to);
}

void sim_rings_start(struct sim *sim, int n)
{
    struct sim_node *host = &sim->node[n];
    for (int m = 0; m < sim->node_count; m++)
        if (m != n && host->heard[m].version > 0)
            tell_holds(sim, m, n); // what it remembers is what was said last
    uint64_t held[SIM_HOLD_WORDS] = {0};
    for (uint32_t p = 0; p < sim->ring.partitions; p++)
        held[p / 64] |= (uint64_t)gr_node_held(host->node, p) << (p % 64);
    say(sim, n, 0, held);
}

// Some other owner in some lists, wherever that may be: what no plan would make.
static void shuffle(
    struct sim *sim, const struct gr_ring *before, unsigned members, uint64_t draw, uint16_t *owner)
{
    for (uint32_t p = 0; p < before->partitions; p++)
        for (uint8_t i = 0; i < before->n; i++) {
            uint16_t *at = &owner[p * before->n + i];
            *at = before->owner[p * before->n + i];
            uint64_t dice = sim_draw(draw, SIM_MEMBERS, p, i);
            uint16_t other = (uint16_t)(dice / 1000 % (uint64_t)sim->node_count);
            if (dice % 1000 < 300 && (members >> other & 1) &&
                gr_ring_position(before, p, other) < 0) {
                bool taken = false;
                for (uint8_t k = 0; k < i; k++)
                    taken |= owner[p * before->n + k] == other;
                *at = taken ? *at : other;
            }
        }
}

static bool plan(
    struct sim *sim, const struct gr_ring *before, unsigned members, uint8_t n, uint16_t *owner)
{
    struct gr_place place[SIM_NODES_MAX];
    struct gr_placement placement;
    for (uint16_t m = 0; m < sim->node_count; m++)
        place[m] = (struct gr_place){.host = m, .weight = members >> m & 1};
    return gr_placement_plan(before->partitions, n, place, (uint16_t)sim->node_count, before, owner,
               &placement) == GR_OK;
}

// RG4.
static uint8_t draw_n(const struct sim *sim, const struct gr_ring *before, uint64_t draw)
{
    int n = before->n;
    if (draw % 100 >= 30 || sim->plan.replicas < 2)
        return before->n;
    n += draw / 100 % 2 != 0 ? 1 : -1;
    n += draw / 200 % 4 == 0 ? n - before->n : 0; // by two
    return (uint8_t)GR_MAX(GR_MIN(n, GR_MIN(sim->node_count, REPLICAS_MAX)), 2);
}

void sim_rings_unsettle(struct sim *sim)
{
    for (uint32_t p = 0; p < sim->ring.partitions; p++)
        if (sim_settled(sim, p))
            sim->settled_at[p] = sim_order(sim);
}

// False: such a ring cannot be made there.
static bool make(struct sim *sim, int by, unsigned members, uint8_t n, bool shuffles,
    const struct sim_action *action)
{
    const struct sim_ring *parent = &sim->rings[sim->node[by].ring]; // RG1
    if (sim->node[by].node == NULL || sim->ring_count == SIM_RINGS_MAX ||
        __builtin_popcount(members) < n)
        return false;
    uint16_t *owner = gr_hook_memory(NULL, (size_t)parent->ring.partitions * n * sizeof *owner);
    bool planned = shuffles || plan(sim, &parent->ring, members, n, owner);
    if (shuffles)
        shuffle(sim, &parent->ring, members, action->draw[2], owner);
    if (planned) {
        sim_rings_unsettle(sim);
        int index = sim->ring_count++;
        struct sim_ring *made = &sim->rings[index];
        struct gr_member member[SIM_NODES_MAX];
        memcpy(member, parent->ring.member, (size_t)sim->node_count * sizeof *member);
        for (int m = 0; m < sim->node_count; m++) // some stay, and stand in for others
            member[m].out = !(members >> m & 1) && (action->draw[2] >> 32 & 1);
        gr_ring_follow(&made->ring, &parent->ring, member, (uint16_t)sim->node_count, n, owner);
        made->draw = action->draw[2];
        made->members = members;
        sim_tell(sim, "node %d makes ring %d of members %x, N=%u, version %llu", by, index, members,
            n, (unsigned long long)made->ring.version);
        if (is_later(made, latest(sim))) {
            sim->latest = index;
            sim->ring = made->ring;
        }
        sim->moves++;
        tell_ring(sim, by, index);
        spread(sim, by, index);
    }
    gr_hook_memory(owner, 0);
    return planned;
}

bool sim_rings_change(struct sim *sim, const struct sim_action *action)
{
    int by = (int)(action->draw[0] % (uint64_t)sim->node_count);
    const struct sim_ring *parent = &sim->rings[sim->node[by].ring];
    unsigned members = parent->members;
    bool shuffles = action->draw[2] % 100 < 30;
    uint8_t n = shuffles ? parent->ring.n : draw_n(sim, &parent->ring, action->draw[1] >> 20);
    if (!shuffles && (n == parent->ring.n || !(action->draw[1] >> 40 & 1)))
        members ^= 1u << action->draw[1] % (uint64_t)sim->node_count;
    return make(sim, by, members, n, shuffles, action);
}

bool sim_rings_remove(struct sim *sim, int node, const struct sim_action *action)
{
    static const uint64_t none[SIM_HOLD_WORDS] = {0};
    int by = (int)(action->draw[1] % (uint64_t)sim->node_count);
    const struct sim_ring *parent = &sim->rings[sim->node[by].ring];
    if (by == node || !(parent->members >> node & 1) ||
        !make(sim, by, parent->members & ~(1u << node), parent->ring.n, false, action))
        return false;
    say(sim, node, 0, none); // what is said of its store is news like any other
    return true;
}

// ---- settled ---------------------------------------------------------------------------------

// RG3.
bool sim_settled(const struct sim *sim, uint32_t partition)
{
    for (int m = 0; m < sim->node_count; m++) {
        const struct sim_node *host = &sim->node[m];
        if (host->node == NULL)
            continue;
        if (host->ring != sim->latest)
            return false;
        for (int n = 0; n < sim->node_count; n++) {
            bool owns = gr_ring_position(&sim->ring, partition, (uint16_t)n) >= 0;
            bool heard = host->heard[n].held[partition / 64] >> (partition % 64) & 1;
            if (owns != (n == m ? gr_node_held(host->node, partition) : heard))
                return false;
        }
    }
    return true;
}

static bool is_held(const struct sim *sim, int n, uint32_t partition)
{
    return sim->node[n].node != NULL ? gr_node_held(sim->node[n].node, partition)
                                     : sim->said[n].held[partition / 64] >> (partition % 64) & 1;
}

unsigned sim_holders(const struct sim *sim, uint32_t partition)
{
    unsigned holders = 0;
    for (int n = 0; n < sim->node_count; n++)
        holders |= (unsigned)is_held(sim, n, partition) << n;
    return holders;
}

int sim_first_ring(const struct sim *sim)
{
    int first = sim->latest;
    for (int n = 0; n < sim->node_count; n++)
        first = GR_MIN(first, sim->node[n].ring);
    return first;
}

int sim_n_least(const struct sim *sim, int first)
{
    int n = sim->ring.n;
    for (int i = first; i < sim->ring_count; i++)
        n = GR_MIN(n, sim->rings[i].ring.n);
    return n;
}

int sim_n_most(const struct sim *sim, int first)
{
    int n = sim->ring.n;
    for (int i = first; i < sim->ring_count; i++)
        n = GR_MAX(n, sim->rings[i].ring.n);
    return n;
}

// The holders are as many as are to vote by any ring, and everybody knows them: then they are the
// voters, whichever ring a node goes by (HO1 of core/holder.c).
static bool are_known(const struct sim *sim, uint32_t partition)
{
    int holders = 0, first = sim_first_ring(sim);
    if (sim_n_least(sim, first) != sim_n_most(sim, first))
        return false;
    for (int n = 0; n < sim->node_count; n++) {
        bool held = is_held(sim, n, partition);
        holders += held;
        for (int m = 0; m < sim->node_count; m++) {
            const struct sim_node *host = &sim->node[m];
            if (m != n && host->node != NULL &&
                held != (host->heard[n].held[partition / 64] >> (partition % 64) & 1))
                return false;
        }
    }
    return holders == sim->ring.n;
}

bool sim_is_met(const struct sim *sim, uint32_t partition, uint64_t issued, uint64_t ended)
{
    return ended < sim->settled_at[partition] ||
           (issued > sim->held_at[partition] && are_known(sim, partition));
}

bool sim_keeps(const struct sim *sim, int n, uint32_t partition)
{
    return gr_ring_position(&sim->rings[sim->node[n].ring].ring, partition, (uint16_t)n) >= 0 ||
           is_held(sim, n, partition);
}

bool sim_gives(const struct sim *sim, int n, int m, uint32_t partition)
{
    const struct sim_node *host = &sim->node[n];
    return gr_ring_position(&sim->rings[host->ring].ring, partition, (uint16_t)m) >= 0 ||
           (host->heard[m].held[partition / 64] >> (partition % 64) & 1);
}

// What is not as it should be in the end, or NULL.
static const char *unsettled(struct sim *sim, int n, uint32_t partition)
{
    const struct sim_node *host = &sim->node[n];
    bool owns = gr_ring_position(&sim->ring, partition, (uint16_t)n) >= 0;
    if (host->ring != sim->latest)
        return "does not know the latest ring, with";
    if (owns && !gr_node_held(host->node, partition))
        return "does not hold its";
    if (!owns && gr_node_has(host->node, partition))
        return "has not let go of";
    return n + 1 == sim->node_count && !sim_settled(sim, partition)
               ? "or another has not heard who holds"
               : NULL;
}

void sim_audit_rings(struct sim *sim)
{
    const char *what = NULL;
    int n = 0;
    uint32_t p = 0;
    // With a rule left out nodes may be busy all the while: that must end within a seed's CPU time.
    for (int look = 0; look < (sim->plan.slow ? 2000 : 160); look++) {
        what = NULL;
        for (n = 0; n < sim->node_count && what == NULL; n++)
            for (p = 0; p < sim->ring.partitions && what == NULL; p++)
                what = unsettled(sim, n, p);
        if (what == NULL)
            return;
        sim_run_until(sim, sim->now + 500 * (int64_t)MS);
    }
    sim_oracle_fail(&sim->oracle, "all is quiet, and node %d %s partition %u", n - 1, what, p - 1);
}

// ---- beginning and end -----------------------------------------------------------------------

void sim_rings_init(struct sim *sim, const struct gr_member *member)
{
    struct sim_ring *first = &sim->rings[sim->ring_count++];
    const struct sim_plan *plan_of = &sim->plan;
    sim_stream_init(&sim->news, plan_of->seed, SIM_STREAM_NEWS, 0);
    gr_ring_init(&first->ring, plan_of->partitions, (uint8_t)plan_of->replicas, member,
        (uint16_t)sim->node_count);
    // The last ones may come later.
    int members = sim->node_count - plan_of->outside;
    for (uint32_t p = 0; p < plan_of->partitions; p++)
        for (int i = 0; i < plan_of->replicas; i++)
            first->ring.owner[p * (uint32_t)plan_of->replicas + (uint32_t)i] =
                (uint16_t)((p + (uint32_t)i) % (uint32_t)members);
    first->members = (1u << members) - 1;
    sim->ring = first->ring;
    for (int n = 0; n < sim->node_count; n++) {
        sim->said[n].version = 1;
        for (uint32_t p = 0; p < plan_of->partitions && !plan_of->blank; p++)
            if (gr_ring_position(&first->ring, p, (uint16_t)n) >= 0)
                sim->said[n].held[p / 64] |= 1ull << (p % 64);
    }
    for (int n = 0; n < sim->node_count; n++) {
        for (int m = 0; m < sim->node_count; m++)
            sim->node[n].heard[m] = sim->said[m];
    }
}

// Everybody holds what is his; or nobody holds anything, and all must say so first.
void sim_rings_found(struct sim *sim, int n)
{
    uint64_t none[SIM_HOLD_WORDS] = {0};
    struct gr_holds holds = {.words = words_of(sim), .held = sim->said[n].held, .dropping = none};
    sim_disk_found(&sim->node[n].disk, &holds);
}

void sim_rings_deinit(struct sim *sim)
{
    for (int i = 0; i < sim->ring_count; i++)
        gr_ring_deinit(&sim->rings[i].ring);
}
