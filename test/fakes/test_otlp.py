#!/usr/bin/env python3
"""OpenTelemetry's fake takes a request that is right, and refuses it for each rule that is broken."""

import gzip
import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fakes import OtlpFake, good, protobuf  # noqa: E402
from fakes.good import message, number, packed  # noqa: E402
from fakes.rules import MINUTE_NS, add, item, put, Rules  # noqa: E402


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
        self.refused(400, "labels twice", add("resource", good.Otlp.key_value("service_name", "x")))
        many = b"".join(good.Otlp.key_value(f"key{i}", "x") for i in range(26))
        self.refused(400, "too many labels", add("resource", many))
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


if __name__ == "__main__":
    unittest.main()
