// gramme status, hints, key where, key explain: how the cluster is, and where a key is.
//
// Nothing here is computed: what a node says is shown. `status` asks twice, one node about all and
// each for itself, because the two may differ, and then the difference is what one wants to see.
// What all of them together take a node for is between the two.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bin/ask.h"
#include "bin/output.h"

// ---- status ----------------------------------------------------------------------------------

// What a member said of itself.
struct asked {
    bool answered;
    char error[128];
    char version[32], keys[24], clients[24], uptime[24], process[24], loading[4];
    char set_aside[512], unreadable[24];
    char store[24], durability[12], run[16], run_seen[16], disk_free[24], frames[8];
};

static void copy_info(struct gramme_bytes info, const char *name, char *ret_text, size_t size)
{
    struct gr_bytes value = gr_ask_info(info, name);
    snprintf(
        ret_text, size, "%.*s", (int)value.size, value.size > 0 ? (const char *)value.data : "");
}

static void ask_member(
    const struct gr_options *options, const struct gr_ask_member *member, struct asked *ret_asked)
{
    *ret_asked = (struct asked){.answered = false};
    struct gramme *client = gramme_open(member->address, (unsigned)options->timeout_ms);
    const struct gramme_reply *reply = NULL;
    if (gr_ask(client, &reply, "INFO", NULL) == GRAMME_OK) {
        char keyspace[64];
        ret_asked->answered = true;
        copy_info(reply->text, "gramme_version", ret_asked->version, sizeof(ret_asked->version));
        copy_info(reply->text, "connected_clients", ret_asked->clients, sizeof(ret_asked->clients));
        copy_info(reply->text, "uptime_in_seconds", ret_asked->uptime, sizeof(ret_asked->uptime));
        copy_info(reply->text, "process_id", ret_asked->process, sizeof(ret_asked->process));
        copy_info(reply->text, "loading", ret_asked->loading, sizeof(ret_asked->loading));
        copy_info(
            reply->text, "gramme_set_aside", ret_asked->set_aside, sizeof(ret_asked->set_aside));
        copy_info(
            reply->text, "gramme_unreadable", ret_asked->unreadable, sizeof(ret_asked->unreadable));
        copy_info(reply->text, "gramme_store", ret_asked->store, sizeof(ret_asked->store));
        copy_info(
            reply->text, "gramme_durability", ret_asked->durability, sizeof(ret_asked->durability));
        copy_info(reply->text, "gramme_store_run", ret_asked->run, sizeof(ret_asked->run));
        copy_info(
            reply->text, "gramme_store_run_seen", ret_asked->run_seen, sizeof(ret_asked->run_seen));
        copy_info(reply->text, "gramme_disk_free_bytes", ret_asked->disk_free,
            sizeof(ret_asked->disk_free));
        copy_info(
            reply->text, "gramme_frame_version", ret_asked->frames, sizeof(ret_asked->frames));
        // "keys=12,expires=0,avg_ttl=0", and no line at all for none.
        copy_info(reply->text, "db0", keyspace, sizeof(keyspace));
        bool some = strncmp(keyspace, "keys=", 5) == 0;
        snprintf(ret_asked->keys, sizeof(ret_asked->keys), "%.*s",
            some ? (int)strcspn(keyspace + 5, ",") : 1, some ? keyspace + 5 : "0");
    } else {
        snprintf(ret_asked->error, sizeof(ret_asked->error), "%s", gramme_error(client));
    }
    gramme_close(client);
}

static const char *state_of(const struct asked *asked)
{
    return !asked->answered ? "down" : strcmp(asked->loading, "1") == 0 ? "loading" : "up";
}

static void print_member_json(const struct gr_ask_member *member, const struct asked *asked)
{
    const char *const number[][2] = {{"keys", asked->keys}, {"clients", asked->clients},
        {"uptime_s", asked->uptime}, {"process", asked->process}, {"store_run", asked->run},
        {"store_run_seen", asked->run_seen}, {"disk_free_bytes", asked->disk_free},
        {"frame_version", asked->frames}};
    printf("{\"name\": ");
    gr_json_text(member->name);
    printf(", \"address\": ");
    gr_json_text(member->address);
    printf(", \"seen\": \"%s\", \"status\": \"%s\", \"asked\": \"%s\"", member->up ? "up" : "down",
        member->status, state_of(asked));
    if (!asked->answered) {
        printf(", \"error\": ");
        gr_json_text(asked->error);
    } else {
        printf(", \"version\": ");
        gr_json_text(asked->version);
        printf(", \"store\": ");
        gr_json_text(asked->store);
        printf(", \"durability\": ");
        gr_json_text(asked->durability);
        for (size_t i = 0; i < GR_COUNT(number); i++)
            printf(", \"%s\": %s", number[i][0], number[i][1][0] != 0 ? number[i][1] : "null");
    }
    if (asked->set_aside[0] != 0) {
        printf(", \"set_aside\": ");
        gr_json_text(asked->set_aside);
        printf(", \"unreadable\": %s", asked->unreadable);
    }
    printf("}");
}

