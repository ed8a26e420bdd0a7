#!/usr/bin/env bash
# Installs what is missing, builds everything, runs every test. Ends with ctest's own summary.
#
#   tools/test.sh [--fuzz-seconds N] [--no-install] [CTEST ARGUMENTS...]
#
#   --fuzz-seconds N  how long each fuzz target runs (default 10)
#   --no-install      use what is there
#
# Further arguments go to ctest, for example: tools/test.sh -R kernel.forks -V
# Tests that need what this machine lacks skip; with REQUIRE=perf,go,... in the environment the named ones fail instead.
# By default everything is required: this is what CI runs.
set -euo pipefail
cd "$(dirname "$0")/.."

fuzz_seconds=10
install=yes
while [ $# -gt 0 ]; do
    case $1 in
    --fuzz-seconds)
        fuzz_seconds=${2:?--fuzz-seconds wants a number}
        shift 2
        ;;
    --no-install)
        install=no
        shift
        ;;
    *) break ;;
    esac
done

[ $install = no ] || tools/bootstrap.sh --all
export REQUIRE=${REQUIRE-perf,tools,fixtures,go,rust,node,redis,musl,clang,strace,perf-tool}

# One ctest at the end covers all builds: the release build's tests run the programs the others built.
presets=(dev asan clang fuzz release)
for preset in "${presets[@]}"; do
    extra=()
    [ "$preset" != release ] || extra=(-DRINGSIDE_OTHER_BUILDS=ON "-DRINGSIDE_FUZZ_SECONDS=$fuzz_seconds")
    echo "== build $preset" >&2
    # Configuring is only interesting when it fails.
    configured=$(cmake --preset "$preset" "${extra[@]}" 2>&1) || { echo "$configured" >&2 && exit 1; }
    cmake --build --preset "$preset" -- --quiet
done

exec ctest --test-dir build/release -j "$(nproc)" --output-on-failure --no-tests=error "$@" </dev/null
