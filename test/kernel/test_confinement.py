#!/usr/bin/env python3
"""The worker's rights, as /proc tells of them while it works, and that it finds all it needs without any."""
import contextlib
import errno
import os
import shutil
import signal
import sys

from harness import (IS_ROOT, KERNEL_NOT_PERMITTED, ME, SOURCE, KernelTest, Profile, each_user, fixture, kill_all, main, name_of,
                     new_folder, parent_of, processes_of, profile_run, profilers, require, require_tool, ringside, run, status_number, tool, wait_for,
                     wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule is for unittest)
from test_privilege import OTHER_GROUP, OTHER_ID, SETS, ids_of, sets_of, shapes, status_of, thread_statuses

sys.path.insert(0, str(SOURCE / "test"))
from fakes import PlainFake  # noqa: E402

CAP_DAC_OVERRIDE = 1
SECCOMP_CALL = (317, -1)  # for helper_deny_call
SECCOMP_FILTER = 2
OTHER = f"{OTHER_ID}:{OTHER_GROUP}"

# What Docker leaves to root (moby, oci/caps/defaults.go).
DOCKER = ("chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap"
          ).split(",")


def docker_prefix():
    kept = ",".join(f"+{name}" for name in DOCKER)
    return [require_tool("setpriv"), "--inh-caps", "-all", "--bounding-set", f"-all,{kept}"]


def find_worker():
    """The worker's id, once it has given up what it gives up."""
    for pid in profilers():
        with contextlib.suppress(OSError):  # gone meanwhile
            if name_of(pid) == "ringside-worker" and status_number(pid, "NoNewPrivs") and status_number(pid, "Seccomp"):
                return pid
    return None


class ConfinementTest(KernelTest):
    def start_burning(self, options, user=ME, prefix=()):
        """What was started, and the worker at work."""
        command = self.start([*prefix, ringside(), *options, fixture("kernelburn"), 60000], user)
        worker = wait_for(find_worker, "the worker to be confined")
        wait_for(lambda: processes_of(fixture("kernelburn")), "the command to run")
        self.addCleanup(self.end_command)
        return command, worker

    def end_command(self):
        kill_all(processes_of(fixture("kernelburn")), signal.SIGTERM)

    def assertConfined(self, pid):
        for status in thread_statuses(pid):
            sets = sets_of(status)
            del sets["CapBnd"]  # an ordinary user's cannot be changed
            self.assertEqual(set(sets.values()), {0}, status)
        self.assertEqual(status_number(pid, "NoNewPrivs"), 1)
        self.assertEqual(status_number(pid, "Seccomp"), SECCOMP_FILTER)

    def check_names(self, options=(), prefix=(), program=None, user=ME):
        """Everything about a program whose functions are known."""
        output = new_folder(user) / "cpu.pb.gz"
        result = run([*prefix, ringside(), "--frequency", "999", *options, "-O", output, program or fixture("kernelburn"), 1000], user)
        self.assertEqual((result.status, result.err), (0, ""), result)
        profile = Profile(output)
        self.assertGreater(profile.frame_s("read_zeros"), 0.9 * result.cpu_s, profile.top())
        self.assertComplete(profile)
        return profile, result


