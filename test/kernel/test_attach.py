#!/usr/bin/env python3
"""Attaching to processes that run already: all that they use from then on, nothing twice, and no trace afterwards."""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

from harness import (IS_ROOT, KERNEL_NOT_PERMITTED, ME, ORDINARY, KernelTest, Profile, cpu_s, each_user, fixture, main, name_of, new_folder,
                     paranoid, profilers, python3, require, ringside, run, stat_fields, status_number, stolen_s, wait_for,
                     worker, setUpModule)  # noqa: F401 (setUpModule is for unittest)

BURN = "while True: sum(range(1000))"


def tree_cpu_s(pid):
    """With the children it waited for."""
    return sum(int(field) for field in stat_fields(pid)[11:15]) / os.sysconf("SC_CLK_TCK")


def perf_fds(pid):
    found = 0
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += "perf_event" in os.readlink(entry)
    return found


class Attach(KernelTest):
    def attach(self, pids, user=ME, *options):
        """A run that samples already. Returns (command, file)."""
        output = new_folder(user) / "cpu.pb.gz"
        command = self.start([ringside(), "-p", ",".join(map(str, pids)), "-O", output, *options], user)
        wait_for(lambda: perf_fds(worker()) and command.process.poll() is None, "events to be open")
        return command, output

    def burner(self, user=ME):
        command = self.start([python3(user), "-c", BURN], user)
        wait_for(lambda: cpu_s(command.pid) > 0.05, "the target to run")
        return command

    @each_user
    def test_a_running_program_is_seen_as_one_that_was_started(self, user):
        target = self.start([fixture("split"), "3000"], user)
        wait_for(lambda: cpu_s(target.pid) > 0.1, "the target to run")
        before = cpu_s(target.pid)
        command, output = self.attach([target.pid], user, "--frequency", "999")
        attached = cpu_s(target.pid)
        result = target.wait()
        self.assertEqual(command.wait().status, 0)  # by itself: nobody is left
        profile = Profile(output)
        self.assertEqual(profile.labels("process_name"), {"split"})
        self.assertGreater(profile.total_s(), 0.97 * (result.cpu_s - attached) - 0.05, profile.top())
        self.assertLess(profile.total_s(), 1.03 * (result.cpu_s - before) + 0.05 + result.stolen_s, profile.top())
        self.assertSplit(profile, result, 0.04)
        self.assertComplete(profile)

    @each_user
    def test_threads_and_children_that_come_and_go_are_counted_once(self, user):
        for early in (False, True):  # before they begin, and in the middle of it
            target = self.start([fixture("churn"), "300", "2500"], user)
            wait_for(lambda: "ready" in target.text("stdout"), "the target to wait")
            if not early:
                target.process.send_signal(signal.SIGUSR1)
                wait_for(lambda: len(os.listdir(f"/proc/{target.pid}/task")) > 20, "threads to come")
            before = tree_cpu_s(target.pid)
            command, output = self.attach([target.pid], user, "--frequency", "499")
            attached = tree_cpu_s(target.pid)
            if early:
                target.process.send_signal(signal.SIGUSR1)
            result = target.wait()
            self.assertEqual(command.wait().status, 0)
            profile = Profile(output)
            self.assertGreater(profile.total_s(), 0.95 * (result.cpu_s - attached) - 0.05, profile.top())
            self.assertLess(profile.total_s(), 1.04 * (result.cpu_s - before) + 0.05 + result.stolen_s, profile.top())
            self.assertGreater(profile.frame_s("stay_leaf"), 0.4 * profile.sampled_s(), profile.top())

    def test_several_processes_and_one_that_cannot_be_had(self):
        targets = [self.burner() for _ in range(2)]
        gone = self.start(["true"])
        gone.wait()
        command, output = self.attach([targets[0].pid, gone.pid, targets[1].pid], ME, "--duration", "2")
        result = command.wait()
        self.assertEqual(result.status, 0, result)
        self.assertIn(f"process {gone.pid}: No such process", result.err)
        profile = Profile(output)
        self.assertEqual({int(pid) for pid in profile.labels("pid") if pid}, {t.pid for t in targets}, profile.top())

    @each_user
    def test_why_nobody_can_be_profiled(self, user):
        def refused(pid, *texts):
            result = run([ringside(), "-p", pid, "-O", new_folder(user) / "cpu.pb.gz"], user)
            self.assertEqual(result.status, 1, result)
            self.assertIn(f"process {pid}: ", result.err)
            for text in texts:
                self.assertIn(text, result.err)

        gone = self.start(["true"])
        gone.wait()
        refused(gone.pid, "No such process")
        zombie = subprocess.Popen(["true"])
        wait_for(lambda: stat_fields(zombie.pid)[0] == "Z", "the child to end")
        refused(zombie.pid, "zombie")
        zombie.wait()
        threads = self.start([fixture("threads"), "2", "60000"], user)
        tasks = wait_for(lambda: sorted(map(int, os.listdir(f"/proc/{threads.pid}/task")))[1:], "threads")
        refused(tasks[0], f"a thread of process {threads.pid}")
        with contextlib.suppress(OSError):
            if pathlib.Path("/proc/2/comm").read_text() == "kthreadd\n":
                refused(2, "kernel thread")
        if not user.privileged:
            refused(os.getppid() if not IS_ROOT else os.getpid(), *(["user 0's", "CAP_PERFMON"] if IS_ROOT else []))

    def test_a_process_that_is_not_dumpable_is_named(self):
        require("root", IS_ROOT, "takes two users")
        hidden = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); print(flush=True); time.sleep(600)"
        target = self.start([python3(ORDINARY), "-c", hidden], ORDINARY)
        wait_for(lambda: target.text("stdout"), "the target to run")
        result = run([ringside(), "-p", target.pid, "-O", new_folder(ORDINARY) / "cpu.pb.gz"], ORDINARY)
        self.assertEqual(result.status, 1, result)
        self.assertIn("yours, but closed to others", result.err)

    @each_user
    def test_a_signal_ends_it_and_the_target_goes_on(self, user):
        target = self.burner(user)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            command, output = self.attach([target.pid], user, "--frequency", "499")
            before = cpu_s(target.pid)  # attached
            wait_for(lambda: cpu_s(target.pid) > before + 0.3, "the target to go on")
            os.kill(command.pid, number)
            result = command.wait()
            self.assertEqual(result.status, 0, result)
            self.assertGreater(Profile(output).total_s(), 0.25)
        before = cpu_s(target.pid)
        wait_for(lambda: cpu_s(target.pid) > before + 0.1, "the target to go on")

    def test_time_before_is_not_counted_and_kernel_time_is_shown(self):
        target = self.start([fixture("kernelburn"), "4000"], ORDINARY)
        wait_for(lambda: cpu_s(target.pid) > 1, "the target to use time")
        before = cpu_s(target.pid)
        command, output = self.attach([target.pid], ORDINARY)
        attached = cpu_s(target.pid)
        result = target.wait()
        command.wait()
        profile = Profile(output)
        self.assertLess(profile.total_s(), 1.03 * (result.cpu_s - before) + 0.1 + result.stolen_s, profile.top())
        self.assertGreater(profile.total_s(), 0.9 * (result.cpu_s - attached) - 0.3, profile.top())
        if paranoid() == 2:
            self.assertGreater(profile.frame_s(KERNEL_NOT_PERMITTED), 0.5 * result.system_s * (1 - attached / result.cpu_s) - 0.2, profile.top())

    def test_an_idle_target_wakes_nobody(self):
        target = self.start([fixture("sleeper"), "60000"])
        self.attach([target.pid])
        pids = [worker(), int(stat_fields(worker())[1])]
        last = []

        def switches():
            return [status_number(pid, "voluntary_ctxt_switches") for pid in pids]

        def has_settled():
            before, last[:] = list(last), switches()
            return before == last and all(stat_fields(pid)[0] == "S" for pid in pids)

        wait_for(has_settled, "the profiler to sleep")
        time.sleep(2)  # what is looked for is that nothing happens
        self.assertEqual(switches(), last)

    def test_nothing_is_left_behind(self):
        target = self.burner()
        files = sorted(os.listdir(f"/proc/{target.pid}/fd"))
        for _ in range(10):
            result = run([ringside(), "-p", target.pid, "-O", new_folder() / "cpu.pb.gz", "--duration", "1", "--frequency", "99"])
            self.assertEqual(result.status, 0, result)
        self.assertEqual(sorted(os.listdir(f"/proc/{target.pid}/fd")), files)
        self.assertEqual(stat_fields(target.pid)[0] in "RS", True)

    def test_a_lost_worker_is_followed_by_one_that_goes_on(self):
        target = self.burner()
        before, stolen = cpu_s(target.pid), stolen_s()
        command, output = self.attach([target.pid], ME, "--frequency", "499")
        attached = cpu_s(target.pid)
        for _ in range(2):
            lost, now = worker(), cpu_s(target.pid)
            wait_for(lambda: cpu_s(target.pid) > now + 0.5, "samples")
            os.kill(lost, signal.SIGKILL)
            wait_for(lambda: worker() != lost and perf_fds(worker()), "another worker")
        now = cpu_s(target.pid)
        wait_for(lambda: cpu_s(target.pid) > now + 0.5, "samples")
        least = cpu_s(target.pid) - attached
        os.kill(command.pid, signal.SIGINT)
        command.wait()
        most = cpu_s(target.pid) - before
        profile = Profile(output)
        self.assertGreater(profile.total_s(), 0.8 * least - 0.2, f"{least}\n{profile.top()}")
        self.assertLess(profile.total_s(), 1.04 * most + 0.1 + stolen_s() - stolen, f"{most}\n{profile.top()}")

    def test_a_profile_per_period_goes_to_a_folder(self):
        target = self.burner()
        folder = new_folder() / "profiles"
        result = run([ringside(), "-p", target.pid, "-O", f"{folder}/", "-u", "1", "--duration", "3", "-S", "burner"])
        self.assertEqual(result.status, 0, result)
        files = sorted(folder.iterdir())
        self.assertGreaterEqual(len(files), 2)
        self.assertTrue(files[0].name.startswith("burner-"), files)
        Profile(*files)


class Duration(KernelTest):
    def test_a_command_outlives_its_profile(self):
        """Also in the parent shape, where the profile is on disk long before the command ends."""
        output = new_folder() / "cpu.pb.gz"
        command = self.start([ringside(), "--duration", "1", "-O", output, python3(), "-c", BURN])
        wait_for(output.exists, "the profile")
        wait_for(lambda: not any(name_of(pid) == "ringside-worker" for pid in profilers()), "the profiler to end")
        self.assertIsNone(command.process.poll())
        profile = Profile(output)
        self.assertLess(profile.total_s(), 2)
        self.assertGreater(profile.total_s(), 0.3)
        os.kill(command.pid, signal.SIGTERM)  # to the parent, who passes it on: killed, it would leave the command behind
        self.assertEqual(command.wait().status, 128 + signal.SIGTERM)


class Usage(KernelTest):
    def test_what_contradicts_itself_is_refused(self):
        for options in (["-p", "1", "true"], ["-g", "true"], ["-p", "1", "-g"], ["-p", "x"], ["-p", "1", "--switch-user", "nobody"]):
            result = run([ringside(), "-O", new_folder() / "cpu.pb.gz", *options])
            self.assertEqual(result.status, 2, result)


if __name__ == "__main__":
    main()
