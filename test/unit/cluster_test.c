// shell/cluster.h: what is written is read back, and whatever is wrong is refused with its line.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "shell/cluster.h"
#include "test/hooks.h"

static char dir[64], path[96], why[512];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/gramme-cluster-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/cluster", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void make(struct gr_cluster *ret, uint16_t count)
{
    struct gr_card member[9] = {0};
    assert_true(count <= GR_COUNT(member));
    for (uint16_t i = 0; i < count; i++) {
        snprintf(member[i].name, sizeof(member[i].name), "n%d", i + 1);
        snprintf(member[i].host, sizeof(member[i].host), "machine%d", i / 2);
        snprintf(member[i].peer, sizeof(member[i].peer), "127.0.0.1:%d", 7390 + 100 * i);
        snprintf(member[i].resp, sizeof(member[i].resp), "127.0.0.1:%d", 7379 + 100 * i);
        member[i].weight = 1;
    }
    snprintf(member[1].site, sizeof(member[1].site), "north");
    snprintf(member[2].rack, sizeof(member[2].rack), "r%d", 7);
    member[2].weight = 20;
    gr_cluster_make(ret, 64, 3, 2, 2, member, count);
}

static void test_there_and_back(void **state)
{
    (void)state;
    size_t blocks = gr_test_blocks();
    struct gr_cluster cluster, again;
    make(&cluster, 5);
    assert_int_equal(cluster.durability, GR_DURABILITY_COMMIT);
    assert_true(cluster.sync_interval.ns == gr_span_ms(100).ns);
    cluster.durability = GR_DURABILITY_BUFFERED;
    cluster.sync_interval = gr_span_ms(250);
    assert_int_equal(gr_cluster_write(path, &cluster, why, sizeof(why)), GR_OK);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(gr_cluster_read(path, &again, why, sizeof(why)), GR_OK);
    assert_memory_equal(again.id, cluster.id, sizeof(again.id));
    assert_memory_equal(again.secret, cluster.secret, sizeof(again.secret));
    assert_int_equal(again.r, 2);
    assert_int_equal(again.w, 2);
    assert_int_equal(again.durability, GR_DURABILITY_BUFFERED);
    assert_true(again.sync_interval.ns == gr_span_ms(250).ns);
    assert_int_equal(again.n, 3);
    assert_int_equal(again.partitions, 64);
    assert_int_equal(again.member_count, 5);
    for (int i = 0; i < 5; i++)
        assert_memory_equal(&again.member[i], &cluster.member[i], sizeof(struct gr_card));
    assert_int_equal(gr_cluster_find(&again, "n4"), 3);
    assert_int_equal(gr_cluster_find(&again, "n"), -1);
    // Written over what is there, and two clusters are not alike.
    struct gr_cluster other;
    make(&other, 3);
    assert_memory_not_equal(other.id, cluster.id, sizeof(other.id));
    assert_memory_not_equal(other.secret, cluster.secret, sizeof(other.secret));
    assert_int_equal(gr_cluster_write(path, &other, why, sizeof(why)), GR_OK);
    gr_cluster_deinit(&again);
    assert_int_equal(gr_cluster_read(path, &again, why, sizeof(why)), GR_OK);
    assert_int_equal(again.member_count, 3);
    gr_cluster_deinit(&again);
    gr_cluster_deinit(&other);
    gr_cluster_deinit(&cluster);
    assert_int_equal(gr_test_blocks(), blocks);
}

