// Lines of scripts that are about who owns and who holds what.
#include "test/script/rings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void rings_read(
    struct words *words, const struct line *line, const struct gr_ring *before, struct gr_ring *ret)
{
    uint16_t owner[64 * GR_REPLICAS_MAX];
    gr_assert(before->partitions <= 64);
    memcpy(owner, before->owner, (size_t)before->partitions * before->n * sizeof *owner);
    struct gr_member *member = gr_arena_array(words->arena, struct gr_member, before->member_count);
    memcpy(member, before->member, before->member_count * sizeof *member);
    for (int i = 1; i < line->count; i++) {
        char *at = (char *)line->word[i];
        if (strncmp(at, "out=", 4) == 0) {
            member[strtoul(at + 4, NULL, 10)].out = true;
            continue;
        }
        uint32_t partition = (uint32_t)strtoul(at + 1, &at, 10);
        if (line->word[i][0] != 'p' || *at != '=' || partition >= before->partitions) {
            words->wrong = line->word[i];
            return;
        }
        for (uint8_t k = 0; k < before->n && *at != 0; k++)
            owner[partition * before->n + k] = (uint16_t)strtoul(at + 1, &at, 10);
    }
    gr_ring_follow(ret, before, member, before->member_count, before->n, owner);
}

void rings_read_holds(struct words *words, const struct line *line, int at, uint64_t *ret_held,
    uint64_t *ret_dropping)
{
    *ret_held = *ret_dropping = 0;
    for (; at < line->count; at++) {
        const char *word = line->word[at];
        bool drops = strncmp(word, "dropping=", 9) == 0;
        if (strncmp(word, "run=", 4) == 0)
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

struct gr_event rings_read_agreed(
    struct words *words, const struct line *line, const struct gr_node_config *now)
{
    char r[8], w[8];
    snprintf(r, sizeof r, "%u", now->r);
    snprintf(w, sizeof w, "%u", now->w);
    return (struct gr_event){.type = GR_EVENT_AGREED,
        .r = words_quorum(words, line, "r", r),
        .w = words_quorum(words, line, "w", w),
        .durability = rings_durability(line, now->durability)};
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
