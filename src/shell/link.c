// The links to the other members: one TCP connection for each pair, dialled by the member with the
// higher index (DESIGN.md §7).
//
//      dialler                                       acceptor
//      resting --retry timer--> looking up           listening
//        ^          |                                   |
//        |          v                                   v
//        |       connecting                          stranger
//        |          |                                   |
//        |          +----------> handshake <------------+
//        |                          | done
//        +---- any error <------ up: frames, LINK told
//
//   I1  The node hears "up" only after the handshake, before the first frame of that connection;
//       and "down" before the next "up".
//   I2  Every connection that is not up has a deadline; one that is up is closed when nothing was
//       heard for SILENCE_MS. Both sides send at least a keepalive each second.
//   I3  What cannot be understood ends the connection: nothing behind it can be trusted.
//
// Ownership: a gr_conn is in links->conns until its socket is gone; peer->conn and peer->dialled
// borrow it, and forget it when it begins to close.
//
// Bounds: per connection one frame (GR_FRAME_BYTES_MAX) and one read of input, OUT_BYTES_MAX and
// one frame of output; STRANGERS_MAX connections that have not shown who they are.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shell/address.h"
#include "shell/inside.h"
#include "shell/log.h"
#include "wire/frame.h"

enum {
    BACKOFF_MS_MIN = 50,
    BACKOFF_MS_MAX = 2000,
    HANDSHAKE_MS = 5000,
    SILENCE_MS = 5000,
    KEEPALIVE_MS = 900, // looked at once a second
    STRANGERS_MAX = 64,
    OUT_BYTES_MAX = 256 << 20,
    KEEP_BYTES_MAX = 1 << 20, // of an input buffer, for the next frame
    BACKLOG = 128,
};

struct gr_conn {
    struct gr_stream stream; // first: callbacks get it
    struct gr_server *server;
    struct gr_link in_all, in_dirty;
    struct gr_peer_link *peer; // whom it was dialled for, or who has shown to be there; or NULL
    bool dialled, done;
    struct gr_handshake handshake;
    struct gr_writer in, out;
    uint64_t opened_ms, heard_ms, sent_ms;
    uv_connect_t connect;
    char from[GR_ADDRESS_TEXT_BYTES]; // who dialled
};

static const char *name_of(const struct gr_peer_link *peer)
{
    return peer->server->cluster.ring.member[peer->member].name;
}

// Trouble is logged when it is news: not again and again while the same thing goes wrong.
static void say(char said[GR_HANDSHAKE_REASON_BYTES], const char *who, const char *what)
{
    if (strncmp(said, what, GR_HANDSHAKE_REASON_BYTES - 1) == 0)
        return;
    snprintf(said, GR_HANDSHAKE_REASON_BYTES, "%s", what);
    gr_log(GR_LOG_WARN, "peer %s: %s", who, what);
}

// ---- the end of a connection -----------------------------------------------------------------

static void dial_later(struct gr_peer_link *peer);

static void mark_dirty(struct gr_conn *conn)
{
    if (!conn->in_dirty.in && !conn->stream.closing)
        gr_list_append(&conn->server->links.dirty, &conn->in_dirty);
}

// `why` is NULL when it is our own wish.
static void conn_close(struct gr_conn *conn, const char *why)
{
    struct gr_links *links = &conn->server->links;
    struct gr_peer_link *peer = conn->peer;
    if (conn->stream.closing)
        return;
    gr_stream_close(&conn->stream);
    if (conn->in_dirty.in)
        gr_list_remove(&links->dirty, &conn->in_dirty);
    if (!conn->dialled && !conn->done)
        links->strangers--;
    if (peer == NULL) {
        if (why != NULL)
            say(links->said, conn->from, why);
        return;
    }
    if (peer->conn == conn) {
        peer->conn = NULL;
        links->news = true;
        if (why != NULL)
            gr_log(GR_LOG_WARN, "peer %s: link is down: %s", name_of(peer), why);
        // One that never lasts is not dialled ever faster.
        if (uv_now(&conn->server->loop) - conn->opened_ms > HANDSHAKE_MS)
            peer->backoff_ms = 0;
    } else if (why != NULL) {
        say(peer->said, name_of(peer), why);
    }
    if (peer->dialled == conn)
        peer->dialled = NULL;
    dial_later(peer);
}

