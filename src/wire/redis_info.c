// The Redis face: INFO.
//
// Tools read INFO line by line and take decisions from it: a client waits while `loading:1`, a
// library reads redis_version. Lines that Redis has are here where they are true of this node;
// invented numbers are not.
//
// Source: redis.io/commands/info; section names and order as redis-server 7.0 has them.
//
// I1. A section is a line "# Name", its lines, and an empty line before the next section.
//
// Owns nothing: see redis.c.
#include <inttypes.h>

#include "wire/redis_inside.h"

struct section {
    struct gr_redis *session;
    const struct gr_redis_info *info;
    struct gr_writer *to;
};

static void print_server(const struct section *section)
{
    const struct gr_redis_info *info = section->info;
    gr_redis_print(section->to,
        "redis_version:%s\r\ngramme_version:%s\r\nredis_mode:standalone\r\narch_bits:%zu\r\n"
        "process_id:%" PRIu64 "\r\ntcp_port:%u\r\nserver_time_usec:%" PRId64
        "\r\nuptime_in_seconds:%" PRIu64 "\r\nuptime_in_days:%" PRIu64 "\r\nconfig_file:%s\r\n",
        GR_REDIS_VERSION, info->version, 8 * sizeof(void *), info->process_id, info->port,
        section->session->host.wall(section->session->host.host).ms * 1000, info->uptime_s,
        info->uptime_s / 86400, info->config_file);
}

static void print_clients(const struct section *section)
{
    gr_redis_print(section->to, "connected_clients:%u\r\nmaxclients:%u\r\n", section->info->clients,
        section->info->clients_max);
}

static void print_memory(const struct section *section)
{
    gr_redis_print(section->to,
        "used_memory:%" PRIu64 "\r\nused_memory_rss:%" PRIu64 "\r\nmaxmemory:%" PRIu64
        "\r\nmaxmemory_policy:noeviction\r\ngramme_request_bytes:%" PRIu64
        "\r\ngramme_client_bytes:%" PRIu64 "\r\ngramme_client_bytes_max:%" PRIu64 "\r\n",
        section->info->memory_bytes, section->info->memory_bytes, section->info->memory_max_bytes,
        section->info->request_bytes, section->info->client_bytes, section->info->client_bytes_max);
}

static void print_persistence(const struct section *section)
{
    bool ready = section->session->host.ready(section->session->host.host);
    const struct gr_redis_info *info = section->info;
    const char *store = "ok";
    if (info->store != GR_OK)
        store = gr_err_info(info->store)->name;
    gr_redis_print(section->to, "loading:%d\r\nasync_loading:0\r\ngramme_salvaging:%d\r\n",
        ready ? 0 : 1, info->salvaging);
    if (info->set_aside != NULL)
        gr_redis_print(section->to,
            "gramme_set_aside:%s\r\ngramme_salvaged_rows:%" PRIu64 "\r\ngramme_unreadable:%" PRIu64
            "\r\n",
            info->set_aside, info->salvaged, info->unread);
    gr_redis_print(section->to, "gramme_durability:%s\r\n", info->durability);
    if (info->sync_interval_ms > 0)
        gr_redis_print(
            section->to, "gramme_sync_interval_ms:%" PRIu64 "\r\n", info->sync_interval_ms);
    // The name of an error of base/error.h while the store takes no writes.
    gr_redis_print(section->to, "gramme_store:%s\r\ngramme_store_run:%u\r\n", store, info->run);
    if (info->run_seen > 0)
        gr_redis_print(section->to, "gramme_store_run_seen:%u\r\n", info->run_seen);
    if (info->disk_free_bytes != UINT64_MAX)
        gr_redis_print(
            section->to, "gramme_disk_free_bytes:%" PRIu64 "\r\n", info->disk_free_bytes);
}

