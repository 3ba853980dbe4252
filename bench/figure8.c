// The paper's experiment on partitioning (§6.2, Figure 8): how evenly three strategies spread the
// load over the nodes, against what each node has to remember for it.
//
//     figure8 [--seed N] [--draws N] [--nodes N]
//
//   1  Each node draws T positions at random; what lies between two of them is a partition, held by
//      the N nodes whose positions come next.
//   2  T positions at random likewise, and Q partitions of equal size, each held by the N nodes
//   whose
//      positions come after its end.
//   3  Q partitions of equal size, Q/S of them to each node.
//
// Efficiency is the load of the average node over that of the most loaded. Load is the share of the
// key space, N times over, that a node is asked about: as many keys as one likes, each as popular
// as any other, so that nothing but the partitioning makes a difference.
//
// What a node has to remember, in bytes: for 1 and 2 each position (8) and whose it is (2); for 3
// the preference list of each partition, N nodes of 2 bytes. It is Gramme's own planner that deals
// out strategy 3, in a cluster that has grown to S nodes, three at first and then one after
// another: nobody has the luck to know his size beforehand.
//
// A table for people and for gnuplot: columns by spaces, comments begin with #, a block for each
// curve. A run with the same seed prints the same.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "core/placement.h"

enum { N = 3, NODES_MAX = 100, TOKENS_MAX = 1 << 16, FIRST_NODES = 3, DRAWS_MAX = 1000 };
enum { POSITION_BYTES = 8, NODE_BYTES = 2 };
// Strategy 2 has so many partitions for each position: as many, or many more, as the paper has it.
enum { COARSE = 1, FINE = 8 };
// A planner has no use for more.
enum { PARTITIONS_MAX = 4096 };

struct token {
    uint64_t at;
    uint16_t node;
};

static struct token tokens[TOKENS_MAX];

static int compare_tokens(const void *a, const void *b)
{
    const struct token *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void draw_tokens(struct gr_random *random, uint32_t nodes, uint32_t each)
{
    for (uint32_t i = 0; i < nodes * each; i++)
        tokens[i] = (struct token){gr_random_next(random), (uint16_t)(i / each)};
    qsort(tokens, (size_t)nodes * each, sizeof *tokens, compare_tokens);
}

// Adds `share` to the N different nodes whose positions come first from token `from` on.
static void serve(uint32_t count, uint32_t from, double share, double *load)
{
    uint16_t seen[N];
    uint32_t found = 0;
    for (uint32_t i = 0; i < count && found < N; i++) {
        uint16_t node = tokens[(from + i) % count].node;
        bool again = false;
        for (uint32_t k = 0; k < found; k++)
            again = again || seen[k] == node;
        if (again)
            continue;
        seen[found++] = node;
        load[node] += share;
    }
}

static double efficiency(const double *load, uint32_t nodes)
{
    double sum = 0, most = 0;
    for (uint32_t i = 0; i < nodes; i++) {
        sum += load[i];
        most = load[i] > most ? load[i] : most;
    }
    return sum / nodes / most;
}

static double random_partitions(struct gr_random *random, uint32_t nodes, uint32_t each)
{
    double load[NODES_MAX] = {0};
    uint32_t count = nodes * each;
    draw_tokens(random, nodes, each);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t before = tokens[(i + count - 1) % count].at;
        serve(count, i, (double)(tokens[i].at - before), load); // around the end of the ring too
    }
    return efficiency(load, nodes);
}

static double equal_partitions(
    struct gr_random *random, uint32_t nodes, uint32_t each, uint32_t partitions)
{
    double load[NODES_MAX] = {0};
    uint32_t count = nodes * each, next = 0;
    draw_tokens(random, nodes, each);
    for (uint64_t p = 1; p <= partitions; p++) {
        uint64_t end = p * (UINT64_MAX / partitions);
        while (next < count && tokens[next].at < end)
            next++;
        serve(count, next % count, 1, load);
    }
    return efficiency(load, nodes);
}

