"""The kernel mount: options, invalidation, and the request loop."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import pyfuse3
import trio

from cloudfs.errors import UsageError
from cloudfs.fuse.operations import Operations
from cloudfs.fuse.reading import Reader, fuse_descriptor

_READ_AHEAD_KB = 4096
_TASKS = 64


class Session:
    """One mount of this process, from `mount` to `close`."""

    def __init__(self, operations: Operations, reader: Reader, mountpoint: Path, options: Iterable[str]) -> None:
        """Mount. Raises `UsageError` if the kernel, or ``fusermount3``, does not let us."""
        self._mountpoint = mountpoint
        self._reader = reader
        self._callers = operations.callers
        try:
            pyfuse3.init(operations, os.fspath(mountpoint), {"default_permissions", *options})
        except RuntimeError as error:
            raise UsageError(
                f"cannot mount on {mountpoint}: {error}; is /dev/fuse there and usable, and for allow_other as an "
                "ordinary user, is user_allow_other set in /etc/fuse.conf?"
            ) from None
        reader.attach(fuse_descriptor())

    async def run(self) -> None:
        """Answer requests until the mount is gone or `stop` is called."""
        if hasattr(pyfuse3, "_wait_fuse_readable"):  # else it works as well, only slower
            pyfuse3._wait_fuse_readable = self._reader.wait
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._callers.look_forever)
            await pyfuse3.main(min_tasks=1, max_tasks=_TASKS)
            nursery.cancel_scope.cancel()

    def stop(self) -> None:
        """Make `run` return."""
        pyfuse3.terminate()
        self._reader.end()

    async def widen_read_ahead(self) -> None:
        """Sequential reads starve at the kernel's default of 128 KiB; without permission they just stay slower."""
        await trio.to_thread.run_sync(self._widen_read_ahead)

    def _widen_read_ahead(self) -> None:
        with contextlib.suppress(OSError):
            device = os.stat(self._mountpoint).st_dev
            knob = Path(f"/sys/class/bdi/{os.major(device)}:{os.minor(device)}/read_ahead_kb")
            knob.write_text(str(_READ_AHEAD_KB))

    def forget_name(self, parent: int, name: bytes) -> None:
        """The kernel should ask again about a name. Blocks: call it in a thread. Raises `OSError`."""
        pyfuse3.invalidate_entry(parent, name)

    def close(self, *, unmount: bool) -> None:
        pyfuse3.close(unmount=unmount)
