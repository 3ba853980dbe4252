// What the chapters of the Redis face do with words: compare, match, read numbers and keys.
//
// Source: redis.io/docs on KEYS for the glob; the texts of number errors as redis-server 7.0 gives
// them.
//
// I1. A name in a table is lower case; what a client sent is compared without regard to ASCII case.
// I2. The glob takes at most pattern x text steps: of two stars only the later one is retried.
//
// Owns nothing.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/redis_inside.h"

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

bool gr_redis_is(struct gr_bytes text, const char *word)
{
    size_t i = 0;
    for (; i < text.size && word[i] != 0; i++) {
        if (lower(text.data[i]) != (uint8_t)word[i])
            return false;
    }
    return i == text.size && word[i] == 0;
}

// ---- glob ----------------------------------------------------------------------------------

static uint8_t folded(uint8_t byte, bool any_case)
{
    return any_case ? lower(byte) : byte;
}

// Matches one byte against the class that begins at pattern[*at] == '[', and moves *at behind it.
static bool match_class(struct gr_bytes pattern, size_t *at, uint8_t byte, bool any_case)
{
    size_t i = *at + 1;
    bool inverted = i < pattern.size && pattern.data[i] == '^';
    i += inverted;
    bool found = false;
    byte = folded(byte, any_case);
    while (i < pattern.size && pattern.data[i] != ']') {
        if (pattern.data[i] == '\\' && i + 1 < pattern.size)
            i++;
        uint8_t first = folded(pattern.data[i], any_case), last = first;
        if (i + 2 < pattern.size && pattern.data[i + 1] == '-') {
            last = folded(pattern.data[i + 2], any_case);
            i += 2;
        }
        if (byte >= GR_MIN(first, last) && byte <= GR_MAX(first, last))
            found = true;
        i++;
    }
    *at = GR_MIN(i + 1, pattern.size);
    return found != inverted;
}

// Matches one byte against the element at pattern[*at], which is not a star; moves *at behind it.
static bool match_one(struct gr_bytes pattern, size_t *at, uint8_t byte, bool any_case)
{
    uint8_t element = pattern.data[*at];
    if (element == '[')
        return match_class(pattern, at, byte, any_case);
    if (element == '\\' && *at + 1 < pattern.size)
        element = pattern.data[++*at];
    else if (element == '?')
        element = byte;
    ++*at;
    return folded(element, any_case) == folded(byte, any_case);
}

bool gr_redis_glob(struct gr_bytes pattern, struct gr_bytes text, bool any_case)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX, star_text = 0; // the last star, and where its text ends so far
    while (t < text.size) {
        if (p < pattern.size && pattern.data[p] == '*') {
            star = p++;
            star_text = t;
            continue;
        }
        if (p < pattern.size && match_one(pattern, &p, text.data[t], any_case)) {
            t++;
            continue;
        }
        if (star == SIZE_MAX)
            return false;
        p = star + 1;
        t = ++star_text;
    }
    while (p < pattern.size && pattern.data[p] == '*')
        p++;
    return p == pattern.size;
}

// ---- words of a command --------------------------------------------------------------------

bool gr_redis_integer(struct gr_redis_command *cmd, struct gr_bytes text, int64_t *ret)
{
    if (gr_decimal_read(text, ret))
        return true;
    gr_redis_fail_integer(cmd);
    return false;
}

static bool fail_limit(struct gr_redis_command *cmd, enum gr_err err)
{
    const struct gr_err_info *info = gr_err_info(err);
    gr_redis_fail(cmd, "%s %s", info->resp, info->text);
    return false;
}

bool gr_redis_value_fits(struct gr_redis_command *cmd, struct gr_bytes value)
{
    return value.size <= GR_VALUE_BYTES_MAX || fail_limit(cmd, GR_ERR_LIMIT_VALUE);
}

static bool make_key(struct gr_redis_command *cmd, struct gr_bytes text, struct gr_key *ret)
{
    if (text.size == 0 || text.size > GR_KEY_BYTES_MAX)
        return fail_limit(cmd, GR_ERR_LIMIT_KEY);
    *ret = gr_key_make(gr_bytes_text("default"), text);
    return true;
}

