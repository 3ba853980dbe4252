// Placement: which node should hold what (§6.2, strategy 3); see placement.h for what it holds to.
//
// Picture shelves in rooms in houses: N copies of a book are first dealt out to houses, as evenly
// as there are houses; those of a house to its rooms, those of a room to its shelves. At each level
// two things are settled, the one before the other: how much each house is to hold in all, by
// weight; and then which books, so that as few as possible are carried (assign.c).
//
// What was settled for houses may have books carried that could have stayed, had it been known
// which shelves are too full. So at the end books change places (a round of swaps, each keeping P1,
// all totals as they are) as long as more of them stay where they were.
//
//   P1  A partition's copies in two places of one level, that have hosts enough, differ by one at
//       most: each gets `low`, and some get one more.
//   P2  Nothing below changes what was settled above: a place holds exactly the total, and of each
//       partition the copies, that were dealt to it.
//   P3  A total is the exact share by weight, rounded up or down, unless P1 leaves less or more.
//
// Owns: nothing between calls. Bounds: those of the ring; on the way partitions * members bytes,
// and six more for each pair of members.
#include "core/placement.h"

#include <string.h>

#include "core/assign.h"

enum { NOBODY = UINT16_MAX };
enum level { LEVEL_SITE, LEVEL_RACK, LEVEL_HOST, LEVEL_NODE };

// One site, rack or host, in the order of places of its level.
struct spot {
    uint16_t parent;    // of the level before
    uint8_t copies_max; // of one partition
};

struct plan {
    uint32_t partitions;
    uint8_t n;
    const struct gr_place *place;
    uint16_t count;
    const struct gr_ring *before;
    bool hosts_suffice;
    uint8_t *had, *has; // by partition and member
    // By level up to that of hosts: the spot of each member, and the spots.
    uint16_t *spot_of[LEVEL_NODE];
    struct spot *spot[LEVEL_NODE];
    uint16_t spots[LEVEL_NODE];
};

// What the members of some site, rack or host are dealt: copies of each partition.
struct share {
    const uint16_t *member; // what is together stands together
    uint16_t count;
    const uint8_t *copies; // by partition
    uint32_t total;
};

// A place of the next level.
struct child {
    uint16_t first, count; // of the share's members
    uint64_t weight;
    uint8_t copies_max; // of one partition
    uint32_t low, high; // what it can hold in all
    uint32_t held;      // before
    uint32_t total;     // what it is to hold
};

// ---- shares by weight ------------------------------------------------------------------------

// Fixes those at their bounds that would be beyond them, the side that is further beyond first.
// False: none is.
static bool clamp(struct child *child, uint16_t count, bool *fixed, uint64_t left, uint64_t weight)
{
    uint64_t under = 0, over = 0;
    for (uint16_t c = 0; c < count; c++) {
        uint64_t want = left * child[c].weight;
        if (!fixed[c] && want < child[c].low * weight)
            under += child[c].low * weight - want;
        if (!fixed[c] && want > child[c].high * weight)
            over += want - child[c].high * weight;
    }
    for (uint16_t c = 0; c < count; c++) {
        uint64_t want = left * child[c].weight;
        if (fixed[c])
            continue;
        if (over >= under && want > child[c].high * weight) {
            child[c].total = child[c].high;
            fixed[c] = true;
        } else if (under > over && want < child[c].low * weight) {
            child[c].total = child[c].low;
            fixed[c] = true;
        }
    }
    return under > 0 || over > 0;
}

// One more goes first to who had more than its share before, then to whose share is larger by a
// fraction.
static bool is_nearer(const struct child *a, const struct child *b, uint64_t left, uint64_t weight)
{
    bool a_had = a->held > a->total, b_had = b->held > b->total;
    if (a_had != b_had)
        return a_had;
    return left * a->weight % weight > left * b->weight % weight;
}

