// The links to the other members: one TCP connection for each pair, dialled by the member with the
// larger id (DESIGN.md §7): whatever their places in either's table, both say alike who that is.
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
//   I4  Whoever proves the secret may say who he is: his card, the first frame of either side,
//       makes him a member, who owns nothing until a plan says otherwise. One who has no run yet,
//       and who dialled though the other should have, only talks (a visit): the node hears nothing
//       of it.
//
// Ownership: a gr_conn is in links->conns until its socket is gone; peer->conn and peer->dialled
// borrow it, and forget it when it begins to close.
//
// Bounds: per connection one frame (GR_FRAME_BYTES_MAX) and one read of input, memory_max (what
// requests may have under way), OUT_SPARE_BYTES and one frame of output; STRANGERS_MAX connections
// that have not shown who they are.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shell/address.h"
#include "shell/inside.h"
#include "shell/log.h"
#include "wire/frame.h"

enum {
    HANDSHAKE_MS = 5000,
    SILENCE_MS = 5000,
    ALIVE_MS = 2500,    // after a keepalive at least that is one of this moment
    KEEPALIVE_MS = 900, // looked at once a second
    STRANGERS_MAX = 64,
    OUT_SPARE_BYTES = 64 << 20,
    KEEP_BYTES_MAX = 1 << 20, // of an input buffer, for the next frame
    BACKLOG = 128,
};

struct gr_conn {
    struct gr_stream stream; // first: callbacks get it
    struct gr_server *server;
    struct gr_link in_all, in_dirty;
    struct gr_peer_link *peer; // whom it was dialled for, or who has shown to be there; or NULL
    bool dialled, done;
    bool visit; // I4
    struct gr_handshake handshake;
    struct gr_writer in, out;
    uint64_t opened_ms, heard_ms, sent_ms;
    uv_connect_t connect;
    char from[GR_ADDRESS_TEXT_BYTES]; // who dialled
};

const char *gr_link_name(const struct gr_peer_link *peer)
{
    return peer->server->roster.ring.member[peer->member].name;
}

bool gr_link_is_up(const struct gr_peer_link *peer)
{
    return peer->conn != NULL && !peer->conn->visit;
}

// Trouble is logged when it is news: not again and again while the same thing goes wrong.
void gr_link_say(char said[GR_HANDSHAKE_REASON_BYTES], const char *who, const char *what)
{
    if (strncmp(said, what, GR_HANDSHAKE_REASON_BYTES - 1) == 0)
        return;
    snprintf(said, GR_HANDSHAKE_REASON_BYTES, "%s", what);
    gr_log(GR_LOG_WARN, "peer %s: %s", who, what);
}

static uint8_t version_of(const struct gr_conn *conn)
{
    gr_assert(conn->done);
    return conn->handshake.peer.frame_version;
}

// ---- the end of a connection -----------------------------------------------------------------

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
    if (!conn->dialled && peer == NULL)
        links->strangers--;
    if (links->sought == conn)
        links->sought = NULL;
    if (peer == NULL) {
        if (why != NULL)
            gr_link_say(links->said, conn->from, why);
        return;
    }
    if (peer->conn == conn) {
        peer->conn = NULL;
        links->news = true;
        if (why != NULL && !conn->visit)
            gr_log(GR_LOG_WARN, "peer %s: link is down: %s", gr_link_name(peer), why);
        // One that never lasts is not dialled ever faster.
        if (uv_now(&conn->server->loop) - conn->opened_ms > HANDSHAKE_MS)
            peer->backoff_ms = 0;
    } else if (why != NULL) {
        gr_link_say(peer->said, gr_link_name(peer), why);
    }
    if (peer->dialled == conn)
        peer->dialled = NULL;
    gr_dial_later(peer);
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
    [GR_REFUSAL_VERSION] = "nodes of one cluster are at most one version apart",
    [GR_REFUSAL_CLUSTER] = "give both the same cluster file",
    [GR_REFUSAL_PARTITIONS] = "give both the same cluster file",
    [GR_REFUSAL_ITSELF] = "check the peer addresses in the cluster file",
    [GR_REFUSAL_SAME_MEMBER] = "stop one of the two, or give it its own name",
    [GR_REFUSAL_WRONG_MEMBER] = "check the peer addresses in the cluster file",
    [GR_REFUSAL_SECRET] = "give both the same cluster file",
    [GR_REFUSAL_FOUNDERS] = "give both one cluster file, and one a new data directory",
    [GR_REFUSAL_DURABILITY] = "gramme cluster set durability MODE at one of them",
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
    if (up) {
        event.run = peer->conn->handshake.peer.run;
        event.unspoken = gr_frame_unspoken(version_of(peer->conn));
    }
    peer->told = up;
    gr_turn_step(peer->server, &event);
}

