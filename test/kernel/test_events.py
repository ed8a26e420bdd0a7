#!/usr/bin/env python3
"""Events other than CPU time: what a profile adds up to is what happened, by the kernel's count or the program's own."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from harness import (IS_ROOT, ME, ORDINARY, KernelTest, base_folder, each_user, fixture, load_checked, main, new_folder, paranoid,
                     require, require_tool, ringside, run, wait_for, wait_profilers_gone, setUpModule)  # noqa: F401 (for unittest)

WITHIN = 0.02
TRACEFS = "/sys/kernel/tracing"
LIBC = "/lib/x86_64-linux-gnu/libc.so.6"
LOST = "[samples lost]"
FITS_A_RING = "3200", "4"  # of countable, in samples of 4096 bytes each: none is lost, whenever the profiler gets its turn


# ---- what this machine has ----

def with_tracefs(argv):
    """A command with tracefs in its place, for itself alone where it is not there for all."""
    if os.path.exists(f"{TRACEFS}/events"):
        return list(argv)
    return ["unshare", "-m", "sh", "-c", f'mount -t tracefs tracefs {TRACEFS} && exec "$@"', "sh", *argv]


def need_tracefs(file="events"):
    require("tracefs", IS_ROOT, "tracepoints and probes take root")
    require("tracefs", run(with_tracefs(["test", "-e", f"{TRACEFS}/{file}"])).status == 0, f"no {TRACEFS}/{file} here")


def defined_probes():
    """Ringside's, on the kernel's list."""
    return re.findall(r"ringside/\S+", run(with_tracefs(["cat", f"{TRACEFS}/uprobe_events"])).out)


def libc_that_is_used():
    """The file that has malloc, as the dynamic linker names it."""
    lines = subprocess.run(["ldd", fixture("countable")], capture_output=True, text=True, check=True).stdout
    return re.search(r"libc\.so\.6 => (\S+)", lines).group(1)


def lets_count_in_kernel(user):
    return user.privileged or paranoid() <= 1


# ---- running ----

class Counted:
    """One profile's sums by sample type, and by type and function."""

    def __init__(self, *files):
        self.types, self.samples, self.comments = {}, [], []
        for file in map(str, files):
            profile = load_checked(file)
            self.types = {kind: i for i, (kind, _) in enumerate(profile.sample_types)}
            self.samples += profile.samples
            self.comments += profile.comments

    def total(self, kind, where=lambda sample: True):
        return sum(sample.values[self.types[kind]] for sample in self.samples if where(sample))

    def of(self, kind, function):
        return self.total(kind, lambda sample: function in sample.frames)

    def __repr__(self):
        rows = [f"{kind}: {self.total(kind)}, lost {self.of(kind, LOST)}" for kind in self.types]
        return "\n".join(rows + self.comments)


def numbers(text):
    return {name: int(n) for name, n in re.findall(r"\b(\w+)=(\d+)", text)}


def count(events, argv, user=ME, tracefs=False):
    """(profile, what the command said of itself, Result) of a command that must have ended well."""
    output = new_folder(user) / "events.pb.gz"
    command = [ringside(), "-e", events, "-O", output, *argv]
    result = run(with_tracefs(command) if tracefs else command, user)
    if result.status != 0:
        raise AssertionError(f"{events}: {result}")
    return Counted(output), numbers(result.out), result


class EventTest(KernelTest):
    def assertCounted(self, got, expected, profile, within=WITHIN, slack=0):
        self.assertLessEqual(abs(got - expected), within * expected + slack, f"{got} in the profile, {expected} in truth\n{profile}")


