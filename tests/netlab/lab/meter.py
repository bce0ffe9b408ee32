"""Runs a command and measures it: time, traffic on the link, requests, the latency of another user.

meter.py RECORDS CASE TOOL [--limit BYTES_PER_S] [--user DIR] [--apart RECEIVED SENT] [--timeout S] [--wire S]
         [--files NUMBER] [--changes FILE] -- COMMAND…

--user DIR   meanwhile, another user reads small files from DIR, and the time of each read is recorded
--apart      the bytes per second on the link that belong to that user, not to the command
--wire       the seconds that the link needs
--files      the number of files, for the requests per file
--limit      the rate of which measured rates are reported as multiples
--changes    a file with a line for each change of that rate: the time of the uptime, and bytes per second
"""

import argparse
import os
import re
import subprocess
import sys
import threading
import time

import operations
import records

PERIOD = 0.1
PAUSED_BYTES_PER_S = 64 << 10
USER_PERIOD = 0.03
OUTPUT = "/tmp/output"


class Link(threading.Thread):
    """The bytes on the link, sampled every 100 ms."""

    def __init__(self):
        super().__init__(daemon=True)
        self.samples = [self.sample()]
        self.ended = threading.Event()

    @staticmethod
    def sample():
        """The time, and the bytes received and sent until then."""
        while True:
            before = time.monotonic()
            with open("/proc/net/dev", encoding="ascii") as file:
                words = re.search(r"uplink:(.*)", file.read())[1].split()
            after = time.monotonic()
            # A sample that was interrupted has no exact time.
            if after - before < 0.004:
                return (before + after) / 2, int(words[0]), int(words[8])

    def run(self):
        due = time.monotonic() + PERIOD
        while not self.ended.wait(max(0.0, due - time.monotonic())):
            self.samples.append(self.sample())
            due += PERIOD

    def end(self):
        self.ended.set()
        self.join()
        self.samples.append(self.sample())


class User(threading.Thread):
    """Another user, who opens and reads small files that are not cached."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
        self.latencies_ms = []
        self.times = []
        self.ended = threading.Event()

    def run(self):
        # Another user would have their own processor.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        for path in self.paths * 100:
            start = time.monotonic()
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.pread(fd, 4096, 0)
            os.close(fd)
            took = time.monotonic() - start
            self.latencies_ms.append(took * 1e3)
            self.times.append(start)
            if self.ended.wait(max(0.0, USER_PERIOD - took)):
                return

    def end(self):
        self.ended.set()
        self.join()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def rates(samples, column, steps):
    """Bytes per second over every window of `steps` periods."""
    return [
        (b[column] - a[column]) / (b[0] - a[0])
        for a, b in zip(samples, samples[steps:])
        # A period that began late makes the previous one longer, so the measured time counts.
        if b[0] - a[0] > 0.7 * steps * PERIOD
    ]


def changes(path, limit):
    """The times from which a limit was in force, and its bytes per second."""
    if not path:
        return [(0.0, limit)]
    with open(path, encoding="ascii") as file:
        return [(0.0, limit)] + [tuple(map(float, line.split())) for line in file]


def allowed(limits, start, end):
    """The bytes that the limits in force between two times allow."""
    ends = [since for since, _ in limits[1:]] + [end]
    return sum(max(0.0, min(end, until) - max(start, since)) * limit for (since, limit), until in zip(limits, ends))


def of_limits(samples, column, limits):
    """What was on the link as a multiple of what was in force, at most: in 100 ms, in a second; and in all.

    In a window in which the limit changes, what exceeds the sum of both is a part of what the higher one allows."""

    def share(a, b):
        exceeding = b[column] - a[column] - allowed(limits, a[0], b[0])
        ends = [since for since, _ in limits[1:]] + [b[0]]
        highest = max(limit for (since, limit), until in zip(limits, ends) if since <= b[0] and until >= a[0])
        # In a pause nothing is allowed but what the protocols send by themselves: some packets in a second.
        return 1 + exceeding / (max(highest, PAUSED_BYTES_PER_S) * (b[0] - a[0]))

    def most(steps):
        windows = [(a, b) for a, b in zip(samples, samples[steps:]) if b[0] - a[0] > 0.7 * steps * PERIOD]
        return max((share(a, b) for a, b in windows), default=0.0)

    active = [i for i, (a, b) in enumerate(zip(samples, samples[1:])) if b[column] - a[column] > 0.25 * allowed(limits, a[0], b[0]) > 0]
    first, last = (samples[active[0] + 1], samples[active[-1]]) if len(active) > 2 else (samples[0], samples[-1])
    mean = (last[column] - first[column]) / max(1.0, allowed(limits, first[0], last[0]))
    return {"max_100ms": most(1), "max_1s": most(10), "mean": mean}


def flow(samples, column, apart, limit):
    """The busiest 100 ms and second, the mean of the time with traffic, and that of its middle half."""
    fine = [rate - apart for rate in rates(samples, column, 1)] or [0.0]
    seconds = [rate - apart for rate in rates(samples, column, 10)] or fine
    threshold = 0.25 * (limit or max(fine))
    active = [i for i, rate in enumerate(fine) if rate > threshold]
    inner = fine[active[0] + 1 : active[-1]] if len(active) > 2 else fine
    middle = inner[len(inner) // 4 : -max(1, len(inner) // 4)] or inner
    return {
        "max_100ms": max(fine),
        "max_1s": max(seconds),
        "mean": sum(inner) / max(1, len(inner)),
        "middle": sum(middle) / max(1, len(middle)),
    }


def busy():
    """The processor's time so far, and its idle time."""
    with open("/proc/stat", encoding="ascii") as file:
        times = list(map(int, file.readline().split()[1:9]))
    return sum(times), times[3] + times[4]


