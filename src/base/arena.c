// Memory with one end; see arena.h.
#include "base/arena.h"

#include <string.h>

enum { BLOCK_BYTES_MIN = 1024, BLOCK_BYTES_MAX = 65536, ALIGN = 16 };

struct gr_arena_block {
    struct gr_arena_block *older;
    size_t capacity;
    _Alignas(ALIGN) uint8_t data[];
};

static void free_from(struct gr_arena_block *block)
{
    while (block != NULL) {
        struct gr_arena_block *older = block->older;
        gr_hook_memory(block, 0);
        block = older;
    }
}

void gr_arena_deinit(struct gr_arena *arena)
{
    free_from(arena->block);
    *arena = (struct gr_arena){0};
}

void gr_arena_clear(struct gr_arena *arena)
{
    if (arena->block == NULL)
        return;
    if (arena->block->capacity > BLOCK_BYTES_MAX) {
        gr_arena_deinit(arena);
        return;
    }
    free_from(arena->block->older);
    arena->block->older = NULL;
    arena->used = 0;
    arena->bytes = arena->block->capacity;
}

static void add_block(struct gr_arena *arena, size_t capacity)
{
    struct gr_arena_block *block = gr_hook_memory(NULL, sizeof *block + capacity);
    block->older = arena->block;
    block->capacity = capacity;
    arena->block = block;
    arena->capacity = capacity;
    arena->used = 0;
    arena->bytes += capacity;
}

void gr_arena_reserve(struct gr_arena *arena, size_t bytes)
{
    if (arena->block == NULL)
        add_block(arena, (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1));
}

void *gr_arena_take(struct gr_arena *arena, size_t bytes)
{
    size_t size = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    gr_assert(size >= bytes);
    if (arena->block == NULL || size > arena->capacity - arena->used) {
        size_t capacity = GR_MIN(GR_MAX(arena->capacity * 2, BLOCK_BYTES_MIN), BLOCK_BYTES_MAX);
        add_block(arena, GR_MAX(capacity, size));
    }
    void *taken = arena->block->data + arena->used;
    arena->used += size;
    return taken;
}

void *gr_arena_take_zero(struct gr_arena *arena, size_t bytes)
{
    return memset(gr_arena_take(arena, bytes), 0, bytes);
}

struct gr_bytes gr_arena_copy(struct gr_arena *arena, struct gr_bytes bytes)
{
    uint8_t *to = gr_arena_take(arena, bytes.size);
    if (bytes.size > 0)
        memcpy(to, bytes.data, bytes.size);
    return gr_bytes(to, bytes.size);
}
