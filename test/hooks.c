// The two hooks of base/base.h, as a test wants them; see hooks.h.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/hooks.h"

static atomic_size_t blocks;

void gr_hook_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: panic: %s\n", file, line, what);
    abort();
}

void *gr_hook_memory(void *block, size_t bytes)
{
    if (bytes == 0) {
        blocks -= block != NULL;
        free(block);
        return NULL;
    }
    blocks += block == NULL;
    void *answer = realloc(block, bytes);
    if (answer == NULL)
        gr_hook_panic(__FILE__, __LINE__, "out of memory");
    return answer;
}

size_t gr_test_blocks(void)
{
    return blocks;
}
