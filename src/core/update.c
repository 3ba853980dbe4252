// The plain face: one value per key, as Redis users expect it (§5 for the reads and writes below).
//
// A plain SET is one put over whatever its coordinator holds. Everything whose answer or effect
// depends on the old value is three steps: read at R, compute here, put with the context of what
// was read. The put carries the computed value, so whoever coordinates it only has to store it.
//
//   V1  A command writes with the context of exactly what it read: a write that it did not see
//       survives as a sibling, and the view of all siblings is the largest origin.
//   V2  A touch (EXPIRE, PERSIST, GETEX) keeps the origin of the value that it touches, so it never
//       revives a value that a newer SET replaced.
//   V3  An absent or due value is left alone: nothing is written for it.
#include "core/inside.h"

#include <string.h>

struct gr_update {
    struct gr_call call;
    struct gr_request request; // key and value copied
    bool writing;              // the read is done, the put is under way
    struct gr_result result;   // what will be answered if the put succeeds
};

static struct gr_done done_of(const struct gr_update *update)
{
    return (struct gr_done){
        .kind = GR_DONE_UPDATE, .ticket = update->call.done.ticket, .call = update->call.id};
}

static struct gr_span timeout_or(struct gr_span asked, struct gr_span standard)
{
    return asked.ns > 0 ? asked : standard;
}

static void finish(struct gr_node *node, struct gr_update *update, struct gr_result *result)
{
    gr_done_tell(node, &update->call.done, result, true);
    gr_call_free(node, &update->call);
}

static bool condition_holds(
    enum gr_expire_condition condition, struct gr_wall old, struct gr_wall new)
{
    switch (condition) {
    case GR_EXPIRE_ALWAYS:
        return true;
    case GR_EXPIRE_NX:
        return old.ms == 0;
    case GR_EXPIRE_XX:
        return old.ms != 0;
    case GR_EXPIRE_GT:
        return old.ms != 0 && new.ms > old.ms;
    case GR_EXPIRE_LT:
        return old.ms == 0 || new.ms < old.ms;
    }
    gr_unreachable("a condition is one of these");
}

// What a command does to the value that it sees.
struct effect {
    bool write, remove, touch;
    enum gr_err err;
    struct gr_bytes value;
    struct gr_wall expires;
    int64_t integer;
};

static struct effect append(struct gr_update *update, const struct gr_sibling *old)
{
    struct gr_bytes add = update->request.value;
    size_t old_size = old == NULL ? 0 : old->value.size;
    if (old_size + add.size > GR_VALUE_BYTES_MAX)
        return (struct effect){.err = GR_ERR_LIMIT_VALUE};
    uint8_t *bytes = gr_arena_take(&update->call.arena, old_size + add.size);
    if (old_size > 0)
        memcpy(bytes, old->value.data, old_size);
    if (add.size > 0)
        memcpy(bytes + old_size, add.data, add.size);
    return (struct effect){
        .write = true,
        .value = gr_bytes(bytes, old_size + add.size),
        .expires = old == NULL ? (struct gr_wall){0} : old->expires,
        .integer = (int64_t)(old_size + add.size),
    };
}

// `old` is the value that the command sees, or NULL (V3).
static struct effect compute(struct gr_update *update, const struct gr_sibling *old)
{
    const struct gr_request *request = &update->request;
    struct gr_wall expires = request->expires;
    struct effect none = {0};
    switch (request->verb) {
    case GR_VERB_SET:
        if (request->xx && old == NULL)
            return none;
        if (request->keep_ttl && old != NULL)
            expires = old->expires;
        return (struct effect){.write = true, .value = request->value, .expires = expires};
    case GR_VERB_APPEND:
        return append(update, old);
    case GR_VERB_DELETE:
    case GR_VERB_GETDEL:
        return old == NULL ? none : (struct effect){.write = true, .remove = true, .integer = 1};
    case GR_VERB_EXPIRE:
        if (old == NULL || !condition_holds(request->condition, old->expires, expires))
            return none;
        break;
    case GR_VERB_PERSIST:
        if (old == NULL || old->expires.ms == 0)
            return none;
        expires.ms = 0;
        break;
    case GR_VERB_GETEX:
        if (old == NULL || (request->persist && old->expires.ms == 0))
            return none;
        if (request->persist)
            expires.ms = 0;
        break;
    }
    return (struct effect){
        .write = true, .touch = true, .value = old->value, .expires = expires, .integer = 1};
}