// "ok", why it takes no writes, or that it is older than what it wrote before.
static const char *store_of(const struct asked *asked)
{
    if (!asked->answered || asked->store[0] == 0)
        return "-";
    bool restored = strcmp(asked->store, "ok") == 0 && asked->run_seen[0] != 0;
    return restored ? "restored" : asked->store;
}

static void add_member_row(
    struct gr_table *table, const struct gr_ask_member *member, const struct asked *asked)
{
    const char *uptime = "-";
    if (asked->answered)
        uptime = gr_table_seconds(table, strtoll(asked->uptime, NULL, 10));
    gr_table_row(
        table, (const char *const[]){member->name, member->address, member->up ? "up" : "down",
                   member->status, state_of(asked), asked->answered ? asked->version : "-",
                   asked->answered ? asked->keys : "-", asked->answered ? asked->clients : "-",
                   store_of(asked), uptime});
}

// What a person should know beside the table.
static void add_note(
    struct gr_table *note, const struct gr_ask_member *member, const struct asked *asked)
{
    if (asked->set_aside[0] != 0)
        gr_table_row(note, (const char *const[]){gr_table_format(note,
                               "%s: the store was damaged and is set aside in %s; a new one was "
                               "made of it. Remove "
                               "that directory when nobody wants to look at it any more.",
                               member->name, asked->set_aside)});
}

int gr_verb_status(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    static struct gr_ask_member member[GR_MEMBERS_MAX];
    int count = 0;
    int code = gr_ask_cluster(options, member, GR_MEMBERS_MAX, &count);
    if (code != GR_EXIT_OK)
        return code;
    bool json = options->output == GR_OUTPUT_JSON;
    struct gr_table table;
    struct gr_table note;
    gr_table_init(&table, 10);
    gr_table_init(&note, 1);
    gr_table_row(&table, (const char *const[]){"NODE", "REDIS", "SEEN", "CLUSTER", "ASKED",
                             "VERSION", "KEYS", "CLIENTS", "STORE", "UPTIME"});
    for (int i = 0; i < count; i++) {
        struct asked asked;
        ask_member(options, &member[i], &asked);
        if (json) {
            printf(i == 0 ? "[" : ",\n ");
            print_member_json(&member[i], &asked);
        } else {
            add_member_row(&table, &member[i], &asked);
            add_note(&note, &member[i], &asked);
        }
    }
    if (json) {
        printf("]\n");
    } else {
        gr_table_print(&table);
        gr_table_print(&note);
    }
    gr_table_deinit(&table);
    gr_table_deinit(&note);
    return GR_EXIT_OK;
}

// ---- hints -----------------------------------------------------------------------------------

static void print_hints_json(const char *name, const struct gramme_reply *reply, const char *error)
{
    printf("{\"node\": ");
    gr_json_text(name);
    printf(", \"%s\": ", reply != NULL ? "owes" : "error");
    if (reply != NULL)
        gr_ask_print_json(reply);
    else
        gr_json_text(error);
    printf("}");
}

static void add_hint_rows(
    struct gr_table *table, const char *name, const struct gramme_reply *reply)
{
    if (reply == NULL) {
        gr_table_row(table, (const char *const[]){name, "no answer", "-", "-", "-"});
        return;
    }
    for (size_t i = 0; i < reply->count; i++) {
        const struct gramme_reply *owed = &reply->item[i];
        gr_table_row(
            table, (const char *const[]){name, gr_ask_text(owed, "node"),
                       gr_table_format(table, "%lld", (long long)gr_ask_number(owed, "hints")),
                       gr_table_format(table, "%lld", (long long)gr_ask_number(owed, "bytes")),
                       gr_table_seconds(table, gr_ask_number(owed, "oldest-seconds"))});
    }
}

// Asks each of the members, or the one of that name.
static int show_hints(const struct gr_options *options, const struct gr_ask_member *member,
    int count, const char *name)
{
    bool json = options->output == GR_OUTPUT_JSON;
    int asked = 0, silent = 0;
    struct gr_table table;
    gr_table_init(&table, 5);
    gr_table_row(&table, (const char *const[]){"NODE", "KEEPS FOR", "HINTS", "BYTES", "OLDEST"});
    for (int i = 0; i < count; i++) {
        if (name != NULL && strcmp(name, member[i].name) != 0)
            continue;
        struct gramme *client = gramme_open(member[i].address, (unsigned)options->timeout_ms);
        const struct gramme_reply *reply = NULL;
        if (gr_ask(client, &reply, "HELLO", "3", NULL) != GRAMME_OK ||
            gr_ask(client, &reply, "GR.HINTS", NULL) != GRAMME_OK)
            reply = NULL;
        if (json)
            printf(asked == 0 ? "[" : ",\n ");
        if (json)
            print_hints_json(member[i].name, reply, gramme_error(client));
        else
            add_hint_rows(&table, member[i].name, reply);
        asked++;
        silent += reply == NULL;
        gramme_close(client);
    }
    if (json && asked > 0)
        printf("]\n");
    else if (asked > 0 && table.rows > 1)
        gr_table_print(&table);
    else if (asked > 0)
        printf("no hints are kept\n");
    gr_table_deinit(&table);
    if (asked == 0)
        return gr_complain(
            GR_EXIT_ERROR, "there is no node '%s'; `gramme status` lists them", name);
    return silent == asked ? GR_EXIT_UNREACHABLE : GR_EXIT_OK;
}

