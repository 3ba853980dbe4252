// Replays what the model's replicas did, event by event, on src/core/clock and src/core/record.
//
// record_schedules.py writes the trace and says what each line means. This program keeps its own
// replicas: a clock and what is stored of each key. They see the same events; after each, the state
// that came out is written in the trace's own words and compared with the model's, word for word.
//
// Every event computes in an arena of its own, freed before the next; what outlives the event is a
// copy in the arena of the run, so a result that kept hold of its inputs is caught by ASan.
//
//     replay < trace          prints how much was replayed, or the first line that differs; 0 or 1
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/record.h"

enum { MEMBERS_MAX = 64, KEYS_MAX = 8, MESSAGES_MAX = 4096, TEXT_MAX = 1 << 20 };

// ---- the replicas --------------------------------------------------------------------------

// What a replica has on its disk. The records are never changed, only replaced, so that a copy of
// this struct with a copied clock is a copy of the disk.
struct disk {
    struct gr_clock clock;
    struct gr_record stored[KEYS_MAX];
};

struct member {
    bool alive, fallback;
    struct disk disk, synced;
};

struct message {
    uint32_t key;
    struct gr_record record;
    struct gr_dot *dot; // what it names beside the record's own
    uint32_t dot_count;
};

static struct {
    struct member member[MEMBERS_MAX];
    struct message message[MESSAGES_MAX];
    uint32_t message_count;
    struct gr_arena arena; // as long as the run
    uint64_t seed, line, runs, events;
} run;

static struct gr_arena step; // as long as the event
static struct gr_writer text;

_Noreturn static void fail(const char *what, const char *detail)
{
    printf("run %" PRIu64 ", line %" PRIu64 ": %s %s\n", run.seed, run.line, what, detail);
    exit(1);
}

static void free_disk(struct disk *disk)
{
    gr_clock_deinit(&disk->clock);
    *disk = (struct disk){0};
}

static void copy_disk(struct disk *to, const struct disk *from)
{
    free_disk(to);
    memcpy(to->stored, from->stored, sizeof to->stored);
    gr_clock_join(&to->clock, &from->clock);
}

static void forget_all(void)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        free_disk(&run.member[i].disk);
        free_disk(&run.member[i].synced);
        run.member[i] = (struct member){0};
    }
    run.message_count = 0;
    gr_arena_deinit(&run.arena);
}

// ---- reading words -------------------------------------------------------------------------

static char *rest; // of the line

static char *word(void)
{
    if (rest == NULL)
        fail("malformed:", "a word is missing");
    return strsep(&rest, " ");
}

static uint64_t number_of(const char **at)
{
    if (**at < '0' || **at > '9')
        fail("malformed: a number is missing before", *at);
    char *end;
    uint64_t number = strtoull(*at, &end, 10);
    *at = end;
    return number;
}

static bool skip(const char **at, char c)
{
    bool is = **at == c;
    *at += is;
    return is;
}

static void expect(const char **at, char c)
{
    if (**at != c)
        fail("malformed:", *at);
    ++*at;
}

static uint64_t word_number(void)
{
    const char *at = word();
    uint64_t number = number_of(&at);
    expect(&at, 0);
    return number;
}

static struct member *word_member(void)
{
    uint64_t number = word_number();
    if (number >= MEMBERS_MAX || !run.member[number].alive)
        fail("malformed:", "no such replica");
    return &run.member[number];
}

static uint32_t word_key(void)
{
    const char *at = word();
    expect(&at, 'k');
    uint64_t key = number_of(&at);
    expect(&at, 0);
    if (key >= KEYS_MAX)
        fail("malformed:", "too many keys");
    return (uint32_t)key;
}

// The name, of at most 8 letters, is the store's id, so actors sort as their names do.
static struct gr_dot read_dot(const char **at)
{
    struct gr_dot dot = {0};
    uint32_t shift = 64;
    for (; **at > '.'; ++*at) {
        if (shift == 0)
            fail("malformed: a long name:", *at);
        shift -= 8;
        dot.actor.store |= (uint64_t)(uint8_t) * *at << shift;
    }
    expect(at, '.');
    uint64_t epoch = number_of(at);
    dot.actor.run = (epoch + 1) << 32 | (0x9e3779b9 * (epoch + 1) & UINT32_MAX);
    expect(at, ':');
    dot.counter = number_of(at);
    return dot;
}

