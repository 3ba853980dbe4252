// A cluster whose nodes need time for what they do, in invented time with invented costs.
//
// Every node is a process with one core. What arrives lies in its sockets until the core has time;
// then one turn takes all of it, as src/shell/turn.c does: peers' messages are stepped as they are
// read, what the disk has done is next, and clients' requests come last, and only until the turn
// is late. Each of these things costs time, and what a turn sends leaves at its end. Clients ask at
// random moments without waiting for answers (an open loop), so that a node that is too slow is not
// asked less; or, to measure the capacity, again as soon as they are answered.
//
// The costs are those of a core of 2 GHz and some, measured with 50 connections: 5 to 8 us for a
// PING, under 1 us for each of many in a pipeline, 95 us over all three nodes for a SET. SLOWER
// stretches them, so that a seed takes seconds, not minutes; the timeouts stay, which makes
// overload bite sooner, not later.
//
//   LD1 A node's clock is ahead of the world's by what its turn has cost so far, and nothing that
//       happens in a turn is seen elsewhere before its end.
//   LD2 Nothing here depends on addresses or on the machine: a seed gives the same digest twice.
#include "sim/loaded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/map.h"
#include "wire/frame.h"

enum {
    SLOWER = 8,
    TURN_US = 3,    // once a turn: waiting for events, timers
    SOCKET_US = 6,  // a socket that has something: one read, one write
    REQUEST_US = 1, // a command: parsed, and answered
    MESSAGE_US = 3, // a frame, decoded and stepped
    SEND_US = 2,    // a frame, encoded
    READ_US = 5,    // a record from the cache of the store
    WRITE_US = 20,  // a batch into the store
    SCAN_US = 100,
    SYNC_US = 500, // the disk, beside the core
    NET_US = 100,

    REPLICAS = 3,
    PARTITIONS = 32,
    KEYS = 4096,
    VALUE_BYTES = 100,
    CONNECTIONS = 64,       // of clients, per node
    CLOSED = 100,           // clients per node that measure the capacity
    TURN_NS_MAX = 10000000, // after which a turn is late, as in the shell
    EVENTS_MIN = 8,         // of the store, in a turn that is late
    DRAIN_MS = 4000,
    SLICES_MAX = 64,

    REQUESTS_MAX = 1 << 19, // of one level
    LATENCIES_MAX = 1 << 17,
};

#define US INT64_C(1000)
#define MS INT64_C(1000000)

enum kind { ARRIVE, DELIVER, SYNC, TURN_END, WAKE };

struct event {
    int64_t at;
    uint64_t order;
    enum kind kind;
    int node;
    int peer;              // DELIVER
    struct gr_bytes frame; // DELIVER: owned
    uint64_t number;       // SYNC; ARRIVE: the request
};

struct message {
    struct gr_link link;
    int64_t arrived;
    int peer;
    struct gr_bytes frame; // owned
};

// A client's request, from its arrival to its answer.
struct request {
    struct gr_link link; // in a server's socket or waiting list
    int64_t issued;
    int node, connection;
    uint32_t key;
    bool writes, answered;
};

struct stored {
    struct gr_map_link link;
    struct gr_key key;
    struct gr_arena key_arena, arena; // of key and record
    struct gr_record record;
};

// A question to the store; the answer is ready at once, and stepped after the step that asked.
struct answer {
    struct gr_link link;
    uint64_t ticket;
    struct stored *stored;
    bool scan, due;
};

struct server {
    struct gr_node *node;
    struct gr_list peers;   // messages in sockets
    struct gr_list clients; // requests in sockets
    struct gr_list waiting; // requests taken off them
    struct gr_list answers; // of the store
    struct gr_map store;
    uint64_t applied, synced, told; // numbers of writes
    bool syncing, busy;             // busy: a turn is under way
    int64_t wake_at;                // the tick that counts
    int64_t clock;                  // of the core: ahead of `now` by what the turn has cost so far
    struct gr_list sent;            // messages of this turn
    uint32_t waiting_peak;
    size_t memory_peak;
};

