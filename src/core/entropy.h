// What the chapters of anti-entropy share (§4.7): walks over the store, passes, rounds, exchanges.
// Private to core.
//
//   merkle.c    leaves and leaf hashes
//   walk.c      reads a range page by page while writes go on, and knows what it adds up to
//   pass.c      reads every partition after a start, and again and again (the scrub)
//   round.c     which peer, which partitions: compares clocks, begins exchanges
//   exchange.c  one partition with one peer: finds the keys that differ, joins
//   offer.c     one of those keys after the other: gives and takes
//   serve.c     the same as the peer that is asked
//   state.c     a key's state from a peer, weighed before it is merged
//   damage.c    what is done when the store is not what was written
//   transfer.c  how an owner comes to hold what it owns                                (§4.9)
//   leave.c     how one who is no owner any more lets it go
//   drop.c      and removes it
//   repair.c    what is known of each replica, and what an operator asked for
//   progress.c  both, told to people: how far, how fast, how long yet
#ifndef GR_CORE_ENTROPY_H
#define GR_CORE_ENTROPY_H

#include "core/inside.h"
#include "core/pace.h"

// ---- walk.c --------------------------------------------------------------------------------

enum { GR_WALK_NOTES_MAX = 4096, GR_WALK_PAGE_KEYS = 128 };

// A write at a place that a page under way may or may not show.
struct gr_walk_note {
    uint64_t number;
    gr_cursor cursor;
    struct gr_sum before, after;
    int32_t counted;
};

enum gr_walk_owner {
    GR_WALK_PASS,
    GR_WALK_EXCHANGE,
    GR_WALK_SERVED,
    GR_WALK_WITNESS,
    GR_WALK_DROP
};

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
// A write was emitted, after which the store holds `record`: for every walk over its partition, its
// count, sum and tree.
void gr_walk_written(struct gr_node *node, const struct gr_keyop *op,
    const struct gr_record *record, struct gr_sum before, struct gr_sum after, int counted);

// A partition as it was when its clock was copied, and the keys that were written since. A clock
// may be joined only for states that it is the clock of: what is compared later may have lost a
// value to a write that the copy does not know.
struct gr_watch {
    struct gr_link link;              // in the partition's list while it is open
    uint64_t exchange;                // that it is for
    struct gr_instant since;          // when it was opened
    struct gr_clock clock;            // owned: the clock as it was,
    struct gr_sum *leaf;              // owned: and the tree
    struct gr_arena arena;            // of the keys
    const struct gr_watch_note *note; // of every write since
    uint32_t count, capacity;
    uint32_t late; // notes that gr_watch_late has been over
    bool overflow; // more than GR_WATCH_BYTES_MAX: not all are noted
};
struct gr_watch_note {
    struct gr_key key;
    struct gr_dot dot; // of a sibling that came since, and not by the exchange; counter 0: none
};
enum { GR_WATCH_BYTES_MAX = 4 << 20 };
void gr_watch_open(
    struct gr_node *node, struct gr_watch *watch, uint32_t partition, uint64_t exchange);
// Nothing happens if it is not open.
void gr_watch_close(struct gr_node *node, struct gr_watch *watch, uint32_t partition);
// The next key to which a value came that the peer had seen when `theirs` was copied, and that this
// node had not; NULL: there is none (exchange.c, E6).
const struct gr_key *gr_watch_late(
    struct gr_node *node, struct gr_watch *watch, const struct gr_clock *theirs);

// ---- pass.c --------------------------------------------------------------------------------

void gr_pass_init(struct gr_node *node);
void gr_pass_timer(struct gr_node *node);
// Some partition wants a pass before its turn.
void gr_pass_soon(struct gr_node *node);
// An operator wants partitions read again. What was begun before does not count.
void gr_pass_asked(struct gr_node *node);
// A page was added to the pass's walk, or could not be read.
void gr_pass_on_page(struct gr_node *node, uint32_t keys, enum gr_err err);

// ---- round.c -------------------------------------------------------------------------------

void gr_round_init(struct gr_node *node);
void gr_round_timer(struct gr_node *node);
// The next round begins now, if none is under way.
void gr_round_soon(struct gr_node *node);
// Exchanges are wanted before their turn: they begin when no round is under way; or at once, for an
// operator, and a round under way makes room.
void gr_round_wake(struct gr_node *node);
void gr_round_asked(struct gr_node *node);
void gr_round_on_link_down(struct gr_node *node, uint16_t peer);
// Who shares what has changed: what was being compared is compared anew.
void gr_round_on_ring(struct gr_node *node);
// A COVER that asks for a durable answer: everything until then is durable.
void gr_round_covered(struct gr_node *node, const struct gr_keyop *op);
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
// To the peer of the exchange under way. False: it has ended.
bool gr_exchange_tell(struct gr_node *node, struct gr_message *message);
// Something was heard, or asked: the peer has this long for the next word.
void gr_exchange_expect(struct gr_node *node);
// All keys of a run of leaves are done: the next run of leaves that differ, or the end.
void gr_exchange_next_run(struct gr_node *node);

