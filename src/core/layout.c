// Layouts: the first one, the next one, and the ring that a node goes by (§4.8.1, §6.2).
//
// A layout is the sheet that is copied and handed round; a ring is the same as the timetable on a
// node's own wall, with every member where that node always had it.
//
//   LY1 All founders make the same first layout of the same list, byte for byte.
//   LY2 The layout that follows another one names whoever was a member in it, so that a partition's
//       owners before are known for as long as the partition changes hands.
//   LY3 Places of sites, racks and hosts are told by their names, a rack's within its site and a
//       host's within its rack.
//
// Source: §4.8.1, §6.2. Owns: nothing. Bounds: those of core/layout.h.
#include "core/layout.h"

#include <string.h>

int gr_layout_find(const struct gr_layout *layout, uint64_t id)
{
    int from = 0, to = layout->member_count;
    while (from < to) {
        int at = (from + to) / 2;
        if (layout->member[at].id < id)
            from = at + 1;
        else
            to = at;
    }
    return from < layout->member_count && layout->member[from].id == id ? from : -1;
}

uint64_t gr_layout_origin(const struct gr_layout *layout)
{
    return layout->origin != 0 ? layout->origin : layout->step[layout->step_count - 1].hash;
}

// ---- the first -------------------------------------------------------------------------------

static struct gr_layout_member member_of(const struct gr_card *card)
{
    struct gr_layout_member member = {
        .id = gr_member_id(gr_bytes_text(card->name)), .weight = card->weight};
    memcpy(member.name, card->name, sizeof member.name);
    memcpy(member.host, card->host, sizeof member.host);
    memcpy(member.rack, card->rack, sizeof member.rack);
    memcpy(member.site, card->site, sizeof member.site);
    return member;
}

struct gr_layout gr_layout_first(struct gr_arena *arena, uint32_t partitions, uint8_t n,
    const struct gr_card *card, uint16_t count)
{
    struct gr_layout_member *member = gr_arena_array(arena, struct gr_layout_member, count);
    for (uint16_t i = 0; i < count; i++) {
        struct gr_layout_member next = member_of(&card[i]);
        uint16_t at = i;
        for (; at > 0 && member[at - 1].id > next.id; at--)
            member[at] = member[at - 1];
        member[at] = next;
    }
    struct gr_layout_step *step = gr_arena_new(arena, struct gr_layout_step);
    *step = (struct gr_layout_step){.version = 1, .what = "founded"};
    struct gr_layout layout = {.version = 1,
        .partitions = partitions,
        .n = n,
        .member_count = count,
        .member = member,
        .step_count = 1,
        .step = step};
    uint16_t *place = gr_arena_array(arena, uint16_t, count);
    for (uint16_t i = 0; i < count; i++)
        place[i] = (uint16_t)gr_layout_find(&layout, gr_member_id(gr_bytes_text(card[i].name)));
    uint16_t *owner = gr_arena_array(arena, uint16_t, (size_t)partitions * n);
    // Round and round: each is first, second, third ... of as many partitions as any other.
    for (uint32_t p = 0; p < partitions; p++)
        for (uint8_t i = 0; i < n; i++)
            owner[(size_t)p * n + i] = place[(p + i) % count];
    layout.owner = owner;
    return layout;
}

// ---- the next --------------------------------------------------------------------------------

static bool is_same(const char *a, const char *b)
{
    return gr_bytes_equal(gr_bytes_text(a), gr_bytes_text(b));
}

// LY3. The first member that has the same name is the number of a site, rack or host.
static void find_places(
    const struct gr_layout_member *member, uint16_t count, struct gr_place *ret_place)
{
    for (uint16_t m = 0; m < count; m++) {
        const struct gr_layout_member *one = &member[m];
        struct gr_place *place = &ret_place[m];
        *place = (struct gr_place){m, m, m, one->out ? 0 : (uint16_t)one->weight};
        for (uint16_t k = m; k-- > 0;) {
            if (!is_same(member[k].site, one->site))
                continue;
            place->site = ret_place[k].site;
            if (!is_same(member[k].rack, one->rack))
                continue;
            place->rack = ret_place[k].rack;
            if (is_same(member[k].host, one->host))
                place->host = ret_place[k].host;
        }
    }
}

