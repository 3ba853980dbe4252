// Start, stop, and a new run after the store has failed; see server.h.
//
//      settings -> cluster file -> data directory -> what was known -> listeners bound -> run
//                                                                  |                       ^
//                                                                  '-> let in by a member --'
//
//      run: store opened, a new actor durable in it, clocks fed to a new node, members dialled
//        | enough links are up, and enough are known to hold; or GRACE_MS have passed, and enough
//        | are known to hold, or at least somebody (in a new store after FIRST_GRACE_MS)
//        v
//      serving: "ready" is said, requests are taken (before that they are answered -LOADING)
//        | the store fails (a write, a sync)
//        v
//      ending: the node refuses writes and reads as far as it can; after a second:
//        | links and clients closed, node and store gone
//        v
//      salvage, if the store is damaged: what can be read of it goes into a new one, on a thread
//        v
//      run again, under a new actor; while that fails it is tried every second
//
//      SIGINT, SIGTERM: no new clients; what is under way is answered, for STOP_MS at most; synced;
//      closed. A second signal: closed at once.
//
//   I1  A node is stepped only with the store and the actor of its own run: a store that has failed
//       is never written to again by the node that saw it fail (DESIGN.md §4: a new actor after any
//       fsync, write or checksum error).
#include "shell/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "shell/address.h"
#include "shell/inside.h"
#include "shell/log.h"
#include "wire/mac.h"

enum {
    STOP_MS = 2000,
    STOP_LOOK_MS = 10,
    RUN_WAIT_MS_MIN = 1000,
    RUN_WAIT_MS_MAX = 60000,
    RUN_GOOD_MS = 60000, // a run that lasted so long was no quick failure
    ASLEEP_MS = 2500,    // between two looks that should be a second apart
    GRACE_MS = 1000,     // for links to come up before a node that is alone serves nevertheless
    FIRST_GRACE_MS =
        10000, // the same for a new store: it may be one of a cluster that is just made
    SPACE_BYTES_MIN = 64 << 20,
    SALVAGES_MAX = 3, // in one process: then the disk is bad, and more directories do not help
};

static void on_run(uv_timer_t *timer);
static void stop(struct gr_server *server);

// ---- runs ------------------------------------------------------------------------------------

static struct gr_node *make_node(struct gr_server *server)
{
    const struct gr_config *config = server->config;
    struct gr_node_config node = gr_node_config_default();
    node.self = 0; // RO1 of roster.c
    node.actor = server->actor;
    node.run = server->actor.run;
    node.ring = &server->roster.told[server->roster.told_last];
    node.newcomer = true;
    node.blank = server->datadir.created && server->actor.run >> 32 == 1;
    node.r = (uint8_t)server->roster.agreed[GR_AGREED_R];
    node.w = (uint8_t)server->roster.agreed[GR_AGREED_W];
    node.durability = (enum gr_durability)server->roster.agreed[GR_AGREED_DURABILITY];
    node.value_max = server->roster.agreed[GR_AGREED_VALUE_MAX];
    node.siblings_max = server->roster.agreed[GR_AGREED_SIBLINGS_MAX];
    node.read_timeout = gr_config_span(config, GR_SETTING_READ_TIMEOUT);
    node.write_timeout = gr_config_span(config, GR_SETTING_WRITE_TIMEOUT);
    node.exchange_interval = gr_config_span(config, GR_SETTING_EXCHANGE_INTERVAL);
    node.exchange_grace = gr_config_span(config, GR_SETTING_EXCHANGE_GRACE);
    node.scrub_interval = gr_config_span(config, GR_SETTING_SCRUB_INTERVAL);
    node.calls_max = (uint32_t)gr_config_number(config, GR_SETTING_REQUESTS_MAX);
    node.memory_max = (size_t)gr_config_number(config, GR_SETTING_MEMORY_MAX);
    node.header_bytes_max = (size_t)gr_config_number(config, GR_SETTING_HEADER_CACHE);
    node.hint_bytes_max = (uint64_t)gr_config_number(config, GR_SETTING_HINT_BYTES_MAX);
    node.queue_wait_max = gr_config_span(config, GR_SETTING_QUEUE_WAIT_MAX);
    node.background.target = gr_config_span(config, GR_SETTING_BACKGROUND_TARGET);
    gr_assert(getrandom(&node.seed, sizeof(node.seed), 0) == (ssize_t)sizeof(node.seed));
    return gr_node_new(&node);
}

