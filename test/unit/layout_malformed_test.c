// wire/layout.h: what is not as core/layout.h says is refused (V3), and leaves the result alone.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "wire/layout.h"

// `size` bytes at `at` are changed to `to`.
struct damage {
    size_t at;
    const char *to;
    size_t size;
    const char *what;
};
#define U16(text) (text), 2
#define U32(text) (text), 4
#define U64(text) (text), 8

static const char CARD[] = "\x01\x01\x61\x01\x68\x00\x00" // 1: name, 3: host, rack, site
                           "\x01\x70\x01\x72"             // 7: peer, 9: resp
                           "\xe8\x03\x00\x00";            // 11: weight 1,000

static void test_malformed_cards(void **state)
{
    (void)state;
    static const struct damage bad[] = {
        {0, "\x00", 1, "no format"},
        {0, "\x02", 1, "another format"},
        {2, "\x00", 1, "a name with a zero in it"},
        {2, " ", 1, "a name with a space"},
        {2, "\x7f", 1, "a name that is not printable"},
        {2, "\x80", 1, "a name that is not ASCII"},
        {4, "\t", 1, "a host that is not printable"},
        {8, " ", 1, "an address with a space"},
        {10, " ", 1, "another"},
        {11, U32("\x00\x00\x00\x00"), "no weight"},
        {11, U32("\xe9\x03\x00\x00"), "too much weight"},
    };
    static const struct {
        const char *bytes;
        size_t size;
        enum gr_err err;
    } empty[] = {
        {"\x01\x01n\x00\x00\x00\x01p\x01r\x01\x00\x00\x00", 14, GR_OK},
        {"\x01\x00\x00\x00\x00\x01p\x01r\x01\x00\x00\x00", 13, GR_ERR_MALFORMED},
        {"\x01\x01n\x00\x00\x00\x00\x01r\x01\x00\x00\x00", 13, GR_ERR_MALFORMED},
        {"\x01\x01n\x00\x00\x00\x01p\x00\x01\x00\x00\x00", 13, GR_ERR_MALFORMED},
        {"\x01\x01n\x00\x01\x1f\x00\x01p\x01r\x01\x00\x00\x00", 15, GR_ERR_MALFORMED}, // rack
        {"\x01\x01n\x00\x00\x01\x1f\x01p\x01r\x01\x00\x00\x00", 15, GR_ERR_MALFORMED}, // site
    };
    struct gr_card card;
    uint8_t bytes[sizeof CARD - 1 + 64];
    assert_int_equal(gr_card_decode(gr_bytes(CARD, sizeof CARD - 1), &card), GR_OK);
    assert_int_equal(card.weight, GR_WEIGHT_MAX);
    struct gr_card before = card;
    for (size_t i = 0; i < GR_COUNT(bad); i++) {
        memcpy(bytes, CARD, sizeof CARD - 1);
        memcpy(bytes + bad[i].at, bad[i].to, bad[i].size);
        if (gr_card_decode(gr_bytes(bytes, sizeof CARD - 1), &card) != GR_ERR_MALFORMED)
            fail_msg("taken: %s", bad[i].what);
    }
    for (size_t i = 0; i < GR_COUNT(empty); i++) {
        struct gr_card other;
        assert_int_equal(
            gr_card_decode(gr_bytes(empty[i].bytes, empty[i].size), &other), empty[i].err);
    }
    // A text of 63 bytes is one, and one of 64 is none.
    for (uint8_t size = GR_NAME_BYTES_MAX; size <= GR_NAME_BYTES_MAX + 1; size++) {
        struct gr_card other;
        bytes[0] = 1;
        bytes[1] = size;
        memset(bytes + 2, 'x', size);
        memcpy(bytes + 2 + size, CARD + 3, sizeof CARD - 1 - 3);
        assert_int_equal(gr_card_decode(gr_bytes(bytes, size + sizeof CARD - 1 - 1), &other),
            size <= GR_NAME_BYTES_MAX ? GR_OK : GR_ERR_MALFORMED);
    }
    assert_memory_equal(&card, &before, sizeof card);
}