static void on_closed(struct gr_stream *stream)
{
    struct gr_conn *conn = (struct gr_conn *)stream;
    gr_list_remove(&conn->server->links.conns, &conn->in_all);
    gr_writer_deinit(&conn->in);
    gr_writer_deinit(&conn->out);
    gr_hook_memory(conn, 0);
}

static void on_end(struct gr_stream *stream, const char *why)
{
    conn_close((struct gr_conn *)stream, why != NULL ? why : "the other side closed it");
}

static void on_drained(struct gr_stream *stream)
{
    mark_dirty((struct gr_conn *)stream);
}

// ---- the handshake ---------------------------------------------------------------------------

// What to do about a refusal; indexed by enum gr_handshake_refusal.
static const char *const advice[GR_REFUSAL_COUNT] = {
    [GR_REFUSAL_NOT_A_PEER] = "check the addresses in the cluster file",
    [GR_REFUSAL_VERSION] = "bring both to the same version of gramme",
    [GR_REFUSAL_CLUSTER] = "give both the same cluster file",
    [GR_REFUSAL_PARTITIONS] = "give both the same cluster file",
    [GR_REFUSAL_REPLICAS] = "give both the same cluster file",
    [GR_REFUSAL_ITSELF] = "check the peer addresses in the cluster file",
    [GR_REFUSAL_SAME_MEMBER] = "stop one of the two, or give it its own name",
    [GR_REFUSAL_WRONG_MEMBER] = "give both the same cluster file",
    [GR_REFUSAL_SECRET] = "give both the same cluster file",
    [GR_REFUSAL_DURABILITY] = "give both the same cluster file",
};

static void on_refused(struct gr_conn *conn)
{
    const struct gr_handshake *h = &conn->handshake;
    const char *what = advice[h->refusal] != NULL ? advice[h->refusal] : "see the other's log";
    char why[GR_HANDSHAKE_REASON_BYTES];
    // The advice must not be cut off behind a long reason.
    snprintf(why, sizeof(why), "refused: %.150s; %.60s", h->reason, what);
    gr_stream_flush(&conn->stream, &conn->out);
    conn_close(conn, why);
}

static void tell(struct gr_peer_link *peer, bool up)
{
    struct gr_event event = {.type = GR_EVENT_LINK, .peer = peer->member, .up = up};
    if (up)
        event.run = peer->conn->handshake.peer.run;
    peer->told = up;
    gr_turn_step(peer->server, &event);
}

// Who is there is known now: the link is up, or not wanted.
static void on_done(struct gr_conn *conn)
{
    struct gr_server *server = conn->server;
    const struct gr_handshake_peer *other = &conn->handshake.peer;
    const struct gr_ring *ring = &server->cluster.ring;
    if (other->member >= ring->member_count ||
        strcmp(ring->member[other->member].name, other->name) != 0) {
        char why[GR_HANDSHAKE_REASON_BYTES];
        snprintf(why, sizeof(why),
            "%s is member %u there and not here; give both the same cluster "
            "file",
            other->name, other->member);
        conn_close(conn, why);
        return;
    }
    struct gr_peer_link *peer = &server->links.peer[other->member];
    if (!conn->dialled) {
        if (other->member < server->self) {
            conn_close(conn, "a member dialled that should be dialled; give both the same cluster "
                             "file");
            return;
        }
        server->links.strangers--;
    }
    conn->done = true;
    conn->peer = peer;
    if (peer->cut) {
        conn_close(conn, NULL);
        return;
    }
    // The other side may have noticed sooner that the old connection is dead.
    if (peer->conn != NULL)
        conn_close(peer->conn, NULL);
    if (peer->told)
        tell(peer, false);
    peer->conn = conn;
    peer->dialled = NULL;
    peer->said[0] = '\0';
    gr_log(GR_LOG_INFO, "peer %s: link is up", name_of(peer));
    gr_server_seen(server, name_of(peer), other->seen);
    tell(peer, true);
    gr_talks_greet(server, peer->member);
    gr_server_look(server);
}

