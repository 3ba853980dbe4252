// A page of keys, and how many keys there are (§5's reads, over a range).
//
// A scan walks the partitions in order. Of each it asks R holders for a page from the same place;
// each page comes from one snapshot, with the fill of that snapshot's clock, so that "this holder
// does not have the key" is as exact as in a get. The pages are merged key by key up to where the
// shortest of them ends.
//
//   C1  A key that is present throughout a walk from 0 to the end is returned at least once.
//   C2  A page never ends inside one cursor value.
//   C3  A key is shown if the merge of R holders has a value that is not due.
//
// Owns: pages are copied into the call's arena. Bounds: PARTITIONS_PER_CALL partitions, about
// `limit` keys, or ARENA_BYTES_MAX and the pages then at hand in one call, so an answer may be
// short, or empty, and still have more behind it.
#include "core/entropy.h"

#include <string.h>

enum { PARTITIONS_PER_CALL = 64, LIMIT_MAX = 10000, ARENA_BYTES_MAX = 4 << 20 };

enum page_state { UNASKED, ASKED, ANSWERED, FAILED };

struct page {
    uint8_t state;
    const struct gr_entry *entry;
    uint32_t count, at;
    struct gr_context fill;
    gr_cursor end;
};

struct gr_scan {
    struct gr_call call;
    struct gr_bytes bucket;
    uint32_t limit;
    uint8_t r;
    gr_cursor cursor;
    uint32_t partition;
    struct gr_preference list; // of that partition
    uint32_t visited;          // partitions finished in this call
    struct page page[GR_REPLICAS_MAX];
    struct gr_key *key;
    uint32_t key_count, key_capacity;
};

// What this node holds, wanted by a call here or by a peer.
struct gr_scanop {
    struct gr_map_link by_ticket;
    uint64_t call;
    uint16_t peer;
    uint64_t peer_call;
    bool of_walk;
    struct gr_walk *walk; // NULL: it was closed, the page is for nobody
};

static void ask_partition(struct gr_node *node, struct gr_scan *scan);

// ---- the holder's side ---------------------------------------------------------------------

static void read_page(struct gr_node *node, struct gr_scanop want, uint32_t partition,
    gr_cursor cursor, uint32_t limit)
{
    struct gr_scanop *op = gr_hook_memory(NULL, sizeof *op);
    *op = want;
    uint64_t ticket = gr_node_id(node);
    gr_map_insert(&node->scans, &op->by_ticket, ticket);
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_SCAN,
                           .ticket = ticket,
                           .scan = GR_SCAN_RECORDS,
                           .partition = partition,
                           .cursor = cursor,
                           .limit = limit});
}

struct gr_scanop *gr_scan_walk(struct gr_node *node, struct gr_walk *walk, uint32_t limit)
{
    struct gr_scanop *op = gr_hook_memory(NULL, sizeof *op);
    *op = (struct gr_scanop){.of_walk = true, .walk = walk};
    uint64_t ticket = gr_node_id(node);
    gr_map_insert(&node->scans, &op->by_ticket, ticket);
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_SCAN,
                           .ticket = ticket,
                           .scan = GR_SCAN_RECORDS,
                           .partition = walk->partition,
                           .cursor = walk->frontier,
                           .cursor_end = walk->end,
                           .lenient = true,
                           .limit = limit});
    return op;
}

void gr_scan_drop(struct gr_scanop *op)
{
    op->walk = NULL;
}

static int64_t count_partitions(
    const struct gr_node *node, const uint16_t *partition, uint32_t count)
{
    int64_t keys = 0;
    for (uint32_t i = 0; i < count; i++)
        keys += node->partition[partition[i]].count;
    return keys;
}

