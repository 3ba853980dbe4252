// The store's rows: one change of a node becomes a handful of rows in one batch.
//
//      r slot hash len bucket key           -> format, sum, record
//      c partition actor                    -> format, sum, base, intervals
//      h partition                          -> format, sum, count, sum of leaf hashes, last dot
//      x minute slot hash len bucket key    ->
//      o partition slot hash len bucket key ->
//      d partition                          -> format, sum, clock
//      i owner slot hash len bucket key dot -> format, sum, since, delta
//      m name                               -> the shell's
//
// Numbers in keys are big-endian, so that memcmp sorts them; numbers in values are varints.
//
//   I1  The sum of a row covers its key, its format and its value: a flipped bit is noticed, and so
//       is a row that stands under another row's key.
//   I2  A row without a value needs no sum: slot and hash are computed again from the names.
//   I3  A decoder gives all of a row or nothing of it.
//   I4  One write, one set of rows: the same change gives the same bytes.
//
// Source: DESIGN.md §3 (order of records) and §4 (which rows one write has).
// Owns: scratch memory for the length of a call. Bounds: a value is below 4 GiB, the engine's
// limit.
#include "wire/disk.h"

#include "base/bytes.h"
#include "base/hash.h"
#include "wire/field.h"

enum {
    DOT_BYTES = 8 + 8 + 8,
    TAIL_BYTES = 2 + 8 + 1,   // slot, hash, length of the bucket; then bucket and key
    VALUE_HEAD_BYTES = 1 + 4, // format, sum
    INTERVAL_BYTES_MIN = 2,
    MINUTE_MS = 60000,
    META_NAME_BYTES_MAX = 255,
};

// ---- keys ------------------------------------------------------------------------------------

// A writer over `size` bytes of the arena, which it fills exactly.
static struct gr_writer key_begin(struct gr_arena *arena, enum gr_disk_kind kind, size_t size)
{
    struct gr_writer key = {
        .data = gr_arena_take(arena, 1 + size),
        .capacity = 1 + size,
        .size_max = 1 + size,
    };
    gr_write_u8(&key, (uint8_t)kind);
    return key;
}

static struct gr_bytes key_end(const struct gr_writer *key)
{
    gr_assert(!key->bad && key->size == key->size_max);
    return gr_writer_bytes(key);
}

static size_t tail_bytes(const struct gr_key *key)
{
    return TAIL_BYTES + key->bucket.size + key->key.size;
}

static void write_tail(struct gr_writer *out, const struct gr_key *key)
{
    gr_assert(key->bucket.size > 0 && key->bucket.size <= GR_BUCKET_BYTES_MAX);
    gr_assert(key->key.size > 0 && key->key.size <= GR_KEY_BYTES_MAX);
    gr_write_u16_big(out, key->slot);
    gr_write_u64_big(out, key->hash);
    gr_write_u8(out, (uint8_t)key->bucket.size);
    gr_write_bytes(out, key->bucket);
    gr_write_bytes(out, key->key);
}

struct gr_bytes gr_disk_record_key(struct gr_arena *arena, const struct gr_key *key)
{
    struct gr_writer row = key_begin(arena, GR_DISK_RECORD, tail_bytes(key));
    write_tail(&row, key);
    return key_end(&row);
}

// `number` may be one past the last partition: the end of a range.
static struct gr_bytes partition_key(
    struct gr_arena *arena, enum gr_disk_kind kind, uint32_t number)
{
    gr_assert(number <= GR_PARTITIONS_MAX);
    struct gr_writer row = key_begin(arena, kind, 2);
    gr_write_u16_big(&row, (uint16_t)number);
    return key_end(&row);
}

struct gr_bytes gr_disk_clock_key(struct gr_arena *arena, uint32_t partition, struct gr_actor actor)
{
    gr_assert(partition < GR_PARTITIONS_MAX);
    struct gr_writer row = key_begin(arena, GR_DISK_CLOCK, 2 + 16);
    gr_write_u16_big(&row, (uint16_t)partition);
    gr_write_u64_big(&row, actor.store);
    gr_write_u64_big(&row, actor.run);
    return key_end(&row);
}