// P3.
static void deal_totals(struct child *child, uint16_t count, uint32_t total)
{
    bool *fixed = gr_hook_memory(NULL, count * sizeof *fixed);
    memset(fixed, 0, count * sizeof *fixed);
    uint64_t left = total, weight = 0;
    do {
        left = total, weight = 0;
        for (uint16_t c = 0; c < count; c++) {
            left -= fixed[c] ? child[c].total : 0;
            weight += fixed[c] ? 0 : child[c].weight;
        }
    } while (weight > 0 && clamp(child, count, fixed, left, weight));
    uint64_t more = left;
    for (uint16_t c = 0; c < count && weight > 0; c++)
        if (!fixed[c])
            more -= child[c].total = (uint32_t)(left * child[c].weight / weight);
    for (; more > 0 && weight > 0; more--) {
        int best = -1;
        for (uint16_t c = 0; c < count; c++)
            if (!fixed[c] && left * child[c].weight % weight > 0 &&
                (best < 0 || is_nearer(&child[c], &child[best], left, weight)))
                best = c;
        gr_assert(best >= 0);
        fixed[best] = true; // one each
        child[best].total++;
    }
    gr_hook_memory(fixed, 0);
}

// ---- copies of one partition ----------------------------------------------------------------

// P1. The highest level to which so many copies fill all places; some of those that are not full
// then get one more.
static uint8_t level_of(const struct child *child, uint16_t count, uint8_t copies)
{
    for (uint8_t level = 1;; level++) {
        uint32_t sum = 0;
        for (uint16_t c = 0; c < count; c++)
            sum += GR_MIN(child[c].copies_max, level);
        if (sum > copies)
            return level - 1;
        if (level >= copies)
            return level;
    }
}

static uint16_t key_of(const struct plan *plan, int level, uint16_t member)
{
    const struct gr_place *place = &plan->place[member];
    return level == LEVEL_SITE   ? place->site
           : level == LEVEL_RACK ? place->rack
           : level == LEVEL_HOST ? place->host
                                 : member;
}

// They do not stand together at that level.
static bool differ(const struct plan *plan, uint16_t a, uint16_t b, int level)
{
    for (int i = LEVEL_SITE; i <= level; i++)
        if (key_of(plan, i, a) != key_of(plan, i, b))
            return true;
    return false;
}

// Of one partition, at members that stand together.
static uint8_t copies_max(const struct plan *plan, const uint16_t *member, uint16_t count)
{
    uint32_t nodes = 0, hosts = 0;
    int last = -1;
    for (uint16_t i = 0; i < count; i++) {
        if (plan->place[member[i]].weight == 0)
            continue;
        hosts += last < 0 || differ(plan, (uint16_t)last, member[i], LEVEL_HOST);
        last = member[i];
        nodes++;
    }
    return (uint8_t)GR_MIN(plan->hosts_suffice ? hosts : nodes, plan->n);
}

static uint16_t find_children(
    const struct plan *plan, const struct share *share, enum level level, struct child *child)
{
    uint16_t count = 0;
    for (uint16_t i = 0; i < share->count; i++) {
        uint16_t member = share->member[i];
        if (count == 0 || key_of(plan, level, member) != key_of(plan, level, share->member[i - 1]))
            child[count++] = (struct child){.first = i};
        child[count - 1].count++;
        child[count - 1].weight += plan->place[member].weight;
    }
    for (uint16_t c = 0; c < count; c++)
        child[c].copies_max = copies_max(plan, share->member + child[c].first, child[c].count);
    return count;
}

static uint8_t copies_before(const struct plan *plan, const struct share *share,
    const struct child *child, uint32_t partition)
{
    uint8_t copies = 0;
    for (uint16_t i = 0; i < child->count; i++) {
        uint16_t member = share->member[child->first + i];
        copies += plan->had[(size_t)partition * plan->count + member];
    }
    return copies;
}

// ---- one level after another -----------------------------------------------------------------

static void deal(const struct plan *plan, const struct share *share, enum level level);

