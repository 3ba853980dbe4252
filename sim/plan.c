// Plans: drawn from the seed, class by class, and edited.
//
//   PL1 The n-th number of a class depends on the seed, the class and n alone. So leaving out a
//       class, an action, a client or the end of a run leaves the rest of the plan as it was; what
//       then happens differs only where the one touched the other.
//   PL2 An action keeps its number whatever is left out.
#include "sim/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "core/message.h"

enum { UNTIL_MS_MIN = 3000, UNTIL_MS_MORE = 6000, LIVE_MS_MIN = 1500, LIVE_MS_MORE = 2500 };

static const struct {
    const char *name, *text;
    uint32_t per_mille;
} class_of[SIM_FAULT_COUNT] = {
#define X(symbol, name, per_mille, text) {name, text, per_mille},
    SIM_FAULTS(X)
#undef X
};

const char *sim_fault_name(enum sim_fault fault)
{
    return class_of[fault].name;
}

const char *sim_fault_text(enum sim_fault fault)
{
    return class_of[fault].text;
}

uint32_t sim_fault_per_mille(enum sim_fault fault)
{
    return class_of[fault].per_mille;
}

// ---- drawing -----------------------------------------------------------------------------------

uint64_t sim_draw(uint64_t seed, int stream, uint64_t place, uint64_t n)
{
    uint64_t words[3] = {(uint64_t)stream, place, n};
    return gr_hash64(gr_bytes(words, sizeof words), seed);
}

void sim_stream_init(struct gr_random *random, uint64_t seed, int stream, uint64_t place)
{
    gr_random_init(random, sim_draw(seed, stream, place, 0));
}

// Where nodes stand. What has sites has no slow network besides: a request would take too long.
static void draw_sites(struct sim_plan *plan, const struct sim_edit *edit, struct gr_random *random)
{
    static const uint32_t wide[] = {1000, 8000, 20000};
    bool asked = (edit->with & ~edit->without) >> SIM_SITE_CUT & 1;
    bool has = gr_random_chance(random, 400) || asked;
    uint64_t how = gr_random_next(random);
    plan->sites = !has ? 1 : 2 + (int)(how % 2);
    for (int n = 0; n < SIM_NODES_MAX; n++)
        plan->site[n] = (uint8_t)((how >> (8 + 4 * n)) % (uint64_t)plan->sites);
    if (!has)
        return;
    plan->wide_us = wide[how / 2 % 3];
    plan->delay_us_max = GR_MIN(plan->delay_us_max, 15000);
}

static void draw_cluster(struct sim_plan *plan, const struct sim_edit *edit)
{
    struct gr_random random;
    sim_stream_init(&random, plan->seed, SIM_STREAM_CLUSTER, 0);
    uint64_t small = gr_random_below(&random, 1000);
    plan->nodes = small < 150   ? 3
                  : small < 250 ? 4
                                : 5 + (int)gr_random_below(&random, SIM_NODES_MAX - 4);
    bool three = gr_random_chance(&random, 850);
    uint64_t n = gr_random_next(&random);
    plan->partitions = 8u << gr_random_below(&random, 4);
    static const uint32_t delays[] = {300, 2000, 15000, 60000};
    static const uint32_t syncs[] = {300, 3000, 20000, 120000};
    plan->delay_us_max = delays[gr_random_below(&random, 4)];
    plan->sync_us_max = syncs[gr_random_below(&random, 4)];
    if (gr_random_chance(&random, 400))
        plan->skew_ms_max = gr_random_chance(&random, 800) ? 2000 : 150000;
    plan->minutes = gr_random_chance(&random, 200);
    if (gr_random_chance(&random, 300))
        plan->crash_at = gr_random_chance(&random, 600)
                             ? GR_MSG_OFFER + (int)gr_random_below(&random, 4) // .. JOINED
                             : 1 + (int)gr_random_below(&random, GR_MSG_TYPE_COUNT - 1);
    plan->hasty = !plan->minutes && gr_random_chance(&random, 200);
    uint64_t dice = gr_random_below(&random, 100);
    plan->durability = dice < 60   ? GR_DURABILITY_COMMIT
                       : dice < 80 ? GR_DURABILITY_INTERVAL
                                   : GR_DURABILITY_BUFFERED;
    plan->slow = gr_random_chance(&random, 50);
    plan->silent_loss = gr_random_chance(&random, 100);
    plan->link_events = gr_random_chance(&random, 700);
    plan->small_queues = gr_random_chance(&random, 200);
    plan->until_ms = UNTIL_MS_MIN + (int64_t)gr_random_below(&random, UNTIL_MS_MORE);
    plan->live_ms = LIVE_MS_MIN + (int64_t)gr_random_below(&random, LIVE_MS_MORE);
    draw_sites(plan, edit, &random);
    if (edit->nodes > 0)
        plan->nodes = edit->nodes;
    plan->replicas = three ? 3 : 1 + (int)(n % (uint64_t)GR_MIN(plan->nodes, 5));
    plan->replicas = GR_MIN(plan->replicas, plan->nodes);
    if (edit->until_ms > 0)
        plan->until_ms = edit->until_ms;
    if (edit->no_liveness)
        plan->live_ms = 0;
}

