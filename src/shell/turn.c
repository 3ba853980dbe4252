// The turn of the loop: take what is ready, step each, commit once, flush each once (DESIGN.md §2).
//
// libuv calls this file twice around each wait: after it (check), when sockets, threads and timers
// have left their marks, and before it (prepare), because timers fire there. Bytes that arrive are
// stepped where they arrive; whatever those steps wrote lies in one batch when the turn begins.
//
//      +-> commit -> events of the store, ticks, deferred requests -> any? -+
//      |                                                                    |
//      +-------------------------- yes -------------------------------------+
//      |                           no: flush all, tell the sessions -> any new step? yes: again
//      stalled: leave; the storage's timer turns the loop again
//
//   I1  Nothing leaves for a peer or a client before the writes of every step so far are applied.
//   I2  A step is never begun inside a step: a request that a session submits while it takes a
//       result in is copied and stepped afterwards.
//   I3  While a batch waits for the store nothing is stepped, read or sent.
//   I4  Under overload work that is already paid for goes first: a request that comes when the loop
//       is late, or when others wait, waits too; peers' messages, which are stepped as they are
//       read, and what the store has done do not wait for it. How long it waited is told (N6 of
//       core/node.c), counted from the earliest moment at which its bytes can have come.
//
// Bounds: ROUNDS_MAX rounds and about TURN_NS in one turn, so that a client with a long pipeline or
// large values does not keep the others from their sockets; requests_max deferred requests, which
// take at most memory_max (over it: BUSY).
#include <time.h>

#include "shell/inside.h"
#include "shell/log.h"

enum {
    ROUNDS_MAX = 16,
    TURN_NS = 10 * 1000000,
    EVENTS_MIN = 8,
    LOOP_TIME_NS = 1000000, // the grain of uv_now
};

struct deferred {
    struct gr_link link;
    struct gr_instant arrived;
    struct gr_arena arena;
    struct gr_request request;
};

static struct gr_instant instant_now(void)
{
    return (struct gr_instant){(int64_t)uv_hrtime()};
}

static struct gr_wall wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct gr_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

// ---- effects ---------------------------------------------------------------------------------

static void emit(void *host, const struct gr_effect *effect)
{
    struct gr_server *server = host;
    switch (effect->type) {
    case GR_EFFECT_SEND:
        gr_links_send(server, effect->peer, effect->message);
        return;
    case GR_EFFECT_WRITE:
        gr_storage_write(server->storage, effect->write);
        return;
    case GR_EFFECT_READ:
        gr_storage_read(server->storage, effect->ticket, &effect->key, effect->bare);
        return;
    case GR_EFFECT_SCAN:
        gr_storage_scan(server->storage, effect);
        return;
    case GR_EFFECT_REPLY:
        gr_clients_result(server, effect->result);
        return;
    case GR_EFFECT_ACKED:
        gr_clients_acked(server, effect->ticket, effect->acks, effect->durable);
        return;
    case GR_EFFECT_HOLDS:
        gr_roster_holds(server, effect->holds);
        return;
    case GR_EFFECT_LOG:
        gr_log(GR_LOG_WARN, "node: %s (partition %u)", effect->text, effect->partition);
        return;
    }
    gr_unreachable("type of effect");
}

static struct gr_instant loop_time(const struct gr_server *server)
{
    return (struct gr_instant){(int64_t)uv_now(&server->loop) * 1000000};
}

// The earliest moment at which what is being read can have come. After a wait it came just now.
// Without one, it may have come as soon as the sockets were last looked at.
static struct gr_instant arrival(const struct gr_server *server)
{
    const struct gr_turn_state *turn = &server->turn;
    struct gr_instant woken = loop_time(server);
    bool waited = woken.ns > turn->asleep.ns + LOOP_TIME_NS;
    return waited || turn->woken.ns == 0 ? woken : turn->woken;
}

static void step(struct gr_server *server, struct gr_event *event, struct gr_instant arrived)
{
    struct gr_turn_state *turn = &server->turn;
    gr_assert(!turn->stepping && !turn->stalled);
    struct gr_sink sink = {emit, server};
    event->now = instant_now();
    event->wall = wall_now();
    event->waited.ns = GR_MAX(event->now.ns - arrived.ns, 0);
    turn->stepping = true;
    gr_node_step(server->node, event, &sink);
    turn->stepping = false;
    turn->steps++;
}

void gr_turn_step(struct gr_server *server, struct gr_event *event)
{
    bool reads = event->type == GR_EVENT_MESSAGE;
    step(server, event, reads ? arrival(server) : GR_NEVER);
}

// ---- requests --------------------------------------------------------------------------------

