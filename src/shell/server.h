// One node, served: the world around gr_node_step.
//
//     static struct gr_config config;
//     if (gr_config_load(&config, argc, argv, environ, why, sizeof(why)) != GR_OK) ...
//     return gr_server_run(&config);
#ifndef GR_SHELL_SERVER_H
#define GR_SHELL_SERVER_H

#include "shell/config.h"

// What the program ends with.
enum gr_server_exit {
    GR_SERVER_OK = 0,      // stopped when asked
    GR_SERVER_FAILED = 1,  // it could not start or had to stop, and said on stderr why
    GR_SERVER_USAGE = 2,   // a setting is missing or wrong
    GR_SERVER_REMOVED = 6, // it was removed from the cluster
};

// Runs until SIGINT or SIGTERM, then stops cleanly: takes no new connection, finishes what is under
// way for up to 2 s, syncs, closes the store. Must be called on the main thread, once. Returns the
// exit code (enum gr_server_exit).
//
// When it can serve it prints one line on stdout, and nothing else ever goes there:
//     ready: redis 127.0.0.1:7379, peers 127.0.0.1:7390, data /var/lib/gramme
//
// name, data and cluster must be set. The addresses to listen on are `resp` and `peer`; when they
// were not set (their origin is "default"), those at which the others are told to reach this node:
// its line in the cluster file, or what it said before. A node that the cluster file does not name
// needs `join` to be let in, once.
//
// With `demo = yes` the command GR.LINK of the Redis face closes and refuses the links to the
// members that it names (wire/redis.h), until it heals them or the process ends. Cut both ends.
int gr_server_run(const struct gr_config *config);

#endif
