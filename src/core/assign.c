// Rows take columns: see assign.h.
//
// A row that finds its column full asks who sits there to move on, and that one may ask again: a
// chain of swaps that ends at a column with room. Each row in turn takes the chain that gives up
// least of what was kept; a chain may even give something back that an earlier one took. (This is
// minimum-cost flow by successive shortest paths: each taking is an edge of cost 0 if it was there
// before and 1 if not, and the cheapest chains one after another are the cheapest in all.)
//
//   A1  What is taken so far is always the cheapest way to meet the needs that are met so far; so
//       no round of swaps gains anything, and a search ends.
//   A2  The same input gives the same output, on any machine.
//
// To find a chain without looking at every row, `swaps` counts for each two columns the rows that
// could go from one to the other, by what that costs: kept to new 1, like to like 0, new to kept
// -1.
//
// Owns: four arrays. Bounds: columns^2 counters; one search is at most columns^3 looks, and about
// columns^2 in practice.
#include "core/assign.h"

#include <string.h>

#include "base/hash.h"

enum { COSTS = 3, COST_MAX = 1 << 20 };

void gr_assign_init(struct gr_assign *assign, uint32_t rows, uint16_t columns)
{
    gr_assert(rows > 0 && (rows & (rows - 1)) == 0 && columns > 0);
    size_t cells = (size_t)rows * columns, pairs = (size_t)columns * columns * COSTS;
    *assign = (struct gr_assign){
        .rows = rows,
        .columns = columns,
        .cell = gr_hook_memory(NULL, cells),
        .spare = gr_hook_memory(NULL, columns * sizeof *assign->spare),
        .swaps = gr_hook_memory(NULL, pairs * sizeof *assign->swaps),
        .cost = gr_hook_memory(NULL, columns * sizeof *assign->cost),
        .from = gr_hook_memory(NULL, columns * sizeof *assign->from),
    };
    memset(assign->cell, 0, cells);
    memset(assign->spare, 0, columns * sizeof *assign->spare);
    memset(assign->swaps, 0, pairs * sizeof *assign->swaps);
}

void gr_assign_deinit(struct gr_assign *assign)
{
    gr_hook_memory(assign->cell, 0);
    gr_hook_memory(assign->spare, 0);
    gr_hook_memory(assign->swaps, 0);
    gr_hook_memory(assign->cost, 0);
    gr_hook_memory(assign->from, 0);
    *assign = (struct gr_assign){0};
}

uint8_t *gr_assign_cell(struct gr_assign *assign, uint32_t row, uint16_t column)
{
    gr_assert(row < assign->rows && column < assign->columns);
    return &assign->cell[(size_t)row * assign->columns + column];
}

static bool is_free(struct gr_assign *assign, uint32_t row, uint16_t column)
{
    uint8_t cell = *gr_assign_cell(assign, row, column);
    return (cell & GR_ASSIGN_ALLOWED) != 0 && (cell & GR_ASSIGN_TAKEN) == 0;
}

static int cost_of(struct gr_assign *assign, uint32_t row, uint16_t column)
{
    return (*gr_assign_cell(assign, row, column) & GR_ASSIGN_KEPT) == 0;
}

// The row could go from one column to the other.
static bool swaps(struct gr_assign *assign, uint32_t row, uint16_t from, uint16_t to)
{
    const uint8_t *cell = gr_assign_cell(assign, row, 0);
    return (cell[from] & GR_ASSIGN_TAKEN) != 0 && is_free(assign, row, to) &&
           (assign->may_swap == NULL || assign->may_swap(assign->host, cell, from, to));
}

static int step_of(struct gr_assign *assign, uint32_t row, uint16_t from, uint16_t to)
{
    return cost_of(assign, row, to) - cost_of(assign, row, from);
}

static uint16_t *swaps_of(struct gr_assign *assign, uint16_t from, uint16_t to)
{
    return &assign->swaps[((size_t)from * assign->columns + to) * COSTS];
}

// What the cheapest swap costs; COST_MAX: there is none.
static int cheapest_step(struct gr_assign *assign, uint16_t from, uint16_t to)
{
    const uint16_t *rows = swaps_of(assign, from, to);
    return rows[0] > 0 ? -1 : rows[1] > 0 ? 0 : rows[2] > 0 ? 1 : COST_MAX;
}

// Counts the row in, or out, of all swaps that it could make.
static void count(struct gr_assign *assign, uint32_t row, int by)
{
    for (uint16_t from = 0; from < assign->columns; from++) {
        if ((*gr_assign_cell(assign, row, from) & GR_ASSIGN_TAKEN) == 0)
            continue;
        for (uint16_t to = 0; to < assign->columns; to++) {
            if (!swaps(assign, row, from, to))
                continue;
            int step = step_of(assign, row, from, to);
            swaps_of(assign, from, to)[step + 1] += (uint16_t)by;
            assign->gains += step < 0 ? (uint64_t)by : 0;
        }
    }
}

// The row takes `to` (if it is none: nothing) and gives up `from` (likewise).
static void move(struct gr_assign *assign, uint32_t row, int from, int to)
{
    count(assign, row, -1);
    if (from >= 0)
        *gr_assign_cell(assign, row, (uint16_t)from) ^= GR_ASSIGN_TAKEN;
    if (to >= 0)
        *gr_assign_cell(assign, row, (uint16_t)to) ^= GR_ASSIGN_TAKEN;
    count(assign, row, 1);
}

// Spreads those that are alike: without it nodes would share all their partitions with the same
// few.
static uint64_t rank_of(uint32_t row, uint16_t column)
{
    uint8_t bytes[6] = {(uint8_t)row, (uint8_t)(row >> 8), (uint8_t)(row >> 16),
        (uint8_t)(row >> 24), (uint8_t)column, (uint8_t)(column >> 8)};
    return gr_hash64(gr_bytes(bytes, sizeof bytes), 0);
}