void gr_scan_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message)
{
    if (message->type == GR_MSG_COUNT) {
        struct gr_message counted = {.type = GR_MSG_COUNTED, .id = message->id};
        for (uint32_t i = 0; i < message->partition_count; i++)
            if (message->partition_list[i] >= node->ring->partitions)
                counted.status = GR_ERR_INVALID;
        if (counted.status == GR_OK)
            counted.count =
                count_partitions(node, message->partition_list, message->partition_count);
        (void)gr_node_send(node, peer, &counted);
        return;
    }
    struct gr_message refusal = {.type = GR_MSG_PAGE, .id = message->id, .status = GR_ERR_BUSY};
    if (message->partition >= node->ring->partitions || message->limit > LIMIT_MAX)
        refusal.status = GR_ERR_INVALID;
    else if (!gr_holder_shows(node, message->partition))
        refusal.status = GR_ERR_NOT_OWNER;
    else if (node->partition[message->partition].damage != NULL)
        refusal.status = GR_ERR_CORRUPT;
    else if (node->scans.count < node->config.calls_max) {
        read_page(node, (struct gr_scanop){.peer = peer, .peer_call = message->id},
            message->partition, message->cursor, message->limit);
        return;
    }
    (void)gr_node_send(node, peer, &refusal);
}

bool gr_scan_on_done(struct gr_node *node, const struct gr_event *event)
{
    struct gr_map_link *link = gr_map_first(&node->scans, event->ticket);
    if (link == NULL)
        return false;
    struct gr_scanop op = *GR_CONTAINER(link, struct gr_scanop, by_ticket);
    gr_map_remove(&node->scans, link);
    gr_hook_memory(GR_CONTAINER(link, struct gr_scanop, by_ticket), 0);
    if (op.of_walk) {
        if (op.walk != NULL)
            gr_walk_on_page(node, op.walk, event);
        return true;
    }
    struct gr_message page = {
        .type = GR_MSG_PAGE,
        .id = op.peer_call,
        .status = event->status,
        .context = event->context,
        .entry = event->entry,
        .entry_count = event->entry_count,
        .cursor = event->cursor,
    };
    if (op.call == 0) {
        (void)gr_node_send(node, op.peer, &page);
        return true;
    }
    struct gr_call *call = gr_call_find(node, GR_CALL_SCAN, op.call);
    if (call != NULL)
        gr_scan_on_page(node, call, node->config.self, &page);
    return true;
}

// ---- the coordinator's side ------------------------------------------------------------------

static void answer(struct gr_node *node, struct gr_scan *scan, enum gr_err err)
{
    uint8_t answered = 0;
    for (uint8_t i = 0; i < scan->list.n; i++)
        answered += scan->page[i].state == ANSWERED;
    struct gr_result result = {
        .outcome = err == GR_OK ? GR_DONE : GR_REJECTED,
        .err = err,
        .acks = answered,
        .primaries = answered,
        .needed = scan->r,
        .timeout = gr_call_waited(node, &scan->call, node->config.read_timeout),
        .now = node->wall,
        .key = scan->key,
        .key_count = scan->key_count,
        .cursor = scan->cursor,
    };
    gr_done_tell(node, &scan->call.done, &result, true);
    gr_call_free(node, &scan->call);
}

static void show(struct gr_scan *scan, const struct gr_key *key)
{
    if (!gr_bytes_equal(key->bucket, scan->bucket))
        return;
    if (scan->key_count == scan->key_capacity) {
        scan->key_capacity = GR_MAX(scan->key_capacity * 2, 32);
        struct gr_key *more = gr_arena_array(&scan->call.arena, struct gr_key, scan->key_capacity);
        if (scan->key_count > 0)
            memcpy(more, scan->key, scan->key_count * sizeof *more);
        scan->key = more;
    }
    scan->key[scan->key_count++] = *key;
}

// The smallest key that some page has not shown yet, below `end`; NULL when there is none.
static const struct gr_key *smallest(const struct gr_scan *scan, gr_cursor end)
{
    const struct gr_key *least = NULL;
    for (uint8_t i = 0; i < scan->list.n; i++) {
        const struct page *page = &scan->page[i];
        if (page->state != ANSWERED || page->at == page->count)
            continue;
        const struct gr_key *key = &page->entry[page->at].key;
        if (gr_cursor_of(key->slot, key->hash) < end &&
            (least == NULL || gr_key_compare(key, least) < 0))
            least = key;
    }
    return least;
}

