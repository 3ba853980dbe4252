// Witnesses: who says that a value is gone looks again before others lose it (D6, D7).
//
// One replica shows a value, and another has seen its dot and does not hold it any more. Nearly
// always the value was replaced and the first is only behind. But one that has lost the record says
// just the same. So whatever takes away waits until the leaf of the tree that the key belongs to
// was read from the disk and is what was written: what this node says of the key to one that would
// lose something by it, and what it merges itself when it would refuse a value that it is shown.
// Picture a court: absence is not proved by who has not seen, but by who has the complete register
// open before him.
//
//   W1  Nothing is taken away on the word of a replica that has not summed the key's leaf after it
//       has read the key: what is lost between the two is found, whichever comes first.
//   W2  A leaf that does not add up is damage (damage.c): nothing is taken away, and nothing is
//       merged, or the record would say from then on what the clock does not say any more.
//   W3  A repair is background work: what the throttle or the bound refuses is left to the
//       exchanges.
//   W4  What nobody has looked up again takes nothing from whom it comes to: by then he may show
//       what he did not show when it was found that it would take nothing. That goes for what a get
//       gives to those who were behind, for offers and for their outcomes. An exchange offers such
//       a key once more, witnessed.
//
//   the key was read -> held -> walk over the leaf -page, page, end-> adds up: sent, or merged
//                                                                  \-> does not: damage
//
// Source: DESIGN.md §4, D6 and D7. Owns: entropy->witnesses, and copies of what they hold. Bounds:
// WITNESSES_MAX messages, memory_max.
#include "core/entropy.h"

enum { WITNESSES_MAX = 256 };

struct witness {
    struct gr_link link;
    struct gr_walk walk;
    uint64_t ticket;       // of the writer that waits; 0: a message does
    struct gr_arena arena; // of the message
    uint16_t member;       // that it goes to
    struct gr_message message;
};

// NULL: it cannot be looked at now.
static struct witness *witness_new(struct gr_node *node, const struct gr_key *key)
{
    uint32_t p = gr_ring_partition(node->ring, key->slot);
    if (node->store != GR_OK || !gr_entropy_ready(node, p) ||
        node->entropy->witnesses.count == WITNESSES_MAX)
        return NULL;
    gr_probe(&node->probes, GR_PROBE_WITNESS);
    struct witness *witness = gr_hook_memory(NULL, sizeof *witness);
    *witness = (struct witness){.ticket = 0};
    gr_list_append(&node->entropy->witnesses, &witness->link);
    uint32_t leaf = gr_merkle_leaf(node->ring, p, gr_cursor_of(key->slot, key->hash));
    gr_walk_open(node, &witness->walk, GR_WALK_WITNESS, p, gr_merkle_first(node->ring, p, leaf),
        gr_merkle_first(node->ring, p, leaf + 1), false);
    gr_walk_ask(node, &witness->walk, GR_WALK_PAGE_KEYS);
    return witness;
}

static void witness_free(struct gr_node *node, struct witness *witness)
{
    gr_walk_close(node, &witness->walk);
    gr_list_remove(&node->entropy->witnesses, &witness->link);
    node->memory -= witness->arena.bytes;
    gr_arena_deinit(&witness->arena);
    gr_hook_memory(witness, 0);
}

bool gr_witness_takes(const struct gr_record *shown, const struct gr_record *said)
{
    for (uint32_t i = 0; i < shown->count; i++)
        if (gr_context_covers(&said->context, &shown->sibling[i].dot) &&
            gr_record_find(said, &shown->sibling[i].dot) == NULL)
            return true;
    return false;
}

bool gr_witness_say(struct gr_node *node, uint16_t member, const struct gr_message *message)
{
    if (node->config.canary == GR_CANARY_UNWITNESSED) {
        struct gr_message now = *message;
        now.witnessed = true;
        return gr_node_send(node, member, &now);
    }
    if (!gr_node_has_room(node, gr_record_value_bytes(&message->record)))
        return false;
    struct witness *witness = witness_new(node, &message->key);
    if (witness == NULL)
        return false;
    witness->member = member;
    witness->message = *message;
    witness->message.witnessed = true;
    witness->message.key = gr_key_copy(&witness->arena, &message->key);
    witness->message.record = gr_record_copy(&witness->arena, &message->record, false);
    node->memory += witness->arena.bytes;
    return true;
}

bool gr_witness_wait(struct gr_node *node, const struct gr_key *key, uint64_t ticket)
{
    struct witness *witness = witness_new(node, key);
    if (witness != NULL)
        witness->ticket = ticket;
    return witness != NULL;
}

// True: the leaf is what was written here.
static bool adds_up(struct gr_node *node, const struct gr_walk *walk, enum gr_err err)
{
    const struct gr_partition *p = &node->partition[walk->partition];
    if (err == GR_ERR_CORRUPT)
        gr_damage_partition(node, walk->partition, "the store cannot read a partition");
    if (err != GR_OK || p->leaf == NULL)
        return false;
    uint32_t leaf = gr_merkle_leaf(node->ring, walk->partition, walk->first);
    bool same = gr_damage_agrees(node, walk->sum, p->leaf[leaf]);
    if (!same)
        gr_damage_unsummed(node, walk->partition, "a leaf that was asked for does not add up");
    return same;
}

void gr_witness_on_page(
    struct gr_node *node, struct gr_walk *walk, const struct gr_event *event, enum gr_err err)
{
    struct witness *witness = GR_CONTAINER(walk, struct witness, walk);
    gr_slice_keys(node, event->entry_count + 1);
    if (err == GR_OK && walk->frontier < walk->end) {
        gr_walk_ask(node, walk, GR_WALK_PAGE_KEYS);
        return;
    }
    bool sound = adds_up(node, walk, err);
    uint64_t ticket = witness->ticket;
    if (sound && ticket == 0)
        (void)gr_node_send(node, witness->member, &witness->message);
    witness_free(node, witness);
    if (ticket != 0)
        gr_replica_on_witness(node, ticket, sound);
}

void gr_witness_call(struct gr_node *node, const struct gr_key *key, int member)
{
    uint32_t p = gr_ring_partition(node->ring, key->slot);
    if (member < 0 || !gr_holder_has(node, p) || member == node->config.self ||
        node->store != GR_OK || !gr_entropy_ready(node, p) || node->partition[p].damage != NULL ||
        !gr_node_background(node, 1))
        return;
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_READ, key, 0);
    if (op == NULL)
        return;
    op->peer = (uint16_t)member;
    op->repairs = true;
    if (gr_replica_submit(node, op) != GR_OK)
        gr_unreachable("a reader waits for no turn");
}

void gr_witness_deinit(struct gr_node *node)
{
    while (node->entropy->witnesses.first != NULL)
        witness_free(node, GR_CONTAINER(node->entropy->witnesses.first, struct witness, link));
}
