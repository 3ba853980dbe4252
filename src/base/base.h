// Words that every room uses: bytes, instants, assertions, memory, errors.
//
// base and core ask the world for two things only, both defined by whoever links them (the program,
// the simulator, a test): what to do when an assertion fails, and where memory comes from.
#ifndef GR_BASE_BASE_H
#define GR_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---- the two hooks -------------------------------------------------------------------------

// Called when an assertion fails; must not return. A node that stops is a fault the design absorbs.
_Noreturn void gr_hook_panic(const char *file, int line, const char *what);

// One function for all memory: block NULL allocates, bytes 0 frees and returns NULL, anything else
// resizes. Never returns NULL for bytes > 0: the host panics instead, because every pool and queue
// has a maximum that is checked before memory is taken.
void *gr_hook_memory(void *block, size_t bytes);

// ---- three intentions ----------------------------------------------------------------------

// Impossible: a bug of ours. Stays on in release.
#define gr_assert(cond)                                                                            \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            gr_hook_panic(__FILE__, __LINE__, #cond);                                              \
    } while (0)

// A line that must never be reached.
#define gr_unreachable(what) gr_hook_panic(__FILE__, __LINE__, what)

#define GR_MUST_USE     __attribute__((warn_unused_result))
#define GR_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define GR_MIN(a, b)    ((a) < (b) ? (a) : (b))
#define GR_MAX(a, b)    ((a) > (b) ? (a) : (b))

// The struct of type `type` whose member `member` is at `pointer`.
#define GR_CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

// ---- bytes ---------------------------------------------------------------------------------

// A borrowed run of bytes. Whoever made it says how long it lives.
struct gr_bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct gr_bytes gr_bytes(const void *data, size_t size)
{
    return (struct gr_bytes){.data = data, .size = size};
}

// The bytes of a C string without its end.
struct gr_bytes gr_bytes_text(const char *text);
bool gr_bytes_equal(struct gr_bytes a, struct gr_bytes b);
// Byte order, the shorter first: <0, 0, >0.
int gr_bytes_compare(struct gr_bytes a, struct gr_bytes b);

// ---- time ----------------------------------------------------------------------------------

// A point on a node's monotonic clock, and a distance between two of them; nanoseconds.
struct gr_instant {
    int64_t ns;
};
struct gr_span {
    int64_t ns;
};

#define GR_NEVER ((struct gr_instant){INT64_MAX})

static inline struct gr_span gr_span_ms(int64_t ms)
{
    return (struct gr_span){ms * 1000000};
}

static inline struct gr_instant gr_instant_after(struct gr_instant at, struct gr_span span)
{
    return (struct gr_instant){at.ns + span.ns};
}

static inline bool gr_instant_reached(struct gr_instant now, struct gr_instant at)
{
    return now.ns >= at.ns;
}

// Time of day, milliseconds since 1970-01-01 UTC. 0 means "never" in an expiry.
struct gr_wall {
    int64_t ms;
};

// The first whole minute that is not before `wall`.
static inline int64_t gr_wall_minute(struct gr_wall wall)
{
    return wall.ms / 60000 + (wall.ms % 60000 > 0);
}

#endif