struct gr_bytes gr_disk_partition_key(struct gr_arena *arena, uint32_t partition)
{
    return partition_key(arena, GR_DISK_PARTITION, partition);
}

struct gr_bytes gr_disk_meta_key(struct gr_arena *arena, const char *name)
{
    struct gr_bytes text = gr_bytes_text(name);
    gr_assert(text.size > 0 && text.size <= META_NAME_BYTES_MAX);
    struct gr_writer row = key_begin(arena, GR_DISK_META, text.size);
    gr_write_bytes(&row, text);
    return key_end(&row);
}

static uint32_t clamp_minute(int64_t minute)
{
    return (uint32_t)GR_MAX(GR_MIN(minute, (int64_t)UINT32_MAX), 0);
}

// The first whole minute at which `wall` has passed.
static uint32_t minute_of(struct gr_wall wall)
{
    return clamp_minute(wall.ms / MINUTE_MS + (wall.ms % MINUTE_MS > 0));
}

struct gr_bytes gr_disk_due_key(
    struct gr_arena *arena, struct gr_wall expires, const struct gr_key *key)
{
    struct gr_writer row = key_begin(arena, GR_DISK_DUE, 4 + tail_bytes(key));
    gr_write_u32_big(&row, minute_of(expires));
    write_tail(&row, key);
    return key_end(&row);
}

struct gr_bytes gr_disk_leftover_key(
    struct gr_arena *arena, uint32_t partition, const struct gr_key *key)
{
    gr_assert(partition < GR_PARTITIONS_MAX);
    struct gr_writer row = key_begin(arena, GR_DISK_LEFTOVER, 2 + tail_bytes(key));
    gr_write_u16_big(&row, (uint16_t)partition);
    write_tail(&row, key);
    return key_end(&row);
}

static void write_dot(struct gr_writer *out, const struct gr_dot *dot)
{
    gr_write_u64_big(out, dot->actor.store);
    gr_write_u64_big(out, dot->actor.run);
    gr_write_u64_big(out, dot->counter);
}

static struct gr_bytes hint_key(struct gr_arena *arena, const struct gr_hint *hint)
{
    gr_assert(hint->owner > 0 && hint->owner <= GR_MEMBER_ID_MAX);
    struct gr_writer row =
        key_begin(arena, GR_DISK_HINT, 8 + tail_bytes(&hint->key) + DOT_BYTES + 1);
    gr_write_u64_big(&row, hint->owner);
    write_tail(&row, &hint->key);
    write_dot(&row, &hint->dot);
    gr_write_u8(&row, hint->stood_in);
    return key_end(&row);
}

// ---- ranges ----------------------------------------------------------------------------------

struct gr_disk_range gr_disk_range_kind(struct gr_arena *arena, enum gr_disk_kind kind)
{
    struct gr_writer from = key_begin(arena, kind, 0);
    struct gr_writer to = key_begin(arena, (enum gr_disk_kind)(kind + 1), 0);
    return (struct gr_disk_range){key_end(&from), key_end(&to)};
}

// The first record at or after a cursor.
static struct gr_bytes cursor_key(struct gr_arena *arena, gr_cursor cursor)
{
    struct gr_writer row = key_begin(arena, GR_DISK_RECORD, 2 + 8);
    gr_write_u16_big(&row, (uint16_t)(cursor >> 38));
    gr_write_u64_big(&row, cursor << 26);
    return key_end(&row);
}

struct gr_disk_range gr_disk_range_records(
    struct gr_arena *arena, uint32_t partitions, uint32_t partition, gr_cursor cursor)
{
    gr_assert(partitions > 0 && partitions <= GR_SLOTS && GR_SLOTS % partitions == 0);
    gr_assert(partition < partitions);
    uint32_t slots = GR_SLOTS / partitions;
    gr_cursor first = (gr_cursor)(partition * slots) << 38;
    gr_cursor end = (gr_cursor)((partition + 1) * slots) << 38;
    cursor = GR_MIN(GR_MAX(cursor, first), end);
    return (struct gr_disk_range){cursor_key(arena, cursor), cursor_key(arena, end)};
}

