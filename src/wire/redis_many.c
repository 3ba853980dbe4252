// The Redis face: commands of many keys, of all keys, and of all replicas.
//
// There is no operation over several keys inside: MGET is as many GETs, MSET as many SETs, each of
// which succeeds or fails alone. The first error ends the command, and its text says how many keys
// were done. FLUSHALL is a walk: a page of keys, their deletes, the next page.
//
// Source: redis.io/commands; texts and order of checks as redis-server 7.0 has them.
//
// I1. DEL and MSET ask once for a key that is named twice: two calls of one command are not
// ordered. I2. A page of FLUSHALL is given back before the next one is asked for.
//
// Owns nothing: see redis.c. Bounds: GR_REDIS_KEYS_MAX keys of a command, SCAN_PAGE_MAX of a page.
#include <inttypes.h>
#include <stdio.h>

#include "wire/redis_inside.h"

enum { SCAN_PAGE_DEFAULT = 10, SCAN_PAGE_MAX = 1000, FLUSH_PAGE = 500 };

// ---- many keys -----------------------------------------------------------------------------

GR_REDIS_PREPARE(mget)
{
    (void)session;
    cmd->ask.op = GR_OP_GET;
    if (gr_redis_keys(cmd, 1, 1, false))
        cmd->answer = gr_arena_take_zero(&cmd->arena, cmd->total * sizeof(struct gr_bytes));
}

GR_REDIS_TAKE(mget)
{
    const struct gr_sibling *seen = gr_redis_visible(result);
    if (seen != NULL)
        gr_redis_keep_answer(session, cmd, index, seen->value);
}

GR_REDIS_CLOSE(mget)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, cmd->total);
    for (uint32_t i = 0; i < cmd->total; i++) {
        if (cmd->answer[i].data == NULL)
            gr_resp_null(&resp);
        else
            gr_resp_bulk(&resp, cmd->answer[i]);
    }
    return true;
}

GR_REDIS_PREPARE(mset)
{
    (void)session;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_SET;
    if (cmd->arg_count % 2 == 0) {
        gr_redis_fail_arity(cmd);
        return;
    }
    for (uint32_t i = 2; i < cmd->arg_count; i += 2) {
        if (!gr_redis_value_fits(cmd, cmd->arg[i]))
            return;
    }
    (void)gr_redis_keys(cmd, 1, 2, true);
}

GR_REDIS_TAKE(nothing)
{
    (void)session, (void)cmd, (void)index, (void)result;
}

GR_REDIS_CLOSE(ok)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_simple(&resp, "OK");
    return true;
}

// EXISTS and TOUCH: a key that is named twice counts twice.
GR_REDIS_PREPARE(exists)
{
    (void)session;
    cmd->ask.op = GR_OP_GET;
    (void)gr_redis_keys(cmd, 1, 1, false);
}

GR_REDIS_TAKE(exists)
{
    (void)session, (void)index;
    cmd->sum += gr_redis_visible(result) != NULL;
}

// DEL and UNLINK: a key that is named twice is deleted once.
GR_REDIS_PREPARE(del)
{
    (void)session;
    cmd->ask.op = GR_OP_UPDATE;
    cmd->ask.verb = GR_VERB_DELETE;
    (void)gr_redis_keys(cmd, 1, 1, true);
}

GR_REDIS_TAKE(sum)
{
    (void)session, (void)index;
    cmd->sum += result->integer;
}

GR_REDIS_CLOSE(sum)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, cmd->sum);
    return true;
}

// ---- all keys ------------------------------------------------------------------------------

static void ask_page(struct gr_redis_command *cmd, gr_cursor cursor, uint32_t limit)
{
    cmd->ask = (struct gr_request){.op = GR_OP_SCAN, .cursor = cursor, .limit = limit};
    cmd->ask.key.bucket = gr_bytes_text("default");
    cmd->key = NULL;
    cmd->total = 1;
}

