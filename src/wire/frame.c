// Peer frames: what nodes say to each other, as bytes.
//
// A frame is a letter in an envelope. The envelope has a length and a checksum, and is looked at
// first (gr_frame_split); the letter is one message, and is read only when the envelope is whole
// (gr_frame_decode). Writing and reading of each message type stand side by side, because they must
// agree field by field: those of requests below, those of anti-entropy in frame_entropy.c.
//
//   I1  What decodes is valid: no field is outside its type, no array is out of order, and no
//       sibling lacks a value where a value is going to be stored.
//   I2  A frame is in the writer whole or not at all.
//   I3  One encoding: the same message gives the same bytes, in one version.
//   I4  What a version cannot say is not written in it as something else: such a message has no
//       frame. What it may leave out is named in frame.h.
//
// Owns: nothing. Bounds: GR_FRAME_BYTES_MAX, GR_FRAME_ITEMS_MAX.
#include "wire/frame.h"

#include "base/hash.h"
#include "wire/frame_inside.h"
#include "wire/talk.h"

enum {
    WRITE_REMOVE = 1,
    WRITE_PLAIN = 2,
    BODY_BYTES_MIN = 2,  // version, type
    TYPE_TALK = 255,     // in place of a message's
    ENTRY_BYTES_MIN = 7, // bucket, key: a length and a byte each; no siblings, no context
};

// Further from zero than any count of keys, near enough that thousands of them can be added.
static const uint64_t count_max = (uint64_t)1 << 53;

static uint32_t checksum_of(struct gr_bytes body)
{
    return (uint32_t)gr_hash64(body, 0);
}

// ---- a write on its way to replicas ----------------------------------------------------------

static void write_relay(struct gr_field_out *out, const struct gr_message *m)
{
    gr_write_varint(out->writer, m->asked_by);
    gr_assert(m->relay_count < GR_REPLICAS_MAX);
    gr_write_u8(out->writer, (uint8_t)m->relay_count);
    for (uint32_t i = 0; i < m->relay_count; i++)
        gr_write_varint(out->writer, m->relay_list[i]);
}

static void read_relay(struct gr_field_in *in, struct gr_message *m)
{
    m->asked_by = gr_field_read_varint(in, GR_MEMBER_ID_MAX);
    m->relay_count = gr_field_read_u8(in, GR_REPLICAS_MAX - 1);
    if ((m->owed_to != 0) + (m->asked_by != 0) + (m->relay_count != 0) > 1)
        gr_reader_fail(&in->reader);
    uint64_t *list =
        m->relay_count > 0 ? gr_arena_array(in->arena, uint64_t, m->relay_count) : NULL;
    for (uint32_t i = 0; i < m->relay_count; i++) {
        list[i] = gr_field_read_varint(in, GR_MEMBER_ID_MAX);
        if (list[i] == 0)
            gr_reader_fail(&in->reader);
    }
    m->relay_list = list;
}

static void write_delta(struct gr_field_out *out, uint8_t version, const struct gr_message *m)
{
    gr_write_varint(out->writer, m->owed_to);
    gr_write_u8(out->writer, m->durable);
    if (version >= 4)
        write_relay(out, m);
    gr_field_write_dot(out, &m->dot);
    gr_field_write_record(out, &m->record, false);
}

static void read_delta(struct gr_field_in *in, uint8_t version, struct gr_message *m)
{
    m->owed_to = gr_field_read_varint(in, GR_MEMBER_ID_MAX);
    m->durable = gr_field_read_u8(in, 1);
    if (version >= 4)
        read_relay(in, m);
    m->dot = gr_field_read_dot(in);
    m->record = gr_field_read_record(in, GR_FIELD_VALUES_ALL);
}

// ---- a put on its way to its coordinator -----------------------------------------------------

