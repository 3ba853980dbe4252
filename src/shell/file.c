// Small files that must be whole; see file.h.
#include "shell/file.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"

enum { PATH_BYTES_MAX = 4096, READ_BYTES = 65536 };

static enum gr_err refuse(
    const char *verb, const char *path, int number, char *ret_why, size_t why_size)
{
    snprintf(ret_why, why_size, "Cannot %s %.300s: %s.", verb, path, strerror(number));
    if (number == ENOENT)
        return GR_ERR_NOT_FOUND;
    return number == ENOSPC || number == EDQUOT ? GR_ERR_NO_SPACE : GR_ERR_IO;
}

enum gr_err gr_file_read_bytes(const char *path, size_t bytes_max, uint8_t **ret_bytes,
    size_t *ret_size, char *ret_why, size_t why_size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return refuse("read", path, errno, ret_why, why_size);
    // One byte more than there may be: for the zero, or to see that there are too many.
    struct gr_writer read;
    gr_writer_init(&read, bytes_max + 1);
    size_t ask, got;
    errno = 0;
    do {
        ask = GR_MIN(READ_BYTES, read.size_max - read.size);
        got = fread(gr_writer_reserve(&read, ask), 1, ask, file);
        read.size += got;
    } while (got == ask && read.size <= bytes_max);
    int number = ferror(file) != 0 ? errno : 0;
    fclose(file);
    if (number == 0 && read.size <= bytes_max) {
        read.data[read.size] = 0;
        *ret_bytes = read.data;
        *ret_size = read.size;
        return GR_OK;
    }
    gr_writer_deinit(&read);
    if (number != 0)
        return refuse("read", path, number, ret_why, why_size);
    snprintf(ret_why, why_size, "%.300s has more than %zu bytes.", path, bytes_max);
    return GR_ERR_INVALID;
}

enum gr_err gr_file_read(
    const char *path, size_t bytes_max, char **ret_text, char *ret_why, size_t why_size)
{
    uint8_t *bytes;
    size_t size;
    enum gr_err err = gr_file_read_bytes(path, bytes_max, &bytes, &size, ret_why, why_size);
    if (err != GR_OK)
        return err;
    if (memchr(bytes, 0, size) != NULL) {
        gr_hook_memory(bytes, 0);
        snprintf(ret_why, why_size, "%.300s is no text file: there is a zero byte in it.", path);
        return GR_ERR_INVALID;
    }
    *ret_text = (char *)bytes;
    return GR_OK;
}

// Syncs the directory that `path` is in; 0 or errno.
static int sync_parent(const char *path)
{
    char parent[PATH_BYTES_MAX];
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    snprintf(parent, sizeof(parent), "%.*s", (int)size, path);
    int dir = open(size > 0 ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return errno;
    int number = fsync(dir) != 0 ? errno : 0;
    close(dir);
    return number;
}

static int write_all(int file, struct gr_bytes bytes)
{
    while (bytes.size > 0) {
        ssize_t written = write(file, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : EIO;
        bytes.data += written;
        bytes.size -= (size_t)written;
    }
    return fsync(file) != 0 ? errno : 0;
}

enum gr_err gr_file_write_bytes(
    const char *path, struct gr_bytes bytes, int mode, char *ret_why, size_t why_size)
{
    char beside[PATH_BYTES_MAX];
    if ((size_t)snprintf(beside, sizeof(beside), "%s.new", path) >= sizeof(beside))
        return refuse("write", path, ENAMETOOLONG, ret_why, why_size);
    // What a crash left there may have another mode.
    if (unlink(beside) != 0 && errno != ENOENT)
        return refuse("write", beside, errno, ret_why, why_size);
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0)
        return refuse("write", beside, errno, ret_why, why_size);
    int number = write_all(file, bytes);
    close(file);
    if (number == 0 && rename(beside, path) != 0)
        number = errno;
    if (number == 0)
        number = sync_parent(path);
    else
        unlink(beside);
    return number == 0 ? GR_OK : refuse("write", path, number, ret_why, why_size);
}

enum gr_err gr_file_write(
    const char *path, const char *text, int mode, char *ret_why, size_t why_size)
{
    return gr_file_write_bytes(path, gr_bytes_text(text), mode, ret_why, why_size);
}

enum gr_err gr_file_make_dir(const char *path, int mode, char *ret_why, size_t why_size)
{
    if (mkdir(path, (mode_t)mode) != 0) {
        struct stat about;
        if (errno != EEXIST)
            return refuse("make directory", path, errno, ret_why, why_size);
        if (stat(path, &about) != 0)
            return refuse("look at", path, errno, ret_why, why_size);
        return S_ISDIR(about.st_mode) ? GR_OK : refuse("use", path, ENOTDIR, ret_why, why_size);
    }
    int number = sync_parent(path);
    return number == 0 ? GR_OK : refuse("sync", path, number, ret_why, why_size);
}

// ---- text ------------------------------------------------------------------------------------

char *gr_text_trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    return text;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool gr_text_parse_hex(const char *text, uint8_t *ret, size_t size)
{
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < 2 * size; i++)
        if (digit_of(text[i]) < 0)
            return false;
    for (size_t i = 0; i < size; i++)
        ret[i] = (uint8_t)(digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
    return true;
}

void gr_text_format_hex(const uint8_t *bytes, size_t size, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * size] = '\0';
}

bool gr_text_parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
    uint64_t number = 0;
    if (text[0] == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        if (__builtin_mul_overflow(number, (uint64_t)10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
            return false;
    }
    if (number < least || number > most)
        return false;
    *ret = number;
    return true;
}
