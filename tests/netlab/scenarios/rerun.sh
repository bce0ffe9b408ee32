# netlab: rate=1gbit delay=0.25ms memory=3G timeout=1200 protocols=nfs4,nfs3,smb,nfs4:smb,smb:nfs4 short=nfs4:smb
# A second run sends nothing, even if a protocol changes times and sizes.

files /srv/a/tree/small 200 3001 50
files /srv/a/tree/large 3 $((3 << 20))
files /srv/a/tree/none 1 0
# Times that are difficult for a protocol: before 1970, after 2038, whole seconds, now.
number=0
for time in 1969-12-31T12:00:00Z 2039-03-01T01:02:03.999999999Z 2020-01-01 now; do
    number=$((number + 1))
    echo "$time" >"/srv/a/tree/time-$number"
    touch -d "$time" "/srv/a/tree/time-$number"
done

nothing_sent() { # CASE
    local sent
    sent=$(grep -c '"status":"synced"' "$STATE/log" || true)
    check "$1: files sent" "$sent" = 0
    check "$1: files in the server's tree that it wrote" \
        "$(find /srv/b/tree -type f -newercm /tmp/before | wc -l)" = 0
}
again() { # CASE OPTION…
    local case=$1
    shift
    : >"$STATE/log"
    touch /tmp/before
    measure_towpath "$case" tree "$@"
    nothing_sent "$case"
}

empty
measure_towpath first tree
check "first: files sent" "$(grep -c '"status":"synced"' "$STATE/log")" = 208
again "at once"
cold
again "with cold caches"
sleep 4
again "with --rescan" --rescan
# Without the database, only the trees can be compared.
rm -rf "$STATE" && mkdir "$STATE"
cold
again "without the database"

# The client still shows a destination that was just removed on the server.
ls /mnt/dst/tree >/dev/null
rm -rf /srv/b/tree "$STATE" && mkdir "$STATE"
measure_towpath "into a directory that was just removed" tree
