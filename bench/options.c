// The command line of `load`: a table of counts, and the few options that are none.
//
// The load generator drives servers on this machine only. Any other address is refused here, before
// a socket exists: whoever mistypes one must not flood a stranger.
#include "bench/options.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 1, 2))) static bool complain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
    return false;
}

static bool read_count(const char *text, uint64_t *ret_count)
{
    char *end = NULL;
    errno = 0;
    unsigned long long count = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end != 0 || errno != 0)
        return false;
    *ret_count = count;
    return true;
}

// ---- addresses -------------------------------------------------------------------------------

static bool add_address(struct gr_load_options *options, const char *text)
{
    char host[64];
    const char *colon = strrchr(text, ':');
    uint64_t port = 0;
    if (colon == NULL || (size_t)(colon - text) >= sizeof(host) || !read_count(colon + 1, &port) ||
        port < 1 || port > 65535)
        return complain("--at takes HOST:PORT[,HOST:PORT ...], not '%s'", text);
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (strcmp(host, "localhost") == 0)
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
        return complain("'%s' is no IPv4 address, and no name but localhost is looked up", host);
    if (ntohl(address.sin_addr.s_addr) >> 24 != 127)
        return complain("%s is not a loopback address (127.0.0.0/8), and only servers on this "
                        "machine are put under load",
            host);
    if (options->addresses == GR_LOAD_ADDRESSES_MAX)
        return complain("more than %d addresses", GR_LOAD_ADDRESSES_MAX);
    options->address[options->addresses++] = address;
    return true;
}

static bool set_addresses(struct gr_load_options *options, char *list)
{
    char *rest = NULL;
    for (char *text = strtok_r(list, ",", &rest); text != NULL; text = strtok_r(NULL, ",", &rest)) {
        if (!add_address(options, text))
            return false;
    }
    return true;
}

// ---- the rest --------------------------------------------------------------------------------

static const struct count {
    const char *name;
    size_t place; // in struct gr_load_options
    bool wide;    // 64 bits there, else 32
    uint64_t least, most;
    const char *help;
} counts[] = {
#define PLACE(member) offsetof(struct gr_load_options, member)
    {"--connections", PLACE(connections), false, 1, GR_LOAD_CONNECTIONS_MAX,
        "spread over the addresses (64)"},
    {"--pipeline", PLACE(pipeline), false, 1, GR_LOAD_PIPELINE_MAX,
        "operations outstanding on each connection (1)"},
    {"--operations", PLACE(operations), true, 1, UINT64_C(1) << 40,
        "how many in all (100000; with --fill one for each key)"},
    {"--value-bytes", PLACE(value_bytes), false, 1, GR_LOAD_VALUE_BYTES_MAX,
        "size of each value (100)"},
    {"--other-bytes", PLACE(other_bytes), false, 0, GR_LOAD_VALUE_BYTES_MAX,
        "GETs take values of this size too, which another run has SET (0: none)"},
    {"--keys", PLACE(keys), false, 1, 1000000000, "number of keys (100000)"},
    {"--first", PLACE(first), false, 0, 1000000000, "the number of the first of them (0)"},
    {"--seed", PLACE(seed), false, 1, 1000000000,
        "which keys at random: another number, other keys (1)"},
    {"--ttl", PLACE(ttl), false, 0, 100000000,
        "SETs expire after so many seconds, with EX (0: never)"},
    {"--wait", PLACE(wait), false, 0, 1000,
        "after each SET, WAIT for so many replicas; the two are one operation (0: no WAIT)"},
    {"--rate", PLACE(rate), false, 0, 1000000,
        "operations per second, due whether or not those before are answered (0: as fast as "
        "answers come)"},
    {"--seconds-max", PLACE(seconds_max), false, 1, GR_LOAD_SECONDS_MAX,
        "stop then, however many are done (60)"},
#undef PLACE
};

static bool set_count(struct gr_load_options *options, const char *name, const char *value)
{
    for (size_t i = 0; i < GR_COUNT(counts); i++) {
        const struct count *count = &counts[i];
        uint64_t number = 0;
        if (strcmp(name, count->name) != 0)
            continue;
        if (!read_count(value, &number) || number < count->least || number > count->most)
            return complain("%s is a number from %llu to %llu, not '%s'", name,
                (unsigned long long)count->least, (unsigned long long)count->most, value);
        void *place = (char *)options + count->place;
        if (count->wide)
            *(uint64_t *)place = number;
        else
            *(uint32_t *)place = (uint32_t)number;
        return true;
    }
    return complain("there is no option %s; --help lists them", name);
}

static bool set_choice(
    const char *name, const char *value, const char *no, const char *yes, bool *ret)
{
    if (strcmp(value, no) != 0 && strcmp(value, yes) != 0)
        return complain("%s is %s or %s, not '%s'", name, no, yes, value);
    *ret = strcmp(value, yes) == 0;
    return true;
}

static bool is_sound(const struct gr_load_options *options)
{
    if (options->addresses == 0)
        return complain("--at HOST:PORT is missing; --help lists all options");
    if (options->get && (options->wait > 0 || options->ttl > 0 || options->done_file != NULL))
        return complain("--wait, --ttl and --done-file are for --op set");
    if ((uint64_t)options->pipeline * options->value_bytes > GR_LOAD_WINDOW_BYTES_MAX)
        return complain(
            "--pipeline times --value-bytes is more than %d MiB", GR_LOAD_WINDOW_BYTES_MAX >> 20);
    return true;
}

bool gr_load_options_parse(int argc, char **argv, struct gr_load_options *ret_options)
{
    struct gr_load_options options = {.connections = 64,
        .pipeline = 1,
        .value_bytes = 100,
        .keys = 100000,
        .seed = 1,
        .seconds_max = 60};
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--fill") == 0) {
            options.fill = true;
            continue;
        }
        if (++i == argc)
            return complain("%s: no such option, or its value is missing; --help lists all", name);
        char *value = argv[i];
        bool good;
        if (strcmp(name, "--at") == 0)
            good = set_addresses(&options, value);
        else if (strcmp(name, "--op") == 0)
            good = set_choice(name, value, "set", "get", &options.get);
        else if (strcmp(name, "--seconds-file") == 0)
            good = (options.seconds_file = value) != NULL;
        else if (strcmp(name, "--done-file") == 0)
            good = (options.done_file = value) != NULL;
        else if (strcmp(name, "-o") == 0)
            good = set_choice(name, value, "table", "json", &options.json);
        else
            good = set_count(&options, name, value);
        if (!good)
            return false;
    }
    if (options.operations == 0)
        options.operations = options.fill ? options.keys : 100000;
    *ret_options = options;
    return is_sound(&options);
}

void gr_load_options_help(void)
{
    puts("usage: load --at HOST:PORT[,HOST:PORT ...] [OPTION VALUE ...]\n"
         "\n"
         "Puts Redis-speaking servers on this machine under load and says how they did.\n"
         "\n"
         "    --at LIST           the servers; loopback only\n"
         "    --op set|get        what to do (set)\n"
         "    --fill              every key once, in order, instead of keys at random");
    for (size_t i = 0; i < GR_COUNT(counts); i++)
        printf("    %-19s %s\n", counts[i].name, counts[i].help);
    puts(
        "    --seconds-file FILE for each second a line of latencies and their counts\n"
        "    --done-file FILE    the number of each key whose SET was answered OK, one a line\n"
        "    -o table|json       one line for people, or for programs (table)\n"
        "\n"
        "Exit code: 0 all operations succeeded, 1 some did not, 2 the command line means nothing.");
}
