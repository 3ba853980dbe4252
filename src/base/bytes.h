// Bounded reading and writing of bytes: no function here can run past an end.
//
// A reader that meets its end, or a writer that meets its limit, turns `bad` and stays so: a caller
// reads or writes a whole structure and looks once. Integers are little-endian; "varint" is LEB128
// (7 bits a byte, at most 10 bytes). Big-endian forms exist for keys that must sort.
#ifndef GR_BASE_BYTES_H
#define GR_BASE_BYTES_H

#include "base/base.h"

struct gr_reader {
    const uint8_t *at, *end;
    bool bad; // something was asked for that is not there, or did not parse
};

struct gr_reader gr_reader_of(struct gr_bytes bytes);
size_t gr_reader_left(const struct gr_reader *reader);
// True when all was read and nothing was bad.
bool gr_reader_done(const struct gr_reader *reader);
// Marks the input as malformed.
void gr_reader_fail(struct gr_reader *reader);
// Each returns 0 (or empty bytes) once the reader is bad.
uint8_t gr_read_u8(struct gr_reader *reader);
uint16_t gr_read_u16(struct gr_reader *reader);
uint32_t gr_read_u32(struct gr_reader *reader);
uint64_t gr_read_u64(struct gr_reader *reader);
uint64_t gr_read_varint(struct gr_reader *reader);
uint16_t gr_read_u16_big(struct gr_reader *reader);
uint32_t gr_read_u32_big(struct gr_reader *reader);
uint64_t gr_read_u64_big(struct gr_reader *reader);
// A borrowed view of the next `size` bytes.
struct gr_bytes gr_read_bytes(struct gr_reader *reader, size_t size);
// A varint length, then that many bytes; bad when the length is over `size_max`.
struct gr_bytes gr_read_block(struct gr_reader *reader, size_t size_max);

// A growable buffer with a maximum. gr_writer_deinit frees; gr_writer_clear keeps the memory.
struct gr_writer {
    uint8_t *data;
    size_t size, capacity, size_max;
    bool bad; // a write was refused because it would have passed size_max
};

void gr_writer_init(struct gr_writer *writer, size_t size_max);
void gr_writer_deinit(struct gr_writer *writer);
void gr_writer_clear(struct gr_writer *writer);
struct gr_bytes gr_writer_bytes(const struct gr_writer *writer);
// Drops the first `size` bytes, moving the rest to the front.
void gr_writer_consume(struct gr_writer *writer, size_t size);
// Room for `size` more bytes, or NULL (and bad). The caller then adds to writer->size.
uint8_t *gr_writer_reserve(struct gr_writer *writer, size_t size);
void gr_write_u8(struct gr_writer *writer, uint8_t value);
void gr_write_u16(struct gr_writer *writer, uint16_t value);
void gr_write_u32(struct gr_writer *writer, uint32_t value);
void gr_write_u64(struct gr_writer *writer, uint64_t value);
void gr_write_varint(struct gr_writer *writer, uint64_t value);
void gr_write_u16_big(struct gr_writer *writer, uint16_t value);
void gr_write_u32_big(struct gr_writer *writer, uint32_t value);
void gr_write_u64_big(struct gr_writer *writer, uint64_t value);
void gr_write_bytes(struct gr_writer *writer, struct gr_bytes bytes);
void gr_write_block(struct gr_writer *writer, struct gr_bytes bytes);

#endif
