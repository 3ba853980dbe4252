// shell/salvage.h over RocksDB in a directory of its own: what is kept of a damaged store, and that
// a salvage goes on wherever it was broken off.
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "shell/log.h"
#include "shell/salvage.h"
#include "shell/verify.h"
#include "test/hooks.h"
#include "wire/disk.h"

enum { PARTITIONS = 16, KEYS = 2000, VALUE_BYTES = 200 };

static char root[64], dir[96], why[512];
static struct gr_cluster cluster;
static struct gr_datadir datadir;
static atomic_bool stop;
static uint64_t first_id;

// ---- a store -----------------------------------------------------------------------------------

static void put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    gr_store_batch_put(host, key, value);
}

static void take(void *host, struct gr_bytes key)
{
    gr_store_batch_delete(host, key);
}

static void fill(struct gr_store *store)
{
    struct gr_clock clock[PARTITIONS] = {0};
    int64_t count[PARTITIONS] = {0};
    struct gr_sum sum[PARTITIONS] = {0};
    struct gr_store_batch *batch = gr_store_batch_new();
    struct gr_disk_sink sink = {put, take, batch};
    struct gr_arena arena = {0};
    char value[VALUE_BYTES];
    for (uint32_t i = 0; i < KEYS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "key%u", i);
        for (size_t at = 0; at < sizeof(value); at++) // hard to compress
            value[at] = (char)(i * 2654435761u >> (at % 25)) + (char)(at * at);
        struct gr_key key = gr_key_make(gr_bytes_text("default"), gr_bytes_text(name));
        uint32_t p = key.slot / (GR_SLOTS / PARTITIONS);
        struct gr_sibling sibling = {
            .dot = {{first_id, 1}, (uint64_t)++count[p]}, .value = gr_bytes(value, sizeof(value))};
        struct gr_record record = {.sibling = &sibling, .count = 1};
        assert_true(gr_clock_add(&clock[p], &sibling.dot));
        sum[p] = gr_sum_add(sum[p], gr_merkle_hash(&arena, &key, &record));
        const struct gr_clock_row *row = &clock[p].row[0];
        struct gr_store_write write = {.partition = p,
            .key = key,
            .record = &record,
            .row = &row,
            .row_count = 1,
            .counter = (uint64_t)count[p],
            .count = count[p],
            .sum = sum[p]};
        gr_disk_write(&write, sibling.dot.actor, &sink);
    }
    uint64_t number;
    assert_int_equal(gr_store_apply(store, batch, &number), GR_OK);
    assert_int_equal(gr_store_sync(store, &number), GR_OK);
    for (uint32_t p = 0; p < PARTITIONS; p++)
        gr_clock_deinit(&clock[p]);
    gr_store_batch_free(batch);
    gr_arena_deinit(&arena);
}

static struct gr_store *open_store(void)
{
    struct gr_store_options options = {.create = true};
    struct gr_store *store = NULL;
    if (gr_store_open(&gr_store_rocksdb, datadir.store_path, &options, &store, why, sizeof(why)) !=
        GR_OK)
        fail_msg("%s", why);
    return store;
}

static int set_up(void **state)
{
    (void)state;
    struct gr_card member = {
        .name = "n1", .host = "h", .peer = "127.0.0.1:7390", .resp = "127.0.0.1:7379"};
    gr_log_level(GR_LOG_ERROR);
    snprintf(root, sizeof(root), "/tmp/gramme-salvage-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(dir, sizeof(dir), "%s/data", root);
    gr_cluster_make(&cluster, PARTITIONS, 1, 1, 1, &member, 1);
    if (gr_datadir_open(dir, &cluster, "n1", "rocksdb", &datadir, why, sizeof(why)) != GR_OK)
        return -1;
    first_id = datadir.store_id;
    atomic_store(&stop, false);
    struct gr_store *store = open_store();
    struct gr_actor actor;
    if (gr_datadir_begin_run(store, first_id, &actor, why, sizeof(why)) != GR_OK)
        return -1;
    fill(store);
    gr_store_close(store);
    gr_store_close(open_store()); // the log becomes a table
    return 0;
}

static void remove_all(const char *path)
{
    char below[512];
    DIR *list = opendir(path);
    const struct dirent *item;
    while (list != NULL && (item = readdir(list)) != NULL) {
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        snprintf(below, sizeof(below), "%s/%s", path, item->d_name);
        if (unlink(below) != 0)
            remove_all(below);
    }
    if (list != NULL)
        closedir(list);
    rmdir(path);
}

static int tear_down(void **state)
{
    (void)state;
    gr_datadir_close(&datadir);
    gr_cluster_deinit(&cluster);
    remove_all(root);
    return 0;
}

// ---- looking and damaging ----------------------------------------------------------------------

static bool is_there(const char *name)
{
    char path[256];
    struct stat about;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return stat(path, &about) == 0;
}

static void rename_in(const char *from, const char *to)
{
    char old[256], new[256];
    snprintf(old, sizeof(old), "%s/%s", dir, from);
    snprintf(new, sizeof(new), "%s/%s", dir, to);
    assert_int_equal(rename(old, new), 0);
}

static void write_text(const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// The path of the largest file of the store whose name ends so.
static void find_file(const char *end, char ret[512])
{
    off_t largest = -1;
    DIR *list = opendir(datadir.store_path);
    assert_non_null(list);
    const struct dirent *item;
    while ((item = readdir(list)) != NULL) {
        char path[512];
        struct stat about;
        size_t size = strlen(item->d_name);
        if (size < strlen(end) || strcmp(item->d_name + size - strlen(end), end) != 0)
            continue;
        snprintf(path, sizeof(path), "%.200s/%.200s", datadir.store_path, item->d_name);
        assert_int_equal(stat(path, &about), 0);
        if (about.st_size <= largest)
            continue;
        largest = about.st_size;
        memcpy(ret, path, strlen(path) + 1);
    }
    closedir(list);
    assert_true(largest >= 0);
}

// Flips a bit at `part` 16ths of the file; 16: in its last byte.
static void flip(const char *path, int part)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    long at = part == 16 ? ftell(file) - 1 : ftell(file) / 16 * part;
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 1, file), byte ^ 1);
    assert_int_equal(fclose(file), 0);
}

