// Disks of the simulated nodes: the memory engine, with every unsynced batch undoable.
//
// A crash keeps any prefix of the batches between the last synced and the last applied, as the
// storage contract promises (S3). Rows are encoded and decoded by wire/disk, as in a real node.
#include <string.h>

#include "sim/world.h"
#include "wire/disk.h"

static struct gr_bytes own(struct gr_bytes bytes)
{
    uint8_t *copy = gr_hook_memory(NULL, bytes.size + 1);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    return gr_bytes(copy, bytes.size);
}

static void disown(struct sim_undo *undo)
{
    gr_hook_memory((void *)undo->key.data, 0);
    if (undo->had)
        gr_hook_memory((void *)undo->value.data, 0);
}

static void must(enum gr_err err)
{
    gr_assert(err == GR_OK);
}

void sim_disk_init(struct sim_disk *disk)
{
    *disk = (struct sim_disk){.batch = gr_store_batch_new()};
    struct gr_store_options options = {.create = true};
    must(gr_store_open(&gr_store_memory, "", &options, &disk->store, NULL, 0));
}

void sim_disk_deinit(struct sim_disk *disk)
{
    for (size_t i = 0; i < disk->undo_count; i++)
        disown(&disk->undo[i]);
    gr_hook_memory(disk->undo, 0);
    gr_store_batch_free(disk->batch);
    gr_store_close(disk->store);
}

static void remember(struct sim_disk *disk, struct gr_bytes key)
{
    if (disk->undo_count == disk->undo_capacity) {
        disk->undo_capacity = GR_MAX(disk->undo_capacity * 2, 64);
        disk->undo = gr_hook_memory(disk->undo, disk->undo_capacity * sizeof *disk->undo);
    }
    struct sim_undo *undo = &disk->undo[disk->undo_count++];
    *undo = (struct sim_undo){.number = disk->number, .key = own(key)};
    struct gr_store_value value;
    if (gr_store_get(disk->store, key, GR_STORE_READ_ANY, &value) == GR_OK) {
        undo->had = true;
        undo->value = own(value.bytes);
        gr_store_value_done(disk->store, &value);
    }
}

static void put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct sim_disk *disk = host;
    remember(disk, key);
    gr_store_batch_put(disk->batch, key, value);
}

static void take(void *host, struct gr_bytes key)
{
    struct sim_disk *disk = host;
    remember(disk, key);
    gr_store_batch_delete(disk->batch, key);
}

static void apply(struct sim_disk *disk)
{
    uint64_t number;
    must(gr_store_apply(disk->store, disk->batch, &number));
    gr_store_batch_clear(disk->batch);
}

void sim_disk_write(struct sim_disk *disk, const struct gr_store_write *write, struct gr_actor self)
{
    gr_assert(write->number == disk->applied + 1);
    disk->number = write->number;
    struct gr_disk_sink sink = {.put = put, .remove = take, .host = disk};
    gr_disk_write(write, self, &sink);
    apply(disk);
    disk->applied = write->number;
}

void sim_disk_synced(struct sim_disk *disk, uint64_t number)
{
    size_t done = 0;
    while (done < disk->undo_count && disk->undo[done].number <= number)
        disown(&disk->undo[done++]);
    disk->undo_count -= done;
    memmove(disk->undo, disk->undo + done, disk->undo_count * sizeof *disk->undo);
    disk->synced = number;
}

void sim_disk_crash(struct sim_disk *disk, uint64_t number)
{
    gr_assert(number >= disk->synced && number <= disk->applied);
    while (disk->undo_count > 0 && disk->undo[disk->undo_count - 1].number > number) {
        struct sim_undo *undo = &disk->undo[--disk->undo_count];
        if (undo->had)
            gr_store_batch_put(disk->batch, undo->key, undo->value);
        else
            gr_store_batch_delete(disk->batch, undo->key);
        apply(disk);
        disown(undo);
    }
    while (disk->undo_count > 0)
        disown(&disk->undo[--disk->undo_count]);
    disk->applied = disk->synced = 0;
}

// ---- ruin --------------------------------------------------------------------------------------

