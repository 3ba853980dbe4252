// The node: takes one event, hands it to the chapter it belongs to, and lets effects out (§4).
//
// Everything a node is stands in struct gr_node; everything it learns comes in an event, and
// everything it does goes out as an effect. Time is what the last event said, randomness is a
// seeded generator, so the same events give the same effects, always.
//
//   N1  Exactly one REPLY for each client request, whatever happens after.
//   N2  A call is found by id only; an answer to a call that is gone, or of an earlier run, is
//       dropped: ids of two runs do not meet.
//   N3  Hybrid time never goes back, and does not follow a peer that is more than 60 s ahead.
//   N4  BUSY is said before memory is taken.
//   N5  What was said to an earlier run of this node is dropped: a put would be coordinated by
//       both.
//   N6  A deadline counts from the arrival at this host, not from the step. A request that waited
//       longer than queue_wait_max, or half its timeout, is BUSY at once: begun so late it would
//       take from those that can still be answered, and perhaps be answered to nobody.
//
// Owns: the node owns all calls, keyops, latches and clocks. Bounds: gr_node_config.
#include "core/entropy.h"

enum { TIME_AHEAD_MS_MAX = 60000 };

struct gr_node_config gr_node_config_default(void)
{
    return (struct gr_node_config){
        .r = 2,
        .w = 2,
        .value_max = GR_VALUE_BYTES_MAX,
        .siblings_max = GR_SIBLINGS_MAX,
        .read_timeout = gr_span_ms(500),
        .write_timeout = gr_span_ms(2000),
        .calls_max = 16384,
        .memory_max = 256u << 20,
        .latch_queue_max = 1024,
        .header_bytes_max = (size_t)128 << 20,
        .exchange_interval = gr_span_ms(10000),
        .exchange_grace = gr_span_ms(10000),
        .scrub_interval = gr_span_ms(24 * 3600 * 1000),
        .hint_bytes_max = 1u << 30,
        .queue_wait_max = gr_span_ms(250),
        .background = gr_throttle_config_default(),
    };
}

// ---- effects and time ----------------------------------------------------------------------

uint64_t gr_node_id(struct gr_node *node)
{
    return ++node->ids;
}

struct gr_request_id gr_node_request_id(struct gr_node *node, struct gr_request_id given)
{
    bool none = given.run == 0 && given.number == 0;
    return none ? (struct gr_request_id){node->run, ++node->requests} : given;
}

void gr_node_emit(struct gr_node *node, const struct gr_effect *effect)
{
    node->sink->emit(node->sink->host, effect);
}

bool gr_node_send(struct gr_node *node, uint16_t peer, struct gr_message *message)
{
    gr_assert(peer < node->ring->member_count && peer != node->config.self);
    struct gr_peer *to = &node->peer[peer];
    if (!gr_peer_hears(to, gr_message_says(message))) // L3 of peer.c
        return false;
    gr_repair_count(node, message, true);
    message->run = node->config.run;
    message->to = to->run;
    message->sequence = ++to->sequence;
    message->hybrid = node->hybrid;
    gr_node_emit(
        node, &(struct gr_effect){.type = GR_EFFECT_SEND, .peer = peer, .message = message});
    return true;
}

void gr_node_log(struct gr_node *node, const char *text)
{
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_LOG, .text = text});
}

gr_hybrid gr_node_hybrid(struct gr_node *node, gr_hybrid floor)
{
    node->hybrid = GR_MAX(node->hybrid + 1, gr_hybrid_from(node->wall));
    // A floor far ahead is exceeded for this write alone: the node's own time does not follow it.
    if (node->hybrid > floor)
        return node->hybrid;
    if (gr_hybrid_ms(floor) <= node->wall.ms + TIME_AHEAD_MS_MAX)
        node->hybrid = floor + 1;
    return floor + 1;
}

static void adopt_hybrid(struct gr_node *node, gr_hybrid hybrid)
{
    if (gr_hybrid_ms(hybrid) > node->wall.ms + TIME_AHEAD_MS_MAX)
        gr_probe(&node->probes, GR_PROBE_PEER_TIME_AHEAD);
    else
        node->hybrid = GR_MAX(node->hybrid, hybrid);
}

