// wire/talk.h: what was said comes back as it was (T1), and nothing that is not well formed is read
// (T2).
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "test/hooks.h"
#include "wire/frame.h"
#include "wire/talk.h"

enum { LIST_MAX = 40 };

static void draw_facts(struct gr_random *random, struct gr_fact *list, uint32_t *count)
{
    static const char text[] = "some value of no more than this";
    *count = (uint32_t)gr_random_below(random, LIST_MAX);
    for (uint32_t i = 0; i < *count; i++) // whatever the kind, a version that a status has
        list[i] = gr_fact_make((enum gr_fact_kind)(1 + gr_random_below(random, GR_FACT_KIND_MAX)),
            gr_random_next(random),
            (1 + gr_random_next(random) / 16) << 2 | gr_random_below(random, GR_STATUS_COUNT),
            gr_bytes(text, gr_random_below(random, sizeof text)));
}

static struct gr_talk draw(struct gr_random *random, enum gr_talk_type type, struct gr_fact *facts,
    struct gr_fact *wants, uint64_t *buckets)
{
    struct gr_talk talk = {.type = type, .id = gr_random_next(random)};
    if (type == GR_TALK_PING)
        talk.digest = gr_random_next(random);
    if (type == GR_TALK_PING_FOR)
        talk.member = gr_random_next(random);
    if (type == GR_TALK_PONG && gr_random_chance(random, 500)) {
        talk.bucket_list = buckets;
        talk.bucket_count = GR_FACT_BUCKETS;
        for (uint32_t i = 0; i < GR_FACT_BUCKETS; i++)
            buckets[i] = gr_random_next(random);
    }
    if (type == GR_TALK_HEADS)
        talk.mask = gr_random_next(random);
    if (type == GR_TALK_HEADS || type == GR_TALK_FACTS)
        draw_facts(random, facts, &talk.fact_count);
    if (type == GR_TALK_FACTS)
        draw_facts(random, wants, &talk.want_count);
    talk.fact_list = facts;
    talk.want_list = wants;
    return talk;
}

static void check_facts(
    const struct gr_fact *a, const struct gr_fact *b, uint32_t count, bool heads)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(a[i].kind, b[i].kind);
        assert_true(a[i].key == b[i].key && gr_fact_compare(&a[i], &b[i]) == 0);
        assert_true(heads ? b[i].value.size == 0 : gr_bytes_equal(a[i].value, b[i].value));
    }
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 3);
    struct gr_arena arena = {0};
    for (int i = 0; i < 2000; i++) {
        struct gr_fact facts[LIST_MAX], wants[LIST_MAX];
        uint64_t buckets[GR_FACT_BUCKETS];
        enum gr_talk_type type = (enum gr_talk_type)(1 + i % (GR_TALK_COUNT - 1));
        struct gr_talk said = draw(&random, type, facts, wants, buckets), heard;
        struct gr_writer out;
        gr_writer_init(&out, 1 << 20);
        gr_talk_encode(&out, &said);
        assert_int_equal(gr_talk_decode(gr_writer_bytes(&out), &arena, &heard), GR_OK);
        assert_int_equal(heard.type, said.type);
        assert_true(heard.id == said.id && heard.digest == said.digest && heard.mask == said.mask &&
                    heard.member == said.member);
        assert_int_equal(heard.bucket_count, said.bucket_count);
        if (heard.bucket_count > 0)
            assert_memory_equal(heard.bucket_list, buckets, sizeof buckets);
        assert_int_equal(heard.fact_count, said.fact_count);
        assert_int_equal(heard.want_count, said.want_count);
        check_facts(said.fact_list, heard.fact_list, said.fact_count, type == GR_TALK_HEADS);
        check_facts(said.want_list, heard.want_list, said.want_count, true);
        // T2: nothing shorter, and nothing longer, is one.
        for (size_t size = 0; size < out.size; size += 1 + size / 8)
            assert_int_equal(
                gr_talk_decode(gr_bytes(out.data, size), &arena, &heard), GR_ERR_MALFORMED);
        gr_write_u8(&out, 0);
        assert_int_equal(gr_talk_decode(gr_writer_bytes(&out), &arena, &heard), GR_ERR_MALFORMED);
        gr_writer_deinit(&out);
        gr_arena_clear(&arena);
    }
    gr_arena_deinit(&arena);
}

