# The functions for scenarios. To be sourced.
#
#   files DIR COUNT BYTES [PER_DIR]    creates files on a server, such as /srv/a/tree
#   cold                               drops all cached pages, names and attributes
#   empty                              the same, and empties the destination
#   measure CASE TOOL [OPTION…] -- COMMAND…    runs and measures a command; see meter.py
#   value FIELD                        prints a number of the last measurement
#   note FIELD NUMBER                  adds a number to the last measurement
#   check WHAT VALUE OPERATOR BOUND    checks a bound; the scenario continues if it is missed
#   measure_towpath CASE FOLDER [OPTION…] [-- METER_OPTION…]   towpath from /mnt/src/FOLDER to /mnt/dst/FOLDER
#   arrived CASE FOLDER                checks that FOLDER has the same files on both servers
#   bounds CASE [--no-mean]            checks the bounds on the wire under a limit
#   limited CASE FOLDER LIMIT BYTES_PER_S [OPTION…]   measure_towpath under a limit, with its bounds
#   towpath_runs                       waits until towpath runs: the time before that is meaningless
#   have TOOL PACKAGE                  whether a peer is installed and wanted; records a skip if it is not installed
#   cable_out a|b, cable_in a|b        see network.sh
#
# PROTOCOL, SHORT (1 or empty), LAB and JOB are set. The files in $JOB are also in /host$HOST_JOB, where they are
# cached. The files of server a are in /srv/a and mounted at /mnt/src, those of server b in /srv/b and mounted at
# /mnt/dst.

STATE=/tmp/state

# Reads the tools' libraries before the clock starts, and their settings: even that these are missing takes a request to
# the host.
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

# An SMB client caches what it saw for a second (actimeo): the server does not notify it.
empty() {
    find /srv/b -mindepth 1 -delete
    [ "$DEST_PROTOCOL" != smb ] || sleep 1.2
    rm -rf "$STATE"
    mkdir -p "$STATE"
    cold
}

towpath_runs() {
    local attempt
    for attempt in $(seq 3000); do
        pgrep -x towpath >/dev/null && return
        sleep 0.05
    done
    echo "towpath does not run after $attempt attempts"
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

# Measures towpath like any other tool, and then compares the files on the servers: a fast copy must also be correct.
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

# The message of diff about a missing tree counts as well.
arrived() { # CASE FOLDER
    check "$1: files that differ" "$(diff -rq "/srv/a/$2" "/srv/b/$2" 2>&1 | wc -l)" = 0
}

# The bounds on the wire for a run with a limit, including all headers.
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
