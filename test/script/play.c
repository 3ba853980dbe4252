// Playing a golden script: one node, driven by hand; see play.h.
//
// A line is an event, or "> " and an effect; a script is read from top to bottom, so that the
// effects of an event stand under it. Everything that the node puts out must be expected, in its
// order, and nothing may be missing. "# " begins a comment.
//
//   canaries early-ok no-dedupe          rules whose absence this script must notice (script.c)
//   ring q=8 n=3 members=4 self=0 [r=2 w=2 calls= memory= queue= headers= hints= durability=
//        slices= sweep exchange= grace= scrub= sites=aabb]
//                                        the first event; `sweep`: housekeeping's scans are shown
//                                        too; `slices`: of it, that may begin in a second;
//                                        `sites`: a letter for each member. R and W may be `local`
//                                        and `each`
//   at 20ms                              time passes; due timers fire on the way
//   skew 500ms                           the time of day goes ahead of the node's own clock
//   links up, link 1 down, store no_space
//   link 1 up run=2001                   peer 1 is in another run than 1001; what is sent to it
//                                        then shows `to=2001`
//   link 1 up old                        the version of the link can say nothing of enum gr_says
//   client 7 get foo [r= pr= timeout=]   7 is the ticket; `waited=` (of all requests): in the host
//   client 7 put foo x [context={..} w= pw= dw= expires= timeout=], client 7 remove foo [...]
//   client 7 set foo x [xx keepttl get expires=], del, append, expire foo 60000 [nx|xx|gt|lt],
//            persist, getex foo [expires=|persist], getdel, explain, scan [from= limit=], count
//   read t1 RECORD | ERROR               the disk answers; `absent`: there is no such row
//   page s1 foo bar [due=60000]          keys of an index; KEY*128 stands for KEY0 ... KEY127
//   page s1 CONTEXT end=p3 [holds=W] foo RECORD .. records of a partition; of which writes
//   page s1 hints foo 1:4 RECORD .. for=2 [since=5 end=at:bar]
//                                        hints owed to member 2; without end=, there are no more
//   applied w3, synced w3
//   load clock foo 1:1-3 | leftover foo | count foo 5 | hint foo 1:4 RECORD for=2 [since=]
//                                        before the first event
//   from 1 delta #7 foo 1:4 RECORD [durable] [for=2] [relay=2,3] [by=4], read #7 foo [bare]
//          [for=2],
//          repair #7 foo RECORD,
//          forward #7 foo x|- [dot= origin= touch= expires= plain w= pw= dw= context=], scan,
//          count, ack c1 ok [durable]|ERROR, state c1 RECORD|ERROR,
//          forwarded c1 done|rejected ERROR|indeterminate ERROR [acks= primaries= synced= settled
//          context= needed=], page c1 ..., counted c1 5    a peer says; `hybrid=`, `within=`,
//          `to=`: of the frame; `waited=`: in the host
//          probe .. joined              of anti-entropy: see entropy.c
//   ring ... newcomer                    nothing is held but what is loaded
//   load holds p0 [p1] [dropping=p2]     before the first event
//   adopt [n=4] p0=3,1,2 [p1=..] [out=4] the ring that follows, with that N and those lists
//   agreed [r=2 w=2 durability= value_max= siblings_max=]
//                                        what the cluster goes by from now on
//   says 3 p0 p1 [run=1003] [bare-in=1]  member 3 says that it holds these, and in which ring it
//                                        last held nothing
//   again                                the last frame comes a second time
//   repair run|scrub [p0]                an operator asks, for one partition or for all
//   stats                                > stats calls=0 memory=0
//   debts                                > debt 2 count=1 bytes=99 oldest=5, or > no debts
#include "test/script/play.h"

#include "test/script/load.h"
#include "test/script/rings.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SCRIPT_RUN "7" // the node's; a peer's is 1000 and its number

