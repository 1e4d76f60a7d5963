"""How a mount ends: on a signal, on behalf of a client that unmounts, or because somebody unmounted it.

What programs wrote is kept in every case, and goes with the next mount if not with this one. A *polite* end is one
for which somebody waits: it stores everything first, and goes on after the kernel's unmount, because between "all is
stored" and "nobody can write any more" there is a moment in which somebody may write.
"""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from cloudfs.daemon.control import Report
from cloudfs.daemon.mountpoint import Busy, flush, unmount
from cloudfs.daemon.notify import Notifier
from cloudfs.daemon.status import Status
from cloudfs.errors import UsageError
from cloudfs.quantities import show_count, show_size

_log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_USERS_SECONDS = 5.0
"""For so long, programs that still use a detached mount may go on."""
_FLUSH_SECONDS = 3.0
_UNMOUNT_SECONDS = 60.0
"""After this the client's unmount has not made the mount go away: somebody has it in a namespace of their own."""
_EXTEND_SECONDS = 60.0


class Ending:
    """The end of one mount. ``stop`` ends the service of the kernel's requests."""

    def __init__(
        self,
        mountpoint: Path,
        status: Status,
        notifier: Notifier,
        stop: Callable[[], None],
        limit: float | None,
    ) -> None:
        """``limit``: for how many seconds a polite end may store; None is for ever."""
        self._mountpoint = mountpoint
        self._status = status
        self._notifier = notifier
        self._stop = stop
        self._limit = limit
        self._deadline: float | None = None
        self._before = trio.CancelScope()
        self._after = trio.CancelScope()
        self._gone = trio.Event()
        self._clients = 0
        self._no_client = trio.Event()
        self._progress: tuple[object, ...] = ()

    # --- signals -----------------------------------------------------------------------------------------------------

    async def follow_signals(self) -> None:
        """SIGTERM and SIGINT: store, unmount, end; once more: end at once. SIGHUP: look for the store again.

        Without its terminal a mount in the foreground ends: there SIGHUP is the same as SIGTERM.
        """
        async with trio.open_nursery() as nursery:
            with trio.open_signal_receiver(*_SIGNALS) as signals:
                async for number in signals:
                    name = signal.Signals(number).name
                    if number == signal.SIGHUP and not sys.stderr.isatty():
                        _log.info("%s: asking the store again", name)
                        self._status.retry()
                    elif self._deadline is None:
                        _log.info("%s: ending when all is stored; once more ends at once, and loses nothing", name)
                        nursery.start_soon(self._leave)
                    else:
                        _log.info("%s again: ending at once", name)
                        self._before.cancel()
                        self._after.cancel()
                        nursery.start_soon(self._end_at_once)

    async def _leave(self) -> None:
        self._deadline = trio.current_time() + (float("inf") if self._limit is None else self._limit)
        self._notifier.stopping()
        with self._before:
            result = await self._status.wait([], self._seconds_left(), self._show)
            if result["pending"]["files"]:
                _log.warning("the time is over: %s", _what_is_left(result))
            await self._detach()
            with trio.move_on_after(_USERS_SECONDS):
                await self._gone.wait()
            if not self._gone.is_set():
                await self._end_at_once()

    async def _detach(self) -> None:
        """Take the mount away while its requests are answered: that is how the kernel gets rid of what it holds."""
        try:
            await trio.to_thread.run_sync(unmount, self._mountpoint, abandon_on_cancel=True)
            return
        except Busy as busy:
            _log.warning("%s; it is taken away from them", busy)
        except UsageError as error:
            _log.debug("%s", error)
        try:
            await trio.to_thread.run_sync(lambda: unmount(self._mountpoint, lazy=True), abandon_on_cancel=True)
        except UsageError as error:
            _log.debug("%s", error)

    async def _end_at_once(self) -> None:
        await trio.to_thread.run_sync(flush, self._mountpoint, _FLUSH_SECONDS)
        self._stop()

    def _seconds_left(self) -> float | None:
        if self._deadline is None or self._deadline == float("inf"):
            return None
        return max(0.0, self._deadline - trio.current_time())

    async def _show(self, event: dict[str, Any]) -> None:
        """Time that is used well may be longer than systemd allows for: it is told whenever something was sent."""
        progress = (event["files"], event["bytes"], tuple(upload["done"] for upload in event["uploading"]))
        if progress != self._progress:
            self._progress = progress
            left = f"{show_count(event['files'], 'file')} ({show_size(event['bytes'])})"
            self._notifier.status(f"ending; still to be stored: {left}")
            self._notifier.extend(_EXTEND_SECONDS)

    # --- clients -----------------------------------------------------------------------------------------------------

    async def unmounting(self, timeout: float | None, report: Report) -> dict[str, Any]:
        """For a client that unmounts when it gets the event ``{"unmount": true}``: what is left afterwards.

        Until the client has its answer, or goes away, the driver stores what was written at the last moment.
        """
        if not self._clients:
            self._no_client = trio.Event()
        self._clients += 1
        try:
            await report({"unmount": True})
            with trio.move_on_after(_UNMOUNT_SECONDS):
                await self._gone.wait()
            return await self._status.wait([], timeout, report)
        finally:
            self._clients -= 1
            if not self._clients:
                self._no_client.set()

    # --- the mount ---------------------------------------------------------------------------------------------------

    async def finish(self) -> None:
        """The kernel has let go of the mount. Returns when nobody waits any more for what is not stored yet."""
        self._gone.set()
        if self._deadline is not None:
            with self._after:
                await self._status.wait([], self._seconds_left(), self._show)
        if self._clients:
            await self._no_client.wait()


def _what_is_left(result: dict[str, Any]) -> str:
    pending = result["pending"]
    return f"{show_count(pending['files'], 'file')} ({show_size(pending['bytes'])}) not stored; the next mount goes on"