class PageFaults(EventTest):
    @each_user
    def test_all_are_in_the_profile_at_any_rate(self, user):
        for rate in ("", "period=7", "period=1009"):
            with self.subTest(rate=rate):
                profile, truth, _ = count(f"sPF {rate}", [fixture("countable"), "faults", "200000"], user)
                self.assertCounted(profile.total("page_faults"), truth["faults"], profile)
                # nobody waits for the profiler here: what its rings have no room for is shown as lost, and no more than that
                self.assertCounted(profile.of("page_faults", "touch_pages") + profile.of("page_faults", LOST), 200000, profile)
                if rate != "period=7":
                    self.assertGreater(profile.of("page_faults", "touch_pages"), 100000, profile)

    @each_user
    def test_all_are_there_where_the_kernel_adjusts_the_period(self, user):
        profile, truth, _ = count("sPF freq=999", [fixture("countable"), "faults", "200000", "10"], user)
        self.assertCounted(profile.total("page_faults"), truth["faults"], profile)

    @each_user
    def test_those_of_many_short_processes_are_under_their_names(self, user):
        profile, truth, _ = count("sPF;sPFMAJ;sPFMIN period=211", [fixture("countable"), "faults", "60000", "500"], user)
        self.assertCounted(profile.total("page_faults"), truth["faults"], profile, within=0.04)  # rusage has the kernel's at fork, too
        self.assertCounted(profile.total("minor_faults"), profile.total("page_faults"), profile)
        self.assertGreater(profile.total("page_faults", lambda s: s.labels.get("process_name") == "countable"), 59000)

    def test_periods_add_up_to_the_run(self):
        """What a period could not show yet is in a later one, and nothing is there twice."""
        for events in ("sPF", "sPF period=11;sCPU"):
            with self.subTest(events=events):
                folder = new_folder() / "profiles"
                result = run([ringside(), "--wait", "-u", "1", "-e", events, "-O", f"{folder}/",
                              fixture("countable"), "faults", "2500000", "3"])
                self.assertEqual(result.status, 0, result)
                files = sorted(folder.iterdir())
                self.assertGreater(len(files), 1)
                profile = Counted(*files)
                self.assertCounted(profile.total("page_faults"), numbers(result.out)["faults"], profile)
    def test_a_tree_of_commands_has_what_perf_stat_says_of_the_same_run(self):
        """How often forks and execs fault is not the same in two runs."""
        perf = require_tool("perf", "perf-tool")
        release = tuple(map(int, re.match(r"(\d+)\.(\d+)", os.uname().release).groups()))
        require("kernel-6.13", release >= (6, 13), "before 6.13 the kernel mixes up the counts of two that count the same tasks")
        script = ("i=0; while [ $i -lt 60 ]; do sh -c '(head -c 20000 /dev/zero | gzip -c >/dev/null; :); cat /proc/self/stat >/dev/null'; "
                  "i=$((i+1)); done")
        for events in ("sPF;sDUM", "sCPU;sCS;sPF;sMig"):
            with self.subTest(events=events):
                said = new_folder() / "stat"
                profile, _, _ = count(events, [perf, "stat", "-x,", "-e", "page-faults,context-switches", "-o", said, "sh", "-c", script])
                faults, switches = (int(n) for n in re.findall(r"^(\d+),", said.read_text(), re.M))

                def of_the_tree(sample):
                    return sample.labels.get("process_name") != "perf"

                self.assertCounted(profile.total("page_faults", of_the_tree), faults, profile)
                if "sCS" in events:
                    self.assertCounted(profile.total("context_switches", of_the_tree), switches, profile, slack=10)


class Switches(EventTest):
    def test_all_are_in_the_profile(self):
        require("paranoid", lets_count_in_kernel(ME), f"perf_event_paranoid is {paranoid()}")
        for rate in ("", "period=3", "freq=999"):
            with self.subTest(rate=rate):
                profile, truth, _ = count(f"sCS {rate}", ["taskset", "1", fixture("countable"), "switches", "20000"])
                self.assertCounted(profile.total("context_switches"), truth["switches"], profile)

    def test_they_are_refused_by_name_where_not_permitted_and_the_command_runs(self):
        require("paranoid", not lets_count_in_kernel(ORDINARY), f"perf_event_paranoid is {paranoid()}")
        output = new_folder(ORDINARY) / "out.pb.gz"
        result = run([ringside(), "-e", "sCS", "-O", output, "echo", "ran"], ORDINARY)
        self.assertEqual((result.status, result.out), (0, "ran\n"))
        self.assertIn("sCS: ", result.err)
        self.assertIn("perf_event_paranoid", result.err)
        self.assertFalse(output.exists())
        profile, _, result = count("sCS;sPF;sMig", [fixture("countable"), "faults", "20000"], ORDINARY)
        self.assertEqual(list(profile.types), ["page_faults"])


