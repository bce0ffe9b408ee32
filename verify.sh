#!/usr/bin/env bash
# Migrates a generated tree with the release build and checks everything that
# arrived with independent tools: sha256sum and the like, and python3 with its
# own SQLite and hashlib.
#
#   ./verify.sh            builds, then verifies; PASS or FAIL for each point
#
# Needs bash, awk, python3, coreutils and cargo. Leaves nothing behind.

set -u
cd "$(dirname "$0")" || exit 1
for tool in awk python3 sha256sum md5sum sha1sum b2sum cmp cargo; do
    command -v "$tool" >/dev/null || { echo "FAIL: $tool is needed and not installed"; exit 1; }
done
cargo build --release --quiet || { echo "FAIL: the build"; exit 1; }
towpath=${CARGO_TARGET_DIR:-target}/release/towpath
towpath=$(realpath "$towpath")

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

check() { # check "what" command…: PASS if the command succeeds
    local what=$1
    shift
    if "$@" >"$work/output" 2>&1; then
        echo "PASS: $what"
    else
        echo "FAIL: $what"
        sed 's/^/      /' "$work/output" | head -20
        failures=$((failures + 1))
    fi
}

status_of() { # status_of EXPECTED command…: succeeds if the command ends with this status
    local expected=$1 status=0
    shift
    "$@" || status=$?
    [ "$status" = "$expected" ] || { echo "exit status $status instead of $expected"; return 1; }
}

