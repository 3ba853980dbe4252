// A doubly linked list whose links live inside its members; first in, first out.
//
// Bounds are the owner's: `count` is kept so that "full" can be answered before anything is queued.
#ifndef GR_BASE_LIST_H
#define GR_BASE_LIST_H

#include "base/base.h"

struct gr_link {
    struct gr_link *before, *after; // NULL, NULL: in no list, or alone; see `in`
    bool in;
};

struct gr_list {
    struct gr_link *first, *last;
    uint32_t count;
};

static inline void gr_list_append(struct gr_list *list, struct gr_link *link)
{
    gr_assert(!link->in);
    *link = (struct gr_link){.before = list->last, .after = NULL, .in = true};
    if (list->last != NULL)
        list->last->after = link;
    else
        list->first = link;
    list->last = link;
    list->count++;
}

static inline void gr_list_remove(struct gr_list *list, struct gr_link *link)
{
    gr_assert(link->in && list->count > 0);
    if (link->before != NULL)
        link->before->after = link->after;
    else
        list->first = link->after;
    if (link->after != NULL)
        link->after->before = link->before;
    else
        list->last = link->before;
    *link = (struct gr_link){.in = false};
    list->count--;
}

// The first link, taken out, or NULL.
static inline struct gr_link *gr_list_take(struct gr_list *list)
{
    struct gr_link *link = list->first;
    if (link != NULL)
        gr_list_remove(list, link);
    return link;
}

#endif
