# netlab: rate=100mbit delay=0.25ms memory=3G timeout=2400 protocols=nfs4,nfs3
# --bwlimit auto: uses an idle link, and leaves other users the share that they need.
#
# The other users are one who reads small files, and one who reads a large file as fast as the link allows.

MI=$((1 << 20))
WIRE=12500000

files /srv/a/others 4000 4096
files /srv/a/bulk 1 $((96 * MI))
files /srv/a/large 12 $((32 * MI))
bulk_file=$(find /srv/a/bulk -type f)
bulk_file=/mnt/src/${bulk_file#/srv/a/}

bulk_seconds() {
    python3 - "$bulk_file" <<'END'
import sys, time
start = time.monotonic()
with open(sys.argv[1], "rb", buffering=0) as file:
    while file.read(1 << 20):
        pass
print(round(time.monotonic() - start, 3))
END
}

empty
measure idle nobody --user /mnt/src/others -- sleep 12
idle_p99=$(value user_p99_ms)
cold
alone=$(bulk_seconds)

empty
measure_towpath "auto beside small reads" large --bwlimit auto -- --limit "$WIRE" --user /mnt/src/others
for direction in received sent; do
    check "auto: $direction, of the wire, in the middle half" "$(value ${direction}_middle_of_limit)" ">=" 0.9
done
check "auto: the user's p99, ms" "$(value user_p99_ms)" "<=" "$(python3 -c "print(3 * $idle_p99)")"

empty
(towpath_runs; sleep 12; bulk_seconds >/tmp/bulk) &
measure_towpath "auto beside a bulk read" large --bwlimit auto -- --limit "$WIRE" --user /mnt/src/others --user /mnt/src/others
wait $!
beside=$(cat /tmp/bulk)
note bulk_alone_s "$alone"
note bulk_beside_s "$beside"
check "auto: the bulk read's rate, of what it gets alone" "$(python3 -c "print(round($alone / $beside, 3))")" ">=" 0.8

[ -z "$SHORT" ] || return 0

empty
limited "auto, at most 5M" large auto $((5 * MI)) --bwlimit-max 5M
