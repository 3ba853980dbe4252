// RESP, the Redis protocol, as a client reads it.
//
// A reply is a tree that comes as a flat run of elements. The parser keeps a stack of the arrays
// that are not yet full; every element that is complete is put into the top one, and a full array
// is itself an element of the one below.
//
// Source: the RESP2 and RESP3 specifications. Streamed strings and aggregates ("$?", "*?") are not
// read: no server of ours sends them.
//
// I1. Bytes are looked at once; an element that has not come whole is kept aside.
// I2. No count in the input takes memory before its elements are there: arrays grow as they fill.
// I3. A reply of over bytes_max bytes, GR_REPLY_VALUES_MAX values or GR_REPLY_DEPTH_MAX levels is
//     broken.
//
// Owns: the stack and what there is of one element. The values belong to the caller's arena.
#include "wire/resp_reply.h"

#include <stdlib.h>
#include <string.h>

#include "wire/resp.h"

struct gr_reply_frame {
    enum gr_reply_type type;
    bool attribute;  // the pairs of an attribute: dropped when full
    uint32_t wanted; // values when full
    uint32_t count, capacity;
    struct gr_reply *value;
};

void gr_reply_parser_init(struct gr_reply_parser *parser, struct gr_arena *arena, size_t bytes_max)
{
    *parser = (struct gr_reply_parser){.arena = arena, .bytes_max = bytes_max, .bulk = -1};
    parser->frame = gr_hook_memory(NULL, GR_REPLY_DEPTH_MAX * sizeof(struct gr_reply_frame));
    gr_writer_init(&parser->line, GR_REPLY_LINE_BYTES_MAX);
    gr_writer_init(&parser->bulk_data, bytes_max + 2);
}

void gr_reply_parser_deinit(struct gr_reply_parser *parser)
{
    parser->frame = gr_hook_memory(parser->frame, 0);
    gr_writer_deinit(&parser->line);
    gr_writer_deinit(&parser->bulk_data);
}

static enum gr_reply_parsed broken(struct gr_reply_parser *parser, const char *why)
{
    parser->error = why;
    return GR_REPLY_BROKEN;
}

// Puts a value that is complete where it belongs; full arrays go the same way.
static enum gr_reply_parsed place(
    struct gr_reply_parser *parser, struct gr_reply value, const struct gr_reply **ret)
{
    while (parser->depth > 0) {
        struct gr_reply_frame *top = &parser->frame[parser->depth - 1];
        if (top->count == top->capacity) {
            uint32_t capacity = GR_MIN(GR_MAX(top->capacity * 2, 4), top->wanted);
            struct gr_reply *grown = gr_arena_array(parser->arena, struct gr_reply, capacity);
            if (top->count > 0)
                memcpy(grown, top->value, top->count * sizeof *grown);
            top->value = grown;
            top->capacity = capacity;
        }
        top->value[top->count++] = value;
        if (top->count < top->wanted)
            return GR_REPLY_MORE;
        parser->depth--;
        if (top->attribute)
            return GR_REPLY_MORE;
        value = (struct gr_reply){.type = top->type, .value = top->value, .count = top->count};
    }
    struct gr_reply *whole = gr_arena_new(parser->arena, struct gr_reply);
    *whole = value;
    *ret = whole;
    parser->bytes = 0;
    parser->values = 0;
    return GR_REPLY_WHOLE;
}

