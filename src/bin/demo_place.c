// Where a demo lives: a directory with the cluster file, one directory per node, a lock and a
// socket.
//
//     DIR/cluster     members, secret, N, R, W; made once
//     DIR/n1, n2 ...  a node's data and its log
//     DIR/lock        held by the running demo; its process id
//     DIR/control     the socket for `gramme demo kill 2` and its kin
//
// The directory is kept, so the next demo finds the data of the last. Only its owner may enter it:
// the cluster file holds the secret.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bin/demo.h"

enum { PORT_STEP = 100, PORT_PEER = 11, PORT_DEFAULT = 7379, PARTITIONS = 1024 };

bool gr_demo_dir(const struct gr_options *options, char *ret_dir, size_t size)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const char *temporary = getenv("TMPDIR");
    int written = 0;
    if (options->dir != NULL)
        written = snprintf(ret_dir, size, "%s", options->dir);
    else if (runtime != NULL && runtime[0] == '/' && access(runtime, W_OK | X_OK) == 0)
        written = snprintf(ret_dir, size, "%s/gramme-demo", runtime);
    else
        written = snprintf(ret_dir, size, "%s/gramme-demo-%u",
            temporary != NULL && temporary[0] == '/' ? temporary : "/tmp", (unsigned)getuid());
    return written > 0 && (size_t)written < size;
}

// Makes the directory and those above it. One that exists must belong to this user: in /tmp anybody
// could have made it first, to read the secret.
static int make_dir(const char *dir)
{
    char path[GR_DEMO_DIR_MAX];
    snprintf(path, sizeof(path), "%s", dir);
    for (char *at = path + 1; *at != 0; at++) {
        if (*at != '/')
            continue;
        *at = 0;
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return gr_complain(GR_EXIT_ERROR, "cannot make %s: %s", path, strerror(errno));
        *at = '/';
    }
    struct stat stat;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return gr_complain(GR_EXIT_ERROR, "cannot make %s: %s", path, strerror(errno));
    if (lstat(path, &stat) != 0 || !S_ISDIR(stat.st_mode) || stat.st_uid != getuid())
        return gr_complain(
            GR_EXIT_ERROR, "%s is not a directory of yours; name another one with --dir", path);
    return GR_EXIT_OK;
}

static int take_lock(struct gr_demo *demo)
{
    char path[GR_DEMO_PATH_MAX], text[32] = "";
    snprintf(path, sizeof(path), "%s/lock", demo->dir);
    demo->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (demo->lock < 0)
        return gr_complain(GR_EXIT_ERROR, "cannot write %s: %s", path, strerror(errno));
    if (flock(demo->lock, LOCK_EX | LOCK_NB) != 0) {
        ssize_t size = read(demo->lock, text, sizeof(text) - 1);
        return gr_complain(GR_EXIT_ERROR,
            "a demo already runs in %s (process %.*s).\n  `gramme demo status` shows it, `gramme "
            "demo end` ends it; --dir with --port-base starts another one beside it.",
            demo->dir, size > 0 ? (int)strcspn(text, "\n") : 1, size > 0 ? text : "?");
    }
    int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(demo->lock, 0) != 0 || write(demo->lock, text, (size_t)size) != size)
        return gr_complain(GR_EXIT_ERROR, "cannot write %s: %s", path, strerror(errno));
    return GR_EXIT_OK;
}

// ---- the members -----------------------------------------------------------------------------

static void set_addresses(struct gr_card *member, int i, int port_base)
{
    int port = port_base + PORT_STEP * i;
    snprintf(member->resp, sizeof(member->resp), "127.0.0.1:%d", port);
    snprintf(member->peer, sizeof(member->peer), "127.0.0.1:%d", port + PORT_PEER);
}

static int check_port_range(int nodes, int port_base)
{
    int last = port_base + PORT_STEP * (nodes - 1) + PORT_PEER;
    if (last <= 65535)
        return GR_EXIT_OK;
    return gr_complain(GR_EXIT_USAGE,
        "%d nodes from port %d on would need port %d; ports end at 65535", nodes, port_base, last);
}

