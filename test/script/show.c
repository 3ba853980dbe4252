// Effects as lines of a golden script; see play.h.
#include <string.h>

#include "test/script/play.h"

static void show_write(struct text *text, const struct gr_write *write)
{
    if (write->remove)
        text_add(text, " delete");
    else
        text_add(text, " =");
    text_bytes(text, write->value);
    text_add(text, "@");
    text_hybrid(text, write->origin.time);
    if (write->touch != 0) {
        text_add(text, "+");
        text_hybrid(text, write->touch);
    }
    if (write->expires.ms != 0)
        text_add(text, "!%lld", (long long)(write->expires.ms - SCRIPT_WALL_MS));
    if (write->plain)
        text_add(text, " plain");
    else {
        text_add(text, " ");
        text_context(text, &write->context);
    }
    if (gr_quorum_by_site(write->w))
        text_add(text, " w=%s", write->w == GR_QUORUM_LOCAL ? "local" : "each");
    else
        text_add(text, " w=%d", write->w);
    if (write->pw != 0)
        text_add(text, " pw=%d", write->pw);
    if (write->dw != 0)
        text_add(text, " dw=%d", write->dw);
}

static void show_page(struct text *text, struct words *words, const struct gr_message *m)
{
    text_add(text, " ");
    text_context(text, &m->context);
    text_add(text, " end=");
    text_cursor(text, words, m->cursor);
    for (uint32_t i = 0; i < m->entry_count; i++) {
        text_add(text, " ");
        text_bytes(text, m->entry[i].key.key);
        text_add(text, " ");
        text_record(text, &m->entry[i].record);
    }
}

static void show_outcome(struct text *text, enum gr_outcome outcome, enum gr_err err)
{
    static const char *const name[] = {"done", "rejected", "indeterminate"};
    text_add(text, " %s", name[outcome]);
    if (outcome != GR_DONE || err != GR_OK) {
        text_add(text, " ");
        text_err(text, err);
    }
}

static const char *const type_name[GR_MSG_TYPE_COUNT] = {
    [GR_MSG_FORWARD] = "forward",
    [GR_MSG_FORWARDED] = "forwarded",
    [GR_MSG_DELTA] = "delta",
    [GR_MSG_ACK] = "ack",
    [GR_MSG_READ] = "read",
    [GR_MSG_STATE] = "state",
    [GR_MSG_REPAIR] = "repair",
    [GR_MSG_SCAN] = "scan",
    [GR_MSG_PAGE] = "page",
    [GR_MSG_COUNT] = "count",
    [GR_MSG_COUNTED] = "counted",
    [GR_MSG_ACKED] = "acked",
};

// How many of them are durable is said where that is not all.
static void show_acks(struct text *text, uint8_t acks, uint8_t durable)
{
    text_add(text, " acks=%d", acks);
    if (durable != acks)
        text_add(text, " synced=%d", durable);
}

static void show_answer(struct text *text, struct words *words, const struct gr_message *m)
{
    text_add(text, " #%llu", (unsigned long long)m->id);
    if (m->type == GR_MSG_FORWARDED) {
        show_outcome(text, m->outcome, m->status);
        show_acks(text, m->acks, m->outcome == GR_REJECTED ? m->acks : m->durable_acks);
        if (m->reached != m->acks && m->outcome != GR_REJECTED)
            text_add(text, " reached=%d", m->reached);
        if (m->primaries != m->acks && m->outcome != GR_REJECTED)
            text_add(text, " primaries=%d", m->primaries);
        text_add(text, "%s ", m->settled ? " settled" : "");
        text_context(text, &m->record.context);
        if (m->status == GR_ERR_TIME_BEHIND) {
            text_add(text, " needed=");
            text_hybrid(text, m->hybrid_needed);
        }
        return;
    }
    if (m->type == GR_MSG_ACKED) {
        show_acks(text, m->acks, m->durable_acks);
        text_add(text, "%s", m->settled ? " settled" : "");
        return;
    }
    text_add(text, " ");
    text_err(text, m->status);
    if (m->status != GR_OK)
        return;
    if (m->type == GR_MSG_ACK)
        text_add(text, "%s", m->durable ? " durable" : "");
    else if (m->type == GR_MSG_PAGE)
        show_page(text, words, m);
    else if (m->type == GR_MSG_COUNTED)
        text_add(text, " %lld", (long long)m->count);
    else {
        text_add(text, " ");
        text_record(text, &m->record);
    }
}

