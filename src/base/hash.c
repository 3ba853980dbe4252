// Hashes that are written to disk and sent to peers; see hash.h.
#include "base/hash.h"

#define XXH_INLINE_ALL
#define XXH_NO_STREAM
#include <xxhash.h>

uint64_t gr_hash64(struct gr_bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.data, bytes.size, seed);
}

struct gr_hash128 gr_hash128(struct gr_bytes bytes)
{
    XXH128_hash_t hash = XXH3_128bits(bytes.data, bytes.size);
    return (struct gr_hash128){hash.low64, hash.high64};
}

uint16_t gr_crc16(struct gr_bytes bytes)
{
    // Four bits at a time: a table of 16 entries instead of 256, fast enough for keys.
    static const uint16_t table[16] = {0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6,
        0x70e7, 0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef};
    uint16_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        crc = (uint16_t)(crc << 4 ^ table[(crc >> 12 ^ bytes.data[i] >> 4) & 15]);
        crc = (uint16_t)(crc << 4 ^ table[(crc >> 12 ^ bytes.data[i]) & 15]);
    }
    return crc;
}
