#!/usr/bin/env bash
# Runs one scenario in its own lab: starts the machine, waits, and leaves no process behind.
#
#   start.sh JOB SECONDS MEMORY KERNEL ARCHIVE INSTRUCTIONS_PER_NS
#
# JOB is a folder with the file `settings` (see run.sh), KERNEL a version in /boot, ARCHIVE the archive from
# first_root.sh. The scenario's output goes to standard output; its records are in JOB/records, its exit status in
# JOB/status. 125: the lab could not be set up.
#
# The machine and its time are simulated: a fixed number of instructions takes a microsecond, and idle time takes no
# real time (QEMU's -icount). Measurements do not depend on the speed and load of this machine.
set -eu
# One processor simulates the client, the switch and both servers. QEMU counts a nanosecond for each instruction, which
# is too slow for four machines: so the kernel inside is configured with a counter that runs several times as fast as it
# really is.
job=$(readlink -f "$1") seconds=$2 memory=$3 version=$4 archive=$5 instructions_per_ns=$6

# shellcheck disable=SC2317
end_lab() { [ -z "${machine:-}" ] || kill "$machine" 2>/dev/null || true; }
trap end_lab EXIT
trap 'exit 130' INT TERM HUP

: >"$job/output"
# With fast string instructions (erms), every byte would count as an instruction. After cmpxchg16b (cx16), QEMU 7.2 has
# wrong flags for a moment, which an interrupt preserves: the kernel crashed from it, and does not need it.
timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg -icount shift=0,sleep=off -cpu max,erms=off,fsrm=off,cx16=off -m "$memory" \
    -nodefaults -display none -no-reboot -serial stdio \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$job,mount_tag=job,security_model=none" \
    -kernel "/boot/vmlinuz-$version" -initrd "$archive" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off preempt=full random.trust_cpu=on \
        tsc_early_khz=$((instructions_per_ns * 1000000)) tsc=reliable" \
    </dev/null >"$job/console" 2>&1 &
machine=$!
tail -n +1 -f --pid="$machine" -s 0.3 "$job/output" &
reader=$!
wait "$machine" || true
machine=
wait "$reader" || true
if [ ! -s "$job/status" ]; then
    echo "the lab did not finish within $seconds s; the last lines of its console:"
    tail -n 20 "$job/console"
    exit 125
fi
exit "$(cat "$job/status")"
