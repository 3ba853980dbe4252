"""Steady load from several clients, and the history of it that the checker judges.

Each client has a home node and one connection, does one thing at a time, and writes down what it
asked, when, and what it was told. When its node does not answer it goes on at the next one, and
tries its home again a little later: a client library that knows all nodes does no less.

Three kinds of work share the time: keys that are written with contexts (blind puts, read-modify-
writes, deletes of what was read, puts that follow a put), keys that are written by SET and DEL, and
in both some values that expire, soon or in an hour. Keys are young: new ones come all the time and
old ones are left alone, so that an unknown outcome does not excuse what happens to a key for ever.
Each value is written once, and names its writer.
"""
import random
import threading
import time

from lib import Resp, RespError, encode

ANSWER_S_MAX = 3  # a client gives up: longer than a node's own write_timeout of 2 s
HOME_S = 1.0  # until a client tries its home node again
PAUSE_S_MAX = 0.02  # between two things that a client does
EPOCH_S = 3.0  # how long keys are new
EPOCH_KEYS = 40  # of each kind
EPOCHS_BACK = 3  # how far back a client reaches for a key that is not new
SOON_MS = (200, 2500)
FAR_MS = 3600 * 1000
FINAL_WINDOW = 50
REST_S = 10


def outcome_of(reply):
    """What the answer promises about the write: DESIGN's three values."""
    if not isinstance(reply, RespError):
        return "ok"
    return "indeterminate" if "may still take effect" in str(reply) else "rejected"


