// A hash table whose links live inside its members; the caller compares keys.
//
// Deterministic: the order of members depends only on the order of insertions and removals, never
// on addresses. Doubles when it has as many members as buckets.
#ifndef GR_BASE_MAP_H
#define GR_BASE_MAP_H

#include "base/base.h"

struct gr_map_link {
    struct gr_map_link *next;
    uint64_t hash;
};

struct gr_map {
    struct gr_map_link **bucket;
    uint32_t bucket_count; // a power of two, or 0
    uint32_t count;
};

// A zeroed struct gr_map is an empty map.
void gr_map_deinit(struct gr_map *map);
void gr_map_insert(struct gr_map *map, struct gr_map_link *link, uint64_t hash);
void gr_map_remove(struct gr_map *map, struct gr_map_link *link);
// The first member with that hash, and the next one after `link` with the same hash; NULL at the
// end.
struct gr_map_link *gr_map_first(const struct gr_map *map, uint64_t hash);
struct gr_map_link *gr_map_again(const struct gr_map_link *link);

#endif
