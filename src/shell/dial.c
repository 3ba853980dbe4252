// Dialling: whom this node calls, where, and when again; see link.c for what comes of it.
//
// Of two members the one with the larger id dials the other: both say alike which of them that is.
// While no link is up at all, the addresses of the setting `join` are tried in turn.
//
//   DI1 One member is dialled at one address at a time, and ever more slowly while that fails, up
//       to BACKOFF_MS_MAX.
#include <stdio.h>
#include <string.h>

#include "shell/address.h"
#include "shell/inside.h"

enum { BACKOFF_MS_MIN = 50, BACKOFF_MS_MAX = 2000, SEEK_MS = 1000 };

bool gr_dial_is_ours(const struct gr_peer_link *peer)
{
    const struct gr_member *member = peer->server->roster.ring.member;
    return member[0].id > member[peer->member].id;
}

// `text` parses.
static int look_up(struct gr_server *server, uv_getaddrinfo_t *lookup, uv_getaddrinfo_cb on_found,
    const char *text)
{
    struct gr_address address;
    char port[8];
    gr_assert(gr_address_parse(text, &address));
    snprintf(port, sizeof(port), "%u", address.port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    return uv_getaddrinfo(&server->loop, lookup, on_found, address.host, port, &hints);
}

// ---- members ---------------------------------------------------------------------------------

static bool may_dial(const struct gr_peer_link *peer)
{
    const struct gr_server *server = peer->server;
    struct gr_address address;
    return gr_dial_is_ours(peer) && !peer->cut && !server->roster.ring.member[peer->member].gone &&
           !peer->resolving && !gr_link_is_up(peer) && peer->dialled == NULL &&
           gr_server_talks(server) && !server->stopped &&
           gr_address_parse(server->roster.ring.member[peer->member].peer, &address);
}

static void on_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct gr_peer_link *peer = lookup->data;
    peer->resolving = false;
    if (may_dial(peer)) {
        if (status == 0) {
            gr_links_connect(peer->server, peer, found->ai_addr);
        } else {
            gr_link_say(peer->said, gr_link_name(peer), uv_strerror(status));
            gr_dial_later(peer);
        }
    }
    uv_freeaddrinfo(found);
}

static void on_retry(uv_timer_t *timer)
{
    struct gr_peer_link *peer = timer->data;
    struct gr_server *server = peer->server;
    if (!may_dial(peer))
        return;
    int failed =
        look_up(server, &peer->lookup, on_resolved, server->roster.ring.member[peer->member].peer);
    peer->resolving = failed == 0;
    if (failed != 0) {
        gr_link_say(peer->said, gr_link_name(peer), uv_strerror(failed));
        gr_dial_later(peer);
    }
}

void gr_dial_later(struct gr_peer_link *peer)
{
    if (!may_dial(peer))
        return;
    uint32_t most = GR_MAX(GR_MIN(peer->backoff_ms * 2, BACKOFF_MS_MAX), BACKOFF_MS_MIN);
    peer->backoff_ms = most;
    uint64_t wait = most / 2 + gr_random_below(&peer->server->random, most / 2 + 1);
    uv_timer_start(&peer->retry, on_retry, wait, 0);
}

// ---- a way in --------------------------------------------------------------------------------

static void on_sought(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct gr_server *server = lookup->data;
    struct gr_links *links = &server->links;
    links->seeking = false;
    if (status != 0)
        gr_link_say(links->said, "to join", uv_strerror(status));
    else if (gr_server_talks(server) && !server->stopped && links->sought == NULL)
        gr_links_connect(server, NULL, found->ai_addr);
    uv_freeaddrinfo(found);
}

static void on_seek(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    struct gr_links *links = &server->links;
    char at[GR_CONFIG_TEXT_MAX];
    for (uint16_t i = 0; i < links->count; i++)
        if (links->peer[i]->conn != NULL)
            return;
    if (links->seeking || links->sought != NULL ||
        !gr_roster_join(server->config, links->turn++, at))
        return;
    links->seeking = look_up(server, &links->lookup, on_sought, at) == 0;
}

// ---- begin and end ---------------------------------------------------------------------------

void gr_dial_init(struct gr_server *server)
{
    struct gr_links *links = &server->links;
    gr_assert(uv_timer_init(&server->loop, &links->seek) == 0);
    links->seek.data = links->lookup.data = server;
}

void gr_dial_add(struct gr_peer_link *peer)
{
    peer->lookup.data = peer->retry.data = peer;
    gr_assert(uv_timer_init(&peer->server->loop, &peer->retry) == 0);
}

void gr_dial_begin(struct gr_server *server)
{
    for (uint16_t i = 1; i < server->links.count; i++) {
        struct gr_peer_link *peer = server->links.peer[i];
        peer->backoff_ms = 0;
        if (gr_dial_is_ours(peer))
            uv_timer_start(&peer->retry, on_retry, 0, 0);
    }
    uv_timer_start(&server->links.seek, on_seek, 0, SEEK_MS);
}

void gr_dial_end(struct gr_server *server)
{
    for (uint16_t i = 0; i < server->links.count; i++)
        uv_timer_stop(&server->links.peer[i]->retry);
    uv_timer_stop(&server->links.seek);
}

void gr_dial_close(struct gr_server *server)
{
    uv_close((uv_handle_t *)&server->links.seek, NULL);
    for (uint16_t i = 0; i < server->links.count; i++)
        uv_close((uv_handle_t *)&server->links.peer[i]->retry, NULL);
}
