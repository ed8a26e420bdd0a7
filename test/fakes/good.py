"""Hand-made requests that are right, one class a backend, in pieces that a test can break."""

import base64
import gzip
import json
import os
import sys
import time
import urllib.parse
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from test_pprof_check import Parts, message, number, packed  # noqa: E402, F401 (for those who break requests)

from .datadog import AGENT  # noqa: E402
from .otlp import PATH  # noqa: E402
from .parca import GATEWAY, METHOD, frame  # noqa: E402
from .pyroscope import PUSH  # noqa: E402

SECOND_NS = 10**9

# 404 bytes of the format's description: service demo, samples/count, work <- main in /usr/bin/app, thread.name=worker.
OTLP_EXAMPLE = bytes.fromhex(
    "0a7b0a2b0a160a0c736572766963652e6e616d6512060a0464656d6f0a110a09686f73742e6e616d6512040a026831124c0a0c0a056e7072"
    "6f661203302e31123c0a0408011002120808011201012201071900002a36fe9c97172080c8afa0252a04080310043080ade2043a10000102"
    "030405060708090a0b0c0d0e0f1294020a000a1208808080021080a0800218802020052a010212001210080110a38280021a040802100a22"
    "01031210080110808480021a04080110142201031a001a04080610061a040807100722002a002a0773616d706c65732a05636f756e742a03"
    "6370752a0b6e616e6f7365636f6e64732a0c2f7573722f62696e2f6170702a046d61696e2a04776f726b2a0b7468726561642e6e616d652a"
    "06776f726b65722a1f70726f636573732e65786563757461626c652e6275696c645f69642e676e752a04616231322a1270726f66696c652e"
    "6672616d652e747970652a066e61746976653200320c080812080a06776f726b6572320a080a12060a0461623132320c080c12080a066e61"
    "746976653a003a040a020102"
)
PUSH_EXAMPLE = bytes.fromhex(
    "0a600a170a085f5f6e616d655f5f120b70726f636573735f6370750a140a0c736572766963655f6e616d65120464656d6f122f0a071f8b5050524f461224"
) + b"734FD599-6865-419E-9475-932762D8F469"
PARCA_EXAMPLE = bytes.fromhex(
    "123c0a2f0a170a085f5f6e616d655f5f120b70726f636573735f6370750a140a0c736572766963655f6e616d65120464656d6f12090a071f8b5050524f461801"
)


def compressed(data):
    """The same bytes for the same data, at any time."""
    return gzip.compress(data, mtime=0)


def http(method, target, headers, body):
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"] + [f"{name}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8") + body


def profile(label=b"thread_name", ago_s=30):
    """Parts of a profile that was taken just now; its label is string 5."""
    parts = Parts()
    parts.strings[5] = label
    parts.time = [time.time_ns() - ago_s * SECOND_NS]
    return parts


def form(parts, boundary="B0"):
    """parts: (name, filename, content type, body); None leaves a thing out."""
    out = b""
    for name, filename, content_type, body in parts:
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        out += f'; filename="{filename}"'.encode() if filename is not None else b""
        out += f"\r\nContent-Type: {content_type}".encode() if content_type is not None else b""
        out += b"\r\n\r\n" + body + b"\r\n"
    return out + f"--{boundary}--\r\n".encode()


class Request:
    method, target = "POST", "/"

    def bytes(self):
        return http(self.method, self.target, self.headers, self.body())


class Datadog(Request):
    def __init__(self, number_in_run=0, run=None):
        self.target = AGENT
        self.headers = {"Content-Type": "multipart/form-data; boundary=B0", "DD-EVP-ORIGIN": "ringside"}
        self.headers["DD-EVP-ORIGIN-VERSION"] = "0.1.0"
        self.profile = profile(b"thread name")
        self.profile.strings[1:5] = [b"cpu-samples", b"count", b"cpu-time", b"nanoseconds"]
        at = self.profile.time[0]
        self.tags = {"language": "native", "service": "web", "runtime-id": run or str(uuid.uuid4()), "profile_seq": str(number_in_run)}
        self.more_tags = []
        self.event = {"version": "4", "family": "native", "start": rfc3339(at), "end": rfc3339(at + 10 * SECOND_NS)}
        self.event |= {"attachments": ["profile.pprof"], "info": {}, "internal": {}, "endpoint_counts": None}
        self.event_part = ["event", "event.json", "application/json"]
        self.part = ["profile.pprof", "profile.pprof", "application/octet-stream"]
        self.more_parts = []
        self.compress = compressed
        self.event_bytes = None

    def body(self):
        event = {"tags_profiler": ",".join([f"{key}:{value}" for key, value in self.tags.items()] + self.more_tags)} | self.event
        data = json.dumps(event).encode() if self.event_bytes is None else self.event_bytes
        return form([(*self.event_part, data), (*self.part, self.compress(self.profile.plain()))] + self.more_parts)


def rfc3339(at_ns):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_ns // SECOND_NS)) + f".{at_ns % SECOND_NS:09d}Z"


def label_pairs(field, labels):
    return b"".join(message(field, message(1, name.encode()), message(2, value.encode())) for name, value in labels)


