// Holders: who holds a partition completely, who votes for it, and who is told of its writes
// (§4.9).
//
// When a shop moves, the new one opens once everything stands on its shelves, and the old one sells
// until then; whoever orders meanwhile is delivered by both. So owning and holding are two things.
// The ring says who is to own a partition; a flag of each store says what it holds completely, and
// only that store's node sets it. Whoever coordinates a request goes by both.
//
//   HO1 Each position of the preference list has one vote. Its owner casts it if it holds the
//       partition; else the one who held it before and was to make room for that owner, as long as
//       that one holds. An owner that does not hold is told of every write, and shows nothing.
//   HO2 What this node shows, takes and votes for goes by its own flags, never by what others say
//       of it: a wrong guess elsewhere costs a message.
//   HO3 A flag is told to others once it is durable, and after what it stands for.
//   HO4 Who joins a list at a ring change takes the place of who leaves it at that change: the
//       first of the one for the first of the other, in the order of the lists. Of older ones that
//       still hold, the one with the least id takes the first place that is open.
//
// Source: §4.9; DESIGN.md §7. Owns: node->holding. Bounds: Q bits for each member.
#include "core/entropy.h"

#include <string.h>

static uint32_t words_of(const struct gr_node *node)
{
    return (node->ring->partitions + 63) / 64;
}

bool gr_holder_says(const struct gr_node *node, uint16_t member, uint32_t partition)
{
    if (member == node->config.self)
        return node->partition[partition].held;
    const uint64_t *bits = node->holding[member].bits;
    return bits != NULL && (bits[partition / 64] >> (partition % 64) & 1);
}

bool gr_holder_any(const struct gr_node *node, uint32_t partition)
{
    for (uint16_t m = 0; m < node->ring->member_count; m++)
        if (m != node->config.self && gr_holder_says(node, m, partition))
            return true;
    return false;
}

// ---- who votes -------------------------------------------------------------------------------

static bool stood_before(const struct gr_ring *ring, uint32_t partition, uint16_t member)
{
    const uint16_t *before = &ring->before[(size_t)partition * ring->before_n];
    for (uint8_t i = 0; i < ring->before_n; i++)
        if (before[i] == member)
            return true;
    return false;
}

// HO4: whose place the owner at that position took in the last change, or -1.
static int forerunner(const struct gr_ring *ring, uint32_t partition, uint8_t position)
{
    const uint16_t *owner = gr_ring_owners(ring, partition);
    if (ring->before == NULL || stood_before(ring, partition, owner[position]))
        return -1;
    int joined = 0;
    for (uint8_t i = 0; i < position; i++)
        joined += !stood_before(ring, partition, owner[i]);
    const uint16_t *before = &ring->before[(size_t)partition * ring->before_n];
    for (uint8_t i = 0; i < ring->before_n; i++)
        if (gr_ring_position(ring, partition, before[i]) < 0 && joined-- == 0)
            return before[i];
    return -1;
}

// HO4: one that holds the partition, owns it no more and votes for no position yet, or -1.
static int some_former(
    const struct gr_node *node, uint32_t partition, const struct gr_preference *list)
{
    int former = -1;
    for (uint16_t m = 0; m < node->ring->member_count; m++) {
        if (!gr_holder_says(node, m, partition) || gr_preference_position(list, m) >= 0)
            continue;
        if (former < 0 || node->ring->member[m].id < node->ring->member[former].id)
            former = m;
    }
    return former;
}

static void set_voter(struct gr_preference *list, uint8_t position, uint16_t voter)
{
    list->voter[position] = voter;
    list->held |= (uint8_t)(1u << position);
}

