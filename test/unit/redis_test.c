// The Redis face against a host that is no cluster: words in, requests seen, results given, bytes
// out. Replies were compared with redis-server 7.0 where both have the command.
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

static int open_host(void **state)
{
    (void)state;
    host_open(&host);
    return 0;
}

static int close_host(void **state)
{
    (void)state;
    host_close(&host);
    return gr_test_blocks() == 0 ? 0 : -1;
}

// Sends lines as they are ("GET a\r\n"): inline commands.
static void say(const char *text)
{
    gr_redis_input(host.session, gr_bytes_text(text));
}

// Takes what is to be sent, and compares it.
static void expect(const char *bytes)
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
static void ask(const char *text, const char *bytes)
{
    say(text);
    say("\r\n");
    host_answer_all(&host);
    expect(bytes);
}

// Answers a request with an error.
static void refuse(const struct gr_request *request, enum gr_err err, uint8_t acks, uint8_t needed)
{
    struct gr_result result = {.ticket = request->ticket,
        .op = request->op,
        .outcome = err == GR_ERR_WRITE_QUORUM ? GR_INDETERMINATE : GR_REJECTED,
        .err = err,
        .acks = acks,
        .needed = needed,
        .timeout = gr_span_ms(500),
        .now = host.wall};
    gr_redis_result(host.session, &result);
}

// ---- one key -------------------------------------------------------------------------------

static void strings(void **state)
{
    (void)state;
    ask("GET a", "$-1\r\n");
    ask("SET a b", "+OK\r\n");
    ask("GET a", "$1\r\nb\r\n");
    ask("get a", "$1\r\nb\r\n");
    ask("APPEND a cd", ":3\r\n");
    ask("STRLEN a", ":3\r\n");
    ask("STRLEN none", ":0\r\n");
    ask("TYPE a", "+string\r\n");
    ask("TYPE none", "+none\r\n");
    ask("SET a x GET", "$3\r\nbcd\r\n");
    ask("SET none x XX", "$-1\r\n");
    ask("SET none x XX GET", "$-1\r\n");
    ask("SET a y XX", "+OK\r\n");
    ask("GETDEL a", "$1\r\ny\r\n");
    ask("GETDEL a", "$-1\r\n");
    ask("SET e \"\"", "+OK\r\n");
    ask("GET e", "$0\r\n\r\n");
    ask("SET", "-ERR wrong number of arguments for 'set' command\r\n");
    ask("GET a b", "-ERR wrong number of arguments for 'get' command\r\n");
    ask("SET a b FOO", "-ERR syntax error\r\n");
    ask("SET a b NX XX", "-ERR syntax error\r\n");
    ask("GET \"\"", "-ERR a key has 1 to 4096 bytes\r\n");
}

static void requests(void **state)
{
    (void)state;
    say("SET a b PX 100 XX GET\r\n");
    const struct gr_request *request = host_take(&host);
    assert_int_equal(request->op, GR_OP_UPDATE);
    assert_int_equal(request->verb, GR_VERB_SET);
    assert_true(gr_bytes_equal(request->key.bucket, gr_bytes_text("default")));
    assert_true(gr_bytes_equal(request->key.key, gr_bytes_text("a")));
    assert_true(gr_bytes_equal(request->value, gr_bytes_text("b")));
    assert_true(request->xx && request->want_old && !request->keep_ttl);
    assert_int_equal(request->expires.ms, host.wall.ms + 100);
    assert_true(request->ticket <= UINT32_MAX);
    host_answer(&host, request);
    expect("$-1\r\n");
    say("SET a b KEEPTTL\r\n");
    assert_true(host_take(&host)->keep_ttl);
    say("GETEX k PERSIST\r\n");
    request = host_take(&host);
    assert_true(request->persist && request->verb == GR_VERB_GETEX && request->expires.ms == 0);
    say("GETEX l\r\n");
    assert_int_equal(host_take(&host)->op, GR_OP_GET);
}

static void times(void **state)
{
    (void)state;
    ask("SET a b EX 10", "+OK\r\n");
    ask("TTL a", ":10\r\n");
    ask("PTTL a", ":10000\r\n");
    ask("EXPIRETIME a", ":1700000010\r\n");
    ask("PEXPIRETIME a", ":1700000010000\r\n");
    ask("SETEX a 100 b", "+OK\r\n");
    ask("PSETEX a 1499 b", "+OK\r\n");
    ask("TTL a", ":1\r\n");
    ask("PSETEX a 1500 b", "+OK\r\n");
    ask("TTL a", ":2\r\n");
    ask("SET a c KEEPTTL", "+OK\r\n");
    ask("PTTL a", ":1500\r\n");
    ask("PERSIST a", ":1\r\n");
    ask("PERSIST a", ":0\r\n");
    ask("TTL a", ":-1\r\n");
    ask("TTL none", ":-2\r\n");
    ask("EXPIRE a 10", ":1\r\n");
    ask("EXPIRE a 20 NX", ":0\r\n");
    ask("EXPIRE a 5 GT", ":0\r\n");
    ask("EXPIRE a 5 lt", ":1\r\n");
    ask("PEXPIRE a 7000 XX GT", ":1\r\n");
    ask("PTTL a", ":7000\r\n");
    ask("EXPIREAT a 1700000009", ":1\r\n");
    ask("PEXPIREAT a 1700000008500", ":1\r\n");
    ask("PTTL a", ":8500\r\n");
    ask("GETEX a EX 100", "$1\r\nc\r\n");
    ask("TTL a", ":100\r\n");
    ask("GETEX a PERSIST", "$1\r\nc\r\n");
    ask("TTL a", ":-1\r\n");
    ask("GETEX a EXAT 1", "$1\r\nc\r\n");
    ask("EXISTS a", ":0\r\n");
    ask("SET a b", "+OK\r\n");
    ask("EXPIRE a -1 XX", ":0\r\n");
    ask("EXPIRE a -1", ":1\r\n");
    ask("EXPIRE a -1", ":0\r\n");
    host.wall.ms += 5;
    ask("SET a b PX 5", "+OK\r\n");
    host.wall.ms += 5;
    ask("GET a", "$-1\r\n");
}

