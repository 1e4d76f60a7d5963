"""What a process that holds secrets does before it has any."""

from __future__ import annotations

import ctypes
import logging
import os
import resource

_log = logging.getLogger(__name__)
_PR_SET_DUMPABLE = 4
"""prctl(2)"""


def keep_private() -> None:
    """No core file of this process, no other process of its user may look into it, and what it makes is its own.

    Programs that it runs afterwards may be looked into again, but leave no core files either.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The limit is for files only: where cores go to a program (systemd-coredump), that program decides.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        _log.warning("a crash may leave a core file with secrets in it: %s", os.strerror(ctypes.get_errno()))
