// The Redis face: the table of commands.
//
// One line for each command that is offered: how many words, what it does to which keys, and the
// functions that carry it out. COMMAND shows this table to clients; redis_refuse.c has the commands
// of Redis that are not offered, and why.
//
// Source: redis.io/commands.
//
// I1. The table is sorted by name: it is searched by halves (asserted by its test).
// I2. A line has `prepare` and `take`, or `run`; what may have more than one call has `close`.
//
// Owns nothing.
#include <string.h>

#include "wire/redis_inside.h"

// clang-format off
#define READ (GR_REDIS_READ)
#define WRITE (GR_REDIS_WRITE)
#define FAST (GR_REDIS_FAST)
#define BARRIER (GR_REDIS_BARRIER)
#define KEYS (GR_REDIS_KEYSPACE)
#define TAKES (GR_REDIS_TAKES)
#define CONN (GR_REDIS_CONNECTION | GR_REDIS_LOADING)
#define ADMIN (GR_REDIS_ADMIN | GR_REDIS_LOADING)
#define LOADING (GR_REDIS_LOADING)
#define ONE_KEY .first = 1, .last = 1, .step = 1
#define ALL_KEYS .first = 1, .last = -1, .step = 1
#define DO_CALL(p, t) .prepare = gr_redis_prepare_##p, .take = gr_redis_take_##t
#define DO_CALLS(p, t, c) DO_CALL(p, t), .close = gr_redis_close_##c
#define DO_RUN(r) .run = gr_redis_run_##r
#define SUBS(array) .sub = array, .sub_count = GR_COUNT(array)
#define TEXT(s, t) .since = s, .summary = t

static const struct gr_redis_spec client_subs[] = {
    {"client|getname", 2, CONN, DO_RUN(client_getname), TEXT("2.6.9", "The connection's name")},
    {"client|id", 2, CONN, DO_RUN(client_id), TEXT("5.0.0", "The connection's number")},
    {"client|info", 2, CONN, DO_RUN(client_info), TEXT("6.2.0", "What is known of the connection")},
    {"client|list", -2, CONN | GR_REDIS_ADMIN | BARRIER, DO_RUN(client_list),
        TEXT("2.4.0", "What is known of all connections")},
    {"client|reply", 3, CONN, DO_RUN(client_reply), TEXT("3.2.0", "Whether commands are answered")},
    {"client|setinfo", 4, CONN, DO_RUN(client_setinfo),
        TEXT("7.2.0", "Name the client's library and its version")},
    {"client|setname", 3, CONN, DO_RUN(client_setname), TEXT("2.6.9", "Name the connection")},
};

static const struct gr_redis_spec command_subs[] = {
    {"command|count", 2, LOADING, DO_RUN(command_count), TEXT("2.8.13", "How many commands there are")},
    {"command|docs", -2, LOADING, DO_RUN(command_docs), TEXT("7.0.0", "What commands do")},
    {"command|getkeys", -4, LOADING, DO_RUN(command_getkeys), TEXT("2.8.13", "The keys in a command")},
    {"command|info", -2, LOADING, DO_RUN(command_info), TEXT("2.8.13", "Arity, flags and key places")},
    {"command|list", -2, LOADING, DO_RUN(command_list), TEXT("7.0.0", "Names of commands")},
};

static const struct gr_redis_spec config_subs[] = {
    {"config|get", -3, ADMIN, DO_RUN(config_get), TEXT("2.0.0", "Settings and their values")},
};

static const struct gr_redis_spec gr_cluster_subs[] = {
    {"gr.cluster|cancel", 2, ADMIN, DO_RUN(gr_cluster_cancel), TEXT("0.2.0", "Forget what is staged")},
    {"gr.cluster|commit", -2, ADMIN, DO_RUN(gr_cluster_commit),
        TEXT("0.2.0", "Make what is staged the next ring")},
    {"gr.cluster|history", 2, ADMIN, DO_RUN(gr_cluster_history), TEXT("0.2.0", "How the ring came about")},
    {"gr.cluster|plan", 2, ADMIN, DO_RUN(gr_cluster_plan),
        TEXT("0.2.0", "What would become of what is staged")},
    {"gr.cluster|set", 4, ADMIN, DO_RUN(gr_cluster_set),
        TEXT("0.2.0", "Change what the whole cluster goes by: name value")},
    {"gr.cluster|settings", 2, ADMIN, DO_RUN(gr_cluster_settings),
        TEXT("0.2.0", "What the whole cluster goes by, and who has set it")},
    {"gr.cluster|show", 2, ADMIN, DO_RUN(gr_cluster_show), TEXT("0.2.0", "Members and what they own")},
    {"gr.cluster|stage", -4, ADMIN, DO_RUN(gr_cluster_stage),
        TEXT("0.2.0", "JOIN name [weight] | LEAVE name | REMOVE name | WEIGHT name weight | "
                      "MOVE name site [rack]")},
    {"gr.cluster|transfers", 2, GR_REDIS_ADMIN, DO_RUN(gr_cluster_transfers),
        TEXT("0.2.0", "What this node has yet to take over, and to hand over")},
};

