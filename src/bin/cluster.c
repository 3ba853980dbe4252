// gramme cluster ..., gramme transfers: members, plans, and what changes hands (§4.8.1, §4.9).
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "bin/ask.h"
#include "bin/output.h"

enum { WATCH_MS = 1000, BAR_WIDTH = 24 };

// Asks the node of --at; 0, or an exit code after it was said why not. The client is the caller's.
static int ask(const struct gr_options *options, struct gramme **ret_client,
    const struct gramme_reply **ret_reply, const char *sub)
{
    struct gramme *client = *ret_client = gr_ask_open(options);
    enum gramme_outcome outcome = gr_ask(client, ret_reply, "HELLO", "3", NULL);
    if (outcome == GRAMME_OK)
        outcome = gr_ask(client, ret_reply, "GR.CLUSTER", sub, NULL);
    return outcome == GRAMME_OK ? GR_EXIT_OK : gr_ask_failed(options, client, outcome);
}

static const char *or_dash(const char *text)
{
    return text[0] != '\0' ? text : "-";
}

static bool is_json(const struct gr_options *options)
{
    return options->output == GR_OUTPUT_JSON;
}

static void print_json(const struct gramme_reply *reply)
{
    gr_ask_print_json(reply);
    printf("\n");
}

// ---- show ------------------------------------------------------------------------------------

static void print_members(const struct gramme_reply *reply)
{
    const struct gramme_reply *members = gr_ask_field(reply, "members");
    const struct gramme_reply *guests = gr_ask_field(reply, "guests");
    struct gr_table table;
    gr_table_init(&table, 7);
    gr_table_row(&table,
        (const char *const[]){"NODE", "HOST", "RACK", "SITE", "WEIGHT", "PARTITIONS", "FIRST"});
    for (size_t i = 0; members != NULL && i < members->count; i++) {
        const struct gramme_reply *m = &members->item[i];
        gr_table_row(
            &table, (const char *const[]){gr_ask_text(m, "name"), or_dash(gr_ask_text(m, "host")),
                        or_dash(gr_ask_text(m, "rack")), or_dash(gr_ask_text(m, "site")),
                        gr_table_number(&table, gr_ask_number(m, "weight")),
                        gr_table_number(&table, gr_ask_number(m, "partitions")),
                        gr_table_number(&table, gr_ask_number(m, "first"))});
    }
    for (size_t i = 0; guests != NULL && i < guests->count; i++) {
        const struct gramme_reply *m = &guests->item[i];
        gr_table_row(&table, (const char *const[]){gr_ask_text(m, "name"),
                                 or_dash(gr_ask_text(m, "host")), or_dash(gr_ask_text(m, "rack")),
                                 or_dash(gr_ask_text(m, "site")), "-", "none", "-"});
    }
    gr_table_print(&table);
    gr_table_deinit(&table);
}

int gr_verb_cluster_show(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct gramme *client;
    const struct gramme_reply *reply = NULL;
    int code = ask(options, &client, &reply, "SHOW");
    if (code == GR_EXIT_OK && is_json(options)) {
        print_json(reply);
    } else if (code == GR_EXIT_OK) {
        const struct gramme_reply *staged = gr_ask_field(reply, "staged");
        const struct gramme_reply *guests = gr_ask_field(reply, "guests");
        printf("ring %lld: %lld partitions, N=%lld\n", (long long)gr_ask_number(reply, "version"),
            (long long)gr_ask_number(reply, "partitions"), (long long)gr_ask_number(reply, "n"));
        print_members(reply);
        if (staged != NULL && staged->kind == GRAMME_TEXT)
            printf("staged: %s. `gramme cluster plan` shows what would come of it.\n",
                (const char *)staged->text.data);
        else if (guests != NULL && guests->count > 0)
            printf("Who owns none is let in by `gramme cluster join NODE`, or is leaving.\n");
    }
    gramme_close(client);
    return code;
}

// ---- stage, commit, cancel -------------------------------------------------------------------

static int show_plan(const struct gr_options *options, struct gramme *client);

// One command whose answer is OK. The client is the caller's.
static int tell(const struct gr_options *options, struct gramme **ret_client, int count,
    const struct gramme_bytes *words)
{
    const struct gramme_reply *reply = NULL;
    struct gramme *client = *ret_client = gr_ask_open(options);
    enum gramme_outcome outcome = gr_ask(client, &reply, "HELLO", "3", NULL);
    if (outcome == GRAMME_OK)
        outcome = gramme_command(client, count, words, &reply);
    return outcome == GRAMME_OK ? GR_EXIT_OK : gr_ask_failed(options, client, outcome);
}

