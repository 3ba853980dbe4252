// Playing a golden script: events in, effects out, compared line by line.
#ifndef GR_SCRIPT_PLAY_H
#define GR_SCRIPT_PLAY_H

#include "test/script/words.h"

// What one step put out, as text; cleared when the script has compared it.
enum { EFFECTS_MAX = 1024 };
struct effects {
    const char *text[EFFECTS_MAX];
    uint32_t count, compared;
};

// Adds one line for an effect.
void show_effect(struct words *words, struct effects *effects, const struct gr_effect *effect);

struct verdict {
    bool failed;
    char story[2 * TEXT_MAX]; // line, what was expected, what came
};

// Plays the script (text of a file) with one rule left out, or none. With `print` the script is
// written to stdout with the effects that came in place of those it expects.
void play(
    const char *name, const char *script, enum gr_canary canary, bool print, struct verdict *ret);
// The next line of a script, without its comment and the space around it, in a buffer of TEXT_MAX;
// false at the end.
bool play_next_line(const char **script, char *ret_line);
// Whether two lines have the same words, however much space is between them.
bool play_same_words(const char *a, const char *b);

#endif