struct run {
    struct gr_random random, arrivals;
    struct gr_ring ring;
    struct server server[LOADED_NODES];
    struct event *heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    int64_t now, from, until; // measured in between
    uint64_t rate;            // arrivals per second; 0: closed
    struct request *request;
    uint64_t request_count;
    uint32_t *latency_us;
    uint64_t latency_count;
    struct loaded_level *level;
    int turning; // the node whose turn it is
};

static char key_name[KEYS][16];
static struct gr_key keys[KEYS];

// ---- the queue of events ---------------------------------------------------------------------

static bool before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->order < b->order);
}

static void push(struct run *run, struct event event)
{
    if (run->heap_count + 2 > run->heap_capacity) {
        run->heap_capacity = GR_MAX(run->heap_capacity * 2, 1024);
        run->heap = gr_hook_memory(run->heap, run->heap_capacity * sizeof *run->heap);
    }
    event.order = ++run->order;
    size_t at = ++run->heap_count;
    for (; at > 1 && before(&event, &run->heap[at / 2]); at /= 2)
        run->heap[at] = run->heap[at / 2];
    run->heap[at] = event;
}

static struct event pop(struct run *run)
{
    struct event first = run->heap[1], last = run->heap[run->heap_count--];
    size_t at = 1;
    while (at * 2 <= run->heap_count) {
        size_t child = at * 2;
        if (child < run->heap_count && before(&run->heap[child + 1], &run->heap[child]))
            child++;
        if (!before(&run->heap[child], &last))
            break;
        run->heap[at] = run->heap[child];
        at = child;
    }
    run->heap[at] = last;
    return first;
}

static void note(struct run *run, uint64_t number)
{
    uint64_t pair[2] = {run->level->digest, number};
    run->level->digest = gr_hash64(gr_bytes(pair, sizeof pair), 0);
}

// ---- clients ---------------------------------------------------------------------------------

static void issue(struct run *run, int node, int64_t at)
{
    gr_assert(run->request_count < REQUESTS_MAX);
    struct request *request = &run->request[run->request_count];
    *request = (struct request){
        .issued = at,
        .node = node,
        .connection = (int)gr_random_below(&run->random, CONNECTIONS),
        .key = (uint32_t)gr_random_below(&run->random, KEYS),
        .writes = gr_random_chance(&run->random, 500),
    };
    push(run,
        (struct event){
            .at = at + NET_US * US, .kind = ARRIVE, .node = node, .number = run->request_count});
    run->request_count++;
}

// The next arrival: in each microsecond there is one with the chance that makes the rate.
static void issue_next(struct run *run, int64_t after)
{
    int64_t us = after / US;
    do
        us++;
    while (gr_random_below(&run->arrivals, 1000000) >= run->rate);
    if (us * US < run->until)
        issue(run, (int)gr_random_below(&run->arrivals, LOADED_NODES), us * US);
}

static void on_reply(struct run *run, const struct gr_result *result)
{
    struct loaded_level *level = run->level;
    struct request *request = &run->request[result->ticket];
    level->twice += request->answered;
    request->answered = true;
    int64_t at = run->server[run->turning].clock + NET_US * US, took = at - request->issued;
    note(run, (uint64_t)at ^ result->ticket << 32);
    if (run->rate == 0 && at < run->until)
        issue(run, request->node, at);
    if (at < run->from || at >= run->until)
        return;
    if (result->err == GR_OK && took <= LOADED_PATIENCE_MS * MS) {
        level->goodput++;
        if (run->latency_count < LATENCIES_MAX)
            run->latency_us[run->latency_count++] = (uint32_t)(took / US);
    } else if (result->err == GR_OK) {
        level->late++;
    } else if (result->err == GR_ERR_BUSY) {
        level->busy++;
    } else {
        level->other++;
    }
}

// ---- effects ---------------------------------------------------------------------------------

static struct stored *find(struct server *server, const struct gr_key *key)
{
    for (struct gr_map_link *link = gr_map_first(&server->store, key->hash); link != NULL;
         link = gr_map_again(link)) {
        struct stored *stored = GR_CONTAINER(link, struct stored, link);
        if (gr_key_equal(&stored->key, key))
            return stored;
    }
    return NULL;
}

