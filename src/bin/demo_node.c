// The nodes of a demo: ordinary `gramme server` processes, started, heard, ended and buried.
//
// A node's stdout is a pipe to the demo, on which it says one line when it can serve; its stderr is
// appended to its log. It is in a process group of its own, so that Ctrl-C reaches only the demo,
// which then asks each node to end. And it asks the kernel to be killed when the demo dies: stores
// are made to be killed, and an orphan would keep ports and data directory.
//
//     down --start--> starting --"ready"--> up
//       ^                |                   |
//       +---- its end: asked for by gr_demo_node_end, or else news that is reported
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bin/ask.h"
#include "bin/demo.h"
#include "shell/server.h"

enum { ASK_MS = 2000, LOG_BYTES = 4096, LOG_LINES = 10 };

static const char *name_of(const struct gr_demo *demo, int i)
{
    return demo->member[i].name;
}

static void log_path(const struct gr_demo *demo, int i, char ret_path[GR_DEMO_PATH_MAX])
{
    snprintf(ret_path, GR_DEMO_PATH_MAX, "%s/%s/log", demo->dir, name_of(demo, i));
}

// ---- start -----------------------------------------------------------------------------------

// This program's file. The link in /proc serves where the file was replaced meanwhile, but then
// `ps` shows its name.
static const char *own_path(char ret_path[GR_DEMO_PATH_MAX])
{
    ssize_t size = readlink("/proc/self/exe", ret_path, GR_DEMO_PATH_MAX - 1);
    ret_path[size > 0 ? size : 0] = 0;
    return access(ret_path, X_OK) == 0 ? ret_path : "/proc/self/exe";
}

