#!/usr/bin/env python3
"""ringside --doctor on this machine and where it is made worse: the cause is the true one, and what it says of a run is what comes of the run."""
import json
import os
import resource
import shutil

from harness import (IS_ROOT, ME, ORDINARY, SOURCE, KernelTest, each_user, main, new_folder, paranoid, processes_of, require, require_tool,
                     ringside, run, tool, wait_for, setUpModule)  # noqa: F401 (setUpModule is for unittest)
from places import in_mount_namespace, refusals, user_of_locked_memory, without_proc, without_proc_sys

USABLE, DEGRADED, UNUSABLE = 0, 3, 4
PAGE = (SOURCE / "docs" / "doctor.md").read_text()
VERDICTS = {USABLE: "usable", DEGRADED: "degraded", UNUSABLE: "unusable"}


class DoctorTest(KernelTest):
    def ask(self, user=ME, before=(), helper=(), options=("-O", "/tmp/"), **more):
        """The report as JSON, checked against its own schema, and by id; the text says the same."""
        helper = [tool(helper[0]), *helper[1:]] if helper else []
        base = [*before, *user.prefix, *helper, ringside()]
        result = run([*base, "--doctor=json", *options], **more)
        report = json.loads(result.out)
        self.assertEqual(result.err, "", "no word beside the report")
        self.check_schema(report)
        self.assertEqual(result.status, report["status"], result)
        text = run([*base, "--doctor", *options], **more)
        self.assertEqual((text.status, text.err), (result.status, ""), text)
        self.check_text(text.out, report)
        return report["status"], {f["id"]: f for f in report["findings"]}

    def check_schema(self, report):
        self.assertEqual(report["schema"], 1)
        self.assertEqual(VERDICTS[report["status"]], report["verdict"])
        ids = [f["id"] for f in report["findings"]]
        self.assertEqual(len(ids), len(set(ids)), "each id once")
        for finding in report["findings"]:
            self.assertEqual(set(finding), {"id", "state", "affects", "title", "found", "why", "remedies", "values"})
            self.assertIn(finding["state"], ("ok", "limited", "blocking"))
            self.assertIn(finding["affects"], ("run", "attach", "whole-host", "events"))
            self.assertTrue(finding["found"], finding)
            self.assertEqual(finding["why"] is None, finding["state"] == "ok", finding)
            self.assertIn(f"`{finding['id']}`", PAGE)
            for name in finding["values"]:
                self.assertTrue(name.startswith("CAP_") or f"`{name}`" in PAGE, f"{name} of {finding['id']} is not in the page")
            for remedy in finding["remedies"]:
                self.assertEqual(set(remedy), {"where", "do", "note"})
        worst = {f["state"] for f in report["findings"] if f["affects"] == "run"}
        expected = UNUSABLE if "blocking" in worst else DEGRADED if "limited" in worst else USABLE
        self.assertEqual(report["status"], expected)

    def check_text(self, text, report):
        self.assertTrue(" ".join(text.split()).startswith(report["summary"]), text)
        self.assertNotIn("\033", text, "no colours where nobody looks")
        remedies = [r["do"] for f in report["findings"] for r in f["remedies"]]
        for line in text.splitlines():
            self.assertTrue(len(line) <= 80 or any(line.endswith(do) for do in remedies), line)


class Here(DoctorTest):
    @each_user
    def test_says_what_a_run_gets(self, user):
        status, found = self.ask(user)
        self.assertIn(status, (USABLE, DEGRADED))
        self.assertEqual(found["user-mode"]["values"]["cause"], "none")
        kernel = user.privileged or paranoid() <= 1
        self.assertEqual(found["kernel-mode"]["state"], "ok" if kernel else "limited")
        self.assertEqual(found["whole-host"]["state"], "ok" if user.privileged or paranoid() <= 0 else "limited")
        self.assertEqual(found["place"]["values"]["cpus_allowed"], len(os.sched_getaffinity(0)))
        self.assertEqual(found["kernel"]["values"]["release"], os.uname().release)
        self.assertEqual(found["rings"]["values"]["ring_kb"] > 0, True)

    def test_leaves_nothing_behind(self):
        before = set(os.listdir("/proc/self/fd"))
        self.ask(ORDINARY)
        self.assertEqual(processes_of(ringside()), [])
        self.assertEqual(set(os.listdir("/proc/self/fd")), before)

    def test_processes_and_the_whole_host_are_tried_when_asked_about(self):
        own = self.start([*ORDINARY.prefix, "sleep", "600"])
        wait_for(lambda: os.readlink(f"/proc/{own.pid}/exe") == os.path.realpath(shutil.which("sleep")), "sleep to run as that user")
        status, found = self.ask(ORDINARY, options=("-p", own.pid, "-O", "/tmp/"))
        self.assertIn(status, (USABLE, DEGRADED))
        self.assertEqual(found["other-processes"]["values"], {"asked": 1, "attached": 1})
        status, found = self.ask(ORDINARY, options=("-p", f"{own.pid},{2**22 - 1}", "-O", "/tmp/"))
        self.assertEqual((status, found["other-processes"]["state"]), (DEGRADED, "limited"))
        status, found = self.ask(ORDINARY, options=("-p", 2**22 - 1, "-O", "/tmp/"))
        self.assertEqual((status, found["other-processes"]["state"]), (UNUSABLE, "blocking"))
        status, found = self.ask(ORDINARY, options=("-g", "-O", "/tmp/"))
        self.assertEqual(status == UNUSABLE, paranoid() > 0 and not ORDINARY.privileged, found)
        status, found = self.ask(ME, options=("-g", "-O", "/tmp/"))
        self.assertEqual(status == UNUSABLE, paranoid() > 0 and not ME.privileged, found)

    def test_a_wrong_option_is_no_verdict(self):
        self.assertEqual(run([ringside(), "--doctor", "--no-such-option"]).status, 2)
        self.assertEqual(run([ringside(), "--doctor", "-e", "nonsense"]).status, 2)

    def test_secrets_of_servers_are_not_shown(self):
        result = run([ringside(), "--doctor=json", "-U", "otlp+http://me:geheim@collector:4318"])
        self.assertNotIn("geheim", result.out)
        self.assertIn("collector:4318", result.out)

    @each_user
    def test_rights_that_cannot_be_given_up_block(self, user):
        status, found = self.ask(user, options=("--switch-user", "nobody-of-that-name", "-O", "/tmp/"))
        self.assertEqual((status, found["rights"]["state"]), (UNUSABLE, "blocking"))
        self.assertIn("nobody-of-that-name", found["rights"]["found"])
        status, found = self.ask(user, options=("--drop-caps", "-O", "/tmp/"))
        self.assertIn(status, (USABLE, DEGRADED))
        self.assertNotIn("rights", found)

    def test_a_folder_that_cannot_be_written_to_blocks(self):
        folder = new_folder(ME)
        status, found = self.ask(ORDINARY, options=("-O", f"{folder}/"))
        if not IS_ROOT:
            self.skipTest("the folder is ours")
        self.assertEqual((status, found["output"]["state"]), (UNUSABLE, "blocking"))


