// HMAC-SHA-256 with a label; see mac.h. The arithmetic is OpenSSL's, here and nowhere else in wire.
#include "wire/mac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void gr_mac(const uint8_t secret[GR_MAC_SECRET_BYTES], const char *label, struct gr_bytes message,
    uint8_t ret_mac[GR_MAC_BYTES])
{
    struct gr_bytes name = gr_bytes_text(label);
    struct gr_writer input;
    gr_writer_init(&input, name.size + 1 + message.size);
    gr_write_bytes(&input, name);
    gr_write_u8(&input, 0);
    gr_write_bytes(&input, message);
    gr_assert(!input.bad);
    unsigned size = 0;
    bool made = HMAC(EVP_sha256(), secret, GR_MAC_SECRET_BYTES, input.data, input.size, ret_mac,
                    &size) != NULL;
    // Only a library that is broken or out of memory fails here; going on without a MAC is no
    // choice.
    gr_assert(made && size == GR_MAC_BYTES);
    gr_writer_deinit(&input);
}

bool gr_mac_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}
