// wire/handshake.h: two that know the secret meet, and nobody else gets in.
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "test/hooks.h"
#include "wire/handshake.h"

// A run that says whose store was asked about.
static uint64_t seen_run(void *host, uint64_t store)
{
    (void)host;
    return store << 32 | 5;
}

// The node of that number is named by a letter: a, b, c ...
static uint64_t id_of(uint16_t node)
{
    uint8_t name = (uint8_t)('a' + node);
    return gr_member_id(gr_bytes(&name, 1));
}

static struct gr_handshake_identity identity(uint16_t node)
{
    struct gr_handshake_identity self = {
        .cluster = "cluster of tests",
        .secret = "0123456789abcdef0123456789abcde",
        .partitions = 64,
        .origin = 9,
        .store = 77u + node,
        .run = 1000u + node,
        .seen = seen_run,
        .frame_version_min = 1,
        .frame_version_max = 1,
    };
    self.name[0] = (char)('a' + node);
    return self;
}

// One end of a connection: its machine, and what is on its way to it.
struct end {
    struct gr_handshake h;
    struct gr_writer in;
};

struct pair {
    struct end end[2]; // the dialler, the acceptor
};

static void pair_init(struct pair *pair, const struct gr_handshake_identity *dialler,
    const struct gr_handshake_identity *acceptor)
{
    gr_handshake_init(&pair->end[0].h, dialler, true, (const uint8_t *)"nonce of dialler");
    gr_handshake_init(&pair->end[1].h, acceptor, false, (const uint8_t *)"and of acceptor!");
    for (int i = 0; i < 2; i++)
        gr_writer_init(&pair->end[i].in, 4096);
}

static void pair_deinit(struct pair *pair)
{
    for (int i = 0; i < 2; i++)
        gr_writer_deinit(&pair->end[i].in);
}

// Feeds one end with at most `size` bytes of what came, as a slow network would.
static bool feed(struct pair *pair, int i, size_t size)
{
    struct end *end = &pair->end[i];
    size_t consumed, before = pair->end[1 - i].in.size;
    enum gr_handshake_state state = end->h.state;
    gr_handshake_feed(&end->h, gr_bytes(end->in.data, GR_MIN(size, end->in.size)), &consumed,
        &pair->end[1 - i].in);
    gr_writer_consume(&end->in, consumed);
    return consumed > 0 || before != pair->end[1 - i].in.size || state != end->h.state;
}

static void run(struct pair *pair)
{
    for (bool moved = true; moved;) {
        moved = feed(pair, 0, SIZE_MAX);
        moved = feed(pair, 1, SIZE_MAX) || moved;
    }
}

static bool is_wiped(const struct gr_handshake *h)
{
    for (size_t i = 0; i < sizeof h->self.secret; i++)
        if (h->self.secret[i] != 0)
            return false;
    return true;
}

static void test_meets(void **state)
{
    (void)state;
    struct gr_handshake_identity a = identity(0), b = identity(1);
    a.expected = id_of(1);
    a.frame_version_max = 3;
    b.frame_version_max = 2;
    struct pair pair;
    pair_init(&pair, &a, &b);
    run(&pair);
    for (int i = 0; i < 2; i++) {
        const struct gr_handshake *h = &pair.end[i].h;
        const struct gr_handshake_identity *other = i == 0 ? &b : &a;
        assert_int_equal(h->state, GR_HANDSHAKE_DONE);
        assert_true(h->peer.member == id_of(i == 0 ? 1 : 0));
        assert_int_equal(h->peer.run, other->run);
        assert_int_equal(h->peer.store, other->store);
        assert_true(h->peer.seen == (h->self.store << 32 | 5));
        assert_int_equal(h->peer.frame_version, 2);
        assert_string_equal(h->peer.name, other->name);
        assert_string_equal(h->reason, "");
        assert_true(is_wiped(h));
        assert_int_equal(pair.end[i].in.size, 0);
    }
    pair_deinit(&pair);
    assert_int_equal(gr_test_blocks(), 0);
}

