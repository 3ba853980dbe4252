// One get: ask R replicas, merge what they say, answer, then repair who was behind (§4.5, §4.6,
// §5).
//
// Dots name values, so only one replica is asked for the data and the others for dots and context;
// no digest is needed. If the merge shows a sibling whose value nobody brought, that value is
// fetched from a replica that has it before the client is answered.
//
// An owner that cannot be reached, or is late, may be spoken for by a node that keeps hints of this
// key for it: with the other owners down that is where the newest writes are.
//
//   E1  Each position of the preference list counts once, and only what it can read is said. A node
//       that stands in speaks for one position at most, only with hints in hand (H4), and never
//       counts toward PR; the owner's own answer, when it comes after all, does.
//   E2  The answer is the merge of at least R filled states; its values are complete.
//   E3  Read repair gives: it is sent only to a replica that lacks a sibling, never to ship absence
//       alone, and only when every value of the merge is at hand. If it would take away as well,
//       the replica that says "gone" is asked to look again, and to send it itself (witness.c).
//
//   start -> ASKING --R answered--> (COMPLETING -> ) answered -> late: repairs -> freed
//              | a replica is slow: ask one more     | all asked have answered, or the deadline
//              +-- deadline, or too few left: GR_ERR_READ_QUORUM
//
// Owns: states of replicas are copied into the call's arena.
#include "core/entropy.h"

enum position_state { UNASKED, ASKED, ANSWERED, FAILED };

enum { SUBSTITUTES_MAX = 32 };

struct substitute {
    uint16_t member;
    uint8_t position;
    bool open;  // it has not answered
    bool spoke; // it had hints: it votes once, and R answers are those of R nodes
    struct gr_instant asked_at;
};

struct gr_get {
    struct gr_call call;
    struct gr_key key;
    uint32_t partition;
    struct gr_preference list;
    struct gr_get_options options;
    bool starting; // explain: not all were asked yet
    bool answered;
    bool asked_values; // one replica was asked for the data
    uint8_t fetching;  // positions that are asked for missing values, a bit each
    uint8_t state[GR_REPLICAS_MAX];
    uint8_t failed_fetch[GR_REPLICAS_MAX];
    enum gr_err error[GR_REPLICAS_MAX];
    struct gr_instant asked_at[GR_REPLICAS_MAX];
    struct gr_record record[GR_REPLICAS_MAX];
    struct gr_record merged;
    // Those who stand in. A member is asked for one position at a time: its answer does not say
    // for which.
    struct substitute substitute[SUBSTITUTES_MAX];
    int substitute_count;
    int last_asked[GR_REPLICAS_MAX]; // where the walk over the healthy others is, -1: not begun
    bool walked[GR_REPLICAS_MAX];    // it has met all of them
    uint8_t stood_in;                // positions that such a node answered for, a bit each
    struct gr_record hints[GR_REPLICAS_MAX]; // what it said
};

static void progress(struct gr_node *node, struct gr_get *get);

static uint8_t count_state(const struct gr_get *get, uint8_t state)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += get->state[i] == state;
    return count;
}

static uint8_t primaries(const struct gr_get *get)
{
    return count_state(get, ANSWERED);
}

// Its owner has answered, or a node that stands in for it.
static bool is_answered(const struct gr_get *get, uint8_t position)
{
    return get->state[position] == ANSWERED || get->stood_in >> position & 1;
}

static uint8_t count_answered(const struct gr_get *get)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += is_answered(get, i);
    return count;
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
static uint8_t outstanding(const struct gr_get *get)
{
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += get->state[i] == ASKED || is_substituted(get, i);
    return count;
}

// ---- asking --------------------------------------------------------------------------------

