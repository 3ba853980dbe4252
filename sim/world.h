// Inside the world: shared by world.c (events, nodes, network) and disk.c (stores that crash).
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
// Tells a new node what the store holds.
void sim_disk_load(struct sim_disk *disk, struct gr_node *node);

#endif
