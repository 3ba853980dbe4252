// gramme get, put, del, keys: a person's way to the data.
//
// A program that writes keeps the context of what it read. A person does not, so put and del first
// read the key and then replace what that read showed: what a person would call "the value". A
// write that somebody else makes in between stays beside it as a sibling, and is not lost.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "bin/ask.h"
#include "bin/output.h"

enum { VALUE_BYTES_MAX = 8 << 20 };

static struct gramme_read read_options(const struct gr_options *options)
{
    return (struct gramme_read){.r = (unsigned)options->r, .pr = (unsigned)options->pr};
}

static struct gramme_write write_options(const struct gr_options *options)
{
    return (struct gramme_write){.w = (unsigned)options->w,
        .pw = (unsigned)options->pw,
        .dw = (unsigned)options->dw,
        .ttl_ms = (uint64_t)options->ttl_ms};
}

static int not_found(const char *key)
{
    return gr_complain(GR_EXIT_NOT_FOUND, "no value under '%s'", key);
}

static void put_bytes(struct gramme_bytes bytes)
{
    if (bytes.size > 0)
        fwrite(bytes.data, 1, bytes.size, stdout);
}

// ---- get -----------------------------------------------------------------------------------

static void print_value_json(const char *key, const struct gramme_value *value)
{
    printf("{\"key\": ");
    gr_json_text(key);
    printf(", \"values\": [");
    for (size_t i = 0; i < value->count; i++) {
        printf(i == 0 ? "" : ", ");
        gr_json_bytes(gr_ask_bytes(value->value[i]));
    }
    printf("], \"context\": ");
    gr_json_bytes(gr_ask_bytes(value->context));
    printf("}\n");
}

// Numbered values on stdout; what they mean and how to make them one on stderr.
static void print_siblings(const char *key, const struct gramme_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        printf("%zu) ", i + 1);
        put_bytes(value->value[i]);
        putchar('\n');
    }
    fflush(stdout);
    fprintf(stderr,
        "'%s' has %zu values: they were written by clients that did not know of each other.\n"
        "To make them one, write what it should be:\n"
        "    gramme put '%s' VALUE\n"
        "or, to replace these and nothing newer:\n"
        "    gramme put '%s' VALUE --context %.*s\n",
        key, value->count, key, key, (int)value->context.size,
        value->context.size > 0 ? (const char *)value->context.data : "");
}

int gr_verb_get(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    const char *key = argv[0];
    struct gramme *client = gr_ask_open(options);
    struct gramme_read how = read_options(options);
    struct gramme_value value;
    int code = GR_EXIT_OK;
    enum gramme_outcome outcome = gramme_get(client, gramme_text(key), &how, &value);
    if (outcome != GRAMME_OK) {
        code = gr_ask_failed(options, client, outcome);
    } else if (options->output == GR_OUTPUT_JSON) {
        print_value_json(key, &value);
        code = value.count == 0 ? GR_EXIT_NOT_FOUND : GR_EXIT_OK;
    } else if (value.count == 0) {
        code = not_found(key);
    } else if (value.count > 1 && options->output == GR_OUTPUT_RAW) {
        code = gr_complain(GR_EXIT_ERROR,
            "'%s' has %zu values, which raw bytes cannot tell apart; take -o json", key,
            value.count);
    } else if (value.count > 1) {
        print_siblings(key, &value);
    } else {
        put_bytes(value.value[0]);
        if (options->output != GR_OUTPUT_RAW)
            putchar('\n');
    }
    gramme_close(client);
    return code;
}

// ---- put and del ---------------------------------------------------------------------------

// The context that a write should replace: the one given, none for a blind write, else that of a
// read. Sets *ret_found to whether a value was seen (true where nobody looked).
static enum gramme_outcome find_context(struct gramme *client, const struct gr_options *options,
    const char *key, struct gramme_bytes *ret_context, bool *ret_found)
{
    *ret_context = gramme_text(options->context != NULL ? options->context : "");
    *ret_found = true;
    if (options->context != NULL || options->blind)
        return GRAMME_OK;
    struct gramme_value seen;
    enum gramme_outcome outcome = gramme_get(client, gramme_text(key), NULL, &seen);
    if (outcome == GRAMME_OK) {
        *ret_context = seen.context;
        *ret_found = seen.count > 0;
    }
    return outcome;
}

