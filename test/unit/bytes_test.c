// bytes.h: whatever was written is read back, and nothing is read that is not there.
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/random.h"
#include "test/hooks.h"

enum { FIELDS_MAX = 24, BLOCK_MAX = 40 };

// A structure of random fields, as a codec would write it.
enum kind { U8, U16, U32, U64, VARINT, U16_BIG, U32_BIG, U64_BIG, BYTES, BLOCK, KINDS };

struct field {
    enum kind kind;
    uint64_t number; // the value, or how many bytes
    uint8_t data[BLOCK_MAX];
};

static uint64_t mask_of(enum kind kind)
{
    switch (kind) {
    case U8:
        return UINT8_MAX;
    case U16:
    case U16_BIG:
        return UINT16_MAX;
    case U32:
    case U32_BIG:
        return UINT32_MAX;
    default:
        return UINT64_MAX;
    }
}

static struct field random_field(struct gr_random *random)
{
    struct field field = {.kind = (enum kind)gr_random_below(random, KINDS)};
    if (field.kind == BYTES || field.kind == BLOCK) {
        field.number = gr_random_below(random, BLOCK_MAX + 1);
        for (size_t i = 0; i < field.number; i++)
            field.data[i] = (uint8_t)gr_random_next(random);
    } else {
        // As many small numbers as large ones.
        field.number = gr_random_next(random) >> gr_random_below(random, 64);
        field.number &= mask_of(field.kind);
    }
    return field;
}

static void write_field(struct gr_writer *writer, const struct field *field)
{
    switch (field->kind) {
    case U8:
        gr_write_u8(writer, (uint8_t)field->number);
        break;
    case U16:
        gr_write_u16(writer, (uint16_t)field->number);
        break;
    case U32:
        gr_write_u32(writer, (uint32_t)field->number);
        break;
    case U64:
        gr_write_u64(writer, field->number);
        break;
    case VARINT:
        gr_write_varint(writer, field->number);
        break;
    case U16_BIG:
        gr_write_u16_big(writer, (uint16_t)field->number);
        break;
    case U32_BIG:
        gr_write_u32_big(writer, (uint32_t)field->number);
        break;
    case U64_BIG:
        gr_write_u64_big(writer, field->number);
        break;
    case BYTES:
        gr_write_bytes(writer, gr_bytes(field->data, field->number));
        break;
    default:
        gr_write_block(writer, gr_bytes(field->data, field->number));
    }
}

static uint64_t read_number(struct gr_reader *reader, enum kind kind)
{
    switch (kind) {
    case U8:
        return gr_read_u8(reader);
    case U16:
        return gr_read_u16(reader);
    case U32:
        return gr_read_u32(reader);
    case U64:
        return gr_read_u64(reader);
    case VARINT:
        return gr_read_varint(reader);
    case U16_BIG:
        return gr_read_u16_big(reader);
    case U32_BIG:
        return gr_read_u32_big(reader);
    default:
        return gr_read_u64_big(reader);
    }
}

// True if the reader gave that field.
static bool read_field(struct gr_reader *reader, const struct field *field)
{
    if (field->kind != BYTES && field->kind != BLOCK)
        return read_number(reader, field->kind) == field->number;
    struct gr_bytes bytes = field->kind == BYTES ? gr_read_bytes(reader, field->number)
                                                 : gr_read_block(reader, BLOCK_MAX);
    return gr_bytes_equal(bytes, gr_bytes(field->data, field->number));
}

static bool read_nothing(struct gr_reader *reader, enum kind kind)
{
    if (kind == BYTES)
        return gr_read_bytes(reader, 1).size == 0;
    if (kind == BLOCK)
        return gr_read_block(reader, BLOCK_MAX).size == 0;
    return read_number(reader, kind) == 0;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int round = 0; round < 2000; round++) {
        struct field field[FIELDS_MAX];
        size_t count = gr_random_below(&random, FIELDS_MAX) + 1;
        struct gr_writer writer;
        gr_writer_init(&writer, 1 << 20);
        for (size_t i = 0; i < count; i++) {
            field[i] = random_field(&random);
            write_field(&writer, &field[i]);
        }
        assert_false(writer.bad);
        struct gr_reader reader = gr_reader_of(gr_writer_bytes(&writer));
        for (size_t i = 0; i < count; i++)
            assert_true(read_field(&reader, &field[i]));
        assert_true(gr_reader_done(&reader));
        gr_writer_deinit(&writer);
    }
}

