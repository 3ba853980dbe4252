// RESP as a client reads it: trees of values from bytes at any split, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "test/hooks.h"
#include "wire/resp_reply.h"

// Prints a tree: the type's letter, then what it holds.
static void print(struct gr_writer *to, const struct gr_reply *value)
{
    static const char letters[] = "NSEIBAMUPLDGV";
    char number[32];
    gr_write_u8(to, (uint8_t)letters[value->type]);
    if (value->type == GR_REPLY_INTEGER || value->type == GR_REPLY_BOOL) {
        snprintf(number, sizeof number, "%lld", (long long)value->integer);
        gr_write_bytes(to, gr_bytes_text(number));
    } else if (value->type == GR_REPLY_DOUBLE) {
        snprintf(number, sizeof number, "%g", value->number);
        gr_write_bytes(to, gr_bytes_text(number));
    }
    gr_write_bytes(to, value->text);
    for (uint32_t i = 0; i < value->count; i++) {
        gr_write_u8(to, i == 0 ? '(' : ' ');
        print(to, &value->value[i]);
        if (i + 1 == value->count)
            gr_write_u8(to, ')');
    }
}

static void parse_all(struct gr_bytes input, size_t step, struct gr_writer *to)
{
    struct gr_arena arena = {0};
    struct gr_reply_parser parser;
    gr_reply_parser_init(&parser, &arena, 1000);
    gr_writer_clear(to);
    enum gr_reply_parsed parsed = GR_REPLY_MORE;
    for (size_t at = 0; at < input.size && parsed != GR_REPLY_BROKEN;) {
        size_t used = SIZE_MAX;
        const struct gr_reply *reply = NULL;
        size_t size = GR_MIN(step, input.size - at);
        parsed = gr_reply_parse(&parser, gr_bytes(input.data + at, size), &used, &reply);
        assert_true(used <= size);
        at += used;
        if (parsed == GR_REPLY_WHOLE) {
            print(to, reply);
            gr_write_u8(to, '\n');
            gr_arena_clear(&arena);
        } else if (parsed == GR_REPLY_BROKEN) {
            gr_write_u8(to, '!');
            gr_write_bytes(to, gr_bytes_text(parser.error));
        } else {
            assert_int_equal(used, size);
        }
    }
    gr_write_u8(to, 0);
    gr_reply_parser_deinit(&parser);
    gr_arena_deinit(&arena);
}

static void check(const char *input, const char *expected)
{
    struct gr_writer seen;
    gr_writer_init(&seen, 1 << 20);
    size_t steps[] = {SIZE_MAX / 2, 1, 2, 5};
    for (size_t i = 0; i < GR_COUNT(steps); i++) {
        parse_all(gr_bytes_text(input), steps[i], &seen);
        assert_string_equal((const char *)seen.data, expected);
    }
    gr_writer_deinit(&seen);
}

static void resp2(void **state)
{
    (void)state;
    check("+OK\r\n-ERR no\r\n:-12\r\n", "SOK\nEERR no\nI-12\n");
    check("$3\r\na\nb\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n", "Ba\nb\nB\nN\nN\nA\n");
    check("*3\r\n:1\r\n*2\r\n+a\r\n$-1\r\n$1\r\nz\r\n", "A(I1 A(Sa N) Bz)\n");
    check("*1\r\n*1\r\n*1\r\n*0\r\n", "A(A(A(A)))\n");
}

static void resp3(void **state)
{
    (void)state;
    check("_\r\n#t\r\n#f\r\n,1.5\r\n,inf\r\n(123456789012345678901\r\n",
        "N\nL1\nL0\nD1.51.5\nDinfinf\nG123456789012345678901\n");
    check("=6\r\ntxt:hi\r\n!5\r\nERR x\r\n", "Vhi\nEERR x\n");
    check("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n+c\r\n>1\r\n+d\r\n", "M(Sa I1 Sb U(Sc))\nP(Sd)\n");
    check("|1\r\n+k\r\n+v\r\n+OK\r\n*2\r\n|1\r\n+k\r\n+v\r\n:1\r\n:2\r\n", "SOK\nA(I1 I2)\n");
}

static void refused(void **state)
{
    (void)state;
    check("?\r\n", "!an element of an unknown type");
    check("\r\n", "!an empty line");
    check(":x\r\n", "!an integer is not one");
    check("$x\r\n", "!a size is not a number");
    check("$-2\r\n", "!a size is out of range");
    check("$1001\r\n", "!a size is out of range");
    check("*-2\r\n", "!a count is out of range");
    check("*1048577\r\n", "!a count is out of range");
    check("$1\r\nabc", "!a bulk does not end where it should");
    check("+a\n", "!a line does not end with CR LF");
    check(",\r\n", "!a double is not a number");
    check("#x\r\n", "!a boolean is neither t nor f");
    check("=4\r\ntxtx\r\n", "!a verbatim string names no format");
    check("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"
          "*1\r\n*1\r\n*1\r\n:1\r\n",
        "!arrays are nested too deep");
}

// A huge count costs nothing until its elements come, and bytes_max ends a reply that goes on.
static void bounded(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_reply_parser parser;
    const struct gr_reply *reply;
    size_t used;
    gr_reply_parser_init(&parser, &arena, 1000);
    struct gr_bytes head = gr_bytes_text("*1000000\r\n:1\r\n");
    assert_int_equal(gr_reply_parse(&parser, head, &used, &reply), GR_REPLY_MORE);
    assert_true(arena.bytes < 4096);
    enum gr_reply_parsed parsed = GR_REPLY_MORE;
    for (int i = 0; i < 300 && parsed == GR_REPLY_MORE; i++)
        parsed = gr_reply_parse(&parser, gr_bytes_text(":1\r\n"), &used, &reply);
    assert_int_equal(parsed, GR_REPLY_BROKEN);
    assert_string_equal(parser.error, "a reply is too long");
    assert_int_equal(
        gr_reply_parse(&parser, gr_bytes_text(":1\r\n"), &used, &reply), GR_REPLY_BROKEN);
    gr_reply_parser_deinit(&parser);
    gr_arena_deinit(&arena);
}

static void fields(void **state)
{
    (void)state;
    const char *maps[] = {"%2\r\n+a\r\n:1\r\n$1\r\nb\r\n:2\r\n", "*4\r\n+a\r\n:1\r\n+b\r\n:2\r\n"};
    for (size_t i = 0; i < GR_COUNT(maps); i++) {
        struct gr_arena arena = {0};
        struct gr_reply_parser parser;
        const struct gr_reply *reply;
        size_t used;
        gr_reply_parser_init(&parser, &arena, 1000);
        assert_int_equal(
            gr_reply_parse(&parser, gr_bytes_text(maps[i]), &used, &reply), GR_REPLY_WHOLE);
        assert_int_equal(gr_reply_field(reply, "b")->integer, 2);
        assert_null(gr_reply_field(reply, "c"));
        assert_null(gr_reply_field(gr_reply_field(reply, "b"), "c"));
        gr_reply_parser_deinit(&parser);
        gr_arena_deinit(&arena);
    }
}

static int nothing_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(resp2, nothing_left),
        cmocka_unit_test_teardown(resp3, nothing_left),
        cmocka_unit_test_teardown(refused, nothing_left),
        cmocka_unit_test_teardown(bounded, nothing_left),
        cmocka_unit_test_teardown(fields, nothing_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