static bool read_cursor(struct gr_redis_command *cmd, struct gr_bytes text, gr_cursor *ret)
{
    int64_t number;
    if (!gr_decimal_read(text, &number) || number < 0) {
        gr_redis_fail(cmd, "ERR invalid cursor");
        return false;
    }
    *ret = GR_MIN((gr_cursor)number, GR_CURSOR_END);
    return true;
}

// SCAN cursor [MATCH pattern] [COUNT n] [TYPE type]
GR_REDIS_PREPARE(scan)
{
    (void)session;
    gr_cursor cursor;
    int64_t count = SCAN_PAGE_DEFAULT;
    if (!read_cursor(cmd, cmd->arg[1], &cursor))
        return;
    cmd->text = gr_bytes(NULL, 0); // the pattern
    cmd->flag = false;             // a type that no key has
    for (uint32_t i = 2; i < cmd->arg_count; i += 2) {
        struct gr_bytes word = cmd->arg[i];
        if (i + 1 == cmd->arg_count) {
            gr_redis_fail_syntax(cmd);
        } else if (gr_redis_is(word, "count")) {
            if (gr_redis_integer(cmd, cmd->arg[i + 1], &count) && count < 1)
                gr_redis_fail_syntax(cmd);
        } else if (gr_redis_is(word, "match")) {
            cmd->text = gr_arena_copy(&cmd->arena, cmd->arg[i + 1]);
        } else if (gr_redis_is(word, "type")) {
            cmd->flag = !gr_redis_is(cmd->arg[i + 1], "string");
        } else {
            gr_redis_fail_syntax(cmd);
        }
        if (cmd->failed)
            return;
    }
    ask_page(cmd, cursor, (uint32_t)GR_MIN(count, SCAN_PAGE_MAX));
}

static bool scan_shows(const struct gr_redis_command *cmd, const struct gr_key *key)
{
    return !cmd->flag && (cmd->text.data == NULL || gr_redis_glob(cmd->text, key->key, false));
}

GR_REDIS_TAKE(scan)
{
    (void)index;
    uint32_t count = 0;
    size_t bytes = 0;
    for (uint32_t i = 0; i < result->key_count; i++) {
        if (scan_shows(cmd, &result->key[i])) {
            count++;
            bytes += result->key[i].key.size;
        }
    }
    if (!gr_redis_room(session, cmd, bytes))
        return;
    char cursor[GR_DECIMAL_BYTES];
    size_t digits =
        gr_decimal(result->cursor >= GR_CURSOR_END ? 0 : (int64_t)result->cursor, cursor);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, 2);
    gr_resp_bulk(&resp, gr_bytes(cursor, digits));
    gr_resp_array(&resp, count);
    for (uint32_t i = 0; i < result->key_count; i++) {
        if (scan_shows(cmd, &result->key[i]))
            gr_resp_bulk(&resp, result->key[i].key);
    }
}

GR_REDIS_PREPARE(dbsize)
{
    (void)session;
    cmd->ask.op = GR_OP_COUNT;
    cmd->ask.key.bucket = gr_bytes_text("default");
    cmd->total = 1;
}

GR_REDIS_TAKE(dbsize)
{
    (void)index;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, result->count);
}

// FLUSHALL and FLUSHDB [ASYNC|SYNC]: both wait for the deletes.
GR_REDIS_PREPARE(flush)
{
    (void)session;
    if (cmd->arg_count > 2 || (cmd->arg_count == 2 && !gr_redis_is(cmd->arg[1], "async") &&
                                  !gr_redis_is(cmd->arg[1], "sync"))) {
        gr_redis_fail_syntax(cmd);
        return;
    }
    ask_page(cmd, 0, FLUSH_PAGE);
}

// cmd->ask.cursor is where the next page begins, once this page has come.
GR_REDIS_TAKE(flush)
{
    (void)session, (void)index;
    if (result->op == GR_OP_UPDATE) {
        cmd->sum += result->integer;
        return;
    }
    cmd->ask.cursor = result->cursor;
    cmd->option = result->key_count;
    cmd->key = gr_arena_array(&cmd->page, struct gr_key, result->key_count);
    for (uint32_t i = 0; i < result->key_count; i++)
        cmd->key[i] = gr_key_copy(&cmd->page, &result->key[i]);
}

