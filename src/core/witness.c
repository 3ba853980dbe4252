// Witnesses: who says that a value is gone looks again before it is taken from others (D6, D7).
//
// In a get one replica shows a value, and another has seen its dot and does not hold it any more.
// Nearly always the value was replaced and the first is only behind. But one that has lost the
// record says just the same. So a repair that takes away is sent by nobody but the one whose word
// it rests on, after it has read that leaf of its tree from the disk and found there what was
// written. Picture a court: absence is not proved by who has not seen, but by who has the complete
// register open before him.
//
//   W1  Nothing is taken away on the word of a replica that has not summed the key's leaf since.
//   W2  A leaf that does not add up is damage (damage.c), and nothing is sent.
//   W3  This is background work: what the throttle or the bound refuses is left to the exchanges,
//       which check the same.
//
//   asked -> walk over the leaf -page, page, end-> adds up: the state is read -> REPAIR
//                                               \-> does not: damage
//
// Source: DESIGN.md §4, D6 and D7. Owns: entropy->witnesses. Bounds: WITNESSES_MAX at a time.
#include "core/entropy.h"

enum { WITNESSES_MAX = 16 };

struct witness {
    struct gr_link link;
    struct gr_walk walk;
    struct gr_arena arena; // of the key
    struct gr_key key;
    uint16_t member; // that shows the value
};

static void witness_free(struct gr_node *node, struct witness *witness)
{
    gr_walk_close(node, &witness->walk);
    gr_list_remove(&node->entropy->witnesses, &witness->link);
    gr_arena_deinit(&witness->arena);
    gr_hook_memory(witness, 0);
}

// What is here goes to the one that is behind.
static void repair(struct gr_node *node, const struct gr_key *key, uint16_t member)
{
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_READ, key, 0);
    if (op == NULL)
        return;
    op->peer = member;
    op->repairs = true;
    if (gr_replica_submit(node, op) != GR_OK)
        gr_unreachable("a reader waits for no turn");
}

void gr_witness_call(struct gr_node *node, const struct gr_key *key, uint16_t member)
{
    uint32_t p = gr_ring_partition(node->ring, key->slot);
    if (gr_ring_position(node->ring, p, node->config.self) < 0 ||
        gr_ring_position(node->ring, p, member) < 0 || member == node->config.self ||
        node->store != GR_OK || !gr_entropy_ready(node, p) ||
        node->entropy->witnesses.count == WITNESSES_MAX || !gr_node_background(node, 1))
        return;
    if (node->config.canary == GR_CANARY_UNWITNESSED) {
        repair(node, key, member);
        return;
    }
    gr_probe(&node->probes, GR_PROBE_WITNESS);
    struct witness *witness = gr_hook_memory(NULL, sizeof *witness);
    *witness = (struct witness){.member = member};
    witness->key = gr_key_copy(&witness->arena, key);
    gr_list_append(&node->entropy->witnesses, &witness->link);
    uint32_t leaf = gr_merkle_leaf(node->ring, p, gr_cursor_of(key->slot, key->hash));
    gr_walk_open(node, &witness->walk, GR_WALK_WITNESS, p, gr_merkle_first(node->ring, p, leaf),
        gr_merkle_first(node->ring, p, leaf + 1), false);
    gr_walk_ask(node, &witness->walk, GR_WALK_PAGE_KEYS);
}

void gr_witness_on_page(
    struct gr_node *node, struct gr_walk *walk, const struct gr_event *event, enum gr_err err)
{
    struct witness *witness = GR_CONTAINER(walk, struct witness, walk);
    const struct gr_partition *p = &node->partition[walk->partition];
    gr_throttle_owe(&node->throttle, gr_throttle_slices(event->entry_count, 0) - 1);
    if (err == GR_OK && p->leaf != NULL && walk->frontier < walk->end) {
        gr_walk_ask(node, walk, GR_WALK_PAGE_KEYS);
        return;
    }
    if (err == GR_OK && p->leaf != NULL && p->damage == NULL) {
        uint32_t leaf = gr_merkle_leaf(node->ring, walk->partition, walk->first);
        if (!gr_damage_agrees(node, walk->sum, p->leaf[leaf]))
            gr_damage_unsummed(node, walk->partition, "a leaf that was asked for does not add up");
        else
            repair(node, &witness->key, witness->member);
    } else if (err == GR_ERR_CORRUPT) {
        gr_damage_partition(node, walk->partition, "the store cannot read a partition");
    }
    witness_free(node, witness);
}

void gr_witness_deinit(struct gr_node *node)
{
    while (node->entropy->witnesses.first != NULL)
        witness_free(node, GR_CONTAINER(node->entropy->witnesses.first, struct witness, link));
}
