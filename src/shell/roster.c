// The roster: from what members tell each other to the ring that this node goes by (§4.8.1).
//
// Whoever joins a club signs the book, and from then on has a number in it. What the book says of
// each, and which of them keeps what, may change with every news; the numbers do not. So this file
// turns facts (core/facts.h) into a table of members, in which each has one place for as long as
// this process runs, and into the ring over that table; tells the node of both, and of what the
// others hold; and says of this node what it is and holds.
//
//   RO1 A member has the same place in the table of the talk machine, in the ring, and in the list
//       of links: 0 is this node. A new ring's table begins with the one before.
//   RO2 What this node says of itself is as it is now: whoever hears something else that is later
//       is told otherwise, with a later version.
//   RO3 Facts are written to the file FACTS before anybody is told that a change was made here;
//       what is heard from others, soon. A file that is older than it could be is late news.
//   RO4 The founders that the cluster file names make the same first ring of it. Everybody else,
//       and whoever has forgotten all, waits to be told of one.
//
// Owns: the ring; the file FACTS. Bounds: GR_MEMBERS_MAX members, GR_FACTS_MAX facts.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shell/address.h"
#include "shell/facts.h"
#include "shell/inside.h"
#include "shell/log.h"
#include "wire/frame.h"
#include "wire/layout.h"

enum { SAVE_SOON_MS = 200, SAVE_LATER_MS = 10000 };

static const struct gr_known *find_fact(
    const struct gr_server *server, enum gr_fact_kind kind, uint64_t key)
{
    return gr_facts_find(&server->talks.members.facts, kind, key);
}

static uint64_t own_id(const struct gr_server *server)
{
    return server->talks.members.member[0];
}

// ---- the file --------------------------------------------------------------------------------

enum gr_err gr_roster_save_now(struct gr_server *server, char *ret_why, size_t why_size)
{
    struct gr_roster *roster = &server->roster;
    uv_timer_stop(&roster->save);
    roster->save_ms = 0;
    return gr_facts_write(roster->path, &server->talks.members.facts, ret_why, why_size);
}

static void on_save(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    char why[GR_WHY_BYTES];
    bool failed = gr_roster_save_now(server, why, sizeof why) != GR_OK;
    if (failed && !server->roster.save_said)
        gr_log(GR_LOG_ERROR, "%s It is tried again every ten seconds.", why);
    server->roster.save_said = failed;
    if (failed)
        gr_roster_save(server, SAVE_LATER_MS);
}

void gr_roster_save(struct gr_server *server, uint64_t within_ms)
{
    struct gr_roster *roster = &server->roster;
    uint64_t at = uv_now(&server->loop) + within_ms;
    if (roster->save_ms != 0 && roster->save_ms <= at)
        return;
    roster->save_ms = at;
    uv_timer_start(&roster->save, on_save, within_ms, 0);
}

// ---- what this node says of itself -----------------------------------------------------------

// One version later than what is known, if that is something else (RO2).
static void say(struct gr_server *server, enum gr_fact_kind kind, struct gr_bytes value)
{
    const struct gr_known *known = find_fact(server, kind, own_id(server));
    if (known != NULL && gr_bytes_equal(value, gr_bytes(known->value, known->size)))
        return;
    uint64_t version = known != NULL ? known->version + 1 : 1;
    if (version > GR_FACT_VERSION_MAX)
        return;
    struct gr_fact fact = gr_fact_make(kind, own_id(server), version, value);
    (void)gr_talks_say(server, &fact);
}

static void say_card(struct gr_server *server)
{
    struct gr_writer value;
    gr_writer_init(&value, GR_FACT_BYTES_MAX);
    gr_card_encode(&value, &server->roster.card);
    say(server, GR_FACT_MEMBER, gr_writer_bytes(&value));
    gr_writer_deinit(&value);
}

static void say_holdings(struct gr_server *server)
{
    struct gr_holdings holdings = {.store = server->actor.store,
        .run = server->actor.run,
        .bare_in = server->roster.bare_in,
        .partitions = server->cluster.partitions,
        .bits = server->roster.held};
    struct gr_writer value;
    if (server->node == NULL)
        return;
    gr_writer_init(&value, GR_FACT_BYTES_MAX);
    gr_holdings_encode(&value, &holdings);
    say(server, GR_FACT_HOLDS, gr_writer_bytes(&value));
    gr_writer_deinit(&value);
}

