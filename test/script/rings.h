// Lines of scripts that are about who owns and who holds what; see play.c.
#ifndef GR_TEST_SCRIPT_RINGS_H
#define GR_TEST_SCRIPT_RINGS_H

#include "core/node.h"
#include "test/script/words.h"

enum { RINGS_MAX = 8 };

// "adopt [n=4] p0=3,1,2 [p1=..] [out=4]": the ring before, with that N and those lists, and that
// member out of it.
void rings_read(struct words *words, const struct line *line, const struct gr_ring *before,
    struct gr_ring *ret);
// Words from `at` on: "p0 p3 [dropping=p1]"; `held` and `dropping` are a word each.
void rings_read_holds(struct words *words, const struct line *line, int at, uint64_t *ret_held,
    uint64_t *ret_dropping);
enum gr_durability rings_durability(const struct line *line, enum gr_durability otherwise);
// "agreed [r= w= durability= value_max= siblings_max=]": what is not said stays as it is.
struct gr_event rings_read_agreed(
    struct words *words, const struct line *line, const struct gr_node_config *now);
// "relay=2,3" and "by=4": to whom a write is to be passed on, and whom to answer.
void rings_read_relay(struct words *words, const struct line *line, struct gr_message *m);

#endif