static uint32_t commas(const char *at)
{
    uint32_t count = 0;
    for (; *at != 0; at++)
        count += *at == ',';
    return count;
}

// Dots with commas between, up to `end` or the end of the word; into the event's arena.
static struct gr_dot *read_dots(const char **at, char end, uint32_t *ret_count)
{
    uint32_t count = 0, count_max = commas(*at) + 1;
    struct gr_dot *dot = gr_arena_array(&step, struct gr_dot, count_max);
    if (**at == '-')
        ++*at;
    else if (**at != end)
        do
            dot[count++] = read_dot(at);
        while (count < count_max && skip(at, ','));
    *ret_count = count;
    return dot;
}

// Taken as it stands, without normalising: the model's words are in normal form.
static struct gr_context read_context(const char **at)
{
    struct gr_context context = {0};
    context.vv = read_dots(at, '|', &context.vv_count);
    expect(at, '|');
    context.cloud = read_dots(at, 0, &context.cloud_count);
    expect(at, 0);
    return context;
}

static struct gr_context word_context(void)
{
    const char *at = word();
    return read_context(&at);
}

static struct gr_bytes read_value(const char **at)
{
    const char *from = *at;
    number_of(at);
    return gr_bytes(from, (size_t)(*at - from));
}

static struct gr_record word_record(void)
{
    const char *at = word();
    uint32_t count_max = commas(at) + 1;
    struct gr_sibling *sibling = gr_arena_array(&step, struct gr_sibling, count_max);
    struct gr_record record = {.sibling = sibling};
    if (*at != '|')
        do {
            struct gr_dot dot = read_dot(&at);
            expect(&at, '=');
            sibling[record.count++] = (struct gr_sibling){.dot = dot, .value = read_value(&at)};
        } while (record.count < count_max && skip(&at, ','));
    expect(&at, '|');
    record.context = read_context(&at);
    return record;
}

// ---- writing words -------------------------------------------------------------------------

static void put_text(const char *format, uint64_t number)
{
    char out[64];
    int size = snprintf(out, sizeof out, format, number);
    gr_write_bytes(&text, gr_bytes(out, (size_t)size));
}

static void put_actor(struct gr_actor actor)
{
    for (uint32_t shift = 64; shift > 0 && (actor.store >> (shift - 8) & 255) != 0; shift -= 8)
        gr_write_u8(&text, (uint8_t)(actor.store >> (shift - 8)));
    put_text(".%" PRIu64 ":", (actor.run >> 32) - 1);
}

static void put_dots(const struct gr_dot *dot, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i > 0)
            gr_write_u8(&text, ',');
        put_actor(dot[i].actor);
        put_text("%" PRIu64, dot[i].counter);
    }
}

static void put_context(const struct gr_context *context)
{
    put_dots(context->vv, context->vv_count);
    gr_write_u8(&text, '|');
    put_dots(context->cloud, context->cloud_count);
}

static void put_record(const struct gr_record *record)
{
    for (uint32_t i = 0; i < record->count; i++) {
        if (i > 0)
            gr_write_u8(&text, ',');
        put_dots(&record->sibling[i].dot, 1);
        gr_write_u8(&text, '=');
        gr_write_bytes(&text, record->sibling[i].value);
    }
    gr_write_u8(&text, '|');
    put_context(&record->context);
}

static void put_stored(const struct gr_record *stored)
{
    if (gr_record_empty(stored))
        gr_write_bytes(&text, gr_bytes_text("none"));
    else
        put_record(stored);
}

static void put_clock(const struct gr_clock *clock)
{
    for (uint32_t i = 0; i < clock->count; i++) {
        if (i > 0)
            gr_write_u8(&text, ',');
        put_actor(clock->row[i].actor);
        put_text("%" PRIu64, clock->row[i].base);
        for (uint32_t k = 0; k < clock->row[i].interval_count; k++) {
            put_text("+%" PRIu64, clock->row[i].interval[k].first);
            put_text("-%" PRIu64, clock->row[i].interval[k].last);
        }
    }
    if (clock->count == 0)
        gr_write_u8(&text, '-');
}

