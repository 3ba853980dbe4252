// wire/frame.h: bodies and envelopes that no encoder writes, one by one. What an honest encoder
// writes is in frame_test.c.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "test/hooks.h"
#include "wire/frame.h"

static void begin(struct gr_writer *body, uint8_t type)
{
    gr_writer_clear(body);
    gr_write_u8(body, GR_FRAME_VERSION);
    gr_write_u8(body, type);
    gr_write_varint(body, 1);
    gr_write_u64(body, 2);
    gr_write_u64(body, 3);
    gr_write_varint(body, 4);
    gr_write_u64(body, 5);
    gr_write_varint(body, 6);
}

static enum gr_err verdict(const struct gr_writer *body)
{
    struct gr_arena arena = {0};
    struct gr_message m;
    enum gr_err err = gr_frame_decode(gr_writer_bytes(body), GR_FRAME_VERSION, &arena, &m);
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
        {0, 0, 0, 0, GR_ERR_MALFORMED}, {255, 0, 0, 0, GR_ERR_MALFORMED}, // that is talk
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
        gr_write_varint(&body, 0);
        assert_int_equal(verdict(&body), table[i].err);
    }
    gr_writer_deinit(&body);
}

// Whom the receiver stands in for is a member, or nobody.
static void test_owed_to_out_of_range(void **state)
{
    (void)state;
    static const struct {
        uint64_t owed_to;
        enum gr_err err;
    } table[] = {
        {0, GR_OK},
        {1, GR_OK},
        {GR_MEMBER_ID_MAX, GR_OK},
        {GR_MEMBER_ID_MAX + 1, GR_ERR_MALFORMED},
        {UINT64_MAX, GR_ERR_MALFORMED},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        begin(&body, GR_MSG_READ);
        write_key(&body, 1, 1);
        gr_write_u8(&body, 0);
        gr_write_varint(&body, table[i].owed_to);
        assert_int_equal(verdict(&body), table[i].err);
        begin(&body, GR_MSG_DELTA);
        write_key(&body, 1, 1);
        gr_write_varint(&body, table[i].owed_to);
        gr_write_u8(&body, 0);
        gr_write_varint(&body, 0);
        gr_write_u8(&body, 0);
        write_dot(&body, 0, true, 1);
        for (int k = 0; k < 3; k++) // no siblings, no context
            gr_write_varint(&body, 0);
        assert_int_equal(verdict(&body), table[i].err);
    }
    gr_writer_deinit(&body);
}

