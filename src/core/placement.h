// Placement: which node should hold what (§6.2, strategy 3).
//
// A plan is made once, by one node, from the ring before it and the members as they are to be; what
// comes out is data that all nodes take as it is. What it holds to, the first before the second:
//
//   1  N distinct nodes for each partition.
//   2  No two of them on one host, while there are hosts enough.
//   3  As many sites as there are, then as many racks within each, then as many hosts: no place has
//      two replicas more of a partition than the place beside it, but for want of hosts there.
//   4  To each node its share by weight, but for one partition, of what 1 to 3 leave to its site,
//      rack and host.
//   5  The fewest moves from the ring before.
//   6  To each node its share of first places, by weight.
#ifndef GR_CORE_PLACEMENT_H
#define GR_CORE_PLACEMENT_H

#include "base/error.h"
#include "core/ring.h"

enum { GR_PLACE_WEIGHT_MAX = 1000 };

// Where a member stands, and how much it should hold beside the others. Sites, racks and hosts are
// any numbers; a rack is one of its site and a host one of its rack.
struct gr_place {
    uint16_t site, rack, host;
    uint16_t weight; // up to GR_PLACE_WEIGHT_MAX; 0: it is to hold nothing
};

// What a plan costs and what it cannot keep.
struct gr_placement {
    uint32_t moves;    // places of preference lists whose node did not own the partition before
    uint32_t ideal;    // the fewest that could be: what nodes are to have more than before
    uint8_t hosts_max; // distinct hosts that each partition can have, up to N
};

// Fills ret_owner (partitions * n) with preference lists over the members 0 to count - 1. `before`
// is the ring before, of as many partitions, whose members have the same numbers; NULL: there is
// none. Its n may be another. GR_ERR_INVALID: fewer than n members have a weight; nothing was
// written.
GR_MUST_USE enum gr_err gr_placement_plan(uint32_t partitions, uint8_t n,
    const struct gr_place *place, uint16_t count, const struct gr_ring *before, uint16_t *ret_owner,
    struct gr_placement *ret_placement);

#endif
