#!/usr/bin/env python3
"""Each fake takes a request that is right, and refuses it for each rule that is broken, with the real server's status."""

import base64
import gzip
import json
import os
import sys
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fakes import DatadogFake, OtlpFake, ParcaFake, PlainFake, PyroscopeFake, checks, good, multipart, protobuf, pyroscope  # noqa: E402
from fakes.good import Parts, message, number, packed  # noqa: E402

MINUTE_NS = 60 * 10**9


class Rules(unittest.TestCase):
    """Judges without a connection. Each test breaks one thing."""

    fake_class = make = None

    def setUp(self):
        if self.fake_class is None:
            self.skipTest("of the classes below")
        self.fake = self.fake_class()
        self.addCleanup(self.fake.close)

    def consider(self, request):
        return self.fake.consider(request.bytes() if hasattr(request, "bytes") and not isinstance(request, bytes) else request)

    def accepted(self, request):
        seen = self.consider(request)
        self.assertEqual((seen.verdict, seen.violations), ("accepted", []))
        return seen

    def refused(self, status, text, *changes, request=None):
        """A request with the changes is refused with that status, for a reason that contains text."""
        request = request or self.make()
        for change in changes:
            change(request)
        seen = self.consider(request)
        self.assertEqual(seen.verdict, "refused")
        rows = [row for row in seen.findings if text in row[1]]
        self.assertTrue(rows, f"no {text!r} in {seen.findings}")
        self.assertEqual(rows[0][0], status, rows)
        self.assertTrue(any(text in violation for violation in self.fake.violations))


def put(attribute, value):
    return lambda request: setattr(request, attribute, value)


def item(attribute, key, value):
    return lambda request: getattr(request, attribute).__setitem__(key, value)


def drop(attribute, key):
    return lambda request: getattr(request, attribute).pop(key)


def add(attribute, value):
    return lambda request: setattr(request, attribute, getattr(request, attribute) + value)


def of_profile(function):
    return lambda request: function(request.profile)


def type_name(text):
    return of_profile(lambda profile: profile.strings.__setitem__(3, text))


def age_ns(nanoseconds):
    return of_profile(lambda profile: profile.time.__setitem__(0, profile.time[0] - nanoseconds))


def plain_replaced(old, new):
    """The bare profile with bytes replaced."""

    def change(request):
        compress = request.compress
        request.compress = lambda plain: compress(plain.replace(old, new))

    return change


def numeric_label(profile):
    profile.samples[0] = packed(1, 1, 2) + packed(2, 3, 30) + message(3, number(1, 5), number(3, 42))
    del profile.strings[6]
    profile.mappings = [number(1, 1) + number(2, 0x1000) + number(3, 0x2000) + number(4, 0x1000) + number(5, 6) + number(6, 7) + number(7, 1)]
    profile.functions = [Parts.function(1, 8), Parts.function(2, 9)]


def unknown_field(profile):
    profile.functions[0] += number(9, 1)


class AnyProfile:
    """What every backend refuses of the pprof inside; status as that backend has it."""

    profile_status = 400

    def test_a_broken_profile(self):
        self.refused(self.profile_status, "pprof rule 2", of_profile(lambda profile: profile.strings.__setitem__(0, b"x")))
        self.refused(self.profile_status, "pprof rule 4", of_profile(lambda profile: profile.locations.reverse()))
        self.refused(self.profile_status, "pprof rule 5", of_profile(lambda profile: profile.samples.__setitem__(1, packed(1, 2) + packed(2, 1))))
        self.refused(self.profile_status, "pprof rule 6", of_profile(lambda profile: profile.samples.append(profile.samples[1])))
        self.refused(self.profile_status, "pprof rule 1", plain_replaced(b"", b"\xff"))

    def test_a_field_that_is_not_of_the_format(self):
        self.refused(self.profile_status, "field 9 is not of the format", of_profile(unknown_field))

    def test_text_that_is_not_utf8(self):
        self.refused(self.profile_status, "pprof rule 2", of_profile(lambda profile: profile.strings.__setitem__(9, b"le\xff")))


