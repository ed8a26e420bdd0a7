#!/usr/bin/env bash
# From a fresh Debian 12 machine to a profile, in one command: installs what is missing, builds the release, profiles a
# real program (xz, compressing on two threads), prints its hottest functions, and says where the profile is.
#
#   tools/demo.sh [COMMAND ARGUMENTS...]     profiles that command instead
set -euo pipefail
cd "$(dirname "$0")/.."

tools/bootstrap.sh --build-only
echo "== build" >&2
configured=$(cmake --preset release -DRINGSIDE_TESTS=OFF -DRINGSIDE_BENCH=OFF -B build/demo 2>&1) ||
    { echo "$configured" >&2 && exit 1; }
cmake --build build/demo -- --quiet

work=$(mktemp -d "${TMPDIR:-/tmp}/ringside-demo.XXXXXX")
profile=$work/cpu.pb.gz
if [ $# -eq 0 ]; then
    # Text that compresses neither trivially nor not at all, and is the same everywhere.
    python3 -c '
import random
random.seed(1)
words = ["%x" % random.getrandbits(random.randint(8, 40)) for _ in range(20000)]
for _ in range(400000):
    print(" ".join(random.choices(words, k=8)))' >"$work/text"
    set -- xz -k -T2 -6 --block-size=8MiB "$work/text"
fi

echo "== ringside -O $profile $*" >&2
build/demo/ringside --frequency 499 -O "$profile" "$@" || echo "(the command ended with status $?)" >&2
rm -f "$work/text" "$work/text.xz"

echo "== hottest functions"
if command -v go >/dev/null; then
    go tool pprof -symbolize=none -top -nodecount=12 "$profile" 2>/dev/null
else
    python3 test/tools/pprof_check.py --summary "$profile"
fi
cat <<END

The profile is $profile
Open it as a flame graph:  go tool pprof -http=: $profile        (Debian package golang-go)
or drop the file on https://www.speedscope.app (it stays in your browser).
END
