// The minimiser: tries one smaller plan after the other, and keeps each that still fails.
//
// In this order, again and again until nothing gives: whole classes of fault, the liveness phase,
// clients, keys, nodes and operations (halved, then one less), the end of the safety phase
// (bisected), single actions (halves of the list, then quarters, down to one: delta debugging,
// Zeller and Hildebrandt 2002). "Fails" means any broken promise: the smaller run may break another
// one than the first did, which is as good a bug.
//
//   MI1 The edit that is kept always fails: it was run.
//   MI2 What is kept fails about as soon as the shortest so far: a story is read event by event.
//   MI3 Pure: what a run is, and whether it fails, is the caller's business.
#include "sim/minimise.h"

// True if the run fails about as soon as the shortest so far; any change of a plan moves the rest a
// little.
static bool soon(const struct sim_minimiser *m, const struct sim_shape *shape)
{
    return m->tries == 1 || shape->events <= m->events_least + m->events_least / 8 + 20;
}

// Runs the smaller edit; keeps it if it still fails.
static bool keep(struct sim_minimiser *m, struct sim_edit *edit, const struct sim_edit *smaller)
{
    struct sim_shape shape;
    if (m->tries >= m->tries_max)
        return false;
    m->tries++;
    if (!m->fails(m->host, smaller, &shape) || !soon(m, &shape))
        return false;
    m->events_least = m->tries == 1 ? shape.events : GR_MIN(m->events_least, shape.events);
    *edit = *smaller;
    m->shape = shape;
    return true;
}

static bool drop_classes(struct sim_minimiser *m, struct sim_edit *edit)
{
    bool any = false;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++) {
        struct sim_edit smaller = *edit;
        smaller.without |= 1u << fault;
        if (m->shape.on >> fault & 1)
            any |= keep(m, edit, &smaller);
    }
    return any;
}

// Brings one number down: to the half as often as it goes, then by one.
static bool lower(
    struct sim_minimiser *m, struct sim_edit *edit, size_t offset, const int *now, int least)
{
    bool any = false;
    for (int step = 2; step >= 1;) {
        struct sim_edit smaller = *edit;
        int to = step == 2 ? *now / 2 : *now - 1;
        *(int *)((char *)&smaller + offset) = to;
        if (to >= least && to < *now && keep(m, edit, &smaller))
            any = true;
        else
            step--;
    }
    return any;
}

static bool shorten(struct sim_minimiser *m, struct sim_edit *edit)
{
    bool any = false;
    int64_t passes = 0, fails = m->shape.until_ms; // the failing end, and one that is too early
    while (fails - passes > 50) {
        struct sim_edit smaller = *edit;
        smaller.until_ms = passes + (fails - passes) / 2;
        if (keep(m, edit, &smaller)) {
            fails = smaller.until_ms;
            any = true;
        } else {
            passes = smaller.until_ms;
        }
    }
    return any;
}

// The actions of the failing run, as one list.
static int list_actions(const struct sim_shape *shape, int *ret_list)
{
    int count = 0;
    for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
        for (int number = 0; number < SIM_ACTIONS_OF_CLASS_MAX; number++)
            if (shape->action[fault] >> number & 1)
                ret_list[count++] = fault * SIM_ACTIONS_OF_CLASS_MAX + number;
    return count;
}

static bool drop_actions(struct sim_minimiser *m, struct sim_edit *edit)
{
    int list[SIM_ACTIONS_MAX];
    bool any = false;
    for (int chunk = GR_MAX(list_actions(&m->shape, list), 1); chunk >= 1; chunk /= 2) {
        int count = list_actions(&m->shape, list);
        for (int from = 0; from < count;) {
            struct sim_edit smaller = *edit;
            smaller.some = true;
            for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
                smaller.only[fault] = m->shape.action[fault];
            for (int i = from; i < GR_MIN(from + chunk, count); i++)
                smaller.only[list[i] / SIM_ACTIONS_OF_CLASS_MAX] &=
                    ~(1u << list[i] % SIM_ACTIONS_OF_CLASS_MAX);
            if (keep(m, edit, &smaller)) {
                any = true;
                count = list_actions(&m->shape, list);
            } else {
                from += chunk;
            }
        }
    }
    return any;
}

bool sim_minimise(struct sim_minimiser *m, struct sim_edit *edit)
{
    m->tries = 0;
    struct sim_edit start = *edit;
    if (!keep(m, edit, &start))
        return false;
    bool any = true;
    while (any) {
        any = false;
        if (m->shape.liveness) {
            struct sim_edit smaller = *edit;
            smaller.no_liveness = true;
            any |= keep(m, edit, &smaller);
        }
        any |= drop_classes(m, edit);
        any |= drop_actions(m, edit);
        any |= shorten(m, edit);
        any |= lower(m, edit, offsetof(struct sim_edit, clients), &m->shape.clients, 1);
        any |= lower(m, edit, offsetof(struct sim_edit, keys), &m->shape.keys, 1);
        any |= lower(m, edit, offsetof(struct sim_edit, nodes), &m->shape.nodes, 3);
        any |= lower(m, edit, offsetof(struct sim_edit, ops), &m->shape.ops, 1);
    }
    return true;
}
