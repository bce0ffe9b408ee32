# netlab: rate=200mbit delay=0.25ms memory=3G timeout=3600
# A bandwidth limit holds on the wire, in every second and nearly in every tenth of a second; its effect on other users.
#
# All bytes on the link are measured, including all headers; the limit applies to the bytes of the files. The traffic of
# the other user is measured first, on the idle link, and subtracted.

MI=$((1 << 20))

# Another user, first alone, then next to each tool.
files /srv/a/others 2000 4096
files /srv/a/large 2 $((24 * MI))
empty
measure idle nobody --user /mnt/src/others -- sleep 12
idle_p99=$(value user_p99_ms)
apart="$(value received_mean) $(value sent_mean)"

empty
# shellcheck disable=SC2086
measure_towpath "5M beside a user" large --bwlimit 5M -- --limit $((5 * MI)) --user /mnt/src/others --apart $apart
bounds "5M beside a user"
check "5M beside a user: the user's p99, ms" "$(value user_p99_ms)" "<=" "$(python3 -c "print(2 * $idle_p99)")"
if [ -z "$SHORT" ]; then
    if have rsync rsync; then
        empty
        # shellcheck disable=SC2086
        measure "5M beside a user" rsync --limit $((5 * MI)) --user /mnt/src/others --apart $apart -- \
            rsync -a --inplace -W --bwlimit=5M /mnt/src/large /mnt/dst/
    fi
    if have rclone rclone; then
        empty
        # shellcheck disable=SC2086
        measure "5M beside a user" rclone --limit $((5 * MI)) --user /mnt/src/others --apart $apart -- \
            rclone copy --bwlimit 5M /mnt/src/large /mnt/dst/large
    fi
fi

files /srv/a/little 2 $((3 * MI / 2))
empty
limited 256K little 256K $((256 << 10))

[ -z "$SHORT" ] || return 0

# The same files, older and with other content at the destination.
empty
cp -r /srv/a/large /srv/b/
find /srv/b/large -type f | while read -r file; do
    head -c $((24 * MI)) /dev/zero >"$file"
    touch -d 2001-01-01 "$file"
done
limited "5M overwriting" large 5M $((5 * MI))

# If a client must not cache what it reads, prefetched data would be sent twice: because of a mount option, and because
# another client opens the files for writing.
if [ "$PROTOCOL" = smb ]; then
    remount_shares cache=none
    empty
    limited "5M, cache=none" large 5M $((5 * MI))
    remount_shares ""
    mkdir -p /mnt/other
    share_up a smb /mnt/other nosharesock
    empty
    (towpath_runs; sleep 3; exec 8<>/mnt/other/large/f000000 9<>/mnt/other/large/f000001; sleep 8) &
    limited "5M, others open the files" large 5M $((5 * MI))
    wait $!
    umount /mnt/other
fi
rm -r /srv/a/large

files /srv/a/small 640 $((64 << 10)) 100
empty
limited "5M small files" small 5M $((5 * MI))
rm -r /srv/a/small

files /srv/a/middle 2 $((5 * MI))
empty
limited 1M middle 1M $MI

# Nothing to send: only listings and deletions.
empty
files /srv/a/kept 1500 100 500
cp -a /srv/a/kept /srv/b/
files /srv/b/kept/extra 500 100
cold
measure_towpath "256K, scan and deletions" kept --bwlimit 256K --delete-extras --max-delete 100% -- --limit $((256 << 10))
bounds "256K, scan and deletions" --no-mean
rm -r /srv/a/kept

# The destination is unreachable for 5 s: delayed data must not be sent as a burst.
files /srv/a/held 2 $((20 * MI))
empty
(towpath_runs; sleep 3; cable_out b; sleep 5; cable_in b) &
measure_towpath "5M with a stall" held --bwlimit 5M -- --limit $((5 * MI))
wait $!
bounds "5M with a stall" --no-mean
