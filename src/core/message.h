// What nodes say to each other. wire/frame turns these into bytes and back.
#ifndef GR_CORE_MESSAGE_H
#define GR_CORE_MESSAGE_H

#include "core/merkle.h"
#include "core/request.h"

enum gr_message_type {
    GR_MSG_FORWARD = 1, // coordinate this put: key, write
    GR_MSG_FORWARDED,   // its outcome: status, outcome, acks, reached, primaries, durable_acks,
                        // settled, record.context, hybrid_needed
    GR_MSG_DELTA,       // store this write: key, record (the new sibling, context), dot, owed_to,
                        // durable (sync before you acknowledge, whatever the mode), relay list,
                        // asked_by
    GR_MSG_ACK,         // it was stored: status, durable. One that is not durable yet is followed
                        // by another that is
    GR_MSG_READ,        // what do you hold: key, bare, owed_to
    GR_MSG_STATE,       // this: status, record (filled)
    GR_MSG_REPAIR,      // you were behind: key, record (filled, with values); not answered. Of a
                        // witness the id is 0 (witness.c, W4)
    GR_MSG_SCAN,        // one page of a partition: partition, cursor, limit
    GR_MSG_PAGE,        // it: status, context (the clock's fill), entry[], cursor (its end)
    GR_MSG_COUNT,       // how many keys have these partitions: partition list
    GR_MSG_COUNTED,     // status, count
    GR_MSG_ACKED,       // after FORWARDED: acks and durable_acks so far, settled. Never taken for
                        // the outcome, which it may overtake
    // Anti-entropy (§4.7): see core/round.c, core/exchange.c and core/serve.c. `id` is the round's
    // or the exchange's.
    GR_MSG_PROBE,  // are our clocks equal: hash, over the partitions that both own
    GR_MSG_PROBED, // partition list, hash_list: none if they are, else each such partition
    GR_MSG_COVER,  // has your clock seen all of mine: partition list, clock list; `durable`: and do
                   // you hold it, for good (core/leave.c)
    GR_MSG_COVERED, // partition list: of these it has not
    GR_MSG_BEGIN,   // let us exchange: partition, doubtful, lacking
    GR_MSG_BEGUN,   // status, doubtful, lacking, clock list (one), sum list (branches)
    GR_MSG_BRANCH,  // show leaves: branches
    GR_MSG_LEAVES,  // status, sum list: the leaves of those branches, in order
    GR_MSG_WALK,    // one page of some leaves: cursor, cursor_end, limit; answered with PAGE
    GR_MSG_OFFER,   // this I hold: index, witnessed, key, record (filled, with values)
    GR_MSG_TAKEN,   // status, index, witnessed, record (filled; bare are the siblings that the
                    // offer brought)
    GR_MSG_JOIN,    // you have all that I had seen: partition, clock list (one). Answered with
                    // JOINED, or with PAGE: keys to be offered before it is said again
    GR_MSG_JOINED,  // status
    GR_MSG_WITNESS, // key, member: that one shows what you say is gone. Look again, and
                    // if it is, REPAIR that member; not answered
    GR_MSG_TYPE_COUNT
};

// What not every version of frames can say (wire/frame.h); a bit each. A link speaks the highest
// version that both sides know, and the node is told with it what of this cannot be said there.
enum gr_says {
    GR_SAYS_RELAY = 1, // a DELTA that is to be passed on, or that was
    GR_SAYS_SITES = 2, // a FORWARD with W by site
    GR_SAYS_HOLDS = 4, // a COVER that asks besides whether the receiver holds, for good
};

// A put as its landing node fixed it: what must not change whoever coordinates.
struct gr_write {
    struct gr_dot dot;       // drawn where the put landed; counter 0: its coordinator draws one
    struct gr_request_id id; // of this request; the origin's, unless this is a touch
    struct gr_origin origin;
    gr_hybrid touch; // not 0: an EXPIRE or PERSIST of the value of `origin`
    struct gr_wall expires;
    bool remove; // a delete: no value
    bool plain;  // replaces whatever the coordinator holds; `context` is unused
    struct gr_bytes value;
    struct gr_context context; // what the client saw
    uint8_t w, pw, dw; // w as in struct gr_request: `local` is the site of the node that forwards
};

// One key of a page: the record as stored (not filled), without values.
struct gr_entry {
    struct gr_key key;
    struct gr_record record;
    struct gr_wall due; // only of an expiry index: the minute that the row stands under
    bool unreadable;    // only from a store: there is a row, and it is not what was written
};

// Borrowed for the duration of the step or emission that it travels in. Only the fields named at
// its type are used.
struct gr_message {
    enum gr_message_type type;
    uint64_t id;          // of the asking call; an answer echoes it
    uint64_t run;         // the sender's config.run: with `sequence`, taken at most once
    uint64_t to;          // the receiver's config.run, as the link said: a frame for another run of
                          // it is dropped
    uint64_t sequence;    // 1, 2, 3 ... per sender's run and receiver
    gr_hybrid hybrid;     // the sender's hybrid time
    uint32_t deadline_ms; // how long the asker still waits

    enum gr_err status;
    enum gr_outcome outcome;
    uint8_t acks;
    uint8_t reached;      // of W by site, as in struct gr_result
    uint8_t primaries;    // of them, by owners
    uint8_t durable_acks; // of them, those whose disk has it
    bool durable;
    bool settled; // no ACKED will follow
    bool bare;
    struct gr_key key;
    struct gr_write write;
    struct gr_record record;
    struct gr_dot dot;
    uint64_t owed_to; // 0: the receiver is asked as an owner; else as one that stands in for the
                      // member of that id, and keeps a hint for it (§4.6)
    uint64_t member;  // an id
    // Of members that the receiver, who is at their site, is to pass the write on to; and the one
    // whose call it is and who is told, 0: the sender. Never both, nor with owed_to.
    const uint64_t *relay_list;
    uint32_t relay_count;
    uint64_t asked_by;
    struct gr_context context;
    gr_hybrid hybrid_needed;
    uint32_t partition;
    bool doubtful; // something of it was lost once, here or where it came from (state.c)
    bool lacking;  // some of that others have yet to give (gr_damage_lacks)
    gr_cursor cursor;
    uint32_t limit;
    const struct gr_entry *entry;
    uint32_t entry_count;
    const uint16_t *partition_list;
    uint32_t partition_count;
    int64_t count;
    uint64_t hash;
    const uint64_t *hash_list;
    uint32_t hash_count;
    const struct gr_clock *clock_list; // never changed, never freed: rows are borrowed too
    uint32_t clock_count;
    const struct gr_sum *sum_list;
    uint32_t sum_count;
    uint32_t branches; // bit i: branch i
    gr_cursor cursor_end;
    uint32_t index;
    bool witnessed; // the sender has summed the key's leaf after it read the key (core/witness.c)
};

// Which of those this message says: bits of enum gr_says. Without them it would mean another thing.
uint8_t gr_message_says(const struct gr_message *m);

#endif