static void on_write(struct server *server, const struct gr_store_write *write)
{
    server->applied = write->number;
    struct stored *stored = find(server, &write->key);
    if (stored == NULL) {
        stored = gr_hook_memory(NULL, sizeof *stored);
        *stored = (struct stored){.record = GR_RECORD_NOTHING};
        stored->key = gr_key_copy(&stored->key_arena, &write->key);
        gr_map_insert(&server->store, &stored->link, write->key.hash);
    }
    struct gr_arena arena = {0};
    stored->record =
        write->record == NULL ? GR_RECORD_NOTHING : gr_record_copy(&arena, write->record, false);
    gr_arena_deinit(&stored->arena);
    stored->arena = arena;
}

static void on_send(struct run *run, struct server *server, const struct gr_effect *effect)
{
    struct gr_writer writer;
    gr_writer_init(&writer, GR_FRAME_BYTES_MAX);
    gr_frame_encode(&writer, GR_FRAME_VERSION, effect->message);
    gr_assert(!writer.bad);
    struct message *message = gr_hook_memory(NULL, sizeof *message);
    uint8_t *copy = gr_hook_memory(NULL, writer.size);
    memcpy(copy, writer.data, writer.size);
    *message = (struct message){.peer = effect->peer, .frame = gr_bytes(copy, writer.size)};
    gr_list_append(&server->sent, &message->link);
    gr_writer_deinit(&writer);
    note(run, effect->message->id);
}

// Background work, but for the read of what is kept of one key: a get waits for that. No hint is
// stored here: a page of them is empty.
static bool is_page(const struct gr_effect *effect)
{
    return effect->key.key.size == 0;
}

static void ask_store(struct run *run, struct server *server, const struct gr_effect *effect)
{
    struct answer *answer = gr_hook_memory(NULL, sizeof *answer);
    *answer = (struct answer){.ticket = effect->ticket};
    if (effect->type == GR_EFFECT_SCAN) {
        answer->scan = true;
        answer->due = effect->scan == GR_SCAN_DUE;
        bool counts = server->clock >= run->from && server->clock < run->until;
        run->level->pages += counts && is_page(effect);
    } else {
        answer->stored = find(server, &effect->key);
    }
    gr_list_append(&server->answers, &answer->link);
}

static void emit(void *host, const struct gr_effect *effect)
{
    struct run *run = host;
    struct server *server = &run->server[run->turning];
    int64_t us = 0;
    switch (effect->type) {
    case GR_EFFECT_SEND:
        us = SEND_US;
        on_send(run, server, effect);
        break;
    case GR_EFFECT_WRITE:
        us = WRITE_US;
        on_write(server, effect->write);
        break;
    case GR_EFFECT_READ:
        us = READ_US;
        ask_store(run, server, effect);
        break;
    case GR_EFFECT_SCAN:
        us = is_page(effect) ? SCAN_US : READ_US;
        ask_store(run, server, effect);
        break;
    case GR_EFFECT_REPLY:
        on_reply(run, effect->result);
        break;
    default:
        break;
    }
    server->clock += us * US * SLOWER;
}

// ---- one turn of a node ------------------------------------------------------------------------

static void step(struct run *run, struct gr_event event)
{
    struct server *server = &run->server[run->turning];
    struct gr_sink sink = {emit, run};
    event.now = (struct gr_instant){server->clock};
    event.wall = (struct gr_wall){1700000000000 + server->clock / MS};
    gr_node_step(server->node, &event, &sink);
}

static void spend(struct server *server, int64_t us)
{
    server->clock += us * US * SLOWER;
}

static void take_messages(struct run *run, struct server *server)
{
    struct gr_link *link;
    bool read[LOADED_NODES] = {false};
    while ((link = gr_list_take(&server->peers)) != NULL) {
        struct message *message = GR_CONTAINER(link, struct message, link);
        if (!read[message->peer])
            spend(server, SOCKET_US);
        read[message->peer] = true;
        spend(server, MESSAGE_US);
        struct gr_bytes body;
        size_t consumed;
        struct gr_arena arena = {0};
        struct gr_message decoded;
        enum gr_err err = gr_frame_split(message->frame, GR_FRAME_BYTES_MAX, &body, &consumed);
        gr_assert(err == GR_OK);
        err = gr_frame_decode(body, GR_FRAME_VERSION, &arena, &decoded);
        gr_assert(err == GR_OK);
        step(run, (struct gr_event){.type = GR_EVENT_MESSAGE,
                      .peer = (uint16_t)message->peer,
                      .message = &decoded,
                      .waited = {server->clock - message->arrived}});
        gr_arena_deinit(&arena);
        gr_hook_memory((void *)message->frame.data, 0);
        gr_hook_memory(message, 0);
    }
}

