#!/usr/bin/env python3
"""The fakes as servers: scripted answers, going down and up, TLS, unix sockets, what is recorded, and the command."""

import email.utils
import errno
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from fakes import DatadogFake, OtlpFake, PlainFake, PyroscopeFake, good, protobuf, steps  # noqa: E402
from fakes.certificates import Authority  # noqa: E402

TIMEOUT_S = 20


class Client:
    """One connection that sends bytes and reads a reply."""

    def __init__(self, server, sock=None):
        if sock is None:
            sock = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S)
        sock.settimeout(TIMEOUT_S)
        self.sock = sock

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, request):
        self.sock.sendall(request if isinstance(request, bytes) else request.bytes())

    def reply(self):
        """(status, headers, body)"""
        answer = http.client.HTTPResponse(self.sock)
        answer.begin()
        return answer.status, answer.headers, answer.read()

    def ask(self, request):
        self.send(request)
        return self.reply()


class Serving(unittest.TestCase):
    def start(self, fake_class, *arguments, **options):
        server = fake_class(*arguments, **options)
        self.addCleanup(server.close)
        return server

    def folder(self):
        path = tempfile.mkdtemp(prefix="fakes-")
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path


class Scripts(Serving):
    def test_answers_in_order_and_the_last_one_stays(self):
        server = self.start(PlainFake, ["503", "429 retry-after=2 words=slow_down", "503 retry-date=3600", "ok"])
        request = good.Plain()
        with Client(server) as client:
            self.assertEqual(client.ask(request)[0], 503)
            status, headers, body = client.ask(request)
            self.assertEqual((status, headers["Retry-After"], body), (429, "2", b"slow down\n"))
            date = email.utils.parsedate_to_datetime(client.ask(request)[1]["Retry-After"])
            self.assertLess(abs(date.timestamp() - server.received[-1].wall - 3600), 60)
            self.assertEqual(client.ask(request)[0], 201)
            self.assertEqual(client.ask(request)[0], 204)
            server.script("400")
            self.assertEqual(client.ask(request)[0], 400)
        verdicts = [seen.verdict for seen in server.received]
        self.assertEqual(verdicts, ["scripted", "scripted", "scripted", "accepted", "accepted", "scripted"])
        self.assertEqual((server.connections, server.violations, len(server.accepted)), (1, [], 2))
        times = [seen.at for seen in server.received]
        self.assertEqual(times, sorted(times))
        self.assertEqual(server.received[0].raw, request.bytes())

    def test_a_broken_request_is_refused_whatever_the_script_says_of_good_ones(self):
        server = self.start(PlainFake, ["200", "200", "503"])
        request = good.Plain()
        request.compress = bytes
        with Client(server) as client:
            self.assertEqual(client.ask(good.Plain())[0], 200)
            self.assertEqual(client.ask(request)[0], 400)
            self.assertEqual(client.ask(request)[0], 503)
        self.assertEqual(len(server.violations), 2)
        self.assertEqual([len(server.accepted), len(server.received)], [1, 3])

    def test_forms_of_answers(self):
        script = ["redirect", "502 html", "200 junk", "200 partial=3 words=no", "200 bytes=100000", "503 headers=5000", "302 location=/x"]
        server = self.start(OtlpFake, script)
        request = good.Otlp()
        with Client(server) as client:
            replies = [client.ask(request) for _ in script]
        self.assertEqual([status for status, _, _ in replies], [307, 502, 200, 200, 200, 503, 302])
        self.assertEqual((replies[0][1]["Location"], replies[6][1]["Location"]), ("/elsewhere", "/x"))
        self.assertEqual(replies[1][1]["Content-Type"], "text/html")
        partial = protobuf.decode("otlp.proto", "otlp.ExportProfilesServiceResponse", replies[3][2]).one("partial_success")
        self.assertEqual((partial.number("rejected_profiles"), partial.text("error_message")), (3, "no"))
        self.assertEqual(len(replies[4][2]), 100000)
        self.assertEqual(len(server.accepted), 3)

    def test_a_huge_answer(self):
        server = self.start(PlainFake, ["huge bytes=5000000"])
        with Client(server) as client:
            self.assertEqual(len(client.ask(good.Plain())[2]), 5000000)

    def test_endings_without_an_answer(self):
        for step, ending in (("close", b""), ("reset", ConnectionResetError), ("close half", b"HTTP/1.1 200"), ("garbage", b"\x16\x03")):
            server = self.start(PlainFake, [step])
            with Client(server) as client:
                client.send(good.Plain())
                if ending is ConnectionResetError:
                    self.assertRaises(ending, client.sock.recv, 10)
                else:
                    self.assertEqual(read_to_end(client.sock)[: len(ending) or None], ending)
            self.assertEqual((len(server.wait_for(1)), server.accepted, server.violations), (1, [], []))

    def test_answers_before_the_body(self):
        server = self.start(PlainFake, ["413 early", "reset early", "stall"])
        head = b"PUT /x.pb.gz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        with Client(server) as client:
            self.assertEqual(client.ask(head)[0], 413)
        with Client(server) as client:
            client.send(head)
            self.assertRaises(ConnectionResetError, client.sock.recv, 1)
        with Client(server) as client:
            client.send(head)
            server.wait_for(3, what="cut")
        self.assertEqual(server.received, [])

    def test_a_hang_ends_with_the_client(self):
        server = self.start(PlainFake, ["hang"])
        with Client(server) as client:
            client.send(good.Plain())
            server.wait_for(1)
            client.sock.settimeout(0.05)
            self.assertRaises(TimeoutError, client.sock.recv, 1)

    def test_a_hang_ends_with_the_server(self):
        server = self.start(PlainFake, ["hang"])
        with Client(server) as client:
            client.send(good.Plain())
            server.wait_for(1)
            server.close()
            self.assertEqual(client.sock.recv(1), b"")

    def test_a_slow_answer_counts_when_somebody_waited_for_it(self):
        server = self.start(PlainFake, ["slow seconds=0.2"])
        with Client(server) as client:
            self.assertEqual(client.ask(good.Plain())[0], 201)
        server.wait_for(1, what="accepted")

    def test_steps_that_are_none(self):
        for text in ("", "hung", "429 retryafter=2", "99", "ok partial"):
            self.assertRaises(ValueError, steps.Step, text)
        self.assertRaises(ValueError, steps.parse_steps, [])

    def test_a_wait_that_is_in_vain_tells_what_there_is(self):
        server = self.start(PlainFake)
        with self.assertRaisesRegex(AssertionError, "0 of 1 received within 0.01 s"):
            server.wait_for(1, timeout=0.01)


