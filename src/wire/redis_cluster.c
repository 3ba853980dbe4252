// The Redis face: GR.CLUSTER, the operator's view of members and the ring (§4.8.1, §4.9, §6.2).
//
//   GR.CLUSTER SHOW        the members, what each owns, and what is staged
//   GR.CLUSTER STAGE ...   one change more; GR.CLUSTER CANCEL: none at all
//   GR.CLUSTER PLAN        what would become of it
//   GR.CLUSTER COMMIT      it becomes the next ring; with the name of a plan only if it is that
//   GR.CLUSTER HISTORY     the last rings, and those that lost against another one
//   GR.CLUSTER TRANSFERS   what changes hands at this node
//   GR.CLUSTER SETTINGS    what the whole cluster goes by; GR.CLUSTER SET changes it
//
// Names and numbers are for programs: the command `gramme cluster` makes sentences of them.
//
// I1. What is not known is nil, never a number.
//
// Owns nothing: see redis.c. Bounds: those of core/layout.h.
#include <string.h>

#include "wire/agreed.h"
#include "wire/redis_inside.h"

// ---- parts of replies ------------------------------------------------------------------------

static void text(const struct gr_resp *resp, const char *name, const char *value)
{
    gr_resp_text(resp, name);
    gr_resp_text(resp, value);
}

static void number(const struct gr_resp *resp, const char *name, uint64_t value)
{
    gr_resp_text(resp, name);
    gr_resp_integer(resp, (int64_t)value);
}

static void number_if(const struct gr_resp *resp, const char *name, bool known, int64_t value)
{
    gr_resp_text(resp, name);
    if (known)
        gr_resp_integer(resp, value);
    else
        gr_resp_null(resp);
}

static const struct gr_cluster_view *view_of(struct gr_redis *session)
{
    return session->host.cluster(session->host.host);
}

// Short names first, then by letters (gr_ring_by_name).
static bool is_shown_before(const char *a, const char *b)
{
    size_t left = strlen(a), right = strlen(b);
    return left != right ? left < right : strcmp(a, b) < 0;
}

// What a member has of a layout, in places of preference lists.
struct part {
    uint32_t owns, first, comes, goes;
};

static bool stands_in(const uint16_t *list, uint8_t n, int place)
{
    for (uint8_t i = 0; i < n; i++)
        if (list[i] == place)
            return true;
    return false;
}

// `was`: the member's place in the layout before, or -1; NULL: there is none to compare with.
static struct part part_of(
    const struct gr_layout *layout, int place, const struct gr_layout *before, int was)
{
    struct part part = {0};
    for (uint32_t p = 0; p < layout->partitions; p++) {
        const uint16_t *list = layout->owner + (size_t)p * layout->n;
        bool is = stands_in(list, layout->n, place);
        bool had =
            before != NULL && stands_in(before->owner + (size_t)p * before->n, before->n, was);
        part.owns += is;
        part.first += list[0] == place && place >= 0;
        part.comes += is && !had;
        part.goes += had && !is;
    }
    return part;
}

static void reply_labels(const struct gr_resp *resp, const char *name, const char *host,
    const char *rack, const char *site, uint32_t weight)
{
    text(resp, "name", name);
    text(resp, "host", host);
    text(resp, "rack", rack);
    text(resp, "site", site);
    number(resp, "weight", weight);
}

// The places of the members of a layout that are not out, as people are shown them; how many.
static uint16_t order_of(const struct gr_layout *layout, uint16_t *ret)
{
    uint16_t count = 0;
    for (uint16_t m = 0; m < layout->member_count; m++) {
        uint16_t at = count;
        if (layout->member[m].out)
            continue;
        for (; at > 0 && is_shown_before(layout->member[m].name, layout->member[ret[at - 1]].name);
             at--)
            ret[at] = ret[at - 1];
        ret[at] = m;
        count++;
    }
    return count;
}

// ---- looking ---------------------------------------------------------------------------------

