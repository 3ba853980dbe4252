// The Redis face: a command under way, from its first request to its reply.
//
// A command asks the core once or many times (its calls) and keeps what it learns until all calls
// are answered; then its reply is written, straight to the output if the command is the oldest one,
// else beside it until its turn comes.
//
// Source: redis.io/docs (pipelining, WAIT); invariants I1-I6 of redis.c.
//
// I7. At most GR_REDIS_CALLS_MAX calls of a command are under way; after the first error no further
//     one is made, and the reply is written when those under way have ended.
// I8. Results may arrive within submit: they mark their command, and the loop that submitted goes
// on.
//
// Owns: the reply and the arena of each command, which hold copies of all that outlives a result.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/redis_inside.h"

enum { SPARE_MAX = 16, ARENA_IDLE_BYTES = 4 << 10 };

// ---- commands: made and given back ---------------------------------------------------------

struct gr_redis_command *gr_redis_command_new(struct gr_redis *session)
{
    struct gr_redis_command *cmd = session->spare;
    if (cmd != NULL) {
        session->spare = (struct gr_redis_command *)cmd->link.after;
        session->spare_count--;
        struct gr_arena arena = cmd->arena;
        *cmd = (struct gr_redis_command){.arena = arena};
    } else {
        cmd = gr_hook_memory(NULL, sizeof *cmd);
        *cmd = (struct gr_redis_command){0};
    }
    gr_writer_init(&cmd->reply, session->output.size_max);
    return cmd;
}

static void drop_calls(struct gr_redis *session, struct gr_redis_command *cmd)
{
    gr_assert(cmd->pending == 0);
    for (uint32_t i = 0; i < cmd->next; i++)
        gr_map_remove(&session->calls, &cmd->call[i].link);
    cmd->next = 0;
}

static void drop_holds(struct gr_redis *session, struct gr_redis_command *cmd)
{
    for (uint32_t i = 0; cmd->hold != NULL && i < cmd->key_count; i++)
        gr_map_remove(&session->holds, &cmd->hold[i].link);
    cmd->hold = NULL;
}

void gr_redis_command_destroy(struct gr_redis_command *cmd)
{
    gr_writer_deinit(&cmd->reply);
    gr_arena_deinit(&cmd->page);
    gr_arena_deinit(&cmd->arena);
    gr_hook_memory(cmd, 0);
}

void gr_redis_command_free(struct gr_redis *session, struct gr_redis_command *cmd)
{
    if (session->spare_count == SPARE_MAX) {
        gr_redis_command_destroy(cmd);
        return;
    }
    gr_writer_deinit(&cmd->reply);
    gr_arena_deinit(&cmd->page);
    if (cmd->arena.bytes > ARENA_IDLE_BYTES)
        gr_arena_deinit(&cmd->arena);
    else
        gr_arena_clear(&cmd->arena);
    cmd->link.after = (struct gr_link *)session->spare;
    session->spare = cmd;
    session->spare_count++;
}

// ---- errors --------------------------------------------------------------------------------

void gr_redis_fail(struct gr_redis_command *cmd, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gr_assert(size > 0);
    cmd->failed = true;
    cmd->error = gr_arena_copy(&cmd->arena, gr_bytes(text, GR_MIN((size_t)size, sizeof text - 1)));
}

void gr_redis_fail_syntax(struct gr_redis_command *cmd)
{
    gr_redis_fail(cmd, "ERR syntax error");
}

void gr_redis_fail_integer(struct gr_redis_command *cmd)
{
    gr_redis_fail(cmd, "ERR value is not an integer or out of range");
}

void gr_redis_fail_arity(struct gr_redis_command *cmd)
{
    gr_redis_fail(cmd, "ERR wrong number of arguments for '%s' command", cmd->spec->name);
}

// ---- answering -----------------------------------------------------------------------------

struct gr_redis_command *gr_redis_first(const struct gr_redis *session)
{
    struct gr_link *link = session->queue.first;
    return link == NULL ? NULL : GR_CONTAINER(link, struct gr_redis_command, link);
}

struct gr_resp gr_redis_reply(struct gr_redis *session, struct gr_redis_command *cmd)
{
    bool now = cmd == gr_redis_first(session) && !cmd->mute;
    return (struct gr_resp){now ? &session->output : &cmd->reply, session->resp3};
}