struct player {
    struct gr_arena arena;
    struct words words;
    struct effects effects;
    struct gr_ring ring;
    struct gr_ring adopted[RINGS_MAX];
    int adopted_count;
    struct gr_node *node;
    struct gr_instant now;
    int64_t skew_ms;
    bool show_sweep;
    uint64_t sweep_ticket; // of a scan of housekeeping that is answered at once with nothing
    bool sweep_asked;
    uint64_t sequence[GR_MEMBERS_MAX];
    struct gr_message last;
    uint16_t last_peer;
    struct gr_span last_waited;
};

// ---- driving the node ------------------------------------------------------------------------

static void emit(void *host, const struct gr_effect *effect)
{
    struct player *player = host;
    bool sweeps = effect->type == GR_EFFECT_SCAN && effect->scan != GR_SCAN_RECORDS &&
                  effect->scan != GR_SCAN_HINTS;
    if (sweeps && !player->show_sweep) {
        player->sweep_asked = true;
        player->sweep_ticket = effect->ticket;
        return;
    }
    show_effect(&player->words, &player->effects, effect);
}

static void step(struct player *player, struct gr_event event)
{
    struct gr_sink sink = {emit, player};
    event.now = player->now;
    event.wall.ms = SCRIPT_WALL_MS + player->now.ns / 1000000 + player->skew_ms;
    gr_node_step(player->node, &event, &sink);
    while (player->sweep_asked) {
        player->sweep_asked = false;
        struct gr_event page = {.type = GR_EVENT_SCAN_DONE, .ticket = player->sweep_ticket};
        page.now = event.now;
        page.wall = event.wall;
        gr_node_step(player->node, &page, &sink);
    }
}

static void pass_time(struct player *player, int64_t ms)
{
    struct gr_instant until = {ms * 1000000};
    for (;;) {
        struct gr_instant deadline = gr_node_deadline(player->node);
        if (deadline.ns > until.ns)
            break;
        player->now.ns = GR_MAX(deadline.ns, player->now.ns);
        step(player, (struct gr_event){.type = GR_EVENT_TICK});
    }
    player->now.ns = GR_MAX(until.ns, player->now.ns);
}

// ---- lines -----------------------------------------------------------------------------------

// The number of option `name`, 0 if it is not there.
static int64_t number_of(struct player *player, const struct line *line, const char *name)
{
    return words_number(&player->words, words_option(line, name, "0"));
}

static const char *word(const struct line *line, int at)
{
    return at < line->count ? line->word[at] : NULL;
}

static bool is(const char *word, const char *name)
{
    return word != NULL && strcmp(word, name) == 0;
}

static void on_ring(struct player *player, const struct line *line, enum gr_canary canary)
{
    static struct gr_member member[GR_MEMBERS_MAX];
    int members = (int)number_of(player, line, "members");
    const char *sites = words_option(line, "sites", "");
    for (int m = 0; m < members; m++) {
        snprintf(member[m].host, sizeof member[m].host, "host%d", m);
        snprintf(member[m].site, sizeof member[m].site, "%.1s", sites);
        sites += *sites != 0;
    }
    gr_ring_init(&player->ring, (uint32_t)number_of(player, line, "q"),
        (uint8_t)number_of(player, line, "n"), member, (uint16_t)members);
    player->words.ring = &player->ring;
    struct gr_node_config config = gr_node_config_default();
    config.self = (uint16_t)number_of(player, line, "self");
    config.actor = words_actor((char)('0' + config.self));
    config.run = strtoull(SCRIPT_RUN, NULL, 10);
    config.seed = 1;
    config.ring = &player->ring;
    config.canary = canary;
    config.r = words_quorum(&player->words, line, "r", "2");
    config.w = words_quorum(&player->words, line, "w", "2");
    config.calls_max = (uint32_t)words_number(&player->words, words_option(line, "calls", "100"));
    config.memory_max =
        (size_t)words_number(&player->words, words_option(line, "memory", "1000000"));
    config.latch_queue_max =
        (uint32_t)words_number(&player->words, words_option(line, "queue", "100"));
    config.header_bytes_max =
        (size_t)words_number(&player->words, words_option(line, "headers", "100000"));
    config.exchange_interval =
        gr_span_ms(words_number(&player->words, words_option(line, "exchange", "0")));
    config.exchange_grace =
        gr_span_ms(words_number(&player->words, words_option(line, "grace", "1000")));
    config.scrub_interval =
        gr_span_ms(words_number(&player->words, words_option(line, "scrub", "86400000")));
    config.hint_bytes_max =
        (uint64_t)words_number(&player->words, words_option(line, "hints", "100000"));
    config.durability = rings_durability(line, GR_DURABILITY_COMMIT);
    config.background.slice_rate_min = config.background.slice_rate_max =
        (uint32_t)words_number(&player->words, words_option(line, "slices", "8192"));
    config.newcomer = words_flag(line, "newcomer");
    player->show_sweep = words_flag(line, "sweep");
    if (player->words.wrong == NULL)
        player->node = gr_node_new(&config);
}