static size_t take_handshake(struct gr_conn *conn, struct gr_bytes input)
{
    size_t consumed = 0;
    enum gr_handshake_state state =
        gr_handshake_feed(&conn->handshake, input, &consumed, &conn->out);
    mark_dirty(conn);
    if (state == GR_HANDSHAKE_REFUSED)
        on_refused(conn);
    else if (state == GR_HANDSHAKE_DONE)
        on_done(conn);
    return consumed;
}

// ---- frames ----------------------------------------------------------------------------------

static void take_frame(struct gr_conn *conn, struct gr_bytes body)
{
    struct gr_server *server = conn->server;
    struct gr_message message;
    if (body.size == 0)
        return; // A keepalive.
    struct gr_bytes talk;
    gr_arena_clear(&server->links.arena);
    if (gr_frame_is_talk(body, &talk)) {
        if (!gr_talks_take(server, conn->peer->member, talk))
            conn_close(conn, "it sent talk that does not parse");
        return;
    }
    if (gr_frame_decode(body, &server->links.arena, &message) != GR_OK) {
        conn_close(conn, "it sent a message that does not parse");
        return;
    }
    struct gr_event event = {
        .type = GR_EVENT_MESSAGE, .peer = conn->peer->member, .message = &message};
    gr_turn_step(server, &event);
}

// Steps every whole frame; returns how much of the input they took.
static size_t take_frames(struct gr_conn *conn, struct gr_bytes input)
{
    size_t taken = 0;
    while (!conn->stream.closing) {
        struct gr_bytes body;
        size_t size = 0;
        enum gr_err err = gr_frame_split(
            gr_bytes(input.data + taken, input.size - taken), GR_FRAME_BYTES_MAX, &body, &size);
        if (err == GR_ERR_NOT_FOUND)
            break;
        if (err != GR_OK) {
            conn_close(conn, "it sent a frame that is damaged or too long");
            break;
        }
        take_frame(conn, body);
        taken += size;
    }
    return taken;
}

static void on_bytes(struct gr_stream *stream, struct gr_bytes bytes)
{
    struct gr_conn *conn = (struct gr_conn *)stream;
    struct gr_bytes input = bytes;
    bool kept = conn->in.size > 0;
    conn->heard_ms = uv_now(&conn->server->loop);
    if (kept) {
        gr_write_bytes(&conn->in, bytes);
        input = gr_writer_bytes(&conn->in);
    }
    size_t taken = 0;
    if (!conn->done)
        taken = take_handshake(conn, input);
    if (conn->done && !stream->closing)
        taken += take_frames(conn, gr_bytes(input.data + taken, input.size - taken));
    if (stream->closing)
        return;
    if (kept)
        gr_writer_consume(&conn->in, taken);
    else
        gr_write_bytes(&conn->in, gr_bytes(input.data + taken, input.size - taken));
    if (conn->in.bad)
        conn_close(conn, "it sent more than one frame may have");
    else if (conn->in.size == 0 && conn->in.capacity > KEEP_BYTES_MAX)
        gr_writer_deinit(&conn->in);
}

static const struct gr_stream_calls stream_calls = {on_bytes, on_end, on_drained, on_closed};

// ---- new connections -------------------------------------------------------------------------

static uint64_t seen(void *host, uint64_t store)
{
    const struct gr_server *server = host;
    return server->node != NULL ? gr_node_run_seen(server->node, store) : 0;
}