class Datadog(Rules, AnyProfile):
    fake_class, make = DatadogFake, good.Datadog

    def test_good_ones(self):
        run = good.Datadog().tags["runtime-id"]
        requests = [good.Datadog(at, run) for at in range(3)]
        requests[1].compress = lambda plain: plain
        for request in requests:
            seen = self.accepted(request)
        self.assertEqual([identity[1] for identity in self.fake.identities()], ["0", "1", "2"])
        self.assertEqual(self.fake.totals(), {"cpu-samples/count": 12, "cpu-time/nanoseconds": 120})
        self.assertEqual(seen.uploads[0].tags["service"], "web")

    def test_zstd(self):
        frame = bytes.fromhex("28b52ffd2004210000") + b"abcd"
        self.assertEqual(checks.unzstd(frame), b"abcd")
        for broken in (frame[:-1], frame + b"x", b"\x28\xb5\x2f\xfd\xff\xff\xff"):
            self.assertRaises(ValueError, checks.unzstd, broken)
        self.refused(400, "lz4", put("compress", lambda plain: checks.LZ4 + plain))

    def test_the_head(self):
        self.refused(404, "no such path", put("target", "/profiling/v1/inputs"))
        self.refused(405, "method", put("method", "PUT"))
        self.refused(400, "query", put("target", "/profiling/v1/input?x=y"))
        self.refused(400, "dd-evp-origin header", drop("headers", "DD-EVP-ORIGIN"))
        self.refused(400, "dd-evp-origin-version header", drop("headers", "DD-EVP-ORIGIN-VERSION"))
        self.refused(415, "Content-Encoding", item("headers", "Content-Encoding", "gzip"))
        self.refused(400, "boundary", item("headers", "Content-Type", "application/json"))
        self.refused(400, "boundary", item("headers", "Content-Type", "multipart/form-data; boundary=other"))
        self.refused(400, "via", item("headers", "Via", "agent"))
        self.refused(400, "container id", item("headers", "Datadog-Container-ID", "/docker/x"))
        self.refused(400, "entity id", item("headers", "Datadog-Entity-ID", "abc"))
        self.refused(400, "Expect", item("headers", "Expect", "100-continue"))

    def test_the_key_of_the_intake(self):
        for target, key in (("/api/v2/profile", None), ("/api/v2/profile", "k" * 31), ("/v1/input", "K" * 32)):
            request = good.Datadog()
            request.target = target
            request.headers |= {"DD-API-KEY": key} if key else {}
            self.assertEqual(self.consider(request).verdict, "denied")
        request = good.Datadog()
        request.target, request.headers["DD-API-KEY"] = "/api/v2/profile", "0123456789abcdef" * 2
        seen = self.accepted(request)
        self.assertEqual(self.fake.good_reply(seen).status, 202)

    def test_the_event_part(self):
        self.refused(400, "0 parts named event", item("event_part", 0, "meta"))
        self.refused(400, "filename", item("event_part", 1, "event"))
        self.refused(400, "type is", item("event_part", 2, "text/json"))
        self.refused(400, "2 parts named event", put("more_parts", [("event", "event.json", "application/json", b"{}")]))
        for text in (b"[]", b"{", b'{"a":1,"a":2}', b'{"a":NaN}', b"{}\xff"):
            self.refused(400, "event.json", put("event_bytes", text))

    def test_event_json(self):
        for key, value in (("version", 4), ("version", "3"), ("family", ""), ("family", "go"), ("info", []), ("internal", "x")):
            self.refused(400, key, item("event", key, value))
        self.refused(400, "unknown keys", item("event", "sofware", 1))
        for text in ("2026-11-20T18:00:00+00:00", "2026-13-20T18:00:00Z", "yesterday", None):
            self.refused(400, "start is", item("event", "start", text))
        self.refused(400, "is after end", item("event", "start", "2099-11-20T18:00:00Z"))
        self.refused(400, "attachments", item("event", "attachments", ["other.pprof"]))
        self.refused(400, "attachments", item("event", "attachments", []))
        self.refused(400, "attachments", item("event", "attachments", "profile.pprof"))
        self.refused(400, "outside start..end", age_ns(MINUTE_NS))

    def test_tags(self):
        for tag in ("", "novalue", ":x", "x:", "1x:y", "a b:c", "x:" + "y" * 199):
            self.refused(400, "tag ", put("more_tags", [tag]))
        for name in ("service", "runtime-id", "language", "profile_seq"):
            self.refused(400, name, drop("tags", name))
            self.refused(400, f"tag {name} occurs 2", put("more_tags", [f"{name}:again"]))
        self.refused(400, "tag env occurs 2", put("more_tags", ["env:a", "env:b"]))
        self.refused(400, "runtime-id", item("tags", "runtime-id", "12"))
        self.refused(400, "profile_seq", item("tags", "profile_seq", "first"))
        self.refused(400, "language", item("tags", "language", "c"))
        self.refused(400, "tags_profiler", item("event", "tags_profiler", ["service:x"]))

    def test_the_attachment(self):
        self.refused(400, "is named", item("part", 0, "main"))
        self.refused(400, "no attachment", lambda request: setattr(request, "body", lambda: form_without_profile(request)))
        self.refused(400, "gzip", put("compress", lambda plain: gzip.compress(plain)[:-4]))
        self.refused(400, "zstd", put("compress", lambda plain: checks.ZSTD + plain))
        self.refused(413, "skipped", put("compress", lambda plain: plain + message(6, b"x" * (11 << 20))))

    def test_names_of_types_and_labels(self):
        self.refused(400, "'cpu'", type_name(b"cpu"))
        self.refused(400, "cpu-time/", of_profile(lambda profile: profile.strings.__setitem__(4, b"seconds")))
        self.refused(400, "'thread_name'", of_profile(lambda profile: profile.strings.__setitem__(5, b"thread_name")))
        self.refused(400, "has to be a number", of_profile(lambda profile: profile.strings.__setitem__(5, b"end_timestamp_ns")))
        self.refused(400, "'thread id' is 'x42'", of_profile(rename_thread))

    def test_a_timestamp_outside_of_the_profile(self):
        def change(profile):
            numeric_label(profile)
            profile.strings[5] = b"end_timestamp_ns"

        self.refused(400, "end_timestamp_ns 42 is outside", of_profile(change))

    def test_too_deep_a_stack(self):
        self.refused(400, "601 locations", of_profile(lambda profile: profile.samples.__setitem__(1, packed(1, *[2] * 601) + packed(2, 1, 10))))

    def test_the_numbers_of_a_run(self):
        first = good.Datadog()
        run = first.tags["runtime-id"]
        self.accepted(first)
        self.accepted(first)  # delivered twice: two identities, which are the same
        self.assertEqual(len(self.fake.identities()), 2)
        self.assertEqual(len(set(self.fake.identities())), 1)
        self.assertEqual(self.fake.totals()["cpu-samples/count"], 4)
        self.refused(400, "profile_seq 2 follows 0", request=good.Datadog(2, run))
        self.refused(400, "another body", put("profile", good.profile(b"process name")), request=good.Datadog(0, run))
        gaps = DatadogFake(gaps=True)
        self.addCleanup(gaps.close)
        for number_in_run, verdict in ((4, "accepted"), (7, "accepted"), (6, "refused")):
            self.assertEqual(gaps.consider(good.Datadog(number_in_run, run).bytes()).verdict, verdict)


