"""What the long proofs share: demos at full size, filled by the load generator of bench/, and the
question whether a cluster is quiet.

A proof is a program like those of test/e2e: cases, `N passed, N failed`, an end of its own. It takes
minutes and a gigabyte under build/proof, and `make proof` runs it; settings are the product's own
unless the proof says otherwise.
"""
import argparse
import atexit
import collections
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import lib  # noqa: E402
from lib import ROOT, Demo, Resp, RespError, gramme, run  # noqa: E402

BUILD = os.environ.get("BUILD_DIR") or os.path.join(ROOT, "build", "release")
LOAD = os.path.join(BUILD, "bench", "load")
LOOK_S = 0.1  # between two looks at INFO
PIECE = 500  # keys of one MGET or DEL
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
STEAL = 7  # the place of it in /proc/stat
STOLEN_MAX = 0.02  # of a second that is called calm
plain_environment = lib.environment


def arguments(**more):
    """--keys N: fewer than it is about, to try a proof out; and what the proof has besides."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=1_000_000)
    for name, value in more.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    return parser.parse_args()


def settings(**values):
    """Settings of all nodes that are started from now on; none: the product's own."""
    more = {f"GRAMME_{name.upper()}": value for name, value in values.items()}
    lib.environment = lambda: {**plain_environment(), **more}


def folder():
    """A new directory on a disk, where /tmp may be memory; removed when the proof ends."""
    above = os.path.join(ROOT, "build", "proof")
    os.makedirs(above, exist_ok=True)
    path = tempfile.mkdtemp(dir=above)
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def demo_of(nodes=3):
    done = run("ninja", "--quiet", "-C", BUILD, "bench/load", timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"the load generator does not build; `make build` first:\n{done.stdout}{done.stderr}")
    return Demo(nodes=nodes, dir=os.path.join(folder(), "demo"))


# ---- keys and values, as bench/load.c makes them -----------------------------------------------------


def name_of(number):
    return b"key:%010d" % number


def pieces(keys):
    for begin in range(0, keys, PIECE):
        yield [name_of(i) for i in range(begin, min(begin + PIECE, keys))]


# ---- load --------------------------------------------------------------------------------------------


class Load:
    """The load generator in a process of its own; `end` asks it to stop and returns what it says."""

    def __init__(self, demo, nodes, op, keys, *words):
        at = ",".join(demo.at(node) for node in nodes)
        endless = () if "--fill" in words else ("--operations", str(10**11))
        self.process = subprocess.Popen(
            [LOAD, "--at", at, "--op", op, "--keys", str(keys), "-o", "json", *map(str, words), *endless],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        atexit.register(self.kill)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def end(self, now=True):
        if now:
            self.process.terminate()
        out, error = self.process.communicate(timeout=600)
        if not out:
            raise RuntimeError(f"the load generator did not run: {error.strip()}")
        return json.loads(out)


def fill(demo, keys, nodes=(1, 2, 3), value_bytes=100):
    """Writes every key once; the seconds it took. Raises if one was refused for more than a moment."""
    said = Load(demo, nodes, "set", keys, "--fill", "--connections", 24, "--pipeline", 8, "--seconds-max", 1800,
                "--value-bytes", value_bytes).end(now=False)
    if said["done"] != keys:
        raise RuntimeError(f"{keys} keys were not filled: {said}{demo.logs()}")
    return said["seconds"]


# ---- what nodes say ------------------------------------------------------------------------------------


def info(demo, node):
    """INFO as a dict; empty while the node does not answer."""
    try:
        with Resp(demo.port(node), timeout=10) as resp:
            text = resp.ask("INFO", "everything")
    except OSError:
        return {}
    if isinstance(text, RespError):
        return {}
    return dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)


def keys_of(at):
    """The keys that a node holds, from its INFO."""
    return int(at.get("db0", "keys=0,").split("=")[1].split(",")[0])


def rest_of(said):
    """What still has to be done before the nodes are equal and still, in words; "" if nothing has."""
    for node, at in said.items():
        if at.get("loading") != "0" or at.get("gramme_store") != "ok":
            return f"n{node} does not serve"
        for field in ("partitions_unread", "partitions_damaged", "partitions_behind", "hints"):
            if at.get(field) != "0":
                return f"n{node}: {field} {at.get(field)}"
    counts = {node: keys_of(at) for node, at in said.items()}
    if len(set(counts.values())) > 1 and len(said) == 3:
        return f"keys {counts}"
    return ""


