#!/usr/bin/env python3
"""Judges a history of what clients asked and were told. It knows nothing of the store but its promises.

    checker.py HISTORY        prints the verdict; exit code 1 if a promise was broken

A history is JSON, one object a line:

    {"type": "meta", "nodes": [1, 2, 3], "n": 3, "r": 2, "w": 2}
    {"type": "state", "time": t, "live": [1, 2], "links": [[1, 2]]}     from t on, until the next one
    {"type": "owners", "key": k, "owners": [1, 2, 3]}                   if not all nodes own all keys
    {"type": "op", "client": c, "op": o, "key": k, "node": n, "start": t, "end": t,
     "outcome": "ok" | "rejected" | "indeterminate", ...}

Times are seconds of one clock, which is also the clock of the nodes. `end` is when the client was
answered or gave up; an operation that was never answered is "indeterminate" and has "answered": false.
What `...` stands for depends on the operation:

    set      value, expires_at (s, or null)                                 plain face: SET
    del      deleted (what DEL replied)                                     plain face: DEL
    get      values ([] or [v])                                             plain face: GET
    gr.put   value, expires_at, context (given), token (given back)
    gr.del   context, token
    gr.get   values, token

Every value is written by one operation only, so a value names its write. Operations with "final":
true are reads made when all was healed and quiet: the last one through each node counts.

A key is either *exact* (written with contexts only) or *plain* (written with SET and DEL only).

What is checked, in the words of the promises:

  C1  A read shows no value that nobody wrote to this key, none whose write began after the read
      ended, none whose write was rejected, none twice, and none that was due when the read began.
  C2  exact: no read shows a value beside one that had seen it.
  C3  exact: an acknowledged value is there at the end unless it is due, or a write that had *seen* it
      took its place: a delete, a value that is due or there, or one whose own absence is explained
      so. Seen means: the write's context came from a read that showed the value, or from the very
      put of the value. A context that hides more than it showed explains nothing: whatever it hides
      had to be replaced by a write that had seen it.
  C4  exact: at the end no value is there that a write which took effect (acknowledged, or shown to
      anyone) had seen. So no deleted value is back, and no sibling is false.
  C5  plain: an acknowledged value is what GET shows at the end unless it is due, or a SET that is
      shown or due, or a DEL that deleted, ended after the value's write began ("concurrent or
      later").
  C6  plain: GET does not show at the end a value whose write had ended before an acknowledged SET of
      the same key began. If every node is an owner and R + W > N, so that a DEL must have met every
      acknowledged value, none that ended before an acknowledged DEL began either, neither by GET
      nor as a sibling.
  C7  At the end every node can read every key that was written, and all show the same.
  C8  plain: C6 for a newer SET whose value has expired by now: it hides what it replaced for good. Of
      all writes that a value should have given way to the latest decides which rule is broken.

Beside the verdict there is the latency of those requests that were sent to a live node which was
linked, all the while, with W (R for reads) live owners of the key, itself included; and how many of
them were not served.
"""
import bisect
import collections
import json
import math
import sys

READS = ("get", "gr.get")
WRITES = ("set", "del", "gr.put", "gr.del")
EXACT = ("gr.put", "gr.del")
PLAIN = ("set", "del")
# Hybrid times count in milliseconds; two writes in one are not told apart by their times.
SAME_TIME_S = 0.002
SHOWN_MAX = 20

Violation = collections.namedtuple("Violation", "rule key text")


class BadHistory(Exception):
    """The history cannot be judged."""


def read(lines):
    return [json.loads(line) for line in lines if line.strip()]


def describe(op):
    words = f"{op['op']} {op.get('value', '')} by client {op['client']} at n{op['node']}"
    return f"{words} [{op['start']:.6f}..{op['end']:.6f}] {op['outcome']}".replace("  ", " ")


