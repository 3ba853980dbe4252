// What the two chapters of a get share: its state, and who is asked next (ask.c). Private to core.
#ifndef GR_CORE_GET_H
#define GR_CORE_GET_H

#include "core/inside.h"

enum gr_get_state { GR_GET_UNASKED, GR_GET_ASKED, GR_GET_ANSWERED, GR_GET_FAILED };

enum { GR_GET_SUBSTITUTES_MAX = 32 };

struct gr_get_substitute {
    uint16_t member;
    uint8_t position;
    bool open;  // it has not answered
    bool spoke; // it had hints: it votes once, and R answers are those of R nodes
    struct gr_instant asked_at;
};

struct gr_get {
    struct gr_call call;
    struct gr_key key;
    uint32_t partition;
    struct gr_preference list;
    struct gr_need need; // what R comes to
    struct gr_get_options options;
    bool starting; // explain: not all were asked yet
    bool answered;
    bool asked_values; // one replica was asked for the data
    uint8_t fetching;  // positions that are asked for missing values, a bit each
    uint8_t state[GR_REPLICAS_MAX];
    uint8_t failed_fetch[GR_REPLICAS_MAX];
    enum gr_err error[GR_REPLICAS_MAX];
    struct gr_instant asked_at[GR_REPLICAS_MAX];
    struct gr_record record[GR_REPLICAS_MAX];
    struct gr_record merged;
    // Those who stand in. A member is asked for one position at a time: its answer does not say
    // for which.
    struct gr_get_substitute substitute[GR_GET_SUBSTITUTES_MAX];
    int substitute_count;
    struct gr_fallbacks walk[GR_REPLICAS_MAX]; // over the healthy others
    uint8_t stood_in, near;                  // positions that such a node answered for, a bit each;
                                             // of them, those where it is at the position's site
    struct gr_record hints[GR_REPLICAS_MAX]; // what it said
};

// Positions in that state.
uint8_t gr_get_count(const struct gr_get *get, uint8_t state);
// Positions that were answered for, by their voters or by those who stand in.
uint8_t gr_get_answers(const struct gr_get *get);
// Those that count toward R now, a bit each; and once everyone who was asked has answered.
uint8_t gr_get_counted(const struct gr_get *get);
uint8_t gr_get_may_count(const struct gr_get *get);
// How many may still be answered for.
uint8_t gr_get_outstanding(const struct gr_get *get);
// Sends the question; false if it certainly did not leave. May answer at once: the caller must not
// touch the get after a local question unless it finds it again.
bool gr_get_ask(struct gr_node *node, struct gr_get *get, uint8_t position, bool bare);
// Asks one more; false if nobody is left. Likewise.
bool gr_get_ask_next(struct gr_node *node, struct gr_get *get);
// Asks one who may stand in for an owner that does not answer; false if there is none.
bool gr_get_ask_substitute(struct gr_node *node, struct gr_get *get);
// That one, if it was asked and has not answered, or NULL.
struct gr_get_substitute *gr_get_substitute(struct gr_get *get, uint16_t member);
// When the voter of the position is late.
struct gr_instant gr_get_hedge_at(
    const struct gr_node *node, const struct gr_get *get, uint8_t position);
// Somebody who was asked is due for a hedge.
bool gr_get_late(const struct gr_node *node, const struct gr_get *get);
// When the first of those asked is due for a hedge, or the deadline.
void gr_get_set_timer(struct gr_node *node, struct gr_get *get);

#endif