static void time_errors(void **state)
{
    (void)state;
    ask("SET a b EX", "-ERR syntax error\r\n");
    ask("SET a b EX 0", "-ERR invalid expire time in 'set' command\r\n");
    ask("SET a b EX x", "-ERR value is not an integer or out of range\r\n");
    ask("SET a b EX 9223372036854775807", "-ERR invalid expire time in 'set' command\r\n");
    ask("SET a b EX 10 PX 10", "-ERR syntax error\r\n");
    ask("SET a b KEEPTTL EX 10", "-ERR syntax error\r\n");
    ask("SET a b PERSIST", "-ERR syntax error\r\n");
    ask("SETEX a 0 b", "-ERR invalid expire time in 'setex' command\r\n");
    ask("PSETEX a -1 b", "-ERR invalid expire time in 'psetex' command\r\n");
    ask("GETEX a EX 0", "-ERR invalid expire time in 'getex' command\r\n");
    ask("GETEX a EX 10 PERSIST", "-ERR syntax error\r\n");
    ask("GETEX a FOO", "-ERR syntax error\r\n");
    ask("EXPIRE a x", "-ERR value is not an integer or out of range\r\n");
    ask("EXPIRE a 9223372036854775807", "-ERR invalid expire time in 'expire' command\r\n");
    ask("EXPIRE a 1 FOO", "-ERR Unsupported option FOO\r\n");
    ask("EXPIRE a 1 NX XX",
        "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
    ask("EXPIRE a 1 GT LT", "-ERR GT and LT options at the same time are not compatible\r\n");
}

// ---- many keys -----------------------------------------------------------------------------

static void many(void **state)
{
    (void)state;
    ask("MSET a 1 b 2 a 3", "+OK\r\n");
    ask("MGET a none b a", "*4\r\n$1\r\n3\r\n$-1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    ask("EXISTS a a none", ":2\r\n");
    ask("TOUCH a b", ":2\r\n");
    say("DEL a a none\r\n");
    assert_int_equal(host_waiting(&host), 2);
    host_answer_all(&host);
    expect(":1\r\n");
    ask("UNLINK b", ":1\r\n");
    ask("MSET a", "-ERR wrong number of arguments for 'mset' command\r\n");
    ask("MSET a b c", "-ERR wrong number of arguments for 'mset' command\r\n");
    ask("MGET", "-ERR wrong number of arguments for 'mget' command\r\n");
}

// More keys than calls at once: the words are kept when the input is gone.
static void very_many(void **state)
{
    (void)state;
    struct gr_writer text;
    gr_writer_init(&text, 1 << 20);
    gr_redis_print(&text, "MSET");
    for (int i = 0; i < 900; i++)
        gr_redis_print(&text, " key%d value%d", i, i);
    gr_redis_print(&text, "\r\n");
    gr_redis_input(host.session, gr_writer_bytes(&text));
    memset(text.data, 'x', text.size);
    assert_int_equal(host_waiting(&host), GR_REDIS_CALLS_MAX);
    host_answer_all(&host);
    expect("+OK\r\n");
    ask("DBSIZE", ":900\r\n");
    ask("MGET key899 key0", "*2\r\n$8\r\nvalue899\r\n$6\r\nvalue0\r\n");
    ask("FLUSHALL", "+OK\r\n");
    ask("DBSIZE", ":0\r\n");
    for (int words = 1002; words < 3000; words += 1500) {
        gr_writer_clear(&text);
        gr_redis_print(&text, "DEL");
        for (int i = 1; i < words; i++)
            gr_redis_print(&text, " k");
        gr_redis_print(&text, "\r\n");
        gr_redis_input(host.session, gr_writer_bytes(&text));
        expect(words == 1002 ? "-ERR a command names at most 1000 keys\r\n"
                             : "-ERR a command has at most 2048 words and names at most 1000 "
                               "keys\r\n");
    }
    gr_writer_deinit(&text);
}

static void scan(void **state)
{
    (void)state;
    ask("SCAN 0", "*2\r\n$1\r\n0\r\n*0\r\n");
    ask("MSET a1 x a2 x b1 x", "+OK\r\n");
    ask("SCAN 0", "*2\r\n$1\r\n0\r\n*3\r\n$2\r\na1\r\n$2\r\na2\r\n$2\r\nb1\r\n");
    ask("SCAN 0 COUNT 2", "*2\r\n$1\r\n2\r\n*2\r\n$2\r\na1\r\n$2\r\na2\r\n");
    ask("SCAN 2 COUNT 2", "*2\r\n$1\r\n0\r\n*1\r\n$2\r\nb1\r\n");
    ask("SCAN 0 MATCH a? COUNT 100", "*2\r\n$1\r\n0\r\n*2\r\n$2\r\na1\r\n$2\r\na2\r\n");
    ask("SCAN 0 TYPE list", "*2\r\n$1\r\n0\r\n*0\r\n");
    ask("SCAN 0 TYPE String MATCH *1", "*2\r\n$1\r\n0\r\n*2\r\n$2\r\na1\r\n$2\r\nb1\r\n");
    ask("SCAN x", "-ERR invalid cursor\r\n");
    ask("SCAN -1", "-ERR invalid cursor\r\n");
    ask("SCAN 0 COUNT 0", "-ERR syntax error\r\n");
    ask("SCAN 0 COUNT x", "-ERR value is not an integer or out of range\r\n");
    ask("SCAN 0 MATCH", "-ERR syntax error\r\n");
    ask("SCAN 0 FOO 1", "-ERR syntax error\r\n");
    say("SCAN 9007199254740991 COUNT 5000\r\n");
    const struct gr_request *request = host_take(&host);
    assert_true(request->cursor == GR_CURSOR_END);
    assert_int_equal(request->limit, 1000);
    host_answer_all(&host);
}

static void globs(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        {"*", "", true},
        {"", "", true},
        {"", "a", false},
        {"?", "", false},
        {"a*", "a", true},
        {"*a", "bca", true},
        {"*ab*ab", "abxabab", true},
        {"*a*b*c", "xaxbxd", false},
        {"a?c", "abc", true},
        {"[a-c]x", "bx", true},
        {"[c-a]x", "bx", true},
        {"[^a]", "a", false},
        {"[^a]", "b", true},
        {"\\*", "*", true},
        {"\\*", "a", false},
        {"[\\]]", "]", true},
        {"a\\", "a\\", true},
        {"[a", "a", true},
        {"[", "a", false},
        {"abc", "ABC", false},
        {"***a", "a", true},
        {"a**", "b", false},
    };
    for (size_t i = 0; i < GR_COUNT(cases); i++)
        assert_int_equal(
            gr_redis_glob(gr_bytes_text(cases[i].pattern), gr_bytes_text(cases[i].text), false),
            cases[i].matches);
    assert_true(gr_redis_glob(gr_bytes_text("aB[c-d]"), gr_bytes_text("AbD"), true));
}

static void flush(void **state)
{
    (void)state;
    for (int i = 0; i < 1200; i++) {
        char line[64];
        snprintf(line, sizeof line, "SET key%d v\r\n", i);
        say(line);
        host_answer_all(&host);
    }
    gr_writer_clear(gr_redis_output(host.session));
    say("FLUSHDB ASYNC\r\nPING\r\n");
    uint32_t asked = 0;
    const struct gr_request *request;
    while ((request = host_take(&host)) != NULL) {
        asked++;
        assert_true(host_waiting(&host) < GR_REDIS_CALLS_MAX);
        host_answer(&host, request);
        if (host_waiting(&host) == 0)
            host_forget(&host);
    }
    assert_int_equal(asked, 1200 + 3);
    expect("+OK\r\n+PONG\r\n");
    ask("FLUSHALL FOO", "-ERR syntax error\r\n");
    ask("MSET a 1 b 2", "+OK\r\n");
    say("FLUSHALL\r\n");
    host_answer(&host, host_take(&host));
    assert_int_equal(host_waiting(&host), 2);
    host_answer(&host, host_take(&host));
    refuse(host_take(&host), GR_ERR_WRITE_QUORUM, 1, 2);
    expect("-NOREPLICAS write reached 1 of W=2 replicas; it may still take effect; "
           "1 keys were done\r\n");
}

// ---- errors --------------------------------------------------------------------------------

static void result_errors(void **state)
{
    (void)state;
    say("GET a\r\n");
    refuse(host_take(&host), GR_ERR_READ_QUORUM, 1, 2);
    expect("-TRYAGAIN 1 of R=2 replicas answered within 500 ms\r\n");
    say("SET a b\r\n");
    refuse(host_take(&host), GR_ERR_WRITE_QUORUM, 1, 2);
    expect("-NOREPLICAS write reached 1 of W=2 replicas; it may still take effect\r\n");
    say("SET a b\r\n");
    refuse(host_take(&host), GR_ERR_BUSY, 0, 0);
    expect("-BUSY the node is overloaded and did nothing; try again\r\n");
    // The first error wins; what was asked already is waited for, and nothing more is asked.
    say("MGET a b c d\r\nPING\r\n");
    const struct gr_request *a = host_take(&host), *b = host_take(&host), *c = host_take(&host),
                            *d = host_take(&host);
    host_answer(&host, b);
    refuse(a, GR_ERR_READ_QUORUM, 0, 2);
    refuse(d, GR_ERR_BUSY, 0, 2);
    expect("");
    host_answer(&host, c);
    expect(
        "-TRYAGAIN 0 of R=2 replicas answered within 500 ms; 2 of 4 keys were done\r\n+PONG\r\n");
}

static void refusals(void **state)
{
    (void)state;
    ask("SET a b NX",
        "-ERR SET NX is not offered: two sides of a split network could both succeed; "
        "use GR.PUT with a context\r\n");
    ask("setnx a b", "-ERR SETNX is not offered: two sides of a split network could both succeed; "
                     "use GR.PUT with a context\r\n");
    static const char *names[] = {"INCR", "MULTI", "WATCH", "EVAL", "SUBSCRIBE", "LPUSH", "SADD",
        "HSET", "ZADD", "XADD", "KEYS", "RENAME", "OBJECT", "GETSET", "GETRANGE", "CLUSTER",
        "SAVE"};
    for (size_t i = 0; i < GR_COUNT(names); i++) {
        assert_non_null(gr_redis_refusal(gr_bytes_text(names[i])));
        say(names[i]);
        say(" x\r\n");
        struct gr_writer *output = gr_redis_output(host.session);
        assert_non_null(memmem(output->data, output->size, " is not offered: ", 17));
        gr_writer_clear(output);
    }
    assert_null(gr_redis_refusal(gr_bytes_text("")));
    assert_null(gr_redis_refusal(gr_bytes_text("foo")));
    ask("foo bar 'b z'", "-ERR unknown command 'foo', with args beginning with: 'bar' 'b z' \r\n");
    ask("foo", "-ERR unknown command 'foo', with args beginning with: \r\n");
    ask("''", "-ERR unknown command '', with args beginning with: \r\n");
}

static void loading(void **state)
{
    (void)state;
    host.loading = true;
    ask("GET a", "-LOADING the node is not ready to serve yet\r\n");
    ask("PING", "+PONG\r\n");
    ask("FOO", "-ERR unknown command 'FOO', with args beginning with: \r\n");
    say("INFO persistence\r\n");
    struct gr_writer *output = gr_redis_output(host.session);
    assert_non_null(memmem(output->data, output->size, "loading:1\r\n", 11));
    gr_writer_clear(output);
    host.loading = false;
    ask("GET a", "$-1\r\n");
}

static void table(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < gr_redis_table_count; i++) {
        const struct gr_redis_spec *spec = &gr_redis_table[i];
        assert_true(i == 0 || strcmp(gr_redis_table[i - 1].name, spec->name) < 0);
        assert_ptr_equal(gr_redis_find(gr_bytes_text(spec->name)), spec);
        assert_null(gr_redis_refusal(gr_bytes_text(spec->name)));
        assert_true((spec->take != NULL) != (spec->run != NULL) || spec->sub_count > 0);
        assert_true(spec->take == NULL || spec->prepare != NULL);
        assert_non_null(spec->summary);
    }
    assert_null(gr_redis_find(gr_bytes("get\0", 4)));
    assert_null(gr_redis_find(gr_bytes_text("zzz")));
}

