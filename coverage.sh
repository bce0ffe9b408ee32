#!/usr/bin/env bash
# Reports which lines the tests cover, with a total.
#
#   ./coverage.sh          writes coverage/html/index.html and prints the table
#
# Needs cargo-llvm-cov (installed by cargo if missing) and the llvm tools of the
# same version as rustc's LLVM: those of the toolchain (rustup component add
# llvm-tools), or a package such as Debian's llvm-22 (installed by apt if this
# runs as root).

set -eu
cd "$(dirname "$0")"

llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')

find_tool() { # find_tool NAME: its path, from the toolchain or the system
    local tool
    tool=$(find "$(rustc --print sysroot)" -name "$1" -type f 2>/dev/null | head -1)
    [ -n "$tool" ] || tool=$(command -v "$1-$llvm" || true)
    [ -n "$tool" ] || tool=$(ls "/usr/lib/llvm-$llvm/bin/$1" 2>/dev/null || true)
    printf '%s' "$tool"
}

if [ -z "$(find_tool llvm-cov)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq "llvm-$llvm" >/dev/null || true
fi
LLVM_COV=$(find_tool llvm-cov)
LLVM_PROFDATA=$(find_tool llvm-profdata)
if [ -z "$LLVM_COV" ] || [ -z "$LLVM_PROFDATA" ]; then
    echo "llvm-cov and llvm-profdata of LLVM $llvm are needed:" >&2
    echo "  rustup component add llvm-tools, or the package llvm-$llvm" >&2
    exit 1
fi
export LLVM_COV LLVM_PROFDATA
command -v cargo-llvm-cov >/dev/null || cargo install cargo-llvm-cov --locked

runner=test
command -v cargo-nextest >/dev/null && runner=nextest
cargo llvm-cov $runner --workspace --all-features --no-report
# The conformance suite and the mocks are test code.
ignore='(conformance|mock\.rs|/tests/)'
cargo llvm-cov report --workspace --html --output-dir coverage --ignore-filename-regex "$ignore"
cargo llvm-cov report --workspace --ignore-filename-regex "$ignore" >coverage/summary.txt
sed -n '1,2p' coverage/summary.txt
awk 'NR > 2 { print }' coverage/summary.txt
echo "report: coverage/html/index.html"
grep '^TOTAL' coverage/summary.txt | awk '{ print "lines covered: " $10 }'
