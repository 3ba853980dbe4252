// How verbs print: aligned tables for people, JSON for programs.
#ifndef GR_BIN_OUTPUT_H
#define GR_BIN_OUTPUT_H

#include "base/arena.h"

enum { GR_TABLE_COLUMNS_MAX = 10, GR_TABLE_ROWS_MAX = 1025 };

// Copies its cells. A zeroed table with `columns` set is empty; the first row is the head.
struct gr_table {
    int columns, rows;
    const char **cell; // [rows * columns]
    struct gr_arena arena;
};

void gr_table_init(struct gr_table *table, int columns);
void gr_table_deinit(struct gr_table *table);
// Adds one row of table->columns texts; more than GR_TABLE_ROWS_MAX rows are counted, not kept.
void gr_table_row(struct gr_table *table, const char *const *cells);
// One cell as printf would make it; belongs to the table.
__attribute__((format(printf, 2, 3))) const char *gr_table_format(
    struct gr_table *table, const char *format, ...);
// To stdout, each column as wide as its widest cell.
void gr_table_print(const struct gr_table *table);

// To stdout: a JSON string, or {"base64":"..."} where the bytes are no UTF-8.
void gr_json_bytes(struct gr_bytes bytes);
void gr_json_text(const char *text);

// "23,000"; belongs to the table.
const char *gr_table_number(struct gr_table *table, int64_t number);
// "3d 4h", "5m 12s", "8s"; belongs to the table.
const char *gr_table_seconds(struct gr_table *table, int64_t seconds);

#endif
