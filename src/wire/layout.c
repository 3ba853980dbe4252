// Values of facts as bytes: a format, then the fields, numbers before lists; see layout.h.
//
//   V1  One value, one row of bytes: numbers have a fixed width, and nothing can be said in two
//       ways. What decodes is encoded to the bytes that it came from.
//   V2  Nothing that a peer sends makes decoding read beyond its bytes, or take more memory than
//       some twenty bytes for each of them.
//   V3  What a value must be like is said once, in is_... and are_...: asserted of what this node
//       says, and malformed if it is not so with what it hears.
#include "wire/layout.h"

#include <string.h>

#include "base/hash.h"

enum {
    FORMAT = 1,
    PLACES_U8_MAX = 256,                  // members; of more than these a place is a u16
    MEMBER_BYTES_MIN = 8 + 4 * 1 + 4 + 1, // id, four empty texts, weight, out
};

// ---- texts -----------------------------------------------------------------------------------

// Ends within `capacity`, and has nothing below `least` in it.
static bool is_text(const char *text, size_t capacity, char least)
{
    for (size_t i = 0; i < capacity; i++) {
        if (text[i] == '\0')
            return true;
        if (text[i] < least || text[i] > '~')
            return false;
    }
    return false;
}

static bool is_word(const char *text)
{
    return is_text(text, GR_NAME_BYTES_MAX + 1, '!');
}

static void write_text(struct gr_writer *out, const char *text)
{
    size_t size = strlen(text);
    gr_assert(size <= UINT8_MAX);
    gr_write_u8(out, (uint8_t)size);
    gr_write_bytes(out, gr_bytes(text, size));
}

// Only a zero inside is looked for here, since behind it nobody else would look.
static void read_text(struct gr_reader *in, char *ret, size_t capacity)
{
    struct gr_bytes text = gr_read_bytes(in, gr_read_u8(in));
    memset(ret, 0, capacity);
    if (text.size == 0)
        return;
    if (text.size >= capacity || memchr(text.data, 0, text.size) != NULL)
        gr_reader_fail(in);
    else
        memcpy(ret, text.data, text.size);
}

// ---- beginning and end -----------------------------------------------------------------------

static size_t begin(struct gr_writer *out)
{
    size_t start = out->size;
    gr_write_u8(out, FORMAT);
    return start;
}

static void end(struct gr_writer *out, size_t start)
{
    if (out->size - start > GR_FACT_BYTES_MAX)
        out->bad = true;
    if (out->bad)
        out->size = start;
}

static struct gr_reader reader_of(struct gr_bytes bytes)
{
    struct gr_reader in = gr_reader_of(bytes);
    if (gr_read_u8(&in) != FORMAT || bytes.size > GR_FACT_BYTES_MAX)
        gr_reader_fail(&in);
    return in;
}

static bool is_partitions(uint32_t partitions)
{
    return partitions > 0 && partitions <= GR_PARTITIONS_MAX &&
           (partitions & (partitions - 1)) == 0;
}

// ---- cards -----------------------------------------------------------------------------------

static bool is_card(const struct gr_card *card)
{
    return is_word(card->name) && is_word(card->host) && is_word(card->rack) &&
           is_word(card->site) && is_word(card->peer) && is_word(card->resp) &&
           card->name[0] != '\0' && card->peer[0] != '\0' && card->resp[0] != '\0' &&
           card->weight > 0 && card->weight <= GR_WEIGHT_MAX;
}

void gr_card_encode(struct gr_writer *out, const struct gr_card *card)
{
    gr_assert(is_card(card));
    size_t start = begin(out);
    write_text(out, card->name);
    write_text(out, card->host);
    write_text(out, card->rack);
    write_text(out, card->site);
    write_text(out, card->peer);
    write_text(out, card->resp);
    gr_write_u32(out, card->weight);
    end(out, start);
}

enum gr_err gr_card_decode(struct gr_bytes bytes, struct gr_card *ret)
{
    struct gr_reader in = reader_of(bytes);
    struct gr_card card;
    read_text(&in, card.name, sizeof card.name);
    read_text(&in, card.host, sizeof card.host);
    read_text(&in, card.rack, sizeof card.rack);
    read_text(&in, card.site, sizeof card.site);
    read_text(&in, card.peer, sizeof card.peer);
    read_text(&in, card.resp, sizeof card.resp);
    card.weight = gr_read_u32(&in);
    if (!gr_reader_done(&in) || !is_card(&card))
        return GR_ERR_MALFORMED;
    *ret = card;
    return GR_OK;
}