bool gr_node_has_room(const struct gr_node *node, size_t bytes)
{
    return node->call_count < node->config.calls_max &&
           node->memory + bytes <= node->config.memory_max;
}

int gr_node_next_fallback(struct gr_node *node, uint32_t partition, int after, bool self)
{
    if (node->ring->member_count == node->ring->n)
        return -1;
    bool *usable = gr_arena_array(&node->scratch, bool, node->ring->member_count);
    for (uint16_t m = 0; m < node->ring->member_count; m++)
        usable[m] = m == node->config.self ? self && node->store == GR_OK : node->peer[m].up;
    struct gr_preference list = gr_holder_list(node, partition);
    for (uint8_t i = 0; i < list.n; i++)
        usable[list.voter[i]] = false; // it has a vote of its own
    return gr_ring_next_fallback(node->ring, partition, after, usable);
}

uint32_t gr_node_remaining_ms(const struct gr_node *node, struct gr_instant deadline)
{
    int64_t ms = (deadline.ns - node->now.ns) / 1000000;
    return (uint32_t)GR_MIN(GR_MAX(ms, 0), 3600000);
}

// ---- calls ---------------------------------------------------------------------------------

void *gr_call_new(struct gr_node *node, enum gr_call_kind kind, size_t bytes,
    const struct gr_done *done, struct gr_span timeout)
{
    struct gr_call *call = gr_hook_memory(NULL, bytes);
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)call)[i] = 0;
    call->kind = kind;
    call->id = gr_node_id(node);
    call->done = *done;
    call->deadline = gr_instant_after(node->arrived, timeout);
    call->timer.kind = GR_TIMER_CALL;
    gr_map_insert(&node->calls, &call->by_id, call->id);
    node->call_count++;
    return call;
}

void *gr_call_find(struct gr_node *node, enum gr_call_kind kind, uint64_t id)
{
    struct gr_map_link *link = gr_map_first(&node->calls, id);
    if (link == NULL)
        return NULL;
    struct gr_call *call = GR_CONTAINER(link, struct gr_call, by_id);
    return call->kind == kind ? call : NULL;
}

void gr_call_account(struct gr_node *node, struct gr_call *call)
{
    node->memory += call->arena.bytes - call->accounted;
    call->accounted = call->arena.bytes;
}

struct gr_span gr_call_waited(
    const struct gr_node *node, const struct gr_call *call, struct gr_span timeout)
{
    return gr_instant_reached(node->now, call->deadline) ? timeout : (struct gr_span){0};
}

void gr_call_late(struct gr_node *node, struct gr_call *call)
{
    gr_assert(!call->late.in && node->call_count > 0);
    node->call_count--;
    gr_list_append(&node->late, &call->late);
    if (node->late.count > node->config.calls_max)
        gr_call_free(node, GR_CONTAINER(node->late.first, struct gr_call, late));
}

void gr_call_free(struct gr_node *node, struct gr_call *call)
{
    if (call->late.in)
        gr_list_remove(&node->late, &call->late);
    else
        node->call_count--;
    gr_timer_stop(&node->timers, &call->timer);
    gr_map_remove(&node->calls, &call->by_id);
    node->memory -= call->accounted;
    gr_arena_deinit(&call->arena);
    gr_hook_memory(call, 0);
}

// ---- events --------------------------------------------------------------------------------

static bool is_write(const struct gr_request *request)
{
    return request->op == GR_OP_PUT || request->op == GR_OP_UPDATE;
}

// N6: refuses a request that has waited too long. Cheap: overload is when this happens most.
static bool refuse_late(struct gr_node *node, const struct gr_request *request)
{
    int64_t waited_ns = node->now.ns - node->arrived.ns;
    struct gr_span timeout = request->timeout;
    if (timeout.ns <= 0)
        timeout = is_write(request) ? node->config.write_timeout : node->config.read_timeout;
    // One bound for all that have time enough, or only those that may wait longest would be served.
    int64_t most_ns = GR_MIN(node->config.queue_wait_max.ns, timeout.ns / 2);
    if (waited_ns <= most_ns || node->config.canary == GR_CANARY_LATE_REQUEST)
        return false;
    gr_probe(&node->probes, GR_PROBE_REQUEST_LATE);
    node->stats.late++;
    struct gr_done done = gr_node_done(node, request);
    struct gr_result busy = {
        .outcome = GR_REJECTED, .err = GR_ERR_BUSY, .timeout = timeout, .now = node->wall};
    gr_done_tell(node, &done, &busy, true);
    return true;
}

