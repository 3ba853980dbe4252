// The Redis listener and its connections: bytes between sockets and sessions (wire/redis.h).
//
//   C1  A session is freed only when its socket is gone, so no call into a session can free it.
//   C2  Replies leave only in a flush of the turn, after the writes behind them were applied.
//   C3  While a session wants no input, or the store stalls, its socket is not read: the client's
//       own send buffer fills up, and that is all the memory it can take.
//   C4  What all clients have on its way (parts of commands, replies) is bounded too. Over held_max
//       only those are read that hold nothing, so that short commands go on, and one that does, so
//       that long ones end one after the other; over it by a quarter only that one. What was taken
//       in is never dropped; the one that keeps the others waiting and does not go on is closed.
//
// A ticket is the connection's id in the high 32 bits and the session's number in the low 32; a
// result whose connection is gone is dropped.
//
// Bounds: clients->max connections; a session's input and output (wire/redis.h, OUTPUT_BYTES_MAX);
// of all together held_max, a quarter, and what one may hold; who leaves more than SLOW_BYTES
// unread for SLOW_MS is closed, and who has HARD_BYTES_MAX unread at once.
#include <string.h>

#include "shell/inside.h"
#include "shell/log.h"

enum {
    OUTPUT_BYTES_MAX = 32 << 20,
    HARD_BYTES_MAX = 80 << 20, // twice OUTPUT_BYTES_MAX, and some
    SLOW_BYTES = 1 << 20,
    SLOW_MS = 30000,
    PRESSED_BYTES = 64 << 10, // the same under pressure (C4)
    PRESSED_MS = 5000,
    BACKLOG = 511,
    HANDLES = 2, // the socket and the timer
};

struct gr_client {
    struct gr_stream stream; // first: callbacks get it
    struct gr_server *server;
    struct gr_link in_all, in_dirty;
    struct gr_map_link by_id;
    uint64_t id;
    struct gr_redis *session; // NULL: refused, only the words why are sent
    struct gr_writer refusal;
    uv_timer_t timer;
    int handles;
    bool ended;               // the other side will send no more
    size_t held;              // as clients->held counts it
    size_t unsent_last;       // at the last look
    uint64_t unsent_since_ms; // when it last changed
    size_t unread_last;
    uint64_t unread_since_ms;
};

static void touch(struct gr_client *client)
{
    if (!client->in_dirty.in)
        gr_list_append(&client->server->clients.dirty, &client->in_dirty);
}

static struct gr_client *find(const struct gr_clients *clients, uint32_t id)
{
    struct gr_map_link *link = gr_map_first(&clients->by_id, id);
    return link == NULL ? NULL : GR_CONTAINER(link, struct gr_client, by_id);
}

// ---- what they hold (C4) -----------------------------------------------------------------------

static bool wants_input(const struct gr_client *client)
{
    const struct gr_clients *clients = &client->server->clients;
    if (client->ended || client->server->turn.stalled || !gr_redis_wants_input(client->session))
        return false;
    return clients->pressure == 0 || client == clients->favoured ||
           (clients->pressure == 1 && client->held == 0);
}

static void account(struct gr_client *client, size_t held)
{
    client->server->clients.held += held - client->held;
    client->held = held;
}

// The longest unfinished command: it frees most when it ends. NULL if nobody has begun one.
static struct gr_client *find_longest(const struct gr_clients *clients)
{
    struct gr_client *longest = NULL;
    size_t most = 0;
    for (struct gr_link *at = clients->all.first; at != NULL; at = at->after) {
        struct gr_client *client = GR_CONTAINER(at, struct gr_client, in_all);
        if (client->stream.closing || client->ended || !gr_redis_wants_input(client->session))
            continue;
        size_t unread = gr_redis_unread(client->session);
        if (unread > most) {
            most = unread;
            longest = client;
        }
    }
    return longest;
}