// C3, for one key: what R holders say of it together.
static bool alive(struct gr_node *node, struct gr_scan *scan, const struct gr_key *key)
{
    struct gr_record merged = GR_RECORD_NOTHING;
    for (uint8_t i = 0; i < scan->list.n; i++) {
        struct page *page = &scan->page[i];
        if (page->state != ANSWERED)
            continue;
        struct gr_record held = GR_RECORD_NOTHING;
        if (page->at < page->count && gr_key_compare(&page->entry[page->at].key, key) == 0)
            held = page->entry[page->at++].record;
        held.context = gr_context_join(&node->scratch, &held.context, &page->fill);
        merged = gr_record_merge(&node->scratch, &merged, &held);
    }
    const struct gr_sibling *winner = gr_record_winner(&merged);
    return winner != NULL && !gr_sibling_due(winner, node->wall);
}

// R pages of a partition are here: show what they have in common range, and go on.
static void merge_pages(struct gr_node *node, struct gr_scan *scan)
{
    gr_cursor end = GR_CURSOR_END;
    for (uint8_t i = 0; i < scan->list.n; i++)
        if (scan->page[i].state == ANSWERED)
            end = GR_MIN(end, scan->page[i].end);
    const struct gr_key *key;
    while ((key = smallest(scan, end)) != NULL) {
        struct gr_key at = *key;
        if (alive(node, scan, &at))
            show(scan, &at);
    }
    gr_probe(&node->probes, GR_PROBE_SCAN_MERGED);
    gr_assert(end > scan->cursor || end == GR_CURSOR_END);
    scan->cursor = end;
    gr_cursor partition_end = (gr_cursor)gr_ring_first_slot(node->ring, scan->partition + 1) << 38;
    scan->visited += end >= partition_end;
    gr_call_account(node, &scan->call);
    if (scan->cursor >= GR_CURSOR_END || scan->key_count >= scan->limit ||
        scan->visited >= PARTITIONS_PER_CALL || scan->call.arena.bytes >= ARENA_BYTES_MAX)
        answer(node, scan, GR_OK);
    else
        ask_partition(node, scan);
}

static bool ask(struct gr_node *node, struct gr_scan *scan, uint8_t position)
{
    uint16_t member = scan->list.voter[position];
    bool own = member == node->config.self;
    if (!(scan->list.held >> position & 1) ||
        (own && (node->partition[scan->partition].damage != NULL ||
                    !gr_holder_shows(node, scan->partition))))
        return false; // what is missing here is unknown, not absent
    if (own) {
        read_page(node, (struct gr_scanop){.call = scan->call.id}, scan->partition, scan->cursor,
            scan->limit);
        return true;
    }
    struct gr_message message = {
        .type = GR_MSG_SCAN,
        .id = scan->call.id,
        .deadline_ms = gr_node_remaining_ms(node, scan->call.deadline),
        .partition = scan->partition,
        .cursor = scan->cursor,
        .limit = scan->limit,
    };
    return gr_node_send(node, member, &message);
}

// Keeps R holders asked: this node first, then the preference list. Fails when too few are left.
static void ask_more(struct gr_node *node, struct gr_scan *scan)
{
    const uint16_t *owner = scan->list.voter;
    uint8_t busy = 0;
    for (uint8_t i = 0; i < scan->list.n; i++)
        busy += scan->page[i].state == ASKED || scan->page[i].state == ANSWERED;
    for (int local = 1; local >= 0; local--) {
        for (uint8_t i = 0; i < scan->list.n && busy < scan->r; i++) {
            if (scan->page[i].state != UNASKED || (owner[i] == node->config.self) != local)
                continue;
            bool asked = ask(node, scan, i);
            scan->page[i].state = asked ? ASKED : FAILED;
            busy += asked;
        }
    }
    if (busy < scan->r)
        answer(node, scan, GR_ERR_READ_QUORUM);
}

