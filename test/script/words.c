// The words of a golden script; see words.h.
#include "test/script/words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// ---- lines -----------------------------------------------------------------------------------

void words_split(struct words *words, const char *text, struct line *ret)
{
    *ret = (struct line){.count = 0};
    while (*text != 0) {
        while (*text == ' ')
            text++;
        const char *end = text;
        for (int depth = 0; *end != 0 && (depth > 0 || *end != ' '); end++)
            depth += (*end == '[' || *end == '{') - (*end == ']' || *end == '}');
        if (end > text && ret->count < WORDS_MAX) {
            char *word = gr_arena_take_zero(words->arena, (size_t)(end - text) + 1);
            memcpy(word, text, (size_t)(end - text));
            ret->word[ret->count++] = word;
        }
        text = end;
    }
}

const char *words_option(const struct line *line, const char *name, const char *otherwise)
{
    size_t size = strlen(name);
    for (int i = 0; i < line->count; i++)
        if (strncmp(line->word[i], name, size) == 0 && line->word[i][size] == '=')
            return line->word[i] + size + 1;
    return otherwise;
}

bool words_flag(const struct line *line, const char *name)
{
    for (int i = 0; i < line->count; i++)
        if (strcmp(line->word[i], name) == 0)
            return true;
    return false;
}

// ---- reading ---------------------------------------------------------------------------------

static void fail(struct words *words, const char *text)
{
    if (words->wrong == NULL)
        words->wrong = text == NULL ? "a word is missing" : text;
}

int64_t words_number(struct words *words, const char *text)
{
    char *end = NULL;
    long long number = text == NULL ? 0 : strtoll(text, &end, 10);
    if (text == NULL || end == text || (*end != 0 && strcmp(end, "ms") != 0))
        fail(words, text);
    return number;
}

// "10" or "10.3", from *at on.
static gr_hybrid read_hybrid(const char **at)
{
    char *end;
    long long ms = strtoll(*at, &end, 10), count = 0;
    if (*end == '.')
        count = strtoll(end + 1, &end, 10);
    *at = end;
    return gr_hybrid_from((struct gr_wall){SCRIPT_WALL_MS + ms}) + (gr_hybrid)count;
}

uint8_t words_quorum(
    struct words *words, const struct line *line, const char *name, const char *otherwise)
{
    const char *word = words_option(line, name, otherwise);
    return strcmp(word, "local") == 0  ? GR_QUORUM_LOCAL
           : strcmp(word, "each") == 0 ? GR_QUORUM_EACH
                                       : (uint8_t)words_number(words, word);
}

gr_hybrid words_hybrid(struct words *words, const char *text)
{
    const char *at = text;
    gr_hybrid hybrid = read_hybrid(&at);
    if (at == text || *at != 0)
        fail(words, text);
    return hybrid;
}

struct gr_wall words_wall(struct words *words, const char *text)
{
    if (text != NULL && strcmp(text, "-") == 0)
        return (struct gr_wall){0};
    return (struct gr_wall){SCRIPT_WALL_MS + words_number(words, text)};
}

struct gr_bytes words_bytes(struct words *words, const char *text)
{
    if (text == NULL)
        fail(words, text);
    return text == NULL ? gr_bytes(NULL, 0) : gr_bytes_text(text);
}

struct gr_key words_key(struct words *words, const char *text)
{
    struct gr_key key = gr_key_make(gr_bytes_text("b"), words_bytes(words, text));
    for (uint32_t i = 0; i < words->key_count; i++)
        if (gr_key_equal(&words->key[i], &key))
            return key;
    if (words->key_count < NAMES_MAX)
        words->key[words->key_count++] = key;
    return key;
}

uint64_t words_member(struct words *words, const char *text)
{
    return (uint64_t)words_number(words, text) + 1;
}

int words_place(uint64_t id)
{
    return (int)id - 1;
}

struct gr_actor words_actor(char name)
{
    return (struct gr_actor){(uint64_t)(unsigned char)name, 1ull << 32};
}

// "1:3" from *at on; false if there is none.
static bool read_dot(const char **at, struct gr_dot *ret)
{
    const char *text = *at;
    if (!isalnum((unsigned char)text[0]) || text[1] != ':' || !isdigit((unsigned char)text[2]))
        return false;
    char *end;
    *ret = (struct gr_dot){words_actor(text[0]), strtoull(text + 2, &end, 10)};
    *at = end;
    return true;
}

struct gr_dot words_dot(struct words *words, const char *text)
{
    struct gr_dot dot = {.counter = 1};
    const char *at = text;
    if (text == NULL || !read_dot(&at, &dot) || *at != 0)
        fail(words, text);
    return dot;
}

