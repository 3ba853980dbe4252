// The log: one line per event on stderr; see log.h.
//
// A line is made in full and written with one call, so that lines of several threads never mix.
#include "shell/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE_BYTES_MAX = 2048, TEXT_BYTES_MAX = 2000 };

static atomic_int shown = GR_LOG_INFO;
static const char *const names[] = {"error", "warn", "info", "debug"};

void gr_log_level(enum gr_log_level level)
{
    shown = (int)level;
}

enum gr_log_level gr_log_level_named(const char *name)
{
    for (int i = GR_LOG_ERROR; i <= GR_LOG_DEBUG; i++)
        if (strcmp(names[i], name) == 0)
            return (enum gr_log_level)i;
    return GR_LOG_INFO;
}

void gr_log(enum gr_log_level level, const char *format, ...)
{
    if ((int)level > shown)
        return;
    struct timespec now;
    struct tm parts;
    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &parts);
    char line[LINE_BYTES_MAX];
    size_t size = strftime(line, sizeof(line), "%Y-%m-%d %H:%M:%S", &parts);
    size += (size_t)snprintf(line + size, sizeof(line) - size, ".%03d %-5s ",
        (int)(now.tv_nsec / 1000000), names[level]);

    va_list arguments;
    va_start(arguments, format);
    int text = vsnprintf(line + size, TEXT_BYTES_MAX, format, arguments);
    va_end(arguments);
    size_t begin = size;
    if (text > 0)
        size += (size_t)text < TEXT_BYTES_MAX ? (size_t)text : TEXT_BYTES_MAX - 1;
    for (size_t i = begin; i < size; i++)
        if ((unsigned char)line[i] < ' ' || line[i] == 127)
            line[i] = '.';
    line[size++] = '\n';
    // A log that cannot be written has nowhere to say so.
    ssize_t written = write(STDERR_FILENO, line, size);
    (void)written;
}
