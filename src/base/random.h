// Seeded random numbers (xoshiro256** by Blackman and Vigna, seeded by splitmix64). Not for
// secrets.
#ifndef GR_BASE_RANDOM_H
#define GR_BASE_RANDOM_H

#include "base/base.h"

struct gr_random {
    uint64_t state[4];
};

void gr_random_init(struct gr_random *random, uint64_t seed);
uint64_t gr_random_next(struct gr_random *random);
// 0 <= result < limit; limit > 0.
uint64_t gr_random_below(struct gr_random *random, uint64_t limit);
// True `per_mille` times in a thousand.
bool gr_random_chance(struct gr_random *random, uint32_t per_mille);

#endif