int gr_verb_cluster_stage(const struct gr_options *options, int argc, char **argv)
{
    const char *op = strcmp(options->verb, "move-site") == 0 ? "move" : options->verb;
    struct gramme_bytes words[8] = {
        gramme_text("GR.CLUSTER"), gramme_text("STAGE"), gramme_text(op)};
    int count = 3;
    for (int i = 0; i < argc; i++)
        words[count++] = gramme_text(argv[i]);
    struct gramme *client;
    int code = tell(options, &client, count, words);
    if (code == GR_EXIT_OK)
        code = show_plan(options, client);
    gramme_close(client);
    return code;
}

// `word`: what follows, or NULL.
static int tell_one(
    const struct gr_options *options, const char *sub, const char *word, const char *done)
{
    struct gramme *client;
    struct gramme_bytes words[3] = {gramme_text("GR.CLUSTER"), gramme_text(sub)};
    if (word != NULL)
        words[2] = gramme_text(word);
    int code = tell(options, &client, word != NULL ? 3 : 2, words);
    if (code == GR_EXIT_OK)
        printf("%s\n", is_json(options) ? "{\"ok\": true}" : done);
    gramme_close(client);
    return code;
}

int gr_verb_cluster_commit(const struct gr_options *options, int argc, char **argv)
{
    return tell_one(options, "COMMIT", argc > 0 ? argv[0] : NULL,
        "Committed. `gramme transfers --watch` shows how far it is.");
}

int gr_verb_cluster_cancel(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return tell_one(options, "CANCEL", NULL, "Nothing is staged any more.");
}

// ---- plan ------------------------------------------------------------------------------------

// "12 MiB"; belongs to the table.
static const char *bytes_text(struct gr_table *table, int64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t u = 0;
    double number = (double)bytes;
    for (; number >= 1024 && u + 1 < GR_COUNT(unit); u++)
        number /= 1024;
    return gr_table_format(table, number < 10 && u > 0 ? "%.1f %s" : "%.0f %s", number, unit[u]);
}

static void print_parts(const struct gramme_reply *plan, const struct gramme_reply *members)
{
    struct gr_table table;
    gr_table_init(&table, 7);
    gr_table_row(
        &table, (const char *const[]){"NODE", "SITE", "WEIGHT", "NOW", "THEN", "COMES", "GOES"});
    for (size_t i = 0; i < members->count; i++) {
        const struct gramme_reply *m = &members->item[i];
        int64_t weight = gr_ask_number(m, "weight");
        gr_table_row(
            &table, (const char *const[]){gr_ask_text(m, "name"), or_dash(gr_ask_text(m, "site")),
                        weight > 0 ? gr_table_number(&table, weight) : "-",
                        gr_table_number(&table, gr_ask_number(m, "now")),
                        gr_table_number(&table, gr_ask_number(m, "then")),
                        gr_table_number(&table, gr_ask_number(m, "comes")),
                        gr_table_number(&table, gr_ask_number(m, "goes"))});
    }
    gr_table_print(&table);
    const struct gramme_reply *keys = gr_ask_field(plan, "keys");
    printf("%lld replicas of partitions move (%lld is the least that could be)",
        (long long)gr_ask_number(plan, "moves"), (long long)gr_ask_number(plan, "ideal"));
    if (keys != NULL && keys->kind == GRAMME_INTEGER)
        printf(
            ": about %s keys, %s.\nThat takes about %s, and up to %s where clients keep the nodes "
            "busy",
            gr_table_number(&table, keys->integer),
            bytes_text(&table, gr_ask_number(plan, "bytes")),
            gr_table_seconds(&table, gr_ask_number(plan, "seconds")),
            gr_table_seconds(&table, gr_ask_number(plan, "seconds-busy")));
    printf(".\n");
    gr_table_deinit(&table);
}

static int show_plan(const struct gr_options *options, struct gramme *client)
{
    const struct gramme_reply *plan = NULL;
    enum gramme_outcome outcome = gr_ask(client, &plan, "GR.CLUSTER", "PLAN", NULL);
    if (outcome != GRAMME_OK)
        return gr_ask_failed(options, client, outcome);
    if (is_json(options)) {
        print_json(plan);
        return GR_EXIT_OK;
    }
    const struct gramme_reply *members = gr_ask_field(plan, "members");
    const struct gramme_reply *notes = gr_ask_field(plan, "notes");
    printf("staged for ring %lld: %s\n", (long long)gr_ask_number(plan, "version"),
        gr_ask_text(plan, "what"));
    if (members != NULL)
        print_parts(plan, members);
    for (size_t i = 0; notes != NULL && i < notes->count; i++)
        printf("! %s.\n", (const char *)notes->item[i].text.data);
    if (members != NULL)
        printf("`gramme cluster commit %s` makes it so, `gramme cluster cancel` forgets it.\n",
            gr_ask_text(plan, "plan"));
    return GR_EXIT_OK;
}

