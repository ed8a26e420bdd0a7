"""Surroundings as container engines make them, out of namespaces and mounts: no engine is needed, and nothing of them is left.

`Container(...).argv(command)` is what to run. Root gets what Docker gives: namespaces of its own, root as on the host. With a user
namespace, or an ordinary user, it is what rootless engines give: root inside, nobody outside.
"""
import contextlib
import itertools
import os
import pathlib
import subprocess
import uuid

from harness import IS_ROOT, ME, base_folder, new_folder, require, require_tool, run, wait_for

_numbers = itertools.count()


# ---- a root file system ----

# Runs as the container's first process, which then becomes the command. $1: where to build; the rest is the command.
BUILD = """
set -e
root=$1; shift
mount -t tmpfs -o size=1m,mode=755 none "$root"
cd "$root"
mkdir -p proc sys dev out app old
@USR@
mount --bind @APP@ app
@MOUNTS@
@PROC@
@DEV@
@EXTRA@
mount -o remount,bind,ro .
@ENTER@
"""
USR = """
mkdir usr
mount --bind /usr usr
mount -o remount,bind,ro usr
for name in bin sbin lib lib32 lib64; do [ -L /$name ] && cp -P /$name .; done
mkdir -p etc && echo 'root:x:0:0:root:/:/bin/sh' >etc/passwd && echo 'root:x:0:' >etc/group
[ -e /etc/ld.so.cache ] && cp /etc/ld.so.cache etc || true
"""
DEV = "for name in null zero full random urandom; do : >dev/$name; mount --bind /dev/$name dev/$name; done"
PIVOT = "pivot_root . old\ncd /\numount -l /old\nexec \"$@\""
CHROOT = "exec chroot \"$root\" \"$@\""


class Container:
    """
    mounts   folder in the container: folder outside, writable
    proc     options of /proc; None: there is none
    usr      the host's /usr is there, read-only, so that programs run; without it only what `extra` puts there
    extra    lines of shell, run in the new root before it is entered
    inside   what the command is run by, inside: ["setpriv", ...]
    """

    def __init__(self, user=ME, *, user_namespace=None, mounts=None, proc="", dev=True, usr=True, extra="", inside=()):
        self.user = user
        self.user_namespace = not user.privileged if user_namespace is None else user_namespace
        self.inside = list(inside)
        self.root = base_folder() / f"root-{next(_numbers)}"
        self.root.mkdir()
        user.owns(self.root)
        self.mark = f"ringside-test-{uuid.uuid4().hex}"
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "CONTAINER_MARK": self.mark}
        self.script = self._script(mounts or {}, proc, dev, usr, extra)

    @staticmethod
    def _script(mounts, proc, dev, usr, extra):
        parts = {
            "@USR@": USR if usr else "",
            "@APP@": str(base_folder() / "bin"),
            "@MOUNTS@": "\n".join(f"mkdir -p .{inside}; mount --bind {outside} .{inside}" for inside, outside in mounts.items()),
            "@PROC@": "" if proc is None else f"mount -t proc {'-o ' + proc if proc else ''} proc proc",
            "@DEV@": DEV if dev else "",
            "@EXTRA@": extra,
            "@ENTER@": PIVOT if usr and proc is not None else CHROOT,  # umount needs /proc to see what is mounted
        }
        script = BUILD
        for name, text in parts.items():
            script = script.replace(name, text)
        return script

    def argv(self, command):
        namespaces = ["--mount", "--ipc", "--uts", "--pid", "--fork", "--kill-child"] + ["--user", "--map-root-user"] * self.user_namespace
        return ["unshare", *namespaces, "sh", "-c", self.script, "sh", self.root, *self.inside, *command]

    def processes(self):
        """What runs in it, or was started there: the environment tells."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if self.mark.encode() in pathlib.Path(f"/proc/{entry}/environ").read_bytes():
                    found.append(int(entry))
        return found


def require_containers(user):
    """Whether such surroundings can be made here at all."""
    for name in ("unshare", "pivot_root", "setpriv"):
        require_tool(name)
    mapped = ["--user", "--map-root-user"] if not user.privileged else []
    tried = run(["unshare", *mapped, "--mount", "--pid", "--fork", "--mount-proc", "true"], user)
    require("containers", tried.status == 0, f"{user} may make no namespaces here: {tried.err.strip()}")


# ---- a disk of its own ----

@contextlib.contextmanager
def small_disk(size):
    folder = new_folder()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "ringside-test", folder], stderr=subprocess.DEVNULL)
    require("mount", IS_ROOT and mounted.returncode == 0, "no file system may be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


# ---- control groups ----

CGROUPS = pathlib.Path("/sys/fs/cgroup")


class ControlGroup:
    """One limit on what is started in it. Version 1 or 2, whichever the machine has."""

    FILES = {  # controller: its file in version 1 and 2
        "memory": ("memory.limit_in_bytes", "memory.max"),
        "pids": ("pids.max", "pids.max"),
    }

    def __init__(self, controller):
        self.controller = controller
        self.name = f"ringside-test-{uuid.uuid4().hex[:12]}"
        self.version = 1 if (CGROUPS / controller).is_dir() else 2
        self.folder = (CGROUPS / controller if self.version == 1 else CGROUPS) / self.name

    def __enter__(self):
        try:
            self.folder.mkdir()
        except OSError as error:
            require("cgroup", False, f"no control group may be made here: {error}")
        if self.version == 2 and self.controller not in (self.folder / "cgroup.controllers").read_text().split():
            self.folder.rmdir()
            require("cgroup", False, f"the controller {self.controller} is not to be had here")
        return self

    def limit(self, value):
        self.write(self.FILES[self.controller][self.version - 1], value)

    def quota(self, share):
        """Of one processor."""
        if self.version == 2:
            self.write("cpu.max", f"{int(share * 20000)} 20000")
        else:
            self.write("cpu.cfs_period_us", 20000)
            self.write("cpu.cfs_quota_us", int(share * 20000))

    def kills(self):
        """The file that counts whom the kernel has killed for memory."""
        return self.folder / ("memory.oom_control" if self.version == 1 else "memory.events")

    def write(self, file, value):
        (self.folder / file).write_text(f"{value}\n")

    def argv(self, command):
        return ["sh", "-c", f"echo $$ >{self.folder}/cgroup.procs && exec \"$@\"", "sh", *command]

    def processes(self):
        return [int(pid) for pid in (self.folder / "cgroup.procs").read_text().split()]

    def __exit__(self, *_):
        # Processes of it that are ending hold it for a moment.
        wait_for(lambda: not self.processes(), "every process of the control group to end")
        self.folder.rmdir()
