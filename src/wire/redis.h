// The Redis face: one client connection as a machine, bytes and results in, requests and bytes out.
//
// The shell owns the socket and moves bytes; everything that Redis clients can see is decided here.
//
//     bytes read      -> gr_redis_input(session, bytes)
//     REPLY effect    -> gr_redis_result(session, result)       result->ticket: low 32 bits count
//     ACKED effect    -> gr_redis_acked(session, ticket, acks, durable)
//     timer fired     -> gr_redis_timer(session)
//     after any call  -> send what gr_redis_output(session) holds, then gr_redis_flushed(session);
//                        read on only while gr_redis_wants_input(session);
//                        once all is sent, close if gr_redis_closing(session)
//
// Calls never close or free the session; the shell frees it with gr_redis_free when the socket is
// gone, and then drops what still arrives for its tickets. Not thread-safe: one loop, one thread.
#ifndef GR_WIRE_REDIS_H
#define GR_WIRE_REDIS_H

#include "base/bytes.h"
#include "core/agreed.h"
#include "core/members.h"
#include "core/node.h"
#include "core/stage.h"
#include "wire/token.h"

struct gr_redis;

// The version that Redis clients are told; they choose features by it.
#define GR_REDIS_VERSION "7.0.0"

enum {
    GR_REDIS_WINDOW = 128,           // commands of one connection under way at once
    GR_REDIS_KEYS_MAX = 1000,        // keys that one command may name
    GR_REDIS_CALLS_MAX = 64,         // requests of one command under way at once
    GR_REDIS_INPUT_SLACK = 64 << 10, // unread bytes kept while commands wait their turn
};

// What this process knows and INFO shows; everything else INFO derives from the ring. Texts are
// borrowed for the call that they were returned to.
struct gr_redis_info {
    const char *version;     // of Gramme
    const char *config_file; // "" if none
    uint64_t process_id;
    uint16_t port; // for Redis clients
    uint64_t uptime_s;
    uint32_t clients, clients_max;
    uint64_t connections_total, connections_refused;
    uint64_t commands_total;
    uint64_t bytes_in_total, bytes_out_total;
    uint64_t memory_bytes;     // resident
    uint64_t memory_max_bytes; // 0 = no limit is set
    int64_t keys;              // with values, in the partitions that this node holds
    const char *set_aside;     // directory of a damaged store; NULL: there is none
    uint64_t salvaged, unread; // of it: rows that were kept; rows and ranges that could not be read
    bool salvaging;            // a damaged store is being read
    struct gr_node_stats node; // anti-entropy and the rest; zero when no node runs
    uint64_t hint_bytes_max;
    const char *durability;    // commit, interval, buffered
    uint64_t sync_interval_ms; // of the last two
    enum gr_err store;         // GR_OK, or why it takes no writes
    uint32_t run;              // of the store; 0: there is none
    uint32_t run_seen;         // a later run of this store that peers have seen; 0: none
    uint64_t disk_free_bytes;  // UINT64_MAX: unknown
    // Load: what is under way and what it takes, what was refused, and how background work fares.
    uint32_t requests, requests_waiting;
    uint64_t request_bytes, client_bytes, client_bytes_max;
    uint64_t busy_total, late_total;
    uint32_t background_rate;
    uint64_t background_slices_total, foreground_p99_us, background_target_us;
};

// What an operator asks of the members (core/stage.h).
enum { GR_PLAN_WHY_BYTES = 600, GR_PLAN_NAME_BYTES = 9 };
struct gr_stage_ask {
    enum { GR_STAGE_CHANGE, GR_STAGE_N, GR_STAGE_COMMIT, GR_STAGE_CANCEL, GR_STAGE_SET } what;
    enum gr_agreed_key key;           // SET, which is done at once, and
    uint32_t value;                   // to what; N
    enum gr_change_op op;             // CHANGE, and what follows too
    char name[GR_NAME_BYTES_MAX + 1]; // of the member; COMMIT: of the plan, or empty: whatever is
    uint32_t weight;                  // 0: not given
    char site[GR_NAME_BYTES_MAX + 1], rack[GR_NAME_BYTES_MAX + 1];
};

// Who the members are, and what is staged.
struct gr_cluster_view {
    const struct gr_layout *now; // version 0: none is known yet
    const struct gr_card *guest; // members that are not in it
    uint16_t guest_count;
    const struct gr_staged *staged; // NULL: nothing is staged
    char plan[GR_PLAN_NAME_BYTES];  // names that and the ring that it was staged for: 8 hex digits
    const struct gr_layout *next;   // what a commit would make of it; NULL: it cannot be
    struct gr_placement placement;  // of that
    bool estimated;                 // keys and bytes that would move are about so many
    uint64_t keys, bytes;
    uint64_t seconds, seconds_busy; // that it takes an idle cluster, and one that clients keep busy
    const char *const *note;        // what an operator should know of it
    uint32_t note_count;
    const struct gr_lost *lost;
    uint32_t lost_count;
    // What is in force here: as the cluster file has it, unless somebody has set it (version is not
    // 0).
    struct gr_agreed agreed[GR_AGREED_KEYS];
};

// What a session asks of its host. Every function gets `host`. None may free the session; submit
// and link may call gr_redis_result and gr_redis_acked back before they return.
struct gr_redis_host {
    void *host;