// Sends the question; false if it certainly did not leave. May answer at once: the caller must not
// touch the get after a local question unless it finds it again.
static bool ask(struct gr_node *node, struct gr_get *get, uint8_t position, bool bare)
{
    uint16_t member = get->list.member[position];
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

// The next position to ask: this node itself first, then the fastest that is up; -1 if none.
static int next_position(struct gr_node *node, const struct gr_get *get)
{
    const uint16_t *owner = get->list.member;
    int best = -1;
    for (int i = 0; i < get->list.n; i++) {
        if (get->state[i] != UNASKED)
            continue;
        if (owner[i] == node->config.self)
            return i;
        if (!node->peer[owner[i]].up)
            continue;
        if (best < 0 || node->peer[owner[i]].hedge.ns < node->peer[owner[best]].hedge.ns)
            best = i;
    }
    return best;
}

static struct gr_instant hedge_at(
    const struct gr_node *node, const struct gr_get *get, uint8_t position)
{
    uint16_t member = get->list.member[position];
    return gr_instant_after(get->asked_at[position], node->peer[member].hedge);
}

static bool is_late(struct gr_node *node, const struct substitute *substitute)
{
    struct gr_span hedge = node->peer[substitute->member].hedge;
    return gr_instant_reached(node->now, gr_instant_after(substitute->asked_at, hedge));
}

// True if the position's owner will not answer, or not soon, and someone else might.
static bool wants_substitute(struct gr_node *node, const struct gr_get *get, uint8_t i)
{
    if (get->options.explain || get->walked[i] || is_answered(get, i) ||
        (get->state[i] == ASKED && !gr_instant_reached(node->now, hedge_at(node, get, i))))
        return false;
    for (int s = 0; s < get->substitute_count; s++)
        if (get->substitute[s].open && get->substitute[s].position == i &&
            !is_late(node, &get->substitute[s]))
            return false;
    return true;
}

static struct substitute *find_substitute(struct gr_get *get, uint16_t member)
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
static bool ask_one_for(struct gr_node *node, struct gr_get *get, uint16_t owner, uint16_t member)
{
    if (member == node->config.self)
        return gr_hint_read(node, owner, &get->key, get->call.id, false);
    struct gr_message read = {
        .type = GR_MSG_READ,
        .id = get->call.id,
        .deadline_ms = gr_node_remaining_ms(node, get->call.deadline),
        .key = get->key,
        .owed_to = (uint32_t)owner + 1,
    };
    return gr_node_send(node, member, &read);
}

// Asks the next of the walk for that position. False if nobody can be asked, or not yet: whoever is
// asked for another position answers that first, unless it is late.
static bool ask_for(struct gr_node *node, struct gr_get *get, uint8_t i)
{
    uint16_t owner = get->list.member[i];
    while (get->substitute_count < SUBSTITUTES_MAX) {
        int member = gr_node_next_fallback(node, get->partition, get->last_asked[i], true);
        if (member < 0)
            break;
        const struct substitute *busy = find_substitute(get, (uint16_t)member);
        if (busy != NULL && !is_late(node, busy))
            return false;
        get->last_asked[i] = member;
        if (busy != NULL || has_spoken(get, (uint16_t)member) ||
            !ask_one_for(node, get, owner, (uint16_t)member))
            continue;
        get->substitute[get->substitute_count++] = (struct substitute){
            .member = (uint16_t)member, .position = i, .open = true, .asked_at = node->now};
        return true;
    }
    get->walked[i] = true;
    return false;
}

static bool ask_substitute(struct gr_node *node, struct gr_get *get)
{
    for (uint8_t i = 0; i < get->list.n; i++)
        if (wants_substitute(node, get, i) && ask_for(node, get, i))
            return true;
    return false;
}

// Asks one more; false if nobody is left.
static bool ask_next(struct gr_node *node, struct gr_get *get)
{
    uint64_t id = get->call.id;
    for (;;) {
        int position = next_position(node, get);
        if (position < 0)
            return ask_substitute(node, get);
        bool bare = get->asked_values || get->options.explain;
        get->state[position] = ASKED;
        get->asked_values = true;
        if (ask(node, get, (uint8_t)position, bare))
            return true;
        get = gr_call_find(node, GR_CALL_GET, id);
        if (get == NULL)
            return true; // answered on the way
        get->state[position] = FAILED;
        get->error[position] = GR_ERR_BUSY;
        get->asked_values = bare && !get->options.explain;
    }
}

// When the first of those asked is due for a hedge, or the deadline.
static void set_timer(struct gr_node *node, struct gr_get *get)
{
    struct gr_instant at = get->call.deadline;
    bool more = next_position(node, get) >= 0 || node->ring->member_count > get->list.n;
    for (uint8_t i = 0; i < get->list.n && !get->answered; i++) {
        if ((get->state[i] != ASKED || !more) && !(get->fetching >> i & 1))
            continue;
        struct gr_instant hedge = hedge_at(node, get, i);
        if (hedge.ns > node->now.ns && hedge.ns < at.ns)
            at = hedge;
    }
    for (int i = 0; i < get->substitute_count && !get->answered; i++) {
        const struct substitute *substitute = &get->substitute[i];
        struct gr_instant hedge =
            gr_instant_after(substitute->asked_at, node->peer[substitute->member].hedge);
        if (substitute->open && hedge.ns > node->now.ns && hedge.ns < at.ns)
            at = hedge;
    }
    gr_timer_set(&node->timers, &get->call.timer, at);
}

// ---- answering and repairing ---------------------------------------------------------------

static void explain(struct gr_node *node, struct gr_get *get, struct gr_result *result)
{
    const uint16_t *owner = get->list.member;
    struct gr_replica_view *view =
        gr_arena_array(&node->scratch, struct gr_replica_view, get->list.n);
    for (uint8_t i = 0; i < get->list.n; i++) {
        enum gr_err err = get->state[i] == ANSWERED ? GR_OK
                          : get->state[i] == FAILED ? get->error[i]
                          : get->state[i] == ASKED  ? GR_ERR_TIMEOUT
                                                    : GR_ERR_UNREACHABLE;
        view[i] =
            (struct gr_replica_view){.member = owner[i], .err = err, .record = get->record[i]};
    }
    result->view = view;
    result->view_count = get->list.n;
}

static void answer(struct gr_node *node, struct gr_get *get, enum gr_err err)
{
    get->answered = true;
    if (err != GR_OK)
        gr_probe(&node->probes, GR_PROBE_GET_FAILED);
    else if (get->merged.count > 1)
        gr_probe(&node->probes, GR_PROBE_GET_SIBLINGS);
    struct gr_result result = {
        .outcome = err == GR_OK ? GR_DONE : GR_REJECTED,
        .err = err,
        .acks = count_answered(get),
        .primaries = primaries(get),
        .needed = GR_MAX(get->options.r, get->options.pr),
        .timeout = get->options.timeout,
        .record = err == GR_OK ? get->merged : GR_RECORD_NOTHING,
        .now = node->wall,
    };
    if (get->options.explain)
        explain(node, get, &result);
    gr_done_tell(node, &get->call.done, &result, true);
}

static bool lacks_sibling(const struct gr_record *replica, const struct gr_record *merged)
{
    for (uint32_t i = 0; i < merged->count; i++)
        if (gr_record_find(replica, &merged->sibling[i].dot) == NULL)
            return true;
    return false;
}

// Whoever is given the merge would lose, now or when it comes, what one of them shows and another
// says is gone. Then that other one is asked to send what it has itself; and if it is the one who
// lacks something, the one who shows it. -1: nobody.
static int witness_of(const struct gr_node *node, const struct gr_get *get, uint8_t position)
{
    if (node->config.exchange_interval.ns == 0)
        return -1; // no trees are kept
    for (uint8_t shows = 0; shows < get->list.n; shows++) {
        const struct gr_record *held = &get->record[shows];
        for (uint32_t s = 0; get->state[shows] == ANSWERED && s < held->count; s++) {
            const struct gr_dot *dot = &held->sibling[s].dot;
            if (gr_record_find(&get->merged, dot) != NULL)
                continue;
            for (uint8_t i = 0; i < get->list.n; i++)
                if (get->state[i] == ANSWERED && gr_context_covers(&get->record[i].context, dot) &&
                    gr_record_find(&get->record[i], dot) == NULL)
                    return i != position ? i : shows;
        }
    }
    return -1;
}

static void call_witness(
    struct gr_node *node, const struct gr_get *get, uint16_t witness, uint16_t member)
{
    struct gr_message message = {
        .type = GR_MSG_WITNESS, .id = get->call.id, .key = get->key, .index = member};
    if (witness == node->config.self)
        gr_witness_call(node, &get->key, member);
    else
        (void)gr_node_send(node, witness, &message);
}

static void repair(struct gr_node *node, struct gr_get *get, uint8_t position)
{
    const uint16_t *owner = get->list.member;
    uint16_t member = owner[position];
    int witness = witness_of(node, get, position);
    if (witness >= 0) {
        call_witness(node, get, owner[witness], member);
        return;
    }
    struct gr_message message = {
        .type = GR_MSG_REPAIR, .id = get->call.id, .key = get->key, .record = get->merged};
    if (member != node->config.self) {
        if (gr_node_send(node, member, &message))
            gr_probe(&node->probes, GR_PROBE_GET_REPAIRED);
        return;
    }
    struct gr_keyop *op = node->store != GR_OK ? NULL
                                               : gr_keyop_new(node, GR_KEYOP_REPAIR, &get->key,
                                                     gr_record_value_bytes(&get->merged));
    if (op == NULL)
        return;
    op->incoming = gr_record_copy(&op->arena, &get->merged, false);
    if (gr_replica_submit(node, op) == GR_OK)
        gr_probe(&node->probes, GR_PROBE_GET_REPAIRED);
}

static void merge_all(struct gr_node *node, struct gr_get *get)
{
    struct gr_record merged = GR_RECORD_NOTHING;
    for (uint8_t i = 0; i < get->list.n; i++) {
        if (get->state[i] == ANSWERED)
            merged = gr_record_merge(&node->scratch, &merged, &get->record[i]);
        if (get->stood_in >> i & 1)
            merged = gr_record_merge(&node->scratch, &merged, &get->hints[i]);
    }
    // Values stay where they are: in the copies of the replicas' states.
    get->merged = gr_record_borrow(&get->call.arena, &merged);
}

static bool complete(const struct gr_record *record)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (record->sibling[i].bare)
            return false;
    return true;
}

