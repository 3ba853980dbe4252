// Serving: what a peer's exchange needs of this node (§4.7).
//
// The peer asks, this node shows its clock, its sums, its pages, merges what it is offered, and in
// the end joins the clock that the peer showed. It remembers one exchange per peer: which
// partition, and how far its own walk has come, because it sums the leaves that it shows once more
// (E4).
//
//   V1  Whatever does not belong to the exchange that is open for that peer is refused: a peer that
//       goes on after this node restarted finds nothing open (E2).
//   V2  What is offered is taken as the throttle of this node admits it (slice.c, L1), in the order
//       in which it came.
//   V3  The last page of a range is given only if all of it adds up to the leaves of the tree.
//   V4  Where a peer gives, no other begins: what it gives the others need not give as well. What
//       this node is to hold is given by its source (transfer.c, T1), and by nobody else before.
//   V5  Nor does one begin before the sweep has stripped what the last one gave: until then every
//       key differs from the peer's. What is damaged waits for neither.
//
// Source: §4.7; exchange.c. Owns: a walk per peer, and the keys that wait for V2. Bounds: one
// exchange per peer, keys as many as keyops may be.
#include "core/entropy.h"

enum { LIMIT_MAX = 10000, LATE_MAX = 64 };

// What a peer offered in an exchange that is over.
static void forget_offers(struct gr_node *node, const struct gr_served *served)
{
    struct gr_list *offers = &node->entropy->offers;
    for (struct gr_link *link = offers->first, *after; link != NULL; link = after) {
        struct gr_keyop *op = GR_CONTAINER(link, struct gr_keyop, link);
        after = link->after;
        if (served != node->entropy->served[op->peer])
            continue;
        gr_list_remove(offers, link);
        gr_keyop_free(node, op);
    }
}

static void close_served(struct gr_node *node, struct gr_served *served)
{
    gr_walk_close(node, &served->walk);
    gr_watch_close(node, &served->watch, served->partition);
    forget_offers(node, served);
    served->open = false;
}

// The store is as it was when the exchange began: its clock did not begin anew (damage.c).
static bool goes_on(const struct gr_node *node, const struct gr_served *served)
{
    return gr_entropy_ready(node, served->partition) &&
           node->partition[served->partition].damages == served->damages;
}

static void answer(struct gr_node *node, uint16_t peer, const struct gr_message *asked,
    enum gr_message_type type, enum gr_err status)
{
    struct gr_message message = {
        .type = type, .id = asked->id, .status = status, .index = asked->index};
    (void)gr_node_send(node, peer, &message);
}

bool gr_serve_gives(const struct gr_node *node, uint16_t peer, uint32_t partition)
{
    if (node->partition[partition].damage != NULL)
        return false;
    for (uint16_t m = 0; m < node->ring->member_count; m++) {
        const struct gr_served *served = node->entropy->served[m];
        bool silent = node->now.ns - served->heard.ns > node->config.write_timeout.ns;
        if (m != peer && served->open && served->differs && !silent &&
            served->partition == partition)
            return true;
    }
    return false;
}

// V4, V5.
static bool is_occupied(const struct gr_node *node, uint16_t peer, uint32_t partition)
{
    const struct gr_exchange *x = &node->entropy->exchange;
    if (node->partition[partition].damage != NULL)
        return false;
    bool own = x->state > GR_EXCHANGE_BEGIN && x->partition == partition && x->peer != peer;
    return own || gr_sweep_strips(node, partition) || gr_serve_gives(node, peer, partition) ||
           gr_transfer_is_anothers(node, partition, peer);
}

