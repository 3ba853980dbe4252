// wire/agreed.h: values of settings as bytes and as words, of every key.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "test/hooks.h"
#include "wire/agreed.h"

static void check_bytes(enum gr_agreed_key key, struct gr_bytes bytes, enum gr_err wanted)
{
    struct gr_agreed agreed, blank;
    memset(&agreed, 0x5a, sizeof agreed);
    memcpy(&blank, &agreed, sizeof blank);
    assert_int_equal(gr_agreed_decode(key, bytes, &agreed), wanted);
    if (wanted != GR_OK) {
        assert_memory_equal(&agreed, &blank, sizeof blank);
        return;
    }
    struct gr_writer out;
    gr_writer_init(&out, 1000);
    gr_agreed_encode(&out, key, &agreed);
    assert_true(gr_bytes_equal(gr_writer_bytes(&out), bytes));
    gr_writer_deinit(&out);
}

static void test_bytes(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int i = 0; i < 20000; i++) {
        enum gr_agreed_key key = 1 + (int)gr_random_below(&random, GR_AGREED_KEYS - 1);
        struct gr_agreed agreed = {.value = (uint32_t)gr_random_next(&random) >> i % 32,
            .at.ms = (int64_t)gr_random_next(&random),
            .version = 7};
        memset(agreed.by, 'n', gr_random_below(&random, GR_NAME_BYTES_MAX + 1));
        if (!gr_agreed_fits(key, agreed.value))
            continue;
        struct gr_writer out;
        gr_writer_init(&out, 1000);
        gr_agreed_encode(&out, key, &agreed);
        struct gr_agreed again;
        assert_int_equal(gr_agreed_decode(key, gr_writer_bytes(&out), &again), GR_OK);
        assert_true(again.value == agreed.value && again.at.ms == agreed.at.ms);
        assert_true(again.version == 0);
        assert_string_equal(again.by, agreed.by);
        for (size_t cut = 0; cut < out.size; cut++)
            check_bytes(key, gr_bytes(out.data, cut), GR_ERR_MALFORMED);
        out.data[gr_random_below(&random, out.size)] ^= (uint8_t)(1 << i % 8);
        check_bytes(key, gr_writer_bytes(&out),
            gr_agreed_decode(key, gr_writer_bytes(&out), &again)); // whatever it is, AG1
        gr_writer_deinit(&out);
    }
}

