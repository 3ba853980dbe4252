// Timers as a binary heap; see timers.h.
#include "base/timers.h"

static bool sooner(const struct gr_timer *a, const struct gr_timer *b)
{
    return a->at.ns < b->at.ns || (a->at.ns == b->at.ns && a->order < b->order);
}

static void place(struct gr_timers *timers, uint32_t at, struct gr_timer *timer)
{
    timers->heap[at] = timer;
    timer->place = at;
}

static void sift_up(struct gr_timers *timers, uint32_t at, struct gr_timer *timer)
{
    while (at > 1 && sooner(timer, timers->heap[at / 2])) {
        place(timers, at, timers->heap[at / 2]);
        at /= 2;
    }
    place(timers, at, timer);
}

static void sift_down(struct gr_timers *timers, uint32_t at, struct gr_timer *timer)
{
    for (;;) {
        uint32_t child = at * 2;
        if (child > timers->count)
            break;
        if (child < timers->count && sooner(timers->heap[child + 1], timers->heap[child]))
            child++;
        if (!sooner(timers->heap[child], timer))
            break;
        place(timers, at, timers->heap[child]);
        at = child;
    }
    place(timers, at, timer);
}

void gr_timers_deinit(struct gr_timers *timers)
{
    gr_hook_memory(timers->heap, 0);
    *timers = (struct gr_timers){0};
}

void gr_timer_set(struct gr_timers *timers, struct gr_timer *timer, struct gr_instant at)
{
    gr_timer_stop(timers, timer);
    if (timers->count + 2 > timers->capacity) {
        timers->capacity = GR_MAX(timers->capacity * 2, 64);
        timers->heap = gr_hook_memory(timers->heap, timers->capacity * sizeof(struct gr_timer *));
    }
    timer->at = at;
    timer->order = ++timers->order;
    sift_up(timers, ++timers->count, timer);
}

void gr_timer_stop(struct gr_timers *timers, struct gr_timer *timer)
{
    uint32_t at = timer->place;
    if (at == 0)
        return;
    gr_assert(at <= timers->count && timers->heap[at] == timer);
    struct gr_timer *last = timers->heap[timers->count--];
    timer->place = 0;
    if (last == timer)
        return;
    if (at > 1 && sooner(last, timers->heap[at / 2]))
        sift_up(timers, at, last);
    else
        sift_down(timers, at, last);
}

struct gr_instant gr_timers_next(const struct gr_timers *timers)
{
    return timers->count == 0 ? GR_NEVER : timers->heap[1]->at;
}

struct gr_timer *gr_timers_take(struct gr_timers *timers, struct gr_instant now)
{
    if (timers->count == 0 || !gr_instant_reached(now, timers->heap[1]->at))
        return NULL;
    struct gr_timer *timer = timers->heap[1];
    gr_timer_stop(timers, timer);
    return timer;
}
