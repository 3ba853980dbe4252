// Settings of the cluster at this node: what is in force, and who goes by it (core/agreed.h).
//
//   SE1 What was set wins over the cluster file, and the same is in force wherever the same facts
//       are known: files say only what is in force until somebody sets it.
//   SE2 R and W fit the ring: of more than N all are asked.
//   SE3 What is in force is taken at once by whoever goes by it, without a restart: the node, and
//       the store's thread that syncs.
#include <string.h>

#include "shell/inside.h"
#include "shell/log.h"
#include "wire/agreed.h"

static uint32_t otherwise(const struct gr_cluster *cluster, enum gr_agreed_key key)
{
    switch (key) {
    case GR_AGREED_R:
        return cluster->r;
    case GR_AGREED_W:
        return cluster->w;
    case GR_AGREED_DURABILITY:
        return cluster->durability;
    case GR_AGREED_SYNC_INTERVAL:
        return (uint32_t)(cluster->sync_interval.ns / 1000000);
    case GR_AGREED_VALUE_MAX:
        return GR_VALUE_BYTES_MAX;
    case GR_AGREED_SIBLINGS_MAX:
        return GR_SIBLINGS_MAX;
    case GR_AGREED_KEYS:
        break;
    }
    gr_unreachable("a setting");
}

void gr_roster_agreed(const struct gr_server *server, enum gr_agreed_key key, struct gr_agreed *ret)
{
    const struct gr_layout *layout = &server->roster.layout;
    const struct gr_known *known =
        gr_facts_find(&server->talks.members.facts, GR_FACT_SETTING, key);
    *ret = (struct gr_agreed){.value = otherwise(&server->cluster, key)};
    if (known != NULL && gr_agreed_decode(key, gr_bytes(known->value, known->size), ret) == GR_OK)
        ret->version = known->version;
    if (key == GR_AGREED_R || key == GR_AGREED_W) // SE2
        ret->value =
            gr_quorum_cut((uint8_t)ret->value, layout->version > 0 ? layout->n : server->cluster.n);
}

void gr_roster_learned_agreed(const struct gr_fact *fact)
{
    struct gr_agreed agreed;
    bool known = fact->key > 0 && fact->key < GR_AGREED_KEYS;
    if (!known || gr_agreed_decode((enum gr_agreed_key)fact->key, fact->value, &agreed) != GR_OK)
        gr_log(GR_LOG_ERROR,
            "the setting %llu, which the other members go by, cannot be used here%s%s. Bring this "
            "node to the version of gramme that the others have",
            (unsigned long long)fact->key, known ? ": " : "",
            known ? gr_agreed_name((enum gr_agreed_key)fact->key) : "");
}

static void say_changed(enum gr_agreed_key key, const struct gr_agreed *agreed)
{
    char value[GR_AGREED_TEXT];
    gr_agreed_print(key, agreed->value, value);
    gr_log(GR_LOG_INFO, "%s is %s from now on%s%s", gr_agreed_name(key), value,
        agreed->version > 0 ? ", set at " : "", agreed->version > 0 ? agreed->by : "");
}

void gr_roster_take_agreed(struct gr_server *server)
{
    uint32_t *force = server->roster.agreed;
    bool first = force[GR_AGREED_R] == 0, changed = false;
    for (int key = 1; key < GR_AGREED_KEYS; key++) {
        struct gr_agreed agreed;
        gr_roster_agreed(server, (enum gr_agreed_key)key, &agreed);
        if (agreed.value == force[key])
            continue;
        force[key] = agreed.value;
        changed = true;
        if (!first)
            say_changed((enum gr_agreed_key)key, &agreed);
    }
    if (!changed || server->node == NULL)
        return;
    struct gr_event event = {.type = GR_EVENT_AGREED,
        .r = (uint8_t)force[GR_AGREED_R],
        .w = (uint8_t)force[GR_AGREED_W],
        .durability = (enum gr_durability)force[GR_AGREED_DURABILITY],
        .value_max = force[GR_AGREED_VALUE_MAX],
        .siblings_max = force[GR_AGREED_SIBLINGS_MAX]};
    gr_turn_step(server, &event);
    gr_storage_set_interval(server->storage, gr_span_ms(force[GR_AGREED_SYNC_INTERVAL]));
}
