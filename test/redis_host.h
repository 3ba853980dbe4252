// A host for Redis sessions that is no cluster: it keeps what it is asked until the test answers,
// in any order, from a small table of keys. For test/unit/redis_test.c and test/fuzz/redis_fuzz.c.
#ifndef GR_TEST_REDIS_HOST_H
#define GR_TEST_REDIS_HOST_H

#include <stdio.h>
#include <string.h>

#include "test/hooks.h"
#include "wire/redis.h"

#ifndef HOST_KEYS_MAX
#define HOST_KEYS_MAX 4096
#endif
#ifndef HOST_ASKED_MAX
#define HOST_ASKED_MAX 16384
#endif

// One key of the table.
struct host_entry {
    char key[64], value[256];
    size_t key_size, value_size;
    int64_t expires;
    uint64_t counter;
    bool used;
};

// One request that is not answered yet; its bytes are in `arena`.
struct host_asked {
    struct gr_request request;
    struct gr_arena arena;
};

struct host {
    struct gr_redis *session;
    struct gr_ring ring;
    struct gr_token_key token;
    struct gr_wall wall;
    bool loading, at_once, demo, peer_down;
    struct gr_span timer;
    uint64_t counter;
    struct host_asked *asked;
    uint32_t asked_first, asked_count; // asked[asked_first .. asked_count - 1]
    struct host_entry *entry;
    char linked[128];
    bool owes;
    const struct gr_node *node; // for GR.REPAIR; NULL: there is none
    struct gr_repair_ask repaired;
};

static inline struct host_entry *host_find(struct host *host, struct gr_bytes key, bool make)
{
    struct host_entry *unused = NULL;
    for (size_t i = 0; i < HOST_KEYS_MAX; i++) {
        struct host_entry *entry = &host->entry[i];
        if (!entry->used) {
            unused = unused == NULL ? entry : unused;
            if (!make)
                continue;
            break;
        }
        if (gr_bytes_equal(gr_bytes(entry->key, entry->key_size), key))
            return entry;
    }
    if (!make || unused == NULL || key.size > sizeof unused->key)
        return NULL;
    *unused = (struct host_entry){.used = true, .key_size = key.size};
    memcpy(unused->key, key.data, key.size);
    return unused;
}

static inline void host_store(
    struct host *host, struct gr_bytes key, struct gr_bytes value, int64_t expires)
{
    struct host_entry *entry = host_find(host, key, true);
    if (entry == NULL)
        return;
    entry->value_size = GR_MIN(value.size, sizeof entry->value);
    if (entry->value_size > 0)
        memcpy(entry->value, value.data, entry->value_size);
    entry->expires = expires;
    entry->counter = ++host->counter;
}

static inline struct gr_actor host_actor(void)
{
    return (struct gr_actor){0xabc, (uint64_t)7 << 32 | 0x1234};
}

// What a plain command does to the entry, which may be NULL.
static inline void host_update(struct host *host, const struct gr_request *request,
    struct host_entry *entry, struct gr_result *result, struct gr_arena *arena)
{
    bool there = entry != NULL;
    result->existed = there;
    if (there)
        result->old_value = gr_arena_copy(arena, gr_bytes(entry->value, entry->value_size));
    int64_t before = there ? entry->expires : 0;
    struct gr_bytes key = request->key.key;
    bool meets = there;
    switch (request->verb) {
    case GR_VERB_SET:
        result->written = there || !request->xx;
        if (result->written)
            host_store(host, key, request->value,
                request->keep_ttl && there ? before : request->expires.ms);
        break;
    case GR_VERB_DELETE:
    case GR_VERB_GETDEL:
        result->integer = result->written = there;
        if (there)
            entry->used = false;
        break;
    case GR_VERB_APPEND: {
        struct gr_writer joined;
        gr_writer_init(&joined, 1 << 24);
        gr_write_bytes(&joined, result->old_value);
        gr_write_bytes(&joined, request->value);
        host_store(host, key, gr_writer_bytes(&joined), before);
        result->integer = (int64_t)joined.size;
        result->written = true;
        gr_writer_deinit(&joined);
        break;
    }
    case GR_VERB_EXPIRE:
        if (request->condition == GR_EXPIRE_NX)
            meets = there && before == 0;
        else if (request->condition == GR_EXPIRE_XX)
            meets = there && before != 0;
        else if (request->condition == GR_EXPIRE_GT)
            meets = there && before != 0 && request->expires.ms > before;
        else if (request->condition == GR_EXPIRE_LT)
            meets = there && (before == 0 || request->expires.ms < before);
        if (meets)
            entry->expires = request->expires.ms;
        result->integer = result->written = meets;
        break;
    case GR_VERB_PERSIST:
        result->integer = result->written = before != 0;
        if (there)
            entry->expires = 0;
        break;
    case GR_VERB_GETEX:
        result->written = there;
        if (there)
            entry->expires = request->persist ? 0 : request->expires.ms;
        break;
    }
}

