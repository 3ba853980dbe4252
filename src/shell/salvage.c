// A damaged store is set aside, and what can be read of it fed into a new one; see salvage.h.
//
//      wanted: SALVAGE is written
//        |  store -> store.damaged-TIME
//        v
//      aside: what a broken-off attempt left is removed; store.new is filled from the old store, or
//        |    from a rescued copy of its files when it cannot be read from one end to the other
//        |  IDENTITY gets a new store id, SALVAGED is written, store.new -> store
//        v
//      done: SALVAGE is removed
//
//   G1  Each arrow is one rename or one small file, durable before the next begins. After a crash
//       SALVAGE says that there is something to do, and which of `store` and the old directory
//       exist says what: both mean that all was done but the last.
//   G2  The old store is renamed, and read; nothing in it is changed and nothing is removed. What
//       is removed is what an attempt itself has made.
//   G3  No actor of the old store id is ever used again, so it does not matter which of its last
//       writes were lost.
//   G4  A key that the old store shows is taken from there; the rescued copy, where keys may have
//       come back to what they were, fills in only what is missing.
//
// Source: DESIGN.md §4, D8 and D9. Owns: both stores while it runs. Bounds: BATCH_BYTES of rows in
// memory, or one record; disk space for the new store beside the old one.
#include "shell/salvage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "shell/file.h"
#include "shell/log.h"
#include "shell/rows.h"
#include "wire/salvage.h"

enum {
    MARK_BYTES_MAX = 4096,
    NAME_BYTES = 64,
    BATCH_BYTES = 4 << 20,
    STALL_WAIT_US = 10000,
    REPORT_EVERY = 1000000, // records
};

struct feed {
    const struct gr_salvage_config *config;
    struct gr_salvage rows;
    struct gr_store *to;
    struct gr_store_batch *batch;
    bool missing_only; // G4
    uint64_t gaps, kept_before;
    enum gr_err err; // of writing
};

// ---- small files -------------------------------------------------------------------------------

static void path_of(const struct gr_datadir *datadir, const char *name, char *ret)
{
    int size = snprintf(ret, GR_DATADIR_PATH_BYTES, "%s/%s", datadir->path, name);
    gr_assert(size > 0 && size < GR_DATADIR_PATH_BYTES);
}

static bool exists(const struct gr_datadir *datadir, const char *name)
{
    char path[GR_DATADIR_PATH_BYTES];
    struct stat about;
    path_of(datadir, name, path);
    return lstat(path, &about) == 0;
}

static enum gr_err refuse(
    int number, const char *what, const char *name, char *ret_why, size_t why_size)
{
    snprintf(ret_why, why_size, "Cannot %s %.300s: %s.", what, name, strerror(number));
    return number == ENOSPC || number == EDQUOT ? GR_ERR_NO_SPACE : GR_ERR_IO;
}

static enum gr_err sync_directory(const struct gr_datadir *datadir, char *ret_why, size_t why_size)
{
    int dir = open(datadir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int number = dir < 0 || fsync(dir) != 0 ? errno : 0;
    if (dir >= 0)
        close(dir);
    return number == 0 ? GR_OK : refuse(number, "sync", datadir->path, ret_why, why_size);
}

static enum gr_err move(const struct gr_datadir *datadir, const char *from, const char *to,
    char *ret_why, size_t why_size)
{
    char old[GR_DATADIR_PATH_BYTES], new[GR_DATADIR_PATH_BYTES];
    path_of(datadir, from, old);
    path_of(datadir, to, new);
    if (rename(old, new) != 0)
        return refuse(errno, "rename", old, ret_why, why_size);
    return sync_directory(datadir, ret_why, why_size);
}

// The value of a line `key = value`, or "" if there is none such.
static void value_of(const char *text, const char *key, char *ret, size_t size)
{
    ret[0] = '\0';
    size_t length = strlen(key);
    for (const char *line = text; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t bytes = end != NULL ? (size_t)(end - line) : strlen(line);
        if (bytes > length + 3 && strncmp(line, key, length) == 0 &&
            strncmp(line + length, " = ", 3) == 0)
            snprintf(ret, size, "%.*s", (int)(bytes - length - 3), line + length + 3);
        line = end != NULL ? end + 1 : NULL;
    }
}

static bool read_text(const struct gr_datadir *datadir, const char *name, char text[MARK_BYTES_MAX])
{
    char path[GR_DATADIR_PATH_BYTES], why[8], *read = NULL;
    path_of(datadir, name, path);
    if (gr_file_read(path, MARK_BYTES_MAX - 1, &read, why, sizeof(why)) != GR_OK)
        return false;
    memcpy(text, read, strlen(read) + 1);
    gr_hook_memory(read, 0);
    return true;
}

static enum gr_err write_text(const struct gr_datadir *datadir, const char *name, const char *text,
    char *ret_why, size_t why_size)
{
    char path[GR_DATADIR_PATH_BYTES];
    path_of(datadir, name, path);
    return gr_file_write(path, text, 0600, ret_why, why_size);
}

// ---- wanting it ------------------------------------------------------------------------------

// A name that nothing has yet.
static void name_aside(const struct gr_datadir *datadir, char ret[NAME_BYTES])
{
    char stamp[32];
    struct tm parts;
    time_t now = time(NULL);
    gr_assert(gmtime_r(&now, &parts) != NULL);
    gr_assert(strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &parts) > 0);
    snprintf(ret, NAME_BYTES, "store.damaged-%s", stamp);
    for (int i = 2; exists(datadir, ret); i++)
        snprintf(ret, NAME_BYTES, "store.damaged-%s-%d", stamp, i);
}