void gr_roster_tell_banned(
    struct gr_server *server, uint64_t store, uint8_t version, struct gr_writer *out)
{
    struct gr_fact ban = gr_known_fact(find_fact(server, GR_FACT_BAN, store));
    struct gr_talk talk = {.type = GR_TALK_FACTS, .id = 1, .fact_list = &ban, .fact_count = 1};
    gr_frame_talk(out, version, &talk);
}

void gr_roster_introduce(struct gr_server *server, uint8_t version, struct gr_writer *out)
{
    struct gr_fact card = gr_known_fact(find_fact(server, GR_FACT_MEMBER, own_id(server)));
    struct gr_talk talk = {.type = GR_TALK_FACTS, .id = 1, .fact_list = &card, .fact_count = 1};
    gr_frame_talk(out, version, &talk);
}

void gr_roster_holds(struct gr_server *server, const struct gr_holds *holds)
{
    memcpy(server->roster.held, holds->held, holds->words * sizeof *holds->held);
    server->roster.bare_in = holds->bare_in;
    say_holdings(server);
}

// ---- the ring --------------------------------------------------------------------------------

static const struct gr_card *founder(const struct gr_server *server, const char *name)
{
    int at = gr_cluster_find(&server->cluster, name);
    return at >= 0 ? &server->cluster.member[at] : NULL;
}

// The member's card. Where a founder is, its line in this node's cluster file says.
static bool find_card(const struct gr_server *server, uint16_t place, struct gr_card *ret)
{
    uint64_t id = server->talks.members.member[place];
    const struct gr_known *known = find_fact(server, GR_FACT_MEMBER, id);
    bool any = known != NULL && known->size > 0 &&
               gr_card_decode(gr_bytes(known->value, known->size), ret) == GR_OK;
    for (uint16_t i = 0; i < server->cluster.member_count && place > 0; i++) {
        const struct gr_card *line = &server->cluster.member[i];
        if (gr_member_id(gr_bytes_text(line->name)) != id)
            continue;
        if (!any)
            *ret = *line;
        memcpy(ret->peer, line->peer, sizeof ret->peer);
        memcpy(ret->resp, line->resp, sizeof ret->resp);
        return true;
    }
    return any;
}

bool gr_roster_is_banned(const struct gr_server *server, uint64_t store)
{
    return gr_members_bans(&server->talks.members, store);
}

// What a member says that it holds, and for which store. False: nothing is known.
static bool find_holdings(
    const struct gr_server *server, uint16_t place, struct gr_arena *arena, struct gr_holdings *ret)
{
    const struct gr_known *known =
        find_fact(server, GR_FACT_HOLDS, server->talks.members.member[place]);
    return known != NULL &&
           gr_holdings_decode(gr_bytes(known->value, known->size), arena, ret) == GR_OK &&
           ret->partitions == server->cluster.partitions;
}

static bool is_gone(const struct gr_server *server, uint16_t place)
{
    struct gr_arena arena = {0};
    struct gr_holdings holdings;
    bool gone = find_holdings(server, place, &arena, &holdings) &&
                gr_roster_is_banned(server, holdings.store);
    gr_arena_deinit(&arena);
    return gone;
}

static void fill_member(const struct gr_server *server, uint16_t place,
    const struct gr_layout *layout, struct gr_member *ret)
{
    struct gr_card card;
    *ret = (struct gr_member){
        .id = server->talks.members.member[place], .out = true, .gone = is_gone(server, place)};
    int at = gr_layout_find(layout, ret->id);
    if (at >= 0) {
        memcpy(ret->name, layout->member[at].name, sizeof ret->name);
        memcpy(ret->host, layout->member[at].host, sizeof ret->host);
    }
    if (!find_card(server, place, &card))
        return;
    memcpy(ret->name, card.name, sizeof ret->name);
    memcpy(ret->peer, card.peer, sizeof ret->peer);
    memcpy(ret->resp, card.resp, sizeof ret->resp);
    if (at < 0) {
        memcpy(ret->host, card.host, sizeof ret->host);
        memcpy(ret->site, card.site, sizeof ret->site);
    }
}