static struct gr_conn *conn_new(struct gr_server *server, struct gr_peer_link *peer)
{
    struct gr_conn *conn = gr_hook_memory(NULL, sizeof(*conn));
    memset(conn, 0, sizeof(*conn));
    conn->server = server;
    conn->peer = peer;
    conn->dialled = peer != NULL;
    conn->opened_ms = conn->heard_ms = conn->sent_ms = uv_now(&server->loop);
    gr_writer_init(&conn->in, (size_t)GR_FRAME_BYTES_MAX + GR_STREAM_READ_BYTES);
    gr_writer_init(&conn->out, (size_t)OUT_BYTES_MAX + GR_FRAME_BYTES_MAX);
    gr_stream_init(&conn->stream, &server->loop, &server->pool, &stream_calls);
    gr_list_append(&server->links.conns, &conn->in_all);

    struct gr_handshake_identity self = {
        .partitions = server->cluster.ring.partitions,
        .n = server->cluster.ring.n,
        .ring_version = server->cluster.ring.version,
        .member = server->self,
        .durability = (uint8_t)server->cluster.durability,
        .store = server->actor.store,
        .run = server->actor.run,
        .seen = seen,
        .host = server,
        .frame_version_min = GR_FRAME_VERSION,
        .frame_version_max = GR_FRAME_VERSION,
        .expected = peer != NULL ? peer->member : GR_HANDSHAKE_ANYONE,
    };
    uint8_t nonce[GR_HANDSHAKE_NONCE_BYTES];
    gr_assert(getrandom(nonce, sizeof(nonce), 0) == (ssize_t)sizeof(nonce));
    memcpy(self.cluster, server->cluster.id, sizeof(self.cluster));
    memcpy(self.secret, server->cluster.secret, sizeof(self.secret));
    snprintf(self.name, sizeof(self.name), "%s", server->cluster.ring.member[server->self].name);
    gr_handshake_init(&conn->handshake, &self, conn->dialled, nonce);
    explicit_bzero(self.secret, sizeof(self.secret));
    return conn;
}

static void conn_begin(struct gr_conn *conn)
{
    gr_stream_tune(&conn->stream);
    gr_stream_address(&conn->stream, true, conn->from, sizeof(conn->from));
    if (conn->dialled)
        (void)take_handshake(conn, gr_bytes(NULL, 0)); // Our HELLO.
    gr_stream_read(&conn->stream, !conn->server->turn.stalled);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct gr_server *server = listener->data;
    if (status < 0) {
        say(server->links.said, "listener", uv_strerror(status));
        return;
    }
    struct gr_conn *conn = conn_new(server, NULL);
    server->links.strangers++;
    if (uv_accept(listener, (uv_stream_t *)&conn->stream.tcp) != 0)
        conn_close(conn, NULL);
    else if (server->node == NULL || server->stopping)
        conn_close(conn, NULL);
    else if (server->links.strangers > STRANGERS_MAX)
        conn_close(conn, "too many connections wait for their handshake");
    else
        conn_begin(conn);
}

static void on_connect(uv_connect_t *connect, int status)
{
    struct gr_conn *conn = connect->data;
    if (conn->stream.closing)
        return;
    if (status < 0)
        conn_close(conn, uv_strerror(status));
    else
        conn_begin(conn);
}

static void dial_address(struct gr_peer_link *peer, const struct sockaddr *address)
{
    struct gr_conn *conn = peer->dialled = conn_new(peer->server, peer);
    conn->connect.data = conn;
    int failed = uv_tcp_connect(&conn->connect, &conn->stream.tcp, address, on_connect);
    if (failed != 0)
        conn_close(conn, uv_strerror(failed));
}

static bool may_dial(const struct gr_peer_link *peer)
{
    const struct gr_server *server = peer->server;
    return peer->member < server->self && !peer->cut && !peer->resolving && peer->conn == NULL &&
           peer->dialled == NULL && server->node != NULL && !server->stopped;
}

static void on_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct gr_peer_link *peer = lookup->data;
    peer->resolving = false;
    if (may_dial(peer)) {
        if (status == 0) {
            dial_address(peer, found->ai_addr);
        } else {
            say(peer->said, name_of(peer), uv_strerror(status));
            dial_later(peer);
        }
    }
    uv_freeaddrinfo(found);
}