// Why no exchange of that partition can be served, or GR_OK.
static enum gr_err refusal(const struct gr_node *node, uint16_t peer, uint32_t partition)
{
    if (partition >= node->ring->partitions)
        return GR_ERR_INVALID;
    if (!gr_holder_has(node, partition))
        return GR_ERR_NOT_OWNER;
    if (!gr_entropy_ready(node, partition))
        return GR_ERR_LOADING;
    const struct gr_member *member = node->ring->member;
    if (gr_exchange_is_with(node, peer, partition) &&
        member[node->config.self].id < member[peer].id)
        return GR_ERR_BUSY; // both began the same: one is enough
    if (is_occupied(node, peer, partition))
        return GR_ERR_BUSY;
    return node->store;
}

static void begin(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_served *served = node->entropy->served[peer];
    enum gr_err err = refusal(node, peer, message->partition);
    close_served(node, served);
    if (err != GR_OK) {
        answer(node, peer, message, GR_MSG_BEGUN, err);
        return;
    }
    *served = (struct gr_served){.open = true,
        .lacking = message->lacking,
        .id = message->id,
        .partition = message->partition,
        .damages = node->partition[message->partition].damages};
    gr_watch_open(node, &served->watch, message->partition, message->id);
    struct gr_partition *p = &node->partition[message->partition];
    p->doubtful |= message->doubtful;
    uint32_t width = gr_merkle_leaves(node->ring) / GR_MERKLE_BRANCHES;
    struct gr_sum branch[GR_MERKLE_BRANCHES];
    for (uint32_t i = 0; i < GR_MERKLE_BRANCHES; i++)
        branch[i] = gr_merkle_sum(p->leaf, i * width, (i + 1) * width);
    struct gr_message begun = {
        .type = GR_MSG_BEGUN,
        .id = message->id,
        .doubtful = p->doubtful,
        .lacking = gr_damage_lacks(node, message->partition),
        .clock_list = &p->clock,
        .clock_count = 1,
        .sum_list = branch,
        .sum_count = GR_MERKLE_BRANCHES,
    };
    (void)gr_node_send(node, peer, &begun);
}

static void show_leaves(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_served *served = node->entropy->served[peer];
    if (is_occupied(node, peer, served->partition)) { // both had begun, the other was quicker
        answer(node, peer, message, GR_MSG_LEAVES, GR_ERR_BUSY);
        close_served(node, served);
        return;
    }
    served->differs = true;
    bool late = node->config.canary == GR_CANARY_LATE_COMPARE;
    const struct gr_sum *leaf_of =
        late ? node->partition[served->partition].leaf : served->watch.leaf;
    uint32_t width = gr_merkle_leaves(node->ring) / GR_MERKLE_BRANCHES, count = 0;
    struct gr_sum sum[GR_MERKLE_LEAVES_MAX];
    for (uint32_t leaf = 0; leaf < gr_merkle_leaves(node->ring); leaf++)
        if (message->branches >> (leaf / width) & 1)
            sum[count++] = leaf_of[leaf];
    struct gr_message leaves = {
        .type = GR_MSG_LEAVES,
        .id = message->id,
        .sum_list = sum,
        .sum_count = count,
    };
    (void)gr_node_send(node, peer, &leaves);
}

// The leaf that begins at a cursor (or the number of leaves, at the end); -1 if none does.
static int leaf_at(const struct gr_node *node, uint32_t partition, gr_cursor cursor)
{
    uint32_t leaves = gr_merkle_leaves(node->ring);
    if (cursor == gr_merkle_first(node->ring, partition, leaves))
        return (int)leaves;
    if (cursor < gr_merkle_first(node->ring, partition, 0) ||
        cursor > gr_merkle_first(node->ring, partition, leaves))
        return -1;
    uint32_t leaf = gr_merkle_leaf(node->ring, partition, cursor);
    return cursor == gr_merkle_first(node->ring, partition, leaf) ? (int)leaf : -1;
}

static void ask(struct gr_node *node, struct gr_served *served, const struct gr_message *message)
{
    served->page_from = message->cursor;
    gr_walk_ask(node, &served->walk, message->limit);
}

