// Disks that are salvaged, and the look at every disk that `gramme verify` would take.
//
// A store whose engine reports damage is not mended in place: what can be read is fed into an empty
// one (DESIGN.md §4, D9). Here any rows may be those that cannot be read.
#include <stdio.h>
#include <string.h>

#include "sim/world.h"
#include "wire/salvage.h"
#include "wire/verify.h"

static void must(enum gr_err err)
{
    gr_assert(err == GR_OK);
}

// ---- salvaging -------------------------------------------------------------------------------

static void keep(void *host, struct gr_bytes key, struct gr_bytes value)
{
    gr_store_batch_put(host, key, value);
}

static void never(void *host, struct gr_bytes key)
{
    (void)host;
    (void)key;
    gr_unreachable("a new store has nothing to remove");
}

void sim_disk_salvage(struct sim_disk *disk, uint32_t partitions, struct gr_random *random,
    uint32_t lost, bool clocks)
{
    struct sim_disk old = *disk;
    sim_disk_init(disk);
    struct gr_salvage salvage;
    gr_salvage_init(&salvage, partitions);
    struct gr_disk_sink sink = {.put = keep, .remove = never, .host = disk->batch};
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(old.store);
    struct gr_store_scan *scan =
        gr_store_scan_open(old.store, snapshot, gr_bytes("", 0), gr_bytes("", 0));
    struct gr_bytes key, value;
    while (gr_store_scan_next(scan, &key, &value) == GR_OK)
        if (clocks && key.data[0] == GR_DISK_CLOCK)
            keep(disk->batch, key, value);
        else if (!gr_random_chance(random, lost))
            (void)gr_salvage_row(&salvage, key, value, &sink); // false: it had rotted, and is left
    gr_salvage_end(&salvage, &sink);
    uint64_t number;
    must(gr_store_apply(disk->store, disk->batch, &number));
    gr_store_batch_clear(disk->batch);
    gr_store_scan_close(scan);
    gr_store_snapshot_close(old.store, snapshot);
    gr_salvage_deinit(&salvage);
    sim_disk_deinit(&old);
}

// ---- verifying -------------------------------------------------------------------------------

struct looking {
    struct sim *sim;
    int node;
};

static enum gr_err get(
    void *host, struct gr_bytes row_key, struct gr_arena *arena, struct gr_bytes *ret_value)
{
    const struct looking *looking = host;
    struct gr_store *store = looking->sim->node[looking->node].disk.store;
    struct gr_store_value value;
    enum gr_err err = gr_store_get(store, row_key, GR_STORE_READ_ANY, &value);
    if (err != GR_OK)
        return err;
    *ret_value = gr_arena_copy(arena, value.bytes);
    gr_store_value_done(store, &value);
    return GR_OK;
}

static void found(void *host, const struct gr_verify_finding *finding)
{
    const struct looking *looking = host;
    struct sim *sim = looking->sim;
    // The index of a record that was lost outlives it until its minute comes.
    bool stale = finding->kind == GR_VERIFY_DUE_EXTRA || finding->kind == GR_VERIFY_LEFTOVER_EXTRA;
    if (stale && sim->ruined)
        return;
    sim_oracle_fail(&sim->oracle, "the store of node %d: partition %u: %s", looking->node,
        finding->partition, gr_verify_text(finding->kind)->what);
}

void sim_audit_store(struct sim *sim, int n)
{
    struct looking looking = {sim, n};
    struct gr_verify_host host = {.get = get, .found = found, .host = &looking};
    struct gr_verify *verify = gr_verify_new(sim->ring.partitions, &host);
    struct gr_store *store = sim->node[n].disk.store;
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(store);
    struct gr_store_scan *scan =
        gr_store_scan_open(store, snapshot, gr_bytes("", 0), gr_bytes("", 0));
    struct gr_bytes key, value;
    while (gr_store_scan_next(scan, &key, &value) == GR_OK)
        gr_verify_row(verify, key, value);
    gr_store_scan_close(scan);
    gr_store_snapshot_close(store, snapshot);
    (void)gr_verify_end(verify);
}
