// Settings of the cluster: their names, and what each may be; see agreed.h.
//
// Source: §4.5 and §6.1, which leave R, W and durability to whoever runs it. Owns: nothing.
#include "core/agreed.h"

const char *gr_agreed_name(enum gr_agreed_key key)
{
    static const char *const name[GR_AGREED_KEYS] = {
        [GR_AGREED_R] = "r",
        [GR_AGREED_W] = "w",
        [GR_AGREED_DURABILITY] = "durability",
        [GR_AGREED_SYNC_INTERVAL] = "sync_interval",
        [GR_AGREED_VALUE_MAX] = "value_max",
        [GR_AGREED_SIBLINGS_MAX] = "siblings_max",
    };
    gr_assert(key > 0 && key < GR_AGREED_KEYS);
    return name[key];
}

bool gr_agreed_fits(enum gr_agreed_key key, uint32_t value)
{
    switch (key) {
    case GR_AGREED_R:
    case GR_AGREED_W:
        return value <= UINT8_MAX && gr_quorum_fits((uint8_t)value, GR_REPLICAS_MAX);
    case GR_AGREED_DURABILITY:
        return value < GR_DURABILITY_COUNT;
    case GR_AGREED_SYNC_INTERVAL:
        return value > 0 && value <= GR_SYNC_INTERVAL_MS_MAX;
    case GR_AGREED_VALUE_MAX:
        return value > 0 && value <= GR_VALUE_BYTES_MAX;
    case GR_AGREED_SIBLINGS_MAX:
        return value > 0 && value <= GR_SIBLINGS_MAX;
    case GR_AGREED_KEYS:
        break;
    }
    gr_unreachable("a setting");
}