static void test_no_room(void **state)
{
    (void)state;
    struct gr_fact fact = gr_fact_make(GR_FACT_RING, 0, 1, gr_bytes("0123456789", 10));
    struct gr_talk talk = {.type = GR_TALK_FACTS, .id = 1, .fact_list = &fact, .fact_count = 1};
    struct gr_writer out;
    gr_writer_init(&out, 20);
    gr_write_u8(&out, 7);
    gr_talk_encode(&out, &talk);
    assert_true(out.bad);
    assert_int_equal(out.size, 1);
    gr_writer_deinit(&out);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x00\x01", 2},                                                      // no such type
        {"\x02\x01\x03", 3},                                                  // three buckets
        {"\x05\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", 15}, // kind 0
        {"\x05\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 15}, // version 0
        {"\x05\x01\x01\x02\x00\x00\x00\x00\x00\x00\x00\x00\x07\x00\x00",
            15}, // a status that is not
        {"\x05\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
         "\x00\x00",
            24},                         // version 2^63
        {"\x05\x01\xff\xff\xff\x7f", 6}, // more facts than bytes
    };
    struct gr_arena arena = {0};
    struct gr_talk talk = {.id = 77};
    for (size_t i = 0; i < GR_COUNT(bad); i++)
        assert_int_equal(
            gr_talk_decode(gr_bytes(bad[i].bytes, bad[i].size), &arena, &talk), GR_ERR_MALFORMED);
    assert_int_equal(talk.id, 77);
    // The same with nothing wrong.
    assert_int_equal(
        gr_talk_decode(gr_bytes("\x05\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00", 15),
            &arena, &talk),
        GR_OK);
    // A type of a later program, whatever it says; a kind of fact of one is a fact like any other.
    assert_int_equal(gr_talk_decode(gr_bytes("\x06\x01zz", 4), &arena, &talk), GR_ERR_FORMAT);
    assert_int_equal(gr_talk_decode(gr_bytes("\xff\x01", 2), &arena, &talk), GR_ERR_FORMAT);
    assert_int_equal(gr_talk_decode(gr_bytes("\x06", 1), &arena, &talk), GR_ERR_MALFORMED);
    assert_int_equal(
        gr_talk_decode(
            gr_bytes("\x05\x01\x01\xc8\x03\x00\x00\x00\x00\x00\x00\x00\x05\x01x\x00", 16), &arena,
            &talk),
        GR_OK);
    assert_true(talk.fact_count == 1 && (int)talk.fact_list[0].kind == 200 &&
                talk.fact_list[0].key == 3 && talk.fact_list[0].version == 5 &&
                gr_bytes_equal(talk.fact_list[0].value, gr_bytes_text("x")));
    gr_arena_deinit(&arena);
}

// Talk of members is a frame among the others, and neither is taken for the other.
static void test_frames(void **state)
{
    (void)state;
    struct gr_talk talk = {.type = GR_TALK_PING, .id = 7, .digest = 99}, heard;
    struct gr_message message = {.type = GR_MSG_JOINED, .id = 8};
    struct gr_writer out;
    struct gr_arena arena = {0};
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_frame_talk(&out, GR_FRAME_VERSION, &talk);
    gr_frame_encode(&out, GR_FRAME_VERSION, &message);
    struct gr_bytes body, inside;
    size_t consumed;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &message), GR_ERR_MALFORMED);
    assert_true(gr_frame_is_talk(body, GR_FRAME_VERSION, &inside));
    assert_int_equal(gr_talk_decode(inside, &arena, &heard), GR_OK);
    assert_true(heard.type == GR_TALK_PING && heard.id == 7 && heard.digest == 99);
    gr_writer_consume(&out, consumed);
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_false(gr_frame_is_talk(body, GR_FRAME_VERSION, &inside));
    assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &message), GR_OK);
    assert_int_equal(message.id, 8);
    assert_false(gr_frame_is_talk(gr_bytes("\x03", 1), GR_FRAME_VERSION, &inside));
    gr_writer_deinit(&out);
    // One that does not fit leaves what was there.
    gr_writer_init(&out, 10);
    gr_frame_talk(&out, GR_FRAME_VERSION, &talk);
    assert_true(out.bad);
    assert_int_equal(out.size, 0);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
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
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_frames),
    };
    return cmocka_run_group_tests_name("talk", tests, NULL, nothing_is_left);
}
