// States: what an exchange or a read repair brings of a key, looked at before it is merged (§4.7).
//
// A put travels as one write; a state says everything that a replica holds of a key, and with it
// what it does not hold. So it can take away, and whoever has lost a record would take away what
// others still have. Absence is therefore weighed before it is believed.
//
//   S1  An absence is believed only from one that has seen a write which is not known here; from
//       one that has seen no more, it is a loss (D6). That holds where nothing was lost before. A
//       replica that lost records knows writes again without knowing what they replaced, and so
//       does whoever gets them from it: from then on a partition is doubtful, and an absence is
//       believed because the leaf of who says it adds up (witness.c), and for no other reason.
//   S2  No clock learns a dot whose sibling came without its value and is not here.
//   S3  A join is one write of clock rows alone, after every state that it stands for.
//
// Source: DESIGN.md §4 (merge, joins), D6. Owns: nothing; a keyop's record is its own.
#include "core/entropy.h"

// What a peer says was written must be covered by the context that it came with: else the clock
// would learn dots whose effect is not in the record.
bool gr_state_is_sound(const struct gr_record *record)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (record->sibling[i].bare ||
            !gr_context_covers(&record->context, &record->sibling[i].dot))
            return false;
    return true;
}

// S1. What an exchange or a repair brings, looked at before it is merged. An absence that comes
// from one that has seen no more than is here is not taken: there is no write that could have
// caused it. False: this replica has lost a record.
static bool judge(struct gr_node *node, struct gr_keyop *op, const struct gr_record *filled,
    struct gr_record *incoming)
{
    bool doubtful =
        node->partition[op->partition].doubtful && node->config.canary != GR_CANARY_DOUBT_IGNORED;
    if (doubtful || node->config.canary == GR_CANARY_LOSS_BELIEVED)
        return true;
    if (op->kind == GR_KEYOP_OFFER && gr_damage_shows(incoming, filled)) {
        gr_probe(&node->probes, GR_PROBE_EXCHANGE_DISPUTED);
        *incoming = GR_RECORD_NOTHING;
    }
    if (!gr_damage_shows(filled, incoming))
        return true;
    if (op->kind == GR_KEYOP_REPAIR)
        return false; // who sends it may be in doubt: an exchange says
    gr_probe(&node->probes, GR_PROBE_EXCHANGE_LOST);
    gr_damage_partition(node, op->partition, "a peer shows a value that was lost here");
    return false;
}

// W4.
static bool is_hearsay(struct gr_node *node, const struct gr_keyop *op,
    const struct gr_record *filled, const struct gr_record *incoming)
{
    if (!op->hearsay || !gr_witness_takes(filled, incoming) ||
        node->config.canary == GR_CANARY_UNWITNESSED)
        return false;
    gr_probe(&node->probes, GR_PROBE_HEARSAY);
    return true;
}

// Every sibling that comes without its value is here, or replaced here.
static bool has_values(const struct gr_record *filled, const struct gr_record *incoming)
{
    for (uint32_t i = 0; i < incoming->count; i++)
        if (incoming->sibling[i].bare &&
            gr_record_find(filled, &incoming->sibling[i].dot) == NULL &&
            !gr_context_covers(&filled->context, &incoming->sibling[i].dot))
            return false;
    return true;
}

enum gr_err gr_state_admit(struct gr_node *node, struct gr_keyop *op,
    const struct gr_record *filled, struct gr_record *incoming)
{
    bool state =
        op->kind == GR_KEYOP_OFFER || op->kind == GR_KEYOP_TAKEN || op->kind == GR_KEYOP_REPAIR;
    if (state && !judge(node, op, filled, incoming))
        return GR_ERR_CORRUPT;
    if (is_hearsay(node, op, filled, incoming))
        return GR_ERR_BUSY;
    return has_values(filled, incoming) ? GR_OK : GR_ERR_INVALID;
}

// True if merging changes nothing that is stored, nor the clock: then no value need be read.
bool gr_state_is_known(struct gr_node *node, const struct gr_keyop *op,
    const struct gr_record *stored, const struct gr_record *merged)
{
    const struct gr_clock *clock = &node->partition[op->partition].clock;
    const struct gr_record *incoming = &op->incoming;
    for (uint32_t i = 0; i < incoming->count; i++)
        if (!gr_clock_has(clock, &incoming->sibling[i].dot))
            return false;
    for (uint32_t i = 0; i < incoming->context.cloud_count; i++)
        if (!gr_clock_has(clock, &incoming->context.cloud[i]))
            return false;
    struct gr_record after = gr_record_strip(&node->scratch, merged, clock);
    return gr_record_equal(&after, stored);
}

void gr_state_tell(
    struct gr_node *node, struct gr_keyop *op, enum gr_err status, const struct gr_record *merged)
{
    struct gr_message taken = {
        .type = GR_MSG_TAKEN,
        .id = op->peer_call,
        .index = op->index,
        .status = status,
        .witnessed = op->witnessed,
    };
    if (status == GR_OK) {
        struct gr_sibling *sibling =
            gr_arena_array(&node->scratch, struct gr_sibling, merged->count);
        for (uint32_t i = 0; i < merged->count; i++) {
            sibling[i] = merged->sibling[i];
            if (gr_record_find(&op->incoming, &sibling[i].dot) != NULL) {
                sibling[i].bare = true;
                sibling[i].value = gr_bytes(NULL, 0);
            }
        }
        taken.record = *merged;
        taken.record.sibling = merged->count > 0 ? sibling : NULL;
    }
    (void)gr_node_send(node, op->peer, &taken);
}

void gr_state_join(struct gr_node *node, uint32_t partition, const struct gr_clock *seen)
{
    struct gr_partition *p = &node->partition[partition];
    if (gr_clock_includes(&p->clock, seen))
        return;
    gr_clock_join(&p->clock, seen);
    if (p->awaited_count > 0)
        gr_sweep_soon(node, p);
    p->hashed = false;
    const struct gr_clock_row **row =
        gr_arena_array(&node->scratch, const struct gr_clock_row *, seen->count);
    for (uint32_t i = 0; i < seen->count; i++)
        row[i] = gr_clock_row(&p->clock, seen->row[i].actor);
    struct gr_store_write write = {
        .number = ++node->writes,
        .partition = partition,
        .row = row,
        .row_count = seen->count,
        .counter = gr_replica_counter(node, p),
        .count = p->count,
        .sum = p->sum,
    };
    gr_node_emit(node, &(struct gr_effect){.type = GR_EFFECT_WRITE, .write = &write});
}