static void draw_clients(struct sim_plan *plan, const struct sim_edit *edit)
{
    struct gr_random random;
    sim_stream_init(&random, plan->seed, SIM_STREAM_CLIENTS, 0);
    plan->clients = 2 + (int)gr_random_below(&random, SIM_CLIENTS_MAX - 1);
    plan->keys = 1 + (int)gr_random_below(&random, SIM_KEYS_MAX);
    plan->keys_together = gr_random_chance(&random, 700);
    plan->ops = edit->ops > 0 ? edit->ops : SIM_OPS_MAX - SIM_OPS_LIVE;
    if (edit->clients > 0)
        plan->clients = edit->clients;
    if (edit->keys > 0)
        plan->keys = edit->keys;
}

// How often a class strikes: messages and reads by rate; actions one after the other.
static void draw_class(
    struct sim_plan *plan, enum sim_fault fault, const struct sim_edit *edit, int64_t end_ms)
{
    static const uint32_t rate_max[SIM_FAULT_FIRST_ACTION] = {80, 100, 100, 15, 500, 30};
    struct gr_random random;
    sim_stream_init(&random, plan->seed, (int)fault, 0);
    bool on = gr_random_chance(&random, class_of[fault].per_mille) || (edit->with >> fault & 1);
    if (!on || (edit->without >> fault & 1))
        return;
    plan->on |= 1u << fault;
    uint64_t how = gr_random_next(&random);
    if (fault < SIM_FAULT_FIRST_ACTION) {
        plan->rate[fault] = 1 + (uint32_t)(how % rate_max[fault]);
        return;
    }
    if (fault == SIM_CLOCK_JUMP)
        plan->jump_max = how % 5 > 0 ? 5000 : 150000;
    // Disks die rarely: what is left must be able to mend before the next one does.
    bool disk = (fault >= SIM_DISK_LOSS && fault < SIM_MEMBERS) || fault == SIM_REMOVAL;
    if (fault == SIM_VERSIONS)
        plan->old = (uint32_t)(how >> 32);
    if (fault == SIM_MEMBERS) {
        plan->outside = (int)(how / 7 % (uint64_t)(plan->nodes - plan->replicas + 1));
        plan->blank = how / 100 % 4 == 0;
    }
    int64_t gap_ms = disk ? 4000 : 400 + (int64_t)(how % 2400), at = 100;
    for (int number = 0; number < SIM_ACTIONS_OF_CLASS_MAX; number++) {
        at += 1 + (int64_t)gr_random_below(&random, 2 * (uint64_t)gap_ms);
        struct sim_action action = {.fault = fault,
            .number = number,
            .at_ms = at,
            .lasts_ms = 1 + (int64_t)gr_random_below(&random, 900)};
        for (size_t i = 0; i < GR_COUNT(action.draw); i++)
            action.draw[i] = gr_random_next(&random);
        bool chosen = !edit->some || (edit->only[fault] >> number & 1);
        if (chosen && at < end_ms)
            plan->action[plan->action_count++] = action;
    }
}

static int by_time(const void *a, const void *b)
{
    const struct sim_action *x = a, *y = b;
    if (x->at_ms != y->at_ms)
        return x->at_ms < y->at_ms ? -1 : 1;
    return x->fault != y->fault ? (x->fault < y->fault ? -1 : 1) : x->number - y->number;
}

