#!/bin/sh
# enter-chroot.sh FOLDER COMMAND...: run a command in a chroot of make-chroot.sh, in this checkout, which is /terraspore there.
#
# The virtual environments of the checkout are replaced by those of the chroot. All mounts are in a mount namespace of
# their own, so they end with the command and nothing outside of it sees them.
set -eu
root=$1
shift

if [ -z "${CHROOT_SCRATCH:-}" ]; then
    CHROOT_SCRATCH=$(mktemp -d)
    export CHROOT_SCRATCH
    trap 'rm -rf --one-file-system "$CHROOT_SCRATCH"' EXIT
    trap 'exit 130' INT TERM
    unshare --mount sh "$0" "$root" "$@"
    exit
fi

# attach PATH TARGET: show a file or folder of this machine in the chroot, where it exists.
attach() {
    test -e "$1" || return 0
    if test -d "$1"; then mkdir -p "$root$2"; else mkdir -p "$root$(dirname "$2")" && touch "$root$2"; fi
    mount --rbind "$1" "$root$2"
}

mount -t proc proc "$root/proc"
attach /dev /dev
attach /sys /sys
attach "$CHROOT_SCRATCH" /tmp
chmod 1777 "$root/tmp"
attach /etc/resolv.conf /etc/resolv.conf
attach "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" /etc/ssl/certs/ca-certificates.crt
attach /etc/pip.conf /etc/pip.conf
attach /etc/xdg/pip /etc/xdg/pip
attach "${HOME:-/root}/.config/pip" /root/.config/pip
attach "$(pwd)" /terraspore
repository=$(git rev-parse --path-format=absolute --git-common-dir 2>/dev/null || true)
test "$repository" = "$(pwd)/.git" || attach "$repository" "$repository" # of a linked worktree
for environment in .venv .venv-qgis .venv-lite; do
    mkdir -p "$environment"
    mount --bind "$root/environments/$environment" "$root/terraspore/$environment"
done

for name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
    case $name in
        PATH | PIP_* | TERRASPORE_* | OMP_* | [Hh][Tt][Tt][Pp]*_[Pp][Rr][Oo][Xx][Yy] | no_proxy) ;;
        *) unset "$name" ;;
    esac
done
certificates=/etc/ssl/certs/ca-certificates.crt
exec chroot "$root" /usr/bin/env HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
    PIP_CERT=$certificates SSL_CERT_FILE=$certificates PIP_NO_CACHE_DIR=1 \
    sh -c 'cd /terraspore && exec "$@"' enter "$@"
