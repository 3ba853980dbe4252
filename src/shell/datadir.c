// The data directory: whose it is, and that only one process uses it; see datadir.h.
//
//   I1  IDENTITY is durable before the store is made: a directory with a store and without an
//       IDENTITY is not ours, and is left alone.
//   I2  Nothing in the directory but LOCK is read or written before the lock is held.
//   I3  No two runs of one store have the same actor: the number grows with each start of this
//       store, and where a copy or a roll-back repeats a number, 32 random bits differ.
#include "shell/datadir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/hash.h"
#include "shell/file.h"
#include "wire/disk.h"

enum { IDENTITY_BYTES_MAX = 4096, RUN_ROW_BYTES = 1 + 4 + 8 };

struct identity {
    uint64_t format;
    struct gr_datadir_about about;
};

static void path_of(const char *dir, const char *name, char ret[GR_DATADIR_PATH_BYTES])
{
    int size = snprintf(ret, GR_DATADIR_PATH_BYTES, "%s/%s", dir, name);
    gr_assert(size > 0 && size < GR_DATADIR_PATH_BYTES);
}

static uint64_t random_number(void)
{
    uint64_t number = 0;
    while (number == 0)
        gr_assert(getrandom(&number, sizeof(number), 0) == (ssize_t)sizeof(number));
    return number;
}

// ---- the lock --------------------------------------------------------------------------------

static enum gr_err take_lock(
    const char *dir, int flags, int *ret_lock, char *ret_why, size_t why_size)
{
    char path[GR_DATADIR_PATH_BYTES];
    path_of(dir, "LOCK", path);
    int lock = open(path, flags | O_CLOEXEC, 0600);
    if (lock < 0) {
        snprintf(ret_why, why_size, "Cannot open %.300s: %s.", path, strerror(errno));
        return errno == ENOSPC || errno == EDQUOT ? GR_ERR_NO_SPACE : GR_ERR_IO;
    }
    if (flock(lock, LOCK_EX | LOCK_NB) == 0) {
        *ret_lock = lock;
        return GR_OK;
    }
    int number = errno;
    close(lock);
    if (number != EWOULDBLOCK) {
        snprintf(ret_why, why_size, "Cannot lock %.300s: %s.", path, strerror(number));
        return GR_ERR_IO;
    }
    snprintf(ret_why, why_size,
        "Another process uses the data directory %.300s: stop it, or name another directory.", dir);
    return GR_ERR_LOCKED;
}

// ---- IDENTITY --------------------------------------------------------------------------------

// Cuts the text into `key = value` lines; false when one is not understood.
static bool parse_identity(char *text, struct identity *ret)
{
    const struct {
        const char *key;
        char *value;
        size_t size;
    } fields[] = {
        {"cluster", ret->about.cluster, sizeof(ret->about.cluster)},
        {"name", ret->about.name, sizeof(ret->about.name)},
        {"store", ret->about.store, sizeof(ret->about.store)},
        {"engine", ret->about.engine, sizeof(ret->about.engine)},
    };
    size_t found = 0;
    for (char *rest = text; rest != NULL;) {
        char *line = gr_text_trim(strsep(&rest, "\n")), *equals = strchr(line, '=');
        if (line[0] == '\0' || line[0] == '#')
            continue;
        if (equals == NULL)
            return false;
        *equals = '\0';
        const char *key = gr_text_trim(line), *value = gr_text_trim(equals + 1);
        if (strcmp(key, "format") == 0 && !gr_text_parse_number(value, 1, UINT32_MAX, &ret->format))
            return false;
        if (strcmp(key, "partitions") == 0 &&
            !gr_text_parse_number(value, 1, GR_PARTITIONS_MAX, &ret->about.partitions))
            return false;
        for (size_t i = 0; i < GR_COUNT(fields); i++) {
            if (strcmp(key, fields[i].key) != 0)
                continue;
            if (strlen(value) >= fields[i].size || fields[i].value[0] != '\0')
                return false;
            memcpy(fields[i].value, value, strlen(value) + 1);
            found++;
        }
    }
    // What another format holds is not for us to judge.
    return (ret->format > 0 && ret->format != GR_DATADIR_FORMAT) ||
           (ret->format > 0 && ret->about.partitions > 0 && found == GR_COUNT(fields));
}

