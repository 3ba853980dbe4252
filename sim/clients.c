// The clients: what is asked, drawn from the seed.
//
// Each client has one request under way. It reads, writes with the context of its last read, of an
// older one, or blindly, sets and deletes through the plain face, and lets values expire. The value
// of a write is its number, so that the oracle can tell whose it is; the request id says so too.
#include <stdio.h>
#include <string.h>

#include "sim/sim.h"

static const char *const kind_name[SIM_KINDS] = {
    "get", "put", "delete", "set", "set-old", "expire", "del"};

void sim_clients_init(struct sim_clients *clients, struct sim *sim, struct sim_oracle *oracle)
{
    const struct sim_plan *plan = sim_plan_of(sim);
    *clients = (struct sim_clients){.sim = sim, .oracle = oracle};
    clients->count = plan->clients;
    clients->keys = plan->keys;
    for (int k = 0; k < clients->keys; k++) {
        const char *form = plan->keys_together ? "{t}k%d" : "key%d";
        snprintf(clients->name[k], sizeof clients->name[k], form, k);
        clients->key[k] = gr_key_make(gr_bytes_text("default"), gr_bytes_text(clients->name[k]));
    }
    for (int c = 0; c < clients->count; c++) {
        struct sim_client *client = &clients->client[c];
        sim_stream_init(&client->random, plan->seed, SIM_STREAM_CLIENT, (uint64_t)c);
        client->waits_for = -1;
    }
}

void sim_clients_deinit(struct sim_clients *clients)
{
    for (int c = 0; c < clients->count; c++)
        gr_arena_deinit(&clients->client[c].arena);
}

static enum sim_op_kind draw_kind(struct gr_random *random)
{
    static const uint8_t weight[SIM_KINDS] = {34, 22, 10, 18, 6, 4, 6};
    uint64_t at = gr_random_below(random, 100);
    for (int kind = 0; kind < SIM_KINDS; kind++) {
        if (at < weight[kind])
            return (enum sim_op_kind)kind;
        at -= weight[kind];
    }
    return SIM_GET;
}

static int draw_quorum(struct gr_random *random, int n)
{
    return gr_random_chance(random, 750) ? n / 2 + 1
                                         : 1 + (int)gr_random_below(random, (uint64_t)n);
}

// Where there are sites, a third of all requests ask by site. Without a draw, so that runs without
// sites stay what they were.
static uint8_t quorum_by_site(const struct sim_clients *clients)
{
    int number = clients->oracle->count;
    if (sim_plan_of(clients->sim)->sites == 1 || number % 3 != 1)
        return 0;
    return number / 3 % 3 == 2 ? GR_QUORUM_EACH : GR_QUORUM_LOCAL;
}

static void fill_in(
    struct sim_clients *clients, struct sim_client *client, int number, struct gr_request *request)
{
    struct sim_op *op = &clients->oracle->op[number];
    struct gr_random *random = &client->random;
    int64_t soon = sim_wall(clients->sim).ms + 500 + (int64_t)gr_random_below(random, 8000);
    bool mortal = gr_random_chance(random, 150);
    uint64_t which = gr_random_below(random, 100);
    switch (op->kind) {
    case SIM_GET:
        request->op = GR_OP_GET;
        return;
    case SIM_PUT:
    case SIM_DELETE:
        request->op = GR_OP_PUT;
        request->remove = op->removes;
        if (which < 60)
            request->context = client->context[op->key];
        else if (which < 80)
            request->context = client->stale[op->key];
        if (op->removes)
            return;
        break;
    case SIM_SET:
    case SIM_SET_OLD:
        request->op = GR_OP_UPDATE;
        request->verb = GR_VERB_SET;
        request->want_old = op->kind == SIM_SET_OLD;
        break;
    case SIM_EXPIRE:
        request->op = GR_OP_UPDATE;
        request->verb = GR_VERB_EXPIRE;
        mortal = true;
        break;
    case SIM_DEL:
        request->op = GR_OP_UPDATE;
        request->verb = GR_VERB_DELETE;
        return;
    case SIM_KINDS:
        gr_unreachable("not a kind");
    }
    if (mortal)
        request->expires.ms = op->expires_ms = soon;
}

