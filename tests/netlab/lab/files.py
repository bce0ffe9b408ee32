"""Creates files whose content, names and times are the same in every run.

files.py DIR COUNT BYTES [PER_DIR]    DIR/f000000 …, or PER_DIR of them in each DIR/d0000 …
"""

import os
import random
import sys

BLOCK = 1 << 20
# In 2021, with nanoseconds that not every protocol keeps.
FIRST_MTIME_NS = 1_617_181_723_123_456_789


def create(folder, count, size, per_folder):
    block = random.Random(f"{count} {size}").randbytes(BLOCK)
    for number in range(count):
        at = os.path.join(folder, f"d{number // per_folder:04}") if per_folder else folder
        os.makedirs(at, exist_ok=True)
        path = os.path.join(at, f"f{number:06}")
        with open(path, "wb") as out:
            # Each file is a different part of the same block, so that mixed-up files are detected.
            head = block[number * 61 % BLOCK :][:size]
            out.write(head)
            left = size - len(head)
            while left > 0:
                left -= out.write(block[:left])
        mtime = FIRST_MTIME_NS + number * 1_000_000_100
        os.utime(path, ns=(mtime, mtime))


if __name__ == "__main__":
    folder, *numbers = sys.argv[1:]
    count, size, per_folder = (list(map(int, numbers)) + [0])[:3]
    create(folder, count, size, per_folder)
