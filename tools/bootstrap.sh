#!/usr/bin/env bash
# Installs what building and testing Ringside needs on Debian 12. The one list of packages.
#
#   tools/bootstrap.sh [--build-only | --all] [--list]
#
#   --build-only  what compiling and running Ringside takes
#   --all         that and what the tests use (default)
#   --list        print the packages that would be installed and stop
#
# Installs only what is missing and touches nothing else; with nothing missing it takes well under a second.
set -euo pipefail

# PACKAGE, or COMMAND=PACKAGE: that package is only wanted when the command is not there already, from wherever.
build_list=(
    gcc=gcc ld=binutils cmake=cmake ninja=ninja-build pkg-config=pkg-config protoc-c=protobuf-c-compiler
    libc6-dev libcap-dev libcurl4-openssl-dev libdw-dev libelf-dev liblzma-dev libbz2-dev libiberty-dev libinih-dev libisal-dev libjemalloc-dev libprotobuf-c-dev libseccomp-dev zlib1g-dev
    libcmocka-dev # the unit tests are part of the default build
    xz=xz-utils python3=python3 # what tools/demo.sh profiles, and reads profiles with
)
test_list=(
    "g++=g++" clang=clang libclang-rt-14-dev clang-format=clang-format clang-tidy=clang-tidy cppcheck=cppcheck # second compiler, fuzzing, checks
    go=golang-go rustc=rustc node=nodejs musl-gcc=musl-tools # programs in other languages to profile
    # Debian's redis-server package is a start script and a link to this program; without it nothing is started.
    redis-check-rdb=redis-tools
    protoc=protobuf-compiler # independent decoder of what is sent
    nginx=nginx-light openssl=openssl curl=curl # real servers in front of the tests' own
    python3-yaml # the files of docs/examples
    strace=strace perf=linux-perf setpriv=util-linux setcap=libcap2-bin ps=procps git=git
)

wanted=("${build_list[@]}" "${test_list[@]}")
list_only=no
for arg in "$@"; do
    case $arg in
    --build-only) wanted=("${build_list[@]}") ;;
    --all) ;;
    --list) list_only=yes ;;
    *)
        echo "bootstrap: unknown option '$arg' (--build-only, --all, --list)" >&2
        exit 2
        ;;
    esac
done

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
for want in "${wanted[@]}"; do
    package=${want#*=}
    if [ "$package" != "$want" ]; then
        command -v "${want%%=*}" >/dev/null || missing+=("$package")
    else
        is_installed "$package" || missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi
if [ $list_only = yes ]; then
    printf '%s\n' "${missing[@]}"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "bootstrap: no apt-get here; install what these Debian packages hold: ${missing[*]}" >&2
    exit 1
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "bootstrap: not root and no sudo; as root run: apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    echo "bootstrap: not root, asking sudo to install: ${missing[*]}" >&2
    as_root=(sudo)
else
    echo "bootstrap: installing ${missing[*]}" >&2
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
        -o Acquire::http::Timeout=60 -o Acquire::Retries=3 "$@" </dev/null >&2
}
install() {
    apt install -y --no-install-recommends "${missing[@]}"
}
# Package lists may be absent (containers) or too old to fetch from.
if [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ] && install; then
    exit 0
fi
# A server may be away for a moment; update succeeds even when it got no list, so both are tried again.
for pause in 5 15 0; do
    if apt update && install; then
        exit 0
    fi
    sleep $pause
done
exit 1
