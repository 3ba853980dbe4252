// The cluster file: who the members are and what they agree on; see cluster.h.
//
//   I1  What is read is whole: every key once, every member well formed and distinct, R and W
//       within N, N within the members. A file that is not so is refused with its line.
#include "shell/cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "core/agreed.h"
#include "shell/address.h"
#include "shell/file.h"

enum { FORMAT = 1 };

static void set_members(struct gr_cluster *cluster, const struct gr_card *member, uint16_t count)
{
    cluster->member_count = count;
    cluster->member = gr_hook_memory(NULL, count * sizeof(*member));
    memcpy(cluster->member, member, count * sizeof(*member));
    for (uint16_t i = 0; i < count; i++)
        cluster->member[i].weight = GR_MAX(member[i].weight, 1);
}

void gr_cluster_make(struct gr_cluster *ret_cluster, uint32_t partitions, uint8_t n, uint8_t r,
    uint8_t w, const struct gr_card *member, uint16_t count)
{
    gr_assert(gr_quorum_fits(r, n) && gr_quorum_fits(w, n));
    *ret_cluster = (struct gr_cluster){
        .partitions = partitions,
        .n = n,
        .r = r,
        .w = w,
        .sync_interval = gr_span_ms(GR_SYNC_INTERVAL_MS_DEFAULT),
    };
    gr_assert(
        getrandom(ret_cluster->id, sizeof(ret_cluster->id), 0) == (ssize_t)sizeof(ret_cluster->id));
    gr_assert(getrandom(ret_cluster->secret, sizeof(ret_cluster->secret), 0) ==
              (ssize_t)sizeof(ret_cluster->secret));
    set_members(ret_cluster, member, count);
}

void gr_cluster_deinit(struct gr_cluster *cluster)
{
    gr_hook_memory(cluster->member, 0);
    explicit_bzero(cluster->secret, sizeof(cluster->secret));
}

int gr_cluster_find(const struct gr_cluster *cluster, const char *name)
{
    for (int i = 0; i < cluster->member_count; i++)
        if (strcmp(cluster->member[i].name, name) == 0)
            return i;
    return -1;
}

// ---- reading ---------------------------------------------------------------------------------

// Those from KEY_DURABILITY on may be missing.
enum key {
    KEY_FORMAT,
    KEY_CLUSTER,
    KEY_SECRET,
    KEY_PARTITIONS,
    KEY_N,
    KEY_R,
    KEY_W,
    KEY_DURABILITY,
    KEY_SYNC_INTERVAL,
    KEY_COUNT
};
static const char *const key_names[KEY_COUNT] = {
    "format", "cluster", "secret", "partitions", "n", "r", "w", "durability", "sync_interval"};

struct parser {
    const char *path;
    int line;
    int line_of[KEY_COUNT]; // where each key stands, 0 = not yet
    uint64_t number[KEY_COUNT];
    uint8_t id[GR_CLUSTER_ID_BYTES];
    uint8_t secret[GR_CLUSTER_SECRET_BYTES];
    struct gr_card *member;
    int *member_line;
    uint16_t member_count;
    char *ret_why;
    size_t why_size;
};

static enum gr_err fault(struct parser *parser, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static enum gr_err fault(struct parser *parser, const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);
    if (parser->line > 0)
        snprintf(
            parser->ret_why, parser->why_size, "%.200s:%d: %s.", parser->path, parser->line, what);
    else
        snprintf(parser->ret_why, parser->why_size, "%.200s: %s.", parser->path, what);
    return GR_ERR_INVALID;
}

static enum gr_err read_address(struct parser *parser, const char *word, char *ret, size_t size)
{
    struct gr_address address;
    if (strlen(word) >= size || !gr_address_parse(word, &address))
        return fault(parser, "\"%.70s\" is no address like 127.0.0.1:7390 of at most %d bytes",
            word, GR_NAME_BYTES_MAX);
    memcpy(ret, word, strlen(word) + 1);
    return GR_OK;
}

