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
//       (promise 2)
//   O4  A rejected write never draws a dot.  (promise 7)
//   O5  No dot is drawn twice, no request is coordinated twice by owners, and every request is
//       answered at most once, by as many as were asked for.
//   O6  Of nodes that stand in, only those that keep a hint of the key count toward R.
//   O7  An acknowledgement is true: so many nodes held the write before the client is told so, and
//       so many of their disks have it for good.  (promise 7)
//
// In the modes that do not wait for the disk (§6.1) a node that acknowledged may crash before its
// sync, and lose a write or a hint of it. Then O3 holds as far as those owners that held the write
// when it was acknowledged, and have not lost it since, still make W + R > N; and the end may miss
// it only if everyone who held it then has lost it so, and no disk ever had it.
#include <stdarg.h>
#include <stdio.h>

#include "sim/sim.h"

static void set_add(struct sim_set *set, int write)
{
    set->word[write / 64] |= 1ull << (write % 64);
}

static bool set_has(const struct sim_set *set, int write)
{
    return set->word[write / 64] >> (write % 64) & 1;
}

static void set_join(struct sim_set *set, const struct sim_set *other)
{
    for (int i = 0; i < SIM_WORDS; i++)
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
    if (sim_verbose(oracle->sim))
        printf("FAILED %s\n", oracle->story);
}

int sim_oracle_begin(
    struct sim_oracle *oracle, enum sim_op_kind kind, int key, uint32_t partition, int r, int w)
{
    if (oracle->count == SIM_OPS_MAX)
        return -1;
    oracle->op[oracle->count] = (struct sim_op){
        .kind = kind,
        .key = key,
        .partition = partition,
        .removes = kind == SIM_DELETE || kind == SIM_DEL,
        .r = r,
        .w = w,
        .issued = sim_order(oracle->sim),
    };
    return oracle->count++;
}

static int number_of(int op, int dot)
{
    return op * SIM_DOTS_MAX + dot;
}

// Any run of the operation: what a second run writes is the same value.
static bool covers(const struct gr_context *context, const struct sim_op *op)
{
    for (int i = 0; i < op->dot_count; i++)
        if (gr_context_covers(context, &op->dot[i]))
            return true;
    return false;
}

// The write that drew the dot, or -1.
static int write_of(const struct sim_oracle *oracle, uint32_t partition, const struct gr_dot *dot)
{
    for (int i = 0; i < oracle->count; i++)
        for (int k = 0; k < oracle->op[i].dot_count; k++)
            if (oracle->op[i].partition == partition && gr_dot_equal(&oracle->op[i].dot[k], dot))
                return number_of(i, k);
    return -1;
}

// What a context of a key covers, and everything that those writes had seen.
static void covered_of(const struct sim_oracle *oracle, int key, const struct gr_context *context,
    struct sim_set *ret_covered, struct sim_set *ret_past)
{
    *ret_covered = *ret_past = (struct sim_set){0};
    for (int i = 0; i < oracle->count; i++) {
        const struct sim_op *op = &oracle->op[i];
        for (int k = 0; op->key == key && k < op->dot_count; k++) {
            if (!gr_context_covers(context, &op->dot[k]))
                continue;
            set_add(ret_covered, number_of(i, k));
            set_join(ret_past, &op->past[k]);
        }
    }
}

