// A load generator for servers that speak RESP, on this machine only.
//
// Picture a crowd at a row of counters: each connection is a customer who keeps `pipeline` slips on
// the counter, and puts down a new one for each that is answered. The customers are served by one
// thread that waits in one epoll; nobody sleeps, and nobody asks faster than the answers come (a
// closed loop: when the server stalls, the load stalls with it, and the stall is in the latencies
// of the operations that were out, not of those that would have been asked meanwhile).
//
//     top_up --> flush --> (server) --> read --> take_replies --> finish --> top_up
//
// I1. An operation is finished once: as done, with its latency, or as one error, by first word.
// With
//     --fill BUSY, TRYAGAIN and NOREPLICAS do not finish it: it is asked again.
// I2. A value holds its key and bytes that follow from it, so every GET's answer is checked: any
//     other value is the error WRONG. With --other-bytes it may have that size too. A key that is
//     not there is a good answer, counted as absent.
// I3. With --wait, a SET and the WAIT behind it are one operation, which is done when WAIT names
//     enough replicas.
// I4. The run ends: after --operations, or no new ones after --seconds-max, and those still out are
//     waited for DRAIN_MS at most, then counted as the error UNANSWERED. SIGTERM is the same as
//     --seconds-max, now.
// I5. With --rate the crowd comes when it comes (an open loop): operation i is due at i / rate, its
//     latency counts from then, and what could not even be asked counts too. A stall of the server
//     is in the latency of everything that was due meanwhile.
// I6. With --done-file each SET that was answered OK has its key's number there, one a line, and no
//     other has: what was acknowledged can be asked for afterwards.
//
// Latency is from just before the write that carries the request to just after the read that
// carries the end of its reply. All buffers are allocated at the start and never grow.
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/random.h"
#include "bench/histogram.h"
#include "bench/options.h"
#include "bench/seconds.h"

enum {
    KEY_BYTES = 14, // "key:" and ten digits
    FILLER_OFFSETS = 1 << 16,
    REQUEST_EXTRA_BYTES = 160, // of a SET and its WAIT, without the value
    READ_BYTES = 1 << 16,
    EVENTS = 256,
    CONNECT_S = 5,
    DRAIN_MS = 5000,
    PACE_NS = 100000,
    ERROR_WORDS = 16,
    ERROR_BYTES = 120,
};

struct sent {
    int64_t at_ns;
    uint32_t key;
};

struct connection {
    int fd; // -1 = lost
    bool wants_out;
    // The replies of the first operation that have come: its SET's (I3), and whether that failed.
    bool is_set_answered, is_set_failed;
    uint8_t set_error[ERROR_BYTES];
    uint32_t set_error_size;
    // Operations out: sent[first], and count - 1 behind it around the ring of `pipeline`.
    struct sent *sent;
    uint32_t first, count;
    uint8_t *out, *in;
    size_t out_size, out_done, in_size;
};

struct error {
    char text[ERROR_BYTES];
    int word; // size of its first word
    uint64_t count;
};

struct load {
    struct gr_load_options options;
    struct gr_random random;
    uint8_t *filler; // FILLER_OFFSETS + value_bytes
    // What every SET has before and behind its value.
    char size_line[16], tail[96];
    size_t size_line_size, tail_size;
    size_t out_bytes, in_bytes; // of each connection's buffers
    int epoll;
    struct connection *connection;
    uint32_t open; // connections
    uint32_t turn; // --rate: the connection that is asked first
    uint64_t issued, finished, done, absent;
    int64_t begin_ns, end_ns, deadline_ns;
    uint32_t *again; // --fill: keys that are to be asked again (I1)
    uint32_t again_count;
    struct error error[ERROR_WORDS];
    struct gr_histogram latency;
    struct gr_seconds seconds;
    FILE *done_file; // I6; NULL: nobody asks
};

static volatile sig_atomic_t told_to_stop;

static void on_term(int number)
{
    (void)number;
    told_to_stop = 1;
}

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// ---- keys and values -------------------------------------------------------------------------

static void key_text(uint32_t key, uint8_t ret_text[KEY_BYTES])
{
    memcpy(ret_text, "key:", 4);
    for (int i = KEY_BYTES - 1; i >= 4; i--) {
        ret_text[i] = (uint8_t)('0' + key % 10);
        key /= 10;
    }
}

// A value is its key, cut if there is no room, then filler from a place that depends on the key: so
// that no two values look alike to a store that compresses.
static const uint8_t *filler_of(const struct load *load, uint32_t key)
{
    return load->filler + (key * UINT32_C(2654435761) >> 16) % FILLER_OFFSETS;
}

