#!/usr/bin/env python3
"""What is configured has its effect: each value from where people put it to the process, the profile or the log."""
import contextlib
import os
import time

from harness import (ME, KernelTest, Profile, each_user, fixture, main, new_folder, profile_run, profilers, python3,
                     ringside, run, supervisor, tool, wait_for, wait_profilers_gone, worker, setUpModule)  # noqa: F401 (setUpModule is for unittest)

SETPRIORITY_CALL = 141  # for helper_delay_call
SECRET = "0123456789abcdef0123456789abcdef"
PLAIN = {name: value for name, value in os.environ.items() if not name.startswith(("RINGSIDE_", "DD_", "OTEL_"))}


def comments_of(output):
    return Profile(output).comments


def threads_of(pid):
    return [int(task) for task in os.listdir(f"/proc/{pid}/task")]


class Process(KernelTest):
    def start_service(self, options, user, env=None):
        """The running target, and its profiler."""
        command = self.start([ringside(), *options, "-O", f"{new_folder(user)}/", fixture("sleeper"), "60000"], user, env=env)
        wait_for(lambda: os.readlink(f"/proc/{command.pid}/exe").endswith("sleeper"), "the target to run")
        return command, worker()

    @each_user
    def test_nice_and_affinity_are_the_profilers_and_not_the_targets(self, user):
        cpu = max(os.sched_getaffinity(0))
        command, pid = self.start_service(["--nice", "19", f"--cpu-affinity={cpu}"], user)
        for thread in threads_of(pid):
            with contextlib.suppress(ProcessLookupError):  # ended meanwhile
                self.assertEqual(os.getpriority(os.PRIO_PROCESS, thread), 19)
                self.assertEqual(os.sched_getaffinity(thread), {cpu})
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, command.pid), os.getpriority(os.PRIO_PROCESS, 0))
        self.assertEqual(os.sched_getaffinity(command.pid), os.sched_getaffinity(0))
        command.kill()
        wait_profilers_gone()

    def test_a_mask_of_ddprofs_means_what_it_means_there(self):
        _, pid = self.start_service([], ME, {**PLAIN, "DD_PROFILING_CPU_AFFINITY": "1", "DD_PROFILING_NICE": "19"})
        self.assertEqual(os.sched_getaffinity(pid), {0})
        self.assertEqual(os.getpriority(os.PRIO_PROCESS, pid), 19)

    @each_user
    def test_not_enabled_the_command_runs_and_there_is_no_profiler(self, user):
        """Where a profile would go is not asked for either."""
        for options, env in ((["--no-enable"], {}), ([], {"RINGSIDE_ENABLE": "no"}), ([], {"DD_PROFILING_ENABLED": "false"})):
            command = self.start([ringside(), *options, fixture("sleeper"), "60000"], user, env={**PLAIN, **env})
            wait_for(lambda: os.readlink(f"/proc/{command.pid}/exe").endswith("sleeper"), "the target to run")
            self.assertEqual(profilers(), [])
            command.kill()
        self.assertEqual(run([ringside(), "--no-enable", "sh", "-c", "echo ran; exit 3"], user).status, 3)

    def test_the_command_waits_for_the_profiler_as_long_as_it_is_told(self):
        """The profiler sets its nice value before it is ready; here that takes five seconds."""
        slow = [tool("helper_delay_call"), SETPRIORITY_CALL, 5000]
        waited = {}
        for limit in ("100ms", "60s"):
            begun = time.time()
            result = run([*slow, ringside(), "--start-timeout", limit, "--nice", "19", "-O", new_folder() / "cpu.pb.gz",
                          python3(), "-c", "import time; print(time.time())"])
            waited[limit] = float(result.out) - begun
        self.assertLess(waited["100ms"], 5)
        self.assertGreaterEqual(waited["60s"], 5)