static bool is_late(const struct gr_server *server)
{
    struct gr_instant since = server->turn.inside ? server->turn.began : loop_time(server);
    return instant_now().ns - since.ns > TURN_NS;
}

static void step_request(
    struct gr_server *server, const struct gr_request *request, struct gr_instant arrived)
{
    struct gr_event event = {.type = GR_EVENT_REQUEST, .request = request};
    step(server, &event, arrived);
}

static size_t bytes_of(const struct gr_request *request)
{
    const struct gr_context *context = &request->context;
    return sizeof(struct deferred) + request->key.key.size + request->key.bucket.size +
           request->value.size + (context->vv_count + context->cloud_count) * sizeof(struct gr_dot);
}

// Too much waits: nothing is taken, and the client is told so at once.
static void refuse(struct gr_server *server, const struct gr_request *request)
{
    struct gr_result busy = {.ticket = request->ticket,
        .op = request->op,
        .outcome = GR_REJECTED,
        .err = GR_ERR_BUSY,
        .now = wall_now()};
    server->turn.refused++;
    gr_clients_result(server, &busy);
}

void gr_turn_submit(struct gr_server *server, const struct gr_request *request)
{
    gr_assert(server->node != NULL);
    struct gr_turn_state *turn = &server->turn;
    // What comes of an answer is new; what is read from a socket may be old.
    struct gr_instant arrived = turn->inside || turn->stepping ? instant_now() : arrival(server);
    // What was deferred first is stepped first.
    if (!turn->stepping && !turn->stalled && turn->deferred.count == 0 && !is_late(server)) {
        step_request(server, request, arrived);
        return;
    }
    const struct gr_node_config *config = gr_node_config(server->node);
    if (turn->deferred.count >= config->calls_max ||
        turn->deferred_bytes + bytes_of(request) > config->memory_max) {
        refuse(server, request);
        return;
    }
    struct deferred *deferred = gr_hook_memory(NULL, sizeof(*deferred));
    *deferred = (struct deferred){.request = *request, .arrived = arrived};
    struct gr_arena *arena = &deferred->arena;
    deferred->request.key = gr_key_copy(arena, &request->key);
    deferred->request.value = gr_arena_copy(arena, request->value);
    deferred->request.context = gr_context_copy(arena, &request->context);
    gr_list_append(&turn->deferred, &deferred->link);
    turn->deferred_bytes += bytes_of(request);
}

static void deferred_free(struct deferred *deferred)
{
    gr_arena_deinit(&deferred->arena);
    gr_hook_memory(deferred, 0);
}

// Some at least, then until it is late: the rest waits for the next turn, behind what comes
// meanwhile from peers and store. True if there was one.
static bool step_deferred(struct gr_server *server)
{
    struct gr_turn_state *turn = &server->turn;
    uint32_t count = turn->deferred.count, i = 0;
    for (; i < count && (i < EVENTS_MIN || !is_late(server)); i++) {
        struct gr_link *link = gr_list_take(&turn->deferred);
        struct deferred *deferred = GR_CONTAINER(link, struct deferred, link);
        turn->deferred_bytes -= bytes_of(&deferred->request);
        step_request(server, &deferred->request, deferred->arrived);
        deferred_free(deferred);
    }
    return i > 0;
}

bool gr_turn_ask(struct gr_server *server, const struct gr_repair_ask *ask)
{
    struct gr_turn_state *turn = &server->turn;
    if (turn->ask_count == GR_TURN_ASKS_MAX)
        return false;
    turn->ask[turn->ask_count++] = *ask; // I2
    return true;
}

static bool step_asks(struct gr_server *server)
{
    struct gr_turn_state *turn = &server->turn;
    bool any = turn->ask_count > 0;
    for (uint32_t i = 0; i < turn->ask_count; i++) {
        struct gr_event event = {.type = GR_EVENT_REPAIR, .repair = turn->ask[i]};
        gr_turn_step(server, &event);
    }
    turn->ask_count = 0;
    return any;
}

void gr_turn_end(struct gr_server *server)
{
    server->turn.ask_count = 0;
    for (struct gr_link *link; (link = gr_list_take(&server->turn.deferred)) != NULL;)
        deferred_free(GR_CONTAINER(link, struct deferred, link));
    server->turn.deferred_bytes = 0;
    server->turn.stalled = false;
    server->turn.armed = GR_NEVER;
    uv_timer_stop(&server->turn.tick);
}

// ---- the turn --------------------------------------------------------------------------------