struct gr_disk_range gr_disk_range_cursors(struct gr_arena *arena, gr_cursor from, gr_cursor to)
{
    gr_assert(from <= to && to <= GR_CURSOR_END);
    return (struct gr_disk_range){cursor_key(arena, from), cursor_key(arena, to)};
}

static struct gr_disk_range partition_range(
    struct gr_arena *arena, enum gr_disk_kind kind, uint32_t partition)
{
    gr_assert(partition < GR_PARTITIONS_MAX);
    return (struct gr_disk_range){
        partition_key(arena, kind, partition),
        partition_key(arena, kind, partition + 1),
    };
}

struct gr_disk_range gr_disk_range_clock(struct gr_arena *arena, uint32_t partition)
{
    return partition_range(arena, GR_DISK_CLOCK, partition);
}

struct gr_disk_range gr_disk_range_leftover(struct gr_arena *arena, uint32_t partition)
{
    return partition_range(arena, GR_DISK_LEFTOVER, partition);
}

struct gr_disk_range gr_disk_range_hints(struct gr_arena *arena, uint64_t owner, gr_cursor cursor)
{
    gr_assert(owner <= GR_MEMBER_ID_MAX);
    struct gr_writer from = key_begin(arena, GR_DISK_HINT, 8 + 2 + 8);
    struct gr_writer to = key_begin(arena, GR_DISK_HINT, 8);
    gr_write_u64_big(&from, owner);
    gr_write_u16_big(&from, (uint16_t)(cursor >> 38));
    gr_write_u64_big(&from, cursor << 26);
    gr_write_u64_big(&to, owner + 1);
    return (struct gr_disk_range){key_end(&from), key_end(&to)};
}

struct gr_disk_range gr_disk_range_due(struct gr_arena *arena, struct gr_wall wall)
{
    // A row stands under the minute at which it is due, so the minute that has just begun is in.
    // What was clamped to the last minute never comes: nobody knows when it is due.
    uint32_t end = wall.ms < 0 ? 0 : clamp_minute(wall.ms / MINUTE_MS + 1);
    struct gr_writer from = key_begin(arena, GR_DISK_DUE, 4);
    struct gr_writer to = key_begin(arena, GR_DISK_DUE, 4);
    gr_write_u32_big(&from, 0);
    gr_write_u32_big(&to, end);
    return (struct gr_disk_range){key_end(&from), key_end(&to)};
}

// ---- writing ---------------------------------------------------------------------------------

static uint32_t sum_of(struct gr_bytes row_key, struct gr_bytes content)
{
    return (uint32_t)gr_hash64(content, gr_hash64(row_key, GR_DISK_FORMAT));
}

static void value_begin(struct gr_writer *value)
{
    gr_writer_clear(value);
    gr_write_u8(value, GR_DISK_FORMAT);
    gr_write_u32(value, 0);
}

// Fills in the sum and hands the row over.
static void value_end(
    struct gr_writer *value, struct gr_bytes row_key, const struct gr_disk_sink *sink)
{
    gr_assert(!value->bad);
    uint32_t sum =
        sum_of(row_key, gr_bytes(value->data + VALUE_HEAD_BYTES, value->size - VALUE_HEAD_BYTES));
    for (int i = 0; i < 4; i++)
        value->data[1 + i] = (uint8_t)(sum >> (8 * i));
    sink->put(sink->host, row_key, gr_writer_bytes(value));
}

static void write_fields(struct gr_writer *value, const struct gr_record *record)
{
    for (uint32_t i = 0; i < record->count; i++)
        gr_assert(!record->sibling[i].bare); // its value would be lost
    struct gr_field_out fields;
    gr_field_out_init(&fields, value, UINT32_MAX);
    gr_field_write_record(&fields, record, false);
    gr_field_out_deinit(&fields);
}

static void write_hint(struct gr_arena *arena, struct gr_writer *value, const struct gr_hint *hint,
    bool remove, const struct gr_disk_sink *sink)
{
    struct gr_bytes row_key = hint_key(arena, hint);
    if (remove) {
        sink->remove(sink->host, row_key);
        return;
    }
    value_begin(value);
    gr_write_varint(value, (uint64_t)GR_MAX(hint->since.ms, 0));
    write_fields(value, &hint->record);
    value_end(value, row_key, sink);
}

