#!/usr/bin/env bash
# Prints the version of the newest kernel that is installed with its modules, for the simulated machine; or nothing.
# NETLAB_KERNEL: the version of another kernel.
set -eu
[ -z "${NETLAB_KERNEL:-}" ] || { echo "$NETLAB_KERNEL" && exit; }
for kernel in /boot/vmlinuz-*; do
    version=${kernel#/boot/vmlinuz-}
    if [ -r "$kernel" ] && find "/lib/modules/$version/kernel/fs/nfsd" -name 'nfsd.ko*' 2>/dev/null | grep -q .; then
        echo "$version"
    fi
done | sort -V | tail -n 1
