// RESP as a server speaks it: commands in, at any split; replies out, in both protocols.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "wire/resp.h"

// What a run of input parses to: words in <>, a line per command, "! error" at the end.
static void parse_all(struct gr_bytes input, size_t step, struct gr_writer *to)
{
    struct gr_resp_parser parser;
    gr_resp_parser_init(&parser, 200000, 1000);
    gr_writer_clear(to);
    size_t start = 0;
    for (size_t end = GR_MIN(step, input.size);; end = GR_MIN(end + step, input.size)) {
        enum gr_resp_parsed parsed;
        // A copy of exactly this size, at another place each time.
        uint8_t *copy = gr_hook_memory(NULL, end - start + 1);
        memcpy(copy, input.data + start, end - start);
        struct gr_bytes seen = gr_bytes(copy, end - start);
        while ((parsed = gr_resp_parse(&parser, seen)) == GR_RESP_COMMAND) {
            for (uint32_t i = 0; i < parser.count; i++) {
                gr_write_u8(to, '<');
                gr_write_bytes(to, gr_resp_argument(&parser, seen, i));
                gr_write_u8(to, '>');
            }
            gr_write_u8(to, '\n');
            start += parser.at;
            seen = gr_bytes(seen.data + parser.at, seen.size - parser.at);
            gr_resp_parser_next(&parser);
        }
        gr_hook_memory(copy, 0);
        if (parsed == GR_RESP_BROKEN) {
            gr_write_bytes(to, gr_bytes_text("! "));
            gr_write_bytes(to, gr_bytes_text(parser.error));
            break;
        }
        if (end == input.size)
            break;
    }
    gr_write_u8(to, 0);
    gr_resp_parser_deinit(&parser);
}

static void check_bytes(struct gr_bytes input, const char *expected)
{
    struct gr_writer seen;
    gr_writer_init(&seen, 1 << 20);
    size_t steps[] = {SIZE_MAX / 2, 1, 2, 3, 7, 64};
    for (size_t i = 0; i < GR_COUNT(steps); i++) {
        parse_all(input, steps[i], &seen);
        assert_string_equal((const char *)seen.data, expected);
    }
    gr_writer_deinit(&seen);
}

static void check(const char *input, const char *expected)
{
    check_bytes(gr_bytes_text(input), expected);
}

static void arrays(void **state)
{
    (void)state;
    check("*2\r\n$3\r\nGET\r\n$1\r\na\r\n", "<GET><a>\n");
    check("*1\r\n$4\r\nPING\r\n*1\r\n$0\r\n\r\n", "<PING>\n<>\n");
    check("*1\r\n$4\r\na\r\nb\r\n", "<a\r\nb>\n");
    check("*0\r\n*-1\r\n*1\r\n$1\r\nx\r\n", "\n\n<x>\n");
    check("*2\r\n$3\r\nGET\r\n$1\r\n", "");
    check("*3\r\n", "");
    check("", "");
}

static void inline_commands(void **state)
{
    (void)state;
    check("PING\r\nSET a  b \n\r\n", "<PING>\n<SET><a><b>\n\n");
    check("SET a \"x y\"\r\n", "<SET><a><x y>\n");
    check("S \"\\x41\\n\\t\\\"\\q\\\\\" ''\r\n", "<S><A\n\t\"q\\><>\n");
    check("S 'it\\'s \\n' a\"b c\"\r\n", "<S><it's \\n><ab c>\n");
    check("S \"\\x4g\\x\"\r\n", "<S><x4gx>\n");
    check("S \"a\"b\r\n", "! ERR Protocol error: unbalanced quotes in request");
    check("S 'a\r\n", "! ERR Protocol error: unbalanced quotes in request");
    check("S \"a\\\r\n", "! ERR Protocol error: unbalanced quotes in request");
}

static void broken(void **state)
{
    (void)state;
    check("*x\r\n", "! ERR Protocol error: invalid multibulk length");
    check("*01\r\n", "! ERR Protocol error: invalid multibulk length");
    check("*1048577\r\n", "! ERR Protocol error: invalid multibulk length");
    check("*99999999999999999999\r\n", "! ERR Protocol error: invalid multibulk length");
    check("*1\rx", "! ERR Protocol error: invalid multibulk length");
    check("*1\r\n:1\r\n", "! ERR Protocol error: expected '$', got ':'");
    check("*1\r\n$-1\r\n", "! ERR Protocol error: invalid bulk length");
    check("*1\r\n$1001\r\n", "! ERR Protocol error: invalid bulk length");
    check("*1\r\n$1\r\nabc", "! ERR Protocol error: expected a line end after the bulk");
    check("PING\r\n*1\r\n$x\r\n", "<PING>\n! ERR Protocol error: invalid bulk length");
}

