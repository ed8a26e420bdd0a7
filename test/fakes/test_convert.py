#!/usr/bin/env python3
"""What each target makes of profiles of many shapes, by the rules of the fakes: all is accepted, and the totals are exact.

    test_convert.py CONVERT [unittest arguments]

CONVERT is the program of convert.c. A target whose conversion is not written yet is skipped.
"""

import base64
import os
import subprocess
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fakes import DatadogFake, OtlpFake, ParcaFake, PlainFake, PyroscopeFake, good  # noqa: E402

CONVERT = None
SHAPES = ("small", "bare", "deep", "large", "fat", "labels", "events", "faults", "hostile", "merging", "huge")
WITHOUT_SAMPLES = "empty"
KEY = "0123456789abcdef" * 2
HOSTILE_WHO = [
    "service=we b,{x}=\u00e9\"\\/:",
    "env=a,b}c\nd",
    "version=" + "v" * 3000,
    "host=h\u00f6st\t1",
    "tag=plain:value",
    "tag=a,b:c",
    "tag=:x",
    "tag=x:",
    "tag=novalue",
    "tag=1digit:x",
    "tag=with space:and space",
    "tag=dup:1",
    "tag=dup:2",
    "tag=__name__:memory",
    "tag=service_name:other",
    "tag=pyroscope_spy:other",
    "tag=service:other",
    "tag=runtime-id:other",
    "tag=env:other",
    "tag=" + "k" * 300 + ":" + "v" * 3000,
    "tag=\u00fcml\u00e4ut:\u20ac",
    "tag=bad\udcff:utf\udcfe",
    "container=c0ffee\r\nX-Evil: 1",
    "executable=/usr/bin/we ird\n",
    "git_repository=https://user:secret@example.com/x.git",
    "git_commit=0123456789abcdef",
] + [f"tag=many{at}:{at}" for at in range(40)]
ORDINARY_WHO = [
    "env=prod",
    "version=1.2.3",
    "tag=team:core",
    "tag=region:eu-1",
    "container=" + "0123456789abcdef" * 4,
    "git_repository=https://example.com/x.git",
    "git_commit=0123456789abcdef",
    "kernel=1",
]


class Refused(Exception):
    """The target or the conversion is not to be had; the text says why."""


