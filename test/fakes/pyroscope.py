"""Grafana Pyroscope: push.v1.PusherService/Push (Connect, binary) and the older /ingest, with what the distributor and the
pprof parser behind both refuse."""

import json
import re
import time
import urllib.parse

from . import checks, multipart, protobuf
from .checks import LABEL_NAME, UUID, Ledger
from .http1 import Reply
from .server import Fake

PUSH = "/push.v1.PusherService/Push"
INGEST = ("/ingest", "/pyroscope/ingest")
TENANT = re.compile(r"[0-9A-Za-z!_.*'()-]{1,150}\Z")
CODES = {400: "invalid_argument", 401: "unauthenticated", 403: "permission_denied", 404: "not_found", 405: "unimplemented"}
CODES |= {408: "deadline_exceeded", 413: "resource_exhausted", 415: "unimplemented", 422: "invalid_argument"}
CODES |= {429: "resource_exhausted", 500: "unknown", 501: "unimplemented", 503: "unavailable", 504: "deadline_exceeded"}
BYTES_MAX, SAMPLES_MAX, SAMPLE_LABELS_MAX = 4 << 20, 16000, 100
FRAMES_MAX, STRING_BYTES_MAX, LABELS_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX = 1000, 65535, 30, 1024, 2048
HOUR_S, TEN_MINUTES_S = 3600, 600
OWN_LABELS = ("__name__", "__delta__", "__session_id__")
# Each set of text labels becomes a series: these would make one for every thread.
TOO_MANY_SERIES = ("thread_id", "thread id", "tid", "pid", "process_id", "end_timestamp_ns", "timestamp_ns")
CONFIG_KEYS = {"units", "display-name", "aggregation", "sampled", "cumulative"}
QUERY_ONCE = ("name", "from", "until", "sampleRate", "spyName", "units", "aggregationType", "format")
DISPLAY = {"samples": "cpu", "goroutine": "goroutines", "contentions": "mutex_count", "delay": "mutex_duration"}
METRICS = (("cpu", "process_cpu"), ("alloc_", "memory"), ("inuse_", "memory"), ("mutex_", "mutex"), ("block_", "block"))
SPIES_THAT_REWRITE = ("pyspy", "rbspy", "scripting", "dotnetspy")


def metric_name(profile):
    """What /ingest calls a profile of these types."""
    names = [name for name, _ in profile.sample_types]
    if "wall" in names:
        return "wall"
    for name in names:
        shown = DISPLAY.get(name, name)
        for part, metric in METRICS:
            if part in shown:
                return metric
        if shown in ("space", "objects"):
            return "memory"
        if "goroutines" in shown:
            return "goroutines"
    return names[-1] if names else ""


def parse_name(text):
    """(application, tags) of `app{k=v,k2=v2}`; ValueError says what is wrong."""
    app, brace, rest = text.partition("{")
    app = app.strip()
    if not re.match(r"[A-Za-z0-9_./-]+\Z", app):
        raise ValueError(f"application name {app!r}")
    tags = {}
    if not brace:
        return app, tags
    if not rest.endswith("}") or "}" in rest[:-1]:
        raise ValueError("the braces do not close at the end")
    for pair in rest[:-1].split(",") if rest[:-1] else []:
        key, equals, value = (piece.strip() for piece in pair.partition("="))
        if not equals or not re.match(r"[A-Za-z0-9_.]+\Z", key) or key == "__name__" or not value:
            raise ValueError(f"tag {pair!r}")
        if key in tags:
            raise ValueError(f"tag {key!r} occurs twice")
        tags[key] = value
    return app, tags