// Reads the fields from the first `size` bytes, alone in memory of that size so that ASan sees a
// step too far. True if the reader turned bad, stayed so, and then gave nothing more.
static bool is_refused(
    struct gr_bytes whole, size_t size, const struct field *field, size_t count, bool forgiving)
{
    uint8_t *cut = malloc(size + (size == 0));
    assert_non_null(cut);
    if (size > 0)
        memcpy(cut, whole.data, size);
    struct gr_reader reader = gr_reader_of(gr_bytes(cut, size));
    for (size_t i = 0; i < count; i++) {
        read_field(&reader, &field[i]);
        if (forgiving) // the canary: a reader that does not remember
            reader.bad = false;
    }
    bool refused = reader.bad && gr_reader_left(&reader) == 0 && !gr_reader_done(&reader);
    for (enum kind kind = 0; kind < KINDS; kind++)
        refused = refused && read_nothing(&reader, kind) && reader.bad;
    free(cut);
    return refused;
}

static void test_truncated(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    for (int round = 0; round < 300; round++) {
        struct field field[8];
        struct gr_writer writer;
        gr_writer_init(&writer, 1 << 20);
        for (size_t i = 0; i < GR_COUNT(field); i++) {
            field[i] = random_field(&random);
            write_field(&writer, &field[i]);
        }
        struct gr_bytes whole = gr_writer_bytes(&writer);
        for (size_t size = 0; size < whole.size; size++) {
            assert_true(is_refused(whole, size, field, GR_COUNT(field), false));
            assert_false(is_refused(whole, size, field, GR_COUNT(field), true));
        }
        gr_writer_deinit(&writer);
    }
}

static void test_noise(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 3);
    for (int round = 0; round < 5000; round++) {
        uint8_t noise[16];
        size_t size = gr_random_below(&random, sizeof noise + 1);
        for (size_t i = 0; i < size; i++)
            noise[i] = (uint8_t)gr_random_next(&random);
        uint8_t *alone = malloc(size + (size == 0));
        assert_non_null(alone);
        memcpy(alone, noise, size);
        struct gr_reader reader = gr_reader_of(gr_bytes(alone, size));
        while (!reader.bad && gr_reader_left(&reader) > 0) {
            size_t before = gr_reader_left(&reader);
            read_nothing(&reader, (enum kind)gr_random_below(&random, KINDS));
            assert_true(gr_reader_left(&reader) < before || reader.bad);
        }
        free(alone);
    }
}

static void test_varint(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t size;
    } known[] = {{0, 1}, {127, 1}, {128, 2}, {16383, 2}, {16384, 3}, {UINT32_MAX, 5},
        {((uint64_t)1 << 63) - 1, 9}, {(uint64_t)1 << 63, 10}, {UINT64_MAX, 10}};
    for (size_t i = 0; i < GR_COUNT(known); i++) {
        struct gr_writer writer;
        gr_writer_init(&writer, 16);
        gr_write_varint(&writer, known[i].value);
        assert_int_equal(writer.size, known[i].size);
        struct gr_reader reader = gr_reader_of(gr_writer_bytes(&writer));
        assert_true(gr_read_varint(&reader) == known[i].value);
        assert_true(gr_reader_done(&reader));
        gr_writer_deinit(&writer);
    }
    // 2^64, and an eleventh byte.
    static const uint8_t large[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02};
    struct gr_reader reader = gr_reader_of(gr_bytes(large, sizeof large));
    assert_true(gr_read_varint(&reader) == 0);
    assert_true(reader.bad);
    static const uint8_t longer[] = {
        0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x00};
    reader = gr_reader_of(gr_bytes(longer, sizeof longer));
    assert_true(gr_read_varint(&reader) == 0);
    assert_true(reader.bad);
}

static void test_block_limit(void **state)
{
    (void)state;
    static const uint8_t five[] = {5, 'a', 'b', 'c', 'd', 'e'};
    struct gr_reader reader = gr_reader_of(gr_bytes(five, sizeof five));
    assert_true(gr_bytes_equal(gr_read_block(&reader, 5), gr_bytes_text("abcde")));
    assert_true(gr_reader_done(&reader));
    reader = gr_reader_of(gr_bytes(five, sizeof five));
    assert_int_equal(gr_read_block(&reader, 4).size, 0);
    assert_true(reader.bad);
    // A length near 2^64 must not wrap around.
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'};
    reader = gr_reader_of(gr_bytes(huge, sizeof huge));
    assert_int_equal(gr_read_block(&reader, SIZE_MAX).size, 0);
    assert_true(reader.bad);
}

