// Small files that must be whole: read at once, written at once; and hexadecimal text.
#ifndef GR_SHELL_FILE_H
#define GR_SHELL_FILE_H

#include "base/base.h"
#include "base/error.h"

// The whole file; the caller frees it with gr_hook_memory(bytes, 0). Behind it, not counted, is a
// zero. On failure ret_why holds one sentence: GR_ERR_NOT_FOUND, GR_ERR_IO, GR_ERR_INVALID (over
// bytes_max).
GR_MUST_USE enum gr_err gr_file_read_bytes(const char *path, size_t bytes_max, uint8_t **ret_bytes,
    size_t *ret_size, char *ret_why, size_t why_size);
// The same as a text that ends with 0. GR_ERR_INVALID also means that there is a zero byte in it.
GR_MUST_USE enum gr_err gr_file_read(
    const char *path, size_t bytes_max, char **ret_text, char *ret_why, size_t why_size);
// Written beside as path.new with `mode`, synced, renamed, and the directory synced: after a power
// cut there is the old file or the new one, whole. On failure ret_why holds one sentence:
// GR_ERR_NOT_FOUND (the directory), GR_ERR_IO, GR_ERR_NO_SPACE.
GR_MUST_USE enum gr_err gr_file_write_bytes(
    const char *path, struct gr_bytes bytes, int mode, char *ret_why, size_t why_size);
GR_MUST_USE enum gr_err gr_file_write(
    const char *path, const char *text, int mode, char *ret_why, size_t why_size);

// Makes one directory, unless it is there, so that it outlives a power cut.
GR_MUST_USE enum gr_err gr_file_make_dir(
    const char *path, int mode, char *ret_why, size_t why_size);

// Cuts white space off both ends, in place.
char *gr_text_trim(char *text);
// True when the text is exactly 2 * size hexadecimal digits.
bool gr_text_parse_hex(const char *text, uint8_t *ret, size_t size);
// Writes 2 * size digits and an end.
void gr_text_format_hex(const uint8_t *bytes, size_t size, char *ret);
// A decimal number from least to most with nothing behind it.
bool gr_text_parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret);

#endif
