// Random messages for the tests of frames, and a comparison that looks at every field.
#ifndef GR_TEST_UNIT_FRAME_PARTS_H
#define GR_TEST_UNIT_FRAME_PARTS_H

#include "core/message.h"
#include "test/unit/wire_parts.h"

static inline struct gr_write some_write(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_write write = {
        .dot = some_dot(random),
        .id = {gr_random_next(random), some_u64(random)},
        .origin = some_origin(random),
        .touch = some_u64(random),
        .expires.ms = (int64_t)some_u64(random),
        .remove = gr_random_chance(random, 300),
        .plain = gr_random_chance(random, 300),
        .w = gr_random_chance(random, 200) ? (uint8_t)(GR_QUORUM_EACH - gr_random_below(random, 2))
                                           : (uint8_t)gr_random_below(random, GR_REPLICAS_MAX + 1),
        .pw = (uint8_t)gr_random_below(random, GR_REPLICAS_MAX + 1),
        .dw = (uint8_t)gr_random_below(random, GR_REPLICAS_MAX + 1),
        .context = some_context(random, arena),
    };
    if (!write.remove)
        write.value = some_bytes(random, arena, 0, 5000);
    return write;
}

static inline void add_entries(
    struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    m->entry_count = (uint32_t)gr_random_below(random, 6);
    struct gr_entry *entry = gr_arena_array(arena, struct gr_entry, m->entry_count);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        entry[i].key = some_key(random, arena);
        entry[i].record = some_record(random, arena, SOME_BARE);
    }
    m->entry = entry;
}

static inline void add_partitions(
    struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    m->partition_count = (uint32_t)gr_random_below(random, 50);
    uint16_t *list = gr_arena_array(arena, uint16_t, m->partition_count);
    for (uint32_t i = 0; i < m->partition_count; i++)
        list[i] = (uint16_t)gr_random_below(random, GR_PARTITIONS_MAX);
    m->partition_list = list;
}

static inline struct gr_clock some_clock(struct gr_random *random, struct gr_arena *arena)
{
    struct gr_clock clock = {.row = gr_arena_array(arena, struct gr_clock_row, 8)};
    uint64_t rows = gr_random_below(random, 9);
    for (uint64_t store = 1; store <= rows; store++) {
        struct gr_clock_row *row = &clock.row[clock.count++];
        *row = (struct gr_clock_row){.actor = {store, gr_random_next(random)}};
        row->interval = gr_arena_array(arena, struct gr_interval, 4);
        row->base = gr_random_below(random, 3) * gr_random_below(random, 1000);
        uint64_t last = row->base;
        uint64_t count = gr_random_below(random, 5);
        for (uint64_t i = row->base > 0 ? 0 : 1; i <= count && i < 4; i++) {
            struct gr_interval *interval = &row->interval[row->interval_count++];
            interval->first = last + 2 + gr_random_below(random, 10);
            interval->last = last = interval->first + some_u64(random) % 1000;
        }
        if (last == 0)
            row->base = 1;
    }
    return clock;
}

static inline void add_clocks(
    struct gr_random *random, struct gr_arena *arena, struct gr_message *m, uint32_t count)
{
    struct gr_clock *clock = gr_arena_array(arena, struct gr_clock, count);
    for (uint32_t i = 0; i < count; i++)
        clock[i] = some_clock(random, arena);
    m->clock_list = clock;
    m->clock_count = count;
}

static inline void add_sums(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    m->sum_count = (uint32_t)gr_random_below(random, GR_MERKLE_LEAVES_MAX + 1);
    struct gr_sum *sum = gr_arena_array(arena, struct gr_sum, m->sum_count);
    for (uint32_t i = 0; i < m->sum_count; i++)
        sum[i] = (struct gr_sum){gr_random_next(random), gr_random_next(random)};
    m->sum_list = sum;
}

static inline void add_hashes(
    struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    add_partitions(random, arena, m);
    m->hash_count = m->partition_count;
    uint64_t *hash = gr_arena_array(arena, uint64_t, m->hash_count);
    for (uint32_t i = 0; i < m->hash_count; i++)
        hash[i] = gr_random_next(random);
    m->hash_list = hash;
}

