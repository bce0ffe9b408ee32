#!/bin/sh
# The first process inside: puts a writable layer over the host's root, which is mounted read-only, and goes on there.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
here=$(dirname "$0")
mount -t proc proc /proc
# shellcheck disable=SC2013
for word in $(cat /proc/cmdline); do
    case $word in netlab=*) job=${word#netlab=} ;; esac
done
# /mnt is only a place to stand on; what lies there on the host is not looked at.
mount -t tmpfs -o size=50% layer /mnt
mkdir /mnt/changes /mnt/scratch /mnt/root
kernel=$(uname -r)
# modprobe looks in /lib/modules, which cannot be written yet.
insmod "/usr/lib/uml/modules/$kernel/kernel/fs/overlayfs/overlay.ko"
mount -t overlay -o lowerdir=/,upperdir=/mnt/changes,workdir=/mnt/scratch root /mnt/root
cd /mnt/root || exit
mkdir -p host lib/modules proc sys dev run tmp mnt
ln -sfn "/usr/lib/uml/modules/$kernel" "lib/modules/$kernel"
mount -t proc proc proc
mount -t sysfs sys sys
mount --bind /dev dev
mount -t tmpfs run run
mount -t tmpfs tmp tmp
# The host itself, writable: the way for results to get out.
mount -t hostfs -o / host host
exec chroot . /bin/bash "/host$here/inside.sh" "/host$here" "/host$job"
