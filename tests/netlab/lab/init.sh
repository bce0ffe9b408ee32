#!/busybox sh
# The first process inside: mounts the host's files and a writable layer over them, and continues there.
# shellcheck shell=sh
set -eu
box() { /busybox "$@"; }
host_files="trans=virtio,version=9p2000.L,msize=524288"
box mount -t proc proc /proc
# Their names begin with their order.
for module in /modules/*; do box insmod "$module"; done
box mkdir /lower /layer/scratch
box mount -t 9p -o "$host_files,cache=loose,ro" host /lower
box mount -t overlay -o lowerdir=/lower,upperdir=/layer/changes,workdir=/layer/scratch root /root
cd /root
box mkdir -p host job proc sys dev run tmp mnt
box mount --bind /lower host
box mount -t proc proc proc
box mount -t sysfs sys sys
box mount -t devtmpfs dev dev
box ln -s /proc/self/fd dev/fd
box mkdir -p dev/pts dev/shm
box mount -t devpts pts dev/pts
box mount -t tmpfs run run
box mount -t tmpfs tmp tmp
# The folder for settings and results.
box mount -t 9p -o "$host_files,cache=none" job job
exec /busybox chroot /root /bin/bash /lab/lab/inside.sh /lab/lab /job
