# The two file servers, and their mounts on the client. To be sourced.
#
# The files of server a are in /srv/a, those of server b in /srv/b, both in memory: disks are not measured.

address_of() { case $1 in a) echo 10.20.1.1 ;; b) echo 10.20.2.1 ;; esac; }

# Waits until a server listens. The time is meaningless, as starting it reads the host's files.
listens() { # SIDE PORT
    local attempt
    for attempt in $(seq 3000); do
        ip netns exec "server-$1" bash -c ": </dev/tcp/127.0.0.1/$2" 2>/dev/null && return
        sleep 0.1
    done
    echo "server $1 does not listen on port $2 after $attempt attempts"
    return 1
}

server_up() { # SIDE PROTOCOL
    case $2 in
    nfs3 | nfs4) nfs_server_up "$1" "$2" && listens "$1" 2049 ;;
    smb) smb_server_up "$1" && listens "$1" 445 ;;
    *) echo "no such protocol: $2" && return 1 ;;
    esac
}

# Each server has its own mount namespace: the kernel has one NFS server for each network namespace, but its user-space
# tools keep their state in files.
nfs_server_up() { # SIDE PROTOCOL
    local module
    for module in nfsd nfs nfsv3 nfsv4; do modprobe "$module" || return 1; done
    cat >"/tmp/nfs-$1.sh" <<SETUP
set -eu
hostname server-$1
mount -t tmpfs state /var/lib/nfs
mkdir -p /var/lib/nfs/sm /var/lib/nfs/rpc_pipefs /var/lib/nfs/v4recovery
touch /var/lib/nfs/etab /var/lib/nfs/rmtab
mount -t nfsd nfsd /proc/fs/nfsd
for time in nfsv4leasetime nfsv4gracetime; do echo 10 >/proc/fs/nfsd/\$time; done
if [ $2 = nfs3 ]; then
    mount -t tmpfs run /run
    mkdir /run/rpcbind
    rpcbind
fi
# async: the speed of disk flushes is not measured here.
exportfs -o rw,async,no_root_squash,no_subtree_check,fsid=0 "*:/srv/$1"
if [ $2 = nfs3 ]; then
    rpc.mountd -N 4
    rpc.nfsd -V 3 -N 4 8
else
    rpc.mountd -N 2 -N 3
    rpc.nfsd -N 3 -V 4.2 8
    # If this fails, the first write waits for ten seconds.
    echo Y >/proc/fs/nfsd/v4_end_grace || true
fi
SETUP
    ip netns exec "server-$1" unshare -m -u bash "/tmp/nfs-$1.sh" >"/tmp/nfs-$1.log" 2>&1 || {
        cat "/tmp/nfs-$1.log"
        return 1
    }
}

smb_server_up() { # SIDE
    local state=/tmp/smb-$1
    modprobe cifs || return 1
    mkdir -p "$state"
    cat >"$state/smb.conf" <<CONF
[global]
server role = standalone server
netbios name = server-$1
disable netbios = yes
smb ports = 445
bind interfaces only = no
map to guest = bad user
guest account = root
load printers = no
disable spoolss = yes
printcap name = /dev/null
dns proxy = no
private dir = $state
lock directory = $state
state directory = $state
cache directory = $state
pid directory = $state
ncalrpc dir = $state/rpc
log file = $state/log
[share]
path = /srv/$1
guest ok = yes
read only = no
force user = root
CONF
    ip netns exec "server-$1" unshare -u bash -c "hostname server-$1; smbd -D -s $state/smb.conf"
}

# Mounts a share with the defaults of the client and additional OPTIONS. A server that still reads the host's files may
# respond too late the first time.
share_up() { # SIDE PROTOCOL FOLDER OPTIONS
    local attempt
    for attempt in 1 2 3 4 5; do
        mount_share "$@" && return
        sleep 1
    done
    echo "$3 cannot be mounted after $attempt attempts"
    return 1
}

mount_share() { # as share_up
    local from options=${4:+,$4}
    from=$(address_of "$1")
    case $2 in
    nfs4) timeout 900 mount -t nfs4 -o "vers=4.2,hard$options" "$from:/" "$3" ;;
    nfs3) timeout 900 mount -t nfs -o "vers=3,nolock,proto=tcp,mountproto=tcp,hard$options" "$from:/srv/$1" "$3" ;;
    smb) timeout 900 mount -t cifs -o "guest,vers=3.1.1$options" "//$from/share" "$3" ;;
    esac
}

# Remounts both shares with other options.
remount_shares() { # OPTIONS
    umount /mnt/src /mnt/dst
    share_up a "$SOURCE_PROTOCOL" /mnt/src "$1" && share_up b "$DEST_PROTOCOL" /mnt/dst "$1"
}
