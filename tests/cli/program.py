"""The ``cloudfs`` command in a world of the test's own: ``python -m tests.cli.program ARGUMENTS``.

``$FAKE_MOUNTINFO`` is the table of mounts it sees; those called ``dead...`` have lost their daemon.
``$FAKE_SERVE`` (Python text that may use ``request`` and ``ready``) is what `cloudfs.daemon.mount.serve` does.
Everything else is the real thing.
"""

from __future__ import annotations

import errno
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path

from cloudfs.cli import mounts
from cloudfs.cli.main import main
from cloudfs.daemon import mountinfo, mountpoint
from cloudfs.daemon.mountinfo import Mounted
from cloudfs.daemon.request import MountRequest

real_probe = mountpoint.probe


def read_mounts() -> list[Mounted]:
    return mountinfo.read_mounts(Path(os.environ["FAKE_MOUNTINFO"]))


def probe(path: Path, seconds: float = mountpoint.PROBE_SECONDS) -> int:
    return errno.ENOTCONN if path.name.startswith("dead") else real_probe(path, seconds)


def serve(request: MountRequest, ready: Callable[[], None]) -> None:
    exec(os.environ["FAKE_SERVE"], {"request": request, "ready": ready, "os": os})


if __name__ == "__main__":
    if "FAKE_SERVE" in os.environ:
        module = types.ModuleType("cloudfs.daemon.mount")
        vars(module)["serve"] = serve
        sys.modules["cloudfs.daemon.mount"] = module
    vars(mounts)["read_mounts"] = vars(mountpoint)["read_mounts"] = read_mounts
    vars(mountpoint)["probe"] = probe
    vars(mountpoint)["PASSING_SECONDS"] = 0.0
    main()