int gr_verb_cluster_plan(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    const struct gramme_reply *reply = NULL;
    struct gramme *client = gr_ask_open(options);
    enum gramme_outcome outcome = gr_ask(client, &reply, "HELLO", "3", NULL);
    int code =
        outcome == GRAMME_OK ? show_plan(options, client) : gr_ask_failed(options, client, outcome);
    gramme_close(client);
    return code;
}

// ---- history ---------------------------------------------------------------------------------

static const char *time_text(struct gr_table *table, const struct gramme_reply *at)
{
    char text[32];
    struct tm when;
    time_t seconds = at != NULL ? (time_t)(at->integer / 1000) : 0;
    if (at == NULL || at->kind != GRAMME_INTEGER || localtime_r(&seconds, &when) == NULL)
        return "-";
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &when);
    return gr_table_format(table, "%s", text);
}

int gr_verb_cluster_history(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct gramme *client;
    const struct gramme_reply *reply = NULL;
    int code = ask(options, &client, &reply, "HISTORY");
    if (code == GR_EXIT_OK && is_json(options)) {
        print_json(reply);
    } else if (code == GR_EXIT_OK) {
        struct gr_table table;
        gr_table_init(&table, 4);
        gr_table_row(&table, (const char *const[]){"RING", "WHEN", "AT NODE", "WHAT"});
        for (size_t i = 0; i < reply->count; i++) {
            const struct gramme_reply *step = &reply->item[i];
            const struct gramme_reply *lost = gr_ask_field(step, "lost-to");
            bool is_lost = lost != NULL && lost->kind == GRAMME_INTEGER;
            gr_table_row(&table,
                (const char *const[]){gr_table_number(&table, gr_ask_number(step, "version")),
                    time_text(&table, gr_ask_field(step, "at")), or_dash(gr_ask_text(step, "by")),
                    gr_table_format(&table, "%s%s", gr_ask_text(step, "what"),
                        is_lost ? "  (LOST: another plan was committed at the same time)" : "")});
        }
        gr_table_print(&table);
        gr_table_deinit(&table);
    }
    gramme_close(client);
    return code;
}

// ---- settings --------------------------------------------------------------------------------

int gr_verb_cluster_set(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    struct gramme *client;
    struct gramme_bytes words[4] = {
        gramme_text("GR.CLUSTER"), gramme_text("SET"), gramme_text(argv[0]), gramme_text(argv[1])};
    int code = tell(options, &client, 4, words);
    if (code == GR_EXIT_OK && strcasecmp(argv[0], "n") == 0)
        code = show_plan(options, client); // only staged
    else if (code == GR_EXIT_OK)
        printf("%s\n", is_json(options) ? "{\"ok\": true}" : "Set, for the whole cluster.");
    gramme_close(client);
    return code;
}

int gr_verb_cluster_settings(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct gramme *client;
    const struct gramme_reply *reply = NULL;
    int code = ask(options, &client, &reply, "SETTINGS");
    if (code == GR_EXIT_OK && is_json(options)) {
        print_json(reply);
    } else if (code == GR_EXIT_OK) {
        struct gr_table table;
        gr_table_init(&table, 6);
        gr_table_row(&table,
            (const char *const[]){"SETTING", "VALUE", "ORIGIN", "AT NODE", "WHEN", "VERSION"});
        for (size_t i = 0; i < reply->count; i++) {
            const struct gramme_reply *one = &reply->item[i];
            int64_t version = gr_ask_number(one, "version");
            gr_table_row(
                &table, (const char *const[]){gr_ask_text(one, "name"), gr_ask_text(one, "value"),
                            gr_ask_text(one, "origin"), or_dash(gr_ask_text(one, "by")),
                            time_text(&table, gr_ask_field(one, "at")),
                            version > 0 ? gr_table_number(&table, version) : "-"});
        }
        gr_table_print(&table);
        gr_table_deinit(&table);
    }
    gramme_close(client);
    return code;
}

// ---- transfers -------------------------------------------------------------------------------

