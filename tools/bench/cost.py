#!/usr/bin/env python3
"""What profiling costs, all in: runs real commands under the real binary and takes the profiler's own rusage.

    tools/bench/cost.py                      every workload, build/release/ringside
    tools/bench/cost.py python3 clang        only these
    tools/bench/cost.py --user nobody        as an ordinary user
    tools/bench/cost.py --json figures.json  the same as data

This process makes itself a child subreaper, so the detached profiler of the service shape becomes its child when its
parent has gone: wait4 then tells what it used from its first instruction to its last. docs/benchmarks.md says what
each row means. Nothing here is a test; run it on an idle machine.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import pwd
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(SOURCE / "test" / "tools"))
import pprof_read  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36
START_PAIRS = 20
SPAWNED = (1000, 10000)
SLEEP_S = 3

PYTHON_WORK = """
import json, re, sys, time
end = time.process_time() + float(sys.argv[1])
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
while time.process_time() < end:
    fib(15)
    text = json.dumps({"k%d" % i: [i] * 5 for i in range(200)})
    json.loads(text)
    sorted(re.findall(r"k(\\d+)", text))
"""

CXX_HEADERS = """algorithm any array atomic bitset chrono codecvt complex condition_variable deque exception filesystem
forward_list fstream functional future iomanip iostream iterator limits list locale map memory mutex numeric optional
ostream queue random ratio regex set shared_mutex sstream stack stdexcept string string_view system_error thread tuple
type_traits unordered_map unordered_set utility valarray variant vector"""

CXX_USE = """
struct Key%(i)d { int a; std::string b; bool operator<(const Key%(i)d &o) const { return a < o.a || b < o.b; } };
int use%(i)d(const std::string &text) {
    std::map<Key%(i)d, std::vector<std::string>> m;
    std::regex word("([a-z]+)%(i)d");
    for (std::sregex_iterator i(text.begin(), text.end(), word), end; i != end; ++i)
        m[Key%(i)d{static_cast<int>(i->position()), i->str()}].push_back((*i)[1]);
    std::vector<Key%(i)d> keys;
    for (auto &e : m) keys.push_back(e.first);
    std::sort(keys.begin(), keys.end(), [](auto &x, auto &y) { return y < x; });
    return static_cast<int>(keys.size());
}
"""


# ---- running ----

class Usage:
    """What one run cost and yielded."""

    def __init__(self):
        self.cpu_s = 0.0  # of every profiler process
        self.peak_kb = 0
        self.target_cpu_s = 0.0
        self.samples = self.lost = 0
        self.status = None

    @property
    def us_per_sample(self):
        return self.cpu_s * 1e6 / self.samples if self.samples else float("nan")


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ringside-bench-"))
        self.folder.chmod(0o755)
        self.ringside = self.stage(options.ringside)
        self.run_number = 0
        account = pwd.getpwnam(options.user) if options.user else None
        self.account = account
        self.popen = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}

    def stage(self, path):
        """A copy where every user can reach it."""
        target = self.folder / pathlib.Path(path).name
        if not target.exists():
            shutil.copy(path, target)
            target.chmod(0o755)
        return str(target)

    def program(self, name):
        return self.stage(pathlib.Path(self.options.programs) / name)

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        path.chmod(0o644)
        return str(path)

    def output(self):
        self.run_number += 1
        out = self.folder / f"profiles-{self.run_number}"
        out.mkdir()
        if self.account:
            os.chown(out, self.account.pw_uid, self.account.pw_gid)
        return out

    def start(self, argv, out=subprocess.DEVNULL):
        return subprocess.Popen(list(map(str, argv)), stdin=subprocess.DEVNULL, stdout=out, cwd=self.folder, **self.popen)

    def under_ringside(self, out, options, command):
        servers = [word for url in self.options.url for word in ("-U", url)]
        return [self.ringside, "-S", "bench", "-O", f"{out}/", "-l", "error", "--spool", f"{out}/spool", *servers, *options, *command]

    def reap(self, target):
        """Waits for the target and for whoever it left behind."""
        usage = Usage()
        while True:
            try:
                pid = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT).si_pid
            except ChildProcessError:
                return usage
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
            _, status, used = os.wait4(pid, 0)
            cpu_s = used.ru_utime + used.ru_stime
            if pid == target.pid:
                usage.status = target.returncode = os.waitstatus_to_exitcode(status)
                usage.target_cpu_s = cpu_s
            elif name.startswith("ringside"):
                usage.cpu_s += cpu_s
                usage.peak_kb = max(usage.peak_kb, used.ru_maxrss)

    def profile(self, command, options=("--frequency", "999"), while_running=None):
        """One run from start to end, profiler included."""
        out = self.output()
        target = self.start(self.under_ringside(out, options, command))
        seen = while_running(target) if while_running else None
        usage = self.reap(target)
        usage.seen = seen
        if usage.status != 0:
            raise RuntimeError(f"{command[0]} ended with {usage.status}")
        usage.samples, usage.lost = count_samples(out)
        shutil.rmtree(out)
        return usage

    def repeat(self, command, options=("--frequency", "999")):
        runs = [self.profile(command, options) for _ in range(self.options.repeat)]
        return {
            "us": statistics.median(run.us_per_sample for run in runs),
            "mb": statistics.median(run.peak_kb for run in runs) / 1024,
            "samples": statistics.median(run.samples for run in runs),
            "cpu_ms": statistics.median(run.cpu_s for run in runs) * 1000,
        }


def count_samples(folder):
    """(samples, lost) by the comments of the profiles in a folder."""
    samples = lost = 0
    for path in folder.glob("*.pb.gz"):
        for comment in pprof_read.load(str(path)).comments:
            found = re.match(r"samples: (\d+), lost: (\d+), records lost: (\d+)", comment)
            if found:
                samples += int(found[1])
                lost += max(int(found[2]), int(found[3]))
    return samples, lost


def become_subreaper():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


# ---- rows ----

class Row:
    def __init__(self, name, value, unit, target=None, ddprof=None, note=""):
        self.name, self.value, self.unit, self.target, self.ddprof, self.note = name, value, unit, target, ddprof, note

    @property
    def verdict(self):
        if self.target is None:
            return ""
        return "ok" if self.value <= self.target else "MISS"

    def cells(self):
        def number(value):
            return "" if value is None else f"{value:.3g}" if value < 10 else f"{value:.1f}"
        return [self.name, number(self.value), self.unit, number(self.target), number(self.ddprof), self.verdict, self.note]


def cost_rows(name, cost, us=(None, None), mb=(None, None)):
    note = f"{cost['samples']:.0f} samples, {cost['cpu_ms']:.1f} ms CPU"
    return [Row(name, cost["us"], "us/sample", us[0], us[1], note), Row(name, cost["mb"], "MB", mb[0], mb[1])]


# ---- workloads ----

def recursion(bench, frames, targets):
    command = [bench.program("bench-recurse"), frames, bench.options.seconds]
    return cost_rows(f"{frames} frames", bench.repeat(list(map(str, command))), *targets)


def frames31(bench):
    return recursion(bench, 31, ((3, 20.6), (None, 11)))


def frames200(bench):
    return recursion(bench, 200, ((None, 92), (None, 11)))


def xz(bench):
    """Half noise, half repetition; as much of it as keeps two threads busy for about the time asked for."""
    line = b"".join(b"%d the quick brown fox jumps over the lazy dog\n" % i for i in range(20000))
    block = line + os.urandom(len(line))
    data = bench.write("xz.data", block * max(1, int(2 * bench.options.seconds)))
    return cost_rows("xz -T2", bench.repeat(["xz", "-T2", "--block-size=2MiB", "-k", "-c", data]), (None, 16.6))


def python3(bench):
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else os.path.realpath(sys.executable)
    script = bench.write("work.py", PYTHON_WORK)
    cost = bench.repeat([python, script, str(bench.options.seconds)])
    return cost_rows("python3", cost, (5, 28), (12, 11))


def clang(bench):
    headers = "".join(f"#include <{name}>\n" for name in CXX_HEADERS.split())
    source = bench.write("big.cc", headers + "".join(CXX_USE % {"i": i} for i in range(6)))
    command = ["clang++", "-std=c++17", "-O2", "-c", source, "-o", "/dev/null"]
    rows = cost_rows("clang", bench.repeat(command), (12, 77), (32, 46))
    whole = bench.repeat(command, ("--frequency", "999", "--stack-sample-size", "65528"))
    return rows + cost_rows("clang, 65528-byte copy", whole, (12, 77), (32, 46))


def profiler_of(target, timeout_s=10):
    """The detached profiler: a child of ours by now that is not the target."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for entry in pathlib.Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                pid = int(entry.name)
                if int(fields[1]) == os.getpid() and pid != target.pid and fields[0] != "Z":
                    return pid
        time.sleep(0.01)
    raise RuntimeError("no profiler seen")


