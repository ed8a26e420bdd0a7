"""The Datadog agent's /profiling/v1/input and the intake behind it, at /api/v2/profile (and the old /v1/input).

The intake is closed source: refused is what no shipped client sends. What it would do with less care is not known, which is
all the more reason to send nothing but that.
"""

import calendar
import re

from . import checks, multipart
from .checks import UUID, Ledger
from .http1 import Reply
from .server import Fake

AGENT, INTAKE = "/profiling/v1/input", ("/api/v2/profile", "/v1/input")
API_KEY = re.compile(r"[0-9a-z]{32}\Z")
TIME = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?Z\Z")
# Hyphens are this backend's spelling; _ is in names that the user gave an event.
TYPE_NAME = re.compile(r"[a-z][a-z0-9_-]*\Z")
UNITS = {
    "cpu-time": "nanoseconds",
    "cpu-samples": "count",
    "wall-time": "nanoseconds",
    "wall-samples": "count",
    "alloc-space": "bytes",
    "alloc-samples": "count",
    "inuse-space": "bytes",
    "inuse-objects": "count",
    "tracepoint": "events",
    "lock-acquire-wait": "nanoseconds",
    "lock-acquire": "count",
}
LOCAL_NAMES = {"cpu-samples": "samples/count", "cpu-time": "cpu/nanoseconds"}
NEUTRAL_TYPES = ("samples", "cpu")
NEUTRAL_LABELS = ("thread_id", "tid", "thread_name", "pid", "process_name")
EVENT_KEYS = {"version", "family", "start", "end", "attachments", "tags_profiler", "endpoint_counts", "internal", "info"}
EVENT_KEYS |= {"process_tags", "custom_attributes"}
TAG_ONCE = ("service", "runtime-id", "language", "profile_seq")
TAG_AT_MOST_ONCE = ("version", "env", "host", "process_id", "profiler_version")
AGENTS_OWN = ("via", "x-datadog-container-tags", "x-datadog-additional-tags")
CONTAINER = re.compile(r"[0-9A-Za-z_-]{1,128}\Z")
ENTITY = re.compile(r"(ci-[0-9A-Za-z_-]+|in-[0-9]+)\Z")
ATTACHMENT_MAX = 10 << 20
FRAMES_MAX = 600
TAG_BYTES_MAX = 200


def time_ns(text):
    """Nanoseconds since 1970 of an RFC 3339 time in UTC."""
    match = TIME.match(text)
    if match is None:
        raise ValueError(f"time {text!r}")
    fields = [int(field) for field in match.groups()[:6]]
    if not (1 <= fields[1] <= 12 and 1 <= fields[2] <= 31 and fields[3] < 24 and fields[4] < 60 and fields[5] < 60):
        raise ValueError(f"time {text!r}")
    return calendar.timegm(tuple(fields) + (0, 0, 0)) * 10**9 + int((match.group(7) or "").ljust(9, "0"))


