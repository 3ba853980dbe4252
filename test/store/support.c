// What the tests of the store share; see support.h.
#include "test/store/support.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[256];

void test_dir_make(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(root, sizeof(root), "%s/gramme-store-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(root));
}

const char *test_dir(const char *name)
{
    static char slots[4][512];
    static size_t next;
    char *slot = slots[next++ % GR_COUNT(slots)];
    snprintf(slot, sizeof(slots[0]), "%s/%s", root, name);
    return slot;
}

static void remove_files(const char *dir)
{
    DIR *list = opendir(dir);
    if (list == NULL)
        return;
    const struct dirent *item;
    while ((item = readdir(list)) != NULL) {
        char path[1024];
        snprintf(path, sizeof(path), "%s/%s", dir, item->d_name);
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        struct stat about;
        if (lstat(path, &about) == 0 && S_ISDIR(about.st_mode)) {
            remove_files(path);
            rmdir(path);
        } else {
            unlink(path);
        }
    }
    closedir(list);
}

void test_dir_remove(void)
{
    remove_files(root);
    rmdir(root);
}

static void copy_file(const char *from, const char *to)
{
    static char buffer[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(in >= 0 && out >= 0);
    ssize_t size;
    while ((size = read(in, buffer, sizeof(buffer))) > 0)
        assert_int_equal(write(out, buffer, (size_t)size), size);
    close(in);
    close(out);
}

void test_dir_copy(const char *from, const char *to)
{
    remove_files(to);
    mkdir(to, 0755);
    DIR *list = opendir(from);
    assert_non_null(list);
    const struct dirent *item;
    while ((item = readdir(list)) != NULL) {
        char source[1024], copy[1024];
        snprintf(source, sizeof(source), "%s/%s", from, item->d_name);
        snprintf(copy, sizeof(copy), "%s/%s", to, item->d_name);
        struct stat about;
        if (stat(source, &about) == 0 && S_ISREG(about.st_mode))
            copy_file(source, copy);
    }
    closedir(list);
}

bool test_file_find(const char *dir, const char *end, int nth, char *ret_path, size_t path_size)
{
    struct dirent **names;
    int count = scandir(dir, &names, NULL, alphasort);
    assert_true(count >= 0);
    bool found = false;
    for (int i = 0; i < count; i++) {
        size_t size = strlen(names[i]->d_name), end_size = strlen(end);
        bool fits = size >= end_size && strcmp(names[i]->d_name + size - end_size, end) == 0;
        if (fits && nth-- == 0) {
            snprintf(ret_path, path_size, "%s/%s", dir, names[i]->d_name);
            found = true;
        }
        free(names[i]);
    }
    free(names);
    return found;
}

void test_flip_bit(const char *path, off_t at, int bit)
{
    int file = open(path, O_RDWR);
    uint8_t byte;
    assert_int_equal(pread(file, &byte, 1, at), 1);
    byte ^= (uint8_t)(1 << bit);
    assert_int_equal(pwrite(file, &byte, 1, at), 1);
    close(file);
}

struct gr_store *test_open(
    const struct gr_store_engine *engine, const char *dir, uint64_t buffer_bytes)
{
    struct gr_store_options options = {.create = true, .buffer_bytes = buffer_bytes};
    struct gr_store *store = NULL;
    char why[512] = "";
    enum gr_err err = gr_store_open(engine, dir, &options, &store, why, sizeof(why));
    if (err != GR_OK)
        fail_msg("open: %s: %s", gr_err_info(err)->name, why);
    return store;
}

void test_put(struct gr_store *store, const char *key, const char *value)
{
    struct gr_store_batch *batch = gr_store_batch_new();
    gr_store_batch_put(batch, gr_bytes_text(key), gr_bytes_text(value));
    test_apply(store, batch);
    gr_store_batch_free(batch);
}

uint64_t test_apply(struct gr_store *store, const struct gr_store_batch *batch)
{
    uint64_t number = 0;
    for (;;) {
        enum gr_err err = gr_store_apply(store, batch, &number);
        if (err == GR_OK)
            return number;
        if (err != GR_ERR_STALLED)
            fail_msg("apply: %s: %s", gr_err_info(err)->name, gr_store_trouble(store));
        usleep(200);
    }
}

uint64_t test_sync(struct gr_store *store)
{
    uint64_t number = 0;
    enum gr_err err = gr_store_sync(store, &number);
    if (err != GR_OK)
        fail_msg("sync: %s: %s", gr_err_info(err)->name, gr_store_trouble(store));
    return number;
}

static void compare_value(struct gr_store *store, enum gr_err err, struct gr_store_value *value,
    struct gr_bytes key, const char *expected)
{
    if (expected == NULL) {
        if (err != GR_ERR_NOT_FOUND)
            fail_msg("key %.*s: %s", (int)key.size, (const char *)key.data, gr_err_info(err)->name);
        return;
    }
    if (err != GR_OK)
        fail_msg("key %.*s: %s", (int)key.size, (const char *)key.data, gr_err_info(err)->name);
    assert_int_equal(value->bytes.size, strlen(expected));
    if (value->bytes.size > 0)
        assert_memory_equal(value->bytes.data, expected, value->bytes.size);
    gr_store_value_done(store, value);
}

void test_expect(struct gr_store *store, struct gr_bytes key, const char *value)
{
    struct gr_store_value got;
    enum gr_err err = gr_store_get(store, key, GR_STORE_READ_ANY, &got);
    compare_value(store, err, &got, key, value);
}

void test_expect_at(struct gr_store *store, struct gr_store_snapshot *snapshot, struct gr_bytes key,
    const char *value)
{
    struct gr_store_value got;
    enum gr_err err = gr_store_snapshot_get(store, snapshot, key, &got);
    compare_value(store, err, &got, key, value);
}

const char *test_scan(
    struct gr_store *store, struct gr_store_snapshot *snapshot, const char *from, const char *to)
{
    static char text[1024];
    size_t size = 0;
    text[0] = '\0';
    struct gr_store_scan *scan =
        gr_store_scan_open(store, snapshot, gr_bytes_text(from), gr_bytes_text(to));
    struct gr_bytes key, value;
    enum gr_err err;
    while ((err = gr_store_scan_next(scan, &key, &value)) == GR_OK) {
        int added = snprintf(text + size, sizeof(text) - size, "%s%.*s=%.*s", size > 0 ? " " : "",
            (int)key.size, (const char *)key.data, (int)value.size, (const char *)value.data);
        size += (size_t)added;
        assert_true(size < sizeof(text));
    }
    assert_int_equal(err, GR_ERR_NOT_FOUND);
    assert_int_equal(gr_store_scan_next(scan, &key, &value), GR_ERR_NOT_FOUND);
    gr_store_scan_close(scan);
    return text;
}

uint64_t test_random(uint64_t *state)
{
    uint64_t value = *state += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}