static inline void add_entropy(
    struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    enum gr_message_type type = m->type;
    if (type == GR_MSG_PROBE)
        m->hash = gr_random_next(random);
    if (type == GR_MSG_PROBED)
        add_hashes(random, arena, m);
    if (type == GR_MSG_COVER || type == GR_MSG_COVERED)
        add_partitions(random, arena, m);
    if (type == GR_MSG_COVER)
        m->durable = gr_random_chance(random, 500);
    if (type == GR_MSG_COVER)
        add_clocks(random, arena, m, m->partition_count);
    if (type == GR_MSG_BEGUN || type == GR_MSG_JOIN)
        add_clocks(random, arena, m, 1);
    if (type == GR_MSG_BEGUN || type == GR_MSG_LEAVES)
        add_sums(random, arena, m);
    if (type == GR_MSG_BEGIN || type == GR_MSG_JOIN)
        m->partition = (uint32_t)gr_random_below(random, GR_PARTITIONS_MAX);
    if (type == GR_MSG_BEGIN || type == GR_MSG_BEGUN) {
        m->doubtful = gr_random_chance(random, 500);
        m->lacking = gr_random_chance(random, 500);
    }
    if (type == GR_MSG_BRANCH)
        m->branches = (uint32_t)gr_random_below(random, 1 << GR_MERKLE_BRANCHES);
    if (type == GR_MSG_WALK) {
        m->cursor = gr_random_below(random, GR_CURSOR_END + 1);
        m->cursor_end = gr_random_below(random, GR_CURSOR_END + 1);
        m->limit = (uint32_t)some_u64(random);
    }
    if (type == GR_MSG_WITNESS)
        m->member = gr_random_below(random, GR_MEMBER_ID_MAX + 1);
    if (type == GR_MSG_OFFER || type == GR_MSG_TAKEN) {
        m->index = (uint32_t)some_u64(random);
        m->witnessed = gr_random_chance(random, 500);
        m->record = some_record(random, arena, type == GR_MSG_OFFER ? SOME_ALL : SOME_ANY);
    }
}

// A DELTA is owed to somebody, or passed on, or to be passed on.
static inline void add_relay(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    uint64_t kind = gr_random_below(random, 3);
    m->owed_to = kind == 0 ? m->owed_to : 0;
    m->asked_by = kind == 1 ? gr_random_below(random, GR_MEMBER_ID_MAX + 1) : 0;
    m->relay_count = kind == 2 ? (uint32_t)gr_random_below(random, GR_REPLICAS_MAX) : 0;
    uint64_t *list = gr_arena_array(arena, uint64_t, GR_REPLICAS_MAX);
    for (uint32_t i = 0; i < m->relay_count; i++)
        list[i] = 1 + gr_random_below(random, GR_MEMBER_ID_MAX);
    m->relay_list = list;
}

// Only the fields that message.h names at the type; the others are zero, as a decoder leaves them.
static inline struct gr_message some_message(
    struct gr_random *random, struct gr_arena *arena, enum gr_message_type type)
{
    struct gr_message m = {
        .type = type,
        .id = some_u64(random),
        .run = gr_random_next(random),
        .to = gr_random_next(random),
        .sequence = some_u64(random),
        .hybrid = gr_random_next(random),
        .deadline_ms = (uint32_t)some_u64(random),
    };
    if (type == GR_MSG_FORWARD || type == GR_MSG_DELTA || type == GR_MSG_READ ||
        type == GR_MSG_REPAIR || type == GR_MSG_OFFER || type == GR_MSG_WITNESS)
        m.key = some_key(random, arena);
    if (type == GR_MSG_FORWARDED || type == GR_MSG_ACK || type == GR_MSG_STATE ||
        type == GR_MSG_PAGE || type == GR_MSG_COUNTED || type == GR_MSG_BEGUN ||
        type == GR_MSG_LEAVES || type == GR_MSG_TAKEN || type == GR_MSG_JOINED)
        m.status = (enum gr_err)gr_random_below(random, GR_ERR_COUNT);
    if (type == GR_MSG_FORWARD)
        m.write = some_write(random, arena);
    if (type == GR_MSG_FORWARDED) {
        m.outcome = (enum gr_outcome)gr_random_below(random, 3);
        m.acks = (uint8_t)gr_random_next(random);
        m.reached = (uint8_t)gr_random_next(random);
        m.primaries = (uint8_t)gr_random_next(random);
        m.durable_acks = (uint8_t)gr_random_next(random);
        m.settled = gr_random_chance(random, 500);
        m.hybrid_needed = gr_random_next(random);
        m.record.context = some_context(random, arena);
    }
    if (type == GR_MSG_ACKED) {
        m.acks = (uint8_t)gr_random_next(random);
        m.durable_acks = (uint8_t)gr_random_next(random);
        m.settled = gr_random_chance(random, 500);
    }
    if (type == GR_MSG_DELTA || type == GR_MSG_REPAIR)
        m.record = some_record(random, arena, SOME_ALL);
    if (type == GR_MSG_DELTA)
        m.dot = some_dot(random);
    if (type == GR_MSG_DELTA || type == GR_MSG_READ)
        m.owed_to = gr_random_below(random, GR_MEMBER_ID_MAX + 1);
    if (type == GR_MSG_DELTA)
        add_relay(random, arena, &m);
    m.durable = (type == GR_MSG_ACK || type == GR_MSG_DELTA) && gr_random_chance(random, 500);
    m.bare = type == GR_MSG_READ && gr_random_chance(random, 500);
    if (type == GR_MSG_STATE)
        m.record = some_record(random, arena, SOME_ANY);
    if (type == GR_MSG_SCAN || type == GR_MSG_PAGE)
        m.cursor = gr_random_below(random, GR_CURSOR_END + 1);
    if (type == GR_MSG_SCAN) {
        m.partition = (uint32_t)gr_random_below(random, GR_PARTITIONS_MAX);
        m.limit = (uint32_t)some_u64(random);
    }
    if (type == GR_MSG_PAGE) {
        m.context = some_context(random, arena);
        add_entries(random, arena, &m);
    }
    if (type == GR_MSG_COUNT)
        add_partitions(random, arena, &m);
    if (type == GR_MSG_COUNTED)
        m.count = (int64_t)gr_random_below(random, ((uint64_t)1 << 54) + 1) - ((int64_t)1 << 53);
    add_entropy(random, arena, &m);
    return m;
}

