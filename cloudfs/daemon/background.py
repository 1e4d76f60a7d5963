"""Becoming a daemon: the command returns when the mount is usable, or says why it never will be.

The daemon is forked before any event loop or thread exists. It reports over a pipe: one byte when it is ready, or
an error message. A pipe that closes without a word means that it died.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from cloudfs.errors import CloudfsError
from cloudfs.logs import log_to_file

Work = Callable[[Callable[[], None]], None]
"""Does what the daemon is for, and calls what it is given once it is ready. Returns when the daemon shall end."""

_READY = b"\0"
_log = logging.getLogger(__name__)


class StartFailed(CloudfsError):
    """The daemon did not become ready. The message is what it said itself, or where it may have written more."""


def run_in_background(work: Work, log_file: Path, *, debug: bool = False) -> int:
    """Fork a daemon that does ``work``; its process number, once it is ready. Raises `StartFailed`."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _live(work, writing, log_file, debug)
    os.close(writing)
    try:
        with open(reading, "rb") as pipe:
            message = pipe.read()
    except KeyboardInterrupt:
        os.kill(child, signal.SIGTERM)
        raise
    if message == _READY:
        return child
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    raise StartFailed(message.decode("utf-8", "surrogateescape") or _post_mortem(status, log_file))


def _live(work: Work, pipe: int, log_file: Path, debug: bool) -> None:
    """The daemon's whole life. Never returns: what the parent would do next is not the daemon's."""
    status = 1
    try:
        status = _work(work, _Announcement(pipe), log_file, debug)
    finally:
        os._exit(status)


def _detach(log_file: Path, debug: bool) -> None:
    # A session of its own: no signals from the terminal. It leads it, and never opens a terminal that could adopt it.
    os.setsid()
    os.chdir("/")
    os.environ.pop("NOTIFY_SOCKET", None)  # whoever waits to hear of a service hears of the command, which ends
    # The terminal, or a pipe somebody waits at the end of, is not ours to keep.
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.close(nothing)
    log_to_file(log_file, debug)


def _work(work: Work, announcement: _Announcement, log_file: Path, debug: bool) -> int:
    try:
        _detach(log_file, debug)
        work(announcement.ready)
    except CloudfsError as error:
        _log.error("%s", error)
        announcement.failed(str(error))
        return 1
    except BaseException as error:
        _log.critical("the daemon ended by an error it did not expect", exc_info=True)
        announcement.failed(f"internal error, the log has more: {type(error).__name__}: {error}")
        return 1
    announcement.failed("the daemon ended before the mount was usable")
    return 0


class _Announcement:
    """The one message the daemon has for the process that waits for it."""

    def __init__(self, pipe: int) -> None:
        self._pipe: int | None = pipe

    def ready(self) -> None:
        self._say(_READY)

    def failed(self, message: str) -> None:
        """Does nothing once it was ready: then nobody waits any more."""
        self._say(message.encode("utf-8", "surrogateescape"))

    def _say(self, message: bytes) -> None:
        if self._pipe is None:
            return
        pipe, self._pipe = self._pipe, None
        try:
            os.write(pipe, message)
        except BrokenPipeError:
            _log.warning("the process that started this daemon is gone")
        finally:
            os.close(pipe)


def _post_mortem(status: int, log_file: Path) -> str:
    how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return f"the daemon {how} before the mount was usable; its log is {log_file}"