// Requests leave their sockets; what is over the bound is answered BUSY there and then.
static void take_requests(struct run *run, struct server *server)
{
    struct gr_link *link;
    bool read[CONNECTIONS] = {false};
    while ((link = gr_list_take(&server->clients)) != NULL) {
        struct request *request = GR_CONTAINER(link, struct request, link);
        if (!read[request->connection])
            spend(server, SOCKET_US);
        read[request->connection] = true;
        spend(server, REQUEST_US);
        if (server->waiting.count < LOADED_WAITING_MAX) {
            gr_list_append(&server->waiting, link);
            continue;
        }
        struct gr_result busy = {.ticket = (uint64_t)(request - run->request), .err = GR_ERR_BUSY};
        on_reply(run, &busy);
    }
    server->waiting_peak = GR_MAX(server->waiting_peak, server->waiting.count);
}

static void answer_page(struct run *run, struct gr_event *event)
{
    static struct gr_entry entry[GR_SLICE_RECORDS];
    for (int i = 0; i < GR_SLICE_RECORDS; i++)
        entry[i] = (struct gr_entry){.key = keys[gr_random_below(&run->random, KEYS)]};
    event->entry = entry;
    event->entry_count = GR_SLICE_RECORDS;
}

static bool is_late(const struct run *run, const struct server *server)
{
    return server->clock - run->now >= TURN_NS_MAX;
}

static void take_answers(struct run *run, struct server *server)
{
    for (int i = 0; server->answers.count > 0 && (i < EVENTS_MIN || !is_late(run, server)); i++) {
        struct answer *answer = GR_CONTAINER(gr_list_take(&server->answers), struct answer, link);
        struct gr_event event = {.type = answer->scan ? GR_EVENT_SCAN_DONE : GR_EVENT_READ_DONE,
            .ticket = answer->ticket,
            .cursor = GR_CURSOR_END};
        if (answer->due)
            answer_page(run, &event); // there is always something due
        else if (!answer->scan && answer->stored == NULL)
            event.status = GR_ERR_NOT_FOUND;
        else if (!answer->scan)
            event.record = answer->stored->record;
        step(run, event);
        gr_hook_memory(answer, 0);
    }
}

static void begin_requests(struct run *run, struct server *server)
{
    static const uint8_t value[VALUE_BYTES];
    while (server->waiting.count > 0 && !is_late(run, server)) {
        struct request *request =
            GR_CONTAINER(gr_list_take(&server->waiting), struct request, link);
        struct gr_request asked = {
            .ticket = (uint64_t)(request - run->request),
            .op = request->writes ? GR_OP_UPDATE : GR_OP_GET,
            .verb = GR_VERB_SET,
            .key = keys[request->key],
            .value = gr_bytes(value, request->writes ? VALUE_BYTES : 0),
        };
        step(run, (struct gr_event){.type = GR_EVENT_REQUEST,
                      .request = &asked,
                      .waited = {server->clock - request->issued - NET_US * US}});
        take_answers(run, server);
    }
}

// At the end of a turn: the disk begins to sync, and what was sent leaves.
static void end_turn(struct run *run, struct server *server, int n)
{
    if (!server->syncing && server->applied > server->synced) {
        server->syncing = true;
        push(run, (struct event){.at = server->clock + SYNC_US * US * SLOWER,
                      .kind = SYNC,
                      .node = n,
                      .number = server->applied});
    }
    struct gr_link *link;
    while ((link = gr_list_take(&server->sent)) != NULL) {
        struct message *message = GR_CONTAINER(link, struct message, link);
        push(run, (struct event){.at = server->clock + NET_US * US,
                      .kind = DELIVER,
                      .node = message->peer,
                      .peer = n,
                      .frame = message->frame});
        gr_hook_memory(message, 0);
    }
    struct gr_node_stats stats = gr_node_stats(server->node);
    server->memory_peak = GR_MAX(server->memory_peak, stats.memory);
}