class DatadogFake(Fake):
    name = "datadog"

    def __init__(self, script=("ok",), *, api_key=None, gaps=False, **options):
        """api_key: the one the intake knows; any well-formed one without. gaps: profile_seq may leave numbers out."""
        self.api_key, self.gaps = api_key, gaps
        self.ledger, self.last_number = Ledger(), {}
        super().__init__(script, **options)

    def local_totals(self):
        """Events that Datadog has no type of are tracepoints, their name and unit in a label."""
        out = {}
        for upload in self.distinct_uploads():
            types = upload.profile.sample_types
            for sample in upload.profile.samples:
                for (name, unit), value in zip(types, sample.values):
                    key = LOCAL_NAMES.get(name, f"{name}/{unit}")
                    if name == "tracepoint":
                        event, _, kind = sample.labels.get("tracepoint_type", "?").partition(" (")
                        key = f"{event}/{kind.removesuffix(')') or 'count'}"
                    out[key] = out.get(key, 0) + value
        return out

    def good_reply(self, request):
        return Reply(202 if request.path in INTAKE else 200)

    def missing_credentials(self, request):
        key = request.header("dd-api-key")
        if request.path in INTAKE and (key is None or not API_KEY.match(key) or self.api_key not in (None, key)):
            return 403, "API key is missing or wrong"
        return super().missing_credentials(request)

    def judge(self, request, findings):
        self._judge_head(request, findings)
        parts = self._read_parts(request, findings)
        event = self._read_event(parts, findings)
        request.content = {"event": event, "parts": [[part.name, part.filename, len(part.body)] for part in parts]}
        tags = self._check_event(event, parts, findings)
        for part in parts:
            if part.name != "event":
                self._judge_attachment(request, part, event, tags, findings)
        self._check_sequence(request, tags, findings)

    # ---- headers ----

    @staticmethod
    def _judge_head(request, findings):
        if request.path != AGENT and request.path not in INTAKE:
            findings.stop(404, f"no such path {request.path}")
        if request.method != "POST":
            findings.stop(405, f"method {request.method}")
        findings.need("?" not in request.target, 400, "the path has a query")
        for name in ("dd-evp-origin", "dd-evp-origin-version"):
            findings.need(request.header(name), 400, f"no {name} header")
        findings.need(request.header("content-encoding") is None, 415, "Content-Encoding is not decoded")
        for name in AGENTS_OWN:
            findings.need(request.header(name) is None, 400, f"{name} is for the agent to send")
        container, entity = request.header("datadog-container-id"), request.header("datadog-entity-id")
        findings.need(container is None or CONTAINER.match(container), 400, f"container id {container!r}")
        findings.need(entity is None or ENTITY.match(entity), 400, f"entity id {entity!r}")
        if container and entity and entity.startswith("ci-"):
            findings.need(entity == "ci-" + container, 400, f"entity id {entity!r} of container {container!r}")

    @staticmethod
    def _read_parts(request, findings):
        boundary = multipart.boundary_of(request.header("content-type"))
        if boundary is None:
            findings.stop(400, f"content type {request.header('content-type')!r} is no form with a boundary")
        try:
            return multipart.parse(request.body, boundary)
        except ValueError as error:
            findings.stop(400, str(error))

    # ---- event.json ----

    @staticmethod
    def _read_event(parts, findings):
        events = [part for part in parts if part.name == "event"]
        if len(events) != 1:
            findings.stop(400, f"{len(events)} parts named event")
        findings.need(events[0].filename == "event.json", 400, f"the event's filename is {events[0].filename!r}")
        findings.need(events[0].content_type == "application/json", 400, f"the event's type is {events[0].content_type!r}")
        try:
            event = checks.strict_json(events[0].body)
        except ValueError as error:
            findings.stop(400, f"event.json: {error}")
        if not isinstance(event, dict):
            findings.stop(400, "event.json is no object")
        return event

    def _check_event(self, event, parts, findings):
        """The tags, as a list of (key, value)."""
        findings.need(set(event) <= EVENT_KEYS, 400, f"event.json has unknown keys {sorted(set(event) - EVENT_KEYS)}")
        findings.need(event.get("version") == "4", 400, f"version is {event.get('version')!r}")
        findings.need(event.get("family") == "native", 400, f"family is {event.get('family')!r}")
        for name, kind in (("internal", dict), ("info", dict), ("endpoint_counts", dict), ("process_tags", str), ("custom_attributes", list)):
            value = event.get(name)
            findings.need(value is None or isinstance(value, kind), 400, f"{name} is {value!r}")
        self._check_times(event, findings)
        names = sorted(part.filename or "" for part in parts if part.name != "event")
        attachments = event.get("attachments")
        if not isinstance(attachments, list) or not all(isinstance(name, str) for name in attachments):
            findings.stop(400, f"attachments is {attachments!r}")
        findings.need(sorted(attachments) == names, 400, f"attachments {attachments} for parts {names}")
        findings.need(names, 400, "no attachment")
        findings.need("" not in names, 400, "a part has no filename")
        findings.need(len(set(names)) == len(names), 400, f"two attachments have one name: {names}")
        return self._check_tags(event.get("tags_profiler"), findings)

    @staticmethod
    def _check_times(event, findings):
        times = []
        for name in ("start", "end"):
            value = event.get(name)
            try:
                times.append(time_ns(value if isinstance(value, str) else ""))
            except ValueError:
                findings.stop(400, f"{name} is {value!r}")
        findings.need(times[0] <= times[1], 400, f"start {event['start']} is after end {event['end']}")

    @staticmethod
    def _check_tags(text, findings):
        if not isinstance(text, str):
            findings.stop(400, f"tags_profiler is {text!r}")
        tags = []
        for tag in text.split(","):
            good = ":" in tag and not tag.startswith(":") and not tag.endswith(":") and tag[0].isalpha()
            good = good and len(tag.encode("utf-8")) <= TAG_BYTES_MAX and not any(ord(char) <= 32 or ord(char) == 127 for char in tag)
            findings.need(good, 400, f"tag {tag[:220]!r}")
            key, _, value = tag.partition(":")
            tags.append((key, value))
        for key, least in [(key, 1) for key in TAG_ONCE] + [(key, 0) for key in TAG_AT_MOST_ONCE]:
            count = sum(1 for name, _ in tags if name == key)
            findings.need(least <= count <= 1, 400, f"tag {key} occurs {count} times")
        values = dict(tags)
        findings.need(UUID.match(values.get("runtime-id", "")), 400, f"runtime-id {values.get('runtime-id')!r} is no UUID")
        findings.need(re.match(r"[0-9]{1,18}\Z", values.get("profile_seq", "")), 400, f"profile_seq {values.get('profile_seq')!r}")
        findings.need(re.match(r"[0-9]{1,10}\Z", values.get("process_id", "0")), 400, f"process_id {values.get('process_id')!r}")
        findings.need(values.get("language") == "native", 400, f"language {values.get('language')!r}")
        return tags

    # ---- attachments ----

    def _judge_attachment(self, request, part, event, tags, findings):
        where = f"attachment {part.filename!r}"
        if part.filename is not None and part.filename.endswith(".json"):
            try:
                checks.strict_json(part.body)
            except ValueError as error:
                findings.refuse(400, f"{where}: {error}")
            return
        findings.need(part.name == part.filename, 400, f"{where} is named {part.name!r}")
        findings.need(len(part.body) <= ATTACHMENT_MAX, 413, f"{where}: {len(part.body)} bytes are skipped by the backend")
        try:
            plain = checks.inflate(part.body, zstd=True)
        except ValueError as error:
            findings.stop(400, f"{where}: {error}")
        profile = checks.read_pprof(plain, findings, 400, TYPE_NAME)
        values = dict(tags)
        identity = (values.get("runtime-id"), values.get("profile_seq"), part.filename)
        request.uploads.append(checks.upload_of(identity, profile, part.body, values))
        self._check_profile(profile, event, findings)

    @staticmethod
    def _check_profile(profile, event, findings):
        for name, unit in profile.sample_types:
            findings.need(UNITS.get(name, unit) == unit, 400, f"sample type {name}/{unit}")
            findings.need(name not in NEUTRAL_TYPES, 400, f"sample type {name!r} is not this backend's name")
        for key, kinds in checks.label_keys(profile).items():
            findings.need(key not in NEUTRAL_LABELS, 400, f"label {key!r} is not this backend's name")
            numeric = key in ("end_timestamp_ns", "timestamp_ns", "span id", "local root span id")
            findings.need(not numeric or kinds == {"number"}, 400, f"label {key!r} has to be a number")
        start, end = time_ns(event["start"]), time_ns(event["end"])
        findings.need(start <= profile.time_nanos <= end, 400, f"time_nanos {profile.time_nanos} is outside start..end")
        for raw in profile.raw_samples:
            if not findings.need(len(raw.location_ids) <= FRAMES_MAX, 400, f"a sample has {len(raw.location_ids)} locations"):
                break
            for label in raw.labels:
                key, text = profile.text(label.key), profile.text(label.str)
                if key == "end_timestamp_ns":
                    findings.need(start <= label.num <= end, 400, f"end_timestamp_ns {label.num} is outside start..end")
                if key in ("thread id", "process_id"):
                    findings.need(text.isdecimal(), 400, f"label {key!r} is {text!r}")

    # ---- the order ----

    def _check_sequence(self, request, tags, findings):
        """profile_seq counts the profiles of a run; what comes again is the same."""
        values = dict(tags)
        run, number = values.get("runtime-id"), values.get("profile_seq", "")
        if not number.isdecimal():
            return
        number = int(number)
        last = self.last_number.get(run, -1)
        known = (run, number) in self.ledger.seen
        if not self.ledger.same_as_before((run, number), request.body):
            findings.refuse(400, f"profile_seq {number} came before with another body")
        if not known:
            good = number > last if self.gaps else number == last + 1
            findings.need(good, 400, f"profile_seq {number} follows {last}")
            self.last_number[run] = max(number, last)
