// Staging; see stage.h.
//
//   ST1 Members stand by ascending id; whoever leaves or is removed stays in the list, out, so that
//       the layout that is made of it can name him as an owner before.
//   ST2 A change that changes nothing is refused: what is staged says only what will be different.
//   ST3 N is at most as many members as own anything. Who is staged to leave afterwards may make
//       that untrue again: then it cannot be planned (gr_layout_plan).
//
// Source: §4.8.1. Owns: nothing. Bounds: GR_MEMBERS_MAX members, GR_LAYOUT_WHAT_BYTES of words.
#include "core/stage.h"

#include <string.h>

struct gr_staged gr_stage_begin(struct gr_arena *arena, const struct gr_layout *layout)
{
    struct gr_staged staged = {.parent = layout->step[layout->step_count - 1].hash, .n = layout->n};
    struct gr_layout_member *member =
        gr_arena_array(arena, struct gr_layout_member, layout->member_count);
    for (uint16_t i = 0; i < layout->member_count; i++)
        if (!layout->member[i].out)
            member[staged.member_count++] = layout->member[i];
    staged.member = member;
    return staged;
}

// ---- words -----------------------------------------------------------------------------------

static bool add_text(char what[GR_LAYOUT_WHAT_BYTES], const char *text)
{
    size_t had = strlen(what), size = strlen(text);
    if (had + size >= GR_LAYOUT_WHAT_BYTES)
        return false;
    memcpy(what + had, text, size + 1);
    return true;
}

static bool add_number(char what[GR_LAYOUT_WHAT_BYTES], uint32_t number)
{
    char digits[11] = {0};
    int at = 10;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return add_text(what, digits + at);
}

static bool add_words(char what[GR_LAYOUT_WHAT_BYTES], const struct gr_change *change)
{
    static const char *const verb[] = {[GR_CHANGE_JOIN] = "join ",
        [GR_CHANGE_LEAVE] = "leave ",
        [GR_CHANGE_REMOVE] = "remove ",
        [GR_CHANGE_WEIGHT] = "weight ",
        [GR_CHANGE_MOVE] = "move "};
    bool fits = (what[0] == '\0' || add_text(what, ", ")) && add_text(what, verb[change->op]) &&
                add_text(what, change->card->name);
    if (change->op == GR_CHANGE_WEIGHT)
        fits = fits && add_text(what, " to ") && add_number(what, change->weight);
    if (change->op == GR_CHANGE_MOVE)
        fits =
            fits && add_text(what, " to site ") && add_text(what, change->site) &&
            (change->rack[0] == '\0' || (add_text(what, " rack ") && add_text(what, change->rack)));
    return fits;
}

// ---- members ---------------------------------------------------------------------------------

static void set_text(char ret[GR_NAME_BYTES_MAX + 1], const char *text)
{
    size_t size = strlen(text);
    gr_assert(size <= GR_NAME_BYTES_MAX);
    memset(ret, 0, GR_NAME_BYTES_MAX + 1);
    memcpy(ret, text, size);
}

static bool is_text(const char *a, const char *b)
{
    return gr_bytes_equal(gr_bytes_text(a), gr_bytes_text(b));
}

// What joins is as its card says.
static enum gr_stage_fault join(struct gr_layout_member *member, const struct gr_change *change)
{
    const struct gr_card *card = change->card;
    if (!member->out && member->id != 0)
        return GR_STAGE_IN;
    *member = (struct gr_layout_member){.id = gr_member_id(gr_bytes_text(card->name)),
        .weight = change->weight != 0 ? change->weight : card->weight};
    set_text(member->name, card->name);
    set_text(member->host, card->host);
    set_text(member->rack, card->rack);
    set_text(member->site, card->site);
    return GR_STAGE_OK;
}