// Everyone asked has answered, or time is up: give to those who were behind what they lack (E3).
static void end(struct gr_node *node, struct gr_get *get)
{
    merge_all(node, get);
    bool bare = node->config.canary == GR_CANARY_REPAIR_BARE;
    for (uint8_t i = 0; i < get->list.n && !get->options.explain; i++) {
        if (get->state[i] != ANSWERED || (!complete(&get->merged) && !bare))
            continue;
        if (bare && !complete(&get->merged))
            get->merged = (struct gr_record){.context = get->merged.context};
        if (lacks_sibling(&get->record[i], &get->merged) || (bare && get->merged.count == 0))
            repair(node, get, i);
    }
    gr_call_free(node, &get->call);
}

// ---- progress ------------------------------------------------------------------------------

// Asks a replica that showed a sibling for its value. False if nobody who has it can be asked.
static bool fetch_missing(struct gr_node *node, struct gr_get *get)
{
    uint64_t id = get->call.id;
    for (uint32_t s = 0; s < get->merged.count; s++) {
        if (!get->merged.sibling[s].bare)
            continue;
        for (uint8_t i = 0; i < get->list.n; i++) {
            if (get->state[i] != ANSWERED || get->failed_fetch[i] ||
                gr_record_find(&get->record[i], &get->merged.sibling[s].dot) == NULL)
                continue;
            get->fetching |= (uint8_t)(1u << i);
            get->failed_fetch[i] = true; // one question each
            gr_probe(&node->probes, GR_PROBE_GET_COMPLETED);
            if (ask(node, get, i, false))
                return true;
            get = gr_call_find(node, GR_CALL_GET, id);
            if (get == NULL)
                return true;
            get->fetching &= (uint8_t) ~(1u << i);
        }
    }
    return false;
}

