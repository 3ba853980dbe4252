// Plans: what an operator stages, what would come of it, and its commit (§4.8.1, §4.9, §6.2).
//
// Staged changes are a fact like any other, so every node shows the same plan: placement
// (core/placement.c) gives the same answer everywhere. A commit makes the plan the ring of the next
// version, and that is again a fact. Two commits that do not know of each other have the same
// version; the one whose bytes have the larger hash stays (core/facts.c), everywhere, and whoever
// went by the other one says that it is lost.
//
//   PL1 What is staged counts only for the layout that it was staged for.
//   PL2 A commit is answered after its facts are in the file FACTS (RO3 of roster.c).
//   PL3 Who is removed is removed with its store: that one is refused for ever (roster.c), another
//       one under the same name is not.
//   PL4 Nothing is staged or committed at a node that has heard of a later ring than it goes by: it
//       would be refused, or take the place of another plan without a word.
//   PL5 A commit that names a plan commits that one, or nothing: what somebody staged since has not
//       been looked at.
//
// Owns: the view of the last look. Bounds: NOTES_MAX notes.
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/hash.h"
#include "shell/inside.h"
#include "shell/log.h"
#include "wire/agreed.h"
#include "wire/layout.h"

enum { NOTES_MAX = 32, NOTE_BYTES = 400, NAMES_BYTES = 200 };
// What taking over a partition costs, however little is in it: questions, answers and a sync.
enum { PARTITION_MS = 5 };

static const struct gr_facts *facts_of(const struct gr_server *server)
{
    return &server->talks.members.facts;
}

// ---- what is known ---------------------------------------------------------------------------

// PL1. False: nothing is staged.
static bool find_staged(
    const struct gr_server *server, struct gr_arena *arena, struct gr_staged *ret)
{
    const struct gr_layout *now = &server->roster.layout;
    const struct gr_known *known = gr_facts_find(facts_of(server), GR_FACT_STAGED, 0);
    return known != NULL && known->size > 0 && now->version > 0 &&
           gr_staged_decode(gr_bytes(known->value, known->size), arena, ret) == GR_OK &&
           ret->parent == now->step[now->step_count - 1].hash;
}

static bool card_of(const struct gr_server *server, uint64_t id, struct gr_card *ret)
{
    const struct gr_known *known = gr_facts_find(facts_of(server), GR_FACT_MEMBER, id);
    return known != NULL && gr_card_decode(gr_bytes(known->value, known->size), ret) == GR_OK;
}

static bool holdings_of(
    const struct gr_server *server, uint64_t id, struct gr_arena *arena, struct gr_holdings *ret)
{
    const struct gr_known *known = gr_facts_find(facts_of(server), GR_FACT_HOLDS, id);
    return known != NULL &&
           gr_holdings_decode(gr_bytes(known->value, known->size), arena, ret) == GR_OK &&
           ret->partitions == server->cluster.partitions;
}

// ---- notes -----------------------------------------------------------------------------------

static void note(struct gr_plan *plan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void note(struct gr_plan *plan, const char *format, ...)
{
    if (plan->view.note_count == NOTES_MAX)
        return;
    char *text = gr_arena_take(&plan->arena, NOTE_BYTES);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, NOTE_BYTES, format, arguments);
    va_end(arguments);
    plan->note[plan->view.note_count++] = text;
}

