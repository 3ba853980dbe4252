// Lines of scripts that are about who owns and who holds what.
#include "test/script/rings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The first of those that owned the partition, and behind them the first of the others.
static void copy_list(const struct gr_ring *before, uint32_t partition, uint8_t n, uint16_t *ret)
{
    const uint16_t *list = gr_ring_owners(before, partition);
    uint8_t count = GR_MIN(n, before->n);
    memcpy(ret, list, count * sizeof *list);
    for (uint16_t m = 0; count < n; m++)
        if (gr_ring_position(before, partition, m) < 0)
            ret[count++] = m;
}

void rings_read(
    struct words *words, const struct line *line, const struct gr_ring *before, struct gr_ring *ret)
{
    uint16_t owner[64 * GR_REPLICAS_MAX];
    uint8_t n = before->n;
    gr_assert(before->partitions <= 64);
    if (words_option(line, "n", NULL) != NULL)
        n = (uint8_t)words_number(words, words_option(line, "n", NULL));
    gr_assert(n > 0 && n <= GR_REPLICAS_MAX && n <= before->member_count);
    for (uint32_t p = 0; p < before->partitions; p++)
        copy_list(before, p, n, &owner[p * n]);
    struct gr_member *member = gr_arena_array(words->arena, struct gr_member, before->member_count);
    memcpy(member, before->member, before->member_count * sizeof *member);
    for (int i = 1; i < line->count; i++) {
        char *at = (char *)line->word[i];
        if (strncmp(at, "out=", 4) == 0) {
            member[strtoul(at + 4, NULL, 10)].out = true;
            continue;
        }
        if (strncmp(at, "n=", 2) == 0)
            continue;
        uint32_t partition = (uint32_t)strtoul(at + 1, &at, 10);
        if (line->word[i][0] != 'p' || *at != '=' || partition >= before->partitions) {
            words->wrong = line->word[i];
            return;
        }
        for (uint8_t k = 0; k < n && *at != 0; k++)
            owner[partition * n + k] = (uint16_t)strtoul(at + 1, &at, 10);
    }
    gr_ring_follow(ret, before, member, before->member_count, n, owner);
}

void rings_read_holds(struct words *words, const struct line *line, int at, uint64_t *ret_held,
    uint64_t *ret_dropping)
{
    *ret_held = *ret_dropping = 0;
    for (; at < line->count; at++) {
        const char *word = line->word[at];
        bool drops = strncmp(word, "dropping=", 9) == 0;
        if (strncmp(word, "run=", 4) == 0 || strncmp(word, "bare-in=", 8) == 0)
            continue;
        word += drops ? 9 : 0;
        if (*word != 'p') {
            words->wrong = line->word[at];
            return;
        }
        uint64_t bit = 1ull << strtoul(word + 1, NULL, 10) % 64;
        *(drops ? ret_dropping : ret_held) |= bit;
    }
}

enum gr_durability rings_durability(const struct line *line, enum gr_durability otherwise)
{
    const char *word = words_option(line, "durability", gr_durability_name(otherwise));
    for (int d = 0; d < GR_DURABILITY_COUNT; d++)
        if (strcmp(word, gr_durability_name((enum gr_durability)d)) == 0)
            return (enum gr_durability)d;
    return otherwise;
}

static uint32_t option_of(
    struct words *words, const struct line *line, const char *name, uint32_t otherwise)
{
    const char *word = words_option(line, name, NULL);
    return word == NULL ? otherwise : (uint32_t)words_number(words, word);
}

struct gr_event rings_read_agreed(
    struct words *words, const struct line *line, const struct gr_node_config *now)
{
    char r[8], w[8];
    snprintf(r, sizeof r, "%u", now->r);
    snprintf(w, sizeof w, "%u", now->w);
    return (struct gr_event){.type = GR_EVENT_AGREED,
        .r = words_quorum(words, line, "r", r),
        .w = words_quorum(words, line, "w", w),
        .durability = rings_durability(line, now->durability),
        .value_max = option_of(words, line, "value_max", now->value_max),
        .siblings_max = option_of(words, line, "siblings_max", now->siblings_max)};
}

void rings_read_relay(struct words *words, const struct line *line, struct gr_message *m)
{
    const char *by = words_option(line, "by", NULL), *at = words_option(line, "relay", "");
    uint64_t *list = gr_arena_array(words->arena, uint64_t, GR_REPLICAS_MAX);
    for (char *end; *at != 0 && m->relay_count < GR_REPLICAS_MAX; at = end + (*end == ','))
        list[m->relay_count++] = words->ring->member[strtoul(at, &end, 10)].id;
    m->relay_list = list;
    m->asked_by = by == NULL ? 0 : words_member(words, by);
}