make_tree() { # make_tree DIR: sizes around the block, odd names, odd times, deep and empty folders
    python3 - "$1" <<'EOF'
import os, random, sys
root = os.fsencode(sys.argv[1])
random.seed(7)
def write(name, size):
    path = os.path.join(root, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(random.randbytes(size))
    os.utime(path, ns=(random.randrange(2 * 10**18), random.randrange(2 * 10**18)))
block = 5 << 20
for size in (0, 1, block - 1, block, block + 1, 3 * block + 17):
    write(b"sizes/%d" % size, size)
for n in range(2000):
    write(b"many/%d/%d" % (n % 40, n), random.randrange(20000))
for name in (b"with space", b"new\nline", b"-rf", b"\xff\xfe not utf-8", b"n" * 255, b"'\"$(x)`", "äöü 漢字".encode()):
    write(b"names/" + name, 1000)
write(b"/".join([b"deep"] * 100) + b"/file", 10)
os.makedirs(os.path.join(root, b"empty/inner"))
os.symlink(b"../many/1/1", os.path.join(root, b"names/link"))
os.symlink(b"/nowhere/\xff", os.path.join(root, b"names/dangling"))
for name in (b"names/twin", b"a twin"):
    os.link(os.path.join(root, b"many/3/3"), os.path.join(root, name))
with open(os.path.join(root, b"sizes/sparse"), "wb") as file:
    file.seek(30 << 20)
    file.write(random.randbytes(1000))
    file.truncate(64 << 20)
for dir, dirs, _ in os.walk(root, topdown=False):
    for name in dirs:
        os.utime(os.path.join(dir, name), ns=(random.randrange(2 * 10**18), random.randrange(2 * 10**18)))
EOF
}

same_trees() { # same_trees A B: compares kinds, names, content, mtimes, hard links and holes
    python3 - "$1" "$2" <<'EOF'
import hashlib, os, stat, sys
def walk(root):
    found, first = {}, {}
    for dir, dirs, files in os.walk(os.fsencode(root)):
        dirs.sort()
        for name in sorted(dirs + files):
            path = os.path.join(dir, name)
            info = os.lstat(path)
            node = info.st_mtime_ns
            if stat.S_ISLNK(info.st_mode):
                node = (os.readlink(path), info.st_mtime_ns)
            if stat.S_ISREG(info.st_mode):
                digest = hashlib.sha256(open(path, "rb").read()).hexdigest()
                twin = first.setdefault(info.st_ino, os.path.relpath(path, os.fsencode(root))) if info.st_nlink > 1 else None
                has_holes = info.st_blocks * 512 < info.st_size / 2
                node = (digest, info.st_mtime_ns, twin, has_holes)
            found[os.path.relpath(path, os.fsencode(root))] = (stat.S_IFMT(info.st_mode), node)
    return found
one, other = walk(sys.argv[1]), walk(sys.argv[2])
wrong = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
print(len(one), "names;", len(wrong), "differ:", wrong[:10])
sys.exit(bool(wrong) or not one)
EOF
}

records_agree() { # records_agree DATABASE LOG ALGORITHM SOURCE DEST: hashes, sizes, times, states, lines
    python3 - "$@" <<'EOF'
import hashlib, json, os, sqlite3, sys
database, log, algorithm, source, dest = sys.argv[1:]
connection = sqlite3.connect(database)
connection.text_factory = bytes
rows = list(connection.execute("SELECT source_path, dest_path, modified, hash, size, status, permissions FROM files"))
files = [os.path.join(dir, name) for dir, _, names in os.walk(os.fsencode(source)) for name in names]
assert any(map(os.path.islink, files)), "no link in the tree"
assert sorted(row[0] for row in rows) == sorted(files), "the rows are not the files"
digest = {}
for path, target, modified, hash, size, status, permissions in rows:
    info = os.lstat(path)
    if os.path.islink(path):
        digest[path] = None
        assert os.readlink(target) == os.readlink(path) and (status, hash) == (b"synced", None), path
        continue
    data = open(target, "rb").read()
    digest[path] = hashlib.new(algorithm, data).hexdigest()
    assert target == os.fsencode(dest) + path[len(os.fsencode(source)):], (path, target)
    assert (status, size, modified) == (b"synced", len(data), info.st_mtime_ns), (path, status, size, modified)
    assert hash.decode() == digest[path], (path, hash)
    assert permissions == info.st_mode & 0o7777, (path, permissions)
lines = [json.loads(line) for line in open(log, encoding="utf-8")]
runs = [line for line in lines if line["status"].startswith("run-")]
started = [line["run"] for line in runs if line["status"] == "run-started"]
assert started == list(range(1, len(started) + 1)), "first lines of runs: %r" % started
assert runs[-1]["status"] == "run-ended" and runs[-1]["result"] == "completed", runs[-1]
lines = [line for line in lines if line not in runs]
seen = set()
for line in lines:
    path = bytes.fromhex(line["source_bytes"]) if "source_bytes" in line else os.fsencode(line["source"])
    assert line["status"] == "synced" and line["checksum"] == digest[path], line
    assert line["algorithm"] == (algorithm if digest[path] else None), line
    assert path not in seen, "twice in the log: %r" % path
    seen.add(path)
assert len(seen) == len(rows), "the log lacks files"
assert connection.execute("PRAGMA integrity_check").fetchone() == (b"ok",)
assert connection.execute("PRAGMA user_version").fetchone()[0] > 0
EOF
}

tools_agree() { # tools_agree DATABASE TOOL DEST: checks the recorded hashes with TOOL --check
    python3 - "$1" >"$work/sums" <<'EOF'
import sqlite3, sys
for path, hash in sqlite3.connect(sys.argv[1]).execute(
        "SELECT dest_path, hash FROM files WHERE typeof(dest_path) = 'text' AND hash IS NOT NULL"):
    if "\n" not in path and "\\" not in path:
        print(hash + "  " + path)
EOF
    [ -s "$work/sums" ] && "$2" --check --quiet "$work/sums"
}

file_lines() { # file_lines LOG: how many lines are about files, not about runs
    grep -cv '"status":"run-' "$1"
}

wait_until_written() { # wait_until_written PID KIB: until the process has written that much, or has ended; a minute at most
    local written start=$SECONDS
    while written=$(awk '/^wchar:/ { print int($2 / 1024) }' "/proc/$1/io" 2>/dev/null) && [ "${written:-0}" -lt "$2" ]; do
        kill -0 "$1" 2>/dev/null && [ $((SECONDS - start)) -lt 60 ] || return 0
        sleep 0.02
    done
}

old=$work/old new=$work/new
sync() { # sync NAME OPTIONS…: with a database and a log of that name
    local name=$1
    shift
    "$towpath" sync "$old" "$new" --database "$work/$name.db" --log-file "$work/$name.log" "$@"
}
make_tree "$old"

for pair in sha256:sha256sum md5:md5sum sha1:sha1sum blake2b:b2sum; do
    algorithm=${pair%:*} tool=${pair#*:}
    rm -rf "$new"
    check "$algorithm: the tree is migrated" status_of 0 sync "$algorithm" --checksum "$algorithm"
    check "$algorithm: content, mtimes and folders arrived" same_trees "$old" "$new"
    check "$algorithm: database and log agree with hashlib" \
        records_agree "$work/$algorithm.db" "$work/$algorithm.log" "$algorithm" "$old" "$new"
    check "$algorithm: $tool confirms the recorded hashes" tools_agree "$work/$algorithm.db" "$tool"
done

find "$new" -type f -printf '%C@ %i %p\n' | sort >"$work/before"
lines=$(file_lines "$work/blake2b.log")
check "a second run ends in sync" status_of 0 sync blake2b --checksum blake2b
find "$new" -type f -printf '%C@ %i %p\n' | sort >"$work/after"
check "a second run changes no file" cmp "$work/before" "$work/after"
check "a second run logs no file" [ "$lines" = "$(file_lines "$work/blake2b.log")" ]

echo "changed" >"$old/many/1/1"
rm "$old/many/2/2"
check "a changed file is sent again" status_of 0 sync blake2b --checksum blake2b
check "the changed file arrived" cmp "$old/many/1/1" "$new/many/1/1"
check "the log has one more line" [ "$((lines + 1))" = "$(file_lines "$work/blake2b.log")" ]
rm "$new/many/2/2"

rm -rf "$new"
killed=0
# The first one is killed in its scan or before; the others write the tree in parts.
for kib in 1 3000 1000 5000 2000 500 4000 1500 2500 3500; do
    "$towpath" sync "$old" "$new" --database "$work/killed.db" --log-file "$work/killed.log" --bwlimit 8M \
        >>"$work/killed.out" 2>&1 &
    wait_until_written $! "$kib"
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
    [ $? != 137 ] || killed=$((killed + 1))
done
check "ten kill -9: each killed a run that had begun to write" [ "$killed" = 10 ]
resumed=$(grep -c "pending; no scan" "$work/killed.out")
check "ten kill -9: later runs resumed without a scan ($resumed times)" [ "$resumed" -ge 8 ]
check "ten kill -9: the last run ends in sync" status_of 0 sync killed
check "ten kill -9: content, mtimes and folders arrived" same_trees "$old" "$new"
check "ten kill -9: database and log agree with hashlib" \
    records_agree "$work/killed.db" "$work/killed.log" sha256 "$old" "$new"

rm -rf "$new"
bytes=$(du -sb --apparent-size --exclude=sparse "$old" | cut -f1) # holes are not sent
started=$(date +%s%N)
check "a limited run ends in sync" status_of 0 sync limited --bwlimit 10M
took_ms=$((($(date +%s%N) - started) / 1000000))
least_ms=$((bytes * 1000 / (10 << 20) * 95 / 100))
check "a limit of 10M/s was kept: $took_ms ms, no less than $least_ms" [ "$took_ms" -ge "$least_ms" ]

check "an invalid rate ends with status 2" status_of 2 sync wrong --bwlimit 20Q
check "a missing source ends with status 1" status_of 1 "$towpath" sync "$work/nowhere" "$new"

if [ "$failures" -gt 0 ]; then
    echo "FAIL: $failures checks failed"
    exit 1
fi
echo "PASS: all checks"
