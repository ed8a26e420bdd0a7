"""Parca's ProfileStoreService/WriteRaw: the JSON gateway, and gRPC-Web. gRPC itself needs HTTP/2, which is not spoken here."""

import json
import re
import time

from . import checks, protobuf
from .checks import LABEL_NAME
from .http1 import Reply
from .protobuf import Message
from .server import Fake

GATEWAY = "/api/profiles/writeraw"
METHOD = "/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw"
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 10, 413: 8, 415: 12, 429: 8, 499: 1, 500: 2, 501: 12, 503: 14, 504: 4}
MESSAGE_MAX = 64 << 20
FIVE_MINUTES_S = 300
# Where the kernel puts programs and libraries: no address in a file looks like that.
RUNTIME = range(0x550000000000, 0x800000000000)
# JSON name -> (name in the schema, how to read it), of each message.
SHAPES = {
    "REQUEST": {"tenant": ("tenant", str), "series": ("series", "SERIES"), "normalized": ("normalized", bool)},
    "SERIES": {"labels": ("labels", "LABELSET"), "samples": ("samples", "SAMPLE")},
    "LABELSET": {"labels": ("labels", "LABEL")},
    "LABEL": {"name": ("name", str), "value": ("value", str)},
    "SAMPLE": {"rawProfile": ("raw_profile", bytes), "raw_profile": ("raw_profile", bytes), "executableInfo": ("executable_info", "EXECUTABLE")},
    "EXECUTABLE": {"elfType": ("elf_type", int), "loadSegment": ("load_segment", "SEGMENT")},
    "SEGMENT": {"offset": ("offset", int), "vaddr": ("vaddr", int)},
}
ANY_NAME = re.compile(r".*\Z", re.DOTALL)  # a name that does not fit is found later, and answered with 500
LISTS = ("series", "samples", "executable_info")


def from_json(value, shape):
    """A Message of proto3 JSON; ValueError names what is not of the schema."""
    if not isinstance(value, dict):
        raise ValueError(f"{shape.lower()} is no object")
    message = Message()
    for key, item in value.items():
        if key not in SHAPES[shape]:
            raise ValueError(f"unknown field {key!r} in {shape.lower()}")
        name, kind = SHAPES[shape][key]
        is_list = name in LISTS or shape == "LABELSET"
        if is_list != isinstance(item, list) or message.has(name):
            raise ValueError(f"{key!r} of {shape.lower()} is not as the schema has it")
        for one in item if is_list else [item]:
            message.add(name, scalar_from_json(one, kind, key))
    return message


def scalar_from_json(value, kind, key):
    if kind is bytes and isinstance(value, str):
        return checks.strict_base64(value)
    if kind is str and isinstance(value, str):
        return value.encode("utf-8")
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and (isinstance(value, int) and not isinstance(value, bool) or re.match(r"[0-9]{1,20}\Z", str(value))):
        return int(value)
    if isinstance(kind, str):
        return from_json(value, kind)
    raise ValueError(f"{key!r} is {str(value)[:60]!r}")


def frame(flag, data):
    return bytes([flag]) + len(data).to_bytes(4, "big") + data


