#!/usr/bin/env python3
"""Where profiles are written, how they are named, and what happens when they cannot be."""
import os

from harness import (IS_ROOT, KernelTest, Profile, each_user, main, new_folder, python3, require, ringside, run,
                     wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule is for unittest)

# Busy for so many seconds of CPU.
BURN = "import sys, time\nwhile time.process_time() < float(sys.argv[1]): sum(range(1000))\n"


class Files(KernelTest):
    @each_user
    def test_single_file_appears_alone_and_replaces_the_old_one(self, user):
        folder = new_folder(user)
        output = folder / "cpu.pb.gz"
        output.write_text("an old one")
        result = run([ringside(), "--frequency", "999", "-O", output, python3(user), "-c", BURN, "1"], user)
        self.assertEqual(result.status, 0, result)
        self.assertEqual(os.listdir(folder), ["cpu.pb.gz"], "nothing temporary stays")
        self.assertTotal(Profile(output), result, slack_s=0.05)

    def test_relative_output_is_relative_to_where_it_was_started(self):
        folder = new_folder()
        script = f"cd / && {python3()} -c '{BURN}' 0.2"
        run([ringside(), "-O", "here.pb.gz", "sh", "-c", script], cwd=folder)
        self.assertIn("here.pb.gz", os.listdir(folder))
        run([ringside(), "-O", "there/", "sh", "-c", script], cwd=folder)
        wait_profilers_gone()
        self.assertTrue(os.listdir(folder / "there"))

    @each_user
    def test_folder_gets_a_file_per_period_that_add_up(self, user):
        folder = new_folder(user)
        result = run([ringside(), "--frequency", "999", "-S", "my shop/1", "-u", "1", "-O", f"{folder}/deep/",
                      python3(user), "-c", BURN, "4"], user)
        self.assertEqual(result.status, 0, result)
        wait_profilers_gone()
        names = sorted(os.listdir(folder / "deep"))
        self.assertGreaterEqual(len(names), 4, names)
        for name in names:
            self.assertRegex(name, r"^my[^/ ]*shop.*\.pb\.gz$", "says the service, safely")
            self.assertIn(str(result.pid), name, "says the process id")
        written = [os.stat(folder / "deep" / name).st_mtime_ns for name in names]
        self.assertEqual(written, sorted(written), "names sort by time")
        profiles = [Profile(folder / "deep" / name) for name in names]
        self.assertTotal(Profile(*[folder / "deep" / name for name in names]), result, slack_s=0.05)
        for before, after in zip(profiles, profiles[1:]):
            (start, length), (next_start, _) = before.spans[0], after.spans[0]
            self.assertAlmostEqual(start + length, next_start, delta=0.2, msg="periods follow each other without gap or overlap")

    def test_pipes_and_standard_output(self):
        """A pipe that nobody reads yet is refused; whoever reads it goes away at its end."""
        burn = f"{python3()} -c '{BURN}' 0.3"
        for script in (f"{ringside()} -O /dev/stdout {burn} | cat >got",
                       f"{ringside()} -O /dev/stdout {burn} >got",
                       f"mkfifo pipe; cat pipe >got & until {ringside()} -O pipe {burn} 2>err; do :; done; wait; cat err >&2"):
            with self.subTest(script=script):
                folder = new_folder()
                result = run(["sh", "-c", script], cwd=folder)
                self.assertEqual((result.status, result.err), (0, ""), result)
                self.assertGreater(Profile(folder / "got").total_s(), 0.2)

    def test_existing_folder_needs_no_slash(self):
        folder = new_folder()
        result = run([ringside(), "-S", "svc", "-O", folder, python3(), "-c", BURN, "0.2"])
        self.assertEqual(result.status, 0, result)
        wait_profilers_gone()
        self.assertEqual(len(list(folder.glob("svc*.pb.gz"))), 1)

    def test_wait_returns_with_the_profile_in_the_folder(self):
        folder = new_folder()
        result = run([ringside(), "--wait", "-S", "svc", "-O", f"{folder}/", python3(), "-c", BURN, "0.2"])
        self.assertEqual(len(list(folder.glob("svc*.pb.gz"))), 1, f"there when the command returns\n{result}\n{os.listdir(folder)}")

    def test_environment_sets_what_flags_set(self):
        folder = new_folder()
        run([ringside(), "true"], env={**os.environ, "RINGSIDE_OUTPUT": f"{folder}/env.pb.gz"})
        self.assertTrue((folder / "env.pb.gz").exists())
        run([ringside(), "-O", f"{folder}/flag.pb.gz", "true"], env={**os.environ, "RINGSIDE_OUTPUT": f"{folder}/not.pb.gz"})
        self.assertEqual(sorted(os.listdir(folder)), ["env.pb.gz", "flag.pb.gz"], "flags win")


class Refused(KernelTest):
    def unwritable(self, user):
        yield "/no/such/folder/cpu.pb.gz"
        yield "/proc/cpu.pb.gz"
        if not user.privileged:
            closed = new_folder()
            closed.chmod(0o555)
            yield f"{closed}/cpu.pb.gz"

    @each_user
    def test_parent_refuses_unwritable_output_before_starting_anything(self, user):
        for output in self.unwritable(user):
            with self.subTest(output=output):
                marker = new_folder(user) / "ran"
                result = run([ringside(), "-O", output, "touch", marker], user)
                self.assertEqual(result.status, 2, result)
                self.assertIn(output, result.err)
                self.assertFalse(marker.exists())

    @each_user
    def test_service_runs_all_the_same_after_one_error(self, user):
        for output in self.unwritable(user):
            folder = os.path.dirname(output) + "/sub/"
            with self.subTest(output=folder):
                result = run([ringside(), "-O", folder, "sh", "-c", "echo ran; exit 4"], user)
                self.assertEqual((result.status, result.out), (4, "ran\n"), result)
                self.assertEqual(len(result.err.splitlines()), 1, result)

    def test_full_disk_leaves_no_half_profile(self):
        require("root", IS_ROOT, "only root mounts a small file system")
        folder = new_folder()
        script = (f"mount -t tmpfs -o size=64k none {folder} && echo old >{folder}/cpu.pb.gz && "
                  f"{{ head -c 1M /dev/zero >{folder}/fill; {ringside()} -O {folder}/cpu.pb.gz sh -c 'exit 6' && exit 99; "
                  f"echo status $?; ls -A {folder}; cat {folder}/cpu.pb.gz; }}")
        result = run(["unshare", "-m", "sh", "-c", script])
        self.assertEqual(result.out.splitlines(), ["status 6", "cpu.pb.gz", "fill", "old"], result)


if __name__ == "__main__":
    main()
