// What a run is, decided before it begins: the cluster, the clients, and everything that will go
// wrong. A plan can be edited, which is how a failing seed is shrunk.
//
// Each class of fault draws from a generator of its own, so that a plan without one class has the
// others as they were. Classes are drawn per run (swarm): some runs have none, some nearly all.
#ifndef GR_SIM_PLAN_H
#define GR_SIM_PLAN_H

#include "base/bytes.h"
#include "base/random.h"
#include "core/node.h"

// The classes: symbol, name, per mille of the runs that have it, text. `--with NAME` draws a class
// in any run.
#define SIM_FAULTS(X)                                                                              \
    X(LOSS, "loss", 500, "messages lost")                                                          \
    X(DUPLICATE, "duplicate", 500, "messages delivered twice")                                     \
    X(SLOW, "slow", 500, "messages late by up to 400 ms")                                          \
    X(LATE, "late", 250, "messages late by seconds, across restarts too")                          \
    X(READ_LATE, "read-late", 600, "store reads answered late and out of order")                   \
    X(READ_ERROR, "read-error", 200, "store reads that failed")                                    \
    X(CRASH, "crash", 600, "crashes, between any two effects")                                     \
    X(PAUSE, "pause", 300, "pauses: a stopped process")                                            \
    X(SLOW_NODE, "slow-node", 250, "spells in which every event of one node is late")              \
    X(SPLIT, "split", 400, "splits into two sides")                                                \
    X(ONE_WAY, "one-way", 250, "splits in one direction")                                          \
    X(PAIRS, "pairs", 300, "partial partitions: some pairs cut")                                   \
    X(HALF_OPEN, "half-open", 300, "links that one side believes up and the other down")           \
    X(CLOCK_JUMP, "clock-jump", 250, "wall clocks that jump forward or back")                      \
    X(FULL_DISK, "full-disk", 250, "disks that were full for a while")                             \
    X(FAILED_SYNC, "failed-sync", 200, "syncs that failed: the store stops, the node restarts")    \
    X(DISK_LOSS, "disk-loss", 250, "disks that came back empty under a new store id")              \
    X(ROLLBACK, "rollback", 150, "disks that returned to an older durable state")                  \
    X(LOST_RECORD, "lost-record", 100, "record rows that vanished")                                \
    X(BIT_ROT, "bit-rot", 250, "record rows with a wrong byte")                                    \
    X(SALVAGE, "salvage", 200, "stores that were salvaged into new ones")                          \
    X(MEMBERS, "members", 300, "rings that gave partitions to others")                             \
    X(SITE_CUT, "site-cut", 400, "sites that were cut off as a whole")                             \
    X(REMOVAL, "removal", 150, "members that were removed with what only they had")                \
    X(VERSIONS, "versions", 250, "nodes that were upgraded or downgraded, one by one")

enum sim_fault {
#define X(symbol, name, per_mille, text) SIM_##symbol,
    SIM_FAULTS(X)
#undef X
        SIM_FAULT_COUNT,
    SIM_FAULT_FIRST_ACTION = SIM_CRASH, // those before it strike messages and reads, by rate
};

const char *sim_fault_name(enum sim_fault fault);
const char *sim_fault_text(enum sim_fault fault);
uint32_t sim_fault_per_mille(enum sim_fault fault); // of the runs that draw it

enum {
    SIM_NODES_MAX = 9,
    SIM_KEYS_MAX = 6,
    SIM_CLIENTS_MAX = 6,
    SIM_OPS_MAX = 832,
    SIM_OPS_LIVE = 192,            // of these, kept for the liveness phase
    SIM_ACTIONS_OF_CLASS_MAX = 32, // bits of a mask
    SIM_ACTIONS_MAX = SIM_FAULT_COUNT * SIM_ACTIONS_OF_CLASS_MAX,
};

// One thing that goes wrong at one moment. `number` counts the actions of its class in the whole
// plan, so it stays the same when others are taken out.
struct sim_action {
    enum sim_fault fault;
    int number;
    int64_t at_ms, lasts_ms; // from the start of the run
    uint64_t draw[3];        // whom, how much: whatever the class makes of it
};

// What is taken out of a plan or put in. Zero means as drawn.
struct sim_edit {
    uint32_t without, with; // bits of classes; without wins
    int nodes, clients, keys, ops;
    int64_t until_ms;               // end of the safety phase
    bool no_liveness;               // straight on to the quiet phase
    bool some;                      // of the actions, only those in `only`:
    uint32_t only[SIM_FAULT_COUNT]; // bits of numbers, per class
};

struct sim_plan {
    uint64_t seed;
    uint32_t on;                    // bits of classes
    uint32_t rate[SIM_FAULT_COUNT]; // per mille of messages or reads
    int nodes, replicas, clients, keys, ops;
    uint32_t old; // nodes that speak the older version of frames at first, a bit each
    int outside;  // of the nodes, those that own nothing at first
    bool blank;   // nobody holds anything at first, as in a cluster that was just made
    uint32_t partitions;
    bool keys_together; // in one partition: they share a clock
    int64_t until_ms, live_ms;
    int sites;                     // 1: nobody says where it stands
    uint8_t site[SIM_NODES_MAX];   // of each node
    uint32_t delay_us_max;         // of an ordinary message
    uint32_t wide_us;              // that it takes longer to another site
    uint32_t sync_us_max;          // of an ordinary sync
    int64_t skew_ms_max, jump_max; // wall clocks differ by up to the larger of the two
    bool link_events;              // cuts are noticed by the links
    enum gr_durability durability;
    bool slow;         // nodes begin four slices of background work a second: half the least
    int crash_at;      // a type of message at whose arrival nodes may crash, 0: none
    bool hasty;        // exchanges begin while writes are still on their way
    bool silent_loss;  // the audit takes a record away together with its trace
    bool minutes;      // the quiet phase lasts until every expiry row is over
    bool small_queues; // of writers that wait for a key, and of hints
    struct sim_action action[SIM_ACTIONS_MAX];
    int action_count; // by time
};

// The streams of random numbers of a run that are not a class of fault.
enum sim_stream {
    SIM_STREAM_CLUSTER = 1000,
    SIM_STREAM_CLIENTS,
    SIM_STREAM_CLIENT,
    SIM_STREAM_NODE,
    SIM_STREAM_LINK,
    SIM_STREAM_DISK,
    SIM_STREAM_LIVENESS,
    SIM_STREAM_AUDIT,
    SIM_STREAM_NEWS,
};

// A number of a stream without a generator's state: the n-th drawn at a place. What happens at one
// place does not change what is drawn at another.
uint64_t sim_draw(uint64_t seed, int stream, uint64_t place, uint64_t n);
// A generator of its own for one place of a stream.
void sim_stream_init(struct gr_random *random, uint64_t seed, int stream, uint64_t place);

void sim_plan_draw(uint64_t seed, const struct sim_edit *edit, struct sim_plan *ret_plan);
static inline bool sim_plan_has(const struct sim_plan *plan, enum sim_fault fault)
{
    return plan->on >> fault & 1;
}

// Bits of the classes in a list of names, "crash,loss"; false if a name is none of them.
bool sim_faults_parse(const char *list, uint32_t *ret_bits);
// Bits of the actions in a list "crash.0,crash.3,split.1", or "none"; likewise.
bool sim_actions_parse(const char *list, uint32_t ret_only[SIM_FAULT_COUNT]);
// The options that make this edit, with a space before each; as much of it as fits in `size`.
void sim_edit_print(const struct sim_edit *edit, char *text, size_t size);

#endif
