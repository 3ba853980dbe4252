// Latencies second by second; see seconds.h.
#include "bench/seconds.h"

#include <string.h>

bool gr_seconds_open(struct gr_seconds *seconds, const char *path)
{
    seconds->file = fopen(path, "we");
    return seconds->file != NULL;
}

static void write_line(struct gr_seconds *seconds)
{
    if (seconds->latency.count == 0)
        return;
    fprintf(seconds->file, "%lld", (long long)seconds->second);
    for (uint32_t i = 0; i < GR_HISTOGRAM_BUCKETS; i++) {
        uint64_t count = seconds->latency.bucket[i];
        if (count > 0)
            fprintf(seconds->file, " %llu:%llu", (unsigned long long)gr_histogram_value(i),
                (unsigned long long)count);
    }
    fputc('\n', seconds->file);
    memset(&seconds->latency, 0, sizeof seconds->latency);
}

void gr_seconds_add(struct gr_seconds *seconds, int64_t at_ns, uint64_t us)
{
    if (seconds->file == NULL)
        return;
    int64_t second = at_ns / 1000000000;
    if (second != seconds->second)
        write_line(seconds);
    seconds->second = second;
    gr_histogram_add(&seconds->latency, us);
}

bool gr_seconds_close(struct gr_seconds *seconds)
{
    if (seconds->file == NULL)
        return true;
    write_line(seconds);
    bool whole = ferror(seconds->file) == 0;
    whole &= fclose(seconds->file) == 0;
    seconds->file = NULL;
    return whole;
}
