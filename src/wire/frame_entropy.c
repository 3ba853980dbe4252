// The fields of frames of anti-entropy (core/message.h): clocks, sums, hashes, and lists of
// partitions. See frame.c, of which this is a part: its invariants are this file's.
//
// Owns: nothing. Bounds: GR_FRAME_ITEMS_MAX, GR_MERKLE_LEAVES_MAX sums.
#include "wire/frame_inside.h"

enum { HASH_BYTES = 8 };

void gr_frame_write_partitions(struct gr_field_out *out, const struct gr_message *m)
{
    gr_field_spend(out, m->partition_count);
    gr_write_varint(out->writer, m->partition_count);
    for (uint32_t i = 0; i < m->partition_count; i++)
        gr_write_varint(out->writer, m->partition_list[i]);
}

void gr_frame_read_partitions(struct gr_field_in *in, struct gr_message *m)
{
    m->partition_count = gr_field_read_count(in, 1);
    if (m->partition_count == 0)
        return;
    uint16_t *list = gr_arena_array(in->arena, uint16_t, m->partition_count);
    for (uint32_t i = 0; i < m->partition_count; i++)
        list[i] = (uint16_t)gr_field_read_varint(in, GR_PARTITIONS_MAX - 1);
    m->partition_list = list;
}

static void write_clocks(struct gr_field_out *out, const struct gr_message *m)
{
    gr_field_spend(out, m->clock_count);
    gr_write_varint(out->writer, m->clock_count);
    for (uint32_t i = 0; i < m->clock_count && !out->writer->bad; i++)
        gr_field_write_clock(out, &m->clock_list[i]);
}

static void read_clocks(struct gr_field_in *in, struct gr_message *m)
{
    m->clock_count = gr_field_read_count(in, 1);
    if (m->clock_count == 0)
        return;
    struct gr_clock *clock = gr_arena_array(in->arena, struct gr_clock, m->clock_count);
    for (uint32_t i = 0; i < m->clock_count && !in->reader.bad; i++)
        clock[i] = gr_field_read_clock(in);
    m->clock_list = clock;
}

static void write_hashes(struct gr_field_out *out, const struct gr_message *m)
{
    gr_field_spend(out, m->hash_count);
    gr_write_varint(out->writer, m->hash_count);
    for (uint32_t i = 0; i < m->hash_count && !out->writer->bad; i++)
        gr_write_u64(out->writer, m->hash_list[i]);
}

static void read_hashes(struct gr_field_in *in, struct gr_message *m)
{
    m->hash_count = gr_field_read_count(in, HASH_BYTES);
    if (m->hash_count == 0)
        return;
    uint64_t *hash = gr_arena_array(in->arena, uint64_t, m->hash_count);
    for (uint32_t i = 0; i < m->hash_count; i++)
        hash[i] = gr_read_u64(&in->reader);
    m->hash_list = hash;
}

static void write_sums(struct gr_field_out *out, const struct gr_message *m)
{
    gr_field_spend(out, m->sum_count);
    gr_write_varint(out->writer, m->sum_count);
    for (uint32_t i = 0; i < m->sum_count && !out->writer->bad; i++) {
        gr_write_u64(out->writer, m->sum_list[i].low);
        gr_write_u64(out->writer, m->sum_list[i].high);
    }
}

static void read_sums(struct gr_field_in *in, struct gr_message *m)
{
    m->sum_count = gr_field_read_count(in, 2 * HASH_BYTES);
    if (m->sum_count > GR_MERKLE_LEAVES_MAX)
        gr_reader_fail(&in->reader);
    if (m->sum_count == 0 || in->reader.bad)
        return;
    struct gr_sum *sum = gr_arena_array(in->arena, struct gr_sum, m->sum_count);
    for (uint32_t i = 0; i < m->sum_count; i++) {
        sum[i].low = gr_read_u64(&in->reader);
        sum[i].high = gr_read_u64(&in->reader);
    }
    m->sum_list = sum;
}

// What the sender's partition has been through.
enum past { PAST_DOUBTFUL = 1, PAST_LACKING = 2 };

static void write_past(struct gr_field_out *out, const struct gr_message *m)
{
    gr_write_u8(out->writer,
        (uint8_t)((m->doubtful ? PAST_DOUBTFUL : 0) | (m->lacking ? PAST_LACKING : 0)));
}

