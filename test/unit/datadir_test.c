// shell/datadir.h: one process, one cluster, one member, one engine; and a new actor for each run.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "shell/datadir.h"
#include "test/hooks.h"
#include "wire/disk.h"

static char root[64], dir[96], why[512];
static struct gr_cluster cluster, stranger;

static int set_up(void **state)
{
    (void)state;
    struct gr_card member = {
        .name = "n1", .host = "h", .peer = "127.0.0.1:7390", .resp = "127.0.0.1:7379"};
    snprintf(root, sizeof(root), "/tmp/gramme-datadir-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(dir, sizeof(dir), "%s/data", root);
    gr_cluster_make(&cluster, 16, 1, 1, 1, &member, 1);
    gr_cluster_make(&stranger, 16, 1, 1, 1, &member, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"IDENTITY", "LOCK", "other"};
    for (size_t i = 0; i < GR_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    gr_cluster_deinit(&cluster);
    gr_cluster_deinit(&stranger);
    return rmdir(root);
}

static enum gr_err open_as(
    const struct gr_cluster *whose, const char *name, const char *engine, struct gr_datadir *ret)
{
    return gr_datadir_open(dir, whose, name, engine, ret, why, sizeof(why));
}

static void expect_why(const char *part)
{
    if (strstr(why, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, part);
}

static void test_made_and_found_again(void **state)
{
    (void)state;
    struct gr_datadir first, second;
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &first), GR_OK);
    assert_true(first.created);
    assert_true(first.store_id != 0);
    char store[128];
    snprintf(store, sizeof(store), "%s/store", dir);
    assert_string_equal(first.store_path, store);
    gr_datadir_close(&first);
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &second), GR_OK);
    assert_false(second.created);
    assert_true(second.store_id == first.store_id);
    gr_datadir_close(&second);
}

static void test_strangers_are_refused(void **state)
{
    (void)state;
    struct gr_datadir datadir;
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &datadir), GR_OK);
    gr_datadir_close(&datadir);
    assert_int_equal(open_as(&stranger, "n1", "rocksdb", &datadir), GR_ERR_FORMAT);
    expect_why("belongs to cluster");
    assert_int_equal(open_as(&cluster, "n2", "rocksdb", &datadir), GR_ERR_FORMAT);
    expect_why("belongs to the member n1, not to n2");
    assert_int_equal(open_as(&cluster, "n1", "memory", &datadir), GR_ERR_FORMAT);
    expect_why("set engine = rocksdb");
    struct gr_cluster other = cluster;
    other.partitions = 32;
    assert_int_equal(open_as(&other, "n1", "rocksdb", &datadir), GR_ERR_FORMAT);
    expect_why("made for 16 partitions");
    // A refusal holds nothing.
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &datadir), GR_OK);
    gr_datadir_close(&datadir);
}

static void test_one_process(void **state)
{
    (void)state;
    struct gr_datadir first, second;
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &first), GR_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(open_as(&cluster, "n1", "rocksdb", &second) == GR_ERR_LOCKED &&
                      strstr(why, "Another process uses") != NULL
                  ? 0
                  : 1);
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    gr_datadir_close(&first);
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &second), GR_OK);
    gr_datadir_close(&second);
}

static void test_inspected(void **state)
{
    (void)state;
    struct gr_datadir datadir, held;
    struct gr_datadir_about about;
    assert_int_equal(gr_datadir_inspect(dir, &datadir, &about, why, sizeof(why)), GR_ERR_NOT_FOUND);
    assert_int_equal(access(dir, F_OK), -1); // nothing was made
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &held), GR_OK);
    assert_int_equal(gr_datadir_inspect(dir, &datadir, &about, why, sizeof(why)), GR_ERR_LOCKED);
    uint64_t id = held.store_id;
    assert_int_equal(
        gr_datadir_new_store(&held, &cluster, "n1", "rocksdb", why, sizeof(why)), GR_OK);
    assert_true(held.store_id != id);
    id = held.store_id;
    gr_datadir_close(&held);
    assert_int_equal(gr_datadir_inspect(dir, &datadir, &about, why, sizeof(why)), GR_OK);
    assert_string_equal(about.name, "n1");
    assert_string_equal(about.engine, "rocksdb");
    assert_int_equal(about.partitions, 16);
    gr_datadir_close(&datadir);
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &held), GR_OK);
    assert_true(held.store_id == id);
    gr_datadir_close(&held);
}