static void write_write(struct gr_field_out *out, const struct gr_write *write)
{
    gr_field_write_dot(out, &write->dot);
    gr_write_u64(out->writer, write->id.run);
    gr_write_varint(out->writer, write->id.number);
    gr_field_write_origin(out, &write->origin);
    gr_write_varint(out->writer, write->touch);
    gr_write_varint(out->writer, (uint64_t)write->expires.ms);
    gr_write_u8(out->writer,
        (uint8_t)((write->remove ? WRITE_REMOVE : 0) | (write->plain ? WRITE_PLAIN : 0)));
    gr_write_u8(out->writer, write->w);
    gr_write_u8(out->writer, write->pw);
    gr_write_u8(out->writer, write->dw);
    gr_assert(write->value.size <= GR_VALUE_BYTES_MAX);
    gr_write_block(out->writer, write->remove ? gr_bytes(NULL, 0) : write->value);
    gr_field_write_context(out, &write->context);
}

static struct gr_write read_write(struct gr_field_in *in, uint8_t version)
{
    struct gr_write write = {.dot = gr_field_read_dot(in)};
    write.id.run = gr_read_u64(&in->reader);
    write.id.number = gr_read_varint(&in->reader);
    write.origin = gr_field_read_origin(in);
    write.touch = gr_read_varint(&in->reader);
    write.expires.ms = (int64_t)gr_read_varint(&in->reader);
    uint8_t flags = gr_field_read_u8(in, WRITE_REMOVE | WRITE_PLAIN);
    write.remove = flags & WRITE_REMOVE;
    write.plain = flags & WRITE_PLAIN;
    write.w = gr_read_u8(&in->reader);
    if (write.w > GR_REPLICAS_MAX && !(version >= 4 && gr_quorum_by_site(write.w)))
        gr_reader_fail(&in->reader);
    write.pw = gr_field_read_u8(in, GR_REPLICAS_MAX);
    write.dw = gr_field_read_u8(in, GR_REPLICAS_MAX);
    write.value = gr_read_block(&in->reader, write.remove ? 0 : GR_VALUE_BYTES_MAX);
    write.context = gr_field_read_context(in);
    return write;
}

// ---- a page of a partition -------------------------------------------------------------------

static void write_page(struct gr_field_out *out, const struct gr_message *m)
{
    gr_field_write_context(out, &m->context);
    gr_write_varint(out->writer, m->cursor);
    gr_field_spend(out, m->entry_count);
    gr_write_varint(out->writer, m->entry_count);
    for (uint32_t i = 0; i < m->entry_count && !out->writer->bad; i++) {
        gr_field_write_key(out, &m->entry[i].key);
        gr_field_write_record(out, &m->entry[i].record, true);
    }
}

static void read_page(struct gr_field_in *in, struct gr_message *m)
{
    m->context = gr_field_read_context(in);
    m->cursor = gr_field_read_varint(in, GR_CURSOR_END);
    m->entry_count = gr_field_read_count(in, ENTRY_BYTES_MIN);
    if (m->entry_count == 0)
        return;
    struct gr_entry *entry = gr_arena_array(in->arena, struct gr_entry, m->entry_count);
    for (uint32_t i = 0; i < m->entry_count && !in->reader.bad; i++) {
        entry[i].key = gr_field_read_key(in);
        entry[i].record = gr_field_read_record(in, GR_FIELD_VALUES_NONE);
    }
    m->entry = entry;
}

// ---- counting --------------------------------------------------------------------------------

// Zigzag, because a count that is wrong may be below zero: 0, -1, 1, -2 ... are 0, 1, 2, 3 ...
static void write_count(struct gr_field_out *out, int64_t count)
{
    int64_t max = (int64_t)count_max;
    count = GR_MAX(GR_MIN(count, max), -max);
    gr_write_varint(out->writer, count < 0 ? 2 * (uint64_t)-count - 1 : 2 * (uint64_t)count);
}

