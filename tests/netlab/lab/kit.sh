# What a scenario may use. Source me.
#
#   files DIR COUNT BYTES [PER_DIR]    makes files on a server, such as /srv/a/tree
#   cold                               forgets every cached page, name and attribute
#   empty                              the same, and nothing at the destination
#   measure CASE TOOL [OPTION…] -- COMMAND…    runs and measures it; see meter.py
#   value FIELD                        a number of the last measurement
#   note FIELD NUMBER                  adds one to it
#   check WHAT VALUE OPERATOR BOUND    a bound that is to hold; the scenario goes on
#   measure_towpath CASE FOLDER [OPTION…] [-- METER_OPTION…]   towpath from /mnt/src/FOLDER to /mnt/dst/FOLDER
#   arrived CASE FOLDER                checks that the servers have the same files of it
#   bounds CASE [--no-mean]            checks what must hold on the wire under a limit
#   limited CASE FOLDER LIMIT BYTES_PER_S [OPTION…]   measure_towpath under a limit, with its bounds
#   towpath_runs               waits until it does: what goes before takes a time that means nothing
#   have TOOL                          whether a peer is there and wanted; a skipped row where it is not there
#   cable_out a|b, cable_in a|b        see network.sh
#
# PROTOCOL, SHORT (1 or empty), LAB and JOB are set; what is in $JOB is in /host$HOST_JOB too, where it is cached.
# Server a's files are in /srv/a and seen at /mnt/src, b's in /srv/b and seen at /mnt/dst.

STATE=/tmp/state

# Their libraries are read again before the clock starts, and their settings looked for: that there are none, the host
# has to tell.
warm_tools() {
    local tool
    for tool in "cp --version" "rsync --version" "rclone version" "towpath --version" "python3 --version"; do
        $tool >/dev/null 2>&1 || true
    done
    ls ~/.config/towpath/config.toml ~/.config/rclone/rclone.conf >/dev/null 2>&1 || true
}

cold() {
    sync
    echo 3 >/proc/sys/vm/drop_caches
    warm_tools
    sleep 0.3
}

# An SMB client believes for a second (actimeo) in what it saw there: its server does not tell it.
empty() {
    find /srv/b -mindepth 1 -delete
    [ "$DEST_PROTOCOL" != smb ] || sleep 1.2
    rm -rf "$STATE"
    mkdir -p "$STATE"
    cold
}

towpath_runs() {
    local try
    for try in $(seq 3000); do
        pgrep -x towpath >/dev/null && return
        sleep 0.05
    done
    echo "towpath does not run, $try tries later"
}

files() { python3 "$LAB/files.py" "$@"; }
measure() { python3 "$LAB/meter.py" "$JOB/records" "$@"; }
value() { python3 "$LAB/records.py" value "$JOB/records" "$1"; }
note() { python3 "$LAB/records.py" note "$JOB/records" "$@"; }
check() { python3 "$LAB/records.py" check "$JOB/records" "$@"; }
skip() { python3 "$LAB/records.py" skip "$JOB/records" "$@"; }

have() {
    [ -z "$NO_PEERS" ] || return 1
    command -v "$1" >/dev/null && return
    skip "$1" "needs package $2"
    return 1
}

# Measured like any other, and then compared by the servers' own files: a fast copy that is wrong is none.
measure_towpath() { # CASE FOLDER OPTION… [-- METER_OPTION…]
    local case=$1 folder=$2
    shift 2
    local options=() meter=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1") && shift; done
    [ $# -eq 0 ] || { shift && meter=("$@"); }
    measure "$case" towpath ${meter[@]+"${meter[@]}"} -- towpath sync "/mnt/src/$folder" "/mnt/dst/$folder" \
        --database "$STATE/db" --log-file "$STATE/log" --checksum md5 ${options[@]+"${options[@]}"}
    check "$case: exit status" "$(value status)" = 0
    arrived "$case" "$folder"
}

# What diff says of a tree that is missing counts as well.
arrived() { # CASE FOLDER
    check "$1: files that differ" "$(diff -rq "/srv/a/$2" "/srv/b/$2" 2>&1 | wc -l)" = 0
}

# What holds on the wire of a run with this limit, all headers included.
bounds() { # CASE [--no-mean]
    local direction
    for direction in received sent; do
        check "$1: $direction in 1 s, of the limit" "$(value ${direction}_max_1s_of_limit)" "<=" 1.10
        check "$1: $direction in 100 ms, of the limit" "$(value ${direction}_max_100ms_of_limit)" "<=" 1.30
        [ "${2:-}" = --no-mean ] || check "$1: $direction on average, of the limit" "$(value ${direction}_mean_of_limit)" ">=" 0.97
    done
}

limited() { # CASE FOLDER LIMIT BYTES_PER_S [OPTION…]
    local case=$1 folder=$2 limit=$3 bytes_per_s=$4
    shift 4
    cold
    measure_towpath "$case" "$folder" --bwlimit "$limit" "$@" -- --limit "$bytes_per_s"
    bounds "$case"
}
