// The oracle: remembers the true causal past of every write, and checks the promises.
//
// It sees what no node sees: which dot was drawn for which request, and what that request had seen.
// From this it knows of any two writes whether one had seen the other. A context that a node shows
// is a claim: "the effect of every dot that I cover is here, or was replaced by something here".
// The claim is checked whenever a replica writes and whenever a client is answered.
//
//   O1  A covered write is shown, is a delete, is due, or was seen by another covered write.
//       (promise 2: what nobody had seen must not vanish)
//   O2  No shown write was seen by a covered or shown one.  (promises 3 and 4: no zombies, no false
//       siblings)
//   O3  A get with R + W > N, counting owners, covers every write acknowledged before it began.
//       (promise 2) Not of writes from before a disk lost what was durable: its vote is empty. Not
//       of writes that were acknowledged while its partition changed hands, until that is settled;
//       nor of one that, when a disk lost it, only nodes held that nobody takes for holders.
//   O4  A rejected write never draws a dot.  (promise 7)
//   O5  No dot is drawn twice, a request has one dot, and each dot one past, whoever runs it. No
//       request is coordinated twice by owners, and every request is answered at most once, by as
//       many as were asked for.
//   O6  Of nodes that stand in, only those that keep a hint of the key count toward R.
//   O7  What a disk held for certain when another lost it stays. Only a write that no disk held
//       durably at such a moment is excused.
//   O8  A write is told no more acknowledgements than nodes held it, and no more durable ones than
//       disks did.
//   O9  A node that calls a damaged partition whole has again what it lost, as far as disks that
//       held it then still do, and are those of owners and holders that it knows of.
//   O10 A write that is done with W=LOCAL or EACH is held by most of the owners at the site where
//   it
//       was asked for, or at each, or by nodes of that site that stand in for them. (sites.c)
//   O11 A get with R=LOCAL or EACH that only owners answered covers every write acknowledged before
//       it began that so many owners of one of its sites held that one of them must have answered.
//
// In the modes that do not wait for the disk (§6.1) a node that acknowledged may crash before its
// sync, and lose a write or a hint of it. Then O3 holds as far as those owners that held the write
// when it was acknowledged, and have not lost it since, still make W + R > N; and the end may miss
// it only if everyone who held it then has lost it so, and no disk ever had it.
#include <stdarg.h>
#include <stdio.h>

#include "sim/sim.h"

static bool set_has(const struct sim_set *set, int write)
{
    return set->word[write / 64] >> (write % 64) & 1;
}

static void set_add(struct sim_set *set, int write)
{
    set->word[write / 64] |= 1ull << (write % 64);
}

// Sets of a key with so many writes are nothing beyond so many words: no need to look there.
static int words_of(const struct sim_history *history)
{
    return (history->count + 63) / 64;
}

static void set_join(struct sim_set *set, const struct sim_set *other, int words)
{
    for (int i = 0; i < words; i++)
        set->word[i] |= other->word[i];
}

void sim_oracle_fail(struct sim_oracle *oracle, const char *format, ...)
{
    if (oracle->failed)
        return;
    oracle->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(oracle->story, sizeof oracle->story, format, args);
    va_end(args);
    sim_tell(oracle->sim, "FAILED %s", oracle->story);
}

int sim_oracle_begin(
    struct sim_oracle *oracle, enum sim_op_kind kind, int key, uint32_t partition, int r, int w)
{
    if (oracle->count >= sim_ops_max(oracle->sim))
        return -1;
    oracle->op[oracle->count] = (struct sim_op){
        .kind = kind,
        .key = key,
        .partition = partition,
        .removes = kind == SIM_DELETE || kind == SIM_DEL,
        .r = r,
        .w = w,
        .issued = sim_order(oracle->sim),
        .issued_ns = sim_now(oracle->sim).ns,
        .first_ring = sim_first_ring(oracle->sim),
    };
    return oracle->count++;
}

static bool covers(const struct gr_context *context, const struct sim_op *op)
{
    return op->dot.counter != 0 && gr_context_covers(context, &op->dot);
}

