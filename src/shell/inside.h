// What the files of the server share. Private to the shell; the outside sees server.h.
//
//   server.c   start, stop, and a new run after the store has failed
//   prepare.c  what is looked at before
//   turn.c     the turn of the loop: events in, effects out, commit, flush
//   link.c     the links to the other members
//   dial.c     whom of them this node calls, and when
//   talk.c     what members tell each other of themselves
//   roster.c   and what follows from it: who there is, who owns what, who holds what
//   plan.c     what operators stage and commit
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
#include "core/agreed.h"
#include "core/layout.h"
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
    char local[64];             // of the listener
    struct gr_peer_link **peer; // one for each place of the ring's table, the own one unused
    uint16_t count;
    struct gr_list conns; // all connections, in whatever state
    struct gr_list dirty; // connections with something to flush
    uint32_t strangers;   // accepted, handshake not done
    bool news;            // a link went down that the node believes up
    char said[GR_HANDSHAKE_REASON_BYTES];
    struct gr_arena arena; // of the frame that is being stepped
    // The way in, while no link is up: the setting `join`.
    uv_timer_t seek;
    uv_getaddrinfo_t lookup;
    bool seeking;           // looking up
    struct gr_conn *sought; // on its way there
    uint32_t turn;          // of the addresses
};

// Takes the loop's handles; dials nothing yet.
void gr_links_init(struct gr_server *server);
// There is another ring: who is new gets a link, and who has a new address is dialled there.
void gr_links_grow(struct gr_server *server);
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
// The version of frames that the link to that member speaks, 0: there is none; of itself, the
// highest that this node speaks.
uint8_t gr_links_version(const struct gr_server *server, uint16_t member);

// A frame of talk. False: there is no link.
bool gr_links_talk(struct gr_server *server, uint16_t member, const struct gr_talk *talk);

// Ends the links to those who were removed, and tells them.
void gr_links_part(struct gr_server *server);
// Connects to a member, or if that is NULL to one who is not known yet.
void gr_links_connect(
    struct gr_server *server, struct gr_peer_link *peer, const struct sockaddr *address);
bool gr_link_is_up(const struct gr_peer_link *peer);
const char *gr_link_name(const struct gr_peer_link *peer);
// Trouble is logged when it is news: not again and again while the same thing goes wrong.
void gr_link_say(char said[GR_HANDSHAKE_REASON_BYTES], const char *who, const char *what);

// dial.c
void gr_dial_init(struct gr_server *server);
void gr_dial_add(struct gr_peer_link *peer);
void gr_dial_begin(struct gr_server *server);
void gr_dial_end(struct gr_server *server);
void gr_dial_close(struct gr_server *server);
// Of the two, this node is the one that dials.
bool gr_dial_is_ours(const struct gr_peer_link *peer);
// After a while, if it may be dialled at all.
void gr_dial_later(struct gr_peer_link *peer);

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
// What this node says.
// False: something later is known, or there is no room.
bool gr_talks_say(struct gr_server *server, const struct gr_fact *fact);
// One whom nobody knows yet says who it is. False: it says something else.
bool gr_talks_meet(struct gr_server *server, uint64_t id, struct gr_bytes bytes);
// What a frame of that member says. False: it does not parse.
bool gr_talks_take(struct gr_server *server, uint16_t member, struct gr_bytes bytes);
enum gr_status gr_talks_status(const struct gr_server *server, uint16_t member);

// ---- roster ----------------------------------------------------------------------------------

struct gr_roster {
    struct gr_ring ring;     // of this node: its table has this node at 0
    struct gr_ring told[2];  // the same as the node was told of it, and the one before; they own
    int told_last;           // nothing
    struct gr_layout layout; // that it follows; version 0: none is known yet
    struct gr_arena arena;   // of the layout
    uint32_t agreed[GR_AGREED_KEYS];      // settings in force: as set, or as the cluster file says
    uint64_t taken;                       // hash of the last layout that was looked at
    struct gr_card card;                  // this node's own
    uint64_t held[GR_HOLDS_WORDS_MAX];    // what this node has said that it holds
    uint64_t bare_in;                     // and in which ring it last held nothing (core/node.h)
    bool holds_news[GR_MEMBERS_MAX];      // the node is to be told what it holds
    bool news, any_holds_news;            // for gr_roster_settle
    char path[GR_DATADIR_PATH_BYTES + 8]; // the file FACTS
    uv_timer_t save;
    uint64_t save_ms; // when it fires; 0: everything is saved
    bool save_said;   // that it failed was logged
};