// Which partitions each child takes: its copies of each, by child and partition.
static void deal_copies(const struct plan *plan, const struct share *share, struct child *child,
    uint16_t count, uint8_t *ret_copies)
{
    uint8_t level[GR_REPLICAS_MAX + 1], need_of[GR_REPLICAS_MAX + 1];
    for (uint8_t k = 0; k <= plan->n; k++) {
        level[k] = level_of(child, count, k);
        need_of[k] = k;
        for (uint16_t c = 0; c < count; c++)
            need_of[k] -= GR_MIN(child[c].copies_max, level[k]);
    }
    struct gr_assign assign;
    gr_assign_init(&assign, plan->partitions, count);
    uint8_t *need = gr_hook_memory(NULL, plan->partitions);
    for (uint32_t p = 0; p < plan->partitions; p++) {
        uint8_t k = share->copies[p];
        need[p] = need_of[k];
        for (uint16_t c = 0; c < count; c++) {
            uint8_t low = GR_MIN(child[c].copies_max, level[k]);
            uint8_t before = copies_before(plan, share, &child[c], p);
            bool more = need_of[k] > 0 && child[c].copies_max > low;
            ret_copies[(size_t)c * plan->partitions + p] = low;
            child[c].low += low;
            child[c].high += low + more;
            child[c].held += before;
            if (more)
                *gr_assign_cell(&assign, p, c) =
                    GR_ASSIGN_ALLOWED | (before > low ? GR_ASSIGN_KEPT : 0);
        }
    }
    deal_totals(child, count, share->total);
    for (uint16_t c = 0; c < count; c++)
        assign.spare[c] = child[c].total - child[c].low;
    gr_assign_run(&assign, need);
    for (uint32_t p = 0; p < plan->partitions; p++)
        for (uint16_t c = 0; c < count; c++)
            ret_copies[(size_t)c * plan->partitions + p] +=
                (*gr_assign_cell(&assign, p, c) & GR_ASSIGN_TAKEN) != 0;
    gr_hook_memory(need, 0);
    gr_assign_deinit(&assign);
}

static void keep(const struct plan *plan, const struct share *share)
{
    for (uint32_t p = 0; p < plan->partitions; p++)
        plan->has[(size_t)p * plan->count + share->member[0]] = share->copies[p];
}

// P2.
static void deal(const struct plan *plan, const struct share *share, enum level level)
{
    struct child *child = gr_hook_memory(NULL, share->count * sizeof *child);
    uint16_t count = find_children(plan, share, level, child);
    size_t bytes = (size_t)count * plan->partitions;
    uint8_t *copies = gr_hook_memory(NULL, bytes);
    deal_copies(plan, share, child, count, copies);
    for (uint16_t c = 0; c < count; c++) {
        struct share part = {
            .member = share->member + child[c].first,
            .count = child[c].count,
            .copies = copies + (size_t)c * plan->partitions,
        };
        for (uint32_t p = 0; p < plan->partitions; p++)
            part.total += part.copies[p];
        if (level == LEVEL_NODE)
            keep(plan, &part);
        else
            deal(plan, &part, level + 1);
    }
    gr_hook_memory(copies, 0);
    gr_hook_memory(child, 0);
}

// ---- swaps -----------------------------------------------------------------------------------

// How many of the owners stand on the spot.
static uint8_t copies_at(
    const struct plan *plan, int level, uint16_t spot, const uint16_t *owner, uint8_t count)
{
    uint8_t copies = 0;
    for (uint8_t i = 0; i < count; i++)
        copies += plan->spot_of[level][owner[i]] == spot;
    return copies;
}

// P1 for one level: nobody beside the spot could take a copy and has two less.
static bool is_even(
    const struct plan *plan, int level, uint16_t spot, const uint16_t *owner, uint8_t count)
{
    const struct spot *spots = plan->spot[level];
    uint8_t most = copies_at(plan, level, spot, owner, count);
    for (uint16_t other = 0; other < plan->spots[level] && most > 1; other++) {
        if (spots[other].parent != spots[spot].parent)
            continue;
        uint8_t copies = copies_at(plan, level, other, owner, count);
        if (copies < spots[other].copies_max && copies + 1 < most)
            return false;
    }
    return most <= spots[spot].copies_max;
}

static bool keeps_spread(const void *host, const uint8_t *cell, uint16_t from, uint16_t to)
{
    const struct plan *plan = host;
    uint16_t owner[GR_REPLICAS_MAX];
    uint8_t count = 0;
    for (uint16_t m = 0; m < plan->count; m++)
        if (m == to || (m != from && (cell[m] & GR_ASSIGN_TAKEN) != 0))
            owner[count++] = m;
    for (int level = LEVEL_SITE; level < LEVEL_NODE; level++)
        for (uint8_t i = 0; i < count; i++)
            if (!is_even(plan, level, plan->spot_of[level][owner[i]], owner, count))
                return false;
    return true;
}