// RO1. The ring over the table as it is now.
static void make_ring(struct gr_server *server, struct gr_ring *ret)
{
    const struct gr_layout *layout = &server->roster.layout;
    uint16_t count = server->talks.members.count;
    struct gr_member *member = gr_hook_memory(NULL, count * sizeof *member);
    for (uint16_t m = 0; m < count; m++)
        fill_member(server, m, layout, &member[m]);
    if (layout->version > 0) {
        gr_layout_ring(layout, member, count, ret);
    } else { // RO4: nobody goes by this one
        gr_ring_init(ret, server->cluster.partitions, 1, member, count);
        ret->version = 0;
    }
    gr_hook_memory(member, 0);
}

// The layout of the fact RING, if it is another one than the present; members are met (RO1).
static void take_layout(struct gr_server *server)
{
    struct gr_roster *roster = &server->roster;
    const struct gr_known *known = find_fact(server, GR_FACT_RING, 0);
    if (known == NULL)
        return;
    struct gr_fact fact = gr_known_fact(known);
    struct gr_layout layout;
    if (fact.hash == roster->taken)
        return;
    roster->taken = fact.hash;
    struct gr_arena arena = {0};
    enum gr_err err = gr_layout_decode(fact.value, &arena, &layout);
    for (uint16_t m = 0; err == GR_OK && m < layout.member_count; m++) {
        gr_members_meet(&server->talks.members, layout.member[m].id);
        if (gr_members_find(&server->talks.members, layout.member[m].id) < 0)
            err = GR_ERR_BUSY; // the table is full of others
    }
    bool fits = err == GR_OK && layout.partitions == server->cluster.partitions &&
                layout.version == fact.version;
    if (!fits) {
        gr_log(GR_LOG_ERROR,
            "ring %llu, which the other members go by, cannot be used here: this node goes on with "
            "ring %llu. %s",
            (unsigned long long)fact.version, (unsigned long long)roster->layout.version,
            err == GR_ERR_BUSY ? "It knows too many members that own nothing"
                               : "Bring it to the version of gramme that the others have");
        gr_arena_deinit(&arena);
        return;
    }
    const struct gr_layout_step *step = &layout.step[layout.step_count - 1];
    gr_log(GR_LOG_INFO, "ring %llu: %s%s%s", (unsigned long long)layout.version, step->what,
        step->by[0] != '\0' ? ", committed at " : "", step->by);
    if (roster->layout.version > 0)
        gr_plan_replaced(server, &roster->layout, &layout);
    gr_arena_deinit(&roster->arena);
    roster->arena = arena;
    roster->layout = layout;
}

static void adopt(struct gr_server *server)
{
    struct gr_roster *roster = &server->roster;
    uint16_t had = roster->ring.member_count;
    struct gr_ring ring, before = roster->ring;
    make_ring(server, &ring);
    roster->ring = ring;
    roster->told_last ^= 1; // the node looks at the one before once more
    roster->told[roster->told_last] = ring;
    gr_links_grow(server);
    for (uint16_t m = had; m < ring.member_count; m++)
        roster->holds_news[m] = roster->any_holds_news = true;
    if (server->node != NULL) {
        struct gr_event event = {.type = GR_EVENT_RING, .ring = &roster->told[roster->told_last]};
        gr_turn_step(server, &event);
    }
    gr_ring_deinit(&before);
}

// ---- what others hold ------------------------------------------------------------------------

static void tell_holds(struct gr_server *server, uint16_t place)
{
    struct gr_arena arena = {0};
    struct gr_holdings holdings;
    if (find_holdings(server, place, &arena, &holdings)) {
        uint64_t none[GR_HOLDS_WORDS_MAX] = {0};
        bool gone = gr_roster_is_banned(server, holdings.store);
        struct gr_holds holds = {.bare_in = holdings.bare_in,
            .words = (holdings.partitions + 63) / 64,
            .held = gone ? none : holdings.bits};
        struct gr_event event = {
            .type = GR_EVENT_HOLDS, .peer = place, .run = holdings.run, .holds = &holds};
        gr_turn_step(server, &event);
    }
    gr_arena_deinit(&arena);
}

