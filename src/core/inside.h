// What the files of core share: the node's state and the calls between its chapters. Private to
// core; the outside sees node.h.
//
// The life of a request, by file:
//
//   node.c     takes the event, finds the call, hands it on
//   put.c      one put: coordinated here if this node is an owner, else through one    (§4.5, §5)
//   site.c     which positions W and R count, where sites matter; who stands in there
//   replicate.c  gets its W copies: from the owners, or from those who stand in         (§4.6)
//   get.c      coordinates one get: asks R replicas, merges, answers, repairs          (§4.5, §5)
//   ask.c      whom it asks, and whom next
//   update.c   the plain face: a get, a computation, a put
//   scan.c     a page of keys; how many keys there are
//   replica.c  what a holder does with one key: latch, read, merge, write, acknowledge
//   durability.c  when it may say so: once it is on disk, or sooner              (§6.1)
//   spare.c    dots that were drawn and not used
//   hint.c     what a node that stands in for an owner does: keep the write, deliver it (§4.6)
//   done.c     telling whoever asked: clients, nodes that forwarded, updates
//   sweep.c    what a holder does by itself: due siblings, left-over contexts
//   throttle.c how much of that may run beside requests                                (§6.5)
//   peer.c     what is known of the other nodes: links, latency, frames seen
//   holder.c   who holds a partition, and who votes for it while it changes hands       (§4.9)
//   adopt.c    what else is done when the ring changes
//
// What keeps replicas equal without anybody asking (§4.7) has a header of its own, entropy.h.
#ifndef GR_CORE_INSIDE_H
#define GR_CORE_INSIDE_H

#include "base/list.h"
#include "base/map.h"
#include "base/random.h"
#include "base/timers.h"
#include "core/node.h"
#include "core/quorum.h"

// ---- peers ---------------------------------------------------------------------------------

enum { GR_PEER_SAMPLES = 128, GR_PEER_WINDOW = 4096 };

// What a peer is asked, as far as it takes a different time.
enum gr_ask { GR_ASK_READ, GR_ASK_WRITE, GR_ASK_FORWARD, GR_ASKS };

struct gr_latency {
    uint32_t sample_us[GR_PEER_SAMPLES]; // latest answer times
    uint32_t sample_count;
    struct gr_span hedge; // rolling p99, clamped
};

struct gr_peer {
    bool up;
    bool far;                             // it is at another site
    uint8_t unspoken;                     // over the link to it (enum gr_says)
    uint64_t sequence;                    // of the last message sent in this run
    uint64_t run;                         // of the peer, as the last link said
    uint64_t top;                         // highest sequence seen of that run
    uint64_t window[GR_PEER_WINDOW / 64]; // which of the last GR_PEER_WINDOW were seen
    struct gr_latency latency[GR_ASKS];
    struct gr_instant answered; // when it last did
};

void gr_peer_init(struct gr_peer *peer);
// How long an answer took, or how long it has not come.
void gr_peer_sample(struct gr_peer *peer, enum gr_ask ask, struct gr_span took);
// It has answered what it was asked then.
void gr_peer_answered(
    struct gr_node *node, uint16_t member, enum gr_ask ask, struct gr_instant since);
// When another way is tried for what it was asked then; gr_hedge_spend when it is and somebody
// waits for it (L4).
struct gr_instant gr_hedge_at(const struct gr_node *node, uint16_t member, enum gr_ask ask,
    struct gr_instant asked, struct gr_instant deadline, bool awaited);
void gr_hedge_spend(struct gr_node *node);
// A link was made with this run of the peer, over which that cannot be said.
void gr_peer_link(struct gr_peer *peer, uint64_t run, uint8_t unspoken);
// It is up, and all of this (bits of enum gr_says) can be said to it.
bool gr_peer_hears(const struct gr_peer *peer, uint8_t says);
// True the first time that a sequence of the run that is linked is seen.
bool gr_peer_accept(struct gr_peer *peer, uint64_t run, uint64_t sequence);

// A dot that was drawn for a put which certainly did not start: the next one may have it.
struct gr_spare {
    struct gr_link link;
    struct gr_key key; // of that put; owned
    struct gr_dot dot;
    struct gr_instant since;
};

// What a member has said that it holds, and in which of its runs.
struct gr_holding {
    uint64_t run;
    uint64_t *bits;   // owned; NULL: nothing was heard
    uint64_t bare_in; // the last ring in which, in this run, it held nothing; 0: none
};

// ---- partitions and latches ------------------------------------------------------------------