struct gr_context words_context(struct words *words, const char *text)
{
    struct gr_dot vv[WORDS_MAX], cloud[WORDS_MAX], dot;
    uint32_t vv_count = 0, cloud_count = 0;
    const char *at = text != NULL && text[0] == '{' ? text + 1 : "?";
    while (*at != '}' && vv_count < WORDS_MAX && cloud_count < WORDS_MAX) {
        if (*at == ' ') {
            at++;
            continue;
        }
        if (!read_dot(&at, &dot)) {
            fail(words, text);
            break;
        }
        if (*at != '-') {
            cloud[cloud_count++] = dot;
            continue;
        }
        char *end;
        vv[vv_count++] = (struct gr_dot){dot.actor, strtoull(at + 1, &end, 10)};
        at = end;
    }
    return gr_context_make(words->arena, vv, vv_count, cloud, cloud_count);
}

bool words_is_context(const char *text)
{
    size_t size = strlen(text);
    return size >= 2 && text[0] == '{' && text[size - 1] == '}';
}

// "0:1=x@10+12!60000" from *at on.
static bool read_sibling(struct words *words, const char **at, struct gr_sibling *ret)
{
    *ret =
        (struct gr_sibling){.origin = {.time = gr_hybrid_from((struct gr_wall){SCRIPT_WALL_MS})}};
    if (!read_dot(at, &ret->dot))
        return false;
    ret->bare = **at == '~';
    if (**at == '=') {
        const char *from = *at + 1, *to = from + strcspn(from, "@+! ]");
        ret->value = gr_arena_copy(words->arena, gr_bytes(from, (size_t)(to - from)));
        *at = to;
    } else if (ret->bare) {
        ++*at;
    } else {
        return false;
    }
    for (;;) {
        char kind = **at;
        if (kind != '@' && kind != '+' && kind != '!')
            break;
        ++*at;
        gr_hybrid hybrid = read_hybrid(at);
        if (kind == '@')
            ret->origin.time = hybrid;
        else if (kind == '+')
            ret->touch = hybrid;
        else
            ret->expires.ms = gr_hybrid_ms(hybrid);
    }
    // Siblings of one origin time are of one origin.
    ret->origin.id = (struct gr_request_id){1, ret->origin.time};
    return true;
}

struct gr_record words_record(struct words *words, const struct line *line, int at)
{
    struct gr_record record = GR_RECORD_NOTHING;
    const char *text = at < line->count ? line->word[at] : NULL;
    if (text == NULL || (strcmp(text, "nothing") != 0 && text[0] != '[')) {
        fail(words, text);
        return record;
    }
    if (text[0] != '[')
        return record;
    struct gr_sibling *sibling = gr_arena_array(words->arena, struct gr_sibling, WORDS_MAX);
    record.sibling = sibling;
    for (const char *from = text + 1; *from != ']' && record.count < WORDS_MAX;) {
        if (*from == ' ') {
            from++;
        } else if (!read_sibling(words, &from, &sibling[record.count++])) {
            fail(words, text);
            break;
        }
    }
    if (at + 1 < line->count && words_is_context(line->word[at + 1]))
        record.context = words_context(words, line->word[at + 1]);
    return record;
}

gr_cursor words_cursor(struct words *words, const char *text)
{
    if (text != NULL && strcmp(text, "end") == 0)
        return GR_CURSOR_END;
    if (text != NULL && strncmp(text, "after:", 6) == 0) {
        struct gr_key key = words_key(words, text + 6);
        return gr_cursor_of(key.slot, key.hash) + 1;
    }
    if (text != NULL && strncmp(text, "at:", 3) == 0) {
        struct gr_key key = words_key(words, text + 3);
        return gr_cursor_of(key.slot, key.hash);
    }
    if (text != NULL && strncmp(text, "leaf:", 5) == 0) {
        struct gr_key key = words_key(words, text + 5);
        uint32_t at = gr_ring_partition(words->ring, key.slot);
        uint32_t leaf = gr_merkle_leaf(words->ring, at, gr_cursor_of(key.slot, key.hash));
        return gr_merkle_first(words->ring, at, leaf + 1);
    }
    int64_t partition = words_number(words, text != NULL && *text == 'p' ? text + 1 : text);
    if (partition < 0 || partition > words->ring->partitions) {
        fail(words, text);
        return 0;
    }
    return (gr_cursor)gr_ring_first_slot(words->ring, (uint32_t)partition) << 38;
}