// What was written since the last check must be what stands next on the line: one word or, with
// `all`, the rest of it.
static void check_text(const char *what, bool all)
{
    gr_write_u8(&text, 0);
    gr_assert(!text.bad);
    const char *model = all ? rest : word();
    if (model == NULL || strcmp(model, (const char *)text.data) != 0) {
        printf("run %" PRIu64 ", line %" PRIu64 ": %s\n    model: %s\n    C:     %s\n", run.seed,
            run.line, what, model == NULL ? "" : model, (const char *)text.data);
        exit(1);
    }
    if (all)
        rest = NULL;
    gr_writer_clear(&text);
}

static void check_record(const char *what, const struct gr_record *record)
{
    put_record(record);
    check_text(what, false);
}

static void check_context(const char *what, const struct gr_context *context)
{
    put_context(context);
    check_text(what, false);
}

static void check_bool(const char *what, bool answer)
{
    gr_write_u8(&text, answer ? '1' : '0');
    check_text(what, false);
}

static void check_clock(const struct member *member)
{
    put_clock(&member->disk.clock);
    check_text("the clock", false);
}

static void check_whole(const struct member *member)
{
    put_clock(&member->disk.clock);
    for (uint32_t key = 0; key < KEYS_MAX; key++)
        if (!gr_record_empty(&member->disk.stored[key])) {
            put_text(" k%" PRIu64 " ", key);
            put_record(&member->disk.stored[key]);
        }
    check_text("the whole state", true);
}

// ---- what replicas do ----------------------------------------------------------------------

static struct gr_record fill(const struct member *member, uint32_t key)
{
    if (member->fallback)
        return member->disk.stored[key];
    return gr_record_fill(&step, &member->disk.stored[key], &member->disk.clock);
}

// An empty record is no record: the zeroed struct.
static void write_record(struct member *member, uint32_t key, const struct gr_record *filled)
{
    struct gr_record stripped = gr_record_strip(&step, filled, &member->disk.clock);
    member->disk.stored[key] = gr_record_empty(&stripped)
                                   ? GR_RECORD_NOTHING
                                   : gr_record_copy(&run.arena, &stripped, false);
}

static struct message *new_message(void)
{
    if (word_number() != run.message_count || run.message_count == MESSAGES_MAX)
        fail("malformed:", "messages are numbered from 0");
    struct message *message = &run.message[run.message_count++];
    *message = (struct message){0};
    return message;
}

static const struct message *word_message(void)
{
    uint64_t number = word_number();
    if (number >= run.message_count)
        fail("malformed:", "no such message");
    return &run.message[number];
}

static void keep_message(
    struct message *message, const struct gr_record *record, const struct gr_dot *dot, uint32_t n)
{
    message->record = gr_record_copy(&run.arena, record, false);
    message->dot_count = n;
    message->dot = gr_arena_array(&run.arena, struct gr_dot, n);
    if (n > 0)
        memcpy(message->dot, dot, n * sizeof *dot);
}

// ---- the events ----------------------------------------------------------------------------

static void do_run(void)
{
    forget_all();
    run.seed = word_number();
    run.runs++;
}

static void new_member(bool fallback)
{
    uint64_t number = word_number();
    if (number >= MEMBERS_MAX || run.member[number].alive)
        fail("malformed:", "a replica's number");
    run.member[number].alive = true;
    run.member[number].fallback = fallback;
}

static void do_primary(void)
{
    new_member(false);
}

static void do_fallback(void)
{
    new_member(true);
}

static void do_sync(void)
{
    struct member *member = word_member();
    copy_disk(&member->synced, &member->disk);
}

static void do_lose(void)
{
    free_disk(&word_member()->synced);
}

static void do_crash(void)
{
    struct member *member = word_member();
    copy_disk(&member->disk, &member->synced);
    check_whole(member);
}

