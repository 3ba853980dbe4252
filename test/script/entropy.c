// What peers say to each other in anti-entropy, in the language of golden scripts; see play.c.
//
//   from 1 probe #7, probed c1 equal|differ, cover #7 p=0 clock=.., covered c1 none|all
//   from 1 begin #7 p=0, begun c1 ok|ERROR p=0 clock=1:1-3 [with foo RECORD ..], branch #7,
//          leaves c1 ok p=0 [with foo RECORD ..], walk #7, offer #7 INDEX foo RECORD
//          [witnessed], taken c1 INDEX RECORD|ERROR [witnessed], join #7 p=0 clock=..,
//          joined c1 ok|ERROR
//
// A clock is written actor:first-last, with commas between rows. Sums are never written: `with`
// names the records that they are the sums of. A probe never equals; a walk is of a whole
// partition.
#include <stdlib.h>
#include <string.h>

#include "test/script/words.h"

static const char *const name[] = {"probe", "probed", "cover", "covered", "begin", "begun",
    "branch", "leaves", "walk", "offer", "taken", "join", "joined", "witness"};

const char *entropy_name(enum gr_message_type type)
{
    bool known = type >= GR_MSG_PROBE && type <= GR_MSG_WITNESS;
    return known ? name[type - GR_MSG_PROBE] : NULL;
}

// ---- reading ---------------------------------------------------------------------------------

static bool is(const char *a, const char *b)
{
    return a != NULL && strcmp(a, b) == 0;
}

static const char *word(const struct line *line, int at)
{
    return at < line->count ? line->word[at] : NULL;
}

static void read_clock(struct words *words, const struct line *line, struct gr_message *m)
{
    enum { ROWS_MAX = 4 };
    struct gr_clock *clock = gr_arena_new(words->arena, struct gr_clock);
    clock->row = gr_arena_array(words->arena, struct gr_clock_row, ROWS_MAX);
    const char *text = words_option(line, "clock", "");
    while (*text != 0 && clock->count < ROWS_MAX) {
        struct gr_clock_row *row = &clock->row[clock->count++];
        *row = (struct gr_clock_row){.actor = words_actor(text[0])};
        char *dash, *end;
        struct gr_interval interval = {.first = strtoull(text + 2, &dash, 10)};
        interval.last = strtoull(dash + 1, &end, 10);
        if (text[1] != ':' || *dash != '-' || interval.first == 0) {
            words->wrong = text;
            return;
        }
        if (interval.first == 1) {
            row->base = interval.last;
        } else {
            row->interval = gr_arena_new(words->arena, struct gr_interval);
            *row->interval = interval;
            row->interval_count = 1;
        }
        text = *end == ',' ? end + 1 : end;
    }
    m->clock_list = clock;
    m->clock_count = 1;
}

// The sums of the records behind `with`: branches, or the leaves of the branches asked for last.
static void read_sums(
    struct words *words, const struct line *line, bool leaves, struct gr_message *m)
{
    struct gr_sum *leaf = gr_arena_array(words->arena, struct gr_sum, GR_MERKLE_LEAVES_MAX);
    struct gr_sum *sum = gr_arena_array(words->arena, struct gr_sum, GR_MERKLE_LEAVES_MAX);
    memset(leaf, 0, GR_MERKLE_LEAVES_MAX * sizeof *leaf);
    int at = 0;
    while (at < line->count && !is(line->word[at], "with"))
        at++;
    for (at++; at < line->count && words->wrong == NULL; at++) {
        struct gr_key key = words_key(words, line->word[at]);
        struct gr_record record = words_record(words, line, ++at);
        at += at + 1 < line->count && words_is_context(line->word[at + 1]);
        uint32_t i = gr_merkle_leaf(words->ring, m->partition, gr_cursor_of(key.slot, key.hash));
        leaf[i] = gr_sum_add(leaf[i], gr_merkle_hash(words->arena, &key, &record));
    }
    uint32_t width = gr_merkle_leaves(words->ring) / GR_MERKLE_BRANCHES;
    for (uint32_t i = 0; i < GR_MERKLE_BRANCHES; i++) {
        if (!leaves)
            sum[m->sum_count++] = gr_merkle_sum(leaf, i * width, (i + 1) * width);
        for (uint32_t k = i * width; leaves && k < (i + 1) * width; k++)
            if (words->branches >> i & 1)
                sum[m->sum_count++] = leaf[k];
    }
    m->sum_list = sum;
}

static void read_hashes(
    struct words *words, uint16_t self, uint16_t peer, uint16_t *list, struct gr_message *m)
{
    uint64_t *hash = gr_arena_array(words->arena, uint64_t, words->ring->partitions);
    for (uint32_t p = 0; p < words->ring->partitions; p++)
        if (gr_ring_position(words->ring, p, self) >= 0 &&
            gr_ring_position(words->ring, p, peer) >= 0) {
            list[m->hash_count] = (uint16_t)p;
            hash[m->hash_count++] = UINT64_MAX; // 1 is that of an empty clock that is damaged
        }
    m->partition_count = m->hash_count;
    m->hash_list = hash;
}

