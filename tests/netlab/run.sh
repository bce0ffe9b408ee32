#!/usr/bin/env bash
# Runs towpath and its peers against real NFS and SMB mounts, on this machine alone, and checks what is promised.
#
#   run.sh [OPTION…] [SCENARIO…]     all scenarios of scenarios/, or those named
#
#   --short                fewer cases, for each change: less than 8 minutes
#   --protocols LIST       of "nfs4 nfs3 smb"; also "SOURCE:DEST", such as "nfs4:smb"
#   --mount-options LIST   on top of the defaults, for both mounts
#   --mtu BYTES            instead of the scenario's
#   --towpath FILE         a program that is there, instead of building it
#   --no-peers             towpath alone
#   --tolerant             bounds on speed that are missed are reported, and do not fail; so are labs that cannot be set up
#   --jobs NUMBER          labs at a time (all processors); the time inside does not depend on it
#   --keep                 leaves the folder with each lab's console and records
#
# Results: target/netlab/results.md and results.json. Exit status: 0 all bounds hold, or the lab cannot run here
# (SKIPPED); 1 a bound is missed or a lab failed; 2 wrong usage.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
results=${NETLAB_RESULTS:-$root/target/netlab}
short='' chosen='' mount_options='' towpath='' keep='' no_peers='' tolerant='' mtu='' jobs=$(nproc)

usage() {
    sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p}' "$0"
    exit "$1"
}
while [ $# -gt 0 ]; do
    case $1 in
    --short) short=1 ;;
    --keep) keep=1 ;;
    --no-peers) no_peers=1 ;;
    --tolerant) tolerant=1 ;;
    --protocols) chosen=${2?} && shift ;;
    --mount-options) mount_options=${2?} && shift ;;
    --jobs) jobs=${2?} && shift ;;
    --mtu) mtu=${2?} && shift ;;
    --towpath) towpath=$(readlink -f "${2?}") && shift ;;
    -h | --help) usage 0 ;;
    -*) usage 2 >&2 ;;
    *) break ;;
    esac
    shift
done

scenarios=("$@")
if [ $# -eq 0 ]; then
    scenarios=(duplex limit small rerun)
    [ -n "$short" ] || scenarios+=(auto limit-high scan cache)
fi
for name in "${scenarios[@]}"; do
    [ -f "$here/scenarios/$name.sh" ] || { echo "no such scenario: $name" >&2 && exit 2; }
done

export PYTHONDONTWRITEBYTECODE=1 PATH=$PATH:/usr/sbin:/sbin
# COMMAND PACKAGE …: the first package that is missing, if one is.
missing() {
    while [ $# -gt 0 ]; do
        command -v "$1" >/dev/null || { echo "$2" && return; }
        shift 2
    done
}
missing_for() { # PROTOCOL
    case $1 in
    nfs*) missing rpc.nfsd nfs-kernel-server mount.nfs nfs-common rpcbind rpcbind ;;
    smb) missing smbd samba mount.cifs cifs-utils ;;
    *) echo "no such protocol: $1" >&2 && exit 2 ;;
    esac
}
lacking=$(missing qemu-system-x86_64 qemu-system-x86 busybox busybox-static cpio cpio ip iproute2 ethtool ethtool \
    modprobe kmod python3 python3)
[ "$(uname -m)" = x86_64 ] || lacking="qemu-system-x86 on a machine of its kind, as it runs this machine's programs"
kernel=$("$here/lab/kernel.sh")
if [ -z "$lacking" ] && [ -z "$kernel" ]; then
    lacking="linux-image-amd64 (a kernel in /boot that can be read, with its modules)"
fi
if [ -n "$lacking" ]; then
    echo "SKIPPED: the network lab needs package $lacking"
    exit 0
fi

if [ -z "$towpath" ]; then
    (cd "$root" && cargo build --release --quiet)
    towpath=${CARGO_TARGET_DIR:-$root/target}/release/towpath
fi