static void print_stats(const struct section *section)
{
    const struct gr_redis_info *info = section->info;
    gr_redis_print(section->to,
        "total_connections_received:%" PRIu64 "\r\ntotal_commands_processed:%" PRIu64
        "\r\ntotal_net_input_bytes:%" PRIu64 "\r\ntotal_net_output_bytes:%" PRIu64
        "\r\nrejected_connections:%" PRIu64 "\r\n",
        info->connections_total, info->commands_total, info->bytes_in_total, info->bytes_out_total,
        info->connections_refused);
    gr_redis_print(section->to,
        "gramme_requests:%u\r\ngramme_requests_waiting:%u\r\ngramme_busy_total:%" PRIu64
        "\r\ngramme_late_total:%" PRIu64 "\r\ngramme_foreground_p99_us:%" PRIu64
        "\r\ngramme_background_target_us:%" PRIu64
        "\r\ngramme_background_slices_per_second:%u\r\ngramme_background_slices_total:%" PRIu64
        "\r\n",
        info->requests, info->requests_waiting, info->busy_total, info->late_total,
        info->foreground_p99_us, info->background_target_us, info->background_rate,
        info->background_slices_total);
}

// Every node takes writes, so each is a master to a client that asks.
static void print_replication(const struct section *section)
{
    const struct gr_redis_host *host = &section->session->host;
    const struct gr_ring *ring = host->ring(host->host);
    uint32_t members = 0, up = 0;
    for (uint16_t i = 0; i < ring->member_count; i++) {
        members += !ring->member[i].out;
        up += !ring->member[i].out && host->peer_up(host->host, i);
    }
    gr_redis_print(section->to,
        "role:master\r\nconnected_slaves:0\r\ngramme_replicas_per_key:%u\r\n"
        "gramme_members:%u\r\ngramme_members_up:%u\r\ngramme_partitions:%u\r\n"
        "gramme_ring_version:%" PRIu64 "\r\ngramme_node:%s\r\n"
        "gramme_frame_version:%u\r\n",
        ring->n, members, up, ring->partitions, ring->version,
        ring->member[host->self(host->host)].name,
        host->frame_version(host->host, host->self(host->host)));
}

static void print_cluster(const struct section *section)
{
    gr_redis_print(section->to, "cluster_enabled:0\r\n");
}

// One line per member, with what this node believes of it.
static void print_members(const struct section *section)
{
    const struct gr_redis_host *host = &section->session->host;
    const struct gr_ring *ring = host->ring(host->host);
    uint16_t order[GR_MEMBERS_MAX];
    gr_ring_by_name(ring, order);
    for (uint16_t i = 0, shown = 0; i < ring->member_count; i++) {
        const struct gr_member *member = &ring->member[order[i]];
        if (member->gone)
            continue;
        gr_redis_print(section->to,
            "member%u:name=%s,address=%s,host=%s,state=%s,status=%s,frames=%u\r\n", shown++,
            member->name, member->resp, member->host,
            host->peer_up(host->host, order[i]) ? "up" : "down",
            gr_status_name(host->status(host->host, order[i])),
            host->frame_version(host->host, order[i]));
    }
}

// What is kept for others, and a line for each of those who are owed something.
static void print_hints(const struct section *section)
{
    const struct gr_redis_host *host = &section->session->host;
    const struct gr_redis_info *info = section->info;
    const struct gr_ring *ring = host->ring(host->host);
    int64_t now = host->wall(host->host).ms;
    struct gr_debt_view all = {0};
    for (uint16_t i = 0; i < ring->member_count; i++) {
        struct gr_debt_view debt = host->debt(host->host, i);
        all.count += debt.count;
        all.bytes += debt.bytes;
    }
    gr_redis_print(section->to,
        "hints:%" PRIu64 "\r\nhint_bytes:%" PRIu64 "\r\nhint_bytes_max:%" PRIu64
        "\r\nhints_kept:%" PRIu64 "\r\nhints_delivered:%" PRIu64 "\r\nhints_refused:%" PRIu64
        "\r\n",
        all.count, all.bytes, info->hint_bytes_max, info->node.hints_kept,
        info->node.hints_delivered, info->node.hints_refused);
    uint16_t order[GR_MEMBERS_MAX];
    gr_ring_by_name(ring, order);
    for (uint16_t i = 0; i < ring->member_count; i++) {
        struct gr_debt_view debt = host->debt(host->host, order[i]);
        if (debt.count > 0)
            gr_redis_print(section->to,
                "hints%u:name=%s,hints=%" PRIu64 ",bytes=%" PRIu64 ",oldest_seconds=%" PRId64
                "\r\n",
                i, ring->member[order[i]].name, debt.count, debt.bytes,
                GR_MAX(now - debt.oldest.ms, 0) / 1000);
    }
}

