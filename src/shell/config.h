// Settings: flat `key = value`, from a file, then GRAMME_KEY variables, then --key flags; the later
// wins, and each value remembers where it came from.
//
// A size is a number with b, kb, mb, gb or tb (1024 each); a span is a number with ms, s, m or h; a
// flag is yes or no. Lines that begin with # and empty lines are skipped. Every error is one
// sentence that begins with the place ("gramme.conf:7: ") and says what is allowed.
#ifndef GR_SHELL_CONFIG_H
#define GR_SHELL_CONFIG_H

#include "base/base.h"
#include "base/error.h"

enum gr_config_kind {
    GR_CONFIG_TEXT,   // any text
    GR_CONFIG_PATH,   // a file or directory
    GR_CONFIG_LISTEN, // host:port, a host with colons in brackets; port 0 is not allowed
    GR_CONFIG_CHOICE, // one of the words in `choices`
    GR_CONFIG_FLAG,   // yes or no
    GR_CONFIG_COUNT,  // a whole number
    GR_CONFIG_SIZE,   // bytes
    GR_CONFIG_SPAN,   // milliseconds
};

// symbol, name, kind, default, least, most, choices, help
#define GR_SETTINGS(X)                                                                             \
    X(NAME, "name", TEXT, "", 0, 0, "", "this node's name, its own in the cluster")                \
    X(DATA, "data", PATH, "", 0, 0, "", "directory for this node's data")                          \
    X(CLUSTER, "cluster", PATH, "", 0, 0, "", "the cluster file: founders, secret, replicas")      \
    X(RESP, "resp", LISTEN, "127.0.0.1:7379", 0, 0, "", "address for Redis clients")               \
    X(PEER, "peer", LISTEN, "127.0.0.1:7390", 0, 0, "", "address for the other nodes")             \
    X(JOIN, "join", TEXT, "", 0, 0, "",                                                            \
        "peer addresses of members, with commas between: any of them lets this node in")           \
    X(HOST, "host", TEXT, "", 0, 0, "", "machine that this node is on, if not this one's name")    \
    X(RACK, "rack", TEXT, "", 0, 0, "", "rack of its machine")                                     \
    X(SITE, "site", TEXT, "", 0, 0, "", "site of its rack")                                        \
    X(WEIGHT, "weight", COUNT, "1", 1, 1000, "", "share of the data that it asks for")             \
    X(ANNOUNCE_PEER, "announce_peer", TEXT, "", 0, 0, "", "where nodes reach it, if not at peer")  \
    X(ANNOUNCE_RESP, "announce_resp", TEXT, "", 0, 0, "",                                          \
        "where Redis clients reach it, if not at resp")                                            \
    X(ENGINE, "engine", CHOICE, "rocksdb", 0, 0, "rocksdb memory", "storage engine")               \
    X(INSECURE, "insecure", FLAG, "no", 0, 1, "", "listen beyond loopback without encryption")     \
    X(MAXCLIENTS, "maxclients", COUNT, "10000", 1, 1000000, "", "Redis connections at most")       \
    X(CACHE, "cache", SIZE, "64mb", 1 << 20, (int64_t)1 << 40, "", "block cache of the store")     \
    X(HEADER_CACHE, "header_cache", SIZE, "128mb", 0, (int64_t)1 << 40, "",                        \
        "versions of keys that were used lately: what is in it is not read before a write")        \
    X(READ_TIMEOUT, "read_timeout", SPAN, "500ms", 1, 60000, "", "how long a read waits for R")    \
    X(WRITE_TIMEOUT, "write_timeout", SPAN, "2s", 1, 60000, "", "how long a write waits for W")    \
    X(EXCHANGE_INTERVAL, "exchange_interval", SPAN, "10s", 10, 86400000, "",                       \
        "how often a peer's clocks are compared with ours")                                        \
    X(EXCHANGE_GRACE, "exchange_grace", SPAN, "10s", 1, 86400000, "",                              \
        "how long clocks may differ before keys are compared")                                     \
    X(SCRUB_INTERVAL, "scrub_interval", SPAN, "24h", 1000, 8640000000, "",                         \
        "how long one round of re-reading and comparing everything takes")                         \
    X(REQUESTS_MAX, "requests_max", COUNT, "10000", 16, 1000000, "", "requests under way at most") \
    X(MEMORY_MAX, "memory_max", SIZE, "256mb", 32 << 20, (int64_t)1 << 40, "",                     \
        "memory that requests under way may take")                                                 \
    X(HINT_BYTES_MAX, "hint_bytes_max", SIZE, "1gb", 0, (int64_t)1 << 50, "",                      \
        "hints kept for nodes that are away; over it others stand in")                             \
    X(CLIENT_MEMORY, "client_memory", SIZE, "256mb", 64 << 20, (int64_t)1 << 40, "",               \
        "memory for commands and replies on their way, all clients together")                      \
    X(QUEUE_WAIT_MAX, "queue_wait_max", SPAN, "250ms", 1, 60000, "",                               \
        "a request that waited longer to be begun is BUSY")                                        \
    X(BACKGROUND_TARGET, "background_target", SPAN, "50ms", 1, 60000, "",                          \
        "p99 of requests above which background work yields")                                      \
    X(FRAME_VERSION, "frame_version", COUNT, "4", GR_FRAME_VERSION_MIN, GR_FRAME_VERSION, "",      \
        "highest version of frames that it speaks to nodes")                                       \
    X(LOG_LEVEL, "log_level", CHOICE, "info", 0, 0, "error warn info debug", "what is logged")     \
    X(DEMO, "demo", FLAG, "no", 0, 1, "", "let GR.LINK cut and heal links")

