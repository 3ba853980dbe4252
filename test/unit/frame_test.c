// wire/frame.h: what is encoded comes back, and nothing that a peer can send does any harm.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "test/unit/frame_parts.h"
#include "wire/frame.h"

// In that version: what it can say comes back whole, but for what may be left out; of what it
// cannot say nothing is written (I4), and false is returned.
static bool check_round_trip(
    struct gr_writer *out, struct gr_arena *arena, uint8_t version, const struct gr_message *m)
{
    bool can = (gr_message_says(m) & gr_frame_unspoken(version)) == 0;
    gr_frame_keepalive(out);
    gr_frame_encode(out, version, m);
    assert_int_equal(out->bad, !can);
    if (!can) {
        assert_int_equal(out->size, GR_FRAME_HEAD_BYTES);
        gr_writer_clear(out);
        return false;
    }
    gr_writer_consume(out, GR_FRAME_HEAD_BYTES);
    struct gr_message want = *m, back;
    if (version < 4)
        want.reached = 0;
    if (version < 4 && (m->type == GR_MSG_OFFER || m->type == GR_MSG_TAKEN))
        want.witnessed = true;
    struct gr_bytes body;
    size_t consumed;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(consumed, out->size);
    assert_int_equal(body.data[0], version);
    assert_int_equal(gr_frame_decode(body, version, arena, &back), GR_OK);
    assert_true(same_message(&want, &back));
    for (uint8_t other = GR_FRAME_VERSION_MIN; other <= GR_FRAME_VERSION; other++)
        if (other != version)
            assert_int_equal(gr_frame_decode(body, other, arena, &back), GR_ERR_MALFORMED);
    gr_writer_clear(out);
    return true;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    uint32_t unspoken[GR_FRAME_VERSION + 1] = {0};
    for (int round = 0; round < 300; round++)
        for (int type = GR_MSG_FORWARD; type < GR_MSG_TYPE_COUNT; type++) {
            struct gr_message m = some_message(&random, &arena, (enum gr_message_type)type);
            for (uint8_t v = GR_FRAME_VERSION_MIN; v <= GR_FRAME_VERSION; v++)
                unspoken[v] += !check_round_trip(&out, &arena, v, &m);
            gr_arena_clear(&arena);
        }
    assert_in_range(unspoken[GR_FRAME_VERSION_MIN], 100, 1000);
    assert_int_equal(unspoken[GR_FRAME_VERSION], 0);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

static void test_stream(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    struct gr_message m[50];
    for (size_t i = 0; i < GR_COUNT(m); i++) {
        m[i] = some_message(&random, &arena,
            (enum gr_message_type)(1 + gr_random_below(&random, GR_MSG_TYPE_COUNT - 1)));
        gr_frame_encode(&out, GR_FRAME_VERSION, &m[i]);
    }
    struct gr_bytes left = gr_writer_bytes(&out);
    for (size_t i = 0; i < GR_COUNT(m); i++) {
        struct gr_bytes body;
        size_t consumed;
        assert_int_equal(gr_frame_split(left, GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
        struct gr_message back;
        assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &back), GR_OK);
        assert_true(same_message(&m[i], &back));
        left = gr_bytes(left.data + consumed, left.size - consumed);
    }
    assert_int_equal(left.size, 0);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

// A block of exactly that size, so that the sanitizer sees a read past its end.
static struct gr_bytes exact(struct gr_bytes bytes)
{
    uint8_t *copy = gr_hook_memory(NULL, GR_MAX(bytes.size, 1));
    memcpy(copy, bytes.data, bytes.size);
    return gr_bytes(copy, bytes.size);
}

static void release(struct gr_bytes bytes)
{
    gr_hook_memory((uint8_t *)(uintptr_t)bytes.data, 0);
}

static void test_truncation(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 3);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    for (int type = GR_MSG_FORWARD; type < GR_MSG_TYPE_COUNT; type++)
        for (int round = 0; round < 4; round++) {
            struct gr_message m = some_message(&random, &arena, (enum gr_message_type)type), back;
            gr_writer_clear(&out);
            gr_frame_encode(&out, GR_FRAME_VERSION, &m);
            for (size_t size = 0; size < GR_MIN(out.size, 3000); size++) {
                struct gr_bytes cut = exact(gr_bytes(out.data, size)), body;
                size_t consumed;
                assert_int_equal(
                    gr_frame_split(cut, GR_FRAME_BYTES_MAX, &body, &consumed), GR_ERR_NOT_FOUND);
                assert_int_equal(consumed, size < GR_FRAME_HEAD_BYTES ? 0 : out.size);
                release(cut);
                if (size < GR_FRAME_HEAD_BYTES)
                    continue;
                cut = exact(gr_bytes(out.data + GR_FRAME_HEAD_BYTES, size - GR_FRAME_HEAD_BYTES));
                assert_int_equal(
                    gr_frame_decode(cut, GR_FRAME_VERSION, &arena, &back), GR_ERR_MALFORMED);
                release(cut);
            }
            gr_arena_clear(&arena);
        }
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

static void test_checksum(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 4);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    for (int type = GR_MSG_FORWARD; type < GR_MSG_TYPE_COUNT; type++) {
        struct gr_message m = some_message(&random, &arena, (enum gr_message_type)type);
        gr_writer_clear(&out);
        gr_frame_encode(&out, GR_FRAME_VERSION, &m);
        for (size_t bit = 0; bit < 8 * GR_MIN(out.size, 1000); bit++) {
            out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct gr_bytes body;
            size_t consumed;
            // A length that has grown asks for more; everything else is noticed at once.
            enum gr_err err =
                gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed);
            assert_true(err == GR_ERR_MALFORMED || (bit < 32 && err == GR_ERR_NOT_FOUND));
            out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        gr_arena_clear(&arena);
    }
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

// Behind a right checksum, anything may stand: what decodes must encode, and decode to the same.
static void test_corruption(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 5);
    struct gr_arena arena = {0};
    struct gr_writer out, again;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_writer_init(&again, GR_FRAME_BYTES_MAX);
    int decoded = 0;
    for (int round = 0; round < 20000; round++) {
        struct gr_message m = some_message(&random, &arena,
            (enum gr_message_type)(1 + gr_random_below(&random, GR_MSG_TYPE_COUNT - 1)));
        gr_writer_clear(&out);
        gr_frame_encode(&out, GR_FRAME_VERSION, &m);
        struct gr_bytes body =
            exact(gr_bytes(out.data + GR_FRAME_HEAD_BYTES, out.size - GR_FRAME_HEAD_BYTES));
        uint8_t *data = (uint8_t *)(uintptr_t)body.data;
        for (uint64_t n = 1 + gr_random_below(&random, 3); n > 0; n--)
            data[gr_random_below(&random, GR_MIN(body.size, 200))] =
                (uint8_t)gr_random_next(&random);
        struct gr_message back, last;
        if (gr_frame_decode(body, GR_FRAME_VERSION, &arena, &back) == GR_OK) {
            decoded++;
            gr_writer_clear(&again);
            gr_frame_encode(&again, GR_FRAME_VERSION, &back);
            assert_false(again.bad);
            assert_int_equal(gr_frame_decode(gr_bytes(again.data + GR_FRAME_HEAD_BYTES,
                                                 again.size - GR_FRAME_HEAD_BYTES),
                                 GR_FRAME_VERSION, &arena, &last),
                GR_OK);
            assert_true(same_message(&back, &last));
        }
        release(body);
        gr_arena_clear(&arena);
    }
    assert_true(decoded > 1000);
    gr_writer_deinit(&out);
    gr_writer_deinit(&again);
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

// ---- the envelope ----------------------------------------------------------------------------

// A frame without a message: it can be told from damage, and stands between others.
static void test_keepalive(void **state)
{
    (void)state;
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_HEAD_BYTES + 4);
    gr_frame_keepalive(&out);
    assert_int_equal(out.size, GR_FRAME_HEAD_BYTES);
    struct gr_bytes body;
    size_t consumed;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(body.size, 0);
    assert_int_equal(consumed, GR_FRAME_HEAD_BYTES);
    struct gr_arena arena = {0};
    struct gr_message m;
    assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &m), GR_ERR_MALFORMED);
    out.data[4] ^= 1;
    assert_int_equal(gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed),
        GR_ERR_MALFORMED);
    gr_frame_keepalive(&out); // whole or not at all
    assert_true(out.bad);
    assert_int_equal(out.size, GR_FRAME_HEAD_BYTES);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

