// Sites: which positions of a preference list stand where, and who stands in there (§4.6: replicas
// over several data centres).
//
// Branches of a bank: an entry is made in every branch that has the account, but a customer may ask
// to be answered as soon as most clerks of his own branch have made it, or only when most clerks of
// every branch have. A clerk who is ill is stood in for by one of the same branch if there is one;
// one who helps out from elsewhere keeps the entry safe, and does not speak for the branch.
//
//   SI1 A position is at the site of its voter, as known to whoever coordinates when the request
//       begins, for as long as it lasts. `local` is the site of the node where the client asked.
//   SI2 `local` asks for most of the positions at that site, `each` for most of those at every site
//       that has any. Where the site has none, `local` asks for most of all, wherever they are.
//   SI3 Whoever stands in counts toward that only at the site of the position (Q4). It keeps its
//       hint, and counts as an acknowledgement, wherever it is.
//   SI4 Those who may stand in are asked in the order of the walk: the ones at the position's site
//       first, then the others, so that gets look for hints where puts leave them.
//
// Owns: nothing.
#include "core/inside.h"

static uint16_t head_of(const struct gr_ring *ring, uint16_t member)
{
    return ring->member[member].site_head;
}

// The group of that site; begun if there is none.
static struct gr_group *group_of(struct gr_need *need, uint16_t *head, uint16_t site)
{
    uint8_t g = 0;
    while (g < need->count && head[g] != site)
        g++;
    head[g] = site;
    need->count = GR_MAX(need->count, (uint8_t)(g + 1));
    return &need->group[g];
}

struct gr_need gr_site_need(
    const struct gr_ring *ring, const struct gr_preference *list, uint8_t asked, uint16_t client)
{
    if (!gr_quorum_by_site(asked))
        return gr_need_any(list->n, asked);
    struct gr_need need = {.by_site = true};
    uint16_t head[GR_REPLICAS_MAX];
    for (uint8_t i = 0; i < list->n; i++) {
        uint16_t site = head_of(ring, list->voter[i]);
        if (asked == GR_QUORUM_EACH || site == head_of(ring, client))
            group_of(&need, head, site)->positions |= (uint8_t)(1u << i);
    }
    for (uint8_t g = 0; g < need.count; g++)
        need.group[g].least = (uint8_t)(gr_need_bits(need.group[g].positions) / 2 + 1);
    return need.count > 0 ? need : gr_need_any(list->n, (uint8_t)(list->n / 2 + 1)); // SI2
}

enum gr_voter gr_site_voter(
    const struct gr_node *node, const struct gr_preference *list, uint8_t position, uint16_t member)
{
    if (list->voter[position] == member && (list->held >> position & 1))
        return GR_VOTER_OWNER;
    return gr_ring_same_site(node->ring, list->voter[position], member) ? GR_VOTER_NEAR
                                                                        : GR_VOTER_AWAY;
}

void gr_site_on_ring(struct gr_node *node)
{
    for (uint16_t m = 0; m < node->ring->member_count; m++)
        node->peer[m].far = !gr_ring_same_site(node->ring, m, node->config.self);
}

bool gr_site_nearer(const struct gr_node *node, enum gr_ask ask, uint16_t a, uint16_t b)
{
    bool a_here = gr_ring_same_site(node->ring, a, node->config.self);
    bool b_here = gr_ring_same_site(node->ring, b, node->config.self);
    if (a_here != b_here)
        return a_here;
    return node->peer[a].latency[ask].hedge.ns < node->peer[b].latency[ask].hedge.ns;
}

int gr_site_next_fallback(
    struct gr_node *node, uint32_t partition, uint16_t voter, struct gr_fallbacks *walk, bool self)
{
    while (!walk->ended) {
        int member = gr_node_next_fallback(node, partition, walk->begun ? walk->last : -1, self);
        walk->begun = member >= 0;
        if (member < 0) {
            walk->ended = walk->away;
            walk->away = true;
            continue;
        }
        walk->last = (uint16_t)member;
        if (gr_ring_same_site(node->ring, voter, (uint16_t)member) != walk->away)
            return member;
    }
    return -1;
}

// Positions of a group that someone at its site could vote for now.
static uint8_t group_up(struct gr_node *node, uint32_t partition, const struct gr_preference *list,
    const struct gr_group *group)
{
    uint8_t up = 0, size = gr_need_bits(group->positions);
    uint16_t site = 0;
    for (uint8_t i = 0; i < list->n; i++) {
        uint16_t voter = list->voter[i], owner = list->member[i];
        if (!(group->positions >> i & 1))
            continue;
        site = voter;
        up += gr_node_peer_up(node, voter) ||
              (gr_node_peer_up(node, owner) && gr_ring_same_site(node->ring, owner, voter));
    }
    int at = -1;
    while (up < size && (at = gr_node_next_fallback(node, partition, at, true)) >= 0)
        up += gr_ring_same_site(node->ring, (uint16_t)at, site);
    return up;
}

uint8_t gr_site_up(struct gr_node *node, uint32_t partition, const struct gr_preference *list,
    const struct gr_need *need)
{
    uint8_t up = 0;
    for (uint8_t g = 0; g < need->count; g++)
        up += GR_MIN(group_up(node, partition, list, &need->group[g]), need->group[g].least);
    return up;
}