// What a partition owes since its store was found to be not what was written.
struct gr_damage {
    struct gr_clock owed;                // what its clock had seen
    uint64_t heard[GR_MEMBERS_MAX / 64]; // members, a bit each, that have given since, in this run
    uint64_t given[GR_MEMBERS_MAX / 64]; // those of them that lacked nothing (B3)
    bool unsummed; // since it was found, no pass has counted and summed what is there
};

struct gr_partition {
    struct gr_clock clock;
    uint64_t counter;         // of this run's last dot here
    int64_t count;            // keys with siblings
    struct gr_sum sum;        // of the leaf hashes of all records
    struct gr_list walks;     // open over it: every write is told to them,
    struct gr_list watches;   // and to these
    struct gr_sum *leaf;      // its tree; NULL until it was passed over once in this run
    struct gr_damage *damage; // what is stored was not what was written: damage.c. NULL: it is
    uint32_t damages;         // how often that was found in this run
    bool held;                // all that its owners are to hold is here (holder.c)
    bool leaving;             // all its owners hold, and this node is none: it takes no more writes
    bool dropping;            // its records are going (drop.c)
    uint16_t
        given[GR_REPLICAS_MAX]; // who gave all that they hold, while it was not held (transfer.c)
    uint8_t given_count;
    struct gr_instant tried_at; // an exchange for that began
    bool doubtful;              // so it was here once, or where its records came from: state.c, S1
    bool hashed;                // clock_hash is that of the clock
    uint64_t clock_hash;
    // What left-over contexts wait for: of each actor the least counter that the clock's base must
    // reach before one of them can go (sweep.c).
    struct gr_dot *awaited;
    uint32_t awaited_count, awaited_capacity;
    bool ripe; // it has, or what is awaited is not known
};

// One key with something under way, or remembered. `header` is the stored record without values,
// true of the store as it is after all writes emitted so far.
struct gr_latch {
    struct gr_map_link link;
    struct gr_link idle;     // in node->idle when nothing is under way
    struct gr_key key;       // in `bytes`
    struct gr_keyop *holder; // the one writer between its read and its write
    struct gr_list queue;    // writers that wait
    uint32_t readers;        // reads under way
    uint64_t version;        // counts writes, to tell a read that its key has changed
    bool known;              // header is valid
    struct gr_arena arena;   // of header
    struct gr_record header;
    uint8_t bytes[];
};

enum gr_keyop_kind {
    GR_KEYOP_READ,    // answer with the filled state
    GR_KEYOP_PUT,     // coordinate: draw a dot
    GR_KEYOP_DELTA,   // a put that another node coordinates
    GR_KEYOP_REPAIR,  // a state from read repair
    GR_KEYOP_EXPIRE,  // drop what is due
    GR_KEYOP_RESTRIP, // strip left-over context again
    GR_KEYOP_SHOW,    // read the filled state for an exchange that began here
    GR_KEYOP_OFFER,   // merge a state that a peer's exchange offers, and answer with the outcome
    GR_KEYOP_TAKEN,   // merge that answer
    GR_KEYOP_DROP,    // remove the record: the partition goes (drop.c)
    GR_KEYOP_COVERED, // of no key: tell a peer, once all that was written until now is durable
    // Without a latch, because a hint never changes: hint.c
    GR_KEYOP_HINT,     // keep a write for an owner that did not answer its coordinator
    GR_KEYOP_STAND_IN, // keep a write that this node coordinates, for every owner
};

// One piece of work on one key at this holder. Owned by replica.c from submit to end.
struct gr_keyop {
    enum gr_keyop_kind kind;
    struct gr_map_link by_ticket;
    uint64_t ticket;     // of its READ effect, 0 = none under way
    struct gr_link link; // in latch->queue, in node->unsynced, or (OFFER) in entropy->offers
    struct gr_arena arena;
    struct gr_key key;
    uint32_t partition;
    struct gr_latch *latch;
    uint64_t version; // of the latch when the read was emitted
    bool bare;        // READ: values are not wanted
    bool repairs;     // READ: for `peer`, which is behind (witness.c)
    bool durable; // PUT, DELTA, HINT, STAND_IN: acknowledged once it is durable, whatever the mode
    bool told;    // it was acknowledged when it was applied; its arena is empty
    bool stuck;   // EXPIRE, RESTRIP: its index row stays
    bool dot_drawn;          // only in the canary early-dot
    uint64_t call;           // id of the call here that wants it, or 0:
    uint16_t peer;           // the node that does,
    uint64_t peer_call;      // and its call
    struct gr_instant since; // when what it is for arrived here
    struct gr_wall due;      // EXPIRE: the minute that its index row stands under
    bool again;              // its READ has failed once
    bool unreadable;         // there is a row that says nothing: it is replaced, or goes
    bool witnessed;          // REPAIR, OFFER, TAKEN: may refuse what it is shown (witness.c)
    bool hearsay;            // a state that no witness has sent: it takes nothing (W4)
    struct gr_record stored; // what was read, while it waits for that
    struct gr_instant deadline;
    struct gr_record incoming; // DELTA, REPAIR
    struct gr_dot dot;         // PUT, DELTA: of the run: the seal, if it has one, or the write's
    uint32_t index;            // SHOW, OFFER, TAKEN: of the key in its exchange
    uint64_t write_number;     // of the WRITE that must be durable before it is acknowledged
};