static void find_spots(struct plan *plan, const uint16_t *member)
{
    for (int level = LEVEL_SITE; level < LEVEL_NODE; level++) {
        plan->spot_of[level] = gr_hook_memory(NULL, plan->count * sizeof(uint16_t));
        plan->spot[level] = gr_hook_memory(NULL, plan->count * sizeof(struct spot));
        for (uint16_t from = 0, end = 0; from < plan->count; from = end) {
            struct spot *spot = &plan->spot[level][plan->spots[level]];
            while (end < plan->count && !differ(plan, member[from], member[end], level))
                plan->spot_of[level][member[end++]] = plan->spots[level];
            spot->parent = level == LEVEL_SITE ? 0 : plan->spot_of[level - 1][member[from]];
            spot->copies_max = copies_max(plan, member + from, (uint16_t)(end - from));
            plan->spots[level]++;
        }
    }
}

static void swap(struct plan *plan, const uint16_t *member)
{
    find_spots(plan, member);
    struct gr_assign assign;
    gr_assign_init(&assign, plan->partitions, plan->count);
    assign.may_swap = keeps_spread;
    assign.host = plan;
    for (uint32_t p = 0; p < plan->partitions; p++)
        for (uint16_t m = 0; m < plan->count; m++) {
            size_t at = (size_t)p * plan->count + m;
            *gr_assign_cell(&assign, p, m) =
                (uint8_t)((plan->place[m].weight > 0 ? GR_ASSIGN_ALLOWED : 0) |
                          (plan->had[at] ? GR_ASSIGN_KEPT : 0) |
                          (plan->has[at] ? GR_ASSIGN_TAKEN : 0));
        }
    gr_assign_improve(&assign);
    for (uint32_t p = 0; p < plan->partitions; p++)
        for (uint16_t m = 0; m < plan->count; m++)
            plan->has[(size_t)p * plan->count + m] =
                (*gr_assign_cell(&assign, p, m) & GR_ASSIGN_TAKEN) != 0;
    gr_assign_deinit(&assign);
    for (int level = LEVEL_SITE; level < LEVEL_NODE; level++) {
        gr_hook_memory(plan->spot_of[level], 0);
        gr_hook_memory(plan->spot[level], 0);
    }
}

// ---- preference lists ------------------------------------------------------------------------

// Who stays keeps its place, and who is new takes the place of one that goes.
static void list_owners(const struct plan *plan, uint16_t *ret_owner)
{
    for (uint32_t p = 0; p < plan->partitions; p++) {
        const uint8_t *had = plan->had + (size_t)p * plan->count;
        const uint8_t *has = plan->has + (size_t)p * plan->count;
        uint16_t *owner = ret_owner + (size_t)p * plan->n, next = 0;
        uint8_t hole = 0;
        for (uint8_t i = 0; i < plan->n; i++) {
            owner[i] = NOBODY;
            if (plan->before == NULL || i >= plan->before->n)
                continue;
            uint16_t old = gr_ring_owners(plan->before, p)[i];
            if (has[old])
                owner[i] = old;
        }
        // With a smaller n than before some stay whose place is gone.
        for (uint8_t i = plan->n; plan->before != NULL && i < plan->before->n; i++) {
            uint16_t old = gr_ring_owners(plan->before, p)[i];
            while (has[old] && owner[hole] != NOBODY)
                hole++;
            if (has[old])
                owner[hole] = old;
        }
        for (uint8_t i = 0; i < plan->n; i++) {
            if (owner[i] != NOBODY)
                continue;
            while (!has[next] || had[next])
                next++;
            owner[i] = next++;
        }
    }
}

// Each partition takes one of its owners to be first, where it can the one that was.
static void deal_first_places(const struct plan *plan, uint16_t *owner)
{
    struct gr_assign assign;
    gr_assign_init(&assign, plan->partitions, plan->count);
    struct child *child = gr_hook_memory(NULL, plan->count * sizeof *child);
    for (uint16_t m = 0; m < plan->count; m++)
        child[m] = (struct child){.weight = plan->place[m].weight};
    uint8_t *need = gr_hook_memory(NULL, plan->partitions);
    memset(need, 1, plan->partitions);
    for (uint32_t p = 0; p < plan->partitions; p++) {
        int first = plan->before != NULL ? gr_ring_owners(plan->before, p)[0] : -1;
        for (uint8_t i = 0; i < plan->n; i++) {
            uint16_t m = owner[(size_t)p * plan->n + i];
            child[m].high++;
            child[m].held += m == first;
            *gr_assign_cell(&assign, p, m) = GR_ASSIGN_ALLOWED | (m == first ? GR_ASSIGN_KEPT : 0);
        }
    }
    deal_totals(child, plan->count, plan->partitions);
    for (uint16_t m = 0; m < plan->count; m++)
        assign.spare[m] = child[m].total;
    gr_assign_run(&assign, need);
    for (uint32_t p = 0; p < plan->partitions; p++)
        for (uint8_t i = 1; i < plan->n; i++) {
            uint16_t *list = owner + (size_t)p * plan->n, other = list[i];
            if ((*gr_assign_cell(&assign, p, other) & GR_ASSIGN_TAKEN) == 0)
                continue;
            list[i] = list[0];
            list[0] = other;
        }
    gr_hook_memory(need, 0);
    gr_hook_memory(child, 0);
    gr_assign_deinit(&assign);
}

