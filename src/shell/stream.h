// One TCP connection: bytes in through a callback, bytes out from a writer, closed once.
//
// A stream is embedded in what owns it (a peer's connection, a client). Callbacks never come after
// `closed`, and only there may the owner free it.
#ifndef GR_SHELL_STREAM_H
#define GR_SHELL_STREAM_H

#include <uv.h>

#include "base/bytes.h"

enum { GR_STREAM_READ_BYTES = 64 << 10 };

// What all streams of a loop share.
struct gr_stream_pool {
    uint64_t bytes_in, bytes_out;
    uint8_t buffer[GR_STREAM_READ_BYTES]; // one read at a time, so one buffer is enough
};

struct gr_stream;
struct gr_stream_calls {
    // Borrowed for the call.
    void (*bytes)(struct gr_stream *stream, struct gr_bytes bytes);
    // Nothing more will come: NULL at the end of file, else why in the system's words.
    void (*end)(struct gr_stream *stream, const char *why);
    // What a flush could not write at once has been written: flush again.
    void (*drained)(struct gr_stream *stream);
    // The socket is gone; free the stream.
    void (*closed)(struct gr_stream *stream);
};

struct gr_stream {
    uv_tcp_t tcp;
    uv_write_t write;
    struct gr_stream_pool *pool;
    const struct gr_stream_calls *calls;
    size_t taken;             // of the owner's buffer: sent, or in `sending`
    struct gr_writer sending; // the piece that waits for the socket to take more
    bool writing, reading, closing;
    uint64_t progress_ms; // uv_now when bytes last left, or when there were none to send
};

// A stream that is not connected yet: then uv_accept or uv_tcp_connect on stream->tcp.
void gr_stream_init(struct gr_stream *stream, uv_loop_t *loop, struct gr_stream_pool *pool,
    const struct gr_stream_calls *calls);
// Small writes leave at once (TCP_NODELAY); a dead other end is noticed within minutes.
void gr_stream_tune(struct gr_stream *stream);
// Starts or stops reading; nothing happens when it is so already or the stream is closing.
void gr_stream_read(struct gr_stream *stream, bool wanted);
// Sends what `out` holds, always the same writer. What the socket takes at once is dropped from it;
// when it takes no more, the rest stays in `out` and `drained` comes when it is worth trying again;
// until then nothing happens. The owner may append to `out` at any time, but not remove.
void gr_stream_flush(struct gr_stream *stream, struct gr_writer *out);
// Bytes of `out` that have not left.
size_t gr_stream_unsent(const struct gr_stream *stream, const struct gr_writer *out);
// Closes; `closed` comes later. Nothing happens when it is closing already.
void gr_stream_close(struct gr_stream *stream);
// "127.0.0.1:50000" of the other end (peer) or of this one.
void gr_stream_address(const struct gr_stream *stream, bool peer, char *ret, size_t size);

#endif
