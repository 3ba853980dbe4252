// RESP, the Redis protocol, as a server speaks it: commands in, replies out.
//
// The parser takes a command piece by piece, never looks at a byte twice, and copies nothing but
// inline commands: an argument is a place in the caller's input. The writers append one reply
// element each, in RESP2 or RESP3.
#ifndef GR_WIRE_RESP_H
#define GR_WIRE_RESP_H

#include "base/bytes.h"

// ---- commands in ---------------------------------------------------------------------------

enum {
    GR_RESP_ARGS_KEPT = 2048,          // arguments beyond these are read over and only counted
    GR_RESP_ARGS_MAX = 1 << 20,        // a longer array is a protocol error
    GR_RESP_LINE_BYTES_MAX = 64 << 10, // an inline command, or the line before a bulk
};

// An argument: `size` bytes at `at`, counted from the first byte of the command.
struct gr_resp_place {
    uint32_t at, size;
};

struct gr_resp_parser {
    size_t command_max; // bytes of one command
    size_t bulk_max;    // bytes of one argument
    size_t at;          // bytes of this command that are read
    size_t seen;        // bytes in which the end of a line was looked for
    int64_t left;       // arguments still to come; -1: the command begins here
    int64_t bulk;       // size of the argument that comes next; -1: its line is next
    uint32_t total;     // arguments that the command has
    uint32_t count;     // arguments in `place`: at most GR_RESP_ARGS_KEPT
    uint32_t capacity;
    struct gr_resp_place *place;
    bool inlined;          // places are in `line`
    struct gr_writer line; // the arguments of an inline command, without their quotes
    char error[96];
};

enum gr_resp_parsed {
    GR_RESP_MORE,    // the command goes on in bytes that have not come yet
    GR_RESP_COMMAND, // a whole command is there; it has no argument if the line was empty
    GR_RESP_BROKEN,  // parser->error says why, as Redis would; nothing more can be read
};

// command_max is below 4 GiB.
void gr_resp_parser_init(struct gr_resp_parser *parser, size_t command_max, size_t bulk_max);
void gr_resp_parser_deinit(struct gr_resp_parser *parser);
// `input` begins with the first byte of the command and is as long as what came so far; it may lie
// elsewhere at each call. After GR_RESP_COMMAND, parser->at is the size of the command; look at the
// arguments, then call gr_resp_parser_next and go on behind it.
enum gr_resp_parsed gr_resp_parse(struct gr_resp_parser *parser, struct gr_bytes input);
void gr_resp_parser_next(struct gr_resp_parser *parser);
// Argument number i < parser->count: borrowed from `input`, or from the parser until its next.
struct gr_bytes gr_resp_argument(
    const struct gr_resp_parser *parser, struct gr_bytes input, uint32_t i);

// ---- replies out ---------------------------------------------------------------------------

// Where replies go, and in which of the two protocols.
struct gr_resp {
    struct gr_writer *to;
    bool resp3;
};

void gr_resp_simple(const struct gr_resp *resp, const char *text);
// `text` begins with the error's word ("ERR ..."). Line ends in it become spaces.
void gr_resp_error(const struct gr_resp *resp, struct gr_bytes text);
void gr_resp_integer(const struct gr_resp *resp, int64_t value);
void gr_resp_bulk(const struct gr_resp *resp, struct gr_bytes bytes);
void gr_resp_text(const struct gr_resp *resp, const char *text); // a bulk
// A bulk of ASCII text that clients show to people; RESP3 marks it as such.
void gr_resp_verbatim(const struct gr_resp *resp, struct gr_bytes text);
void gr_resp_null(const struct gr_resp *resp);
void gr_resp_null_array(const struct gr_resp *resp);
// Headers: `count` elements follow, or for a map `count` pairs. RESP2 has arrays only.
void gr_resp_array(const struct gr_resp *resp, size_t count);
void gr_resp_map(const struct gr_resp *resp, size_t count);
void gr_resp_set(const struct gr_resp *resp, size_t count);
void gr_resp_push(const struct gr_resp *resp, size_t count);
void gr_resp_bool(const struct gr_resp *resp, bool value);
void gr_resp_double(const struct gr_resp *resp, double value);

// ---- numbers -------------------------------------------------------------------------------

enum { GR_DECIMAL_BYTES = 20 };

// Writes `value` in decimal to `to`, without an end; returns how many bytes.
size_t gr_decimal(int64_t value, char to[GR_DECIMAL_BYTES]);
// The only spelling that gr_decimal gives a number, as Redis reads them: no plus, no leading zeros,
// no spaces. False, and *ret untouched, for anything else or what does not fit.
bool gr_decimal_read(struct gr_bytes text, int64_t *ret);

#endif