static void on_retry(uv_timer_t *timer)
{
    struct gr_peer_link *peer = timer->data;
    struct gr_server *server = peer->server;
    struct gr_address address;
    if (!may_dial(peer))
        return;
    gr_assert(gr_address_parse(server->cluster.ring.member[peer->member].peer, &address));
    char port[8];
    snprintf(port, sizeof(port), "%u", address.port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    int failed =
        uv_getaddrinfo(&server->loop, &peer->lookup, on_resolved, address.host, port, &hints);
    peer->resolving = failed == 0;
    if (failed != 0) {
        say(peer->said, name_of(peer), uv_strerror(failed));
        dial_later(peer);
    }
}

static void dial_later(struct gr_peer_link *peer)
{
    if (!may_dial(peer))
        return;
    uint32_t most = GR_MAX(GR_MIN(peer->backoff_ms * 2, BACKOFF_MS_MAX), BACKOFF_MS_MIN);
    peer->backoff_ms = most;
    uint64_t wait = most / 2 + gr_random_below(&peer->server->random, most / 2 + 1);
    uv_timer_start(&peer->retry, on_retry, wait, 0);
}

// ---- begin and end ---------------------------------------------------------------------------

void gr_links_init(struct gr_server *server)
{
    struct gr_links *links = &server->links;
    uint16_t count = server->cluster.ring.member_count;
    links->peer = gr_hook_memory(NULL, count * sizeof(*links->peer));
    memset(links->peer, 0, count * sizeof(*links->peer));
    gr_assert(uv_tcp_init(&server->loop, &links->listener) == 0);
    links->listener.data = server;
    for (uint16_t i = 0; i < count; i++) {
        struct gr_peer_link *peer = &links->peer[i];
        peer->server = server;
        peer->member = i;
        peer->lookup.data = peer;
        gr_assert(uv_timer_init(&server->loop, &peer->retry) == 0);
        peer->retry.data = peer;
    }
}

const char *gr_links_listen(struct gr_server *server, const struct sockaddr *address)
{
    uv_tcp_t *listener = &server->links.listener;
    int failed = uv_tcp_bind(listener, address, 0);
    if (failed == 0)
        failed = uv_listen((uv_stream_t *)listener, BACKLOG, on_connection);
    return failed == 0 ? NULL : uv_strerror(failed);
}

void gr_links_begin(struct gr_server *server)
{
    for (uint16_t i = 0; i < server->self; i++) {
        server->links.peer[i].backoff_ms = 0;
        uv_timer_start(&server->links.peer[i].retry, on_retry, 0, 0);
    }
}

void gr_links_end(struct gr_server *server)
{
    struct gr_links *links = &server->links;
    for (struct gr_link *at = links->conns.first, *after; at != NULL; at = after) {
        after = at->after;
        conn_close(GR_CONTAINER(at, struct gr_conn, in_all), NULL);
    }
    for (uint16_t i = 0; i < server->cluster.ring.member_count; i++) {
        uv_timer_stop(&links->peer[i].retry);
        links->peer[i].told = false;
    }
    links->news = false;
}

void gr_links_close(struct gr_server *server)
{
    uv_close((uv_handle_t *)&server->links.listener, NULL);
    for (uint16_t i = 0; i < server->cluster.ring.member_count; i++)
        uv_close((uv_handle_t *)&server->links.peer[i].retry, NULL);
}

void gr_links_deinit(struct gr_server *server)
{
    gr_assert(server->links.conns.count == 0);
    gr_arena_deinit(&server->links.arena);
    gr_hook_memory(server->links.peer, 0);
}

// ---- from the turn ---------------------------------------------------------------------------

void gr_links_send(struct gr_server *server, uint16_t member, const struct gr_message *message)
{
    struct gr_peer_link *peer = &server->links.peer[member];
    struct gr_conn *conn = peer->conn;
    if (conn == NULL)
        return;
    gr_frame_encode(&conn->out, message);
    mark_dirty(conn);
    if (conn->out.bad) {
        conn->out.bad = false;
        gr_log(GR_LOG_WARN, "peer %s: a message is too large to be sent and was dropped",
            name_of(peer));
    } else if (conn->out.size > OUT_BYTES_MAX) {
        conn_close(conn, "it does not read: 256 MiB wait to be sent");
    }
}

bool gr_links_talk(struct gr_server *server, uint16_t member, const struct gr_talk *talk)
{
    struct gr_conn *conn = server->links.peer[member].conn;
    if (conn == NULL || conn->out.size > OUT_BYTES_MAX / 2)
        return false;
    gr_frame_talk(&conn->out, talk);
    conn->out.bad = false;
    mark_dirty(conn);
    return true;
}

bool gr_links_tell(struct gr_server *server)
{
    struct gr_links *links = &server->links;
    if (!links->news)
        return false;
    links->news = false;
    for (uint16_t i = 0; i < server->cluster.ring.member_count; i++)
        if (links->peer[i].told && links->peer[i].conn == NULL)
            tell(&links->peer[i], false);
    return true;
}

void gr_links_flush(struct gr_server *server)
{
    uint64_t now = uv_now(&server->loop);
    for (struct gr_link *at; (at = gr_list_take(&server->links.dirty)) != NULL;) {
        struct gr_conn *conn = GR_CONTAINER(at, struct gr_conn, in_dirty);
        if (conn->out.size > 0)
            conn->sent_ms = now;
        gr_stream_flush(&conn->stream, &conn->out);
    }
}

void gr_links_pause(struct gr_server *server, bool pause)
{
    for (struct gr_link *at = server->links.conns.first, *after; at != NULL; at = after) {
        after = at->after;
        struct gr_conn *conn = GR_CONTAINER(at, struct gr_conn, in_all);
        if (pause)
            gr_stream_read(&conn->stream, false);
        else if (uv_is_readable((uv_stream_t *)&conn->stream.tcp))
            gr_stream_read(&conn->stream, true);
    }
}

void gr_links_look(struct gr_server *server)
{
    uint64_t now = uv_now(&server->loop);
    for (struct gr_link *at = server->links.conns.first, *after; at != NULL; at = after) {
        after = at->after;
        struct gr_conn *conn = GR_CONTAINER(at, struct gr_conn, in_all);
        if (conn->stream.closing)
            continue;
        if (!conn->done) {
            if (now - conn->opened_ms > HANDSHAKE_MS)
                conn_close(conn, "no handshake within 5 s");
            continue;
        }
        if (now - conn->heard_ms > SILENCE_MS && !server->turn.stalled) {
            conn_close(conn, "nothing was heard for 5 s");
        } else if (now - conn->sent_ms > KEEPALIVE_MS && conn->out.size == 0 &&
                   !conn->stream.writing) {
            gr_frame_keepalive(&conn->out);
            mark_dirty(conn);
        }
    }
}

void gr_links_cut(struct gr_server *server, uint16_t member, bool cut)
{
    struct gr_peer_link *peer = &server->links.peer[member];
    if (peer->cut == cut)
        return;
    peer->cut = cut;
    gr_log(GR_LOG_INFO, "peer %s: link is %s", name_of(peer), cut ? "cut" : "healed");
    if (!cut) {
        peer->backoff_ms = 0;
        dial_later(peer);
        return;
    }
    uv_timer_stop(&peer->retry);
    if (peer->conn != NULL)
        conn_close(peer->conn, NULL);
    if (peer->dialled != NULL)
        conn_close(peer->dialled, NULL);
}

bool gr_links_sent(const struct gr_server *server)
{
    for (const struct gr_link *at = server->links.conns.first; at != NULL; at = at->after) {
        const struct gr_conn *conn = GR_CONTAINER(at, struct gr_conn, in_all);
        if (!conn->stream.closing && gr_stream_unsent(&conn->stream, &conn->out) > 0)
            return false;
    }
    return true;
}

uint16_t gr_links_up(const struct gr_server *server)
{
    uint16_t up = 0;
    for (uint16_t i = 0; i < server->cluster.ring.member_count; i++)
        up += server->links.peer[i].conn != NULL;
    return up;
}
