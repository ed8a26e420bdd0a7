#!/usr/bin/env python3
"""What fails on the way to the command, and while it runs, is never the command's: each system call of Ringside's own fails once, each
allocation, and each process of the profiler is killed and held at each of its calls. The command runs every time, as if it had been started
without Ringside, and nothing is left of the profiler.

    test_inject.py ... --rounds N [--seed S]    besides, for each shape N starts with a fault drawn at random
"""
import argparse
import collections
import random
import re
import sys
import unittest

from harness import (IS_ROOT, KernelTest, main, new_folder, ringside, run, tool, setUpModule)  # noqa: F401 (setUpModule is for unittest)

STATUS = 37
START_TIMEOUT_MS = 2000
HELD_TIMEOUT_MS = 100
DEADLINE_S = 20  # long beyond all that Ringside itself waits for here
PROGRAM, PROFILER, CHILD = "0", "0.1", "0.2"  # as helper_inject calls them; in the parent shape the child becomes the command
MISTAKES = ("EACCES", "EPERM", "EROFS", "ENOENT")  # of whoever wrote the command line, and not a fault of the machine
OTHER_ID, OTHER_GROUP = 54331, 54332

parser = argparse.ArgumentParser(add_help=False)
parser.add_argument("--rounds", type=int, default=0)
parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
arguments, rest = parser.parse_known_args()
arguments.random = random.Random(arguments.seed)

Call = collections.namedtuple("Call", "path number name kind")


class Shape:
    """A way to run: options, whether Ringside stays the parent, and whether it refuses to run the command with rights it was to lose."""

    def __init__(self, name, options, parent=False, refuses=False):
        self.name, self.options, self.parent, self.refuses = name, options, parent, refuses

    def argv(self, folder):
        return [option.format(folder=folder) for option in self.options]


SERVICE = Shape("service", ["-O", "{folder}/profiles/"])
PARENT = Shape("parent", ["-O", "{folder}/cpu.pb.gz"], parent=True)
SHAPES = [
    SERVICE,
    PARENT,
    Shape("wait", ["--wait", "-O", "{folder}/waited/"], parent=True),
    Shape("sending", ["--url", "http://127.0.0.1:1/", "--spool", "{folder}/spool", "--flush-timeout", "100ms"]),
    Shape("drop", ["--drop-caps", "-O", "{folder}/profiles/"], refuses=True),
    Shape("switch", ["--drop-caps", "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}", "-O", "{folder}/cpu.pb.gz"], parent=True,
          refuses=True),
]
if not IS_ROOT:  # who has nothing to give up
    SHAPES = [shape for shape in SHAPES if not shape.refuses]


