#!/usr/bin/env python3
"""The totals are true: shares of known programs, short processes, kernel time, all against the kernel's own account."""
import os
import signal
import textwrap
import time

from harness import (ENDED_WITHIN_A_PERIOD, IS_ROOT, KERNEL_NOT_PERMITTED, KernelTest, Profile, each_user, fixture, main,
                     new_folder, paranoid, profile_run, python3, ringside, run, stat_fields, status_number, supervisor, tool,
                     wait_for, worker, setUpModule)  # noqa: F401 (setUpModule is for unittest)

OUTSIDE_EVENTS = "[not sampled: process start, end and switches]"
RENAMEAT2_CALL, WAIT4_CALL = 316, 61  # for helper_delay_call


class Shares(KernelTest):
    @each_user
    def test_split_program_is_reported_as_built(self, user):
        profile, result = profile_run([fixture("split"), "3000"], user, ("--frequency", "4999"))  # chance is 0.4 points at 15 000 samples
        self.assertTotal(profile, result)
        self.assertSplit(profile, result, 0.02)

    def test_default_rate_reports_the_same_shares(self):
        """At 99 Hz four seconds are 400 samples: wider bounds, the same total."""
        profile, result = profile_run([fixture("split"), "4000"], options=())
        self.assertTotal(profile, result)
        self.assertSplit(profile, result, 0.09)


class Rings(KernelTest):
    @each_user
    def test_nothing_is_lost_at_a_high_rate_with_all_processors_busy(self, user):
        for _ in range(3):  # a ring lasts 30 ms at this rate: a machine that keeps one CPU to itself for longer does not do so each time
            profile, result = profile_run([fixture("threads"), "4", "750"], user, ("--frequency", "3999"))
            self.assertTotal(profile, result)
            if profile.comment_number("lost") < 0.01 * profile.comment_number("samples"):
                break
        self.assertLess(profile.comment_number("lost"), 0.01 * profile.comment_number("samples"), profile.comments)
        self.assertGreater(profile.count(), 0.9 * 3999 * result.user_s)

    def test_nothing_is_lost_while_a_profile_takes_long_to_write(self):
        """Rings last half a second at this rate (the most that any do), and every profile takes twice that to get its name."""
        slow = [tool("helper_delay_call"), RENAMEAT2_CALL, 1000]
        nice = ["--nice", "-20"] if IS_ROOT else []  # what else runs here must not keep the profiler from its turn
        for _ in range(3):  # and where it does all the same, it does not each time
            folder = new_folder() / "profiles"
            result = run([*slow, ringside(), *nice, "--wait", "--frequency", "260", "-u", "1", "-O", f"{folder}/", fixture("threads"), "2", "4000"])
            profile = Profile(*sorted(folder.iterdir()))
            if len(profile.files) >= 3 and profile.comment_number("lost") == 0:
                break
        self.assertGreaterEqual(len(profile.files), 3)
        self.assertEqual(profile.comment_number("lost"), 0, profile.comments)  # of samples and of any records
        self.assertUsed(profile.total_s(), 8, 0.3, result.stolen_s, profile)


class Idle(KernelTest):
    def test_profiler_sleeps_as_long_as_the_target_does(self):
        command = self.start([ringside(), "-O", f"{new_folder()}/", fixture("sleeper"), "60000"])
        wait_for(lambda: os.readlink(f"/proc/{command.pid}/exe").endswith("sleeper"), "the target to run")
        pids = [supervisor(), worker()]

        def switches():
            return sum(status_number(pid, "voluntary_ctxt_switches") for pid in pids)

        def settled():
            """True when half a second (the subject of this test) passes without the profiler waking up."""
            before = switches()
            time.sleep(0.5)
            return switches() == before

        wait_for(settled, "the profiler to fall asleep")
        before = switches()
        time.sleep(3)
        self.assertLessEqual(switches() - before, 1)


