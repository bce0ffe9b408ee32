# netlab: rate=1gbit delay=0.5ms memory=3G timeout=2400 short=nfs4
# Scans with nothing to send: 10,000 files on each side, in sync, with cold caches.

COUNT=10000
files /srv/a/tree $COUNT 512 250
cp -a /srv/a/tree /srv/b/
rm -rf "$STATE" && mkdir -p "$STATE"

cold
measure_towpath "first run" tree -- --files $COUNT
cold
measure_towpath "second run" tree -- --files $COUNT
if have rsync rsync; then
    cold
    measure "rsync -an" rsync --files $COUNT -- rsync -an /mnt/src/tree/ /mnt/dst/tree/
fi
if have rclone rclone; then
    cold
    measure "rclone check" rclone --files $COUNT -- rclone check --size-only /mnt/src/tree /mnt/dst/tree
fi