class Refused(DoctorTest):
    @each_user
    def test_the_true_cause_is_named(self, user):
        for name, before, helper, cause, says in refusals():
            with self.subTest(name=name):
                status, found = self.ask(user, before, helper)
                self.assertEqual((status, found["user-mode"]["values"]["cause"]), (UNUSABLE, cause), found["user-mode"])
                self.assertIn(says, found["user-mode"]["found"])

    @each_user
    def test_a_filter_that_kills_does_not_kill_the_doctor(self, user):
        status, found = self.ask(user, helper=["helper_deny_perf", 0])
        self.assertEqual((status, found["user-mode"]["values"]["cause"]), (UNUSABLE, "seccomp"))

    @each_user
    def test_without_proc_sys_only_values_are_missing(self, user):
        status, found = self.ask(user, without_proc_sys())
        self.assertIn(status, (USABLE, DEGRADED))
        self.assertIsNone(found["user-mode"]["values"]["perf_event_paranoid"])
        self.assertIs(found["proc"]["values"]["proc_sys"], False)

    @each_user
    def test_without_proc_it_still_answers(self, user):
        status, found = self.ask(user, without_proc())
        self.assertEqual((status, found["proc"]["state"]), (DEGRADED, "limited"))

    def test_capabilities_of_a_user_namespace_do_not_count(self):
        unshare = [require_tool("unshare"), "--user", "--map-root-user"]
        require("userns", run([*ORDINARY.prefix, *unshare, "true"]).status == 0, "no user namespaces here")
        status, found = self.ask(before=[*ORDINARY.prefix, *unshare])
        self.assertIs(found["place"]["values"]["user_namespace"], True)
        self.assertIs(found["privilege"]["values"]["CAP_PERFMON"], True)
        if paranoid() >= 2:
            self.assertEqual((status, found["kernel-mode"]["state"]), (DEGRADED, "limited"))
            self.assertIn("user namespace", found["kernel-mode"]["found"])

    def test_a_memory_lock_of_nothing_means_smaller_rings(self):
        if paranoid() < 0:
            self.skipTest("perf_event_paranoid lifts the limit")
        user = user_of_locked_memory()
        _, found = self.ask(user)
        rings = found["rings"]["values"]
        self.assertEqual((rings["memlock_kb"], rings["unlimited"]), (0, False))
        self.assertLess(0, rings["ring_kb"])
        self.assertLessEqual(rings["ring_kb"], rings["ring_kb_wanted"])
        status, found = self.ask(user, helper=["helper_use_up_rings"])
        self.assertEqual((status, found["rings"]["state"], found["rings"]["values"]["ring_kb"]), (UNUSABLE, "blocking", 0))

    def test_too_few_descriptors_are_named(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))

        status, found = self.ask(preexec_fn=few)
        self.assertEqual(status, UNUSABLE)
        named = "descriptors" in found and found["descriptors"]["state"] == "blocking"
        self.assertTrue(named or "Too many open files" in json.dumps(found), found)


class Container(DoctorTest):
    """What containers leave to be known by, put over this machine's own files."""

    def ask_with(self, sign, *namespaces, **more):
        before = in_mount_namespace(f"mount -t tmpfs none /run && {sign}")
        return self.ask(before=[require_tool("unshare"), *namespaces, *before] if namespaces else before, **more)[1]

    def test_podman_by_its_file_and_namespaces(self):
        _, found = self.ask()
        if found["place"]["values"]["runtime"] != "host":
            self.skipTest("this is a container")
        self.assertEqual(self.ask_with("touch /run/.containerenv")["place"]["values"]["runtime"], "host", "an image's file alone")
        found = self.ask_with("touch /run/.containerenv", "--uts", helper=["helper_deny_perf", 1])
        self.assertEqual(found["place"]["values"]["runtime"], "podman")
        self.assertIn("--cap-add", found["user-mode"]["remedies"][0]["do"])

    def test_kubernetes_by_its_variable(self):
        require("root", IS_ROOT, "only root makes namespaces")
        _, found = self.ask(before=[require_tool("unshare"), "--uts"], helper=["helper_deny_perf", 1],
                            env={**os.environ, "KUBERNETES_SERVICE_HOST": "10.0.0.1"})
        self.assertIs(found["place"]["values"]["kubernetes"], True)
        self.assertIn("securityContext", found["user-mode"]["remedies"][0]["do"])


if __name__ == "__main__":
    main()
