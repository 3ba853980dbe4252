// How verbs print: a table keeps its cells until it knows how wide each column must be; JSON is
// written as it comes.
#include "bin/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void gr_table_init(struct gr_table *table, int columns)
{
    gr_assert(columns > 0 && columns <= GR_TABLE_COLUMNS_MAX);
    *table = (struct gr_table){.columns = columns};
    size_t cells = (size_t)GR_TABLE_ROWS_MAX * (size_t)columns;
    table->cell = gr_arena_array(&table->arena, const char *, cells);
}

void gr_table_deinit(struct gr_table *table)
{
    gr_arena_deinit(&table->arena);
}

const char *gr_table_format(struct gr_table *table, const char *format, ...)
{
    char text[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    return (const char *)gr_arena_copy(&table->arena, gr_bytes(text, strlen(text) + 1)).data;
}

void gr_table_row(struct gr_table *table, const char *const *cells)
{
    int row = table->rows++;
    if (row >= GR_TABLE_ROWS_MAX)
        return;
    for (int i = 0; i < table->columns; i++)
        table->cell[row * table->columns + i] = gr_table_format(table, "%s", cells[i]);
}

void gr_table_print(const struct gr_table *table)
{
    int rows = GR_MIN(table->rows, GR_TABLE_ROWS_MAX);
    int width[GR_TABLE_COLUMNS_MAX] = {0};
    for (int i = 0; i < rows * table->columns; i++)
        width[i % table->columns] = GR_MAX(width[i % table->columns], (int)strlen(table->cell[i]));
    for (int row = 0; row < rows; row++) {
        for (int i = 0; i + 1 < table->columns; i++)
            printf("%-*s  ", width[i], table->cell[row * table->columns + i]);
        printf("%s\n", table->cell[(row + 1) * table->columns - 1]);
    }
    if (table->rows > rows)
        printf("... and %d more\n", table->rows - rows);
}

const char *gr_table_number(struct gr_table *table, int64_t number)
{
    char digits[24], text[32];
    int size = snprintf(digits, sizeof(digits), "%lld", (long long)number), used = 0;
    for (int i = 0; i < size; i++) {
        text[used++] = digits[i];
        if (digits[i] != '-' && i + 1 < size && (size - i - 1) % 3 == 0)
            text[used++] = ',';
    }
    text[used] = 0;
    return gr_table_format(table, "%s", text);
}

const char *gr_table_seconds(struct gr_table *table, int64_t seconds)
{
    long long s = (long long)seconds;
    if (s >= 86400)
        return gr_table_format(table, "%lldd %lldh", s / 86400, s % 86400 / 3600);
    if (s >= 3600)
        return gr_table_format(table, "%lldh %lldm", s / 3600, s % 3600 / 60);
    if (s >= 60)
        return gr_table_format(table, "%lldm %llds", s / 60, s % 60);
    return gr_table_format(table, "%llds", s);
}

// ---- JSON ----------------------------------------------------------------------------------

// How many bytes the UTF-8 sequence at `at` has; 0 when it is none (overlong and surrogates too).
static size_t utf8_sequence(const uint8_t *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = at[0] < 0x80             ? 1
                  : (at[0] & 0xe0) == 0xc0 ? 2
                  : (at[0] & 0xf0) == 0xe0 ? 3
                  : (at[0] & 0xf8) == 0xf0 ? 4
                                           : 0;
    if (size < 2 || size > left)
        return size == 1 ? 1 : 0;
    uint32_t code = at[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3fu);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < least[size] || code > 0x10ffff || surrogate ? 0 : size;
}

static bool is_utf8(struct gr_bytes bytes)
{
    for (size_t i = 0; i < bytes.size;) {
        size_t size = utf8_sequence(bytes.data + i, bytes.size - i);
        if (size == 0)
            return false;
        i += size;
    }
    return true;
}

static void print_base64(struct gr_bytes bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = GR_MIN(bytes.size - i, 3);
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes.data[i + 2] : 0;
        for (size_t d = 0; d < 4; d++)
            putchar(d <= left ? digit[group >> (18 - 6 * d) & 63] : '=');
    }
}

void gr_json_bytes(struct gr_bytes bytes)
{
    if (!is_utf8(bytes)) {
        printf("{\"base64\":\"");
        print_base64(bytes);
        printf("\"}");
        return;
    }
    putchar('"');
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c == '\n')
            printf("\\n");
        else if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

void gr_json_text(const char *text)
{
    gr_json_bytes(gr_bytes_text(text));
}