// Another run says that it is the same member, and the one that is linked is heard at this moment.
// One that was restarted has no old link by then: its machine has closed it.
static bool is_second(const struct gr_conn *conn, const struct gr_peer_link *peer)
{
    return gr_link_is_up(peer) && peer->conn->handshake.peer.run != conn->handshake.peer.run &&
           uv_now(&conn->server->loop) - peer->conn->heard_ms < ALIVE_MS;
}

static void refuse_second(struct gr_conn *conn, struct gr_peer_link *peer)
{
    char why[GR_HANDSHAKE_REASON_BYTES];
    snprintf(why, sizeof(why),
        "two nodes say that they are %s: the one that was there first stays; %s",
        gr_link_name(peer), advice[GR_REFUSAL_SAME_MEMBER]);
    conn_close(conn, why);
}

// The link is up, or a visit begins, or it is not wanted.
static void attach(struct gr_conn *conn, struct gr_peer_link *peer)
{
    struct gr_server *server = conn->server;
    const struct gr_handshake_peer *other = &conn->handshake.peer;
    conn->visit =
        conn->dialled != gr_dial_is_ours(peer) || other->run == 0 || server->actor.run == 0;
    conn->peer = peer;
    if (!conn->dialled)
        server->links.strangers--;
    if (is_second(conn, peer)) {
        refuse_second(conn, peer);
        return;
    }
    if (peer->cut || (conn->visit && gr_link_is_up(peer))) {
        conn_close(conn, NULL);
        return;
    }
    // The other side may have noticed sooner that the old connection is dead.
    if (peer->conn != NULL)
        conn_close(peer->conn, NULL);
    if (peer->told)
        tell(peer, false);
    peer->conn = conn;
    if (!conn->visit) {
        peer->dialled = NULL;
        peer->said[0] = '\0';
        gr_log(GR_LOG_INFO, "peer %s: link is up, frame version %u", gr_link_name(peer),
            version_of(conn));
        gr_server_seen(server, gr_link_name(peer), other->seen);
        tell(peer, true);
    }
    gr_talks_greet(server, peer->member);
    gr_server_look(server);
}

// It is told that it was removed, and nothing else.
static void refuse_removed(struct gr_conn *conn)
{
    char why[GR_HANDSHAKE_REASON_BYTES];
    gr_roster_tell_banned(conn->server, conn->handshake.peer.store, version_of(conn), &conn->out);
    gr_stream_flush(&conn->stream, &conn->out);
    snprintf(why, sizeof(why), "%s was removed from the cluster, with its store %016llx",
        conn->handshake.peer.name, (unsigned long long)conn->handshake.peer.store);
    conn_close(conn, why);
}

// Who is there is proven now. Each says first what it is.
static void on_done(struct gr_conn *conn)
{
    struct gr_server *server = conn->server;
    const struct gr_handshake_peer *other = &conn->handshake.peer;
    int place = gr_ring_find(&server->roster.ring, other->member);
    conn->done = true;
    if (gr_roster_is_banned(server, other->store)) {
        refuse_removed(conn);
        return;
    }
    gr_roster_introduce(server, version_of(conn), &conn->out);
    mark_dirty(conn);
    if (place >= 0)
        attach(conn, server->links.peer[place]);
}

void gr_links_part(struct gr_server *server)
{
    for (uint16_t i = 1; i < server->links.count; i++) {
        struct gr_peer_link *peer = server->links.peer[i];
        if (peer->conn != NULL && gr_roster_is_banned(server, peer->conn->handshake.peer.store))
            refuse_removed(peer->conn);
    }
}

