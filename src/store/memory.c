// Engine `memory`: an ordered store in the process's own memory, for tests and the simulator.
//
// A skip list of entries in key order; each entry has a chain of versions, newest first, and each
// version the number of the batch that wrote it. A read sees the newest version; a snapshot at
// number s sees the newest version with a number <= s. A delete is a version too, but only while an
// older one below it is still seen by somebody.
//
// A version that is replaced while a snapshot sees it is handed to the newest such snapshot. When
// that one closes, each version in its hands goes to the next older snapshot if it sees it too, and
// is freed otherwise. So exactly what somebody can see is kept, and nothing is ever searched for.
//
//   I1  Versions of an entry fall strictly in number from the newest down.
//   I2  Every version but the newest is held by one snapshot, the newest that sees it.
//   I3  An entry whose newest version is a delete has an older version below it.
//   I4  An entry that a snapshot sees stays where it is, so a scan may stand on it.
//
// One mutex guards everything; no call waits for anything else. Tower heights come from a fixed
// seed, so that two runs are alike. Bounds: none but memory; keys and values at most SIZE_MAX / 2.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "store/store.h"

enum { LEVELS = 16 }; // with one entry in four a level higher: 4^16 entries

struct entry;

struct version {
    struct entry *entry;   // NULL once unlinked: only values that were read keep it alive
    struct version *older; // in the chain
    struct version *held_next;
    uint64_t number;
    size_t readers; // values given out and not yet done
    bool is_delete;
    size_t size;
    uint8_t bytes[];
};

struct entry {
    struct version *newest;
    uint8_t *key;
    size_t key_size;
    int levels;
    struct entry *next[]; // `levels` of them, then the key's bytes
};

struct memory_snapshot {
    struct memory_snapshot *older, *newer;
    struct version *held;
    uint64_t number;
};

struct memory {
    struct gr_store base;
    pthread_mutex_t lock;
    uint64_t number; // of the last batch
    uint64_t random;
    struct memory_snapshot *newest_snapshot;
    size_t values_out;
    struct entry *head; // has every level and no key
    _Atomic(const char *) trouble;
};

struct memory_scan {
    struct gr_store_scan base;
    struct memory *store;
    const struct memory_snapshot *snapshot;
    struct entry *at; // NULL before the first step
    bool over;
    size_t from_size, to_size;
    uint8_t bounds[]; // from, then to
};

// ---- the skip list ---------------------------------------------------------------------------

static struct gr_bytes key_of(const struct entry *entry)
{
    return gr_bytes(entry->key, entry->key_size);
}

static struct entry *entry_new(struct gr_bytes key, int levels)
{
    size_t tower = (size_t)levels * sizeof(struct entry *);
    struct entry *entry = gr_hook_memory(NULL, sizeof(*entry) + tower + key.size);
    entry->newest = NULL;
    entry->key = (uint8_t *)entry + sizeof(*entry) + tower;
    entry->key_size = key.size;
    entry->levels = levels;
    memset(entry->next, 0, tower);
    if (key.size > 0)
        memcpy(entry->key, key.data, key.size);
    return entry;
}

static int draw_levels(struct memory *memory)
{
    memory->random ^= memory->random << 13;
    memory->random ^= memory->random >> 7;
    memory->random ^= memory->random << 17;
    int levels = 1;
    for (uint64_t bits = memory->random; levels < LEVELS && (bits & 3) == 0; bits >>= 2)
        levels++;
    return levels;
}

// The first entry with a key >= `key`, or NULL; `before`, when given, learns who points there on
// each level.
static struct entry *seek(struct memory *memory, struct gr_bytes key, struct entry **before)
{
    struct entry *at = memory->head;
    for (int level = LEVELS - 1; level >= 0; level--) {
        while (at->next[level] != NULL && gr_bytes_compare(key_of(at->next[level]), key) < 0)
            at = at->next[level];
        if (before != NULL)
            before[level] = at;
    }
    return at->next[0];
}

static struct entry *find(struct memory *memory, struct gr_bytes key)
{
    struct entry *entry = seek(memory, key, NULL);
    return entry != NULL && gr_bytes_equal(key_of(entry), key) ? entry : NULL;
}

