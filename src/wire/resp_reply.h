// RESP, the Redis protocol, as a client reads it: replies as trees of values, RESP2 and RESP3.
#ifndef GR_WIRE_RESP_REPLY_H
#define GR_WIRE_RESP_REPLY_H

#include "base/arena.h"
#include "base/bytes.h"

enum {
    GR_REPLY_DEPTH_MAX = 16,            // arrays in arrays
    GR_REPLY_VALUES_MAX = 1 << 20,      // values of one reply, all levels together
    GR_REPLY_LINE_BYTES_MAX = 64 << 10, // a simple string, an error, a number
};

enum gr_reply_type {
    GR_REPLY_NULL,     // $-1, *-1, _
    GR_REPLY_SIMPLE,   // + text
    GR_REPLY_ERROR,    // - and ! text
    GR_REPLY_INTEGER,  // : integer
    GR_REPLY_BULK,     // $ text
    GR_REPLY_ARRAY,    // * value[count]
    GR_REPLY_MAP,      // % value[count]: count is even, keys and values take turns
    GR_REPLY_SET,      // ~ value[count]
    GR_REPLY_PUSH,     // > value[count]: not an answer, but news in between
    GR_REPLY_BOOL,     // # integer 0 or 1
    GR_REPLY_DOUBLE,   // , text as it came, number
    GR_REPLY_BIG,      // ( text as it came: an integer of any size
    GR_REPLY_VERBATIM, // = text, without its "txt:"
};

struct gr_reply {
    enum gr_reply_type type;
    int64_t integer;
    double number;
    struct gr_bytes text;
    const struct gr_reply *value;
    uint32_t count;
};

enum gr_reply_parsed {
    GR_REPLY_MORE,   // all bytes were taken, and the reply goes on
    GR_REPLY_WHOLE,  // *ret is a reply; *ret_used bytes were taken
    GR_REPLY_BROKEN, // parser->error says why; the connection is of no use any more
};

struct gr_reply_frame;

// Reads one reply after the other. Everything of a reply lies in the arena that the parser was
// made with: whoever owns the arena clears it between replies.
struct gr_reply_parser {
    struct gr_arena *arena;
    size_t bytes_max; // of one reply, as it came
    size_t bytes;     // of this reply so far
    uint32_t values;
    uint32_t depth;
    struct gr_reply_frame *frame; // [GR_REPLY_DEPTH_MAX]
    struct gr_writer line;        // what there is of a line that has not ended
    int64_t bulk; // bytes of a bulk still to come with its line end; -1: a line is next
    size_t bulk_size;
    struct gr_writer bulk_data; // what there is of that bulk
    char bulk_mark;             // $ ! or =
    const char *error;
};

void gr_reply_parser_init(struct gr_reply_parser *parser, struct gr_arena *arena, size_t bytes_max);
void gr_reply_parser_deinit(struct gr_reply_parser *parser);
// Takes bytes in, up to the end of one reply: call again with the rest. Attributes (|) are read
// over. *ret_used is set always, *ret only with GR_REPLY_WHOLE.
enum gr_reply_parsed gr_reply_parse(struct gr_reply_parser *parser, struct gr_bytes input,
    size_t *ret_used, const struct gr_reply **ret);

// The value behind the key `name` in a map, or in the flat array that RESP2 makes of one; NULL if
// there is none.
const struct gr_reply *gr_reply_field(const struct gr_reply *map, const char *name);

#endif