// ---- holdings --------------------------------------------------------------------------------

static bool is_holdings(const struct gr_holdings *holdings)
{
    uint32_t tail = holdings->partitions % 64;
    return is_partitions(holdings->partitions) &&
           (tail == 0 || holdings->bits[holdings->partitions / 64] >> tail == 0);
}

void gr_holdings_encode(struct gr_writer *out, const struct gr_holdings *holdings)
{
    gr_assert(is_holdings(holdings));
    size_t start = begin(out);
    gr_write_u64(out, holdings->store);
    gr_write_u64(out, holdings->run);
    gr_write_u64(out, holdings->bare_in);
    gr_write_u32(out, holdings->partitions);
    for (uint32_t i = 0; i < (holdings->partitions + 7) / 8; i++)
        gr_write_u8(out, (uint8_t)(holdings->bits[i / 8] >> i % 8 * 8));
    end(out, start);
}

enum gr_err gr_holdings_decode(
    struct gr_bytes bytes, struct gr_arena *arena, struct gr_holdings *ret)
{
    struct gr_reader in = reader_of(bytes);
    struct gr_holdings holdings = {0};
    holdings.store = gr_read_u64(&in);
    holdings.run = gr_read_u64(&in);
    holdings.bare_in = gr_read_u64(&in);
    holdings.partitions = gr_read_u32(&in);
    if (in.bad || !is_partitions(holdings.partitions))
        return GR_ERR_MALFORMED;
    struct gr_bytes bits = gr_read_bytes(&in, (holdings.partitions + 7) / 8);
    if (!gr_reader_done(&in))
        return GR_ERR_MALFORMED;
    size_t words = (holdings.partitions + 63) / 64;
    uint64_t *word = gr_arena_take_zero(arena, words * sizeof *word);
    for (size_t i = 0; i < bits.size; i++)
        word[i / 8] |= (uint64_t)bits.data[i] << i % 8 * 8;
    holdings.bits = word;
    if (!is_holdings(&holdings))
        return GR_ERR_MALFORMED;
    *ret = holdings;
    return GR_OK;
}

// ---- layouts: what they must be like ---------------------------------------------------------

// All that says how much there is of the rest.
static bool is_head(const struct gr_layout *layout)
{
    return layout->version > 0 && layout->version <= GR_FACT_VERSION_MAX &&
           is_partitions(layout->partitions) && layout->n > 0 && layout->n <= GR_REPLICAS_MAX &&
           layout->before_n <= GR_REPLICAS_MAX && layout->member_count > 0 &&
           layout->member_count <= GR_MEMBERS_MAX && layout->step_count > 0 &&
           layout->step_count <= GR_LAYOUT_STEPS_MAX;
}

static bool are_members(const struct gr_layout_member *list, uint16_t count)
{
    uint64_t last = 0;
    for (uint16_t i = 0; i < count; i++) {
        const struct gr_layout_member *member = &list[i];
        if (member->id <= last || member->id > GR_MEMBER_ID_MAX || member->weight > GR_WEIGHT_MAX ||
            !is_word(member->name) || !is_word(member->host) || !is_word(member->rack) ||
            !is_word(member->site))
            return false;
        last = member->id;
    }
    return true;
}

static bool is_list(const struct gr_layout *layout, const uint16_t *list, uint8_t n)
{
    for (uint8_t i = 0; i < n; i++) {
        if (list[i] >= layout->member_count)
            return false;
        for (uint8_t j = 0; j < i; j++)
            if (list[i] == list[j])
                return false;
    }
    return true;
}

static bool are_owners(const struct gr_layout *layout)
{
    for (uint32_t p = 0; p < layout->partitions; p++) {
        const uint16_t *list = layout->owner + (size_t)p * layout->n;
        if (!is_list(layout, list, layout->n))
            return false;
        for (uint8_t i = 0; i < layout->n; i++)
            if (layout->member[list[i]].out || layout->member[list[i]].weight == 0)
                return false;
    }
    return true;
}