enum gr_setting {
#define X(symbol, name, kind, initial, least, most, choices, help) GR_SETTING_##symbol,
    GR_SETTINGS(X)
#undef X
        GR_SETTING_COUNT
};

struct gr_setting_info {
    const char *name;
    enum gr_config_kind kind;
    const char *initial; // the default, as it would be written in a file
    int64_t least, most; // of COUNT, SIZE (bytes) and SPAN (milliseconds)
    const char *choices; // of CHOICE, with spaces between
    const char *help;
};

enum { GR_CONFIG_TEXT_MAX = 1024, GR_CONFIG_ORIGIN_MAX = 256, GR_WHY_BYTES = 512 };

struct gr_config_value {
    char text[GR_CONFIG_TEXT_MAX];     // as written
    int64_t number;                    // FLAG (0, 1), COUNT, SIZE (bytes), SPAN (milliseconds)
    char origin[GR_CONFIG_ORIGIN_MAX]; // "default", "gramme.conf:7", "GRAMME_CACHE", "--cache"
};

// About 20 KB; owns nothing else.
struct gr_config {
    char file[GR_CONFIG_TEXT_MAX]; // the last file that was read, or ""
    struct gr_config_value value[GR_SETTING_COUNT];
};

const struct gr_setting_info *gr_setting_info(enum gr_setting setting);

// Every setting at its default.
void gr_config_init(struct gr_config *config);

// Each of these changes the settings that it finds; on failure those before the fault are changed
// and ret_why (why_size bytes; GR_WHY_BYTES is enough) holds the sentence. GR_ERR_INVALID, or
// GR_ERR_NOT_FOUND and GR_ERR_IO when a file cannot be read.
GR_MUST_USE enum gr_err gr_config_set(struct gr_config *config, const char *name, const char *text,
    const char *origin, char *ret_why, size_t why_size);
// Settings from a file. A key that stands there twice is an error that names both lines.
GR_MUST_USE enum gr_err gr_config_read_file(
    struct gr_config *config, const char *path, char *ret_why, size_t why_size);
// GRAMME_KEY variables of `environment` (NULL at its end). GRAMME_CONFIG is not a setting and is
// skipped.
GR_MUST_USE enum gr_err gr_config_read_environment(
    struct gr_config *config, char *const *environment, char *ret_why, size_t why_size);
// `--key value` and `--key=value`; a flag may stand alone (`--insecure`). Underscores may be
// written as dashes. Everything in argv[0..argc) must be a setting; --config FILE is skipped.
GR_MUST_USE enum gr_err gr_config_read_flags(
    struct gr_config *config, int argc, char *const *argv, char *ret_why, size_t why_size);
// All of it in rising order: defaults, the file that --config or GRAMME_CONFIG names (if any), the
// environment, the flags. argv[0] is the first flag, not the program.
GR_MUST_USE enum gr_err gr_config_load(struct gr_config *config, int argc, char *const *argv,
    char *const *environment, char *ret_why, size_t why_size);

const char *gr_config_text(const struct gr_config *config, enum gr_setting setting);
int64_t gr_config_number(const struct gr_config *config, enum gr_setting setting);
bool gr_config_flag(const struct gr_config *config, enum gr_setting setting);
// A span as a span.
struct gr_span gr_config_span(const struct gr_config *config, enum gr_setting setting);
const char *gr_config_origin(const struct gr_config *config, enum gr_setting setting);

#endif
