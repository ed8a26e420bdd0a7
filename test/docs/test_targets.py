#!/usr/bin/env python3
"""Keeps the pages honest: what they tell people to type, set and follow is tried, most of all that of docs/targets.md.

    test_targets.py --ringside BINARY [unittest arguments]

No request leaves the machine: commands are only parsed, or sent to the fakes of test/fakes in place of the servers they name.
"""
import argparse
import base64
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from pages import EXAMPLES, FENCE, PAGES, SOURCE, VARIABLE, anchors, commands, commands_of_block, links, name_of, sections, tables

sys.path.insert(0, str(SOURCE / "test"))
from fakes import DatadogFake, OtlpFake, ParcaFake, PlainFake, PyroscopeFake  # noqa: E402

TARGETS = SOURCE / "docs/targets.md"
SKIPPED = 77
BUSY = ["/bin/sh", "-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]
FAKES = {"datadog": DatadogFake, "pyroscope": PyroscopeFake, "parca": ParcaFake, "otlp": OtlpFake, "put": PlainFake, "post": PlainFake}
# Read by servers' own programs, or by the build.
OF_OTHERS = {"DD_APM_NON_LOCAL_TRAFFIC", "DD_APM_RECEIVER_SOCKET", "DD_KUBERNETES_KUBELET_HOST", "RINGSIDE_TESTS", "RINGSIDE_BENCH"}

# Manifests of a profiler beside the service: kind, capabilities, whether it attaches.
BESIDE = {"sidecar": ("Deployment", ["PERFMON"], True), "daemonset": ("DaemonSet", ["PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "SYSLOG"], False)}

ringside = None


def clean_environment(folder, **more):
    """As in a shell in which nothing was set that Ringside reads."""
    return {"PATH": str(folder), "HOME": str(folder), "RINGSIDE_SPOOL": "memory", "RINGSIDE_START_TIMEOUT": "60s", **more}


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ringside-docs-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def parsed(self, command):
        """
        Whether options and variables are understood: with nothing to be found in PATH, the command is not started, and what runs
        already is left alone.
        """
        (self.folder / "out").mkdir(exist_ok=True)
        words = [re.sub(r"^/.*/$", f"{self.folder}/out/", word) for word in command.words[1:]]
        if {"-p", "-g"} & set(words):
            words.insert(0, "--no-enable")
        done = subprocess.run([ringside, *words], env=clean_environment(self.folder, **command.env), cwd=self.folder, text=True,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)
        return done


class Pages(unittest.TestCase):
    def test_links_within_the_repository_lead_somewhere(self):
        checked = 0
        for page in PAGES:
            for link in links(page):
                if re.match(r"[a-z]+:", link):
                    continue
                path, _, anchor = link.partition("#")
                there = (page.parent / path).resolve() if path else page
                with self.subTest(page=name_of(page), link=link):
                    self.assertTrue(there.exists(), there)
                    if anchor:
                        self.assertIn(anchor, anchors(there))
                checked += 1
        self.assertGreater(checked, 30)

    def test_rows_of_tables_have_as_many_cells_as_their_head(self):
        for page in PAGES:
            for rows in tables(page):
                for row in rows:
                    with self.subTest(page=name_of(page), row=row):
                        self.assertEqual(len(row), len(rows[0]))
                self.assertRegex("".join(rows[1]), r"^[-:]+$", rows[0])


class Commands(Folder):
    def test_options_in_commands_are_understood(self):
        count = {}
        for page in PAGES:
            for command in commands(page):
                with self.subTest(command=command):
                    done = self.parsed(command)
                    self.assertIn(done.returncode, (0, 127), done.stderr)
                    self.assertNotIn("left out", done.stderr)
                count[page] = count.get(page, 0) + 1
        self.assertGreater(count[TARGETS], 10)
        self.assertGreater(count[SOURCE / "README.md"], 2)

    def test_a_wrong_one_would_be_noticed(self):
        for line in ("ringside --frequenzy 9 ./shop", "ringside -U pyroskope+http://x ./shop", "ringside -S shop -U 'put+http://x/{name}/' ./shop"):
            command, = commands_of_block(TARGETS, line)
            self.assertEqual(self.parsed(command).returncode, 2, line)

    def test_variables_are_read_by_the_program(self):
        known = set(VARIABLE.findall((SOURCE / "docs/commands.md").read_text())) | OF_OTHERS
        known |= set(re.findall(r'getenv\("([A-Z_]+)"\)', "".join(path.read_text() for path in SOURCE.glob("src/*/*.c"))))
        for page in [TARGETS, SOURCE / "README.md", SOURCE / "docs/configuration.md", *filter(pathlib.Path.is_file, EXAMPLES.rglob("*"))]:
            for name in VARIABLE.findall(page.read_text()):
                with self.subTest(page=name_of(page), name=name):
                    # "RINGSIDE_" and "DD_PROFILING_..." as families end in "_" and are no names.
                    self.assertIn(name, known)


class Backends(Folder):
    """Each block of docs/targets.md that sends something, with fakes in place of the servers it names."""

    @contextlib.contextmanager
    def fakes_in_place(self, command):
        """Yields (words, env, [fakes]): the same with other places in URLs."""
        with contextlib.ExitStack() as stack:
            fakes = []

            def replace(text, kind=None):
                def place(match):
                    prefix, scheme = match[1] or "", match[2]
                    name = prefix.rstrip("+") or kind or "datadog"
                    where = {"unix": str(self.folder / f"{len(fakes)}.socket")} if scheme == "unix" else {}
                    fakes.append(stack.enter_context(FAKES[name](**where)))
                    return prefix + fakes[-1].url
                return re.sub(r"(\w+\+)?(https?|unix)://[^/\s]*(?:(?<=unix://)\S+)?", place, text)

            of = {"OTEL_EXPORTER_OTLP_ENDPOINT": "otlp", "PYROSCOPE_SERVER_ADDRESS": "pyroscope"}
            env = {name: replace(value, of.get(name)) for name, value in command.env.items()}
            words = [replace(word) for word in command.words]
            if "--agentless" in words:  # its place follows from the site
                fakes.append(stack.enter_context(DatadogFake(api_key=env["DD_API_KEY"])))
                words[1:1] = ["-U", fakes[-1].url]
            self.assertTrue(fakes, f"{command} sends nothing")
            yield words, env, fakes

    def secrets(self, command):
        """What has to be in the requests, of what was set."""
        for name, value in command.env.items():
            if re.search("USER|PASSWORD|TOKEN|API_KEY|TENANT", name):
                yield value.partition("+")[2] or value
            elif name == "RINGSIDE_HEADER":
                yield re.sub(r"^\w+\+", "", value).partition(": ")[2]
            if "?" in value:
                yield value.partition("?")[2]

    @staticmethod
    def shown(request):
        basic = re.match("Basic (.*)", request.header("authorization") or "")
        return "\n".join([request.target, *(value for _, value in request.headers), base64.b64decode(basic[1]).decode() if basic else ""])

    def run_busy(self, words, env, fakes):
        """The program's options in words, for a command that uses the CPU for a while; everything must be accepted."""
        words = [ringside, "--wait", "--flush-timeout", "30s", *words, *BUSY]
        done = subprocess.run(words, env=clean_environment(self.folder, **env), text=True, cwd=self.folder, capture_output=True, timeout=120)
        if "perf_event_open" in done.stderr:
            if "perf" in os.environ.get("REQUIRE", "").split(","):
                self.fail(done.stderr)
            self.skipTest(done.stderr)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for fake in fakes:
            self.assertEqual(fake.violations, [])
            self.assertTrue(fake.accepted, fake.summary())

    def send(self, command):
        with self.fakes_in_place(command) as (words, env, fakes):
            self.run_busy(words[1:words.index("./shop")], env, fakes)
            for fake in fakes:
                self.assertEqual(len(fake.distinct_uploads()), 1, fake.summary())  # sent again where the answer took long
                self.assertTrue(fake.name == "plain" and "put+" not in str(command.words) + str(command.env) or
                                "shop" in fake.accepted[0].target + str(fake.uploads()[0].tags), fake.accepted[0].target)
            seen = "\n".join(self.shown(fake.accepted[0]) for fake in fakes)
            for secret in self.secrets(command):
                self.assertIn(secret, seen)

    def test_what_the_page_says_is_accepted_by_the_server(self):
        kinds = set()
        for heading, section in sections(TARGETS).items():
            for language, block in FENCE.findall(section):
                if language != "sh":
                    continue
                command, = commands_of_block(TARGETS, block)
                with self.subTest(section=heading, command=command):
                    self.assertLessEqual(len(block.strip().splitlines()), 3)
                    self.send(command)
                kinds.add(heading)
        self.assertEqual(kinds, {"Datadog", "Grafana Pyroscope", "Parca", "OpenTelemetry Collector", "Any server that takes files", "Credentials"})


    def test_what_is_sent_has_names_that_the_page_tells(self):
        """Everything that can be said of a service is; page faults stand for events that are not CPU time."""
        options = ["-S", "shop", "-E", "prod", "-V", "1.2", "--git-repository-url", "https://example.com/shop.git", "--git-commit-sha", "4f2a9c1",
                   "-e", "sCPU", "-e", "sPF label=faulted"]
        headings = {"datadog": "Datadog", "pyroscope": "Grafana Pyroscope", "parca": "Parca", "otlp": "OpenTelemetry Collector"}
        with contextlib.ExitStack() as stack:
            fakes = {kind: stack.enter_context(FAKES[kind]()) for kind in headings}
            urls = [word for kind, fake in fakes.items() for word in ("-U", f"{kind}+{fake.url}")]
            self.run_busy([*options, *urls], {"RINGSIDE_TAGS": "team:core"}, fakes.values())
            for kind, fake in fakes.items():
                told = sections(TARGETS)[headings[kind]]
                if kind == "parca":  # "as to Pyroscope, but for names"
                    told += re.search("CPU time as .*", sections(TARGETS)[headings["pyroscope"]])[0]
                told = {word for code in re.findall(r"`([^`\n]+)`", told) for word in (code, *re.split("[:/]", code))}
                sent = {name for upload in fake.uploads() for name in [*upload.tags, *(total.partition("/")[0] for total in upload.totals)]}
                sent |= {key for upload in fake.uploads() if upload.profile for sample in upload.profile.samples for key in sample.labels}
                # What goes under a name of the user's, the name of a series, and what Pyroscope adds itself.
                sent -= {"team", "faulted", "__name__", "__delta__", "pyroscope_spy"}
                with self.subTest(kind=kind):
                    self.assertLessEqual(sent, told)
                    self.assertGreater(len(sent), 5)


class Words(Folder):
    """Messages and numbers of the page."""

    def test_messages_are_those_of_the_program(self):
        code = "".join(path.read_text() for path in sorted(SOURCE.glob("src/*/*.c")))
        code = re.sub(r'"\s*\n\s*"', "", code)  # texts in several pieces
        messages = [message for row in re.findall(r"^\| (`.*?) \| ", sections(TARGETS)["Messages"], re.MULTILINE) for message in re.findall("`([^`]+)`", row)]
        self.assertGreater(len(messages), 10)
        for message in messages:
            # What stands for something else, and what is put together: "%u profile%s", "keep %s in".
            for part in re.split(r"\b[A-Z]{3,}\b|\bN\b(?: profiles)?|\bthem\b|\.\.\.|[():;]", message):
                with self.subTest(message=message, part=part):
                    self.assertTrue(part.strip(" -") in code)

    def test_defaults_are_those_of_the_program(self):
        shown = subprocess.run([ringside, "--show-config"], env=clean_environment(self.folder, RINGSIDE_SPOOL=""), cwd=self.folder, capture_output=True, text=True)
        values = dict(re.findall(r'^([\w-]+) += "?([^\s"]+)', shown.stdout, re.MULTILINE))
        page = TARGETS.read_text()
        for option, text in (("upload-timeout", f"{int(values['upload-timeout'].removesuffix('ms')) // 1000} s, `--upload-timeout`"),
                             ("flush-timeout", f"{int(values['flush-timeout'].removesuffix('ms')) // 1000} s, `--flush-timeout`"),
                             ("spool-age", f"{values['spool-age']} hours, `--spool-age`"),
                             ("spool-limit", f"at most {values['spool-limit']} MB")):
            with self.subTest(option=option):
                self.assertIn(text, page)


class Files(Folder):
    """docs/examples, as far as they can be checked without Docker."""

    @classmethod
    def setUpClass(cls):
        try:
            import yaml
        except ImportError:
            raise unittest.SkipTest("no python3-yaml here") from None
        cls.documents = {path: list(yaml.safe_load_all(path.read_text())) for path in sorted(EXAMPLES.rglob("*.yaml"))}
        cls.compose = cls.documents[EXAMPLES / "compose.yaml"][0]
        cls.kubernetes = {path.stem: documents for path, documents in cls.documents.items() if path.parent.name == "kubernetes"}

    def images(self, node):
        if isinstance(node, dict):
            yield from ([node["image"]] if isinstance(node.get("image"), str) else [])
            node = list(node.values())
        for inner in node if isinstance(node, list) else []:
            yield from self.images(inner)

    def shows(self, env, links=()):
        """The program reads these variables and has no objection to them, nor to those that Kubernetes sets beside services called so."""
        beside = {name.upper().replace("-", "_") + rest: value for name in links
                  for rest, value in (("_PORT", "tcp://10.0.0.7:80"), ("_SERVICE_HOST", "10.0.0.7"), ("_SERVICE_PORT", "80"), ("_PORT_80_TCP_PROTO", "tcp"))}
        done = subprocess.run([ringside, "--show-config"], env={**clean_environment(self.folder), **beside, **env}, cwd=self.folder, text=True,
                              capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""), env)
        self.assertNotIn("# note", done.stdout)
        for name in env:
            self.assertIn(name, done.stdout)
        command, = commands_of_block(EXAMPLES / "compose.yaml", "ringside ./shop")
        command.env = env
        self.assertEqual(self.parsed(command).returncode, 127)

    def test_images_have_a_version(self):
        images = set(self.images(list(self.documents.values())))
        images |= set(re.findall(r"^FROM (\S+)", (EXAMPLES / "Dockerfile").read_text(), re.MULTILINE))
        self.assertGreaterEqual(len(images), 6)
        for image in images:
            self.assertRegex(image, r":(v?\d+[\w.-]*|example)$")

    def test_the_servers_of_docker_and_kubernetes_are_the_same(self):
        used = {image for name, documents in self.kubernetes.items() for image in self.images(documents)}
        self.assertEqual(used, set(self.images(self.compose)))

    def test_compose_file(self):
        services, volumes = self.compose["services"], set(self.compose["volumes"])
        for name, service in services.items():
            with self.subTest(service=name):
                for volume in service.get("volumes", []):
                    source = volume.split(":")[0]
                    self.assertTrue(source in volumes or source.startswith("/") or (EXAMPLES / source).is_file(), volume)
                if not name.startswith("shop-"):
                    continue
                self.shows(service["environment"])
                server = name.removeprefix("shop-")
                self.assertEqual(service["profiles"], services[server]["profiles"])
                url, = (value for key, value in service["environment"].items() if re.search("URL|ENDPOINT", key))
                host = re.search(r"https?://([\w-]+)", url)
                self.assertTrue(host is None or host[1] == server, url)
                self.assertEqual(service["cap_add"], ["PERFMON"])
                self.assertIn("spool:/var/lib/ringside/spool", service["volumes"])
                self.assertTrue((EXAMPLES / service["build"]["context"] / service["build"]["dockerfile"]).is_file())

    def test_kubernetes_manifests(self):
        shop, = self.kubernetes["shop"]
        template = shop["spec"]["template"]["spec"]["containers"][0]
        config_map = template["envFrom"][0]["configMapRef"]["name"]
        env = {row["name"]: row["value"] for row in template["env"]}
        for name, documents in self.kubernetes.items():
            with self.subTest(file=name):
                objects = {(row["kind"], row["metadata"]["name"]): row for row in documents}
                for row in documents:
                    if "template" in row.get("spec", {}):
                        self.assertEqual(row["spec"]["selector"]["matchLabels"], row["spec"]["template"]["metadata"]["labels"])
                        pod = row["spec"]["template"]["spec"]
                        mounts = {mount["name"] for container in pod["containers"] for mount in container.get("volumeMounts", [])}
                        self.assertEqual(mounts, {volume["name"] for volume in pod.get("volumes", [])})
                if name in ("shop", *BESIDE):
                    continue
                data = objects["ConfigMap", config_map]["data"]
                self.shows({**env, **data}, [name for kind, name in objects if kind == "Service"])
                host, port = re.search(r"://([\w-]+):(\d+)$", data["RINGSIDE_URL"]).groups()
                service = objects["Service", host]["spec"]
                self.assertEqual(service["ports"], [{"port": int(port)}])
                server, = (row["spec"]["template"] for row in documents if row["kind"] in ("Deployment", "DaemonSet"))
                self.assertEqual(server["metadata"]["labels"], service["selector"])
                self.assertEqual(server["spec"]["containers"][0]["ports"], [{"containerPort": int(port)}])

    def test_manifests_that_profile_what_runs_already(self):
        for name, (kind, capabilities, attaches) in BESIDE.items():
            with self.subTest(file=name):
                row, = self.kubernetes[name]
                pod = row["spec"]["template"]["spec"]
                self.assertEqual(row["kind"], kind)
                self.assertTrue(pod.get("hostPID") if name == "daemonset" else pod["shareProcessNamespace"])
                container, = (c for c in pod["containers"] if c["name"] == "ringside")
                self.assertEqual(container["securityContext"]["capabilities"]["add"], capabilities)
                self.assertNotIn("privileged", container["securityContext"])
                line = container["command"][-1].splitlines()[-1].removeprefix("exec ") if attaches else " ".join(container["command"])
                words = line.replace('"$pids"', "1,2").split()
                self.assertEqual(words[0], "ringside")
                done = subprocess.run([ringside, *words[1:], "--show-config", "--no-enable"], env=clean_environment(self.folder, RINGSIDE_OUTPUT="x"),
                                      cwd=self.folder, text=True, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr, r'(?m)^pid += "2"' if attaches else r"(?m)^global += yes")

    def test_the_sidecar_finds_the_service(self):
        """What its shell does, with a folder in place of /proc and a program that says what it was told in place of Ringside."""
        container = self.kubernetes["sidecar"][0]["spec"]["template"]["spec"]["containers"][1]
        for pid, comm in ((1, "pause"), (7, "shop"), (19, "shop"), (20, "shopper")):
            (self.folder / "proc" / str(pid)).mkdir(parents=True)
            (self.folder / "proc" / str(pid) / "comm").write_text(comm + "\n")
        script = container["command"][-1].replace("/proc/", "proc/").replace("-d/ -f3", "-d/ -f2").replace("exec ringside", "echo")
        done = subprocess.run(["sh", "-c", script], cwd=self.folder, text=True, capture_output=True, timeout=60)
        self.assertIn(done.stdout, ("-S shop -p 7,19\n", "-S shop -p 19,7\n"), done.stderr)

    def test_collector_takes_profiles(self):
        import yaml
        config, = self.documents[EXAMPLES / "collector.yaml"]
        inner, = (row["data"]["config.yaml"] for row in self.kubernetes["collector"] if "config.yaml" in row.get("data", {}))
        self.assertEqual(yaml.safe_load(inner), config)
        pipeline = config["service"]["pipelines"]["profiles"]
        self.assertEqual(set(pipeline), {"receivers", "exporters"})
        for part in pipeline:
            self.assertLessEqual(set(pipeline[part]), set(config[part]))
        self.assertRegex(config["receivers"]["otlp"]["protocols"]["http"]["endpoint"], r"^0\.0\.0\.0:4318$")
        for path in (EXAMPLES / "compose.yaml", EXAMPLES / "kubernetes/collector.yaml"):
            text = path.read_text()
            self.assertIn("--feature-gates=service.profilesSupport", text)
            file, = set(re.findall(r"--config=([^\s,\]]+)", text))
            self.assertIn(os.path.dirname(file), text.replace("--config=" + file, ""))


class Image(Folder):
    """The Dockerfile."""

    text = (EXAMPLES / "Dockerfile").read_text()

    def test_its_entry_point_is_understood(self):
        words = re.search(r'^ENTRYPOINT \[(.*)\]$', self.text, re.MULTILINE)[1].replace('"', "").split(", ")
        self.assertEqual(words[0], "ringside")
        command, = commands_of_block(EXAMPLES / "Dockerfile", " ".join(words))
        command.env = dict(re.findall(r"^ENV (\w+)=(.*)$", self.text, re.MULTILINE))
        self.assertEqual(self.parsed(command).returncode, 127)

    def test_what_it_calls_for_the_build_is_there(self):
        script, option = re.search(r"(tools/\S+) (--\S+)", self.text).groups()
        self.assertIn(f"    {option})", (SOURCE / script).read_text())
        preset = re.search(r"--preset (\w+)", self.text)[1]
        self.assertIn(f'"name": "{preset}"', (SOURCE / "CMakePresets.json").read_text())
        for name in re.findall(r"-D(\w+)=", self.text):
            self.assertIn(f"option({name} ", (SOURCE / "CMakeLists.txt").read_text())

    def test_it_has_the_libraries_that_the_program_wants(self):
        if not shutil.which("dpkg-query") or pathlib.Path("/etc/os-release").read_text().find("VERSION_ID=\"12\"") < 0:
            self.skipTest("not Debian 12")
        wanted = set(re.findall(r"=> (/\S+)", subprocess.run(["ldd", ringside], capture_output=True, text=True, check=True).stdout))
        wanted = {os.path.realpath(path) for path in wanted}
        wanted |= {os.path.realpath(path) for path in pathlib.Path("/usr/lib").glob("*/libcurl.so.4")}  # loaded when it sends
        packages = set()
        for path in wanted:  # packages may still know it by its path in /lib
            names = [path, path.removeprefix("/usr")]
            done = subprocess.run(["dpkg-query", "-S", *names], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            packages |= {line.partition(":")[0] for line in done.stdout.splitlines()}
        installed = set(re.search(r"install -y --no-install-recommends (.*) \\", self.text)[1].split())
        self.assertIn("libcurl4", packages)
        self.assertEqual(packages - {"libc6"} | {"ca-certificates"}, installed)


class Runner(unittest.TextTestRunner):
    def run(self, test):
        result = super().run(test)
        if result.wasSuccessful() and result.testsRun == len(result.skipped):
            sys.exit(SKIPPED)
        return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--ringside", required=True, type=os.path.abspath)
    arguments, rest = parser.parse_known_args()
    ringside = arguments.ringside
    unittest.main(argv=[sys.argv[0], "-v", *rest], testRunner=Runner)