static void tell_all_holds(struct gr_server *server)
{
    struct gr_roster *roster = &server->roster;
    roster->any_holds_news = false;
    for (uint16_t m = 1; m < roster->ring.member_count; m++) {
        if (roster->holds_news[m])
            tell_holds(server, m);
        roster->holds_news[m] = false;
    }
}

// ---- news ------------------------------------------------------------------------------------

void gr_roster_learned(struct gr_server *server, const struct gr_fact *fact)
{
    struct gr_roster *roster = &server->roster;
    int place = gr_members_find(&server->talks.members, fact->key);
    switch (fact->kind) {
    case GR_FACT_MEMBER:
        roster->news = true;
        break;
    case GR_FACT_HOLDS:
        if (place >= 0)
            roster->holds_news[place] = roster->any_holds_news = true;
        break;
    case GR_FACT_BAN:
        memset(roster->holds_news, true, sizeof roster->holds_news);
        roster->news = roster->any_holds_news = true;
        break;
    case GR_FACT_SETTING:
        gr_roster_learned_agreed(fact);
        roster->news = true;
        break;
    case GR_FACT_RING:
        roster->news = true;
        break;
    case GR_FACT_STATUS:
        return;
    default:
        break;
    }
    gr_roster_save(server, fact->kind == GR_FACT_HOLDS ? SAVE_LATER_MS : SAVE_SOON_MS);
}

bool gr_roster_settle(struct gr_server *server)
{
    struct gr_roster *roster = &server->roster;
    if (!roster->news && !roster->any_holds_news)
        return false;
    if (gr_roster_is_banned(server, server->datadir.store_id)) {
        gr_server_removed(server);
        return false;
    }
    if (roster->news) {
        roster->news = false;
        say_card(server); // RO2
        take_layout(server);
        adopt(server);
        gr_roster_take_agreed(server);
        gr_links_part(server);
    }
    if (server->node == NULL) {
        gr_server_told(server);
        return true;
    }
    if (roster->holds_news[0])
        say_holdings(server); // RO2
    tell_all_holds(server);
    gr_server_look(server);
    return true;
}

void gr_roster_begin(struct gr_server *server)
{
    struct gr_roster *roster = &server->roster;
    memset(roster->held, 0, sizeof roster->held);
    roster->bare_in = 0;
    for (uint32_t p = 0; p < server->cluster.partitions; p++)
        roster->held[p / 64] |= (uint64_t)gr_node_held(server->node, p) << (p % 64);
    say_holdings(server);
    memset(roster->holds_news, true, roster->ring.member_count);
    tell_all_holds(server);
}

// ---- beginning and end -----------------------------------------------------------------------

bool gr_roster_is_word(const char *text)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return false;
    return size <= GR_NAME_BYTES_MAX;
}

static bool is_set(const struct gr_config *config, enum gr_setting setting)
{
    return strcmp(gr_config_origin(config, setting), "default") != 0;
}

// The first of these that says something.
static void choose(char ret[GR_NAME_BYTES_MAX + 1], const char *setting, const char *line,
    const char *known, const char *otherwise)
{
    const char *text = setting[0] != '\0' ? setting
                       : line[0] != '\0'  ? line
                       : known[0] != '\0' ? known
                                          : otherwise;
    memset(ret, 0, GR_NAME_BYTES_MAX + 1);
    memcpy(ret, text, strnlen(text, GR_NAME_BYTES_MAX));
}

static const char *set_text(const struct gr_config *config, enum gr_setting setting)
{
    return is_set(config, setting) ? gr_config_text(config, setting) : "";
}

// Where others reach this node: not at an address that means all of this machine's.
static enum gr_err check_address(
    enum gr_setting setting, const char *text, char *ret_why, size_t why_size)
{
    struct gr_address address;
    struct sockaddr_storage found;
    const char *name = gr_setting_info(setting)->name;
    if (strlen(text) <= GR_NAME_BYTES_MAX && gr_address_parse(text, &address) &&
        (gr_address_resolve(&address, &found) != NULL ||
            !gr_address_is_any((const struct sockaddr *)&found)))
        return GR_OK;
    snprintf(ret_why, why_size,
        "The others cannot reach this node at %.200s: set %s to the address, of at most %d bytes, "
        "at which they can.",
        text, name, GR_NAME_BYTES_MAX);
    return GR_ERR_INVALID;
}