// Tells whoever waits on stdout, once.
static void announce(struct gr_server *server)
{
    if (server->announced)
        return;
    server->announced = true;
    printf("ready: redis %s, peers %s, data %s\n", server->clients.local, server->links.local,
        gr_config_text(server->config, GR_SETTING_DATA));
    fflush(stdout);
}

// By site it is most of those at a site: with most of all there are these too, mostly.
static int quorum_of(const struct gr_server *server, enum gr_agreed_key key)
{
    uint8_t asked = (uint8_t)server->roster.agreed[key];
    return gr_quorum_by_site(asked) ? server->roster.ring.n / 2 + 1 : asked;
}

// One of a new store waits for those who make the cluster with it.
static bool is_young(const struct gr_server *server)
{
    return gr_node_config(server->node)->blank &&
           uv_now(&server->loop) - server->run_started_ms < FIRST_GRACE_MS;
}

// Of every partition there are enough who hold it, as far as this node knows; at first, nothing is
// on its way to this node besides. In a cluster that is just made all owners hold and are
// linked: else one that dies a moment later would be one of the two that this node knows of.
static bool is_known(const struct gr_server *server, bool at_first)
{
    bool enough = gr_node_has_voters(server->node);
    if (at_first)
        return enough && gr_node_transfers(server->node).wanted == 0 &&
               (!gr_node_config(server->node)->blank || gr_node_has_all_voters(server->node));
    return enough || (gr_node_is_founded(server->node) && !is_young(server));
}

void gr_server_look(struct gr_server *server)
{
    const struct gr_ring *ring = &server->roster.ring;
    int quorum = GR_MAX(quorum_of(server, GR_AGREED_R), quorum_of(server, GR_AGREED_W));
    int others = 0;
    if (server->node == NULL || server->serving)
        return;
    for (uint16_t m = 1; m < ring->member_count; m++)
        others += !ring->member[m].out;
    // With so many members up no preference list lacks a quorum. Before that, a node that has just
    // started would refuse what it can do a moment later.
    bool enough = gr_links_up(server) >= others - (ring->n - quorum);
    bool at_first = uv_now(&server->loop) - server->run_started_ms < GRACE_MS;
    if ((!enough && at_first) || !is_known(server, at_first))
        return;
    server->serving = true;
    uv_timer_stop(&server->grace);
    announce(server);
}

// Runs are counted in the store itself and made durable before their first write: so a store of
// which others have seen a later run, or another one of the same number, was put back to what it
// once was, or stands elsewhere a second time. Its actors are new all the same: nothing is lost
// (DESIGN.md §4).
void gr_server_seen(struct gr_server *server, const char *peer, uint64_t run)
{
    if (run == server->actor.run || run >> 32 < server->actor.run >> 32)
        return;
    if (server->outrun == 0)
        gr_log(GR_LOG_WARN,
            "this data directory is older than what it wrote before: %s has seen run %u of store "
            "%016llx, and this is run %u. It was restored from a copy, or a copy of it is in use "
            "elsewhere. What it lost comes back from the other replicas",
            peer, (unsigned)(run >> 32), (unsigned long long)server->actor.store,
            (unsigned)(server->actor.run >> 32));
    server->outrun = GR_MAX(server->outrun, run);
}

static void on_grace(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    if (server->node == NULL)
        return;
    gr_server_look(server);
    if (server->serving)
        return;
    if (!server->grace_said && !gr_node_is_founded(server->node)) {
        server->grace_said = true;
        gr_log(GR_LOG_INFO, "nobody is known to hold any data yet: a cluster that was just made "
                            "serves once all of its members have come up");
    }
    if (is_young(server))
        uv_timer_start(&server->grace, on_grace, GRACE_MS, 0);
}

bool gr_server_talks(const struct gr_server *server)
{
    return server->node != NULL || server->waiting;
}

void gr_server_removed(struct gr_server *server)
{
    if (server->stopping)
        return;
    gr_log(GR_LOG_ERROR,
        "this node was removed from the cluster, and its store %016llx is refused for ever: it "
        "stops. Started with an empty data directory it can join again",
        (unsigned long long)server->datadir.store_id);
    server->removed = true;
    stop(server);
}