static void write_record(struct gr_arena *arena, struct gr_writer *value,
    const struct gr_store_write *w, const struct gr_disk_sink *sink)
{
    struct gr_bytes row_key = gr_disk_record_key(arena, &w->key);
    if (w->record == NULL || gr_record_empty(w->record)) {
        sink->remove(sink->host, row_key);
        return;
    }
    value_begin(value);
    write_fields(value, w->record);
    value_end(value, row_key, sink);
}

static void write_clock(struct gr_arena *arena, struct gr_writer *value, uint32_t partition,
    const struct gr_clock_row *row, const struct gr_disk_sink *sink)
{
    if (row->base == 0 && row->interval_count == 0) { // it has begun anew
        sink->remove(sink->host, gr_disk_clock_key(arena, partition, row->actor));
        return;
    }
    value_begin(value);
    gr_write_varint(value, row->base);
    gr_write_varint(value, row->interval_count);
    // Each interval as the distance from what went before, and its length: small numbers.
    uint64_t last = row->base;
    for (uint32_t i = 0; i < row->interval_count; i++) {
        const struct gr_interval *interval = &row->interval[i];
        gr_assert(interval->first > last + 1 && interval->last >= interval->first);
        gr_write_varint(value, interval->first - last);
        gr_write_varint(value, interval->last - interval->first);
        last = interval->last;
    }
    gr_assert(last <= GR_COUNTER_MAX);
    value_end(value, gr_disk_clock_key(arena, partition, row->actor), sink);
}

static void write_partition(struct gr_arena *arena, struct gr_writer *value,
    const struct gr_store_write *w, struct gr_actor self, const struct gr_disk_sink *sink)
{
    value_begin(value);
    gr_write_u64(value, (uint64_t)w->count);
    gr_write_u64(value, w->sum.low);
    gr_write_u64(value, w->sum.high);
    gr_write_u64(value, self.store);
    gr_write_u64(value, self.run);
    gr_write_varint(value, w->counter);
    value_end(value, gr_disk_partition_key(arena, w->partition), sink);
}

// The index rows of a key have no value: that they stand there is what they say.
static void write_indices(
    struct gr_arena *arena, const struct gr_store_write *w, const struct gr_disk_sink *sink)
{
    for (uint32_t i = 0; i < w->due_remove_count; i++)
        sink->remove(sink->host, gr_disk_due_key(arena, w->due_remove[i], &w->key));
    for (uint32_t i = 0; i < w->due_add_count; i++)
        sink->put(sink->host, gr_disk_due_key(arena, w->due_add[i], &w->key), gr_bytes("", 0));
    if (w->leftover > 0)
        sink->put(sink->host, gr_disk_leftover_key(arena, w->partition, &w->key), gr_bytes("", 0));
    if (w->leftover < 0)
        sink->remove(sink->host, gr_disk_leftover_key(arena, w->partition, &w->key));
}

static void write_owed(struct gr_arena *arena, struct gr_writer *value,
    const struct gr_store_write *w, const struct gr_disk_sink *sink)
{
    struct gr_bytes row_key = partition_key(arena, GR_DISK_OWED, w->partition);
    if (w->owed == NULL) {
        sink->remove(sink->host, row_key);
        return;
    }
    value_begin(value);
    struct gr_field_out fields;
    gr_field_out_init(&fields, value, UINT32_MAX);
    gr_field_write_clock(&fields, w->owed);
    gr_field_out_deinit(&fields);
    value_end(value, row_key, sink);
}

static void write_holds(struct gr_arena *arena, struct gr_writer *value,
    const struct gr_holds *holds, const struct gr_disk_sink *sink)
{
    struct gr_writer row = key_begin(arena, GR_DISK_HOLDS, 0);
    value_begin(value);
    gr_write_varint(value, holds->words);
    for (uint32_t i = 0; i < holds->words; i++) {
        gr_assert((holds->held[i] & holds->dropping[i]) == 0);
        gr_write_u64(value, holds->held[i]);
        gr_write_u64(value, holds->dropping[i]);
    }
    value_end(value, key_end(&row), sink);
}