// Files that differ keep nobody apart once one of the two knows what was set.
static void test_durability_was_set(void **state)
{
    (void)state;
    static const uint8_t said[][2] = {{GR_HANDSHAKE_AGREED, GR_DURABILITY_BUFFERED},
        {GR_DURABILITY_INTERVAL, GR_HANDSHAKE_AGREED}, {GR_HANDSHAKE_AGREED, GR_HANDSHAKE_AGREED},
        {GR_DURABILITY_INTERVAL, GR_DURABILITY_INTERVAL}};
    for (size_t i = 0; i < GR_COUNT(said); i++) {
        struct gr_handshake_identity a = identity(0), b = identity(1);
        a.durability = said[i][0];
        b.durability = said[i][1];
        struct pair pair;
        pair_init(&pair, &a, &b);
        run(&pair);
        for (int k = 0; k < 2; k++)
            assert_int_equal(pair.end[k].h.state, GR_HANDSHAKE_DONE);
        pair_deinit(&pair);
    }
}

// Byte by byte, and with the first frame close behind.
static void test_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 200; piece++) {
        struct gr_handshake_identity a = identity(0), b = identity(1);
        struct pair pair;
        pair_init(&pair, &a, &b);
        feed(&pair, 0, 0);
        size_t have[2] = {piece, piece};
        for (int turn = 0; turn < 2000 && pair.end[0].h.state == GR_HANDSHAKE_IN_PROGRESS; turn++) {
            bool moved = feed(&pair, turn % 2, have[turn % 2]);
            have[turn % 2] = moved ? piece : have[turn % 2] + piece;
            assert_true(pair.end[turn % 2].in.size <= 2 * GR_HANDSHAKE_BYTES_MAX);
            if (pair.end[1].h.state == GR_HANDSHAKE_DONE && pair.end[0].in.size < 100)
                gr_write_bytes(&pair.end[0].in, gr_bytes_text("FRAME"));
        }
        assert_int_equal(pair.end[0].h.state, GR_HANDSHAKE_DONE);
        assert_int_equal(pair.end[1].h.state, GR_HANDSHAKE_DONE);
        assert_memory_equal(pair.end[0].in.data, "FRAME", 5);
        pair_deinit(&pair);
    }
}

// ---- refusals --------------------------------------------------------------------------------

static void other_cluster(struct gr_handshake_identity *dialler)
{
    dialler->cluster[15] ^= 1;
}

static void other_partitions(struct gr_handshake_identity *dialler)
{
    dialler->partitions = 128;
}

static void other_durability(struct gr_handshake_identity *dialler)
{
    dialler->durability = GR_DURABILITY_BUFFERED;
}

static void newer_frames(struct gr_handshake_identity *dialler)
{
    dialler->frame_version_min = 2;
    dialler->frame_version_max = 3;
}

static void older_frames(struct gr_handshake_identity *dialler)
{
    dialler->frame_version_min = dialler->frame_version_max = 0;
}

static void other_secret(struct gr_handshake_identity *dialler)
{
    dialler->secret[31] ^= 1;
}

static void another_expected(struct gr_handshake_identity *dialler)
{
    dialler->expected = id_of(2);
}

static void itself(struct gr_handshake_identity *dialler)
{
    *dialler = identity(1);
    dialler->expected = id_of(2);
}

static void same_member(struct gr_handshake_identity *dialler)
{
    *dialler = identity(1);
    dialler->run++;
}

