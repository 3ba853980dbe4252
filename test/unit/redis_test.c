// The Redis face against a host that is no cluster: words in, requests seen, results given, bytes
// out. Replies were compared with redis-server 7.0 where both have the command.
#include "test/unit/redis_parts.h"

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
    // By site, those that count there.
    say("GR.GET a R local\r\n");
    const struct gr_request *local = host_take(&host);
    assert_int_equal(local->r, GR_QUORUM_LOCAL);
    refuse(local, GR_ERR_READ_QUORUM, 2, 2);
    expect("-TRYAGAIN 1 of R=LOCAL (2) replicas answered within 500 ms\r\n");
    say("GR.PUT a '' v W EACH\r\n");
    const struct gr_request *each = host_take(&host);
    assert_int_equal(each->w, GR_QUORUM_EACH);
    refuse(each, GR_ERR_WRITE_QUORUM, 4, 4);
    expect("-NOREPLICAS write reached 3 of W=EACH (4) replicas; it may still take effect\r\n");
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
    expect("-TRYAGAIN 0 of R=2 replicas answered; no other can be asked now; 2 of 4 keys were "
           "done\r\n+PONG\r\n");
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
    static const char persistence[] =
        "# Persistence\r\nloading:1\r\nasync_loading:0\r\ngramme_salvaging:0\r\n"
        "gramme_durability:interval\r\n"
        "gramme_sync_interval_ms:100\r\ngramme_store:NO_SPACE\r\ngramme_store_run:3\r\n"
        "gramme_store_run_seen:4\r\ngramme_disk_free_bytes:4096\r\n";
    assert_non_null(memmem(output->data, output->size, persistence, strlen(persistence)));
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
    const struct CMUnitTest tests[] = {
        REDIS_TEST(result_errors),
        REDIS_TEST(refusals),
        REDIS_TEST(loading),
        REDIS_TEST(table),
        REDIS_TEST(connection),
        REDIS_TEST(clients),
        REDIS_TEST(settings),
        REDIS_TEST(commands),
        REDIS_TEST(order),
        REDIS_TEST(conflicts),
        REDIS_TEST(parked_time),
        REDIS_TEST(window),
        REDIS_TEST(full_output),
        REDIS_TEST(split_input),
        REDIS_TEST(protocol_errors),
        REDIS_TEST(input_end),
        REDIS_TEST(freed_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