// A cluster of its own: an id, a secret, and members that stand for machines of their own, so that
// a key's replicas are spread as they would be over real ones.
static int make_cluster(struct gr_demo *demo, const struct gr_options *options)
{
    struct gr_card member[GR_DEMO_NODES_MAX] = {0};
    int nodes = options->nodes != 0 ? (int)options->nodes : 3;
    int port_base = options->port_base != 0 ? (int)options->port_base : PORT_DEFAULT;
    int code = check_port_range(nodes, port_base);
    if (code != GR_EXIT_OK)
        return code;
    for (int i = 0; i < nodes; i++) {
        snprintf(member[i].name, sizeof(member[i].name), "n%d", i + 1);
        snprintf(member[i].host, sizeof(member[i].host), "n%d", i + 1);
        set_addresses(&member[i], i, port_base);
    }
    uint8_t n = (uint8_t)GR_MIN(nodes, 3);
    uint8_t quorum = (uint8_t)(n / 2 + 1);
    gr_cluster_make(&demo->cluster, PARTITIONS, n, quorum, quorum, member, (uint16_t)nodes);
    return GR_EXIT_OK;
}

static int read_cluster(struct gr_demo *demo, const struct gr_options *options)
{
    int count = demo->cluster.member_count;
    if (count > GR_DEMO_NODES_MAX)
        return gr_complain(GR_EXIT_ERROR, "%s/cluster has %d members; a demo has at most %d",
            demo->dir, count, GR_DEMO_NODES_MAX);
    if (options->nodes != 0 && options->nodes != count)
        return gr_complain(GR_EXIT_ERROR,
            "%s holds a demo of %d node%s; for %lld take another directory (--dir), or remove this "
            "one",
            demo->dir, count, count == 1 ? "" : "s", (long long)options->nodes);
    if (options->port_base == 0)
        return GR_EXIT_OK;
    int code = check_port_range(count, (int)options->port_base);
    for (int i = 0; code == GR_EXIT_OK && i < count; i++)
        set_addresses(&demo->cluster.member[i], i, (int)options->port_base);
    return code;
}

static int port_of(const char *address)
{
    const char *colon = strrchr(address, ':');
    return colon == NULL ? 0 : atoi(colon + 1);
}

static void add_member(struct gr_demo *demo)
{
    struct gr_card *member = &demo->member[demo->count];
    *member = (struct gr_card){.weight = 1};
    snprintf(member->name, sizeof(member->name), "n%d", demo->count + 1);
    snprintf(member->host, sizeof(member->host), "n%d", demo->count + 1);
    set_addresses(member, demo->count, port_of(demo->member[0].resp));
    demo->count++;
}

// The founders, and who joined in an earlier demo here: those have their directories.
static void find_members(struct gr_demo *demo)
{
    char path[GR_DEMO_PATH_MAX];
    demo->founders = demo->count = demo->cluster.member_count;
    memcpy(demo->member, demo->cluster.member, (size_t)demo->count * sizeof(*demo->member));
    for (; demo->count < GR_DEMO_NODES_MAX; add_member(demo)) {
        snprintf(path, sizeof(path), "%s/n%d/data", demo->dir, demo->count + 1);
        if (access(path, F_OK) != 0)
            return;
    }
}

// Reads the cluster file, or thinks of a cluster; what is new is written once the ports are free.
static int find_cluster(struct gr_demo *demo, const struct gr_options *options, const char *path)
{
    char why[512];
    enum gr_err err = gr_cluster_read(path, &demo->cluster, why, sizeof(why));
    if (err == GR_ERR_NOT_FOUND)
        return make_cluster(demo, options);
    if (err != GR_OK)
        return gr_complain(GR_EXIT_ERROR, "%s", why);
    demo->reused = true;
    int code = read_cluster(demo, options);
    if (code != GR_EXIT_OK)
        gr_cluster_deinit(&demo->cluster);
    return code;
}