def form_without_profile(request):
    event = {"tags_profiler": ",".join(f"{key}:{value}" for key, value in request.tags.items())} | request.event | {"attachments": []}
    return good.form([(*request.event_part, json.dumps(event).encode())])


def rename_thread(profile):
    profile.strings[5:7] = [b"thread id", b"x42"]


class PyroscopePush(Rules, AnyProfile):
    fake_class, make = PyroscopeFake, good.Push

    def test_a_good_one(self):
        request = good.Push()
        seen = self.accepted(request)
        self.assertEqual(seen.uploads[0].identity, (request.identity, request.profile.time[0]))
        self.accepted(request)
        bare = good.Push()
        bare.profile = good.profile(ago_s=20)
        bare.compress = bytes
        self.accepted(bare)

    def test_the_message_as_the_format_page_has_it(self):
        decoded = protobuf.decode("push.proto", "push.v1.PushRequest", good.PUSH_EXAMPLE)
        self.assertEqual(decoded.one("series").one("samples").text("ID"), "734FD599-6865-419E-9475-932762D8F469")
        self.assertEqual(decoded.one("series").one("samples").blob("raw_profile"), b"\x1f\x8bPPROF")

    def test_gzip_of_the_whole(self):
        request = good.Push()
        request.headers["Content-Encoding"] = "gzip"
        request.body = lambda body=request.body: gzip.compress(body())
        self.accepted(request)
        self.refused(400, "gzip", item("headers", "Content-Encoding", "gzip"))
        self.refused(501, "compression", item("headers", "Content-Encoding", "zstd"))

    def test_the_head(self):
        self.refused(404, "no such path", put("target", "/push.v1.PusherService/Pull"))
        self.refused(405, "method", put("method", "PUT"))
        self.refused(415, "content type", item("headers", "Content-Type", "application/x-protobuf"))
        self.refused(400, "Connect-Protocol-Version", drop("headers", "Connect-Protocol-Version"))
        self.refused(400, "Connect-Protocol-Version", item("headers", "Connect-Protocol-Version", "2"))
        self.refused(400, "Connect-Timeout-Ms", item("headers", "Connect-Timeout-Ms", "10s"))
        self.refused(400, "tenant", item("headers", "X-Scope-OrgID", "a/b"))

    def test_series_and_labels(self):
        self.refused(400, "0 series", put("series", lambda: b""))
        self.refused(400, "2 series", lambda request: setattr(request, "extra", request.series()))
        self.refused(400, "field 7 is not", put("extra", number(7, 1)))
        self.refused(400, "not a push.v1.PushRequest", put("extra", b"\x0a\xff"))
        self.refused(400, "without samples", put("series", lambda: message(1, good.label_pairs(1, [("__name__", "process_cpu")]))))
        self.refused(400, "__name__ is missing", put("labels", [("service_name", "x")]))
        self.refused(400, "service_name is missing", put("labels", [("__name__", "process_cpu")]))
        for name, value in (("a.b", "x"), ("1a", "x"), ("__secret", "x"), ("n" * 1025, "x"), ("a", "x" * 2049), ("a", "")):
            self.refused(400, "label", add("labels", [(name, value)]))
        self.refused(400, "occurs twice", add("labels", [("service_name", "y")]))
        self.refused(400, "31 labels", add("labels", [(f"l{at}", "x") for at in range(28)]))

    def test_two_profiles_in_one_millisecond(self):
        request = good.Push()
        self.accepted(request)
        self.refused(400, "same millisecond", put("profile", request.profile))
        other = good.Push()
        other.profile, other.labels = request.profile, other.labels + [("host", "h2")]
        self.accepted(other)

    def test_ids(self):
        self.refused(400, "no UUID", put("identity", "1"))
        request = good.Push()
        self.accepted(request)
        self.refused(400, "another body", put("identity", request.identity), put("labels", request.labels + [("env", "x")]))

    def test_the_profile(self):
        self.refused(400, "'cpu-time'", type_name(b"cpu-time"))
        self.refused(400, "__name__ 'memory'", item("labels", 0, ("__name__", "memory")))
        self.refused(400, "is not within", age_ns(61 * MINUTE_NS))
        self.refused(400, "is not within", age_ns(-12 * MINUTE_NS))
        self.refused(400, "uncompressed", of_profile(lambda profile: profile.strings.append(b"x" * (4 << 20))))
        self.refused(400, "lose its beginning", of_profile(lambda profile: profile.strings.append(b"x" * 65536)))
        self.refused(400, "zstd", put("compress", lambda plain: checks.ZSTD + plain))
        self.refused(400, "empty", put("compress", lambda plain: b""))
        self.refused(400, "numeric label", of_profile(numeric_label))
        self.refused(400, "a series of each", of_profile(lambda profile: profile.strings.__setitem__(5, b"thread_id")))
        self.refused(400, "lose its leaf", of_profile(lambda profile: profile.samples.append(packed(1, *[2] * 1001) + packed(2, 1, 10))))
        self.refused(400, "no samples", of_profile(lambda profile: profile.samples.clear()))
        self.refused(400, "shown as CPU", of_profile(lambda profile: profile.period_type.__setitem__(0, number(1, 1) + number(2, 2))))

    def test_too_many_samples(self):
        def change(profile):
            profile.samples = [packed(1, *[1 + (at >> bit) % 2 for bit in range(15)]) + packed(2, 1, 10) for at in range(16001)]

        self.refused(400, "16001 samples", of_profile(change))

    def test_a_tenant_where_one_is_needed(self):
        self.fake.tenants = True
        self.assertEqual(self.consider(good.Push()).denied[0], 401)
        request = good.Push()
        request.headers["X-Scope-OrgID"] = "team-1"
        self.accepted(request)

    def test_the_reply_to_a_refusal(self):
        seen = self.consider(bytes_of(good.Push, drop("headers", "Connect-Protocol-Version")))
        reply = self.fake.bad_reply(seen, 400, "why")
        self.assertEqual(json.loads(reply.body), {"code": "invalid_argument", "message": "why"})


