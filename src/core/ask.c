// Whom a get asks, and whom next: owners first, then those who may stand in (§4.5, §4.6).
//
// Somebody who needs two signatures knocks at the nearest doors first, and at no more of them than
// he needs; where nobody opens he tries the next door, and only then the neighbour who took the
// parcel in.
//
//   AK1 A position is asked only if it counts toward R, or for PR; one that R lacks before others.
//   AK2 This node itself is asked before others, its own site before other sites, and the fast
//       before the slow.
//   AK3 Who stands in is asked for one position at a time, those at the position's site first
//       (SI4), and speaks for one at most (E1).
//
// Owns: nothing; the get is get.c's. Bounds: GR_GET_SUBSTITUTES_MAX nodes that may stand in.
#include "core/get.h"

uint8_t gr_get_count(const struct gr_get *get, uint8_t state)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += get->state[i] == state;
    return count;
}

// Its owner has answered, or a node that stands in for it.
static bool is_answered(const struct gr_get *get, uint8_t position)
{
    return get->state[position] == GR_GET_ANSWERED || get->stood_in >> position & 1;
}

uint8_t gr_get_answers(const struct gr_get *get)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += is_answered(get, i);
    return count;
}

// Positions whose answer counts toward R (Q4).
uint8_t gr_get_counted(const struct gr_get *get)
{
    unsigned positions = get->need.by_site ? get->near : get->stood_in;
    for (uint8_t i = 0; i < get->list.n; i++)
        positions |= (unsigned)(get->state[i] == GR_GET_ANSWERED) << i;
    return (uint8_t)positions;
}

// A node that stands in for the owner of the position was asked and may still answer.
static bool is_substituted(const struct gr_get *get, uint8_t position)
{
    for (int i = 0; i < get->substitute_count; i++)
        if (get->substitute[i].open && get->substitute[i].position == position)
            return true;
    return false;
}

// Positions from which an answer may still come.
uint8_t gr_get_outstanding(const struct gr_get *get)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += get->state[i] == GR_GET_ASKED || is_substituted(get, i);
    return count;
}

// ---- asking --------------------------------------------------------------------------------

// Sends the question; false if it certainly did not leave. May answer at once: the caller must not
// touch the get after a local question unless it finds it again.
bool gr_get_ask(struct gr_node *node, struct gr_get *get, uint8_t position, bool bare)
{
    uint16_t member = get->list.voter[position];
    get->asked_at[position] = node->now;
    if (member != node->config.self) {
        struct gr_message read = {
            .type = GR_MSG_READ,
            .id = get->call.id,
            .deadline_ms = gr_node_remaining_ms(node, get->call.deadline),
            .key = get->key,
            .bare = bare,
        };
        return gr_node_send(node, member, &read);
    }
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_READ, &get->key, 0);
    if (op == NULL)
        return false;
    op->call = get->call.id;
    op->bare = bare;
    return gr_replica_submit(node, op) == GR_OK;
}

// Positions that are worth a question: those that count toward R, and with PR any.
static uint8_t wanted(const struct gr_get *get)
{
    bool all = get->options.explain || get->options.pr > 0;
    return all ? (uint8_t)((1u << get->list.n) - 1) : gr_need_positions(&get->need);
}

// Positions that count toward R once everyone who was asked has answered. An asked one who stands
// in is taken for one at the position's site: those are asked first.
uint8_t gr_get_may_count(const struct gr_get *get)
{
    unsigned positions = gr_get_counted(get);
    for (uint8_t i = 0; i < get->list.n; i++)
        positions |= (unsigned)(get->state[i] == GR_GET_ASKED || is_substituted(get, i)) << i;
    return (uint8_t)positions;
}

// R would be nearer with it, if everyone who was asked answers.
static bool helps(const struct gr_get *get, uint8_t may, uint8_t position)
{
    uint8_t with = may | (uint8_t)(1u << position);
    return gr_need_reached(&get->need, with) > gr_need_reached(&get->need, may);
}

// The next position to ask: one that helps before one that does not, which is worth asking only
// where enough were asked and some are slow, or for PR; this node itself first, then its site, then
// the fastest that is up; -1 if none.
static int next_position(struct gr_node *node, const struct gr_get *get)
{
    const uint16_t *owner = get->list.voter;
    uint8_t may = gr_get_may_count(get), wants = wanted(get);
    bool any = gr_need_met(&get->need, may) || get->options.pr > 0 || get->options.explain;
    int best = -1;
    bool best_helps = false;
    for (int i = 0; i < get->list.n; i++) {
        bool self = owner[i] == node->config.self;
        if (get->state[i] != GR_GET_UNASKED || !(wants >> i & 1) ||
            (!self && !node->peer[owner[i]].up))
            continue;
        bool more = helps(get, may, (uint8_t)i);
        if (!more && !any)
            continue;
        bool nearer = best < 0 || self ||
                      (owner[best] != node->config.self &&
                          gr_site_nearer(node, GR_ASK_READ, owner[i], owner[best]));
        if (best < 0 || (more != best_helps ? more : nearer)) {
            best = i;
            best_helps = more;
        }
    }
    return best;
}

struct gr_instant gr_get_hedge_at(
    const struct gr_node *node, const struct gr_get *get, uint8_t position)
{
    return gr_hedge_at(node, get->list.voter[position], GR_ASK_READ, get->asked_at[position],
        get->call.deadline, true);
}

static struct gr_instant substitute_hedge_at(const struct gr_node *node, const struct gr_get *get,
    const struct gr_get_substitute *substitute)
{
    return gr_hedge_at(
        node, substitute->member, GR_ASK_READ, substitute->asked_at, get->call.deadline, true);
}