static void read_record(struct words *words, const struct line *line, int at, struct gr_message *m)
{
    m->index = (uint32_t)words_number(words, word(line, 4));
    const char *what = word(line, at);
    if (what != NULL && (what[0] == '[' || is(what, "nothing")))
        m->record = words_record(words, line, at);
    else
        m->status = words_err(words, what);
}

void entropy_read(struct words *words, const struct line *line, uint16_t self, uint16_t peer,
    struct gr_message *m)
{
    m->partition = (uint32_t)words_number(words, words_option(line, "p", "0"));
    m->doubtful = words_flag(line, "doubtful");
    m->lacking = words_flag(line, "lacking");
    m->durable = words_flag(line, "durable");
    m->witnessed = words_flag(line, "witnessed");
    uint16_t *list = gr_arena_array(words->arena, uint16_t, words->ring->partitions);
    for (uint32_t p = 0; p < words->ring->partitions; p++)
        list[p] = (uint16_t)p;
    m->partition_list = list;
    if (m->type == GR_MSG_COVERED && is(word(line, 4), "all"))
        m->partition_count = words->ring->partitions;
    if (m->type == GR_MSG_PROBED && is(word(line, 4), "differ"))
        read_hashes(words, self, peer, list, m);
    if (m->type == GR_MSG_COVER) {
        list[0] = (uint16_t)m->partition;
        m->partition_count = 1;
    }
    if (m->type == GR_MSG_BEGUN || m->type == GR_MSG_LEAVES || m->type == GR_MSG_JOINED)
        m->status = words_err(words, word(line, 4));
    if (m->type == GR_MSG_COVER || m->type == GR_MSG_BEGUN || m->type == GR_MSG_JOIN)
        read_clock(words, line, m);
    if (m->type == GR_MSG_BEGUN || m->type == GR_MSG_LEAVES)
        read_sums(words, line, m->type == GR_MSG_LEAVES, m);
    if (m->type == GR_MSG_BRANCH)
        m->branches = 0xffff;
    if (m->type == GR_MSG_WALK) {
        m->cursor = gr_merkle_first(words->ring, m->partition, 0);
        m->cursor_end = gr_merkle_first(words->ring, m->partition, gr_merkle_leaves(words->ring));
        m->limit = 100;
    }
    if (m->type == GR_MSG_OFFER) {
        m->key = words_key(words, word(line, 5));
        read_record(words, line, 6, m);
    }
    if (m->type == GR_MSG_TAKEN)
        read_record(words, line, 5, m);
    if (m->type == GR_MSG_WITNESS) {
        m->key = words_key(words, word(line, 5));
        m->member = words_member(words, word(line, 4));
    }
}

// ---- showing ---------------------------------------------------------------------------------

static void show_clock(struct text *text, const struct gr_clock *clock)
{
    for (uint32_t i = 0; i < clock->count; i++) {
        const struct gr_clock_row *row = &clock->row[i];
        text_add(text, "%s%c:%llu", i == 0 ? " clock=" : ",", (char)row->actor.store,
            (unsigned long long)row->base);
        for (uint32_t k = 0; k < row->interval_count; k++)
            text_add(text, "+%llu..%llu", (unsigned long long)row->interval[k].first,
                (unsigned long long)row->interval[k].last);
    }
}

void entropy_show(struct text *text, struct words *words, const struct gr_message *m)
{
    bool answers = m->type == GR_MSG_PROBED || m->type == GR_MSG_COVERED ||
                   m->type == GR_MSG_BEGUN || m->type == GR_MSG_LEAVES || m->type == GR_MSG_TAKEN ||
                   m->type == GR_MSG_JOINED;
    text_add(text, " ");
    if (answers)
        text_add(text, "#%llu", (unsigned long long)m->id);
    else
        text_name(text, &words->calls, 'c', m->id);
    if (m->type == GR_MSG_BEGUN || m->type == GR_MSG_LEAVES || m->type == GR_MSG_TAKEN ||
        m->type == GR_MSG_JOINED) {
        text_add(text, " ");
        text_err(text, m->status);
    }
    if (m->type == GR_MSG_BRANCH)
        words->branches = m->branches;
    if (m->type == GR_MSG_PROBED)
        text_add(text, m->hash_count == 0 ? " equal" : " differ");
    for (uint32_t i = 0; i < m->partition_count && m->type != GR_MSG_PROBED; i++)
        text_add(text, " p%u", m->partition_list[i]);
    if (m->type == GR_MSG_BEGIN)
        text_add(text, " p%u", m->partition);
    if (m->doubtful)
        text_add(text, " doubtful");
    if (m->lacking)
        text_add(text, " lacking");
    if (m->type == GR_MSG_COVER && m->durable)
        text_add(text, " durable");
    for (uint32_t i = 0; i < m->clock_count; i++)
        show_clock(text, &m->clock_list[i]);
    if (m->type == GR_MSG_WITNESS) {
        text_add(text, " %d ", words_place(m->member));
        text_bytes(text, m->key.key);
    }
    if (m->type == GR_MSG_OFFER || m->type == GR_MSG_TAKEN) {
        text_add(text, " %u ", m->index);
        if (m->type == GR_MSG_OFFER) {
            text_bytes(text, m->key.key);
            text_add(text, " ");
        }
        text_record(text, &m->record);
        text_add(text, m->witnessed ? " witnessed" : "");
    }
}
