"""The mounts of this machine as the command line sees them: where a path belongs, and who answers for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cloudfs.cli.program import complain
from cloudfs.daemon.client import ControlClient
from cloudfs.daemon.mountinfo import Mounted, holding, mounted_at, read_mounts, resolve
from cloudfs.daemon.mountpoint import is_dead
from cloudfs.daemon.registry import Record, Registry
from cloudfs.errors import CloudfsError, UsageError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mount:
    """One of our mounts. ``record`` is None if its daemon is dead, or another user's."""

    mountpoint: Path
    source: str
    record: Record | None

    @property
    def client(self) -> ControlClient:
        """Raises `UsageError` without a daemon to talk to."""
        if self.record is None:
            raise UsageError(
                f"no daemon of yours answers for {self.mountpoint}; if it was killed, mount it again: "
                f"cloudfs mount {self.source} {self.mountpoint}"
            )
        return ControlClient(self.record.socket)


def look_at(mountpoint: Path) -> tuple[Path, Mounted | None]:
    """The absolute path, and whatever is mounted at exactly that place, ours or not. Never looks into it."""
    mounts = read_mounts()
    path = resolve(mountpoint, mounts)
    return path, mounted_at(path, mounts)


def find_mount(mountpoint: Path) -> Mount:
    """The mount at exactly ``mountpoint``. Raises `UsageError` if there is none of ours."""
    mounts = read_mounts()
    found = mounted_at(resolve(mountpoint, mounts), mounts)
    if found is None:
        raise UsageError(f"{mountpoint} is not mounted")
    return _ours(found, mountpoint)


def find_holding(path: Path) -> tuple[Mount, str]:
    """The mount that ``path`` is in, and the path relative to its mountpoint, ``""`` for all of it. `UsageError`."""
    mounts = read_mounts()
    resolved = resolve(path, mounts)
    found = holding(resolved, mounts)
    if found is None or not found.is_ours:
        raise UsageError(f"{path} is not in a cloudfs mount")
    inside = os.fspath(resolved.relative_to(found.mountpoint))
    return _ours(found, path), "" if inside == "." else inside


def all_mounts() -> list[Mount]:
    """Every mount of this user, by mountpoint; also those whose daemon is dead."""
    recorded = {record.mountpoint: Mount(record.mountpoint, record.source, record) for record in Registry().all()}
    # Neither recorded nor dead: a mount of another runtime directory, which is somebody else's business.
    lost = [mount for mount in _visible() if mount.mountpoint not in recorded and is_dead(mount.mountpoint)]
    dead = [Mount(mount.mountpoint, mount.source, None) for mount in lost]
    return sorted([*recorded.values(), *dead], key=lambda mount: mount.mountpoint)


def ask_each(mounts: Sequence[Mount], ask: Callable[[Mount], T]) -> tuple[list[T], int]:
    """What ``ask`` returns for each of ``mounts``, and an exit status: 1 if one of them did not answer.

    One that is dead, or ends meanwhile, is named on standard error and is in nobody's way. Raises `UsageError` if
    there are none: whoever asks has written something, and should learn that it went elsewhere.
    """
    answers, status = [], 0
    if not mounts:
        raise UsageError("nothing is mounted")
    for mount in mounts:
        try:
            answers.append(ask(mount))
        except CloudfsError as error:
            complain(f"{mount.mountpoint}: {error}")
            status = 1
    return answers, status


def ask_at(paths: Sequence[Path], ask: Callable[[Mount, str], T]) -> tuple[list[T], int]:
    """What ``ask`` returns for the mount and the place in it that each path is; without a path as `ask_each` of all."""
    if paths:
        return [ask(*find_holding(path)) for path in paths], 0
    return ask_each(all_mounts(), lambda mount: ask(mount, ""))


def all_mountpoints() -> list[Path]:
    """Where this user has mounts, without a look at how they are."""
    return sorted(mount.mountpoint for mount in _visible())


def _visible() -> list[Mounted]:
    """Our mounts by this user, one for each mountpoint."""
    mine = {mount.mountpoint: mount for mount in read_mounts() if mount.is_ours and mount.user == os.geteuid()}
    return list(mine.values())


def _ours(mounted: Mounted, named: Path) -> Mount:
    if not mounted.is_ours:
        raise UsageError(f"{named} is not a cloudfs mount but {mounted.file_system}")
    return Mount(mounted.mountpoint, mounted.source, _record(mounted))


def _record(mounted: Mounted) -> Record | None:
    record = Registry().find(mounted.mountpoint)
    if record is None and os.geteuid() == 0 and mounted.user:
        # Root looks after other users' mounts as well: umount(8), and the shutdown of the machine.
        return Registry(Path(f"/run/user/{mounted.user}/cloudfs")).find(mounted.mountpoint)
    return record
