// GR.REPAIR: what is asked reaches the host, and what a node shows reaches the client.
#include "test/unit/redis_parts.h"

static struct gr_node *node;

static void emit(void *arg, const struct gr_effect *effect)
{
    (void)arg;
    (void)effect;
}

static void step(struct gr_event event)
{
    struct gr_sink sink = {emit, NULL};
    event.wall = host.wall;
    gr_node_step(node, &event, &sink);
}

// A node of three, each partition on two of them.
static int open_node(void **state)
{
    open_host(state);
    struct gr_member member[3];
    memcpy(member, host.ring.member, sizeof member);
    gr_ring_deinit(&host.ring);
    gr_ring_init(&host.ring, 8, 2, member, 3);
    struct gr_node_config config = gr_node_config_default();
    config.actor = (struct gr_actor){1, (uint64_t)4 << 32};
    config.run = 7;
    config.seed = 1;
    config.ring = &host.ring;
    host.node = node = gr_node_new(&config);
    return 0;
}

static int close_node(void **state)
{
    gr_node_free(node);
    return close_host(state);
}

// A partition that is held here, or one that is not.
static uint32_t partition(bool held)
{
    for (uint32_t p = 0; p < host.ring.partitions; p++)
        if ((gr_ring_position(&host.ring, p, 0) >= 0) == held)
            return p;
    fail();
    return 0;
}

static void say_partition(const char *format, uint32_t number)
{
    char line[64];
    snprintf(line, sizeof line, format, number);
    say(line);
}

// Takes what is to be sent, which must contain the text.
static void expect_part(const char *part)
{
    struct gr_writer *output = gr_redis_output(host.session);
    assert_true(output->size > 0);
    if (memmem(output->data, output->size, part, strlen(part)) == NULL)
        fail_msg("no '%s' in %.*s", part, (int)output->size, (const char *)output->data);
    gr_writer_clear(output);
    gr_redis_flushed(host.session);
}

static void test_refused(void **state)
{
    (void)state;
    ask("GR.REPAIR", "-ERR wrong number of arguments for 'gr.repair' command\r\n");
    ask("GR.REPAIR FIX", "-ERR syntax error\r\n");
    ask("GR.REPAIR RUN 1 2", "-ERR syntax error\r\n");
    const char *none =
        "-ERR there is no such partition: they are 0 to 7; GR.WHERE names a key's\r\n";
    ask("GR.REPAIR STATUS 8", none);
    ask("GR.REPAIR RUN -1", none);
    ask("GR.REPAIR SCRUB x", none);
    say_partition("GR.REPAIR RUN %u\r\n", partition(false));
    expect_part("is not held by this node but by n2, n3: ask one of them");
    host.peer_down = true; // as the host plays it, too much is waiting
    ask("GR.REPAIR RUN", "-BUSY too much was asked for at once; try again\r\n");
    step((struct gr_event){.type = GR_EVENT_STORE, .status = GR_ERR_NO_SPACE});
    say("GR.REPAIR SCRUB\r\n");
    expect_part("-ERR the store takes no writes, so nothing can be repaired: the disk is full");
    say("GR.REPAIR STATUS\r\n");
    expect_part("$5\r\nstore\r\n$8\r\nNO_SPACE\r\n");
    host.loading = true;
    say("GR.REPAIR STATUS\r\n");
    expect_part("-LOADING ");
}

static void test_asked(void **state)
{
    (void)state;
    uint32_t held = partition(true);
    say("GR.REPAIR RUN\r\n");
    expect_part("*6\r\n$6\r\nnumber\r\n:7\r\n$3\r\nrun\r\n:4\r\n$10\r\npartitions\r\n:");
    assert_int_equal(host.repaired.verb, GR_REPAIR_RUN);
    assert_true(host.repaired.partition == GR_REPAIR_ALL);
    say_partition("gr.repair scrub %u\r\n", held);
    expect_part("$10\r\npartitions\r\n:1\r\n");
    assert_int_equal(host.repaired.verb, GR_REPAIR_SCRUB);
    assert_int_equal(host.repaired.partition, held);
}

static void test_status(void **state)
{
    (void)state;
    say("HELLO 3\r\n");
    expect_part("proto\r\n:3\r\n");
    uint32_t held = partition(true);
    struct gr_clock_row row = {.actor = {99, 1}, .base = 12};
    struct gr_clock owed = {.row = &row, .count = 1};
    say("GR.REPAIR STATUS\r\n");
    expect_part("%26\r\n$4\r\nnode\r\n$2\r\nn1\r\n$3\r\nrun\r\n:4\r\n$5\r\nstore\r\n$2\r\nok\r\n");
    gr_node_load_owed(node, held, &owed);
    say("GR.REPAIR STATUS\r\n");
    expect_part("$6\r\nbehind\r\n:1\r\n");
    say("GR.REPAIR STATUS\r\n");
    expect_part("$12\r\nseconds-left\r\n_\r\n"); // I1
    say("GR.REPAIR STATUS\r\n");
    expect_part("$5\r\nfound\r\n$28\r\ndamaged since an earlier run\r\n$7\r\nseconds\r\n_\r\n"
                "$7\r\ndamaged\r\n#t\r\n$4\r\nowes\r\n:12\r\n$9\r\nwaits-for\r\n*1\r\n");
    say_partition("GR.REPAIR STATUS %u\r\n", held);
    expect_part("$5\r\nstate\r\n$6\r\nbehind\r\n$4\r\nread\r\n#f\r\n");
    say_partition("GR.REPAIR STATUS %u\r\n", held);
    expect_part("$4\r\nhere\r\n$6\r\nbehind\r\n$12\r\nhere-seconds\r\n:0\r\n$5\r\nthere\r\n$7\r\n"
                "unknown\r\n$13\r\nthere-seconds\r\n_\r\n$8\r\nexchange\r\n_\r\n");
    say("INFO entropy\r\n");
    expect_part("partitions_whole:0\r\npartitions_lacking:1\r\n");
    say("INFO entropy\r\n");
    expect_part("repair_seconds_left:-1\r\n");
}

#define NODE_TEST(name) cmocka_unit_test_setup_teardown(name, open_node, close_node)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NODE_TEST(test_refused),
        NODE_TEST(test_asked),
        NODE_TEST(test_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