def bytes_of(make, *changes):
    request = make()
    for change in changes:
        change(request)
    return request.bytes()


class PyroscopeIngest(Rules, AnyProfile):
    fake_class, make, profile_status = PyroscopeFake, good.Ingest, 422

    def test_good_ones(self):
        seen = self.accepted(good.Ingest())
        self.assertEqual(seen.uploads[0].tags["__name__"], "process_cpu")
        self.assertEqual(seen.uploads[0].tags["env"], "prod")
        raw = good.Ingest()
        raw.query["format"], raw.headers = "pprof", {}
        self.accepted(raw)
        config = good.Ingest()
        data = gzip.compress(config.profile.plain())
        config.parts = [("profile", "profile.pprof", None, data), ("sample_type_config", "c.json", None, b'{"cpu":{"units":"samples"}}')]
        self.accepted(config)

    def test_the_query(self):
        self.refused(405, "method", put("method", "PUT"))
        for name in ("", "{a=b}", "we b", "web{a=b", "web{a}", "web{=b}", "web{__name__=x}", "web{a=b,a=c}", "web{a=b}}"):
            self.refused(400, "name", item("query", "name", name))
        self.refused(400, "from is", drop("query", "from"))
        self.refused(400, "until is", item("query", "until", "now"))
        self.refused(400, "after until", item("query", "from", "9" * 19))
        self.refused(400, "not known", item("query", "sampleRates", "1"))
        self.refused(400, "sampleRate", item("query", "sampleRate", "-1"))
        self.refused(400, "spyName", item("query", "spyName", "pyspy"))

    def test_format_or_a_form(self):
        self.refused(422, "would be read as the profile", item("query", "format", "pprof"))
        self.refused(422, "folded text", put("headers", {}))
        self.refused(422, "format 'jfr'", put("headers", {}), item("query", "format", "jfr"))
        self.refused(422, "Content-Encoding", item("headers", "Content-Encoding", "gzip"))

    def test_the_parts(self):
        data = gzip.compress(good.profile().plain())
        for text, parts in (
            ("no filename", [("profile", None, None, data)]),
            ("0 parts", [("profiles", "p", None, data)]),
            ("2 parts", [("profile", "p", None, data)] * 2),
            ("prev_profile", [("profile", "p", None, data), ("prev_profile", "q", None, data)]),
            ("empty", [("profile", "p", None, b"")]),
            ("no object", [("profile", "p", None, data), ("sample_type_config", "c", None, b"[]")]),
            ("not in the profile", [("profile", "p", None, data), ("sample_type_config", "c", None, b'{"wall":{}}')]),
            ("sample_type_config of", [("profile", "p", None, data), ("sample_type_config", "c", None, b'{"cpu":{"unit":1}}')]),
        ):
            self.refused(422, text, put("parts", parts))

    def test_the_metric_a_profile_becomes(self):
        class Typed:
            def __init__(self, *names):
                self.sample_types = [(name, "count") for name in names]

        for names, metric in ((("samples", "cpu"), "process_cpu"), (("alloc_space",), "memory"), (("wall", "cpu"), "wall"), (("x", "y"), "y")):
            self.assertEqual(pyroscope.metric_name(Typed(*names)), metric)


