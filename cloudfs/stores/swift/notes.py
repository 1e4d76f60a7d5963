"""Saves others, and later mounts, the question after every single directory: keeps a summary of what all of them say.

It is in the container for segments, where no user looks, and is read when a listing first needs it. Every failure here
is one that nobody notices: then directories are asked for one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import trio

from cloudfs.errors import AccessDenied, NotFound, StoreError
from cloudfs.stores.parallel import in_parallel
from cloudfs.stores.swift.container import SwiftContainer, md5_of
from cloudfs.stores.swift.marks import Marks, merged
from cloudfs.stores.swift.summary import Noted, read_summary, write_summary

DIRECTORIES = "cloudfs-directories"
_log = logging.getLogger(__name__)
_PATIENCE = 5.0
"""Seconds for which a listing waits for the summary."""
_PAUSE = 60.0
"""Seconds after which a store that did not give it is asked for it again."""
_KEPT = 120.0
"""Seconds for which it is kept in memory after somebody needed it."""
_WORTH = 16 << 10
"""Bytes of a summary that are as quickly read as a directory is asked for."""
_LEFT = 256
"""Directories that are left for later while something waits to be stored: there is time for so many at the end."""
_GENTLY, _AT_ONCE = 4, 64
"""Directories that are asked for together, when nobody waits and when somebody does."""
_LAST_ASKING, _LAST_SAVING = 1.0, 2.0
"""Seconds that the end of a mount may take longer for this."""
_AFTER_FAILURE = 600.0


class Notes:
    """The directories below ``prefix`` in ``container``, of which a summary is kept in ``home``."""

    def __init__(self, container: SwiftContainer, home: SwiftContainer, prefix: str) -> None:
        self.marks = Marks()
        self._container = container
        self._home = home
        self._root = f"{container.name}/{prefix}"
        self._name = f"{DIRECTORIES}/{md5_of(prefix.encode())}"
        self._bytes = 0
        self._reading = trio.Lock()
        self._read_after = self._save_after = 0.0
        self._needed = 0.0

    @property
    def were_asked_for(self) -> bool:
        """Whether `at_hand` has ever come to an end."""
        return self._read_after > 0

    async def at_hand(self, directories: int | None = None) -> None:
        """Have the summary in memory, if it can be had soon.

        ``directories`` is how many have to be asked for otherwise; None: many.
        """
        self._needed = trio.current_time()
        if directories is not None and self._bytes > directories * _WORTH:
            return
        async with self._reading:
            if self.marks.summary is None and trio.current_time() >= self._read_after:
                with trio.move_on_after(_PATIENCE):
                    await self._read_quietly()
                self._read_after = trio.current_time() + _PAUSE

    async def settle(self, *, busy: bool = False, last: bool = False) -> None:
        """As `cloudfs.stores.base.Settling`."""
        if self._save_after == float("inf") or not self.marks.is_worth_saving(last=last):
            pass
        elif busy:
            await self._ask_quietly(self.marks.to_be_asked(but=_LEFT), _GENTLY)
        elif last or trio.current_time() >= self._save_after:
            with trio.move_on_after(_LAST_ASKING if last else float("inf")):
                await self._ask_quietly(self.marks.to_be_asked(), _AT_ONCE if last else _GENTLY)
            with trio.move_on_after(_LAST_SAVING if last else float("inf")):
                await self._save_quietly(last=last)
        if trio.current_time() > self._needed + _KEPT:
            self.marks.summary = None

    # --- the summary -----------------------------------------------------------------------------------------------

    async def _read_quietly(self) -> None:
        try:
            self.marks.took(await self._read())
        except StoreError as error:
            _log.debug("no summary of directories: %s", error)

    async def _read(self) -> dict[str, Noted]:
        """What the store keeps; nothing if that is nothing, or nonsense. Raises `StoreError` if it does not say."""
        try:
            body = (await self._home.get_text(self._name)).body
        except NotFound:
            return {}
        self._bytes = len(body)
        try:
            return await trio.to_thread.run_sync(read_summary, self._root, body)
        except StoreError as error:
            _log.info("%s/%s: %s", self._home.name, self._name, error)
            return {}

    async def _save_quietly(self, *, last: bool) -> None:
        try:
            await self._save(last=last)
        except AccessDenied as error:
            _log.debug("no summary of directories can be kept: %s", error)
            self._save_after = float("inf")
        except StoreError as error:
            _log.debug("the summary of directories was not saved: %s", error)
            self._save_after = trio.current_time() + _AFTER_FAILURE

    async def _save(self, *, last: bool) -> None:
        """Bring the news into what the store keeps, which other machines may have changed meanwhile."""
        there = await self._read()
        self.marks.took(there)
        if not self.marks.is_worth_saving(last=last):
            return
        learned, gone = self.marks.news()
        summary = merged(there, learned, gone.keys())
        if summary != there:
            await self._write(summary)
        self.marks.took(summary)
        self.marks.saved(learned, gone)

    async def _write(self, summary: Mapping[str, Noted]) -> None:
        if not summary:
            await self._home.delete(self._name)
            return
        body = await trio.to_thread.run_sync(write_summary, self._root, summary)
        await self._home.put(self._name, body, {"Content-Type": "application/gzip"}, md5=md5_of(body))
        self._bytes = len(body)

    async def _ask_quietly(self, names: Sequence[str], at_once: int) -> None:
        """Learn what the store says of markers that this process has made."""
        try:
            await in_parallel(self._ask, names, at_once)
        except StoreError as error:
            _log.debug("a directory could not be asked for: %s", error)

    async def _ask(self, name: str) -> None:
        asked = self.marks.tick
        self.marks.heard(name, await self._container.head(name), asked)
