// Lines of scripts that say what the store held when the node started; see play.c.
#ifndef GR_TEST_SCRIPT_LOAD_H
#define GR_TEST_SCRIPT_LOAD_H

#include "core/node.h"
#include "test/script/words.h"

// "load ..."
void load_line(struct words *words, const struct line *line, struct gr_node *node);
// "foo 1:4 RECORD", from word *at on.
struct gr_hint load_hint(struct words *words, const struct line *line, int *at);

#endif
