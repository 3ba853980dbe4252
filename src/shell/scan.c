// Walks over the store's rows for a node; see scan.h.
//
//   I1  A page and the clock that it is filled with come from one snapshot (DESIGN.md §4, "one
//       moment").
//   I2  A page of records never ends inside one cursor value: two keys with the same cursor are on
//       the same page, so a walk that goes on at `end` misses neither.
#include "shell/scan.h"

#include <stdio.h>
#include <string.h>

#include "wire/disk.h"

// Entries and dots that grow in an arena: doubled, the old half is left to the arena.
static void *grow(
    struct gr_arena *arena, void *old, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return old;
    uint32_t larger = *capacity == 0 ? 64 : *capacity * 2;
    void *array = gr_arena_take(arena, larger * size);
    if (count > 0)
        memcpy(array, old, count * size);
    *capacity = larger;
    return array;
}

static enum gr_err scan_next(struct gr_scan_page *page, struct gr_store_scan *scan,
    struct gr_bytes *ret_key, struct gr_bytes *ret_value)
{
    enum gr_err err = gr_store_scan_next(scan, ret_key, ret_value);
    page->engine_corrupt |= err == GR_ERR_CORRUPT;
    return err;
}

// The fill of the partition's clock, as the snapshot has it.
static enum gr_err read_fill(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_arena *arena, struct gr_scan_page *page)
{
    struct gr_disk_range range = gr_disk_range_clock(arena, page->partition);
    struct gr_store_scan *scan = gr_store_scan_open(store, snapshot, range.from, range.to);
    struct gr_dot *base = NULL;
    uint32_t count = 0, capacity = 0;
    struct gr_bytes key, value;
    enum gr_err err;
    while ((err = scan_next(page, scan, &key, &value)) == GR_OK) {
        uint32_t partition = 0;
        struct gr_clock_row row;
        err = gr_disk_read_clock(key, value, arena, &partition, &row);
        if (err != GR_OK)
            break;
        if (row.base == 0)
            continue;
        base = grow(arena, base, count, &capacity, sizeof(*base));
        base[count++] = (struct gr_dot){row.actor, row.base};
    }
    gr_store_scan_close(scan);
    if (err != GR_ERR_NOT_FOUND)
        return err;
    page->context = gr_context_make(arena, base, count, NULL, 0);
    return GR_OK;
}

// One row of the page's kind as an entry.
static enum gr_err read_entry(const struct gr_scan_page *page, struct gr_bytes row_key,
    struct gr_bytes value, struct gr_arena *arena, struct gr_entry *ret)
{
    struct gr_key key;
    struct gr_wall minute;
    uint32_t partition;
    enum gr_err err = GR_OK;
    *ret = (struct gr_entry){.record = GR_RECORD_NOTHING};
    switch (page->kind) {
    case GR_SCAN_RECORDS:
        err = gr_disk_read_record_key(row_key, &key);
        if (err == GR_OK)
            err = gr_disk_read_record(row_key, value, true, arena, &ret->record);
        ret->unreadable = err == GR_ERR_CORRUPT && page->lenient &&
                          gr_disk_read_record_key(row_key, &key) == GR_OK;
        if (ret->unreadable)
            err = GR_OK;
        break;
    case GR_SCAN_DUE:
        err = gr_disk_read_due(row_key, &minute, &key);
        if (err == GR_OK)
            ret->due = minute;
        break;
    case GR_SCAN_LEFTOVER:
        err = gr_disk_read_leftover(row_key, &partition, &key);
        break;
    case GR_SCAN_HINTS:
        gr_unreachable("hints are no entries");
    }
    if (err == GR_OK)
        ret->key = gr_key_copy(arena, &key);
    return err == GR_ERR_FORMAT ? GR_ERR_CORRUPT : err;
}

// True when the page is full and this key belongs to the next one (I2).
static bool page_ends(const struct gr_scan_page *page, const struct gr_key *key)
{
    if (page->entry_count < page->limit)
        return false;
    if (page->kind != GR_SCAN_RECORDS || page->entry_count == 0)
        return true;
    const struct gr_key *last = &page->entry[page->entry_count - 1].key;
    return gr_cursor_of(last->slot, last->hash) != gr_cursor_of(key->slot, key->hash);
}

static struct gr_disk_range range_of(
    const struct gr_scan_page *page, uint32_t partitions, struct gr_arena *arena)
{
    switch (page->kind) {
    case GR_SCAN_RECORDS:
        if (page->cursor_end != 0)
            return gr_disk_range_cursors(arena, GR_MIN(page->cursor, page->end), page->end);
        return gr_disk_range_records(arena, partitions, page->partition, page->cursor);
    case GR_SCAN_DUE:
        return gr_disk_range_due(arena, page->wall);
    case GR_SCAN_LEFTOVER:
        return gr_disk_range_leftover(arena, page->partition);
    case GR_SCAN_HINTS:
        break; // gr_scan_hints
    }
    gr_unreachable("kind of scan");
}

