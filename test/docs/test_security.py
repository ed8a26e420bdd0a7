#!/usr/bin/env python3
"""What docs/security.md says that can be looked at: permissions of files, open sockets, maximums, the list of system calls, options.

    test_security.py --ringside BINARY [unittest arguments]

Who has which capabilities while a program is profiled is in test/kernel/test_confinement.py.
"""
import argparse
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

from pages import SOURCE

PAGE = SOURCE / "docs/security.md"
SKIPPED = 77
BUSY = ["/bin/sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"]

ringside = None


def mode(path):
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def row(first):
    """The row of a table that begins so, as one text."""
    return next(" ".join(cells) for cells in (line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("|"))
                if cells[0] == first)


class Security(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ringside-docs-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.text = PAGE.read_text()

    def run_ringside(self, *words, umask=0o022):
        return subprocess.run([ringside, *map(str, words), *BUSY], env={"PATH": os.environ["PATH"]}, cwd=self.folder, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, umask=umask, timeout=120)

    def test_files_have_the_permissions_of_the_table(self):
        for umask, profile, folder in ((0o022, "0644", "0755"), (0o077, "0600", "0700"), (0, "0644", "0777")):
            place = self.folder / f"of-{umask:o}"
            place.mkdir()
            done = self.run_ringside("--wait", "-O", f"{place}/out/", "-o", place / "log", "-l", "notice", "-U", "put+http://127.0.0.1:9/x/",
                                     "--spool", place / "spool", "--flush-timeout", "0s", umask=umask)
            files = list((place / "out").iterdir())
            if not files:
                self.skipTest(f"nothing is profiled here: {done.stderr}")
            self.assertEqual([mode(file) for file in files], [profile] * len(files))
            self.assertEqual(mode(place / "out"), folder)
            self.assertEqual(mode(place / "log"), profile)
            spooled = [place / "spool", *(place / "spool").rglob("*")]
            self.assertEqual({mode(path) for path in spooled if path.is_dir()}, {"0700"})
            self.assertEqual({mode(path) for path in spooled if path.is_file()}, {"0600"})
            self.assertTrue(any(path.suffix == ".request" for path in spooled))
        self.assertIn("0644 less the umask", row("profiles"))
        self.assertIn("0777 less the umask", row("profiles"))
        self.assertIn("folders 0700, files 0600", row("spool"))
        self.assertIn("0644 less the umask", row("log"))

    def test_maximums_are_those_of_the_source(self):
        worker = (SOURCE / "src/worker/worker.c").read_text()
        unwind = (SOURCE / "include/ringside/unwind.h").read_text()
        paragraph = re.search(r"A target can make the worker do work.*?\n\n", self.text, re.DOTALL).group()
        limits = {name: int(value) << int(shift or 0)
                  for name, value, shift in re.findall(r"\.(images|processes|tasks|mappings|stacks|rows) = (\d+)(?: << (\d+))?", worker)}
        self.assertEqual(limits["processes"], limits["images"])
        for name, unit in (("processes", "processes and images"), ("tasks", "tasks"), ("mappings", "mappings"), ("stacks", "different stacks")):
            self.assertRegex(paragraph, rf"\b{limits[name]} {unit}")
        self.assertIn(re.search(r"UNWIND_MAX_FRAMES (\d+)", unwind).group(1) + " frames", paragraph)
        self.assertGreaterEqual(limits["rows"], 1000000)

    def test_calls_that_are_named_are_refused(self):
        source = (SOURCE / "src/sandbox/maker/make_filter.c").read_text()
        refused = re.search(r"refused\[\] = \{(.*?)\};", source, re.DOTALL).group(1)
        section = re.search(r"## The worker's system calls\n(.*?)\n## ", self.text, re.DOTALL).group(1)
        for name in ("ptrace", "bpf", "perf_event_open"):
            self.assertIn(f"`{name}`", section)
            self.assertIn(f"__NR_{name},", refused)
        self.assertNotRegex(re.search(r"always\[\] = \{(.*?)\};", source, re.DOTALL).group(1), r"__NR_(open|openat|openat2|chmod|truncate|mmap|clone),")
        for call in ("execve", "fork", "process_vm_writev", "setuid", "mount", "io_uring_setup", "keyctl", "listen"):
            self.assertIn(f"__NR_{call},", refused)

    def test_options_and_files_are_there(self):
        known = subprocess.run([ringside, "--help-all"], stdout=subprocess.PIPE, text=True, check=True).stdout.replace("[no-]", "")
        for option in set(re.findall(r"`(--[a-z-]+)", self.text)) - {"--version"}:
            self.assertIn(option, known)
        for path in re.findall(r"`((?:src|test)/[\w/.]+)`", self.text):
            self.assertTrue((SOURCE / path).exists(), path)


class Runner(unittest.TextTestRunner):
    def run(self, test):
        result = super().run(test)
        if result.wasSuccessful() and result.testsRun == len(result.skipped):
            sys.exit(SKIPPED)
        return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ringside", required=True, type=os.path.abspath)
    arguments, rest = parser.parse_known_args()
    ringside = arguments.ringside
    unittest.main(argv=[sys.argv[0], "-v", *rest], testRunner=Runner)
