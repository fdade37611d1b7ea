#!/bin/sh
# make-chroot.sh SUITE FOLDER: make a chroot of a Debian suite with its QGIS and Python, or say why it cannot be made here.
#
# debootstrap makes the system, then `make setup qgis-setup` runs inside as it would on a new machine. The chroot is
# kept; delete the folder to make it again. The mirror is that of this machine's apt, or DEBIAN_MIRROR. Exits with 3 if
# the machine lacks what a chroot needs, or a new one cannot be made.
set -eu
suite=$1
folder=$2
log=$folder.log

skip() {
    echo "The tests with the QGIS and Python of Debian $suite are skipped: $1"
    exit 3
}

fail() {
    tail -n 20 "$log"
    # Without a network, say, the other tests still mean something. One that is there already has to be in order.
    test -e "$folder/.ready" || skip "the chroot could not be set up; $log tells why."
    echo "The chroot of Debian $suite could not be set up; $log tells why." >&2
    exit 1
}

find_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | grep '^https*:' | sort -u | head -n 1
}

make_system() {
    mirror=${DEBIAN_MIRROR:-}
    if command -v apt-get >/dev/null; then
        [ -n "$mirror" ] || mirror=$(find_mirror)
        [ -n "$mirror" ] || { apt-get update -qq && mirror=$(find_mirror); }
        command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -qq -y debootstrap >/dev/null; } || true
    fi
    command -v debootstrap >/dev/null || skip "debootstrap is not installed, and not to be had by apt-get."
    [ -n "$mirror" ] || skip "apt is not configured for a Debian mirror. Name one: make test DEBIAN_MIRROR=address"
    echo "Making a chroot of Debian $suite in $folder (about 4 GB, 10 minutes)"
    rm -rf --one-file-system "$folder"
    # In a mount namespace of its own, because debootstrap mounts /proc and leaves it mounted when it is killed.
    unshare --mount debootstrap --variant=minbase --include=ca-certificates,git,make,python3-venv \
        "$suite" "$folder" "$mirror" >>"$log" 2>&1 || fail
    mkdir -p "$folder/environments/.venv" "$folder/environments/.venv-qgis" "$folder/environments/.venv-lite"
    # A mirror's sid may be older than its index allows; its signature is checked all the same.
    printf '%s "false";\n' APT::Keep-Downloaded-Packages Acquire::Check-Valid-Until >"$folder/etc/apt/apt.conf.d/60chroot"
    rm -f "$folder"/var/cache/apt/archives/*.deb
    printf '[safe]\n\tdirectory = *\n' >"$folder/root/.gitconfig"
}

! grep -qx "VERSION_CODENAME=$suite" /etc/os-release 2>/dev/null || skip "those of this machine are the same."
[ "$(id -u)" = 0 ] || skip "only root can make a chroot."
unshare --mount true 2>/dev/null || skip "this system does not allow mount namespaces (unshare --mount)."
mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9 # other checkouts use the same chroot
: >"$log"
test -e "$folder/.ready" || make_system
sh resources/setup/enter-chroot.sh "$folder" make --silent setup qgis-setup >>"$log" 2>&1 || fail
touch "$folder/.ready"