static void other_founders(struct gr_handshake_identity *dialler)
{
    dialler->origin++;
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct gr_handshake_identity *dialler);
        enum gr_handshake_refusal refusal;
        int by; // who refuses: the dialler, or the acceptor, who sees the first HELLO
        const char *reason;
    } table[] = {
        {other_cluster, GR_REFUSAL_CLUSTER, 1,
            "b is of cluster 636c7573746572206f66207465737473 and "
            "a of cluster 636c7573746572206f66207465737472"},
        {other_partitions, GR_REFUSAL_PARTITIONS, 1, "b has 64 partitions and a has 128"},
        {other_founders, GR_REFUSAL_FOUNDERS, 1,
            "b and a were founded with different lists of members"},
        {other_durability, GR_REFUSAL_DURABILITY, 1,
            "b has durability = commit and a has buffered"},
        {newer_frames, GR_REFUSAL_VERSION, 1,
            "b is to be upgraded: it speaks frame versions 1 to 1, and a speaks 2 to 3"},
        {older_frames, GR_REFUSAL_VERSION, 1,
            "a is to be upgraded: it speaks frame versions 0 to 0, and b speaks 1 to 1"},
        {other_secret, GR_REFUSAL_SECRET, 0, "a and b do not have the same cluster secret"},
        {another_expected, GR_REFUSAL_WRONG_MEMBER, 1, "a expected another member, and found b"},
        {itself, GR_REFUSAL_ITSELF, 1, "b talks to itself"},
        {same_member, GR_REFUSAL_SAME_MEMBER, 1, "two nodes say that they are b"},
    };
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        struct gr_handshake_identity a = identity(0), b = identity(1);
        table[i].change(&a);
        struct pair pair;
        pair_init(&pair, &a, &b);
        run(&pair);
        for (int k = 0; k < 2; k++) {
            const struct gr_handshake *h = &pair.end[k].h;
            assert_int_equal(h->state, GR_HANDSHAKE_REFUSED);
            assert_int_equal(h->refusal, table[i].refusal);
            assert_int_equal(h->refused_by_peer, k != table[i].by);
            assert_true(is_wiped(h));
            char want[300] = "the other side refused: ";
            size_t start = h->refused_by_peer ? strlen(want) : 0;
            memcpy(want + start, table[i].reason, strlen(table[i].reason) + 1);
            assert_string_equal(h->reason, want);
        }
        // What comes afterwards is not looked at.
        struct gr_writer out;
        gr_writer_init(&out, 100);
        size_t consumed;
        gr_handshake_feed(&pair.end[0].h, gr_bytes("Gr", 2), &consumed, &out);
        assert_int_equal(consumed, 0);
        assert_int_equal(out.size, 0);
        pair_deinit(&pair);
    }
    assert_int_equal(gr_test_blocks(), 0);
}

// The acceptor may be the one who is not who he should be, and may say nothing of it.
static void test_dialler_looks_too(void **state)
{
    (void)state;
    struct gr_handshake_identity a = identity(0), b = identity(1);
    struct pair pair;
    pair_init(&pair, &a, &b);
    run(&pair);
    pair_deinit(&pair);
    static const enum gr_handshake_refusal want[] = {
        GR_REFUSAL_WRONG_MEMBER, GR_REFUSAL_PARTITIONS, GR_REFUSAL_SAME_MEMBER};
    for (size_t i = 0; i < GR_COUNT(want); i++) {
        a = identity(0);
        b = identity(1);
        pair_init(&pair, &a, &b);
        feed(&pair, 0, 0);
        feed(&pair, 1, SIZE_MAX);
        // The dialler changes its mind about what it wants after its HELLO has left.
        if (want[i] == GR_REFUSAL_WRONG_MEMBER)
            pair.end[0].h.self.expected = id_of(2);
        if (want[i] == GR_REFUSAL_PARTITIONS)
            pair.end[0].h.self.partitions = 32;
        if (want[i] == GR_REFUSAL_SAME_MEMBER)
            pair.end[0].h.self.name[0] = 'b';
        run(&pair);
        assert_int_equal(pair.end[0].h.refusal, want[i]);
        assert_false(pair.end[0].h.refused_by_peer);
        assert_int_equal(pair.end[1].h.refusal, want[i]);
        assert_true(pair.end[1].h.refused_by_peer);
        pair_deinit(&pair);
    }
}

// ---- attacks ---------------------------------------------------------------------------------

