"""An OpenTelemetry collector's /v1development/profiles, with the rules of release 1.11 and of those who are known to receive
it (Pyroscope, Parca)."""

import re
import time

from . import checks, protobuf
from .checks import Ledger, Stop, Upload
from .http1 import Reply
from .server import Fake

PATH = "/v1development/profiles"
REQUEST = "otlp.ExportProfilesServiceRequest"
BYTES_MAX = 20 << 20
SAMPLES_MAX = 16000
LABELS_MAX = 30
FIVE_MINUTES_S = 300
TABLES = ("mapping_table", "location_table", "function_table", "link_table", "string_table", "attribute_table", "stack_table")
BUILD_IDS = ("process.executable.build_id.gnu", "process.executable.build_id.go", "process.executable.build_id.htlhash")
RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 413: 8, 415: 3, 429: 8, 500: 13, 501: 12, 502: 14, 503: 14, 504: 4}
# field of each message -> the table it points into
STRING_FIELDS = {
    "mapping_table": ("filename_strindex",),
    "function_table": ("name_strindex", "system_name_strindex", "filename_strindex"),
    "attribute_table": ("key_strindex", "unit_strindex"),
}
SHAPES = ("only timestamps", "one value", "values at timestamps")


class Dictionary:
    """The seven tables, and which of their entries were pointed at."""

    def __init__(self, message, findings):
        self.tables = {name: message.all(name) for name in TABLES}
        self.used = {name: {0} for name in TABLES}
        self.findings = findings

    def at(self, table, index, who):
        """The entry, noting that it is used; None where there is none."""
        rows = self.tables[table]
        if not isinstance(index, int) or not 0 <= index < len(rows):
            self.findings.refuse(400, f"{who}: {table}[{index}] of {len(rows)}")
            return None
        self.used[table].add(index)
        return rows[index]

    def string(self, index, who):
        text = self.at("string_table", index, who)
        return "" if text is None else text.decode("utf-8")

    def attributes(self, indices, who):
        """{key: value} of a list of indices into attribute_table."""
        out = {}
        for index in indices:
            row = self.at("attribute_table", index, who)
            if row is None:
                continue
            self.findings.need(index != 0, 400, f"{who}: attribute 0 says nothing")
            key = self.string(row.number("key_strindex"), who)
            self.findings.need(key not in out, 400, f"{who}: attribute {key!r} occurs twice")
            out[key] = any_value(self, row.one("value"), who)
        return out


def any_value(dictionary, message, who):
    """A plain value of an AnyValue; None where there is none."""
    if message is None or not message.fields:
        dictionary.findings.refuse(400, f"{who}: an attribute without a value")
        return None
    (name, values), *rest = message.fields.items()
    dictionary.findings.need(not rest, 400, f"{who}: a value of two kinds")
    if name == "string_value":
        return values[0].decode("utf-8")
    if name == "string_value_strindex":
        return dictionary.string(values[0], who)
    return values[0] if not isinstance(values[0], protobuf.Message) else values[0].plain()