static void do_put(void)
{
    struct message *message = new_message();
    message->key = word_key();
    struct gr_context context = word_context();
    const char *value = word(), *at = word();
    struct gr_dot dot = read_dot(&at);
    expect(&at, 0);
    struct gr_sibling sibling = {.dot = dot, .value = gr_bytes_text(value)};
    struct gr_context mine = gr_context_make(&step, NULL, 0, &dot, 1);
    struct gr_record delta = {.context = gr_context_join(&step, &context, &mine)};
    if (value[0] != '-') {
        delta.sibling = &sibling;
        delta.count = 1;
    }
    check_record("the delta of a put", &delta);
    keep_message(message, &delta, &dot, 1);
}

static void do_state(void)
{
    struct message *message = new_message();
    const struct member *member = word_member();
    message->key = word_key();
    struct gr_record filled = fill(member, message->key);
    check_record("the state sent", &filled);
    keep_message(message, &filled, NULL, 0);
}

static void do_message(void)
{
    struct message *message = new_message();
    message->key = word_key();
    struct gr_record record = word_record();
    const char *at = word();
    uint32_t count;
    struct gr_dot *dot = read_dots(&at, 0, &count);
    expect(&at, 0);
    keep_message(message, &record, dot, count);
}

static void do_receive(void)
{
    struct member *member = word_member();
    const struct message *message = word_message();
    const struct gr_record *record = &message->record;
    struct gr_clock *clock = &member->disk.clock;
    struct gr_record filled = fill(member, message->key);
    struct gr_record merged = gr_record_merge(&step, &filled, record);
    for (uint32_t i = 0; i < record->count; i++) {
        bool seen = gr_clock_has(clock, &record->sibling[i].dot);
        if (gr_clock_add(clock, &record->sibling[i].dot) == seen)
            fail("a dot was added", "that was there, or none that was not");
    }
    for (uint32_t i = 0; i < record->context.cloud_count; i++)
        gr_clock_add(clock, &record->context.cloud[i]);
    for (uint32_t i = 0; i < message->dot_count; i++)
        gr_clock_add(clock, &message->dot[i]);
    write_record(member, message->key, &merged);
    check_clock(member);
    put_stored(&member->disk.stored[message->key]);
    check_text("the record stored", false);
}

static void do_hint(void)
{
    struct member *member = word_member();
    const struct message *message = word_message();
    struct gr_record kept = member->disk.stored[message->key];
    struct gr_record merged = gr_record_merge(&step, &kept, &message->record);
    check_record("the hint kept", &merged);
    member->disk.stored[message->key] = gr_record_copy(&run.arena, &merged, false);
}

static void do_forget(void)
{
    struct member *member = word_member();
    member->disk.stored[word_key()] = GR_RECORD_NOTHING;
}

static void read_clock(const char *at, struct gr_clock *clock)
{
    if (*at == '-')
        return;
    do {
        struct gr_dot base = read_dot(&at);
        if (base.counter > 0)
            gr_clock_add_interval(clock, base.actor, (struct gr_interval){1, base.counter});
        while (*at == '+') {
            at++;
            struct gr_interval interval = {.first = number_of(&at)};
            expect(&at, '-');
            interval.last = number_of(&at);
            if (run.runs % 2 == 0)
                gr_clock_add_interval(clock, base.actor, interval);
            else // from the far end, dot by dot: the same row
                for (uint64_t n = interval.last; n >= interval.first; n--)
                    gr_clock_add(clock, &(struct gr_dot){base.actor, n});
        }
    } while (skip(&at, ','));
    expect(&at, 0);
}

static void do_join(void)
{
    struct member *member = word_member();
    struct gr_clock other = {0}, both = {0};
    read_clock(word(), &other);
    gr_clock_join(&both, &other);
    gr_clock_join(&both, &member->disk.clock);
    gr_clock_join(&member->disk.clock, &other);
    if (!gr_clock_equal(&both, &member->disk.clock))
        fail("join", "depends on which clock is the first");
    gr_clock_deinit(&both);
    gr_clock_deinit(&other);
    for (uint32_t key = 0; key < KEYS_MAX; key++)
        if (!gr_record_empty(&member->disk.stored[key]))
            write_record(member, key, &member->disk.stored[key]);
    check_whole(member);
}

static void do_fill(void)
{
    const struct member *member = word_member();
    struct gr_record filled = fill(member, word_key());
    check_record("the record filled", &filled);
}

