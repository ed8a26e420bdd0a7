"""Runs the built ringside on real processes and reads what it wrote.

Every test module here is a unittest module run by `main()` below, one ctest entry each:

    test/kernel/test_NAME.py --ringside BINARY --fixtures DIR --tools DIR [unittest arguments, e.g. -k split]

What the tests stand on: `run()` starts a command and tells its exit status, output and the CPU time the kernel counted for it;
`Profile` is one or more profile files, each validated on loading; `USERS` are the users worth trying as.
"""
import argparse
import atexit
import contextlib
import functools
import math
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(SOURCE / "test" / "tools"))
import pprof_check  # noqa: E402
from pprof_read import CUT_FRAMES, ENDED_WITHIN_A_PERIOD, KERNEL_NOT_PERMITTED, TRUNCATED  # noqa: E402, F401 (the tests take them from here)

SKIPPED = 77
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")  # a second, in /proc

paths = None  # what main() was told: .ringside, .fixtures, .tools

# A machine that stands still for two seconds is no reason to start without the profiler; where the limit is the subject, tests set it.
os.environ.setdefault("RINGSIDE_START_TIMEOUT", "60s")


# ---- what this machine can do ----

IS_ROOT = os.geteuid() == 0
# Memory for rings is counted per user: one that runs nothing else on this machine.
ORDINARY_ID = 54321


class User:
    """Somebody to run as. Root can also be an ordinary user."""

    def __init__(self, name, prefix=(), privileged=False):
        self.name, self.prefix, self.privileged = name, list(prefix), privileged

    def __repr__(self):
        return self.name

    def owns(self, path):
        if self.prefix:
            os.chown(path, ORDINARY_ID, ORDINARY_ID)


ME = User("root" if IS_ROOT else "me", privileged=IS_ROOT)
ORDINARY = ME
if IS_ROOT:
    ORDINARY = User("ordinary user", ["setpriv", f"--reuid={ORDINARY_ID}", f"--regid={ORDINARY_ID}", "--clear-groups", "--"])
USERS = [ME, ORDINARY] if IS_ROOT else [ME]


def require(name, there, why):
    """Skips the test when `there` is false, or fails it when the environment's REQUIRE lists `name`."""
    if there:
        return
    if name in os.environ.get("REQUIRE", "").split(","):
        raise AssertionError(f"{why} (REQUIRE lists {name})")
    raise unittest.SkipTest(why)


def require_tool(command, name="tools"):
    require(name, shutil.which(command), f"no {command} here")
    return shutil.which(command)


def python3(user=ME):
    """A python3 that `user` may run: targets are Python programs where nothing about them matters."""
    for candidate in ("/usr/bin/python3", os.path.realpath(sys.executable)):
        if os.path.exists(candidate) and subprocess.run([*user.prefix, candidate, "-c", ""], stderr=subprocess.DEVNULL).returncode == 0:
            return candidate
    require("tools", False, f"no python3 that {user} may run")


# ---- files ----

_base = None


def base_folder():
    """A folder everybody can reach, gone when the tests end."""
    global _base
    if _base is None:
        _base = pathlib.Path(tempfile.mkdtemp(prefix="ringside-test-"))
        _base.chmod(0o755)
        if not os.environ.get("KEEP"):
            atexit.register(shutil.rmtree, _base, ignore_errors=True)
    return _base


def new_folder(user=ME):
    folder = pathlib.Path(tempfile.mkdtemp(dir=base_folder()))
    folder.chmod(0o755)
    user.owns(folder)
    return folder


def _stage(source):
    target = base_folder() / "bin" / pathlib.Path(source).name
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        target.parent.chmod(0o755)
        shutil.copy(source, target)
        target.chmod(0o755)
    return str(target)


def ringside():
    """The binary under test, where every user may run it and no other test's profiler can be mistaken for ours."""
    return _stage(paths.ringside)


def fixture(name):
    path = pathlib.Path(paths.fixtures) / name
    require("fixtures", path.exists(), f"fixture {name} was not built")
    for library in pathlib.Path(paths.fixtures).glob("*.so"):  # programs look for theirs beside themselves
        _stage(library)
    return _stage(path)