// Everything that a node says is said back to it.
static void test_echo(void **state)
{
    (void)state;
    struct gr_handshake_identity a = identity(0);
    struct gr_handshake h;
    gr_handshake_init(&h, &a, true, (const uint8_t *)"nonce of dialler");
    struct gr_writer out, again;
    gr_writer_init(&out, 4096);
    gr_writer_init(&again, 4096);
    size_t consumed;
    gr_handshake_feed(&h, gr_bytes("", 0), &consumed, &out);
    gr_handshake_feed(&h, gr_writer_bytes(&out), &consumed, &again);
    assert_int_equal(h.state, GR_HANDSHAKE_REFUSED);
    assert_int_equal(h.refusal, GR_REFUSAL_ITSELF);
    gr_writer_deinit(&out);
    gr_writer_deinit(&again);
}

// The bytes of one message within a stream.
static struct gr_bytes message_at(struct gr_bytes stream, int n)
{
    size_t at = 0, size = 0;
    for (; n >= 0; n--) {
        at += size;
        size = 5u + stream.data[at + 3] + 256u * stream.data[at + 4];
    }
    return gr_bytes(stream.data + at, size);
}

// An acceptor's proof, sent back as the dialler's: same MAC key, same HELLOs, other label.
static void test_reflection(void **state)
{
    (void)state;
    struct gr_handshake_identity a = identity(0), b = identity(1);
    struct pair pair;
    pair_init(&pair, &a, &b);
    feed(&pair, 0, 0);
    feed(&pair, 1, SIZE_MAX); // now HELLO and PROOF are on their way to the dialler
    struct gr_bytes proof = message_at(gr_writer_bytes(&pair.end[0].in), 1);
    assert_int_equal(proof.data[2], 2);
    gr_write_bytes(&pair.end[1].in, proof);
    feed(&pair, 1, SIZE_MAX);
    assert_int_equal(pair.end[1].h.state, GR_HANDSHAKE_REFUSED);
    assert_int_equal(pair.end[1].h.refusal, GR_REFUSAL_SECRET);
    pair_deinit(&pair);
}

// A stranger who has heard a whole conversation plays the dialler's part of it again.
static void test_replay(void **state)
{
    (void)state;
    struct gr_handshake_identity a = identity(0), b = identity(1);
    struct pair pair;
    pair_init(&pair, &a, &b);
    struct gr_writer heard;
    gr_writer_init(&heard, 4096);
    feed(&pair, 0, 0);
    gr_write_bytes(&heard, gr_writer_bytes(&pair.end[1].in));
    feed(&pair, 1, SIZE_MAX);
    feed(&pair, 0, SIZE_MAX);
    gr_write_bytes(&heard, gr_writer_bytes(&pair.end[1].in));
    run(&pair);
    assert_int_equal(pair.end[1].h.state, GR_HANDSHAKE_DONE);
    pair_deinit(&pair);
    struct gr_handshake h;
    gr_handshake_init(&h, &b, false, (const uint8_t *)"a new nonce, now");
    struct gr_writer out;
    gr_writer_init(&out, 4096);
    size_t consumed;
    gr_handshake_feed(&h, gr_writer_bytes(&heard), &consumed, &out);
    assert_int_equal(h.state, GR_HANDSHAKE_REFUSED);
    assert_int_equal(h.refusal, GR_REFUSAL_SECRET);
    gr_writer_deinit(&heard);
    gr_writer_deinit(&out);
}