// A DELTA is for one who stands in, or passed on, or to be passed on to others.
static void test_relay(void **state)
{
    (void)state;
    static const struct {
        uint64_t owed_to, asked_by;
        uint8_t count;
        uint64_t id;
        enum gr_err err;
    } table[] = {
        {0, 0, 0, 0, GR_OK},
        {0, 5, 0, 0, GR_OK},
        {0, GR_MEMBER_ID_MAX + 1, 0, 0, GR_ERR_MALFORMED},
        {0, 0, GR_REPLICAS_MAX - 1, 5, GR_OK},
        {0, 0, GR_REPLICAS_MAX, 5, GR_ERR_MALFORMED},
        {0, 0, 1, 0, GR_ERR_MALFORMED},
        {0, 0, 1, GR_MEMBER_ID_MAX + 1, GR_ERR_MALFORMED},
        {5, 5, 0, 0, GR_ERR_MALFORMED},
        {5, 0, 1, 5, GR_ERR_MALFORMED},
        {0, 5, 1, 5, GR_ERR_MALFORMED},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        begin(&body, GR_MSG_DELTA);
        write_key(&body, 1, 1);
        gr_write_varint(&body, table[i].owed_to);
        gr_write_u8(&body, 0);
        gr_write_varint(&body, table[i].asked_by);
        gr_write_u8(&body, table[i].count);
        for (uint8_t k = 0; k < table[i].count; k++)
            gr_write_varint(&body, table[i].id);
        write_dot(&body, 0, true, 1);
        for (int k = 0; k < 3; k++)
            gr_write_varint(&body, 0);
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
        {GR_MSG_REPAIR, {0, 0}, {2, 1}, {1, 3}, GR_ERR_MALFORMED}, // not sorted
        {GR_MSG_REPAIR, {0, 0}, {2, 2}, {1, 3}, GR_ERR_MALFORMED}, // twice
        {GR_MSG_REPAIR, {0, 0}, {0, 2}, {1, 3}, GR_ERR_MALFORMED}, // counter 0
        {GR_MSG_REPAIR, {0, 0}, {1, INT64_MAX}, {1, 3}, GR_OK},
        {GR_MSG_REPAIR, {0, 0}, {1, (uint64_t)1 << 63}, {1, 3}, GR_ERR_MALFORMED},
        {GR_MSG_REPAIR, {0, 2}, {1, 2}, {1, 3}, GR_ERR_MALFORMED}, // an actor never met
        {GR_MSG_REPAIR, {0, 0}, {1, 2}, {1, 0}, GR_ERR_MALFORMED}, // bare
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
    // A page with a value in it.
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
        {0, GR_QUORUM_LOCAL - 1, 0, GR_ERR_MALFORMED},
        {0, GR_QUORUM_LOCAL, 0, GR_OK},
        {0, GR_QUORUM_EACH, 0, GR_OK},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        begin(&body, GR_MSG_FORWARD);
        write_key(&body, 1, 1);
        write_dot(&body, 0, true, 6);
        gr_write_u64(&body, 8);
        gr_write_varint(&body, 9);
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
    for (int i = 0; i < 4; i++) // acknowledgements, where they count, by owners, durable
        gr_write_u8(&body, 2);
    gr_write_u8(&body, 1);
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
    assert_int_equal(gr_frame_decode(gr_writer_bytes(&body), GR_FRAME_VERSION, &arena, &m), GR_OK);
    struct gr_actor a = {1000, 1}, b = {1001, 1};
    struct gr_dot vv[] = {{a, 6}, {b, 1}}, cloud[] = {{a, 9}};
    struct gr_context want = {.vv = vv, .vv_count = 2, .cloud = cloud, .cloud_count = 1};
    assert_true(gr_context_equal(&m.record.context, &want));
    gr_arena_deinit(&arena);
    gr_writer_deinit(&body);
}

static void write_row(struct gr_writer *body, uint64_t number, uint64_t store, uint64_t base,
    uint64_t first, uint64_t more)
{
    gr_write_varint(body, number);
    if (store > 0) { // an actor that is told here
        gr_write_u64(body, store);
        gr_write_u64(body, 1);
    }
    gr_write_varint(body, base);
    gr_write_varint(body, first > 0);
    if (first > 0) {
        gr_write_varint(body, first);
        gr_write_varint(body, more);
    }
}

// An offer brings values, and was witnessed or not.
static void test_offers(void **state)
{
    (void)state;
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (uint64_t size = 0; size < 2; size++) {
        for (uint8_t witnessed = 0; witnessed < 3; witnessed++) {
            begin(&body, GR_MSG_OFFER);
            write_key(&body, 1, 1);
            gr_write_varint(&body, 0); // index
            gr_write_u8(&body, witnessed);
            gr_write_varint(&body, 1);
            write_sibling(&body, 0, true, 1, size);
            gr_write_varint(&body, 0);
            gr_write_varint(&body, 0);
            bool good = size == 1 && witnessed < 2;
            assert_int_equal(verdict(&body), good ? GR_OK : GR_ERR_MALFORMED);
        }
    }
    gr_writer_deinit(&body);
}

// A clock that is not sound would make its receiver claim what nobody has seen.
static void test_clocks_out_of_order(void **state)
{
    (void)state;
    static const uint64_t max = INT64_MAX;
    static const struct {
        uint64_t first_store, second_store, base, first, more;
        enum gr_err err;
    } table[] = {
        {5, 6, 1, 0, 0, GR_OK},
        {5, 6, 0, 2, 0, GR_OK},
        {5, 6, max, 0, 0, GR_OK},
        {5, 6, max - 3, 2, 1, GR_OK},
        {6, 5, 1, 0, 0, GR_ERR_MALFORMED},       // not sorted
        {5, 0, 1, 0, 0, GR_ERR_MALFORMED},       // the same actor twice
        {5, 6, 0, 0, 0, GR_ERR_MALFORMED},       // a row that says nothing
        {5, 6, 1, 1, 0, GR_ERR_MALFORMED},       // an interval that touches the base
        {5, 6, max, 2, 0, GR_ERR_MALFORMED},     // past the largest counter
        {5, 6, max - 3, 2, 2, GR_ERR_MALFORMED}, // likewise
        {5, 6, max + 1, 0, 0, GR_ERR_MALFORMED},
    };
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        begin(&body, GR_MSG_JOIN);
        gr_write_varint(&body, 7);
        gr_write_varint(&body, 1); // clocks
        gr_write_varint(&body, 2); // rows
        write_row(&body, 0, table[i].first_store, 1, 0, 0);
        write_row(&body, table[i].second_store > 0, table[i].second_store, table[i].base,
            table[i].first, table[i].more);
        assert_int_equal(verdict(&body), table[i].err);
    }
    // As many clocks as partitions.
    for (uint64_t clocks = 0; clocks < 3; clocks++) {
        begin(&body, GR_MSG_COVER);
        gr_write_u8(&body, 1);
        gr_write_varint(&body, 1);
        gr_write_varint(&body, 3);
        gr_write_varint(&body, clocks);
        for (uint64_t i = 0; i < clocks; i++)
            gr_write_varint(&body, 0);
        assert_int_equal(verdict(&body), clocks == 1 ? GR_OK : GR_ERR_MALFORMED);
    }
    // No more sums than a tree has leaves; branches that there are.
    for (uint32_t sums = GR_MERKLE_LEAVES_MAX; sums <= GR_MERKLE_LEAVES_MAX + 1; sums++) {
        begin(&body, GR_MSG_LEAVES);
        gr_write_u8(&body, GR_OK);
        gr_write_varint(&body, sums);
        for (uint32_t i = 0; i < 2 * sums; i++)
            gr_write_u64(&body, i);
        assert_int_equal(verdict(&body), sums == GR_MERKLE_LEAVES_MAX ? GR_OK : GR_ERR_MALFORMED);
    }
    for (uint64_t branches = 0xffff; branches <= 0x10000; branches++) {
        begin(&body, GR_MSG_BRANCH);
        gr_write_varint(&body, branches);
        assert_int_equal(verdict(&body), branches == 0xffff ? GR_OK : GR_ERR_MALFORMED);
    }
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
        begin(&body, GR_MSG_PROBED);
        gr_write_varint(&body, counts[i]);
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
        begin(&body, GR_MSG_JOIN);
        gr_write_varint(&body, 0);
        gr_write_varint(&body, 1);
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

// ---- versions --------------------------------------------------------------------------------

// A type that only a later program knows is told apart from bytes that are none: the link goes on.
static void test_types_of_later_programs(void **state)
{
    (void)state;
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (uint8_t type = GR_MSG_TYPE_COUNT; type < 255; type++) {
        begin(&body, type);
        gr_write_bytes(&body, gr_bytes_text("whatever it has"));
        assert_int_equal(verdict(&body), GR_ERR_FORMAT);
        body.data[0] = GR_FRAME_VERSION_MIN; // on this link it means nothing
        assert_int_equal(verdict(&body), GR_ERR_MALFORMED);
    }
    gr_writer_deinit(&body);
}

// Of each version only what it can say parses in it.
static void test_fields_of_the_other_version(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_message m;
    struct gr_writer body;
    gr_writer_init(&body, 1 << 20);
    for (uint8_t version = GR_FRAME_VERSION_MIN; version <= GR_FRAME_VERSION; version++)
        for (int durable = 0; durable < 2; durable++) {
            begin(&body, GR_MSG_COVER);
            body.data[0] = version;
            if (durable)
                gr_write_u8(&body, 1);
            gr_write_varint(&body, 1);
            gr_write_varint(&body, 3);
            gr_write_varint(&body, 1);
            gr_write_varint(&body, 0);
            bool is = gr_frame_decode(gr_writer_bytes(&body), version, &arena, &m) == GR_OK;
            assert_int_equal(is, durable == (version >= 4));
            if (is)
                assert_int_equal(m.durable, durable);
        }
    for (uint8_t version = GR_FRAME_VERSION_MIN; version <= GR_FRAME_VERSION; version++)
        for (int w = 0; w < 256; w++) {
            begin(&body, GR_MSG_FORWARD);
            body.data[0] = version;
            write_key(&body, 1, 1);
            write_dot(&body, 0, true, 1);
            gr_write_u64(&body, 7); // id
            gr_write_varint(&body, 8);
            gr_write_u64(&body, 1); // origin
            gr_write_u64(&body, 2);
            gr_write_varint(&body, 3);
            gr_write_varint(&body, 0); // touch, expiry
            gr_write_varint(&body, 0);
            gr_write_u8(&body, 0);
            gr_write_u8(&body, (uint8_t)w);
            gr_write_u8(&body, 0);
            gr_write_u8(&body, 0);
            gr_write_block(&body, gr_bytes_text("v"));
            gr_write_varint(&body, 0);
            gr_write_varint(&body, 0);
            bool good = w <= GR_REPLICAS_MAX || (version >= 4 && w >= GR_QUORUM_LOCAL);
            assert_int_equal(gr_frame_decode(gr_writer_bytes(&body), version, &arena, &m),
                good ? GR_OK : GR_ERR_MALFORMED);
        }
    gr_writer_deinit(&body);
    gr_arena_deinit(&arena);
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
        assert_int_equal(
            gr_frame_split(gr_writer_bytes(&head), table[i].frame_bytes_max, &body, &consumed),
            table[i].err);
        assert_int_equal(consumed, table[i].consumed);
        gr_writer_deinit(&head);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_out_of_range),
        cmocka_unit_test(test_keys_out_of_range),
        cmocka_unit_test(test_owed_to_out_of_range),
        cmocka_unit_test(test_relay),
        cmocka_unit_test(test_records_out_of_order),
        cmocka_unit_test(test_writes_out_of_range),
        cmocka_unit_test(test_context_is_normalised),
        cmocka_unit_test(test_clocks_out_of_order),
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_counts_are_bounded),
        cmocka_unit_test(test_types_of_later_programs),
        cmocka_unit_test(test_fields_of_the_other_version),
        cmocka_unit_test(test_split_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