static void read_past(struct gr_field_in *in, struct gr_message *m)
{
    uint8_t past = gr_field_read_u8(in, PAST_DOUBTFUL | PAST_LACKING);
    m->doubtful = past & PAST_DOUBTFUL;
    m->lacking = past & PAST_LACKING;
}

void gr_frame_write_entropy(struct gr_field_out *out, uint8_t version, const struct gr_message *m)
{
    struct gr_writer *w = out->writer;
    switch (m->type) {
    case GR_MSG_PROBE:
        gr_write_u64(w, m->hash);
        return;
    case GR_MSG_PROBED:
        gr_frame_write_partitions(out, m);
        write_hashes(out, m);
        return;
    case GR_MSG_COVER:
        if (version >= 4)
            gr_write_u8(w, m->durable);
        gr_frame_write_partitions(out, m);
        write_clocks(out, m);
        return;
    case GR_MSG_COVERED:
        gr_frame_write_partitions(out, m);
        return;
    case GR_MSG_BEGIN:
        gr_write_varint(w, m->partition);
        write_past(out, m);
        return;
    case GR_MSG_BEGUN:
        write_past(out, m);
        write_clocks(out, m);
        write_sums(out, m);
        return;
    case GR_MSG_BRANCH:
        gr_write_varint(w, m->branches);
        return;
    case GR_MSG_LEAVES:
        write_sums(out, m);
        return;
    case GR_MSG_WALK:
        gr_write_varint(w, m->cursor);
        gr_write_varint(w, m->cursor_end);
        gr_write_varint(w, m->limit);
        return;
    case GR_MSG_OFFER:
    case GR_MSG_TAKEN:
        gr_write_varint(w, m->index);
        if (version >= 4)
            gr_write_u8(w, m->witnessed);
        gr_field_write_record(out, &m->record, false);
        return;
    case GR_MSG_JOIN:
        gr_write_varint(w, m->partition);
        write_clocks(out, m);
        return;
    case GR_MSG_WITNESS:
        gr_write_varint(w, m->member);
        return;
    default:
        return; // JOINED has its status alone
    }
}

void gr_frame_read_entropy(struct gr_field_in *in, uint8_t version, struct gr_message *m)
{
    switch (m->type) {
    case GR_MSG_PROBE:
        m->hash = gr_read_u64(&in->reader);
        return;
    case GR_MSG_PROBED:
        gr_frame_read_partitions(in, m);
        read_hashes(in, m);
        if (m->hash_count != m->partition_count)
            gr_reader_fail(&in->reader);
        return;
    case GR_MSG_COVER:
        if (version >= 4)
            m->durable = gr_field_read_u8(in, 1);
        gr_frame_read_partitions(in, m);
        read_clocks(in, m);
        if (m->clock_count != m->partition_count)
            gr_reader_fail(&in->reader);
        return;
    case GR_MSG_COVERED:
        gr_frame_read_partitions(in, m);
        return;
    case GR_MSG_BEGIN:
        m->partition = (uint32_t)gr_field_read_varint(in, GR_PARTITIONS_MAX - 1);
        read_past(in, m);
        return;
    case GR_MSG_BEGUN:
        read_past(in, m);
        read_clocks(in, m);
        read_sums(in, m);
        return;
    case GR_MSG_BRANCH:
        m->branches = (uint32_t)gr_field_read_varint(in, (1u << GR_MERKLE_BRANCHES) - 1);
        return;
    case GR_MSG_LEAVES:
        read_sums(in, m);
        return;
    case GR_MSG_WALK:
        m->cursor = gr_field_read_varint(in, GR_CURSOR_END);
        m->cursor_end = gr_field_read_varint(in, GR_CURSOR_END);
        m->limit = (uint32_t)gr_field_read_varint(in, UINT32_MAX);
        return;
    case GR_MSG_OFFER:
    case GR_MSG_TAKEN:
        m->index = (uint32_t)gr_field_read_varint(in, UINT32_MAX);
        m->witnessed = version < 4 || gr_field_read_u8(in, 1);
        m->record = gr_field_read_record(
            in, m->type == GR_MSG_OFFER ? GR_FIELD_VALUES_ALL : GR_FIELD_VALUES_ANY);
        return;
    case GR_MSG_JOIN:
        m->partition = (uint32_t)gr_field_read_varint(in, GR_PARTITIONS_MAX - 1);
        read_clocks(in, m);
        return;
    case GR_MSG_WITNESS:
        m->member = gr_field_read_varint(in, GR_MEMBER_ID_MAX);
        return;
    default:
        return;
    }
}
