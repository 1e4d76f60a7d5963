"""Which directories a mount uses, and that they are private."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import warnings
from pathlib import Path

import platformdirs

from cloudfs.errors import UsageError


def slug(text: str) -> str:
    """A file name for ``text``: readable, and different for every text. The same in every version of cloudfs."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")[-40:].strip("-")
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:10]
    return f"{readable}-{digest}" if readable else digest


def state_directory(source_text: str) -> Path:
    """Where the state of a source is kept unless an option says otherwise."""
    base = Path("/var/lib/cloudfs") if os.geteuid() == 0 else platformdirs.user_state_path("cloudfs")
    return base / slug(source_text)


def cache_directory(source_text: str) -> Path:
    """Where cached contents of a source are kept unless an option says otherwise."""
    base = Path("/var/cache/cloudfs") if os.geteuid() == 0 else platformdirs.user_cache_path("cloudfs")
    return base / slug(source_text)


def runtime_directory() -> Path:
    """Where running mounts of this user are registered. ``$CLOUDFS_RUNTIME_DIR`` overrides."""
    named = os.environ.get("CLOUDFS_RUNTIME_DIR")
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return Path("/run/cloudfs")
    with warnings.catch_warnings():
        # It warns of a missing $XDG_RUNTIME_DIR (cron, su), for which its fallback is just right.
        warnings.simplefilter("ignore")
        return platformdirs.user_runtime_path("cloudfs")


def make_private(directory: Path) -> Path:
    """Create ``directory`` (0700) with its parents if it is missing; `UsageError` if others can write to it.

    One that somebody has made for us, and is still empty, becomes as private. What holds something already may be
    used by others as well; our own files in it are private each.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.stat()
    except OSError as error:
        raise UsageError(f"cannot use the directory {directory}: {error.strerror}") from None
    if status.st_uid not in (0, os.geteuid()):
        raise UsageError(f"the directory {directory} belongs to another user")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise UsageError(f"others may write to {directory}; protect it with: chmod 700 {directory}")
    if stat.S_IMODE(status.st_mode) & 0o077 and not os.listdir(directory):
        directory.chmod(0o700)
    return directory