static enum gr_err write_mark(
    const struct gr_datadir *datadir, const char *why, char *ret_why, size_t why_size)
{
    char text[MARK_BYTES_MAX], aside[NAME_BYTES], line[GR_SALVAGE_TEXT_BYTES];
    name_aside(datadir, aside);
    snprintf(line, sizeof(line), "%s", why);
    for (char *at = line; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    snprintf(text, sizeof(text),
        "# The store of this node is damaged; what can be read of it is fed into a new one.\n"
        "aside = %s\nwhy = %s\n",
        aside, line);
    return write_text(datadir, "SALVAGE", text, ret_why, why_size);
}

// The name for the old store, if SALVAGE says one that can be one.
static bool read_mark(const struct gr_datadir *datadir, char aside[NAME_BYTES], char *ret_reason)
{
    char text[MARK_BYTES_MAX];
    static const char begins[] = "store.damaged-";
    if (!read_text(datadir, "SALVAGE", text))
        return false;
    value_of(text, "aside", aside, NAME_BYTES);
    value_of(text, "why", ret_reason, GR_SALVAGE_TEXT_BYTES);
    return strncmp(aside, begins, strlen(begins)) == 0 && strchr(aside, '/') == NULL;
}

bool gr_salvage_wanted(const struct gr_datadir *datadir)
{
    return exists(datadir, "SALVAGE");
}

enum gr_err gr_salvage_want(
    const struct gr_datadir *datadir, const char *why, char *ret_why, size_t why_size)
{
    char aside[NAME_BYTES], reason[GR_SALVAGE_TEXT_BYTES];
    if (read_mark(datadir, aside, reason))
        return GR_OK;
    return write_mark(datadir, why, ret_why, why_size);
}

// ---- feeding ---------------------------------------------------------------------------------

static void put(void *host, struct gr_bytes key, struct gr_bytes value)
{
    gr_store_batch_put(host, key, value);
}

static void never(void *host, struct gr_bytes key)
{
    (void)host;
    (void)key;
    gr_unreachable("a new store has nothing to remove");
}

static void commit(struct feed *feed)
{
    uint64_t number = 0;
    enum gr_err err = gr_store_apply(feed->to, feed->batch, &number);
    while (err == GR_ERR_STALLED && !atomic_load(feed->config->stop)) {
        usleep(STALL_WAIT_US); // This thread has nothing else to do: the engine must catch up.
        err = gr_store_apply(feed->to, feed->batch, &number);
    }
    feed->err = err == GR_ERR_STALLED ? GR_ERR_BUSY : err;
    gr_store_batch_clear(feed->batch);
}

static bool is_there(struct feed *feed, struct gr_bytes key)
{
    struct gr_store_value value;
    if (gr_store_get(feed->to, key, GR_STORE_READ_ANY, &value) != GR_OK)
        return false;
    gr_store_value_done(feed->to, &value);
    return true;
}

static bool on_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct feed *feed = host;
    if (atomic_load(feed->config->stop))
        feed->err = GR_ERR_BUSY;
    if (feed->err != GR_OK)
        return false;
    if (feed->missing_only && is_there(feed, key))
        return true;
    struct gr_disk_sink sink = {put, never, feed->batch};
    if (gr_salvage_row(&feed->rows, key, value, &sink) &&
        gr_store_batch_bytes(feed->batch) >= BATCH_BYTES)
        commit(feed);
    if (feed->rows.records >= feed->kept_before + REPORT_EVERY) {
        feed->kept_before = feed->rows.records;
        gr_log(GR_LOG_INFO, "salvage: %" PRIu64 " records so far", feed->rows.records);
    }
    return feed->err == GR_OK;
}

static void on_gap(void *host, struct gr_bytes last, struct gr_bytes next)
{
    struct feed *feed = host;
    (void)last;
    (void)next;
    feed->gaps++;
}

