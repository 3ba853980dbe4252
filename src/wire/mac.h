// HMAC-SHA-256 with a label, so that what was made for one use is worth nothing for another.
#ifndef GR_WIRE_MAC_H
#define GR_WIRE_MAC_H

#include "base/bytes.h"

enum { GR_MAC_BYTES = 32, GR_MAC_SECRET_BYTES = 32 };

// HMAC-SHA-256(secret, label, a zero byte, message). `label` is a C string; no label is the same as
// another that is used with the same secret.
void gr_mac(const uint8_t secret[GR_MAC_SECRET_BYTES], const char *label, struct gr_bytes message,
    uint8_t ret_mac[GR_MAC_BYTES]);
// Compares in a time that does not depend on where the difference is.
bool gr_mac_equal(const uint8_t *a, const uint8_t *b, size_t size);

#endif