// After `held` has changed: who may be read.
static void press(struct gr_server *server)
{
    struct gr_clients *clients = &server->clients;
    size_t max = clients->held_max, held = clients->held;
    int pressure = clients->pressure;
    if (held >= max + max / 4)
        pressure = 2;
    else if (held < max && (pressure == 2 || held >= max - max / 4))
        pressure = GR_MIN(pressure, 1);
    else if (held < max - max / 4)
        pressure = 0;
    if (held >= max)
        pressure = GR_MAX(pressure, 1);
    struct gr_client *favoured = pressure > 0 ? clients->favoured : NULL;
    bool goes_on = favoured != NULL && !favoured->stream.closing && !favoured->ended &&
                   gr_redis_unread(favoured->session) > 0;
    if (pressure > 0 && !goes_on)
        favoured = find_longest(clients);
    if (favoured != NULL && favoured != clients->favoured)
        favoured->unread_since_ms = uv_now(&server->loop);
    if (pressure == clients->pressure && favoured == clients->favoured)
        return;
    if (pressure > 0 && clients->pressure == 0)
        gr_log(GR_LOG_WARN,
            "clients have %zu bytes of commands and replies on their way (client_memory is %zu): "
            "they are read one after the other",
            held, max);
    clients->pressure = pressure;
    clients->favoured = favoured;
    gr_clients_pause(server, server->turn.stalled);
}

// ---- the end ---------------------------------------------------------------------------------

static void release(struct gr_client *client)
{
    if (--client->handles > 0)
        return;
    struct gr_clients *clients = &client->server->clients;
    if (client->in_dirty.in)
        gr_list_remove(&clients->dirty, &client->in_dirty);
    if (client->session != NULL) {
        clients->commands_gone += gr_redis_commands(client->session);
        gr_list_remove(&clients->all, &client->in_all);
        gr_map_remove(&clients->by_id, &client->by_id);
        gr_redis_free(client->session);
    }
    gr_writer_deinit(&client->refusal);
    gr_hook_memory(client, 0);
}

static void on_timer_closed(uv_handle_t *timer)
{
    release(timer->data);
}

static void on_closed(struct gr_stream *stream)
{
    release((struct gr_client *)stream);
}

static void client_close(struct gr_client *client)
{
    if (client->stream.closing)
        return;
    // Its memory goes when the socket has gone, which is in this turn of the loop.
    account(client, 0);
    if (client->server->clients.favoured == client)
        client->server->clients.favoured = NULL;
    gr_stream_close(&client->stream);
    uv_close((uv_handle_t *)&client->timer, on_timer_closed);
}

// ---- from the socket -------------------------------------------------------------------------

static void on_bytes(struct gr_stream *stream, struct gr_bytes bytes)
{
    struct gr_client *client = (struct gr_client *)stream;
    if (client->session == NULL)
        return;
    gr_redis_input(client->session, bytes);
    touch(client);
    account(client, gr_redis_held(client->session));
    press(client->server);
    if (!wants_input(client))
        gr_stream_read(stream, false);
}

static void on_end(struct gr_stream *stream, const char *why)
{
    struct gr_client *client = (struct gr_client *)stream;
    if (why != NULL || client->session == NULL) {
        client_close(client);
        return;
    }
    client->ended = true;
    gr_redis_input_end(client->session);
    touch(client);
}

static void on_drained(struct gr_stream *stream)
{
    touch((struct gr_client *)stream);
}

static const struct gr_stream_calls stream_calls = {on_bytes, on_end, on_drained, on_closed};

static void on_timer(uv_timer_t *timer)
{
    struct gr_client *client = timer->data;
    if (client->stream.closing)
        return;
    gr_redis_timer(client->session);
    touch(client);
}

void gr_face_timer(void *host, struct gr_redis *session, struct gr_span span)
{
    struct gr_server *server = host;
    struct gr_client *client = find(&server->clients, (uint32_t)gr_redis_id(session));
    if (client == NULL || client->stream.closing)
        return;
    if (span.ns <= 0)
        uv_timer_stop(&client->timer);
    else
        uv_timer_start(&client->timer, on_timer, (uint64_t)((span.ns + 999999) / 1000000), 0);
}

void gr_face_sessions(void *host, void (*visit)(void *arg, struct gr_redis *session), void *arg)
{
    struct gr_server *server = host;
    for (struct gr_link *at = server->clients.all.first; at != NULL; at = at->after) {
        struct gr_client *client = GR_CONTAINER(at, struct gr_client, in_all);
        if (!client->stream.closing)
            visit(arg, client->session);
    }
}

// ---- new connections -------------------------------------------------------------------------