class ParcaFake(Fake):
    name = "parca"

    def __init__(self, script=("ok",), *, prefix="", max_age_s=FIVE_MINUTES_S, **options):
        """prefix: the server's path prefix. max_age_s: how old a profile may be (Parca itself does not ask)."""
        self.prefix, self.max_age_s = prefix, max_age_s
        super().__init__(script, **options)

    # ---- replies ----

    def good_reply(self, request):
        if request.path == self.prefix + METHOD:
            body = frame(0, b"") + frame(0x80, b"grpc-status: 0\r\n")
            return Reply(200, body, [("Content-Type", "application/grpc-web+proto")])
        return Reply(200, b"{}", [("Content-Type", "application/json")])

    def bad_reply(self, request, status, words):
        code = CODES.get(status, 2)
        if request.path == self.prefix + METHOD and status < 500:
            trailer = f"grpc-status: {code}\r\ngrpc-message: {words}\r\n".encode("utf-8")
            return Reply(200, frame(0x80, trailer), [("Content-Type", "application/grpc-web+proto")])
        body = json.dumps({"code": code, "message": words, "details": []}).encode("utf-8")
        return Reply(status, body, [("Content-Type", "application/json")])

    # ---- judging ----

    def judge(self, request, findings):
        if request.path not in (self.prefix + GATEWAY, self.prefix + METHOD):
            findings.stop(404, f"no such path {request.path}")
        if request.method != "POST":
            findings.stop(405, f"method {request.method}")
        findings.need("?" not in request.target, 400, "the path has a query")
        findings.need(request.header("content-encoding") is None, 415, "Content-Encoding is not decoded")
        findings.need(len(request.body) <= MESSAGE_MAX * 4 // 3, 413, f"{len(request.body)} bytes")
        message = self._read_json(request, findings) if request.path.endswith(GATEWAY) else self._read_web(request, findings)
        request.content = message
        findings.need(not message.text("tenant"), 400, "tenant is deprecated")
        series = message.all("series")
        findings.need(len(series) == 1, 400, f"{len(series)} series in one request")
        for one in series:
            self._judge_series(request, one, message.one("normalized", False), findings)

    @staticmethod
    def _read_json(request, findings):
        if request.header("content-type") != "application/json":
            findings.stop(415, f"content type {request.header('content-type')!r}")
        try:
            return from_json(checks.strict_json(request.body), "REQUEST")
        except ValueError as error:
            findings.stop(400, f"JSON: {error}")

    @staticmethod
    def _read_web(request, findings):
        if request.header("content-type") not in ("application/grpc-web+proto", "application/grpc-web"):
            findings.stop(415, f"content type {request.header('content-type')!r} over HTTP/1.1")
        body = request.body
        if len(body) < 5 or body[0] != 0 or int.from_bytes(body[1:5], "big") != len(body) - 5:
            findings.stop(400, f"the frame {body[:5].hex()} is not one whole message of {len(body) - 5} bytes")
        try:
            return protobuf.decode("parca.proto", "parca.profilestore.v1alpha1.WriteRawRequest", body[5:])
        except protobuf.Undecodable as error:
            findings.stop(400, str(error))

    def _judge_series(self, request, series, normalized, findings):
        label_set = series.one("labels")
        if label_set is None:
            findings.stop(400, "labels are not set: the server falls over that")
        labels = [(label.text("name"), label.text("value")) for label in label_set.all("labels")]
        names = dict(labels)
        findings.need(names.get("__name__"), 400, "missing __name__ label")
        findings.need(len(names) == len(labels), 400, f"a label occurs twice: {sorted(name for name, _ in labels)}")
        for name, value in labels:
            findings.need(LABEL_NAME.match(name), 400, f"label name {name!r}")
            findings.need(value, 400, f"label {name!r} is empty")
        findings.need(series.all("samples"), 400, "a series without samples")
        for sample in series.all("samples"):
            self._judge_sample(request, sample, names, normalized, findings)

    def _judge_sample(self, request, sample, labels, normalized, findings):
        data = sample.blob("raw_profile")
        if not data.startswith(checks.GZIP):
            findings.stop(400, f"the profile begins with {data[:4].hex()}, not as gzip")
        try:
            plain = checks.gunzip(data)
        except ValueError as error:
            findings.stop(500, f"profile: {error}")
        profile = checks.read_pprof(plain, findings, 400, ANY_NAME)
        # There is no number in it: what is the same to the byte is the same profile.
        identity = (labels.get("__name__"), profile.time_nanos, checks.digest(data))
        request.uploads.append(checks.upload_of(identity, profile, data, labels))
        infos = len(sample.all("executable_info"))
        findings.need(infos in (0, len(profile.mappings)), 400, f"{infos} executable_info for {len(profile.mappings)} mappings")
        findings.need(re.match(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z", labels.get("__name__", "x")), 500, f"__name__ {labels.get('__name__')!r}")
        checks.check_flat_types(profile, findings, 500)
        checks.check_age(profile.time_nanos, findings, 400, self.max_age_s, FIVE_MINUTES_S, time.time())
        findings.need(profile.raw_samples, 400, "no samples: nothing is stored")
        for key, kinds in checks.label_keys(profile).items():
            findings.need(kinds == {"text"}, 400, f"numeric label {key!r} would not be stored")
            findings.need(LABEL_NAME.match(key), 400, f"label {key!r} would be renamed")
            findings.need(key not in labels, 400, f"label {key!r} would become exported_{key}")
        self._check_mappings(profile, normalized, findings)

    @staticmethod
    def _check_mappings(profile, normalized, findings):
        for mapping in profile.mappings:
            findings.need(mapping.limit >= mapping.start, 400, f"mapping {mapping.id} ends before it starts")
            name = profile.text(mapping.filename)
            if normalized and not name.startswith(("[", "//")):
                findings.need(mapping.start not in RUNTIME, 400, f"mapping {mapping.id} {name!r} is at {mapping.start:#x} of a process")
        # That addresses lie within their mapping is rule 7 of every pprof.
