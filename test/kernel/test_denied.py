#!/usr/bin/env python3
"""Where the kernel, or a container's filter, says no: the command runs, and one message tells why and what to do."""
import errno
import os
import resource

from harness import (ORDINARY, USERS, KernelTest, Profile, can_profile, each_user, main, new_folder, python3, require,
                     ringside, run, tool, wait_profilers_gone)
from places import refusals, user_of_locked_memory, without_proc_sys


class Denied(KernelTest):
    @each_user
    def test_command_runs_and_one_message_names_cause_and_remedy(self, user):
        for code in (errno.EPERM, errno.EACCES, errno.ENOSYS):
            folder = new_folder(user)
            for shape in (["-O", folder / "cpu.pb.gz"], ["-O", f"{folder}/"]):
                with self.subTest(code=errno.errorcode[code], shape=shape):
                    result = run([tool("helper_deny_perf"), code, ringside(), *shape, "sh", "-c", "echo ran; exit 4"], user)
                    self.assertEqual((result.status, result.out), (4, "ran\n"), result)
                    lines = result.err.splitlines()
                    self.assertEqual(len(lines), 1, result)
                    self.assertIn("perf_event_open", lines[0])
                    self.assertIn("seccomp", lines[0])
                    wait_profilers_gone()
            self.assertEqual(os.listdir(folder), [], "no profile of nothing")

    @each_user
    def test_the_true_cause_is_named_wherever_it_is(self, user):
        for name, before, helper, _, says in refusals():
            folder = new_folder(user)
            for shape in (["-O", folder / "cpu.pb.gz"], ["-O", f"{folder}/"]):
                with self.subTest(name=name, shape=shape):
                    command = [tool(helper[0]), *helper[1:], ringside(), *shape, "sh", "-c", "echo ran; exit 4"]
                    result = run([*before, *user.prefix, *command])
                    self.assertEqual((result.status, result.out), (4, "ran\n"), result)
                    self.assertEqual(len(result.err.splitlines()), 1, result)
                    self.assertIn(says, result.err)
                    wait_profilers_gone()
            self.assertEqual(os.listdir(folder), [], "no profile of nothing")

    @each_user
    def test_the_cause_is_that_of_all_events_though_this_one_takes_more(self, user):
        for event in ("sCS", "hCPU"):
            with self.subTest(event=event):
                result = run([tool("helper_deny_perf"), errno.EPERM, ringside(), "-e", event, "-O", new_folder(user) / "x.pb.gz", "true"], user)
                self.assertEqual(result.status, 0, result)
                self.assertIn("a seccomp filter denies it", result.err)

    @each_user
    def test_without_proc_sys_there_is_a_profile_as_ever(self, user):
        output = new_folder(user) / "cpu.pb.gz"
        result = run([*without_proc_sys(), *user.prefix, ringside(), "-O", output, python3(user), "-c", "sum(range(10**7))"])
        self.assertEqual((result.status, result.err), (0, ""), result)
        self.assertGreater(Profile(output).total_s(), 0)

    def test_silence_when_asked_for(self):
        result = run([tool("helper_deny_perf"), errno.EPERM, ringside(), "-O", "x.pb.gz", "-o", "disabled", "true"])
        self.assertEqual((result.status, result.err), (0, ""))


class Descriptors(KernelTest):
    def test_profile_or_message_however_few_there_may_be(self):
        """One per processor is needed on either side, and some for files: whichever is the first to be missing."""
        require("perf", can_profile(ORDINARY), "an ordinary user may not profile here")
        for limit in range(6, len(os.sched_getaffinity(0)) + 12):
            for user in USERS:
                with self.subTest(limit=limit, user=user.name):
                    output = new_folder(user) / "cpu.pb.gz"
                    result = run([ringside(), "-O", output, "sh", "-c", "echo ran; exit 4"], user,
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
                    self.assertEqual((result.status, result.out), (4, "ran\n"), result)
                    # That names may be missing is said beside it.
                    said = [line for line in result.err.splitlines() if "have no names" not in line]
                    self.assertEqual(len(said), 0 if output.exists() else 1, result)


    @each_user
    def test_soft_limit_does_not_matter_and_stays_the_command_s(self, user):
        output = new_folder(user) / "cpu.pb.gz"
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        # Each event needs a descriptor for each processor, so these alone are more than the limit.
        events = ";".join(["sCPU", "sPF", "sPFMAJ", "sPFMIN", "sALGN", "sEMU", "sDUM"])
        result = run([ringside(), "-e", events, "-O", output, "sh", "-c", "ulimit -Sn"], user,
                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (8, hard)))
        self.assertEqual((result.status, result.out, result.err), (0, "8\n", ""), result)
        self.assertTrue(output.exists())


class MemoryLock(KernelTest):
    def test_small_limit_means_small_rings(self):
        require("perf", can_profile(ORDINARY), "an ordinary user may not profile here")
        user = user_of_locked_memory()
        folder = new_folder(user)
        result = run([ringside(), "-O", folder / "cpu.pb.gz", python3(user), "-c", "sum(range(10**7))"], user)
        self.assertEqual((result.status, result.err), (0, ""), result)
        self.assertGreater(Profile(folder / "cpu.pb.gz").total_s(), 0)

    def test_nothing_left_of_it_is_the_cause_that_is_named(self):
        require("perf", can_profile(ORDINARY), "an ordinary user may not profile here")
        user = user_of_locked_memory()
        folder = new_folder(user)
        for shape in (["-O", folder / "cpu.pb.gz"], ["-O", f"{folder}/"]):
            with self.subTest(shape=shape):
                result = run([tool("helper_use_up_rings"), ringside(), *shape, "sh", "-c", "echo ran; exit 4"], user)
                self.assertEqual((result.status, result.out), (4, "ran\n"), result)
                self.assertEqual(len(result.err.splitlines()), 1, result)
                self.assertIn("the locked-memory limit is used up (kernel.perf_event_mlock_kb ", result.err)
                self.assertIn("ulimit -l 0 KiB", result.err)
                wait_profilers_gone()
        self.assertEqual(os.listdir(folder), [], "no profile of nothing")


if __name__ == "__main__":
    main()
