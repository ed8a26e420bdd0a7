#!/usr/bin/env python3
"""Datadog's and the plain fake take a request that is right, and refuse it for each rule that is broken, with the real
server's status; and the pieces all fakes share."""

import gzip
import json
import os
import sys
import unittest
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fakes import DatadogFake, PlainFake, checks, good, multipart, protobuf  # noqa: E402
from fakes.good import message, packed  # noqa: E402
from fakes.rules import MINUTE_NS, age_ns, drop, item, numeric_label, of_profile, put, type_name, AnyProfile, Rules  # noqa: E402


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