// True while someone who was asked for a value is not yet late with it.
static bool fetch_in_time(const struct gr_node *node, const struct gr_get *get)
{
    for (uint8_t i = 0; i < get->list.n; i++)
        if ((get->fetching >> i & 1) && !gr_instant_reached(node->now, hedge_at(node, get, i)))
            return true;
    return false;
}

// R have answered, but a value is missing: fetch it, from another one if the first is late.
static void progress_fetch(struct gr_node *node, struct gr_get *get)
{
    uint64_t id = get->call.id;
    if (!fetch_in_time(node, get) && !fetch_missing(node, get) && !ask_next(node, get) &&
        get->fetching == 0 && outstanding(get) == 0) {
        answer(node, get, GR_ERR_READ_QUORUM);
        gr_call_free(node, &get->call);
        return;
    }
    get = gr_call_find(node, GR_CALL_GET, id);
    if (get != NULL && !get->answered)
        set_timer(node, get);
}

static void progress_explain(struct gr_node *node, struct gr_get *get)
{
    if (get->starting || count_state(get, ASKED) > 0)
        return;
    answer(node, get, GR_OK);
    gr_call_free(node, &get->call);
}

static bool is_met(const struct gr_get *get)
{
    return count_answered(get) >= get->options.r && primaries(get) >= get->options.pr;
}