bool gr_redis_room(struct gr_redis *session, struct gr_redis_command *cmd, size_t bytes)
{
    cmd->answer_bytes += bytes;
    session->guess = GR_MAX(session->guess, cmd->answer_bytes);
    size_t limit = 2 * session->output_max;
    if (cmd->takes || session->output.size + session->held + bytes <= limit)
        return true;
    if (cmd->answer_bytes > limit)
        gr_redis_fail(cmd, "ERR the reply is over %zu MiB; ask for less at a time", limit >> 20);
    else
        gr_redis_fail(
            cmd, "BUSY over %zu MiB of replies wait to be read on this connection", limit >> 20);
    return false;
}

void gr_redis_keep_answer(
    struct gr_redis *session, struct gr_redis_command *cmd, uint32_t index, struct gr_bytes bytes)
{
    gr_assert(index < cmd->total);
    if (!gr_redis_room(session, cmd, bytes.size))
        return;
    session->held += bytes.size;
    cmd->answer[index] = gr_arena_copy(&cmd->arena, bytes);
}

// What WAIT will ask about: the writes of the newest command that wrote.
static void remember_writes(struct gr_redis *session, struct gr_redis_command *cmd)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < cmd->next; i++)
        count += cmd->call[i].wrote;
    if (count == 0)
        return;
    if (count > session->write_capacity) {
        session->write = gr_hook_memory(session->write, count * sizeof(struct gr_redis_write));
        session->write_capacity = count;
    }
    session->write_count = 0;
    for (uint32_t i = 0; i < cmd->next; i++) {
        const struct gr_redis_call *call = &cmd->call[i];
        if (call->wrote)
            session->write[session->write_count++] =
                (struct gr_redis_write){(uint32_t)call->link.hash, call->acks, call->durable};
    }
}

// Sends what is done at the head of the queue.
static void send_done(struct gr_redis *session)
{
    for (;;) {
        struct gr_redis_command *cmd = gr_redis_first(session);
        if (cmd == NULL || !cmd->done)
            return;
        if (cmd->reply.size > 0) {
            session->held -= cmd->reply.size;
            if (!cmd->mute)
                gr_write_bytes(&session->output, gr_writer_bytes(&cmd->reply));
        }
        gr_list_remove(&session->queue, &cmd->link);
        remember_writes(session, cmd);
        drop_calls(session, cmd);
        gr_redis_command_free(session, cmd);
    }
}

// The reply is written, to the output or to cmd->reply.
void gr_redis_finish(struct gr_redis *session, struct gr_redis_command *cmd)
{
    gr_assert(!cmd->done && cmd->pending == 0);
    for (uint32_t i = 0; cmd->answer != NULL && i < cmd->total; i++)
        session->held -= cmd->answer[i].size;
    cmd->answer = NULL;
    if (cmd->total > 0 && (!cmd->writes || cmd->takes)) {
        session->reading--;
        session->guess -= (session->guess - GR_MIN(session->guess, cmd->answer_bytes)) / 8;
    }
    if (cmd->takes)
        session->taking--;
    drop_holds(session, cmd);
    session->held += cmd->reply.size;
    cmd->done = true;
    send_done(session);
}

void gr_redis_finish_with_error(struct gr_redis *session, struct gr_redis_command *cmd)
{
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_error(&resp, cmd->error);
    gr_redis_finish(session, cmd);
}

// ---- calls ---------------------------------------------------------------------------------

static void submit(struct gr_redis *session, struct gr_redis_command *cmd)
{
    uint32_t i = cmd->next++;
    struct gr_redis_call *call = &cmd->call[i];
    *call = (struct gr_redis_call){.cmd = cmd, .index = i, .in = true};
    struct gr_request request = cmd->ask;
    request.ticket = ++session->ticket;
    if (cmd->key != NULL)
        request.key = cmd->key[i];
    if (cmd->value != NULL)
        request.value = cmd->value[i];
    gr_map_insert(&session->calls, &call->link, request.ticket);
    cmd->pending++;
    session->host.submit(session->host.host, session, &request);
}

// Submits what may be submitted, and finishes the command when all is answered. Results may arrive
// within submit: then `going` leaves the rest to the outer loop.
void gr_redis_go_on(struct gr_redis *session, struct gr_redis_command *cmd)
{
    if (cmd->going)
        return;
    cmd->going = true;
    for (;;) {
        while (!cmd->failed && cmd->next < cmd->total && cmd->pending < GR_REDIS_CALLS_MAX)
            submit(session, cmd);
        if (cmd->pending > 0) {
            cmd->going = false;
            return;
        }
        if (cmd->failed) {
            gr_redis_finish_with_error(session, cmd);
            return;
        }
        if (cmd->next < cmd->total)
            continue;
        if (cmd->spec->close == NULL || cmd->spec->close(session, cmd)) {
            gr_redis_finish(session, cmd);
            return;
        }
    }
}

