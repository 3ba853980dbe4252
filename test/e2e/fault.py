"""What can happen to a Cluster, one method a fault: each makes it, lets the load run against it for so
many seconds, makes it good, and returns when all nodes see each other again.

The seconds are how long a fault lasts; nothing is taken to have happened because they have passed.
"""
import time

from cluster import wait_until
from lib import Resp, RespError, gramme

BULK_BYTES = 100_000
BULK_MAX = 1000  # values that must be more than any file of the store has taken room for beforehand
REFILL_S_MAX = 120
OPEN_AGAIN_S_MAX = 90  # a store that fails again and again is opened ever more slowly

NAMES = ("kill", "stop", "cut_link", "isolate", "drop", "cannot_send", "cannot_hear", "half_open",
         "half_open_one_way", "slow", "kill_while_stopped", "all_killed")


class Faults:
    def __init__(self, cluster, small_disks=None):
        """`small_disks` are SmallDisks by the node whose data they hold."""
        self.cluster = cluster
        self.small_disks = small_disks or {}
        self.slowest_settle = 0.0

    def names(self):
        """The faults that can be made here: all of them, or all but those of disks."""
        return NAMES + (("disk_full",) if self.small_disks else ())

    def make(self, name, node, seconds):
        getattr(self, name)(node, seconds)

    def good(self, seconds):
        self.slowest_settle = max(self.slowest_settle, seconds)

    def kill(self, node, seconds):
        self.cluster.kill(node)
        time.sleep(seconds)
        self.good(self.cluster.start(node))

    def stop(self, node, seconds):
        self.cluster.stop(node)
        time.sleep(seconds)
        self.good(self.cluster.go_on(node))

    def kill_while_stopped(self, node, seconds):
        self.cluster.stop(node)
        time.sleep(seconds / 2)
        self.kill(node, seconds / 2)

    def network(self, what, ways, seconds, **how):
        self.cluster.break_ways(what, ways, **how)
        time.sleep(seconds)
        self.good(self.cluster.heal())

    def cut_link(self, node, seconds):
        other = self.next(node)
        self.network(f"n{node}-n{other} is cut", self.cluster.both_ways(node, [other]), seconds, mode="cut")

    def isolate(self, node, seconds):
        self.network(f"n{node} is cut off", self.cluster.both_ways(node), seconds, mode="cut")

    def drop(self, node, seconds):
        """Every packet to and from the node is lost; TCP waits."""
        self.network(f"n{node} is unreachable", self.cluster.both_ways(node), seconds, mode="hold")

    def cannot_send(self, node, seconds):
        ways = [(node, other) for other in self.cluster.nodes if other != node]
        self.network(f"n{node} hears and is not heard", ways, seconds, mode="hold")

    def cannot_hear(self, node, seconds):
        ways = [(other, node) for other in self.cluster.nodes if other != node]
        self.network(f"n{node} is heard and does not hear", ways, seconds, mode="hold")

    def half_open(self, node, seconds):
        other = self.next(node)
        self.network(f"n{node}-n{other} swallows", self.cluster.both_ways(node, [other]), seconds, mode="swallow")

    def half_open_one_way(self, node, seconds):
        other = self.next(node)
        self.network(f"n{node}>n{other} swallows", [(node, other)], seconds, mode="swallow")

    def slow(self, node, seconds):
        self.network(f"n{node} is slow", self.cluster.both_ways(node), seconds, delay_ms=400)

    def all_killed(self, _node, seconds):
        for node in self.cluster.nodes:
            self.cluster.kill(node)
        time.sleep(seconds / 4)
        for node in self.cluster.nodes:
            self.cluster.launch(node)
        for node in self.cluster.nodes:
            self.cluster.wait_ready(node)
        self.good(self.cluster.settle("all are started again"))

    def wipe(self, node, seconds):
        self.cluster.kill(node)
        time.sleep(seconds)
        self.cluster.wipe(node)
        self.good(self.cluster.start(node))
        # Two lost disks are more than W = 2 promises to survive: the next must not come before this
        # one is refilled.
        done = gramme("repair", "run", self.cluster.at(node), timeout=REFILL_S_MAX)
        if done.returncode != 0:
            raise RuntimeError(f"n{node} is not refilled: {done.stdout}{done.stderr}{self.cluster.logs()}")

    def next(self, node):
        nodes = list(self.cluster.nodes)
        return nodes[(nodes.index(node) + 1) % len(nodes)]

    def disk_full(self, _node, seconds):
        """Whatever node was meant: it happens to one whose disk can be filled."""
        node, disk = next(iter(self.small_disks.items()))
        since = self.cluster.log_end(node)
        self.cluster.lose(f"n{node} has a full disk", nodes=[node])
        disk.fill()
        with Resp(self.cluster.port(node)) as connection:
            # Files take room before they use it: more is written than that, until one write fails.
            for number in range(BULK_MAX):
                connection.ask("SET", f"bulk:{number % 8}", b"%d" % number * (BULK_BYTES // 4))
                if self.cluster.has_logged(node, "disk is full", since):
                    break
        self.cluster.wait_log(node, "the store takes no more writes", since)
        disk.fill()
        time.sleep(seconds)
        disk.free()
        self.cluster.wait_log(node, "the store is open again", since, OPEN_AGAIN_S_MAX)
        self.good(self.cluster.settle(f"n{node} has room again"))
        first = self.cluster.nodes[0]
        with Resp(self.cluster.port(first)) as connection:
            wait_until(lambda: not isinstance(connection.ask("GR.PUT", "bulk:all", "", "", "W", self.cluster.n),
                                              RespError), 30, f"n{node} takes writes again")
