// What the files of the server share. Private to the shell; the outside sees server.h.
//
//   server.c   start, stop, and a new run after the store has failed
//   turn.c     the turn of the loop: events in, effects out, commit, flush
//   link.c     the links to the other members
//   talk.c     what members tell each other of themselves
//   client.c   the Redis listener and its connections
//   face.c     what the Redis face asks of its host: settings, numbers, cutting links
//
// One thread. Callbacks of libuv step the node when bytes arrive and leave marks for everything
// else; gr_turn, which runs before and after the loop waits, does the rest.
#ifndef GR_SHELL_INSIDE_H
#define GR_SHELL_INSIDE_H

#include <uv.h>

#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "shell/cluster.h"
#include "shell/config.h"
#include "shell/datadir.h"
#include "shell/salvage.h"
#include "shell/storage.h"
#include "shell/stream.h"
#include "wire/handshake.h"
#include "wire/redis.h"
#include "wire/talk.h"
#include "wire/token.h"

struct gr_server;

// ---- links -----------------------------------------------------------------------------------

struct gr_conn;

// One other member.
struct gr_peer_link {
    struct gr_server *server;
    uint16_t member;
    struct gr_conn *conn;    // handshake done
    struct gr_conn *dialled; // on its way there, when this node is the one that dials
    bool told;               // what the node believes
    bool cut;
    bool down; // the cluster takes it for down, and that was logged
    bool resolving;
    uv_timer_t retry; // the next dial
    uv_getaddrinfo_t lookup;
    uint32_t backoff_ms;
    char said[GR_HANDSHAKE_REASON_BYTES]; // the last trouble that was logged
};

struct gr_links {
    uv_tcp_t listener;
    char local[64];            // of the listener
    struct gr_peer_link *peer; // one per member, the own one unused
    struct gr_list conns;      // all connections, in whatever state
    struct gr_list dirty;      // connections with something to flush
    uint32_t strangers;        // accepted, handshake not done
    bool news;                 // a link went down that the node believes up
    char said[GR_HANDSHAKE_REASON_BYTES];
    struct gr_arena arena; // of the frame that is being stepped
};

// Takes the loop's handles; dials nothing yet.
void gr_links_init(struct gr_server *server);
// Listens; NULL or why not.
const char *gr_links_listen(struct gr_server *server, const struct sockaddr *address);
// A run begins: dials whom this node dials.
void gr_links_begin(struct gr_server *server);
// A run ends, or the server: closes all connections and dials no more. Tells the node nothing.
void gr_links_end(struct gr_server *server);
// Closes the listener and the timers; connections must have ended.
void gr_links_close(struct gr_server *server);
void gr_links_deinit(struct gr_server *server);
// A SEND effect. What cannot be sent is dropped: the node learns of the link's end.
void gr_links_send(struct gr_server *server, uint16_t member, const struct gr_message *message);
// Tells the node of links that went down. True if there was one.
bool gr_links_tell(struct gr_server *server);
void gr_links_flush(struct gr_server *server);
// While the store stalls nothing is read.
void gr_links_pause(struct gr_server *server, bool pause);
// Once a second: keepalives and deadlines.
void gr_links_look(struct gr_server *server);
void gr_links_cut(struct gr_server *server, uint16_t member, bool cut);
bool gr_links_sent(const struct gr_server *server);   // nothing waits to leave
uint16_t gr_links_up(const struct gr_server *server); // how many

// A frame of talk. False: there is no link.
bool gr_links_talk(struct gr_server *server, uint16_t member, const struct gr_talk *talk);

// ---- talk of members -------------------------------------------------------------------------

struct gr_talks {
    struct gr_members members;
    uv_timer_t timer;
    struct gr_arena arena; // of the talk that is being taken
};

void gr_talks_init(struct gr_server *server);
void gr_talks_begin(struct gr_server *server); // a run begins,
void gr_talks_end(struct gr_server *server);   // or ends
void gr_talks_close(struct gr_server *server);
void gr_talks_deinit(struct gr_server *server);
void gr_talks_greet(struct gr_server *server, uint16_t member); // a link is up
// What a frame of that member says. False: it does not parse.
bool gr_talks_take(struct gr_server *server, uint16_t member, struct gr_bytes bytes);
enum gr_status gr_talks_status(const struct gr_server *server, uint16_t member);

// ---- clients ---------------------------------------------------------------------------------

struct gr_client;

struct gr_clients {
    uv_tcp_t listener;
    struct gr_redis_host host;
    struct gr_map by_id;
    struct gr_list all;     // in order of ids
    struct gr_list dirty;   // touched since the last flush
    struct gr_list flushed; // within a flush: sent, and not yet told so
    uint64_t last_id;
    uint32_t max;
    uint64_t accepted, refused, commands_gone;
    size_t held, held_max;      // bytes of commands and replies on their way: clients.c, C4
    int pressure;               // 0: room; 1: over held_max; 2: over it by a quarter
    struct gr_client *favoured; // under pressure the only one that may go on with a long command
    char local[64];             // of the listener
};

