#!/usr/bin/env python3
"""cmake --install: is all there, and does what is installed work? Programs that are not there are not asked."""
import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

FILES = {
    "bin/ringside",
    "share/bash-completion/completions/ringside",
    "share/doc/ringside/ringside.conf.example",
    "share/man/man1/ringside.1",
    "share/zsh/site-functions/_ringside",
}
arguments = None


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, timeout=60, **more)


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="ringside-install-")
        done = run(arguments.cmake, "--install", arguments.build,
                   env={**os.environ, "DESTDIR": cls.folder.name})
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        cls.root = cls.folder.name + arguments.prefix

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.root, name)

    def complete(self, *words):
        """What bash offers for the last word."""
        script = 'source "$1"; shift; COMP_WORDS=(ringside "$@"); COMP_CWORD=$#; _ringside; printf "%s\\n" "${COMPREPLY[@]}"'
        done = run("bash", "--norc", "-c", script, "bash", self.path("share/bash-completion/completions/ringside"), *words)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_these_files_and_no_others(self):
        found = {os.path.relpath(os.path.join(folder, name), self.root)
                 for folder, _, names in os.walk(self.root) for name in names}
        self.assertEqual(found, FILES)

    def test_the_program_runs(self):
        done = run(self.path("bin/ringside"), "--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^ringside \d")

    def test_the_example_config_is_one(self):
        done = run(self.path("bin/ringside"), "--config", self.path("share/doc/ringside/ringside.conf.example"), "--show-config")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def show_config(self, *words, env=()):
        """What --show-config says of these words and variables; there must be nothing to say against them."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("RINGSIDE_", "DD_", "OTEL_"))}
        done = run(self.path("bin/ringside"), "--show-config", *words, env={**plain, **dict(env)}, cwd=self.folder.name)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn("# note", done.stdout)
        return done.stdout

    def test_the_examples_of_the_page_on_configuration_are_right(self):
        with open(os.path.join(os.path.dirname(__file__), "../../docs/configuration.md")) as page:
            page = page.read()
        blocks = {kind: text for kind, text in re.findall(r"^```(\w+)\n(?!# ringside)(.*?)^```", page, re.M | re.S)}
        dockerfile = re.findall(r'\b((?:RINGSIDE|DD)_\w+)="?([^"\s]+(?: [^"\\]+)?)', blocks["dockerfile"])
        shown = self.show_config(env=dockerfile)
        for line in ('service                = "shop"', 'output                 = "/var/profiles/"', "wait                   = yes",
                     'tags                   = "zone:a"'):
            self.assertIn(line, shown)
        unit = [word.replace("%%", "%").split("=", 1) for line in re.findall(r"^Environment=(.*)", blocks["ini"], re.M)
                for word in shlex.split(line)]
        shown = self.show_config(env=unit)
        for line in ('environment            = "prod"', 'tags                   = "team:core services"',
                     'output                 = "/var/lib/shop/profiles/"'):
            self.assertIn(line, shown)
        path = os.path.join(self.folder.name, "mounted.conf")
        with open(path, "w") as file:
            file.write(re.search(r"^```ini\n(# ringside.conf.*?)^```", page, re.M | re.S).group(1))
        manifest = dict(re.findall(r'name: (\w+)\n\s+value: "?([^"\n]+)', blocks["yaml"]))
        manifest["RINGSIDE_CONFIG"] = path
        shown = self.show_config(env=manifest.items())
        for line in ('service                = "shop"', "nice                   = 10", "upload-period          = 60",
                     'tags                   = "zone:a"', 'event                  = "sCPU freq=199; sPF"'):
            self.assertIn(line, shown)
        command, output = re.search(r"^    \$ (.*)\n((?:    .*\n)*)", page, re.M).groups()
        done = run("sh", "-c", command, env={"PATH": self.path("bin") + ":" + os.environ["PATH"]}, cwd=self.folder.name)
        self.assertEqual(done.stdout, re.sub(r"^    ", "", output, flags=re.M))

    def test_the_manual_page_has_no_warnings(self):
        page = self.path("share/man/man1/ringside.1")
        if shutil.which("groff"):
            done = run("groff", "-man", "-ww", "-z", "-Tutf8", page)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
        if shutil.which("man"):
            done = run("man", "--warnings", "-l", page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("--upload-period", done.stdout.replace("\b", ""))

    def test_bash_completes_options_their_values_and_then_the_command(self):
        self.assertIn("--upload-period", self.complete("--up"))
        self.assertIn("--no-wait", self.complete("-S", "shop", "--no-"))
        self.assertEqual(self.complete("--log-level", "de"), ["debug"])
        self.assertEqual(self.complete("--log-level", "=", "de"), ["debug"])
        self.assertIn("syslog", self.complete("-o", "sys"))
        self.assertIn("/etc/passwd", self.complete("--config", "/etc/pass"))
        self.assertEqual(self.complete("--frequency", "1"), [""])
        self.assertNotIn("--upload-period", self.complete("--wait", "ls", "--up"))
        self.assertNotIn("--upload-period", self.complete("--", "ls", "--up"))
        self.assertNotIn("--api-key", self.complete("--"))

    def test_bash_keeps_names_of_files_with_blanks_together(self):
        name = os.path.join(self.root, "cpu of the shop.pb.gz")
        with open(name, "w"):
            self.assertEqual(self.complete("-O", name[:-8]), [name])
            self.assertEqual(self.complete("cat", name[:-8]), [name])
        os.unlink(name)

    def test_zsh_reads_its_completion(self):
        if not shutil.which("zsh"):
            self.skipTest("no zsh")
        done = run("zsh", "-n", self.path("share/zsh/site-functions/_ringside"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("cmake", "build", "prefix"):
        parser.add_argument("--" + name, required=True)
    arguments, rest = parser.parse_known_args()
    unittest.main(argv=sys.argv[:1] + rest)