static void long_lines(void **state)
{
    (void)state;
    struct gr_writer input;
    gr_writer_init(&input, 1 << 20);
    const char *starts[] = {"a", "*1", "*1\r\n$1"};
    const char *errors[] = {"! ERR Protocol error: too big inline request",
        "! ERR Protocol error: too big mbulk count string",
        "! ERR Protocol error: too big bulk count string"};
    for (size_t i = 0; i < GR_COUNT(starts); i++) {
        gr_writer_clear(&input);
        gr_write_bytes(&input, gr_bytes_text(starts[i]));
        for (size_t j = 0; j < GR_RESP_LINE_BYTES_MAX; j++)
            gr_write_u8(&input, '1');
        struct gr_writer seen;
        gr_writer_init(&seen, 1 << 20);
        parse_all(gr_writer_bytes(&input), 1000, &seen);
        assert_string_equal((const char *)seen.data, errors[i]);
        gr_writer_deinit(&seen);
    }
    gr_writer_deinit(&input);
}

// Arguments beyond GR_RESP_ARGS_KEPT are counted; a command over command_max is broken.
static void large_commands(void **state)
{
    (void)state;
    struct gr_writer input;
    gr_writer_init(&input, 1 << 22);
    gr_write_bytes(&input, gr_bytes_text("*3000\r\n"));
    for (int i = 0; i < 3000; i++)
        gr_write_bytes(&input, gr_bytes_text("$3\r\nabc\r\n"));
    struct gr_resp_parser parser;
    gr_resp_parser_init(&parser, 100000, 1000);
    assert_int_equal(gr_resp_parse(&parser, gr_writer_bytes(&input)), GR_RESP_COMMAND);
    assert_int_equal(parser.total, 3000);
    assert_int_equal(parser.count, GR_RESP_ARGS_KEPT);
    assert_int_equal(parser.at, input.size);
    gr_resp_parser_deinit(&parser);

    gr_resp_parser_init(&parser, 20000, 1000);
    assert_int_equal(gr_resp_parse(&parser, gr_writer_bytes(&input)), GR_RESP_BROKEN);
    assert_string_equal(parser.error, "ERR Protocol error: too big command");
    assert_true(parser.at <= 20000);
    gr_resp_parser_deinit(&parser);
    gr_writer_deinit(&input);
}

static void numbers(void **state)
{
    (void)state;
    const int64_t values[] = {0, 1, -1, 10, 1234567890123, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < GR_COUNT(values); i++) {
        char text[GR_DECIMAL_BYTES];
        int64_t again = 77;
        size_t size = gr_decimal(values[i], text);
        assert_true(gr_decimal_read(gr_bytes(text, size), &again));
        assert_true(again == values[i]);
    }
    const char * not [] = {"", "-", "+1", "01", "-0", "1 ", " 1", "1.0", "9223372036854775808",
        "-9223372036854775809", "99999999999999999999", "0x1"};
    for (size_t i = 0; i < GR_COUNT(not ); i++) {
        int64_t kept = 77;
        assert_false(gr_decimal_read(gr_bytes_text(not [i]), &kept));
        assert_int_equal(kept, 77);
    }
}

static void write_all(const struct gr_resp *resp)
{
    gr_resp_simple(resp, "OK");
    gr_resp_error(resp, gr_bytes_text("ERR a\r\nb"));
    gr_resp_integer(resp, INT64_MIN);
    gr_resp_bulk(resp, gr_bytes("a\0b", 3));
    gr_resp_text(resp, "");
    gr_resp_verbatim(resp, gr_bytes_text("hi"));
    gr_resp_null(resp);
    gr_resp_null_array(resp);
    gr_resp_array(resp, 0);
    gr_resp_map(resp, 2);
    gr_resp_set(resp, 3);
    gr_resp_push(resp, 1);
    gr_resp_bool(resp, true);
    gr_resp_double(resp, 1.5);
}

static void replies(void **state)
{
    (void)state;
    static const char two[] =
        "+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n$3\r\na\0b\r\n$0\r\n\r\n"
        "$2\r\nhi\r\n$-1\r\n*-1\r\n*0\r\n*4\r\n*3\r\n*1\r\n:1\r\n$3\r\n1.5\r\n";
    static const char three[] =
        "+OK\r\n-ERR a  b\r\n:-9223372036854775808\r\n$3\r\na\0b\r\n$0\r\n\r\n"
        "=6\r\ntxt:hi\r\n_\r\n_\r\n*0\r\n%2\r\n~3\r\n>1\r\n#t\r\n,1.5\r\n";
    struct gr_writer to;
    gr_writer_init(&to, 4096);
    write_all(&(struct gr_resp){&to, false});
    assert_int_equal(to.size, sizeof two - 1);
    assert_memory_equal(to.data, two, to.size);
    gr_writer_clear(&to);
    write_all(&(struct gr_resp){&to, true});
    assert_int_equal(to.size, sizeof three - 1);
    assert_memory_equal(to.data, three, to.size);
    gr_writer_deinit(&to);
}

static int nothing_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(arrays, nothing_left),
        cmocka_unit_test_teardown(inline_commands, nothing_left),
        cmocka_unit_test_teardown(broken, nothing_left),
        cmocka_unit_test_teardown(long_lines, nothing_left),
        cmocka_unit_test_teardown(large_commands, nothing_left),
        cmocka_unit_test_teardown(numbers, nothing_left),
        cmocka_unit_test_teardown(replies, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