static size_t write_value(const struct load *load, uint32_t key, uint8_t *ret_value)
{
    uint8_t text[KEY_BYTES];
    size_t size = load->options.value_bytes, head = GR_MIN(size, (size_t)KEY_BYTES);
    key_text(key, text);
    memcpy(ret_value, text, head);
    memcpy(ret_value + head, filler_of(load, key), size - head);
    return size;
}

static bool is_value(const struct load *load, uint32_t key, struct gr_bytes value)
{
    uint8_t text[KEY_BYTES];
    size_t size = value.size, head = GR_MIN(size, (size_t)KEY_BYTES);
    key_text(key, text);
    return size > 0 && (size == load->options.value_bytes || size == load->options.other_bytes) &&
           memcmp(value.data, text, head) == 0 &&
           memcmp(value.data + head, filler_of(load, key), size - head) == 0;
}

static void make_filler(struct load *load)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t size = FILLER_OFFSETS +
                  GR_MAX((size_t)load->options.value_bytes, (size_t)load->options.other_bytes);
    load->filler = gr_hook_memory(NULL, size);
    for (size_t i = 0; i < size; i++)
        load->filler[i] = (uint8_t)letters[gr_random_below(&load->random, sizeof(letters) - 1)];
}

// ---- the end of an operation -----------------------------------------------------------------

// Counts an error by its first word, and keeps all of the first text that began so.
static void count_error(struct load *load, struct gr_bytes said)
{
    char text[ERROR_BYTES];
    size_t size = GR_MIN(said.size, (size_t)ERROR_BYTES - 1);
    // It is printed as it stands, in JSON too.
    for (size_t i = 0; i < size; i++) {
        char c = (char)said.data[i];
        text[i] = c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;
    }
    text[size] = 0;
    int word = (int)strcspn(text, " "), i = 0;
    while (i < ERROR_WORDS - 1 && load->error[i].count > 0 &&
           (load->error[i].word != word || memcmp(load->error[i].text, text, (size_t)word) != 0))
        i++;
    struct error *error = &load->error[i];
    if (error->count++ > 0)
        return;
    // The last place is for all words that find no other.
    if (i == ERROR_WORDS - 1)
        snprintf(text, sizeof(text), "OTHER");
    error->word = i == ERROR_WORDS - 1 ? (int)strlen(text) : word;
    memcpy(error->text, text, sizeof(text));
}

// Nothing was done, or perhaps: a SET may be asked again.
static bool is_passing(struct gr_bytes error)
{
    static const char *const words[] = {"BUSY", "TRYAGAIN", "NOREPLICAS"};
    for (size_t i = 0; i < GR_COUNT(words); i++) {
        size_t size = strlen(words[i]);
        if (error.size >= size && memcmp(error.data, words[i], size) == 0)
            return true;
    }
    return false;
}

// Ends the first operation of the connection; an error without data says that it is done.
static void finish(
    struct load *load, struct connection *connection, int64_t at_ns, struct gr_bytes error)
{
    gr_assert(connection->count > 0);
    const struct sent *sent = &connection->sent[connection->first];
    bool is_repeated = load->options.fill && is_passing(error);
    if (is_repeated) {
        load->again[load->again_count++] = sent->key;
    } else if (error.data == NULL) {
        load->done++;
        uint64_t us = (uint64_t)(at_ns - sent->at_ns) / 1000;
        gr_histogram_add(&load->latency, us);
        gr_seconds_add(&load->seconds, at_ns, us);
        if (load->done_file != NULL)
            fprintf(load->done_file, "%u\n", sent->key);
    } else {
        count_error(load, error);
    }
    load->finished += !is_repeated;
    load->end_ns = at_ns;
    connection->first = (connection->first + 1) % load->options.pipeline;
    connection->count--;
}

// The connection is of no more use: all that was out on it is an error (I1).
static void lose(struct load *load, struct connection *connection, const char *word)
{
    int64_t at_ns = now_ns();
    while (connection->count > 0)
        finish(load, connection, at_ns, gr_bytes_text(word));
    close(connection->fd);
    connection->fd = -1;
    load->open--;
}

// ---- replies ---------------------------------------------------------------------------------

struct reply {
    uint8_t kind; // + - : $, or _ for nil
    struct gr_bytes text;
    int64_t number;
};

