// Members: what a node knows of the others, how it learns it, and whom it takes for alive (§4.8).
//
// A machine of its own inside the node: it is fed messages and the time, and sends messages.
// Nothing in it moves data or changes who owns what.
#ifndef GR_CORE_MEMBERS_H
#define GR_CORE_MEMBERS_H

#include "base/random.h"
#include "core/canary.h"
#include "core/facts.h"
#include "core/ring.h"

// How a member does, as the cluster says. Version of its GR_FACT_STATUS: incarnation * 4 + this.
// Only the member itself begins a new incarnation.
enum gr_status { GR_STATUS_ALIVE, GR_STATUS_SUSPECT, GR_STATUS_DOWN, GR_STATUS_COUNT };
// "alive", "suspect", "down".
const char *gr_status_name(enum gr_status status);

enum gr_talk_type {
    GR_TALK_PING = 1, // are you there: digest
    GR_TALK_PONG,     // yes: bucket list, none if the digests are equal
    GR_TALK_PING_FOR, // ask that member for me: member
    GR_TALK_HEADS,    // what is known here: mask (of buckets), fact list without values
    GR_TALK_FACTS,    // fact list; want list (without values): tell me these
    GR_TALK_COUNT
};

// What members say to each other. Taken twice it says what it said once; borrowed for the call that
// it travels in. Only the fields named at its type are used.
struct gr_talk {
    enum gr_talk_type type;
    uint64_t id; // an answer echoes it
    uint64_t digest, mask, member;
    const uint64_t *bucket_list;
    uint32_t bucket_count;
    const struct gr_fact *fact_list, *want_list;
    uint32_t fact_count, want_count;
};

enum { GR_RELAYS_MAX = 64 };

struct gr_members_config {
    uint64_t self;
    uint64_t seed;
    struct gr_span period; // of probes: each node asks one other so often; 1 s
    enum gr_canary canary;
    struct gr_span timeout; // after which others are asked to ask it too; less than half a period
};

// What the machine needs of whoever holds it. `to` is a place in the table.
struct gr_members_host {
    void *host;
    // False: there is no link, the message certainly did not leave.
    bool (*send)(void *host, uint16_t to, struct gr_talk *message);
    // Something was not known before. Must not call back.
    void (*learned)(void *host, const struct gr_fact *fact);
};

// A probe that another node asked for.
struct gr_relay {
    uint64_t id, asker_id;
    uint16_t asker;
};

struct gr_suspicion {
    uint16_t member;
    uint64_t version; // of the status that it is about
    struct gr_instant until;
};

// Members have places in a table, in the order in which they were heard of: this node is 0.
struct gr_members {
    struct gr_members_config config;
    struct gr_members_host host;
    struct gr_random random;
    struct gr_facts facts;
    struct gr_instant now;
    uint64_t *member; // ids
    uint16_t count, capacity;
    uint64_t ids; // of messages
    // gossip.c
    struct gr_instant flush_at;
    // detector.c
    struct gr_instant probe_at, relay_at;
    uint16_t *order; // in which members are probed
    uint16_t ordered, next;
    uint16_t probed; // the member, or the table's end
    uint64_t probe;  // id
    uint8_t strain;  // 0: all is well here; more: whoever does not answer may not be to blame
    struct gr_relay relay[GR_RELAYS_MAX];
    uint32_t relays;
    struct gr_suspicion *suspicion;
    uint32_t suspicions, suspicions_capacity;
    uint64_t refuted; // suspicions of this node
};

void gr_members_init(struct gr_members *members, const struct gr_members_config *config,
    const struct gr_members_host *host, struct gr_instant now);
void gr_members_deinit(struct gr_members *members);
// What this node says, or was told. False: something later is known.
bool gr_members_say(struct gr_members *members, const struct gr_fact *fact);
// What this node knew when it last ran.
void gr_members_load(struct gr_members *members, const struct gr_fact *fact);
// Whoever was heard of has a place from now on, if there is room.
void gr_members_meet(struct gr_members *members, uint64_t id);
// The place of a member, or -1.
int gr_members_find(const struct gr_members *members, uint64_t id);
enum gr_status gr_members_status(const struct gr_members *members, uint16_t member);
// That store was removed: whoever has it is refused, told so, and stops (M3).
bool gr_members_bans(const struct gr_members *members, uint64_t store);

void gr_members_on_message(struct gr_members *members, uint16_t from, const struct gr_talk *message,
    struct gr_instant now);
// A link to it came up: what the two know is compared now, and not when a probe happens to. Who was
// taken for down hears of it, and says otherwise.
void gr_members_greet(struct gr_members *members, uint16_t member, struct gr_instant now);
void gr_members_tick(struct gr_members *members, struct gr_instant now);
// When a tick is wanted.
struct gr_instant gr_members_deadline(const struct gr_members *members);

// ---- between the files of this chapter
// ------------------------------------------------------------

// Up to `max` different members that are not down, none of them this one or `but`.
uint32_t gr_members_draw(
    struct gr_members *members, uint16_t but, uint16_t *ret_member, uint32_t max);
// gossip.c
void gr_gossip_tick(struct gr_members *members);
void gr_gossip_fresh(struct gr_members *members); // there is something to pass on
void gr_gossip_tell(struct gr_members *members, uint16_t to, const struct gr_known *known);
void gr_gossip_compare(struct gr_members *members, uint16_t with, const struct gr_talk *pong);
void gr_gossip_on_message(struct gr_members *members, uint16_t from, const struct gr_talk *message);
// detector.c
void gr_detector_init(struct gr_members *members);
void gr_detector_tick(struct gr_members *members);
void gr_detector_learned(struct gr_members *members, const struct gr_fact *fact);
void gr_detector_on_message(
    struct gr_members *members, uint16_t from, const struct gr_talk *message);

#endif
