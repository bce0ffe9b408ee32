"""Flips one bit of a file in memory, without changing its times: flip.py FILE OFFSET

A file in tmpfs gets no times from what is written through a mapping. Like a disk that returns something else than was
written, nothing tells the server or its clients.
"""

import mmap
import os
import sys


def facts(path):
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def flip(path, offset):
    before = facts(path)
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as content:
        content[offset] ^= 1
    if facts(path) != before:
        sys.exit(f"{path} shows that it changed")


if __name__ == "__main__":
    flip(sys.argv[1], int(sys.argv[2]))
