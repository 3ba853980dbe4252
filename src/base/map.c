// A hash table whose links live inside its members; see map.h.
#include "base/map.h"

enum { BUCKETS_MIN = 16 };

static void grow(struct gr_map *map)
{
    uint32_t count = GR_MAX(map->bucket_count * 2, BUCKETS_MIN);
    struct gr_map_link **bucket = gr_hook_memory(NULL, count * sizeof(struct gr_map_link *));
    for (uint32_t i = 0; i < count; i++)
        bucket[i] = NULL;
    for (uint32_t i = 0; i < map->bucket_count; i++) {
        struct gr_map_link *link = map->bucket[i];
        while (link != NULL) {
            struct gr_map_link *next = link->next;
            struct gr_map_link **home = &bucket[link->hash & (count - 1)];
            link->next = *home;
            *home = link;
            link = next;
        }
    }
    gr_hook_memory(map->bucket, 0);
    map->bucket = bucket;
    map->bucket_count = count;
}

void gr_map_deinit(struct gr_map *map)
{
    gr_hook_memory(map->bucket, 0);
    *map = (struct gr_map){0};
}

void gr_map_insert(struct gr_map *map, struct gr_map_link *link, uint64_t hash)
{
    if (map->count >= map->bucket_count)
        grow(map);
    struct gr_map_link **home = &map->bucket[hash & (map->bucket_count - 1)];
    link->hash = hash;
    link->next = *home;
    *home = link;
    map->count++;
}

void gr_map_remove(struct gr_map *map, struct gr_map_link *link)
{
    gr_assert(map->count > 0);
    struct gr_map_link **at = &map->bucket[link->hash & (map->bucket_count - 1)];
    while (*at != link) {
        gr_assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = link->next;
    link->next = NULL;
    map->count--;
}

struct gr_map_link *gr_map_first(const struct gr_map *map, uint64_t hash)
{
    if (map->bucket_count == 0)
        return NULL;
    struct gr_map_link *link = map->bucket[hash & (map->bucket_count - 1)];
    while (link != NULL && link->hash != hash)
        link = link->next;
    return link;
}

struct gr_map_link *gr_map_again(const struct gr_map_link *link)
{
    struct gr_map_link *next = link->next;
    while (next != NULL && next->hash != link->hash)
        next = next->next;
    return next;
}