static bool set_verb(struct player *player, const struct line *line, struct gr_request *request)
{
    static const struct {
        const char *name;
        enum gr_verb verb;
    } verbs[] = {
        {"set", GR_VERB_SET},
        {"del", GR_VERB_DELETE},
        {"append", GR_VERB_APPEND},
        {"expire", GR_VERB_EXPIRE},
        {"persist", GR_VERB_PERSIST},
        {"getex", GR_VERB_GETEX},
        {"getdel", GR_VERB_GETDEL},
    };
    for (size_t i = 0; i < GR_COUNT(verbs); i++) {
        if (!is(line->word[2], verbs[i].name))
            continue;
        request->op = GR_OP_UPDATE;
        request->verb = verbs[i].verb;
        if (request->verb == GR_VERB_SET || request->verb == GR_VERB_APPEND)
            request->value = words_bytes(&player->words, word(line, 4));
        if (request->verb == GR_VERB_EXPIRE)
            request->expires = words_wall(&player->words, word(line, 4));
        request->condition = words_flag(line, "nx")   ? GR_EXPIRE_NX
                             : words_flag(line, "xx") ? GR_EXPIRE_XX
                             : words_flag(line, "gt") ? GR_EXPIRE_GT
                             : words_flag(line, "lt") ? GR_EXPIRE_LT
                                                      : GR_EXPIRE_ALWAYS;
        request->xx = words_flag(line, "xx");
        request->keep_ttl = words_flag(line, "keepttl");
        request->want_old = words_flag(line, "get");
        request->persist = words_flag(line, "persist");
        return true;
    }
    return false;
}

static void on_client(struct player *player, const struct line *line)
{
    struct words *words = &player->words;
    const char *op = word(line, 2);
    struct gr_request request = {
        .ticket = (uint64_t)words_number(words, word(line, 1)),
        .r = words_quorum(&player->words, line, "r", "0"),
        .pr = (uint8_t)number_of(player, line, "pr"),
        .w = words_quorum(&player->words, line, "w", "0"),
        .pw = (uint8_t)number_of(player, line, "pw"),
        .dw = (uint8_t)number_of(player, line, "dw"),
        .timeout = gr_span_ms(number_of(player, line, "timeout")),
        .expires = words_wall(words, words_option(line, "expires", "-")),
        .context = words_context(words, words_option(line, "context", "{}")),
        .cursor = words_cursor(words, words_option(line, "from", "p0")),
        .limit = (uint32_t)words_number(words, words_option(line, "limit", "10")),
    };
    if (is(op, "scan") || is(op, "count")) {
        request.op = is(op, "scan") ? GR_OP_SCAN : GR_OP_COUNT;
        request.key = gr_key_make(gr_bytes_text("b"), gr_bytes(NULL, 0));
    } else {
        request.key = words_key(words, word(line, 3));
        if (is(op, "get"))
            request.op = GR_OP_GET;
        else if (is(op, "explain"))
            request.op = GR_OP_EXPLAIN;
        else if (is(op, "put") || is(op, "remove"))
            request.op = GR_OP_PUT;
        else if (op == NULL || !set_verb(player, line, &request))
            words->wrong = op == NULL ? "client" : op;
    }
    request.remove = is(op, "remove");
    if (is(op, "put"))
        request.value = words_bytes(words, word(line, 4));
    if (words->wrong == NULL)
        step(player, (struct gr_event){.type = GR_EVENT_REQUEST,
                         .request = &request,
                         .waited = gr_span_ms(number_of(player, line, "waited"))});
}

