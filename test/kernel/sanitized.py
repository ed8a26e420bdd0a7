#!/usr/bin/env python3
"""Runs of a Ringside that was built with AddressSanitizer: no process of any of them reports a mistake or a leak. No name like the other
modules': this is for that build alone (test/checks/tests.cmake)."""
import os
import re
import signal
import subprocess

from harness import (IS_ROOT, ME, USERS, KernelTest, fixture, main, new_folder, processes_of, require_tool, ringside, run, wait_for,
                     wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule is for unittest)

# What a sanitizer's shadow takes is beyond any limit. log_threads: each check for leaks says that it is made.
OPTIONS = {"RINGSIDE_MEMORY_LIMIT": "0", "LSAN_OPTIONS": "log_threads=1"}
LEAKY = "#include <stdlib.h>\nint main(void) { volatile char *p = malloc(10); p = 0; return p != 0; }\n"


class Reports:
    """What the sanitizer of each process writes, by process id: where the worker may write, too, which is where profiles go."""

    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, **OPTIONS, "ASAN_OPTIONS": f"detect_leaks=1:log_path={self.folder}/report"}

    def all(self):
        return {int(file.suffix[1:]): file.read_text(errors="replace") for file in self.folder.glob("report.*")}

    def bad(self):
        return [text for text in self.all().values() if re.search("ERROR: |runtime error", text)]

    def checked_for_leaks(self):
        return [pid for pid, text in self.all().items() if "Processing thread" in text]


class Sanitized(KernelTest):
    def check(self, options, command, user=ME, status=0, processes=3):
        """options: given the folder. processes: how many of ours end in order, at least, by default the parent, the supervisor and the
        worker."""
        reports = Reports(new_folder(user))
        result = run([ringside(), *options(reports.folder), *command], user, env=reports.environment)
        wait_profilers_gone()
        self.assertEqual(reports.bad(), [], result)
        self.assertEqual(result.status, status, result)
        self.assertGreaterEqual(len(reports.checked_for_leaks()), processes, f"{reports.all()} {result}")

    def test_leaks_are_found_here(self):
        folder = new_folder()
        (folder / "leaky.c").write_text(LEAKY)
        subprocess.run([require_tool("cc"), "-fsanitize=address", "-o", folder / "leaky", folder / "leaky.c"], check=True)
        reports = Reports(folder)
        result = run([folder / "leaky"], env=reports.environment)
        self.assertNotEqual(result.status, 0, result)
        self.assertEqual(len(reports.bad()), 1)

    def test_parent_shape(self):
        for user in USERS:
            with self.subTest(user=user):
                self.check(lambda folder: ["--frequency", "999", "-O", folder / "cpu.pb.gz"], [fixture("forks"), "30", "20"], user)

    def test_service_shape(self):
        for user in USERS:
            with self.subTest(user=user):
                self.check(lambda folder: ["--frequency", "999", "-u", "1", "-O", f"{folder}/"], [fixture("threads"), "2", "1500"], user, processes=2)

    def test_nobody_takes_the_profiles(self):
        self.check(lambda folder: ["--url", "http://127.0.0.1:1", "--spool", folder, "--flush-timeout", "100ms", "-u", "1"],
                   [fixture("threads"), "2", "1200"], processes=2)

    def test_told_to_end(self):
        reports = Reports(new_folder())
        command = self.start([ringside(), "-O", f"{reports.folder}/", fixture("kernelburn"), "60000"], env=reports.environment)
        wait_for(lambda: processes_of(fixture("kernelburn")), "the command to run")
        os.kill(command.pid, signal.SIGTERM)
        command.wait(30)
        wait_profilers_gone()
        self.assertEqual(reports.bad(), [])

    def test_rights_are_given_up(self):
        if IS_ROOT:
            self.check(lambda folder: ["--drop-caps", "--switch-user", "54331:54332", "-O", folder / "cpu.pb.gz"], ["true"])

    def test_what_ends_at_once(self):
        for argv, status in ((["--help-all"], 0), (["-e", "help"], 0), (["--show-config"], 0), (["--no-such-option"], 2), (["-O", "/no/where", "true"], 2),
                             (["-O", new_folder() / "x.pb.gz", "/no/such/command"], 127)):
            with self.subTest(argv=argv):
                self.check(lambda folder: [], argv, status=status, processes=1)


if __name__ == "__main__":
    main()