def fixtures_like(pattern):
    return sorted(p.name for p in pathlib.Path(paths.fixtures).glob(pattern) if os.access(p, os.X_OK) and p.is_file()
                  and p.suffix not in (".so", ".new", ".log"))


def tool(name):
    """A helper program built beside the tests."""
    return _stage(pathlib.Path(paths.tools) / name)


# ---- running ----

def stolen_s():
    """Time the hypervisor kept this machine's processors from running, over all of them."""
    with open("/proc/stat") as stat:
        return int(stat.readline().split()[8]) / CLOCK_TICKS


class Result:
    """A finished command: exit status as a shell gives it, output, and CPU time of it and its children by the kernel's account."""

    def __init__(self, pid, wait_status, usage, stolen_s, out, err):
        self.pid, self.stolen_s, self.out, self.err = pid, stolen_s, out, err
        code = os.waitstatus_to_exitcode(wait_status)
        self.status = code if code >= 0 else 128 - code
        self.signal = -code if code < 0 else None
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.user_s, self.system_s = usage.ru_utime, usage.ru_stime

    def __repr__(self):
        return f"status {self.status}, {self.cpu_s:.3f} s CPU, {self.stolen_s:.2f} s stolen\n--- stdout\n{self.out[-2000:]}\n--- stderr\n{self.err[-4000:]}"


