// wire/token.h: a token comes back as the context it was made of, and nothing else is believed.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "test/unit/wire_parts.h"
#include "wire/token.h"

static const struct gr_token_key secret = {
    .number = 1,
    .secret = "0123456789abcdef0123456789abcde",
    .cluster = "cluster of tests",
};

static struct gr_key a_key(void)
{
    return gr_key_make(gr_bytes_text("bucket"), gr_bytes_text("key"));
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, 2 * GR_TOKEN_BYTES_MAX);
    for (int round = 0; round < 3000; round++) {
        struct gr_key key = some_key(&random, &arena);
        struct gr_context context = some_context(&random, &arena), back;
        gr_writer_clear(&out);
        gr_write_u8(&out, '*'); // it appends
        assert_int_equal(gr_token_encode(&secret, &key, &context, &out), GR_OK);
        assert_int_equal(out.data[0], '*');
        struct gr_bytes text = gr_bytes(out.data + 1, out.size - 1);
        for (size_t i = 0; i < text.size; i++)
            assert_non_null(
                memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
                    text.data[i], 64));
        assert_int_equal(gr_token_decode(&secret, &key, text, &arena, &back), GR_OK);
        assert_true(gr_context_equal(&context, &back));
        gr_arena_clear(&arena);
    }
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

