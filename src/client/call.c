// One call: a request made of words, sent, and its reply as what the caller sees.
//
// A request is written out before the previous reply is let go, because its words may lie there: a
// context that gramme_get handed out is passed to gramme_put as it is. Replies become trees of
// gramme_reply with a zero byte behind every text; they live in the client's arena until the next
// request is on its way.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/inside.h"

struct gramme_bytes gramme_text(const char *text)
{
    return (struct gramme_bytes){.data = text, .size = strlen(text)};
}

// ---- open and close --------------------------------------------------------------------------

// "host:port", "[v6]:port", "host", "[v6]", or a bare v6 address, whose colons are no port's.
static void split_address(struct gramme *client)
{
    const char *text = client->address;
    const char *end = text + strlen(text);
    const char *colon = strrchr(text, ':');
    const char *port = "7379";
    if (text[0] == '[') {
        const char *close = strchr(text, ']');
        text++;
        end = close != NULL ? close : end;
        port = close != NULL && close[1] == ':' ? close + 2 : port;
    } else if (colon != NULL && strchr(text, ':') == colon) {
        end = colon;
        port = colon + 1;
    }
    snprintf(client->host, sizeof(client->host), "%.*s", (int)(end - text), text);
    snprintf(client->port, sizeof(client->port), "%s", port);
}

struct gramme *gramme_open(const char *address, unsigned timeout_ms)
{
    struct gramme *client = gr_hook_memory(NULL, sizeof(*client));
    *client = (struct gramme){.fd = -1};
    client->timeout_ms =
        timeout_ms == 0 ? GR_CLIENT_TIMEOUT_MS : (int)GR_MIN(timeout_ms, (unsigned)INT32_MAX);
    snprintf(client->address, sizeof(client->address), "%s", address);
    split_address(client);
    gr_writer_init(&client->request, GR_CLIENT_BYTES_MAX);
    return client;
}

void gramme_close(struct gramme *client)
{
    if (client == NULL)
        return;
    gr_client_disconnect(client);
    gr_writer_deinit(&client->request);
    gr_arena_deinit(&client->arena);
    gr_hook_memory(client, 0);
}

// ---- errors ----------------------------------------------------------------------------------

const char *gramme_error(const struct gramme *client)
{
    return client->error;
}

const char *gramme_error_word(const struct gramme *client)
{
    return client->word;
}

enum gramme_outcome gr_client_fail(
    struct gramme *client, enum gramme_outcome outcome, const char *word, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(client->error, sizeof(client->error), format, list);
    va_end(list);
    snprintf(client->word, sizeof(client->word), "%s", word);
    return outcome;
}

// The node's own error: its first word decides what became of a write. Only NOREPLICAS leaves that
// open; every other is said before the first replica was written.
static enum gramme_outcome fail_with(struct gramme *client, struct gr_bytes error)
{
    const char *text = (const char *)error.data;
    size_t word = 0;
    while (word < error.size && word < GR_CLIENT_WORD_BYTES - 1 && text[word] >= 'A' &&
           text[word] <= 'Z')
        word++;
    size_t rest = word < error.size && text[word] == ' ' ? word + 1 : 0;
    char name[GR_CLIENT_WORD_BYTES];
    snprintf(name, sizeof(name), "%.*s", rest > 0 ? (int)word : 3, rest > 0 ? text : "ERR");
    bool open = strcmp(name, "NOREPLICAS") == 0;
    return gr_client_fail(client, open ? GRAMME_INDETERMINATE : GRAMME_REJECTED, name, "%.*s",
        (int)GR_MIN(error.size - rest, GR_CLIENT_ERROR_BYTES - 1), text + rest);
}

// ---- a request -------------------------------------------------------------------------------

void gr_client_begin(struct gramme *client, size_t words)
{
    client->word[0] = client->error[0] = 0;
    gr_writer_clear(&client->request);
    char line[32];
    int size = snprintf(line, sizeof(line), "*%zu\r\n", words);
    gr_write_bytes(&client->request, gr_bytes(line, (size_t)size));
}