static void test_malformed_holdings(void **state)
{
    (void)state;
    static const char good[] = "\x01"
                               "\x01\x00\x00\x00\x00\x00\x00\x00" // 1: store
                               "\x02\x00\x00\x00\x00\x00\x00\x00" // 9: run
                               "\x03\x00\x00\x00\x00\x00\x00\x00" // 17: the ring of then
                               "\x04\x00\x00\x00\x0a";            // 25: Q; 29: partitions 1 and 3
    static const struct damage bad[] = {
        {0, "\x00", 1, "no format"},
        {25, U32("\x00\x00\x00\x00"), "no partitions"},
        {25, U32("\x03\x00\x00\x00"), "three partitions"},
        {25, U32("\x10\x00\x00\x00"), "more partitions than bits"},
        {25, U32("\x00\x80\x00\x00"), "too many partitions"},
        {29, "\x1a", 1, "a bit beyond Q"},
        {29, "\x8a", 1, "another"},
    };
    struct gr_arena arena = {0};
    struct gr_holdings holdings;
    struct gr_bytes bytes = gr_bytes(good, sizeof good - 1);
    assert_int_equal(gr_holdings_decode(bytes, &arena, &holdings), GR_OK);
    assert_true(holdings.store == 1 && holdings.run == 2 && holdings.bare_in == 3);
    assert_int_equal(holdings.bits[0], 10);
    struct gr_holdings before = holdings;
    for (size_t i = 0; i < GR_COUNT(bad); i++) {
        uint8_t changed[sizeof good];
        memcpy(changed, good, sizeof good);
        memcpy(changed + bad[i].at, bad[i].to, bad[i].size);
        if (gr_holdings_decode(gr_bytes(changed, sizeof good - 1), &arena, &holdings) !=
            GR_ERR_MALFORMED)
            fail_msg("taken: %s", bad[i].what);
    }
    assert_memory_equal(&holdings, &before, sizeof holdings);
    gr_arena_deinit(&arena);
    // Bits there are, and as many as said, but too many.
    static uint8_t large[29 + 4096] = {1, [26] = 0x80};
    assert_int_equal(
        gr_holdings_decode(gr_bytes(large, sizeof large), &arena, &holdings), GR_ERR_MALFORMED);
    gr_arena_deinit(&arena);
}

static const char LAYOUT[] =
    "\x01"
    "\x02\x00\x00\x00\x00\x00\x00\x00" // 1: version 2
    "\x07\x00\x00\x00\x00\x00\x00\x00" // 9: origin
    "\x04\x00\x00\x00\x02\x02"         // 17: Q 4, N 2, before 2
    "\x03\x00\x02"                     // 23: three members, two steps
    "\x01\x00\x00\x00\x00\x00\x00\x00" // 26: id 1,
    "\x01\x61\x01\x62\x01\x63\x01\x64" // 34: its texts,
    "\x01\x00\x00\x00\x00"             // 42: weight; not out
    "\x02\x00\x00\x00\x00\x00\x00\x00" // 47: id 2,
    "\x01\x62\x00\x00\x00"             // 55: its texts,
    "\x01\x00\x00\x00\x00"             // 60: weight; not out
    "\x03\x00\x00\x00\x00\x00\x00\x00" // 65: id 3,
    "\x01\x63\x00\x00\x00"             // 73: its texts,
    "\x00\x00\x00\x00\x01"             // 78: no weight; out
    "\x00\x01\x01\x00\x00\x01\x01\x00" // 83: owners
    "\x03\x02\x00\x00\x02"             // 91: before: the first two the same, the others
    "\x01\x00\x00\x00\x00\x00\x00\x00" // 96: step 1,
    "\x07\x00\x00\x00\x00\x00\x00\x00" // 104: its hash,
    "\x09\x00\x00\x00\x00\x00\x00\x00" // 112: when,
    "\x01\x61\x00"                     // 120: where, what
    "\x02\x00\x00\x00\x00\x00\x00\x00" // 123: step 2, of no hash,
    "\x09\x00\x00\x00\x00\x00\x00\x00" // 131: when,
    "\x00\x03\x61\x20\x62";            // 139: where, what

