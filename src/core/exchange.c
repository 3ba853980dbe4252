// Exchange: one partition with one peer, until each has what the other had seen (§4.7).
//
// Two bookkeepers compare ledgers. First the totals, then the totals of chapters, then page by page
// where chapters differ; for each entry that differs one reads out what he has, the other merges it
// into his and reads back the outcome, which the first merges in turn. Only when all of that is
// done, and neither has left the table, each may tick off everything that the other's list of work
// done said when they sat down.
//
//   E1  Clocks are joined only after a complete exchange, and only with the copies taken before it
//       began. What is found equal is compared as it was when its clock was copied: trees are
//       copied with the clocks, and a key that was written since is offered whatever the pages say.
//       Else a value could be gone on both sides, here because of a write that the copy does not
//       know.
//   E2  Both are still in the run in which it began, and the link never went down in between; else
//       it is abandoned, and nothing is joined.
//   E3  The join is written after every state that it stands for.
//   E4  A leaf is summed again from what was read, on both sides, before any of its keys is
//       offered: "seen, and gone" is not said by one that has lost a record (D6).
//   E5  What was done stays done: an exchange that was abandoned finds fewer differences next time.
//   E6  A value that came after the clock was copied, and that the peer's copy has seen, is offered
//       before the join, whatever the trees say: the peer may know that it is gone.
//
//   idle -> BEGIN -BEGUN-> leaves -LEAVES-> run of leaves that differ: walk, compare -> offer keys
//     ^                |                      ^------------------- next run --------------'   |
//     |                '--- equal trees ---> join <-------------- no more runs ---------------'
//     '----- ended <-- JOINED --------------'        anything else: abandoned
//
// What happens to one key is in offer.c.
//
// Source: §4.7; DESIGN.md §4, "Clocks are joined", D6. Owns: two clock copies, a page of either
// side. Bounds: a page of GR_WALK_PAGE_KEYS keys.
#include "core/entropy.h"

#include <string.h>

enum { ANSWER_TIMEOUTS = 5 };
// Equal leaves between two that differ are read along with them if they hold about so many keys: a
// run of its own costs both sides a question, an answer and a read. At most half a branch of them.
enum { GAP_KEYS = 32, GAP_BRANCHES = 2 };
// What finding the keys of a run costs, in keys that are given.
enum { RUN_KEYS = 8 };

static void compare_pages(struct gr_node *node);

static struct gr_exchange *exchange_of(struct gr_node *node)
{
    return &node->entropy->exchange;
}

bool gr_exchange_is_with(const struct gr_node *node, uint16_t peer, uint32_t partition)
{
    const struct gr_exchange *x = &node->entropy->exchange;
    return x->state != GR_EXCHANGE_IDLE && x->peer == peer && x->partition == partition;
}

bool gr_exchange_wants(const struct gr_node *node, uint64_t id)
{
    const struct gr_exchange *x = &node->entropy->exchange;
    return x->state != GR_EXCHANGE_IDLE && x->id == id;
}

// ---- beginning and end -----------------------------------------------------------------------

void gr_exchange_expect(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    struct gr_span span = {node->config.write_timeout.ns * ANSWER_TIMEOUTS};
    x->paused = false;
    gr_timer_set(&node->timers, &x->timer, gr_instant_after(node->now, span));
}

static void forget_pages(struct gr_exchange *x)
{
    gr_arena_deinit(&x->here.arena);
    gr_arena_deinit(&x->there.arena);
    x->here = x->there = (struct gr_exchange_page){.here = false};
}

// GR_OK: clocks were joined. Else why not.
static void end(struct gr_node *node, enum gr_err err)
{
    struct gr_exchange *x = exchange_of(node);
    bool joined = err == GR_OK;
    gr_walk_close(node, &x->walk);
    gr_watch_close(node, &x->watch, x->partition);
    gr_timer_stop(&node->timers, &x->timer);
    forget_pages(x);
    gr_offer_forget(x);
    if (!joined && node->config.canary == GR_CANARY_TWO_SOURCES && x->theirs.count > 0) {
        gr_clock_join(&x->kept, &x->theirs);
        x->kept_of = x->partition;
    }
    gr_clock_deinit(&x->theirs);
    x->state = GR_EXCHANGE_IDLE;
    node->stats.exchanges++;
    node->stats.exchanges_failed += !joined;
    gr_probe(&node->probes, joined ? GR_PROBE_EXCHANGE_JOINED : GR_PROBE_EXCHANGE_ABANDONED);
    gr_repair_ended(node, x->peer, x->partition, err);
    gr_round_on_exchange(node, joined);
}

