#!/usr/bin/env bash
# Runs all tests, and lists at the end those that this machine cannot run, with what they need.
#
#   tests/run.sh [ARGUMENT]…     arguments of cargo nextest run or, where it is not installed, of cargo test
#
# Needs Rust and a C compiler. With nextest the last line is its summary.

set -euo pipefail
cd "$(dirname "$0")/.."
SKIPPED_TESTS=$(mktemp)
export SKIPPED_TESTS
trap 'rm -f "$SKIPPED_TESTS"' EXIT

list_skipped() { # how many tests were skipped in whole or in part, and each with its reason
    echo "SKIPPED $(sed 's/: .*//' "$SKIPPED_TESTS" | sort -u | wc -l) tests, in whole or in part"
    sort -u "$SKIPPED_TESTS" | sed 's/^/  /'
}

if cargo nextest --version >/dev/null 2>&1; then
    # The summary comes when all tests have ended: the list goes before it.
    cargo nextest run --workspace --all-features "$@" 2>&1 | while IFS= read -r line; do
        [[ $line != *"Summary ["* ]] || list_skipped
        printf '%s\n' "$line"
    done
else
    status=0
    cargo test --workspace --all-features "$@" || status=$?
    list_skipped
    exit "$status"
fi
