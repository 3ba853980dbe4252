// hiredis as its users write it: nothing is configured but host and port. Prints one line per case
// and the sum; the port is the first argument.
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int passed, failed;

static void ok(bool good, const char *what)
{
    printf("%s - hiredis %s\n", good ? "ok" : "not ok", what);
    *(good ? &passed : &failed) += 1;
}

static bool is_text(const redisReply *reply, const char *text)
{
    return reply != NULL &&
           (reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS) &&
           reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0;
}

static bool is_integer(const redisReply *reply, long long least, long long most)
{
    return reply != NULL && reply->type == REDIS_REPLY_INTEGER && reply->integer >= least &&
           reply->integer <= most;
}

// Replies live until the test ends; there are few.
#define ask(...) ((redisReply *)redisCommand(context, __VA_ARGS__))

static void one_key(redisContext *context)
{
    ok(is_text(ask("SET h:a %s", "one"), "OK"), "sets");
    ok(is_text(ask("GET h:a"), "one"), "gets");
    redisReply *none = ask("GET h:none");
    ok(none != NULL && none->type == REDIS_REPLY_NIL, "gets nil for what is not there");
    static const char bytes[] = {0, '\r', '\n', (char)255, 0};
    ok(is_text(ask("SET h:bytes %b", bytes, sizeof(bytes)), "OK"), "sets any bytes");
    redisReply *back = ask("GET h:bytes");
    ok(back != NULL && back->len == sizeof(bytes) && memcmp(back->str, bytes, sizeof(bytes)) == 0,
        "gets them back");
    ok(is_text(ask("SETEX h:short 100 x"), "OK"), "sets with an expiry");
    ok(is_integer(ask("TTL h:short"), 90, 100), "reads the time to live");
    ok(is_integer(ask("EXPIRE h:a 200"), 1, 1), "expires");
    ok(is_integer(ask("PERSIST h:a"), 1, 1), "persists");
    ok(is_integer(ask("TTL h:a"), -1, -1), "sees that it does not expire");
}

static void many_keys(redisContext *context)
{
    ok(is_text(ask("MSET h:1 a h:2 b"), "OK"), "sets many");
    redisReply *many = ask("MGET h:1 h:none h:2");
    ok(many != NULL && many->type == REDIS_REPLY_ARRAY && many->elements == 3 &&
            is_text(many->element[0], "a") && many->element[1]->type == REDIS_REPLY_NIL &&
            is_text(many->element[2], "b"),
        "gets many");
    ok(is_integer(ask("DEL h:1 h:2 h:none"), 2, 2), "deletes");
    ok(is_integer(ask("EXISTS h:1"), 0, 0), "sees what was deleted as gone");
}

static void pipeline(redisContext *context)
{
    bool good = true;
    for (int i = 0; i < 1000; i++)
        good = redisAppendCommand(context, "SET h:p%d %d", i, i) == REDIS_OK && good;
    for (int i = 0; i < 1000; i++) {
        redisReply *reply = NULL;
        good = redisGetReply(context, (void **)&reply) == REDIS_OK && is_text(reply, "OK") && good;
    }
    ok(good, "pipelines 1000 commands");
}

static void scan(redisContext *context)
{
    static bool seen[1000];
    char cursor[32] = "0";
    bool good = true;
    do {
        redisReply *page = ask("SCAN %s MATCH h:p* COUNT 50", cursor);
        good = page != NULL && page->type == REDIS_REPLY_ARRAY && page->elements == 2;
        for (size_t i = 0; good && i < page->element[1]->elements; i++) {
            int number = atoi(page->element[1]->element[i]->str + strlen("h:p"));
            seen[number >= 0 && number < 1000 ? number : 0] = true;
        }
        snprintf(cursor, sizeof(cursor), "%s", good ? page->element[0]->str : "0");
    } while (strcmp(cursor, "0") != 0);
    for (int i = 0; i < 1000; i++)
        good = good && seen[i];
    ok(good, "scans and sees every key");
}

int main(int argc, char **argv)
{
    redisContext *context = argc < 2 ? NULL : redisConnect("127.0.0.1", atoi(argv[1]));
    ok(context != NULL && context->err == 0, "connects");
    if (failed == 0) {
        one_key(context);
        many_keys(context);
        pipeline(context);
        scan(context);
        ok(context->err == 0, "saw no connection error");
        redisFree(context);
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
