// assign.h: totals are kept, needs are met, and nothing kept is given up without need; against all
// ways there are, on tables small enough to try them.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "core/assign.h"
#include "test/hooks.h"

enum { ROWS = 4, COLUMNS = 4, CASES = 3000 };

struct table {
    uint8_t cell[ROWS][COLUMNS];
    uint8_t need[ROWS];
    uint32_t total[COLUMNS];
};

// The most cells that can be kept by whoever takes the rest of the rows from `row` on; -1: the
// totals cannot be met.
static int most_kept(const struct table *table, uint32_t row, uint32_t *spare)
{
    if (row == ROWS)
        return spare[0] + spare[1] + spare[2] + spare[3] == 0 ? 0 : -1;
    int best = -1;
    for (uint32_t set = 0; set < 1 << COLUMNS; set++) {
        int kept = 0, taken = 0;
        bool fits = true;
        for (uint32_t c = 0; c < COLUMNS; c++) {
            bool in = set >> c & 1;
            fits =
                fits && (!in || ((table->cell[row][c] & GR_ASSIGN_ALLOWED) != 0 && spare[c] > 0));
            taken += in;
            kept += in && (table->cell[row][c] & GR_ASSIGN_KEPT) != 0;
        }
        if (!fits || taken != table->need[row])
            continue;
        for (uint32_t c = 0; c < COLUMNS; c++)
            spare[c] -= set >> c & 1;
        int rest = most_kept(table, row + 1, spare);
        for (uint32_t c = 0; c < COLUMNS; c++)
            spare[c] += set >> c & 1;
        best = rest < 0 ? best : GR_MAX(best, rest + kept);
    }
    return best;
}

// Totals that some choice meets.
static void draw(struct gr_random *random, struct table *table)
{
    memset(table, 0, sizeof *table);
    for (uint32_t r = 0; r < ROWS; r++) {
        uint8_t allowed = 0;
        for (uint32_t c = 0; c < COLUMNS; c++) {
            if (!gr_random_chance(random, 700))
                continue;
            allowed++;
            table->cell[r][c] = GR_ASSIGN_ALLOWED;
            if (gr_random_chance(random, 500))
                table->cell[r][c] |= GR_ASSIGN_KEPT;
        }
        table->need[r] = (uint8_t)gr_random_below(random, allowed + 1u);
        for (uint8_t left = table->need[r]; left > 0;) {
            uint32_t c = (uint32_t)gr_random_below(random, COLUMNS);
            if ((table->cell[r][c] & GR_ASSIGN_ALLOWED) == 0 ||
                (table->cell[r][c] & GR_ASSIGN_TAKEN) != 0)
                continue;
            table->cell[r][c] |= GR_ASSIGN_TAKEN;
            table->total[c]++;
            left--;
        }
        for (uint32_t c = 0; c < COLUMNS; c++)
            table->cell[r][c] &= (uint8_t)~GR_ASSIGN_TAKEN;
    }
}

// How many were kept, and how often each column was taken; -1: a need was not met.
static int run(const struct table *table, uint32_t *taken)
{
    struct gr_assign assign;
    gr_assign_init(&assign, ROWS, COLUMNS);
    for (uint16_t c = 0; c < COLUMNS; c++) {
        assign.spare[c] = table->total[c];
        for (uint32_t r = 0; r < ROWS; r++)
            *gr_assign_cell(&assign, r, c) = table->cell[r][c];
    }
    gr_assign_run(&assign, table->need);
    memset(taken, 0, COLUMNS * sizeof *taken);
    int kept = 0;
    bool right = true;
    for (uint32_t r = 0; r < ROWS; r++) {
        uint8_t has = 0;
        for (uint16_t c = 0; c < COLUMNS; c++) {
            uint8_t cell = *gr_assign_cell(&assign, r, c);
            if ((cell & GR_ASSIGN_TAKEN) == 0)
                continue;
            right = right && (cell & GR_ASSIGN_ALLOWED) != 0;
            kept += (cell & GR_ASSIGN_KEPT) != 0;
            has++;
            taken[c]++;
        }
        right = right && has == table->need[r];
    }
    gr_assign_deinit(&assign);
    return right ? kept : -1;
}

// A1.
static void test_keeps_most(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    uint32_t given_up = 0;
    for (int i = 0; i < CASES; i++) {
        struct table table;
        draw(&random, &table);
        uint32_t spare[COLUMNS], taken[COLUMNS], could = 0;
        memcpy(spare, table.total, sizeof spare);
        int most = most_kept(&table, 0, spare);
        assert_true(most >= 0);
        assert_int_equal(run(&table, taken), most);
        assert_memory_equal(taken, table.total, sizeof taken);
        for (uint32_t r = 0; r < ROWS; r++)
            for (uint32_t c = 0, row = 0; c < COLUMNS && row < table.need[r]; c++)
                could += (table.cell[r][c] & GR_ASSIGN_KEPT) != 0 ? (row++, 1u) : 0u;
        given_up += could > (uint32_t)most;
    }
    assert_true(given_up > CASES / 10); // else nothing was in anybody's way
}

// A1, where totals are so many as are needed, and perhaps nobody can keep them.
static void test_keeps_most_of_too_little(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    uint32_t missed = 0;
    for (int i = 0; i < CASES; i++) {
        struct table table;
        uint32_t taken[COLUMNS];
        draw(&random, &table);
        for (int k = 0; k < 4; k++) {
            uint64_t from = gr_random_below(&random, COLUMNS);
            uint64_t to = gr_random_below(&random, COLUMNS);
            if (table.total[from] == 0)
                continue;
            table.total[from]--;
            table.total[to]++;
        }
        int kept = run(&table, taken);
        missed += memcmp(taken, table.total, sizeof taken) != 0;
        assert_int_equal(kept, most_kept(&table, 0, taken));
    }
    assert_true(missed > CASES / 10);
}

// Totals that nobody can meet: every row has what it needs all the same.
static void test_too_little(void **state)
{
    (void)state;
    struct gr_assign assign;
    gr_assign_init(&assign, 2, 2);
    *gr_assign_cell(&assign, 0, 0) = GR_ASSIGN_ALLOWED;
    *gr_assign_cell(&assign, 1, 0) = GR_ASSIGN_ALLOWED;
    assign.spare[0] = assign.spare[1] = 1;
    gr_assign_run(&assign, (uint8_t[]){1, 1});
    assert_true(*gr_assign_cell(&assign, 0, 0) & GR_ASSIGN_TAKEN);
    assert_true(*gr_assign_cell(&assign, 1, 0) & GR_ASSIGN_TAKEN);
    gr_assign_deinit(&assign);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_most),
        cmocka_unit_test(test_keeps_most_of_too_little),
        cmocka_unit_test(test_too_little),
    };
    return cmocka_run_group_tests_name("assign", tests, NULL, nothing_is_left);
}
