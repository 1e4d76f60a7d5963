"""What the command line asks of the daemon: everything needed for one mount, resolved and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudfs.config import Source
from cloudfs.daemon.directories import cache_directory, make_private, state_directory
from cloudfs.options import MountOptions
from cloudfs.retention import Rules


@dataclass(frozen=True, slots=True)
class MountRequest:
    """One mount. ``mountpoint`` is an absolute path with nothing of ours on it; both directories exist."""

    source: Source
    mountpoint: Path
    options: MountOptions
    state_dir: Path
    cache_dir: Path
    retention: Sequence[Rules] = ()
    """What the mount applies by itself, with paths relative to the mountpoint."""

    @property
    def log_file(self) -> Path:
        """Where a daemon in the background writes its log."""
        return self.state_dir / "cloudfs.log"


def is_known(source: Source, options: MountOptions) -> bool:
    """Whether it was mounted before: then it can be mounted while the store is away, and typing errors are unlikely."""
    state = options.state_dir or state_directory(source.text)
    return (state / "catalog.db").exists()


def make_request(
    source: Source, mountpoint: Path, options: MountOptions, retention: Sequence[Rules] = ()
) -> MountRequest:
    """Choose and create (0700) the directories of a mount. Raises `UsageError` if they cannot be used."""
    return MountRequest(
        source=source,
        mountpoint=mountpoint,
        options=options,
        state_dir=make_private(options.state_dir or state_directory(source.text)),
        cache_dir=make_private(options.cache_dir or cache_directory(source.text)),
        retention=retention,
    )
