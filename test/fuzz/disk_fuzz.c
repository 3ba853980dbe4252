// Rows: as they come, and once more with a right checksum, so that what is behind it is reached.
// A record or clock row that decodes is written again and must give the same.
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "wire/disk.h"
#include "wire/salvage.h"
#include "wire/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct written {
    struct gr_bytes want_key, value;
    struct gr_arena *arena;
};

static void take_put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct written *written = host;
    if (gr_bytes_equal(key, written->want_key))
        written->value = gr_arena_copy(written->arena, value);
}

static void take_key(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct written *written = host;
    written->want_key = gr_arena_copy(written->arena, key);
    (void)value;
}

static void take_remove(void *host, struct gr_bytes key)
{
    (void)host;
    (void)key;
}

static bool same_row(const struct gr_clock_row *a, const struct gr_clock_row *b)
{
    bool same = a->base == b->base && a->interval_count == b->interval_count;
    for (uint32_t i = 0; same && i < a->interval_count; i++)
        same = a->interval[i].first == b->interval[i].first &&
               a->interval[i].last == b->interval[i].last;
    return same;
}

static void read_record(struct gr_arena *arena, struct gr_bytes key, struct gr_bytes value)
{
    struct gr_record record, bare, again;
    struct gr_key name;
    enum gr_err err = gr_disk_read_record(key, value, false, arena, &record);
    gr_assert(err == gr_disk_read_record(key, value, true, arena, &bare));
    if (err != GR_OK)
        return;
    gr_assert(gr_disk_read_record_key(key, &name) == GR_OK);
    gr_assert(gr_record_equal(&record, &bare));
    struct written written = {.want_key = key, .arena = arena};
    struct gr_disk_sink sink = {take_put, take_remove, &written};
    struct gr_store_write w = {.key = name, .record = &record};
    gr_disk_write(&w, (struct gr_actor){1, 1}, &sink);
    gr_assert(gr_disk_read_record(key, written.value, false, arena, &again) == GR_OK);
    gr_assert(gr_record_equal(&record, &again));
    gr_assert(gr_record_value_bytes(&record) == gr_record_value_bytes(&again));
}

static void read_clock(struct gr_arena *arena, struct gr_bytes key, struct gr_bytes value)
{
    struct gr_clock_row row, again;
    uint32_t partition;
    if (gr_disk_read_clock(key, value, arena, &partition, &row) != GR_OK)
        return;
    // A node can take it in.
    struct gr_clock clock = {0};
    if (row.base > 0)
        gr_clock_add_interval(&clock, row.actor, (struct gr_interval){1, row.base});
    for (uint32_t i = 0; i < row.interval_count; i++)
        gr_clock_add_interval(&clock, row.actor, row.interval[i]);
    gr_assert(clock.count == 0 || same_row(&clock.row[0], &row));
    gr_clock_deinit(&clock);
    struct written written = {.want_key = key, .arena = arena};
    struct gr_disk_sink sink = {take_put, take_remove, &written};
    const struct gr_clock_row *changed[] = {&row};
    struct gr_store_write w = {.partition = partition, .row = changed, .row_count = 1};
    gr_disk_write(&w, (struct gr_actor){1, 1}, &sink);
    gr_assert(gr_disk_read_clock(key, written.value, arena, &partition, &again) == GR_OK);
    gr_assert(same_row(&row, &again));
}

static void read_hint(struct gr_arena *arena, struct gr_bytes key, struct gr_bytes value)
{
    struct gr_hint hint, again;
    if (gr_disk_read_hint(key, value, arena, &hint) != GR_OK)
        return;
    gr_assert(gr_context_covers(&hint.record.context, &hint.dot));
    struct written written = {.want_key = key, .arena = arena};
    struct gr_disk_sink sink = {take_put, take_remove, &written};
    struct gr_store_write w = {.hint = &hint, .hint_count = 1};
    gr_disk_write(&w, (struct gr_actor){1, 1}, &sink);
    gr_assert(gr_disk_read_hint(key, written.value, arena, &again) == GR_OK);
    gr_assert(hint.owner == again.owner && hint.since.ms == again.since.ms);
    gr_assert(gr_record_equal(&hint.record, &again.record));
    gr_assert(gr_record_value_bytes(&hint.record) == gr_record_value_bytes(&again.record));
}

// The key of the row of a hint, for content that may be one's.
static struct gr_bytes hint_key(struct gr_arena *arena)
{
    struct gr_dot dot = {{1, 2}, 3};
    struct gr_hint hint = {.owner = 5,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .dot = dot,
        .record.context = {.cloud = &dot, .cloud_count = 1}};
    struct written written = {.arena = arena};
    struct gr_disk_sink sink = {take_key, take_remove, &written};
    struct gr_store_write w = {.hint = &hint, .hint_count = 1};
    gr_disk_write(&w, (struct gr_actor){1, 1}, &sink);
    return written.want_key;
}

