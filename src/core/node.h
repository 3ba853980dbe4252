// One node as a deterministic machine: one event in, effects out (DESIGN.md §2).
//
// The host (the shell, the simulator, a golden script) owns sockets, clock, disk and randomness. It
// calls gr_node_step with one event at a time, from one thread, and carries out every effect that
// the node emits, in order:
//
//   SEND    to a peer: encode now; the bytes may leave after this loop's writes are committed.
//   WRITE   one atomic batch. The host collects the writes of all steps of one loop, applies them
//           in order, and later tells GR_EVENT_SYNCED with the highest `number` that is durable;
//           unless durability is COMMIT also GR_EVENT_APPLIED with the highest that is applied.
//           (It may do so in COMMIT too.)
//   READ    a record: start it after the writes emitted so far are applied; answer once with
//           GR_EVENT_READ_DONE and the same ticket. SCAN likewise, from one snapshot.
//   REPLY   the result of a client request. Exactly one for each request.
//   ACKED   after REPLY of a put or an update: one more replica acknowledged, or made durable what
//           it had acknowledged before (for WAIT and WAITAOF).
//   LOG     a line for people.
//
// Everything an effect points to is valid only until its emit returns: consume or copy.
#ifndef GR_CORE_NODE_H
#define GR_CORE_NODE_H

#include "base/probe.h"
#include "core/canary.h"
#include "core/merkle.h"
#include "core/message.h"
#include "core/repair.h"
#include "core/throttle.h"

struct gr_node;

struct gr_node_config {
    uint16_t self;              // this node's place in the ring
    struct gr_actor actor;      // of this run, durable before the first step
    uint64_t run;               // names this start of this node to its peers; never twice the same
    uint64_t seed;              // for this node's own random numbers
    const struct gr_ring *ring; // the first one; outlives the node, or the next GR_EVENT_RING
    bool newcomer;              // only what is loaded is held; else all that the ring gives to whom
    bool blank;                 // its store was made just now: there is nothing to be read
    // What the cluster has agreed on, and may change (GR_EVENT_AGREED): R and W of requests that do
    // not say otherwise, and
    uint8_t r, w;
    enum gr_durability durability;
    uint32_t value_max, siblings_max; // of puts that this node coordinates: core/agreed.h
    struct gr_span read_timeout, write_timeout;
    uint32_t calls_max;            // requests and peers' requests under way; over it: BUSY
    size_t memory_max;             // bytes that they may take; over it: BUSY
    uint32_t latch_queue_max;      // writers waiting for one key; over it: BUSY
    size_t header_bytes_max;       // of the version headers that are remembered of keys
    uint64_t hint_bytes_max;       // of hints kept for others; over it this node does not stand in
    struct gr_span queue_wait_max; // a request that waited longer before its step: BUSY
    struct gr_throttle_config background;
    // Anti-entropy (§4.7): how often a peer's clocks are compared with ours (0: none at all, and no
    // passes over the store), how long a difference may last before it is looked into, and how long
    // one round of re-reading and comparing everything takes.
    struct gr_span exchange_interval, exchange_grace, scrub_interval;
    enum gr_canary canary;
};

// The defaults of everything but self, actor, seed and ring.
struct gr_node_config gr_node_config_default(void);

// A write that an owner has not got, kept by a node that stands in for it until it has (§4.6). It
// never changes: owner, key and dot name it.
struct gr_hint {
    uint64_t owner; // id of the member that it is owed to
    struct gr_key key;
    struct gr_dot dot;       // of the write
    bool stood_in;           // kept by the node where the put landed, for want of an owner's run
    struct gr_wall since;    // when it was kept
    struct gr_record record; // the delta: its context says what the writer saw, never a fill
};

