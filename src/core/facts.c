// Facts: see facts.h.
//
//   F1  Of each kind and key the latest fact that was ever heard is known, whatever the order, and
//       however often: taking is a join, and what is known only grows.
//   F2  A bucket is the sum of what its facts' heads hash to: one addition and one subtraction for
//       each fact taken, and equal at two nodes only if they know the same.
//
// Source: §4.8.1. Owns: its facts and their bytes. Bounds: GR_FACTS_MAX, GR_FACT_BYTES_MAX each.
#include "core/facts.h"

#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"

static uint64_t hash_of(enum gr_fact_kind kind, uint64_t key)
{
    return key ^ (uint64_t)kind * 0x9e3779b97f4a7c15;
}

uint32_t gr_fact_bucket(enum gr_fact_kind kind, uint64_t key)
{
    uint64_t hash = hash_of(kind, key) * 0xbf58476d1ce4e5b9;
    return (uint32_t)(hash >> 32) % GR_FACT_BUCKETS;
}

// F2.
static uint64_t weight_of(const struct gr_fact *fact)
{
    uint8_t bytes[25];
    uint64_t word[3] = {fact->key, fact->version, fact->hash};
    for (int i = 0; i < 24; i++)
        bytes[i] = (uint8_t)(word[i / 8] >> i % 8 * 8);
    bytes[24] = (uint8_t)fact->kind;
    return gr_hash64(gr_bytes(bytes, sizeof bytes), 0);
}

struct gr_fact gr_fact_make(
    enum gr_fact_kind kind, uint64_t key, uint64_t version, struct gr_bytes value)
{
    return (struct gr_fact){kind, key, version, gr_hash64(value, 0), value};
}

int gr_fact_compare(const struct gr_fact *a, const struct gr_fact *b)
{
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    return a->hash < b->hash ? -1 : a->hash > b->hash;
}

struct gr_fact gr_known_fact(const struct gr_known *known)
{
    return gr_fact_make((enum gr_fact_kind)known->kind, known->key, known->version,
        gr_bytes(known->value, known->size));
}

static struct gr_known *find(const struct gr_facts *facts, enum gr_fact_kind kind, uint64_t key)
{
    for (struct gr_map_link *link = gr_map_first(&facts->map, hash_of(kind, key)); link != NULL;
         link = gr_map_again(link)) {
        struct gr_known *known = GR_CONTAINER(link, struct gr_known, link);
        if (known->kind == kind && known->key == key)
            return known;
    }
    return NULL;
}

static struct gr_known *add(struct gr_facts *facts, const struct gr_fact *fact)
{
    struct gr_known *known = gr_hook_memory(NULL, sizeof *known);
    *known = (struct gr_known){.kind = (uint8_t)fact->kind, .key = fact->key};
    gr_map_insert(&facts->map, &known->link, hash_of(fact->kind, fact->key));
    struct gr_known_list *list = &facts->kind[GR_MIN(fact->kind, GR_FACT_KINDS)];
    *(list->last == NULL ? &list->first : &list->last->next_of_kind) = known;
    list->last = known;
    return known;
}

bool gr_facts_take(struct gr_facts *facts, const struct gr_fact *fact, bool fresh)
{
    gr_assert(fact->kind > 0 && (int)fact->kind <= GR_FACT_KIND_MAX);
    gr_assert(fact->version > 0 && fact->version <= GR_FACT_VERSION_MAX);
    struct gr_known *known = find(facts, fact->kind, fact->key);
    struct gr_fact before = {.version = 0};
    if (known != NULL)
        before = gr_known_fact(known);
    if (gr_fact_compare(fact, &before) <= 0)
        return false;
    if (fact->value.size > GR_FACT_BYTES_MAX ||
        (known == NULL && facts->map.count >= GR_FACTS_MAX)) {
        facts->refused++;
        return false;
    }
    uint64_t *bucket = &facts->bucket[gr_fact_bucket(fact->kind, fact->key)];
    if (known == NULL)
        known = add(facts, fact);
    else
        *bucket -= weight_of(&before);
    *bucket += weight_of(fact);
    uint8_t *value = NULL;
    if (fact->value.size > 0) {
        value = gr_hook_memory(NULL, fact->value.size);
        memcpy(value, fact->value.data, fact->value.size);
    }
    gr_hook_memory(known->value, 0);
    facts->bytes += fact->value.size - known->size;
    known->version = fact->version;
    known->value = value;
    known->size = (uint32_t)fact->value.size;
    if (fresh && !known->is_fresh) {
        struct gr_known_list *list = &facts->fresh;
        *(list->last == NULL ? &list->first : &list->last->next_fresh) = known;
        list->last = known;
        known->next_fresh = NULL;
        known->is_fresh = true;
    }
    return true;
}

const struct gr_known *gr_facts_find(
    const struct gr_facts *facts, enum gr_fact_kind kind, uint64_t key)
{
    return find(facts, kind, key);
}

const struct gr_known *gr_facts_next(
    const struct gr_facts *facts, enum gr_fact_kind kind, const struct gr_known *after)
{
    return after == NULL ? facts->kind[kind].first : after->next_of_kind;
}

uint32_t gr_facts_fresh(
    struct gr_facts *facts, const struct gr_known **ret, uint32_t max, size_t bytes)
{
    uint32_t count = 0;
    size_t sum = 0;
    struct gr_known *known;
    while ((known = facts->fresh.first) != NULL && count < max && (count == 0 || sum < bytes)) {
        facts->fresh.first = known->next_fresh;
        if (facts->fresh.first == NULL)
            facts->fresh.last = NULL;
        known->is_fresh = false;
        ret[count++] = known;
        sum += known->size;
    }
    return count;
}

uint64_t gr_facts_digest(const struct gr_facts *facts)
{
    uint64_t digest = 0;
    for (uint32_t i = 0; i < GR_FACT_BUCKETS; i++)
        digest = digest * 0x100000001b3 + facts->bucket[i];
    return digest;
}

void gr_facts_deinit(struct gr_facts *facts)
{
    for (int kind = 1; kind <= GR_FACT_KINDS; kind++)
        for (struct gr_known *known = facts->kind[kind].first, *next; known != NULL; known = next) {
            next = known->next_of_kind;
            gr_hook_memory(known->value, 0);
            gr_hook_memory(known, 0);
        }
    gr_map_deinit(&facts->map);
    *facts = (struct gr_facts){0};
}
