// What the chapters of anti-entropy share (§4.7): walks over the store, passes, rounds, exchanges.
// Private to core.
//
//   merkle.c    leaves and leaf hashes
//   walk.c      reads a range page by page while writes go on, and knows what it adds up to
//   pass.c      reads every partition after a start, and again and again (the scrub)
//   round.c     which peer, which partitions: compares clocks, begins exchanges
//   exchange.c  one partition with one peer: finds the keys that differ, gives and takes, joins
//   serve.c     the same as the peer that is asked
//   state.c     a key's state from a peer, weighed before it is merged
//   damage.c    what is done when the store is not what was written
#ifndef GR_CORE_ENTROPY_H
#define GR_CORE_ENTROPY_H

#include "core/inside.h"

// ---- walk.c --------------------------------------------------------------------------------

enum { GR_WALK_NOTES_MAX = 4096, GR_WALK_PAGE_KEYS = 1024 };

// A write at a place that a page under way may or may not show.
struct gr_walk_note {
    uint64_t number;
    gr_cursor cursor;
    struct gr_sum before, after;
    int32_t counted;
};

enum gr_walk_owner { GR_WALK_PASS, GR_WALK_EXCHANGE, GR_WALK_SERVED };

// Everything from `first` to below `frontier` is in the sums, as it is now.
struct gr_walk {
    struct gr_link link;  // in the partition's list while it is open
    struct gr_scanop *op; // of the page under way, or NULL
    enum gr_walk_owner owner;
    uint16_t peer; // SERVED: for whom
    uint32_t partition, limit;
    gr_cursor first, frontier, end;
    struct gr_sum *leaf; // owned; one for each leaf of the partition, or NULL: not wanted
    struct gr_sum sum;
    int64_t count;
    struct gr_walk_note *note; // owned
    uint32_t note_count, note_capacity;
    bool overflow; // more notes than GR_WALK_NOTES_MAX: the page is asked for again
};

// Opens a walk over the cursors first..end-1 of a partition. The walk is the caller's memory.
void gr_walk_open(struct gr_node *node, struct gr_walk *walk, enum gr_walk_owner owner,
    uint32_t partition, gr_cursor first, gr_cursor end, bool leaves);
// Nothing happens if it is not open.
void gr_walk_close(struct gr_node *node, struct gr_walk *walk);
// Asks for the page at the frontier; its owner is told when it is there.
void gr_walk_ask(struct gr_node *node, struct gr_walk *walk, uint32_t limit);
// The host answered; scan.c hands it on.
void gr_walk_on_page(struct gr_node *node, struct gr_walk *walk, const struct gr_event *event);
// The leaf hash of a record as it is stored here.
struct gr_sum gr_walk_hash(
    struct gr_node *node, const struct gr_key *key, const struct gr_record *stored);
// A write was emitted: for every walk over its partition, its count, sum and tree.
void gr_walk_written(struct gr_node *node, uint32_t partition, const struct gr_key *key,
    struct gr_sum before, struct gr_sum after, int counted);

// A partition as it was when its clock was copied, and the keys that were written since. A clock
// may be joined only for states that it is the clock of: what is compared later may have lost a
// value to a write that the copy does not know.
struct gr_watch {
    struct gr_link link;      // in the partition's list while it is open
    struct gr_sum *leaf;      // owned: the tree as it was
    struct gr_arena arena;    // of the keys
    const struct gr_key *key; // written since, some more than once
    uint32_t count, capacity;
    bool overflow; // more keys than GR_WATCH_BYTES_MAX: not all are named
};
enum { GR_WATCH_BYTES_MAX = 4 << 20 };
void gr_watch_open(struct gr_node *node, struct gr_watch *watch, uint32_t partition);
// Nothing happens if it is not open.
void gr_watch_close(struct gr_node *node, struct gr_watch *watch, uint32_t partition);

// ---- pass.c --------------------------------------------------------------------------------