// Keys, or keys and records, from word `at` on. "k*3" stands for k0 k1 k2.
static uint32_t read_entries(struct player *player, const struct line *line, int at, bool records,
    const struct gr_entry **ret)
{
    struct gr_entry *entry = gr_arena_array(&player->arena, struct gr_entry, EFFECTS_MAX);
    uint32_t count = 0;
    *ret = entry;
    struct gr_wall due = words_wall(&player->words, words_option(line, "due", "-"));
    for (; at < line->count && strncmp(line->word[at], "due=", 4) != 0; at++) {
        char *star = strchr(line->word[at], '*');
        if (records || star == NULL) {
            entry[count] =
                (struct gr_entry){.key = words_key(&player->words, line->word[at]), .due = due};
            if (records) {
                entry[count].record = words_record(&player->words, line, ++at);
                at += at + 1 < line->count && words_is_context(line->word[at + 1]);
            }
            count++;
            continue;
        }
        for (long i = 0; i < strtol(star + 1, NULL, 10) && count < EFFECTS_MAX; i++) {
            char *name = gr_arena_take(&player->arena, 64);
            snprintf(name, 64, "%.*s%ld", (int)(star - line->word[at]), line->word[at], i);
            entry[count++] = (struct gr_entry){.key = words_key(&player->words, name), .due = due};
        }
    }
    return count;
}

static void on_hints(struct player *player, const struct line *line, struct gr_event *event)
{
    struct gr_hint *hint = gr_arena_array(&player->arena, struct gr_hint, WORDS_MAX);
    event->cursor = words_cursor(&player->words, words_option(line, "end", "end"));
    event->hint = hint;
    for (int at = 3; at < line->count && strchr(line->word[at], '=') == NULL;)
        hint[event->hint_count++] = load_hint(&player->words, line, &at);
}

static void on_page(struct player *player, const struct line *line)
{
    struct words *words = &player->words;
    struct gr_event event = {.type = GR_EVENT_SCAN_DONE};
    event.ticket = words_name(words, &words->scans, word(line, 1));
    event.number = (uint64_t)words_number(words, words_option(line, "holds", "0"));
    bool records = line->count > 2 && words_is_context(line->word[2]);
    if (line->count == 3 && !records && is(word(line, 2), "io")) {
        event.status = GR_ERR_IO;
    } else if (is(word(line, 2), "hints")) {
        on_hints(player, line, &event);
    } else if (records) {
        event.context = words_context(words, line->word[2]);
        event.cursor = words_cursor(words, words_option(line, "end", NULL));
        event.entry_count =
            read_entries(player, line, event.number > 0 ? 5 : 4, true, &event.entry);
    } else {
        event.entry_count = read_entries(player, line, 2, false, &event.entry);
    }
    if (words->wrong == NULL)
        step(player, event);
}

static void on_read(struct player *player, const struct line *line)
{
    struct words *words = &player->words;
    struct gr_event event = {.type = GR_EVENT_READ_DONE};
    event.ticket = words_name(words, &words->reads, word(line, 1));
    const char *what = word(line, 2);
    if (is(what, "absent"))
        event.status = GR_ERR_NOT_FOUND;
    else if (what != NULL && what[0] == '[')
        event.record = words_record(words, line, 2);
    else
        event.status = words_err(words, what);
    if (words->wrong == NULL)
        step(player, event);
}

