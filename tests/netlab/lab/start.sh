#!/usr/bin/env bash
# Runs one scenario in a lab of its own: starts the machine, waits, and leaves no process behind.
#
#   start.sh JOB SECONDS MEMORY KERNEL ARCHIVE INSTRUCTIONS_PER_NS
#
# JOB is a folder with the file `settings` (see run.sh), KERNEL a version in /boot, ARCHIVE what first_root.sh made.
# What the scenario says comes to standard output; its records are in JOB/records, its exit status in JOB/status.
# 125: the lab itself did not get that far.
#
# The machine is simulated, its time too: a number of instructions take a microsecond, and a pause takes none of ours
# (QEMU's -icount). What is measured inside does not depend on how fast or how busy this machine is.
set -eu
# One processor is the client, the switch and both servers. QEMU counts a nanosecond for each instruction, which is
# little for four machines: so the kernel inside is told that the counter of these nanoseconds runs faster, and takes
# so many of them for one.
job=$(readlink -f "$1") seconds=$2 memory=$3 version=$4 archive=$5 instructions_per_ns=$6

# shellcheck disable=SC2317
end_lab() { [ -z "${machine:-}" ] || kill "$machine" 2>/dev/null || true; }
trap end_lab EXIT
trap 'exit 130' INT TERM HUP

: >"$job/said"
# Strings that copy themselves (erms) would count every byte as an instruction. After cmpxchg16b (cx16) QEMU 7.2 has
# wrong flags for a moment, which an interrupt there keeps: the kernel, which can do without, died of it.
timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg -icount shift=0,sleep=off -cpu max,erms=off,fsrm=off,cx16=off -m "$memory" \
    -nodefaults -display none -no-reboot -serial stdio \
    -virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
    -virtfs "local,path=$job,mount_tag=job,security_model=none" \
    -kernel "/boot/vmlinuz-$version" -initrd "$archive" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off preempt=full random.trust_cpu=on \
        tsc_early_khz=$((instructions_per_ns * 1000000)) tsc=reliable" \
    </dev/null >"$job/console" 2>&1 &
machine=$!
tail -n +1 -f --pid="$machine" -s 0.3 "$job/said" &
said=$!
wait "$machine" || true
machine=
wait "$said" || true
if [ ! -s "$job/status" ]; then
    echo "the lab did not finish within $seconds s; the last lines of its console:"
    tail -n 20 "$job/console"
    exit 125
fi
exit "$(cat "$job/status")"
