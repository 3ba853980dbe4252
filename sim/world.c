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
#include "sim/world.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "wire/frame.h"

enum { MS = 1000000, BUSY_MS_MIN = 3000, QUIET_MS = 8000, FAULT_EVERY_MS = 100 };
enum { PARTITIONS = 8 };

enum event_kind {
    DELIVER,
    TICK,
    READ,
    READ_DONE,
    SCAN,
    SCAN_DONE,
    SYNC,
    CLIENT,
    FAULT,
    START,
    LINK
};

struct event {
    int64_t at;
    uint64_t order;
    enum event_kind kind;
    int node, peer;
    uint64_t life;   // of the node that asked: a restarted node is not the one that asked
    uint64_t ticket; // READ, SCAN; SYNC: number
    bool up;
    enum gr_err status;
    struct gr_bytes frame;   // DELIVER: owned
    struct gr_effect effect; // READ, SCAN
    struct gr_arena arena;   // of everything else that it holds
    struct gr_event answer;  // READ_DONE, SCAN_DONE
};

struct node {
    struct gr_node *node; // NULL: down
    struct gr_node_config config;
    struct sim_disk disk;
    uint64_t store, life;
    bool syncing, starting;
    int64_t paused_until;
    int64_t tick_at;
    int64_t skew_ms;
    int crash_after; // effects until it crashes, in the middle of a step; -1: it does not
    bool crashing;
    uint64_t ticket[SIM_CLIENTS_MAX]; // + 1, of the request of each client that it serves
};

struct sim {
    const struct sim_options *options;
    struct sim_report *report;
    struct gr_random random;
    struct sim_faults faults;
    struct sim_oracle oracle;
    struct sim_clients clients;
    struct gr_ring ring;
    int node_count;
    struct node node[SIM_NODES_MAX];
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX]; // [from][to]
    struct event **heap;
    size_t heap_count, heap_capacity;
    int64_t now;
    uint64_t order;
    int64_t busy_until;
    int64_t skew_ms_max;
    bool quiet;
    // The answer of a request made by the audit itself.
    bool audit_done;
    enum gr_err audit_err;
    struct gr_arena audit_arena;
    struct gr_record audit_record;
    struct gr_key *audit_key;
    uint32_t audit_key_count;
    gr_cursor audit_cursor;
};

#define AUDIT_TICKET ((uint64_t)SIM_CLIENTS_MAX << 32)

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

