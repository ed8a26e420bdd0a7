#!/usr/bin/env python3
"""Starting and ending: exit status, signals, exec failures, process 1."""
import os
import pty
import signal
import subprocess
import sys
import textwrap

from harness import (IS_ROOT, ME, KernelTest, Profile, each_user, fixture, main, new_folder, python3, require,
                     require_tool, ringside, run, stolen_s, wait_for, wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule is for unittest)

# next_signals() of a command. Through a pipe, since pause() sleeps on when the signal came right before it.
TAKES_SIGNALS = textwrap.dedent("""
    import os, signal, sys
    came, comes = os.pipe()
    os.set_blocking(comes, False)
    signal.set_wakeup_fd(comes)
    def take(*numbers):
        for number in numbers:
            signal.signal(number, lambda number, frame: None)
    def next_signals():
        return os.read(came, 100)
""")
# Says which signal it got, as its exit status. Standard output tells when it is ready.
WAITS_FOR_SIGNAL = TAKES_SIGNALS + textwrap.dedent("""
    take(*map(int, sys.argv[1:]))
    print("ready", flush=True)
    sys.exit(next_signals()[0])
""")


class Status(KernelTest):
    def shapes(self, user):
        """Names and options of the ways to run: Ringside as parent, as service, as parent with a folder."""
        folder = new_folder(user)
        return (("parent", ["-O", folder / "cpu.pb.gz"]), ("service", ["-O", f"{folder}/profiles/"]),
                ("wait", ["--wait", "-O", f"{folder}/waited/"]))

    @each_user
    def test_exit_status_is_kept(self, user):
        for _, options in self.shapes(user):
            for status in (0, 1, 7, 255):
                result = run([ringside(), *options, "sh", "-c", f"exit {status}"], user)
                self.assertEqual(result.status, status, result)
                self.assertIsNone(result.signal, result)

    @each_user
    def test_death_by_signal_is_told_like_a_shell_does(self, user):
        for shape, options in self.shapes(user):
            for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV):
                result = run([ringside(), *options, "sh", "-c", f"ulimit -c 0; kill -{number.value} $$"], user)
                self.assertEqual(result.status, 128 + number, result)
                if shape == "service":
                    self.assertEqual(result.signal, number, "the command's own death is seen by its parent")

    @each_user
    def test_missing_command_is_127_and_leaves_nothing(self, user):
        for _, options in self.shapes(user):
            result = run([ringside(), *options, "/no/such/program"], user)
            self.assertEqual(result.status, 127, result)
            self.assertIn("/no/such/program", result.err)
            self.assertEqual(result.out, "")
        folder = new_folder(user)
        run([ringside(), "-O", folder / "cpu.pb.gz", "no-such-program-in-path"], user)
        self.assertEqual(os.listdir(folder), [], "no profile of a command that never was")

    @each_user
    def test_command_that_cannot_be_executed_is_126(self, user):
        plain = new_folder(user) / "plain"
        plain.write_text("not a program")
        for _, options in self.shapes(user):
            self.assertEqual(run([ringside(), *options, plain], user).status, 126)
            self.assertEqual(run([ringside(), *options, "/"], user).status, 126)

    @each_user
    def test_arguments_and_output_pass_untouched(self, user):
        for _, options in self.shapes(user):
            result = run([ringside(), *options, "printf", "%s|", "-O", "--", "", "a b", "-u"], user)
            self.assertEqual((result.status, result.out), (0, "-O|--||a b|-u|"), result)

    def test_input_passes_untouched(self):
        for _, options in self.shapes(ME):
            done = subprocess.run([ringside(), *map(str, options), "cat"], input=b"from here\n", capture_output=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (0, b"from here\n"), done)