// What a store that is removed takes with it: how many others hold each of its partitions.
static void note_removal(
    struct gr_server *server, struct gr_plan *plan, const struct gr_layout_member *gone)
{
    struct gr_holdings holdings;
    uint32_t partitions = server->cluster.partitions, alone = 0, twice = 0;
    uint8_t *others = gr_arena_take_zero(&plan->arena, partitions);
    if (!holdings_of(server, gone->id, &plan->arena, &holdings)) {
        note(plan, "%s never said what it holds", gone->name);
        return;
    }
    const struct gr_staged *staged = plan->view.staged;
    for (uint16_t m = 0; m < server->roster.ring.member_count; m++) {
        struct gr_holdings other;
        uint64_t id = server->roster.ring.member[m].id;
        bool goes = id == gone->id;
        for (uint16_t i = 0; i < staged->member_count; i++)
            goes |= staged->member[i].id == id && staged->member[i].gone;
        if (goes || !holdings_of(server, id, &plan->arena, &other))
            continue;
        for (uint32_t p = 0; p < partitions; p++)
            others[p] += (other.bits[p / 64] >> (p % 64) & 1) && others[p] < UINT8_MAX;
    }
    for (uint32_t p = 0; p < partitions; p++)
        if (holdings.bits[p / 64] >> (p % 64) & 1) {
            alone += others[p] == 0;
            twice += others[p] == 1;
        }
    if (alone > 0)
        note(plan,
            "REMOVING %s LOSES DATA: nobody else holds %u of its partitions. If it can be started, "
            "start it and use leave",
            gone->name, alone);
    else if (twice > 0)
        note(plan,
            "only one other node holds %u of the partitions of %s: what that one has not "
            "got is lost, and until they are held again a second loss loses data",
            twice, gone->name);
    else
        note(plan,
            "what two nodes acknowledged is safe without %s; what only it had, it takes with it",
            gone->name);
    int place = gr_members_find(&server->talks.members, gone->id);
    if (place == 0 || (place > 0 && gr_link_is_up(server->links.peer[place])))
        note(plan, "%s is up: leave lets it hand over what it holds; removed, it stops at once",
            gone->name);
}

static void note_members(struct gr_server *server, struct gr_plan *plan)
{
    const struct gr_staged *staged = plan->view.staged;
    for (uint16_t i = 0; i < staged->member_count; i++) {
        const struct gr_layout_member *member = &staged->member[i];
        int place = gr_members_find(&server->talks.members, member->id);
        bool up = place == 0 || (place > 0 && gr_link_is_up(server->links.peer[place]));
        int was = gr_layout_find(plan->view.now, member->id);
        bool in = was >= 0 && !plan->view.now->member[was].out;
        if (member->gone)
            note_removal(server, plan, member);
        else if (!up && member->out && in)
            note(plan,
                "%s is not linked to this node: it cannot hand over before it is up. If it "
                "is gone for ever, remove it",
                member->name);
        else if (!up && !member->out && !in)
            note(plan, "%s is not linked to this node: it takes over nothing before it is up",
                member->name);
    }
    uint8_t n = plan->view.next->n;
    if (plan->view.placement.hosts_max < n)
        note(plan, "there are hosts for %u replicas of a key, and N is %u: some share a host",
            plan->view.placement.hosts_max, n);
}

// The cluster's own R or W, or 0 if it is by site.
static uint8_t number_of(const struct gr_plan *plan, enum gr_agreed_key key)
{
    uint8_t asked = (uint8_t)plan->view.agreed[key].value;
    return gr_quorum_by_site(asked) ? 0 : asked;
}

// What another N makes of R and W. A read meets every write that was acknowledged as long as R + W
// is more than the N by which each of the two went.
static void note_n(struct gr_plan *plan)
{
    uint8_t was = plan->view.now->n, n = plan->view.next->n;
    uint8_t r = number_of(plan, GR_AGREED_R), w = number_of(plan, GR_AGREED_W);
    if (r == 0 || w == 0 || n == was || r + w <= was)
        return;
    if (r + w <= n)
        note(plan,
            "R + W is %u: with N = %u a read may miss what was acknowledged, unless it is %u. Set "
            "r "
            "or w when this is committed",
            r + w, n, n + 1);
    else if (n < was)
        note(plan,
            "leave r and w as they are until nothing changes hands: R + W = %u is more than %u, by "
            "which was acknowledged what some have yet to hand over",
            r + w, was);
}

// ---- the view --------------------------------------------------------------------------------

