# netlab: rate=200mbit delay=2ms memory=3G timeout=3600 protocols=nfs4,smb
# The effect of towpath's options on a share with 2 ms latency. Nothing is checked; docs/network-shares.md has the table.
#
# Runs only if it is named.

sweep() { # CASE FOLDER FILES OPTION VALUE…
    local case=$1 folder=$2 count=$3 option=$4 setting
    shift 4
    for setting in "$@"; do
        empty
        measure_towpath "$case, $option $setting" "$folder" "$option" "$setting" -- --files "$count"
    done
}

files /srv/a/small 1000 8192 100
sweep "1,000 x 8 KiB" small 1000 --lanes 1 4 16 32
sweep "1,000 x 8 KiB" small 1000 --write-mode inplace atomic
rm -r /srv/a/small

files /srv/a/large 4 $((16 << 20))
sweep "4 x 16 MiB" large 4 --lanes 1 16
sweep "4 x 16 MiB" large 4 --block-size 256K 1M 16M
sweep "4 x 16 MiB" large 4 --queue-capacity 4 64
sweep "4 x 16 MiB" large 4 --write-mode inplace atomic
rm -r /srv/a/large

files /srv/a/tree 4000 100 100
cp -a /srv/a/tree /srv/b/
for walkers in 1 8 16; do
    rm -rf "$STATE" && mkdir -p "$STATE"
    cold
    measure_towpath "4,000 in sync, --walkers $walkers" tree --walkers $walkers -- --files 4000
done