static inline bool same_write(const struct gr_write *a, const struct gr_write *b)
{
    return gr_dot_equal(&a->dot, &b->dot) && a->id.run == b->id.run &&
           a->id.number == b->id.number && same_origin(&a->origin, &b->origin) &&
           a->touch == b->touch && a->expires.ms == b->expires.ms && a->remove == b->remove &&
           a->plain == b->plain && gr_bytes_equal(a->value, b->value) &&
           gr_context_equal(&a->context, &b->context) && a->w == b->w && a->pw == b->pw &&
           a->dw == b->dw;
}

static inline bool same_entropy(const struct gr_message *a, const struct gr_message *b)
{
    bool same = a->hash == b->hash && a->hash_count == b->hash_count &&
                a->clock_count == b->clock_count && a->sum_count == b->sum_count &&
                a->branches == b->branches && a->cursor_end == b->cursor_end &&
                a->index == b->index && a->witnessed == b->witnessed && a->member == b->member;
    for (uint32_t i = 0; same && i < a->hash_count; i++)
        same = a->hash_list[i] == b->hash_list[i];
    for (uint32_t i = 0; same && i < a->clock_count; i++)
        same = gr_clock_equal(&a->clock_list[i], &b->clock_list[i]);
    for (uint32_t i = 0; same && i < a->sum_count; i++)
        same = gr_sum_equal(a->sum_list[i], b->sum_list[i]);
    return same;
}

static inline bool same_message(const struct gr_message *a, const struct gr_message *b)
{
    bool same = a->type == b->type && a->id == b->id && a->run == b->run && a->to == b->to &&
                a->sequence == b->sequence && a->hybrid == b->hybrid &&
                a->deadline_ms == b->deadline_ms && a->status == b->status &&
                a->outcome == b->outcome && a->acks == b->acks && a->reached == b->reached &&
                a->primaries == b->primaries && a->durable_acks == b->durable_acks &&
                a->owed_to == b->owed_to && a->settled == b->settled && a->durable == b->durable &&
                a->bare == b->bare && same_key(&a->key, &b->key) &&
                same_write(&a->write, &b->write) && same_record(&a->record, &b->record) &&
                gr_dot_equal(&a->dot, &b->dot) && gr_context_equal(&a->context, &b->context) &&
                a->hybrid_needed == b->hybrid_needed && a->partition == b->partition &&
                a->cursor == b->cursor && a->limit == b->limit &&
                a->entry_count == b->entry_count && a->partition_count == b->partition_count &&
                a->count == b->count;
    same = same && a->asked_by == b->asked_by && a->relay_count == b->relay_count;
    for (uint32_t i = 0; same && i < a->relay_count; i++)
        same = a->relay_list[i] == b->relay_list[i];
    for (uint32_t i = 0; same && i < a->entry_count; i++)
        same = same_key(&a->entry[i].key, &b->entry[i].key) &&
               same_record(&a->entry[i].record, &b->entry[i].record);
    for (uint32_t i = 0; same && i < a->partition_count; i++)
        same = a->partition_list[i] == b->partition_list[i];
    return same && same_entropy(a, b);
}

#endif