// ---- peers -----------------------------------------------------------------------------------

static void read_forward(struct player *player, const struct line *line, struct gr_message *m)
{
    struct words *words = &player->words;
    bool remove = is(word(line, 5), "-");
    gr_hybrid time = words_hybrid(words, words_option(line, "origin", "0"));
    const char *touch = words_option(line, "touch", NULL);
    const char *dot = words_option(line, "dot", NULL);
    m->write = (struct gr_write){
        .dot = dot == NULL ? (struct gr_dot){.counter = 0} : words_dot(words, dot),
        .id = {1, time},
        .origin = {time, {1, time}},
        .touch = touch == NULL ? 0 : words_hybrid(words, touch),
        .expires = words_wall(words, words_option(line, "expires", "-")),
        .remove = remove,
        .plain = words_flag(line, "plain"),
        .value = remove ? gr_bytes(NULL, 0) : words_bytes(words, word(line, 5)),
        .context = words_context(words, words_option(line, "context", "{}")),
        .w = words_quorum(&player->words, line, "w", "2"),
        .pw = (uint8_t)number_of(player, line, "pw"),
        .dw = (uint8_t)number_of(player, line, "dw"),
    };
}

// All of them durable unless `synced=` says otherwise.
static void read_acks(struct player *player, const struct line *line, struct gr_message *m)
{
    const char *acks = words_option(line, "acks", "0");
    m->acks = (uint8_t)words_number(&player->words, acks);
    m->durable_acks = (uint8_t)words_number(&player->words, words_option(line, "synced", acks));
    m->settled = words_flag(line, "settled");
}

static void read_forwarded(struct player *player, const struct line *line, struct gr_message *m)
{
    struct words *words = &player->words;
    m->outcome = is(word(line, 4), "done")       ? GR_DONE
                 : is(word(line, 4), "rejected") ? GR_REJECTED
                                                 : GR_INDETERMINATE;
    m->status = m->outcome == GR_DONE ? GR_OK : words_err(words, word(line, 5));
    read_acks(player, line, m);
    m->reached = (uint8_t)number_of(player, line, "reached");
    m->primaries = (uint8_t)words_number(
        words, words_option(line, "primaries", words_option(line, "acks", "0")));
    m->record.context = words_context(words, words_option(line, "context", "{}"));
    m->hybrid_needed = words_hybrid(words, words_option(line, "needed", "0"));
}

// An answer, but for `forwarded`: a status, or what comes with ok.
static void read_answer(struct player *player, const struct line *line, struct gr_message *m)
{
    struct words *words = &player->words;
    const char *what = word(line, 4);
    if (m->type == GR_MSG_ACK) {
        m->status = words_err(words, what);
        m->durable = words_flag(line, "durable");
    } else if (m->type == GR_MSG_COUNTED && what != NULL && isdigit((unsigned char)what[0])) {
        m->count = words_number(words, what);
    } else if (what != NULL && (what[0] == '[' || is(what, "nothing"))) {
        m->record = words_record(words, line, 4);
    } else if (m->type == GR_MSG_PAGE && what != NULL && words_is_context(what)) {
        m->context = words_context(words, what);
        m->cursor = words_cursor(words, words_option(line, "end", NULL));
        m->entry_count = read_entries(player, line, 6, true, &m->entry);
    } else {
        m->status = words_err(words, what);
    }
}