void sim_plan_draw(uint64_t seed, const struct sim_edit *edit, struct sim_plan *ret_plan)
{
    *ret_plan = (struct sim_plan){.seed = seed};
    draw_cluster(ret_plan, edit);
    draw_clients(ret_plan, edit);
    // What stays broken in the liveness phase goes on failing there.
    int64_t end_ms = ret_plan->until_ms + (ret_plan->live_ms > 0 ? 3000 + ret_plan->live_ms : 0);
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        draw_class(ret_plan, (enum sim_fault)fault, edit, end_ms);
    qsort(ret_plan->action, (size_t)ret_plan->action_count, sizeof ret_plan->action[0], by_time);
}

// ---- words -------------------------------------------------------------------------------------

// The class whose name is the first `size` characters of `name`, or SIM_FAULT_COUNT.
static int named(const char *name, size_t size)
{
    int fault = 0;
    while (fault < SIM_FAULT_COUNT &&
           (strlen(class_of[fault].name) != size || memcmp(class_of[fault].name, name, size) != 0))
        fault++;
    return fault;
}

bool sim_faults_parse(const char *list, uint32_t *ret_bits)
{
    uint32_t bits = 0;
    for (const char *at = list; *at != 0;) {
        size_t size = strcspn(at, ",");
        int fault = named(at, size);
        if (fault == SIM_FAULT_COUNT)
            return false;
        bits |= 1u << fault;
        at += size + (at[size] == ',');
    }
    *ret_bits = bits;
    return true;
}

bool sim_actions_parse(const char *list, uint32_t ret_only[SIM_FAULT_COUNT])
{
    memset(ret_only, 0, SIM_FAULT_COUNT * sizeof *ret_only);
    if (strcmp(list, "none") == 0)
        return true;
    for (const char *at = list; *at != 0;) {
        size_t size = strcspn(at, ".");
        int fault = named(at, size);
        if (fault == SIM_FAULT_COUNT || at[size] != '.')
            return false;
        char *end;
        unsigned long number = strtoul(at + size + 1, &end, 10);
        if (end == at + size + 1 || number >= SIM_ACTIONS_OF_CLASS_MAX || (*end && *end != ','))
            return false;
        ret_only[fault] |= 1u << number;
        at = end + (*end == ',');
    }
    return true;
}

struct words {
    char *text;
    size_t size, used;
    bool any; // of a list
};

static void say(struct words *words, const char *word)
{
    size_t room = words->size - words->used;
    int n = snprintf(words->text + words->used, room, "%s", word);
    words->used += n > 0 ? GR_MIN((size_t)n, room - 1) : 0;
}

static void say_number(struct words *words, const char *option, int64_t number)
{
    char text[64];
    snprintf(text, sizeof text, " %s %lld", option, (long long)number);
    if (number > 0)
        say(words, text);
}

static void say_item(struct words *words, const char *option, const char *item)
{
    if (!words->any)
        say(words, option);
    say(words, words->any ? "," : " ");
    say(words, item);
    words->any = true;
}

static void say_classes(struct words *words, const char *option, uint32_t bits)
{
    words->any = false;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        if (bits >> fault & 1)
            say_item(words, option, class_of[fault].name);
}

static void say_actions(struct words *words, const struct sim_edit *edit)
{
    words->any = false;
    for (int fault = SIM_FAULT_FIRST_ACTION; fault < SIM_FAULT_COUNT; fault++)
        for (int number = 0; number < SIM_ACTIONS_OF_CLASS_MAX; number++) {
            char item[64];
            snprintf(item, sizeof item, "%s.%d", class_of[fault].name, number);
            if (edit->only[fault] >> number & 1)
                say_item(words, " --actions", item);
        }
    if (!words->any)
        say(words, " --actions none");
}

void sim_edit_print(const struct sim_edit *edit, char *text, size_t size)
{
    gr_assert(size > 0);
    text[0] = 0;
    struct words words = {.text = text, .size = size};
    say_classes(&words, " --with", edit->with & ~edit->without);
    say_classes(&words, " --without", edit->without);
    say_number(&words, "--nodes", edit->nodes);
    say_number(&words, "--clients", edit->clients);
    say_number(&words, "--keys", edit->keys);
    say_number(&words, "--ops", edit->ops);
    say_number(&words, "--until-ms", edit->until_ms);
    if (edit->no_liveness)
        say(&words, " --no-liveness");
    if (edit->some)
        say_actions(&words, edit);
}
