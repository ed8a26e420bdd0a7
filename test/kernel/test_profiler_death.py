#!/usr/bin/env python3
"""What happens to the target and the profile when the profiler is killed or told to stop."""
import contextlib
import os
import random
import signal
import textwrap
import time

from harness import (IS_ROOT, ME, KernelTest, Profile, cpu_s, each_user, kill_all, main, new_folder, profilers, python3, require,
                     ringside, session_of, wait_for, setUpModule)  # noqa: F401 (setUpModule is for unittest)

# Works until a file appears, then tells that all is well.
WORKS_UNTIL = textwrap.dedent("""
    import os, sys
    print("up", flush=True)
    while not os.path.exists(sys.argv[1]):
        sum(range(1000))
        if not os.path.isdir(os.path.dirname(sys.argv[1])):
            sys.exit("the test has gone")
    print("unharmed", flush=True)
    sys.exit(3)
""")


# In a mount namespace of its own: a system log that prints what it gets, until the command that was started ends.
LOGS = textwrap.dedent("""
    import os, socket, subprocess, sys
    folder = sys.argv[1]
    for name in ("null", "zero", "full", "random", "urandom"):
        open(folder + "/" + name, "w").close()
        subprocess.run(["mount", "--bind", "/dev/" + name, folder + "/" + name], check=True)
    subprocess.run(["mount", "--rbind", folder, "/dev"], check=True)
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    log.settimeout(0.1)
    command = subprocess.Popen(sys.argv[2:])
    while True:
        try:
            print(log.recv(4096).decode(), flush=True)
        except TimeoutError:
            if command.poll() is not None:
                break
    sys.exit(command.returncode)
""")


class Death(KernelTest):
    def start_working(self, user, *options):
        self.until = new_folder(user) / "end"
        command = self.start([ringside(), *options, python3(user), "-c", WORKS_UNTIL, self.until], user)
        return command

    def assertUnharmed(self, command):
        self.until.touch()
        result = command.wait(60)
        self.assertEqual((result.status, result.out), (3, "up\nunharmed\n"), result)

    @each_user
    def test_target_survives_a_killed_profiler(self, user):
        folder = new_folder(user)
        for shape in (["-O", f"{folder}/"], ["-O", folder / "cpu.pb.gz"]):
            with self.subTest(shape=shape[-1]):
                command = self.start_working(user, *shape)
                wait_for(lambda: "up" in command.text("stdout"), "the command to run")
                killed = profilers(but=[command.pid])
                self.assertTrue(killed)
                kill_all(killed, signal.SIGKILL)
                wait_for(lambda: not profilers(but=[command.pid]), "the profiler to be dead")
                self.assertUnharmed(command)
        for file in os.listdir(folder):  # a worker that outlives its supervisor for a moment writes what it has
            if not file.startswith("."):
                Profile(folder / file)

    def test_target_survives_a_profiler_killed_at_any_moment(self):
        """From the first instant on, when the rings are not handed over yet, to well into the run."""
        random.seed(7)
        for turn in range(30):
            shape = ["-O", f"{new_folder()}/"] if turn % 2 else ["-O", new_folder() / "cpu.pb.gz"]
            command = self.start_working(ME, *shape)
            deadline = time.monotonic() + random.choice((0, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.01, 0.03))
            while time.monotonic() < deadline:
                pass
            # Before the hand-over both look alike; the started process itself is not the profiler.
            wait_for(lambda: profilers(but=[command.pid]) or "up" in command.text("stdout"), "somebody to kill")
            kill_all([pid for pid in profilers(but=[command.pid]) if os.path.exists(f"/proc/{pid}") and is_detached(pid)], signal.SIGKILL)
            wait_for(lambda: "up" in command.text("stdout"), "the command to run")
            self.assertUnharmed(command)
            kill_all(profilers(), signal.SIGKILL)  # where the moment was too early to find it

    @each_user
    def test_sigterm_to_the_profiler_writes_the_last_profile(self, user):
        folder = new_folder(user)
        command = self.start_working(user, "--frequency", "499", "-O", f"{folder}/", "-S", "told")
        wait_for(lambda: cpu_s(command.pid) > 1, "a second of work")
        kill_all(profilers(but=[command.pid]), signal.SIGTERM)
        files = wait_for(lambda: sorted(folder.glob("told*.pb.gz")), "the profile")
        self.assertGreater(Profile(*files).total_s(), 0.7)
        wait_for(lambda: not profilers(but=[command.pid]), "the profiler to end")
        self.assertUnharmed(command)

    def test_sigterm_to_the_profiler_of_the_parent_shape_keeps_the_command(self):
        output = new_folder() / "cpu.pb.gz"
        command = self.start_working(ME, "--frequency", "499", "-O", output)
        wait_for(lambda: "up" in command.text("stdout"), "the command to run")
        kill_all([pid for pid in profilers(but=[command.pid]) if is_detached(pid)], signal.SIGTERM)
        wait_for(output.exists, "the profile")
        Profile(output)
        self.assertUnharmed(command)

    def test_profiler_that_logs_to_syslog_hears_sigterm(self):
        require("root", IS_ROOT, "only root makes mount namespaces here")
        folder, self.until = new_folder(), new_folder() / "end"
        command = self.start(["unshare", "-m", python3(), "-c", LOGS, new_folder(), ringside(), "-o", "syslog", "-l", "debug", "-u", "1",
                              "-O", f"{folder}/", "-S", "logged", python3(), "-c", WORKS_UNTIL, self.until])
        wait_for(lambda: "profile written" in command.text("stdout"), "the profile of the first period in the log")
        kill_all(profilers(), signal.SIGTERM)
        wait_for(lambda: not profilers(), "the profiler to end")
        self.until.touch()
        self.assertEqual(command.wait(60).status, 3)
        Profile(*folder.glob("logged*.pb.gz"))


def is_detached(pid):
    """The profiler leads a session of its own; what will become the command does not."""
    with contextlib.suppress(OSError, IndexError):
        return session_of(pid) != os.getsid(0)
    return False


if __name__ == "__main__":
    main()
