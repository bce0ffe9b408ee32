# netlab: rate=100mbit delay=0.25ms memory=3G timeout=2400
# Reading and writing at the same time: 96 MiB over a link that carries them in 8.05 s each way.
#
# The time is measured until everything is on the servers. A tool that reads and writes in turn takes at least twice the
# wire's time.

WIRE=$(python3 -c 'print(96 * 2**20 * 8 / 100e6)')

compare() { # SET
    empty
    measure_towpath "$1" "$1" -- --wire "$WIRE"
    check "$1: times the wire's" "$(value times_wire)" "<=" 1.20
    # With --short, one peer and one set show that the lab works.
    [ -z "$SHORT" ] || [ "$1 $PROTOCOL" = "four nfs4" ] || return 0
    empty
    have cp coreutils || return 0
    measure "$1" "cp -a" --wire "$WIRE" -- cp -a "/mnt/src/$1" /mnt/dst/
    if [ -z "$SHORT" ] && have rsync rsync; then
        empty
        measure "$1" rsync --wire "$WIRE" -- rsync -a --inplace -W "/mnt/src/$1" /mnt/dst/
    fi
    if [ -z "$SHORT" ] && have rclone rclone; then
        empty
        measure "$1" rclone --wire "$WIRE" -- rclone copy "/mnt/src/$1" "/mnt/dst/$1"
    fi
}

# Each set is 96 MiB.
files /srv/a/four 4 $((24 << 20))
compare four
rm -r /srv/a/four

[ -z "$SHORT" ] || return 0

files /srv/a/mixed/64M 1 $((64 << 20))
files /srv/a/mixed/16M 1 $((16 << 20))
files /srv/a/mixed/4M 2 $((4 << 20))
files /srv/a/mixed/1M 4 $((1 << 20))
files /srv/a/mixed/256K 8 $((256 << 10))
files /srv/a/mixed/64K 24 $((64 << 10))
files /srv/a/mixed/4K 128 $((4 << 10))
compare mixed
rm -r /srv/a/mixed

files /srv/a/one 1 $((96 << 20))
compare one
