// Inside the world: shared by world.c (events, nodes), network.c (links, messages), disk.c (stores
// that crash), faults.c and ruin.c (what goes wrong), phases.c (one run), progress.c (what had to
// succeed) and audit.c (what must be true at the end).
#ifndef GR_SIM_WORLD_H
#define GR_SIM_WORLD_H

#include "sim/sim.h"

// ---- disks -----------------------------------------------------------------------------------

// A store of the memory engine, and what is needed to take back every batch that is not synced.
struct sim_undo {
    uint64_t number;            // of the node's write
    bool had;                   // there was a value before
    struct gr_bytes key, value; // owned
};

struct sim_disk {
    struct gr_store *store;
    struct gr_store_batch *batch;
    struct sim_undo *undo; // oldest first
    size_t undo_count, undo_capacity;
    uint64_t number;          // of the write being applied
    uint64_t applied, synced; // numbers of writes
};

void sim_disk_init(struct sim_disk *disk);
void sim_disk_deinit(struct sim_disk *disk);
void sim_disk_write(
    struct sim_disk *disk, const struct gr_store_write *write, struct gr_actor self);
void sim_disk_synced(struct sim_disk *disk, uint64_t number);
// Takes back every write after `number`, and forgets numbers: the next run counts anew.
void sim_disk_crash(struct sim_disk *disk, uint64_t number);
// Everything that would be there after a power cut now, as a list of rows; owned by the caller.
struct sim_image {
    struct gr_bytes *row;       // key, value, key, value ...
    size_t count;               // of pairs
    bool suspect[SIM_KEYS_MAX]; // as in struct sim_node, of what was durable
};
void sim_disk_image(struct sim_disk *disk, struct sim_image *ret);
void sim_image_deinit(struct sim_image *image);
// The store is replaced by an empty one, or by an image. After a crash only.
void sim_disk_replace(struct sim_disk *disk, const struct sim_image *image);
// What a store of a new cluster begins with.
void sim_disk_found(struct sim_disk *disk, const struct gr_holds *holds);
// The record row of a key vanishes, or gets a wrong byte, behind the node's back. False if there is
// none.
bool sim_disk_lose(struct sim_disk *disk, const struct gr_key *key);
bool sim_disk_rot(struct sim_disk *disk, const struct gr_key *key, uint64_t draw);
// True if the clock that would be there after a power cut covers the dot.
bool sim_disk_covers(struct sim_disk *disk, uint32_t partition, const struct gr_dot *dot);
// The record of a key as stored, in `arena`; GR_ERR_NOT_FOUND if there is none.
enum gr_err sim_disk_read(
    struct sim_disk *disk, const struct gr_key *key, struct gr_arena *arena, struct gr_record *ret);
// Carries out a SCAN effect: entries and, of records, the fill of the clock and the page's end.
void sim_disk_scan(struct sim_disk *disk, uint32_t partitions, const struct gr_effect *effect,
    struct gr_arena *arena, struct gr_event *ret);
// How many hints for that member the store holds.
uint64_t sim_disk_hints(struct sim_disk *disk, uint64_t owner);
// Makes count and sum of a partition those of its records.
void sim_disk_forge(struct sim_disk *disk, const struct gr_ring *ring, uint32_t partition);
// What a partition's records add up to, leaf by leaf.
struct sim_sums {
    struct gr_sum *leaf; // GR_MERKLE_LEAVES_MAX of them; set to zero first
    int64_t count;       // keys with siblings
    uint32_t leftover;   // keys with left-over context
};
void sim_disk_sums(
    struct sim_disk *disk, const struct gr_ring *ring, uint32_t partition, struct sim_sums *sums);
// What can be read of it becomes another store; `lost` per mille of the rows cannot.
void sim_disk_salvage(struct sim_disk *disk, uint32_t partitions, struct gr_random *random,
    uint32_t lost, bool clocks);
// Tells a new node what the store holds.
void sim_disk_load(struct sim_disk *disk, struct gr_node *node);

// ---- the world -------------------------------------------------------------------------------

enum { MS = 1000000 }; // nanoseconds in a millisecond

enum sim_event_kind {
    DELIVER,
    TICK,
    READ,
    READ_DONE,
    SCAN,
    SCAN_DONE,
    APPLIED,
    SYNC,
    CLIENT,
    FAULT,     // an action of the plan begins
    FAULT_END, // or ends
    START,
    LINK,
    RELINK, // nodes try again to make links that are down
    ASK,    // a client's request, to a process that is stopped or slow
    NEWS    // of a ring, or of what a node holds, comes to `peer` (rings.c)
};