// The next page of the range that is being walked, or the first of a new one.
static void walk(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_served *served = node->entropy->served[peer];
    struct gr_walk *at = &served->walk;
    bool goes_on = at->link.in && at->frontier == message->cursor &&
                   at->end == message->cursor_end && at->frontier > at->first;
    bool valid = at->op == NULL && message->limit > 0 && message->limit <= LIMIT_MAX;
    if (valid && !goes_on) {
        int from = leaf_at(node, served->partition, message->cursor);
        int to = leaf_at(node, served->partition, message->cursor_end);
        valid = from >= 0 && to > from;
        gr_walk_close(node, at);
        if (valid)
            gr_walk_open(node, at, GR_WALK_SERVED, served->partition, message->cursor,
                message->cursor_end, false);
        at->peer = peer;
    }
    if (valid)
        ask(node, served, message);
    else
        answer(node, peer, message, GR_MSG_PAGE, GR_ERR_INVALID);
}

// The page, and behind it each key of its range that was written since this node's clock was shown,
// without a record: the peer must offer it whatever it holds (E1).
static uint32_t with_written(struct gr_node *node, const struct gr_served *served, gr_cursor from,
    const struct gr_event *event, const struct gr_entry **ret)
{
    const struct gr_watch *watch = &served->watch;
    struct gr_entry *entry =
        gr_arena_array(&node->scratch, struct gr_entry, event->entry_count + watch->count);
    uint32_t count = event->entry_count;
    for (uint32_t i = 0; i < count; i++)
        entry[i] = event->entry[i];
    for (uint32_t i = 0; i < watch->count; i++) {
        const struct gr_key *key = &watch->note[i].key;
        gr_cursor cursor = gr_cursor_of(key->slot, key->hash);
        if (cursor >= from && cursor < served->walk.frontier)
            entry[count++] = (struct gr_entry){.key = *key};
    }
    *ret = entry;
    return count;
}

void gr_serve_on_page(
    struct gr_node *node, uint16_t peer, const struct gr_event *event, enum gr_err err)
{
    struct gr_served *served = node->entropy->served[peer];
    struct gr_walk *at = &served->walk;
    uint32_t partition = served->partition;
    if (err == GR_ERR_CORRUPT)
        gr_damage_partition(node, partition, "the store cannot read a partition");
    bool whole = err == GR_OK && at->frontier == at->end;
    if (whole && goes_on(node, served)) {
        uint32_t from = (uint32_t)leaf_at(node, partition, at->first);
        uint32_t to = (uint32_t)leaf_at(node, partition, at->end);
        struct gr_sum sum = gr_merkle_sum(node->partition[partition].leaf, from, to);
        if (!gr_damage_agrees(node, at->sum, sum))
            gr_damage_unsummed(node, partition, "the records of an exchange do not add up");
    }
    if (err == GR_OK && !goes_on(node, served))
        err = GR_ERR_CORRUPT;
    if (err == GR_OK && served->watch.overflow)
        err = GR_ERR_BUSY;
    struct gr_message page = {
        .type = GR_MSG_PAGE,
        .id = served->id,
        .status = err,
        .context = err == GR_OK ? event->context : GR_CONTEXT_NOTHING,
        .cursor = at->frontier,
    };
    if (err == GR_OK)
        page.entry_count = with_written(node, served, served->page_from, event, &page.entry);
    if (whole || err != GR_OK)
        gr_walk_close(node, at);
    (void)gr_node_send(node, peer, &page);
}

// Why an exchange that is open cannot go on, or GR_OK.
static enum gr_err trouble(const struct gr_node *node, const struct gr_served *served)
{
    bool goes = goes_on(node, served) || node->config.canary == GR_CANARY_JOIN_ACROSS_RESTART;
    return node->store != GR_OK ? node->store : goes ? GR_OK : GR_ERR_CORRUPT;
}

