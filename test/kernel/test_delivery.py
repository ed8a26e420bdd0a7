#!/usr/bin/env python3
"""Profiles on their way to servers: strict fakes of the backends (test/fakes), and real servers in front of them."""
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import unittest

from harness import (IS_ROOT, KernelTest, ME, Profile, SOURCE, cpu_s, each_user, kill_all, main, new_folder, profilers, python3, require_tool,
                     ringside, run, setUpModule, supervisor, wait_for, wait_profilers_gone, worker)  # noqa: F401 (setUpModule: found by unittest)

sys.path.insert(0, str(SOURCE / "test"))
from fakes import DatadogFake, FAKES, OtlpFake, ParcaFake, PlainFake, PyroscopeFake  # noqa: E402
from fakes.certificates import Authority  # noqa: E402

SECRET = "s3cr3t-0123456789abcdef"
API_KEY = "0123456789abcdef0123456789abcdef"

# Uses the CPU until a file is there, with something to name in its stacks.
BUSY = """
import os, sys, threading
def turn(n):
    return sum(i * i for i in range(n))
def work(path):
    while not os.path.exists(path):
        turn(20000)
threads = [threading.Thread(target=work, args=(sys.argv[1],)) for _ in range(int(sys.argv[2]))]
[t.start() for t in threads]
[t.join() for t in threads]
"""


def kind_url(server, path=""):
    """The server's URL with its kind in front; files get names of their own."""
    kind = "put" if isinstance(server, PlainFake) else server.name
    return f"{kind}+{server.url}{path or ('/profiles/' if kind == 'put' else '')}"


class Service:
    """A busy target under ringside, local files beside what is sent, until it is told to stop."""

    def __init__(self, test, urls, options=(), user=ME, threads=1, env=None, spool=None, cwd=None):
        self.folder = new_folder(user)
        self.spool = spool or self.folder / "spool"
        self.stop_file = self.folder / "stop"
        test.services.append(self)
        urls = [word for url in urls for word in ("-U", url)]
        self.command = test.start([ringside(), "-S", "shop", "-E", "test", "-V", "1.2", "-u", "1", "--frequency", "199", "--wait",
                                   "-O", f"{self.folder}/out/", "--spool", self.spool, "--flush-timeout", "20s", "-l", "notice", *urls,
                                   *options, python3(user), "-c", BUSY, self.stop_file, str(threads)],
                                  user, env={**os.environ, **(env or {})}, cwd=cwd)

    def files(self):
        return sorted((self.folder / "out").glob("*.pb.gz"))

    def spooled(self):
        return sorted(pathlib.Path(self.spool).rglob("*.request"))

    def wait_for_files(self, n):
        wait_for(lambda: len(self.files()) >= n, f"{n} profiles written", 60)

    def stop(self):
        self.stop_file.touch()
        return self.command.wait()

    def totals(self):
        """{"cpu/nanoseconds": sum} of the local files."""
        profile = Profile(*self.files())
        return {"samples": profile.count(), "cpu": sum(values[1] for _, values, _ in profile.samples)}


def cpu_of(totals, service):
    """
    (CPU time that was sent, how exact that is). Names differ by backend; OpenTelemetry is sent whole periods, each profile's sum
    rounded.
    """
    for name in ("cpu/nanoseconds", "cpu-time/nanoseconds"):
        if name in totals:
            return totals[name], 0
    period = int(re.search(r"period=(\d+)", " ".join(Profile(service.files()[0]).comments)).group(1))
    return totals["samples/count"] * period, len(service.files()) * period


class ServiceTest(KernelTest):
    """Whatever becomes of a test, its services end."""

    def setUp(self):
        super().setUp()
        self.services = []

    def tearDown(self):
        for service in self.services:
            service.stop_file.touch()
        super().tearDown()


