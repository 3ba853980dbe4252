// Settings of the cluster, as bytes and as words; see agreed.h.
//
//   AG1 One value, one row of bytes (V1 of layout.c): a format, the value in as many bytes as its
//       key has, when, and where it was set.
//   AG2 What is printed is read back as the same value.
#include "wire/agreed.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT = 1, DIGITS_MAX = 9 };

// ---- bytes -----------------------------------------------------------------------------------

static bool is_narrow(enum gr_agreed_key key)
{
    return key <= GR_AGREED_DURABILITY; // u8; the others are u32
}

static bool is_word(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return true;
}

void gr_agreed_encode(struct gr_writer *out, enum gr_agreed_key key, const struct gr_agreed *agreed)
{
    size_t size = strlen(agreed->by);
    gr_assert(gr_agreed_fits(key, agreed->value));
    gr_assert(size <= GR_NAME_BYTES_MAX && is_word(agreed->by, size));
    gr_write_u8(out, FORMAT);
    if (is_narrow(key))
        gr_write_u8(out, (uint8_t)agreed->value);
    else
        gr_write_u32(out, agreed->value);
    gr_write_u64(out, (uint64_t)agreed->at.ms);
    gr_write_u8(out, (uint8_t)size);
    gr_write_bytes(out, gr_bytes(agreed->by, size));
}

enum gr_err gr_agreed_decode(enum gr_agreed_key key, struct gr_bytes bytes, struct gr_agreed *ret)
{
    struct gr_reader in = gr_reader_of(bytes);
    struct gr_agreed agreed = {0};
    if (gr_read_u8(&in) != FORMAT)
        return GR_ERR_MALFORMED;
    agreed.value = is_narrow(key) ? gr_read_u8(&in) : gr_read_u32(&in);
    agreed.at = (struct gr_wall){(int64_t)gr_read_u64(&in)};
    struct gr_bytes by = gr_read_bytes(&in, gr_read_u8(&in));
    if (!gr_reader_done(&in) || !gr_agreed_fits(key, agreed.value) || by.size > GR_NAME_BYTES_MAX ||
        !is_word((const char *)by.data, by.size))
        return GR_ERR_MALFORMED;
    if (by.size > 0)
        memcpy(agreed.by, by.data, by.size);
    *ret = agreed;
    return GR_OK;
}

// ---- words -----------------------------------------------------------------------------------

static char lower(uint8_t letter)
{
    return (char)(letter >= 'A' && letter <= 'Z' ? letter + 'a' - 'A' : letter);
}

static bool is(struct gr_bytes text, const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; i < size && i < text.size; i++)
        if (lower(text.data[i]) != word[i])
            return false;
    return text.size == size;
}

// Up to DIGITS_MAX digits and no zero before others; what is behind them is *ret_unit.
static bool read_digits(struct gr_bytes text, uint32_t *ret_number, struct gr_bytes *ret_unit)
{
    size_t digits = 0;
    uint32_t number = 0;
    for (; digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9'; digits++) {
        if (digits == DIGITS_MAX)
            return false;
        number = number * 10 + (uint32_t)(text.data[digits] - '0');
    }
    if (digits == 0 || (digits > 1 && text.data[0] == '0'))
        return false;
    *ret_number = number;
    *ret_unit = gr_bytes(text.data + digits, text.size - digits);
    return true;
}

struct unit {
    const char *name;
    uint32_t size;
};

// One of the units, which end with a size of 0.
static bool read_number(struct gr_bytes text, const struct unit *unit, uint64_t *ret_number)
{
    uint32_t number;
    struct gr_bytes behind;
    if (!read_digits(text, &number, &behind))
        return false;
    while (unit->size > 0 && !is(behind, unit->name))
        unit++;
    *ret_number = (uint64_t)number * unit->size;
    return unit->size > 0;
}

static const struct unit times[] = {{"ms", 1}, {"s", 1000}, {NULL, 0}};
static const struct unit sizes[] = {{"b", 1}, {"kb", 1 << 10}, {"mb", 1 << 20}, {NULL, 0}};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

bool gr_agreed_read(enum gr_agreed_key key, struct gr_bytes text, uint32_t *ret_value)
{
    uint64_t value = UINT64_MAX;
    switch (key) {
    case GR_AGREED_R:
    case GR_AGREED_W:
        if (is(text, "local") || is(text, "each"))
            value = is(text, "local") ? GR_QUORUM_LOCAL : GR_QUORUM_EACH;
        else if (!read_number(text, counts, &value) || value > GR_REPLICAS_MAX)
            return false;
        break;
    case GR_AGREED_DURABILITY:
        for (uint32_t i = 0; i < GR_DURABILITY_COUNT; i++)
            if (is(text, gr_durability_name((enum gr_durability)i)))
                value = i;
        break;
    case GR_AGREED_SYNC_INTERVAL:
        if (!read_number(text, times, &value))
            return false;
        break;
    case GR_AGREED_VALUE_MAX:
        if (!read_number(text, sizes, &value))
            return false;
        break;
    case GR_AGREED_SIBLINGS_MAX:
        if (!read_number(text, counts, &value))
            return false;
        break;
    case GR_AGREED_KEYS:
        gr_unreachable("a setting");
    }
    if (value > UINT32_MAX || !gr_agreed_fits(key, (uint32_t)value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

// In the largest unit that has it whole.
static void print_number(uint32_t value, const struct unit *unit, char ret[GR_AGREED_TEXT])
{
    const struct unit *best = unit;
    for (; unit->size > 0; unit++)
        if (unit->size > best->size && value % unit->size == 0)
            best = unit;
    snprintf(ret, GR_AGREED_TEXT, "%" PRIu32 "%s", value / best->size, best->name);
}

void gr_agreed_print(enum gr_agreed_key key, uint32_t value, char ret[GR_AGREED_TEXT])
{
    gr_assert(gr_agreed_fits(key, value));
    switch (key) {
    case GR_AGREED_R:
    case GR_AGREED_W:
        if (gr_quorum_by_site((uint8_t)value))
            snprintf(ret, GR_AGREED_TEXT, value == GR_QUORUM_LOCAL ? "local" : "each");
        else
            snprintf(ret, GR_AGREED_TEXT, "%" PRIu32, value);
        return;
    case GR_AGREED_DURABILITY:
        snprintf(ret, GR_AGREED_TEXT, "%s", gr_durability_name((enum gr_durability)value));
        return;
    case GR_AGREED_SYNC_INTERVAL:
        print_number(value, times, ret);
        return;
    case GR_AGREED_VALUE_MAX:
        print_number(value, sizes, ret);
        return;
    case GR_AGREED_SIBLINGS_MAX:
        print_number(value, counts, ret);
        return;
    case GR_AGREED_KEYS:
        break;
    }
    gr_unreachable("a setting");
}

const char *gr_agreed_possible(enum gr_agreed_key key)
{
    static const char *const words[GR_AGREED_KEYS] = {
        [GR_AGREED_R] = "1 to N, local or each",
        [GR_AGREED_W] = "1 to N, local or each",
        [GR_AGREED_DURABILITY] = "commit, interval or buffered",
        [GR_AGREED_SYNC_INTERVAL] = "a time from 1ms to 1s",
        [GR_AGREED_VALUE_MAX] = "a size from 1b to 8mb (b, kb, mb)",
        [GR_AGREED_SIBLINGS_MAX] = "a number from 1 to 100",
    };
    gr_assert(key > 0 && key < GR_AGREED_KEYS);
    return words[key];
}
