// The log: one line per event on stderr: time, level, what.
//
//     2026-01-31 12:00:00.123 info  peer n2: link is up
//
// Levels, from few to many: error (this node cannot do its work), warn (something is wrong, and it
// goes on), info (what an operator wants to have seen), debug.
#ifndef GR_SHELL_LOG_H
#define GR_SHELL_LOG_H

// NOTHING is for tests: no line is of that level.
enum gr_log_level { GR_LOG_NOTHING = -1, GR_LOG_ERROR, GR_LOG_WARN, GR_LOG_INFO, GR_LOG_DEBUG };

// Lines above this level are not written. The beginning is GR_LOG_INFO.
void gr_log_level(enum gr_log_level level);
// "error", "warn", "info" or "debug"; any other word is info.
enum gr_log_level gr_log_level_named(const char *name);
// One line, cut at 2000 bytes; control characters are shown as dots, so what a peer or a client
// sent cannot forge a line. From any thread.
void gr_log(enum gr_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