class Delivery(ServiceTest):
    def assertDelivered(self, server, service):
        """Each profile that was written was accepted once, in order, and nothing a real server refuses was sent."""
        self.assertEqual(server.violations, [])
        identities = server.identities()
        self.assertEqual(len(identities), len(set(identities)), identities)
        self.assertEqual(len({upload.time_ns for upload in server.uploads()}), len(service.files()), server.summary())
        times = [upload.time_ns for upload in server.uploads()]
        self.assertEqual(times, sorted(times))
        cpu, exact = cpu_of(server.totals(), service)
        self.assertLessEqual(abs(cpu - service.totals()["cpu"]), exact)

    @each_user
    def test_servers_that_are_down_then_flapping_then_up_have_every_profile_once(self, user):
        """One of each kind, all of them targets of one run."""
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(fake()) for fake in FAKES.values()]
            for server in servers:
                server.down()
            service = Service(self, [kind_url(server) for server in servers], user=user)
            service.wait_for_files(3)
            self.assertEqual([server.accepted for server in servers], [[]] * len(servers))
            for server in servers:
                # No "hang": what takes longer than the time limit on a slow machine is sent again, as it should be.
                server.script(["503", "reset", "429 retry-after=1", "ok", "503 html", "close", "garbage", "ok"])
                server.up()
            for server in servers:
                server.wait_for(2, timeout=300, what="accepted")  # after five refusals a target may rest for 112 s
            service.wait_for_files(len(service.files()) + 1)
            result = service.stop()
            self.assertEqual(result.status, 0, result)
            for server in servers:
                with self.subTest(kind=server.name):
                    self.assertDelivered(server, service)
            self.assertEqual(service.spooled(), [])

    def test_nothing_finished_is_lost_when_the_profiler_is_killed(self):
        with DatadogFake(gaps=True) as server:
            server.down()
            service = Service(self, [kind_url(server)])
            wait_for(lambda: len(service.spooled()) >= 3, "three profiles in the spool", 60)
            kept = len(service.spooled())
            kill_all(profilers(but=[service.command.pid]), signal.SIGKILL)
            wait_for(lambda: not profilers(but=[service.command.pid]), "the profiler to be gone")
            self.assertEqual(service.stop().status, 0)
            server.up()
            again = Service(self, [kind_url(server)], spool=service.spool)
            server.wait_for(kept, what="accepted")
            self.assertEqual(again.stop().status, 0)
            self.assertEqual(server.violations, [])
            sent = {upload.time_ns for upload in server.uploads()}
            for file in service.files()[:kept]:
                self.assertIn(Profile(file).spans[0][0], {ns / 1e9 for ns in sent})
            self.assertEqual(again.spooled(), [])

    def lost_share(self, step):
        """Of the samples of two busy threads, with a server that does this; None: nothing is sent."""
        with DatadogFake(script=[step or "ok"]) as server:
            service = Service(self, [kind_url(server)],
                              ("--frequency", "3999", "--flush-timeout", "0", *(() if step else ("--no-do-export",))), threads=2)
            service.wait_for_files(4)
            self.assertEqual(service.stop().status, 0)
            profile = Profile(*service.files())
            return profile.comment_number("lost") / profile.comment_number("samples")

    def test_sampling_goes_on_undisturbed_while_uploads_hang(self):
        for step in ("hang", "stall"):
            with self.subTest(step=step):
                # What else the machine does costs samples, too: what uploads cost shows each time.
                for _ in range(4):
                    without, sending = self.lost_share(None), self.lost_share(step)
                    if sending <= without + 0.005:
                        break
                self.assertLessEqual(sending, without + 0.005)

    def test_who_is_down_does_not_delay_another(self):
        with PyroscopeFake(script=["hang"]) as hanging, ParcaFake() as good, PlainFake() as files:
            service = Service(self, [kind_url(hanging), kind_url(good), kind_url(files)], ("--flush-timeout", "3s"))
            good.wait_for(3, what="accepted")
            files.wait_for(3, what="accepted")
            result = service.stop()
            self.assertEqual(result.status, 0)
            self.assertDelivered(good, service)
            self.assertDelivered(files, service)
            self.assertRegex(result.err, rf"pyroscope \S+: {len(service.files())} profiles not delivered .* kept in {service.spool}")

    def test_a_refusal_for_good_drops_the_profile_with_the_servers_words(self):
        with DatadogFake(script=["403 words=the_key_is_unknown", "ok"], gaps=True) as server:
            service = Service(self, [kind_url(server)])
            server.wait_for(2, what="accepted")
            result = service.stop()
            self.assertEqual(len(re.findall("the key is unknown", result.err)), 1, result)
            self.assertEqual(len(server.accepted), len(service.files()) - 1)
            self.assertEqual(service.spooled(), [])

    def test_the_end_is_bounded_and_says_what_is_left(self):
        with OtlpFake() as server:
            server.down()
            folder = new_folder()
            result = run([ringside(), "-U", kind_url(server), "--spool", folder / "spool", "--flush-timeout", "300ms", "--wait",
                          "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; exit 3"])
            self.assertEqual(result.status, 3, result)
            self.assertRegex(result.err, r"otlp http://\S+: 1 profile not delivered \(.*refused.*\): kept in .*spool for the next run")
            self.assertEqual(len(list(folder.rglob("*.request"))), 1)
            result = run([ringside(), "-U", kind_url(server), "--spool", "memory", "--flush-timeout", "0", "--wait",
                          "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"])
            self.assertRegex(result.err, "1 profile not delivered .* and lost")

    def test_a_signal_to_all_that_ends_the_run_does_not_break_off_sending(self):
        """As of systemd to each process of a unit. The supervisor's order may be heard before the worker's own signal."""
        with PyroscopeFake(script=["hang"]) as server:
            folder = new_folder()
            command = self.start([ringside(), "-U", kind_url(server), "--spool", folder / "spool", "--flush-timeout", "300s",
                                  "--upload-timeout", "300s", "-O", f"{folder}/out/", python3(), "-c", BUSY, folder / "stop", "1"])
            boss, sender = supervisor(), worker()
            wait_for(lambda: cpu_s(command.pid) > 0.3, "some work")
            os.kill(boss, signal.SIGTERM)
            wait_for(lambda: list((folder / "out").glob("*.pb.gz")), "the profile")
            server.wait_for(1)
            os.kill(sender, signal.SIGTERM)
            time.sleep(1)  # the subject: it goes on
            self.assertIn(sender, profilers(but=[command.pid]))

            def told_to_end():
                kill_all([sender], signal.SIGTERM)  # again and again: two that come while it does not run are one
                return not profilers(but=[command.pid])

            wait_for(told_to_end, "the profiler's end", 60)
            (folder / "stop").touch()
            self.assertEqual(command.wait(60).status, 0)
            self.assertEqual(len(list(folder.rglob("*.request"))), 1)

    def test_a_signal_ends_the_waiting_for_servers_and_nothing_else(self):
        """Of the parent shape to the parent, of the other to the profiler; again and again, since only the end is to be met."""
        for shape in ("--wait", "--no-wait"):
            with self.subTest(shape=shape), PyroscopeFake(script=["hang"]) as server:
                folder = new_folder()
                command = self.start([ringside(), "-U", kind_url(server), "--spool", folder / "spool", "--flush-timeout", "300s",
                                      "--upload-timeout", "300s", shape, "sh", "-c",
                                      f"trap '' TERM; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; touch {folder}/ended; exit 3"])
                wait_for((folder / "ended").exists, "the command's end")

                def told():
                    pids = profilers(but=[command.pid])
                    kill_all([command.pid] if shape == "--wait" else pids, signal.SIGTERM)
                    return not pids

                wait_for(told, "the profiler's end", 60)
                result = command.wait()
                self.assertEqual(result.status, 3, result)
                self.assertRegex(result.err, "1 profile not delivered .* kept in")
                self.assertEqual(len(list(folder.rglob("*.request"))), 1)

    def test_a_profile_says_what_happened_to_those_before_it(self):
        with DatadogFake(script=["503", "403", "ok"], gaps=True) as server:
            service = Service(self, [kind_url(server)])
            server.wait_for(2, what="accepted")
            service.stop()
            said = [c for file in service.files() for c in Profile(file).comments if c.startswith("uploads: ")]
            self.assertIn("tried again 1", " ".join(said))
            self.assertIn("refused 1", " ".join(said))
            self.assertLess(len(said), len(service.files()))

    @each_user
    def test_the_service_shape_sends_too(self, user):
        with DatadogFake() as server:
            folder = new_folder(user)
            env = {**os.environ, "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
            result = run([ringside(), "-S", "shop", "-U", server.url, *(["--spool", folder / "s"] if user.privileged else []),
                          "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"], user, env=env)
            self.assertEqual(result.status, 0, result)
            wait_profilers_gone()
            self.assertEqual(len(server.accepted), 1, server.summary())
            self.assertEqual(server.violations, [])
            self.assertEqual(result.err, "")

    def test_an_agents_socket(self):
        folder = new_folder()
        with DatadogFake(unix=str(folder / "apm.socket")) as server:
            service = Service(self, [server.url])
            server.wait_for(2, what="accepted")
            service.stop()
            self.assertDelivered(server, service)


class Access(ServiceTest):
    """Certificates and credentials."""

    def send_once(self, url, *options, env=None):
        folder = new_folder()
        result = run([ringside(), "-U", url, "--spool", folder / "spool", "--flush-timeout", "5s", "--wait", "-l", "debug", *options,
                      "sh", "-c", "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"], env={**os.environ, **(env or {})})
        spool = b"".join(path.read_bytes() for path in folder.rglob("*.request"))
        return result, spool

    def test_certificates_are_verified(self):
        require_tool("openssl")
        folder = new_folder()
        good, other = Authority(folder / "good"), Authority(folder / "other")
        with PyroscopeFake(tls=good.issue("server")) as server:
            url = kind_url(server).replace("127.0.0.1", "localhost")
            for options in ((), ("--ca-file", other.ca)):
                result, spool = self.send_once(url, "--flush-timeout", "5s", *options)
                self.assertRegex(result.err, "(?i)1 profile not delivered .*certificate", result)
                self.assertTrue(spool)
            self.assertEqual(server.received, [])
            result, spool = self.send_once(url, "--ca-file", good.ca)
            self.assertEqual(len(server.accepted), 1, result)
            self.assertEqual((server.violations, spool), ([], b""))

    def test_a_certificate_of_the_client(self):
        require_tool("openssl")
        authority = Authority(new_folder() / "ca")
        certificate, key = authority.issue("client")
        with ParcaFake(tls=authority.issue("server"), client_ca=authority.ca) as server:
            url = kind_url(server)
            result, _ = self.send_once(url, "--ca-file", authority.ca, "--flush-timeout", "1s")
            self.assertEqual(server.accepted, [], result)
            result, _ = self.send_once(url, "--ca-file", authority.ca, "--client-cert", certificate, "--client-key", key)
            self.assertEqual(len(server.accepted), 1, result)

    def test_credentials_are_sent_and_nowhere_else(self):
        basic = "Basic " + __import__("base64").b64encode(f"me:{SECRET}".encode()).decode()
        cases = [
            (PyroscopeFake, {"Authorization": basic}, lambda s: kind_url(s), {"RINGSIDE_USER": "me", "RINGSIDE_PASSWORD": SECRET}),
            (PyroscopeFake, {"Authorization": basic}, lambda s: kind_url(s).replace("//", f"//me:{SECRET}@"), {}),
            (ParcaFake, {"Authorization": f"Bearer {SECRET}"}, lambda s: kind_url(s), {"PARCA_BEARER_TOKEN": SECRET}),
            (OtlpFake, {"X-Key": SECRET}, lambda s: kind_url(s), {"OTEL_EXPORTER_OTLP_HEADERS": f"x-key={SECRET}"}),
            (DatadogFake, {"X-Key": SECRET}, lambda s: kind_url(s), {"RINGSIDE_HEADER": f"X-Key: {SECRET}"}),
        ]
        for fake, headers, url_of, env in cases:
            with self.subTest(fake=fake.name, env=list(env)), fake(require=headers) as server:
                result, _ = self.send_once(url_of(server), env=env)
                self.assertEqual(len(server.accepted), 1, result)
                self.assertNotIn(SECRET, result.err)
                server.down()
                result, spool = self.send_once(url_of(server), "--flush-timeout", "200ms", env=env)
                self.assertTrue(spool)
                self.assertNotIn(SECRET.encode(), spool)
                self.assertNotIn(SECRET, result.err)
                self.assertNotIn("me:", result.err)

    def test_a_token_that_changes_in_its_file(self):
        """As Kubernetes does it: the file is behind a link, which is turned to another folder, and the old one goes."""
        folder = new_folder()
        for name, token in (("old", "token-1"), ("new", "token-2")):
            (folder / name).mkdir()
            (folder / name / "token").write_text(token + "\n")
        (folder / "data").symlink_to("old")
        with ParcaFake(require={"Authorization": "Bearer token-2"}) as server:
            server.down()
            service = Service(self, [kind_url(server)], ("--bearer-token-file", os.path.relpath(folder / "data/token")), cwd=os.getcwd())
            wait_for(service.spooled, "a profile in the spool")
            (folder / "next").symlink_to("new")
            (folder / "next").rename(folder / "data")
            (folder / "old/token").unlink()
            server.up()
            server.wait_for(1, what="accepted")
            self.assertEqual(service.stop().status, 0)
            self.assertEqual(len(server.received), len(server.accepted), server.summary())

    def test_without_an_agent(self):
        """The intake's own path, with the key; the name of the host stands for that of the site."""
        with DatadogFake(api_key=API_KEY) as server:
            result, spool = self.send_once(kind_url(server).replace("datadog+", ""), "--agentless", env={"DD_API_KEY": API_KEY})
            self.assertEqual(len(server.accepted), 1, result)
            self.assertEqual(server.accepted[0].target, "/api/v2/profile")
            self.assertNotIn(API_KEY, result.err)

    def test_datadogs_key_goes_to_its_intake_only(self):
        """What a tracer is told by its variables does not make any server of ours an intake."""
        with DatadogFake() as server:
            result, _ = self.send_once(server.url, env={"DD_API_KEY": API_KEY, "DD_PROFILING_AGENTLESS": "true"})
            self.assertEqual(len(server.accepted), 1, result)
            self.assertEqual(server.accepted[0].target, "/profiling/v1/input")
            self.assertIsNone(server.accepted[0].header("dd-api-key"))

    def test_otels_certificates_are_for_its_servers_only(self):
        variables = {"OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem", "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/nowhere.key"}
        with PyroscopeFake() as server:
            result, _ = self.send_once(kind_url(server), env=variables)
            self.assertEqual(len(server.accepted), 1, result)
        result, _ = self.send_once("otlp+https://x", env=variables)
        self.assertEqual(result.status, 2)
        self.assertIn("variable OTEL_EXPORTER_OTLP_CERTIFICATE: /nowhere.pem", result.err)

    def test_credentials_that_go_unencrypted_are_told_once(self):
        for env in ({}, {"RINGSIDE_TENANT": "a"}):
            result, _ = self.send_once(f"put+http://me:{SECRET}@unencrypted.invalid/x/", "--flush-timeout", "0", env=env)
            self.assertEqual(result.err.count("unencrypted; use"), 1, result)

    def test_redirects_are_not_followed(self):
        with PlainFake() as elsewhere, PlainFake(script=[f"redirect location={elsewhere.url}/x"]) as server:
            result, _ = self.send_once(kind_url(server))
            self.assertEqual(elsewhere.received, [])
            self.assertRegex(result.err, "refuses profile .* HTTP status 307")


class BadInput(KernelTest):
    def refused(self, words, *texts, env=None):
        folder = new_folder()
        result = run([ringside(), *words, "touch", folder / "started"], env={**os.environ, **(env or {})})
        self.assertEqual(result.status, 2, result)
        self.assertFalse((folder / "started").exists())
        for text in texts:
            self.assertIn(text, result.err)
        self.assertNotIn(SECRET, result.err)

    def test_it_is_refused_before_the_command_starts(self):
        self.refused(["-U", "gopher://x"], "--url", "gopher")
        self.refused(["-U", "pyroskope+http://x"], "--url", "pyroscope")
        self.refused(["-U", "http://"], "--url")
        self.refused(["-U", "http://x:99999"], "--url", "99999")
        self.refused(["-U", f"http://me:{SECRET}@x:y"], "--url")
        self.refused([], "RINGSIDE_URL", env={"RINGSIDE_URL": "ftp://x"})
        self.refused([], "DD_TRACE_AGENT_URL", env={"DD_TRACE_AGENT_URL": "ftp://x"})
        self.refused(["--agentless"], "agentless", "key")
        self.refused(["--agentless"], "key", env={"DD_API_KEY": SECRET})
        self.refused(["-U", "https://x", "--ca-file", "/nowhere.pem"], "--ca-file", "/nowhere.pem")
        self.refused(["-U", "https://x", "--bearer-token-file", "/nowhere"], "--bearer-token-file", "/nowhere")
        self.refused(["-U", "https://x"], "RINGSIDE_BEARER_TOKEN_FILE", env={"RINGSIDE_BEARER_TOKEN_FILE": SECRET})
        self.refused(["-U", "https://x"], "RINGSIDE_HEADER", env={"RINGSIDE_HEADER": SECRET})
        self.refused(["-U", "https://x"], "RINGSIDE_PASSWORD", env={"RINGSIDE_PASSWORD": SECRET})
        self.refused(["-U", "pyroscope+http://x?y"], "--url: a URL of pyroscope", env={"RINGSIDE_USER": "me"})

    def test_the_port_of_grpc_is_remarked_on(self):
        result = run([ringside(), "--spool", "memory", "--flush-timeout", "0", "--wait", "true"],
                     env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317"})
        self.assertEqual(result.status, 0, result)
        self.assertIn("4317 is the usual port of gRPC", result.err)

    def test_a_credential_says_whose_it_is_where_there_are_several_servers(self):
        urls = ["-U", "pyroscope+http://a", "-U", "parca+http://b"]
        self.refused(urls, "--bearer-token", "pyroscope+", "variable RINGSIDE_BEARER_TOKEN", env={"RINGSIDE_BEARER_TOKEN": SECRET})
        with PyroscopeFake() as one, ParcaFake(require={"Authorization": f"Bearer {SECRET}"}) as other:
            run([ringside(), "-U", kind_url(one), "-U", kind_url(other), "--spool", "memory", "--wait", "sh", "-c",
                 "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"], env={**os.environ, "RINGSIDE_BEARER_TOKEN": f"parca+{SECRET}"})
            self.assertEqual((len(one.accepted), len(other.accepted)), (1, 1))
            self.assertIsNone(one.accepted[0].header("authorization"))

    def test_variables_of_other_tools_do_not_keep_files_from_being_written(self):
        folder = new_folder()
        result = run([ringside(), "true"], env={**os.environ, "DD_PROFILING_PPROF_PREFIX": f"{folder}/p_", "DD_TRACE_AGENT_URL": "ftp://x"})
        self.assertEqual(result.status, 0, result)
        self.assertIn("DD_TRACE_AGENT_URL", result.err)
        wait_profilers_gone()


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_max_body_size 64m;
    server {{
        listen {plain};
        location /files/ {{ root {folder}/root; dav_methods PUT; create_full_put_path on; }}
    }}
    server {{
        listen {tls} ssl http2; ssl_certificate {certificate}; ssl_certificate_key {key};
        location / {{ proxy_pass {backend}; proxy_http_version 1.1; }}
    }}
}}
"""


class Nginx(ServiceTest):
    """A real server: files put into a folder, and TLS with HTTP/2 in front of a backend."""

    @contextlib.contextmanager
    def nginx(self, backend):
        folder = new_folder()
        (folder / "root/files").mkdir(parents=True)
        authority = Authority(folder / "ca")
        certificate, key = authority.issue("server")
        plain, tls = self.free_ports(2)
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, plain=plain, tls=tls, certificate=certificate, key=key,
                                                        backend=backend, user="user root;" if IS_ROOT else ""))
        server = subprocess.Popen([require_tool("nginx"), "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"],
                                  stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: (folder / "pid").exists() and (folder / "pid").read_text(), "nginx to run")
            yield folder, plain, tls, authority.ca
        finally:
            server.terminate()
            server.wait()

    @staticmethod
    def free_ports(n):
        import socket
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
        ports = [s.getsockname()[1] for s in sockets]
        for s in sockets:
            s.close()
        return ports

    def test_files_in_its_folder(self):
        with self.nginx("http://127.0.0.1:9") as (folder, plain, _, _):
            service = Service(self, [f"put+http://127.0.0.1:{plain}/files/{{service}}/"])
            service.wait_for_files(2)
            result = service.stop()
            stored = sorted((folder / "root/files/shop").glob("*.pb.gz"))
            self.assertEqual([re.sub("-[0-9a-f]{8}-", "-", p.name) for p in stored], [p.name for p in service.files()], result)
            for theirs, ours in zip(stored, service.files()):
                self.assertEqual(Profile(theirs).samples, Profile(ours).samples)

    def test_tls_in_front_of_a_backend(self):
        with PyroscopeFake() as server, self.nginx(server.url) as (_, _, tls, ca):
            service = Service(self, [f"pyroscope+https://localhost:{tls}"], ("--ca-file", ca))
            server.wait_for(2, what="accepted")
            server.down()
            service.wait_for_files(len(service.files()) + 2)
            server.up()
            service.stop()
            self.assertEqual(server.violations, [])
            self.assertEqual(len({upload.time_ns for upload in server.uploads()}), len(service.files()))


if __name__ == "__main__":
    main()
