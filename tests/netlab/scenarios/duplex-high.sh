# netlab: rate=1gbit delay=0.25ms memory=3500M timeout=3600 instructions_per_ns=16
# Like `duplex`, over a fast link and with a faster processor: 256 MiB in four files, which the link carries in 2.15 s.
#
# Runs only if it is named, as each protocol takes about ten minutes.

WIRE=$(python3 -c 'print(256 * 2**20 * 8 / 1e9)')

files /srv/a/four 4 $((64 << 20))
empty
measure_towpath four four -- --wire "$WIRE"
check "four: times the wire's" "$(value times_wire)" "<=" 1.20
if have rclone rclone; then
    empty
    measure four rclone --wire "$WIRE" -- rclone copy /mnt/src/four /mnt/dst/four
fi
