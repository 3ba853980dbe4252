// wire/frame.h: what is encoded comes back, and nothing that a peer can send does any harm.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "test/hooks.h"
#include "test/unit/wire_parts.h"
#include "wire/frame.h"

static struct gr_write some_write(struct gr_random *random, struct gr_arena *arena)
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

static void add_entries(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    m->entry_count = (uint32_t)gr_random_below(random, 6);
    struct gr_entry *entry = gr_arena_array(arena, struct gr_entry, m->entry_count);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        entry[i].key = some_key(random, arena);
        entry[i].record = some_record(random, arena, SOME_BARE);
    }
    m->entry = entry;
}

static void add_partitions(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    m->partition_count = (uint32_t)gr_random_below(random, 50);
    uint16_t *list = gr_arena_array(arena, uint16_t, m->partition_count);
    for (uint32_t i = 0; i < m->partition_count; i++)
        list[i] = (uint16_t)gr_random_below(random, GR_PARTITIONS_MAX);
    m->partition_list = list;
}

static struct gr_clock some_clock(struct gr_random *random, struct gr_arena *arena)
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

static void add_clocks(
    struct gr_random *random, struct gr_arena *arena, struct gr_message *m, uint32_t count)
{
    struct gr_clock *clock = gr_arena_array(arena, struct gr_clock, count);
    for (uint32_t i = 0; i < count; i++)
        clock[i] = some_clock(random, arena);
    m->clock_list = clock;
    m->clock_count = count;
}

static void add_sums(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    m->sum_count = (uint32_t)gr_random_below(random, GR_MERKLE_LEAVES_MAX + 1);
    struct gr_sum *sum = gr_arena_array(arena, struct gr_sum, m->sum_count);
    for (uint32_t i = 0; i < m->sum_count; i++)
        sum[i] = (struct gr_sum){gr_random_next(random), gr_random_next(random)};
    m->sum_list = sum;
}

static void add_hashes(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
{
    add_partitions(random, arena, m);
    m->hash_count = m->partition_count;
    uint64_t *hash = gr_arena_array(arena, uint64_t, m->hash_count);
    for (uint32_t i = 0; i < m->hash_count; i++)
        hash[i] = gr_random_next(random);
    m->hash_list = hash;
}

static void add_entropy(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
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
        m->record = some_record(random, arena, type == GR_MSG_OFFER ? SOME_ALL : SOME_ANY);
    }
}

