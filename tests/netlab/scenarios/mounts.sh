# netlab: rate=200mbit delay=2ms memory=3G timeout=3600 protocols=nfs4,nfs3,smb
# The effect of mount options on a migration. Nothing is checked; docs/network-shares.md has the table.
#
# Runs only if it is named.

files /srv/a/small 500 8192 100
files /srv/a/large 2 $((24 << 20))
files /srv/a/tree 2000 100 100

# The same three things with each set of options: small files, large files, a tree in sync.
with_options() { # NAME OPTIONS
    if ! remount_shares "$2"; then
        skip "$1" "the client does not accept it"
        remount_shares ""
        return 0
    fi
    empty
    measure_towpath "$1: 500 x 8 KiB" small -- --files 500
    empty
    measure_towpath "$1: 2 x 24 MiB" large -- --files 2
    empty
    cp -a /srv/a/tree /srv/b/
    cold
    measure_towpath "$1: 2,000 in sync" tree -- --files 2000
}

# The destination is unreachable for 30 s in the middle of a copy.
unreachable() { # NAME OPTIONS
    remount_shares "$2" || return 0
    empty
    (sleep 3; cable_out b; sleep 30; cable_in b) &
    measure "$1: destination unreachable for 30 s" towpath --timeout 170 -- towpath sync /mnt/src/large /mnt/dst/large \
        --bwlimit 5M --database "$STATE/db" --log-file "$STATE/log"
    wait $!
    sleep 5
    measure_towpath "$1: the run after it" large
}

with_options defaults ""
case $PROTOCOL in
nfs*)
    with_options nconnect=4 nconnect=4
    with_options "rsize=wsize=64K" rsize=65536,wsize=65536
    with_options actimeo=60 actimeo=60
    with_options noac noac
    with_options write=eager write=eager
    unreachable "hard" ""
    unreachable "soft,timeo=30,retrans=2" soft,timeo=30,retrans=2
    ;;
smb)
    with_options cache=none cache=none
    with_options cache=loose cache=loose
    with_options actimeo=60 actimeo=60
    with_options "rsize=wsize=64K" rsize=65536,wsize=65536
    unreachable "soft (the default)" ""
    unreachable "hard" hard
    ;;
esac