void gr_pass_init(struct gr_node *node);
void gr_pass_timer(struct gr_node *node);
// Some partition wants a pass before its turn.
void gr_pass_soon(struct gr_node *node);
// A page was added to the pass's walk, or could not be read.
void gr_pass_on_page(struct gr_node *node, uint32_t keys, enum gr_err err);

// ---- round.c -------------------------------------------------------------------------------

void gr_round_init(struct gr_node *node);
void gr_round_timer(struct gr_node *node);
// The next round begins now, if none is under way.
void gr_round_soon(struct gr_node *node);
void gr_round_on_link_down(struct gr_node *node, uint16_t peer);
// PROBE, COVER: answered. PROBED, COVERED: taken if they are of the round under way.
void gr_round_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message);
// The exchange that the round began has ended.
void gr_round_on_exchange(struct gr_node *node, bool joined);

// ---- exchange.c ----------------------------------------------------------------------------

// Begins one; gr_round_on_exchange tells its end, later or at once. There is at most one.
void gr_exchange_start(struct gr_node *node, uint16_t peer, uint32_t partition);
// The peer and partition of the exchange under way; false if there is none.
bool gr_exchange_is_with(const struct gr_node *node, uint16_t peer, uint32_t partition);
bool gr_exchange_wants(const struct gr_node *node, uint64_t id);
void gr_exchange_timer(struct gr_node *node);
void gr_exchange_on_link(struct gr_node *node, uint16_t peer, bool up);
// BEGUN, LEAVES, TAKEN, JOINED, PAGE. False: not of the exchange under way.
bool gr_exchange_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message);
void gr_exchange_on_page(struct gr_node *node, const struct gr_event *event, enum gr_err err);
// The filled state of a key was read here.
void gr_exchange_on_shown(struct gr_node *node, uint64_t id, uint32_t index, enum gr_err err,
    const struct gr_record *filled);
// The peer's outcome was merged here, or could not be.
void gr_exchange_on_merged(struct gr_node *node, uint64_t id, uint32_t index, enum gr_err err);

// ---- serve.c -------------------------------------------------------------------------------

void gr_serve_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message);
void gr_serve_on_link_down(struct gr_node *node, uint16_t peer);
void gr_serve_on_page(
    struct gr_node *node, uint16_t peer, const struct gr_event *event, enum gr_err err);

// ---- state.c -------------------------------------------------------------------------------

// Every sibling has its value, and is covered by the context that it came with.
bool gr_state_is_sound(const struct gr_record *record);
// What a keyop brings, before it is merged: GR_ERR_CORRUPT if it shows that this replica has lost a
// record (the partition is damaged then), GR_ERR_INVALID if a sibling came without its value and is
// neither here nor replaced here. What must not be believed is taken out of *incoming.
GR_MUST_USE enum gr_err gr_state_admit(struct gr_node *node, struct gr_keyop *op,
    const struct gr_record *filled, struct gr_record *incoming);
// True if merging changes nothing that is stored, nor the clock: then no value need be read.
bool gr_state_is_known(struct gr_node *node, const struct gr_keyop *op,
    const struct gr_record *stored, const struct gr_record *merged);
// TAKEN: the outcome of an OFFER, bare where the offer had the value; or why there is none.
void gr_state_tell(
    struct gr_node *node, struct gr_keyop *op, enum gr_err status, const struct gr_record *merged);
// Adds all that a peer had seen, after a complete exchange: one write of clock rows alone.
void gr_state_join(struct gr_node *node, uint32_t partition, const struct gr_clock *seen);

// ---- damage.c ------------------------------------------------------------------------------

// The store of a partition is not what was written there: it is no party to any exchange from now
// on. `how` is a few words for the log.
void gr_damage_partition(struct gr_node *node, uint32_t partition, const char *how);
// There is a row of that key, and it is not what was written: the partition is damaged, the row
// goes.
void gr_damage_unreadable(struct gr_node *node, const struct gr_key *key);
// An exchange with that peer is complete.
void gr_damage_gave(struct gr_node *node, uint32_t partition, uint16_t peer);
// A pass has made count, sum and tree those of what is stored.
void gr_damage_summed(struct gr_node *node, uint32_t partition);
void gr_damage_load(struct gr_node *node, uint32_t partition, const struct gr_clock *owed);
void gr_damage_deinit(struct gr_node *node);
// Two sums that must be equal.
bool gr_damage_agrees(const struct gr_node *node, struct gr_sum a, struct gr_sum b);
// Someone who has seen all that `held` has seen shows a sibling that is neither in `held` nor can
// have been replaced there.
bool gr_damage_shows(const struct gr_record *held, const struct gr_record *shown);