class Converted:
    """What the program said: raw requests, and the profile's own totals."""

    def __init__(self, output):
        self.totals, self.samples, self.requests, self.headers = {}, 0, [], []
        self.endpoint, self.user, self.password, self.query = "", None, None, None
        at = 0
        while at < len(output):
            end = output.index(b"\n", at)
            word, _, rest = output[at:end].decode("utf-8", "surrogateescape").partition(" ")
            at = end + 1
            if word == "request":
                method, *lengths = rest.split(" ")
                pieces = []
                for length in map(int, lengths):
                    pieces.append(output[at : at + length])
                    at += length
                self.requests.append((method, *pieces))
            else:
                self._line(word, rest)

    def _line(self, word, rest):
        if word == "refused":
            raise Refused(rest)
        if word == "total":
            name, unit, value = rest.split(" ")
            self.totals[f"{name}/{unit}"] = int(value)
        elif word == "header":
            self.headers.append(rest)
        elif word == "samples":
            self.samples = int(rest)
        elif word == "end":
            assert int(rest) == len(self.requests), f"{rest} requests promised, {len(self.requests)} made"
        else:
            setattr(self, word, rest)

    def raw(self):
        """The requests as they would go over the wire."""
        for method, path, headers, body in self.requests:
            assert max(len(path), len(headers)) < 4096, "a spool's entry takes no such text"
            url = urllib.parse.urlsplit(self.endpoint)
            target = url.path.encode() + path
            if self.query:
                target += (b"&" if b"?" in target else b"?") + self.query.encode()
            lines = [b"Host: " + url.netloc.encode()] + [line.encode("utf-8", "surrogateescape") for line in self.headers]
            lines += headers.rstrip(b"\n").split(b"\n") if headers else []
            if self.user is not None:
                lines.append(b"Authorization: Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()))
            lines.append(b"Content-Length: %d" % len(body))
            yield method.encode() + b" " + target + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n" + body


def holds(converted, text):
    """Whether any part of a request has it, encoded or not."""
    return any(text in piece for request in converted.requests for piece in request[1:])


def convert(url, shape, *options):
    arguments = [argument.encode("utf-8", "surrogateescape") for argument in (url, shape, *options)]
    done = subprocess.run([CONVERT, *arguments], capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"convert {url} {shape}: exit {done.returncode}: {done.stderr.decode('utf-8', 'replace')}")
    return Converted(done.stdout)


class Backend:
    """Cases for all; a class of each backend says how its totals are named."""

    url, options, empty_is_sent = None, (), True

    def fake(self):
        raise NotImplementedError

    def setUp(self):
        try:
            convert(self.url, "small", *self.options)
        except Refused as reason:
            if "not supported yet" in str(reason):
                self.skipTest(str(reason))
            raise

    def send(self, shape, *options, url=None):
        """The conversion, and the fake after it; everything has to be accepted."""
        converted = convert(url or self.url, shape, *self.options, *options)
        fake = self.fake()
        self.addCleanup(fake.close)
        for raw in converted.raw():
            fake.consider(raw)
        self.assertEqual(fake.violations, [], f"{shape} {options}"[:200])
        self.assertEqual({seen.verdict for seen in fake.received} - {"accepted"}, set())
        self.assertEqual(len(fake.received), len(converted.requests))
        ids = fake.identities()
        self.assertEqual(len(set(ids)), len(ids))
        return converted, fake

    def check_totals(self, converted, fake):
        expected = {name: value for name, value in converted.totals.items() if value}
        found = {name: value for name, value in fake.local_totals().items() if value}
        self.assertEqual(found, expected)

    def test_every_shape(self):
        for shape in SHAPES:
            with self.subTest(shape=shape):
                self.check_totals(*self.send(shape))

    def test_no_samples(self):
        converted, _ = self.send(WITHOUT_SAMPLES)
        self.assertEqual(len(converted.requests), 1 if self.empty_is_sent else 0)

    def test_an_ordinary_identity(self):
        self.check_totals(*self.send("small", *ORDINARY_WHO))

    def test_a_hostile_identity(self):
        self.check_totals(*self.send("small", *HOSTILE_WHO))

    def test_no_credential_is_in_what_is_spooled(self):
        who = ["user=me", "password=s3cr3t", "bearer=", "header=X-Token: s3cr3t"]
        converted, _ = self.send("small", *who)
        self.assertFalse(holds(converted, b"s3cr3t"))

    def test_the_password_in_the_repositorys_url_is_not_sent(self):
        converted, _ = self.send("small", "git_repository=https://me:s3cr3t@example.com/x.git")
        self.assertFalse(holds(converted, b"s3cr3t"))

    def test_the_same_again_is_the_same(self):
        """A conversion repeated, as after a crash, gives the bytes it gave before: servers can tell it is no other.

        But for one in some hundred, which ISA-L (2.30) compresses a little differently, depending on where in memory it is."""
        time_ns = f"time_ns={good.profile().time[0]}"
        made = [convert(self.url, "events", *self.options, time_ns).requests for _ in range(5)]
        self.assertGreaterEqual(max(map(made.count, made)), 3)

    def test_profiles_of_a_run_follow_each_other(self):
        fake = self.fake()
        self.addCleanup(fake.close)
        for number in range(4):
            time_ns = good.profile(ago_s=100 - 10 * number).time[0]
            converted = convert(self.url, "events", *self.options, f"number={number}", f"time_ns={time_ns}")
            for raw in converted.raw():
                fake.consider(raw)
        self.assertEqual(fake.violations, [])
        self.assertEqual(len(set(fake.identities())), len(fake.identities()))


class Datadog(Backend, unittest.TestCase):
    url = "http://localhost:8126"

    def fake(self):
        return DatadogFake()

    def test_the_intake(self):
        converted, fake = self.send("small", "agentless=1", f"key={KEY}", url="https://intake.profile.datadoghq.com")
        self.check_totals(converted, fake)
        self.assertEqual(fake.accepted[0].path, "/api/v2/profile")

    def test_a_socket(self):
        self.check_totals(*self.send("small", url="unix:///var/run/datadog/apm.socket"))

    def test_what_is_said_of_the_service(self):
        _, fake = self.send("small", *ORDINARY_WHO)
        tags = fake.uploads()[0].tags
        for key, value in (("service", "web"), ("env", "prod"), ("version", "1.2.3"), ("team", "core"), ("process_id", "4242")):
            self.assertEqual(tags.get(key), value)
        self.assertEqual(fake.accepted[0].header("datadog-container-id"), "0123456789abcdef" * 4)


class Push(Backend, unittest.TestCase):
    url, empty_is_sent = "http://localhost:4040", False

    def fake(self):
        return PyroscopeFake()

    def test_credentials(self):
        _, fake = self.send("small", "user=u", "password=p", "tenant=team-1")
        self.assertEqual(fake.accepted[0].header("authorization"), "Basic dTpw")
        self.assertEqual(fake.accepted[0].header("x-scope-orgid"), "team-1")

    def test_what_is_said_of_the_service(self):
        _, fake = self.send("small", *ORDINARY_WHO)
        self.assertEqual(fake.uploads()[0].tags["__name__"], "process_cpu")
        self.assertEqual(fake.uploads()[0].tags["service_name"], "web")


class Ingest(Backend, unittest.TestCase):
    url, empty_is_sent = "pyroscope+http://localhost:4040/ingest", False

    def fake(self):
        return PyroscopeFake()


class Parca(Backend, unittest.TestCase):
    url, empty_is_sent = "http://localhost:7070", False

    def fake(self):
        return ParcaFake()

    def test_a_prefix(self):
        converted = convert("parca+http://localhost:7070/in/front", "small", "bearer=token")
        fake = ParcaFake(prefix="/in/front", require={"Authorization": "Bearer token"})
        self.addCleanup(fake.close)
        self.assertEqual([fake.consider(raw).verdict for raw in converted.raw()], ["accepted"])
        self.assertEqual(fake.violations, [])


class Otlp(Backend, unittest.TestCase):
    url, empty_is_sent = "http://localhost:4318", False
    period_ns = 10101010

    def fake(self):
        return OtlpFake()

    def check_totals(self, converted, fake):
        """CPU time is told in periods, rounded but for the total; other events are exact."""
        expected = {name: value for name, value in converted.totals.items() if value and name != "samples/count"}
        found = {name: value for name, value in fake.local_totals().items() if value}
        allowed = self.period_ns * len(fake.accepted) // 2 + 1
        self.assertLessEqual(abs(found.pop("cpu/nanoseconds", 0) - expected.pop("cpu/nanoseconds", 0)), allowed)
        self.assertEqual(found, expected)

    def test_a_path_of_its_own(self):
        converted = convert("otlp+http://localhost:4318/my/profiles", "small")
        fake = OtlpFake(path="/my/profiles")
        self.addCleanup(fake.close)
        self.assertEqual([fake.consider(raw).verdict for raw in converted.raw()], ["accepted"])


class Put(Backend, unittest.TestCase):
    url = "put+http://localhost:8080/profiles/"

    def fake(self):
        return PlainFake()

    def test_a_template(self):
        url = "put+http://localhost:8080/{service}/{env}/{host}-{pid}-{runtime_id}-{number}.pb.gz"
        _, fake = self.send("small", *HOSTILE_WHO, "number=7", url=url)
        self.check_totals(*self.send("small", "number=7", url=url))
        self.assertEqual(fake.accepted[0].method, "PUT")


    def test_a_post(self):
        _, fake = self.send("small", url="post+http://localhost:8080/take?token=s3cr3t")
        self.assertEqual((fake.accepted[0].method, fake.accepted[0].target), ("POST", "/take?token=s3cr3t"))


if __name__ == "__main__":
    CONVERT = os.path.abspath(sys.argv.pop(1))
    unittest.main()
