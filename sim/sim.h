// The simulator: a whole cluster in one process from one seed (DESIGN.md §9).
//
//   world    nodes, disks, links and clients on one queue of events in invented time
//   faults   what goes wrong, drawn per run (swarm): some runs have none, some have everything
//   clients  what is asked: contexts, stale contexts and none, plain commands, scans
//   oracle   what is true: every write's causal past, and the promises that follow from it
//   main     seeds, canaries, digests, and the closing line
#ifndef GR_SIM_SIM_H
#define GR_SIM_SIM_H

#include "base/bytes.h"
#include "base/random.h"
#include "core/node.h"
#include "store/store.h"

enum {
    SIM_NODES_MAX = 7,
    SIM_KEYS_MAX = 6,
    SIM_CLIENTS_MAX = 6,
    SIM_OPS_MAX = 640,
    SIM_DOTS_MAX = 2, // of one operation: an owner's, and one of a node that stood in
    SIM_WORDS = SIM_OPS_MAX * SIM_DOTS_MAX / 64, // of a set of writes
};

struct sim;

// ---- oracle: what is true -------------------------------------------------------------------

enum sim_op_kind {
    SIM_GET,
    SIM_PUT,     // with a context, perhaps a stale or empty one
    SIM_DELETE,  // likewise
    SIM_SET,     // the plain face
    SIM_SET_OLD, // SET with GET: a read-modify-write
    SIM_EXPIRE,
    SIM_DEL,
    SIM_KINDS
};

// Writes, as the dots that were drawn: the k-th of operation n is n * SIM_DOTS_MAX + k.
struct sim_set {
    uint64_t word[SIM_WORDS];
};

// One request of a client. Operation n has number n + 1 in its value and request id.
struct sim_op {
    enum sim_op_kind kind;
    int key;
    uint32_t partition; // of the key: dots are counted per partition
    bool removes;       // a delete
    bool replied;
    enum gr_outcome outcome;
    uint64_t issued, ended;          // in the order of all events
    int r, w, dw, primaries;         // R, W, DW; owners among those that answered or acknowledged
    struct gr_dot dot[SIM_DOTS_MAX]; // those drawn for it
    int dot_count;
    bool by_owner;                     // one of them was drawn by an owner of the key
    struct sim_set past[SIM_DOTS_MAX]; // every write that it had seen, and theirs
    int64_t expires_ms;
    // Of the nodes, as bits: which ever held the write or what replaced it, or kept a hint of it;
    // which do, unless they handed it over; whose disk has it, or had it and handed it over; and
    // which held it when the client was told that it is done, and did not lose it since.
    unsigned held, holds, safe, keeps;
    uint64_t held_at[SIM_NODES_MAX]; // the write with which it came, of those that are not safe
};

struct sim_oracle {
    struct sim *sim;
    struct sim_op op[SIM_OPS_MAX];
    int count;
    uint32_t keepers[SIM_KEYS_MAX]; // nodes that have kept a hint of the key, a bit each
    bool failed;
    char story[512]; // the first broken promise
};

// Begins an operation; its number, or -1 when the run has had enough.
int sim_oracle_begin(
    struct sim_oracle *oracle, enum sim_op_kind kind, int key, uint32_t partition, int r, int w);
// A write drew a dot for operation `op`, having seen `context`; `by_owner`: at an owner of the key.
void sim_oracle_drawn(struct sim_oracle *oracle, int op, const struct gr_dot *dot,
    const struct gr_context *context, bool by_owner);
// A node that is no owner keeps a hint of the key: the write of that dot, with its own write
// `number`.
void sim_oracle_kept(
    struct sim_oracle *oracle, int node, int key, const struct gr_dot *dot, uint64_t number);
