#!/usr/bin/env python3
"""Programs nobody here wrote, and other languages: whole stacks and true totals."""
import random
import shutil
import subprocess
import textwrap

from harness import (SOURCE, KernelTest, Profile, each_user, fixture, main, new_folder, profile_run, python3,
                     require, require_tool, ringside, run, wait_for, wait_profilers_gone, setUpModule)  # noqa: F401 (setUpModule is for unittest)


def words_file(folder, lines=150000):
    """Text that compresses neither trivially nor not at all."""
    rng = random.Random(1)
    words = ["%x" % rng.getrandbits(rng.randint(8, 40)) for _ in range(20000)]
    path = folder / "text"
    path.write_text("\n".join(" ".join(rng.choices(words, k=8)) for _ in range(lines)))
    path.chmod(0o644)
    return path


def c_source(folder, functions=400):
    """C that takes an optimizing compiler a few seconds."""
    body = "".join(textwrap.dedent(f"""
        int work{i}(int *a, int n) {{
            int sum = {i};
            for (int x = 0; x < n; x++) {{
                for (int y = x; y < n; y += {i % 7 + 1}) {{
                    switch ((a[x] + y) % 5) {{
                    case 0: sum += a[y] * {i}; break;
                    case 1: sum -= a[x] ^ y; break;
                    case 2: a[y] = sum >> 2; break;
                    default: sum += {'work%d(a, n / 2)' % (i - 1) if i else '1'};
                    }}
                }}
            }}
            return sum;
        }}""") for i in range(functions))
    path = folder / "work.c"
    path.write_text(body)
    path.chmod(0o644)
    return path


CPP_SOURCE = textwrap.dedent("""
    #include <algorithm>
    #include <functional>
    #include <iostream>
    #include <map>
    #include <regex>
    #include <string>
    #include <unordered_map>
    #include <vector>
    template <int N> struct deep { std::map<std::string, std::vector<std::function<int(int)>>> m; deep<N - 1> next;
        int sum(int x) { int s = next.sum(x); for (auto &[k, v] : m) for (auto &f : v) s += f(x) + (int)k.size(); return s; } };
    template <> struct deep<0> { int sum(int x) { return x; } };
    int main() { deep<40> d; std::regex r("(a|b)*c"); std::unordered_map<std::string, int> u;
        u["x"] = d.sum(3); std::cout << std::regex_match("abc", r) << u["x"]; }
""")

PYTHON_WORK = textwrap.dedent("""
    import json, re, time
    def fib(n):
        return n if n < 2 else fib(n - 1) + fib(n - 2)
    while time.process_time() < 3:
        fib(18)
        json.loads(json.dumps({str(i): [i, str(i)] for i in range(1000)}, indent=1))
        sorted(re.findall(r"[a-z]+", "some words to look at " * 200), key=lambda w: w[::-1])
""")

NODE_WORK = textwrap.dedent("""
    function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
    const end = () => process.cpuUsage().user > 3e6;
    while (!end()) {
        fib(22);
        const o = JSON.parse(JSON.stringify(Array.from({length: 2000}, (_, i) => ({i, s: String(i)}))));
        o.sort((a, b) => a.s < b.s ? -1 : 1);
        'some words to look at'.repeat(100).replace(/[a-z]+/g, w => w.toUpperCase());
    }
""")