// ---- calls: requests that this node coordinates ----------------------------------------------

enum gr_call_kind {
    GR_CALL_PUT,
    GR_CALL_GET,
    GR_CALL_UPDATE,
    GR_CALL_SCAN,
    GR_CALL_COUNT,
    GR_CALL_HINT // one hint on its way to its owner
};

// Who is told how a call ended.
enum gr_done_kind { GR_DONE_CLIENT, GR_DONE_PEER, GR_DONE_UPDATE };
struct gr_done {
    enum gr_done_kind kind;
    enum gr_op op;           // CLIENT: what was asked
    uint64_t ticket;         // CLIENT, UPDATE
    struct gr_instant since; // CLIENT: when the request arrived
    uint16_t peer;           // PEER: who forwarded
    uint64_t call;           // PEER: its call; UPDATE: the update's id
};

struct gr_call {
    enum gr_call_kind kind;
    uint64_t id;
    struct gr_map_link by_id;
    struct gr_link late; // answered, but still listening
    struct gr_timer timer;
    struct gr_arena arena;
    size_t accounted; // bytes of arena that node->memory counts
    struct gr_done done;
    struct gr_instant deadline;
};

// What is owed to one member: its hints, and where their delivery is.
struct gr_debt {
    uint64_t owner; // id
    int place;      // of that member here, or -1
    uint64_t count, bytes;
    struct gr_wall oldest; // not later than it is, and exact after a quiet walk over all of them
    struct gr_wall walked; // the oldest that the walk under way has left or not met, 0: none
    struct gr_timer timer; // of the next page
    uint64_t ticket;       // of the page's SCAN under way, or 0
    gr_cursor cursor;      // where the next page begins
    gr_cursor from;        // where the page under way began
    uint32_t sent, failed; // of this page: under way, and answered otherwise than "stored"
    bool stored;           // of this page, one at least was answered so
    bool fresh;            // one was kept since that SCAN was asked for
    bool unreadable;       // the last SCAN failed, and that was logged
    bool astray;           // the ring has changed since all of them were looked at:
    bool whole;            // that is what the walk under way does
};

enum gr_timer_kind {
    GR_TIMER_CALL,
    GR_TIMER_SWEEP,
    GR_TIMER_DEBT,
    GR_TIMER_PASS,
    GR_TIMER_ROUND,
    GR_TIMER_EXCHANGE,
    GR_TIMER_OFFERS,
    GR_TIMER_REPAIR,
    GR_TIMER_TRANSFER,
    GR_TIMER_LEAVE,
    GR_TIMER_DROP,
};

// What is left of the slice that was admitted last.
struct gr_slice {
    uint32_t keys;
    size_t bytes; // that were given since
};

enum gr_sweep_phase { GR_SWEEP_IDLE, GR_SWEEP_DUE, GR_SWEEP_LEFTOVER };