class Parca(Rules, AnyProfile):
    fake_class, make = ParcaFake, good.Parca

    def test_good_ones(self):
        seen = self.accepted(good.Parca())
        self.assertEqual(seen.uploads[0].tags, {"__name__": "process_cpu", "job": "web"})
        self.accepted(good.ParcaWeb())
        self.assertEqual(self.fake.good_reply(seen).body, b"{}")

    def test_the_message_as_the_format_page_has_it(self):
        decoded = protobuf.decode("parca.proto", "parca.profilestore.v1alpha1.WriteRawRequest", good.PARCA_EXAMPLE)
        self.assertTrue(decoded.one("normalized"))
        self.assertEqual(len(good.PARCA_EXAMPLE), 64)

    def test_the_head(self):
        self.refused(404, "no such path", put("target", "/profiles/writeraw"))
        self.refused(405, "method", put("method", "PUT"))
        self.refused(415, "content type", item("headers", "Content-Type", "text/json"))
        self.refused(415, "content type", item("headers", "Content-Type", "application/grpc"), request=good.ParcaWeb())
        self.refused(415, "Content-Encoding", item("headers", "Content-Encoding", "gzip"))

    def test_the_json(self):
        self.refused(400, "unknown field 'serie'", item("message", "serie", []))
        self.refused(400, "'normalized'", item("message", "normalized", "yes"))
        self.refused(400, "tenant", item("message", "tenant", "x"))
        self.refused(400, "series", item("message", "series", []))
        self.refused(400, "2 series", lambda request: request.message.update(series=request.json()["series"] * 2))
        for text in ("H4s", "H4sI AAA", "H4sI_-==", "####"):
            self.refused(400, "JSON: ", item("sample", "rawProfile", text))
        self.refused(400, "JSON", put("body", lambda: b"{"))

    def test_the_frame(self):
        for change in (lambda body: b"\x01" + body[1:], lambda body: body + b"x", lambda body: body[:4], lambda body: b""):
            request = good.ParcaWeb()
            request.body = lambda body=request.body(), change=change: change(body)
            self.refused(400, "frame", request=request)

    def test_labels(self):
        self.refused(400, "labels are not set", lambda request: setattr(request, "json", lambda: {"series": [{"samples": []}]}))
        self.refused(400, "labels", item("series", "labels", [{"name": "__name__", "value": "x"}]))
        self.refused(400, "missing __name__", put("labels", [{"name": "job", "value": "x"}]))
        self.refused(400, "occurs twice", add("labels", [{"name": "job", "value": "y"}]))
        self.refused(400, "label name", add("labels", [{"name": "thread id", "value": "y"}]))
        self.refused(400, "exported_thread_id", add("labels", [{"name": "thread_id", "value": "y"}]))
        self.refused(500, "__name__ 'process-cpu'", put("labels", [{"name": "__name__", "value": "process-cpu"}]))
        self.refused(400, "without samples", item("series", "samples", []))

    def test_the_profile(self):
        bare = base64.b64encode(good.profile().plain()).decode()
        self.refused(400, "not as gzip", item("sample", "rawProfile", bare))
        self.refused(500, "gzip", put("compress", lambda plain: gzip.compress(plain)[:-4]))
        self.refused(500, "'cpu-time'", type_name(b"cpu-time"))
        self.refused(400, "is not within", age_ns(6 * MINUTE_NS))
        self.refused(400, "executable_info", item("sample", "executableInfo", [{}, {}]))
        self.refused(400, "would be renamed", of_profile(lambda profile: profile.strings.__setitem__(5, b"thread id")))
        self.refused(400, "numeric label", of_profile(numeric_label))
        self.refused(400, "pprof rule 7", of_profile(lambda profile: profile.locations.__setitem__(1, Parts.location(2, 0x2000, 2))))
        self.refused(400, "of a process", of_profile(at_run_time))

    def test_the_reply_to_a_refusal(self):
        seen = self.consider(good.Parca())
        self.assertEqual(json.loads(self.fake.bad_reply(seen, 400, "why").body), {"code": 3, "message": "why", "details": []})
        web = self.consider(good.ParcaWeb())
        self.assertEqual(self.fake.bad_reply(web, 400, "why").body[:5] + b"grpc-status: 3", self.fake.bad_reply(web, 400, "why").body[:19])