class Rights(ConfinementTest):
    @each_user
    def test_worker_has_no_rights_while_it_works(self, user):
        for shape, options in shapes(user):
            with self.subTest(shape=shape):
                command, worker = self.start_burning(options, user)
                self.assertConfined(worker)
                if user.privileged:
                    self.assertEqual(sets_of(status_of(worker))["CapBnd"], 0)
                    self.assertNotEqual(sets_of(status_of(parent_of(worker)))["CapEff"], 0, "the supervisor's are its own matter")
                self.assertEqual(ids_of(status_of(worker), "Uid"), ids_of(status_of(parent_of(worker)), "Uid"))
                self.end_command()
                command.wait(30)
                wait_profilers_gone()

    def test_a_worker_that_sends_is_confined_with_all_its_threads(self):
        with PlainFake() as server:
            command, worker = self.start_burning(["-u", "1", "-U", f"put+{server.url.replace('127.0.0.1', 'localhost')}/profiles/", "--wait"])
            self.assertConfined(worker)
            server.wait_for(2, what="accepted")
            self.assertConfined(worker)
            self.end_command()
            command.wait(60)
        self.assertEqual(server.violations, [])

    def test_the_next_worker_is_confined_too(self):
        command, worker = self.start_burning(["-O", new_folder() / "cpu.pb.gz"])
        os.kill(worker, signal.SIGKILL)
        following = wait_for(lambda: find_worker() not in (None, worker) and find_worker(), "another worker")
        self.assertConfined(following)
        self.end_command()
        command.wait(30)

    def test_a_kernel_without_filters_is_no_reason_not_to_profile(self):
        for number in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
            output = new_folder() / "cpu.pb.gz"
            result = run([tool("helper_deny_call"), *SECCOMP_CALL, number, ringside(), "-l", "notice", "-O", output, fixture("kernelburn"), 300])
            self.assertEqual(result.status, 0, result)
            self.assertEqual(len([line for line in result.err.splitlines() if "seccomp" in line]), 1, result)
            self.assertGreater(Profile(output).frame_s("read_zeros"), 0.8 * result.cpu_s)


class Names(ConfinementTest):
    """Programs that the kernel shows to nobody with fewer rights than they have."""

    def setUp(self):
        super().setUp()
        require("root", IS_ROOT, "only root has something to give up")

    def test_of_a_program_with_all_capabilities_and_of_the_kernel(self):
        profile, result = self.check_names()
        self.assertLess(profile.frame_s(KERNEL_NOT_PERMITTED), 0.05 * result.cpu_s, profile.top())
        self.assertGreater(profile.count(lambda stack, labels: any("read_iter_zero" in f or "read_zero" == f or "vfs_read" == f for f in stack)),
                           0, profile.top())

    def test_of_another_users_program_in_a_folder_of_its_own(self):
        home = new_folder()
        program = home / "app" / "kernelburn"
        program.parent.mkdir()
        shutil.copy(fixture("kernelburn"), program)
        for path in (program, program.parent):
            os.chown(path, OTHER_ID, OTHER_GROUP)
            path.chmod(0o700)
        self.check_names(["--switch-user", OTHER], program=program)

    def test_in_a_container_of_dockers(self):
        output = new_folder() / "cpu.pb.gz"
        result = run([*docker_prefix(), ringside(), "--frequency", "999", "-O", output, fixture("plugin"), 1000])
        self.assertEqual((result.status, result.err), (0, ""), result)
        profile = Profile(output)
        self.assertGreater(profile.frame_s("plugin_work"), 0.7 * result.cpu_s, profile.top())
        self.assertComplete(profile)

    def test_in_a_container_of_dockers_of_a_plugin_that_is_deleted(self):
        """/proc/PID/map_files is closed there, so that its memory is the last copy: without names, but with what unwinding takes."""
        output = new_folder() / "cpu.pb.gz"
        result = run([*docker_prefix(), ringside(), "--frequency", "999", "-O", output, fixture("plugin"), 1000, "at-once"],
                     env={**os.environ, "TMPDIR": str(new_folder())})
        self.assertEqual((result.status, result.err), (0, ""), result)
        profile = Profile(output)
        self.assertGreater(profile.frame_s("run_plugin"), 0.8 * result.cpu_s, profile.top())
        self.assertComplete(profile)

    def test_in_another_mount_namespace(self):
        require("namespaces", run(["unshare", "-m", "true"]).status == 0, "no mount namespaces here")
        hidden = new_folder()
        shutil.copy(fixture("kernelburn"), hidden / "kernelburn")
        place = new_folder()
        script = f"mount --bind {hidden} {place} && exec {place}/kernelburn 1000"
        profile, result = profile_run(["unshare", "-m", "sh", "-c", script])
        self.assertGreater(profile.frame_s("read_zeros"), 0.8 * result.cpu_s, profile.top())

    def test_of_a_deleted_program(self):
        copy = new_folder() / "gone"
        shutil.copy(fixture("kernelburn"), copy)
        profile, result = profile_run(["sh", "-c", f"{copy} 1000 & sleep 0.1; rm {copy}; wait"])
        self.assertGreater(profile.frame_s("read_zeros"), 0.8 * result.cpu_s, profile.top())

    def test_of_processes_that_run_already(self):
        """Their mappings are in /proc/PID/maps alone, which is as closed as their files."""
        for prefix in ([], ["setpriv", f"--reuid={OTHER_ID}", f"--regid={OTHER_GROUP}", "--clear-groups", "--"]):
            burning = self.start([*prefix, fixture("kernelburn"), 60000])
            wait_for(lambda: processes_of(fixture("kernelburn")), "the program to run")
            for options in (["-p", burning.pid], ["-g"]):
                with self.subTest(prefix=prefix, options=options):
                    output = new_folder() / "cpu.pb.gz"
                    result = run([ringside(), "--frequency", "499", "--duration", "1s", "-O", output, *options])
                    self.assertEqual(result.status, 0, result)
                    profile = Profile(output)
                    mine = profile.sampled_s(lambda stack, labels: labels.get("process_name") == "kernelburn")
                    self.assertGreater(profile.frame_s("read_zeros"), 0.9 * mine, profile.top())
                    self.assertGreater(mine, 0, profile.top())
            burning.kill()

    def test_of_a_debug_file_only_root_can_read(self):
        objcopy = require_tool("objcopy")
        folder = new_folder()
        program, debug = folder / "stripped", folder / ".debug" / "stripped.debug"
        debug.parent.mkdir()
        self.assertEqual(run([objcopy, "--only-keep-debug", fixture("kernelburn"), debug]).status, 0)
        made = run([objcopy, "--strip-all", f"--add-gnu-debuglink={debug}", fixture("kernelburn"), program])
        self.assertEqual(made.status, 0, made)
        for path in (debug, debug.parent):
            os.chown(path, OTHER_ID, OTHER_GROUP)
            path.chmod(0o700)
        self.check_names(program=program)