// ---- our own -------------------------------------------------------------------------------

static void contexts(void **state)
{
    (void)state;
    ask("GR.GET a", "*2\r\n$-1\r\n*0\r\n");
    say("GR.PUT a '' v W 3 PW 2 DW 1 PX 50 TIMEOUT 70\r\n");
    const struct gr_request *request = host_take(&host);
    assert_int_equal(request->op, GR_OP_PUT);
    assert_true(request->w == 3 && request->pw == 2 && request->dw == 1 && !request->remove);
    assert_int_equal(request->expires.ms, host.wall.ms + 50);
    assert_int_equal(request->timeout.ns, gr_span_ms(70).ns);
    assert_true(gr_context_empty(&request->context));
    host_answer(&host, request);
    struct gr_writer *output = gr_redis_output(host.session);
    assert_true(output->size > 10 && output->data[0] == '$');
    char token[200] = {0};
    const char *line = memchr(output->data, '\n', output->size);
    memcpy(token, line + 1, output->size - (size_t)(line + 1 - (char *)output->data) - 2);
    char text[400];
    snprintf(text, sizeof text, "*2\r\n%.*s*1\r\n$1\r\nv\r\n", (int)output->size, output->data);
    gr_writer_clear(output);
    ask("GR.GET a R 2 PR 1 TIMEOUT 10", text);
    snprintf(text, sizeof text,
        "*2\r\n$%zu\r\n%s\r\n*1\r\n*4\r\n$1\r\nv\r\n:1000\r\n:1700000000050\r\n"
        "$29\r\n0000000000000abc.7.00001234:1\r\n",
        strlen(token), token);
    ask("GR.GET a WITHMETA", text);
    snprintf(text, sizeof text, "GR.DEL a %s W 1\r\n", token);
    say(text);
    request = host_take(&host);
    assert_true(request->remove && request->w == 1);
    assert_int_equal(request->context.vv_count, 1);
    refuse(request, GR_ERR_LIMIT_SIBLINGS, 0, 0);
    expect("-ERR the key has 100 siblings; read it and write with its context\r\n");
    snprintf(text, sizeof text, "GR.DEL b %s", token);
    const char *bad = "-BADCONTEXT the context was not made by this cluster for this key; read the "
                      "key again\r\n";
    ask(text, bad);
    ask("GR.PUT a zzz v", bad);
    ask("GR.GET a R 0", "-ERR R is a number of replicas from 1 to N=3\r\n");
    ask("GR.GET a R 4", "-ERR R is a number of replicas from 1 to N=3\r\n");
    ask("GR.GET a PR 4", "-ERR PR is a number of replicas from 0 to N=3\r\n");
    ask("GR.GET a W 2", "-ERR syntax error\r\n");
    ask("GR.GET a R", "-ERR syntax error\r\n");
    ask("GR.PUT a '' v R 2", "-ERR syntax error\r\n");
    ask("GR.PUT a '' v EX 0", "-ERR invalid expire time in 'gr.put' command\r\n");
    ask("GR.DEL a '' EX 10", "-ERR syntax error\r\n");
    ask("GR.GET a TIMEOUT 0", "-ERR TIMEOUT is a number of milliseconds from 1 to 600000\r\n");
    ask("GR.PUT a ''", "-ERR wrong number of arguments for 'gr.put' command\r\n");
}

