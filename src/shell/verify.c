// The look at a stopped node's store that `gramme verify` takes; see verify.h.
//
// The directory's lock is held, so that no node starts meanwhile; the store is opened without
// changing a byte of it, and every row handed to wire/verify. What wire/verify finds is put into
// words here.
//
// Owns: the store and one snapshot of it while it looks. Bounds: as wire/verify.
#include "shell/verify.h"

#include <stdio.h>
#include <string.h>

#include "shell/datadir.h"
#include "shell/rows.h"
#include "shell/salvage.h"
#include "wire/verify.h"

enum { WHERE_BYTES = 640, PART_BYTES = 256 };

struct look {
    struct gr_store *store;
    struct gr_store_snapshot *snapshot;
    struct gr_verify *verify;
    void (*found)(void *host, const struct gr_verify_line *line);
    void *host;
    uint64_t findings;
};

// ---- findings ----------------------------------------------------------------------------------

// Bytes as text that fits a line: printable ASCII as it is, the rest as \xNN.
static const char *printable(struct gr_bytes bytes, char *ret, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t c = bytes.data[i];
        char one[5];
        bool plain = c > 0x20 && c < 0x7f && c != '\\';
        int length = snprintf(one, sizeof(one), plain ? "%c" : "\\x%02x", c);
        if (used + (size_t)length + 4 > size) {
            memcpy(ret + used, "...", 4);
            return ret;
        }
        memcpy(ret + used, one, (size_t)length);
        used += (size_t)length;
    }
    ret[used] = '\0';
    return ret;
}

// Where it is, for people.
static void describe(const struct gr_verify_finding *finding, char *ret, size_t size)
{
    char text[PART_BYTES], end[PART_BYTES];
    if (finding->kind == GR_VERIFY_ENGINE) {
        bool first = finding->row_key.size == 0, last = finding->row_end.size == 0;
        snprintf(ret, size, "after %s, before %s",
            first ? "the beginning" : printable(finding->row_key, text, sizeof(text)),
            last ? "the end" : printable(finding->row_end, end, sizeof(end)));
        return;
    }
    size_t used = 0;
    if (finding->partition != GR_VERIFY_NOWHERE)
        used = (size_t)snprintf(ret, size, "partition %u", finding->partition);
    const char *between = used > 0 ? ", " : "";
    if (finding->key.key.size > 0)
        snprintf(ret + used, size - used, "%sbucket %s, key %s", between,
            printable(finding->key.bucket, text, sizeof(text)),
            printable(finding->key.key, end, sizeof(end)));
    else if (finding->row_key.size > 0)
        snprintf(ret + used, size - used, "%srow %s", between,
            printable(finding->row_key, text, sizeof(text)));
}

static void on_found(void *host, const struct gr_verify_finding *finding)
{
    struct look *look = host;
    const struct gr_verify_text *text = gr_verify_text(finding->kind);
    char where[WHERE_BYTES] = "";
    describe(finding, where, sizeof(where));
    look->findings++;
    look->found(look->host, &(struct gr_verify_line){
                                .name = text->name,
                                .what = text->what,
                                .then = text->then,
                                .where = where,
                                .in_partition = finding->partition != GR_VERIFY_NOWHERE,
                                .partition = finding->partition,
                                .bucket = finding->key.bucket,
                                .key = finding->key.key,
                            });
}

// ---- rows --------------------------------------------------------------------------------------

static enum gr_err on_get(
    void *host, struct gr_bytes row_key, struct gr_arena *arena, struct gr_bytes *ret_value)
{
    struct look *look = host;
    struct gr_store_value value;
    enum gr_err err = gr_store_snapshot_get(look->store, look->snapshot, row_key, &value);
    if (err != GR_OK)
        return err;
    *ret_value = gr_arena_copy(arena, value.bytes);
    gr_store_value_done(look->store, &value);
    return GR_OK;
}

static bool on_row(void *host, struct gr_bytes key, struct gr_bytes value)
{
    struct look *look = host;
    gr_verify_row(look->verify, key, value);
    return true;
}

static void on_gap(void *host, struct gr_bytes last, struct gr_bytes next)
{
    struct look *look = host;
    gr_verify_gap(look->verify, last, next);
}