// E2. False: the exchange has ended.
bool gr_exchange_tell(struct gr_node *node, struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    message->id = x->id;
    message->partition = x->partition;
    if (gr_node_send(node, x->peer, message)) {
        gr_exchange_expect(node);
        return true;
    }
    end(node, GR_ERR_UNREACHABLE);
    return false;
}

void gr_exchange_start(struct gr_node *node, uint16_t peer, uint32_t partition)
{
    struct gr_exchange *x = exchange_of(node);
    gr_assert(x->state == GR_EXCHANGE_IDLE);
    x->state = GR_EXCHANGE_BEGIN;
    x->failed = x->busy = false;
    x->damages = node->partition[partition].damages;
    x->id = gr_node_id(node);
    x->peer = peer;
    x->partition = partition;
    if (!gr_entropy_ready(node, partition) || node->store != GR_OK) {
        end(node, node->store != GR_OK ? node->store : GR_ERR_LOADING);
        return;
    }
    gr_watch_open(node, &x->watch, partition, x->id); // E1
    struct gr_message begin = {.type = GR_MSG_BEGIN,
        .doubtful = node->partition[partition].doubtful,
        .lacking = gr_damage_lacks(node, partition)};
    (void)gr_exchange_tell(node, &begin);
}

// The store is as it was when the exchange began: its clock did not begin anew (damage.c).
static bool goes_on(struct gr_node *node)
{
    const struct gr_exchange *x = exchange_of(node);
    return gr_entropy_ready(node, x->partition) &&
           node->partition[x->partition].damages == x->damages;
}

// Why the exchange cannot go on although nothing was refused.
static enum gr_err trouble(struct gr_node *node, enum gr_err status)
{
    if (status != GR_OK)
        return status;
    return node->store != GR_OK ? node->store : !goes_on(node) ? GR_ERR_CORRUPT : GR_ERR_MALFORMED;
}

// E1: this side has all that the peer had seen.
static void take_all(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    gr_state_join(node, x->partition, &x->theirs);
    gr_damage_gave(node, x->partition, x->peer, x->lacking);
    gr_repair_joined(node, x->partition, x->peer, x->watch.since);
    gr_transfer_joined(node, x->partition, x->peer, x->lacking);
}

// E6. True: there are keys to offer first.
static bool offers_late(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    const struct gr_key *key;
    while ((key = gr_watch_late(node, &x->watch, &x->theirs)) != NULL)
        gr_offer_add(x, key, NULL);
    if (x->item_count == 0)
        return false;
    x->state = GR_EXCHANGE_OFFER;
    gr_offer_more(node);
    return true;
}

static void join(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    x->state = GR_EXCHANGE_JOIN;
    x->failed |= x->watch.overflow;
    if (x->failed || !goes_on(node) || node->store != GR_OK) {
        end(node, trouble(node, x->failed ? GR_ERR_BUSY : GR_OK));
        return;
    }
    if (offers_late(node))
        return;
    const struct gr_clock *now = &node->partition[x->partition].clock;
    bool late = node->config.canary == GR_CANARY_LATE_COPY;
    if (gr_clock_equal(&x->watch.clock, &x->theirs) && !late) {
        take_all(node);
        end(node, GR_OK); // there is nothing to say
        return;
    }
    struct gr_message message = {
        .type = GR_MSG_JOIN, .clock_list = late ? now : &x->watch.clock, .clock_count = 1};
    (void)gr_exchange_tell(node, &message);
}

// ---- which leaves ----------------------------------------------------------------------------

// How many equal leaves may be part of a run.
static uint32_t gap_of(struct gr_node *node)
{
    uint32_t leaves = gr_merkle_leaves(node->ring);
    int64_t keys = GR_MAX(node->partition[exchange_of(node)->partition].count, 1);
    uint32_t most = leaves / GR_MERKLE_BRANCHES / GAP_BRANCHES;
    return (uint32_t)GR_MIN((int64_t)GAP_KEYS * leaves / keys, (int64_t)most);
}

