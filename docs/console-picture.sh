#!/usr/bin/env bash
# Makes docs/console.svg from a real run: what a terminal shows in the middle of a migration. docs/page-picture.sh makes that of
# the page.
#
#   docs/console-picture.sh [PROGRAM]      default: target/release/towpath
#
# Needs root, for file systems of its own at /mnt and /home, and python3 with pyte, which it installs into target/picture.

set -euo pipefail
cd "$(dirname "$0")/.."
program=$(realpath "${1:-target/release/towpath}")
[ -x target/picture/bin/python ] || python3 -m venv target/picture
target/picture/bin/python -c 'import pyte' 2>/dev/null || target/picture/bin/pip install -q pyte==0.8.2
[ -n "${TOWPATH_UNSHARED:-}" ] || exec env TOWPATH_UNSHARED=1 unshare --net --mount --propagation private "$0" "$program"

# Gone with this script.
mount -t tmpfs -o size=1300m towpath-pictures /mnt
mount -t tmpfs towpath-pictures /home
mkdir -p /mnt/old/{archive,photos/2026,reports} /mnt/new /home/you
for year in 2024 2025 2026; do head -c 90M /dev/urandom >"/mnt/old/archive/backup-$year.tar"; done
for number in $(seq -w 240); do head -c 800K /dev/urandom >"/mnt/old/photos/2026/IMG_$number.jpg"; done
for number in $(seq -w 60); do head -c 120K /dev/urandom >"/mnt/old/reports/report-$number.pdf"; done

export HOME=/home/you
unset XDG_STATE_HOME XDG_CONFIG_HOME
target/picture/bin/python docs/console-picture.py 12 docs/console.svg 'towpath sync /mnt/old /mnt/new --bwlimit 20M' \
    "$program" sync /mnt/old /mnt/new --bwlimit 20M
ls -l docs/console.svg