static void test_does_not_fit(void **state)
{
    (void)state;
    struct gr_writer out;
    gr_writer_init(&out, 120);
    struct gr_message m = {
        .type = GR_MSG_READ,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("key")),
    };
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    size_t one = out.size;
    for (int i = 0; i < 5; i++)
        gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    assert_true(out.bad);
    assert_int_equal(out.size, 120 / one * one);
    // More dots than a frame may have: refused here, before a peer would.
    gr_writer_deinit(&out);
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    struct gr_arena arena = {0};
    uint32_t count = GR_FRAME_ITEMS_MAX;
    struct gr_dot *dot = gr_arena_array(&arena, struct gr_dot, count);
    for (uint32_t i = 0; i < count; i++)
        dot[i] = (struct gr_dot){{1, 1}, 2 + 2 * (uint64_t)i};
    m.type = GR_MSG_FORWARDED;
    m.record.context = (struct gr_context){.cloud = dot, .cloud_count = count};
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    assert_true(out.bad);
    assert_int_equal(out.size, 0);
    out.bad = false;
    m.record.context.cloud_count = count - 1; // and one actor
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    assert_false(out.bad);
    struct gr_bytes body;
    size_t consumed;
    struct gr_message back;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &back), GR_OK);
    assert_int_equal(back.record.context.cloud_count, count - 1);
    gr_arena_deinit(&arena);
    gr_writer_deinit(&out);
}

