#!/usr/bin/env python3
"""The validator accepts a good profile and names the rule of each of many broken ones."""

import gzip
import os
import subprocess
import sys
import tempfile
import unittest

import pprof_check
import pprof_read

HERE = os.path.dirname(os.path.abspath(__file__))

# One mapping, two locations, two functions, a label; accepted by `go tool pprof -raw`.
EXAMPLE = bytes.fromhex(
    "0a04080110020a040803100412110a0201021205038087a70e1a04080510061a170801108020188040208020280730083801400148015001"
    "220d08011001189020220408011007220d0802100118a0202204080210092a0a080110091809200a28062a0a0802100b180b200a28083200"
    "320773616d706c65733205636f756e743203637075320b6e616e6f7365636f6e647332097468726561642069643202343232062f62696e2f"
    "7832046162313232046c6561663203782e6332046d61696e488080a8b1e39fe7cb17508094ebdc035a04080310046080ade2047003"
)


def varint(value):
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, *parts):
    body = b"".join(parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def packed(field, *values):
    return message(field, *[varint(value) for value in values])


class Parts:
    """A good profile in pieces, so that a test can break one."""

    def __init__(self):
        self.strings = [b"", b"samples", b"count", b"cpu", b"nanoseconds", b"thread_id", b"42", b"/bin/x", b"ab12"]
        self.strings += [b"leaf", b"main"]
        self.types = [number(1, 1) + number(2, 2), number(1, 3) + number(2, 4)]
        self.samples = [packed(1, 1, 2) + packed(2, 3, 30) + message(3, number(1, 5), number(2, 6))]
        self.samples.append(packed(1, 2) + packed(2, 1, 10))
        self.mappings = [self.mapping()]
        self.locations = [self.location(1, 0x1010, 1), self.location(2, 0x1020, 2)]
        self.functions = [self.function(1, 9), self.function(2, 10)]
        self.period_type = [number(1, 3) + number(2, 4)]
        self.period, self.default, self.duration = 10, 3, 10**9
        self.time = [1700000000 * 10**9]

    @staticmethod
    def mapping(build_id=8, flags=number(7, 1)):
        where = number(1, 1) + number(2, 0x1000) + number(3, 0x2000) + number(4, 0x1000)
        return where + number(5, 7) + number(6, build_id) + flags

    @staticmethod
    def location(row, address, function):
        return number(1, row) + number(2, 1) + number(3, address) + message(4, number(1, function))

    @staticmethod
    def function(row, name):
        return number(1, row) + number(2, name) + number(3, name)

    def plain(self):
        out = b"".join(message(1, part) for part in self.types)
        out += b"".join(message(2, part) for part in self.samples)
        out += b"".join(message(3, part) for part in self.mappings)
        out += b"".join(message(4, part) for part in self.locations)
        out += b"".join(message(5, part) for part in self.functions)
        out += b"".join(message(6, part) for part in self.strings)
        out += b"".join(number(9, when) for when in self.time)
        out += number(10, self.duration) + b"".join(message(11, part) for part in self.period_type)
        return out + number(12, self.period) + number(14, self.default)

    def bytes(self):
        return gzip.compress(self.plain(), mtime=0)


def rules(data):
    return sorted({rule for rule, _ in pprof_check.check(data)[0]})


class Accepts(unittest.TestCase):
    def test_the_example_of_the_format_page(self):
        self.assertEqual(pprof_check.check(gzip.compress(EXAMPLE))[0], [])

    def test_the_parts_the_other_tests_break(self):
        self.assertEqual(pprof_check.check(Parts().bytes())[0], [])

    def test_a_placeholder_name_without_has_functions(self):
        parts = Parts()
        parts.strings[9:] = [b"x+0x1010", b"[unknown]"]
        parts.mappings = [Parts.mapping(flags=b"")]
        self.assertEqual(pprof_check.check(parts.bytes())[0], [])


class Reads(unittest.TestCase):
    def test_names_values_and_labels(self):
        profile = pprof_read.parse(gzip.compress(EXAMPLE))
        samples = list(profile.samples)
        self.assertEqual(profile.sample_types, [("samples", "count"), ("cpu", "nanoseconds")])
        self.assertEqual(samples[0].frames, ["leaf", "main"])
        self.assertEqual(samples[0].values, [3, 30000000])
        self.assertEqual(samples[0].labels, {"thread id": "42"})
        self.assertEqual(profile.total(), 30000000)
        self.assertEqual(profile.cumulative_values("samples"), {"leaf": 3, "main": 3})

    def test_a_negative_number(self):
        parts = Parts()
        parts.samples[0] = packed(1, 1, 2) + packed(2, -3, 30)
        self.assertEqual(pprof_read.parse(parts.bytes()).raw_samples[0].values, [-3, 30])


class Refuses(unittest.TestCase):
    def broken(self, change, rule):
        """The profile that `change` made of the good one breaks exactly these rules."""
        parts = Parts()
        change(parts)
        self.assertEqual(rules(parts.bytes()), rule if isinstance(rule, list) else [rule])

    def test_bytes_that_are_no_gzip(self):
        self.assertEqual(rules(EXAMPLE), [1])
        self.assertEqual(rules(b""), [1])
        self.assertEqual(rules(gzip.compress(EXAMPLE)[:-9]), [1])
        wrong = bytearray(gzip.compress(EXAMPLE))
        wrong[-8] ^= 1  # the CRC
        self.assertEqual(rules(bytes(wrong)), [1])

    def test_bytes_behind_the_member(self):
        self.assertEqual(rules(gzip.compress(EXAMPLE) + b"x"), [1])
        self.assertEqual(rules(gzip.compress(EXAMPLE) * 2), [1])

    def test_a_message_that_is_cut(self):
        for n in (1, 5, 40, len(EXAMPLE) - 1):
            self.assertIn(1, rules(gzip.compress(EXAMPLE[:n])))

    def test_random_bytes_without_an_exception(self):
        state = 12345
        for length in range(200):
            data = bytearray()
            for _ in range(length):
                state = (state * 1103515245 + 12345) & 0x7FFFFFFF
                data.append(state >> 16 & 0xFF)
            self.assertNotEqual(rules(gzip.compress(bytes(data))), [])

    def test_two_profiles_in_one(self):
        self.broken(lambda p: p.time.append(1700000000 * 10**9), 1)

    def test_strings(self):
        self.broken(lambda p: p.strings.pop(0), [2, 8])
        self.broken(lambda p: p.strings.append(b"leaf"), 2)
        self.broken(lambda p: p.strings.append(b"nobody wants me"), 2)

        def latin(p):
            p.strings[9] = b"caf\xe9"

        self.broken(latin, 2)
        self.broken(lambda p: p.functions.__setitem__(0, Parts.function(1, 99)), 2)
        self.broken(lambda p: p.functions.__setitem__(0, Parts.function(1, -1)), 2)

    def test_sample_types(self):
        def dash(p):
            p.strings[1] = b"alloc-samples"

        self.broken(dash, 3)
        self.broken(lambda p: setattr(p, "period", 0), 3)
        self.broken(lambda p: setattr(p, "period_type", []), 3)
        self.broken(lambda p: setattr(p, "default", 9), 3)
        self.broken(lambda p: p.types.__setitem__(0, number(1, 1)), [2, 3])

    def test_ids_and_references(self):
        self.broken(lambda p: p.locations.reverse(), 4)
        self.broken(lambda p: p.samples.append(packed(1, 3) + packed(2, 1, 1)), 4)
        self.broken(lambda p: p.samples.append(packed(1, 0) + packed(2, 1, 1)), 4)
        self.broken(lambda p: p.locations.append(Parts.location(3, 0x1030, 1)), 4)
        self.broken(lambda p: p.functions.append(Parts.function(3, 9)), 4)
        self.broken(lambda p: p.functions.pop(), [2, 4])
        self.broken(lambda p: p.mappings.append(Parts.mapping().replace(number(1, 1), number(1, 2), 1)), 4)

    def test_samples(self):
        self.broken(lambda p: p.samples.append(packed(2, 1, 1)), 5)
        self.broken(lambda p: p.samples.append(packed(1, 1) + packed(2, 1)), 5)
        self.broken(lambda p: p.samples.append(packed(1, 1) + packed(2, 0, 0)), 5)
        self.broken(lambda p: p.samples.append(packed(1, 1) + packed(2, 1, -1)), 5)

    def test_labels(self):
        def with_labels(*labels):
            body = packed(1, 1) + packed(2, 1, 1) + b"".join(message(3, label) for label in labels)
            return lambda p: p.samples.append(body)

        good = number(1, 5) + number(2, 6)
        self.broken(with_labels(good), [])
        self.broken(with_labels(good, good), 5)
        self.broken(with_labels(number(2, 6)), 5)
        self.broken(with_labels(number(1, 5)), 5)
        self.broken(with_labels(good + number(3, 7)), 5)

    def test_equal_samples(self):
        self.broken(lambda p: p.samples.append(packed(1, 2) + packed(2, 5, 50)), 6)

    def test_addresses_outside_their_mapping(self):
        self.broken(lambda p: p.locations.__setitem__(0, Parts.location(1, 0x2000, 1)), 7)
        self.broken(lambda p: p.locations.__setitem__(0, Parts.location(1, 0xFFF, 1)), 7)

    def test_locations_without_lines(self):
        def bare(p, mapping):
            p.functions = [Parts.function(1, 9)]
            p.strings.pop()
            p.locations = [Parts.location(1, 0x1010, 1), number(1, 2) + number(2, mapping) + number(3, 0x1020)]

        self.broken(lambda p: bare(p, 1), 8)
        self.broken(lambda p: bare(p, 0), 7)

    def test_build_ids_and_flags(self):
        def build_id(text):
            return lambda p: p.strings.__setitem__(8, text)

        self.broken(build_id(b"AB12"), 8)
        self.broken(build_id(b"ab1"), 8)
        self.broken(lambda p: p.mappings.__setitem__(0, Parts.mapping(flags=b"")), 8)
        line = message(4, number(1, 1), number(2, 17))
        self.broken(lambda p: p.locations.__setitem__(0, Parts.location(1, 0x1010, 1)[:-4] + line), 8)

    def test_times(self):
        self.broken(lambda p: setattr(p, "time", [1]), 9)
        self.broken(lambda p: setattr(p, "time", [1 << 62]), 9)
        self.broken(lambda p: setattr(p, "duration", 0), 9)
        options = pprof_check.parse_arguments(["--after", str(1800000000 * 10**9), "-"])
        self.assertEqual([rule for rule, _ in pprof_check.check(Parts().bytes(), options)[0]], [9])


class Load(unittest.TestCase):
    def load(self, parts):
        with tempfile.NamedTemporaryFile(suffix=".pb.gz") as file:
            file.write(parts.bytes())
            file.flush()
            return pprof_check.load(file.name)

    def test_gives_the_profile_of_a_good_file(self):
        self.assertEqual(self.load(Parts()).total(), 40)

    def test_names_the_rules_a_file_breaks(self):
        parts = Parts()
        parts.duration = 0
        with self.assertRaisesRegex(pprof_check.Broken, "rule 9: duration_nanos"):
            self.load(parts)


class Command(unittest.TestCase):
    def run_on(self, data, *options):
        with tempfile.NamedTemporaryFile(suffix=".pb.gz") as file:
            file.write(data)
            file.flush()
            command = [sys.executable, os.path.join(HERE, "pprof_check.py"), *options, file.name]
            return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_exits_0_in_silence_on_a_good_file(self):
        result = self.run_on(Parts().bytes())
        self.assertEqual((result.returncode, result.stdout), (0, ""))

    def test_exits_1_with_a_line_for_each_violation(self):
        parts = Parts()
        parts.duration = parts.period = 0
        result = self.run_on(parts.bytes())
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stdout.splitlines()), 2)

    def test_exits_1_on_a_missing_file(self):
        command = [sys.executable, os.path.join(HERE, "pprof_check.py"), "/nonexistent/x.pb.gz"]
        self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 1)

    def test_summary_names_the_hottest_function(self):
        result = self.run_on(Parts().bytes(), "--summary")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stdout, r"75\.00%\s+75\.00%  leaf")
        self.assertIn("complete stacks: 100.00 %", result.stdout)


if __name__ == "__main__":
    unittest.main()
