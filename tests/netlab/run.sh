#!/usr/bin/env bash
# Runs towpath and its peers on real NFS and SMB mounts, all on this machine, and checks the promised bounds.
#
#   run.sh [OPTION…] [SCENARIO…]     all scenarios of scenarios/, or those named
#
#   --short                fewer cases, to be run for each change: less than 8 minutes
#   --protocols LIST       of "nfs4 nfs3 smb"; also "SOURCE:DEST", such as "nfs4:smb"
#   --mount-options LIST   additional mount options, for both mounts
#   --mtu BYTES            replaces the MTU of the scenario
#   --towpath FILE         uses an existing program instead of building it
#   --no-peers             runs only towpath
#   --tolerant             missed bounds on speed, and labs that cannot be set up, are reported but are no failure
#   --within SECONDS       labs that have not ended by then are stopped, and reported as skipped
#   --jobs NUMBER          labs at a time (default: one per processor); simulated time does not depend on it
#   --keep                 keeps the folder with the console and records of each lab
#
# Results: target/netlab/results.md and results.json. Exit status: 0 all bounds hold, or the lab cannot run here
# (SKIPPED); 1 a bound is missed or a lab failed; 2 wrong usage.
set -eu
here=$(dirname "$(readlink -f "$0")")
root=$(readlink -f "$here/../..")
results=${NETLAB_RESULTS:-$root/target/netlab}
short='' chosen='' mount_options='' towpath='' keep='' no_peers='' tolerant='' mtu='' within='' jobs=$(nproc)

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
    --within) within=${2?} && shift ;;
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
    [ -n "$short" ] || scenarios+=(auto limit-high limit-change scan cache uncached)
fi
for name in "${scenarios[@]}"; do
    [ -f "$here/scenarios/$name.sh" ] || { echo "no such scenario: $name" >&2 && exit 2; }
done

export PYTHONDONTWRITEBYTECODE=1 PATH=$PATH:/usr/sbin:/sbin
# COMMAND PACKAGE …: prints the first package whose command is missing, if any.
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
[ "$(uname -m)" = x86_64 ] || lacking="qemu-system-x86 on an x86-64 machine, as it runs this machine's programs"
kernel=$("$here/lab/kernel.sh")
if [ -z "$lacking" ] && [ -z "$kernel" ]; then
    lacking="linux-image-amd64 (a readable kernel in /boot with its modules)"
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
# A copy of the program, as it may be rebuilt while this runs.
cp "$towpath" "$work/towpath"
"$here/lab/first_root.sh" "$work/first" "$kernel" "$work/towpath"

# The settings of a scenario's lab are in its first line.
setting() { # NAME WORD DEFAULT
    local found
    found=$(sed -n "1s/.*[ ]$2=\([^ ]*\).*/\1/p" "$here/scenarios/$1.sh")
    echo "${found:-$3}"
}
mtu_of() { # NAME
    echo "${mtu:-$(setting "$1" mtu 1500)}"
}
protocols_of() { # NAME
    if [ -n "$chosen" ]; then
        echo "$chosen"
    elif [ -n "$short" ]; then
        setting "$1" short nfs4,smb | tr , ' '
    else
        setting "$1" protocols nfs4,nfs3,smb | tr , ' '
    fi
}

left_for() { # NAME: the seconds that its lab may take from now on
    local longest
    longest=$(setting "$1" timeout 2400)
    if [ -n "$within" ] && [ $((within - SECONDS)) -lt "$longest" ]; then
        longest=$((within > SECONDS ? within - SECONDS : 0))
    fi
    echo "$longest"
}

run_lab() { # NAME PROTOCOL
    local name=$1 source=${2%:*} dest=${2#*:} job lacking left
    job=$work/$name-${2/:/-}
    mkdir "$job"
    printf '{"type": "lab", "scenario": "%s", "protocol": "%s", "rate": "%s", "delay": "%s", "mtu": %s}\n' \
        "$name" "$2" "$(setting "$name" rate 1gbit)" "$(setting "$name" delay 0.5ms)" "$(mtu_of "$name")" >"$job/records"
    for lacking in "$(missing_for "$source")" "$(missing_for "$dest")"; do
        [ -z "$lacking" ] && continue
        echo "SKIPPED: $name over $2 needs package $lacking"
        printf '{"type": "skip", "what": "all", "why": "needs package %s"}\n' "$lacking" >>"$job/records"
        return 0
    done
    {
        printf 'PROTOCOL=%q SOURCE_PROTOCOL=%q DEST_PROTOCOL=%q\n' "$2" "$source" "$dest"
        printf 'RATE=%q DELAY=%q MTU=%q MOUNT_OPTIONS=%q SHORT=%q\n' "$(setting "$name" rate 1gbit)" \
            "$(setting "$name" delay 0.5ms)" "$(mtu_of "$name")" "$mount_options" "$short"
        printf 'NO_PEERS=%q HOST_JOB=%q\n' "$no_peers" "$(readlink -f "$job")"
        printf 'SCENARIO=%q\n' "/lab/scenarios/$name.sh"
    } >"$job/settings"
    local start=$SECONDS status lab= attempt
    trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; wait; exit 130' TERM
    echo "$name over $2"
    # Setting up a lab reads the host's files; if these are read very slowly, protocols time out: then try again.
    for attempt in 1 2 3; do
        status=125 left=$(left_for "$name")
        [ "$left" -gt 0 ] || break
        status=0
        "$here/lab/start.sh" "$job" "$left" "$(setting "$name" memory 3G)" "$kernel" "$work/first.cpio" \
            "$(setting "$name" instructions_per_ns 4)" > >(sed -u "s/^/$name over $2: /") &
        lab=$!
        wait "$lab" || status=$?
        lab=
        [ "$status" -eq 125 ] && [ -s "$job/status" ] && [ "$attempt" -lt 3 ] || break
        rm -f "$job/status"
    done
    if [ "$status" -eq 125 ] && [ "$(left_for "$name")" -eq 0 ]; then
        # Without a line that it had begun to write.
        sed -i '${/}$/!d}' "$job/records"
        echo "SKIPPED: $name over $2 did not end within the $within s for all labs"
        printf '{"type": "skip", "what": "all", "why": "did not end within the %s s for all labs"}\n' "$within" >>"$job/records"
    elif [ "$status" -eq 125 ] && [ -s "$job/status" ] && [ -n "$tolerant" ]; then
        echo "SKIPPED: $name over $2 could not be set up on this machine in $attempt attempts"
        printf '{"type": "skip", "what": "all", "why": "could not be set up in %s attempts"}\n' "$attempt" >>"$job/records"
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