static void on_request(struct gr_node *node, const struct gr_request *asked)
{
    if (refuse_late(node, asked))
        return;
    struct gr_request request = *asked;
    request.r = request.r != 0 ? request.r : node->config.r;
    request.w = request.w != 0 ? request.w : node->config.w;
    struct gr_done done = gr_node_done(node, &request);
    bool timed = request.timeout.ns > 0;
    struct gr_get_options options = {
        .r = request.r,
        .pr = request.pr,
        .explain = request.op == GR_OP_EXPLAIN,
        .timeout = timed ? request.timeout : node->config.read_timeout,
    };
    switch (request.op) {
    case GR_OP_GET:
    case GR_OP_EXPLAIN:
        gr_get_start(node, &done, &request.key, &options);
        break;
    case GR_OP_PUT: {
        struct gr_request_id id = gr_node_request_id(node, request.id);
        struct gr_write write = {
            .id = id,
            .origin = {gr_node_hybrid(node, 0), id},
            .expires = request.expires,
            .remove = request.remove,
            .value = request.value,
            .context = request.context,
            .w = request.w,
            .pw = request.pw,
            .dw = request.dw,
        };
        gr_put_start(node, &done, &request.key, &write,
            timed ? request.timeout : node->config.write_timeout, false);
        break;
    }
    case GR_OP_UPDATE:
        gr_update_start(node, &request);
        break;
    case GR_OP_SCAN:
        gr_scan_start(node, &request);
        break;
    case GR_OP_COUNT:
        gr_count_start(node, &request);
        break;
    }
}

static void on_forward(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_done done = {.kind = GR_DONE_PEER, .peer = peer, .call = message->id};
    struct gr_write write = message->write;
    if (gr_instant_reached(
            node->now, gr_instant_after(node->arrived, gr_span_ms(message->deadline_ms)))) {
        gr_probe(&node->probes, GR_PROBE_MESSAGE_LATE);
        return; // nobody waits any more
    }
    gr_put_start(node, &done, &message->key, &write, gr_span_ms(message->deadline_ms), true);
}

static void on_answer(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_map_link *link = gr_map_first(&node->calls, message->id);
    if (link == NULL) {
        (void)gr_exchange_on_message(node, peer, message);
        return;
    }
    struct gr_call *call = GR_CONTAINER(link, struct gr_call, by_id);
    bool of_put = message->type == GR_MSG_ACK || message->type == GR_MSG_FORWARDED ||
                  message->type == GR_MSG_ACKED;
    if (of_put && call->kind == GR_CALL_PUT)
        gr_put_on_message(node, call, peer, message);
    else if (message->type == GR_MSG_ACK && call->kind == GR_CALL_HINT)
        gr_hint_on_ack(node, call, message);
    else if (message->type == GR_MSG_STATE && call->kind == GR_CALL_GET)
        gr_get_on_state(node, call, peer, message->status, &message->record);
    else if (message->type == GR_MSG_PAGE && call->kind == GR_CALL_SCAN)
        gr_scan_on_page(node, call, peer, message);
    else if (message->type == GR_MSG_COUNTED && call->kind == GR_CALL_COUNT)
        gr_count_on_counted(node, call, peer, message);
}