static int64_t read_count(struct gr_field_in *in)
{
    uint64_t zigzag = gr_field_read_varint(in, 2 * count_max);
    return zigzag & 1 ? -(int64_t)(zigzag / 2) - 1 : (int64_t)(zigzag / 2);
}

// ---- all types -------------------------------------------------------------------------------

static bool is_entropy(enum gr_message_type type)
{
    return type >= GR_MSG_PROBE && type <= GR_MSG_WITNESS;
}

static bool has_status(enum gr_message_type type)
{
    return type == GR_MSG_FORWARDED || type == GR_MSG_ACK || type == GR_MSG_STATE ||
           type == GR_MSG_PAGE || type == GR_MSG_COUNTED || type == GR_MSG_BEGUN ||
           type == GR_MSG_LEAVES || type == GR_MSG_TAKEN || type == GR_MSG_JOINED;
}

static bool has_key(enum gr_message_type type)
{
    return type == GR_MSG_FORWARD || type == GR_MSG_DELTA || type == GR_MSG_READ ||
           type == GR_MSG_REPAIR || type == GR_MSG_OFFER || type == GR_MSG_WITNESS;
}

static void write_fields(struct gr_field_out *out, uint8_t version, const struct gr_message *m)
{
    struct gr_writer *w = out->writer;
    if (has_status(m->type))
        gr_write_u8(w, (uint8_t)m->status);
    if (has_key(m->type))
        gr_field_write_key(out, &m->key);
    if (is_entropy(m->type)) {
        gr_frame_write_entropy(out, version, m);
        return;
    }
    switch (m->type) {
    case GR_MSG_FORWARD:
        write_write(out, &m->write);
        return;
    case GR_MSG_FORWARDED:
        gr_write_u8(w, (uint8_t)m->outcome);
        gr_write_u8(w, m->acks);
        if (version >= 4)
            gr_write_u8(w, m->reached);
        gr_write_u8(w, m->primaries);
        gr_write_u8(w, m->durable_acks);
        gr_write_u8(w, m->settled);
        gr_write_u64(w, m->hybrid_needed);
        gr_field_write_context(out, &m->record.context);
        return;
    case GR_MSG_DELTA:
        write_delta(out, version, m);
        return;
    case GR_MSG_ACK:
        gr_write_u8(w, m->durable);
        return;
    case GR_MSG_READ:
        gr_write_u8(w, m->bare);
        gr_write_varint(w, m->owed_to);
        return;
    case GR_MSG_STATE:
    case GR_MSG_REPAIR:
        gr_field_write_record(out, &m->record, false);
        return;
    case GR_MSG_SCAN:
        gr_write_varint(w, m->partition);
        gr_write_varint(w, m->cursor);
        gr_write_varint(w, m->limit);
        return;
    case GR_MSG_PAGE:
        write_page(out, m);
        return;
    case GR_MSG_COUNT:
        gr_frame_write_partitions(out, m);
        return;
    case GR_MSG_COUNTED:
        write_count(out, m->count);
        return;
    case GR_MSG_ACKED:
        gr_write_u8(w, m->acks);
        gr_write_u8(w, m->durable_acks);
        gr_write_u8(w, m->settled);
        return;
    default:
        break;
    }
    gr_unreachable("a message without a type");
}