static void show_message(struct text *text, struct words *words, const struct gr_message *m)
{
    bool answers = m->type == GR_MSG_FORWARDED || m->type == GR_MSG_ACK ||
                   m->type == GR_MSG_STATE || m->type == GR_MSG_PAGE || m->type == GR_MSG_COUNTED ||
                   m->type == GR_MSG_ACKED;
    if (answers) {
        show_answer(text, words, m);
        return;
    }
    text_add(text, " ");
    text_name(text, &words->calls, 'c', m->id);
    if (m->type == GR_MSG_COUNT) {
        for (uint32_t i = 0; i < m->partition_count; i++)
            text_add(text, " p%d", m->partition_list[i]);
        return;
    }
    if (m->type == GR_MSG_SCAN) {
        text_add(text, " p%u from=", m->partition);
        text_cursor(text, words, m->cursor);
        text_add(text, " limit=%u", m->limit);
        return;
    }
    text_add(text, " ");
    text_bytes(text, m->key.key);
    if (m->type == GR_MSG_FORWARD) {
        show_write(text, &m->write);
    } else if (m->type == GR_MSG_READ) {
        text_add(text, "%s", m->bare ? " bare" : "");
    } else {
        if (m->type == GR_MSG_DELTA) {
            text_add(text, " ");
            text_dot(text, &m->dot);
        }
        text_add(text, " ");
        text_record(text, &m->record);
        text_add(text, "%s", m->durable ? " durable" : "");
    }
    for (uint32_t i = 0; i < m->relay_count; i++)
        text_add(text, "%s%d", i == 0 ? " relay=" : ",", words_place(m->relay_list[i]));
    if (m->asked_by != 0)
        text_add(text, " by=%d", words_place(m->asked_by));
    if (m->owed_to != 0)
        text_add(text, " for=%d", words_place(m->owed_to));
    if (m->type != GR_MSG_REPAIR)
        text_add(text, " within=%ums", m->deadline_ms);
}

static void show_send(struct text *text, struct words *words, const struct gr_effect *effect)
{
    const struct gr_message *m = effect->message;
    const char *name = entropy_name(m->type);
    text_add(text, "send %d %s", effect->peer, name != NULL ? name : type_name[m->type]);
    if (name != NULL)
        entropy_show(text, words, m);
    else
        show_message(text, words, m);
    if (m->to != 1000u + effect->peer)
        text_add(text, " to=%llu", (unsigned long long)m->to);
}

static void show_due(struct text *text, const char *name, const struct gr_wall *due, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        text_add(
            text, " %s=%lld", name, (long long)(gr_wall_minute(due[i]) - SCRIPT_WALL_MS / 60000));
}

// The owners, and the write that is kept for each of them.
static void show_hints(struct text *text, const struct gr_store_write *write)
{
    if (write->hint_count == 0)
        return;
    const struct gr_hint *hint = write->hint;
    text_add(text, write->hint_remove ? " unhint" : " hint");
    for (uint32_t i = 0; i < write->hint_count; i++)
        text_add(text, "%s%d", i == 0 ? " for=" : ",", words_place(hint[i].owner));
    text_add(text, " ");
    text_bytes(text, hint->key.key);
    text_add(text, " ");
    text_dot(text, &hint->dot);
    if (write->hint_remove)
        return;
    text_add(text, " ");
    text_record(text, &hint->record);
    text_add(text, " since=%lld", (long long)(hint->since.ms - SCRIPT_WALL_MS));
}

