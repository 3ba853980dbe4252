// Is a store what its node wrote? See verify.h.
//
// Rows come in the order of their first bytes: clocks (c), partitions (h), hints (i), meta (m),
// left-over index (o), records (r), expiry index (x). So when the records come, what their
// partition claims is known: each record is added up, and its siblings are held against the clock.
// Index rows are looked up both ways, one row at a time; a record that has gone without a trace in
// its index is found by the count and the sum.
//
//   V1  A store that a node wrote has no finding, whenever the node was stopped.
//   V2  Nothing is said about rows that could not be read, but that they could not.
//
// Source: DESIGN.md §4, D5. Owns: the clocks, counts and sums of all partitions. Bounds: memory for
// the clocks, as in a node.
#include "wire/verify.h"

#include <string.h>

struct partition {
    struct gr_clock clock;
    struct gr_disk_partition row;  // as written
    struct gr_disk_partition sums; // as added up
    bool unsure;                   // some of its rows could not be read
    bool clock_unsure;             // and among them some of its clock
};

struct gr_verify {
    uint32_t partitions;
    struct gr_verify_host host;
    struct partition *partition;
    struct gr_verify_summary summary;
    struct gr_arena arena; // of the row under way
};

const struct gr_verify_text *gr_verify_text(enum gr_verify_kind kind)
{
    static const struct gr_verify_text texts[] = {
#define X(symbol, name, what, then) {name, what, then},
        GR_VERIFY_FINDINGS(X)
#undef X
    };
    gr_assert(kind < GR_VERIFY_COUNT);
    return &texts[kind];
}

static void find(struct gr_verify *verify, struct gr_verify_finding finding)
{
    verify->summary.findings++;
    verify->host.found(verify->host.host, &finding);
}

static uint32_t partition_of(const struct gr_verify *verify, uint16_t slot)
{
    return slot / (GR_SLOTS / verify->partitions);
}

struct gr_verify *gr_verify_new(uint32_t partitions, const struct gr_verify_host *host)
{
    gr_assert(partitions > 0 && partitions <= GR_PARTITIONS_MAX && GR_SLOTS % partitions == 0);
    struct gr_verify *verify = gr_hook_memory(NULL, sizeof(*verify));
    *verify = (struct gr_verify){.partitions = partitions, .host = *host};
    size_t bytes = partitions * sizeof(*verify->partition);
    verify->partition = gr_hook_memory(NULL, bytes);
    memset(verify->partition, 0, bytes);
    return verify;
}

// ---- rows ------------------------------------------------------------------------------------

// The partition that a damaged row names, if its key still says so.
static uint32_t named_partition(const struct gr_verify *verify, struct gr_bytes row_key)
{
    if (row_key.size < 3)
        return GR_VERIFY_NOWHERE;
    uint32_t number = (uint32_t)row_key.data[1] << 8 | row_key.data[2];
    if (row_key.data[0] == GR_DISK_RECORD)
        return number < GR_SLOTS ? partition_of(verify, (uint16_t)number) : GR_VERIFY_NOWHERE;
    return number < verify->partitions ? number : GR_VERIFY_NOWHERE;
}

static void bad_row(struct gr_verify *verify, enum gr_verify_kind kind, struct gr_bytes row_key)
{
    bool nowhere = kind == GR_VERIFY_HINT || kind == GR_VERIFY_META || kind == GR_VERIFY_STRANGE;
    uint32_t partition = nowhere ? GR_VERIFY_NOWHERE : named_partition(verify, row_key);
    find(verify,
        (struct gr_verify_finding){.kind = kind, .partition = partition, .row_key = row_key});
    if (partition == GR_VERIFY_NOWHERE)
        return;
    verify->partition[partition].unsure = true;
    verify->partition[partition].clock_unsure |= kind == GR_VERIFY_CLOCK;
}

static void clock_row(struct gr_verify *verify, struct gr_bytes row_key, struct gr_bytes value)
{
    uint32_t number;
    struct gr_clock_row row;
    verify->summary.clocks++;
    if (gr_disk_read_clock(row_key, value, &verify->arena, &number, &row) != GR_OK ||
        number >= verify->partitions) {
        bad_row(verify, GR_VERIFY_CLOCK, row_key);
        return;
    }
    struct gr_clock *clock = &verify->partition[number].clock;
    if (row.base > 0)
        gr_clock_add_interval(clock, row.actor, (struct gr_interval){1, row.base});
    for (uint32_t i = 0; i < row.interval_count; i++)
        gr_clock_add_interval(clock, row.actor, row.interval[i]);
}

static void partition_row(struct gr_verify *verify, struct gr_bytes row_key, struct gr_bytes value)
{
    uint32_t number;
    struct gr_disk_partition row;
    verify->summary.partitions++;
    if (gr_disk_read_partition(row_key, value, &number, &row) != GR_OK ||
        number >= verify->partitions) {
        bad_row(verify, GR_VERIFY_PARTITION, row_key);
        return;
    }
    verify->partition[number].row = row;
    // The last dot that was drawn went into the clock in the same batch.
    const struct partition *partition = &verify->partition[number];
    if (row.last.counter > 0 && !partition->clock_unsure &&
        !gr_clock_has(&partition->clock, &row.last))
        find(verify, (struct gr_verify_finding){
                         .kind = GR_VERIFY_UNSEEN, .partition = number, .row_key = row_key});
}

