// Seeded random numbers; see random.h.
#include "base/random.h"

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

void gr_random_init(struct gr_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += 0x9e3779b97f4a7c15;
        uint64_t z = seed;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
        z = (z ^ z >> 27) * 0x94d049bb133111eb;
        random->state[i] = z ^ z >> 31;
    }
}

uint64_t gr_random_next(struct gr_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t gr_random_below(struct gr_random *random, uint64_t limit)
{
    gr_assert(limit > 0);
    // The high half of a product is uniform enough for schedules: the bias is below limit / 2^64.
    return (uint64_t)(((__uint128_t)gr_random_next(random) * limit) >> 64);
}

bool gr_random_chance(struct gr_random *random, uint32_t per_mille)
{
    return gr_random_below(random, 1000) < per_mille;
}
