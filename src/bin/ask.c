// What the verbs that ask a node share: one client, and one way to say why it failed.
//
// An error on a terminal has three parts: what happened, in the node's own words; what it means for
// the data, where that is not plain; and what to do now.
#include "bin/ask.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bin/output.h"

int gr_complain(int code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fflush(stdout);
    fputs("gramme: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return code;
}

struct gramme *gr_ask_open(const struct gr_options *options)
{
    return gramme_open(options->at, (unsigned)options->timeout_ms);
}

static bool is_word(const struct gramme *client, const char *word)
{
    return strcmp(gramme_error_word(client), word) == 0;
}

int gr_ask_failed(
    const struct gr_options *options, const struct gramme *client, enum gramme_outcome outcome)
{
    const char *error = gramme_error(client);
    if (is_word(client, "UNREACHABLE"))
        return gr_complain(GR_EXIT_UNREACHABLE,
            "%s\n  No node answers there. `gramme demo` starts a cluster on this machine; --at "
            "HOST:PORT names another node.",
            error);
    if (is_word(client, "LOST"))
        return gr_complain(GR_EXIT_UNREACHABLE, "%s%s", error,
            outcome == GRAMME_INDETERMINATE
                ? "\n  A write may have happened: `gramme get` through another node (--at) tells."
                : "\n  Ask another node with --at HOST:PORT.");
    if (is_word(client, "PROTOCOL"))
        return gr_complain(
            GR_EXIT_ERROR, "%s\n  Is that a Gramme node's port for Redis clients?", error);
    if (outcome == GRAMME_INDETERMINATE || is_word(client, "NOREPLICAS"))
        return gr_complain(GR_EXIT_QUORUM,
            "%s\n  Some replicas may have it: it can become visible later. `gramme status --at %s` "
            "shows which nodes are down.",
            error, options->at);
    if (is_word(client, "TRYAGAIN"))
        return gr_complain(GR_EXIT_QUORUM,
            "%s\n  Nothing was changed. `gramme status --at %s` shows which nodes are down.", error,
            options->at);
    if (is_word(client, "LOADING") || is_word(client, "BUSY"))
        return gr_complain(GR_EXIT_ERROR, "%s\n  Nothing was changed; try again.", error);
    if (is_word(client, "BADCONTEXT"))
        return gr_complain(GR_EXIT_ERROR,
            "%s\n  Nothing was changed. `gramme get -o json` gives a key's present context.",
            error);
    return gr_complain(GR_EXIT_ERROR, "%s", error);
}

// ---- replies ---------------------------------------------------------------------------------

enum gramme_outcome gr_ask(
    struct gramme *client, const struct gramme_reply **ret_reply, const char *word, ...)
{
    struct gramme_bytes words[8];
    int count = 0;
    va_list list;
    va_start(list, word);
    for (; word != NULL && count < (int)GR_COUNT(words); word = va_arg(list, const char *))
        words[count++] = gramme_text(word);
    va_end(list);
    return gramme_command(client, count, words, ret_reply);
}

const struct gramme_reply *gr_ask_field(const struct gramme_reply *map, const char *name)
{
    if (map->kind != GRAMME_MAP && map->kind != GRAMME_ARRAY)
        return NULL;
    for (size_t i = 0; i + 1 < map->count; i += 2) {
        if (gr_bytes_equal(gr_ask_bytes(map->item[i].text), gr_bytes_text(name)))
            return &map->item[i + 1];
    }
    return NULL;
}

const char *gr_ask_text(const struct gramme_reply *map, const char *name)
{
    const struct gramme_reply *value = gr_ask_field(map, name);
    return value != NULL && value->kind == GRAMME_TEXT ? value->text.data : "";
}

int64_t gr_ask_number(const struct gramme_reply *map, const char *name)
{
    const struct gramme_reply *value = gr_ask_field(map, name);
    return value != NULL ? value->integer : 0;
}

void gr_ask_print_json(const struct gramme_reply *reply)
{
    bool map = reply->kind == GRAMME_MAP;
    switch (reply->kind) {
    case GRAMME_NIL:
        printf("null");
        break;
    case GRAMME_INTEGER:
        printf("%lld", (long long)reply->integer);
        break;
    case GRAMME_DOUBLE:
        printf("%g", reply->real);
        break;
    case GRAMME_BOOLEAN:
        printf(reply->integer != 0 ? "true" : "false");
        break;
    case GRAMME_TEXT:
    case GRAMME_ERROR:
        gr_json_bytes(gr_ask_bytes(reply->text));
        break;
    case GRAMME_ARRAY:
    case GRAMME_MAP:
        printf(map ? "{" : "[");
        for (size_t i = 0; i < reply->count; i++) {
            printf(i == 0 ? "" : map && i % 2 == 1 ? ": " : ", ");
            gr_ask_print_json(&reply->item[i]);
        }
        printf(map ? "}" : "]");
        break;
    }
}

// ---- INFO ------------------------------------------------------------------------------------

struct gr_bytes gr_ask_info(struct gramme_bytes info, const char *name)
{
    const char *at = info.data, *end = at + info.size;
    size_t size = strlen(name);
    while (at < end) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        if (line_end == NULL)
            line_end = end;
        if ((size_t)(line_end - at) > size && memcmp(at, name, size) == 0 && at[size] == ':')
            return gr_bytes(at + size + 1, (size_t)(line_end - at) - size - 1);
        at = line_end + GR_MIN(2, end - line_end);
    }
    return gr_bytes(NULL, 0);
}

