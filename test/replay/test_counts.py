#!/usr/bin/env python3
"""What the accounting makes of events other than CPU time: scripts of records, profiles as the product."""
import unittest

from replay import main, profile_of
from pprof_read import ENDED_WITHIN_A_PERIOD, NOT_SAMPLED, SAMPLES_LOST

CPUS = 2


def replay(script):
    """Runs a script; {(leaf function, process name): value} of event 1 in its profile, which must be valid."""
    profile = profile_of(script)
    column = [kind for kind, _ in profile.sample_types].index("type1")
    found = {}
    for sample in profile.samples:
        if sample.values[column]:
            key = (sample.frames[0], sample.labels.get("process_name", ""))
            found[key] = found.get(key, 0) + sample.values[column]
    return found


def start(period, each=1):
    return f"info 10000000 user\nevent {period} {each} {CPUS}\ncomm 10 10 exec root\n"


def child(pid, name, count, hits=(), before_end=""):
    """hits: (events, value) of each sample. The count comes in two parts, as from two CPUs."""
    lines = f"fork {pid} {pid} 10\ncomm {pid} {pid} exec {name}\n"
    lines += "".join(f"hit {pid} {pid} 1 {events} {value}\n" for events, value in hits)
    return f"{lines}{before_end}exit {pid} {pid}\ncount {pid} {pid} 1 {count - count // 3}\ncount {pid} {pid} 1 {count // 3}\n"


class Exact(unittest.TestCase):
    """A fixed period: samples and what they leave over."""

    def test_what_follows_the_last_sample_is_shown_under_the_process_name(self):
        found = replay(start(100) + child(20, "job", 350, [(100, 100)] * 3) + "totals 1 350 0\n")
        self.assertEqual(found[(ENDED_WITHIN_A_PERIOD, "job")], 50)
        self.assertEqual(sum(found.values()), 350)

    def test_short_processes_are_one_line(self):
        script = start(100) + "".join(child(20 + i, "short", 30) for i in range(500)) + "totals 1 15000 0\n"
        self.assertEqual(replay(script), {(ENDED_WITHIN_A_PERIOD, "short"): 15000})

    def test_the_first_task_has_what_nobody_reports(self):
        found = replay(start(100) + "hit 10 10 1 100 100\n" + child(20, "short", 30) + "totals 1 190 0\n")
        self.assertEqual(found[(ENDED_WITHIN_A_PERIOD, "short")], 30)
        self.assertEqual(found[(ENDED_WITHIN_A_PERIOD, "root")], 60)
        self.assertEqual(sum(found.values()), 190)

    def test_more_than_a_period_for_each_processor_was_lost_where_anything_was(self):
        hits = [(100, 100)] * 2
        found = replay(start(100) + child(20, "busy", 900, hits, "lost 7\n") + "totals 1 900 7\n")
        self.assertEqual(found[(SAMPLES_LOST, "busy")], 700)
        found = replay(start(100) + child(20, "busy", 900, hits) + "totals 1 900 0\n")
        self.assertEqual(found[(NOT_SAMPLED, "busy")], 700)

    def test_each_one_has_the_value_its_scale_gives_it(self):
        found = replay(start(100, 2.5) + child(20, "job", 140, [(100, 250)]) + "totals 1 140 0\n")
        self.assertEqual(found[(ENDED_WITHIN_A_PERIOD, "job")], 100)
        self.assertEqual(sum(found.values()), 350)

    def test_weights_nobody_saw_are_as_large_as_the_others_on_average(self):
        hits = [(1, 10), (1, 30)]
        found = replay(start(1, 0) + child(20, "job", 12, hits, "lost 10\n") + "totals 1 12 10\n")
        self.assertEqual(found[(SAMPLES_LOST, "job")], 10 * 20)

    def test_all_samples_there_leave_nothing(self):
        found = replay(start(1, 0) + child(20, "job", 3, [(1, 5), (1, 6), (1, 7)]) + "totals 1 3 0\n")
        self.assertEqual(sum(found.values()), 18)
        self.assertFalse({leaf for leaf, _ in found} & {ENDED_WITHIN_A_PERIOD, SAMPLES_LOST, NOT_SAMPLED})

    def test_samples_beyond_the_count_are_no_debt(self):
        """Numbers that contradict each other (a torn record) show what was sampled and nothing else."""
        found = replay(start(100) + child(20, "job", 50, [(100, 100)] * 2) + "totals 1 50 0\n")
        self.assertEqual(sum(found.values()), 200)


    def test_events_of_one_task_in_one_place_are_one_sample(self):
        """pprof_check refuses two samples of the same locations and labels."""
        script = start(1) + "event 1 1 2\n" + child(20, "job", 2, [(1, 1)] * 2, "hit 20 20 2 1 1\nsample 20 20\n") + "totals 1 2 0\n"
        self.assertEqual(sum(replay(script).values()), 2)


class Adjusted(unittest.TestCase):
    """A period that the kernel changes: what samples say they stand for does not add up."""

    def test_too_much_is_scaled_down_to_what_was_counted(self):
        found = replay(start(0) + child(20, "a", 0, [(300, 300)] * 3) + child(21, "b", 0, [(100, 100)] * 3) + "totals 1 900 0\n")
        self.assertEqual(sum(found.values()), 900)
        self.assertEqual({name: n for (_, name), n in found.items()}, {"a": 675, "b": 225})

    def test_scaling_keeps_the_sum_of_small_values(self):
        script = start(0) + "".join(child(20 + i, f"p{i}", 0, [(3, 3)]) for i in range(100)) + "totals 1 225 0\n"
        self.assertAlmostEqual(sum(replay(script).values()), 225, delta=1)

    def test_too_little_is_shown_as_not_sampled(self):
        found = replay(start(0) + child(20, "a", 0, [(300, 300)]) + "totals 1 1000 0\n")
        self.assertEqual(found[(NOT_SAMPLED, "root")], 700)
        self.assertEqual(sum(found.values()), 1000)


if __name__ == "__main__":
    main()
