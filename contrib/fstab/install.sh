#!/bin/sh
# Makes mount(8), umount(8) and systemd know cloudfs. Run it as root; running it again changes nothing.
#
#   install.sh [--program PATH] [--prefix DIRECTORY] [--no-systemd]    install, or bring up to date
#   install.sh --uninstall [--prefix DIRECTORY]                        take away what it installed, and nothing else
#
# --program   the cloudfs program (default: the one in PATH, else .venv/bin/cloudfs of this clone)
# --prefix    where the units go, and the program's name if it is elsewhere (default: /usr/local). mount(8) looks for its helpers in /sbin and
#             nowhere else, so they go there in any case.
# $DESTDIR    stands in front of every path, for those who make packages.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
prefix=/usr/local
program=
units=yes
action=install
MARK='installed by contrib/fstab/install.sh of cloudfs'

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,/^set -eu/{/^set/d;s/^# \{0,1\}//;p;}' "$0"; }

while [ $# -gt 0 ]; do
    case $1 in
        --program) [ $# -gt 1 ] || die "--program needs a path"; program=$2; shift ;;
        --program=*) program=${1#*=} ;;
        --prefix) [ $# -gt 1 ] || die "--prefix needs a directory"; prefix=$2; shift ;;
        --prefix=*) prefix=${1#*=} ;;
        --no-systemd) units=no ;;
        --uninstall) action=uninstall ;;
        -h | --help) usage; exit 0 ;;
        *) die "there is no option $1 (see --help)" ;;
    esac
    shift
done
case $prefix in /*) ;; *) die "--prefix must be absolute" ;; esac

root=${DESTDIR:-}
bin=$root$prefix/bin
sbin=$root/sbin
system=$root$prefix/lib/systemd/system
user=$root$prefix/lib/systemd/user
helpers="mount.cloudfs mount.fuse.cloudfs umount.cloudfs umount.fuse.cloudfs"
system_units="cloudfs@.service cloudfs-check@.service cloudfs-check@.timer"
user_units="cloudfs@.service"

[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || die "this needs root: sudo $0"

# What carries our mark is ours; anything else is somebody else's.
ours() { [ ! -L "$1" ] && [ -f "$1" ] && grep -qF "$MARK" "$1"; }

# put MODE FILE: standard input becomes FILE, unless it is that already.
put() {
    mode=$1 file=$2 fresh=$2.new.$$
    if { [ -e "$file" ] || [ -L "$file" ]; } && ! ours "$file"; then
        die "$file is not ours; move it out of the way first"
    fi
    mkdir -p "$(dirname "$file")"
    cat >"$fresh"
    chmod "$mode" "$fresh"
    if cmp -s "$fresh" "$file"; then
        rm "$fresh"
        chmod "$mode" "$file"
    else
        mv -f "$fresh" "$file"
        say "installed $file"
    fi
}

# take FILE: it is gone, if it was ours.
take() {
    { [ -e "$1" ] || [ -L "$1" ]; } || return 0
    if ours "$1"; then
        rm "$1"
        say "removed $1"
    else
        say "left alone, not ours: $1"
    fi
}

# A file of ours, with the mark, and with the place where the program is.
marked() {
    sed -e "1{/^#!/!s|^|# $MARK\\n|;}" -e "1{/^#!/s|\$|\\n# $MARK|;}" \
        -e "s|^PATH=|PATH=$(dirname "$command"):|" -e "s|/usr/local/bin/cloudfs|$command|g" "$1"
}

find_program() {
    [ -n "$program" ] || program=$(command -v cloudfs) || program=$here/../../.venv/bin/cloudfs
    case $program in /*) ;; *) program=$(pwd)/$program ;; esac
    # What we put in front of the program is not the program.
    if ours "$program"; then program=$(sed -n "s/^exec '\(.*\)' .*/\1/p" "$program"); fi
    [ -x "$program" ] || die "there is no program $program; name it with --program"
    program=$(CDPATH='' cd -- "$(dirname -- "$program")" && pwd)/$(basename "$program")
    case $program in *[!A-Za-z0-9/._+@-]*) die "the path of $program has characters that cannot stand in units" ;; esac
}

# A program that mount(8) would find by itself stays where it is; another one gets a name where it does.
name_program() {
    case $program in
        /usr/local/bin/cloudfs | /usr/bin/cloudfs | "$prefix/bin/cloudfs") command=$program ;;
        *)
            command=$prefix/bin/cloudfs
            printf '#!/bin/sh\n# %s\nexec '\''%s'\'' "$@"\n' "$MARK" "$program" | put 0755 "$bin/cloudfs"
            ;;
    esac
}

reload_systemd() {
    [ -z "$root" ] && [ -d /run/systemd/system ] || return 0
    systemctl daemon-reload
}

install_all() {
    find_program
    name_program
    for helper in $helpers; do
        marked "$here/${helper%%.*}.cloudfs" | put 0755 "$sbin/$helper"
    done
    if [ "$units" = yes ]; then
        for unit in $system_units; do marked "$here/systemd/system/$unit" | put 0644 "$system/$unit"; done
        for unit in $user_units; do marked "$here/systemd/user/$unit" | put 0644 "$user/$unit"; done
        reload_systemd
    fi
    say "mount -t cloudfs SOURCE MOUNTPOINT works; docs/how-to/fstab.md has the lines for /etc/fstab"
}

uninstall_all() {
    for helper in $helpers; do take "$sbin/$helper"; done
    for unit in $system_units; do take "$system/$unit"; done
    for unit in $user_units; do take "$user/$unit"; done
    if [ -e "$bin/cloudfs" ] && ours "$bin/cloudfs"; then take "$bin/cloudfs"; fi
    reload_systemd
}

"${action}_all"