static void look_at_run(struct look *look)
{
    char why[PART_BYTES];
    uint32_t number = 0;
    struct gr_arena arena = {0};
    if (gr_datadir_last_run(look->store, &number, why, sizeof(why)) == GR_ERR_CORRUPT)
        on_found(look, &(struct gr_verify_finding){.kind = GR_VERIFY_META,
                           .partition = GR_VERIFY_NOWHERE,
                           .row_key = gr_disk_meta_key(&arena, "run")});
    gr_arena_deinit(&arena);
}

// ---- the whole ---------------------------------------------------------------------------------

static enum gr_err look_at(struct look *look, uint32_t partitions,
    struct gr_verify_counts *ret_counts, char *ret_why, size_t why_size)
{
    struct gr_verify_host host = {.get = on_get, .found = on_found, .host = look};
    struct gr_rows_visitor visitor = {.row = on_row, .gap = on_gap, .host = look};
    look->verify = gr_verify_new(partitions, &host);
    look->snapshot = gr_store_snapshot_open(look->store);
    enum gr_err err = gr_rows_walk(look->store, look->snapshot, &visitor);
    look_at_run(look);
    struct gr_verify_summary sum = gr_verify_end(look->verify);
    gr_store_snapshot_close(look->store, look->snapshot);
    *ret_counts = (struct gr_verify_counts){
        .keys = sum.keys,
        .records = sum.records,
        .clocks = sum.clocks,
        .partitions = sum.partitions,
        .due = sum.due,
        .leftover = sum.leftover,
        .hints = sum.hints,
        .meta = sum.meta,
        .bytes = sum.bytes,
    };
    // What cannot be read because it is damaged has been said.
    if (err == GR_OK || err == GR_ERR_CORRUPT)
        return GR_OK;
    snprintf(ret_why, why_size, "Cannot read the store: %s (%.200s).", gr_err_info(err)->text,
        gr_store_trouble(look->store));
    return err;
}

static enum gr_err open_store(const struct gr_datadir *datadir,
    const struct gr_store_engine *engine, struct gr_store **ret_store, char *ret_why,
    size_t why_size)
{
    struct gr_store_options options = {.read_only = true};
    enum gr_err err =
        gr_store_open(engine, datadir->store_path, &options, ret_store, ret_why, why_size);
    if (err != GR_ERR_CORRUPT)
        return err;
    // Perhaps some of it can be read, and says more.
    options.damaged = true;
    return gr_store_open(engine, datadir->store_path, &options, ret_store, ret_why, why_size);
}

static enum gr_err look_into(const struct gr_datadir *datadir, const struct gr_datadir_about *about,
    struct look *look, struct gr_verify_counts *ret_counts, char *ret_why, size_t why_size)
{
    const struct gr_store_engine *engine = gr_store_engine_named(about->engine);
    if (gr_salvage_wanted(datadir)) {
        snprintf(ret_why, why_size,
            "The store in %.300s is damaged and about to be salvaged: start the node, it does that "
            "first.",
            datadir->path);
        return GR_ERR_INVALID;
    }
    if (engine == NULL || GR_SLOTS % about->partitions != 0) {
        snprintf(ret_why, why_size, "The file %.300s/IDENTITY is damaged.", datadir->path);
        return GR_ERR_INVALID;
    }
    enum gr_err err = open_store(datadir, engine, &look->store, ret_why, why_size);
    if (err == GR_ERR_CORRUPT) { // A store that cannot even be opened is one finding.
        on_found(look,
            &(struct gr_verify_finding){.kind = GR_VERIFY_ENGINE, .partition = GR_VERIFY_NOWHERE});
        return GR_OK;
    }
    if (err != GR_OK)
        return err;
    err = look_at(look, (uint32_t)about->partitions, ret_counts, ret_why, why_size);
    gr_store_close(look->store);
    return err;
}

enum gr_err gr_verify_directory(const char *path,
    void (*found)(void *host, const struct gr_verify_line *line), void *host,
    struct gr_verify_counts *ret_counts, char *ret_why, size_t why_size)
{
    struct gr_datadir datadir;
    struct gr_datadir_about about;
    struct look look = {.found = found, .host = host};
    enum gr_err err = gr_datadir_inspect(path, &datadir, &about, ret_why, why_size);
    if (err != GR_OK)
        return err;
    *ret_counts = (struct gr_verify_counts){0};
    err = look_into(&datadir, &about, &look, ret_counts, ret_why, why_size);
    ret_counts->findings = look.findings;
    gr_datadir_close(&datadir);
    return err;
}
