#!/usr/bin/env python3
"""Static analysis of src/ beyond what clang-tidy does: gcc -fanalyzer, which follows pointers along paths, and cppcheck.

    tools/check_analysis.py BUILD_DIR [FILE...]    BUILD_DIR holds compile_commands.json
    tools/check_analysis.py --self-test            that both find planted mistakes

What is no mistake stands in tools/analysis_accepted.txt, each with its reason; what stands there and is not found any more is to be taken out.
Exit 0 clean, 1 findings, 77 cannot tell (another gcc than the one the list was made with, no cppcheck).
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ACCEPTED = ROOT / "tools" / "analysis_accepted.txt"
GCC_MAJOR = "12"  # each version finds something else

Finding = collections.namedtuple("Finding", "tool check file line text")


def accepted():
    """The pairs of tool and check by file, as the list has them: TOOL CHECK FILE REASON."""
    rows = {}
    for line in ACCEPTED.read_text().splitlines():
        if line and not line.startswith("#"):
            tool, check, file, _reason = line.split(maxsplit=3)
            rows[(tool, check, file)] = False
    return rows


def relative(file):
    return os.path.relpath(os.path.join(ROOT, file), ROOT)


# ---- gcc ----

def gcc_command(words):
    """As the file is compiled, but for what has nothing to do with what it says. Assertions help."""
    kept, words = ["gcc"], iter(words[1:])
    for word in words:
        if word in ("-o", "-MF", "-MT"):
            next(words)
        elif not re.match(r"-(c|MD|O.*|g.*|DNDEBUG|Werror|fsanitize.*)$", word):
            kept.append(word)
    return [*kept, "-fanalyzer", "-S", "-o", "/dev/null"]


def run_gcc(entry):
    done = subprocess.run(gcc_command(shlex.split(entry["command"])), cwd=entry["directory"], capture_output=True, text=True)
    found = [Finding("gcc", check, relative(os.path.join(entry["directory"], file)), int(line), text)
             for file, line, text, check in re.findall(r"^(\S+?):(\d+):\d+: warning: (.*) \[-Wanalyzer-([\w-]+)\]$", done.stderr, re.M)]
    if done.returncode:
        found.append(Finding("gcc", "failed", relative(entry["file"]), 0, done.stderr))
    return found


# ---- cppcheck ----

def run_cppcheck(files):
    done = subprocess.run(["cppcheck", "--quiet", "--enable=warning", "--std=c11", "--library=posix,gnu", "-D__CPPCHECK__", "-D__x86_64__", "-Iinclude", "-Isrc",
                           "--suppress=missingInclude", "--template={file}:{line}:{id}:{message}", *files],
                          cwd=ROOT, capture_output=True, text=True)
    return [Finding("cppcheck", check, relative(file), int(line), text)
            for file, line, check, text in re.findall(r"^([^:\n]+):(\d+):(\w+):(.*)$", done.stderr, re.M)]


# ---- both ----

def why_not():
    if not shutil.which("gcc") or not shutil.which("cppcheck"):
        return "no gcc or no cppcheck (packages gcc, cppcheck)"
    version = subprocess.run(["gcc", "-dumpversion"], capture_output=True, text=True).stdout.strip()
    if version.split(".")[0] != GCC_MAJOR:
        return f"gcc {version} finds other things than gcc {GCC_MAJOR}"
    return None


def jobs(entries, files):
    """Findings of all that can be done at once. cppcheck follows calls from file to file: it gets a module at a time."""
    modules = {}
    for file in files:
        modules.setdefault(os.path.dirname(file), []).append(file)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = [*(pool.submit(run_cppcheck, module) for module in modules.values()),
                *(pool.submit(run_gcc, entry) for entry in sorted(entries, key=lambda e: -os.path.getsize(e["file"])))]
        for one in work:
            yield from one.result()


def main(build, *only):
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return 77
    entries = {relative(e["file"]): e for e in json.loads((pathlib.Path(build) / "compile_commands.json").read_text())}
    files = [relative(f) for f in only] or [f for f in sorted(entries) if f.startswith("src/")]
    rows, wrong = accepted(), 0
    for finding in sorted(set(jobs([entries[f] for f in files], files))):
        key = (finding.tool, finding.check, finding.file)
        if key in rows:
            rows[key] = True
            continue
        wrong += 1
        print(f"{finding.file}:{finding.line}: {finding.text} [{finding.tool} {finding.check}]")
    for key, found in rows.items():
        if not found and not only:
            wrong += 1
            print(f"{ACCEPTED.relative_to(ROOT)}: not found any more: {' '.join(key)}")
    return 1 if wrong else 0


MISTAKES = """
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "ringside/base.h"
void twice(char *p);
void twice(char *p) { free(p); if (p) free(p); }
int leaves(const char *path);
int leaves(const char *path) { int fd = open(path, O_RDONLY); char c; if (read(fd, &c, 1) != 1) return -1; close(fd); return c; }
int keeps(const char *path);
int keeps(const char *path) { CLOSE_FD int fd = open(path, O_RDONLY); char c; return read(fd, &c, 1) == 1 ? c : -1; }
"""


def self_test():
    """Both find what they are there for, and know what a descriptor is that closes itself."""
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "mistakes.c")
        pathlib.Path(file).write_text(MISTAKES)
        entry = {"command": f"cc -Werror -O2 -I{ROOT}/include -o mistakes.o -c {file}", "directory": folder, "file": file}
        found = sorted((f.tool, f.check, f.line) for f in [*run_gcc(entry), *run_cppcheck([file])])
    wanted = {("gcc", "double-free", 7), ("cppcheck", "resourceLeak", 9)}
    if wanted <= set(found) and not any(line == 11 for _, _, line in found):
        return 0
    print(f"found {found}, wanted {sorted(wanted)}")
    return 1


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    if len(sys.argv) < 2:
        sys.exit("usage: check_analysis.py BUILD_DIR [FILE...]")
    sys.exit(main(*sys.argv[1:]))
