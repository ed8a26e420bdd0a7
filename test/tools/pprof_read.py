"""Reads a pprof file (perftools.profiles.Profile) with nothing but the standard library.

    profile = pprof_read.load("cpu.pb.gz")
    for sample in profile.samples:
        sample.frames   # names, leaf first
        sample.values   # in the order of profile.sample_types
        sample.labels   # {"thread_id": "42"}

load() only decodes and raises Malformed on bytes that are no profile; pprof_check.py judges what it found. The raw
rows (mappings, locations, functions, strings) are kept for that, with string fields still as indices.
"""

import zlib
from dataclasses import dataclass, field

# Frames that say a stack does not reach the start of its thread (docs/profile.md).
TRUNCATED, INCOMPLETE = "[truncated]", "[incomplete]"
CUT_FRAMES = (TRUNCATED, INCOMPLETE)
# Frames for time without samples, by the reason.
ENDED_WITHIN_A_PERIOD = "[not sampled: ended within a period]"
KERNEL_NOT_PERMITTED = "[kernel: not permitted]"
SAMPLES_LOST = "[samples lost]"
RESTARTED = "[lost: the profiler was restarted]"
OTHER_RIGHTS = "[not profiled: other rights]"
OUTSIDE_EVENTS = "[not sampled: process start, end and switches]"
NOT_SAMPLED = "[not sampled]"

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
GZIP_WRAPPER = 16 + zlib.MAX_WBITS


class Malformed(Exception):
    """The bytes are not what the format allows; the text says where."""