static void test_empty(void **state)
{
    (void)state;
    struct gr_reader reader = gr_reader_of(gr_bytes(NULL, 0));
    assert_true(gr_reader_done(&reader));
    assert_int_equal(gr_read_bytes(&reader, 0).size, 0);
    assert_true(gr_reader_done(&reader));
    assert_int_equal(gr_read_u8(&reader), 0);
    assert_true(reader.bad);

    struct gr_writer writer;
    gr_writer_init(&writer, 10);
    gr_write_bytes(&writer, gr_bytes(NULL, 0));
    gr_writer_consume(&writer, 0);
    assert_false(writer.bad);
    assert_int_equal(gr_writer_bytes(&writer).size, 0);
    gr_writer_deinit(&writer);
}

static void test_writer_limit(void **state)
{
    (void)state;
    for (size_t max = 0; max < 20; max++) {
        struct gr_writer writer;
        gr_writer_init(&writer, max);
        while (writer.size + 4 <= max) {
            gr_write_u32(&writer, 7);
            assert_false(writer.bad);
        }
        size_t size = writer.size;
        gr_write_u32(&writer, 7);
        assert_true(writer.bad);
        assert_int_equal(writer.size, size);
        gr_write_u8(&writer, 7); // bad stays bad, even where there is room
        assert_true(writer.bad);
        assert_int_equal(writer.size, size);
        assert_null(gr_writer_reserve(&writer, SIZE_MAX));
        gr_writer_clear(&writer);
        assert_false(writer.bad);
        assert_int_equal(writer.size, 0);
        gr_writer_deinit(&writer);
        assert_null(writer.data);
    }
}

static void test_consume(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 4);
    struct gr_writer writer;
    gr_writer_init(&writer, 1 << 16);
    uint8_t in = 0, out = 0;
    for (int round = 0; round < 5000; round++) {
        for (uint64_t i = gr_random_below(&random, 30); i > 0 && writer.size < 60000; i--)
            gr_write_u8(&writer, in++);
        size_t size = gr_random_below(&random, GR_MIN(writer.size, 30) + 1);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(writer.data[i], out++);
        gr_writer_consume(&writer, size);
    }
    assert_false(writer.bad);
    gr_writer_deinit(&writer);
}

// Numbers sort as their big-endian bytes do; as their little-endian bytes they would not.
static bool sorts(struct gr_random *random, void (*write)(struct gr_writer *, uint64_t))
{
    for (int round = 0; round < 500; round++) {
        uint64_t number[2];
        struct gr_writer writer[2];
        for (int i = 0; i < 2; i++) {
            number[i] = gr_random_next(random) >> gr_random_below(random, 64);
            gr_writer_init(&writer[i], 8);
            write(&writer[i], number[i]);
        }
        int bytes = gr_bytes_compare(gr_writer_bytes(&writer[0]), gr_writer_bytes(&writer[1]));
        int order = number[0] < number[1] ? -1 : number[0] > number[1];
        gr_writer_deinit(&writer[0]);
        gr_writer_deinit(&writer[1]);
        if ((bytes < 0) != (order < 0) || (bytes > 0) != (order > 0))
            return false;
    }
    return true;
}

static void test_big_endian_sorts(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 5);
    assert_true(sorts(&random, gr_write_u64_big));
    assert_false(sorts(&random, gr_write_u64));
}

static void test_compare(void **state)
{
    (void)state;
    // In order, each below all that follow.
    static const char *const sorted[] = {"", "a", "aa", "ab", "abc", "b", "\x80", "\xff"};
    for (size_t i = 0; i < GR_COUNT(sorted); i++)
        for (size_t k = 0; k < GR_COUNT(sorted); k++) {
            struct gr_bytes a = gr_bytes_text(sorted[i]), b = gr_bytes_text(sorted[k]);
            int order = gr_bytes_compare(a, b);
            assert_int_equal(order < 0, i < k);
            assert_int_equal(order > 0, i > k);
            assert_int_equal(gr_bytes_equal(a, b), i == k);
        }
    assert_true(gr_bytes_equal(gr_bytes(NULL, 0), gr_bytes_text("")));
    assert_int_equal(gr_bytes_compare(gr_bytes(NULL, 0), gr_bytes_text("")), 0);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_varint),
        cmocka_unit_test(test_block_limit),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_writer_limit),
        cmocka_unit_test(test_consume),
        cmocka_unit_test(test_big_endian_sorts),
        cmocka_unit_test(test_compare),
    };
    return cmocka_run_group_tests_name("bytes", tests, NULL, nothing_is_left);
}
