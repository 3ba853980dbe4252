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
        .origin = some_origin(random),
        .touch = some_u64(random),
        .expires.ms = (int64_t)some_u64(random),
        .remove = gr_random_chance(random, 300),
        .plain = gr_random_chance(random, 300),
        .w = (uint8_t)gr_random_below(random, GR_REPLICAS_MAX + 1),
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

// Only the fields that message.h names at the type; the others are zero, as a decoder leaves them.
static struct gr_message some_message(
    struct gr_random *random, struct gr_arena *arena, enum gr_message_type type)
{
    struct gr_message m = {
        .type = type,
        .id = some_u64(random),
        .run = gr_random_next(random),
        .sequence = some_u64(random),
        .hybrid = gr_random_next(random),
        .deadline_ms = (uint32_t)some_u64(random),
    };
    if (type == GR_MSG_FORWARD || type == GR_MSG_DELTA || type == GR_MSG_READ ||
        type == GR_MSG_REPAIR)
        m.key = some_key(random, arena);
    if (type == GR_MSG_FORWARDED || type == GR_MSG_ACK || type == GR_MSG_STATE ||
        type == GR_MSG_PAGE || type == GR_MSG_COUNTED)
        m.status = (enum gr_err)gr_random_below(random, GR_ERR_COUNT);
    if (type == GR_MSG_FORWARD)
        m.write = some_write(random, arena);
    if (type == GR_MSG_FORWARDED) {
        m.outcome = (enum gr_outcome)gr_random_below(random, 3);
        m.acks = (uint8_t)gr_random_next(random);
        m.hybrid_needed = gr_random_next(random);
        m.record.context = some_context(random, arena);
    }
    if (type == GR_MSG_DELTA || type == GR_MSG_REPAIR)
        m.record = some_record(random, arena, SOME_ALL);
    if (type == GR_MSG_DELTA)
        m.dot = some_dot(random);
    m.durable = type == GR_MSG_ACK && gr_random_chance(random, 500);
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
    return m;
}

static bool same_write(const struct gr_write *a, const struct gr_write *b)
{
    return same_origin(&a->origin, &b->origin) && a->touch == b->touch &&
           a->expires.ms == b->expires.ms && a->remove == b->remove && a->plain == b->plain &&
           gr_bytes_equal(a->value, b->value) && gr_context_equal(&a->context, &b->context) &&
           a->w == b->w && a->pw == b->pw && a->dw == b->dw;
}

