#!/usr/bin/env python3
"""Random schedules of the model, replayed on the C code state for state, as a TAP test.

    python3 replay_schedules.py path/to/replay [RUNS [FIRST_SEED]]

First the comparison itself. Then the comparison is put to the test: a trace with one number
altered, in every kind of event, and traces of a model that leaves out one of its rules (the three
that show in one replica's state; the other canaries are faults of the schedule), must be refused.
"""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RUNS = 2000
# Events, and which of their words says what came out (or, where nothing does, what went in).
ALTERED = {
    "crash": 2, "put": 6, "state": 4, "message": 3, "receive": 3, "receive stored": 4, "hint": 3,
    "join": 3, "fill": 3, "read": 2, "has": 3, "context": 3, "joined": 3, "covers": 3,
    "includes": 3, "merged": 3,
}
BROKEN = ["no-fill", "bare-delete", "fold"]


def recorder(*args):
    command = [sys.executable, os.path.join(HERE, "record_schedules.py"), *map(str, args)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def replay(program, trace):
    done = subprocess.run([program], input=trace, capture_output=True)
    return done.returncode, (done.stdout + done.stderr).decode().strip()


def replay_all(program, runs, first):
    """The trace goes straight from one to the other: it is some hundred megabytes."""
    model = recorder(runs, first)
    done = subprocess.run([program], stdin=model.stdout, capture_output=True)
    model.stdout.close()
    if done.returncode == 0 and model.wait() != 0:
        return 1, "the recorder failed"
    return done.returncode, (done.stdout + done.stderr).decode().strip()


def alter(trace, event, place):
    """The trace with one number in that word made another, in the middle one of such events."""
    lines = trace.split(b"\n")
    name = event.split()[0].encode()
    number = re.compile(rb"(?:(?<=[:=-])|(?<=^))\d+")
    fit = [i for i, line in enumerate(lines)
           if line.startswith(name + b" ") and number.search(line.split(b" ")[place])]
    line = fit[len(fit) // 2]
    words = lines[line].split(b" ")
    flip = {b"0": b"1", b"1": b"0"}

    def other(match):
        old = match.group()
        if event in ("has", "covers", "includes"):
            return flip[old[:1]] + old[1:]
        return b"%d" % (int(old) + 1)

    words[place] = number.sub(other, words[place], count=1)
    lines[line] = b" ".join(words)
    return b"\n".join(lines), line + 1


def main(args):
    program = args[0]
    runs = int(args[1]) if len(args) > 1 else RUNS
    first = int(args[2]) if len(args) > 2 else 0
    print(f"1..{1 + len(ALTERED) + 1 + len(BROKEN)}", flush=True)
    count = failed = 0

    def result(ok, what, said):
        nonlocal count, failed
        count += 1
        failed += not ok
        if not ok:
            print("\n".join("# " + line for line in said.split("\n")))
        print(f"{'ok' if ok else 'not ok'} {count} - {what}", flush=True)

    status, said = replay_all(program, runs, first)
    result(status == 0, f"{runs} schedules of the model on the C code", said)

    trace = recorder(20, first).communicate()[0]
    for event, place in ALTERED.items():
        altered, line = alter(trace, event, place)
        status, said = replay(program, altered)
        # What only went in comes out wrong later.
        noticed = status == 1 and (event == "message" or f"line {line}:" in said)
        result(noticed, f"an altered {event} is noticed", f"line {line} was altered\n{said}")
    status, said = replay(program, trace[: trace.rindex(b"\nend") + 1])
    result(status == 1 and "cut" in said, "a cut trace is noticed", said)
    for canary in BROKEN:
        status, said = replay(program, recorder("--broken", canary, 20, first).communicate()[0])
        result(status == 1 and "model:" in said, f"a model without its rule {canary} differs", said)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
