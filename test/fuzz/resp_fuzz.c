// RESP commands: any bytes, taken whole and in pieces, give the same commands or the same error.
#include "test/hooks.h"
#include "wire/resp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Appends what the bytes parse to.
static void parse_all(struct gr_bytes input, size_t step, struct gr_writer *to)
{
    struct gr_resp_parser parser;
    gr_resp_parser_init(&parser, 64 << 10, 4 << 10);
    size_t start = 0, end = GR_MIN(step, input.size);
    for (;;) {
        struct gr_bytes seen = gr_bytes(input.data + start, end - start);
        enum gr_resp_parsed parsed = gr_resp_parse(&parser, seen);
        gr_assert(parser.at <= seen.size && parser.seen <= seen.size);
        gr_assert(parser.count <= parser.total && parser.count <= GR_RESP_ARGS_KEPT);
        if (parsed == GR_RESP_BROKEN) {
            gr_write_bytes(to, gr_bytes_text(parser.error));
            break;
        }
        if (parsed == GR_RESP_COMMAND) {
            gr_assert(parser.at > 0);
            for (uint32_t i = 0; i < parser.count; i++)
                gr_write_block(to, gr_resp_argument(&parser, seen, i));
            gr_write_u8(to, '\n');
            start += parser.at;
            gr_resp_parser_next(&parser);
        } else if (end == input.size) {
            break;
        } else {
            end = GR_MIN(end + step, input.size);
        }
    }
    gr_resp_parser_deinit(&parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct gr_writer whole, pieces;
    gr_writer_init(&whole, 1 << 24);
    gr_writer_init(&pieces, 1 << 24);
    parse_all(gr_bytes(data + 1, size - 1), size, &whole);
    parse_all(gr_bytes(data + 1, size - 1), 1 + data[0] % 17, &pieces);
    gr_assert(!whole.bad && !pieces.bad);
    gr_assert(gr_bytes_equal(gr_writer_bytes(&whole), gr_writer_bytes(&pieces)));
    gr_writer_deinit(&whole);
    gr_writer_deinit(&pieces);
    gr_assert(gr_test_blocks() == 0);
    return 0;
}