// ---- offer.c -------------------------------------------------------------------------------

struct gr_exchange;
// A key that may differ. `there`: what the peer's page showed of it, or NULL: that is not known.
void gr_offer_add(
    struct gr_exchange *exchange, const struct gr_key *key, const struct gr_record *there);
void gr_offer_forget(struct gr_exchange *exchange); // all of them
// Goes on until all are done, as the throttle admits it; then to the next run of leaves.
void gr_offer_more(struct gr_node *node);
// The filled state of a key was read here.
void gr_offer_on_shown(struct gr_node *node, uint64_t id, uint32_t index, enum gr_err err,
    const struct gr_record *filled);
void gr_offer_on_taken(struct gr_node *node, const struct gr_message *message);
// The peer's outcome was merged here, or could not be.
void gr_offer_on_merged(struct gr_node *node, uint64_t id, uint32_t index, enum gr_err err);
void gr_offer_again(struct gr_node *node); // what was not answered (a canary does)

// ---- serve.c -------------------------------------------------------------------------------

void gr_serve_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message);
void gr_serve_timer(struct gr_node *node);
// Another than that peer gives this node what it lacks of the partition, in an exchange it began.
bool gr_serve_gives(const struct gr_node *node, uint16_t peer, uint32_t partition);
void gr_serve_on_link_down(struct gr_node *node, uint16_t peer);
// Room for members from..to-1.
void gr_serve_members(struct gr_node *node, uint16_t from, uint16_t to);
void gr_serve_on_page(
    struct gr_node *node, uint16_t peer, const struct gr_event *event, enum gr_err err);

// ---- witness.c -----------------------------------------------------------------------------

// True if one who shows `shown` would lose a value by merging `said`.
bool gr_witness_takes(const struct gr_record *shown, const struct gr_record *said);
// Sends a message that takes something away, once the leaf of its key adds up; what it says was
// read before. If the leaf does not, nothing is sent. False: it cannot be looked at now, and
// nothing is sent. Copies the message.
GR_MUST_USE bool gr_witness_say(
    struct gr_node *node, uint16_t member, const struct gr_message *message);
// gr_replica_on_witness tells the writer with that ticket how the leaf of its key adds up. False:
// it cannot be looked at now.
GR_MUST_USE bool gr_witness_wait(struct gr_node *node, const struct gr_key *key, uint64_t ticket);
// A get found that `member` (-1: one that is not known here) shows what this replica says is gone:
// if that is so, it is told.
void gr_witness_call(struct gr_node *node, const struct gr_key *key, int member);
void gr_witness_on_page(
    struct gr_node *node, struct gr_walk *walk, const struct gr_event *event, enum gr_err err);
void gr_witness_deinit(struct gr_node *node);

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
// The same, found by a walk over it: rows are not there, or are others than were written. Not to be
// called while a key is being worked on.
void gr_damage_unsummed(struct gr_node *node, uint32_t partition, const char *how);
// There is a row of that key, and it is not what was written: the partition is damaged, the row
// goes.
void gr_damage_unreadable(struct gr_node *node, const struct gr_key *key);
// Some other one has yet to give what it holds, or it is damaged and some other owner has not given
// what it has: whoever is given this may be given less than the owners have together (B3).
bool gr_damage_lacks(const struct gr_node *node, uint32_t partition);
// It is damaged, and that peer has not given yet what it has.
bool gr_damage_wants(const struct gr_node *node, uint32_t partition, uint16_t peer);
// An exchange with that peer is complete; `lacking`: as the peer said when it began.
void gr_damage_gave(struct gr_node *node, uint32_t partition, uint16_t peer, bool lacking);
// A pass has made count, sum and tree those of what is stored.
void gr_damage_summed(struct gr_node *node, uint32_t partition);
void gr_damage_load(struct gr_node *node, uint32_t partition, const struct gr_clock *owed);
void gr_damage_deinit(struct gr_node *node);
// Two sums that must be equal.
bool gr_damage_agrees(const struct gr_node *node, struct gr_sum a, struct gr_sum b);
// Someone who has seen all that `held` has seen shows a sibling that is neither in `held` nor can
// have been replaced there.
bool gr_damage_shows(const struct gr_record *held, const struct gr_record *shown);

