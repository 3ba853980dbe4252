"""What the end-to-end tests share: a counter of cases, a demo cluster, and a small RESP client.

A test is a program: it starts a demo of its own in a temporary directory on ports of its own, says
what it checks, and ends with `N passed, N failed[, N skipped]`. The demo is stopped by its process
id however the test ends, and takes its nodes with it. Nothing here waits by sleeping: what a demo
says on stdout, and the return of `gramme demo kill 2`, are the events.
"""
import atexit
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GRAMME = os.environ.get("GRAMME") or os.path.join(ROOT, "build/release/src/bin/gramme")
READY_S_MAX = 90


def environment():
    """The environment without GRAMME_ variables, which are settings of the server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GRAMME")}


# ---- cases ---------------------------------------------------------------------------------------


class Cases:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def ok(self, good, what, detail=""):
        """Counts one case and returns whether it was good."""
        if good:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok' if good else 'not ok'} - {what}", flush=True)
        if not good and detail:
            for line in str(detail).splitlines()[:40]:
                print(f"    {line}", flush=True)
        return bool(good)

    def equal(self, got, wanted, what):
        return self.ok(got == wanted, what, f"got    {got!r}\nwanted {wanted!r}")

    def skip(self, what, why):
        self.skipped += 1
        print(f"ok - {what} # SKIP {why}", flush=True)

    def note(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)


def main(test):
    """Runs test(cases), prints the closing line, and exits with 1 if a case failed."""
    cases = Cases()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    # An exit code is a test's business only through its cases.
    try:
        if os.access(GRAMME, os.X_OK):
            test(cases)
        else:
            cases.ok(False, f"there is a program {GRAMME}", "`make build` makes it")
    except Exception:  # a test that breaks down is a failed case, with the reason
        cases.ok(False, "the test runs to its end", traceback.format_exc())
    skipped = f", {cases.skipped} skipped" if cases.skipped else ""
    print(f"{cases.passed} passed, {cases.failed} failed{skipped}", flush=True)
    sys.exit(1 if cases.failed else 0)


# ---- places --------------------------------------------------------------------------------------


def temporary_dir():
    """A new directory, removed when the test ends."""
    path = tempfile.mkdtemp(prefix="gramme-e2e-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def free_port_base(nodes, offsets=(0, 11)):
    """A port base for --port-base such that every port of the demo is free right now; `offsets` are
    the ports of a node, from its own base on, which is 100 above that of the node before."""
    begin = 20000 + os.getpid() % 97 * 100 % 9000
    for base in list(range(begin, 31000, 37)) + list(range(20000, begin, 37)):
        if all(is_port_free(base + 100 * i + more) for i in range(nodes) for more in offsets):
            return base
    raise RuntimeError("no free ports")


def is_port_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# ---- programs ------------------------------------------------------------------------------------


def run(*command, stdin=None, timeout=120, env=None):
    """Runs a program to its end; the result has returncode, stdout and stderr as text."""
    return subprocess.run(
        command,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**environment(), **(env or {})},
    )


def gramme(*words, **more):
    return run(GRAMME, *words, **more)


def hints(at):
    """What each node keeps for others: {"n1": {"n3": 12}}; a node that did not answer has None."""
    asked = json.loads(gramme("hints", "-o", "json", "--at", at).stdout)
    return {
        row["node"]: {owed["node"]: owed["hints"] for owed in row["owes"]} if "owes" in row else None
        for row in asked
    }


def drained(at, away=None, seconds=60):
    """Asks until every node answers and none keeps hints; returns what is kept when time is up.
    The node `away` need not answer, and what is owed to it may be kept."""
    deadline = time.monotonic() + seconds
    while True:
        kept = {node: None if owed is None else {to: count for to, count in owed.items() if to != away}
                for node, owed in hints(at).items() if node != away}
        kept = {node: owed for node, owed in kept.items() if owed != {}}
        if not kept or time.monotonic() >= deadline:
            return kept


def redis_cli(port, *words, **more):
    """What redis-cli prints, without the last newline."""
    return run("redis-cli", "-p", str(port), *words, **more).stdout.rstrip("\n")


class Lines:
    """The lines of a pipe, each with a deadline."""

    def __init__(self, pipe):
        self.fd = pipe.fileno()
        self.rest = b""
        self.ended = False

    def next(self, deadline):
        """The next line without its end; None at the end of the pipe. Raises TimeoutError."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.fd, selectors.EVENT_READ)
            while b"\n" not in self.rest:
                if self.ended:
                    line, self.rest = self.rest, b""
                    return line.decode() or None
                if not selector.select(max(0, deadline - time.monotonic())):
                    raise TimeoutError("no line came in time")
                piece = os.read(self.fd, 65536)
                self.rest += piece
                self.ended = not piece
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()