static struct entry *find_or_insert(struct memory *memory, struct gr_bytes key)
{
    struct entry *before[LEVELS];
    struct entry *entry = seek(memory, key, before);
    if (entry != NULL && gr_bytes_equal(key_of(entry), key))
        return entry;
    entry = entry_new(key, draw_levels(memory));
    for (int level = 0; level < entry->levels; level++) {
        entry->next[level] = before[level]->next[level];
        before[level]->next[level] = entry;
    }
    return entry;
}

static void remove_entry(struct memory *memory, struct entry *entry)
{
    struct entry *before[LEVELS];
    gr_assert(seek(memory, key_of(entry), before) == entry);
    for (int level = 0; level < entry->levels; level++)
        before[level]->next[level] = entry->next[level];
    gr_hook_memory(entry, 0);
}

// ---- versions --------------------------------------------------------------------------------

static struct version *version_new(uint64_t number, bool is_delete, struct gr_bytes value)
{
    struct version *version = gr_hook_memory(NULL, sizeof(*version) + value.size);
    *version = (struct version){.number = number, .is_delete = is_delete, .size = value.size};
    if (value.size > 0)
        memcpy(version->bytes, value.data, value.size);
    return version;
}

// Takes a version that nobody can see any more out of its chain.
static void version_drop(struct version *version)
{
    struct version **link = &version->entry->newest;
    while (*link != version)
        link = &(*link)->older;
    *link = version->older;
    version->entry = NULL;
    if (version->readers == 0)
        gr_hook_memory(version, 0);
}

// A replaced version goes to the newest snapshot, from `snapshot` on down, that sees it.
static void version_hold(struct version *version, struct memory_snapshot *snapshot)
{
    if (snapshot != NULL && snapshot->number >= version->number) {
        version->held_next = snapshot->held;
        snapshot->held = version;
    } else {
        version_drop(version);
    }
}

// Keeps I3 after a change to the entry's chain.
static void entry_tidy(struct memory *memory, struct entry *entry)
{
    if (entry->newest != NULL && entry->newest->is_delete && entry->newest->older == NULL)
        version_drop(entry->newest);
    if (entry->newest == NULL)
        remove_entry(memory, entry);
}

static void write_version(struct memory *memory, struct entry *entry, struct version *version)
{
    struct version *replaced = entry->newest;
    version->entry = entry;
    version->older = replaced;
    entry->newest = version;
    if (replaced != NULL)
        version_hold(replaced, memory->newest_snapshot);
    entry_tidy(memory, entry);
}

static struct version *version_at(struct entry *entry, uint64_t number)
{
    struct version *version = entry->newest;
    while (version != NULL && version->number > number)
        version = version->older;
    return version == NULL || version->is_delete ? NULL : version;
}

// ---- batches ---------------------------------------------------------------------------------

static void delete_entry(struct memory *memory, struct entry *entry, uint64_t number)
{
    if (!entry->newest->is_delete)
        write_version(memory, entry, version_new(number, true, gr_bytes(NULL, 0)));
}

static void delete_range(
    struct memory *memory, struct gr_bytes from, struct gr_bytes to, uint64_t number)
{
    struct entry *entry = seek(memory, from, NULL);
    while (entry != NULL && gr_bytes_compare(key_of(entry), to) < 0) {
        struct entry *next = entry->next[0];
        delete_entry(memory, entry, number);
        entry = next;
    }
}

static enum gr_err memory_apply(
    struct gr_store *store, const struct gr_store_batch *batch, uint64_t *ret_number)
{
    struct memory *memory = (struct memory *)store;
    pthread_mutex_lock(&memory->lock);
    uint64_t number = ++memory->number;
    struct gr_store_change change;
    for (size_t offset = 0; gr_store_batch_next(batch, &offset, &change);) {
        struct entry *entry;
        switch (change.kind) {
        case GR_STORE_PUT:
            entry = find_or_insert(memory, change.key);
            write_version(memory, entry, version_new(number, false, change.value));
            break;
        case GR_STORE_DELETE:
            entry = find(memory, change.key);
            if (entry != NULL)
                delete_entry(memory, entry, number);
            break;
        case GR_STORE_DELETE_RANGE:
            delete_range(memory, change.key, change.value, number);
            break;
        default:
            gr_unreachable("kind of change");
        }
    }
    pthread_mutex_unlock(&memory->lock);
    *ret_number = number;
    return GR_OK;
}