mkdir -p "$results"
work=$(mktemp -d)
clean() {
    local labs
    labs=$(jobs -p)
    # shellcheck disable=SC2086
    [ -z "$labs" ] || kill $labs 2>/dev/null || true
    wait
    [ -n "$keep" ] || rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM HUP
# The program as it is now: it may be rebuilt while this runs.
cp "$towpath" "$work/towpath"
"$here/lab/first_root.sh" "$work/first" "$kernel" "$work/towpath"

# What a scenario asks of its lab stands in its first line.
asked() { # NAME WORD DEFAULT
    local found
    found=$(sed -n "1s/.*[ ]$2=\([^ ]*\).*/\1/p" "$here/scenarios/$1.sh")
    echo "${found:-$3}"
}
mtu_of() { # NAME
    echo "${mtu:-$(asked "$1" mtu 1500)}"
}
protocols_of() { # NAME
    if [ -n "$chosen" ]; then
        echo "$chosen"
    elif [ -n "$short" ]; then
        asked "$1" short nfs4,smb | tr , ' '
    else
        asked "$1" protocols nfs4,nfs3,smb | tr , ' '
    fi
}

run_lab() { # NAME PROTOCOL
    local name=$1 source=${2%:*} dest=${2#*:} job lacking
    job=$work/$name-${2/:/-}
    mkdir "$job"
    printf '{"type": "lab", "scenario": "%s", "protocol": "%s", "rate": "%s", "delay": "%s", "mtu": %s}\n' \
        "$name" "$2" "$(asked "$name" rate 1gbit)" "$(asked "$name" delay 0.5ms)" "$(mtu_of "$name")" >"$job/records"
    for lacking in "$(missing_for "$source")" "$(missing_for "$dest")"; do
        [ -z "$lacking" ] && continue
        echo "SKIPPED: $name over $2 needs package $lacking"
        printf '{"type": "skip", "what": "all", "why": "needs package %s"}\n' "$lacking" >>"$job/records"
        return 0
    done
    {
        printf 'PROTOCOL=%q SOURCE_PROTOCOL=%q DEST_PROTOCOL=%q\n' "$2" "$source" "$dest"
        printf 'RATE=%q DELAY=%q MTU=%q MOUNT_OPTIONS=%q SHORT=%q\n' "$(asked "$name" rate 1gbit)" \
            "$(asked "$name" delay 0.5ms)" "$(mtu_of "$name")" "$mount_options" "$short"
        printf 'NO_PEERS=%q HOST_JOB=%q\n' "$no_peers" "$(readlink -f "$job")"
        printf 'SCENARIO=%q\n' "/lab/scenarios/$name.sh"
    } >"$job/settings"
    local start=$SECONDS status lab= try
    trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; wait; exit 130' TERM
    echo "$name over $2"
    # Setting a lab up reads the host's files; where these come very slowly, protocols give up: then once more.
    for try in 1 2 3; do
        status=0
        "$here/lab/start.sh" "$job" "$(asked "$name" timeout 2400)" "$(asked "$name" memory 3G)" "$kernel" "$work/first.cpio" \
            "$(asked "$name" instructions_per_ns 4)" > >(sed -u "s/^/$name over $2: /") &
        lab=$!
        wait "$lab" || status=$?
        lab=
        [ "$status" -eq 125 ] && [ -s "$job/status" ] && [ "$try" -lt 3 ] || break
        rm -f "$job/status"
    done
    if [ "$status" -eq 125 ] && [ -s "$job/status" ] && [ -n "$tolerant" ]; then
        echo "SKIPPED: $name over $2 could not be set up on this machine in $try tries"
        printf '{"type": "skip", "what": "all", "why": "could not be set up in %s tries"}\n' "$try" >>"$job/records"
    elif [ "$status" -ne 0 ]; then
        echo "$name over $2: FAILED, exit status $status"
        printf '{"type": "failure", "what": "the lab ended with status %s"}\n' "$status" >>"$job/records"
    fi
    echo "$name over $2: took $((SECONDS - start)) s"
}

for name in "${scenarios[@]}"; do
    for protocol in $(protocols_of "$name"); do
        while [ "$(jobs -pr | wc -l)" -ge "$jobs" ]; do wait -n || true; done
        run_lab "$name" "$protocol" &
    done
done
wait
for name in "${scenarios[@]}"; do
    for protocol in $(protocols_of "$name"); do
        cat "$work/$name-${protocol/:/-}/records" >>"$work/records"
    done
done
echo
python3 "$here/lab/report.py" "$work/records" "$results" "$work/towpath" "$here/run.sh${short:+ --short}" ${tolerant:+tolerant}