struct gr_node {
    struct gr_node_config config;
    const struct gr_ring *ring;
    struct gr_random random;
    struct gr_probes probes;
    struct gr_node_stats stats;
    struct gr_sink *sink; // of the step under way
    struct gr_instant now;
    struct gr_instant arrived; // when what this step is about reached this host: `now` or before
    struct gr_wall wall;
    gr_hybrid hybrid;
    uint64_t run;                     // random: names this run's requests
    enum gr_err store;                // GR_OK, or why the store takes no writes
    uint64_t ids;                     // last id of a call, ticket or request given out
    uint64_t requests;                // that this run has named
    uint64_t writes, applied, synced; // numbers of the last WRITE emitted, applied, and durable
    struct gr_arena scratch;          // cleared at each step
    struct gr_partition *partition;
    struct gr_peer *peer;       // by member
    struct gr_holding *holding; // likewise: what each has said that it holds; the own one is unused
    uint16_t member_capacity;   // of these two, and of entropy->served
    uint64_t bare_in;           // the last ring in which, in this run, nothing was held; 0: none
    uint64_t holds_number;      // of the last WRITE that changed what is held here, not told yet; 0
    struct gr_map calls, latches, keyops, scans, hint_reads;
    struct gr_list spare;  // dots given back, oldest first
    struct gr_debt **debt; // one for each member that anything was owed to
    uint32_t debt_count;
    uint64_t hint_bytes; // of all debts
    struct gr_list late; // calls that have answered
    struct gr_list idle; // latches, oldest first, which take
    size_t header_bytes;
    struct gr_list unapplied; // keyops whose write is not known to be applied, in order
    struct gr_list unsynced;  // likewise to be durable
    uint32_t call_count;      // calls that have not answered
    uint32_t keyop_count;
    size_t memory;
    uint32_t hedge_credit; // answers that no hedge has been paid with yet (L4)
    struct gr_timers timers;
    struct gr_throttle throttle;
    struct gr_slice slice;
    struct gr_timer sweep_timer;
    enum gr_sweep_phase sweep_phase;
    bool sweep_full;                  // the page was full: there may be more
    struct gr_arena sweep_arena;      // of the page's entries,
    struct gr_entry *sweep_entry;     // without records
    uint32_t sweep_count, sweep_next; // how many there are, and which is next
    struct gr_wall sweep_to;          // what was due then may go
    uint64_t sweep_ticket;            // of the SCAN under way, or 0
    uint32_t sweep_pending;           // keyops that the sweep waits for
    uint64_t sweep_stuck;             // index rows of this pass that may not go yet
    uint32_t sweep_partition;         // whose left-over contexts are next, and
    uint32_t sweep_left;              // how many partitions this round has still to look at
    struct gr_entropy *entropy;
};

// ---- holder.c ------------------------------------------------------------------------------

// The preference list of a partition, with who votes for each position now.
struct gr_preference gr_holder_list(const struct gr_node *node, uint32_t partition);
// The same for a get (they differ for a canary alone).
struct gr_preference gr_holder_readers(const struct gr_node *node, uint32_t partition);
// Whether a keyop may write: what is let go takes nothing any more, and what is being dropped is
// only dropped.
bool gr_holder_admits(const struct gr_node *node, const struct gr_keyop *op);
// The current ring gives it to this node.
bool gr_holder_owns(const struct gr_node *node, uint32_t partition);
// This node takes writes of it; shows it to gets; has anything of it to compare with others.
bool gr_holder_takes(const struct gr_node *node, uint32_t partition);
bool gr_holder_shows(const struct gr_node *node, uint32_t partition);
bool gr_holder_has(const struct gr_node *node, uint32_t partition);
// As far as that member has said.
bool gr_holder_says(const struct gr_node *node, uint16_t member, uint32_t partition);
// Both have it, as far as is known here.
bool gr_holder_shares(const struct gr_node *node, uint16_t member, uint32_t partition);
// Some member but this one holds it.
bool gr_holder_any(const struct gr_node *node, uint32_t partition);
// What this node holds, to be written or told; in scratch memory.
const struct gr_holds *gr_holder_all(struct gr_node *node);
// From now on this node holds the partition.
void gr_holder_hold(struct gr_node *node, uint32_t partition);
// Partitions are held, owned, dropped otherwise than before: counts them anew.
void gr_holder_count(struct gr_node *node);
void gr_holder_on_holds(struct gr_node *node, const struct gr_event *event);
// Writes what is held here, with rows of that partition's clock that are gone.
void gr_holder_write(struct gr_node *node, uint32_t partition,
    const struct gr_clock_row *const *gone, uint32_t gone_count);
// Tells the host what is held here, if that has changed and is durable.
void gr_holder_on_synced(struct gr_node *node);
void gr_holder_init(struct gr_node *node);
void gr_holder_deinit(struct gr_node *node);
// adopt.c: the next ring takes the place of this one.
void gr_adopt_ring(struct gr_node *node, const struct gr_ring *ring);
// An AGREED event.
void gr_adopt_agreed(struct gr_node *node, const struct gr_event *event);
// Room for what is kept by member.
void gr_adopt_members(struct gr_node *node, uint16_t count);

// ---- slice.c -------------------------------------------------------------------------------

// Asked before each slice of background work (gr_throttle_slices says how many it is). False: not
// now; ask again at gr_node_background_at.
GR_MUST_USE bool gr_node_background(struct gr_node *node, uint32_t slices);
struct gr_instant gr_node_background_at(const struct gr_node *node, uint32_t slices);
// The same for one key of the slice that is being used up: where there is none, a slice is asked
// for.
GR_MUST_USE bool gr_slice_key(struct gr_node *node);
// So many keys, or bytes of them, were more than was asked for: they are owed.
void gr_slice_keys(struct gr_node *node, uint32_t keys);
void gr_slice_bytes(struct gr_node *node, size_t bytes);

