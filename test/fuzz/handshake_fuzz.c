// The handshake: a stranger who says anything, in pieces of any size, to either side. Nobody who
// does not know the secret is ever let in, and what a reason says can be printed.
//
// The first byte chooses the side and how the conversation begins: with nothing, or with the honest
// HELLO of another node, behind which the rest of the input follows.
#include <string.h>

#include "wire/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct gr_handshake_identity identity(uint16_t node)
{
    struct gr_handshake_identity identity = {
        .cluster = "cluster of tests",
        .secret = "0123456789abcdef0123456789abcde",
        .partitions = 64,
        .name = "node",
        .store = 77u + node,
        .run = 1000u + node,
        .durability = GR_DURABILITY_INTERVAL,
        .frame_version_min = 1,
        .frame_version_max = 2,
    };
    identity.name[4] = (char)('0' + node);
    return identity;
}

static void check(const struct gr_handshake *h, const struct gr_writer *out)
{
    gr_assert(h->state != GR_HANDSHAKE_DONE);
    gr_assert(out->size <= 3 * GR_HANDSHAKE_BYTES_MAX);
    gr_assert((h->state == GR_HANDSHAKE_REFUSED) == (h->reason[0] != 0));
    for (const char *at = h->reason; *at != 0; at++)
        gr_assert(*at >= ' ' && *at <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t choice = data[0];
    struct gr_handshake_identity ours = identity(1), theirs = identity(2);
    theirs.secret[0] ^= 1;
    struct gr_handshake h, other;
    bool dialled = choice & 1;
    gr_handshake_init(&h, &ours, dialled, (const uint8_t *)"nonce of our own");
    gr_handshake_init(&other, &theirs, true, (const uint8_t *)"nonce of another");
    struct gr_writer in, out;
    gr_writer_init(&in, 1 << 20);
    gr_writer_init(&out, 1 << 20);
    size_t consumed;
    if (choice & 2)
        gr_handshake_feed(&other, gr_bytes("", 0), &consumed, &in);
    gr_write_bytes(&in, gr_bytes(data + 1, size - 1));
    size_t piece = GR_MAX(choice >> 2, 1), have = 0, at = 0;
    while (have < in.size && h.state == GR_HANDSHAKE_IN_PROGRESS) {
        have = GR_MIN(have + piece, in.size);
        gr_handshake_feed(&h, gr_bytes(in.data + at, have - at), &consumed, &out);
        gr_assert(consumed <= have - at);
        at += consumed;
        gr_assert(h.state != GR_HANDSHAKE_IN_PROGRESS || have - at <= GR_HANDSHAKE_BYTES_MAX);
        check(&h, &out);
    }
    gr_writer_deinit(&in);
    gr_writer_deinit(&out);
    return 0;
}