static void ask_partition(struct gr_node *node, struct gr_scan *scan)
{
    scan->partition = gr_ring_partition(node->ring, (uint16_t)(scan->cursor >> 38));
    scan->list = gr_holder_list(node, scan->partition);
    memset(scan->page, 0, sizeof scan->page);
    scan->call.deadline = gr_instant_after(node->now, node->config.read_timeout);
    gr_timer_set(&node->timers, &scan->call.timer, scan->call.deadline);
    ask_more(node, scan);
}

void gr_scan_on_page(
    struct gr_node *node, struct gr_call *call, uint16_t member, const struct gr_message *message)
{
    struct gr_scan *scan = (struct gr_scan *)call;
    int position = gr_preference_position(&scan->list, member);
    if (position < 0 || scan->page[position].state != ASKED)
        return;
    struct page *page = &scan->page[position];
    gr_cursor partition_end = (gr_cursor)gr_ring_first_slot(node->ring, scan->partition + 1) << 38;
    if (message->status != GR_OK || message->cursor <= scan->cursor ||
        message->cursor > partition_end) {
        page->state = FAILED;
        ask_more(node, scan);
        return;
    }
    struct gr_entry *entry = gr_arena_array(&call->arena, struct gr_entry, message->entry_count);
    for (uint32_t i = 0; i < message->entry_count; i++)
        entry[i] = (struct gr_entry){
            .key = gr_key_copy(&call->arena, &message->entry[i].key),
            .record = gr_record_copy(&call->arena, &message->entry[i].record, true),
        };
    *page = (struct page){
        .state = ANSWERED,
        .entry = entry,
        .count = message->entry_count,
        .fill = gr_context_copy(&call->arena, &message->context),
        .end = message->cursor,
    };
    gr_call_account(node, call);
    uint8_t answered = 0;
    for (uint8_t i = 0; i < scan->list.n; i++)
        answered += scan->page[i].state == ANSWERED;
    if (answered >= scan->r)
        merge_pages(node, scan);
}

void gr_scan_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    struct gr_scan *scan = (struct gr_scan *)call;
    int position = gr_preference_position(&scan->list, peer);
    if (position < 0 || scan->page[position].state != ASKED)
        return;
    scan->page[position].state = FAILED;
    ask_more(node, scan);
}

void gr_scan_timer(struct gr_node *node, struct gr_call *call)
{
    answer(node, (struct gr_scan *)call, GR_ERR_READ_QUORUM);
}

void gr_scan_free(struct gr_node *node)
{
    for (uint32_t i = 0; i < node->scans.bucket_count; i++) {
        while (node->scans.bucket[i] != NULL) {
            struct gr_map_link *link = node->scans.bucket[i];
            gr_map_remove(&node->scans, link);
            gr_hook_memory(GR_CONTAINER(link, struct gr_scanop, by_ticket), 0);
        }
    }
    gr_map_deinit(&node->scans);
}

static void refuse(struct gr_node *node, const struct gr_request *request, enum gr_err err)
{
    struct gr_done done = gr_node_done(node, request);
    struct gr_result result = {.outcome = GR_REJECTED, .err = err, .now = node->wall};
    gr_done_tell(node, &done, &result, true);
}

void gr_scan_start(struct gr_node *node, const struct gr_request *request)
{
    bool valid = request->r <= node->ring->n && request->cursor < GR_CURSOR_END;
    if (!valid || !gr_node_has_room(node, 0)) {
        refuse(node, request, valid ? GR_ERR_BUSY : GR_ERR_INVALID);
        return;
    }
    struct gr_done done = gr_node_done(node, request);
    struct gr_scan *scan =
        gr_call_new(node, GR_CALL_SCAN, sizeof *scan, &done, node->config.read_timeout);
    scan->bucket = gr_arena_copy(&scan->call.arena, request->key.bucket);
    scan->limit = GR_MIN(GR_MAX(request->limit, 1), LIMIT_MAX);
    scan->r = request->r;
    scan->cursor = request->cursor;
    gr_call_account(node, &scan->call);
    ask_partition(node, scan);
}

