// RESP, the Redis protocol, as a server speaks it.
//
// A command is an array of bulk strings ("*2\r\n$3\r\nGET\r\n$1\r\na\r\n") or, for people with a
// telnet client, one line of words. The parser is a pure function of its own state and of the bytes
// that came since: splitting the input anywhere gives the same commands.
//
// Source: the RESP2 and RESP3 specifications (redis.io/docs/reference/protocol-spec); error texts
// as redis-server 7.0 gives them.
//
// I1. at <= seen <= input size between calls; bytes before `seen` are never looked at again, except
//     to read the one line that they are part of.
// I2. No count or size from the input takes memory before the bytes that it stands for are there.
// I3. After GR_RESP_BROKEN the parser is not used again: what follows cannot be told from data.
//
// Owns: the places of the arguments and the words of an inline command. Bounds: GR_RESP_ARGS_KEPT
// places, one line; the input itself is the caller's, who bounds it by command_max.
#include "wire/resp.h"

#include <stdio.h>
#include <string.h>

// ---- numbers -------------------------------------------------------------------------------

size_t gr_decimal(int64_t value, char to[GR_DECIMAL_BYTES])
{
    char reversed[GR_DECIMAL_BYTES];
    size_t digits = 0, size = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        reversed[digits++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        to[size++] = '-';
    while (digits > 0)
        to[size++] = reversed[--digits];
    return size;
}

bool gr_decimal_read(struct gr_bytes text, int64_t *ret)
{
    size_t at = 0;
    bool minus = text.size > 0 && text.data[0] == '-';
    at += minus;
    size_t digits = text.size - at;
    if (digits == 0 || digits > 19 || (text.data[at] == '0' && (digits > 1 || minus)))
        return false;
    uint64_t value = 0; // 19 digits cannot pass 2^64
    for (; at < text.size; at++) {
        if (text.data[at] < '0' || text.data[at] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.data[at] - '0');
    }
    if (value > (uint64_t)INT64_MAX + minus)
        return false;
    *ret = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

// ---- commands in ---------------------------------------------------------------------------

enum { PLACES_IDLE = 64 }; // more than these are given back when the command is done

void gr_resp_parser_init(struct gr_resp_parser *parser, size_t command_max, size_t bulk_max)
{
    gr_assert(command_max < UINT32_MAX && bulk_max <= command_max);
    *parser = (struct gr_resp_parser){
        .command_max = command_max, .bulk_max = bulk_max, .left = -1, .bulk = -1};
    gr_writer_init(&parser->line, GR_RESP_LINE_BYTES_MAX);
}

void gr_resp_parser_deinit(struct gr_resp_parser *parser)
{
    gr_hook_memory(parser->place, 0);
    gr_writer_deinit(&parser->line);
    *parser = (struct gr_resp_parser){.left = -1, .bulk = -1};
}

void gr_resp_parser_next(struct gr_resp_parser *parser)
{
    if (parser->capacity > PLACES_IDLE) {
        parser->place = gr_hook_memory(parser->place, 0);
        parser->capacity = 0;
    }
    if (parser->line.capacity > 0)
        gr_writer_deinit(&parser->line);
    parser->at = parser->seen = 0;
    parser->left = parser->bulk = -1;
    parser->total = parser->count = 0;
    parser->inlined = false;
}

struct gr_bytes gr_resp_argument(
    const struct gr_resp_parser *parser, struct gr_bytes input, uint32_t i)
{
    gr_assert(i < parser->count);
    const struct gr_resp_place *place = &parser->place[i];
    const uint8_t *from = parser->inlined ? parser->line.data : input.data;
    return gr_bytes(place->size > 0 ? from + place->at : NULL, place->size);
}

static void add_place(struct gr_resp_parser *parser, size_t at, size_t size)
{
    parser->total++;
    if (parser->count == GR_RESP_ARGS_KEPT)
        return;
    if (parser->count == parser->capacity) {
        parser->capacity = GR_MIN(GR_MAX(parser->capacity * 2, 8), GR_RESP_ARGS_KEPT);
        parser->place =
            gr_hook_memory(parser->place, parser->capacity * sizeof(struct gr_resp_place));
    }
    parser->place[parser->count++] = (struct gr_resp_place){(uint32_t)at, (uint32_t)size};
}

static enum gr_resp_parsed broken(struct gr_resp_parser *parser, const char *why)
{
    snprintf(parser->error, sizeof parser->error, "ERR Protocol error: %s", why);
    return GR_RESP_BROKEN;
}

// The value of one of the four escapes that stand for a control character, or the byte itself.
static uint8_t unescaped(uint8_t byte)
{
    switch (byte) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'b':
        return '\b';
    case 'a':
        return '\a';
    default:
        return byte;
    }
}

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

// Reads on within quotes from *at, appending to parser->line, and leaves *at behind the closing
// quote. False: the quote is not closed, or something sticks to it.
static bool read_quoted(struct gr_resp_parser *parser, struct gr_bytes line, size_t *at)
{
    uint8_t quote = line.data[(*at)++];
    for (size_t i = *at; i < line.size; i++) {
        uint8_t byte = line.data[i];
        if (byte == quote) {
            *at = i + 1;
            return *at == line.size || is_space(line.data[*at]);
        }
        if (byte == '\\' && quote == '"' && i + 1 < line.size) {
            int high = i + 3 < line.size ? hex_digit(line.data[i + 2]) : -1;
            int low = i + 3 < line.size ? hex_digit(line.data[i + 3]) : -1;
            if (line.data[i + 1] == 'x' && high >= 0 && low >= 0) {
                byte = (uint8_t)(high << 4 | low);
                i += 3;
            } else {
                byte = unescaped(line.data[++i]);
            }
        } else if (byte == '\\' && i + 1 < line.size && line.data[i + 1] == '\'') {
            byte = line.data[++i];
        }
        gr_write_u8(&parser->line, byte);
    }
    return false;
}

// Splits a line into words as Redis does: "" with escapes, '' with \' only.
static bool split_line(struct gr_resp_parser *parser, struct gr_bytes line)
{
    parser->inlined = true;
    size_t at = 0;
    for (;;) {
        while (at < line.size && is_space(line.data[at]))
            at++;
        if (at == line.size)
            return true;
        size_t start = parser->line.size;
        while (at < line.size && !is_space(line.data[at])) {
            if (line.data[at] == '"' || line.data[at] == '\'') {
                if (!read_quoted(parser, line, &at))
                    return false;
            } else {
                gr_write_u8(&parser->line, line.data[at++]);
            }
        }
        add_place(parser, start, parser->line.size - start);
    }
}

// The end of the line that begins at parser->at: its size without "\r\n" in *ret_size, or MORE.
static enum gr_resp_parsed find_line(struct gr_resp_parser *parser, struct gr_bytes input,
    uint8_t end, const char *too_long, size_t *ret_size)
{
    size_t from = GR_MAX(parser->seen, parser->at);
    size_t stop = GR_MIN(input.size, parser->at + GR_RESP_LINE_BYTES_MAX);
    const uint8_t *found = from < stop ? memchr(input.data + from, end, stop - from) : NULL;
    if (found == NULL) {
        parser->seen = GR_MAX(from, stop);
        if (input.size >= parser->at + GR_RESP_LINE_BYTES_MAX)
            return broken(parser, too_long);
        return GR_RESP_MORE;
    }
    *ret_size = (size_t)(found - input.data) - parser->at;
    return GR_RESP_COMMAND;
}

static enum gr_resp_parsed parse_inline(struct gr_resp_parser *parser, struct gr_bytes input)
{
    size_t size;
    enum gr_resp_parsed found = find_line(parser, input, '\n', "too big inline request", &size);
    if (found != GR_RESP_COMMAND)
        return found;
    if (!split_line(parser, gr_bytes(input.data, size)))
        return broken(parser, "unbalanced quotes in request");
    parser->at = size + 1;
    return GR_RESP_COMMAND;
}

// Reads a line "<mark><number>\r\n" at parser->at and moves behind it.
static enum gr_resp_parsed parse_number(struct gr_resp_parser *parser, struct gr_bytes input,
    const char *too_long, const char *invalid, int64_t *ret)
{
    size_t size;
    enum gr_resp_parsed found = find_line(parser, input, '\r', too_long, &size);
    if (found != GR_RESP_COMMAND)
        return found;
    if (parser->at + size + 1 == input.size) {
        parser->seen = parser->at + size;
        return GR_RESP_MORE;
    }
    struct gr_bytes digits = gr_bytes(input.data + parser->at + 1, size - 1);
    if (!gr_decimal_read(digits, ret) || input.data[parser->at + size + 1] != '\n')
        return broken(parser, invalid);
    parser->at += size + 2;
    parser->seen = parser->at;
    return GR_RESP_COMMAND;
}

// Reads the line before an argument, when it is next.
static enum gr_resp_parsed parse_bulk_line(struct gr_resp_parser *parser, struct gr_bytes input)
{
    uint8_t mark = input.data[parser->at];
    if (mark != '$') {
        char why[32];
        snprintf(why, sizeof why, "expected '$', got '%c'", mark);
        return broken(parser, why);
    }
    int64_t size;
    enum gr_resp_parsed found =
        parse_number(parser, input, "too big bulk count string", "invalid bulk length", &size);
    if (found != GR_RESP_COMMAND)
        return found;
    if (size < 0 || (uint64_t)size > parser->bulk_max)
        return broken(parser, "invalid bulk length");
    if (parser->at + (size_t)size + 2 > parser->command_max)
        return broken(parser, "too big command");
    parser->bulk = size;
    return GR_RESP_COMMAND;
}

enum gr_resp_parsed gr_resp_parse(struct gr_resp_parser *parser, struct gr_bytes input)
{
    if (parser->left < 0) {
        if (input.size == 0)
            return GR_RESP_MORE;
        if (input.data[0] != '*')
            return parse_inline(parser, input);
        int64_t count;
        enum gr_resp_parsed found = parse_number(
            parser, input, "too big mbulk count string", "invalid multibulk length", &count);
        if (found != GR_RESP_COMMAND)
            return found;
        if (count > GR_RESP_ARGS_MAX)
            return broken(parser, "invalid multibulk length");
        parser->left = GR_MAX(count, 0);
    }
    while (parser->left > 0) {
        if (parser->at >= input.size)
            return GR_RESP_MORE;
        if (parser->bulk < 0) {
            enum gr_resp_parsed found = parse_bulk_line(parser, input);
            if (found != GR_RESP_COMMAND)
                return found;
        }
        size_t size = (size_t)parser->bulk;
        if (input.size - parser->at < size + 2)
            return GR_RESP_MORE;
        const uint8_t *end = input.data + parser->at + size;
        if (end[0] != '\r' || end[1] != '\n')
            return broken(parser, "expected a line end after the bulk");
        add_place(parser, parser->at, size);
        parser->at += size + 2;
        parser->seen = parser->at;
        parser->bulk = -1;
        parser->left--;
    }
    return GR_RESP_COMMAND;
}

// ---- replies out ---------------------------------------------------------------------------

static void write_mark(const struct gr_resp *resp, char mark, int64_t value)
{
    char line[GR_DECIMAL_BYTES + 3];
    line[0] = mark;
    size_t size = 1 + gr_decimal(value, line + 1);
    line[size++] = '\r';
    line[size++] = '\n';
    gr_write_bytes(resp->to, gr_bytes(line, size));
}

static void write_end(const struct gr_resp *resp)
{
    gr_write_bytes(resp->to, gr_bytes("\r\n", 2));
}

void gr_resp_simple(const struct gr_resp *resp, const char *text)
{
    gr_write_u8(resp->to, '+');
    gr_write_bytes(resp->to, gr_bytes_text(text));
    write_end(resp);
}

void gr_resp_error(const struct gr_resp *resp, struct gr_bytes text)
{
    gr_write_u8(resp->to, '-');
    uint8_t *to = gr_writer_reserve(resp->to, text.size);
    if (to == NULL)
        return;
    for (size_t i = 0; i < text.size; i++)
        to[i] = text.data[i] == '\r' || text.data[i] == '\n' ? ' ' : text.data[i];
    resp->to->size += text.size;
    write_end(resp);
}

void gr_resp_integer(const struct gr_resp *resp, int64_t value)
{
    write_mark(resp, ':', value);
}

void gr_resp_bulk(const struct gr_resp *resp, struct gr_bytes bytes)
{
    write_mark(resp, '$', (int64_t)bytes.size);
    gr_write_bytes(resp->to, bytes);
    write_end(resp);
}

void gr_resp_text(const struct gr_resp *resp, const char *text)
{
    gr_resp_bulk(resp, gr_bytes_text(text));
}

void gr_resp_verbatim(const struct gr_resp *resp, struct gr_bytes text)
{
    if (!resp->resp3) {
        gr_resp_bulk(resp, text);
        return;
    }
    write_mark(resp, '=', (int64_t)text.size + 4);
    gr_write_bytes(resp->to, gr_bytes_text("txt:"));
    gr_write_bytes(resp->to, text);
    write_end(resp);
}

void gr_resp_null(const struct gr_resp *resp)
{
    gr_write_bytes(resp->to, gr_bytes_text(resp->resp3 ? "_\r\n" : "$-1\r\n"));
}

void gr_resp_null_array(const struct gr_resp *resp)
{
    gr_write_bytes(resp->to, gr_bytes_text(resp->resp3 ? "_\r\n" : "*-1\r\n"));
}

void gr_resp_array(const struct gr_resp *resp, size_t count)
{
    write_mark(resp, '*', (int64_t)count);
}

void gr_resp_map(const struct gr_resp *resp, size_t count)
{
    write_mark(resp, resp->resp3 ? '%' : '*', (int64_t)(resp->resp3 ? count : 2 * count));
}

void gr_resp_set(const struct gr_resp *resp, size_t count)
{
    write_mark(resp, resp->resp3 ? '~' : '*', (int64_t)count);
}

void gr_resp_push(const struct gr_resp *resp, size_t count)
{
    write_mark(resp, resp->resp3 ? '>' : '*', (int64_t)count);
}

void gr_resp_bool(const struct gr_resp *resp, bool value)
{
    if (resp->resp3)
        gr_write_bytes(resp->to, gr_bytes_text(value ? "#t\r\n" : "#f\r\n"));
    else
        gr_resp_integer(resp, value);
}

void gr_resp_double(const struct gr_resp *resp, double value)
{
    char text[40];
    int size = snprintf(text, sizeof text, "%.17g", value);
    gr_assert(size > 0 && (size_t)size < sizeof text);
    if (!resp->resp3) {
        gr_resp_text(resp, text);
        return;
    }
    gr_write_u8(resp->to, ',');
    gr_write_bytes(resp->to, gr_bytes(text, (size_t)size));
    write_end(resp);
}