static enum gr_err check_identity(const char *dir, const struct identity *found,
    const struct identity *wanted, char *ret_why, size_t why_size)
{
    if (found->format > GR_DATADIR_FORMAT)
        snprintf(ret_why, why_size,
            "The data directory %.300s has format %" PRIu64
            ", and this program knows only %d: use the program that wrote it, or a newer one.",
            dir, found->format, GR_DATADIR_FORMAT);
    else if (found->format < GR_DATADIR_FORMAT)
        snprintf(ret_why, why_size,
            "The data directory %.300s has the old format %" PRIu64
            ", and this program reads only %d: use the program that wrote it, or name an empty "
            "directory.",
            dir, found->format, GR_DATADIR_FORMAT);
    else if (strcmp(found->about.cluster, wanted->about.cluster) != 0)
        snprintf(ret_why, why_size,
            "The data directory %.300s belongs to cluster %s, not to %s: name that cluster's file, "
            "or another directory.",
            dir, found->about.cluster, wanted->about.cluster);
    else if (strcmp(found->about.name, wanted->about.name) != 0)
        snprintf(ret_why, why_size,
            "The data directory %.300s belongs to the member %s, not to %s: start it under that "
            "name, or name another directory.",
            dir, found->about.name, wanted->about.name);
    else if (strcmp(found->about.engine, wanted->about.engine) != 0)
        snprintf(ret_why, why_size,
            "The data directory %.300s was made by the engine %s, not by %s: set engine = %s, or "
            "name another directory.",
            dir, found->about.engine, wanted->about.engine, found->about.engine);
    else if (found->about.partitions != wanted->about.partitions)
        snprintf(ret_why, why_size,
            "The data directory %.300s was made for %" PRIu64 " partitions, and the cluster file "
            "says %" PRIu64 ": they are fixed when a cluster is made, so put that number back.",
            dir, found->about.partitions, wanted->about.partitions);
    else
        return GR_OK;
    return GR_ERR_FORMAT;
}

static enum gr_err write_identity(const char *path, const struct identity *identity,
    struct gr_datadir *datadir, char *ret_why, size_t why_size)
{
    char text[IDENTITY_BYTES_MAX];
    datadir->store_id = random_number();
    snprintf(text, sizeof(text),
        "# What this directory is. Gramme refuses to start when it does not fit.\n"
        "format = %d\ncluster = %s\nname = %s\nstore = %016" PRIx64
        "\nengine = %s\npartitions = %" PRIu64 "\n",
        GR_DATADIR_FORMAT, identity->about.cluster, identity->about.name, datadir->store_id,
        identity->about.engine, identity->about.partitions);
    return gr_file_write(path, text, 0600, ret_why, why_size);
}

// I1: only a directory without anything of others becomes a data directory.
static enum gr_err check_empty(const char *dir, char *ret_why, size_t why_size)
{
    DIR *list = opendir(dir);
    if (list == NULL) {
        snprintf(ret_why, why_size, "Cannot read directory %.300s: %s.", dir, strerror(errno));
        return GR_ERR_IO;
    }
    char other[256] = "";
    const struct dirent *item;
    while ((item = readdir(list)) != NULL) {
        static const char *const known[] = {".", "..", "LOCK", "IDENTITY.new", "lost+found"};
        bool is_known = false;
        for (size_t i = 0; i < GR_COUNT(known); i++)
            is_known |= strcmp(item->d_name, known[i]) == 0;
        if (!is_known)
            snprintf(other, sizeof(other), "%s", item->d_name);
    }
    closedir(list);
    if (other[0] == '\0')
        return GR_OK;
    snprintf(ret_why, why_size,
        "The directory %.300s holds %.80s but no IDENTITY file, so it is no data directory of "
        "Gramme: name an empty one, or a new one.",
        dir, other);
    return GR_ERR_INVALID;
}

