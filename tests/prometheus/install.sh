#!/usr/bin/env bash
# Installs what the tests check metrics and alerts with into target/tools/prometheus: Prometheus' parser for Python in an
# environment of its own, and promtool of the Debian package, without its service. Says what is missing, and why.

set -euo pipefail
cd "$(dirname "$0")/../.."
to=$PWD/target/tools/prometheus
version=0.26.0 # of prometheus_client

parser() { # an environment with the parser
    python3 -m venv "$to" && "$to/bin/pip" install -q --disable-pip-version-check "prometheus_client==$version"
}
if ! "$to/bin/python3" -c "import prometheus_client" 2>/dev/null; then
    # Debian has venv in a package of its own.
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! python3 -c "import ensurepip" 2>/dev/null; then
        apt-get install -y -qq python3-venv >/dev/null 2>&1 || true
    fi
    if problem=$(parser 2>&1); then
        echo "installed prometheus_client $version"
    else
        echo "SKIPPED: Prometheus' parser for Python (needs python3 with venv and pip: ${problem##*$'\n'})"
    fi
fi

if ! command -v promtool >/dev/null && ! [ -x "$to/bin/promtool" ]; then
    mkdir -p "$to/bin"
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    if command -v apt-get >/dev/null && (cd "$folder" && apt-get download -qq prometheus) >/dev/null 2>&1; then
        dpkg-deb --fsys-tarfile "$folder"/prometheus_*.deb | tar -x -C "$folder" ./usr/bin/promtool
        install -m 755 "$folder/usr/bin/promtool" "$to/bin/promtool"
        echo "installed promtool"
    else
        echo "SKIPPED: promtool (needs the package prometheus, which apt-get cannot download here)"
    fi
fi
