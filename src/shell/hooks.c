// The two hooks of base/base.h, as the program wants them: a panic says where and aborts, so that a
// core dump shows why; memory is the C library's, and a panic when there is none left, because
// every pool and queue has a maximum that was checked before.
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

void gr_hook_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: panic: %s\n", file, line, what);
    abort();
}

void *gr_hook_memory(void *block, size_t bytes)
{
    if (bytes == 0) {
        free(block);
        return NULL;
    }
    void *answer = realloc(block, bytes);
    if (answer == NULL)
        gr_hook_panic(__FILE__, __LINE__, "out of memory");
    return answer;
}