// ---- node.c --------------------------------------------------------------------------------

uint64_t gr_node_id(struct gr_node *node);
void gr_node_emit(struct gr_node *node, const struct gr_effect *effect);
// A line for people.
void gr_node_log(struct gr_node *node, const char *text);
// Stamps and sends; false if there is no link (the message certainly did not leave).
bool gr_node_send(struct gr_node *node, uint16_t peer, struct gr_message *message);
// A time above every time seen, and above `floor`.
gr_hybrid gr_node_hybrid(struct gr_node *node, gr_hybrid floor);
// True if one more call and `bytes` more fit the node's bounds.
bool gr_node_has_room(const struct gr_node *node, size_t bytes);
// The next node that may stand in for owners of the partition, is up, and comes after `after` (-1:
// the first) in the order that all nodes share; -1 if there is none. This node itself only if
// `self`.
int gr_node_next_fallback(struct gr_node *node, uint32_t partition, int after, bool self);
uint32_t gr_node_remaining_ms(const struct gr_node *node, struct gr_instant deadline);
// Who is told of a client's request that is being stepped.
struct gr_done gr_node_done(const struct gr_node *node, const struct gr_request *request);
// Foreground work ended that had arrived at `since`.
void gr_node_foreground(struct gr_node *node, struct gr_instant since);

// A call of `bytes` bytes whose first member is struct gr_call; in node->calls, timer not set.
void *gr_call_new(struct gr_node *node, enum gr_call_kind kind, size_t bytes,
    const struct gr_done *done, struct gr_span timeout);
void *gr_call_find(struct gr_node *node, enum gr_call_kind kind, uint64_t id);
// Brings node->memory up to date with what the call's arena has taken.
void gr_call_account(struct gr_node *node, struct gr_call *call);
// The timeout that it was begun with, if that is over; else 0.
struct gr_span gr_call_waited(
    const struct gr_node *node, const struct gr_call *call, struct gr_span timeout);
// Answered: from now on it counts as late and may be forgotten when there are too many.
void gr_call_late(struct gr_node *node, struct gr_call *call);
void gr_call_free(struct gr_node *node, struct gr_call *call);
// Tells whoever asked. Fills in ticket and op.
void gr_done_tell(
    struct gr_node *node, const struct gr_done *done, struct gr_result *result, bool settled);
// A replica acknowledged after the answer.
void gr_done_acked(
    struct gr_node *node, const struct gr_done *done, uint8_t acks, uint8_t durable, bool settled);

// The id that the client gave the request, or a new one.
struct gr_request_id gr_node_request_id(struct gr_node *node, struct gr_request_id given);

// ---- spare.c -------------------------------------------------------------------------------

// A dot of this run in that partition: one that was given back, or the next.
struct gr_dot gr_spare_draw(struct gr_node *node, uint32_t partition);
// The put of that key for which it was drawn certainly did not start anywhere.
void gr_spare_give_back(struct gr_node *node, const struct gr_key *key, const struct gr_dot *dot);
// Those that nobody took for a while are told to the owners as writes of nothing.
void gr_spare_sweep(struct gr_node *node);
void gr_spare_deinit(struct gr_node *node);

// ---- site.c --------------------------------------------------------------------------------

// What R or W comes to for that list; `client`: the node where the request landed.
struct gr_need gr_site_need(
    const struct gr_ring *ring, const struct gr_preference *list, uint8_t asked, uint16_t client);
// As whom a member votes for that position.
enum gr_voter gr_site_voter(const struct gr_node *node, const struct gr_preference *list,
    uint8_t position, uint16_t member);
// Who is at another site, by the ring as it is now.
void gr_site_on_ring(struct gr_node *node);
// Of two peers, the one at this node's site, or if they are alike in that, the faster.
bool gr_site_nearer(const struct gr_node *node, enum gr_ask ask, uint16_t a, uint16_t b);
// How much of the need could be reached by those who are known to be up now: its total, or less.
uint8_t gr_site_up(struct gr_node *node, uint32_t partition, const struct gr_preference *list,
    const struct gr_need *need);
// A walk over those who may stand in for a position; zero: not begun.
struct gr_fallbacks {
    bool begun, away, ended; // away: those at its site were met, now the others are
    uint16_t last;
};
// The next one for the position of that voter, or -1. Only nodes that are up; this one if `self`.
int gr_site_next_fallback(
    struct gr_node *node, uint32_t partition, uint16_t voter, struct gr_fallbacks *walk, bool self);

