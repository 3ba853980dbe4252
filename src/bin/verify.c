// gramme verify: is the store of a stopped node what the node wrote?
//
// A finding is one line: what is wrong, where, and what follows from it. Ends with 0 (sound), 1
// (damaged), 2 (could not be looked at).
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "bin/output.h"
#include "bin/verb.h"
#include "shell/config.h"
#include "shell/verify.h"

enum { EXIT_SOUND = 0, EXIT_DAMAGED = 1, EXIT_UNKNOWN = 2, FINDINGS_SHOWN_MAX = 1000 };

struct shown {
    bool json;
    uint64_t count;
};

static void on_found(void *host, const struct gr_verify_line *line)
{
    struct shown *shown = host;
    if (shown->count++ >= FINDINGS_SHOWN_MAX)
        return;
    if (!shown->json) {
        printf("%s: %s%s%s%s; %s\n", line->name, line->what, line->where[0] != 0 ? " (" : "",
            line->where, line->where[0] != 0 ? ")" : "", line->then);
        return;
    }
    printf("%s\n  {\"finding\": \"%s\", \"what\": ", shown->count > 1 ? "," : "", line->name);
    gr_json_text(line->what);
    printf(", \"where\": ");
    gr_json_text(line->where);
    if (line->in_partition)
        printf(", \"partition\": %u", line->partition);
    if (line->key.size > 0) {
        printf(", \"bucket\": ");
        gr_json_bytes(line->bucket);
        printf(", \"key\": ");
        gr_json_bytes(line->key);
    }
    printf(", \"then\": ");
    gr_json_text(line->then);
    printf("}");
}

static void print_counts(const struct gr_verify_counts *counts, bool json)
{
    const struct {
        const char *name, *title;
        uint64_t number;
    } rows[] = {
        {"keys", "keys with a value", counts->keys},
        {"records", "records", counts->records},
        {"clocks", "clock rows", counts->clocks},
        {"partitions", "partitions", counts->partitions},
        {"expiries", "expiry index", counts->due},
        {"contexts", "index of contexts", counts->leftover},
        {"hints", "hints", counts->hints},
        {"meta", "rows of the node", counts->meta},
        {"bytes", "bytes", counts->bytes},
    };
    struct gr_table table;
    gr_table_init(&table, 2);
    gr_table_row(&table, (const char *const[]){"WHAT", "HOW MANY"});
    for (size_t i = 0; i < GR_COUNT(rows); i++) {
        if (json)
            printf(", \"%s\": %" PRIu64, rows[i].name, rows[i].number);
        gr_table_row(&table, (const char *const[]){rows[i].title,
                                 gr_table_format(&table, "%" PRIu64, rows[i].number)});
    }
    if (!json)
        gr_table_print(&table);
    gr_table_deinit(&table);
}

static int verify(const char *path, bool json)
{
    char why[GR_WHY_BYTES];
    struct shown shown = {.json = json};
    struct gr_verify_counts counts = {0};
    if (json)
        printf("{\"findings\": [");
    enum gr_err err = gr_verify_directory(path, on_found, &shown, &counts, why, sizeof(why));
    bool sound = err == GR_OK && counts.findings == 0;
    const char *verdict = err != GR_OK ? "null" : sound ? "true" : "false";
    if (json) {
        printf("%s], \"sound\": %s, \"found\": %" PRIu64, shown.count > 0 ? "\n" : "", verdict,
            counts.findings);
        print_counts(&counts, true);
        printf("}\n");
    }
    if (err != GR_OK)
        return gr_complain(EXIT_UNKNOWN, "%s", why);
    if (json)
        return sound ? EXIT_SOUND : EXIT_DAMAGED;
    if (counts.findings > FINDINGS_SHOWN_MAX)
        printf("... and %" PRIu64 " more\n", counts.findings - FINDINGS_SHOWN_MAX);
    print_counts(&counts, false);
    if (sound)
        printf("sound\n");
    else
        printf("damaged: %" PRIu64 " findings\n", counts.findings);
    return sound ? EXIT_SOUND : EXIT_DAMAGED;
}

int gr_verb_verify(const struct gr_options *options, int argc, char **argv)
{
    (void)options;
    static struct gr_config config;
    char why[GR_WHY_BYTES];
    bool json = false;
    if (!gr_options_take_output(&argc, argv, &json))
        return gr_complain(EXIT_UNKNOWN, "--output is table or json");
    if (gr_config_load(&config, argc, argv, environ, why, sizeof(why)) != GR_OK)
        return gr_complain(EXIT_UNKNOWN, "%s", why);
    const char *path = gr_config_text(&config, GR_SETTING_DATA);
    if (path[0] == '\0')
        return gr_complain(EXIT_UNKNOWN, "which store? gramme verify --data DIR");
    return verify(path, json);
}
