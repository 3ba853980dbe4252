#!/usr/bin/env python3
"""Runs the random schedules of partition_clock.py and writes down all that its replicas do.

Every line is one event with what went in and what came out; replay.c does the same with the C code
and compares state for state. Nothing of the model is changed but deepcopy, which copied for most of
the time what is never altered in place.

    python3 record_schedules.py [--broken CANARY] RUNS FIRST_SEED > trace

The words of a line are parted by one space:

    run SEED                          forget everything, a new schedule begins
    primary R | fallback R            a replica, or a hint store, that has seen nothing
    sync R | lose R                   its state is what a crash falls back to | its disk is empty
    crash R CLOCK KEY RECORD ...      the whole state after it
    put M KEY CONTEXT VALUE DOT RECORD  message M: a coordinator's delta; VALUE - deletes
    state M R KEY RECORD              message M: what R answers for KEY
    message M KEY RECORD DOTS         message M, made otherwise
    receive R M CLOCK RECORD          R takes M in; its clock and what it stores of that key
    hint R M RECORD                   a fallback takes M in; what it keeps of that key
    forget R KEY                      a fallback owes this key no longer
    join R CLOCK CLOCK KEY RECORD ... R has caught up with a clock; the whole state after it
    fill R KEY RECORD                 what R answers
    read KEY RECORD R ...             what a coordinator makes of their answers
    has R DOT 0|1                     whether R has seen that dot
    context VV CLOUD CONTEXT          normal form; the first two in no order
    joined CONTEXT CONTEXT CONTEXT
    covers CONTEXT DOTS ANSWERS       a 0 or 1 for each dot
    includes CONTEXT CONTEXT 0|1
    merged RECORD RECORD RECORD
    end RUNS                          nothing is missing

A dot is NODE.EPOCH:COUNTER. DOTS, VV and CLOUD are dots with commas between. A CONTEXT is VV|CLOUD;
a RECORD is DOT=VALUE,...|VV|CLOUD, "none" when nothing is stored; a CLOCK is
NODE.EPOCH:BASE+FIRST-LAST+...,...: all sorted by node, epoch and counter.
"""
import functools
import multiprocessing
import os
import random
import sys

sys.dont_write_bytecode = True
import partition_clock as model  # noqa: E402 (no bytecode beside the sources)

# One in so many calls of the inner functions is written down; the replicas' events all are.
ONE_IN = {"join": 100, "merge": 20, "has": 30}
RUNS_PER_TASK = 20


class Trace:
    """The lines of one run, and the numbers that its replicas and messages go by."""

    def __init__(self, seed):
        self.lines = []
        self.random = random.Random(f"trace {seed}")  # never the schedule's own
        self.members = 0
        self.message_of = {}  # id -> (number, the message: kept, so that the id stays its own)
        self.busy = 0         # inside an event that already says all
        self.write("run", seed)

    def write(self, *words):
        self.lines.append(" ".join(map(str, words)))

    def sampled(self, name):
        return self.random.random() * ONE_IN[name] < 1


trace = None

# ------------------------------------------------------------------- text


@functools.cache
def dot_text(dot):
    (node, epoch), counter = dot
    return f"{node}.{epoch}:{counter}"


def dots_text(dots):
    return ",".join(map(dot_text, dots))


def context_text(ctx):
    return f"{dots_text(sorted(ctx[0].items()))}|{dots_text(sorted(ctx[1]))}"


def record_text(siblings, ctx):
    values = ",".join(f"{dot_text(dot)}={value}" for dot, value in sorted(siblings.items()))
    return f"{values}|{context_text(ctx)}"


def stored_text(replica, key):
    return record_text(*replica.store[key]) if key in replica.store else "none"


def row_text(actor, counters):
    spans = []
    for n in sorted(counters):
        if spans and spans[-1][1] == n - 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    base = spans.pop(0)[1] if spans[0][0] == 1 else 0
    return dot_text((actor, base)) + "".join(f"+{a}-{b}" for a, b in spans)