void gr_exchange_next_run(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    uint32_t leaves = gr_merkle_leaves(node->ring);
    gr_walk_close(node, &x->walk);
    forget_pages(x);
    gr_offer_forget(x);
    uint32_t from = x->run_end;
    while (from < leaves && !x->differs[from])
        from++;
    if (from == leaves) {
        join(node);
        return;
    }
    x->run_from = x->run_end = from;
    for (uint32_t leaf = from, gap = gap_of(node); leaf < leaves && leaf <= x->run_end + gap;
         leaf++)
        if (x->differs[leaf])
            x->run_end = leaf + 1;
    x->state = GR_EXCHANGE_WALK;
    x->asked = false;
    gr_slice_keys(node, RUN_KEYS);
    gr_cursor first = gr_merkle_first(node->ring, x->partition, from);
    x->here.end = x->there.end = first;
    gr_walk_open(node, &x->walk, GR_WALK_EXCHANGE, x->partition, first,
        gr_merkle_first(node->ring, x->partition, x->run_end), false);
    compare_pages(node);
}

// E1. The tree as it was when the clock was copied.
static const struct gr_sum *tree_of(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    bool late = node->config.canary == GR_CANARY_LATE_COMPARE;
    return late ? node->partition[x->partition].leaf : x->watch.leaf;
}

static void on_begun(struct gr_node *node, const struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    if (message->status != GR_OK) {
        gr_probe(&node->probes, GR_PROBE_EXCHANGE_REFUSED);
        end(node, message->status);
        return;
    }
    if (message->clock_count != 1 || message->sum_count != GR_MERKLE_BRANCHES || !goes_on(node)) {
        end(node, trouble(node, GR_OK));
        return;
    }
    x->theirs = gr_clock_copy(&message->clock_list[0]);
    if (x->kept.count > 0 && x->kept_of == x->partition)
        gr_clock_join(&x->theirs, &x->kept);
    x->lacking = message->lacking;
    node->partition[x->partition].doubtful |= message->doubtful;
    if (node->config.canary == GR_CANARY_EARLY_JOIN)
        gr_state_join(node, x->partition, &x->theirs);
    uint32_t width = gr_merkle_leaves(node->ring) / GR_MERKLE_BRANCHES;
    memset(x->differs, 0, sizeof x->differs);
    x->branches = 0;
    x->run_end = 0;
    for (uint32_t i = 0; i < GR_MERKLE_BRANCHES; i++)
        if (!gr_sum_equal(
                message->sum_list[i], gr_merkle_sum(tree_of(node), i * width, (i + 1) * width)))
            x->branches |= 1u << i;
    if (x->branches == 0) {
        gr_probe(&node->probes, GR_PROBE_EXCHANGE_EQUAL);
        x->run_end = gr_merkle_leaves(node->ring);
        join(node);
        return;
    }
    if (gr_serve_gives(node, x->peer, x->partition)) { // V4
        end(node, GR_ERR_BUSY);
        return;
    }
    x->state = GR_EXCHANGE_LEAVES;
    struct gr_message branch = {.type = GR_MSG_BRANCH, .branches = x->branches};
    (void)gr_exchange_tell(node, &branch);
}

static void on_leaves(struct gr_node *node, const struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    uint32_t width = gr_merkle_leaves(node->ring) / GR_MERKLE_BRANCHES, at = 0;
    uint32_t want = 0;
    for (uint32_t i = 0; i < GR_MERKLE_BRANCHES; i++)
        want += (x->branches >> i & 1) * width;
    if (message->status != GR_OK || message->sum_count != want || !goes_on(node)) {
        end(node, trouble(node, message->status));
        return;
    }
    for (uint32_t leaf = 0; leaf < gr_merkle_leaves(node->ring); leaf++)
        if (x->branches >> (leaf / width) & 1)
            x->differs[leaf] = !gr_sum_equal(message->sum_list[at++], tree_of(node)[leaf]);
    gr_exchange_next_run(node);
}