// The number of the key's write that drew the dot, or -1.
static int write_of(const struct sim_history *history, const struct gr_dot *dot)
{
    for (int i = 0; i < history->count; i++)
        if (history->write[i]->dot.counter == dot->counter &&
            gr_dot_equal(&history->write[i]->dot, dot))
            return i;
    return -1;
}

// How far a context's version vector goes for an actor.
static uint64_t base_of(const struct gr_context *context, struct gr_actor actor)
{
    uint32_t low = 0, high = context->vv_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = gr_actor_compare(context->vv[middle].actor, actor);
        if (order == 0)
            return context->vv[middle].counter;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}

// What a context of a key covers, and everything that those writes had seen.
static void covered_of(const struct sim_oracle *oracle, const struct sim_history *history,
    const struct gr_context *context, struct sim_set *ret_covered, struct sim_set *ret_past)
{
    *ret_covered = *ret_past = (struct sim_set){0};
    // Looked up once for each actor: this is what a run spends its time with.
    uint64_t base[SIM_ACTORS_MAX];
    bool known[SIM_ACTORS_MAX];
    for (int a = 0; a < oracle->actor_count; a++)
        known[a] = false;
    for (int i = 0; i < history->count; i++) {
        const struct sim_write *write = history->write[i];
        int a = write->actor;
        if (!known[a])
            base[a] = base_of(context, write->dot.actor);
        known[a] = true;
        if (write->dot.counter > base[a] &&
            (context->cloud_count == 0 || !gr_context_covers(context, &write->dot)))
            continue;
        set_add(ret_covered, i);
        set_join(ret_past, &write->past, words_of(history));
    }
}

// Who claims it: a replica, a get's answer, or all of them in the end.
struct claim {
    const char *where;
    const struct sim_op *get;
    bool final;
};

// A damaged replica forgets what its clock had seen, and keeps what stands beside a record: that a
// write was replaced, and not by which. So in such a run it is enough that some write replaced it.
static bool was_replaced(const struct sim_history *history, int number)
{
    for (int i = 0; i < history->count; i++)
        if (set_has(&history->write[i]->past, number))
            return true;
    return false;
}

// The one that replaced a write was held by a single node when that forgot what its clock had seen,
// and whatever `write` knows of it, it knows from there: nobody was left who had seen the two
// together.
static bool is_forgotten(const struct sim_oracle *oracle, const struct sim_history *history,
    const struct sim_write *write, int number)
{
    for (int i = 0; i < history->count; i++) {
        const struct sim_write *by = history->write[i];
        if (oracle->op[by->op].excused && set_has(&by->past, number) &&
            (by == write || set_has(&write->past, i)))
            return true;
    }
    return false;
}

// And that a shown write was replaced is known again, at the latest when all is quiet, if some disk
// holds the one that replaced it.
static bool is_outlived(
    const struct sim_oracle *oracle, const struct sim_history *history, int number)
{
    for (int i = 0; i < history->count; i++) {
        const struct sim_write *write = history->write[i];
        if (!set_has(&write->past, number) || is_forgotten(oracle, history, write, number))
            continue;
        for (int n = 0; n < sim_node_count(oracle->sim); n++)
            if (sim_holds(oracle->sim, n, &oracle->op[write->op], &write->dot))
                return true;
    }
    return false;
}

// A copy that has silently lost a record may say so, until it is found out, in a get (DESIGN.md §4,
// D6): that a write is gone which nothing replaced, or that what it replaced is all there is.
static bool may_be_wrong(const struct sim_oracle *oracle, const struct claim *claim, int key)
{
    return claim->get != NULL && sim_was_suspect(oracle->sim, key, claim->get->issued);
}

// What a write replaces that names no context is what its coordinator holds. Had that silently lost
// the record (D6), and with it what the lost value had replaced beyond its clock, the new write
// covers the lost one without covering what that had seen: whoever is given it shows that again,
// until the loss is found.
static bool is_blind(const struct sim_oracle *oracle, const struct sim_history *history,
    const struct sim_set *covered, const struct sim_set *shown)
{
    for (int i = 0; i < history->count; i++)
        if ((set_has(covered, i) || set_has(shown, i)) && oracle->op[history->write[i]->op].blind)
            return true;
    return false;
}

