// Inside the Redis face: what its chapters (redis.c, redis_table.c, redis_keys.c ...) share.
//
// A command's life: it is read (parser), looked up (table), prepared (its arguments become a
// request, or an error), started when nothing under way is in conflict with it, answered call by
// call, and its reply is sent when all replies before it are.
#ifndef GR_WIRE_REDIS_INSIDE_H
#define GR_WIRE_REDIS_INSIDE_H

#include "base/list.h"
#include "base/map.h"
#include "wire/redis.h"
#include "wire/resp.h"

enum { GR_REDIS_NAME_BYTES_MAX = 255, GR_REDIS_ADDRESS_BYTES = 80 };

enum gr_redis_flag {
    GR_REDIS_READ = 1 << 0,       // looks at keys
    GR_REDIS_WRITE = 1 << 1,      // changes keys
    GR_REDIS_FAST = 1 << 2,       // said to clients only
    GR_REDIS_LOADING = 1 << 3,    // answered while the node is loading
    GR_REDIS_BARRIER = 1 << 4,    // starts after all before it, and all after it wait
    GR_REDIS_ADMIN = 1 << 5,      // said to clients only
    GR_REDIS_KEYSPACE = 1 << 6,   // said to clients only: about keys, not strings
    GR_REDIS_CONNECTION = 1 << 7, // said to clients only: about this connection
    GR_REDIS_TAKES = 1 << 8,      // the reply may hold what the write removed: it must not be lost
};

struct gr_redis_command;

// One line of the table of commands.
struct gr_redis_spec {
    const char *name;         // lower case; a subcommand is "client|id"
    int8_t arity;             // words, its own included; -n = n or more
    uint16_t flags;           // enum gr_redis_flag
    int8_t first, last, step; // its keys among the words; last -1 = the last word
    char key_use; // how it uses them: r reads, o overwrites, w reads and writes, d deletes
    const char *since, *summary;
    // Turns the words into cmd->ask, key, value and total. May be called more than once for a
    // command; changes nothing but *cmd. Errors: gr_redis_fail.
    void (*prepare)(struct gr_redis *session, struct gr_redis_command *cmd);
    // A command without calls (total is 0): writes the reply, or sets cmd->waiting.
    void (*run)(struct gr_redis *session, struct gr_redis_command *cmd);
    // One call succeeded. The result is borrowed. Writes the reply if there is no `close`.
    void (*take)(struct gr_redis *session, struct gr_redis_command *cmd, uint32_t index,
        const struct gr_result *result);
    // All calls succeeded: writes the reply and returns true; or gr_redis_more and false.
    bool (*close)(struct gr_redis *session, struct gr_redis_command *cmd);
    const struct gr_redis_spec *sub;
    uint8_t sub_count;
};

// One request of a command, found by its ticket (link.hash).
struct gr_redis_call {
    struct gr_map_link link;
    struct gr_redis_command *cmd;
    uint32_t index;
    uint8_t acks, durable; // replicas that acknowledged, when it wrote; that have synced it
    bool in, wrote;
};

// One key that a command under way touches, found by the key's hash.
struct gr_redis_hold {
    struct gr_map_link link;
    const struct gr_redis_command *cmd;
};

struct gr_redis_command {
    struct gr_link link;
    const struct gr_redis_spec *spec; // NULL: not a command that is offered; `error` says why
    struct gr_arena arena;
    struct gr_writer reply; // what comes before its turn
    struct gr_bytes *arg;   // the words; borrowed from the input until gr_redis_keep_words
    uint32_t arg_count;     // words in `arg`: at most GR_RESP_ARGS_KEPT
    uint32_t arg_total;     // words that the client sent
    struct gr_bytes error;  // said instead of a result; empty = none
    bool mute, kept, done, waiting, going, failed;
    bool ends; // the connection ends with this reply
    bool barrier, writes, takes;

    // Set by prepare.
    struct gr_request ask;  // of every call, but for:
    struct gr_key *key;     // of call i, or NULL
    struct gr_bytes *value; // of call i, or NULL
    uint32_t key_count;     // keys that this command touches
    uint32_t total;         // calls

    // The calls.
    struct gr_redis_call *call;
    struct gr_redis_hold *hold;
    uint32_t next, pending, answered;

    // What chapters keep between calls.
    int64_t sum;
    uint32_t option;
    struct gr_bytes text;
    bool flag;
    struct gr_bytes *answer; // of call i; data NULL = none
    size_t answer_bytes;
    struct gr_arena page;
};

// The writes of the last command that wrote: what WAIT and WAITAOF ask about.
struct gr_redis_write {
    uint32_t ticket;
    uint8_t acks, durable;
};

struct gr_redis {
    struct gr_redis_host host;
    uint64_t id;
    char address[GR_REDIS_ADDRESS_BYTES], local[GR_REDIS_ADDRESS_BYTES];
    char name[GR_REDIS_NAME_BYTES_MAX + 1];
    char lib_name[GR_REDIS_NAME_BYTES_MAX + 1], lib_version[GR_REDIS_NAME_BYTES_MAX + 1];
    struct gr_wall born, active;
    uint64_t commands;
    const struct gr_redis_spec *last; // the newest command
    bool resp3, replies_off, skip_next, ending, input_ended, pumping;
    size_t output_max;

