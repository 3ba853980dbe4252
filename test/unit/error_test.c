// error.h: every error is described, in every form, and each form says the same.
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

// A word of capitals, as programs match it.
static bool is_word(const char *text)
{
    for (const char *at = text; *at != 0; at++)
        if (!isupper((unsigned char)*at) && *at != '_')
            return false;
    return text[0] != 0;
}

static void test_all_described(void **state)
{
    (void)state;
    for (int i = 0; i < GR_ERR_COUNT; i++) {
        const struct gr_err_info *info = gr_err_info((enum gr_err)i);
        assert_true(is_word(info->name));
        assert_true(is_word(info->resp));
        assert_true(info->text[0] != 0);
        assert_null(strpbrk(info->text, "\r\n")); // it stands in a RESP error line
        assert_true(strcmp(info->name, "UNKNOWN") != 0);
        for (int k = 0; k < i; k++)
            assert_true(strcmp(info->name, gr_err_info((enum gr_err)k)->name) != 0);
    }
}

// Whose fault it is decides which family of HTTP statuses says so.
static void test_class_and_status(void **state)
{
    (void)state;
    for (int i = 1; i < GR_ERR_COUNT; i++) {
        const struct gr_err_info *info = gr_err_info((enum gr_err)i);
        bool caller = info->class == GR_CLASS_CALLER || info->class == GR_CLASS_NONE;
        assert_int_equal(info->http / 100, caller ? 4 : 5);
        if (info->class == GR_CLASS_RETRY)
            assert_int_equal(info->http, 503);
    }
    assert_int_equal(gr_err_info(GR_OK)->http, 200);
    assert_int_equal(gr_err_info(GR_OK)->class, GR_CLASS_NONE);
}

static void test_unknown(void **state)
{
    (void)state;
    assert_string_equal(gr_err_info(GR_ERR_COUNT)->name, "UNKNOWN");
    assert_string_equal(gr_err_info((enum gr_err) - 1)->name, "UNKNOWN");
    assert_string_equal(gr_err_info((enum gr_err)1000)->name, "UNKNOWN");
}

// Values travel between nodes: these never change.
static void test_numbers_stay(void **state)
{
    (void)state;
    assert_int_equal(GR_OK, 0);
    assert_int_equal(GR_ERR_NOT_FOUND, 1);
    assert_int_equal(GR_ERR_BUSY, 9);
    assert_int_equal(GR_ERR_WRITE_QUORUM, 12);
    assert_int_equal(GR_ERR_TIMEOUT, 16);
    assert_int_equal(GR_ERR_CORRUPT, 21);
    assert_int_equal(GR_ERR_REFUSED, 26);
    assert_int_equal(GR_ERR_HINTS_FULL, 27);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_described),
        cmocka_unit_test(test_class_and_status),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_numbers_stay),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
