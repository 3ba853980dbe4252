// What is left of a RocksDB store that cannot be opened.
//
// RocksDB can make a store again from its tables and logs alone, without the files that say which
// of them are in use. It does so in place and moves away what it does not understand; so it is
// given a directory of its own, with links to the tables and logs of the damaged one. It reads
// those and writes new ones, and never changes a table or a log that is there.
//
//   E1  The damaged directory is only read. A file that cannot be linked is copied.
//   E2  A table with one bad block is left out whole, so this is the second choice: a store that
//       opens is read as it is.
//
// Owns: the new directory, until it is handed over. Bounds: none; a file is copied in pieces of 1
// MiB.
#include "store/rescue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/dir.h"

enum { PIECE_BYTES = 1 << 20, PATH_BYTES = 4096 };

static enum gr_err refuse(
    int number, const char *what, const char *path, char *ret_why, size_t why_size)
{
    snprintf(ret_why, why_size, "Cannot %s %.300s: %s.", what, path, strerror(number));
    return number == ENOSPC || number == EDQUOT ? GR_ERR_NO_SPACE : GR_ERR_IO;
}

static bool is_wanted(const char *name)
{
    size_t size = strlen(name);
    return size > 4 &&
           (strcmp(name + size - 4, ".sst") == 0 || strcmp(name + size - 4, ".log") == 0);
}

// Until its end, or until it cannot be read any more: the rest is damaged. 0 or errno of the copy.
static int copy_pieces(int from, int to)
{
    int number = 0;
    uint8_t *piece = gr_hook_memory(NULL, PIECE_BYTES);
    ssize_t size;
    while (number == 0 && (size = read(from, piece, PIECE_BYTES)) > 0)
        for (ssize_t done = 0, part; number == 0 && done < size; done += part) {
            part = write(to, piece + done, (size_t)(size - done));
            if (part <= 0)
                number = part < 0 ? errno : EIO;
        }
    gr_hook_memory(piece, 0);
    return number;
}

static int copy_file(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return errno;
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int number = out < 0 ? errno : copy_pieces(in, out);
    if (out >= 0)
        close(out);
    close(in);
    return number;
}

static enum gr_err link_files(
    const char *dir, const char *copy, uint32_t *ret_count, char *ret_why, size_t why_size)
{
    DIR *list = opendir(dir);
    if (list == NULL)
        return refuse(errno, "read directory", dir, ret_why, why_size);
    int number = 0;
    const struct dirent *item;
    char from[PATH_BYTES], to[PATH_BYTES];
    *ret_count = 0;
    while (number == 0 && (item = readdir(list)) != NULL) {
        if (!is_wanted(item->d_name))
            continue;
        bool fits = (size_t)snprintf(from, sizeof(from), "%s/%s", dir, item->d_name) < sizeof(from);
        fits &= (size_t)snprintf(to, sizeof(to), "%s/%s", copy, item->d_name) < sizeof(to);
        number = !fits ? ENAMETOOLONG : link(from, to) != 0 ? copy_file(from, to) : 0;
        ++*ret_count;
    }
    closedir(list);
    return number == 0 ? GR_OK : refuse(number, "take a file of", dir, ret_why, why_size);
}

enum gr_err gr_rescue_rocksdb(const char *dir, const char *copy, char *ret_why, size_t why_size)
{
    uint32_t count = 0;
    struct stat about;
    if (stat(copy, &about) == 0)
        return refuse(EEXIST, "make", copy, ret_why, why_size);
    enum gr_err err = gr_store_dir_make(copy, ret_why, why_size);
    if (err == GR_OK)
        err = link_files(dir, copy, &count, ret_why, why_size);
    if (err != GR_OK)
        return err;
    if (count == 0) {
        snprintf(ret_why, why_size, "Directory %.300s holds neither tables nor logs.", dir);
        return GR_ERR_NOT_FOUND;
    }
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    char *status = NULL;
    rocksdb_repair_db(options, copy, &status);
    rocksdb_options_destroy(options);
    if (status == NULL)
        return GR_OK;
    snprintf(
        ret_why, why_size, "Nothing of the store in %.300s can be read (%.200s).", dir, status);
    bool full = strstr(status, "No space left") != NULL;
    rocksdb_free(status);
    return full ? GR_ERR_NO_SPACE : GR_ERR_CORRUPT;
}
