// A list of changes, kept as one run of bytes that no engine owns.
//
// Each change is a kind (1 byte), two blocks (a length, then that many bytes): key and value, or
// `from` and `to`, or key and nothing. An engine walks the run in order and does what it reads.
// Whoever builds batches in a loop keeps one and clears it; clearing gives memory back only when
// one rare big batch has left more of it than the next is likely to need.
//
//   I1  Every change in the run is whole: walking it never meets malformed bytes.
//   I2  No range in the run is empty (from < to), so that engines need not look.
//
// Bounds: 1 GiB a batch; 1 MiB is kept over a clear.
#include "base/bytes.h"
#include "store/store.h"

enum { BATCH_BYTES_MAX = 1 << 30, KEPT_BYTES_MAX = 1 << 20 };

struct gr_store_batch {
    struct gr_writer run;
    size_t count;
};

struct gr_store_batch *gr_store_batch_new(void)
{
    struct gr_store_batch *batch = gr_hook_memory(NULL, sizeof(*batch));
    *batch = (struct gr_store_batch){0};
    gr_writer_init(&batch->run, BATCH_BYTES_MAX);
    return batch;
}

void gr_store_batch_free(struct gr_store_batch *batch)
{
    if (batch == NULL)
        return;
    gr_writer_deinit(&batch->run);
    gr_hook_memory(batch, 0);
}

void gr_store_batch_clear(struct gr_store_batch *batch)
{
    if (batch->run.capacity > KEPT_BYTES_MAX)
        gr_writer_deinit(&batch->run);
    gr_writer_clear(&batch->run);
    batch->count = 0;
}

static void add(struct gr_store_batch *batch, enum gr_store_change_kind kind, struct gr_bytes key,
    struct gr_bytes value)
{
    gr_write_u8(&batch->run, (uint8_t)kind);
    gr_write_block(&batch->run, key);
    gr_write_block(&batch->run, value);
    gr_assert(!batch->run.bad);
    batch->count++;
}

void gr_store_batch_put(struct gr_store_batch *batch, struct gr_bytes key, struct gr_bytes value)
{
    add(batch, GR_STORE_PUT, key, value);
}

void gr_store_batch_delete(struct gr_store_batch *batch, struct gr_bytes key)
{
    add(batch, GR_STORE_DELETE, key, gr_bytes(NULL, 0));
}

void gr_store_batch_delete_range(
    struct gr_store_batch *batch, struct gr_bytes from, struct gr_bytes to)
{
    if (gr_bytes_compare(from, to) < 0)
        add(batch, GR_STORE_DELETE_RANGE, from, to);
}

size_t gr_store_batch_count(const struct gr_store_batch *batch)
{
    return batch->count;
}

size_t gr_store_batch_bytes(const struct gr_store_batch *batch)
{
    return sizeof(*batch) + batch->run.capacity;
}

bool gr_store_batch_next(
    const struct gr_store_batch *batch, size_t *offset, struct gr_store_change *ret_change)
{
    gr_assert(*offset <= batch->run.size);
    if (*offset == batch->run.size)
        return false;
    size_t left = batch->run.size - *offset;
    struct gr_reader reader = gr_reader_of(gr_bytes(batch->run.data + *offset, left));
    ret_change->kind = (enum gr_store_change_kind)gr_read_u8(&reader);
    ret_change->key = gr_read_block(&reader, left);
    ret_change->value = gr_read_block(&reader, left);
    gr_assert(!reader.bad);
    *offset += left - gr_reader_left(&reader);
    return true;
}
