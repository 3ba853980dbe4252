// The network: links that one or both sides believe in, cuts, and the fate of each message.
//
// What happens to the n-th message from one node to another is drawn from the seed, the pair and n,
// so a fault elsewhere does not change it. Frames are encoded and decoded as in a real node, in the
// highest version that both sides of the link speak. A link comes up only between two nodes that
// can talk both ways (the handshake needs it); it goes down when a side crashes or a cut is
// noticed, and nodes try again all the time.
//
//   NW1 In a healed core nothing is lost, slow or late.
//   NW2 A frame has no effect in a run that it was not said to, however late it comes.
//   NW3 Whatever harms a link leaves its time in link_bad: promise 1 asks for it (progress.c).
//   NW4 A node says nothing that the version of the link cannot say (L3 of core/peer.c).
#include <string.h>

#include "base/hash.h"
#include "sim/world.h"
#include "wire/frame.h"

enum { SLOW_US_MAX = 400000, LATE_US_MIN = 800000, LATE_US_MAX = 5000000 };

static uint64_t place_of(int from, int to)
{
    return (uint64_t)from << 8 | (uint64_t)to;
}

static bool spared(const struct sim *sim, int a, int b)
{
    return (sim->core >> a & 1) && (sim->core >> b & 1);
}

// ---- messages ----------------------------------------------------------------------------------

static bool strikes(struct sim *sim, enum sim_fault fault, int from, int to, uint64_t n)
{
    if (spared(sim, from, to) || !sim_strikes(sim, fault, place_of(from, to), n))
        return false;
    if (fault != SIM_DUPLICATE)
        sim->link_bad[from][to] = sim->now;
    return true;
}

static int64_t delay_of(struct sim *sim, int from, int to, uint64_t n)
{
    uint64_t draw = sim_draw(sim->plan.seed, SIM_STREAM_LINK, place_of(from, to), n);
    int64_t us_min = 20, us_max = sim->plan.delay_us_max;
    if (sim->quiet)
        us_max = GR_MIN(us_max, 2000);
    else if (strikes(sim, SIM_LATE, from, to, n))
        us_min = LATE_US_MIN, us_max = LATE_US_MAX;
    else if (strikes(sim, SIM_SLOW, from, to, n))
        us_max = SLOW_US_MAX;
    if (sim->plan.site[from] != sim->plan.site[to] && !sim->quiet) {
        us_min += sim->plan.wide_us;
        us_max += sim->plan.wide_us;
    }
    return 1000 * (us_min + (int64_t)(draw % (uint64_t)(us_max - us_min + 1)));
}

void sim_network_send(struct sim *sim, int from, const struct gr_effect *effect)
{
    int to = effect->peer;
    struct gr_writer writer;
    gr_writer_init(&writer, GR_FRAME_BYTES_MAX);
    uint8_t version = sim->node[from].spoken[to];
    gr_frame_encode(&writer, version, effect->message);
    if (writer.bad) { // NW4: nothing here is too large
        sim_oracle_fail(
            &sim->oracle, "node %d says to node %d what version %u cannot say", from, to, version);
        gr_writer_deinit(&writer);
        return;
    }
    sim->report->messages++;
    sim_note(sim, gr_hash64(gr_writer_bytes(&writer), (uint64_t)to));
    uint64_t n = ++sim->sent[from][to];
    int copies = strikes(sim, SIM_DUPLICATE, from, to, n) ? 2 : 1;
    if (sim->cut[from][to] || strikes(sim, SIM_LOSS, from, to, n))
        copies = 0;
    sim_tell(sim, "node %d sends node %d message type %d of call %llu, status %s%s", from, to,
        (int)effect->message->type, (unsigned long long)effect->message->id,
        gr_err_info(effect->message->status)->name,
        copies == 0   ? ": lost"
        : copies == 2 ? ": twice"
                      : "");
    for (int i = 0; i < copies; i++) {
        // The second copy has a fate of its own.
        struct sim_event *event =
            sim_push(sim, DELIVER, to, delay_of(sim, from, to, n + (uint64_t)i * (1ull << 32)));
        event->peer = from;
        uint8_t *copy = gr_hook_memory(NULL, writer.size);
        memcpy(copy, writer.data, writer.size);
        event->frame = gr_bytes(copy, writer.size);
        event->version = version;
    }
    gr_writer_deinit(&writer);
}