// Sets a row of an image, or takes it out.
static void image_set(struct sim_image *image, struct gr_bytes key, const struct gr_bytes *value)
{
    size_t at = 0;
    while (at < image->count && !gr_bytes_equal(image->row[2 * at], key))
        at++;
    bool there = at < image->count;
    if (there)
        gr_hook_memory((void *)image->row[2 * at + 1].data, 0);
    if (value != NULL) {
        if (!there) {
            size_t bytes = (image->count + 1) * 2 * sizeof *image->row;
            image->row = gr_hook_memory(image->row, bytes);
            image->row[2 * image->count++] = own(key);
        }
        image->row[2 * at + 1] = own(*value);
    } else if (there) {
        gr_hook_memory((void *)image->row[2 * at].data, 0);
        image->count--;
        image->row[2 * at] = image->row[2 * image->count];
        image->row[2 * at + 1] = image->row[2 * image->count + 1];
    }
}

void sim_disk_image(struct sim_disk *disk, struct sim_image *ret)
{
    *ret = (struct sim_image){.row = NULL};
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(disk->store);
    struct gr_bytes all = gr_bytes("", 0), key, value;
    struct gr_store_scan *scan = gr_store_scan_open(disk->store, snapshot, all, all);
    while (gr_store_scan_next(scan, &key, &value) == GR_OK)
        image_set(ret, key, &value);
    gr_store_scan_close(scan);
    gr_store_snapshot_close(disk->store, snapshot);
    for (size_t i = disk->undo_count; i-- > 0;)
        image_set(ret, disk->undo[i].key, disk->undo[i].had ? &disk->undo[i].value : NULL);
}

void sim_image_deinit(struct sim_image *image)
{
    for (size_t i = 0; i < 2 * image->count; i++)
        gr_hook_memory((void *)image->row[i].data, 0);
    gr_hook_memory(image->row, 0);
    *image = (struct sim_image){.row = NULL};
}

void sim_disk_replace(struct sim_disk *disk, const struct sim_image *image)
{
    gr_assert(disk->undo_count == 0 && disk->applied == 0);
    sim_disk_deinit(disk);
    sim_disk_init(disk);
    for (size_t i = 0; image != NULL && i < image->count; i++)
        gr_store_batch_put(disk->batch, image->row[2 * i], image->row[2 * i + 1]);
    apply(disk);
}

void sim_disk_found(struct sim_disk *disk, const struct gr_holds *holds)
{
    struct gr_store_write write = {.holds = holds};
    struct gr_disk_sink sink = {.put = put, .remove = take, .host = disk};
    gr_disk_write(&write, (struct gr_actor){0, 0}, &sink);
    for (size_t i = 0; i < disk->undo_count; i++)
        disown(&disk->undo[i]);
    disk->undo_count = 0;
    apply(disk);
}

bool sim_disk_lose(struct sim_disk *disk, const struct gr_key *key)
{
    struct gr_arena arena = {0};
    struct gr_bytes row = gr_disk_record_key(&arena, key);
    struct gr_store_value value;
    bool there = gr_store_get(disk->store, row, GR_STORE_READ_ANY, &value) == GR_OK;
    if (there) {
        gr_store_value_done(disk->store, &value);
        gr_store_batch_delete(disk->batch, row);
        apply(disk);
    }
    gr_arena_deinit(&arena);
    return there;
}

bool sim_disk_rot(struct sim_disk *disk, const struct gr_key *key, uint64_t draw)
{
    struct gr_arena arena = {0};
    struct gr_bytes row = gr_disk_record_key(&arena, key);
    struct gr_store_value value;
    bool there = gr_store_get(disk->store, row, GR_STORE_READ_ANY, &value) == GR_OK;
    if (there) {
        struct gr_bytes rotten = own(value.bytes);
        gr_store_value_done(disk->store, &value);
        ((uint8_t *)rotten.data)[draw % rotten.size] ^= (uint8_t)(1u << (draw >> 32) % 8);
        gr_store_batch_put(disk->batch, row, rotten);
        apply(disk);
        gr_hook_memory((void *)rotten.data, 0);
    }
    gr_arena_deinit(&arena);
    return there;
}

static bool row_covers(struct gr_bytes key, struct gr_bytes value, const struct gr_dot *dot)
{
    struct gr_arena arena = {0};
    uint32_t partition;
    struct gr_clock_row row;
    must(gr_disk_read_clock(key, value, &arena, &partition, &row));
    bool covers = dot->counter <= row.base;
    for (uint32_t i = 0; i < row.interval_count; i++)
        covers |= row.interval[i].first <= dot->counter && dot->counter <= row.interval[i].last;
    gr_arena_deinit(&arena);
    return covers;
}