// The lists before, and who is out, which nothing else could be a reason to name.
static bool are_before(const struct gr_layout *layout)
{
    bool named[GR_MEMBERS_MAX] = {false};
    for (uint32_t p = 0; layout->before_n > 0 && p < layout->partitions; p++) {
        const uint16_t *list = layout->before + (size_t)p * layout->before_n;
        if (!is_list(layout, list, layout->before_n))
            return false;
        for (uint8_t i = 0; i < layout->before_n; i++)
            named[list[i]] = true;
    }
    for (uint16_t i = 0; i < layout->member_count; i++)
        if (layout->member[i].out && !named[i])
            return false;
    return true;
}

static bool is_step(const struct gr_layout_step *step)
{
    return is_word(step->by) && is_text(step->what, sizeof step->what, ' ');
}

static bool are_steps(const struct gr_layout *layout)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < layout->step_count; i++) {
        const struct gr_layout_step *step = &layout->step[i];
        if (step->version <= last || !is_step(step))
            return false;
        last = step->version;
    }
    return last == layout->version;
}

static bool is_body(const struct gr_layout *layout)
{
    for (uint16_t i = 0; i < layout->member_count; i++)
        if (layout->member[i].gone)
            return false;
    return are_members(layout->member, layout->member_count) && are_owners(layout) &&
           are_before(layout) && are_steps(layout);
}

// True if a partition's list before is the one that it has now, in the same order.
static bool is_kept(const struct gr_layout *layout, uint32_t partition)
{
    return layout->before_n == layout->n && memcmp(layout->before + (size_t)partition * layout->n,
                                                layout->owner + (size_t)partition * layout->n,
                                                layout->n * sizeof *layout->owner) == 0;
}

// ---- members ---------------------------------------------------------------------------------

enum { FLAG_OUT = 1, FLAG_GONE = 2 };

static void write_members(
    struct gr_writer *out, const struct gr_layout_member *list, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        const struct gr_layout_member *member = &list[i];
        gr_write_u64(out, member->id);
        write_text(out, member->name);
        write_text(out, member->host);
        write_text(out, member->rack);
        write_text(out, member->site);
        gr_write_u32(out, member->weight);
        gr_write_u8(out, (uint8_t)(member->out * FLAG_OUT | member->gone * FLAG_GONE));
    }
}

static const struct gr_layout_member *read_members(
    struct gr_reader *in, struct gr_arena *arena, uint16_t count)
{
    if ((size_t)count * MEMBER_BYTES_MIN > gr_reader_left(in)) {
        gr_reader_fail(in);
        return NULL;
    }
    struct gr_layout_member *list = gr_arena_array(arena, struct gr_layout_member, count);
    for (uint16_t i = 0; i < count; i++) {
        struct gr_layout_member *member = &list[i];
        member->id = gr_read_u64(in);
        read_text(in, member->name, sizeof member->name);
        read_text(in, member->host, sizeof member->host);
        read_text(in, member->rack, sizeof member->rack);
        read_text(in, member->site, sizeof member->site);
        member->weight = gr_read_u32(in);
        uint8_t flags = gr_read_u8(in);
        if (flags > (FLAG_OUT | FLAG_GONE))
            gr_reader_fail(in);
        member->out = (flags & FLAG_OUT) != 0;
        member->gone = (flags & FLAG_GONE) != 0;
    }
    return list;
}

// ---- layouts: to bytes -----------------------------------------------------------------------

static void write_list(
    struct gr_writer *out, const struct gr_layout *layout, const uint16_t *list, uint8_t n)
{
    for (uint8_t i = 0; i < n; i++)
        if (layout->member_count <= PLACES_U8_MAX)
            gr_write_u8(out, (uint8_t)list[i]);
        else
            gr_write_u16(out, list[i]);
}

// Mostly a layout is much like the one before: a bit says so for each list, and only the others
// follow. Lists of another length have no bits.
static void write_before(struct gr_writer *out, const struct gr_layout *layout)
{
    uint32_t partitions = layout->partitions;
    for (uint32_t p = 0; layout->before_n == layout->n && p < partitions; p += 8) {
        uint8_t bits = 0;
        for (uint32_t i = 0; i < 8 && p + i < partitions; i++)
            bits |= (uint8_t)((unsigned)is_kept(layout, p + i) << i);
        gr_write_u8(out, bits);
    }
    for (uint32_t p = 0; p < partitions; p++)
        if (!is_kept(layout, p))
            write_list(
                out, layout, layout->before + (size_t)p * layout->before_n, layout->before_n);
}