def switches_of(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return sum(int(n) for n in re.findall(r"voluntary_ctxt_switches:\s+(\d+)", text))


def cpu_s_of(pid):
    return time.clock_gettime(~pid << 3 | 2)  # clock_getcpuclockid(3)


def settle(pid):
    """Until the profiler has not been switched for a second."""
    before, since = switches_of(pid), time.monotonic()
    while time.monotonic() - since < 1:
        time.sleep(0.05)
        if switches_of(pid) != before:
            before, since = switches_of(pid), time.monotonic()


def sleeping(bench):
    def watch(target):
        pid = profiler_of(target)
        time.sleep(1)  # past the start and the burst
        settle(pid)
        switches, cpu_s = switches_of(pid), cpu_s_of(pid)
        time.sleep(SLEEP_S)
        seen = switches_of(pid) - switches, cpu_s_of(pid) - cpu_s
        target.kill()
        return seen

    command = ["sh", "-c", f"{bench.program('bench-recurse')} 31 0.3; exec sleep 60"]
    out = bench.output()
    target = bench.start(bench.under_ringside(out, ("--frequency", "999"), command))
    switches, cpu_s = watch(target)
    bench.reap(target)
    return [Row("target sleeps", switches, f"wake-ups in {SLEEP_S} s", 0),
            Row("target sleeps", cpu_s * 1000 / SLEEP_S, "ms CPU/s", None, 2)]


def spawning(bench):
    cost = {}
    for count in SPAWNED:
        runs = [bench.profile([bench.program("bench-spawn"), str(count), "/bin/true"]) for _ in range(bench.options.repeat)]
        cost[count] = (statistics.median(r.cpu_s for r in runs), statistics.median(r.peak_kb for r in runs))
    few, many = SPAWNED
    rows = [Row(f"{n} short processes", cost[n][0] * 1e6 / n, "us/process", 60, 1300, f"peak {cost[n][1] / 1024:.1f} MB")
            for n in SPAWNED]
    growth = max(0, (cost[many][1] - cost[few][1]) / (many - few))
    return rows + [Row("a further short process", growth, "KB", 16, 400)]


def fast(bench):
    command = [bench.program("bench-recurse"), "31", str(bench.options.seconds), str(os.cpu_count())]
    runs = [bench.profile(command, ("--frequency", "3999")) for _ in range(bench.options.repeat)]
    share = max(100 * r.lost / max(r.samples + r.lost, 1) for r in runs)
    return [Row(f"3999 Hz, {os.cpu_count()} busy threads", share, "% lost", 0, 15, f"{runs[0].samples} samples"),
            Row(f"3999 Hz, {os.cpu_count()} busy threads", statistics.median(r.us_per_sample for r in runs), "us/sample")]


def start_ms(bench, argv):
    began = time.monotonic_ns()
    target = bench.start(argv, subprocess.PIPE)
    printed = int(target.stdout.read())
    target.stdout.close()
    bench.reap(target)
    return (printed - began) / 1e6


def starting(bench):
    command = [bench.program("bench-started")]
    out = bench.output()
    later = []
    for _ in range(START_PAIRS):
        bare = start_ms(bench, command)
        later.append(start_ms(bench, bench.under_ringside(out, (), command)) - bare)
    return [Row("the command starts later by", statistics.median(later), "ms", 3, 106,
                f"{min(later):.2f} to {max(later):.2f}")]


WORKLOADS = {
    "frames31": frames31, "frames200": frames200, "xz": xz, "python3": python3, "clang": clang, "sleeping": sleeping,
    "spawning": spawning, "fast": fast, "starting": starting,
}


# ---- telling ----

def print_table(rows):
    lines = [["", "measured", "", "target", "ddprof", "", ""], *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        right = {1, 3, 4}
        print("  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip())


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("workload", nargs="*", help=f"of {', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--ringside", default=str(SOURCE / "build/release/ringside"))
    parser.add_argument("--programs", help="folder of the bench-* programs; default: beside the binary, tools/bench")
    parser.add_argument("--user", help="run the commands as this user (needs root)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each workload; the median counts")
    parser.add_argument("--seconds", type=float, default=10, help="of CPU time in each workload that can be set")
    parser.add_argument("--url", action="append", default=[], help="send profiles there, too; may be repeated")
    parser.add_argument("--json", help="write the rows to this file, too")
    options = parser.parse_args()
    options.programs = options.programs or str(pathlib.Path(options.ringside).resolve().parent / "tools/bench")
    for name in options.workload:
        if name not in WORKLOADS:
            parser.error(f"no workload {name!r}: {', '.join(WORKLOADS)}")
    return options


def main():
    options = parse()
    become_subreaper()
    bench = Bench(options)
    rows = []
    try:
        for name in options.workload or WORKLOADS:
            if name == "clang" and not shutil.which("clang++"):
                print("clang: no clang++ here", file=sys.stderr)
                continue
            print(f"{name}...", file=sys.stderr)
            rows += WORKLOADS[name](bench)
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
    print_table(rows)
    if options.json:
        data = [{**vars(row), "verdict": row.verdict} for row in rows]
        pathlib.Path(options.json).write_text(json.dumps(data, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
