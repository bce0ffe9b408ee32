# netlab: rate=200mbit delay=2ms memory=3G timeout=3600 protocols=nfs4,nfs3,smb
# What mount options do to a migration. Nothing is checked; docs/network-shares.md has the table.
#
# Not one of the scenarios that run unless they are named.

files /srv/a/small 500 8192 100
files /srv/a/large 2 $((24 << 20))
files /srv/a/tree 2000 100 100

# The same three things with each set of options: small files, large files, a tree in sync.
try() { # NAME OPTIONS
    if ! shares_anew "$2"; then
        skip "$1" "the client refuses it"
        shares_anew ""
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

# The destination is away for 30 s in the middle of a copy.
away() { # NAME OPTIONS
    shares_anew "$2" || return 0
    empty
    (sleep 3; cable_out b; sleep 30; cable_in b) &
    measure "$1: destination away for 30 s" towpath --timeout 170 -- towpath sync /mnt/src/large /mnt/dst/large \
        --bwlimit 5M --database "$STATE/db" --log-file "$STATE/log"
    wait $!
    sleep 5
    measure_towpath "$1: the run after it" large
}

try defaults ""
case $PROTOCOL in
nfs*)
    try nconnect=4 nconnect=4
    try "rsize=wsize=64K" rsize=65536,wsize=65536
    try actimeo=60 actimeo=60
    try noac noac
    try write=eager write=eager
    away "hard" ""
    away "soft,timeo=30,retrans=2" soft,timeo=30,retrans=2
    ;;
smb)
    try cache=none cache=none
    try cache=loose cache=loose
    try actimeo=60 actimeo=60
    try "rsize=wsize=64K" rsize=65536,wsize=65536
    away "soft (the default)" ""
    away "hard" hard
    ;;
esac