class Key:
    """All that happened to one key."""

    def __init__(self, name):
        self.name = name
        self.ops = []
        self.writes = {}  # value -> its write
        self.shown = {}  # value -> when the first read that showed it had ended
        self.final = {}  # (op, node) -> its last final read

    def add(self, op):
        self.ops.append(op)
        if op["op"] in ("set", "gr.put"):
            if op["value"] in self.writes:
                raise BadHistory(f"{self.name}: two writes of the value {op['value']}")
            self.writes[op["value"]] = op
        if op["op"] in READS and op["outcome"] == "ok":
            for value in op["values"]:
                self.shown[value] = min(self.shown.get(value, math.inf), op["end"])
        if op.get("final"):
            self.final[op["op"], op["node"]] = op

    def is_exact(self):
        kinds = {op["op"] for op in self.ops}
        if kinds & set(EXACT) and kinds & set(PLAIN):
            raise BadHistory(f"{self.name}: written both with and without contexts")
        # A key that was only ever read is as it was read.
        return bool(kinds & set(EXACT)) or not kinds & {*PLAIN, "get"}

    def reach(self, op):
        """The latest time at which the write can have taken effect."""
        return op["end"] if op["outcome"] == "ok" else self.shown.get(op.get("value"), math.inf)

    def finals(self, kind):
        return [op for (name, _node), op in sorted(self.final.items()) if name == kind]


def is_due(op, when):
    """Whether the value that the operation wrote has expired at this time."""
    return op.get("expires_at") is not None and when >= op["expires_at"]


