# netlab: rate=1gbit delay=0.5ms memory=3G timeout=900 protocols=nfs4,nfs3,smb short=nfs4
# What `towpath doctor` says of real mounts: as they are by default, with options that harm, and when a server is away.

files /srv/a/tree 100 4096 10
mkdir -p /srv/b/tree "$STATE"

# examine CASE STATUS [OPTION…]: prints what it finds, and checks the exit status.
examine() {
    local case=$1 expected=$2 status=0
    shift 2
    towpath doctor /mnt/src/tree /mnt/dst/tree --database "$STATE/db" "$@" >"$JOB/found" || status=$?
    echo "--- $case"
    cat "$JOB/found"
    check "$case: exit status" "$status" = "$expected"
}
# finds SEVERITY SIDE CODE: whether the last examination has this finding.
finds() { check "$2: $1 [$3]" "$(grep -c "^$1 .*$2: .*\[$3\]$" "$JOB/found")" ">=" 1; }

examine "defaults" 0
check "defaults: warnings about mounts" "$(grep -cE '^(warning|problem) .*\[(nfs|smb)-' "$JOB/found" || true)" = 0
finds ok dest write-probe
finds ok dest clock-skew
finds ok source round-trip
check "defaults: left at the destination" "$(find /srv/b/tree -mindepth 1 | wc -l)" = 0

case $PROTOCOL in
nfs*)
    remount_shares noac,soft,timeo=30,rsize=8192,wsize=8192
    examine "options that harm" 0
    for side in source dest; do
        finds warning "$side" nfs-soft
        finds warning "$side" nfs-attribute-cache
        finds warning "$side" nfs-transfer-size
    done
    remount_shares ""
    ;;
smb)
    remount_shares cache=none,noserverino,nomapposix,actimeo=60
    examine "options that harm" 0
    for side in source dest; do
        finds warning "$side" smb-cache
        finds warning "$side" smb-inodes
    done
    finds warning source smb-attribute-cache
    finds warning dest smb-characters
    remount_shares ""
    ;;
esac

# The server is away, and a hard mount waits for it.
ls /mnt/dst/tree >/dev/null
cable_out b
began=$(date +%s)
examine "a server that is away" 3 --timeout 3s
check "a server that is away: s" "$(($(date +%s) - began))" "<=" 60
finds problem dest no-answer
finds ok source source-readable
cable_in b