// A write that is covered and not shown, and that nothing replaced: a loss, unless it was due.
static void check_missing(
    struct sim_oracle *oracle, const struct claim *claim, int key, const struct sim_write *write)
{
    const struct sim_op *op = &oracle->op[write->op];
    int64_t latest = sim_wall(oracle->sim).ms + sim_skew_ms_max(oracle->sim);
    if (op->expires_ms != 0 && op->expires_ms <= latest)
        return;
    if (op->excused || may_be_wrong(oracle, claim, key))
        return;
    sim_oracle_fail(oracle,
        "%s: key %d claims to have seen write %d, does not show it, and nothing that it covers "
        "replaced it",
        claim->where, key, write->op);
}

// O1 and O2 of a filled record or an answer.
static void check_claim(
    struct sim_oracle *oracle, const struct claim *claim, int key, const struct gr_record *record)
{
    struct sim_set covered, past, shown = {0};
    const struct sim_history *history = &oracle->history[key];
    int words = words_of(history);
    covered_of(oracle, history, &record->context, &covered, &past);
    for (uint32_t i = 0; i < record->count; i++) {
        int write = write_of(history, &record->sibling[i].dot);
        if (write < 0) {
            sim_oracle_fail(oracle, "%s: key %d shows a dot that nobody drew", claim->where, key);
            return;
        }
        set_add(&shown, write);
        set_join(&past, &history->write[write]->past, words);
    }
    for (int word = 0; word < words; word++) {
        uint64_t missing = covered.word[word] & ~shown.word[word] & ~past.word[word] &
                           ~history->removes.word[word];
        uint64_t back = shown.word[word] & past.word[word];
        for (; missing != 0; missing &= missing - 1) {
            int number = word * 64 + __builtin_ctzll(missing);
            if (!oracle->damage || !was_replaced(history, number))
                check_missing(oracle, claim, key, history->write[number]);
        }
        for (; back != 0; back &= back - 1) {
            int number = word * 64 + __builtin_ctzll(back);
            bool excused = oracle->damage || may_be_wrong(oracle, claim, key) ||
                           is_blind(oracle, history, &covered, &shown);
            if (!excused || (claim->final && is_outlived(oracle, history, number)))
                sim_oracle_fail(oracle,
                    "%s: key %d shows write %d, which a write that it covers had seen",
                    claim->where, key, history->write[number]->op);
        }
    }
}

static bool is_read_where_run(enum sim_op_kind kind)
{
    return kind != SIM_PUT && kind != SIM_DELETE;
}

static int actor_of(struct sim_oracle *oracle, struct gr_actor actor)
{
    int a = 0;
    while (a < oracle->actor_count && gr_actor_compare(oracle->actor[a], actor) != 0)
        a++;
    gr_assert(a < SIM_ACTORS_MAX);
    oracle->actor_count = GR_MAX(oracle->actor_count, a + 1);
    oracle->actor[a] = actor;
    return a;
}

static bool set_equal(const struct sim_set *a, const struct sim_set *b, int words)
{
    for (int i = 0; i < words; i++)
        if (a->word[i] != b->word[i])
            return false;
    return true;
}

// One dot of operation `number`, with the past that it stands for.
static void enter(struct sim_oracle *oracle, int number, const struct gr_dot *dot,
    const struct sim_set *past, bool removes)
{
    struct sim_history *history = &oracle->history[oracle->op[number].key];
    for (int i = 0; i < oracle->write_count; i++) {
        const struct sim_write *other = &oracle->write[i];
        if (oracle->op[other->op].partition != oracle->op[number].partition ||
            !gr_dot_equal(&other->dot, dot))
            continue;
        if (other->op != number)
            sim_oracle_fail(oracle, "writes %d and %d have the same dot", other->op, number);
        else if (!set_equal(&other->past, past, words_of(history)))
            sim_oracle_fail(oracle, "two runs of write %d have one dot and two pasts", number);
        return;
    }
    if (history->count == SIM_WRITES_MAX || oracle->write_count == SIM_WRITES_MAX) {
        sim_oracle_fail(oracle, "write %d has drawn too many dots", number);
        return;
    }
    struct sim_write *write = &oracle->write[oracle->write_count++];
    *write = (struct sim_write){
        .op = number, .dot = *dot, .actor = actor_of(oracle, dot->actor), .past = *past};
    if (removes)
        set_add(&history->removes, history->count);
    history->write[history->count++] = write;
}