static bool read_number(struct gr_bytes text, int64_t *ret_number)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    int64_t number = 0;
    size_t i = negative ? 1 : 0;
    if (text.size == i || text.size > 18)
        return false;
    for (; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        number = number * 10 + (text.data[i] - '0');
    }
    *ret_number = negative ? -number : number;
    return true;
}

// Parses the reply that begins at `data`. Returns its size, 0 when it is not complete, or -1 when
// it is none that SET, GET or WAIT can have.
static ssize_t parse(const uint8_t *data, size_t size, struct reply *ret_reply)
{
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    if (end == NULL)
        return 0;
    size_t line = (size_t)(end - data) + 1;
    if (line < 3 || end[-1] != '\r')
        return -1;
    struct reply reply = {.kind = data[0], .text = gr_bytes(data + 1, line - 3)};
    ssize_t used = (ssize_t)line;
    if (reply.kind == ':' || reply.kind == '$') {
        if (!read_number(reply.text, &reply.number))
            return -1;
    } else if (reply.kind != '+' && reply.kind != '-') {
        return -1;
    }
    if (reply.kind == '$' && reply.number < 0) {
        reply.kind = '_';
    } else if (reply.kind == '$') {
        if (reply.number > GR_LOAD_VALUE_BYTES_MAX)
            return -1;
        reply.text = gr_bytes(data + line, (size_t)reply.number);
        used += reply.number + 2;
        if ((size_t)used > size)
            return 0;
        if (memcmp(data + used - 2, "\r\n", 2) != 0)
            return -1;
    }
    *ret_reply = reply;
    return used;
}

// The text of the error that this reply is, or no bytes at all (data NULL) when it is good.
static struct gr_bytes verdict(
    struct load *load, const struct reply *reply, uint32_t key, bool is_wait)
{
    const struct gr_bytes good = {0};
    if (reply->kind == '-')
        return reply->text;
    if (is_wait)
        return reply->kind == ':' && reply->number >= load->options.wait ? good
                                                                         : gr_bytes_text("WAIT");
    if (!load->options.get)
        return reply->kind == '+' ? good : gr_bytes_text("WRONG");
    if (reply->kind == '_') {
        load->absent++;
        return good;
    }
    return reply->kind == '$' && is_value(load, key, reply->text) ? good : gr_bytes_text("WRONG");
}

static void take_reply(
    struct load *load, struct connection *connection, const struct reply *reply, int64_t at_ns)
{
    bool is_wait = connection->is_set_answered;
    uint32_t key = connection->sent[connection->first].key;
    struct gr_bytes error = verdict(load, reply, key, is_wait);
    if (load->options.wait > 0 && !is_wait) {
        connection->is_set_answered = true;
        connection->is_set_failed = error.data != NULL;
        connection->set_error_size = (uint32_t)GR_MIN(error.size, (size_t)ERROR_BYTES);
        if (error.size > 0)
            memcpy(connection->set_error, error.data, connection->set_error_size);
        return;
    }
    if (is_wait && connection->is_set_failed)
        error = gr_bytes(connection->set_error, connection->set_error_size);
    connection->is_set_answered = connection->is_set_failed = false;
    finish(load, connection, at_ns, error);
}

// False when the connection brought what cannot be understood.
static bool take_replies(struct load *load, struct connection *connection, int64_t at_ns)
{
    size_t taken = 0;
    while (taken < connection->in_size) {
        struct reply reply;
        ssize_t size = parse(connection->in + taken, connection->in_size - taken, &reply);
        if (size < 0 || (size > 0 && connection->count == 0))
            return false;
        if (size == 0)
            break;
        take_reply(load, connection, &reply, at_ns);
        taken += (size_t)size;
    }
    connection->in_size -= taken;
    memmove(connection->in, connection->in + taken, connection->in_size);
    return connection->in_size < load->in_bytes;
}

// ---- requests --------------------------------------------------------------------------------

static void append(struct load *load, struct connection *connection, uint32_t key)
{
    uint8_t *begin = connection->out + connection->out_size, *at = begin, text[KEY_BYTES];
    const struct gr_load_options *options = &load->options;
    const char *head = options->get       ? "*2\r\n$3\r\nGET\r\n$14\r\n"
                       : options->ttl > 0 ? "*5\r\n$3\r\nSET\r\n$14\r\n"
                                          : "*3\r\n$3\r\nSET\r\n$14\r\n";
    gr_assert(load->out_bytes - connection->out_size >= options->value_bytes + REQUEST_EXTRA_BYTES);
    at = (uint8_t *)mempcpy(at, head, strlen(head));
    key_text(key, text);
    at = (uint8_t *)mempcpy(at, text, KEY_BYTES);
    at = (uint8_t *)mempcpy(at, "\r\n", 2);
    if (!options->get) {
        at = (uint8_t *)mempcpy(at, load->size_line, load->size_line_size);
        at += write_value(load, key, at);
        at = (uint8_t *)mempcpy(at, load->tail, load->tail_size);
    }
    connection->out_size += (size_t)(at - begin);
}

