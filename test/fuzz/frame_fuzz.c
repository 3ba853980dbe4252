// A frame's body: whatever decodes must encode, and that must decode to the same again. The same
// bytes are also tried as a stream.
#include <string.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gr_bytes body;
    size_t consumed;
    if (gr_frame_split(gr_bytes(data, size), GR_FRAME_BYTES_MAX, &body, &consumed) == GR_OK)
        gr_assert(consumed <= size);
    struct gr_arena arena = {0};
    struct gr_message m, again;
    if (gr_frame_decode(gr_bytes(data, size), &arena, &m) == GR_OK) {
        struct gr_writer one, two;
        gr_writer_init(&one, GR_FRAME_BYTES_MAX);
        gr_writer_init(&two, GR_FRAME_BYTES_MAX);
        gr_frame_encode(&one, &m);
        gr_assert(!one.bad);
        gr_assert(
            gr_frame_split(gr_writer_bytes(&one), GR_FRAME_BYTES_MAX, &body, &consumed) == GR_OK);
        gr_assert(consumed == one.size);
        gr_assert(gr_frame_decode(body, &arena, &again) == GR_OK);
        gr_frame_encode(&two, &again);
        gr_assert(gr_bytes_equal(gr_writer_bytes(&one), gr_writer_bytes(&two)));
        gr_writer_deinit(&one);
        gr_writer_deinit(&two);
    }
    gr_arena_deinit(&arena);
    return 0;
}