static bool before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static struct event *push(struct sim *sim, enum event_kind kind, int node, int64_t delay)
{
    if (sim->heap_count + 1 >= sim->heap_capacity) {
        sim->heap_capacity = GR_MAX(sim->heap_capacity * 2, 256);
        sim->heap = gr_hook_memory(sim->heap, sim->heap_capacity * sizeof *sim->heap);
    }
    struct event *event = gr_hook_memory(NULL, sizeof *event);
    *event = (struct event){.at = sim->now + delay,
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

static struct event *pop(struct sim *sim)
{
    if (sim->heap_count == 0)
        return NULL;
    struct event *first = sim->heap[1], *last = sim->heap[sim->heap_count--];
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

static void event_free(struct event *event)
{
    gr_hook_memory((void *)event->frame.data, 0);
    gr_arena_deinit(&event->arena);
    gr_hook_memory(event, 0);
}

static int64_t within(struct sim *sim, int64_t from_us, int64_t to_us)
{
    return 1000 *
           (from_us + (int64_t)gr_random_below(&sim->random, (uint64_t)(to_us - from_us + 1)));
}

// ---- effects -----------------------------------------------------------------------------------

static void audit_key(struct sim *sim, int n, int key)
{
    struct node *host = &sim->node[n];
    const struct gr_key *at = &sim->clients.key[key];
    uint32_t partition = gr_ring_partition(&sim->ring, at->slot);
    if (gr_ring_position(&sim->ring, partition, (uint16_t)n) < 0)
        return;
    struct gr_arena arena = {0};
    struct gr_record stored = GR_RECORD_NOTHING;
    enum gr_err err = sim_disk_read(&host->disk, at, &arena, &stored);
    gr_assert(err == GR_OK || err == GR_ERR_NOT_FOUND);
    struct gr_record filled = gr_record_fill(&arena, &stored, gr_node_clock(host->node, partition));
    sim_oracle_state(&sim->oracle, n, key, &filled);
    gr_arena_deinit(&arena);
}

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
        int64_t delay = within(sim, 20, slow ? 400000 : faults->delay_us_max);
        struct event *event = push(sim, DELIVER, to, delay);
        event->peer = from;
        uint8_t *copy = gr_hook_memory(NULL, writer.size);
        memcpy(copy, writer.data, writer.size);
        event->frame = gr_bytes(copy, writer.size);
    }
    gr_writer_deinit(&writer);
}

static void start_sync(struct sim *sim, int n)
{
    struct node *host = &sim->node[n];
    if (host->syncing || host->disk.applied == host->disk.synced)
        return;
    host->syncing = true;
    struct event *event = push(sim, SYNC, n, within(sim, 50, sim->faults.sync_us_max));
    event->ticket = host->disk.applied;
}

static void on_write(struct sim *sim, int n, const struct gr_store_write *write)
{
    struct node *host = &sim->node[n];
    sim->report->writes++;
    sim_disk_write(&host->disk, write, host->config.actor);
    if (write->drawn != NULL && write->drawn_by.run == 0x51)
        sim_oracle_drawn(
            &sim->oracle, (int)write->drawn_by.number - 1, write->drawn, &write->drawn_context);
    for (int key = 0; key < sim->clients.keys; key++)
        audit_key(sim, n, key);
    start_sync(sim, n);
}

static void on_reply(struct sim *sim, int n, const struct gr_result *result)
{
    if (result->ticket >= AUDIT_TICKET) {
        sim->audit_done = true;
        sim->audit_err = result->err;
        sim->audit_record = gr_record_copy(&sim->audit_arena, &result->record, true);
        sim->audit_cursor = result->cursor;
        sim->audit_key_count = result->key_count;
        sim->audit_key = gr_arena_array(&sim->audit_arena, struct gr_key, result->key_count);
        for (uint32_t i = 0; i < result->key_count; i++)
            sim->audit_key[i] = gr_key_copy(&sim->audit_arena, &result->key[i]);
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

static void keep_effect(struct event *event, const struct gr_effect *effect)
{
    event->effect = *effect;
    event->ticket = effect->ticket;
    if (event->kind == READ)
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
    struct node *node = &sim->node[n];
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
        keep_effect(push(sim, READ, n, within(sim, 1, late ? 30000 : 50)), effect);
        break;
    case GR_EFFECT_SCAN:
        keep_effect(push(sim, SCAN, n, within(sim, 1, late ? 30000 : 50)), effect);
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

static void crash(struct sim *sim, int n);

static void step(struct sim *sim, int n, struct gr_event *event)
{
    struct node *host = &sim->node[n];
    event->now = sim_now(sim);
    event->wall = (struct gr_wall){sim_wall(sim).ms + host->skew_ms};
    struct emission emission = {sim, n};
    struct gr_sink sink = {emit, &emission};
    gr_node_step(host->node, event, &sink);
    if (host->crashing) {
        crash(sim, n);
        return;
    }
    struct gr_instant deadline = gr_node_deadline(host->node);
    if (deadline.ns < host->tick_at) {
        host->tick_at = deadline.ns;
        push(sim, TICK, n, GR_MAX(deadline.ns - sim->now, 0));
    }
}

bool sim_submit(struct sim *sim, int n, const struct gr_request *request)
{
    struct node *host = &sim->node[n];
    if (host->node == NULL)
        return false;
    if (request->ticket < AUDIT_TICKET)
        host->ticket[request->ticket >> 32] = request->ticket + 1;
    if (request->op == GR_OP_GET)
        sim->report->gets++;
    else
        sim->report->puts++;
    step(sim, n, &(struct gr_event){.type = GR_EVENT_REQUEST, .request = request});
    return true;
}

static void link_changes(struct sim *sim, int a, int b, bool up, int64_t delay_us_max)
{
    for (int side = 0; side < 2; side++) {
        struct event *event = push(sim, LINK, side ? a : b, within(sim, 10, delay_us_max));
        event->peer = side ? b : a;
        event->up = up;
    }
}

static void crash(struct sim *sim, int n)
{
    struct node *host = &sim->node[n];
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
    host->syncing = false;
    host->tick_at = INT64_MAX;
    uint64_t unsynced = host->disk.applied - host->disk.synced;
    sim_disk_crash(&host->disk, host->disk.synced + gr_random_below(&sim->random, unsynced + 1));
    for (int c = 0; c < SIM_CLIENTS_MAX; c++) {
        if (host->ticket[c] != 0)
            sim_clients_abandon(&sim->clients, host->ticket[c] - 1);
        host->ticket[c] = 0;
    }
    for (int m = 0; m < sim->node_count; m++)
        if (m != n)
            link_changes(sim, n, m, false, 50000);
    if (sim_verbose(sim))
        printf("node %d crashes\n", n);
}

static void start(struct sim *sim, int n)
{
    struct node *host = &sim->node[n];
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
    host->config.seed = gr_random_next(&sim->random);
    host->node = gr_node_new(&host->config);
    host->tick_at = INT64_MAX;
    host->crash_after = -1;
    sim_disk_load(&host->disk, host->node);
    step(sim, n, &(struct gr_event){.type = GR_EVENT_TICK});
    for (int key = 0; key < sim->clients.keys; key++)
        audit_key(sim, n, key);
    for (int m = 0; m < sim->node_count; m++)
        if (m != n && sim->node[m].node != NULL && !(sim->cut[n][m] && sim->cut[m][n]))
            link_changes(sim, n, m, true, 20000);
    if (sim_verbose(sim))
        printf("node %d starts\n", n);
}

// ---- faults ------------------------------------------------------------------------------------

static void draw_faults(struct sim *sim)
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
                    link_changes(sim, a, b, false, 100000);
            }
    if (sim_verbose(sim))
        printf("cut %x%s\n", (unsigned)side, one_way ? " one way" : "");
}

static void heal_links(struct sim *sim)
{
    for (int a = 0; a < sim->node_count; a++)
        for (int b = 0; b < a; b++) {
            sim->cut[a][b] = sim->cut[b][a] = false;
            if (sim->node[a].node != NULL && sim->node[b].node != NULL)
                link_changes(sim, a, b, true, 20000);
        }
    if (sim_verbose(sim))
        printf("heal\n");
}

static void fault_tick(struct sim *sim)
{
    struct gr_random *random = &sim->random;
    struct sim_faults *f = &sim->faults;
    int n = (int)gr_random_below(random, (uint64_t)sim->node_count);
    struct node *host = &sim->node[n];
    if (gr_random_chance(random, f->crash) && host->node != NULL) {
        if (gr_random_chance(random, f->crash_in_step))
            host->crash_after = (int)gr_random_below(random, 6);
        else
            crash(sim, n);
    }
    for (int m = 0; m < sim->node_count; m++) {
        struct node *down = &sim->node[m];
        if (down->node == NULL && !down->starting && gr_random_chance(random, 300)) {
            down->starting = true;
            push(sim, START, m, within(sim, 1000, 500000));
        }
    }
    if (gr_random_chance(random, f->cut))
        cut_links(sim);
    else if (gr_random_chance(random, 150))
        heal_links(sim);
    if (gr_random_chance(random, f->pause) && host->node != NULL)
        host->paused_until = sim->now + within(sim, 1000, 900000);
    push(sim, FAULT, -1, (int64_t)FAULT_EVERY_MS * MS);
}

// ---- events ------------------------------------------------------------------------------------

static void deliver(struct sim *sim, struct event *event)
{
    struct gr_bytes body;
    size_t consumed;
    enum gr_err err = gr_frame_split(event->frame, GR_FRAME_BYTES_MAX, &body, &consumed);
    gr_assert(err == GR_OK && consumed == event->frame.size);
    struct gr_message message;
    err = gr_frame_decode(body, &event->arena, &message);
    gr_assert(err == GR_OK);
    step(sim, event->node,
        &(struct gr_event){
            .type = GR_EVENT_MESSAGE, .peer = (uint16_t)event->peer, .message = &message});
}

static void read_store(struct sim *sim, struct event *event)
{
    struct node *host = &sim->node[event->node];
    bool late = gr_random_chance(&sim->random, sim->faults.read_late);
    struct event *done = push(sim, event->kind == READ ? READ_DONE : SCAN_DONE, event->node,
        within(sim, 1, late ? 30000 : 50));
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

static void node_event(struct sim *sim, struct event *event)
{
    struct node *host = &sim->node[event->node];
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
    case SYNC:
        host->syncing = false;
        sim_disk_synced(&host->disk, event->ticket);
        start_sync(sim, event->node);
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
            &(struct gr_event){
                .type = GR_EVENT_LINK, .peer = (uint16_t)event->peer, .up = event->up});
        break;
    default:
        gr_unreachable("not an event of a node");
    }
}

static void dispatch(struct sim *sim, struct event *event)
{
    sim->now = event->at;
    sim->report->events++;
    sim_note(sim, (uint64_t)event->kind << 32 | (uint64_t)event->at);
    if (event->kind == CLIENT) {
        bool more = !sim->quiet && sim_clients_act(&sim->clients, event->node);
        if (more)
            push(sim, CLIENT, -1, within(sim, 200, 60000))->node = event->node;
    } else if (event->kind == FAULT) {
        if (!sim->quiet)
            fault_tick(sim);
    } else if (event->kind == START) {
        sim->node[event->node].starting = false;
        start(sim, event->node);
    } else if (sim->node[event->node].node != NULL &&
               (event->kind == DELIVER || event->kind == LINK ||
                   event->life == sim->node[event->node].life)) {
        int64_t pause = sim->node[event->node].paused_until - sim->now;
        if (pause > 0) { // a stopped process: its events wait for it
            struct event *later = push(sim, event->kind, event->node, pause);
            int64_t at = later->at;
            uint64_t order = later->order;
            *later = *event;
            later->at = at;
            later->order = order;
            gr_hook_memory(event, 0);
            return;
        }
        node_event(sim, event);
    }
    event_free(event);
}

static void run_until(struct sim *sim, int64_t until)
{
    while (sim->heap_count > 0 && sim->heap[1]->at <= until && !sim->oracle.failed)
        dispatch(sim, pop(sim));
    sim->now = GR_MAX(sim->now, until);
}

// ---- the audit ---------------------------------------------------------------------------------

static bool ask(struct sim *sim, int n, struct gr_request *request)
{
    request->ticket = AUDIT_TICKET;
    sim->audit_done = false;
    gr_arena_clear(&sim->audit_arena);
    (void)sim_submit(sim, n, request);
    for (int ms = 0; ms < 4000 && !sim->audit_done && !sim->oracle.failed; ms++)
        run_until(sim, sim->now + MS);
    return sim->audit_done && !sim->oracle.failed;
}

static struct gr_record merged_state(struct sim *sim, int key, struct gr_arena *arena)
{
    const struct gr_key *at = &sim->clients.key[key];
    uint32_t partition = gr_ring_partition(&sim->ring, at->slot);
    const uint16_t *owner = gr_ring_owners(&sim->ring, partition);
    struct gr_record merged = GR_RECORD_NOTHING;
    for (int i = 0; i < sim->ring.n; i++) {
        struct node *host = &sim->node[owner[i]];
        struct gr_record stored = GR_RECORD_NOTHING;
        (void)sim_disk_read(&host->disk, at, arena, &stored);
        struct gr_record filled =
            gr_record_fill(arena, &stored, gr_node_clock(host->node, partition));
        merged = gr_record_merge(arena, &merged, &filled);
    }
    return merged;
}

static void audit_get(struct sim *sim, int key, int n, const struct gr_record *merged)
{
    struct gr_request request = {.op = GR_OP_GET, .key = sim->clients.key[key], .r = sim->ring.n};
    if (!ask(sim, n, &request) || sim->audit_err != GR_OK) {
        sim_oracle_fail(&sim->oracle, "all is healed, and node %d cannot read key %d: %s", n, key,
            sim->audit_done ? gr_err_info(sim->audit_err)->name : "no answer");
        return;
    }
    bool same = sim->audit_record.count == merged->count;
    for (uint32_t i = 0; same && i < merged->count; i++)
        same = gr_dot_equal(&sim->audit_record.sibling[i].dot, &merged->sibling[i].dot);
    if (!same)
        sim_oracle_fail(
            &sim->oracle, "node %d reads key %d otherwise than its replicas hold it", n, key);
}

// Every key that each replica holds alive must be met on a walk; none that each holds dead.
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
    struct gr_arena arena = {0};
    for (int key = 0; key < sim->clients.keys && !sim->oracle.failed; key++) {
        const struct gr_key *at = &sim->clients.key[key];
        uint32_t partition = gr_ring_partition(&sim->ring, at->slot);
        const uint16_t *owner = gr_ring_owners(&sim->ring, partition);
        int alive = 0, mortal = 0;
        for (int i = 0; i < sim->ring.n; i++) {
            struct gr_record stored = GR_RECORD_NOTHING;
            (void)sim_disk_read(&sim->node[owner[i]].disk, at, &arena, &stored);
            alive += stored.count > 0;
            for (uint32_t s = 0; s < stored.count; s++)
                mortal += stored.sibling[s].expires.ms != 0;
        }
        if (mortal == 0 && (alive == 0 ? met[key] : alive == sim->ring.n && !met[key]))
            sim_oracle_fail(&sim->oracle, "%d of %d replicas hold key %d, and a scan by node %d %s",
                alive, sim->ring.n, key, n, met[key] ? "shows it" : "misses it");
    }
    gr_arena_deinit(&arena);
}

