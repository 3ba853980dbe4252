// The file FACTS; see facts.h.
//
//     Gramme facts, and a line feed | u8 format | u32 count | facts | u64 hash of all before
//     a fact: u8 kind | u64 key | varint version | block value
//
//   FF1  A file is believed whole or not at all: the hash is looked at before anything but the
//        format, which says where the hash is.
#include "shell/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "shell/file.h"

static const char MAGIC[] = "Gramme facts\n";

enum {
    MAGIC_BYTES = sizeof MAGIC - 1,
    HASH_BYTES = 8,
    FACT_BYTES_MIN = 1 + 8 + 1 + 1,
    WHY_BYTES = 1024,
};

static bool is_kept(uint8_t kind)
{
    return kind > 0 && kind != GR_FACT_STATUS; // unknown ones too: core/facts.h
}

// ---- writing ---------------------------------------------------------------------------------

// The first with NULL, NULL at the end.
static const struct gr_known *next_kept(const struct gr_facts *facts, const struct gr_known *after)
{
    int first = after == NULL ? 1 : GR_MIN(after->kind, GR_FACT_KINDS);
    for (int kind = first; kind <= GR_FACT_KINDS; kind++) {
        const struct gr_known *known =
            is_kept((uint8_t)kind) ? gr_facts_next(facts, (enum gr_fact_kind)kind, after) : NULL;
        if (known != NULL)
            return known;
        after = NULL;
    }
    return NULL;
}

static void encode(struct gr_writer *out, const struct gr_facts *facts)
{
    uint32_t count = 0;
    const struct gr_known *known = NULL;
    while ((known = next_kept(facts, known)) != NULL)
        count++;
    gr_write_bytes(out, gr_bytes(MAGIC, MAGIC_BYTES));
    gr_write_u8(out, GR_FACTS_FILE_FORMAT);
    gr_write_u32(out, count);
    while ((known = next_kept(facts, known)) != NULL) {
        gr_write_u8(out, known->kind);
        gr_write_u64(out, known->key);
        gr_write_varint(out, known->version);
        gr_write_block(out, gr_bytes(known->value, known->size));
    }
    gr_write_u64(out, gr_hash64(gr_writer_bytes(out), 0));
}

static const char *advice(enum gr_err err)
{
    if (err == GR_ERR_NO_SPACE)
        return "free some space there";
    return err == GR_ERR_NOT_FOUND ? "put the directory back"
                                   : "see that this user may write there and that the disk is well";
}

enum gr_err gr_facts_write(
    const char *path, const struct gr_facts *facts, char *ret_why, size_t why_size)
{
    struct gr_writer out;
    gr_writer_init(&out, GR_FACTS_FILE_BYTES_MAX);
    encode(&out, facts);
    enum gr_err err = GR_ERR_INVALID;
    if (out.bad) {
        snprintf(ret_why, why_size,
            "What is known of the cluster has more than %d bytes, so %.300s was left as it was: "
            "please "
            "report this, since no cluster should need so much.",
            GR_FACTS_FILE_BYTES_MAX, path);
    } else {
        char why[WHY_BYTES] = "";
        err = gr_file_write_bytes(path, gr_writer_bytes(&out), 0600, why, sizeof why);
        size_t size = strlen(why);
        if (err != GR_OK)
            snprintf(ret_why, why_size,
                "%.*s: %s, or this node may not find the others when all were off.",
                (int)(size > 0 && why[size - 1] == '.' ? size - 1 : size), why, advice(err));
    }
    gr_writer_deinit(&out);
    return err;
}

// ---- reading ---------------------------------------------------------------------------------

static bool decode(
    struct gr_reader *in, struct gr_arena *arena, struct gr_fact **ret_list, uint32_t *ret_count)
{
    uint32_t count = gr_read_u32(in);
    if (count > GR_FACTS_MAX || (size_t)count * FACT_BYTES_MIN > gr_reader_left(in))
        return false;
    struct gr_fact *list = gr_arena_array(arena, struct gr_fact, count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind = gr_read_u8(in);
        uint64_t key = gr_read_u64(in), version = gr_read_varint(in);
        struct gr_bytes value = gr_read_block(in, GR_FACT_BYTES_MAX);
        if (in->bad || !is_kept(kind) || version == 0 || version > GR_FACT_VERSION_MAX)
            return false;
        list[i] = gr_fact_make(kind, key, version, gr_arena_copy(arena, value));
    }
    *ret_list = list;
    *ret_count = count;
    return gr_reader_done(in);
}

// FF1. GR_ERR_CORRUPT or GR_ERR_FORMAT, without words; *ret_format is what the file says.
static enum gr_err parse(struct gr_bytes bytes, struct gr_arena *arena, uint8_t *ret_format,
    struct gr_fact **ret, uint32_t *ret_count)
{
    if (bytes.size <= MAGIC_BYTES || memcmp(bytes.data, MAGIC, MAGIC_BYTES) != 0)
        return GR_ERR_CORRUPT;
    *ret_format = bytes.data[MAGIC_BYTES];
    if (*ret_format > GR_FACTS_FILE_FORMAT)
        return GR_ERR_FORMAT;
    if (*ret_format == 0 || bytes.size < MAGIC_BYTES + 1 + HASH_BYTES)
        return GR_ERR_CORRUPT;
    size_t size = bytes.size - HASH_BYTES;
    struct gr_reader hash = gr_reader_of(gr_bytes(bytes.data + size, HASH_BYTES));
    if (gr_read_u64(&hash) != gr_hash64(gr_bytes(bytes.data, size), 0))
        return GR_ERR_CORRUPT;
    struct gr_reader in =
        gr_reader_of(gr_bytes(bytes.data + MAGIC_BYTES + 1, size - MAGIC_BYTES - 1));
    struct gr_fact *list;
    uint32_t count;
    if (!decode(&in, arena, &list, &count))
        return GR_ERR_CORRUPT;
    *ret = list;
    *ret_count = count;
    return GR_OK;
}

enum gr_err gr_facts_read(const char *path, struct gr_arena *arena, struct gr_fact **ret,
    uint32_t *ret_count, char *ret_why, size_t why_size)
{
    uint8_t *bytes = NULL, format = 0;
    size_t size = 0;
    enum gr_err err =
        gr_file_read_bytes(path, GR_FACTS_FILE_BYTES_MAX, &bytes, &size, ret_why, why_size);
    if (err == GR_OK)
        err = parse(gr_bytes(bytes, size), arena, &format, ret, ret_count);
    else if (err == GR_ERR_INVALID) // it has more bytes than are ever written
        err = GR_ERR_CORRUPT;
    gr_hook_memory(bytes, 0);
    if (err == GR_ERR_CORRUPT)
        snprintf(ret_why, why_size,
            "The file %.300s is damaged: restore it from a copy, or remove it, and this node asks "
            "the members that the cluster file names.",
            path);
    else if (err == GR_ERR_FORMAT)
        snprintf(ret_why, why_size,
            "The file %.300s has format %u, and this program knows only %d: use the program that "
            "wrote it, or a newer one.",
            path, format, GR_FACTS_FILE_FORMAT);
    return err;
}