enum gr_event_type {
    GR_EVENT_TICK,      // the deadline was reached
    GR_EVENT_REQUEST,   // a client asks
    GR_EVENT_MESSAGE,   // a peer says
    GR_EVENT_READ_DONE, // a READ is answered
    GR_EVENT_SCAN_DONE, // a SCAN is answered
    GR_EVENT_APPLIED,   // writes up to `number` are in the store; of no use in COMMIT
    GR_EVENT_SYNCED,    // writes up to `number` are durable
    GR_EVENT_LINK,      // the link to a peer came up or went down
    GR_EVENT_STORE,     // the store takes writes again, or does not (`status`)
    GR_EVENT_REPAIR,    // an operator asks for `repair`
    GR_EVENT_RING,      // `ring` takes the place of the one before, which is not used any more
    GR_EVENT_HOLDS,     // a member says what it holds: peer, run, holds
    GR_EVENT_AGREED,    // the cluster has agreed on r, w, durability, value_max, siblings_max
};

// Borrowed for the duration of the step.
struct gr_event {
    enum gr_event_type type;
    struct gr_instant now; // never goes back
    struct gr_wall wall;   // may jump
    // REQUEST, MESSAGE: how long it has waited at this host before this step. Deadlines count from
    // its arrival, and what comes too late is refused (a request) or dropped (a peer's question).
    struct gr_span waited;
    const struct gr_request *request;
    uint16_t peer;                    // MESSAGE, LINK, HOLDS
    const struct gr_message *message; // MESSAGE
    bool up;                          // LINK
    uint8_t unspoken;                 // LINK up: what cannot be said over it (enum gr_says)
    uint64_t run; // LINK up: the peer's config.run, as its handshake proved; HOLDS: in which it
                  // said so
    // RING: outlives the node, or the next such event; the one before outlives this step, so it
    // stands elsewhere. Its members begin with those of the ring before, in the same places.
    const struct gr_ring *ring;
    const struct gr_holds *holds; // HOLDS: but for `dropping`
    uint8_t r, w;                 // AGREED: as in a request, and fit for the ring
    enum gr_durability durability;
    uint32_t value_max, siblings_max; // AGREED: with durability, all of them
    uint64_t ticket;                  // READ_DONE, SCAN_DONE
    enum gr_err status;           // READ_DONE (GR_OK, GR_ERR_NOT_FOUND, GR_ERR_CORRUPT, GR_ERR_IO),
                                  // SCAN_DONE, STORE
    struct gr_record record;      // READ_DONE: as stored
    struct gr_context context;    // SCAN_DONE of GR_SCAN_RECORDS: the snapshot clock's fill
    const struct gr_entry *entry; // SCAN_DONE
    uint32_t entry_count;
    gr_cursor cursor; // SCAN_DONE of GR_SCAN_RECORDS, GR_SCAN_HINTS: where the next page begins
    const struct gr_hint *hint; // SCAN_DONE of GR_SCAN_HINTS
    uint32_t hint_count;
    struct gr_repair_ask repair; // REPAIR
    uint64_t
        number; // APPLIED, SYNCED; SCAN_DONE: the last write of this run that the snapshot contains
};

enum gr_effect_type {
    GR_EFFECT_SEND,
    GR_EFFECT_WRITE,
    GR_EFFECT_READ,
    GR_EFFECT_SCAN,
    GR_EFFECT_REPLY,
    GR_EFFECT_ACKED,
    GR_EFFECT_LOG,   // text, about `partition`
    GR_EFFECT_HOLDS, // what this node holds is `holds` now, durably: the others are to know
};

// Of each partition whether a store holds it completely, and whether it is being dropped: bit p %
// 64 of word p / 64. Never both.
enum { GR_HOLDS_WORDS_MAX = GR_PARTITIONS_MAX / 64 };
struct gr_holds {
    uint64_t bare_in; // the last ring in which, in this run, nothing was held; 0: none. Not stored
    uint32_t words;   // (Q + 63) / 64
    const uint64_t *held, *dropping;
};

