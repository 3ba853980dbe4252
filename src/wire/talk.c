// Talk of members as bytes: type, id, then the fields of the type in the order of members.h.
//
//   T1  Decoding what was encoded gives the same, and encoding that the same bytes.
//   T2  Nothing that a peer sends makes decoding read beyond its bytes, or take more memory than
//       some hundred bytes for each fact that is really there.
#include "wire/talk.h"

enum { HEAD_BYTES_MIN = 1 + 8 + 1, WORD_BYTES = 8 };

static void write_facts(
    struct gr_writer *out, const struct gr_fact *list, uint32_t count, bool heads)
{
    if (count > GR_TALK_FACTS_MAX)
        out->bad = true;
    gr_write_varint(out, count);
    for (uint32_t i = 0; i < count && !out->bad; i++) {
        gr_write_u8(out, (uint8_t)list[i].kind);
        gr_write_u64(out, list[i].key);
        gr_write_varint(out, list[i].version);
        if (heads)
            gr_write_u64(out, list[i].hash);
        else
            gr_write_block(out, list[i].value);
    }
}

static const struct gr_fact *read_facts(
    struct gr_reader *in, struct gr_arena *arena, uint32_t *ret_count, bool heads)
{
    uint64_t count = gr_read_varint(in);
    if (count > GR_TALK_FACTS_MAX || count * HEAD_BYTES_MIN > gr_reader_left(in))
        gr_reader_fail(in);
    if (in->bad || count == 0)
        return NULL;
    struct gr_fact *list = gr_arena_array(arena, struct gr_fact, count);
    for (uint64_t i = 0; i < count; i++) {
        uint8_t kind = gr_read_u8(in);
        uint64_t key = gr_read_u64(in), version = gr_read_varint(in);
        if (kind == 0 || version == 0 || version > GR_FACT_VERSION_MAX ||
            (kind == GR_FACT_STATUS && (version & 3) >= GR_STATUS_COUNT))
            gr_reader_fail(in);
        if (heads)
            list[i] = (struct gr_fact){
                .kind = kind, .key = key, .version = version, .hash = gr_read_u64(in)};
        else
            list[i] = gr_fact_make(kind, key, version, gr_read_block(in, GR_FACT_BYTES_MAX));
        if (in->bad)
            return NULL;
    }
    *ret_count = (uint32_t)count;
    return list;
}

void gr_talk_encode(struct gr_writer *out, const struct gr_talk *talk)
{
    size_t start = out->size;
    gr_write_u8(out, (uint8_t)talk->type);
    gr_write_varint(out, talk->id);
    switch (talk->type) {
    case GR_TALK_PING:
        gr_write_u64(out, talk->digest);
        break;
    case GR_TALK_PONG:
        gr_write_u8(out, (uint8_t)talk->bucket_count);
        for (uint32_t i = 0; i < talk->bucket_count; i++)
            gr_write_u64(out, talk->bucket_list[i]);
        break;
    case GR_TALK_PING_FOR:
        gr_write_u64(out, talk->member);
        break;
    case GR_TALK_HEADS:
        gr_write_u64(out, talk->mask);
        write_facts(out, talk->fact_list, talk->fact_count, true);
        break;
    case GR_TALK_FACTS:
        write_facts(out, talk->fact_list, talk->fact_count, false);
        write_facts(out, talk->want_list, talk->want_count, true);
        break;
    case GR_TALK_COUNT:
        gr_unreachable("a type of talk");
    }
    if (out->bad)
        out->size = start;
}

static const uint64_t *read_buckets(
    struct gr_reader *in, struct gr_arena *arena, uint32_t *ret_count)
{
    uint8_t count = gr_read_u8(in);
    if (count != 0 && (count != GR_FACT_BUCKETS || gr_reader_left(in) < count * WORD_BYTES))
        gr_reader_fail(in);
    if (in->bad || count == 0)
        return NULL;
    uint64_t *list = gr_arena_array(arena, uint64_t, count);
    for (uint8_t i = 0; i < count; i++)
        list[i] = gr_read_u64(in);
    *ret_count = count;
    return list;
}

enum gr_err gr_talk_decode(struct gr_bytes bytes, struct gr_arena *arena, struct gr_talk *ret)
{
    struct gr_reader in = gr_reader_of(bytes);
    uint8_t type = gr_read_u8(&in);
    struct gr_talk talk = {.id = gr_read_varint(&in)};
    switch (type) {
    case GR_TALK_PING:
        talk.digest = gr_read_u64(&in);
        break;
    case GR_TALK_PONG:
        talk.bucket_list = read_buckets(&in, arena, &talk.bucket_count);
        break;
    case GR_TALK_PING_FOR:
        talk.member = gr_read_u64(&in);
        break;
    case GR_TALK_HEADS:
        talk.mask = gr_read_u64(&in);
        talk.fact_list = read_facts(&in, arena, &talk.fact_count, true);
        break;
    case GR_TALK_FACTS:
        talk.fact_list = read_facts(&in, arena, &talk.fact_count, false);
        talk.want_list = read_facts(&in, arena, &talk.want_count, true);
        break;
    default: // a later program's, or not even a type
        return in.bad || type == 0 ? GR_ERR_MALFORMED : GR_ERR_FORMAT;
    }
    if (!gr_reader_done(&in))
        return GR_ERR_MALFORMED;
    talk.type = (enum gr_talk_type)type;
    *ret = talk;
    return GR_OK;
}
