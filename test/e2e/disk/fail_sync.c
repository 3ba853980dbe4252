// Preloaded into a node: while the file $FAIL_SYNC_WHILE exists, the disk under $FAIL_SYNC_UNDER
// does not sync.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int fd)
{
    const char *when = getenv("FAIL_SYNC_WHILE"), *under = getenv("FAIL_SYNC_UNDER");
    char link[64], path[4096];
    if (when == NULL || under == NULL || access(when, F_OK) != 0)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    return size > 0 && (size_t)size >= strlen(under) && strncmp(path, under, strlen(under)) == 0;
}

static int sync_with(const char *name, int fd)
{
    int (*real)(int) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, name);
    if (!fails(fd))
        return real(fd);
    errno = EIO;
    return -1;
}

int fdatasync(int fd)
{
    return sync_with("fdatasync", fd);
}

int fsync(int fd)
{
    return sync_with("fsync", fd);
}