static enum gr_reply_parsed open_array(
    struct gr_reply_parser *parser, char mark, int64_t count, const struct gr_reply **ret)
{
    static const char marks[] = "*%~>|";
    static const enum gr_reply_type types[] = {
        GR_REPLY_ARRAY, GR_REPLY_MAP, GR_REPLY_SET, GR_REPLY_PUSH, GR_REPLY_MAP};
    if (count == -1 && mark == '*')
        return place(parser, (struct gr_reply){.type = GR_REPLY_NULL}, ret);
    if (count < 0 || count > GR_REPLY_VALUES_MAX)
        return broken(parser, "a count is out of range");
    enum gr_reply_type type = types[strchr(marks, mark) - marks];
    uint32_t wanted = (uint32_t)count * (type == GR_REPLY_MAP ? 2 : 1);
    if (wanted == 0)
        return mark == '|' ? GR_REPLY_MORE : place(parser, (struct gr_reply){.type = type}, ret);
    if (parser->depth == GR_REPLY_DEPTH_MAX)
        return broken(parser, "arrays are nested too deep");
    parser->frame[parser->depth++] =
        (struct gr_reply_frame){.type = type, .wanted = wanted, .attribute = mark == '|'};
    return GR_REPLY_MORE;
}

static enum gr_reply_parsed open_bulk(
    struct gr_reply_parser *parser, char mark, int64_t size, const struct gr_reply **ret)
{
    if (size == -1 && mark == '$')
        return place(parser, (struct gr_reply){.type = GR_REPLY_NULL}, ret);
    if (size < 0 || (uint64_t)size > parser->bytes_max || (mark == '=' && size < 4))
        return broken(parser, "a size is out of range");
    parser->bulk_mark = mark;
    parser->bulk_size = (size_t)size;
    parser->bulk = size + 2;
    return GR_REPLY_MORE;
}

static bool read_double(struct gr_reply_parser *parser, struct gr_bytes text, double *ret)
{
    if (text.size == 0 || text.data[0] <= ' ')
        return false; // strtod would skip spaces
    char *copy = gr_arena_take(parser->arena, text.size + 1);
    memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    char *end;
    *ret = strtod(copy, &end);
    return end == copy + text.size;
}

// One line, without its "\r\n".
static enum gr_reply_parsed take_line(
    struct gr_reply_parser *parser, struct gr_bytes line, const struct gr_reply **ret)
{
    if (line.size == 0)
        return broken(parser, "an empty line");
    char mark = (char)line.data[0];
    struct gr_bytes rest = gr_bytes(line.data + 1, line.size - 1);
    struct gr_reply value = {0};
    if (++parser->values > GR_REPLY_VALUES_MAX)
        return broken(parser, "a reply of too many values");
    switch (mark) {
    case '$':
    case '!':
    case '=':
        if (!gr_decimal_read(rest, &value.integer))
            return broken(parser, "a size is not a number");
        return open_bulk(parser, mark, value.integer, ret);
    case '*':
    case '%':
    case '~':
    case '>':
    case '|':
        if (!gr_decimal_read(rest, &value.integer))
            return broken(parser, "a count is not a number");
        return open_array(parser, mark, value.integer, ret);
    case ':':
        value.type = GR_REPLY_INTEGER;
        if (!gr_decimal_read(rest, &value.integer))
            return broken(parser, "an integer is not one");
        break;
    case '#':
        value.type = GR_REPLY_BOOL;
        if (rest.size != 1 || (rest.data[0] != 't' && rest.data[0] != 'f'))
            return broken(parser, "a boolean is neither t nor f");
        value.integer = rest.data[0] == 't';
        break;
    case '_':
        if (rest.size != 0)
            return broken(parser, "a null is not empty");
        break;
    case ',':
        value.type = GR_REPLY_DOUBLE;
        value.text = gr_arena_copy(parser->arena, rest);
        if (!read_double(parser, rest, &value.number))
            return broken(parser, "a double is not a number");
        break;
    case '+':
    case '-':
    case '(':
        value.type = mark == '+' ? GR_REPLY_SIMPLE : mark == '-' ? GR_REPLY_ERROR : GR_REPLY_BIG;
        value.text = gr_arena_copy(parser->arena, rest);
        break;
    default:
        return broken(parser, "an element of an unknown type");
    }
    return place(parser, value, ret);
}

