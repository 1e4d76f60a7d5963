"""Large files leave before they are complete: whole pieces are sent while more is written, and their space is reused.

A piece is written down in the catalogue as soon as the store has it, so that nothing is sent twice, also after
``kill -9``. It is punched out of the staged file only when space is needed, and only once its row would survive a power
cut. From then on the store has the only copy, and whoever reads there, or writes there, gets it back first.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator

import trio

from cloudfs.catalog.catalog import Catalog
from cloudfs.catalog.pieces import SentPiece
from cloudfs.errors import DISK_ERRORS, StoreError
from cloudfs.stores.base import Location, Pieces, Transfer
from cloudfs.types import Inode
from cloudfs.writeback.backoff import delay
from cloudfs.writeback.contents import Contents, StagedSource
from cloudfs.writeback.health import Health
from cloudfs.writeback.progress import Progress
from cloudfs.writeback.staged import Staged
from cloudfs.writeback.staging import Staging

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25
_IDLE_SECONDS = 30.0
_QUIET_NS = 1_000_000_000
_QUIET_PRESSED_NS = 50_000_000
_PRESSED_SECONDS = 2.0


class Ahead:
    """Sends pieces of staged files, at most ``limit`` at once; owns its tasks. Needs a store that takes pieces."""

    def __init__(
        self,
        catalog: Catalog,
        pieces: Pieces,
        staging: Staging,
        contents: Contents,
        health: Health,
        limit: int,
        progress: Progress,
        durable_step: Callable[[str], None],
    ) -> None:
        """``progress`` is made whenever there may be more room than before."""
        self._catalog = catalog
        self._pieces = pieces
        self._staging = staging
        self._contents = contents
        self._health = health
        self._slots = trio.CapacityLimiter(limit)
        self._progress = progress
        self._durable_step = durable_step
        self._flying: set[tuple[int, int]] = set()
        self._wake = trio.Event()
        self._pressed_until = 0.0
        self._punching = False
        self._failures = 0
        self._rests_until = 0.0

    # --- for writers who need room -----------------------------------------------------------------------------------

    def make_room(self) -> None:
        """The disk is needed: send what may be sent, and punch what was."""
        self._pressed_until = trio.current_time() + _PRESSED_SECONDS
        self._wake.set()

    def is_working(self) -> bool:
        """Whether there may be more room soon."""
        resting = trio.current_time() < self._rests_until
        return bool(self._flying) or self._punching or (not resting and any(self._candidates()))

    # --- while files are written -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """For ever; cancel it to stop."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow)
            while True:
                self._wake = trio.Event()
                try:
                    if self._is_pressed():
                        await self._punch()
                    await self._drop_unwanted()
                except DISK_ERRORS as error:
                    self._rest(error)
                waiting = self._start_quiet(nursery)
                with trio.move_on_after(_LOOK_SECONDS if waiting or self._is_pressed() else _IDLE_SECONDS):
                    await self._wake.wait()

    async def _follow(self) -> None:
        """Look again when large files have grown."""
        while True:
            await self._staging.growth.wait()
            self._wake.set()
            await trio.sleep(_LOOK_SECONDS)

    def _is_pressed(self) -> bool:
        return trio.current_time() < self._pressed_until

    def _start_quiet(self, nursery: trio.Nursery) -> bool:
        """Send what may be sent; returns whether there is more to come."""
        if self._health.read_only or trio.current_time() < self._rests_until:
            return True
        waiting = False
        for staged, part in self._candidates():
            waiting = True
            if self._is_quiet(staged, part) and self._slots.available_tokens:
                self._flying.add((staged.file, part))
                staged.users += 1
                self._slots.acquire_on_behalf_of_nowait((staged.file, part))
                nursery.start_soon(self._send_ahead, staged, part)
        return waiting

    def _candidates(self) -> Iterator[tuple[Staged, int]]:
        """Parts of open files that were written whole, and are neither at the store nor on their way to it.

        Not of those without a name, which are never stored.
        """
        size = self._pieces.size
        for staged in self._staging.being_written(size):
            if staged.rhythm is None or staged.damaged or self._place(staged.ino) is None:
                continue
            for part in range(staged.length // size):
                start, stop = part * size, (part + 1) * size
                if staged.rhythm.is_restless(part) and not self._is_pressed():
                    continue
                if (staged.file, part) in self._flying or staged.sent.overlapping(start, stop):
                    continue
                if staged.is_whole(start, stop):
                    yield staged, part

    def _is_quiet(self, staged: Staged, part: int) -> bool:
        assert staged.rhythm is not None
        hasty = self._is_pressed() and not staged.rhythm.is_restless(part)
        return staged.rhythm.stamp(part) <= time.monotonic_ns() - (_QUIET_PRESSED_NS if hasty else _QUIET_NS)

    async def _send_ahead(self, staged: Staged, part: int) -> None:
        rhythm = staged.rhythm
        assert rhythm is not None
        stamp = rhythm.stamp(part)
        source = StagedSource(staged, staged.length, self._contents)
        try:
            place = self._place(staged.ino)
            if place is not None:
                await self._send(source, place, part * self._pieces.size, lambda: rhythm.stamp(part) == stamp)
            self._failures = 0
        except StoreError as error:
            self._failed(error)
        except DISK_ERRORS as error:
            self._rest(error)
        finally:
            source.close()
            self._slots.release_on_behalf_of((staged.file, part))
            self._flying.discard((staged.file, part))
            self._staging.release(staged)
            self._progress.made()
            self._wake.set()

    def _failed(self, error: StoreError) -> None:
        self._health.failed(error)
        self._rest(error)

    def _rest(self, error: Exception) -> None:
        _log.debug("a piece has to wait: %s", error)
        self._rests_until = trio.current_time() + delay(self._failures, random.random())
        self._failures += 1

    def _place(self, ino: Inode) -> Location | None:
        """Where it will be, or near it: the directory may be one that the store has not got yet, or elsewhere."""
        for link in self._catalog.links.of_inode(ino):
            if link.parent is not None and link.name is not None:
                return Location(self._catalog.links.path(link))
        return None

    # --- when a file is complete -------------------------------------------------------------------------------------

    async def send_rest(self, source: StagedSource, place: Location, transfer: Transfer) -> None:
        """Send every piece of a claimed file that the store does not have yet. Only the end of it is left then.

        Raises what the store raises. What arrived before that stays there, and is not sent again.
        """
        while any(file == source.staged.file for file, _ in self._flying):
            await self._progress.wait()
        errors: list[Exception] = []
        async with trio.open_nursery() as nursery:

            async def send(start: int) -> None:
                try:
                    await self._send(source, place, start, lambda: True)
                    transfer.advance(self._pieces.size)
                except Exception as error:
                    errors.append(error)
                    nursery.cancel_scope.cancel()
                finally:
                    self._slots.release_on_behalf_of((source, start))

            for start in self._unsent(source):
                await self._slots.acquire_on_behalf_of((source, start))
                nursery.start_soon(send, start)
        if errors:
            raise errors[0]

    def _unsent(self, source: StagedSource) -> Iterator[int]:
        """Where the pieces begin that have to be sent. Of what is only patched the store keeps the rest by itself."""
        size, staged = self._pieces.size, source.staged
        for start in range(0, source.size - size, size):
            new = staged.is_whole(start, start + size) if staged.base else staged.has_data(start, start + size)
            if new and not staged.sent.overlapping(start, start + size):
                yield start

    async def _send(self, source: StagedSource, place: Location, start: int, is_same: Callable[[], bool]) -> None:
        """Send one piece and write it down; if it ``is_same`` no longer, then as one that nobody wants."""
        staged = source.staged
        piece = await self._pieces.put(place, source, start, start + self._pieces.size)
        wanted = (
            not source.is_revoked
            and is_same()
            and not staged.gone
            and not staged.sent.overlapping(piece.start, piece.stop)
        )
        with self._catalog:
            if wanted:
                content = self._catalog.nodes.get(staged.ino).content
                staged.sent.put(self._catalog.pieces.add(staged.ino, content, piece))
            else:
                self._catalog.pieces.add(None, 0, piece)
        self._progress.made()
        source.check()

    # --- space -------------------------------------------------------------------------------------------------------

    async def _punch(self) -> None:
        """Give back the space of all that the store has, once its rows would survive a power cut."""
        chosen = [(staged, sent) for staged in self._staging.opened() for sent in staged.sent if not sent.punched]
        if not chosen:
            return
        with self._catalog:
            punched = [(staged, self._catalog.pieces.punch(sent)) for staged, sent in chosen]
        for staged, sent in punched:
            staged.sent.put(sent)
            staged.users += 1
        self._punching = True
        try:
            await self._catalog.database.synced()
            for staged, sent in punched:
                async with staged.bringing_back:  # what somebody is just putting there is not to go again
                    if sent in staged.sent and not staged.gone:
                        staged.punch(sent.start, sent.stop)
        finally:
            self._punching = False
            for staged, _ in punched:
                self._staging.release(staged)
        self._durable_step("punched")
        self._progress.made()

    async def _drop_unwanted(self) -> None:
        """Tell the store what it need not keep, once nobody can come back to it, not even after a power cut."""
        unwanted = self._catalog.pieces.unwanted()
        if not unwanted or trio.current_time() < self._rests_until:
            return
        await self._catalog.database.synced()
        for sent in unwanted:
            try:
                await self._pieces.drop(sent.piece)
            except StoreError as error:
                self._failed(error)
                return
            self._forget(sent)

    def _forget(self, sent: SentPiece) -> None:
        with self._catalog:
            self._catalog.pieces.dropped(sent)
        self._contents.forget_piece(sent)
