#!/usr/bin/env bash
# Packs the program with its man pages, completions and documents, to be unpacked in /usr/local. Two runs with one
# program give the same bytes. Its last lines are the paths of the archive and of its checksum.
#
#   packaging/tarball.sh [--no-build]      --no-build: with the program that is in target/release

set -euo pipefail
cd "$(dirname "$0")/.."
packaging/stage.sh "$@"
program=${CARGO_TARGET_DIR:-target}/release/towpath
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
version=$("$program" --version)
name=towpath-${version#towpath }-$(uname -m)-linux-gnu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/$name
doc=$root/share/doc/towpath

install -D -m 755 "$program" "$root/bin/towpath"
strip "$root/bin/towpath" 2>/dev/null || true
install -D -m 644 -t "$root/share/man/man1" target/package/man/*.1
install -D -m 644 target/package/completions/towpath "$root/share/bash-completion/completions/towpath"
install -D -m 644 target/package/completions/_towpath "$root/share/zsh/site-functions/_towpath"
install -D -m 644 target/package/completions/towpath.fish "$root/share/fish/vendor_completions.d/towpath.fish"
install -D -m 644 -t "$doc" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE target/package/THIRD-PARTY.gz
install -D -m 644 -t "$doc/docs" docs/*.md docs/*g
for folder_of_examples in packaging/systemd packaging/prometheus packaging/grafana; do
    [ ! -d "$folder_of_examples" ] || install -D -m 644 -t "$doc/examples" "$folder_of_examples"/*
done
install -D -m 644 -t "$doc/examples" packaging/config.toml

mkdir -p target/dist
archive=target/dist/$name.tar.gz
tar --create --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=ustar \
    --directory="$folder" "$name" | gzip -9n >"$archive"
(cd target/dist && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
printf '%s\n' "$archive" "$archive.sha256"
