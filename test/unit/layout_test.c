// wire/layout.h: what was written comes back as it was and in the same bytes (V1), nothing shorter
// or longer is one, and a layout of the promised size fits a fact.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/random.h"
#include "test/hooks.h"
#include "wire/layout.h"

enum { MEMBERS_MAX = 300, PARTITIONS_MAX = 256, LIST_MAX = PARTITIONS_MAX * GR_REPLICAS_MAX };

// ---- random values ---------------------------------------------------------------------------

static void draw_text(
    struct gr_random *random, char *ret, size_t capacity, size_t least, char first)
{
    size_t most = gr_random_chance(random, 100) ? capacity - 1 : GR_MIN(capacity - 1, 12);
    size_t size = least + gr_random_below(random, most - least + 1);
    for (size_t i = 0; i < size; i++)
        ret[i] = (char)(first + (char)gr_random_below(random, (uint64_t)('~' - first + 1)));
    memset(ret + size, 0, capacity - size);
}

#define DRAW_WORD(random, text, least) draw_text((random), (text), sizeof(text), (least), '!')

static struct gr_card draw_card(struct gr_random *random)
{
    struct gr_card card;
    DRAW_WORD(random, card.name, 1);
    DRAW_WORD(random, card.host, 0);
    DRAW_WORD(random, card.rack, 0);
    DRAW_WORD(random, card.site, 0);
    DRAW_WORD(random, card.peer, 1);
    DRAW_WORD(random, card.resp, 1);
    card.weight = 1 + (uint32_t)gr_random_below(random, GR_WEIGHT_MAX);
    return card;
}

// What a layout is made of; it points into here.
struct parts {
    struct gr_layout layout;
    struct gr_layout_member member[MEMBERS_MAX];
    uint16_t owner[LIST_MAX], before[LIST_MAX];
    struct gr_layout_step step[GR_LAYOUT_STEPS_MAX];
};

// n different places below `count`.
static void draw_list(struct gr_random *random, uint16_t count, uint16_t *ret, uint8_t n)
{
    for (uint8_t i = 0; i < n;) {
        ret[i] = (uint16_t)gr_random_below(random, count);
        bool twice = false;
        for (uint8_t j = 0; j < i; j++)
            twice |= ret[j] == ret[i];
        i += !twice;
    }
}

static void draw_members(struct gr_random *random, struct parts *parts)
{
    uint64_t id = 0;
    for (uint16_t i = 0; i < parts->layout.member_count; i++) {
        struct gr_layout_member *member = &parts->member[i];
        *member = (struct gr_layout_member){.id = id += 1 + (gr_random_next(random) >> 12)};
        DRAW_WORD(random, member->name, 0);
        DRAW_WORD(random, member->host, 0);
        DRAW_WORD(random, member->rack, 0);
        DRAW_WORD(random, member->site, 0);
        member->weight = (uint32_t)gr_random_below(random, GR_WEIGHT_MAX + 1);
    }
}

// Owners come from the first `owning` members, those before from all.
static void draw_lists(struct gr_random *random, struct parts *parts, uint16_t owning)
{
    struct gr_layout *layout = &parts->layout;
    bool named[MEMBERS_MAX] = {false};
    for (uint32_t p = 0; p < layout->partitions; p++) {
        uint16_t *owner = parts->owner + p * layout->n;
        uint16_t *before = parts->before + p * layout->before_n;
        draw_list(random, owning, owner, layout->n);
        if (layout->before_n == layout->n && gr_random_chance(random, 500))
            memcpy(before, owner, layout->n * sizeof *owner);
        else
            draw_list(random, layout->member_count, before, layout->before_n);
        for (uint8_t i = 0; i < layout->before_n; i++)
            named[before[i]] = true;
    }
    for (uint16_t i = 0; i < layout->member_count; i++)
        if (i < owning)
            parts->member[i].weight = GR_MAX(parts->member[i].weight, 1);
        else
            parts->member[i].out = named[i] && gr_random_chance(random, 500);
}

