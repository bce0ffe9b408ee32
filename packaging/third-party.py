#!/usr/bin/env python3
"""Prints the licences of all crates that are linked into the program, with their texts, each once."""

import json
import pathlib
import subprocess
import sys

TARGET = "x86_64-unknown-linux-gnu"
NAMES = ("licen", "copying", "copyright", "notice", "unlicense")


def linked():
    """The crates of the program with all backends, without procedural macros and what only builds or tests need."""
    tree = subprocess.run(
        ["cargo", "tree", "--locked", "-e", "no-dev,no-build,no-proc-macro", "--features", "all-backends",
         "--target", TARGET, "--prefix", "none", "-f", "{p}"],
        check=True, capture_output=True, text=True).stdout
    return {tuple(line.split()[:2]) for line in tree.splitlines() if line.strip()}


def texts(package):
    folder = pathlib.Path(package["manifest_path"]).parent
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name.lower().startswith(NAMES))
    return [file.read_text(errors="replace").strip() for file in files]


def main():
    metadata = json.loads(subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features", "--filter-platform", TARGET],
        check=True, capture_output=True, text=True).stdout)
    wanted = linked()
    packages = [package for package in metadata["packages"]
                if package["source"] and (package["name"], "v" + package["version"]) in wanted]
    if not packages:
        sys.exit("third-party.py: no crates are found")
    packages.sort(key=lambda package: (package["name"], package["version"]))
    print("Towpath links these crates. The texts of their licences follow.\n")
    users = {}
    for package in packages:
        licence = package["license"] or "see the text"
        print(f"{package['name']} {package['version']}: {licence} ({package['repository'] or 'crates.io'})")
        for text in texts(package):
            # Copies differ in how their lines are wrapped.
            users.setdefault(" ".join(text.split()), (text, []))[1].append(package["name"])
    for text, names in users.values():
        print("\n" + "-" * 80)
        print(", ".join(dict.fromkeys(names)) + "\n\n" + text)


main()
