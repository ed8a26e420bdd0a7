#!/usr/bin/env bash
# From a fresh Debian 12 machine to a profile, in one command: installs what is missing, builds the release, profiles a
# real program (gcc, compiling a part of this repository), prints its hottest functions, and says where the profile is.
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
    cat >"$work/compile.sh" <<'END'
for source in src/base/*.c src/process/*.c src/unwind/*.c; do
    gcc -D_GNU_SOURCE -O2 -g -Iinclude -I"${source%/*}" -c "$source" -o /dev/null
done
END
    set -- sh "$work/compile.sh"
fi

echo "== ringside -O $profile $*" >&2
build/demo/ringside --frequency 499 -O "$profile" "$@" || echo "(the command ended with status $?)" >&2
rm -f "$work/compile.sh"

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
