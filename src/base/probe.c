// The phrases of the probes; see probe.h.
#include "base/probe.h"

const char *gr_probe_text(enum gr_probe probe)
{
    static const char *const text[GR_PROBE_COUNT] = {
#define X(name, text) text,
        GR_PROBES(X)
#undef X
    };
    gr_assert((unsigned)probe < GR_PROBE_COUNT);
    return text[probe];
}