// V2.
static void take_offers(struct gr_node *node)
{
    struct gr_entropy *entropy = node->entropy;
    while (entropy->offers.first != NULL) {
        if (!gr_slice_key(node)) {
            gr_timer_set(&node->timers, &entropy->offers_timer, gr_node_background_at(node, 1));
            return;
        }
        struct gr_keyop *op = GR_CONTAINER(entropy->offers.first, struct gr_keyop, link);
        gr_list_remove(&entropy->offers, &op->link);
        const struct gr_message asked = {.id = op->peer_call, .index = op->index};
        uint16_t peer = op->peer;
        enum gr_err err = trouble(node, entropy->served[peer]);
        if (err == GR_OK) {
            node->memory -= op->arena.bytes; // until it is submitted
            gr_slice_bytes(node, gr_record_value_bytes(&op->incoming));
            err = gr_replica_submit(node, op);
        } else {
            gr_keyop_free(node, op);
        }
        if (err != GR_OK)
            answer(node, peer, &asked, GR_MSG_TAKEN, err);
    }
}

void gr_serve_timer(struct gr_node *node)
{
    take_offers(node);
}

static void take(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    const struct gr_served *served = node->entropy->served[peer];
    if (gr_ring_partition(node->ring, message->key.slot) != served->partition ||
        !gr_state_is_sound(&message->record)) {
        answer(node, peer, message, GR_MSG_TAKEN, GR_ERR_INVALID);
        return;
    }
    struct gr_keyop *op =
        gr_keyop_new(node, GR_KEYOP_OFFER, &message->key, gr_record_value_bytes(&message->record));
    if (op == NULL) {
        answer(node, peer, message, GR_MSG_TAKEN, GR_ERR_BUSY);
        return;
    }
    op->peer = peer;
    op->peer_call = message->id;
    op->index = message->index;
    op->hearsay = !message->witnessed;
    op->incoming = gr_record_copy(&op->arena, &message->record, false);
    node->stats.keys_taken++;
    node->memory += op->arena.bytes;
    gr_list_append(&node->entropy->offers, &op->link);
    if (node->entropy->offers.count == 1)
        take_offers(node);
}

// E6 of exchange.c: names keys that the peer must offer before it asks again. False: there are
// none.
static bool names_late(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_served *served = node->entropy->served[peer];
    struct gr_entry *entry = gr_arena_array(&node->scratch, struct gr_entry, LATE_MAX);
    struct gr_message page = {.type = GR_MSG_PAGE, .id = message->id, .entry = entry};
    const struct gr_key *key = NULL;
    while (page.entry_count < LATE_MAX &&
           (key = gr_watch_late(node, &served->watch, &message->clock_list[0])) != NULL)
        entry[page.entry_count++] = (struct gr_entry){.key = *key};
    if (page.entry_count > 0)
        (void)gr_node_send(node, peer, &page);
    return page.entry_count > 0;
}

static void join(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_served *served = node->entropy->served[peer];
    bool valid = message->clock_count == 1 && message->partition == served->partition;
    enum gr_err err = !valid ? GR_ERR_INVALID : served->watch.overflow ? GR_ERR_BUSY : GR_OK;
    if (err == GR_OK && names_late(node, peer, message))
        return;
    if (err == GR_OK) {
        gr_state_join(node, served->partition, &message->clock_list[0]);
        gr_damage_gave(node, served->partition, peer, served->lacking);
        gr_repair_joined(node, served->partition, peer, served->watch.since);
        gr_transfer_joined(node, served->partition, peer, served->lacking);
    }
    close_served(node, served);
    answer(node, peer, message, GR_MSG_JOINED, err);
}

static enum gr_message_type answer_of(enum gr_message_type type)
{
    return type == GR_MSG_BRANCH  ? GR_MSG_LEAVES
           : type == GR_MSG_WALK  ? GR_MSG_PAGE
           : type == GR_MSG_OFFER ? GR_MSG_TAKEN
                                  : GR_MSG_JOINED;
}

