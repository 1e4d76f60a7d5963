"""The data files of the cache: one sparse file per content, under 256 directories.

One level of directories, because each of them has to be made: 2,450 adopted files make 256 directories, not 2,450.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from xxhash import xxh3_64_intdigest

from cloudfs.cache.contract import ContentKey
from cloudfs.cache.sparse import new_file

log = logging.getLogger(__name__)

FAN_OUT = 256
_KEY = re.compile(r"[0-9a-z-]{1,100}")

T = TypeVar("T")


class DataFiles:
    """Where the data file of each key is. Directories are made when missing, also when somebody deleted them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._root = os.fspath(directory)
        make_private(self._root)
        self._discard_unfinished()

    def path(self, key: ContentKey) -> str:
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a content key: {key!r}")
        return f"{self._root}/{xxh3_64_intdigest(key.encode()) % FAN_OUT:02x}/{key}"

    def unfinished(self, key: ContentKey) -> str:
        """A path for a file that is still being made; what is left of it is deleted at the next start."""
        make_private(self._root)
        make_private(f"{self._root}/unfinished")
        return f"{self._root}/unfinished/{key}"

    def open(self, key: ContentKey) -> int:
        """A descriptor of the existing data file; `FileNotFoundError`."""
        return os.open(self.path(key), os.O_RDWR | os.O_CLOEXEC)

    def create(self, key: ContentKey) -> int:
        """A descriptor of an empty data file. What a crash may have left under the name is gone."""
        path = self.path(key)
        return self._in_directory(path, lambda: new_file(path))

    def take(self, source: str, key: ContentKey) -> None:
        """Rename ``source`` to be the data file of ``key``."""
        path = self.path(key)
        self._in_directory(path, lambda: os.rename(source, path))

    def detach(self, key: ContentKey, target: str) -> int:
        """Move the data file of ``key`` to ``target``; a descriptor of it. `FileNotFoundError`."""
        os.rename(self.path(key), target)
        return os.open(target, os.O_RDWR | os.O_CLOEXEC)

    def remove(self, key: ContentKey) -> None:
        """Afterwards the file is gone, or will be at the next start, when nobody knows it."""
        _unlink(self.path(key))

    def names(self, number: int) -> list[str]:
        """What is in directory ``number`` of `FAN_OUT`."""
        try:
            return os.listdir(f"{self._root}/{number:02x}")
        except FileNotFoundError:
            return []
        except OSError as error:
            log.warning("the cache cannot list one of its directories: %s", error)
            return []

    def remove_stray(self, number: int, name: str) -> None:
        _unlink(f"{self._root}/{number:02x}/{name}")

    def _discard_unfinished(self) -> None:
        with suppress(FileNotFoundError):
            for name in os.listdir(f"{self._root}/unfinished"):
                _unlink(f"{self._root}/unfinished/{name}")

    def _in_directory(self, path: str, action: Callable[[], T]) -> T:
        try:
            return action()
        except FileNotFoundError:
            make_private(self._root)
            make_private(os.path.dirname(path))
            return action()


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("the cache cannot delete a file: %s", error)


def make_private(directory: str) -> None:
    """The directory exists afterwards, and is nobody else's business."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    os.chmod(directory, 0o700)