static void holds_row(struct gr_verify *verify, struct gr_bytes row_key, struct gr_bytes value)
{
    struct gr_holds holds;
    if (gr_disk_read_holds(row_key, value, &verify->arena, &holds) != GR_OK ||
        holds.words != (verify->partitions + 63) / 64)
        bad_row(verify, GR_VERIFY_META, row_key);
}

// The record that an index row names; false if there is none. Nothing is said about one that cannot
// be read: it has its own finding.
static bool read_named(
    struct gr_verify *verify, const struct gr_key *key, bool *ret_unsure, struct gr_record *ret)
{
    struct gr_bytes row_key = gr_disk_record_key(&verify->arena, key), value;
    enum gr_err err = verify->host.get(verify->host.host, row_key, &verify->arena, &value);
    if (err == GR_OK)
        err = gr_disk_read_record(row_key, value, true, &verify->arena, ret);
    *ret_unsure = err != GR_OK && err != GR_ERR_NOT_FOUND;
    return err == GR_OK;
}

static void leftover_row(struct gr_verify *verify, struct gr_bytes row_key)
{
    uint32_t number;
    struct gr_key key;
    struct gr_record record;
    bool unsure;
    verify->summary.leftover++;
    if (gr_disk_read_leftover(row_key, &number, &key) != GR_OK ||
        number != partition_of(verify, key.slot)) {
        bad_row(verify, GR_VERIFY_INDEX, row_key);
        return;
    }
    bool there = read_named(verify, &key, &unsure, &record);
    if (!unsure && (!there || gr_context_empty(&record.context)))
        find(verify, (struct gr_verify_finding){.kind = GR_VERIFY_LEFTOVER_EXTRA,
                         .partition = number,
                         .key = key,
                         .row_key = row_key});
}

static void due_row(struct gr_verify *verify, struct gr_bytes row_key)
{
    struct gr_wall minute;
    struct gr_key key;
    struct gr_record record;
    bool unsure, named = false;
    verify->summary.due++;
    if (gr_disk_read_due(row_key, &minute, &key) != GR_OK) {
        find(verify,
            (struct gr_verify_finding){
                .kind = GR_VERIFY_INDEX, .partition = GR_VERIFY_NOWHERE, .row_key = row_key});
        return;
    }
    bool there = read_named(verify, &key, &unsure, &record);
    for (uint32_t i = 0; there && i < record.count; i++) {
        struct gr_wall expires = record.sibling[i].expires;
        named |= expires.ms != 0 &&
                 gr_bytes_equal(gr_disk_due_key(&verify->arena, expires, &key), row_key);
    }
    if (!unsure && !named)
        find(verify, (struct gr_verify_finding){.kind = GR_VERIFY_DUE_EXTRA,
                         .partition = partition_of(verify, key.slot),
                         .key = key,
                         .row_key = row_key});
}

// ---- records ---------------------------------------------------------------------------------

static bool is_indexed(struct gr_verify *verify, struct gr_bytes row_key)
{
    struct gr_bytes value;
    return verify->host.get(verify->host.host, row_key, &verify->arena, &value) != GR_ERR_NOT_FOUND;
}

static void record_row(struct gr_verify *verify, struct gr_bytes row_key, struct gr_bytes value)
{
    struct gr_key key;
    struct gr_record record;
    verify->summary.records++;
    if (gr_disk_read_record_key(row_key, &key) != GR_OK ||
        gr_disk_read_record(row_key, value, true, &verify->arena, &record) != GR_OK) {
        bad_row(verify, GR_VERIFY_RECORD, row_key);
        return;
    }
    uint32_t number = partition_of(verify, key.slot);
    struct partition *partition = &verify->partition[number];
    partition->sums.count += record.count > 0;
    partition->sums.sum =
        gr_sum_add(partition->sums.sum, gr_merkle_hash(&verify->arena, &key, &record));
    verify->summary.keys += record.count > 0;
    struct gr_verify_finding finding = {.partition = number, .key = key, .row_key = row_key};
    bool seen = true, due = true;
    for (uint32_t i = 0; i < record.count; i++) {
        const struct gr_sibling *sibling = &record.sibling[i];
        seen &= partition->clock_unsure || gr_context_covers(&record.context, &sibling->dot) ||
                gr_clock_has(&partition->clock, &sibling->dot);
        due &= sibling->expires.ms == 0 ||
               is_indexed(verify, gr_disk_due_key(&verify->arena, sibling->expires, &key));
    }
    finding.kind = GR_VERIFY_UNSEEN;
    if (!seen)
        find(verify, finding);
    finding.kind = GR_VERIFY_DUE_MISSING;
    if (!due)
        find(verify, finding);
    finding.kind = GR_VERIFY_LEFTOVER_MISSING;
    if (!gr_context_empty(&record.context) &&
        !is_indexed(verify, gr_disk_leftover_key(&verify->arena, number, &key)))
        find(verify, finding);
}

