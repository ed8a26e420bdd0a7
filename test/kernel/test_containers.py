#!/usr/bin/env python3
"""Ringside as a container's entry point, and what a container may lack: files, folders, memory, processes, system calls, capabilities."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import textwrap

from container import Container, ControlGroup, require_containers, small_disk
from harness import (IS_ROOT, KERNEL_NOT_PERMITTED, ME, ORDINARY, KernelTest, Profile, can_profile, each_user, fixture, main,
                     kill_all, new_folder, profilers, python3, require, require_tool, ringside, run, tool, wait_for,
                     wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule is for unittest)
from pprof_read import OTHER_RIGHTS
from test_launch import MAKES_ORPHANS, WAITS_FOR_SIGNAL

WORK_MS = 400
OPTIONS = ["--frequency", "199", "-S", "shop"]
FINE = ["--frequency", "1999", "-S", "shop"]  # where shares are judged: by chance those of 400 ms are 2 points off, not 6
INSIDE = "/app/ringside"


def used_s(text):
    """CPU time by the kernel's account, which a fixture prints at its end."""
    return sum(int(ns) for ns in re.findall(r"cpu_ns=(\d+)", text)) / 1e9


def shape_options(folder):
    """The ways to run, by name, with profiles in `folder` (as the command sees it)."""
    return {"parent": ["-O", f"{folder}/shop.pb.gz"], "wait": ["--wait", "-O", f"{folder}/"], "service": ["-O", f"{folder}/"]}


class ContainerTest(KernelTest):
    """Checks after each test that nothing of its containers is left; KernelTest does for the profilers."""

    def setUp(self):
        super().setUp()
        self.containers = []
        for name in ("split", "kernelburn"):
            fixture(name)
        ringside()

    def container(self, user=ME, **more):
        require_containers(user)
        container = Container(user, **more)
        self.containers.append(container)
        return container

    def with_output(self, user=ME, **more):
        """A container and what its /out is outside."""
        folder = new_folder(user)
        return self.container(user, mounts={"/out": folder}, **more), folder

    def tearDown(self):
        super().tearDown()
        for container in self.containers:
            wait_for(lambda: not container.processes(), "every process of the container to end")
        with open("/proc/self/mountinfo") as mounts:
            self.assertNotIn("/root-", re.sub(r"^((?!ringside-test).)*$", "", mounts.read(), flags=re.M), "a mount is left")
        with self.assertRaises(ChildProcessError, msg="a child is left"):
            os.waitpid(-1, os.WNOHANG)

    def run_in(self, container, command, **more):
        return run(container.argv(command), container.user, env=container.env, **more)

    def start_in(self, container, command):
        return self.start(container.argv(command), container.user, env=container.env)

    def assertProfiled(self, folder, result, status=0, within=0.05):
        """What the command used, by its own account, is what the profiles in the folder come to; and there is nothing else."""
        self.assertEqual(result.status, status, result)
        files = wait_for(lambda: sorted(folder.glob("shop*.pb.gz")), f"a profile in {os.listdir(folder)}\n{result}")
        wait_profilers_gone()
        self.assertEqual([name for name in os.listdir(folder) if not re.fullmatch(r"shop.*\.pb\.gz", name)], [], "nothing else is left")
        profile = Profile(*files)
        expected, got = used_s(result.out), profile.total_s()
        self.assertGreater(expected, 0, result)
        self.assertUsed(got, expected, within * expected + 0.05, result.stolen_s, profile)
        return profile


