"""What all fakes check: findings, strict JSON, compression, the pprof inside, who delivered what before."""

import base64
import binascii
import ctypes
import ctypes.util
import hashlib
import json
import os
import re
import sys
import zlib
from dataclasses import dataclass, field

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import pprof_check  # noqa: E402
import pprof_read  # noqa: E402, F401 (pyroscope.py takes it from here)

from .protobuf import Undecodable, protoc_text  # noqa: E402

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z", re.IGNORECASE)
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
INFLATED_MAX = 256 << 20
SHOWN = 10  # findings of one kind that are told
SECOND_NS = 10**9

GZIP, ZSTD, LZ4 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18"


class Stop(Exception):
    """Nothing more can be said of this request."""


class Findings:
    """What is wrong with a request: (status the real server answers with, text)."""

    def __init__(self):
        self.rows = []

    def refuse(self, status, text):
        self.rows.append((status, text))

    def stop(self, status, text):
        self.refuse(status, text)
        raise Stop

    def need(self, good, status, text):
        if not good:
            self.refuse(status, text)
        return good


@dataclass
class Upload:
    """One profile of a request."""

    identity: tuple
    totals: dict = field(default_factory=dict)  # "cpu/nanoseconds" -> sum of the values
    samples: int = 0
    time_ns: int = 0
    duration_ns: int = 0
    tags: dict = field(default_factory=dict)  # what was sent beside it: tags, series labels, resource attributes
    period_type: list = field(default_factory=list)
    period: int = 0
    profile: object = None  # pprof_read.Profile; None where there is no pprof
    file: bytes = b""  # the pprof as it was sent


def upload_of(identity, profile, file, tags):
    totals = {}
    for at, (name, unit) in enumerate(profile.sample_types):
        totals[f"{name}/{unit}"] = sum(raw.values[at] for raw in profile.raw_samples if at < len(raw.values))
    return Upload(
        identity=identity,
        totals=totals,
        samples=len(profile.raw_samples),
        time_ns=profile.time_nanos,
        duration_ns=profile.duration_nanos,
        period_type=list(profile.period_type),
        period=profile.period,
        tags=tags,
        profile=profile,
        file=file,
    )


def add_totals(uploads):
    sums = {}
    for upload in uploads:
        for name, value in upload.totals.items():
            sums[name] = sums.get(name, 0) + value
    return sums


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


class Ledger:
    """What came under which identity before: the same again must be the same bytes."""

    def __init__(self):
        self.seen = {}

    def same_as_before(self, identity, data):
        return self.seen.setdefault(identity, digest(data)) == digest(data)


# ---- JSON ----


def strict_json(data):
    """The value of JSON text without doubled keys, NaN and the like; ValueError says what is wrong."""

    def pairs(rows):
        out = dict(rows)
        if len(out) != len(rows):
            raise ValueError("a key occurs twice")
        return out

    def no_constant(name):
        raise ValueError(f"{name} is no JSON")

    return json.loads(data.decode("utf-8"), object_pairs_hook=pairs, parse_constant=no_constant)


