// One TCP connection; see stream.h.
//
//   I1  Bytes leave in the order in which they were written: a flush does nothing while an earlier
//       buffer is under way.
//   I2  uv_close is called once, and the owner's memory lives until `closed`.
//
//   I3  What has not left stays in the owner's buffer, but for one piece of PIECE_BYTES that libuv
//       holds until the socket can take more: so the owner's own limit says how much waits.
//
// Bounds: the owner's buffer, within its maximum, and one piece. A buffer that was larger than
// KEEP_BYTES_MAX is given back when it is empty, so one large reply does not stay.
#include "shell/stream.h"

#include <stdio.h>

#include "shell/address.h"

enum {
    KEEP_BYTES_MAX = 256 << 10,
    KEEPALIVE_S = 300,
    PIECE_BYTES = 64 << 10,
    WRITE_BYTES_MAX = 1 << 30,
};

void gr_stream_init(struct gr_stream *stream, uv_loop_t *loop, struct gr_stream_pool *pool,
    const struct gr_stream_calls *calls)
{
    *stream = (struct gr_stream){.pool = pool, .calls = calls};
    gr_assert(uv_tcp_init(loop, &stream->tcp) == 0);
    stream->tcp.data = stream;
    stream->progress_ms = uv_now(loop);
}

void gr_stream_tune(struct gr_stream *stream)
{
    // Either may fail on a connection that is already gone; its end is reported by the next read.
    (void)uv_tcp_nodelay(&stream->tcp, 1);
    (void)uv_tcp_keepalive(&stream->tcp, 1, KEEPALIVE_S);
}

// ---- in --------------------------------------------------------------------------------------

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buffer)
{
    (void)suggested;
    struct gr_stream *stream = handle->data;
    *ret_buffer = uv_buf_init((char *)stream->pool->buffer, sizeof(stream->pool->buffer));
}

static void on_read(uv_stream_t *handle, ssize_t size, const uv_buf_t *buffer)
{
    struct gr_stream *stream = handle->data;
    if (size == 0 || stream->closing)
        return;
    if (size > 0) {
        stream->pool->bytes_in += (uint64_t)size;
        stream->calls->bytes(stream, gr_bytes(buffer->base, (size_t)size));
        return;
    }
    gr_stream_read(stream, false);
    stream->calls->end(stream, size == UV_EOF ? NULL : uv_strerror((int)size));
}

void gr_stream_read(struct gr_stream *stream, bool wanted)
{
    if (stream->closing || stream->reading == wanted)
        return;
    stream->reading = wanted;
    if (!wanted) {
        uv_read_stop((uv_stream_t *)&stream->tcp);
        return;
    }
    int failed = uv_read_start((uv_stream_t *)&stream->tcp, on_alloc, on_read);
    if (failed != 0) {
        stream->reading = false;
        stream->calls->end(stream, uv_strerror(failed));
    }
}

// ---- out -------------------------------------------------------------------------------------

static void on_written(uv_write_t *write, int status)
{
    struct gr_stream *stream = write->handle->data;
    stream->writing = false;
    gr_writer_deinit(&stream->sending);
    if (stream->closing)
        return;
    if (status != 0) {
        stream->calls->end(stream, uv_strerror(status));
        return;
    }
    stream->progress_ms = uv_now(stream->tcp.loop);
    stream->calls->drained(stream);
}

// Drops what was taken from the front of the owner's buffer: all of it, or when that is as much as
// would have to be moved, so that a byte is moved at most once on average.
static void drop_taken(struct gr_stream *stream, struct gr_writer *out)
{
    if (stream->taken == out->size) {
        if (out->capacity > KEEP_BYTES_MAX)
            gr_writer_deinit(out);
        else
            gr_writer_clear(out);
    } else if (stream->taken >= out->size - stream->taken) {
        gr_writer_consume(out, stream->taken);
    } else {
        return;
    }
    stream->taken = 0;
}

// As much as the socket takes at once. False when the connection is broken.
static bool write_now(struct gr_stream *stream, const struct gr_writer *out)
{
    size_t left = GR_MIN(out->size - stream->taken, (size_t)WRITE_BYTES_MAX);
    uv_buf_t buffer = uv_buf_init((char *)out->data + stream->taken, (unsigned)left);
    int written = uv_try_write((uv_stream_t *)&stream->tcp, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) {
        stream->calls->end(stream, uv_strerror(written));
        return false;
    }
    if (written > 0) {
        stream->taken += (size_t)written;
        stream->pool->bytes_out += (uint64_t)written;
        stream->progress_ms = uv_now(stream->tcp.loop);
    }
    return true;
}

// Leaves a piece with libuv, which says when it has gone.
static void write_later(struct gr_stream *stream, const struct gr_writer *out)
{
    size_t piece = GR_MIN(out->size - stream->taken, (size_t)PIECE_BYTES);
    gr_writer_init(&stream->sending, PIECE_BYTES);
    gr_write_bytes(&stream->sending, gr_bytes(out->data + stream->taken, piece));
    stream->taken += piece;
    stream->pool->bytes_out += piece;
    uv_buf_t buffer = uv_buf_init((char *)stream->sending.data, (unsigned)piece);
    stream->writing = true;
    int failed = uv_write(&stream->write, (uv_stream_t *)&stream->tcp, &buffer, 1, on_written);
    if (failed != 0) {
        stream->writing = false;
        gr_writer_deinit(&stream->sending);
        stream->calls->end(stream, uv_strerror(failed));
    }
}

void gr_stream_flush(struct gr_stream *stream, struct gr_writer *out)
{
    gr_assert(stream->taken <= out->size);
    if (stream->closing || stream->writing || out->size == 0)
        return;
    if (!write_now(stream, out))
        return;
    if (stream->taken < out->size)
        write_later(stream, out);
    drop_taken(stream, out);
}

size_t gr_stream_unsent(const struct gr_stream *stream, const struct gr_writer *out)
{
    size_t under_way =
        stream->writing ? uv_stream_get_write_queue_size((const uv_stream_t *)&stream->tcp) : 0;
    return under_way + out->size - stream->taken;
}

// ---- the end ---------------------------------------------------------------------------------

static void on_closed(uv_handle_t *handle)
{
    struct gr_stream *stream = handle->data;
    // A write under way was cancelled, and said so, before.
    gr_assert(!stream->writing);
    stream->calls->closed(stream);
}

void gr_stream_close(struct gr_stream *stream)
{
    if (stream->closing)
        return;
    stream->closing = true;
    stream->reading = false;
    uv_close((uv_handle_t *)&stream->tcp, on_closed);
}

void gr_stream_address(const struct gr_stream *stream, bool peer, char *ret, size_t size)
{
    struct sockaddr_storage address = {0};
    char text[GR_ADDRESS_TEXT_BYTES] = "?";
    int length = sizeof(address);
    int failed = peer ? uv_tcp_getpeername(&stream->tcp, (struct sockaddr *)&address, &length)
                      : uv_tcp_getsockname(&stream->tcp, (struct sockaddr *)&address, &length);
    if (failed == 0)
        gr_address_format((const struct sockaddr *)&address, text);
    snprintf(ret, size, "%s", text);
}