static void read_fields(struct gr_field_in *in, uint8_t version, struct gr_message *m)
{
    if (has_status(m->type))
        m->status = (enum gr_err)gr_field_read_u8(in, GR_ERR_COUNT - 1);
    if (has_key(m->type))
        m->key = gr_field_read_key(in);
    if (is_entropy(m->type)) {
        gr_frame_read_entropy(in, version, m);
        return;
    }
    switch (m->type) {
    case GR_MSG_FORWARD:
        m->write = read_write(in, version);
        return;
    case GR_MSG_FORWARDED:
        m->outcome = (enum gr_outcome)gr_field_read_u8(in, GR_INDETERMINATE);
        m->acks = gr_read_u8(&in->reader);
        if (version >= 4)
            m->reached = gr_read_u8(&in->reader);
        m->primaries = gr_read_u8(&in->reader);
        m->durable_acks = gr_read_u8(&in->reader);
        m->settled = gr_field_read_u8(in, 1);
        m->hybrid_needed = gr_read_u64(&in->reader);
        m->record.context = gr_field_read_context(in);
        return;
    case GR_MSG_DELTA:
        read_delta(in, version, m);
        return;
    case GR_MSG_ACK:
        m->durable = gr_field_read_u8(in, 1);
        return;
    case GR_MSG_READ:
        m->bare = gr_field_read_u8(in, 1);
        m->owed_to = gr_field_read_varint(in, GR_MEMBER_ID_MAX);
        return;
    case GR_MSG_STATE:
        m->record = gr_field_read_record(in, GR_FIELD_VALUES_ANY);
        return;
    case GR_MSG_REPAIR:
        m->record = gr_field_read_record(in, GR_FIELD_VALUES_ALL);
        return;
    case GR_MSG_SCAN:
        m->partition = (uint32_t)gr_field_read_varint(in, GR_PARTITIONS_MAX - 1);
        m->cursor = gr_field_read_varint(in, GR_CURSOR_END);
        m->limit = (uint32_t)gr_field_read_varint(in, UINT32_MAX);
        return;
    case GR_MSG_PAGE:
        read_page(in, m);
        return;
    case GR_MSG_COUNT:
        gr_frame_read_partitions(in, m);
        return;
    case GR_MSG_COUNTED:
        m->count = read_count(in);
        return;
    case GR_MSG_ACKED:
        m->acks = gr_read_u8(&in->reader);
        m->durable_acks = gr_read_u8(&in->reader);
        m->settled = gr_field_read_u8(in, 1);
        return;
    default:
        break;
    }
    gr_unreachable("a type that was not looked at");
}

uint8_t gr_frame_unspoken(uint8_t version)
{
    gr_assert(version >= GR_FRAME_VERSION_MIN && version <= GR_FRAME_VERSION);
    return version < 4 ? GR_SAYS_RELAY | GR_SAYS_SITES | GR_SAYS_HOLDS : 0;
}

// Head, to be filled in, version and type.
static void begin(struct gr_writer *out, uint8_t version, uint8_t type)
{
    gr_write_u32(out, 0);
    gr_write_u32(out, 0);
    gr_write_u8(out, version);
    gr_write_u8(out, type);
}

// Fills in the head of the frame that begins at `start`, or takes it back (I2).
static void finish(struct gr_writer *out, size_t start)
{
    if (out->size - start > GR_FRAME_BYTES_MAX)
        out->bad = true;
    if (out->bad) {
        out->size = start;
        return;
    }
    struct gr_bytes body =
        gr_bytes(out->data + start + GR_FRAME_HEAD_BYTES, out->size - start - GR_FRAME_HEAD_BYTES);
    uint32_t head[2] = {(uint32_t)body.size, checksum_of(body)};
    for (int i = 0; i < GR_FRAME_HEAD_BYTES; i++)
        out->data[start + (size_t)i] = (uint8_t)(head[i / 4] >> (8 * (i % 4)));
}

void gr_frame_encode(struct gr_writer *out, uint8_t version, const struct gr_message *m)
{
    gr_assert(m->type >= GR_MSG_FORWARD && m->type < GR_MSG_TYPE_COUNT);
    gr_assert(m->status < GR_ERR_COUNT);
    out->bad |= (gr_message_says(m) & gr_frame_unspoken(version)) != 0; // I4
    if (out->bad)
        return;
    size_t start = out->size;
    begin(out, version, (uint8_t)m->type);
    gr_write_varint(out, m->id);
    gr_write_u64(out, m->run);
    gr_write_u64(out, m->to);
    gr_write_varint(out, m->sequence);
    gr_write_u64(out, m->hybrid);
    gr_write_varint(out, m->deadline_ms);
    struct gr_field_out fields;
    gr_field_out_init(&fields, out, GR_FRAME_ITEMS_MAX);
    write_fields(&fields, version, m);
    gr_field_out_deinit(&fields);
    finish(out, start);
}