// Keys of the partitions that this node holds; DBSIZE asks the cluster.
static void print_keyspace(const struct section *section)
{
    if (section->info->keys > 0)
        gr_redis_print(
            section->to, "db0:keys=%" PRId64 ",expires=0,avg_ttl=0\r\n", section->info->keys);
}

// How replicas are kept equal (§4.7): what is held, what is not known to be whole, what was moved.
static void print_entropy(const struct section *section)
{
    const struct gr_node_stats *stats = &section->info->node;
    gr_redis_print(section->to,
        "partitions:%u\r\npartitions_unread:%u\r\npartitions_damaged:%u\r\n"
        "partitions_behind:%u\r\nexchanges:%" PRIu64 "\r\nexchanges_failed:%" PRIu64
        "\r\nkeys_offered:%" PRIu64 "\r\nkeys_taken:%" PRIu64 "\r\npasses:%" PRIu64 "\r\n",
        stats->partitions, stats->unread, stats->damaged, stats->behind, stats->exchanges,
        stats->exchanges_failed, stats->keys_offered, stats->keys_taken, stats->passes);
    const struct gr_redis_host *host = &section->session->host;
    struct gr_repair_view view = {.left_s = GR_PACE_UNKNOWN};
    if (host->node(host->host) != NULL)
        gr_repair_look(host->node(host->host), host->now(host->host), &view);
    // -1: nobody can tell, as yet.
    gr_redis_print(section->to,
        "partitions_whole:%u\r\npartitions_lacking:%u\r\npartitions_unknown:%u\r\n"
        "keys_received:%" PRIu64 "\r\nkeys_sent:%" PRIu64 "\r\nbytes_received:%" PRIu64
        "\r\nbytes_sent:%" PRIu64 "\r\nrepair_keys_per_second:%" PRIu64
        "\r\nrepair_seconds_left:%" PRId64 "\r\n",
        view.whole, view.behind, view.unknown, view.total[GR_REPAIR_KEYS_IN],
        view.total[GR_REPAIR_KEYS_OUT], view.total[GR_REPAIR_BYTES_IN],
        view.total[GR_REPAIR_BYTES_OUT], view.keys_per_second, view.left_s);
}

static const struct {
    const char *name, *title;
    void (*print)(const struct section *section);
} sections[] = {
    {"server", "Server", print_server},
    {"clients", "Clients", print_clients},
    {"memory", "Memory", print_memory},
    {"persistence", "Persistence", print_persistence},
    {"stats", "Stats", print_stats},
    {"replication", "Replication", print_replication},
    {"cluster", "Cluster", print_cluster},
    {"members", "Members", print_members},
    {"entropy", "Entropy", print_entropy},
    {"hints", "Hints", print_hints},
    {"keyspace", "Keyspace", print_keyspace},
};

static bool is_wanted(const struct gr_redis_command *cmd, const char *name)
{
    for (uint32_t i = 1; i < cmd->arg_count; i++) {
        if (gr_redis_is(cmd->arg[i], name) || gr_redis_is(cmd->arg[i], "all") ||
            gr_redis_is(cmd->arg[i], "default") || gr_redis_is(cmd->arg[i], "everything"))
            return true;
    }
    return cmd->arg_count == 1;
}

GR_REDIS_RUN(info)
{
    struct gr_redis_info info = {.version = "", .config_file = "", .durability = ""};
    session->host.info(session->host.host, &info);
    struct gr_writer text;
    // A line per member, of which there are at most GR_MEMBERS_MAX.
    gr_writer_init(&text, 512 << 10);
    struct section section = {session, &info, &text};
    for (size_t i = 0; i < GR_COUNT(sections); i++) {
        if (!is_wanted(cmd, sections[i].name))
            continue;
        gr_redis_print(&text, "%s# %s\r\n", text.size > 0 ? "\r\n" : "", sections[i].title);
        sections[i].print(&section);
    }
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_verbatim(&resp, gr_writer_bytes(&text));
    gr_writer_deinit(&text);
}
