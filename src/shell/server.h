// One node, served: the world around gr_node_step.
//
//     static struct gr_config config;
//     if (gr_config_load(&config, argc, argv, environ, why, sizeof(why)) != GR_OK) ...
//     return gr_server_run(&config);
#ifndef GR_SHELL_SERVER_H
#define GR_SHELL_SERVER_H

#include "shell/config.h"

// Runs until SIGINT or SIGTERM, then stops cleanly: takes no new connection, finishes what is under
// way for up to 2 s, syncs, closes the store. Must be called on the main thread, once. Returns the
// exit code: 0 stopped when asked, 1 it could not start or had to stop (said on stderr), 2 a
// setting is missing or wrong.
//
// When it can serve it prints one line on stdout, and nothing else ever goes there:
//     ready: redis 127.0.0.1:7379, peers 127.0.0.1:7390, data /var/lib/gramme
//
// name, data and cluster must be set. The addresses to listen on are `resp` and `peer`; when they
// were not set (their origin is "default"), this member's addresses in the cluster file are used.
//
// With `demo = yes` the command GR.LINK of the Redis face closes and refuses the links to the
// members that it names (wire/redis.h), until it heals them or the process ends. Cut both ends.
int gr_server_run(const struct gr_config *config);

#endif
