// The wide links between sites: a relay on loopback that lets bytes through after a delay, or not.
//
// Picture canals between towns: what is put in at one end comes out at the other in its order, so
// many milliseconds later, and each direction has a length of its own. A lock can be shut: boats
// wait in it and go on when it opens (`hold`, a network that drops packets, as TCP sees it), or the
// canal is drained with all that is on it (`cut`, connections are reset).
//
//     accept --> recv --> pieces, each with the time it is due --> send
//
// Commands are lines of stdin, each answered by one line of stdout when it is done; towns are
// numbers from 0. At the end of stdin it ends, and with it everything that it held open.
//
//     lane A B HERE THERE   whoever of A dials port HERE reaches port THERE, of B
//     delay A B MS          from A to B; from B to A is another
//     pass A B, hold A B, cut A B   both directions, of all their lanes
//     count A B             "ok N": bytes that came out at B
//
// W1. Bytes of a direction come out in their order, none before its delay is over, and at most
//     about a millisecond later while the other side reads.
// W2. What waits is bounded: RING_BYTES and PIECES for each direction of each connection; then the
//     sender is not read any more, and TCP's own windows fill.
// W3. The end of a stream waits behind its bytes; once it comes out the connection is closed. While
//     held, nothing is accepted either: a dialler waits as for a lost SYN.
//
// Everything is bounded by the counts below; more is refused, or a bug of the caller's.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/base.h"

enum {
    SITES_MAX = 8,
    LANES_MAX = 512,
    CONNECTIONS_MAX = 512,
    RING_BYTES = 1 << 20,
    PIECES = 4096,
    LINE_BYTES = 256,
    EVENTS = 64,
    BACKLOG = 64,
};

enum mode { PASS, HOLD, CUT };

struct way {
    enum mode mode;
    int64_t delay_ns;
    uint64_t bytes;
};

struct lane {
    int fd; // listens; -1 = no such lane
    uint8_t from, to;
    struct sockaddr_in there;
};

struct piece {
    int64_t due_ns;
    uint32_t size; // 0 = the end
};

// One direction of a connection: bytes [first, first + size) around the ring, cut into pieces.
struct stream {
    struct way *way;
    bool is_ended; // nothing more is read
    bool is_full;  // as far as epoll was told
    bool is_stuck; // the other side does not read: epoll says when it does
    uint8_t *ring;
    struct piece *piece;
    uint32_t first, size, piece_first, pieces;
};

// stream[i] is read from fd[i] and written to fd[1 - i]; 0 is the dialler.
struct connection {
    bool is_open;
    uint8_t from, to;
    int fd[2];
    bool is_gone[2]; // epoll has nothing more to say of it
    struct stream stream[2];
};

enum kind { STDIN, LANE, CONNECTION };

static struct way way[SITES_MAX][SITES_MAX];
static struct lane lane[LANES_MAX];
static struct connection connection[CONNECTIONS_MAX];
static uint32_t lanes, connections; // connections: the highest that was ever open, and one
static int epoll;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void watch(int change, int fd, uint32_t events, enum kind kind, uint32_t index, int side)
{
    struct epoll_event event = {.events = events,
        .data = {.u64 = (uint64_t)kind << 40 | (uint64_t)index << 8 | (uint64_t)side}};
    gr_assert(epoll_ctl(epoll, change, fd, &event) == 0);
}

// ---- connections -----------------------------------------------------------------------------

static void close_connection(struct connection *at, bool reset)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};
    for (int i = 0; i < 2; i++) {
        if (reset)
            (void)setsockopt(at->fd[i], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        close(at->fd[i]);
    }
    at->is_open = false;
}

// Tells epoll what is wanted of one side: to read it while there is room, to write if it is stuck.
static void watch_side(struct connection *at, int side, int change)
{
    const struct stream *in = &at->stream[side], *out = &at->stream[1 - side];
    uint32_t events = (in->is_ended || in->is_full ? 0 : EPOLLIN) | (out->is_stuck ? EPOLLOUT : 0);
    if (!at->is_gone[side])
        watch(change, at->fd[side], events, CONNECTION, (uint32_t)(at - connection), side);
}

static bool has_room(const struct stream *stream)
{
    return stream->size < RING_BYTES && stream->pieces < PIECES - 1; // one is for the end
}

static void set_full(struct connection *at, int side)
{
    struct stream *stream = &at->stream[side];
    bool is_full = !has_room(stream);
    if (is_full != stream->is_full) {
        stream->is_full = is_full;
        watch_side(at, side, EPOLL_CTL_MOD);
    }
}

