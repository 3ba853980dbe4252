// What a new store keeps of the rows of a damaged one; see salvage.h.
//
// Think of a library after a fire. The catalogue is gone, or cannot be trusted, so the books that
// can still be read go to new shelves, each with a slip that says which editions it replaces; the
// catalogue is written again as other libraries tell what they have.
//
//   L1  No clock row is kept: a clock that claims a dot whose record was lost would delete that
//       value everywhere else. An empty clock claims nothing.
//   L2  A record that is kept has seen its own siblings and what stood in its left-over context,
//       and says both; what the old clock's base covered is not said, and comes back with the
//       exchange.
//   L3  What the old clock had seen is owed, and as a clock row may be among what could not be
//       read, so is a dot that nobody has: until every other owner has told what it has, the
//       partition casts no vote for a get.
//   L4  Count and sum of a partition are those of the records kept, so the new store's first pass
//       agrees with it.
//
// Source: DESIGN.md §4, D8 and D9. Owns: count and sum per partition. Bounds: as for one write.
#include "wire/salvage.h"

#include <string.h>

void gr_salvage_init(struct gr_salvage *salvage, uint32_t partitions)
{
    gr_assert(partitions > 0 && partitions <= GR_PARTITIONS_MAX && GR_SLOTS % partitions == 0);
    *salvage = (struct gr_salvage){.partitions = partitions};
    size_t bytes = partitions * sizeof(*salvage->partition);
    salvage->partition = gr_hook_memory(NULL, bytes);
    memset(salvage->partition, 0, bytes);
    const struct gr_dot nobodys = {{0, 0}, 1}; // L3
    for (uint32_t p = 0; p < partitions; p++)
        (void)gr_clock_add(&salvage->partition[p].owed, &nobodys);
}

void gr_salvage_deinit(struct gr_salvage *salvage)
{
    for (uint32_t p = 0; p < salvage->partitions; p++)
        gr_clock_deinit(&salvage->partition[p].owed);
    gr_hook_memory(salvage->partition, 0);
    salvage->partition = NULL;
}

// The record as one that relies on no clock (L2).
static struct gr_record unfilled(struct gr_arena *arena, const struct gr_record *stored)
{
    struct gr_record record = *stored;
    struct gr_dot *dot = gr_arena_array(arena, struct gr_dot, stored->count);
    for (uint32_t i = 0; i < stored->count; i++)
        dot[i] = stored->sibling[i].dot;
    struct gr_context own = gr_context_make(arena, NULL, 0, dot, stored->count);
    record.context = gr_context_join(arena, &stored->context, &own);
    return record;
}

static void keep_record(struct gr_salvage *salvage, struct gr_arena *arena,
    const struct gr_key *key, const struct gr_record *stored, const struct gr_disk_sink *sink)
{
    struct gr_record record = unfilled(arena, stored);
    gr_assert(!gr_context_empty(&record.context));
    uint32_t number = key->slot / (GR_SLOTS / salvage->partitions);
    struct gr_salvage_partition *partition = &salvage->partition[number];
    partition->sum = gr_sum_add(partition->sum, gr_merkle_hash(arena, key, &record));
    partition->count += record.count > 0;
    struct gr_wall *due = gr_arena_array(arena, struct gr_wall, record.count);
    uint32_t due_count = 0;
    for (uint32_t i = 0; i < record.count; i++)
        if (record.sibling[i].expires.ms != 0)
            due[due_count++] = record.sibling[i].expires;
    struct gr_store_write write = {
        .partition = number,
        .key = *key,
        .record = &record,
        .count = partition->count,
        .sum = partition->sum,
        .due_add = due,
        .due_add_count = due_count,
        .leftover = 1,
        .owed_changed = true,
        .owed = &partition->owed,
    };
    gr_disk_write(&write, (struct gr_actor){0, 0}, sink);
}

// What partition `number` owes so far.
static void write_owed(
    const struct gr_salvage *salvage, uint32_t number, const struct gr_disk_sink *sink)
{
    const struct gr_salvage_partition *partition = &salvage->partition[number];
    struct gr_store_write write = {
        .partition = number,
        .count = partition->count,
        .sum = partition->sum,
        .owed_changed = true,
        .owed = &partition->owed,
    };
    gr_disk_write(&write, (struct gr_actor){0, 0}, sink);
}

static void owe(struct gr_salvage *salvage, struct gr_bytes row_key, struct gr_bytes value,
    const struct gr_disk_sink *sink)
{
    struct gr_arena arena = {0};
    uint32_t number = 0;
    struct gr_clock_row row;
    struct gr_clock seen = {.row = &row, .count = 1};
    bool clock = gr_disk_read_clock(row_key, value, &arena, &number, &row) == GR_OK;
    if ((clock || gr_disk_read_owed(row_key, value, &arena, &number, &seen) == GR_OK) &&
        number < salvage->partitions) {
        gr_clock_join(&salvage->partition[number].owed, &seen);
        write_owed(salvage, number, sink);
    }
    gr_arena_deinit(&arena);
}

bool gr_salvage_row(struct gr_salvage *salvage, struct gr_bytes row_key, struct gr_bytes value,
    const struct gr_disk_sink *sink)
{
    uint8_t kind = row_key.size > 0 ? row_key.data[0] : 0;
    bool good = true;
    if (kind == GR_DISK_RECORD) {
        struct gr_arena arena = {0};
        struct gr_key key;
        struct gr_record record;
        good = gr_disk_read_record_key(row_key, &key) == GR_OK &&
               gr_disk_read_record(row_key, value, false, &arena, &record) == GR_OK;
        if (good)
            keep_record(salvage, &arena, &key, &record, sink);
        gr_arena_deinit(&arena);
        salvage->records += good;
    } else if (kind == GR_DISK_CLOCK || kind == GR_DISK_OWED) {
        owe(salvage, row_key, value, sink);
    } else if (kind == GR_DISK_HINT) {
        good = gr_disk_is_sound(row_key, value);
        if (good)
            sink->put(sink->host, row_key, value);
        salvage->hints += good;
    }
    salvage->unsound += !good;
    return good;
}

void gr_salvage_end(const struct gr_salvage *salvage, const struct gr_disk_sink *sink)
{
    for (uint32_t p = 0; p < salvage->partitions; p++)
        write_owed(salvage, p, sink);
}
