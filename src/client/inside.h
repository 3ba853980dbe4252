// What the files of libgramme share; nobody else includes it.
#ifndef GR_CLIENT_INSIDE_H
#define GR_CLIENT_INSIDE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "gramme/gramme.h"
#include "wire/resp_reply.h"

enum {
    GR_CLIENT_BYTES_MAX = 64 << 20, // of a request, and of a reply
    GR_CLIENT_TIMEOUT_MS = 5000,
    GR_CLIENT_WORD_BYTES = 32,
    GR_CLIENT_ERROR_BYTES = 1024,
    GR_CLIENT_ADDRESS_BYTES = 272,
};

struct gramme {
    char address[GR_CLIENT_ADDRESS_BYTES]; // as given, for messages
    char host[GR_CLIENT_ADDRESS_BYTES];
    char port[8];
    int timeout_ms;
    int fd; // -1: not connected
    char word[GR_CLIENT_WORD_BYTES];
    char error[GR_CLIENT_ERROR_BYTES];
    struct gr_writer request;
    struct gr_arena arena; // what the last call handed out
    struct gr_reply_parser parser;
};

static inline struct gr_bytes gr_client_bytes(struct gramme_bytes bytes)
{
    return gr_bytes(bytes.data, bytes.size);
}

// Sets word and error, and returns `outcome`.
__attribute__((format(printf, 4, 5))) enum gramme_outcome gr_client_fail(
    struct gramme *client, enum gramme_outcome outcome, const char *word, const char *format, ...);

// ---- a call: begin, words, end (call.c) ------------------------------------------------------

void gr_client_begin(struct gramme *client, size_t words);
void gr_client_word(struct gramme *client, struct gr_bytes word);
void gr_client_text(struct gramme *client, const char *text);
void gr_client_number(struct gramme *client, uint64_t number);
// Sends the request and reads its reply, which lives in client->arena. GRAMME_OK when there is one
// that is no error. What the previous call handed out is gone from here on.
enum gramme_outcome gr_client_end(struct gramme *client, const struct gr_reply **ret_reply);

// ---- the connection (connection.c) -----------------------------------------------------------

// Connects unless there is a connection that looks alive.
enum gramme_outcome gr_client_connect(struct gramme *client);
void gr_client_disconnect(struct gramme *client);
// Sends client->request and reads one reply that is no push.
enum gramme_outcome gr_client_exchange(struct gramme *client, const struct gr_reply **ret_reply);

#endif