// Owners that have answered, were asked, or can be.
static uint8_t owners_may_answer(const struct gr_node *node, const struct gr_get *get)
{
    const uint16_t *owner = get->list.member;
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += get->state[i] == ANSWERED || get->state[i] == ASKED ||
                 (get->state[i] == UNASKED && gr_node_peer_up(node, owner[i]));
    return count;
}

// It will be met if everyone who was asked answers.
static bool may_be_met(const struct gr_get *get)
{
    uint8_t some = 0, owners = primaries(get);
    for (uint8_t i = 0; i < get->list.n; i++) {
        some += is_answered(get, i) || get->state[i] == ASKED || is_substituted(get, i);
        owners += get->state[i] == ASKED;
    }
    return some >= get->options.r && owners >= get->options.pr;
}

static void progress(struct gr_node *node, struct gr_get *get)
{
    uint64_t id = get->call.id;
    if (get->options.explain) {
        progress_explain(node, get);
        return;
    }
    if (get->answered) {
        if (outstanding(get) == 0)
            end(node, get);
        return;
    }
    uint8_t answered = count_answered(get);
    if (is_met(get) || (answered > 0 && node->config.canary == GR_CANARY_ONE_READ)) {
        merge_all(node, get);
        if (!complete(&get->merged)) {
            progress_fetch(node, get);
            return;
        }
        answer(node, get, GR_OK);
        if (outstanding(get) == 0)
            end(node, get);
        else {
            gr_call_late(node, &get->call);
            set_timer(node, get);
        }
        return;
    }
    while (!may_be_met(get)) {
        bool owners = owners_may_answer(node, get) >= get->options.pr;
        if (!owners || !ask_next(node, get)) {
            if (owners && outstanding(get) > 0)
                break;
            answer(node, get, GR_ERR_READ_QUORUM);
            gr_call_free(node, &get->call);
            return;
        }
        get = gr_call_find(node, GR_CALL_GET, id);
        if (get == NULL)
            return;
    }
    set_timer(node, get);
}

// A node that stands in for the owner of a position has answered, or cannot be asked any more.
static void on_substitute(struct gr_node *node, struct gr_get *get, uint16_t member,
    enum gr_err status, const struct gr_record *record)
{
    struct substitute *substitute = find_substitute(get, member);
    if (substitute == NULL)
        return;
    uint8_t i = substitute->position;
    substitute->open = false;
    substitute->spoke = status == GR_OK;
    if (member != node->config.self)
        gr_peer_sample(
            &node->peer[member], (struct gr_span){node->now.ns - substitute->asked_at.ns});
    if (status == GR_OK && !(get->stood_in >> i & 1)) {
        gr_probe(&node->probes, GR_PROBE_GET_SUBSTITUTE);
        get->stood_in |= (uint8_t)(1u << i);
        get->hints[i] = gr_record_copy(&get->call.arena, record, false);
        gr_call_account(node, &get->call);
    } else if (status != GR_OK && !get->answered) {
        (void)ask_substitute(
            node, get); // the next of the walk, or whom another position waited for
    }
    progress(node, get);
}

