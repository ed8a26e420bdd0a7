"""HTTP/1.1 as a strict server reads it from a socket: one request at a time, every byte kept.

No more than what the fakes need, and less forgiving than real servers: what is not clean HTTP/1.1 is refused.
"""

import re
import time
import urllib.parse
from dataclasses import dataclass, field

HEAD_MAX = 64 << 10
BODY_MAX = 256 << 20
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
TARGET = re.compile(r"/[!-~]*\Z")
ONCE = ("host", "content-length", "content-type", "content-encoding", "transfer-encoding", "authorization")


class BadRequest(Exception):
    """Not HTTP as it should be."""


class Gone(Exception):
    """The client ended the connection in the middle of a request."""


@dataclass(eq=False)
class Request:
    """One request as it came, and what was made of it."""

    at: float = 0.0  # time.monotonic() when its head was complete
    wall: float = 0.0  # time.time() then
    connection: int = 0  # number of the connection it came on
    number: int = 0  # of the server's requests, from 0
    method: str = ""
    target: str = ""
    headers: list = field(default_factory=list)  # (name in lower case, value)
    head: bytes = b""
    body: bytes = b""  # without the framing of chunks
    raw: bytes = b""  # every byte of it
    faults: list = field(default_factory=list)  # of the HTTP itself
    step: str = ""  # what the script said
    verdict: str = ""  # accepted, refused, denied, scripted (a failure), cut (ended before its end), lost (the good answer)
    status: int = 0  # of the reply; 0: none was given
    violations: list = field(default_factory=list)
    content: object = None  # what the body says, by the backend's form
    uploads: list = field(default_factory=list)  # the profiles in it
    replied: float = 0.0  # time.monotonic() when it was done with

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        """(name, value) of the query; a value that is not well-formed is a fault."""
        text = self.target.partition("?")[2]
        return urllib.parse.parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []

    def header(self, name):
        """The one value of a header, or None."""
        values = self.header_values(name)
        return values[0] if values else None

    def header_values(self, name):
        return [value for key, value in self.headers if key == name.lower()]


class Wire:
    """Bytes of a connection as they come in."""

    def __init__(self, sock):
        self.sock, self.buffer, self.taken = sock, bytearray(), bytearray()

    def fill(self):
        data = self.sock.recv(1 << 18)
        self.buffer += data
        return bool(data)

    def take(self, count):
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        self.taken += data
        return data

    def until(self, mark, most):
        """Bytes up to and with mark; None when the connection ends before the first of them."""
        start = 0
        while True:
            at = self.buffer.find(mark, start)
            if at >= 0:
                return self.take(at + len(mark))
            if len(self.buffer) > most:
                raise BadRequest(f"more than {most} bytes without {mark!r}")
            start = max(0, len(self.buffer) - len(mark))
            if not self.fill():
                if self.buffer:
                    raise Gone(f"{len(self.buffer)} bytes and the end")
                return None

    def exactly(self, count):
        while len(self.buffer) < count:
            if not self.fill():
                raise Gone(f"{len(self.buffer)} of {count} bytes of the body, and the end")
        return self.take(count)


def read_head(wire):
    """The next request without its body; None at the connection's end."""
    wire.taken = bytearray()
    head = wire.until(b"\r\n\r\n", HEAD_MAX)
    if head is None:
        return None
    request = Request(at=time.monotonic(), wall=time.time(), head=head, raw=head)
    try:
        lines = head[:-4].decode("ascii").split("\r\n")
    except UnicodeDecodeError as error:
        raise BadRequest("headers are not ASCII") from error
    parts = lines[0].split(" ")
    if len(parts) != 3 or parts[2] != "HTTP/1.1" or not TOKEN.match(parts[0]) or not TARGET.match(parts[1]):
        raise BadRequest(f"request line {lines[0]!r}")
    request.method, request.target = parts[0], parts[1]
    for line in lines[1:]:
        request.headers.append(parse_header(line))
    check_head(request)
    return request


def parse_header(line):
    name, colon, value = line.partition(":")
    if not colon or not TOKEN.match(name):
        raise BadRequest(f"header {line!r}")
    if any(ord(char) < 32 and char != "\t" or ord(char) == 127 for char in value):
        raise BadRequest(f"a control character in header {name}")
    return name.lower(), value.strip(" \t")


def check_head(request):
    for name in ONCE:
        if len(request.header_values(name)) > 1:
            request.faults.append(f"header {name} occurs more than once")
    if request.header("host") is None:
        request.faults.append("no Host header")
    if request.header("expect") is not None:
        request.faults.append("Expect header: costs a second with servers that do not know it")
    try:
        assert request.query is not None
    except ValueError:
        request.faults.append(f"the query is not well-formed: {request.target!r}")
    for name, value in request.headers:
        if not value and name not in ("host", "accept"):
            request.faults.append(f"header {name} is empty")


def read_body(wire, request):
    """Takes the body in; raises Gone when it does not come to its end."""
    length, coding = request.header("content-length"), request.header("transfer-encoding")
    if length is not None and coding is not None:
        raise BadRequest("both Content-Length and Transfer-Encoding")
    if coding is not None:
        if coding.lower() != "chunked":
            raise BadRequest(f"Transfer-Encoding {coding}")
        request.body = read_chunks(wire)
    elif length is not None:
        if not re.fullmatch("[0-9]{1,12}", length) or int(length) > BODY_MAX:
            raise BadRequest(f"Content-Length {length}")
        request.body = wire.exactly(int(length))
    request.raw = bytes(wire.taken)


def read_chunks(wire):
    body = bytearray()
    while True:
        line = wire.until(b"\r\n", 80)
        if line is None:
            raise Gone("no end of the chunks")
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}\r\n", line):
            raise BadRequest(f"chunk size {line!r}")
        count = int(line, 16)
        if len(body) + count > BODY_MAX:
            raise BadRequest("the chunks are too many")
        body += wire.exactly(count)
        if wire.exactly(2) != b"\r\n":
            raise BadRequest("no end of line after a chunk")
        if count == 0:
            return bytes(body)


@dataclass
class Reply:
    status: int
    body: bytes = b""
    headers: list = field(default_factory=list)

    def to_bytes(self, last=False):
        lines = [f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {len(self.body)}")
        if last:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + self.body


REASONS = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