static void add_piece(struct stream *stream, uint32_t size)
{
    uint32_t last = (stream->piece_first + stream->pieces++) % PIECES;
    stream->piece[last] = (struct piece){.due_ns = now_ns() + stream->way->delay_ns, .size = size};
    stream->size += size;
}

// Reads what one side has sent, as far as the ring has room at its end.
static void take(struct connection *at, int side, uint32_t events)
{
    struct stream *stream = &at->stream[side];
    if (!stream->is_ended && has_room(stream)) {
        uint32_t end = (stream->first + stream->size) % RING_BYTES;
        uint32_t room = GR_MIN(RING_BYTES - stream->size, RING_BYTES - end);
        ssize_t size = recv(at->fd[side], stream->ring + end, room, 0);
        stream->is_ended = size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR);
        if (size > 0 || stream->is_ended)
            add_piece(stream, size > 0 ? (uint32_t)size : 0);
        if (stream->is_ended)
            watch_side(at, side, EPOLL_CTL_MOD);
    }
    // Reset, or shut both ways: epoll would say so for ever.
    if ((events & (EPOLLHUP | EPOLLERR)) != 0 && !at->is_gone[side]) {
        if (!stream->is_ended)
            add_piece(stream, 0);
        stream->is_ended = at->is_gone[side] = true;
        gr_assert(epoll_ctl(epoll, EPOLL_CTL_DEL, at->fd[side], NULL) == 0);
        return;
    }
    set_full(at, side);
}

// Lets out what is due (W1). False when the connection is over (W3).
static bool give(struct connection *at, int side, int64_t at_ns)
{
    struct stream *stream = &at->stream[side];
    bool is_stuck = false;
    while (stream->way->mode == PASS && stream->pieces > 0 && !is_stuck) {
        struct piece *piece = &stream->piece[stream->piece_first];
        if (piece->due_ns > at_ns)
            break;
        if (piece->size == 0)
            return false;
        uint32_t size = GR_MIN(piece->size, RING_BYTES - stream->first);
        ssize_t sent = send(at->fd[1 - side], stream->ring + stream->first, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        is_stuck = sent < 0 && errno == EAGAIN;
        sent = GR_MAX(sent, 0);
        stream->first = (stream->first + (uint32_t)sent) % RING_BYTES;
        stream->size -= (uint32_t)sent;
        stream->way->bytes += (uint64_t)sent;
        piece->size -= (uint32_t)sent;
        if (piece->size == 0) {
            stream->piece_first = (stream->piece_first + 1) % PIECES;
            stream->pieces--;
        }
    }
    if (is_stuck != stream->is_stuck) {
        stream->is_stuck = is_stuck;
        watch_side(at, 1 - side, EPOLL_CTL_MOD);
    }
    set_full(at, side);
    return true;
}

// Lets out what is due everywhere; how long nothing will be, in milliseconds, -1 = for ever.
static int give_all(void)
{
    int64_t at_ns = now_ns(), next_ns = INT64_MAX;
    for (uint32_t i = 0; i < connections; i++) {
        struct connection *at = &connection[i];
        if (!at->is_open)
            continue;
        if (!give(at, 0, at_ns) || !give(at, 1, at_ns)) {
            close_connection(at, false);
            continue;
        }
        for (int side = 0; side < 2; side++) {
            const struct stream *stream = &at->stream[side];
            if (stream->pieces > 0 && stream->way->mode == PASS && !stream->is_stuck)
                next_ns = GR_MIN(next_ns, stream->piece[stream->piece_first].due_ns);
        }
    }
    return next_ns == INT64_MAX ? -1 : (int)((GR_MAX(next_ns - at_ns, 0) + 999999) / 1000000);
}

// ---- lanes -----------------------------------------------------------------------------------

static void set_stream(struct stream *stream, struct way *of)
{
    // The memory of an earlier connection in this place serves again.
    uint8_t *ring = stream->ring;
    struct piece *piece = stream->piece;
    *stream = (struct stream){.way = of, .ring = ring, .piece = piece};
    if (ring == NULL) {
        stream->ring = gr_hook_memory(NULL, RING_BYTES);
        stream->piece = gr_hook_memory(NULL, PIECES * sizeof(struct piece));
    }
}

static void accept_one(const struct lane *from)
{
    uint32_t i = 0;
    int on = 1, near = accept4(from->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (near < 0)
        return;
    while (i < CONNECTIONS_MAX && connection[i].is_open)
        i++;
    int far = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    gr_assert(i < CONNECTIONS_MAX && far >= 0);
    struct connection *at = &connection[i];
    at->fd[0] = near, at->fd[1] = far;
    if (way[from->from][from->to].mode == CUT ||
        (connect(far, (const struct sockaddr *)&from->there, sizeof(from->there)) != 0 &&
            errno != EINPROGRESS)) {
        close_connection(at, true);
        return;
    }
    connections = GR_MAX(connections, i + 1);
    at->is_open = true;
    at->from = from->from, at->to = from->to;
    at->is_gone[0] = at->is_gone[1] = false;
    set_stream(&at->stream[0], &way[from->from][from->to]);
    set_stream(&at->stream[1], &way[from->to][from->from]);
    for (int side = 0; side < 2; side++) {
        (void)setsockopt(at->fd[side], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        watch_side(at, side, EPOLL_CTL_ADD);
    }
}

static bool add_lane(uint8_t from, uint8_t to, int here, int there)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)here)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (lanes == LANES_MAX || fd < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, BACKLOG) != 0)
        return false;
    lane[lanes] = (struct lane){.fd = fd, .from = from, .to = to, .there = address};
    lane[lanes].there.sin_port = htons((uint16_t)there);
    watch(EPOLL_CTL_ADD, fd, EPOLLIN, LANE, lanes++, 0);
    return true;
}

