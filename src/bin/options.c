// The options of all verbs: a table of names and places, and one loop that reads argv.
//
// A verb says with a set of bits which options it takes; any other is an error that names the ones
// that it does take. Numbers and spans are checked here, so that a verb only sees values that mean
// something.
#include "bin/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gramme/gramme.h"

enum kind { KIND_TEXT, KIND_COUNT, KIND_QUORUM, KIND_SPAN, KIND_FLAG, KIND_OUTPUT };

struct option {
    const char *name;  // with its dashes
    const char *brief; // one dash and a letter, or ""
    enum kind kind;
    size_t place;        // in struct gr_options
    int64_t least, most; // of a number
    const char *value;   // how help names its value
    const char *help;
};

#define PLACE(member) offsetof(struct gr_options, member)

static const struct option table[GR_OPTION_COUNT] = {
    [GR_OPTION_AT] = {"--at", "", KIND_TEXT, PLACE(at), 0, 0, "HOST:PORT",
        "the node to ask (127.0.0.1:7379)"},
    [GR_OPTION_OUTPUT] = {"--output", "-o", KIND_OUTPUT, PLACE(output), 0, 0, "FORM",
        "table for people, json for programs, raw for a value's bytes"},
    [GR_OPTION_TIMEOUT] = {"--timeout", "", KIND_SPAN, PLACE(timeout_ms), 1, 3600000, "SPAN",
        "how long to wait for each answer (5s)"},
    [GR_OPTION_R] = {"--r", "", KIND_QUORUM, PLACE(r), 1, 7, "N",
        "replicas that must answer; or local, or each"},
    [GR_OPTION_PR] = {"--pr", "", KIND_COUNT, PLACE(pr), 1, 7, "N", "of them owners of the key"},
    [GR_OPTION_W] = {"--w", "", KIND_QUORUM, PLACE(w), 1, 7, "N",
        "replicas that must acknowledge; or local, or each"},
    [GR_OPTION_PW] = {"--pw", "", KIND_COUNT, PLACE(pw), 1, 7, "N", "of them owners of the key"},
    [GR_OPTION_DW] = {"--dw", "", KIND_COUNT, PLACE(dw), 1, 7, "N", "of them with it on disk"},
    [GR_OPTION_TTL] = {"--ttl", "", KIND_SPAN, PLACE(ttl_ms), 1, INT64_C(3155760000000), "SPAN",
        "the value expires after so long (30s, 5m, 2h, 7d)"},
    [GR_OPTION_CONTEXT] = {"--context", "", KIND_TEXT, PLACE(context), 0, 0, "C",
        "replace what this context stands for"},
    [GR_OPTION_BLIND] = {"--blind", "", KIND_FLAG, PLACE(blind), 0, 0, "",
        "replace nothing: the value stands beside what is there"},
    [GR_OPTION_MATCH] = {"--match", "", KIND_TEXT, PLACE(match), 0, 0, "PATTERN",
        "only keys that match, with * ? and [a-z]"},
    [GR_OPTION_NODES] = {"--nodes", "", KIND_COUNT, PLACE(nodes), 1, 32, "N", "how many nodes (3)"},
    [GR_OPTION_DIR] = {"--dir", "", KIND_TEXT, PLACE(dir), 0, 0, "DIR",
        "where the demo keeps everything"},
    [GR_OPTION_PORT_BASE] = {"--port-base", "", KIND_COUNT, PLACE(port_base), 1024, 65000, "PORT",
        "first port for Redis clients (7379); node k adds 100 x (k-1)"},
    [GR_OPTION_ENGINE] = {"--engine", "", KIND_TEXT, PLACE(engine), 0, 0, "NAME",
        "storage engine: rocksdb, or memory"},
    [GR_OPTION_NO_WAIT] = {"--no-wait", "", KIND_FLAG, PLACE(no_wait), 0, 0, "",
        "ask for it and do not wait for its end"},
    [GR_OPTION_WATCH] = {"--watch", "", KIND_FLAG, PLACE(watch), 0, 0, "",
        "again every second until it is done"},
};

// "500ms", "30s", "5m", "2h", "7d" to milliseconds; false when it is none of these.
static bool read_span(const char *text, int64_t *ret_ms)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    if (!isdigit((unsigned char)text[0]))
        return false;
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    for (size_t i = 0; errno == 0 && i < GR_COUNT(units); i++) {
        if (strcmp(end, units[i].unit) == 0 && number <= INT64_MAX / units[i].ms) {
            *ret_ms = number * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool read_count(const char *text, int64_t *ret_count)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != 0 || errno != 0)
        return false;
    *ret_count = number;
    return true;
}

// Most of the replicas at the site of the node that is asked, or at each.
static bool read_sites(const char *text, int64_t *ret)
{
    if (strcasecmp(text, "local") == 0)
        *ret = GRAMME_LOCAL;
    else if (strcasecmp(text, "each") == 0)
        *ret = GRAMME_EACH;
    else
        return false;
    return true;
}

static bool set_output(const char *text, enum gr_output *ret_output)
{
    static const char *const forms[] = {
        [GR_OUTPUT_TABLE] = "table", [GR_OUTPUT_JSON] = "json", [GR_OUTPUT_RAW] = "raw"};
    for (size_t i = 0; i < GR_COUNT(forms); i++) {
        if (strcmp(text, forms[i]) == 0) {
            *ret_output = (enum gr_output)i;
            return true;
        }
    }
    return false;
}

