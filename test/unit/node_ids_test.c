// node.h: ids of one run name nothing in another (N2).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "core/node.h"
#include "test/hooks.h"

enum { PARTITIONS = 8 };

static void note_id(void *host, const struct gr_effect *effect)
{
    if (effect->type == GR_EFFECT_SEND)
        *(uint64_t *)host = effect->message->id;
}

// The id under which a run of this seed asks its first question of a peer.
static uint64_t first_id(uint64_t seed)
{
    static const struct gr_member member[3];
    struct gr_ring ring;
    gr_ring_init(&ring, PARTITIONS, 3, member, 3);
    struct gr_node_config config = gr_node_config_default();
    config.seed = seed;
    config.ring = &ring;
    struct gr_node *node = gr_node_new(&config);
    uint64_t id = 0;
    struct gr_sink sink = {note_id, &id};
    struct gr_request get = {
        .op = GR_OP_GET, .key = gr_key_make(gr_bytes_text("b"), gr_bytes_text("foo"))};
    gr_node_step(
        node, &(struct gr_event){.type = GR_EVENT_LINK, .peer = 1, .up = true, .run = 1}, &sink);
    gr_node_step(node, &(struct gr_event){.type = GR_EVENT_REQUEST, .request = &get}, &sink);
    gr_node_free(node);
    gr_ring_deinit(&ring);
    return id;
}

// N2: an answer that was asked for by the run before arrives in the next one over a new link. It
// must find no call there, so ids of two runs are far apart.
static void test_ids_of_runs(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 100; seed++) {
        uint64_t a = first_id(seed), b = first_id(seed + 1);
        assert_true(a != 0 && b != 0);
        assert_true((a > b ? a - b : b - a) > 1u << 30);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_runs),
    };
    return cmocka_run_group_tests_name("node ids", tests, NULL, NULL);
}