// What this node is, from its settings, its line in the cluster file, and what it said before.
static enum gr_err make_card(struct gr_server *server, char *ret_why, size_t why_size)
{
    static const enum gr_setting words[] = {GR_SETTING_HOST, GR_SETTING_RACK, GR_SETTING_SITE};
    const struct gr_config *config = server->config;
    const char *name = gr_config_text(config, GR_SETTING_NAME);
    for (size_t i = 0; i < GR_COUNT(words); i++)
        if (!gr_roster_is_word(gr_config_text(config, words[i]))) {
            snprintf(ret_why, why_size,
                "The setting %s is a word of at most %d printable letters, without spaces.",
                gr_setting_info(words[i])->name, GR_NAME_BYTES_MAX);
            return GR_ERR_INVALID;
        }
    const struct gr_known *known = find_fact(server, GR_FACT_MEMBER, own_id(server));
    const struct gr_card *line = founder(server, name), none = {.weight = 0};
    struct gr_card said = none, *card = &server->roster.card;
    if (known == NULL || gr_card_decode(gr_bytes(known->value, known->size), &said) != GR_OK)
        said = none;
    line = line != NULL ? line : &none;
    char machine[GR_NAME_BYTES_MAX + 1] = "";
    (void)gethostname(machine, sizeof machine - 1);
    *card = none;
    choose(card->name, name, "", "", "");
    choose(card->host, set_text(config, GR_SETTING_HOST), line->host, said.host, machine);
    choose(card->rack, set_text(config, GR_SETTING_RACK), line->rack, said.rack, "");
    choose(card->site, set_text(config, GR_SETTING_SITE), line->site, said.site, "");
    const char *peer =
        is_set(config, GR_SETTING_PEER) ? gr_config_text(config, GR_SETTING_PEER) : said.peer;
    choose(card->peer, set_text(config, GR_SETTING_ANNOUNCE_PEER), line->peer, peer,
        gr_config_text(config, GR_SETTING_PEER));
    const char *resp =
        is_set(config, GR_SETTING_RESP) ? gr_config_text(config, GR_SETTING_RESP) : said.resp;
    choose(card->resp, set_text(config, GR_SETTING_ANNOUNCE_RESP), line->resp, resp,
        gr_config_text(config, GR_SETTING_RESP));
    uint32_t weight = (uint32_t)gr_config_number(config, GR_SETTING_WEIGHT);
    card->weight = is_set(config, GR_SETTING_WEIGHT) ? weight
                   : line->weight > 0                ? line->weight
                   : said.weight > 0                 ? said.weight
                                                     : weight;
    enum gr_err err = check_address(GR_SETTING_ANNOUNCE_PEER, card->peer, ret_why, why_size);
    if (err == GR_OK)
        err = check_address(GR_SETTING_ANNOUNCE_RESP, card->resp, ret_why, why_size);
    return err;
}

bool gr_roster_join(const struct gr_config *config, uint32_t turn, char ret[GR_CONFIG_TEXT_MAX])
{
    char list[GR_CONFIG_TEXT_MAX], *rest = list, *at = NULL;
    uint32_t count = 1;
    snprintf(list, sizeof(list), "%s", gr_config_text(config, GR_SETTING_JOIN));
    if (list[0] == '\0')
        return false;
    for (const char *c = list; *c != '\0'; c++)
        count += *c == ',';
    for (uint32_t i = 0; i <= turn % count; i++)
        at = strsep(&rest, ",");
    snprintf(ret, GR_CONFIG_TEXT_MAX, "%s", at + strspn(at, " "));
    return true;
}

static enum gr_err check_join(const struct gr_config *config, char *ret_why, size_t why_size)
{
    struct gr_address address;
    char at[GR_CONFIG_TEXT_MAX];
    for (uint32_t i = 0; i < GR_CONFIG_TEXT_MAX && gr_roster_join(config, i, at); i++)
        if (!gr_address_parse(at, &address)) {
            snprintf(ret_why, why_size,
                "join = \"%.200s\" is no address like 127.0.0.1:7390, or several with commas "
                "between.",
                at);
            return GR_ERR_INVALID;
        }
    return GR_OK;
}