// ---- transfer.c, leave.c, drop.c -----------------------------------------------------------

struct gr_transfer {
    struct gr_timer timer;
    uint32_t at; // the partition that was begun last
};
struct gr_leave {
    struct gr_timer timer;
    uint32_t at;  // the partition that was looked at last
    bool asking;  // all owners of `partition`, by `id`:
    uint8_t said; // those who cover `clock`, by position
    bool wishes;  // an exchange of `partition` with `wish`, who lacks something
    uint16_t wish;
    uint32_t partition;
    uint64_t id;
    struct gr_clock clock; // owned
};
struct gr_drop {
    struct gr_timer timer;
    struct gr_walk walk;
    struct gr_arena arena; // of the page's keys
    struct gr_key *key;
    uint32_t count, next;
    uint32_t pending; // keyops of the page, and the page itself
    bool failed;      // something of this walk is left
};

// Something may be held now, or begun.
void gr_transfer_soon(struct gr_node *node);
void gr_transfer_timer(struct gr_node *node);
// The next exchange that an owner needs and that can begin now; false if there is none.
bool gr_transfer_next(struct gr_node *node, uint16_t *ret_peer, uint32_t *ret_partition);
// It is to be held here, and someone who holds it has not given it yet.
bool gr_transfer_lacks(const struct gr_node *node, uint32_t partition);
// It is to be held here, and others than that peer, one of whom is up, are to give it first.
bool gr_transfer_is_anothers(const struct gr_node *node, uint32_t partition, uint16_t peer);
// Clocks were joined with a peer; `lacking`: as it said when that exchange began.
void gr_transfer_joined(struct gr_node *node, uint32_t partition, uint16_t peer, bool lacking);

void gr_leave_soon(struct gr_node *node);
void gr_leave_timer(struct gr_node *node);
// COVERED: false if it is not of this file.
bool gr_leave_on_covered(struct gr_node *node, uint16_t peer, const struct gr_message *message);
void gr_leave_on_link_down(struct gr_node *node, uint16_t peer);
void gr_leave_on_ring(struct gr_node *node);
// As gr_transfer_next.
bool gr_leave_next(struct gr_node *node, uint16_t *ret_peer, uint32_t *ret_partition);
void gr_leave_deinit(struct gr_node *node);

// The partition's clock goes now, its records soon.
void gr_drop_begin(struct gr_node *node, uint32_t partition);
// Something is to be dropped since before this run.
void gr_drop_soon(struct gr_node *node);
void gr_drop_timer(struct gr_node *node);
void gr_drop_on_page(struct gr_node *node, const struct gr_event *event, enum gr_err err);
void gr_drop_on_keyop(struct gr_node *node, enum gr_err err);
void gr_drop_deinit(struct gr_node *node);

// ---- repair.c ------------------------------------------------------------------------------

// Another owner of a partition, and what comparing with it showed last.
struct gr_pair {
    struct gr_instant here_at, there_at; // WHOLE: looked at last; BEHIND: found first
    struct gr_instant met;               // here WHOLE: with all that the peer had then
    struct gr_instant tried_at;          // an exchange that began here ended
    uint64_t lacked;                     // here BEHIND: hash of the clock that was not covered
    uint8_t here, there;                 // enum gr_repair_state
    uint8_t wish;                        // enum gr_wish
    uint8_t tries;                       // that an exchange which was asked for has left
    bool tried;
    enum gr_err err; // of the exchange that ended
};
enum gr_wish { GR_WISH_NONE, GR_WISH_WAITS, GR_WISH_DONE, GR_WISH_FAILED };

struct gr_repair_note {
    const char *how; // what was found last in this run, or NULL
    struct gr_wall at;
    uint32_t job;
    uint8_t state; // enum gr_repair_state
    bool wanted;   // it is to be read again
    bool before;   // it was damaged when this run began
};

enum { GR_PACE_MENDED = 4 }; // beside GR_REPAIR_KEYS_IN ...: partitions behind that became whole

struct gr_repair {
    struct gr_pair *pair;        // [partition * n + position]; the own ones are not used
    struct gr_repair_note *note; // [partition]
    uint32_t whole, behind;      // partitions in that state
    struct gr_instant behind_since;
    uint64_t behind_total[GR_PACE_KINDS]; // of `pace` then
    struct gr_pace pace;
    // What was asked for.
    struct gr_timer timer;
    uint64_t asks;
    uint32_t job, job_rounds, job_joined, job_failed, job_reads, job_read, job_found;
    uint64_t job_keys;
    struct gr_instant job_since, job_ended;
    uint32_t waiting; // pairs in GR_WISH_WAITS
    uint32_t reading; // partitions with note->wanted
    uint32_t at;      // the pair that was looked at last
};