void gr_layout_encode(struct gr_writer *out, const struct gr_layout *layout)
{
    gr_assert((layout->before == NULL) == (layout->before_n == 0));
    gr_assert(is_head(layout) && is_body(layout));
    size_t start = begin(out);
    gr_write_u64(out, layout->version);
    gr_write_u64(out, layout->origin);
    gr_write_u32(out, layout->partitions);
    gr_write_u8(out, layout->n);
    gr_write_u8(out, layout->before_n);
    gr_write_u16(out, layout->member_count);
    gr_write_u8(out, (uint8_t)layout->step_count);
    write_members(out, layout->member, layout->member_count);
    for (uint32_t p = 0; p < layout->partitions; p++)
        write_list(out, layout, layout->owner + (size_t)p * layout->n, layout->n);
    if (layout->before_n > 0)
        write_before(out, layout);
    for (uint32_t i = 0; i < layout->step_count; i++) {
        const struct gr_layout_step *step = &layout->step[i];
        gr_write_u64(out, step->version);
        if (i + 1 < layout->step_count)
            gr_write_u64(out, step->hash);
        gr_write_u64(out, (uint64_t)step->at.ms);
        write_text(out, step->by);
        write_text(out, step->what);
    }
    end(out, start);
}

// ---- layouts: from bytes, which are checked before memory is taken for what they say
// -------------

static size_t list_bytes(const struct gr_layout *layout, uint8_t n)
{
    return n * (layout->member_count <= PLACES_U8_MAX ? sizeof(uint8_t) : sizeof(uint16_t));
}

static void read_list(
    struct gr_reader *in, const struct gr_layout *layout, uint16_t *ret, uint8_t n)
{
    for (uint8_t i = 0; i < n; i++)
        ret[i] = layout->member_count <= PLACES_U8_MAX ? gr_read_u8(in) : gr_read_u16(in);
}

static const uint16_t *read_owners(
    struct gr_reader *in, struct gr_arena *arena, const struct gr_layout *layout)
{
    if (layout->partitions * list_bytes(layout, layout->n) > gr_reader_left(in)) {
        gr_reader_fail(in);
        return NULL;
    }
    uint16_t *list = gr_arena_array(arena, uint16_t, (size_t)layout->partitions * layout->n);
    for (uint32_t p = 0; p < layout->partitions; p++)
        read_list(in, layout, list + (size_t)p * layout->n, layout->n);
    return list;
}

// V1: a list that is the same now has its bit, and bits beyond Q are zero. V2: owners took as many
// bytes as lists that are all the same take memory here.
static const uint16_t *read_before(
    struct gr_reader *in, struct gr_arena *arena, struct gr_layout *layout)
{
    uint32_t partitions = layout->partitions;
    uint8_t n = layout->before_n;
    struct gr_bytes bits = {0};
    if (n == layout->n)
        bits = gr_read_bytes(in, (partitions + 7) / 8);
    else if (partitions * list_bytes(layout, n) > gr_reader_left(in))
        gr_reader_fail(in);
    if (bits.size > 0 && partitions % 8 != 0 && bits.data[partitions / 8] >> partitions % 8 != 0)
        gr_reader_fail(in);
    if (in->bad)
        return NULL;
    uint16_t *list = gr_arena_array(arena, uint16_t, (size_t)partitions * n);
    layout->before = list;
    for (uint32_t p = 0; p < partitions && !in->bad; p++) {
        uint16_t *at = list + (size_t)p * n;
        if (bits.size > 0 && (bits.data[p / 8] >> p % 8 & 1) != 0) {
            memcpy(at, layout->owner + (size_t)p * n, n * sizeof *at);
            continue;
        }
        read_list(in, layout, at, n);
        if (is_kept(layout, p))
            gr_reader_fail(in);
    }
    return list;
}

static const struct gr_layout_step *read_steps(
    struct gr_reader *in, struct gr_arena *arena, uint32_t count, uint64_t last_hash)
{
    struct gr_layout_step *list = gr_arena_array(arena, struct gr_layout_step, count);
    for (uint32_t i = 0; i < count; i++) {
        struct gr_layout_step *step = &list[i];
        step->version = gr_read_u64(in);
        step->hash = i + 1 < count ? gr_read_u64(in) : last_hash;
        step->at = (struct gr_wall){(int64_t)gr_read_u64(in)};
        read_text(in, step->by, sizeof step->by);
        read_text(in, step->what, sizeof step->what);
    }
    return list;
}