// Bytes of the store's files.
static uint64_t store_bytes(const struct gr_server *server)
{
    uint64_t bytes = 0;
    DIR *dir = opendir(server->datadir.store_path);
    if (dir == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat about;
        if (fstatat(dirfd(dir), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(about.st_mode))
            bytes += (uint64_t)about.st_size;
    }
    closedir(dir);
    return bytes;
}

static bool is_owner(const struct gr_layout *layout, uint32_t partition, uint64_t id)
{
    const uint16_t *owner = layout->owner + (size_t)partition * layout->n;
    for (uint8_t i = 0; i < layout->n; i++)
        if (layout->member[owner[i]].id == id)
            return true;
    return false;
}

// The replicas of partitions that come to the member to which most come.
static uint32_t most_taken(const struct gr_layout *now, const struct gr_layout *next)
{
    uint32_t taken[GR_MEMBERS_MAX] = {0}, most = 0;
    for (uint32_t i = 0; i < next->partitions * next->n; i++) {
        uint16_t owner = next->owner[i];
        if (!is_owner(now, i / next->n, next->member[owner].id))
            most = GR_MAX(most, ++taken[owner]);
    }
    return most;
}

// Members take over beside each other, each one partition after the other, as far as the throttle
// lets it: so the one that takes most says how long it lasts.
static void estimate_time(const struct gr_server *server, struct gr_cluster_view *view)
{
    const struct gr_throttle_config *pace = &gr_node_config(server->node)->background;
    uint64_t most = most_taken(view->now, view->next), moves = GR_MAX(view->placement.moves, 1u);
    uint64_t slices =
        most + gr_throttle_slices(view->keys * most / moves, view->bytes * most / moves);
    view->seconds = 1 + GR_MAX(slices / pace->slice_rate_max, most * PARTITION_MS / 1000);
    view->seconds_busy = view->seconds + slices / pace->slice_rate_min;
}

// From what this node holds itself: one partition is much like another.
static void estimate(struct gr_server *server, struct gr_cluster_view *view)
{
    uint64_t keys = 0, held = 0;
    for (uint32_t p = 0; server->node != NULL && p < server->cluster.partitions; p++) {
        keys += gr_node_held(server->node, p) ? (uint64_t)gr_node_count(server->node, p) : 0;
        held += gr_node_held(server->node, p);
    }
    if (held == 0)
        return;
    view->estimated = true;
    view->keys = keys * view->placement.moves / held;
    view->bytes = view->keys > 0 ? store_bytes(server) * view->placement.moves / held : 0;
    estimate_time(server, view);
}

// The first of r and w that asks for more than so many replicas, or NULL.
static const char *asked_for_more(const struct gr_server *server, uint8_t n)
{
    static const enum gr_agreed_key keys[] = {GR_AGREED_R, GR_AGREED_W};
    for (size_t i = 0; i < GR_COUNT(keys); i++)
        if (!gr_quorum_fits((uint8_t)server->roster.agreed[keys[i]], n))
            return gr_agreed_name(keys[i]);
    return NULL;
}

static void name_plan(const struct gr_server *server, struct gr_cluster_view *view)
{
    const struct gr_known *staged = gr_facts_find(facts_of(server), GR_FACT_STAGED, 0);
    uint64_t hash = gr_hash64(gr_bytes(staged->value, staged->size), 0);
    snprintf(view->plan, sizeof view->plan, "%08x", (uint32_t)hash);
}

static void look_at_plan(struct gr_server *server, struct gr_plan *plan)
{
    struct gr_cluster_view *view = &plan->view;
    struct gr_staged *staged = gr_arena_new(&plan->arena, struct gr_staged);
    struct gr_layout *next = gr_arena_new(&plan->arena, struct gr_layout);
    if (!find_staged(server, &plan->arena, staged))
        return;
    view->staged = staged;
    name_plan(server, view);
    const char *too_many = asked_for_more(server, staged->n);
    if (too_many != NULL) {
        note(plan,
            "this cannot be committed: N is to be %u, and %s is more: `gramme cluster set %s %u` "
            "first",
            staged->n, too_many, too_many, staged->n);
        return;
    }
    enum gr_err err = gr_layout_plan(&plan->arena, view->now, staged->member, staged->member_count,
        staged->n, next, &view->placement);
    if (err == GR_ERR_MALFORMED) {
        note(plan, "this cannot be committed: it was staged for another ring. Cancel it");
        return;
    }
    if (err != GR_OK) {
        note(plan, "this cannot be committed: N is %u, and only %u members would own anything",
            staged->n, gr_stage_owners(staged));
        return;
    }
    view->next = next;
    estimate(server, view);
    note_n(plan);
    note_members(server, plan);
}

// Members that are known and own nothing, and whose stores were not removed.
static void look_at_guests(struct gr_server *server, struct gr_plan *plan)
{
    const struct gr_ring *ring = &server->roster.ring;
    struct gr_card *guest = gr_arena_array(&plan->arena, struct gr_card, ring->member_count);
    for (uint16_t m = 0; m < ring->member_count; m++)
        if (ring->member[m].out && !ring->member[m].gone &&
            card_of(server, ring->member[m].id, &guest[plan->view.guest_count]))
            plan->view.guest_count++;
    plan->view.guest = guest;
}

static void look_at_lost(struct gr_server *server, struct gr_plan *plan)
{
    struct gr_lost *lost = gr_arena_array(&plan->arena, struct gr_lost, GR_LAYOUT_STEPS_MAX);
    for (const struct gr_known *known = NULL;
         (known = gr_facts_next(facts_of(server), GR_FACT_LOST, known)) != NULL;)
        if (plan->view.lost_count < GR_LAYOUT_STEPS_MAX &&
            gr_lost_decode(gr_bytes(known->value, known->size), &lost[plan->view.lost_count]) ==
                GR_OK)
            plan->view.lost_count++;
    plan->view.lost = lost;
}

const struct gr_cluster_view *gr_plan_look(struct gr_server *server)
{
    struct gr_plan *plan = &server->plan;
    gr_arena_clear(&plan->arena);
    plan->note = gr_arena_array(&plan->arena, const char *, NOTES_MAX);
    plan->view = (struct gr_cluster_view){.now = &server->roster.layout, .note = plan->note};
    look_at_guests(server, plan);
    look_at_lost(server, plan);
    for (int key = 1; key < GR_AGREED_KEYS; key++)
        gr_roster_agreed(server, (enum gr_agreed_key)key, &plan->view.agreed[key]);
    if (plan->view.now->version > 0)
        look_at_plan(server, plan);
    return &plan->view;
}

void gr_plan_deinit(struct gr_server *server)
{
    gr_arena_deinit(&server->plan.arena);
}

// ---- changes ---------------------------------------------------------------------------------

// False: it is not so now. There are too many facts, or one of them claims to be the last.
static bool say(
    struct gr_server *server, enum gr_fact_kind kind, uint64_t key, const struct gr_writer *value)
{
    const struct gr_known *known = gr_facts_find(facts_of(server), kind, key);
    uint64_t version = known != NULL ? known->version + 1 : 1;
    if (version > GR_FACT_VERSION_MAX)
        return false;
    struct gr_fact fact = gr_fact_make(
        kind, key, version, value != NULL ? gr_writer_bytes(value) : gr_bytes(NULL, 0));
    return gr_talks_say(server, &fact);
}

static const char untold[] = "the members know too many things, or one that cannot be followed by "
                             "another: nothing was changed";

// PL4. NULL: this node goes by the latest ring that it knows of.
static const char *behind(const struct gr_server *server)
{
    const struct gr_known *known = gr_facts_find(facts_of(server), GR_FACT_RING, 0);
    if (server->roster.layout.version == 0)
        return "this node has not been told of a ring yet";
    if (known != NULL && known->version > server->roster.layout.version)
        return "a later ring is known here and not in force: try again in a moment. If that goes "
               "on, "
               "this node's log says why it cannot go by it";
    return NULL;
}

// The name of everybody who could be meant.
static void list_names(const struct gr_server *server, char ret[NAMES_BYTES])
{
    const struct gr_ring *ring = &server->roster.ring;
    uint16_t order[GR_MEMBERS_MAX];
    size_t used = 0;
    gr_ring_by_name(ring, order);
    ret[0] = '\0';
    for (uint16_t i = 0; i < ring->member_count && used + GR_NAME_BYTES_MAX + 3 < NAMES_BYTES; i++)
        if (!ring->member[order[i]].gone)
            used += (size_t)snprintf(ret + used, NAMES_BYTES - used, "%s%s", used > 0 ? ", " : "",
                ring->member[order[i]].name);
}

static const char *explain(enum gr_stage_fault fault, const struct gr_change *change)
{
    switch (fault) {
    case GR_STAGE_OK:
        return NULL;
    case GR_STAGE_IN:
        return "it is in the ring already";
    case GR_STAGE_OUT:
        return change->op == GR_CHANGE_REMOVE ? "that is staged already"
                                              : "it owns nothing: join lets it in";
    case GR_STAGE_TOO_MANY:
        return "there are too many members";
    case GR_STAGE_TOO_LONG:
        return "too much is staged at once: commit that first";
    case GR_STAGE_UNCHANGED:
        return "that is how it is";
    case GR_STAGE_TOO_FEW:
        return "fewer members own anything: let others join first";
    }
    gr_unreachable("a fault");
}

// What is staged from now on; NULL: done, or why not.
static const char *say_staged(struct gr_server *server, const struct gr_staged *next)
{
    struct gr_writer value;
    gr_writer_init(&value, GR_FACT_BYTES_MAX);
    gr_staged_encode(&value, next);
    const char *failed = value.bad ? "there are too many members" : NULL;
    if (failed == NULL && !say(server, GR_FACT_STAGED, 0, &value))
        failed = untold;
    gr_writer_deinit(&value);
    return failed;
}

static const char *stage_n(struct gr_server *server, uint8_t n, char *why)
{
    struct gr_plan *plan = &server->plan;
    const struct gr_layout *now = &server->roster.layout;
    struct gr_staged staged, next;
    gr_arena_clear(&plan->arena);
    if (behind(server) != NULL)
        return behind(server);
    const char *too_many = asked_for_more(server, n);
    if (too_many != NULL) {
        snprintf(why, GR_PLAN_WHY_BYTES,
            "n %u is less than %s, and no request can wait for more replicas than there are: "
            "`gramme cluster set %s %u` first",
            n, too_many, too_many, n);
        return why;
    }
    if (!find_staged(server, &plan->arena, &staged))
        staged = gr_stage_begin(&plan->arena, now);
    enum gr_stage_fault fault = gr_stage_n(&staged, n, &next);
    if (fault == GR_STAGE_OK)
        return say_staged(server, &next);
    snprintf(why, GR_PLAN_WHY_BYTES, "n %u: %s (%u do)", n, explain(fault, NULL),
        gr_stage_owners(&staged));
    if (fault != GR_STAGE_TOO_FEW)
        snprintf(why, GR_PLAN_WHY_BYTES, "n %u: %s", n, explain(fault, NULL));
    return why;
}

static const char *stage(struct gr_server *server, const struct gr_stage_ask *ask, char *why)
{
    struct gr_plan *plan = &server->plan;
    const struct gr_layout *now = &server->roster.layout;
    struct gr_card card;
    char names[NAMES_BYTES];
    gr_arena_clear(&plan->arena);
    if (behind(server) != NULL)
        return behind(server);
    if (!card_of(server, gr_member_id(gr_bytes_text(ask->name)), &card)) {
        list_names(server, names);
        snprintf(why, GR_PLAN_WHY_BYTES,
            "there is no member \"%.63s\"; known are: %s. A new one is started with join = the "
            "peer address of any of them",
            ask->name, names);
        return why;
    }
    int place = gr_ring_find(&server->roster.ring, gr_member_id(gr_bytes_text(ask->name)));
    if (ask->op == GR_CHANGE_JOIN && place >= 0 && server->roster.ring.member[place].gone)
        return "its store was removed: it can join again once it was started with an empty data "
               "directory";
    struct gr_change change = {
        .op = ask->op, .card = &card, .weight = ask->weight, .site = ask->site, .rack = ask->rack};
    struct gr_staged staged, next;
    if (!find_staged(server, &plan->arena, &staged))
        staged = gr_stage_begin(&plan->arena, now);
    const char *fault = explain(gr_stage_change(&plan->arena, &staged, &change, &next), &change);
    if (fault != NULL) {
        snprintf(why, GR_PLAN_WHY_BYTES, "%s: %s", card.name, fault);
        return why;
    }
    return say_staged(server, &next);
}

// PL3. False: a store could not be banned.
static bool ban(struct gr_server *server, const struct gr_staged *staged)
{
    struct gr_arena arena = {0};
    bool all = true;
    for (uint16_t i = 0; i < staged->member_count; i++) {
        const struct gr_layout_member *member = &staged->member[i];
        struct gr_holdings holdings;
        if (!member->gone || !holdings_of(server, member->id, &arena, &holdings))
            continue;
        struct gr_writer value;
        gr_writer_init(&value, GR_NAME_BYTES_MAX);
        gr_write_bytes(&value, gr_bytes_text(member->name));
        if (!gr_roster_is_banned(server, holdings.store))
            all &= say(server, GR_FACT_BAN, holdings.store, &value);
        gr_writer_deinit(&value);
    }
    gr_arena_deinit(&arena);
    return all;
}

// It would stop before anybody else has heard of the ring.
static bool removes_itself(const struct gr_server *server, const struct gr_staged *staged)
{
    for (uint16_t i = 0; i < staged->member_count; i++)
        if (staged->member[i].gone && staged->member[i].id == server->talks.members.member[0])
            return true;
    return false;
}

static struct gr_wall wall_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct gr_wall){(int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000};
}

