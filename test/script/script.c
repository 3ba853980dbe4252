// Golden scripts: events in, effects out.
//
//   script [--complete] FILE...    TAP: each script plays, and fails for each canary that it names;
//                                  --complete: every canary that a script can show is named
//   script --print FILE            the script with the effects that came: how a new one is written
//   script --canary NAME FILE      plays with one rule left out and tells where it differs
//
// A line "canaries early-ok no-dedupe" names the rules (core/canary.h) whose absence the script
// must notice: a script that passes whatever the node does shows nothing.
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "test/script/play.h"

enum { SCRIPT_BYTES_MAX = 1 << 20 };

static jmp_buf panicked;
static struct verdict verdict;
static size_t blocks;

void gr_hook_panic(const char *file, int line, const char *what)
{
    verdict.failed = true;
    snprintf(verdict.story, sizeof verdict.story, "assertion failed: %s:%d: %s", file, line, what);
    longjmp(panicked, 1);
}

void *gr_hook_memory(void *block, size_t bytes)
{
    blocks -= bytes == 0 && block != NULL;
    blocks += bytes > 0 && block == NULL;
    if (bytes == 0) {
        free(block);
        return NULL;
    }
    void *grown = realloc(block, bytes);
    if (grown == NULL)
        exit(1);
    return grown;
}

static char *read_file(const char *path)
{
    static char script[SCRIPT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    size_t size = fread(script, 1, sizeof script - 1, file);
    fclose(file);
    script[size] = 0;
    return script;
}

static bool passes(const char *name, const char *script, enum gr_canary canary, bool print)
{
    blocks = 0;
    if (setjmp(panicked) != 0)
        return false;
    play(name, script, canary, print, &verdict);
    if (blocks != 0 && !verdict.failed) {
        verdict.failed = true;
        snprintf(
            verdict.story, sizeof verdict.story, "%s: %zu blocks were not freed", name, blocks);
    }
    return !verdict.failed;
}

static enum gr_canary canary_of(const char *name)
{
    for (int c = 0; c < GR_CANARY_COUNT; c++)
        if (strcmp(gr_canary_name((enum gr_canary)c), name) == 0)
            return (enum gr_canary)c;
    fprintf(stderr, "script: there is no canary %s\n", name);
    exit(2);
}

static int count, failed;
static bool named[GR_CANARY_COUNT];

static void tell(bool ok, const char *name, const char *canary)
{
    printf("%s %d - %s%s%s\n", ok ? "ok" : "not ok", ++count, name,
        canary == NULL ? "" : " notices ", canary == NULL ? "" : canary);
    failed += !ok;
}

// The script as it should be, then once more without each rule that it names.
static void test(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *script = read_file(path);
    bool ok = passes(name, script, GR_CANARY_NONE, false);
    tell(ok, name, NULL);
    if (!ok)
        fprintf(stderr, "%s\n", verdict.story);
    static char line[TEXT_MAX];
    for (const char *at = script; play_next_line(&at, line);) {
        char *rest = NULL, *word = strtok_r(line, " ", &rest);
        if (word == NULL || strcmp(word, "canaries") != 0)
            continue;
        while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
            enum gr_canary canary = canary_of(word);
            named[canary] = true;
            tell(!passes(name, script, canary, false), name, word);
        }
    }
}

// All but those that only the simulator can notice: same-actor and clock-salvaged, which a host
// commits, and those of members, which are a machine of their own (sim/crowd.c).
static bool all_named(void)
{
    bool all = true;
    for (int c = GR_CANARY_NONE + 1; c < GR_CANARY_COUNT; c++) {
        // Who gives the node its actor, or its store, is the host.
        bool of_host = c == GR_CANARY_SAME_ACTOR || c == GR_CANARY_CLOCK_SALVAGED;
        bool of_members = c == GR_CANARY_UNCOMPARED || c == GR_CANARY_UNREFUTED ||
                          c == GR_CANARY_DOWN_UNCALLED || c == GR_CANARY_FORGET_A_BAN;
        if (!named[c] && !of_host && !of_members) {
            fprintf(stderr, "no script names %s\n", gr_canary_name((enum gr_canary)c));
            all = false;
        }
    }
    return all;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--print") == 0) {
        bool ok = passes(argv[2], read_file(argv[2]), GR_CANARY_NONE, true);
        if (!ok)
            fprintf(stderr, "%s\n", verdict.story);
        return !ok;
    }
    if (argc == 4 && strcmp(argv[1], "--canary") == 0) {
        bool ok = passes(argv[3], read_file(argv[3]), canary_of(argv[2]), false);
        printf("%s\n", ok ? "passed: the script does not notice" : verdict.story);
        return ok;
    }
    bool complete = argc > 1 && strcmp(argv[1], "--complete") == 0;
    if (argc < 2 + complete || argv[1 + complete][0] == '-') {
        fprintf(stderr, "usage: script [--complete] FILE... | --print FILE | --canary NAME FILE\n");
        return 2;
    }
    for (int i = 1 + complete; i < argc; i++)
        test(argv[i]);
    if (complete)
        tell(all_named(), "every canary is named", NULL);
    printf("1..%d\n", count);
    return failed != 0;
}
