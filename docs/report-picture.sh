#!/bin/sh
# Makes docs/report.png, the first page of a report, from a real run of four minutes. Needs chromium and minisign, and
# 500 MB in /tmp.
#
#     cargo build --release && docs/report-picture.sh
set -eu
cd "$(dirname "$0")/.."
picture=${TOWPATH_PICTURE:-$PWD/docs/report.png}
towpath=${TOWPATH:-$PWD/target/release/towpath}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A mount namespace of its own, so that /mnt can be anything.
cat >"$work/session.sh" <<'SESSION'
set -eu
mount --bind "$work" /mnt
mkdir -p /mnt/old/mail /mnt/old/scans /mnt/old/cache /mnt/state && cd /mnt/state
for number in $(seq 900); do head -c $((number * 37 % 900 * 700)) /dev/urandom >"/mnt/old/mail/$number.eml"; done
for number in $(seq 6); do head -c $((number * 3000000)) /dev/urandom >"/mnt/old/scans/$number.tif"; done
touch /mnt/old/cache/1.tmp /mnt/old/draft.tmp
mkfifo /mnt/old/spool
ln -s mail/1.eml /mnt/old/first
"$towpath" sync /mnt/old /mnt/new --database db --log-file log --exclude '*.tmp' --audit-chain --bwlimit 3M --quiet
rm /mnt/old/mail/7.eml
"$towpath" sync /mnt/old /mnt/new --database db --log-file log --exclude '*.tmp' --delete-extras --rescan --quiet
"$towpath" verify --database db --quiet
yes '' | minisign -G -W -p key.pub -s key.sec >key.log
"$towpath" manifest --database db --format sha256sum --output new.sha256 --sign key.sec
"$towpath" report --database db --html report.html --manifest new.sha256 --public-key key.pub
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-device-scale-factor=1.25 \
    --window-size=1000,2330 --screenshot=/mnt/report.png file:///mnt/state/report.html 2>chromium.log
SESSION
export work towpath
unshare --mount sh "$work/session.sh"
cp "$work/report.png" "$picture"