static void turn(struct run *run, int n)
{
    struct server *server = &run->server[n];
    run->turning = n;
    server->clock = run->now;
    spend(server, TURN_US);
    take_messages(run, server);
    take_requests(run, server);
    if (server->synced > server->told) {
        server->told = server->synced;
        step(run, (struct gr_event){.type = GR_EVENT_SYNCED, .number = server->synced});
    }
    if (gr_instant_reached((struct gr_instant){server->clock}, gr_node_deadline(server->node)))
        step(run, (struct gr_event){.type = GR_EVENT_TICK});
    take_answers(run, server);
    begin_requests(run, server);
    end_turn(run, server, n);
    server->busy = true;
    push(run, (struct event){.at = server->clock, .kind = TURN_END, .node = n});
}

// ---- events ----------------------------------------------------------------------------------

static bool has_input(const struct server *server)
{
    return server->peers.count + server->clients.count > 0 ||
           server->waiting.count + server->answers.count > 0 || server->synced > server->told;
}

static void sleep_until_tick(struct run *run, struct server *server, int n)
{
    server->wake_at = GR_MAX(gr_node_deadline(server->node).ns, run->now);
    push(run, (struct event){.at = server->wake_at, .kind = WAKE, .node = n});
}

static void dispatch(struct run *run, struct event *event)
{
    struct server *server = &run->server[event->node];
    run->now = event->at;
    switch (event->kind) {
    case ARRIVE:
        gr_list_append(&server->clients, &run->request[event->number].link);
        if (run->rate > 0 && event->number + 1 == run->request_count)
            issue_next(run, run->request[event->number].issued);
        break;
    case DELIVER: {
        struct message *message = gr_hook_memory(NULL, sizeof *message);
        *message =
            (struct message){.arrived = run->now, .peer = event->peer, .frame = event->frame};
        gr_list_append(&server->peers, &message->link);
        break;
    }
    case SYNC:
        server->syncing = false;
        server->synced = event->number;
        break;
    case TURN_END:
        server->busy = false;
        if (!has_input(server))
            sleep_until_tick(run, server, event->node);
        break;
    case WAKE:
        if (event->at == server->wake_at && !server->busy)
            turn(run, event->node);
        return;
    }
    if (!server->busy && has_input(server))
        turn(run, event->node);
}

// ---- one level of load -----------------------------------------------------------------------

static void begin(struct run *run, uint64_t seed, enum gr_canary canary)
{
    struct gr_member member[LOADED_NODES] = {{.id = 0}};
    for (int i = 0; i < LOADED_NODES; i++)
        snprintf(member[i].name, sizeof member[i].name, "n%d", i);
    gr_ring_init(&run->ring, PARTITIONS, REPLICAS, member, LOADED_NODES);
    for (int k = 0; k < KEYS; k++) {
        snprintf(key_name[k], sizeof key_name[k], "key%d", k);
        keys[k] = gr_key_make(gr_bytes_text("default"), gr_bytes_text(key_name[k]));
    }
    for (int n = 0; n < LOADED_NODES; n++) {
        struct gr_node_config config = gr_node_config_default();
        config.self = (uint16_t)n;
        config.actor = (struct gr_actor){(uint64_t)n + 1, 1};
        config.run = (uint64_t)n + 1;
        config.seed = seed * LOADED_NODES + (uint64_t)n;
        config.ring = &run->ring;
        config.memory_max = LOADED_MEMORY_MAX;
        config.background.slice_rate_min = LOADED_SLICES_MIN;
        config.background.slice_rate_max = SLICES_MAX;
        config.exchange_interval = config.scrub_interval =
            (struct gr_span){0}; // no such store here
        config.canary = canary;
        run->server[n].node = gr_node_new(&config);
    }
    for (int n = 0; n < LOADED_NODES; n++) {
        run->turning = n;
        for (int m = 0; m < LOADED_NODES; m++)
            if (m != n)
                step(run, (struct gr_event){.type = GR_EVENT_LINK,
                              .peer = (uint16_t)m,
                              .up = true,
                              .run = (uint64_t)m + 1});
        run->server[n].busy = true;
        push(run, (struct event){.at = run->server[n].clock, .kind = TURN_END, .node = n});
    }
}

