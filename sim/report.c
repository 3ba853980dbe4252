// What many runs came to: a table of the faults that were injected, the probes that were reached,
// and what was asked and answered.
#include "sim/seeds.h"

void sim_total_add(struct sim_total *total, const struct sim_report *r, int runs)
{
    total->seeds++;
    total->failed += r->failed;
    total->runs += (uint64_t)runs;
    total->events += r->events;
    total->writes += r->writes;
    total->messages += r->messages;
    total->gets += r->gets;
    total->puts += r->puts;
    total->ok += r->ok;
    total->rejected += r->rejected;
    total->indeterminate += r->indeterminate;
    total->writable += r->writable;
    total->served += r->served;
    total->virtual_ms += (uint64_t)(r->virtual_ms * runs);
    if (r->nodes >= 0 && r->nodes <= SIM_NODES_MAX)
        total->nodes[r->nodes]++;
    for (int f = 0; f < SIM_FAULT_COUNT; f++) {
        total->fault[f] += r->fault[f];
        total->fault_runs[f] += r->fault[f] > 0;
    }
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        total->probes.reached[p] += r->probes.reached[p];
}

static void must_be_reached(struct sim_total *total, uint64_t times, const char *what)
{
    total->checks++;
    if (times > 0)
        return;
    total->checks_failed++;
    fprintf(stderr, "never reached: %s\n", what);
}

void sim_total_check(struct sim_total *total)
{
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        must_be_reached(total, total->probes.reached[p], gr_probe_text((enum gr_probe)p));
    for (int f = 0; f < SIM_FAULT_COUNT; f++)
        if (sim_fault_per_mille((enum sim_fault)f) > 0)
            must_be_reached(total, total->fault[f], sim_fault_text((enum sim_fault)f));
    must_be_reached(total, total->writable, "a put whose W owners were reachable all the time");
    must_be_reached(total, total->served, "a request that a healed core had to serve");
}

static void print_nodes(const struct sim_total *total)
{
    printf("# nodes:");
    for (int n = 0; n <= SIM_NODES_MAX; n++)
        if (total->nodes[n] > 0)
            printf(" %d in %llu", n, (unsigned long long)total->nodes[n]);
    printf(" seeds\n");
}

void sim_total_print(const struct sim_total *total, int64_t cpu_us)
{
    double hours = (double)total->virtual_ms / 3600000, minutes = (double)cpu_us / 60000000;
    printf("# faults injected, and in how many seeds\n");
    for (int f = 0; f < SIM_FAULT_COUNT; f++)
        printf("# %10llu %6llu  %-12s %s\n", (unsigned long long)total->fault[f],
            (unsigned long long)total->fault_runs[f], sim_fault_name((enum sim_fault)f),
            sim_fault_text((enum sim_fault)f));
    printf("# probes reached\n");
    for (int p = 0; p < GR_PROBE_COUNT; p++)
        printf("# %10llu  %s\n", (unsigned long long)total->probes.reached[p],
            gr_probe_text((enum gr_probe)p));
    print_nodes(total);
    printf("# %llu gets, %llu puts: %llu ok, %llu rejected, %llu indeterminate\n",
        (unsigned long long)total->gets, (unsigned long long)total->puts,
        (unsigned long long)total->ok, (unsigned long long)total->rejected,
        (unsigned long long)total->indeterminate);
    printf("# always writable: %llu puts had to succeed; a healed core: %llu requests had to\n",
        (unsigned long long)total->writable, (unsigned long long)total->served);
    printf("# %llu events, %llu messages, %llu writes\n", (unsigned long long)total->events,
        (unsigned long long)total->messages, (unsigned long long)total->writes);
    printf("# %llu runs of %llu seeds: %.2f simulated hours in %.2f CPU minutes, %.1f simulated "
           "hours per CPU minute\n",
        (unsigned long long)total->runs, (unsigned long long)total->seeds, hours, minutes,
        minutes > 0 ? hours / minutes : 0);
}

void sim_print_replay(FILE *out, const struct sim_options *options)
{
    char edit[4096];
    sim_edit_print(&options->edit, edit, sizeof edit);
    fprintf(out, "gramme-sim --seed %llu", (unsigned long long)options->seed);
    if (options->canary != GR_CANARY_NONE)
        fprintf(out, " --canary %s", gr_canary_name(options->canary));
    fprintf(out, "%s --verbose\n", edit);
}