class Output(ConfinementTest):
    def setUp(self):
        super().setUp()
        require("root", IS_ROOT, "only root writes to the folders of others")

    def test_of_a_folder_that_is_somebody_elses(self):
        """The one case in which a right stays: it is said, and profiles come as they did."""
        folder = new_folder()
        os.chown(folder, OTHER_ID, OTHER_GROUP)
        command, worker = self.start_burning(["-l", "notice", "-O", f"{folder}/"])
        sets = sets_of(status_of(worker))
        self.assertEqual({name: sets[name] for name in SETS}, {"CapInh": 0, "CapPrm": 1 << CAP_DAC_OVERRIDE, "CapEff": 1 << CAP_DAC_OVERRIDE,
                                                               "CapBnd": 0, "CapAmb": 0})
        self.end_command()
        result = command.wait(30)
        wait_profilers_gone()
        self.assertIn(f"{folder}/ can be written to by right of CAP_DAC_OVERRIDE", result.err + command.text("stderr"))
        Profile(*folder.glob("*.pb.gz"))

    def test_of_credentials_that_are_somebody_elses(self):
        token = new_folder() / "token"
        token.write_text("secret")
        os.chown(token, OTHER_ID, OTHER_GROUP)
        token.chmod(0o600)
        with PlainFake(require={"Authorization": "Bearer secret"}) as server:
            result = run([ringside(), "--wait", "-U", f"put+{server.url}/profiles/", "--bearer-token-file", token, fixture("kernelburn"), 300])
            self.assertEqual(result.status, 0, result)
        self.assertEqual((len(server.accepted), server.violations), (1, []), result)

    def test_of_a_spool_that_is_somebody_elses(self):
        folder = new_folder()
        os.chown(folder, OTHER_ID, OTHER_GROUP)
        result = run([ringside(), "--wait", "-U", "put+http://127.0.0.1:9/x/", "--spool", folder / "spool", "--flush-timeout", "0s",
                      fixture("kernelburn"), 300])
        self.assertEqual(result.status, 0, result)
        self.assertEqual(len(list(folder.rglob("*.request"))), 1, result)


if __name__ == "__main__":
    main()