void gr_disk_write(
    const struct gr_store_write *w, struct gr_actor self, const struct gr_disk_sink *sink)
{
    struct gr_arena arena = {0};
    struct gr_writer value;
    gr_writer_init(&value, UINT32_MAX);
    if (w->key.key.size > 0) {
        write_record(&arena, &value, w, sink);
        write_indices(&arena, w, sink);
    }
    if (w->owed_changed)
        write_owed(&arena, &value, w, sink);
    for (uint32_t i = 0; i < w->hint_count; i++)
        write_hint(&arena, &value, &w->hint[i], w->hint_remove, sink);
    for (uint32_t i = 0; i < w->row_count; i++)
        write_clock(&arena, &value, w->partition, w->row[i], sink);
    if (w->holds != NULL)
        write_holds(&arena, &value, w->holds, sink);
    if (w->key.key.size > 0 || w->owed_changed || w->holds != NULL)
        write_partition(&arena, &value, w, self, sink);
    gr_writer_deinit(&value);
    gr_arena_deinit(&arena);
}

// ---- reading ---------------------------------------------------------------------------------

// What follows the sum in a value whose sum is right, or empty bytes. No content is empty.
static struct gr_bytes content_of(struct gr_bytes row_key, struct gr_bytes value)
{
    const struct gr_bytes nothing = gr_bytes(NULL, 0);
    if (value.size <= VALUE_HEAD_BYTES)
        return nothing;
    struct gr_reader reader = gr_reader_of(value);
    uint8_t format = gr_read_u8(&reader);
    uint32_t sum = gr_read_u32(&reader);
    struct gr_bytes content = gr_read_bytes(&reader, gr_reader_left(&reader));
    if (format != GR_DISK_FORMAT || sum != sum_of(row_key, content))
        return nothing;
    return content;
}

bool gr_disk_is_sound(struct gr_bytes row_key, struct gr_bytes value)
{
    return content_of(row_key, value).size > 0;
}

// A reader behind the kind of a row's key; bad when it is of another kind.
static struct gr_reader open_key(struct gr_bytes row_key, enum gr_disk_kind kind)
{
    struct gr_reader reader = {.bad = true};
    if (row_key.size > 0) {
        reader = gr_reader_of(row_key);
        if (gr_read_u8(&reader) != (uint8_t)kind)
            gr_reader_fail(&reader);
    }
    return reader;
}

static uint32_t read_partition(struct gr_reader *reader)
{
    uint32_t partition = gr_read_u16_big(reader);
    if (partition >= GR_PARTITIONS_MAX)
        gr_reader_fail(reader);
    return partition;
}

// Slot, hash and names up to `behind` bytes before the end of the key; I2.
static struct gr_key read_tail_before(struct gr_reader *reader, size_t behind)
{
    uint16_t slot = gr_read_u16_big(reader);
    uint64_t hash = gr_read_u64_big(reader);
    uint8_t bucket_bytes = gr_read_u8(reader);
    struct gr_bytes bucket = gr_read_bytes(reader, bucket_bytes);
    size_t left = gr_reader_left(reader);
    if (reader->bad || bucket.size == 0 || left <= behind || left - behind > GR_KEY_BYTES_MAX) {
        gr_reader_fail(reader);
        return (struct gr_key){0};
    }
    struct gr_key key = gr_key_make(bucket, gr_read_bytes(reader, left - behind));
    if (key.slot != slot || key.hash != hash)
        gr_reader_fail(reader);
    return key;
}

static struct gr_key read_tail(struct gr_reader *reader)
{
    return read_tail_before(reader, 0);
}

enum gr_err gr_disk_read_record_key(struct gr_bytes row_key, struct gr_key *ret)
{
    struct gr_reader reader = open_key(row_key, GR_DISK_RECORD);
    struct gr_key key = read_tail(&reader);
    if (!gr_reader_done(&reader))
        return GR_ERR_CORRUPT;
    *ret = key;
    return GR_OK;
}

