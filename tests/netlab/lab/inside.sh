#!/usr/bin/env bash
# Inside, on a writable root: network, servers, mounts; then the scenario; then power off.
#
#   inside.sh LAB JOB       (folders as seen from inside)
set -u
LAB=$1 JOB=$2
export LAB JOB PYTHONDONTWRITEBYTECODE=1 PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
exec >>"$JOB/said" 2>&1 </dev/null

power_off() {
    echo "$1" >"$JOB/status"
    python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
}
give_up() {
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

# Nothing here has a name server: programs that ask for one would wait for it.
: >/etc/resolv.conf
printf '127.0.0.1 localhost\n10.20.1.1 server-a\n10.20.2.1 server-b\n' >/etc/hosts
hostname client

network_up "$RATE" "$DELAY" "$MTU" || give_up network
for side in a b; do
    mkdir -p "/srv/$side"
    mount -t tmpfs -o size=90% "srv-$side" "/srv/$side"
done
mkdir -p /mnt/src /mnt/dst
server_up a "$SOURCE_PROTOCOL" || give_up "server a"
server_up b "$DEST_PROTOCOL" || give_up "server b"
share_up a "$SOURCE_PROTOCOL" /mnt/src "$MOUNT_OPTIONS" || give_up "mount of a"
share_up b "$DEST_PROTOCOL" /mnt/dst "$MOUNT_OPTIONS" || give_up "mount of b"
# The first write waits for the server's grace period; nobody wants to measure that.
for mount in /mnt/src /mnt/dst; do
    { echo >"$mount/.first" && rm "$mount/.first"; } || give_up "$mount cannot be written"
done

# The subshell ends at the first error; the exit status tells of it.
(
    set -eu
    # shellcheck source=/dev/null
    . "$SCENARIO"
)
power_off $?
