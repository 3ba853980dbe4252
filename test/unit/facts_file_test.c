// shell/facts.h: what was known is known again; a file that is not what was written is noticed,
// wherever it differs (FF1).
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/random.h"
#include "shell/facts.h"
#include "shell/file.h"
#include "test/hooks.h"

static char dir[64], path[96], why[600];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/gramme-facts-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/FACTS", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir) == 0 && gr_test_blocks() == 0 ? 0 : -1;
}

static void take(struct gr_facts *facts, enum gr_fact_kind kind, uint64_t key, uint64_t version,
    const char *text)
{
    struct gr_fact fact = gr_fact_make(kind, key, version, gr_bytes_text(text));
    assert_true(gr_facts_take(facts, &fact, false));
}

static enum gr_err read_facts(struct gr_arena *arena, struct gr_fact **ret, uint32_t *ret_count)
{
    why[0] = '\0';
    return gr_facts_read(path, arena, ret, ret_count, why, sizeof(why));
}

static void expect(enum gr_err expected, const char *words)
{
    struct gr_arena arena = {0};
    struct gr_fact *list = NULL;
    uint32_t count = 77;
    assert_int_equal(read_facts(&arena, &list, &count), expected);
    assert_true(list == NULL && count == 77);
    assert_non_null(strstr(why, words));
    assert_non_null(strstr(why, path));
    gr_arena_deinit(&arena);
}

static void put_bytes(const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

// Behind `head`, a hash that is right.
static void put_sealed(struct gr_bytes head)
{
    struct gr_writer out;
    gr_writer_init(&out, 1 << 20);
    gr_write_bytes(&out, head);
    gr_write_u64(&out, gr_hash64(head, 0));
    put_bytes(out.data, out.size);
    gr_writer_deinit(&out);
}

static void test_round_trip(void **state)
{
    (void)state;
    struct gr_random random;
    gr_random_init(&random, 5);
    for (uint32_t round = 0; round < 40; round++) {
        struct gr_facts facts = {0}, again = {0}, statuses = {0};
        struct gr_arena arena = {0};
        for (uint32_t i = 0; i < round * 4; i++) {
            static uint8_t value[3000];
            size_t size = gr_random_below(&random, gr_random_chance(&random, 900) ? 40 : 3000);
            for (size_t at = 0; at < size; at++)
                value[at] = (uint8_t)gr_random_next(&random);
            enum gr_fact_kind kind =
                (enum gr_fact_kind)(1 + gr_random_below(&random, GR_FACT_KINDS + 5));
            struct gr_fact fact = gr_fact_make(kind, gr_random_below(&random, 50),
                1 + (gr_random_next(&random) >> (1 + gr_random_below(&random, 62))),
                gr_bytes(value, size));
            // A version 2^63 is none.
            fact.version = GR_MIN(fact.version, GR_FACT_VERSION_MAX);
            (void)gr_facts_take(kind == GR_FACT_STATUS ? &statuses : &facts, &fact, false);
        }
        uint64_t digest = gr_facts_digest(&facts);
        uint32_t known = facts.map.count, count = 77;
        // What members said of how they do is not kept.
        for (const struct gr_known *at = NULL;
             (at = gr_facts_next(&statuses, GR_FACT_STATUS, at)) != NULL;) {
            struct gr_fact fact = gr_known_fact(at);
            assert_true(gr_facts_take(&facts, &fact, false));
        }
        struct gr_fact *list = NULL;
        assert_int_equal(gr_facts_write(path, &facts, why, sizeof(why)), GR_OK);
        gr_facts_deinit(&facts);
        assert_int_equal(read_facts(&arena, &list, &count), GR_OK);
        assert_int_equal(count, known);
        for (uint32_t i = 0; i < count; i++)
            assert_true(gr_facts_take(&again, &list[i], false));
        assert_true(gr_facts_digest(&again) == digest);
        gr_facts_deinit(&again);
        gr_facts_deinit(&statuses);
        gr_arena_deinit(&arena);
    }
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void write_some(void)
{
    struct gr_facts facts = {0};
    take(&facts, GR_FACT_MEMBER, 5, 1, "somebody");
    take(&facts, GR_FACT_MEMBER, 6, GR_FACT_VERSION_MAX, "");
    take(&facts, GR_FACT_STATUS, 5, 4, "");
    take(&facts, GR_FACT_HOLDS, 5, 300, "some of it");
    take(&facts, GR_FACT_BAN, 9, 1, "gone");
    take(&facts, GR_FACT_RING, 0, 17, "the ring");
    take(&facts, GR_FACT_SETTING, 2, 1, "w = 2");
    assert_int_equal(gr_facts_write(path, &facts, why, sizeof(why)), GR_OK);
    gr_facts_deinit(&facts);
}

static void test_damaged(void **state)
{
    (void)state;
    uint8_t *data;
    size_t size, head = strlen("Gramme facts\n");
    write_some();
    assert_int_equal(gr_file_read_bytes(path, 10000, &data, &size, why, sizeof(why)), GR_OK);
    assert_memory_equal(data, "Gramme facts\n\x01\x06\x00\x00\x00\x01", head + 6);
    for (size_t cut = 0; cut < size; cut++) {
        put_bytes(data, cut);
        expect(GR_ERR_CORRUPT, "is damaged");
    }
    for (size_t at = 0; at < size; at++)
        for (unsigned bit = 0; bit <= 8; bit++) {
            uint8_t was = data[at];
            data[at] ^= (uint8_t)(bit < 8 ? 1u << bit : 0xff);
            put_bytes(data, size);
            // A format that is not 0 is taken for a newer one's.
            if (at == head && data[at] != 0)
                expect(GR_ERR_FORMAT, "a newer one");
            else
                expect(GR_ERR_CORRUPT, "is damaged");
            data[at] = was;
        }
    put_bytes(data, size);
    struct gr_arena arena = {0};
    struct gr_fact *list;
    uint32_t count;
    assert_int_equal(read_facts(&arena, &list, &count), GR_OK);
    assert_int_equal(count, 6);
    gr_arena_deinit(&arena);
    uint8_t more[1000];
    memcpy(more, data, size);
    more[size] = 0;
    put_bytes(more, size + 1);
    expect(GR_ERR_CORRUPT, "is damaged");
    gr_hook_memory(data, 0);
}

// The hash is right, but nobody wrote that.
static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        bool good;
    } heads[] = {
        {"\x00\x00\x00\x00", 4, true}, {"\x00\x00\x00\x00\x00", 5, false}, // something left over
        {"\x01\x00\x00\x00\x01\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00", 15, true},
        {"\x02\x00\x00\x00\x01\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00", 15, false}, // one of two
        {"\x01\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00", 15, false}, // kind 0
        {"\x01\x00\x00\x00\x02\x05\x00\x00\x00\x00\x00\x00\x00\x04\x00", 15, false}, // a status
        {"\x01\x00\x00\x00\x09\x05\x00\x00\x00\x00\x00\x00\x00\x01\x00", 15, true},  // a later kind
        {"\x01\x00\x00\x00\x01\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00", 15, false}, // version 0
        {"\x01\x00\x00\x00\x01\x05\x00\x00\x00\x00\x00\x00\x00"
         "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01\x00",
            24, false},                                                              // 2^63
        {"\x01\x00\x00\x00\x01\x05\x00\x00\x00\x00\x00\x00\x00\x01\x01", 15, false}, // no value
        {"\xff\xff\xff\xff", 4, false},                                              // too many
    };
    for (size_t i = 0; i < GR_COUNT(heads); i++) {
        struct gr_writer out;
        gr_writer_init(&out, 1000);
        gr_write_bytes(&out, gr_bytes_text("Gramme facts\n\x01"));
        gr_write_bytes(&out, gr_bytes(heads[i].bytes, heads[i].size));
        put_sealed(gr_writer_bytes(&out));
        gr_writer_deinit(&out);
        struct gr_arena arena = {0};
        struct gr_fact *list;
        uint32_t count;
        if ((read_facts(&arena, &list, &count) == GR_OK) != heads[i].good)
            fail_msg("%zu: %s", i, why);
        gr_arena_deinit(&arena);
    }
    put_sealed(gr_bytes("Gramme facts\n\x00\x00\x00\x00\x00", 18));
    expect(GR_ERR_CORRUPT, "is damaged");
    put_sealed(gr_bytes("gramme facts\n\x01\x00\x00\x00\x00", 18));
    expect(GR_ERR_CORRUPT, "is damaged");
    put_sealed(gr_bytes_text("Gramme facts\n\x02what a newer program says"));
    expect(GR_ERR_FORMAT, "has format 2, and this program knows only 1");
}

