// `gramme server` and `gramme config show`: settings, and the node that runs with them.
//
// Both load the settings the same way, so that what is shown is what would be used.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bin/output.h"
#include "bin/verb.h"
#include "shell/server.h"

static struct gr_config config;

static int load(int argc, char **argv)
{
    char why[GR_WHY_BYTES];
    enum gr_err err = gr_config_load(&config, argc, argv, environ, why, sizeof(why));
    if (err == GR_OK)
        return GR_EXIT_OK;
    return gr_complain(err == GR_ERR_INVALID ? GR_EXIT_USAGE : GR_EXIT_ERROR,
        "%s\n  `gramme config show` lists the settings.", why);
}

int gr_verb_server(const struct gr_options *options, int argc, char **argv)
{
    (void)options;
    int code = load(argc, argv);
    return code != GR_EXIT_OK ? code : gr_server_run(&config);
}

int gr_verb_config_show(const struct gr_options *options, int argc, char **argv)
{
    (void)options;
    bool json = false;
    if (!gr_options_take_output(&argc, argv, &json))
        return gr_complain(GR_EXIT_USAGE, "--output is table or json");
    int code = load(argc, argv);
    if (code != GR_EXIT_OK)
        return code;
    struct gr_table table;
    gr_table_init(&table, 4);
    gr_table_row(&table, (const char *const[]){"SETTING", "VALUE", "FROM", "WHAT IT IS"});
    for (int i = 0; i < GR_SETTING_COUNT; i++) {
        enum gr_setting setting = (enum gr_setting)i;
        const char *name = gr_setting_info(setting)->name;
        const char *text = gr_config_text(&config, setting);
        const char *origin = gr_config_origin(&config, setting);
        gr_table_row(
            &table, (const char *const[]){name, text, origin, gr_setting_info(setting)->help});
        if (json) {
            printf(i == 0 ? "{" : ",\n ");
            gr_json_text(name);
            printf(": {\"value\": ");
            gr_json_text(text);
            printf(", \"from\": ");
            gr_json_text(origin);
            printf("}");
        }
    }
    if (json)
        printf("}\n");
    else
        gr_table_print(&table);
    gr_table_deinit(&table);
    return GR_EXIT_OK;
}