// What one node said; wanted is -1 if it did not answer.
struct transfers {
    int64_t wanted, gained, leaving, rate, left;
};

static struct transfers ask_node(
    const struct gr_options *options, const struct gr_ask_member *member, bool json)
{
    struct transfers said = {.wanted = -1, .left = -1};
    struct gramme *client = gramme_open(member->address, (unsigned)options->timeout_ms);
    const struct gramme_reply *reply = NULL;
    bool answered = gr_ask(client, &reply, "HELLO", "3", NULL) == GRAMME_OK &&
                    gr_ask(client, &reply, "GR.CLUSTER", "TRANSFERS", NULL) == GRAMME_OK;
    if (json) {
        printf("{\"node\": ");
        gr_json_text(member->name);
        printf(", \"%s\": ", answered ? "transfers" : "error");
        if (answered)
            gr_ask_print_json(reply);
        else
            gr_json_text(gramme_error(client));
        printf("}");
    }
    if (answered) {
        const struct gramme_reply *left = gr_ask_field(reply, "seconds-left");
        said = (struct transfers){gr_ask_number(reply, "wanted"), gr_ask_number(reply, "gained"),
            gr_ask_number(reply, "leaving"), gr_ask_number(reply, "keys-per-second"),
            left != NULL && left->kind == GRAMME_INTEGER ? left->integer : -1};
    }
    gramme_close(client);
    return said;
}

// Of `all` partitions `wanted` are still to come.
static const char *bar(struct gr_table *table, int64_t wanted, int64_t all)
{
    char text[BAR_WIDTH + 1];
    int64_t full = all > 0 ? (all - wanted) * BAR_WIDTH / all : BAR_WIDTH;
    for (int i = 0; i < BAR_WIDTH; i++)
        text[i] = i < full ? '#' : '.';
    text[BAR_WIDTH] = '\0';
    return gr_table_format(
        table, "[%s] %lld of %lld", text, (long long)(all - wanted), (long long)all);
}

static void add_row(
    struct gr_table *table, const struct gr_ask_member *member, const struct transfers *said)
{
    if (said->wanted < 0) {
        gr_table_row(table, (const char *const[]){member->name, "no answer", "-", "-", "-"});
        return;
    }
    int64_t all = GR_MAX(said->gained, said->wanted);
    bool busy = said->wanted > 0;
    gr_table_row(table,
        (const char *const[]){member->name, all > 0 ? bar(table, said->wanted, all) : "-",
            busy ? gr_table_format(table, "%s keys/s", gr_table_number(table, said->rate)) : "-",
            !busy            ? "-"
            : said->left < 0 ? "not known"
                             : gr_table_seconds(table, said->left),
            said->leaving > 0 ? gr_table_number(table, said->leaving) : "-"});
}

// Prints once; how many partitions are still on their way, or are not known to be.
static int64_t show_transfers(
    const struct gr_options *options, const struct gr_ask_member *member, int count)
{
    int64_t open = 0;
    int silent = 0;
    struct gr_table table;
    gr_table_init(&table, 5);
    gr_table_row(&table, (const char *const[]){"NODE", "TAKES OVER", "RATE", "LEFT", "HANDS OVER"});
    for (int i = 0; i < count; i++) {
        if (is_json(options))
            printf(i == 0 ? "[" : ",\n ");
        struct transfers said = ask_node(options, &member[i], is_json(options));
        silent += said.wanted < 0;
        open += said.wanted < 0 ? 1 : said.wanted + said.leaving; // it may have some
        if (!is_json(options))
            add_row(&table, &member[i], &said);
    }
    if (is_json(options))
        printf("]\n");
    else
        gr_table_print(&table);
    if (silent > 0 && !is_json(options))
        printf("What a node that does not answer takes over or hands over is not known.\n");
    gr_table_deinit(&table);
    return open;
}

int gr_verb_transfers(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static struct gr_ask_member member[GR_MEMBERS_MAX];
    for (;;) {
        int count = 0;
        int code = gr_ask_cluster(options, member, GR_MEMBERS_MAX, &count);
        if (code != GR_EXIT_OK)
            return code;
        int64_t open = show_transfers(options, member, count);
        if (open == 0 && !is_json(options))
            printf("Nothing changes hands.\n");
        fflush(stdout);
        if (!options->watch || open == 0)
            return GR_EXIT_OK;
        nanosleep(&(struct timespec){.tv_sec = WATCH_MS / 1000}, NULL);
        if (!is_json(options) && isatty(STDOUT_FILENO)) // over what was printed before
            printf("\033[%dA\033[J", count + 1);
    }
}