static void begin_talks(struct gr_server *server)
{
    gr_links_begin(server);
    gr_talks_begin(server);
}

static void end_talks(struct gr_server *server)
{
    gr_talks_end(server);
    gr_links_end(server);
}

void gr_server_told(struct gr_server *server)
{
    if (!server->waiting || server->roster.layout.version == 0)
        return;
    server->waiting = false;
    end_talks(server);
    uv_timer_start(&server->run, on_run, 0, 0);
}

static enum gr_err open_run(struct gr_server *server, char *ret_why, size_t why_size)
{
    struct gr_storage_config config = {
        .engine = gr_store_engine_named(gr_config_text(server->config, GR_SETTING_ENGINE)),
        .dir = server->datadir.store_path,
        .cache_bytes = (uint64_t)gr_config_number(server->config, GR_SETTING_CACHE),
        .partitions = server->cluster.partitions,
        .loop = &server->loop,
        // Of what nobody waits for.
        .sync_interval = gr_span_ms(server->roster.agreed[GR_AGREED_SYNC_INTERVAL]),
    };
    gr_assert(config.engine != NULL && server->node == NULL);
    struct gr_storage *storage = NULL;
    enum gr_err err = gr_storage_open(&config, &storage, ret_why, why_size);
    if (err != GR_OK)
        return err;
    err = gr_datadir_begin_run(
        gr_storage_store(storage), server->datadir.store_id, &server->actor, ret_why, why_size);
    if (err != GR_OK) {
        gr_storage_close(storage);
        return err;
    }
    gr_storage_begin(storage, server->actor);
    struct gr_node *node = make_node(server);
    err = gr_storage_load(storage, node, ret_why, why_size);
    if (err != GR_OK) {
        gr_node_free(node);
        gr_storage_close(storage);
        return err;
    }
    server->storage = storage;
    server->node = node;
    uv_update_time(&server->loop); // The start may have taken long.
    server->run_started_ms = uv_now(&server->loop);
    server->run_ending = false;
    gr_log(GR_LOG_INFO, "run %u of store %016llx begins", (unsigned)(server->actor.run >> 32),
        (unsigned long long)server->actor.store);
    gr_roster_begin(server);
    begin_talks(server);
    uv_timer_start(&server->grace, on_grace, GRACE_MS, 0);
    gr_server_look(server);
    return GR_OK;
}

// ---- salvage ---------------------------------------------------------------------------------

static void salvage_work(uv_work_t *work)
{
    struct gr_server *server = work->data;
    struct gr_salvage_config config = {
        .engine = gr_store_engine_named(gr_config_text(server->config, GR_SETTING_ENGINE)),
        .cluster = &server->cluster,
        .name = gr_config_text(server->config, GR_SETTING_NAME),
        .stop = &server->salvage_stop,
    };
    server->salvage_err = gr_salvage_run(&config, &server->datadir, &server->salvaged,
        server->salvage_why, sizeof(server->salvage_why));
}

static void on_salvaged(uv_work_t *work, int status)
{
    struct gr_server *server = work->data;
    const struct gr_salvage_done *done = &server->salvaged;
    gr_assert(status == 0);
    server->salvaging = false;
    if (server->stopped)
        return;
    if (server->salvage_err != GR_OK) {
        gr_log(GR_LOG_ERROR, "salvage: %s It is tried again every minute.", server->salvage_why);
        uv_timer_start(&server->run, on_run, RUN_WAIT_MS_MAX, 0);
        return;
    }
    server->salvages++;
    gr_log(GR_LOG_WARN,
        "the damaged store was set aside as %s; the new one has %llu records and %llu hints of it, "
        "%llu rows and %llu ranges could not be read. The other replicas bring what is missing",
        done->aside, (unsigned long long)done->records, (unsigned long long)done->hints,
        (unsigned long long)done->unsound, (unsigned long long)done->gaps);
    uv_timer_start(&server->run, on_run, 0, 0);
}

