#!/usr/bin/env bash
# Runs one scenario in a lab of its own: starts the kernel, waits, and leaves no process behind.
#
#   start.sh JOB SECONDS MEMORY
#
# JOB is a folder with the file `settings` (see run.sh). What the scenario says comes to standard output;
# its records are in JOB/records, its exit status in JOB/status. 125: the lab itself did not get that far.
set -eu
here=$(dirname "$(readlink -f "$0")")
job=$(readlink -f "$1") seconds=$2 memory=$3

# The kernel's processes all carry the job's folder in their command line; no other process does so in this way.
# shellcheck disable=SC2317
lab_processes() {
    local folder
    for folder in /proc/[0-9]*; do
        if { tr '\0' ' ' <"$folder/cmdline"; } 2>/dev/null | grep -q "^linux.uml .*netlab=$job "; then
            echo "${folder#/proc/}"
        fi
    done
}

# shellcheck disable=SC2317
end_lab() {
    local pid
    for pid in $(lab_processes); do kill -KILL "$pid" 2>/dev/null || true; done
}
trap end_lab EXIT
trap 'exit 130' INT TERM HUP

# The memory of the machine inside is a file: on a disk it would be written back.
[ -d /dev/shm ] && export TMPDIR=/dev/shm
: >"$job/said"
# Ahead of what else the machine does, where that is allowed: its one processor is what the lab has least of.
nice -n -20 timeout -k 5 "$seconds" linux.uml mem="$memory" rootfstype=hostfs rootflags=/ ro init="$here/init.sh" \
    con=null con0=null,fd:1 quiet random.trust_cpu=on netlab="$job" last=1 </dev/null >"$job/console" 2>&1 &
kernel=$!
tail -n +1 -f --pid="$kernel" -s 0.3 "$job/said" &
wait "$kernel" || true
wait || true
if [ ! -s "$job/status" ]; then
    echo "the lab did not finish within $seconds s; the last lines of its console:"
    tail -n 20 "$job/console"
    exit 125
fi
exit "$(cat "$job/status")"
