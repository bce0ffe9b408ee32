# netlab: rate=1gbit delay=0.25ms memory=3G timeout=1500 protocols=nfs4,nfs3,smb short=nfs4,smb
# A bit that flips on the server is found by a verification, though the client has the page cached: size, mtime and ctime
# stay the same, as when a disk or a controller returns something else than was written.

BYTES=$((64 << 20))
files /srv/a/tree/small 100 10001
files /srv/a/tree/large 1 $BYTES
LARGE=tree/large/f000000 SMALL=tree/small/f000042

# What the client has cached of both files, in MiB.
cached() { python3 "$LAB/cached.py" "/mnt/dst/$LARGE" "/mnt/dst/$SMALL"; }
# What another program reads on the client, and what the server has: 0 if it is the same.
hidden() { cmp -s "/mnt/dst/$1" "/srv/b/$1" && echo 0 || echo 1; }

# An SMB client keeps pages only while a file is open.
hold() {
    exec 7<"/mnt/dst/$LARGE" 8<"/mnt/dst/$SMALL"
    cat <&7 >/dev/null
    cat <&8 >/dev/null
    check "$1: the client has the large file cached, MiB" "$(cached)" ">=" 64
}
release() { exec 7<&- 8<&-; }

verify() { # CASE STATUS MATCHING
    : >"$STATE/log"
    measure "$1" "towpath verify" -- towpath verify --database "$STATE/db" --all
    check "$1: exit status" "$(value status)" = "$2"
    check "$1: files that match" "$(grep -c '"status":"verified"' "$STATE/log" || true)" = "$3"
    check "$1: files that differ" "$(grep -c '"status":"differs"' "$STATE/log" || true)" = $((101 - $3))
    check "$1: files that a cache may have answered" "$(grep -c '"cached":' "$STATE/log" || true)" = 0
    check "$1: bytes received" "$(value received_bytes)" ">=" $((BYTES + 100 * 10001))
}

flipped() { # CASE
    local case=$1
    hold "$case"
    verify "$case: nothing flipped" 0 101
    python3 "$LAB/flip.py" "/srv/b/$LARGE" 40000001
    python3 "$LAB/flip.py" "/srv/b/$SMALL" 9999
    check "$case: the page cache hides it" "$(hidden "$LARGE")" = 1
    verify "$case: two files" 3 99
    for file in "$LARGE" "$SMALL"; do
        check "$case: ${file##*/} is named" "$(grep '"status":"differs"' "$STATE/log" | grep -c "${file#tree/}")" = 1
    done
    check "$case: the page cache still hides it" "$(hidden "$LARGE")" = 1
    release
    python3 "$LAB/flip.py" "/srv/b/$LARGE" 40000001
    python3 "$LAB/flip.py" "/srv/b/$SMALL" 9999
}

empty
measure_towpath sync tree
cold
flipped "as mounted"
[ "$DEST_PROTOCOL" = smb ] && [ -z "$SHORT" ] || return 0
remount_shares cache=loose
flipped cache=loose
