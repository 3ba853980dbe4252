// The two hooks of base/base.h for programs that use the shared library; gramme itself has its own.
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

void gr_hook_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "libgramme: stopped at %s:%d: %s\n", file, line, what);
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
