#!/usr/bin/env python3
"""Whole stacks of programs whose shape is known, over compilers, levels of optimization, frame pointers and ways of linking."""
import re
import textwrap

from harness import (ME, ORDINARY, TRUNCATED, USERS, KernelTest, each_user, fixture, fixtures_like, main, new_folder,
                     profile_run, python3, require, setUpModule)  # noqa: F401 (setUpModule is for unittest)

RATE = ("--frequency", "1999")


def in_order(stack, *patterns):
    """Do frames matching these patterns stand on the stack in this order, the outermost first?"""
    frames = iter(reversed(stack))
    return all(any(re.search(pattern, frame) for frame in frames) for pattern in patterns)


def exactly(name):
    return rf"^{re.escape(name)}$"


MAIN = exactly("main")


# Runs a copy of each program for a moment after a pause (of the target: that is the subject), and deletes it at once.
BRIEF = textwrap.dedent("""
    import os, shutil, subprocess, sys, time
    for i, program in enumerate(sys.argv[2:]):
        copy = f"{sys.argv[1]}/brief-{i}"
        shutil.copy(program, copy)
        time.sleep(0.5)
        subprocess.run([copy, "40"], check=True)
        os.unlink(copy)
""")


def in_process(profile, program):
    """The kernel names a process by the first 15 bytes of its program's file name. Leaves out what ran before the exec."""
    name = program[:15]
    return lambda stack, labels: labels.get("process_name") == name


class Stacks(KernelTest):
    def check_split(self, profile, mine):
        for name in ("sixty", "thirty", "ten"):
            self.assertInOrder(profile, mine, name, (MAIN, exactly("run"), exactly(name)))

    def check_deep(self, profile, mine):
        self.assertInOrder(profile, mine, "leaf", (MAIN, exactly("recurse"), exactly("leaf")))
        whole = profile.count(lambda s, l: mine(s, l) and s[0] == "leaf" and s.count("recurse") == 400)
        self.assertGreaterEqual(whole, 0.99 * profile.count(lambda s, l: mine(s, l) and s[0] == "leaf"), "400 frames deep")

    def check_threads(self, profile, mine):
        self.assertInOrder(profile, mine, "thread_leaf", (exactly("thread_main"), exactly("thread_work"), exactly("thread_leaf")))
        self.assertLessEqual({f"worker-{i}" for i in range(4)}, profile.labels("thread_name"))

    def check_signals(self, profile, mine):
        self.assertInOrder(profile, mine, "handler_leaf", (MAIN, exactly("interrupted"), exactly("handler"), exactly("handler_leaf")))
        self.assertGreater(profile.count(lambda s, l: mine(s, l) and "handler_leaf" in s), 0.5 * profile.count(mine))

    def check_cxx(self, profile, mine):
        self.assertInOrder(profile, mine, "sort_lambda", (MAIN, r"run\(", r"Shape<3>::work", r"Shape<1>::work", r"sort_lambda\("))
        self.assertInOrder(profile, mine, "throw_deep", (MAIN, r"run\(", r"Shape<3>::work", r"throw_deep\(.*"))

    def assertInOrder(self, profile, mine, holding, patterns):
        """Nearly all stacks that hold a frame have the shape around it. (A few interrupt a frame being made.)"""
        held = profile.count(lambda s, l: mine(s, l) and any(holding in frame for frame in s))
        good = profile.count(lambda s, l: mine(s, l) and any(holding in frame for frame in s) and in_order(s, *patterns))
        self.assertGreater(held, 10, f"no stack with {holding}\n{profile.top()}")
        self.assertGreaterEqual(good, 0.99 * held - 3, f"{holding}: not {patterns}\n{profile.top()}")

    def check_program(self, program, user=ORDINARY, complete=0.99):
        family = program.split(".")[0]
        arguments = {"deep": ["400", "500"], "threads": ["4", "125"]}.get(family, ["500"])
        with self.subTest(program=program, user=user.name):
            profile, result = profile_run([fixture(program), *arguments], user, RATE)
            mine = in_process(profile, program)
            self.assertComplete(profile, complete, mine)
            self.assertTotal(profile, result, slack_s=0.04)
            getattr(self, "check_" + family)(profile, mine)

    def check_family(self, family):
        programs = [p for p in fixtures_like(f"{family}.*") if ".musl-" not in p]
        require("fixtures", programs, f"no program {family}.* was built")
        for program in programs:
            self.check_program(program)
        self.check_program(family, ME)
        for program in programs:
            if "static" in program:
                self.check_program(program, ME)

    def test_split(self):
        self.check_family("split")

    def test_deep(self):
        self.check_family("deep")

    def test_threads(self):
        self.check_family("threads")

    def test_signals(self):
        self.check_family("signals")

    def test_cxx(self):
        self.check_family("cxx")

    def test_musl_ends_and_names_what_it_can(self):
        """musl has next to no call-frame information: the walk must end, the leaf must be right."""
        programs = fixtures_like("*.musl-*")
        require("musl", programs, "no musl program was built (package musl-tools)")
        for program in programs:
            with self.subTest(program):
                family = program.split(".")[0]
                profile, result = profile_run([fixture(program), *{"deep": ["400", "500"], "threads": ["4", "125"]}.get(family, ["500"])],
                                              ORDINARY, RATE)
                self.assertTotal(profile, result, slack_s=0.04)
                depth = max(len(stack) for stack, _, _ in profile.samples)
                self.assertLess(depth, 520 if family == "deep" else 40, "no stack goes round in circles")
                expected = {"split": "sixty", "deep": "leaf", "threads": "thread_leaf", "signals": "handler_leaf"}[family]
                self.assertGreater(profile.leaf_share(expected), 0.4, profile.top())