def moved(said):
    return [at.get(field) for at in said.values() for field in ("keys_offered", "keys_taken", "hints_delivered")]


def wait_quiet(demo, still_s, seconds, seen=lambda said: None):
    """Asks all nodes until nothing has been left to do, and no key has moved, for still_s seconds:
    long enough for every node to have compared clocks with every peer, twice. The seconds until
    then, without these last; None, with a word about why, when it took too long."""
    nodes = range(1, demo.nodes + 1)
    began = quiet_since = time.monotonic()
    before, why = None, "not asked"
    while time.monotonic() - began < seconds:
        said = {node: info(demo, node) for node in nodes}
        seen(said)
        why, now = rest_of(said), moved(said)
        if why or now != before:
            quiet_since, before = time.monotonic(), now
        elif time.monotonic() - quiet_since >= still_s:
            return quiet_since - began
        time.sleep(LOOK_S)
    print(f"# after {seconds} s it is not quiet: {why}{demo.logs(5)}", flush=True)
    return None


# ---- stores of nodes that do not run --------------------------------------------------------------------


def data_of(demo, node):
    return os.path.join(demo.dir, f"n{node}", "data")


def verify(demo, node):
    """Exit code and counts of `gramme verify`."""
    done = gramme("verify", "--data", data_of(demo, node), "-o", "json", timeout=600)
    return done.returncode, json.loads(done.stdout) if done.stdout else {"why": done.stderr}


def ldb(demo, node, *words):
    store = os.path.join(data_of(demo, node), "store")
    done = run("ldb", f"--db={store}", *words, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"ldb {words}: {done.stdout}{done.stderr}")
    return done.stdout


def table_bytes(demo, node):
    return sum(os.path.getsize(path) for path in glob.glob(os.path.join(data_of(demo, node), "store", "*.sst")))


# ---- what processes cost ---------------------------------------------------------------------------------


def cpu_s(pid):
    """User and system time of a process, all threads, in seconds."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def machine_cpu_s():
    """User and system time of everything on this machine."""
    return sum(machine_ticks()[0:3]) / TICKS_PER_S


def machine_ticks():
    """What all cores together did since the machine began, as /proc/stat has it."""
    with open("/proc/stat") as file:
        return [int(ticks) for ticks in file.readline().split()[1:]]


# ---- seconds in which the machine was ours -------------------------------------------------------------


class Stolen(threading.Thread):
    """Looks, every second, at how much of it the hypervisor gave to others (steal): where that is a lot,
    latencies say nothing about Gramme."""

    def __init__(self):
        super().__init__(daemon=True)
        self.share = {}  # by second of the monotonic clock
        self.start()

    def run(self):
        before = machine_ticks()
        while True:
            second = int(time.monotonic())
            time.sleep(max(0.0, second + 1 - time.monotonic()))
            now = machine_ticks()
            spent = [b - a for a, b in zip(before, now)]
            self.share[second], before = spent[STEAL] / max(1, sum(spent[:STEAL + 1])), now

    def mean(self):
        shares = list(self.share.values())
        return sum(shares) / max(1, len(shares))

    def calm_s(self):
        return sum(self.calm(second) for second in list(self.share))

    def calm(self, second):
        """An operation that ended in this second may have begun in the one before."""
        return all(self.share.get(at, 1.0) <= STOLEN_MAX for at in (second - 1, second))


def by_second(path):
    """Of all operations that ended in each second: how many took how many us."""
    seconds = {}
    with open(path) as file:
        for line in file:
            second, *rest = line.split()
            seconds[int(second)] = collections.Counter(
                {int(us): int(count) for us, count in (one.split(":") for one in rest)})
    return seconds


def together(seconds, wanted):
    """The same for all seconds that are wanted, and how many those are."""
    chosen = [counts for second, counts in seconds.items() if wanted(second)]
    return sum(chosen, collections.Counter()), len(chosen)


def percentile_ms(counts, per_mille):
    left = (sum(counts.values()) * per_mille + 999) // 1000
    for us in sorted(counts):
        left -= counts[us]
        if left <= 0:
            return us / 1000
    return 0.0
