// The Redis face: what is not offered, and why.
//
// Redis keeps one copy of a key in one place at a time; Gramme keeps N and never refuses a write.
// So some of Redis' promises cannot be kept, and an answer that looks like success would be a lie.
// The error says in one sentence what would go wrong and what to do instead.
//
// Source: redis.io/commands (the list); Dynamo §2.3, §4.4 (why an always writable store cannot).
//
// I1. A command that redis_table.c has is not here (asserted by the test).
//
// Owns nothing.
#include "wire/redis_inside.h"

static const struct {
    const char *reason;
    const char *names; // lower case, a space before and after each
} groups[] = {
    {"two sides of a split network could both succeed; use GR.PUT with a context",
        " setnx msetnx renamenx hsetnx "},
    {"two sides of a split network would count from the same number and one count would be lost; "
     "keep a count per writer, or use GR.PUT with a context",
        " incr decr incrby decrby incrbyfloat "},
    {"there is no order of all writes that a transaction could take a place in; use GR.PUT with a "
     "context to replace exactly what was read",
        " multi exec discard watch unwatch "},
    {"a script would run against one replica's view and could not be repeated at the others; read, "
     "compute in the client, and use GR.PUT with a context",
        " eval evalsha eval_ro evalsha_ro script fcall fcall_ro function "},
    {"messages are not kept and a split network would drop them; use a broker",
        " subscribe unsubscribe psubscribe punsubscribe ssubscribe sunsubscribe publish spublish "
        "pubsub monitor "},
    {"values are plain bytes, and two sides of a split network could change one structure in ways "
     "that do not merge; keep the structure in the value and resolve siblings with GR.GET",
        " lpush rpush lpushx rpushx lpop rpop blpop brpop llen lrange lindex lset lrem ltrim "
        "linsert lpos lmove blmove lmpop blmpop rpoplpush brpoplpush sadd srem smembers sismember "
        "smismember scard spop srandmember smove sinter sinterstore sintercard sunion sunionstore "
        "sdiff sdiffstore sscan hset hget hmset hmget hgetall hdel hexists hlen hkeys hvals "
        "hincrby "
        "hincrbyfloat hstrlen hscan hrandfield zadd zrem zscore zmscore zincrby zcard zcount "
        "zrange "
        "zrangestore zrangebyscore zrevrangebyscore zrangebylex zrevrangebylex zrevrange zrank "
        "zrevrank zremrangebyrank zremrangebyscore zremrangebylex zlexcount zpopmin zpopmax "
        "bzpopmin "
        "bzpopmax zmpop bzmpop zrandmember zunion zunionstore zinter zinterstore zintercard zdiff "
        "zdiffstore zscan xadd xread xreadgroup xrange xrevrange xlen xdel xtrim xack xclaim "
        "xautoclaim xgroup xinfo xpending xsetid pfadd pfcount pfmerge pfdebug pfselftest geoadd "
        "geodist geohash geopos geosearch geosearchstore georadius georadius_ro georadiusbymember "
        "georadiusbymember_ro sort sort_ro "},
    {"values are read and written whole; use GET and SET",
        " getrange setrange substr getbit setbit bitcount bitpos bitop bitfield bitfield_ro lcs "},
    {"it is an old spelling; use SET with GET", " getset "},
    {"it would walk all keys of all nodes in one answer; use SCAN", " keys randomkey "},
    {"two keys live on different nodes and cannot change together; write the new key, then delete "
     "the old one",
        " rename copy move swapdb migrate "},
    {"a record has siblings and a context that Redis' format cannot say; use GR.GET and GR.PUT",
        " dump restore restore-asking object "},
    {"it belongs to the port for cluster clients, which this version does not have; any node "
     "serves "
     "any key, see GR.WHERE",
        " cluster asking "},
    {"every node is alike and keeps its data itself; see `gramme help`",
        " save bgsave bgrewriteaof lastsave shutdown replicaof slaveof replconf sync psync "
        "failover "
        "role module acl latency slowlog memory debug "},
};

// Whether `word` is one of the names, whatever its case.
static bool has_word(const char *names, struct gr_bytes word)
{
    char name[32];
    while (*names != 0) {
        size_t size = 0;
        for (names++; *names != ' ' && *names != 0; names++) {
            gr_assert(size < sizeof name - 1);
            name[size++] = *names;
        }
        name[size] = 0;
        if (size > 0 && gr_redis_is(word, name))
            return true;
    }
    return false;
}

const char *gr_redis_refusal(struct gr_bytes name)
{
    for (size_t i = 0; i < GR_COUNT(groups); i++) {
        if (has_word(groups[i].names, name))
            return groups[i].reason;
    }
    return NULL;
}