static enum gr_err read_name(struct parser *parser, const char *word, char *ret, size_t size)
{
    if (strlen(word) >= size)
        return fault(parser, "the name \"%.70s\" has more than %d bytes", word, GR_NAME_BYTES_MAX);
    for (const char *at = word; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~')
            return fault(parser, "a name has printable letters only");
    memcpy(ret, word, strlen(word) + 1);
    return GR_OK;
}

// One of the words behind a member's addresses.
static enum gr_err read_label(struct parser *parser, const char *word, struct gr_card *member)
{
    uint64_t weight = 0;
    if (strncmp(word, "site=", 5) == 0)
        return read_name(parser, word + 5, member->site, sizeof(member->site));
    if (strncmp(word, "rack=", 5) == 0)
        return read_name(parser, word + 5, member->rack, sizeof(member->rack));
    if (strncmp(word, "weight=", 7) != 0)
        return fault(parser, "\"%.60s\" is none of site=, rack= and weight=", word);
    if (!gr_text_parse_number(word + 7, 1, GR_WEIGHT_MAX, &weight))
        return fault(parser, "weight is a number from 1 to %d", GR_WEIGHT_MAX);
    member->weight = (uint32_t)weight;
    return GR_OK;
}

static enum gr_err read_member(struct parser *parser, char *value)
{
    char *word[7] = {0}, *rest = value, *save = NULL;
    size_t count = 0;
    for (char *at; (at = strtok_r(rest, " \t", &save)) != NULL; rest = NULL) {
        if (count < GR_COUNT(word))
            word[count] = at;
        count++;
    }
    if (count < 4 || count > GR_COUNT(word))
        return fault(parser, "a member is: name host peer-address redis-address, and if wanted "
                             "site=, rack= and weight=");
    if (parser->member_count >= GR_MEMBERS_MAX)
        return fault(parser, "there are more than %d members", GR_MEMBERS_MAX);
    struct gr_card *member = &parser->member[parser->member_count];
    *member = (struct gr_card){.weight = 1};
    enum gr_err err = read_name(parser, word[0], member->name, sizeof(member->name));
    if (err == GR_OK)
        err = read_name(parser, word[1], member->host, sizeof(member->host));
    if (err == GR_OK)
        err = read_address(parser, word[2], member->peer, sizeof(member->peer));
    if (err == GR_OK)
        err = read_address(parser, word[3], member->resp, sizeof(member->resp));
    for (size_t i = 4; i < count && err == GR_OK; i++)
        err = read_label(parser, word[i], member);
    if (err != GR_OK)
        return err;
    for (uint16_t i = 0; i < parser->member_count; i++) {
        const struct gr_card *other = &parser->member[i];
        if (strcmp(other->name, member->name) == 0)
            return fault(parser, "the name %s is already taken in line %d", member->name,
                parser->member_line[i]);
        if (strcmp(other->peer, member->peer) == 0)
            return fault(parser, "the peer address %s is already taken in line %d", member->peer,
                parser->member_line[i]);
    }
    parser->member_line[parser->member_count++] = parser->line;
    return GR_OK;
}

static enum gr_err read_number(
    struct parser *parser, enum key key, const char *value, uint64_t least, uint64_t most)
{
    if (!gr_text_parse_number(value, least, most, &parser->number[key]))
        return fault(parser, "%s is a number from %llu to %llu", key_names[key],
            (unsigned long long)least, (unsigned long long)most);
    return GR_OK;
}

static enum gr_err read_interval(struct parser *parser, const char *value)
{
    char number[8] = "";
    size_t digits = strspn(value, "0123456789");
    bool fits = digits < sizeof(number);
    if (fits)
        memcpy(number, value, digits);
    uint64_t unit = strcmp(value + digits, "ms") == 0  ? 1
                    : strcmp(value + digits, "s") == 0 ? 1000
                                                       : 0;
    uint64_t *ms = &parser->number[KEY_SYNC_INTERVAL];
    if (!fits || unit == 0 || !gr_text_parse_number(number, 1, GR_SYNC_INTERVAL_MS_MAX / unit, ms))
        return fault(parser, "sync_interval is a time from 1ms to 1s");
    *ms *= unit;
    return GR_OK;
}

static enum gr_err read_value(struct parser *parser, enum key key, const char *value)
{
    enum gr_err err = GR_OK;
    switch (key) {
    case KEY_FORMAT:
        err = read_number(parser, key, value, 1, UINT32_MAX);
        if (err == GR_OK && parser->number[key] > FORMAT) {
            (void)fault(parser,
                "format %s is newer than this program, which knows %d; use the "
                "program that wrote it, or a newer one",
                value, FORMAT);
            err = GR_ERR_FORMAT;
        }
        return err;
    case KEY_CLUSTER:
        if (!gr_text_parse_hex(value, parser->id, sizeof(parser->id)))
            return fault(parser, "cluster is %d hexadecimal digits", 2 * GR_CLUSTER_ID_BYTES);
        return GR_OK;
    case KEY_SECRET:
        if (!gr_text_parse_hex(value, parser->secret, sizeof(parser->secret)))
            return fault(parser, "secret is %d hexadecimal digits", 2 * GR_CLUSTER_SECRET_BYTES);
        return GR_OK;
    case KEY_PARTITIONS:
        err = read_number(parser, key, value, 1, GR_PARTITIONS_MAX);
        if (err == GR_OK && (parser->number[key] & (parser->number[key] - 1)) != 0)
            return fault(parser, "partitions is a power of two");
        return err;
    case KEY_R:
    case KEY_W:
        if (strcmp(value, "local") == 0 || strcmp(value, "each") == 0) {
            parser->number[key] = value[0] == 'l' ? GR_QUORUM_LOCAL : GR_QUORUM_EACH;
            return GR_OK;
        }
        if (!gr_text_parse_number(value, 1, GR_REPLICAS_MAX, &parser->number[key]))
            return fault(parser, "%s is a number from 1 to %d, local or each", key_names[key],
                GR_REPLICAS_MAX);
        return GR_OK;
    case KEY_N:
        return read_number(parser, key, value, 1, GR_REPLICAS_MAX);
    case KEY_DURABILITY:
        for (int i = 0; i < GR_DURABILITY_COUNT; i++)
            if (strcmp(value, gr_durability_name((enum gr_durability)i)) == 0) {
                parser->number[key] = (uint64_t)i;
                return GR_OK;
            }
        return fault(parser, "durability is commit, interval or buffered");
    case KEY_SYNC_INTERVAL:
        return read_interval(parser, value);
    case KEY_COUNT:
        break;
    }
    gr_unreachable("key of the cluster file");
}

static enum gr_err read_line(struct parser *parser, char *line)
{
    char *name = gr_text_trim(line);
    if (name[0] == '\0' || name[0] == '#')
        return GR_OK;
    char *equals = strchr(name, '=');
    if (equals == NULL)
        return fault(parser, "\"%.60s\" is no `key = value` line", name);
    *equals = '\0';
    name = gr_text_trim(name);
    char *value = gr_text_trim(equals + 1);
    if (strcmp(name, "member") == 0)
        return read_member(parser, value);
    for (int key = 0; key < KEY_COUNT; key++) {
        if (strcmp(name, key_names[key]) != 0)
            continue;
        if (parser->line_of[key] != 0)
            return fault(parser, "%s is already set in line %d", name, parser->line_of[key]);
        parser->line_of[key] = parser->line;
        return read_value(parser, (enum key)key, value);
    }
    return fault(parser,
        "there is no key \"%.60s\"; there are: format, cluster, secret, "
        "partitions, n, r, w, durability, sync_interval, member",
        name);
}

static enum gr_err read_lines(struct parser *parser, char *text)
{
    for (char *rest = text; rest != NULL;) {
        parser->line++;
        enum gr_err err = read_line(parser, strsep(&rest, "\n"));
        if (err != GR_OK)
            return err;
    }
    parser->line = 0;
    for (int key = 0; key < KEY_DURABILITY; key++)
        if (parser->line_of[key] == 0)
            return fault(parser, "the line `%s = ...` is missing", key_names[key]);
    if (parser->number[KEY_N] > parser->member_count)
        return fault(parser, "n is %d, but there are only %d members", (int)parser->number[KEY_N],
            parser->member_count);
    uint8_t n = (uint8_t)parser->number[KEY_N];
    if (!gr_quorum_fits((uint8_t)parser->number[KEY_R], n) ||
        !gr_quorum_fits((uint8_t)parser->number[KEY_W], n))
        return fault(parser, "r and w are at most n");
    return GR_OK;
}

enum gr_err gr_cluster_read(
    const char *path, struct gr_cluster *ret_cluster, char *ret_why, size_t why_size)
{
    struct parser parser = {.path = path, .ret_why = ret_why, .why_size = why_size};
    parser.number[KEY_DURABILITY] = GR_DURABILITY_COMMIT;
    parser.number[KEY_SYNC_INTERVAL] = GR_SYNC_INTERVAL_MS_DEFAULT;
    char *text = NULL;
    enum gr_err err = gr_file_read(path, GR_CLUSTER_FILE_BYTES_MAX, &text, ret_why, why_size);
    if (err != GR_OK)
        return err;
    parser.member = gr_hook_memory(NULL, GR_MEMBERS_MAX * sizeof(*parser.member));
    parser.member_line = gr_hook_memory(NULL, GR_MEMBERS_MAX * sizeof(*parser.member_line));
    err = read_lines(&parser, text);
    if (err == GR_OK) {
        *ret_cluster = (struct gr_cluster){
            .partitions = (uint32_t)parser.number[KEY_PARTITIONS],
            .n = (uint8_t)parser.number[KEY_N],
            .r = (uint8_t)parser.number[KEY_R],
            .w = (uint8_t)parser.number[KEY_W],
            .durability = (enum gr_durability)parser.number[KEY_DURABILITY],
            .sync_interval = gr_span_ms((int64_t)parser.number[KEY_SYNC_INTERVAL]),
        };
        memcpy(ret_cluster->id, parser.id, sizeof(parser.id));
        memcpy(ret_cluster->secret, parser.secret, sizeof(parser.secret));
        set_members(ret_cluster, parser.member, parser.member_count);
    }
    explicit_bzero(text, strlen(text));
    explicit_bzero(parser.secret, sizeof(parser.secret));
    gr_hook_memory(text, 0);
    gr_hook_memory(parser.member, 0);
    gr_hook_memory(parser.member_line, 0);
    return err;
}

// ---- writing ---------------------------------------------------------------------------------

static void print(struct gr_writer *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void print(struct gr_writer *out, const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    gr_assert(size >= 0 && (size_t)size < sizeof(line));
    gr_write_bytes(out, gr_bytes(line, (size_t)size));
}

static void print_quorum(struct gr_writer *out, const char *name, uint8_t asked)
{
    if (gr_quorum_by_site(asked))
        print(out, "%s = %s\n", name, asked == GR_QUORUM_LOCAL ? "local" : "each");
    else
        print(out, "%s = %u\n", name, asked);
}

static void print_label(struct gr_writer *out, const char *name, const char *value)
{
    if (value[0] != '\0')
        print(out, " %s=%s", name, value);
}

enum gr_err gr_cluster_write(
    const char *path, const struct gr_cluster *cluster, char *ret_why, size_t why_size)
{
    char id[2 * GR_CLUSTER_ID_BYTES + 1], secret[2 * GR_CLUSTER_SECRET_BYTES + 1];
    gr_text_format_hex(cluster->id, sizeof(cluster->id), id);
    gr_text_format_hex(cluster->secret, sizeof(cluster->secret), secret);
    struct gr_writer out;
    gr_writer_init(&out, GR_CLUSTER_FILE_BYTES_MAX);
    print(&out,
        "# Gramme cluster file: the same at every member, and secret.\n"
        "# These members found the cluster; who comes later is not here. Their order is that\n"
        "# of the first ring: do not change it.\n");
    print(&out, "format = %d\ncluster = %s\nsecret = %s\n", FORMAT, id, secret);
    print(&out, "partitions = %u\nn = %u\n", cluster->partitions, cluster->n);
    print_quorum(&out, "r", cluster->r);
    print_quorum(&out, "w", cluster->w);
    print(&out, "durability = %s\nsync_interval = %lldms\n",
        gr_durability_name(cluster->durability), (long long)(cluster->sync_interval.ns / 1000000));
    print(&out, "# member = name host peer-address redis-address\n");
    for (uint16_t i = 0; i < cluster->member_count; i++) {
        const struct gr_card *member = &cluster->member[i];
        print(&out, "member = %s %s %s %s", member->name, member->host, member->peer, member->resp);
        print_label(&out, "site", member->site);
        print_label(&out, "rack", member->rack);
        if (member->weight > 1)
            print(&out, " weight=%u", member->weight);
        print(&out, "\n");
    }
    gr_write_u8(&out, 0);
    gr_assert(!out.bad);
    enum gr_err err = gr_file_write(path, (const char *)out.data, 0600, ret_why, why_size);
    explicit_bzero(out.data, out.size);
    explicit_bzero(secret, sizeof(secret));
    gr_writer_deinit(&out);
    return err;
}