// In the child: becomes the server, or ends with 127.
_Noreturn static void become_server(
    const struct gr_demo *demo, int i, pid_t parent, int out, int log)
{
    const struct gr_card *member = &demo->member[i];
    char data[GR_DEMO_PATH_MAX], cluster[GR_DEMO_PATH_MAX], path[GR_DEMO_PATH_MAX];
    char join[GR_DEMO_NODES_MAX * sizeof(member->peer)] = "";
    for (int k = 0, used = 0; k < demo->founders; k++)
        used += snprintf(join + used, sizeof(join) - (size_t)used, "%s%s", k > 0 ? "," : "",
            demo->member[k].peer);
    snprintf(data, sizeof(data), "%s/%s/data", demo->dir, member->name);
    snprintf(cluster, sizeof(cluster), "%s/cluster", demo->dir);
    // The addresses are given although the cluster file has them: a GRAMME_RESP in the environment
    // must not send all nodes to one port.
    const char *argv[24] = {"gramme", "server", "--name", member->name, "--data", data, "--cluster",
        cluster, "--resp", member->resp, "--peer", member->peer, "--demo", "yes"};
    int words = 14;
    if (demo->engine != NULL) {
        argv[words++] = "--engine";
        argv[words++] = demo->engine;
    }
    if (i >= demo->founders) {
        argv[words++] = "--host";
        argv[words++] = member->host;
        argv[words++] = "--join";
        argv[words++] = join;
    }
    sigset_t none;
    sigemptyset(&none);
    int in = open("/dev/null", O_RDONLY);
    bool good = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
                getppid() == parent && sigprocmask(SIG_SETMASK, &none, NULL) == 0 && in >= 0 &&
                dup2(log, STDERR_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
                dup2(in, STDIN_FILENO) >= 0;
    signal(SIGPIPE, SIG_DFL);
    if (good)
        execv(own_path(path), (char *const *)argv);
    dprintf(STDERR_FILENO, "cannot become a server: %s\n", strerror(errno));
    _exit(127);
}

static int open_log(const struct gr_demo *demo, int i)
{
    char path[GR_DEMO_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", demo->dir, name_of(demo, i));
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return -1;
    log_path(demo, i, path);
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

bool gr_demo_node_start(struct gr_demo *demo, int i)
{
    struct gr_demo_node *node = &demo->node[i];
    gr_assert(node->pid == 0 && node->ready < 0);
    int ends[2] = {-1, -1};
    int log = open_log(demo, i);
    bool good = log >= 0 && pipe2(ends, O_CLOEXEC) == 0;
    // Nothing of ours that is still in a buffer may be written twice.
    fflush(NULL);
    pid_t self = getpid(), pid = good ? fork() : -1;
    if (pid == 0)
        become_server(demo, i, self, ends[1], log);
    int error = errno;
    if (log >= 0)
        close(log);
    if (ends[1] >= 0)
        close(ends[1]);
    if (pid < 0) {
        if (ends[0] >= 0)
            close(ends[0]);
        (void)gr_complain(GR_EXIT_ERROR, "cannot start %s: %s", name_of(demo, i), strerror(error));
        return false;
    }
    node->pid = pid;
    node->ready = ends[0];
    node->up = false;
    node->asked = 0;
    node->removed = false;
    return true;
}

// ---- hear ------------------------------------------------------------------------------------

void gr_demo_node_heard(struct gr_demo *demo, int i)
{
    struct gr_demo_node *node = &demo->node[i];
    char text[512];
    ssize_t size = read(node->ready, text, sizeof(text));
    if (size < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (size <= 0) {
        close(node->ready);
        node->ready = -1;
        return;
    }
    // The line is short and comes with one write; its beginning is all that counts.
    if (node->up || strncmp(text, "ready", GR_MIN((size_t)size, 5)) != 0)
        return;
    node->up = true;
    if (node->cut != 0 && !gr_demo_node_cut(demo, i))
        gr_demo_say("%s could not be told which links are cut.", name_of(demo, i));
}

// ---- end -------------------------------------------------------------------------------------

void gr_demo_node_end(struct gr_demo *demo, int i, int signal)
{
    struct gr_demo_node *node = &demo->node[i];
    if (node->pid == 0)
        return;
    node->asked = signal;
    // It is our child and not yet waited for, so the number is still its own.
    kill(node->pid, signal);
}

static void bury(struct gr_demo *demo, int i, int status)
{
    struct gr_demo_node *node = &demo->node[i];
    int asked = node->asked;
    // Asked to stop, it must end with 0, unless it was asked before it could listen.
    bool good = asked == SIGKILL || (asked != 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
                (asked != 0 && !node->up && WIFSIGNALED(status) && WTERMSIG(status) == asked);
    if (node->ready >= 0)
        close(node->ready);
    node->pid = 0;
    node->ready = -1;
    node->up = false;
    node->asked = 0;
    node->removed = WIFEXITED(status) && WEXITSTATUS(status) == GR_SERVER_REMOVED;
    if (node->removed) {
        gr_demo_say(
            "%s was removed from the cluster and has ended. Without %s/%s it can join again.",
            name_of(demo, i), demo->dir, name_of(demo, i));
        return;
    }
    if (good) {
        if (!demo->ending)
            gr_demo_say("%s is down, as asked.", name_of(demo, i));
        return;
    }
    demo->exit_code = demo->ending ? GR_EXIT_ERROR : demo->exit_code;
    char how[64];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof(how), "was killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
    else
        snprintf(how, sizeof(how), "ended with exit code %d", WEXITSTATUS(status));
    gr_demo_say("%s %s. The last lines of its log, %s/%s/log:", name_of(demo, i), how, demo->dir,
        name_of(demo, i));
    gr_demo_node_log(demo, i);
}

void gr_demo_node_reap(struct gr_demo *demo)
{
    for (int i = 0; i < demo->count; i++) {
        int status = 0;
        if (demo->node[i].pid != 0 &&
            waitpid(demo->node[i].pid, &status, WNOHANG) == demo->node[i].pid)
            bury(demo, i, status);
    }
}

void gr_demo_node_log(const struct gr_demo *demo, int i)
{
    char path[GR_DEMO_PATH_MAX], text[LOG_BYTES + 1];
    log_path(demo, i, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    ssize_t size = fd >= 0 ? pread(fd, text, LOG_BYTES, end > LOG_BYTES ? end - LOG_BYTES : 0) : 0;
    if (fd >= 0)
        close(fd);
    if (size <= 0)
        return;
    text[size] = 0;
    char *from = text + size - (text[size - 1] == '\n');
    *from = 0;
    for (int lines = 0; from > text; from--) {
        if (from[-1] == '\n' && ++lines == LOG_LINES)
            break;
    }
    char *rest = NULL;
    for (char *line = strtok_r(from, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        gr_demo_say("    %s", line);
}

int gr_demo_node_members(const struct gr_demo *demo)
{
    int members = demo->count;
    for (int i = 0; i < demo->count; i++)
        members -= demo->node[i].removed;
    return members;
}

int gr_demo_node_running(const struct gr_demo *demo)
{
    int running = 0;
    for (int i = 0; i < demo->count; i++)
        running += demo->node[i].pid != 0;
    return running;
}

// ---- links -----------------------------------------------------------------------------------

static bool command(
    struct gramme *client, const struct gramme_bytes *word, int count, const char *name)
{
    if (gramme_command(client, count, word, NULL) == GRAMME_OK)
        return true;
    (void)gr_complain(GR_EXIT_ERROR, "%s: %s", name, gramme_error(client));
    return false;
}

bool gr_demo_node_cut(const struct gr_demo *demo, int i)
{
    const struct gr_demo_node *node = &demo->node[i];
    // One that is not up is told as soon as it is.
    if (!node->up)
        return true;
    struct gramme *client = gramme_open(demo->member[i].resp, ASK_MS);
    struct gramme_bytes word[2 + GR_DEMO_NODES_MAX] = {gramme_text("GR.LINK"), gramme_text("HEAL")};
    bool good = command(client, word, 2, name_of(demo, i));
    int count = 1;
    word[count++] = gramme_text("CUT");
    for (int k = 0; k < demo->count; k++) {
        if (node->cut >> k & 1)
            word[count++] = gramme_text(name_of(demo, k));
    }
    if (good && count > 2)
        good = command(client, word, count, name_of(demo, i));
    gramme_close(client);
    return good;
}

// Whether node i should see node k.
static bool should_see(const struct gr_demo *demo, int i, int k)
{
    return demo->node[k].pid != 0 && (demo->node[i].cut >> k & 1) == 0;
}

// Compares what node i says of its peers with what it should see. Returns the first node about
// which it is wrong, -1 if there is none, or i itself if it does not answer.
static int find_wrong(const struct gr_demo *demo, int i)
{
    struct gr_ask_member seen[GR_DEMO_NODES_MAX];
    struct gramme *client = gramme_open(demo->member[i].resp, ASK_MS);
    int count = 0;
    int wrong = i;
    if (gr_ask_members(client, seen, GR_DEMO_NODES_MAX, &count) == GRAMME_OK && count > 0) {
        wrong = -1;
        for (int k = 0; k < demo->count && wrong < 0; k++) {
            bool up = false; // who was removed is not shown
            for (int s = 0; s < count; s++)
                up |= seen[s].up && strcmp(seen[s].name, name_of(demo, k)) == 0;
            if (k != i && up != should_see(demo, i, k))
                wrong = k;
        }
    }
    gramme_close(client);
    return wrong;
}

bool gr_demo_node_settled(const struct gr_demo *demo)
{
    for (int i = 0; i < demo->count; i++) {
        if (demo->node[i].pid != 0 && !demo->node[i].up)
            return false;
    }
    for (int i = 0; i < demo->count; i++) {
        if (demo->node[i].pid != 0 && find_wrong(demo, i) >= 0)
            return false;
    }
    return true;
}

void gr_demo_node_unsettled(const struct gr_demo *demo, char *ret_why, size_t why_size)
{
    snprintf(ret_why, why_size, "the nodes have not found each other");
    for (int i = 0; i < demo->count; i++) {
        if (demo->node[i].pid == 0)
            continue;
        int wrong = demo->node[i].up ? find_wrong(demo, i) : i;
        if (wrong == i)
            snprintf(ret_why, why_size, "%s does not serve; see %s/%s/log", name_of(demo, i),
                demo->dir, name_of(demo, i));
        else if (wrong >= 0)
            snprintf(ret_why, why_size, "%s has not noticed that %s is %s", name_of(demo, i),
                name_of(demo, wrong), should_see(demo, i, wrong) ? "up" : "down or cut off");
        if (wrong >= 0)
            return;
    }
}