struct gr_preference gr_holder_list(const struct gr_node *node, uint32_t partition)
{
    struct gr_preference list = gr_ring_preference(node->ring, partition);
    uint8_t all = list.held;
    list.held = 0;
    for (uint8_t i = 0; i < list.n; i++)
        list.held |= (uint8_t)(gr_holder_says(node, list.member[i], partition) << i);
    if (list.held == all)
        return list;
    for (uint8_t i = 0; i < list.n; i++) {
        int before = list.held >> i & 1 ? -1 : forerunner(node->ring, partition, i);
        if (before >= 0 && gr_holder_says(node, (uint16_t)before, partition))
            set_voter(&list, i, (uint16_t)before);
    }
    for (uint8_t i = 0; i < list.n; i++) {
        int former = list.held >> i & 1 ? -1 : some_former(node, partition, &list);
        if (former >= 0)
            set_voter(&list, i, (uint16_t)former);
    }
    return list;
}

struct gr_preference gr_holder_readers(const struct gr_node *node, uint32_t partition)
{
    struct gr_preference list = gr_holder_list(node, partition);
    int own = gr_preference_position(&list, node->config.self);
    if (own >= 0 && node->config.canary == GR_CANARY_SERVE_EARLY)
        set_voter(&list, (uint8_t)own, node->config.self);
    return list;
}

// ---- this node -------------------------------------------------------------------------------

bool gr_holder_owns(const struct gr_node *node, uint32_t partition)
{
    return gr_ring_position(node->ring, partition, node->config.self) >= 0;
}

bool gr_holder_takes(const struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    return !p->dropping && !p->leaving && (p->held || gr_holder_owns(node, partition));
}

bool gr_holder_shows(const struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    bool early = node->config.canary == GR_CANARY_SERVE_EARLY && gr_holder_owns(node, partition);
    return !p->dropping && !p->leaving && (p->held || early);
}

bool gr_holder_admits(const struct gr_node *node, const struct gr_keyop *op)
{
    bool dropping = node->partition[op->partition].dropping;
    if (op->kind == GR_KEYOP_DROP)
        return dropping;
    bool write =
        op->kind == GR_KEYOP_PUT || op->kind == GR_KEYOP_DELTA || op->kind == GR_KEYOP_REPAIR;
    return write && !op->unreadable ? gr_holder_takes(node, op->partition) : !dropping;
}

bool gr_holder_has(const struct gr_node *node, uint32_t partition)
{
    const struct gr_partition *p = &node->partition[partition];
    bool empty = p->count == 0 && gr_sum_equal(p->sum, (struct gr_sum){0}) && p->clock.count == 0;
    return !p->dropping &&
           (p->held || !empty || p->damage != NULL || gr_holder_owns(node, partition));
}

bool gr_holder_shares(const struct gr_node *node, uint16_t member, uint32_t partition)
{
    return gr_holder_has(node, partition) &&
           (gr_ring_position(node->ring, partition, member) >= 0 ||
               gr_holder_says(node, member, partition));
}

bool gr_node_is_founded(const struct gr_node *node)
{
    for (uint32_t p = 0; p < node->ring->partitions; p++)
        if (node->partition[p].held || gr_holder_any(node, p))
            return true;
    return false;
}

static bool is_enough(const struct gr_node *node, const struct gr_preference *list, uint8_t asked)
{
    struct gr_need need = gr_site_need(node->ring, list, asked, node->config.self);
    return gr_need_met(&need, list->held);
}

bool gr_node_has_voters(const struct gr_node *node)
{
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        struct gr_preference list = gr_holder_list(node, p);
        if (!is_enough(node, &list, node->config.r) || !is_enough(node, &list, node->config.w))
            return false;
    }
    return true;
}

bool gr_node_has_all_voters(const struct gr_node *node)
{
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        struct gr_preference list = gr_ring_preference(node->ring, p);
        for (uint8_t i = 0; i < list.n; i++)
            if (!gr_node_peer_up(node, list.member[i]) || !gr_holder_says(node, list.member[i], p))
                return false;
    }
    return true;
}

