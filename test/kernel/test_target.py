#!/usr/bin/env python3
"""What the target sees: the same as without ringside."""
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import textwrap

from harness import (KernelTest, each_user, main, new_folder, parent_of, profilers, python3, require_tool, ringside, run,
                     session_of, wait_for, setUpModule)  # noqa: F401 (setUpModule is for unittest)

# Everything a process can easily learn about itself, as JSON.
LOOK = textwrap.dedent("""
    import ctypes, json, os, resource, signal
    fds = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            fds[fd] = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            pass  # the listing's own
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    pdeathsig = ctypes.c_int()
    libc = ctypes.CDLL(None)
    libc.prctl(2, ctypes.byref(pdeathsig), 0, 0, 0)
    print(json.dumps({
        "pid": os.getpid(), "ppid": os.getppid(), "sid": os.getsid(0), "pgid": os.getpgid(0),
        "environ": dict(os.environ), "cwd": os.getcwd(), "umask": os.umask(0), "fds": fds, "nice": os.nice(0),
        "children": open("/proc/self/task/%d/children" % os.getpid()).read().split(),
        "threads": status["Threads"], "seccomp": status["Seccomp"], "no_new_privs": status["NoNewPrivs"],
        "signals": [status[k] for k in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")],
        "caps": [status[k] for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")],
        "cpus": status["Cpus_allowed"], "oom": open("/proc/self/oom_score_adj").read(),
        "limits": [resource.getrlimit(n) for n in range(16)], "scheduler": os.sched_getscheduler(0),
        "timers": [signal.getitimer(n) for n in (0, 1, 2)], "pdeathsig": pdeathsig.value,
        "dumpable": libc.prctl(3, 0, 0, 0, 0), "subreaper": (libc.prctl(37, ctypes.byref(pdeathsig), 0, 0, 0), pdeathsig.value)[1],
    }))
""")


def odd_signals():
    """An unusual state, which must pass through as it is."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGCHLD})
    os.umask(0o027)


class View(KernelTest):
    def look(self, prefix, user, **more):
        result = run([*prefix, python3(user), "-I", "-c", LOOK], user, **more)
        self.assertEqual(result.status, 0, result)
        seen = json.loads(result.out)
        seen["is_started_pid"] = seen.pop("pid") == result.pid
        # Every command gets an output folder of its own; python's own open of the listing goes too.
        seen["cwd"] = os.path.dirname(seen["cwd"])
        seen["fds"] = {fd: re.sub(r"/[^/]*/(stdout|stderr)$", r"/\1", to) for fd, to in seen["fds"].items()}
        return seen

    @each_user
    def test_service_sees_no_difference(self, user):
        folder = new_folder(user)
        for name, more in (("plain", {}), ("odd signals", {"preexec_fn": odd_signals, "restore_signals": False}),
                           ("new session", {"start_new_session": True})):
            with self.subTest(name):
                bare = self.look([], user, **more)
                seen = self.look([ringside(), "-S", "view", "-O", f"{folder}/"], user, **more)
                if more.get("start_new_session"):  # ids of its own, so compare what they say
                    for ids in (bare, seen):
                        ids["sid"], ids["pgid"] = ids["sid"] == ids["pgid"], True
                self.maxDiff = None
                self.assertEqual(seen, bare)
                self.assertTrue(seen["is_started_pid"], "the command keeps the process id it was started with")
                self.assertEqual(seen["children"], [])

    @each_user
    def test_command_of_the_parent_shape_sees_its_parent_only(self, user):
        bare = self.look([], user, preexec_fn=odd_signals, restore_signals=False)
        seen = self.look([ringside(), "-O", new_folder(user) / "cpu.pb.gz"], user, preexec_fn=odd_signals, restore_signals=False)
        for ids in (bare, seen):
            del ids["is_started_pid"], ids["ppid"]
        self.assertEqual(seen, bare)

    @each_user
    def test_profiler_is_no_relative_and_holds_nothing_of_the_target(self, user):
        folder = new_folder(user)
        read_end, write_end = os.pipe()
        # The target closes its end of the pipe and goes on: end-of-file means nobody else has it.
        command = self.start([ringside(), "-O", f"{folder}/profiles/", "sh", "-c", f"exec {write_end}>&-; echo up; read line"], user,
                             pass_fds=(write_end,), stdin=subprocess.PIPE)
        os.close(write_end)
        wait_for(lambda: "up" in command.text("stdout"), "the command to run")
        self.assertTrue(select.select([read_end], [], [], 30)[0], "somebody still holds the target's pipe")
        self.assertEqual(os.read(read_end, 1), b"")
        os.close(read_end)
        others = profilers(but=[command.pid])
        self.assertTrue(others)
        for pid in others:
            self.assertNotEqual(parent_of(pid), command.pid, "a child of the target")
            self.assertNotEqual(session_of(pid), os.getsid(command.pid), "in the target's session")
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/0"), "/dev/null")
            self.assertEqual(os.readlink(f"/proc/{pid}/fd/1"), "/dev/null")
            self.assertEqual(os.readlink(f"/proc/{pid}/cwd"), "/", "keeps no folder of the target's busy")
            self.assertEqual(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text(), "1000\n", "is killed before the target")
        command.process.stdin.close()
        self.assertEqual(command.wait().status, 1)


class Calls(KernelTest):
    def calls_after_exec(self, prefix, target):
        """Names of the system calls of the process that executed `target`, from then on."""
        log = new_folder() / "strace"
        result = run(["strace", "-f", "-o", log, *prefix, target])
        self.assertEqual(result.status, 0, result)
        lines = [line.split(None, 1) for line in log.read_text(errors="replace").splitlines()]
        # The call may be cut in two by what other processes do meanwhile: "<... execve resumed>".
        at = max(i for i, (_, call) in enumerate(lines) if call.startswith(f'execve("{target}", ["{target}"]'))
        pid = lines[at][0]
        own = [call for p, call in lines[at + 1:] if p == pid]
        if own[0].startswith("<... execve resumed>"):
            own = own[1:]
        joined = [call for call in own if not call.startswith("<...")]
        return [re.match(r"\w+|[-+]{3}.*", call).group(0) for call in joined]

    def test_target_makes_no_call_of_ours_and_gets_no_signal(self):
        require_tool("strace", "strace")
        target = "/bin/true"
        bare = self.calls_after_exec([], target)
        self.assertEqual(self.calls_after_exec([ringside(), "-O", f"{new_folder()}/"], target), bare)
        self.assertEqual(self.calls_after_exec([ringside(), "-O", new_folder() / "cpu.pb.gz"], target), bare)


if __name__ == "__main__":
    main()
