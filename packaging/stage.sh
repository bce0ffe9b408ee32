#!/usr/bin/env bash
# Makes what packages hold besides the program and files of this repository: man pages, completions, the changelog of
# the Debian package, and the licences of the crates that are linked into the program. All is in target/package.
#
#   packaging/stage.sh [--no-build]      --no-build: with the program that is in target/release
#
# Dates are that of the last commit, so that two builds of one commit are alike.

set -euo pipefail
cd "$(dirname "$0")/.."
program=${CARGO_TARGET_DIR:-target}/release/towpath
stage=target/package
[ "${1:-}" = --no-build ] || cargo build --release --locked --features all-backends
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

rm -rf "$stage"
mkdir -p "$stage/completions"
"$program" man --dir "$stage/man"
"$program" completions bash >"$stage/completions/towpath"
"$program" completions zsh >"$stage/completions/_towpath"
"$program" completions fish >"$stage/completions/towpath.fish"
packaging/third-party.py | gzip -9n >"$stage/THIRD-PARTY.gz"

version=$("$program" --version)
cat >"$stage/changelog.Debian" <<END
towpath (${version#towpath }-1) unstable; urgency=medium

  * What changed is in changelog.gz.

 -- ${DEBFULLNAME:-The Towpath developers} <${DEBEMAIL:-towpath@localhost}>  $(date -Ru -d "@$SOURCE_DATE_EPOCH")
END