static void test_refused(void **state)
{
    (void)state;
    struct gr_facts facts = {0};
    expect(GR_ERR_NOT_FOUND, "No such file");
    take(&facts, GR_FACT_MEMBER, 5, 1, "somebody");
    assert_int_equal(gr_facts_write("/nowhere/FACTS", &facts, why, sizeof(why)), GR_ERR_NOT_FOUND);
    assert_non_null(
        strstr(why, "/nowhere/FACTS.new: No such file or directory: put the directory"));
    // A directory that cannot be written to, even by root: it is none.
    char inside[128];
    write_some();
    snprintf(inside, sizeof(inside), "%s/FACTS", path);
    assert_int_equal(gr_facts_write(inside, &facts, why, sizeof(why)), GR_ERR_IO);
    assert_non_null(strstr(why, "see that this user may write there"));
    assert_int_equal(why[strlen(why) - 1], '.');
    // And one that is only read.
    if (geteuid() != 0) {
        assert_int_equal(chmod(dir, 0500), 0);
        assert_int_equal(gr_facts_write(path, &facts, why, sizeof(why)), GR_ERR_IO);
        assert_non_null(strstr(why, "see that this user may write there"));
        assert_int_equal(chmod(dir, 0700), 0);
    }
    gr_facts_deinit(&facts);
}

// More than a file may have: nothing is written, and what was there stays.
static void test_too_much(void **state)
{
    (void)state;
    struct gr_facts facts = {0};
    uint8_t *value = gr_hook_memory(NULL, GR_FACT_BYTES_MAX);
    memset(value, 7, GR_FACT_BYTES_MAX);
    for (uint64_t key = 0; key * GR_FACT_BYTES_MAX < GR_FACTS_FILE_BYTES_MAX; key++) {
        struct gr_fact fact =
            gr_fact_make(GR_FACT_HOLDS, key, 1, gr_bytes(value, GR_FACT_BYTES_MAX));
        assert_true(gr_facts_take(&facts, &fact, false));
    }
    gr_hook_memory(value, 0);
    write_some();
    assert_int_equal(gr_facts_write(path, &facts, why, sizeof(why)), GR_ERR_INVALID);
    assert_non_null(strstr(why, "please report this"));
    gr_facts_deinit(&facts);
    struct gr_arena arena = {0};
    struct gr_fact *list;
    uint32_t count;
    assert_int_equal(read_facts(&arena, &list, &count), GR_OK);
    assert_int_equal(count, 6);
    gr_arena_deinit(&arena);
    assert_int_equal(truncate(path, GR_FACTS_FILE_BYTES_MAX + 1), 0);
    expect(GR_ERR_CORRUPT, "is damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_much, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("facts_file", tests, NULL, NULL);
}