enum gr_err gr_disk_read_record(struct gr_bytes row_key, struct gr_bytes value, bool bare,
    struct gr_arena *arena, struct gr_record *ret)
{
    struct gr_key key;
    struct gr_bytes content = content_of(row_key, value);
    if (content.size == 0 || gr_disk_read_record_key(row_key, &key) != GR_OK)
        return GR_ERR_CORRUPT;
    struct gr_field_in in;
    gr_field_in_init(&in, content, arena, UINT32_MAX);
    struct gr_record record =
        gr_field_read_record(&in, bare ? GR_FIELD_VALUES_SKIP : GR_FIELD_VALUES_ALL);
    if (!gr_reader_done(&in.reader) || gr_record_empty(&record))
        return GR_ERR_CORRUPT;
    *ret = record;
    return GR_OK;
}

// The distance from `last` to the next interval, or its length: bad when that passes the largest
// counter.
static uint64_t read_step(struct gr_field_in *in, uint64_t last, uint64_t min)
{
    uint64_t step = gr_field_read_varint(in, GR_COUNTER_MAX - last);
    if (step < min)
        gr_reader_fail(&in->reader);
    return last + step;
}

enum gr_err gr_disk_read_clock(struct gr_bytes row_key, struct gr_bytes value,
    struct gr_arena *arena, uint32_t *ret_partition, struct gr_clock_row *ret_row)
{
    struct gr_reader key = open_key(row_key, GR_DISK_CLOCK);
    uint32_t partition = read_partition(&key);
    struct gr_clock_row row = {.actor.store = gr_read_u64_big(&key)};
    row.actor.run = gr_read_u64_big(&key);
    struct gr_bytes content = content_of(row_key, value);
    if (!gr_reader_done(&key) || content.size == 0)
        return GR_ERR_CORRUPT;
    struct gr_field_in in;
    gr_field_in_init(&in, content, arena, UINT32_MAX);
    uint64_t last = row.base = gr_field_read_varint(&in, GR_COUNTER_MAX);
    row.interval_count = gr_field_read_count(&in, INTERVAL_BYTES_MIN);
    if (row.interval_count > 0)
        row.interval = gr_arena_array(arena, struct gr_interval, row.interval_count);
    row.interval_capacity = row.interval_count;
    for (uint32_t i = 0; i < row.interval_count && !in.reader.bad; i++) {
        row.interval[i].first = read_step(&in, last, 2); // 1 would touch what went before
        row.interval[i].last = last = read_step(&in, row.interval[i].first, 0);
    }
    if (!gr_reader_done(&in.reader))
        return GR_ERR_CORRUPT;
    *ret_partition = partition;
    *ret_row = row;
    return GR_OK;
}

enum gr_err gr_disk_read_partition(struct gr_bytes row_key, struct gr_bytes value,
    uint32_t *ret_partition, struct gr_disk_partition *ret)
{
    struct gr_reader key = open_key(row_key, GR_DISK_PARTITION);
    uint32_t partition = read_partition(&key);
    struct gr_bytes content = content_of(row_key, value);
    if (!gr_reader_done(&key) || content.size == 0)
        return GR_ERR_CORRUPT;
    struct gr_reader reader = gr_reader_of(content);
    struct gr_disk_partition row = {.count = (int64_t)gr_read_u64(&reader)};
    row.sum.low = gr_read_u64(&reader);
    row.sum.high = gr_read_u64(&reader);
    row.last.actor.store = gr_read_u64(&reader);
    row.last.actor.run = gr_read_u64(&reader);
    row.last.counter = gr_read_varint(&reader);
    if (!gr_reader_done(&reader) || row.last.counter > GR_COUNTER_MAX)
        return GR_ERR_CORRUPT;
    *ret_partition = partition;
    *ret = row;
    return GR_OK;
}

enum gr_err gr_disk_read_due(
    struct gr_bytes row_key, struct gr_wall *ret_minute, struct gr_key *ret_key)
{
    struct gr_reader reader = open_key(row_key, GR_DISK_DUE);
    uint32_t minute = gr_read_u32_big(&reader);
    struct gr_key key = read_tail(&reader);
    if (!gr_reader_done(&reader))
        return GR_ERR_CORRUPT;
    *ret_minute = (struct gr_wall){(int64_t)minute * MINUTE_MS};
    *ret_key = key;
    return GR_OK;
}