    // Takes a request in: everything in it is borrowed for the call. request->ticket is the
    // session's own number, in the low 32 bits; the host adds the connection's in the high 32 bits.
    // Exactly one gr_redis_result follows, unless the session is freed first.
    void (*submit)(void *host, struct gr_redis *session, const struct gr_request *request);
    struct gr_wall (*wall)(void *host);
    // False while the node is loading: commands that touch data are answered with -LOADING.
    bool (*ready)(void *host);
    // Sets this session's one timer, replacing what was set; 0 ns stops it. When it fires:
    // gr_redis_timer(session).
    void (*timer)(void *host, struct gr_redis *session, struct gr_span span);

    // The ring, this node's place in it, and what this node believes of the others.
    const struct gr_ring *(*ring)(void *host);
    uint16_t (*self)(void *host);
    bool (*peer_up)(void *host, uint16_t member); // true for self
    // Of the link to it, 0 if it is down; for self, the highest that this node speaks.
    uint8_t (*frame_version)(void *host, uint16_t member);
    // What the cluster says of it, as far as it has come here.
    enum gr_status (*status)(void *host, uint16_t member);
    // What this node keeps for a member; nothing for itself, and while it is loading.
    struct gr_debt_view (*debt)(void *host, uint16_t member);
    const struct gr_token_key *(*token_key)(void *host);

    void (*info)(void *host, struct gr_redis_info *ret_info);
    // Calls visit for every setting, in order of names; CONFIG GET chooses among them.
    void (*settings)(
        void *host, void (*visit)(void *arg, const char *name, const char *value), void *arg);
    // Calls visit for every session of this face, in order of ids.
    void (*sessions)(void *host, void (*visit)(void *arg, struct gr_redis *session), void *arg);
    // For GR.REPAIR (core/repair.h): the node to look at, NULL while it is loading; the clock that
    // it lives by; and what an operator asks of it, which is done as soon as it can be: the number
    // that the ask will have, 0 if too many are waiting.
    const struct gr_node *(*node)(void *host);
    struct gr_instant (*now)(void *host);
    uint64_t (*repair)(void *host, const struct gr_repair_ask *ask);
    // For GR.CLUSTER: valid until the next call of either; and what an operator asks, done when it
    // returns: NULL, or one sentence that says why not, which may be in `why` (GR_PLAN_WHY_BYTES).
    const struct gr_cluster_view *(*cluster)(void *host);
    const char *(*stage)(void *host, const struct gr_stage_ask *ask, char *why);
    // GR.LINK, for demos and tests: `action` is "CUT" or "HEAL" (upper case); CUT names the members
    // to cut this node off from. NULL = done, else one sentence that says why not. May itself be
    // NULL: then GR.LINK answers that it needs the setting `demo = yes`.
    const char *(*link)(
        void *host, const char *action, const struct gr_bytes *name, uint32_t name_count);
};

// How one connection begins. Texts are copied.
struct gr_redis_config {
    uint64_t id;         // CLIENT ID: never used twice in one run
    const char *address; // of the client, "ip:port"
    const char *local;   // of the listener, "ip:port"
    size_t command_max;  // bytes of one command; 0 = 32 MiB
    size_t output_max;   // see gr_redis_output; 0 = 64 MiB
};

// `host` is copied; what it points to outlives the session. Never NULL.
struct gr_redis *gr_redis_new(
    const struct gr_redis_host *host, const struct gr_redis_config *config);
void gr_redis_free(struct gr_redis *session);

// Bytes that the client sent; borrowed for the call. May be called when gr_redis_wants_input is
// false (what was already read is kept), but then not for long: that would be memory without a
// bound.
void gr_redis_input(struct gr_redis *session, struct gr_bytes bytes);
// The client will send no more (end of file): what is under way is answered, then
// gr_redis_closing turns true.
void gr_redis_input_end(struct gr_redis *session);
// The result of a request. Only the low 32 bits of the ticket are looked at; a ticket that is not
// under way is ignored.
void gr_redis_result(struct gr_redis *session, const struct gr_result *result);
// More replicas have acknowledged a put or update that was already answered (or will be): `acks`
// so far, the coordinator included; `durable` of them are synced.
void gr_redis_acked(struct gr_redis *session, uint64_t ticket, uint8_t acks, uint8_t durable);
void gr_redis_timer(struct gr_redis *session);

// The bytes to send. Two ways to take them: send some and gr_writer_consume them; or move the
// whole struct away and gr_writer_init a new one with the old size_max. Call gr_redis_flushed
// after either, so that commands that were held back go on.
//
// Over output_max no further command starts; a command whose reply would pass twice output_max is
// answered with an error instead. How long a client may leave its replies unread is the shell's
// business.
struct gr_writer *gr_redis_output(struct gr_redis *session);
void gr_redis_flushed(struct gr_redis *session);
// False while commands wait for others to end, or for output to leave: stop reading.
bool gr_redis_wants_input(const struct gr_redis *session);
// True once nothing more will be written: close when the output is sent.
bool gr_redis_closing(const struct gr_redis *session);

// ---- looking -------------------------------------------------------------------------------

uint64_t gr_redis_id(const struct gr_redis *session);
// Commands that were taken in so far.
uint64_t gr_redis_commands(const struct gr_redis *session);
// Bytes that the client sent and no command has taken up yet; and with them the replies that have
// not left.
size_t gr_redis_unread(const struct gr_redis *session);
size_t gr_redis_held(const struct gr_redis *session);
// Bytes of memory that the session takes, input and output included.
size_t gr_redis_memory(const struct gr_redis *session);

#endif
