// Talk of members: whatever is read can be said again, and reads as the same.
#include <string.h>

#include "wire/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gr_arena arena = {0};
    struct gr_talk talk, again;
    if (gr_talk_decode(gr_bytes(data, size), &arena, &talk) == GR_OK) {
        struct gr_writer out;
        gr_writer_init(&out, 1 << 24);
        gr_talk_encode(&out, &talk);
        gr_assert(!out.bad);
        enum gr_err err = gr_talk_decode(gr_writer_bytes(&out), &arena, &again);
        gr_assert(err == GR_OK);
        gr_assert(again.type == talk.type && again.id == talk.id);
        gr_assert(again.fact_count == talk.fact_count && again.want_count == talk.want_count);
        struct gr_facts facts = {0};
        for (uint32_t i = 0; i < talk.fact_count; i++) {
            gr_assert(gr_fact_compare(&talk.fact_list[i], &again.fact_list[i]) == 0);
            (void)gr_facts_take(&facts, &talk.fact_list[i], true);
        }
        gr_facts_deinit(&facts);
        gr_writer_deinit(&out);
    }
    gr_arena_deinit(&arena);
    return 0;
}
