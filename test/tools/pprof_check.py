#!/usr/bin/env python3
"""Checks pprof files against every rule a careful writer keeps; one line a violation, exit 1 when there is any.

    pprof_check.py [--summary] [--after NS] [--before NS] FILE...

The rules, by the numbers their messages carry:
  1 gzip, one member, one profile, nothing left over
  2 string_table[0] empty, all strings UTF-8 and unique, all indices in range, no string unreferenced
  3 sample types named [a-z][a-z0-9_]*, units, default among them, period type and period
  4 ids 1..n in order, every reference resolves, no row unreferenced
  5 each sample: a location, one value a type, none negative, not all zero, one label a key, of one kind
  6 no two samples with equal locations and labels
  7 addresses inside their mapping; a location without lines has a mapping with file and build id
  8 build ids are hex; has_* flags agree with the lines
  9 the times are possible: time_nanos within the run (--after, --before), duration above 0
"""

import argparse
import io
import re
import sys
import time

import pprof_read

TYPE_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
BUILD_ID = re.compile(r"([0-9a-f]{2})*\Z")
PLACEHOLDER = re.compile(r".+\+0x[0-9a-f]+\Z|\[.*", re.DOTALL)
YEAR_2020_NS = 1577836800 * 10**9
DAY_NS = 86400 * 10**9
SHOWN = 20  # violations of one rule that are printed

# What accounts for time without a stack: neither complete nor cut.
PSEUDO = re.compile(r"\[.*\]\Z", re.DOTALL)