// PL2.
static const char *save(struct gr_server *server, const char *done, char *why)
{
    char failed[GR_WHY_BYTES];
    if (gr_roster_save_now(server, failed, sizeof failed) == GR_OK)
        return NULL;
    snprintf(why, GR_PLAN_WHY_BYTES, "%s, but this node may forget it if it stops now: %.400s",
        done, failed);
    return why;
}

static const char *commit(struct gr_server *server, const struct gr_stage_ask *ask, char *why)
{
    const struct gr_cluster_view *view = gr_plan_look(server);
    if (behind(server) != NULL)
        return behind(server);
    if (view->staged == NULL)
        return "nothing is staged, as far as this node has heard";
    if (ask->name[0] != '\0' && strcmp(ask->name, view->plan) != 0) { // PL5
        snprintf(why, GR_PLAN_WHY_BYTES,
            "that is not what is staged by now, as far as this node has heard: `gramme cluster "
            "plan` shows %s (%s)",
            view->staged->what, view->plan);
        return why;
    }
    if (removes_itself(server, view->staged))
        return "this node would remove itself: commit at another one, or let it leave";
    if (view->next == NULL)
        return view->note[0];
    struct gr_layout next = *view->next;
    struct gr_layout_step *step =
        gr_arena_array(&server->plan.arena, struct gr_layout_step, next.step_count);
    memcpy(step, next.step, next.step_count * sizeof *step);
    struct gr_layout_step *last = &step[next.step_count - 1];
    last->at = wall_now();
    memcpy(last->by, server->roster.card.name, sizeof last->by);
    memcpy(last->what, view->staged->what, sizeof last->what);
    next.step = step;
    struct gr_writer value;
    gr_writer_init(&value, GR_FACT_BYTES_MAX);
    gr_layout_encode(&value, &next);
    const char *failed = NULL;
    if (value.bad)
        failed = "a ring of so many partitions, replicas and members cannot be told: take shorter "
                 "names";
    else if (next.version > GR_FACT_VERSION_MAX || !ban(server, view->staged))
        failed = untold;
    struct gr_fact fact = gr_fact_make(GR_FACT_RING, 0, next.version, gr_writer_bytes(&value));
    if (failed == NULL && !gr_talks_say(server, &fact))
        failed = untold;
    gr_writer_deinit(&value);
    if (failed != NULL)
        return failed;
    (void)say(server, GR_FACT_STAGED, 0, NULL); // it is of no use any more (PL1)
    return save(server, "committed", why);
}