GR_REDIS_RUN(gr_cluster_show)
{
    const struct gr_cluster_view *view = view_of(session);
    const struct gr_layout *now = view->now;
    uint16_t order[GR_MEMBERS_MAX];
    uint16_t count = order_of(now, order);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, 7);
    number(&resp, "version", now->version);
    number(&resp, "partitions", now->partitions);
    number(&resp, "n", now->n);
    text(&resp, "node",
        session->host.ring(session->host.host)
            ->member[session->host.self(session->host.host)]
            .name);
    gr_resp_text(&resp, "staged");
    if (view->staged != NULL)
        gr_resp_text(&resp, view->staged->what);
    else
        gr_resp_null(&resp);
    gr_resp_text(&resp, "members");
    gr_resp_array(&resp, count);
    for (uint16_t i = 0; i < count; i++) {
        const struct gr_layout_member *member = &now->member[order[i]];
        struct part part = part_of(now, order[i], NULL, -1);
        gr_resp_map(&resp, 7);
        reply_labels(&resp, member->name, member->host, member->rack, member->site, member->weight);
        number(&resp, "partitions", part.owns);
        number(&resp, "first", part.first);
    }
    gr_resp_text(&resp, "guests");
    gr_resp_array(&resp, view->guest_count);
    for (uint16_t i = 0; i < view->guest_count; i++) {
        const struct gr_card *card = &view->guest[i];
        gr_resp_map(&resp, 5);
        reply_labels(&resp, card->name, card->host, card->rack, card->site, card->weight);
    }
}

static void reply_notes(const struct gr_resp *resp, const struct gr_cluster_view *view)
{
    gr_resp_text(resp, "notes");
    gr_resp_array(resp, view->note_count);
    for (uint32_t i = 0; i < view->note_count; i++)
        gr_resp_text(resp, view->note[i]);
}

static void reply_next(const struct gr_resp *resp, const struct gr_cluster_view *view)
{
    const struct gr_layout *now = view->now, *next = view->next;
    uint16_t order[GR_MEMBERS_MAX], gone = 0;
    uint16_t count = order_of(next, order);
    for (uint16_t m = 0; m < next->member_count; m++)
        if (next->member[m].out)
            order[count + gone++] = m; // who goes stands last
    gr_resp_text(resp, "members");
    gr_resp_array(resp, (size_t)count + gone);
    for (uint16_t i = 0; i < count + gone; i++) {
        const struct gr_layout_member *member = &next->member[order[i]];
        int was = gr_layout_find(now, member->id);
        struct part before = part_of(now, was, NULL, -1);
        struct part part = part_of(next, order[i], now, was);
        gr_resp_map(resp, 9);
        reply_labels(resp, member->name, member->host, member->rack, member->site,
            member->out ? 0 : member->weight);
        number(resp, "now", was >= 0 ? before.owns : 0);
        number(resp, "then", part.owns);
        number(resp, "comes", part.comes);
        number(resp, "goes", part.goes);
    }
    number(resp, "moves", view->placement.moves);
    number(resp, "ideal", view->placement.ideal);
    number(resp, "hosts", view->placement.hosts_max);
    number_if(resp, "keys", view->estimated, (int64_t)view->keys);
    number_if(resp, "bytes", view->estimated, (int64_t)view->bytes);
    number_if(resp, "seconds", view->estimated, (int64_t)view->seconds);
    number_if(resp, "seconds-busy", view->estimated, (int64_t)view->seconds_busy);
}

GR_REDIS_RUN(gr_cluster_plan)
{
    const struct gr_cluster_view *view = view_of(session);
    if (view->staged == NULL) {
        gr_redis_fail(cmd, "ERR nothing is staged");
        return;
    }
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, view->next != NULL ? 14 : 6);
    text(&resp, "plan", view->plan);
    text(&resp, "what", view->staged->what);
    number(&resp, "version", view->now->version + 1);
    number(&resp, "n", view->staged->n);
    number(&resp, "partitions", view->now->partitions);
    reply_notes(&resp, view);
    if (view->next != NULL)
        reply_next(&resp, view);
}

static void reply_step(
    const struct gr_resp *resp, const struct gr_layout_step *step, const struct gr_lost *lost)
{
    gr_resp_map(resp, 5);
    number(resp, "version", step->version);
    number_if(resp, "at", step->at.ms != 0, step->at.ms);
    text(resp, "by", step->by);
    text(resp, "what", step->what);
    number_if(resp, "lost-to", lost != NULL, lost != NULL ? (int64_t)lost->to_version : 0);
}

