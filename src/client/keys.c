// Get, put, delete and the walk over keys, as the node's GR.GET, GR.PUT, GR.DEL and SCAN.
#include <string.h>

#include "client/inside.h"

// A key that cannot be in a reply's place says that the other end is no Gramme.
static enum gramme_outcome strange(struct gramme *client, const char *command)
{
    return gr_client_fail(client, GRAMME_INDETERMINATE, "PROTOCOL",
        "the answer of %s to %s is not the one that this command has", client->address, command);
}

// A read leaves nothing behind, whatever became of its answer.
static enum gramme_outcome of_read(enum gramme_outcome outcome)
{
    return outcome == GRAMME_OK ? GRAMME_OK : GRAMME_REJECTED;
}

static struct gramme_bytes copied(struct gramme *client, struct gr_bytes text)
{
    uint8_t *copy = gr_arena_take(&client->arena, text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    copy[text.size] = 0;
    return (struct gramme_bytes){.data = copy, .size = text.size};
}

static bool is_text(const struct gr_reply *reply)
{
    return reply->type == GR_REPLY_BULK || reply->type == GR_REPLY_SIMPLE;
}

// ---- options ---------------------------------------------------------------------------------

struct option {
    const char *name;
    uint64_t number; // 0 = not given
};

static size_t count_words(const struct option *options, size_t count)
{
    size_t words = 0;
    for (size_t i = 0; i < count; i++)
        words += options[i].number != 0 ? 2 : 0;
    return words;
}

static void add_options(struct gramme *client, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (options[i].number == 0)
            continue;
        gr_client_text(client, options[i].name);
        bool by_site = strlen(options[i].name) == 1; // R or W
        if (by_site && options[i].number == GRAMME_LOCAL)
            gr_client_text(client, "LOCAL");
        else if (by_site && options[i].number == GRAMME_EACH)
            gr_client_text(client, "EACH");
        else
            gr_client_number(client, options[i].number);
    }
}

// ---- get -------------------------------------------------------------------------------------

enum gramme_outcome gramme_get(struct gramme *client, struct gramme_bytes key,
    const struct gramme_read *options, struct gramme_value *ret_value)
{
    struct gramme_read how = options != NULL ? *options : (struct gramme_read){0};
    struct option list[] = {{"R", how.r}, {"PR", how.pr}, {"TIMEOUT", how.timeout_ms}};
    gr_client_begin(client, 2 + count_words(list, GR_COUNT(list)));
    gr_client_text(client, "GR.GET");
    gr_client_word(client, gr_client_bytes(key));
    add_options(client, list, GR_COUNT(list));
    const struct gr_reply *reply = NULL;
    enum gramme_outcome outcome = gr_client_end(client, &reply);
    if (outcome != GRAMME_OK)
        return of_read(outcome);
    bool fits = reply->type == GR_REPLY_ARRAY && reply->count == 2 &&
                (is_text(&reply->value[0]) || reply->value[0].type == GR_REPLY_NULL) &&
                reply->value[1].type == GR_REPLY_ARRAY;
    for (uint32_t i = 0; fits && i < reply->value[1].count; i++)
        fits = is_text(&reply->value[1].value[i]);
    if (!fits)
        return of_read(strange(client, "GR.GET"));
    const struct gr_reply *values = &reply->value[1];
    struct gramme_bytes *value = gr_arena_array(&client->arena, struct gramme_bytes, values->count);
    for (uint32_t i = 0; i < values->count; i++)
        value[i] = copied(client, values->value[i].text);
    *ret_value = (struct gramme_value){
        .count = values->count, .value = value, .context = copied(client, reply->value[0].text)};
    return GRAMME_OK;
}

// ---- put and delete --------------------------------------------------------------------------

// `value` is NULL for a delete.
static enum gramme_outcome write_key(struct gramme *client, struct gramme_bytes key,
    struct gramme_bytes context, const struct gramme_bytes *value,
    const struct gramme_write *options, struct gramme_bytes *ret_context)
{
    const char *command = value != NULL ? "GR.PUT" : "GR.DEL";
    struct gramme_write how = options != NULL ? *options : (struct gramme_write){0};
    struct option list[] = {{"W", how.w}, {"PW", how.pw}, {"DW", how.dw},
        {"PX", value != NULL ? how.ttl_ms : 0}, {"TIMEOUT", how.timeout_ms}};
    gr_client_begin(client, 3 + (value != NULL) + count_words(list, GR_COUNT(list)));
    gr_client_text(client, command);
    gr_client_word(client, gr_client_bytes(key));
    gr_client_word(client, gr_client_bytes(context));
    if (value != NULL)
        gr_client_word(client, gr_client_bytes(*value));
    add_options(client, list, GR_COUNT(list));
    const struct gr_reply *reply = NULL;
    enum gramme_outcome outcome = gr_client_end(client, &reply);
    if (outcome != GRAMME_OK)
        return outcome;
    if (!is_text(reply) && reply->type != GR_REPLY_NULL)
        return strange(client, command);
    if (ret_context != NULL)
        *ret_context = copied(client, reply->text);
    return GRAMME_OK;
}

enum gramme_outcome gramme_put(struct gramme *client, struct gramme_bytes key,
    struct gramme_bytes context, struct gramme_bytes value, const struct gramme_write *options,
    struct gramme_bytes *ret_context)
{
    return write_key(client, key, context, &value, options, ret_context);
}

enum gramme_outcome gramme_delete(struct gramme *client, struct gramme_bytes key,
    struct gramme_bytes context, const struct gramme_write *options,
    struct gramme_bytes *ret_context)
{
    return write_key(client, key, context, NULL, options, ret_context);
}

// ---- keys ------------------------------------------------------------------------------------

static bool is_end(struct gr_bytes cursor)
{
    return gr_bytes_equal(cursor, gr_bytes_text("0"));
}

enum gramme_outcome gramme_keys(
    struct gramme *client, const char *pattern, gramme_key_fn *each, void *user)
{
    struct gr_bytes cursor = gr_bytes_text("0");
    do {
        gr_client_begin(client, pattern != NULL ? 6 : 4);
        gr_client_text(client, "SCAN");
        gr_client_word(client, cursor);
        gr_client_text(client, "COUNT");
        gr_client_number(client, 500);
        if (pattern != NULL) {
            gr_client_text(client, "MATCH");
            gr_client_text(client, pattern);
        }
        const struct gr_reply *reply = NULL;
        enum gramme_outcome outcome = gr_client_end(client, &reply);
        if (outcome != GRAMME_OK)
            return of_read(outcome);
        bool fits = reply->type == GR_REPLY_ARRAY && reply->count == 2 &&
                    is_text(&reply->value[0]) && reply->value[1].type == GR_REPLY_ARRAY;
        if (!fits)
            return of_read(strange(client, "SCAN"));
        for (uint32_t i = 0; i < reply->value[1].count; i++) {
            if (!each(user, copied(client, reply->value[1].value[i].text)))
                return GRAMME_OK;
        }
        // The cursor lies in the arena until the next request, which is written before it goes.
        cursor = reply->value[0].text;
    } while (!is_end(cursor));
    return GRAMME_OK;
}