// ---- put.c, replicate.c --------------------------------------------------------------------

enum gr_put_state { GR_PUT_WAITING, GR_PUT_FORWARDING, GR_PUT_REPLICATING };

// Someone who was sent the write, and the position of the preference list that it may vote for.
struct gr_asked {
    uint16_t member;
    uint16_t via; // who passes it on to it; itself: it was sent it from here
    uint8_t position;
    bool answered;
};
enum { GR_ASKED_MAX = 32 };

// One position of the preference list.
struct gr_seat {
    int asked;                       // index of the one asked last; -1: nobody
    struct gr_instant asked_at;      // when
    bool doubtful;                   // someone who was asked may have stored it, and will not say
    bool late;                       // its voter was not there, refused, or is slow
    struct gr_fallbacks walk;        // over those who may stand in
    bool newcomer, newcomer_durable; // its owner, who does not hold yet, has stored it
    bool closed;                     // nobody is left who could stand in
};

struct gr_put {
    struct gr_call call;
    struct gr_key key;
    struct gr_write write;
    uint32_t partition;
    struct gr_preference list;
    struct gr_need need; // what W comes to
    enum gr_put_state state;
    bool forwarded; // by another node: this one must coordinate or refuse
    bool answered;
    bool elsewhere;    // canary rerun-elsewhere: was run again
    bool forward_open; // REPLICATING as one that stands in: the owner asked may still answer
    uint8_t acks_told, durable_told; // in the answer and after it
    uint16_t tried;  // positions of the preference list that were asked to coordinate
    uint16_t target; // FORWARDING: the member asked
    uint8_t own;     // REPLICATING: the position that this node votes for
    struct gr_instant sent_at;
    struct gr_quorum quorum;
    struct gr_span timeout;
    struct gr_context context; // what the client gets back: what it saw, and the new dot
    uint32_t fixed_again;      // how often the origin's time was behind at the owner
    gr_hybrid time_needed;     // TIME_BEHIND: what the origin's time must exceed
    uint8_t primaries;         // owners that acknowledged, as FORWARDED said,
    uint8_t durable;           // acknowledgements that were durable,
    uint8_t reached;           // and those that count where W is by site
    struct gr_dot dot;         // REPLICATING: of this write,
    struct gr_record delta;    // and what travels; borrows from the arena
    bool released;             // the arena was given back: nobody else can be asked
    struct gr_asked asked[GR_ASKED_MAX];
    int asked_count;
    struct gr_seat seat[GR_REPLICAS_MAX];
};

// The write has its dot and is in this node's store: sends it to the owners, and to nodes that
// stand in for those that cannot be reached. `own`: the position that this node votes for.
void gr_replicate_start(struct gr_node *node, struct gr_put *put, uint8_t own,
    const struct gr_dot *dot, const struct gr_record *delta);
void gr_replicate_on_ack(
    struct gr_node *node, struct gr_put *put, uint16_t peer, const struct gr_message *message);
void gr_replicate_on_link_down(struct gr_node *node, struct gr_put *put, uint16_t peer);
// Asks nodes to stand in for owners that are slow, and sets the timer to when to look again.
void gr_replicate_timer(struct gr_node *node, struct gr_put *put);
// True while someone may still be asked to stand in: key and value are needed.
bool gr_replicate_open(const struct gr_put *put);
// After a vote: answers when the result is certain, frees when nobody is left to hear.
void gr_put_count_votes(struct gr_node *node, struct gr_put *put);

// Coordinates or forwards. Copies key and write. `forwarded`: this node was chosen by another, and
// must be an owner.
void gr_put_start(struct gr_node *node, const struct gr_done *done, const struct gr_key *key,
    const struct gr_write *write, struct gr_span timeout, bool forwarded);
void gr_put_timer(struct gr_node *node, struct gr_call *call);
void gr_put_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer);
void gr_put_on_message(
    struct gr_node *node, struct gr_call *call, uint16_t peer, const struct gr_message *message);
// What a put will write when its key's turn has come.
struct gr_put_intent {
    struct gr_sibling sibling; // without its dot; unused for a delete, but for its origin
    struct gr_context context; // what the client saw
    struct gr_dot dot;         // drawn where the put landed; counter 0: to be drawn
    bool sealed;               // what it replaces gets a dot of its own (U4)
    struct gr_request_id id;
    bool remove;
};
// GR_OK and the intent, given what the store holds; or why nothing is written. May be asked twice.
enum gr_err gr_put_prepare(struct gr_node *node, uint64_t call, const struct gr_record *filled,
    struct gr_put_intent *ret_intent);
