#!/usr/bin/env python3
"""Giving up: --drop-caps and --switch-user, as /proc tells of the command and of every process of ours, and that profiling goes on."""
import contextlib
import errno
import os
import re
import shutil
import signal

from harness import (IS_ROOT, KERNEL_NOT_PERMITTED, ME, ORDINARY, KernelTest, Profile, fixture, main, new_folder, parent_of,
                     processes_of, profile_run, profilers, python3, require, require_tool, ringside, run, tool, wait_for,
                     wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule is for unittest)
from test_events import count, defined_probes, libc_that_is_used, need_tracefs
from test_launch import WAITS_FOR_SIGNAL

CAP_SETPCAP, CAP_SYS_ADMIN, CAP_PERFMON = 8, 21, 38
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
OTHER_ID, OTHER_GROUP = 54331, 54332

# System calls by number (x86-64), and the first argument that matters, for helper_deny_call.
CAPSET, SETGROUPS, SETRESUID, SETRESGID, CAPBSET_DROP = (126, -1), (116, -1), (117, -1), (119, -1), (157, 24)


# ---- what /proc says ----

def sets_of(status):
    """Of the text of a /proc/PID/status: capability sets by name."""
    return {name: int(digits, 16) for name, digits in re.findall(r"^(Cap\w+):\s+(\w+)", status, re.M)}


def sets_with(status, *capabilities):
    """Names of the sets that have any of them."""
    mask = sum(1 << c for c in capabilities)
    sets = sets_of(status)
    assert set(SETS) <= set(sets), status
    return [name for name in SETS if sets[name] & mask]


def ids_of(status, name):
    return [int(n) for n in re.search(rf"^{name}:(.*)$", status, re.M).group(1).split()]


def status_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return file.read()


def own_status():
    return status_of("self")


def thread_statuses(pid):
    """Of each thread: capabilities are a thread's own. The first is there as long as the process."""
    statuses = [status_of(f"{pid}/task/{pid}")]
    for thread in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):  # ended meanwhile
            statuses.append(status_of(f"{pid}/task/{thread}"))
    return statuses


# ---- running ----

def shapes(user=ME):
    """Names and options of the ways to run, each with a folder of its own."""
    folder = new_folder(user)
    return (("parent", ["-O", folder / "cpu.pb.gz"]), ("service", ["-O", f"{folder}/profiles/"]),
            ("wait", ["--wait", "-O", f"{folder}/waited/"]))