static const struct damage LAYOUT_DAMAGE[] = {
    {0, "\x00", 1, "no format"},
    {0, "\x02", 1, "another format"},
    {1, U64("\x00\x00\x00\x00\x00\x00\x00\x00"), "version 0"},
    {1, U64("\x03\x00\x00\x00\x00\x00\x00\x00"), "a version without a step"},
    {17, U32("\x00\x00\x00\x00"), "no partitions"},
    {17, U32("\x03\x00\x00\x00"), "three partitions"},
    {17, U32("\x00\x80\x00\x00"), "too many partitions"},
    {17, U32("\x08\x00\x00\x00"), "more partitions than bytes"},
    {21, "\x00", 1, "N 0"},
    {21, "\x08", 1, "N 8"},
    {22, "\x08", 1, "N 8 before"},
    {22, "\x00", 1, "lists before, and nothing before"},
    {23, U16("\x00\x00"), "no members"},
    {23, U16("\x02\x00"), "fewer members"},
    {23, U16("\x00\x04"), "more members than bytes"},
    {23, U16("\x01\x04"), "too many members"},
    {25, "\x00", 1, "no steps"},
    {25, "\x01", 1, "fewer steps"},
    {25, "\x11", 1, "too many steps"},
    {26, U64("\x00\x00\x00\x00\x00\x00\x00\x00"), "id 0"},
    {47, U64("\x01\x00\x00\x00\x00\x00\x00\x00"), "an id twice"},
    {47, U64("\x04\x00\x00\x00\x00\x00\x00\x00"), "ids out of order"},
    {65, U64("\x00\x00\x00\x00\x00\x00\x00\x80"), "too large an id"},
    {35, " ", 1, "a name with a space"},
    {35, "\x00", 1, "a name with a zero in it"},
    {37, "\x1f", 1, "a host that is not printable"},
    {39, "\x7f", 1, "a rack that is not printable"},
    {41, "\xff", 1, "a site that is not printable"},
    {42, U32("\xe9\x03\x00\x00"), "too much weight"},
    {42, U32("\x00\x00\x00\x00"), "an owner without weight"},
    {82, "\x02", 1, "out is neither 0 nor 1"},
    {64, "\x01", 1, "an owner that is out"},
    {83, "\x03", 1, "an owner that is no member"},
    {83, "\x01", 1, "an owner twice"},
    {91, "\x13", 1, "a bit beyond Q"},
    {91, "\x01", 1, "fewer bits than lists left out"},
    {91, "\x07", 1, "more bits"},
    {92, "\x03", 1, "before: no member"},
    {92, "\x00", 1, "before: twice"},
    {94, U16("\x01\x00"), "before: the same as now, and no bit"},
    {92, "\x01\x00\x00\x01", 4, "out, and no list before names it"},
    {96, U64("\x00\x00\x00\x00\x00\x00\x00\x00"), "step 0"},
    {96, U64("\x02\x00\x00\x00\x00\x00\x00\x00"), "a step twice"},
    {121, "\x1f", 1, "a node that is not printable"},
    {121, " ", 1, "a node with a space"},
    {123, U64("\x03\x00\x00\x00\x00\x00\x00\x00"), "the last step is another's"},
    {142, "\n", 1, "a step that is not printable"},
    {142, "\x00", 1, "a step with a zero in it"},
    {140, "\x02", 1, "something left over"},
};

static void test_malformed_layouts(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_layout layout;
    struct gr_writer out;
    assert_int_equal(sizeof LAYOUT - 1, 144);
    struct gr_bytes bytes = gr_bytes(LAYOUT, sizeof LAYOUT - 1);
    assert_int_equal(gr_layout_decode(bytes, &arena, &layout), GR_OK);
    assert_string_equal(layout.step[1].what, "a b");
    assert_true(layout.before[4] == 2 && layout.before[5] == 0 && layout.before[2] == 1);
    gr_writer_init(&out, 1000);
    gr_layout_encode(&out, &layout);
    assert_true(gr_bytes_equal(gr_writer_bytes(&out), bytes));
    gr_writer_deinit(&out);
    struct gr_layout before = layout;
    for (size_t i = 0; i < GR_COUNT(LAYOUT_DAMAGE); i++) {
        const struct damage *damage = &LAYOUT_DAMAGE[i];
        uint8_t changed[sizeof LAYOUT];
        memcpy(changed, LAYOUT, sizeof LAYOUT);
        memcpy(changed + damage->at, damage->to, damage->size);
        if (gr_layout_decode(gr_bytes(changed, sizeof LAYOUT - 1), &arena, &layout) !=
            GR_ERR_MALFORMED)
            fail_msg("taken: %s", damage->what);
    }
    assert_memory_equal(&layout, &before, sizeof layout);
    gr_arena_deinit(&arena);
}

// What needs more than a few bytes changed: all that is said is there.
struct shape {
    uint64_t version;
    uint32_t partitions;
    uint8_t n, before_n;
    uint16_t members; // of more than 256, so that a place is two bytes
    uint8_t steps;
    enum gr_err err;
};

static void write_shape(struct gr_writer *out, const struct shape *shape)
{
    gr_writer_clear(out);
    gr_write_u8(out, 1);
    gr_write_u64(out, shape->version);
    gr_write_u64(out, 7);
    gr_write_u32(out, shape->partitions);
    gr_write_u8(out, shape->n);
    gr_write_u8(out, shape->before_n);
    gr_write_u16(out, shape->members);
    gr_write_u8(out, shape->steps);
    for (uint16_t i = 0; i < shape->members; i++) {
        gr_write_u64(out, i + (uint64_t)1);
        gr_write_bytes(out, gr_bytes("\x00\x00\x00\x00\x01\x00\x00\x00\x00", 9));
    }
    for (uint32_t i = 0; i < shape->partitions * shape->n; i++)
        gr_write_u16(out, (uint16_t)(i % shape->n));
    bool bits = shape->before_n > 0 && shape->before_n == shape->n;
    for (uint32_t p = 0; bits && p < shape->partitions; p += 8)
        gr_write_u8(out, 0);
    for (uint32_t i = 0; i < shape->partitions * shape->before_n; i++)
        gr_write_u16(out, (uint16_t)(shape->n + i % shape->before_n));
    for (uint8_t left = shape->steps; left > 0; left--) {
        gr_write_u64(out, shape->version - left + 1);
        if (left > 1)
            gr_write_u64(out, 7);
        gr_write_u64(out, 9);
        gr_write_u16(out, 0);
    }
}