def at_run_time(profile):
    base = 0x7F0000000000
    profile.mappings = [number(1, 1) + number(2, base) + number(3, base + 0x1000) + number(5, 7) + number(6, 8) + number(7, 1)]
    profile.locations = [Parts.location(1, base + 16, 1), Parts.location(2, base + 32, 2)]


class Otlp(Rules):
    fake_class, make = OtlpFake, good.Otlp

    def test_a_good_one(self):
        request = good.Otlp()
        seen = self.accepted(request)
        self.assertEqual(seen.uploads[0].totals, {"samples/count": 7})
        self.assertEqual(seen.uploads[0].identity[:2], (request.identity.hex(), request.time))
        self.accepted(request)

    def test_the_message_as_the_format_page_has_it(self):
        """All is right with it but the time, which is past, and three texts that are there twice."""
        raw = good.http("POST", "/v1development/profiles", {"Content-Type": "application/x-protobuf"}, good.OTLP_EXAMPLE)
        found = [text for _, text in self.fake.consider(raw).findings]
        self.assertEqual([text[:15] for text in found], ["time 1700000000", "string_table: 3"])

    def test_the_head(self):
        self.refused(404, "no such path", put("target", "/v1/profiles"))
        self.refused(405, "method", put("method", "PUT"))
        self.refused(415, "content type", item("headers", "Content-Type", "application/x-protobuf; charset=utf-8"))
        self.refused(415, "Content-Encoding", item("headers", "Content-Encoding", "zstd"))
        self.refused(400, "gzip", item("headers", "Content-Encoding", "gzip"))
        request = good.Otlp()
        request.headers["Content-Encoding"] = "gzip"
        request.body = lambda body=request.body(): gzip.compress(body)
        self.accepted(request)
        request.body = lambda: gzip.compress(b"\x1a\x00" * (11 << 20))
        self.refused(413, "uncompressed", request=request)

    def test_the_envelope(self):
        self.refused(400, "field 9 is not", put("extra", number(9, 1)))
        self.refused(400, "not a otlp", put("extra", b"\x0a\xff"))
        self.refused(400, "is missing", put("body", lambda: b""))
        self.refused(400, "service.name", put("resource", good.Otlp.key_value("host.name", "x")))
        self.refused(400, "occurs twice", add("resource", good.Otlp.key_value("service.name", "x")))
        self.refused(400, "without a value", add("resource", message(1, message(1, b"host.name"))))
        self.refused(400, "scope is missing", put("scope", b""))
        self.refused(400, "without name or version", put("scope", message(1, message(1, b"ringside"))))
        self.refused(400, "without profiles", put("profile_message", None), put("body", lambda: no_profiles()))

    def test_the_tables(self):
        tables = ("mappings", "locations", "functions", "links", "strings", "attributes", "stacks")
        for name in tables:
            self.refused(400, "entry 0", put(name, []))
        self.refused(400, "entry 0 of link_table is not empty", put("links", [message(1, bytes(16)) + message(2, bytes(8))]))
        self.refused(400, "entry 0 of string_table is not empty", item("strings", 0, "x"))
        self.refused(400, "string_table has the same entry twice", add("strings", ["cpu"]))
        self.refused(400, "stack_table has the same entry twice", lambda request: request.stacks.append(request.stacks[1]))
        self.refused(400, "string_table: 1 entries are not referenced", add("strings", ["spare"]))
        self.refused(400, "stack_table: 1 entries are not referenced", add("stacks", [packed(1, 1)]))
        self.refused(400, "link_table: 1 entries are not referenced", add("links", [message(1, b"x" * 16) + message(2, b"y" * 8)]))
        self.refused(400, "ids of the wrong size", add("links", [message(1, b"x" * 8)]))

    def test_the_entries(self):
        self.refused(400, "string_table[99] of", item("functions", 1, number(1, 99)))
        self.refused(400, "location_table[-1] of", item("stacks", 1, packed(1, 1, 2, -1)))
        self.refused(400, "points at location 0", item("stacks", 1, packed(1, 1, 2, 0)))
        self.refused(400, "has no name", item("functions", 1, number(4, 7)))
        self.refused(400, "neither mapping nor lines", item("locations", 2, number(2, 5)))
        self.refused(400, "is outside", item("locations", 2, good.Otlp.location(0x500000, 2)))
        self.refused(400, "has no filename", item("mappings", 1, number(1, 0x400000) + number(2, 0x500000) + packed(5, 2)))
        self.refused(400, "has no build id", item("mappings", 1, number(1, 0x400000) + number(2, 0x500000) + number(4, 5)))
        self.refused(400, "build_id.gnu 'AB12'", item("attributes", 2, good.Otlp.attribute(9, b"AB12")))
        self.refused(400, "has no key", item("attributes", 3, message(2, message(1, b"native"))))
        self.refused(400, "without a value", item("attributes", 3, number(1, 10)))
        self.refused(400, "occurs twice", item("locations", 2, good.Otlp.location(0x401300, 2) + packed(4, 3)))

    def test_the_profile(self):
        self.refused(400, "sample_type is missing", put("sample_type", b""))
        self.refused(400, "sample_type is", put("sample_type", message(1, number(1, 1))))
        self.refused(400, "period_type is missing", put("period_type", b""))
        self.refused(400, "is not within", lambda request: setattr(request, "time", request.time - 6 * MINUTE_NS))
        self.refused(400, "duration_nano", put("duration", 0))
        self.refused(400, "profile_id", put("identity", bytes(16)))
        self.refused(400, "profile_id", put("identity", b"x" * 15))
        self.refused(400, "original_payload", put("profile_extra", message(10, b"x")))
        self.refused(400, "original_payload", put("profile_extra", message(9, b"pprof")))
        self.refused(400, "'cpu-time'", item("strings", 1, "cpu-time"))
        request = good.Otlp()
        self.accepted(request)
        self.refused(400, "another body", put("identity", request.identity), item("samples", 0, number(1, 1) + packed(2, 1) + packed(4, 8)))

    def test_the_samples(self):
        self.refused(400, "without samples", put("samples", []))
        self.refused(400, "of another", lambda request: request.samples.append(request.samples[0]))
        self.refused(400, "2 values and no times", item("samples", 0, number(1, 1) + packed(2, 1) + packed(4, 7, 8)))
        self.refused(400, "0 values and no times", item("samples", 0, number(1, 1) + packed(2, 1)))
        self.refused(400, "negative", item("samples", 0, number(1, 1) + packed(2, 1) + packed(4, -7)))
        self.refused(400, "stack_table[9]", item("samples", 0, number(1, 9) + packed(2, 1) + packed(4, 7)))
        self.refused(400, "has no stack", item("samples", 0, packed(2, 1) + packed(4, 7)))
        self.refused(400, "attribute_table[9]", item("samples", 0, number(1, 1) + packed(2, 1, 9) + packed(4, 7)))
        self.refused(400, "link_table[3]", item("samples", 0, number(1, 1) + packed(2, 1) + number(3, 3) + packed(4, 7)))

    def test_samples_with_times(self):
        def timed(*offsets, values=b""):
            return lambda request: request.samples.__setitem__(
                0, number(1, 1) + packed(2, 1) + values + b"".join(good.fixed64(5, request.time + offset) for offset in offsets)
            )

        request = good.Otlp()
        timed(0, 5)(request)
        self.assertEqual(self.accepted(request).uploads[0].totals, {"samples/count": 2})
        self.refused(400, "outside the profile's", timed(-1))
        self.refused(400, "1 values at 2 times", timed(1, 2, values=packed(4, 7)))
        self.refused(400, "several shapes", timed(1), lambda request: request.samples.append(number(1, 1) + packed(4, 7)))

    def test_the_reply_to_a_refusal(self):
        seen = self.consider(good.Otlp())
        status = protobuf.decode("otlp.proto", "otlp.Status", self.fake.bad_reply(seen, 400, "why").body)
        self.assertEqual((status.number("code"), status.text("message")), (3, "why"))
        reply = protobuf.decode("otlp.proto", "otlp.ExportProfilesServiceResponse", self.fake.partial_reply(seen, 300, "why").body)
        self.assertEqual(reply.one("partial_success").number("rejected_profiles"), 300)


