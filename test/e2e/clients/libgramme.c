// libgramme as a program uses it: values and contexts, siblings, outcomes. The addresses of a node
// that serves and of a port where nobody listens are the arguments.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gramme/gramme.h"

static int passed, failed;

static void ok(bool good, const char *what, const struct gramme *client)
{
    printf("%s - libgramme %s\n", good ? "ok" : "not ok", what);
    if (!good)
        printf("    %s %s\n", gramme_error_word(client), gramme_error(client));
    *(good ? &passed : &failed) += 1;
}

static bool is(struct gramme_bytes bytes, const char *text)
{
    return bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
}

static void one_value(struct gramme *client)
{
    struct gramme_bytes key = gramme_text("c:one"), none = {NULL, 0};
    struct gramme_value value;
    ok(gramme_get(client, key, NULL, &value) == GRAMME_OK && value.count == 0,
        "finds nothing where nothing is", client);
    struct gramme_write lasting = {.ttl_ms = 100000};
    ok(gramme_put(client, key, none, gramme_text("a"), &lasting, NULL) == GRAMME_OK, "puts",
        client);
    ok(gramme_get(client, key, NULL, &value) == GRAMME_OK && value.count == 1 &&
            is(value.value[0], "a") && value.context.size > 0,
        "gets value and context", client);
    struct gramme_bytes context;
    struct gramme_write strong = {.w = 3, .pw = 2, .dw = 1};
    ok(gramme_put(client, key, value.context, gramme_text("b"), &strong, &context) == GRAMME_OK,
        "puts with the context that it got", client);
    ok(gramme_put(client, key, context, gramme_text("c"), NULL, &context) == GRAMME_OK,
        "and with the one that the put gave", client);
    struct gramme_read all = {.r = 3};
    ok(gramme_get(client, key, &all, &value) == GRAMME_OK && value.count == 1 &&
            is(value.value[0], "c"),
        "sees one value", client);
    ok(gramme_delete(client, key, value.context, NULL, NULL) == GRAMME_OK, "deletes", client);
    ok(gramme_get(client, key, NULL, &value) == GRAMME_OK && value.count == 0, "sees it gone",
        client);
}

static void siblings(struct gramme *client)
{
    struct gramme_bytes key = gramme_text("c:two"), none = {NULL, 0};
    bool good = gramme_put(client, key, none, gramme_text("x"), NULL, NULL) == GRAMME_OK &&
                gramme_put(client, key, none, gramme_text("y"), NULL, NULL) == GRAMME_OK;
    ok(good, "puts blindly, twice", client);
    struct gramme_value value;
    ok(gramme_get(client, key, NULL, &value) == GRAMME_OK && value.count == 2, "gets both", client);
    ok(gramme_put(client, key, value.context, gramme_text("z"), NULL, NULL) == GRAMME_OK &&
            gramme_get(client, key, NULL, &value) == GRAMME_OK && value.count == 1,
        "makes them one", client);
    struct gramme_bytes forged = gramme_text("never-a-context");
    ok(gramme_put(client, key, forged, gramme_text("w"), NULL, NULL) == GRAMME_REJECTED &&
            strcmp(gramme_error_word(client), "BADCONTEXT") == 0,
        "is refused with a forged context", client);
}

static bool count_key(void *user, struct gramme_bytes key)
{
    (void)key;
    ++*(int *)user;
    return true;
}

static void others(struct gramme *client)
{
    int count = 0;
    ok(gramme_keys(client, "c:*", count_key, &count) == GRAMME_OK && count == 1, "lists keys",
        client);
    struct gramme_bytes ping[] = {gramme_text("PING")};
    const struct gramme_reply *reply = NULL;
    ok(gramme_command(client, 1, ping, &reply) == GRAMME_OK && reply->kind == GRAMME_TEXT &&
            is(reply->text, "PONG"),
        "sends any command", client);
    struct gramme_bytes where[] = {gramme_text("GR.WHERE"), gramme_text("c:two")};
    ok(gramme_command(client, 2, where, &reply) == GRAMME_OK && reply->count > 0, "reads a tree",
        client);
    struct gramme_bytes strange[] = {gramme_text("NOSUCH")};
    ok(gramme_command(client, 1, strange, NULL) == GRAMME_REJECTED &&
            strcmp(gramme_error_word(client), "ERR") == 0,
        "tells an error", client);
    ok(gramme_command(client, 1, ping, NULL) == GRAMME_OK && gramme_error(client)[0] == 0,
        "goes on after an error", client);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    struct gramme *client = gramme_open(argv[1], 10000);
    one_value(client);
    siblings(client);
    others(client);
    gramme_close(client);
    client = gramme_open(argv[2], 1000);
    struct gramme_bytes text = gramme_text("x"), none = {NULL, 0};
    ok(gramme_put(client, text, none, text, NULL, NULL) == GRAMME_REJECTED &&
            strcmp(gramme_error_word(client), "UNREACHABLE") == 0,
        "tells that nobody listens", client);
    gramme_close(client);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