void sim_oracle_drawn(struct sim_oracle *oracle, int number, int node, const struct gr_dot *dot,
    const struct gr_dot *seal, const struct gr_context *context, bool by_owner)
{
    struct sim_op *op = &oracle->op[number];
    const struct sim_history *history = &oracle->history[op->key];
    if (op->replied && op->outcome == GR_REJECTED)
        sim_oracle_fail(oracle, "write %d was rejected, and drew a dot afterwards", number);
    if (by_owner && op->by_owner)
        sim_oracle_fail(oracle, "write %d was coordinated twice by owners", number);
    if (op->dot.counter != 0 && !gr_dot_equal(&op->dot, dot))
        sim_oracle_fail(oracle, "write %d has drawn two dots", number);
    op->by_owner |= by_owner;
    op->blind |= is_read_where_run(op->kind) && sim_is_suspect(oracle->sim, node, op->key);
    op->dot = *dot;
    struct sim_set covered, past;
    covered_of(oracle, history, context, &covered, &past);
    set_join(&past, &covered, words_of(history));
    enter(oracle, number, dot, seal != NULL ? &(struct sim_set){0} : &past, op->removes);
    if (seal != NULL)
        enter(oracle, number, seal, &past, true);
}

static void came(struct sim_op *op, int node, uint64_t number)
{
    unsigned bit = 1u << node;
    if (op->came & bit)
        return;
    op->held |= bit;
    op->came |= bit;
    op->came_at[node] = number;
}

static void holds(struct sim_op *op, int node, uint64_t number)
{
    unsigned bit = 1u << node;
    came(op, node, number);
    if (op->holds & bit)
        return;
    op->holds |= bit;
    op->held_at[node] = number;
}

// A node that keeps a hint holds the write as a replica does.
void sim_oracle_kept(
    struct sim_oracle *oracle, int node, int key, const struct gr_dot *dot, uint64_t number)
{
    oracle->keepers[key] |= 1u << node;
    int write = write_of(&oracle->history[key], dot);
    if (write >= 0)
        holds(&oracle->op[oracle->history[key].write[write]->op], node, number);
}

// How many of the owners that acknowledged can still be met by a reader.
static int kept_of(const struct sim_oracle *oracle, const struct sim_op *op)
{
    if (sim_durability(oracle->sim) == GR_DURABILITY_COMMIT)
        return op->primaries;
    unsigned holders = sim_holders(oracle->sim, op->partition);
    return GR_MIN(op->primaries, __builtin_popcount(op->keeps & holders));
}

// O3: whatever was acknowledged before the get began.
static void check_acknowledged(
    struct sim_oracle *oracle, int number, const struct gr_record *record)
{
    const struct sim_op *get = &oracle->op[number];
    bool calm = sim_was_calm(oracle->sim, get);
    if (sim_replicas(oracle->sim) == 1 && oracle->damage)
        return; // what the only copy lost may still be on its way from one who held it before
    for (int i = 0; i < oracle->count; i++) {
        const struct sim_op *op = &oracle->op[i];
        bool acknowledged =
            op->key == get->key && op->dot.counter != 0 && op->replied && op->outcome == GR_DONE &&
            op->ended < get->issued &&
            kept_of(oracle, op) + get->primaries > sim_n_most(oracle->sim, op->first_ring) &&
            op->issued >= oracle->lossy &&
            (calm || sim_is_met(oracle->sim, op->partition, op->issued, op->ended));
        if (acknowledged && !op->excused && !op->unmet && !covers(&record->context, op))
            sim_oracle_fail(oracle,
                "get %d (R=%d) of key %d does not cover write %d (W=%d), acknowledged before",
                number, get->r, get->key, i, op->w);
    }
}

