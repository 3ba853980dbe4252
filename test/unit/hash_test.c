// hash.h: the numbers that its authors publish; they stand in files and on other machines.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"

static void test_crc16_known(void **state)
{
    (void)state;
    assert_int_equal(gr_crc16(gr_bytes_text("123456789")), 0x31c3);
    assert_int_equal(gr_crc16(gr_bytes(NULL, 0)), 0);
    // CLUSTER KEYSLOT, as Redis answers it.
    assert_int_equal(gr_crc16(gr_bytes_text("foo")) % 16384, 12182);
    assert_int_equal(gr_crc16(gr_bytes_text("bar")) % 16384, 5061);
    assert_int_equal(gr_crc16(gr_bytes_text("somekey")) % 16384, 11058);
}

// Bit by bit, as the polynomial is defined.
static uint16_t crc16_slow(struct gr_bytes bytes, uint16_t polynomial)
{
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        crc = (uint16_t)(crc ^ bytes.data[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ polynomial : crc << 1);
    }
    return crc;
}

static void test_crc16_bit_by_bit(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    uint32_t other = 0;
    for (int round = 0; round < 2000; round++) {
        uint8_t data[64];
        size_t size = gr_random_below(&random, sizeof data + 1);
        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)gr_random_next(&random);
        struct gr_bytes bytes = gr_bytes(data, size);
        assert_int_equal(gr_crc16(bytes), crc16_slow(bytes, 0x1021));
        other += gr_crc16(bytes) != crc16_slow(bytes, 0x8005);
    }
    assert_true(other > 1900);
}

// Of nothing, and of the letters that its C library was given.
static void test_hash128_known(void **state)
{
    (void)state;
    struct gr_hash128 hash = gr_hash128(gr_bytes("", 0));
    assert_true(hash.high == 0x99aa06d3014798d8 && hash.low == 0x6001c324468d497f);
    hash = gr_hash128(gr_bytes_text("gramme"));
    assert_true(hash.high == 0x29c3133ddaec2068 && hash.low == 0x4c9728c77afa4569);
}

// The self-test of xxhsum: its buffer, and some of its lengths, one for each way through the code.
static void test_hash64_known(void **state)
{
    (void)state;
    static uint8_t data[2240];
    uint64_t next = 2654435761;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(next >> 56);
        next *= 11400714785074694797u;
    }
    static const struct {
        size_t size;
        uint64_t seed, hash;
    } known[] = {
        {0, 0, 0x2d06800538d394c2},
        {1, 0, 0xc44bdff4074eecdb},
        {6, 0, 0x27b56a84cd2d7325},
        {12, 0, 0xa713daf0dfbb77e7},
        {24, 0, 0xa3fe70bf9d3510eb},
        {48, 0, 0x397da259ecba1f11},
        {80, 0, 0xbcdefbbb2c47c90a},
        {195, 0, 0xcd94217ee362ec3a},
        {403, 0, 0xcdeb804d65c6dea4},
        {2048, 0, 0xdd59e2c3a5f038e0},
        {0, 0x9e3779b185ebca8d, 0xa8a6b918b2f0364a},
        {1, 0x9e3779b185ebca8d, 0x032be332dd766ef8},
    };
    for (size_t i = 0; i < GR_COUNT(known); i++)
        assert_true(gr_hash64(gr_bytes(data, known[i].size), known[i].seed) == known[i].hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc16_known),
        cmocka_unit_test(test_crc16_bit_by_bit),
        cmocka_unit_test(test_hash64_known),
        cmocka_unit_test(test_hash128_known),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