static void test_nothing(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_key key = a_key();
    struct gr_dot dot = {{1, 1}, 1};
    struct gr_context back = {.vv = &dot, .vv_count = 1}, nothing = GR_CONTEXT_NOTHING;
    assert_int_equal(gr_token_decode(&secret, &key, gr_bytes("", 0), &arena, &back), GR_OK);
    assert_true(gr_context_empty(&back));
    struct gr_writer out;
    gr_writer_init(&out, 100);
    assert_int_equal(gr_token_encode(&secret, &key, &nothing, &out), GR_OK);
    assert_true(out.size > 0);
    back = (struct gr_context){.vv = &dot, .vv_count = 1};
    assert_int_equal(gr_token_decode(&secret, &key, gr_writer_bytes(&out), &arena, &back), GR_OK);
    assert_true(gr_context_empty(&back));
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

static void test_flips_and_cuts(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    struct gr_arena arena = {0};
    struct gr_key key = a_key();
    struct gr_context untouched = GR_CONTEXT_NOTHING;
    for (int round = 0; round < 30; round++) {
        struct gr_context context = some_context(&random, &arena);
        struct gr_writer out;
        gr_writer_init(&out, GR_TOKEN_BYTES_MAX);
        assert_int_equal(gr_token_encode(&secret, &key, &context, &out), GR_OK);
        for (size_t bit = 0; bit < 8 * GR_MIN(out.size, 300); bit++) {
            out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_int_equal(
                gr_token_decode(&secret, &key, gr_writer_bytes(&out), &arena, &untouched),
                GR_ERR_BAD_CONTEXT);
            out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        // Every other letter in the last place: the bits that fill it up are looked at too.
        uint8_t *end = &out.data[out.size - 1], last = *end;
        for (int letter = 0; letter < 256; letter++) {
            *end = (uint8_t)letter;
            assert_int_equal(
                gr_token_decode(&secret, &key, gr_writer_bytes(&out), &arena, &untouched),
                letter == last ? GR_OK : GR_ERR_BAD_CONTEXT);
        }
        *end = last;
        untouched = GR_CONTEXT_NOTHING;
        for (size_t size = 1; size < out.size; size++) {
            uint8_t *cut = gr_hook_memory(NULL, size);
            memcpy(cut, out.data, size);
            assert_int_equal(
                gr_token_decode(&secret, &key, gr_bytes(cut, size), &arena, &untouched),
                GR_ERR_BAD_CONTEXT);
            gr_hook_memory(cut, 0);
        }
        gr_write_u8(&out, 'A');
        assert_int_equal(gr_token_decode(&secret, &key, gr_writer_bytes(&out), &arena, &untouched),
            GR_ERR_BAD_CONTEXT);
        assert_true(gr_context_empty(&untouched));
        gr_writer_deinit(&out);
        gr_arena_clear(&arena);
    }
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

// A token is worth something for its own key, cluster, secret and key number only.
static void test_elsewhere(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_key key = a_key();
    struct gr_dot dot = {{1, 1}, 1};
    struct gr_context context = {.vv = &dot, .vv_count = 1}, back;
    struct gr_writer out;
    gr_writer_init(&out, GR_TOKEN_BYTES_MAX);
    assert_int_equal(gr_token_encode(&secret, &key, &context, &out), GR_OK);
    struct gr_bytes text = gr_writer_bytes(&out);
    assert_int_equal(gr_token_decode(&secret, &key, text, &arena, &back), GR_OK);
    static const char *const names[][2] = {
        {"bucket", "kez"},
        {"bucket", "ke"},
        {"bucket", "key2"},
        {"bucke", "key"},
        {"bucke", "tkey"}, // the same bytes, cut elsewhere
        {"bucketk", "ey"},
    };
    for (size_t i = 0; i < GR_COUNT(names); i++) {
        struct gr_key other = gr_key_make(gr_bytes_text(names[i][0]), gr_bytes_text(names[i][1]));
        assert_int_equal(gr_token_decode(&secret, &other, text, &arena, &back), GR_ERR_BAD_CONTEXT);
    }
    struct gr_token_key other = secret;
    other.cluster[15] ^= 1;
    assert_int_equal(gr_token_decode(&other, &key, text, &arena, &back), GR_ERR_BAD_CONTEXT);
    other = secret;
    other.secret[31] ^= 1;
    assert_int_equal(gr_token_decode(&other, &key, text, &arena, &back), GR_ERR_BAD_CONTEXT);
    other = secret;
    other.number = 2;
    assert_int_equal(gr_token_decode(&other, &key, text, &arena, &back), GR_ERR_BAD_CONTEXT);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

static void test_sizes(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_key key = a_key();
    struct gr_writer out;
    gr_writer_init(&out, 2 * GR_TOKEN_BYTES_MAX);
    // One actor and dots of three or four bytes each: find where 64 KiB of text are full.
    enum { DOTS = 30000 };
    struct gr_dot *dot = gr_arena_array(&arena, struct gr_dot, DOTS);
    for (uint32_t i = 0; i < DOTS; i++)
        dot[i] = (struct gr_dot){{1, 1}, 128 + 2 * (uint64_t)i};
    uint32_t fits = 0, over = DOTS;
    while (over - fits > 1) {
        uint32_t middle = fits + (over - fits) / 2;
        struct gr_context context = {.cloud = dot, .cloud_count = middle}, back;
        gr_writer_clear(&out);
        enum gr_err err = gr_token_encode(&secret, &key, &context, &out);
        if (err == GR_OK) {
            assert_true(out.size <= GR_TOKEN_BYTES_MAX);
            assert_int_equal(
                gr_token_decode(&secret, &key, gr_writer_bytes(&out), &arena, &back), GR_OK);
            assert_true(gr_context_equal(&context, &back));
            fits = middle;
        } else {
            assert_int_equal(err, GR_ERR_LIMIT_CONTEXT);
            assert_int_equal(out.size, 0);
            assert_false(out.bad);
            over = middle;
        }
    }
    assert_in_range(fits, 14000, 14500);
    struct gr_context back;
    uint8_t *text = gr_arena_take(&arena, GR_TOKEN_BYTES_MAX + 4);
    memset(text, 'A', GR_TOKEN_BYTES_MAX + 4);
    assert_int_equal(
        gr_token_decode(&secret, &key, gr_bytes(text, GR_TOKEN_BYTES_MAX), &arena, &back),
        GR_ERR_BAD_CONTEXT);
    size_t before = arena.bytes;
    assert_int_equal(
        gr_token_decode(&secret, &key, gr_bytes(text, GR_TOKEN_BYTES_MAX + 4), &arena, &back),
        GR_ERR_BAD_CONTEXT);
    assert_int_equal(arena.bytes, before); // refused before memory is taken
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

// The text itself, made by another program's HMAC (Python's): a change here is a new token version.
static void test_known_text(void **state)
{
    (void)state;
    struct gr_key key = a_key();
    struct gr_dot vv = {{1, 2}, 3}, cloud = {{1, 2}, 5};
    struct gr_context context = {.vv = &vv, .vv_count = 1, .cloud = &cloud, .cloud_count = 1};
    struct gr_writer out;
    gr_writer_init(&out, GR_TOKEN_BYTES_MAX);
    assert_int_equal(gr_token_encode(&secret, &key, &context, &out), GR_OK);
    gr_write_u8(&out, 0);
    assert_string_equal((const char *)out.data, "AQEBAAEAAAAAAAAAAgAAAAAAAAADAQAFfbltwHKmeHnbn9Wo");
    gr_writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_flips_and_cuts),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_known_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
