// `gramme demo`: a whole cluster on this machine, in one terminal.
//
// The demo is the parent of its nodes and does nothing for them but start them and end them: they
// are ordinary `gramme server` processes that speak to each other and to clients as they would on
// machines of their own. It waits in one poll for whatever happens: a signal (Ctrl-C, the end of a
// child), a line from a node ("ready"), a request from another terminal. Only one thing has no
// event: that a node has noticed a peer come or go is asked of the nodes, and only while somebody
// waits for it.
//
// I1. No process outlives the demo: each is ended by its id and waited for; a demo that dies itself
//     takes its nodes with it (demo_node.c).
// I2. Every wait has an end: GR_DEMO_START_MS_MAX, GR_DEMO_STOP_MS_MAX.
#include "bin/demo.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

// How often the nodes are asked about their links while somebody waits for that.
enum { LINKS_POLL_MS = 50 };

int64_t gr_demo_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void gr_demo_say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
}

// ---- signals ---------------------------------------------------------------------------------

static bool open_signals(struct gr_demo *demo)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    // A terminal that is closed must not end the demo in the middle of a line.
    signal(SIGPIPE, SIG_IGN);
    demo->signals = -1;
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        demo->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (demo->signals < 0)
        (void)gr_complain(GR_EXIT_ERROR, "cannot wait for signals: %s", strerror(errno));
    return demo->signals >= 0;
}

static void take_signals(struct gr_demo *demo)
{
    struct signalfd_siginfo info;
    while (read(demo->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGCHLD)
            demo->ending = true;
    }
    gr_demo_node_reap(demo);
}

// ---- the loop --------------------------------------------------------------------------------

// Waits for the next event, at most until the deadline (-1 = for ever), and takes it in.
static void step(struct gr_demo *demo, int64_t deadline_ms, bool wants_links)
{
    struct pollfd polled[GR_DEMO_POLLS_MAX];
    int node_at[GR_DEMO_NODES_MAX], caller_at[GR_DEMO_CALLERS_MAX];
    nfds_t count = 0;
    polled[count++] = (struct pollfd){.fd = demo->signals, .events = POLLIN};
    polled[count++] = (struct pollfd){.fd = demo->listener, .events = POLLIN};
    for (int i = 0; i < demo->count; i++) {
        node_at[i] = (int)count;
        polled[count++] = (struct pollfd){.fd = demo->node[i].ready, .events = POLLIN};
    }
    for (int i = 0; i < GR_DEMO_CALLERS_MAX; i++) {
        caller_at[i] = (int)count;
        polled[count++] = (struct pollfd){.fd = demo->caller[i].fd, .events = POLLIN};
    }
    int64_t control_ms = gr_demo_control_deadline(demo, &wants_links);
    if (control_ms >= 0 && (deadline_ms < 0 || control_ms < deadline_ms))
        deadline_ms = control_ms;
    int64_t left = deadline_ms < 0 ? -1 : GR_MAX(deadline_ms - gr_demo_now_ms(), 0);
    if (wants_links && (left < 0 || left > LINKS_POLL_MS))
        left = LINKS_POLL_MS;
    if (poll(polled, count, (int)GR_MIN(left, INT32_MAX)) < 0)
        return;
    // What nodes said comes before their end, so that no last word is lost.
    for (int i = 0; i < demo->count; i++) {
        if (polled[node_at[i]].revents != 0)
            gr_demo_node_heard(demo, i);
    }
    if (polled[0].revents != 0)
        take_signals(demo);
    for (int i = 0; i < GR_DEMO_CALLERS_MAX; i++) {
        if (polled[caller_at[i]].revents != 0)
            gr_demo_control_heard(demo, &demo->caller[i]);
    }
    if (polled[1].revents != 0)
        gr_demo_control_accept(demo);
    gr_demo_control_answer(demo);
}

// Starts every node and waits until each serves and sees all others. False, having complained, when
// one does not.
static bool start_all(struct gr_demo *demo)
{
    for (int i = 0; i < demo->count; i++) {
        if (!gr_demo_node_cut(demo, i) || !gr_demo_node_start(demo, i))
            return false;
    }
    int64_t deadline_ms = gr_demo_now_ms() + GR_DEMO_START_MS_MAX;
    while (!demo->ending && !gr_demo_node_settled(demo)) {
        if (gr_demo_node_running(demo) < gr_demo_node_members(demo))
            return false;
        if (gr_demo_now_ms() >= deadline_ms) {
            char why[256];
            gr_demo_node_unsettled(demo, why, sizeof(why));
            (void)gr_complain(GR_EXIT_ERROR, "the cluster is not ready after %d s: %s",
                GR_DEMO_START_MS_MAX / 1000, why);
            return false;
        }
        step(demo, deadline_ms, true);
    }
    return true;
}