enum gr_err gr_disk_read_leftover(
    struct gr_bytes row_key, uint32_t *ret_partition, struct gr_key *ret_key)
{
    struct gr_reader reader = open_key(row_key, GR_DISK_LEFTOVER);
    uint32_t partition = read_partition(&reader);
    struct gr_key key = read_tail(&reader);
    if (!gr_reader_done(&reader))
        return GR_ERR_CORRUPT;
    *ret_partition = partition;
    *ret_key = key;
    return GR_OK;
}

enum gr_err gr_disk_read_owed(struct gr_bytes row_key, struct gr_bytes value,
    struct gr_arena *arena, uint32_t *ret_partition, struct gr_clock *ret_owed)
{
    struct gr_reader key = open_key(row_key, GR_DISK_OWED);
    uint32_t partition = read_partition(&key);
    struct gr_bytes content = content_of(row_key, value);
    if (!gr_reader_done(&key) || content.size == 0)
        return GR_ERR_CORRUPT;
    struct gr_field_in in;
    gr_field_in_init(&in, content, arena, UINT32_MAX);
    struct gr_clock owed = gr_field_read_clock(&in);
    if (!gr_reader_done(&in.reader))
        return GR_ERR_CORRUPT;
    *ret_partition = partition;
    *ret_owed = owed;
    return GR_OK;
}

enum gr_err gr_disk_read_hint(
    struct gr_bytes row_key, struct gr_bytes value, struct gr_arena *arena, struct gr_hint *ret)
{
    struct gr_reader key = open_key(row_key, GR_DISK_HINT);
    struct gr_hint hint = {.owner = gr_read_u64_big(&key)};
    hint.key = read_tail_before(&key, DOT_BYTES + 1);
    hint.dot.actor.store = gr_read_u64_big(&key);
    hint.dot.actor.run = gr_read_u64_big(&key);
    hint.dot.counter = gr_read_u64_big(&key);
    uint8_t stood_in = gr_read_u8(&key);
    hint.stood_in = stood_in == 1;
    struct gr_bytes content = content_of(row_key, value);
    if (!gr_reader_done(&key) || content.size == 0 || hint.owner == 0 ||
        hint.owner > GR_MEMBER_ID_MAX || stood_in > 1 || hint.dot.counter == 0 ||
        hint.dot.counter > GR_COUNTER_MAX)
        return GR_ERR_CORRUPT;
    struct gr_field_in in;
    gr_field_in_init(&in, content, arena, UINT32_MAX);
    hint.since.ms = (int64_t)gr_field_read_varint(&in, INT64_MAX);
    hint.record = gr_field_read_record(&in, GR_FIELD_VALUES_ALL);
    if (!gr_reader_done(&in.reader) || !gr_context_covers(&hint.record.context, &hint.dot))
        return GR_ERR_CORRUPT;
    *ret = hint;
    return GR_OK;
}

enum gr_err gr_disk_read_holds(
    struct gr_bytes row_key, struct gr_bytes value, struct gr_arena *arena, struct gr_holds *ret)
{
    struct gr_reader key = open_key(row_key, GR_DISK_HOLDS);
    struct gr_bytes content = content_of(row_key, value);
    if (!gr_reader_done(&key) || content.size == 0)
        return GR_ERR_CORRUPT;
    struct gr_field_in in;
    gr_field_in_init(&in, content, arena, UINT32_MAX);
    uint32_t words = (uint32_t)gr_field_read_varint(&in, GR_HOLDS_WORDS_MAX);
    uint64_t *held = gr_arena_array(arena, uint64_t, words);
    uint64_t *dropping = gr_arena_array(arena, uint64_t, words);
    bool both = false;
    for (uint32_t i = 0; i < words; i++) {
        held[i] = gr_read_u64(&in.reader);
        dropping[i] = gr_read_u64(&in.reader);
        both |= (held[i] & dropping[i]) != 0;
    }
    if (!gr_reader_done(&in.reader) || words == 0 || both)
        return GR_ERR_CORRUPT;
    *ret = (struct gr_holds){.words = words, .held = held, .dropping = dropping};
    return GR_OK;
}
