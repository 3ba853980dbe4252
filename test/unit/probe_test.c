// probe.h: every probe has a phrase of its own, and counts.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/probe.h"
#include "test/hooks.h"

static void test_phrases(void **state)
{
    (void)state;
    for (int p = 0; p < GR_PROBE_COUNT; p++) {
        const char *text = gr_probe_text((enum gr_probe)p);
        assert_non_null(text);
        assert_true(strlen(text) > 10);
        for (int q = 0; q < p; q++)
            assert_string_not_equal(text, gr_probe_text((enum gr_probe)q));
    }
}

static void test_counts(void **state)
{
    (void)state;
    struct gr_probes probes = {0};
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        for (int i = 0; i <= p; i++)
            gr_probe(&probes, (enum gr_probe)p);
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        assert_int_equal(probes.reached[p], p + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phrases),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