// O1 and O2 of a filled record or an answer.
static void check_claim(
    struct sim_oracle *oracle, const char *where, int key, const struct gr_record *record)
{
    struct sim_set covered, past, shown = {0};
    uint32_t partition = sim_key_partition(oracle->sim, key);
    covered_of(oracle, key, &record->context, &covered, &past);
    for (uint32_t i = 0; i < record->count; i++) {
        int write = write_of(oracle, partition, &record->sibling[i].dot);
        if (write < 0 || oracle->op[write / SIM_DOTS_MAX].key != key) {
            sim_oracle_fail(oracle, "%s: key %d shows a dot that nobody drew", where, key);
            return;
        }
        set_add(&shown, write);
        set_join(&past, &oracle->op[write / SIM_DOTS_MAX].past[write % SIM_DOTS_MAX]);
    }
    int64_t latest = sim_wall(oracle->sim).ms + sim_skew_ms_max(oracle->sim);
    for (int i = 0; i < oracle->count * SIM_DOTS_MAX; i++) {
        const struct sim_op *op = &oracle->op[i / SIM_DOTS_MAX];
        if (op->key != key || i % SIM_DOTS_MAX >= op->dot_count)
            continue;
        bool due = op->expires_ms != 0 && op->expires_ms <= latest;
        if (set_has(&covered, i) && !set_has(&shown, i) && !op->removes && !due &&
            !set_has(&past, i))
            sim_oracle_fail(oracle,
                "%s: key %d claims to have seen write %d, does not show it, and nothing that it "
                "covers replaced it",
                where, key, i / SIM_DOTS_MAX);
        if (set_has(&shown, i) && set_has(&past, i))
            sim_oracle_fail(oracle,
                "%s: key %d shows write %d, which a write that it covers had "
                "seen",
                where, key, i / SIM_DOTS_MAX);
    }
}

void sim_oracle_drawn(struct sim_oracle *oracle, int number, const struct gr_dot *dot,
    const struct gr_context *context, bool by_owner)
{
    struct sim_op *op = &oracle->op[number];
    int other = write_of(oracle, op->partition, dot);
    if (other >= 0)
        sim_oracle_fail(oracle, "writes %d and %d have the same dot", other / SIM_DOTS_MAX, number);
    if (op->replied && op->outcome == GR_REJECTED)
        sim_oracle_fail(oracle, "write %d was rejected, and drew a dot afterwards", number);
    if (op->dot_count == SIM_DOTS_MAX || (by_owner && op->by_owner)) {
        sim_oracle_fail(oracle, "write %d was coordinated twice by owners", number);
        return;
    }
    struct sim_set covered, past;
    covered_of(oracle, op->key, context, &covered, &past);
    set_join(&covered, &past);
    op->by_owner |= by_owner;
    op->past[op->dot_count] = covered;
    op->dot[op->dot_count++] = *dot;
}

static void holds(struct sim_op *op, int node, uint64_t number)
{
    unsigned bit = 1u << node;
    if (op->holds & bit)
        return;
    op->held |= bit;
    op->holds |= bit;
    op->held_at[node] = number;
}

// A node that keeps a hint holds the write as a replica does.
void sim_oracle_kept(
    struct sim_oracle *oracle, int node, int key, const struct gr_dot *dot, uint64_t number)
{
    oracle->keepers[key] |= 1u << node;
    int write = write_of(oracle, sim_key_partition(oracle->sim, key), dot);
    if (write >= 0)
        holds(&oracle->op[write / SIM_DOTS_MAX], node, number);
}

// How many of the owners that acknowledged can still be met by a reader.
static int kept_of(const struct sim_oracle *oracle, const struct sim_op *op)
{
    if (sim_durability(oracle->sim) == GR_DURABILITY_COMMIT)
        return op->primaries;
    unsigned owners = sim_owners(oracle->sim, op->partition);
    return GR_MIN(op->primaries, __builtin_popcount(op->keeps & owners));
}

// O3: whatever was acknowledged before the get began.
static void check_acknowledged(
    struct sim_oracle *oracle, int number, const struct gr_record *record)
{
    const struct sim_op *get = &oracle->op[number];
    int n = sim_replicas(oracle->sim);
    for (int i = 0; i < oracle->count; i++) {
        const struct sim_op *op = &oracle->op[i];
        bool acknowledged = op->key == get->key && op->dot_count > 0 && op->replied &&
                            op->outcome == GR_DONE && op->ended < get->issued &&
                            kept_of(oracle, op) + get->primaries > n;
        if (acknowledged && !covers(&record->context, op))
            sim_oracle_fail(oracle,
                "get %d (R=%d) of key %d does not cover write %d (W=%d), acknowledged before",
                number, get->r, get->key, i, op->w);
    }
}