// ---- all of it -----------------------------------------------------------------------------

// True if the partition may be compared, exchanged or counted as covering: it was passed over in
// this run and is what was written.
bool gr_entropy_ready(const struct gr_node *node, uint32_t partition);
void gr_entropy_init(struct gr_node *node);
void gr_entropy_deinit(struct gr_node *node);

struct gr_pass {
    struct gr_timer timer;
    struct gr_walk walk;
    uint32_t partition; // the last one begun
    bool building;      // some partition was not yet passed over
    struct gr_instant asked;
};

enum gr_round_state {
    GR_ROUND_REST,
    GR_ROUND_PROBE,
    GR_ROUND_GRACE,
    GR_ROUND_COVER,
    GR_ROUND_WORK
};

struct gr_round {
    enum gr_round_state state;
    struct gr_timer timer;
    uint64_t id;
    uint16_t peer;
    bool scrub; // WORK: one exchange whatever the clocks say
    // Partitions that differ, with the clocks as they were when that was found; in COVER those
    // that have been asked about go, and those that are behind stay.
    uint16_t *partition;
    struct gr_clock *clock;
    uint32_t count, at, kept, asked;
    uint32_t scrubbed; // partition and position that the slow round is at
    struct gr_instant probe_at, scrub_at;
};

enum gr_exchange_state {
    GR_EXCHANGE_IDLE,
    GR_EXCHANGE_BEGIN,
    GR_EXCHANGE_LEAVES,
    GR_EXCHANGE_WALK,
    GR_EXCHANGE_OFFER,
    GR_EXCHANGE_JOIN,
};

// A page of one side, being compared.
struct gr_exchange_page {
    bool here;
    struct gr_arena arena;
    const struct gr_entry *entry;
    uint32_t count, at;
    gr_cursor end;
};

enum gr_item_state { GR_ITEM_NEW, GR_ITEM_SHOWN, GR_ITEM_SENT, GR_ITEM_TAKEN, GR_ITEM_DONE };
struct gr_exchange_item {
    struct gr_key key;
    enum gr_item_state state;
};

struct gr_exchange {
    enum gr_exchange_state state;
    struct gr_timer timer;
    bool paused;      // the timer ends a pause, not a wait
    bool busy;        // offer_more is at work: it will see what ends meanwhile
    uint32_t damages; // of the partition here, when it began
    bool failed;      // some key was not done, or not all were compared: nothing is joined
    uint64_t id;
    uint16_t peer;
    uint32_t partition;
    struct gr_clock mine, theirs;
    struct gr_watch watch; // since `mine` was copied
    bool differs[GR_MERKLE_LEAVES_MAX];
    uint32_t branches;          // whose leaves were asked for
    bool asked;                 // for the peer's next page
    uint32_t run_from, run_end; // leaves being compared
    struct gr_walk walk;
    struct gr_exchange_page here, there;
    struct gr_arena arena; // of the items
    struct gr_exchange_item *item;
    uint32_t item_count, item_capacity, item_next, item_active;
    uint32_t slice_keys; // that the slice which was admitted last still allows
    size_t slice_bytes;  // of values, given since then
};

// What a peer's exchange needs of this node.
struct gr_served {
    bool open;
    uint64_t id;
    uint32_t partition;
    uint32_t damages;      // of it here, when it began
    struct gr_watch watch; // since its clock was shown
    struct gr_walk walk;
    gr_cursor page_from; // of the page under way
};

struct gr_entropy {
    struct gr_pass pass;
    struct gr_round round;
    struct gr_exchange exchange;
    struct gr_served *served; // by member
};

#endif