def clock_text(clock):
    # A row only grows: while its size is the same, so is its text.
    known = clock.__dict__.setdefault("row_text", {})
    for actor, counters in clock.seen.items():
        if known.get(actor, (0,))[0] != len(counters):
            known[actor] = len(counters), row_text(actor, counters)
    return ",".join(known[actor][1] for actor in sorted(clock.seen)) or "-"


def whole_text(replica):
    records = [f"{key} {stored_text(replica, key)}" for key in sorted(replica.store)]
    return " ".join([clock_text(replica.clock), *records])


def scrambled(dots):
    """No order that a context has, and the same on every machine."""
    return dots_text(sorted(dots, key=lambda dot: (dot[1] * 7919 % 101, dot))) or "-"


# ---------------------------------------------------------------- the wraps


def quick_copy(what):
    """deepcopy, knowing that states are replaced and never altered in place."""
    if isinstance(what, tuple):
        clock, store = what
        return quick_copy(clock), dict(store)
    clock = model.Clock()
    clock.seen = {actor: set(counters) for actor, counters in what.seen.items()}
    clock.row_text = dict(what.__dict__.get("row_text", {}))
    return clock


def number_of(message, write=None):
    """The number of a message; a new one is written down first."""
    known = trace.message_of.get(id(message))
    if known is None:
        number = len(trace.message_of)
        trace.message_of[id(message)] = known = (number, message)
        key, siblings, ctx, dots = message
        if write:
            write(number)
        else:
            record = record_text(siblings, ctx)
            trace.write("message", number, key, record, dots_text(sorted(dots)) or "-")
    return known[0]


def replacing(owner, name):
    """Puts the function below in the place of owner.name; it gets the old one first."""

    def place(wrap):
        old = getattr(owner, name)
        if owner is model:
            setattr(owner, name, functools.partial(wrap, old))
        else:
            setattr(owner, name, lambda *args: wrap(old, *args))

    return place


def join_replica(word):
    def init(old, self, *args):
        self.id = trace.members
        trace.members += 1
        self.making = None
        trace.write(word, self.id)
        old(self, *args)

    return init


def put(old, self, key, ctx, value, *rest):
    # The message is made inside; receive meets it first and writes this down.
    self.making = (ctx, "-" if value is None else value)
    return old(self, key, ctx, value, *rest)


def number_received(replica, message):
    made, replica.making = replica.making, None
    if made is None:
        return number_of(message)
    key, siblings, ctx, (dot,) = message
    words = [key, context_text(made[0]), made[1], dot_text(dot), record_text(siblings, ctx)]
    return number_of(message, write=lambda number: trace.write("put", number, *words))


