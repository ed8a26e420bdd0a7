#!/usr/bin/env python3
"""What the accounting makes of exact times: scripts of records, profiles as the product."""
import unittest

from replay import main, profile_of
from pprof_read import ENDED_WITHIN_A_PERIOD, KERNEL_NOT_PERMITTED, NOT_SAMPLED, OUTSIDE_EVENTS, SAMPLES_LOST

MS = 1_000_000
PERIOD = 10 * MS


def replay(script):
    """Runs a script; {(leaf function, process name): (samples, nanoseconds)} of its profile, which must be valid."""
    found = {}
    for sample in profile_of(script).samples:
        key = (sample.frames[0], sample.labels.get("process_name", ""))
        samples, ns = found.get(key, (0, 0))
        found[key] = (samples + sample.values[0], ns + sample.values[1])
    return found


def total(found):
    return sum(ns for _, ns in found.values())


def start(mode="user"):
    return f"info {PERIOD} {mode}\ncomm 10 10 exec root\n"


def child(pid, name, ns, samples=0, lost=0):
    lines = f"fork {pid} {pid} 10\ncomm {pid} {pid} exec {name}\n"
    lines += f"sample {pid} {pid}\n" * samples
    return lines + f"exit {pid} {pid}\ntime {pid} {pid} {ns} {lost}\ntime {pid} {pid} 0 0\n"


class Children(unittest.TestCase):
    def test_those_never_sampled_are_one_line_under_their_name(self):
        script = start() + "".join(child(20 + i, "short", 3 * MS) for i in range(1000)) + f"total {3000 * MS} 0\n"
        found = replay(script)
        self.assertEqual(found, {(ENDED_WITHIN_A_PERIOD, "short"): (0, 3000 * MS)})

    def test_time_after_the_last_sample_is_shown(self):
        found = replay(start() + child(20, "job", 37 * MS, samples=3) + f"total {37 * MS} 0\n")
        self.assertEqual(found[(ENDED_WITHIN_A_PERIOD, "job")], (0, 7 * MS))
        self.assertEqual(total(found), 37 * MS)

    def test_kernel_time_is_named_where_it_may_not_be_sampled(self):
        found = replay(start("user") + child(20, "dd", 500 * MS, samples=2) + f"total {500 * MS} 0\n")
        self.assertEqual(found[(KERNEL_NOT_PERMITTED, "dd")], (0, 480 * MS))

    def test_kernel_time_is_not_blamed_where_it_was_sampled(self):
        found = replay(start("kernel") + child(20, "dd", 500 * MS, samples=2) + f"total {500 * MS} 0\n")
        self.assertEqual(found[(NOT_SAMPLED, "dd")], (0, 480 * MS))
        self.assertNotIn((KERNEL_NOT_PERMITTED, "dd"), found)

    def test_lost_samples_are_told_apart_from_kernel_time(self):
        found = replay(start("user") + child(20, "busy", 100 * MS, samples=4, lost=5) + f"total {100 * MS} 0\n")
        self.assertEqual(found[(SAMPLES_LOST, "busy")], (0, 50 * MS))
        self.assertEqual(found[(KERNEL_NOT_PERMITTED, "busy")], (0, 10 * MS))
        self.assertEqual(total(found), 100 * MS)

    def test_threads_count_for_their_process(self):
        script = start() + "fork 20 20 10\ncomm 20 20 exec pool\n"
        for tid in range(21, 31):
            script += f"fork 20 {tid} 20\nexit 20 {tid}\ntime 20 {tid} {4 * MS} 0\n"
        script += f"exit 20 20\ntime 20 20 {2 * MS} 0\ntotal {42 * MS} 0\n"
        self.assertEqual(replay(script), {(ENDED_WITHIN_A_PERIOD, "pool"): (0, 42 * MS)})


class Root(unittest.TestCase):
    """No record tells the first task's time: it is what the tree's total leaves over."""

    def test_rest_of_the_total_is_the_first_process_s(self):
        script = start() + "sample 10 10\n" * 5 + child(20, "short", 3 * MS) + f"exit 10 10\ntotal {59 * MS} 0\n"
        found = replay(script)
        self.assertEqual(found[(ENDED_WITHIN_A_PERIOD, "short")], (0, 3 * MS))
        self.assertEqual(found[(ENDED_WITHIN_A_PERIOD, "root")], (0, 6 * MS))
        self.assertEqual(total(found), 59 * MS)

    def test_its_kernel_time_is_named(self):
        found = replay(start() + "sample 10 10\n" * 5 + f"exit 10 10\ntotal {150 * MS} 0\n")
        self.assertEqual(found[(KERNEL_NOT_PERMITTED, "root")], (0, 100 * MS))

    def test_its_lost_samples_are_named(self):
        found = replay(start("kernel") + "sample 10 10\n" * 5 + f"exit 10 10\ntotal {80 * MS} 3\n")
        self.assertEqual(found[(SAMPLES_LOST, "root")], (0, 30 * MS))
        self.assertEqual(total(found), 80 * MS)

    def test_kernels_that_do_not_report_ended_tasks_still_give_the_total(self):
        script = start() + "fork 20 20 10\ncomm 20 20 exec short\nexit 20 20\n" + "exit 10 10\n" + f"total {90 * MS} 0\n"
        found = replay(script)
        self.assertEqual(found, {(NOT_SAMPLED, "root"): (0, 90 * MS)})

    def test_what_events_do_not_see_is_shown_when_somebody_waited(self):
        script = start() + "sample 10 10\n" * 5 + f"exit 10 10\ntotal {50 * MS} 0\ncharged {53 * MS}\n"
        found = replay(script)
        self.assertEqual(found[(OUTSIDE_EVENTS, "root")], (0, 3 * MS))

    def test_more_samples_than_time_never_makes_negative_time(self):
        found = replay(start() + "sample 10 10\n" * 5 + f"exit 10 10\ntotal {40 * MS} 0\ncharged {30 * MS}\n")
        self.assertEqual(total(found), 50 * MS)


if __name__ == "__main__":
    main()