// When the next operation is due: with --rate at its own time, else always.
static int64_t due_ns(const struct load *load)
{
    uint64_t rate = load->options.rate, i = load->issued;
    if (rate == 0)
        return 0;
    return load->begin_ns + (int64_t)(i / rate * 1000000000 + i % rate * 1000000000 / rate);
}

// I4.
static bool is_all_issued(const struct load *load, int64_t at_ns)
{
    return load->issued == load->options.operations ||
           (load->options.rate > 0 ? due_ns(load) : at_ns) >= load->deadline_ns;
}

static uint32_t next_key(struct load *load)
{
    const struct gr_load_options *options = &load->options;
    return options->first + (options->fill
                                    ? (uint32_t)(load->issued % options->keys)
                                    : (uint32_t)gr_random_below(&load->random, options->keys));
}

// Fills the window of the connection with new operations, as far as they are due.
static void top_up(struct load *load, struct connection *connection)
{
    const struct gr_load_options *options = &load->options;
    int64_t at_ns = now_ns();
    while (connection->count < options->pipeline) {
        bool is_again = load->again_count > 0 && at_ns < load->deadline_ns;
        if (!is_again && (is_all_issued(load, at_ns) || due_ns(load) > at_ns))
            break;
        uint32_t key = is_again ? load->again[--load->again_count] : next_key(load);
        append(load, connection, key);
        uint32_t last = (connection->first + connection->count) % options->pipeline;
        connection->sent[last] =
            (struct sent){.at_ns = options->rate > 0 ? due_ns(load) : at_ns, .key = key};
        connection->count++;
        load->issued += !is_again;
    }
}

static void watch(struct load *load, struct connection *connection, int change)
{
    struct epoll_event event = {
        .events = EPOLLIN | (connection->wants_out ? EPOLLOUT : 0), .data = {.ptr = connection}};
    if (epoll_ctl(load->epoll, change, connection->fd, &event) != 0)
        gr_hook_panic(__FILE__, __LINE__, strerror(errno));
}

// Writes what the socket takes. False when the connection is lost.
static bool flush(struct load *load, struct connection *connection)
{
    while (connection->out_done < connection->out_size) {
        ssize_t size = send(connection->fd, connection->out + connection->out_done,
            connection->out_size - connection->out_done, MSG_NOSIGNAL);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0 && errno != EAGAIN)
            return false;
        if (size < 0)
            break;
        connection->out_done += (size_t)size;
    }
    bool is_left = connection->out_done < connection->out_size;
    if (!is_left)
        connection->out_done = connection->out_size = 0;
    if (is_left != connection->wants_out) {
        connection->wants_out = is_left;
        watch(load, connection, EPOLL_CTL_MOD);
    }
    return true;
}

// ---- the loop --------------------------------------------------------------------------------

static void on_event(struct load *load, struct connection *connection, uint32_t events)
{
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        ssize_t size = recv(connection->fd, connection->in + connection->in_size,
            load->in_bytes - connection->in_size, 0);
        if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
            lose(load, connection, "CLOSED");
            return;
        }
        connection->in_size += size > 0 ? (size_t)size : 0;
        if (size > 0 && !take_replies(load, connection, now_ns())) {
            lose(load, connection, "GARBLED");
            return;
        }
    }
    // New requests go behind those that the socket has not taken yet; only a buffer that is empty
    // surely has room for a whole window.
    if (connection->out_size == 0)
        top_up(load, connection);
    if (!flush(load, connection))
        lose(load, connection, "CLOSED");
}

static bool is_over(const struct load *load, int64_t at_ns)
{
    return load->open == 0 || (is_all_issued(load, at_ns) && load->finished == load->issued);
}

// I5. Hands out what is due to connections that have room, each in its turn.
static void pace(struct load *load)
{
    int64_t at_ns = now_ns();
    for (uint32_t i = 0; i < load->options.connections; i++) {
        if (due_ns(load) > at_ns || is_all_issued(load, at_ns))
            return;
        struct connection *connection = &load->connection[load->turn++ % load->options.connections];
        if (connection->fd >= 0 && connection->out_size == 0)
            top_up(load, connection);
        if (connection->fd >= 0 && !flush(load, connection))
            lose(load, connection, "CLOSED");
    }
}