bool sim_disk_covers(struct sim_disk *disk, uint32_t partition, const struct gr_dot *dot)
{
    struct gr_arena arena = {0};
    struct gr_bytes row = gr_disk_clock_key(&arena, partition, dot->actor);
    struct gr_store_value value;
    bool covers = false;
    size_t i = 0; // what the row was before the oldest write that is not durable
    while (i < disk->undo_count && !gr_bytes_equal(disk->undo[i].key, row))
        i++;
    if (i < disk->undo_count) {
        covers = disk->undo[i].had && row_covers(row, disk->undo[i].value, dot);
    } else if (gr_store_get(disk->store, row, GR_STORE_READ_ANY, &value) == GR_OK) {
        covers = row_covers(row, value.bytes, dot);
        gr_store_value_done(disk->store, &value);
    }
    gr_arena_deinit(&arena);
    return covers;
}

// ---- reading -----------------------------------------------------------------------------------

enum gr_err sim_disk_read(
    struct sim_disk *disk, const struct gr_key *key, struct gr_arena *arena, struct gr_record *ret)
{
    struct gr_bytes row = gr_disk_record_key(arena, key);
    struct gr_store_value value;
    enum gr_err err = gr_store_get(disk->store, row, GR_STORE_READ_ANY, &value);
    if (err != GR_OK)
        return err;
    struct gr_bytes bytes = gr_arena_copy(arena, value.bytes);
    gr_store_value_done(disk->store, &value);
    return gr_disk_read_record(row, bytes, false, arena, ret);
}

// ---- scans -----------------------------------------------------------------------------------

// Walks a range of a snapshot; `row` returns false to stop.
static void walk(struct sim_disk *disk, struct gr_disk_range range, struct gr_arena *arena,
    bool (*row)(void *host, struct gr_bytes key, struct gr_bytes value), void *host)
{
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(disk->store);
    struct gr_store_scan *scan = gr_store_scan_open(disk->store, snapshot, range.from, range.to);
    struct gr_bytes key, value;
    while (gr_store_scan_next(scan, &key, &value) == GR_OK)
        if (!row(host, gr_arena_copy(arena, key), gr_arena_copy(arena, value)))
            break;
    gr_store_scan_close(scan);
    gr_store_snapshot_close(disk->store, snapshot);
}

struct page {
    const struct gr_effect *effect;
    struct gr_arena *arena;
    struct gr_clock clock;
    struct gr_entry *entry;
    uint32_t count, capacity;
    uint64_t skipped;
    gr_cursor end; // of the page, once it is full
    bool full;
    enum gr_err status;
    struct gr_hint *hint;
    uint32_t hint_count;
};

static struct gr_entry *add_entry(struct page *page)
{
    if (page->count == page->capacity) {
        page->capacity = GR_MAX(page->capacity * 2, 16);
        struct gr_entry *more = gr_arena_array(page->arena, struct gr_entry, page->capacity);
        if (page->count > 0)
            memcpy(more, page->entry, page->count * sizeof *more);
        page->entry = more;
    }
    page->entry[page->count] = (struct gr_entry){.key = {.slot = 0}};
    return &page->entry[page->count++];
}

static bool record_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct page *page = host;
    struct gr_key at;
    must(gr_disk_read_record_key(key, &at));
    gr_cursor cursor = gr_cursor_of(at.slot, at.hash);
    if (page->count >= page->effect->limit && cursor >= page->end) {
        page->full = true;
        return false;
    }
    struct gr_entry *entry = add_entry(page);
    entry->key = at;
    page->status = gr_disk_read_record(key, value, true, page->arena, &entry->record);
    if (page->status != GR_OK && page->effect->lenient) {
        page->status = GR_OK;
        entry->unreadable = true;
    }
    page->end = cursor + 1;
    return page->status == GR_OK;
}

static bool clock_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct page *page = host;
    uint32_t partition;
    struct gr_clock_row row;
    must(gr_disk_read_clock(key, value, page->arena, &partition, &row));
    if (row.base > 0)
        gr_clock_add_interval(&page->clock, row.actor, (struct gr_interval){1, row.base});
    return true;
}