// Steps what is ready now, until it is late. True if anything was.
static bool step_ready(struct gr_server *server)
{
    bool any = gr_links_tell(server);
    any |= gr_roster_settle(server);
    struct gr_instant deadline = gr_node_deadline(server->node);
    if (deadline.ns != GR_NEVER.ns && gr_instant_reached(instant_now(), deadline)) {
        struct gr_event tick = {.type = GR_EVENT_TICK};
        gr_turn_step(server, &tick);
        any = true;
    }
    struct gr_event event;
    // A few at least, however long the commit took: what must happen must not starve.
    for (int i = 0;
         (i < EVENTS_MIN || !is_late(server)) && gr_storage_next(server->storage, &event); i++) {
        gr_turn_step(server, &event);
        any = true;
    }
    any |= step_asks(server);
    any |= step_deferred(server);
    if (gr_storage_failed(server->storage) != GR_OK && !server->run_ending)
        gr_server_run_failed(server);
    return any;
}

static void set_stalled(struct gr_server *server, bool stalled)
{
    if (server->turn.stalled == stalled)
        return;
    server->turn.stalled = stalled;
    gr_links_pause(server, stalled);
    gr_clients_pause(server, stalled);
}

// Commits and steps until nothing is ready: false when the store stalls. Leaves after ROUNDS_MAX
// rounds, or when it is late, with everything committed.
static bool settle(struct gr_server *server, uint32_t *rounds)
{
    for (;;) {
        if (!gr_storage_commit(server->storage)) {
            set_stalled(server, true);
            return false;
        }
        set_stalled(server, false);
        if (*rounds >= ROUNDS_MAX || (*rounds > 0 && is_late(server))) {
            uv_async_send(&server->turn.again);
            return true;
        }
        if (!step_ready(server))
            return true;
        ++*rounds;
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    server->turn.armed = GR_NEVER; // The turn that follows ticks and sets it again.
}

static void arm_tick(struct gr_server *server)
{
    struct gr_instant deadline = gr_node_deadline(server->node);
    if (deadline.ns == server->turn.armed.ns)
        return;
    server->turn.armed = deadline;
    if (deadline.ns == GR_NEVER.ns) {
        uv_timer_stop(&server->turn.tick);
        return;
    }
    int64_t away = deadline.ns - instant_now().ns;
    // Rounded up: a tick that comes too early would only come again.
    uint64_t ms = away > 0 ? (uint64_t)(away / 1000000) + 1 : 0;
    uv_timer_start(&server->turn.tick, on_tick, ms, 0);
}

void gr_turn(struct gr_server *server)
{
    struct gr_turn_state *turn = &server->turn;
    if (turn->inside)
        return;
    turn->inside = true;
    if (server->node == NULL) {
        // Between two runs sessions answer what needs no node, and LOADING; before the first one
        // members may be talked to.
        (void)gr_roster_settle(server);
        gr_links_flush(server);
        for (int i = 0; i < ROUNDS_MAX && gr_clients_flush(server); i++)
            continue;
        turn->inside = false;
        return;
    }
    turn->turns++;
    turn->began = instant_now();
    uint32_t rounds = 0;
    bool more = true;
    while (more && settle(server, &rounds)) {
        uint64_t steps = turn->steps;
        gr_links_flush(server);
        more = gr_clients_flush(server);
        more |= turn->steps != steps || turn->deferred.count > 0 || turn->ask_count > 0;
        if (more && (++rounds >= ROUNDS_MAX || is_late(server))) {
            uv_async_send(&turn->again);
            break;
        }
    }
    if (!turn->stalled)
        arm_tick(server);
    turn->inside = false;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct gr_server *server = prepare->data;
    gr_turn(server);
    server->turn.asleep = instant_now();
}

static void on_check(uv_check_t *check)
{
    struct gr_server *server = check->data;
    server->turn.woken = loop_time(server);
    gr_turn(server);
}

static void on_again(uv_async_t *async)
{
    (void)async;
}

void gr_turn_init(struct gr_server *server)
{
    struct gr_turn_state *turn = &server->turn;
    gr_assert(uv_prepare_init(&server->loop, &turn->prepare) == 0);
    gr_assert(uv_check_init(&server->loop, &turn->check) == 0);
    gr_assert(uv_timer_init(&server->loop, &turn->tick) == 0);
    gr_assert(uv_async_init(&server->loop, &turn->again, on_again) == 0);
    turn->prepare.data = turn->check.data = turn->tick.data = server;
    turn->armed = GR_NEVER;
    uv_prepare_start(&turn->prepare, on_prepare);
    uv_check_start(&turn->check, on_check);
}

void gr_turn_close(struct gr_server *server)
{
    uv_close((uv_handle_t *)&server->turn.prepare, NULL);
    uv_close((uv_handle_t *)&server->turn.check, NULL);
    uv_close((uv_handle_t *)&server->turn.tick, NULL);
    uv_close((uv_handle_t *)&server->turn.again, NULL);
}
