// All rows of a store that may be damaged; see rows.h.
//
// A block of a table that does not fit its checksum hides a range of keys, and an engine that meets
// it ends the scan there. Where the range ends nobody says; but a scan that begins behind it works.
// So positions are tried: behind the last row that was read, then further and further away until
// one works, then back by halves to the first that does.
//
//      last row   X X X X X X X X X X  first row that can be read
//          |  1 2   4       8          16 works
//          |                     12 does not, 14 does not, 15 works: go on from 15
//
//   W1  A position is the first eight bytes of a key, which tell slots and most keys apart: keys
//       that share them with the last one are given up together with the range.
//   W2  Positions only grow, so the walk ends.
//   W3  What can be read between two damaged ranges may be given up with them, when it is narrower
//       than the first of them.
//
// Owns: the last key. Bounds: 1,000 tries for one gap.
#include "shell/rows.h"

#include <string.h>

#include "base/bytes.h"
#include "wire/disk.h"

enum { POSITION_BYTES = 8 };

struct walk {
    struct gr_store *store;
    struct gr_store_snapshot *snapshot;
    const struct gr_rows_visitor *visitor;
    struct gr_writer last; // the last key read
    bool any, enough;
};

static struct gr_bytes key_at(uint64_t position, uint8_t ret[POSITION_BYTES])
{
    for (int i = 0; i < POSITION_BYTES; i++)
        ret[i] = (uint8_t)(position >> (8 * (POSITION_BYTES - 1 - i)));
    return gr_bytes(ret, POSITION_BYTES);
}

static uint64_t position_of(struct gr_bytes key)
{
    uint64_t position = 0;
    for (size_t i = 0; i < POSITION_BYTES; i++)
        position = position << 8 | (i < key.size ? key.data[i] : 0);
    return position;
}

// Reads from a position on until something ends it: GR_ERR_NOT_FOUND at the end.
static enum gr_err read_from(struct walk *walk, struct gr_bytes from)
{
    struct gr_store_scan *scan =
        gr_store_scan_open(walk->store, walk->snapshot, from, gr_bytes("", 0));
    struct gr_bytes key, value;
    enum gr_err err = GR_OK;
    while (!walk->enough && (err = gr_store_scan_next(scan, &key, &value)) == GR_OK) {
        gr_writer_clear(&walk->last);
        gr_write_bytes(&walk->last, key);
        walk->any = true;
        walk->enough = !walk->visitor->row(walk->visitor->host, key, value);
    }
    gr_store_scan_close(scan);
    return err;
}

// GR_OK if a scan can begin there.
static enum gr_err try(struct walk *walk, uint64_t position)
{
    uint8_t bytes[POSITION_BYTES];
    struct gr_bytes key, value;
    struct gr_store_scan *scan =
        gr_store_scan_open(walk->store, walk->snapshot, key_at(position, bytes), gr_bytes("", 0));
    enum gr_err err = gr_store_scan_next(scan, &key, &value);
    gr_store_scan_close(scan);
    return err == GR_ERR_NOT_FOUND ? GR_OK : err;
}

// The first position that works from *position on, before `end`. GR_ERR_CORRUPT: none was found.
static enum gr_err find_before(struct walk *walk, uint64_t end, uint64_t *position)
{
    uint64_t low = *position, high = low, step = 1;
    enum gr_err err = try(walk, high);
    if (err != GR_ERR_CORRUPT)
        return err;
    while (err == GR_ERR_CORRUPT && high < end) {
        low = high;
        high = step > end - high ? end : high + step;
        step *= step < UINT64_MAX / 2 ? 2 : 1;
        err = try(walk, high);
    }
    while (err == GR_OK && high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        enum gr_err there = try(walk, middle);
        if (there == GR_OK)
            high = middle;
        else if (there == GR_ERR_CORRUPT)
            low = middle;
        else
            err = there;
    }
    *position = high;
    return err;
}

// Steps grow with the distance from where they began, so they begin anew with each kind of row: the
// kinds are far from each other.
static enum gr_err find_next(struct walk *walk, uint64_t *position)
{
    static const enum gr_disk_kind kinds[] = {GR_DISK_CLOCK, GR_DISK_PARTITION, GR_DISK_HINT,
        GR_DISK_META, GR_DISK_LEFTOVER, GR_DISK_RECORD, GR_DISK_HOLDS, GR_DISK_DUE};
    enum gr_err err = try(walk, UINT64_MAX);
    for (size_t i = 0; err == GR_OK && i < GR_COUNT(kinds); i++) {
        uint64_t begin = (uint64_t)kinds[i] << 56;
        if (begin <= *position)
            continue;
        enum gr_err there = find_before(walk, begin - 1, position);
        if (there != GR_ERR_CORRUPT)
            return there;
        *position = begin;
    }
    return err != GR_OK ? err : find_before(walk, UINT64_MAX, position);
}

enum gr_err gr_rows_walk(struct gr_store *store, struct gr_store_snapshot *snapshot,
    const struct gr_rows_visitor *visitor)
{
    struct walk walk = {.store = store, .snapshot = snapshot, .visitor = visitor};
    const struct gr_bytes nothing = gr_bytes("", 0);
    uint8_t bytes[POSITION_BYTES];
    struct gr_bytes from = nothing;
    uint64_t tried = 0;
    gr_writer_init(&walk.last, UINT32_MAX);
    enum gr_err err;
    while ((err = read_from(&walk, from)) == GR_ERR_CORRUPT) {
        struct gr_bytes last = walk.any ? gr_writer_bytes(&walk.last) : nothing;
        uint64_t position = walk.any ? position_of(last) : 0;
        if (position < UINT64_MAX)
            position++;
        position = GR_MAX(position, tried);
        err = find_next(&walk, &position);
        if (err == GR_ERR_IO)
            break;
        from = err == GR_OK ? key_at(position, bytes) : nothing;
        visitor->gap(visitor->host, last, from);
        if (err != GR_OK || position == UINT64_MAX)
            break;
        tried = position + 1;
    }
    gr_writer_deinit(&walk.last);
    return err == GR_ERR_NOT_FOUND ? GR_OK : err;
}
