# netlab: rate=200mbit delay=0.25ms memory=3G timeout=300
MI=$((1 << 20))
files /srv/a/much 1 $((160 * MI))
f=$(find /srv/a/much -type f | head -1); f=${f#/srv/a/}
head -c $((160*MI)) /dev/zero >/tmp/zeros
empty
measure both dd --limit $((20 * MI)) -- sh -c "dd if=/mnt/src/$f of=/dev/null bs=1M & dd if=/tmp/zeros of=/mnt/dst/z bs=1M conv=fsync; wait"
