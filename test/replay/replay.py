"""A script of records through the whole worker, and the profile that comes of it. Shared by the tests of this folder."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
import pprof_check  # noqa: E402

program = None  # replay_script


def profile_of(script, *deaths):
    """Runs a script; its profile, which must be valid. deaths: of workers, and a seed for when."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "out.pb.gz")
        subprocess.run([program, out, *map(str, deaths)], input=script, text=True, check=True)
        return pprof_check.load(out)


def main():
    """Runs the tests of the calling script, whose first argument is the program."""
    global program
    program = sys.argv.pop(1)
    unittest.main()
