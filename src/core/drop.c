// Dropping: the records of a partition that this node has let go are removed (§4.9).
//
// The clock goes first, in the batch that takes the flag out: from then on nothing here claims to
// have seen anything of the partition, and what is left of its records says nothing to anybody.
// They go page by page, as the throttle admits it, and a restart goes on where it was.
//
//   DR1 While a partition is being dropped it is not read, written, compared or given by anybody,
//       and if the ring gives it back meanwhile, that waits until nothing is left.
//   DR2 The counter of dots stays: a dot that was given out is never given out again, whatever was
//       dropped.
//
//   held -(leave.c)-> dropping: page -> its keys -> page ... -> nothing left: forgotten
//
// Source: §4.9, step 5 of DESIGN.md §7. Owns: one walk and the keys of its page. Bounds: a page of
// GR_WALK_PAGE_KEYS keys.
#include "core/entropy.h"

enum { AGAIN_MS = 200 };

static struct gr_drop *drop_of(struct gr_node *node)
{
    return &node->entropy->drop;
}

void gr_drop_soon(struct gr_node *node)
{
    struct gr_drop *drop = drop_of(node);
    if (!drop->walk.link.in && drop->pending == 0)
        gr_timer_set(&node->timers, &drop->timer, node->now);
}

void gr_drop_begin(struct gr_node *node, uint32_t partition)
{
    struct gr_partition *p = &node->partition[partition];
    gr_assert(!p->dropping && p->damage == NULL);
    gr_probe(&node->probes, GR_PROBE_PARTITION_DROPPED);
    p->held = p->leaving = false;
    p->dropping = true;
    p->given_count = 0;
    p->tried_at = (struct gr_instant){0};
    p->awaited_count = 0;
    p->ripe = p->hashed = false;
    const struct gr_clock_row *const *gone;
    uint32_t count = gr_clock_blank(&node->scratch, &p->clock, &gone);
    gr_clock_deinit(&p->clock);
    if (node->config.canary == GR_CANARY_COUNTER_FORGOTTEN)
        p->counter = 0;
    gr_hook_memory(p->leaf, 0);
    p->leaf = NULL;
    gr_holder_write(node, partition, gone, count);
    gr_holder_count(node);
    gr_repair_judge(node, partition);
    gr_drop_soon(node);
}

// Nothing is left.
static void end(struct gr_node *node, uint32_t partition)
{
    struct gr_partition *p = &node->partition[partition];
    p->dropping = false;
    p->count = 0;
    p->sum = (struct gr_sum){0};
    gr_holder_write(node, partition, NULL, 0);
    gr_holder_count(node);
    gr_pass_soon(node);
    gr_transfer_soon(node); // the ring may have given it back
}

static void ask(struct gr_node *node)
{
    struct gr_drop *drop = drop_of(node);
    if (gr_node_background(node, 1))
        gr_walk_ask(node, &drop->walk, GR_WALK_PAGE_KEYS);
    else
        gr_timer_set(&node->timers, &drop->timer, gr_node_background_at(node, 1));
}

// The keys of the page, as far as they are admitted.
static void go_on(struct gr_node *node)
{
    struct gr_drop *drop = drop_of(node);
    while (drop->next < drop->count) {
        if (!gr_slice_key(node)) {
            gr_timer_set(&node->timers, &drop->timer, gr_node_background_at(node, 1));
            return;
        }
        struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_DROP, &drop->key[drop->next++], 0);
        drop->failed |= op == NULL;
        if (op == NULL)
            continue;
        op->bare = true;
        drop->pending++;
        if (gr_replica_submit(node, op) != GR_OK) {
            drop->failed = true;
            drop->pending--;
        }
    }
    gr_drop_on_keyop(node, GR_OK); // the page itself
}

void gr_drop_timer(struct gr_node *node)
{
    struct gr_drop *drop = drop_of(node);
    if (node->store != GR_OK) {
        gr_timer_set(
            &node->timers, &drop->timer, gr_instant_after(node->now, gr_span_ms(AGAIN_MS)));
        return;
    }
    if (drop->pending > 0) {
        if (drop->next < drop->count)
            go_on(node);
        return;
    }
    if (drop->walk.link.in) {
        if (drop->walk.op == NULL)
            ask(node);
        return;
    }
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        if (!node->partition[p].dropping)
            continue;
        drop->failed = false;
        gr_walk_open(node, &drop->walk, GR_WALK_DROP, p, gr_merkle_first(node->ring, p, 0),
            gr_merkle_first(node->ring, p, gr_merkle_leaves(node->ring)), false);
        ask(node);
        return;
    }
}

void gr_drop_on_page(struct gr_node *node, const struct gr_event *event, enum gr_err err)
{
    struct gr_drop *drop = drop_of(node);
    drop->failed |= err != GR_OK;
    drop->next = 0;
    drop->count = err == GR_OK ? event->entry_count : 0;
    drop->key = gr_arena_array(&drop->arena, struct gr_key, drop->count);
    for (uint32_t i = 0; i < drop->count; i++)
        drop->key[i] = gr_key_copy(&drop->arena, &event->entry[i].key);
    drop->pending = 1; // the page itself, so that its end is noticed once
    go_on(node);
}

// All keys of a page are done.
static void next(struct gr_node *node)
{
    struct gr_drop *drop = drop_of(node);
    uint32_t partition = drop->walk.partition;
    gr_arena_clear(&drop->arena);
    drop->next = drop->count = 0;
    if (!drop->failed && drop->walk.frontier < drop->walk.end) {
        ask(node);
        return;
    }
    gr_walk_close(node, &drop->walk);
    if (!drop->failed && node->store == GR_OK)
        end(node, partition);
    struct gr_span rest = gr_span_ms(drop->failed || node->store != GR_OK ? AGAIN_MS : 0);
    gr_timer_set(&node->timers, &drop->timer, gr_instant_after(node->now, rest));
}

void gr_drop_on_keyop(struct gr_node *node, enum gr_err err)
{
    struct gr_drop *drop = drop_of(node);
    gr_assert(drop->pending > 0);
    drop->failed |= err != GR_OK;
    if (--drop->pending == 0)
        next(node);
}

void gr_drop_deinit(struct gr_node *node)
{
    struct gr_drop *drop = drop_of(node);
    gr_timer_stop(&node->timers, &drop->timer);
    gr_walk_close(node, &drop->walk);
    gr_arena_deinit(&drop->arena);
}
