"""Counts the requests that the kernel's NFS and SMB clients have sent, per operation and mount."""

import re



def count():
    """The counts for /mnt/src and /mnt/dst, each a dictionary by operation."""
    counts = {"src": {}, "dst": {}}
    add_nfs(counts)
    add_smb(counts)
    return counts


def add_nfs(counts):
    into = None
    with open("/proc/self/mountstats", encoding="utf-8") as lines:
        for line in lines:
            words = line.split()
            if line.startswith("device "):
                nfs = "fstype nfs" in line and "nfsd" not in line
                into = counts.get(words[4].removeprefix("/mnt/")) if nfs else None
            elif into is not None and len(words) > 8 and re.fullmatch(r"[A-Z_0-9]+:", words[0]) and words[1].isdigit():
                if int(words[1]):
                    into[words[0][:-1]] = int(words[1])


def add_smb(counts):
    try:
        with open("/proc/fs/cifs/Stats", encoding="utf-8") as file:
            text = file.read()
    except OSError:
        return
    # The numbers of a server's connection are in the table before its share; a share's table is between its name and
    # the next one. Only the counts of the share itself are unambiguous: "Creates: 5 total 0 failed".
    for share in re.split(r"^\d+\) ", text, flags=re.M)[1:]:
        side = "src" if "10.20.1.1" in share.splitlines()[0] else "dst"
        for name, number in re.findall(r"^(\w+): (\d+) (?:total|sent)", share, flags=re.M):
            if int(number):
                counts[side][name] = int(number)


def difference(before, after):
    return {
        side: {name: number - before[side].get(name, 0) for name, number in sorted(after[side].items())
               if number != before[side].get(name, 0)}
        for side in after
    }