// ---- the plan --------------------------------------------------------------------------------

static int compare(const struct plan *plan, uint16_t a, uint16_t b)
{
    for (int level = LEVEL_SITE; level < LEVEL_NODE; level++)
        if (key_of(plan, level, a) != key_of(plan, level, b))
            return key_of(plan, level, a) < key_of(plan, level, b) ? -1 : 1;
    return a < b ? -1 : a > b;
}

// What is together stands together.
static void order(const struct plan *plan, uint16_t *ret_member)
{
    for (uint16_t i = 0; i < plan->count; i++) {
        uint16_t at = i;
        for (; at > 0 && compare(plan, i, ret_member[at - 1]) < 0; at--)
            ret_member[at] = ret_member[at - 1];
        ret_member[at] = i;
    }
}

static struct gr_placement count_moves(const struct plan *plan, uint8_t hosts)
{
    struct gr_placement placement = {.hosts_max = GR_MIN(hosts, plan->n)};
    for (uint16_t m = 0; m < plan->count; m++) {
        uint32_t had = 0, has = 0;
        for (uint32_t p = 0; p < plan->partitions; p++) {
            size_t at = (size_t)p * plan->count + m;
            had += plan->had[at];
            has += plan->has[at];
            placement.moves += plan->has[at] && !plan->had[at];
        }
        placement.ideal += has > had ? has - had : 0;
    }
    return placement;
}

static void load_before(struct plan *plan)
{
    for (uint32_t p = 0; plan->before != NULL && p < plan->partitions; p++)
        for (uint8_t i = 0; i < plan->before->n; i++)
            plan->had[(size_t)p * plan->count + gr_ring_owners(plan->before, p)[i]] = 1;
}

enum gr_err gr_placement_plan(uint32_t partitions, uint8_t n, const struct gr_place *place,
    uint16_t count, const struct gr_ring *before, uint16_t *ret_owner,
    struct gr_placement *ret_placement)
{
    gr_assert(
        n > 0 && n <= GR_REPLICAS_MAX && (before == NULL || before->partitions == partitions));
    struct plan plan = {
        .partitions = partitions, .n = n, .place = place, .count = count, .before = before};
    size_t cells = (size_t)partitions * count;
    uint16_t *member = gr_hook_memory(NULL, GR_MAX(count, 1) * sizeof *member);
    order(&plan, member);
    uint8_t nodes = copies_max(&plan, member, count);
    plan.hosts_suffice = true;
    uint8_t hosts = copies_max(&plan, member, count);
    plan.hosts_suffice = hosts == n;
    if (nodes < n) {
        gr_hook_memory(member, 0);
        return GR_ERR_INVALID;
    }
    plan.had = gr_hook_memory(NULL, cells);
    plan.has = gr_hook_memory(NULL, cells);
    memset(plan.had, 0, cells);
    memset(plan.has, 0, cells);
    load_before(&plan);
    uint8_t *copies = gr_hook_memory(NULL, partitions);
    memset(copies, n, partitions);
    struct share all = {
        .member = member, .count = count, .copies = copies, .total = partitions * n};
    deal(&plan, &all, LEVEL_SITE);
    *ret_placement = count_moves(&plan, hosts);
    if (ret_placement->moves > ret_placement->ideal && before != NULL) {
        swap(&plan, member);
        *ret_placement = count_moves(&plan, hosts);
    }
    list_owners(&plan, ret_owner);
    deal_first_places(&plan, ret_owner);
    gr_hook_memory(copies, 0);
    gr_hook_memory(plan.had, 0);
    gr_hook_memory(plan.has, 0);
    gr_hook_memory(member, 0);
    return GR_OK;
}
