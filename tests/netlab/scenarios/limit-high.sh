# netlab: rate=1gbit delay=0.25ms memory=3500M timeout=3600 instructions_per_ns=16
# A high limit on a fast link: the same bounds as in `limit`, at 20 MiB/s.
#
# Delaying and shaping packets at this rate, besides SMB, is too much for the lab's one processor: here it is four times
# as fast.

MI=$((1 << 20))

files /srv/a/much 4 $((40 * MI))
empty
limited 20M much 20M $((20 * MI))
empty
limited "20M, one lane" much 20M $((20 * MI)) --lanes 1