#define ID     "cluster = 00112233445566778899aabbccddeeff\n"
#define SECRET "secret = 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
#define HEAD   "format = 1\n" ID SECRET "partitions = 16\nn = 1\nr = 1\nw = 1\n"
#define MEMBER "member = n1 h 127.0.0.1:7390 127.0.0.1:7379\n"

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"", "`format = ...` is missing"},
        {HEAD, "n is 1, but there are only 0 members"},
        {"format = 1\n" SECRET "partitions = 16\nn = 1\nr = 1\nw = 1\n" MEMBER,
            "`cluster = ...` is missing"},
        {HEAD "color = red\n" MEMBER, ":8: there is no key \"color\""},
        {HEAD "n = 2\n" MEMBER, ":8: n is already set in line 5"},
        {HEAD "nonsense\n" MEMBER, ":8: \"nonsense\" is no `key = value` line"},
        {HEAD "member = n1 h 127.0.0.1:7390\n", ":8: a member is"},
        {HEAD "member = n1 h 127.0.0.1:7390 127.0.0.1:7379 more\n", ":8: \"more\" is none of"},
        {HEAD "member = n1 h 127.0.0.1:7390 127.0.0.1:7379 weight=1001\n",
            ":8: weight is a number"},
        {HEAD "member = n1 h 127.0.0.1:7390 127.0.0.1:7379 site=a site=b c=d e=f\n",
            ":8: a member is"},
        {HEAD "member = n1 h 127.0.0.1 127.0.0.1:7379\n", ":8: \"127.0.0.1\" is no address"},
        {HEAD MEMBER "member = n1 h 127.0.0.1:1 127.0.0.1:2\n", ":9: the name n1 is already"},
        {HEAD MEMBER "member = n2 h 127.0.0.1:7390 127.0.0.1:2\n",
            ":9: the peer address 127.0.0.1:7390 is already taken in line 8"},
        {"format = 1\ncluster = 0011\n", ":2: cluster is 32 hexadecimal digits"},
        {"format = 1\n" ID "secret = zz\n", ":3: secret is 64 hexadecimal digits"},
        {"format = 1\n" ID SECRET "partitions = 17\n", ":4: partitions is a power of two"},
        {"format = 1\n" ID SECRET "partitions = 32768\n", ":4: partitions is a number from 1 to"},
        {"format = 1\n" ID SECRET "partitions = 16\nn = 8\n", ":5: n is a number from 1 to 7"},
        {"format = 1\n" ID SECRET "partitions = 16\nn = 1\nr = 2\nw = 1\n" MEMBER,
            "r and w are at most n"},
        {HEAD "durability = always\n" MEMBER, ":8: durability is commit, interval or buffered"},
        {HEAD "sync_interval = 100\n" MEMBER, ":8: sync_interval is a time from 1ms to 1s"},
        {HEAD "sync_interval = 0ms\n" MEMBER, ":8: sync_interval is a time"},
        {HEAD "sync_interval = 2s\n" MEMBER, ":8: sync_interval is a time"},
        {HEAD "sync_interval = 12345678901ms\n" MEMBER, ":8: sync_interval is a time"},
        {HEAD "sync_interval = 1ms x\n" MEMBER, ":8: sync_interval is a time"},
        {"format = 0\n", ":1: format is a number"},
    };
    for (size_t i = 0; i < GR_COUNT(bad); i++) {
        struct gr_cluster cluster;
        size_t blocks = gr_test_blocks();
        write_text(bad[i].text);
        assert_int_equal(gr_cluster_read(path, &cluster, why, sizeof(why)), GR_ERR_INVALID);
        if (strstr(why, bad[i].says) == NULL || strstr(why, path) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", why, bad[i].says);
        assert_int_equal(gr_test_blocks(), blocks);
    }
}

// A file of before there were modes.
static void test_modes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum gr_durability durability;
        int64_t ms;
    } good[] = {
        {HEAD MEMBER, GR_DURABILITY_COMMIT, 100},
        {HEAD "durability = commit\n" MEMBER, GR_DURABILITY_COMMIT, 100},
        {HEAD "durability = interval\nsync_interval = 1s\n" MEMBER, GR_DURABILITY_INTERVAL, 1000},
        {HEAD "sync_interval = 1ms\ndurability = buffered\n" MEMBER, GR_DURABILITY_BUFFERED, 1},
    };
    for (size_t i = 0; i < GR_COUNT(good); i++) {
        struct gr_cluster cluster;
        write_text(good[i].text);
        assert_int_equal(gr_cluster_read(path, &cluster, why, sizeof(why)), GR_OK);
        assert_int_equal(cluster.durability, good[i].durability);
        assert_true(cluster.sync_interval.ns == gr_span_ms(good[i].ms).ns);
        gr_cluster_deinit(&cluster);
    }
}

static void test_newer_and_absent(void **state)
{
    (void)state;
    struct gr_cluster cluster;
    write_text("format = 2\nsomething = new\n");
    assert_int_equal(gr_cluster_read(path, &cluster, why, sizeof(why)), GR_ERR_FORMAT);
    assert_non_null(strstr(why, "newer than this program"));
    unlink(path);
    assert_int_equal(gr_cluster_read(path, &cluster, why, sizeof(why)), GR_ERR_NOT_FOUND);
    assert_non_null(strstr(why, path));
}

static void test_write_refused(void **state)
{
    (void)state;
    struct gr_cluster cluster;
    make(&cluster, 3);
    assert_int_equal(
        gr_cluster_write("/nowhere/at/all", &cluster, why, sizeof(why)), GR_ERR_NOT_FOUND);
    assert_non_null(strstr(why, "/nowhere/at/all"));
    gr_cluster_deinit(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_there_and_back, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_modes, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_newer_and_absent, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_write_refused, make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
