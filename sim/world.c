// The world: an invented time in which nodes, disks, links and clients meet.
//
// One queue of events, ordered by time and then by age. A node's effects become events: a message
// is delivered later, twice, or never; a read is carried out at some later moment and answered at a
// later one still; a sync ends when the disk pleases. A crash may come between any two effects, and
// keeps any prefix of the writes between the last synced and the last applied.
//
//   WD1 Nothing here depends on addresses or on the machine: a seed gives the same digest twice.
//   WD2 A node never takes more memory than its configuration allows, and never writes to a store
//       that it was told takes nothing.
#include "sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

// Milliseconds until a crashed node starts, asks again for space, or tries its links again.
enum { RESTART_MS = 200, SPACE_MS = 100, RELINK_MS = 500, SYNC_INTERVAL_MS = 100 };

// ---- what clients and oracle may ask of the world ----------------------------------------------

const struct sim_plan *sim_plan_of(const struct sim *sim)
{
    return &sim->plan;
}

int sim_ops_max(const struct sim *sim)
{
    return sim->live ? SIM_OPS_MAX : sim->plan.ops;
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

void sim_tell(const struct sim *sim, const char *format, ...)
{
    if (!sim->options->verbose)
        return;
    printf("%9.3f  ", (double)sim->now / MS);
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

bool sim_holds(struct sim *sim, int n, const struct sim_op *op, const struct gr_dot *dot)
{
    struct sim_node *host = &sim->node[n];
    return !host->suspect[op->key] && sim_disk_covers(&host->disk, op->partition, dot);
}

bool sim_has_seen(const struct sim *sim, int n, uint32_t partition, const struct gr_dot *dot)
{
    return gr_clock_has(gr_node_clock(sim->node[n].node, partition), dot);
}

bool sim_is_suspect(const struct sim *sim, int node, int key)
{
    return sim->node[node].suspect[key];
}

bool sim_was_suspect(const struct sim *sim, int key, uint64_t since)
{
    bool any = false;
    for (int n = 0; n < sim->node_count; n++)
        any |= sim->node[n].suspect[key] || sim->node[n].found[key] > since;
    return any;
}

enum gr_durability sim_durability(const struct sim *sim)
{
    return sim->plan.durability;
}

uint64_t sim_written(const struct sim *sim, int node)
{
    return sim->node[node].disk.applied;
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

struct sim_event *sim_pop(struct sim *sim)
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

void sim_event_free(struct sim_event *event)
{
    gr_hook_memory((void *)event->frame.data, 0);
    gr_arena_deinit(&event->arena);
    gr_hook_memory(event, 0);
}

int64_t sim_within(struct gr_random *random, int64_t from_us, int64_t to_us)
{
    return 1000 * (from_us + (int64_t)gr_random_below(random, (uint64_t)(to_us - from_us + 1)));
}

// ---- effects -----------------------------------------------------------------------------------

// A sync is due when the interval is over, or when a write came that does not wait for it: in the
// mode `commit` that is every one that somebody waits for.
static void start_sync(struct sim *sim, int n, bool due)
{
    struct sim_node *host = &sim->node[n];
    if (host->syncing || host->disk.applied == host->disk.synced)
        return;
    if (!due && host->urgent <= host->disk.synced) {
        if (!host->sync_due)
            sim_push(sim, SYNC, n, (int64_t)SYNC_INTERVAL_MS * MS);
        host->sync_due = true;
        return;
    }
    host->syncing = true;
    struct sim_event *event =
        sim_push(sim, SYNC, n, sim_within(&host->random, 50, sim->plan.sync_us_max));
    event->ticket = host->disk.applied;
}

// A node has found that a partition of its store is not what it wrote, and forgets what its clock
// had seen.
static void forget(struct sim *sim, int n, const struct gr_store_write *write)
{
    struct sim_node *host = &sim->node[n];
    if (!sim->ruined && write->row_count > 0)
        sim_oracle_fail(&sim->oracle, "node %d finds a loss, and nothing was lost", n);
    sim->oracle.damage = true;
    sim->lost_any = true; // the clock begins anew, and its first dots are a gap
    sim->lost_found |= n == sim->lost_node && write->partition == sim->lost_partition;
    for (int key = 0; key < sim->clients.keys && write->row_count > 0; key++) {
        if (sim_key_partition(sim, key) != write->partition)
            continue;
        sim_oracle_loses(&sim->oracle, n, key, false);
        if (host->suspect[key]) {
            host->found[key] = sim_order(sim);
            host->finding[key] = write->number;
        }
        host->suspect[key] = false;
    }
}

static void on_write(struct sim *sim, int n, const struct gr_store_write *write)
{
    struct sim_node *host = &sim->node[n];
    sim->report->writes++;
    if (write->owed != NULL)
        forget(sim, n, write);
    if (host->full || host->sync_failed)
        sim_oracle_fail(
            &sim->oracle, "node %d writes, and was told that its store takes nothing", n);
    sim_disk_write(&host->disk, write, host->config.actor);
    if (write->owed_changed && write->owed == NULL)
        sim_oracle_whole(&sim->oracle, n, write->partition);
    bool owner = write->hint_count == 0;
    if (write->drawn != NULL && write->drawn_by.run == 0x51)
        sim_oracle_drawn(&sim->oracle, (int)write->drawn_by.number - 1, n, write->drawn,
            write->seal, &write->drawn_context, owner);
    for (uint32_t i = 0; i < write->hint_count && !write->hint_remove; i++)
        for (int key = 0; key < sim->clients.keys; key++)
            if (gr_key_equal(&write->hint[i].key, &sim->clients.key[key]))
                sim_oracle_kept(&sim->oracle, n, key, &write->hint[i].dot, write->number);
    for (int key = 0; key < sim->clients.keys; key++)
        sim_audit_key(sim, n, key);
    if (write->sync)
        host->urgent = write->number;
    start_sync(sim, n, false);
    if (sim_durability(sim) != GR_DURABILITY_COMMIT)
        sim_push(sim, APPLIED, n, sim_within(&host->random, 1, 50))->ticket = write->number;
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
    // A put that was handed on and is nowhere: its dot is a gap for ever.
    sim->lost_any |= result->outcome == GR_INDETERMINATE &&
                     sim->oracle.op[result->ticket & 0xffffffff].dot.counter == 0;
    sim_clients_result(&sim->clients, result);
}

static void keep_effect(struct sim_event *event, const struct gr_effect *effect)
{
    event->effect = *effect;
    event->ticket = effect->ticket;
    if (effect->key.key.size > 0)
        event->effect.key = gr_key_copy(&event->arena, &effect->key);
}

// Reads are carried out at some later moment, and answered at a later one still.
static int64_t read_delay(struct sim *sim, int n)
{
    struct sim_node *host = &sim->node[n];
    host->reads++;
    bool well = sim->core >> n & 1;
    bool late = !well && sim_strikes(sim, SIM_READ_LATE, (uint64_t)n, host->reads);
    if (late) // many of them in a row, and a key's queue takes longer than a request waits
        host->bad_at = GR_MAX(host->bad_at, sim->now);
    return sim_within(&host->random, 1, late ? 30000 : 50);
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
    switch (effect->type) {
    case GR_EFFECT_SEND:
        sim_network_send(sim, n, effect);
        break;
    case GR_EFFECT_WRITE:
        on_write(sim, n, effect->write);
        break;
    case GR_EFFECT_READ:
        keep_effect(sim_push(sim, READ, n, read_delay(sim, n)), effect);
        break;
    case GR_EFFECT_SCAN:
        keep_effect(sim_push(sim, SCAN, n, read_delay(sim, n)), effect);
        break;
    case GR_EFFECT_REPLY:
        on_reply(sim, n, effect->result);
        break;
    case GR_EFFECT_ACKED:
        break;
    case GR_EFFECT_HOLDS:
        sim_rings_say(sim, n, effect->holds);
        break;
    case GR_EFFECT_LOG:
        sim_tell(sim, "node %d, of partition %u: %s", n, effect->partition, effect->text);
        break;
    }
}

// ---- nodes -------------------------------------------------------------------------------------

void sim_step(struct sim *sim, int n, struct gr_event *event)
{
    struct sim_node *host = &sim->node[n];
    event->now = sim_now(sim);
    event->wall = (struct gr_wall){sim_wall(sim).ms + host->skew_ms};
    struct emission emission = {sim, n};
    struct gr_sink sink = {emit, &emission};
    gr_node_step(host->node, event, &sink);
    struct gr_node_stats stats = gr_node_stats(host->node);
    if (stats.memory > host->config.memory_max || stats.calls > host->config.calls_max)
        sim_oracle_fail(&sim->oracle, "node %d: %u calls, %zu bytes: over its bounds", n,
            stats.calls, stats.memory);
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
    if (host->paused_until <= sim->now && host->slow_until <= sim->now) {
        sim_step(sim, n, &(struct gr_event){.type = GR_EVENT_REQUEST, .request = request});
        return true;
    }
    struct sim_event *later = sim_push(sim, ASK, n, 0);
    later->asked = *request;
    later->asked.key = gr_key_copy(&later->arena, &request->key);
    later->asked.value = gr_arena_copy(&later->arena, request->value);
    later->asked.context = gr_context_copy(&later->arena, &request->context);
    return true;
}

void sim_tell_store(struct sim *sim, int n, enum gr_err status)
{
    if (sim->node[n].node == NULL)
        return;
    sim_tell(sim, "node %d: its store says %s", n, gr_err_info(status)->name);
    sim_step(sim, n, &(struct gr_event){.type = GR_EVENT_STORE, .status = status});
}

void sim_crash(struct sim *sim, int n)
{
    struct sim_node *host = &sim->node[n];
    if (host->node == NULL)
        return;
    sim_tell(sim, "node %d crashes", n);
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        sim->report->probes.reached[p] += gr_node_probes(host->node)->reached[p];
    struct gr_node_stats stats = gr_node_stats(host->node);
    sim->lost_any |= stats.calls > 0 || stats.spares > 0; // dots that were drawn for nothing
    gr_node_free(host->node);
    host->node = NULL;
    host->life++;
    sim->lost_any |= host->crashing; // what it emitted last was half done
    host->crashing = false;
    host->crash_after = -1;
    host->syncing = host->sync_due = host->sync_failed = false;
    host->urgent = 0;
    host->tick_at = INT64_MAX;
    host->bad_at = GR_MAX(host->bad_at, sim->now);
    memset(host->linked_run, 0, sizeof host->linked_run);
    uint64_t unsynced = host->disk.applied - host->disk.synced;
    uint64_t kept = gr_random_below(&host->random, unsynced + 1);
    sim->lost_any |= kept < unsynced;
    sim_oracle_crashed(&sim->oracle, n, host->disk.synced + kept);
    for (int key = 0; key < SIM_KEYS_MAX; key++)
        host->suspect[key] |= host->finding[key] > host->disk.synced + kept;
    memset(host->finding, 0, sizeof host->finding);
    sim_disk_crash(&host->disk, host->disk.synced + kept);
    for (int c = 0; c < SIM_CLIENTS_MAX; c++) {
        if (host->ticket[c] != 0)
            sim_clients_abandon(&sim->clients, host->ticket[c] - 1);
        host->ticket[c] = 0;
    }
    for (int m = 0; m < sim->node_count; m++)
        if (m != n)
            sim_link_noticed(sim, m, n, false, 50000);
    sim_push(sim, START, n, (host->down_ms > 0 ? host->down_ms : RESTART_MS) * MS);
    host->down_ms = 0;
}

void sim_start(struct sim *sim, int n)
{
    struct sim_node *host = &sim->node[n];
    if (host->node != NULL)
        return;
    if (host->full) { // it has a run to write down first
        sim_push(sim, START, n, SPACE_MS * MS);
        return;
    }
    bool first = host->store == 0;
    if (first) {
        host->store = (uint64_t)n + 1;
        sim_disk_init(&host->disk);
        sim_rings_found(sim, n);
    }
    struct gr_random random;
    sim_stream_init(&random, sim->plan.seed, SIM_STREAM_NODE, (uint64_t)n << 32 | (host->life + 1));
    uint64_t bits = gr_random_next(&random) & 0xffffffff;
    if (first || sim->options->canary != GR_CANARY_SAME_ACTOR)
        host->config.actor = (struct gr_actor){host->store, (host->life + 1) << 32 | bits};
    host->config.run = host->life + 1;
    host->config.blank = first;
    host->config.seed = gr_random_next(&random);
    host->node = gr_node_new(&host->config);
    host->tick_at = INT64_MAX;
    host->crash_after = -1;
    sim_tell(sim, "node %d starts", n);
    sim_disk_load(&host->disk, host->node);
    sim_step(sim, n, &(struct gr_event){.type = GR_EVENT_TICK});
    sim_rings_start(sim, n);
    for (int key = 0; key < sim->clients.keys; key++)
        sim_audit_key(sim, n, key);
    for (int m = 0; m < sim->node_count; m++)
        if (m != n && sim->node[m].node != NULL && !(sim->cut[n][m] && sim->cut[m][n]))
            sim_link_changes(sim, n, m, true, 20000);
}

// ---- events ------------------------------------------------------------------------------------

static void read_store(struct sim *sim, struct sim_event *event)
{
    struct sim_node *host = &sim->node[event->node];
    bool core = sim->core >> event->node & 1;
    uint64_t bit = 1ull << event->effect.key.hash % 64;
    struct sim_event *done = sim_push(sim, event->kind == READ ? READ_DONE : SCAN_DONE, event->node,
        read_delay(sim, event->node));
    done->answer = (struct gr_event){
        .type = event->kind == READ ? GR_EVENT_READ_DONE : GR_EVENT_SCAN_DONE,
        .ticket = event->ticket,
    };
    if (event->kind == SCAN)
        sim_disk_scan(
            &host->disk, sim->ring.partitions, &event->effect, &done->arena, &done->answer);
    else if (!core && !(host->misread & bit) &&
             sim_strikes(sim, SIM_READ_ERROR, (uint64_t)event->node, host->reads)) {
        host->bad_at = GR_MAX(host->bad_at, sim->now);
        host->misread |= bit;
        done->answer.status = GR_ERR_CORRUPT;
    } else {
        done->answer.status =
            sim_disk_read(&host->disk, &event->effect.key, &done->arena, &done->answer.record);
    }
}

static void node_event(struct sim *sim, struct sim_event *event)
{
    struct sim_node *host = &sim->node[event->node];
    struct gr_event tick = {.type = GR_EVENT_TICK};
    switch (event->kind) {
    case DELIVER:
        sim_network_deliver(sim, event);
        break;
    case TICK:
        if (host->tick_at > event->at)
            break; // an earlier one was set since
        host->tick_at = INT64_MAX;
        sim_step(sim, event->node, &tick);
        break;
    case READ:
    case SCAN:
        read_store(sim, event);
        break;
    case READ_DONE:
    case SCAN_DONE:
        sim_step(sim, event->node, &event->answer);
        break;
    case ASK:
        sim_step(sim, event->node,
            &(struct gr_event){
                .type = GR_EVENT_REQUEST, .request = &event->asked, .waited = {event->waited}});
        break;
    case APPLIED:
        sim_step(sim, event->node,
            &(struct gr_event){.type = GR_EVENT_APPLIED, .number = event->ticket});
        break;
    case SYNC:
        if (host->sync_failed)
            break;
        if (event->ticket == 0) {
            host->sync_due = false;
            start_sync(sim, event->node, true);
            break;
        }
        host->syncing = false;
        sim_disk_synced(&host->disk, event->ticket);
        for (int key = 0; key < SIM_KEYS_MAX; key++)
            if (host->finding[key] <= event->ticket)
                host->finding[key] = 0;
        sim_oracle_synced(&sim->oracle, event->node, event->ticket);
        start_sync(sim, event->node, false);
        sim_step(
            sim, event->node, &(struct gr_event){.type = GR_EVENT_SYNCED, .number = event->ticket});
        break;
    case LINK:
        sim_network_link(sim, event);
        break;
    default:
        gr_unreachable("not an event of a node");
    }
}

// A stopped process: its events wait for it. A slow one: each comes late, in order.
static int64_t waits(struct sim *sim, struct sim_event *event)
{
    struct sim_node *host = &sim->node[event->node];
    int64_t ns = GR_MAX(host->paused_until - sim->now, 0);
    if (host->slow_until > sim->now && !event->slowed) {
        event->slowed = true;
        ns = GR_MAX(ns, host->slow_ns);
    }
    return ns;
}

// True if the event was put off, and lives on as another.
static bool put_off(struct sim *sim, struct sim_event *event)
{
    int64_t ns = waits(sim, event);
    if (ns == 0)
        return false;
    struct sim_event *later = sim_push(sim, event->kind, event->node, ns);
    int64_t at = later->at;
    uint64_t order = later->order;
    *later = *event;
    later->at = at;
    later->order = order;
    later->waited += ns;
    gr_hook_memory(event, 0);
    return true;
}

// Events of no node. False if it is one of a node's.
static bool world_event(struct sim *sim, struct sim_event *event)
{
    switch (event->kind) {
    case CLIENT:
        if (sim->quiet)
            break;
        sim_clients_act(&sim->clients, event->node);
        struct gr_random *pace = &sim->clients.client[event->node].random;
        sim_push(sim, CLIENT, -1, sim_within(pace, 200, 60000))->node = event->node;
        break;
    case FAULT:
        if (!sim->quiet)
            sim_fault_begin(sim, (int)event->ticket);
        break;
    case FAULT_END:
        sim_fault_end(sim, (int)event->ticket);
        break;
    case NEWS:
        sim_rings_news(sim, event);
        break;
    case RELINK:
        sim_network_relink(sim);
        sim_push(sim, RELINK, -1, RELINK_MS * MS);
        break;
    case START:
        if (event->life == sim->node[event->node].life)
            sim_start(sim, event->node);
        break;
    default:
        return false;
    }
    return true;
}

static void dispatch(struct sim *sim, struct sim_event *event)
{
    sim->now = event->at;
    sim->report->events++;
    sim_note(sim, (uint64_t)event->kind << 32 | (uint64_t)event->at);
    if (!world_event(sim, event)) {
        const struct sim_node *host = &sim->node[event->node];
        bool ours = event->kind == DELIVER || event->kind == LINK || event->life == host->life;
        if (host->node != NULL && ours) {
            if (put_off(sim, event))
                return;
            node_event(sim, event);
        }
    }
    sim_event_free(event);
}

void sim_run_until(struct sim *sim, int64_t until)
{
    while (sim->heap_count > 0 && sim->heap[1]->at <= until && !sim->oracle.failed)
        dispatch(sim, sim_pop(sim));
    sim->now = GR_MAX(sim->now, until);
}