static void on_read(struct gr_node *node, struct gr_update *update, const struct gr_result *read)
{
    if (read->err != GR_OK) {
        struct gr_result failed = *read;
        failed.record = GR_RECORD_NOTHING;
        finish(node, update, &failed);
        return;
    }
    const struct gr_request *request = &update->request;
    const struct gr_sibling *winner = gr_record_winner(&read->record);
    const struct gr_sibling *old =
        winner != NULL && !gr_sibling_due(winner, node->wall) ? winner : NULL;
    struct effect effect = compute(update, old);
    update->result = (struct gr_result){
        .outcome = effect.err == GR_OK ? GR_DONE : GR_REJECTED,
        .err = effect.err,
        .acks = read->acks,
        .primaries = read->primaries,
        .needed = read->needed,
        .quorum = read->quorum,
        .reached = read->reached,
        .timeout = read->timeout,
        .existed = old != NULL,
        .integer = effect.integer,
        .old_value =
            old == NULL ? gr_bytes(NULL, 0) : gr_arena_copy(&update->call.arena, old->value),
        .expires = effect.write  ? effect.expires
                   : old == NULL ? (struct gr_wall){0}
                                 : old->expires,
        .now = node->wall,
    };
    if (!effect.write) {
        finish(node, update, &update->result);
        return;
    }
    update->writing = true;
    struct gr_request_id request_id = gr_node_request_id(node, request->id);
    struct gr_write write = {
        .id = request_id,
        .origin = {.id = request_id},
        .expires = effect.expires,
        .remove = effect.remove,
        .value = effect.value,
        .context = read->record.context,
        .w = request->w,
        .pw = request->pw,
        .dw = request->dw,
    };
    gr_hybrid above = gr_record_time_max(&read->record);
    if (effect.touch) {
        write.origin = winner->origin;
        write.touch = gr_node_hybrid(node, above);
    } else {
        write.origin.time = gr_node_hybrid(node, above);
    }
    struct gr_done done = done_of(update);
    gr_put_start(node, &done, &request->key, &write,
        timeout_or(request->timeout, node->config.write_timeout), false);
}

void gr_update_on_result(struct gr_node *node, uint64_t id, const struct gr_result *result)
{
    struct gr_update *update = gr_call_find(node, GR_CALL_UPDATE, id);
    gr_assert(update != NULL);
    if (!update->writing) {
        on_read(node, update, result);
        return;
    }
    struct gr_result *answer = &update->result;
    answer->outcome = result->outcome;
    answer->err = result->err;
    answer->acks = result->acks;
    answer->primaries = result->primaries;
    answer->durable = result->durable;
    answer->durable_needed = result->durable_needed;
    answer->needed = result->needed;
    answer->quorum = result->quorum;
    answer->reached = result->reached;
    answer->timeout = result->timeout;
    answer->written = result->written;
    finish(node, update, answer);
}

void gr_update_start(struct gr_node *node, const struct gr_request *request)
{
    struct gr_done done = gr_node_done(node, request);
    bool plain =
        request->verb == GR_VERB_SET && !request->xx && !request->keep_ttl && !request->want_old;
    if (plain) {
        struct gr_request_id id = gr_node_request_id(node, request->id);
        struct gr_write write = {
            .id = id,
            .origin = {gr_node_hybrid(node, 0), id},
            .expires = request->expires,
            .plain = true,
            .value = request->value,
            .w = request->w,
            .pw = request->pw,
            .dw = request->dw,
        };
        gr_put_start(node, &done, &request->key, &write,
            timeout_or(request->timeout, node->config.write_timeout), false);
        return;
    }
    if (!gr_node_has_room(node, request->value.size)) {
        struct gr_result busy = {.outcome = GR_REJECTED, .err = GR_ERR_BUSY, .now = node->wall};
        gr_done_tell(node, &done, &busy, true);
        return;
    }
    struct gr_update *update =
        gr_call_new(node, GR_CALL_UPDATE, sizeof *update, &done, (struct gr_span){INT64_MAX / 4});
    update->request = *request;
    update->request.key = gr_key_copy(&update->call.arena, &request->key);
    update->request.value = gr_arena_copy(&update->call.arena, request->value);
    gr_call_account(node, &update->call);
    struct gr_get_options options = {
        .r = request->r,
        .pr = request->pr,
        .timeout = timeout_or(request->timeout, node->config.read_timeout),
    };
    struct gr_done inner = done_of(update);
    gr_get_start(node, &inner, &update->request.key, &options);
}
