// Canaries: each is a rule of core that can be left out, so that it can be shown that somebody
// would notice (docs/ARCHITECTURE.md, "The simulator").
#ifndef GR_CORE_CANARY_H
#define GR_CORE_CANARY_H

// One rule left out, for the simulator to notice. A release is always GR_CANARY_NONE.
#define GR_CANARIES(X)                                                                             \
    X(NONE, "none", "no rule is left out")                                                         \
    X(FILL_NOW, "fill-now", "a read is filled although the key changed under way")                 \
    X(NO_LATCH, "no-latch", "two writes of one key work from the same read")                       \
    X(EARLY_DOT, "early-dot", "the clock learns a dot before its record is written")               \
    X(SAME_ACTOR, "same-actor", "a crashed node goes on with its old actor and reissues dots")     \
    X(BARE_DELETE, "bare-delete", "a delete leaves nothing although its past has a gap")           \
    X(NO_FILL, "no-fill", "a replica answers without its clock's base")                            \
    X(ACK_BEFORE_SYNC, "ack-before-sync", "a replica acknowledges before its disk has it")         \
    X(RERUN_ELSEWHERE, "rerun-elsewhere", "an unanswered put is run again at another owner")       \
    X(FILLED_DELTA, "filled-delta", "a put travels with the coordinator's fill")                   \
    X(EARLY_OK, "early-ok", "a put is called done one acknowledgement before W")                   \
    X(ONE_READ, "one-read", "a get answers after one replica whatever R says")                     \
    X(REPAIR_BARE, "repair-bare", "read repair ships an absence")                                  \
    X(REJECT_LATE, "reject-late", "a write that was sent is called rejected")                      \
    X(OLD_CACHE, "old-cache", "the version header cache is not changed by a write")                \
    X(NO_DEDUPE, "no-dedupe", "a frame that comes twice is taken twice")                           \
    X(HINT_EARLY, "hint-deleted-early", "a hint goes when it is sent, not when its owner has it")  \
    X(HINT_FOLD, "fold", "a fallback folds its own dots into a range")                             \
    X(HINT_SILENT, "hint-silent", "a fallback without a hint for the key counts toward R")         \
    X(ANY_RUN, "any-run", "a frame that was meant for an earlier run is taken")                    \
    X(ABSENT_ON_ERROR, "absent-on-error", "a record that cannot be read is called absent")         \
    X(EARLY_JOIN, "early-join", "clocks are joined before the states are sent")                    \
    X(JOIN_ACROSS_RESTART, "join-across-restart", "an exchange goes on with a peer that crashed")  \
    X(LATE_COPY, "late-copy", "the clock that is joined is copied when the exchange ends")         \
    X(LATE_UNOFFERED, "late-unoffered", "what came late is not offered before clocks are joined")  \
    X(LATE_COMPARE, "late-compare", "states are compared as they are, not as when copied")         \
    X(UNWITNESSED, "unwitnessed",                                                                  \
        "a repair takes away on the word of a replica that has not looked")                        \
    X(UNSEALED, "unsealed", "what a forwarded put replaces has no dot of its own")                 \
    X(LEAF_WITHOUT_CONTEXT, "leaf-without-context", "leaf hashes leave out left-over context")     \
    X(SUM_IGNORED, "sum-ignored", "a store that is not what was written is believed")              \
    X(DOUBT_IGNORED, "doubt-ignored", "what was lost once makes others damaged later")             \
    X(LOSS_BELIEVED, "loss-believed", "an absence is believed from one that has seen no more")     \
    X(DAMAGE_CLOCK_KEPT, "damage-clock-kept", "a partition that lost a record keeps its clock")    \
    X(DAMAGE_ONE_PEER, "damage-one-peer", "one peer's state makes a damaged partition whole")      \
    X(DAMAGE_LACKING, "damage-lacking", "who lacks what others have counts as having given all")   \
    X(DAMAGE_ONCE, "damage-once", "a partition that owes is not checked again")                    \
    X(DAMAGE_VOTES, "damage-votes", "a damaged partition votes in gets")                           \
    X(PASS_SKIPPED, "pass-skipped", "a partition is exchanged before its first pass")              \
    X(CLOCK_SALVAGED, "clock-salvaged",                                                            \
        "a salvaged store keeps the clock of records that it lost")                                \
    X(EARLY_DURABLE, "early-durable", "an acknowledgement before the sync says durable")           \
    X(NOBODY_SYNCS, "nobody-syncs", "no replica syncs first although the mode is buffered")        \
    X(LATE_REQUEST, "late-request", "a request is begun however long it has waited")               \
    X(BACKGROUND_FREE, "background-free", "background work does not ask the throttle")             \
    X(RELAY_ACKS_FOR_ALL, "relay-acks-for-all",                                                    \
        "who passes a write on acknowledges for those it passes it on to")                         \
    X(RELAY_NOT_BYPASSED, "relay-not-bypassed",                                                    \
        "who was passed a write on and is silent is not asked again")                              \
    X(HEDGE_UNBOUNDED, "hedge-unbounded", "whoever is late is asked otherwise, however many are")  \
    X(UNKEPT, "unkept", "an owner that nobody is left to stand in for is forgotten")               \
    X(UNSPOKEN, "unspoken", "a peer is told what the version of its link cannot say")              \
    X(AWAY_COUNTS, "away-counts",                                                                  \
        "one who stands in at another site counts toward a quorum of the site")                    \
    X(SERVE_EARLY, "serve-early", "an owner shows a partition before it holds it")                 \
    X(WRITE_NEW_ONLY, "write-new-only",                                                            \
        "who holds a partition until its owner does gets no writes")                               \
    X(ANY_SOURCE, "any-source", "an owner holds after an exchange with whomever")                  \
    X(TWO_SOURCES, "two-sources", "a transfer goes on with another source")                        \
    X(FOUND_GIVEN, "found-given", "what others were given is taken for what was nobody's")         \
    X(DROP_UNCOVERED, "drop-uncovered", "a former holder drops what nobody else may have")         \
    X(COUNTER_FORGOTTEN, "counter-forgotten", "with a partition goes its counter of dots")         \
    X(HINT_ASTRAY, "hint-astray",                                                                  \
        "a hint for one who is no owner any more is delivered to nobody")                          \
    X(UNCOMPARED, "uncompared", "two members who know different things do not find out what")      \
    X(UNREFUTED, "unrefuted", "a member that is called down does not say that it is alive")        \
    X(DOWN_UNCALLED, "down-uncalled", "nobody ever calls a member that is down")                   \
    X(FORGET_A_BAN, "forget-a-ban", "who is restarted forgets which stores were removed")

enum gr_canary {
#define X(symbol, name, text) GR_CANARY_##symbol,
    GR_CANARIES(X)
#undef X
        GR_CANARY_COUNT
};

const char *gr_canary_name(enum gr_canary canary);
const char *gr_canary_text(enum gr_canary canary);

#endif