static inline void host_scan(struct host *host, const struct gr_request *request,
    struct gr_result *result, struct gr_arena *arena)
{
    struct gr_key *key = gr_arena_array(arena, struct gr_key, HOST_KEYS_MAX);
    result->key = key;
    result->cursor = GR_CURSOR_END;
    for (size_t i = request->cursor; i < HOST_KEYS_MAX; i++) {
        if (result->key_count >= request->limit) {
            result->cursor = i;
            break;
        }
        const struct host_entry *entry = &host->entry[i];
        if (entry->used)
            key[result->key_count++] =
                gr_key_make(gr_bytes_text("default"), gr_bytes(entry->key, entry->key_size));
    }
}

// Answers a request as a healthy cluster would, from the table.
static inline void host_answer(struct host *host, const struct gr_request *request)
{
    struct gr_arena arena = {0};
    struct gr_result result = {.ticket = (uint64_t)9 << 32 | request->ticket,
        .op = request->op,
        .acks = 2,
        .primaries = 2,
        .needed = 2,
        .durable = 1,
        .now = host->wall};
    struct host_entry *entry = NULL;
    if (request->key.key.size > 0)
        entry = host_find(host, request->key.key, false);
    if (entry != NULL && entry->expires != 0 && entry->expires <= host->wall.ms) {
        entry->used = false;
        entry = NULL;
    }
    struct gr_sibling sibling = {0};
    struct gr_dot dot = {host_actor(), entry == NULL ? 1 : entry->counter};
    switch (request->op) {
    case GR_OP_GET:
    case GR_OP_EXPLAIN:
        if (entry != NULL) {
            sibling.dot = dot;
            sibling.origin.time = (gr_hybrid)1000 << 16;
            sibling.expires.ms = entry->expires;
            sibling.value = gr_bytes(entry->value, entry->value_size);
            result.record = (struct gr_record){.sibling = &sibling, .count = 1};
            result.record.context = (struct gr_context){.vv = &dot, .vv_count = 1};
        }
        break;
    case GR_OP_PUT:
        if (request->remove && entry != NULL)
            entry->used = false;
        if (!request->remove)
            host_store(host, request->key.key, request->value, request->expires.ms);
        dot.counter = GR_MAX(host->counter, 1);
        result.record.context = (struct gr_context){.vv = &dot, .vv_count = 1};
        break;
    case GR_OP_UPDATE:
        host_update(host, request, entry, &result, &arena);
        break;
    case GR_OP_SCAN:
        host_scan(host, request, &result, &arena);
        break;
    case GR_OP_COUNT:
        for (size_t i = 0; i < HOST_KEYS_MAX; i++)
            result.count += host->entry[i].used;
        break;
    }
    struct gr_replica_view view[2] = {
        {.member = 0, .record = result.record}, {.member = 2, .err = GR_ERR_TIMEOUT}};
    result.view = view;
    result.view_count = request->op == GR_OP_EXPLAIN ? 2 : 0;
    gr_redis_result(host->session, &result);
    gr_arena_deinit(&arena);
}

static inline void host_submit(
    void *arg, struct gr_redis *session, const struct gr_request *request)
{
    struct host *host = arg;
    host->session = session;
    if (host->at_once) {
        host_answer(host, request);
        return;
    }
    if (host->asked_count == HOST_ASKED_MAX) {
        // Room is made at the cost of what was already taken.
        for (uint32_t i = 0; i < host->asked_first; i++)
            gr_arena_deinit(&host->asked[i].arena);
        host->asked_count -= host->asked_first;
        memmove(
            host->asked, host->asked + host->asked_first, host->asked_count * sizeof *host->asked);
        host->asked_first = 0;
    }
    gr_assert(host->asked_count < HOST_ASKED_MAX);
    struct host_asked *asked = &host->asked[host->asked_count++];
    *asked = (struct host_asked){.request = *request};
    asked->request.key = gr_key_copy(&asked->arena, &request->key);
    asked->request.value = gr_arena_copy(&asked->arena, request->value);
    asked->request.context = gr_context_copy(&asked->arena, &request->context);
}

// The oldest request, taken out; its bytes live until host_forget.
static inline const struct gr_request *host_take(struct host *host)
{
    return host->asked_first == host->asked_count ? NULL
                                                  : &host->asked[host->asked_first++].request;
}

static inline uint32_t host_waiting(const struct host *host)
{
    return host->asked_count - host->asked_first;
}

static inline void host_forget(struct host *host)
{
    for (uint32_t i = 0; i < host->asked_count; i++)
        gr_arena_deinit(&host->asked[i].arena);
    host->asked_first = host->asked_count = 0;
}

// Answers all, and what is asked meanwhile, the oldest first.
static inline void host_answer_all(struct host *host)
{
    const struct gr_request *request;
    while ((request = host_take(host)) != NULL)
        host_answer(host, request);
    host_forget(host);
}

static inline struct gr_wall host_wall(void *arg)
{
    return ((struct host *)arg)->wall;
}

static inline bool host_ready(void *arg)
{
    return !((struct host *)arg)->loading;
}