// The steps that led to `now`, as many as there may be with one more, and room for that.
static struct gr_layout_step *steps_after(
    struct gr_arena *arena, const struct gr_layout *now, uint32_t *ret_count)
{
    uint32_t kept = GR_MIN(now->step_count, (uint32_t)GR_LAYOUT_STEPS_MAX - 1);
    struct gr_layout_step *step = gr_arena_array(arena, struct gr_layout_step, kept + 1u);
    memcpy(step, &now->step[now->step_count - kept], kept * sizeof *step);
    step[kept] = (struct gr_layout_step){.version = now->version + 1};
    *ret_count = kept + 1;
    return step;
}

static bool is_owner(const struct gr_layout *layout, uint64_t id)
{
    int member = gr_layout_find(layout, id);
    size_t places = (size_t)layout->partitions * layout->n;
    for (size_t i = 0; member >= 0 && i < places; i++)
        if (layout->owner[i] == member)
            return true;
    return false;
}

// LY2. Who is out and owned nothing need not be named.
static const struct gr_layout_member *keep_members(struct gr_arena *arena,
    const struct gr_layout *now, const struct gr_layout_member *member, uint16_t *count)
{
    struct gr_layout_member *kept = gr_arena_array(arena, struct gr_layout_member, *count);
    uint16_t keep = 0;
    for (uint16_t i = 0; i < *count; i++)
        if (!member[i].out || is_owner(now, member[i].id)) {
            kept[keep] = member[i];
            kept[keep++].gone = false; // which is a matter of its store
        }
    *count = keep;
    return kept;
}

enum gr_err gr_layout_plan(struct gr_arena *arena, const struct gr_layout *now,
    const struct gr_layout_member *member, uint16_t count, uint8_t n, struct gr_layout *ret,
    struct gr_placement *ret_placement)
{
    member = keep_members(arena, now, member, &count);
    struct gr_layout next = {.version = now->version + 1,
        .origin = gr_layout_origin(now),
        .partitions = now->partitions,
        .n = n,
        .member_count = count,
        .member = member,
        .before_n = now->n};
    size_t places = (size_t)now->partitions * now->n;
    uint16_t *before = gr_arena_array(arena, uint16_t, places);
    for (size_t i = 0; i < places; i++) {
        int at = gr_layout_find(&next, now->member[now->owner[i]].id);
        if (at < 0) // LY2: what was staged came from a node that does not know this ring
            return GR_ERR_MALFORMED;
        before[i] = (uint16_t)at;
    }
    next.before = before;
    uint16_t *owner = gr_arena_array(arena, uint16_t, (size_t)next.partitions * n);
    struct gr_place *place = gr_arena_array(arena, struct gr_place, count);
    find_places(member, count, place);
    struct gr_ring ring = {
        .partitions = now->partitions, .n = now->n, .member_count = count, .owner = before};
    enum gr_err err =
        gr_placement_plan(next.partitions, n, place, count, &ring, owner, ret_placement);
    if (err != GR_OK)
        return err;
    next.owner = owner;
    next.step = steps_after(arena, now, &next.step_count);
    *ret = next;
    return GR_OK;
}

// ---- a node's own view -----------------------------------------------------------------------

void gr_layout_ring(const struct gr_layout *layout, const struct gr_member *member, uint16_t count,
    struct gr_ring *ret)
{
    struct gr_ring ring;
    gr_assert(count >= layout->n);
    gr_ring_init(&ring, layout->partitions, layout->n, member, count);
    ring.version = layout->version;
    uint16_t *place = gr_hook_memory(NULL, layout->member_count * sizeof *place);
    memset(place, 0, layout->member_count * sizeof *place);
    for (uint16_t m = 0; m < count; m++) {
        int at = gr_layout_find(layout, ring.member[m].id);
        ring.member[m].out = at < 0 || layout->member[at].out;
        if (at < 0)
            continue;
        memcpy(ring.member[m].host, layout->member[at].host, sizeof ring.member[m].host);
        memcpy(ring.member[m].site, layout->member[at].site, sizeof ring.member[m].site);
        place[at] = m;
    }
    gr_ring_find_sites(&ring);
    for (uint16_t i = 0; i < layout->member_count; i++)
        gr_assert(ring.member[place[i]].id == layout->member[i].id);
    for (size_t i = 0; i < (size_t)layout->partitions * layout->n; i++)
        ring.owner[i] = place[layout->owner[i]];
    if (layout->before_n > 0) {
        size_t places = (size_t)layout->partitions * layout->before_n;
        ring.before_n = layout->before_n;
        ring.before = gr_hook_memory(NULL, places * sizeof *ring.before);
        for (size_t i = 0; i < places; i++)
            ring.before[i] = place[layout->before[i]];
    }
    gr_hook_memory(place, 0);
    *ret = ring;
}