// The value of "name=value" in a line "a=1,b=2", cut to fit.
static void copy_part(struct gr_bytes line, const char *name, char *ret_text, size_t text_size)
{
    size_t size = strlen(name);
    ret_text[0] = 0;
    for (size_t at = 0; at < line.size;) {
        const char *part = (const char *)line.data + at;
        const char *comma = memchr(part, ',', line.size - at);
        size_t part_size = comma != NULL ? (size_t)(comma - part) : line.size - at;
        if (part_size > size && memcmp(part, name, size) == 0 && part[size] == '=')
            snprintf(ret_text, text_size, "%.*s", (int)(part_size - size - 1), part + size + 1);
        at += part_size + 1;
    }
}

enum gramme_outcome gr_ask_members(
    struct gramme *client, struct gr_ask_member *ret_member, int max, int *ret_count)
{
    const struct gramme_reply *reply = NULL;
    enum gramme_outcome outcome = gr_ask(client, &reply, "INFO", "members", NULL);
    if (outcome != GRAMME_OK)
        return outcome;
    int count = 0;
    for (; count < max; count++) {
        char line_name[32], state[8];
        snprintf(line_name, sizeof(line_name), "member%d", count);
        struct gr_bytes line = gr_ask_info(reply->text, line_name);
        if (line.size == 0)
            break;
        struct gr_ask_member *member = &ret_member[count];
        copy_part(line, "name", member->name, sizeof(member->name));
        copy_part(line, "address", member->address, sizeof(member->address));
        copy_part(line, "state", state, sizeof(state));
        copy_part(line, "status", member->status, sizeof(member->status));
        member->up = strcmp(state, "up") == 0;
    }
    *ret_count = count;
    return GRAMME_OK;
}

int gr_ask_cluster(
    const struct gr_options *options, struct gr_ask_member *ret_member, int max, int *ret_count)
{
    struct gramme *client = gr_ask_open(options);
    enum gramme_outcome outcome = gr_ask_members(client, ret_member, max, ret_count);
    int code = outcome == GRAMME_OK ? GR_EXIT_OK : gr_ask_failed(options, client, outcome);
    gramme_close(client);
    if (code == GR_EXIT_OK && *ret_count == 0)
        code = gr_complain(
            GR_EXIT_ERROR, "%s is no Gramme node: its INFO names no members", options->at);
    return code;
}
