// arena.h: takings never overlap, are aligned, and are counted; clearing keeps one small block.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/random.h"
#include "test/hooks.h"

static bool is_filled(const uint8_t *at, size_t size, uint8_t with)
{
    for (size_t i = 0; i < size; i++)
        if (at[i] != with)
            return false;
    return true;
}

static void test_no_overlap(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    struct gr_arena arena = {0};
    for (int round = 0; round < 50; round++) {
        uint8_t *taken[200];
        size_t size[200], sum = 0;
        for (size_t i = 0; i < GR_COUNT(taken); i++) {
            size[i] = gr_random_below(&random, gr_random_chance(&random, 20) ? 100000 : 200);
            sum += size[i];
            taken[i] = gr_arena_take(&arena, size[i]);
            assert_non_null(taken[i]);
            assert_int_equal((uintptr_t)taken[i] % 16, 0);
            memset(taken[i], (int)(i + 1), size[i]);
        }
        for (size_t i = 0; i < GR_COUNT(taken); i++)
            assert_true(is_filled(taken[i], size[i], (uint8_t)(i + 1)));
        assert_true(arena.bytes >= sum);
        gr_arena_clear(&arena);
        assert_true(gr_test_blocks() <= 1);
        assert_true(arena.bytes <= 65536);
    }
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

static void test_nothing_taken(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    assert_non_null(gr_arena_take(&arena, 0));
    gr_arena_deinit(&arena);
    // A copy of nothing, the first thing taken, is what an empty value is.
    assert_non_null(gr_arena_copy(&arena, gr_bytes(NULL, 0)).data);
    gr_arena_clear(&arena);
    gr_arena_deinit(&arena);
    gr_arena_clear(&arena);
    gr_arena_deinit(&arena);
}

static void test_blocks_grow(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    gr_arena_take(&arena, 1);
    assert_int_equal(arena.bytes, 1024);
    for (int i = 0; i < 64; i++)
        gr_arena_take(&arena, 1024);
    // 1 KiB doubled, never above 64 KiB: few blocks for many takings.
    assert_true(gr_test_blocks() <= 8);
    assert_true(arena.capacity <= 65536);
    gr_arena_take(&arena, 1 << 20);
    assert_true(arena.bytes > 1 << 20);
    gr_arena_clear(&arena); // a block that large is not kept
    assert_true(arena.bytes <= 65536);
    gr_arena_deinit(&arena);
    assert_int_equal(arena.bytes, 0);
}

static void test_zero_and_copy(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    memset(gr_arena_take(&arena, 500), 0xaa, 500);
    gr_arena_clear(&arena);
    assert_true(is_filled(gr_arena_take_zero(&arena, 500), 500, 0));
    struct gr_bytes text = gr_bytes_text("a value");
    struct gr_bytes copy = gr_arena_copy(&arena, text);
    assert_true(gr_bytes_equal(text, copy));
    assert_ptr_not_equal(text.data, copy.data);
    uint64_t *array = gr_arena_array(&arena, uint64_t, 0);
    array[0] = 1; // room for one even when none was asked for
    gr_arena_deinit(&arena);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_overlap),
        cmocka_unit_test(test_nothing_taken),
        cmocka_unit_test(test_blocks_grow),
        cmocka_unit_test(test_zero_and_copy),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, nothing_is_left);
}