// One atomic change of the store. wire/disk says which rows it becomes.
struct gr_store_write {
    uint64_t number; // 1, 2, 3 ... in this run
    uint32_t partition;
    struct gr_key key;
    const struct gr_record *record;        // as stored; NULL: the key's row is removed
    const struct gr_clock_row *const *row; // clock rows that changed
    uint32_t row_count;
    uint64_t counter;  // of this run's last dot in the partition; 0 = it has drawn none
    int64_t count;     // keys with siblings in the partition, and
    struct gr_sum sum; // the sum of its records' leaf hashes, both after this write
    const struct gr_wall *due_add, *due_remove; // expiry index rows, by minute
    uint32_t due_add_count, due_remove_count;
    const struct gr_clock *owed; // with owed_changed: what the partition owes since it was damaged;
    bool owed_changed;           // NULL: nothing any more
    const struct gr_holds *holds; // what the store holds from now on; NULL: as before
    const struct gr_hint *hint;   // hints that are kept, or with hint_remove, are no longer
    uint32_t hint_count;
    bool hint_remove;
    int leftover; // +1: enter the key in the index of left-over contexts, -1: remove, 0: neither
    bool sync;    // somebody waits for the disk: do not wait for the interval
    // For the simulator's oracle: the dot that this write drew, or NULL; the seal that it drew
    // besides, or NULL; for which request, and what that request had seen.
    const struct gr_dot *drawn, *seal;
    struct gr_request_id drawn_by;
    struct gr_context drawn_context;
};

enum gr_scan_kind {
    GR_SCAN_RECORDS,  // a page of one partition: at least `limit` keys if there are, then on to the
                      // end of the last one's cursor value; records without values
    GR_SCAN_DUE,      // keys in the expiry index up to `wall`, at most `limit`, after the first
                      // `cursor` rows; entries have keys only
    GR_SCAN_LEFTOVER, // likewise of the index of left-over contexts of `partition`
    GR_SCAN_HINTS, // hints owed to member `owner`, with values: of `key`, or if that is empty from
                   // `cursor` on; at most `limit`, and no further one once there are
                   // GR_HINT_PAGE_BYTES
};
enum { GR_HINT_PAGE_BYTES = 4 << 20 };

struct gr_effect {
    enum gr_effect_type type;
    uint16_t peer;                    // SEND
    uint64_t owner;                   // SCAN of GR_SCAN_HINTS: an id
    const struct gr_message *message; // SEND
    uint64_t ticket;                  // READ, SCAN, ACKED
    struct gr_key key;                // READ; SCAN of GR_SCAN_HINTS
    bool bare;                        // READ: values are not needed
    const struct gr_store_write *write;
    enum gr_scan_kind scan;
    uint32_t partition;
    gr_cursor cursor;
    bool lenient;         // SCAN of GR_SCAN_RECORDS: a row that is not what was written is shown as
                          // unreadable, and does not fail the page
    gr_cursor cursor_end; // SCAN of GR_SCAN_RECORDS: nothing from here on; 0 = the partition's end
    uint32_t limit;
    struct gr_wall wall;
    const struct gr_result *result; // REPLY
    uint8_t acks, durable;          // ACKED: replicas that have acknowledged so far; on disk
    const struct gr_holds *holds;   // HOLDS: but for `dropping`
    const char *text;               // LOG
};

// Where effects go. `emit` must not call back into the node.
struct gr_sink {
    void (*emit)(void *host, const struct gr_effect *effect);
    void *host;
};

// Takes a copy of *config. Never NULL.
struct gr_node *gr_node_new(const struct gr_node_config *config);
void gr_node_free(struct gr_node *node);

// Before the first step: what the store holds. A clock row, piece by piece; a partition's count and
// sum.
void gr_node_load_clock(
    struct gr_node *node, uint32_t partition, struct gr_actor actor, struct gr_interval interval);
void gr_node_load_partition(
    struct gr_node *node, uint32_t partition, int64_t count, struct gr_sum sum);
