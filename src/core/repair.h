// Self-repair as people see it, and as they ask for it (§4.7).
//
// The node keeps, for each partition and each other owner, what comparing them showed last; from
// that and from the pace of the last minute come progress and estimate. Everything here is of this
// run of the node: a new run begins knowing nothing of its peers.
#ifndef GR_CORE_REPAIR_H
#define GR_CORE_REPAIR_H

#include "base/error.h"
#include "core/merkle.h"
#include "core/pace.h"

struct gr_node;

// Whether one of two replicas has what the other had, as that was looked at last.
enum gr_repair_state {
    GR_REPAIR_UNKNOWN, // not compared in this run
    GR_REPAIR_BEHIND,  // it had not
    GR_REPAIR_WHOLE,   // it had
};
// "unknown", "behind", "whole".
const char *gr_repair_state_name(enum gr_repair_state state);

// ---- asking ----------------------------------------------------------------------------------

enum gr_repair_verb {
    GR_REPAIR_RUN,   // exchanges with all other owners, whatever the clocks say
    GR_REPAIR_SCRUB, // reads the partition again first
};
enum { GR_REPAIR_ALL = UINT32_MAX }; // as a partition: all that this node owns

// What GR_EVENT_REPAIR asks for. It is refused without a word if gr_repair_refusal says so.
struct gr_repair_ask {
    enum gr_repair_verb verb;
    uint32_t partition;
};
// GR_OK; GR_ERR_NOT_FOUND: there is no such partition; GR_ERR_NOT_OWNER: it is not held here;
// GR_ERR_INVALID: the node has no anti-entropy; or why the store takes no writes.
GR_MUST_USE enum gr_err gr_repair_refusal(const struct gr_node *node, uint32_t partition);

// ---- looking: `now` is the host's clock, not before the last step's ---------------------------

enum { GR_REPAIR_KEYS_IN, GR_REPAIR_KEYS_OUT, GR_REPAIR_BYTES_IN, GR_REPAIR_BYTES_OUT };

// What was asked for since the node had nothing of the kind to do.
struct gr_repair_job {
    uint64_t number;                 // of asks in this run
    uint32_t rounds, joined, failed; // exchanges that were asked for, and how they ended
    uint32_t reads, read;            // partitions to be read again, and those that were
    uint32_t found;                  // partitions found to be not what was written
    uint64_t keys;                   // given and taken, by whatever exchange
    struct gr_span took;             // since it was asked for; until it was done
    bool busy;                       // it is not done yet
};

// An exchange that is under way, begun here or by the peer.
struct gr_repair_exchange {
    uint16_t peer;
    uint32_t partition;
    bool begun_here;
    const char *step;    // "begins", "compares", "walks", "gives", "joins"; "serves" there
    uint32_t keys, done; // begun here: that differ in the leaves under way, and are done
};
enum { GR_REPAIR_EXCHANGES_MAX = 16 };

struct gr_repair_view {
    uint64_t run;      // of the store: in another one everything else here began anew
    enum gr_err store; // GR_OK, or why it takes no writes
    // Partitions owned here. Each is whole, behind or unknown; `read` were read in this run. Whole:
    // read, not damaged, and with all that every other owner had. Behind: damaged, or some owner
    // has what is not here.
    uint32_t partitions, read, whole, behind, unknown, damaged;
    uint32_t reading;             // the partition that is being read, or GR_REPAIR_ALL
    struct gr_span behind_for;    // since when some are behind; 0: none are
    uint64_t total[4], minute[4]; // by GR_REPAIR_KEYS_IN and so on
    uint64_t keys_per_second;     // taken, while some are behind
    int64_t left_s;               // until none is behind, or GR_PACE_UNKNOWN
    struct gr_repair_job job;
    uint32_t exchange_count;
    struct gr_repair_exchange exchange[GR_REPAIR_EXCHANGES_MAX];
};
void gr_repair_look(const struct gr_node *node, struct gr_instant now, struct gr_repair_view *ret);
// How many in a hundred partitions are whole, rounded down: 100 only if all are.
uint32_t gr_repair_percent(const struct gr_repair_view *view);

// Another member, over all partitions that both own.
struct gr_repair_peer {
    uint32_t shared;
    uint32_t whole;        // both have what the other had
    uint32_t behind;       // this node lacks something of the peer's
    uint32_t there;        // the peer lacks something of this node's
    uint32_t unknown;      // not compared, one way or the other, and nothing known to be lacking
    struct gr_span oldest; // how long ago the least recently compared of `whole` was
    uint32_t failed;       // rounds that were asked for and failed
    enum gr_err why;       // one of them
};
void gr_repair_look_peer(
    const struct gr_node *node, uint16_t member, struct gr_instant now, struct gr_repair_peer *ret);

// What was wrong with a partition, if anything was in this run or before it.
struct gr_repair_damage {
    const char *how;   // what was found last in this run; NULL: nothing
    struct gr_wall at; // when
    bool of_job;       // since the job was asked for
    bool damaged;      // it is not whole again
    bool before;       // damaged since an earlier run
    uint64_t owed;     // damaged: writes that it had seen and has not seen again
    uint8_t given;     // damaged: owners, by position, that have given since, in this run
};
struct gr_repair_pair {
    uint16_t peer;
    enum gr_repair_state here, there;
    struct gr_span here_age, there_age; // since it was found whole, or first found behind
    bool tried;                         // by an exchange that began here
    struct gr_span tried_age;
    enum gr_err err; // how it ended
    bool waits;      // an exchange was asked for and is not done
};
struct gr_repair_partition {
    enum gr_repair_state state;
    bool read, waits; // in this run; to be read again
    int64_t count;
    struct gr_sum sum;
    uint64_t clock_hash; // equal on replicas whose clocks are
    uint32_t clock_rows;
    struct gr_repair_damage damage;
    uint32_t pair_count; // the other owners, in order of the preference list
    struct gr_repair_pair pair[GR_REPLICAS_MAX];
};
// The partition is held here.
void gr_repair_look_partition(const struct gr_node *node, uint32_t partition, struct gr_instant now,
    struct gr_repair_partition *ret);
// For lists: what is or was wrong with it.
struct gr_repair_damage gr_repair_look_damage(const struct gr_node *node, uint32_t partition);

#endif