static void ignore(void *host, const struct gr_verify_line *line)
{
    (void)host;
    (void)line;
}

static struct gr_verify_counts verify(void)
{
    // The lock is this process's.
    gr_datadir_close(&datadir);
    struct gr_verify_counts counts;
    if (gr_verify_directory(dir, ignore, NULL, &counts, why, sizeof(why)) != GR_OK)
        fail_msg("%s", why);
    assert_int_equal(
        gr_datadir_open(dir, &cluster, "n1", "rocksdb", &datadir, why, sizeof(why)), GR_OK);
    return counts;
}

static struct gr_salvage_done salvage(void)
{
    struct gr_salvage_config config = {
        .engine = &gr_store_rocksdb, .cluster = &cluster, .name = "n1", .stop = &stop};
    struct gr_salvage_done done;
    if (gr_salvage_run(&config, &datadir, &done, why, sizeof(why)) != GR_OK)
        fail_msg("%s", why);
    assert_false(gr_salvage_wanted(&datadir));
    assert_false(is_there("store.new"));
    assert_false(is_there("store.rescue"));
    assert_true(is_there("SALVAGED"));
    assert_int_equal(access(done.aside, F_OK), 0);
    assert_true(datadir.store_id != first_id);
    // What IDENTITY says is what is used.
    uint64_t id = datadir.store_id;
    struct gr_verify_counts counts = verify();
    assert_true(datadir.store_id == id);
    assert_int_equal(counts.findings, 0);
    assert_int_equal(counts.records, done.records);
    assert_int_equal(counts.clocks, 0);
    return done;
}

static void want(void)
{
    assert_int_equal(gr_salvage_want(&datadir, "made up,\nby a test", why, sizeof(why)), GR_OK);
    assert_true(gr_salvage_wanted(&datadir));
}

// ---- tests -------------------------------------------------------------------------------------

static void test_all_is_kept(void **state)
{
    (void)state;
    assert_int_equal(verify().findings, 0);
    assert_false(gr_salvage_wanted(&datadir));
    want();
    want(); // once more changes nothing
    struct gr_salvage_done done = salvage(), last;
    assert_int_equal(done.records, KEYS);
    assert_int_equal(done.unsound + done.gaps, 0);
    assert_string_equal(done.why, "made up, by a test");
    assert_true(gr_salvage_last(&datadir, &last));
    assert_string_equal(last.aside, done.aside);
    remove_all(done.aside);
    assert_false(gr_salvage_last(&datadir, &last));
}

static void test_asked_for_by_hand(void **state)
{
    (void)state;
    write_text("SALVAGE", "");
    assert_true(gr_salvage_wanted(&datadir));
    assert_int_equal(salvage().records, KEYS);
    // A name that is none of ours is not used.
    write_text("SALVAGE", "aside = ../elsewhere\n");
    first_id = datadir.store_id;
    assert_int_equal(salvage().records, KEYS);
}

static void test_broken_off(void **state)
{
    (void)state;
    struct gr_salvage_config config = {
        .engine = &gr_store_rocksdb, .cluster = &cluster, .name = "n1", .stop = &stop};
    struct gr_salvage_done done;
    want();
    atomic_store(&stop, true);
    assert_int_equal(gr_salvage_run(&config, &datadir, &done, why, sizeof(why)), GR_ERR_BUSY);
    assert_true(gr_salvage_wanted(&datadir));
    assert_false(is_there("store"));
    assert_true(is_there("store.new"));
    atomic_store(&stop, false);
    assert_int_equal(salvage().records, KEYS);
}

// What a crash may leave: before and after each rename.
static void test_crashes(void **state)
{
    (void)state;
    const char *mark = "aside = store.damaged-x\nwhy = power\n";
    write_text("SALVAGE", mark);
    rename_in("store", "store.damaged-x");
    assert_int_equal(salvage().records, KEYS);
    // Everything was done, only the mark was not removed.
    uint64_t id = datadir.store_id;
    write_text("SALVAGE", mark);
    struct gr_salvage_done done = salvage();
    assert_int_equal(done.records, KEYS);
    assert_true(datadir.store_id == id);
}

static void test_a_bad_block(void **state)
{
    (void)state;
    char path[512];
    find_file(".sst", path);
    flip(path, 8);
    assert_true(verify().findings > 0);
    want();
    struct gr_salvage_done done = salvage();
    assert_true(done.gaps >= 1);
    assert_in_range(done.records, KEYS - KEYS / 10, KEYS - 1);
}

static void test_no_current(void **state)
{
    (void)state;
    char path[512];
    find_file("CURRENT", path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(verify().findings, 1);
    want();
    assert_int_equal(salvage().records, KEYS);
}

static void test_a_bad_footer(void **state)
{
    (void)state;
    char path[512];
    find_file(".sst", path);
    flip(path, 16);
    assert_true(verify().findings > 0);
    want();
    // All that there was stood in that table.
    assert_int_equal(salvage().records, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asked_for_by_hand, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_crashes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bad_block, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_current, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_bad_footer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
