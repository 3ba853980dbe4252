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
// I2. A value holds its key and bytes that follow from it, so every GET's answer is checked: another
//     value is the error WRONG. A key that is not there is a good answer, counted as absent.
// I3. With --wait, a SET and the WAIT behind it are one operation, which is done when WAIT names
//     enough replicas.
// I4. The run ends: after --operations, or no new ones after --seconds-max, and those still out are
//     waited for DRAIN_MS at most, then counted as the error UNANSWERED.
//
// Latency is from just before the write that carries the request to just after the read that
// carries the end of its reply. All buffers are allocated at the start and never grow.
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
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

enum {
    KEY_BYTES = 14, // "key:" and ten digits
    FILLER_OFFSETS = 1 << 16,
    REQUEST_EXTRA_BYTES = 160, // of a SET and its WAIT, without the value
    READ_BYTES = 1 << 16,
    EVENTS = 256,
    CONNECT_S = 5,
    DRAIN_MS = 5000,
    ERROR_WORDS = 16,
    ERROR_BYTES = 24,
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
    // Operations out: sent[first], and count - 1 behind it around the ring of `pipeline`.
    struct sent *sent;
    uint32_t first, count;
    uint8_t *out, *in;
    size_t out_size, out_done, in_size;
};

struct error {
    char word[ERROR_BYTES];
    uint64_t count;
};

struct load {
    struct gr_load_options options;
    struct gr_random random;
    uint8_t *filler; // FILLER_OFFSETS + value_bytes
    size_t out_bytes, in_bytes;
    int epoll;
    struct connection *connection;
    uint32_t open; // connections
    uint64_t issued, finished, done, absent;
    int64_t begin_ns, end_ns, deadline_ns;
    struct error error[ERROR_WORDS];
    struct gr_histogram latency;
};

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
    size_t size = load->options.value_bytes, head = GR_MIN(size, (size_t)KEY_BYTES);
    key_text(key, text);
    return value.size == size && memcmp(value.data, text, head) == 0 &&
           memcmp(value.data + head, filler_of(load, key), size - head) == 0;
}

static void make_filler(struct load *load)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t size = FILLER_OFFSETS + (size_t)load->options.value_bytes;
    load->filler = gr_hook_memory(NULL, size);
    for (size_t i = 0; i < size; i++)
        load->filler[i] = (uint8_t)letters[gr_random_below(&load->random, sizeof(letters) - 1)];
}

// ---- the end of an operation -----------------------------------------------------------------

static void count_error(struct load *load, const char *word, size_t size)
{
    // The last place is for all words that find no other.
    static const char rest[] = "OTHER";
    for (int i = 0; i < ERROR_WORDS; i++) {
        struct error *error = &load->error[i];
        if (i == ERROR_WORDS - 1) {
            word = rest;
            size = sizeof(rest) - 1;
        }
        size = GR_MIN(size, (size_t)ERROR_BYTES - 1);
        if (error->count == 0) {
            memcpy(error->word, word, size);
            // It is printed as it stands, in JSON too.
            for (size_t k = 0; k < size; k++) {
                char c = error->word[k];
                if (c <= ' ' || c > '~' || c == '"' || c == '\\')
                    error->word[k] = '?';
            }
            error->word[size] = 0;
        }
        if (strlen(error->word) == size && memcmp(error->word, word, size) == 0) {
            error->count++;
            return;
        }
    }
}

static uint64_t errors(const struct load *load)
{
    return load->finished - load->done;
}

// Ends the first operation of the connection; a NULL word says that it is done.
static void finish(struct load *load, struct connection *connection, int64_t at_ns,
    const char *error_word, size_t word_size)
{
    gr_assert(connection->count > 0);
    const struct sent *sent = &connection->sent[connection->first];
    if (error_word == NULL) {
        load->done++;
        gr_histogram_add(&load->latency, (uint64_t)(at_ns - sent->at_ns) / 1000);
    } else {
        count_error(load, error_word, word_size);
    }
    load->finished++;
    load->end_ns = at_ns;
    connection->first = (connection->first + 1) % load->options.pipeline;
    connection->count--;
}

// The connection is of no more use: all that was out on it is an error (I1).
static void lose(struct load *load, struct connection *connection, const char *word)
{
    int64_t at_ns = now_ns();
    while (connection->count > 0)
        finish(load, connection, at_ns, word, strlen(word));
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

static size_t first_word(struct gr_bytes text)
{
    const uint8_t *space = memchr(text.data, ' ', text.size);
    return space == NULL ? text.size : (size_t)(space - text.data);
}

static void take_reply(
    struct load *load, struct connection *connection, const struct reply *reply, int64_t at_ns)
{
    uint32_t key = connection->sent[connection->first].key;
    const char *error = NULL;
    size_t error_size = 0;
    bool is_wait = connection->is_set_answered;
    if (reply->kind == '-') {
        error = (const char *)reply->text.data;
        error_size = first_word(reply->text);
    } else if (is_wait) {
        error = reply->kind == ':' && reply->number >= load->options.wait ? NULL : "WAIT";
    } else if (load->options.get) {
        load->absent += reply->kind == '_';
        if (reply->kind != '_' && !(reply->kind == '$' && is_value(load, key, reply->text)))
            error = "WRONG";
    } else if (reply->kind != '+') {
        error = "WRONG";
    }
    if (error != NULL && error_size == 0 && reply->kind != '-')
        error_size = strlen(error);
    if (load->options.wait > 0 && !is_wait) {
        connection->is_set_answered = true;
        connection->is_set_failed = error != NULL;
        if (error != NULL)
            count_error(load, error, error_size);
        return;
    }
    if (is_wait && connection->is_set_failed) {
        // Already counted, with the word of the SET's error.
        load->finished++;
        load->end_ns = at_ns;
        connection->first = (connection->first + 1) % load->options.pipeline;
        connection->count--;
    } else {
        finish(load, connection, at_ns, error, error_size);
    }
    connection->is_set_answered = connection->is_set_failed = false;
}
