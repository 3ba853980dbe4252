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
#include "core/get.h"
#include "core/entropy.h"

static void progress(struct gr_node *node, struct gr_get *get);

static uint8_t primaries(const struct gr_get *get)
{
    return gr_get_count(get, GR_GET_ANSWERED);
}

// ---- answering and repairing ---------------------------------------------------------------

static void explain(struct gr_node *node, struct gr_get *get, struct gr_result *result)
{
    const uint16_t *owner = get->list.voter;
    struct gr_replica_view *view =
        gr_arena_array(&node->scratch, struct gr_replica_view, get->list.n);
    for (uint8_t i = 0; i < get->list.n; i++) {
        enum gr_err err = get->state[i] == GR_GET_ANSWERED ? GR_OK
                          : get->state[i] == GR_GET_FAILED ? get->error[i]
                          : get->state[i] == GR_GET_ASKED  ? GR_ERR_TIMEOUT
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
        .acks = gr_get_answers(get),
        .primaries = primaries(get),
        .needed = GR_MAX(gr_need_total(&get->need), get->options.pr),
        .quorum = get->options.r,
        .reached = gr_quorum_by_site(get->options.r)
                       ? gr_need_reached(&get->need, gr_get_counted(get))
                       : gr_get_answers(get),
        .timeout = gr_call_waited(node, &get->call, get->options.timeout),
        .record = err == GR_OK ? get->merged : GR_RECORD_NOTHING,
        .now = node->wall,
    };
    if (get->options.explain)
        explain(node, get, &result);
    gr_done_tell(node, &get->call.done, &result, true);
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
        for (uint32_t s = 0; get->state[shows] == GR_GET_ANSWERED && s < held->count; s++) {
            const struct gr_dot *dot = &held->sibling[s].dot;
            if (gr_record_find(&get->merged, dot) != NULL)
                continue;
            for (uint8_t i = 0; i < get->list.n; i++)
                if (get->state[i] == GR_GET_ANSWERED &&
                    gr_context_covers(&get->record[i].context, dot) &&
                    gr_record_find(&get->record[i], dot) == NULL)
                    return i != position ? i : shows;
        }
    }
    return -1;
}

static void call_witness(
    struct gr_node *node, const struct gr_get *get, uint16_t witness, uint16_t member)
{
    struct gr_message message = {.type = GR_MSG_WITNESS,
        .id = get->call.id,
        .key = get->key,
        .member = node->ring->member[member].id};
    if (witness == node->config.self)
        gr_witness_call(node, &get->key, member);
    else
        (void)gr_node_send(node, witness, &message);
}

static void repair(struct gr_node *node, struct gr_get *get, uint8_t position)
{
    const uint16_t *owner = get->list.voter;
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
    op->hearsay = true;
    if (gr_replica_submit(node, op) == GR_OK)
        gr_probe(&node->probes, GR_PROBE_GET_REPAIRED);
}

static void merge_all(struct gr_node *node, struct gr_get *get)
{
    struct gr_record merged = GR_RECORD_NOTHING;
    for (uint8_t i = 0; i < get->list.n; i++) {
        if (get->state[i] == GR_GET_ANSWERED)
            merged = gr_record_merge(&node->scratch, &merged, &get->record[i]);
        if (get->stood_in >> i & 1)
            merged = gr_record_merge(&node->scratch, &merged, &get->hints[i]);
    }
    // Values stay where they are: in the copies of the replicas' states.
    get->merged = gr_record_borrow(&get->call.arena, &merged);
}