// Hints owed to one member: of one key, or a page from a cursor on.
static enum gr_err run_hints(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_arena *arena, struct gr_scan_page *page)
{
    bool one_key = page->key.key.size > 0;
    gr_cursor from = one_key ? gr_cursor_of(page->key.slot, page->key.hash) : page->cursor;
    struct gr_disk_range range = gr_disk_range_hints(arena, page->owner, from);
    struct gr_store_scan *scan = gr_store_scan_open(store, snapshot, range.from, range.to);
    struct gr_bytes row_key, value;
    uint32_t capacity = 0;
    size_t bytes = 0;
    enum gr_err err;
    page->end = GR_CURSOR_END;
    while ((err = gr_store_scan_next(scan, &row_key, &value)) == GR_OK) {
        struct gr_hint hint;
        err = gr_disk_read_hint(row_key, value, arena, &hint);
        if (err != GR_OK)
            break;
        gr_cursor at = gr_cursor_of(hint.key.slot, hint.key.hash);
        if (one_key && at > from)
            break;
        if (page->hint_count >= page->limit || bytes >= GR_HINT_PAGE_BYTES) {
            page->end = at;
            break;
        }
        if (one_key && !gr_key_equal(&hint.key, &page->key))
            continue;
        hint.key = gr_key_copy(arena, &hint.key);
        hint.record = gr_record_copy(arena, &hint.record, false);
        bytes += gr_record_value_bytes(&hint.record);
        page->hint = grow(arena, page->hint, page->hint_count, &capacity, sizeof(hint));
        page->hint[page->hint_count++] = hint;
    }
    gr_store_scan_close(scan);
    if (err == GR_OK || err == GR_ERR_NOT_FOUND)
        return GR_OK;
    page->hint_count = 0;
    return err == GR_ERR_FORMAT ? GR_ERR_CORRUPT : err;
}

enum gr_err gr_scan_run(struct gr_store *store, struct gr_store_snapshot *snapshot,
    uint32_t partitions, struct gr_arena *arena, struct gr_scan_page *page)
{
    if (page->kind == GR_SCAN_HINTS)
        return run_hints(store, snapshot, arena, page);
    enum gr_err err = GR_OK;
    uint64_t skip = page->kind == GR_SCAN_RECORDS ? 0 : page->cursor;
    page->end = (gr_cursor)(page->partition + 1) * (GR_SLOTS / partitions) << 38;
    if (page->cursor_end != 0)
        page->end = GR_MIN(page->end, page->cursor_end);
    if (page->kind == GR_SCAN_RECORDS)
        err = read_fill(store, snapshot, arena, page);
    if (err != GR_OK)
        return err == GR_ERR_FORMAT ? GR_ERR_CORRUPT : err;

    struct gr_disk_range range = range_of(page, partitions, arena);
    struct gr_store_scan *scan = gr_store_scan_open(store, snapshot, range.from, range.to);
    struct gr_bytes key, value;
    uint32_t capacity = 0;
    while ((err = scan_next(page, scan, &key, &value)) == GR_OK) {
        struct gr_entry entry;
        if (skip > 0) {
            skip--;
            continue;
        }
        if (page->kind != GR_SCAN_RECORDS && page->entry_count >= page->limit)
            break;
        err = read_entry(page, key, value, arena, &entry);
        if (err != GR_OK)
            break;
        if (page_ends(page, &entry.key)) {
            page->end = gr_cursor_of(entry.key.slot, entry.key.hash);
            break;
        }
        page->entry = grow(arena, page->entry, page->entry_count, &capacity, sizeof(entry));
        page->entry[page->entry_count++] = entry;
    }
    gr_store_scan_close(scan);
    if (err == GR_OK || err == GR_ERR_NOT_FOUND)
        return GR_OK;
    page->entry_count = 0;
    return err;
}

// ---- what a node is fed at the start -----------------------------------------------------------

static enum gr_err feed_clock(struct gr_node *node, uint32_t partitions, struct gr_bytes key,
    struct gr_bytes value, struct gr_arena *arena)
{
    uint32_t partition = 0;
    struct gr_clock_row row;
    enum gr_err err = gr_disk_read_clock(key, value, arena, &partition, &row);
    if (err != GR_OK)
        return err;
    if (partition >= partitions)
        return GR_ERR_CORRUPT;
    if (row.base > 0)
        gr_node_load_clock(node, partition, row.actor, (struct gr_interval){1, row.base});
    for (uint32_t i = 0; i < row.interval_count; i++)
        gr_node_load_clock(node, partition, row.actor, row.interval[i]);
    return GR_OK;
}