void sim_clients_act(struct sim_clients *clients, int c)
{
    struct sim_client *client = &clients->client[c];
    struct gr_random *random = &client->random;
    if (client->waits_for >= 0)
        return;
    // As many draws whatever the number of nodes and keys.
    int node = (int)(gr_random_next(random) % (uint64_t)sim_node_count(clients->sim));
    enum sim_op_kind kind = draw_kind(random);
    int key = (int)(gr_random_next(random) % (uint64_t)clients->keys);
    int n = sim_replicas(clients->sim);
    int r = draw_quorum(random, n), w = draw_quorum(random, n);
    uint8_t by_site = quorum_by_site(clients);
    r = by_site != 0 ? 1 : r;
    w = by_site != 0 ? 1 : w;
    if (!sim_node_up(clients->sim, node))
        return;
    int number =
        sim_oracle_begin(clients->oracle, kind, key, sim_key_partition(clients->sim, key), r, w);
    if (number < 0)
        return;
    uint64_t value = (uint64_t)number + 1;
    struct gr_request request = {
        .ticket = (uint64_t)c << 32 | (uint64_t)number,
        .id = {0x51, value},
        .key = clients->key[key],
        .r = by_site != 0 ? by_site : (uint8_t)r,
        .w = by_site != 0 ? by_site : (uint8_t)w,
        .value = gr_bytes(&value, sizeof value),
    };
    // Without a draw, so that runs in the mode `commit` stay what they were.
    if (sim_durability(clients->sim) != GR_DURABILITY_COMMIT && number % 5 == 2)
        request.dw = (uint8_t)(1 + number / 5 % n);
    clients->oracle->op[number].dw = request.dw;
    clients->oracle->op[number].by_site = by_site;
    fill_in(clients, client, number, &request);
    client->waits_for = number;
    struct sim_op *op = &clients->oracle->op[number];
    op->node = node;
    sim_progress_begin(clients->sim, op);
    sim_tell(clients->sim, "client %d asks node %d: %s %s as %d (R=%d W=%d)%s", c, node,
        kind_name[kind], clients->name[key], number, request.r, request.w,
        op->must ? ", must succeed" : "");
    if (!sim_submit(clients->sim, node, &request))
        client->waits_for = -1;
}

// Contexts are kept in the client's arena; it is renewed from what is still needed.
static void remember(struct sim_client *client, int key, const struct gr_context *context)
{
    client->stale[key] = client->context[key];
    client->context[key] = gr_context_copy(&client->arena, context);
    if (client->arena.bytes < 1u << 20)
        return;
    struct gr_arena fresh = {0};
    for (int k = 0; k < SIM_KEYS_MAX; k++) {
        client->context[k] = gr_context_copy(&fresh, &client->context[k]);
        client->stale[k] = gr_context_copy(&fresh, &client->stale[k]);
    }
    gr_arena_deinit(&client->arena);
    client->arena = fresh;
}

void sim_clients_result(struct sim_clients *clients, const struct gr_result *result)
{
    int c = (int)(result->ticket >> 32), number = (int)(result->ticket & 0xffffffff);
    struct sim_client *client = &clients->client[c];
    static const char *const outcomes[] = {"done", "rejected", "indeterminate"};
    sim_tell(clients->sim, "client %d is answered: %d %s (%s), %u of %u, %u siblings", c, number,
        outcomes[result->outcome], gr_err_info(result->err)->name, result->acks, result->needed,
        result->record.count);
    sim_oracle_result(clients->oracle, number, result);
    sim_progress_end(clients->sim, number, result);
    if (client->waits_for != number) {
        clients->stray++;
        return;
    }
    client->waits_for = -1;
    struct sim_op *op = &clients->oracle->op[number];
    bool learns = result->outcome == GR_DONE &&
                  (op->kind == SIM_GET || op->kind == SIM_PUT || op->kind == SIM_DELETE);
    if (learns)
        remember(client, op->key, &result->record.context);
}

void sim_clients_abandon(struct sim_clients *clients, uint64_t ticket)
{
    struct sim_client *client = &clients->client[ticket >> 32];
    if (client->waits_for == (int)(ticket & 0xffffffff))
        client->waits_for = -1;
}