static void hex(struct gr_bytes bytes, char *text)
{
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
}

// The bytes themselves: a change here is a new frame version. The one before is what nodes speak
// that are not upgraded yet, and does not change at all.
static void test_known_bytes(void **state)
{
    (void)state;
    struct gr_dot own = {{1, 2}, 3}, seen = {{1, 2}, 2};
    struct gr_sibling sibling = {
        .dot = own,
        .origin = {.time = 5, .id = {6, 7}},
        .value = gr_bytes_text("v"),
    };
    struct gr_message m = {
        .type = GR_MSG_DELTA,
        .id = 300,
        .run = 0x0102030405060708,
        .to = 0x1112131415161718,
        .sequence = 1,
        .hybrid = 9,
        .deadline_ms = 10,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .dot = own,
        .durable = true,
        .record = {.sibling = &sibling,
            .count = 1,
            .context = {.vv = &seen, .vv_count = 1, .cloud = NULL, .cloud_count = 0}},
    };
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    char text[1000];
    hex(gr_writer_bytes(&out), text);
    static const char want[] = "54000000cd30a576"   // length, checksum
                               "0403"               // version, type
                               "ac02"               // id
                               "0807060504030201"   // run
                               "181716151413121101" // to, sequence
                               "09000000000000000a" // hybrid time, deadline
                               "0162016b"           // bucket, key
                               "00"                 // asked as an owner
                               "01"                 // to be durable
                               "0000"               // answered to the sender, passed on to nobody
                               "000100000000000000" // dot: actor 0, told here:
                               "020000000000000003" // ... its run, the counter
                               "010003"             // one sibling: its dot
                               "0500000000000000"   // origin: time
                               "060000000000000007" // origin: run, number
                               "00000276"           // touch, expiry, value "v"
                               "01000200";          // context: one entry, no cloud
    assert_string_equal(text, want);
    gr_writer_clear(&out);
    gr_frame_encode(&out, 3, &m);
    hex(gr_writer_bytes(&out), text);
    static const char head[] = "0303ac02080706050403020118171615141312110109000000000000000a";
    static const char rest[] = "0162016b0001" // as above, but for who is answered, and passed on to
                               "000100000000000000020000000000000003"
                               "010003050000000000000006000000000000000700000276"
                               "01000200";
    assert_memory_equal(text + 16, head, sizeof head - 1);
    assert_string_equal(text + 16 + sizeof head - 1, rest);
    gr_writer_deinit(&out);
}

// What an exchange begins and ends with: clocks as rows of bases and distances, sums, a partition.
static void test_known_clocks(void **state)
{
    (void)state;
    struct gr_interval interval = {10, 12};
    struct gr_clock_row row[] = {
        {.actor = {1, 2}, .base = 3, .interval = &interval, .interval_count = 1},
        {.actor = {1, 5}, .base = 300},
    };
    struct gr_clock clock = {.row = row, .count = 2};
    struct gr_sum sum = {0x0807060504030201, 0x100f0e0d0c0b0a09};
    struct gr_message m = {.type = GR_MSG_BEGUN,
        .id = 1,
        .run = 2,
        .sequence = 3,
        .hybrid = 4,
        .deadline_ms = 5,
        .clock_list = &clock,
        .clock_count = 1,
        .sum_list = &sum,
        .sum_count = 1};
    static const char clock_bytes[] = "0102"               // one clock, two rows
                                      "000100000000000000" // actor 0, told here
                                      "020000000000000003" // ... its run, base 3
                                      "010702"             // one interval: 7 further, 2 long
                                      "010100000000000000" // actor 1, told here
                                      "0500000000000000"
                                      "ac0200"; // base 300, no interval
    char text[1000], want[1000];
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    hex(gr_writer_bytes(&out), text);
    snprintf(want, sizeof want, "%s%s%s%s", "00", // status
        "00",                                     // nothing was lost
        clock_bytes,
        "010102030405060708" // one sum, its low half
        "090a0b0c0d0e0f10"); // its high half
    assert_string_equal(text + 2 * (GR_FRAME_HEAD_BYTES + 2 + 1 + 8 + 8 + 1 + 8 + 1), want);
    gr_writer_clear(&out);
    m.type = GR_MSG_JOIN;
    m.partition = 7;
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    hex(gr_writer_bytes(&out), text);
    snprintf(want, sizeof want, "07%s", clock_bytes);
    assert_string_equal(text + 2 * (GR_FRAME_HEAD_BYTES + 2 + 1 + 8 + 8 + 1 + 8 + 1), want);
    gr_writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_corruption),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_known_bytes),
        cmocka_unit_test(test_known_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