// Siblings: the plain face shows the one of the largest origin, GR.GET all that are not due.
static void siblings(void **state)
{
    (void)state;
    struct gr_sibling sibling[2] = {
        {.dot = {{1, 1}, 1}, .origin = {.time = 20}, .value = gr_bytes_text("new")},
        {.dot = {{2, 1}, 1}, .origin = {.time = 10}, .value = gr_bytes_text("old")},
    };
    struct gr_dot seen[2] = {sibling[0].dot, sibling[1].dot};
    struct gr_result result = {.op = GR_OP_GET,
        .acks = 2,
        .needed = 2,
        .now = host.wall,
        .record = {sibling, 2, {.vv = seen, .vv_count = 2}}};
    for (int due = 0; due < 2; due++) {
        sibling[0].expires.ms = due ? host.wall.ms : 0;
        say("GET a\r\nGR.GET a\r\n");
        result.ticket = host_take(&host)->ticket;
        gr_redis_result(host.session, &result);
        expect(due ? "$-1\r\n" : "$3\r\nnew\r\n");
        result.ticket = host_take(&host)->ticket;
        gr_redis_result(host.session, &result);
        const struct gr_writer *output = gr_redis_output(host.session);
        const char *tail = due ? "\r\n*1\r\n$3\r\nold\r\n" : "\r\n*2\r\n$3\r\nold\r\n$3\r\nnew\r\n";
        assert_true(output->size > strlen(tail));
        assert_memory_equal(output->data + output->size - strlen(tail), tail, strlen(tail));
        gr_writer_clear(gr_redis_output(host.session));
    }
}

