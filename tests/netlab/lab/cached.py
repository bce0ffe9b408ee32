"""Prints how much of some files is in the page cache, in MiB, according to mincore(2): cached.py FILE…"""

import ctypes
import mmap
import os
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
FAILED = ctypes.c_void_p(-1).value


def cached_bytes(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        if not size:
            return 0
        at = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        if at == FAILED:
            raise OSError(ctypes.get_errno(), "mmap", path)
        pages = ctypes.create_string_buffer(-(-size // mmap.PAGESIZE))
        if LIBC.mincore(at, size, pages):
            raise OSError(ctypes.get_errno(), "mincore", path)
        LIBC.munmap(at, size)
        return sum(page & 1 for page in pages.raw) * mmap.PAGESIZE
    finally:
        os.close(fd)


if __name__ == "__main__":
    print(round(sum(map(cached_bytes, sys.argv[1:])) / (1 << 20), 1))