GR_REDIS_RUN(gr_cluster_history)
{
    const struct gr_cluster_view *view = view_of(session);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, (size_t)view->now->step_count + view->lost_count);
    for (uint32_t i = 0; i < view->now->step_count; i++) {
        const struct gr_layout_step *step = &view->now->step[i];
        reply_step(&resp, step, NULL);
        for (uint32_t k = 0; k < view->lost_count; k++)
            if (view->lost[k].step.version == step->version)
                reply_step(&resp, &view->lost[k].step, &view->lost[k]);
    }
    // Of versions that the last steps do not reach back to.
    for (uint32_t k = 0; k < view->lost_count; k++) {
        bool shown = false;
        for (uint32_t i = 0; i < view->now->step_count; i++)
            shown |= view->lost[k].step.version == view->now->step[i].version;
        if (!shown)
            reply_step(&resp, &view->lost[k].step, &view->lost[k]);
    }
}

GR_REDIS_RUN(gr_cluster_transfers)
{
    const struct gr_node *of = session->host.node(session->host.host);
    if (of == NULL) {
        gr_redis_fail(cmd, "LOADING this node has no run yet");
        return;
    }
    struct gr_transfer_view view = gr_node_transfers(of);
    struct gr_repair_view repair;
    gr_repair_look(of, session->host.now(session->host.host), &repair);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_map(&resp, 8);
    number(&resp, "version", session->host.ring(session->host.host)->version);
    number(&resp, "wanted", view.wanted);
    number(&resp, "gained", view.gained);
    number(&resp, "leaving", view.leaving);
    number(&resp, "keys", repair.total[GR_REPAIR_KEYS_IN]);
    number(&resp, "bytes", repair.total[GR_REPAIR_BYTES_IN]);
    number(&resp, "keys-per-second", repair.keys_per_second);
    number_if(
        &resp, "seconds-left", view.wanted > 0 && repair.left_s != GR_PACE_UNKNOWN, repair.left_s);
}

// ---- changing --------------------------------------------------------------------------------

static void ask(
    struct gr_redis *session, struct gr_redis_command *cmd, const struct gr_stage_ask *what)
{
    char why[GR_PLAN_WHY_BYTES] = "";
    const char *failed = session->host.stage(session->host.host, what, why);
    if (failed != NULL)
        gr_redis_fail(cmd, "ERR %s", failed);
    else
        gr_redis_run_ok(session, cmd);
}

GR_REDIS_RUN(gr_cluster_cancel)
{
    ask(session, cmd, &(struct gr_stage_ask){.what = GR_STAGE_CANCEL});
}

// A name or label: printable and without spaces, and if `needed` not empty. False: failed.
static bool take_word(struct gr_redis_command *cmd, struct gr_bytes word, bool needed,
    char ret[GR_NAME_BYTES_MAX + 1])
{
    bool good = word.size <= GR_NAME_BYTES_MAX && (word.size > 0 || !needed);
    for (size_t i = 0; i < word.size && good; i++)
        good = word.data[i] > ' ' && word.data[i] <= '~';
    if (!good) {
        gr_redis_fail(cmd, "ERR a name or label is a word of at most %d printable letters",
            GR_NAME_BYTES_MAX);
        return false;
    }
    memset(ret, 0, GR_NAME_BYTES_MAX + 1);
    if (word.size > 0)
        memcpy(ret, word.data, word.size);
    return true;
}

static bool take_weight(struct gr_redis_command *cmd, struct gr_bytes word, uint32_t *ret_weight)
{
    int64_t weight = 0;
    if (!gr_decimal_read(word, &weight) || weight < 1 || weight > GR_WEIGHT_MAX) {
        gr_redis_fail(cmd, "ERR a weight is a number from 1 to %d", GR_WEIGHT_MAX);
        return false;
    }
    *ret_weight = (uint32_t)weight;
    return true;
}

GR_REDIS_RUN(gr_cluster_commit)
{
    struct gr_stage_ask what = {.what = GR_STAGE_COMMIT};
    if (cmd->arg_count > 3)
        gr_redis_fail_syntax(cmd);
    else if (cmd->arg_count == 2 || take_word(cmd, cmd->arg[2], true, what.name))
        ask(session, cmd, &what);
}

