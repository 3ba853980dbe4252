// The parts of `gramme demo`: the place (demo_place.c), the nodes (demo_node.c), the socket that
// other terminals speak through (demo_control.c), and the loop that holds them together (demo.c).
#ifndef GR_BIN_DEMO_H
#define GR_BIN_DEMO_H

#include <poll.h>
#include <sys/types.h>

#include "bin/verb.h"
#include "shell/cluster.h"

enum {
    GR_DEMO_NODES_MAX = 32,
    GR_DEMO_CALLERS_MAX = 8,
    GR_DEMO_PATH_MAX = 256,
    // A Unix socket's address has 108 bytes, and "/control" is one of the names below.
    GR_DEMO_DIR_MAX = 96,
    GR_DEMO_LINE_MAX = 256,
    GR_DEMO_POLLS_MAX = 2 + GR_DEMO_NODES_MAX + GR_DEMO_CALLERS_MAX,
    GR_DEMO_START_MS_MAX = 60000, // for a node to say "ready" and find its peers
    GR_DEMO_STOP_MS_MAX = 20000,  // for a node to end when asked; then it is killed
};

struct gr_demo_node {
    pid_t pid;    // 0 = no process
    int ready;    // reading end of the child's stdout; -1 = closed
    bool up;      // it said "ready"
    int asked;    // the signal that its end was asked for with; 0 = an end would be news
    bool removed; // it was removed from the cluster, and has ended
    uint32_t cut; // bit i: the link to node i is cut
};

// What a caller from another terminal waits for.
enum gr_demo_wait {
    GR_DEMO_WAIT_LINE,  // for the caller: its request has not arrived yet
    GR_DEMO_WAIT_DEAD,  // for a node's process to be gone
    GR_DEMO_WAIT_LINKS, // for all nodes that run to be up, and all links to be as they should
    GR_DEMO_WAIT_END,   // for the demo to end
};

struct gr_demo_caller {
    int fd; // -1 = this place is free
    char line[GR_DEMO_LINE_MAX];
    size_t size;
    enum gr_demo_wait wait;
    int node; // that DEAD and LINKS are about; -1 = all
    int64_t deadline_ms;
};

// Owned by demo.c's run; nothing here is shared with another process.
struct gr_demo {
    char dir[GR_DEMO_DIR_MAX];
    const char *engine; // NULL = the server's default
    bool reused;        // the directory held a demo before
    int lock;           // held as long as this demo runs
    int signals, listener;
    struct gr_cluster cluster;
    struct gr_card member[GR_DEMO_NODES_MAX]; // of all nodes; the cluster's founders come first
    int founders, count;
    struct gr_demo_node node[GR_DEMO_NODES_MAX];
    struct gr_demo_caller caller[GR_DEMO_CALLERS_MAX];
    bool ending;
    int exit_code;
};

int64_t gr_demo_now_ms(void);
// One line to the person who watches the demo's terminal.
__attribute__((format(printf, 1, 2))) void gr_demo_say(const char *format, ...);

// ---- the place (demo_place.c) ----------------------------------------------------------------

// Where a demo lives: --dir, else a directory of this user. False when the name is too long.
bool gr_demo_dir(const struct gr_options *options, char *ret_dir, size_t size);
// Makes or reuses the directory, locks it, makes or reads the cluster file, and sees that all ports
// are free. Fills dir, reused, lock, cluster, member, founders, count. Returns an exit code;
// complains itself.
int gr_demo_place_open(struct gr_demo *demo, const struct gr_options *options);
void gr_demo_place_close(struct gr_demo *demo);
// One node more, that is to join: its number from 0 on, or -1 with one sentence in ret_why.
int gr_demo_place_add(struct gr_demo *demo, char *ret_why, size_t why_size);

// ---- the nodes (demo_node.c) -----------------------------------------------------------------

// Starts the process of node i. False, having complained, if the system refuses.
bool gr_demo_node_start(struct gr_demo *demo, int i);
// Asks it to end with this signal, SIGTERM or SIGKILL.
void gr_demo_node_end(struct gr_demo *demo, int i, int signal);
// Its stdout has something to read, or was closed.
void gr_demo_node_heard(struct gr_demo *demo, int i);
// Takes in all processes that have ended, and reports those that were not asked to, or did not end
// cleanly.
void gr_demo_node_reap(struct gr_demo *demo);
// The last lines of its log, to the terminal.
void gr_demo_node_log(const struct gr_demo *demo, int i);
// Tells node i which links are cut. False if that cannot be written.
bool gr_demo_node_cut(const struct gr_demo *demo, int i);
// Whether every running node is up and sees exactly the peers that it should. Asks the nodes.
bool gr_demo_node_settled(const struct gr_demo *demo);
// "n1 sees n2 down", for whoever waited in vain.
void gr_demo_node_unsettled(const struct gr_demo *demo, char *ret_why, size_t why_size);
// How many processes there are; how many there should be, but for those that were removed.
int gr_demo_node_running(const struct gr_demo *demo);
int gr_demo_node_members(const struct gr_demo *demo);

// ---- other terminals (demo_control.c) --------------------------------------------------------

bool gr_demo_control_open(struct gr_demo *demo);
void gr_demo_control_close(struct gr_demo *demo);
void gr_demo_control_accept(struct gr_demo *demo);
// A caller's socket is readable.
void gr_demo_control_heard(struct gr_demo *demo, struct gr_demo_caller *caller);
// Answers every caller whose wait is over, one way or the other.
void gr_demo_control_answer(struct gr_demo *demo);
// The next deadline of a waiting caller, or -1; and whether somebody waits for links.
int64_t gr_demo_control_deadline(const struct gr_demo *demo, bool *ret_links);
// The other side: sends one request to the demo that runs in --dir, prints the answer.
int gr_demo_control_call(const struct gr_options *options, int argc, char **argv);

#endif