class Oddities(KernelTest):
    def test_coroutines_end_where_they_began(self):
        for program in fixtures_like("coroutine*"):
            for user in USERS:
                profile, _ = profile_run([fixture(program), "500"], user, RATE)
                self.assertComplete(profile, 0.99, in_process(profile, program))
                share = profile.share(lambda s, l: in_order(s, "^(first|second)$", "coroutine_work"))
                self.assertGreater(share, 0.9, profile.top())

    def test_functions_without_a_frame_have_their_caller(self):
        for program in fixtures_like("leafless*"):
            for user in USERS:
                profile, _ = profile_run([fixture(program), "1000"], user, RATE)
                mine = in_process(profile, program)
                self.assertComplete(profile, 0.99, mine)
                def tiny(s, l):
                    return s[0] in ("tiny", "library_tiny")
                good = profile.count(lambda s, l: tiny(s, l) and s[1:3] == ("call_often", "main"))
                self.assertGreater(profile.count(tiny), 100, profile.top())
                self.assertGreaterEqual(good, 0.99 * profile.count(tiny) - 3, profile.top())
                stub = profile.count(lambda s, l: "@plt" in s[0])
                self.assertGreaterEqual(profile.count(lambda s, l: "@plt" in s[0] and "call_often" in s), 0.99 * stub - 3, profile.top())

    def test_handler_on_its_own_stack_is_named(self):
        profile, result = profile_run([fixture("signals"), "1000", "altstack"], ORDINARY, RATE)
        self.assertTotal(profile, result)
        self.assertGreater(profile.leaf_share("handler_leaf"), 0.5, profile.top())

    def test_shallow_copy_is_marked_truncated(self):
        """Half of the stack is needed and not copied: said in the profile, not passed over."""
        profile, result = profile_run([fixture("deep"), "1500", "1000"], ORDINARY, ("--frequency", "1999", "--stack-sample-size", "2048"))
        self.assertTotal(profile, result)
        self.assertGreater(profile.share(lambda s, l: s[-1] == TRUNCATED), 0.9, profile.top())


class Gone(KernelTest):
    @each_user
    def test_deleted_program_keeps_its_names(self, user):
        profile, result = profile_run([fixture("selfdelete"), "1000"], user, RATE, env={"TMPDIR": str(new_folder(user))})
        self.assertTotal(profile, result)
        self.assertComplete(profile)
        self.assertGreater(profile.share(lambda s, l: in_order(s, MAIN, "^work_deleted$", "^leaf_deleted$")), 0.95, profile.top())

    @each_user
    def test_unlinked_and_unloaded_plugin_keeps_its_names(self, user):
        # An ordinary user's profiler has the first tenth, 300 ms, to open the file: a machine that stands still for a moment does not use it up.
        profile, result = profile_run([fixture("plugin"), "3000"], user, RATE, env={"TMPDIR": str(new_folder(user))})
        self.assertTotal(profile, result)
        self.assertComplete(profile)
        plugin = profile.share(lambda s, l: in_order(s, MAIN, "^run_plugin$", "^plugin_work$", "^plugin_leaf$"))
        self.assertGreater(plugin, 0.85, profile.top())
        self.assertGreater(profile.share(lambda s, l: in_order(s, MAIN, "^after_close$")), 0.05, profile.top())

    def test_brief_programs_of_an_idle_target_keep_their_names(self):
        """The first record after a pause wakes the profiler, which must not sleep on while the program comes, goes and is deleted."""
        folder = new_folder()
        programs = [fixture(p) for p in fixtures_like("split.*") if ".musl-" not in p][:12]
        require("fixtures", programs, "no program split.* was built")
        profile, _ = profile_run([python3(), "-c", BRIEF, folder, *programs], options=("--frequency", "499"))
        nameless = []
        for i, program in enumerate(programs):
            mine = in_process(profile, f"brief-{i}")
            named = profile.count(lambda s, l: mine(s, l) and s[0] in ("sixty", "thirty", "ten"))
            if named <= 0.5 * profile.count(mine):
                nameless.append(program)
        # A machine that stands still for a program's 40 ms takes its names away; a profiler that sleeps on loses those of most.
        self.assertLessEqual(len(nameless), 1, f"{nameless}\n{profile.top()}")

    def test_program_in_another_mount_namespace_has_names(self):
        require("root", ME.privileged, "only root makes mount namespaces here")
        folder = new_folder()
        script = f"mount -t tmpfs none {folder} && cp {fixture('split')} {folder}/hidden && exec {folder}/hidden 1000"
        profile, result = profile_run(["unshare", "-m", "sh", "-c", script], ME, RATE)
        self.assertTotal(profile, result)
        self.assertGreater(profile.share(lambda s, l: in_order(s, MAIN, "^run$", "^(sixty|thirty|ten)$")), 0.9, profile.top())


if __name__ == "__main__":
    main()