static enum gr_err load_identity(const char *dir, const struct identity *wanted,
    struct gr_datadir *datadir, char *ret_why, size_t why_size)
{
    char path[GR_DATADIR_PATH_BYTES], *text = NULL;
    path_of(dir, "IDENTITY", path);
    enum gr_err err = gr_file_read(path, IDENTITY_BYTES_MAX, &text, ret_why, why_size);
    if (err == GR_ERR_NOT_FOUND) {
        datadir->created = true;
        err = check_empty(dir, ret_why, why_size);
        return err != GR_OK ? err : write_identity(path, wanted, datadir, ret_why, why_size);
    }
    if (err != GR_OK)
        return err;
    struct identity found = {0};
    uint8_t id[8];
    bool good = parse_identity(text, &found);
    gr_hook_memory(text, 0);
    if (good && found.format == GR_DATADIR_FORMAT)
        good = gr_text_parse_hex(found.about.store, id, sizeof(id));
    if (!good) {
        snprintf(ret_why, why_size,
            "The file %.300s is damaged: restore it from a copy, or name "
            "another directory.",
            path);
        return GR_ERR_INVALID;
    }
    err = check_identity(dir, &found, wanted, ret_why, why_size);
    if (err != GR_OK)
        return err;
    // An engine that forgets is a new store each time.
    if (strcmp(found.about.engine, gr_store_memory.name) == 0)
        return write_identity(path, wanted, datadir, ret_why, why_size);
    for (size_t i = 0; i < sizeof(id); i++)
        datadir->store_id = datadir->store_id << 8 | id[i];
    return GR_OK;
}

static struct identity identity_of(
    const struct gr_cluster *cluster, const char *name, const char *engine)
{
    struct identity wanted = {.format = GR_DATADIR_FORMAT, .about.partitions = cluster->partitions};
    struct gr_datadir_about *about = &wanted.about;
    gr_assert(strlen(name) < sizeof(about->name) && strlen(engine) < sizeof(about->engine));
    gr_text_format_hex(cluster->id, sizeof(cluster->id), about->cluster);
    memcpy(about->name, name, strlen(name) + 1);
    memcpy(about->engine, engine, strlen(engine) + 1);
    return wanted;
}

enum gr_err gr_datadir_open(const char *path, const struct gr_cluster *cluster, const char *name,
    const char *engine, struct gr_datadir *ret, char *ret_why, size_t why_size)
{
    struct identity wanted = identity_of(cluster, name, engine);
    struct gr_datadir datadir = {.lock = -1};
    enum gr_err err = gr_file_make_dir(path, 0700, ret_why, why_size);
    if (err == GR_OK)
        err = take_lock(path, O_RDWR | O_CREAT, &datadir.lock, ret_why, why_size);
    if (err != GR_OK)
        return err;
    err = load_identity(path, &wanted, &datadir, ret_why, why_size);
    if (err != GR_OK) {
        gr_datadir_close(&datadir);
        return err;
    }
    path_of(path, "store", datadir.store_path);
    snprintf(datadir.path, sizeof(datadir.path), "%s", path);
    *ret = datadir;
    return GR_OK;
}

enum gr_err gr_datadir_new_store(struct gr_datadir *datadir, const struct gr_cluster *cluster,
    const char *name, const char *engine, char *ret_why, size_t why_size)
{
    char path[GR_DATADIR_PATH_BYTES];
    struct identity wanted = identity_of(cluster, name, engine);
    path_of(datadir->path, "IDENTITY", path);
    return write_identity(path, &wanted, datadir, ret_why, why_size);
}

enum gr_err gr_datadir_inspect(const char *path, struct gr_datadir *ret,
    struct gr_datadir_about *ret_about, char *ret_why, size_t why_size)
{
    struct gr_datadir datadir = {.lock = -1};
    struct identity found = {0};
    char *text = NULL;
    char file[GR_DATADIR_PATH_BYTES];
    if (strlen(path) >= sizeof(file) - 64) {
        snprintf(ret_why, why_size, "The path %.60s... is too long.", path);
        return GR_ERR_INVALID;
    }
    path_of(path, "IDENTITY", file);
    enum gr_err err = gr_file_read(file, IDENTITY_BYTES_MAX, &text, ret_why, why_size);
    if (err == GR_OK)
        err = take_lock(path, O_RDONLY, &datadir.lock, ret_why, why_size);
    bool good = err == GR_OK && parse_identity(text, &found);
    gr_hook_memory(text, 0);
    if (err == GR_OK && (!good || found.format != GR_DATADIR_FORMAT)) {
        snprintf(ret_why, why_size, "The file %.300s is damaged, or of another version of Gramme.",
            file);
        gr_datadir_close(&datadir);
        err = GR_ERR_FORMAT;
    }
    if (err != GR_OK)
        return err;
    path_of(path, "store", datadir.store_path);
    path_of(path, "", datadir.path);
    *ret = datadir;
    *ret_about = found.about;
    return GR_OK;
}

