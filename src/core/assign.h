// Rows take columns: each row so many different ones, each column is taken so many times, and of
// all the ways to do that one that keeps most of what was there before. What placement asks:
// partitions take sites, racks, hosts, nodes.
#ifndef GR_CORE_ASSIGN_H
#define GR_CORE_ASSIGN_H

#include "base/base.h"

enum {
    GR_ASSIGN_ALLOWED = 1, // the row may take the column
    GR_ASSIGN_KEPT = 2,    // and had it before
    GR_ASSIGN_TAKEN = 4,
};

// Owns its arrays. About 6 * columns^2 + rows * columns bytes.
struct gr_assign {
    uint32_t rows; // a power of two
    uint16_t columns;
    uint8_t *cell;   // rows * columns of the flags above; ALLOWED and KEPT are the caller's to set
    uint32_t *spare; // by column: how often more it is to be taken; the caller's to set
    uint16_t *swaps; // by two columns and what it costs: rows that could go from one to the other
    uint64_t gains;  // swaps that would keep one more
    // For gr_assign_improve: whether a row with these cells may go from one column to the other.
    // NULL: to any that is allowed.
    bool (*may_swap)(const void *host, const uint8_t *cell, uint16_t from, uint16_t to);
    const void *host;
    int *cost; // of a search, by column,
    int *from; // and the column before it on the way, or -1
};

// All cells and spares are zero.
void gr_assign_init(struct gr_assign *assign, uint32_t rows, uint16_t columns);
void gr_assign_deinit(struct gr_assign *assign);
uint8_t *gr_assign_cell(struct gr_assign *assign, uint32_t row, uint16_t column);
// need[row] columns for each row, of those that are allowed: there are as many, at least. Where the
// columns' totals cannot be kept, one is taken too often rather than a row left short.
void gr_assign_run(struct gr_assign *assign, const uint8_t *need);
// TAKEN is set already, and needs and totals are met: swaps rows as long as more can be kept so.
void gr_assign_improve(struct gr_assign *assign);

#endif