static int wait_for_events(struct load *load, struct epoll_event *ret_event, int64_t until_ns)
{
    // What became due since pace() looked, or found nobody free, is looked at again soon.
    int64_t at_ns = now_ns();
    if (load->options.rate > 0 && !is_all_issued(load, at_ns))
        until_ns = GR_MIN(until_ns, GR_MAX(due_ns(load), at_ns + PACE_NS));
    int64_t ns = GR_MAX(until_ns - at_ns, 0);
    struct timespec span = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    return epoll_pwait2(load->epoll, ret_event, EVENTS, &span, NULL);
}

static void run(struct load *load)
{
    struct epoll_event event[EVENTS];
    load->begin_ns = load->end_ns = now_ns();
    load->deadline_ns = load->begin_ns + (int64_t)load->options.seconds_max * 1000000000;
    for (uint32_t i = 0; i < load->options.connections; i++)
        on_event(load, &load->connection[i], EPOLLOUT);
    int64_t give_up_ns = load->deadline_ns + (int64_t)DRAIN_MS * 1000000;
    for (int64_t now = now_ns(); !is_over(load, now) && now < give_up_ns; now = now_ns()) {
        if (told_to_stop && now < load->deadline_ns) {
            load->deadline_ns = now;
            give_up_ns = now + (int64_t)DRAIN_MS * 1000000;
            continue; // with nothing out it is over at once
        }
        if (load->options.rate > 0)
            pace(load);
        // Before the deadline new operations may start; after it only the last replies count.
        int64_t until_ns = now < load->deadline_ns ? load->deadline_ns : give_up_ns;
        int count = wait_for_events(load, event, until_ns);
        for (int i = 0; i < count; i++)
            on_event(load, event[i].data.ptr, event[i].events);
    }
    for (uint32_t i = 0; i < load->options.connections; i++) {
        if (load->connection[i].fd >= 0)
            lose(load, &load->connection[i], "UNANSWERED");
    }
    for (; load->options.rate > 0 && !is_all_issued(load, now_ns()); load->issued++) {
        count_error(load, gr_bytes_text("UNANSWERED"));
        load->finished++;
    }
}

// ---- start and end ---------------------------------------------------------------------------

static bool open_connection(struct load *load, uint32_t i)
{
    struct connection *connection = &load->connection[i];
    const struct sockaddr_in *address = &load->options.address[i % load->options.addresses];
    const struct timeval limit = {.tv_sec = CONNECT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    // The limit is for connect, and forgotten once the socket no longer blocks.
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 ||
        fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        fprintf(stderr, "load: cannot connect to port %d: %s\n", ntohs(address->sin_port),
            strerror(errno));
        return false;
    }
    *connection = (struct connection){.fd = fd,
        .sent = gr_hook_memory(NULL, load->options.pipeline * sizeof(struct sent)),
        .out = gr_hook_memory(NULL, load->out_bytes),
        .in = gr_hook_memory(NULL, load->in_bytes)};
    load->open++;
    watch(load, connection, EPOLL_CTL_ADD);
    return true;
}

// What stands around the value of a SET: its size before; its expiry, and the WAIT, behind.
static void make_tail(struct load *load)
{
    const struct gr_load_options *options = &load->options;
    char digits[12];
    load->size_line_size =
        (size_t)snprintf(load->size_line, sizeof(load->size_line), "$%u\r\n", options->value_bytes);
    int count = snprintf(digits, sizeof(digits), "%u", options->ttl);
    int size = snprintf(load->tail, sizeof(load->tail),
        options->ttl > 0 ? "\r\n$2\r\nEX\r\n$%d\r\n%s\r\n" : "\r\n", count, digits);
    count = snprintf(digits, sizeof(digits), "%u", options->wait);
    if (options->wait > 0)
        size += snprintf(load->tail + size, sizeof(load->tail) - (size_t)size,
            "*3\r\n$4\r\nWAIT\r\n$%d\r\n%s\r\n$1\r\n0\r\n", count, digits);
    load->tail_size = (size_t)size;
}

