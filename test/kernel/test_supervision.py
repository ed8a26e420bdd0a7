#!/usr/bin/env python3
"""A worker that is lost is followed by another, and what was counted is still there."""
import contextlib
import fcntl
import gzip
import io
import os
import pty
import random
import re
import select
import signal
import time

from harness import (ME, KernelTest, Profile, cpu_s, each_user, fixture, kill_all, main, name_of, new_folder, profilers, ringside, run,
                     supervisor, wait_for, wait_profilers_gone, worker, setUpModule)  # noqa: F401 (setUpModule is for unittest)

# A longer run by hand: RINGSIDE_TEST_LOSSES=60.
LOSSES = int(os.environ.get("RINGSIDE_TEST_LOSSES", "5"))
EVERY_S = 1.0
LOST = "[lost: the profiler was restarted]"
WAYS = [signal.SIGSEGV, signal.SIGKILL, signal.SIGSTOP]


def lose(way):
    """Takes the worker away, and waits for another."""
    pid = worker()
    os.kill(pid, way)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}") or name_of(pid) is None, "the worker to be gone")
    return worker()


class Lost(KernelTest):
    def burn_and_lose(self, ways, user=ME):
        """Two processes, busy until all losses are over, whose profiler loses a worker every second."""
        folder = new_folder(user)
        busy = f"{fixture('split')} 3600000"
        command = self.start([ringside(), "--wait", "-O", f"{folder}/", "-S", "guarded", "sh", "-c",
                              f"{busy} & one=$!; {busy} & trap \"kill $one $!\" TERM; wait; wait; exit 3"], user)
        wait_for(lambda: len(profilers(but=[command.pid])) >= 2, "a worker")
        for turn in range(LOSSES):
            time.sleep(EVERY_S)  # the subject: a loss every second
            lose(ways[turn % len(ways)])
        time.sleep(EVERY_S)
        command.process.send_signal(signal.SIGTERM)
        result = command.wait(60)
        self.assertEqual(result.status, 3, result)
        return Profile(*sorted(folder.iterdir())), result

    def check(self, ways, user=ME):
        profile, result = self.burn_and_lose(ways, user)
        sampled = profile.sampled_s()
        self.assertGreaterEqual(sampled, 0.9 * result.cpu_s, profile.top())
        self.assertTotal(profile, result)
        told = re.findall(r"restarts: (\d+)", "\n".join(profile.comments))
        self.assertEqual(sum(map(int, told)), LOSSES, profile.comments)
        print(f"sampled {sampled / result.cpu_s:.3f}, lost {profile.frame_s(LOST) / result.cpu_s:.3f} of {result.cpu_s:.1f} s")
        self.assertEqual(result.err.count("was lost"), LOSSES if LOSSES <= 16 else 16 + LOSSES.bit_length() - 5, result.err)

    def test_crashes(self):
        self.check([signal.SIGSEGV])

    @each_user
    def test_kills_stops_and_crashes(self, user):
        self.check(WAYS, user)


class Ending(KernelTest):
    def start_busy(self, *options):
        folder = new_folder()
        command = self.start([ringside(), *options, "-O", f"{folder}/", "-S", "ends", fixture("split"), "3000"])
        worker()
        wait_for(lambda: cpu_s(command.pid) > 0.3, "some work")
        return command, folder

    def test_worker_writes_the_profile_when_its_supervisor_is_killed(self):
        command, folder = self.start_busy()
        os.kill(supervisor(), signal.SIGKILL)
        file, = wait_for(lambda: list(folder.glob("ends*.pb.gz")), "the profile")
        self.assertGreater(Profile(file).total_s(), 0.2)
        wait_for(lambda: not profilers(but=[command.pid]), "the worker to end")
        self.assertEqual(command.wait(60).status, 0)

    def test_both_told_to_end_at_once_write_one_profile(self):
        command, folder = self.start_busy()
        kill_all(profilers(but=[command.pid]), signal.SIGTERM)  # the first tells the other, which may be quick
        wait_for(lambda: not profilers(but=[command.pid]), "the profiler to end")
        file, = folder.glob("ends*.pb.gz")
        self.assertGreater(Profile(file).total_s(), 0.2)
        self.assertEqual(command.wait(60).status, 0)

    def test_worker_lost_while_the_profile_is_due_is_followed_by_one_that_writes_it(self):
        random.seed(5)
        for _ in range(5):
            output = new_folder() / "cpu.pb.gz"
            # It waits to be told, or it might have come and gone before the worker is seen.
            command = self.start([ringside(), "--frequency", "999", "-O", output, "sh", "-c",
                                  f"echo up; until [ -e go ]; do sleep 0.01; done; exec {fixture('split')} 300"])
            pid = worker()
            wait_for(lambda: "up" in command.text("stdout"), "the command to run")
            (command.folder / "go").touch()
            wait_for(lambda: not children_of(command.pid), "the command to end")
            kill_all([pid], signal.SIGKILL)  # unless it was quicker
            self.assertEqual(command.wait(60).status, 0)
            self.assertGreater(Profile(output).total_s(), 0.2)