def wrap_replicas():
    replacing(model.Replica, "__init__")(join_replica("primary"))
    replacing(model.Fallback, "__init__")(join_replica("fallback"))
    replacing(model.Replica, "put")(put)
    replacing(model.Fallback, "put")(put)

    @replacing(model.Replica, "sync")
    def _(old, self):
        old(self)
        trace.write("sync", self.id)

    @replacing(model.Replica, "lose_disk")
    def _(old, self):
        trace.write("lose", self.id)
        old(self)

    @replacing(model.Replica, "crash")
    def _(old, self):
        old(self)
        trace.write("crash", self.id, whole_text(self))

    @replacing(model.Replica, "receive")
    def _(old, self, message):
        number = number_received(self, message)
        trace.busy += 1
        old(self, message)
        trace.busy -= 1
        key, siblings, _, dots = message
        trace.write("receive", self.id, number, clock_text(self.clock), stored_text(self, key))
        if trace.sampled("has"):
            for actor, counter in sorted([*siblings, *dots]):
                for dot in ((actor, counter), (actor, counter + 1)):
                    trace.write("has", self.id, dot_text(dot), int(self.clock.has(dot)))

    @replacing(model.Fallback, "receive")
    def _(old, self, message, owed_to):
        number = number_received(self, message)
        trace.busy += 1
        old(self, message, owed_to)
        trace.busy -= 1
        trace.write("hint", self.id, number, record_text(*self.hints[message[0]]))

    @replacing(model.Fallback, "drain")
    def _(old, self, primary):
        before = sorted(self.hints)
        old(self, primary)
        for key in before:
            if key not in self.hints:
                trace.write("forget", self.id, key)

    @replacing(model.Replica, "caught_up")
    def _(old, self, clock):
        other = clock_text(clock)
        old(self, clock)
        trace.write("join", self.id, other, whole_text(self))

    @replacing(model.Replica, "state")
    def _(old, self, key):
        trace.busy += 1
        message = old(self, key)
        trace.busy -= 1
        record = record_text(message[1], message[2])
        number_of(message, write=lambda number: trace.write("state", number, self.id, key, record))
        return message

    for owner in (model.Replica, model.Fallback):

        @replacing(owner, "fill")
        def _(old, self, key):
            state = old(self, key)
            if not trace.busy:
                trace.write("fill", self.id, key, record_text(*state))
            return state


def wrap_functions():
    @replacing(model, "read")
    def _(old, replicas, key):
        trace.busy += 1
        state = old(replicas, key)
        trace.busy -= 1
        trace.write("read", key, record_text(*state), *(r.id for r in replicas))
        return state

    @replacing(model, "join")
    def _(old, a, b):
        ctx = old(a, b)
        if trace.sampled("join"):
            write_joined(a, b, ctx)
        return ctx

    @replacing(model, "merge")
    def _(old, a, b):
        state = old(a, b)
        if trace.sampled("merge"):
            trace.write("merged", record_text(*a), record_text(*b), record_text(*state))
        return state


def write_joined(a, b, ctx):
    three = [(x, context_text(x), every_dot(x)) for x in (a, b, ctx)]
    trace.write("joined", *(text for _, text, _ in three))
    # The same dots in any order have the same normal form.
    tops = [*a[0].items(), *b[0].items()]
    trace.write("context", scrambled(tops), scrambled([*a[1], *b[1]]), three[2][1])
    dots = [dot for actor, n in sorted({*tops, *ctx[1]}) for dot in ((actor, n), (actor, n + 1))]
    for x, x_text, x_dots in three:
        for _, y_text, y_dots in three:
            trace.write("includes", x_text, y_text, int(x_dots >= y_dots))
        answers = "".join(str(int(model.covers(x, dot))) for dot in dots)
        trace.write("covers", x_text, dots_text(dots) or "-", answers or "-")


def every_dot(ctx):
    return {(actor, n) for actor, top in ctx[0].items() for n in range(1, top + 1)} | ctx[1]


# ------------------------------------------------------------------- main


def record(task):
    global trace
    first, runs = task
    lines = []
    for seed in range(first, first + runs):
        trace = Trace(seed)
        errors = model.run(seed)
        if errors and not model.broken:
            raise SystemExit(f"seed {seed}: the oracle of the model found {errors[:3]}")
        lines += trace.lines
    return "\n".join(lines) + "\n"


def main(args):
    if args[:1] == ["--broken"]:
        model.broken = args[1]
        args = args[2:]
    runs, first = int(args[0]), int(args[1])
    model.deepcopy = quick_copy
    wrap_replicas()
    wrap_functions()
    tasks = [(seed, min(RUNS_PER_TASK, first + runs - seed))
             for seed in range(first, first + runs, RUNS_PER_TASK)]
    with multiprocessing.get_context("fork").Pool(min(len(tasks), os.cpu_count())) as pool:
        for text in pool.imap(record, tasks):
            sys.stdout.write(text)
    sys.stdout.write(f"end {runs}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