// The local write was emitted: send the delta on.
void gr_put_on_written(
    struct gr_node *node, uint64_t call, const struct gr_dot *dot, const struct gr_record *delta);
// The local write is applied, or durable. Told twice if it was not durable at first.
void gr_put_on_stored(struct gr_node *node, uint64_t call, bool durable);
// The local write was not emitted and will not be.
void gr_put_on_failed(struct gr_node *node, uint64_t call, enum gr_err err);

// ---- get.c ---------------------------------------------------------------------------------

struct gr_get_options {
    uint8_t r, pr;
    bool explain; // ask all, answer with what each holds
    struct gr_span timeout;
};
void gr_get_start(struct gr_node *node, const struct gr_done *done, const struct gr_key *key,
    const struct gr_get_options *options);
void gr_get_timer(struct gr_node *node, struct gr_call *call);
void gr_get_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer);
// A replica's answer; `member` may be this node.
void gr_get_on_state(struct gr_node *node, struct gr_call *call, uint16_t member,
    enum gr_err status, const struct gr_record *record);

// ---- hint.c --------------------------------------------------------------------------------

// The bytes that a hint counts for.
size_t gr_hint_bytes(const struct gr_hint *hint);
// Draws a dot, keeps the write for every owner, begins to send it to them (gr_replicate_start, with
// `own`), and tells gr_put_on_stored of the hints. Not GR_OK: nothing was written.
// The put may be gone afterwards.
GR_MUST_USE enum gr_err gr_hint_stand_in(struct gr_node *node, struct gr_put *put, uint8_t own);
// A dot that nobody will use: kept for every owner as a write of nothing. False: not now.
bool gr_hint_void(struct gr_node *node, const struct gr_key *key, const struct gr_dot *dot);
// A peer's DELTA or READ that names whom this node stands in for.
void gr_hint_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message);
// What is owed to the member of that id; made if there is none.
struct gr_debt *gr_hint_debt(struct gr_node *node, uint64_t owner);
// What this node keeps of a key for `owner` goes to the get, as the state of this node. False if it
// cannot be asked.
bool gr_hint_read(
    struct gr_node *node, uint64_t owner, const struct gr_key *key, uint64_t call, bool bare);
// False if the ticket is not of this file.
bool gr_hint_on_done(struct gr_node *node, const struct gr_event *event);
// The ring has changed: what is owed to one who is no owner any more is owed to those who are.
void gr_hint_on_ring(struct gr_node *node);
// A hint of a partition of this node may still be on its way to it.
bool gr_hint_own_pending(const struct gr_node *node);
// A hint that was owed to this node itself is stored, or could not be.
void gr_hint_on_own(struct gr_node *node, uint64_t call, enum gr_err err);
// A link to the peer was made: what it is owed can go.
void gr_hint_on_link(struct gr_node *node, uint16_t peer);
void gr_hint_on_ack(struct gr_node *node, struct gr_call *call, const struct gr_message *message);
// The hint was not acknowledged: it stays.
void gr_hint_failed(struct gr_node *node, struct gr_call *call);
void gr_hint_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer);
void gr_hint_timer(struct gr_node *node, struct gr_timer *timer);
void gr_hint_deinit(struct gr_node *node);

// ---- update.c, scan.c ------------------------------------------------------------------------

void gr_update_start(struct gr_node *node, const struct gr_request *request);
void gr_update_on_result(struct gr_node *node, uint64_t update, const struct gr_result *result);

void gr_scan_start(struct gr_node *node, const struct gr_request *request);
void gr_scan_timer(struct gr_node *node, struct gr_call *call);
void gr_scan_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer);
void gr_scan_on_page(
    struct gr_node *node, struct gr_call *call, uint16_t member, const struct gr_message *page);
void gr_scan_free(struct gr_node *node);
// A peer asks for a page, or for counts.
void gr_scan_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message);
// A page for a walk; the scan is forgotten with gr_scan_drop when the walk closes first.
struct gr_walk;
struct gr_scanop *gr_scan_walk(struct gr_node *node, struct gr_walk *walk, uint32_t limit);
void gr_scan_drop(struct gr_scanop *op);
// The host answers a SCAN of this file; false if the ticket is not of this file.
bool gr_scan_on_done(struct gr_node *node, const struct gr_event *event);
void gr_count_start(struct gr_node *node, const struct gr_request *request);
void gr_count_timer(struct gr_node *node, struct gr_call *call);
void gr_count_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer);
void gr_count_on_counted(
    struct gr_node *node, struct gr_call *call, uint16_t member, const struct gr_message *message);