def strict_base64(text):
    """Bytes of the standard alphabet with padding; ValueError otherwise."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error
    if base64.b64encode(data).decode("ascii") != text:
        raise ValueError("not the canonical base64 of anything")
    return data


# ---- compression ----


def gunzip(data):
    """Contents of exactly one gzip member; ValueError otherwise."""
    stream = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = stream.decompress(data, INFLATED_MAX)
    except zlib.error as error:
        raise ValueError(f"gzip: {error}") from error
    if stream.unconsumed_tail:
        raise ValueError(f"gzip: more than {INFLATED_MAX} bytes inside")
    if not stream.eof:
        raise ValueError("gzip: the end is missing")
    if stream.unused_data:
        raise ValueError(f"gzip: {len(stream.unused_data)} bytes follow the member")
    return plain


class ZstdBuffer(ctypes.Structure):
    _fields_ = [("data", ctypes.c_char_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]


class ZstdOut(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t), ("at", ctypes.c_size_t)]


def load_zstd():
    name = ctypes.util.find_library("zstd")
    if name is None:
        raise ValueError("zstd: libzstd is not installed here, so the fake cannot look inside")
    library = ctypes.CDLL(name)
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_freeDStream.argtypes = [ctypes.c_void_p]
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    library.ZSTD_decompressStream.argtypes = [ctypes.c_void_p, ctypes.POINTER(ZstdOut), ctypes.POINTER(ZstdBuffer)]
    library.ZSTD_isError.argtypes = [ctypes.c_size_t]
    return library


def unzstd(data):
    """Contents of exactly one zstd frame; ValueError otherwise."""
    library = load_zstd()
    stream = library.ZSTD_createDStream()
    source, chunk, plain = ZstdBuffer(data, len(data), 0), ctypes.create_string_buffer(1 << 17), bytearray()
    try:
        while True:
            target = ZstdOut(ctypes.addressof(chunk), len(chunk), 0)
            left = library.ZSTD_decompressStream(stream, ctypes.byref(target), ctypes.byref(source))
            if library.ZSTD_isError(left):
                raise ValueError("zstd: damaged")
            plain += chunk.raw[: target.at]
            if left == 0:
                break
            if len(plain) > INFLATED_MAX or (target.at < target.size and source.at == source.size):
                raise ValueError("zstd: the end is missing" if source.at == source.size else "zstd: too much inside")
    finally:
        library.ZSTD_freeDStream(stream)
    if source.at != source.size:
        raise ValueError(f"zstd: {source.size - source.at} bytes follow the frame")
    return bytes(plain)


def inflate(data, zstd=False):
    """The bare profile in an attachment; ValueError says why there is none."""
    if not data:
        raise ValueError("it is empty")
    if data.startswith(GZIP):
        return gunzip(data)
    if data.startswith(ZSTD):
        if not zstd:
            raise ValueError("zstd is not understood here")
        return unzstd(data)
    if data.startswith(LZ4):
        raise ValueError("lz4: nothing of ours makes it, and the fake cannot look inside")
    return data


# ---- the pprof inside ----


def read_pprof(plain, findings, status, type_name=None):
    """The profile in bare bytes, after every rule of a careful writer; a rule broken is a finding. Stops where it cannot
    be read at all."""
    checker = pprof_check.Checker(pprof_check.parse_arguments(["-"]))
    if type_name is not None:
        checker.type_name = type_name
    checker.check_plain(plain)
    for at, (rule, text) in enumerate(checker.found):
        if at < SHOWN:
            findings.refuse(status, f"pprof rule {rule}: {text}")
    try:
        protoc_text("pprof.proto", "perftools.profiles.Profile", plain)
    except Undecodable as error:
        findings.refuse(status, f"pprof: {error}")
    if checker.profile is None:
        raise Stop
    return checker.profile


def check_flat_types(profile, findings, status):
    """No type or unit that becomes part of a metric's name has a character that cannot be in one."""
    names = [name for row in profile.sample_types + [profile.period_type] for name in row]
    for name in names:
        findings.need(re.match(r"[a-zA-Z0-9_:]+\Z", name), status, f"type or unit {name!r} is not [a-zA-Z0-9_:]")


def check_age(time_ns, findings, status, past_s, future_s, now):
    low, high = (now - past_s) * SECOND_NS, (now + future_s) * SECOND_NS
    findings.need(low <= time_ns <= high, status, f"time {time_ns} is not within {past_s} s before and {future_s} s after now")


def label_keys(profile):
    """{key: set of kinds} of the samples' labels; kinds are "text" and "number"."""
    keys = {}
    for raw in profile.raw_samples:
        for label in raw.labels:
            keys.setdefault(profile.text(label.key), set()).add("text" if label.str else "number")
    return keys
