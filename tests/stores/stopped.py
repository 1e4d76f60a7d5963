"""A process that goes as far as to hide what it makes in a local store, says so, and waits there to be killed.

``python -m tests.stores.stopped ROOT CHANGE``, where ROOT has a directory ``d`` with files ``file`` and ``other``.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from unittest import mock

import trio

from cloudfs.stores.local.parts import is_part
from cloudfs.stores.local.store import LocalStore
from cloudfs.stores.local.system import can_move, rename_to_free_name
from tests.stores.conformance.bench import Bench, of_type

RENAME = os.rename
SYMLINK = of_type(stat.S_IFLNK, 0o777, target=b"where it points to")
FIFO = of_type(stat.S_IFIFO, 0o600)


async def put_symlink(bench: Bench) -> object:
    return await bench.put(b"d/new", b"", SYMLINK)


async def put_fifo(bench: Bench) -> object:
    return await bench.put(b"d/new", b"", FIFO)


async def put_file(bench: Bench) -> object:
    return await bench.put(b"d/new", b"new")


async def replace_by_file(bench: Bench) -> object:
    return await bench.put(b"d/file", b"new", replaces=(await bench.stat(b"d/file")).version)


async def replace_by_symlink(bench: Bench) -> object:
    return await bench.put(b"d/file", b"", SYMLINK, replaces=(await bench.stat(b"d/file")).version)


async def replace_by_link(bench: Bench) -> object:
    return await bench.link(b"d/other", b"d/file", replaces=(await bench.stat(b"d/file")).version)


CHANGES: Mapping[str, Callable[[Bench], Awaitable[object]]] = {
    "symlink": put_symlink,
    "fifo": put_fifo,
    "named": put_file,
    "replace": replace_by_file,
    "replace-by-symlink": replace_by_symlink,
    "replace-by-link": replace_by_link,
}
"""All that needs a hidden name; ``named`` on a file system that has no files without names."""


def store(root: Path, change: str) -> LocalStore:
    return LocalStore(root, durable=False, unnamed_drafts=change != "named")


def stop_before(source_fd: int, source: bytes, target_fd: int, target: bytes) -> None:
    """Publish nothing that could be published."""
    if is_part(source) and not is_part(target) and can_move(source_fd, target_fd):
        print("hidden", flush=True)
        signal.pause()


def to_free_name(source_fd: int, source: bytes, target_fd: int, target: bytes) -> None:
    stop_before(source_fd, source, target_fd, target)
    rename_to_free_name(source_fd, source, target_fd, target)


def rename(source: bytes, target: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None:
    stop_before(src_dir_fd, source, dst_dir_fd, target)
    RENAME(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)


def main(root: str, change: str) -> None:
    bench = Bench.of(lambda: store(Path(root), change))
    with mock.patch("cloudfs.stores.local.content.rename_to_free_name", to_free_name), mock.patch("os.rename", rename):
        trio.run(CHANGES[change], bench)


if __name__ == "__main__":
    main(*sys.argv[1:])