static void do_read(void)
{
    uint32_t key = word_key();
    char *model = word();
    struct gr_record answer = GR_RECORD_NOTHING;
    while (rest != NULL) {
        struct gr_record filled = fill(word_member(), key);
        answer = gr_record_merge(&step, &answer, &filled);
    }
    rest = model;
    check_record("the answer to a read", &answer);
}

static void do_has(void)
{
    const struct member *member = word_member();
    const char *at = word();
    struct gr_dot dot = read_dot(&at);
    expect(&at, 0);
    check_bool("has", gr_clock_has(&member->disk.clock, &dot));
}

static void do_context(void)
{
    const char *at = word();
    uint32_t vv_count, cloud_count;
    struct gr_dot *vv = read_dots(&at, 0, &vv_count);
    expect(&at, 0);
    at = word();
    struct gr_dot *cloud = read_dots(&at, 0, &cloud_count);
    expect(&at, 0);
    struct gr_context context = gr_context_make(&step, vv, vv_count, cloud, cloud_count);
    check_context("normal form", &context);
}

static void do_joined(void)
{
    struct gr_context a = word_context(), b = word_context();
    struct gr_context both = gr_context_join(&step, &a, &b);
    check_context("the join of contexts", &both);
}

static void do_covers(void)
{
    struct gr_context context = word_context();
    const char *at = word();
    uint32_t count;
    struct gr_dot *dot = read_dots(&at, 0, &count);
    expect(&at, 0);
    for (uint32_t i = 0; i < count; i++)
        gr_write_u8(&text, gr_context_covers(&context, &dot[i]) ? '1' : '0');
    if (count == 0)
        gr_write_u8(&text, '-');
    check_text("covers", false);
}

static void do_includes(void)
{
    struct gr_context a = word_context(), b = word_context();
    check_bool("includes", gr_context_includes(&a, &b));
}

static void do_merged(void)
{
    struct gr_record a = word_record(), b = word_record();
    struct gr_record ab = gr_record_merge(&step, &a, &b), ba = gr_record_merge(&step, &b, &a);
    if (!gr_record_equal(&ab, &ba))
        fail("merge", "depends on which record is the first");
    check_record("the merge of records", &ab);
}

// ---- main ----------------------------------------------------------------------------------

static const struct {
    const char *name;
    void (*replay)(void);
} events[] = {{"run", do_run}, {"primary", do_primary}, {"fallback", do_fallback},
    {"sync", do_sync}, {"lose", do_lose}, {"crash", do_crash}, {"put", do_put}, {"state", do_state},
    {"message", do_message}, {"receive", do_receive}, {"hint", do_hint}, {"forget", do_forget},
    {"join", do_join}, {"fill", do_fill}, {"read", do_read}, {"has", do_has},
    {"context", do_context}, {"joined", do_joined}, {"covers", do_covers},
    {"includes", do_includes}, {"merged", do_merged}};

static void replay_line(char *line)
{
    rest = line;
    const char *name = word();
    size_t i = 0;
    while (i < GR_COUNT(events) && strcmp(name, events[i].name) != 0)
        i++;
    if (i == GR_COUNT(events))
        fail("malformed: no such event:", name);
    events[i].replay();
    if (rest != NULL)
        fail("malformed: words left over:", rest);
    run.events++;
    gr_arena_deinit(&step);
}

int main(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    bool ended = false;
    gr_writer_init(&text, TEXT_MAX);
    while (!ended && (size = getline(&line, &capacity, stdin)) > 0) {
        run.line++;
        if (line[size - 1] != '\n')
            fail("malformed:", "a line was cut");
        line[size - 1] = 0;
        ended = strncmp(line, "end ", 4) == 0;
        if (!ended)
            replay_line(line);
        else if (strtoull(line + 4, NULL, 10) != run.runs)
            fail("malformed:", "runs are missing");
    }
    if (!ended)
        fail("malformed:", "the trace was cut");
    forget_all();
    free(line);
    gr_writer_deinit(&text);
    printf("%" PRIu64 " runs, %" PRIu64 " events: the same\n", run.runs, run.events);
    return 0;
}