void gr_roster_init(struct gr_server *server);
// Behind gr_talks_init and the data directory: reads what was known. On failure ret_why holds one
// sentence: GR_ERR_NOT_FOUND (no founder, and nobody to join), GR_ERR_INVALID (a setting), or as of
// gr_facts_read.
GR_MUST_USE enum gr_err gr_roster_open(struct gr_server *server, char *ret_why, size_t why_size);
void gr_roster_close(struct gr_server *server);
void gr_roster_deinit(struct gr_server *server);
// A run begins: the node is told what all hold.
void gr_roster_begin(struct gr_server *server);
// Something was heard; gr_roster_settle makes of it what it means.
void gr_roster_learned(struct gr_server *server, const struct gr_fact *fact);
// Steps the node: not within a step. True if there was anything.
bool gr_roster_settle(struct gr_server *server);
// A HOLDS effect.
void gr_roster_holds(struct gr_server *server, const struct gr_holds *holds);
// Appends the frame, of that version, that says that a store was removed.
void gr_roster_tell_banned(
    struct gr_server *server, uint64_t store, uint8_t version, struct gr_writer *out);
// Appends the frame that says what this node is.
void gr_roster_introduce(struct gr_server *server, uint8_t version, struct gr_writer *out);
// The address of the setting `join` whose turn it is. False: there is none.
bool gr_roster_join(const struct gr_config *config, uint32_t turn, char ret[GR_CONFIG_TEXT_MAX]);
// Writes the file FACTS within that time.
void gr_roster_save(struct gr_server *server, uint64_t within_ms);

// The same at once. On failure ret_why holds one sentence.
GR_MUST_USE enum gr_err gr_roster_save_now(
    struct gr_server *server, char *ret_why, size_t why_size);
// A setting of the cluster as it is in force, and who has set it (agreed.c).
void gr_roster_agreed(
    const struct gr_server *server, enum gr_agreed_key key, struct gr_agreed *ret);
// What is in force may be another one by now: whoever goes by it is told.
void gr_roster_take_agreed(struct gr_server *server);
// News of a setting.
void gr_roster_learned_agreed(const struct gr_fact *fact);
// It was removed, and is refused for ever.
bool gr_roster_is_banned(const struct gr_server *server, uint64_t store);
// What a name, a host, a rack or a site may be: printable, without spaces, not too long.
bool gr_roster_is_word(const char *text);

// ---- plans -----------------------------------------------------------------------------------

struct gr_plan {
    struct gr_arena arena; // of the last look
    struct gr_cluster_view view;
    const char **note;
};

const struct gr_cluster_view *gr_plan_look(struct gr_server *server);
const char *gr_plan_ask(struct gr_server *server, const struct gr_stage_ask *ask, char *why);
// The node goes by another layout from now on: was the plan of the old one lost?
void gr_plan_replaced(
    struct gr_server *server, const struct gr_layout *old, const struct gr_layout *new);
void gr_plan_deinit(struct gr_server *server);

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
    struct gr_cluster cluster; // the file
    struct gr_datadir datadir;
    struct gr_token_key token_key;
    uv_loop_t loop;
    uv_signal_t signal[2];
    uv_timer_t second; // once a second
    uv_timer_t run;    // the next attempt at a new run
    uv_timer_t grace;  // until then the node waits for the links to come up
    bool grace_said;   // what it waits for
    uv_timer_t stop;   // while stopping: looks whether all is done
    uint64_t started_ms, stop_ms, looked_ms;
    bool stopping, stopped;
    bool removed; // from the cluster: it stops

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
    bool waiting;         // there is no run before it is told of a ring
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
    struct gr_roster roster;
    struct gr_plan plan;
    struct gr_clients clients;
};

// Links may be: there is a node, or it waits to be told of a ring. server.c
bool gr_server_talks(const struct gr_server *server);
// This node's store was removed from the cluster: it says so and stops.
void gr_server_removed(struct gr_server *server);
// There may be a ring now, which it waited for.
void gr_server_told(struct gr_server *server);
// prepare.c: each returns an exit code, having said why.
int gr_prepare_complain(int code, const char *why);
int gr_prepare_settings(const struct gr_config *config);
int gr_prepare_cluster(struct gr_server *server);
// The address of a listener: the setting, or where the others are told that this member is.
int gr_prepare_address(const struct gr_server *server, enum gr_setting setting,
    const char *member_address, struct sockaddr_storage *ret);
// Raises the limit of open files as far as needed; serves fewer clients where that is not allowed.
int gr_prepare_files(struct gr_server *server);

// The store has failed: a new run is wanted.
void gr_server_run_failed(struct gr_server *server);
// A link came up, or time has passed: is the node ready to serve?
void gr_server_look(struct gr_server *server);
// Bytes that the store may still take on its disk; UINT64_MAX if that cannot be found out.
uint64_t gr_server_disk_free(const struct gr_server *server);
// A peer has seen writes of this run of our store: is the directory as old as it should be?
void gr_server_seen(struct gr_server *server, const char *peer, uint64_t run);

#endif
