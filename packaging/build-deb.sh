#!/usr/bin/env bash
# Builds the Debian package, with all storages. Its last line is the path of the package.
#
#   packaging/build-deb.sh [--no-build]      --no-build: with the program that is in target/release
#
# DEBFULLNAME and DEBEMAIL name the maintainer, as for Debian's own tools. Needs cargo-deb, which it installs into
# target/tools where it is missing, and dpkg-dev, which finds out the libraries that the package depends on.

set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/target/tools/bin:$PATH"
command -v dpkg-shlibdeps >/dev/null || { echo "build-deb.sh: needs dpkg-shlibdeps (package dpkg-dev)" >&2; exit 1; }
command -v cargo-deb >/dev/null || cargo install -q cargo-deb --locked --version 3.8.0 --root target/tools
packaging/stage.sh "$@"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH
cargo deb --quiet --no-build --maintainer "${DEBFULLNAME:-The Towpath developers} <${DEBEMAIL:-towpath@localhost}>" \
    --output target/debian/
