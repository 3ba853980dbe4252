// Walks: reads a range of the store page by page while writes go on, and knows at every moment what
// everything read so far adds up to (§4.7).
//
// Think of counting the cars of a train that goes on being shunted. Behind you every change is
// seen, and you correct your number; ahead of you nothing counts yet. While you read a carriage, a
// change there may or may not be in what you see: you note it down, and when the page comes it says
// which of your notes it knew.
//
//   K1  The sums hold exactly the records below the frontier, as they are after all writes emitted
//       so far.
//   K2  A page says which writes its snapshot contains; those noted while it was under way that it
//       does not contain are applied when it comes.
//   K3  The frontier only stands where a page ended, never inside one cursor value.
//
//   open -> ask -> page: frontier moves -> ask ... -> frontier = end -> close
//
// Owns: its leaf sums and notes, until closed. Bounds: GR_WALK_NOTES_MAX notes, over which the page
// is read again; GR_WALK_PAGE_KEYS keys a page.
#include "core/entropy.h"

#include <string.h>

void gr_walk_open(struct gr_node *node, struct gr_walk *walk, enum gr_walk_owner owner,
    uint32_t partition, gr_cursor first, gr_cursor end, bool leaves)
{
    gr_assert(!walk->link.in && first < end);
    *walk = (struct gr_walk){
        .owner = owner,
        .partition = partition,
        .first = first,
        .frontier = first,
        .end = end,
    };
    if (leaves) {
        size_t bytes = gr_merkle_leaves(node->ring) * sizeof *walk->leaf;
        walk->leaf = gr_hook_memory(NULL, bytes);
        memset(walk->leaf, 0, bytes);
    }
    gr_list_append(&node->partition[partition].walks, &walk->link);
}

void gr_walk_close(struct gr_node *node, struct gr_walk *walk)
{
    if (!walk->link.in)
        return;
    gr_list_remove(&node->partition[walk->partition].walks, &walk->link);
    if (walk->op != NULL)
        gr_scan_drop(walk->op);
    gr_hook_memory(walk->leaf, 0);
    gr_hook_memory(walk->note, 0);
    walk->op = NULL;
    walk->leaf = NULL;
    walk->note = NULL;
}

void gr_walk_ask(struct gr_node *node, struct gr_walk *walk, uint32_t limit)
{
    gr_assert(walk->link.in && walk->op == NULL && walk->frontier < walk->end);
    walk->limit = limit;
    walk->note_count = 0;
    walk->overflow = false;
    walk->op = gr_scan_walk(node, walk, limit);
}

static void add(struct gr_node *node, struct gr_walk *walk, gr_cursor cursor, struct gr_sum before,
    struct gr_sum after, int counted)
{
    walk->sum = gr_sum_add(gr_sum_subtract(walk->sum, before), after);
    walk->count += counted;
    if (walk->leaf == NULL)
        return;
    struct gr_sum *leaf = &walk->leaf[gr_merkle_leaf(node->ring, walk->partition, cursor)];
    *leaf = gr_sum_add(gr_sum_subtract(*leaf, before), after);
}

struct gr_sum gr_walk_hash(
    struct gr_node *node, const struct gr_key *key, const struct gr_record *stored)
{
    struct gr_record hashed = *stored;
    if (node->config.canary == GR_CANARY_LEAF_WITHOUT_CONTEXT)
        hashed.context = GR_CONTEXT_NOTHING;
    return gr_merkle_hash(&node->scratch, key, &hashed);
}

static void take_note(struct gr_walk *walk, const struct gr_walk_note *note)
{
    if (walk->note_count == GR_WALK_NOTES_MAX) {
        walk->overflow = true;
        return;
    }
    if (walk->note_count == walk->note_capacity) {
        walk->note_capacity = GR_MAX(walk->note_capacity * 2, 64);
        walk->note = gr_hook_memory(walk->note, walk->note_capacity * sizeof *walk->note);
    }
    walk->note[walk->note_count++] = *note;
}

void gr_watch_open(
    struct gr_node *node, struct gr_watch *watch, uint32_t partition, uint64_t exchange)
{
    struct gr_partition *p = &node->partition[partition];
    gr_assert(!watch->link.in && p->leaf != NULL);
    size_t bytes = gr_merkle_leaves(node->ring) * sizeof *watch->leaf;
    *watch = (struct gr_watch){
        .exchange = exchange,
        .since = node->now,
        .clock = gr_clock_copy(&p->clock),
        .leaf = gr_hook_memory(NULL, bytes),
    };
    memcpy(watch->leaf, p->leaf, bytes);
    gr_list_append(&p->watches, &watch->link);
}

void gr_watch_close(struct gr_node *node, struct gr_watch *watch, uint32_t partition)
{
    if (!watch->link.in)
        return;
    gr_list_remove(&node->partition[partition].watches, &watch->link);
    gr_clock_deinit(&watch->clock);
    gr_hook_memory(watch->leaf, 0);
    gr_arena_deinit(&watch->arena);
    watch->leaf = NULL;
    watch->count = watch->capacity = 0;
}