class Several(EventTest):
    def test_counts_of_one_event_do_not_end_up_with_another(self):
        """The kernel swaps counts of tasks that have the same events; a shell and its children do it all the time."""
        require("paranoid", lets_count_in_kernel(ME), f"perf_event_paranoid is {paranoid()}")
        for events in ("sCPU;sCS;sPF;sMig", "sPF;sCPU", "sMig;sCS;sCPU;sPF"):
            with self.subTest(events=events):
                profile, truth, result = count(events, ["sh", "-c", f"{fixture('countable')} faults 100000 300; :"])
                self.assertCounted(profile.total("page_faults"), truth["faults"], profile, within=0.04)
                self.assertCounted(profile.total("cpu"), result.cpu_s * 1e9, profile, within=0.03, slack=3e7 + result.stolen_s * 1e9)
                if "sCS" in events:
                    self.assertLess(profile.total("context_switches"), 20000, profile)

    @each_user
    def test_nothing_goes_missing_where_many_processes_end_at_once(self, user):
        """Counts of tasks that end on two processors at once, in a ring of samples: the kernel then shows nothing more of it."""
        script = "for k in 1 2 3 4; do (i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i+1)); done) & done; wait"
        for events in ("sPF", "sPF;sCPU;sPFMIN"):
            with self.subTest(events=events):
                seen = []
                for _ in range(8):
                    profile, _, _ = count(events, ["sh", "-c", script], user)
                    seen.append(profile.total("page_faults", lambda sample: sample.labels.get("process_name") == "true"))
                self.assertGreater(min(seen), 800 * 20, "faults of 800 processes")
                self.assertGreater(min(seen), (1 - WITHIN) * max(seen), seen)

    def test_what_the_machine_does_not_have_is_left_out(self):
        listed = run([ringside(), "-e", "help"]).out
        refused = re.search(r"hCPU .*\n\s+no: (.*)", listed)
        require("no-counters", refused, "this machine has a counter of cycles")
        profile, _, result = count("hCPU;sPF;hINST", [fixture("countable"), "faults", "20000"])
        self.assertEqual(list(profile.types), ["page_faults"])
        self.assertIn("hCPU: " + refused.group(1), result.err)
        output = new_folder() / "out.pb.gz"
        result = run([ringside(), "-e", "hCPU;hINST", "-O", output, "sh", "-c", "echo ran; exit 3"])
        self.assertEqual((result.status, result.out), (3, "ran\n"))
        self.assertIn("profiling is off: hCPU: ", result.err)
        self.assertFalse(output.exists())

    @each_user
    def test_each_preset_runs(self, user):
        for preset, kind in (("default", "cpu"), ("cpu_only", "cpu"), ("faults", "page_faults"), ("sched", "cpu"), ("io", "major_faults")):
            with self.subTest(preset=preset):
                output = new_folder(user) / "out.pb.gz"
                result = run([ringside(), "--preset", preset, "-O", output, fixture("countable"), "faults", "20000"], user)
                self.assertEqual(result.status, 0, result)
                self.assertIn(kind, Counted(output).types)


class Tracepoints(EventTest):
    def setUp(self):
        super().setUp()
        need_tracefs("events/raw_syscalls/sys_enter/id")

    def test_weighed_by_an_argument(self):
        for weight in ("arg=3", "field=args[2]", "reg=rdx"):
            with self.subTest(weight=weight):
                events = f"raw_syscalls:sys_enter {weight} label=asked unit=bytes stack_sample_size=4096"
                profile, truth, _ = count(events, [fixture("countable"), "writes", *FITS_A_RING], tracefs=True)
                # what other calls have in the register is anything; those of the function are known
                self.assertCounted(profile.of("asked", "write_bytes"), truth["bytes"], profile)

    def test_weighed_by_a_field_of_one_call(self):
        profile, truth, _ = count("syscalls:sys_enter_write field=count label=written unit=bytes stack_sample_size=4096",
                                  [fixture("countable"), "writes", "20000", "4"], tracefs=True)
        self.assertCounted(profile.total("written"), truth["bytes"], profile)

    def test_each_hit_is_counted(self):
        profile, truth, _ = count("syscalls:sys_enter_write stack_sample_size=4096", [fixture("countable"), "writes", "20000", "4"],
                                  tracefs=True)
        self.assertCounted(profile.total("syscalls_sys_enter_write"), truth["calls"], profile)

    def test_all_system_calls_are_as_many_as_perf_stat_says(self):
        perf = require_tool("perf", "perf-tool")
        said = new_folder() / "stat"
        argv = [fixture("countable"), "writes", "20000", "4"]
        result = run(with_tracefs([perf, "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", str(said), *argv]))
        require("perf-tool", result.status == 0, f"perf stat does not work here: {result.err}")
        truth = int(re.search(r"^(\d+),", said.read_text(), re.M).group(1))
        for rate in ("stack_sample_size=4096", "period=17"):
            with self.subTest(rate=rate):
                profile, _, _ = count(f"raw_syscalls:sys_enter label=calls {rate}", argv, tracefs=True)
                self.assertCounted(profile.total("calls"), truth, profile)