static void stop_all(struct gr_demo *demo)
{
    demo->ending = true;
    for (int i = 0; i < demo->count; i++)
        gr_demo_node_end(demo, i, SIGTERM);
    int64_t deadline_ms = gr_demo_now_ms() + GR_DEMO_STOP_MS_MAX;
    while (gr_demo_node_running(demo) > 0) {
        if (gr_demo_now_ms() >= deadline_ms) {
            demo->exit_code = GR_EXIT_ERROR;
            gr_demo_say("Some nodes have not ended within %d s and are killed.",
                GR_DEMO_STOP_MS_MAX / 1000);
            for (int i = 0; i < demo->count; i++)
                gr_demo_node_end(demo, i, SIGKILL);
            deadline_ms = INT64_MAX;
        }
        step(demo, deadline_ms == INT64_MAX ? -1 : deadline_ms, false);
    }
    gr_demo_control_answer(demo);
}

// ---- what the terminal shows -----------------------------------------------------------------

// What to try next, in the words that work in the terminal that this demo was started from.
static void say_try(const struct gr_demo *demo, const struct gr_options *options)
{
    const struct gr_card *member = demo->member;
    const char *gramme = program_invocation_name;
    const char *first_port = strrchr(member[0].resp, ':') + 1;
    const char *last_port = strrchr(member[demo->count - 1].resp, ':') + 1;
    char at[96] = "", dir[GR_DEMO_DIR_MAX + 16] = "";
    if (strcmp(first_port, "7379") != 0)
        snprintf(at, sizeof(at), " --at %s", member[0].resp);
    if (options->dir != NULL)
        snprintf(dir, sizeof(dir), " --dir %s", demo->dir);
    gr_demo_say("\nTry, in another terminal:\n"
                "    redis-cli -p %s SET cart milk && redis-cli -p %s GET cart\n"
                "    %s put%s cart 'milk and eggs' && %s get%s cart",
        first_port, last_port, gramme, at, gramme, at);
    if (demo->count >= 3)
        gr_demo_say("    %s demo%s kill 2    (then read and write on; `start 2` brings it back)",
            gramme, dir);
    else
        gr_demo_say("    %s status%s", gramme, at);
}

static void say_hello(const struct gr_demo *demo, const struct gr_options *options)
{
    gr_demo_say("A Gramme cluster of %d node%s is up. N=%d, R=%d, W=%d.", demo->count,
        demo->count == 1 ? "" : "s", demo->cluster.n, demo->cluster.r, demo->cluster.w);
    for (int i = 0; i < demo->count; i++)
        gr_demo_say("    %-4s Redis clients at %s, process %d", demo->member[i].name,
            demo->member[i].resp, (int)demo->node[i].pid);
    say_try(demo, options);
    gr_demo_say("\nEverything is in %s. Ctrl-C stops the cluster; data stay.", demo->dir);
    gr_demo_say("demo ready");
}

// ---- run -------------------------------------------------------------------------------------

static int serve(struct gr_demo *demo, const struct gr_options *options)
{
    if (!open_signals(demo) || !gr_demo_control_open(demo))
        return GR_EXIT_ERROR;
    if (demo->reused)
        gr_demo_say("Using the demo in %s again, with its data.", demo->dir);
    gr_demo_say("Starting %d node%s ...", demo->count, demo->count == 1 ? "" : "s");
    bool started = start_all(demo);
    if (started && !demo->ending) {
        say_hello(demo, options);
        while (!demo->ending)
            step(demo, -1, false);
    }
    if (gr_demo_node_running(demo) > 0)
        gr_demo_say("Stopping ...");
    stop_all(demo);
    if (started)
        gr_demo_say("Stopped. The data stay in %s.", demo->dir);
    return started ? demo->exit_code : GR_EXIT_ERROR;
}

static int run(const struct gr_options *options)
{
    static struct gr_demo demo;
    demo = (struct gr_demo){.engine = options->engine, .lock = -1, .signals = -1, .listener = -1};
    for (int i = 0; i < GR_DEMO_NODES_MAX; i++)
        demo.node[i].ready = -1;
    for (int i = 0; i < GR_DEMO_CALLERS_MAX; i++)
        demo.caller[i].fd = -1;
    int code = gr_demo_place_open(&demo, options);
    if (code != GR_EXIT_OK)
        return code;
    code = serve(&demo, options);
    gr_demo_control_close(&demo);
    if (demo.signals >= 0)
        close(demo.signals);
    gr_demo_place_close(&demo);
    return code;
}

int gr_verb_demo(const struct gr_options *options, int argc, char **argv)
{
    if (argc == 0)
        return run(options);
    if (options->nodes != 0 || options->port_base != 0 || options->engine != NULL)
        return gr_complain(GR_EXIT_USAGE,
            "--nodes, --port-base and --engine are for starting a demo, not for `%s`", argv[0]);
    return gr_demo_control_call(options, argc, argv);
}