// Done at once, without a plan: nothing moves.
static const char *set(struct gr_server *server, const struct gr_stage_ask *ask, char *why)
{
    struct gr_agreed agreed = {.value = ask->value, .at = wall_now()};
    uint8_t n = server->roster.layout.n;
    bool quorum = ask->key == GR_AGREED_R || ask->key == GR_AGREED_W;
    if (server->roster.layout.version == 0)
        return "this node has not been told of a ring yet";
    if (quorum && !gr_quorum_fits((uint8_t)ask->value, n)) {
        snprintf(why, GR_PLAN_WHY_BYTES, "%s is 1 to %u (N), local or each",
            gr_agreed_name(ask->key), n);
        return why;
    }
    memcpy(agreed.by, server->roster.card.name, sizeof agreed.by);
    struct gr_writer value;
    gr_writer_init(&value, GR_FACT_BYTES_MAX);
    gr_agreed_encode(&value, ask->key, &agreed);
    bool said = say(server, GR_FACT_SETTING, ask->key, &value);
    gr_writer_deinit(&value);
    return said ? save(server, "set", why) : untold;
}

const char *gr_plan_ask(struct gr_server *server, const struct gr_stage_ask *ask, char *why)
{
    switch (ask->what) {
    case GR_STAGE_CHANGE:
        return stage(server, ask, why);
    case GR_STAGE_N:
        return stage_n(server, (uint8_t)ask->value, why);
    case GR_STAGE_COMMIT:
        return commit(server, ask, why);
    case GR_STAGE_SET:
        return set(server, ask, why);
    case GR_STAGE_CANCEL:
        return say(server, GR_FACT_STAGED, 0, NULL) ? NULL : untold;
    }
    gr_unreachable("a word");
}

