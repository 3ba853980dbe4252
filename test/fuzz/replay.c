// Runs a fuzz target without libFuzzer: over every file of its corpus, then over seeded mutations
// of them, so that `make test` notices a parser that has begun to break. Prints TAP.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_SIZE_MAX = 64 * 1024,
    INPUTS_MAX = 4096,
    MUTATIONS = 4000,
};

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t inputs_count;

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

// The target gets a block of exactly its size, so that the sanitizer sees a read past the end.
static void run_one(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void input_read(const char *path)
{
    static uint8_t buffer[INPUT_SIZE_MAX];
    FILE *file = fopen(path, "rb");
    if (!file || inputs_count == INPUTS_MAX) {
        printf("Bail out! cannot read %s\n", path);
        exit(1);
    }
    size_t size = fread(buffer, 1, sizeof(buffer), file);
    fclose(file);
    uint8_t *data = malloc(size > 0 ? size : 1);
    if (!data)
        abort();
    memcpy(data, buffer, size);
    inputs[inputs_count++] = (struct input){data, size};
}

static size_t mutate(uint8_t *data, uint64_t *state)
{
    const struct input *from = &inputs[random_next(state) % inputs_count];
    size_t size = from->size;
    memcpy(data, from->data, size);
    for (uint64_t left = 1 + random_next(state) % 4; left > 0; left--) {
        uint64_t draw = random_next(state);
        size_t at = size > 0 ? (draw >> 8) % size : 0;
        switch (draw % 4) {
        case 0: // another byte
            if (size > 0)
                data[at] = (uint8_t)(draw >> 40);
            break;
        case 1: // one bit
            if (size > 0)
                data[at] ^= (uint8_t)(1u << ((draw >> 40) % 8));
            break;
        case 2: // cut short
            size = at;
            break;
        default: // one byte more in the middle
            if (size < INPUT_SIZE_MAX) {
                memmove(data + at + 1, data + at, size - at);
                data[at] = (uint8_t)(draw >> 40);
                size++;
            }
            break;
        }
    }
    return size;
}

int main(int argc, char **argv)
{
    printf("1..2\n");
    fflush(stdout);
    DIR *dir = argc > 1 ? opendir(argv[1]) : NULL;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        input_read(path);
    }
    if (dir)
        closedir(dir);
    run_one((const uint8_t *)"", 0);
    for (size_t i = 0; i < inputs_count; i++)
        run_one(inputs[i].data, inputs[i].size);
    printf("ok 1 - %zu corpus inputs\n", inputs_count);
    fflush(stdout);

    if (inputs_count == 0)
        inputs[inputs_count++] = (struct input){calloc(1, 1), 0};
    static uint8_t data[INPUT_SIZE_MAX];
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < MUTATIONS; i++)
        run_one(data, mutate(data, &state));
    printf("ok 2 - %d mutations\n", MUTATIONS);
    for (size_t i = 0; i < inputs_count; i++)
        free(inputs[i].data);
    return 0;
}
