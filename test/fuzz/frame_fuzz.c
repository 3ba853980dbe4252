// A frame's body, in either version: whatever decodes must encode, and that must decode to the same
// again. The same bytes are also tried as a stream.
//
// What a frame of the older version says can be said in the newer one too, and there means the
// same: that is what lets a node pass on what it heard from a node that is not upgraded yet.
#include <string.h>

#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void encode(struct gr_writer *out, uint8_t version, const struct gr_message *m)
{
    gr_writer_init(out, GR_FRAME_BYTES_MAX);
    gr_frame_encode(out, version, m);
    gr_assert(!out->bad);
}

// Says it in that version, hears it, and says it again: the same bytes.
static void check(struct gr_arena *arena, uint8_t version, const struct gr_message *m)
{
    struct gr_bytes body;
    size_t consumed;
    struct gr_message again;
    struct gr_writer one, two;
    encode(&one, version, m);
    gr_assert(gr_frame_split(gr_writer_bytes(&one), GR_FRAME_BYTES_MAX, &body, &consumed) == GR_OK);
    gr_assert(consumed == one.size);
    gr_assert(gr_frame_decode(body, version, arena, &again) == GR_OK);
    gr_assert(gr_message_says(&again) == gr_message_says(m));
    encode(&two, version, &again);
    gr_assert(gr_bytes_equal(gr_writer_bytes(&one), gr_writer_bytes(&two)));
    gr_writer_deinit(&one);
    gr_writer_deinit(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gr_bytes body;
    size_t consumed;
    if (gr_frame_split(gr_bytes(data, size), GR_FRAME_BYTES_MAX, &body, &consumed) == GR_OK)
        gr_assert(consumed <= size);
    struct gr_arena arena = {0};
    for (uint8_t version = GR_FRAME_VERSION_MIN; version <= GR_FRAME_VERSION; version++) {
        struct gr_message m;
        if (gr_frame_decode(gr_bytes(data, size), version, &arena, &m) != GR_OK)
            continue;
        gr_assert((gr_message_says(&m) & gr_frame_unspoken(version)) == 0);
        for (uint8_t said = version; said <= GR_FRAME_VERSION; said++)
            check(&arena, said, &m);
        gr_arena_clear(&arena);
    }
    gr_arena_deinit(&arena);
    return 0;
}