static enum gr_err get_nothing(
    void *host, struct gr_bytes row_key, struct gr_arena *arena, struct gr_bytes *ret_value)
{
    (void)host, (void)row_key, (void)arena, (void)ret_value;
    return GR_ERR_NOT_FOUND;
}

static void count_finding(void *host, const struct gr_verify_finding *finding)
{
    uint64_t *count = host;
    gr_assert(gr_verify_text(finding->kind)->name[0] != 0);
    ++*count;
}

// What is kept of a row can be read, and relies on no clock; and whatever the row is, it can be
// looked at.
static void salvage_and_verify(struct gr_arena *arena, struct gr_bytes key, struct gr_bytes value)
{
    struct gr_salvage salvage;
    struct gr_record record;
    struct written written = {.want_key = key, .arena = arena};
    struct gr_disk_sink sink = {take_put, take_remove, &written};
    gr_salvage_init(&salvage, 64);
    bool kept = gr_salvage_row(&salvage, key, value, &sink);
    if (kept && salvage.records > 0) {
        gr_assert(gr_disk_read_record(key, written.value, true, arena, &record) == GR_OK);
        for (uint32_t i = 0; i < record.count; i++)
            gr_assert(gr_context_covers(&record.context, &record.sibling[i].dot));
    }
    gr_salvage_deinit(&salvage);
    uint64_t count = 0;
    struct gr_verify_host host = {get_nothing, count_finding, &count};
    struct gr_verify *verify = gr_verify_new(64, &host);
    gr_verify_row(verify, key, value);
    gr_verify_gap(verify, key, gr_bytes("", 0));
    gr_assert(gr_verify_end(verify).findings == count);
}

static void read_all(struct gr_arena *arena, struct gr_bytes key, struct gr_bytes value)
{
    uint32_t partition;
    struct gr_key name;
    struct gr_disk_partition row;
    struct gr_wall minute;
    read_record(arena, key, value);
    read_clock(arena, key, value);
    read_hint(arena, key, value);
    salvage_and_verify(arena, key, value);
    if (gr_disk_read_partition(key, value, &partition, &row) == GR_OK)
        gr_assert(row.last.counter <= INT64_MAX && partition < GR_PARTITIONS_MAX);
    if (gr_disk_read_due(key, &minute, &name) == GR_OK ||
        gr_disk_read_leftover(key, &partition, &name) == GR_OK)
        gr_assert(name.bucket.size > 0 && name.key.size > 0);
}

// Format and sum before `content`, as a row under `key` has them.
static struct gr_bytes sealed(
    struct gr_arena *arena, struct gr_bytes key, const uint8_t *content, size_t size)
{
    uint8_t *value = gr_arena_take(arena, 5 + size);
    uint64_t sum = gr_hash64(gr_bytes(content, size), gr_hash64(key, GR_DISK_FORMAT));
    value[0] = GR_DISK_FORMAT;
    for (int i = 0; i < 4; i++)
        value[1 + i] = (uint8_t)(sum >> (8 * i));
    if (size > 0)
        memcpy(value + 5, content, size);
    return gr_bytes(value, 5 + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gr_arena arena = {0};
    // One byte says how long the key is.
    if (size > 0) {
        size_t key_bytes = GR_MIN(data[0], size - 1);
        struct gr_bytes key = gr_bytes(data + 1, key_bytes);
        const uint8_t *rest = data + 1 + key_bytes;
        size_t left = size - 1 - key_bytes;
        read_all(&arena, key, gr_bytes(rest, left));
        read_all(&arena, key, sealed(&arena, key, rest, left));
        // The same content under keys that are right.
        struct gr_key name = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k"));
        struct gr_bytes row = gr_disk_record_key(&arena, &name);
        read_record(&arena, row, sealed(&arena, row, rest, left));
        salvage_and_verify(&arena, row, sealed(&arena, row, rest, left));
        row = gr_disk_clock_key(&arena, 5, (struct gr_actor){1, 2});
        read_clock(&arena, row, sealed(&arena, row, rest, left));
        row = hint_key(&arena);
        read_hint(&arena, row, sealed(&arena, row, rest, left));
        row = gr_disk_partition_key(&arena, 5);
        read_all(&arena, row, sealed(&arena, row, rest, left));
    }
    gr_arena_deinit(&arena);
    return 0;
}