def no_profiles():
    request = good.Otlp()
    return message(1, message(1, request.resource), message(2, request.scope)) + request.dictionary()


class Plain(Rules, AnyProfile):
    fake_class, make = PlainFake, good.Plain

    def test_good_ones(self):
        request = good.Plain()
        seen = self.accepted(request)
        self.assertEqual(self.fake.good_reply(seen).status, 201)
        seen = self.accepted(request)
        self.assertEqual(self.fake.good_reply(seen).status, 204)
        request.method, request.target = "POST", "/a/b%20c.pb.gz"
        self.accepted(request)

    def test_the_head(self):
        self.refused(405, "method", put("method", "PATCH"))
        self.refused(415, "unpacked", item("headers", "Content-Encoding", "gzip"))
        for target in ("/", "/a//b", "/a/", "/../x", "/a/%2e%2e/b", "/a%2Fb", "/a%2", "/{service}.pb.gz", "/%7bservice%7d"):
            self.refused(400, "path", put("target", target))

    def test_the_file(self):
        self.refused(400, "not a .pb.gz", put("compress", bytes))
        self.refused(400, "not a .pb.gz", put("compress", lambda plain: gzip.compress(plain) + b"x"))
        self.refused(400, "not a .pb.gz", put("compress", lambda plain: b""))
        self.refused(400, "not a .pb.gz", put("compress", zlib.compress))

    def test_another_file_in_its_place(self):
        self.accepted(good.Plain())
        self.refused(409, "overwritten", age_ns(MINUTE_NS))