// The canary: an exchange that this run knows nothing of goes on where it is.
static bool take_up(
    struct gr_node *node, struct gr_served *served, const struct gr_message *message)
{
    uint32_t partition = message->type == GR_MSG_OFFER
                             ? gr_ring_partition(node->ring, message->key.slot)
                             : message->partition;
    if (message->type != GR_MSG_OFFER && message->type != GR_MSG_JOIN)
        return false;
    close_served(node, served);
    *served = (struct gr_served){.open = true, .id = message->id, .partition = partition};
    return true;
}

void gr_serve_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    struct gr_served *served = node->entropy->served[peer];
    if (message->type == GR_MSG_BEGIN)
        begin(node, peer, message);
    served->heard = node->now;
    if (message->type == GR_MSG_BEGIN)
        return;
    bool known = served->open && served->id == message->id;
    if (!known && node->config.canary == GR_CANARY_JOIN_ACROSS_RESTART)
        known = take_up(node, served, message);
    enum gr_err err = known ? trouble(node, served) : GR_ERR_TIMEOUT;
    if (err != GR_OK) { // V1
        answer(node, peer, message, answer_of(message->type), err);
        return;
    }
    if (message->type == GR_MSG_BRANCH)
        show_leaves(node, peer, message);
    else if (message->type == GR_MSG_WALK)
        walk(node, peer, message);
    else if (message->type == GR_MSG_OFFER)
        take(node, peer, message);
    else
        join(node, peer, message);
}

void gr_serve_on_link_down(struct gr_node *node, uint16_t peer)
{
    close_served(node, node->entropy->served[peer]);
}

void gr_serve_members(struct gr_node *node, uint16_t from, uint16_t to)
{
    struct gr_entropy *entropy = node->entropy;
    entropy->served = gr_hook_memory(entropy->served, to * sizeof *entropy->served);
    for (uint16_t m = from; m < to; m++) {
        entropy->served[m] = gr_hook_memory(NULL, sizeof **entropy->served);
        *entropy->served[m] = (struct gr_served){.open = false};
    }
}

void gr_entropy_deinit(struct gr_node *node)
{
    struct gr_entropy *entropy = node->entropy;
    gr_timer_stop(&node->timers, &entropy->pass.timer);
    gr_timer_stop(&node->timers, &entropy->round.timer);
    gr_timer_stop(&node->timers, &entropy->exchange.timer);
    gr_timer_stop(&node->timers, &entropy->offers_timer);
    gr_witness_deinit(node);
    gr_walk_close(node, &entropy->pass.walk);
    gr_walk_close(node, &entropy->exchange.walk);
    gr_arena_deinit(&entropy->exchange.here.arena);
    gr_arena_deinit(&entropy->exchange.there.arena);
    gr_arena_deinit(&entropy->exchange.arena);
    gr_clock_deinit(&entropy->exchange.theirs);
    gr_clock_deinit(&entropy->exchange.kept);
    gr_watch_close(node, &entropy->exchange.watch, entropy->exchange.partition);
    for (uint16_t m = 0; m < node->member_capacity; m++) {
        close_served(node, entropy->served[m]);
        gr_hook_memory(entropy->served[m], 0);
    }
    gr_timer_stop(&node->timers, &entropy->transfer.timer);
    gr_leave_deinit(node);
    gr_drop_deinit(node);
    for (uint32_t i = 0; i < entropy->round.count; i++)
        gr_clock_deinit(&entropy->round.clock[i]);
    gr_hook_memory(entropy->round.clock, 0);
    gr_hook_memory(entropy->round.partition, 0);
    gr_repair_deinit(node);
    gr_hook_memory(entropy->served, 0);
    gr_hook_memory(entropy, 0);
    for (uint32_t p = 0; p < node->ring->partitions; p++)
        gr_hook_memory(node->partition[p].leaf, 0);
    node->entropy = NULL;
}