struct sim_event {
    int64_t at;
    uint64_t order;
    enum sim_event_kind kind;
    int node, peer;
    uint64_t life;   // of the node that asked: a restarted node is not the one that asked
    uint64_t ticket; // READ, SCAN; APPLIED: number; SYNC: number, 0: one is due; FAULT: index of
                     // the action
    bool up;
    int64_t waited; // for a stopped or slow process
    bool slowed;    // has waited for its slow node
    enum gr_err status;
    struct gr_bytes frame;   // DELIVER: owned
    uint8_t version;         // of that
    struct gr_request asked; // ASK
    struct gr_effect effect; // READ, SCAN
    struct gr_arena arena;   // of everything else that it holds
    struct gr_event answer;  // READ_DONE, SCAN_DONE
};

enum { SIM_RINGS_MAX = 24, SIM_HOLD_WORDS = 1 };

// What a node has said last that it holds.
struct sim_said {
    uint64_t version, run, bare_in, held[SIM_HOLD_WORDS];
};

struct sim_ring {
    struct gr_ring ring;
    uint64_t draw;    // the higher one wins
    unsigned members; // that own something, a bit each
};

struct sim_node {
    struct gr_node *node; // NULL: down
    struct gr_node_config config;
    struct sim_disk disk;
    struct gr_random random; // of its reads, syncs and crashes
    uint64_t store, life;
    uint64_t reads;   // carried out, to draw errors by
    uint64_t misread; // keys whose read has failed, by hash: an error that passes comes but once
    bool sync_due;    // a SYNC that begins one is under way
    uint64_t urgent;  // number of the last write that does not wait for the interval
    bool syncing;     // a sync is under way, or has failed
    bool full;        // the disk refuses writes
    bool sync_failed; // the store refuses writes until the node has restarted
    int64_t down_ms;  // how long its next crash lasts
    int64_t paused_until;
    int64_t slow_until, slow_ns;
    int64_t tick_at;
    int64_t skew_ms;
    int crash_after; // effects until it crashes, in the middle of a step; -1: it does not
    bool crashing;
    uint64_t effects;                     // that its runs have put out
    uint64_t ticket[SIM_CLIENTS_MAX];     // + 1, of the request of each client that it serves
    int ring;                             // index of the one that it knows
    struct sim_said heard[SIM_NODES_MAX]; // what it knows of the others
    uint64_t linked_run[SIM_NODES_MAX];   // of each peer, as the node believes; 0: link down
    uint8_t version;                      // of frames: the highest that it speaks
    uint8_t spoken[SIM_NODES_MAX];        // over the link to each peer, once it was up
    bool suspect[SIM_KEYS_MAX];           // the record is not what the clock says
    uint64_t finding[SIM_KEYS_MAX];       // the write, not durable yet, that says so; or 0
    uint64_t found[SIM_KEYS_MAX];         // order of when that was last found out, or 0
    int64_t bad_at;                       // when something was last wrong with it
};

// An action that goes on: what is needed to end it.
struct sim_going {
    bool on;
    int node;
    uint64_t life;
    uint16_t cut[SIM_NODES_MAX]; // bits: from here to there nothing comes through
    struct sim_image image;      // ROLLBACK
    int key;                     // LOST_RECORD
};

struct sim {
    const struct sim_options *options;
    struct sim_report *report;
    struct gr_random random; // of the clients' pace and of the audit
    struct sim_plan plan;
    struct sim_oracle oracle;
    struct sim_clients clients;
    struct gr_ring ring; // the latest; borrowed from `rings`
    struct sim_ring rings[SIM_RINGS_MAX];
    int ring_count, latest;
    struct sim_said said[SIM_NODES_MAX];
    uint64_t moves;                           // counts news of who owns or holds what
    uint64_t settled_at[64 * SIM_HOLD_WORDS]; // order of when each partition was settled last
    uint64_t held_at[64 * SIM_HOLD_WORDS];    // and of when its holders, or news of them, changed
    struct gr_random news;                    // its delays
    int node_count;
    struct sim_node node[SIM_NODES_MAX];
    struct sim_going going[SIM_ACTIONS_MAX];
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX];         // [from][to]
    uint64_t sent[SIM_NODES_MAX][SIM_NODES_MAX];    // messages, to draw their fate by
    int64_t link_bad[SIM_NODES_MAX][SIM_NODES_MAX]; // when something last went wrong there
    struct sim_event **heap;
    size_t heap_count, heap_capacity;
    int64_t now;
    uint64_t order;
    int64_t skew_ms_max;
    bool live, quiet;   // the phase
    unsigned core;      // bits of the nodes that are healed and must serve
    int64_t must_after; // when they have had time to find each other
    bool lost_any;      // a crash or a bad disk took a write: clocks may keep gaps
    bool ruined;        // a disk is not what was written there
    int lost_node;      // the audit let it lose a record without a trace, or -1
    uint32_t lost_partition;
    bool lost_found; // it has noticed
    // The answer of a request made by the audit itself.
    bool audit_done;
    enum gr_err audit_err;
    struct gr_arena audit_arena;
    struct gr_record audit_record;
    struct gr_key *audit_key;
    uint32_t audit_key_count;
    gr_cursor audit_cursor;
};

