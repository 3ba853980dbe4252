// What a holder does by itself: due siblings go, and left-over contexts are stripped (§4.4, §4.7).
//
// A due sibling is hidden from the moment that it is due; here its bytes go, by an ordinary batch
// that leaves the clock as it is, so a replica that still shows it is answered "seen, and gone".
// A record that was written while the clock had a gap carries a context; once the base has moved
// past the gap it is stripped again, and a deleted key that stayed as a marker leaves nothing. A
// partition is looked through only when a base has come to where one of its contexts waits for it:
// while a replica is filled again there are as many contexts as keys, and nothing to strip.
//
//   W1  One scan and its keys at a time, and each only when the throttle admits it (slice.c):
//       housekeeping never crowds out clients.
//   W2  A due value goes only when this node has met every other owner since: one of them may have
//       an older value that never came here, and that the due one hides (DESIGN.md §4). Where an
//       owner is away it waits for AWAY_MS at most.
//   W3  What must stay (a due value that hides an older one, a context behind a gap) is skipped in
//       the next page, not retried in a circle.
//
//   idle -timer-> due page -> keys -> (full page: again) -> left-over page -> keys -> idle
//                 (before a page: -timer-> until it is admitted)
#include "core/entropy.h"

enum { PAGE = 128, INTERVAL_MS = 1000, LATE_MS = 2000, AWAY_MS = 3600 * 1000 };

static void rest(struct gr_node *node)
{
    node->sweep_stuck = 0;
    node->sweep_phase = GR_SWEEP_IDLE;
    gr_timer_set(
        &node->timers, &node->sweep_timer, gr_instant_after(node->now, gr_span_ms(INTERVAL_MS)));
}

// The partition whose left-over contexts are being looked at.
static uint32_t present(const struct gr_node *node)
{
    return (node->sweep_partition - 1) % node->ring->partitions;
}

// W2. A message of a peer may have been under way for LATE_MS.
static struct gr_wall may_go(struct gr_node *node)
{
    if (node->config.exchange_interval.ns == 0 || node->ring->n == 1)
        return node->wall;
    int64_t met = gr_repair_met(node).ms - LATE_MS;
    return (struct gr_wall){GR_MAX(GR_MAX(met, node->wall.ms - AWAY_MS), 0)};
}

// The next page of this phase, as soon as it may be.
static void scan(struct gr_node *node)
{
    if (!gr_node_background(node, 1)) {
        gr_timer_set(&node->timers, &node->sweep_timer, gr_node_background_at(node, 1));
        return;
    }
    node->sweep_to = may_go(node);
    struct gr_effect effect = {
        .type = GR_EFFECT_SCAN, .cursor = node->sweep_stuck, .limit = PAGE, .wall = node->sweep_to};
    effect.ticket = node->sweep_ticket = gr_node_id(node);
    bool due = node->sweep_phase == GR_SWEEP_DUE;
    effect.scan = due ? GR_SCAN_DUE : GR_SCAN_LEFTOVER;
    effect.partition = due ? 0 : present(node);
    gr_node_emit(node, &effect);
}

// The next partition in which left-over contexts may go.
static void next_leftover(struct gr_node *node)
{
    node->sweep_stuck = 0;
    for (; node->sweep_left > 0; node->sweep_left--) {
        uint32_t at = node->sweep_partition++ % node->ring->partitions;
        struct gr_partition *p = &node->partition[at];
        if (!p->ripe)
            continue;
        p->ripe = false;
        p->awaited_count = 0; // whatever stays says again what it waits for
        node->sweep_left--;
        node->sweep_phase = GR_SWEEP_LEFTOVER;
        scan(node);
        return;
    }
    rest(node);
}

// What was being looked at was not looked at to its end.
static void look_again(struct gr_node *node)
{
    struct gr_partition *p = &node->partition[present(node)];
    if (node->sweep_phase == GR_SWEEP_LEFTOVER)
        p->ripe = true;
}

void gr_sweep_await(struct gr_partition *p, const struct gr_context *left)
{
    // All of it must go before the record is rid of it: one entry is as good as another.
    const struct gr_dot *wait = left->vv_count > 0 ? &left->vv[0] : &left->cloud[0];
    for (uint32_t i = 0; i < p->awaited_count; i++) {
        if (gr_actor_compare(p->awaited[i].actor, wait->actor) != 0)
            continue;
        p->awaited[i].counter = GR_MIN(p->awaited[i].counter, wait->counter);
        return;
    }
    if (p->awaited_count == p->awaited_capacity) {
        p->awaited_capacity = GR_MAX(p->awaited_capacity * 2, 4);
        p->awaited = gr_hook_memory(p->awaited, p->awaited_capacity * sizeof *p->awaited);
    }
    p->awaited[p->awaited_count++] = *wait;
}

