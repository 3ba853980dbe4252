// Facts: what all members of a cluster come to know, and how two of them find out what the other
// does not know yet (§4.8.1).
//
// A fact is a value under a kind and a key, with a version; the highest version wins, wherever it
// was heard first and in whatever order. Who may write one, and what its bytes mean, is the
// business of its kind. There is no taking back: what is over is said by a later version.
//
// A kind that this program does not know is one of a later program: its facts are kept and passed
// on like all others, in the file too, and mean nothing here. Otherwise what is set at a node that
// was upgraded would come to none behind one that was not, or be gone with the first downgrade; and
// two that know different kinds would find, each time that they compare, that they differ.
#ifndef GR_CORE_FACTS_H
#define GR_CORE_FACTS_H

#include "base/base.h"
#include "base/map.h"

enum gr_fact_kind {
    GR_FACT_MEMBER = 1, // key: the member. What it is: names, addresses, weight
    GR_FACT_STATUS,     // key: the member. Version: its incarnation, and how it does (detector.h)
    GR_FACT_HOLDS,      // key: the member. Which partitions its store holds completely
    GR_FACT_BAN,        // key: a store that was removed, and is refused for ever
    GR_FACT_RING,       // key 0. Who owns what
    GR_FACT_SETTING,    // key: which. What the whole cluster agrees on
    GR_FACT_STAGED,     // key 0. What is to become of the members, until it is committed
    GR_FACT_LOST,       // key: hash of a layout. That another one took its place
    GR_FACT_KINDS       // those from here on are of later programs
};
enum { GR_FACT_KIND_MAX = 255 };

enum {
    GR_FACTS_MAX = 8192, // of one cluster; more are refused
    GR_FACT_BYTES_MAX = 256 << 10,
    GR_FACT_BUCKETS = 64, // the parts of what is known that two compare
};

// A value without its bytes is a head: enough to tell which of two is later.
#define GR_FACT_VERSION_MAX ((uint64_t)INT64_MAX)
struct gr_fact {
    enum gr_fact_kind kind;
    uint64_t key;
    uint64_t version; // from 1 to GR_FACT_VERSION_MAX
    uint64_t hash;    // of the value
    struct gr_bytes value;
};

// One that is known. Owned by its struct gr_facts, until a later version takes its place.
// There may be a few thousand, so it is kept small: the hash is made when it is wanted.
struct gr_known {
    struct gr_map_link link;
    struct gr_known *next_of_kind, *next_fresh;
    uint64_t key, version;
    uint8_t *value;
    uint32_t size; // of the value
    uint8_t kind;
    bool is_fresh;
};

// First and last of some that hang together.
struct gr_known_list {
    struct gr_known *first, *last;
};

struct gr_facts {
    struct gr_map map;
    struct gr_known_list kind[GR_FACT_KINDS + 1]; // in the order in which they were first heard of;
                                                  // the last one is of all kinds unknown here
    struct gr_known_list fresh;                   // not passed on yet
    uint64_t bucket[GR_FACT_BUCKETS];             // what the heads in each add up to
    size_t bytes;                                 // of all values
    uint64_t refused;                             // for want of room
};

// A zeroed struct gr_facts knows nothing.
void gr_facts_deinit(struct gr_facts *facts);
struct gr_fact gr_fact_make(
    enum gr_fact_kind kind, uint64_t key, uint64_t version, struct gr_bytes value);
// <0, 0, >0: of one kind and key, by version; two values of one version by hash, so that all end
// with the same one.
int gr_fact_compare(const struct gr_fact *a, const struct gr_fact *b);
// True: it was not known, or is later than what was; it is copied, and with `fresh` to be passed
// on. False: it is not, or there is no room for it.
bool gr_facts_take(struct gr_facts *facts, const struct gr_fact *fact, bool fresh);
// NULL: nothing is known. Valid until the next take.
const struct gr_known *gr_facts_find(
    const struct gr_facts *facts, enum gr_fact_kind kind, uint64_t key);
struct gr_fact gr_known_fact(const struct gr_known *known);
// The facts of a kind, in an order of their own: the first with NULL, NULL at the end.
// GR_FACT_KINDS has all those that this program does not know: each says its own.
const struct gr_known *gr_facts_next(
    const struct gr_facts *facts, enum gr_fact_kind kind, const struct gr_known *after);
// Fresh facts, oldest first, are no longer so: at most `max`, of at most about `bytes` bytes.
uint32_t gr_facts_fresh(
    struct gr_facts *facts, const struct gr_known **ret, uint32_t max, size_t bytes);

// Equal if and only if (but for chance) two know the same.
uint64_t gr_facts_digest(const struct gr_facts *facts);
uint32_t gr_fact_bucket(enum gr_fact_kind kind, uint64_t key);

#endif
