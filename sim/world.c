// The world: an invented time in which nodes, disks, links and clients meet.
//
// One queue of events, ordered by time and then by age. A node's effects become events: a message
// is delivered later, twice, or never; a read is carried out at some later moment and answered at a
// later one still; a sync ends when the disk pleases. A crash may come between any two effects, and
// keeps any prefix of the writes between the last synced and the last applied.
//
// A run has a busy phase under faults, then everything heals, all requests must be answered, and
// the oracle audits what is left.
//
//   WD1 Nothing here depends on addresses or on the machine: a seed gives the same digest twice.
//   WD2 A frame has no effect in a run that it was not said to, however late it comes.
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "wire/frame.h"

enum { BUSY_MS_MIN = 3000, QUIET_MS = 8000, PARTITIONS = 8, SYNC_INTERVAL_MS = 100 };
// Where a node may begin one slice of background work a second, which hints and sweeps share.
enum { QUIET_SLOW_MS = 40000 };

// ---- what clients and oracle may ask of the world ----------------------------------------------

struct gr_random *sim_random(struct sim *sim)
{
    return &sim->random;
}

int sim_node_count(const struct sim *sim)
{
    return sim->node_count;
}

int sim_replicas(const struct sim *sim)
{
    return sim->ring.n;
}

uint32_t sim_key_partition(const struct sim *sim, int key)
{
    return gr_ring_partition(&sim->ring, sim->clients.key[key].slot);
}

enum gr_durability sim_durability(const struct sim *sim)
{
    return sim->durability;
}

unsigned sim_owners(const struct sim *sim, uint32_t partition)
{
    unsigned owners = 0;
    for (int i = 0; i < sim->ring.n; i++)
        owners |= 1u << gr_ring_owners(&sim->ring, partition)[i];
    return owners;
}

uint64_t sim_written(const struct sim *sim, int node)
{
    return sim->node[node].disk.applied;
}

bool sim_node_up(const struct sim *sim, int node)
{
    return sim->node[node].node != NULL && sim->node[node].paused_until <= sim->now;
}

struct gr_instant sim_now(const struct sim *sim)
{
    return (struct gr_instant){sim->now};
}

struct gr_wall sim_wall(const struct sim *sim)
{
    return (struct gr_wall){1700000000000 + sim->now / MS};
}

int64_t sim_skew_ms_max(const struct sim *sim)
{
    return sim->skew_ms_max;
}

uint64_t sim_order(const struct sim *sim)
{
    return sim->report->events;
}

bool sim_verbose(const struct sim *sim)
{
    return sim->options->verbose;
}

void sim_note(struct sim *sim, uint64_t number)
{
    uint64_t pair[2] = {sim->report->digest, number};
    sim->report->digest = gr_hash64(gr_bytes(pair, sizeof pair), 0);
}

// ---- the queue of events -----------------------------------------------------------------------

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

struct sim_event *sim_push(struct sim *sim, enum sim_event_kind kind, int node, int64_t delay)
{
    if (sim->heap_count + 1 >= sim->heap_capacity) {
        sim->heap_capacity = GR_MAX(sim->heap_capacity * 2, 256);
        sim->heap = gr_hook_memory(sim->heap, sim->heap_capacity * sizeof *sim->heap);
    }
    struct sim_event *event = gr_hook_memory(NULL, sizeof *event);
    *event = (struct sim_event){.at = sim->now + delay,
        .order = ++sim->order,
        .kind = kind,
        .node = node,
        .life = node >= 0 ? sim->node[node].life : 0};
    size_t at = ++sim->heap_count;
    for (; at > 1 && before(event, sim->heap[at / 2]); at /= 2)
        sim->heap[at] = sim->heap[at / 2];
    sim->heap[at] = event;
    return event;
}

