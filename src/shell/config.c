// Settings: one table, three sources, and an origin for each value; see config.h.
//
//   I1  A value is changed only by gr_config_set, and only after it was checked whole: a text that
//       does not parse leaves the old value.
//   I2  Every error names its place, what was found, and what is allowed.
//
// Bounds: a file has at most 64 KiB, a value 1023 bytes.
#include "shell/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shell/address.h"
#include "shell/file.h"
#include "wire/frame.h"

enum { FILE_BYTES_MAX = 64 << 10, NAME_BYTES_MAX = 64 };

static const struct gr_setting_info settings[GR_SETTING_COUNT] = {
#define X(symbol, name, kind, initial, least, most, choices, help)                                 \
    {name, GR_CONFIG_##kind, initial, least, most, choices, help},
    GR_SETTINGS(X)
#undef X
};

struct unit {
    const char *name;
    int64_t factor;
};
static const struct unit sizes[] = {{"tb", (int64_t)1 << 40}, {"gb", 1 << 30}, {"mb", 1 << 20},
    {"kb", 1 << 10}, {"b", 1}, {NULL, 0}};
static const struct unit spans[] = {
    {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

const struct gr_setting_info *gr_setting_info(enum gr_setting setting)
{
    gr_assert((unsigned)setting < GR_SETTING_COUNT);
    return &settings[setting];
}

// ---- one value -------------------------------------------------------------------------------

// The number that `text` begins with, times its unit; false if there is none, it is no unit of the
// list (none is needed when the list is NULL), or it is too large.
static bool parse_number(const char *text, const struct unit *units, int64_t *ret_number)
{
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    char *end = NULL;
    long long number = strtoll(text, &end, 10);
    if (errno != 0)
        return false;
    while (*end == ' ')
        end++;
    int64_t factor = units == NULL && *end == '\0' ? 1 : 0;
    for (const struct unit *unit = units; unit != NULL && unit->name != NULL; unit++)
        if (strcmp(unit->name, end) == 0)
            factor = unit->factor;
    int64_t product = 0;
    if (factor == 0 || __builtin_mul_overflow((int64_t)number, factor, &product))
        return false;
    *ret_number = product;
    return true;
}

// The largest unit that divides the number.
static void format_number(int64_t number, enum gr_config_kind kind, char *ret, size_t size)
{
    const struct unit *unit = kind == GR_CONFIG_SIZE ? sizes : spans;
    if (kind == GR_CONFIG_COUNT) {
        snprintf(ret, size, "%lld", (long long)number);
        return;
    }
    while (unit[1].name != NULL && (number == 0 || number % unit->factor != 0))
        unit++;
    snprintf(ret, size, "%lld%s", (long long)(number / unit->factor), unit->name);
}

static bool is_choice(const char *choices, const char *word)
{
    size_t size = strlen(word);
    if (strchr(word, ' ') != NULL)
        return false;
    for (const char *at = choices; size > 0 && (at = strstr(at, word)) != NULL; at += size)
        if ((at == choices || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
            return true;
    return false;
}

// Says what is allowed; called when it is not what was found.
static void say_allowed(const struct gr_setting_info *info, char *ret, size_t size)
{
    char least[32], most[32];
    format_number(info->least, info->kind, least, sizeof(least));
    format_number(info->most, info->kind, most, sizeof(most));
    switch (info->kind) {
    case GR_CONFIG_FLAG:
        snprintf(ret, size, "yes or no");
        break;
    case GR_CONFIG_CHOICE:
        snprintf(ret, size, "one of: %s", info->choices);
        break;
    case GR_CONFIG_COUNT:
        snprintf(ret, size, "a whole number from %s to %s", least, most);
        break;
    case GR_CONFIG_SIZE:
        snprintf(ret, size, "a size from %s to %s, like 64mb (b, kb, mb, gb, tb)", least, most);
        break;
    case GR_CONFIG_SPAN:
        snprintf(ret, size, "a time from %s to %s, like 500ms (ms, s, m, h)", least, most);
        break;
    case GR_CONFIG_LISTEN:
        snprintf(ret, size, "an address like 127.0.0.1:7379 or [::1]:7379");
        break;
    case GR_CONFIG_TEXT:
    case GR_CONFIG_PATH:
        snprintf(ret, size, "at most %d bytes", GR_CONFIG_TEXT_MAX - 1);
        break;
    }
}

static bool parse_value(const struct gr_setting_info *info, const char *text, int64_t *ret_number)
{
    int64_t number = 0;
    struct gr_address address;
    switch (info->kind) {
    case GR_CONFIG_TEXT:
    case GR_CONFIG_PATH:
        return strlen(text) < GR_CONFIG_TEXT_MAX;
    case GR_CONFIG_LISTEN:
        return gr_address_parse(text, &address);
    case GR_CONFIG_CHOICE:
        return is_choice(info->choices, text);
    case GR_CONFIG_FLAG:
        *ret_number = strcmp(text, "yes") == 0;
        return *ret_number == 1 || strcmp(text, "no") == 0;
    case GR_CONFIG_COUNT:
        if (!parse_number(text, NULL, &number))
            return false;
        break;
    case GR_CONFIG_SIZE:
        if (!parse_number(text, sizes, &number))
            return false;
        break;
    case GR_CONFIG_SPAN:
        if (!parse_number(text, spans, &number))
            return false;
        break;
    }
    *ret_number = number;
    return number >= info->least && number <= info->most;
}

static int find_setting(const char *name)
{
    for (int i = 0; i < GR_SETTING_COUNT; i++)
        if (strcmp(settings[i].name, name) == 0)
            return i;
    return -1;
}

static enum gr_err say_unknown(const char *name, const char *origin, char *ret_why, size_t why_size)
{
    char list[GR_WHY_BYTES / 2] = "";
    size_t used = 0;
    for (int i = 0; i < GR_SETTING_COUNT && used < sizeof(list); i++)
        used += (size_t)snprintf(
            list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", settings[i].name);
    snprintf(ret_why, why_size, "%.200s: there is no setting \"%.40s\"; there are: %s.", origin,
        name, list);
    return GR_ERR_INVALID;
}

enum gr_err gr_config_set(struct gr_config *config, const char *name, const char *text,
    const char *origin, char *ret_why, size_t why_size)
{
    int setting = find_setting(name);
    if (setting < 0)
        return say_unknown(name, origin, ret_why, why_size);
    int64_t number = 0;
    if (!parse_value(&settings[setting], text, &number)) {
        char allowed[128];
        say_allowed(&settings[setting], allowed, sizeof(allowed));
        snprintf(ret_why, why_size, "%.200s: %s = \"%.60s\" is not understood; allowed is %s.",
            origin, name, text, allowed);
        return GR_ERR_INVALID;
    }
    struct gr_config_value *value = &config->value[setting];
    snprintf(value->text, sizeof(value->text), "%s", text);
    snprintf(value->origin, sizeof(value->origin), "%s", origin);
    value->number = number;
    return GR_OK;
}

void gr_config_init(struct gr_config *config)
{
    memset(config, 0, sizeof(*config));
    for (int i = 0; i < GR_SETTING_COUNT; i++) {
        struct gr_config_value *value = &config->value[i];
        snprintf(value->text, sizeof(value->text), "%s", settings[i].initial);
        snprintf(value->origin, sizeof(value->origin), "default");
        if (settings[i].initial[0] != '\0')
            gr_assert(parse_value(&settings[i], settings[i].initial, &value->number));
    }
}

// ---- from a file -----------------------------------------------------------------------------

static enum gr_err read_line(struct gr_config *config, char *line, const char *origin, int number,
    int *line_of, char *ret_why, size_t why_size)
{
    char *name = gr_text_trim(line);
    if (name[0] == '\0' || name[0] == '#')
        return GR_OK;
    char *equals = strchr(name, '=');
    if (equals == NULL) {
        snprintf(ret_why, why_size, "%.200s: \"%.60s\" is no `key = value` line.", origin, name);
        return GR_ERR_INVALID;
    }
    *equals = '\0';
    name = gr_text_trim(name);
    int setting = find_setting(name);
    if (setting >= 0 && line_of[setting] != 0) {
        snprintf(ret_why, why_size, "%.200s: %s is already set in line %d; keep one of the two.",
            origin, name, line_of[setting]);
        return GR_ERR_INVALID;
    }
    if (setting >= 0)
        line_of[setting] = number;
    return gr_config_set(config, name, gr_text_trim(equals + 1), origin, ret_why, why_size);
}

enum gr_err gr_config_read_file(
    struct gr_config *config, const char *path, char *ret_why, size_t why_size)
{
    char *text = NULL;
    enum gr_err err = gr_file_read(path, FILE_BYTES_MAX, &text, ret_why, why_size);
    if (err != GR_OK)
        return err;
    int line_of[GR_SETTING_COUNT] = {0}, number = 0;
    snprintf(config->file, sizeof(config->file), "%s", path);
    char *rest = text;
    while (err == GR_OK && rest != NULL) {
        char *line = strsep(&rest, "\n");
        char origin[GR_CONFIG_ORIGIN_MAX];
        snprintf(origin, sizeof(origin), "%.200s:%d", path, ++number);
        err = read_line(config, line, origin, number, line_of, ret_why, why_size);
    }
    gr_hook_memory(text, 0);
    return err;
}

// ---- from the environment and the command line -----------------------------------------------

enum gr_err gr_config_read_environment(
    struct gr_config *config, char *const *environment, char *ret_why, size_t why_size)
{
    static const char prefix[] = "GRAMME_";
    for (; *environment != NULL; environment++) {
        const char *equals = strchr(*environment, '=');
        if (equals == NULL || strncmp(*environment, prefix, strlen(prefix)) != 0)
            continue;
        char origin[NAME_BYTES_MAX + sizeof(prefix)], name[NAME_BYTES_MAX + 1];
        int size = (int)(equals - *environment);
        snprintf(origin, sizeof(origin), "%.*s", size, *environment);
        snprintf(name, sizeof(name), "%s", origin + strlen(prefix));
        for (char *at = name; *at != '\0'; at++)
            *at = (char)tolower((unsigned char)*at);
        if (strcmp(name, "config") == 0)
            continue;
        enum gr_err err = gr_config_set(config, name, equals + 1, origin, ret_why, why_size);
        if (err != GR_OK)
            return err;
    }
    return GR_OK;
}

// Takes one flag apart: its name with underscores, and its value, which may be the next word.
// Returns how many words it took, or 0 with the sentence.
static int take_flag(int argc, char *const *argv, char *ret_name, size_t name_size,
    const char **ret_value, char *ret_why, size_t why_size)
{
    if (strncmp(argv[0], "--", 2) != 0 || argv[0][2] == '\0') {
        snprintf(ret_why, why_size, "\"%.60s\" is not understood; settings look like --key value.",
            argv[0]);
        return 0;
    }
    const char *name = argv[0] + 2, *equals = strchr(name, '=');
    size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
    snprintf(ret_name, name_size, "%.*s", (int)GR_MIN(size, name_size - 1), name);
    for (char *at = ret_name; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    if (equals != NULL) {
        *ret_value = equals + 1;
        return 1;
    }
    int setting = find_setting(ret_name);
    bool alone = argc < 2 || strncmp(argv[1], "--", 2) == 0;
    if (alone && setting >= 0 && settings[setting].kind == GR_CONFIG_FLAG) {
        *ret_value = "yes";
        return 1;
    }
    if (alone) {
        if (setting < 0 && strcmp(ret_name, "config") != 0)
            (void)say_unknown(ret_name, argv[0], ret_why, why_size);
        else
            snprintf(ret_why, why_size, "%.60s needs a value after it.", argv[0]);
        return 0;
    }
    *ret_value = argv[1];
    return 2;
}

// Reads all flags; ret_file gets the value of --config, and settings are set unless config is NULL.
static enum gr_err read_flags(struct gr_config *config, int argc, char *const *argv,
    const char **ret_file, char *ret_why, size_t why_size)
{
    for (int i = 0; i < argc;) {
        char name[NAME_BYTES_MAX], origin[NAME_BYTES_MAX + 2];
        const char *value = NULL;
        int taken = take_flag(argc - i, argv + i, name, sizeof(name), &value, ret_why, why_size);
        if (taken == 0)
            return GR_ERR_INVALID;
        i += taken;
        if (strcmp(name, "config") == 0) {
            *ret_file = value;
            continue;
        }
        snprintf(origin, sizeof(origin), "--%s", name);
        enum gr_err err =
            config == NULL ? GR_OK : gr_config_set(config, name, value, origin, ret_why, why_size);
        if (err != GR_OK)
            return err;
    }
    return GR_OK;
}

enum gr_err gr_config_read_flags(
    struct gr_config *config, int argc, char *const *argv, char *ret_why, size_t why_size)
{
    const char *file = NULL;
    return read_flags(config, argc, argv, &file, ret_why, why_size);
}

enum gr_err gr_config_load(struct gr_config *config, int argc, char *const *argv,
    char *const *environment, char *ret_why, size_t why_size)
{
    gr_config_init(config);
    const char *file = NULL;
    static const char variable[] = "GRAMME_CONFIG=";
    for (char *const *at = environment; *at != NULL; at++)
        if (strncmp(*at, variable, strlen(variable)) == 0)
            file = *at + strlen(variable);
    enum gr_err err = read_flags(NULL, argc, argv, &file, ret_why, why_size);
    if (err == GR_OK && file != NULL && file[0] != '\0')
        err = gr_config_read_file(config, file, ret_why, why_size);
    if (err == GR_OK)
        err = gr_config_read_environment(config, environment, ret_why, why_size);
    if (err == GR_OK)
        err = gr_config_read_flags(config, argc, argv, ret_why, why_size);
    return err;
}

// ---- looking ---------------------------------------------------------------------------------

const char *gr_config_text(const struct gr_config *config, enum gr_setting setting)
{
    return config->value[setting].text;
}

int64_t gr_config_number(const struct gr_config *config, enum gr_setting setting)
{
    return config->value[setting].number;
}

bool gr_config_flag(const struct gr_config *config, enum gr_setting setting)
{
    gr_assert(settings[setting].kind == GR_CONFIG_FLAG);
    return config->value[setting].number != 0;
}

struct gr_span gr_config_span(const struct gr_config *config, enum gr_setting setting)
{
    gr_assert(settings[setting].kind == GR_CONFIG_SPAN);
    return gr_span_ms(config->value[setting].number);
}

const char *gr_config_origin(const struct gr_config *config, enum gr_setting setting)
{
    return config->value[setting].origin;
}
