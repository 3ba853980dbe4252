// The cluster file: who the members are and what they agree on. Flat text, written when the cluster
// is made, the same at every member, and secret (mode 0600).
//
//     # Gramme cluster file
//     format = 1
//     cluster = 32 hex digits
//     secret = 64 hex digits
//     partitions = 1024
//     n = 3
//     r = 2
//     w = 2
//     durability = commit
//     sync_interval = 100ms
//     member = node1 machine 127.0.0.1:7390 127.0.0.1:7379
//     member = node2 machine 127.0.0.1:7490 127.0.0.1:7479
//
// r and w may also be `local` or `each` (core/site.c).
//
// The lines durability (commit, interval or buffered: when a replica acknowledges a write, see
// core/ring.h) and sync_interval (how long a write of the last two may wait for its sync, 1ms to
// 1s) may be missing, and are then as above.
//
// The members are those that found the cluster, and own equal parts of its first ring; who comes
// later is not here (shell/roster.c). A member is its name, its host (a key's replicas avoid
// sharing one), its address for peers and its address for Redis clients; then, if wanted, site=,
// rack= and weight=. The order of the lines is that of the first ring: all founders must have the
// same.
#ifndef GR_SHELL_CLUSTER_H
#define GR_SHELL_CLUSTER_H

#include "base/error.h"
#include "core/layout.h"

enum {
    GR_CLUSTER_ID_BYTES = 16,
    GR_CLUSTER_SECRET_BYTES = 32,
    GR_CLUSTER_FILE_BYTES_MAX = 1 << 20,
};

// Owns its members.
struct gr_cluster {
    uint8_t id[GR_CLUSTER_ID_BYTES];
    uint8_t secret[GR_CLUSTER_SECRET_BYTES];
    uint32_t partitions;
    uint8_t n, r, w; // r and w as in a request (core/ring.h): by site too
    enum gr_durability durability;
    struct gr_span sync_interval;
    uint16_t member_count;
    struct gr_card *member;
};

// A new cluster with an id and a secret of its own (getrandom). partitions is a power of two up to
// GR_PARTITIONS_MAX; r and w fit n <= count; names are distinct. Copies the members.
void gr_cluster_make(struct gr_cluster *ret_cluster, uint32_t partitions, uint8_t n, uint8_t r,
    uint8_t w, const struct gr_card *member, uint16_t count);
void gr_cluster_deinit(struct gr_cluster *cluster);

// On failure *ret_cluster is untouched and ret_why holds one sentence that names file and line:
// GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_INVALID, GR_ERR_FORMAT (made by a newer program).
GR_MUST_USE enum gr_err gr_cluster_read(
    const char *path, struct gr_cluster *ret_cluster, char *ret_why, size_t why_size);
// Written beside, synced, and moved into place: a reader sees the old file or the new one, whole.
GR_MUST_USE enum gr_err gr_cluster_write(
    const char *path, const struct gr_cluster *cluster, char *ret_why, size_t why_size);

// The member of that name, or -1.
int gr_cluster_find(const struct gr_cluster *cluster, const char *name);

#endif