void gr_sweep_soon(struct gr_node *node, struct gr_partition *p)
{
    p->ripe = true;
    if (node->sweep_phase == GR_SWEEP_IDLE)
        gr_timer_set(&node->timers, &node->sweep_timer, node->now);
}

bool gr_sweep_strips(const struct gr_node *node, uint32_t partition)
{
    bool now = node->sweep_phase == GR_SWEEP_LEFTOVER && present(node) == partition;
    return now || node->partition[partition].ripe;
}

void gr_sweep_moved(struct gr_partition *p, struct gr_actor actor)
{
    for (uint32_t i = 0; i < p->awaited_count; i++)
        if (gr_actor_compare(p->awaited[i].actor, actor) == 0)
            p->ripe |= gr_clock_base(&p->clock, actor) >= p->awaited[i].counter;
}

static void keep_page(struct gr_node *node, const struct gr_event *event)
{
    node->sweep_next = 0;
    node->sweep_count = event->entry_count;
    node->sweep_entry = gr_arena_array(&node->sweep_arena, struct gr_entry, event->entry_count);
    for (uint32_t i = 0; i < event->entry_count; i++)
        node->sweep_entry[i] =
            (struct gr_entry){.key = gr_key_copy(&node->sweep_arena, &event->entry[i].key),
                .due = event->entry[i].due};
}

static void give_up_page(struct gr_node *node)
{
    node->sweep_full = false;
    node->sweep_next = node->sweep_count;
    look_again(node);
}

// All keys of a page are done.
static void next(struct gr_node *node)
{
    if (node->store != GR_OK)
        rest(node);
    else if (node->sweep_full)
        scan(node);
    else if (node->sweep_phase == GR_SWEEP_DUE) {
        node->sweep_left = node->ring->partitions; // each once, however fast its base moves
        next_leftover(node);
    } else
        next_leftover(node);
}

// W1. What is left of the page, as far as it is admitted.
static void go_on(struct gr_node *node)
{
    bool due = node->sweep_phase == GR_SWEEP_DUE;
    while (node->sweep_next < node->sweep_count) {
        if (!gr_slice_key(node)) {
            gr_timer_set(&node->timers, &node->sweep_timer, gr_node_background_at(node, 1));
            return;
        }
        const struct gr_entry *entry = &node->sweep_entry[node->sweep_next++];
        struct gr_keyop *op =
            gr_keyop_new(node, due ? GR_KEYOP_EXPIRE : GR_KEYOP_RESTRIP, &entry->key, 0);
        node->sweep_pending += op != NULL;
        if (op != NULL)
            op->due = entry->due;
        if (op == NULL || gr_replica_submit(node, op) != GR_OK) {
            node->sweep_pending -= op != NULL;
            give_up_page(node); // overload: this work waits for the next round
        }
    }
    gr_arena_clear(&node->sweep_arena);
    gr_sweep_on_keyop(node, false);
}

void gr_sweep_timer(struct gr_node *node)
{
    gr_spare_sweep(node);
    if (node->sweep_next < node->sweep_count) {
        if (node->store != GR_OK)
            give_up_page(node);
        go_on(node);
        return;
    }
    if (node->store != GR_OK) {
        look_again(node);
        rest(node);
        return;
    }
    if (node->sweep_phase == GR_SWEEP_IDLE)
        node->sweep_phase = GR_SWEEP_DUE;
    scan(node);
}

bool gr_sweep_on_done(struct gr_node *node, const struct gr_event *event)
{
    if (event->ticket != node->sweep_ticket)
        return false;
    node->sweep_ticket = 0;
    if (event->status != GR_OK) {
        look_again(node);
        rest(node);
        return true;
    }
    node->sweep_full = event->entry_count >= PAGE;
    node->sweep_pending = 1; // this page itself, so that its end is noticed once
    keep_page(node, event);
    go_on(node);
    return true;
}

void gr_sweep_on_keyop(struct gr_node *node, bool stuck)
{
    gr_assert(node->sweep_pending > 0);
    node->sweep_stuck += stuck;
    if (--node->sweep_pending == 0)
        next(node);
}

void gr_sweep_init(struct gr_node *node)
{
    // Nodes that start together do not sweep together.
    int64_t ms = (int64_t)gr_random_below(&node->random, INTERVAL_MS) + 1;
    gr_timer_set(&node->timers, &node->sweep_timer, gr_instant_after(node->now, gr_span_ms(ms)));
}
