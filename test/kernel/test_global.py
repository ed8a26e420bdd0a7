#!/usr/bin/env python3
"""The whole host: all that ran, under its name, as much as the kernel says, in bounded memory."""
import os
import pathlib
import re
import signal
import subprocess

from harness import (CLOCK_TICKS, IS_ROOT, ME, ORDINARY, KernelTest, Profile, cpu_s, fixture, main, new_folder, paranoid, python3,
                     require, require_tool, ringside, run, status_number, stolen_s, wait_for, worker, setUpModule)  # noqa: F401 (setUpModule is for unittest)


def busy_s():
    """Time that was not idle, over all processors; what was stolen nobody had."""
    with open("/proc/stat") as stat:
        user, nice, system, _, _, irq, softirq = map(int, stat.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / CLOCK_TICKS


class Global(KernelTest):
    def setUp(self):
        super().setUp()
        require("root", IS_ROOT, "takes root")

    def global_run(self, *options):
        output = new_folder() / "cpu.pb.gz"
        command = self.start([ringside(), "-g", "-O", output, *options])
        wait_for(lambda: worker(), "it to begin")
        return command, output

    def stop(self, command, output):
        os.kill(command.pid, signal.SIGINT)
        result = command.wait()
        self.assertEqual(result.status, 0, result)
        return Profile(output)

    def test_all_processors_time_is_there_under_the_names_of_who_used_it(self):
        cpus = os.cpu_count()
        burners = [self.start([fixture("threads"), "1", "600000"], user) for user in (ME, ORDINARY)] + \
                  [self.start([fixture("threads"), "1", "600000"]) for _ in range(cpus)]
        wait_for(lambda: all(cpu_s(b.pid) > 0.05 for b in burners), "the targets to run")
        before_s = stolen_s()
        begin = busy_s(), [cpu_s(b.pid) for b in burners]
        command, output = self.global_run()
        began = busy_s(), [cpu_s(b.pid) for b in burners]
        wait_for(lambda: busy_s() - began[0] > 3 * cpus, "time to pass")
        ending = busy_s(), [cpu_s(b.pid) for b in burners]
        profile = self.stop(command, output)
        end = busy_s(), [cpu_s(b.pid) for b in burners]
        stolen = stolen_s() - before_s  # which events count, see KernelTest.assertUsed
        self.assertGreater(profile.total_s(), 0.98 * (ending[0] - began[0]) - 0.1, profile.top())
        self.assertLess(profile.total_s(), 1.02 * (end[0] - begin[0]) + 0.1 + stolen, profile.top())
        for i, burner in enumerate(burners):
            mine = lambda stack, labels: labels.get("pid") == str(burner.pid)  # noqa: E731, B023
            self.assertGreater(profile.total_s(mine), 0.8 * (ending[1][i] - began[1][i]) - 0.15, profile.top())
            self.assertLess(profile.total_s(mine), 1.2 * (end[1][i] - begin[1][i]) + 0.15 + stolen, profile.top())
            self.assertGreaterEqual(profile.complete_share(mine), 0.97, profile.incomplete_top())
        self.assertIn("kernel mode: sampled", profile.comments)

    def test_names_of_short_processes_are_not_lost_and_memory_does_not_grow(self):
        command, output = self.global_run()
        sizes = []
        for _ in range(4):
            run([fixture("children"), "400", "1", "exec"])
            sizes.append(status_number(worker(), "VmRSS"))
        profile = self.stop(command, output)
        theirs = [(stack, labels) for stack, values, labels in profile.samples if "child_leaf" in stack]
        self.assertGreater(profile.frame_s("child_leaf"), 0.5, profile.top())
        self.assertEqual({labels["process_name"] for _, labels in theirs}, {"exe"})  # which is how they are executed
        self.assertLess(profile.frame_s("[unmapped]"), 0.02 * profile.total_s(), profile.top())
        self.assertLess(sizes[-1], sizes[0] + 4096, sizes)

    def test_processes_make_room_for_others(self):
        command, output = self.global_run("--maximum-pids", "20", "--frequency", "199")
        targets = [self.start([fixture("threads"), "1", "600000"]) for _ in range(40)]
        wait_for(lambda: all(cpu_s(t.pid) > 0.1 for t in targets), "all to have their turn", 60)
        size = status_number(worker(), "VmRSS")
        profile = self.stop(command, output)
        self.assertGreater(profile.comment_number("processes forgotten to make room"), 20, profile.comments)
        seen = {int(pid) for pid in profile.labels("pid") if pid}
        self.assertLessEqual({t.pid for t in targets}, seen)
        theirs = [(stack, values) for stack, values, labels in profile.samples if labels.get("process_name") == "threads"]
        self.assertLess(sum(v[0] for s, v in theirs if "[unmapped]" in s), 0.02 * sum(v[0] for _, v in theirs), profile.top())
        self.assertLess(size, 100 << 10)

    def test_kernel_threads_and_the_profiler_have_their_names(self):
        command, output = self.global_run("--frequency", "999")
        run([fixture("kernelburn"), "1500"])
        profile = self.stop(command, output)
        names = profile.labels("process_name")
        self.assertIn("kernelburn", names)
        self.assertLess(profile.total_s(lambda stack, labels: labels.get("process_name") == "[unknown]"), 0.02 * profile.total_s(), names)

    def test_each_process_has_the_id_of_its_container(self):
        tops = [pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/pids")]  # of version 2, 1
        top = next((top for top in tops if (top / "cgroup.procs").exists()), None)
        require("cgroups", top, "no cgroups here")
        group = top / f"docker-{'5e' * 32}.scope"
        try:
            group.mkdir()
        except OSError as why:
            require("cgroups", False, f"no cgroup can be made: {why}")
        try:
            inside = self.start([fixture("threads"), "1", "600000"])
            (group / "cgroup.procs").write_text(str(inside.pid))
            outside = self.start([fixture("threads"), "1", "600000"])
            command, output = self.global_run("--frequency", "499")
            begin = cpu_s(inside.pid), cpu_s(outside.pid)
            wait_for(lambda: cpu_s(inside.pid) > begin[0] + 0.3 and cpu_s(outside.pid) > begin[1] + 0.3, "both to run")
            profile = self.stop(command, output)
            ids = {labels.get("pid"): labels.get("container_id") for _, _, labels in profile.samples}
            self.assertEqual(ids[str(inside.pid)], "5e" * 32)
            self.assertIsNone(ids[str(outside.pid)])
        finally:
            for target in self.started:
                target.kill()
            wait_for(lambda: not (group / "cgroup.procs").read_text(), "the group to be empty")
            group.rmdir()

    def test_processes_that_are_not_to_be_seen_are_one(self):
        """In a pid namespace of its own the profiler sees samples of all, and ids of few."""
        unshare = require_tool("unshare")
        outside = self.start([fixture("threads"), "1", "600000"])
        output = new_folder() / "cpu.pb.gz"
        result = run([unshare, "--pid", "--fork", "--mount-proc", ringside(), "-g", "-O", output, "--duration", "2"])
        self.assertEqual(result.status, 0, result)
        profile = Profile(output)
        self.assertNotIn(str(outside.pid), profile.labels("pid"))
        self.assertNotIn("threads", profile.labels("process_name"))
        hidden = profile.total_s(lambda stack, labels: labels.get("process_name") == "[idle or hidden]")
        self.assertGreater(hidden, 0.2, profile.top())

    def test_other_events_are_seen_of_everybody(self):
        command, output = self.global_run("-e", "sPF period=1")
        run([python3(), "-c", "x = bytearray(8 << 20)"])
        self.stop(command, output)


class Refused(KernelTest):
    def test_an_ordinary_user_is_told_what_it_takes(self):
        if paranoid() <= 0:
            self.skipTest("everybody may here")
        result = run([ringside(), "-g", "-O", new_folder(ORDINARY) / "cpu.pb.gz"], ORDINARY)
        self.assertEqual(result.status, 1, result)
        self.assertIn("CAP_PERFMON", result.err)
        self.assertIn("kernel.perf_event_paranoid", result.err)


if __name__ == "__main__":
    main()