static void show_store_write(struct text *text, const struct gr_store_write *write)
{
    text_add(text, "write w%llu ", (unsigned long long)write->number);
    text_bytes(text, write->key.key);
    bool keyed = write->key.key.size > 0;
    if (!keyed && write->hint_count == 0)
        text_add(text, "clocks");
    else if (keyed && write->record == NULL) {
        text_add(text, " gone");
    } else if (keyed) {
        text_add(text, " ");
        text_record(text, write->record);
    }
    show_hints(text, write);
    for (uint32_t i = 0; i < write->row_count; i++) {
        const struct gr_clock_row *row = write->row[i];
        text_add(text, "%s%c:%llu", i == 0 ? " clock=" : ",", (char)row->actor.store,
            (unsigned long long)row->base);
        for (uint32_t k = 0; k < row->interval_count; k++)
            text_add(text, "+%llu..%llu", (unsigned long long)row->interval[k].first,
                (unsigned long long)row->interval[k].last);
    }
    if (write->drawn != NULL)
        text_add(text, " counter=%llu", (unsigned long long)write->counter);
    if (keyed || write->hint_count == 0)
        text_add(text, " keys=%lld", (long long)write->count);
    for (uint32_t p = 0; write->holds != NULL && p < write->holds->words * 64; p++) {
        if (write->holds->held[p / 64] >> (p % 64) & 1)
            text_add(text, " held=p%u", p);
        if (write->holds->dropping[p / 64] >> (p % 64) & 1)
            text_add(text, " dropping=p%u", p);
    }
    if (write->owed_changed)
        text_add(text, write->owed == NULL ? " owes-nothing" : " owes=");
    for (uint32_t i = 0; write->owed != NULL && i < write->owed->count; i++)
        text_add(text, "%s%c:%llu", i == 0 ? "" : ",", (char)write->owed->row[i].actor.store,
            (unsigned long long)write->owed->row[i].base);
    show_due(text, "due", write->due_add, write->due_add_count);
    show_due(text, "undue", write->due_remove, write->due_remove_count);
    if (write->leftover != 0)
        text_add(text, write->leftover > 0 ? " leftover" : " stripped");
    if (!write->sync)
        text_add(text, " lazy");
}

static void show_scan(struct text *text, struct words *words, const struct gr_effect *effect)
{
    static const char *const kind[] = {"records", "due", "leftover", "hints"};
    text_add(text, "scan ");
    text_name(text, &words->scans, 's', effect->ticket);
    text_add(text, " %s", kind[effect->scan]);
    if (effect->scan == GR_SCAN_DUE) {
        text_add(text, " until=%lld skip=%llu", (long long)(effect->wall.ms - SCRIPT_WALL_MS),
            (unsigned long long)effect->cursor);
    } else if (effect->scan == GR_SCAN_HINTS) {
        text_add(text, " for=%d ", words_place(effect->owner));
        text_bytes(text, effect->key.key);
        if (effect->key.key.size == 0) {
            text_add(text, "from=");
            text_cursor(text, words, effect->cursor);
        }
    } else {
        text_add(text, " p%u", effect->partition);
        if (effect->scan == GR_SCAN_LEFTOVER && effect->cursor > 0)
            text_add(text, " skip=%llu", (unsigned long long)effect->cursor);
        if (effect->scan == GR_SCAN_RECORDS) {
            text_add(text, " from=");
            text_cursor(text, words, effect->cursor);
        }
    }
    text_add(text, " limit=%u", effect->limit);
}

static void show_update(struct text *text, const struct gr_result *r)
{
    text_add(text, "%s%s integer=%lld", r->existed ? " existed" : "", r->written ? " written" : "",
        (long long)r->integer);
    if (r->existed) {
        text_add(text, " old=");
        text_bytes(text, r->old_value);
    }
    if (r->expires.ms != 0)
        text_add(text, " expires=%lld", (long long)(r->expires.ms - SCRIPT_WALL_MS));
}