// Once every minute that an expiry fell into is over, nothing that is due takes room on any disk.
static void audit_expiry(struct sim *sim)
{
    run_until(sim, sim->now + (2 * sim->skew_ms_max + 75000) * (int64_t)MS);
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

static void audit(struct sim *sim)
{
    for (int c = 0; c < sim->clients.count; c++)
        if (sim->clients.client[c].waits_for >= 0)
            sim_oracle_fail(
                &sim->oracle, "request %d was never answered", sim->clients.client[c].waits_for);
    for (int key = 0; key < sim->clients.keys && !sim->oracle.failed; key++) {
        struct gr_arena arena = {0};
        struct gr_record merged = merged_state(sim, key, &arena);
        sim_oracle_final(&sim->oracle, key, &merged);
        for (int n = 0; n < sim->node_count && !sim->oracle.failed; n++)
            audit_get(sim, key, n, &merged);
        gr_arena_deinit(&arena);
    }
    if (!sim->oracle.failed)
        audit_scan(sim, (int)gr_random_below(&sim->random, (uint64_t)sim->node_count));
    for (int n = 0; n < sim->node_count && !sim->oracle.failed; n++) {
        run_until(sim, sim->now + 3000 * (int64_t)MS); // late calls end
        struct gr_node_stats stats = gr_node_stats(sim->node[n].node);
        if (stats.calls != 0 || stats.memory != 0)
            sim_oracle_fail(&sim->oracle, "node %d is idle and keeps %u calls, %zu bytes", n,
                stats.calls, stats.memory);
    }
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
    draw_faults(sim);
    sim_clients_init(&sim->clients, sim, &sim->oracle);
    static const uint32_t caches[] = {0, 2, 1000};
    for (int i = 0; i < sim->node_count; i++) {
        struct node *host = &sim->node[i];
        host->config = gr_node_config_default();
        host->config.self = (uint16_t)i;
        host->config.ring = &sim->ring;
        host->config.r = host->config.w = (uint8_t)(n / 2 + 1);
        host->config.canary = sim->options->canary;
        host->config.cache_max = caches[gr_random_below(random, 3)];
        host->config.latch_queue_max = gr_random_chance(random, 100) ? 1 : 1024;
        sim->skew_ms_max = sim->faults.skew_ms_max;
        host->skew_ms =
            (int64_t)gr_random_below(random, 2 * (uint64_t)sim->skew_ms_max + 1) - sim->skew_ms_max;
    }
    for (int i = 0; i < sim->node_count; i++)
        start(sim, i);
    sim->busy_until = (BUSY_MS_MIN + (int64_t)gr_random_below(random, 6000)) * MS;
    for (int c = 0; c < sim->clients.count; c++)
        push(sim, CLIENT, -1, 30 * MS + within(sim, 0, 20000))->node = c;
    push(sim, FAULT, -1, (int64_t)FAULT_EVERY_MS * MS);
}

static void heal(struct sim *sim)
{
    sim->quiet = true;
    uint32_t sync_us_max = sim->faults.sync_us_max;
    bool minutes = sim->faults.minutes;
    sim->faults =
        (struct sim_faults){.delay_us_max = 2000, .sync_us_max = sync_us_max, .minutes = minutes};
    for (int i = 0; i < sim->node_count; i++) {
        sim->node[i].paused_until = 0;
        sim->node[i].crash_after = -1;
        start(sim, i);
    }
    heal_links(sim);
}

static void tear_down(struct sim *sim)
{
    struct event *event;
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
    run_until(sim, sim->busy_until);
    if (!sim->oracle.failed) {
        heal(sim);
        run_until(sim, sim->now + 1500 * (int64_t)MS);
        heal_links(sim); // links whose loss was noticed late are made anew
        run_until(sim, sim->now + (int64_t)QUIET_MS * MS);
    }
    if (!sim->oracle.failed && sim->faults.minutes)
        audit_expiry(sim);
    if (!sim->oracle.failed)
        audit(sim);
    ret_report->failed = sim->oracle.failed;
    memcpy(ret_report->story, sim->oracle.story, sizeof ret_report->story);
    ret_report->virtual_ms = sim->now / MS;
    sim_note(sim, gr_random_next(&sim->random)); // one more random number proves determinism
    tear_down(sim);
    gr_hook_memory(sim, 0);
}
