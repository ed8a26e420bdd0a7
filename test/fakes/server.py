"""A fake server: takes requests in, has them judged by the rules of one backend, answers as told, and remembers.

    with SomeFake(script=["503", "ok"]) as server:
        server.url            where it listens ("http://127.0.0.1:41234"; of a unix socket "unix:///path")
        server.received       every request whose body came to its end (http1.Request), in order of its end
        server.cut            those that did not
        server.done           both, once the answer is out (or the connection over)
        server.accepted       those that were answered as good
        server.violations     what is wrong with what came, one text each; [] is what a test wants
        server.uploads()      profiles of accepted requests, in order; identities(), totals() and local_totals() of them
        server.connections    how many were made; server.handshakes_failed
        server.script([...])  other steps from now on (steps.py)
        server.down(), up()   the port closed, and open again
        server.wait_for(n)    until n requests were received; wait_for(n, what="done"): and answered

A request that breaks a rule is refused as the real server would, whatever the script says of a good answer; a scripted
failure is given in any case, and the request judged all the same. A subclass gives judge() and the form of replies.
"""

import email.utils
import json
import os
import select
import socket
import ssl
import struct
import threading
import time
import traceback

from . import http1
from .checks import Findings, Stop, add_totals
from .http1 import Reply
from .listener import Listener, quietly, tls_context
from .protobuf import Message
from .steps import Script, Step

WAIT_S = 60
HUGE_BYTES = 64 << 20
PROXY_PAGE = b"<html><head><title>Service</title></head><body><h1>No good answer</h1>\n<p>proxy</p></body></html>\n"
JUNK = b"\xff\xfe\x00junk\r\n\x80" * 7
GARBAGE = b"\x16\x03\x01\x00\xffnot http\r\n\r\n\x00\x00SSH-2.0\r\n"