class PyroscopeFake(Fake):
    name = "pyroscope"

    def __init__(self, script=("ok",), *, tenants=False, max_age_s=HOUR_S, **options):
        """tenants: multitenancy is on. max_age_s: how old a profile may be."""
        self.tenants, self.max_age_s, self.ledger = tenants, max_age_s, Ledger()
        super().__init__(script, **options)

    # ---- replies ----

    def good_reply(self, request):
        if request.path == PUSH:
            return Reply(200, b"", [("Content-Type", "application/proto")])
        return Reply(200)

    def bad_reply(self, request, status, words):
        body = json.dumps({"code": CODES.get(status, "unknown"), "message": words}).encode("utf-8")
        return Reply(status, body, [("Content-Type", "application/json")])

    def missing_credentials(self, request):
        tenant = request.header("x-scope-orgid")
        if self.tenants and tenant is None:
            return 401, "no org id"
        return super().missing_credentials(request)

    # ---- judging ----

    def judge(self, request, findings):
        tenant = request.header("x-scope-orgid")
        good = tenant is None or TENANT.match(tenant) and tenant not in (".", "..")
        findings.need(good, 400, f"tenant {tenant!r}")
        if request.path == PUSH:
            self._judge_push(request, findings)
        elif request.path in INGEST:
            self._judge_ingest(request, findings)
        else:
            findings.stop(404, f"no such path {request.path}")

    # ---- Push ----

    def _judge_push(self, request, findings):
        if request.method != "POST":
            findings.stop(405, f"method {request.method}")
        findings.need("?" not in request.target, 400, "the path has a query")
        if request.header("content-type") != "application/proto":
            findings.stop(415, f"content type {request.header('content-type')!r}")
        findings.need(request.header("connect-protocol-version") == "1", 400, "no Connect-Protocol-Version: 1")
        timeout = request.header("connect-timeout-ms")
        findings.need(timeout is None or re.match(r"[0-9]{1,10}\Z", timeout), 400, f"Connect-Timeout-Ms {timeout!r}")
        try:
            message = protobuf.decode("push.proto", "push.v1.PushRequest", self._push_body(request, findings))
        except protobuf.Undecodable as error:
            findings.stop(400, str(error))
        request.content = message
        series = message.all("series")
        findings.need(len(series) == 1, 400, f"{len(series)} series in one request: a retry would double some")
        for one in series:
            self._judge_series(request, one, findings)

    @staticmethod
    def _push_body(request, findings):
        encoding = request.header("content-encoding")
        if encoding in (None, "identity"):
            return request.body
        if encoding != "gzip":
            findings.stop(501, f"unknown compression {encoding!r}")
        try:
            return checks.gunzip(request.body)
        except ValueError as error:
            findings.stop(400, str(error))

    def _judge_series(self, request, series, findings):
        labels = [(label.text("name"), label.text("value")) for label in series.all("labels")]
        samples = series.all("samples")
        findings.need(samples, 400, "a series without samples")
        names = dict(labels)
        findings.need(len(names) == len(labels), 400, f"a label occurs twice: {sorted(name for name, _ in labels)}")
        for needed in ("__name__", "service_name"):
            findings.need(names.get(needed), 400, f"label {needed} is missing or empty")
        for name, value in labels:
            self._check_label(name, value, findings, 400)
        for sample in samples:
            identity = sample.text("ID")
            findings.need(UUID.match(identity), 400, f"ID {identity!r} is no UUID")
            self._judge_profile(request, sample.blob("raw_profile"), (identity,), names, findings, 400)
            same = self.ledger.same_as_before(identity, request.body)
            findings.need(same, 400, f"ID {identity} came before with another body")

    @staticmethod
    def _check_label(name, value, findings, status):
        findings.need(LABEL_NAME.match(name), status, f"label name {name!r}")
        findings.need(not name.startswith("__") or name in OWN_LABELS, status, f"label {name!r} is not a client's to send")
        findings.need(len(name.encode("utf-8")) <= NAME_BYTES_MAX, status, f"label name of {len(name)} characters")
        findings.need(len(value.encode("utf-8")) <= VALUE_BYTES_MAX, status, f"label {name!r} is too long")
        findings.need(value, status, f"label {name!r} is empty")

    # ---- /ingest ----

    def _judge_ingest(self, request, findings):
        if request.method != "POST":
            findings.stop(405, f"method {request.method}")
        findings.need(request.header("content-encoding") is None, 422, "Content-Encoding is not decoded here")
        query = self._read_query(request, findings)
        try:
            app, tags = parse_name(query.get("name", ""))
        except ValueError as error:
            findings.stop(400, f"name: {error}")
        for name, value in tags.items():
            self._check_label(name, value, findings, 422)
        findings.need("pyroscope_spy" not in tags, 422, "a label occurs twice: pyroscope_spy")
        data = self._ingest_body(request, query, findings)
        labels = {"service_name": app} | tags
        labels |= {"__delta__": "false", "pyroscope_spy": query.get("spyName", "unknown")}
        request.content = {"name": app, "tags": tags, "query": query}
        # There is no number in it: what is the same to the byte is the same profile.
        identity = (query.get("name"), query.get("from"), checks.digest(data))
        upload = self._judge_profile(request, data, identity, labels, findings, 422)
        labels["__name__"] = metric_name(upload.profile)

    @staticmethod
    def _read_query(request, findings):
        rows = request.query
        query = dict(rows)
        findings.need(len(query) == len(rows), 400, "a parameter occurs twice")
        findings.need(set(query) <= set(QUERY_ONCE), 400, f"parameters {sorted(set(query) - set(QUERY_ONCE))} are not known")
        for name in ("from", "until"):
            findings.need(re.match(r"[0-9]{19}\Z", query.get(name, "")), 400, f"{name} is {query.get(name)!r}, not nanoseconds")
        findings.need(query.get("from", "") <= query.get("until", ""), 400, "from is after until")
        findings.need(re.match(r"[0-9]+\Z", query.get("sampleRate", "100")), 400, f"sampleRate {query.get('sampleRate')!r}")
        findings.need(query.get("spyName") not in SPIES_THAT_REWRITE, 400, f"spyName {query.get('spyName')!r} changes the profile")
        return query

    def _ingest_body(self, request, query, findings):
        """The bytes of the pprof."""
        boundary = multipart.boundary_of(request.header("content-type"))
        if "format" in query:
            findings.need(query["format"] == "pprof", 422, f"format {query['format']!r}")
            if boundary is not None:
                findings.stop(422, "format and a form: the form would be read as the profile")
            return request.body
        if boundary is None:
            findings.stop(422, "neither format=pprof nor a form: read as folded text")
        try:
            parts = multipart.parse(request.body, boundary)
        except ValueError as error:
            findings.stop(422, str(error))
        return self._ingest_parts(parts, findings)

    @staticmethod
    def _ingest_parts(parts, findings):
        for part in parts:
            findings.need(part.filename, 422, f"part {part.name!r} has no filename and is not seen")
            findings.need(part.name in ("profile", "sample_type_config"), 422, f"part {part.name!r}")
        profiles = [part for part in parts if part.name == "profile" and part.filename]
        configs = [part for part in parts if part.name == "sample_type_config"]
        findings.need(len(configs) <= 1, 422, f"{len(configs)} parts sample_type_config")
        if len(profiles) != 1:
            findings.stop(422, f"{len(profiles)} parts named profile")
        for part in configs:
            PyroscopeFake._check_config(part.body, profiles[0].body, findings)
        return profiles[0].body

    @staticmethod
    def _check_config(text, data, findings):
        try:
            config = checks.strict_json(text)
            types = [name for name, _ in checks.pprof_read.parse(data).sample_types]
        except (ValueError, checks.pprof_read.Malformed) as error:
            findings.stop(422, f"sample_type_config: {error}")
        if not isinstance(config, dict):
            findings.stop(422, "sample_type_config is no object")
        for name, row in config.items():
            findings.need(name in types, 422, f"sample_type_config names {name!r}, which is not in the profile")
            good = isinstance(row, dict) and set(row) <= CONFIG_KEYS
            findings.need(good, 422, f"sample_type_config of {name!r} is {row!r}")

    # ---- the profile, both ways ----

    def _judge_profile(self, request, data, identity, labels, findings, status):
        try:
            plain = checks.inflate(data)
        except ValueError as error:
            findings.stop(status, f"profile: {error}")
        findings.need(len(plain) <= BYTES_MAX, status, f"{len(plain)} bytes uncompressed, of at most {BYTES_MAX}")
        profile = checks.read_pprof(plain, findings, status)
        upload = checks.upload_of(identity + (profile.time_nanos,), profile, data, labels)
        request.uploads.append(upload)
        checks.check_flat_types(profile, findings, status)
        now = time.time()
        checks.check_age(profile.time_nanos, findings, status, self.max_age_s, TEN_MINUTES_S, now)
        count = len(profile.raw_samples)
        findings.need(count <= SAMPLES_MAX, status, f"{count} samples, of at most {SAMPLES_MAX}")
        findings.need(count > 0, status, "no samples: nothing is stored")
        self._check_moment(upload, findings, status)
        self._check_names(profile, labels, findings, status)
        self._check_samples(profile, labels, findings, status)
        return upload

    def _check_moment(self, upload, findings, status):
        """Profiles of one series in one millisecond are taken for copies, of which one is shown."""
        moment = (tuple(sorted(upload.tags.items())), upload.time_ns // 10**6)
        types = tuple(name for name, _ in upload.profile.sample_types)
        same = self.ledger.same_as_before(moment + types, repr(upload.identity).encode("utf-8"))
        findings.need(same, status, "another profile of this series begins in the same millisecond")

    @staticmethod
    def _check_names(profile, labels, findings, status):
        types = profile.sample_types
        if ("cpu", "nanoseconds") in types:
            findings.need(labels.get("__name__", "process_cpu") == "process_cpu", status, f"__name__ {labels.get('__name__')!r} with CPU time")
            good = profile.period_type == ("cpu", "nanoseconds")
            findings.need(good, status, f"period type {profile.period_type}: not the type that is shown as CPU")
        longest = max((len(text) for text in profile.raw_strings), default=0)
        findings.need(longest <= STRING_BYTES_MAX, status, f"a string of {longest} bytes would lose its beginning")

    @staticmethod
    def _check_samples(profile, labels, findings, status):
        for key, kinds in checks.label_keys(profile).items():
            findings.need(kinds == {"text"}, status, f"numeric label {key!r} would be dropped")
            findings.need(key not in TOO_MANY_SERIES, status, f"label {key!r} makes a series of each")
            findings.need(LABEL_NAME.match(key) and not key.startswith("__"), status, f"label name {key!r}")
        deepest = max((len(raw.location_ids) for raw in profile.raw_samples), default=0)
        findings.need(deepest <= FRAMES_MAX, status, f"a stack of {deepest} would lose its leaf")
        for raw in profile.raw_samples:
            keys = {profile.text(label.key) for label in raw.labels}
            texts = [len(profile.text(label.str).encode("utf-8")) for label in raw.labels]
            count = len(keys | set(labels))
            if not findings.need(len(raw.labels) <= SAMPLE_LABELS_MAX and count <= LABELS_MAX, status, f"{count} labels"):
                break
            if not findings.need(max(texts, default=0) <= VALUE_BYTES_MAX, status, "a sample's label is too long"):
                break


def ingest_query(**parameters):
    """A query for /ingest, for tests."""
    return urllib.parse.urlencode(parameters)
