#!/usr/bin/env python3
"""What a worker's death costs: scripts of records, workers that die over them, profiles as the product."""
import random
import unittest

from replay import main, profile_of
from pprof_read import RESTARTED, SAMPLES_LOST

MS = 1_000_000
PERIOD = 10 * MS


def stacks_of(profile):
    """{(frames, labels): values} of a profile."""
    found = {}
    for sample in profile.samples:
        key = (tuple(sample.frames), tuple(sorted(sample.labels.items())))
        values = found.get(key, (0,) * len(sample.values))
        found[key] = tuple(a + b for a, b in zip(values, sample.values))
    return found


def total(found, column=1):
    return sum(values[column] for values in found.values())


def lines(seed=1, processes=60):
    """A run of many processes, with what the kernel says at their ends, as a list of lines."""
    rng = random.Random(seed)
    script, alive, used, next_pid = ["comm 10 10 exec root"], {10: 0}, 0, 20
    for _ in range(processes * 40):
        pid = rng.choice(list(alive))
        action = rng.random()
        if action < 0.05 and next_pid < 20 + processes:
            script += [f"fork {next_pid} {next_pid} {pid}", f"comm {next_pid} {next_pid} exec job{next_pid % 7}"]
            alive[next_pid] = 0
            next_pid += 1
        elif action < 0.08 and pid != 10:
            ns = alive.pop(pid) * PERIOD + rng.randrange(PERIOD)
            used += ns
            script += [f"exit {pid} {pid}", f"time {pid} {pid} {ns // 3} 0", f"time {pid} {pid} {ns - ns // 3} 0"]
        else:
            script.append(f"sample {pid} {pid}")
            alive[pid] += 1
    for pid, samples in alive.items():
        used += samples * PERIOD + 3 * MS
        script.append(f"exit {pid} {pid}")
        if pid != 10:
            script.append(f"time {pid} {pid} {samples * PERIOD + 3 * MS} 0")
    return script, [f"info {PERIOD} user", f"total {used} 0"], used


def run(script, start, *deaths):
    return stacks_of(profile_of("\n".join(start + script) + "\n", *deaths))


def put_deaths(script, kind, count, seed=7):
    rng = random.Random(seed)
    script = list(script)
    for at in sorted(rng.sample(range(1, len(script)), count), reverse=True):
        script.insert(at, f"die {kind}")
    return script


class Deaths(unittest.TestCase):
    def test_between_records_change_nothing(self):
        script, start, used = lines()
        whole = run(script, start)
        self.assertEqual(total(whole), used)
        self.assertEqual(run(put_deaths(script, "feed", 40), start), whole)

    def test_after_a_record_that_comes_again_change_nothing(self):
        script, start, used = lines()
        whole = run(script, start)
        self.assertEqual(run(put_deaths(script, "added", 40), start), whole)

    def test_while_exporting_only_cost_time(self):
        script, start, used = lines()
        whole = run(script, start)
        for deaths in (1, 2):
            self.assertEqual(run(script, start + ["die export"] * deaths), whole)

    def test_over_and_over_while_exporting_give_up_the_period_and_say_so(self):
        script, start, used = lines()
        found = run(script, start + ["die export"] * 3)
        self.assertEqual(total(found), used)
        frames = {frames[0] for (frames, _), values in found.items() if values[1]}
        self.assertEqual(frames, {RESTARTED})

    def test_at_any_time_cost_at_most_a_sample_each_and_none_counts_twice(self):
        script, start, used = lines()
        whole = run(script, start)
        deaths = 20
        for seed in range(25):
            found = run(script, start, deaths, seed)
            self.assertEqual(total(found), used)
            missing = 0
            for key, values in whole.items():
                have = found.get(key, (0,) * len(values))
                self.assertLessEqual(have[0], values[0], (seed, key))
                missing += values[0] - have[0]
            self.assertLessEqual(missing, deaths)

    def test_what_had_no_room_meanwhile_is_lost_by_the_restart_and_what_had_none_before_is_not(self):
        script = ["comm 10 10 exec root", "fork 20 20 10", "comm 20 20 exec job"] + ["sample 20 20"] * 4
        end = ["sample 20 20", "exit 20 20", f"time 20 20 {10 * PERIOD} 5"]
        start = [f"info {PERIOD} user", f"total {10 * PERIOD} 0"]
        for gap, expected in ((["die feed", "lost 5"], RESTARTED), (["lost 5", "die feed"], SAMPLES_LOST)):
            found = run(script + gap + end, start)
            shown = {frames: values[1] for (frames, _), values in found.items() if frames[0] in (RESTARTED, SAMPLES_LOST)}
            self.assertEqual(shown, {(expected, "job"): 5 * PERIOD})
            self.assertEqual(total(found), 10 * PERIOD)

    def test_other_events_are_counted_on(self):
        script, start, _ = lines()
        start = start + ["event 100 1 2", "totals 1 60000 0"]
        script = [line.replace("sample", "hit") + " 1 100 100" if line.startswith("sample 1") else line for line in script]
        whole = run(script, start)
        self.assertEqual(run(put_deaths(script, "added", 40), start), whole)
        self.assertEqual(run(put_deaths(script, "feed", 40), start), whole)


if __name__ == "__main__":
    main()
