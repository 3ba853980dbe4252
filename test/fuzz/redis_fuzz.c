// A whole Redis session: any bytes from the client, while the host answers in random order, at
// random times, with successes, errors, late acknowledgements and timers. Every command must be
// answered in the end, and the replies must parse.
#define HOST_KEYS_MAX  64 // few, so that commands meet
#define HOST_ASKED_MAX (GR_REDIS_WINDOW * GR_REDIS_CALLS_MAX)

#include "base/random.h"
#include "test/redis_host.h"
#include "wire/redis_inside.h"
#include "wire/resp_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_BYTES_MAX = 8192, ROUNDS_MAX = 1 << 20 };

static struct host host;
static struct gr_arena replies;
static struct gr_reply_parser parser;

// Takes a random request out, the others keep their order.
static struct gr_request take_any(struct gr_random *random)
{
    uint32_t at = host.asked_first + (uint32_t)gr_random_below(random, host_waiting(&host));
    struct host_asked taken = host.asked[at];
    for (; at > host.asked_first; at--)
        host.asked[at] = host.asked[at - 1];
    host.asked[host.asked_first++] = taken;
    return taken.request;
}

static void answer_one(struct gr_random *random)
{
    struct gr_request request = take_any(random);
    if (gr_random_chance(random, 100)) {
        struct gr_result result = {.ticket = request.ticket,
            .op = request.op,
            .outcome = GR_INDETERMINATE,
            .err = (enum gr_err)(1 + gr_random_below(random, GR_ERR_COUNT - 1)),
            .now = host.wall};
        gr_redis_result(host.session, &result);
    } else {
        host_answer(&host, &request);
    }
    if (gr_random_chance(random, 300))
        gr_redis_acked(host.session, request.ticket, 3, 2);
    if (host_waiting(&host) == 0)
        host_forget(&host);
}

// Sends what there is; it must be replies.
static void drain(void)
{
    struct gr_writer *output = gr_redis_output(host.session);
    gr_assert(!output->bad);
    for (size_t at = 0; at < output->size;) {
        const struct gr_reply *reply;
        size_t used;
        enum gr_reply_parsed parsed =
            gr_reply_parse(&parser, gr_bytes(output->data + at, output->size - at), &used, &reply);
        gr_assert(parsed != GR_REPLY_BROKEN);
        at += used;
        gr_arena_clear(&replies);
    }
    gr_assert(parser.depth == 0 && parser.bulk < 0 && parser.line.size == 0);
    gr_writer_clear(output);
    gr_redis_flushed(host.session);
}

static void run(struct gr_bytes input, struct gr_random *random)
{
    size_t at = 0;
    for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
        if (at < input.size && gr_random_chance(random, 300)) {
            size_t size = 1 + (size_t)gr_random_below(random, 64);
            size = GR_MIN(size, input.size - at);
            gr_redis_input(host.session, gr_bytes(input.data + at, size));
            at += size;
        } else if (host_waiting(&host) > 0) {
            answer_one(random);
        } else if (gr_random_chance(random, 100)) {
            gr_redis_timer(host.session);
            host.wall.ms += 3;
        } else if (gr_random_chance(random, 500)) {
            drain();
        } else if (at == input.size) {
            break;
        }
    }
    gr_redis_input_end(host.session);
    // What is parked starts as the output drains and the rest is answered.
    for (uint32_t round = 0; !gr_redis_closing(host.session); round++) {
        gr_assert(round < ROUNDS_MAX);
        drain();
        gr_redis_timer(host.session);
        while (host_waiting(&host) > 0)
            answer_one(random);
    }
    drain();
    const struct gr_redis *session = host.session;
    gr_assert(session->held == 0 && session->reading == 0 && session->taking == 0);
    gr_assert(session->calls.count == 0 && session->holds.count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > INPUT_BYTES_MAX)
        return 0;
    struct gr_random random;
    gr_random_init(&random, (uint64_t)data[0] << 8 | data[1]);
    host_open(&host);
    gr_redis_free(host.session);
    struct gr_redis_config config = {
        .id = 5, .address = "a", .local = "b", .output_max = (data[0] & 1) ? 512 : 0};
    host.at_once = data[0] & 2;
    host_connect(&host, &config);
    gr_reply_parser_init(&parser, &replies, 1 << 24);
    run(gr_bytes(data + 2, size - 2), &random);
    gr_reply_parser_deinit(&parser);
    gr_arena_deinit(&replies);
    host_close(&host);
    gr_assert(gr_test_blocks() == 0);
    return 0;
}
