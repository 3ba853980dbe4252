// The Redis face: commands about keys, their requests and their replies. Replies were compared with
// redis-server 7.0 where both have the command.
#include "test/unit/redis_parts.h"

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
    snprintf(text, sizeof text, "-ERR %s\r\n", gr_err_info(GR_ERR_LIMIT_SIBLINGS)->text);
    expect(text);
    snprintf(text, sizeof text, "GR.DEL b %s", token);
    const char *bad = "-BADCONTEXT the context was not made by this cluster for this key; read the "
                      "key again\r\n";
    ask(text, bad);
    ask("GR.PUT a zzz v", bad);
    ask("GR.GET a R 0", "-ERR R is a number of replicas from 1 to N=3, LOCAL or EACH\r\n");
    ask("GR.GET a R 4", "-ERR R is a number of replicas from 1 to N=3, LOCAL or EACH\r\n");
    ask("GR.GET a PR LOCAL", "-ERR PR is a number of replicas from 0 to N=3\r\n");
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

// Who is owed what, and who acknowledged: owners, or those who stand in for them.
static void standing_in(void **state)
{
    (void)state;
    ask("GR.HINTS", "*0\r\n");
    host.owes = true;
    ask("GR.HINTS", "*1\r\n*12\r\n$4\r\nnode\r\n$2\r\nn2\r\n$7\r\naddress\r\n"
                    "$14\r\n127.0.0.1:7479\r\n$5\r\nstate\r\n$2\r\nup\r\n"
                    "$5\r\nhints\r\n:7\r\n$5\r\nbytes\r\n:890\r\n"
                    "$14\r\noldest-seconds\r\n:12\r\n");
    ask("INFO hints", "$154\r\n# Hints\r\nhints:7\r\nhint_bytes:890\r\nhint_bytes_max:0\r\n"
                      "hints_kept:0\r\nhints_delivered:0\r\nhints_refused:0\r\n"
                      "hints1:name=n2,hints=7,bytes=890,oldest_seconds=12\r\n\r\n");
    ask("GR.HINTS n2", "-ERR wrong number of arguments for 'gr.hints' command\r\n");
    struct gr_result result = {.op = GR_OP_PUT, .acks = 3, .primaries = 1, .needed = 2};
    say("GR.PUT a '' v WITHMETA\r\n");
    result.ticket = host_take(&host)->ticket;
    gr_redis_result(host.session, &result);
    struct gr_writer *output = gr_redis_output(host.session);
    assert_memory_equal(output->data, "*3\r\n$", 5);
    const char *tail = "\r\n:3\r\n:1\r\n";
    assert_memory_equal(output->data + output->size - strlen(tail), tail, strlen(tail));
    gr_writer_clear(output);
    result.outcome = GR_INDETERMINATE;
    result.err = GR_ERR_WRITE_QUORUM;
    say("GR.PUT a '' v PW 2\r\n");
    result.ticket = host_take(&host)->ticket;
    gr_redis_result(host.session, &result);
    expect("-NOREPLICAS write reached 3 of W=2 replicas, 1 of them owners; it may still take "
           "effect\r\n");
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
    gr_redis_acked(host.session, ticket + 1000, 3, 3);
    expect("");
    gr_redis_acked(host.session, (uint64_t)77 << 32 | ticket, 3, 3);
    expect(":2\r\n+PONG\r\n");
    assert_int_equal(host.timer.ns, 0);
    // All keys of an MSET must be there.
    say("MSET a 1 b 2\r\n");
    const struct gr_request *a = host_take(&host), *b = host_take(&host);
    uint64_t ticket_a = a->ticket, ticket_b = b->ticket;
    host_answer(&host, a);
    gr_redis_acked(host.session, ticket_a, 3, 3); // before the command is done
    host_answer(&host, b);
    expect("+OK\r\n");
    say("WAIT 2 100\r\n");
    expect("");
    gr_redis_timer(host.session);
    expect(":1\r\n");
    say("WAIT 2 0\r\n");
    gr_redis_acked(host.session, ticket_b, 3, 3);
    expect(":2\r\n");
    // A command that reads before it writes is told of its replicas as late as any other.
    say("DEL a\r\n");
    request = host_take(&host);
    ticket = request->ticket;
    host_answer(&host, request);
    expect(":1\r\n");
    say("WAIT 2 100\r\n");
    expect("");
    gr_redis_acked(host.session, ticket, 3, 3);
    expect(":2\r\n");
    ask("WAIT x 0", "-ERR value is not an integer or out of range\r\n");
    ask("WAIT 1 x", "-ERR timeout is not an integer or out of range\r\n");
    ask("WAIT 1 -1", "-ERR timeout is negative\r\n");
    say("WAIT 9 0\r\n");
    gr_redis_input_end(host.session);
    expect(":2\r\n");
    assert_true(gr_redis_closing(host.session));
}

// WAITAOF counts what is synced: the first copy is the local one.
static void wait_for_disks(void **state)
{
    (void)state;
    ask("WAITAOF 1 2 0", "*2\r\n:1\r\n:2\r\n"); // nothing was written
    say("SET a b\r\n");
    const struct gr_request *request = host_take(&host);
    uint64_t ticket = request->ticket;
    host_answer(&host, request); // two acknowledgements, one of them durable
    expect("+OK\r\n");
    ask("WAIT 1 0", ":1\r\n");
    ask("WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n");
    say("WAITAOF 1 2 100\r\nPING\r\n");
    assert_int_equal(host.timer.ns, gr_span_ms(100).ns);
    gr_redis_acked(host.session, ticket, 3, 2);
    expect("");
    gr_redis_acked(host.session, ticket, 3, 3);
    expect("*2\r\n:1\r\n:2\r\n+PONG\r\n");
    assert_int_equal(host.timer.ns, 0);
    say("SET a c\r\n");
    host_answer(&host, host_take(&host));
    expect("+OK\r\n");
    say("WAITAOF 0 1 100\r\n");
    expect("");
    gr_redis_timer(host.session);
    expect("*2\r\n:1\r\n:0\r\n");
    ask("WAITAOF x 0 0", "-ERR value is not an integer or out of range\r\n");
    ask("WAITAOF 2 0 0", "-ERR value is out of range, must be between 0 and 1\r\n");
    ask("WAITAOF 0 x 0", "-ERR value is not an integer or out of range\r\n");
    ask("WAITAOF 0 1 -1", "-ERR timeout is negative\r\n");
    ask("WAITAOF 0 1", "-ERR wrong number of arguments for 'waitaof' command\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_TEST(strings),
        REDIS_TEST(requests),
        REDIS_TEST(times),
        REDIS_TEST(time_errors),
        REDIS_TEST(many),
        REDIS_TEST(very_many),
        REDIS_TEST(scan),
        REDIS_TEST(globs),
        REDIS_TEST(flush),
        REDIS_TEST(contexts),
        REDIS_TEST(siblings),
        REDIS_TEST(standing_in),
        REDIS_TEST(places),
        REDIS_TEST(no_demo),
        REDIS_TEST(wait_for),
        REDIS_TEST(wait_for_disks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