void gr_get_on_state(struct gr_node *node, struct gr_call *call, uint16_t member,
    enum gr_err status, const struct gr_record *record)
{
    struct gr_get *get = (struct gr_get *)call;
    int position = gr_preference_position(&get->list, member);
    if (position < 0) {
        on_substitute(node, get, member, status, record);
        return;
    }
    bool fetched = get->fetching >> position & 1;
    if (get->state[position] != ASKED && !fetched)
        return;
    if (member != node->config.self)
        gr_peer_sample(
            &node->peer[member], (struct gr_span){node->now.ns - get->asked_at[position].ns});
    get->fetching &= (uint8_t) ~(1u << position);
    if (status == GR_OK) {
        get->state[position] = ANSWERED;
        get->record[position] = gr_record_copy(&call->arena, record, false);
        gr_call_account(node, call);
    } else if (!fetched) {
        get->state[position] = FAILED;
        get->error[position] = status;
        // If it was the one asked for the data, whoever is asked next brings them.
        get->asked_values = false;
    }
    progress(node, get);
}

void gr_get_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    struct gr_get *get = (struct gr_get *)call;
    int position = gr_preference_position(&get->list, peer);
    if (position >= 0 && get->state[position] != ASKED && !(get->fetching >> position & 1))
        return;
    gr_get_on_state(node, call, peer, GR_ERR_UNREACHABLE, &GR_RECORD_NOTHING);
}

void gr_get_timer(struct gr_node *node, struct gr_call *call)
{
    struct gr_get *get = (struct gr_get *)call;
    uint64_t id = call->id;
    if (!gr_instant_reached(node->now, call->deadline)) {
        gr_probe(&node->probes, GR_PROBE_GET_HEDGED);
        if (get->fetching != 0)
            progress(node, get);
        else
            (void)ask_next(node, get);
        get = gr_call_find(node, GR_CALL_GET, id);
        if (get != NULL && !get->answered)
            set_timer(node, get);
        return;
    }
    const uint16_t *owner = get->list.member;
    for (uint8_t i = 0; i < get->list.n; i++)
        if (get->state[i] == ASKED && owner[i] != node->config.self)
            gr_peer_sample(
                &node->peer[owner[i]], (struct gr_span){node->now.ns - get->asked_at[i].ns});
    if (get->answered) {
        end(node, get);
        return;
    }
    answer(node, get, get->options.explain ? GR_OK : GR_ERR_READ_QUORUM);
    gr_call_free(node, call);
}

void gr_get_start(struct gr_node *node, const struct gr_done *done, const struct gr_key *key,
    const struct gr_get_options *options)
{
    enum gr_err err = GR_OK;
    uint8_t need = GR_MAX(options->r, options->pr);
    if (key->bucket.size == 0 || key->bucket.size > GR_BUCKET_BYTES_MAX)
        err = GR_ERR_LIMIT_BUCKET;
    else if (key->key.size == 0 || key->key.size > GR_KEY_BYTES_MAX)
        err = GR_ERR_LIMIT_KEY;
    else if (need > node->ring->n)
        err = GR_ERR_INVALID;
    else if (!gr_node_has_room(node, 0))
        err = GR_ERR_BUSY;
    if (err != GR_OK) {
        node->stats.busy += err == GR_ERR_BUSY;
        struct gr_result result = {.outcome = GR_REJECTED,
            .err = err,
            .needed = need,
            .timeout = options->timeout,
            .now = node->wall};
        gr_done_tell(node, done, &result, true);
        return;
    }
    node->stats.gets++;
    struct gr_get *get = gr_call_new(node, GR_CALL_GET, sizeof *get, done, options->timeout);
    get->key = gr_key_copy(&get->call.arena, key);
    get->partition = gr_ring_partition(node->ring, key->slot);
    get->list = gr_ring_preference(node->ring, get->partition);
    get->options = *options;
    for (uint8_t i = 0; i < get->list.n; i++)
        get->last_asked[i] = -1;
    uint64_t id = get->call.id;
    gr_call_account(node, &get->call);
    gr_timer_set(&node->timers, &get->call.timer, get->call.deadline);
    if (!options->explain) {
        progress(node, get);
        return;
    }
    get->starting = true;
    while (ask_next(node, get))
        get = gr_call_find(node, GR_CALL_GET, id);
    get->starting = false;
    progress(node, get);
}