// A fact that was stored before there were other settings than R and W.
static void test_old_bytes(void **state)
{
    (void)state;
    static const uint8_t two[] = {1, 2, 0, 0, 0, 0, 0, 0, 0, 9, 2, 'n', '1'};
    struct gr_agreed agreed;
    assert_int_equal(gr_agreed_decode(GR_AGREED_R, gr_bytes(two, sizeof two), &agreed), GR_OK);
    assert_int_equal(agreed.value, 2);
    assert_string_equal(agreed.by, "n1");
    check_bytes(GR_AGREED_SYNC_INTERVAL, gr_bytes(two, sizeof two), GR_ERR_MALFORMED);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        enum gr_agreed_key key;
        uint8_t bytes[14];
        size_t size;
        enum gr_err err;
    } table[] = {
        {GR_AGREED_W, {1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11, GR_OK},
        {GR_AGREED_W, {2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11, GR_ERR_MALFORMED}, // a format
        {GR_AGREED_W, {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11, GR_ERR_MALFORMED}, // W = 0
        {GR_AGREED_W, {1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11, GR_ERR_MALFORMED}, // W = 8
        {GR_AGREED_W, {1, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11, GR_OK},          // each
        {GR_AGREED_W, {1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 1, ' '}, 12, GR_ERR_MALFORMED},
        {GR_AGREED_W, {1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 12, GR_ERR_MALFORMED}, // too long
        {GR_AGREED_DURABILITY, {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11, GR_OK},
        {GR_AGREED_DURABILITY, {1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 11, GR_ERR_MALFORMED},
        {GR_AGREED_SYNC_INTERVAL, {1, 232, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 14, GR_OK},
        {GR_AGREED_SYNC_INTERVAL, {1, 233, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 14,
            GR_ERR_MALFORMED}, // 1001 ms
    };
    for (size_t i = 0; i < GR_COUNT(table); i++)
        check_bytes(table[i].key, gr_bytes(table[i].bytes, table[i].size), table[i].err);
}

// AG2.
static void test_words(void **state)
{
    (void)state;
    static const struct {
        enum gr_agreed_key key;
        const char *text;
        int64_t value;     // -1: that cannot be
        const char *shown; // NULL: as it was written
    } table[] = {
        {GR_AGREED_R, "1", 1, NULL},
        {GR_AGREED_R, "7", 7, NULL},
        {GR_AGREED_R, "8", -1, NULL},
        {GR_AGREED_R, "0", -1, NULL},
        {GR_AGREED_R, "254", -1, NULL}, // which is how LOCAL is written down, not said
        {GR_AGREED_R, "02", -1, NULL},
        {GR_AGREED_R, "2x", -1, NULL},
        {GR_AGREED_R, "", -1, NULL},
        {GR_AGREED_W, "LOCAL", GR_QUORUM_LOCAL, "local"},
        {GR_AGREED_W, "each", GR_QUORUM_EACH, NULL},
        {GR_AGREED_W, "eac", -1, NULL},
        {GR_AGREED_DURABILITY, "commit", GR_DURABILITY_COMMIT, NULL},
        {GR_AGREED_DURABILITY, "Interval", GR_DURABILITY_INTERVAL, "interval"},
        {GR_AGREED_DURABILITY, "buffered", GR_DURABILITY_BUFFERED, NULL},
        {GR_AGREED_DURABILITY, "always", -1, NULL},
        {GR_AGREED_DURABILITY, "1", -1, NULL},
        {GR_AGREED_SYNC_INTERVAL, "1ms", 1, NULL},
        {GR_AGREED_SYNC_INTERVAL, "250MS", 250, "250ms"},
        {GR_AGREED_SYNC_INTERVAL, "1000ms", 1000, "1s"},
        {GR_AGREED_SYNC_INTERVAL, "1s", 1000, NULL},
        {GR_AGREED_SYNC_INTERVAL, "2s", -1, NULL},
        {GR_AGREED_SYNC_INTERVAL, "0ms", -1, NULL},
        {GR_AGREED_SYNC_INTERVAL, "100", -1, NULL},
        {GR_AGREED_SYNC_INTERVAL, "4294967297ms", -1, NULL},
        {GR_AGREED_SYNC_INTERVAL, "99999999999999999999ms", -1, NULL},
        {GR_AGREED_VALUE_MAX, "8mb", 8 << 20, NULL},
        {GR_AGREED_VALUE_MAX, "8192KB", 8 << 20, "8mb"},
        {GR_AGREED_VALUE_MAX, "1025b", 1025, NULL},
        {GR_AGREED_VALUE_MAX, "1b", 1, NULL},
        {GR_AGREED_VALUE_MAX, "0b", -1, NULL},
        {GR_AGREED_VALUE_MAX, "9mb", -1, NULL},
        {GR_AGREED_VALUE_MAX, "8388609b", -1, NULL},
        {GR_AGREED_VALUE_MAX, "4096mb", -1, NULL}, // 2^32
        {GR_AGREED_VALUE_MAX, "8", -1, NULL},
        {GR_AGREED_SIBLINGS_MAX, "1", 1, NULL},
        {GR_AGREED_SIBLINGS_MAX, "100", 100, NULL},
        {GR_AGREED_SIBLINGS_MAX, "101", -1, NULL},
        {GR_AGREED_SIBLINGS_MAX, "0", -1, NULL},
    };
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        uint32_t value = 123456;
        bool read = gr_agreed_read(table[i].key, gr_bytes_text(table[i].text), &value);
        assert_int_equal(read, table[i].value >= 0);
        assert_int_equal(value, read ? table[i].value : 123456);
        if (!read)
            continue;
        char shown[GR_AGREED_TEXT];
        gr_agreed_print(table[i].key, value, shown);
        assert_string_equal(shown, table[i].shown != NULL ? table[i].shown : table[i].text);
        assert_true(gr_agreed_read(table[i].key, gr_bytes_text(shown), &value));
        assert_int_equal(value, table[i].value);
    }
    for (int key = 1; key < GR_AGREED_KEYS; key++) {
        assert_true(strlen(gr_agreed_name((enum gr_agreed_key)key)) > 0);
        assert_non_null(strstr(GR_AGREED_NAMES, gr_agreed_name((enum gr_agreed_key)key)));
        assert_true(strlen(gr_agreed_possible((enum gr_agreed_key)key)) > 0);
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
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_old_bytes),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_words),
    };
    return cmocka_run_group_tests_name("agreed", tests, NULL, nothing_is_left);
}