class Pieces(unittest.TestCase):
    def test_escapes_of_protoc(self):
        for text in ("\u00e9\u20ac", 'quote " and \\ back', "new\nline\tand\rmore", "\u0001\u007f", "", "a { b }", "5: 6"):
            data = message(1, message(1, message(1, text.encode()), message(2, b"x")))
            decoded = protobuf.decode("push.proto", "push.v1.PushRequest", data)
            self.assertEqual(decoded.one("series").one("labels").text("name"), text)
        data = message(1, message(2, message(1, bytes(range(256)))))
        decoded = protobuf.decode("push.proto", "push.v1.PushRequest", data)
        self.assertEqual(decoded.one("series").one("samples").blob("raw_profile"), bytes(range(256)))

    def test_protoc_refuses_text_that_is_not_utf8(self):
        data = message(1, message(1, message(1, b"\xff")))
        self.assertRaises(protobuf.Undecodable, protobuf.decode, "push.proto", "push.v1.PushRequest", data)

    def test_forms_that_are_not_well_formed(self):
        body = good.form([("a", "f", None, b"x")])
        self.assertEqual(multipart.parse(body, b"B0")[0].body, b"x")
        for broken in (b"preamble\r\n" + body, body[:-4], body + b"epilogue", body.replace(b"form-data", b"mixed"), body.replace(b"\r\n\r\n", b"\r\n")):
            self.assertRaises(ValueError, multipart.parse, broken, b"B0")


if __name__ == "__main__":
    unittest.main()
