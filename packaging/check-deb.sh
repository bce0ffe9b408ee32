#!/usr/bin/env bash
# Installs the Debian package in a clean minimal system, runs it there, and removes it.
#
#   packaging/check-deb.sh [PACKAGE]      default: the newest in target/debian
#
# Needs root, mmdebstrap or debootstrap, and packages of this machine's release; without one of them it says SKIPPED.

set -euo pipefail
cd "$(dirname "$0")/.."
skip() { echo "SKIPPED: the check of the Debian package: $*"; exit 0; }
fail() { echo "check-deb.sh: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || skip "needs root"
bootstrap=$(command -v mmdebstrap || command -v debootstrap) || skip "needs mmdebstrap or debootstrap"
# Mounts are this script's own, and go with it.
[ -n "${TOWPATH_UNSHARED:-}" ] || exec env TOWPATH_UNSHARED=1 unshare --mount --propagation private "$0" "$@"
package=${1:-$(find target/debian -name 'towpath_*.deb' -printf '%T@ %p\n' | sort -n | tail -1 | cut -d ' ' -f 2-)}
release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
folder=$(mktemp -d)
trap 'umount "$folder/root/proc" 2>/dev/null || true; rm -rf --one-file-system "$folder"' EXIT
root=$folder/root log=$folder/log

case $bootstrap in
*mmdebstrap) options=(--variant=minbase --include=man-db --quiet --mode=root) ;;
*) options=(--variant=minbase --include=man-db) ;;
esac
timeout 300 "$bootstrap" "${options[@]}" "$release" "$root" >"$log" 2>&1 || skip "no minimal $release: $(tail -1 "$log")"
mount -t proc proc "$root/proc"
mkdir -p "$root/deb"
cp "$package" "$root/deb/towpath.deb"

inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
# What is there, without what apt, dpkg and man-db keep for themselves.
listing() { inside find / -xdev \( -path /proc -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -print | sort; }

listing >"$folder/before"
inside apt-get install -y -qq --no-install-recommends /deb/towpath.deb >"$log" 2>&1 || { cat "$log" >&2; fail "cannot be installed"; }
inside dpkg -L towpath | while IFS= read -r file; do
    inside test -e "$file" || fail "$file is missing"
done

# A migration, its status and its database, as root's first run would make them.
inside sh -ec 'mkdir -p /trees/old/a && seq 1000 >/trees/old/a/numbers && ln -s a /trees/old/link'
inside towpath sync /trees/old /trees/new || fail "towpath sync: exit status $?"
inside diff -r /trees/old /trees/new
inside towpath status /trees/old /trees/new | grep -q finished || fail "towpath status does not show the run"
inside towpath backends | grep -q '^local' || fail "towpath backends"

for page in towpath towpath-sync towpath-status towpath-ctl; do
    inside man -w "$page" >/dev/null || fail "no man page $page"
done
# shellcheck disable=SC2016
inside bash -c 'source /usr/share/bash-completion/completions/towpath && complete -p towpath' >/dev/null || fail "no completions of bash"
for file in zsh/vendor-completions/_towpath fish/vendor_completions.d/towpath.fish doc/towpath/copyright doc/towpath/THIRD-PARTY.gz; do
    inside test -s "/usr/share/$file" || fail "no /usr/share/$file"
done

inside rm -rf /trees /root/.local
inside dpkg --purge towpath >/dev/null
listing >"$folder/after"
diff "$folder/before" "$folder/after" || fail "the purge left or removed what is listed above"

if command -v lintian >/dev/null; then
    # The address of a maintainer is given when a package is published; no bug is closed by a first one.
    lintian --allow-root --fail-on error \
        --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs "$package" \
        || fail "lintian complains"
fi
echo "$(basename "$package"): $(($(stat -c %s "$package") / 1024)) KiB; installed, used and purged in a minimal $release"
