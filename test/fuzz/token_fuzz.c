// Context tokens: nobody guesses one; and what is behind a right tag is read with the same care.
#include <string.h>

#include "wire/mac.h"
#include "wire/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct gr_token_key secret = {
    .number = 7,
    .secret = "0123456789abcdef0123456789abcde",
    .cluster = "cluster of tests",
};

// The text of any content with a right tag, as somebody would make it who has the secret.
static void seal(const struct gr_key *key, struct gr_bytes content, struct gr_writer *out)
{
    struct gr_writer input;
    gr_writer_init(&input, 1 << 20);
    gr_write_bytes(&input, gr_bytes(secret.cluster, sizeof secret.cluster));
    gr_write_block(&input, key->bucket);
    gr_write_block(&input, key->key);
    size_t start = input.size;
    gr_write_u8(&input, GR_TOKEN_VERSION);
    gr_write_u8(&input, secret.number);
    gr_write_bytes(&input, content);
    uint8_t tag[GR_MAC_BYTES];
    gr_mac(secret.secret, "gramme context token", gr_writer_bytes(&input), tag);
    gr_write_bytes(&input, gr_bytes(tag, 12));
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t bits = 8 * (input.size - start);
    for (size_t bit = 0; bit < bits; bit += 6) {
        int value = 0;
        for (size_t k = bit; k < bit + 6; k++)
            value = value << 1 | (k < bits && input.data[start + k / 8] >> (7 - k % 8) & 1);
        gr_write_u8(out, (uint8_t)alphabet[value]);
    }
    gr_writer_deinit(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gr_arena arena = {0};
    struct gr_key key = gr_key_make(gr_bytes_text("bucket"), gr_bytes_text("key"));
    struct gr_context context, again;
    if (size > 0)
        gr_assert(gr_token_decode(&secret, &key, gr_bytes(data, size), &arena, &context) != GR_OK);
    struct gr_writer text;
    gr_writer_init(&text, 1 << 20);
    seal(&key, gr_bytes(data, size), &text);
    if (gr_token_decode(&secret, &key, gr_writer_bytes(&text), &arena, &context) == GR_OK) {
        gr_writer_clear(&text);
        gr_assert(gr_token_encode(&secret, &key, &context, &text) == GR_OK);
        gr_assert(gr_token_decode(&secret, &key, gr_writer_bytes(&text), &arena, &again) == GR_OK);
        gr_assert(gr_context_equal(&context, &again));
    }
    gr_writer_deinit(&text);
    gr_arena_deinit(&arena);
    return 0;
}
