// Values of facts: whatever is read can be said again, in the bytes that it was read from.
#include <string.h>

#include "base/hash.h"
#include "wire/agreed.h"
#include "wire/layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct gr_writer *out, struct gr_bytes bytes)
{
    gr_assert(!out->bad);
    gr_assert(gr_bytes_equal(gr_writer_bytes(out), bytes));
    gr_writer_clear(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gr_bytes bytes = gr_bytes(data, size);
    struct gr_arena arena = {0};
    struct gr_writer out;
    struct gr_card card;
    struct gr_holdings holdings;
    struct gr_layout layout;
    struct gr_staged staged;
    struct gr_lost lost;
    struct gr_agreed agreed;
    gr_writer_init(&out, GR_FACT_BYTES_MAX);
    if (gr_card_decode(bytes, &card) == GR_OK) {
        gr_card_encode(&out, &card);
        check(&out, bytes);
    }
    if (gr_holdings_decode(bytes, &arena, &holdings) == GR_OK) {
        gr_holdings_encode(&out, &holdings);
        check(&out, bytes);
    }
    if (gr_layout_decode(bytes, &arena, &layout) == GR_OK) {
        gr_assert(layout.step[layout.step_count - 1].hash == gr_hash64(bytes, 0));
        gr_layout_encode(&out, &layout);
        check(&out, bytes);
    }
    if (gr_staged_decode(bytes, &arena, &staged) == GR_OK) {
        gr_staged_encode(&out, &staged);
        check(&out, bytes);
    }
    if (gr_lost_decode(bytes, &lost) == GR_OK) {
        gr_lost_encode(&out, &lost);
        check(&out, bytes);
    }
    for (int key = 1; key < GR_AGREED_KEYS; key++)
        if (gr_agreed_decode((enum gr_agreed_key)key, bytes, &agreed) == GR_OK) {
            gr_agreed_encode(&out, (enum gr_agreed_key)key, &agreed);
            check(&out, bytes);
        }
    gr_assert(arena.bytes <= 32 * size + 131072); // V2, and what arenas take at once
    gr_writer_deinit(&out);
    gr_arena_deinit(&arena);
    return 0;
}