GR_REDIS_RUN(gr_cluster_stage)
{
    static const struct {
        const char *word;
        enum gr_change_op op;
        uint32_t least, most; // words behind the name
    } ops[] = {{"join", GR_CHANGE_JOIN, 0, 1}, {"leave", GR_CHANGE_LEAVE, 0, 0},
        {"remove", GR_CHANGE_REMOVE, 0, 0}, {"weight", GR_CHANGE_WEIGHT, 1, 1},
        {"move", GR_CHANGE_MOVE, 1, 2}};
    struct gr_stage_ask what = {.what = GR_STAGE_CHANGE};
    uint32_t more = cmd->arg_count - 4, at = 0;
    while (at < GR_COUNT(ops) && !gr_redis_is(cmd->arg[2], ops[at].word))
        at++;
    if (at == GR_COUNT(ops) || more < ops[at].least || more > ops[at].most) {
        gr_redis_fail_syntax(cmd);
        return;
    }
    what.op = ops[at].op;
    if (!take_word(cmd, cmd->arg[3], true, what.name))
        return;
    if (what.op == GR_CHANGE_MOVE) {
        if (!take_word(cmd, cmd->arg[4], false, what.site) ||
            (more > 1 && !take_word(cmd, cmd->arg[5], false, what.rack)))
            return;
    } else if (more > 0 && !take_weight(cmd, cmd->arg[4], &what.weight)) {
        return;
    }
    ask(session, cmd, &what);
}

// ---- settings of the cluster -----------------------------------------------------------------

// N belongs to the ring: its version is that of the ring with which it came.
static void reply_n(const struct gr_resp *resp, const struct gr_layout *now)
{
    const struct gr_layout_step *step = NULL;
    for (uint32_t i = now->step_count; i-- > 0 && step == NULL;)
        if (gr_stage_says_n(now->step[i].what))
            step = &now->step[i];
    bool is_set = step != NULL, known = now->version > 0;
    bool is_first = !is_set && known && now->step[0].version == 1;
    gr_resp_map(resp, 6);
    text(resp, "name", "n");
    gr_resp_text(resp, "value");
    char value[4] = {(char)('0' + now->n % 10)};
    gr_resp_text(resp, value);
    // The steps do not reach back for ever.
    text(resp, "origin", is_set ? "set" : is_first ? "cluster file" : "ring");
    text(resp, "by", is_set ? step->by : "");
    number_if(resp, "at", is_set, is_set ? step->at.ms : 0);
    number(resp, "version", is_set ? step->version : is_first);
}

GR_REDIS_RUN(gr_cluster_settings)
{
    const struct gr_cluster_view *view = view_of(session);
    struct gr_resp resp = gr_redis_reply(session, cmd);
    gr_resp_array(&resp, GR_AGREED_KEYS);
    reply_n(&resp, view->now);
    for (int key = 1; key < GR_AGREED_KEYS; key++) {
        const struct gr_agreed *agreed = &view->agreed[key];
        char value[GR_AGREED_TEXT];
        gr_agreed_print((enum gr_agreed_key)key, agreed->value, value);
        gr_resp_map(&resp, 6);
        text(&resp, "name", gr_agreed_name((enum gr_agreed_key)key));
        text(&resp, "value", value);
        bool in_file = key <= GR_AGREED_SYNC_INTERVAL;
        text(&resp, "origin", agreed->version > 0 ? "set" : in_file ? "cluster file" : "default");
        text(&resp, "by", agreed->by);
        number_if(&resp, "at", agreed->version > 0, agreed->at.ms);
        number(&resp, "version", agreed->version);
    }
}

// Staged, because data move.
static void set_n(struct gr_redis *session, struct gr_redis_command *cmd)
{
    int64_t n = 0;
    if (gr_decimal_read(cmd->arg[3], &n) && n > 0 && n <= GR_REPLICAS_MAX)
        ask(session, cmd, &(struct gr_stage_ask){.what = GR_STAGE_N, .value = (uint32_t)n});
    else
        gr_redis_fail(cmd, "ERR n is a number from 1 to %d", GR_REPLICAS_MAX);
}

GR_REDIS_RUN(gr_cluster_set)
{
    struct gr_stage_ask what = {.what = GR_STAGE_SET};
    if (gr_redis_is(cmd->arg[2], "n")) {
        set_n(session, cmd);
        return;
    }
    for (int key = 1; key < GR_AGREED_KEYS; key++)
        if (gr_redis_is(cmd->arg[2], gr_agreed_name((enum gr_agreed_key)key)))
            what.key = (enum gr_agreed_key)key;
    if (what.key == 0)
        gr_redis_fail(cmd, "ERR there is no such setting; there are n, " GR_AGREED_NAMES);
    else if (!gr_agreed_read(what.key, cmd->arg[3], &what.value))
        gr_redis_fail(cmd, "ERR %s is %s", gr_agreed_name(what.key), gr_agreed_possible(what.key));
    else
        ask(session, cmd, &what);
}
