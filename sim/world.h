// Inside the world: shared by world.c (events, nodes, network), disk.c (stores that crash),
// faults.c (what goes wrong) and audit.c (what must be true at the end).
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
// The record of a key as stored, in `arena`; GR_ERR_NOT_FOUND if there is none.
enum gr_err sim_disk_read(
    struct sim_disk *disk, const struct gr_key *key, struct gr_arena *arena, struct gr_record *ret);
// Carries out a SCAN effect: entries and, of records, the fill of the clock and the page's end.
void sim_disk_scan(struct sim_disk *disk, uint32_t partitions, const struct gr_effect *effect,
    struct gr_arena *arena, struct gr_event *ret);
// How many hints for that member the store holds.
uint64_t sim_disk_hints(struct sim_disk *disk, uint16_t owner);
// Tells a new node what the store holds.
void sim_disk_load(struct sim_disk *disk, struct gr_node *node);

// ---- the world -------------------------------------------------------------------------------

enum { MS = 1000000, FAULT_EVERY_MS = 100 }; // MS: nanoseconds in a millisecond

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
    FAULT,
    START,
    LINK
};

struct sim_event {
    int64_t at;
    int64_t waited; // for a stopped process
    uint64_t order;
    enum sim_event_kind kind;
    int node, peer;
    uint64_t life;   // of the node that asked: a restarted node is not the one that asked
    uint64_t ticket; // READ, SCAN; APPLIED: number; SYNC: number, 0: one is due
    bool up;
    enum gr_err status;
    struct gr_bytes frame;   // DELIVER: owned
    struct gr_effect effect; // READ, SCAN
    struct gr_arena arena;   // of everything else that it holds
    struct gr_event answer;  // READ_DONE, SCAN_DONE
};

struct sim_node {
    struct gr_node *node; // NULL: down
    struct gr_node_config config;
    struct sim_disk disk;
    uint64_t store, life;
    bool syncing, starting;
    bool sync_due;   // a SYNC that begins one is under way
    uint64_t urgent; // number of the last write that does not wait for the interval
    int64_t paused_until;
    int64_t tick_at;
    int64_t skew_ms;
    int crash_after; // effects until it crashes, in the middle of a step; -1: it does not
    bool crashing;
    uint64_t effects;                 // that its runs have put out
    uint64_t ticket[SIM_CLIENTS_MAX]; // + 1, of the request of each client that it serves
};

struct sim {
    const struct sim_options *options;
    struct sim_report *report;
    struct gr_random random;
    struct sim_faults faults;
    struct sim_oracle oracle;
    struct sim_clients clients;
    struct gr_ring ring;
    int node_count;
    struct sim_node node[SIM_NODES_MAX];
    bool cut[SIM_NODES_MAX][SIM_NODES_MAX]; // [from][to]
    struct sim_event **heap;
    size_t heap_count, heap_capacity;
    int64_t now;
    uint64_t order;
    int64_t busy_until;
    int64_t skew_ms_max;
    enum gr_durability durability;
    bool quiet;
    bool slow; // a node begins one slice of background work a second
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
int64_t sim_within(struct sim *sim, int64_t from_us, int64_t to_us);
// Lets time pass until then, or until a promise is broken.
void sim_run_until(struct sim *sim, int64_t until);
void sim_start(struct sim *sim, int node);
void sim_crash(struct sim *sim, int node);
// Both sides notice, at different moments.
void sim_link_changes(struct sim *sim, int a, int b, bool up, int64_t delay_us_max);

// faults.c
void sim_draw_faults(struct sim *sim);
// By the seed alone: runs in the mode `commit` are what they were before there were others.
void sim_draw_durability(struct sim *sim);
void sim_fault_tick(struct sim *sim);
void sim_heal_links(struct sim *sim);
// No more faults: everything starts, every link is mended.
void sim_heal(struct sim *sim);

// audit.c
void sim_audit_reply(struct sim *sim, const struct gr_result *result);
void sim_audit(struct sim *sim);
// What a replica holds of a key, told to the oracle.
void sim_audit_key(struct sim *sim, int node, int key);

#endif