// RO4.
static enum gr_err found(struct gr_server *server, char *ret_why, size_t why_size)
{
    struct gr_arena arena = {0};
    const struct gr_cluster *cluster = &server->cluster;
    struct gr_layout layout = gr_layout_first(
        &arena, cluster->partitions, cluster->n, cluster->member, cluster->member_count);
    struct gr_writer value;
    gr_writer_init(&value, GR_FACT_BYTES_MAX);
    for (uint16_t m = 0; m < cluster->member_count; m++) {
        gr_card_encode(&value, &cluster->member[m]);
        struct gr_fact card = gr_fact_make(GR_FACT_MEMBER,
            gr_member_id(gr_bytes_text(cluster->member[m].name)), 1, gr_writer_bytes(&value));
        gr_members_load(&server->talks.members, &card);
        gr_writer_consume(&value, value.size);
    }
    gr_layout_encode(&value, &layout);
    bool fits = !value.bad;
    struct gr_fact ring = gr_fact_make(GR_FACT_RING, 0, 1, gr_writer_bytes(&value));
    if (fits)
        gr_members_load(&server->talks.members, &ring);
    else
        snprintf(ret_why, why_size,
            "A ring of %u partitions with N = %u over %u members cannot be told in one piece: make "
            "the cluster file with fewer partitions or founders.",
            cluster->partitions, cluster->n, cluster->member_count);
    gr_writer_deinit(&value);
    gr_arena_deinit(&arena);
    return fits ? GR_OK : GR_ERR_INVALID;
}

static enum gr_err load(struct gr_server *server, char *ret_why, size_t why_size)
{
    struct gr_arena arena = {0};
    struct gr_fact *fact = NULL;
    uint32_t count = 0;
    enum gr_err err = gr_facts_read(server->roster.path, &arena, &fact, &count, ret_why, why_size);
    for (uint32_t i = 0; err == GR_OK && i < count; i++)
        gr_members_load(&server->talks.members, &fact[i]);
    gr_arena_deinit(&arena);
    return err == GR_ERR_NOT_FOUND ? GR_OK : err;
}

void gr_roster_init(struct gr_server *server)
{
    gr_assert(uv_timer_init(&server->loop, &server->roster.save) == 0);
    server->roster.save.data = server;
}

enum gr_err gr_roster_open(struct gr_server *server, char *ret_why, size_t why_size)
{
    struct gr_roster *roster = &server->roster;
    const char *name = gr_config_text(server->config, GR_SETTING_NAME);
    const char *path = gr_config_text(server->config, GR_SETTING_CLUSTER);
    bool joins = gr_config_text(server->config, GR_SETTING_JOIN)[0] != '\0';
    snprintf(roster->path, sizeof roster->path, "%s/FACTS", server->datadir.path);
    enum gr_err err = check_join(server->config, ret_why, why_size);
    if (err == GR_OK)
        err = load(server, ret_why, why_size);
    if (err != GR_OK)
        return err;
    bool known = find_fact(server, GR_FACT_RING, 0) != NULL;
    if (!known && !joins && founder(server, name) == NULL) {
        snprintf(ret_why, why_size,
            "%.200s has no member named %.63s: set name to one of its members, or join to the peer "
            "address of any node that runs, to become a member yourself.",
            path, name);
        return GR_ERR_NOT_FOUND;
    }
    if (!known && !joins)
        err = found(server, ret_why, why_size);
    if (err == GR_OK)
        err = make_card(server, ret_why, why_size);
    if (err != GR_OK)
        return err;
    say_card(server);
    take_layout(server);
    adopt(server);
    gr_roster_take_agreed(server);
    roster->news = false;
    return roster->save_ms != 0 ? gr_roster_save_now(server, ret_why, why_size) : GR_OK; // RO3
}

void gr_roster_close(struct gr_server *server)
{
    char why[GR_WHY_BYTES];
    if (server->roster.save_ms != 0 && gr_roster_save_now(server, why, sizeof why) != GR_OK)
        gr_log(GR_LOG_ERROR, "%s", why);
    uv_close((uv_handle_t *)&server->roster.save, NULL);
}

void gr_roster_deinit(struct gr_server *server)
{
    gr_ring_deinit(&server->roster.ring);
    gr_arena_deinit(&server->roster.arena);
}
