// Offers: the keys of an exchange that differ, one by one, until both sides have the same (§4.7).
//
// Each key is read here, with its values, and sent; the peer merges it into what it has and answers
// with the outcome, which is merged here. What either says of a value that it does not show takes
// that value from the other, so it looks first (witness.c), unless it is clear that nothing is
// taken; and if it turns out not to have been, that key is begun again.
//
//   OF1 An offer is witnessed unless the peer's page showed nothing that it would take (W1).
//   OF2 What was refused, as hearsay (W4) or because the peer was busy, is offered once more, as if
//       nothing were known of what the peer holds; then it is left to the next exchange.
//   OF3 A key that was not done, for whatever reason, fails the exchange: nothing is joined.
//
//   new -> shown: read here -> sent: OFFER -TAKEN-> taken: merged here -> done
//            ^                        '-- refused, the first time --'
//            '------------------------------------'
//
// Source: §4.7; exchange.c. Owns: the items of node's exchange. Bounds: ITEMS_BYTES_MAX of keys
// (what does not fit waits for the next exchange), OFFERS_MAX keys under way.
#include "core/entropy.h"

#include <string.h>

enum { ITEMS_BYTES_MAX = 8 << 20, OFFERS_MAX = 32 };

static struct gr_exchange *exchange_of(struct gr_node *node)
{
    return &node->entropy->exchange;
}

void gr_offer_add(struct gr_exchange *x, const struct gr_key *key, const struct gr_record *there)
{
    if (x->arena.bytes >= ITEMS_BYTES_MAX) {
        x->failed = true; // the next exchange finds the others
        return;
    }
    if (x->item_count == x->item_capacity) {
        x->item_capacity = GR_MAX(x->item_capacity * 2, 32);
        struct gr_exchange_item *more =
            gr_arena_array(&x->arena, struct gr_exchange_item, x->item_capacity);
        if (x->item_count > 0)
            memcpy(more, x->item, x->item_count * sizeof *more);
        x->item = more;
    }
    struct gr_record *shown = there == NULL ? NULL : gr_arena_new(&x->arena, struct gr_record);
    if (there != NULL)
        *shown = gr_record_copy(&x->arena, there, true);
    x->item[x->item_count++] = (struct gr_exchange_item){
        .key = gr_key_copy(&x->arena, key), .there = shown, .state = GR_ITEM_NEW};
}

void gr_offer_forget(struct gr_exchange *x)
{
    gr_arena_deinit(&x->arena);
    x->item = NULL;
    x->item_count = x->item_capacity = x->item_next = x->item_active = 0;
}

static void item_done(struct gr_node *node, uint32_t index, bool ok)
{
    struct gr_exchange *x = exchange_of(node);
    x->item[index].state = GR_ITEM_DONE;
    x->failed |= !ok;
    gr_assert(x->item_active > 0);
    x->item_active--;
    gr_offer_more(node);
}

// The item of an answer, if it is in that state.
static bool is_item(
    const struct gr_exchange *x, uint64_t id, uint32_t index, enum gr_item_state state)
{
    return x->state == GR_EXCHANGE_OFFER && x->id == id && index < x->item_count &&
           x->item[index].state == state;
}

static void show_item(struct gr_node *node, uint32_t index)
{
    struct gr_exchange *x = exchange_of(node);
    struct gr_keyop *op = gr_keyop_new(node, GR_KEYOP_SHOW, &x->item[index].key, 0);
    x->item[index].state = GR_ITEM_SHOWN;
    x->item_active++;
    if (op == NULL) {
        item_done(node, index, false);
        return;
    }
    op->call = x->id;
    op->index = index;
    if (gr_replica_submit(node, op) != GR_OK)
        gr_unreachable("a reader does not wait in the queue");
}