class Push(Request):
    def __init__(self):
        self.target = PUSH
        self.headers = {"Content-Type": "application/proto", "Connect-Protocol-Version": "1"}
        self.labels = [("__name__", "process_cpu"), ("service_name", "web")]
        self.identity = str(uuid.uuid4())
        self.profile = profile()
        self.compress = compressed
        self.extra = b""

    def series(self):
        sample = message(1, self.compress(self.profile.plain())) + message(2, self.identity.encode())
        return message(1, label_pairs(1, self.labels), message(2, sample))

    def body(self):
        return self.series() + self.extra


class Ingest(Request):
    def __init__(self):
        self.profile = profile()
        at = self.profile.time[0]
        self.query = {"name": "web{env=prod}", "from": str(at), "until": str(at + SECOND_NS), "spyName": "ringside"}
        self.headers = {"Content-Type": "multipart/form-data; boundary=B0"}
        self.compress = compressed
        self.parts = None

    def bytes(self):
        self.target = "/ingest?" + urllib.parse.urlencode(self.query)
        return super().bytes()

    def body(self):
        data = self.compress(self.profile.plain())
        if "format" in self.query:
            return data
        return form(self.parts if self.parts is not None else [("profile", "profile.pprof", "application/octet-stream", data)])


class Parca(Request):
    def __init__(self):
        self.target = GATEWAY
        self.headers = {"Content-Type": "application/json"}
        self.labels = [{"name": "__name__", "value": "process_cpu"}, {"name": "job", "value": "web"}]
        self.profile = profile(b"thread_id")
        self.compress = compressed
        self.sample, self.series, self.message = {}, {}, {"normalized": True}

    def json(self):
        sample = {"rawProfile": base64.b64encode(self.compress(self.profile.plain())).decode()} | self.sample
        series = {"labels": {"labels": self.labels}, "samples": [sample]} | self.series
        return {"series": [series]} | self.message

    def body(self):
        return json.dumps(self.json()).encode()


class ParcaWeb(Parca):
    """The same as a gRPC-Web message."""

    def __init__(self):
        super().__init__()
        self.target, self.headers = METHOD, {"Content-Type": "application/grpc-web+proto"}

    def body(self):
        labels = message(1, label_pairs(1, [(row["name"], row["value"]) for row in self.labels]))
        sample = message(2, message(1, self.compress(self.profile.plain())))
        return frame(0, message(2, labels, sample) + number(3, 1))


class Plain(Request):
    method = "PUT"

    def __init__(self):
        self.target, self.headers, self.profile = "/profiles/web-1.pb.gz", {}, profile()
        self.compress = compressed

    def body(self):
        return self.compress(self.profile.plain())


def fixed64(field, value):
    return bytes([field << 3 | 1]) + value.to_bytes(8, "little")


class Otlp(Request):
    """One profile samples/count: work <- main in /usr/bin/app."""

    def __init__(self):
        self.target = PATH
        self.headers = {"Content-Type": "application/x-protobuf"}
        self.mappings = [b"", number(1, 0x400000) + number(2, 0x500000) + number(3, 0x1000) + number(4, 5) + packed(5, 2)]
        self.locations = [b"", self.location(0x401234, 1), self.location(0x401300, 2)]
        self.functions = [b"", number(1, 7), number(1, 6)]
        self.links = [b""]
        self.strings = ["", "samples", "count", "cpu", "nanoseconds", "/usr/bin/app", "main", "work", "thread.name"]
        self.strings += ["process.executable.build_id.gnu", "profile.frame.type"]
        self.attributes = [b"", self.attribute(8, b"worker"), self.attribute(9, b"ab12"), self.attribute(10, b"native")]
        self.stacks = [b"", packed(1, 1, 2)]
        self.samples = [number(1, 1) + packed(2, 1) + packed(4, 7)]
        self.sample_type, self.period_type = message(1, number(1, 1), number(2, 2)), message(5, number(1, 3), number(2, 4))
        self.time, self.duration, self.identity = time.time_ns() - 30 * SECOND_NS, 10 * SECOND_NS, uuid.uuid4().bytes
        self.profile_extra, self.extra, self.schema_extra = b"", b"", b""
        self.resource = self.key_value("service.name", "demo")
        self.scope = message(1, message(1, b"ringside"), message(2, b"0.1"))

    @staticmethod
    def location(address, function):
        return number(1, 1) + number(2, address) + message(3, number(1, function)) + packed(4, 3)

    @staticmethod
    def attribute(key, text):
        return number(1, key) + message(2, message(1, text))

    @staticmethod
    def key_value(key, text):
        return message(1, message(1, key.encode()), message(2, message(1, text.encode())))

    def profile_message(self):
        out = self.sample_type + b"".join(message(2, sample) for sample in self.samples)
        out += fixed64(3, self.time) + number(4, self.duration) + self.period_type + number(6, 10**7)
        return out + (message(7, self.identity) if self.identity else b"") + self.profile_extra

    def dictionary(self):
        tables = (self.mappings, self.locations, self.functions, self.links, [text.encode() for text in self.strings])
        tables += (self.attributes, self.stacks)
        return message(2, *[message(at, row) for at, rows in enumerate(tables, 1) for row in rows])

    def body(self):
        scope_profiles = message(2, self.scope, message(2, self.profile_message()))
        return message(1, message(1, self.resource), scope_profiles) + self.dictionary() + self.extra