void sim_network_deliver(struct sim *sim, struct sim_event *event)
{
    struct gr_bytes body;
    size_t consumed;
    enum gr_err err = gr_frame_split(event->frame, GR_FRAME_BYTES_MAX, &body, &consumed);
    gr_assert(err == GR_OK && consumed == event->frame.size);
    struct gr_message message;
    err = gr_frame_decode(body, event->version, &event->arena, &message);
    gr_assert(err == GR_OK);
    struct sim_node *host = &sim->node[event->node];
    bool strikes = (int)message.type == sim->plan.crash_at && sim_plan_has(&sim->plan, SIM_CRASH) &&
                   !sim->quiet && !(sim->core >> event->node & 1);
    if (strikes && gr_random_chance(&host->random, message.type >= GR_MSG_PROBE ? 200 : 30)) {
        sim_crash(sim, event->node);
        return;
    }
    bool other_run = message.to != host->config.run;
    // NW2. A due timer fires in any step, and what it does is not the frame's.
    bool timers = gr_instant_reached(sim_now(sim), gr_node_deadline(host->node));
    uint64_t effects = host->effects;
    sim_step(sim, event->node,
        &(struct gr_event){.type = GR_EVENT_MESSAGE,
            .peer = (uint16_t)event->peer,
            .message = &message,
            .waited = {event->waited}});
    if (other_run && !timers && host->effects > effects)
        sim_oracle_fail(
            &sim->oracle, "node %d took what was said to an earlier run of it", event->node);
}

// ---- links -------------------------------------------------------------------------------------

void sim_link_noticed(struct sim *sim, int node, int peer, bool up, int64_t delay_us_max)
{
    struct sim_event *event =
        sim_push(sim, LINK, node, sim_within(&sim->node[node].random, 10, delay_us_max));
    event->peer = peer;
    event->up = up;
}

void sim_link_changes(struct sim *sim, int a, int b, bool up, int64_t delay_us_max)
{
    sim_link_noticed(sim, a, b, up, delay_us_max);
    sim_link_noticed(sim, b, a, up, delay_us_max);
}

static bool can_talk(const struct sim *sim, int a, int b)
{
    return sim->node[a].node != NULL && sim->node[b].node != NULL && !sim->cut[a][b] &&
           !sim->cut[b][a];
}

void sim_network_link(struct sim *sim, struct sim_event *event)
{
    int n = event->node, peer = event->peer;
    struct sim_node *host = &sim->node[n];
    if (event->up && !can_talk(sim, n, peer))
        return;
    uint64_t run = sim->node[peer].config.run;
    if (host->linked_run[peer] != (event->up ? run : 0))
        sim->link_bad[n][peer] = sim->link_bad[peer][n] = sim->now;
    host->linked_run[peer] = event->up ? run : 0;
    host->spoken[peer] = GR_MIN(host->version, sim->node[peer].version);
    sim_tell(sim, "node %d: link to node %d is %s, version %u", n, peer, event->up ? "up" : "down",
        host->spoken[peer]);
    sim_step(sim, n,
        &(struct gr_event){.type = GR_EVENT_LINK,
            .peer = (uint16_t)peer,
            .up = event->up,
            .run = run,
            .unspoken = gr_frame_unspoken(host->spoken[peer])});
}

static bool linked(const struct sim *sim, int a, int b)
{
    return can_talk(sim, a, b) && sim->node[a].linked_run[b] == sim->node[b].config.run &&
           sim->node[b].linked_run[a] == sim->node[a].config.run;
}

void sim_network_relink(struct sim *sim)
{
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < a; b++)
            if (can_talk(sim, a, b) && !linked(sim, a, b))
                sim_link_changes(sim, a, b, true, 20000);
}

void sim_network_upgrade(struct sim *sim)
{
    for (int n = 0; n < sim->node_count; n++)
        sim->node[n].version = GR_FRAME_VERSION;
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < a; b++)
            if (linked(sim, a, b) && (sim->node[a].spoken[b] < GR_FRAME_VERSION ||
                                         sim->node[b].spoken[a] < GR_FRAME_VERSION))
                sim_link_changes(sim, a, b, false, 20000);
}

bool sim_network_good(const struct sim *sim, int a, int b, int64_t since)
{
    return a == b ||
           (linked(sim, a, b) && sim->link_bad[a][b] < since && sim->link_bad[b][a] < since);
}

// ---- cuts --------------------------------------------------------------------------------------

void sim_network_cut(struct sim *sim, bool notice)
{
    uint16_t to[SIM_NODES_MAX] = {0};
    for (int i = 0; i < sim->plan.action_count; i++)
        for (int a = 0; a < sim->node_count && sim->going[i].on; a++)
            to[a] |= sim->going[i].cut[a];
    bool fresh[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < sim->node_count; b++) {
            bool cut = (to[a] >> b & 1) && a != b;
            fresh[a][b] = cut && !sim->cut[a][b];
            if (cut != sim->cut[a][b])
                sim->link_bad[a][b] = sim->now;
            sim->cut[a][b] = cut;
        }
    for (int a = 0; a < sim->node_count && notice; a++)
        for (int b = 0; b < a; b++)
            if (fresh[a][b] || fresh[b][a])
                sim_link_changes(sim, a, b, false, 100000);
    sim_network_relink(sim);
}