#define AUDIT_TICKET ((uint64_t)SIM_CLIENTS_MAX << 32)

// world.c
struct sim_event *sim_push(struct sim *sim, enum sim_event_kind kind, int node, int64_t delay);
// A delay between two numbers of microseconds, in nanoseconds.
int64_t sim_within(struct gr_random *random, int64_t from_us, int64_t to_us);
// Lets time pass until then, or until a promise is broken.
void sim_run_until(struct sim *sim, int64_t until);
void sim_start(struct sim *sim, int node);
void sim_crash(struct sim *sim, int node);
// The node steps aside from its store, or goes back to it.
void sim_tell_store(struct sim *sim, int node, enum gr_err status);
void sim_step(struct sim *sim, int node, struct gr_event *event);
void sim_event_free(struct sim_event *event);
struct sim_event *sim_pop(struct sim *sim);

// network.c
void sim_network_send(struct sim *sim, int from, const struct gr_effect *effect);
void sim_network_deliver(struct sim *sim, struct sim_event *event);
void sim_network_link(struct sim *sim, struct sim_event *event);
// Both sides notice, at different moments.
void sim_link_changes(struct sim *sim, int a, int b, bool up, int64_t delay_us_max);
// One side notices.
void sim_link_noticed(struct sim *sim, int node, int peer, bool up, int64_t delay_us_max);
// The cuts are those of all actions that go on; `notice`: links break at new ones.
void sim_network_cut(struct sim *sim, bool notice);
// All links that could be up and are not are made anew.
void sim_network_relink(struct sim *sim);
// All nodes speak the newest version from now on, and links that spoke another are made anew.
void sim_network_upgrade(struct sim *sim);
// True if nothing has gone wrong between the two since then.
bool sim_network_good(const struct sim *sim, int a, int b, int64_t since);

// rings.c
void sim_rings_init(struct sim *sim, const struct gr_member *member);
void sim_rings_deinit(struct sim *sim);
void sim_rings_found(struct sim *sim, int node); // an empty disk of a new cluster
void sim_rings_start(struct sim *sim, int node); // a node runs: what it knew, and what it holds
void sim_rings_say(struct sim *sim, int node, const struct gr_holds *holds);
void sim_rings_news(struct sim *sim, struct sim_event *event);
// Something is about to change who owns or holds what.
void sim_rings_unsettle(struct sim *sim);
// False: it could not be made.
bool sim_rings_change(struct sim *sim, const struct sim_action *action);
// The same: a ring without that node, whose store holds nothing any more, whatever it has said.
bool sim_rings_remove(struct sim *sim, int node, const struct sim_action *action);
// Everybody knows who owns that partition, all of them hold it, and nobody else does.
bool sim_settled(const struct sim *sim, uint32_t partition);
void sim_audit_rings(struct sim *sim);

// faults.c
void sim_faults_schedule(struct sim *sim);
void sim_fault_begin(struct sim *sim, int action);
void sim_fault_end(struct sim *sim, int action);
// True if a fault of this class strikes the n-th thing at that place.
bool sim_strikes(struct sim *sim, enum sim_fault fault, uint64_t place, uint64_t n);
// These nodes are well from now on, and so are the links between them.
void sim_heal_core(struct sim *sim, unsigned core);
// No more faults: everything starts, every link is mended.
void sim_heal(struct sim *sim);

// ruin.c: what is on a disk, destroyed behind the node's back. False if there was nothing to do.
bool sim_ruin_begin(struct sim *sim, const struct sim_action *action, struct sim_going *going);
void sim_ruin_end(struct sim *sim, const struct sim_action *action, struct sim_going *going);

// replicas.c
void sim_audit_replicas(struct sim *sim);
// One row vanishes together with every trace in the sums: only the others can tell.
void sim_audit_silent_loss(struct sim *sim);

// salvage.c: what `gramme verify` would find in the store of a node.
void sim_audit_store(struct sim *sim, int node);

// audit.c
void sim_audit_reply(struct sim *sim, const struct gr_result *result);
void sim_audit(struct sim *sim);
// What a replica holds of a key, told to the oracle.
void sim_audit_key(struct sim *sim, int node, int key);

#endif