class Probes(EventTest):
    def setUp(self):
        super().setUp()
        need_tracefs("uprobe_events")
        require("probes", os.path.exists("/sys/bus/event_source/devices/uprobe"), "this kernel has no uprobes")
        self.libc = libc_that_is_used()

    def test_sizes_of_all_threads_and_processes_add_up(self):
        """Both threads and children: an event of the uprobe PMU, inherited, makes pthread_create and fork fail."""
        profile, truth, _ = count(f"uprobe:{self.libc}:malloc arg=1 label=malloced unit=bytes stack_sample_size=4096",
                                  [fixture("countable"), "mallocs", *FITS_A_RING], tracefs=True)
        self.assertCounted(profile.of("malloced", "allocate"), truth["bytes"], profile)
        self.assertCounted(profile.total("malloced"), truth["bytes"], profile)
        self.assertEqual(defined_probes(), [])

    def test_returns_are_as_many_as_calls(self):
        profile, truth, _ = count(f"uprobe:{self.libc}:malloc label=in stack_sample_size=4096; "
                                  f"uretprobe:{self.libc}:malloc label=out stack_sample_size=4096; sPF",
                                  [fixture("countable"), "mallocs", "10000", "4"], tracefs=True)
        self.assertCounted(profile.total("in"), truth["calls"], profile)
        self.assertCounted(profile.total("out"), truth["calls"], profile)
        self.assertEqual(defined_probes(), [])

    def test_a_longer_period_is_exact_in_the_count(self):
        profile, truth, _ = count(f"uprobe:{self.libc}:malloc label=calls period=50",
                                  [fixture("countable"), "mallocs", "20000", "4"], tracefs=True)
        self.assertCounted(profile.total("calls"), truth["calls"], profile)

    def test_without_tracefs_the_first_thread_is_probed_and_nothing_breaks(self):
        require("no-tracefs", not os.path.exists(f"{TRACEFS}/events"), "tracefs is mounted for all")
        profile, truth, result = count(f"uprobe:{self.libc}:malloc arg=1 label=malloced stack_sample_size=4096; sPF",
                                       [fixture("countable"), "mallocs", *FITS_A_RING])
        self.assertIn("first thread", result.err)
        first = truth["bytes"] / 8
        self.assertCounted(profile.of("malloced", "allocate"), first, profile)
        self.assertGreater(profile.total("page_faults"), 100)

    def test_an_ordinary_user_is_told_what_it_takes(self):
        result = run([ringside(), "-e", f"uprobe:{self.libc}:malloc", "-O", new_folder(ORDINARY) / "o.pb.gz", "echo", "ran"], ORDINARY)
        self.assertEqual((result.status, result.out), (0, "ran\n"))
        self.assertIn("CAP_SYS_ADMIN", result.err)


class Redis(EventTest):
    def test_what_a_running_redis_allocates(self):
        need_tracefs("uprobe_events")
        require("redis", shutil.which("redis-benchmark") and shutil.which("redis-check-rdb"), "no redis here (package redis-tools)")
        counter = pathlib.Path(fixture("countable")).parent / "count_malloc.so"
        require("fixtures", counter.exists(), "fixture count_malloc.so was not built")
        libc, folder = libc_that_is_used(), new_folder()
        (folder / "redis-server").symlink_to(shutil.which("redis-check-rdb"))
        socket, said = folder / "socket", folder / "said"
        # Debian's redis allocates with jemalloc, unless libc comes first.
        server = self.start(with_tracefs([
            ringside(), "--nice", "-20", "-S", "redis", "-e", f"uprobe:{libc}:malloc arg=1 label=malloced unit=bytes stack_sample_size=4096",
            "-O", f"{folder}/profiles/", "env", f"COUNT_MALLOC={said}", f"LD_PRELOAD={counter}:{libc}",
            folder / "redis-server", "--port", "0", "--unixsocket", socket, "--save", ""]))
        wait_for(lambda: "PONG" in run(["redis-cli", "-s", socket, "ping"]).out, "redis to answer")
        load = run(["redis-benchmark", "-s", socket, "-q", "-n", "20000", "-d", "200", "-c", "10", "-t", "set,lpush"])
        self.assertEqual(load.status, 0, load)
        run(["redis-cli", "-s", socket, "shutdown", "nosave"])
        self.assertEqual(server.wait().status, 0)
        wait_profilers_gone()
        truth = numbers(said.read_text())
        profile = Counted(*(folder / "profiles").iterdir())
        self.assertGreater(truth["calls"], 100000)
        self.assertCounted(profile.total("malloced"), truth["bytes"], profile)
        self.assertEqual(defined_probes(), [])


if __name__ == "__main__":
    main()