static enum gr_err memory_sync(struct gr_store *store, uint64_t *ret_number)
{
    struct memory *memory = (struct memory *)store;
    pthread_mutex_lock(&memory->lock);
    *ret_number = memory->number;
    pthread_mutex_unlock(&memory->lock);
    return GR_OK;
}

static bool memory_stalled(struct gr_store *store)
{
    (void)store;
    return false;
}

// ---- reads -----------------------------------------------------------------------------------

static enum gr_err read_at(
    struct memory *memory, struct gr_bytes key, uint64_t number, struct gr_store_value *ret_value)
{
    struct entry *entry = find(memory, key);
    struct version *version = entry == NULL ? NULL : version_at(entry, number);
    if (version == NULL)
        return GR_ERR_NOT_FOUND;
    version->readers++;
    memory->values_out++;
    ret_value->bytes = gr_bytes(version->bytes, version->size);
    ret_value->owner = version;
    return GR_OK;
}

static enum gr_err memory_get(struct gr_store *store, struct gr_bytes key, enum gr_store_read mode,
    struct gr_store_value *ret_value)
{
    struct memory *memory = (struct memory *)store;
    (void)mode; // nothing here ever waits for a disk
    pthread_mutex_lock(&memory->lock);
    enum gr_err err = read_at(memory, key, memory->number, ret_value);
    pthread_mutex_unlock(&memory->lock);
    return err;
}

static enum gr_err memory_snapshot_get(struct gr_store *store, struct gr_store_snapshot *snapshot,
    struct gr_bytes key, struct gr_store_value *ret_value)
{
    struct memory *memory = (struct memory *)store;
    uint64_t number = ((struct memory_snapshot *)snapshot)->number;
    pthread_mutex_lock(&memory->lock);
    enum gr_err err = read_at(memory, key, number, ret_value);
    pthread_mutex_unlock(&memory->lock);
    return err;
}

static void memory_value_done(struct gr_store *store, struct gr_store_value *value)
{
    struct memory *memory = (struct memory *)store;
    struct version *version = value->owner;
    pthread_mutex_lock(&memory->lock);
    gr_assert(version->readers > 0 && memory->values_out > 0);
    memory->values_out--;
    if (--version->readers == 0 && version->entry == NULL)
        gr_hook_memory(version, 0);
    pthread_mutex_unlock(&memory->lock);
}

// ---- snapshots and scans ---------------------------------------------------------------------

static struct gr_store_snapshot *memory_snapshot_open(struct gr_store *store)
{
    struct memory *memory = (struct memory *)store;
    struct memory_snapshot *snapshot = gr_hook_memory(NULL, sizeof(*snapshot));
    pthread_mutex_lock(&memory->lock);
    struct memory_snapshot *older = memory->newest_snapshot;
    *snapshot = (struct memory_snapshot){.older = older, .number = memory->number};
    if (older != NULL)
        older->newer = snapshot;
    memory->newest_snapshot = snapshot;
    pthread_mutex_unlock(&memory->lock);
    return (struct gr_store_snapshot *)snapshot;
}

static void memory_snapshot_close(struct gr_store *store, struct gr_store_snapshot *opaque)
{
    struct memory *memory = (struct memory *)store;
    struct memory_snapshot *snapshot = (struct memory_snapshot *)opaque;
    pthread_mutex_lock(&memory->lock);
    if (snapshot->newer != NULL)
        snapshot->newer->older = snapshot->older;
    else
        memory->newest_snapshot = snapshot->older;
    if (snapshot->older != NULL)
        snapshot->older->newer = snapshot->newer;
    struct version *version = snapshot->held;
    while (version != NULL) {
        struct version *next = version->held_next;
        struct entry *entry = version->entry;
        version_hold(version, snapshot->older);
        entry_tidy(memory, entry);
        version = next;
    }
    pthread_mutex_unlock(&memory->lock);
    gr_hook_memory(snapshot, 0);
}

