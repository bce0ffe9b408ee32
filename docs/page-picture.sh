#!/bin/sh
# Makes docs/page.png, the page of a run, from a real run of four minutes. As root, with Node.js, chromium, and 3 GiB in
# /tmp; in the font Inter (package fonts-inter), if it is installed.
#
#     cargo build --release && npm ci --prefix tests/page && docs/page-picture.sh
set -eu
cd "$(dirname "$0")/.."
[ -n "${TOWPATH_PICTURE:-}" ] || TOWPATH_PICTURE=$PWD/docs/page.png
export TOWPATH="${TOWPATH:-$PWD/target/release/towpath}" TOWPATH_PICTURE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/fonts.conf" <<'FONTS'
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <match target="pattern"><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
</fontconfig>
FONTS
export FONTCONFIG_FILE="$work/fonts.conf" WORK="$work"
# A mount namespace of its own, so that /mnt can be anything.
mkdir "$work/mnt"
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount sh -c 'mount --bind "$WORK/mnt" /mnt && node tests/page/picture.js "$TOWPATH_PICTURE" "$@"' picture "$@"
