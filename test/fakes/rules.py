"""What the tests of all fakes' rules stand on: a request that is right, changes that break it, and the refusal expected."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fakes.good import Parts, message, number, packed  # noqa: E402

MINUTE_NS = 60 * 10**9


class Rules(unittest.TestCase):
    """Judges without a connection. Each test breaks one thing."""

    fake_class = make = None

    def setUp(self):
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


def bytes_of(make, *changes):
    request = make()
    for change in changes:
        change(request)
    return request.bytes()
