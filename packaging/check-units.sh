#!/usr/bin/env bash
# Boots a machine with systemd and the Debian package, where a timer starts a job that has a hook.
#
#   packaging/check-units.sh [PACKAGE]      default: the newest in target/debian
#
# Needs root, mmdebstrap, mke2fs, qemu-system-x86_64, a kernel in /boot that is readable, and packages of this machine's
# release; without one of them it says SKIPPED. Takes a minute. Prints what the machine reports.

set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "SKIPPED: the check of the units: $*"; exit 0; }
fail() { echo "check-units.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || skip "needs root"
for program in mmdebstrap mke2fs qemu-system-x86_64; do
    command -v "$program" >/dev/null || skip "needs $program"
done
kernel=$(find /boot -name 'vmlinuz-*' | sort -V | tail -1)
initrd=/boot/initrd.img-${kernel#*vmlinuz-}
[ -r "$kernel" ] || skip "needs a kernel in /boot (package linux-image-amd64)"
[ -r "$initrd" ] || skip "needs the initrd of $kernel"
package=${1:-$(find target/debian -name 'towpath_*.deb' -printf '%T@ %p\n' | sort -n | tail -1 | cut -d ' ' -f 2-)}
[ -n "$package" ] || fail "there is no package: packaging/build-deb.sh builds it"
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
folder=$(mktemp -d)
trap 'rm -rf --one-file-system "$folder"' EXIT
root=$folder/root report=$folder/report

timeout 300 mmdebstrap --variant=minbase --include=systemd,systemd-sysv,udev,dbus,kmod --quiet --mode=root "$release" "$root" \
    >"$folder/log" 2>&1 || skip "no $release with systemd: $(tail -1 "$folder/log")"
cp "$package" "$root/towpath.deb"
chroot "$root" dpkg -i /towpath.deb >"$folder/log" 2>&1 || { cat "$folder/log" >&2; fail "the package cannot be installed"; }

mkdir -p "$root/trees/old" "$root/etc/towpath" "$root/etc/systemd/system/towpath@demo.timer.d"
for number in $(seq 300); do echo "$number" >"$root/trees/old/$number"; done
install -m 600 /dev/stdin "$root/etc/towpath/config.toml" <<'JOB'
[job.demo]
source = "/trees/old"
dest = "/trees/new"
on-event = "cat >>/trees/hook.json; echo >>/trees/hook.json"
JOB
cat >"$root/etc/systemd/system/towpath@demo.timer.d/soon.conf" <<'TIMER'
[Timer]
OnCalendar=
OnBootSec=5s
RandomizedDelaySec=0
TIMER
# Reports what happened, and switches the machine off.
cat >"$root/report.sh" <<'REPORT'
for second in $(seq 120); do
    grep -q '"event":"finished"' /trees/hook.json && break
    sleep 1
done 2>/dev/null
sleep 2
{
    systemctl --no-pager --lines=0 status towpath@demo.service towpath@demo.timer
    journalctl --no-pager --quiet -u towpath@demo.service
    cat /trees/hook.json
    diff -r /trees/old /trees/new && echo "the trees are the same"
    XDG_STATE_HOME=/var/lib HOME=/root towpath status --job demo
} >/dev/ttyS1 2>&1
systemctl --force poweroff
REPORT
cat >"$root/etc/systemd/system/report.service" <<'UNIT'
[Service]
ExecStart=/bin/sh /report.sh
[Install]
WantedBy=multi-user.target
UNIT
chroot "$root" systemctl --quiet enable towpath@demo.timer report.service
mke2fs -q -t ext4 -d "$root" "$folder/disk" 1500M

timeout 300 qemu-system-x86_64 -accel tcg -m 1024 -kernel "$kernel" -initrd "$initrd" \
    -drive "file=$folder/disk,format=raw,if=virtio" -append "root=/dev/vda rw console=ttyS0 quiet" \
    -display none -monitor none -serial "file:$folder/console" -serial "file:$report" -no-reboot </dev/null \
    || { tail -20 "$folder/console" >&2; fail "the machine did not switch itself off within 300 s"; }
tr -d '\r' <"$report" >"$report.txt"
cat "$report.txt"
expect() { grep -q -- "$1" "$report.txt" || fail "the report has no line with: $1"; }
expect 'TriggeredBy: .* towpath@demo.timer'
expect 'code=exited, status=0/SUCCESS'
expect 'Status: "done: sent 300 files'
expect 'Started towpath@demo.service'
expect '"event":"finished"'
expect 'the trees are the same'
expect '^finished'
echo "the timer started the job, systemd followed it, and its hook ran"
