"""Places to run a command in: mount namespaces where settings read otherwise, and users of whom everything is known."""
import os

from harness import IS_ROOT, User, new_folder, require, require_tool

# Locked memory is counted per user: nobody else's rings may be in the way, nor ours in theirs.
LOCKED_ID = 54341


def in_mount_namespace(command):
    """The beginning of a command line: the rest runs, as root, where the shell command was run before."""
    require("root", IS_ROOT, "only root mounts")
    return [require_tool("unshare"), "--mount", "sh", "-c", f'{command} && exec "$@"', "sh"]


def with_paranoid(value):
    """Where kernel.perf_event_paranoid reads as this value; the kernel goes by its own."""
    file = new_folder() / "perf_event_paranoid"
    file.write_text(f"{value}\n")
    return in_mount_namespace(f"mount --bind {file} /proc/sys/kernel/perf_event_paranoid")


def without_proc_sys():
    return in_mount_namespace("mount -t tmpfs none /proc/sys")


def without_proc():
    return in_mount_namespace("mount -t tmpfs none /proc")


def without_proc_and_sys():
    return in_mount_namespace("mount -t tmpfs none /sys && mount -t tmpfs none /proc")


class LockedUser(User):
    def owns(self, path):
        if IS_ROOT:
            os.chown(path, LOCKED_ID, LOCKED_ID)


def user_of_locked_memory():
    """An ordinary user who may lock what the kernel grants to every user's rings and no more."""
    become = ["setpriv", f"--reuid={LOCKED_ID}", f"--regid={LOCKED_ID}", "--clear-groups", "--"] if IS_ROOT else []
    return LockedUser("user with a limit", [*become, require_tool("prlimit"), "--memlock=0:0", "--"])


def refusals():
    """What may stand in the way, as (name, beginning of a command line, helper's arguments, word of the cause, what the message says)."""
    yield "filter EPERM", [], ["helper_deny_perf", 1], "seccomp", "a seccomp filter denies it"
    yield "filter EACCES", [], ["helper_deny_perf", 13], "seccomp", "a seccomp filter denies it"
    yield "filter ENOSYS", [], ["helper_deny_perf", 38], "seccomp", "a seccomp filter denies it"
    yield "filter EINVAL", [], ["helper_deny_perf", 22], "seccomp", "a seccomp filter denies it"
    yield "security module", [], ["helper_refuse_perf", "module"], "security-module", "a security module denies it"
    if not IS_ROOT:
        return
    yield "paranoid 3", with_paranoid(3), ["helper_refuse_perf", "paranoid"], "paranoid", "kernel.perf_event_paranoid is 3"
    yield "paranoid 4", with_paranoid(4), ["helper_refuse_perf", "paranoid"], "paranoid", "kernel.perf_event_paranoid is 4"
    yield ("paranoid that cannot be read", without_proc_sys(), ["helper_refuse_perf", "paranoid"], "paranoid",
           "kernel.perf_event_paranoid is above 2 (its value cannot be read here)")
    yield "filter EPERM without /proc/sys", without_proc_sys(), ["helper_deny_perf", 1], "seccomp", "a seccomp filter denies it"
    yield "filter ENOSYS without /proc/sys", without_proc_sys(), ["helper_deny_perf", 38], "seccomp", "a seccomp filter denies it"
    yield "filter ENOSYS without /proc and /sys", without_proc_and_sys(), ["helper_deny_perf", 38], "seccomp", "a seccomp filter denies it"
    yield "filter EPERM, paranoid 3 as well", with_paranoid(3), ["helper_deny_perf", 1], "seccomp", "a seccomp filter denies it"