class Client(threading.Thread):
    def __init__(self, load, number):
        super().__init__(daemon=True)
        self.load = load
        self.number = number
        self.random = random.Random(f"{load.seed}:{number}")
        nodes = list(load.cluster.nodes)
        self.home = nodes[number % len(nodes)]
        self.node = self.home
        self.home_again = 0.0
        self.connection = None
        self.count = 0
        self.history = []
        self.tokens = {}  # key -> the context that this client's last put was answered with
        self.failure = None

    # ---- one request -----------------------------------------------------------------------------

    def leave(self):
        """This node does not serve: the next one, and home after a while."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None
        nodes = list(self.load.cluster.nodes)
        self.node = nodes[(nodes.index(self.node) + 1) % len(nodes)]
        self.home_again = time.monotonic() + HOME_S

    def connect(self):
        if self.node != self.home and time.monotonic() > self.home_again:
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            self.node = self.home
        while self.connection is None and not self.load.over.is_set():
            try:
                self.connection = Resp(self.load.cluster.port(self.node), ANSWER_S_MAX)
            except OSError:
                self.leave()
                time.sleep(PAUSE_S_MAX)
        return self.connection is not None

    def request(self, op, key, words, **more):
        """Sends one command and writes it down. Returns the record; None if the load is over."""
        if not self.connect():
            return None
        record = {"type": "op", "client": self.number, "node": self.node, "op": op, "key": key, **more}
        record["start"] = time.time()
        try:
            reply = self.connection.ask(*words)
            record["end"] = time.time()
        except OSError as error:  # it timed out, or the connection broke
            record["end"] = time.time()
            record.update(outcome="indeterminate", answered=False, error=f"{type(error).__name__}: {error}")
            self.history.append(record)
            self.leave()
            return record
        record["outcome"] = outcome_of(reply)
        if record["outcome"] == "ok":
            take_reply(record, reply)
        else:
            record["error"] = str(reply)
            if str(reply).startswith("LOADING"):
                self.leave()
        self.history.append(record)
        return record

    def value(self):
        self.count += 1
        return f"{self.number}.{self.count}"

    def expiry(self):
        """The words of an expiry and the time that they mean."""
        dice = self.random.random()
        if dice > 0.2:
            return (), None
        ms = self.random.randint(*SOON_MS) if dice < 0.15 else FAR_MS
        at = int(time.time() * 1000) + ms
        return ("PXAT", at), at / 1000

    # ---- what a client does ------------------------------------------------------------------------

    def put(self, key, context):
        value = self.value()
        words, expires_at = self.expiry()
        record = self.request("gr.put", key, ("GR.PUT", key, context, value, *words),
                              value=value, context=context, expires_at=expires_at)
        if record is not None and record.get("token"):
            self.tokens[key] = record["token"]

    def with_contexts(self, key):
        dice = self.random.random()
        if dice < 0.12:
            self.put(key, "")
        elif dice < 0.22 and key in self.tokens:
            self.put(key, self.tokens[key])
        else:
            read = self.request("gr.get", key, ("GR.GET", key))
            if read is None or read["outcome"] != "ok" or dice < 0.4:
                return
            context = read["token"] or ""
            if dice < 0.55 and read["values"]:
                self.request("gr.del", key, ("GR.DEL", key, context), context=context)
            else:
                self.put(key, context)

    def plainly(self, key):
        dice = self.random.random()
        if dice < 0.45:
            value = self.value()
            words, expires_at = self.expiry()
            self.request("set", key, ("SET", key, value, *words), value=value, expires_at=expires_at)
        elif dice < 0.65:
            self.request("del", key, ("DEL", key))
        else:
            self.request("get", key, ("GET", key))

    def run(self):
        try:
            while not self.load.over.is_set():
                epoch = int((time.monotonic() - self.load.began) / EPOCH_S)
                if self.random.random() < 0.3:
                    epoch = max(0, epoch - self.random.randint(1, EPOCHS_BACK))
                number = self.random.randrange(EPOCH_KEYS)
                if self.random.random() < 0.5:
                    self.with_contexts(f"exact:{epoch}:{number}")
                else:
                    self.plainly(f"plain:{epoch}:{number}")
                time.sleep(self.random.uniform(0, PAUSE_S_MAX))
        except Exception as error:  # told by Load.stop, as the test's failure
            self.failure = error


def take_reply(record, reply):
    op = record["op"]
    text = lambda word: None if word is None else word.decode()
    if op == "gr.get":
        record["token"] = text(reply[0])
        record["values"] = [text(value) for value in reply[1]]
    elif op == "get":
        record["values"] = [] if reply is None else [text(reply)]
    elif op in ("gr.put", "gr.del"):
        record["token"] = text(reply)
    elif op == "del":
        record["deleted"] = reply


class Load:
    """Use it with `with`: the load runs inside."""

    def __init__(self, cluster, clients, seed):
        self.cluster = cluster
        self.seed = seed
        self.over = threading.Event()
        self.began = time.monotonic()
        self.clients = [Client(self, number) for number in range(clients)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, failure, *_):
        self.over.set()
        for client in self.clients:
            client.join()
        if failure is None:
            for client in self.clients:
                if client.failure is not None:
                    raise client.failure

    def history(self):
        meta = {"type": "meta", "nodes": list(self.cluster.nodes), "n": self.cluster.n,
                "r": self.cluster.r, "w": self.cluster.w}
        ops = [record for client in self.clients for record in client.history]
        return [meta, *self.owners(), *self.cluster.timeline, *sorted(ops, key=lambda op: op["start"])]

    def keys(self):
        return sorted({op["key"] for client in self.clients for op in client.history})

    def owners(self):
        """Who owns each key, as the first node says; nothing if all own all."""
        if len(self.cluster.nodes) == self.cluster.n:
            return []
        keys = self.keys()
        with Resp(self.cluster.port(self.cluster.nodes[0])) as connection:
            answers = connection.ask_all([("GR.WHERE", key) for key in keys])
        found = []
        for key, answer in zip(keys, answers):
            nodes = answer[answer.index(b"nodes") + 1]
            names = [entry[entry.index(b"node") + 1].decode() for entry in nodes]
            found.append({"type": "owners", "key": key, "owners": [int(name[1:]) for name in names]})
        return found

    def due(self):
        """When the last value that expires soon has done so."""
        soon = [op["expires_at"] for client in self.clients for op in client.history
                if op.get("expires_at") and op["expires_at"] < op["start"] + FAR_MS / 2000]
        return max(soon, default=0.0)


# ---- the end -----------------------------------------------------------------------------------------


def read_all(cluster, keys):
    """Reads every key through every node: the records of one pass."""
    commands = []
    for key in keys:
        commands.append(("gr.get", key, ("GR.GET", key)))
        if key.startswith("plain:"):
            commands.append(("get", key, ("GET", key)))
    found = []
    for node in cluster.nodes:
        with Resp(cluster.port(node), timeout=30) as connection:
            for begin in range(0, len(commands), FINAL_WINDOW):
                piece = commands[begin : begin + FINAL_WINDOW]
                start = time.time()
                connection.send(b"".join(encode(*words) for _op, _key, words in piece))
                for op, key, _words in piece:
                    reply = connection.receive()
                    record = {"type": "op", "client": "end", "node": node, "op": op, "key": key, "final": True,
                              "start": start, "end": time.time(), "outcome": outcome_of(reply)}
                    if record["outcome"] == "ok":
                        take_reply(record, reply)
                    else:
                        record.update(outcome="rejected", error=str(reply))
                    found.append(record)
    return found


def read_until_quiet(cluster, load, seconds):
    """Reads everything through every node again and again, until all nodes show the same as in the
    pass before; or each of them has shown the same for REST_S, though not what others show, which is
    then the checker's business; or so many seconds have passed. Returns the last pass, and how many
    there were."""
    keys = load.keys()
    deadline = time.monotonic() + seconds
    before, since = None, 0.0
    passes = 0
    while True:
        records = read_all(cluster, keys)
        passes += 1
        shown = {}
        good = True
        for record in records:
            good &= record["outcome"] == "ok"
            shown.setdefault((record["op"], record["key"]), []).append(tuple(sorted(record.get("values", ()))))
        same = all(len(set(values)) == 1 for values in shown.values())
        if not good or shown != before:
            since = time.monotonic()
        quiet = good and shown == before and (same or time.monotonic() - since > REST_S)
        # What expires soon must have done so before the last pass begins.
        if (quiet and records[0]["start"] > load.due()) or time.monotonic() > deadline:
            return records, passes
        before = shown
