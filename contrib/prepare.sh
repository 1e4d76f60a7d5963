# shellcheck shell=bash
# Makes a fresh Debian 12 (or Ubuntu 24.04) with Python and git ready for cloudfs. Sourced by quickstart.sh and test.sh:
#
#   prepare run     what cloudfs needs, and cloudfs itself, in .venv of the clone
#   prepare dev     the same, and the tools of the tests
#
# Nothing is done twice: apt is asked only for what is missing, and .venv is built again only when pyproject.toml, the
# interpreter or the clone's place have changed. Afterwards $CLONE is the clone and $VENV its environment.

CLONE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=$CLONE/.venv
OLDEST_PYTHON="3, 11"

BOLD='' PLAIN=''
if [ -t 2 ]; then
    BOLD=$'\033[1m' PLAIN=$'\033[0m'
fi

say() { printf '%s==> %s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }
die() { printf '%serror:%s %s\n' "$BOLD" "$PLAIN" "$*" >&2; exit 1; }

# Run as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo -- "$@"
    else
        die "this needs root, and there is no sudo; as root, run: $*"
    fi
}

# The Debian packages whose command (or library, or header) is not here, for the group named by $1.
missing_packages() {
    local group=$1
    command -v fusermount3 >/dev/null || echo fuse3
    command -v cc >/dev/null || echo gcc
    [ -e /usr/include/stdlib.h ] || echo libc6-dev
    command -v pkg-config >/dev/null || echo pkg-config
    pkg-config --exists fuse3 2>/dev/null || echo libfuse3-dev
    command -v rsync >/dev/null || echo rsync
    [ "$group" = dev ] || return 0
    command -v git >/dev/null || echo git
    command -v setfattr >/dev/null || echo attr
    command -v setfacl >/dev/null || echo acl
    command -v sqlite3 >/dev/null || echo sqlite3
    command -v memcached >/dev/null || echo memcached
    command -v s3fs >/dev/null || echo s3fs
}

install_packages() {
    command -v apt-get >/dev/null || die "please install the equivalent of these Debian packages: $*"
    say "installing $*"
    # The lists of a fresh image are empty or old: fetch them only if the first attempt fails.
    apt_install "$@" >/dev/null 2>&1 && return
    as_root apt-get update -qq || say "apt-get update failed; trying with the lists that are here"
    apt_install "$@" || die "apt-get could not install: $*"
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# True if the interpreter can make an environment and build pyfuse3, which is a C extension.
can_build() {
    "$1" - 2>/dev/null <<'PYTHON'
import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
PYTHON
}

new_enough() { "$1" -c "import sys; sys.exit(sys.version_info < ($OLDEST_PYTHON))" 2>/dev/null; }

# Prints the interpreter to use. An interpreter in /usr/bin can be completed by apt, another one cannot.
find_python() {
    local name path fallback=
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
        path=$(command -v "$name") && new_enough "$path" || continue
        can_build "$path" && { echo "$path"; return; }
        [[ $path != /usr/bin/* ]] || fallback=${fallback:-$path}
    done
    [ -n "$fallback" ] && echo "$fallback"
}

# Give an interpreter of Debian's its headers and its venv module.
complete_python() {
    local python=$1 version
    can_build "$python" && return
    version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
    install_packages "$version-dev" "$version-venv"
    can_build "$python" || die "$python still cannot build extensions; set PYTHON to another one"
}

# Some containers have /dev/fuse for root only; everywhere else it is as udev makes it, for everybody.
open_fuse_device() {
    [ -e /dev/fuse ] || as_root modprobe fuse || die "this kernel has no FUSE (in a container, pass --device /dev/fuse)"
    [ -r /dev/fuse ] && [ -w /dev/fuse ] && return
    say "giving users access to /dev/fuse"
    as_root chmod 0666 /dev/fuse
}

# Everything that decides what is in the environment, in one line.
fingerprint() {
    { echo "$CLONE $1"; "$1" -V; cat "$CLONE/pyproject.toml" "$CLONE/contrib/prepare.sh"; } | sha256sum
}

install_cloudfs() {
    local group=$1 python=$2
    say "making $VENV with $("$python" -V)"
    "$python" -m venv --clear "$VENV"
    export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_QUIET=1
    # Dependency groups need pip 25.1; Debian 12 has 23.0.
    "$VENV/bin/pip" install 'pip>=25.1'
    local groups=()
    [ "$group" = run ] || groups=(--group "$CLONE/pyproject.toml:$group")
    say "installing cloudfs (pyfuse3 is compiled; this takes half a minute)"
    "$VENV/bin/pip" install --editable "$CLONE" ${groups[@]+"${groups[@]}"}
}

prepare() {
    local group=$1 python packages now
    packages=$(missing_packages "$group" | xargs)
    # shellcheck disable=SC2086  # one word per package
    [ -z "$packages" ] || install_packages $packages
    open_fuse_device
    python=$(find_python) || die "Python >= ${OLDEST_PYTHON/, /.} is needed (set PYTHON to where it is)"
    complete_python "$python"

    now=$(fingerprint "$python")
    # An environment for the tests also serves to run.
    [ "$(cat "$VENV/.prepared-dev" 2>/dev/null)" = "$now" ] && return
    [ "$(cat "$VENV/.prepared-$group" 2>/dev/null)" = "$now" ] && return
    install_cloudfs "$group" "$python" || die "could not install cloudfs; the reason is above"
    echo "$now" >"$VENV/.prepared-$group"
}