void gr_frame_talk(struct gr_writer *out, uint8_t version, const struct gr_talk *talk)
{
    if (out->bad)
        return;
    size_t start = out->size;
    begin(out, version, TYPE_TALK);
    gr_talk_encode(out, talk);
    finish(out, start);
}

bool gr_frame_is_talk(struct gr_bytes frame_body, uint8_t version, struct gr_bytes *ret_talk)
{
    struct gr_reader reader = gr_reader_of(frame_body);
    bool same = gr_read_u8(&reader) == version;
    if (gr_read_u8(&reader) != TYPE_TALK || !same || reader.bad)
        return false;
    *ret_talk = gr_read_bytes(&reader, gr_reader_left(&reader));
    return true;
}

void gr_frame_keepalive(struct gr_writer *out)
{
    if (gr_writer_reserve(out, GR_FRAME_HEAD_BYTES) == NULL)
        return;
    gr_write_u32(out, 0);
    gr_write_u32(out, checksum_of(gr_bytes(NULL, 0)));
}

enum gr_err gr_frame_split(
    struct gr_bytes input, size_t frame_bytes_max, struct gr_bytes *ret_body, size_t *ret_consumed)
{
    *ret_consumed = 0;
    if (input.size < GR_FRAME_HEAD_BYTES)
        return GR_ERR_NOT_FOUND;
    struct gr_reader reader = gr_reader_of(input);
    size_t length = gr_read_u32(&reader);
    uint32_t checksum = gr_read_u32(&reader);
    size_t whole = length + GR_FRAME_HEAD_BYTES;
    bool keepalive = length == 0;
    if ((length < BODY_BYTES_MIN && !keepalive) ||
        whole > GR_MIN(frame_bytes_max, (size_t)GR_FRAME_BYTES_MAX))
        return GR_ERR_MALFORMED;
    if (input.size >= whole) {
        struct gr_bytes body = gr_read_bytes(&reader, length);
        if (checksum_of(body) != checksum)
            return GR_ERR_MALFORMED;
        *ret_body = body;
        *ret_consumed = whole;
        return GR_OK;
    }
    *ret_consumed = whole;
    return GR_ERR_NOT_FOUND;
}

enum gr_err gr_frame_decode(
    struct gr_bytes frame_body, uint8_t version, struct gr_arena *arena, struct gr_message *ret)
{
    gr_assert(version >= GR_FRAME_VERSION_MIN && version <= GR_FRAME_VERSION);
    if (frame_body.size < BODY_BYTES_MIN)
        return GR_ERR_MALFORMED;
    struct gr_field_in in;
    gr_field_in_init(&in, frame_body, arena, GR_FRAME_ITEMS_MAX);
    struct gr_reader *reader = &in.reader;
    bool same = gr_read_u8(reader) == version;
    uint8_t type = gr_read_u8(reader);
    if (!same || type < GR_MSG_FORWARD || type == TYPE_TALK)
        return GR_ERR_MALFORMED;
    if (type >= GR_MSG_TYPE_COUNT)
        return GR_ERR_FORMAT;
    struct gr_message m = {.type = (enum gr_message_type)type};
    m.id = gr_read_varint(reader);
    m.run = gr_read_u64(reader);
    m.to = gr_read_u64(reader);
    m.sequence = gr_read_varint(reader);
    m.hybrid = gr_read_u64(reader);
    m.deadline_ms = (uint32_t)gr_field_read_varint(&in, UINT32_MAX);
    read_fields(&in, version, &m);
    if (!gr_reader_done(reader))
        return GR_ERR_MALFORMED;
    *ret = m;
    return GR_OK;
}