static void draw_layout(struct gr_random *random, struct parts *parts)
{
    struct gr_layout *layout = &parts->layout;
    *layout = (struct gr_layout){
        .version = GR_LAYOUT_STEPS_MAX + (gr_random_next(random) >> 2),
        .origin = gr_random_next(random),
        .partitions = 1u << gr_random_below(random, 9),
        .n = (uint8_t)(1 + gr_random_below(random, GR_REPLICAS_MAX)),
        .step_count = 1 + (uint32_t)gr_random_below(random, GR_LAYOUT_STEPS_MAX),
        .member = parts->member,
        .owner = parts->owner,
        .step = parts->step,
    };
    uint64_t more = gr_random_below(random, gr_random_chance(random, 900) ? 20 : MEMBERS_MAX - 6);
    layout->member_count = (uint16_t)(layout->n + more);
    uint16_t owning = (uint16_t)(layout->n + gr_random_below(random, more + 1));
    switch (gr_random_below(random, 3)) {
    case 0:
        break;
    case 1:
        layout->before_n = layout->n;
        break;
    default:
        layout->before_n = (uint8_t)(1 + gr_random_below(random, layout->n));
    }
    layout->before = layout->before_n > 0 ? parts->before : NULL;
    draw_members(random, parts);
    draw_lists(random, parts, owning);
    for (uint32_t i = layout->step_count, back = 0; i-- > 0; back++) {
        struct gr_layout_step *step = &parts->step[i];
        *step = (struct gr_layout_step){.version = layout->version - back,
            .hash = gr_random_next(random),
            .at.ms = (int64_t)gr_random_next(random)};
        DRAW_WORD(random, step->by, 0);
        draw_text(random, step->what, sizeof step->what, 0, ' ');
    }
}

// ---- round trips -----------------------------------------------------------------------------

static void test_cards(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 1);
    for (int i = 0; i < 2000; i++) {
        struct gr_card card = draw_card(&random), read;
        struct gr_writer out;
        gr_writer_init(&out, GR_FACT_BYTES_MAX);
        gr_card_encode(&out, &card);
        assert_int_equal(gr_card_decode(gr_writer_bytes(&out), &read), GR_OK);
        assert_memory_equal(&read, &card, sizeof card);
        for (size_t size = 0; size < out.size; size++)
            assert_int_equal(gr_card_decode(gr_bytes(out.data, size), &read), GR_ERR_MALFORMED);
        gr_write_u8(&out, 0);
        assert_int_equal(gr_card_decode(gr_writer_bytes(&out), &read), GR_ERR_MALFORMED);
        gr_writer_deinit(&out);
    }
}

static void test_holdings(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 2);
    struct gr_arena arena = {0};
    for (uint32_t q = 1; q <= GR_PARTITIONS_MAX; q *= 2) {
        uint64_t bits[GR_PARTITIONS_MAX / 64];
        for (size_t i = 0; i < GR_COUNT(bits); i++)
            bits[i] = gr_random_next(&random);
        if (q < 64)
            bits[0] &= ((uint64_t)1 << q) - 1;
        struct gr_holdings said = {.store = gr_random_next(&random),
            .run = gr_random_next(&random),
            .bare_in = gr_random_next(&random),
            .partitions = q,
            .bits = bits};
        struct gr_holdings read;
        struct gr_writer out;
        gr_writer_init(&out, GR_FACT_BYTES_MAX);
        gr_holdings_encode(&out, &said);
        assert_int_equal(out.size, 29 + (q + 7) / 8);
        assert_int_equal(gr_holdings_decode(gr_writer_bytes(&out), &arena, &read), GR_OK);
        assert_true(read.store == said.store && read.run == said.run && read.partitions == q);
        assert_true(read.bare_in == said.bare_in);
        assert_memory_equal(read.bits, bits, (q + 63) / 64 * sizeof *bits);
        for (size_t size = 0; size < out.size; size++)
            assert_int_equal(
                gr_holdings_decode(gr_bytes(out.data, size), &arena, &read), GR_ERR_MALFORMED);
        gr_write_u8(&out, 0);
        assert_int_equal(
            gr_holdings_decode(gr_writer_bytes(&out), &arena, &read), GR_ERR_MALFORMED);
        gr_writer_deinit(&out);
        gr_arena_clear(&arena);
    }
    gr_arena_deinit(&arena);
}