static struct gr_client *client_new(struct gr_server *server)
{
    struct gr_client *client = gr_hook_memory(NULL, sizeof(*client));
    memset(client, 0, sizeof(*client));
    client->server = server;
    client->handles = HANDLES;
    gr_stream_init(&client->stream, &server->loop, &server->pool, &stream_calls);
    gr_assert(uv_timer_init(&server->loop, &client->timer) == 0);
    client->timer.data = client;
    return client;
}

// An id whose low half, which tickets carry, is not 0 and not in use.
static uint64_t new_id(struct gr_clients *clients)
{
    do
        clients->last_id++;
    while ((uint32_t)clients->last_id == 0 || find(clients, (uint32_t)clients->last_id) != NULL);
    return clients->last_id;
}

static void client_begin(struct gr_client *client)
{
    struct gr_clients *clients = &client->server->clients;
    char address[64];
    gr_stream_tune(&client->stream);
    gr_stream_address(&client->stream, true, address, sizeof(address));
    clients->accepted++;
    client->id = new_id(clients);
    struct gr_redis_config config = {
        .id = client->id,
        .address = address,
        .local = clients->local,
        .output_max = OUTPUT_BYTES_MAX,
    };
    gr_list_append(&clients->all, &client->in_all);
    gr_map_insert(&clients->by_id, &client->by_id, (uint32_t)client->id);
    client->session = gr_redis_new(&clients->host, &config);
    gr_stream_read(&client->stream, !client->server->turn.stalled);
}

// In the words of Redis, which clients know.
static void client_refuse(struct gr_client *client)
{
    client->server->clients.refused++;
    gr_writer_init(&client->refusal, 256);
    gr_write_bytes(&client->refusal, gr_bytes_text("-ERR max number of clients reached\r\n"));
    gr_stream_flush(&client->stream, &client->refusal);
    client_close(client);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct gr_server *server = listener->data;
    if (status < 0) {
        gr_log(GR_LOG_WARN, "redis listener: %s", uv_strerror(status));
        return;
    }
    struct gr_client *client = client_new(server);
    if (uv_accept(listener, (uv_stream_t *)&client->stream.tcp) != 0 || server->stopping)
        client_close(client);
    else if (server->clients.all.count >= server->clients.max)
        client_refuse(client);
    else
        client_begin(client);
}

void gr_clients_init(struct gr_server *server)
{
    struct gr_clients *clients = &server->clients;
    clients->host = gr_face_host(server);
    gr_assert(uv_tcp_init(&server->loop, &clients->listener) == 0);
    clients->listener.data = server;
}

const char *gr_clients_listen(struct gr_server *server, const struct sockaddr *address)
{
    uv_tcp_t *listener = &server->clients.listener;
    int failed = uv_tcp_bind(listener, address, 0);
    if (failed == 0)
        failed = uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
    return failed == 0 ? NULL : uv_strerror(failed);
}

void gr_clients_stop_listening(struct gr_server *server)
{
    if (!uv_is_closing((uv_handle_t *)&server->clients.listener))
        uv_close((uv_handle_t *)&server->clients.listener, NULL);
}

void gr_clients_drain(struct gr_server *server)
{
    for (struct gr_link *at = server->clients.all.first; at != NULL; at = at->after) {
        struct gr_client *client = GR_CONTAINER(at, struct gr_client, in_all);
        if (client->stream.closing || client->ended)
            continue;
        gr_stream_read(&client->stream, false);
        client->ended = true;
        gr_redis_input_end(client->session);
        touch(client);
    }
}

void gr_clients_end(struct gr_server *server)
{
    for (struct gr_link *at = server->clients.all.first; at != NULL; at = at->after)
        client_close(GR_CONTAINER(at, struct gr_client, in_all));
}

void gr_clients_deinit(struct gr_server *server)
{
    gr_assert(server->clients.all.count == 0);
    gr_map_deinit(&server->clients.by_id);
}

// ---- from the turn ---------------------------------------------------------------------------

void gr_clients_result(struct gr_server *server, const struct gr_result *result)
{
    struct gr_client *client = find(&server->clients, (uint32_t)(result->ticket >> 32));
    if (client == NULL || client->stream.closing)
        return;
    gr_redis_result(client->session, result);
    touch(client);
}

