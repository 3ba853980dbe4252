// What `load` is asked to do.
#ifndef GR_BENCH_OPTIONS_H
#define GR_BENCH_OPTIONS_H

#include <netinet/in.h>

#include "base/base.h"

enum {
    GR_LOAD_ADDRESSES_MAX = 16,
    GR_LOAD_CONNECTIONS_MAX = 1000, // stays under the usual limit of 1024 descriptors
    GR_LOAD_PIPELINE_MAX = 1024,
    GR_LOAD_VALUE_BYTES_MAX = 1 << 20,
    GR_LOAD_WINDOW_BYTES_MAX = 64 << 20, // values in flight on one connection
    GR_LOAD_SECONDS_MAX = 3600,
};

struct gr_load_options {
    struct sockaddr_in address[GR_LOAD_ADDRESSES_MAX];
    uint32_t addresses;
    uint32_t connections;
    uint32_t pipeline;
    uint64_t operations;
    uint32_t value_bytes, other_bytes;
    uint32_t first, keys; // keys first to first + keys - 1
    uint32_t ttl;         // seconds until what a SET wrote expires; 0 = never
    uint32_t seed;        // of the keys at random
    uint32_t wait;        // replicas that WAIT asks for after each SET; 0 = no WAIT
    uint32_t rate;        // operations due per second; 0 = the next when one is answered
    uint32_t seconds_max;
    const char *seconds_file; // what each second was like (seconds.h); NULL: nobody asks
    const char *done_file;    // keys of SETs that were answered OK; NULL: nobody asks
    bool get;                 // else set
    bool fill;                // keys one after the other instead of at random
    bool json;
};

// Fills *ret_options from the command line. False, having said on stderr what is wrong, when it
// means nothing or would leave this machine; *ret_options is then not for use.
bool gr_load_options_parse(int argc, char **argv, struct gr_load_options *ret_options);

void gr_load_options_help(void);

#endif