// ---- which keys ------------------------------------------------------------------------------

// The entry that this side shows next, below `end`; NULL when there is none.
static const struct gr_entry *entry_below(const struct gr_exchange_page *page, gr_cursor end)
{
    if (page->at == page->count)
        return NULL;
    const struct gr_entry *entry = &page->entry[page->at];
    return gr_cursor_of(entry->key.slot, entry->key.hash) < end ? entry : NULL;
}

// What both sides have shown: keys that differ become items.
static void merge_pages(struct gr_exchange *x)
{
    gr_cursor end = GR_MIN(x->here.end, x->there.end);
    const struct gr_record nothing = GR_RECORD_NOTHING;
    for (;;) {
        const struct gr_entry *here = entry_below(&x->here, end);
        const struct gr_entry *there = entry_below(&x->there, end);
        if (here == NULL && there == NULL)
            break;
        int order = here == NULL ? 1 : there == NULL ? -1 : gr_key_compare(&here->key, &there->key);
        if (order != 0 || !gr_record_equal(&here->record, &there->record))
            gr_offer_add(
                x, order <= 0 ? &here->key : &there->key, order < 0 ? &nothing : &there->record);
        x->here.at += order <= 0;
        x->there.at += order >= 0;
    }
    x->here.here &= x->here.end > end;
    x->there.here &= x->there.end > end;
}

// E1: keys of the run that were written here since the clock was copied.
static void add_written(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    x->failed |= x->watch.overflow;
    for (uint32_t i = 0; i < x->watch.count; i++) {
        const struct gr_key *key = &x->watch.note[i].key;
        gr_cursor cursor = gr_cursor_of(key->slot, key->hash);
        if (cursor < x->walk.first || cursor >= x->walk.end)
            continue;
        gr_probe(&node->probes, GR_PROBE_EXCHANGE_WRITTEN);
        if (node->config.canary != GR_CANARY_LATE_COMPARE)
            gr_offer_add(x, key, NULL);
    }
}

// E4: the whole run was read.
static void end_run(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    struct gr_sum sum = gr_merkle_sum(node->partition[x->partition].leaf, x->run_from, x->run_end);
    if (!gr_damage_agrees(node, x->walk.sum, sum)) {
        gr_damage_unsummed(node, x->partition, "the records of an exchange do not add up");
        end(node, GR_ERR_CORRUPT);
        return;
    }
    add_written(node);
    gr_walk_close(node, &x->walk);
    x->state = GR_EXCHANGE_OFFER;
    gr_offer_more(node);
}

// Both pages are here, or one was used up: goes on.
static void compare_pages(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    gr_cursor end = x->walk.end;
    if (x->here.here && x->there.here)
        merge_pages(x);
    if (x->here.end == end && x->there.end == end && !x->here.here && !x->there.here) {
        end_run(node);
        return;
    }
    bool more_there = !x->there.here && x->there.end < end;
    if (!x->here.here && x->here.end < end && x->walk.op == NULL)
        gr_walk_ask(node, &x->walk, GR_WALK_PAGE_KEYS);
    if (!more_there || x->asked)
        return;
    x->asked = true;
    struct gr_message walk = {
        .type = GR_MSG_WALK,
        .cursor = x->there.end,
        .cursor_end = end,
        .limit = GR_WALK_PAGE_KEYS,
    };
    (void)gr_exchange_tell(node, &walk);
}

static void keep_page(
    struct gr_exchange_page *page, const struct gr_entry *entry, uint32_t count, gr_cursor end)
{
    gr_arena_clear(&page->arena);
    struct gr_entry *kept = gr_arena_array(&page->arena, struct gr_entry, count);
    for (uint32_t i = 0; i < count; i++)
        kept[i] = (struct gr_entry){
            .key = gr_key_copy(&page->arena, &entry[i].key),
            .record = gr_record_copy(&page->arena, &entry[i].record, true),
        };
    page->here = true;
    page->entry = kept;
    page->count = count;
    page->at = 0;
    page->end = end;
}