void gr_clients_init(struct gr_server *server);
const char *gr_clients_listen(struct gr_server *server, const struct sockaddr *address);
void gr_clients_stop_listening(struct gr_server *server);
// What is under way is answered, and nothing more is read; each closes when it is done.
void gr_clients_drain(struct gr_server *server);
void gr_clients_end(struct gr_server *server); // closes all connections
void gr_clients_deinit(struct gr_server *server);
// A REPLY or an ACKED effect.
void gr_clients_result(struct gr_server *server, const struct gr_result *result);
void gr_clients_acked(struct gr_server *server, uint64_t ticket, uint8_t acks, uint8_t durable);
// True if sessions have more to send at once, or there is something to step.
bool gr_clients_flush(struct gr_server *server);
void gr_clients_pause(struct gr_server *server, bool pause);
void gr_clients_look(struct gr_server *server);
uint64_t gr_clients_commands(const struct gr_server *server);

// ---- face.c ----------------------------------------------------------------------------------

struct gr_redis_host gr_face_host(struct gr_server *server);
void gr_face_timer(void *host, struct gr_redis *session, struct gr_span span); // client.c
void gr_face_sessions(
    void *host, void (*visit)(void *arg, struct gr_redis *session), void *arg); // client.c

// ---- turn.c ----------------------------------------------------------------------------------

// Steps the node, filling in the time, and how long a message may have lain in its socket. Never
// inside a step, never while the store stalls.
void gr_turn_step(struct gr_server *server, struct gr_event *event);
// Steps a request; or copies it and steps it in a turn, when it came in the middle of a step, or
// when others wait or the loop is late; or refuses it as BUSY when too much waits already.
void gr_turn_submit(struct gr_server *server, const struct gr_request *request);
// What an operator asks of self-repair: stepped in the next turn. False: too much waits.
bool gr_turn_ask(struct gr_server *server, const struct gr_repair_ask *ask);
void gr_turn_init(struct gr_server *server);
// Drops what is deferred; the node is going away.
void gr_turn_end(struct gr_server *server);
void gr_turn_close(struct gr_server *server);
// The turn itself; runs by itself before and after each wait.
void gr_turn(struct gr_server *server);

enum { GR_TURN_ASKS_MAX = 16 };

struct gr_turn_state {
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t tick;
    uv_async_t again;
    struct gr_instant began;  // the turn under way
    struct gr_instant armed;  // what `tick` is set for
    struct gr_instant asleep; // when the last wait began
    struct gr_instant woken;  // when the last wait but for the present one ended
    struct gr_list deferred;  // requests that wait for their step
    size_t deferred_bytes;    // that they take
    uint64_t refused;         // because too many waited
    struct gr_repair_ask ask[GR_TURN_ASKS_MAX];
    uint32_t ask_count; // of them, to be stepped
    bool stepping;
    bool stalled; // a batch waits for the store: nothing is stepped or sent
    bool inside;  // gr_turn does not call itself
    uint64_t turns, steps;
};

// ---- the server ------------------------------------------------------------------------------

struct gr_server {
    const struct gr_config *config;
    struct gr_cluster cluster;
    uint16_t self;
    struct gr_datadir datadir;
    struct gr_token_key token_key;
    uv_loop_t loop;
    uv_signal_t signal[2];
    uv_timer_t second; // once a second
    uv_timer_t run;    // the next attempt at a new run
    uv_timer_t grace;  // until then the node waits for the links to come up
    uv_timer_t stop;   // while stopping: looks whether all is done
    uint64_t started_ms, stop_ms, looked_ms;
    bool stopping, stopped;

    // The run; node and storage are NULL between two runs.
    struct gr_storage *storage;
    struct gr_node *node;
    struct gr_actor actor;
    uint64_t run_started_ms;
    uint32_t run_wait_ms; // before the next new run
    bool run_ending;      // the store has failed, and `run` is set
    bool run_said;        // that a new run cannot begin was logged
    enum gr_err run_why;  // why there is no run, or none that takes writes; GR_OK
    uint64_t outrun;      // a run of this store that peers know and that is not in it; 0: none
    bool serving;         // requests are taken: see gr_server_look
    bool announced;       // the line "ready" was printed

    // Between two runs, on a thread: see salvage.h.
    uv_work_t salvage;
    bool salvaging;
    atomic_bool salvage_stop;
    enum gr_err salvage_err;
    char salvage_why[GR_WHY_BYTES];
    struct gr_salvage_done salvaged; // the last one; `aside` is "" if there was none
    uint32_t salvages;               // of this process

    struct gr_random random; // of the backoff
    struct gr_stream_pool pool;
    struct gr_turn_state turn;
    struct gr_links links;
    struct gr_talks talks;
    struct gr_clients clients;
};

// The store has failed: a new run is wanted. server.c
void gr_server_run_failed(struct gr_server *server);
// A link came up, or time has passed: is the node ready to serve?
void gr_server_look(struct gr_server *server);
// Bytes that the store may still take on its disk; UINT64_MAX if that cannot be found out.
uint64_t gr_server_disk_free(const struct gr_server *server);
// A peer has seen writes of this run of our store: is the directory as old as it should be?
void gr_server_seen(struct gr_server *server, const char *peer, uint64_t run);

#endif