// One bit of the conversation is changed on the way: nobody is done who should not be.
static void test_flips(void **state)
{
    (void)state;
    for (int to = 0; to < 2; to++)
        for (size_t bit = 0; bit < 8 * 400; bit++) {
            struct gr_handshake_identity a = identity(0), b = identity(1);
            struct pair pair;
            pair_init(&pair, &a, &b);
            size_t passed = 0;
            bool flipped = false;
            for (int turn = 0; turn < 8; turn++) {
                int i = 1 - turn % 2;
                feed(&pair, 1 - i, SIZE_MAX);
                struct gr_writer *in = &pair.end[i].in;
                if (i == to && bit / 8 >= passed && bit / 8 < passed + in->size) {
                    in->data[bit / 8 - passed] ^= (uint8_t)(1 << bit % 8);
                    flipped = true;
                }
                passed += i == to ? in->size : 0;
                feed(&pair, i, SIZE_MAX);
            }
            const struct gr_handshake *victim = &pair.end[to].h;
            assert_int_equal(victim->state == GR_HANDSHAKE_DONE, !flipped);
            // An acceptor that was done when WELCOME was damaged is the one exception.
            if (flipped && pair.end[1].h.state == GR_HANDSHAKE_DONE)
                assert_int_equal(to, 0);
            pair_deinit(&pair);
        }
    assert_int_equal(gr_test_blocks(), 0);
}

static void test_strangers(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool refused;
    } table[] = {
        {"GET / HTTP/1.1\r\n", 16, true}, {"*1\r\n$4\r\nPING\r\n", 14, true},
        {"\x16\x03\x01", 3, true}, {"G", 1, false}, {"Gr\x01", 3, false},
        {"Gr\x01\xfb\x01", 5, false},        // 507 bytes: a message may be as long
        {"Gr\x01\xfc\x01", 5, true},         // 508 may not
        {"Gr\x01\x00\x00", 5, true},         // a HELLO of nothing
        {"Gr\x02\x00\x00", 5, true},         // a PROOF before HELLO
        {"Gr\x03\x00\x00", 5, true},         // a WELCOME before HELLO
        {"Gr\x09\x00\x00", 5, true},         // no such message
        {"Gr\x01\x02\x00\x03\x01", 7, true}, // a HELLO that ends too soon
    };
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        struct gr_handshake_identity b = identity(1);
        struct gr_handshake h;
        gr_handshake_init(&h, &b, false, (const uint8_t *)"and of acceptor!");
        struct gr_writer out;
        gr_writer_init(&out, 4096);
        size_t consumed;
        gr_handshake_feed(&h, gr_bytes(table[i].bytes, table[i].size), &consumed, &out);
        assert_int_equal(h.state == GR_HANDSHAKE_REFUSED, table[i].refused);
        assert_int_equal(out.size > 0, table[i].refused);
        assert_true(out.size <= GR_HANDSHAKE_BYTES_MAX);
        gr_writer_deinit(&out);
    }
}

// The two agree on the highest version that both know, whichever of them dials.
static void test_negotiates(void **state)
{
    (void)state;
    for (uint8_t a_min = 1; a_min < 5; a_min++)
        for (uint8_t a_max = a_min; a_max < 5; a_max++)
            for (uint8_t b_min = 1; b_min < 5; b_min++)
                for (uint8_t b_max = b_min; b_max < 5; b_max++) {
                    struct gr_handshake_identity a = identity(0), b = identity(1);
                    a.frame_version_min = a_min;
                    a.frame_version_max = a_max;
                    b.frame_version_min = b_min;
                    b.frame_version_max = b_max;
                    struct pair pair;
                    pair_init(&pair, &a, &b);
                    run(&pair);
                    int common = 0;
                    for (int v = 1; v < 5; v++)
                        if (v >= a_min && v <= a_max && v >= b_min && v <= b_max)
                            common = v;
                    for (int i = 0; i < 2; i++) {
                        const struct gr_handshake *h = &pair.end[i].h;
                        assert_int_equal(h->state == GR_HANDSHAKE_DONE, common > 0);
                        assert_int_equal(h->peer.frame_version, common);
                        const char *old = a_max < b_min ? "a is to be" : "b is to be";
                        if (common == 0)
                            assert_non_null(strstr(h->reason, old));
                    }
                    pair_deinit(&pair);
                }
}