static void read_question(struct player *player, const struct line *line, struct gr_message *m)
{
    struct words *words = &player->words;
    if (m->type == GR_MSG_SCAN || m->type == GR_MSG_COUNT) {
        m->partition = (uint32_t)number_of(player, line, "p");
        m->cursor = words_cursor(words, words_option(line, "from", "p0"));
        m->limit = (uint32_t)words_number(words, words_option(line, "limit", "10"));
        uint16_t *list = gr_arena_new(&player->arena, uint16_t);
        *list = (uint16_t)m->partition;
        m->partition_list = list;
        m->partition_count = 1;
        return;
    }
    m->key = words_key(words, word(line, 4));
    m->bare = words_flag(line, "bare");
    const char *owner = words_option(line, "for", NULL);
    m->owed_to = owner == NULL ? 0 : words_member(words, owner);
    m->durable = words_flag(line, "durable");
    if (m->type == GR_MSG_DELTA) {
        rings_read_relay(words, line, m);
        m->dot = words_dot(words, word(line, 5));
    }
    if (m->type != GR_MSG_READ)
        m->record = words_record(words, line, m->type == GR_MSG_DELTA ? 6 : 5);
}

static void say(struct player *player)
{
    step(player, (struct gr_event){.type = GR_EVENT_MESSAGE,
                     .peer = player->last_peer,
                     .message = &player->last,
                     .waited = player->last_waited});
}

static void on_peer(struct player *player, const struct line *line)
{
    static const char *const type[GR_MSG_TYPE_COUNT] = {"", "forward", "forwarded", "delta", "ack",
        "read", "state", "repair", "scan", "page", "count", "counted", "acked"};
    struct words *words = &player->words;
    struct gr_message m = {.type = GR_MSG_TYPE_COUNT};
    uint16_t peer = (uint16_t)(words_number(words, word(line, 1)) % GR_MEMBERS_MAX);
    for (int i = 1; i < GR_MSG_TYPE_COUNT; i++)
        if (is(word(line, 2), type[i] != NULL ? type[i] : entropy_name((enum gr_message_type)i)))
            m.type = (enum gr_message_type)i;
    if (m.type == GR_MSG_TYPE_COUNT) {
        words->wrong = "a peer does not say this";
        return;
    }
    m.id = words_name(words, &words->calls, word(line, 3));
    m.run = 1000u + peer;
    m.to = (uint64_t)words_number(words, words_option(line, "to", SCRIPT_RUN));
    m.sequence = ++player->sequence[peer];
    m.hybrid = words_hybrid(words, words_option(line, "hybrid", "0"));
    player->last_waited = gr_span_ms(number_of(player, line, "waited"));
    m.deadline_ms = (uint32_t)words_number(words, words_option(line, "within", "1000"));
    if (entropy_name(m.type) != NULL) {
        entropy_read(words, line, gr_node_config(player->node)->self, peer, &m);
    } else if (m.type == GR_MSG_FORWARD) {
        m.key = words_key(words, word(line, 4));
        read_forward(player, line, &m);
    } else if (m.type == GR_MSG_FORWARDED) {
        read_forwarded(player, line, &m);
    } else if (m.type == GR_MSG_ACKED) {
        read_acks(player, line, &m);
    } else if (m.type == GR_MSG_ACK || m.type == GR_MSG_STATE || m.type == GR_MSG_PAGE ||
               m.type == GR_MSG_COUNTED) {
        read_answer(player, line, &m);
    } else {
        read_question(player, line, &m);
    }
    player->last = m;
    player->last_peer = peer;
    if (words->wrong == NULL)
        say(player);
}

// ---- the other events ------------------------------------------------------------------------

static void on_link(struct player *player, const struct line *line)
{
    bool all = is(line->word[0], "links");
    bool up = is(word(line, all ? 1 : 2), "up");
    int64_t one = all ? -1 : words_number(&player->words, word(line, 1));
    uint64_t run = (uint64_t)number_of(player, line, "run");
    uint8_t unspoken = words_flag(line, "old") ? GR_SAYS_RELAY | GR_SAYS_SITES | GR_SAYS_HOLDS : 0;
    for (uint16_t m = 0; m < player->ring.member_count && player->words.wrong == NULL; m++)
        if (m != gr_node_config(player->node)->self && (all || m == one))
            step(player, (struct gr_event){.type = GR_EVENT_LINK,
                             .peer = m,
                             .up = up,
                             .run = run != 0 ? run : 1000u + m,
                             .unspoken = unspoken});
}