def read_to_end(sock):
    data = b""
    while True:
        more = sock.recv(65536)
        if not more:
            return data
        data += more


class Listening(Serving):
    def test_down_and_up_at_the_same_port(self):
        server = self.start(PlainFake)
        port = server.port
        with Client(server) as client:
            self.assertEqual(client.ask(good.Plain())[0], 201)
            server.down()
            server.down()
            self.assertEqual(client.sock.recv(1), b"")
        self.assertRaises(ConnectionRefusedError, socket.create_connection, ("127.0.0.1", port), TIMEOUT_S)
        server.up()
        self.assertEqual(server.port, port)
        with Client(server) as client:
            self.assertEqual(client.ask(good.Plain())[0], 409)
        self.assertEqual(server.connections, 2)

    def test_who_has_not_finished_the_handshake_is_ended_too(self):
        authority = Authority(self.folder())
        server = self.start(PlainFake, tls=authority.issue("server"))
        context = ssl.create_default_context(cafile=authority.ca)
        taken = threading.Event()
        begin = server._tls.wrap_socket

        def wrap_socket(sock, **options):
            wrapped = begin(sock, do_handshake_on_connect=False, **options)
            taken.set()
            wrapped.do_handshake()
            return wrapped

        server._tls.wrap_socket = wrap_socket
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S) as plain:
            self.assertTrue(taken.wait(TIMEOUT_S))
            server.down()
            with self.assertRaises((OSError, http.client.HTTPException)), context.wrap_socket(plain, server_hostname="localhost") as sock, \
                 Client(server, sock) as client:
                client.ask(good.Plain())
        self.assertEqual((server.received, server.connections), ([], 1))

    def test_who_is_accepted_while_it_goes_down_is_ended_too(self):
        server = self.start(PlainFake, unix=os.path.join(self.folder(), "late.sock"))
        mine, its = socket.socketpair()
        self.addCleanup(mine.close)
        mine.settimeout(TIMEOUT_S)

        def accept():
            if server._listener.listening is None:
                raise OSError(errno.EBADF, "closed")
            server.down()
            return its, None

        server._listener.listening = late = unittest.mock.Mock(wraps=server._listener.listening)
        late.accept = accept
        server._listener._accept(late)
        self.assertEqual(mine.recv(1), b"")
        self.assertEqual(server.connections, 0)

    def test_an_answer_that_cannot_be_given_any_more(self):
        judging, going_on = threading.Event(), threading.Event()

        class Slow(PlainFake):
            def judge(self, request, findings):
                judging.set()
                going_on.wait(TIMEOUT_S)

        server = self.start(Slow)
        with Client(server) as client:
            client.send(good.Plain())
            self.assertTrue(judging.wait(TIMEOUT_S))
            server.down()
            self.assertEqual(client.sock.recv(1), b"")
            going_on.set()
            self.assertEqual(server.wait_for(1, what="done")[0].verdict, "lost")
        self.assertEqual((server.accepted, len(server.received)), ([], 1))

    def test_a_unix_socket(self):
        path = os.path.join(self.folder(), "agent.sock")
        server = self.start(DatadogFake, unix=path)
        self.assertEqual(server.url, "unix://" + path)

        def connect():
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            return sock

        with Client(server, connect()) as client:
            self.assertEqual(client.ask(good.Datadog())[0], 200)
        server.down()
        with socket.socket(socket.AF_UNIX) as sock:
            self.assertRaises(ConnectionRefusedError, sock.connect, path)
        server.up()
        with Client(server, connect()) as client:
            self.assertEqual(client.ask(good.Datadog())[0], 200)

    def test_tls_and_client_certificates(self):
        folder = self.folder()
        authority = Authority(folder)
        cert, mine = authority.issue("server"), authority.issue("client")
        server = self.start(PlainFake, tls=cert, client_ca=authority.ca)
        self.assertTrue(server.url.startswith("https://127.0.0.1:"))
        context = ssl.create_default_context(cafile=authority.ca)
        context.load_cert_chain(*mine)
        with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S), server_hostname="localhost") as sock:
            with Client(server, sock) as client:
                self.assertEqual(client.ask(good.Plain())[0], 201)
                server.drop_connections()
                self.assertEqual(client.sock.recv(1), b"")
        with self.assertRaises(ssl.SSLError):
            stranger = ssl.create_default_context()
            stranger.wrap_socket(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_S), server_hostname="localhost")
        server.wait_for(1, what="handshakes_failed")

    def test_required_headers(self):
        server = self.start(PyroscopeFake, require={"Authorization": "Bearer x"})
        request = good.Push()
        with Client(server) as client:
            status, _, body = client.ask(request)
            self.assertEqual((status, json.loads(body)["code"]), (401, "unauthenticated"))
            request.headers["Authorization"] = "Bearer x"
            self.assertEqual(client.ask(request)[0], 200)
        self.assertEqual([[seen.verdict for seen in server.received], server.violations], [["denied", "accepted"], []])

    def test_several_clients_at_once(self):
        server = self.start(PlainFake)

        def send(at):
            request = good.Plain()
            request.target = f"/{at}.pb.gz"
            with Client(server) as client:
                client.ask(request)

        threads = [threading.Thread(target=send, args=(at,)) for at in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(server.accepted), 10)
        self.assertEqual(sorted(server.identities()), sorted((f"/{at}.pb.gz",) for at in range(10)))


