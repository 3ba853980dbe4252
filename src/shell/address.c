// Addresses as people write them; see address.h.
#include "shell/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool parse_port(const char *text, uint16_t *ret_port)
{
    uint32_t port = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 6; digits++)
        port = port * 10 + (uint32_t)(text[digits] - '0');
    if (digits == 0 || text[digits] != '\0' || port == 0 || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

bool gr_address_parse(const char *text, struct gr_address *ret)
{
    struct gr_address address = {0};
    const char *host = text, *host_end = NULL, *colon = NULL;
    if (text[0] == '[') {
        host = text + 1;
        host_end = strchr(text, ']');
        colon = host_end != NULL && host_end[1] == ':' ? host_end + 1 : NULL;
    } else {
        host_end = colon = strchr(text, ':');
    }
    if (colon == NULL || host_end == host || !parse_port(colon + 1, &address.port))
        return false;
    size_t size = (size_t)(host_end - host);
    if (size >= sizeof(address.host))
        return false;
    for (size_t i = 0; i < size; i++)
        if (host[i] <= ' ' || host[i] > '~' || host[i] == '/')
            return false;
    memcpy(address.host, host, size);
    *ret = address;
    return true;
}

const char *gr_address_resolve(const struct gr_address *address, struct sockaddr_storage *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found = NULL;
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    int failed = getaddrinfo(address->host, port, &hints, &found);
    if (failed != 0)
        return gai_strerror(failed);
    memset(ret, 0, sizeof(*ret));
    memcpy(ret, found->ai_addr, GR_MIN(found->ai_addrlen, sizeof(*ret)));
    freeaddrinfo(found);
    return NULL;
}

bool gr_address_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return ntohl(in.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family != AF_INET6)
        return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, address, sizeof(in6));
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return in6.sin6_addr.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr);
}

bool gr_address_is_any(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        return in.sin_addr.s_addr == htonl(INADDR_ANY);
    }
    struct sockaddr_in6 in6;
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(&in6, address, sizeof(in6));
    return IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr);
}

void gr_address_format(const struct sockaddr *address, char ret[GR_ADDRESS_TEXT_BYTES])
{
    char host[INET6_ADDRSTRLEN];
    snprintf(ret, GR_ADDRESS_TEXT_BYTES, "?");
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        if (inet_ntop(AF_INET, &in.sin_addr, host, sizeof(host)) != NULL)
            snprintf(ret, GR_ADDRESS_TEXT_BYTES, "%s:%u", host, ntohs(in.sin_port));
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        if (inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof(host)) != NULL)
            snprintf(ret, GR_ADDRESS_TEXT_BYTES, "[%s]:%u", host, ntohs(in6.sin6_port));
    }
}
