#!/usr/bin/env bash
# clang-tidy with the repository's .clang-tidy over src/. Exit 0 clean, 1 findings, 77 cannot tell (no clang-tidy).
#
#   tools/check_tidy.sh BUILD_DIR [FILE...]    BUILD_DIR holds compile_commands.json
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:?build directory}
shift
command -v clang-tidy >/dev/null || { echo "skipped: no clang-tidy (package clang-tidy)"; exit 77; }
[ -f "$build/compile_commands.json" ] || { echo "no compile_commands.json in $build"; exit 1; }
if [ $# -eq 0 ]; then
    mapfile -t files < <(find src -name '*.c' | sort)
    set -- "${files[@]}"
fi
[ $# -gt 0 ] || exit 0
# A few files at a time keep both processors busy; "warnings generated" and other summaries are noise.
printf '%s\0' "$@" | xargs -0 -n 4 -P "$(nproc)" clang-tidy -p "$build" --quiet --warnings-as-errors='*' 2>/dev/null