static int print_written(const struct gr_options *options, const char *key,
    struct gramme_bytes context, const char *done)
{
    if (options->output == GR_OUTPUT_JSON) {
        printf("{\"key\": ");
        gr_json_text(key);
        printf(", \"outcome\": \"ok\", \"context\": ");
        gr_json_bytes(gr_ask_bytes(context));
        printf("}\n");
    } else if (options->output == GR_OUTPUT_TABLE) {
        printf("%s\n", done);
    }
    return GR_EXIT_OK;
}

// The value to write: the word itself, or standard input where it is "-".
static bool read_value(const char *word, struct gr_writer *buffer, struct gramme_bytes *ret_value)
{
    *ret_value = gramme_text(word);
    if (strcmp(word, "-") != 0)
        return true;
    for (;;) {
        uint8_t *room = gr_writer_reserve(buffer, 65536);
        if (room == NULL)
            return false;
        ssize_t size = read(STDIN_FILENO, room, 65536);
        if (size < 0)
            return false;
        if (size == 0)
            break;
        buffer->size += (size_t)size;
    }
    *ret_value = (struct gramme_bytes){.data = buffer->data, .size = buffer->size};
    return buffer->size <= VALUE_BYTES_MAX;
}

int gr_verb_put(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    const char *key = argv[0];
    if (options->blind && options->context != NULL)
        return gr_complain(GR_EXIT_USAGE, "--blind and --context exclude each other");
    struct gr_writer buffer;
    gr_writer_init(&buffer, VALUE_BYTES_MAX + 65536 + 1);
    struct gramme_bytes value;
    if (!read_value(argv[1], &buffer, &value)) {
        gr_writer_deinit(&buffer);
        return gr_complain(
            GR_EXIT_ERROR, "standard input cannot be read, or is more than a value's 8 MiB");
    }
    struct gramme *client = gr_ask_open(options);
    struct gramme_write how = write_options(options);
    struct gramme_bytes context = {NULL, 0};
    bool found = false;
    enum gramme_outcome outcome = find_context(client, options, key, &context, &found);
    if (outcome == GRAMME_OK)
        outcome = gramme_put(client, gramme_text(key), context, value, &how, &context);
    int code = outcome != GRAMME_OK ? gr_ask_failed(options, client, outcome)
                                    : print_written(options, key, context, "ok");
    gramme_close(client);
    gr_writer_deinit(&buffer);
    return code;
}

int gr_verb_del(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    const char *key = argv[0];
    struct gramme *client = gr_ask_open(options);
    struct gramme_write how = write_options(options);
    struct gramme_bytes context = {NULL, 0};
    bool found = false;
    int code = GR_EXIT_OK;
    enum gramme_outcome outcome = find_context(client, options, key, &context, &found);
    if (outcome == GRAMME_OK && found)
        outcome = gramme_delete(client, gramme_text(key), context, &how, &context);
    if (outcome != GRAMME_OK)
        code = gr_ask_failed(options, client, outcome);
    else if (!found)
        code = not_found(key);
    else
        code = print_written(options, key, context, "deleted");
    gramme_close(client);
    return code;
}

// ---- keys ----------------------------------------------------------------------------------

struct listing {
    enum gr_output output;
    size_t count;
};

static bool print_key(void *user, struct gramme_bytes key)
{
    struct listing *listing = user;
    if (listing->output == GR_OUTPUT_JSON) {
        printf(listing->count == 0 ? "[" : ",\n ");
        gr_json_bytes(gr_ask_bytes(key));
    } else {
        put_bytes(key);
        putchar('\n');
    }
    listing->count++;
    // Nobody reads any more: `gramme keys | head`.
    return !ferror(stdout);
}

int gr_verb_keys(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct gramme *client = gr_ask_open(options);
    struct listing listing = {.output = options->output};
    enum gramme_outcome outcome = gramme_keys(client, options->match, print_key, &listing);
    int code = GR_EXIT_OK;
    if (outcome != GRAMME_OK)
        code = gr_ask_failed(options, client, outcome);
    else if (options->output == GR_OUTPUT_JSON)
        printf(listing.count == 0 ? "[]\n" : "]\n");
    gramme_close(client);
    return code;
}
