// Bounded reading and writing of bytes; see bytes.h for the one rule (bad stays bad).
#include "base/bytes.h"

#include <string.h>

struct gr_bytes gr_bytes_text(const char *text)
{
    size_t size = 0;
    while (text[size] != 0)
        size++;
    return gr_bytes(text, size);
}

bool gr_bytes_equal(struct gr_bytes a, struct gr_bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

int gr_bytes_compare(struct gr_bytes a, struct gr_bytes b)
{
    size_t common = GR_MIN(a.size, b.size);
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

// ---- reader --------------------------------------------------------------------------------

struct gr_reader gr_reader_of(struct gr_bytes bytes)
{
    // Nothing may be read from NULL, but even NULL + 0 is undefined.
    static const uint8_t nothing[1];
    const uint8_t *at = bytes.data != NULL ? bytes.data : nothing;
    return (struct gr_reader){.at = at, .end = at + bytes.size};
}

size_t gr_reader_left(const struct gr_reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

bool gr_reader_done(const struct gr_reader *reader)
{
    return !reader->bad && reader->at == reader->end;
}

void gr_reader_fail(struct gr_reader *reader)
{
    reader->bad = true;
    reader->at = reader->end;
}

struct gr_bytes gr_read_bytes(struct gr_reader *reader, size_t size)
{
    if (reader->bad || size > gr_reader_left(reader)) {
        gr_reader_fail(reader);
        return gr_bytes(NULL, 0);
    }
    struct gr_bytes bytes = gr_bytes(reader->at, size);
    reader->at += size;
    return bytes;
}

static uint64_t read_little(struct gr_reader *reader, size_t size)
{
    struct gr_bytes bytes = gr_read_bytes(reader, size);
    uint64_t value = 0;
    for (size_t i = bytes.size; i > 0; i--)
        value = value << 8 | bytes.data[i - 1];
    return value;
}

static uint64_t read_big(struct gr_reader *reader, size_t size)
{
    struct gr_bytes bytes = gr_read_bytes(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < bytes.size; i++)
        value = value << 8 | bytes.data[i];
    return value;
}

uint8_t gr_read_u8(struct gr_reader *reader)
{
    return (uint8_t)read_little(reader, 1);
}

uint16_t gr_read_u16(struct gr_reader *reader)
{
    return (uint16_t)read_little(reader, 2);
}

uint32_t gr_read_u32(struct gr_reader *reader)
{
    return (uint32_t)read_little(reader, 4);
}

uint64_t gr_read_u64(struct gr_reader *reader)
{
    return read_little(reader, 8);
}

uint16_t gr_read_u16_big(struct gr_reader *reader)
{
    return (uint16_t)read_big(reader, 2);
}

uint32_t gr_read_u32_big(struct gr_reader *reader)
{
    return (uint32_t)read_big(reader, 4);
}

uint64_t gr_read_u64_big(struct gr_reader *reader)
{
    return read_big(reader, 8);
}

uint64_t gr_read_varint(struct gr_reader *reader)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = gr_read_u8(reader);
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return reader->bad ? 0 : value;
    }
    gr_reader_fail(reader);
    return 0;
}

struct gr_bytes gr_read_block(struct gr_reader *reader, size_t size_max)
{
    uint64_t size = gr_read_varint(reader);
    if (size > size_max) {
        gr_reader_fail(reader);
        return gr_bytes(NULL, 0);
    }
    return gr_read_bytes(reader, (size_t)size);
}

// ---- writer --------------------------------------------------------------------------------

void gr_writer_init(struct gr_writer *writer, size_t size_max)
{
    *writer = (struct gr_writer){.size_max = size_max};
}

void gr_writer_deinit(struct gr_writer *writer)
{
    gr_hook_memory(writer->data, 0);
    *writer = (struct gr_writer){.size_max = writer->size_max};
}

void gr_writer_clear(struct gr_writer *writer)
{
    writer->size = 0;
    writer->bad = false;
}

struct gr_bytes gr_writer_bytes(const struct gr_writer *writer)
{
    return gr_bytes(writer->data, writer->size);
}

void gr_writer_consume(struct gr_writer *writer, size_t size)
{
    gr_assert(size <= writer->size);
    writer->size -= size;
    if (size > 0 && writer->size > 0)
        memmove(writer->data, writer->data + size, writer->size);
}

uint8_t *gr_writer_reserve(struct gr_writer *writer, size_t size)
{
    if (writer->bad || size > writer->size_max - writer->size) {
        writer->bad = true;
        return NULL;
    }
    size_t need = writer->size + size;
    if (need > writer->capacity || writer->data == NULL) {
        size_t capacity = GR_MAX(writer->capacity * 2, 256);
        writer->capacity = GR_MAX(capacity, need);
        writer->data = gr_hook_memory(writer->data, writer->capacity);
    }
    return writer->data + writer->size;
}

static void write_little(struct gr_writer *writer, uint64_t value, size_t size)
{
    uint8_t *to = gr_writer_reserve(writer, size);
    if (to == NULL)
        return;
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * i));
    writer->size += size;
}

static void write_big(struct gr_writer *writer, uint64_t value, size_t size)
{
    uint8_t *to = gr_writer_reserve(writer, size);
    if (to == NULL)
        return;
    for (size_t i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    writer->size += size;
}

void gr_write_u8(struct gr_writer *writer, uint8_t value)
{
    write_little(writer, value, 1);
}

void gr_write_u16(struct gr_writer *writer, uint16_t value)
{
    write_little(writer, value, 2);
}

void gr_write_u32(struct gr_writer *writer, uint32_t value)
{
    write_little(writer, value, 4);
}

void gr_write_u64(struct gr_writer *writer, uint64_t value)
{
    write_little(writer, value, 8);
}

void gr_write_u16_big(struct gr_writer *writer, uint16_t value)
{
    write_big(writer, value, 2);
}

void gr_write_u32_big(struct gr_writer *writer, uint32_t value)
{
    write_big(writer, value, 4);
}

void gr_write_u64_big(struct gr_writer *writer, uint64_t value)
{
    write_big(writer, value, 8);
}

void gr_write_varint(struct gr_writer *writer, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        gr_write_u8(writer, (uint8_t)(value | 0x80));
    gr_write_u8(writer, (uint8_t)value);
}

void gr_write_bytes(struct gr_writer *writer, struct gr_bytes bytes)
{
    uint8_t *to = gr_writer_reserve(writer, bytes.size);
    if (to == NULL || bytes.size == 0)
        return;
    memcpy(to, bytes.data, bytes.size);
    writer->size += bytes.size;
}

void gr_write_block(struct gr_writer *writer, struct gr_bytes bytes)
{
    gr_write_varint(writer, bytes.size);
    gr_write_bytes(writer, bytes);
}