void gr_repair_init(struct gr_node *node);
void gr_repair_deinit(struct gr_node *node);
// Comparing clocks with a peer showed that this node has all that the peer had, or the other way
// round; or that it lacks some of the clock with that hash.
void gr_repair_here(
    struct gr_node *node, uint32_t partition, uint16_t peer, bool whole, uint64_t hash_of_peer);
void gr_repair_there(struct gr_node *node, uint32_t partition, uint16_t peer, bool whole);
void gr_repair_equal(struct gr_node *node, uint32_t partition, uint16_t peer);
// Their clocks are not equal, and the peer's has that hash.
void gr_repair_differs(
    struct gr_node *node, uint32_t partition, uint16_t peer, uint64_t hash_of_peer);
// The clock of a partition was joined with a peer's: it may be equal to another's now.
void gr_repair_joined(
    struct gr_node *node, uint32_t partition, uint16_t peer, struct gr_instant since);
// Up to then this node has all that any other owner of its partitions had; 0: that is not known.
struct gr_wall gr_repair_met(struct gr_node *node);
// The partition was read, or is whole again.
void gr_repair_judge(struct gr_node *node, uint32_t partition);
// `how` NULL: that was found in an earlier run.
void gr_repair_damaged(struct gr_node *node, uint32_t partition, const char *how);
// An exchange that began here has ended.
void gr_repair_ended(struct gr_node *node, uint16_t peer, uint32_t partition, enum gr_err err);
// The ring took the place of `before`: what is known is carried over.
void gr_repair_on_ring(struct gr_node *node, const struct gr_ring *before);
// A message of an exchange leaves, or has come.
void gr_repair_count(struct gr_node *node, const struct gr_message *message, bool out);
void gr_repair_on_ask(struct gr_node *node, const struct gr_repair_ask *ask);
// What could not begin at once is looked at again.
void gr_repair_timer(struct gr_node *node);
// The next exchange that was asked for and can begin now; false if there is none.
bool gr_repair_next(struct gr_node *node, uint16_t *ret_peer, uint32_t *ret_partition);
bool gr_repair_wants_read(const struct gr_node *node, uint32_t partition);
// A partition was read that was wanted: exchanges follow.
void gr_repair_read(struct gr_node *node, uint32_t partition);
// The hash that clocks are compared by (round.c).
uint64_t gr_round_hash(struct gr_node *node, uint32_t partition);

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
    bool begun;         // in this run
    bool building;      // some partition was not yet passed over
    bool asked_for;     // the walk began after an operator asked for it
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
    uint16_t peer, probed; // of this round; of the last one that began with a probe
    bool scrub;            // WORK: one exchange whatever the clocks say
    bool asked_for;        // WORK: the exchange under way is one that was wanted before its turn,
    bool asked_last;       // or the last one was
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
    const struct gr_record *there; // what the peer's page showed, bare; NULL: that is not known
    enum gr_item_state state;
    bool again; // it was refused once, as hearsay maybe (W4)
};

struct gr_exchange {
    enum gr_exchange_state state;
    struct gr_timer timer;
    bool paused;      // the timer ends a pause, not a wait
    bool busy;        // offer_more is at work: it will see what ends meanwhile
    uint32_t damages; // of the partition here, when it began
    bool failed;      // some key was not done, or not all were compared: nothing is joined
    bool lacking;     // the peer said so when it began
    uint64_t id;
    uint16_t peer;
    uint32_t partition;
    struct gr_clock theirs;
    struct gr_clock kept; // canary two-sources: of exchanges of a partition that were abandoned
    uint32_t kept_of;
    struct gr_watch watch; // since it began: its clock is what the peer may join
    bool differs[GR_MERKLE_LEAVES_MAX];
    uint32_t branches;          // whose leaves were asked for
    bool asked;                 // for the peer's next page
    uint32_t run_from, run_end; // leaves being compared
    struct gr_walk walk;
    struct gr_exchange_page here, there;
    struct gr_arena arena; // of the items
    struct gr_exchange_item *item;
    uint32_t item_count, item_capacity, item_next, item_active;
};

// What a peer's exchange needs of this node.
struct gr_served {
    bool open;
    bool differs;            // leaves were asked for
    bool lacking;            // as the peer said
    struct gr_instant heard; // a message of it
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
    struct gr_served **served; // by member, each owned
    struct gr_transfer transfer;
    struct gr_leave leave;
    struct gr_drop drop;
    struct gr_list offers; // keyops of keys that were offered and wait for a slice
    struct gr_timer offers_timer;
    struct gr_list witnesses;
    struct gr_repair repair;
};

#endif