// Everyone asked has answered, or time is up: give to those who were behind what they lack (E3).
static void end(struct gr_node *node, struct gr_get *get)
{
    merge_all(node, get);
    bool bare = node->config.canary == GR_CANARY_REPAIR_BARE;
    for (uint8_t i = 0; i < get->list.n && !get->options.explain; i++) {
        if (get->state[i] != GR_GET_ANSWERED || (!gr_record_complete(&get->merged) && !bare))
            continue;
        if (bare && !gr_record_complete(&get->merged))
            get->merged = (struct gr_record){.context = get->merged.context};
        if (gr_record_lacks(&get->record[i], &get->merged) || (bare && get->merged.count == 0))
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
            if (get->state[i] != GR_GET_ANSWERED || get->failed_fetch[i] ||
                gr_record_find(&get->record[i], &get->merged.sibling[s].dot) == NULL)
                continue;
            get->fetching |= (uint8_t)(1u << i);
            get->failed_fetch[i] = true; // one question each
            gr_probe(&node->probes, GR_PROBE_GET_COMPLETED);
            if (gr_get_ask(node, get, i, false))
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
        if ((get->fetching >> i & 1) &&
            !gr_instant_reached(node->now, gr_get_hedge_at(node, get, i)))
            return true;
    return false;
}

// R have answered, but a value is missing: fetch it, from another one if the first is late.
static void progress_fetch(struct gr_node *node, struct gr_get *get)
{
    uint64_t id = get->call.id;
    if (!fetch_in_time(node, get) && !fetch_missing(node, get) && !gr_get_ask_next(node, get) &&
        get->fetching == 0 && gr_get_outstanding(get) == 0) {
        answer(node, get, GR_ERR_READ_QUORUM);
        gr_call_free(node, &get->call);
        return;
    }
    get = gr_call_find(node, GR_CALL_GET, id);
    if (get != NULL && !get->answered)
        gr_get_set_timer(node, get);
}

static void progress_explain(struct gr_node *node, struct gr_get *get)
{
    if (get->starting || gr_get_count(get, GR_GET_ASKED) > 0)
        return;
    answer(node, get, GR_OK);
    gr_call_free(node, &get->call);
}

static bool is_met(const struct gr_get *get)
{
    return gr_need_met(&get->need, gr_get_counted(get)) && primaries(get) >= get->options.pr;
}

// Owners that have answered, were asked, or can be.
static uint8_t owners_may_answer(const struct gr_node *node, const struct gr_get *get)
{
    const uint16_t *owner = get->list.voter;
    uint8_t count = 0;
    for (uint8_t i = 0; i < get->list.n; i++)
        count += get->state[i] == GR_GET_ANSWERED || get->state[i] == GR_GET_ASKED ||
                 (get->state[i] == GR_GET_UNASKED && gr_node_peer_up(node, owner[i]));
    return count;
}

// It will be met if everyone who was asked answers.
static bool may_be_met(const struct gr_get *get)
{
    uint8_t owners = primaries(get) + gr_get_count(get, GR_GET_ASKED);
    return gr_need_met(&get->need, gr_get_may_count(get)) && owners >= get->options.pr;
}

static void progress(struct gr_node *node, struct gr_get *get)
{
    uint64_t id = get->call.id;
    if (get->options.explain) {
        progress_explain(node, get);
        return;
    }
    if (get->answered) {
        if (gr_get_outstanding(get) == 0)
            end(node, get);
        return;
    }
    uint8_t answered = gr_get_answers(get);
    if (is_met(get) || (answered > 0 && node->config.canary == GR_CANARY_ONE_READ)) {
        merge_all(node, get);
        if (!gr_record_complete(&get->merged)) {
            progress_fetch(node, get);
            return;
        }
        answer(node, get, GR_OK);
        if (gr_get_outstanding(get) == 0)
            end(node, get);
        else {
            gr_call_late(node, &get->call);
            gr_get_set_timer(node, get);
        }
        return;
    }
    while (!may_be_met(get)) {
        bool owners = owners_may_answer(node, get) >= get->options.pr;
        if (!owners || !gr_get_ask_next(node, get)) {
            if (owners && gr_get_outstanding(get) > 0)
                break;
            answer(node, get, GR_ERR_READ_QUORUM);
            gr_call_free(node, &get->call);
            return;
        }
        get = gr_call_find(node, GR_CALL_GET, id);
        if (get == NULL)
            return;
    }
    gr_get_set_timer(node, get);
}

// A node that stands in for the owner of a position has answered, or cannot be asked any more.
static void on_substitute(struct gr_node *node, struct gr_get *get, uint16_t member,
    enum gr_err status, const struct gr_record *record)
{
    struct gr_get_substitute *substitute = gr_get_substitute(get, member);
    if (substitute == NULL)
        return;
    uint8_t i = substitute->position;
    substitute->open = false;
    substitute->spoke = status == GR_OK;
    if (member != node->config.self)
        gr_peer_answered(node, member, GR_ASK_READ, substitute->asked_at);
    bool near = gr_ring_same_site(node->ring, member, get->list.voter[i]);
    if (status == GR_OK && (!(get->stood_in >> i & 1) || (near && !(get->near >> i & 1)))) {
        gr_probe(&node->probes, GR_PROBE_GET_SUBSTITUTE);
        get->stood_in |= (uint8_t)(1u << i);
        get->near |= (uint8_t)(near << i);
        struct gr_record both = gr_record_merge(&node->scratch, &get->hints[i], record);
        get->hints[i] = gr_record_copy(&get->call.arena, &both, false);
        gr_call_account(node, &get->call);
    } else if (status != GR_OK && !get->answered) {
        (void)gr_get_ask_substitute(
            node, get); // the next of the walk, or whom another position waited for
    }
    progress(node, get);
}

void gr_get_on_state(struct gr_node *node, struct gr_call *call, uint16_t member,
    enum gr_err status, const struct gr_record *record)
{
    struct gr_get *get = (struct gr_get *)call;
    int position = gr_preference_voted(&get->list, member);
    if (position < 0) {
        on_substitute(node, get, member, status, record);
        return;
    }
    bool fetched = get->fetching >> position & 1;
    if (get->state[position] != GR_GET_ASKED && !fetched)
        return;
    if (member != node->config.self)
        gr_peer_answered(node, member, GR_ASK_READ, get->asked_at[position]);
    get->fetching &= (uint8_t) ~(1u << position);
    if (status == GR_OK) {
        get->state[position] = GR_GET_ANSWERED;
        get->record[position] = gr_record_copy(&call->arena, record, false);
        gr_call_account(node, call);
    } else if (!fetched) {
        get->state[position] = GR_GET_FAILED;
        get->error[position] = status;
        // If it was the one asked for the data, whoever is asked next brings them.
        get->asked_values = false;
    }
    progress(node, get);
}

void gr_get_on_link_down(struct gr_node *node, struct gr_call *call, uint16_t peer)
{
    struct gr_get *get = (struct gr_get *)call;
    int position = gr_preference_voted(&get->list, peer);
    if (position >= 0 && get->state[position] != GR_GET_ASKED && !(get->fetching >> position & 1))
        return;
    gr_get_on_state(node, call, peer, GR_ERR_UNREACHABLE, &GR_RECORD_NOTHING);
}

void gr_get_timer(struct gr_node *node, struct gr_call *call)
{
    struct gr_get *get = (struct gr_get *)call;
    uint64_t id = call->id;
    if (!gr_instant_reached(node->now, call->deadline)) {
        if (gr_get_late(node, get)) {
            gr_probe(&node->probes, GR_PROBE_GET_HEDGED);
            if (get->fetching != 0)
                progress(node, get);
            else
                (void)gr_get_ask_next(node, get);
            gr_hedge_spend(node);
        }
        get = gr_call_find(node, GR_CALL_GET, id);
        if (get != NULL && !get->answered)
            gr_get_set_timer(node, get);
        return;
    }
    const uint16_t *owner = get->list.voter;
    for (uint8_t i = 0; i < get->list.n; i++)
        if (get->state[i] == GR_GET_ASKED && owner[i] != node->config.self)
            gr_peer_sample(&node->peer[owner[i]], GR_ASK_READ,
                (struct gr_span){node->now.ns - get->asked_at[i].ns});
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
    uint8_t need = gr_quorum_by_site(options->r) ? options->pr : GR_MAX(options->r, options->pr);
    if (key->bucket.size == 0 || key->bucket.size > GR_BUCKET_BYTES_MAX)
        err = GR_ERR_LIMIT_BUCKET;
    else if (key->key.size == 0 || key->key.size > GR_KEY_BYTES_MAX)
        err = GR_ERR_LIMIT_KEY;
    else if (need > node->ring->n)
        err = GR_ERR_INVALID;
    else if (!gr_node_has_room(node, 0))
        err = GR_ERR_BUSY;
    if (err != GR_OK) {
        struct gr_result result = {
            .outcome = GR_REJECTED, .err = err, .needed = need, .now = node->wall};
        gr_done_tell(node, done, &result, true);
        return;
    }
    node->stats.gets++;
    struct gr_get *get = gr_call_new(node, GR_CALL_GET, sizeof *get, done, options->timeout);
    get->key = gr_key_copy(&get->call.arena, key);
    get->partition = gr_ring_partition(node->ring, key->slot);
    get->list = gr_holder_readers(node, get->partition);
    get->options = *options;
    get->need = gr_site_need(node->ring, &get->list, options->r, node->config.self);
    for (uint8_t i = 0; i < get->list.n; i++) {
        if (get->list.held >> i & 1)
            continue;
        get->state[i] = GR_GET_FAILED; // nobody holds it there
        get->error[i] = GR_ERR_LOADING;
    }
    uint64_t id = get->call.id;
    gr_call_account(node, &get->call);
    gr_timer_set(&node->timers, &get->call.timer, get->call.deadline);
    if (!options->explain) {
        progress(node, get);
        return;
    }
    get->starting = true;
    while (gr_get_ask_next(node, get))
        get = gr_call_find(node, GR_CALL_GET, id);
    get->starting = false;
    progress(node, get);
}