class Checker:
    def __init__(self, records):
        self.violations = []
        self.unknown_excuses = 0  # values whose absence only an unknown outcome explains
        self.judged = 0
        self.meta = {"nodes": [], "n": 0, "r": 1, "w": 1}
        self.states = []
        self.owners = {}
        self.keys = {}
        self.ops = []
        for record in records:
            self.take(record)
        self.states.sort(key=lambda state: state["time"])

    def take(self, record):
        kind = record["type"]
        if kind == "meta":
            self.meta = record
        elif kind == "state":
            self.states.append(record)
        elif kind == "owners":
            self.owners[record["key"]] = set(record["owners"])
        elif kind == "op":
            if record["op"] not in READS + WRITES or record["end"] < record["start"]:
                raise BadHistory(f"not an operation: {record}")
            self.ops.append(record)
            name = record["key"]
            if name not in self.keys:
                self.keys[name] = Key(name)
            self.keys[name].add(record)
        else:
            raise BadHistory(f"not a record: {record}")

    def complain(self, rule, key, text):
        self.violations.append(Violation(rule, key.name, text))

    def check(self):
        """Returns the violations."""
        for key in self.keys.values():
            exact = key.is_exact()
            self.check_reads(key)
            seen = self.seen_by_writes(key) if exact else None
            if exact:
                self.check_pairs(key, seen)
            if not key.final:
                continue
            self.check_final_reads(key, "gr.get" if exact else "get")
            if exact:
                self.check_exact(key, seen)
            else:
                self.check_plain(key)
        return self.violations

    # ---- C1, C7: reads -----------------------------------------------------------------------------

    def check_reads(self, key):
        for op in key.ops:
            if op["op"] not in READS or op["outcome"] != "ok":
                continue
            if len(set(op["values"])) != len(op["values"]):
                self.complain("C1", key, f"shown twice: {op['values']} to {describe(op)}")
            for value in op["values"]:
                write = key.writes.get(value)
                if write is None:
                    self.complain("C1", key, f"{value} was never written, and is shown to {describe(op)}")
                elif write["start"] > op["end"]:
                    self.complain("C1", key, f"{value} is shown before it was written: {describe(op)}")
                elif write["outcome"] == "rejected":
                    self.complain("C1", key, f"{value} was rejected and left a trace: {describe(op)}")
                elif is_due(write, op["start"]):
                    late = op["start"] - write["expires_at"]
                    self.complain("C1", key, f"{value} is shown {late:.3f} s after it expired: {describe(op)}")

    def check_final_reads(self, key, kind):
        finals = key.finals(kind)
        for node in self.meta["nodes"]:
            if (kind, node) not in key.final:
                self.complain("C7", key, f"was not read through n{node} at the end")
        for op in finals:
            if op["outcome"] != "ok":
                self.complain("C7", key, f"cannot be read at the end: {describe(op)} {op.get('error')}")
        shown = {tuple(sorted(op["values"])) for op in finals if op["outcome"] == "ok"}
        if len(shown) > 1:
            self.complain("C7", key, f"nodes show different values at the end: {sorted(shown)}")

    @staticmethod
    def shown_at_end(key, kind):
        return {value for op in key.finals(kind) if op["outcome"] == "ok" for value in op["values"]}

    @staticmethod
    def end_of(key):
        """Before this time all final reads had begun."""
        return max(op["start"] for op in key.final.values())

    # ---- C2, C3, C4: writes with contexts ------------------------------------------------------------

    @staticmethod
    def seen_by_writes(key):
        """For each write with a context, in order of their starts: (write, values that it had seen)."""
        known = {"": set()}  # context -> values that it is known to cover
        found = []
        # A context is given back before anyone can use it, so in order of time each is known when it
        # is met; reads that end at the instant at which a write starts come first.
        moments = []
        for op in key.ops:
            if op["op"] in EXACT:
                moments.append((op["start"], 1, len(moments), op, "begins"))
            if op.get("token") is not None:
                moments.append((op["end"], 0, len(moments), op, "answers"))
        for _when, _order, _number, op, what in sorted(moments, key=lambda moment: moment[:3]):
            if what == "begins":
                if op["context"] not in known:
                    raise BadHistory(f"{key.name}: nobody was given the context of {describe(op)}")
                found.append((op, frozenset(known[op["context"]])))
            elif op["op"] == "gr.get":
                known.setdefault(op["token"], set()).update(op["values"])
            else:
                known.setdefault(op["token"], set()).update([op["value"]] if op["op"] == "gr.put" else ())
        return found

    def check_pairs(self, key, seen):
        """C2, with what was seen by what was seen."""
        bit = {value: 1 << number for number, value in enumerate(key.writes)}
        past = {}  # value -> bits of all values before it; a number, for chains are long
        for write, direct in seen:  # in order of time, so the past of what was seen is known
            if write["op"] == "gr.put":
                bits = 0
                for value in direct:
                    bits |= bit.get(value, 0) | past.get(value, 0)
                past[write["value"]] = bits
        for op in key.ops:
            if op["op"] != "gr.get" or op["outcome"] != "ok" or len(op["values"]) < 2:
                continue
            for newer in op["values"]:
                for older in set(op["values"]) - {newer}:
                    if past.get(newer, 0) & bit.get(older, 0):
                        self.complain("C2", key, f"{older} is shown beside {newer}, which had seen it: {describe(op)}")

    def check_exact(self, key, seen):
        there = self.shown_at_end(key, "gr.get")
        end = self.end_of(key)
        effective = lambda op: op["outcome"] == "ok" or op.get("value") in key.shown
        killers = collections.defaultdict(list)
        for write, values in seen:
            if write["outcome"] != "rejected":
                for value in values:
                    killers[value].append(write)
        explained = {}  # value -> "" (not), "known" or "unknown"

        def explain(value):
            if value not in explained:
                explained[value] = ""  # while it is looked for: nothing explains itself
                explained[value] = find_explanation(value)
            return explained[value]

        def find_explanation(value):
            if value in there or is_due(key.writes[value], end):
                return "known"
            best = ""
            for killer in killers[value]:
                why = "known" if killer["op"] == "gr.del" else explain(killer["value"])
                if why and not effective(killer):
                    why = "unknown"
                best = "known" if "known" in (best, why) else best or why
            return best

        # Later writes first: what a write's own replacement came to is then known, and the recursion
        # of `explain` stays shallow however long the chain of replacements.
        for write, _values in reversed(seen):
            if write["op"] != "gr.put":
                continue
            why = explain(write["value"])
            if write["outcome"] != "ok":
                continue
            self.judged += 1
            self.unknown_excuses += why == "unknown"
            if not why:
                self.complain("C3", key, f"lost: {describe(write)}; at the end there is {sorted(there)}")
        for value in sorted(there):
            for killer in killers[value]:
                if effective(killer):
                    what = "deleted" if killer["op"] == "gr.del" else "replaced"
                    self.complain("C4", key, f"{value} is back, or still there: {what} by {describe(killer)}")

    # ---- C5, C6: SET and DEL ---------------------------------------------------------------------------

    def check_plain(self, key):
        there = self.shown_at_end(key, "get")
        siblings = self.shown_at_end(key, "gr.get")
        end = self.end_of(key)
        ends = []  # what can have ended a value: (reach, write)
        for op in key.ops:
            if op["op"] not in PLAIN or op["outcome"] == "rejected":
                continue
            if op["op"] == "del":
                if op["outcome"] != "ok" or op["deleted"] > 0:
                    ends.append((key.reach(op), op))
            elif op["value"] in there or is_due(op, end):
                ends.append((key.reach(op), op))
        for write in key.writes.values():
            if write["outcome"] != "ok":
                continue
            self.judged += 1
            if write["value"] in there or is_due(write, end):
                continue
            excuses = [op for until, op in ends if until > write["start"] and op is not write]
            if not excuses:
                self.complain("C5", key, f"lost: {describe(write)}; at the end there is {sorted(there)}")
            elif all(op["outcome"] != "ok" for op in excuses):
                self.unknown_excuses += 1
        self.check_no_older(key, there, siblings)

    def check_no_older(self, key, there, siblings):
        meta = self.meta
        sure = set(meta["nodes"]) <= self.owners.get(key.name, set(meta["nodes"])) and (
            len(meta["nodes"]) == meta["n"] and meta["r"] + meta["w"] > meta["n"])
        newer = [op for op in key.ops if op["outcome"] == "ok" and (op["op"] == "set" or op["op"] == "del" and sure)]
        newer.sort(key=lambda op: op["start"])
        for value in sorted(there | siblings):
            write = key.writes.get(value)
            if write is None or write["outcome"] != "ok":
                continue
            # A SET hides what it has not seen, and hides it from GET. So does a DEL that found nothing:
            # it has met a value that is due, which hides older siblings, and they stay, hidden.
            over = [op for op in newer if op["start"] > write["end"] + SAME_TIME_S
                    and (value in there or op["op"] == "del" and op["deleted"] > 0)]
            if not over:
                continue
            what = "deleted" if over[-1]["op"] == "del" else "replaced"
            rule = "C8" if is_due(over[-1], self.end_of(key)) else "C6"
            self.complain(rule, key, f"{value} is back: it was {what} by {describe(over[-1])}")

    # ---- latency -------------------------------------------------------------------------------------

    def is_supported(self, state, op):
        """Whether the request's node lives and is linked with as many live owners as it needs."""
        node = op["node"]
        if node not in state["live"]:
            return False
        owners = self.owners.get(op["key"], set(self.meta["nodes"]))
        near = {node}
        for a, b in state["links"]:
            near |= {b} if a == node else {a} if b == node else set()
        need = {"get": self.meta["r"], "gr.get": self.meta["r"], "set": self.meta["w"],
                "gr.put": self.meta["w"], "gr.del": self.meta["w"],
                "del": max(self.meta["r"], self.meta["w"])}[op["op"]]
        return len(near & owners & set(state["live"])) >= need

    def supported(self):
        """The requests whose latency is promised, final reads left out."""
        times = [state["time"] for state in self.states]
        found = []
        for op in self.ops:
            first = bisect.bisect_right(times, op["start"]) - 1
            last = bisect.bisect_right(times, op["end"]) - 1
            if first < 0 or op.get("final"):
                continue
            if all(self.is_supported(state, op) for state in self.states[first : last + 1]):
                found.append(op)
        return found

    def latency(self):
        """Percentiles in milliseconds, and what was not served, of the requests of supported()."""
        ops = self.supported()
        spans = sorted((op["end"] - op["start"]) * 1000 for op in ops)
        return {
            "count": len(ops),
            "of": sum(1 for op in self.ops if not op.get("final")),
            **{name: percentile(spans, share) for name, share in
               (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))},
            "not_served": [op for op in ops if op["outcome"] != "ok"],
            "slowest": sorted(ops, key=lambda op: op["start"] - op["end"])[:5],
        }


def percentile(spans, share):
    """The smallest value that so large a share of the sorted spans does not exceed; 0 for none."""
    return spans[max(0, math.ceil(share * len(spans)) - 1)] if spans else 0.0


def main(path):
    with open(path) as file:
        checker = Checker(read(file))
    for violation in checker.check()[:SHOWN_MAX]:
        print(f"{violation.rule} {violation.key}: {violation.text}")
    latency = checker.latency()
    for op in latency["not_served"][:SHOWN_MAX]:
        print(f"not served: {describe(op)} {op.get('error')}")
    for op in latency["slowest"]:
        print(f"slow: {(op['end'] - op['start']) * 1000:.1f} ms {describe(op)}")
    print(f"{len(checker.ops)} operations on {len(checker.keys)} keys, {checker.judged} acknowledged values, "
          f"{checker.unknown_excuses} excused by an unknown outcome only; {len(checker.violations)} violations")
    print(f"latency of {latency['count']} supported requests: " + ", ".join(
        f"{name} {latency[name]:.1f} ms" for name in ("p50", "p99", "p99.9", "max")))
    return 1 if checker.violations else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except BadHistory as error:
        sys.exit(f"checker: {error}")
