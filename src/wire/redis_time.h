// Expiry times as Redis commands spell them.
#ifndef GR_WIRE_REDIS_TIME_H
#define GR_WIRE_REDIS_TIME_H

#include "wire/redis_inside.h"

enum gr_redis_time_word {
    GR_REDIS_TIME_NONE,
    GR_REDIS_TIME_EX,   // seconds from now
    GR_REDIS_TIME_PX,   // milliseconds from now
    GR_REDIS_TIME_EXAT, // seconds since 1970
    GR_REDIS_TIME_PXAT, // milliseconds since 1970
};

struct gr_redis_time {
    enum gr_redis_time_word what;
    struct gr_bytes number;
};

// GR_REDIS_TIME_NONE if the word is none of the four.
enum gr_redis_time_word gr_redis_time_word(struct gr_bytes word);
// A time of day above 0 from an option whose number must be positive. False: failed.
bool gr_redis_time_read(const struct gr_redis *session, struct gr_redis_command *cmd,
    const struct gr_redis_time *time, struct gr_wall *ret);
// True if the time is not after now.
bool gr_redis_time_past(const struct gr_redis *session, struct gr_wall time);

#endif
