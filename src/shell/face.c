// What the Redis face asks of its host: time, the ring, settings, numbers, and cutting links.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shell/inside.h"

static void submit(void *host, struct gr_redis *session, const struct gr_request *request)
{
    struct gr_server *server = host;
    struct gr_request numbered = *request;
    numbered.ticket = (uint32_t)request->ticket | (gr_redis_id(session) & UINT32_MAX) << 32;
    if (server->node != NULL) {
        gr_turn_submit(server, &numbered);
        return;
    }
    struct gr_result result = {
        .ticket = request->ticket,
        .op = request->op,
        .outcome = GR_REJECTED,
        .err = GR_ERR_LOADING,
    };
    gr_redis_result(session, &result);
}

static struct gr_wall wall(void *host)
{
    (void)host;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct gr_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

static bool ready(void *host)
{
    const struct gr_server *server = host;
    return server->node != NULL && server->serving;
}

static const struct gr_ring *ring(void *host)
{
    const struct gr_server *server = host;
    return &server->roster.ring;
}

static uint16_t self(void *host)
{
    (void)host;
    return 0; // RO1 of roster.c
}

static bool peer_up(void *host, uint16_t member)
{
    const struct gr_server *server = host;
    if (member == 0 || server->node == NULL)
        return member == 0;
    return gr_node_peer_up(server->node, member);
}

static uint8_t frame_version(void *host, uint16_t member)
{
    return gr_links_version(host, member);
}

static enum gr_status status(void *host, uint16_t member)
{
    return gr_talks_status(host, member);
}

static struct gr_debt_view debt(void *host, uint16_t member)
{
    const struct gr_server *server = host;
    return server->node == NULL ? (struct gr_debt_view){0} : gr_node_debt(server->node, member);
}

static const struct gr_node *node(void *host)
{
    const struct gr_server *server = host;
    return server->node;
}

static struct gr_instant now(void *host)
{
    (void)host;
    return (struct gr_instant){(int64_t)uv_hrtime()};
}

static uint64_t repair(void *host, const struct gr_repair_ask *ask)
{
    struct gr_server *server = host;
    struct gr_repair_view view;
    if (server->node == NULL || !gr_turn_ask(server, ask))
        return 0;
    gr_repair_look(server->node, now(host), &view);
    return view.job.number + server->turn.ask_count;
}

static const struct gr_cluster_view *cluster(void *host)
{
    return gr_plan_look(host);
}

static const char *stage(void *host, const struct gr_stage_ask *ask, char *why)
{
    return gr_plan_ask(host, ask, why);
}

static const struct gr_token_key *token_key(void *host)
{
    const struct gr_server *server = host;
    return &server->token_key;
}

// Bytes of this process that are in memory; 0 when the system does not say.
static uint64_t resident_bytes(void)
{
    uint64_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int64_t held_keys(const struct gr_server *server)
{
    int64_t keys = 0;
    if (server->node == NULL)
        return 0;
    for (uint32_t i = 0; i < server->cluster.partitions; i++)
        if (gr_ring_position(&server->roster.ring, i, 0) >= 0)
            keys += gr_node_count(server->node, i);
    return keys;
}

static uint16_t port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon == NULL ? 0 : (uint16_t)strtoul(colon + 1, NULL, 10);
}

static void info(void *host, struct gr_redis_info *ret_info)
{
    const struct gr_server *server = host;
    const struct gr_clients *clients = &server->clients;
    const struct gr_salvage_done *done = &server->salvaged;
    // While another one is under way its thread writes here; and who has removed the directory
    // wants to hear no more of it.
    bool aside = !server->salvaging && done->aside[0] != '\0' && access(done->aside, F_OK) == 0;
    const uint32_t *agreed = server->roster.agreed;
    bool lazy = agreed[GR_AGREED_DURABILITY] != GR_DURABILITY_COMMIT;
    struct gr_node_stats stats = {0};
    if (server->node != NULL)
        stats = gr_node_stats(server->node);
    *ret_info = (struct gr_redis_info){
        .version = GRAMME_VERSION,
        .config_file = server->config->file,
        .process_id = (uint64_t)getpid(),
        .port = port_of(clients->local),
        .uptime_s = (uv_now(&server->loop) - server->started_ms) / 1000,
        .clients = clients->all.count,
        .clients_max = clients->max,
        .connections_total = clients->accepted,
        .connections_refused = clients->refused,
        .commands_total = gr_clients_commands(server),
        .bytes_in_total = server->pool.bytes_in,
        .bytes_out_total = server->pool.bytes_out,
        .memory_bytes = resident_bytes(),
        .memory_max_bytes = 0,
        .keys = held_keys(server),
        .hint_bytes_max = (uint64_t)gr_config_number(server->config, GR_SETTING_HINT_BYTES_MAX),
        .set_aside = aside ? done->aside : NULL,
        .salvaged = aside ? done->records + done->hints : 0,
        .unread = aside ? done->unsound + done->gaps : 0,
        .salvaging = server->salvaging,
        .durability = gr_durability_name((enum gr_durability)agreed[GR_AGREED_DURABILITY]),
        .sync_interval_ms = lazy ? agreed[GR_AGREED_SYNC_INTERVAL] : 0,
        .store = server->node != NULL ? gr_storage_failed(server->storage) : server->run_why,
        .run = server->node != NULL ? (uint32_t)(server->actor.run >> 32) : 0,
        .run_seen = (uint32_t)(server->outrun >> 32),
        .disk_free_bytes = gr_server_disk_free(server),
        .requests = stats.calls,
        .requests_waiting = server->turn.deferred.count,
        .request_bytes = stats.memory + server->turn.deferred_bytes,
        .client_bytes = clients->held,
        .client_bytes_max = clients->held_max,
        .busy_total = stats.busy + server->turn.refused,
        .late_total = stats.late,
        .background_rate = stats.background_rate,
        .background_slices_total = stats.background_slices,
        .foreground_p99_us = (uint64_t)(stats.foreground_p99.ns / 1000),
        .background_target_us = (uint64_t)(stats.background_target.ns / 1000),
        .node = stats,
    };
}

static int by_name(const void *a, const void *b)
{
    enum gr_setting left, right;
    memcpy(&left, a, sizeof(left));
    memcpy(&right, b, sizeof(right));
    return strcmp(gr_setting_info(left)->name, gr_setting_info(right)->name);
}

static void settings(
    void *host, void (*visit)(void *arg, const char *name, const char *value), void *arg)
{
    const struct gr_server *server = host;
    enum gr_setting order[GR_SETTING_COUNT];
    for (int i = 0; i < GR_SETTING_COUNT; i++)
        order[i] = (enum gr_setting)i;
    qsort(order, GR_COUNT(order), sizeof(order[0]), by_name);
    for (size_t i = 0; i < GR_COUNT(order); i++)
        visit(arg, gr_setting_info(order[i])->name, gr_config_text(server->config, order[i]));
}

// ---- cutting links: demo = yes only ------------------------------------------------------------

static const char *find_member(
    const struct gr_server *server, struct gr_bytes name, uint16_t *ret_member)
{
    const struct gr_ring *members = &server->roster.ring;
    for (uint16_t i = 0; i < members->member_count; i++) {
        if (!gr_bytes_equal(name, gr_bytes_text(members->member[i].name)))
            continue;
        *ret_member = i;
        return i != 0 ? NULL : "a node cannot be cut off from itself";
    }
    return "there is no member of that name";
}

static const char *link_action(
    void *host, const char *action, const struct gr_bytes *name, uint32_t name_count)
{
    struct gr_server *server = host;
    uint16_t member = 0;
    if (strcmp(action, "HEAL") == 0 && name_count == 0) {
        for (uint16_t i = 1; i < server->links.count; i++)
            gr_links_cut(server, i, false);
        return NULL;
    }
    for (uint32_t i = 0; i < name_count; i++) {
        const char *why = find_member(server, name[i], &member);
        if (why != NULL)
            return why;
    }
    for (uint32_t i = 0; i < name_count; i++)
        if (find_member(server, name[i], &member) == NULL)
            gr_links_cut(server, member, strcmp(action, "CUT") == 0);
    return NULL;
}

struct gr_redis_host gr_face_host(struct gr_server *server)
{
    return (struct gr_redis_host){
        .host = server,
        .submit = submit,
        .wall = wall,
        .ready = ready,
        .timer = gr_face_timer,
        .ring = ring,
        .self = self,
        .peer_up = peer_up,
        .frame_version = frame_version,
        .status = status,
        .debt = debt,
        .token_key = token_key,
        .info = info,
        .settings = settings,
        .sessions = gr_face_sessions,
        .node = node,
        .now = now,
        .repair = repair,
        .cluster = cluster,
        .stage = stage,
        .link = gr_config_flag(server->config, GR_SETTING_DEMO) ? link_action : NULL,
    };
}
