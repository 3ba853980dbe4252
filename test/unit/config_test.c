// shell/config.h: what each source sets, which one wins, and what errors say.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shell/config.h"

static struct gr_config config;
static char why[GR_WHY_BYTES];
static char path[64];

// A file of its own for each test, in the current directory's stead.
static void write_file(const char *text)
{
    snprintf(path, sizeof(path), "/tmp/gramme-config-XXXXXX");
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

static enum gr_err read_text(const char *text)
{
    gr_config_init(&config);
    write_file(text);
    enum gr_err err = gr_config_read_file(&config, path, why, sizeof(why));
    unlink(path);
    return err;
}

static void expect_why(const char *part)
{
    if (strstr(why, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, part);
}

// As main gets them: the words are not changed, but they are not const either.
static char *const *words(const char *const *list)
{
    return (char *const *)list;
}

static void test_defaults(void **state)
{
    (void)state;
    gr_config_init(&config);
    assert_string_equal(gr_config_text(&config, GR_SETTING_RESP), "127.0.0.1:7379");
    assert_string_equal(gr_config_origin(&config, GR_SETTING_RESP), "default");
    assert_int_equal(gr_config_number(&config, GR_SETTING_CACHE), 64 << 20);
    assert_int_equal(gr_config_span(&config, GR_SETTING_WRITE_TIMEOUT).ns, 2000000000);
    assert_false(gr_config_flag(&config, GR_SETTING_INSECURE));
    for (int i = 0; i < GR_SETTING_COUNT; i++) {
        const struct gr_setting_info *info = gr_setting_info((enum gr_setting)i);
        assert_true(strlen(info->help) > 0);
        assert_true(info->least <= info->most);
    }
}

static void test_file(void **state)
{
    (void)state;
    enum gr_err err = read_text("# a comment\n"
                                "\n"
                                "  name = n1  \n"
                                "cache=32mb\n"
                                "read_timeout = 1 s\n"
                                "\tinsecure = yes\n"
                                "engine = memory\n"
                                "data = /a path/with = in it");
    assert_int_equal(err, GR_OK);
    assert_string_equal(gr_config_text(&config, GR_SETTING_NAME), "n1");
    assert_int_equal(gr_config_number(&config, GR_SETTING_CACHE), 32 << 20);
    assert_int_equal(gr_config_number(&config, GR_SETTING_READ_TIMEOUT), 1000);
    assert_true(gr_config_flag(&config, GR_SETTING_INSECURE));
    assert_string_equal(gr_config_text(&config, GR_SETTING_ENGINE), "memory");
    assert_string_equal(gr_config_text(&config, GR_SETTING_DATA), "/a path/with = in it");
    char origin[80];
    snprintf(origin, sizeof(origin), "%s:4", path);
    assert_string_equal(gr_config_origin(&config, GR_SETTING_CACHE), origin);
    assert_string_equal(config.file, path);
}

static void test_units(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        int64_t number;
    } good[] = {
        {"cache", "1048576b", 1 << 20},
        {"cache", "2048kb", 2 << 20},
        {"cache", "1tb", (int64_t)1 << 40},
        {"write_timeout", "1ms", 1},
        {"write_timeout", "1m", 60000},
        {"maxclients", "1", 1},
    };
    gr_config_init(&config);
    for (size_t i = 0; i < GR_COUNT(good); i++) {
        assert_int_equal(
            gr_config_set(&config, good[i].name, good[i].text, "test", why, sizeof(why)), GR_OK);
        bool found = false;
        for (int s = 0; s < GR_SETTING_COUNT; s++)
            if (strcmp(gr_setting_info((enum gr_setting)s)->name, good[i].name) == 0)
                found = gr_config_number(&config, (enum gr_setting)s) == good[i].number;
        assert_true(found);
    }
    static const char *const bad[][2] = {
        {"cache", "64"},   // no unit
        {"cache", "64MB"}, // units are small letters
        {"cache", "-1mb"}, //
        {"cache", "1kb"},  // below the least
        {"cache", "2tb"},  // above the most
        {"cache", "9999999999tb"},
        {"cache", "99999999999999999999mb"},
        {"cache", "mb"},
        {"cache", ""},
        {"write_timeout", "0ms"},
        {"write_timeout", "2h"},
        {"write_timeout", "2mb"},
        {"maxclients", "0"},
        {"maxclients", "10k"},
        {"insecure", "true"},
        {"insecure", ""},
        {"engine", "leveldb"},
        {"engine", "rocks"},
        {"engine", "rocksdb memory"},
        {"resp", "7379"},
        {"resp", "localhost"},
        {"resp", "localhost:0"},
        {"resp", "localhost:65536"},
        {"resp", ":7379"},
        {"resp", "::1:7379x"},
        {"resp", "[::1]"},
    };
    for (size_t i = 0; i < GR_COUNT(bad); i++) {
        struct gr_config before = config;
        if (gr_config_set(&config, bad[i][0], bad[i][1], "test", why, sizeof(why)) !=
            GR_ERR_INVALID)
            fail_msg("%s = %s was taken", bad[i][0], bad[i][1]);
        assert_memory_equal(&before, &config, sizeof(config));
        expect_why("test: ");
        expect_why("allowed is ");
    }
}

static void test_errors_name_the_line(void **state)
{
    (void)state;
    assert_int_equal(read_text("name = a\n\ncahce = 64mb\n"), GR_ERR_INVALID);
    expect_why(path);
    expect_why(":3: there is no setting \"cahce\"");
    expect_why("cache");

    assert_int_equal(read_text("cache = 64mb\nname = a\ncache = 32mb\n"), GR_ERR_INVALID);
    expect_why(":3: cache is already set in line 1");

    assert_int_equal(read_text("name n1\n"), GR_ERR_INVALID);
    expect_why(":1: \"name n1\" is no `key = value` line");

    assert_int_equal(read_text("read_timeout = soon\n"), GR_ERR_INVALID);
    expect_why("allowed is a time from 1ms to 1m");

    gr_config_init(&config);
    assert_int_equal(
        gr_config_read_file(&config, "/nowhere/gramme.conf", why, sizeof(why)), GR_ERR_NOT_FOUND);
    expect_why("/nowhere/gramme.conf");
}

static void test_environment(void **state)
{
    (void)state;
    const char *const good[] = {"PATH=/bin", "GRAMME_CACHE=2mb", "GRAMME_READ_TIMEOUT=7ms",
        "GRAMME_CONFIG=/not/read/here", NULL};
    gr_config_init(&config);
    assert_int_equal(gr_config_read_environment(&config, words(good), why, sizeof(why)), GR_OK);
    assert_int_equal(gr_config_number(&config, GR_SETTING_CACHE), 2 << 20);
    assert_int_equal(gr_config_number(&config, GR_SETTING_READ_TIMEOUT), 7);
    assert_string_equal(gr_config_origin(&config, GR_SETTING_CACHE), "GRAMME_CACHE");

    const char *const unknown[] = {"GRAMME_CAHCE=2mb", NULL};
    assert_int_equal(
        gr_config_read_environment(&config, words(unknown), why, sizeof(why)), GR_ERR_INVALID);
    expect_why("GRAMME_CAHCE: there is no setting");
    char long_name[300] = "GRAMME_";
    memset(long_name + strlen(long_name), 'A', 200);
    snprintf(long_name + 207, sizeof(long_name) - 207, "=1");
    const char *const longer[] = {long_name, NULL};
    assert_int_equal(
        gr_config_read_environment(&config, words(longer), why, sizeof(why)), GR_ERR_INVALID);
}

static void test_flags(void **state)
{
    (void)state;
    const char *const good[] = {
        "--cache", "2mb", "--read-timeout=7ms", "--insecure", "--name", "n2"};
    gr_config_init(&config);
    assert_int_equal(gr_config_read_flags(&config, 6, words(good), why, sizeof(why)), GR_OK);
    assert_int_equal(gr_config_number(&config, GR_SETTING_CACHE), 2 << 20);
    assert_int_equal(gr_config_number(&config, GR_SETTING_READ_TIMEOUT), 7);
    assert_true(gr_config_flag(&config, GR_SETTING_INSECURE));
    assert_string_equal(gr_config_text(&config, GR_SETTING_NAME), "n2");
    assert_string_equal(gr_config_origin(&config, GR_SETTING_READ_TIMEOUT), "--read_timeout");

    const char *const word[] = {"cache"};
    assert_int_equal(
        gr_config_read_flags(&config, 1, words(word), why, sizeof(why)), GR_ERR_INVALID);
    expect_why("\"cache\" is not understood");
    const char *const lonely[] = {"--cache"};
    assert_int_equal(
        gr_config_read_flags(&config, 1, words(lonely), why, sizeof(why)), GR_ERR_INVALID);
    expect_why("--cache needs a value");
    const char *const unknown[] = {"--frobnicate"};
    assert_int_equal(
        gr_config_read_flags(&config, 1, words(unknown), why, sizeof(why)), GR_ERR_INVALID);
    expect_why("there is no setting \"frobnicate\"");
}

static void test_rising_order(void **state)
{
    (void)state;
    write_file("name = file\ncache = 2mb\nread_timeout = 1ms\n");
    char variable[80];
    snprintf(variable, sizeof(variable), "GRAMME_CONFIG=%s", path);
    const char *const environment[] = {
        variable, "GRAMME_NAME=environment", "GRAMME_CACHE=3mb", NULL};
    const char *const flags[] = {"--name", "flag"};
    assert_int_equal(
        gr_config_load(&config, 2, words(flags), words(environment), why, sizeof(why)), GR_OK);
    assert_string_equal(gr_config_text(&config, GR_SETTING_NAME), "flag");
    assert_int_equal(gr_config_number(&config, GR_SETTING_CACHE), 3 << 20);
    assert_int_equal(gr_config_number(&config, GR_SETTING_READ_TIMEOUT), 1);
    assert_string_equal(gr_config_origin(&config, GR_SETTING_DATA), "default");

    // --config wins over GRAMME_CONFIG.
    const char *const named[] = {"--config", "/nowhere/other.conf"};
    assert_int_equal(gr_config_load(&config, 2, words(named), words(environment), why, sizeof(why)),
        GR_ERR_NOT_FOUND);
    expect_why("/nowhere/other.conf");
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_errors_name_the_line),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_rising_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