// A DELTA is owed to somebody, or passed on, or to be passed on.
static void add_relay(struct gr_random *random, struct gr_arena *arena, struct gr_message *m)
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
static struct gr_message some_message(
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

static bool same_write(const struct gr_write *a, const struct gr_write *b)
{
    return gr_dot_equal(&a->dot, &b->dot) && a->id.run == b->id.run &&
           a->id.number == b->id.number && same_origin(&a->origin, &b->origin) &&
           a->touch == b->touch && a->expires.ms == b->expires.ms && a->remove == b->remove &&
           a->plain == b->plain && gr_bytes_equal(a->value, b->value) &&
           gr_context_equal(&a->context, &b->context) && a->w == b->w && a->pw == b->pw &&
           a->dw == b->dw;
}

static bool same_entropy(const struct gr_message *a, const struct gr_message *b)
{
    bool same = a->hash == b->hash && a->hash_count == b->hash_count &&
                a->clock_count == b->clock_count && a->sum_count == b->sum_count &&
                a->branches == b->branches && a->cursor_end == b->cursor_end &&
                a->index == b->index && a->member == b->member;
    for (uint32_t i = 0; same && i < a->hash_count; i++)
        same = a->hash_list[i] == b->hash_list[i];
    for (uint32_t i = 0; same && i < a->clock_count; i++)
        same = gr_clock_equal(&a->clock_list[i], &b->clock_list[i]);
    for (uint32_t i = 0; same && i < a->sum_count; i++)
        same = gr_sum_equal(a->sum_list[i], b->sum_list[i]);
    return same;
}

static bool same_message(const struct gr_message *a, const struct gr_message *b)
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

// In that version: what it can say comes back whole, but for what may be left out; of what it
// cannot say nothing is written (I4), and false is returned.
static bool check_round_trip(
    struct gr_writer *out, struct gr_arena *arena, uint8_t version, const struct gr_message *m)
{
    bool can = (gr_message_says(m) & gr_frame_unspoken(version)) == 0;
    gr_frame_keepalive(out);
    gr_frame_encode(out, version, m);
    assert_int_equal(out->bad, !can);
    if (!can) {
        assert_int_equal(out->size, GR_FRAME_HEAD_BYTES);
        gr_writer_clear(out);
        return false;
    }
    gr_writer_consume(out, GR_FRAME_HEAD_BYTES);
    struct gr_message want = *m, back;
    if (version < 4)
        want.reached = 0;
    struct gr_bytes body;
    size_t consumed;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(consumed, out->size);
    assert_int_equal(body.data[0], version);
    assert_int_equal(gr_frame_decode(body, version, arena, &back), GR_OK);
    assert_true(same_message(&want, &back));
    for (uint8_t other = GR_FRAME_VERSION_MIN; other <= GR_FRAME_VERSION; other++)
        if (other != version)
            assert_int_equal(gr_frame_decode(body, other, arena, &back), GR_ERR_MALFORMED);
    gr_writer_clear(out);
    return true;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    uint32_t unspoken[GR_FRAME_VERSION + 1] = {0};
    for (int round = 0; round < 300; round++)
        for (int type = GR_MSG_FORWARD; type < GR_MSG_TYPE_COUNT; type++) {
            struct gr_message m = some_message(&random, &arena, (enum gr_message_type)type);
            for (uint8_t v = GR_FRAME_VERSION_MIN; v <= GR_FRAME_VERSION; v++)
                unspoken[v] += !check_round_trip(&out, &arena, v, &m);
            gr_arena_clear(&arena);
        }
    assert_in_range(unspoken[GR_FRAME_VERSION_MIN], 100, 1000);
    assert_int_equal(unspoken[GR_FRAME_VERSION], 0);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

static void test_stream(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    struct gr_message m[50];
    for (size_t i = 0; i < GR_COUNT(m); i++) {
        m[i] = some_message(&random, &arena,
            (enum gr_message_type)(1 + gr_random_below(&random, GR_MSG_TYPE_COUNT - 1)));
        gr_frame_encode(&out, GR_FRAME_VERSION, &m[i]);
    }
    struct gr_bytes left = gr_writer_bytes(&out);
    for (size_t i = 0; i < GR_COUNT(m); i++) {
        struct gr_bytes body;
        size_t consumed;
        assert_int_equal(gr_frame_split(left, GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
        struct gr_message back;
        assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &back), GR_OK);
        assert_true(same_message(&m[i], &back));
        left = gr_bytes(left.data + consumed, left.size - consumed);
    }
    assert_int_equal(left.size, 0);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

// A block of exactly that size, so that the sanitizer sees a read past its end.
static struct gr_bytes exact(struct gr_bytes bytes)
{
    uint8_t *copy = gr_hook_memory(NULL, GR_MAX(bytes.size, 1));
    memcpy(copy, bytes.data, bytes.size);
    return gr_bytes(copy, bytes.size);
}

static void release(struct gr_bytes bytes)
{
    gr_hook_memory((uint8_t *)(uintptr_t)bytes.data, 0);
}

static void test_truncation(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 3);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    for (int type = GR_MSG_FORWARD; type < GR_MSG_TYPE_COUNT; type++)
        for (int round = 0; round < 4; round++) {
            struct gr_message m = some_message(&random, &arena, (enum gr_message_type)type), back;
            gr_writer_clear(&out);
            gr_frame_encode(&out, GR_FRAME_VERSION, &m);
            for (size_t size = 0; size < GR_MIN(out.size, 3000); size++) {
                struct gr_bytes cut = exact(gr_bytes(out.data, size)), body;
                size_t consumed;
                assert_int_equal(
                    gr_frame_split(cut, GR_FRAME_BYTES_MAX, &body, &consumed), GR_ERR_NOT_FOUND);
                assert_int_equal(consumed, size < GR_FRAME_HEAD_BYTES ? 0 : out.size);
                release(cut);
                if (size < GR_FRAME_HEAD_BYTES)
                    continue;
                cut = exact(gr_bytes(out.data + GR_FRAME_HEAD_BYTES, size - GR_FRAME_HEAD_BYTES));
                assert_int_equal(
                    gr_frame_decode(cut, GR_FRAME_VERSION, &arena, &back), GR_ERR_MALFORMED);
                release(cut);
            }
            gr_arena_clear(&arena);
        }
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

static void test_checksum(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 4);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    for (int type = GR_MSG_FORWARD; type < GR_MSG_TYPE_COUNT; type++) {
        struct gr_message m = some_message(&random, &arena, (enum gr_message_type)type);
        gr_writer_clear(&out);
        gr_frame_encode(&out, GR_FRAME_VERSION, &m);
        for (size_t bit = 0; bit < 8 * GR_MIN(out.size, 1000); bit++) {
            out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
            struct gr_bytes body;
            size_t consumed;
            // A length that has grown asks for more; everything else is noticed at once.
            enum gr_err err =
                gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed);
            assert_true(err == GR_ERR_MALFORMED || (bit < 32 && err == GR_ERR_NOT_FOUND));
            out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        gr_arena_clear(&arena);
    }
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

// Behind a right checksum, anything may stand: what decodes must encode, and decode to the same.
static void test_corruption(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 5);
    struct gr_arena arena = {0};
    struct gr_writer out, again;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_writer_init(&again, GR_FRAME_BYTES_MAX);
    int decoded = 0;
    for (int round = 0; round < 20000; round++) {
        struct gr_message m = some_message(&random, &arena,
            (enum gr_message_type)(1 + gr_random_below(&random, GR_MSG_TYPE_COUNT - 1)));
        gr_writer_clear(&out);
        gr_frame_encode(&out, GR_FRAME_VERSION, &m);
        struct gr_bytes body =
            exact(gr_bytes(out.data + GR_FRAME_HEAD_BYTES, out.size - GR_FRAME_HEAD_BYTES));
        uint8_t *data = (uint8_t *)(uintptr_t)body.data;
        for (uint64_t n = 1 + gr_random_below(&random, 3); n > 0; n--)
            data[gr_random_below(&random, GR_MIN(body.size, 200))] =
                (uint8_t)gr_random_next(&random);
        struct gr_message back, last;
        if (gr_frame_decode(body, GR_FRAME_VERSION, &arena, &back) == GR_OK) {
            decoded++;
            gr_writer_clear(&again);
            gr_frame_encode(&again, GR_FRAME_VERSION, &back);
            assert_false(again.bad);
            assert_int_equal(gr_frame_decode(gr_bytes(again.data + GR_FRAME_HEAD_BYTES,
                                                 again.size - GR_FRAME_HEAD_BYTES),
                                 GR_FRAME_VERSION, &arena, &last),
                GR_OK);
            assert_true(same_message(&back, &last));
        }
        release(body);
        gr_arena_clear(&arena);
    }
    assert_true(decoded > 1000);
    gr_writer_deinit(&out);
    gr_writer_deinit(&again);
    gr_arena_deinit(&arena);
    assert_int_equal(gr_test_blocks(), 0);
}

// ---- the envelope ----------------------------------------------------------------------------

// A frame without a message: it can be told from damage, and stands between others.
static void test_keepalive(void **state)
{
    (void)state;
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_HEAD_BYTES + 4);
    gr_frame_keepalive(&out);
    assert_int_equal(out.size, GR_FRAME_HEAD_BYTES);
    struct gr_bytes body;
    size_t consumed;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(body.size, 0);
    assert_int_equal(consumed, GR_FRAME_HEAD_BYTES);
    struct gr_arena arena = {0};
    struct gr_message m;
    assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &m), GR_ERR_MALFORMED);
    out.data[4] ^= 1;
    assert_int_equal(gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed),
        GR_ERR_MALFORMED);
    gr_frame_keepalive(&out); // whole or not at all
    assert_true(out.bad);
    assert_int_equal(out.size, GR_FRAME_HEAD_BYTES);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