static bool set_value(const struct option *option, const char *text, struct gr_options *options,
    char *ret_why, size_t why_size)
{
    char *place = (char *)options + option->place;
    int64_t number = 0;
    switch (option->kind) {
    case KIND_TEXT:
        memcpy(place, &text, sizeof(text));
        return true;
    case KIND_OUTPUT:
        if (set_output(text, (enum gr_output *)(void *)place))
            return true;
        snprintf(ret_why, why_size, "%s is table, json or raw, not '%s'", option->name, text);
        return false;
    case KIND_SPAN:
        if (!read_span(text, &number) || number < option->least || number > option->most) {
            snprintf(ret_why, why_size, "%s is a span such as 500ms, 30s, 5m or 2h, not '%s'",
                option->name, text);
            return false;
        }
        break;
    case KIND_QUORUM:
        if (read_sites(text, &number))
            break;
        if (!read_count(text, &number) || number < option->least || number > option->most) {
            snprintf(ret_why, why_size, "%s is a number from %lld to %lld, local or each, not '%s'",
                option->name, (long long)option->least, (long long)option->most, text);
            return false;
        }
        break;
    case KIND_COUNT:
        if (!read_count(text, &number) || number < option->least || number > option->most) {
            snprintf(ret_why, why_size, "%s is a number from %lld to %lld, not '%s'", option->name,
                (long long)option->least, (long long)option->most, text);
            return false;
        }
        break;
    case KIND_FLAG:
        gr_unreachable("a flag has no value");
    }
    memcpy(place, &number, sizeof(number));
    return true;
}

// The option that `word` names, and its value if one is joined on with '='.
static const struct option *find(uint32_t allowed, const char *word, const char **ret_value)
{
    for (size_t i = 0; i < GR_OPTION_COUNT; i++) {
        const struct option *option = &table[i];
        size_t size = strlen(option->name);
        if ((allowed >> i & 1) == 0)
            continue;
        *ret_value = NULL;
        if (option->brief[0] != 0 && strcmp(word, option->brief) == 0)
            return option;
        if (strncmp(word, option->name, size) != 0)
            continue;
        if (word[size] == 0)
            return option;
        if (word[size] == '=') {
            *ret_value = word + size + 1;
            return option;
        }
    }
    return NULL;
}

static void say_unknown(uint32_t allowed, const char *word, char *ret_why, size_t why_size)
{
    size_t used = (size_t)snprintf(ret_why, why_size, "no option %s here", word);
    const char *before = "; there are ";
    for (size_t i = 0; i < GR_OPTION_COUNT && used < why_size; i++) {
        if ((allowed >> i & 1) == 0)
            continue;
        used += (size_t)snprintf(ret_why + used, why_size - used, "%s%s", before, table[i].name);
        before = " ";
    }
    if (used < why_size)
        snprintf(ret_why + used, why_size - used, " (after -- a dash is no option)");
}

bool gr_options_parse(uint32_t allowed, int *argc, char **argv, struct gr_options *ret_options,
    char *ret_why, size_t why_size)
{
    struct gr_options options = {.at = "127.0.0.1:7379"};
    int words = 0;
    bool only_words = false;
    for (int i = 0; i < *argc; i++) {
        char *word = argv[i];
        // A lone dash is a word: it stands for standard input.
        if (only_words || word[0] != '-' || word[1] == 0) {
            argv[words++] = word;
            continue;
        }
        if (strcmp(word, "--") == 0) {
            only_words = true;
            continue;
        }
        const char *value = NULL;
        const struct option *option = find(allowed, word, &value);
        if (option == NULL) {
            say_unknown(allowed, word, ret_why, why_size);
            return false;
        }
        if (option->kind == KIND_FLAG) {
            if (value != NULL) {
                snprintf(ret_why, why_size, "%s takes no value", option->name);
                return false;
            }
            *((bool *)((char *)&options + option->place)) = true;
            continue;
        }
        if (value == NULL && i + 1 < *argc)
            value = argv[++i];
        if (value == NULL) {
            snprintf(ret_why, why_size, "%s needs a value: %s %s", word, word, option->value);
            return false;
        }
        if (!set_value(option, value, &options, ret_why, why_size))
            return false;
    }
    *argc = words;
    *ret_options = options;
    return true;
}

bool gr_options_take_output(int *argc, char **argv, bool *ret_json)
{
    int kept = 0;
    for (int i = 0; i < *argc; i++) {
        bool wide = strncmp(argv[i], "--output=", 9) == 0;
        if (!wide && strcmp(argv[i], "-o") != 0 && strcmp(argv[i], "--output") != 0) {
            argv[kept++] = argv[i];
            continue;
        }
        const char *form = wide ? argv[i] + 9 : i + 1 < *argc ? argv[++i] : "";
        *ret_json = strcmp(form, "json") == 0;
        if (!*ret_json && strcmp(form, "table") != 0)
            return false;
    }
    *argc = kept;
    return true;
}

void gr_options_print(uint32_t allowed)
{
    for (size_t i = 0; i < GR_OPTION_COUNT; i++) {
        if ((allowed >> i & 1) == 0)
            continue;
        char left[64];
        snprintf(left, sizeof(left), "%s%s%s%s%s", table[i].brief,
            table[i].brief[0] != 0 ? ", " : "", table[i].name, table[i].value[0] != 0 ? " " : "",
            table[i].value);
        printf("    %-22s %s\n", left, table[i].help);
    }
}