static void on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    // N5: the run that this was said to may have taken it already, and this one cannot know.
    if (message->to != node->config.run && node->config.canary != GR_CANARY_ANY_RUN) {
        gr_probe(&node->probes, GR_PROBE_PEER_OTHER_RUN);
        return;
    }
    if (!gr_peer_accept(&node->peer[peer], message->run, message->sequence) &&
        node->config.canary != GR_CANARY_NO_DEDUPE)
        return;
    adopt_hybrid(node, message->hybrid);
    gr_repair_count(node, message, false);
    switch (message->type) {
    case GR_MSG_FORWARD:
        on_forward(node, peer, message);
        break;
    case GR_MSG_DELTA:
    case GR_MSG_READ:
        if (message->owed_to != 0) {
            gr_hint_on_message(node, peer, message);
            break;
        }
        gr_replica_on_message(node, peer, message);
        break;
    case GR_MSG_REPAIR:
        gr_replica_on_message(node, peer, message);
        break;
    case GR_MSG_WITNESS:
        gr_witness_call(node, &message->key, gr_ring_find(node->ring, message->member));
        break;
    case GR_MSG_SCAN:
    case GR_MSG_COUNT:
        gr_scan_on_message(node, peer, message);
        break;
    case GR_MSG_FORWARDED:
    case GR_MSG_ACKED:
    case GR_MSG_ACK:
    case GR_MSG_STATE:
    case GR_MSG_PAGE:
    case GR_MSG_COUNTED:
        on_answer(node, peer, message);
        break;
    case GR_MSG_PROBE:
    case GR_MSG_PROBED:
    case GR_MSG_COVER:
    case GR_MSG_COVERED:
        gr_round_on_message(node, peer, message);
        break;
    case GR_MSG_BEGIN:
    case GR_MSG_BRANCH:
    case GR_MSG_WALK:
    case GR_MSG_OFFER:
    case GR_MSG_JOIN:
        gr_serve_on_message(node, peer, message);
        break;
    case GR_MSG_BEGUN:
    case GR_MSG_LEAVES:
    case GR_MSG_TAKEN:
    case GR_MSG_JOINED:
        (void)gr_exchange_on_message(node, peer, message);
        break;
    case GR_MSG_TYPE_COUNT:
        break;
    }
}

static void call_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    switch (call->kind) {
    case GR_CALL_PUT:
        gr_put_on_link_down(node, call, peer);
        break;
    case GR_CALL_GET:
        gr_get_on_link_down(node, call, peer);
        break;
    case GR_CALL_SCAN:
        gr_scan_on_link_down(node, call, peer);
        break;
    case GR_CALL_COUNT:
        gr_count_on_link_down(node, call, peer);
        break;
    case GR_CALL_HINT:
        gr_hint_on_link_down(node, call, peer);
        break;
    case GR_CALL_UPDATE:
        break; // its get or its put notices
    }
}

static void on_link(struct gr_node *node, uint16_t peer, bool up, uint64_t run, uint8_t unspoken)
{
    gr_assert(peer < node->ring->member_count && peer != node->config.self);
    node->peer[peer].up = up;
    if (up)
        gr_peer_link(
            &node->peer[peer], run, node->config.canary == GR_CANARY_UNSPOKEN ? 0 : unspoken);
    gr_exchange_on_link(node, peer, up);
    gr_serve_on_link_down(node, peer);
    if (up) {
        gr_hint_on_link(node, peer);
        gr_transfer_soon(node);
        return;
    }
    gr_round_on_link_down(node, peer);
    gr_leave_on_link_down(node, peer);
    // Calls need not wait for their timers. Ids are collected first: answering changes the map.
    uint64_t *id = gr_arena_array(&node->scratch, uint64_t, node->calls.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->calls.bucket_count; i++)
        for (struct gr_map_link *link = node->calls.bucket[i]; link != NULL; link = link->next)
            id[count++] = link->hash;
    for (uint32_t i = 0; i < count; i++) {
        struct gr_map_link *link = gr_map_first(&node->calls, id[i]);
        if (link != NULL)
            call_link_down(node, GR_CONTAINER(link, struct gr_call, by_id), peer);
    }
}

static void call_timer(struct gr_node *node, struct gr_call *call)
{
    switch (call->kind) {
    case GR_CALL_PUT:
        gr_put_timer(node, call);
        break;
    case GR_CALL_GET:
        gr_get_timer(node, call);
        break;
    case GR_CALL_SCAN:
        gr_scan_timer(node, call);
        break;
    case GR_CALL_COUNT:
        gr_count_timer(node, call);
        break;
    case GR_CALL_HINT:
        gr_hint_failed(node, call);
        break;
    case GR_CALL_UPDATE:
        gr_unreachable("an update waits for its get and its put, which have timers");
    }
}