static void on_adopt(struct player *player, const struct line *line)
{
    gr_assert(player->adopted_count < RINGS_MAX);
    struct gr_ring *next = &player->adopted[player->adopted_count];
    rings_read(&player->words, line, gr_node_config(player->node)->ring, next);
    if (player->words.wrong != NULL)
        return;
    player->adopted_count++;
    player->words.ring = next;
    step(player, (struct gr_event){.type = GR_EVENT_RING, .ring = next});
}

static void on_says(struct player *player, const struct line *line)
{
    uint16_t peer = (uint16_t)words_number(&player->words, word(line, 1));
    uint64_t held, dropping, run = (uint64_t)number_of(player, line, "run");
    rings_read_holds(&player->words, line, 2, &held, &dropping);
    struct gr_holds holds = {
        .bare_in = (uint64_t)number_of(player, line, "bare-in"), .words = 1, .held = &held};
    if (player->words.wrong == NULL)
        step(player, (struct gr_event){.type = GR_EVENT_HOLDS,
                         .peer = peer,
                         .run = run != 0 ? run : 1000u + peer,
                         .holds = &holds});
}

static void put_out(struct player *player, const struct text *text)
{
    gr_assert(player->effects.count < EFFECTS_MAX);
    struct gr_bytes copy = gr_arena_copy(&player->arena, gr_bytes(text->data, text->size + 1));
    player->effects.text[player->effects.count++] = (const char *)copy.data;
}

static void on_stats(struct player *player)
{
    struct gr_node_stats stats = gr_node_stats(player->node);
    struct text text = {.size = 0};
    text_add(&text, "stats calls=%u memory=%zu", stats.calls, stats.memory);
    put_out(player, &text);
}

static void on_debts(struct player *player)
{
    uint32_t before = player->effects.count;
    for (uint16_t m = 0; m < player->ring.member_count; m++) {
        struct gr_debt_view debt = gr_node_debt(player->node, m);
        struct text text = {.size = 0};
        if (debt.count == 0 && debt.bytes == 0)
            continue;
        text_add(&text, "debt %d count=%llu bytes=%llu oldest=%lld", m,
            (unsigned long long)debt.count, (unsigned long long)debt.bytes,
            (long long)(debt.oldest.ms - SCRIPT_WALL_MS));
        put_out(player, &text);
    }
    struct text none = {.size = 0};
    text_add(&none, "no debts");
    if (player->effects.count == before)
        put_out(player, &none);
}

static void on_repair(struct player *player, const struct line *line)
{
    struct words *words = &player->words;
    const char *verb = word(line, 1), *partition = word(line, 2);
    struct gr_repair_ask ask = {is(verb, "run") ? GR_REPAIR_RUN : GR_REPAIR_SCRUB, GR_REPAIR_ALL};
    if (partition != NULL)
        ask.partition = (uint32_t)words_number(words, partition + 1);
    step(player, (struct gr_event){.type = GR_EVENT_REPAIR, .repair = ask});
}