// ---- counting ------------------------------------------------------------------------------

struct gr_count {
    struct gr_call call;
    int64_t keys;
    bool *asked; // by member: it has not counted yet
    uint16_t members;
    uint32_t waiting; // how many
};

static void answer_count(struct gr_node *node, struct gr_count *count, enum gr_err err)
{
    struct gr_result result = {
        .outcome = err == GR_OK ? GR_DONE : GR_REJECTED,
        .err = err,
        .needed = 1,
        .timeout = gr_call_waited(node, &count->call, node->config.read_timeout),
        .now = node->wall,
        .count = count->keys,
    };
    gr_done_tell(node, &count->call.done, &result, true);
    gr_call_free(node, &count->call);
}

void gr_count_on_counted(
    struct gr_node *node, struct gr_call *call, uint16_t member, const struct gr_message *message)
{
    struct gr_count *count = (struct gr_count *)call;
    if (member >= count->members || !count->asked[member])
        return;
    count->asked[member] = false;
    if (message->status != GR_OK) {
        answer_count(node, count, GR_ERR_READ_QUORUM);
        return;
    }
    count->keys += message->count;
    if (--count->waiting == 0)
        answer_count(node, count, GR_OK);
}

void gr_count_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    struct gr_count *count = (struct gr_count *)call;
    if (peer < count->members && count->asked[peer])
        answer_count(node, count, GR_ERR_READ_QUORUM);
}

void gr_count_timer(struct gr_node *node, struct gr_call *call)
{
    answer_count(node, (struct gr_count *)call, GR_ERR_READ_QUORUM);
}

// The member that counts a partition: this node if it holds it, else the first that does and is up.
static int counter_of(struct gr_node *node, uint32_t partition)
{
    struct gr_preference list = gr_holder_list(node, partition);
    if (gr_holder_shows(node, partition))
        return node->config.self;
    for (uint8_t i = 0; i < list.n; i++)
        if ((list.held >> i & 1) && list.voter[i] != node->config.self &&
            node->peer[list.voter[i]].up)
            return list.voter[i];
    return -1;
}

void gr_count_start(struct gr_node *node, const struct gr_request *request)
{
    if (!gr_node_has_room(node, 0)) {
        refuse(node, request, GR_ERR_BUSY);
        return;
    }
    struct gr_done done = gr_node_done(node, request);
    struct gr_count *count =
        gr_call_new(node, GR_CALL_COUNT, sizeof *count, &done, node->config.read_timeout);
    uint32_t partitions = node->ring->partitions;
    count->members = node->ring->member_count;
    count->asked = gr_arena_take_zero(&count->call.arena, count->members);
    gr_call_account(node, &count->call);
    int32_t *counter = gr_arena_array(&node->scratch, int32_t, partitions);
    uint16_t *list = gr_arena_array(&node->scratch, uint16_t, partitions);
    enum gr_err err = GR_OK;
    for (uint32_t p = 0; p < partitions; p++) {
        counter[p] = counter_of(node, p);
        if (counter[p] < 0)
            err = GR_ERR_READ_QUORUM;
    }
    for (uint16_t m = 0; m < node->ring->member_count && err == GR_OK; m++) {
        uint32_t size = 0;
        for (uint32_t p = 0; p < partitions; p++)
            if (counter[p] == m)
                list[size++] = (uint16_t)p;
        if (size == 0)
            continue;
        if (m == node->config.self) {
            count->keys += count_partitions(node, list, size);
            continue;
        }
        struct gr_message message = {.type = GR_MSG_COUNT,
            .id = count->call.id,
            .partition_list = list,
            .partition_count = size};
        count->asked[m] = gr_node_send(node, m, &message);
        if (count->asked[m])
            count->waiting++;
        else
            err = GR_ERR_READ_QUORUM;
    }
    if (err != GR_OK || count->waiting == 0)
        answer_count(node, count, err);
    else
        gr_timer_set(&node->timers, &count->call.timer, count->call.deadline);
}