// W4: what was refused is offered once more, with nothing taken for known.
static void item_refused(struct gr_node *node, uint32_t index, enum gr_err err)
{
    struct gr_exchange *x = exchange_of(node);
    struct gr_exchange_item *item = &x->item[index];
    if (err != GR_ERR_BUSY || item->again) {
        item_done(node, index, false);
        return;
    }
    item->again = true;
    item->there = NULL;
    x->item_active--;
    show_item(node, index);
}

// Keeps OFFERS_MAX keys under way until all are done.
void gr_offer_more(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    if (x->busy)
        return;
    uint64_t id = x->id;
    x->busy = true;
    while (gr_exchange_wants(node, id) && x->item_next < x->item_count &&
           x->item_active < OFFERS_MAX) {
        if (!gr_slice_key(node)) {
            x->paused = true;
            gr_timer_set(&node->timers, &x->timer, gr_node_background_at(node, 1));
            break;
        }
        show_item(node, x->item_next++);
    }
    x->busy = false;
    if (!gr_exchange_wants(node, id))
        return;
    if (x->item_active == 0 && x->item_next == x->item_count)
        gr_exchange_next_run(node);
}

void gr_offer_on_shown(struct gr_node *node, uint64_t id, uint32_t index, enum gr_err err,
    const struct gr_record *filled)
{
    struct gr_exchange *x = exchange_of(node);
    if (!is_item(x, id, index, GR_ITEM_SHOWN))
        return;
    if (err != GR_OK) {
        item_done(node, index, false);
        return;
    }
    x->item[index].state = GR_ITEM_SENT;
    node->stats.keys_offered++;
    gr_slice_bytes(node, gr_record_value_bytes(filled));
    struct gr_message offer = {
        .type = GR_MSG_OFFER,
        .key = x->item[index].key,
        .record = *filled,
        .index = index,
    };
    const struct gr_record *there = x->item[index].there;
    if (there != NULL && !gr_witness_takes(there, filled)) {
        (void)gr_exchange_tell(node, &offer);
        return;
    }
    offer.id = x->id;
    offer.partition = x->partition;
    if (gr_witness_say(node, x->peer, &offer))
        gr_exchange_expect(node);
    else
        item_done(node, index, false);
}

void gr_offer_on_taken(struct gr_node *node, const struct gr_message *message)
{
    struct gr_exchange *x = exchange_of(node);
    uint32_t index = message->index;
    if (!is_item(x, message->id, index, GR_ITEM_SENT))
        return;
    x->item[index].state = GR_ITEM_TAKEN;
    if (message->status != GR_OK) {
        item_refused(node, index, message->status);
        return;
    }
    bool sound = true;
    for (uint32_t i = 0; i < message->record.count; i++)
        sound &= gr_context_covers(&message->record.context, &message->record.sibling[i].dot);
    size_t bytes = gr_record_value_bytes(&message->record);
    struct gr_keyop *op = NULL;
    if (sound)
        op = gr_keyop_new(node, GR_KEYOP_TAKEN, &x->item[index].key, bytes);
    if (op == NULL) {
        item_done(node, index, false);
        return;
    }
    op->call = x->id;
    op->index = index;
    op->hearsay = !message->witnessed;
    op->incoming = gr_record_copy(&op->arena, &message->record, false);
    if (gr_replica_submit(node, op) != GR_OK)
        item_done(node, index, false);
}

void gr_offer_on_merged(struct gr_node *node, uint64_t id, uint32_t index, enum gr_err err)
{
    if (!is_item(exchange_of(node), id, index, GR_ITEM_TAKEN))
        return;
    if (err == GR_OK)
        item_done(node, index, true);
    else
        item_refused(node, index, err);
}

void gr_offer_again(struct gr_node *node)
{
    struct gr_exchange *x = exchange_of(node);
    for (uint32_t i = 0; x->state == GR_EXCHANGE_OFFER && i < x->item_count; i++) {
        if (x->item[i].state != GR_ITEM_SENT)
            continue;
        x->item_active--;
        show_item(node, i);
    }
}