static void on_timer(struct gr_node *node, struct gr_timer *timer)
{
    if (timer->kind == GR_TIMER_SWEEP)
        gr_sweep_timer(node);
    else if (timer->kind == GR_TIMER_DEBT)
        gr_hint_timer(node, timer);
    else if (timer->kind == GR_TIMER_PASS)
        gr_pass_timer(node);
    else if (timer->kind == GR_TIMER_ROUND)
        gr_round_timer(node);
    else if (timer->kind == GR_TIMER_EXCHANGE)
        gr_exchange_timer(node);
    else if (timer->kind == GR_TIMER_OFFERS)
        gr_serve_timer(node);
    else if (timer->kind == GR_TIMER_REPAIR)
        gr_repair_timer(node);
    else if (timer->kind == GR_TIMER_TRANSFER)
        gr_transfer_timer(node);
    else if (timer->kind == GR_TIMER_LEAVE)
        gr_leave_timer(node);
    else if (timer->kind == GR_TIMER_DROP)
        gr_drop_timer(node);
    else
        call_timer(node, GR_CONTAINER(timer, struct gr_call, timer));
}

void gr_node_step(struct gr_node *node, const struct gr_event *event, struct gr_sink *sink)
{
    gr_assert(event->now.ns >= node->now.ns && event->waited.ns >= 0);
    node->sink = sink;
    node->now = event->now;
    node->arrived = (struct gr_instant){event->now.ns - event->waited.ns};
    node->wall = event->wall;
    gr_arena_clear(&node->scratch);
    switch (event->type) {
    case GR_EVENT_TICK:
        break;
    case GR_EVENT_REQUEST:
        on_request(node, event->request);
        break;
    case GR_EVENT_MESSAGE:
        on_message(node, event->peer, event->message);
        break;
    case GR_EVENT_READ_DONE:
        gr_replica_on_read(node, event);
        break;
    case GR_EVENT_SCAN_DONE:
        if (!gr_sweep_on_done(node, event) && !gr_scan_on_done(node, event) &&
            !gr_hint_on_done(node, event))
            gr_unreachable("a scan's ticket is known until it is answered");
        break;
    case GR_EVENT_APPLIED:
        gr_replica_on_applied(node, event->number);
        break;
    case GR_EVENT_SYNCED:
        gr_replica_on_synced(node, event->number);
        break;
    case GR_EVENT_LINK:
        on_link(node, event->peer, event->up, event->run, event->unspoken);
        break;
    case GR_EVENT_STORE:
        node->store = event->status;
        if (gr_err_info(event->status)->class == GR_CLASS_OURS ||
            gr_err_info(event->status)->class == GR_CLASS_CORRUPTION)
            gr_latches_forget(node);
        break;
    case GR_EVENT_REPAIR:
        gr_repair_on_ask(node, &event->repair);
        break;
    case GR_EVENT_RING:
        gr_adopt_ring(node, event->ring);
        break;
    case GR_EVENT_HOLDS:
        gr_holder_on_holds(node, event);
        break;
    case GR_EVENT_AGREED:
        gr_adopt_agreed(node, event);
        break;
    }
    node->arrived = node->now;
    struct gr_timer *timer;
    while ((timer = gr_timers_take(&node->timers, node->now)) != NULL)
        on_timer(node, timer);
    node->sink = NULL;
}

struct gr_instant gr_node_deadline(const struct gr_node *node)
{
    return gr_timers_next(&node->timers);
}

// ---- beginning and end ---------------------------------------------------------------------