class Demo:
    """A running `gramme demo`; use it with `with`."""

    def __init__(self, nodes=3, dir=None, port_base=None, options=(), settings=None):
        """`settings` are the nodes' own, as GRAMME_ variables: {"WRITE_TIMEOUT": "30s"}."""
        self.nodes = nodes
        self.settings = {f"GRAMME_{name}": value for name, value in (settings or {}).items()}
        self.dir = dir or temporary_dir()
        self.base = port_base or free_port_base(nodes)
        self.options = options
        self.process = None
        self.said = []

    def start(self):
        """Returns when the demo has said that it is ready; raises if it ends before."""
        self.process = subprocess.Popen(
            [GRAMME, "demo", "--dir", self.dir, "--nodes", str(self.nodes)]
            + ["--port-base", str(self.base), *self.options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**environment(), **self.settings},
        )
        atexit.register(self.stop)
        self.lines = Lines(self.process.stdout)
        self.said = []
        deadline = time.monotonic() + READY_S_MAX
        while True:
            line = self.lines.next(deadline)
            if line is None:
                raise RuntimeError("the demo ended: " + "\n".join(self.said))
            self.said.append(line)
            if line == "demo ready":
                return self

    def stop(self, number=signal.SIGTERM):
        """Ends the demo and returns its exit code and what it said last."""
        if self.process is None or self.process.returncode is not None:
            return None, []
        self.process.send_signal(number)
        last = []
        deadline = time.monotonic() + 60
        try:
            while (line := self.lines.next(deadline)) is not None:
                last.append(line)
            self.process.wait(30)
        except (TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()
        return self.process.returncode, last

    def __enter__(self):
        return self.start()

    def __exit__(self, failure, *_):
        code, last = self.stop()
        if code not in (0, None) and failure is None:
            raise RuntimeError(f"the demo ended with {code}: " + "\n".join(last))

    def port(self, node):
        return self.base + 100 * (node - 1)

    def at(self, node=1):
        return f"127.0.0.1:{self.port(node)}"

    def tell(self, *words):
        """`gramme demo kill 2` and its kin; returns when it has happened, raises if it did not."""
        done = gramme("demo", "--dir", self.dir, *words)
        if done.returncode != 0:
            raise RuntimeError(f"demo {' '.join(words)}: {done.stderr}{self.logs()}")
        return done.stdout

    def pids(self):
        """The process of each node that runs, by its name."""
        rows = [line.split() for line in self.tell("status").splitlines()]
        return {row[0]: int(row[2]) for row in rows if len(row) > 2 and row[2].isdigit()}

    def logs(self, lines=15):
        """The last lines of every node's log."""
        text = ""
        for node in range(1, self.nodes + 1):
            try:
                with open(os.path.join(self.dir, f"n{node}", "log"), errors="replace") as file:
                    text += f"\n--- n{node}\n" + "".join(file.readlines()[-lines:])
            except OSError as error:
                text += f"\n--- n{node}: {error}\n"
        return text


def is_running(pid):
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_gone(pids, timeout):
    """Waits until none of these processes, which are not our children, runs; False if one does."""
    deadline = time.monotonic() + timeout
    for pid in pids:
        try:
            fd = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            gone = selector.select(max(0, deadline - time.monotonic()))
        os.close(fd)
        if not gone:
            return False
    return True


# ---- RESP ----------------------------------------------------------------------------------------


class RespError(Exception):
    """An error reply."""


def encode(*words):
    """One command as RESP; words are bytes, str or int."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        word = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
    return b"".join(parts)


class Resp:
    """A connection to one node. Replies are bytes, int, None, lists, or RespError values."""

    def __init__(self, port, timeout=60):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=1 << 16)

    def close(self):
        self.file.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the connection ended")
        mark, rest = line[:1], line[1:-2]
        if mark == b"+":
            return rest
        if mark == b"-":
            return RespError(rest.decode())
        if mark == b":":
            return int(rest)
        if mark == b"$":
            size = int(rest)
            if size < 0:
                return None
            data = self.file.read(size + 2)
            if len(data) != size + 2:
                raise ConnectionError("the connection ended")
            return data[:-2]
        if mark == b"*":
            return None if int(rest) < 0 else [self.receive() for _ in range(int(rest))]
        raise ValueError(f"not RESP2: {line!r}")

    def ask(self, *words):
        """One command, one reply."""
        self.send(encode(*words))
        return self.receive()

    def ask_all(self, commands, window=256):
        """Replies to many commands, pipelined, never more than `window` ahead of the replies."""
        replies = []
        for begin in range(0, len(commands), window):
            piece = commands[begin : begin + window]
            self.send(b"".join(encode(*words) for words in piece))
            replies += [self.receive() for _ in piece]
        return replies

    def read_all(self, commands, window=256, seconds=60):
        """The same for reads. On a busy machine some are late: BUSY and TRYAGAIN say that nothing was
        done and that it may be asked again, and that is done until it is answered or time is up."""
        return self.ask_until_done(commands, ("BUSY", "TRYAGAIN"), window, seconds)

    def write_all(self, commands, window=256, seconds=60):
        """The same for writes that may be said twice: NOREPLICAS says that it may have been done."""
        return self.ask_until_done(commands, ("BUSY", "TRYAGAIN", "NOREPLICAS"), window, seconds)

    def ask_until_done(self, commands, again, window, seconds):
        replies = self.ask_all(commands, window)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            late = [i for i, reply in enumerate(replies) if isinstance(reply, RespError)
                    and str(reply).split(" ", 1)[0] in again]
            if not late:
                break
            for i, reply in zip(late, self.ask_all([commands[i] for i in late], window=1)):
                replies[i] = reply
        return replies