static void check_layout(
    const struct gr_layout *read, const struct gr_layout *said, struct gr_bytes bytes)
{
    assert_true(read->version == said->version && read->origin == said->origin);
    assert_int_equal(read->partitions, said->partitions);
    assert_int_equal(read->n, said->n);
    assert_int_equal(read->member_count, said->member_count);
    for (uint16_t i = 0; i < said->member_count; i++) {
        const struct gr_layout_member *a = &read->member[i], *b = &said->member[i];
        assert_true(a->id == b->id && a->weight == b->weight && a->out == b->out);
        assert_memory_equal(a->name, b->name, sizeof a->name);
        assert_memory_equal(a->host, b->host, sizeof a->host);
        assert_memory_equal(a->rack, b->rack, sizeof a->rack);
        assert_memory_equal(a->site, b->site, sizeof a->site);
    }
    size_t q = said->partitions;
    assert_memory_equal(read->owner, said->owner, q * said->n * sizeof *said->owner);
    assert_int_equal(read->before_n, said->before_n);
    assert_true((read->before == NULL) == (said->before_n == 0));
    if (said->before_n > 0)
        assert_memory_equal(read->before, said->before, q * said->before_n * sizeof *said->before);
    assert_int_equal(read->step_count, said->step_count);
    for (uint32_t i = 0; i < said->step_count; i++) {
        const struct gr_layout_step *a = &read->step[i], *b = &said->step[i];
        bool last = i + 1 == said->step_count;
        assert_true(a->version == b->version && a->at.ms == b->at.ms);
        assert_true(a->hash == (last ? gr_hash64(bytes, 0) : b->hash));
        assert_memory_equal(a->by, b->by, sizeof a->by);
        assert_memory_equal(a->what, b->what, sizeof a->what);
    }
}

static void test_layouts(void **state)
{
    (void)state;
    static struct parts parts;
    struct gr_random random;
    gr_random_init(&random, 3);
    struct gr_arena arena = {0};
    for (int i = 0; i < 600; i++) {
        struct gr_layout read;
        struct gr_writer out, again;
        draw_layout(&random, &parts);
        gr_writer_init(&out, GR_FACT_BYTES_MAX);
        gr_layout_encode(&out, &parts.layout);
        struct gr_bytes bytes = gr_writer_bytes(&out);
        assert_int_equal(gr_layout_decode(bytes, &arena, &read), GR_OK);
        check_layout(&read, &parts.layout, bytes);
        // V1, whatever stood behind other bytes.
        gr_writer_init(&again, GR_FACT_BYTES_MAX);
        gr_write_u8(&again, 77);
        gr_layout_encode(&again, &read);
        assert_true(gr_bytes_equal(gr_bytes(again.data + 1, again.size - 1), bytes));
        gr_writer_deinit(&again);
        for (size_t size = 0; size < out.size; size += 1 + size / 16)
            assert_int_equal(
                gr_layout_decode(gr_bytes(out.data, size), &arena, &read), GR_ERR_MALFORMED);
        gr_write_u8(&out, 0);
        assert_int_equal(gr_layout_decode(gr_writer_bytes(&out), &arena, &read), GR_ERR_MALFORMED);
        gr_writer_deinit(&out);
        gr_arena_clear(&arena);
    }
    gr_arena_deinit(&arena);
}

// ---- sizes -----------------------------------------------------------------------------------

static void fill(char *text, size_t capacity)
{
    memset(text, 'x', capacity - 1);
    text[capacity - 1] = '\0';
}