// ---- the ports -------------------------------------------------------------------------------

static bool is_port_free(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    struct sockaddr_in address = {.sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_free =
        bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno != EADDRINUSE;
    close(fd);
    return is_free;
}

static int check_ports(const struct gr_demo *demo)
{
    for (int i = 0; i < demo->count; i++) {
        const struct gr_card *member = &demo->member[i];
        int ports[] = {port_of(member->resp), port_of(member->peer)};
        for (size_t p = 0; p < GR_COUNT(ports); p++) {
            if (!is_port_free(ports[p]))
                return gr_complain(GR_EXIT_ERROR,
                    "port %d is in use, and %s wants it for %s.\n  End what listens there (`ss "
                    "-ltnp | grep %d` shows it), or take other ports: gramme demo --port-base %d",
                    ports[p], member->name, p == 0 ? "Redis clients" : "its peers", ports[p],
                    port_of(demo->member[0].resp) + 1000);
        }
    }
    return GR_EXIT_OK;
}

// ---- open and close --------------------------------------------------------------------------

static int open_locked(struct gr_demo *demo, const struct gr_options *options)
{
    char path[GR_DEMO_PATH_MAX], why[512];
    snprintf(path, sizeof(path), "%s/cluster", demo->dir);
    int code = find_cluster(demo, options, path);
    if (code != GR_EXIT_OK)
        return code;
    find_members(demo);
    code = check_ports(demo);
    bool changed = !demo->reused || options->port_base != 0;
    if (code == GR_EXIT_OK && changed &&
        gr_cluster_write(path, &demo->cluster, why, sizeof(why)) != GR_OK)
        code = gr_complain(GR_EXIT_ERROR, "%s", why);
    if (code != GR_EXIT_OK)
        gr_cluster_deinit(&demo->cluster);
    return code;
}

int gr_demo_place_open(struct gr_demo *demo, const struct gr_options *options)
{
    char dir[GR_DEMO_DIR_MAX];
    if (!gr_demo_dir(options, dir, sizeof(dir)))
        return gr_complain(GR_EXIT_ERROR,
            "the demo's directory has a name of more than %d bytes; name a shorter one with --dir",
            GR_DEMO_DIR_MAX - 1);
    int code = make_dir(dir);
    if (code != GR_EXIT_OK)
        return code;
    char *absolute = realpath(dir, NULL);
    bool fits = absolute != NULL && strlen(absolute) < sizeof(demo->dir);
    if (fits)
        snprintf(demo->dir, sizeof(demo->dir), "%s", absolute);
    free(absolute);
    if (!fits)
        return gr_complain(
            GR_EXIT_ERROR, "%s has an unusable or too long path; name another --dir", dir);
    code = take_lock(demo);
    if (code == GR_EXIT_OK)
        code = open_locked(demo, options);
    if (code != GR_EXIT_OK) {
        if (demo->lock >= 0)
            close(demo->lock);
        return code;
    }
    return GR_EXIT_OK;
}

void gr_demo_place_close(struct gr_demo *demo)
{
    gr_cluster_deinit(&demo->cluster);
    close(demo->lock);
}

int gr_demo_place_add(struct gr_demo *demo, char *ret_why, size_t why_size)
{
    if (demo->count == GR_DEMO_NODES_MAX) {
        snprintf(ret_why, why_size, "a demo has at most %d nodes", GR_DEMO_NODES_MAX);
        return -1;
    }
    add_member(demo);
    int i = demo->count - 1;
    int ports[] = {port_of(demo->member[i].resp), port_of(demo->member[i].peer)};
    for (size_t p = 0; p < GR_COUNT(ports); p++) {
        if (ports[p] > 0 && ports[p] <= 65535 && is_port_free(ports[p]))
            continue;
        snprintf(
            ret_why, why_size, "%s wants port %d, which is in use", demo->member[i].name, ports[p]);
        demo->count--;
        return -1;
    }
    return i;
}