class ShortProcesses(KernelTest):
    @each_user
    def test_a_thousand_short_children_are_accounted_for(self, user):
        for options in ((), ("--frequency", "999")):
            with self.subTest(options=options):
                profile, result = profile_run([fixture("children"), "1000", "3"], user, options)
                self.assertTotal(profile, result, 0.02, slack_s=0.05)
                own = profile.total_s(lambda stack, labels: labels.get("process_name") == "children")
                self.assertGreater(own, 0.9 * profile.total_s(), "under the children's own name")
                self.assertIn(ENDED_WITHIN_A_PERIOD, {stack[0] for stack, _, _ in profile.samples})
                if not options:
                    self.assertGreater(profile.frame_s(ENDED_WITHIN_A_PERIOD), 0.5 * profile.total_s(), profile.top())

    @each_user
    def test_tree_of_shell_commands_is_accounted_for(self, user):
        script = "i=0; while [ $i -lt 300 ]; do head -c 200000 /dev/zero | gzip -c >/dev/null; i=$((i+1)); done"
        profile, result = profile_run(["sh", "-c", script], user)
        self.assertTotal(profile, result, 0.02, slack_s=0.05)
        names = profile.labels("process_name")
        self.assertTrue({"sh", "gzip", "head"} <= names, names)

    @each_user
    def test_threads_that_come_and_go_are_accounted_for(self, user):
        script = textwrap.dedent("""
            import hashlib, threading
            data = bytes(2_000_000)
            for _ in range(300):
                thread = threading.Thread(target=lambda: hashlib.sha256(data))
                thread.start()
                thread.join()
        """)
        profile, result = profile_run([python3(user), "-c", script], user)
        self.assertTotal(profile, result, 0.02, slack_s=0.05)

    def test_ten_thousand_children_leave_nothing_behind(self):
        """Descriptors and memory of the profiler after many children are what they were after some."""
        command = self.start([ringside(), "-O", f"{new_folder()}/", fixture("children"), "12000", "0", "pause:2000"])
        seen = []

        def look():
            return len(os.listdir(f"/proc/{pid}/fd")), status_number(pid, "VmRSS")

        for count in range(2000, 12001, 2000):
            wait_for(lambda: f"{count}\n" in command.text("stdout"), f"{count} children", 120)
            pid = worker()
            seen.append(look())
            wait_for(lambda: stat_fields(command.pid)[0] == "T", "the target to pause")
            os.kill(command.pid, signal.SIGCONT)
        (fds, kilobytes), (more_fds, more_kilobytes) = seen[0], seen[-1]
        self.assertLessEqual(more_fds, fds + 4, seen)
        self.assertLessEqual(more_kilobytes, kilobytes + 2048, seen)
        command.wait()


class Ends(KernelTest):
    def test_what_the_parent_heard_is_waited_for(self):
        """The events end before the command's parent is told, which here takes half a second more."""
        slow = [tool("helper_delay_call"), WAIT4_CALL, 500]
        output = new_folder() / "cpu.pb.gz"
        result = run([*slow, ringside(), "-O", output, "sh", "-c", f"{fixture('split')} 100; sleep 0.2"])
        self.assertEqual(result.status, 0, result)
        self.assertGreater(Profile(output).frame_s(OUTSIDE_EVENTS), 0)


class KernelTime(KernelTest):
    @each_user
    def test_time_in_the_kernel_is_shown_sampled_or_not(self, user):
        profile, result = profile_run([fixture("kernelburn"), "2000"], user)
        self.assertTotal(profile, result)
        self.assertGreater(result.system_s, 0.5 * result.cpu_s, "the program does what it is for")
        hidden = profile.frame_s(KERNEL_NOT_PERMITTED)
        if user.privileged or paranoid() < 2:
            self.assertLess(hidden, 0.02 * result.cpu_s, profile.top())
            self.assertComplete(profile)
        else:
            self.assertAlmostEqual(hidden, result.system_s, delta=0.1 * result.cpu_s, msg=profile.top())


if __name__ == "__main__":
    main()