// Hints as the shell reads them: a page ends after `limit`, and says where the next one begins.
static bool hint_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct page *page = host;
    struct gr_hint hint;
    must(gr_disk_read_hint(key, value, page->arena, &hint));
    gr_cursor at = gr_cursor_of(hint.key.slot, hint.key.hash);
    bool one_key = page->effect->key.key.size > 0;
    if (one_key && !gr_key_equal(&hint.key, &page->effect->key))
        return true;
    if (page->hint_count == page->effect->limit) {
        page->end = at;
        return false;
    }
    if (page->hint == NULL)
        page->hint = gr_arena_array(page->arena, struct gr_hint, page->effect->limit);
    page->hint[page->hint_count++] = hint;
    return true;
}

static bool index_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct page *page = host;
    (void)value;
    if (page->skipped < page->effect->cursor) {
        page->skipped++;
        return true;
    }
    struct gr_entry *entry = add_entry(page);
    struct gr_wall minute;
    uint32_t partition;
    if (page->effect->scan == GR_SCAN_DUE) {
        must(gr_disk_read_due(key, &minute, &entry->key));
        entry->due = minute;
    } else
        must(gr_disk_read_leftover(key, &partition, &entry->key));
    return page->count < page->effect->limit;
}

void sim_disk_scan(struct sim_disk *disk, uint32_t partitions, const struct gr_effect *effect,
    struct gr_arena *arena, struct gr_event *ret)
{
    struct page page = {.effect = effect, .arena = arena};
    gr_cursor end;
    switch (effect->scan) {
    case GR_SCAN_RECORDS:
        walk(disk, gr_disk_range_clock(arena, effect->partition), arena, clock_row, &page);
        end = effect->cursor_end != 0
                  ? effect->cursor_end
                  : (gr_cursor)((effect->partition + 1) * (GR_SLOTS / partitions)) << 38;
        walk(disk,
            effect->cursor_end != 0
                ? gr_disk_range_cursors(arena, effect->cursor, end)
                : gr_disk_range_records(arena, partitions, effect->partition, effect->cursor),
            arena, record_row, &page);
        ret->context = gr_clock_fill(arena, &page.clock);
        ret->cursor = page.full ? page.end : end;
        ret->number = disk->applied;
        break;
    case GR_SCAN_DUE:
        walk(disk, gr_disk_range_due(arena, effect->wall), arena, index_row, &page);
        break;
    case GR_SCAN_LEFTOVER:
        walk(disk, gr_disk_range_leftover(arena, effect->partition), arena, index_row, &page);
        break;
    case GR_SCAN_HINTS:
        page.end = GR_CURSOR_END;
        walk(disk, gr_disk_range_hints(arena, effect->owner, effect->cursor), arena, hint_row,
            &page);
        ret->cursor = page.end;
        ret->hint = page.hint;
        ret->hint_count = page.hint_count;
        break;
    }
    gr_clock_deinit(&page.clock);
    ret->status = page.status;
    ret->entry = page.entry;
    ret->entry_count = page.count;
}

struct adding {
    const struct gr_ring *ring;
    uint32_t partition;
    struct gr_arena *arena;
    struct sim_sums *sums;
};

static bool add_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct adding *adding = host;
    struct gr_key at;
    struct gr_record record;
    must(gr_disk_read_record_key(key, &at));
    must(gr_disk_read_record(key, value, true, adding->arena, &record));
    struct gr_sum *leaf = &adding->sums->leaf[gr_merkle_leaf(
        adding->ring, adding->partition, gr_cursor_of(at.slot, at.hash))];
    *leaf = gr_sum_add(*leaf, gr_merkle_hash(adding->arena, &at, &record));
    adding->sums->count += record.count > 0;
    adding->sums->leftover += !gr_context_empty(&record.context);
    return true;
}

void sim_disk_sums(
    struct sim_disk *disk, const struct gr_ring *ring, uint32_t partition, struct sim_sums *sums)
{
    struct gr_arena arena = {0};
    struct adding adding = {ring, partition, &arena, sums};
    memset(sums->leaf, 0, GR_MERKLE_LEAVES_MAX * sizeof *sums->leaf);
    walk(disk, gr_disk_range_records(&arena, ring->partitions, partition, 0), &arena, add_row,
        &adding);
    gr_arena_deinit(&arena);
}

