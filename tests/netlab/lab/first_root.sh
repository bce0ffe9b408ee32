#!/usr/bin/env bash
# Creates the archive that the machine boots from: access to the host's files, and the tools that run from memory.
#
#   first_root.sh FOLDER KERNEL TOWPATH      creates FOLDER.cpio
#
# NETLAB_TOOLS: more programs to run from memory, such as perf.
#
# The time to read files of the host is meaningless inside. So the tools, the files they load and the kernel's modules
# are part of the archive, in the layer over the host's files.
set -eu
here=$(dirname "$(readlink -f "$0")")
folder=$1 kernel=$2 towpath=$3
FIRST_MODULES="virtio_pci 9p 9pnet_virtio overlay"
MODULES="veth sch_tbf sch_netem sch_fq_codel nfsd nfs nfsv3 nfsv4 rpcsec_gss_krb5 cifs"
TOOLS="python3 rsync rclone fpart fpsync ip tc ethtool modprobe kmod mount mount.nfs mount.cifs umount unshare chroot
    rpcbind exportfs rpc.mountd rpc.nfsd smbd hostname timeout find diff bash sh env sed awk grep cat cut tr sort uniq
    wc ls ps pgrep kill mktemp basename dirname date tee seq cp rm mv mkdir dd head tail touch sync sleep id readlink ${NETLAB_TOOLS:-}"

modules() { # NAME…: their files, each after its dependencies
    local module
    for module in "$@"; do modprobe -S "$kernel" --show-depends "$module" 2>/dev/null || true; done |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}
programs() { # NAME…: their files and their libraries
    local tool
    for tool in "$@"; do
        tool=$(command -v "$tool") || continue
        [ -f "$tool" ] || continue
        echo "$tool"
        { ldd "$tool" 2>/dev/null || true; } | grep -o '/[^ ]*' || true
    done
}
loaded_later() { # files that they and the kernel open by name: modules of Samba and the name service, ciphers
    find "/lib/modules/$kernel/kernel/"{crypto,lib/crypto,arch/x86/crypto,fs/nls} -type f 2>/dev/null || true
    find /usr/lib/*/samba /usr/share/samba /etc/samba -type f 2>/dev/null || true
    find /usr/lib/*/ -maxdepth 1 -name 'libnss_*.so*' 2>/dev/null || true
    find /etc -maxdepth 1 -type f -readable
}
python_modules() {
    python3 - "$here" <<'END'
import os, sys
sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
for name in os.listdir(sys.argv[1]):
    if name.endswith(".py"):
        __import__(name[:-3])
for module in list(sys.modules.values()):
    for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
        if path and os.path.exists(path) and not path.startswith(sys.argv[1]):
            print(path)
END
}

layer=$folder/layer/changes
mkdir -p "$folder/modules" "$folder/proc" "$folder/dev" "$folder/root" "$layer/usr/local/bin" "$layer/lab"
cp "$(command -v busybox)" "$folder/busybox"
cp "$here/init.sh" "$folder/init"
chmod +x "$folder/init"
# shellcheck disable=SC2086
modules $FIRST_MODULES | nl -n rz | while read -r number module; do
    case $module in
    *.xz) xz -dc "$module" ;;
    *.zst) zstd -dcq "$module" ;;
    *) cat "$module" ;;
    esac >"$folder/modules/$number"
done
# shellcheck disable=SC2086
{ modules $MODULES && programs $TOOLS && loaded_later && python_modules && ls "/lib/modules/$kernel"/modules.*; } |
    xargs readlink -f | sort -u | (cd / && xargs cp -p --parents -t "$layer")
cp "$towpath" "$layer/usr/local/bin/towpath"
cp -r "$here/../lab" "$here/../scenarios" "$layer/lab/"
(cd "$folder" && find . | cpio --quiet -o -H newc) >"$folder.cpio"
rm -r "$folder"