// The first frame of one who is not known yet: his card (I4).
static void on_guest(struct gr_conn *conn, struct gr_bytes talk)
{
    struct gr_server *server = conn->server;
    const struct gr_handshake_peer *other = &conn->handshake.peer;
    int place = -1;
    if (gr_talks_meet(server, other->member, talk))
        place = gr_ring_find(&server->roster.ring, other->member);
    if (place >= 0)
        attach(conn, server->links.peer[place]);
    else
        conn_close(conn, "it did not say who it is, or there are too many members");
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
    bool is_talk = gr_frame_is_talk(body, version_of(conn), &talk);
    if (conn->peer == NULL) {
        on_guest(conn, is_talk ? talk : gr_bytes(NULL, 0));
        return;
    }
    if (is_talk) {
        if (!gr_talks_take(server, conn->peer->member, talk))
            conn_close(conn, "it sent talk that does not parse");
        return;
    }
    enum gr_err err = gr_frame_decode(body, version_of(conn), &server->links.arena, &message);
    if (err == GR_ERR_FORMAT) { // a later program's: it is as if it had been lost
        gr_link_say(conn->peer->said, gr_link_name(conn->peer),
            "it sent a message of a type that is not known here, which was dropped");
        return;
    }
    if (err != GR_OK) {
        conn_close(conn, "it sent a message that does not parse");
        return;
    }
    if (conn->visit)
        return;
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

// The highest that this node speaks. As every program speaks one before its own, the setting makes
// it what a node of the version before is to the others.
static uint8_t own_version(const struct gr_server *server)
{
    return (uint8_t)gr_config_number(server->config, GR_SETTING_FRAME_VERSION);
}

static size_t out_max(const struct gr_server *server)
{
    return (size_t)gr_config_number(server->config, GR_SETTING_MEMORY_MAX) + OUT_SPARE_BYTES;
}

static struct gr_conn *conn_new(struct gr_server *server, struct gr_peer_link *peer, bool dials)
{
    struct gr_conn *conn = gr_hook_memory(NULL, sizeof(*conn));
    memset(conn, 0, sizeof(*conn));
    conn->server = server;
    conn->peer = peer;
    conn->dialled = dials;
    conn->opened_ms = conn->heard_ms = conn->sent_ms = uv_now(&server->loop);
    gr_writer_init(&conn->in, (size_t)GR_FRAME_BYTES_MAX + GR_STREAM_READ_BYTES);
    gr_writer_init(&conn->out, out_max(server) + GR_FRAME_BYTES_MAX);
    gr_stream_init(&conn->stream, &server->loop, &server->pool, &stream_calls);
    gr_list_append(&server->links.conns, &conn->in_all);

    struct gr_agreed durability;
    gr_roster_agreed(server, GR_AGREED_DURABILITY, &durability);
    struct gr_handshake_identity self = {
        .partitions = server->cluster.partitions,
        .origin = server->roster.layout.version == 0 ? 0 : gr_layout_origin(&server->roster.layout),
        .durability = durability.version > 0 ? GR_HANDSHAKE_AGREED : (uint8_t)durability.value,
        .store = server->actor.store,
        .run = server->actor.run,
        .seen = seen,
        .host = server,
        .frame_version_min = GR_FRAME_VERSION_MIN,
        .frame_version_max = own_version(server),
        .expected = peer != NULL ? server->roster.ring.member[peer->member].id : 0,
    };
    uint8_t nonce[GR_HANDSHAKE_NONCE_BYTES];
    gr_assert(getrandom(nonce, sizeof(nonce), 0) == (ssize_t)sizeof(nonce));
    memcpy(self.cluster, server->cluster.id, sizeof(self.cluster));
    memcpy(self.secret, server->cluster.secret, sizeof(self.secret));
    snprintf(self.name, sizeof(self.name), "%s", server->roster.ring.member[0].name);
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
        gr_link_say(server->links.said, "listener", uv_strerror(status));
        return;
    }
    struct gr_conn *conn = conn_new(server, NULL, false);
    server->links.strangers++;
    if (uv_accept(listener, (uv_stream_t *)&conn->stream.tcp) != 0)
        conn_close(conn, NULL);
    else if (!gr_server_talks(server) || server->stopping)
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

void gr_links_connect(
    struct gr_server *server, struct gr_peer_link *peer, const struct sockaddr *address)
{
    struct gr_conn *conn = conn_new(server, peer, true);
    if (peer != NULL) {
        peer->dialled = conn;
    } else {
        server->links.sought = conn;
        snprintf(conn->from, sizeof(conn->from), "to join");
    }
    conn->connect.data = conn;
    int failed = uv_tcp_connect(&conn->connect, &conn->stream.tcp, address, on_connect);
    if (failed != 0)
        conn_close(conn, uv_strerror(failed));
}

// ---- begin and end ---------------------------------------------------------------------------

void gr_links_init(struct gr_server *server)
{
    struct gr_links *links = &server->links;
    gr_assert(uv_tcp_init(&server->loop, &links->listener) == 0);
    links->listener.data = server;
    gr_dial_init(server);
}

void gr_links_grow(struct gr_server *server)
{
    struct gr_links *links = &server->links;
    uint16_t count = server->roster.ring.member_count;
    links->peer = gr_hook_memory(links->peer, count * sizeof(*links->peer));
    for (; links->count < count; links->count++) {
        struct gr_peer_link *peer = gr_hook_memory(NULL, sizeof(*peer));
        memset(peer, 0, sizeof(*peer));
        peer->server = server;
        peer->member = links->count;
        gr_dial_add(peer);
        links->peer[links->count] = peer;
    }
    for (uint16_t i = 1; i < count; i++) // of some the address may have been news
        if (!uv_is_active((uv_handle_t *)&links->peer[i]->retry))
            gr_dial_later(links->peer[i]);
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
    gr_dial_begin(server);
}

void gr_links_end(struct gr_server *server)
{
    struct gr_links *links = &server->links;
    for (struct gr_link *at = links->conns.first, *after; at != NULL; at = after) {
        after = at->after;
        conn_close(GR_CONTAINER(at, struct gr_conn, in_all), NULL);
    }
    for (uint16_t i = 0; i < links->count; i++)
        links->peer[i]->told = false;
    gr_dial_end(server);
    links->news = false;
}

void gr_links_close(struct gr_server *server)
{
    uv_close((uv_handle_t *)&server->links.listener, NULL);
    gr_dial_close(server);
}

void gr_links_deinit(struct gr_server *server)
{
    gr_assert(server->links.conns.count == 0);
    gr_arena_deinit(&server->links.arena);
    for (uint16_t i = 0; i < server->links.count; i++)
        gr_hook_memory(server->links.peer[i], 0);
    gr_hook_memory(server->links.peer, 0);
}

// ---- from the turn ---------------------------------------------------------------------------

void gr_links_send(struct gr_server *server, uint16_t member, const struct gr_message *message)
{
    struct gr_peer_link *peer = server->links.peer[member];
    struct gr_conn *conn = peer->conn;
    if (!gr_link_is_up(peer))
        return;
    gr_frame_encode(&conn->out, version_of(conn), message);
    mark_dirty(conn);
    if (conn->out.bad) {
        conn->out.bad = false;
        gr_log(GR_LOG_WARN,
            "peer %s: a message is too large to be sent in frame version %u, and was dropped",
            gr_link_name(peer), version_of(conn));
    } else if (conn->out.size > out_max(server)) {
        conn_close(conn, "it does not read: as much as memory_max waits to be sent");
    }
}

bool gr_links_talk(struct gr_server *server, uint16_t member, const struct gr_talk *talk)
{
    struct gr_conn *conn = member < server->links.count ? server->links.peer[member]->conn : NULL;
    if (conn == NULL || conn->out.size > out_max(server))
        return false;
    gr_frame_talk(&conn->out, version_of(conn), talk);
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
    for (uint16_t i = 0; i < links->count; i++)
        if (links->peer[i]->told && !gr_link_is_up(links->peer[i]))
            tell(links->peer[i], false);
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
        if (!conn->done || conn->peer == NULL) {
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
    struct gr_peer_link *peer = server->links.peer[member];
    if (peer->cut == cut)
        return;
    peer->cut = cut;
    gr_log(GR_LOG_INFO, "peer %s: link is %s", gr_link_name(peer), cut ? "cut" : "healed");
    if (!cut) {
        peer->backoff_ms = 0;
        gr_dial_later(peer);
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

uint8_t gr_links_version(const struct gr_server *server, uint16_t member)
{
    const struct gr_peer_link *peer =
        member < server->links.count ? server->links.peer[member] : NULL;
    if (member == 0)
        return own_version(server);
    return peer != NULL && gr_link_is_up(peer) ? version_of(peer->conn) : 0;
}

uint16_t gr_links_up(const struct gr_server *server)
{
    uint16_t up = 0;
    for (uint16_t i = 0; i < server->links.count; i++)
        up += gr_link_is_up(server->links.peer[i]) && !server->roster.ring.member[i].out;
    return up;
}