class Checker:
    """Collects the violations of one profile."""

    type_name = TYPE_NAME  # some backends have names of their own

    def __init__(self, options):
        self.options = options
        self.found = []
        self.used_strings = set()
        self.profile = None

    def fail(self, rule, text):
        self.found.append((rule, text))

    def check_bytes(self, data):
        try:
            plain, rest = pprof_read.unzip(data)
        except pprof_read.Malformed as error:
            self.fail(1, str(error))
            return
        if rest:
            self.fail(1, f"{len(rest)} bytes follow the gzip member")
        self.check_plain(plain)

    def check_plain(self, plain):
        """The rules that do not ask how the bytes are compressed."""
        try:
            self.profile = pprof_read.Profile(plain)
        except pprof_read.Malformed as error:
            self.fail(1, f"not a profile: {error}")
            return
        for number, times in self.profile.seen.items():
            if times > 1:
                self.fail(1, f"field {number} occurs {times} times: concatenated profiles")
        for rule in (
            self.check_strings,
            self.check_types,
            self.check_ids,
            self.check_references,
            self.check_samples,
            self.check_locations,
            self.check_flags,
            self.check_times,
            self.check_unused_strings,
        ):
            rule()

    def string(self, index, what, may_be_empty=True):
        """The text of an index, noting that it is used."""
        if not 0 <= index < len(self.profile.strings):
            self.fail(2, f"{what}: string {index} of {len(self.profile.strings)}")
            return ""
        self.used_strings.add(index)
        if index == 0 and not may_be_empty:
            self.fail(2, f"{what}: empty")
        return self.profile.strings[index]

    def check_strings(self):
        raw = self.profile.raw_strings
        if not raw or raw[0] != b"":
            self.fail(2, 'string_table[0] is not ""')
        seen = {}
        for index, text in enumerate(raw):
            try:
                text.decode("utf-8")
            except UnicodeDecodeError:
                self.fail(2, f"string {index} is not UTF-8: {text[:60]!r}")
            if text in seen:
                self.fail(2, f"string {index} repeats string {seen[text]}: {text[:60]!r}")
            seen[text] = index
        profile = self.profile
        for name in ("drop_frames", "keep_frames", "doc_url", "default_sample_type"):
            self.string(getattr(profile, name), name)
        for index in profile.raw_comments:
            self.string(index, "comment", may_be_empty=False)

    def check_unused_strings(self):
        for index in range(1, len(self.profile.raw_strings)):
            if index not in self.used_strings:
                self.fail(2, f"string {index} is not referenced: {self.profile.strings[index][:60]!r}")

    def check_types(self):
        profile, names = self.profile, []
        if not profile.raw_types:
            self.fail(3, "no sample type")
        for row in profile.raw_types:
            name = self.string(row.type, "sample type", may_be_empty=False)
            unit = self.string(row.unit, "sample unit", may_be_empty=False)
            if not self.type_name.match(name):
                self.fail(3, f"sample type {name!r} does not match {self.type_name.pattern.removesuffix(chr(92) + 'Z')}")
            if name in names:
                self.fail(3, f"sample type {name!r} occurs twice")
            if not unit:
                self.fail(3, f"sample type {name!r} has no unit")
            names.append(name)
        default = profile.text(profile.default_sample_type)
        if default not in names:
            self.fail(3, f"default sample type {default!r} is not one of {names}")
        if profile.raw_period_type is None:
            self.fail(3, "no period type")
        else:
            for index in (profile.raw_period_type.type, profile.raw_period_type.unit):
                if not self.string(index, "period type", may_be_empty=False):
                    self.fail(3, "period type is incomplete")
        if profile.period <= 0:
            self.fail(3, f"period is {profile.period}")

    def check_ids(self):
        for what in ("mapping", "location", "function"):
            for at, row in enumerate(getattr(self.profile, what + "s"), 1):
                if row.id != at:
                    self.fail(4, f"{what} number {at} has id {row.id}")

    def check_references(self):
        profile = self.profile
        counts = {what: len(getattr(profile, what + "s")) for what in ("mapping", "location", "function")}
        used = {what: set() for what in counts}

        def refer(what, to, source):
            if not 1 <= to <= counts[what]:
                self.fail(4, f"{source} refers to {what} {to} of {counts[what]}")
            used[what].add(to)

        for at, sample in enumerate(profile.raw_samples):
            for location in sample.location_ids:
                refer("location", location, f"sample {at}")
        for location in profile.locations:
            if location.mapping_id:
                refer("mapping", location.mapping_id, f"location {location.id}")
            for line in location.lines:
                refer("function", line.function_id, f"location {location.id}")
        for what, rows in used.items():
            for row in range(1, counts[what] + 1):
                # The first mapping is the main binary and heads the file even when no sample fell into it.
                if row not in rows and not (what == "mapping" and row == 1):
                    self.fail(4, f"{what} {row} is not referenced")
        for row in profile.mappings:
            self.string(row.filename, f"mapping {row.id} filename")
            self.string(row.build_id, f"mapping {row.id} build id")
        for row in profile.functions:
            self.string(row.name, f"function {row.id} name", may_be_empty=False)
            self.string(row.system_name, f"function {row.id} system name", may_be_empty=False)
            self.string(row.filename, f"function {row.id} filename")

    def check_samples(self):
        profile, seen = self.profile, {}
        for at, sample in enumerate(profile.raw_samples):
            if not sample.location_ids:
                self.fail(5, f"sample {at} has no location")
            if len(sample.values) != len(profile.raw_types):
                self.fail(5, f"sample {at} has {len(sample.values)} values for {len(profile.raw_types)} types")
            if any(value < 0 for value in sample.values):
                self.fail(5, f"sample {at} has a negative value: {sample.values}")
            if not any(sample.values):
                self.fail(5, f"sample {at} has only zero values")
            labels = self.check_labels(at, sample)
            identity = (tuple(sample.location_ids), labels)
            if identity in seen:
                self.fail(6, f"sample {at} has the locations and labels of sample {seen[identity]}")
            seen[identity] = at

    def check_labels(self, at, sample):
        keys, rows = set(), []
        for label in sample.labels:
            key = self.string(label.key, f"sample {at} label key")
            self.string(label.str, f"sample {at} label {key!r}")
            self.string(label.num_unit, f"sample {at} unit of label {key!r}")
            if label.key == 0:
                self.fail(5, f"sample {at} has a label without a key")
            if label.key in keys:
                self.fail(5, f"sample {at} has two labels {key!r}")
            if label.str and (label.num or label.num_unit):
                self.fail(5, f"sample {at} label {key!r} is both text and number")
            if not label.str and not label.num and not label.num_unit:
                self.fail(5, f"sample {at} label {key!r} is neither text nor number")
            keys.add(label.key)
            rows.append((label.key, label.str, label.num, label.num_unit))
        return tuple(sorted(rows))

    def check_locations(self):
        profile = self.profile
        for location in profile.locations:
            mapping = profile.mapping_of(location)
            if mapping and not mapping.start <= location.address < mapping.limit:
                self.fail(
                    7,
                    f"location {location.id}: {location.address:#x} is outside mapping {mapping.id} "
                    f"{mapping.start:#x}-{mapping.limit:#x} {profile.text(mapping.filename)}",
                )
            if location.lines:
                continue
            if mapping is None:
                self.fail(7, f"location {location.id} has neither lines nor a mapping")
            elif not mapping.filename or not mapping.build_id:
                self.fail(7, f"location {location.id} has no lines and mapping {mapping.id} no file or build id")

    def check_flags(self):
        profile = self.profile
        for mapping in profile.mappings:
            build_id = profile.text(mapping.build_id)
            if not BUILD_ID.match(build_id):
                self.fail(8, f"mapping {mapping.id}: build id {build_id!r} is not lower-case hex")
        for location in profile.locations:
            mapping = profile.mapping_of(location)
            if mapping:
                self.check_location_flags(location, mapping)

    def check_location_flags(self, location, mapping):
        where = f"location {location.id} in mapping {mapping.id}"
        if mapping.has_functions and not location.lines:
            self.fail(8, f"{where}: has_functions, but no line")
        if len(location.lines) > 1 and not mapping.has_inline_frames:
            self.fail(8, f"{where}: several lines, but not has_inline_frames")
        for line in location.lines:
            function = self.profile._functions.get(line.function_id)
            if function is None:
                continue
            name = self.profile.text(function.name)
            if not mapping.has_functions and not PLACEHOLDER.match(name):
                self.fail(8, f"{where}: named {name!r}, but not has_functions")
            if function.filename and not mapping.has_filenames:
                self.fail(8, f"{where}: has a file name, but not has_filenames")
            if line.line and not mapping.has_line_numbers:
                self.fail(8, f"{where}: has a line number, but not has_line_numbers")

    def check_times(self):
        profile = self.profile
        after = YEAR_2020_NS if self.options.after is None else self.options.after
        before = time.time_ns() + DAY_NS if self.options.before is None else self.options.before
        if not after <= profile.time_nanos <= before:
            self.fail(9, f"time_nanos {profile.time_nanos} is not within {after}..{before}")
        if profile.duration_nanos <= 0:
            self.fail(9, f"duration_nanos is {profile.duration_nanos}")
        elif profile.time_nanos + profile.duration_nanos > before + DAY_NS:
            self.fail(9, f"duration_nanos {profile.duration_nanos} ends in the future")