static void test_does_not_fit(void **state)
{
    (void)state;
    struct gr_writer out;
    gr_writer_init(&out, 120);
    struct gr_message m = {
        .type = GR_MSG_READ,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("key")),
    };
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    size_t one = out.size;
    for (int i = 0; i < 5; i++)
        gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    assert_true(out.bad);
    assert_int_equal(out.size, 120 / one * one);
    // More dots than a frame may have: refused here, before a peer would.
    gr_writer_deinit(&out);
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    struct gr_arena arena = {0};
    uint32_t count = GR_FRAME_ITEMS_MAX;
    struct gr_dot *dot = gr_arena_array(&arena, struct gr_dot, count);
    for (uint32_t i = 0; i < count; i++)
        dot[i] = (struct gr_dot){{1, 1}, 2 + 2 * (uint64_t)i};
    m.type = GR_MSG_FORWARDED;
    m.record.context = (struct gr_context){.cloud = dot, .cloud_count = count};
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    assert_true(out.bad);
    assert_int_equal(out.size, 0);
    out.bad = false;
    m.record.context.cloud_count = count - 1; // and one actor
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    assert_false(out.bad);
    struct gr_bytes body;
    size_t consumed;
    struct gr_message back;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(gr_frame_decode(body, GR_FRAME_VERSION, &arena, &back), GR_OK);
    assert_int_equal(back.record.context.cloud_count, count - 1);
    gr_arena_deinit(&arena);
    gr_writer_deinit(&out);
}

static void hex(struct gr_bytes bytes, char *text)
{
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
}