static double planned(uint32_t nodes, uint32_t partitions)
{
    static uint16_t before[PARTITIONS_MAX * N], after[PARTITIONS_MAX * N];
    struct gr_place place[NODES_MAX];
    double load[NODES_MAX] = {0};
    for (uint32_t m = 0; m < nodes; m++)
        place[m] = (struct gr_place){.host = (uint16_t)m, .weight = m < FIRST_NODES};
    struct gr_ring ring = {
        .partitions = partitions, .n = N, .member_count = (uint16_t)nodes, .owner = before};
    for (uint32_t now = FIRST_NODES; now <= nodes; now++) {
        struct gr_placement placement;
        place[now - 1].weight = 1;
        enum gr_err err = gr_placement_plan(partitions, N, place, (uint16_t)nodes,
            now == FIRST_NODES ? NULL : &ring, after, &placement);
        gr_assert(err == GR_OK);
        memcpy(before, after, sizeof before);
    }
    for (uint32_t i = 0; i < partitions * N; i++)
        load[after[i]] += 1;
    return efficiency(load, nodes);
}

// ---- curves ----------------------------------------------------------------------------------

static void print_row(uint32_t strategy, uint32_t nodes, uint32_t tokens_each, uint32_t partitions,
    uint32_t bytes, double mean, double least)
{
    printf(
        "%u %u %u %u %u %.4f %.4f\n", strategy, nodes, tokens_each, partitions, bytes, mean, least);
}

// `fineness`: of strategy 2.
static void print_strategy(
    uint32_t strategy, uint32_t nodes, uint32_t fineness, uint64_t seed, uint32_t draws)
{
    printf("# strategy %u, S=%u, Q/ST=%u\n", strategy, nodes, fineness);
    for (uint32_t each = 1; each <= 512 && nodes * each <= TOKENS_MAX; each *= 2) {
        double sum = 0, least = 1;
        for (uint32_t i = 0; i < draws; i++) {
            struct gr_random random;
            gr_random_init(&random, seed + i);
            double is = strategy == 1
                            ? random_partitions(&random, nodes, each)
                            : equal_partitions(&random, nodes, each, nodes * each * fineness);
            sum += is;
            least = is < least ? is : least;
        }
        print_row(strategy, nodes, each, nodes * each * fineness,
            nodes * each * (POSITION_BYTES + NODE_BYTES), sum / draws, least);
    }
    printf("\n\n");
}

static void print_planned(uint32_t nodes)
{
    printf("# strategy 3, S=%u\n", nodes);
    for (uint32_t partitions = 32; partitions <= PARTITIONS_MAX; partitions *= 2) {
        if (partitions < nodes)
            continue;
        double is = planned(nodes, partitions);
        print_row(3, nodes, partitions / nodes, partitions, partitions * N * NODE_BYTES, is, is);
    }
    printf("\n\n");
}

static uint64_t number(const char *text, uint64_t least, uint64_t most)
{
    char *end = NULL;
    uint64_t value =
        text != NULL && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (end != NULL && *end == 0 && value >= least && value <= most)
        return value;
    fprintf(stderr, "figure8: a number from %llu to %llu is wanted\n", (unsigned long long)least,
        (unsigned long long)most);
    exit(2);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, draws = 50, nodes = 0;
    for (int i = 1; i < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = number(argv[i + 1], 0, UINT64_MAX - DRAWS_MAX);
        else if (strcmp(argv[i], "--draws") == 0)
            draws = number(argv[i + 1], 1, DRAWS_MAX);
        else if (strcmp(argv[i], "--nodes") == 0)
            nodes = number(argv[i + 1], FIRST_NODES, NODES_MAX);
        else {
            fprintf(stderr, "figure8: usage: figure8 [--seed N] [--draws N] [--nodes N]\n");
            return 2;
        }
    }
    uint32_t sizes[] = {30, 10, 100};
    size_t count = GR_COUNT(sizes);
    if (nodes > 0)
        sizes[0] = (uint32_t)nodes, count = 1;
    printf("# strategy nodes tokens-per-node partitions bytes efficiency-mean efficiency-least\n");
    printf("# N=%d, %llu draws from seed %llu\n", N, (unsigned long long)draws,
        (unsigned long long)seed);
    for (size_t i = 0; i < count; i++) {
        print_strategy(1, sizes[i], 1, seed, (uint32_t)draws);
        print_strategy(2, sizes[i], COARSE, seed, (uint32_t)draws);
        print_strategy(2, sizes[i], FINE, seed, (uint32_t)draws);
        print_planned(sizes[i]);
    }
    return 0;
}