// The largest that there can be: every text as long as it may be, and every list another than
// before. The caller frees its arrays with the arena.
static struct gr_layout largest(
    struct gr_arena *arena, uint32_t partitions, uint8_t n, uint16_t members, uint32_t steps)
{
    size_t places = (size_t)partitions * n;
    struct gr_layout_member *member = gr_arena_array(arena, struct gr_layout_member, members);
    struct gr_layout_step *step = gr_arena_array(arena, struct gr_layout_step, steps);
    uint16_t *owner = gr_arena_array(arena, uint16_t, places);
    uint16_t *before = gr_arena_array(arena, uint16_t, places);
    for (uint16_t i = 0; i < members; i++) {
        member[i] = (struct gr_layout_member){.id = i + (uint64_t)1, .weight = GR_WEIGHT_MAX};
        fill(member[i].name, sizeof member[i].name);
        fill(member[i].host, sizeof member[i].host);
        fill(member[i].rack, sizeof member[i].rack);
        fill(member[i].site, sizeof member[i].site);
    }
    for (uint32_t i = 0; i < steps; i++) {
        step[i] = (struct gr_layout_step){.version = i + 1, .hash = UINT64_MAX, .at.ms = INT64_MAX};
        fill(step[i].by, sizeof step[i].by);
        fill(step[i].what, sizeof step[i].what);
    }
    for (size_t i = 0; i < places; i++) {
        owner[i] = (uint16_t)(i % members);
        before[i] = (uint16_t)((i + 1) % members);
    }
    return (struct gr_layout){.version = steps,
        .origin = UINT64_MAX,
        .partitions = partitions,
        .n = n,
        .member_count = members,
        .member = member,
        .owner = owner,
        .before_n = n,
        .before = before,
        .step_count = steps,
        .step = step};
}

static void test_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t partitions;
        uint8_t n;
        uint16_t members;
        bool fits;
    } sizes[] = {
        {16384, 3, 100, true}, // what is promised
        {16384, 3, 256, true},
        {16384, 5, 256, true},
        {4096, 3, 768, true},
        {16384, 7, 256, false}, // without such names it would
        {16384, 3, GR_MEMBERS_MAX, false},
    };
    for (size_t i = 0; i < GR_COUNT(sizes); i++) {
        struct gr_arena arena = {0};
        struct gr_writer out;
        struct gr_layout read, layout = largest(&arena, sizes[i].partitions, sizes[i].n,
                                   sizes[i].members, GR_LAYOUT_STEPS_MAX);
        gr_writer_init(&out, GR_FACT_BYTES_MAX + 1);
        gr_write_u8(&out, 7);
        gr_layout_encode(&out, &layout);
        assert_int_equal(out.bad, !sizes[i].fits);
        if (sizes[i].fits) {
            struct gr_bytes bytes = gr_bytes(out.data + 1, out.size - 1);
            print_message("Q %u, N %u, %u members: at most %zu bytes\n", sizes[i].partitions,
                sizes[i].n, sizes[i].members, bytes.size);
            assert_true(bytes.size <= GR_FACT_BYTES_MAX);
            assert_int_equal(gr_layout_decode(bytes, &arena, &read), GR_OK);
            check_layout(&read, &layout, bytes);
        } else {
            assert_int_equal(out.size, 1);
        }
        gr_writer_deinit(&out);
        gr_arena_deinit(&arena);
    }
}

// A writer that could hold it does not make a value larger than a fact's.
static void test_too_large(void **state)
{
    (void)state;
    struct gr_arena arena = {0};
    struct gr_writer out;
    struct gr_layout layout = largest(&arena, 16384, 7, 256, 1);
    gr_writer_init(&out, 1 << 24);
    gr_layout_encode(&out, &layout);
    assert_true(out.bad);
    assert_int_equal(out.size, 0);
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
}

static void test_no_room(void **state)
{
    (void)state;
    static const uint64_t bits[1] = {3};
    struct gr_arena arena = {0};
    struct gr_card card = {.name = "a", .peer = "b", .resp = "c", .weight = 1};
    struct gr_holdings holdings = {1, 2, 0, 2, bits};
    struct gr_layout layout = largest(&arena, 8, 1, 2, 1);
    for (int i = 0; i < 3; i++) {
        struct gr_writer out;
        gr_writer_init(&out, 10);
        gr_write_u8(&out, 7);
        if (i == 0)
            gr_card_encode(&out, &card);
        else if (i == 1)
            gr_holdings_encode(&out, &holdings);
        else
            gr_layout_encode(&out, &layout);
        assert_true(out.bad);
        assert_int_equal(out.size, 1);
        gr_writer_deinit(&out);
    }
    gr_arena_deinit(&arena);
}

static int nothing_is_left(void **state)
{
    (void)state;
    return gr_test_blocks() == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cards),
        cmocka_unit_test(test_holdings),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests_name("layout", tests, NULL, nothing_is_left);
}