def arguments():
    split = sys.argv.index("--")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records")
    parser.add_argument("case")
    parser.add_argument("tool")
    parser.add_argument("--limit", type=float)
    parser.add_argument("--user")
    parser.add_argument("--apart", nargs=2, type=float, default=(0.0, 0.0))
    parser.add_argument("--timeout", type=float, default=180)
    parser.add_argument("--wire", type=float)
    parser.add_argument("--files", type=int)
    parser.add_argument("--changes")
    return parser.parse_args(sys.argv[1:split]), sys.argv[split + 1 :]


def busy_share(before, after):
    return round(1 - (after[1] - before[1]) / max(1, after[0] - before[0]), 3)


def lower_priority():
    """The one processor inside also runs the servers and the other user, which on separate machines would not wait
    for the measured tool."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def run(command, timeout):
    """Runs a command; returns its exit status, or 124 if it did not end in time."""
    with open(OUTPUT, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=lower_priority)
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            return 124


def last_lines():
    """The last lines of a failed command's output, for the record."""
    with open(OUTPUT, encoding="utf-8", errors="replace") as out:
        return out.read().splitlines()[-12:]


def main():
    given, command = arguments()
    requests, processor = operations.count(), busy()
    user = User(given.user) if given.user else None
    link = Link()
    link.start()
    if user:
        user.start()
    start = time.monotonic()
    status = run(command, given.timeout)
    ended = time.monotonic()
    os.sync()
    on_servers = time.monotonic()
    if user:
        user.end()
    time.sleep(0.2)
    link.end()
    processor = busy_share(processor, busy())
    record = {
        "type": "measurement",
        "case": given.case,
        "tool": given.tool,
        "command": " ".join(command),
        "status": status,
        "seconds": round(ended - start, 3),
        "seconds_on_servers": round(on_servers - start, 3),
        "received_bytes": link.samples[-1][1] - link.samples[0][1],
        "sent_bytes": link.samples[-1][2] - link.samples[0][2],
        "cpu_busy": processor,
        "requests": operations.difference(requests, operations.count()),
        "timeline": [[round(t - start, 3), rx, tx] for t, rx, tx in link.samples],
    }
    record["requests_total"] = sum(sum(side.values()) for side in record["requests"].values())
    for column, name, apart in ((1, "received", given.apart[0]), (2, "sent", given.apart[1])):
        for what, rate in flow(link.samples, column, apart, given.limit).items():
            record[f"{name}_{what}"] = round(rate)
            if given.limit:
                record[f"{name}_{what}_of_limit"] = round(rate / given.limit, 3)
        if given.changes:
            for what, share in of_limits(link.samples, column, changes(given.changes, given.limit)).items():
                record[f"{name}_{what}_of_limit"] = round(share, 3)
    if user:
        for share in (50, 90, 99):
            record[f"user_p{share}_ms"] = round(percentile(user.latencies_ms, share / 100), 2)
        record["user_max_ms"] = round(max(user.latencies_ms), 2)
        record["user_reads"] = len(user.latencies_ms)
        record["user_timeline"] = [[round(t - start, 3), round(ms, 2)] for t, ms in zip(user.times, user.latencies_ms)]
    if given.files:
        record["requests_per_file"] = round(record["requests_total"] / given.files, 2)
    if given.wire:
        record["times_wire"] = round((on_servers - start) / given.wire, 3)
    if status:
        record["output"] = last_lines()
    records.append(given.records, record)
    print(f"  {given.case}: {given.tool} {record['seconds_on_servers']:.2f} s" + (f", exit status {status}" if status else ""),
          flush=True)
    for line in record.get("output", []):
        print("    " + line, flush=True)


if __name__ == "__main__":
    main()
