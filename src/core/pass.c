// Passes: reads every partition once after a start, and again and again while the node lives.
//
// After a start nobody knows whether the store still holds what was written: a row may have rotted,
// or a tool may have removed it. One pass over a partition adds up its leaf hashes, compares the
// sum with the one that every write kept (D5), and leaves the tree behind that exchanges need. Then
// the scrub goes on: the same walk with sums of its own, slowly, compared with the tree in memory.
//
//   A1  A partition is not exchanged, drawn from or counted as covering before its first pass. Only
//       what is in a store that was made just now needs none: there is nothing in it.
//   A2  One page at a time; between pages as long a rest as the page took, or longer.
//   A3  A difference is damage (damage.c); a page that could not be read for lack of time or
//       memory proves nothing and is read again later.
//
//   idle -timer-> walk open -page-> rest -timer-> page ... -end-> compared, next partition
//
// Source: §4.7; D5. Owns: one walk. Bounds: one page of GR_WALK_PAGE_KEYS keys.
#include "core/entropy.h"

enum { REST_MS_MAX = 1000 };

static void wake(struct gr_node *node, struct gr_span span)
{
    gr_timer_set(&node->timers, &node->entropy->pass.timer, gr_instant_after(node->now, span));
}

// The next partition of which something is here that wants a pass: first those that had none, then
// those that an operator wants read. False if there is none.
static bool choose(struct gr_node *node)
{
    struct gr_pass *pass = &node->entropy->pass;
    uint32_t partitions = node->ring->partitions;
    for (int first = pass->building ? 2 : 1; first >= 0; first--) {
        for (uint32_t i = 1; i <= partitions; i++) {
            uint32_t at = (pass->partition + i) % partitions;
            const struct gr_partition *p = &node->partition[at];
            if (!gr_holder_has(node, at) || (first == 2 && p->leaf != NULL) ||
                (first == 1 && !gr_repair_wants_read(node, at)))
                continue;
            pass->partition = at;
            return true;
        }
        pass->building = false;
    }
    return false;
}

// The scrub spreads its walks over the interval; first passes follow each other.
static void rest(struct gr_node *node)
{
    struct gr_pass *pass = &node->entropy->pass;
    struct gr_span span = {
        node->config.scrub_interval.ns / GR_MAX((int64_t)node->stats.partitions, 1)};
    pass->building &= node->stats.unread > 0;
    if (pass->building || node->entropy->repair.reading > 0)
        span.ns = GR_MIN(node->now.ns - pass->asked.ns, REST_MS_MAX * (int64_t)1000000);
    wake(node, span);
}

static void ask(struct gr_node *node)
{
    struct gr_pass *pass = &node->entropy->pass;
    if (!gr_node_background(node, 1)) {
        gr_timer_set(&node->timers, &pass->timer, gr_node_background_at(node, 1));
        return;
    }
    pass->asked = node->now;
    gr_walk_ask(node, &pass->walk, GR_WALK_PAGE_KEYS);
}

void gr_pass_timer(struct gr_node *node)
{
    struct gr_pass *pass = &node->entropy->pass;
    struct gr_repair *repair = &node->entropy->repair;
    if (repair->behind_since.ns == 0) // what was loaded as damaged had no time yet
        repair->behind_since = node->now;
    if (node->store != GR_OK) {
        wake(node, gr_span_ms(REST_MS_MAX));
        return;
    }
    if (!pass->begun) { // what was loaded is known only now
        pass->begun = true;
        gr_holder_count(node);
        for (uint32_t p = 0; p < node->ring->partitions; p++)
            gr_repair_judge(node, p);
        gr_drop_soon(node);
        gr_hint_on_ring(node);
        gr_transfer_soon(node);
    }
    if (!pass->walk.link.in) {
        if (!choose(node)) {
            wake(node, gr_span_ms(REST_MS_MAX));
            return;
        }
        uint32_t p = pass->partition;
        pass->asked_for = gr_repair_wants_read(node, p);
        gr_walk_open(node, &pass->walk, GR_WALK_PASS, p, gr_merkle_first(node->ring, p, 0),
            gr_merkle_first(node->ring, p, gr_merkle_leaves(node->ring)), true);
    }
    ask(node);
}

// Damage was found in it, and this pass is the one that makes count and sum those of what is there.
static bool is_being_summed(const struct gr_node *node, const struct gr_partition *p)
{
    return p->damage != NULL &&
           (p->damage->unsummed || node->config.canary == GR_CANARY_DAMAGE_ONCE);
}

// The whole partition was read: is it what was written?
static void compare(struct gr_node *node, struct gr_partition *p, struct gr_walk *walk)
{
    node->stats.passes++;
    bool same = walk->count == p->count || node->config.canary == GR_CANARY_SUM_IGNORED;
    same &= gr_damage_agrees(node, walk->sum, p->sum);
    if (p->leaf != NULL)
        for (uint32_t i = 0; same && i < gr_merkle_leaves(node->ring); i++)
            same = gr_damage_agrees(node, walk->leaf[i], p->leaf[i]);
    if (!same && !is_being_summed(node, p))
        gr_damage_unsummed(node, walk->partition, "the records of a partition do not add up");
    if (node->entropy->pass.asked_for)
        gr_repair_read(node, walk->partition);
    if (p->leaf != NULL)
        return;
    // What the walk found is what is there: from now on count, sum and tree say so.
    p->count = walk->count;
    p->sum = walk->sum;
    p->leaf = walk->leaf;
    walk->leaf = NULL;
    gr_holder_count(node);
    gr_damage_summed(node, walk->partition);
    gr_repair_judge(node, walk->partition);
}

void gr_pass_on_page(struct gr_node *node, uint32_t keys, enum gr_err err)
{
    gr_throttle_owe(&node->throttle, gr_throttle_slices(keys, 0) - 1); // one was admitted
    struct gr_pass *pass = &node->entropy->pass;
    struct gr_walk *walk = &pass->walk;
    struct gr_partition *p = &node->partition[walk->partition];
    bool at_end = walk->frontier >= walk->end;
    if (!gr_holder_has(node, walk->partition)) { // it is being dropped
        gr_walk_close(node, walk);
        rest(node);
        return;
    }
    if (err == GR_ERR_CORRUPT && !is_being_summed(node, p))
        gr_damage_partition(node, walk->partition, "the store cannot read a partition");
    else if (err == GR_OK && at_end)
        compare(node, p, walk);
    if (err != GR_OK || at_end)
        gr_walk_close(node, walk);
    if (err == GR_OK && !at_end)
        wake(node, (struct gr_span){GR_MAX(node->now.ns - pass->asked.ns, 0)});
    else if (err == GR_OK)
        rest(node);
    else
        wake(node, gr_span_ms(REST_MS_MAX));
}

void gr_pass_soon(struct gr_node *node)
{
    struct gr_pass *pass = &node->entropy->pass;
    pass->building = true;
    if (node->config.exchange_interval.ns > 0 && !pass->walk.link.in)
        wake(node, (struct gr_span){0});
}

void gr_pass_asked(struct gr_node *node)
{
    node->entropy->pass.asked_for = false;
    gr_pass_soon(node);
}

void gr_pass_init(struct gr_node *node)
{
    struct gr_pass *pass = &node->entropy->pass;
    pass->timer.kind = GR_TIMER_PASS;
    pass->building = true;
    pass->partition = node->ring->partitions - 1;
    gr_holder_count(node);
    if (node->config.exchange_interval.ns > 0)
        wake(node, (struct gr_span){0});
}