static bool start(struct load *load)
{
    const struct gr_load_options *options = &load->options;
    if (options->seconds_file != NULL && !gr_seconds_open(&load->seconds, options->seconds_file)) {
        fprintf(stderr, "load: %s: %s\n", options->seconds_file, strerror(errno));
        return false;
    }
    if (options->done_file != NULL && (load->done_file = fopen(options->done_file, "we")) == NULL) {
        fprintf(stderr, "load: %s: %s\n", options->done_file, strerror(errno));
        return false;
    }
    // The filler is the same in every run, so that one run knows another's values.
    gr_random_init(&load->random, 1);
    make_filler(load);
    gr_random_init(&load->random, options->seed);
    make_tail(load);
    load->out_bytes = options->pipeline * ((size_t)options->value_bytes + REQUEST_EXTRA_BYTES);
    load->in_bytes =
        READ_BYTES + (size_t)GR_LOAD_VALUE_BYTES_MAX *
                         (GR_MAX(options->value_bytes, options->other_bytes) > READ_BYTES / 2);
    load->again =
        gr_hook_memory(NULL, (size_t)options->connections * options->pipeline * sizeof(uint32_t));
    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connection = gr_hook_memory(NULL, options->connections * sizeof(struct connection));
    if (load->epoll < 0) {
        fprintf(stderr, "load: no epoll: %s\n", strerror(errno));
        return false;
    }
    for (uint32_t i = 0; i < options->connections; i++) {
        if (!open_connection(load, i))
            return false;
    }
    return true;
}

static double ms_at(const struct load *load, uint32_t per_mille)
{
    return (double)gr_histogram_at(&load->latency, per_mille) / 1000;
}

// The generator's own share of the machine, in microseconds of CPU per operation: where it comes
// near the wall time per operation, the generator is what was measured.
static double own_cpu_us(const struct load *load)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * INT64_C(1000000) +
                 usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    return load->finished > 0 ? (double)us / (double)load->finished : 0;
}

static void print(const struct load *load)
{
    const struct gr_load_options *options = &load->options;
    double seconds = (double)(load->end_ns - load->begin_ns) / 1e9;
    double rate = seconds > 0 ? (double)load->done / seconds : 0;
    uint64_t failed = load->finished - load->done;
    const char *form =
        options->json ? "{\"op\": \"%s\", \"connections\": %u, \"pipeline\": %u, \"done\": %llu, "
                        "\"seconds\": %.3f, \"ops_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": "
                        "%.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, \"absent\": %llu, "
                        "\"load_cpu_us\": %.2f, \"failed\": %llu, \"errors\": {"
                      : "%s, %u connections, pipeline %u: %llu done in %.3f s, %.0f ops/s, p50 "
                        "%.3f, p99 %.3f, p99.9 %.3f, max %.3f ms, %llu absent, own CPU %.2f "
                        "us/op, errors %llu";
    printf(form, options->get ? "get" : "set", options->connections, options->pipeline,
        (unsigned long long)load->done, seconds, rate, ms_at(load, 500), ms_at(load, 990),
        ms_at(load, 999), (double)load->latency.max_us / 1000, (unsigned long long)load->absent,
        own_cpu_us(load), (unsigned long long)failed);
    for (int i = 0; i < ERROR_WORDS && load->error[i].count > 0; i++) {
        const struct error *error = &load->error[i];
        printf(options->json ? "%s\"%.*s\": %llu" : "%s%.*s %llu",
            i > 0           ? ", "
            : options->json ? ""
                            : " (",
            error->word, error->text, (unsigned long long)error->count);
    }
    fputs(options->json ? "}, \"said\": [" : failed > 0 ? ")" : "", stdout);
    for (int i = 0; i < ERROR_WORDS && load->error[i].count > 0; i++)
        printf(options->json ? "%s\"%s\"" : "%s\n    %s", options->json && i > 0 ? ", " : "",
            load->error[i].text);
    puts(options->json ? "]}" : "");
}

int main(int argc, char **argv)
{
    static struct load load;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        gr_load_options_help();
        return 0;
    }
    if (!gr_load_options_parse(argc, argv, &load.options))
        return 2;
    (void)sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
    if (!start(&load))
        return 1;
    run(&load);
    if (!gr_seconds_close(&load.seconds))
        fprintf(stderr, "load: %s: %s\n", load.options.seconds_file, strerror(errno));
    if (load.done_file != NULL && fclose(load.done_file) != 0) {
        fprintf(stderr, "load: %s: %s\n", load.options.done_file, strerror(errno));
        return 1;
    }
    print(&load);
    return load.issued == load.done && load.done > 0 ? 0 : 1;
}
