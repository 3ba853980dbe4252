// Named probes on rare branches: a simulator that never reaches one is not testing that branch.
//
// A probe is a number in this table and a counter that the host supplies; a release pays one
// increment. Add a line to the table, then write gr_probe(probes, GR_PROBE_NAME) on the branch.
#ifndef GR_BASE_PROBE_H
#define GR_BASE_PROBE_H

#include "base/base.h"

#define GR_PROBES(X)                                                                               \
    X(PUT_FORWARDED, "a put was forwarded to an owner")                                            \
    X(PUT_NEXT_OWNER, "a forwarded put certainly did not start and went to the next owner")        \
    X(PUT_TIME_BEHIND, "an origin time was not above what it replaces and was fixed again")        \
    X(PUT_INDETERMINATE, "a put ended with some acknowledgements, but fewer than W")               \
    X(PUT_REJECTED, "a put was rejected before its first write or send")                           \
    X(PUT_LATE_ACK, "an acknowledgement came after the reply")                                     \
    X(PUT_SIBLING, "a put left siblings")                                                          \
    X(PUT_CACHED, "a put needed no read because the version header was cached")                    \
    X(GET_HEDGED, "a get asked one more replica because one was slow")                             \
    X(GET_COMPLETED, "a get fetched values that the first round did not bring")                    \
    X(GET_REPAIRED, "a get repaired a replica that was behind")                                    \
    X(GET_READ_AGAIN, "a key changed while its read was under way")                                \
    X(GET_SIBLINGS, "a get answered with siblings")                                                \
    X(GET_FAILED, "a get ended with fewer than R answers")                                         \
    X(LATCH_WAITED, "a request waited for another of the same key")                                \
    X(LATCH_FULL, "a key's queue was full")                                                        \
    X(RECORD_MARKER, "a deleted key stayed as a marker because its past has a gap")                \
    X(RECORD_GONE, "a deleted key left nothing")                                                   \
    X(RECORD_EXPIRED, "a due sibling was dropped from the store")                                  \
    X(RECORD_RESTRIPPED, "left-over context was stripped when the base moved")                     \
    X(CLOCK_GAP, "a clock row had a gap")                                                          \
    X(SCAN_MERGED, "a scan page was merged from several holders")                                  \
    X(READ_DAMAGED, "a record could not be read")                                                  \
    X(DAMAGE_HEALED, "a damaged partition was whole again")                                        \
    X(WALK_NOTED, "a write came while a page of a pass was read, and was not in it")               \
    X(WALK_SHOWN, "a write came while a page of a pass was read, and was in it")                   \
    X(DAMAGE_FOUND, "a store was not what was written")                                            \
    X(WITNESS, "a replica looked again at what it says is gone, before others lose it")            \
    X(HEARSAY, "a state that nobody witnessed would have taken what came meanwhile")               \
    X(PROBE_EQUAL, "a peer's clocks were equal")                                                   \
    X(COVER_ALL, "a peer's clock caught up by itself")                                             \
    X(EXCHANGE_EQUAL, "an exchange found equal trees")                                             \
    X(EXCHANGE_LATE, "a value came late, which the peer of an exchange had seen")                  \
    X(EXCHANGE_JOINED, "an exchange ended with joined clocks")                                     \
    X(EXCHANGE_ABANDONED, "an exchange was abandoned")                                             \
    X(EXCHANGE_WRITTEN, "a key was written while its exchange was under way")                      \
    X(EXCHANGE_REFUSED, "an exchange was refused")                                                 \
    X(EXCHANGE_DISPUTED, "an absence was not taken from one that has seen no more")                \
    X(EXCHANGE_LOST, "a peer showed what this replica must have lost")                             \
    X(DOT_SPARE, "a dot was drawn for a put that did not start, and given back")                   \
    X(PUT_STOOD_IN, "a node that is no owner coordinated a put")                                   \
    X(PUT_RUN_TWICE, "a forwarded put was not answered in time and was written as a hint too")     \
    X(PUT_SUBSTITUTE, "a put asked a node to stand in for an owner")                               \
    X(PUT_KEPT_TOO, "one who stands in was asked to keep a hint for another owner too")            \
    X(PUT_OWNER_AFTER_ALL, "an owner acknowledged after a node had stood in for it")               \
    X(PUT_RELAYED, "a put sent one copy to another site, to be passed on there")                   \
    X(PUT_RELAY_BYPASSED, "who was to be passed a write on was sent it after all")                 \
    X(RELAY_PASSED, "a replica passed a write on to another one of its site")                      \
    X(PUT_NOT_RELAYED, "another site got more than one copy, because the link cannot ask for one") \
    X(RING_ADOPTED, "a node adopted a new ring")                                                   \
    X(RING_OF_OTHER_N, "a node adopted a ring of another N")                                       \
    X(TRANSFER_HELD, "an owner came to hold a partition")                                          \
    X(LEAVE_UNCOVERED, "a former holder had what an owner lacked, and gave it")                    \
    X(LEAVE_UNSPOKEN, "a former holder kept a partition, because it cannot ask an owner of it")    \
    X(PARTITION_DROPPED, "a former holder let a partition go")                                     \
    X(PUT_NEWCOMER, "a put counted an owner that does not hold yet")                               \
    X(HINT_REROUTED, "a hint was owed to one who is no owner any more, and is owed to all owners") \
    X(HINT_OWN, "a node applied a hint that it kept of a partition of its own")                    \
    X(GET_SUBSTITUTE, "a get was answered by a node that keeps hints for the key")                 \
    X(HINT_DELIVERED, "a hint was delivered")                                                      \
    X(HINT_FAILED, "a hint could not be delivered and was kept")                                   \
    X(HINT_FULL, "a node would not stand in because it keeps too many hints")                      \
    X(PEER_OTHER_RUN, "a frame was meant for an earlier run and was dropped")                      \
    X(ACK_DURABLE_LATER,                                                                           \
        "an acknowledgement did not wait for the disk, and a durable one followed")                \
    X(PEER_TIME_AHEAD, "a peer's hybrid time was too far ahead and was not adopted")               \
    X(REQUEST_LATE, "a request had waited too long and was refused at once")                       \
    X(MESSAGE_LATE, "a peer's question came after its deadline and was dropped")                   \
    X(BACKGROUND_WAITED, "a slice of background work waited for its turn")

enum gr_probe {
#define X(name, text) GR_PROBE_##name,
    GR_PROBES(X)
#undef X
        GR_PROBE_COUNT
};

struct gr_probes {
    uint64_t reached[GR_PROBE_COUNT];
};

// The phrase of a probe.
const char *gr_probe_text(enum gr_probe probe);

static inline void gr_probe(struct gr_probes *probes, enum gr_probe probe)
{
    probes->reached[probe]++;
}

#endif