void sim_disk_forge(struct sim_disk *disk, const struct gr_ring *ring, uint32_t partition)
{
    struct gr_sum leaf[GR_MERKLE_LEAVES_MAX];
    struct sim_sums sums = {.leaf = leaf};
    sim_disk_sums(disk, ring, partition, &sums);
    // Any key's removal writes the partition's row: this one's name is in nobody's way.
    struct gr_store_write write = {
        .number = disk->applied + 1,
        .partition = partition,
        .key = gr_key_make(gr_bytes_text("forged"), gr_bytes_text("forged")),
        .count = sums.count,
        .sum = gr_merkle_sum(leaf, 0, gr_merkle_leaves(ring)),
    };
    sim_disk_write(disk, &write, (struct gr_actor){1, 1});
    sim_disk_crash(disk, disk->applied);
}

static bool count_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    (void)key, (void)value;
    ++*(uint64_t *)host;
    return true;
}

uint64_t sim_disk_hints(struct sim_disk *disk, uint64_t owner)
{
    struct gr_arena arena = {0};
    uint64_t count = 0;
    walk(disk, gr_disk_range_hints(&arena, owner, 0), &arena, count_row, &count);
    gr_arena_deinit(&arena);
    return count;
}

// ---- starting --------------------------------------------------------------------------------

struct load {
    struct gr_node *node;
    struct gr_arena *arena;
};

static bool load_clock(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct load *load = host;
    uint32_t partition;
    struct gr_clock_row row;
    must(gr_disk_read_clock(key, value, load->arena, &partition, &row));
    if (row.base > 0)
        gr_node_load_clock(load->node, partition, row.actor, (struct gr_interval){1, row.base});
    for (uint32_t i = 0; i < row.interval_count; i++)
        gr_node_load_clock(load->node, partition, row.actor, row.interval[i]);
    return true;
}

static bool load_partition(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct load *load = host;
    uint32_t partition;
    struct gr_disk_partition row;
    must(gr_disk_read_partition(key, value, &partition, &row));
    gr_node_load_partition(load->node, partition, row.count, row.sum);
    return true;
}

static bool load_leftover(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct load *load = host;
    (void)value;
    uint32_t partition;
    struct gr_key at;
    must(gr_disk_read_leftover(key, &partition, &at));
    gr_node_load_leftover(load->node, partition);
    return true;
}

static bool load_owed(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct load *load = host;
    uint32_t partition;
    struct gr_clock owed;
    must(gr_disk_read_owed(key, value, load->arena, &partition, &owed));
    gr_node_load_owed(load->node, partition, &owed);
    return true;
}

static bool load_hint(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct load *load = host;
    struct gr_hint hint;
    must(gr_disk_read_hint(key, value, load->arena, &hint));
    gr_node_load_hint(load->node, &hint);
    return true;
}

static bool load_holds(void *arg, struct gr_bytes key, struct gr_bytes value)
{
    struct load *load = arg;
    struct gr_holds holds;
    enum gr_err err = gr_disk_read_holds(key, value, load->arena, &holds);
    gr_assert(err == GR_OK);
    gr_node_load_holds(load->node, &holds);
    return true;
}

void sim_disk_load(struct sim_disk *disk, struct gr_node *node)
{
    struct gr_arena arena = {0};
    struct load load = {.node = node, .arena = &arena};
    walk(disk, gr_disk_range_kind(&arena, GR_DISK_CLOCK), &arena, load_clock, &load);
    walk(disk, gr_disk_range_kind(&arena, GR_DISK_PARTITION), &arena, load_partition, &load);
    walk(disk, gr_disk_range_kind(&arena, GR_DISK_HOLDS), &arena, load_holds, &load);
    walk(disk, gr_disk_range_kind(&arena, GR_DISK_LEFTOVER), &arena, load_leftover, &load);
    walk(disk, gr_disk_range_kind(&arena, GR_DISK_OWED), &arena, load_owed, &load);
    walk(disk, gr_disk_range_kind(&arena, GR_DISK_HINT), &arena, load_hint, &load);
    gr_arena_deinit(&arena);
}
