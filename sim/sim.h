// The simulator: a whole cluster in one process from one seed (DESIGN.md §9).
//
//   plan      what a run is: cluster, clients, and all that will go wrong (swarm); can be edited
//   world     nodes, disks and clients on one queue of events in invented time
//   network   links, cuts, and what happens to messages
//   disk      stores that crash
//   faults    carries out the plan: nodes, links and clocks; ruin does it to disks
//   phases    safety, liveness, quiet, audit
//   clients   what is asked: contexts, stale contexts and none, plain commands
//   oracle    what is true: every write's causal past, and the promises that follow from it
//   progress  promise 1: what had to succeed
//   audit     what must be true once everything is healed and quiet
//   seeds     many seeds on all cores; report, minimise and main are around it
#ifndef GR_SIM_SIM_H
#define GR_SIM_SIM_H

#include "core/node.h"
#include "sim/plan.h"
#include "store/store.h"

enum {
    SIM_DOTS_MAX = 2, // of one operation: its own, and the seal of an owner's run
    SIM_WRITES_MAX = SIM_OPS_MAX * SIM_DOTS_MAX,
    SIM_WORDS = SIM_WRITES_MAX / 64, // of a set of writes
    SIM_ACTORS_MAX = 2048,
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

// Some of the writes of one key, by their number there.
struct sim_set {
    uint64_t word[SIM_WORDS];
};

// A dot that was drawn, and what its drawer had seen.
struct sim_write {
    int op;
    struct gr_dot dot;
    int actor;           // place in oracle->actor
    struct sim_set past; // every write of the key that it had seen, and theirs
};

// All of one key, in the order in which they were drawn.
struct sim_history {
    int count;
    struct sim_write *write[SIM_WRITES_MAX];
    struct sim_set removes; // those that are never shown: deletes, and seals
};

// One request of a client. Operation n has number n + 1 in its value and request id.
struct sim_op {
    enum sim_op_kind kind;
    int key;
    uint32_t partition; // of the key: dots are counted per partition
    bool removes;       // a delete
    bool replied;
    enum gr_outcome outcome;
    uint64_t issued, ended;  // in the order of all events
    int r, w, dw, primaries; // R, W, DW; owners among those that answered or acknowledged
    uint8_t by_site;         // of a get, R, of a write, W (and R): GR_QUORUM_LOCAL or EACH; r and w
                             // are 1 then
    int node;                // that was asked
    int first_ring;          // the oldest ring that anybody went by when it began
    int64_t issued_ns;       // when
    bool settled;            // nobody was taking over its partition when it began
    uint64_t moves;          // of sim->moves then
    bool must;               // succeed: asked of a healed core that can serve it
    bool unmet;              // a disk lost it that nobody known to hold it gives it back to
    bool excused;            // no disk holds it for certain any more
    struct gr_dot dot;       // drawn for it, or counter 0
    bool by_owner;           // an owner of the key has run it
    bool blind;              // by a node whose record of the key had silently vanished
    // Of the nodes, as bits: which ever held the write or what replaced it, or kept a hint of it;
    // which do, unless they handed it over; whose disk has it, or had it and handed it over; whose
    // disk ever had it; and which held it when the client was told that it is done, and did not
    // lose it since.
    unsigned held, holds, safe, was_safe, keeps;
    uint64_t held_at[SIM_NODES_MAX]; // the write with which it came, of those that are not safe
    // And what was written and not lost in a crash since, whatever was forgotten: when it first
    // came.
    unsigned came;
    uint64_t came_at[SIM_NODES_MAX];
    unsigned lost_with[SIM_NODES_MAX]; // of a node that lost it: which disks held it then and since
    int64_t expires_ms;
};

struct sim_oracle {
    struct sim *sim;
    struct sim_op op[SIM_OPS_MAX];
    int count;
    uint32_t keepers[SIM_KEYS_MAX];         // nodes that have kept a hint of the key, a bit each
    struct sim_write write[SIM_WRITES_MAX]; // of all keys, in order
    int write_count;
    struct sim_history history[SIM_KEYS_MAX];
    struct gr_actor actor[SIM_ACTORS_MAX]; // that drew a dot
    int actor_count;
    bool damage;    // some replica has found that it lost something
    uint64_t lossy; // order of the last loss of something that was durable, or 0
    bool failed;
    char story[512]; // the first broken promise
};

// Owners of a partition of which so many must answer or acknowledge, and the nodes of their site.
struct sim_group {
    unsigned owners, nodes;
    int least;
};
struct sim_need {
    int count;
    struct sim_group group[GR_REPLICAS_MAX];
};
// What an operation by site asks for, by the latest ring (sites.c).
struct sim_need sim_site_need(const struct sim *sim, const struct sim_op *op);
// Of each group there are enough among those nodes.
bool sim_site_met(const struct sim *sim, const struct sim_op *op, unsigned nodes);
// O10 of a write that is done, O11 of a get.
void sim_sites_written(struct sim_oracle *oracle, int op);
void sim_sites_read(struct sim_oracle *oracle, int op, const struct gr_result *result, bool strict);
// Begins an operation; its number, or -1 when the run has had enough.
int sim_oracle_begin(
    struct sim_oracle *oracle, enum sim_op_kind kind, int key, uint32_t partition, int r, int w);
// Operation `op` was run and has the dot `dot`, having seen `context`; with a seal, it is the seal
// that has. At that node; `by_owner`: it is an owner of the key.
void sim_oracle_drawn(struct sim_oracle *oracle, int op, int node, const struct gr_dot *dot,
    const struct gr_dot *seal, const struct gr_context *context, bool by_owner);
// The record of the key at that node is not what it wrote, and it does not know that.
bool sim_is_suspect(const struct sim *sim, int node, int key);
// A node that is no owner keeps a hint of the key: the write of that dot, with its own write
// `number`.
void sim_oracle_kept(
    struct sim_oracle *oracle, int node, int key, const struct gr_dot *dot, uint64_t number);
// The disk of a node has its writes up to `number`; or it has crashed and lost those behind it.
void sim_oracle_synced(struct sim_oracle *oracle, int node, uint64_t number);
void sim_oracle_crashed(struct sim_oracle *oracle, int node, uint64_t number);
// A client was answered.
void sim_oracle_result(struct sim_oracle *oracle, int op, const struct gr_result *result);
// What a replica holds of a key (filled): its clock must claim nothing that it cannot show.
void sim_oracle_state(struct sim_oracle *oracle, int node, int key, const struct gr_record *filled);
// The same of a record that is not what the clock says: it claims nothing, and what is written over
// it did come.
void sim_oracle_damaged_state(
    struct sim_oracle *oracle, int node, int key, const struct gr_record *filled);
// A disk is about to lose what it holds of a key (-1: of every key): a write that no other disk
// holds for certain may be lost from then on. `votes`: its node may go on answering gets.
void sim_oracle_loses(struct sim_oracle *oracle, int node, int key, bool votes);
// A node that lost something of a partition says that it is whole again.
void sim_oracle_whole(struct sim_oracle *oracle, int node, uint32_t partition);
// The end: all replicas' states of a key merged. Nothing acknowledged may be missing.
void sim_oracle_final(struct sim_oracle *oracle, int key, const struct gr_record *merged);
// Owners and holders of a get's partition were known to all and did not change while it lasted.
bool sim_was_calm(const struct sim *sim, const struct sim_op *op);
// A write that ended, or was issued, in that order is met by every quorum of a get that ends now,
// although others may be taking over the partition.
bool sim_is_met(const struct sim *sim, uint32_t partition, uint64_t issued, uint64_t ended);
// As far as node n knows, m owns or holds the partition.
bool sim_gives(const struct sim *sim, int n, int m, uint32_t partition);
// It owns the partition, as far as it knows, or holds it.
bool sim_keeps(const struct sim *sim, int n, uint32_t partition);
void sim_oracle_fail(struct sim_oracle *oracle, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// ---- world -----------------------------------------------------------------------------------

struct sim_options {
    uint64_t seed;
    enum gr_canary canary;
    bool verbose; // prints every event and effect
    struct sim_edit edit;
};

struct sim_report {
    bool failed;
    char story[512];
    uint64_t digest; // of everything that happened
    uint64_t events, writes, messages, gets, puts, ok, rejected, indeterminate;
    uint64_t writable; // puts whose W owners were reachable all the time: all succeeded
    uint64_t served;   // requests that a healed core had to serve: it did
    uint64_t fault[SIM_FAULT_COUNT];  // injected
    uint32_t action[SIM_FAULT_COUNT]; // bits of the actions that were in the plan
    uint32_t on;                      // bits of the classes that were
    int nodes, clients, keys, ops;    // as they were
    int64_t until_ms, live_ms;
    int64_t virtual_ms;
    struct gr_probes probes;
};

// Runs one seed to its end.
void sim_run(const struct sim_options *options, struct sim_report *ret_report);

// For clients: takes a request to a node. False if the node is down (nobody answers).
bool sim_submit(struct sim *sim, int node, const struct gr_request *request);
const struct sim_plan *sim_plan_of(const struct sim *sim);
int sim_ops_max(const struct sim *sim); // in this phase
int sim_node_count(const struct sim *sim);
bool sim_node_up(const struct sim *sim, int node);
uint32_t sim_key_partition(const struct sim *sim, int key);
int sim_replicas(const struct sim *sim); // N of the latest ring
// The oldest ring that any node knows; the least and the largest N of that and all later ones.
int sim_first_ring(const struct sim *sim);
int sim_n_least(const struct sim *sim, int first);
int sim_n_most(const struct sim *sim, int first);
struct gr_wall sim_wall(const struct sim *sim);
int64_t sim_skew_ms_max(const struct sim *sim);
struct gr_instant sim_now(const struct sim *sim);
uint64_t sim_order(const struct sim *sim);
// A number mixed into the run's digest.
void sim_note(struct sim *sim, uint64_t number);
enum gr_durability sim_durability(const struct sim *sim);
unsigned sim_holders(const struct sim *sim, uint32_t partition); // who may vote, a bit each
uint64_t sim_written(const struct sim *sim, int node);           // number of its last write
bool sim_verbose(const struct sim *sim);
// One line of the story, with the time, if somebody reads it.
void sim_tell(const struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
// True if the disk of that node surely holds what the dot of operation `op` stands for, or what
// replaced that.
bool sim_holds(struct sim *sim, int node, const struct sim_op *op, const struct gr_dot *dot);
// True if the clock of a node that runs covers the dot.
bool sim_has_seen(const struct sim *sim, int node, uint32_t partition, const struct gr_dot *dot);
// True if some copy of the key had silently gone wrong since that order: what was read then may be
// wrong about it.
bool sim_was_suspect(const struct sim *sim, int key, uint64_t since);

// ---- progress: promise 1 ---------------------------------------------------------------------

// A request begins. Notes whether a healed core has to serve it.
void sim_progress_begin(struct sim *sim, struct sim_op *op);
// It was answered: what had to succeed did.
void sim_progress_end(struct sim *sim, int number, const struct gr_result *result);

// ---- clients ---------------------------------------------------------------------------------

struct sim_client {
    struct gr_random random; // its own, so that one client less leaves the others as they were
    int waits_for;           // number of the operation under way, -1: none
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
// A client that waits for nothing asks something, unless the run has had enough.
void sim_clients_act(struct sim_clients *clients, int client);
void sim_clients_result(struct sim_clients *clients, const struct gr_result *result);
// A request whose node crashed is never answered: the client gives up.
void sim_clients_abandon(struct sim_clients *clients, uint64_t ticket);

#endif