static bool same_message(const struct gr_message *a, const struct gr_message *b)
{
    bool same = a->type == b->type && a->id == b->id && a->run == b->run &&
                a->sequence == b->sequence && a->hybrid == b->hybrid &&
                a->deadline_ms == b->deadline_ms && a->status == b->status &&
                a->outcome == b->outcome && a->acks == b->acks && a->durable == b->durable &&
                a->bare == b->bare && same_key(&a->key, &b->key) &&
                same_write(&a->write, &b->write) && same_record(&a->record, &b->record) &&
                gr_dot_equal(&a->dot, &b->dot) && gr_context_equal(&a->context, &b->context) &&
                a->hybrid_needed == b->hybrid_needed && a->partition == b->partition &&
                a->cursor == b->cursor && a->limit == b->limit &&
                a->entry_count == b->entry_count && a->partition_count == b->partition_count &&
                a->count == b->count;
    for (uint32_t i = 0; same && i < a->entry_count; i++)
        same = same_key(&a->entry[i].key, &b->entry[i].key) &&
               same_record(&a->entry[i].record, &b->entry[i].record);
    for (uint32_t i = 0; same && i < a->partition_count; i++)
        same = a->partition_list[i] == b->partition_list[i];
    return same;
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    struct gr_arena arena = {0};
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    for (int round = 0; round < 300; round++)
        for (int type = GR_MSG_FORWARD; type < GR_MSG_TYPE_COUNT; type++) {
            struct gr_message m = some_message(&random, &arena, (enum gr_message_type)type), back;
            gr_frame_encode(&out, &m);
            assert_false(out.bad);
            struct gr_bytes body;
            size_t consumed;
            assert_int_equal(
                gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
            assert_int_equal(consumed, out.size);
            assert_int_equal(gr_frame_decode(body, &arena, &back), GR_OK);
            assert_true(same_message(&m, &back));
            gr_writer_clear(&out);
            gr_arena_clear(&arena);
        }
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
        gr_frame_encode(&out, &m[i]);
    }
    struct gr_bytes left = gr_writer_bytes(&out);
    for (size_t i = 0; i < GR_COUNT(m); i++) {
        struct gr_bytes body;
        size_t consumed;
        assert_int_equal(gr_frame_split(left, GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
        struct gr_message back;
        assert_int_equal(gr_frame_decode(body, &arena, &back), GR_OK);
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
            gr_frame_encode(&out, &m);
            for (size_t size = 0; size < GR_MIN(out.size, 3000); size++) {
                struct gr_bytes cut = exact(gr_bytes(out.data, size)), body;
                size_t consumed;
                assert_int_equal(gr_frame_split(cut, GR_FRAME_BYTES_MAX, &body, &consumed),
                    GR_ERR_NOT_FOUND);
                assert_int_equal(consumed, size < GR_FRAME_HEAD_BYTES ? 0 : out.size);
                release(cut);
                if (size < GR_FRAME_HEAD_BYTES)
                    continue;
                cut = exact(
                    gr_bytes(out.data + GR_FRAME_HEAD_BYTES, size - GR_FRAME_HEAD_BYTES));
                assert_int_equal(gr_frame_decode(cut, &arena, &back), GR_ERR_MALFORMED);
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
        gr_frame_encode(&out, &m);
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
        gr_frame_encode(&out, &m);
        struct gr_bytes body = exact(
            gr_bytes(out.data + GR_FRAME_HEAD_BYTES, out.size - GR_FRAME_HEAD_BYTES));
        uint8_t *data = (uint8_t *)(uintptr_t)body.data;
        for (uint64_t n = 1 + gr_random_below(&random, 3); n > 0; n--)
            data[gr_random_below(&random, GR_MIN(body.size, 200))] =
                (uint8_t)gr_random_next(&random);
        struct gr_message back, last;
        if (gr_frame_decode(body, &arena, &back) == GR_OK) {
            decoded++;
            gr_writer_clear(&again);
            gr_frame_encode(&again, &back);
            assert_false(again.bad);
            assert_int_equal(gr_frame_decode(gr_bytes(again.data + GR_FRAME_HEAD_BYTES,
                                                 again.size - GR_FRAME_HEAD_BYTES),
                                 &arena, &last),
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

// ---- bodies that no encoder writes -----------------------------------------------------------

static void begin(struct gr_writer *body, uint8_t type)
{
    gr_writer_clear(body);
    gr_write_u8(body, GR_FRAME_VERSION);
    gr_write_u8(body, type);
    gr_write_varint(body, 1);
    gr_write_u64(body, 2);
    gr_write_varint(body, 3);
    gr_write_u64(body, 4);
    gr_write_varint(body, 5);
}

static enum gr_err verdict(const struct gr_writer *body)
{
    struct gr_arena arena = {0};
    struct gr_message m;
    enum gr_err err = gr_frame_decode(gr_writer_bytes(body), &arena, &m);
    // Memory is in proportion to the bytes that came, not to what they claim.
    assert_true(arena.bytes <= 4096 + 200 * body->size);
    gr_arena_deinit(&arena);
    return err;
}

static void write_dot(struct gr_writer *body, uint64_t number, bool new, uint64_t counter)
{
    gr_write_varint(body, number);
    if (new) {
        gr_write_u64(body, 1000 + number);
        gr_write_u64(body, 1);
    }
    gr_write_varint(body, counter);
}

static void write_sibling(
    struct gr_writer *body, uint64_t number, bool new, uint64_t counter, uint64_t size)
{
    write_dot(body, number, new, counter);
    gr_write_u64(body, 1);
    gr_write_u64(body, 2);
    gr_write_varint(body, 3);
    gr_write_varint(body, 0);
    gr_write_varint(body, 0);
    gr_write_varint(body, size);
    for (uint64_t i = 1; i < size; i++)
        gr_write_u8(body, 'v');
}

static void write_key(struct gr_writer *body, size_t bucket_bytes, size_t key_bytes)
{
    static const uint8_t letters[5000];
    gr_write_block(body, gr_bytes(letters, bucket_bytes));
    gr_write_block(body, gr_bytes(letters, key_bytes));
}

static void test_numbers_out_of_range(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        uint64_t partition, cursor, limit;
        enum gr_err err;
    } scan[] = {
        {GR_MSG_SCAN, 0, 0, 0, GR_OK},
        {GR_MSG_SCAN, GR_PARTITIONS_MAX - 1, GR_CURSOR_END, UINT32_MAX, GR_OK},
        {GR_MSG_SCAN, GR_PARTITIONS_MAX, 0, 0, GR_ERR_MALFORMED},
        {GR_MSG_SCAN, 0, GR_CURSOR_END + 1, 0, GR_ERR_MALFORMED},
        {GR_MSG_SCAN, 0, 0, (uint64_t)UINT32_MAX + 1, GR_ERR_MALFORMED},
        {0, 0, 0, 0, GR_ERR_MALFORMED},
        {GR_MSG_TYPE_COUNT, 0, 0, 0, GR_ERR_MALFORMED},
        {255, 0, 0, 0, GR_ERR_MALFORMED},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(scan); i++) {
        begin(&body, scan[i].type);
        gr_write_varint(&body, scan[i].partition);
        gr_write_varint(&body, scan[i].cursor);
        gr_write_varint(&body, scan[i].limit);
        assert_int_equal(verdict(&body), scan[i].err);
        gr_write_u8(&body, 0); // something left over
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
        body.size--;
        body.data[0] = GR_FRAME_VERSION + 1;
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
    }
    for (int status = 0; status < 256; status++) {
        begin(&body, GR_MSG_ACK);
        gr_write_u8(&body, (uint8_t)status);
        gr_write_u8(&body, 1);
        assert_int_equal(verdict(&body), status < GR_ERR_COUNT ? GR_OK : GR_ERR_MALFORMED);
        body.data[body.size - 1] = 2;
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
    }
    gr_writer_deinit(&body);
}

static void test_keys_out_of_range(void **state)
{
    (void)state;
    static const struct {
        size_t bucket, key;
        enum gr_err err;
    } table[] = {
        {1, 1, GR_OK},
        {GR_BUCKET_BYTES_MAX, GR_KEY_BYTES_MAX, GR_OK},
        {0, 1, GR_ERR_MALFORMED},
        {1, 0, GR_ERR_MALFORMED},
        {GR_BUCKET_BYTES_MAX + 1, 1, GR_ERR_MALFORMED},
        {1, GR_KEY_BYTES_MAX + 1, GR_ERR_MALFORMED},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        begin(&body, GR_MSG_READ);
        write_key(&body, table[i].bucket, table[i].key);
        gr_write_u8(&body, 1);
        assert_int_equal(verdict(&body), table[i].err);
    }
    gr_writer_deinit(&body);
}

static void test_records_out_of_order(void **state)
{
    (void)state;
    static const struct {
        uint8_t type;
        uint64_t number[2], counter[2], size[2];
        enum gr_err err;
    } table[] = {
        {GR_MSG_REPAIR, {0, 0}, {1, 2}, {1, 3}, GR_OK},
        {GR_MSG_REPAIR, {0, 1}, {2, 1}, {1, 3}, GR_OK},
        {GR_MSG_REPAIR, {0, 0}, {2, 1}, {1, 3}, GR_ERR_MALFORMED},  // not sorted
        {GR_MSG_REPAIR, {0, 0}, {2, 2}, {1, 3}, GR_ERR_MALFORMED},  // twice
        {GR_MSG_REPAIR, {0, 0}, {0, 2}, {1, 3}, GR_ERR_MALFORMED},  // counter 0
        {GR_MSG_REPAIR, {0, 0}, {1, INT64_MAX}, {1, 3}, GR_OK},
        {GR_MSG_REPAIR, {0, 0}, {1, (uint64_t)1 << 63}, {1, 3}, GR_ERR_MALFORMED},
        {GR_MSG_REPAIR, {0, 2}, {1, 2}, {1, 3}, GR_ERR_MALFORMED},  // an actor never met
        {GR_MSG_REPAIR, {0, 0}, {1, 2}, {1, 0}, GR_ERR_MALFORMED},  // bare
        {GR_MSG_STATE, {0, 0}, {1, 2}, {1, 0}, GR_OK},
        {GR_MSG_STATE, {0, 0}, {1, 2}, {0, 0}, GR_OK},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        begin(&body, table[i].type);
        if (table[i].type == GR_MSG_STATE)
            gr_write_u8(&body, GR_OK);
        else
            write_key(&body, 1, 1);
        gr_write_varint(&body, 2);
        for (int k = 0; k < 2; k++)
            write_sibling(&body, table[i].number[k], k == 0 || table[i].number[k] > 0,
                table[i].counter[k], table[i].size[k]);
        gr_write_varint(&body, 0);
        gr_write_varint(&body, 0);
        assert_int_equal(verdict(&body), table[i].err);
    }
    // A value of 8 MiB and one byte, said but not sent, and one in a page.
    begin(&body, GR_MSG_PAGE);
    gr_write_u8(&body, GR_OK);
    gr_write_varint(&body, 0);
    gr_write_varint(&body, 0);
    gr_write_varint(&body, 0);
    gr_write_varint(&body, 1);
    write_key(&body, 1, 1);
    gr_write_varint(&body, 1);
    write_sibling(&body, 0, true, 1, 2);
    gr_write_varint(&body, 0);
    gr_write_varint(&body, 0);
    assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
    gr_writer_deinit(&body);
}

static void test_writes_out_of_range(void **state)
{
    (void)state;
    static const struct {
        uint8_t flags, w, value_bytes;
        enum gr_err err;
    } table[] = {
        {0, GR_REPLICAS_MAX, 9, GR_OK},
        {1, 0, 0, GR_OK},
        {1, 0, 1, GR_ERR_MALFORMED}, // a delete with a value
        {3, 0, 0, GR_OK},
        {4, 0, 0, GR_ERR_MALFORMED},
        {0, GR_REPLICAS_MAX + 1, 0, GR_ERR_MALFORMED},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        begin(&body, GR_MSG_FORWARD);
        write_key(&body, 1, 1);
        gr_write_u64(&body, 1);
        gr_write_u64(&body, 2);
        gr_write_varint(&body, 3);
        gr_write_varint(&body, 0);
        gr_write_varint(&body, 0);
        gr_write_u8(&body, table[i].flags);
        gr_write_u8(&body, table[i].w);
        gr_write_u8(&body, 0);
        gr_write_u8(&body, 0);
        gr_write_block(&body, gr_bytes("123456789", table[i].value_bytes));
        gr_write_varint(&body, 0);
        gr_write_varint(&body, 0);
        assert_int_equal(verdict(&body), table[i].err);
    }
    gr_writer_deinit(&body);
}

// A context in any order and form comes out in normal form.
static void test_context_is_normalised(void **state)
{
    (void)state;
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    begin(&body, GR_MSG_FORWARDED);
    gr_write_u8(&body, GR_OK);
    gr_write_u8(&body, GR_DONE);
    gr_write_u8(&body, 2);
    gr_write_u64(&body, 0);
    gr_write_varint(&body, 3);
    write_dot(&body, 0, true, 5);
    write_dot(&body, 1, true, 1);
    write_dot(&body, 0, false, 3);
    gr_write_varint(&body, 4);
    write_dot(&body, 0, false, 9);
    write_dot(&body, 0, false, 6);
    write_dot(&body, 0, false, 9);
    write_dot(&body, 0, false, 2);
    struct gr_arena arena = {0};
    struct gr_message m;
    assert_int_equal(gr_frame_decode(gr_writer_bytes(&body), &arena, &m), GR_OK);
    struct gr_actor a = {1000, 1}, b = {1001, 1};
    struct gr_dot vv[] = {{a, 6}, {b, 1}}, cloud[] = {{a, 9}};
    struct gr_context want = {.vv = vv, .vv_count = 2, .cloud = cloud, .cloud_count = 1};
    assert_true(gr_context_equal(&m.record.context, &want));
    gr_arena_deinit(&arena);
    gr_writer_deinit(&body);
}

// Counts are compared with what is there before memory is taken.
static void test_counts_are_bounded(void **state)
{
    (void)state;
    static const uint64_t counts[] = {100, 1 << 20, UINT32_MAX, INT64_MAX, UINT64_MAX};
    struct gr_writer body;
    gr_writer_init(&body, 16 << 20);
    for (size_t i = 0; i < GR_COUNT(counts); i++) {
        begin(&body, GR_MSG_COUNT);
        gr_write_varint(&body, counts[i]);
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
        begin(&body, GR_MSG_STATE);
        gr_write_u8(&body, GR_OK);
        gr_write_varint(&body, counts[i]);
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
        begin(&body, GR_MSG_PAGE);
        gr_write_u8(&body, GR_OK);
        gr_write_varint(&body, counts[i]);
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
    }
    // As many as are said, but more than a frame may have.
    begin(&body, GR_MSG_COUNT);
    gr_write_varint(&body, GR_FRAME_ITEMS_MAX + 1);
    for (uint32_t i = 0; i <= GR_FRAME_ITEMS_MAX; i++)
        gr_write_u8(&body, 0);
    assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
    gr_writer_deinit(&body);
}

// ---- the envelope ----------------------------------------------------------------------------

static void test_split_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t length;
        size_t frame_bytes_max;
        enum gr_err err;
        size_t consumed;
    } table[] = {
        {0, GR_FRAME_BYTES_MAX, GR_ERR_MALFORMED, 0},
        {1, GR_FRAME_BYTES_MAX, GR_ERR_MALFORMED, 0},
        {2, GR_FRAME_BYTES_MAX, GR_ERR_NOT_FOUND, 10},
        {92, 100, GR_ERR_NOT_FOUND, 100},
        {93, 100, GR_ERR_MALFORMED, 0},
        {GR_FRAME_BYTES_MAX - 8, GR_FRAME_BYTES_MAX, GR_ERR_NOT_FOUND, GR_FRAME_BYTES_MAX},
        {GR_FRAME_BYTES_MAX - 7, SIZE_MAX, GR_ERR_MALFORMED, 0},
        {UINT32_MAX, SIZE_MAX, GR_ERR_MALFORMED, 0},
    };
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        struct gr_writer head;
        gr_writer_init(&head, 100);
        gr_write_u32(&head, table[i].length);
        gr_write_u32(&head, 0);
        struct gr_bytes body;
        size_t consumed;
        assert_int_equal(gr_frame_split(gr_writer_bytes(&head), table[i].frame_bytes_max, &body,
                             &consumed),
            table[i].err);
        assert_int_equal(consumed, table[i].consumed);
        gr_writer_deinit(&head);
    }
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
    gr_frame_encode(&out, &m);
    size_t one = out.size;
    for (int i = 0; i < 5; i++)
        gr_frame_encode(&out, &m);
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
    gr_frame_encode(&out, &m);
    assert_true(out.bad);
    assert_int_equal(out.size, 0);
    out.bad = false;
    m.record.context.cloud_count = count - 1; // and one actor
    gr_frame_encode(&out, &m);
    assert_false(out.bad);
    struct gr_bytes body;
    size_t consumed;
    struct gr_message back;
    assert_int_equal(
        gr_frame_split(gr_writer_bytes(&out), GR_FRAME_BYTES_MAX, &body, &consumed), GR_OK);
    assert_int_equal(gr_frame_decode(body, &arena, &back), GR_OK);
    assert_int_equal(back.record.context.cloud_count, count - 1);
    gr_arena_deinit(&arena);
    gr_writer_deinit(&out);
}

static void hex(struct gr_bytes bytes, char *text)
{
    for (size_t i = 0; i < bytes.size; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes.data[i]);
}

// The bytes themselves: a change here is a new frame version.
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
        .sequence = 1,
        .hybrid = 9,
        .deadline_ms = 10,
        .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("k")),
        .dot = own,
        .record = {.sibling = &sibling,
            .count = 1,
            .context = {.vv = &seen, .vv_count = 1, .cloud = NULL, .cloud_count = 0}},
    };
    struct gr_writer out;
    gr_writer_init(&out, GR_FRAME_BYTES_MAX);
    gr_frame_encode(&out, &m);
    char text[1000];
    hex(gr_writer_bytes(&out), text);
    assert_string_equal(text, "KNOWN");
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
        cmocka_unit_test(test_numbers_out_of_range),
        cmocka_unit_test(test_keys_out_of_range),
        cmocka_unit_test(test_records_out_of_order),
        cmocka_unit_test(test_writes_out_of_range),
        cmocka_unit_test(test_context_is_normalised),
        cmocka_unit_test(test_counts_are_bounded),
        cmocka_unit_test(test_split_limits),
        cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_known_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