def varint(data, at):
    """Value and the position behind it."""
    value = shift = 0
    while True:
        if at >= len(data):
            raise Malformed("varint runs past the end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift > 63:
            raise Malformed("varint of more than 10 bytes")


def fields(data):
    """(number, wire type, value) of each field; length-delimited values are bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            raise Malformed("field number 0")
        if wire == VARINT:
            value, at = varint(data, at)
        else:
            if wire == BYTES:
                length, at = varint(data, at)
            elif wire in (FIXED64, FIXED32):
                length = 8 if wire == FIXED64 else 4
            else:
                raise Malformed(f"field {number}: wire type {wire}")
            if length > len(data) - at:
                raise Malformed(f"field {number}: {length} bytes where {len(data) - at} are left")
            value = data[at : at + length]
            at += length
        yield number, wire, value


def signed(value):
    return value - (1 << 64) if value >= 1 << 63 else value


def as_int(number, wire, value):
    if wire != VARINT:
        raise Malformed(f"field {number}: wire type {wire}, a varint is expected")
    return signed(value)


def as_bytes(number, wire, value):
    if wire != BYTES:
        raise Malformed(f"field {number}: wire type {wire}, bytes are expected")
    return value


def add_ints(into, number, wire, value, convert):
    """A repeated number, packed or not."""
    if wire == VARINT:
        into.append(convert(value))
        return
    data, at = as_bytes(number, wire, value), 0
    while at < len(data):
        one, at = varint(data, at)
        into.append(convert(one))


def unsigned(value):
    return value


def read_scalars(data, cls, names):
    """A message of single numbers: names[field number] is the attribute; a name starting with + is unsigned."""
    row = cls()
    for number, wire, value in fields(data):
        name = names.get(number)
        if name is None:
            continue
        plain = as_int(number, wire, value)
        if name.startswith("+"):
            setattr(row, name[1:], value)
        elif isinstance(getattr(row, name), bool):
            setattr(row, name, plain != 0)
        else:
            setattr(row, name, plain)
    return row


@dataclass
class ValueType:
    type: int = 0
    unit: int = 0


@dataclass
class Label:
    key: int = 0
    str: int = 0
    num: int = 0
    num_unit: int = 0


@dataclass
class RawSample:
    location_ids: list = field(default_factory=list)
    values: list = field(default_factory=list)
    labels: list = field(default_factory=list)


@dataclass
class Mapping:
    id: int = 0
    start: int = 0
    limit: int = 0
    offset: int = 0
    filename: int = 0
    build_id: int = 0
    has_functions: bool = False
    has_filenames: bool = False
    has_line_numbers: bool = False
    has_inline_frames: bool = False


@dataclass
class Location:
    id: int = 0
    mapping_id: int = 0
    address: int = 0
    lines: list = field(default_factory=list)
    is_folded: bool = False


@dataclass
class Line:
    function_id: int = 0
    line: int = 0
    column: int = 0


@dataclass
class Function:
    id: int = 0
    name: int = 0
    system_name: int = 0
    filename: int = 0
    start_line: int = 0


@dataclass
class Sample:
    """What a reader wants of a sample: text."""

    frames: list
    values: list
    labels: dict


TYPE_FIELDS = {1: "type", 2: "unit"}
LABEL_FIELDS = {1: "key", 2: "str", 3: "num", 4: "num_unit"}
MAPPING_FIELDS = {
    1: "+id",
    2: "+start",
    3: "+limit",
    4: "+offset",
    5: "filename",
    6: "build_id",
    7: "has_functions",
    8: "has_filenames",
    9: "has_line_numbers",
    10: "has_inline_frames",
}
LINE_FIELDS = {1: "+function_id", 2: "line", 3: "column"}
FUNCTION_FIELDS = {1: "+id", 2: "name", 3: "system_name", 4: "filename", 5: "start_line"}


def read_sample(data):
    sample = RawSample()
    for number, wire, value in fields(data):
        if number == 1:
            add_ints(sample.location_ids, number, wire, value, unsigned)
        elif number == 2:
            add_ints(sample.values, number, wire, value, signed)
        elif number == 3:
            sample.labels.append(read_scalars(as_bytes(number, wire, value), Label, LABEL_FIELDS))
    return sample


def read_location(data):
    location = Location()
    for number, wire, value in fields(data):
        if number == 4:
            location.lines.append(read_scalars(as_bytes(number, wire, value), Line, LINE_FIELDS))
        elif number in (1, 2, 3):
            as_int(number, wire, value)
            setattr(location, ("id", "mapping_id", "address")[number - 1], value)
        elif number == 5:
            location.is_folded = as_int(number, wire, value) != 0
    return location


class Profile:
    """The decoded message, and text views of it."""

    SCALARS = {
        7: "drop_frames",
        8: "keep_frames",
        9: "time_nanos",
        10: "duration_nanos",
        12: "period",
        14: "default_sample_type",
        15: "doc_url",
    }

    def __init__(self, data):
        self.raw_types, self.raw_samples, self.raw_comments = [], [], []
        self.mappings, self.locations, self.functions = [], [], []
        self.raw_strings = []
        self.raw_period_type = None
        self.seen = {}  # how often each field that may be there once was
        for name in self.SCALARS.values():
            setattr(self, name, 0)
        for number, wire, value in fields(data):
            self._add(number, wire, value)
        self.strings = [text.decode("utf-8", "replace") for text in self.raw_strings]
        self._locations = {row.id: row for row in self.locations}
        self._functions = {row.id: row for row in self.functions}
        self._mappings = {row.id: row for row in self.mappings}

    def _add(self, number, wire, value):
        rows = {
            1: (self.raw_types, lambda data: read_scalars(data, ValueType, TYPE_FIELDS)),
            2: (self.raw_samples, read_sample),
            3: (self.mappings, lambda data: read_scalars(data, Mapping, MAPPING_FIELDS)),
            4: (self.locations, read_location),
            5: (self.functions, lambda data: read_scalars(data, Function, FUNCTION_FIELDS)),
            6: (self.raw_strings, bytes),
        }
        if number in rows:
            into, read = rows[number]
            into.append(read(as_bytes(number, wire, value)))
        elif number == 11:
            self.raw_period_type = read_scalars(as_bytes(number, wire, value), ValueType, TYPE_FIELDS)
            self.seen[number] = self.seen.get(number, 0) + 1
        elif number == 13:
            add_ints(self.raw_comments, number, wire, value, signed)
        elif number in self.SCALARS:
            setattr(self, self.SCALARS[number], as_int(number, wire, value))
            self.seen[number] = self.seen.get(number, 0) + 1

    def text(self, index):
        return self.strings[index] if 0 <= index < len(self.strings) else f"<string {index}>"

    @property
    def sample_types(self):
        return [(self.text(row.type), self.text(row.unit)) for row in self.raw_types]

    @property
    def period_type(self):
        row = self.raw_period_type or ValueType()
        return self.text(row.type), self.text(row.unit)

    @property
    def comments(self):
        return [self.text(index) for index in self.raw_comments]

    def mapping_of(self, location):
        return self._mappings.get(location.mapping_id)

    def location_frames(self, location_id):
        """Names of one location, leaf first; its address when it has no line."""
        location = self._locations.get(location_id)
        if location is None:
            return [f"<location {location_id}>"]
        if not location.lines:
            return [hex(location.address)]
        names = []
        for line in location.lines:
            function = self._functions.get(line.function_id)
            names.append(self.text(function.name) if function else f"<function {line.function_id}>")
        return names

    @property
    def samples(self):
        for raw in self.raw_samples:
            frames = [name for i in raw.location_ids for name in self.location_frames(i)]
            labels = {}
            for label in raw.labels:
                labels[self.text(label.key)] = self.text(label.str) if label.str else label.num
            yield Sample(frames, raw.values, labels)

    def value_index(self, name=None):
        """Position of a sample type; the default one without a name."""
        names = [self.text(row.type) for row in self.raw_types]
        if name is None:
            name = self.text(self.default_sample_type) if self.default_sample_type else names[-1]
        return names.index(name)

    def total(self, name=None):
        at = self.value_index(name)
        return sum(raw.values[at] for raw in self.raw_samples)

    def self_values(self, name=None):
        """{leaf function: value}"""
        at, result = self.value_index(name), {}
        for sample in self.samples:
            if sample.frames:
                result[sample.frames[0]] = result.get(sample.frames[0], 0) + sample.values[at]
        return result

    def cumulative_values(self, name=None):
        """{function: value of all samples it is in}"""
        at, result = self.value_index(name), {}
        for sample in self.samples:
            for frame in set(sample.frames):
                result[frame] = result.get(frame, 0) + sample.values[at]
        return result


def unzip(data):
    """The one gzip member's contents, and the bytes behind it."""
    if data[:2] != b"\x1f\x8b":
        raise Malformed("no gzip magic")
    stream = zlib.decompressobj(GZIP_WRAPPER)
    try:
        plain = stream.decompress(data) + stream.flush()
    except zlib.error as error:
        raise Malformed(f"gzip: {error}") from error
    if not stream.eof:
        raise Malformed("gzip: the end is missing")
    return plain, stream.unused_data


def parse(data):
    """Profile of a file's bytes; bare protobuf is taken as well, as pprof does."""
    if data[:2] == b"\x1f\x8b":
        data, _ = unzip(data)
    return Profile(data)


def load(path):
    with open(path, "rb") as file:
        return parse(file.read())