void gr_exchange_on_page(struct gr_node *node, const struct gr_event *event, enum gr_err err)
{
    struct gr_exchange *x = exchange_of(node);
    gr_assert(x->state == GR_EXCHANGE_WALK);
    if (err == GR_ERR_CORRUPT)
        gr_damage_partition(node, x->partition, "the store cannot read a partition");
    if (err != GR_OK || !goes_on(node)) {
        end(node, trouble(node, err));
        return;
    }
    gr_exchange_expect(node);
    keep_page(&x->here, event->entry, event->entry_count, x->walk.frontier);
    compare_pages(node);
}

static void on_their_page(struct gr_node *node, const struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    if (message->status != GR_OK || message->cursor <= x->there.end ||
        message->cursor > x->walk.end || x->there.here || !goes_on(node)) {
        end(node, trouble(node, message->status));
        return;
    }
    x->asked = false;
    keep_page(&x->there, message->entry, message->entry_count, message->cursor);
    // An entry without a record names a key that was written there since its clock was copied.
    struct gr_entry *entry = (struct gr_entry *)x->there.entry;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < x->there.count; i++) {
        if (!gr_record_empty(&entry[i].record))
            entry[kept++] = entry[i];
        else if (node->config.canary != GR_CANARY_LATE_COMPARE)
            gr_offer_add(x, &entry[i].key, NULL);
    }
    x->there.count = kept;
    compare_pages(node);
}

// ---- joining ---------------------------------------------------------------------------------

// E6: what came late there.
static void on_late(struct gr_node *node, const struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    for (uint32_t i = 0; i < message->entry_count; i++)
        gr_offer_add(x, &message->entry[i].key, NULL);
    if (message->status != GR_OK || x->item_count == 0 || !goes_on(node)) {
        end(node, trouble(node, message->status));
        return;
    }
    x->state = GR_EXCHANGE_OFFER;
    gr_offer_more(node);
}

static void on_joined(struct gr_node *node, const struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    if (message->status != GR_OK || !goes_on(node) || node->store != GR_OK) {
        end(node, trouble(node, message->status));
        return;
    }
    // E6: the peer has joined; here it is for the next exchange.
    bool late = x->watch.overflow || gr_watch_late(node, &x->watch, &x->theirs) != NULL;
    if (!late)
        take_all(node);
    end(node, late ? GR_ERR_BUSY : GR_OK);
}

// ---- events ----------------------------------------------------------------------------------

bool gr_exchange_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    if (x->state == GR_EXCHANGE_IDLE || peer != x->peer || message->id != x->id)
        return false;
    if (!x->paused)
        gr_exchange_expect(node);
    if (message->type == GR_MSG_BEGUN && x->state == GR_EXCHANGE_BEGIN)
        on_begun(node, message);
    else if (message->type == GR_MSG_LEAVES && x->state == GR_EXCHANGE_LEAVES)
        on_leaves(node, message);
    else if (message->type == GR_MSG_PAGE && x->state == GR_EXCHANGE_WALK)
        on_their_page(node, message);
    else if (message->type == GR_MSG_TAKEN && x->state == GR_EXCHANGE_OFFER)
        gr_offer_on_taken(node, message);
    else if (message->type == GR_MSG_PAGE && x->state == GR_EXCHANGE_JOIN)
        on_late(node, message);
    else if (message->type == GR_MSG_JOINED && x->state == GR_EXCHANGE_JOIN)
        on_joined(node, message);
    return true;
}

void gr_exchange_timer(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    if (!x->paused) {
        end(node, GR_ERR_TIMEOUT);
        return;
    }
    gr_exchange_expect(node);
    gr_offer_more(node);
}

// The canary: what was not answered is said again over the new link, whoever is there now.
static void say_again(struct gr_node *node)
{
    if (exchange_of(node)->state == GR_EXCHANGE_JOIN)
        join(node);
    gr_offer_again(node);
}

void gr_exchange_on_link(struct gr_node *node, uint16_t peer, bool up)
{
    struct gr_exchange *x = exchange_of(node);
    if (x->state == GR_EXCHANGE_IDLE || peer != x->peer)
        return;
    if (node->config.canary != GR_CANARY_JOIN_ACROSS_RESTART)
        end(node, GR_ERR_UNREACHABLE); // E2, and a new link may be to another run
    else if (up)
        say_again(node);
}
