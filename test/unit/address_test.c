// shell/address.h: what is an address, and which ones only this machine can reach.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "shell/address.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"127.0.0.1:7379", "127.0.0.1", 7379},
        {"localhost:1", "localhost", 1},
        {"[::1]:65535", "::1", 65535},
        {"a-b.example.org:80", "a-b.example.org", 80},
    };
    for (size_t i = 0; i < GR_COUNT(good); i++) {
        struct gr_address address;
        assert_true(gr_address_parse(good[i].text, &address));
        assert_string_equal(address.host, good[i].host);
        assert_int_equal(address.port, good[i].port);
    }
    static const char *const bad[] = {"", ":", "host", "host:", ":80", "host:0", "host:65536",
        "host:000000080", "host:80x", "host: 80", "ho st:80", "host:-1", "[::1]", "[::1]80",
        "[]:80", "[::1:80", "::1:80", "a/b:80", "host:80 "};
    for (size_t i = 0; i < GR_COUNT(bad); i++) {
        struct gr_address address = {.port = 7};
        if (gr_address_parse(bad[i], &address))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_int_equal(address.port, 7);
    }
    char longest[GR_ADDRESS_HOST_BYTES + 8];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + GR_ADDRESS_HOST_BYTES, ":80", 4);
    struct gr_address address;
    assert_false(gr_address_parse(longest, &address));
    assert_true(gr_address_parse(longest + 1, &address));
}

static void test_resolve_and_loopback(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
        bool loopback;
    } addresses[] = {
        {"127.0.0.1:80", "127.0.0.1:80", true},
        {"127.9.9.9:80", "127.9.9.9:80", true},
        {"[::1]:80", "[::1]:80", true},
        {"[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", true},
        {"0.0.0.0:80", "0.0.0.0:80", false},
        {"10.0.0.1:80", "10.0.0.1:80", false},
        {"[::]:80", "[::]:80", false},
        {"[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.1]:80", false},
        {"[fe80::1]:80", "[fe80::1]:80", false},
    };
    for (size_t i = 0; i < GR_COUNT(addresses); i++) {
        struct gr_address address;
        struct sockaddr_storage found;
        char text[GR_ADDRESS_TEXT_BYTES];
        assert_true(gr_address_parse(addresses[i].text, &address));
        assert_null(gr_address_resolve(&address, &found));
        assert_int_equal(
            gr_address_is_loopback((const struct sockaddr *)&found), addresses[i].loopback);
        gr_address_format((const struct sockaddr *)&found, text);
        assert_string_equal(text, addresses[i].shown);
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    char text[GR_ADDRESS_TEXT_BYTES];
    assert_false(gr_address_is_loopback(&other));
    gr_address_format(&other, text);
    assert_string_equal(text, "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_resolve_and_loopback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
