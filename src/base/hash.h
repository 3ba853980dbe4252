// Hashes that are written to disk and sent to peers: XXH3 and CRC16, as their authors define them.
#ifndef GR_BASE_HASH_H
#define GR_BASE_HASH_H

#include "base/base.h"

uint64_t gr_hash64(struct gr_bytes bytes, uint64_t seed);
// XXH3-128 without a seed.
struct gr_hash128 {
    uint64_t low, high;
};
struct gr_hash128 gr_hash128(struct gr_bytes bytes);
// CRC16-XMODEM (polynomial 0x1021, start 0): the one that Redis Cluster uses for its slots.
uint16_t gr_crc16(struct gr_bytes bytes);

#endif
