// Context tokens: what a client saw, in words that it can carry but not change.
//
// A cloakroom ticket: the client does not know what it means, hands it back with the coat it wants
// exchanged, and the attendant recognises his own stamp. The stamp covers the key's name, so a
// ticket for one coat does not fetch another.
//
//   I1  A text that decodes was encoded here, for this key, under this secret.
//   I2  One context, key and secret give one text; no other text decodes to it.
//
// Owns: nothing. Bounds: GR_TOKEN_BYTES_MAX of text, so three quarters of that of content.
#include "wire/token.h"

#include "wire/field.h"
#include "wire/mac.h"

enum {
    TAG_BYTES = 12,
    HEAD_BYTES = 2, // version, key number
    // The most bytes whose text is not over GR_TOKEN_BYTES_MAX.
    BINARY_BYTES_MAX = GR_TOKEN_BYTES_MAX / 4 * 3,
};

// ---- base64 (RFC 4648 §5, URL-safe, without padding) -----------------------------------------

static void write_base64(struct gr_writer *out, struct gr_bytes from)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t *to = gr_writer_reserve(out, (from.size * 4 + 2) / 3);
    if (to == NULL)
        return;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < from.size; i++) {
        bits = bits << 8 | from.data[i];
        for (have += 8; have >= 6; have -= 6)
            *to++ = (uint8_t)alphabet[bits >> (have - 6) & 63];
    }
    if (have > 0)
        *to++ = (uint8_t)alphabet[bits << (6 - have) & 63];
    out->size = (size_t)(to - out->data);
}

static int sextet(uint8_t letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    if (letter == '-')
        return 62;
    return letter == '_' ? 63 : -1;
}

// Empty when the text is not what write_base64 writes: I2 needs the bits that fill up the last
// letter to be zero.
static struct gr_bytes read_base64(struct gr_arena *arena, struct gr_bytes text)
{
    const struct gr_bytes nothing = gr_bytes(NULL, 0);
    if (text.size % 4 == 1)
        return nothing;
    uint8_t *to = gr_arena_take(arena, text.size * 3 / 4 + 1);
    size_t size = 0;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < text.size; i++) {
        int value = sextet(text.data[i]);
        if (value < 0)
            return nothing;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            to[size++] = (uint8_t)(bits >> have);
        }
    }
    if ((bits & ((1u << have) - 1)) != 0)
        return nothing;
    return gr_bytes(to, size);
}

// ---- the stamp -------------------------------------------------------------------------------

// `sealed` is version, key number and content.
static void make_tag(const struct gr_token_key *token_key, const struct gr_key *key,
    struct gr_bytes sealed, uint8_t ret_tag[GR_MAC_BYTES])
{
    struct gr_writer input;
    gr_writer_init(&input, SIZE_MAX);
    gr_write_bytes(&input, gr_bytes(token_key->cluster, sizeof token_key->cluster));
    gr_write_block(&input, key->bucket);
    gr_write_block(&input, key->key);
    gr_write_bytes(&input, sealed);
    gr_mac(token_key->secret, "gramme context token", gr_writer_bytes(&input), ret_tag);
    gr_writer_deinit(&input);
}

enum gr_err gr_token_encode(const struct gr_token_key *token_key, const struct gr_key *key,
    const struct gr_context *context, struct gr_writer *out)
{
    struct gr_writer binary;
    gr_writer_init(&binary, BINARY_BYTES_MAX - TAG_BYTES);
    gr_write_u8(&binary, GR_TOKEN_VERSION);
    gr_write_u8(&binary, token_key->number);
    struct gr_field_out fields;
    gr_field_out_init(&fields, &binary, UINT32_MAX);
    gr_field_write_context(&fields, context);
    gr_field_out_deinit(&fields);
    enum gr_err err = GR_ERR_LIMIT_CONTEXT;
    if (!binary.bad) {
        uint8_t tag[GR_MAC_BYTES];
        make_tag(token_key, key, gr_writer_bytes(&binary), tag);
        binary.size_max = BINARY_BYTES_MAX;
        gr_write_bytes(&binary, gr_bytes(tag, TAG_BYTES));
        write_base64(out, gr_writer_bytes(&binary));
        err = GR_OK;
    }
    gr_writer_deinit(&binary);
    return err;
}

enum gr_err gr_token_decode(const struct gr_token_key *token_key, const struct gr_key *key,
    struct gr_bytes text, struct gr_arena *arena, struct gr_context *ret)
{
    if (text.size == 0) {
        *ret = GR_CONTEXT_NOTHING;
        return GR_OK;
    }
    if (text.size > GR_TOKEN_BYTES_MAX)
        return GR_ERR_BAD_CONTEXT;
    struct gr_bytes binary = read_base64(arena, text);
    if (binary.size <= HEAD_BYTES + TAG_BYTES || binary.data[0] != GR_TOKEN_VERSION ||
        binary.data[1] != token_key->number)
        return GR_ERR_BAD_CONTEXT;
    struct gr_bytes sealed = gr_bytes(binary.data, binary.size - TAG_BYTES);
    uint8_t tag[GR_MAC_BYTES];
    make_tag(token_key, key, sealed, tag);
    if (!gr_mac_equal(tag, binary.data + sealed.size, TAG_BYTES))
        return GR_ERR_BAD_CONTEXT;
    struct gr_field_in in;
    gr_field_in_init(
        &in, gr_bytes(sealed.data + HEAD_BYTES, sealed.size - HEAD_BYTES), arena, UINT32_MAX);
    struct gr_context context = gr_field_read_context(&in);
    if (!gr_reader_done(&in.reader))
        return GR_ERR_BAD_CONTEXT;
    *ret = context;
    return GR_OK;
}
