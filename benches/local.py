#!/usr/bin/env python3
"""Compares `towpath sync` with cp and rsync on local disks: many small files, one large file, and a tree in sync.

    benches/local.py [--folder DIR] [--files N] [--large-mib N] [--rounds N]

Builds the release build unless TOWPATH names a program. The tools run in turn, in each round all of them, so that other
load on the machine meets all alike. Prints a table in Markdown: the median time, the processor time (which depends less
on what else the machine does), and the peak memory. Leaves nothing behind.
"""

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def measured(command):
    """Seconds, processor seconds and peak KiB of a command that must succeed."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} ended with wait status {status}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss


def make_small(root, files):
    source = random.Random(7)
    for n in range(files):
        folder = os.path.join(root, str(n % 100))
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, str(n)), "wb") as file:
            file.write(source.randbytes(source.randrange(512, 64 << 10)))


def make_large(root, mib):
    with open(os.path.join(root, "large"), "wb") as file:
        for _ in range(mib):
            file.write(os.urandom(1 << 20))


def tools(towpath, old, new, state):
    database = ["--database", f"{state}/backlog.db", "--log-file", f"{state}/audit.jsonl"]
    yield "towpath", [towpath, "sync", old, new, "--quiet", *database]
    yield "cp -a", ["cp", "-a", old + "/.", new]
    if shutil.which("rsync"):
        yield "rsync -a", ["rsync", "-a", old + "/", new]


def compare(towpath, folder, what, make, rounds, in_sync=False):
    old, new, state = (os.path.join(folder, name) for name in ("old", "new", "state"))
    os.mkdir(old)
    make(old)
    results = {}
    for _ in range(rounds):
        for name, command in tools(towpath, old, new, state):
            if in_sync and name == "cp -a":
                continue
            for path in (new, state):
                shutil.rmtree(path, ignore_errors=True)
                os.mkdir(path)
            if in_sync:
                measured(command)
            results.setdefault(name, []).append(measured(command))
    shutil.rmtree(old)
    for name, runs in results.items():
        seconds, cpu, kib = (statistics.median(column) for column in zip(*runs))
        print(f"| {what} | `{name}` | {seconds:.1f} s | {cpu:.1f} s | {kib / 1024:.0f} MiB |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default="/dev/shm", help="where the trees go (default: /dev/shm)")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--large-mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    towpath = os.environ.get("TOWPATH")
    if not towpath:
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=REPOSITORY, check=True)
        towpath = os.path.join(os.environ.get("CARGO_TARGET_DIR", f"{REPOSITORY}/target"), "release/towpath")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    print("| what | tool | time | processor time | peak memory |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        small = f"{given.files:,} files of 0.5 to 64 KiB"
        compare(towpath, folder, small, lambda root: make_small(root, given.files), given.rounds)
        compare(towpath, folder, "the same, in sync", lambda root: make_small(root, given.files), given.rounds, True)
        large = f"one file of {given.large_mib} MiB"
        compare(towpath, folder, large, lambda root: make_large(root, given.large_mib), given.rounds)


if __name__ == "__main__":
    main()