static void free_messages(struct gr_list *list)
{
    struct gr_link *link;
    while ((link = gr_list_take(list)) != NULL) {
        struct message *message = GR_CONTAINER(link, struct message, link);
        gr_hook_memory((void *)message->frame.data, 0);
        gr_hook_memory(message, 0);
    }
}

static void end(struct run *run)
{
    while (run->heap_count > 0) {
        struct event event = pop(run);
        gr_hook_memory((void *)event.frame.data, 0);
    }
    for (int n = 0; n < LOADED_NODES; n++) {
        struct server *server = &run->server[n];
        struct gr_link *link;
        while ((link = gr_list_take(&server->answers)) != NULL)
            gr_hook_memory(GR_CONTAINER(link, struct answer, link), 0);
        free_messages(&server->peers);
        free_messages(&server->sent);
        for (uint32_t b = 0; b < server->store.bucket_count; b++)
            while (server->store.bucket[b] != NULL) {
                struct stored *stored = GR_CONTAINER(server->store.bucket[b], struct stored, link);
                gr_map_remove(&server->store, &stored->link);
                gr_arena_deinit(&stored->key_arena);
                gr_arena_deinit(&stored->arena);
                gr_hook_memory(stored, 0);
            }
        gr_map_deinit(&server->store);
        gr_node_free(server->node);
    }
    gr_hook_memory(run->heap, 0);
    gr_ring_deinit(&run->ring);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

static void sum_up(struct run *run, struct loaded_level *level)
{
    for (uint64_t r = 0; r < run->request_count; r++) {
        level->unanswered += !run->request[r].answered;
        int64_t issued = run->request[r].issued;
        level->offered += issued >= run->from && issued < run->until;
    }
    for (int n = 0; n < LOADED_NODES; n++) {
        level->memory_peak = GR_MAX(level->memory_peak, run->server[n].memory_peak);
        level->waiting_peak = GR_MAX(level->waiting_peak, run->server[n].waiting_peak);
        const uint64_t *reached = gr_node_probes(run->server[n].node)->reached;
        level->again += reached[GR_PROBE_GET_HEDGED] + reached[GR_PROBE_PUT_SUBSTITUTE] +
                        reached[GR_PROBE_PUT_RUN_TWICE];
    }
    qsort(run->latency_us, run->latency_count, sizeof *run->latency_us, compare);
    if (run->latency_count > 0)
        level->p99_us = run->latency_us[run->latency_count - 1 - run->latency_count / 100];
}

struct loaded_level loaded_run(uint64_t seed, enum gr_canary canary, int percent, uint64_t capacity)
{
    struct loaded_level level = {.percent = percent};
    struct run *run = gr_hook_memory(NULL, sizeof *run);
    memset(run, 0, sizeof *run);
    run->level = &level;
    run->request = gr_hook_memory(NULL, REQUESTS_MAX * sizeof *run->request);
    run->latency_us = gr_hook_memory(NULL, LATENCIES_MAX * sizeof *run->latency_us);
    gr_random_init(&run->random, seed);
    gr_random_init(&run->arrivals, seed + 1);
    run->from = LOADED_WARM_MS * MS;
    run->until = (LOADED_WARM_MS + LOADED_MEASURED_MS) * MS;
    run->rate = capacity * (uint64_t)percent / 100;
    begin(run, seed, canary);
    if (percent == 0)
        for (int i = 0; i < CLOSED * LOADED_NODES; i++)
            issue(run, i % LOADED_NODES, i * US);
    else
        issue_next(run, 0);
    while (run->heap_count > 0 && run->heap[1].at < run->until + DRAIN_MS * MS) {
        struct event event = pop(run);
        dispatch(run, &event);
    }
    sum_up(run, &level);
    end(run);
    gr_hook_memory(run->request, 0);
    gr_hook_memory(run->latency_us, 0);
    gr_hook_memory(run, 0);
    return level;
}
