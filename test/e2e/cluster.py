"""Real nodes that real things happen to: `gramme server` processes on loopback, with a relay between
each two of them (relay/relay.py), and every fault that a process, a network or a disk has.

Each node has a cluster file of its own, in which the others' peer addresses are ports of the relay:
the handshake proves names and the cluster's secret, never addresses, so the nodes do not notice. One
member of each pair dials the other, so each pair has one lane; its two directions fail separately.

Nothing here waits by sleeping for a time that is hoped to be long enough: what is waited for is
asked for again and again until it is so, or until it has taken too long.

A Cluster also keeps the *timeline*: from when on which node lives and which links work. The time of
a fault is written down before it is made, the time of a repair when both sides say that it is done,
so whatever was sent while the timeline says "live" was sent to a live node.
"""
import atexit
import itertools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

from lib import GRAMME, Lines, Resp, RespError, environment, free_port_base, temporary_dir

RELAY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relay", "relay.py")
READY_S_MAX = 60
LOOK_S = 0.02  # between two questions whether it is so already
PORT_PEER, PORT_LANES = 11, 21


def wait_until(is_so, seconds, what):
    """Asks again and again; the value of is_so() once it is true. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while True:
        value = is_so()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s it is not so yet: {what}")
        time.sleep(LOOK_S)


class Relay:
    """The relay process; its methods return when the relay has done it."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-B", RELAY],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False, env=environment(),
        )
        atexit.register(self.close)
        self.lines = Lines(self.process.stdout)

    def tell(self, **words):
        self.process.stdin.write(json.dumps(words).encode() + b"\n")
        self.process.stdin.flush()
        line = self.lines.next(time.monotonic() + 30)
        if line is None:
            raise RuntimeError("the relay ended")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"the relay: {answer['error']}")
        return answer

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Cluster:
    """Nodes are numbered 1, 2, 3 ... and named n1, n2, n3 ...; use it with `with`."""

    def __init__(self, nodes=3, n=3, r=2, w=2, partitions=64, options=(), data=None, sites=None,
                 more=()):
        """`sites`: the label of each node's site; r and w may then be "local" and "each" too.
        `more`: lines of the cluster file besides, "durability = interval"."""
        self.nodes = range(1, nodes + 1)
        self.sites = sites or {}
        self.n, self.r, self.w, self.partitions = n, r, w, partitions
        self.options, self.more = list(options), list(more)
        self.dir = temporary_dir()
        lanes = range(PORT_LANES, PORT_LANES + nodes)
        self.base = free_port_base(nodes, offsets=(0, PORT_PEER, *lanes))
        self.data = {node: (data or {}).get(node, os.path.join(self.dir, f"n{node}", "data"))
                     for node in self.nodes}
        self.process = {node: None for node in self.nodes}
        self.stopped = set()
        self.broken = {}  # direction (from, to) -> how
        self.timeline = []
        self.up_links = set()
        self.alive = set()
        self.relay = None

    # ---- places and files ------------------------------------------------------------------------

    def port(self, node):
        return self.base + 100 * (node - 1)

    def at(self, node):
        return f"127.0.0.1:{self.port(node)}"

    def peer_port(self, node):
        return self.port(node) + PORT_PEER

    def lane_port(self, origin, target):
        """Where `origin` dials to reach `target`."""
        return self.port(origin) + PORT_LANES + target - 1

    def path(self, node, *names):
        return os.path.join(self.dir, f"n{node}", *names)

    def write_files(self):
        identity = f"cluster = {secrets.token_hex(16)}\nsecret = {secrets.token_hex(32)}\n"
        for node in self.nodes:
            os.makedirs(self.path(node), exist_ok=True)
            lines = ["format = 1", identity.rstrip("\n"), f"partitions = {self.partitions}",
                     f"n = {self.n}", f"r = {self.r}", f"w = {self.w}", *self.more]
            for other in self.nodes:
                port = self.peer_port(node) if other == node else self.lane_port(node, other)
                site = f" site={self.sites[other]}" if other in self.sites else ""
                lines.append(f"member = n{other} host{other} 127.0.0.1:{port} {self.at(other)}{site}")
            with os.fdopen(os.open(self.path(node, "cluster"), os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
                file.write("\n".join(lines) + "\n")

    # ---- begin and end ---------------------------------------------------------------------------

    def start_all(self):
        atexit.register(self.close)
        self.write_files()
        self.open_relay()
        for node in self.nodes:
            self.launch(node)
        for node in self.nodes:
            self.wait_ready(node)
        self.settle()
        return self

    def open_relay(self):
        self.relay = Relay()
        # Which of two dials is the program's business: there are lanes for both.
        self.relay.tell(lanes=[[str(a), str(b), self.lane_port(a, b), self.peer_port(b)]
                               for a, b in itertools.permutations(self.nodes, 2)])

    def close(self):
        for process in self.process.values():
            if process is not None and process.poll() is None:
                process.kill()
        for process in self.process.values():
            if process is not None:
                process.wait()
        if self.relay is not None:
            self.relay.close()

    def __enter__(self):
        return self.start_all()

    def __exit__(self, *_):
        self.close()

    def launch(self, node):
        log = open(self.path(node, "log"), "ab")
        self.process[node] = subprocess.Popen(
            [GRAMME, "server", "--name", f"n{node}", "--data", self.data[node],
             "--cluster", self.path(node, "cluster"), *self.options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=environment(),
        )
        log.close()

    def wait_ready(self, node):
        """Returns when the node has said its line; raises if it ends before."""
        line = Lines(self.process[node].stdout).next(time.monotonic() + READY_S_MAX)
        if line is None or not line.startswith("ready: "):
            raise RuntimeError(f"n{node} said {line!r} instead of ready:{self.log(node)}")

    def log(self, node, lines=15):
        try:
            with open(self.path(node, "log"), errors="replace") as file:
                return f"\n--- n{node}\n" + "".join(file.readlines()[-lines:])
        except OSError as error:
            return f"\n--- n{node}: {error}\n"

    def logs(self, lines=15):
        return "".join(self.log(node, lines) for node in self.nodes)

    # ---- the timeline ----------------------------------------------------------------------------

    def mark(self, what):
        """Writes down what is from now on, or will be at once."""
        links = {pair for pair in self.up_links if pair <= self.alive}
        self.timeline.append({
            "type": "state", "time": time.time(), "what": what, "live": sorted(self.alive),
            "links": sorted(sorted(pair) for pair in links),
        })

    def lose(self, what, nodes=(), pairs=()):
        """To be called before the fault is made."""
        self.alive -= set(nodes)
        self.up_links -= {pair for pair in self.up_links if pair & set(nodes)}
        self.up_links -= {frozenset(pair) for pair in pairs}
        self.mark(what)

    def peers_up(self, node):
        """Whom the node sees up, itself too; empty when it does not answer."""
        try:
            with Resp(self.port(node), timeout=2) as connection:
                info = connection.ask("INFO")
                if isinstance(info, RespError) or b"loading:1" in info:
                    return set()
                # A key's owners are N nodes; keys enough have all of them.
                seen = set()
                for name, state in self.states(connection):
                    if state == b"up":
                        seen.add(int(name[1:]))
                return seen
        except (OSError, ConnectionError):
            return set()

    def states(self, connection):
        found = {}
        for probe in range(64):
            where = connection.ask("GR.WHERE", f"where:{probe}")
            if isinstance(where, RespError):
                break
            fields = dict(zip(where[0::2], where[1::2]))
            for entry in fields[b"nodes"]:
                words = dict(zip(entry[0::2], entry[1::2]))
                found[words[b"node"]] = words[b"state"]
            if len(found) == len(self.nodes):
                break
        return found.items()

    def settle(self, what="all is well", seconds=30):
        """Waits until the nodes that run see each other as far as nothing is broken between them, and
        writes down that it is so. Returns the seconds that it took."""
        began = time.monotonic()
        running = {node for node in self.nodes
                   if self.process[node] is not None and self.process[node].poll() is None
                   and node not in self.stopped}
        whole = {frozenset(pair) for pair in itertools.combinations(running, 2)
                 if not {pair, pair[::-1]} & set(self.broken)}

        def see_each_other():
            seen = {node: self.peers_up(node) for node in running}
            return all(node in seen[node] for node in running) and all(
                a in seen[b] and b in seen[a] for a, b in map(tuple, whole))

        wait_until(see_each_other, seconds, f"nodes {sorted(running)} see each other{self.logs()}")
        self.alive, self.up_links = running, whole
        self.mark(what)
        return time.monotonic() - began

    # ---- faults of processes -----------------------------------------------------------------------

    def kill(self, node):
        """SIGKILL; returns when the process is gone."""
        self.lose(f"n{node} is killed", nodes=[node])
        self.process[node].kill()
        self.process[node].wait()
        self.process[node].stdout.close()
        self.stopped.discard(node)

    def start(self, node, settle=True):
        self.launch(node)
        self.wait_ready(node)
        return self.settle(f"n{node} is started again") if settle else 0

    def stop(self, node):
        """SIGSTOP: the process stands still, its sockets stay open."""
        self.lose(f"n{node} stands still", nodes=[node])
        self.process[node].send_signal(signal.SIGSTOP)
        self.stopped.add(node)

    def go_on(self, node, settle=True):
        self.process[node].send_signal(signal.SIGCONT)
        self.stopped.discard(node)
        return self.settle(f"n{node} goes on") if settle else 0

    def has_logged(self, node, text, since):
        """Whether the node's log has this text behind `since` bytes."""
        with open(self.path(node, "log"), errors="replace") as file:
            file.seek(since)
            return text in file.read()

    def wait_log(self, node, text, since, seconds=30):
        wait_until(lambda: self.has_logged(node, text, since), seconds, f"n{node} logs {text!r}{self.log(node)}")

    def log_end(self, node):
        return os.path.getsize(self.path(node, "log"))

    def wipe(self, node):
        """A new disk: the node, which was killed, will come back with nothing."""
        if self.process[node].poll() is None:
            raise RuntimeError(f"n{node} runs")
        shutil.rmtree(self.data[node])

    # ---- faults of the network -----------------------------------------------------------------------

    def break_ways(self, what, ways, **how):
        """Makes each direction (from, to) so: mode hold, swallow or cut, or delay_ms."""
        ways = list(ways)
        self.lose(what, pairs=ways)
        for way in ways:
            self.broken[way] = how
        self.relay.tell(set=[[str(a), str(b), how] for a, b in ways])

    def both_ways(self, node, others=None):
        others = [other for other in others or self.nodes if other != node]
        return [(node, other) for other in others] + [(other, node) for other in others]

    def heal(self, settle=True):
        ways, self.broken = list(self.broken), {}
        self.relay.tell(set=[[str(a), str(b), {"mode": "pass"}] for a, b in ways])
        return self.settle("the network is whole") if settle else 0


# ---- disks -----------------------------------------------------------------------------------------


has_own_mounts = False


def own_mounts():
    """Goes on in a mount namespace that ends with this process, however it ends; to be called before
    anything else. Where that is not allowed nothing happens, and SmallDisk says why."""
    global has_own_mounts
    has_own_mounts = os.environ.pop("E2E_OWN_MOUNTS", None) is not None
    if not has_own_mounts and os.geteuid() == 0:
        if subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0:
            os.environ["E2E_OWN_MOUNTS"] = "yes"
            os.execvp("unshare", ["unshare", "-m", sys.executable, *sys.argv])


class SmallDisk:
    """A file system of its own, of so many megabytes, that can be filled to the last byte and freed
    again. Needs root and own_mounts(): `why` says what is missing, or is None."""

    def __init__(self, megabytes):
        self.path = os.path.join(temporary_dir(), "disk")
        os.mkdir(self.path)
        self.data = os.path.join(self.path, "data")  # for the node
        self.ballast = os.path.join(self.path, "ballast")
        self.why = None
        if not has_own_mounts:
            self.why = "a file system of its own needs root and a mount namespace"
            return
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0700", "gramme-e2e", self.path],
            capture_output=True, text=True)
        if done.returncode != 0:
            self.why = f"a file system of its own needs the right to mount: {done.stderr.strip()}"
            return
        # The namespace would take it along, but the directory below can be removed only without it.
        atexit.register(subprocess.run, ["umount", "-l", self.path], check=False, capture_output=True)

    def free_bytes(self):
        about = os.statvfs(self.path)
        return about.f_bavail * about.f_frsize

    def fill(self, leave=0):
        """Fills what is free but `leave` bytes; repeated calls fill what was freed meanwhile."""
        size = self.free_bytes() - leave
        if size <= 0:
            return
        with open(self.ballast, "ab") as file:
            try:
                os.posix_fallocate(file.fileno(), file.tell(), size)
            except OSError:
                # Less was free than was said a moment ago: another took it.
                pass

    def free(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)