static void places(void **state)
{
    (void)state;
    host.peer_down = true;
    say("GR.WHERE a\r\n");
    struct gr_writer *output = gr_redis_output(host.session);
    const char *start =
        "*6\r\n$4\r\nslot\r\n:15495\r\n$9\r\npartition\r\n:7\r\n$5\r\nnodes\r\n*3\r\n"
        "*8\r\n$4\r\nnode\r\n";
    assert_memory_equal(output->data, start, strlen(start));
    assert_non_null(memmem(output->data, output->size, "coordinator", 11));
    assert_non_null(memmem(output->data, output->size, "down", 4));
    gr_writer_clear(output);
    ask("SET a v", "+OK\r\n");
    say("HELLO 3\r\nGR.EXPLAIN a TIMEOUT 5\r\n");
    host_answer_all(&host);
    const char *end =
        "%7\r\n$4\r\nnode\r\n$2\r\nn3\r\n$7\r\naddress\r\n$14\r\n127.0.0.1:7579\r\n"
        "$5\r\nstate\r\n$4\r\ndown\r\n$6\r\nanswer\r\n$7\r\nTIMEOUT\r\n"
        "$8\r\nsiblings\r\n*0\r\n$10\r\nseen-up-to\r\n*0\r\n$9\r\nseen-also\r\n*0\r\n";
    assert_memory_equal(output->data + output->size - strlen(end), end, strlen(end));
    gr_writer_clear(output);
    host.peer_down = false;
    ask("GR.LINK cut n2 n3", "+OK\r\n");
    assert_string_equal(host.linked, "CUT 2 n2");
    ask("GR.LINK HEAL", "+OK\r\n");
    assert_string_equal(host.linked, "HEAL 0 ");
    ask("GR.LINK CUT", "-ERR syntax error\r\n");
    ask("GR.LINK HEAL n2", "-ERR syntax error\r\n");
    host.peer_down = true;
    ask("GR.LINK CUT n9", "-ERR no such member\r\n");
}

static void no_demo(void **state)
{
    (void)state;
    gr_redis_free(host.session);
    host.demo = false;
    struct gr_redis_config config = {.id = 6, .address = "a", .local = "b"};
    host_connect(&host, &config);
    ask("GR.LINK HEAL", "-ERR GR.LINK needs the setting demo = yes\r\n");
}

// ---- WAIT ----------------------------------------------------------------------------------

static void wait_for(void **state)
{
    (void)state;
    ask("WAIT 5 0", ""); // nothing was written, and there are only two others: waits for ever
    gr_redis_timer(host.session);
    expect(":2\r\n");
    ask("WAIT 2 0", ":2\r\n");
    say("SET a b\r\n");
    const struct gr_request *request = host_take(&host);
    uint64_t ticket = request->ticket;
    host_answer(&host, request);
    expect("+OK\r\n");
    ask("GET a", "$1\r\nb\r\n");
    ask("DEL none", ":0\r\n"); // wrote nothing: the SET is still the last write
    ask("WAIT 1 100", ":1\r\n");
    say("WAIT 2 100\r\nPING\r\n");
    assert_int_equal(host.timer.ns, gr_span_ms(100).ns);
    expect("");
    gr_redis_acked(host.session, ticket + 1000, 3);
    expect("");
    gr_redis_acked(host.session, (uint64_t)77 << 32 | ticket, 3);
    expect(":2\r\n+PONG\r\n");
    assert_int_equal(host.timer.ns, 0);
    // All keys of an MSET must be there.
    say("MSET a 1 b 2\r\n");
    const struct gr_request *a = host_take(&host), *b = host_take(&host);
    uint64_t ticket_a = a->ticket, ticket_b = b->ticket;
    host_answer(&host, a);
    gr_redis_acked(host.session, ticket_a, 3); // before the command is done
    host_answer(&host, b);
    expect("+OK\r\n");
    say("WAIT 2 100\r\n");
    expect("");
    gr_redis_timer(host.session);
    expect(":1\r\n");
    say("WAIT 2 0\r\n");
    gr_redis_acked(host.session, ticket_b, 3);
    expect(":2\r\n");
    ask("WAIT x 0", "-ERR value is not an integer or out of range\r\n");
    ask("WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n");
    ask("WAIT 1 -1", "-ERR timeout is negative\r\n");
    say("WAIT 9 0\r\n");
    gr_redis_input_end(host.session);
    expect(":2\r\n");
    assert_true(gr_redis_closing(host.session));
}

// ---- the connection ------------------------------------------------------------------------

#define HELLO(mark, version)                                                                       \
    mark "\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.0.0\r\n$"                    \
         "5\r\nproto\r\n:" version                                                                 \
         "\r\n$2\r\nid\r\n:5\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n"                 \
         "$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n"