int gr_verb_hints(const struct gr_options *options, int argc, char **argv)
{
    static struct gr_ask_member member[GR_MEMBERS_MAX];
    int count = 0;
    int code = gr_ask_cluster(options, member, GR_MEMBERS_MAX, &count);
    return code != GR_EXIT_OK ? code
                              : show_hints(options, member, count, argc > 0 ? argv[0] : NULL);
}

// ---- key where, key explain ------------------------------------------------------------------

// Asks in RESP3, which tells maps from lists.
static enum gramme_outcome ask_about_key(struct gramme *client, const char *command,
    const char *key, const struct gramme_reply **ret_reply)
{
    enum gramme_outcome outcome = gr_ask(client, ret_reply, "HELLO", "3", NULL);
    return outcome != GRAMME_OK ? outcome : gr_ask(client, ret_reply, command, key, NULL);
}

// Asks a node about a key and shows what it says, to people with `print`.
static int look_at_key(const struct gr_options *options, const char *command, const char *key,
    void (*print)(const char *key, const struct gramme_reply *reply))
{
    struct gramme *client = gr_ask_open(options);
    const struct gramme_reply *reply = NULL;
    enum gramme_outcome outcome = ask_about_key(client, command, key, &reply);
    int code = GR_EXIT_OK;
    if (outcome != GRAMME_OK) {
        code = gr_ask_failed(options, client, outcome);
    } else if (options->output == GR_OUTPUT_JSON) {
        gr_ask_print_json(reply);
        printf("\n");
    } else {
        print(key, reply);
    }
    gramme_close(client);
    return code;
}

static void print_where(const char *key, const struct gramme_reply *reply)
{
    const struct gramme_reply *nodes = gr_ask_field(reply, "nodes");
    printf("'%s' is in slot %lld, partition %lld\n", key, (long long)gr_ask_number(reply, "slot"),
        (long long)gr_ask_number(reply, "partition"));
    struct gr_table table;
    gr_table_init(&table, 5);
    gr_table_row(&table, (const char *const[]){"", "NODE", "REDIS", "ROLE", "STATE"});
    for (size_t i = 0; nodes != NULL && i < nodes->count; i++)
        gr_table_row(&table,
            (const char *const[]){gr_table_format(&table, "%zu.", i + 1),
                gr_ask_text(&nodes->item[i], "node"), gr_ask_text(&nodes->item[i], "address"),
                gr_ask_text(&nodes->item[i], "role"), gr_ask_text(&nodes->item[i], "state")});
    gr_table_print(&table);
    gr_table_deinit(&table);
}

int gr_verb_key_where(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    return look_at_key(options, "GR.WHERE", argv[0], print_where);
}

// Milliseconds since 1970 as a local time; "-" for none.
static const char *format_time(struct gr_table *table, int64_t ms)
{
    if (ms <= 0)
        return "-";
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    char text[64];
    localtime_r(&seconds, &parts);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts);
    return gr_table_format(table, "%s.%03d", text, (int)(ms % 1000));
}

static void add_replica_rows(struct gr_table *table, const struct gramme_reply *replica)
{
    const struct gramme_reply *siblings = gr_ask_field(replica, "siblings");
    const char *name = gr_ask_text(replica, "node");
    const char *answer = gr_ask_text(replica, "answer");
    bool answered = strcmp(answer, "OK") == 0;
    if (!answered || siblings == NULL || siblings->count == 0) {
        gr_table_row(table, (const char *const[]){name, gr_ask_text(replica, "state"),
                                answered ? "no value" : answer, "-", "-", "-"});
        return;
    }
    for (size_t i = 0; i < siblings->count; i++) {
        const struct gramme_reply *sibling = &siblings->item[i];
        gr_table_row(
            table, (const char *const[]){name, gr_ask_text(replica, "state"),
                       gr_table_format(table, "value %zu", i + 1), gr_ask_text(sibling, "dot"),
                       format_time(table, gr_ask_number(sibling, "origin")),
                       format_time(table, gr_ask_number(sibling, "expires"))});
    }
}

static void print_explained(const char *key, const struct gramme_reply *reply)
{
    (void)key;
    struct gr_table table;
    gr_table_init(&table, 6);
    gr_table_row(
        &table, (const char *const[]){"NODE", "STATE", "HOLDS", "DOT", "WRITTEN", "EXPIRES"});
    for (size_t i = 0; i < reply->count; i++)
        add_replica_rows(&table, &reply->item[i]);
    gr_table_print(&table);
    gr_table_deinit(&table);
}

int gr_verb_key_explain(const struct gr_options *options, int argc, char **argv)
{
    (void)argc;
    return look_at_key(options, "GR.EXPLAIN", argv[0], print_explained);
}