// ---- lost ------------------------------------------------------------------------------------

void gr_plan_replaced(
    struct gr_server *server, const struct gr_layout *old, const struct gr_layout *new)
{
    const struct gr_layout_step *was = &old->step[old->step_count - 1];
    const struct gr_layout_step *is = &new->step[new->step_count - 1];
    for (uint32_t i = 0; i < new->step_count; i++)
        if (new->step[i].version == was->version &&new->step[i].hash == was->hash)
            return;
    // So many steps later nobody can tell any more.
    if (new->step[0].version > was->version)
        return;
    gr_log(GR_LOG_WARN,
        "ring %llu (%s, committed at %s) is lost: at the same time ring %llu (%s) was committed at "
        "%s. Stage again what it was to change",
        (unsigned long long)was->version, was->what, was->by, (unsigned long long)is->version,
        is->what, is->by);
    struct gr_lost lost = {.step = *was, .to_version = is->version, .to_hash = is->hash};
    struct gr_writer value;
    gr_writer_init(&value, GR_FACT_BYTES_MAX);
    gr_lost_encode(&value, &lost);
    if (gr_facts_find(facts_of(server), GR_FACT_LOST, was->hash) == NULL)
        (void)say(server, GR_FACT_LOST, was->hash, &value);
    gr_writer_deinit(&value);
}