class Tools(KernelTest):
    @each_user
    def test_xz(self, user):
        require_tool("xz")
        text = words_file(new_folder(user))
        profile, result = profile_run(["xz", "-k", "-c", "-T2", "--block-size=4MiB", text], user, stdout=subprocess.DEVNULL)
        self.assertComplete(profile)
        self.assertTotal(profile, result)

    @each_user
    def test_python3(self, user):
        profile, result = profile_run([python3(user), "-c", PYTHON_WORK], user)
        self.assertComplete(profile)
        self.assertTotal(profile, result)
        self.assertGreater(profile.share(lambda stack, labels: "_PyEval_EvalFrameDefault" in stack), 0.5, profile.top())

    @each_user
    def test_gcc(self, user):
        """This program's own sources: many short processes with all kinds of work, some of it deeper than the usual 32 KiB of stack."""
        copied = new_folder(user) / "tree"
        for part in ("include", "src"):
            shutil.copytree(SOURCE / part, copied / part)
        user.owns(copied)
        script = ('for f in src/base/*.c src/process/*.c src/unwind/*.c src/stacks/*.c; do '
                  'gcc -D_GNU_SOURCE -O2 -g -Iinclude -I"${f%/*}" -c "$f" -o out.o || exit 1; done')
        profile, result = profile_run(["sh", "-c", script], user, ("--frequency", "999", "--stack-sample-size", "65528"), cwd=copied)
        self.assertComplete(profile)
        self.assertTotal(profile, result)
        self.assertLessEqual({"sh", "gcc", "cc1", "as"}, profile.labels("process_name"))

    @each_user
    def test_gcc_that_recurses_deep_with_a_big_copy(self, user):
        """Some stacks of this source are deeper than the 64 KiB that can be copied."""
        folder = new_folder(user)
        profile, result = profile_run(["gcc", "-O2", "-c", c_source(folder, 150), "-o", folder / "work.o"], user,
                                      ("--frequency", "999", "--stack-sample-size", "65528"))
        self.assertComplete(profile, 0.97)
        self.assertTotal(profile, result)

    @each_user
    def test_clang(self, user):
        require_tool("clang++", "clang")
        folder = new_folder(user)
        (folder / "deep.cc").write_text(CPP_SOURCE)
        profile, result = profile_run(["clang++", "-std=c++17", "-O2", "-c", folder / "deep.cc", "-o", folder / "deep.o"], user,
                                      ("--frequency", "999", "--stack-sample-size", "65528"))
        self.assertComplete(profile, deviations=3)  # 99.3 % on average
        self.assertTotal(profile, result)

    @each_user
    def test_node(self, user):
        node = require_tool("node", "node")
        profile, result = profile_run([node, "-e", NODE_WORK], user)
        self.assertComplete(profile, 0.98)
        self.assertTotal(profile, result)

    @each_user
    def test_redis_under_load(self, user):
        require("redis", shutil.which("redis-benchmark") and shutil.which("redis-check-rdb"), "no redis here (package redis-tools)")
        folder = new_folder(user)
        # Debian's server is this very program under another name.
        (folder / "redis-server").symlink_to(shutil.which("redis-check-rdb"))
        socket, profiles = folder / "socket", folder / "profiles"
        server = self.start([ringside(), "--frequency", "999", "-S", "redis", "-O", f"{profiles}/", folder / "redis-server",
                             "--port", "0", "--unixsocket", socket, "--unixsocketperm", "777", "--save", "", "--dir", folder,
                             "--enable-debug-command", "local"], user)
        wait_for(socket.exists, "the server to listen")
        load = run(["redis-benchmark", "-s", socket, "-q", "-n", "200000", "-P", "8", "-t", "set,get,lpush,zadd,lrange_100"])
        self.assertEqual(load.status, 0, load)
        run(["redis-cli", "-s", socket, "shutdown", "nosave"])
        result = server.wait()
        self.assertEqual(result.status, 0, result)
        wait_profilers_gone()
        profile = Profile(*sorted(profiles.glob("redis*.pb.gz")))
        self.assertComplete(profile)
        self.assertTotal(profile, result)


class Languages(KernelTest):
    @each_user
    def test_go(self, user):
        require_tool("go", "go")
        profile, result = profile_run([fixture("go_work")], user)
        self.assertComplete(profile, 0.95)
        self.assertTotal(profile, result)

    @each_user
    def test_rust(self, user):
        require_tool("rustc", "rust")
        for program in ("rust_work", "rust_work.O0"):
            profile, result = profile_run([fixture(program)], user)
            self.assertComplete(profile)
            self.assertTotal(profile, result)


if __name__ == "__main__":
    main()