class OtlpFake(Fake):
    name = "otlp"

    def __init__(self, script=("ok",), *, path=PATH, max_age_s=FIVE_MINUTES_S, **options):
        """max_age_s: how old a profile may be (a collector does not ask)."""
        self.path, self.max_age_s, self.ledger = path, max_age_s, Ledger()
        super().__init__(script, **options)

    def local_totals(self):
        """CPU time comes as samples/count, in periods: here it is cpu/nanoseconds, right to half a period an upload, and
        there are no samples/count."""
        out = {}
        for upload in self.distinct_uploads():
            for name, value in upload.totals.items():
                if name == "samples/count" and upload.period_type == ["cpu", "nanoseconds"]:
                    name, value = "cpu/nanoseconds", value * upload.period
                out[name] = out.get(name, 0) + value
        return out

    # ---- replies ----

    def good_reply(self, request):
        return Reply(200, b"", [("Content-Type", "application/x-protobuf")])

    def bad_reply(self, request, status, words):
        body = number_field(1, RPC_CODES.get(status, 2)) + bytes_field(2, words.encode("utf-8"))
        return Reply(status, body, [("Content-Type", "application/x-protobuf")])

    def partial_reply(self, request, rejected, words):
        inner = (number_field(1, rejected) if rejected else b"") + bytes_field(2, words.encode("utf-8"))
        return Reply(200, bytes_field(1, inner), [("Content-Type", "application/x-protobuf")])

    # ---- judging ----

    def judge(self, request, findings):
        message = self._read(request, findings)
        request.content = message
        dictionary_message = message.one("dictionary")
        if dictionary_message is None or not message.has("resource_profiles"):
            findings.stop(400, "dictionary or resource_profiles is missing")
        dictionary = Dictionary(dictionary_message, findings)
        self._check_tables(dictionary, findings)
        for resource_profiles in message.all("resource_profiles"):
            self._judge_resource(request, resource_profiles, dictionary, findings)
        self._check_entries(dictionary, findings)
        self._check_use(dictionary, findings)

    def _read(self, request, findings):
        if request.path != self.path:
            findings.stop(404, f"no such path {request.path}")
        if request.method != "POST":
            findings.stop(405, f"method {request.method}")
        findings.need("?" not in request.target, 400, "the path has a query")
        if request.header("content-type") != "application/x-protobuf":
            findings.stop(415, f"content type {request.header('content-type')!r}")
        body = self._inflate(request, findings)
        if len(body) > BYTES_MAX:
            findings.stop(413, f"{len(body)} bytes uncompressed, of at most {BYTES_MAX}")
        try:
            return protobuf.decode("otlp.proto", REQUEST, body)
        except protobuf.Undecodable as error:
            findings.stop(400, str(error))

    @staticmethod
    def _inflate(request, findings):
        encoding = request.header("content-encoding")
        if encoding is None:
            return request.body
        if encoding != "gzip":
            findings.stop(415, f"Content-Encoding {encoding!r}")
        try:
            return checks.gunzip(request.body)
        except ValueError as error:
            findings.stop(400, str(error))

    # ---- the dictionary ----

    @staticmethod
    def _check_tables(dictionary, findings):
        for name, rows in dictionary.tables.items():
            if not rows:
                findings.refuse(400, f"{name} has no entry 0")
                continue
            empty = rows[0] == b"" if name == "string_table" else not rows[0].fields
            findings.need(empty, 400, f"entry 0 of {name} is not empty")
            keys = [row if isinstance(row, bytes) else row.key() for row in rows]
            findings.need(len(set(keys)) == len(keys), 400, f"{name} has the same entry twice")

    def _check_entries(self, dictionary, findings):
        """Entries but 0, and what they point at."""
        for name, fields in STRING_FIELDS.items():
            for at, row in enumerate(dictionary.tables[name]):
                for field in fields:
                    dictionary.string(row.number(field), f"{name}[{at}].{field}")
        self._check_attribute_table(dictionary, findings)
        for at, row in enumerate(dictionary.tables["stack_table"][1:], 1):
            findings.need(row.has("location_indices"), 400, f"stack_table[{at}] has no location")
            for index in row.all("location_indices"):
                dictionary.at("location_table", index, f"stack_table[{at}]")
                findings.need(index != 0, 400, f"stack_table[{at}] points at location 0")
        for at, row in enumerate(dictionary.tables["location_table"][1:], 1):
            self._check_location(dictionary, row, f"location_table[{at}]", findings)
        for at, row in enumerate(dictionary.tables["function_table"][1:], 1):
            findings.need(row.number("name_strindex"), 400, f"function_table[{at}] has no name")
        for at, row in enumerate(dictionary.tables["mapping_table"][1:], 1):
            self._check_mapping(dictionary, row, f"mapping_table[{at}]", findings)
        for at, row in enumerate(dictionary.tables["link_table"][1:], 1):
            good = len(row.blob("trace_id")) == 16 and len(row.blob("span_id")) == 8
            findings.need(good, 400, f"link_table[{at}]: ids of the wrong size")

    @staticmethod
    def _check_attribute_table(dictionary, findings):
        for at, row in enumerate(dictionary.tables["attribute_table"][1:], 1):
            findings.need(row.number("key_strindex"), 400, f"attribute_table[{at}] has no key")
            any_value(dictionary, row.one("value"), f"attribute_table[{at}]")

    @staticmethod
    def _check_location(dictionary, row, who, findings):
        mapping = dictionary.at("mapping_table", row.number("mapping_index"), who)
        lines = row.all("lines")
        findings.need(row.number("mapping_index") or lines, 400, f"{who} has neither mapping nor lines")
        if mapping is not None and row.number("mapping_index"):
            low, high = mapping.number("memory_start"), mapping.number("memory_limit")
            findings.need(low <= row.number("address") < high, 400, f"{who}: {row.number('address'):#x} is outside {low:#x}-{high:#x}")
        for line in lines:
            dictionary.at("function_table", line.number("function_index"), who)
            findings.need(line.number("function_index"), 400, f"{who}: a line without function")
        dictionary.attributes(row.all("attribute_indices"), who)

    @staticmethod
    def _check_mapping(dictionary, row, who, findings):
        name = dictionary.string(row.number("filename_strindex"), who)
        findings.need(name, 400, f"{who} has no filename")
        attributes = dictionary.attributes(row.all("attribute_indices"), who)
        ids = [attributes[key] for key in BUILD_IDS if key in attributes]
        # What is no file has no build id: "[kernel.kallsyms]", "[jit]".
        findings.need(ids or name.startswith("["), 400, f"{who} {name!r} has no build id")
        for key in BUILD_IDS:
            if key in attributes and key != BUILD_IDS[1]:
                good = isinstance(attributes[key], str) and re.match(r"([0-9a-f]{2})+\Z", attributes[key])
                findings.need(good, 400, f"{who}: {key} {attributes[key]!r}")

    @staticmethod
    def _check_use(dictionary, findings):
        for name, rows in dictionary.tables.items():
            unused = [at for at in range(len(rows)) if at not in dictionary.used[name]]
            shown = [rows[at] if isinstance(rows[at], bytes) else rows[at].plain() for at in unused[:3]]
            findings.need(not unused, 400, f"{name}: {len(unused)} entries are not referenced: {shown}")

    # ---- resources, scopes, profiles ----

    def _judge_resource(self, request, message, dictionary, findings):
        resource = message.one("resource")
        if resource is None:
            findings.stop(400, "a resource is missing")
        attributes = self._key_values(dictionary, resource, "resource", findings)
        service = attributes.get("service.name")
        findings.need(isinstance(service, str) and service, 400, f"service.name is {service!r}")
        self._check_labels(attributes, findings)
        findings.need(message.all("scope_profiles"), 400, "a resource without scope_profiles")
        for scope_profiles in message.all("scope_profiles"):
            scope = scope_profiles.one("scope")
            if scope is None:
                findings.stop(400, "a scope is missing: Parca falls over that")
            findings.need(scope.blob("name") and scope.blob("version"), 400, "a scope without name or version")
            self._key_values(dictionary, scope, "scope", findings)
            findings.need(scope_profiles.all("profiles"), 400, "a scope without profiles")
            for profile in scope_profiles.all("profiles"):
                self._judge_profile(request, profile, dictionary, attributes, findings)

    @staticmethod
    def _check_labels(attributes, findings):
        """Pyroscope makes a label of each text, beside its own, and takes 30; those of samples are one here."""
        own = ("__name__", "__delta__", "__otel__", "service_name")
        texts = [key for key, value in attributes.items() if isinstance(value, str) and value]
        findings.need(len(texts) + len(own) + 1 <= LABELS_MAX, 400, f"{len(texts)} resource attributes become too many labels")
        taken = [key for key in texts if key in own or key.startswith("__")]
        findings.need(not taken, 400, f"resource attributes {taken} are labels twice")

    @staticmethod
    def _key_values(dictionary, message, who, findings):
        out = {}
        for row in message.all("attributes"):
            findings.need(row.has("key") != row.has("key_strindex"), 400, f"{who}: an attribute with no key, or two")
            key = row.text("key") or dictionary.string(row.number("key_strindex"), who)
            findings.need(key and key not in out, 400, f"{who}: attribute {key!r} occurs twice or has no name")
            out[key] = any_value(dictionary, row.one("value"), f"{who} {key}")
        return out

    def _judge_profile(self, request, profile, dictionary, attributes, findings):
        names = self._check_types(profile, dictionary, findings)
        checks.check_age(profile.number("time_unix_nano"), findings, 400, self.max_age_s, FIVE_MINUTES_S, time.time())
        findings.need(profile.number("duration_nano") > 0, 400, "duration_nano is 0")
        findings.need(profile.number("period") >= 0, 400, f"period {profile.number('period')}")
        both = profile.has("original_payload") == profile.has("original_payload_format")
        findings.need(both, 400, "original_payload and its format: one without the other")
        dictionary.attributes(profile.all("attribute_indices"), "profile")
        identity = self._check_id(request, profile, names, findings)
        total = self._check_samples(profile, dictionary, findings)
        request.uploads.append(
            Upload(
                identity=identity,
                totals={"/".join(names[:2]): total},
                samples=len(profile.all("samples")),
                time_ns=profile.number("time_unix_nano"),
                duration_ns=profile.number("duration_nano"),
                tags=attributes,
                period_type=names[2:],
                period=profile.number("period"),
            )
        )

    @staticmethod
    def _check_types(profile, dictionary, findings):
        """[type, unit] of the samples, and of the period where it is there."""
        sample_type, period_type = profile.one("sample_type"), profile.one("period_type")
        if sample_type is None:
            findings.stop(400, "sample_type is missing")
        findings.need(period_type is not None, 400, "period_type is missing")
        names = [dictionary.string(sample_type.number(field), "sample_type") for field in ("type_strindex", "unit_strindex")]
        findings.need(all(names), 400, f"sample_type is {names}")
        if period_type is not None:
            names += [dictionary.string(period_type.number(field), "period_type") for field in ("type_strindex", "unit_strindex")]
        for name in names:
            findings.need(re.match(r"[a-zA-Z0-9_:]*\Z", name), 400, f"type or unit {name!r} is not [a-zA-Z0-9_:]")
        return names

    def _check_id(self, request, profile, names, findings):
        profile_id = profile.blob("profile_id")
        good = len(profile_id) == 16 and any(profile_id)
        findings.need(good, 400, f"profile_id {profile_id.hex()!r}")
        in_request = [upload.identity[0] for upload in request.uploads]
        findings.need(profile_id.hex() not in in_request, 400, f"profile_id {profile_id.hex()} occurs twice in a request")
        same = self.ledger.same_as_before(profile_id, request.body)
        findings.need(same, 400, f"profile_id {profile_id.hex()} came before with another body")
        return profile_id.hex(), profile.number("time_unix_nano"), "/".join(names[:2])

    def _check_samples(self, profile, dictionary, findings):
        """The sum of the values."""
        samples, seen, shapes, total = profile.all("samples"), set(), set(), 0
        findings.need(samples, 400, "a profile without samples")
        findings.need(len(samples) <= SAMPLES_MAX, 400, f"{len(samples)} samples: Pyroscope takes {SAMPLES_MAX}")
        begin = profile.number("time_unix_nano")
        window = range(begin, begin + max(1, profile.number("duration_nano")))
        for at, sample in enumerate(samples):
            who = f"sample {at}"
            dictionary.at("stack_table", sample.number("stack_index"), who)
            dictionary.at("link_table", sample.number("link_index"), who)
            indices = sample.all("attribute_indices")
            dictionary.attributes(indices, who)
            identity = (sample.number("stack_index"), frozenset(indices), sample.number("link_index"))
            findings.need(identity not in seen, 400, f"{who} has stack, attributes and link of another")
            findings.need(sample.number("stack_index"), 400, f"{who} has no stack")
            seen.add(identity)
            values, times = sample.all("values"), sample.all("timestamps_unix_nano")
            shapes.add(self._shape(values, times, who, findings))
            findings.need(all(value >= 0 for value in values), 400, f"{who} has a negative value")
            findings.need(all(time_ns in window for time_ns in times), 400, f"{who} has a time outside the profile's")
            total += sum(values) if values else len(times)
            if len(findings.rows) > 100:
                raise Stop
        findings.need(len(shapes) <= 1, 400, f"samples of several shapes: {sorted(SHAPES[shape] for shape in shapes)}")
        return total

    @staticmethod
    def _shape(values, times, who, findings):
        if not values and times:
            return 0
        if values and times:
            findings.need(len(values) == len(times), 400, f"{who}: {len(values)} values at {len(times)} times")
            return 2
        findings.need(len(values) == 1, 400, f"{who} has {len(values)} values and no times")
        return 1


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def number_field(number, value):
    return varint(number << 3) + varint(value)


def bytes_field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data
