#!/usr/bin/env python3
"""Pyroscope's and Parca's fakes take a request that is right, and refuse it for each rule that is broken."""

import base64
import gzip
import json
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fakes import ParcaFake, PyroscopeFake, checks, good, protobuf, pyroscope  # noqa: E402
from fakes.good import Parts, message, number, packed  # noqa: E402
from fakes.rules import MINUTE_NS, add, age_ns, bytes_of, drop, item, numeric_label, of_profile, put, type_name, AnyProfile, Rules  # noqa: E402


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
        self.refused(422, "pyroscope_spy", item("query", "name", "web{pyroscope_spy=x}"))

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


if __name__ == "__main__":
    unittest.main()