// O8, and of the modes: in `buffered` one of the N has synced before it acknowledged.
static void check_acknowledgement(
    struct sim_oracle *oracle, int number, const struct gr_result *result)
{
    struct sim_op *op = &oracle->op[number];
    int held = __builtin_popcount(op->held), safe = __builtin_popcount(op->was_safe);
    op->keeps = op->holds;
    if (result->acks > held || result->durable > safe)
        sim_oracle_fail(oracle,
            "write %d was told %u acknowledgements, %u of them durable; %d nodes held it, %d of "
            "them for good",
            number, result->acks, result->durable, held, safe);
    int need = sim_durability(oracle->sim) == GR_DURABILITY_COMMIT ? op->w : op->dw;
    if (result->durable < need)
        sim_oracle_fail(oracle, "write %d is done with %u of %d durable acknowledgements", number,
            result->durable, need);
    if (sim_durability(oracle->sim) == GR_DURABILITY_BUFFERED && result->durable == 0 &&
        result->acks == sim_n_most(oracle->sim, op->first_ring))
        sim_oracle_fail(oracle, "all replicas acknowledged write %d, and none had synced", number);
}

void sim_oracle_result(struct sim_oracle *oracle, int number, const struct gr_result *result)
{
    struct sim_op *op = &oracle->op[number];
    if (op->replied)
        sim_oracle_fail(oracle, "request %d was answered twice", number);
    op->replied = true;
    op->outcome = result->outcome;
    op->ended = sim_order(oracle->sim);
    // What a node that stands in has, a get of owners need not meet. Where none can stand in, the
    // request's own R and W are what counts, whatever the result says.
    bool strict = sim_node_count(oracle->sim) == sim_n_least(oracle->sim, op->first_ring);
    op->primaries = !strict || op->by_site != 0 ? result->primaries
                    : op->kind == SIM_GET       ? op->r
                                                : op->w;
    if (result->outcome == GR_DONE && op->kind == SIM_GET && result->acks < op->r)
        sim_oracle_fail(oracle, "get %d was answered by %d of R=%d", number, result->acks, op->r);
    if (result->outcome == GR_DONE && op->kind == SIM_GET &&
        result->acks - result->primaries > __builtin_popcount(oracle->keepers[op->key]))
        sim_oracle_fail(oracle, "get %d counts nodes that never kept a hint of the key", number);
    if (result->outcome == GR_DONE && result->written && result->acks < op->w)
        sim_oracle_fail(
            oracle, "write %d was acknowledged by %d of W=%d", number, result->acks, op->w);
    if (op->kind != SIM_GET && op->dot.counter != 0 && result->outcome == GR_DONE)
        check_acknowledgement(oracle, number, result);
    if (op->kind != SIM_GET && op->by_site != 0 && result->outcome == GR_DONE && result->written)
        sim_sites_written(oracle, number);
    if ((result->err == GR_OK) != (result->outcome == GR_DONE))
        sim_oracle_fail(oracle, "request %d: outcome and error disagree", number);
    if (result->outcome == GR_REJECTED && op->kind != SIM_GET && op->dot.counter != 0)
        sim_oracle_fail(oracle, "write %d was rejected after it had drawn a dot", number);
    if (op->kind == SIM_GET && result->outcome == GR_DONE) {
        struct claim claim = {.where = "get", .get = op};
        check_claim(oracle, &claim, op->key, &result->record);
        check_acknowledged(oracle, number, &result->record);
        if (op->by_site != 0)
            sim_sites_read(oracle, number, result, strict);
        for (uint32_t i = 0; i < result->record.count; i++)
            if (result->record.sibling[i].bare)
                sim_oracle_fail(oracle, "get %d answers without a value", number);
    }
    bool plain = op->kind == SIM_SET || op->kind == SIM_PUT || op->kind == SIM_DELETE;
    if (plain && result->outcome == GR_DONE && op->dot.counter == 0)
        sim_oracle_fail(oracle, "write %d was acknowledged, and never drew a dot", number);
}

void sim_oracle_state(struct sim_oracle *oracle, int node, int key, const struct gr_record *filled)
{
    char where[32];
    snprintf(where, sizeof where, "replica %d", node);
    struct claim claim = {.where = where};
    check_claim(oracle, &claim, key, filled);
    for (int i = 0; i < oracle->count; i++)
        if (oracle->op[i].key == key && covers(&filled->context, &oracle->op[i]))
            holds(&oracle->op[i], node, sim_written(oracle->sim, node));
}

void sim_oracle_damaged_state(
    struct sim_oracle *oracle, int node, int key, const struct gr_record *filled)
{
    for (int i = 0; i < oracle->count; i++)
        if (oracle->op[i].key == key && covers(&filled->context, &oracle->op[i]))
            came(&oracle->op[i], node, sim_written(oracle->sim, node));
}