// The store is damaged, `why`: from now on a new one is wanted, and being made.
static enum gr_err begin_salvage(
    struct gr_server *server, const char *why, char *ret_why, size_t why_size)
{
    if (server->salvages >= SALVAGES_MAX) {
        snprintf(ret_why, why_size,
            "The store was damaged %d times since the start, last: %.300s Look at the disk, then "
            "start the node again.",
            SALVAGES_MAX, why);
        return GR_ERR_CORRUPT;
    }
    enum gr_err err = gr_salvage_want(&server->datadir, why, ret_why, why_size);
    if (err != GR_OK)
        return err;
    gr_log(
        GR_LOG_ERROR, "the store is damaged: %s What can be read of it goes into a new one", why);
    server->salvaging = true;
    server->salvage.data = server;
    gr_assert(uv_queue_work(&server->loop, &server->salvage, salvage_work, on_salvaged) == 0);
    return GR_OK;
}

// GR_OK: the run has begun, or a salvage has, after which it will.
static enum gr_err begin_run(struct gr_server *server, char *ret_why, size_t why_size)
{
    char damage[GR_WHY_BYTES] = "It was found earlier.";
    enum gr_err err = GR_ERR_CORRUPT;
    if (!gr_salvage_wanted(&server->datadir))
        err = open_run(server, damage, sizeof(damage));
    if (err == GR_ERR_CORRUPT)
        return begin_salvage(server, damage, ret_why, why_size);
    if (err != GR_OK)
        snprintf(ret_why, why_size, "%s", damage);
    return err;
}

static void end_run(struct gr_server *server)
{
    if (server->node == NULL)
        return;
    uv_timer_stop(&server->grace);
    server->serving = false;
    end_talks(server);
    gr_clients_end(server);
    gr_turn_end(server);
    gr_node_free(server->node);
    gr_storage_close(server->storage);
    server->node = NULL;
    server->storage = NULL;
}

uint64_t gr_server_disk_free(const struct gr_server *server)
{
    struct statvfs about;
    if (statvfs(server->datadir.store_path, &about) != 0)
        return UINT64_MAX;
    return (uint64_t)about.f_bavail * about.f_frsize;
}

static void on_run(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    char why[GR_WHY_BYTES], again[GR_WHY_BYTES];
    if (server->stopping || server->salvaging)
        return;
    // A full disk can still be read: no use in giving that up before there is room.
    if (server->node != NULL && gr_storage_failed(server->storage) == GR_ERR_NO_SPACE &&
        gr_server_disk_free(server) < SPACE_BYTES_MIN) {
        uv_timer_start(&server->run, on_run, RUN_WAIT_MS_MIN, 0);
        return;
    }
    // What the engine said is asked before it is closed.
    bool damaged = server->node != NULL && gr_storage_failed(server->storage) == GR_ERR_CORRUPT;
    if (damaged)
        snprintf(why, sizeof(why), "%.300s.", gr_store_trouble(gr_storage_store(server->storage)));
    end_run(server);
    server->run_why = damaged ? begin_salvage(server, why, again, sizeof(again))
                              : begin_run(server, again, sizeof(again));
    if (server->run_why == GR_OK) {
        if (!server->salvaging && server->announced)
            gr_log(GR_LOG_INFO, "the store is open again");
        server->run_said = false;
        return;
    }
    if (!server->run_said)
        gr_log(GR_LOG_ERROR, "%s It is tried again every second.", again);
    server->run_said = true;
    uv_timer_start(&server->run, on_run, RUN_WAIT_MS_MIN, 0);
}

void gr_server_run_failed(struct gr_server *server)
{
    server->run_ending = true;
    uint64_t lasted = uv_now(&server->loop) - server->run_started_ms;
    uint32_t wait = RUN_WAIT_MS_MIN;
    if (lasted < RUN_GOOD_MS && server->run_wait_ms > 0)
        wait = GR_MIN(server->run_wait_ms * 2, (uint32_t)RUN_WAIT_MS_MAX);
    server->run_wait_ms = wait;
    if (gr_storage_failed(server->storage) == GR_ERR_NO_SPACE)
        gr_log(GR_LOG_WARN,
            "the store takes no more writes, others take them; it is closed and opened again as "
            "soon as %d MiB are free on the disk of %s",
            SPACE_BYTES_MIN >> 20, server->datadir.store_path);
    else
        gr_log(GR_LOG_WARN,
            "the store takes no more writes, others take them; it is closed and %s in %u s",
            gr_storage_failed(server->storage) == GR_ERR_CORRUPT ? "salvaged" : "opened again",
            wait / 1000);
    uv_timer_start(&server->run, on_run, wait, 0);
}