// A bulk with its line end, all there.
static enum gr_reply_parsed take_bulk(
    struct gr_reply_parser *parser, struct gr_bytes bytes, const struct gr_reply **ret)
{
    size_t size = parser->bulk_size;
    if (bytes.data[size] != '\r' || bytes.data[size + 1] != '\n')
        return broken(parser, "a bulk does not end where it should");
    struct gr_reply value = {.type = GR_REPLY_BULK};
    size_t skip = 0;
    if (parser->bulk_mark == '!')
        value.type = GR_REPLY_ERROR;
    if (parser->bulk_mark == '=') {
        value.type = GR_REPLY_VERBATIM;
        if (bytes.data[3] != ':')
            return broken(parser, "a verbatim string names no format");
        skip = 4;
    }
    value.text = gr_arena_copy(parser->arena, gr_bytes(bytes.data + skip, size - skip));
    parser->bulk = -1;
    return place(parser, value, ret);
}

// Takes from *input what belongs to the bulk that is being read.
static enum gr_reply_parsed read_bulk(
    struct gr_reply_parser *parser, struct gr_bytes *input, const struct gr_reply **ret)
{
    size_t size = GR_MIN(input->size, (size_t)parser->bulk);
    struct gr_bytes piece = gr_bytes(input->data, size);
    input->data += size;
    input->size -= size;
    if (size == parser->bulk_size + 2)
        return take_bulk(parser, piece, ret);
    gr_write_bytes(&parser->bulk_data, piece);
    parser->bulk -= (int64_t)size;
    if (parser->bulk > 0)
        return GR_REPLY_MORE;
    enum gr_reply_parsed taken = take_bulk(parser, gr_writer_bytes(&parser->bulk_data), ret);
    gr_writer_deinit(&parser->bulk_data);
    return taken;
}

// Takes from *input up to the end of a line.
static enum gr_reply_parsed read_line(
    struct gr_reply_parser *parser, struct gr_bytes *input, const struct gr_reply **ret)
{
    const uint8_t *found = memchr(input->data, '\n', input->size);
    size_t size = found == NULL ? input->size : (size_t)(found - input->data) + 1;
    struct gr_bytes line = gr_bytes(input->data, size);
    input->data += size;
    input->size -= size;
    bool aside = found == NULL || parser->line.size > 0;
    if (aside) {
        gr_write_bytes(&parser->line, line);
        line = gr_writer_bytes(&parser->line);
    }
    if (parser->line.bad || line.size > GR_REPLY_LINE_BYTES_MAX)
        return broken(parser, "a line is too long");
    if (found == NULL)
        return GR_REPLY_MORE;
    if (line.size < 2 || line.data[line.size - 2] != '\r')
        return broken(parser, "a line does not end with CR LF");
    line.size -= 2;
    enum gr_reply_parsed taken = take_line(parser, line, ret);
    if (aside)
        gr_writer_clear(&parser->line);
    return taken;
}

enum gr_reply_parsed gr_reply_parse(struct gr_reply_parser *parser, struct gr_bytes input,
    size_t *ret_used, const struct gr_reply **ret)
{
    struct gr_bytes rest = input;
    enum gr_reply_parsed parsed = GR_REPLY_MORE;
    if (parser->error != NULL)
        parsed = GR_REPLY_BROKEN;
    while (parsed == GR_REPLY_MORE && rest.size > 0) {
        size_t before = rest.size;
        parsed = parser->bulk >= 0 ? read_bulk(parser, &rest, ret) : read_line(parser, &rest, ret);
        if (parsed == GR_REPLY_MORE) {
            parser->bytes += before - rest.size;
            if (parser->bytes > parser->bytes_max)
                parsed = broken(parser, "a reply is too long");
        }
    }
    *ret_used = input.size - rest.size;
    return parsed;
}

const struct gr_reply *gr_reply_field(const struct gr_reply *map, const char *name)
{
    if (map->type != GR_REPLY_MAP && map->type != GR_REPLY_ARRAY)
        return NULL;
    for (uint32_t i = 0; i + 1 < map->count; i += 2) {
        if (gr_bytes_equal(map->value[i].text, gr_bytes_text(name)))
            return &map->value[i + 1];
    }
    return NULL;
}
