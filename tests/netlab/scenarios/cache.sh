# netlab: rate=1gbit delay=0.1ms memory=3500M timeout=2400 short=nfs4
# A copy of 1 GiB, more than the free memory, leaves a hot file of 200 MiB in the page cache.
#
# The hot file is on the host's disk, whose files the machine caches. The memory that is left by the files of the
# servers is for its pages and those of the copy.

HOT_MIB=200
SIZE=$((256 << 20))
HOT=/host$HOST_JOB/hot

python3 -c "
import random
with open('$JOB/hot', 'wb') as out:
    for _ in range($HOT_MIB): out.write(random.randbytes(1 << 20))"
# The mount of the host's disk drops the cache of a file that is not open.
exec 9<"$HOT"
files /srv/a/bulk 4 $SIZE

resident_mib() { python3 "$LAB/cached.py" "$@"; }

# The hot file is read twice before, so that the kernel considers it in use. Comparing the copied files would fill the
# cache, so it comes last.
copy() { # TOOL COMMAND…
    local tool=$1
    shift
    empty
    cat "$HOT" "$HOT" >/dev/null
    check "before $tool: MiB of the hot file that are cached" "$(resident_mib "$HOT")" = $HOT_MIB
    measure "1 GiB" "$tool" --timeout 300 -- "$@"
    note hot_share "$(python3 -c "print($(resident_mib "$HOT") / $HOT_MIB)")"
    note left_mib "$(resident_mib /mnt/src/bulk/* /mnt/dst/bulk/*)"
}

copy towpath towpath sync /mnt/src/bulk /mnt/dst/bulk --database "$STATE/db" --log-file "$STATE/log"
check "1 GiB: exit status" "$(value status)" = 0
check "1 GiB: share of the hot file that is still cached" "$(value hot_share)" ">=" 0.95
arrived "1 GiB" bulk
[ -z "$SHORT" ] || return 0
copy "cp -a" cp -a /mnt/src/bulk /mnt/dst/
if have rsync rsync; then copy rsync rsync -a --inplace -W /mnt/src/bulk /mnt/dst/; fi
if have rclone rclone; then copy rclone rclone copy /mnt/src/bulk /mnt/dst/bulk; fi