static void on_event(struct player *player, const struct line *line, enum gr_canary canary)
{
    struct words *words = &player->words;
    const char *what = line->word[0];
    if (is(what, "ring") != (player->node == NULL))
        words->wrong = "a script begins with its ring";
    else if (is(what, "ring"))
        on_ring(player, line, canary);
    else if (is(what, "at"))
        pass_time(player, words_number(words, word(line, 1)));
    else if (is(what, "skew"))
        player->skew_ms = words_number(words, word(line, 1));
    else if (is(what, "link") || is(what, "links"))
        on_link(player, line);
    else if (is(what, "store"))
        step(player,
            (struct gr_event){.type = GR_EVENT_STORE, .status = words_err(words, word(line, 1))});
    else if (is(what, "repair"))
        on_repair(player, line);
    else if (is(what, "client"))
        on_client(player, line);
    else if (is(what, "read"))
        on_read(player, line);
    else if (is(what, "page"))
        on_page(player, line);
    else if (is(what, "applied") && line->count == 2)
        step(player, (struct gr_event){.type = GR_EVENT_APPLIED,
                         .number = strtoull(line->word[1] + 1, NULL, 10)});
    else if (is(what, "synced") && line->count == 2)
        step(player, (struct gr_event){
                         .type = GR_EVENT_SYNCED, .number = strtoull(line->word[1] + 1, NULL, 10)});
    else if (is(what, "load"))
        load_line(words, line, player->node);
    else if (is(what, "adopt"))
        on_adopt(player, line);
    else if (is(what, "agreed"))
        step(player, rings_read_agreed(&player->words, line, gr_node_config(player->node)));
    else if (is(what, "says"))
        on_says(player, line);
    else if (is(what, "from"))
        on_peer(player, line);
    else if (is(what, "again"))
        say(player);
    else if (is(what, "stats"))
        on_stats(player);
    else if (is(what, "debts"))
        on_debts(player);
    else
        words->wrong = what;
}

// ---- reading a script ------------------------------------------------------------------------

static void differ(
    struct verdict *verdict, const char *name, int at, const char *expected, const char *came)
{
    verdict->failed = true;
    snprintf(verdict->story, sizeof verdict->story, "%s:%d\n  expected: %s\n  came:     %s", name,
        at, expected, came);
}

static void play_line(struct player *player, const char *name, int at, const char *text,
    enum gr_canary canary, struct verdict *verdict)
{
    struct effects *effects = &player->effects;
    const char *came =
        effects->compared < effects->count ? effects->text[effects->compared] : "nothing more";
    if (text[0] == '>') {
        if (effects->compared == effects->count || !play_same_words(text + 1, came))
            differ(verdict, name, at, text + 1 + strspn(text + 1, " "), came);
        effects->compared++;
        return;
    }
    if (effects->compared < effects->count) {
        differ(verdict, name, at, "nothing more", came);
        return;
    }
    *effects = (struct effects){.count = 0};
    struct line line;
    words_split(&player->words, text, &line);
    if (line.count > 0 && !is(line.word[0], "canaries"))
        on_event(player, &line, canary);
    if (player->words.wrong != NULL)
        differ(verdict, name, at, "a word of words.h or play.c", player->words.wrong);
}

// Writes the line as it stands, and under an event what came.
static void print_line(struct player *player, const char *raw, size_t size, bool effect)
{
    if (effect)
        return;
    printf("%.*s\n", (int)size, raw);
    for (uint32_t i = 0; i < player->effects.count; i++)
        printf("    > %s\n", player->effects.text[i]);
    player->effects = (struct effects){.count = 0};
}

void play(
    const char *name, const char *script, enum gr_canary canary, bool print, struct verdict *ret)
{
    static struct player player; // static: what a panic leaves behind stays reachable
    static char text[TEXT_MAX];
    player = (struct player){.now = {0}};
    player.words.arena = &player.arena;
    *ret = (struct verdict){.failed = false};
    const char *raw = script;
    int at = 0;
    while (!ret->failed && play_next_line(&script, text)) {
        at++;
        bool effect = text[0] == '>';
        if (text[0] != 0 && !(print && effect))
            play_line(&player, name, at, text, canary, ret);
        if (print && !ret->failed)
            print_line(&player, raw, strcspn(raw, "\n"), effect);
        raw = script;
    }
    if (!ret->failed && player.effects.compared < player.effects.count)
        differ(ret, name, at, "the end", player.effects.text[player.effects.compared]);
    if (player.node != NULL) {
        gr_node_free(player.node);
        gr_ring_deinit(&player.ring);
        for (int i = 0; i < player.adopted_count; i++)
            gr_ring_deinit(&player.adopted[i]);
    }
    gr_arena_deinit(&player.arena);
}
