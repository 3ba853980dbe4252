// What the tests of the Redis face share: words in, bytes out, against the host of
// test/redis_host.h.
#ifndef GR_TEST_REDIS_PARTS_H
#define GR_TEST_REDIS_PARTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test/redis_host.h"
#include "wire/redis_inside.h"

static struct host host;

static inline int open_host(void **state)
{
    (void)state;
    host_open(&host);
    return 0;
}

static inline int close_host(void **state)
{
    (void)state;
    host_close(&host);
    return gr_test_blocks() == 0 ? 0 : -1;
}

// Sends lines as they are ("GET a\r\n"): inline commands.
static inline void say(const char *text)
{
    gr_redis_input(host.session, gr_bytes_text(text));
}

// Takes what is to be sent, and compares it.
static inline void expect(const char *bytes)
{
    struct gr_writer *output = gr_redis_output(host.session);
    char *seen = strndup(output->size == 0 ? "" : (const char *)output->data, output->size);
    assert_non_null(seen);
    assert_string_equal(seen, bytes);
    assert_int_equal(strlen(seen), output->size);
    free(seen);
    gr_writer_clear(output);
    gr_redis_flushed(host.session);
}

// Says a line, answers everything as a healthy cluster would, and compares the reply.
static inline void ask(const char *text, const char *bytes)
{
    say(text);
    say("\r\n");
    host_answer_all(&host);
    expect(bytes);
}

// Answers a request with an error.
static inline void refuse(
    const struct gr_request *request, enum gr_err err, uint8_t acks, uint8_t needed)
{
    struct gr_result result = {.ticket = request->ticket,
        .op = request->op,
        .outcome = err == GR_ERR_WRITE_QUORUM ? GR_INDETERMINATE : GR_REJECTED,
        .err = err,
        .acks = acks,
        .primaries = acks,
        .needed = needed,
        .quorum = gr_quorum_by_site(request->w) ? request->w : request->r,
        .reached = acks > 0 ? (uint8_t)(acks - 1) : 0, // one was elsewhere
        .timeout = gr_span_ms(acks > 0 ? 500 : 0), // who is sure that nobody answers does not wait
        .now = host.wall};
    gr_redis_result(host.session, &result);
}

#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)

#endif