static struct gr_store_scan *memory_scan_open(struct gr_store *store,
    struct gr_store_snapshot *snapshot, struct gr_bytes from, struct gr_bytes to)
{
    struct memory_scan *scan = gr_hook_memory(NULL, sizeof(*scan) + from.size + to.size);
    *scan = (struct memory_scan){
        .store = (struct memory *)store,
        .snapshot = (struct memory_snapshot *)snapshot,
        .from_size = from.size,
        .to_size = to.size,
    };
    if (from.size > 0)
        memcpy(scan->bounds, from.data, from.size);
    if (to.size > 0)
        memcpy(scan->bounds + from.size, to.data, to.size);
    return &scan->base;
}

static enum gr_err memory_scan_next(
    struct gr_store_scan *base, struct gr_bytes *ret_key, struct gr_bytes *ret_value)
{
    struct memory_scan *scan = (struct memory_scan *)base;
    struct gr_bytes from = gr_bytes(scan->bounds, scan->from_size);
    struct gr_bytes to = gr_bytes(scan->bounds + scan->from_size, scan->to_size);
    if (scan->over)
        return GR_ERR_NOT_FOUND;
    pthread_mutex_lock(&scan->store->lock);
    struct entry *entry = scan->at == NULL ? seek(scan->store, from, NULL) : scan->at->next[0];
    struct version *version = NULL;
    while (entry != NULL && (version = version_at(entry, scan->snapshot->number)) == NULL)
        entry = entry->next[0];
    pthread_mutex_unlock(&scan->store->lock);
    scan->at = entry;
    if (entry == NULL || (to.size > 0 && gr_bytes_compare(key_of(entry), to) >= 0)) {
        scan->over = true;
        return GR_ERR_NOT_FOUND;
    }
    *ret_key = key_of(entry);
    *ret_value = gr_bytes(version->bytes, version->size);
    return GR_OK;
}

static void memory_scan_close(struct gr_store_scan *scan)
{
    gr_hook_memory(scan, 0);
}

// ---- the rest --------------------------------------------------------------------------------

static enum gr_err memory_open(const char *dir, const struct gr_store_options *options,
    struct gr_store **ret_store, char *ret_why, size_t why_size)
{
    (void)dir;
    if (!options->create) {
        snprintf(ret_why, why_size, "The memory engine keeps nothing: it can only be created.");
        return GR_ERR_NOT_FOUND;
    }
    struct memory *memory = gr_hook_memory(NULL, sizeof(*memory));
    *memory = (struct memory){
        .base.engine = &gr_store_memory, .random = 88172645463325252, .trouble = ""};
    memory->head = entry_new(gr_bytes(NULL, 0), LEVELS);
    gr_assert(pthread_mutex_init(&memory->lock, NULL) == 0);
    *ret_store = &memory->base;
    return GR_OK;
}

static void memory_close(struct gr_store *store)
{
    struct memory *memory = (struct memory *)store;
    gr_assert(memory->newest_snapshot == NULL);
    gr_assert(memory->values_out == 0);
    struct entry *entry = memory->head->next[0];
    while (entry != NULL) {
        struct entry *next = entry->next[0];
        gr_assert(entry->newest->older == NULL);
        gr_hook_memory(entry->newest, 0);
        gr_hook_memory(entry, 0);
        entry = next;
    }
    gr_hook_memory(memory->head, 0);
    pthread_mutex_destroy(&memory->lock);
    gr_hook_memory(memory, 0);
}

static enum gr_err memory_checkpoint(struct gr_store *store, const char *dir)
{
    (void)dir;
    ((struct memory *)store)->trouble =
        "The memory engine has no files to copy; use the engine rocksdb.";
    return GR_ERR_INVALID;
}

static const char *memory_trouble(struct gr_store *store)
{
    return ((struct memory *)store)->trouble;
}

const struct gr_store_engine gr_store_memory = {
    .name = "memory",
    .open = memory_open,
    .close = memory_close,
    .get = memory_get,
    .value_done = memory_value_done,
    .apply = memory_apply,
    .sync = memory_sync,
    .stalled = memory_stalled,
    .snapshot_open = memory_snapshot_open,
    .snapshot_close = memory_snapshot_close,
    .snapshot_get = memory_snapshot_get,
    .scan_open = memory_scan_open,
    .scan_next = memory_scan_next,
    .scan_close = memory_scan_close,
    .checkpoint = memory_checkpoint,
    .trouble = memory_trouble,
};