// O7, and of the modes: in `buffered` one of the N has synced before it acknowledged.
static void check_acknowledgement(
    struct sim_oracle *oracle, int number, const struct gr_result *result)
{
    struct sim_op *op = &oracle->op[number];
    int held = __builtin_popcount(op->held), safe = __builtin_popcount(op->safe);
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
        result->acks == sim_replicas(oracle->sim))
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
    bool strict = sim_node_count(oracle->sim) == sim_replicas(oracle->sim);
    op->primaries = !strict ? result->primaries : op->kind == SIM_GET ? op->r : op->w;
    if (result->outcome == GR_DONE && op->kind == SIM_GET && result->acks < op->r)
        sim_oracle_fail(oracle, "get %d was answered by %d of R=%d", number, result->acks, op->r);
    if (result->outcome == GR_DONE && op->kind == SIM_GET &&
        result->acks - result->primaries > __builtin_popcount(oracle->keepers[op->key]))
        sim_oracle_fail(oracle, "get %d counts nodes that never kept a hint of the key", number);
    if (result->outcome == GR_DONE && result->written && result->acks < op->w)
        sim_oracle_fail(
            oracle, "write %d was acknowledged by %d of W=%d", number, result->acks, op->w);
    if ((result->err == GR_OK) != (result->outcome == GR_DONE))
        sim_oracle_fail(oracle, "request %d: outcome and error disagree", number);
    if (result->outcome == GR_REJECTED && op->kind != SIM_GET && op->dot_count > 0)
        sim_oracle_fail(oracle, "write %d was rejected after it had drawn a dot", number);
    if (op->kind == SIM_GET && result->outcome == GR_DONE) {
        check_claim(oracle, "get", op->key, &result->record);
        check_acknowledged(oracle, number, &result->record);
        for (uint32_t i = 0; i < result->record.count; i++)
            if (result->record.sibling[i].bare)
                sim_oracle_fail(oracle, "get %d answers without a value", number);
    }
    bool plain = op->kind == SIM_SET || op->kind == SIM_PUT || op->kind == SIM_DELETE;
    if (plain && result->outcome == GR_DONE && op->dot_count == 0)
        sim_oracle_fail(oracle, "write %d was acknowledged, and never drew a dot", number);
    if (op->kind != SIM_GET && op->dot_count > 0 && result->outcome == GR_DONE)
        check_acknowledgement(oracle, number, result);
}

void sim_oracle_state(struct sim_oracle *oracle, int node, int key, const struct gr_record *filled)
{
    char where[32];
    snprintf(where, sizeof where, "replica %d", node);
    check_claim(oracle, where, key, filled);
    for (int i = 0; i < oracle->count; i++)
        if (oracle->op[i].key == key && covers(&filled->context, &oracle->op[i]))
            holds(&oracle->op[i], node, sim_written(oracle->sim, node));
}

void sim_oracle_synced(struct sim_oracle *oracle, int node, uint64_t number)
{
    unsigned bit = 1u << node;
    for (int i = 0; i < oracle->count; i++) {
        struct sim_op *op = &oracle->op[i];
        if ((op->holds & bit) && op->held_at[node] <= number)
            op->safe |= bit;
    }
}

void sim_oracle_crashed(struct sim_oracle *oracle, int node, uint64_t number)
{
    sim_oracle_synced(oracle, node, number);
    unsigned bit = 1u << node;
    for (int i = 0; i < oracle->count; i++) {
        struct sim_op *op = &oracle->op[i];
        if ((op->holds & bit) && !(op->safe & bit)) {
            op->holds &= ~bit;
            op->keeps &= ~bit;
        }
    }
}

void sim_oracle_final(struct sim_oracle *oracle, int key, const struct gr_record *merged)
{
    check_claim(oracle, "final", key, merged);
    for (int i = 0; i < oracle->count; i++) {
        const struct sim_op *op = &oracle->op[i];
        bool acknowledged = op->key == key && op->dot_count > 0 && op->replied &&
                            op->outcome == GR_DONE && op->kind != SIM_GET;
        bool may_be_lost =
            sim_durability(oracle->sim) != GR_DURABILITY_COMMIT && op->keeps == 0 && op->safe == 0;
        if (acknowledged && !may_be_lost && !covers(&merged->context, op))
            sim_oracle_fail(
                oracle, "write %d (W=%d) of key %d was acknowledged and is lost", i, op->w, key);
    }
}