enum gr_err words_err(struct words *words, const char *text)
{
    for (int err = 0; text != NULL && err < GR_ERR_COUNT; err++) {
        const char *name = gr_err_info((enum gr_err)err)->name;
        size_t i = 0;
        while (name[i] != 0 && tolower((unsigned char)name[i]) == text[i])
            i++;
        if (name[i] == 0 && text[i] == 0)
            return (enum gr_err)err;
    }
    fail(words, text);
    return GR_OK;
}

uint64_t words_name(struct words *words, struct names *names, const char *text)
{
    if (text != NULL && text[0] == '#')
        return (uint64_t)words_number(words, text + 1);
    uint64_t place = text == NULL ? 0 : strtoull(text + 1, NULL, 10);
    if (place == 0 || place > names->count) {
        fail(words, text);
        return 0;
    }
    return names->id[place - 1];
}

// ---- writing ---------------------------------------------------------------------------------

void text_add(struct text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(text->data + text->size, TEXT_MAX - text->size, format, list);
    va_end(list);
    gr_assert(size >= 0);
    text->size = GR_MIN(text->size + (size_t)size, TEXT_MAX - 1);
}

void text_bytes(struct text *text, struct gr_bytes bytes)
{
    text_add(text, "%.*s", (int)bytes.size, bytes.size == 0 ? "" : (const char *)bytes.data);
}

void text_hybrid(struct text *text, gr_hybrid hybrid)
{
    text_add(text, "%lld", (long long)(gr_hybrid_ms(hybrid) - SCRIPT_WALL_MS));
    if ((hybrid & 0xffff) != 0)
        text_add(text, ".%d", (int)(hybrid & 0xffff));
}

void text_dot(struct text *text, const struct gr_dot *dot)
{
    text_add(text, "%c:%llu", (char)dot->actor.store, (unsigned long long)dot->counter);
}

void text_context(struct text *text, const struct gr_context *context)
{
    text_add(text, "{");
    for (uint32_t i = 0; i < context->vv_count; i++)
        text_add(text, "%s%c:1-%llu", i > 0 ? " " : "", (char)context->vv[i].actor.store,
            (unsigned long long)context->vv[i].counter);
    for (uint32_t i = 0; i < context->cloud_count; i++) {
        text_add(text, "%s", i + context->vv_count > 0 ? " " : "");
        text_dot(text, &context->cloud[i]);
    }
    text_add(text, "}");
}

void text_record(struct text *text, const struct gr_record *record)
{
    if (gr_record_empty(record)) {
        text_add(text, "nothing");
        return;
    }
    text_add(text, "[");
    for (uint32_t i = 0; i < record->count; i++) {
        const struct gr_sibling *sibling = &record->sibling[i];
        text_add(text, "%s", i > 0 ? " " : "");
        text_dot(text, &sibling->dot);
        text_add(text, sibling->bare ? "~" : "=");
        text_bytes(text, sibling->value);
        text_add(text, "@");
        text_hybrid(text, sibling->origin.time);
        if (sibling->touch != 0) {
            text_add(text, "+");
            text_hybrid(text, sibling->touch);
        }
        if (sibling->expires.ms != 0)
            text_add(text, "!%lld", (long long)(sibling->expires.ms - SCRIPT_WALL_MS));
    }
    text_add(text, "] ");
    text_context(text, &record->context);
}

void text_cursor(struct text *text, const struct words *words, gr_cursor cursor)
{
    if (cursor == GR_CURSOR_END) {
        text_add(text, "end");
        return;
    }
    for (uint32_t p = 0; p < words->ring->partitions; p++) {
        if (cursor == (gr_cursor)gr_ring_first_slot(words->ring, p) << 38) {
            text_add(text, "p%u", p);
            return;
        }
    }
    for (uint32_t i = 0; i < words->key_count; i++) {
        gr_cursor at = gr_cursor_of(words->key[i].slot, words->key[i].hash);
        if (cursor == at || cursor == at + 1) {
            text_add(text, cursor == at ? "at:" : "after:");
            text_bytes(text, words->key[i].key);
            return;
        }
    }
    text_add(text, "%llu", (unsigned long long)cursor);
}

void text_err(struct text *text, enum gr_err err)
{
    for (const char *name = gr_err_info(err)->name; *name != 0; name++)
        text_add(text, "%c", tolower((unsigned char)*name));
}

void text_name(struct text *text, struct names *names, char kind, uint64_t id)
{
    uint32_t place = 0;
    while (place < names->count && names->id[place] != id)
        place++;
    if (place == names->count && place < NAMES_MAX)
        names->id[names->count++] = id;
    text_add(text, "%c%u", kind, place + 1);
}