// A client was answered.
void sim_oracle_result(struct sim_oracle *oracle, int op, const struct gr_result *result);
// What a replica holds of a key (filled): its clock must claim nothing that it cannot show.
void sim_oracle_state(struct sim_oracle *oracle, int node, int key, const struct gr_record *filled);
// The disk of a node has its writes up to `number`; or it has crashed and lost those behind it.
void sim_oracle_synced(struct sim_oracle *oracle, int node, uint64_t number);
void sim_oracle_crashed(struct sim_oracle *oracle, int node, uint64_t number);
// The end: all replicas' states of a key merged. Nothing acknowledged may be missing.
void sim_oracle_final(struct sim_oracle *oracle, int key, const struct gr_record *merged);
void sim_oracle_fail(struct sim_oracle *oracle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// ---- faults ----------------------------------------------------------------------------------

struct sim_faults {
    uint32_t loss, duplicate, slow; // per mille of messages
    uint32_t delay_us_max;          // of an ordinary message
    uint32_t crash, cut, pause;     // per mille of fault ticks
    uint32_t crash_in_step;         // per mille of crashes that hit between two effects
    uint32_t read_late, read_error; // per mille of store reads
    uint32_t sync_us_max;
    int64_t skew_ms_max; // wall clocks differ by up to this much
    bool minutes;        // the quiet phase lasts until every expiry row is over
    bool one_way;        // cuts may be one-way
    bool link_events;    // cuts are noticed by the links
};

// ---- world -----------------------------------------------------------------------------------

struct sim_options {
    uint64_t seed;
    enum gr_canary canary;
    bool verbose; // prints every event and effect
};

struct sim_report {
    bool failed;
    char story[512];
    uint64_t digest; // of everything that happened
    uint64_t events, writes, messages, crashes, cuts, gets, puts, ok, rejected, indeterminate;
    int64_t virtual_ms;
    struct gr_probes probes;
};

// Runs one seed to its end.
void sim_run(const struct sim_options *options, struct sim_report *ret_report);

// For clients: takes a request to a node. False if the node is down (nobody answers).
bool sim_submit(struct sim *sim, int node, const struct gr_request *request);
struct gr_random *sim_random(struct sim *sim);
int sim_node_count(const struct sim *sim);
bool sim_node_up(const struct sim *sim, int node);
uint32_t sim_key_partition(const struct sim *sim, int key);
int sim_replicas(const struct sim *sim);
enum gr_durability sim_durability(const struct sim *sim);
unsigned sim_owners(const struct sim *sim, uint32_t partition); // one bit for each
uint64_t sim_written(const struct sim *sim, int node);          // number of its last write
struct gr_wall sim_wall(const struct sim *sim);
int64_t sim_skew_ms_max(const struct sim *sim);
struct gr_instant sim_now(const struct sim *sim);
uint64_t sim_order(const struct sim *sim);
// A number mixed into the run's digest.
void sim_note(struct sim *sim, uint64_t number);
bool sim_verbose(const struct sim *sim);

// ---- clients ---------------------------------------------------------------------------------

struct sim_client {
    int waits_for; // number of the operation under way, -1: none
    struct gr_arena arena;
    struct gr_context context[SIM_KEYS_MAX]; // of the last get of that key
    struct gr_context stale[SIM_KEYS_MAX];   // of the one before
};

struct sim_clients {
    struct sim *sim;
    struct sim_oracle *oracle;
    int count, keys;
    struct gr_key key[SIM_KEYS_MAX];
    char name[SIM_KEYS_MAX][16];
    struct sim_client client[SIM_CLIENTS_MAX];
    uint64_t stray; // replies that nobody waits for
};

void sim_clients_init(struct sim_clients *clients, struct sim *sim, struct sim_oracle *oracle);
void sim_clients_deinit(struct sim_clients *clients);
// A client that waits for nothing asks something. False when the run has had enough.
bool sim_clients_act(struct sim_clients *clients, int client);
void sim_clients_result(struct sim_clients *clients, const struct gr_result *result);
// A request whose node crashed is never answered: the client gives up.
void sim_clients_abandon(struct sim_clients *clients, uint64_t ticket);

#endif