// ---- latch.c -------------------------------------------------------------------------------

// The key's latch; made if there is none. It is not idle any more.
struct gr_latch *gr_latch_of(struct gr_node *node, const struct gr_key *key);
// If nothing is under way the latch becomes a cache entry, or goes.
void gr_latch_rest(struct gr_node *node, struct gr_latch *latch);
void gr_latch_free(struct gr_node *node, struct gr_latch *latch);
// The header is what is stored now, unless that is too much to remember; copied.
void gr_latch_remember(struct gr_latch *latch, const struct gr_record *stored);
// The header is unknown.
void gr_latch_forget(struct gr_latch *latch);
// Empties the cache of headers: the store failed, and may not hold what was last written.
void gr_latches_forget(struct gr_node *node);

// ---- replica.c -----------------------------------------------------------------------------

// A new keyop with a copy of the key, or NULL if there is no room for `bytes` more (BUSY).
struct gr_keyop *gr_keyop_new(
    struct gr_node *node, enum gr_keyop_kind kind, const struct gr_key *key, size_t bytes);
// Takes the keyop over. GR_ERR_BUSY: the key's queue is full, the keyop is freed, nobody is told.
GR_MUST_USE enum gr_err gr_replica_submit(struct gr_node *node, struct gr_keyop *op);
void gr_replica_on_read(struct gr_node *node, const struct gr_event *event);
// The leaf of the key of a writer that waits was summed (witness.c).
void gr_replica_on_witness(struct gr_node *node, uint64_t ticket, bool sound);
void gr_replica_on_applied(struct gr_node *node, uint64_t number); // durability.c
void gr_replica_on_synced(struct gr_node *node, uint64_t number);
// A peer's DELTA, READ or REPAIR.
void gr_replica_on_message(struct gr_node *node, uint16_t peer, const struct gr_message *message);
void gr_replica_deinit(struct gr_node *node);
// What the partition's row says of this run's last dot: 0 if its clock does not know that (any
// more).
uint64_t gr_replica_counter(const struct gr_node *node, const struct gr_partition *p);
// One that was not submitted goes.
void gr_keyop_free(struct gr_node *node, struct gr_keyop *op);
// `op` has emitted its last write: it is acknowledged when that is durable, or sooner
// (durability.c), and ends then.
void gr_keyop_wait(struct gr_node *node, struct gr_keyop *op);
// Tells whoever waits how it ended, and frees it.
void gr_keyop_end(struct gr_node *node, struct gr_keyop *op, enum gr_err err);

// True if a DELTA or REPAIR may be taken: its record is sound, and covers its dot.
bool gr_replica_is_sound(const struct gr_message *message);

// ---- durability.c --------------------------------------------------------------------------

// Whether the op is acknowledged only once its write is durable.
bool gr_keyop_waits_for_sync(const struct gr_node *node, const struct gr_keyop *op);
// Whether its write is not to wait for the interval.
bool gr_keyop_waits(const struct gr_keyop *op); // for the store, once it has written
bool gr_keyop_wants_sync(const struct gr_node *node, const struct gr_keyop *op);
void gr_keyop_tell_ack(
    struct gr_node *node, const struct gr_keyop *op, enum gr_err status, bool durable);
// Takes the op over, whose write is applied in a mode that is not COMMIT, until it is durable. It
// is told now unless it waits for that; what is remembered of it then is small: whom to tell again.
void gr_keyop_applied(struct gr_node *node, struct gr_keyop *op);

// ---- sweep.c -------------------------------------------------------------------------------

void gr_sweep_init(struct gr_node *node);
void gr_sweep_timer(struct gr_node *node);
// What was written to the partition keeps a context.
void gr_sweep_await(struct gr_partition *partition, const struct gr_context *left);
// Left-over contexts of the partition may go, all at once.
void gr_sweep_soon(struct gr_node *node, struct gr_partition *partition);
// Left-over contexts of the partition are being looked through, or will be soon.
bool gr_sweep_strips(const struct gr_node *node, uint32_t partition);
// The base of that actor's dots may have moved.
void gr_sweep_moved(struct gr_partition *partition, struct gr_actor actor);
// False if the ticket is not of this file.
bool gr_sweep_on_done(struct gr_node *node, const struct gr_event *event);
// One of its keyops ended; `stuck`: its index row stays.
void gr_sweep_on_keyop(struct gr_node *node, bool stuck);

#endif