static bool is_late(const struct gr_node *node, const struct gr_get *get,
    const struct gr_get_substitute *substitute)
{
    return gr_instant_reached(node->now, substitute_hedge_at(node, get, substitute));
}

// True if the position's owner will not answer, or not soon, and someone else might.
static bool wants_substitute(struct gr_node *node, const struct gr_get *get, uint8_t i)
{
    if (get->options.explain || !(wanted(get) >> i & 1) || get->walk[i].ended ||
        is_answered(get, i) ||
        (get->state[i] == GR_GET_ASKED &&
            !gr_instant_reached(node->now, gr_get_hedge_at(node, get, i))))
        return false;
    for (int s = 0; s < get->substitute_count; s++)
        if (get->substitute[s].open && get->substitute[s].position == i &&
            !is_late(node, get, &get->substitute[s]))
            return false;
    return true;
}

struct gr_get_substitute *gr_get_substitute(struct gr_get *get, uint16_t member)
{
    for (int i = 0; i < get->substitute_count; i++)
        if (get->substitute[i].open && get->substitute[i].member == member)
            return &get->substitute[i];
    return NULL;
}

static bool has_spoken(const struct gr_get *get, uint16_t member)
{
    for (int i = 0; i < get->substitute_count; i++)
        if (get->substitute[i].spoke && get->substitute[i].member == member)
            return true;
    return false;
}

// Sends the question to one that may keep hints of this key for the owner.
static bool ask_one_for(struct gr_node *node, struct gr_get *get, uint64_t owner, uint16_t member)
{
    if (member == node->config.self)
        return gr_hint_read(node, owner, &get->key, get->call.id, false);
    struct gr_message read = {
        .type = GR_MSG_READ,
        .id = get->call.id,
        .deadline_ms = gr_node_remaining_ms(node, get->call.deadline),
        .key = get->key,
        .owed_to = owner,
    };
    return gr_node_send(node, member, &read);
}

// Asks the next of the walk for that position. False if nobody can be asked, or not yet: whoever is
// asked for another position answers that first, unless it is late.
static bool ask_for(struct gr_node *node, struct gr_get *get, uint8_t i)
{
    uint64_t owner = node->ring->member[get->list.member[i]].id;
    while (get->substitute_count < GR_GET_SUBSTITUTES_MAX) {
        struct gr_fallbacks walk = get->walk[i];
        int member = gr_site_next_fallback(node, get->partition, get->list.voter[i], &walk, true);
        if (member < 0)
            break;
        const struct gr_get_substitute *busy = gr_get_substitute(get, (uint16_t)member);
        if (busy != NULL && !is_late(node, get, busy))
            return false;
        get->walk[i] = walk;
        if (busy != NULL || has_spoken(get, (uint16_t)member) ||
            !ask_one_for(node, get, owner, (uint16_t)member))
            continue;
        get->substitute[get->substitute_count++] = (struct gr_get_substitute){
            .member = (uint16_t)member, .position = i, .open = true, .asked_at = node->now};
        return true;
    }
    get->walk[i].ended = true;
    return false;
}

bool gr_get_ask_substitute(struct gr_node *node, struct gr_get *get)
{
    for (uint8_t i = 0; i < get->list.n; i++)
        if (wants_substitute(node, get, i) && ask_for(node, get, i))
            return true;
    return false;
}

// Asks one more; false if nobody is left.
bool gr_get_ask_next(struct gr_node *node, struct gr_get *get)
{
    uint64_t id = get->call.id;
    for (;;) {
        int position = next_position(node, get);
        if (position < 0)
            return gr_get_ask_substitute(node, get);
        bool bare = get->asked_values || get->options.explain;
        get->state[position] = GR_GET_ASKED;
        get->asked_values = true;
        if (gr_get_ask(node, get, (uint8_t)position, bare))
            return true;
        get = gr_call_find(node, GR_CALL_GET, id);
        if (get == NULL)
            return true; // answered on the way
        get->state[position] = GR_GET_FAILED;
        get->error[position] = GR_ERR_BUSY;
        get->asked_values = bare && !get->options.explain;
    }
}

// Somebody who was asked is due for a hedge.
bool gr_get_late(const struct gr_node *node, const struct gr_get *get)
{
    for (uint8_t i = 0; i < get->list.n; i++)
        if ((get->state[i] == GR_GET_ASKED || (get->fetching >> i & 1)) &&
            gr_instant_reached(node->now, gr_get_hedge_at(node, get, i)))
            return true;
    for (int i = 0; i < get->substitute_count; i++)
        if (get->substitute[i].open && is_late(node, get, &get->substitute[i]))
            return true;
    return false;
}

// When the first of those asked is due for a hedge, or the deadline.
void gr_get_set_timer(struct gr_node *node, struct gr_get *get)
{
    struct gr_instant at = get->call.deadline;
    bool more = next_position(node, get) >= 0 || node->ring->member_count > get->list.n;
    for (uint8_t i = 0; i < get->list.n && !get->answered; i++) {
        if ((get->state[i] != GR_GET_ASKED || !more) && !(get->fetching >> i & 1))
            continue;
        struct gr_instant hedge = gr_get_hedge_at(node, get, i);
        if (hedge.ns > node->now.ns && hedge.ns < at.ns)
            at = hedge;
    }
    for (int i = 0; i < get->substitute_count && !get->answered; i++) {
        const struct gr_get_substitute *substitute = &get->substitute[i];
        struct gr_instant hedge = substitute_hedge_at(node, get, substitute);
        if (substitute->open && hedge.ns > node->now.ns && hedge.ns < at.ns)
            at = hedge;
    }
    gr_timer_set(&node->timers, &get->call.timer, at);
}