// A partition that was damaged began its clock anew: its records may know more than that.
static void owed_row(struct gr_verify *verify, struct gr_bytes row_key, struct gr_bytes value)
{
    uint32_t number;
    struct gr_clock owed;
    if (gr_disk_read_owed(row_key, value, &verify->arena, &number, &owed) != GR_OK ||
        number >= verify->partitions)
        bad_row(verify, GR_VERIFY_CLOCK, row_key);
    else
        verify->partition[number].clock_unsure = true;
}

// ---- the whole -------------------------------------------------------------------------------

void gr_verify_row(struct gr_verify *verify, struct gr_bytes row_key, struct gr_bytes value)
{
    gr_arena_clear(&verify->arena);
    verify->summary.bytes += row_key.size + value.size;
    switch (row_key.size > 0 ? row_key.data[0] : 0) {
    case GR_DISK_CLOCK:
        clock_row(verify, row_key, value);
        return;
    case GR_DISK_PARTITION:
        partition_row(verify, row_key, value);
        return;
    case GR_DISK_OWED:
        owed_row(verify, row_key, value);
        return;
    case GR_DISK_HINT:
        verify->summary.hints++;
        if (!gr_disk_is_sound(row_key, value))
            bad_row(verify, GR_VERIFY_HINT, row_key);
        return;
    case GR_DISK_META:
        verify->summary.meta++; // The shell's: it knows what it keeps there.
        return;
    case GR_DISK_HOLDS:
        holds_row(verify, row_key, value);
        return;
    case GR_DISK_LEFTOVER:
        leftover_row(verify, row_key);
        return;
    case GR_DISK_RECORD:
        record_row(verify, row_key, value);
        return;
    case GR_DISK_DUE:
        due_row(verify, row_key);
        return;
    default:
        bad_row(verify, GR_VERIFY_STRANGE, row_key);
    }
}

// The numbers that rows of a kind between two keys may begin with are *first..last; false: no rows
// of that kind can be there.
static bool numbers_between(enum gr_disk_kind kind, struct gr_bytes last, struct gr_bytes next,
    uint32_t *ret_first, uint32_t *ret_last)
{
    uint8_t from = last.size > 0 ? last.data[0] : 0, to = next.size > 0 ? next.data[0] : UINT8_MAX;
    if (from > kind || to < kind)
        return false;
    *ret_first = from == kind && last.size >= 3 ? (uint32_t)last.data[1] << 8 | last.data[2] : 0;
    *ret_last = UINT16_MAX;
    if (to == kind)
        *ret_last = next.size >= 3 ? (uint32_t)next.data[1] << 8 | next.data[2] : 0;
    return true;
}

void gr_verify_gap(struct gr_verify *verify, struct gr_bytes last, struct gr_bytes next)
{
    static const enum gr_disk_kind kinds[] = {GR_DISK_CLOCK, GR_DISK_PARTITION, GR_DISK_RECORD};
    find(verify, (struct gr_verify_finding){.kind = GR_VERIFY_ENGINE,
                     .partition = GR_VERIFY_NOWHERE,
                     .row_key = last,
                     .row_end = next});
    for (size_t i = 0; i < GR_COUNT(kinds); i++) {
        uint32_t first, end;
        if (!numbers_between(kinds[i], last, next, &first, &end))
            continue;
        if (kinds[i] == GR_DISK_RECORD) {
            first = partition_of(verify, (uint16_t)GR_MIN(first, (uint32_t)GR_SLOTS - 1));
            end = partition_of(verify, (uint16_t)GR_MIN(end, (uint32_t)GR_SLOTS - 1));
        }
        for (uint32_t number = first; number <= end && number < verify->partitions; number++)
            verify->partition[number].unsure = true;
        for (uint32_t number = first; number <= end && number < verify->partitions; number++)
            verify->partition[number].clock_unsure |= kinds[i] == GR_DISK_CLOCK;
    }
}

struct gr_verify_summary gr_verify_end(struct gr_verify *verify)
{
    for (uint32_t i = 0; i < verify->partitions; i++) {
        struct partition *partition = &verify->partition[i];
        struct gr_verify_finding finding = {.partition = i};
        finding.kind =
            partition->sums.count != partition->row.count ? GR_VERIFY_KEYS : GR_VERIFY_SUM;
        bool same = partition->sums.count == partition->row.count &&
                    gr_sum_equal(partition->sums.sum, partition->row.sum);
        if (!same && !partition->unsure)
            find(verify, finding);
        gr_clock_deinit(&partition->clock);
    }
    struct gr_verify_summary summary = verify->summary;
    gr_arena_deinit(&verify->arena);
    gr_hook_memory(verify->partition, 0);
    gr_hook_memory(verify, 0);
    return summary;
}