class Fake:
    """Of no backend: accepts all that is HTTP."""

    name = "fake"

    def __init__(self, script=("ok",), *, host="127.0.0.1", port=0, unix=None, tls=None, client_ca=None, require=None, record=None):
        """tls: (certificate, key) files. require: headers every request must have, {"Authorization": "Bearer x"}.
        record: a folder that gets every request."""
        self._script = Script(script)
        self._tls = tls_context(*tls, client_ca=client_ca) if tls else None
        self.require = {name.lower(): value for name, value in (require or {}).items()}
        self.record = record
        self.received, self.cut, self.done, self.accepted, self.violations = [], [], [], [], []
        self.handshakes_failed = []
        self._changed = threading.Condition()
        self._judging = threading.Lock()
        self._numbers = 0
        self._listener = Listener(self._serve, host, port, unix)

    # ---- what tests say and ask ----

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._listener.close()

    @property
    def port(self):
        return self._listener.port

    @property
    def connections(self):
        return self._listener.connections

    @property
    def url(self):
        if self._listener.unix is not None:
            return "unix://" + os.path.abspath(self._listener.unix)
        host = self._listener.host
        host = f"[{host}]" if ":" in host else host
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}"

    def script(self, steps):
        with self._changed:
            self._script = Script(steps)

    def down(self):
        self._listener.down()

    def up(self):
        self._listener.up()

    def drop_connections(self):
        """Ends all connections; new ones are taken."""
        self._listener.drop_connections()

    def wait_for(self, count, timeout=WAIT_S, what="received"):
        """The list once it has count entries; AssertionError when it does not get there."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(getattr(self, what)) >= count, timeout):
                raise AssertionError(f"{len(getattr(self, what))} of {count} {what} within {timeout} s; {self.summary()}")
            return list(getattr(self, what))

    def uploads(self):
        """Profiles of the accepted requests, in order of acceptance."""
        with self._changed:
            return [upload for request in self.accepted for upload in request.uploads]

    def identities(self):
        """One per delivered profile; twice the same where it was delivered twice."""
        return [upload.identity for upload in self.uploads()]

    def distinct_uploads(self):
        """uploads() without what was delivered again."""
        return list({upload.identity: upload for upload in self.uploads()}.values())

    def totals(self):
        """{"cpu/nanoseconds": sum} over what was delivered, each identity once."""
        return add_totals(self.distinct_uploads())

    def local_totals(self):
        """totals() under the names that a local file of the same run has."""
        return self.totals()

    def summary(self):
        rows = [f"{len(self.received)} received, {len(self.accepted)} accepted, {len(self.cut)} cut, {self.connections} connections"]
        return "; ".join(rows + self.violations[:5])

    def consider(self, raw):
        """Judges the bytes of a request as if they had come in, without a connection; the Request."""
        wire = http1.Wire(Replay(raw))
        request = http1.read_head(wire)
        http1.read_body(wire, request)
        self._judge(request, Step("ok"))
        self._note(self.received, request, None)
        self._note_accepted(request)
        return request

    # ---- what a backend is ----

    def judge(self, request, findings):
        """Reads the request: sets content and uploads, and says what is wrong. May raise Stop."""

    def good_reply(self, request):
        return Reply(200)

    def bad_reply(self, request, status, words):
        return Reply(status, words.encode("utf-8") + b"\n", [("Content-Type", "text/plain; charset=utf-8")])

    def partial_reply(self, request, rejected, words):
        raise ValueError(f"{self.name} has no partial success")

    def missing_credentials(self, request):
        """(status, words) where the request may not come in, else None."""
        for name, value in self.require.items():
            if request.header(name) != value:
                return 401, f"{name} is missing or wrong"
        return None

    # ---- a connection ----

    def _serve(self, number, sock):
        try:
            sock = self._handshake(sock)
            if sock is None:
                return
            wire = http1.Wire(sock)
            while self._one_request(number, sock, wire):
                pass
        except http1.BadRequest as error:
            self._violation(f"connection {number}: not HTTP: {error}")
            quietly(sock.sendall, Reply(400).to_bytes(last=True))
        except OSError:
            pass
        except Exception:  # a fault of the fake must fail the test, not hide in a thread
            self._violation(f"connection {number}: the fake failed: {traceback.format_exc()}")
        finally:
            if sock is not None:
                self._listener.forget(sock)
                sock.close()

    def _handshake(self, sock):
        if self._tls is None:
            return sock
        try:
            wrapped = self._tls.wrap_socket(sock, server_side=True)
            if self._listener.replace(sock, wrapped):
                return wrapped
            wrapped.close()
            return None
        except (ssl.SSLError, OSError) as error:
            with self._changed:
                self.handshakes_failed.append(str(error))
                self._changed.notify_all()
            return None

    def _one_request(self, connection, sock, wire):
        """Reads, judges, answers; whether the connection goes on."""
        request = None
        try:
            request = http1.read_head(wire)
            if request is None:
                return False
            request.connection = connection
            step = self._take_step(request)
            if "early" in step:
                self._note(self.cut, request, "scripted")
                return self._act(sock, request, step) and False
            if step.kind == "stall":
                self._note(self.cut, request, "scripted")
                return self._act(sock, request, step)
            http1.read_body(wire, request)
        except http1.Gone:
            if request is None:  # within the headers, or it was TLS: nothing to tell of
                return False
            self._note(self.cut, request, "cut")
            self._finish(request)
            return False
        self._judge(request, step)
        self._note(self.received, request, None)
        going_on = self._act(sock, request, step)
        return going_on and (request.header("connection") or "").lower() != "close"

    def _take_step(self, request):
        with self._changed:
            request.number = self._numbers
            self._numbers += 1
            step = self._script.next()
        request.step = step.text
        return step

    def _note(self, into, request, verdict):
        with self._changed:
            if verdict is not None:
                request.verdict = verdict
            into.append(request)
            self._changed.notify_all()

    def _violation(self, text):
        with self._changed:
            self.violations.append(text)
            self._changed.notify_all()

    # ---- judging ----

    def _judge(self, request, step):
        findings = Findings()
        denied = self.missing_credentials(request)
        # One at a time: what came before is part of some rules.
        with self._judging:
            for fault in request.faults:
                findings.refuse(400, fault)
            try:
                self.judge(request, findings)
            except Stop:
                pass
        request.findings = findings.rows
        request.violations = [text for _, text in findings.rows]
        if denied is not None:
            request.verdict, request.denied = "denied", denied
        elif not step.accepts:
            request.verdict = "scripted"
        else:
            request.verdict = "refused" if findings.rows else "accepted"
        for status, text in findings.rows:
            self._violation(f"#{request.number} {request.method} {request.target}: {status}: {text}")

    def reply_to(self, request, step):
        """What is answered, by verdict and script."""
        if request.verdict == "denied":
            return self.bad_reply(request, *request.denied)
        if request.verdict == "refused":
            status, words = request.findings[0]
            return self.bad_reply(request, status, words)
        return self._scripted_reply(request, step)

    def _scripted_reply(self, request, step):
        words = step.words("words", "scripted")
        if step.kind == "redirect":
            reply = Reply(307, b"", [("Location", step.get("location", "/elsewhere"))])
        elif step.get("partial") is not None:
            reply = self.partial_reply(request, int(step.get("partial")), words)
        elif step.status is None or 200 <= step.status < 300:
            reply = self.good_reply(request)
            reply.status = step.status or reply.status
        else:
            reply = self.bad_reply(request, step.status, words)
        self._modify(reply, step)
        return reply

    @staticmethod
    def _modify(reply, step):
        if step.get("retry-date") is not None:
            reply.headers.append(("Retry-After", email.utils.formatdate(time.time() + float(step.get("retry-date")), usegmt=True)))
        if step.get("retry-after") is not None:
            reply.headers.append(("Retry-After", step.words("retry-after")))
        if step.kind != "redirect" and step.get("location") is not None:
            reply.headers.append(("Location", step.get("location")))
        if "html" in step:
            reply.body, reply.headers = PROXY_PAGE, [("Content-Type", "text/html")] + other_headers(reply)
        if "junk" in step:
            reply.body = JUNK
        if step.kind == "huge" or step.get("bytes") is not None:
            reply.body = b"x" * int(step.get("bytes", HUGE_BYTES))
        if step.get("headers") is not None:
            reply.headers += [(f"X-Filler-{i}", "y" * 1000) for i in range(int(step.get("headers")) // 1000)]

    # ---- answering ----

    def _act(self, sock, request, step):
        """Does what the step says; whether the connection goes on."""
        try:
            return self._answer(sock, request, step)
        finally:
            self._finish(request)

    def _finish(self, request):
        request.replied = time.monotonic()
        if self.record is not None:
            self._write_down(request)
        self._note(self.done, request, None)

    def _answer(self, sock, request, step):
        overruled = request.verdict in ("denied", "refused")
        if step.kind == "stall":
            return self._hold(sock, reading=False)
        if step.kind == "hang":
            return self._hold(sock, reading=True)
        if step.kind in ("reset", "close"):
            return self._break_off(sock, request, step)
        if step.kind == "garbage":
            quietly(sock.sendall, GARBAGE)
            return False
        reply = self.reply_to(request, step)
        data = reply.to_bytes(last="last" in step)
        # Noted before the client can know: a test that sees the client go on finds it here.
        request.status = reply.status
        if step.kind == "slow" and not overruled:
            self._trickle(sock, data, float(step.get("seconds", 1)))
            self._note_accepted(request)
        else:
            self._note_accepted(request)
            self._send(sock, request, data)
        return "last" not in step and "early" not in step

    def _note_accepted(self, request):
        if request.verdict == "accepted":
            self._note(self.accepted, request, None)

    def _send(self, sock, request, data):
        """An answer that could not be given, as the connection was taken down meanwhile, is none."""
        try:
            sock.sendall(data)
        except OSError:
            with self._changed:
                if request in self.accepted:
                    self.accepted.remove(request)
                    request.verdict = "lost"
            raise

    @staticmethod
    def _trickle(sock, data, seconds):
        """Raises OSError when the client does not wait for the end."""
        for at in range(len(data)):
            time.sleep(seconds / len(data))
            sock.sendall(data[at : at + 1])

    @staticmethod
    def _hold(sock, reading):
        """Nothing is said until the client, or the fake's end, ends the connection."""
        if not reading:
            # What was sent is not read, so only poll tells that the client closed.
            poller = select.poll()
            poller.register(sock, select.POLLRDHUP)
            poller.poll()
            return False
        while sock.recv(65536):
            pass
        return False

    def _break_off(self, sock, request, step):
        if "half" in step:
            data = Reply(200, b" " * 1000).to_bytes()
            quietly(sock.sendall, data[: len(data) // 2])
        if step.kind == "reset":
            # Linger of 0 s: close() sends RST (socket(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif "early" not in step:
            quietly(sock.shutdown, socket.SHUT_RDWR)
        return False

    # ---- the record for people ----

    def _write_down(self, request):
        os.makedirs(self.record, exist_ok=True)
        stem = os.path.join(self.record, f"{request.number:05d}")
        with open(stem + ".request", "wb") as file:
            file.write(request.raw)
        about = {name: getattr(request, name) for name in ("method", "target", "headers", "connection", "step", "verdict", "violations", "status")}
        content = request.content
        about["content"] = content.plain() if isinstance(content, Message) else content
        about["uploads"] = [[list(upload.identity), upload.totals, upload.tags] for upload in request.uploads]
        with open(stem + ".json", "w", encoding="utf-8") as file:
            json.dump(about, file, indent=1, ensure_ascii=False, default=str)
        for at, upload in enumerate(request.uploads):
            if upload.file:
                with open(f"{stem}-{at}.pb.gz", "wb") as file:
                    file.write(upload.file)


class Replay:
    """Bytes that come as from a socket."""

    def __init__(self, data):
        self.data = data

    def recv(self, _):
        data, self.data = self.data, b""
        return data


def other_headers(reply):
    return [row for row in reply.headers if row[0] != "Content-Type"]