static void set_mode(uint8_t a, uint8_t b, enum mode mode)
{
    way[a][b].mode = way[b][a].mode = mode;
    for (uint32_t i = 0; i < lanes; i++) {
        if ((lane[i].from == a && lane[i].to == b) || (lane[i].from == b && lane[i].to == a))
            watch(EPOLL_CTL_MOD, lane[i].fd, mode == HOLD ? 0 : EPOLLIN, LANE, i, 0);
    }
    for (uint32_t i = 0; mode == CUT && i < connections; i++) {
        struct connection *at = &connection[i];
        if (at->is_open && ((at->from == a && at->to == b) || (at->from == b && at->to == a)))
            close_connection(at, true);
    }
}

// ---- commands --------------------------------------------------------------------------------

static bool obey(const char *line, uint64_t *ret_number)
{
    char word[8];
    unsigned a, b, one = 0, two = 0;
    int count = sscanf(line, "%7s %u %u %u %u", word, &a, &b, &one, &two);
    if (count < 3 || a >= SITES_MAX || b >= SITES_MAX || a == b || one > 65535 || two > 65535)
        return false;
    if (strcmp(word, "lane") == 0 && count == 5)
        return add_lane((uint8_t)a, (uint8_t)b, (int)one, (int)two);
    if (strcmp(word, "delay") == 0 && count == 4)
        way[a][b].delay_ns = (int64_t)one * 1000000;
    else if (strcmp(word, "pass") == 0 && count == 3)
        set_mode((uint8_t)a, (uint8_t)b, PASS);
    else if (strcmp(word, "hold") == 0 && count == 3)
        set_mode((uint8_t)a, (uint8_t)b, HOLD);
    else if (strcmp(word, "cut") == 0 && count == 3)
        set_mode((uint8_t)a, (uint8_t)b, CUT);
    else if (strcmp(word, "count") == 0 && count == 3)
        *ret_number = way[a][b].bytes;
    else
        return false;
    return true;
}

// False at the end of stdin, or of what can be understood as lines.
static bool take_commands(void)
{
    static char line[LINE_BYTES];
    static size_t size;
    ssize_t got = read(STDIN_FILENO, line + size, sizeof(line) - 1 - size);
    if (got <= 0)
        return false;
    size += (size_t)got;
    line[size] = 0;
    for (char *end = NULL; (end = strchr(line, '\n')) != NULL;) {
        uint64_t number = 0;
        *end++ = 0;
        if (obey(line, &number))
            printf("ok %llu\n", (unsigned long long)number);
        else
            printf("error: %s\n", line);
        fflush(stdout);
        size -= (size_t)(end - line);
        memmove(line, end, size + 1);
    }
    return size < sizeof(line) - 1;
}

int main(void)
{
    struct epoll_event event[EVENTS];
    epoll = epoll_create1(EPOLL_CLOEXEC);
    gr_assert(epoll >= 0);
    watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, STDIN, 0, 0);
    while (true) {
        int count = epoll_wait(epoll, event, EVENTS, give_all());
        // Commands last: they may close connections that other events of this turn are about.
        bool is_told = false;
        for (int i = 0; i < count; i++) {
            uint64_t data = event[i].data.u64;
            uint32_t index = (uint32_t)(data >> 8);
            if (data >> 40 == STDIN)
                is_told = true;
            else if (data >> 40 == LANE)
                accept_one(&lane[index]);
            else if (connection[index].is_open)
                take(&connection[index], (int)(data & 1), event[i].events);
        }
        if (is_told && !take_commands())
            return 0;
    }
}