static void show_result(struct text *text, struct words *words, const struct gr_result *r)
{
    text_add(text, "reply %llu", (unsigned long long)r->ticket);
    show_outcome(text, r->outcome, r->err);
    if (r->op != GR_OP_COUNT)
        text_add(text, " %d/%d", r->acks, r->needed);
    if (r->err == GR_ERR_READ_QUORUM)
        text_add(text, r->timeout.ns > 0 ? " waited" : " at-once");
    bool votes = r->op == GR_OP_GET || r->op == GR_OP_PUT || r->op == GR_OP_UPDATE;
    if (gr_quorum_by_site(r->quorum))
        text_add(text, " reached=%d", r->reached);
    if (votes && r->primaries != r->acks && r->outcome != GR_REJECTED)
        text_add(text, " primaries=%d", r->primaries);
    if ((r->written || r->outcome == GR_INDETERMINATE) && r->durable != r->acks)
        text_add(text, " synced=%d", r->durable);
    if (r->outcome != GR_DONE)
        return;
    switch (r->op) {
    case GR_OP_GET:
        text_add(text, " ");
        text_record(text, &r->record);
        break;
    case GR_OP_PUT:
        text_add(text, " ");
        text_context(text, &r->record.context);
        break;
    case GR_OP_UPDATE:
        show_update(text, r);
        break;
    case GR_OP_SCAN:
        for (uint32_t i = 0; i < r->key_count; i++) {
            text_add(text, " ");
            text_bytes(text, r->key[i].key);
        }
        text_add(text, " next=");
        text_cursor(text, words, r->cursor);
        break;
    case GR_OP_COUNT:
        text_add(text, " %lld", (long long)r->count);
        break;
    case GR_OP_EXPLAIN:
        for (uint32_t i = 0; i < r->view_count; i++) {
            text_add(text, " | %d ", r->view[i].member);
            if (r->view[i].err != GR_OK)
                text_err(text, r->view[i].err);
            else
                text_record(text, &r->view[i].record);
        }
        break;
    }
}

void show_effect(struct words *words, struct effects *effects, const struct gr_effect *effect)
{
    struct text text = {.size = 0};
    switch (effect->type) {
    case GR_EFFECT_SEND:
        show_send(&text, words, effect);
        break;
    case GR_EFFECT_WRITE:
        show_store_write(&text, effect->write);
        break;
    case GR_EFFECT_READ:
        text_add(&text, "read ");
        text_name(&text, &words->reads, 't', effect->ticket);
        text_add(&text, " ");
        text_bytes(&text, effect->key.key);
        text_add(&text, "%s", effect->bare ? " bare" : "");
        break;
    case GR_EFFECT_SCAN:
        show_scan(&text, words, effect);
        break;
    case GR_EFFECT_REPLY:
        show_result(&text, words, effect->result);
        break;
    case GR_EFFECT_ACKED:
        text_add(&text, "acked %llu %d", (unsigned long long)effect->ticket, effect->acks);
        if (effect->durable != effect->acks)
            text_add(&text, " synced=%d", effect->durable);
        break;
    case GR_EFFECT_HOLDS:
        text_add(&text, "holds");
        for (uint32_t p = 0; p < effect->holds->words * 64; p++)
            if (effect->holds->held[p / 64] >> (p % 64) & 1)
                text_add(&text, " p%u", p);
        if (effect->holds->bare_in != 0)
            text_add(&text, " bare-in=%llu", (unsigned long long)effect->holds->bare_in);
        break;
    case GR_EFFECT_LOG:
        text_add(&text, "log %s", effect->text);
        break;
    }
    gr_assert(effects->count < EFFECTS_MAX);
    struct gr_bytes copy = gr_arena_copy(words->arena, gr_bytes(text.data, text.size + 1));
    effects->text[effects->count++] = (const char *)copy.data;
}