static enum gr_err feed_partition(
    struct gr_node *node, uint32_t partitions, struct gr_bytes key, struct gr_bytes value)
{
    uint32_t partition = 0;
    struct gr_disk_partition row;
    enum gr_err err = gr_disk_read_partition(key, value, &partition, &row);
    if (err != GR_OK)
        return err;
    if (partition >= partitions)
        return GR_ERR_CORRUPT;
    gr_node_load_partition(node, partition, row.count, row.sum);
    return GR_OK;
}

static enum gr_err feed_leftover(
    struct gr_node *node, uint32_t partitions, struct gr_bytes key, uint32_t *last)
{
    uint32_t partition = 0;
    struct gr_key named;
    enum gr_err err = gr_disk_read_leftover(key, &partition, &named);
    if (err != GR_OK)
        return err;
    if (partition >= partitions)
        return GR_ERR_CORRUPT;
    if (partition != *last)
        gr_node_load_leftover(node, partition);
    *last = partition;
    return GR_OK;
}

static enum gr_err feed_owed(struct gr_node *node, uint32_t partitions, struct gr_bytes key,
    struct gr_bytes value, struct gr_arena *arena)
{
    uint32_t partition = 0;
    struct gr_clock owed;
    enum gr_err err = gr_disk_read_owed(key, value, arena, &partition, &owed);
    if (err != GR_OK)
        return err;
    if (partition >= partitions)
        return GR_ERR_CORRUPT;
    gr_node_load_owed(node, partition, &owed);
    return GR_OK;
}

static enum gr_err feed_holds(struct gr_node *node, uint32_t partitions, struct gr_bytes key,
    struct gr_bytes value, struct gr_arena *arena)
{
    struct gr_holds holds;
    enum gr_err err = gr_disk_read_holds(key, value, arena, &holds);
    if (err == GR_OK && holds.words != (partitions + 63) / 64)
        err = GR_ERR_CORRUPT;
    if (err == GR_OK)
        gr_node_load_holds(node, &holds);
    return err;
}

static enum gr_err feed_hint(
    struct gr_node *node, struct gr_bytes key, struct gr_bytes value, struct gr_arena *arena)
{
    struct gr_hint hint;
    enum gr_err err = gr_disk_read_hint(key, value, arena, &hint);
    if (err != GR_OK)
        return err;
    gr_node_load_hint(node, &hint);
    return GR_OK;
}

static enum gr_err feed_kind(struct gr_store *store, struct gr_store_snapshot *snapshot,
    uint32_t partitions, enum gr_disk_kind kind, struct gr_node *node)
{
    struct gr_arena range_arena = {0}, arena = {0};
    struct gr_disk_range range = gr_disk_range_kind(&range_arena, kind);
    struct gr_store_scan *scan = gr_store_scan_open(store, snapshot, range.from, range.to);
    struct gr_bytes key, value;
    uint32_t last = UINT32_MAX;
    enum gr_err err = GR_OK;
    while (err == GR_OK && (err = gr_store_scan_next(scan, &key, &value)) == GR_OK) {
        gr_arena_clear(&arena);
        if (kind == GR_DISK_CLOCK)
            err = feed_clock(node, partitions, key, value, &arena);
        else if (kind == GR_DISK_PARTITION)
            err = feed_partition(node, partitions, key, value);
        else if (kind == GR_DISK_HOLDS)
            err = feed_holds(node, partitions, key, value, &arena);
        else if (kind == GR_DISK_OWED)
            err = feed_owed(node, partitions, key, value, &arena);
        else if (kind == GR_DISK_HINT)
            err = feed_hint(node, key, value, &arena);
        else
            err = feed_leftover(node, partitions, key, &last);
        gr_assert(err != GR_ERR_NOT_FOUND);
    }
    gr_store_scan_close(scan);
    gr_arena_deinit(&arena);
    gr_arena_deinit(&range_arena);
    return err == GR_ERR_NOT_FOUND ? GR_OK : err;
}

enum gr_err gr_scan_load(struct gr_store *store, uint32_t partitions, struct gr_node *node,
    char *ret_why, size_t why_size)
{
    static const struct {
        enum gr_disk_kind kind;
        const char *name;
    } kinds[] = {{GR_DISK_CLOCK, "clock"}, {GR_DISK_PARTITION, "partition"},
        {GR_DISK_HOLDS, "holder's"}, {GR_DISK_LEFTOVER, "left-over context"},
        {GR_DISK_OWED, "damage"}, {GR_DISK_HINT, "hint"}};
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(store);
    enum gr_err err = GR_OK;
    for (size_t i = 0; err == GR_OK && i < GR_COUNT(kinds); i++) {
        err = feed_kind(store, snapshot, partitions, kinds[i].kind, node);
        if (err != GR_OK)
            snprintf(ret_why, why_size, "A %s row of the store cannot be read (%s: %.200s).",
                kinds[i].name, gr_err_info(err)->text, gr_store_trouble(store));
    }
    gr_store_snapshot_close(store, snapshot);
    return err;
}