static enum gr_stage_fault alter(struct gr_layout_member *member, const struct gr_change *change)
{
    switch (change->op) {
    case GR_CHANGE_JOIN:
        return join(member, change);
    case GR_CHANGE_LEAVE:
    case GR_CHANGE_REMOVE:
        member->out = true;
        member->gone = change->op == GR_CHANGE_REMOVE;
        return GR_STAGE_OK;
    case GR_CHANGE_WEIGHT:
        if (member->weight == change->weight)
            return GR_STAGE_UNCHANGED;
        member->weight = change->weight;
        return GR_STAGE_OK;
    case GR_CHANGE_MOVE:
        if (is_text(member->site, change->site) && is_text(member->rack, change->rack))
            return GR_STAGE_UNCHANGED;
        set_text(member->site, change->site);
        set_text(member->rack, change->rack);
        return GR_STAGE_OK;
    }
    gr_unreachable("a change");
}

enum gr_stage_fault gr_stage_change(struct gr_arena *arena, const struct gr_staged *staged,
    const struct gr_change *change, struct gr_staged *ret)
{
    uint64_t id = gr_member_id(gr_bytes_text(change->card->name));
    uint16_t count = staged->member_count, at = 0;
    while (at < count && staged->member[at].id < id)
        at++;
    bool known = at < count && staged->member[at].id == id;
    bool joins = change->op == GR_CHANGE_JOIN;
    // Who has left before, or was never in the ring, may be removed all the same.
    bool removed = change->op == GR_CHANGE_REMOVE && !(known && staged->member[at].gone);
    if (!joins && !removed && (!known || staged->member[at].out))
        return GR_STAGE_OUT;
    if (!known && count == GR_MEMBERS_MAX)
        return GR_STAGE_TOO_MANY;
    struct gr_staged next = *staged;
    if (!add_words(next.what, change))
        return GR_STAGE_TOO_LONG;
    struct gr_layout_member *member = gr_arena_array(arena, struct gr_layout_member, count + 1u);
    memcpy(member, staged->member, at * sizeof *member);
    memcpy(member + at + !known, staged->member + at, (size_t)(count - at) * sizeof *member);
    if (!known)
        member[at] = (struct gr_layout_member){.id = 0};
    if (!known && !joins) {
        (void)join(&member[at], &(struct gr_change){.card = change->card});
        member[at].out = true;
    }
    enum gr_stage_fault fault = alter(&member[at], change);
    next.member = member;
    next.member_count = (uint16_t)(count + !known);
    if (fault == GR_STAGE_OK)
        *ret = next;
    return fault;
}

// ---- N ---------------------------------------------------------------------------------------

uint16_t gr_stage_owners(const struct gr_staged *staged)
{
    uint16_t owners = 0;
    for (uint16_t i = 0; i < staged->member_count; i++)
        owners += !staged->member[i].out && staged->member[i].weight > 0;
    return owners;
}

static const char words_of_n[] = "N to ";

enum gr_stage_fault gr_stage_n(const struct gr_staged *staged, uint8_t n, struct gr_staged *ret)
{
    gr_assert(n > 0 && n <= GR_REPLICAS_MAX);
    if (n == staged->n)
        return GR_STAGE_UNCHANGED; // ST2
    if (n > gr_stage_owners(staged))
        return GR_STAGE_TOO_FEW;
    struct gr_staged next = *staged;
    next.n = n;
    if ((next.what[0] != '\0' && !add_text(next.what, ", ")) || !add_text(next.what, words_of_n) ||
        !add_number(next.what, n))
        return GR_STAGE_TOO_LONG;
    *ret = next;
    return GR_STAGE_OK;
}

// At the beginning of a change: a member may be called N.
bool gr_stage_says_n(const char *what)
{
    size_t size = sizeof words_of_n - 1;
    for (size_t i = 0; what[i] != '\0'; i++) {
        size_t same = 0;
        while (same < size && what[i + same] == words_of_n[same])
            same++;
        if (same == size && (i == 0 || (i > 1 && what[i - 1] == ' ' && what[i - 2] == ',')))
            return true;
    }
    return false;
}