class Outcome:
    def __init__(self, result, report):
        self.status, self.out, self.err = result.status, result.out, result.err
        self.calls, self.calls_before = [[Call(path, int(n), name, kind) for path, n, name, kind
                                          in re.findall(r"^call (\S+) (\d+) (\S+) (\S+)$", text, re.M)]
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
        if shape.refuses:  # what was asked for to be safe
            return not outcome.out
        # Where the profile is to go: somebody waits for it, and named a wrong place. (Where nothing can be written, nothing is said.)
        return shape.parent and outcome.status == 2 and code in MISTAKES and ("output" in outcome.err or not outcome.err)

    def try_all(self, shape, faults, enough=float("inf")):
        """faults: what is to go wrong, as texts of helper_inject's arguments. enough: of those that it came to."""
        usual = self.usual(shape)
        wrong, hits, starts = [], 0, 0
        for fault in faults:
            if hits >= enough:
                break
            starts += 1
            outcome = start(shape, fault.split())
            hits += outcome.hit is not None
            complaint = self.complaint(shape, outcome, usual)
            if complaint:
                wrong.append(f"{shape.name}, {fault}: {complaint}: {outcome!r}")
        print(f"{shape.name}: {hits} faults in {starts} starts, {len(wrong)} wrong", file=sys.stderr, flush=True)
        self.assertEqual(len(wrong), 0, "\n".join(wrong))
        return hits


def some(faults, most):
    return faults if len(faults) <= most else arguments.random.sample(faults, most)


def fails(calls, more=""):
    return [f"-p {c.path} -n {c.number} -r {arguments.random.randrange(100)} {more}" for c in calls]


def runs_out(calls):
    return fails([c for c in calls if c.kind != "other"], "-f")


def of_profiler(calls):
    return [c for c in calls if c.path.startswith(PROFILER)]


class Faults(InjectTest):
    def sweep(self, faults, shapes=(SERVICE, PARENT), listing=()):
        for shape in shapes:
            with self.subTest(shape=shape.name):
                # Of two starts the one with fewer calls: where Ringside has to wait for a process of its own, it calls again and again.
                usual = min((start(shape, listing) for _ in range(2)), key=lambda outcome: len(outcome.calls))
                faults_of_shape = faults(usual)
                hits = self.try_all(shape, faults_of_shape)
                self.assertGreater(hits, len(faults_of_shape) * 0.8, "the calls are not where they were")

    def test_each_call_fails_once(self):
        """All until the command is started, and some of what follows."""
        self.sweep(lambda usual: [*fails(usual.calls_before), *some(fails(usual.calls[len(usual.calls_before):]), 60)])

    def test_calls_of_other_shapes_fail(self):
        self.sweep(lambda usual: some(fails(usual.calls), 60), SHAPES[2:])

    def test_what_runs_out_stays_out(self):
        self.sweep(lambda usual: some(runs_out(usual.calls), 60))

    def test_each_allocation_fails_once(self):
        self.sweep(lambda usual: fails(usual.calls, "-m"), listing=["-m"])

    def test_memory_runs_out_for_good(self):
        self.sweep(lambda usual: some(fails(usual.calls, "-m -f"), 60), listing=["-m"])

    def test_profiler_is_killed(self):
        self.sweep(lambda usual: some(fails(of_profiler(usual.calls), "-k"), 60))

    def test_profiler_hangs_before_it_is_ready(self):
        """The time limit is short then; a machine that is busy reaches it without a fault, too."""
        self.sweep(lambda usual: fails(of_profiler(usual.calls_before), "-s"))


class Limits(InjectTest):
    def test_next_to_no_memory(self):
        """As much as it takes to load the program, and little more."""
        shape = arguments.random.choice((SERVICE, PARENT))
        for resource in ("--data", "--as"):
            enough = next(size for size in range(1 << 20, 64 << 20, 1 << 20) if self.loads(resource, size))
            for size in range(enough, enough + (20 << 20), 2 << 20):
                with self.subTest(resource=resource, size=size):
                    folder = new_folder()
                    result = run(["prlimit", f"{resource}={size}", ringside(), *shape.argv(folder), tool("helper_report"), STATUS])
                    self.assertEqual(result.status, STATUS, result)

    @staticmethod
    def loads(resource, size):
        return run(["prlimit", f"{resource}={size}", ringside(), "--no-enable", "true"]).status == 0


class AtRandom(InjectTest):
    @unittest.skipIf(not arguments.rounds, "only with --rounds")
    def test_rounds(self):
        for shape in SHAPES:
            with self.subTest(shape=shape.name):
                usual, allocating = start(shape), start(shape, ["-m"])
                faults = [*fails(usual.calls), *fails(usual.calls), *runs_out(usual.calls), *fails(allocating.calls, "-m"),
                          *fails(allocating.calls, "-m -f"), *fails(of_profiler(usual.calls), "-k"),
                          *fails(of_profiler(usual.calls_before), "-s")]
                self.try_all(shape, [arguments.random.choice(faults) for _ in range(2 * arguments.rounds)], arguments.rounds)


if __name__ == "__main__":
    print(f"seed {arguments.seed}", file=sys.stderr)
    sys.argv[1:] = rest
    main()