// Of a HELLO of a version that is out of reach only the versions are looked at.
static void test_other_versions(void **state)
{
    (void)state;
    static const struct {
        const char *hello, *reason;
    } table[] = {
        {"Gr\x01\x02\x00\x04\x03",
            "a node is to be upgraded: it speaks handshake version 4, and b speaks 5 to 5"},
        {"Gr\x01\x02\x00\x08\x06", "b is to be upgraded: it speaks handshake versions 5 to 5, and "
                                   "another node 6 to 8"},
    };
    for (size_t i = 0; i < GR_COUNT(table); i++) {
        struct gr_handshake_identity b = identity(1);
        struct gr_handshake h;
        gr_handshake_init(&h, &b, false, (const uint8_t *)"and of acceptor!");
        struct gr_writer out;
        gr_writer_init(&out, 4096);
        size_t consumed;
        gr_handshake_feed(&h, gr_bytes(table[i].hello, 7), &consumed, &out);
        assert_int_equal(h.state, GR_HANDSHAKE_REFUSED);
        assert_int_equal(h.refusal, GR_REFUSAL_VERSION);
        assert_string_equal(h.reason, table[i].reason);
        gr_writer_deinit(&out);
    }
}

// A later program's HELLO has more fields behind those of this version. They are passed over, and
// proven all the same; from a program of this version they would be a mistake.
static void test_later_hello(void **state)
{
    (void)state;
    for (int later = 0; later < 2; later++) {
        struct gr_handshake_identity a = identity(0), b = identity(1);
        struct pair pair;
        pair_init(&pair, &a, &b);
        feed(&pair, 0, 0);
        struct gr_writer *hello = &pair.end[1].in;
        gr_write_bytes(hello, gr_bytes_text("and more"));
        hello->data[3] = (uint8_t)(hello->data[3] + 8);
        hello->data[5] = (uint8_t)(hello->data[5] + later);
        struct gr_handshake *h = &pair.end[0].h; // that is what the dialler said
        h->hello_bytes[0] = (uint16_t)(h->hello_bytes[0] + 8);
        memcpy(h->hello[0], hello->data + 5, h->hello_bytes[0]);
        run(&pair);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pair.end[i].h.state, later ? GR_HANDSHAKE_DONE : GR_HANDSHAKE_REFUSED);
        pair_deinit(&pair);
    }
}

// Another's words are cut and cleaned before they get into a log.
static void test_reason_is_cleaned(void **state)
{
    (void)state;
    struct gr_handshake_identity a = identity(0);
    struct gr_handshake h;
    gr_handshake_init(&h, &a, true, (const uint8_t *)"nonce of dialler");
    struct gr_writer out, in;
    gr_writer_init(&out, 4096);
    gr_writer_init(&in, 4096);
    gr_write_bytes(&in, gr_bytes("Gr\x04", 3));
    gr_write_u16(&in, 1 + 400);
    gr_write_u8(&in, 99); // a refusal that has no name yet
    for (int i = 0; i < 400; i++)
        gr_write_u8(&in, (uint8_t)i);
    size_t consumed;
    gr_handshake_feed(&h, gr_writer_bytes(&in), &consumed, &out);
    assert_int_equal(h.state, GR_HANDSHAKE_REFUSED);
    assert_int_equal(h.refusal, GR_REFUSAL_VERSION);
    assert_true(strlen(h.reason) < GR_HANDSHAKE_REASON_BYTES);
    for (const char *at = h.reason; *at != 0; at++)
        assert_in_range(*at, ' ', '~');
    assert_non_null(strstr(h.reason, "refused: ????"));
    gr_writer_deinit(&out);
    gr_writer_deinit(&in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_meets),
        cmocka_unit_test(test_durability_was_set),
        cmocka_unit_test(test_any_pieces),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dialler_looks_too),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_reflection),
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_flips),
        cmocka_unit_test(test_strangers),
        cmocka_unit_test(test_negotiates),
        cmocka_unit_test(test_other_versions),
        cmocka_unit_test(test_later_hello),
        cmocka_unit_test(test_reason_is_cleaned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