    struct gr_resp_parser parser;
    struct gr_writer input; // bytes that could not be taken yet, from input_at on
    size_t input_at;
    struct gr_bytes direct; // the caller's bytes, while they are taken; then `input` is empty
    struct gr_writer output;

    struct gr_list queue;             // commands that are started and not yet answered
    struct gr_redis_command *parked;  // the next one, which may not start yet
    struct gr_redis_command *waiting; // a WAIT or WAITAOF
    struct gr_redis_command *spare;   // free commands, by link.after
    uint32_t spare_count;
    struct gr_map calls, holds;
    uint32_t ticket;
    uint32_t reading, taking; // commands under way that read; that have GR_REDIS_TAKES
    size_t held;              // bytes of answers kept until their turn
    size_t guess;             // bytes that a reading command is likely to answer

    struct gr_redis_write *write;
    uint32_t write_count, write_capacity;
};

// ---- redis.c ---------------------------------------------------------------------------------

// Starts all commands that may start now.
void gr_redis_pump(struct gr_redis *session);

// ---- redis_calls.c: for redis.c --------------------------------------------------------------

struct gr_redis_command *gr_redis_command_new(struct gr_redis *session);
// Back to the session's spares.
void gr_redis_command_free(struct gr_redis *session, struct gr_redis_command *cmd);
void gr_redis_command_destroy(struct gr_redis_command *cmd);
// The oldest command that is not answered, or NULL.
struct gr_redis_command *gr_redis_first(const struct gr_redis *session);
// The reply is written: the command leaves when it is the oldest. May free it.
void gr_redis_finish(struct gr_redis *session, struct gr_redis_command *cmd);
// Writes cmd->error first.
void gr_redis_finish_with_error(struct gr_redis *session, struct gr_redis_command *cmd);
// Makes the calls that may be made; finishes the command when all are answered.
void gr_redis_go_on(struct gr_redis *session, struct gr_redis_command *cmd);

// ---- redis_calls.c: for commands -------------------------------------------------------------

// Where the reply of this command goes now.
struct gr_resp gr_redis_reply(struct gr_redis *session, struct gr_redis_command *cmd);
// The command is answered with this error: "ERR ..." in printf's language.
__attribute__((format(printf, 2, 3))) void gr_redis_fail(
    struct gr_redis_command *cmd, const char *format, ...);
void gr_redis_fail_syntax(struct gr_redis_command *cmd);
void gr_redis_fail_integer(struct gr_redis_command *cmd);
void gr_redis_fail_arity(struct gr_redis_command *cmd);
// From `close`: `total` further calls; cmd->ask, key and value are set. With `clear`, what was
// taken from cmd->page is given back first.
void gr_redis_more(
    struct gr_redis *session, struct gr_redis_command *cmd, uint32_t total, bool clear);
// A waiting command has written its reply.
void gr_redis_finish_wait(struct gr_redis *session);
// True if that many more bytes of answers may be kept for this connection. False: the command has
// failed, and says so.
bool gr_redis_room(struct gr_redis *session, struct gr_redis_command *cmd, size_t bytes);
// Copies an answer until all calls are done; data NULL = none.
void gr_redis_keep_answer(
    struct gr_redis *session, struct gr_redis_command *cmd, uint32_t index, struct gr_bytes bytes);

// ---- redis_words.c: looking at words ---------------------------------------------------------

// Equal but for ASCII case. `word` is lower case.
bool gr_redis_is(struct gr_bytes text, const char *word);
// Redis' glob: * ? [a-z] [^a] and backslash.
bool gr_redis_glob(struct gr_bytes pattern, struct gr_bytes text, bool any_case);
// Keys arg[first], arg[first + step] ... become cmd->key and total, and with step 2 the words
// between them cmd->value; each key at most once if `once`, with its last value. False: failed.
bool gr_redis_keys(struct gr_redis_command *cmd, uint32_t first, uint32_t step, bool once);
// arg[1] is the one key. False: failed.
bool gr_redis_key(struct gr_redis_command *cmd);
// False: failed.
bool gr_redis_value_fits(struct gr_redis_command *cmd, struct gr_bytes value);
bool gr_redis_integer(struct gr_redis_command *cmd, struct gr_bytes text, int64_t *ret);
// What the plain face shows of a GET, or NULL.
const struct gr_sibling *gr_redis_visible(const struct gr_result *result);
// Writes the words of an error of the core: "TRYAGAIN 1 of R=2 replicas answered within 500 ms".
void gr_redis_result_text(struct gr_writer *to, const struct gr_result *result);

// printf into a writer.
__attribute__((format(printf, 2, 3))) void gr_redis_print(
    struct gr_writer *to, const char *format, ...);

// ---- redis_table.c, redis_refuse.c -----------------------------------------------------------