// Feeds what a directory holds. GR_ERR_CORRUPT: not all of it could be got at.
static enum gr_err feed_from(struct feed *feed, const char *dir, char *ret_why, size_t why_size)
{
    struct gr_store_options options = {.read_only = true, .damaged = true};
    struct gr_store *from = NULL;
    enum gr_err err = gr_store_open(feed->config->engine, dir, &options, &from, ret_why, why_size);
    if (err != GR_OK)
        return err;
    struct gr_store_snapshot *snapshot = gr_store_snapshot_open(from);
    struct gr_rows_visitor visitor = {.row = on_row, .gap = on_gap, .host = feed};
    err = gr_rows_walk(from, snapshot, &visitor);
    if (err != GR_OK)
        snprintf(
            ret_why, why_size, "Cannot read all of %.200s (%.200s).", dir, gr_store_trouble(from));
    gr_store_snapshot_close(from, snapshot);
    gr_store_close(from);
    if (feed->err == GR_OK && gr_store_batch_count(feed->batch) > 0)
        commit(feed);
    return err;
}

// An engine's directory is flat, but RocksDB moves what it did not understand into one below.
static enum gr_err remove_made(
    const struct gr_datadir *datadir, const char *name, char *ret_why, size_t why_size)
{
    char path[GR_DATADIR_PATH_BYTES], item_path[2 * GR_DATADIR_PATH_BYTES], below[NAME_BYTES];
    path_of(datadir, name, path);
    DIR *list = opendir(path);
    if (list == NULL)
        return errno == ENOENT ? GR_OK : refuse(errno, "read", path, ret_why, why_size);
    int number = 0;
    const struct dirent *item;
    while (number == 0 && (item = readdir(list)) != NULL) {
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        snprintf(item_path, sizeof(item_path), "%s/%s", path, item->d_name);
        if (unlink(item_path) == 0)
            continue;
        number = errno;
        bool is_lost = strcmp(item->d_name, "lost") == 0 && strchr(name, '/') == NULL;
        snprintf(below, sizeof(below), "%s/lost", name);
        if (is_lost && remove_made(datadir, below, ret_why, why_size) == GR_OK)
            number = 0;
    }
    closedir(list);
    if (number == 0 && rmdir(path) != 0)
        number = errno;
    return number == 0 ? GR_OK : refuse(number, "remove", path, ret_why, why_size);
}

// The old store as it is, and where that does not reach its end, its files.
static enum gr_err feed_all(struct feed *feed, const struct gr_datadir *datadir, const char *aside,
    char *ret_why, size_t why_size)
{
    char old[GR_DATADIR_PATH_BYTES], rescue[GR_DATADIR_PATH_BYTES];
    path_of(datadir, aside, old);
    path_of(datadir, "store.rescue", rescue);
    enum gr_err err = feed_from(feed, old, ret_why, why_size);
    if (err == GR_OK || feed->err != GR_OK)
        return feed->err;
    gr_log(GR_LOG_WARN, "salvage: %s Its files are read one by one.", ret_why);
    feed->missing_only = true;
    err = gr_store_rescue(feed->config->engine, old, rescue, ret_why, why_size);
    if (err == GR_OK)
        err = feed_from(feed, rescue, ret_why, why_size);
    if (err == GR_ERR_NO_SPACE)
        return err;
    // Nothing at all could be read: an empty store is what is left, and the others refill it.
    if (err != GR_OK && feed->err == GR_OK)
        gr_log(GR_LOG_WARN, "salvage: %s", ret_why);
    return feed->err;
}

static enum gr_err fill(const struct gr_salvage_config *config, const struct gr_datadir *datadir,
    const char *aside, struct gr_salvage_done *done, char *ret_why, size_t why_size)
{
    char new[GR_DATADIR_PATH_BYTES];
    struct gr_store_options options = {.create = true};
    struct feed feed = {.config = config};
    path_of(datadir, "store.new", new);
    enum gr_err err = gr_store_open(config->engine, new, &options, &feed.to, ret_why, why_size);
    if (err != GR_OK)
        return err;
    feed.batch = gr_store_batch_new();
    gr_salvage_init(&feed.rows, config->cluster->partitions);
    err = feed_all(&feed, datadir, aside, ret_why, why_size);
    uint64_t number = 0;
    struct gr_disk_sink sink = {put, never, feed.batch};
    if (err == GR_OK) {
        gr_salvage_end(&feed.rows, &sink);
        commit(&feed);
        err = feed.err;
    }
    if (err == GR_OK)
        err = gr_store_sync(feed.to, &number);
    if (err == GR_ERR_BUSY)
        snprintf(ret_why, why_size, "The salvage of the store was broken off.");
    else if (err != GR_OK)
        snprintf(ret_why, why_size, "Cannot write %.300s: %s (%.200s).", new,
            gr_err_info(err)->text, gr_store_trouble(feed.to));
    done->records = feed.rows.records;
    done->hints = feed.rows.hints;
    done->unsound = feed.rows.unsound;
    done->gaps = feed.gaps;
    gr_salvage_deinit(&feed.rows);
    gr_store_batch_free(feed.batch);
    gr_store_close(feed.to);
    return err;
}

