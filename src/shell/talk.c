// Talk of members: the machine of core/members.h on this loop, over the links to the other members.
//
// It lives as long as the process, and stands still between two runs: then there are no links, and
// nobody is to blame for that.
//
//   TK1 A member has the same place in the machine's table and in the ring (RO1 of roster.c); one
//       that was just heard of is in the first sooner, and has no link until it is in the other.
#include <sys/random.h>

#include "shell/inside.h"
#include "shell/log.h"

enum { PERIOD_MS = 1000, TIMEOUT_MS = 400 };

static struct gr_instant instant_now(void)
{
    return (struct gr_instant){(int64_t)uv_hrtime()};
}

static bool send_talk(void *host, uint16_t to, struct gr_talk *talk)
{
    return gr_links_talk(host, to, talk);
}

static void learned(void *host, const struct gr_fact *fact)
{
    struct gr_server *server = host;
    gr_roster_learned(server, fact);
    int place = gr_members_find(&server->talks.members, fact->key);
    if (fact->kind != GR_FACT_STATUS || place <= 0 || place >= server->links.count)
        return;
    enum gr_status status = gr_members_status(&server->talks.members, (uint16_t)place);
    bool *down = &server->links.peer[place]->down;
    if (status == GR_STATUS_SUSPECT || *down == (status == GR_STATUS_DOWN))
        return;
    *down = status == GR_STATUS_DOWN;
    gr_log(*down ? GR_LOG_WARN : GR_LOG_INFO, "peer %s: the cluster takes it for %s",
        server->roster.ring.member[place].name, gr_status_name(status));
}

static void on_timer(uv_timer_t *timer);

static void arm(struct gr_server *server)
{
    int64_t away = gr_members_deadline(&server->talks.members).ns - instant_now().ns;
    uint64_t ms = away > 0 ? (uint64_t)(away / 1000000) + 1 : 0;
    uv_timer_start(&server->talks.timer, on_timer, ms, 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct gr_server *server = timer->data;
    gr_members_tick(&server->talks.members, instant_now());
    arm(server);
}

void gr_talks_init(struct gr_server *server)
{
    struct gr_talks *talks = &server->talks;
    struct gr_members_config config = {
        .self = gr_member_id(gr_bytes_text(gr_config_text(server->config, GR_SETTING_NAME))),
        .period = gr_span_ms(PERIOD_MS),
        .timeout = gr_span_ms(TIMEOUT_MS),
    };
    gr_assert(getrandom(&config.seed, sizeof(config.seed), 0) == (ssize_t)sizeof(config.seed));
    struct gr_members_host host = {server, send_talk, learned};
    gr_members_init(&talks->members, &config, &host, instant_now());
    gr_assert(uv_timer_init(&server->loop, &talks->timer) == 0);
    talks->timer.data = server;
}

void gr_talks_begin(struct gr_server *server)
{
    arm(server);
}

void gr_talks_end(struct gr_server *server)
{
    uv_timer_stop(&server->talks.timer);
}

void gr_talks_close(struct gr_server *server)
{
    uv_close((uv_handle_t *)&server->talks.timer, NULL);
}

void gr_talks_deinit(struct gr_server *server)
{
    gr_members_deinit(&server->talks.members);
    gr_arena_deinit(&server->talks.arena);
}

void gr_talks_greet(struct gr_server *server, uint16_t member)
{
    gr_members_greet(&server->talks.members, member, instant_now());
}

bool gr_talks_say(struct gr_server *server, const struct gr_fact *fact)
{
    bool taken = gr_members_say(&server->talks.members, fact);
    if (gr_server_talks(server))
        arm(server);
    return taken;
}

bool gr_talks_meet(struct gr_server *server, uint64_t id, struct gr_bytes bytes)
{
    struct gr_talks *talks = &server->talks;
    struct gr_talk talk;
    gr_arena_clear(&talks->arena);
    if (gr_talk_decode(bytes, &talks->arena, &talk) != GR_OK || talk.type != GR_TALK_FACTS)
        return false;
    for (uint32_t i = 0; i < talk.fact_count; i++)
        if (talk.fact_list[i].kind == GR_FACT_MEMBER && talk.fact_list[i].key == id) {
            (void)gr_talks_say(server, &talk.fact_list[i]);
            gr_members_meet(&talks->members, id); // it may have been an old card
            server->roster.news = true;
            (void)gr_roster_settle(server);
            return true;
        }
    return false;
}

bool gr_talks_take(struct gr_server *server, uint16_t member, struct gr_bytes bytes)
{
    struct gr_talks *talks = &server->talks;
    struct gr_talk talk;
    gr_arena_clear(&talks->arena);
    enum gr_err err = gr_talk_decode(bytes, &talks->arena, &talk);
    if (err != GR_OK)
        return err == GR_ERR_FORMAT; // a later program's: it is as if it had been lost
    gr_members_on_message(&talks->members, member, &talk, instant_now());
    arm(server);
    (void)gr_roster_settle(server);
    return true;
}

enum gr_status gr_talks_status(const struct gr_server *server, uint16_t member)
{
    return gr_members_status(&server->talks.members, member);
}