void gr_redis_more(
    struct gr_redis *session, struct gr_redis_command *cmd, uint32_t total, bool clear)
{
    remember_writes(session, cmd);
    drop_calls(session, cmd);
    if (clear)
        gr_arena_clear(&cmd->page);
    cmd->total = total;
    cmd->call = gr_arena_array(&cmd->page, struct gr_redis_call, total);
}

void gr_redis_finish_wait(struct gr_redis *session)
{
    struct gr_redis_command *cmd = session->waiting;
    session->waiting = NULL;
    gr_redis_finish(session, cmd);
}

static void fail_with(struct gr_redis_command *cmd, const struct gr_result *result)
{
    struct gr_writer text;
    gr_writer_init(&text, 512);
    gr_redis_result_text(&text, result);
    gr_redis_fail(cmd, "%.*s", (int)text.size, (const char *)text.data);
    gr_writer_deinit(&text);
}

// "First error wins and says how many keys were done": once all calls that were under way ended.
static void count_done(struct gr_redis_command *cmd)
{
    bool many = cmd->key_count > 1;
    bool pages = cmd->spec->close != NULL && cmd->key_count == 0;
    char text[512];
    struct gr_bytes error = cmd->error;
    if (many)
        snprintf(text, sizeof text, "%.*s; %u of %u keys were done", (int)error.size,
            (const char *)error.data, cmd->answered, cmd->total);
    else if (pages)
        snprintf(text, sizeof text, "%.*s; %lld keys were done", (int)error.size,
            (const char *)error.data, (long long)cmd->sum);
    else
        return;
    cmd->error = gr_arena_copy(&cmd->arena, gr_bytes_text(text));
}

static struct gr_redis_call *find_call(const struct gr_redis *session, uint32_t ticket)
{
    struct gr_map_link *link = gr_map_first(&session->calls, ticket);
    return link == NULL ? NULL : GR_CONTAINER(link, struct gr_redis_call, link);
}

void gr_redis_result(struct gr_redis *session, const struct gr_result *result)
{
    struct gr_redis_call *call = find_call(session, (uint32_t)result->ticket);
    if (call == NULL || !call->in)
        return;
    struct gr_redis_command *cmd = call->cmd;
    call->in = false;
    call->acks = GR_MAX(call->acks, result->acks);
    call->durable = GR_MAX(call->durable, result->durable);
    cmd->pending--;
    if (result->err == GR_OK) {
        call->wrote = result->op == GR_OP_PUT || (result->op == GR_OP_UPDATE && result->written);
        bool failed_before = cmd->failed;
        if (!failed_before)
            cmd->spec->take(session, cmd, call->index, result);
        cmd->answered += failed_before || !cmd->failed;
    } else if (!cmd->failed) {
        fail_with(cmd, result);
    }
    if (cmd->failed && cmd->pending == 0)
        count_done(cmd);
    gr_redis_go_on(session, cmd);
    gr_redis_pump(session);
}

void gr_redis_acked(struct gr_redis *session, uint64_t ticket, uint8_t acks, uint8_t durable)
{
    struct gr_redis_call *call = find_call(session, (uint32_t)ticket);
    if (call != NULL) {
        call->acks = GR_MAX(call->acks, acks);
        call->durable = GR_MAX(call->durable, durable);
        return;
    }
    // Tickets in `write` rise; counted from the first one, they do so even when they wrap.
    uint32_t low = 0, high = session->write_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t there = session->write[middle].ticket - session->write[0].ticket;
        if (there < (uint32_t)ticket - session->write[0].ticket)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == session->write_count || session->write[low].ticket != (uint32_t)ticket)
        return;
    session->write[low].acks = GR_MAX(session->write[low].acks, acks);
    session->write[low].durable = GR_MAX(session->write[low].durable, durable);
    if (session->waiting != NULL) {
        session->waiting->spec->run(session, session->waiting);
        gr_redis_pump(session);
    }
}

void gr_redis_timer(struct gr_redis *session)
{
    if (session->waiting == NULL)
        return;
    session->waiting->flag = true; // the time is over
    session->waiting->spec->run(session, session->waiting);
    gr_redis_pump(session);
}
