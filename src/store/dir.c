// Looks at a directory before RocksDB does; see dir.h.
#include "store/dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { ROOM_BYTES_MIN = 1 << 20 };

static enum gr_err refuse(int number, const char *dir, char *ret_why, size_t why_size)
{
    snprintf(ret_why, why_size, "Cannot use directory %s: %s.", dir, strerror(number));
    return number == ENOSPC || number == EDQUOT ? GR_ERR_NO_SPACE : GR_ERR_IO;
}

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

enum gr_err gr_store_dir_make(const char *dir, char *ret_why, size_t why_size)
{
    if (mkdir(dir, 0750) != 0)
        return errno == EEXIST ? GR_OK : refuse(errno, dir, ret_why, why_size);
    int parent = -1, made = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (made >= 0)
        parent = openat(made, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int number = parent < 0 || fsync(parent) != 0 ? errno : 0;
    if (parent >= 0)
        close(parent);
    if (made >= 0)
        close(made);
    return number == 0 ? GR_OK : refuse(number, dir, ret_why, why_size);
}

enum gr_err gr_store_dir_look(const char *dir, char *ret_why, size_t why_size)
{
    DIR *list = opendir(dir);
    if (list == NULL && errno == ENOENT) {
        snprintf(ret_why, why_size, "There is no directory %s: name another or create it.", dir);
        return GR_ERR_NOT_FOUND;
    }
    if (list == NULL)
        return refuse(errno, dir, ret_why, why_size);
    bool current = false, data = false;
    const struct dirent *item;
    errno = 0;
    while ((item = readdir(list)) != NULL) {
        current |= strcmp(item->d_name, "CURRENT") == 0;
        data |= ends_with(item->d_name, ".sst") || ends_with(item->d_name, ".log");
        errno = 0;
    }
    int number = errno;
    closedir(list);
    if (number != 0)
        return refuse(number, dir, ret_why, why_size);
    if (current)
        return GR_OK;
    if (data) {
        snprintf(
            ret_why, why_size, "Directory %s holds data but its file CURRENT is missing.", dir);
        return GR_ERR_CORRUPT;
    }
    snprintf(ret_why, why_size, "Directory %s holds no store: name another or create one.", dir);
    return GR_ERR_NOT_FOUND;
}

enum gr_err gr_store_dir_room(const char *dir, char *ret_why, size_t why_size)
{
    struct statvfs about;
    // What cannot be asked is found out by RocksDB.
    if (statvfs(dir, &about) != 0 || (uint64_t)about.f_bavail * about.f_frsize >= ROOM_BYTES_MIN)
        return GR_OK;
    snprintf(ret_why, why_size,
        "Cannot open the store in %s: its disk is full; free some space, %d MiB at the very least.",
        dir, ROOM_BYTES_MIN >> 20);
    return GR_ERR_NO_SPACE;
}