class Command:
    """A running command. Output goes to files, so that a profiler which holds on to stderr holds up nobody."""

    def __init__(self, argv, user=ME, env=None, cwd=None, **popen):
        self.folder = new_folder(user)
        with open(self.folder / "stdout", "wb") as out, open(self.folder / "stderr", "wb") as err:
            self.stolen_before = stolen_s()
            popen.setdefault("stdin", subprocess.DEVNULL)
            popen.setdefault("stdout", out)
            self.process = subprocess.Popen([*user.prefix, *map(str, argv)], stderr=err, env=env,
                                            cwd=cwd or self.folder, **popen)
        self.pid = self.process.pid

    def text(self, name):
        return (self.folder / name).read_text(errors="replace")

    def wait(self, timeout=120):
        timed_out = threading.Event()

        def give_up():
            timed_out.set()
            kill_all([self.pid], signal.SIGKILL)

        timer = threading.Timer(timeout, give_up)
        timer.start()
        _, status, usage = os.wait4(self.pid, 0)
        timer.cancel()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        result = Result(self.pid, status, usage, stolen_s() - self.stolen_before, self.text("stdout"), self.text("stderr"))
        if timed_out.is_set():
            raise AssertionError(f"not finished after {timeout} s: {self.process.args}\n{result}")
        return result

    def kill(self):
        if self.process.returncode is None:
            kill_all([self.pid], signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
            self.process.returncode = -9


def run(argv, user=ME, timeout=120, **more):
    return Command(argv, user, **more).wait(timeout)


def wait_for(condition, what, timeout=30):
    """The first true value of condition(), looked at again and again until the deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s for: {what}")
        time.sleep(0.01)


# ---- processes ----

def stat_fields(pid):
    """What /proc/PID/stat says from the third field (the state) on: the second, a name, may hold anything."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def status_number(pid, name):
    """A number of /proc/PID/status; kilobytes where it says kB."""
    return int(re.search(rf"^{name}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M).group(1))


def parent_of(pid):
    return int(stat_fields(pid)[1])


def session_of(pid):
    return int(stat_fields(pid)[3])


def cpu_s(pid):
    user, system = stat_fields(pid)[11:13]
    return (int(user) + int(system)) / CLOCK_TICKS


def processes_of(executable):
    """Ids of the processes that run this file."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{entry}/exe") == executable:
                    found.append(int(entry))
    return found


def profilers(but=()):
    return [pid for pid in processes_of(ringside()) if pid not in but]


def name_of(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    return None


def command_line(pid):
    """Its words in one text; "" when it is gone."""
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    return ""


def kill_all(pids, number):
    """Sends the signal to those that are still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def worker():
    """The process that reads the rings; there is one, but for moments."""
    return wait_for(lambda: [pid for pid in profilers() if name_of(pid) == "ringside-worker"], "a worker")[0]


def supervisor():
    return parent_of(worker())


def wait_profilers_gone(timeout=30):
    wait_for(lambda: not profilers(), "every process of the profiler to end", timeout)


# ---- profiles ----

class Profile:
    """One or more profile files added up. Loading validates each file."""

    def __init__(self, *files):
        self.files = [str(f) for f in files]
        self.samples, self.comments = [], []
        self.spans = []  # (start, length) of each file in wall-clock seconds
        for file in self.files:
            loaded = load_checked(file)
            self.samples += [(tuple(s.frames), s.values, s.labels) for s in loaded.samples]
            self.comments += loaded.comments
            self.spans.append((loaded.time_nanos / 1e9, loaded.duration_nanos / 1e9))

    def total_s(self, where=lambda stack, labels: True):
        return sum(values[1] for stack, values, labels in self.samples if where(stack, labels)) / 1e9

    def count(self, where=lambda stack, labels: True):
        return sum(values[0] for stack, values, labels in self.samples if where(stack, labels))

    def share(self, where):
        """Share of the sampled stacks, accounting frames left out."""
        return self.count(where) / max(self.count(), 1)

    def leaf_share(self, name):
        return self.share(lambda stack, labels: stack[0] == name)

    def frame_s(self, name):
        """CPU time of the stacks that hold this frame."""
        return self.total_s(lambda stack, labels: name in stack)

    def sampled_s(self, where=lambda stack, labels: True):
        """CPU time that is shown with its stack: the leaf is no frame of accounts."""
        return self.total_s(lambda stack, labels: where(stack, labels) and not stack[0].startswith("["))

    def complete_share(self, where=lambda stack, labels: True):
        cut = self.count(lambda stack, labels: where(stack, labels) and stack[-1] in CUT_FRAMES)
        return 1 - cut / max(self.count(where), 1)

    def incomplete_top(self, n=8):
        """The commonest stacks that were not complete, for a failing test's message."""
        rows = sorted(((v[0], s) for s, v, _ in self.samples if s[-1] in CUT_FRAMES), key=lambda r: -r[0])
        return "\n".join(f"{count:6d} {' < '.join(stack[:4])} ... {' < '.join(stack[-4:])}" for count, stack in rows[:n])

    def labels(self, key):
        return {labels.get(key) for _, _, labels in self.samples}

    def comment_number(self, name):
        """Sum over the files of "NAME: N" in their comments."""
        return sum(int(n) for comment in self.comments for n in re.findall(rf"\b{re.escape(name)}: (\d+)", comment))

    def top(self, n=12):
        by_leaf = {}
        for stack, values, _ in self.samples:
            by_leaf[stack[0]] = by_leaf.get(stack[0], 0) + values[1]
        return "\n".join(f"{ns / 1e9:9.3f} s {name}" for name, ns in sorted(by_leaf.items(), key=lambda i: -i[1])[:n])


def load_checked(file):
    """Decodes a profile that keeps the format's rules (test/tools/pprof_check.py) and that Go's own reader takes."""
    profile = pprof_check.load(file)
    if shutil.which("go"):
        read = subprocess.run(["go", "tool", "pprof", "-symbolize=none", "-raw", file], capture_output=True, text=True,
                              env={**os.environ, "HOME": str(base_folder())})
        if read.returncode:
            raise AssertionError(f"go tool pprof does not take {file}:\n{read.stderr}")
    return profile


def profile_run(argv, user=ME, options=("--frequency", "999"), timeout=120, status=0, **more):
    """Profiles a command in the parent shape. Returns (Profile, Result)."""
    output = new_folder(user) / "cpu.pb.gz"
    result = run([ringside(), *options, "-O", output, *argv], user, timeout, **more)
    if result.status != status:
        raise AssertionError(f"{argv}: {result}")
    return Profile(output), result


# ---- the base of the tests ----

def each_user(test):
    """A test method that takes a user, once for each worth trying."""
    @functools.wraps(test)
    def for_each(self):
        for user in USERS:
            with self.subTest(user=user.name):
                test(self, user)
    return for_each


class KernelTest(unittest.TestCase):
    longMessage = True

    def start(self, argv, user=ME, **more):
        """A command that is certainly gone when the test is over."""
        command = Command(argv, user, **more)
        self.started.append(command)
        return command

    def setUp(self):
        self.started = []

    def tearDown(self):
        """No test may leave a profiler behind, whatever it was about."""
        for command in self.started:
            command.kill()
        try:
            wait_profilers_gone()
        except AssertionError:
            kill_all(profilers(), signal.SIGKILL)
            raise

    def assertSplit(self, profile, result, within):
        """The fixture's three functions have the shares it measured itself (why: split.c), of their time without the kernel's meanwhile."""
        used_ns = {name: int(ns) for name, ns in re.findall(r"(sixty|thirty|ten)_ns=(\d+)", result.out)}
        self.assertTrue(used_ns["sixty"] > used_ns["thirty"] > used_ns["ten"] > 0, result)
        seen_s = {name: profile.frame_s(name) for name in used_ns}
        self.assertGreater(sum(seen_s.values()), 0.95 * profile.frame_s("run"), profile.top())
        for name in used_ns:
            got, expected = seen_s[name] / sum(seen_s.values()), used_ns[name] / sum(used_ns.values())
            self.assertLessEqual(abs(got - expected), within, f"{name}: share {got:.3f}, expected {expected:.3f}\n{profile.top()}")

    def assertUsed(self, got_s, expected_s, allowed_s, stolen_s, profile):
        """
        CPU time in the profile is what the kernel counted, but for allowed_s.
        A virtual machine's kernel takes stolen time off what it charges to tasks, but not off what events count
        (kernel/sched/core.c, update_rq_clock_task), so by that much the profile may say more.
        """
        self.assertTrue(-allowed_s <= got_s - expected_s <= allowed_s + stolen_s,
                        f"profile {got_s:.3f} s, kernel {expected_s:.3f} s, stolen {stolen_s:.2f} s\n"
                        f"{profile.top()}\n{profile.comments}")

    def assertTotal(self, profile, result, within=0.03, slack_s=0.02):
        """The profile's total is what the kernel counted. slack_s: the wrapper's own start, which is no part of the target."""
        self.assertUsed(profile.total_s(), result.cpu_s, within * result.cpu_s + slack_s, result.stolen_s, profile)

    def assertComplete(self, profile, at_least=0.99, where=lambda stack, labels: True, samples=300, deviations=0):
        """
        Which stacks are not complete is chance, so that in N samples their number scatters around its average by the root of that. A program
        right at the limit may have some such deviations more.
        """
        count = profile.count(where)
        self.assertGreaterEqual(count, samples, f"too few samples to judge\n{profile.top()}")
        cut = (1 - at_least) * count
        self.assertLessEqual((1 - profile.complete_share(where)) * count, cut + deviations * math.sqrt(cut),
                             f"complete {profile.complete_share(where):.4f} of {count}\n{profile.incomplete_top()}\n{profile.comments}")


def paranoid():
    return int(pathlib.Path("/proc/sys/kernel/perf_event_paranoid").read_text())


def can_profile(user):
    return user.privileged or paranoid() <= 2


def setUpModule():
    """Imported into every test module: nothing there makes sense where events cannot be opened."""
    for user in USERS:
        require("perf", can_profile(user), f"perf_event_paranoid is {paranoid()}: {user} may not profile")
    if IS_ROOT:
        require_tool("setpriv")


class _Runner(unittest.TextTestRunner):
    def run(self, test):
        result = super().run(test)
        if result.wasSuccessful() and result.testsRun == len(result.skipped):
            sys.exit(SKIPPED)
        return result


def main():
    global paths
    parser = argparse.ArgumentParser()
    parser.add_argument("--ringside", required=True, type=os.path.abspath)
    parser.add_argument("--fixtures", required=True, type=os.path.abspath)
    parser.add_argument("--tools", required=True, type=os.path.abspath)
    paths, rest = parser.parse_known_args()
    unittest.main(module="__main__", argv=[sys.argv[0], "-v", *rest], testRunner=_Runner)