// The column that the cheapest chain found so far ends at, with room unless `full`, or -1.
static int cheapest(struct gr_assign *assign, uint32_t row, bool full)
{
    int best = -1;
    for (uint16_t c = 0; c < assign->columns; c++) {
        if ((assign->spare[c] == 0 && !full) || assign->cost[c] == COST_MAX)
            continue;
        int cost = best < 0 ? COST_MAX : assign->cost[best];
        if (assign->cost[c] < cost ||
            (assign->cost[c] == cost && rank_of(row, c) < rank_of(row, (uint16_t)best)))
            best = c;
    }
    return best;
}

// Cheaper ways to columns by one swap more.
static bool relax(struct gr_assign *assign)
{
    bool changed = false;
    for (uint16_t from = 0; from < assign->columns; from++)
        for (uint16_t to = 0; to < assign->columns && assign->cost[from] < COST_MAX; to++) {
            int step = cheapest_step(assign, from, to);
            if (step == COST_MAX || assign->cost[from] + step >= assign->cost[to])
                continue;
            assign->cost[to] = assign->cost[from] + step;
            assign->from[to] = from;
            changed = true;
        }
    return changed;
}

// Where a chain for the row ends, or -1.
static int search(struct gr_assign *assign, uint32_t row)
{
    int least = COST_MAX;
    for (uint16_t c = 0; c < assign->columns; c++) {
        assign->cost[c] = is_free(assign, row, c) ? cost_of(assign, row, c) : COST_MAX;
        assign->from[c] = -1;
        least = GR_MIN(least, assign->cost[c]);
    }
    int direct = cheapest(assign, row, false);
    if (direct >= 0 && assign->cost[direct] == least && assign->gains == 0)
        return direct;
    for (uint16_t i = 0; relax(assign); i++)
        gr_assert(i <= assign->columns); // A1
    return cheapest(assign, row, false);
}

// Whoever can go from one column to the other at the least cost goes. The row, or -1: nobody can.
static int64_t move_on(struct gr_assign *assign, uint16_t from, uint16_t to)
{
    int step = cheapest_step(assign, from, to);
    for (uint32_t row = 0; row < assign->rows && step < COST_MAX; row++) {
        if (!swaps(assign, row, from, to) || step_of(assign, row, from, to) != step)
            continue;
        move(assign, row, from, to);
        return row;
    }
    return -1;
}

static void take(struct gr_assign *assign, uint32_t row)
{
    int column = search(assign, row);
    if (column >= 0)
        assign->spare[column]--;
    else // the totals cannot be kept; A1 must be, or the next search might find no end
        column = cheapest(assign, row, true);
    gr_assert(column >= 0);
    // From the end, so that each who moves finds the place already left.
    for (int from; (from = assign->from[column]) >= 0; column = from) {
        int64_t moved = move_on(assign, (uint16_t)from, (uint16_t)column);
        gr_assert(moved >= 0);
    }
    move(assign, row, -1, column);
}

void gr_assign_run(struct gr_assign *assign, const uint8_t *need)
{
    uint8_t *left = gr_hook_memory(NULL, assign->rows);
    memcpy(left, need, assign->rows);
    // In an order of its own: else the last rows would give up what the columns have too much of.
    const uint32_t stride = 0x9e3779b1;
    for (uint32_t i = 0; i < assign->rows; i++) {
        uint32_t row = i * stride & (assign->rows - 1);
        for (uint16_t c = 0; c < assign->columns && left[row] > 0; c++)
            if (is_free(assign, row, c) && cost_of(assign, row, c) == 0 && assign->spare[c] > 0) {
                assign->spare[c]--;
                left[row]--;
                move(assign, row, -1, c);
            }
    }
    for (uint32_t i = 0; i < assign->rows; i++) {
        uint32_t row = i * stride & (assign->rows - 1);
        for (; left[row] > 0; left[row]--)
            take(assign, row);
    }
    gr_hook_memory(left, 0);
}

// ---- improving -------------------------------------------------------------------------------

// A column on a round of swaps that keeps more than it gives up, or -1.
static int find_round(struct gr_assign *assign)
{
    for (uint16_t c = 0; c < assign->columns; c++) {
        assign->cost[c] = 0;
        assign->from[c] = -1;
    }
    while (relax(assign))
        for (uint16_t c = 0; c < assign->columns; c++) {
            // As far back as there are columns: whoever still has one before it is on a round.
            int at = c;
            for (uint16_t i = 0; i < assign->columns && at >= 0; i++)
                at = assign->from[at];
            if (at >= 0)
                return at;
        }
    return -1;
}

struct moved {
    int64_t row;
    int from, to;
};

// False: a swap stood in another's way, and all is as it was.
static bool go_round(struct gr_assign *assign, int column, struct moved *moved)
{
    uint32_t count = 0;
    int to = column;
    do {
        int from = assign->from[to];
        int64_t row = move_on(assign, (uint16_t)from, (uint16_t)to);
        if (row < 0) {
            while (count-- > 0)
                move(assign, (uint32_t)moved[count].row, moved[count].to, moved[count].from);
            return false;
        }
        moved[count++] = (struct moved){row, from, to};
        to = from;
    } while (to != column);
    return true;
}

void gr_assign_improve(struct gr_assign *assign)
{
    struct moved *moved = gr_hook_memory(NULL, assign->columns * sizeof *moved);
    for (uint32_t row = 0; row < assign->rows; row++)
        count(assign, row, 1);
    int column;
    while (assign->gains > 0 && (column = find_round(assign)) >= 0)
        if (!go_round(assign, column, moved))
            break;
    gr_hook_memory(moved, 0);
}
