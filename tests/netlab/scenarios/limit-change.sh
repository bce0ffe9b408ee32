# netlab: rate=1gbit delay=0.25ms memory=3500M timeout=3600 instructions_per_ns=16
# A limit that changes while files are in flight holds as a fixed one does: no second carries more than what was in force
# in it, and nothing is sent in a pause.

MI=$((1 << 20))

# When and to what the limit changes, for the meter.
changes=$JOB/changes
now() { cut -d ' ' -f 1 /proc/uptime; }
steer() { towpath ctl "$@" --database "$STATE/db" >/dev/null; }

files /srv/a/much 4 $((40 * MI))
empty
cold
rm -f "$changes"
(
    towpath_runs
    until steer limit 5M 2>/dev/null; do sleep 0.1; done
    sleep 4
    echo "$(now) $((20 * MI))" >>"$changes"
    steer limit 20M
    sleep 3
    steer limit 5M
    echo "$(now) $((5 * MI))" >>"$changes"
    sleep 3
    steer pause
    echo "$(now) 0" >>"$changes"
    sleep 4
    echo "$(now) $((5 * MI))" >>"$changes"
    steer resume
) &
measure_towpath "5M, 20M, 5M, pause, 5M" much --bwlimit 5M -- --limit $((5 * MI)) --changes "$changes"
wait $!
check "5M, 20M, 5M, pause, 5M: changes" "$(wc -l <"$changes")" = 4
bounds "5M, 20M, 5M, pause, 5M"