class BadUse(KernelTest):
    def assertRefused(self, options, quoted):
        marker = new_folder() / "ran"
        result = run([ringside(), "-O", "x.pb.gz", *options, "touch", marker])
        self.assertEqual(result.status, 2, result)
        self.assertIn(quoted, result.err)
        self.assertFalse(marker.exists(), "nothing is started on a wrong option")

    def test_wrong_options_are_refused_with_their_text(self):
        for options, quoted in ((["--frequnecy", "99"], "--frequnecy"), (["--frequency", "fast"], "fast"),
                                (["--frequency", "0"], "0"), (["-u", "-1"], "-1"), (["-l", "loudly"], "loudly"),
                                (["--stack-sample-size", "999999999"], "999999999")):
            with self.subTest(options=options):
                self.assertRefused(options, quoted)

    def test_wrong_environment_is_refused_with_its_text(self):
        result = run([ringside(), "-O", "x.pb.gz", "true"], env={**os.environ, "RINGSIDE_FREQUENCY": "fast"})
        self.assertEqual(result.status, 2, result)
        self.assertIn("RINGSIDE_FREQUENCY", result.err)

    def test_half_a_command_line_is_refused(self):
        for options in ([], ["-O", "x.pb.gz"], ["--no-do-export", "true"], ["-O"]):
            with self.subTest(options=options):
                result = run([ringside(), *options], env={k: v for k, v in os.environ.items() if not k.startswith("RINGSIDE_")})
                self.assertEqual(result.status, 2, result)

    def test_help_and_version_go_to_stdout(self):
        for option, word in (("--help", "--frequency"), ("-h", "--frequency"), ("--version", "."), ("-v", ".")):
            result = run([ringside(), option])
            self.assertEqual(result.status, 0, result)
            self.assertIn(word, result.out)
            self.assertEqual(result.err, "")


class Signals(KernelTest):
    @each_user
    def test_parent_passes_signals_on(self, user):
        numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH,
                   signal.SIGALRM, signal.SIGCONT, signal.SIGRTMIN + 1]
        for number in numbers:
            with self.subTest(signal=number):
                output = new_folder(user) / "cpu.pb.gz"
                command = self.start([ringside(), "-O", output, python3(user), "-c", WAITS_FOR_SIGNAL,
                                      *[str(int(n)) for n in numbers]], user)
                wait_for(lambda: "ready" in command.text("stdout"), "the command to run")
                os.kill(command.pid, number)
                self.assertEqual(command.wait(30).status, number)
                Profile(output)

    def test_parent_works_where_child_signals_are_ignored(self):
        """Whoever started it may ignore SIGCHLD, which exec keeps: then the kernel reaps and tells nobody."""
        result = run([ringside(), "-O", new_folder() / "cpu.pb.gz", "grep", "SigIgn", "/proc/self/status"], timeout=30,
                     preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual(result.status, 0, result)
        self.assertTrue(int(result.out.split()[1], 16) >> (signal.SIGCHLD - 1) & 1, "and the command is started as it would have been")

    def test_signal_death_after_forwarding_is_128_plus_n(self):
        command = self.start([ringside(), "-O", new_folder() / "cpu.pb.gz", python3(), "-c", WAITS_FOR_SIGNAL])
        wait_for(lambda: "ready" in command.text("stdout"), "the command to run")
        os.kill(command.pid, signal.SIGTERM)
        self.assertEqual(command.wait(30).status, 128 + signal.SIGTERM)


# Counts SIGTERM until the signal that ends it: of two that are pending the kernel delivers both before the program goes on.
COUNTS_SIGTERM = TAKES_SIGNALS + textwrap.dedent("""
    take(signal.SIGTERM, signal.SIGRTMIN + 1)
    print("ready", flush=True)
    seen = b""
    while signal.SIGRTMIN + 1 not in seen:
        seen += next_signals()
    print("came", seen.count(signal.SIGTERM), flush=True)
""")
TAKES_HANG_UP = textwrap.dedent("""
    import os, signal
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    print("ready", flush=True)
    signal.sigwait({signal.SIGHUP})
    os._exit(9)
""")
# Leads a session without a terminal. Starts its arguments as a group of its own, or as one of its own group's, signals the group, and then
# the process alone.
SIGNALS_GROUP = textwrap.dedent("""
    import os, signal, subprocess, sys
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leads = sys.argv[1] == "leads"
    child = subprocess.Popen(sys.argv[2:], stdout=subprocess.PIPE, process_group=0 if leads else None,
                             preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    assert child.stdout.readline() == b"ready\\n"
    os.killpg(child.pid if leads else os.getpgrp(), signal.SIGTERM)
    os.kill(child.pid, signal.SIGRTMIN + 1)
    print(child.stdout.read().decode(), end="", flush=True)
    sys.exit(child.wait())
""")


class Groups(KernelTest):
    def test_signal_for_the_whole_group_comes_once(self):
        """As timeout(1), CI runners and other supervisors send it, without a terminal."""
        require("tools", sys.version_info >= (3, 11), "subprocess has no process_group")
        for shape in ("leads", "joins"):
            with self.subTest(shape=shape):
                command = [ringside(), "-O", new_folder() / "cpu.pb.gz", python3(), "-c", COUNTS_SIGTERM]
                result = run(["setsid", "--wait", sys.executable, "-c", SIGNALS_GROUP, shape, *command], timeout=60)
                self.assertEqual((result.status, result.out), (0, "came 1\n"), result)

    def test_loss_of_the_terminal_reaches_the_command(self):
        """The kernel tells the session's leader only."""
        output = new_folder() / "cpu.pb.gz"
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(ringside(), [ringside(), "-O", str(output), python3(), "-c", TAKES_HANG_UP])
        try:
            seen = b""
            while b"ready\r\n" not in seen:
                seen += os.read(terminal, 100)
            os.close(terminal)
            wait_for(lambda: os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT), "the command to end")
        except AssertionError:
            os.kill(pid, signal.SIGKILL)
            raise
        finally:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.assertEqual(status, 9)
        Profile(output)