const struct gr_holds *gr_holder_all(struct gr_node *node)
{
    uint32_t words = words_of(node);
    uint64_t *held = gr_arena_take_zero(&node->scratch, words * sizeof *held);
    uint64_t *dropping = gr_arena_take_zero(&node->scratch, words * sizeof *dropping);
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        held[p / 64] |= (uint64_t)node->partition[p].held << (p % 64);
        dropping[p / 64] |= (uint64_t)node->partition[p].dropping << (p % 64);
    }
    struct gr_holds *holds = gr_arena_new(&node->scratch, struct gr_holds);
    *holds = (struct gr_holds){
        .bare_in = node->bare_in, .words = words, .held = held, .dropping = dropping};
    return holds;
}

void gr_holder_count(struct gr_node *node)
{
    node->stats.partitions = node->stats.unread = 0;
    for (uint32_t p = 0; p < node->ring->partitions; p++) {
        bool has = gr_holder_has(node, p);
        node->stats.partitions += has;
        node->stats.unread += has && node->partition[p].leaf == NULL;
    }
}

void gr_holder_hold(struct gr_node *node, uint32_t partition)
{
    bool bare = true;
    for (uint32_t p = 0; p < node->ring->partitions && bare; p++)
        bare = !node->partition[p].held;
    if (bare)
        node->bare_in = node->ring->version;
    node->partition[partition].held = true;
}

// ---- what is told ----------------------------------------------------------------------------

void gr_holder_write(struct gr_node *node, uint32_t partition,
    const struct gr_clock_row *const *gone, uint32_t gone_count)
{
    struct gr_partition *p = &node->partition[partition];
    struct gr_store_write write = {
        .number = ++node->writes,
        .partition = partition,
        .row = gone,
        .row_count = gone_count,
        .counter = gr_replica_counter(node, p),
        .count = p->count,
        .sum = p->sum,
        .owed_changed = p->held, // it owes nothing, whatever an earlier run has left there
        .holds = gr_holder_all(node),
        .sync = true, // the others wait for the news
    };
    node->holds_number = node->writes; // HO3
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_WRITE, .write = &write});
}

void gr_holder_on_synced(struct gr_node *node)
{
    if (node->holds_number == 0 || node->synced < node->holds_number)
        return;
    node->holds_number = 0;
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_HOLDS, .holds = gr_holder_all(node)});
}

void gr_holder_on_holds(struct gr_node *node, const struct gr_event *event)
{
    uint32_t words = words_of(node);
    gr_assert(event->peer < node->ring->member_count && event->peer != node->config.self);
    gr_assert(event->holds->words == words);
    struct gr_holding *holding = &node->holding[event->peer];
    if (holding->bits == NULL)
        holding->bits = gr_hook_memory(NULL, words * sizeof *holding->bits);
    memcpy(holding->bits, event->holds->held, words * sizeof *holding->bits);
    holding->run = event->run;
    holding->bare_in = event->holds->bare_in;
    gr_transfer_soon(node);
}

// ---- beginning and end -----------------------------------------------------------------------

// What a cluster that has just been made holds: everyone all that he owns.
static void assume_held(struct gr_node *node)
{
    uint32_t words = words_of(node);
    for (uint16_t m = 0; m < node->ring->member_count; m++) {
        struct gr_holding *holding = &node->holding[m];
        holding->bits = gr_hook_memory(NULL, words * sizeof *holding->bits);
        memset(holding->bits, 0, words * sizeof *holding->bits);
        for (uint32_t p = 0; p < node->ring->partitions; p++)
            if (gr_ring_position(node->ring, p, m) >= 0)
                holding->bits[p / 64] |= 1ull << (p % 64);
    }
    for (uint32_t p = 0; p < node->ring->partitions; p++)
        node->partition[p].held = gr_holder_owns(node, p);
}

void gr_holder_init(struct gr_node *node)
{
    gr_adopt_members(node, node->ring->member_count);
    if (!node->config.newcomer)
        assume_held(node);
}

void gr_holder_deinit(struct gr_node *node)
{
    for (uint16_t m = 0; m < node->member_capacity; m++)
        gr_hook_memory(node->holding[m].bits, 0);
    gr_hook_memory(node->holding, 0);
}