void gr_clients_acked(struct gr_server *server, uint64_t ticket, uint8_t acks, uint8_t durable)
{
    struct gr_client *client = find(&server->clients, (uint32_t)(ticket >> 32));
    if (client == NULL || client->stream.closing)
        return;
    gr_redis_acked(client->session, ticket & UINT32_MAX, acks, durable);
    touch(client);
}

// What was sent made room: held-back commands go on, and the socket is read again or closed.
static void settle(struct gr_client *client)
{
    struct gr_stream *stream = &client->stream;
    struct gr_writer *out = gr_redis_output(client->session);
    gr_redis_flushed(client->session);
    account(client, gr_redis_held(client->session));
    if (out->size > 0 && !stream->writing)
        touch(client); // Answers that needed no step: the next round sends them.
    if (gr_redis_closing(client->session) && gr_stream_unsent(stream, out) == 0)
        client_close(client);
    else
        gr_stream_read(stream, wants_input(client));
}

bool gr_clients_flush(struct gr_server *server)
{
    struct gr_clients *clients = &server->clients;
    for (struct gr_link *at; (at = gr_list_take(&clients->dirty)) != NULL;) {
        struct gr_client *client = GR_CONTAINER(at, struct gr_client, in_dirty);
        if (client->stream.closing || client->session == NULL)
            continue;
        gr_list_append(&clients->flushed, at);
        gr_stream_flush(&client->stream, gr_redis_output(client->session));
    }
    // Only when all have been sent: from here on sessions may step the node again (I1 of turn.c).
    for (struct gr_link *at; (at = gr_list_take(&clients->flushed)) != NULL;) {
        struct gr_client *client = GR_CONTAINER(at, struct gr_client, in_dirty);
        if (!client->stream.closing)
            settle(client);
    }
    press(server);
    return clients->dirty.count > 0;
}

void gr_clients_pause(struct gr_server *server, bool pause)
{
    for (struct gr_link *at = server->clients.all.first; at != NULL; at = at->after) {
        struct gr_client *client = GR_CONTAINER(at, struct gr_client, in_all);
        if (!client->stream.closing)
            gr_stream_read(&client->stream, !pause && wants_input(client));
    }
}

// The others wait for this one, it is read, and nothing comes.
static bool is_stuck(struct gr_client *client, uint64_t now)
{
    size_t unread = gr_redis_unread(client->session);
    if (unread != client->unread_last || !wants_input(client))
        client->unread_since_ms = now;
    client->unread_last = unread;
    return now - client->unread_since_ms > PRESSED_MS;
}

static void close_slow(struct gr_client *client, const char *why, size_t bytes)
{
    char address[64];
    gr_stream_address(&client->stream, true, address, sizeof(address));
    gr_log(GR_LOG_WARN, "redis client %s: closed, it %s: %zu", address, why, bytes);
    client_close(client);
}

void gr_clients_look(struct gr_server *server)
{
    uint64_t now = uv_now(&server->loop);
    for (struct gr_link *at = server->clients.all.first; at != NULL; at = at->after) {
        struct gr_client *client = GR_CONTAINER(at, struct gr_client, in_all);
        if (client->stream.closing)
            continue;
        size_t unsent = gr_stream_unsent(&client->stream, gr_redis_output(client->session));
        if (unsent != client->unsent_last || unsent == 0)
            client->unsent_since_ms = now;
        client->unsent_last = unsent;
        bool pressed = server->clients.pressure > 0;
        bool slow = unsent > (pressed ? PRESSED_BYTES : SLOW_BYTES) &&
                    now - client->unsent_since_ms > (pressed ? PRESSED_MS : SLOW_MS);
        if (slow || unsent > HARD_BYTES_MAX)
            close_slow(client, "leaves so many bytes unread", unsent);
        else if (client == server->clients.favoured && is_stuck(client, now))
            close_slow(client, "does not go on with a command, while client_memory is full, after",
                client->unread_last);
    }
    press(server);
}

uint64_t gr_clients_commands(const struct gr_server *server)
{
    uint64_t commands = server->clients.commands_gone;
    for (const struct gr_link *at = server->clients.all.first; at != NULL; at = at->after)
        commands += gr_redis_commands(GR_CONTAINER(at, struct gr_client, in_all)->session);
    return commands;
}
