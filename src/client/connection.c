// The connection of a client: made when it is needed, bounded in time, dropped at the first doubt.
//
// The one thing that must be right here is what a broken connection means for a write. A node acts
// on a request only when it has all of it. So as long as the last byte was not handed to the
// system, nothing can have happened (REJECTED, UNREACHABLE); from then on, without an answer, it
// may have (INDETERMINATE, LOST). An answer that did not come in time may come later and would then
// be taken for the answer to the next request: such a connection is closed at once.
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/inside.h"

enum { PIECE_BYTES = 64 << 10 };

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// Waits for `events`, at most until the deadline. 0 = ready, else an errno.
static int wait_for(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - now_ms();
        struct pollfd poll_fd = {.fd = fd, .events = events};
        int ready = poll(&poll_fd, 1, left > 0 ? (int)left : 0);
        if (ready > 0)
            return 0;
        if (ready == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

// ---- connecting ------------------------------------------------------------------------------

// A socket connected to one address, or -1 with errno.
static int connect_to(const struct addrinfo *info, int64_t deadline_ms)
{
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int error = 0;
    if (connect(fd, info->ai_addr, info->ai_addrlen) != 0)
        error = errno;
    if (error == EINPROGRESS) {
        error = wait_for(fd, POLLOUT, deadline_ms);
        socklen_t size = sizeof(error);
        if (error == 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
    }
    if (error == 0) {
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        return fd;
    }
    close(fd);
    errno = error;
    return -1;
}

// A kept connection is looked at before it is used: one that the node has closed meanwhile, or that
// has bytes nobody asked for, is made anew, so that a node's restart costs no call.
static bool is_alive(const struct gramme *client)
{
    struct pollfd poll_fd = {.fd = client->fd, .events = POLLIN};
    return client->fd >= 0 && poll(&poll_fd, 1, 0) == 0;
}

enum gramme_outcome gr_client_connect(struct gramme *client)
{
    if (is_alive(client))
        return GRAMME_OK;
    gr_client_disconnect(client);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int code = getaddrinfo(client->host, client->port, &hints, &list);
    if (code != 0)
        return gr_client_fail(client, GRAMME_REJECTED, "UNREACHABLE", "%s cannot be looked up: %s",
            client->address, gai_strerror(code));
    int64_t deadline_ms = now_ms() + client->timeout_ms;
    int error = 0;
    for (const struct addrinfo *info = list; info != NULL && client->fd < 0; info = info->ai_next) {
        client->fd = connect_to(info, deadline_ms);
        error = errno;
    }
    freeaddrinfo(list);
    if (client->fd < 0)
        return gr_client_fail(client, GRAMME_REJECTED, "UNREACHABLE", "%s cannot be reached: %s",
            client->address, strerror(error));
    gr_reply_parser_init(&client->parser, &client->arena, GR_CLIENT_BYTES_MAX);
    return GRAMME_OK;
}

void gr_client_disconnect(struct gramme *client)
{
    if (client->fd < 0)
        return;
    close(client->fd);
    client->fd = -1;
    gr_reply_parser_deinit(&client->parser);
}

// ---- one request, one reply ------------------------------------------------------------------

// 0 when all of the request was handed to the system, else an errno.
static int send_request(struct gramme *client, int64_t deadline_ms)
{
    size_t sent = 0;
    while (sent < client->request.size) {
        ssize_t size = send(
            client->fd, client->request.data + sent, client->request.size - sent, MSG_NOSIGNAL);
        if (size >= 0) {
            sent += (size_t)size;
            continue;
        }
        int error = errno == EAGAIN ? wait_for(client->fd, POLLOUT, deadline_ms) : errno;
        if (error != 0 && error != EINTR)
            return error;
    }
    return 0;
}

// Some bytes of the reply; 0 at the end of the connection, negative errno on failure.
static ssize_t receive(struct gramme *client, uint8_t *to, size_t room, int64_t deadline_ms)
{
    for (;;) {
        ssize_t size = recv(client->fd, to, room, 0);
        if (size >= 0)
            return size;
        int error = errno == EAGAIN ? wait_for(client->fd, POLLIN, deadline_ms) : errno;
        if (error != 0 && error != EINTR)
            return -error;
    }
}

// Reads until there is a reply. 0, or an errno: EPROTO for bytes that are no RESP, EPIPE for the
// end of the connection.
static int receive_reply(
    struct gramme *client, int64_t deadline_ms, const struct gr_reply **ret_reply)
{
    uint8_t piece[PIECE_BYTES];
    for (;;) {
        ssize_t size = receive(client, piece, sizeof(piece), deadline_ms);
        if (size <= 0)
            return size < 0 ? (int)-size : EPIPE;
        struct gr_bytes rest = gr_bytes(piece, (size_t)size);
        while (rest.size > 0) {
            size_t used = 0;
            const struct gr_reply *reply = NULL;
            switch (gr_reply_parse(&client->parser, rest, &used, &reply)) {
            case GR_REPLY_BROKEN:
                return EPROTO;
            case GR_REPLY_MORE:
                break;
            case GR_REPLY_WHOLE:
                if (reply->type != GR_REPLY_PUSH) {
                    *ret_reply = reply;
                    // Bytes behind the only reply that was asked for belong to nobody.
                    return used == rest.size ? 0 : EPROTO;
                }
                break;
            }
            rest = gr_bytes(rest.data + used, rest.size - used);
        }
    }
}

enum gramme_outcome gr_client_exchange(struct gramme *client, const struct gr_reply **ret_reply)
{
    int64_t deadline_ms = now_ms() + client->timeout_ms;
    int unsent = send_request(client, deadline_ms);
    // A node that refuses a request closes, which may be noticed while sending; it said why first.
    int error = unsent != ETIMEDOUT ? receive_reply(client, deadline_ms, ret_reply) : unsent;
    if (error == 0 && unsent == 0)
        return GRAMME_OK;
    const char *broken = client->parser.error;
    gr_client_disconnect(client);
    if (error == 0)
        return GRAMME_OK;
    if (unsent != 0)
        return gr_client_fail(client, GRAMME_REJECTED, "UNREACHABLE",
            "%s took only a part of the request: %s", client->address, strerror(unsent));
    if (error == EPROTO)
        return gr_client_fail(client, GRAMME_INDETERMINATE, "PROTOCOL",
            "%s does not answer as a Redis server does: %s", client->address,
            broken != NULL ? broken : "more replies than requests");
    if (error == ETIMEDOUT)
        return gr_client_fail(client, GRAMME_INDETERMINATE, "LOST",
            "no answer from %s within %d ms", client->address, client->timeout_ms);
    return gr_client_fail(client, GRAMME_INDETERMINATE, "LOST",
        "the connection to %s ended before the answer: %s", client->address,
        error == EPIPE ? "closed by the node" : strerror(error));
}
