#!/usr/bin/env bash
# cloudfs in a minute: mount a directory as if it were a cloud, back up to it with tar and rsync, look at what is there.
#
#   bash contrib/quickstart.sh
#
# Works as root and as an ordinary user, and again the next time. Everything it makes is in one directory,
# ~/.local/share/cloudfs-quickstart (or $CLOUDFS_QUICKSTART), and it leaves nothing mounted.
set -euo pipefail
# shellcheck source=contrib/prepare.sh
. "$(dirname "${BASH_SOURCE[0]}")/prepare.sh"

prepare run

PLACE=${CLOUDFS_QUICKSTART:-${XDG_DATA_HOME:-${HOME:?}/.local/share}/cloudfs-quickstart}
mkdir -p "$PLACE"/{store,mount}
PLACE=$(cd "$PLACE" && pwd -P)
STORE=$PLACE/store
MOUNT=$PLACE/mount
WITHOUT=(--exclude=.venv --exclude=__pycache__ --exclude='.*_cache')
PATH=$VENV/bin:$PATH

# Show a command, then run it within a time limit: a mount may hang, a quick start must not.
run() {
    printf '\n%s$ %s%s\n' "$BOLD" "$*" "$PLAIN" >&2
    timeout --kill-after=5 120 "$@"
}

# Asks the kernel's table and not the directory, which may belong to a driver that no longer answers.
mounted() { awk -v place="${MOUNT// /\\\\040}" '$2 == place { found = 1 } END { exit !found }' /proc/self/mounts; }

leave_nothing_mounted() {
    mounted || return 0
    say "unmounting $MOUNT after a failure"
    timeout 10 umount -l "$MOUNT" 2>/dev/null || timeout 10 fusermount3 -uz "$MOUNT"
}
trap leave_nothing_mounted EXIT
trap 'exit 130' INT TERM HUP
leave_nothing_mounted

say "a mount; behind it, the directory $STORE plays the cloud"
run cloudfs mount "local:$STORE" "$MOUNT" -o "state_dir=$PLACE/state,cache_dir=$PLACE/cache"

say "two backups of $CLONE, as any program would make them"
run tar -cf "$MOUNT/snapshot.tar" "${WITHOUT[@]}" -C "$CLONE" .
run rsync -a --delete "${WITHOUT[@]}" "$CLONE/" "$MOUNT/snapshot/"

say "both commands are back; the upload goes on behind them"
run cloudfs status "$MOUNT"
run cloudfs wait "$MOUNT"
run cloudfs umount "$MOUNT"

say "nothing is mounted now, and this is what the cloud holds: plain files, under their own names"
run ls -l "$STORE" "$STORE/snapshot"
run diff -r --no-dereference "${WITHOUT[@]}" "$CLONE" "$STORE/snapshot"
echo "(no difference)"
run tar -df "$STORE/snapshot.tar" -C "$CLONE"
echo "(no difference)"

cat <<NEXT

That was it. Next, with a directory of your own (a USB disk, an NFS share; clouds have names instead of paths):

    mkdir -p ~/backup
    $VENV/bin/cloudfs mount local:/srv/backup ~/backup -o cache_size=10G
    rsync -aH ~/Documents ~/backup/
    $VENV/bin/cloudfs umount ~/backup           # returns when everything is stored

For every boot, put cloudfs where mount(8) finds it, and a line into /etc/fstab:

    sudo ln -sf $VENV/bin/cloudfs /usr/local/bin/cloudfs
    local:/srv/backup  /mnt/backup  fuse.cloudfs  noauto,x-systemd.automount,_netdev,allow_other  0 0

To remove what this made: rm -r $PLACE
NEXT
