#!/usr/bin/env python3
"""What waits on disk: no room, its limit, many runs in one folder, runs that were killed, folders that are none."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from harness import (IS_ROOT, KernelTest, ME, ORDINARY, Profile, SOURCE, command_line, each_user, kill_all, main, new_folder, profilers,
                     require, ringside, run, wait_for, wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule: found by unittest)

sys.path.insert(0, str(SOURCE / "test"))
from fakes import DatadogFake, PlainFake  # noqa: E402

SHORT = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3"
NOBODY = "put+http://127.0.0.1:9/p/"


def requests_in(folder):
    return sorted(pathlib.Path(folder).rglob("*.request"))


def url_of(server):
    return f"put+{server.url}/p/" if isinstance(server, PlainFake) else f"{server.name}+{server.url}"


@contextlib.contextmanager
def full_disk():
    """A file system of 1 MB without a free byte; and the file that takes the room."""
    folder = new_folder()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "ringside-test", folder], stderr=subprocess.DEVNULL)
    require("mount", IS_ROOT and mounted.returncode == 0, "no file system may be mounted here")
    try:
        fill = os.open(folder / "fill", os.O_CREAT | os.O_WRONLY)
        with contextlib.suppress(OSError):
            while True:
                os.write(fill, bytes(4096))
        os.close(fill)
        yield folder, folder / "fill"
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


class SpoolTest(KernelTest):
    def setUp(self):
        super().setUp()
        self.stop_files = []

    def tearDown(self):
        for file in self.stop_files:
            file.touch()
        super().tearDown()

    def busy(self, server, spool, *options, user=ME):
        """A target that is busy until it is told to stop, in periods of 1 s. Returns (command, folder of its files)."""
        folder = new_folder(user)
        self.stop_files.append(folder / "stop")
        command = self.start([ringside(), "-S", "shop", "-u", "1", "-U", url_of(server), "--flush-timeout", "30s", "-l", "notice",
                              "-O", f"{folder}/out/", "--spool", spool, *options,
                              "sh", "-c", f"while [ ! -e {folder}/stop ]; do :; done"], user)
        return command, folder

    @staticmethod
    def files(folder):
        return sorted((folder / "out").glob("*.pb.gz"))

    def stop(self, command, folder):
        (folder / "stop").touch()
        result = command.wait()
        self.assertEqual(result.status, 0, result)
        wait_profilers_gone()
        return result

    def assertDeliveredOnce(self, server, files):
        self.assertEqual(server.violations, [])
        identities = server.identities()
        self.assertEqual(len(identities), len(set(identities)), identities)
        self.assertEqual(len(identities), len(files), server.summary())
        sent = [value for name, value in server.totals().items() if name in ("cpu/nanoseconds", "cpu-time/nanoseconds")]
        self.assertEqual(sent, [sum(values[1] for _, values, _ in Profile(*files).samples)])

    def test_a_full_disk_is_said_once_and_nothing_is_lost(self):
        with full_disk() as (disk, fill), PlainFake() as server:
            server.down()
            command, folder = self.busy(server, disk / "spool", "--wait")
            wait_for(lambda: len(self.files(folder)) >= 3, "three profiles", 60)
            self.assertEqual(requests_in(disk), [])
            fill.unlink()
            wait_for(lambda: len(requests_in(disk)) >= 3, "what was in memory to be on the disk", 60)
            server.up()
            result = self.stop(command, folder)
            self.assertDeliveredOnce(server, self.files(folder))
            self.assertEqual(len(re.findall("No space left on device", result.err)), 1, result)
            self.assertEqual(requests_in(disk), [])

    def test_at_its_limit_the_oldest_go_and_are_counted(self):
        """The folder is filled with copies of a request, up to the megabyte that is the least limit."""
        spool = new_folder() / "spool"
        run([ringside(), "-U", NOBODY, "--spool", spool, "--flush-timeout", "0", "--wait", "sh", "-c", SHORT])
        [first] = requests_in(spool)
        number, rest = first.name.split("-", 1)
        for i in range((1 << 20) // first.stat().st_size - 1):
            shutil.copy(first, first.with_name(f"{int(number) + 1 + i:010d}-{rest}"))
        before = requests_in(spool)
        output = new_folder()
        for _ in range(2):
            result = run([ringside(), "-u", "1", "-U", NOBODY, "--spool", spool, "--spool-limit", "1", "--flush-timeout", "0", "--wait",
                          "-O", f"{output}/", "sh", "-c",
                          f"n=$(ls {output} | wc -l); while [ $(ls {output} | wc -l) -lt $((n + 2)) ]; do :; done; exit 3"])
            self.assertEqual(result.status, 3, result)
        after = requests_in(spool)
        dropped = sorted(set(before) - set(after))
        self.assertEqual(dropped, before[:len(dropped)], "the oldest go first")
        self.assertGreater(len(dropped), 0)
        self.assertLessEqual(sum(path.stat().st_size for path in after), 1 << 20)
        self.assertRegex(result.err, r"dropped undelivered: the spool folder is full")
        self.assertEqual(result.err.count("dropped undelivered"), 1, "said once, counted each time")
        self.assertGreater(sum(int(n) for c in Profile(*output.glob("*.pb.gz")).comments for n in re.findall("no room ([0-9]+)", c)), 0)
        self.assertEqual(len(after), len(before) - len(dropped) + len(list(output.glob("*.pb.gz"))))

    @each_user
    def test_ten_runs_that_share_a_folder_deliver_everything_once(self, user):
        with DatadogFake(gaps=True) as server:
            server.down()
            spool = new_folder(user) / "spool"
            runs = [self.busy(server, spool, "--wait" if i % 2 else "--no-wait", user=user) for i in range(10)]
            wait_for(lambda: len(requests_in(spool)) >= 15, "profiles of all in the spool", 60)
            # Half of them end before there is a server, and leave theirs to the others.
            for command, folder in runs[:5]:
                kill_all([pid for pid in profilers(but=[command.pid]) if f"{folder}/out/" in command_line(pid)], signal.SIGKILL)
                (folder / "stop").touch()
                command.wait()
            held = len(requests_in(spool))
            server.up()
            for command, folder in runs[5:]:
                (folder / "stop").touch()
                self.assertEqual(command.wait().status, 0)
            wait_profilers_gone()
            last, folder = self.busy(server, spool, "--wait", user=user)
            self.stop(last, folder)
            self.assertEqual(requests_in(spool), [])
            self.assertEqual(server.violations, [])
            identities = server.identities()
            self.assertEqual(len(identities), len(set(identities)), identities)
            self.assertGreaterEqual(len(identities), held)
            sent = {upload.time_ns / 1e9 for upload in server.uploads()}
            for _, folder in runs[5:]:
                for file in self.files(folder):
                    self.assertIn(Profile(file).spans[0][0], sent)

    @each_user
    def test_what_a_killed_run_left_is_sent_by_the_next(self, user):
        """kill -9 of the profiler of a service that has become the command."""
        with PlainFake() as server:
            server.down()
            spool = new_folder(user) / "spool"
            command, folder = self.busy(server, spool, "--no-wait", user=user)
            wait_for(lambda: len(requests_in(spool)) >= 3, "three profiles in the spool", 60)
            kill_all(profilers(but=[command.pid]), signal.SIGKILL)
            wait_profilers_gone()
            kept = len(requests_in(spool))
            self.stop(command, folder)
            server.up()
            again, more = self.busy(server, spool, "--no-wait", user=user)
            server.wait_for(kept, what="accepted")
            self.stop(again, more)
            self.assertDeliveredOnce(server, self.files(folder)[:kept] + self.files(more))
            self.assertEqual(list(spool.iterdir()), [])


class UnusableFolders(KernelTest):
    """Profiles arrive all the same, the command is not touched, and one line says what is wrong with which folder."""

    def deliver(self, spool, said, user=ME, env=None):
        with DatadogFake() as server:
            result = run([ringside(), "-U", url_of(server), *spool, "--wait", "sh", "-c", SHORT], user, env=env)
            self.assertEqual(result.status, 3, result)
            self.assertEqual(len(server.accepted), 1, server.summary())
            self.assertEqual(len(result.err.splitlines()), 0 if said == "^$" else 1, result)
            self.assertRegex(result.err, said)

    def test_that_are_no_folder_or_not_ours(self):
        folder = new_folder()
        (folder / "file").touch()
        (folder / "open").mkdir()
        (folder / "open").chmod(0o777)
        self.deliver(["--spool", folder / "file"], "Not a directory")
        self.deliver(["--spool", folder / "open"], "written to by others")
        if IS_ROOT:
            self.deliver(["--spool", folder], "belongs to user 0", ORDINARY)
            self.deliver(["--spool", new_folder(ORDINARY)], "belongs to user")
            self.deliver(["--spool", folder / "under/it"], "Permission denied", ORDINARY)

    def test_without_a_home(self):
        env = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_STATE_HOME")}
        self.deliver([], "^$", ORDINARY, env)
        self.deliver([], "/proc/nowhere", ORDINARY, {**env, "HOME": "/proc/nowhere"})


if __name__ == "__main__":
    main()