static void write_text(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_what_is_not_ours(void **state)
{
    (void)state;
    struct gr_datadir datadir;
    assert_int_equal(mkdir(dir, 0700), 0);
    write_text("other", "precious");
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &datadir), GR_ERR_INVALID);
    expect_why("holds other but no IDENTITY");
    write_text("IDENTITY", "format = 3\nshape = round\n");
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &datadir), GR_ERR_FORMAT);
    expect_why("has format 3");
    write_text("IDENTITY", "format = 1\nshape = round\n");
    assert_int_equal(open_as(&cluster, "n1", "rocksdb", &datadir), GR_ERR_FORMAT);
    expect_why("has the old format 1");
    static const char *const damaged[] = {"", "format = 2\n", "format = one\n", "format",
        "format = 2\ncluster = 00\nname = n1\nstore = xyz\nengine = rocksdb\n",
        "format = 2\ncluster = 00\ncluster = 00\nname = n1\nengine = rocksdb\n",
        "format = 2\ncluster = 00\nname = n1\nstore = 0000000000000001\nengine = rocksdb\n",
        ("format = 2\ncluster = 00\nname = n1\nstore = 0000000000000001\nengine = rocksdb\n"
         "partitions = 0\n")};
    for (size_t i = 0; i < GR_COUNT(damaged); i++) {
        write_text("IDENTITY", damaged[i]);
        assert_int_equal(open_as(&cluster, "n1", "rocksdb", &datadir), GR_ERR_INVALID);
        expect_why("is damaged");
    }
}

static void test_paths(void **state)
{
    (void)state;
    struct gr_datadir datadir;
    assert_int_equal(
        gr_datadir_open("/nowhere/at/all", &cluster, "n1", "rocksdb", &datadir, why, sizeof(why)),
        GR_ERR_NOT_FOUND);
    expect_why("/nowhere/at/all");
    assert_int_equal(mkdir(dir, 0700), 0);
    write_text("other", "");
    char path[128];
    snprintf(path, sizeof(path), "%s/other", dir);
    assert_int_equal(
        gr_datadir_open(path, &cluster, "n1", "rocksdb", &datadir, why, sizeof(why)), GR_ERR_IO);
}

// An engine that forgets everything is another store each time it is opened.
static void test_memory_is_new_each_time(void **state)
{
    (void)state;
    struct gr_datadir first, second;
    assert_int_equal(open_as(&cluster, "n1", "memory", &first), GR_OK);
    gr_datadir_close(&first);
    assert_int_equal(open_as(&cluster, "n1", "memory", &second), GR_OK);
    gr_datadir_close(&second);
    assert_true(first.store_id != second.store_id);
}

static void test_runs(void **state)
{
    (void)state;
    struct gr_store_options options = {.create = true};
    struct gr_store *store = NULL;
    assert_int_equal(
        gr_store_open(&gr_store_memory, dir, &options, &store, why, sizeof(why)), GR_OK);
    struct gr_actor actor[3];
    for (size_t i = 0; i < GR_COUNT(actor); i++) {
        assert_int_equal(gr_datadir_begin_run(store, 77, &actor[i], why, sizeof(why)), GR_OK);
        assert_true(actor[i].store == 77);
        assert_true(actor[i].run >> 32 == i + 1);
    }
    assert_true((uint32_t)actor[0].run != (uint32_t)actor[1].run ||
                (uint32_t)actor[1].run != (uint32_t)actor[2].run);
    // A run row that does not parse is no reason to begin with 1 again.
    struct gr_arena arena = {0};
    struct gr_store_batch *batch = gr_store_batch_new();
    gr_store_batch_put(batch, gr_disk_meta_key(&arena, "run"), gr_bytes_text("\1damaged"));
    uint64_t number;
    assert_int_equal(gr_store_apply(store, batch, &number), GR_OK);
    assert_int_equal(gr_datadir_begin_run(store, 77, &actor[0], why, sizeof(why)), GR_ERR_CORRUPT);
    expect_why("damaged");
    gr_store_batch_free(batch);
    gr_arena_deinit(&arena);
    gr_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_made_and_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_strangers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inspected, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paths, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory_is_new_each_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_runs, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