GR_REDIS_CLOSE(flush)
{
    if (cmd->ask.op == GR_OP_SCAN && cmd->option > 0) {
        cmd->ask.op = GR_OP_UPDATE;
        cmd->ask.verb = GR_VERB_DELETE;
        gr_redis_more(session, cmd, cmd->option, false);
        return false;
    }
    if (cmd->ask.cursor >= GR_CURSOR_END)
        return gr_redis_close_ok(session, cmd);
    ask_page(cmd, cmd->ask.cursor, FLUSH_PAGE);
    gr_redis_more(session, cmd, 1, true);
    return false;
}

// ---- all replicas --------------------------------------------------------------------------

// arg[at] replicas, arg[at + 1] milliseconds
static void read_wait(struct gr_redis_command *cmd, uint32_t at)
{
    int64_t timeout;
    cmd->flag = false;
    if (!gr_redis_integer(cmd, cmd->arg[at], &cmd->sum))
        return;
    if (!gr_decimal_read(cmd->arg[at + 1], &timeout) || timeout > INT64_MAX / 1000000)
        gr_redis_fail(cmd, "ERR timeout is not an integer or out of range");
    else if (timeout < 0)
        gr_redis_fail(cmd, "ERR timeout is negative");
    else
        cmd->ask.timeout = gr_span_ms(timeout);
}

// WAIT replicas milliseconds
GR_REDIS_PREPARE(wait)
{
    (void)session;
    read_wait(cmd, 1);
}

// WAITAOF local replicas milliseconds
GR_REDIS_PREPARE(waitaof)
{
    (void)session;
    int64_t local;
    if (!gr_redis_integer(cmd, cmd->arg[1], &local))
        return;
    if (local < 0 || local > 1) {
        gr_redis_fail(cmd, "ERR value is out of range, must be between 0 and 1");
        return;
    }
    read_wait(cmd, 2);
    cmd->option = (uint32_t)local;
}

// Replicas that have this connection's last write, or all of its writes if the last command wrote
// several; on disk, if `durable`. With nothing written there is nothing that a replica could lack.
static int64_t replicas_with_write(const struct gr_redis *session, bool durable)
{
    int64_t least = session->host.ring(session->host.host)->n;
    for (uint32_t i = 0; i < session->write_count; i++)
        least = GR_MIN(least, durable ? session->write[i].durable : session->write[i].acks);
    return least;
}

// True: the answer is due. Else it waits, for the next acknowledgement or until the time is over
// (cmd->flag).
static bool wait_ends(struct gr_redis *session, struct gr_redis_command *cmd, bool reached)
{
    if (reached || cmd->flag)
        return true;
    if (!cmd->waiting && cmd->ask.timeout.ns > 0)
        session->host.timer(session->host.host, session, cmd->ask.timeout);
    cmd->waiting = true;
    session->waiting = cmd;
    return false;
}

static void end_wait(struct gr_redis *session, struct gr_redis_command *cmd)
{
    if (!cmd->waiting)
        return;
    if (!cmd->flag && cmd->ask.timeout.ns > 0)
        session->host.timer(session->host.host, session, (struct gr_span){0});
    gr_redis_finish_wait(session);
}

// These two run first when the command starts; then at each acknowledgement.
GR_REDIS_RUN(wait)
{
    // Beside the coordinator, which is what Redis calls the master.
    int64_t reached = GR_MAX(replicas_with_write(session, false) - 1, 0);
    if (!wait_ends(session, cmd, reached >= cmd->sum))
        return;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_integer(&resp, reached);
    end_wait(session, cmd);
}

// One synced copy, wherever it is, is the local one; the others are those of replicas.
GR_REDIS_RUN(waitaof)
{
    int64_t synced = replicas_with_write(session, true);
    int64_t local = GR_MIN(synced, 1), others = synced - local;
    if (!wait_ends(session, cmd, local >= cmd->option && others >= cmd->sum))
        return;
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, 2);
    gr_resp_integer(&resp, local);
    gr_resp_integer(&resp, others);
    end_wait(session, cmd);
}