struct gr_node *gr_node_new(const struct gr_node_config *config)
{
    const struct gr_ring *ring = config->ring;
    gr_assert(config->self < ring->member_count);
    gr_assert(config->latch_queue_max >= 1 && config->calls_max >= 1);
    gr_assert(gr_quorum_fits(config->r, ring->n) && gr_quorum_fits(config->w, ring->n));
    struct gr_node *node = gr_hook_memory(NULL, sizeof *node);
    *node = (struct gr_node){.config = *config, .ring = ring};
    gr_random_init(&node->random, config->seed);
    node->run = gr_random_next(&node->random);
    node->partition = gr_hook_memory(NULL, ring->partitions * sizeof *node->partition);
    for (uint32_t p = 0; p < ring->partitions; p++)
        node->partition[p] = (struct gr_partition){0};
    gr_holder_init(node);
    gr_site_on_ring(node);
    gr_throttle_init(&node->throttle, &config->background);
    node->sweep_timer.kind = GR_TIMER_SWEEP;
    gr_sweep_init(node);
    gr_entropy_init(node);
    // An answer to a call of the run before may come over the new link: its id must name no call.
    node->ids = gr_random_next(&node->random) >> 8;
    return node;
}

void gr_node_free(struct gr_node *node)
{
    for (uint32_t i = 0; i < node->calls.bucket_count; i++)
        while (node->calls.bucket[i] != NULL)
            gr_call_free(node, GR_CONTAINER(node->calls.bucket[i], struct gr_call, by_id));
    gr_replica_deinit(node);
    gr_damage_deinit(node);
    gr_entropy_deinit(node);
    gr_scan_free(node);
    gr_hint_deinit(node);
    gr_spare_deinit(node);
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        gr_clock_deinit(&node->partition[p].clock);
        gr_hook_memory(node->partition[p].awaited, 0);
    }
    gr_map_deinit(&node->calls);
    gr_timers_deinit(&node->timers);
    gr_arena_deinit(&node->scratch);
    gr_arena_deinit(&node->sweep_arena);
    gr_holder_deinit(node);
    gr_hook_memory(node->partition, 0);
    gr_hook_memory(node->peer, 0);
    gr_hook_memory(node, 0);
}

// ---- looking -------------------------------------------------------------------------------

struct gr_probes *gr_node_probes(struct gr_node *node)
{
    return &node->probes;
}

const struct gr_node_config *gr_node_config(const struct gr_node *node)
{
    return &node->config;
}

const struct gr_clock *gr_node_clock(const struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    return &node->partition[partition].clock;
}

int64_t gr_node_count(const struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    return node->partition[partition].count;
}

uint64_t gr_node_run_seen(const struct gr_node *node, uint64_t store)
{
    uint64_t seen = 0;
    for (uint32_t p = 0; p < node->ring->partitions; p++)
        seen = GR_MAX(seen, gr_clock_last_run(&node->partition[p].clock, store));
    return seen;
}

bool gr_node_peer_up(const struct gr_node *node, uint16_t peer)
{
    gr_assert(peer < node->ring->member_count);
    return peer == node->config.self || node->peer[peer].up;
}

struct gr_debt_view gr_node_debt(const struct gr_node *node, uint16_t member)
{
    gr_assert(member < node->ring->member_count);
    for (uint32_t i = 0; i < node->debt_count; i++) {
        const struct gr_debt *debt = node->debt[i];
        if (debt->owner == node->ring->member[member].id)
            return (struct gr_debt_view){debt->count, debt->bytes, debt->oldest};
    }
    return (struct gr_debt_view){.count = 0};
}

const struct gr_sum *gr_node_tree(const struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    return node->partition[partition].leaf;
}

struct gr_sum gr_node_sum(const struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    return node->partition[partition].sum;
}

bool gr_node_held(const struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    return node->partition[partition].held;
}

bool gr_node_has(const struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    return node->partition[partition].dropping || gr_holder_has(node, partition);
}

bool gr_node_damaged(const struct gr_node *node, uint32_t partition)
{
    gr_assert(partition < node->ring->partitions);
    return node->partition[partition].damage != NULL;
}

struct gr_node_stats gr_node_stats(const struct gr_node *node)
{
    struct gr_node_stats stats = node->stats;
    stats.calls = node->call_count;
    stats.memory = node->memory;
    stats.latches = node->latches.count;
    stats.header_bytes = node->header_bytes;
    stats.spares = node->spare.count;
    stats.background_slices = node->throttle.slices;
    stats.background_rate = node->throttle.slice_rate;
    stats.foreground_p99 = gr_throttle_p99(&node->throttle);
    stats.background_target = gr_throttle_target(&node->throttle);
    return stats;
}
