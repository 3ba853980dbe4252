// Memory with one end: many small takings, freed all at once.
//
// A record, a request or a step takes what it needs from an arena and never frees a piece. Blocks
// start at 1 KiB and double up to 64 KiB; a larger taking gets a block of its own.
#ifndef GR_BASE_ARENA_H
#define GR_BASE_ARENA_H

#include "base/base.h"

struct gr_arena_block;
struct gr_arena {
    struct gr_arena_block *block; // the newest; older ones hang behind it
    size_t used, capacity;        // of the newest block
    size_t bytes;                 // of all blocks: what this arena takes from the node's budget
};

// A zeroed struct gr_arena is an empty arena.
void gr_arena_deinit(struct gr_arena *arena);
// Forgets everything taken; keeps one block for the next use when it is at most 64 KiB.
void gr_arena_clear(struct gr_arena *arena);
// Makes sure that an empty arena's first `bytes` bytes come from one block of about that size.
void gr_arena_reserve(struct gr_arena *arena, size_t bytes);
// `bytes` bytes, not cleared, aligned to 16. Never NULL.
void *gr_arena_take(struct gr_arena *arena, size_t bytes);
// The same, cleared.
void *gr_arena_take_zero(struct gr_arena *arena, size_t bytes);
struct gr_bytes gr_arena_copy(struct gr_arena *arena, struct gr_bytes bytes);

#define gr_arena_array(arena, type, count)                                                         \
    ((type *)gr_arena_take((arena), GR_MAX((size_t)(count), 1) * sizeof(type)))
#define gr_arena_new(arena, type) ((type *)gr_arena_take_zero((arena), sizeof(type)))

#endif
