// The words of a golden script: how dots, contexts, records, keys and cursors are written in one.
//
//   dot      1:3                   actor '1' (a letter or a digit), its third write
//   context  {0:1-4 2:7}           everything up to 0:4, and the single dot 2:7
//   sibling  0:1=x@10+12!60000     value x, put at 10 ms, touched at 12 ms, due at 60,000 ms
//            0:1~@10               the same without its value
//   record   [0:1=x@10] {0:1-1}    siblings and context; `nothing` when there is neither
//   cursor   p3, at:foo, after:foo, end   where partition 3 begins, key foo, behind it, behind all;
//            leaf:foo              behind the Merkle leaf that holds foo
//
// Times are milliseconds after the start of the script, for the node's clock and the time of day.
// Tickets and calls get names in the order in which they are first seen: t1 (a read), s1 (a scan),
// c1 (a call of this node); #7 is a call of a peer.
#ifndef GR_SCRIPT_WORDS_H
#define GR_SCRIPT_WORDS_H

#include <stdarg.h>
#include <stdio.h>

#include "core/node.h"

enum { WORDS_MAX = 64, NAMES_MAX = 256, TEXT_MAX = 4000 };
#define SCRIPT_WALL_MS 1200000000000 // the start, in milliseconds since 1970: a whole minute

struct names {
    uint64_t id[NAMES_MAX];
    uint32_t count;
};

struct words {
    struct gr_arena *arena; // what is read lives here
    const struct gr_ring *ring;
    struct names reads, scans, calls;
    struct gr_key key[NAMES_MAX]; // every key that was named
    uint32_t key_count;
    uint32_t branches; // that the node asked for last
    const char *wrong; // the first word that was not understood, or NULL
};

// One line, cut at spaces outside brackets.
struct line {
    char *word[WORDS_MAX];
    int count;
};

void words_split(struct words *words, const char *text, struct line *ret);
// The text behind "name=" on the line, or `otherwise`.
const char *words_option(const struct line *line, const char *name, const char *otherwise);
bool words_flag(const struct line *line, const char *name);

// Reading. What is not understood sets words->wrong and gives a zero.
int64_t words_number(struct words *words, const char *text); // "20", "20ms"
// Option `name`: a number, `local` or `each`.
uint8_t words_quorum(
    struct words *words, const struct line *line, const char *name, const char *otherwise);
gr_hybrid words_hybrid(struct words *words, const char *text);
struct gr_wall words_wall(struct words *words, const char *text); // "-": never
struct gr_bytes words_bytes(struct words *words, const char *text);
struct gr_key words_key(struct words *words, const char *text); // in the bucket "b"
struct gr_dot words_dot(struct words *words, const char *text);
struct gr_context words_context(struct words *words, const char *text);
bool words_is_context(const char *text); // and not a key with a {tag}
// The record that begins at word `at`: "nothing", "[...]", or "[...]" and "{...}".
struct gr_record words_record(struct words *words, const struct line *line, int at);
struct gr_actor words_actor(char name);
// A member is written as its place in the ring, and its id is one more.
uint64_t words_member(struct words *words, const char *text);
int words_place(uint64_t id);
gr_cursor words_cursor(struct words *words, const char *text);
enum gr_err words_err(struct words *words, const char *text); // "busy", "no_space"; "ok"
uint64_t words_name(struct words *words, struct names *names, const char *text);

// Writing: a text that grows, up to TEXT_MAX.
struct text {
    char data[TEXT_MAX];
    size_t size;
};

void text_add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_bytes(struct text *text, struct gr_bytes bytes);
void text_hybrid(struct text *text, gr_hybrid hybrid);
void text_dot(struct text *text, const struct gr_dot *dot);
void text_context(struct text *text, const struct gr_context *context);
void text_record(struct text *text, const struct gr_record *record);
void text_cursor(struct text *text, const struct words *words, gr_cursor cursor);
void text_err(struct text *text, enum gr_err err);
// The name of an id; a new one if it was not seen before.
void text_name(struct text *text, struct names *names, char kind, uint64_t id);

// Anti-entropy (entropy.c): the name of its messages, or NULL; the rest of a line that says one to
// node `self`; one that the node sends.
const char *entropy_name(enum gr_message_type type);
void entropy_read(struct words *words, const struct line *line, uint16_t self, uint16_t peer,
    struct gr_message *m);
void entropy_show(struct text *text, struct words *words, const struct gr_message *m);

#endif
