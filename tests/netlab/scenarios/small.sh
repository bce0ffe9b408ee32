# netlab: rate=1gbit delay=0.5ms memory=3G timeout=2400 short=nfs4 instructions_per_ns=16
# Many small files: 2,000 of 8 KiB, where round trips matter, not bytes.

COUNT=2000
[ -z "$SHORT" ] || COUNT=500
files /srv/a/small $COUNT 8192 500

peer() { # TOOL COMMAND…
    local tool=$1 seconds
    shift
    empty
    measure small "$tool" --files $COUNT -- "$@"
    seconds=$(value seconds_on_servers)
    if [ "$(value status)" = 0 ] && { [ -z "$best" ] || python3 -c "exit($seconds >= $best)"; }; then
        best=$seconds
    fi
}

empty
measure_towpath small small -- --files $COUNT
mine=$(value seconds_on_servers)

best=''
if have rsync rsync; then peer rsync rsync -a /mnt/src/small /mnt/dst/; fi
if have rclone rclone; then peer "rclone, 16 transfers" rclone copy --transfers 16 /mnt/src/small /mnt/dst/small; fi
# Eight rsyncs at a time, 100 files each.
if [ -z "$SHORT" ] && have fpsync fpart; then
    peer "fpsync, 8 jobs" fpsync -n 8 -f 100 -t /tmp/fpsync /mnt/src/small/ /mnt/dst/small/
fi
if [ -n "$best" ]; then
    check "small: of the best peer's time" "$(python3 -c "print($mine / $best)")" "<=" 0.5
fi