// The bytes themselves: a change here is a new frame version. The one before is what nodes speak
// that are not upgraded yet, and does not change at all.
static void test_known_bytes(void **state)
{
    (void)state;
    struct gr_dot own = {{1, 2}, 3}, seen = {{1, 2}, 2};
    struct gr_sibling sibling = {
        .dot = own,
        .origin = {.time = 5, .id = {6, 7}},
        .value = gr_bytes_text("v"),
    };
    struct gr_message m = {
        .type = GR_MSG_DELTA,
        .id = 300,
        .run = 0x0102030405060708,
        .to = 0x1112131415161718,
        .sequence = 1,
        .hybrid = 9,
        .deadline_ms = 10,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .dot = own,
        .durable = true,
        .record = {.sibling = &sibling,
            .count = 1,
            .context = {.vv = &seen, .vv_count = 1, .cloud = NULL, .cloud_count = 0}},
    };
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    char text[1000];
    hex(gr_writer_bytes(&out), text);
    static const char want[] = "54000000cd30a576"   // length, checksum
                               "0403"               // version, type
                               "ac02"               // id
                               "0807060504030201"   // run
                               "181716151413121101" // to, sequence
                               "09000000000000000a" // hybrid time, deadline
                               "0162016b"           // bucket, key
                               "00"                 // asked as an owner
                               "01"                 // to be durable
                               "0000"               // answered to the sender, passed on to nobody
                               "000100000000000000" // dot: actor 0, told here:
                               "020000000000000003" // ... its run, the counter
                               "010003"             // one sibling: its dot
                               "0500000000000000"   // origin: time
                               "060000000000000007" // origin: run, number
                               "00000276"           // touch, expiry, value "v"
                               "01000200";          // context: one entry, no cloud
    assert_string_equal(text, want);
    gr_writer_clear(&out);
    gr_frame_encode(&out, 3, &m);
    hex(gr_writer_bytes(&out), text);
    static const char head[] = "0303ac02080706050403020118171615141312110109000000000000000a";
    static const char rest[] = "0162016b0001" // as above, but for who is answered, and passed on to
                               "000100000000000000020000000000000003"
                               "010003050000000000000006000000000000000700000276"
                               "01000200";
    assert_memory_equal(text + 16, head, sizeof head - 1);
    assert_string_equal(text + 16 + sizeof head - 1, rest);
    gr_writer_deinit(&out);
}

// What an exchange begins and ends with: clocks as rows of bases and distances, sums, a partition.
static void test_known_clocks(void **state)
{
    (void)state;
    struct gr_interval interval = {10, 12};
    struct gr_clock_row row[] = {
        {.actor = {1, 2}, .base = 3, .interval = &interval, .interval_count = 1},
        {.actor = {1, 5}, .base = 300},
    };
    struct gr_clock clock = {.row = row, .count = 2};
    struct gr_sum sum = {0x0807060504030201, 0x100f0e0d0c0b0a09};
    struct gr_message m = {.type = GR_MSG_BEGUN,
        .id = 1,
        .run = 2,
        .sequence = 3,
        .hybrid = 4,
        .deadline_ms = 5,
        .clock_list = &clock,
        .clock_count = 1,
        .sum_list = &sum,
        .sum_count = 1};
    static const char clock_bytes[] = "0102"               // one clock, two rows
                                      "000100000000000000" // actor 0, told here
                                      "020000000000000003" // ... its run, base 3
                                      "010702"             // one interval: 7 further, 2 long
                                      "010100000000000000" // actor 1, told here
                                      "0500000000000000"
                                      "ac0200"; // base 300, no interval
    char text[1000], want[1000];
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    hex(gr_writer_bytes(&out), text);
    snprintf(want, sizeof want, "%s%s%s%s", "00", // status
        "00",                                     // nothing was lost
        clock_bytes,
        "010102030405060708" // one sum, its low half
        "090a0b0c0d0e0f10"); // its high half
    assert_string_equal(text + 2 * (GR_FRAME_HEAD_BYTES + 2 + 1 + 8 + 8 + 1 + 8 + 1), want);
    gr_writer_clear(&out);
    m.type = GR_MSG_JOIN;
    m.partition = 7;
    gr_frame_encode(&out, GR_FRAME_VERSION, &m);
    hex(gr_writer_bytes(&out), text);
    snprintf(want, sizeof want, "07%s", clock_bytes);
    assert_string_equal(text + 2 * (GR_FRAME_HEAD_BYTES + 2 + 1 + 8 + 8 + 1 + 8 + 1), want);
    gr_writer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_corruption),
        cmocka_unit_test(test_keepalive),
        cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_known_bytes),
        cmocka_unit_test(test_known_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