static inline void host_timer(void *arg, struct gr_redis *session, struct gr_span span)
{
    (void)session;
    ((struct host *)arg)->timer = span;
}

static inline const struct gr_ring *host_ring(void *arg)
{
    return &((struct host *)arg)->ring;
}

static inline uint16_t host_self(void *arg)
{
    (void)arg;
    return 0;
}

static inline bool host_peer_up(void *arg, uint16_t member)
{
    return member == 0 || !((struct host *)arg)->peer_down;
}

static inline uint8_t host_frame_version(void *arg, uint16_t member)
{
    return host_peer_up(arg, member) ? 4 : 0;
}

static inline enum gr_status host_status(void *arg, uint16_t member)
{
    return host_peer_up(arg, member) ? GR_STATUS_ALIVE : GR_STATUS_DOWN;
}

static inline struct gr_debt_view host_debt(void *arg, uint16_t member)
{
    struct host *host = arg;
    struct gr_wall oldest = {host->wall.ms - 12345};
    return member == 1 && host->owes ? (struct gr_debt_view){7, 890, oldest}
                                     : (struct gr_debt_view){0};
}

static inline const struct gr_node *host_node(void *arg)
{
    return ((struct host *)arg)->node;
}

static inline struct gr_instant host_now(void *arg)
{
    (void)arg;
    return (struct gr_instant){0};
}

static inline uint64_t host_repair(void *arg, const struct gr_repair_ask *ask)
{
    struct host *host = arg;
    host->repaired = *ask;
    return host->peer_down ? 0 : 7;
}

static inline const struct gr_token_key *host_token(void *arg)
{
    return &((struct host *)arg)->token;
}

static inline void host_info(void *arg, struct gr_redis_info *ret)
{
    (void)arg;
    *ret = (struct gr_redis_info){.version = "0.1.0",
        .config_file = "",
        .process_id = 42,
        .port = 7379,
        .keys = 5,
        .durability = "interval",
        .sync_interval_ms = 100,
        .store = GR_ERR_NO_SPACE,
        .run = 3,
        .run_seen = 4,
        .disk_free_bytes = 4096};
}

static inline void host_settings(
    void *arg, void (*visit)(void *, const char *, const char *), void *visit_arg)
{
    (void)arg;
    visit(visit_arg, "maxclients", "10000");
    visit(visit_arg, "port", "7379");
}

static inline void host_sessions(
    void *arg, void (*visit)(void *, struct gr_redis *), void *visit_arg)
{
    visit(visit_arg, ((struct host *)arg)->session);
}

static inline const char *host_link(
    void *arg, const char *action, const struct gr_bytes *name, uint32_t count)
{
    struct host *host = arg;
    snprintf(host->linked, sizeof host->linked, "%s %u %.*s", action, count,
        count == 0 ? 0 : (int)GR_MIN(name[0].size, 20),
        count == 0 ? "" : (const char *)name[0].data);
    return host->peer_down ? "no such member" : NULL;
}

static inline struct gr_redis *host_connect(struct host *host, const struct gr_redis_config *config)
{
    struct gr_redis_host face = {.host = host,
        .submit = host_submit,
        .wall = host_wall,
        .ready = host_ready,
        .timer = host_timer,
        .ring = host_ring,
        .self = host_self,
        .peer_up = host_peer_up,
        .frame_version = host_frame_version,
        .status = host_status,
        .debt = host_debt,
        .token_key = host_token,
        .info = host_info,
        .settings = host_settings,
        .sessions = host_sessions,
        .node = host_node,
        .now = host_now,
        .repair = host_repair,
        .link = host->demo ? host_link : NULL};
    host->session = gr_redis_new(&face, config);
    return host->session;
}

static inline void host_open(struct host *host)
{
    *host = (struct host){.wall = {1700000000000}, .demo = true};
    host->asked = gr_hook_memory(NULL, HOST_ASKED_MAX * sizeof *host->asked);
    host->entry = gr_hook_memory(NULL, HOST_KEYS_MAX * sizeof *host->entry);
    memset(host->entry, 0, HOST_KEYS_MAX * sizeof *host->entry);
    static const struct gr_member members[3] = {
        {.name = "n1", .host = "h1", .peer = "127.0.0.1:7390", .resp = "127.0.0.1:7379"},
        {.name = "n2", .host = "h2", .peer = "127.0.0.1:7490", .resp = "127.0.0.1:7479"},
        {.name = "n3", .host = "h3", .peer = "127.0.0.1:7590", .resp = "127.0.0.1:7579"}};
    gr_ring_init(&host->ring, 8, 3, members, 3);
    struct gr_redis_config config = {
        .id = 5, .address = "127.0.0.1:1000", .local = "127.0.0.1:7379"};
    host_connect(host, &config);
}

static inline void host_close(struct host *host)
{
    gr_redis_free(host->session);
    host_forget(host);
    gr_ring_deinit(&host->ring);
    gr_hook_memory(host->asked, 0);
    gr_hook_memory(host->entry, 0);
}

#endif