class EntryPoint(ContainerTest):
    """As process 1."""

    @each_user
    def test_parent_shapes_write_the_profile_before_they_end(self, user):
        for shape in ("parent", "wait"):
            with self.subTest(shape=shape):
                container, folder = self.with_output(user)
                result = self.run_in(container, [INSIDE, *OPTIONS, *shape_options("/out")[shape], "sh", "-c", f"/app/split {WORK_MS}; exit 7"])
                self.assertEqual(len(list(folder.glob("shop*.pb.gz"))), 1, f"it is there when process 1 ends\n{result}")
                self.assertProfiled(folder, result, 7)
                self.assertEqual(result.err, "")

    @each_user
    def test_service_is_process_1_itself_and_whole_periods_are_kept(self, user):
        """The last period is lost: with process 1 the kernel ends everything at once."""
        container, folder = self.with_output(user)
        result = self.run_in(container, [INSIDE, *OPTIONS, "-u", "1", "-O", "/out/", "sh", "-c", "echo $$; exec /app/split 2500"])
        self.assertIn("--wait", result.err)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        self.assertEqual((result.status, result.out.split()[0]), (0, "1"), result)
        files = sorted(folder.glob("shop*.pb.gz"))
        self.assertGreaterEqual(len(files), 1, os.listdir(folder))
        profile = Profile(*files)
        lost = used_s(result.out) - profile.total_s()
        self.assertLess(lost, 2, "one period at most, and what a slow machine takes to write one")

    def test_service_of_who_decided_so_is_silent(self):
        container, _ = self.with_output()
        result = self.run_in(container, [INSIDE, *OPTIONS, "--no-wait", "-O", "/out/", "sh", "-c", "exit 5"])
        self.assertEqual((result.status, result.err), (5, ""), result)

    def test_service_ends_like_the_command_alone(self):
        """Process 1 gets no signal it has no handler for, and one it has."""
        for prefix in ([], [INSIDE, *OPTIONS, "-O", "/out/"]):
            with self.subTest(prefix=prefix[:1]):
                container, _ = self.with_output()
                command, pid = self.start_waiting(container, prefix, [signal.SIGUSR1])
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGUSR1)
                self.assertEqual(command.wait(30).status, signal.SIGUSR1, "SIGTERM does nothing, SIGUSR1 is handled")

    def start_waiting(self, container, prefix, numbers):
        """A command that says which signal it got, and its process 1 as seen from outside."""
        command = self.start_in(container, [*prefix, python3(container.user), "-c", WAITS_FOR_SIGNAL, *[str(int(n)) for n in numbers]])
        wait_for(lambda: "ready" in command.text("stdout") or command.process.poll() is not None, "the command to run")
        first = [pid for pid in container.processes() if re.search(r"^NSpid:.*\t1$", status_text(pid), re.M)]
        self.assertEqual(len(first), 1, command.text("stderr"))
        return command, first[0]

    @each_user
    def test_signals_reach_the_command_through_process_1(self, user):
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH]
        for number in numbers:
            with self.subTest(signal=number):
                container, folder = self.with_output(user)
                command, pid = self.start_waiting(container, [INSIDE, *OPTIONS, "--wait", "-O", "/out/"], numbers)
                os.kill(pid, number)
                self.assertEqual(command.wait(30).status, number)
                Profile(*folder.glob("shop*.pb.gz"))

    def test_signals_end_a_command_that_has_no_handler(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM):
            with self.subTest(signal=number):
                container, folder = self.with_output()
                # Python has its own for SIGINT, so something plainer.
                script = "ulimit -c 0; echo ready; exec sleep 1000"
                command = self.start_in(container, [INSIDE, *OPTIONS, "--wait", "-O", "/out/", "sh", "-c", script])
                wait_for(lambda: "ready" in command.text("stdout"), "the command to run")
                pid = next(pid for pid in container.processes() if re.search(r"^NSpid:.*\t1$", status_text(pid), re.M))
                wait_for(lambda: any(comm(p) == "sleep" for p in container.processes()), "sleep to run")
                os.kill(pid, number)
                self.assertEqual(command.wait(30).status, 128 + number)
                Profile(*folder.glob("shop*.pb.gz"))

    def test_stopped_container_has_its_last_profile(self):
        """As "docker stop": SIGTERM to process 1, and 10 s to end in."""
        container, folder = self.with_output()
        command = self.start_in(container, [INSIDE, *OPTIONS, "-u", "3600", "--wait", "-O", "/out/", "/app/split", "100000"])
        wait_for(lambda: any(comm(p) == "split" and cpu_of(p) > 0.5 for p in container.processes()), "half a second of work")
        os.kill(next(pid for pid in container.processes() if re.search(r"^NSpid:.*\t1$", status_text(pid), re.M)), signal.SIGTERM)
        self.assertEqual(command.wait(10).status, 128 + signal.SIGTERM)
        self.assertGreater(Profile(*folder.glob("shop*.pb.gz")).total_s(), 0.4)

    def test_thousands_of_orphans_are_reaped(self):
        container, folder = self.with_output()
        result = self.run_in(container, [INSIDE, *OPTIONS, "--wait", "-O", "/out/", python3(), "-c", MAKES_ORPHANS, "3000"])
        self.assertEqual((result.status, result.out.split()), (5, ["1", "3000", "0"]), result)
        Profile(*folder.glob("shop*.pb.gz"))

    def test_what_the_command_leaves_behind_does_not_hold_the_container(self):
        container, folder = self.with_output()
        script = f"sleep 1000 & /app/split {WORK_MS}; exit 3"
        result = self.run_in(container, [INSIDE, *OPTIONS, "--wait", "-O", "/out/", "sh", "-c", script], timeout=60)
        self.assertProfiled(folder, result, 3)


