// Before a node starts: are its settings, its cluster file, its addresses and this machine's limits
// such that it can? Each check complains itself, and returns the exit code of the program.
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "shell/address.h"
#include "shell/inside.h"
#include "shell/log.h"
#include "shell/server.h"
#include "wire/mac.h"

enum {
    FILES_RESERVED = 700, // the store's tables (512), logs, peers and what the process needs itself
    CLIENTS_MIN = 16,
};

int gr_prepare_complain(int code, const char *why)
{
    fprintf(stderr, "gramme: %s\n", why);
    return code;
}

int gr_prepare_settings(const struct gr_config *config)
{
    static const enum gr_setting needed[] = {GR_SETTING_NAME, GR_SETTING_DATA, GR_SETTING_CLUSTER};
    for (size_t i = 0; i < GR_COUNT(needed); i++) {
        if (gr_config_text(config, needed[i])[0] != '\0')
            continue;
        const struct gr_setting_info *info = gr_setting_info(needed[i]);
        fprintf(stderr, "gramme: the setting %s is missing: %s.\n", info->name, info->help);
        return GR_SERVER_USAGE;
    }
    if (!gr_roster_is_word(gr_config_text(config, GR_SETTING_NAME))) {
        fprintf(stderr,
            "gramme: the setting name is a word of at most %d printable letters, without spaces.\n",
            GR_NAME_BYTES_MAX);
        return GR_SERVER_USAGE;
    }
    return GR_SERVER_OK;
}

int gr_prepare_cluster(struct gr_server *server)
{
    char why[GR_WHY_BYTES];
    const char *path = gr_config_text(server->config, GR_SETTING_CLUSTER);
    if (gr_cluster_read(path, &server->cluster, why, sizeof(why)) != GR_OK)
        return gr_prepare_complain(GR_SERVER_FAILED, why);
    struct stat about;
    if (stat(path, &about) == 0 && (about.st_mode & 077) != 0)
        gr_log(GR_LOG_WARN, "others on this machine can read the secret in %s: chmod 600 it", path);
    server->token_key = (struct gr_token_key){.number = 1};
    memcpy(server->token_key.cluster, server->cluster.id, sizeof(server->token_key.cluster));
    gr_mac(server->cluster.secret, "gramme context tokens 1",
        gr_bytes(server->cluster.id, sizeof(server->cluster.id)), server->token_key.secret);
    return GR_SERVER_OK;
}

// The address of a listener: the setting, or where the others are told that this member is.
int gr_prepare_address(const struct gr_server *server, enum gr_setting setting,
    const char *member_address, struct sockaddr_storage *ret)
{
    const struct gr_config *config = server->config;
    const char *name = gr_setting_info(setting)->name;
    const char *text = gr_config_text(config, setting);
    char why[GR_WHY_BYTES];
    if (strcmp(gr_config_origin(config, setting), "default") == 0)
        text = member_address;
    struct gr_address address;
    gr_assert(gr_address_parse(text, &address));
    const char *failed = gr_address_resolve(&address, ret);
    if (failed != NULL) {
        snprintf(
            why, sizeof(why), "%s = %.200s: the host cannot be found: %s.", name, text, failed);
        return gr_prepare_complain(GR_SERVER_FAILED, why);
    }
    if (gr_address_is_loopback((const struct sockaddr *)ret) ||
        gr_config_flag(config, GR_SETTING_INSECURE))
        return GR_SERVER_OK;
    snprintf(why, sizeof(why),
        "%s = %.200s can be reached from other machines, and there is neither encryption nor a "
        "password yet: listen on 127.0.0.1, or set insecure = yes if you trust that network.",
        name, text);
    return gr_prepare_complain(GR_SERVER_USAGE, why);
}

// Raises the limit of open files as far as needed; serves fewer clients where that is not allowed.
int gr_prepare_files(struct gr_server *server)
{
    struct rlimit limit;
    char why[GR_WHY_BYTES];
    uint32_t wanted = (uint32_t)gr_config_number(server->config, GR_SETTING_MAXCLIENTS);
    server->clients.max = wanted;
    server->clients.held_max = (size_t)gr_config_number(server->config, GR_SETTING_CLIENT_MEMORY);
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return GR_SERVER_OK;
    rlim_t reserved = FILES_RESERVED + (rlim_t)2 * server->roster.ring.member_count;
    rlim_t need = wanted + reserved;
    if (limit.rlim_cur < need) {
        limit.rlim_cur = GR_MIN(need, limit.rlim_max);
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            (void)getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur >= need)
        return GR_SERVER_OK;
    if (limit.rlim_cur < reserved + CLIENTS_MIN) {
        snprintf(why, sizeof(why),
            "Only %llu files may be open at once and %llu are needed: raise the limit (ulimit -n "
            "%llu) and start again.",
            (unsigned long long)limit.rlim_cur, (unsigned long long)need, (unsigned long long)need);
        return gr_prepare_complain(GR_SERVER_FAILED, why);
    }
    server->clients.max = (uint32_t)(limit.rlim_cur - reserved);
    gr_log(GR_LOG_WARN,
        "only %llu files may be open at once: maxclients is %u instead of %u; for all of them "
        "raise the limit (ulimit -n %llu)",
        (unsigned long long)limit.rlim_cur, server->clients.max, wanted, (unsigned long long)need);
    return GR_SERVER_OK;
}