class Http(Serving):
    def test_what_is_not_http(self):
        for data in (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"PUT x HTTP/1.1\r\nHost: x\r\n\r\n",
            b"PUT /x HTTP/1.0\r\nHost: x\r\n\r\n",
            b"PUT /x HTTP/1.1\r\nHost : x\r\n\r\n",
            b"PUT /x HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n",
            b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx",
            b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            b"PUT /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            server = self.start(PlainFake)
            with Client(server) as client:
                self.assertEqual(client.ask(data)[0], 400, data)
            self.assertIn("not HTTP", server.violations[0])

    def test_chunks(self):
        server = self.start(PlainFake)
        body = good.Plain().body()
        with Client(server) as client:
            client.send(b"PUT /x.pb.gz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 100):
                client.send(b"%x\r\n%s\r\n" % (len(body[at : at + 100]), body[at : at + 100]))
            self.assertEqual(client.ask(b"0\r\n\r\n")[0], 201)
        self.assertEqual(server.received[0].body, body)

    def test_a_request_that_is_cut(self):
        server = self.start(PlainFake)
        with Client(server) as client:
            client.send(good.Plain().bytes()[:-1])
        server.wait_for(1, what="cut")
        self.assertEqual((server.received, server.violations), ([], []))

    def test_what_ends_within_the_headers_is_no_request(self):
        server = self.start(PlainFake)
        with Client(server) as client:
            client.send(b"\x16\x03\x01 a TLS client")
        with Client(server) as client:
            self.assertEqual(client.ask(good.Plain())[0], 201)
        server.wait_for(1, what="accepted")
        self.assertEqual((server.cut, server.violations), ([], []))

    def test_headers_that_are_faults(self):
        server = self.start(PlainFake)
        request = good.Plain()
        request.headers["Expect"] = "100-continue"
        with Client(server) as client:
            self.assertEqual(client.ask(request)[0], 400)
            del request.headers["Expect"]
            self.assertEqual(client.ask(request.bytes().replace(b"Host: localhost\r\n", b""))[0], 400)
        self.assertEqual(len(server.violations), 2)


class Command(Serving):
    def test_serves_tells_and_records(self):
        record = os.path.join(self.folder(), "seen")
        command = [sys.executable, os.path.join(HERE, "serve.py"), "datadog", "--port", "0", "--script", "503,ok", "--record", record]
        with subprocess.Popen(command + ["--requests", "2"], stdout=subprocess.PIPE, text=True) as process:
            port = int(process.stdout.readline().split(":")[-1])
            request = good.Datadog()
            with Client(None, socket.create_connection(("127.0.0.1", port), TIMEOUT_S)) as client:
                self.assertEqual([client.ask(request)[0], client.ask(request)[0]], [503, 200])
            told = process.stdout.read()
        self.assertEqual(process.returncode, 0, told)
        self.assertIn("accepted (ok)", told)
        with open(os.path.join(record, "00001.request"), "rb") as file:
            self.assertEqual(file.read(), request.bytes())
        with open(os.path.join(record, "00001.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["content"]["event"]["family"], "native")
        self.assertTrue(os.path.exists(os.path.join(record, "00001-0.pb.gz")))

    def test_refuses_a_script_that_is_none(self):
        command = [sys.executable, os.path.join(HERE, "serve.py"), "otlp", "--script", "perhaps"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("'perhaps'", done.stderr)


if __name__ == "__main__":
    unittest.main()