def status_text(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/status").read_text()
    return ""


def comm(pid):
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()


def cpu_of(pid):
    with contextlib.suppress(OSError):
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0


# Process 1 that is none of ours: runs the command, reaps, and stays for what goes on after that.
INIT = textwrap.dedent("""
    import os, sys
    command, status = os.fork(), None
    if command == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    try:
        while True:
            pid, code = os.wait()
            if pid == command:
                status = os.waitstatus_to_exitcode(code)
    except ChildProcessError:
        sys.exit(status)
""")


def under_init(command):
    return [python3(), "-c", INIT, *command]


class FileSystem(ContainerTest):
    @each_user
    def test_read_only_root_without_folders_for_anything(self, user):
        """No /tmp, /var, /home, /run, /dev/shm; no HOME."""
        for shape, options in shape_options("/out").items():
            with self.subTest(shape=shape):
                container, folder = self.with_output(user)
                result = self.run_in(container, under_init([INSIDE, *OPTIONS, *options, "/app/split", WORK_MS]))
                self.assertProfiled(folder, result)
                self.assertEqual(result.err, "")

    def test_disk_of_a_megabyte(self):
        with small_disk("1m") as folder:
            container = self.container(mounts={"/out": folder})
            result = self.run_in(container, [INSIDE, *OPTIONS, "--wait", "-O", "/out/", "/app/split", WORK_MS])
            self.assertProfiled(folder, result)

    @each_user
    def test_nowhere_to_keep_what_is_sent(self, user):
        """No spool can be made: requests wait in memory, and the command's status and output are its own."""
        container = self.container(user)
        result = self.run_in(container, [INSIDE, *OPTIONS, "--wait", "-U", "put+http://127.0.0.1:9/p/", "--flush-timeout", "1s", "sh", "-c",
                                         f"/app/split {WORK_MS}; exit 3"])
        self.assertEqual(result.status, 3, result)
        self.assertGreater(used_s(result.out), 0)

    @each_user
    def test_device_files_missing(self, user):
        for shape, options in shape_options("/out").items():
            with self.subTest(shape=shape):
                container, folder = self.with_output(user, dev=False)
                result = self.run_in(container, under_init([INSIDE, *OPTIONS, *options, "/app/split", WORK_MS]))
                self.assertProfiled(folder, result)
                self.assertEqual(result.err, "")

    def test_output_is_let_go_without_device_files(self):
        """Whoever reads the command's output sees its end, though the profiler still works."""
        container, _ = self.with_output(dev=False)
        with subprocess.Popen(container.argv(under_init([INSIDE, *OPTIONS, "-O", "/out/", python3(), "-c", LEAVES_SLEEPER])), env=container.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            # Process 1 has it, too.
            self.assertEqual(process.stdout.read(5), b"gone\n")
            sleeper = wait_for(lambda: next((pid for pid in container.processes() if comm(pid) == "sleeper"), None), "what is left behind")
            holders = [comm(pid) for pid in container.processes() if holds(pid, f"pipe:[{os.fstat(process.stdout.fileno()).st_ino}]")]
            os.kill(sleeper, signal.SIGKILL)
            self.assertEqual(process.wait(30), 0)
        self.assertNotIn("ringside", holders)


# Ends, and leaves a process that holds nothing.
LEAVES_SLEEPER = textwrap.dedent("""
    import os, time
    if os.fork() == 0:
        os.closerange(0, 100)
        open("/proc/self/comm", "w").write("sleeper")
        time.sleep(1000)
    print("gone", flush=True)
""")


def holds(pid, name):
    with contextlib.suppress(OSError):
        return name in [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]


class Proc(ContainerTest):
    MASKED = textwrap.dedent("""
        for path in kcore keys latency_stats timer_list sched_debug; do [ -e proc/$path ] && mount --bind dev/null proc/$path || true; done
        for path in bus fs irq sys; do [ -d proc/$path ] && mount --bind proc/$path proc/$path && mount -o remount,bind,ro proc/$path || true; done
        [ -d proc/acpi ] && mount -t tmpfs -o ro none proc/acpi || true
        [ -d proc/scsi ] && mount -t tmpfs -o ro none proc/scsi || true
    """)
    SURROUNDINGS = {
        "hidepid=2": {"proc": "hidepid=2"},
        "subset=pid": {"proc": "subset=pid"},
        "both": {"proc": "hidepid=2,subset=pid"},
        "masked as engines do": {"extra": MASKED},
        "no /proc/sys": {"extra": "mount -t tmpfs -o ro none proc/sys"},
        "no /proc": {"proc": None},
    }

    @each_user
    def test_profile_is_right(self, user):
        for name, surroundings in self.SURROUNDINGS.items():
            for shape, options in shape_options("/out").items():
                if shape == "wait":
                    continue
                with self.subTest(surroundings=name, shape=shape):
                    container, folder = self.with_output(user, **surroundings)
                    result = self.run_in(container, under_init([INSIDE, *FINE, *options, "/app/split", WORK_MS]))
                    profile = self.assertProfiled(folder, result)
                    self.assertSplit(profile, result, 0.15)
                    self.assertEqual(result.err, "")


# What engines leave to root in a container.
ENGINE_CAPABILITIES = ("chown dac_override fsetid fowner mknod net_raw setgid setuid setfcap setpcap net_bind_service sys_chroot kill "
                       "audit_write").split()


class EngineDefaults(ContainerTest):
    """The system call filter and the capabilities of Docker and its like."""

    def confined(self, kind, capabilities, user=ME):
        sets = ",".join(["-all", *[f"+{name}" for name in capabilities]])
        inside = ["/app/helper_engine_filter", kind, "setpriv", f"--bounding-set={sets}", f"--inh-caps={sets}"]
        tool("helper_engine_filter")
        return self.with_output(user, inside=inside)

    @each_user
    def test_without_the_capability_the_command_runs_and_a_message_says_why(self, user):
        for kind in ("new", "old"):
            for shape, options in shape_options("/out").items():
                with self.subTest(kind=kind, shape=shape):
                    container, folder = self.confined(kind, ENGINE_CAPABILITIES, user)
                    result = self.run_in(container, [INSIDE, *OPTIONS, *options, "sh", "-c", "echo ran; exit 4"])
                    self.assertEqual((result.status, result.out), (4, "ran\n"), result)
                    self.assertEqual(len(result.err.splitlines()), 1, result)
                    self.assertIn("perf_event_open", result.err)
                    self.assertEqual(os.listdir(folder), [])

    @each_user
    def test_with_the_capability_all_of_it_works(self, user):
        for shape, options in shape_options("/out").items():
            with self.subTest(shape=shape):
                container, folder = self.confined("new+perf", [*ENGINE_CAPABILITIES, "perfmon"], user)
                result = self.run_in(container, under_init([INSIDE, *OPTIONS, *options, "/app/kernelburn", WORK_MS]))
                profile = self.assertProfiled(folder, result)
                self.assertEqual(result.err, "")
                if user.privileged:
                    self.assertEqual(profile.frame_s(KERNEL_NOT_PERMITTED), 0, "the kernel's frames are there")

    def test_filter_of_ones_own_without_the_capability(self):
        """The other way: perf_event_open among what the profile allows, and perf_event_paranoid at most 2."""
        require("perf", can_profile(ORDINARY), "an ordinary user may not profile here")
        container, folder = self.confined("new+perf", ENGINE_CAPABILITIES)
        result = self.run_in(container, under_init([INSIDE, *OPTIONS, "-O", "/out/", "/app/split", WORK_MS]))
        self.assertProfiled(folder, result)

    def test_capability_for_the_start_only(self):
        container, folder = self.confined("new+perf", [*ENGINE_CAPABILITIES, "perfmon"])
        result = self.run_in(container, [INSIDE, *OPTIONS, "--drop-caps", "--wait", "-O", "/out/", "sh", "-c",
                                         f"grep ^Cap /proc/self/status; /app/kernelburn {WORK_MS}"])
        self.assertProfiled(folder, result)
        for name, digits in re.findall(r"^(Cap\w+):\s+(\w+)", result.out, re.M):
            self.assertEqual(int(digits, 16) & (1 << 21 | 1 << 38), 0, name)


class MinimalRoot(ContainerTest):
    """Nothing but the command, Ringside and the libraries it names: no shell, no accounts, no device files, no /proc."""

    @each_user
    def test_static_command(self, user):
        command = "split.gcc-O2-nofp-static"
        fixture(command)
        needed = sorted(set(re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", ringside()], capture_output=True, text=True, check=True).stdout)))
        self.assertLessEqual(len(needed), 4, "the C library, its loader, and hardly anything else")
        libraries = "\n".join(f"mkdir -p .{os.path.dirname(path)}; : >.{path}; mount --bind {path} .{path}" for path in needed)
        for proc in (None, ""):
            for shape in ("parent", "wait"):
                with self.subTest(proc=proc, shape=shape):
                    container, folder = self.with_output(user, usr=False, dev=False, proc=proc, extra=libraries + "\nrmdir sys old")
                    result = self.run_in(container, [INSIDE, *FINE, *shape_options("/out")[shape], f"/app/{command}", WORK_MS])
                    profile = self.assertProfiled(folder, result)
                    self.assertEqual(result.err, "")
                    self.assertSplit(profile, result, 0.15)

    def test_without_the_c_library_it_needs_the_engine_s_message_is_all_there_is(self):
        """As on Alpine: the loader the program names is not there, which exec calls ENOENT."""
        container, folder = self.with_output(usr=False)
        result = self.run_in(container, [INSIDE, *OPTIONS, "-O", "/out/", "/app/split.gcc-O2-nofp-static", "1"])
        self.assertNotEqual(result.status, 0)
        self.assertEqual(os.listdir(folder), [])


class Limits(ContainerTest):
    """What a control group may take away."""

    def setUp(self):
        super().setUp()
        require("cgroup", IS_ROOT, "only root makes control groups here")

    def test_profiler_goes_before_the_command_where_memory_runs_out(self):
        """Of the group's two the kernel takes the one that asked for it (oom_score_adj), however little it has."""
        for megabytes in (16, 32):
            for shape in ("parent", "service"):
                with self.subTest(megabytes=megabytes, shape=shape), ControlGroup("memory") as group:
                    folder = new_folder()
                    group.limit(megabytes << 20)
                    command = [ringside(), *OPTIONS, *shape_options(folder)[shape], tool("helper_take_memory"), group.kills()]
                    result = run(group.argv(command))
                    self.assertEqual((result.status, result.out), (3, "done\n"), result)
                    wait_profilers_gone()
                    self.assertEqual([name for name in os.listdir(folder) if name.startswith(".")], [], "nothing half written")

    def test_too_few_processes_are_allowed(self):
        """First there is none for the profiler, then none for what it is made of, or for the parent's command."""
        profiled = set()
        for most in range(1, 8):
            for shape in ("parent", "wait", "service"):
                with self.subTest(most=most, shape=shape), ControlGroup("pids") as group:
                    folder = new_folder()
                    group.limit(most)
                    result = run(group.argv([ringside(), *OPTIONS, *shape_options(folder)[shape], fixture("split"), WORK_MS]), timeout=60)
                    self.assertEqual(result.status, 0, result)
                    self.assertGreater(used_s(result.out), 0.9 * WORK_MS / 1000, result)
                    wait_profilers_gone()
                    files = list(folder.glob("shop*.pb.gz"))
                    if files:
                        profiled.add(shape)
                        self.assertGreater(Profile(*files).total_s(), 0.8 * used_s(result.out))
                    else:
                        self.assertNotEqual(result.err, "", "a reason is given")
        self.assertEqual(profiled, {"parent", "wait", "service"}, "seven are enough")

    def test_share_of_a_processor(self):
        for shape, options in (("parent", "shop.pb.gz"), ("service", "")):
            with self.subTest(shape=shape), ControlGroup("cpu") as group:
                folder = new_folder()
                group.quota(0.3)
                result = run(group.argv([ringside(), *OPTIONS, "-O", f"{folder}/{options}", fixture("split"), WORK_MS]))
                self.assertProfiled(folder, result)


class OtherRights(ContainerTest):
    """Programs that exec gives more rights than their caller has: the kernel takes the events off them."""

    def program(self, source, how):
        path = new_folder() / how
        shutil.copy(source, path)
        if how == "set-user-id":
            path.chmod(0o4755)
        elif how == "set-group-id":
            path.chmod(0o2755)
        else:
            subprocess.run([require_tool("setcap"), "cap_net_raw+ep", path], check=True)
        return path

    def setUp(self):
        super().setUp()
        require("root", IS_ROOT, "only root makes such programs")

    HOWS = ("set-user-id", "set-group-id", "capability")

    def test_rights_are_as_without_ringside(self):
        for how in self.HOWS:
            for shape, options in shape_options(new_folder(ORDINARY)).items():
                with self.subTest(how=how, shape=shape):
                    program = self.program("/usr/bin/cat", how)
                    plain = run([program, "/proc/self/status"], ORDINARY)
                    under = run([ringside(), *OPTIONS, *options, program, "/proc/self/status"], ORDINARY)
                    keep = re.compile(r"^(?:Uid|Gid|Groups|Cap\w+|NoNewPrivs|Seccomp):.*$", re.M)
                    self.assertEqual(keep.findall(under.out), keep.findall(plain.out))
                    self.assertEqual(under.status, 0)
                    wait_profilers_gone()

    def run_to_the_last_word(self, argv):
        """The service shape's profiler may say something when the command has ended."""
        command = self.start(argv, ORDINARY)
        result = command.wait()
        wait_profilers_gone()
        result.err = command.text("stderr")
        return result

    def test_rest_of_the_tree_goes_on(self):
        for how in self.HOWS:
            for shape in ("parent", "service"):
                with self.subTest(how=how, shape=shape):
                    folder = new_folder(ORDINARY)
                    program, plain = self.program(fixture("split"), how), fixture("split")
                    script = f"{plain} {WORK_MS}; {program} {WORK_MS}; {plain} {WORK_MS}; exit 9"
                    result = self.run_to_the_last_word([ringside(), *OPTIONS, *shape_options(folder)[shape], "sh", "-c", script])
                    self.assertEqual((result.status, result.out.count("cpu_ns=")), (9, 3), result)
                    profile = Profile(*folder.glob("shop*.pb.gz"))
                    seen = profile.total_s(lambda stack, labels: labels.get("process_name") == "split")
                    self.assertAlmostEqual(seen, 2 * WORK_MS / 1000, delta=0.1 + result.stolen_s, msg=profile.top())
                    self.assertReported(program, result, profile)
                    if shape == "parent":  # which hears what everything used
                        self.assertAlmostEqual(profile.frame_s(OTHER_RIGHTS), WORK_MS / 1000, delta=0.1 + result.stolen_s, msg=profile.top())

    def test_command_of_its_own(self):
        for how in self.HOWS:
            for shape in ("parent", "service"):
                with self.subTest(how=how, shape=shape):
                    folder = new_folder(ORDINARY)
                    program = self.program(fixture("split"), how)
                    result = self.run_to_the_last_word([ringside(), *OPTIONS, *shape_options(folder)[shape], program, WORK_MS])
                    self.assertEqual((result.status, result.out.count("cpu_ns=")), (0, 1), result)
                    self.assertReported(program, result, Profile(*folder.glob("shop*.pb.gz")))

    def test_programs_that_may_not_be_read(self):
        folder, program = new_folder(ORDINARY), new_folder() / "unreadable"
        shutil.copy(fixture("split"), program)
        program.chmod(0o711)
        result = run([ringside(), *OPTIONS, "-O", folder / "shop.pb.gz", "sh", "-c", f"{program} {WORK_MS}; exit 9"], ORDINARY)
        self.assertEqual(result.status, 9, result)
        self.assertReported(program, result, Profile(folder / "shop.pb.gz"))

    def assertReported(self, program, result, profile):
        """Once, by name, and in the profile."""
        lines = result.err.splitlines()
        self.assertEqual(len(lines), 1, result)
        self.assertIn(program.name[:15], lines[0])
        self.assertEqual(profile.comment_number("unreadable)"), 1, profile.comments)


class Frozen(ContainerTest):
    """A profiler that has stopped: nobody may wait for it but a parent for its profile."""

    @each_user
    def test_service_does_not_notice(self, user):
        folder = new_folder(user)
        command = self.start([ringside(), *OPTIONS, "-O", f"{folder}/", "sh", "-c", f"echo up; {fixture('split')} {2 * WORK_MS}; exit 3"], user)
        wait_for(lambda: "up" in command.text("stdout"), "the command to run")
        stopped = profilers(but=[command.pid])
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            result = command.wait(60)
        finally:
            kill_all(stopped, signal.SIGCONT)
        self.assertEqual(result.status, 3, result)
        self.assertAlmostEqual(used_s(result.out), 2 * WORK_MS / 1000, delta=0.1)
        self.assertProfiled(folder, result, 3)


class UserNamespace(ContainerTest):
    @each_user
    def test_root_without_rights_outside(self, user):
        container, folder = self.with_output(user, user_namespace=True)
        result = self.run_in(container, [INSIDE, *OPTIONS, "--wait", "-O", "/out/", "sh", "-c", f"id -u; /app/split {WORK_MS}"])
        self.assertEqual(result.out.split()[0], "0", result)
        self.assertProfiled(folder, result)

    @each_user
    def test_giving_up_rights(self, user):
        container, folder = self.with_output(user, user_namespace=True)
        result = self.run_in(container, [INSIDE, *OPTIONS, "--drop-caps", "--wait", "-O", "/out/", "sh", "-c",
                                         f"grep -E '^Cap' /proc/self/status; /app/split {WORK_MS}"])
        self.assertProfiled(folder, result)
        for name, digits in re.findall(r"^(Cap\w+):\s+(\w+)", result.out, re.M):
            self.assertEqual(int(digits, 16) & (1 << 21 | 1 << 38), 0, name)

    @each_user
    def test_user_that_is_not_there_is_refused_before_the_command_runs(self, user):
        container, folder = self.with_output(user, user_namespace=True)
        result = self.run_in(container, [INSIDE, *OPTIONS, "--switch-user", "12345:12345", "--wait", "-O", "/out/", "echo", "ran"])
        self.assertEqual((result.status, result.out), (2, ""), result)
        self.assertIn("switch-user", result.err)
        self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    main()