def check(data, options=None):
    """The violations of a file's bytes as (rule, text), and the profile (None when it could not be read)."""
    checker = Checker(options or parse_arguments(["-"]))
    checker.check_bytes(data)
    return checker.found, checker.profile


class Broken(AssertionError):
    """A file breaks rules; the text names them."""


def load(path):
    """The profile in a file that keeps every rule."""
    with open(path, "rb") as file:
        found, profile = check(file.read())
    if found:
        text = io.StringIO()
        report(path, found, text)
        raise Broken(f"{len(found)} rules of the format broken:\n{text.getvalue()}")
    return profile


def complete_share(profile):
    """(complete, cut) values of the first sample type over samples that have a real stack."""
    complete = cut = 0
    for sample in profile.samples:
        if any(frame in pprof_read.CUT_FRAMES for frame in sample.frames):
            cut += sample.values[0]
        elif not all(PSEUDO.match(frame) for frame in sample.frames):
            complete += sample.values[0]
    return complete, cut


def summary(profile, out):
    complete, cut = complete_share(profile)
    names = [f"{name} {profile.total(name)} {unit}" for name, unit in profile.sample_types]
    out.write(f"  {len(profile.raw_samples)} stacks, " + ", ".join(names) + "\n")
    out.write(
        f"  {len(profile.mappings)} mappings, {len(profile.locations)} locations, "
        f"{len(profile.functions)} functions, {profile.duration_nanos / 1e9:.3f} s\n"
    )
    if complete + cut:
        out.write(f"  complete stacks: {100 * complete / (complete + cut):.2f} %\n")
    total = profile.total() or 1
    own, all_of = profile.self_values(), profile.cumulative_values()
    out.write("     self   total  function\n")
    for name, value in sorted(own.items(), key=lambda item: (-item[1], item[0]))[:15]:
        out.write(f"  {100 * value / total:6.2f}% {100 * all_of[name] / total:6.2f}%  {name}\n")
    for comment in profile.comments:
        out.write(f"  # {comment}\n")


def report(path, found, out):
    shown = {}
    for rule, text in found:
        shown[rule] = shown.get(rule, 0) + 1
        if shown[rule] <= SHOWN:
            out.write(f"{path}: rule {rule}: {text}\n")
    for rule, count in shown.items():
        if count > SHOWN:
            out.write(f"{path}: rule {rule}: {count - SHOWN} more\n")


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(description="Checks pprof files.")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--summary", action="store_true", help="print totals and the hottest functions")
    parser.add_argument("--after", type=int, help="earliest time_nanos allowed")
    parser.add_argument("--before", type=int, help="latest time_nanos allowed")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse_arguments(arguments)
    bad = False
    for path in options.files:
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            print(f"{path}: {error.strerror}")
            bad = True
            continue
        found, profile = check(data, options)
        bad = bad or bool(found)
        report(path, found, sys.stdout)
        if options.summary and profile is not None:
            print(path)
            summary(profile, sys.stdout)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