// ---- stopping --------------------------------------------------------------------------------

static void finish(struct gr_server *server)
{
    if (server->stopped)
        return;
    server->stopped = true;
    atomic_store(&server->salvage_stop, true);
    if (server->node != NULL && gr_storage_failed(server->storage) == GR_OK) {
        uint64_t number = 0;
        if (gr_storage_commit(server->storage) &&
            gr_store_sync(gr_storage_store(server->storage), &number) != GR_OK)
            gr_log(GR_LOG_ERROR, "the last sync failed: %s",
                gr_store_trouble(gr_storage_store(server->storage)));
    }
    gr_clients_end(server);
    if (server->waiting)
        end_talks(server);
    server->waiting = false;
    end_run(server);
    gr_clients_stop_listening(server);
    gr_links_close(server);
    gr_roster_close(server);
    gr_talks_close(server);
    gr_turn_close(server);
    for (size_t i = 0; i < GR_COUNT(server->signal); i++)
        uv_close((uv_handle_t *)&server->signal[i], NULL);
    uv_close((uv_handle_t *)&server->second, NULL);
    uv_close((uv_handle_t *)&server->run, NULL);
    uv_close((uv_handle_t *)&server->grace, NULL);
    uv_close((uv_handle_t *)&server->stop, NULL);
}

static void on_stop_look(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    bool quiet =
        server->clients.all.count == 0 &&
        (server->node == NULL || (gr_storage_quiet(server->storage) && gr_links_sent(server)));
    if (quiet || uv_now(&server->loop) - server->stop_ms > STOP_MS)
        finish(server);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct gr_server *server = handle->data;
    if (server->stopping) {
        finish(server);
        return;
    }
    gr_log(GR_LOG_INFO, "stopping (%s)", number == SIGINT ? "SIGINT" : "SIGTERM");
    stop(server);
}

static void stop(struct gr_server *server)
{
    server->stopping = true;
    server->stop_ms = uv_now(&server->loop);
    gr_clients_stop_listening(server);
    gr_clients_drain(server);
    uv_timer_start(&server->stop, on_stop_look, 0, STOP_LOOK_MS);
}

static void on_second(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    uint64_t now = uv_now(&server->loop), last = server->looked_ms;
    server->looked_ms = now;
    // After this process was stopped for a while, what others sent meanwhile must be read first.
    if (now - last > ASLEEP_MS)
        return;
    gr_links_look(server);
    gr_clients_look(server);
}

// ---- starting --------------------------------------------------------------------------------

static void init_timer(struct gr_server *server, uv_timer_t *timer)
{
    gr_assert(uv_timer_init(&server->loop, timer) == 0);
    timer->data = server;
}

static void init_loop(struct gr_server *server)
{
    static const int numbers[] = {SIGINT, SIGTERM};
    uint64_t seed = 0;
    gr_assert(getrandom(&seed, sizeof(seed), 0) == (ssize_t)sizeof(seed));
    gr_random_init(&server->random, seed);
    gr_assert(uv_loop_init(&server->loop) == 0);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < GR_COUNT(server->signal); i++) {
        gr_assert(uv_signal_init(&server->loop, &server->signal[i]) == 0);
        server->signal[i].data = server;
        gr_assert(uv_signal_start(&server->signal[i], on_signal, numbers[i]) == 0);
    }
    init_timer(server, &server->second);
    init_timer(server, &server->run);
    init_timer(server, &server->grace);
    init_timer(server, &server->stop);
    uv_timer_start(&server->second, on_second, 1000, 1000);
    server->started_ms = server->looked_ms = uv_now(&server->loop);
    gr_turn_init(server);
    gr_links_init(server);
    gr_talks_init(server);
    gr_roster_init(server);
    gr_clients_init(server);
}