static struct sim_event *pop(struct sim *sim)
{
    if (sim->heap_count == 0)
        return NULL;
    struct sim_event *first = sim->heap[1], *last = sim->heap[sim->heap_count--];
    size_t at = 1;
    while (at * 2 <= sim->heap_count) {
        size_t child = at * 2;
        if (child < sim->heap_count && before(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!before(sim->heap[child], last))
            break;
        sim->heap[at] = sim->heap[child];
        at = child;
    }
    sim->heap[at] = last;
    return first;
}

static void event_free(struct sim_event *event)
{
    gr_hook_memory((void *)event->frame.data, 0);
    gr_arena_deinit(&event->arena);
    gr_hook_memory(event, 0);
}

int64_t sim_within(struct sim *sim, int64_t from_us, int64_t to_us)
{
    return 1000 *
           (from_us + (int64_t)gr_random_below(&sim->random, (uint64_t)(to_us - from_us + 1)));
}

// ---- effects -----------------------------------------------------------------------------------

static void on_send(struct sim *sim, int from, const struct gr_effect *effect)
{
    int to = effect->peer;
    struct sim_faults *faults = &sim->faults;
    struct gr_writer writer;
    gr_writer_init(&writer, GR_FRAME_BYTES_MAX);
    gr_frame_encode(&writer, effect->message);
    gr_assert(!writer.bad);
    sim->report->messages++;
    sim_note(sim, gr_hash64(gr_writer_bytes(&writer), (uint64_t)to));
    if (sim_verbose(sim))
        printf("node %d sends node %d message type %d of call %llu, status %d\n", from, to,
            (int)effect->message->type, (unsigned long long)effect->message->id,
            (int)effect->message->status);
    int copies = gr_random_chance(&sim->random, faults->duplicate) ? 2 : 1;
    if (sim->cut[from][to] || gr_random_chance(&sim->random, faults->loss))
        copies = 0;
    for (int i = 0; i < copies; i++) {
        bool slow = gr_random_chance(&sim->random, faults->slow);
        int64_t delay = sim_within(sim, 20, slow ? 400000 : faults->delay_us_max);
        struct sim_event *event = sim_push(sim, DELIVER, to, delay);
        event->peer = from;
        uint8_t *copy = gr_hook_memory(NULL, writer.size);
        memcpy(copy, writer.data, writer.size);
        event->frame = gr_bytes(copy, writer.size);
    }
    gr_writer_deinit(&writer);
}

// In the modes that do not wait for the disk a sync is due when the interval is over, or when a
// write came that does not wait for it.
static void start_sync(struct sim *sim, int n, bool due)
{
    struct sim_node *host = &sim->node[n];
    if (host->syncing || host->disk.applied == host->disk.synced)
        return;
    if (!due && sim->durability != GR_DURABILITY_COMMIT && host->urgent <= host->disk.synced) {
        if (!host->sync_due)
            sim_push(sim, SYNC, n, (int64_t)SYNC_INTERVAL_MS * MS);
        host->sync_due = true;
        return;
    }
    host->syncing = true;
    struct sim_event *event = sim_push(sim, SYNC, n, sim_within(sim, 50, sim->faults.sync_us_max));
    event->ticket = host->disk.applied;
}

static void on_write(struct sim *sim, int n, const struct gr_store_write *write)
{
    struct sim_node *host = &sim->node[n];
    sim->report->writes++;
    sim_disk_write(&host->disk, write, host->config.actor);
    bool owner = gr_ring_position(&sim->ring, write->partition, (uint16_t)n) >= 0;
    if (write->drawn != NULL && write->drawn_by.run == 0x51)
        sim_oracle_drawn(&sim->oracle, (int)write->drawn_by.number - 1, write->drawn,
            &write->drawn_context, owner);
    for (uint32_t i = 0; i < write->hint_count && !write->hint_remove; i++)
        for (int key = 0; key < sim->clients.keys; key++)
            if (gr_key_equal(&write->hint[i].key, &sim->clients.key[key]))
                sim_oracle_kept(&sim->oracle, n, key, &write->hint[i].dot, write->number);
    for (int key = 0; key < sim->clients.keys; key++)
        sim_audit_key(sim, n, key);
    if (write->sync)
        host->urgent = write->number;
    start_sync(sim, n, false);
    if (sim->durability != GR_DURABILITY_COMMIT)
        sim_push(sim, APPLIED, n, sim_within(sim, 1, 50))->ticket = write->number;
}

static void on_reply(struct sim *sim, int n, const struct gr_result *result)
{
    if (result->ticket >= AUDIT_TICKET) {
        sim_audit_reply(sim, result);
        return;
    }
    sim->node[n].ticket[result->ticket >> 32] = 0;
    switch (result->outcome) {
    case GR_DONE:
        sim->report->ok++;
        break;
    case GR_REJECTED:
        sim->report->rejected++;
        break;
    case GR_INDETERMINATE:
        sim->report->indeterminate++;
        break;
    }
    sim_clients_result(&sim->clients, result);
}

static void keep_effect(struct sim_event *event, const struct gr_effect *effect)
{
    event->effect = *effect;
    event->ticket = effect->ticket;
    if (effect->key.key.size > 0)
        event->effect.key = gr_key_copy(&event->arena, &effect->key);
}

struct emission {
    struct sim *sim;
    int node;
};

static void emit(void *host, const struct gr_effect *effect)
{
    struct emission *emission = host;
    struct sim *sim = emission->sim;
    int n = emission->node;
    struct sim_node *node = &sim->node[n];
    node->effects++;
    if (node->crash_after == 0)
        node->crashing = true;
    if (node->crashing)
        return; // the power went before this effect
    if (node->crash_after > 0)
        node->crash_after--;
    sim_note(sim, (uint64_t)effect->type << 8 | (uint64_t)n);
    bool late = gr_random_chance(&sim->random, sim->faults.read_late);
    switch (effect->type) {
    case GR_EFFECT_SEND:
        on_send(sim, n, effect);
        break;
    case GR_EFFECT_WRITE:
        on_write(sim, n, effect->write);
        break;
    case GR_EFFECT_READ:
        keep_effect(sim_push(sim, READ, n, sim_within(sim, 1, late ? 30000 : 50)), effect);
        break;
    case GR_EFFECT_SCAN:
        keep_effect(sim_push(sim, SCAN, n, sim_within(sim, 1, late ? 30000 : 50)), effect);
        break;
    case GR_EFFECT_REPLY:
        on_reply(sim, n, effect->result);
        break;
    case GR_EFFECT_ACKED:
    case GR_EFFECT_LOG:
        break;
    }
}

// ---- nodes -------------------------------------------------------------------------------------

static void step(struct sim *sim, int n, struct gr_event *event)
{
    struct sim_node *host = &sim->node[n];
    event->now = sim_now(sim);
    event->wall = (struct gr_wall){sim_wall(sim).ms + host->skew_ms};
    struct emission emission = {sim, n};
    struct gr_sink sink = {emit, &emission};
    gr_node_step(host->node, event, &sink);
    if (host->crashing) {
        sim_crash(sim, n);
        return;
    }
    struct gr_instant deadline = gr_node_deadline(host->node);
    if (deadline.ns < host->tick_at) {
        host->tick_at = deadline.ns;
        sim_push(sim, TICK, n, GR_MAX(deadline.ns - sim->now, 0));
    }
}

bool sim_submit(struct sim *sim, int n, const struct gr_request *request)
{
    struct sim_node *host = &sim->node[n];
    if (host->node == NULL)
        return false;
    if (request->ticket < AUDIT_TICKET)
        host->ticket[request->ticket >> 32] = request->ticket + 1;
    if (request->op == GR_OP_GET)
        sim->report->gets++;
    else
        sim->report->puts++;
    bool waits = !sim->quiet && gr_random_chance(&sim->random, 10);
    int64_t waited = GR_MIN(waits ? sim_within(sim, 0, 300000) : 0, sim->now);
    step(sim, n,
        &(struct gr_event){.type = GR_EVENT_REQUEST, .request = request, .waited = {waited}});
    return true;
}

void sim_link_changes(struct sim *sim, int a, int b, bool up, int64_t delay_us_max)
{
    for (int side = 0; side < 2; side++) {
        struct sim_event *event =
            sim_push(sim, LINK, side ? a : b, sim_within(sim, 10, delay_us_max));
        event->peer = side ? b : a;
        event->up = up;
    }
}

void sim_crash(struct sim *sim, int n)
{
    struct sim_node *host = &sim->node[n];
    if (host->node == NULL)
        return;
    sim->report->crashes++;
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        sim->report->probes.reached[p] += gr_node_probes(host->node)->reached[p];
    gr_node_free(host->node);
    host->node = NULL;
    host->life++;
    host->crashing = false;
    host->crash_after = -1;
    host->syncing = host->sync_due = false;
    host->urgent = 0;
    host->tick_at = INT64_MAX;
    uint64_t unsynced = host->disk.applied - host->disk.synced;
    uint64_t kept = host->disk.synced + gr_random_below(&sim->random, unsynced + 1);
    sim_oracle_crashed(&sim->oracle, n, kept);
    sim_disk_crash(&host->disk, kept);
    for (int c = 0; c < SIM_CLIENTS_MAX; c++) {
        if (host->ticket[c] != 0)
            sim_clients_abandon(&sim->clients, host->ticket[c] - 1);
        host->ticket[c] = 0;
    }
    for (int m = 0; m < sim->node_count; m++)
        if (m != n)
            sim_link_changes(sim, n, m, false, 50000);
    if (sim_verbose(sim))
        printf("node %d crashes\n", n);
}

void sim_start(struct sim *sim, int n)
{
    struct sim_node *host = &sim->node[n];
    if (host->node != NULL)
        return;
    bool first = host->store == 0;
    if (first) {
        host->store = (uint64_t)n + 1;
        sim_disk_init(&host->disk);
    }
    if (first || sim->options->canary != GR_CANARY_SAME_ACTOR)
        host->config.actor = (struct gr_actor){
            host->store, (host->life + 1) << 32 | (gr_random_next(&sim->random) & 0xffffffff)};
    host->config.run = host->life + 1;
    host->config.seed = gr_random_next(&sim->random);
    host->node = gr_node_new(&host->config);
    host->tick_at = INT64_MAX;
    host->crash_after = -1;
    sim_disk_load(&host->disk, host->node);
    step(sim, n, &(struct gr_event){.type = GR_EVENT_TICK});
    for (int key = 0; key < sim->clients.keys; key++)
        sim_audit_key(sim, n, key);
    for (int m = 0; m < sim->node_count; m++)
        if (m != n && sim->node[m].node != NULL && !(sim->cut[n][m] && sim->cut[m][n]))
            sim_link_changes(sim, n, m, true, 20000);
    if (sim_verbose(sim))
        printf("node %d starts\n", n);
}

// ---- events ------------------------------------------------------------------------------------

static void deliver(struct sim *sim, struct sim_event *event)
{
    struct gr_bytes body;
    size_t consumed;
    enum gr_err err = gr_frame_split(event->frame, GR_FRAME_BYTES_MAX, &body, &consumed);
    gr_assert(err == GR_OK && consumed == event->frame.size);
    struct gr_message message;
    err = gr_frame_decode(body, &event->arena, &message);
    gr_assert(err == GR_OK);
    struct sim_node *host = &sim->node[event->node];
    bool other_run = message.to != host->config.run;
    // WD2. A due timer fires in any step, and what it does is not the frame's.
    bool timers = gr_instant_reached(sim_now(sim), gr_node_deadline(host->node));
    uint64_t effects = host->effects;
    step(sim, event->node,
        &(struct gr_event){.type = GR_EVENT_MESSAGE,
            .peer = (uint16_t)event->peer,
            .message = &message,
            .waited = {event->waited}});
    if (other_run && !timers && host->effects > effects)
        sim_oracle_fail(
            &sim->oracle, "node %d took what was said to an earlier run of it", event->node);
}

static void read_store(struct sim *sim, struct sim_event *event)
{
    struct sim_node *host = &sim->node[event->node];
    bool late = gr_random_chance(&sim->random, sim->faults.read_late);
    struct sim_event *done = sim_push(sim, event->kind == READ ? READ_DONE : SCAN_DONE, event->node,
        sim_within(sim, 1, late ? 30000 : 50));
    done->answer = (struct gr_event){
        .type = event->kind == READ ? GR_EVENT_READ_DONE : GR_EVENT_SCAN_DONE,
        .ticket = event->ticket,
    };
    if (event->kind == SCAN)
        sim_disk_scan(
            &host->disk, sim->ring.partitions, &event->effect, &done->arena, &done->answer);
    else if (gr_random_chance(&sim->random, sim->faults.read_error))
        done->answer.status = GR_ERR_CORRUPT;
    else
        done->answer.status =
            sim_disk_read(&host->disk, &event->effect.key, &done->arena, &done->answer.record);
}

static void node_event(struct sim *sim, struct sim_event *event)
{
    struct sim_node *host = &sim->node[event->node];
    struct gr_event tick = {.type = GR_EVENT_TICK};
    switch (event->kind) {
    case DELIVER:
        deliver(sim, event);
        break;
    case TICK:
        if (host->tick_at > event->at)
            break; // an earlier one was set since
        host->tick_at = INT64_MAX;
        step(sim, event->node, &tick);
        break;
    case READ:
    case SCAN:
        read_store(sim, event);
        break;
    case READ_DONE:
    case SCAN_DONE:
        step(sim, event->node, &event->answer);
        break;
    case APPLIED:
        step(sim, event->node,
            &(struct gr_event){.type = GR_EVENT_APPLIED, .number = event->ticket});
        break;
    case SYNC:
        if (event->ticket == 0) {
            host->sync_due = false;
            start_sync(sim, event->node, true);
            break;
        }
        host->syncing = false;
        sim_disk_synced(&host->disk, event->ticket);
        sim_oracle_synced(&sim->oracle, event->node, event->ticket);
        start_sync(sim, event->node, false);
        step(
            sim, event->node, &(struct gr_event){.type = GR_EVENT_SYNCED, .number = event->ticket});
        break;
    case LINK:
        // A link is only up between nodes that can talk: the handshake needs both ways.
        if (event->up &&
            (sim->node[event->peer].node == NULL || sim->cut[event->node][event->peer] ||
                sim->cut[event->peer][event->node]))
            break;
        step(sim, event->node,
            &(struct gr_event){.type = GR_EVENT_LINK,
                .peer = (uint16_t)event->peer,
                .up = event->up,
                .run = sim->node[event->peer].config.run});
        break;
    default:
        gr_unreachable("not an event of a node");
    }
}

static void dispatch(struct sim *sim, struct sim_event *event)
{
    sim->now = event->at;
    sim->report->events++;
    sim_note(sim, (uint64_t)event->kind << 32 | (uint64_t)event->at);
    if (event->kind == CLIENT) {
        bool more = !sim->quiet && sim_clients_act(&sim->clients, event->node);
        if (more)
            sim_push(sim, CLIENT, -1, sim_within(sim, 200, 60000))->node = event->node;
    } else if (event->kind == FAULT) {
        if (!sim->quiet)
            sim_fault_tick(sim);
    } else if (event->kind == START) {
        sim->node[event->node].starting = false;
        sim_start(sim, event->node);
    } else if (sim->node[event->node].node != NULL &&
               (event->kind == DELIVER || event->kind == LINK ||
                   event->life == sim->node[event->node].life)) {
        int64_t pause = sim->node[event->node].paused_until - sim->now;
        if (pause > 0) { // a stopped process: its events wait for it
            struct sim_event *later = sim_push(sim, event->kind, event->node, pause);
            int64_t at = later->at;
            uint64_t order = later->order;
            *later = *event;
            later->at = at;
            later->order = order;
            later->waited += pause;
            gr_hook_memory(event, 0);
            return;
        }
        node_event(sim, event);
    }
    event_free(event);
}

void sim_run_until(struct sim *sim, int64_t until)
{
    while (sim->heap_count > 0 && sim->heap[1]->at <= until && !sim->oracle.failed)
        dispatch(sim, pop(sim));
    sim->now = GR_MAX(sim->now, until);
}

// ---- a run -------------------------------------------------------------------------------------

static void build(struct sim *sim)
{
    struct gr_random *random = &sim->random;
    sim->node_count = 3 + (int)gr_random_below(random, SIM_NODES_MAX - 2);
    int n = gr_random_chance(random, 850) ? 3 : 1 + (int)gr_random_below(random, 3);
    struct gr_member member[SIM_NODES_MAX] = {{{0}, {0}, {0}, {0}}};
    for (int i = 0; i < sim->node_count; i++)
        snprintf(member[i].name, sizeof member[i].name, "n%d", i);
    gr_ring_init(&sim->ring, PARTITIONS, (uint8_t)n, member, (uint16_t)sim->node_count);
    sim_draw_faults(sim);
    sim_draw_durability(sim);
    sim_clients_init(&sim->clients, sim, &sim->oracle);
    static const uint32_t caches[] = {0, 2, 1000};
    for (int i = 0; i < sim->node_count; i++) {
        struct sim_node *host = &sim->node[i];
        host->config = gr_node_config_default();
        host->config.self = (uint16_t)i;
        host->config.ring = &sim->ring;
        host->config.r = host->config.w = (uint8_t)(n / 2 + 1);
        host->config.durability = sim->durability;
        host->config.canary = sim->options->canary;
        host->config.cache_max = caches[gr_random_below(random, 3)];
        host->config.hint_bytes_max = gr_random_chance(random, 100) ? 2000 : 1u << 30;
        host->config.latch_queue_max = gr_random_chance(random, 100) ? 1 : 1024;
        if (gr_random_chance(random, 100)) {
            host->config.background.slice_rate_min = host->config.background.slice_rate_max = 1;
            sim->slow = true;
        }
        sim->skew_ms_max = sim->faults.skew_ms_max;
        host->skew_ms =
            (int64_t)gr_random_below(random, 2 * (uint64_t)sim->skew_ms_max + 1) - sim->skew_ms_max;
    }
    for (int i = 0; i < sim->node_count; i++)
        sim_start(sim, i);
    sim->busy_until = (BUSY_MS_MIN + (int64_t)gr_random_below(random, 6000)) * MS;
    for (int c = 0; c < sim->clients.count; c++)
        sim_push(sim, CLIENT, -1, 30 * MS + sim_within(sim, 0, 20000))->node = c;
    sim_push(sim, FAULT, -1, (int64_t)FAULT_EVERY_MS * MS);
}

static void tear_down(struct sim *sim)
{
    struct sim_event *event;
    while ((event = pop(sim)) != NULL)
        event_free(event);
    gr_hook_memory(sim->heap, 0);
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
    gr_ring_deinit(&sim->ring);
}

void sim_run(const struct sim_options *options, struct sim_report *ret_report)
{
    *ret_report = (struct sim_report){.digest = options->seed};
    struct sim *sim = gr_hook_memory(NULL, sizeof *sim);
    memset(sim, 0, sizeof *sim);
    sim->options = options;
    sim->report = ret_report;
    sim->oracle.sim = sim;
    gr_random_init(&sim->random, options->seed);
    build(sim);
    sim_run_until(sim, sim->busy_until);
    if (!sim->oracle.failed) {
        sim_heal(sim);
        sim_run_until(sim, sim->now + 1500 * (int64_t)MS);
        sim_heal_links(sim); // links whose loss was noticed late are made anew
        sim_run_until(sim, sim->now + (int64_t)(sim->slow ? QUIET_SLOW_MS : QUIET_MS) * MS);
    }
    if (!sim->oracle.failed)
        sim_audit(sim);
    ret_report->failed = sim->oracle.failed;
    memcpy(ret_report->story, sim->oracle.story, sizeof ret_report->story);
    ret_report->virtual_ms = sim->now / MS;
    sim_note(sim, gr_random_next(&sim->random)); // one more random number proves determinism
    tear_down(sim);
    gr_hook_memory(sim, 0);
}
