// shell/file.h: whole files, written so that a reader sees the old one or the new one; and the
// texts that settings are made of.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shell/file.h"
#include "test/hooks.h"

static char dir[64], path[96], why[512];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/gramme-file-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/file", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir); // Also: nothing else was left there.
}

static void expect_text(const char *text)
{
    char *read = NULL;
    size_t blocks = gr_test_blocks();
    assert_int_equal(gr_file_read(path, 100, &read, why, sizeof(why)), GR_OK);
    assert_string_equal(read, text);
    gr_hook_memory(read, 0);
    assert_int_equal(gr_test_blocks(), blocks);
}

static void test_written_and_read(void **state)
{
    (void)state;
    struct stat about;
    char beside[128];
    assert_int_equal(gr_file_write(path, "first", 0600, why, sizeof(why)), GR_OK);
    expect_text("first");
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    // What a crash left beside does not matter.
    snprintf(beside, sizeof(beside), "%s.new", path);
    FILE *left = fopen(beside, "w");
    assert_non_null(left);
    assert_int_equal(fclose(left), 0);
    assert_int_equal(gr_file_write(path, "", 0644, why, sizeof(why)), GR_OK);
    expect_text("");
    assert_int_equal(access(beside, F_OK), -1);
}

static void expect_bytes(struct gr_bytes bytes, size_t bytes_max, enum gr_err expected)
{
    uint8_t *read = NULL;
    size_t size = 7, blocks = gr_test_blocks();
    assert_int_equal(gr_file_read_bytes(path, bytes_max, &read, &size, why, sizeof(why)), expected);
    if (expected == GR_OK) {
        assert_true(gr_bytes_equal(gr_bytes(read, size), bytes));
        assert_int_equal(read[size], 0);
        gr_hook_memory(read, 0);
    } else {
        assert_true(read == NULL && size == 7);
    }
    assert_int_equal(gr_test_blocks(), blocks);
}

// Of sizes about those that are read at once, with zeros in them.
static void test_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 131071, 131072, 200000};
    static uint8_t data[200000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i % 251);
    for (size_t i = 0; i < GR_COUNT(sizes); i++) {
        struct gr_bytes bytes = gr_bytes(data, sizes[i]);
        assert_int_equal(gr_file_write_bytes(path, bytes, 0600, why, sizeof(why)), GR_OK);
        expect_bytes(bytes, 1 << 20, GR_OK);
        expect_bytes(bytes, sizes[i], GR_OK);
        if (sizes[i] > 0)
            expect_bytes(bytes, sizes[i] - 1, GR_ERR_INVALID);
    }
}

static void test_refused(void **state)
{
    (void)state;
    char *text = NULL;
    size_t blocks = gr_test_blocks();
    assert_int_equal(gr_file_read(path, 100, &text, why, sizeof(why)), GR_ERR_NOT_FOUND);
    assert_non_null(strstr(why, path));
    assert_int_equal(gr_file_write(path, "12345", 0600, why, sizeof(why)), GR_OK);
    assert_int_equal(gr_file_read(path, 4, &text, why, sizeof(why)), GR_ERR_INVALID);
    assert_int_equal(gr_file_read(path, 5, &text, why, sizeof(why)), GR_OK);
    gr_hook_memory(text, 0);
    FILE *zero = fopen(path, "w");
    assert_non_null(zero);
    assert_int_equal(fwrite("a\0b", 1, 3, zero), 3);
    assert_int_equal(fclose(zero), 0);
    assert_int_equal(gr_file_read(path, 100, &text, why, sizeof(why)), GR_ERR_INVALID);
    assert_int_equal(gr_file_read(dir, 100, &text, why, sizeof(why)), GR_ERR_IO);
    assert_int_equal(gr_file_write("/nowhere/file", "", 0600, why, sizeof(why)), GR_ERR_NOT_FOUND);
    assert_int_equal(gr_test_blocks(), blocks);
}

static void test_directories(void **state)
{
    (void)state;
    char inner[128];
    snprintf(inner, sizeof(inner), "%s/inner", dir);
    assert_int_equal(gr_file_make_dir(inner, 0700, why, sizeof(why)), GR_OK);
    assert_int_equal(gr_file_make_dir(inner, 0700, why, sizeof(why)), GR_OK);
    assert_int_equal(rmdir(inner), 0);
    assert_int_equal(gr_file_make_dir("/nowhere/inner", 0700, why, sizeof(why)), GR_ERR_NOT_FOUND);
    assert_int_equal(gr_file_write(path, "", 0600, why, sizeof(why)), GR_OK);
    assert_int_equal(gr_file_make_dir(path, 0700, why, sizeof(why)), GR_ERR_IO);
    assert_non_null(strstr(why, "Not a directory"));
}

static void test_texts(void **state)
{
    (void)state;
    char text[] = " \t a b\r\n";
    assert_string_equal(gr_text_trim(text), "a b");
    char empty[] = "  ";
    assert_string_equal(gr_text_trim(empty), "");

    uint8_t bytes[3];
    char hex[7];
    assert_true(gr_text_parse_hex("00aBfF", bytes, 3));
    gr_text_format_hex(bytes, 3, hex);
    assert_string_equal(hex, "00abff");
    assert_false(gr_text_parse_hex("00abf", bytes, 3));
    assert_false(gr_text_parse_hex("00abff0", bytes, 3));
    assert_false(gr_text_parse_hex("00abfg", bytes, 3));

    uint64_t number = 7;
    assert_true(gr_text_parse_number("18446744073709551615", 0, UINT64_MAX, &number));
    assert_true(number == UINT64_MAX);
    static const char *const bad[] = {
        "", "-1", "+1", "1 ", "0x1", "18446744073709551616", "4", "11"};
    for (size_t i = 0; i < GR_COUNT(bad); i++)
        assert_false(gr_text_parse_number(bad[i], 5, 10, &number));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_and_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directories, set_up, tear_down),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
