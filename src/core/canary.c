// The names of canaries; see canary.h.
#include "core/canary.h"

#include "base/base.h"

static const char *const canary_name[GR_CANARY_COUNT] = {
#define X(symbol, name, text) name,
    GR_CANARIES(X)
#undef X
};
static const char *const canary_text[GR_CANARY_COUNT] = {
#define X(symbol, name, text) text,
    GR_CANARIES(X)
#undef X
};

const char *gr_canary_name(enum gr_canary canary)
{
    gr_assert((unsigned)canary < GR_CANARY_COUNT);
    return canary_name[canary];
}

const char *gr_canary_text(enum gr_canary canary)
{
    gr_assert((unsigned)canary < GR_CANARY_COUNT);
    return canary_text[canary];
}