bool gr_redis_key(struct gr_redis_command *cmd)
{
    cmd->key = gr_arena_array(&cmd->arena, struct gr_key, 1);
    if (!make_key(cmd, cmd->arg[1], &cmd->key[0]))
        return false;
    cmd->key_count = cmd->total = 1;
    return true;
}

bool gr_redis_keys(struct gr_redis_command *cmd, uint32_t first, uint32_t step, bool once)
{
    uint32_t count = (cmd->arg_count - first + step - 1) / step;
    if (count > GR_REDIS_KEYS_MAX) {
        gr_redis_fail(cmd, "ERR a command names at most %d keys", GR_REDIS_KEYS_MAX);
        return false;
    }
    cmd->key = gr_arena_array(&cmd->arena, struct gr_key, count);
    if (step == 2)
        cmd->value = gr_arena_array(&cmd->arena, struct gr_bytes, count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct gr_key key;
        if (!make_key(cmd, cmd->arg[first + i * step], &key))
            return false;
        uint32_t at = kept;
        for (uint32_t j = 0; once && j < kept; j++) {
            if (cmd->key[j].hash == key.hash && gr_key_equal(&cmd->key[j], &key))
                at = j;
        }
        cmd->key[at] = key;
        if (step == 2)
            cmd->value[at] = cmd->arg[first + i * step + 1];
        kept += at == kept;
    }
    cmd->key_count = cmd->total = kept;
    return true;
}

// ---- results -------------------------------------------------------------------------------

const struct gr_sibling *gr_redis_visible(const struct gr_result *result)
{
    const struct gr_sibling *winner = gr_record_winner(&result->record);
    return winner == NULL || gr_sibling_due(winner, result->now) ? NULL : winner;
}

// "1 of W=2 replicas"; where W is by site, "1 of W=LOCAL (2) replicas": those that count there.
static void print_replicas(struct gr_writer *to, const struct gr_result *result, const char *name)
{
    if (gr_quorum_by_site(result->quorum))
        gr_redis_print(to, "%u of %s=%s (%u) replicas", result->reached, name,
            result->quorum == GR_QUORUM_LOCAL ? "LOCAL" : "EACH", result->needed);
    else
        gr_redis_print(to, "%u of %s=%u replicas", result->acks, name, result->needed);
}

void gr_redis_result_text(struct gr_writer *to, const struct gr_result *result)
{
    const struct gr_err_info *info = gr_err_info(result->err);
    int64_t ms = result->timeout.ns / 1000000;
    // Nodes that stand in count toward R and W, not toward PR and PW: then this is why.
    char owners[32] = "";
    if (result->primaries < result->acks && !gr_quorum_by_site(result->quorum))
        snprintf(owners, sizeof owners, ", %u of them owners", result->primaries);
    if (result->err == GR_ERR_READ_QUORUM) {
        gr_redis_print(to, "%s ", info->resp);
        print_replicas(to, result, "R");
        gr_redis_print(to, " answered%s", owners);
        if (ms > 0)
            gr_redis_print(to, " within %" PRId64 " ms", ms);
        else
            gr_redis_print(to, "; no other can be asked now");
    } else if (result->err == GR_ERR_WRITE_QUORUM) {
        gr_redis_print(to, "%s write reached ", info->resp);
        print_replicas(to, result, "W");
        gr_redis_print(to, "%s", owners);
        if (result->durable_needed > 0)
            gr_redis_print(to, ", %u of DW=%u synced", result->durable, result->durable_needed);
        gr_redis_print(to, "; it may still take effect");
    } else if (result->err == GR_ERR_LIMIT_VALUE && result->limit > 0) {
        gr_redis_print(
            to, "%s a value has at most %" PRIu32 " bytes (value_max)", info->resp, result->limit);
    } else if (result->err == GR_ERR_LIMIT_SIBLINGS && result->limit > 0) {
        gr_redis_print(to,
            "%s the key has %" PRIu32 " siblings (siblings_max), or 32 MiB of them; read it and "
            "write with its context",
            info->resp, result->limit);
    } else {
        gr_redis_print(to, "%s %s", info->resp, info->text);
        if (result->outcome == GR_INDETERMINATE)
            gr_redis_print(to, "; it may still take effect");
    }
}

void gr_redis_print(struct gr_writer *to, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    gr_assert(size >= 0);
    gr_write_bytes(to, gr_bytes(text, GR_MIN((size_t)size, sizeof text - 1)));
}
