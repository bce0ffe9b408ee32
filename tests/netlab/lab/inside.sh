#!/usr/bin/env bash
# Runs inside, on a writable root: sets up network, servers and mounts, runs the scenario, and powers off.
#
#   inside.sh LAB JOB       (paths inside)
set -u
LAB=$1 JOB=$2
export LAB JOB PYTHONDONTWRITEBYTECODE=1 PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
exec >>"$JOB/output" 2>&1 </dev/null

power_off() {
    echo "$1" >"$JOB/status"
    python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
}
fail_setup() {
    echo "the lab could not be set up: $*"
    dmesg | tail -n 15
    power_off 125
}

# shellcheck source=/dev/null
. "$JOB/settings"
for part in network servers kit; do
    # shellcheck source=/dev/null
    . "$LAB/$part.sh"
done

# There is no name server: programs that need one would wait for it.
: >/etc/resolv.conf
printf '127.0.0.1 localhost\n10.20.1.1 server-a\n10.20.2.1 server-b\n' >/etc/hosts
hostname client

network_up "$RATE" "$DELAY" "$MTU" || fail_setup network
for side in a b; do
    mkdir -p "/srv/$side"
    mount -t tmpfs -o size=90% "srv-$side" "/srv/$side"
done
mkdir -p /mnt/src /mnt/dst
server_up a "$SOURCE_PROTOCOL" || fail_setup "server a"
server_up b "$DEST_PROTOCOL" || fail_setup "server b"
share_up a "$SOURCE_PROTOCOL" /mnt/src "$MOUNT_OPTIONS" || fail_setup "mount of a"
share_up b "$DEST_PROTOCOL" /mnt/dst "$MOUNT_OPTIONS" || fail_setup "mount of b"
# The first write waits for the server's grace period, which must not be measured.
for mount in /mnt/src /mnt/dst; do
    { echo >"$mount/.first" && rm "$mount/.first"; } || fail_setup "$mount cannot be written"
done

# The subshell exits at the first error, with its status.
(
    set -eu
    # shellcheck source=/dev/null
    . "$SCENARIO"
)
power_off $?