static void note_write(struct gr_watch *watch, const struct gr_key *key, const struct gr_dot *dot)
{
    watch->overflow |= watch->arena.bytes >= GR_WATCH_BYTES_MAX;
    if (watch->overflow)
        return;
    struct gr_watch_note *note = (struct gr_watch_note *)watch->note;
    if (watch->count == watch->capacity) {
        watch->capacity = GR_MAX(watch->capacity * 2, 16);
        note = gr_arena_array(&watch->arena, struct gr_watch_note, watch->capacity);
        if (watch->count > 0)
            memcpy(note, watch->note, watch->count * sizeof *note);
        watch->note = note;
    }
    note[watch->count++] =
        (struct gr_watch_note){.key = gr_key_copy(&watch->arena, key), .dot = *dot};
}

static void watch_write(
    struct gr_watch *watch, const struct gr_keyop *op, const struct gr_record *record)
{
    const struct gr_dot none = {0};
    bool brought = (op->kind == GR_KEYOP_OFFER && op->peer_call == watch->exchange) ||
                   (op->kind == GR_KEYOP_TAKEN && op->call == watch->exchange);
    uint32_t noted = 0;
    for (uint32_t i = 0; i < record->count && !brought; i++) {
        if (gr_clock_has(&watch->clock, &record->sibling[i].dot))
            continue;
        note_write(watch, &op->key, &record->sibling[i].dot);
        noted++;
    }
    if (noted == 0)
        note_write(watch, &op->key, &none);
}

const struct gr_key *gr_watch_late(
    struct gr_node *node, struct gr_watch *watch, const struct gr_clock *theirs)
{
    while (watch->late < watch->count) {
        const struct gr_watch_note *note = &watch->note[watch->late++];
        if (note->dot.counter == 0 || !gr_clock_has(theirs, &note->dot))
            continue;
        gr_probe(&node->probes, GR_PROBE_EXCHANGE_LATE);
        if (node->config.canary != GR_CANARY_LATE_UNOFFERED)
            return &note->key;
    }
    return NULL;
}

void gr_walk_written(struct gr_node *node, const struct gr_keyop *op,
    const struct gr_record *record, struct gr_sum before, struct gr_sum after, int counted)
{
    uint32_t partition = op->partition;
    const struct gr_key *key = &op->key;
    struct gr_partition *p = &node->partition[partition];
    gr_cursor cursor = gr_cursor_of(key->slot, key->hash);
    p->count += counted;
    p->sum = gr_sum_add(gr_sum_subtract(p->sum, before), after);
    if (p->leaf != NULL) {
        struct gr_sum *leaf = &p->leaf[gr_merkle_leaf(node->ring, partition, cursor)];
        *leaf = gr_sum_add(gr_sum_subtract(*leaf, before), after);
    }
    for (struct gr_link *link = p->watches.first; link != NULL; link = link->after)
        watch_write(GR_CONTAINER(link, struct gr_watch, link), op, record);
    for (struct gr_link *link = p->walks.first; link != NULL; link = link->after) {
        struct gr_walk *walk = GR_CONTAINER(link, struct gr_walk, link);
        if (cursor >= walk->first && cursor < walk->frontier)
            add(node, walk, cursor, before, after, counted);
        else if (cursor >= walk->frontier && cursor < walk->end && walk->op != NULL)
            take_note(walk, &(struct gr_walk_note){node->writes, cursor, before, after, counted});
    }
}

static void add_page(struct gr_node *node, struct gr_walk *walk, const struct gr_event *event)
{
    const struct gr_sum none = {0};
    gr_cursor end = GR_MIN(event->cursor, walk->end);
    for (uint32_t i = 0; i < event->entry_count; i++) {
        const struct gr_entry *entry = &event->entry[i];
        gr_cursor cursor = gr_cursor_of(entry->key.slot, entry->key.hash);
        gr_assert(cursor >= walk->frontier && cursor < end);
        add(node, walk, cursor, none, gr_walk_hash(node, &entry->key, &entry->record),
            entry->record.count > 0);
    }
    for (uint32_t i = 0; i < walk->note_count; i++) {
        const struct gr_walk_note *note = &walk->note[i];
        bool later = note->number > event->number;
        gr_probe(&node->probes, later ? GR_PROBE_WALK_NOTED : GR_PROBE_WALK_SHOWN);
        if (later && note->cursor < end)
            add(node, walk, note->cursor, note->before, note->after, note->counted);
    }
    walk->frontier = end;
}

void gr_walk_on_page(struct gr_node *node, struct gr_walk *walk, const struct gr_event *event)
{
    walk->op = NULL;
    enum gr_err err = event->status;
    if (err == GR_OK && walk->overflow) {
        gr_walk_ask(node, walk, walk->limit);
        return;
    }
    if (err == GR_OK && node->store != GR_OK)
        err = node->store; // what the store did not take is in the sums, and not in the page
    if (err == GR_OK)
        add_page(node, walk, event);
    for (uint32_t i = 0; i < event->entry_count && err == GR_OK; i++) {
        if (!event->entry[i].unreadable)
            continue;
        gr_latches_forget(node); // what is cached of that row is not what is there
        gr_damage_unreadable(node, &event->entry[i].key);
    }
    switch (walk->owner) {
    case GR_WALK_PASS:
        gr_pass_on_page(node, event->entry_count, err);
        break;
    case GR_WALK_EXCHANGE:
        gr_exchange_on_page(node, event, err);
        break;
    case GR_WALK_SERVED:
        gr_serve_on_page(node, walk->peer, event, err);
        break;
    case GR_WALK_WITNESS:
        gr_witness_on_page(node, walk, event, err);
        break;
    case GR_WALK_DROP:
        gr_drop_on_page(node, event, err);
        break;
    }
}