class Slow(KernelTest):
    def test_who_reads_the_profile_slowly_costs_no_worker(self):
        pipe = new_folder() / "pipe"
        os.mkfifo(pipe)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        try:
            fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
            command = self.start([ringside(), "--frequency", "999", "-O", pipe, "sh", "-c", "find /usr/include /usr/share | sort | md5sum; "
                                  + f"{fixture('split')} 300"])
            waited = io.BytesIO()
            pid = worker()
            wait_for(lambda: poll_in(reader), "the profile", 60)
            time.sleep(13)  # the subject: longer than any silence
            self.assertEqual(worker(), pid)
            os.set_blocking(reader, True)
            while part := os.read(reader, 1 << 16):
                waited.write(part)
        finally:
            os.close(reader)
        result = command.wait(60)
        self.assertEqual((result.status, result.err), (0, ""), result)
        self.assertGreater(len(waited.getvalue()), 4096)  # or nobody had to wait
        gzip.decompress(waited.getvalue())


class Terminal(KernelTest):
    def test_what_is_said_on_a_terminal_does_not_stop_the_worker(self):
        """With "stty tostop" who is not in the foreground group may not write."""
        folder = new_folder()
        target = self.start([fixture("split"), "60000"])
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv("/bin/sh", ["sh", "-c", 'stty tostop; exec "$@"', "sh", ringside(), "-l", "debug", "-u", "1", "-O", f"{folder}/",
                                 "-p", str(target.pid)])
        said = b""
        try:
            wait_for(lambda: len(list(folder.glob("*.pb.gz"))) >= 2, "two profiles")
            os.kill(pid, signal.SIGINT)
            with contextlib.suppress(OSError):  # EIO: nobody has it open any more
                while part := os.read(terminal, 4096):
                    said += part
        finally:
            _, status = os.waitpid(pid, 0)
            os.close(terminal)
            os.kill(target.pid, signal.SIGKILL)
        self.assertEqual(status, 0, said)
        self.assertIn(b"profile written", said)
        self.assertNotIn(b"was lost", said)


def poll_in(fd):
    return select.select([fd], [], [], 0)[0]


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return children.read().split()
    except OSError:
        return []


class Refreshed(KernelTest):
    def test_a_new_worker_takes_over_after_so_many_profiles(self):
        folder = new_folder()
        result = run([ringside(), "--wait", "-u", "1", "--worker-period", "1", "-O", f"{folder}/", fixture("split"), "4000"])
        files = sorted(folder.iterdir())
        self.assertGreaterEqual(len(files), 3)
        profile = Profile(*files)
        self.assertTotal(profile, result)
        self.assertEqual(result.err, "")
        self.assertIn("refreshes: 1", "\n".join(profile.comments))
        wait_profilers_gone()

    def test_a_memory_limit_that_cannot_be_kept_takes_ever_fewer_workers(self):
        folder = new_folder()
        began_s = time.monotonic()
        result = run([ringside(), "--wait", "--memory-limit", "1", "-O", f"{folder}/", fixture("split"), "9000"])
        self.assertEqual(result.status, 0, result)
        workers = result.err.count("another worker goes on")
        self.assertGreaterEqual(workers, 1, result)
        self.assertLessEqual(2 ** workers - 1, time.monotonic() - began_s, result)  # each looks twice as late
        self.assertTotal(Profile(*folder.iterdir()), result)
        wait_profilers_gone()


if __name__ == "__main__":
    main()
