"""The kernel's table of mounts. Reading it touches no file system, so it never hangs on a dead one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

FILE_SYSTEM = "fuse.cloudfs"
"""What the kernel calls our mounts: ``subtype=cloudfs``."""

_LINKS_MAX = 40


@dataclass(frozen=True, slots=True)
class Mounted:
    """One mount of this mount namespace. ``device`` is ``major:minor``; ``user`` who mounted it, for FUSE."""

    mountpoint: Path
    file_system: str
    source: str
    device: str
    user: int | None

    @property
    def is_ours(self) -> bool:
        return self.file_system == FILE_SYSTEM

    @property
    def is_fuse(self) -> bool:
        return self.file_system in ("fuse", "fuseblk") or self.file_system.startswith(("fuse.", "fuseblk."))


def read_mounts(table: Path = Path("/proc/self/mountinfo")) -> list[Mounted]:
    """All mounts, those mounted later after those mounted before."""
    return [_parse(line) for line in table.read_bytes().splitlines()]


def mounted_at(mountpoint: Path, mounts: Iterable[Mounted]) -> Mounted | None:
    """What one sees at exactly ``mountpoint``: the last one mounted there."""
    found = [mount for mount in mounts if mount.mountpoint == mountpoint]
    return found[-1] if found else None


def holding(path: Path, mounts: Iterable[Mounted]) -> Mounted | None:
    """The mount that an absolute, resolved ``path`` is in."""
    found = [mount for mount in mounts if path.is_relative_to(mount.mountpoint)]
    # Of equal lengths the later one covers the earlier one.
    return max(reversed(found), key=lambda mount: len(mount.mountpoint.parts), default=None)


def resolve(path: Path, mounts: Iterable[Mounted]) -> Path:
    """``path`` made absolute and free of ``..`` and symbolic links, as far as that needs no look into our mounts.

    From the first of our mountpoints on it is only tidied as text: the daemon behind it may be dead or slow.
    """
    ours = {mount.mountpoint for mount in mounts if mount.is_ours}
    todo = list(reversed(Path(os.getcwd(), path).parts[1:]))
    done, links = Path("/"), 0
    while todo:
        part = todo.pop()
        if part == "..":
            done = done.parent
            continue
        done = done / part
        if done in ours:
            return Path(os.path.normpath(done.joinpath(*reversed(todo))))
        if links < _LINKS_MAX and os.path.islink(done):
            links += 1
            target = Path(os.readlink(done))
            todo.extend(reversed(target.parts[1:] if target.is_absolute() else target.parts))
            done = Path("/") if target.is_absolute() else done.parent
    return done


def _parse(line: bytes) -> Mounted:
    """One line; proc(5) has the fields. Any number of optional ones end at a lone hyphen."""
    before, _, after = line.partition(b" - ")
    fields, (file_system, source, *options) = before.split(b" "), after.split(b" ")
    user = re.search(rb"(?:^|,)user_id=(\d+)", b",".join(options))
    return Mounted(
        mountpoint=Path(_unescape(fields[4])),
        file_system=_unescape(file_system),
        source=_unescape(source),
        device=fields[2].decode("ascii"),
        user=int(user[1]) if user else None,
    )


def _unescape(field: bytes) -> str:
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field))
