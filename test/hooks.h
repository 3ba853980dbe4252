// The two hooks of base/base.h for tests: gr_hook_panic prints and aborts, gr_hook_memory is the C
// library's and panics when memory runs out. Linking test/hooks.c is all a test has to do.
#ifndef GR_TEST_HOOKS_H
#define GR_TEST_HOOKS_H

#include "base/base.h"

// Blocks taken from gr_hook_memory and not yet given back, over all threads.
size_t gr_test_blocks(void);

#endif