// What the partition owes (core/damage.c). The clock is borrowed.
void gr_node_load_owed(struct gr_node *node, uint32_t partition, const struct gr_clock *owed);
void gr_node_load_leftover(struct gr_node *node, uint32_t partition);
void gr_node_load_holds(struct gr_node *node, const struct gr_holds *holds);
void gr_node_load_hint(struct gr_node *node, const struct gr_hint *hint);

void gr_node_step(struct gr_node *node, const struct gr_event *event, struct gr_sink *sink);
// When a GR_EVENT_TICK is wanted, or GR_NEVER.
struct gr_instant gr_node_deadline(const struct gr_node *node);

// ---- looking: for faces, status pages and audits ---------------------------------------------

struct gr_probes *gr_node_probes(struct gr_node *node);
const struct gr_node_config *gr_node_config(const struct gr_node *node);
const struct gr_clock *gr_node_clock(const struct gr_node *node, uint32_t partition);
int64_t gr_node_count(const struct gr_node *node, uint32_t partition);
// The partition's tree (gr_merkle_leaves sums), or NULL before its first pass; and what all records
// add up to, as the writes say.
const struct gr_sum *gr_node_tree(const struct gr_node *node, uint32_t partition);
struct gr_sum gr_node_sum(const struct gr_node *node, uint32_t partition);
bool gr_node_damaged(const struct gr_node *node, uint32_t partition);
// It holds all that the partition's owners are to hold; it has some of it, or is dropping it.
bool gr_node_held(const struct gr_node *node, uint32_t partition);
bool gr_node_has(const struct gr_node *node, uint32_t partition);
// As far as it knows, of each partition R and W are held, where this node's clients ask for them;
// somebody holds anything at all. In a cluster that has just been made nobody does: there all must
// have said so first.
bool gr_node_has_voters(const struct gr_node *node);
// Every owner is linked and, as far as it knows, holds all that it owns.
bool gr_node_has_all_voters(const struct gr_node *node);
bool gr_node_is_founded(const struct gr_node *node);
// What changes hands here (§4.9): partitions that it owns and does not hold yet, those of them that
// it did not own before, and those that it has and does not own any more.
struct gr_transfer_view {
    uint32_t wanted, gained, leaving;
};
struct gr_transfer_view gr_node_transfers(const struct gr_node *node);
// The highest run of that store of which a dot was seen, whatever its random part; 0 if none.
uint64_t gr_node_run_seen(const struct gr_node *node, uint64_t store);
bool gr_node_peer_up(const struct gr_node *node, uint16_t peer); // true for itself

// What this node keeps for a member until that has it (§4.6).
struct gr_debt_view {
    uint64_t count, bytes;
    struct gr_wall oldest; // 0 if there is none
};
struct gr_debt_view gr_node_debt(const struct gr_node *node, uint16_t member);

struct gr_node_stats {
    uint32_t calls;      // requests and peers' requests under way
    size_t memory;       // bytes that they take
    uint32_t spares;     // dots that were drawn for puts which did not start
    uint32_t latches;    // keys with something under way or remembered, and
    size_t header_bytes; // what those that are only remembered take
    uint64_t gets, puts, busy, rejected, indeterminate;
    uint64_t replica_reads, replica_writes;
    // Anti-entropy. Partitions: held here, not yet read once in this run, not what was written, and
    // found behind in the last round with any peer.
    uint32_t partitions, unread, damaged, behind;
    uint64_t exchanges, exchanges_failed;
    uint64_t keys_offered, keys_taken; // by this node as the one that began, and as the other
    uint64_t passes;                   // partitions read whole
    uint64_t hints_kept, hints_delivered, hints_refused;
    uint64_t late;                    // requests refused because they had waited too long
    uint64_t background_slices;       // of background work that were begun
    uint32_t background_rate;         // slices per second that may begin now
    struct gr_span foreground_p99;    // of the last minute; 0 = there was nothing
    struct gr_span background_target; // above which background work yields
};
struct gr_node_stats gr_node_stats(const struct gr_node *node);

#endif