void gr_datadir_close(struct gr_datadir *datadir)
{
    if (datadir->lock >= 0)
        close(datadir->lock);
    datadir->lock = -1;
}

// ---- runs ------------------------------------------------------------------------------------

// The row `run`: format, the number of the last run, and a hash of both.
static enum gr_err read_run(
    struct gr_store *store, struct gr_bytes key, uint32_t *ret_number, char *ret_why, size_t why)
{
    struct gr_store_value value;
    enum gr_err err = gr_store_get(store, key, GR_STORE_READ_ANY, &value);
    if (err == GR_ERR_NOT_FOUND) {
        *ret_number = 0;
        return GR_OK;
    }
    if (err != GR_OK) {
        snprintf(ret_why, why, "Cannot read the run number from the store: %.300s.",
            gr_store_trouble(store));
        return err;
    }
    struct gr_reader reader = gr_reader_of(value.bytes);
    uint8_t format = gr_read_u8(&reader);
    uint32_t number = gr_read_u32(&reader);
    uint64_t hash = gr_read_u64(&reader);
    bool whole = gr_reader_done(&reader) && format == GR_DISK_FORMAT &&
                 hash == gr_hash64(gr_bytes(value.bytes.data, 5), 0) && number < UINT32_MAX;
    gr_store_value_done(store, &value);
    if (!whole) {
        snprintf(ret_why, why, "The run number in the store is damaged.");
        return GR_ERR_CORRUPT;
    }
    *ret_number = number;
    return GR_OK;
}

static enum gr_err write_run(struct gr_store *store, struct gr_bytes key, uint32_t number)
{
    struct gr_writer row;
    gr_writer_init(&row, RUN_ROW_BYTES);
    gr_write_u8(&row, GR_DISK_FORMAT);
    gr_write_u32(&row, number);
    gr_write_u64(&row, gr_hash64(gr_writer_bytes(&row), 0));
    struct gr_store_batch *batch = gr_store_batch_new();
    gr_store_batch_put(batch, key, gr_writer_bytes(&row));
    uint64_t applied = 0, synced = 0;
    enum gr_err err = GR_ERR_STALLED;
    // A stall at the start ends when the engine has caught up with what the last run left it.
    for (int try = 0; err == GR_ERR_STALLED && try < 1000; try++) {
        if (try > 0)
            usleep(10000);
        err = gr_store_apply(store, batch, &applied);
    }
    if (err == GR_OK)
        err = gr_store_sync(store, &synced);
    gr_assert(err != GR_OK || synced >= applied);
    gr_store_batch_free(batch);
    gr_writer_deinit(&row);
    return err;
}

enum gr_err gr_datadir_last_run(
    struct gr_store *store, uint32_t *ret_number, char *ret_why, size_t why_size)
{
    struct gr_arena arena = {0};
    struct gr_bytes key = gr_disk_meta_key(&arena, "run");
    enum gr_err err = read_run(store, key, ret_number, ret_why, why_size);
    gr_arena_deinit(&arena);
    return err;
}

enum gr_err gr_datadir_begin_run(struct gr_store *store, uint64_t store_id,
    struct gr_actor *ret_actor, char *ret_why, size_t why_size)
{
    struct gr_arena arena = {0};
    struct gr_bytes key = gr_disk_meta_key(&arena, "run");
    uint32_t number = 0;
    enum gr_err err = read_run(store, key, &number, ret_why, why_size);
    if (err == GR_OK) {
        number++;
        err = write_run(store, key, number);
        if (err != GR_OK)
            snprintf(ret_why, why_size, "Cannot begin run %u: %s (%.300s).", number,
                gr_err_info(err)->text, gr_store_trouble(store));
    }
    gr_arena_deinit(&arena);
    if (err == GR_OK)
        *ret_actor = (struct gr_actor){
            .store = store_id, .run = (uint64_t)number << 32 | (random_number() & UINT32_MAX)};
    return err;
}