void sim_oracle_synced(struct sim_oracle *oracle, int node, uint64_t number)
{
    unsigned bit = 1u << node;
    for (int i = 0; i < oracle->count; i++) {
        struct sim_op *op = &oracle->op[i];
        if ((op->holds & bit) && op->held_at[node] <= number)
            op->safe |= bit;
        if ((op->came & bit) && op->came_at[node] <= number)
            op->was_safe |= bit;
    }
}

void sim_oracle_crashed(struct sim_oracle *oracle, int node, uint64_t number)
{
    sim_oracle_synced(oracle, node, number);
    unsigned bit = 1u << node;
    for (int i = 0; i < oracle->count; i++) {
        struct sim_op *op = &oracle->op[i];
        if (!(op->was_safe & bit))
            op->came &= ~bit;
        if ((op->holds & bit) && !(op->safe & bit)) {
            op->holds &= ~bit;
            op->keeps &= ~bit;
        }
    }
}

void sim_oracle_loses(struct sim_oracle *oracle, int node, int key, bool votes)
{
    if (votes)
        oracle->lossy = sim_order(oracle->sim) + 1;
    for (int i = 0; i < oracle->count; i++) {
        struct sim_op *op = &oracle->op[i];
        if (key >= 0 && op->key != key)
            continue;
        bool lost = op->dot.counter != 0 && sim_holds(oracle->sim, node, op, &op->dot);
        op->holds &= ~(1u << node);
        op->safe &= ~(1u << node);
        op->keeps &= ~(1u << node);
        if (key < 0)
            op->lost_with[node] = 0; // nothing is left that it could owe
        for (int m = 0; m < sim_node_count(oracle->sim); m++)
            op->lost_with[m] &= ~(1u << node); // what it has again later, it did not keep
        if (op->dot.counter == 0 || op->excused)
            continue;
        unsigned held = 0;
        bool given = false;
        for (int m = 0; m < sim_node_count(oracle->sim); m++) {
            bool holder = m != node && sim_holds(oracle->sim, m, op, &op->dot);
            held |= (unsigned)holder << m;
            given |= holder && sim_gives(oracle->sim, node, m, op->partition);
        }
        op->unmet |= !given;
        op->excused = held == 0;
        // Who has handed a partition over owes nothing of it: if it comes back, it begins anew.
        if (lost && key >= 0 && sim_keeps(oracle->sim, node, op->partition))
            op->lost_with[node] |= held;
    }
}

void sim_oracle_whole(struct sim_oracle *oracle, int node, uint32_t partition)
{
    for (int i = 0; i < oracle->count; i++) {
        struct sim_op *op = &oracle->op[i];
        if (op->partition != partition)
            continue;
        for (int m = 0; m < sim_node_count(oracle->sim); m++)
            if ((op->lost_with[node] >> m & 1) && sim_gives(oracle->sim, node, m, partition) &&
                sim_holds(oracle->sim, m, op, &op->dot) &&
                !sim_has_seen(oracle->sim, node, partition, &op->dot))
                sim_oracle_fail(oracle,
                    "node %d says that it is whole, and lacks write %d, which it had and node %d "
                    "has",
                    node, i, m);
        op->lost_with[node] = 0;
    }
}

void sim_oracle_final(struct sim_oracle *oracle, int key, const struct gr_record *merged)
{
    struct claim claim = {.where = "final", .final = true};
    check_claim(oracle, &claim, key, merged);
    for (int i = 0; i < oracle->count; i++) {
        const struct sim_op *op = &oracle->op[i];
        bool acknowledged = op->key == key && op->dot.counter != 0 && op->replied &&
                            op->outcome == GR_DONE && op->kind != SIM_GET && !op->excused;
        bool may_be_lost =
            sim_durability(oracle->sim) != GR_DURABILITY_COMMIT && op->keeps == 0 && op->safe == 0;
        if (acknowledged && !may_be_lost && !covers(&merged->context, op))
            sim_oracle_fail(
                oracle, "write %d (W=%d) of key %d was acknowledged and is lost", i, op->w, key);
    }
}