const struct gr_redis_spec gr_redis_table[] = {
    {"append", 3, WRITE | FAST, ONE_KEY, 'w', DO_CALL(append, integer),
        TEXT("2.0.0", "Append to the value of a key")},
    {"auth", -2, CONN | FAST | BARRIER, DO_RUN(auth), TEXT("1.0.0", "Say who you are")},
    {"client", -2, LOADING, SUBS(client_subs), TEXT("2.4.0", "About connections")},
    {"command", -1, LOADING, DO_RUN(command), SUBS(command_subs), TEXT("2.8.13", "About commands")},
    {"config", -2, LOADING, SUBS(config_subs), TEXT("2.0.0", "About settings")},
    {"dbsize", 1, READ | FAST | BARRIER | KEYS, DO_CALL(dbsize, dbsize),
        TEXT("1.0.0", "How many keys there are, as one holder of each partition counts")},
    {"del", -2, WRITE | KEYS, ALL_KEYS, 'd', DO_CALLS(del, sum, sum), TEXT("1.0.0", "Delete keys")},
    {"echo", 2, CONN | FAST, DO_RUN(echo), TEXT("1.0.0", "Say the same")},
    {"exists", -2, READ | FAST | KEYS, ALL_KEYS, 'r', DO_CALLS(exists, exists, sum),
        TEXT("1.0.0", "How many of the keys there are")},
    {"expire", -3, WRITE | FAST | KEYS, ONE_KEY, 'w', DO_CALL(expire, integer),
        TEXT("1.0.0", "Let a key expire in some seconds")},
    {"expireat", -3, WRITE | FAST | KEYS, ONE_KEY, 'w', DO_CALL(expire, integer),
        TEXT("1.2.0", "Let a key expire at a time in seconds")},
    {"expiretime", 2, READ | FAST | KEYS, ONE_KEY, 'r', DO_CALL(get, ttl),
        TEXT("7.0.0", "When a key expires, in seconds")},
    {"flushall", -1, WRITE | BARRIER | KEYS, DO_CALLS(flush, flush, flush),
        TEXT("1.0.0", "Delete all keys, one by one")},
    {"flushdb", -1, WRITE | BARRIER | KEYS, DO_CALLS(flush, flush, flush),
        TEXT("1.0.0", "Delete all keys, one by one")},
    {"get", 2, READ | FAST, ONE_KEY, 'r', DO_CALL(get, get), TEXT("1.0.0", "The value of a key")},
    {"getdel", 2, WRITE | FAST | TAKES, ONE_KEY, 'd', DO_CALL(getdel, getex),
        TEXT("6.2.0", "The value of a key, which is deleted")},
    {"getex", -2, WRITE | FAST | TAKES, ONE_KEY, 'w', DO_CALL(getex, getex),
        TEXT("6.2.0", "The value of a key, and when it shall expire")},
    {"gr.cluster", -2, LOADING, SUBS(gr_cluster_subs), TEXT("0.2.0", "About members and the ring")},
    {"gr.del", -3, WRITE, ONE_KEY, 'd', DO_CALL(gr_del, gr_put),
        TEXT("0.1.0", "Delete what a context has seen: key context [W n] [PW n] [DW n] [TIMEOUT ms] "
                      "[WITHMETA]")},
    {"gr.explain", -2, READ, ONE_KEY, 'r', DO_CALL(gr_explain, gr_explain),
        TEXT("0.1.0", "What each replica holds of a key: key [TIMEOUT ms]")},
    {"gr.get", -2, READ, ONE_KEY, 'r', DO_CALL(gr_get, gr_get),
        TEXT("0.1.0", "All values and their context: key [R n] [PR n] [TIMEOUT ms] [WITHMETA]")},
    {"gr.hints", 1, READ, DO_RUN(gr_hints),
        TEXT("0.2.0", "What this node keeps for others until they are back")},
    {"gr.link", -2, ADMIN, DO_RUN(gr_link),
        TEXT("0.1.0", "Cut this node of a demo off from others: CUT name ... | HEAL")},
    {"gr.put", -4, WRITE, ONE_KEY, 'o', DO_CALL(gr_put, gr_put),
        TEXT("0.1.0", "Replace what a context has seen: key context value [W n] [PW n] [DW n] "
                      "[EX s|PX ms|EXAT s|PXAT ms] [TIMEOUT ms] [WITHMETA]")},
    {"gr.repair", -2, GR_REDIS_ADMIN, DO_RUN(gr_repair),
        TEXT("0.2.0", "How self-repair is, or begin it now: STATUS | RUN | SCRUB [partition]")},
    {"gr.where", 2, READ | LOADING, ONE_KEY, 'r', DO_RUN(gr_where),
        TEXT("0.1.0", "Slot, partition and nodes of a key")},
    {"hello", -1, CONN | FAST | BARRIER, DO_RUN(hello), TEXT("6.0.0", "Choose the protocol")},
    {"info", -1, LOADING, DO_RUN(info), TEXT("1.0.0", "What is known of the server")},
    {"mget", -2, READ | FAST, ALL_KEYS, 'r', DO_CALLS(mget, mget, mget),
        TEXT("1.0.0", "The values of keys, each read by itself")},
    {"mset", -3, WRITE, .first = 1, .last = -1, .step = 2, 'o', DO_CALLS(mset, nothing, ok),
        TEXT("1.0.1", "Set keys, each by itself")},
    {"persist", 2, WRITE | FAST | KEYS, ONE_KEY, 'w', DO_CALL(persist, integer),
        TEXT("2.2.0", "Let a key not expire")},
    {"pexpire", -3, WRITE | FAST | KEYS, ONE_KEY, 'w', DO_CALL(expire, integer),
        TEXT("2.6.0", "Let a key expire in some milliseconds")},
    {"pexpireat", -3, WRITE | FAST | KEYS, ONE_KEY, 'w', DO_CALL(expire, integer),
        TEXT("2.6.0", "Let a key expire at a time in milliseconds")},
    {"pexpiretime", 2, READ | FAST | KEYS, ONE_KEY, 'r', DO_CALL(get, ttl),
        TEXT("7.0.0", "When a key expires, in milliseconds")},
    {"ping", -1, CONN | FAST, DO_RUN(ping), TEXT("1.0.0", "Answer")},
    {"psetex", 4, WRITE, ONE_KEY, 'o', DO_CALL(setex, set),
        TEXT("2.6.0", "Set a key that expires in some milliseconds")},
    {"pttl", 2, READ | FAST | KEYS, ONE_KEY, 'r', DO_CALL(get, ttl),
        TEXT("2.6.0", "In how many milliseconds a key expires")},
    {"quit", -1, CONN | FAST | BARRIER, DO_RUN(quit), TEXT("1.0.0", "Close the connection")},
    {"readonly", 1, CONN | FAST, DO_RUN(ok), TEXT("3.0.0", "Accepted: any node serves reads")},
    {"readwrite", 1, CONN | FAST, DO_RUN(ok), TEXT("3.0.0", "Accepted: any node serves writes")},
    {"reset", 1, CONN | FAST | BARRIER, DO_RUN(reset), TEXT("6.2.0", "As if just connected")},
    {"scan", -2, READ | BARRIER | KEYS, DO_CALL(scan, scan), TEXT("2.8.0", "A page of the keys")},
    {"select", 2, CONN | FAST | BARRIER, DO_RUN(select), TEXT("1.0.0", "There is one database: 0")},
    {"set", -3, WRITE, ONE_KEY, 'w', DO_CALL(set, set), TEXT("1.0.0", "Set the value of a key")},
    {"setex", 4, WRITE, ONE_KEY, 'o', DO_CALL(setex, set),
        TEXT("2.0.0", "Set a key that expires in some seconds")},
    {"strlen", 2, READ | FAST, ONE_KEY, 'r', DO_CALL(get, strlen),
        TEXT("2.2.0", "How many bytes the value has")},
    {"touch", -2, READ | FAST | KEYS, ALL_KEYS, 'r', DO_CALLS(exists, exists, sum),
        TEXT("3.2.1", "How many of the keys there are")},
    {"ttl", 2, READ | FAST | KEYS, ONE_KEY, 'r', DO_CALL(get, ttl),
        TEXT("1.0.0", "In how many seconds a key expires")},
    {"type", 2, READ | FAST | KEYS, ONE_KEY, 'r', DO_CALL(get, type),
        TEXT("1.0.0", "string, or none")},
    {"unlink", -2, WRITE | FAST | KEYS, ALL_KEYS, 'd', DO_CALLS(del, sum, sum),
        TEXT("4.0.0", "Delete keys")},
    {"wait", 3, BARRIER | GR_REDIS_CONNECTION, .prepare = gr_redis_prepare_wait, DO_RUN(wait),
        TEXT("3.0.0", "Wait until more replicas have this connection's last write")},
    {"waitaof", 4, BARRIER | GR_REDIS_CONNECTION, .prepare = gr_redis_prepare_waitaof,
        DO_RUN(waitaof), TEXT("7.2.0", "Wait until more disks have this connection's last write")},
};
// clang-format on

const uint32_t gr_redis_table_count = GR_COUNT(gr_redis_table);

enum { NAME_BYTES_MAX = 16 };

const struct gr_redis_spec *gr_redis_find(struct gr_bytes name)
{
    char word[NAME_BYTES_MAX + 1] = {0};
    if (name.size > NAME_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < name.size; i++) {
        char byte = (char)name.data[i];
        word[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
    }
    uint32_t low = 0, high = gr_redis_table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(word, gr_redis_table[middle].name);
        if (order == 0) // a name with a zero byte in it is longer than what strcmp saw
            return strlen(word) == name.size ? &gr_redis_table[middle] : NULL;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct gr_redis_spec *gr_redis_find_sub(
    const struct gr_redis_spec *spec, struct gr_bytes name)
{
    for (uint32_t i = 0; i < spec->sub_count; i++) {
        if (gr_redis_is(name, strchr(spec->sub[i].name, '|') + 1))
            return &spec->sub[i];
    }
    return NULL;
}
