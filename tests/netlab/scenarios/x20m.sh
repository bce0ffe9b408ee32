# netlab: rate=200mbit delay=0.25ms memory=3G timeout=300
MI=$((1 << 20))
files /srv/a/much 4 $((40 * MI))
empty
measure_towpath 20M much --bwlimit 20M -- --limit $((20 * MI))