enum gr_err gr_layout_decode(struct gr_bytes bytes, struct gr_arena *arena, struct gr_layout *ret)
{
    struct gr_reader in = reader_of(bytes);
    struct gr_layout layout = {0};
    layout.version = gr_read_u64(&in);
    layout.origin = gr_read_u64(&in);
    layout.partitions = gr_read_u32(&in);
    layout.n = gr_read_u8(&in);
    layout.before_n = gr_read_u8(&in);
    layout.member_count = gr_read_u16(&in);
    layout.step_count = gr_read_u8(&in);
    if (in.bad || !is_head(&layout))
        return GR_ERR_MALFORMED;
    layout.member = read_members(&in, arena, layout.member_count);
    if (!in.bad)
        layout.owner = read_owners(&in, arena, &layout);
    if (!in.bad && layout.before_n > 0)
        layout.before = read_before(&in, arena, &layout);
    if (!in.bad)
        layout.step = read_steps(&in, arena, layout.step_count, gr_hash64(bytes, 0));
    if (!gr_reader_done(&in) || !is_body(&layout))
        return GR_ERR_MALFORMED;
    *ret = layout;
    return GR_OK;
}

// ---- what is staged, and what was lost -------------------------------------------------------

static bool is_staged(const struct gr_staged *staged)
{
    return staged->member_count <= GR_MEMBERS_MAX && staged->n > 0 &&
           staged->n <= GR_REPLICAS_MAX && is_text(staged->what, sizeof staged->what, ' ') &&
           staged->what[0] != '\0';
}

void gr_staged_encode(struct gr_writer *out, const struct gr_staged *staged)
{
    gr_assert(is_staged(staged) && are_members(staged->member, staged->member_count));
    size_t start = begin(out);
    gr_write_u64(out, staged->parent);
    write_text(out, staged->what);
    gr_write_u8(out, staged->n);
    gr_write_u16(out, staged->member_count);
    write_members(out, staged->member, staged->member_count);
    end(out, start);
}

enum gr_err gr_staged_decode(struct gr_bytes bytes, struct gr_arena *arena, struct gr_staged *ret)
{
    struct gr_reader in = reader_of(bytes);
    struct gr_staged staged = {.parent = gr_read_u64(&in)};
    read_text(&in, staged.what, sizeof staged.what);
    staged.n = gr_read_u8(&in);
    staged.member_count = gr_read_u16(&in);
    if (in.bad || !is_staged(&staged))
        return GR_ERR_MALFORMED;
    staged.member = read_members(&in, arena, staged.member_count);
    if (!gr_reader_done(&in) || !are_members(staged.member, staged.member_count))
        return GR_ERR_MALFORMED;
    *ret = staged;
    return GR_OK;
}

void gr_lost_encode(struct gr_writer *out, const struct gr_lost *lost)
{
    gr_assert(is_step(&lost->step));
    size_t start = begin(out);
    gr_write_u64(out, lost->step.version);
    gr_write_u64(out, lost->step.hash);
    gr_write_u64(out, (uint64_t)lost->step.at.ms);
    write_text(out, lost->step.by);
    write_text(out, lost->step.what);
    gr_write_u64(out, lost->to_version);
    gr_write_u64(out, lost->to_hash);
    end(out, start);
}

enum gr_err gr_lost_decode(struct gr_bytes bytes, struct gr_lost *ret)
{
    struct gr_reader in = reader_of(bytes);
    struct gr_lost lost;
    lost.step.version = gr_read_u64(&in);
    lost.step.hash = gr_read_u64(&in);
    lost.step.at = (struct gr_wall){(int64_t)gr_read_u64(&in)};
    read_text(&in, lost.step.by, sizeof lost.step.by);
    read_text(&in, lost.step.what, sizeof lost.step.what);
    lost.to_version = gr_read_u64(&in);
    lost.to_hash = gr_read_u64(&in);
    if (!gr_reader_done(&in) || !is_step(&lost.step))
        return GR_ERR_MALFORMED;
    *ret = lost;
    return GR_OK;
}
