#!/usr/bin/env bash
# Is every C file formatted as .clang-format says? Exit 0 yes, 1 no, 77 cannot tell (no clang-format).
# tools/check_format.sh --fix formats them.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v clang-format >/dev/null || { echo "skipped: no clang-format (package clang-format)"; exit 77; }
mode=(--dry-run --Werror)
[ "${1-}" != --fix ] || mode=(-i)
find include src test tools -name '*.[ch]' -print0 | xargs -0 --no-run-if-empty clang-format "${mode[@]}" || exit 1
