// RESP replies: any bytes, taken whole and in pieces, give the same trees or the same error.
#include "test/hooks.h"
#include "wire/resp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print(struct gr_writer *to, const struct gr_reply *value)
{
    gr_write_u8(to, (uint8_t)value->type);
    gr_write_u64(to, (uint64_t)value->integer);
    gr_write_block(to, value->text);
    gr_write_varint(to, value->count);
    for (uint32_t i = 0; i < value->count; i++)
        print(to, &value->value[i]);
}

static void parse_all(struct gr_bytes input, size_t step, struct gr_writer *to)
{
    struct gr_arena arena = {0};
    struct gr_reply_parser parser;
    gr_reply_parser_init(&parser, &arena, 8 << 10);
    for (size_t at = 0; at < input.size;) {
        struct gr_bytes piece = gr_bytes(input.data + at, GR_MIN(step, input.size - at));
        const struct gr_reply *reply = NULL;
        size_t used = 0;
        enum gr_reply_parsed parsed = gr_reply_parse(&parser, piece, &used, &reply);
        gr_assert(used > 0 && used <= piece.size);
        gr_assert(arena.bytes < 4 << 20);
        at += used;
        if (parsed == GR_REPLY_WHOLE) {
            print(to, reply);
            (void)gr_reply_field(reply, "server");
            gr_arena_clear(&arena);
        } else if (parsed == GR_REPLY_BROKEN) {
            gr_write_bytes(to, gr_bytes_text(parser.error));
            break;
        }
    }
    gr_reply_parser_deinit(&parser);
    gr_arena_deinit(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 4096)
        return 0;
    struct gr_writer whole, pieces;
    gr_writer_init(&whole, 1 << 24);
    gr_writer_init(&pieces, 1 << 24);
    parse_all(gr_bytes(data + 1, size - 1), size, &whole);
    parse_all(gr_bytes(data + 1, size - 1), 1 + data[0] % 17, &pieces);
    gr_assert(gr_bytes_equal(gr_writer_bytes(&whole), gr_writer_bytes(&pieces)));
    gr_writer_deinit(&whole);
    gr_writer_deinit(&pieces);
    gr_assert(gr_test_blocks() == 0);
    return 0;
}
