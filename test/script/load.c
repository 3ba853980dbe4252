// Lines of scripts that say what the store held when the node started; see play.c.
#include "test/script/load.h"

#include <stdlib.h>
#include <string.h>

#include "test/script/rings.h"

static const char *word(const struct line *line, int at)
{
    return at < line->count ? line->word[at] : NULL;
}

static bool is(const struct line *line, const char *what)
{
    return line->count > 1 && strcmp(line->word[1], what) == 0;
}

struct gr_hint load_hint(struct words *words, const struct line *line, int *at)
{
    struct gr_hint hint = {
        .owner = words_member(words, words_option(line, "for", "0")),
        .key = words_key(words, word(line, *at)),
        .dot = words_dot(words, word(line, *at + 1)),
        .since = words_wall(words, words_option(line, "since", "0")),
        .record = words_record(words, line, *at + 2),
    };
    *at += 3;
    if (*at < line->count && words_is_context(line->word[*at]))
        ++*at;
    return hint;
}

void load_line(struct words *words, const struct line *line, struct gr_node *node)
{
    if (is(line, "holds")) {
        uint64_t held, dropping;
        rings_read_holds(words, line, 2, &held, &dropping);
        gr_node_load_holds(
            node, &(struct gr_holds){.words = 1, .held = &held, .dropping = &dropping});
        return;
    }
    struct gr_key key = words_key(words, word(line, 2));
    uint32_t partition = gr_ring_partition(words->ring, key.slot);
    if (is(line, "leftover")) {
        gr_node_load_leftover(node, partition);
    } else if (is(line, "count")) {
        gr_node_load_partition(
            node, partition, words_number(words, word(line, 3)), (struct gr_sum){0});
    } else if (is(line, "hint")) {
        int at = 2;
        struct gr_hint hint = load_hint(words, line, &at);
        if (words->wrong == NULL)
            gr_node_load_hint(node, &hint);
    } else if (line->count == 4 && is(line, "clock")) {
        const char *dash = strchr(line->word[3], '-');
        uint64_t first = strtoull(line->word[3] + 2, NULL, 10);
        uint64_t last = dash == NULL ? first : strtoull(dash + 1, NULL, 10);
        if (line->word[3][1] != ':' || first == 0 || last < first)
            words->wrong = line->word[3];
        else
            gr_node_load_clock(
                node, partition, words_actor(line->word[3][0]), (struct gr_interval){first, last});
    } else {
        words->wrong = line->word[0];
    }
}