void gr_client_word(struct gramme *client, struct gr_bytes word)
{
    char line[32];
    int size = snprintf(line, sizeof(line), "$%zu\r\n", word.size);
    gr_write_bytes(&client->request, gr_bytes(line, (size_t)size));
    if (word.size > 0)
        gr_write_bytes(&client->request, word);
    gr_write_bytes(&client->request, gr_bytes("\r\n", 2));
}

void gr_client_text(struct gramme *client, const char *text)
{
    gr_client_word(client, gr_bytes_text(text));
}

void gr_client_number(struct gramme *client, uint64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    gr_client_word(client, gr_bytes(text, (size_t)size));
}

enum gramme_outcome gr_client_end(struct gramme *client, const struct gr_reply **ret_reply)
{
    if (client->request.bad)
        return gr_client_fail(client, GRAMME_REJECTED, "LIMIT", "the request is larger than %d MiB",
            GR_CLIENT_BYTES_MAX >> 20);
    gr_arena_clear(&client->arena);
    enum gramme_outcome outcome = gr_client_connect(client);
    if (outcome == GRAMME_OK)
        outcome = gr_client_exchange(client, ret_reply);
    if (outcome == GRAMME_OK && (*ret_reply)->type == GR_REPLY_ERROR)
        outcome = fail_with(client, (*ret_reply)->text);
    // A large value must not stay with a client that never sends one again.
    if (client->request.capacity > 1 << 20)
        gr_writer_deinit(&client->request);
    return outcome;
}

// ---- any command -----------------------------------------------------------------------------

static struct gramme_bytes ended(struct gr_arena *arena, struct gr_bytes text)
{
    char *copy = gr_arena_take(arena, text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    return (struct gramme_bytes){.data = copy, .size = text.size};
}

static enum gramme_kind kind_of(enum gr_reply_type type)
{
    switch (type) {
    case GR_REPLY_NULL:
        return GRAMME_NIL;
    case GR_REPLY_INTEGER:
        return GRAMME_INTEGER;
    case GR_REPLY_BOOL:
        return GRAMME_BOOLEAN;
    case GR_REPLY_DOUBLE:
        return GRAMME_DOUBLE;
    case GR_REPLY_ERROR:
        return GRAMME_ERROR;
    case GR_REPLY_MAP:
        return GRAMME_MAP;
    case GR_REPLY_ARRAY:
    case GR_REPLY_SET:
    case GR_REPLY_PUSH:
        return GRAMME_ARRAY;
    case GR_REPLY_SIMPLE:
    case GR_REPLY_BULK:
    case GR_REPLY_BIG:
    case GR_REPLY_VERBATIM:
        return GRAMME_TEXT;
    }
    gr_unreachable("a reply of no type");
}

// The depth is bounded by the parser (GR_REPLY_DEPTH_MAX).
static void translate(struct gr_arena *arena, const struct gr_reply *from, struct gramme_reply *to)
{
    struct gramme_reply *item =
        from->count > 0 ? gr_arena_array(arena, struct gramme_reply, from->count) : NULL;
    for (uint32_t i = 0; i < from->count; i++)
        translate(arena, &from->value[i], &item[i]);
    *to = (struct gramme_reply){.kind = kind_of(from->type),
        .text = ended(arena, from->text),
        .integer = from->integer,
        .real = from->number,
        .count = from->count,
        .item = item};
}

enum gramme_outcome gramme_command(struct gramme *client, int argc, const struct gramme_bytes *argv,
    const struct gramme_reply **ret_reply)
{
    gr_assert(argc > 0);
    gr_client_begin(client, (size_t)argc);
    for (int i = 0; i < argc; i++)
        gr_client_word(client, gr_client_bytes(argv[i]));
    const struct gr_reply *reply = NULL;
    enum gramme_outcome outcome = gr_client_end(client, &reply);
    if (outcome != GRAMME_OK || ret_reply == NULL)
        return outcome;
    struct gramme_reply *answer = gr_arena_new(&client->arena, struct gramme_reply);
    translate(&client->arena, reply, answer);
    *ret_reply = answer;
    return GRAMME_OK;
}