extern const struct gr_redis_spec gr_redis_table[];
extern const uint32_t gr_redis_table_count;
// NULL if there is none. `name` as the client spelled it.
const struct gr_redis_spec *gr_redis_find(struct gr_bytes name);
const struct gr_redis_spec *gr_redis_find_sub(
    const struct gr_redis_spec *spec, struct gr_bytes name);
// Why a Redis command is not offered, or NULL if Redis has no such command either.
const char *gr_redis_refusal(struct gr_bytes name);

// ---- what the table names --------------------------------------------------------------------

#define GR_REDIS_PREPARE(name)                                                                     \
    void gr_redis_prepare_##name(struct gr_redis *session, struct gr_redis_command *cmd)
#define GR_REDIS_RUN(name)                                                                         \
    void gr_redis_run_##name(struct gr_redis *session, struct gr_redis_command *cmd)
#define GR_REDIS_TAKE(name)                                                                        \
    void gr_redis_take_##name(struct gr_redis *session, struct gr_redis_command *cmd,              \
        uint32_t index, const struct gr_result *result)
#define GR_REDIS_CLOSE(name)                                                                       \
    bool gr_redis_close_##name(struct gr_redis *session, struct gr_redis_command *cmd)

// redis_keys.c: one key
GR_REDIS_PREPARE(get);
GR_REDIS_TAKE(get);
GR_REDIS_TAKE(strlen);
GR_REDIS_TAKE(type);
GR_REDIS_PREPARE(set);
GR_REDIS_PREPARE(setex);
GR_REDIS_TAKE(set);
GR_REDIS_PREPARE(append);
GR_REDIS_TAKE(integer);
GR_REDIS_PREPARE(getdel);
GR_REDIS_PREPARE(getex);
GR_REDIS_TAKE(getex);
// redis_expire.c: times
GR_REDIS_PREPARE(expire);
GR_REDIS_PREPARE(persist);
GR_REDIS_TAKE(ttl);
// redis_many.c: many keys
GR_REDIS_PREPARE(mget);
GR_REDIS_TAKE(mget);
GR_REDIS_CLOSE(mget);
GR_REDIS_PREPARE(mset);
GR_REDIS_TAKE(nothing);
GR_REDIS_CLOSE(ok);
GR_REDIS_PREPARE(exists);
GR_REDIS_TAKE(exists);
GR_REDIS_PREPARE(del);
GR_REDIS_TAKE(sum);
GR_REDIS_CLOSE(sum);
GR_REDIS_PREPARE(scan);
GR_REDIS_TAKE(scan);
GR_REDIS_PREPARE(dbsize);
GR_REDIS_TAKE(dbsize);
GR_REDIS_PREPARE(flush);
GR_REDIS_TAKE(flush);
GR_REDIS_CLOSE(flush);
GR_REDIS_PREPARE(wait);
GR_REDIS_RUN(wait);
GR_REDIS_PREPARE(waitaof);
GR_REDIS_RUN(waitaof);
// redis_context.c: our own
GR_REDIS_PREPARE(gr_get);
GR_REDIS_TAKE(gr_get);
GR_REDIS_PREPARE(gr_put);
GR_REDIS_PREPARE(gr_del);
GR_REDIS_TAKE(gr_put);
GR_REDIS_PREPARE(gr_explain);
GR_REDIS_TAKE(gr_explain);
GR_REDIS_RUN(gr_where);
GR_REDIS_RUN(gr_hints);
GR_REDIS_RUN(gr_link);
// redis_repair.c
GR_REDIS_RUN(gr_repair);
// redis_cluster.c
GR_REDIS_RUN(gr_cluster_cancel);
GR_REDIS_RUN(gr_cluster_commit);
GR_REDIS_RUN(gr_cluster_history);
GR_REDIS_RUN(gr_cluster_plan);
GR_REDIS_RUN(gr_cluster_set);
GR_REDIS_RUN(gr_cluster_settings);
GR_REDIS_RUN(gr_cluster_show);
GR_REDIS_RUN(gr_cluster_stage);
GR_REDIS_RUN(gr_cluster_transfers);
// redis_admin.c: the connection
GR_REDIS_RUN(ping);
GR_REDIS_RUN(echo);
GR_REDIS_RUN(hello);
GR_REDIS_RUN(auth);
GR_REDIS_RUN(select);
GR_REDIS_RUN(quit);
GR_REDIS_RUN(reset);
GR_REDIS_RUN(ok);
GR_REDIS_RUN(client_id);
GR_REDIS_RUN(client_setname);
GR_REDIS_RUN(client_getname);
GR_REDIS_RUN(client_setinfo);
GR_REDIS_RUN(client_info);
GR_REDIS_RUN(client_list);
GR_REDIS_RUN(client_reply);
GR_REDIS_RUN(config_get);
// redis_info.c
GR_REDIS_RUN(info);
// redis_command.c: COMMAND
GR_REDIS_RUN(command);
GR_REDIS_RUN(command_count);
GR_REDIS_RUN(command_docs);
GR_REDIS_RUN(command_info);
GR_REDIS_RUN(command_list);
GR_REDIS_RUN(command_getkeys);

#endif