static void connection(void **state)
{
    (void)state;
    ask("PING", "+PONG\r\n");
    ask("PING hi", "$2\r\nhi\r\n");
    ask("PING a b", "-ERR wrong number of arguments for 'ping' command\r\n");
    ask("ECHO hi", "$2\r\nhi\r\n");
    ask("SELECT 0", "+OK\r\n");
    ask("SELECT 1", "-ERR DB index is out of range\r\n");
    ask("SELECT x", "-ERR value is not an integer or out of range\r\n");
    ask("AUTH pw",
        "-ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?\r\n");
    ask("AUTH default pw", "+OK\r\n");
    ask("AUTH bob pw", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ask("AUTH a b c", "-ERR syntax error\r\n");
    ask("READONLY", "+OK\r\n");
    ask("READWRITE", "+OK\r\n");
    ask("HELLO", HELLO("*14", "2"));
    ask("HELLO 4", "-NOPROTO unsupported protocol version\r\n");
    ask("HELLO x", "-ERR Protocol version is not an integer or out of range\r\n");
    ask("HELLO 3 FOO", "-ERR Syntax error in HELLO option 'FOO'\r\n");
    ask("HELLO 3 AUTH bob x", "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    ask("HELLO 3 AUTH default x SETNAME me", HELLO("%7", "3"));
    ask("CLIENT GETNAME", "$2\r\nme\r\n");
    ask("GET none", "_\r\n");
    ask("MGET none", "*1\r\n_\r\n");
    ask("SET none x XX", "_\r\n");
    ask("CONFIG GET port", "%1\r\n$4\r\nport\r\n$4\r\n7379\r\n");
    ask("RESET", "+RESET\r\n");
    ask("CLIENT GETNAME", "$-1\r\n");
    ask("QUIT", "+OK\r\n");
    assert_true(gr_redis_closing(host.session));
    assert_false(gr_redis_wants_input(host.session));
    ask("PING", "");
}

static void clients(void **state)
{
    (void)state;
    ask("CLIENT", "-ERR wrong number of arguments for 'client' command\r\n");
    ask("CLIENT FOO", "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n");
    ask("CLIENT ID", ":5\r\n");
    ask("CLIENT ID x", "-ERR wrong number of arguments for 'client|id' command\r\n");
    ask("CLIENT SETNAME 'a b'",
        "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    ask("CLIENT SETNAME bob", "+OK\r\n");
    ask("CLIENT GETNAME", "$3\r\nbob\r\n");
    ask("CLIENT SETINFO LIB-NAME lib", "+OK\r\n");
    ask("CLIENT SETINFO lib-ver 1.2", "+OK\r\n");
    ask("CLIENT SETINFO foo 1.2", "-ERR Unrecognized option 'foo'\r\n");
    say("CLIENT INFO\r\nCLIENT LIST\r\nCLIENT LIST ID 5 6\r\nCLIENT LIST TYPE normal\r\n");
    struct gr_writer *output = gr_redis_output(host.session);
    const char *parts[] = {"id=5 addr=127.0.0.1:1000 laddr=127.0.0.1:7379 fd=-1 name=bob age=0",
        "cmd=client|info user=default redir=-1 resp=2 lib-name=lib lib-ver=1.2\n",
        "cmd=client|list"};
    for (size_t i = 0; i < GR_COUNT(parts); i++)
        assert_non_null(memmem(output->data, output->size, parts[i], strlen(parts[i])));
    gr_writer_clear(output);
    ask("CLIENT LIST ID 6", "$0\r\n\r\n");
    ask("CLIENT LIST TYPE pubsub", "$0\r\n\r\n");
    ask("CLIENT LIST TYPE x", "-ERR Unknown client type 'x'\r\n");
    ask("CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
    ask("CLIENT LIST FOO", "-ERR syntax error\r\n");
    ask("CLIENT REPLY FOO", "-ERR syntax error\r\n");
    say("CLIENT REPLY OFF\r\nPING\r\nFOO\r\nGET a\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\n");
    host_answer_all(&host);
    expect("+OK\r\n");
    say("CLIENT REPLY SKIP\r\nPING 1\r\nPING 2\r\n");
    expect("$1\r\n2\r\n");
}

static void settings(void **state)
{
    (void)state;
    ask("CONFIG GET save max* save",
        "*4\r\n$10\r\nmaxclients\r\n$5\r\n10000\r\n$4\r\nsave\r\n$0\r\n\r\n");
    ask("CONFIG GET nothing", "*0\r\n");
    ask("CONFIG GET", "-ERR wrong number of arguments for 'config|get' command\r\n");
    ask("CONFIG FOO", "-ERR unknown subcommand 'FOO'. Try CONFIG HELP.\r\n");
    ask("INFO nothing", "$0\r\n\r\n");
    ask("INFO keyspace Cluster", "$76\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n"
                                 "db0:keys=5,expires=0,avg_ttl=0\r\n\r\n");
    say("HELLO 3\r\nINFO\r\n");
    struct gr_writer *output = gr_redis_output(host.session);
    const char *parts[] = {"txt:# Server\r\nredis_version:7.0.0\r\ngramme_version:0.1.0\r\n",
        "\r\n\r\n# Clients\r\n", "loading:0\r\n", "role:master\r\n", "tcp_port:7379\r\n"};
    for (size_t i = 0; i < GR_COUNT(parts); i++)
        assert_non_null(memmem(output->data, output->size, parts[i], strlen(parts[i])));
    gr_writer_clear(output);
}

static void commands(void **state)
{
    (void)state;
    char text[600];
    snprintf(text, sizeof text, ":%u\r\n", gr_redis_table_count);
    ask("COMMAND COUNT", text);
    ask("COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n");
    static const char get[] =
        "*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n*3\r\n+@read\r\n"
        "+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n"
        "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\nspec\r\n*2\r\n$5\r\nindex"
        "\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n$4\r\nspec\r\n*6\r\n"
        "$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n*0\r\n";
    snprintf(text, sizeof text, "*2\r\n%s$-1\r\n", get);
    ask("COMMAND INFO get foo", text);
    ask("COMMAND GETKEYS MSET a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    ask("COMMAND GETKEYS gr.put k '' v", "*1\r\n$1\r\nk\r\n");
    ask("COMMAND GETKEYS del a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    ask("COMMAND GETKEYS foo a", "-ERR Invalid command specified\r\n");
    ask("COMMAND GETKEYS ping a", "-ERR The command has no key arguments\r\n");
    ask("COMMAND GETKEYS get a b", "-ERR Invalid number of arguments specified for command\r\n");
    ask("COMMAND LIST FILTERBY PATTERN pex*",
        "*3\r\n$7\r\npexpire\r\n$9\r\npexpireat\r\n$11\r\npexpiretime\r\n");
    ask("COMMAND DOCS ttl nothing",
        "*2\r\n$3\r\nttl\r\n*6\r\n$7\r\nsummary\r\n$33\r\nIn how many seconds a key expires\r\n"
        "$5\r\nsince\r\n$5\r\n1.0.0\r\n$5\r\ngroup\r\n$7\r\ngeneric\r\n");
    say("COMMAND\r\nCOMMAND DOCS\r\nCOMMAND INFO\r\nCOMMAND LIST\r\n");
    assert_true(gr_redis_output(host.session)->size > 10000);
    gr_writer_clear(gr_redis_output(host.session));
}

// ---- pipelining ----------------------------------------------------------------------------

// Commands run side by side, are answered in any order, and replied to in theirs.
static void order(void **state)
{
    (void)state;
    ask("MSET a 1 b 2 c 3", "+OK\r\n");
    say("GET a\r\nGET b\r\nPING\r\nFOO\r\nGET c\r\n");
    assert_int_equal(host_waiting(&host), 3);
    const struct gr_request *a = host_take(&host), *b = host_take(&host), *c = host_take(&host);
    host_answer(&host, c);
    host_answer(&host, b);
    expect("");
    host_answer(&host, a);
    expect("$1\r\n1\r\n$1\r\n2\r\n+PONG\r\n-ERR unknown command 'FOO', with args beginning with: "
           "\r\n$1\r\n3\r\n");
    host_answer(&host, a); // a second result is nobody's
    expect("");
}

// A command waits for one under way that touches its key, if either writes; a barrier for all.
static void conflicts(void **state)
{
    (void)state;
    say("SET a 1\r\nGET a\r\nGET b\r\n");
    assert_int_equal(host_waiting(&host), 1);
    host_answer(&host, host_take(&host));
    assert_int_equal(host_waiting(&host), 2);
    host_answer_all(&host);
    expect("+OK\r\n$1\r\n1\r\n$-1\r\n");
    say("GET a\r\nGET a\r\nMSET b 1 a 2\r\nGET c\r\n");
    assert_int_equal(host_waiting(&host), 2);
    host_answer(&host, host_take(&host));
    assert_int_equal(host_waiting(&host), 1);
    host_answer(&host, host_take(&host));
    assert_int_equal(host_waiting(&host), 3);
    host_answer_all(&host);
    expect("$1\r\n1\r\n$1\r\n1\r\n+OK\r\n$-1\r\n");
    say("GET a\r\nDBSIZE\r\nGET a\r\n");
    assert_int_equal(host_waiting(&host), 1);
    host_answer(&host, host_take(&host));
    assert_int_equal(host_waiting(&host), 1);
    assert_int_equal(host.asked[host.asked_first].request.op, GR_OP_COUNT);
    host_answer_all(&host);
    expect("$1\r\n2\r\n:2\r\n$1\r\n2\r\n");
    // The reply of what came before HELLO is in the old protocol.
    say("GET none\r\nHELLO 3\r\nGET none\r\n");
    host_answer_all(&host);
    expect("$-1\r\n" HELLO("%7", "3") "_\r\n");
}

// A time is counted from when the command starts, not from when it was read.
static void parked_time(void **state)
{
    (void)state;
    say("SET a 1\r\nSET a 2 PX 100\r\n");
    host.wall.ms += 1000;
    host_answer(&host, host_take(&host));
    assert_int_equal(host_take(&host)->expires.ms, host.wall.ms + 100);
}

static void window(void **state)
{
    (void)state;
    for (int i = 0; i < GR_REDIS_WINDOW + 20; i++) {
        char line[32];
        snprintf(line, sizeof line, "SET k%d v\r\n", i);
        say(line);
    }
    assert_int_equal(host_waiting(&host), GR_REDIS_WINDOW);
    assert_true(gr_redis_wants_input(host.session));
    struct gr_writer noise;
    gr_writer_init(&noise, 1 << 20);
    for (int i = 0; i < GR_REDIS_INPUT_SLACK / 6; i++)
        gr_redis_print(&noise, "PING\r\n");
    gr_redis_print(&noise, "PING\r\n");
    gr_redis_input(host.session, gr_writer_bytes(&noise));
    gr_writer_deinit(&noise);
    assert_false(gr_redis_wants_input(host.session));
    host_answer_all(&host);
    assert_true(gr_redis_wants_input(host.session));
    assert_int_equal(gr_redis_output(host.session)->size,
        (GR_REDIS_WINDOW + 20) * 5 + (GR_REDIS_INPUT_SLACK / 6 + 1) * 7);
    assert_true(gr_redis_memory(host.session) < 4 << 20);
}

// With the output full nothing starts; too large a reply is an error; what a command took out of
// the store is never dropped.
static void full_output(void **state)
{
    (void)state;
    gr_redis_free(host.session);
    struct gr_redis_config config = {.id = 6, .address = "a", .local = "b", .output_max = 1000};
    host_connect(&host, &config);
    ask("SET a 0123456789012345678901234567890123456789012345678901234567890123456789", "+OK\r\n");
    for (int i = 0; i < 100; i++)
        say("GETEX a\r\n");
    host_answer_all(&host);
    size_t size = gr_redis_output(host.session)->size;
    assert_true(size >= 1000 && size < 2000);
    size_t replies = 0;
    while (gr_redis_output(host.session)->size > 0) {
        replies += gr_redis_output(host.session)->size / 77;
        gr_writer_clear(gr_redis_output(host.session));
        gr_redis_flushed(host.session);
        host_answer_all(&host);
    }
    assert_int_equal(replies, 100);
    say("MGET");
    for (int i = 0; i < 30; i++)
        say(" a");
    ask("", "-ERR the reply is over 0 MiB; ask for less at a time; 29 of 30 keys were done\r\n");
}

static void split_input(void **state)
{
    (void)state;
    static const char bytes[] = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\nGET a\r\n\r\n*1\r\n"
                                "$6\r\nDBSIZE\r\n*3\r\n$4\r\nMGET\r\n$1\r\na\r\n$1\r\nb\r\nSCAN 0 "
                                "MATCH \"a\"\r\n*2\r\n$6\r\nAPPEND\r\n$1\r\na\r\nQUIT\r\nPING\r\n";
    static const char replies[] =
        "+OK\r\n$2\r\n\r\n\r\n:1\r\n*2\r\n$2\r\n\r\n\r\n$-1\r\n*2\r\n$1\r\n0\r\n*1\r\n$1\r\na\r\n"
        "-ERR wrong number of arguments for 'append' command\r\n+OK\r\n";
    struct gr_redis_config config = {.id = 5, .address = "a", .local = "b"};
    for (size_t first = 0; first < sizeof bytes; first++) {
        for (int eager = 0; eager < 3; eager++) {
            gr_redis_free(host.session);
            memset(host.entry, 0, HOST_KEYS_MAX * sizeof *host.entry);
            host_connect(&host, &config);
            host.at_once = eager == 2;
            gr_redis_input(host.session, gr_bytes(bytes, first));
            if (eager)
                host_answer_all(&host);
            // The rest from a block of its own, which then goes away.
            size_t left = sizeof bytes - 1 - GR_MIN(first, sizeof bytes - 1);
            uint8_t *rest = gr_hook_memory(NULL, left + 1);
            memcpy(rest, bytes + sizeof bytes - 1 - left, left);
            gr_redis_input(host.session, gr_bytes(rest, left));
            gr_hook_memory(rest, 0);
            host_answer_all(&host);
            expect(replies);
            assert_true(gr_redis_closing(host.session));
        }
    }
}

// A protocol error is told after all replies before it, and is the last word.
static void protocol_errors(void **state)
{
    (void)state;
    say("GET a\r\n*1\r\n$x\r\nPING\r\n");
    expect("");
    assert_false(gr_redis_closing(host.session));
    assert_false(gr_redis_wants_input(host.session));
    host_answer_all(&host);
    expect("$-1\r\n-ERR Protocol error: invalid bulk length\r\n");
    assert_true(gr_redis_closing(host.session));
    struct gr_redis_config config = {.id = 6, .address = "a", .local = "b"};
    gr_redis_free(host.session);
    host_connect(&host, &config);
    say("DBSIZE\r\n'\r\nPING\r\n");
    host_answer_all(&host);
    expect(":0\r\n-ERR Protocol error: unbalanced quotes in request\r\n");
    assert_true(gr_redis_closing(host.session));
    gr_redis_free(host.session);
    host_connect(&host, &config);
    ask("POST / HTTP/1.1\r\nSET a b", "");
    assert_true(gr_redis_closing(host.session));
}

static void input_end(void **state)
{
    (void)state;
    say("SET a 1\r\nGET a\r\nGET");
    gr_redis_input_end(host.session);
    assert_false(gr_redis_closing(host.session));
    host_answer_all(&host);
    expect("+OK\r\n$1\r\n1\r\n");
    assert_true(gr_redis_closing(host.session));
}

// A session may be freed with everything under way.
static void freed_under_way(void **state)
{
    (void)state;
    say("SET a 1\r\nMGET b c d\r\nSET a 2\r\nGET a\r\nGET");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_host, close_host)
    const struct CMUnitTest tests[] = {
        TEST(strings),
        TEST(requests),
        TEST(times),
        TEST(time_errors),
        TEST(many),
        TEST(very_many),
        TEST(scan),
        TEST(globs),
        TEST(flush),
        TEST(result_errors),
        TEST(refusals),
        TEST(loading),
        TEST(table),
        TEST(contexts),
        TEST(siblings),
        TEST(places),
        TEST(no_demo),
        TEST(wait_for),
        TEST(connection),
        TEST(clients),
        TEST(settings),
        TEST(commands),
        TEST(order),
        TEST(conflicts),
        TEST(parked_time),
        TEST(window),
        TEST(full_output),
        TEST(split_input),
        TEST(protocol_errors),
        TEST(input_end),
        TEST(freed_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