class Comments(KernelTest):
    def check(self, comments, wanted):
        for comment in wanted:
            self.assertIn(comment, comments)

    def test_flags(self):
        output = new_folder() / "cpu.pb.gz"
        run([ringside(), "-S", "web shop", "-E", "prod", "-V", "1.4.2", "--runtime-id", "0a-1b", "-T", "team:core", "-T", "zone:a",
             "-O", output, "true"], env=PLAIN)
        self.check(comments_of(output), ["service: web shop", "environment: prod", "version: 1.4.2", "runtime id: 0a-1b",
                                         "tag: team:core", "tag: zone:a"])

    @each_user
    def test_dockerfile(self, user):
        """ENTRYPOINT ["ringside"], everything else from ENV."""
        output = new_folder(user) / "cpu.pb.gz"
        run([ringside(), "true"], user, env={
            **PLAIN, "RINGSIDE_OUTPUT": str(output), "DD_SERVICE": "shop", "DD_ENV": "prod", "DD_TAGS": "team:core zone:a",
            "OTEL_RESOURCE_ATTRIBUTES": "service.version=1.4%2E2,k8s.pod.name=%22shop-0%22"})
        self.check(comments_of(output), ["service: shop", "environment: prod", "version: 1.4.2", "tag: team:core", "tag: zone:a",
                                         'tag: k8s.pod.name:"shop-0"'])

    @each_user
    def test_file_in_the_working_folder(self, user):
        folder = new_folder(user)
        (folder / "ringside.conf").write_bytes(b"\xef\xbb\xbfservice = shop\r\ntags = [a:1, 'b:2']\r\noutput = cpu.pb.gz")
        user.owns(folder / "ringside.conf")
        result = run([ringside(), "true"], user, env=PLAIN, cwd=folder)
        self.assertEqual((result.status, result.err), (0, ""))
        self.check(comments_of(folder / "cpu.pb.gz"), ["service: shop", "tag: a:1", "tag: b:2"])

    def test_a_run_has_an_identity_of_its_own(self):
        """The same in all of its profiles, another the next time."""
        seen = []
        for _ in range(2):
            folder = new_folder() / "profiles"
            run([ringside(), "--wait", "-u", "1", "-O", f"{folder}/", fixture("split"), "2500"], env=PLAIN)
            found = [c for file in folder.iterdir() for c in comments_of(file) if c.startswith("runtime id: ")]
            self.assertGreaterEqual(len(found), 2)
            self.assertEqual(len(set(found)), 1, found)
            self.assertRegex(found[0], r"^runtime id: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
            seen.append(found[0])
        self.assertNotEqual(*seen)


class Sampling(KernelTest):
    @each_user
    def test_processes_beyond_the_maximum_are_one_and_their_time_is_there(self, user):
        script = "for i in 1 2 3 4 5 6 7 8 9 10; do " + fixture("split") + " 200 & done; wait"
        profile, result = profile_run(["sh", "-c", script], user, ("--frequency", "999", "--maximum-pids", "2"))
        self.assertTotal(profile, result, slack_s=0.05)
        apart = {labels["pid"] for _, _, labels in profile.samples if "pid" in labels}
        self.assertLessEqual(len(apart), 2, apart)
        rest = profile.total_s(lambda stack, labels: labels.get("process_name") == "[too many processes]")
        self.assertGreater(rest, 0.6 * profile.total_s(), profile.top())
        shown = profile.total_s(lambda stack, labels: "[too many processes]" in stack)
        self.assertGreater(shown, 0.5 * profile.total_s(), profile.top())

    def test_samples_are_shown_as_text_where_messages_go(self):
        log = new_folder() / "log"
        for options in ([], ["-o", log]):
            result = run([ringside(), "--show-samples", *options, "-O", new_folder() / "cpu.pb.gz", fixture("split"), "500"])
            shown = log.read_text() if options else result.err
            self.assertRegex(shown, r"(?m)^split/split;.*;main;.*sixty\S* \d+ \d+$")
            self.assertNotIn(";main;", result.out)
        self.assertEqual(result.err, "")


class Messages(KernelTest):
    TARGET = ["sh", "-c", "echo out; echo err >&2"]

    def run_with(self, *options, user, **more):
        return run([ringside(), "-l", "debug", *options, "-O", new_folder(user) / "cpu.pb.gz", *self.TARGET], user, **more)

    @each_user
    def test_stdout_is_the_targets_unless_it_is_asked_for(self, user):
        result = self.run_with(user=user)
        self.assertEqual(result.out, "out\n")
        self.assertIn("debug:", result.err)
        result = self.run_with("-o", "stdout", user=user)
        self.assertIn("debug:", result.out)
        self.assertEqual(result.err, "err\n")

    @each_user
    def test_disabled_is_silent(self, user):
        result = self.run_with("-o", "disabled", user=user)
        self.assertEqual((result.status, result.out, result.err), (0, "out\n", "err\n"))

    @each_user
    def test_a_file_is_appended_to(self, user):
        log = new_folder(user) / "log"
        log.write_text("before\n")
        user.owns(log)
        result = self.run_with("--log-mode", log, user=user)
        self.assertEqual((result.status, result.out, result.err), (0, "out\n", "err\n"))
        self.assertRegex(log.read_text(), r"^before\n(.*\n)*.*debug: ")

    @each_user
    def test_without_a_syslog_daemon_nothing_is_said_and_nothing_breaks(self, user):
        result = self.run_with("-o", "syslog", user=user)
        self.assertEqual((result.status, result.out, result.err), (0, "out\n", "err\n"))

    def test_a_log_that_cannot_be_written_starts_nothing(self):
        result = self.run_with("-o", "/no/such/folder/log", user=ME)
        self.assertEqual((result.status, result.out), (2, ""))
        self.assertIn("/no/such/folder/log", result.err)


class Secrets(KernelTest):
    def test_a_key_is_nowhere_to_be_read(self):
        """It comes by a variable or a file, and is not in the log, the configuration shown or captured, the process list."""
        folder = new_folder()
        (folder / "secret.conf").write_text(f"service = shop\napi-key = '{SECRET}'\n")
        env = {**PLAIN, "DD_API_KEY": SECRET}
        command = self.start([ringside(), "-l", "debug", "--show-config", "--capture-config", folder / "captured.conf",
                              "-O", f"{folder}/", fixture("sleeper"), "60000"], env=env, cwd=folder)
        wait_for(lambda: os.readlink(f"/proc/{command.pid}/exe").endswith("sleeper"), "the target to run")
        for pid in (supervisor(), worker()):
            with open(f"/proc/{pid}/cmdline") as words:
                self.assertNotIn(SECRET, words.read())
        command.kill()
        wait_profilers_gone()
        self.assertIn("api-key", command.text("stderr"))
        for text in (command.text("stderr"), command.text("stdout"), (folder / "captured.conf").read_text(),
                     "".join(comments_of(next(folder.glob("*.pb.gz"))))):
            self.assertNotIn(SECRET, text)
        for words in (["--api-key", SECRET], [f"--api_key={SECRET}"], [f"-A{SECRET}"], ["--config", folder / "secret.conf", "--show-config"]):
            result = run([ringside(), *words, "-O", folder / "cpu.pb.gz", "true"], env=PLAIN)
            self.assertEqual(result.status, 0 if "--config" in words else 2)
            self.assertNotIn(SECRET, result.err + result.out)
        self.assertRegex(result.err, r"api-key += \(set\) +# .*secret.conf:2")


if __name__ == "__main__":
    main()