static void test_malformed_shapes(void **state)
{
    (void)state;
    static const uint64_t version_max = GR_FACT_VERSION_MAX;
    const struct shape shapes[] = {
        {1, 1, 1, 0, 300, 1, GR_OK},
        {2, 8, 7, 7, GR_MEMBERS_MAX, 2, GR_OK},
        {99, 16, 3, 7, 300, GR_LAYOUT_STEPS_MAX, GR_OK},
        {99, 16, 3, 2, 300, GR_LAYOUT_STEPS_MAX + 1, GR_ERR_MALFORMED},
        {version_max, 2, 1, 0, 300, 1, GR_OK},
        {version_max + 1, 2, 1, 0, 300, 1, GR_ERR_MALFORMED},
        {0, 2, 1, 0, 300, 0, GR_ERR_MALFORMED},
        {1, 2, 1, 0, GR_MEMBERS_MAX + 1, 1, GR_ERR_MALFORMED},
        {1, 0, 1, 0, 300, 1, GR_ERR_MALFORMED},
        {1, 3, 1, 0, 300, 1, GR_ERR_MALFORMED},
        {1, 2 * GR_PARTITIONS_MAX, 1, 0, 300, 1, GR_ERR_MALFORMED},
        {1, 2, 0, 0, 300, 1, GR_ERR_MALFORMED},
        {1, 2, 8, 0, 300, 1, GR_ERR_MALFORMED},
        {1, 2, 1, 8, 300, 1, GR_ERR_MALFORMED},
        // Nothing wrong, but the second is larger than a fact.
        {1, 8192, 7, 7, 300, 1, GR_OK},
        {1, 16384, 7, 7, 300, 1, GR_ERR_MALFORMED},
    };
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(shapes); i++) {
        struct gr_layout layout;
        write_shape(&out, &shapes[i]);
        assert_false(out.bad);
        if (gr_layout_decode(gr_writer_bytes(&out), &arena, &layout) != shapes[i].err)
            fail_msg("shape %zu", i);
        gr_arena_clear(&arena);
    }
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

// Texts of as many bytes as they may have, and of one more.
static void test_malformed_texts(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_layout layout;
    for (size_t size = GR_LAYOUT_WHAT_BYTES - 1; size <= GR_LAYOUT_WHAT_BYTES; size++) {
        uint8_t bytes[sizeof LAYOUT + GR_LAYOUT_WHAT_BYTES];
        memcpy(bytes, LAYOUT, 140);
        bytes[140] = (uint8_t)size;
        memset(bytes + 141, ' ', size);
        assert_int_equal(gr_layout_decode(gr_bytes(bytes, 141 + size), &arena, &layout),
            size < GR_LAYOUT_WHAT_BYTES ? GR_OK : GR_ERR_MALFORMED);
    }
    gr_arena_deinit(&arena);
}

// V2: who says that there is much, and has not brought it, gets no memory for it.
static void test_claims(void **state)
{
    (void)state;
    static const struct damage claims[] = {
        {23, U16("\x00\x04"), "members"},
        {17, "\x00\x40\x00\x00\x07", 5, "owners"},
        {22, "\x07", 1, "before"},
    };
    struct gr_layout layout;
    for (size_t i = 0; i < GR_COUNT(claims); i++) {
        struct gr_arena arena = {0};
        uint8_t bytes[sizeof LAYOUT + 8192] = {0};
        memcpy(bytes, LAYOUT, sizeof LAYOUT - 1);
        memcpy(bytes + claims[i].at, claims[i].to, claims[i].size);
        size_t size = sizeof LAYOUT - 1;
        if (i == 2) { // the owners are there
            memcpy(bytes + 17, "\x00\x10\x00\x00\x02", 5);
            size = 83 + 8192;
        }
        assert_int_equal(
            gr_layout_decode(gr_bytes(bytes, size), &arena, &layout), GR_ERR_MALFORMED);
        assert_true(arena.bytes <= (i == 2 ? 20000 : 1024));
        gr_arena_deinit(&arena);
    }
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_malformed_cards),
        cmocka_unit_test(test_malformed_holdings),
        cmocka_unit_test(test_malformed_layouts),
        cmocka_unit_test(test_malformed_shapes),
        cmocka_unit_test(test_malformed_texts),
        cmocka_unit_test(test_claims),
    };
    return cmocka_run_group_tests_name("layout_malformed", tests, NULL, nothing_is_left);
}
