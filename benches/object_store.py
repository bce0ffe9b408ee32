#!/usr/bin/env python3
"""Compares `towpath sync` with `rclone copy` between a local disk and an object store that is far away.

    benches/object_store.py [--latency-ms N] [--rounds N] [--rclone PROGRAM]

Serves S3 from memory on loopback, and answers each request after the latency. Builds the release build with all storages
unless TOWPATH names a program. The tools run in turn, in each round both of them, so that other load on the machine meets
both alike. Prints a table in Markdown: the median time of each, the median of the ratios of the rounds, and how many
requests each sent in its last run. Leaves nothing behind.
"""

import argparse
import hashlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TREES = {"1 file of 64 MiB": (1, 64 << 20), "24 files of 1 MiB": (24, 1 << 20), "500 files of 4 KiB": (500, 4 << 10)}
KEPT = ("content-type", "x-amz-meta-")


class Store(BaseHTTPRequestHandler):
    """S3 in path style, without a check of signatures. `server.objects`: key → (content, ETag, headers)."""

    protocol_version = "HTTP/1.1"
    # Head and content are two writes: the second must not wait for the first to be acknowledged.
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle_any(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        key = unquote(url.path).lstrip("/").partition("/")[2]
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        self.server.requests += 1
        time.sleep(self.server.latency_s)
        getattr(self, "answer_" + self.command.lower())(key, query, content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_any

    def answer(self, status, content=b"", headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def xml(self, text):
        self.answer(200, b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode(), {"Content-Type": "application/xml"})

    def answer_get(self, key, query, _content):
        if not key:
            return self.list(query) if self.command == "GET" else self.answer(200)
        if key not in self.server.objects:
            return self.answer(404)
        content, etag, kept = self.server.objects[key]
        headers = {"ETag": etag, "Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT", **kept}
        part = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range", ""))
        if not part:
            return self.answer(200, content, headers)
        first, last = int(part[1]), min(int(part[2] or len(content) - 1), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return self.answer(206, content[first : last + 1], headers)

    answer_head = answer_get

    def list(self, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        files, folders = [], set()
        for key in sorted(key for key in self.server.objects if key.startswith(prefix)):
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                files.append(key)
        files = files[: int(query.get("max-keys", 1000))]
        text = "<ListBucketResult><IsTruncated>false</IsTruncated>"
        for key in files:
            content, etag, _ = self.server.objects[key]
            text += f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            text += f"<ETag>{escape(etag)}</ETag><Size>{len(content)}</Size></Contents>"
        for folder in sorted(folders):
            text += f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
        self.xml(text + "</ListBucketResult>")

    def answer_put(self, key, query, content):
        etag = f'"{hashlib.md5(content).hexdigest()}"'
        if "partNumber" in query:
            self.server.uploads[query["uploadId"]][1][int(query["partNumber"])] = content
        else:
            self.server.objects[key] = (content, etag, self.kept())
        self.answer(200, headers={"ETag": etag})

    def kept(self):
        return {name: value for name, value in self.headers.items() if name.lower().startswith(KEPT)}

    def answer_post(self, key, query, content):
        if "uploads" in query:
            upload = str(self.server.requests)
            self.server.uploads[upload] = (self.kept(), {})
            return self.xml(
                f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
            )
        if "uploadId" in query:
            kept, parts = self.server.uploads.pop(query["uploadId"])
            md5s = b"".join(hashlib.md5(parts[part]).digest() for part in sorted(parts))
            etag = f'"{hashlib.md5(md5s).hexdigest()}-{len(parts)}"'
            self.server.objects[key] = (b"".join(parts[part] for part in sorted(parts)), etag, kept)
            return self.xml(f"<CompleteMultipartUploadResult><ETag>{escape(etag)}</ETag></CompleteMultipartUploadResult>")
        for found in re.findall(rb"<Key>(.*?)</Key>", content):
            self.server.objects.pop(found.decode(), None)
        return self.xml("<DeleteResult></DeleteResult>")

    def answer_delete(self, key, _query, _content):
        self.server.objects.pop(key, None)
        self.answer(204)


def serve(latency_s):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    server.daemon_threads = True
    server.latency_s, server.requests, server.objects, server.uploads = latency_s, 0, {}, {}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def files(count, size_bytes):
    for number in range(count):
        yield f"{number % 10}/{number}", os.urandom(size_bytes)


def environment(server, folder):
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    remote = {"TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": endpoint, "REGION": "us-east-1", "NO_CHECK_BUCKET": "true"}
    remote |= {"ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key"}
    aws = {"ENDPOINT_URL": endpoint, "REGION": "us-east-1", "ACCESS_KEY_ID": "id", "SECRET_ACCESS_KEY": "key"}
    return {
        "PATH": os.environ["PATH"],
        "HOME": folder,
        "RCLONE_CONFIG": f"{folder}/rclone.conf",
        **{f"AWS_{name}": value for name, value in aws.items()},
        **{f"RCLONE_CONFIG_STORE_{name}": value for name, value in remote.items()},
    }


def measure(command, server, env):
    """Seconds and requests of a command that must succeed."""
    before, started = server.requests, time.monotonic()
    run = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)} failed: {run.stdout.decode(errors='replace')}")
    return time.monotonic() - started, server.requests - before


def compare(towpath, rclone, server, reads, tree, rounds):
    """The seconds of each round, and the requests of the last one, of both."""
    measured = {"towpath": [], "rclone": []}
    for _ in range(rounds):
        for tool, of_tool in measured.items():
            with tempfile.TemporaryDirectory() as folder:
                server.objects.clear()
                os.mkdir(local := f"{folder}/local")
                for name, content in files(*tree):
                    if reads:
                        etag = f'"{hashlib.md5(content).hexdigest()}"'
                        server.objects[f"tree/{name}"] = (content, etag, {})
                        continue
                    os.makedirs(os.path.dirname(f"{local}/{name}"), exist_ok=True)
                    with open(f"{local}/{name}", "wb") as file:
                        file.write(content)
                if tool == "towpath":
                    state = ["--database", f"{folder}/db", "--log-file", f"{folder}/log"]
                    command = [towpath, "sync", *(("s3://store/tree", local) if reads else (local, "s3://store/tree"))]
                    command += state
                else:
                    command = [rclone, "copy", *(("store:store/tree", local) if reads else (local, "store:store/tree"))]
                of_tool.append(measure(command, server, environment(server, folder)))
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rclone", default=shutil.which("rclone"))
    options = parser.parse_args()
    if not options.rclone:
        sys.exit("rclone is not installed")
    towpath = os.environ.get("TOWPATH")
    if not towpath:
        build = ["cargo", "build", "--release", "--features", "all-backends"]
        subprocess.run(build, cwd=REPOSITORY, check=True)
        towpath = f"{REPOSITORY}/target/release/towpath"
    server = serve(options.latency_ms / 1000)
    print("| what | towpath | rclone | ratio | requests |\n| --- | --- | --- | --- | --- |")
    for reads in (True, False):
        for name, tree in TREES.items():
            measured = compare(towpath, options.rclone, server, reads, tree, options.rounds)
            ours, theirs = measured["towpath"], measured["rclone"]
            ratio = statistics.median(our[0] / their[0] for our, their in zip(ours, theirs))
            seconds = [f"{statistics.median(run[0] for run in of_tool):.2f} s" for of_tool in (ours, theirs)]
            requests = f"{ours[-1][1]} and {theirs[-1][1]}"
            print(f"| {'read' if reads else 'write'} {name} | {' | '.join(seconds)} | {ratio:.2f} | {requests} |", flush=True)


if __name__ == "__main__":
    main()