class Background(KernelTest):
    def test_parent_returns_with_the_command_not_with_what_it_left_behind(self):
        folder = new_folder()
        os.mkfifo(folder / "hold")
        result = run([ringside(), "-O", folder / "cpu.pb.gz", "sh", "-c", f"(read line <{folder}/hold) & exit 3"], timeout=30)
        self.assertEqual(result.status, 3, result)
        Profile(folder / "cpu.pb.gz")
        (folder / "hold").write_text("go\n")

    @each_user
    def test_service_is_followed_to_its_last_process(self, user):
        folder = new_folder(user)
        before_s = stolen_s()
        result = run([ringside(), "--frequency", "999", "-S", "forking", "-O", f"{folder}/", "sh", "-c", f"{fixture('split')} 1000 & exit 0"], user)
        self.assertEqual(result.status, 0, result)
        files = wait_for(lambda: sorted(folder.glob("forking*.pb.gz")), "the profile")
        wait_profilers_gone()
        profile = Profile(*files)
        self.assertUsed(profile.frame_s("run"), 1, 0.05, stolen_s() - before_s, profile)


# Makes orphans that end at once, as many as it is told, and waits until somebody has reaped them. By their ids: who is still about to end
# is no zombie yet.
MAKES_ORPHANS = textwrap.dedent("""
    import os, sys, time
    count = int(sys.argv[1])
    told, tell = os.pipe()
    orphans = []
    for batch in range(0, count, 100):
        child = os.fork()
        if child == 0:
            for _ in range(min(count - batch, 100)):
                pid = os.fork()
                if pid == 0:
                    os._exit(0)
                os.write(tell, b"%d " % pid)
            os._exit(0)
        os.waitpid(child, 0)
        orphans += os.read(told, 4096).decode().split()
    deadline = time.monotonic() + 30
    while True:
        left = [pid for pid in orphans if os.path.exists(f"/proc/{pid}")]
        if not left or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    print(os.getppid(), len(orphans), len(left))
    sys.exit(5)
""")


class ProcessOne(KernelTest):
    def setUp(self):
        super().setUp()
        require("root", IS_ROOT, "only root makes pid namespaces here")
        require_tool("unshare")

    def test_process_1_reaps_keeps_status_and_saves_the_profile(self):
        output = new_folder() / "cpu.pb.gz"
        result = run(["unshare", "--pid", "--fork", "--mount-proc", ringside(), "--frequency", "999", "-O", output, python3(), "-c", MAKES_ORPHANS, "20"])
        self.assertEqual(result.status, 5, result)
        self.assertEqual(result.out.split(), ["1", "20", "0"], "parent is process 1, no orphan is left")
        self.assertGreater(Profile(output).total_s(), 0)


if __name__ == "__main__":
    main()
