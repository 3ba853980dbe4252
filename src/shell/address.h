// Addresses as people write them: host:port, [v6]:port.
#ifndef GR_SHELL_ADDRESS_H
#define GR_SHELL_ADDRESS_H

#include <sys/socket.h>

#include "base/base.h"

enum { GR_ADDRESS_HOST_BYTES = 256, GR_ADDRESS_TEXT_BYTES = 64 };

struct gr_address {
    char host[GR_ADDRESS_HOST_BYTES];
    uint16_t port; // never 0
};

// False when the text is no address; *ret is untouched then. Nothing is looked up.
bool gr_address_parse(const char *text, struct gr_address *ret);
// Looks the host up, and may wait for that: for start and tests only. NULL, or why not in the
// system's words.
const char *gr_address_resolve(const struct gr_address *address, struct sockaddr_storage *ret);
// 127.0.0.0/8 and ::1, also as v4 in v6: nobody outside this machine can reach it.
bool gr_address_is_loopback(const struct sockaddr *address);
// It means all addresses of a machine: good to listen on, no place to be found at.
bool gr_address_is_any(const struct sockaddr *address);
// "127.0.0.1:7379", "[::1]:7379"; "?" when it is neither v4 nor v6.
void gr_address_format(const struct sockaddr *address, char ret[GR_ADDRESS_TEXT_BYTES]);

#endif
