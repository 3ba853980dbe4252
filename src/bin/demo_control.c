// How other terminals speak to a running demo: one line in, some lines out, over a socket in its
// directory.
//
//     -> kill 2
//     <- n2 is gone
//     <- ok                    or: error: there is no node 7; there are 1 to 3
//
// The answer comes when it has happened, so that a script needs no sleep: a killed node's process
// is gone, a started one serves and its links are up, a cut is in force. Until then the caller's
// connection is kept with what it waits for and a deadline. After the last line the demo closes.
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bin/demo.h"

static struct sockaddr_un address_of(const char *dir)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", dir);
    return address;
}

// ---- the socket ------------------------------------------------------------------------------

bool gr_demo_control_open(struct gr_demo *demo)
{
    struct sockaddr_un address = address_of(demo->dir);
    demo->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    // One that a demo left that was killed; ours is the lock, so nobody listens there.
    unlink(address.sun_path);
    mode_t mask = umask(0077);
    bool good = demo->listener >= 0 &&
                bind(demo->listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
                listen(demo->listener, GR_DEMO_CALLERS_MAX) == 0;
    umask(mask);
    if (!good)
        (void)gr_complain(
            GR_EXIT_ERROR, "cannot listen at %s: %s", address.sun_path, strerror(errno));
    return good;
}

static void close_caller(struct gr_demo_caller *caller)
{
    close(caller->fd);
    *caller = (struct gr_demo_caller){.fd = -1};
}

void gr_demo_control_close(struct gr_demo *demo)
{
    for (int i = 0; i < GR_DEMO_CALLERS_MAX; i++) {
        if (demo->caller[i].fd >= 0)
            close_caller(&demo->caller[i]);
    }
    if (demo->listener >= 0)
        close(demo->listener);
    unlink(address_of(demo->dir).sun_path);
}

void gr_demo_control_accept(struct gr_demo *demo)
{
    int fd = accept4(demo->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (int i = 0; i < GR_DEMO_CALLERS_MAX; i++) {
        if (demo->caller[i].fd < 0) {
            demo->caller[i] = (struct gr_demo_caller){
                .fd = fd, .node = -1, .deadline_ms = gr_demo_now_ms() + 10000};
            return;
        }
    }
    static const char full[] = "error: too many others are speaking to this demo; try again\n";
    ssize_t sent = send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
    (void)sent;
    close(fd);
}

// Answers are a few lines and the socket's buffer is empty, so they fit; a caller that is gone does
// not matter.
__attribute__((format(printf, 2, 3))) static void tell(
    const struct gr_demo_caller *caller, const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    int size = vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    ssize_t sent = send(caller->fd, text, GR_MIN((size_t)size, sizeof(text) - 1), MSG_NOSIGNAL);
    (void)sent;
}

// ---- requests --------------------------------------------------------------------------------

// A node's number as people write it, from 1 on; -1 when there is no such node.
static int read_node(const struct gr_demo *demo, const char *text)
{
    char *end = NULL;
    long number = strtol(text[0] == 'n' ? text + 1 : text, &end, 10);
    return *text != 0 && *end == 0 && number >= 1 && number <= demo->count ? (int)number - 1 : -1;
}

static void tell_status(const struct gr_demo *demo, const struct gr_demo_caller *caller)
{
    tell(caller, "%-6s %-8s %-8s %-18s %-18s %s\n", "NODE", "STATE", "PROCESS", "REDIS", "PEERS",
        "LINKS CUT");
    for (int i = 0; i < demo->count; i++) {
        const struct gr_demo_node *node = &demo->node[i];
        const struct gr_card *member = &demo->member[i];
        char cut[GR_DEMO_LINE_MAX] = "", process[16] = "-";
        size_t used = 0;
        for (int k = 0; k < demo->count && used < sizeof(cut); k++) {
            if (node->cut >> k & 1)
                used += (size_t)snprintf(cut + used, sizeof(cut) - used, "%s%s",
                    used > 0 ? " " : "", demo->member[k].name);
        }
        if (node->pid != 0)
            snprintf(process, sizeof(process), "%d", (int)node->pid);
        tell(caller, "%-6s %-8s %-8s %-18s %-18s %s\n", member->name,
            node->pid == 0 ? "down"
            : node->up     ? "up"
                           : "starting",
            process, member->resp, member->peer, used > 0 ? cut : "-");
    }
    tell(caller, "directory %s\nok\n", demo->dir);
}

// "1|2,3": every node that is named is on one side; links between sides are to be cut. '/' may
// stand for '|', which shells want quoted. False when it is not that.
static bool read_sides(const struct gr_demo *demo, const char *text, int *ret_side)
{
    int side = 1;
    bool wants_node = true;
    for (const char *at = text; *at != 0; at++) {
        if (*at == '|' || *at == '/' || *at == ',') {
            side += *at != ',';
            if (wants_node)
                return false;
            wants_node = true;
            continue;
        }
        char number[16];
        size_t size = strcspn(at, "|/,");
        snprintf(number, sizeof(number), "%.*s", (int)size, at);
        int node = size < sizeof(number) ? read_node(demo, number) : -1;
        if (node < 0 || ret_side[node] != 0 || !wants_node)
            return false;
        ret_side[node] = side;
        wants_node = false;
        at += size - 1;
    }
    return side > 1 && !wants_node;
}

// Cuts links between nodes of different sides; side 0 keeps all its links. All 0 heals.
static bool cut_links(struct gr_demo *demo, const int *side)
{
    bool good = true;
    for (int i = 0; i < demo->count; i++) {
        uint32_t cut = 0;
        for (int k = 0; k < demo->count; k++) {
            if (side[i] != 0 && side[k] != 0 && side[i] != side[k])
                cut |= UINT32_C(1) << k;
        }
        demo->node[i].cut = cut;
        good = gr_demo_node_cut(demo, i) && good;
    }
    return good;
}

static void wait_for(struct gr_demo_caller *caller, enum gr_demo_wait wait, int node, int64_t ms)
{
    caller->wait = wait;
    caller->node = node;
    caller->deadline_ms = gr_demo_now_ms() + ms;
}

// kill, stop and start. Returns an error for the caller, or NULL.
static const char *obey_node(
    struct gr_demo *demo, struct gr_demo_caller *caller, const char *verb, int i)
{
    struct gr_demo_node *node = &demo->node[i];
    if (strcmp(verb, "start") == 0) {
        if (node->pid != 0)
            return "it runs already";
        if (!gr_demo_node_start(demo, i))
            return "it cannot be started; the demo's terminal says why";
        wait_for(caller, GR_DEMO_WAIT_LINKS, i, GR_DEMO_START_MS_MAX);
        return NULL;
    }
    if (node->pid == 0)
        return "it does not run";
    gr_demo_node_end(demo, i, strcmp(verb, "kill") == 0 ? SIGKILL : SIGTERM);
    wait_for(caller, GR_DEMO_WAIT_DEAD, i, GR_DEMO_STOP_MS_MAX);
    return NULL;
}

static void obey_links(struct gr_demo *demo, struct gr_demo_caller *caller, const char *sides)
{
    int side[GR_DEMO_NODES_MAX] = {0};
    if (sides != NULL && !read_sides(demo, sides, side)) {
        tell(caller, "error: '%s' names no sides of nodes 1 to %d; two sides look like '1|2,3'\n",
            sides, demo->count);
        close_caller(caller);
        return;
    }
    if (!cut_links(demo, side)) {
        tell(caller, "error: a node could not be told; the demo's terminal says why\n");
        close_caller(caller);
        return;
    }
    gr_demo_say(
        sides != NULL ? "links are cut: %s" : "links are mended%s", sides != NULL ? sides : "");
    wait_for(caller, GR_DEMO_WAIT_LINKS, -1, GR_DEMO_START_MS_MAX);
}

// One node more: answered when it is up and linked to all. It owns nothing before a commit.
static const char *obey_add(struct gr_demo *demo, struct gr_demo_caller *caller, char *why)
{
    int i = gr_demo_place_add(demo, why, GR_DEMO_LINE_MAX);
    if (i < 0)
        return why;
    if (!gr_demo_node_start(demo, i))
        return "it cannot be started; the demo's terminal says why";
    gr_demo_say("%s is started at %s, and owns nothing until `gramme cluster join %s` is committed",
        demo->member[i].name, demo->member[i].resp, demo->member[i].name);
    wait_for(caller, GR_DEMO_WAIT_LINKS, i, GR_DEMO_START_MS_MAX);
    return NULL;
}

static void obey(struct gr_demo *demo, struct gr_demo_caller *caller)
{
    char *word = caller->line;
    char *rest = strchr(word, ' ');
    if (rest != NULL)
        *rest++ = 0;
    bool about_node =
        strcmp(word, "kill") == 0 || strcmp(word, "stop") == 0 || strcmp(word, "start") == 0;
    int node = about_node && rest != NULL ? read_node(demo, rest) : -1;
    if (demo->ending) {
        tell(caller, "error: the demo is ending\n");
    } else if (strcmp(word, "status") == 0 && rest == NULL) {
        tell_status(demo, caller);
    } else if (strcmp(word, "end") == 0 && rest == NULL) {
        demo->ending = true;
        wait_for(caller, GR_DEMO_WAIT_END, -1, INT32_MAX);
        return;
    } else if (about_node && node < 0) {
        tell(caller, "error: '%s' wants a node from 1 to %d\n", word, demo->count);
    } else if (about_node) {
        const char *error = obey_node(demo, caller, word, node);
        if (error == NULL)
            return;
        tell(caller, "error: n%d: %s\n", node + 1, error);
    } else if (strcmp(word, "add") == 0 && rest == NULL) {
        char why[GR_DEMO_LINE_MAX];
        const char *error = obey_add(demo, caller, why);
        if (error == NULL)
            return;
        tell(caller, "error: %s\n", error);
    } else if (strcmp(word, "split") == 0 && rest != NULL) {
        obey_links(demo, caller, rest);
        return;
    } else if (strcmp(word, "heal") == 0 && rest == NULL) {
        obey_links(demo, caller, NULL);
        return;
    } else {
        tell(caller, "error: '%s' is no action, or lacks what it acts on; `gramme help demo`\n",
            word);
    }
    close_caller(caller);
}

void gr_demo_control_heard(struct gr_demo *demo, struct gr_demo_caller *caller)
{
    ssize_t size =
        recv(caller->fd, caller->line + caller->size, sizeof(caller->line) - caller->size - 1, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        // The caller was interrupted. What it asked for goes on.
        close_caller(caller);
        return;
    }
    caller->size += (size_t)size;
    caller->line[caller->size] = 0;
    char *end = strchr(caller->line, '\n');
    if (caller->wait == GR_DEMO_WAIT_LINE && end != NULL) {
        *end = 0;
        obey(demo, caller);
    } else if (caller->size + 1 == sizeof(caller->line)) {
        tell(caller, "error: that is too long\n");
        close_caller(caller);
    }
}

// ---- answers ---------------------------------------------------------------------------------

// One caller that waits for a node or for links. True when it was answered.
static bool answer(struct gr_demo *demo, const struct gr_demo_caller *caller, bool settled)
{
    const struct gr_demo_node *node = caller->node >= 0 ? &demo->node[caller->node] : NULL;
    bool late = gr_demo_now_ms() >= caller->deadline_ms;
    if (caller->wait == GR_DEMO_WAIT_DEAD && node->pid == 0) {
        tell(caller, "n%d is gone\nok\n", caller->node + 1);
    } else if (caller->wait == GR_DEMO_WAIT_DEAD && late) {
        tell(caller,
            "error: n%d has not ended within %d s; `gramme demo kill %d` ends it at once\n",
            caller->node + 1, GR_DEMO_STOP_MS_MAX / 1000, caller->node + 1);
    } else if (caller->wait == GR_DEMO_WAIT_LINKS && node != NULL && node->pid == 0) {
        tell(caller, "error: n%d has ended; %s/n%d/log says why\n", caller->node + 1, demo->dir,
            caller->node + 1);
    } else if (caller->wait == GR_DEMO_WAIT_LINKS && settled) {
        tell(caller, node != NULL ? "n%d serves, and its links are up\nok\n" : "done\nok\n",
            caller->node + 1);
    } else if (caller->wait == GR_DEMO_WAIT_LINKS && late) {
        char why[256];
        gr_demo_node_unsettled(demo, why, sizeof(why));
        tell(caller, "error: not within %d s: %s\n", GR_DEMO_START_MS_MAX / 1000, why);
    } else if (caller->wait == GR_DEMO_WAIT_LINE && late) {
        tell(caller, "error: no request came\n");
    } else {
        return false;
    }
    return true;
}

void gr_demo_control_answer(struct gr_demo *demo)
{
    bool wants_links = false;
    gr_demo_control_deadline(demo, &wants_links);
    bool settled = wants_links && gr_demo_node_settled(demo);
    for (int i = 0; i < GR_DEMO_CALLERS_MAX; i++) {
        struct gr_demo_caller *caller = &demo->caller[i];
        if (caller->fd < 0)
            continue;
        if (demo->ending && gr_demo_node_running(demo) == 0) {
            bool asked = caller->wait == GR_DEMO_WAIT_END;
            tell(caller, asked ? "the demo has ended\nok\n" : "error: the demo has ended\n");
            close_caller(caller);
        } else if (answer(demo, caller, settled)) {
            close_caller(caller);
        }
    }
}

int64_t gr_demo_control_deadline(const struct gr_demo *demo, bool *ret_links)
{
    int64_t deadline_ms = -1;
    for (int i = 0; i < GR_DEMO_CALLERS_MAX; i++) {
        const struct gr_demo_caller *caller = &demo->caller[i];
        if (caller->fd < 0)
            continue;
        if (caller->wait == GR_DEMO_WAIT_LINKS)
            *ret_links = true;
        if (deadline_ms < 0 || caller->deadline_ms < deadline_ms)
            deadline_ms = caller->deadline_ms;
    }
    return deadline_ms;
}

// ---- the other side --------------------------------------------------------------------------

// Reads up to the end and prints all lines but the last, which is the verdict.
static int print_answer(FILE *stream)
{
    char line[1024], before[1024] = "";
    while (fgets(line, sizeof(line), stream) != NULL) {
        fputs(before, stdout);
        memcpy(before, line, sizeof(before));
    }
    before[strcspn(before, "\n")] = 0;
    if (strcmp(before, "ok") == 0)
        return GR_EXIT_OK;
    if (strncmp(before, "error: ", 7) == 0)
        return gr_complain(GR_EXIT_ERROR, "%s", before + 7);
    return gr_complain(GR_EXIT_ERROR, "the demo ended before it answered");
}

int gr_demo_control_call(const struct gr_options *options, int argc, char **argv)
{
    char dir[GR_DEMO_DIR_MAX];
    if (!gr_demo_dir(options, dir, sizeof(dir)))
        return gr_complain(GR_EXIT_ERROR, "the demo's directory has a name of more than %d bytes",
            GR_DEMO_DIR_MAX - 1);
    struct sockaddr_un address = address_of(dir);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        if (fd >= 0)
            close(fd);
        return gr_complain(GR_EXIT_UNREACHABLE,
            "no demo runs in %s.\n  `gramme demo` starts one; --dir names another directory.", dir);
    }
    FILE *stream = fdopen(fd, "r+");
    gr_assert(stream != NULL);
    fprintf(stream, "%s%s%s\n", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    fflush(stream);
    int code = print_answer(stream);
    fclose(stream);
    return code;
}