class PrivilegeTest(KernelTest):
    def setUp(self):
        super().setUp()
        require("root", IS_ROOT, "only root has something to give up")
        require("root", {"CapEff", "CapBnd"} <= set(sets_with(own_status(), CAP_SYS_ADMIN))
                and sets_with(own_status(), CAP_PERFMON) and "CapEff" in sets_with(own_status(), CAP_SETPCAP),
                "this root lacks CAP_SYS_ADMIN, CAP_PERFMON or CAP_SETPCAP")

    def assertRefused(self, argv, quoted=None, user=ME, **more):
        """argv: up to the command. Status 2, a reason, no command, nothing left behind."""
        folder = new_folder(user)
        marker = folder / "ran"
        result = run([*argv, "touch", marker], user, **more)
        self.assertEqual(result.status, 2, result)
        self.assertFalse(marker.exists(), "the command must not run")
        lines = [line for line in result.err.splitlines() if "error" in line]
        self.assertEqual(len(lines), 1, result)
        if quoted:
            self.assertIn(quoted, lines[0])
        wait_profilers_gone()

    def start_burning(self, options):
        """What was started, and the process that has become the command."""
        command = self.start([ringside(), *options, fixture("kernelburn"), 60000])
        pid = wait_for(lambda: next(iter(processes_of(fixture("kernelburn"))), None), "the command to run")
        self.addCleanup(self.kill_quietly, pid)
        return command, pid

    @staticmethod
    def kill_quietly(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class DropCaps(PrivilegeTest):
    def test_command_has_neither_in_any_set(self):
        for shape, options in shapes():
            with self.subTest(shape=shape):
                kept = run([ringside(), *options, "cat", "/proc/self/status"])
                self.assertEqual(sets_with(kept.out, CAP_SYS_ADMIN, CAP_PERFMON), ["CapPrm", "CapEff", "CapBnd"], "without the option")
                dropped = run([ringside(), "--drop-caps", *options, "cat", "/proc/self/status"])
                self.assertEqual((dropped.status, dropped.err), (0, ""), dropped)
                self.assertEqual(sets_with(dropped.out, CAP_SYS_ADMIN, CAP_PERFMON), [])
                both = 1 << CAP_SYS_ADMIN | 1 << CAP_PERFMON
                self.assertEqual({name: value & ~both for name, value in sets_of(kept.out).items()}, sets_of(dropped.out), "the others stay")
        wait_profilers_gone()

    def test_no_process_of_the_run_has_either_while_the_command_runs(self):
        for shape, options in shapes():
            with self.subTest(shape=shape):
                command, pid = self.start_burning(["--drop-caps", *options])
                ours = profilers()
                self.assertEqual(len(ours), 2 if shape == "service" else 3, "supervisor, worker, and a parent that stays")
                for status in [status for process in (pid, *ours) for status in thread_statuses(process)]:
                    self.assertEqual(sets_with(status, CAP_SYS_ADMIN, CAP_PERFMON), [], status)
                os.kill(pid, signal.SIGTERM)
                command.wait(30)
                wait_profilers_gone()

    def test_children_of_the_command_do_not_get_them_back(self):
        result = run([ringside(), "--drop-caps", "-O", new_folder() / "cpu.pb.gz", "sh", "-c", "sh -c 'cat /proc/self/status'; true"])
        self.assertEqual(sets_with(result.out, CAP_SYS_ADMIN, CAP_PERFMON), [])

    def test_inherited_and_ambient_ones_are_dropped_too(self):
        both = "+sys_admin,+perfmon"
        argv = ["setpriv", "--inh-caps", both, "--ambient-caps", both, ringside()]
        options = ["-O", new_folder() / "cpu.pb.gz", "cat", "/proc/self/status"]
        kept = run([*argv, *options])
        require("tools", kept.status == 0, f"no setpriv with ambient capabilities: {kept.err}")
        self.assertEqual(sets_with(kept.out, CAP_SYS_ADMIN, CAP_PERFMON), list(SETS), "without the option")
        dropped = run([*argv, "--drop-caps", *options])
        self.assertEqual(sets_with(dropped.out, CAP_SYS_ADMIN, CAP_PERFMON), [])

    def test_kernel_is_sampled_as_before(self):
        profile, result = profile_run([fixture("kernelburn"), "2000"], options=("--frequency", "999", "--drop-caps"))
        self.assertTotal(profile, result)
        self.assertGreater(result.system_s, 0.25 * result.cpu_s, "the program does what it is for")
        self.assertLess(profile.frame_s(KERNEL_NOT_PERMITTED), 0.02 * result.cpu_s, profile.top())
        self.assertComplete(profile)

    def test_profiles_come_period_after_period(self):
        folder = new_folder()
        result = run([ringside(), "--drop-caps", "-u", "1", "--frequency", "999", "-O", f"{folder}/", fixture("kernelburn"), "3000"])
        wait_profilers_gone()
        files = sorted(folder.iterdir())
        self.assertGreaterEqual(len(files), 2)
        self.assertTotal(Profile(*files), result)

    def test_probes_are_counted_and_taken_back(self):
        """The kernel's list of probes is written to at the end: that takes root's files, not these capabilities."""
        need_tracefs("uprobe_events")
        events = f"uprobe:{libc_that_is_used()}:malloc arg=1 label=malloced stack_sample_size=4096; sPF"
        os.environ["RINGSIDE_DROP_CAPS"] = "yes"
        try:
            profile, truth, _ = count(events, [fixture("countable"), "mallocs", "20000", "4"], tracefs=True)
        finally:
            del os.environ["RINGSIDE_DROP_CAPS"]
        self.assertGreater(profile.total("malloced"), 0.9 * truth["bytes"], profile)
        wait_for(lambda: not defined_probes(), "the probes to be taken back")

    def test_dropped_where_nothing_is_profiled(self):
        for options in (["--no-enable"], ["-O", "/proc/nowhere/"]):
            with self.subTest(options=options):
                result = run([ringside(), "--drop-caps", *options, "cat", "/proc/self/status"])
                self.assertEqual(sets_with(result.out, CAP_SYS_ADMIN, CAP_PERFMON), [], result)
        denied = run([tool("helper_deny_perf"), errno.EPERM, ringside(), "--drop-caps", "-O", new_folder() / "x.pb.gz",
                      "cat", "/proc/self/status"])
        self.assertEqual(sets_with(denied.out, CAP_SYS_ADMIN, CAP_PERFMON), [], denied)

    def test_what_cannot_be_dropped_altogether_is_refused_before_anything_is_started(self):
        for _, options in shapes():
            self.assertRefused(["setpriv", "--bounding-set", "-setpcap", ringside(), "--drop-caps", *options], "CAP_SETPCAP")

    def test_drop_that_ends_half_way_is_no_start(self):
        """Where the kernel refuses in the middle, and where it says yes and does nothing."""
        for call, code in ((CAPSET, errno.EPERM), (CAPSET, 0), (CAPBSET_DROP, errno.EPERM), (CAPBSET_DROP, 0)):
            for shape, options in shapes():
                with self.subTest(call=call, code=code, shape=shape):
                    folder = new_folder()
                    marker = folder / "ran"
                    result = run([tool("helper_deny_call"), *call, code, ringside(), "--drop-caps", *options, "touch", marker])
                    self.assertEqual(result.status, 2, result)
                    self.assertIn("--drop-caps", result.err)
                    self.assertFalse(marker.exists())
                    wait_profilers_gone()

    def test_nothing_to_drop_is_said_and_not_fatal(self):
        output = new_folder(ORDINARY) / "cpu.pb.gz"
        result = run([ringside(), "--drop-caps", "-O", output, "cat", "/proc/self/status"], ORDINARY)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(len(result.err.splitlines()), 1, result)
        self.assertIn("CAP_PERFMON", result.err)
        self.assertEqual(set(sets_with(result.out, CAP_SYS_ADMIN, CAP_PERFMON)) - {"CapBnd"}, set())
        Profile(output)

    def with_capabilities(self, capabilities):
        """The program under test with capabilities of its own, as `setcap` gives them."""
        program = new_folder() / "ringside"
        shutil.copy(ringside(), program)
        program.chmod(0o755)
        given = run([require_tool("setcap"), f"{capabilities}+ep", program])
        require("tools", given.status == 0, f"no capabilities in files here: {given.err}")
        return program

    def test_ordinary_user_with_a_capable_program(self):
        program = self.with_capabilities("cap_perfmon,cap_setpcap")
        for shape, options in shapes(ORDINARY):
            with self.subTest(shape=shape):
                command = self.start([program, "--drop-caps", *options, fixture("kernelburn"), 60000], ORDINARY)
                pid = wait_for(lambda: next(iter(processes_of(fixture("kernelburn"))), None), "the command to run")
                self.addCleanup(self.kill_quietly, pid)
                ours = processes_of(str(program))
                self.assertEqual(len(ours), 2 if shape == "service" else 3)
                for process in (pid, *ours):
                    self.assertEqual(sets_with(status_of(process), CAP_SYS_ADMIN, CAP_PERFMON), [], status_of(process))
                os.kill(pid, signal.SIGTERM)
                command.wait(30)
                wait_for(lambda: not processes_of(str(program)), "the profiler to end")
        output = new_folder(ORDINARY) / "cpu.pb.gz"
        result = run([program, "--drop-caps", "--frequency", "999", "-O", output, fixture("kernelburn"), 1000], ORDINARY)
        self.assertEqual((result.status, result.err), (0, ""), result)
        self.assertLess(Profile(output).frame_s(KERNEL_NOT_PERMITTED), 0.02 * result.cpu_s, "the kernel is sampled")

    def test_program_with_one_capability_alone_is_refused(self):
        self.assertRefused([self.with_capabilities("cap_perfmon"), "--drop-caps", "-O", new_folder(ORDINARY) / "cpu.pb.gz"], "CAP_SETPCAP", ORDINARY)

    def test_root_of_a_user_namespace(self):
        user_namespace = ["unshare", "--user", "--map-root-user"]
        require("userns", run([*user_namespace, "true"], ORDINARY).status == 0, "ordinary users may not make user namespaces here")
        for shape, options in shapes(ORDINARY):
            with self.subTest(shape=shape):
                kept = run([*user_namespace, ringside(), *options, "cat", "/proc/self/status"], ORDINARY)
                self.assertIn("CapEff", sets_with(kept.out, CAP_SYS_ADMIN), kept)
                dropped = run([*user_namespace, ringside(), "--drop-caps", *options, "cat", "/proc/self/status"], ORDINARY)
                self.assertEqual((dropped.status, dropped.err), (0, ""), dropped)
                self.assertEqual(sets_with(dropped.out, CAP_SYS_ADMIN, CAP_PERFMON), [])
        for shape, options in shapes(ORDINARY):
            with self.subTest(shape=shape):  # a user id that this namespace does not have
                self.assertRefused([*user_namespace, ringside(), "--switch-user", f"{OTHER_ID}:0", *options], "--switch-user", ORDINARY)


class SwitchUser(PrivilegeTest):
    def assertIs(self, status, uid, gid, groups):
        self.assertEqual(ids_of(status, "Uid"), [uid] * 4)
        self.assertEqual(ids_of(status, "Gid"), [gid] * 4)
        self.assertEqual(ids_of(status, "Groups"), groups)

    def test_command_is_that_user_with_that_group(self):
        for shape, options in shapes():
            with self.subTest(shape=shape):
                result = run([ringside(), "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}", *options, "cat", "/proc/self/status"])
                self.assertEqual((result.status, result.err), (0, ""), result)
                self.assertIs(result.out, OTHER_ID, OTHER_GROUP, [OTHER_GROUP])
                self.assertEqual(sets_with(result.out, *range(41)), ["CapBnd"], "no capability but what no user can be rid of")
        wait_profilers_gone()

    def test_names_and_the_groups_that_go_with_them(self):
        """With users and groups of our own, for this process tree alone."""
        folder = new_folder()
        (folder / "passwd").write_text(f"root:x:0:0::/root:/bin/sh\nshop:x:{OTHER_ID}:{OTHER_GROUP}::/:/bin/sh\n77:x:54377:54377::/:/bin/sh\n")
        (folder / "group").write_text(f"root:x:0:\nshop:x:{OTHER_GROUP}:\nlogs:x:54341:root,shop\ncache:x:54339:shop\nother:x:54342:root\n")
        script = f'mount --bind {folder}/passwd /etc/passwd && mount --bind {folder}/group /etc/group && exec "$@"'
        with_users = ["unshare", "--mount", "sh", "-c", script, "sh"]
        require("namespaces", run([*with_users, "true"]).status == 0, "no mount namespaces here")
        for text, uid, gid, groups in (("shop", OTHER_ID, OTHER_GROUP, [OTHER_GROUP, 54339, 54341]),
                                       (str(OTHER_ID), OTHER_ID, OTHER_GROUP, [OTHER_GROUP, 54339, 54341]),
                                       ("shop:logs", OTHER_ID, 54341, [54341]), (f"{OTHER_ID}:logs", OTHER_ID, 54341, [54341]),
                                       ("shop:54999", OTHER_ID, 54999, [54999]), ("77", 54377, 54377, [54377]),
                                       ("root", 0, 0, [0, 54341, 54342])):
            with self.subTest(user=text):
                result = run([*with_users, ringside(), "--switch-user", text, "-O", folder / "cpu.pb.gz", "cat", "/proc/self/status"])
                self.assertEqual(result.status, 0, result)
                self.assertIs(result.out, uid, gid, groups)

    def test_command_is_as_if_that_user_had_started_it(self):
        environment = {**os.environ, "HOME": "/home/of/root", "USER": "rooty", "LOGNAME": "rooty"}
        code = ("import os; print(os.stat('/proc/self').st_uid, os.environ['HOME'], os.environ['USER'], os.environ['LOGNAME']);"
                "os.setuid(0)")
        result = run([ringside(), "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}", "-O", new_folder() / "cpu.pb.gz", python3(ORDINARY), "-c", code],
                     env=environment)
        self.assertEqual(result.out.split(), [str(OTHER_ID), "/home/of/root", "rooty", "rooty"], result)
        self.assertEqual(result.status, 1, "no way back to root")
        self.assertIn("PermissionError", result.err)

    def test_looking_the_user_up_leaves_no_descriptor(self):
        for shape, options in shapes():
            with self.subTest(shape=shape):
                listing = [*options, "sh", "-c", "ls /proc/self/fd | wc -l"]
                before = run([ringside(), *listing])
                after = run([ringside(), "--drop-caps", "--switch-user", "root", *listing])
                self.assertEqual((after.status, after.out), (0, before.out), after)

    def test_profiler_and_parent_stay_who_they_are(self):
        for shape, options in shapes():
            with self.subTest(shape=shape):
                command, pid = self.start_burning(["--switch-user", f"{OTHER_ID}:{OTHER_GROUP}", *options])
                self.assertEqual(ids_of(status_of(pid), "Uid"), [OTHER_ID] * 4)
                self.assertEqual(pid, command.pid) if shape == "service" else self.assertEqual(parent_of(pid), command.pid)
                for process in profilers():
                    self.assertEqual(ids_of(status_of(process), "Uid"), [0] * 4)
                os.kill(pid, signal.SIGTERM)
                command.wait(30)
                wait_profilers_gone()

    def check_profile(self, options, prefix=()):
        output = new_folder() / "cpu.pb.gz"
        result = run([*prefix, ringside(), "--frequency", "999", *options, "-O", output, fixture("kernelburn"), "2000"])
        self.assertEqual((result.status, result.err), (0, ""), result)
        profile = Profile(output)
        self.assertTotal(profile, result)
        self.assertGreater(result.system_s, 0.25 * result.cpu_s, "the program does what it is for")
        self.assertLess(profile.frame_s(KERNEL_NOT_PERMITTED), 0.02 * result.cpu_s, profile.top())
        self.assertGreater(profile.frame_s("read_zeros"), 0.9 * result.cpu_s, profile.top())
        self.assertComplete(profile)

    def test_kernel_is_sampled_and_names_are_there(self):
        self.check_profile(["--switch-user", f"{OTHER_ID}:{OTHER_GROUP}"])

    def test_both_options_together(self):
        both = ["--drop-caps", "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}"]
        self.check_profile(both)
        for shape, options in shapes():
            with self.subTest(shape=shape):
                command, pid = self.start_burning([*both, *options])
                self.assertIs(status_of(pid), OTHER_ID, OTHER_GROUP, [OTHER_GROUP])
                for process in (pid, *profilers()):
                    self.assertEqual(sets_with(status_of(process), CAP_SYS_ADMIN, CAP_PERFMON), [])
                os.kill(pid, signal.SIGTERM)
                command.wait(30)
                wait_profilers_gone()

    def test_names_without_the_right_to_look_into_other_users_processes(self):
        self.check_profile(["--drop-caps", "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}"], ["setpriv", "--bounding-set", "-sys_ptrace"])

    def test_parent_passes_signals_on(self):
        numbers = [signal.SIGTERM, signal.SIGHUP]
        for number in numbers:
            with self.subTest(signal=number):
                command = self.start([ringside(), "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}", "-O", new_folder() / "cpu.pb.gz",
                                      python3(ORDINARY), "-c", WAITS_FOR_SIGNAL, *[str(int(n)) for n in numbers]])
                wait_for(lambda: "ready" in command.text("stdout"), "the command to run")
                os.kill(command.pid, number)
                self.assertEqual(command.wait(30).status, number)

    def test_switched_where_nothing_is_profiled(self):
        switch = [ringside(), "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}"]
        for argv in ([*switch, "--no-enable"], [*switch, "-O", "/proc/nowhere/"],
                     [tool("helper_deny_perf"), errno.EPERM, *switch, "-O", new_folder() / "x.pb.gz"]):
            with self.subTest(argv=argv):
                result = run([*argv, "cat", "/proc/self/status"])
                self.assertIs(result.out, OTHER_ID, OTHER_GROUP, [OTHER_GROUP])

    def test_command_that_this_user_may_not_execute_is_126(self):
        folder = new_folder()
        folder.chmod(0o700)
        (folder / "secret").write_text("#!/bin/sh\n")
        (folder / "secret").chmod(0o755)
        for shape, options in shapes():
            with self.subTest(shape=shape):
                result = run([ringside(), "--switch-user", f"{OTHER_ID}:{OTHER_GROUP}", *options, folder / "secret"], cwd="/")
                self.assertEqual(result.status, 126, result)

    def test_unknown_users_are_refused(self):
        for text, quoted in (("no-such-user", "no-such-user"), ("root:no-such-group", "no-such-group"), ("4000000000", "4000000000:GROUP"),
                             ("root:", "root:"), (":root", ":root"), ("4294967295:0", "4294967295"), ("-1:0", "-1")):
            for shape, options in shapes():
                with self.subTest(user=text, shape=shape):
                    self.assertRefused([ringside(), f"--switch-user={text}", *options], quoted)
        self.assertRefused([ringside(), "--no-enable", "--switch-user", "no-such-user"], "no-such-user")

    def test_unknown_user_of_somebody_else_s_variable_is_refused_too(self):
        """Left out, as others of these are, the command would run as root."""
        self.assertRefused([ringside(), "-O", "x.pb.gz"], "DD_PROFILING_SWITCH_USER", env={**os.environ, "DD_PROFILING_SWITCH_USER": "no-such-user"})

    def test_who_may_not_switch_is_refused(self):
        for _, options in shapes(ORDINARY):
            self.assertRefused([ringside(), "--switch-user", "root", *options], "CAP_SETUID", ORDINARY)
        for _, options in shapes():
            self.assertRefused(["setpriv", "--bounding-set", "-setgid", ringside(), "--switch-user", "1:1", *options], "CAP_SETGID")
        self.assertRefused(["setpriv", "--bounding-set", "-kill", ringside(), "--switch-user", "1:1", "--wait", "-O", f"{new_folder()}/"], "CAP_KILL")

    def test_switch_that_ends_half_way_is_no_start(self):
        for call in (SETGROUPS, SETRESGID, SETRESUID):
            for code in (errno.EPERM, 0):
                for shape, options in shapes():
                    with self.subTest(call=call, code=code, shape=shape):
                        self.assertRefused([tool("helper_deny_call"), *call, code, ringside(), "--switch-user",
                                            f"{OTHER_ID}:{OTHER_GROUP}", *options], "--switch-user")


if __name__ == "__main__":
    main()
