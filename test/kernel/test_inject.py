#!/usr/bin/env python3
"""What fails on the way to the command, and while it runs, is never the command's: each system call of Ringside's own fails once, each
allocation, and each process of the profiler is killed and held at each of its calls. The command runs every time, as if it had been started
without Ringside, and nothing is left of the profiler.

    test_inject.py ... --rounds N [--seed S]    besides, for each shape N starts with a fault drawn at random
"""
import argparse
import collections
import os
import random
import re
import sys
import unittest

import harness
from harness import (IS_ROOT, ME, KernelTest, main, new_folder, require, ringside, run, tool, setUpModule)  # noqa: F401 (setUpModule is for unittest)

STATUS = 37
START_TIMEOUT_MS = 2000
HELD_TIMEOUT_MS = 100
DEADLINE_S = 20  # long beyond all that Ringside itself waits for here
SLOW_MS = 10000  # and what a busy machine may add to it
PROGRAM, CHILD = "0", "0.2"  # who becomes the command: the program, and in the parent shape its second child; the first is the profiler's
MISTAKES = ("EACCES", "EPERM", "EROFS", "ENOENT")  # of whoever wrote the command line, and not a fault of the machine
OTHER_ID, OTHER_GROUP = 54331, 54332

arguments = argparse.Namespace(rounds=0, seed=None)

Call = collections.namedtuple("Call", "path number name")


class Shape:
    """A way to run: options, and what of it may end otherwise than with the command's status."""

    def __init__(self, name, options, parent=False, refuses=(), needs_root=False):
        self.name, self.options, self.parent, self.refuses, self.needs_root = name, options, parent, refuses, needs_root

    def argv(self, folder):
        return [option.format(folder=folder) for option in self.options]


SERVICE = Shape("service", ["-O", "{folder}/profiles/"])
PARENT = Shape("parent", ["-O", "{folder}/cpu.pb.gz"], parent=True)
SHAPES = [
    SERVICE,
    PARENT,
    Shape("wait", ["--wait", "-O", "{folder}/waited/"], parent=True),
    Shape("sending", ["--url", "http://127.0.0.1:1/", "--spool", "{folder}/spool", "--flush-timeout", "100ms"]),
    Shape("drop", ["--drop-caps", "-O", "{folder}/profiles/"], refuses=("drop-caps", "capabilities"), needs_root=True),
    Shape("switch", ["--drop-caps", "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}", "-O", "{folder}/cpu.pb.gz"], parent=True,
          refuses=("drop-caps", "switch-user"), needs_root=True),
]


class Outcome:
    def __init__(self, result, report):
        self.status, self.out, self.err = result.status, result.out, result.err
        self.calls, self.calls_before = [[Call(path, int(n), name) for path, n, name in re.findall(r"^call (\S+) (\d+) (\S+)$", text, re.M)]
                                         for text in (report, report.partition("\nstarted ")[0])]
        self.hit = re.search(r"^hit (\S+) (\d+) (\S+) (\S+)$", report, re.M)
        self.left = re.findall(r"^left .*$", report, re.M)
        self.started_ms = [int(n) for n in re.findall(r"^started (\d+)$", report, re.M)]
        self.report = report

    def __repr__(self):
        return f"status {self.status}, {self.hit and self.hit.group()}, {self.left}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def start(shape, fault=()):
    folder = new_folder()
    report = folder / "report"
    timeout_ms = HELD_TIMEOUT_MS if "-s" in fault else START_TIMEOUT_MS
    result = run([tool("helper_inject"), "-o", report, "-d", DEADLINE_S, *fault, ringside(), "--start-timeout", f"{timeout_ms}ms", *shape.argv(folder),
                  tool("helper_report"), STATUS], cwd="/")
    return Outcome(result, report.read_text())


class InjectTest(KernelTest):
    def usual(self, shape):
        """How the command is started where nothing fails."""
        require("root", IS_ROOT or not shape.needs_root, "only root has something to give up")
        outcome = start(shape)
        self.assertEqual((outcome.status, outcome.left), (STATUS, []), outcome)
        if not shape.refuses:
            plain = run([tool("helper_report"), STATUS], cwd="/")
            self.assertEqual(outcome.out, plain.out)
        return outcome

    def complaint(self, shape, outcome, usual):
        """What is wrong with a start in which something failed, or None."""
        if outcome.left:
            return "processes are left"
        if not outcome.hit or (outcome.status == STATUS and outcome.out == usual.out):
            return None
        if outcome.status == STATUS:
            return "the command is started otherwise"
        return None if self.excused(shape, outcome) else "the command did not run"

    @staticmethod
    def excused(shape, outcome):
        """All that may keep the command from running."""
        path, name, code = outcome.hit.group(1, 3, 4)
        if name == "execve" and path in (PROGRAM, CHILD):  # its own exec
            return outcome.status in (126, 127)
        if outcome.status != 2 or len(re.findall("error:", outcome.err)) != 1:
            return False
        if shape.parent and code in MISTAKES:  # where the profile is to go: somebody waits for it, and named a wrong place
            return "output" in outcome.err
        return any(word in outcome.err for word in shape.refuses)  # what was asked for to be safe

    def try_all(self, shape, faults):
        """faults: (what to show, arguments of helper_inject)."""
        usual = self.usual(shape)
        wrong, hits = [], 0
        for shown, fault in faults(usual):
            outcome = start(shape, fault)
            hits += outcome.hit is not None
            complaint = self.complaint(shape, outcome, usual)
            if complaint:
                wrong.append(f"{shown}: {complaint}: {outcome!r}")
        self.assertEqual(len(wrong), 0, f"{len(wrong)} of {hits} went wrong:\n" + "\n".join(wrong))
        return hits


def fails(call, *more):
    return (f"{call.name} ({call.path} {call.number})", ["-p", call.path, "-n", call.number, *more])


class Calls(InjectTest):
    def sweep(self, faults):
        for shape in SHAPES:
            if arguments.shape not in (None, shape.name):
                continue
            with self.subTest(shape=shape.name):
                hits = self.try_all(shape, faults)
                print(f"{shape.name}: {hits} faults", file=sys.stderr)

    def test_each_fails(self):
        self.sweep(lambda usual: [fails(c, "-r", arguments.random.randrange(100)) for c in usual.calls])

    def test_from_each_on_the_like_fail(self):
        self.sweep(lambda usual: [fails(c, "-f", "-r", arguments.random.randrange(100)) for c in usual.calls])

    def test_killed(self):
        self.sweep(lambda usual: [fails(c, "-k") for c in usual.calls if c.path.startswith("0.1")])

    def test_held(self):
        self.sweep(lambda usual: [fails(c, "-s") for c in usual.calls_before if c.path.startswith("0.1")])


class Memory(InjectTest):
    pass


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--shape")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments, rest = parser.parse_known_args()
    arguments.random = random.Random(arguments.seed)
    print(f"seed {arguments.seed}", file=sys.stderr)
    sys.argv[1:] = rest
    main()