static int listen_both(struct gr_server *server)
{
    char text[GR_ADDRESS_TEXT_BYTES], why[GR_WHY_BYTES];
    struct sockaddr_storage resp, peer;
    const struct gr_card *card = &server->roster.card;
    int code = gr_prepare_address(server, GR_SETTING_RESP, card->resp, &resp);
    if (code == GR_SERVER_OK)
        code = gr_prepare_address(server, GR_SETTING_PEER, card->peer, &peer);
    if (code != GR_SERVER_OK)
        return code;
    gr_address_format((const struct sockaddr *)&resp, server->clients.local);
    gr_address_format((const struct sockaddr *)&peer, server->links.local);
    const struct sockaddr *address = (const struct sockaddr *)&peer;
    const char *failed = gr_links_listen(server, address);
    if (failed == NULL) {
        address = (const struct sockaddr *)&resp;
        failed = gr_clients_listen(server, address);
    }
    if (failed == NULL)
        return GR_SERVER_OK;
    gr_address_format(address, text);
    snprintf(why, sizeof(why),
        "Cannot listen on %s: %s. End what listens there, or set another address.", text, failed);
    return gr_prepare_complain(GR_SERVER_FAILED, why);
}

static int open_data(struct gr_server *server)
{
    char why[GR_WHY_BYTES];
    const struct gr_config *config = server->config;
    enum gr_err err = gr_datadir_open(gr_config_text(config, GR_SETTING_DATA), &server->cluster,
        gr_config_text(config, GR_SETTING_NAME), gr_config_text(config, GR_SETTING_ENGINE),
        &server->datadir, why, sizeof(why));
    if (err != GR_OK)
        return gr_prepare_complain(GR_SERVER_FAILED, why);
    if (!gr_salvage_last(&server->datadir, &server->salvaged))
        server->salvaged.aside[0] = '\0';
    return GR_SERVER_OK;
}

// Everything before the loop runs: what is wrong now ends the process, and says why.
static int start(struct gr_server *server)
{
    char why[GR_WHY_BYTES];
    int code = open_data(server);
    if (code != GR_SERVER_OK)
        return code;
    enum gr_err err = gr_roster_open(server, why, sizeof(why));
    if (err != GR_OK)
        return gr_prepare_complain(
            err == GR_ERR_INVALID || err == GR_ERR_NOT_FOUND ? GR_SERVER_USAGE : GR_SERVER_FAILED,
            why);
    if (gr_roster_is_banned(server, server->datadir.store_id)) {
        snprintf(why, sizeof(why),
            "This node was removed from the cluster, and its store %016llx is refused for ever: "
            "start it with an empty data directory to join again.",
            (unsigned long long)server->datadir.store_id);
        return gr_prepare_complain(GR_SERVER_REMOVED, why);
    }
    code = gr_prepare_files(server);
    if (code == GR_SERVER_OK)
        code = listen_both(server);
    if (code != GR_SERVER_OK)
        return code;
    server->waiting = server->roster.layout.version == 0;
    if (server->waiting) {
        gr_log(GR_LOG_INFO, "waits to be told of the ring by a member, at %s",
            gr_config_text(server->config, GR_SETTING_JOIN));
        begin_talks(server);
        return GR_SERVER_OK;
    }
    return begin_run(server, why, sizeof(why)) == GR_OK
               ? GR_SERVER_OK
               : gr_prepare_complain(GR_SERVER_FAILED, why);
}

static int serve(struct gr_server *server)
{
    init_loop(server);
    int code = start(server);
    if (code != GR_SERVER_OK)
        finish(server);
    uv_run(&server->loop, UV_RUN_DEFAULT);
    gr_datadir_close(&server->datadir);
    if (code == GR_SERVER_OK)
        gr_log(GR_LOG_INFO, "stopped");
    gr_assert(uv_loop_close(&server->loop) == 0);
    gr_clients_deinit(server);
    gr_links_deinit(server);
    gr_roster_deinit(server);
    gr_plan_deinit(server);
    gr_talks_deinit(server);
    return server->removed ? GR_SERVER_REMOVED : code;
}

int gr_server_run(const struct gr_config *config)
{
    gr_log_level(gr_log_level_named(gr_config_text(config, GR_SETTING_LOG_LEVEL)));
    int code = gr_prepare_settings(config);
    if (code != GR_SERVER_OK)
        return code;
    struct gr_server *server = gr_hook_memory(NULL, sizeof(*server));
    memset(server, 0, sizeof(*server));
    server->config = config;
    server->datadir.lock = -1;
    code = gr_prepare_cluster(server);
    if (code == GR_SERVER_OK) {
        code = serve(server);
        gr_cluster_deinit(&server->cluster);
    }
    explicit_bzero(&server->token_key, sizeof(server->token_key));
    gr_hook_memory(server, 0);
    return code;
}