// ---- the whole ---------------------------------------------------------------------------------

static enum gr_err write_done(const struct gr_datadir *datadir, const char *aside,
    const struct gr_salvage_done *done, char *ret_why, size_t why_size)
{
    char text[MARK_BYTES_MAX];
    snprintf(text, sizeof(text),
        "# The last time that the store of this node was damaged, and what was kept of it.\n"
        "aside = %s\nwhy = %s\nrecords = %" PRIu64 "\nhints = %" PRIu64 "\nunsound = %" PRIu64
        "\ngaps = %" PRIu64 "\n",
        aside, done->why, done->records, done->hints, done->unsound, done->gaps);
    return write_text(datadir, "SALVAGED", text, ret_why, why_size);
}

static enum gr_err remove_attempt(const struct gr_datadir *datadir, char *ret_why, size_t why_size)
{
    enum gr_err err = remove_made(datadir, "store.new", ret_why, why_size);
    return err != GR_OK ? err : remove_made(datadir, "store.rescue", ret_why, why_size);
}

// From the moment that the old store is aside until the new one is in its place.
static enum gr_err replace(const struct gr_salvage_config *config, struct gr_datadir *datadir,
    const char *aside, struct gr_salvage_done *done, char *ret_why, size_t why_size)
{
    enum gr_err err = remove_attempt(datadir, ret_why, why_size);
    if (err == GR_OK)
        err = fill(config, datadir, aside, done, ret_why, why_size);
    if (err == GR_OK)
        err = gr_datadir_new_store(
            datadir, config->cluster, config->name, config->engine->name, ret_why, why_size);
    if (err == GR_OK)
        err = write_done(datadir, aside, done, ret_why, why_size);
    return err != GR_OK ? err : move(datadir, "store.new", "store", ret_why, why_size);
}

enum gr_err gr_salvage_run(const struct gr_salvage_config *config, struct gr_datadir *datadir,
    struct gr_salvage_done *ret, char *ret_why, size_t why_size)
{
    char aside[NAME_BYTES], mark[GR_DATADIR_PATH_BYTES];
    struct gr_salvage_done done = {0};
    enum gr_err err = GR_OK;
    if (!read_mark(datadir, aside, done.why)) {
        err = write_mark(datadir, "asked for by hand", ret_why, why_size);
        gr_assert(err != GR_OK || read_mark(datadir, aside, done.why));
    }
    if (err == GR_OK && !exists(datadir, aside))
        err = move(datadir, "store", aside, ret_why, why_size);
    if (err == GR_OK && !exists(datadir, "store"))
        err = replace(config, datadir, aside, &done, ret_why, why_size);
    path_of(datadir, "SALVAGE", mark);
    if (err == GR_OK && unlink(mark) != 0)
        err = refuse(errno, "remove", mark, ret_why, why_size);
    if (err == GR_OK)
        err = sync_directory(datadir, ret_why, why_size);
    if (err == GR_OK)
        err = remove_attempt(datadir, ret_why, why_size);
    if (err == GR_OK && !gr_salvage_last(datadir, ret))
        *ret = done;
    return err;
}

bool gr_salvage_last(const struct gr_datadir *datadir, struct gr_salvage_done *ret)
{
    char text[MARK_BYTES_MAX], aside[NAME_BYTES], number[24];
    if (!read_text(datadir, "SALVAGED", text))
        return false;
    struct gr_salvage_done done = {0};
    const struct {
        const char *key;
        uint64_t *value;
    } numbers[] = {{"records", &done.records}, {"hints", &done.hints}, {"unsound", &done.unsound},
        {"gaps", &done.gaps}};
    for (size_t i = 0; i < GR_COUNT(numbers); i++) {
        value_of(text, numbers[i].key, number, sizeof(number));
        (void)gr_text_parse_number(number, 0, UINT64_MAX, numbers[i].value);
    }
    value_of(text, "aside", aside, sizeof(aside));
    value_of(text, "why", done.why, sizeof(done.why));
    if (aside[0] == '\0' || strchr(aside, '/') != NULL || !exists(datadir, aside))
        return false;
    path_of(datadir, aside, done.aside);
    *ret = done;
    return true;
}
