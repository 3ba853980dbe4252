// What the whole cluster agrees on and may change while it runs, besides the ring: its settings.
//
// Each is a register that every member knows (core/facts.h): the last one who set it is heard by
// all. What nobody has set is as the cluster file says, or as is built in. N is no such setting:
// it belongs to the ring, since data move when it changes (core/stage.h).
#ifndef GR_CORE_AGREED_H
#define GR_CORE_AGREED_H

#include "core/facts.h"
#include "core/record.h"
#include "core/ring.h"

// Numbers are stored and travel: append only.
enum gr_agreed_key {
    GR_AGREED_R = 1,         // of requests that do not say otherwise: how many replicas, or
    GR_AGREED_W,             // GR_QUORUM_LOCAL, GR_QUORUM_EACH
    GR_AGREED_DURABILITY,    // enum gr_durability
    GR_AGREED_SYNC_INTERVAL, // ms
    GR_AGREED_VALUE_MAX,     // bytes of a value that a client puts; and
    GR_AGREED_SIBLINGS_MAX,  // siblings that it may leave: judged by whoever coordinates
    GR_AGREED_KEYS
};
#define GR_AGREED_NAMES "r, w, durability, sync_interval, value_max and siblings_max"
enum { GR_SYNC_INTERVAL_MS_DEFAULT = 100, GR_SYNC_INTERVAL_MS_MAX = 1000 };

// GR_FACT_SETTING, key: one of these.
struct gr_agreed {
    uint32_t value; // as gr_agreed_fits
    struct gr_wall at;
    char by[GR_NAME_BYTES_MAX + 1]; // the node where it was set
    uint64_t version;               // of the fact, which says so; 0: there is none
};

// "r", "w", "durability", ...
const char *gr_agreed_name(enum gr_agreed_key key);
// It may be that, whatever N is.
bool gr_agreed_fits(enum gr_agreed_key key, uint32_t value);

#endif
